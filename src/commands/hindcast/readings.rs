//! Readings of one well after the other, over SQL, for the replay of floods and of salt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use gwbank_hindcast::{
    FloodInput, FloodReplay, HindcastConfig, ReadingFlags, ReceivedValue, SalinityInput, SalinityReplay, WellRecord,
};
use gwbank_indicator::flood::{FloodReading, counts};
use gwbank_indicator::{Sense, salinity};
use gwbank_model::{Month, Parameter, QcTests, QualityFlag, Timestamp, WellId};
use gwbank_registry::Well;
use gwbank_watch::WatchConfig;
use serde_json::json;

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

/// Who measures what.
#[derive(Debug, Default)]
struct Measured(BTreeSet<(String, Parameter)>);

impl<'a> Reader<'a> {
    pub fn new(client: &'a Client, watch: &'a WatchConfig, asked: &HindcastArguments) -> Self {
        Self { client, watch, span: (asked.from, asked.to), known: asked.known }
    }

    /// The floods of all wells; `records` are theirs, in the same order.
    pub fn floods(
        &self,
        wells: &[Arc<Well>],
        records: &[WellRecord],
        config: &HindcastConfig,
    ) -> Outcome<ReadingFlags> {
        let measured = self.measured(wells, &[Parameter::Rainfall, Parameter::RechargeFlow])?;
        let bar = progress(wells.len(), "followed for floods")?;
        let mut replay = FloodReplay::new(self.span, config);
        let mut skipped = BTreeMap::new();
        for (well, record) in wells.iter().zip(records) {
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
        let wanted = [
            Parameter::SpecificConductance,
            Parameter::ElectricalConductivity,
            Parameter::WaterTemperature,
            Parameter::RechargeFlow,
        ];
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
            let readings = self.ec_25(well, &measured)?;
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

    /// Specific conductance; where a well has none, its conductivity with the temperature of the same instant.
    fn ec_25(&self, well: &Well, measured: &Measured) -> Outcome<Vec<ReceivedValue>> {
        if measured.has(well, Parameter::SpecificConductance) {
            let readings = self.good(&well.well_id, Parameter::SpecificConductance)?;
            let of = |Reading { time, value, received_at, .. }| ReceivedValue { time, value, received_at };
            return Ok(readings.into_iter().map(of).collect());
        }
        if !measured.has(well, Parameter::ElectricalConductivity) || !measured.has(well, Parameter::WaterTemperature) {
            return Ok(Vec::new());
        }
        let temperatures = self.good(&well.well_id, Parameter::WaterTemperature)?;
        let conductivities = self.good(&well.well_id, Parameter::ElectricalConductivity)?;
        let at_25 = |reading: Reading| {
            let at = temperatures.binary_search_by_key(&reading.time, |temperature| temperature.time).ok()?;
            let temperature = temperatures[at];
            let value = salinity::ec_25(reading.value, temperature.value)?;
            let received_at = reading.received_at.max(temperature.received_at);
            Some(ReceivedValue { time: reading.time, value, received_at })
        };
        Ok(conductivities.into_iter().filter_map(at_25).collect())
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
        let mut measured = Measured::default();
        for batch in wells.chunks(WELLS_AT_ONCE) {
            let ids: Vec<String> = batch.iter().map(|well| format!("'{}'", well.well_id)).collect();
            let reply = self.ask(&format!(
                "SELECT well_id, parameter, count(value) AS n FROM readings WHERE parameter IN ({}) AND well_id IN ({}) \
                 GROUP BY 1, 2 HAVING count(value) > 0",
                names.join(", "),
                ids.join(", ")
            ))?;
            for record in csv::Reader::from_reader(reply.into_body().into_reader()).records() {
                let record = record.context("the answer cannot be read")?;
                let parameter = Parameter::from_name(&record[1]).context("the answer has a strange parameter")?;
                measured.0.insert((record[0].to_owned(), parameter));
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
    fn has(&self, well: &Well, parameter: Parameter) -> bool {
        self.0.contains(&(well.well_id.as_str().to_owned(), parameter))
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

fn skip(skipped: &mut BTreeMap<&'static str, usize>, why: &'static str) {
    *skipped.entry(why).or_default() += 1;
}

/// How many wells were followed, and what became of the others.
fn tell(hazard: &str, wells: usize, skipped: &BTreeMap<&'static str, usize>) -> Outcome {
    let followed = wells - skipped.values().sum::<usize>();
    let left_out: String = skipped.iter().map(|(why, count)| format!(", {count} {why}")).collect();
    output::line(&format!("{hazard}: {followed} of {wells} wells followed{left_out}"))
}
