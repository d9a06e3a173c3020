//! What a hydrologist expects of the default limits, told as short stories.

use gwbank_model::{Parameter, QcTest, QualityFlag, SiteStatus, Timestamp};
use gwbank_quality::review::{ReviewRules, review};
use gwbank_quality::shift::ShiftKind;
use gwbank_quality::{Assessment, Point, SeriesConfig, WellFacts, assess};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn every(step_s: i64, values: impl IntoIterator<Item = f64>) -> Vec<Point> {
    let point =
        |(i, value)| Point { time: Timestamp::from_secs(i as i64 * step_s), value: Some(value), site_status: None };
    values.into_iter().enumerate().map(point).collect()
}

fn depth(points: &[Point]) -> Vec<Assessment> {
    let facts = WellFacts { depth: Some(20.0), ..WellFacts::default() };
    assess(&SeriesConfig::for_well(Parameter::DepthToWater, &facts), points)
}

/// `index:flag tests` of all readings that did not pass.
fn objections(flags: &[Assessment]) -> Vec<String> {
    let text = |(index, a): (usize, &Assessment)| {
        let tests: Vec<&str> = a.tests.iter().map(QcTest::name).collect();
        format!("{index}:{} {}", a.flag.code(), tests.join("+"))
    };
    flags.iter().enumerate().filter(|(_, a)| a.flag != QualityFlag::Pass).map(text).collect()
}

#[test]
fn a_spike_blames_itself_alone() {
    let mut values = vec![3.0; 9];
    values[4] = 3.5;
    let flags = depth(&every(15 * MINUTE, values.clone()));
    assert_eq!(objections(&flags), ["4:3 spike+rate_of_change"]);
    values[4] = 6.0;
    assert_eq!(objections(&depth(&every(15 * MINUTE, values))), ["4:4 spike+rate_of_change"]);
}

#[test]
fn a_step_is_a_change_once_and_no_spike() {
    let flags = depth(&every(15 * MINUTE, [3.0, 3.001, 3.0, 4.0, 4.001, 4.0]));
    assert_eq!(objections(&flags), ["3:3 rate_of_change"]);
}

#[test]
fn an_impossible_value_does_not_blame_its_neighbours() {
    let flags = depth(&every(HOUR, [3.0, 3.01, 655.35, 3.02, -999.0, 3.03, 20.5]));
    assert_eq!(objections(&flags), ["2:4 gross_range", "4:4 gross_range", "6:3 gross_range+rate_of_change"]);
}

#[test]
fn a_wet_season_in_monthly_readings_passes_but_a_slip_of_the_point_does_not() {
    let seasons = [6.0, 6.6, 7.1, 7.5, 5.9, 2.1, 1.4, 3.9, 5.0, 5.6];
    assert_eq!(objections(&depth(&every(30 * DAY, seasons))), [""; 0]);
    let mut slipped = seasons;
    slipped[3] = 0.75;
    slipped[8] = 15.0;
    assert_eq!(objections(&depth(&every(30 * DAY, slipped))), ["3:3 spike", "8:3 spike"]);
}

#[test]
fn a_storm_in_daily_readings_passes() {
    let storm = [4.0, 4.02, 3.1, 2.6, 2.9, 3.1, 3.25, 3.36];
    assert_eq!(objections(&depth(&every(DAY, storm))), [""; 0]);
}

#[test]
fn a_stuck_logger_is_suspect_after_five_days_and_fails_after_fourteen() {
    let flags = depth(&every(HOUR, vec![3.25; 24 * 15]));
    let first = |flag| flags.iter().position(|a| a.flag == flag);
    assert_eq!(first(QualityFlag::Suspect), Some(24 * 5));
    assert_eq!(first(QualityFlag::Fail), Some(24 * 14));
}

#[test]
fn a_slow_recession_in_whole_centimetres_is_not_stuck() {
    let recession = (0..24 * 120).map(|hour| (300.0 + f64::from(hour) * 0.3 / 24.0).round() / 100.0);
    assert_eq!(objections(&depth(&every(HOUR, recession))), [""; 0], "a centimetre in three days");
    let monthly = [3.0; 12];
    assert_eq!(objections(&depth(&every(30 * DAY, monthly))), [""; 0]);
}

#[test]
fn a_dry_well_stands_still_rightly() {
    let mut at_the_bottom = every(HOUR, vec![19.97; 24 * 40]);
    assert_eq!(objections(&depth(&at_the_bottom)), [""; 0], "at the floor");
    for point in &mut at_the_bottom {
        point.value = Some(18.0);
        point.site_status = Some(SiteStatus::Dry);
    }
    assert_eq!(objections(&depth(&at_the_bottom)), [""; 0], "said to be dry");
}

#[test]
fn pumping_is_no_error() {
    let mut points = every(15 * MINUTE, [3.0, 3.0, 8.0, 11.0, 6.0, 3.4, 3.2]);
    for (index, status) in [(2, SiteStatus::Pumping), (3, SiteStatus::Pumping), (4, SiteStatus::RecentlyPumped)] {
        points[index].site_status = Some(status);
    }
    assert_eq!(objections(&depth(&points)), [""; 0]);
}

#[test]
fn nothing_is_judged_across_a_long_gap() {
    let mut points = every(15 * MINUTE, [3.0, 3.0, 3.0]);
    points.extend(every(15 * MINUTE, [9.0, 9.0]).into_iter().map(|p| Point { time: p.time.plus_secs(200 * DAY), ..p }));
    assert_eq!(objections(&depth(&points)), [""; 0]);
}

#[test]
fn missing_values_are_missing_and_bridged() {
    let mut points = every(15 * MINUTE, [3.0, 0.0, 0.0, 5.0]);
    points[1].value = None;
    points[2].value = None;
    assert_eq!(objections(&depth(&points)), ["1:9 ", "2:9 ", "3:3 rate_of_change"]);
}

/// The shifts that the second look finds, by the numbers of their first and last readings.
fn shifts(parameter: Parameter, points: &[Point]) -> Vec<(ShiftKind, usize, usize)> {
    let config = SeriesConfig::default_for(parameter);
    let rules = ReviewRules::for_series(parameter, &config, &WellFacts::default());
    let reviewed = review(&config, &rules, points, &[]);
    for (point, detail) in points.iter().zip(&reviewed.details) {
        let is_within = reviewed.shifts.iter().any(|shift| shift.from <= point.time && point.time <= shift.to);
        let tests = detail.assessment.tests;
        assert_eq!(is_within, tests.contains(QcTest::LevelShift) || tests.contains(QcTest::Drift), "{}", point.time);
        assert!(!is_within || detail.assessment.flag == QualityFlag::Suspect, "{}", point.time);
    }
    let number = |time: Timestamp| points.partition_point(|point| point.time < time);
    reviewed.shifts.iter().map(|shift| (shift.kind, number(shift.from), number(shift.to))).collect()
}

/// Hourly, a recession with a tide in it.
fn recession(hours: usize) -> Vec<f64> {
    (0..hours).map(|hour| 5.0 + hour as f64 * 2e-4 + 0.01 * (hour as f64 / 2.0).sin()).collect()
}

#[test]
fn a_sensor_that_hung_elsewhere_is_found_from_end_to_end() {
    let mut values = recession(600);
    values[300..400].iter_mut().for_each(|value| *value += 0.5);
    assert_eq!(shifts(Parameter::DepthToWater, &every(HOUR, values)), [(ShiftKind::Offset, 300, 399)]);
}

#[test]
fn a_jump_that_stays_marks_both_of_its_sides() {
    let mut values = recession(600);
    values[300..].iter_mut().for_each(|value| *value += 0.5);
    assert_eq!(shifts(Parameter::DepthToWater, &every(HOUR, values)), [(ShiftKind::Step, 299, 300)]);
}

#[test]
fn a_ramp_that_jumps_back_was_a_drift() {
    let mut values = recession(600);
    values[200..400].iter_mut().enumerate().for_each(|(i, value)| *value += 0.6 * (i as f64 / 199.0));
    let found = shifts(Parameter::DepthToWater, &every(HOUR, values));
    let [(ShiftKind::Ramp, from, 399)] = found[..] else { panic!("{found:?}") };
    assert!((190..=210).contains(&from), "{from}");
}

#[test]
fn rain_after_a_recession_is_no_drift() {
    // Falls for weeks and rises within hours, as it should.
    let level = |hour: usize| {
        let since = hour as f64 - 400.0;
        if since < 0.0 { -(hour as f64) * 1e-3 } else { -0.4 + 0.5 * (1.0 - (-since / 5.0).exp()) }
    };
    let values = (0..600).map(|hour| 100.0 + level(hour) + 0.005 * (hour as f64 / 2.0).sin());
    assert_eq!(shifts(Parameter::GroundwaterElevation, &every(HOUR, values)), []);
}

#[test]
fn a_well_that_was_bailed_recovers_and_is_suspect_until_then() {
    let mut values = recession(600);
    for (number, value) in values[300..312].iter_mut().enumerate() {
        *value += 1.2 * (-(number as f64) / 3.0).exp();
    }
    let found = shifts(Parameter::DepthToWater, &every(HOUR, values));
    let [(ShiftKind::Drawdown, 300, last)] = found[..] else { panic!("{found:?}") };
    assert!((305..=308).contains(&last), "{last}");
}

#[test]
fn a_rise_as_fast_is_recharge() {
    let mut values = recession(600);
    for (number, value) in values[300..].iter_mut().enumerate() {
        *value -= 0.9 * (-(number as f64) / 60.0).exp() * (1.0 - (-(number as f64 + 1.0) / 2.0).exp());
    }
    let found = shifts(Parameter::DepthToWater, &every(HOUR, values));
    assert!(found.iter().all(|(kind, ..)| *kind != ShiftKind::Drawdown), "{found:?}");
}

#[test]
fn a_sensor_in_air_is_told_until_it_is_lowered_again() {
    let air = |hour: usize| 101.0 + 0.5 * (hour as f64 / 20.0).sin();
    let value = |hour: usize| if (300..360).contains(&hour) { air(hour) } else { air(hour) + 25.0 };
    let points = every(HOUR, (0..600).map(value));
    assert_eq!(shifts(Parameter::WaterPressureAbsolute, &points), [(ShiftKind::InAir, 300, 359)]);
}

/// A sensor that is hung elsewhere for two months at the end of a recession says nothing against the recession.
#[test]
fn a_recession_before_a_step_is_no_drift() {
    let facts = WellFacts { depth: Some(20.0), ..WellFacts::default() };
    let config = SeriesConfig::for_well(Parameter::DepthToWater, &facts);
    let rules = ReviewRules::for_series(Parameter::DepthToWater, &config, &facts);
    // Every four hours for 150 days; the season, what a sensor adds, and where it stands.
    let found = |recession_per_day: f64, sensor: &dyn Fn(f64) -> f64| {
        let values = (0..150 * 6).map(|n| {
            let day = f64::from(n) / 6.0;
            let level = 6.0 - (day / 58.0).cos() * recession_per_day * 58.0 + sensor(day);
            (level * 1000.0).round() / 1000.0
        });
        let shifts = review(&config, &rules, &every(4 * HOUR, values), &[]).shifts;
        shifts.iter().map(|shift| shift.kind).collect::<Vec<_>>()
    };
    let hung_higher = |day: f64| if day >= 86.0 { -0.4 } else { 0.0 };
    assert_eq!(found(0.0095, &hung_higher), [ShiftKind::Step], "the step alone");
    let creeps = |day: f64| if (40.0..86.0).contains(&day) { (day - 40.0) * 0.4 / 46.0 } else { 0.0 };
    assert_eq!(found(0.0005, &creeps), [ShiftKind::Ramp], "a well that hardly moves, and a sensor that creeps");
}

/// Water below a sensor that hangs above the well's bottom is told at the sensor's depth, for as long as the drought lasts.
#[test]
fn a_sensor_out_of_water_stands_still_rightly() {
    let flags = |sensor_depth| {
        let facts = WellFacts { depth: Some(15.0), sensor_depth, ..WellFacts::default() };
        let config = SeriesConfig::for_well(Parameter::DepthToWater, &facts);
        assess(&config, &every(HOUR, (0..24 * 40).map(|_| 9.0))).iter().filter(|a| a.flag != QualityFlag::Pass).count()
    };
    assert_eq!(flags(Some(9.0)), 0);
    assert!(flags(None) > 0, "a logger that is stuck");
}
