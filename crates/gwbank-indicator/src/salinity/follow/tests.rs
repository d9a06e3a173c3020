use gwbank_model::Month;
use proptest::prelude::*;

use super::*;

const WET: WetSeason = WetSeason::MayToOctober;

fn at(day: i64) -> Timestamp {
    Month::new(2024, 1).first_day().start(BANGKOK_OFFSET_SECONDS).plus_secs(day * 86_400 + 7 * 3600)
}

/// Two years at `usual`, and then what the last days had.
fn record(usual: f64, last: &[f64]) -> Vec<(Timestamp, f64)> {
    let before = (0..730).map(|day| (at(day), usual));
    before.chain(last.iter().zip(730..).map(|(value, day)| (at(day), *value))).collect()
}

fn track(usual: f64, last: &[f64], recharges: &[Timestamp]) -> SalinityTrack {
    follow(WET, &record(usual, last), recharges, &SalinityRules::default())
}

fn rules_of(track: &SalinityTrack) -> Vec<(Option<Severity>, Option<&'static str>)> {
    track.steps.iter().map(|step| (step.to, step.met.map(|met| met.rule))).collect()
}

#[test]
fn a_rise_of_a_fifth_and_300_is_watched() {
    assert_eq!(track(300.0, &[590.0; 20], &[]).severity, None, "twice as much, but of nothing");
    assert_eq!(track(300.0, &[610.0; 20], &[]).severity, Some(Severity::Watch));
    assert_eq!(track(1900.0, &[2270.0; 20], &[]).severity, None, "370 µS/cm, but less than a fifth");
    assert_eq!(track(1900.0, &[2290.0; 20], &[]).severity, Some(Severity::Watch));
}

#[test]
fn four_of_seven_days_make_the_median() {
    assert_eq!(track(300.0, &[700.0; 3], &[]).severity, None);
    let found = track(300.0, &[700.0; 4], &[]);
    assert_eq!(found.since, Some(at(733).day(BANGKOK_OFFSET_SECONDS)));
}

#[test]
fn another_class_must_hold_for_a_week() {
    // Brackish from 781 µS/cm on; with the margin from 859.
    assert_eq!(track(700.0, &[850.0; 40], &[]).severity, None);
    assert_eq!(track(700.0, &[870.0; 10], &[]).severity, None);
    let found = track(700.0, &[870.0; 11], &[]);
    assert_eq!(rules_of(&found), [(Some(Severity::Warning), Some("class_change"))]);
}

#[test]
fn what_comes_after_recharge_is_severe() {
    let recharge = [at(720)];
    assert_eq!(rules_of(&track(700.0, &[870.0; 11], &recharge)), [(Some(Severity::Severe), Some("after_recharge"))]);
    assert_eq!(track(700.0, &[870.0; 11], &[at(700)]).severity, Some(Severity::Warning), "33 days before");
    assert_eq!(track(700.0, &[870.0; 11], &[at(735)]).severity, Some(Severity::Warning), "the rise came first");
}

#[test]
fn twice_the_baseline_is_severe_at_once() {
    assert_eq!(rules_of(&track(700.0, &[1500.0; 4], &[])), [(Some(Severity::Severe), Some("doubled"))]);
    assert_eq!(track(740.0, &[1470.0; 4], &[]).severity, Some(Severity::Watch), "below 1,500 µS/cm");
}

#[test]
fn it_ends_after_two_weeks_well_below() {
    let mut last = vec![700.0; 10];
    last.extend([545.0; 40]);
    assert_eq!(track(300.0, &last, &[]).severity, Some(Severity::Watch), "less than 10 % below 600");
    let mut last = vec![700.0; 10];
    last.extend([300.0; 17]);
    assert_eq!(track(300.0, &last, &[]).severity, Some(Severity::Watch));
    last.push(300.0);
    let found = track(300.0, &last, &[]);
    assert_eq!((found.severity, found.since), (None, None));
}

#[test]
fn silence_ends_nothing() {
    let mut readings = record(300.0, &[700.0; 10]);
    readings.extend((0..3).map(|day| (at(800 + day), 300.0)));
    let found = follow(WET, &readings, &[], &SalinityRules::default());
    assert_eq!(found.severity, Some(Severity::Watch), "three days after two months without readings");
}

#[test]
fn always_saline_and_too_young_wells_show_their_class() {
    let found = track(4000.0, &[12_000.0; 30], &[]);
    assert!(found.severity.is_none() && found.steps.is_empty());
    let now = found.now.unwrap();
    assert!(now.always_saline);
    assert_eq!((now.display, now.science), (DisplayClass::Saline, ScienceClass::ModeratelySaline));

    let young: Vec<_> = (0..60).map(|day| (at(day), if day < 30 { 300.0 } else { 3000.0 })).collect();
    let found = follow(WET, &young, &[], &SalinityRules::default());
    assert_eq!((found.severity, found.now.unwrap().baseline), (None, None));
}

#[test]
fn monthly_samples_raise_with_the_second_high_one_of_three() {
    let monthly = |last: &[f64]| {
        let usual = (0..36).map(|month| (at(month * 30), 400.0));
        let readings: Vec<_> =
            usual.chain(last.iter().zip(36..).map(|(value, month)| (at(month * 30), *value))).collect();
        follow(WET, &readings, &[], &SalinityRules::default())
    };
    assert_eq!(monthly(&[1600.0]).severity, None);
    assert_eq!(monthly(&[1600.0]).now.unwrap().ec_25, 400.0);
    assert_eq!(monthly(&[1600.0, 1650.0]).severity, Some(Severity::Severe));
    // Two samples a year make no window, but a class.
    let rarely: Vec<_> = (0..10).map(|half| (at(half * 180), if half < 8 { 400.0 } else { 2000.0 })).collect();
    let found = follow(WET, &rarely, &[], &SalinityRules::default());
    assert_eq!((found.severity, found.now.unwrap().display), (None, DisplayClass::Brackish));
}

proptest! {
    #[test]
    fn order_of_arrival_is_of_no_consequence(
        mut readings in proptest::collection::vec((0i64..1500 * 24, prop_oneof![Just(f64::NAN), 0.0f64..4000.0], any::<u32>()), 1..200),
    ) {
        let of = |readings: &[(i64, f64, u32)]| {
            let points: Vec<_> = readings.iter().map(|r| (at(0).plus_secs(r.0 * 3600), r.1)).collect();
            follow(WET, &points, &[at(100), at(900)], &SalinityRules::default())
        };
        let before = of(&readings);
        readings.sort_by_key(|r| r.2);
        prop_assert_eq!(before, of(&readings));
    }

    /// A present that is salter by any factor never has a milder flag or a fresher class.
    #[test]
    fn salter_is_never_milder(last in proptest::collection::vec(200.0f64..3000.0, 1..40), factor in 1.0f64..4.0) {
        let salter: Vec<f64> = last.iter().map(|value| value * factor).collect();
        let (a, b) = (track(400.0, &last, &[]), track(400.0, &salter, &[]));
        prop_assert!(b.severity >= a.severity, "{:?} {:?}", a.severity, b.severity);
        prop_assert!(b.now.unwrap().display >= a.now.unwrap().display);
    }

    #[test]
    fn nothing_panics(readings in proptest::collection::vec((any::<i32>(), any::<f64>()), 0..40)) {
        let points: Vec<_> = readings.iter().map(|r| (Timestamp::from_secs(i64::from(r.0) * 50), r.1)).collect();
        follow(WET, &points, &[], &SalinityRules::default());
    }
}
