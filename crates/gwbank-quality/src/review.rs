//! The second look: what a batch over a whole series can say and a stream cannot.
//!
//! A stream judges a reading by what came before it and by the one reading after. A hydrologist who looks at the plot a week
//! later sees more, and marks more. [`review`] is [`crate::assess_detailed`] and then:
//!
//! 1. **Shifts** ([`crate::shift`]): readings of an offset, a drawdown, a stretch in air or beside a step are suspect with
//!    `level_shift`, those of a ramp with `drift`.
//! 2. **Whole standstills**: once a standstill is so long that it fails, its beginning was no better: all of it is suspect
//!    by `flat_line`, from the first of the equal values on.
//! 3. **Standing still together**: the temperature and the conductivity of deep groundwater stand still by nature, so that
//!    a flat line of theirs is evidence of a stuck logger only where another series of the logger, one that cannot stand
//!    still, does so at the same time. (This is QARTOD's multi-variate test for the flat line.)
//!
//! The flags depend on the set of readings, the limits and the companions alone. A review adds: except for the flat lines of
//! rule 3, no flag becomes better than [`crate::assess_detailed`] gives it.

use gwbank_model::{Parameter, QcTest, QualityFlag};

use crate::WellFacts;
use crate::config::SeriesConfig;
use crate::shift::{Shift, ShiftKind, ShiftLimits, shifts};
use crate::strict::{Detail, Point, assess_detailed, objects};

/// How a series is reviewed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReviewRules {
    /// `None`: no search for shifts.
    pub shifts: Option<ShiftLimits>,
    /// Flat lines count only together with a companion's.
    pub still_by_nature: bool,
}

impl ReviewRules {
    pub fn for_series(parameter: Parameter, config: &SeriesConfig, facts: &WellFacts) -> Self {
        use Parameter as P;
        let still_by_nature = matches!(
            parameter,
            P::WaterTemperature
                | P::SpecificConductance
                | P::ElectricalConductivity
                | P::TotalDissolvedSolids
                | P::Chloride
                | P::Ph
        );
        Self { shifts: ShiftLimits::for_series(parameter, config, facts), still_by_nature }
    }
}

/// Another series of the same logger, one that moves by nature (level, pressure), with its own judgement.
#[derive(Debug, Clone, Copy)]
pub struct Companion<'a> {
    pub points: &'a [Point],
    pub details: &'a [Detail],
}

/// The readings' judgement after the second look, and the shifts found.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    pub details: Vec<Detail>,
    pub shifts: Vec<Shift>,
}

/// Judges a whole series, in order of time and each time once, and looks at it a second time.
///
/// A logger that is stuck for two days repeats its temperature as well as its level:
///
/// ```
/// use gwbank_model::{Parameter, QualityFlag, Timestamp};
/// use gwbank_quality::review::{Companion, ReviewRules, review};
/// use gwbank_quality::{FlatLine, Point, SeriesConfig, Standstill, WellFacts};
///
/// const HOUR: i64 = 3_600_000_000;
/// let flat_line = FlatLine {
///     suspect: Some(Standstill { span_micros: 6 * HOUR, readings_min: 6 }),
///     fail: Some(Standstill { span_micros: 24 * HOUR, readings_min: 12 }),
///     tolerance: 0.0005,
///     gap_max_micros: 6 * HOUR,
/// };
/// let config = SeriesConfig { flat_line: Some(flat_line), ..SeriesConfig::default() };
/// let hourly = |value: fn(i64) -> f64| -> Vec<Point> {
///     let point = |hour| Point { time: Timestamp::from_secs(hour * 3600), value: Some(value(hour)), site_status: None };
///     (0..200).map(point).collect()
/// };
/// let level = hourly(|hour| if (100..148).contains(&hour) { 5.0 } else { 5.0 + (hour % 7) as f64 * 0.01 });
/// let temperature = hourly(|_| 27.4);
/// let rules = |parameter| ReviewRules::for_series(parameter, &config, &WellFacts::default());
///
/// let level_review = review(&config, &rules(Parameter::DepthToWater), &level, &[]);
/// assert_eq!(level_review.details[101].flags.flat_line, QualityFlag::Suspect, "from its beginning");
/// assert_eq!(level_review.details[130].flags.flat_line, QualityFlag::Fail);
///
/// let logger = [Companion { points: &level, details: &level_review.details }];
/// let reviewed = review(&config, &rules(Parameter::WaterTemperature), &temperature, &logger).details;
/// assert_eq!(reviewed[90].flags.flat_line, QualityFlag::Pass, "deep groundwater keeps its temperature");
/// assert_eq!(reviewed[130].flags.flat_line, QualityFlag::Fail, "but here the logger is stuck");
/// ```
pub fn review(config: &SeriesConfig, rules: &ReviewRules, points: &[Point], companions: &[Companion<'_>]) -> Review {
    let mut details = assess_detailed(config, points);
    if rules.still_by_nature {
        keep_shared_standstills(config, points, companions, &mut details);
    } else {
        mark_whole_standstills(config, points, &mut details);
    }
    let shifts = rules.shifts.map(|limits| shifts(&limits, points, &details)).unwrap_or_default();
    for shift in &shifts {
        let test = match shift.kind {
            ShiftKind::Ramp => QcTest::Drift,
            ShiftKind::Offset | ShiftKind::Step | ShiftKind::InAir | ShiftKind::Drawdown => QcTest::LevelShift,
        };
        let from = points.partition_point(|point| point.time < shift.from);
        let to = points.partition_point(|point| point.time <= shift.to);
        for (point, detail) in points[from..to].iter().zip(&mut details[from..to]) {
            if point.present().is_some() {
                detail.flags.objections = detail.flags.objections.with(test);
            }
        }
    }
    for detail in &mut details {
        detail.assessment = detail.flags.assessment();
    }
    Review { details, shifts }
}

/// One series of a logger.
#[derive(Debug, Clone, Copy)]
pub struct LoggerSeries<'a> {
    pub config: &'a SeriesConfig,
    pub rules: &'a ReviewRules,
    pub points: &'a [Point],
}

/// Reviews all series of one logger: those that move by nature first, as companions of the others. In the order given.
pub fn review_logger(series: &[LoggerSeries<'_>]) -> Vec<Review> {
    let one = |of: &LoggerSeries<'_>, companions: &[Companion<'_>]| review(of.config, of.rules, of.points, companions);
    let moving: Vec<Option<Review>> =
        series.iter().map(|of| (!of.rules.still_by_nature).then(|| one(of, &[]))).collect();
    let judged = series.iter().zip(&moving);
    let companions: Vec<Companion<'_>> = judged
        .filter_map(|(of, review)| Some(Companion { points: of.points, details: &review.as_ref()?.details }))
        .collect();
    let still: Vec<Option<Review>> =
        series.iter().map(|of| of.rules.still_by_nature.then(|| one(of, &companions))).collect();
    moving.into_iter().zip(still).filter_map(|(moving, still)| moving.or(still)).collect()
}

/// Adds what a test across series found: readings that it calls suspect or failed get its bit and are at least suspect.
/// (Tests across series never fail a reading: which of the two is wrong, they do not know.)
pub fn object(details: &mut [Detail], test: QcTest, found: &[QualityFlag]) {
    for (detail, &flag) in details.iter_mut().zip(found) {
        if objects(flag) && detail.flags.syntax != QualityFlag::Missing {
            detail.flags.objections = detail.flags.objections.with(test);
            detail.assessment = detail.flags.assessment();
        }
    }
}

/// Dismisses flat lines that no companion shares; without a companion they are not evaluated.
fn keep_shared_standstills(
    config: &SeriesConfig,
    points: &[Point],
    companions: &[Companion<'_>],
    details: &mut [Detail],
) {
    let Some(limits) = &config.flat_line else { return };
    let without = if companions.is_empty() { QualityFlag::NotEvaluated } else { QualityFlag::Pass };
    for (point, detail) in points.iter().zip(details) {
        let stands_still = |companion: &Companion<'_>| {
            let Some(newest) = companion.points.partition_point(|other| other.time <= point.time).checked_sub(1) else {
                return false;
            };
            let is_near = point.time.micros_since(companion.points[newest].time) <= limits.gap_max_micros;
            is_near && companion.details.get(newest).is_some_and(|other| objects(other.flags.flat_line))
        };
        if objects(detail.flags.flat_line) && !companions.iter().any(stands_still) {
            detail.flags.flat_line = without;
        }
    }
}

fn mark_whole_standstills(config: &SeriesConfig, points: &[Point], details: &mut [Detail]) {
    let Some(limits) = &config.flat_line else { return };
    let mut last_failed: Option<usize> = None;
    for index in 0..points.len().min(details.len()) {
        if details[index].flags.flat_line != QualityFlag::Fail {
            continue;
        }
        let goes_on = last_failed.replace(index).is_some_and(|last| {
            details[last + 1..index].iter().all(|detail| detail.flags.flat_line == QualityFlag::NotEvaluated)
        });
        let (Some(value), false) = (points[index].present(), goes_on) else { continue };
        let (mut low, mut high) = (value, value);
        for earlier in (0..index).rev() {
            let flags = &mut details[earlier].flags;
            let Some(value) = points[earlier].present().filter(|value| value.is_finite()) else { continue };
            if flags.gross_range == QualityFlag::Fail {
                continue;
            }
            (low, high) = (low.min(value), high.max(value));
            if high - low > limits.tolerance {
                break;
            }
            if flags.flat_line == QualityFlag::Pass {
                flags.flat_line = QualityFlag::Suspect;
            }
        }
    }
}
