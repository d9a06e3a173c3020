//! `gwbank scorecard`: as CSV, or the SQL that gives it.

use anyhow::Context as _;

use super::output;
use crate::arguments::{General, ScorecardArguments};
use crate::client::{Client, query, read_all};
use crate::failure::Outcome;

pub fn run(general: &General, asked: &ScorecardArguments) -> Outcome {
    let client = Client::needed(general, &asked.server)?;
    let of = query(&[
        ("fiscal_year", asked.fiscal_year.as_deref()),
        ("province", asked.province.as_deref()),
        ("show", asked.show_sql.then_some("sql")),
    ]);
    let accept = if asked.show_sql { "*/*" } else { "text/csv" };
    let text = read_all(&mut client.send("GET", &format!("/api/v1/scorecard{of}"), &[("accept", accept)], &[])?)?;
    match &asked.out {
        Some(path) => Ok(std::fs::write(path, text).with_context(|| path.display().to_string())?),
        None => output::write_all(&mut std::io::stdout().lock(), &text),
    }
}
