//! Every change of a flag as a CSV.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::anyhow;
use gwbank_hindcast::{Episode, FlagChange, Subject};
use gwbank_model::BANGKOK_OFFSET_SECONDS;
use gwbank_model::condition::Scope;
use gwbank_registry::places;

pub(super) fn write(path: &Path, changes: &[FlagChange], episodes: &[Episode]) -> anyhow::Result<()> {
    let subjects: BTreeMap<&str, &Subject> =
        episodes.iter().map(|episode| (episode.id.as_str(), &episode.subject)).collect();
    let mut writer = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
    writer.write_record([
        "flag_id",
        "at",
        "month",
        "transition",
        "severity",
        "hazard",
        "scope",
        "place",
        "name",
        "province_code",
        "rule",
        "limit_value",
        "observed",
        "n",
        "wells_in",
        "wells_out",
        "coverage",
        "reason",
    ])?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for FlagChange { flag_id, at, month, transition, severity, evidence } in changes {
        let Some(subject) = subjects.get(flag_id.as_str()) else { continue };
        let name = match subject.scope {
            Scope::Province => places::province(&subject.place).map(|province| province.name_en),
            _ => None,
        };
        writer.write_record([
            flag_id,
            &at.to_rfc3339(BANGKOK_OFFSET_SECONDS),
            &month.to_string(),
            transition.name(),
            severity.name(),
            subject.hazard.name(),
            subject.scope.name(),
            &subject.place,
            name.unwrap_or_default(),
            &subject.province_code,
            evidence.rule.unwrap_or_default(),
            &number(evidence.limit),
            &number(evidence.observed),
            &evidence.n.map_or_else(String::new, |n| n.to_string()),
            &evidence.wells_in.to_string(),
            &evidence.wells_out.to_string(),
            &evidence.coverage.to_string(),
            evidence.reason.unwrap_or_default(),
        ])?;
    }
    writer.into_inner().map_err(|error| anyhow!("{}", error.error()))?.flush()?;
    Ok(())
}
