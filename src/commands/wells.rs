//! `gwbank wells import|list|export`: on the running server, or on the data directory when none runs.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use gwbank_registry::import::{self, FileKind};
use gwbank_registry::{Registry, Well};

use super::output;
use crate::arguments::{General, ServerArguments, WellsCommand, WellsFormat};
use crate::client::{Client, Found, query, read_all, read_json};
use crate::failure::{Failure, Outcome};
use crate::node::offline::Offline;
use crate::terminal;

pub fn run(general: &General, command: WellsCommand) -> Outcome {
    match command {
        WellsCommand::Import { file, server } => import_wells(general, &server, &file),
        WellsCommand::List { province, server } => list(general, &server, province.as_deref()),
        WellsCommand::Export { format, out, server } => {
            let text = export(general, &server, format)?;
            match out {
                Some(path) => Ok(std::fs::write(&path, text).with_context(|| path.display().to_string())?),
                None => output::write_all(&mut std::io::stdout().lock(), &text),
            }
        }
    }
}

fn kind_of(file: &Path) -> Outcome<FileKind> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    FileKind::from_name(name)
        .ok_or_else(|| Failure::usage(anyhow!("{}: only .csv, .geojson and .json are read", file.display())))
}

fn import_wells(general: &General, server: &ServerArguments, file: &Path) -> Outcome {
    let kind = kind_of(file)?;
    let bytes =
        std::fs::read(file).with_context(|| format!("{} cannot be read", file.display())).map_err(Failure::usage)?;
    let media = match kind {
        FileKind::Csv => "text/csv",
        FileKind::GeoJson => "application/geo+json",
    };
    let (rows, warnings) = match Client::find(general, server)? {
        Found::Running(client) => applied(&client, "/api/v1/wells", media, &bytes)
            .map_err(|failure| Failure::failed(format!("{}: {}", file.display(), failure.text())))?,
        Found::Nobody => {
            let wells = import::parse_wells(&bytes, kind).map_err(|faults| row_faults(file, &faults))?;
            let rows = wells.len() as u64;
            let offline = Offline::open(general)?;
            offline.put_wells(wells)?;
            let warnings = offline.registry().problems().iter().map(ToString::to_string).collect();
            offline.close()?;
            (rows, warnings)
        }
    };
    told(&warnings);
    output::line(&format!("{rows} wells applied"))
}

/// Sends a file to be applied; gives rows and warnings.
pub(super) fn applied(client: &Client, path: &str, media: &str, bytes: &[u8]) -> Outcome<(u64, Vec<String>)> {
    let reply = client.send("PUT", path, &[("content-type", media)], bytes)?;
    let applied: gwbank_server::views::AppliedView = read_json(reply)?;
    Ok((applied.rows, applied.warnings))
}

/// Warnings shown; more would hide what was done.
const WARNINGS_SHOWN_MAX: usize = 20;

pub(super) fn told(warnings: &[String]) {
    for warning in warnings.iter().take(WARNINGS_SHOWN_MAX) {
        eprintln!("warning: {}", terminal::one_line(warning));
    }
    if warnings.len() > WARNINGS_SHOWN_MAX {
        eprintln!("warning: and {} more", warnings.len() - WARNINGS_SHOWN_MAX);
    }
}

pub(super) fn row_faults(file: &Path, faults: &[import::RowFault]) -> Failure {
    let lines: Vec<String> = faults.iter().map(|fault| format!("{}: {fault}", file.display())).collect();
    Failure::failed(format!("nothing was applied:\n{}", lines.join("\n")))
}

fn list(general: &General, server: &ServerArguments, province: Option<&str>) -> Outcome {
    const HEADERS: [&str; 6] = ["well_id", "name", "province", "bank_type", "depth", "status"];
    let rows: Vec<Vec<String>> = match Client::find(general, server)? {
        Found::Running(client) => {
            let mut rows = Vec::new();
            loop {
                let offset = rows.len().to_string();
                let path = query(&[("province", province), ("limit", Some("10000")), ("offset", Some(&offset))]);
                let page: serde_json::Value = client.get(&format!("/api/v1/wells{path}"))?;
                let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
                let fields = ["well_id", "name", "province_code", "bank_type", "depth", "status"];
                rows.extend(items.iter().map(|well| fields.map(|name| output::cell(&well[name])).to_vec()));
                if items.is_empty() || rows.len() as u64 >= page["total"].as_u64().unwrap_or(0) {
                    break rows;
                }
            }
        }
        Found::Nobody => {
            let offline = Offline::open(general)?;
            let rows = registered(&offline.registry(), province).map(row).collect();
            offline.close()?;
            rows
        }
    };
    let count = rows.len();
    output::table(&HEADERS, rows)?;
    output::line(&format!("{count} wells"))
}

fn registered<'r>(registry: &'r Registry, province: Option<&'r str>) -> impl Iterator<Item = &'r Well> {
    registry
        .wells()
        .iter()
        .map(AsRef::as_ref)
        .filter(move |well| province.is_none_or(|province| well.province_code == province))
}

fn row(well: &Well) -> Vec<String> {
    vec![
        well.well_id.to_string(),
        well.name.clone().unwrap_or_default(),
        well.province_code.clone(),
        well.bank_type.name().to_owned(),
        well.depth.map(|depth| depth.to_string()).unwrap_or_default(),
        well.status.name().to_owned(),
    ]
}

fn export(general: &General, server: &ServerArguments, format: WellsFormat) -> Outcome<Vec<u8>> {
    match Client::find(general, server)? {
        Found::Running(client) => {
            let media = match format {
                WellsFormat::Csv => "text/csv",
                WellsFormat::Geojson => "application/geo+json",
            };
            read_all(&mut client.send("GET", "/api/v1/wells", &[("accept", media)], &[])?)
        }
        Found::Nobody => {
            let offline = Offline::open(general)?;
            let registry = offline.registry();
            let wells = registry.wells().iter().map(AsRef::as_ref);
            let text = match format {
                WellsFormat::Csv => import::write_wells_csv(wells),
                WellsFormat::Geojson => import::write_wells_geojson(wells),
            };
            offline.close()?;
            Ok(text.into())
        }
    }
}
