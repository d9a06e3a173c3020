use proptest::prelude::*;

use super::*;

fn hour(h: f64) -> Timestamp {
    Timestamp::from_secs((h * 3600.0) as i64)
}

fn readings(points: &[(f64, f64)]) -> Vec<(Timestamp, f64)> {
    points.iter().map(|&(h, depth)| (hour(h), depth)).collect()
}

fn ground(points: &[(f64, f64)]) -> Option<TimeToGround> {
    time_to_ground(&readings(points), Filling::No, Some(1.0), &RapidRules::default())
}

#[test]
fn a_rise_needs_six_hours_and_four_readings() {
    assert!(ground(&[(0.0, 1.3), (2.0, 1.2), (4.0, 1.1), (6.0, 1.05)]).is_some());
    assert_eq!(ground(&[(0.0, 1.3), (3.0, 1.2), (6.0, 1.05)]), None, "three readings");
    assert_eq!(ground(&[(1.0, 1.3), (2.0, 1.2), (4.0, 1.1), (6.0, 1.05)]), None, "five hours");
    assert_eq!(ground(&[(0.0, 1.3), (2.0, 1.1), (4.0, 1.2), (6.0, 1.05)]), None, "not steady");
    assert!(ground(&[(0.0, 1.3), (2.0, 1.192), (4.0, 1.2), (6.0, 1.05)]).is_some(), "noise");
    assert_eq!(ground(&[(0.0, 1.3), (2.0, 1.3), (4.0, 1.29), (6.0, 1.26)]), None, "hardly a rise");
    assert_eq!(ground(&[(0.0, 2.3), (2.0, 2.0), (4.0, 1.8), (6.0, 1.6)]), None, "too deep");
    assert_eq!(ground(&[(0.0, 1.3), (5.0, 1.2), (5.5, 1.15), (6.0, 1.1)]), None, "nobody saw the first five hours");
    assert!(
        ground(&[(-2.0, 0.4), (0.0, 1.3), (2.0, 1.2), (4.0, 1.1), (6.0, 1.05)]).is_some(),
        "what was before is past"
    );
}

#[test]
fn a_slow_rise_is_beyond_the_horizon() {
    assert_eq!(ground(&[(0.0, 1.56), (2.0, 1.54), (4.0, 1.52), (6.0, 1.5)]), None, "150 hours");
    let at_the_ground = ground(&[(0.0, 0.06), (2.0, 0.04), (4.0, 0.02), (6.0, -0.02)]).unwrap();
    assert_eq!((at_the_ground.hours, at_the_ground.severity), (0.0, Severity::Warning));
}

#[test]
fn daily_readings_have_the_longer_window() {
    let rules = RapidRules::default();
    let found = rapid_change(&readings(&[(0.0, 4.0), (24.3, 3.3)]), &UsualRises::default(), &rules).unwrap();
    assert_eq!(found.hours, 24);
    assert_eq!(rapid_change(&readings(&[(0.0, 4.0), (25.0, 3.3)]), &UsualRises::default(), &rules), None);
    assert_eq!(rapid_change(&readings(&[(0.0, 4.0), (6.0, 3.5)]), &UsualRises::default(), &rules), None, "not above");
}

#[test]
fn the_present_season_says_nothing_of_what_is_usual() {
    let at = |text: String| Timestamp::parse_rfc3339(&text).unwrap();
    let mut found = Vec::new();
    for (year, rise) in [(2022, 0.6), (2023, 1.4), (2024, 0.9), (2025, 3.0)] {
        found.push((at(format!("{year}-07-10T06:00:00+07:00")), 4.0));
        found.push((at(format!("{year}-07-10T12:00:00+07:00")), 4.0 - rise));
        // In the dry season a pump was switched off.
        found.push((at(format!("{year}-02-10T06:00:00+07:00")), 9.0));
        found.push((at(format!("{year}-02-10T12:00:00+07:00")), 4.0));
    }
    let usual = usual_rises(WetSeason::MayToOctober, &found, &RapidRules::default());
    assert_eq!(usual.seasons, 3);
    assert!(usual.rises_m.iter().all(|rise| (rise.unwrap() - 0.9).abs() < 1e-12), "{usual:?}");
}

fn any_readings() -> impl Strategy<Value = Vec<(i32, f64, u32)>> {
    let depth = prop_oneof![-0.5f64..2.0, any::<f64>()];
    proptest::collection::vec((0i32..40, depth, any::<u32>()), 0..30)
}

proptest! {
    #[test]
    fn order_of_arrival_is_of_no_consequence(mut found in any_readings()) {
        let of = |found: &[(i32, f64, u32)]| {
            let points: Vec<_> = found.iter().map(|r| (hour(f64::from(r.0)), r.1)).collect();
            let rules = RapidRules::default();
            let usual = usual_rises(WetSeason::MayToOctober, &points, &rules);
            (
                rapid_change(&points, &UsualRises::default(), &rules),
                time_to_ground(&points, Filling::No, None, &rules),
                usual,
            )
        };
        let before = of(&found);
        found.sort_by_key(|r| r.2);
        prop_assert_eq!(before, of(&found));
    }

    /// Water that stands higher by a constant is never farther from the ground, nor called milder.
    #[test]
    fn higher_water_is_never_later(
        start in 0.5f64..1.5, steps in proptest::collection::vec(-0.005f64..0.2, 6..12), up in 0.0f64..1.0,
    ) {
        let mut depth = start;
        let mut points = vec![(hour(0.0), depth)];
        for (index, step) in steps.iter().enumerate() {
            depth -= step;
            points.push((hour(1.0 + index as f64), depth));
        }
        let higher: Vec<_> = points.iter().map(|p| (p.0, p.1 - up)).collect();
        let of = |points: &[_]| time_to_ground(points, Filling::No, Some(0.6), &RapidRules::default());
        if let Some(a) = of(&points) {
            let b = of(&higher).expect("higher water is nearer");
            prop_assert!(b.severity >= a.severity && b.hours <= a.hours + 1e-9);
        }
    }
}
