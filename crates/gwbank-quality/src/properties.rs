//! Properties of the strict mode: the stream against a slow reading of the rules, stretches against the whole.

use gwbank_model::{QcTest, QcTests, QualityFlag, SiteStatus, Timestamp};
use proptest::prelude::*;

use crate::config::{FLAT_UNUSABLE_RUN_MAX, RATE_LOOKBACK_POINTS};
use crate::flat::RunLimits;
use crate::review::{ReviewRules, review};
use crate::shift::{Falling, ShiftLimits};
use crate::strict::{Neighbour, gross_range, objects, rate_of_change, spike};
use crate::{
    Assessment, AttenuatedSignal, Climatology, Finding, Findings, FlatLine, Floor, Gap, GrossRange, Growth, Point,
    RateOfChange, Reach, SeriesConfig, Span, Spike, Standstill, Stream, TestFlags, assess, assess_detailed,
};

const SECOND: i64 = 1_000_000;
/// About the end of January, with the zone of the limits.
const START: Timestamp = Timestamp::from_secs(2_678_400);

/// Limits so tight that short random series meet all of them.
fn config() -> SeriesConfig {
    SeriesConfig {
        gross_range: Some(GrossRange { sensor: Span::new(-10.0, 10.0), user: Span::new(-6.0, 6.0) }),
        spike: Some(Spike {
            suspect: 0.5,
            fail: 3.0,
            relative: 0.3,
            growth: Growth::Constant,
            gap_max_micros: 15 * SECOND,
        }),
        rate_of_change: Some(RateOfChange {
            suspect_per_hour: 1_000.0,
            fail_per_hour: Some(3_000.0),
            elapsed_min_micros: 2 * SECOND,
            gap_max_micros: 25 * SECOND,
        }),
        flat_line: Some(FlatLine {
            suspect: Some(Standstill { span_micros: 12 * SECOND, readings_min: 3 }),
            fail: Some(Standstill { span_micros: 30 * SECOND, readings_min: 5 }),
            tolerance: 0.16,
            gap_max_micros: 10 * SECOND,
        }),
        floor: Some(Floor::AtOrBelow(-5.0)),
        gap: Some(Gap { silence_max_micros: 11 * SECOND }),
        climatology: Some(Box::new(Climatology {
            months: [Some(Span::new(0.0, 1.5)), Some(Span::new(1.04, 9.0)), None].repeat(4).try_into().unwrap(),
            zone_offset_seconds: -100,
        })),
        attenuated_signal: Some(AttenuatedSignal {
            suspect: Some(Standstill { span_micros: 25 * SECOND, readings_min: 4 }),
            fail: Some(Standstill { span_micros: 50 * SECOND, readings_min: 12 }),
            range_min: 1.0,
            gap_max_micros: 14 * SECOND,
        }),
        objections: QcTests::NONE,
        findings: Findings::new(
            [(20, QcTest::LevelShift), (45, QcTest::LevelShift), (52, QcTest::Review)].map(|(secs, test)| Finding {
                test,
                from: START.plus_secs(secs),
                to: START.plus_secs(secs + 12),
            }),
        ),
    }
}

/// [`config`] and parts of it, each with a reach of its own: neighbours only, mostly time, mostly readings.
fn configs() -> impl Strategy<Value = SeriesConfig> {
    let flat = |span: i64, readings_min| {
        let suspect = Some(Standstill { span_micros: span * SECOND, readings_min });
        let flat_line = config().flat_line.map(|flat| FlatLine { suspect, fail: None, ..flat });
        SeriesConfig { flat_line, spike: None, rate_of_change: None, attenuated_signal: None, ..config() }
    };
    let attenuated = |span: i64, readings_min| {
        let suspect = Some(Standstill { span_micros: span * SECOND, readings_min });
        let attenuated_signal =
            config().attenuated_signal.map(|signal| AttenuatedSignal { suspect, fail: None, ..signal });
        SeriesConfig { attenuated_signal, flat_line: None, spike: None, rate_of_change: None, ..config() }
    };
    prop_oneof![
        2 => Just(config()),
        2 => Just(SeriesConfig { flat_line: None, ..config() }),
        2 => Just(SeriesConfig { flat_line: None, attenuated_signal: None, ..config() }),
        2 => Just(SeriesConfig { gap: None, climatology: None, attenuated_signal: None, ..config() }),
        1 => Just(flat(60, 0)),
        1 => Just(flat(0, 9)),
        1 => Just(attenuated(70, 0)),
        1 => Just(attenuated(0, 11)),
    ]
}

fn points(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Point>> {
    let step = prop_oneof![12 => 1i64..4, 4 => 4i64..12, 1 => 12i64..60];
    let value = prop_oneof![
        // Mostly still within the tolerance, so that runs grow long.
        24 => prop_oneof![Just(1.0), Just(1.05), Just(1.1), Just(1.16)].prop_map(Some),
        4 => prop_oneof![Just(1.2), Just(2.0), Just(4.9), Just(-5.0), Just(8.0), Just(99.0)].prop_map(Some),
        1 => Just(Some(f64::INFINITY)),
        3 => Just(None),
    ];
    let status = prop_oneof![
        30 => Just(None),
        2 => Just(Some(SiteStatus::Ok)),
        1 => Just(Some(SiteStatus::Dry)),
        1 => Just(Some(SiteStatus::Pumping)),
    ];
    proptest::collection::vec((step, value, status), length).prop_map(|steps| {
        let mut time = START;
        let next = |(step, value, site_status)| {
            time = time.plus_secs(step);
            Point { time, value, site_status }
        };
        steps.into_iter().map(next).collect()
    })
}

/// The rules read word by word, each reading judged from the whole series, in quadratic time.
mod plain {
    use super::*;

    fn usable(config: &SeriesConfig, point: &Point) -> Option<Neighbour> {
        let value = point.value.filter(|value| value.is_finite())?;
        let in_range = gross_range(config, value) != QualityFlag::Fail;
        let is_rejected = config.findings.at(point.time).contains(QcTest::Review);
        (in_range && !is_rejected && !point.is_disturbed()).then_some(Neighbour { time: point.time, value })
    }

    fn spike_at(config: &SeriesConfig, points: &[Point], index: usize) -> QualityFlag {
        let neighbour = |index: Option<usize>| usable(config, points.get(index?)?);
        let Some(limits) = &config.spike else { return QualityFlag::NotEvaluated };
        match (neighbour(index.checked_sub(1)), neighbour(Some(index)), neighbour(Some(index + 1))) {
            (Some(before), Some(at), Some(after)) => spike(limits, before, at, after),
            _ => QualityFlag::NotEvaluated,
        }
    }

    fn rate_at(config: &SeriesConfig, points: &[Point], index: usize) -> QualityFlag {
        let (Some(limits), Some(at)) = (&config.rate_of_change, usable(config, &points[index])) else {
            return QualityFlag::NotEvaluated;
        };
        let candidates = (index.saturating_sub(RATE_LOOKBACK_POINTS)..index).rev();
        let mut candidates = candidates.filter_map(|i| Some((i, usable(config, &points[i])?)));
        let is_spike = |i| objects(spike_at(config, points, i));
        let Some((last, mut before)) = candidates.next() else { return QualityFlag::NotEvaluated };
        if is_spike(last) {
            match candidates.next() {
                Some((index, earlier)) if !is_spike(index) => before = earlier,
                _ => return QualityFlag::NotEvaluated,
            }
        }
        rate_of_change(limits, before, at)
    }

    fn gap_at(config: &SeriesConfig, points: &[Point], index: usize) -> QualityFlag {
        let (Some(limits), Some(before)) = (config.gap, index.checked_sub(1).map(|i| points[i].time)) else {
            return QualityFlag::NotEvaluated;
        };
        let is_late = points[index].time > before.plus_micros(limits.silence_max_micros);
        if is_late { QualityFlag::Suspect } else { QualityFlag::Pass }
    }

    fn climatology_at(config: &SeriesConfig, point: &Point) -> QualityFlag {
        let (Some(limits), Some(Neighbour { value, .. })) = (&config.climatology, usable(config, point)) else {
            return QualityFlag::NotEvaluated;
        };
        let month = point.time.month(limits.zone_offset_seconds).month_of_year();
        match limits.months[month as usize - 1] {
            None => QualityFlag::NotEvaluated,
            Some(span) if span.min <= value && value <= span.max => QualityFlag::Pass,
            Some(_) => QualityFlag::Suspect,
        }
    }

    fn run_at(config: &SeriesConfig, limits: Option<RunLimits>, points: &[Point], index: usize) -> QualityFlag {
        let Some(limits) = limits else { return QualityFlag::NotEvaluated };
        let moves = |point: &Point| usable(config, point).filter(|n| !config.floor.unwrap().reached_by(n.value));
        let Some(newest) = moves(&points[index]) else { return QualityFlag::NotEvaluated };
        // Backwards from the newest as far as the rules carry.
        let mut run = vec![newest];
        let mut skipped = 0;
        for point in points[..index].iter().rev() {
            let Some(earlier) = moves(point) else {
                let bridged = point.value.is_none_or(|v| !v.is_finite() || gross_range(config, v) == QualityFlag::Fail);
                skipped += 1;
                if bridged && skipped <= FLAT_UNUSABLE_RUN_MAX {
                    continue;
                }
                break;
            };
            skipped = 0;
            let later = run.last().unwrap();
            if later.time.micros_since(earlier.time) > limits.gap_max_micros {
                break;
            }
            let levels = run.iter().chain([&earlier]).map(|n| limits.grid.level(n.value));
            let (low, high) = levels.fold((i64::MAX, i64::MIN), |(low, high), l| (low.min(l), high.max(l)));
            if high - low > limits.grid.width {
                break;
            }
            run.push(earlier);
        }
        let span = newest.time.micros_since(run.last().unwrap().time);
        let stands = |limit: &Standstill| span >= limit.span_micros && run.len() >= limit.readings_min as usize;
        if limits.fail.as_ref().is_some_and(stands) {
            QualityFlag::Fail
        } else if limits.suspect.as_ref().is_some_and(stands) {
            QualityFlag::Suspect
        } else {
            QualityFlag::Pass
        }
    }

    pub(super) fn flags(config: &SeriesConfig, points: &[Point], index: usize) -> TestFlags {
        let Some(value) = points[index].value else { return TestFlags::MISSING };
        let finite = value.is_finite();
        TestFlags {
            syntax: if finite { QualityFlag::Pass } else { QualityFlag::Fail },
            gross_range: if finite { gross_range(config, value) } else { QualityFlag::Fail },
            spike: spike_at(config, points, index),
            rate_of_change: rate_at(config, points, index),
            flat_line: run_at(config, config.flat_line.as_ref().map(RunLimits::from), points, index),
            gap: gap_at(config, points, index),
            climatology: climatology_at(config, &points[index]),
            attenuated_signal: run_at(config, config.attenuated_signal.as_ref().map(RunLimits::from), points, index),
            objections: config.objections.union(config.findings.at(points[index].time)),
        }
    }
}

/// Indices of the readings whose flags a change at `t` may alter, by the promise of [`Reach`].
fn altered(points: &[Point], t: Timestamp, reach: Reach) -> std::ops::Range<usize> {
    let from = points.partition_point(|p| p.time < t).saturating_sub(1);
    let within = points.partition_point(|p| p.time <= t.plus_micros(reach.after_micros));
    from..(within + reach.points_after).min(points.len())
}

/// Assesses the readings of a range with no more context than [`Reach`] asks for.
fn assess_stretch(config: &SeriesConfig, points: &[Point], range: std::ops::Range<usize>) -> Vec<Assessment> {
    let reach = config.reach();
    let Some(first) = points.get(range.start) else { return Vec::new() };
    let from = points.partition_point(|p| p.time < first.time.plus_micros(-reach.before_micros));
    let from = from.saturating_sub(reach.points_before);
    let to = (range.end + 1).min(points.len());
    assess(config, &points[from..to])[range.start - from..range.end - from].to_vec()
}

fn rounds() -> ProptestConfig {
    let cases = std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    ProptestConfig { cases, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(rounds())]

    #[test]
    fn the_stream_follows_the_rules(config in configs(), points in points(0..120)) {
        let details = assess_detailed(&config, &points);
        for (index, detail) in details.iter().enumerate() {
            prop_assert_eq!(detail.flags, plain::flags(&config, &points, index), "{}: {:?}", index, &points[..=index]);
        }
    }

    #[test]
    fn pushes_tell_all_that_changes(config in configs(), points in points(0..120)) {
        let mut stream = Stream::new(config.clone());
        let mut told: Vec<Assessment> = Vec::new();
        for (index, &point) in points.iter().enumerate() {
            let pushed = stream.push(point);
            if let Some(previous) = pushed.previous {
                prop_assert_ne!(previous, *told.last().unwrap(), "told only where it changed");
                *told.last_mut().unwrap() = previous;
            }
            told.push(pushed.new);
            prop_assert_eq!(&told, &assess(&config, &points[..=index]));
        }
    }

    #[test]
    fn a_stretch_with_its_reach_equals_the_whole(config in configs(), points in points(1..200), a in 0usize..200, b in 0usize..200) {
        let (a, b) = (a.min(b) % points.len(), a.max(b) % points.len());
        let range = a.min(b)..a.max(b) + 1;
        prop_assert_eq!(assess_stretch(&config, &points, range.clone()), assess(&config, &points)[range].to_vec());
    }

    #[test]
    fn a_change_alters_nothing_beyond_its_reach(
        config in configs(), points in points(1..200), at in 0usize..200, value in proptest::option::of(-12.0..12.0f64), kind in 0u8..3,
    ) {
        let at = at % points.len();
        let t = points[at].time;
        let before = assess(&config, &points);
        let mut changed = points.clone();
        match kind {
            0 => changed[at].value = value,
            1 => changed[at].site_status = Some(SiteStatus::Dry),
            _ => drop(changed.remove(at)), // read backwards: a reading that arrives late
        }
        let after = assess(&config, &changed);
        let reach = altered(&points, t, config.reach());
        for (index, point) in points.iter().enumerate().filter(|(index, _)| !reach.contains(index)) {
            if let Some(now) = changed.iter().position(|p| p.time == point.time) {
                prop_assert_eq!(after[now], before[index], "reading {} after a change at {}", index, at);
            }
        }
    }

    #[test]
    fn a_stream_rebuilt_from_its_reach_goes_on_as_before(config in configs(), points in points(2..200), at in 1usize..200) {
        let reach = config.reach();
        let at = 1 + at % (points.len() - 1);
        let from = points.partition_point(|p| p.time < points[at].time.plus_micros(-reach.before_micros));
        let from = from.saturating_sub(reach.points_before);
        let mut rebuilt = Stream::rebuild(config.clone(), points[from..at].iter().copied());
        let mut whole = Stream::rebuild(config, points[..at].iter().copied());
        for &point in &points[at..] {
            prop_assert_eq!(rebuilt.push(point), whole.push(point));
        }
    }

    #[test]
    fn the_second_look_only_adds(config in configs(), points in points(0..200)) {
        let shifts = ShiftLimits {
            jump_min: 0.2,
            jump_to_usual_steps: 0.1,
            readings_beside: 3,
            duration_max_micros: 100 * SECOND,
            gap_max_micros: 20 * SECOND,
            falling: Some(Falling::Down),
            air: Some(Span::new(0.0, 1.15)),
        };
        let rules = ReviewRules { shifts: Some(shifts), still_by_nature: false };
        let reviewed = review(&config, &rules, &points, &[]);
        for ((now, before), point) in reviewed.details.iter().zip(assess_detailed(&config, &points)).zip(&points) {
            prop_assert_eq!(now.assessment, now.flags.assessment());
            prop_assert_eq!(now.assessment.flag.worst(before.assessment.flag), now.assessment.flag, "{}", point.time);
            prop_assert_eq!(now.assessment.tests.union(before.assessment.tests), now.assessment.tests);
            prop_assert_eq!(point.value.is_none(), now.assessment.flag == QualityFlag::Missing);
        }
        for shift in &reviewed.shifts {
            prop_assert!(shift.from <= shift.to && shift.size != 0.0);
        }
    }

    #[test]
    fn readings_that_move_are_context_enough(config in configs(), points in points(30..200), from in 0usize..200) {
        let from = from % points.len();
        let moves = |to: usize| {
            let Some(tolerance) = config.run_tolerance() else { return true };
            let in_range = |v: &f64| v.is_finite() && gross_range(&config, *v) != QualityFlag::Fail;
            let is_rejected = |p: &Point| config.findings.at(p.time).contains(QcTest::Review);
            let undisturbed = points[from..to].iter().filter(|p| !p.is_disturbed() && !is_rejected(p));
            let usable = undisturbed.filter_map(|p| p.value).filter(in_range);
            let (low, high) = usable.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
            high - low > 2.0 * tolerance
        };
        if let Some(to) = (from + 6..points.len()).find(|&to| moves(to)) {
            let whole = assess(&config, &points);
            prop_assert_eq!(&assess(&config, &points[from..])[to - from..], &whole[to..]);
        }
    }

    #[test]
    fn equal_and_earlier_times_leave_the_stream_as_it_is(config in configs(), points in points(1..60), back in 0i64..100, value in -12.0..12.0) {
        let mut stream = Stream::rebuild(config.clone(), points.iter().copied());
        let mut untouched = stream.clone();
        let last = stream.last_time().unwrap();
        let late = Point { time: last.plus_secs(-back), value: Some(value), site_status: None };
        let pushed = stream.push(late);
        prop_assert_eq!(pushed.previous, None);
        prop_assert_eq!(pushed.new, assess(&config, &[late])[0], "judged alone");
        prop_assert_eq!(stream.last_time(), Some(last));
        let next = Point { time: last.plus_secs(1), ..late };
        prop_assert_eq!(stream.push(next), untouched.push(next));
    }
}

#[test]
fn objections_of_the_series_make_values_suspect_and_leave_missing_ones_missing() {
    let config = SeriesConfig { objections: QcTests::NONE.with(QcTest::Location), ..config() };
    let point = |secs, value| Point { time: Timestamp::from_secs(secs), value, site_status: None };
    let flags = assess(&config, &[point(0, Some(1.0)), point(1, None), point(2, Some(50.0))]);
    assert_eq!((flags[0].flag, flags[0].tests), (QualityFlag::Suspect, config.objections));
    assert_eq!((flags[1].flag, flags[1].tests), (QualityFlag::Missing, QcTests::NONE));
    assert_eq!((flags[2].flag, flags[2].tests), (QualityFlag::Fail, config.objections.with(QcTest::GrossRange)));
}
