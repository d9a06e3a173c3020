//! What closed months are found to be, looked at a second time.

use std::sync::Arc;

use gwbank_model::{Day, Month, Parameter, QcTest, Timestamp};
use gwbank_registry::{Registry, Sampling, Well};
use gwbank_store::{Metadata, QualityFinding};
use gwbank_watch::Watch;
use proptest::prelude::*;

use crate::support::{OFFSET, World, at, id, well};

const NOW: &str = "2026-11-06T00:00:00+07:00";
const WELLS: [&str; 4] = ["A", "B", "C", "D"];
const FIRST: Month = Month::new(2025, 9);
const LAST: Month = Month::new(2026, 10);
const DEPTH: Parameter = Parameter::DepthToWater;

fn aquifer_well(name: &str) -> Well {
    let aquifer = Some("Korat".to_owned());
    Well { aquifer, sampling: Sampling::Logger, latitude: Some(15.0), longitude: Some(102.0), ..well(name) }
}

fn world() -> World {
    World::new(WELLS.map(aquifer_well).to_vec(), NOW)
}

/// Depth of a well at an hour: the season that all share, and what is the well's own.
fn depth(number: usize, time: Timestamp) -> f64 {
    let days = time.as_secs() as f64 / 86_400.0;
    let own = ((time.as_secs() / 3600 * 7_919 + number as i64 * 104_729).rem_euclid(1009) as f64 / 1009.0 - 0.5) * 0.01;
    10.0 + (0.6 + 0.2 * number as f64) * ((days / 58.0).sin() + 0.2 * (days / 9.0).sin()) + own
}

/// Every six hours of a month.
fn readings(number: usize, month: Month) -> impl Iterator<Item = (Timestamp, f64)> {
    let (from, to) = (month.start(OFFSET).as_secs(), month.plus(1).start(OFFSET).as_secs());
    (from..to).step_by(6 * 3600).map(Timestamp::from_secs).map(move |time| (time, depth(number, time)))
}

fn off(reading: (Timestamp, f64), from: &str, to: &str, by: f64) -> (Timestamp, f64) {
    let is_off = at(from) <= reading.0 && reading.0 < at(to);
    (reading.0, if is_off { reading.1 + by } else { reading.1 })
}

fn months() -> impl Iterator<Item = Month> {
    (FIRST.index()..=LAST.index()).map(Month::from_index)
}

async fn fill(world: &World, change: impl Fn(&str, (Timestamp, f64)) -> (Timestamp, f64)) {
    for (number, name) in WELLS.iter().enumerate() {
        let all = months().flat_map(|month| readings(number, month)).map(|reading| change(name, reading));
        world.set_readings(name, DEPTH, all.collect::<Vec<_>>()).await;
    }
}

async fn look(watch: &Watch) {
    watch.run_monthly_once().await.unwrap();
    while watch.run_second_look_once().await.unwrap().left > 0 {}
}

/// Without their age.
async fn findings(world: &World) -> Vec<QualityFinding> {
    let mut found = world.metadata.quality_findings().await.unwrap();
    found.iter_mut().for_each(|found| found.found_at = Timestamp::from_micros(0));
    found
}

fn told(findings: &[QualityFinding], test: QcTest) -> Vec<(&str, String, String)> {
    let of_test = findings.iter().filter(|found| found.test == test);
    let shown = |time: Timestamp| time.to_rfc3339(OFFSET)[..16].to_owned();
    of_test.map(|found| (found.well_id.as_str(), shown(found.from), shown(found.to))).collect()
}

fn of(well: &'static str, from: &str, to: &str) -> (&'static str, String, String) {
    (well, from.to_owned(), to.to_owned())
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is() {
    let world = world();
    fill(&world, |_, reading| reading).await;
    let watch = world.open().await;
    look(&watch).await;
    assert_eq!(findings(&world).await, []);
    let looks = world.metadata.second_looks().await.unwrap();
    assert!(looks.len() == 4 && looks.iter().all(|look| look.looked_through == LAST), "{looks:?}");
    assert_eq!(watch.run_second_look_once().await.unwrap(), Default::default());
}

#[tokio::test]
async fn the_well_that_departs_is_found_and_those_beside_it_are_not() {
    let world = world();
    let (from, to) = ("2026-09-26T00:00:00+07:00", "2026-10-06T00:00:00+07:00");
    fill(&world, |name, reading| if name == "C" { off(reading, from, to, 0.7) } else { reading }).await;
    let watch = world.open().await;
    look(&watch).await;
    let found = findings(&world).await;
    // Each month tells of its days.
    let days = [of("C", "2026-09-26T00:00", "2026-09-30T23:59"), of("C", "2026-10-01T00:00", "2026-10-05T23:59")];
    assert_eq!(told(&found, QcTest::Neighbour), days);
    assert_eq!(told(&found, QcTest::LevelShift), [of("C", "2026-09-26T00:00", "2026-10-05T18:00")]);
    assert!(found.iter().all(|found| found.well_id == id("C")), "{found:?}");

    // It is taken back: nothing of it stays.
    let mended = [Month::new(2026, 9), LAST].into_iter().flat_map(|month| readings(2, month));
    world.set_readings("C", DEPTH, mended.collect::<Vec<_>>()).await;
    look(&watch).await;
    assert_eq!(findings(&world).await, []);
}

#[tokio::test]
async fn a_step_becomes_an_offset_when_the_sensor_goes_back() {
    let world = world();
    world.set_now("2026-10-06T00:00:00+07:00");
    let (from, to) = ("2026-09-26T00:00:00+07:00", "2026-10-06T00:00:00+07:00");
    fill(&world, |name, reading| if name == "A" { off(reading, from, to, -0.7) } else { reading }).await;
    let watch = world.open().await;
    look(&watch).await;
    let step = [of("A", "2026-09-25T18:00", "2026-09-26T00:00")];
    assert_eq!(told(&findings(&world).await, QcTest::LevelShift), step, "October is open");
    world.set_now(NOW);
    look(&watch).await;
    let offset = [of("A", "2026-09-26T00:00", "2026-10-05T18:00")];
    assert_eq!(told(&findings(&world).await, QcTest::LevelShift), offset);
}

/// Of four months of days the two jumps are the hundredth part that is called usual; of a year they are not.
#[tokio::test]
async fn an_offset_shows_in_daily_readings_too() {
    let world = world();
    let daily = months().flat_map(|month| readings(0, month)).step_by(4);
    let (from, to) = ("2026-09-10T00:00:00+07:00", "2026-09-20T00:00:00+07:00");
    world.set_readings("A", DEPTH, daily.map(|reading| off(reading, from, to, 0.5)).collect::<Vec<_>>()).await;
    look(&world.open().await).await;
    let offset = [of("A", "2026-09-10T00:00", "2026-09-19T00:00")];
    assert_eq!(told(&findings(&world).await, QcTest::LevelShift), offset);
}

#[tokio::test]
async fn a_logger_that_repeats_itself_is_found_with_its_temperature() {
    let world = world();
    let stuck = |time: Timestamp| at("2026-08-03T00:00:00+07:00") <= time && time < at("2026-08-25T00:00:00+07:00");
    let hourly = |parameter: Parameter| {
        let (from, to) = (Month::new(2026, 7).start(OFFSET).as_secs(), Month::new(2026, 10).start(OFFSET).as_secs());
        (from..to).step_by(3600).map(Timestamp::from_secs).map(move |time| match parameter {
            DEPTH if stuck(time) => (time, 10.0),
            DEPTH => (time, depth(0, time)),
            _ => (time, 27.4),
        })
    };
    for parameter in [DEPTH, Parameter::WaterTemperature] {
        world.set_readings("A", parameter, hourly(parameter).collect::<Vec<_>>()).await;
    }
    let watch = world.open().await;
    look(&watch).await;
    let mut found = findings(&world).await;
    found.retain(|found| found.test == QcTest::FlatLine);
    // The stream tells of the level after five days, the temperature it does not judge.
    let still = [
        (DEPTH, "2026-08-03T00:00", "2026-08-07T23:00"),
        (Parameter::WaterTemperature, "2026-08-03T00:00", "2026-08-24T23:00"),
    ];
    let shown: Vec<_> = found.iter().map(|found| found.parameter).zip(told(&found, QcTest::FlatLine)).collect();
    let expected: Vec<_> = still.into_iter().map(|(parameter, from, to)| (parameter, of("A", from, to))).collect();
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_rise_without_rain_is_found() {
    let world = world();
    fill(
        &world,
        |name, reading| if name == "B" { off(reading, "2026-06-10T00:00:00+07:00", NOW, -0.5) } else { reading },
    )
    .await;
    let rain = |wet: Option<Day>| {
        let days = FIRST.first_day().0..LAST.plus(1).first_day().0;
        days.map(Day).map(move |day| (day.start(OFFSET).plus_secs(3600), if Some(day) == wet { 30.0 } else { 0.0 }))
    };
    world.set_readings("B", Parameter::Rainfall, rain(None)).await;
    let watch = world.open().await;
    look(&watch).await;
    let found = findings(&world).await;
    assert_eq!(told(&found, QcTest::MultiVariate), [of("B", "2026-06-10T00:00", "2026-06-10T23:59")]);
    let rained = at("2026-06-09T12:00:00+07:00").day(OFFSET);
    world.set_readings("B", Parameter::Rainfall, rain(Some(rained))).await;
    look(&watch).await;
    assert_eq!(told(&findings(&world).await, QcTest::MultiVariate), []);
}

#[tokio::test]
async fn the_way_back_from_a_spike_is_no_rise() {
    let world = world();
    let spike = |reading| off(reading, "2026-06-10T00:00:00+07:00", "2026-06-11T00:00:00+07:00", 1.5);
    let daily = months().flat_map(|month| readings(0, month)).step_by(4);
    world.set_readings("A", DEPTH, daily.map(spike).collect::<Vec<_>>()).await;
    let days = FIRST.first_day().0..LAST.plus(1).first_day().0;
    let dry = days.map(|day| (Day(day).start(OFFSET).plus_secs(3600), 0.0));
    world.set_readings("A", Parameter::Rainfall, dry.collect::<Vec<_>>()).await;
    look(&world.open().await).await;
    assert_eq!(told(&findings(&world).await, QcTest::MultiVariate), []);
}

#[tokio::test]
async fn who_comes_to_be_a_neighbour_is_asked() {
    let world = world();
    let departed = |name: &str, reading| {
        if name == "C" { off(reading, "2026-09-10T00:00:00+07:00", "2026-09-20T00:00:00+07:00", 0.7) } else { reading }
    };
    fill(&world, departed).await;
    let elsewhere = |name: &str| Well { aquifer: None, ..aquifer_well(name) };
    world.registry.send_replace(Arc::new(Registry::new(WELLS.map(elsewhere), [])));
    let watch = world.open().await;
    look(&watch).await;
    assert_eq!(told(&findings(&world).await, QcTest::Neighbour), []);
    world.registry.send_replace(Arc::new(Registry::new(WELLS.map(aquifer_well), [])));
    look(&watch).await;
    assert_eq!(told(&findings(&world).await, QcTest::Neighbour).len(), 1);
}

#[derive(Debug, Clone)]
enum Event {
    /// Months of wells come in, in this order.
    Store(Vec<(usize, Month)>),
    Look,
    Restart,
}

/// All months of all wells in any order, with looks and restarts in between.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let all: Vec<(usize, Month)> =
        (0..WELLS.len()).flat_map(|number| months().map(move |month| (number, month))).collect();
    let between = prop_oneof![2 => Just(Event::Look), 1 => Just(Event::Restart)];
    (Just(all).prop_shuffle(), proptest::collection::vec((1usize..30, between), 1..5)).prop_map(|(all, cuts)| {
        let mut rest = all.as_slice();
        let mut events = Vec::new();
        for (count, between) in cuts {
            let (now, later) = rest.split_at(count.min(rest.len()));
            events.extend([Event::Store(now.to_vec()), between]);
            rest = later;
        }
        events.push(Event::Store(rest.to_vec()));
        events
    })
}

/// One departs from the others, one is stuck a while.
fn troubled(number: usize, reading: (Timestamp, f64)) -> (Timestamp, f64) {
    match number {
        1 => off(reading, "2026-03-28T00:00:00+07:00", "2026-04-09T00:00:00+07:00", 0.8),
        2 => off(reading, "2026-08-15T00:00:00+07:00", "2026-10-02T00:00:00+07:00", -0.6),
        _ => reading,
    }
}

async fn store(world: &World, number: usize, month: Month) {
    let readings: Vec<_> = readings(number, month).map(|reading| troubled(number, reading)).collect();
    world.set_readings(WELLS[number], DEPTH, readings).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn order_and_restarts_leave_no_trace(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let plain = world();
            for (number, month) in (0..WELLS.len()).flat_map(|number| months().map(move |month| (number, month))) {
                store(&plain, number, month).await;
            }
            look(&plain.open().await).await;
            let expected = findings(&plain).await;
            assert!(expected.len() >= 4, "{expected:?}");

            let world = world();
            let mut watch = world.open().await;
            for event in events {
                match event {
                    Event::Store(parts) => {
                        for (number, month) in parts {
                            store(&world, number, month).await;
                        }
                        // Marks may go before the look at them.
                        watch.run_monthly_once().await.unwrap();
                    }
                    Event::Look => look(&watch).await,
                    Event::Restart => watch = world.open().await,
                }
            }
            look(&watch).await;
            assert_eq!(findings(&world).await, expected);
        });
    }
}
