//! Carry-over: how much of the wet season's rise is left when water is needed.
//!
//! # Method
//! For each wet season: the lowest monthly level from the end of the season before up to the peak, the highest from the
//! start of the season to three months after its end (an aquifer peaks weeks to months after the rain), and
//! `left(N) = (level N months after the peak − low) / (peak − low)`. A share: 1 is all, 0 none, below 0 deeper than before
//! the season. A comparison well outside of the bank's reach turns it into what the bank adds.
//!
//! The share is a plain description; no standard of this name is known to us.
//!
//! # Known weaknesses
//! A dry year after a wet one leaves less, bank or no bank: only the comparison well tells the two apart.

use gwbank_model::Month;

use super::NotMeasurable;
use crate::calendar::WetSeason;
use crate::monthly::MonthlyLevel;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarryOverRules {
    /// Months after the season's end within which the peak may lie.
    pub peak_lag_months: i32,
    /// A smaller rise is none.
    pub rise_min_m: f64,
}

impl Default for CarryOverRules {
    fn default() -> Self {
        Self { peak_lag_months: 3, rise_min_m: 0.10 }
    }
}

/// Of one wet season. Levels up = wetter, m.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarryOver {
    /// In which the season began.
    pub year: i32,
    pub low: f64,
    pub low_month: Month,
    pub peak: f64,
    pub peak_month: Month,
    /// The level after the months asked for.
    pub after: f64,
    /// Share of the rise left after the months asked for.
    pub left: f64,
}

impl WetSeason {
    /// The first month of the season that begins in a year, and how many it has.
    pub fn first_month(self, year: i32) -> (Month, i32) {
        match self {
            Self::MayToOctober => (Month::new(year, 5), 6),
            Self::OctoberToJanuary => (Month::new(year, 10), 4),
        }
    }
}

/// The share of the rise of the season that began in `year` which is left `months_after` months after its peak.
///
/// - **Formula**: `(level N months after the peak − low) / (peak − low)`; the peak from the start of the season to three months
///   after its end, of equal ones the first; the low from the end of the season before up to the month before the peak.
/// - **Unit**: levels in m, up = wetter; a share, 1 all, 0 none, below 0 deeper than before the season. **Shape**: months in any
///   order, each once; `months_after` from 0 to 24. Every month of the season must have a level, and that of the low and the one
///   asked for; `NotMeasurable::TooFewReadings` counts months.
/// - **Source**: none; a plain description. **Limits**: a rise below 0.10 m is none, three months of lag ([`CarryOverRules`]);
///   both this project's.
/// - **Weak**: a dry year after a wet one leaves less, bank or no bank; a peak in the last month that may hold it could lie later.
///
/// ```
/// use gwbank_indicator::{MonthlyLevel, WetSeason, bank::{CarryOverRules, carry_over}};
/// use gwbank_model::Month;
/// // −6 m in April, up to −3 m in October, and back by 0.5 m a month.
/// let level = |offset: i32| if offset <= 6 { -6.0 + 0.5 * f64::from(offset) } else { -3.0 - 0.5 * f64::from(offset - 6) };
/// let months: Vec<MonthlyLevel> =
///     (-5..14).map(|offset| MonthlyLevel::of(Month::new(2025, 4).plus(offset), level(offset.max(0)))).collect();
/// let found = carry_over(WetSeason::MayToOctober, &months, 2025, 4, &CarryOverRules::default()).unwrap();
/// assert_eq!((found.low, found.peak), (-6.0, -3.0));
/// assert!((found.left - 1.0 / 3.0).abs() < 1e-9);
/// ```
pub fn carry_over(
    season: WetSeason,
    months: &[MonthlyLevel],
    year: i32,
    months_after: i32,
    rules: &CarryOverRules,
) -> Result<CarryOver, NotMeasurable> {
    let level_of =
        |month: Month| months.iter().find(|m| m.month == month).and_then(|m| m.level).filter(|l| l.is_finite());
    let (first, length) = season.first_month(year);
    let (before_first, before_length) = season.first_month(year - 1);
    let until_peak = length + rules.peak_lag_months;
    let within = |from: Month, count: i32| {
        (0..count.max(0)).filter_map(move |offset| {
            let month = from.plus(offset);
            level_of(month).map(|level| (month, level))
        })
    };
    // Of equal levels the first: the peak is reached there.
    let peak = within(first, until_peak).reduce(|peak, next| if next.1 > peak.1 { next } else { peak });
    let seen = within(first, length).count();
    let needed = length as usize;
    let (peak_month, peak) =
        peak.filter(|_| seen == needed).ok_or(NotMeasurable::TooFewReadings { found: seen, needed })?;
    let dry_first = before_first.plus(before_length);
    let before = within(dry_first, peak_month.index() - dry_first.index());
    let low = before.reduce(|low, next| if next.1 < low.1 { next } else { low });
    let (low_month, low) = low.ok_or(NotMeasurable::TooFewReadings { found: 0, needed: 1 })?;
    let after = level_of(peak_month.plus(months_after.clamp(0, 24)));
    let after = after.ok_or(NotMeasurable::TooFewReadings { found: 0, needed: 1 })?;
    let rise = peak - low;
    if rise < rules.rise_min_m {
        return Err(NotMeasurable::NoRise);
    }
    Ok(CarryOver { year, low, low_month, peak, peak_month, after, left: (after - low) / rise })
}

/// How much larger the share left beside the bank is than that at the comparison well, for the same season: what the bank
/// adds.
///
/// - **Formula**: `left at the bank − left at the comparison well`. **Unit**: share of the rise, so 0.1 is ten points.
/// - **Shape**: both by [`carry_over`] with the same months after the peak, which nothing here can check; `None` where no
///   comparison well is registered, and a season of another year is none.
/// - **Source, limits**: none.
/// - **Weak**: two wells in unlike ground keep unlike shares without any bank: compare them before the bank was dug.
///
/// ```
/// use gwbank_indicator::bank::{CarryOver, NotMeasurable, carry_over_beyond};
/// use gwbank_model::Month;
/// let of = |left| CarryOver {
///     year: 2025,
///     low: -6.0,
///     low_month: Month::new(2025, 4),
///     peak: -3.0,
///     peak_month: Month::new(2025, 11),
///     after: -6.0 + 3.0 * left,
///     left,
/// };
/// assert_eq!(carry_over_beyond(&of(0.75), Some(&of(0.5))), Ok(0.25));
/// assert_eq!(carry_over_beyond(&of(0.75), None), Err(NotMeasurable::NoComparisonWell));
/// ```
pub fn carry_over_beyond(bank: &CarryOver, comparison: Option<&CarryOver>) -> Result<f64, NotMeasurable> {
    let comparison = comparison.filter(|comparison| comparison.year == bank.year);
    comparison.map(|comparison| bank.left - comparison.left).ok_or(NotMeasurable::NoComparisonWell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn months(levels: &[f64]) -> Vec<MonthlyLevel> {
        let first = Month::new(2024, 11);
        levels.iter().enumerate().map(|(i, level)| MonthlyLevel::of(first.plus(i as i32), *level)).collect()
    }

    fn of(months: &[MonthlyLevel], after: i32) -> Result<CarryOver, NotMeasurable> {
        carry_over(WetSeason::MayToOctober, months, 2025, after, &CarryOverRules::default())
    }

    // November 2024 to July 2026; lowest in May, highest in December.
    const YEAR: [f64; 21] = [
        -4.0, -4.2, -4.5, -4.8, -5.0, -5.2, -5.3, -5.0, -4.4, -3.8, -3.5, -3.2, -3.1, -3.0, -3.3, -3.6, -4.0, -4.3,
        -4.5, -4.2, -4.0,
    ];

    #[test]
    fn the_peak_may_come_after_the_rain() {
        let found = of(&months(&YEAR), 4).unwrap();
        assert_eq!((found.peak_month, found.peak, found.low), (Month::new(2025, 12), -3.0, -5.3));
        assert!((found.left - 1.0 / 2.3).abs() < 1e-9, "{found:?}");
        assert_eq!(of(&months(&YEAR), 0).unwrap().left, 1.0);
    }

    #[test]
    fn missing_months_and_flat_years_have_none() {
        assert_eq!(of(&months(&YEAR), 12).unwrap_err().name(), "insufficient_readings");
        assert_eq!(of(&months(&YEAR[..10]), 1), Err(NotMeasurable::TooFewReadings { found: 4, needed: 6 }));
        assert_eq!(of(&months(&[-4.0; 21]), 4), Err(NotMeasurable::NoRise));
    }

    #[test]
    fn only_a_comparison_well_says_what_the_bank_adds() {
        let bank = of(&months(&YEAR), 3).unwrap();
        assert_eq!(carry_over_beyond(&bank, None), Err(NotMeasurable::NoComparisonWell));
        let other = CarryOver { left: bank.left - 0.25, ..bank };
        assert!((carry_over_beyond(&bank, Some(&other)).unwrap() - 0.25).abs() < 1e-12);
        let other_year = CarryOver { year: 2020, ..bank };
        assert_eq!(carry_over_beyond(&bank, Some(&other_year)), Err(NotMeasurable::NoComparisonWell));
    }

    proptest! {
        #[test]
        fn datum_scale_and_order_are_of_no_consequence(datum in -100.0f64..100.0, scale in 0.5f64..5.0) {
            let mut moved = months(&YEAR.map(|level| level * scale + datum));
            moved.reverse();
            let (a, b) = (of(&months(&YEAR), 5).unwrap(), of(&moved, 5).unwrap());
            prop_assert!((a.left - b.left).abs() < 1e-6);
        }

        #[test]
        fn wetter_later_is_more_left(up in 0.0f64..0.5) {
            let mut later = YEAR;
            later[17] += up;
            prop_assert!(of(&months(&later), 4).unwrap().left >= of(&months(&YEAR), 4).unwrap().left);
        }

        #[test]
        fn nothing_panics(levels in proptest::collection::vec(any::<f64>(), 0..40), year in 2020i32..2030, after in any::<i32>()) {
            let _ = carry_over(WetSeason::OctoberToJanuary, &months(&levels), year, after, &CarryOverRules::default());
        }
    }
}
