//! `gwbank quality limits list|import|remove`: on the running server, or on the data directory when none runs.

use std::path::Path;

use anyhow::Context as _;
use gwbank_ingest::IngestError;
use gwbank_model::{Parameter, WellId};
use gwbank_store::{EffectiveLimit, QualityLimitKey};

use crate::arguments::{General, QualityLimitsCommand, ServerArguments};
use crate::client::{Client, Found, query};
use crate::commands::output;
use crate::commands::wells::{applied, row_faults, told};
use crate::failure::{Failure, Outcome};
use crate::node::offline::Offline;

const PATH: &str = "/api/v1/quality-limits";

pub fn run(general: &General, command: QualityLimitsCommand) -> Outcome {
    match command {
        QualityLimitsCommand::List { well, parameter, server } => list(general, &server, well.as_deref(), parameter),
        QualityLimitsCommand::Import { file, server } => import(general, &server, &file),
        QualityLimitsCommand::Remove { limit_name, well, parameter, server } => {
            remove(general, &server, QualityLimitKey { well_id: well, parameter, limit: limit_name })
        }
    }
}

fn list(general: &General, server: &ServerArguments, well: Option<&str>, parameter: Option<Parameter>) -> Outcome {
    const COLUMNS: [&str; 7] = ["well_id", "parameter", "limit_name", "value", "unit", "source", "changed_at"];
    let every = |cell: String| if cell.is_empty() { "*".to_owned() } else { cell };
    let mut rows: Vec<Vec<String>> = match Client::find(general, server)? {
        Found::Running(client) => {
            let list: serde_json::Value = client.get(PATH)?;
            let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().map(|item| COLUMNS.map(|name| output::cell(&item[name])).to_vec()).collect()
        }
        Found::Nobody => {
            let offline = Offline::open(general)?;
            let rows = offline.quality_limits().iter().map(row).collect();
            offline.close()?;
            rows
        }
    };
    rows.retain(|row| well.is_none_or(|well| row[0].is_empty() || row[0] == well));
    rows.retain(|row| parameter.is_none_or(|parameter| row[1].is_empty() || row[1] == parameter.name()));
    for row in &mut rows {
        row[0] = every(std::mem::take(&mut row[0]));
        row[1] = every(std::mem::take(&mut row[1]));
    }
    output::table(&COLUMNS, rows)
}

fn row(limit: &EffectiveLimit) -> Vec<String> {
    vec![
        limit.key.well_id.as_ref().map(WellId::to_string).unwrap_or_default(),
        limit.key.parameter.map(|parameter| parameter.name().to_owned()).unwrap_or_default(),
        limit.key.limit.clone(),
        limit.value.to_string(),
        limit.unit.clone().unwrap_or_default(),
        limit.source.to_string(),
        limit.changed_at.map(|at| at.to_rfc3339(gwbank_model::BANGKOK_OFFSET_SECONDS)).unwrap_or_default(),
    ]
}

fn import(general: &General, server: &ServerArguments, file: &Path) -> Outcome {
    let bytes =
        std::fs::read(file).with_context(|| format!("{} cannot be read", file.display())).map_err(Failure::usage)?;
    let (rows, warnings) = match Client::find(general, server)? {
        Found::Running(client) => applied(&client, PATH, "text/csv", &bytes)
            .map_err(|failure| Failure::failed(format!("{}: {}", file.display(), failure.text())))?,
        Found::Nobody => {
            let offline = Offline::open(general)?;
            let applied = offline.import_quality_limits(&bytes).map_err(|error| match error {
                IngestError::Rows(faults) => row_faults(file, &faults),
                error => Failure::Failed(error.into()),
            })?;
            offline.close()?;
            (applied.rows, applied.warnings)
        }
    };
    told(&warnings);
    output::line(&format!("{rows} limits applied"))
}

fn remove(general: &General, server: &ServerArguments, key: QualityLimitKey) -> Outcome {
    let limit = key.limit.clone();
    match Client::find(general, server)? {
        Found::Running(client) => {
            let asked = query(&[
                ("well_id", key.well_id.as_ref().map(WellId::as_str)),
                ("parameter", key.parameter.map(Parameter::name)),
                ("limit_name", Some(&key.limit)),
            ]);
            client.send("DELETE", &format!("{PATH}{asked}"), &[], &[])?;
        }
        Found::Nobody => {
            let offline = Offline::open(general)?;
            let was_there = offline.remove_quality_limit(key)?;
            offline.close()?;
            if !was_there {
                return Err(Failure::failed(format!("the table has no limit {limit} of this well and parameter")));
            }
        }
    }
    output::line(&format!("{limit} is taken out of the table"))
}
