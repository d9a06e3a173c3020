//! Daily levels of wells, over SQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use gwbank_hindcast::{HindcastConfig, KnownDay, WellRecord};
use gwbank_indicator::{DayLevel, Sense};
use gwbank_model::{Day, Parameter, Timestamp};
use gwbank_registry::Well;
use gwbank_watch::WatchConfig;
use serde_json::json;

use super::{UNDISTURBED, progress};
use crate::arguments::{HindcastArguments, Known};
use crate::client::{Client, read_all};
use crate::failure::Outcome;

/// Wells in one question: thirty years of days of so many are some 20 MB.
const WELLS_AT_ONCE: usize = 25;

pub(super) fn records(
    client: &Client,
    wells: &[Arc<Well>],
    asked: &HindcastArguments,
    watch: &WatchConfig,
    config: &HindcastConfig,
) -> Outcome<Vec<WellRecord>> {
    let bar = progress(wells.len(), "read")?;
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
    let counts = format!("value IS NOT NULL AND quality IN ({}) AND {UNDISTURBED}", qualities.join(", "));
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

pub(super) fn zone(offset_seconds: i32) -> String {
    let minutes = offset_seconds.abs() / 60;
    format!("{}{:02}:{:02}", if offset_seconds < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
}
