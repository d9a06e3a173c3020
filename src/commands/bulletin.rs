//! `gwbank bulletin`: writes the sheet of a province and month.

use anyhow::Context as _;

use super::output;
use crate::arguments::{BulletinArguments, General};
use crate::client::{Client, encoded, query, read_all};
use crate::failure::Outcome;

pub fn run(general: &General, asked: &BulletinArguments) -> Outcome {
    let client = Client::needed(general, &asked.server)?;
    let path = format!(
        "/api/v1/provinces/{}/bulletin{}",
        encoded(&asked.province),
        query(&[("month", asked.month.as_deref())])
    );
    let html = read_all(&mut client.send("GET", &path, &[("accept", "text/html")], &[])?)?;
    let out = asked.out.clone().unwrap_or_else(|| {
        let month = asked.month.as_deref().unwrap_or("latest");
        format!("bulletin-{}-{month}.html", asked.province).into()
    });
    std::fs::write(&out, html).with_context(|| out.display().to_string())?;
    output::line(&format!("{} is written; a browser prints it on two pages", out.display()))
}
