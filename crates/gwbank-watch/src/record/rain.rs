//! From daily rain: SPI.

use std::collections::BTreeMap;

use gwbank_indicator::{
    CountedRain, CountedRainDay, SPI_TIMESCALES, SpiRules, ValueCounts, monthly_counted_rain, spi_with_basis,
};
use gwbank_model::{Day, Parameter, Timestamp};
use gwbank_store::DailyValue;

use super::RecordRow;

pub(super) const INDICATORS: [&str; 4] = ["spi_1", "spi_3", "spi_6", "spi_12"];

/// Days of `rainfall` where the well reports amounts, else of its counter `rainfall_total` (readings in order of time).
///
/// A reading has the rain since the one before, so a day with one reading is whole.
pub(super) fn rain_days(days: &[DailyValue], counter: &[(Timestamp, f64)], offset_seconds: i32) -> Vec<CountedRainDay> {
    let amounts: Vec<CountedRainDay> = days
        .iter()
        .filter(|day| day.parameter == Parameter::Rainfall)
        .filter_map(|day| {
            let counts = ValueCounts { values: day.count, approved: day.approved_count, good: day.good_count };
            Some(CountedRainDay { day: day.day, millimetres: day.sum()?, counts })
        })
        .collect();
    if amounts.is_empty() { counted_days(counter, offset_seconds) } else { amounts }
}

/// What a counter rose by on each day. After a reset it began at nothing.
fn counted_days(counter: &[(Timestamp, f64)], offset_seconds: i32) -> Vec<CountedRainDay> {
    let mut days: BTreeMap<Day, (f64, u32)> = BTreeMap::new();
    for pair in counter.windows(2) {
        let ((_, before), (time, now)) = (pair[0], pair[1]);
        let rise = if now >= before { now - before } else { now };
        let (sum, count) = days.entry(time.day(offset_seconds)).or_default();
        *sum += rise.max(0.0);
        *count += 1;
    }
    days.into_iter()
        .map(|(day, (millimetres, values))| CountedRainDay {
            day,
            millimetres,
            counts: ValueCounts { values, ..ValueCounts::NONE },
        })
        .collect()
}

/// SPI of every closed month; days are closed.
pub(super) fn rows(days: &[CountedRainDay]) -> Vec<RecordRow> {
    let months: Vec<CountedRain> = monthly_counted_rain(days);
    let mut rows = Vec::new();
    for (indicator, timescale) in INDICATORS.into_iter().zip(SPI_TIMESCALES) {
        let found = spi_with_basis(&months, &SpiRules::of_timescale(timescale));
        rows.extend(found.iter().map(|month| {
            let class = month.spi.value().map(|&value| class(value));
            RecordRow::assessed(indicator, month.month, &month.spi, class)
        }));
    }
    rows
}

/// McKee's classes (1993), mirrored for wet.
fn class(spi: f64) -> &'static str {
    match spi {
        spi if spi <= -2.0 => "extremely_dry",
        spi if spi <= -1.5 => "severely_dry",
        spi if spi <= -1.0 => "moderately_dry",
        spi if spi < 1.0 => "near_normal",
        spi if spi < 1.5 => "moderately_wet",
        spi if spi < 2.0 => "severely_wet",
        _ => "extremely_wet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_was_reset_loses_nothing_that_it_showed() {
        let at = |hour: i64| Timestamp::from_secs(hour * 3600);
        let counter = [(at(1), 100.0), (at(5), 104.0), (at(20), 104.5), (at(30), 1.5), (at(31), 2.0)];
        let days = rain_days(&[], &counter, 0);
        let amounts: Vec<_> = days.iter().map(|day| (day.day.0, day.millimetres, day.counts.values)).collect();
        assert_eq!(amounts, [(0, 4.5, 2), (1, 2.0, 2)]);
    }

    #[test]
    fn classes_have_their_limits() {
        assert_eq!(
            [-2.0, -1.5, -1.0, 0.0, 1.0, 1.5, 2.0].map(class),
            [
                "extremely_dry",
                "severely_dry",
                "moderately_dry",
                "near_normal",
                "moderately_wet",
                "severely_wet",
                "extremely_wet"
            ]
        );
    }
}
