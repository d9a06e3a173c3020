use gwbank_model::{QualityFlag, Timestamp};

use super::*;
use crate::config::{Gap, Growth, Span, Standstill};
use crate::{Point, assess};

const HOUR: i64 = 3_600_000_000;

fn parse(text: &str) -> Result<QualityOverrides, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn depth(overrides: &QualityOverrides, well: &str) -> SeriesConfig {
    SeriesConfig::for_series(Parameter::DepthToWater, well, &WellFacts::default(), overrides).unwrap()
}

const EXAMPLE: &str = r#"
    [parameters.depth_to_water.spike]
    suspect = 0.3
    grows_with_hours = 0

    [parameters.water_temperature.flat_line]
    tolerance = 0.01
    suspect_hours = 240

    [wells.UDN-0012]
    off = ["flat_line"]
    gap.silence_max_hours = 3

    [wells.UDN-0012.parameters.depth_to_water]
    gross_range = { user_min = 1.5, user_max = 9.0 }
    attenuated_signal = { range_min = 0.01, suspect_hours = 720 }
    spike.fail = 4

    [wells.UDN-0012.parameters.depth_to_water.climatology]
    april = { min = 6.0, max = 9.0 }
"#;

#[test]
fn sections_go_from_the_general_to_the_special() {
    let overrides = parse(EXAMPLE).unwrap();
    assert_eq!(overrides.faults(), []);
    let other = depth(&overrides, "UDN-0013");
    let default = SeriesConfig::default_for(Parameter::DepthToWater);
    let spike = other.spike.unwrap();
    assert_eq!((spike.suspect, spike.fail, spike.growth), (0.3, 2.0, Growth::Constant));
    assert_eq!(SeriesConfig { spike: default.spike, ..other }, default, "nothing else changed");

    let own = depth(&overrides, "UDN-0012");
    let spike = own.spike.unwrap();
    assert_eq!((spike.suspect, spike.fail), (0.3, 4.0));
    assert_eq!(own.gross_range.unwrap().user, Span::new(1.5, 9.0));
    assert_eq!(own.gross_range.unwrap().sensor, default.gross_range.unwrap().sensor);
    assert_eq!((own.flat_line, own.gap), (None, Some(Gap { silence_max_micros: 3 * HOUR })));
    let standstill = Standstill { span_micros: 720 * HOUR, readings_min: 2 };
    assert_eq!(own.attenuated_signal.unwrap().suspect, Some(standstill));

    let temperature =
        SeriesConfig::for_series(Parameter::WaterTemperature, "X", &WellFacts::default(), &overrides).unwrap();
    assert_eq!(temperature.flat_line.unwrap().suspect, Some(Standstill { span_micros: 240 * HOUR, ..standstill }));
}

#[test]
fn a_month_begins_in_bangkok() {
    let config = depth(&parse(EXAMPLE).unwrap(), "UDN-0012");
    let flag = |time: &str| {
        let time = Timestamp::parse_rfc3339(time).unwrap();
        assess(&config, &[Point { time, value: Some(5.0), site_status: None }])[0].flag
    };
    assert_eq!(flag("2026-03-31T23:59:00+07:00"), QualityFlag::Pass);
    assert_eq!(flag("2026-04-01T00:00:00+07:00"), QualityFlag::Suspect);
}

#[test]
fn a_floor_may_be_below_zero() {
    let overrides = parse("[parameters.groundwater_elevation.floor]\nat_or_below = -12.5").unwrap();
    let config =
        SeriesConfig::for_series(Parameter::GroundwaterElevation, "W", &WellFacts::default(), &overrides).unwrap();
    assert_eq!(config.floor, Some(crate::Floor::AtOrBelow(-12.5)));
}

#[test]
fn no_override_is_the_default() {
    let overrides = parse("").unwrap();
    for &parameter in Parameter::ALL {
        let config = SeriesConfig::for_series(parameter, "W", &WellFacts::default(), &overrides).unwrap();
        assert_eq!(config, SeriesConfig::default_for(parameter));
    }
}

fn told(overrides: &QualityOverrides) -> String {
    overrides.faults().iter().map(|fault| format!("{fault}\n")).collect()
}

#[track_caller]
fn refuses(text: &str, expected: &[&str]) {
    let error = match parse(text) {
        Err(error) => error,
        Ok(overrides) => told(&overrides),
    };
    for part in expected {
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
}

#[test]
fn errors_name_the_key_and_the_mend() {
    refuses("[parameters.depth_to_water.spike]\nsuspct = 1", &["suspct", "expected one of", "`suspect`"]);
    refuses("[parameters.depth.spike]\nsuspect = 1", &["unknown parameter `depth`", "depth_to_water"]);
    refuses("[wells.A]\noff = ['spikes']", &["no test `spikes`", "spike, rate_of_change"]);
    refuses("[wells.A]\nspike.suspect = 1", &["unknown field `spike`", "`parameters`"]);
    refuses("[parameters.ph.flat_line]\nsuspect_hours = 5", &["parameters.ph: flat_line.tolerance", "still values"]);
    refuses(
        "[wells.A.parameters.depth_to_water]\ngross_range = { user_min = 5, user_max = 4 }",
        &["wells.A.parameters.depth_to_water: gross_range.user", "exchange them"],
    );
    refuses("[parameters.ph.climatology.may]\nmin = 5", &["climatology.may", "give min and max"]);
    refuses("[wells.A.gap]\nsilence_max_hours = -1", &["wells.A: gap.silence_max_hours: is negative; give 0 or more"]);
    refuses("[parameters.depth_to_water.floor]\nat_or_above = 9\nat_or_below = 1", &["floor: has two ends; give"]);
    refuses("[parameters.ph.spike]\nsuspect = nan", &["parameters.ph: spike.suspect: is not a finite number"]);
}

#[test]
fn what_fails_is_worse_than_what_is_suspect() {
    // The one limit is stated, the other a default: two metres fail.
    refuses(
        "[parameters.depth_to_water.spike]\nsuspect = 3",
        &["parameters.depth_to_water: spike.fail: is 2, less than spike.suspect 3", "give spike.fail at least 3"],
    );
    refuses(
        "[wells.A.parameters.depth_to_water.rate_of_change]\nsuspect_per_hour = 2\nfail_per_hour = 1",
        &["wells.A.parameters.depth_to_water: rate_of_change.fail_per_hour: is 1"],
    );
    refuses(
        "[parameters.ph.flat_line]\ntolerance = 0.01\nsuspect_hours = 48\nfail_hours = 24",
        &["parameters.ph: flat_line.fail_hours: is 24", "flat_line.suspect_hours at most 24"],
    );
    refuses(
        "[parameters.depth_to_water.attenuated_signal]\nrange_min = 1\nsuspect_hours = 48\nfail_hours = 24",
        &["attenuated_signal.fail_hours: is 24"],
    );
    refuses(
        "[parameters.depth_to_water.gross_range]\nsensor_min = 1\nsensor_max = 8\nuser_min = 0\nuser_max = 9",
        &["gross_range.user_min: is 0, below", "gross_range.user_max: is 9, above", "give user_max at most sensor_max"],
    );
    // A section of a well over one of its parameter.
    let over = "[parameters.depth_to_water.spike]\nfail = 5\n[wells.A.parameters.depth_to_water.spike]\nsuspect = 6";
    refuses(over, &["wells.A.parameters.depth_to_water: spike.fail: is 5"]);
    // A sensor's end alone states no suspect span.
    let alone = parse("[parameters.recharge_flow.gross_range]\nsensor_max = 40").unwrap();
    assert_eq!(told(&alone), "");
    for &parameter in Parameter::ALL {
        assert_eq!(
            order::faults(&SeriesConfig::default_for(parameter), &SeriesConfig::default(), ""),
            [],
            "{parameter}"
        );
    }
    // What a server was once given holds.
    let given = parse("[parameters.depth_to_water.spike]\nsuspect = 3").unwrap();
    assert_eq!(depth(&given, "W").spike.map(|spike| (spike.suspect, spike.fail)), Some((3.0, 2.0)));
}

#[test]
fn limits_by_which_a_test_objects_to_everything_or_nothing_are_refused() {
    const DEPTH: &str = "[wells.A.parameters.depth_to_water]\n";
    refuses("[wells.A.gap]\nsilence_max_hours = 0", &["wells.A: gap.silence_max_hours: is 0", "`off`"]);
    for (limits, told) in [
        ("gap.silence_max_hours = 1e300", "gap.silence_max_hours: is 1000"),
        ("gap.silence_max_hours = 900000", "more than a century"),
        ("spike.suspect = 0", "spike.suspect: is 0, so that everything that moves"),
        ("spike.gap_max_hours = 0", "spike.gap_max_hours: is 0, so that no readings would be compared"),
        ("spike.grows_with_hours = 2", "spike.grows_with_hours: is 2; give 1"),
        ("spike.relative_share = 33", "spike.relative_share: is 33, more than the whole value"),
        ("rate_of_change.suspect_per_hour = 0", "rate_of_change.suspect_per_hour: is 0"),
        ("rate_of_change.elapsed_min_minutes = 1e300", "more than a century"),
        ("flat_line.suspect_hours = 0", "flat_line.suspect_hours: is 0"),
        ("flat_line.suspect_readings_min = 1", "flat_line.suspect_readings_min: is 1; give a whole number"),
        ("flat_line.fail_readings_min = 2.5", "flat_line.fail_readings_min: is 2.5"),
        ("flat_line.fail_readings_min = 1e9", "from 2 (one reading always stands still) to 100000"),
        ("attenuated_signal = { range_min = 0, suspect_hours = 9 }", "attenuated_signal.range_min: is 0"),
        (
            "attenuated_signal = { range_min = 1, suspect_readings_min = 9 }",
            "attenuated_signal.suspect_hours: is missing, so that the number of readings changes nothing",
        ),
        ("climatology.utc_offset_hours = 700", "climatology.utc_offset_hours: is 700; give the hours of a zone"),
    ] {
        refuses(&format!("{DEPTH}{limits}"), &["wells.A.parameters.depth_to_water: ", told]);
    }
    // What means something stays allowed, the defaults above all.
    for allowed in ["flat_line.tolerance = 0", "rate_of_change.elapsed_min_minutes = 0", "floor.at_or_above = 0"] {
        assert_eq!(told(&parse(&format!("{DEPTH}{allowed}")).unwrap()), "", "{allowed}");
    }
    for &parameter in Parameter::ALL {
        let mut stated = QualityOverrides::default();
        for (limit, value) in SeriesConfig::default_for(parameter).named_limits() {
            stated.set(None, Some(parameter), &limit, value).unwrap();
        }
        assert_eq!(told(&stated), "", "{parameter}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let overrides = parse(
        "[parameters.ph]\nspike.suspect = -1\nflat_line.suspect_hours = 5\nclimatology.may.min = 5\n\
         climatology.june.max = 9\n[wells.A.parameters.depth_to_water]\ngross_range = { user_min = 5, user_max = 4 }\n\
         spike.suspect = 3\n[wells.B]\ngap.silence_max_hours = -1",
    )
    .unwrap();
    let found = told(&overrides);
    for part in [
        "parameters.ph: spike.suspect: is negative",
        "parameters.ph: flat_line.tolerance: is missing",
        "parameters.ph: climatology.may: has one limit of two",
        "parameters.ph: climatology.june: has one limit of two",
        "wells.A.parameters.depth_to_water: gross_range.user: has its minimum above its maximum",
        "wells.A.parameters.depth_to_water: spike.fail: is 2",
        "wells.B: gap.silence_max_hours: is negative",
    ] {
        assert_eq!(found.matches(part).count(), 1, "{part}\n{found}");
    }
}

#[test]
fn rows_of_a_table_say_the_same_as_the_text() {
    let mut rows = QualityOverrides::default();
    let depth = Some(Parameter::DepthToWater);
    rows.set(None, depth, "spike.suspect", 0.3).unwrap();
    rows.set(None, depth, "spike.grows_with_hours", 0.0).unwrap();
    rows.set(None, Some(Parameter::WaterTemperature), "flat_line.tolerance", 0.01).unwrap();
    rows.set(None, Some(Parameter::WaterTemperature), "flat_line.suspect_hours", 240.0).unwrap();
    let well = Some("UDN-0012");
    rows.set(well, None, "gap.silence_max_hours", 3.0).unwrap();
    for (key, value) in [
        ("gross_range.user_min", 1.5),
        ("gross_range.user_max", 9.0),
        ("attenuated_signal.range_min", 0.01),
        ("attenuated_signal.suspect_hours", 720.0),
        ("spike.fail", 4.0),
        ("climatology.april.min", 6.0),
        ("climatology.april.max", 9.0),
    ] {
        rows.set(well, depth, key, value).unwrap();
    }
    rows.switch_off(well, None, TestName(QcTest::FlatLine));
    assert_eq!(rows, parse(EXAMPLE).unwrap());

    let error = rows.set(well, depth, "spike.suspct", 1.0).unwrap_err();
    assert!(error.to_string().contains("known are gross_range.sensor_min"), "{error}");
    let error = rows.set(well, None, "spike.suspect", 1.0).unwrap_err();
    assert!(error.to_string().contains("name the parameter"), "{error}");
    assert!(rows.set(None, None, "spike.suspect", 1.0).is_err());
}

fn row(well: Option<&str>, parameter: Option<Parameter>, limit: &str, value: f64) -> LimitRow {
    LimitRow { well: well.map(str::to_owned), parameter, limit: limit.to_owned(), value }
}

#[test]
fn what_is_set_comes_out_as_rows_that_set_it_again() {
    let overrides = parse(EXAMPLE).unwrap();
    let rows = overrides.rows();
    assert_eq!(rows.len(), 13);
    assert!(rows.contains(&row(Some("UDN-0012"), None, "flat_line.off", 1.0)), "{rows:?}");
    let mut again = QualityOverrides::default();
    rows.iter().for_each(|row| again.set_row(row).unwrap());
    assert_eq!(again, overrides);
}

#[test]
fn a_row_switches_a_test_off_and_on_again() {
    let mut overrides = parse(EXAMPLE).unwrap();
    let (well, depth_to_water) = (Some("UDN-0012"), Some(Parameter::DepthToWater));
    overrides.set_row(&row(well, None, "flat_line.off", 0.0)).unwrap();
    assert!(depth(&overrides, "UDN-0012").flat_line.is_some());
    let off = row(None, depth_to_water, "spike.off", 1.0);
    let switched = overrides.with_rows([&off, &row(None, depth_to_water, "spike.suspect", 0.7)]).unwrap();
    assert_eq!(depth(&switched, "other").spike, None, "whatever the order, over the limits of the text too");
    for (wrong, told) in [
        (row(well, None, "spikes.off", 1.0), "no test `spikes` that can be off"),
        (row(well, None, "spike.off", 2.0), "neither 0 nor 1"),
        (row(None, None, "spike.off", 1.0), "name a well, a parameter or both"),
    ] {
        let error = overrides.set_row(&wrong).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn the_named_limits_of_a_series_give_the_series_again() {
    let overrides = parse(EXAMPLE).unwrap();
    for well in ["UDN-0012", "UDN-0013"] {
        let config = depth(&overrides, well);
        let mut named = QualityOverrides::default();
        for (limit, value) in config.named_limits() {
            assert!(unit(&limit, Some(Parameter::DepthToWater)).is_some(), "{limit}");
            named.set_row(&row(None, Some(Parameter::DepthToWater), &limit, value)).unwrap();
        }
        let again = depth(&named, "X");
        assert_eq!(SeriesConfig { flat_line: config.flat_line, ..again }, config);
    }
    assert_eq!(unit("rate_of_change.suspect_per_hour", Some(Parameter::DepthToWater)).as_deref(), Some("m/h"));
    assert_eq!(unit("gap.silence_max_hours", None).as_deref(), Some("h"));
}

#[test]
fn a_fingerprint_tells_limits_apart_and_stays() {
    let overrides = parse(EXAMPLE).unwrap();
    let (own, other) = (depth(&overrides, "UDN-0012"), depth(&overrides, "UDN-0013"));
    assert_ne!(own.fingerprint(), other.fingerprint());
    assert_eq!(own.fingerprint(), own.clone().fingerprint());
    let objected = SeriesConfig { objections: gwbank_model::QcTests::NONE.with(QcTest::Location), ..own.clone() };
    assert_ne!(objected.fingerprint(), own.fingerprint());
}
