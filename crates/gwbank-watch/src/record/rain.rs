//! From daily rain: SPI.

use std::collections::BTreeMap;

use gwbank_indicator::{
    CountedRain, CountedRainDay, SPI_TIMESCALES, SpiRules, ValueCounts, monthly_counted_rain, spi_with_basis,
};
use gwbank_model::{Day, Parameter, Timestamp};
use gwbank_store::DailyValue;

use super::RecordRow;

pub(super) const SPI_3: &str = "spi_3";

pub(super) const INDICATORS: [&str; 4] = ["spi_1", SPI_3, "spi_6", "spi_12"];

/// A reading of `rainfall_total`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CounterReading {
    pub time: Timestamp,
    pub total_mm: f64,
    /// Of quality 1.
    pub is_good: bool,
}

/// Days of `rainfall` where the well reports amounts, else of its counter `rainfall_total` (readings in order of time).
///
/// A reading has the rain since the one before, so a day with one reading is whole.
pub(super) fn rain_days(days: &[DailyValue], counter: &[CounterReading], offset_seconds: i32) -> Vec<CountedRainDay> {
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
fn counted_days(counter: &[CounterReading], offset_seconds: i32) -> Vec<CountedRainDay> {
    let mut days: BTreeMap<Day, (f64, ValueCounts)> = BTreeMap::new();
    for pair in counter.windows(2) {
        let (before, now) = (pair[0].total_mm, pair[1].total_mm);
        let rise = if now >= before { now - before } else { now };
        let (sum, counts) = days.entry(pair[1].time.day(offset_seconds)).or_default();
        *sum += rise.max(0.0);
        *counts = counts.union(ValueCounts { values: 1, approved: 0, good: u32::from(pair[1].is_good) });
    }
    days.into_iter().map(|(day, (millimetres, counts))| CountedRainDay { day, millimetres, counts }).collect()
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
        let counter = [(1, 100.0), (5, 104.0), (20, 104.5), (30, 1.5), (31, 2.0)]
            .map(|(hour, total_mm)| CounterReading { time: at(hour), total_mm, is_good: hour != 31 });
        let days = rain_days(&[], &counter, 0);
        let amounts: Vec<_> =
            days.iter().map(|day| (day.day.0, day.millimetres, day.counts.values, day.counts.good)).collect();
        assert_eq!(amounts, [(0, 4.5, 2, 2), (1, 2.0, 2, 1)]);
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
