//! What the quality of a series comes to: one well, one parameter, for the person who has to decide what to do.
//!
//! # Rules
//! - Readings may be as they arrived: in any order, times repeated. Counts are of all readings; intervals, gaps and
//!   stretches of the distinct times in order.
//! - **Usable** is what counts in indicators by default: flags 1 and 2, with a value. Its share is of the readings that there
//!   are; what never arrived is told by `share_arrived`, against the usual interval of the series.
//! - A **gap** is a time between readings of more than three usual intervals (the median). A reading without a value ends no
//!   gap in the data: gaps are between values.
//! - A sensor that goes on sending nonsense leaves no such gap, and yet indicators have none of its years: so the longest time
//!   **without a usable value** is told besides, from the first reading to the last one.
//! - A **stretch** joins objected readings with at most [`ReportRules::good_between_max`] others between them. The worst come
//!   first: failed readings count twice, of equal ones the longer in time.

use std::collections::BTreeMap;

use gwbank_model::{QcTest, QcTests, QualityFlag, Timestamp};

use crate::drift::Drift;
use crate::shift::Shift;
use crate::strict::{Assessment, Point, objects};

/// How a report is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportRules {
    /// Of the list of worst stretches.
    pub stretches_max: usize,
    /// Good readings between objected ones of one stretch. 3: an hour of a logger of 15 minutes.
    pub good_between_max: usize,
}

impl Default for ReportRules {
    fn default() -> Self {
        Self { stretches_max: 5, good_between_max: 3 }
    }
}

/// From one reading to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl TimeSpan {
    pub const fn micros(self) -> i64 {
        self.to.micros_since(self.from)
    }
}

/// Readings that were objected to, close together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Times of the first and the last of them.
    pub span: TimeSpan,
    pub suspect: usize,
    pub failed: usize,
    /// All tests that objected.
    pub tests: QcTests,
}

/// The report of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub readings: usize,
    /// Times of the first and the last reading; `None` without readings.
    pub span: Option<TimeSpan>,
    /// Readings whose time another one has, too, beyond the first of each time.
    pub duplicates: usize,
    /// Readings that came after a later one.
    pub out_of_order: usize,
    /// All five flags, also those that no reading has.
    pub by_flag: BTreeMap<QualityFlag, usize>,
    /// Tests that objected to at least one reading.
    pub by_test: BTreeMap<QcTest, usize>,
    /// Of the readings, 0 to 1; `None` without readings.
    pub share_usable: Option<f64>,
    /// Median time between distinct times; `None` with fewer than two.
    pub usual_interval_micros: Option<i64>,
    /// Distinct times with a value, of those that the usual interval would give from first to last; at most 1.
    pub share_arrived: Option<f64>,
    pub gaps: usize,
    /// The longest time between values, whether a gap or not.
    pub longest_gap: Option<TimeSpan>,
    /// The longest time in which no value was usable, from one usable value, or an end of the series, to the next; `None`
    /// where that is no longer than the usual interval.
    pub longest_unusable: Option<TimeSpan>,
    pub shifts: Vec<Shift>,
    /// Where a reference was there to compare with.
    pub drift: Option<Drift>,
    /// Worst first.
    pub worst_stretches: Vec<Stretch>,
}

/// Sums up a series. `assessments` are of the same readings; what is beyond the shorter of the two is not looked at.
///
/// Quarter-hourly readings with a spike and an hour and a half without any:
///
/// ```
/// use gwbank_model::{Parameter, QcTest, QualityFlag, Timestamp};
/// use gwbank_quality::report::{ReportRules, report};
/// use gwbank_quality::{Point, SeriesConfig, assess};
///
/// let points: Vec<Point> = [0, 15, 30, 45, 60, 150, 165]
///     .into_iter()
///     .map(|minute| {
///         let value = Some(if minute == 30 { 3.9 } else { 3.0 });
///         Point { time: Timestamp::from_secs(minute * 60), value, site_status: None }
///     })
///     .collect();
/// let assessments = assess(&SeriesConfig::default_for(Parameter::DepthToWater), &points);
/// let report = report(&ReportRules::default(), &points, &assessments, Vec::new(), None);
/// assert_eq!((report.readings, report.by_flag[&QualityFlag::Suspect], report.by_test[&QcTest::Spike]), (7, 1, 1));
/// assert_eq!((report.gaps, report.longest_gap.unwrap().micros()), (1, 90 * 60 * 1_000_000));
/// assert_eq!(report.share_usable, Some(6.0 / 7.0));
/// assert_eq!(report.worst_stretches[0].span.from, points[2].time);
/// ```
pub fn report(
    rules: &ReportRules,
    points: &[Point],
    assessments: &[Assessment],
    shifts: Vec<Shift>,
    drift: Option<Drift>,
) -> Report {
    let mut judged: Vec<(Point, Assessment)> = points.iter().copied().zip(assessments.iter().copied()).collect();
    let out_of_order = out_of_order(&judged);
    judged.sort_by_key(|(point, _)| point.time);
    let mut by_flag: BTreeMap<QualityFlag, usize> = QualityFlag::ALL.iter().map(|&flag| (flag, 0)).collect();
    let mut by_test: BTreeMap<QcTest, usize> = BTreeMap::new();
    let mut usable: Vec<Timestamp> = Vec::new();
    for (point, assessment) in &judged {
        *by_flag.entry(assessment.flag).or_default() += 1;
        assessment.tests.iter().for_each(|test| *by_test.entry(test).or_default() += 1);
        let counts = matches!(assessment.flag, QualityFlag::Pass | QualityFlag::NotEvaluated);
        usable.extend((counts && point.present().is_some()).then_some(point.time));
    }
    let mut times: Vec<Timestamp> = judged.iter().map(|(point, _)| point.time).collect();
    times.dedup();
    let mut with_value: Vec<Timestamp> =
        judged.iter().filter(|(point, _)| point.present().is_some()).map(|(point, _)| point.time).collect();
    with_value.dedup();
    let span = times.first().zip(times.last()).map(|(&from, &to)| TimeSpan { from, to });
    let usual_interval_micros = usual_interval(&times);
    let share_arrived = span.zip(usual_interval_micros).map(|(span, interval)| {
        let expected = span.micros() as f64 / interval as f64 + 1.0;
        (with_value.len() as f64 / expected).min(1.0)
    });
    let between: Vec<TimeSpan> = with_value.windows(2).map(|pair| TimeSpan { from: pair[0], to: pair[1] }).collect();
    let longest_unusable = span.and_then(|span| longest_unusable(span, &usable));
    let is_gap = |gap: &&TimeSpan| usual_interval_micros.is_some_and(|usual| gap.micros() > usual.saturating_mul(3));
    Report {
        readings: judged.len(),
        span,
        duplicates: judged.len() - times.len(),
        out_of_order,
        by_flag,
        by_test,
        share_usable: (!judged.is_empty()).then(|| usable.len() as f64 / judged.len() as f64),
        usual_interval_micros,
        share_arrived,
        gaps: between.iter().filter(is_gap).count(),
        // Of equally long ones the first.
        longest_gap: between.iter().copied().rev().max_by_key(|gap| gap.micros()),
        longest_unusable: longest_unusable
            .filter(|stretch| usual_interval_micros.is_some_and(|usual| stretch.micros() > usual)),
        shifts,
        drift,
        worst_stretches: worst_stretches(rules, &judged),
    }
}

fn out_of_order(judged: &[(Point, Assessment)]) -> usize {
    let mut latest = Timestamp::MIN;
    let is_late = |(point, _): &&(Point, Assessment)| {
        let late = point.time < latest;
        latest = latest.max(point.time);
        late
    };
    judged.iter().filter(is_late).count()
}

/// Of equally long ones the first.
fn longest_unusable(span: TimeSpan, usable: &[Timestamp]) -> Option<TimeSpan> {
    let from = std::iter::once(span.from).chain(usable.iter().copied());
    let to = usable.iter().copied().chain([span.to]);
    let stretches = from.zip(to).map(|(from, to)| TimeSpan { from, to });
    stretches.reduce(|longest, next| if next.micros() > longest.micros() { next } else { longest })
}

fn usual_interval(times: &[Timestamp]) -> Option<i64> {
    let mut intervals: Vec<i64> = times.windows(2).map(|pair| pair[1].micros_since(pair[0])).collect();
    let middle = intervals.len() / 2;
    (!intervals.is_empty()).then(|| *intervals.select_nth_unstable(middle).1)
}

fn worst_stretches(rules: &ReportRules, judged: &[(Point, Assessment)]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut last_objected: Option<usize> = None;
    for (index, (point, assessment)) in judged.iter().enumerate() {
        if !objects(assessment.flag) {
            continue;
        }
        let goes_on = last_objected.replace(index).is_some_and(|last| index - last - 1 <= rules.good_between_max);
        if !goes_on {
            let span = TimeSpan { from: point.time, to: point.time };
            stretches.push(Stretch { span, suspect: 0, failed: 0, tests: QcTests::NONE });
        }
        if let Some(stretch) = stretches.last_mut() {
            stretch.span.to = point.time;
            stretch.tests = stretch.tests.union(assessment.tests);
            let failed = assessment.flag == QualityFlag::Fail;
            *(if failed { &mut stretch.failed } else { &mut stretch.suspect }) += 1;
        }
    }
    stretches.sort_by_key(|stretch| {
        std::cmp::Reverse((stretch.suspect + 2 * stretch.failed, stretch.span.micros(), stretch.span.from))
    });
    stretches.truncate(rules.stretches_max);
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(list: &[(i64, Option<f64>, QualityFlag)]) -> (Vec<Point>, Vec<Assessment>) {
        let point = |&(minute, value, flag): &(i64, Option<f64>, QualityFlag)| {
            let tests = if objects(flag) { QcTests::NONE.with(QcTest::Spike) } else { QcTests::NONE };
            let point = Point { time: Timestamp::from_secs(minute * 60), value, site_status: None };
            (point, Assessment { flag, tests })
        };
        list.iter().map(point).unzip()
    }

    fn of(list: &[(i64, Option<f64>, QualityFlag)]) -> Report {
        let (points, assessments) = readings(list);
        report(&ReportRules::default(), &points, &assessments, Vec::new(), None)
    }

    use QualityFlag::{Fail, Missing, NotEvaluated, Pass, Suspect};
    const V: Option<f64> = Some(1.0);

    #[test]
    fn nothing_says_nothing() {
        let report = of(&[]);
        assert_eq!((report.readings, report.span, report.share_usable, report.longest_gap), (0, None, None, None));
        assert_eq!(report.by_flag.len(), 5);
    }

    #[test]
    fn arrival_is_told_and_does_not_matter() {
        let report = of(&[(30, V, Pass), (0, V, Pass), (15, V, Pass), (15, V, NotEvaluated), (45, None, Missing)]);
        assert_eq!((report.duplicates, report.out_of_order), (1, 3));
        assert_eq!(report.usual_interval_micros, Some(15 * 60 * 1_000_000));
        assert_eq!(report.share_usable, Some(0.8));
        assert_eq!(report.share_arrived, Some(0.75), "three of four times have a value");
        assert_eq!(report.span.map(TimeSpan::micros), Some(45 * 60 * 1_000_000));
    }

    #[test]
    fn a_missing_value_ends_no_gap() {
        let report = of(&[
            (0, V, Pass),
            (15, V, Pass),
            (30, None, Missing),
            (45, None, Missing),
            (60, None, Missing),
            (75, V, Pass),
        ]);
        assert_eq!((report.gaps, report.longest_gap.map(TimeSpan::micros)), (1, Some(60 * 60 * 1_000_000)));
    }

    /// A sensor that hangs in air for three years is heard every 15 minutes, and its well has no level in them.
    #[test]
    fn years_of_values_that_count_for_nothing_are_told() {
        let mut list: Vec<_> = (0..400).map(|i| (i * 15, V, Pass)).collect();
        for reading in &mut list[100..300] {
            reading.2 = if reading.0 % 30 == 0 { Fail } else { Suspect };
        }
        let report = of(&list);
        assert_eq!((report.gaps, report.longest_gap.map(TimeSpan::micros)), (0, Some(15 * 60 * 1_000_000)));
        let minutes = |time: Timestamp| time.as_secs() / 60;
        let told = |report: &Report| report.longest_unusable.map(|span| (minutes(span.from), minutes(span.to)));
        assert_eq!(told(&report), Some((99 * 15, 300 * 15)));
        // What never got better lasts to the last reading, what was bad from the start begins with the first.
        list.truncate(250);
        assert_eq!(told(&of(&list)), Some((99 * 15, 249 * 15)));
        assert_eq!(told(&of(&list[150..])), Some((150 * 15, 249 * 15)), "nothing is usable");
        assert_eq!(told(&of(&list[..90])), None, "all is");
    }

    #[test]
    fn stretches_join_over_a_few_good_readings_and_the_worst_comes_first() {
        let mut list: Vec<_> = (0..40).map(|i| (i * 15, V, Pass)).collect();
        for (index, flag) in [(2, Suspect), (5, Suspect), (20, Fail), (24, Fail), (30, Suspect)] {
            list[index].2 = flag;
        }
        let stretches = of(&list).worst_stretches;
        let told: Vec<_> = stretches.iter().map(|s| (s.span.from.as_secs() / 900, s.suspect, s.failed)).collect();
        assert_eq!(told, [(20, 0, 2), (2, 2, 0), (30, 1, 0)]);
        assert_eq!(stretches[0].tests, QcTests::NONE.with(QcTest::Spike));
    }
}
