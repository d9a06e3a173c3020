//! `gwbank check-config`

use super::output;
use crate::arguments::General;
use crate::failure::Outcome;

pub fn run(general: &General) -> Outcome {
    let loaded = general.load()?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    let from = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => "defaults (there is no gwbank.toml here)".to_owned(),
    };
    let doors = if loaded.config.auth.is_empty() { "open, on this machine only" } else { "guarded by [auth]" };
    let doors = if loaded.config.insecure { "insecure = true: unguarded where no credentials are" } else { doors };
    output::line(&format!(
        "{from}: correct\n  data_dir {}\n  mqtt     {}\n  http     {}\n  doors    {doors}",
        loaded.config.data_dir.display(),
        shown(&loaded.config.mqtt.listen),
        shown(&loaded.config.http.listen),
    ))
}

fn shown(address: &str) -> &str {
    if address.is_empty() { "none" } else { address }
}
