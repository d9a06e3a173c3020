//! The second look at a simulated country: how much it flags where nothing is wrong, and what it finds of what is.

use std::collections::BTreeMap;

use gwbank_model::{Day, Month, Parameter, QcTest, Timestamp, WellId};
use gwbank_registry::{BankType, Sampling, Well};
use gwbank_sim::{Level, SimConfig};
use gwbank_store::{Metadata, QualityFinding};

use crate::support::{OFFSET, World, at};

const NOW: &str = "2026-11-06T00:00:00+07:00";
const FIRST: Month = Month::new(2024, 11);
const LAST: Month = Month::new(2026, 10);
const DEPTH: Parameter = Parameter::DepthToWater;
/// Of the 77.
const PROVINCES_SEEN: usize = 6;

/// Loggers of some provinces, every six hours, and the daily rain of each province at its first well.
struct Country {
    wells: Vec<Well>,
    levels: BTreeMap<WellId, Vec<(Timestamp, f64)>>,
    rain: BTreeMap<WellId, Vec<(Timestamp, f64)>>,
}

impl Country {
    /// Without the defects of sensors.
    fn simulated() -> Self {
        let end = at("2026-11-01T00:00:00+07:00");
        let start = FIRST.start(OFFSET);
        let world = gwbank_sim::World::new(SimConfig { start, ..SimConfig::demo(end) }).unwrap();
        let seen = |well: &Well| {
            gwbank_registry::places::provinces().iter().position(|province| province.code == well.province_code)
        };
        let mut country = Self { wells: Vec::new(), levels: BTreeMap::new(), rain: BTreeMap::new() };
        for (number, well) in world.wells().iter().enumerate() {
            let Some(province) = seen(well).filter(|province| province % 13 == 0) else { continue };
            if well.bank_type != BankType::Observation || well.sampling != Sampling::Logger {
                continue;
            }
            let times = (start.as_secs()..end.as_secs()).step_by(6 * 3600).map(Timestamp::from_secs);
            let sound = times.filter(|time| world.truth().defects(number, *time).is_none());
            let levels = sound.filter_map(|time| match world.truth().sensed(number, time) {
                Level::Depth(depth) => Some((time, depth)),
                _ => None,
            });
            if !country.wells.iter().any(|known| known.province_code == well.province_code) {
                let days = FIRST.first_day().0..LAST.plus(1).first_day().0;
                let rain = days.map(Day).map(|day| (day.start(OFFSET), world.climate().rain_mm(province, day)));
                country.rain.insert(well.well_id.clone(), rain.collect());
            }
            country.levels.insert(well.well_id.clone(), levels.collect());
            country.wells.push(well.clone());
        }
        country
    }

    async fn looked_at(&self) -> Vec<QualityFinding> {
        let world = World::new(self.wells.clone(), NOW);
        for (parameter, series) in [(DEPTH, &self.levels), (Parameter::Rainfall, &self.rain)] {
            for (well, readings) in series {
                world.set_readings(well.as_str(), parameter, readings.iter().copied()).await;
            }
        }
        let watch = world.open().await;
        watch.run_monthly_once().await.unwrap();
        while watch.run_second_look_once().await.unwrap().left > 0 {}
        world.metadata.quality_findings().await.unwrap()
    }

    /// Readings in findings of a test.
    fn flagged(&self, findings: &[QualityFinding], test: QcTest) -> usize {
        let of_well = |(well, readings): (&WellId, &Vec<(Timestamp, f64)>)| {
            let of: Vec<&QualityFinding> =
                findings.iter().filter(|found| found.well_id == *well && found.test == test).collect();
            readings.iter().filter(|(time, _)| of.iter().any(|found| found.from <= *time && *time <= found.to)).count()
        };
        self.levels.iter().map(of_well).sum()
    }
}

const TESTS: [QcTest; 5] =
    [QcTest::LevelShift, QcTest::Drift, QcTest::FlatLine, QcTest::Neighbour, QcTest::MultiVariate];

#[tokio::test]
async fn little_is_flagged_where_nothing_is_wrong_and_most_is_found_of_what_is() {
    let mut country = Country::simulated();
    let readings: usize = country.levels.values().map(Vec::len).sum();
    assert!(country.rain.len() >= PROVINCES_SEEN - 1 && country.wells.len() >= 25, "{}", country.wells.len());
    let sound = country.looked_at().await;
    let share = |test: QcTest| country.flagged(&sound, test) as f64 / readings as f64;
    for test in TESTS {
        assert!(share(test) < 0.002, "{test}: {}", share(test));
    }

    // Each well hangs half a metre deeper for two weeks, at a time of its own.
    let mut moved = Vec::new();
    for (number, (well, readings)) in country.levels.iter_mut().enumerate() {
        let from = FIRST.plus(8).first_day().0 + (number as i32 * 17) % 400;
        let (from, to) = (Day(from).start(OFFSET), Day(from + 14).start(OFFSET));
        readings.iter_mut().filter(|(time, _)| from <= *time && *time < to).for_each(|(_, depth)| *depth += 0.5);
        moved.push((well.clone(), from, to));
    }
    let found = country.looked_at().await;
    let is_found = |(well, from, to): &&(WellId, Timestamp, Timestamp)| {
        found.iter().any(|f| f.well_id == *well && f.from < *to && *from <= f.to)
    };
    let count = moved.iter().filter(is_found).count();
    assert!(10 * count >= 9 * moved.len(), "{count} of {}", moved.len());
}
