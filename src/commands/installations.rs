//! `gwbank installations import|list`

use anyhow::Context as _;
use gwbank_registry::import;

use super::output;
use super::wells::{applied, row_faults, told};
use crate::arguments::{General, InstallationsCommand};
use crate::client::{Client, Found};
use crate::failure::{Failure, Outcome};
use crate::node::offline::Offline;

pub fn run(general: &General, command: InstallationsCommand) -> Outcome {
    match command {
        InstallationsCommand::Import { file, server } => {
            let bytes = std::fs::read(&file)
                .with_context(|| format!("{} cannot be read", file.display()))
                .map_err(Failure::usage)?;
            let (rows, warnings) = match Client::find(general, &server)? {
                Found::Running(client) => applied(&client, "/api/v1/installations", "text/csv", &bytes)
                    .map_err(|failure| Failure::failed(format!("{}: {}", file.display(), failure.text())))?,
                Found::Nobody => {
                    let rows = import::parse_installations(&bytes).map_err(|faults| row_faults(&file, &faults))?;
                    let count = rows.len() as u64;
                    let offline = Offline::open(general)?;
                    offline.put_installations(rows)?;
                    let warnings = offline.registry().problems().iter().map(ToString::to_string).collect();
                    offline.close()?;
                    (count, warnings)
                }
            };
            told(&warnings);
            output::line(&format!("{rows} installations applied"))
        }
        InstallationsCommand::List { server } => {
            let client = Client::needed(general, &server)?;
            let list: serde_json::Value = client.get("/api/v1/installations")?;
            let headers = [
                "well_id",
                "device_id",
                "sensor_model",
                "parameter",
                "valid_from",
                "valid_to",
                "pressure_kind",
                "reason",
            ];
            let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let rows = items.iter().map(|item| headers.map(|name| output::cell(&item[name])).to_vec()).collect();
            output::table(&headers, rows)
        }
    }
}
