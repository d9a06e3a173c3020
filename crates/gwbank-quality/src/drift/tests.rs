use gwbank_model::QualityFlag;

use super::*;

fn at(day: f64, value: f64) -> Point {
    Point { time: Timestamp::from_micros((day * 86_400e6) as i64), value: Some(value), site_status: None }
}

#[test]
fn the_normal_distribution_is_right_to_seven_digits() {
    for (x, expected) in
        [(0.0, 1.0), (0.5, 0.479_500_122), (1.0, 0.157_299_207), (3.0, 2.209_049_7e-5), (-1.0, 1.842_700_79)]
    {
        assert!((erfc(x) / expected - 1.0).abs() < 2e-7, "{x}");
    }
    assert!((normal_quantile(0.975) - 1.959_963_985).abs() < 1e-6);
    assert!((normal_quantile(0.995) - 2.575_829_304).abs() < 1e-6);
}

#[test]
fn noise_is_no_drift_and_a_small_drift_does_not_matter() {
    let noise = |i: i32| (f64::from(i) * 12.9898).sin() * 0.01;
    let zero: Vec<Point> = (0..100).map(|i| at(f64::from(i) * 7.0, 0.0)).collect();
    let noisy: Vec<Point> = (0..100).map(|i| at(f64::from(i) * 7.0, noise(i))).collect();
    assert!(matches!(drift(&DriftRules::default(), &noisy, &zero), Drift::Steady(found) if found.p > 0.01));
    let slow: Vec<Point> = (0..100).map(|i| at(f64::from(i) * 7.0, f64::from(i) * 1e-4)).collect();
    let Drift::Steady(found) = drift(&DriftRules::default(), &slow, &zero) else { panic!("5 mm a year") };
    assert!(found.p < 1e-6 && (found.per_year - 0.005_217_857).abs() < 1e-6, "{found:?}");
}

#[test]
fn witnesses_that_repeat_each_other_count_less() {
    // A wander over months, as the difference of two wells has it: a naive test sees a trend in a third of such series.
    let wander: Vec<Point> = (0..200).map(|i| at(f64::from(i), (f64::from(i) / 60.0).sin() * 0.05)).collect();
    let zero: Vec<Point> = (0..200).map(|i| at(f64::from(i), 0.0)).collect();
    let drifting = drift(&DriftRules::default(), &wander, &zero);
    assert!(matches!(drifting, Drift::Steady(found) if found.p > 0.01), "{drifting:?}");
}

#[test]
fn a_fifth_of_wrong_check_readings_is_borne() {
    let sensor: Vec<Point> = (0..400).map(|i| at(f64::from(i), 3.0 + f64::from(i) * 2e-4)).collect();
    let dipped: Vec<Point> = (0..40).map(|i| at(f64::from(i) * 10.0, if i % 5 == 2 { 4.0 } else { 3.0 })).collect();
    let Drift::Drifting(found) = drift(&DriftRules::default(), &sensor, &dipped) else { panic!() };
    assert!((found.per_year / 0.073 - 1.0).abs() < 0.05, "{found:?}");
}

#[test]
fn long_series_are_condensed() {
    let sensor: Vec<Point> = (0..20_000).map(|i| at(f64::from(i) / 24.0, f64::from(i) * 1e-5)).collect();
    let zero: Vec<Point> = (0..20_000).map(|i| at(f64::from(i) / 24.0, 0.0)).collect();
    let Drift::Drifting(found) = drift(&DriftRules::default(), &sensor, &zero) else { panic!() };
    assert_eq!(found.pairs, 20_000);
    assert!((found.per_year - 24.0 * 365.25 * 1e-5).abs() < 1e-4);
    assert!(condense(&present(&sensor)).len() <= CONDENSED_MAX + 1);
}

#[test]
fn no_readings_no_word() {
    assert_eq!(drift(&DriftRules::default(), &[], &[]), Drift::Insufficient { pairs: 0, needed: 6 });
    let same: Vec<Point> = (0..9).map(|_| at(1.0, 1.0)).collect();
    assert!(matches!(drift(&DriftRules::default(), &same, &same), Drift::Insufficient { .. }), "of one time");
}

#[test]
fn slope_and_interval_are_those_of_scipy() {
    let mut reader = csv::Reader::from_reader(include_bytes!("../../tests/golden/drift.csv").as_slice());
    let rows: Vec<[f64; 6]> = reader.deserialize().map(Result::unwrap).collect();
    let series: Vec<&[[f64; 6]]> = rows.chunk_by(|a, b| a[0] == b[0]).collect();
    assert_eq!(series.len(), 3);
    for rows in series {
        let years: Vec<f64> = rows.iter().map(|row| row[1]).collect();
        let values: Vec<f64> = rows.iter().map(|row| row[2]).collect();
        let mut slopes = slopes(&years, &values);
        let slope = median(&mut slopes).unwrap();
        let (low, high) = interval(&slopes, kendall_variance(&values), 0.01);
        for (ours, theirs) in [slope, low, high].into_iter().zip(&rows[0][3..]) {
            assert!((ours - theirs).abs() < 1e-12, "series {}: {ours} {theirs}", rows[0][0]);
        }
    }
}

#[test]
fn what_has_drifted_too_far_is_suspect_and_can_be_corrected() {
    let sensor: Vec<Point> = (0..731).map(|i| at(f64::from(i), 3.02 + f64::from(i) * 2e-4)).collect();
    let dipped: Vec<Point> = (1..24).map(|i| at(f64::from(i) * 30.0, 3.0)).collect();
    let Drift::Drifting(found) = drift(&DriftRules::default(), &sensor, &dipped) else { panic!() };
    for point in &sensor {
        assert!((point.value.unwrap() - found.error_at(point.time) - 3.0).abs() < 1e-9);
    }
    let flags = found.flags(&sensor, 0.050_1);
    assert_eq!(flags[29], QualityFlag::NotEvaluated, "before the first check");
    let first = flags.iter().position(|flag| *flag == QualityFlag::Suspect);
    assert_eq!(first, Some(30 + 251), "5 cm after 250 days");
    assert!(flags[281..].iter().all(|flag| *flag == QualityFlag::Suspect));
}
