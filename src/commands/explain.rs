//! `gwbank explain`: how a payload would be read with the configuration, without a server.

use std::io::Read;

use anyhow::{Context as _, anyhow};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use gwbank_runtime::{Clock, SystemClock};
use gwbank_wire::{Context, Format, Route, SourceKind, decode, route};

use super::output;
use crate::arguments::{ExplainArguments, General};
use crate::config::zone_seconds;
use crate::failure::{Failure, Outcome};
use crate::node::settings;
use crate::terminal::one_line;

pub fn run(general: &General, asked: &ExplainArguments) -> Outcome {
    let config = general.load()?.config;
    let payload = if asked.file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        bytes
    } else {
        std::fs::read(&asked.file)
            .with_context(|| format!("{} cannot be read", asked.file.display()))
            .map_err(Failure::usage)?
    };
    let clock_zone = match &asked.clock_zone {
        Some(zone) => Some(
            zone_seconds(zone)
                .ok_or_else(|| Failure::usage(anyhow!("--clock-zone: {zone:?} is no fixed offset; write +07:00")))?,
        ),
        None => None,
    };
    let (gateway, format) = match route(&asked.topic) {
        Route::Readings { gateway } => (gateway, Format::Json),
        Route::Senml { gateway } => (gateway, Format::of_senml(&payload)),
        Route::ServerOwned => {
            output::line("topic     written by the server only: a client's message becomes a dead letter")?;
            return Err(Failure::failed("nothing would be stored"));
        }
        Route::Unknown { reason, detail, .. } => {
            output::line(&format!("topic     becomes a dead letter {reason}: {detail}"))?;
            return Err(Failure::failed("nothing would be stored"));
        }
        Route::Foreign => {
            output::line("topic     none that is read here: the message becomes a dead letter")?;
            return Err(Failure::failed("nothing would be stored"));
        }
    };
    let now = Timestamp::from_micros(SystemClock.now_micros());
    let rules = settings::decode(&config)?;
    let configured = rules.context(&gateway, SourceKind::Live, now);
    let context = Context { clock_zone: clock_zone.or(configured.clock_zone), ..configured };
    let decoded = decode(format, &payload, &context);
    output::line(&format!("gateway   {gateway}\ndecoder   {format}\npayload   {} bytes\n", payload.len()))?;

    if !decoded.readings.is_empty() {
        let rows = decoded
            .readings
            .iter()
            .map(|reading| {
                vec![
                    reading.well.to_string(),
                    reading.parameter.name().to_owned(),
                    reading.time.to_rfc3339(BANGKOK_OFFSET_SECONDS),
                    reading.value.map_or_else(|| "missing".to_owned(), |value| value.to_string()),
                    reading.parameter.canonical_unit().to_owned(),
                    reading.site_status.map(|status| status.name().to_owned()).unwrap_or_default(),
                    reading.time_source.name().to_owned(),
                    reading.revision.to_string(),
                ]
            })
            .collect();
        let headers = ["well", "parameter", "time", "value", "unit", "status", "time_source", "revision"];
        output::table(&headers, rows)?;
    }
    output::line(&format!("{} readings", decoded.readings.len()))?;
    if decoded.ignored > 0 {
        output::line(&format!("{} fields ignored by a device profile", decoded.ignored))?;
    }
    for correction in &decoded.corrections {
        output::line(&format!(
            "corrected {} ({} readings, first {}): {}",
            correction.kind,
            correction.readings,
            one_line(&correction.place),
            one_line(&correction.detail)
        ))?;
    }
    for fault in &decoded.faults {
        let place = if fault.place.is_empty() { "message" } else { &fault.place };
        output::line(&format!(
            "fault     {} at {} ({} readings): {}",
            fault.reason,
            one_line(place),
            fault.readings,
            one_line(&fault.detail)
        ))?;
    }
    output::line("          (whether the wells are registered is known to the server only)")?;
    if decoded.readings.is_empty() { Err(Failure::failed("nothing would be stored")) } else { Ok(()) }
}
