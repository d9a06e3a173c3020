//! SPI that tells which share of the rain behind it is approved and good.

use std::collections::BTreeMap;

use gwbank_model::{Day, Month};

use super::{MonthSpi, MonthlyRain, SpiRules, monthly_rain, spi};
use crate::assessment::{Assessment, ValueCounts};
use crate::calendar::calendar_index;

/// A civil day's rain of which approved and good values were counted, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountedRainDay {
    pub day: Day,
    pub millimetres: f64,
    pub counts: ValueCounts,
}

/// A month's rain with the counts of its days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountedRain {
    pub rain: MonthlyRain,
    pub counts: ValueCounts,
}

/// As [`monthly_rain`], with the counts of the days.
///
/// - **Unit, shape, source, weaknesses**: as [`monthly_rain`]. Days without counts have no part in the shares.
///
/// ```
/// use gwbank_indicator::{CountedRainDay, ValueCounts, monthly_counted_rain};
/// use gwbank_model::{Day, Month};
///
/// let counts = ValueCounts { values: 24, approved: 12, good: 24 };
/// let first = Month::new(2026, 4).first_day().0;
/// let days: Vec<CountedRainDay> =
///     (first..first + 30).map(|day| CountedRainDay { day: Day(day), millimetres: 2.0, counts }).collect();
/// let months = monthly_counted_rain(&days);
/// assert_eq!((months[0].rain.millimetres, months[0].counts.approved_share()), (60.0, Some(0.5)));
/// ```
pub fn monthly_counted_rain(days: &[CountedRainDay]) -> Vec<CountedRain> {
    let plain: Vec<(Day, f64)> = days.iter().map(|day| (day.day, day.millimetres)).collect();
    let mut counts: BTreeMap<Month, ValueCounts> = BTreeMap::new();
    for day in days {
        let of_month = counts.entry(day.day.month()).or_default();
        *of_month = of_month.union(day.counts);
    }
    let counted =
        |rain: MonthlyRain| CountedRain { rain, counts: counts.get(&rain.month).copied().unwrap_or_default() };
    monthly_rain(&plain).into_iter().map(counted).collect()
}

/// As [`spi()`], and its [`Basis`](crate::Basis) tells the share of approved and of good values.
///
/// - **Formula**: shares of the values behind all sums to which the calendar month's distribution was fitted, as those decide
///   the index together. **Unit**: from 0 to 1. **Shape, source, limits, weaknesses**: as [`spi()`]; with timescales beyond 12
///   months the windows overlap and count their months more than once.
///
/// ```
/// use gwbank_indicator::{CountedRain, MonthlyRain, SpiRules, ValueCounts, spi_with_basis};
/// use gwbank_model::Month;
///
/// let rain: Vec<CountedRain> = (1..=20)
///     .map(|year| CountedRain {
///         rain: MonthlyRain { month: Month::new(2000 + year, 6), millimetres: f64::from(year * 10) },
///         counts: ValueCounts { values: 30, approved: if year <= 10 { 30 } else { 0 }, good: 30 },
///     })
///     .collect();
/// let basis = spi_with_basis(&rain, &SpiRules::of_timescale(1))[0].spi.basis();
/// assert_eq!((basis.approved_share, basis.quality_share), (Some(0.5), Some(1.0)));
/// ```
pub fn spi_with_basis(rain: &[CountedRain], rules: &SpiRules) -> Vec<MonthSpi> {
    let plain: Vec<MonthlyRain> = rain.iter().map(|month| month.rain).collect();
    let of_month: BTreeMap<Month, ValueCounts> = rain.iter().map(|month| (month.rain.month, month.counts)).collect();
    let mut found = spi(&plain, rules);
    let mut counts = [ValueCounts::NONE; 12];
    for month in &found {
        // The window is complete, so it is no longer than the record.
        let length = i32::try_from(rules.timescale_months.max(1)).unwrap_or(i32::MAX);
        let window = (month.month.index().saturating_sub(length - 1)..=month.month.index()).map(Month::from_index);
        let of_calendar_month = &mut counts[calendar_index(month.month)];
        for counted in window.filter_map(|month| of_month.get(&month)) {
            *of_calendar_month = of_calendar_month.union(*counted);
        }
    }
    for month in &mut found {
        let (Assessment::Given { basis, .. } | Assessment::Insufficient { basis, .. }) = &mut month.spi;
        *basis = basis.resting_on(counts[calendar_index(month.month)]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_three_months_count_all_of_them() {
        let rain: Vec<CountedRain> = (0..36)
            .map(|at| CountedRain {
                rain: MonthlyRain { month: Month::new(2000, 1).plus(at), millimetres: f64::from(at % 7) },
                counts: if at % 12 == 4 {
                    ValueCounts::NONE
                } else {
                    ValueCounts { values: 10, approved: at as u32 % 12, good: 5 }
                },
            })
            .collect();
        let found = spi_with_basis(&rain, &SpiRules { years_min: 1, ..SpiRules::of_timescale(3) });
        let plain: Vec<MonthlyRain> = rain.iter().map(|month| month.rain).collect();
        for (counted, plain) in found.iter().zip(spi(&plain, &SpiRules { years_min: 1, ..SpiRules::of_timescale(3) })) {
            assert_eq!((counted.month, counted.spi.value()), (plain.month, plain.spi.value()));
        }
        // March: January, February and March, of which 0 + 1 + 2 of 30 values a year are approved.
        assert_eq!(found[0].spi.basis().approved_share, Some(0.1));
        // June: nobody counted May; 3 and 5 of April and June.
        assert_eq!(found[3].spi.basis().approved_share, Some(8.0 / 20.0));
        assert_eq!(found[3].spi.basis().quality_share, Some(0.5));
    }
}
