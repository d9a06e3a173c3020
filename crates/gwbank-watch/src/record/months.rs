//! From monthly levels: trend, drought events, carry-over; thresholds have a file of their own.

use gwbank_indicator::bank::{CarryOver, NotMeasurable, carry_over, carry_over_beyond};
use gwbank_indicator::{Assessment, Basis, MonthlyLevel, ValueCounts, WellKind, drought_events, well_trend};
use gwbank_model::Month;

use super::{RecordRow, RecordRules, basis_of, not_measurable, thresholds};
use crate::rows::Cell;

pub(super) const TREND: &str = "trend";
pub(super) const DROUGHT_DEFICIT: &str = "drought_deficit";
pub(super) const DROUGHT_DURATION: &str = "drought_duration";
pub(super) const CARRY_OVER: &str = "carry_over";
pub(super) const CARRY_OVER_BEYOND: &str = "carry_over_beyond";

pub(super) const INDICATORS: [&str; 10] = [
    TREND,
    DROUGHT_DEFICIT,
    DROUGHT_DURATION,
    CARRY_OVER,
    CARRY_OVER_BEYOND,
    thresholds::OF_CLASSES[0].0,
    thresholds::OF_CLASSES[1].0,
    thresholds::OF_CLASSES[2].0,
    thresholds::OF_CLASSES[3].0,
    thresholds::DROUGHT,
];

/// What months are judged with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub kind: WellKind,
    pub season: gwbank_indicator::WetSeason,
    pub closed_through: Month,
}

/// `months` and those of the comparison well are closed and in order of time; `comparison` is `None` where no comparison
/// well is registered.
pub(super) fn rows(
    place: Place,
    months: &[MonthlyLevel],
    comparison: Option<&[MonthlyLevel]>,
    rules: &RecordRules,
) -> Vec<RecordRow> {
    let mut rows = Vec::new();
    if months.is_empty() {
        return rows;
    }
    let trend = well_trend(months, place.closed_through, &rules.trend);
    let direction = trend.value().map(|trend| trend.trend.direction.name());
    let slope = trend.map(|trend| trend.slope_per_year);
    rows.push(RecordRow::assessed(TREND, place.closed_through, &slope, direction));
    if place.kind.speaks_of_drought() {
        events(place.closed_through, months, rules, &mut rows);
    }
    carry_overs(place, months, comparison, rules, &mut rows);
    rows
}

fn events(closed_through: Month, months: &[MonthlyLevel], rules: &RecordRules, rows: &mut Vec<RecordRow>) {
    let found = drought_events(months, &rules.events);
    for event in &found.events {
        let threshold = &found.thresholds[event.start.month_of_year() as usize - 1];
        let of_event = within(months, event.start, event.end);
        let counts = of_event.iter().fold(ValueCounts::NONE, |sum, month| sum.union(month.counts));
        let basis = Some(threshold.basis().resting_on(counts));
        let class = match () {
            () if event.end == closed_through => Some("ongoing"),
            () if event.deficit_is_minimum => Some("at_least"),
            () if event.left_censored || event.right_censored => Some("censored"),
            () => None,
        };
        let deficit = Cell { value: Some(event.deficit), class, basis };
        let duration = Cell { value: Some(f64::from(event.duration_months())), class, basis };
        rows.push(RecordRow::of_month(DROUGHT_DEFICIT, event.start, deficit));
        rows.push(RecordRow::of_month(DROUGHT_DURATION, event.start, duration));
    }
}

/// One row for each wet season whose months and those after its peak have closed.
fn carry_overs(
    place: Place,
    months: &[MonthlyLevel],
    comparison: Option<&[MonthlyLevel]>,
    rules: &RecordRules,
    rows: &mut Vec<RecordRow>,
) {
    let (Some(first), Some(last)) = (months.first(), months.last()) else { return };
    for year in first.month.year()..=last.month.year() {
        let (start, _) = place.season.first_month(year);
        let until = told_at(place, year, rules);
        if until > place.closed_through {
            break;
        }
        let (bank, basis) = season(place, months, year, until, rules);
        let cell = match bank {
            Ok(found) => Assessment::Given { value: found.left, basis },
            // A season of which nothing was measured is no row.
            Err(NotMeasurable::TooFewReadings { found: 0, .. }) => continue,
            Err(why) => {
                rows.push(RecordRow::of_month(CARRY_OVER, start, Cell { basis: Some(basis), ..not_measurable(why) }));
                continue;
            }
        };
        rows.push(RecordRow::assessed(CARRY_OVER, start, &cell, None));
        if let (Ok(bank), Some(comparison)) = (bank, comparison) {
            let (other, _) = season(place, comparison, year, until, rules);
            let beyond = carry_over_beyond(&bank, other.ok().as_ref());
            let cell = match beyond {
                Ok(value) => Cell { value: Some(value), class: None, basis: Some(basis) },
                Err(why) => not_measurable(why),
            };
            rows.push(RecordRow::of_month(CARRY_OVER_BEYOND, start, cell));
        }
    }
}

/// The last month that the carry-over of a season may need.
pub(super) fn told_at(place: Place, year: i32, rules: &RecordRules) -> Month {
    let (start, length) = place.season.first_month(year);
    start.plus(length - 1 + rules.carry_over.peak_lag_months + rules.carry_over_months)
}

pub(super) fn season(
    place: Place,
    months: &[MonthlyLevel],
    year: i32,
    until: Month,
    rules: &RecordRules,
) -> (Result<CarryOver, NotMeasurable>, Basis) {
    let (before, _) = place.season.first_month(year - 1);
    let around = within(months, before, until);
    let counts = around.iter().fold(ValueCounts::NONE, |sum, month| sum.union(month.counts));
    let basis = basis_of(around.len(), around.len() as u32, around.len() as f64 / 12.0).resting_on(counts);
    (carry_over(place.season, around, year, rules.carry_over_months, &rules.carry_over), basis)
}

pub(super) fn within(months: &[MonthlyLevel], from: Month, through: Month) -> &[MonthlyLevel] {
    let start = months.partition_point(|month| month.month < from);
    let end = months.partition_point(|month| month.month <= through);
    months.get(start..end).unwrap_or_default()
}
