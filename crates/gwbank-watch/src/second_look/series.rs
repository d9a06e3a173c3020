//! Each series of a well by itself, and together with the others of its logger.

use std::collections::BTreeMap;
use std::sync::Arc;

use gwbank_model::{Month, Parameter, QcTest, QualityFlag, Row, Timestamp};
use gwbank_quality::review::{Companion, Review, ReviewRules, review};
use gwbank_quality::shift::{Shift, ShiftKind, ShiftLimits};
use gwbank_quality::{FlatLine, Point, SeriesConfig, WellFacts, assess_detailed};
use gwbank_registry::Well;

use super::found::Found;
use super::sources::{WellSources, is_of_the_aquifer};
use crate::error::WatchError;
use crate::watch::Inner;

/// A month is seen with the one before it, by which steps are known that are usual, and with those after it, in which a
/// sensor may go back to where it was.
const MONTHS_BEFORE: i32 = 1;
/// The same where there are fewer than [`READINGS_FEW`]: of a hundred steps the largest is the usual one, or a fault.
const MONTHS_BEFORE_OF_FEW: i32 = 12;
const READINGS_FEW: usize = 400;
pub(super) const MONTHS_AFTER: i32 = 2;
/// What begins in a month and takes no longer ends in those after it, February among them. Longer offsets are told as two
/// steps.
const DURATION_MAX_MICROS: i64 = 59 * 24 * 3600 * 1_000_000;

/// Readings of a well over some months and what stands around them.
pub(super) struct Reviewed {
    series: BTreeMap<Parameter, Series>,
    calendar: Calendar,
}

struct Series {
    config: SeriesConfig,
    rules: ReviewRules,
    points: Vec<Point>,
}

impl Reviewed {
    pub async fn read(
        inner: &Inner,
        well: &Arc<Well>,
        sources: Arc<WellSources>,
        (first, last): (Month, Month),
        closed_through: Month,
    ) -> Result<Self, WatchError> {
        let calendar = Calendar { offset_seconds: inner.config.closing.offset_seconds, closed_through };
        let (from, to) = (calendar.before(first, MONTHS_BEFORE), calendar.after(last));
        let mut series = BTreeMap::new();
        for &parameter in &sources.parameters {
            let config = inner.judge.quality_config(&well.well_id, parameter);
            let rules = rules(well, parameter, &config);
            if rules.shifts.is_none() && config.flat_line.is_none() && !rules.still_by_nature {
                continue;
            }
            let mut read = Series { config, rules, points: points(inner, well, parameter, from, to).await? };
            if months(first, last).any(|month| read.has_few(month, calendar)) {
                let earlier = calendar.before(first, MONTHS_BEFORE_OF_FEW);
                let later = std::mem::take(&mut read.points);
                read.points = points(inner, well, parameter, earlier, from).await?;
                read.points.extend(later);
            }
            series.insert(parameter, read);
        }
        Ok(Self { series, calendar })
    }

    /// What begins in a month.
    pub fn month(&self, month: Month) -> Vec<Found> {
        let mut moving: Vec<(&[Point], Review, FlatLine)> = Vec::new();
        let mut found = Vec::new();
        for (&parameter, series) in self.series.iter().filter(|(_, series)| !series.rules.still_by_nature) {
            let points = series.around(month, self.calendar);
            let review = review(&series.config, &series.rules, points, &[]);
            found.extend(added(parameter, &series.config, points, &review));
            if let Some(flat_line) = series.config.flat_line.filter(|_| hangs_in_the_water(parameter)) {
                moving.push((points, review, flat_line));
            }
        }
        let companions: Vec<Companion<'_>> =
            moving.iter().map(|(points, review, _)| Companion { points, details: &review.details }).collect();
        let limits = moving.iter().map(|(_, _, flat_line)| FlatLine { tolerance: 0.0, ..*flat_line }).next();
        for (&parameter, series) in self.series.iter().filter(|(_, series)| series.rules.still_by_nature) {
            let points = series.around(month, self.calendar);
            // For how long a logger may repeat itself is asked of what cannot stand still.
            let config = SeriesConfig { flat_line: series.config.flat_line.or(limits), ..series.config.clone() };
            let review = review(&config, &series.rules, points, &companions);
            found.extend(added(parameter, &series.config, points, &review));
        }
        found.retain(|found| found.begins_in(month, self.calendar.offset_seconds));
        found
    }
}

/// Which months there are to see.
#[derive(Debug, Clone, Copy)]
struct Calendar {
    offset_seconds: i32,
    closed_through: Month,
}

impl Calendar {
    fn before(self, month: Month, months: i32) -> Timestamp {
        month.plus(-months).start(self.offset_seconds)
    }

    fn after(self, month: Month) -> Timestamp {
        month.plus(MONTHS_AFTER).min(self.closed_through).plus(1).start(self.offset_seconds)
    }
}

pub(super) fn months(first: Month, last: Month) -> impl Iterator<Item = Month> {
    (first.index()..=last.index()).map(Month::from_index)
}

async fn points(
    inner: &Inner,
    well: &Well,
    parameter: Parameter,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Point>, WatchError> {
    let rows = inner.reader.rows_between(&well.well_id, parameter, from, to).await?;
    let point = |row: &Row| Point { time: row.time, value: row.value(), site_status: row.site_status };
    Ok(rows.iter().map(point).collect())
}

impl Series {
    /// What a month is judged from.
    fn around(&self, month: Month, calendar: Calendar) -> &[Point] {
        let before = if self.has_few(month, calendar) { MONTHS_BEFORE_OF_FEW } else { MONTHS_BEFORE };
        self.within(calendar.before(month, before), calendar.after(month))
    }

    fn has_few(&self, month: Month, calendar: Calendar) -> bool {
        self.within(calendar.before(month, MONTHS_BEFORE), calendar.after(month)).len() < READINGS_FEW
    }

    fn within(&self, from: Timestamp, to: Timestamp) -> &[Point] {
        let place = |time: Timestamp| self.points.partition_point(|point| point.time < time);
        &self.points[place(from)..place(to)]
    }
}

/// The rules of the batch, for as long as is looked ahead. Banks that storms fill and wells that are pumped jump by nature.
fn rules(well: &Well, parameter: Parameter, config: &SeriesConfig) -> ReviewRules {
    let facts = WellFacts { depth: well.depth, ground_elevation: well.ground_elevation, ..WellFacts::default() };
    let rules = ReviewRules::for_series(parameter, config, &facts);
    let shifts = rules.shifts.filter(|_| is_of_the_aquifer(well));
    let shifts = shifts.map(|limits| ShiftLimits {
        duration_max_micros: limits.duration_max_micros.min(DURATION_MAX_MICROS),
        ..limits
    });
    ReviewRules { shifts, ..rules }
}

/// Moves with the water, so that standing still is the logger's.
fn hangs_in_the_water(parameter: Parameter) -> bool {
    parameter.is_level()
        || matches!(
            parameter,
            Parameter::DistanceToWater
                | Parameter::WaterHeightAboveSensor
                | Parameter::WaterPressureAbsolute
                | Parameter::WaterPressureGauge
        )
}

/// What a review says that a stream does not.
fn added(parameter: Parameter, config: &SeriesConfig, points: &[Point], review: &Review) -> Vec<Found> {
    let mut found: Vec<Found> = review.shifts.iter().map(|shift| of_shift(parameter, shift)).collect();
    let streamed = assess_detailed(config, points);
    let is_added =
        |index: usize| objects(review.details[index].flags.flat_line) && !objects(streamed[index].flags.flat_line);
    let mut run: Option<(usize, usize)> = None;
    for index in 0..=points.len() {
        match &mut run {
            Some((_, last)) if index < points.len() && is_added(index) => *last = index,
            None if index < points.len() && is_added(index) => run = Some((index, index)),
            // A reading without a value ends nothing.
            _ if index < points.len() && points[index].value.is_none() => {}
            _ => found.extend(run.take().map(|(first, last)| Found {
                parameter,
                test: QcTest::FlatLine,
                from: points[first].time,
                to: points[last].time,
                detail: "stands still".to_owned(),
            })),
        }
    }
    found
}

fn objects(flag: QualityFlag) -> bool {
    matches!(flag, QualityFlag::Suspect | QualityFlag::Fail)
}

fn of_shift(parameter: Parameter, shift: &Shift) -> Found {
    let Shift { kind, from, to, size } = *shift;
    let unit = parameter.canonical_unit();
    let (test, detail) = match kind {
        ShiftKind::Offset => (QcTest::LevelShift, format!("stood {size:+.3} {unit} elsewhere, and went back")),
        ShiftKind::Step => (QcTest::LevelShift, format!("jumps by {size:+.3} {unit}, and stays")),
        ShiftKind::InAir => (QcTest::LevelShift, "weighs no more than air".to_owned()),
        ShiftKind::Drawdown => (QcTest::LevelShift, format!("drawn down by {size:+.3} {unit} at once, and recovers")),
        ShiftKind::Ramp => (QcTest::Drift, format!("crept away by {size:+.3} {unit}, and jumps back")),
    };
    Found { parameter, test, from, to, detail }
}
