//! `gwbank hindcast`: what would have been flagged over past years, with only what was known then.
//!
//! Wells and daily levels come from the running server, well by well, so that the days of a few wells alone are in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use gwbank_hindcast::{
    FlagChange, Hindcast, HindcastConfig, JudgedMonths, KnownDay, KnownEvent, NormalClimateRules, Replayed, SkillRules,
    Subject, Summary, WellRecord, normal_climate, parse_events, skill,
};
use gwbank_indicator::{DayLevel, Sense};
use gwbank_model::condition::Scope;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Parameter, Timestamp};
use gwbank_registry::import::{self, FileKind};
use gwbank_registry::{Well, places};
use gwbank_watch::WatchConfig;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::arguments::{General, HindcastArguments, Known};
use crate::client::{Client, read_all};
use crate::commands::output;
use crate::failure::{Failure, Outcome};
use crate::node::settings;

/// Wells in one question: thirty years of days of so many are some 20 MB.
const WELLS_AT_ONCE: usize = 25;

pub fn run(general: &General, asked: &HindcastArguments) -> Outcome {
    if asked.to < asked.from {
        return Err(Failure::usage(anyhow!("--to {} lies before --from {}", asked.to, asked.from)));
    }
    let events = asked.against.as_deref().map(events).transpose()?;
    let watch = settings::watch(&general.load()?.config);
    let config = rules(&watch);
    let client = Client::needed(general, &asked.server)?;
    let wells = wells(&client, asked.province.as_deref())?;
    if wells.is_empty() {
        return Err(Failure::failed("no well is registered there; see `gwbank wells list`"));
    }
    let records = records(&client, wells, asked, &watch, &config)?;

    let span = (asked.from, asked.to);
    let mut hindcast = Hindcast::new(&records, asked.from, asked.to, &config);
    let (mut summary, mut judged) = (Summary::default(), JudgedMonths::default());
    let mut changes: Vec<FlagChange> = Vec::new();
    while let Some(mut report) = hindcast.next() {
        summary.add_month(&report, hindcast.places());
        judged.add_month(&report, hindcast.places());
        changes.append(&mut report.changes);
    }
    summary.add_flags(hindcast.episodes(), asked.to);
    if let Some(out) = &asked.out {
        write_changes(out, &changes, &hindcast).with_context(|| format!("{} cannot be written", out.display()))?;
        output::line(&format!("{} changes of flags are in {}\n", changes.len(), out.display()))?;
    }
    output::print(&summary.to_string())?;
    if let Some(events) = &events {
        let replayed = Replayed { episodes: hindcast.episodes(), judged: &judged, span };
        let wells = records.iter().map(|record| record.well().as_ref());
        output::print(&format!("\n{}", skill(replayed, events, wells, &SkillRules::default())))?;
    }
    if asked.climates > 0 {
        let rules = NormalClimateRules { climates: asked.climates, ..NormalClimateRules::default() };
        output::print(&format!("\n{}", normal_climate(&records, span, &config, &rules)))?;
    }
    Ok(())
}

/// Those of the live watch, as this configuration has them.
fn rules(watch: &WatchConfig) -> HindcastConfig {
    HindcastConfig {
        closing: watch.closing,
        days_min_logger: watch.days_min_logger,
        days_min_manual: watch.days_min_manual,
        standing: watch.standing,
        drought: watch.drought,
        places: watch.places,
        flood: watch.flood,
        flood_places: watch.flood_places,
        ..HindcastConfig::default()
    }
}

fn events(file: &Path) -> Outcome<Vec<KnownEvent>> {
    let bytes =
        std::fs::read(file).with_context(|| format!("{} cannot be read", file.display())).map_err(Failure::usage)?;
    parse_events(&bytes).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(|fault| format!("{}: {fault}", file.display())).collect();
        Failure::usage(anyhow!("{}", faults.join("\n")))
    })
}

fn wells(client: &Client, province: Option<&str>) -> Outcome<Vec<Arc<Well>>> {
    let csv = read_all(&mut client.send("GET", "/api/v1/wells", &[("accept", "text/csv")], &[])?)?;
    let wells = import::parse_wells(&csv, FileKind::Csv);
    let wells = wells.map_err(|_| Failure::failed("the server's list of wells cannot be read"))?;
    let wanted = wells.into_iter().filter(|well| province.is_none_or(|code| well.province_code == code));
    Ok(wanted.map(Arc::new).collect())
}

fn records(
    client: &Client,
    wells: Vec<Arc<Well>>,
    asked: &HindcastArguments,
    watch: &WatchConfig,
    config: &HindcastConfig,
) -> Outcome<Vec<WellRecord>> {
    let bar = ProgressBar::new(wells.len() as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} wells read, {eta} to go");
    bar.set_style(style.context("the bar's template is wrong")?);
    let mut records = Vec::with_capacity(wells.len());
    for batch in wells.chunks(WELLS_AT_ONCE) {
        let mut days = days(client, batch, asked, watch)?;
        for well in batch {
            let of_well = days.remove(well.well_id.as_str()).unwrap_or_default();
            // The level parameter with more days, of equals the depth: as the live watch chooses.
            let [depth, elevation] = [Parameter::DepthToWater, Parameter::GroundwaterElevation]
                .map(|parameter| of_well.get(&parameter).map(Vec::as_slice).unwrap_or_default());
            let (sense, days) =
                if elevation.len() > depth.len() { (Sense::Elevation, elevation) } else { (Sense::Depth, depth) };
            records.push(WellRecord::of_days(well.clone(), sense, days, config));
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    Ok(records)
}

type DaysOfWell = BTreeMap<Parameter, Vec<KnownDay>>;

/// Days of the readings that count in level statistics, by well.
fn days(
    client: &Client,
    wells: &[Arc<Well>],
    asked: &HindcastArguments,
    watch: &WatchConfig,
) -> Outcome<BTreeMap<String, DaysOfWell>> {
    let ids: Vec<String> = wells.iter().map(|well| format!("'{}'", well.well_id)).collect();
    let qualities: Vec<String> = watch.qualities.iter().map(u8::to_string).collect();
    let undisturbed = "(site_status IS NULL OR site_status IN ('ok', 'flowing'))";
    let counts = format!("value IS NOT NULL AND quality IN ({}) AND {undisturbed}", qualities.join(", "));
    let zone = zone(watch.closing.offset_seconds);
    let statement = format!(
        "SELECT well_id, parameter, CAST(time_bucket('1 day', time, '{zone}') AS BIGINT) AS micros, \
         avg(CASE WHEN {counts} THEN value END) AS mean, count(CASE WHEN {counts} THEN value END) AS n, \
         count(CASE WHEN site_status = 'dry' THEN 1 END) AS dry, CAST(max(received_at) AS BIGINT) AS received \
         FROM readings WHERE parameter IN ('depth_to_water', 'groundwater_elevation') AND well_id IN ({}) \
         GROUP BY 1, 2, 3",
        ids.join(", ")
    );
    let headers = [("content-type", "application/json"), ("accept", "text/csv")];
    let body = json!({ "sql": statement }).to_string();
    let bytes = read_all(&mut client.send("POST", "/api/v1/sql", &headers, body.as_bytes())?)?;
    let mut all: BTreeMap<String, DaysOfWell> = BTreeMap::new();
    for record in csv::Reader::from_reader(bytes.as_slice()).records() {
        let record = record.context("the answer cannot be read")?;
        let strange = || anyhow!("the answer has a strange row: {record:?}");
        let micros = |place: usize| record[place].parse().ok().map(Timestamp::from_micros);
        let parameter = Parameter::from_name(&record[1]).ok_or_else(strange)?;
        let day: Day = micros(2).ok_or_else(strange)?.day(watch.closing.offset_seconds);
        let level = DayLevel {
            day,
            mean: record[3].parse().ok(),
            count: record[4].parse().map_err(|_| strange())?,
            dry_count: record[5].parse().map_err(|_| strange())?,
        };
        if level.count + level.dry_count == 0 {
            continue;
        }
        let received_at = match asked.known {
            Known::Measured => None,
            Known::Received => Some(micros(6).ok_or_else(strange)?),
        };
        all.entry(record[0].to_owned())
            .or_default()
            .entry(parameter)
            .or_default()
            .push(KnownDay { level, received_at });
    }
    Ok(all)
}

fn zone(offset_seconds: i32) -> String {
    let minutes = offset_seconds.abs() / 60;
    format!("{}{:02}:{:02}", if offset_seconds < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
}

fn write_changes(path: &Path, changes: &[FlagChange], hindcast: &Hindcast<'_>) -> anyhow::Result<()> {
    let subjects: BTreeMap<&str, &Subject> =
        hindcast.episodes().iter().map(|episode| (episode.id.as_str(), &episode.subject)).collect();
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
