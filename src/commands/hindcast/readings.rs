//! Readings of one well after the other, over SQL, for the replay of floods and of salt.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use gwbank_hindcast::{
    FloodInput, FloodReplay, HindcastConfig, ReadingFlags, ReceivedValue, SalinityInput, SalinityReplay, WellRecord,
};
use gwbank_indicator::flood::{FloodReading, counts};
use gwbank_indicator::salinity::SalinityRules;
use gwbank_indicator::{Sense, may_have_level, salinity};
use gwbank_model::{Day, Month, Parameter, QcTests, QualityFlag, Timestamp, WellId};
use gwbank_registry::Well;
use gwbank_watch::WatchConfig;
use serde_json::json;

use super::days::zone;
use super::{UNDISTURBED, progress};
use crate::arguments::{HindcastArguments, Known};
use crate::client::{Client, Reply};
use crate::commands::output;
use crate::failure::Outcome;

/// Wells in one question of which parameters they have.
const WELLS_AT_ONCE: usize = 100;

const ANY_STATUS: &str = "true";

/// Asks the server for readings.
pub(super) struct Reader<'a> {
    client: &'a Client,
    watch: &'a WatchConfig,
    span: (Month, Month),
    known: Known,
}

/// A reading with a value, of quality 1 to 3.
#[derive(Debug, Clone, Copy)]
struct Reading {
    time: Timestamp,
    value: f64,
    received_at: Timestamp,
    quality: QualityFlag,
    tests: QcTests,
}

/// On how many days who measures what.
#[derive(Debug, Default)]
struct Measured(BTreeMap<(String, Parameter), u64>);

/// What says how salt water is, the best first.
const SALINITY_SOURCES: [Parameter; 3] =
    [Parameter::SpecificConductance, Parameter::ElectricalConductivity, Parameter::TotalDissolvedSolids];

impl<'a> Reader<'a> {
    pub fn new(client: &'a Client, watch: &'a WatchConfig, asked: &HindcastArguments) -> Self {
        Self { client, watch, span: (asked.from, asked.to), known: asked.known }
    }

    /// Those of the wells that have a level to give, or were never heard.
    pub fn that_may_have_level(&self, wells: &[Arc<Well>]) -> Outcome<Vec<Arc<Well>>> {
        let mut sent: BTreeMap<String, Vec<Parameter>> = BTreeMap::new();
        for batch in wells.chunks(WELLS_AT_ONCE) {
            let reply = self.ask(&format!(
                "SELECT well_id, parameter, max(time) AS last FROM readings WHERE well_id IN ({}) GROUP BY 1, 2",
                ids(batch)
            ))?;
            for record in csv::Reader::from_reader(reply.into_body().into_reader()).records() {
                let record = record.context("the answer cannot be read")?;
                let parameter = Parameter::from_name(&record[1]).context("the answer has a strange parameter")?;
                sent.entry(record[0].to_owned()).or_default().push(parameter);
            }
        }
        let may =
            |well: &&Arc<Well>| sent.get(well.well_id.as_str()).is_none_or(|sent| may_have_level(sent.iter().copied()));
        Ok(wells.iter().filter(may).cloned().collect())
    }

    /// The floods of the wells that `records` are of; the others may have rain.
    pub fn floods(
        &self,
        wells: &[Arc<Well>],
        records: &[WellRecord],
        config: &HindcastConfig,
    ) -> Outcome<ReadingFlags> {
        let measured = self.measured(wells, &[Parameter::Rainfall, Parameter::RechargeFlow])?;
        let bar = progress(records.len(), "followed for floods")?;
        let mut replay = FloodReplay::new(self.span, config);
        let mut skipped = BTreeMap::from([("that measure no level", wells.len() - records.len())]);
        for record in records {
            let well = record.well();
            bar.inc(1);
            if !FloodReplay::speaks_of(well) {
                skip(&mut skipped, "that cannot speak of floods");
                continue;
            }
            let readings = self.depths(record)?;
            if readings.is_empty() {
                skip(&mut skipped, "without a depth below ground");
            }
            // Without a reading there is nothing for rain to support.
            let of_gauge = measured.gauge(well, wells).filter(|_| !readings.is_empty());
            let rain = of_gauge.map(|gauge| self.amounts(gauge, Parameter::Rainfall)).transpose()?;
            let flows = measured.has(well, Parameter::RechargeFlow) && !readings.is_empty();
            let inflow = flows.then(|| self.amounts(&well.well_id, Parameter::RechargeFlow)).transpose()?;
            replay.add(&FloodInput { record, readings: &readings, rain: rain.as_deref(), inflow: inflow.as_deref() });
        }
        bar.finish_and_clear();
        tell("floods", wells.len(), &skipped)?;
        Ok(replay.finish())
    }

    pub fn salinity(&self, wells: &[Arc<Well>], config: &HindcastConfig) -> Outcome<ReadingFlags> {
        let wanted = [&SALINITY_SOURCES[..], &[Parameter::RechargeFlow]].concat();
        let measured = self.measured(wells, &wanted)?;
        let bar = progress(wells.len(), "followed for salt")?;
        let mut replay = SalinityReplay::new(self.span, config);
        let mut skipped = BTreeMap::new();
        for well in wells {
            bar.inc(1);
            if !SalinityReplay::speaks_of(well) {
                skip(&mut skipped, "that cannot speak of salt");
                continue;
            }
            let readings = self.ec_25(well, &measured, &config.salinity)?;
            if readings.is_empty() {
                skip(&mut skipped, "without conductivity at 25 °C");
                continue;
            }
            let recharges = self.recharges(well, &measured)?;
            replay.add(&SalinityInput { well, readings: &readings, recharges: &recharges });
        }
        bar.finish_and_clear();
        tell("salinity", wells.len(), &skipped)?;
        Ok(replay.finish())
    }

    /// Depths below ground by the parameter that the record follows, as the live watch reads them.
    fn depths(&self, record: &WellRecord) -> Outcome<Vec<FloodReading>> {
        let well = record.well();
        let (parameter, ground) = match (record.sense(), well.ground_elevation) {
            (Sense::Depth, _) => (Parameter::DepthToWater, None),
            (Sense::Elevation, Some(ground)) => (Parameter::GroundwaterElevation, Some(ground)),
            // An elevation says nothing about depth where the ground is not surveyed.
            (Sense::Elevation, None) => return Ok(Vec::new()),
        };
        let readings = self.readings(&well.well_id, parameter, UNDISTURBED)?;
        let counting = readings.into_iter().filter(|reading| counts(reading.quality, reading.tests));
        Ok(counting
            .map(|Reading { time, value, received_at, .. }| {
                let depth_m = ground.map_or(value, |ground| ground - value);
                FloodReading { time, depth_m, received_at }
            })
            .collect())
    }

    fn amounts(&self, well: &WellId, parameter: Parameter) -> Outcome<Vec<(Timestamp, f64)>> {
        let readings = self.readings(well, parameter, ANY_STATUS)?;
        let counting = readings.into_iter().filter(|reading| counts(reading.quality, reading.tests));
        Ok(counting.map(|reading| (reading.time, reading.value)).collect())
    }

    /// By the parameter with most days, as the live watch follows a well; conductivity at the water's own temperature by
    /// the day's mean of that.
    fn ec_25(&self, well: &Well, measured: &Measured, rules: &SalinityRules) -> Outcome<Vec<ReceivedValue>> {
        let Some(source) = measured.salinity_source(well) else { return Ok(Vec::new()) };
        let by_temperature = source == Parameter::ElectricalConductivity;
        let temperatures = if by_temperature { self.daily_temperatures(&well.well_id)? } else { BTreeMap::new() };
        let at_25 = |reading: &Reading| match source {
            Parameter::ElectricalConductivity => salinity::ec_25(reading.value, *temperatures.get(&self.day(reading))?),
            Parameter::TotalDissolvedSolids => Some(rules.factor.ec_25_of(reading.value)),
            _ => Some(reading.value),
        };
        let of = |reading: Reading| {
            let Reading { time, received_at, .. } = reading;
            Some(ReceivedValue { time, value: at_25(&reading)?, received_at })
        };
        Ok(self.good(&well.well_id, source)?.into_iter().filter_map(of).collect())
    }

    fn daily_temperatures(&self, well: &WellId) -> Outcome<BTreeMap<Day, f64>> {
        let readings = self.good(well, Parameter::WaterTemperature)?;
        let days = readings.chunk_by(|a, b| self.day(a) == self.day(b));
        let mean = |day: &[Reading]| day.iter().map(|reading| reading.value).sum::<f64>() / day.len() as f64;
        Ok(days.filter_map(|day| Some((self.day(day.first()?), mean(day)))).collect())
    }

    fn day(&self, reading: &Reading) -> Day {
        reading.time.day(self.watch.closing.offset_seconds)
    }

    /// When water was put in.
    fn recharges(&self, well: &Well, measured: &Measured) -> Outcome<Vec<Timestamp>> {
        if !measured.has(well, Parameter::RechargeFlow) {
            return Ok(Vec::new());
        }
        let inflow = self.amounts(&well.well_id, Parameter::RechargeFlow)?;
        Ok(inflow.into_iter().filter(|&(_, flow)| flow > 0.0).map(|(time, _)| time).collect())
    }

    /// Of the qualities that count in statistics.
    fn good(&self, well: &WellId, parameter: Parameter) -> Outcome<Vec<Reading>> {
        let mut readings = self.readings(well, parameter, ANY_STATUS)?;
        readings.retain(|reading| self.watch.qualities.contains(&reading.quality.code()));
        Ok(readings)
    }

    /// In order of time, until the end of the replay.
    fn readings(&self, well: &WellId, parameter: Parameter, condition: &str) -> Outcome<Vec<Reading>> {
        let end = self.span.1.plus(1).start(self.watch.closing.offset_seconds).to_rfc3339(0);
        let name = parameter.name();
        let reply = self.ask(&format!(
            "SELECT CAST(time AS BIGINT) AS micros, value, CAST(received_at AS BIGINT) AS received, quality, qc_tests \
             FROM readings WHERE well_id = '{well}' AND parameter = '{name}' AND value IS NOT NULL \
             AND quality IN (1, 2, 3) AND {condition} AND time < '{end}'"
        ))?;
        let mut readings = Vec::new();
        for record in csv::Reader::from_reader(reply.into_body().into_reader()).records() {
            let record = record.context("the answer cannot be read")?;
            let reading = Reading::of(&record, self.known);
            readings.push(reading.ok_or_else(|| anyhow!("the answer has a strange row: {record:?}"))?);
        }
        readings.sort_by_key(|reading| reading.time);
        Ok(readings)
    }

    fn measured(&self, wells: &[Arc<Well>], parameters: &[Parameter]) -> Outcome<Measured> {
        let names: Vec<String> = parameters.iter().map(|parameter| format!("'{}'", parameter.name())).collect();
        let zone = zone(self.watch.closing.offset_seconds);
        let mut measured = Measured::default();
        for batch in wells.chunks(WELLS_AT_ONCE) {
            let reply = self.ask(&format!(
                "SELECT well_id, parameter, count(DISTINCT time_bucket('1 day', time, '{zone}')) AS days FROM readings \
                 WHERE parameter IN ({}) AND well_id IN ({}) AND value IS NOT NULL GROUP BY 1, 2",
                names.join(", "),
                ids(batch)
            ))?;
            for record in csv::Reader::from_reader(reply.into_body().into_reader()).records() {
                let record = record.context("the answer cannot be read")?;
                let parameter = Parameter::from_name(&record[1]).context("the answer has a strange parameter")?;
                let days = record[2].parse().context("the answer has a strange number")?;
                measured.0.insert((record[0].to_owned(), parameter), days);
            }
        }
        Ok(measured)
    }

    fn ask(&self, statement: &str) -> Outcome<Reply> {
        let headers = [("content-type", "application/json"), ("accept", "text/csv")];
        let body = json!({ "sql": statement }).to_string();
        self.client.send("POST", "/api/v1/sql", &headers, body.as_bytes())
    }
}

impl Reading {
    fn of(record: &csv::StringRecord, known: Known) -> Option<Self> {
        let micros = |place: usize| record.get(place)?.parse().ok().map(Timestamp::from_micros);
        let time = micros(0)?;
        Some(Self {
            time,
            value: record.get(1)?.parse().ok()?,
            received_at: match known {
                Known::Measured => time,
                Known::Received => micros(2)?,
            },
            quality: QualityFlag::from_code(record.get(3)?.parse().ok()?)?,
            tests: QcTests::from_bits(record.get(4)?.parse().ok()?),
        })
    }
}

impl Measured {
    fn days(&self, well: &Well, parameter: Parameter) -> u64 {
        self.0.get(&(well.well_id.as_str().to_owned(), parameter)).copied().unwrap_or(0)
    }

    fn has(&self, well: &Well, parameter: Parameter) -> bool {
        self.days(well, parameter) > 0
    }

    /// Of equals the better: `max_by_key` takes the last.
    fn salinity_source(&self, well: &Well) -> Option<Parameter> {
        let best = SALINITY_SOURCES.into_iter().rev().max_by_key(|source| self.days(well, *source))?;
        self.has(well, best).then_some(best)
    }

    /// The well itself, else the first well of its district that measures rain.
    fn gauge<'w>(&self, well: &'w Well, wells: &'w [Arc<Well>]) -> Option<&'w WellId> {
        let near = wells
            .iter()
            .map(Arc::as_ref)
            .filter(|other| well.district_code.is_some() && other.district_code == well.district_code);
        std::iter::once(well).chain(near).find(|other| self.has(other, Parameter::Rainfall)).map(|gauge| &gauge.well_id)
    }
}

/// As a list in SQL.
fn ids(wells: &[Arc<Well>]) -> String {
    let ids: Vec<String> = wells.iter().map(|well| format!("'{}'", well.well_id)).collect();
    ids.join(", ")
}

fn skip(skipped: &mut BTreeMap<&'static str, usize>, why: &'static str) {
    *skipped.entry(why).or_default() += 1;
}

/// How many wells were followed, and what became of the others.
fn tell(hazard: &str, wells: usize, skipped: &BTreeMap<&'static str, usize>) -> Outcome {
    let followed = wells - skipped.values().sum::<usize>();
    let left_out: String =
        skipped.iter().filter(|(_, count)| **count > 0).map(|(why, count)| format!(", {count} {why}")).collect();
    output::line(&format!("{hazard}: {followed} of {wells} wells followed{left_out}"))
}
