//! The `ioos` mode against the flags that ioos_qc gave: on 460,000 real readings with defects put in (shared), and on
//! simulated ones of this crate (`scripts/golden/quality.py`), with the tests that wells rarely use.

#[path = "support/mod.rs"]
mod support;

use gwbank_quality::Span;
use gwbank_quality::ioos::{
    self, Member, Period, Spread, Window, WindowMin, attenuated_signal, climatology, density_inversion, time_gap,
};
use support::{Table, assert_flags, check_limits, golden, own_golden, read_series};

const TESTS: [&str; 6] = ["gross_range", "spike", "spike_differential", "rate_of_change", "flat_line", "rollup"];

/// Returns how many readings were compared.
fn check_common_tests(config: &Table, flags: &Table) -> usize {
    let mut all = read_series(flags, &TESTS);
    let mut readings = 0;
    for row in &config.rows {
        let key = config.key(row);
        let series = all.remove(&key).unwrap_or_else(|| panic!("no flags of {key:?}"));
        let ours = check_limits(config, row).ioos(&series.times, &series.values);
        for (test, ours) in TESTS.into_iter().zip([
            ours.gross_range,
            ours.spike,
            ours.spike_differential,
            ours.rate_of_change,
            ours.flat_line,
            ours.rollup,
        ]) {
            assert_flags(&format!("{key:?} {test}"), &series, &ours, &series.expected[test]);
        }
        readings += series.values.len();
    }
    assert!(all.is_empty(), "series without configuration");
    readings
}

#[test]
fn ioos_mode_gives_the_flags_of_ioos_qc() {
    assert_eq!(check_common_tests(&own_golden("limits.csv"), &own_golden("flags.csv.gz")), 8_000);
    let (Some(config), Some(flags)) = (golden("qc_config.csv"), golden("qc_flags.csv.gz")) else { return };
    assert_eq!(check_common_tests(&config, &flags), 460_000);
}

#[test]
fn rarer_tests_give_the_flags_of_ioos_qc() {
    const RARER: [&str; 7] = [
        "climatology",
        "attenuated_std",
        "attenuated_std_min_obs",
        "attenuated_range_min_period",
        "attenuated_whole",
        "time_gap",
        "density_inversion",
    ];
    let limits = own_golden("limits.csv");
    let all = read_series(&own_golden("flags.csv.gz"), &RARER);
    for row in &limits.rows {
        let key = limits.key(row);
        let number = |name| limits.number(row, name);
        let series = &all[&key];
        let (times, values) = (&series.times, &series.values);
        let middle = number("climatology_middle");
        let member = |period, (from, to), below, above| Member {
            period,
            from,
            to,
            suspect: Span::new(middle - below, middle + above),
            fail: None,
        };
        let members = [
            Member { fail: Some(Span::new(middle - 0.5, middle + 0.5)), ..member(Period::Month, (5, 6), 0.3, 0.05) },
            member(Period::Month, (6, 6), 0.2, 0.1),
            member(Period::DayOfYear, (190, 196), 0.01, 0.02),
        ];
        let (suspect, fail) = (number("attenuated_suspect"), number("attenuated_fail"));
        let half_a_day = |min| Some(Window { seconds: 43_200, min });
        let attenuated = |spread, suspect, window| attenuated_signal(times, values, spread, suspect, fail, window);
        let depths: Vec<f64> = (0..values.len()).map(|index| (index as f64 - 1_000.0).abs()).collect();
        let (gentle, steep) = (-number("flat_tolerance"), -number("spike_suspect"));
        for (test, ours) in RARER.into_iter().zip([
            climatology(&members, times, values),
            attenuated(Spread::StandardDeviation, suspect, half_a_day(None)),
            attenuated(Spread::StandardDeviation, suspect, half_a_day(Some(WindowMin::Values(10)))),
            attenuated(Spread::Range, suspect, half_a_day(Some(WindowMin::Seconds(36_000)))),
            attenuated(Spread::StandardDeviation, 1_000.0, None),
            time_gap(times, 2.0),
            density_inversion(values, &depths, Some(gentle), Some(steep)),
        ]) {
            assert_flags(&format!("{key:?} {test}"), series, &ours, &series.expected[test]);
        }
    }
}

#[test]
fn rollup_of_nothing_is_nothing() {
    assert!(ioos::roll_up(&[]).is_empty());
}
