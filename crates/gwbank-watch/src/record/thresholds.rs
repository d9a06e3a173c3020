//! Levels that stand for percentiles of a calendar month: the limits of the five classes, and the threshold of spells of low
//! groundwater. Twelve rows each, at the last closed month of its name: when the next one closes, its row moves on a year.

use gwbank_indicator::{MonthlyLevel, StandingRules, ThresholdRules, drought_events, percentile_thresholds};
use gwbank_model::Month;

use super::RecordRow;
use super::months::Place;
use crate::config::WatchConfig;

pub(super) const DROUGHT: &str = "threshold_drought";

/// By their percentiles: where the percentile classes change.
pub(super) const OF_CLASSES: [(&str, f64); 4] =
    [("threshold_p10", 10.0), ("threshold_p25", 25.0), ("threshold_p75", 75.0), ("threshold_p90", 90.0)];

/// `months` are closed and in order of time.
pub(super) fn rows(place: Place, months: &[MonthlyLevel], config: &WatchConfig) -> Vec<RecordRow> {
    let period = |month_of_year: u32| last_of_name(place.closed_through, month_of_year);
    let percentiles = OF_CLASSES.map(|(_, percentile)| percentile);
    let reference = of_baseline(months, &config.standing);
    let mut rows = Vec::new();
    for found in percentile_thresholds(&reference, &percentiles, &ThresholdRules::default()) {
        for (at, (name, _)) in OF_CLASSES.into_iter().enumerate() {
            // In the order of the percentiles asked for.
            let level = found.thresholds.clone().map(|all| all.get(at).map_or(f64::NAN, |found| found.level));
            rows.push(RecordRow::assessed(name, period(found.month_of_year), &level, None));
        }
    }
    // A month of the year that the record has not at all is no row.
    let has = |month_of_year: u32| months.iter().any(|month| month.month.month_of_year() == month_of_year);
    if place.kind.speaks_of_drought() {
        let found = drought_events(months, &config.record.events).thresholds;
        let of_months = (1..).zip(&found).filter(|(month_of_year, _)| has(*month_of_year));
        rows.extend(of_months.map(|(month, level)| RecordRow::assessed(DROUGHT, period(month), level, None)));
    }
    rows
}

/// The months that others are ranked among.
pub(super) fn of_baseline(months: &[MonthlyLevel], rules: &StandingRules) -> Vec<MonthlyLevel> {
    let within = |month: Month| rules.baseline.is_none_or(|(from, to)| month >= from && month <= to);
    months.iter().filter(|month| within(month.month)).copied().collect()
}

fn last_of_name(closed_through: Month, month_of_year: u32) -> Month {
    let this_year = Month::new(closed_through.year(), month_of_year);
    if this_year <= closed_through { this_year } else { this_year.plus(-12) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_of_the_year_stands_at_its_last_closed_one() {
        let closed = Month::new(2026, 4);
        assert_eq!(last_of_name(closed, 4), closed);
        assert_eq!(last_of_name(closed, 5), Month::new(2025, 5));
        assert_eq!(last_of_name(closed, 1), Month::new(2026, 1));
    }
}
