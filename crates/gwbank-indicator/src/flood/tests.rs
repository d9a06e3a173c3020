use super::*;
use crate::kind::Bank;
use Severity::*;
use proptest::prelude::*;

const WELL: WellKind = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };
const POND: WellKind = WellKind { bank: Bank::Open, ..WELL };
const LIMITS: FloodLimits =
    FloodLimits { warning_depth_m: Some(1.0), danger_depth_m: Some(0.5), record: None, recovery_depth_m: None };

fn at(hours: f64) -> Timestamp {
    Timestamp::from_secs(1_790_000_000).plus_micros((hours * HOUR as f64) as i64)
}

/// Received a minute after it was measured.
fn reading(hours: f64, depth_m: f64) -> FloodReading {
    FloodReading { time: at(hours), depth_m, received_at: at(hours).plus_secs(60) }
}

fn readings(points: &[(f64, f64)]) -> Vec<FloodReading> {
    points.iter().map(|&(hours, depth)| reading(hours, depth)).collect()
}

fn track(readings: &[FloodReading]) -> FloodTrack {
    follow(WELL, None, readings, &LIMITS, &Surroundings::default(), &FloodRules::default())
}

fn severity(points: &[(f64, f64)]) -> Option<Severity> {
    track(&readings(points)).severity
}

#[test]
fn depth_decides() {
    assert_eq!(severity(&[(0.0, 1.3), (0.25, 1.01)]), None);
    assert_eq!(severity(&[(0.0, 1.3), (0.25, 1.0)]), Some(Warning));
    assert_eq!(severity(&[(0.0, 0.9)]), Some(Warning), "below danger depth one reading suffices");
    assert_eq!(severity(&[(0.0, 0.8), (0.25, 0.5)]), Some(Severe));
    assert_eq!(severity(&[(0.0, 0.3), (0.25, 0.0)]), Some(Extreme));
    assert_eq!(severity(&[(0.0, 0.1), (0.25, -0.2)]), Some(Extreme));
}

#[test]
fn an_unsupported_jump_to_danger_waits_for_the_second() {
    let jump = track(&readings(&[(0.0, 3.0), (0.25, 0.2)]));
    assert_eq!((jump.severity, jump.last_met_at), (None, None));
    assert_eq!(severity(&[(0.0, 3.0), (0.25, 0.2), (0.5, 3.0)]), None);
    let second = track(&readings(&[(0.0, 3.0), (0.25, 0.4), (0.5, -0.3)]));
    assert_eq!(second.severity, Some(Severe), "the milder of the two");
    assert_eq!(second.met.unwrap().1, Support::SecondInARow);
    assert_eq!(second.since, Some(at(0.5)));
}

#[test]
fn rain_or_a_neighbour_supports_one_reading() {
    let list = readings(&[(0.0, 3.0), (0.25, 0.2)]);
    let with = |surroundings: Surroundings<'_>| {
        follow(WELL, None, &list, &LIMITS, &surroundings, &FloodRules::default()).met.map(|(met, s)| (met.severity, s))
    };
    let rain = [(at(-30.0), 50.0), (at(-3.0), 6.0), (at(-2.0), 5.0)];
    assert_eq!(with(Surroundings { rain: Some(&rain), ..Default::default() }), Some((Severe, Support::Rain)));
    assert_eq!(with(Surroundings { rain: Some(&rain[..2]), ..Default::default() }), None, "6 mm within 24 h");
    let neighbours = [at(-1.0)];
    let found = with(Surroundings { neighbours: &neighbours, ..Default::default() });
    assert_eq!(found, Some((Severe, Support::Neighbour)));
    let tomorrow = [at(1.0)];
    assert_eq!(with(Surroundings { neighbours: &tomorrow, ..Default::default() }), None);
}

#[test]
fn late_readings_write_history_only() {
    let mut list = readings(&[(0.0, 0.9), (0.25, 0.8)]);
    for reading in &mut list {
        reading.received_at = at(9.0);
    }
    assert_eq!(track(&list).severity, None);
    // A manual well read twice a day may come 24 h late.
    let mut slow = readings(&[(0.0, 2.0), (12.0, 2.0), (24.0, 0.9)]);
    slow[2].received_at = at(45.0);
    assert_eq!(track(&slow).severity, Some(Warning));
    let live = track(&readings(&[(0.0, 0.9)]));
    assert!(live.is_live(at(3.0), &FloodRules::default()));
    assert!(!live.is_live(at(3.1), &FloodRules::default()));
}

#[test]
fn six_hours_beyond_the_margin_clear() {
    let falling = |depth: f64, hours: usize| {
        let mut points = vec![(0.0, 0.9)];
        points.extend((1..=hours).map(|h| (h as f64, depth)));
        track(&readings(&points))
    };
    assert_eq!(falling(1.05, 48).severity, Some(Warning), "within the exit margin");
    assert_eq!(falling(1.2, 6).severity, Some(Warning), "five hours from the first reading beyond it");
    let cleared = falling(1.2, 7);
    assert_eq!(cleared.severity, None);
    assert_eq!(cleared.steps.len(), 2);
    assert_eq!(cleared.steps[1].at, at(7.0));
    // One reading back inside starts the six hours anew.
    let mut points = vec![(0.0, 0.9)];
    points.extend((1..=9).map(|h| (f64::from(h), if h == 5 { 1.05 } else { 1.3 })));
    assert_eq!(severity(&points), Some(Warning));
}

#[test]
fn eases_step_by_step() {
    let mut points = vec![(0.0, 0.3), (0.25, -0.1)];
    points.extend((1..=7).map(|h| (f64::from(h), 0.45)));
    assert_eq!(severity(&points), Some(Severe));
    points.extend((8..=14).map(|h| (f64::from(h), 0.8)));
    assert_eq!(severity(&points), Some(Warning));
    points.extend((15..=21).map(|h| (f64::from(h), 2.0)));
    assert_eq!(severity(&points), None);
}

#[test]
fn silence_is_stale_and_clears_nothing() {
    let rules = FloodRules::default();
    let track = track(&readings(&[(0.0, 0.9), (0.25, 0.9)]));
    assert!(!track.is_stale(at(6.2), &rules));
    assert!(track.is_stale(at(6.3), &rules));
    assert_eq!(track.severity, Some(Warning));
    let nothing = follow(WELL, Some(Severe), &[], &LIMITS, &Surroundings::default(), &rules);
    assert_eq!(nothing.severity, Some(Severe));
    assert!(nothing.is_stale(at(0.0), &rules));
}

#[test]
fn a_closed_bank_never_speaks() {
    let closed = WellKind { bank: Bank::Closed, ..WELL };
    let list = readings(&[(0.0, 0.2), (0.25, -0.5), (0.5, -0.5)]);
    let track = follow(closed, None, &list, &LIMITS, &Surroundings::default(), &FloodRules::default());
    assert_eq!(track.severity, None);
}

#[test]
fn an_open_bank_rests_while_it_fills_and_must_recover() {
    let rules = FloodRules::default();
    let no_limits = FloodLimits::default();
    let rain = [(at(0.0), 30.0), (at(1.0), 10.0)];
    let surroundings = Surroundings { rain: Some(&rain), ..Default::default() };
    let mut points: Vec<(f64, f64)> = (0..48).map(|h| (f64::from(h), 0.8)).collect();
    let filling = follow(POND, None, &readings(&points[..20]), &LIMITS, &surroundings, &rules);
    assert_eq!((filling.severity, filling.filling), (None, true));
    let after = follow(POND, None, &readings(&points[..30]), &LIMITS, &surroundings, &rules);
    assert_eq!((after.severity, after.filling), (Some(Warning), false));

    let waits = follow(POND, None, &readings(&points), &no_limits, &surroundings, &rules);
    assert_eq!(waits.severity, None);
    points.extend((48..52).map(|h| (f64::from(h), 0.82)));
    let stuck = follow(POND, None, &readings(&points), &no_limits, &surroundings, &rules);
    assert_eq!(stuck.met.unwrap().0.rule, "failure_to_recover");
    assert_eq!(stuck.severity, Some(Watch));
    points.iter_mut().skip(20).for_each(|p| p.1 = 1.4);
    let fallen = follow(POND, None, &readings(&points), &no_limits, &surroundings, &rules);
    assert_eq!(fallen.severity, None);
    // New rain makes no new judgement for two days: what was found stands until the level has fallen.
    let rained_again = [(at(0.0), 30.0), (at(53.0), 20.0)];
    let surroundings = Surroundings { rain: Some(&rained_again), ..Default::default() };
    let held = FloodLimits { recovery_depth_m: Some(0.85), ..no_limits };
    let later = |depth: f64| (53..70).map(|h| reading(f64::from(h), depth)).collect::<Vec<_>>();
    let follow_later = |depth: f64| follow(POND, Some(Watch), &later(depth), &held, &surroundings, &rules).severity;
    assert_eq!(follow_later(0.8), Some(Watch));
    assert_eq!(follow_later(1.4), None);
    // Without a rain gauge a rise is taken for filling.
    let rising = readings(&[(0.0, 1.2), (6.0, 1.0), (12.0, 0.9)]);
    assert!(follow(POND, None, &rising, &LIMITS, &Surroundings::default(), &rules).filling);
}

#[test]
fn without_limits_only_a_record_high_is_watched() {
    let follow_with = |record, depth| {
        let limits = FloodLimits { record, ..FloodLimits::default() };
        let list = readings(&[(0.0, depth + 0.1), (0.25, depth)]);
        follow(WELL, None, &list, &limits, &Surroundings::default(), &FloodRules::default()).severity
    };
    assert_eq!(follow_with(Some((1.5, 3)), 1.4), Some(Watch));
    assert_eq!(follow_with(Some((1.5, 3)), -0.5), Some(Watch), "never more");
    assert_eq!(follow_with(Some((1.5, 2)), 1.0), None, "two seasons are no record");
    assert_eq!(follow_with(Some((4.0, 9)), 3.0), None, "3 m is no flood");
    assert_eq!(follow_with(None, 0.1), None);
}

#[test]
fn faults_do_not_count_and_quick_rises_do() {
    let tests = |test| QcTests::NONE.with(test);
    assert!(counts(QualityFlag::Suspect, tests(QcTest::RateOfChange)));
    assert!(counts(QualityFlag::NotEvaluated, QcTests::NONE));
    assert!(!counts(QualityFlag::Suspect, tests(QcTest::Spike)));
    assert!(!counts(QualityFlag::Suspect, tests(QcTest::Uncompensated)));
    assert!(!counts(QualityFlag::Fail, QcTests::NONE));
    assert!(!counts(QualityFlag::Missing, QcTests::NONE));
}

proptest! {
    /// Following the first part, then the rest from where it stood, never ends milder than the last reading claims,
    /// and a condition never ends while a reading within six hours lay inside the exit margin.
    #[test]
    fn never_ends_early(depths in proptest::collection::vec(-0.3f64..2.0, 1..80)) {
        let list: Vec<FloodReading> = depths.iter().enumerate().map(|(i, &d)| reading(i as f64 * 0.5, d)).collect();
        let rules = FloodRules::default();
        let track = track(&list);
        for step in track.steps.iter().filter(|step| step.to < step.from) {
            let from = step.from.unwrap();
            let limit = ladder(&LIMITS, None, &rules).iter().find(|s| s.severity == from).unwrap().limit_m;
            let start = step.at.plus_micros(-rules.exit_hours * HOUR);
            let inside = list
                .iter()
                .filter(|r| r.time > start && r.time <= step.at)
                .any(|r| r.depth_m <= limit + rules.exit_margin_m);
            prop_assert!(!inside);
        }
    }

    /// Higher water never leads to a milder state, where support is not in question.
    #[test]
    fn monotonic(depths in proptest::collection::vec(0.51f64..2.0, 1..60), lift in 0.0f64..0.3) {
        let points = |lift: f64| {
            let list: Vec<_> =
                depths.iter().enumerate().map(|(i, &d)| reading(i as f64 * 0.5, (d - lift).max(0.51))).collect();
            track(&list).severity
        };
        prop_assert!(points(lift) >= points(0.0));
    }
}
