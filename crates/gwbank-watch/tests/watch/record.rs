//! What rests on a well's whole record.

use std::collections::BTreeSet;
use std::sync::Arc;

use gwbank_indicator::{DroughtEventRules, MonthlyLevel, ThresholdRules, drought_events, percentile_thresholds};
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity};
use gwbank_model::{Day, Month, Parameter, Timestamp};
use gwbank_registry::{AquiferCondition, BankType, Registry, Sampling, Well};
use gwbank_store::{IndicatorRow, Metadata};
use proptest::prelude::*;

use crate::support::{World, at, id, well};

pub const NOW: &str = "2026-11-06T00:00:00+07:00";
pub const CLOSED: Month = Month::new(2026, 10);

pub fn days(first: Month, last: Month) -> impl Iterator<Item = Day> {
    (first.first_day().0..last.plus(1).first_day().0).map(Day)
}

/// Rain, level and conductivity of a day, the same whenever it is asked.
fn of_day(parameter: Parameter, day: Day) -> f64 {
    let season = (f64::from(day.0) / 365.25 * std::f64::consts::TAU).sin();
    let noise =
        f64::from((i64::from(day.0) * 7_919 + parameter.code() as i64 * 104_729).rem_euclid(1009) as i32) / 1009.0;
    match parameter {
        Parameter::Rainfall => {
            if noise < 0.6 {
                0.0
            } else {
                40.0 * (noise - 0.6) * (1.5 + season)
            }
        }
        Parameter::SpecificConductance => 700.0 + 100.0 * season + 50.0 * noise,
        // Calm from day to day, so that it recedes; each year has its own height.
        _ => 6.0 - 2.0 * season + f64::from((day.month().year() * 7).rem_euclid(11)) / 11.0 + 0.002 * noise,
    }
}

pub fn recharge_well(name: &str) -> Well {
    Well {
        sampling: Sampling::Logger,
        aquifer_condition: Some(AquiferCondition::Unconfined),
        specific_yield: Some(0.1),
        ground_elevation: Some(100.0),
        ..well(name)
    }
}

pub async fn fill(world: &World, name: &str, parameter: Parameter, first: Month, last: Month) {
    world.set_days(name, parameter, days(first, last).map(|day| (day, of_day(parameter, day)))).await;
}

async fn rows_of(world: &World, indicator: &str) -> Vec<IndicatorRow> {
    let mut rows: Vec<_> = world.indicators().await.into_iter().filter(|row| row.indicator == indicator).collect();
    rows.sort_by_key(|row| row.period);
    rows
}

#[tokio::test]
async fn a_well_has_all_that_its_record_allows() {
    let world = World::new(vec![recharge_well("W1"), well("bare")], NOW);
    let first = Month::new(2004, 1);
    for parameter in [Parameter::DepthToWater, Parameter::Rainfall, Parameter::SpecificConductance] {
        fill(&world, "W1", parameter, first, CLOSED).await;
    }
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();

    let trend = &rows_of(&world, "trend").await[0];
    assert_eq!((trend.period, trend.class.as_deref()), (CLOSED.start(0), Some("increasing")), "{trend:?}");
    assert_eq!((trend.n, trend.quality_share), (Some(22), Some(1.0)));
    for (scale, missing) in [("spi_1", 0), ("spi_3", 2), ("spi_6", 5), ("spi_12", 11)] {
        let rows = rows_of(&world, scale).await;
        let months = (CLOSED.index() - first.index() + 1) as usize;
        assert_eq!(rows.len(), months - missing, "{scale}");
        assert!(rows.iter().all(|row| row.value.is_some() && row.class.is_some() && row.n >= Some(21)), "{scale}");
    }
    let salinity = rows_of(&world, "salinity_class").await;
    assert_eq!(salinity.last().unwrap().class.as_deref(), Some("fresh"));
    assert!((salinity.last().unwrap().value.unwrap() - 0.64 * 725.0).abs() < 80.0);
    assert!(rows_of(&world, "salinity_trend_dry").await[0].value.is_some());
    for gxg in ["ghg", "glg"] {
        let rows = rows_of(&world, gxg).await;
        assert_eq!((rows.len(), rows[0].period), (1, Month::new(2025, 4).start(0)), "the last whole year");
        assert!(rows[0].value.is_some(), "{:?}", rows[0]);
    }
    assert_eq!(rows_of(&world, "gvg").await[0].period, Month::new(2025, 1).start(0));
    let recharge = rows_of(&world, "recharge_wtf").await;
    assert!(recharge.len() > 200 && recharge.iter().all(|row| row.value.is_some()));
    assert!(!rows_of(&world, "drought_deficit").await.is_empty());
    let carried = rows_of(&world, "carry_over").await;
    assert_eq!(carried.last().unwrap().period, Month::new(2025, 5).start(0), "2026's peak has not been left behind");
    // Nothing was measured there, so nothing is said.
    assert!(world.indicators().await.iter().all(|row| row.place != "bare"));
}

#[tokio::test]
async fn numbers_move_on_and_nothing_old_stays() {
    let world = World::new(vec![well("W1")], NOW);
    fill(&world, "W1", Parameter::DepthToWater, Month::new(2010, 1), Month::new(2026, 11)).await;
    fill(&world, "W1", Parameter::Rainfall, Month::new(2010, 1), Month::new(2026, 11)).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    assert_eq!(rows_of(&world, "recharge_wtf").await[0].class.as_deref(), Some("no_aquifer_condition"));
    assert_eq!(rows_of(&world, "spi_1").await.last().unwrap().period, CLOSED.start(0), "November is open");
    assert_eq!(watch.run_monthly_once().await.unwrap(), Default::default());
    // Another process finds everything as it should be, but for the rows of places that each writes again.
    let again = world.open().await.run_monthly_once().await.unwrap();
    assert!(again.rows <= 4 * 12 * 5, "{again:?}");

    world.set_now("2026-12-06T00:00:00+07:00");
    watch.run_monthly_once().await.unwrap();
    let trend = rows_of(&world, "trend").await;
    assert_eq!((trend.len(), trend[0].period), (1, Month::new(2026, 11).start(0)));
    assert_eq!(rows_of(&world, "spi_1").await.last().unwrap().period, Month::new(2026, 11).start(0));
    // The well gets a yield: what could not be measured can be.
    world.registry.send_replace(Arc::new(Registry::new(vec![recharge_well("W1")], [])));
    watch.run_monthly_once().await.unwrap();
    let recharge = rows_of(&world, "recharge_wtf").await;
    assert!(recharge.iter().all(|row| row.value.is_some()), "{:?}", recharge.first());
    // A year of rain is taken back: its months are no more.
    let gone = days(Month::new(2015, 1), Month::new(2015, 12)).map(|day| (day, f64::NAN));
    world.take_days("W1", Parameter::Rainfall, gone.map(|(day, _)| day)).await;
    watch.run_monthly_once().await.unwrap();
    let of_2015 = |row: &&IndicatorRow| row.period.month(0).year() == 2015;
    assert_eq!(rows_of(&world, "spi_1").await.iter().filter(of_2015).count(), 0);
}

#[tokio::test]
async fn thresholds_are_those_of_the_calendar_months_and_move_on() {
    let world = World::new(vec![well("W1")], NOW);
    let depth = |month: Month| 6.0 + f64::from((month.index() * 37).rem_euclid(29)) / 10.0;
    let months = |through: Month| (Month::new(2012, 3).index()..=through.index()).map(Month::from_index);
    world.set_months(months(CLOSED.plus(1)).map(|month| ("W1", month, Some(depth(month)))).collect::<Vec<_>>()).await;
    let watch = world.open().await;
    for closed in [CLOSED, CLOSED.plus(1)] {
        world.set_now(if closed == CLOSED { NOW } else { "2026-12-06T00:00:00+07:00" });
        watch.run_monthly_once().await.unwrap();
        let levels: Vec<MonthlyLevel> = months(closed).map(|month| MonthlyLevel::of(month, -depth(month))).collect();
        let expected = percentile_thresholds(&levels, &[10.0, 25.0, 75.0, 90.0], &ThresholdRules::default());
        let low = drought_events(&levels, &DroughtEventRules::default()).thresholds;
        for (at, name) in ["threshold_p10", "threshold_p25", "threshold_p75", "threshold_p90"].into_iter().enumerate() {
            let rows = rows_of(&world, name).await;
            let last_year: Vec<_> = (0..12).rev().map(|back| closed.plus(-back).start(0)).collect();
            assert_eq!(rows.iter().map(|row| row.period).collect::<Vec<_>>(), last_year, "{name}");
            for row in &rows {
                let of_month = &expected[row.period.month(0).month_of_year() as usize - 1];
                let level = of_month.thresholds.value().map(|all| all[at].level);
                assert_eq!((row.value, row.n), (level, Some(of_month.n as i32)), "{name} {:?}", row.period);
            }
        }
        for row in rows_of(&world, "threshold_drought").await {
            let of_month = &low[row.period.month(0).month_of_year() as usize - 1];
            assert_eq!(row.value, of_month.value().copied(), "{:?}", row.period);
        }
    }
    // Of eight years there is no class, and of a record that is gone no row.
    for month in months(Month::new(2018, 12)) {
        world.set_month("W1", month, None).await;
    }
    watch.run_monthly_once().await.unwrap();
    let short = rows_of(&world, "threshold_p10").await;
    assert!(short.len() == 12 && short.iter().all(|row| row.class.as_deref() == Some("insufficient_record")));
    for month in months(CLOSED.plus(1)) {
        world.set_month("W1", month, None).await;
    }
    watch.run_monthly_once().await.unwrap();
    assert!(world.indicators().await.iter().all(|row| row.place != "W1"));
}

/// An open bank of 2 m that is filled every ten days.
pub fn pond(name: &str) -> Well {
    Well {
        bank_type: BankType::Open,
        depth: Some(3.0),
        bank_area: Some(400.0),
        ground_elevation: Some(100.0),
        comparison_well_id: Some(id("beside")),
        ..well(name)
    }
}

/// Hourly stages of fills of 2 m, each falling by 97 % of the rate of the one before.
pub fn fills(world: &World, name: &str, fills: i64) -> Timestamp {
    let start = at("2026-01-01T00:00:00+07:00");
    for fill in 0..fills {
        let rate = 0.007 * 0.97f64.powi(fill as i32);
        for hour in 0..240 {
            let stage = if hour == 0 { 0.4 } else { 2.0 - rate * (hour - 1) as f64 };
            world.read_at(
                name,
                Parameter::DepthToWater,
                start.plus_secs((fill * 240 + hour) * 3600),
                3.0 - stage.max(0.2),
            );
        }
    }
    start.plus_secs(fills * 240 * 3600)
}

#[tokio::test]
async fn a_bank_tells_how_it_performs() {
    let comparison = Well { ground_elevation: Some(100.0), ..well("beside") };
    let shallow = Well { depth: None, comparison_well_id: None, ..pond("unsurveyed") };
    let mut world = World::new(vec![pond("P1"), shallow, comparison], NOW);
    world.config.record.evaporation_mm_per_day = Some(4.0);
    fills(&world, "P1", 24);
    fills(&world, "unsurveyed", 2);
    world.set_days("beside", Parameter::DepthToWater, days(Month::new(2026, 1), CLOSED).map(|day| (day, 6.0))).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();

    let rates = rows_of(&world, "infiltration_rate").await;
    let of_pond: Vec<&IndicatorRow> = rates.iter().filter(|row| row.place == "P1").collect();
    assert_eq!(of_pond.len(), 24);
    // 7 mm an hour, less the evaporation.
    assert!((of_pond[0].value.unwrap() - (168.0 - 4.0)).abs() < 1.0, "{:?}", of_pond[0]);
    let volumes = rows_of(&world, "infiltrated_volume").await;
    assert!(volumes.iter().any(|row| row.place == "P1" && row.value > Some(500.0)));
    let clogging = rows_of(&world, "clogging").await;
    let of = |place: &str| clogging.iter().find(|row| row.place == place).unwrap();
    assert_eq!(of("P1").class.as_deref(), Some("sure"), "{:?}", of("P1"));
    assert!(of("P1").value.unwrap() < -50.0, "3 % a fill, 36 fills a year");
    assert_eq!(of("unsurveyed").class.as_deref(), Some("no_depth"));
    // A pond that nobody measures evaporation at, without a figure for it, is not guessed.
    let mut unknown = World::new(vec![pond("P1")], NOW);
    unknown.config.record.evaporation_mm_per_day = None;
    fills(&unknown, "P1", 3);
    let watch = unknown.open().await;
    watch.run_monthly_once().await.unwrap();
    let rates = rows_of(&unknown, "infiltration_rate").await;
    assert!(rates.iter().all(|row| row.class.as_deref() == Some("no_evaporation") && row.value.is_none()));
}

#[tokio::test]
async fn a_closed_bank_tells_how_it_drains() {
    let pit = Well { bank_type: BankType::Closed, depth: Some(3.0), ..well("pit") };
    let world = World::new(vec![pit], NOW);
    fills(&world, "pit", 2);
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let drained = rows_of(&world, "drain_down_hours").await;
    assert_eq!(drained.len(), 2);
    assert_eq!(drained[0].class.as_deref(), Some("slow"), "{:?}", drained[0]);
    assert_eq!(rows_of(&world, "overflow_hours").await[0].value, Some(0.0));
    assert!(rows_of(&world, "trend").await.is_empty() && rows_of(&world, "salinity_class").await.is_empty());
}

async fn samples(world: &World, name: &str, from: &str, count: i32, value: f64) {
    let first = at(from).day(crate::support::OFFSET).0;
    let values = (0..count).map(|n| (Day(first + n), value));
    world.set_days(name, Parameter::SpecificConductance, values).await;
}

#[tokio::test]
async fn salinity_is_raised_in_the_open_month_counted_in_its_places_and_cleared() {
    let names = ["W1", "W2", "W3"];
    let world = World::new(names.iter().map(|name| well(name)).collect(), NOW);
    for name in names {
        fill(&world, name, Parameter::SpecificConductance, Month::new(2022, 1), CLOSED).await;
    }
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    assert!(world.flags().await.is_empty());
    world.set_now("2026-11-10T00:00:00+07:00");
    samples(&world, "W1", "2026-11-01T12:00:00+07:00", 9, 3000.0).await;
    watch.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Salinity, Scope::Well, "W1").await.expect("raised");
    assert_eq!((flag.severity, flag.rule.as_str()), (Severity::Severe, "salinity_doubled"));
    assert!(flag.limit_value.unwrap() >= 1500.0 && flag.observed == Some(3000.0));
    assert_eq!(flag.state, FlagState::Open);
    assert!(flag.headline_th.starts_with("น้ำใต้ดินเค็มขึ้น"), "{}", flag.headline_th);
    assert!(flag.detail_en.contains("3000 µS/cm, saline water (usually"), "{}", flag.detail_en);
    assert_eq!(world.open_flag(Hazard::Salinity, Scope::District, "3001").await.unwrap().severity, Severity::Severe);
    let province = world.open_flag(Hazard::Salinity, Scope::Province, "30").await.unwrap();
    assert_eq!((province.severity, province.wells_in, province.wells_out), (Severity::Watch, 1, 2));

    // No samples for weeks: stale, and still there.
    world.set_now("2026-12-03T00:00:00+07:00");
    watch.run_silence_once().await.unwrap();
    let flag = world.open_flag(Hazard::Salinity, Scope::Well, "W1").await.unwrap();
    assert_eq!(flag.state, FlagState::Stale);
    // Fresh water for three weeks.
    samples(&world, "W1", "2026-12-01T12:00:00+07:00", 25, 700.0).await;
    world.set_now("2026-12-26T00:00:00+07:00");
    watch.run_monthly_once().await.unwrap();
    assert!(world.open_flag(Hazard::Salinity, Scope::Well, "W1").await.is_none());
    assert!(world.open_flag(Hazard::Salinity, Scope::Province, "30").await.is_none());
    let story = world.story(&flag.id).await;
    assert_eq!(story.first().map(String::as_str), Some("raised severe"));
    assert_eq!(story.last().map(|last| last.split(' ').next().unwrap().to_owned()), Some("cleared".to_owned()));
    expect_test::expect_file!["messages/salinity.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn a_flag_that_late_samples_take_back_says_so() {
    let world = World::new(vec![well("W1")], NOW);
    fill(&world, "W1", Parameter::SpecificConductance, Month::new(2022, 1), CLOSED).await;
    let watch = world.open().await;
    samples(&world, "W1", "2026-11-01T12:00:00+07:00", 5, 3000.0).await;
    watch.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Salinity, Scope::Well, "W1").await.expect("raised");
    samples(&world, "W1", "2026-11-01T12:00:00+07:00", 5, 700.0).await;
    watch.run_monthly_once().await.unwrap();
    let last = world.transitions(&flag.id).await.pop().unwrap();
    assert!(last.evidence.contains("late_data"), "{}", last.evidence);
}

#[tokio::test]
async fn the_rain_of_a_counter_makes_an_index() {
    let world = World::new(vec![well("W1")], NOW);
    let mut total = 0.0;
    let first = Month::new(2004, 1);
    for day in days(first, CLOSED) {
        total += of_day(Parameter::Rainfall, day);
        // The counter is reset on the first of each year.
        let first_of_year = day == Month::new(day.month().year(), 1).first_day();
        if first_of_year {
            total = of_day(Parameter::Rainfall, day);
        }
        world.read_at("W1", Parameter::RainfallTotal, day.start(crate::support::OFFSET).plus_secs(43_200), total);
    }
    fill(&world, "W1", Parameter::RainfallTotal, CLOSED, CLOSED).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let by_counter = rows_of(&world, "spi_1").await;

    let plain = World::new(vec![well("W1")], NOW);
    fill(&plain, "W1", Parameter::Rainfall, first, CLOSED).await;
    plain.open().await.run_monthly_once().await.unwrap();
    let by_amounts = rows_of(&plain, "spi_1").await;
    assert!(by_counter.len() + 1 >= by_amounts.len() && !by_counter.is_empty());
    for row in &by_counter[1..] {
        let other = by_amounts.iter().find(|other| other.period == row.period).unwrap();
        // The first day of the counter has no reading before it, so the fit of January is another.
        if row.period.month(0).month_of_year() != 1 {
            assert!((row.value.unwrap() - other.value.unwrap()).abs() < 1e-6, "{row:?} {other:?}");
        }
    }
}

/// What a history of readings is told in: pieces, in any order.
#[derive(Debug, Clone)]
struct Piece {
    parameter: Parameter,
    first: Month,
    months: i32,
    shift: f64,
}

fn piece() -> impl Strategy<Value = Piece> {
    let parameters =
        prop::sample::select(vec![Parameter::DepthToWater, Parameter::Rainfall, Parameter::SpecificConductance]);
    (parameters, 0..180i32, 1..40i32, -1.0..1.0f64).prop_map(|(parameter, first, months, shift)| Piece {
        parameter,
        first: Month::new(2012, 1).plus(first),
        months,
        shift,
    })
}

async fn tell(world: &World, piece: &Piece) {
    let values = days(piece.first, piece.first.plus(piece.months - 1)).filter(|day| *day < at(NOW).day(0)).map(|day| {
        let value = of_day(piece.parameter, day);
        (day, value * (1.0 + 0.1 * piece.shift))
    });
    world.set_days("W1", piece.parameter, values).await;
}

proptest! {
    // Each case computes records a dozen times.
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Rule of the definitions: the result equals a recomputation from nothing, bit for bit.
    #[test]
    fn late_and_corrected_data_end_as_if_computed_from_nothing(
        pieces in prop::collection::vec((piece(), any::<bool>()), 2..10),
        closings in 0..3i32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let end = format!("2026-{:02}-06T00:00:00+07:00", 9 + closings);
            let world = World::new(vec![recharge_well("W1")], "2026-09-06T00:00:00+07:00");
            let mut watch = world.open().await;
            for (index, (piece, restarts)) in pieces.iter().enumerate() {
                tell(&world, piece).await;
                if index == pieces.len() / 2 {
                    world.set_now(&end);
                }
                if *restarts {
                    watch = world.open().await;
                }
                watch.run_monthly_once().await.unwrap();
            }
            world.set_now(&end);
            watch.run_monthly_once().await.unwrap();

            let fresh = World::new(vec![recharge_well("W1")], &end);
            for (piece, _) in &pieces {
                tell(&fresh, piece).await;
            }
            fresh.open().await.run_monthly_once().await.unwrap();
            let well_rows = |rows: Vec<IndicatorRow>| -> BTreeSet<String> {
                rows.iter().filter(|row| row.scope == Scope::Well).map(|row| format!("{row:?}")).collect()
            };
            let (told, anew) = (well_rows(world.indicators().await), well_rows(fresh.indicators().await));
            let (only, missing): (Vec<_>, Vec<_>) = (told.difference(&anew).collect(), anew.difference(&told).collect());
            assert!(only.is_empty() && missing.is_empty(), "only as it came: {only:#?}, only anew: {missing:#?}");
            assert!(world.metadata.dirty_months(10).await.unwrap().is_empty());
            crate::explained::every_number_is_told(&world, &watch, "W1").await;
        });
    }
}

#[tokio::test]
async fn a_well_of_another_kind_has_the_rows_of_that_kind_alone() {
    let observation = Well { depth: Some(3.0), ..well("W1") };
    let world = World::new(vec![observation.clone()], NOW);
    fill(&world, "W1", Parameter::DepthToWater, Month::new(2010, 1), CLOSED).await;
    fills(&world, "W1", 2);
    let mut watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    assert!(!rows_of(&world, "sgi").await.is_empty() && rows_of(&world, "drain_down_hours").await.is_empty());
    let before = world.indicators().await;
    for restarts in [false, true] {
        let pit = Well { bank_type: BankType::Closed, ..observation.clone() };
        world.registry.send_replace(Arc::new(Registry::new(vec![pit], [])));
        if restarts {
            watch = world.open().await;
        }
        watch.run_monthly_once().await.unwrap();
        assert!(!rows_of(&world, "drain_down_hours").await.is_empty());
        for gone in ["sgi", "percentile", "trend", "ghg", "carry_over", "drought_deficit"] {
            let of_well: Vec<_> = rows_of(&world, gone).await.into_iter().filter(|r| r.scope == Scope::Well).collect();
            assert!(of_well.is_empty(), "{gone}");
        }
        // And back again, after readings came that nobody looked at.
        fill(&world, "W1", Parameter::DepthToWater, CLOSED, CLOSED).await;
        watch.run_monthly_once().await.unwrap();
        world.registry.send_replace(Arc::new(Registry::new(vec![observation.clone()], [])));
        watch.run_monthly_once().await.unwrap();
        assert_eq!(world.indicators().await, before);
    }
}

#[tokio::test]
async fn a_start_clears_no_salt_that_it_has_not_looked_at_yet() {
    let world = World::new(vec![well("W1")], NOW);
    fill(&world, "W1", Parameter::SpecificConductance, Month::new(2022, 1), CLOSED).await;
    samples(&world, "W1", "2026-11-01T12:00:00+07:00", 5, 3000.0).await;
    world.open().await.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Salinity, Scope::Well, "W1").await.expect("raised");
    let watch = world.open().await;
    watch.run_silence_once().await.unwrap();
    watch.run_monthly_once().await.unwrap();
    assert_eq!(world.story(&flag.id).await, ["raised severe"]);
    assert!(world.open_flag(Hazard::Salinity, Scope::Province, "30").await.is_some());
    // A closed bank holds rain: registered as one, it speaks of salt no more.
    let pit = Well { bank_type: BankType::Closed, ..well("W1") };
    world.registry.send_replace(Arc::new(Registry::new(vec![pit], [])));
    watch.run_monthly_once().await.unwrap();
    assert!(world.open_flag(Hazard::Salinity, Scope::Well, "W1").await.is_none());
    // What got worse stands for a day at least.
    assert!(world.open_flag(Hazard::Salinity, Scope::Province, "30").await.is_some());
    world.set_now(&Timestamp::parse_rfc3339(NOW).unwrap().plus_secs(86_400).to_rfc3339(25_200));
    watch.run_waiting_once().await.unwrap();
    assert!(world.open_flag(Hazard::Salinity, Scope::Province, "30").await.is_none());
}
