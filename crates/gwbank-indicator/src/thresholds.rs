//! Levels that stand for fixed percentiles of a calendar month: what is drawn as bands behind a hydrograph.
//!
//! # Rules
//! 1. Quantiles are of Weibull's plotting position r/(n + 1) (Hyndman & Fan 1996, type 6; numpy's `weibull`), evaluated in
//!    numpy's order of operations, so that the same levels give the same bits.
//! 2. Whether a percentile can be told from n values at all is said beside the value ([`PercentileThreshold::in_range`]);
//!    the value beyond the range is the lowest or the highest level.
//! 3. USGS rounds thresholds between 0 and 0.001 to 0, which is meant for streamflow. For levels it is off by default.

use crate::assessment::{Assessment, Basis, ValueCounts, Why};
use crate::calendar::calendar_index;
use crate::monthly::MonthlyLevel;
use crate::standing::PercentileClass;

/// The percentiles of the usual bands.
pub const BAND_PERCENTILES: [f64; 7] = [5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0];

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdRules {
    /// Values of the calendar month below which there are no thresholds at all.
    pub n_min: u32,
    /// As USGS' hyswap: a threshold above 0 and below 0.001 becomes 0.
    pub small_positive_is_zero: bool,
}

impl Default for ThresholdRules {
    fn default() -> Self {
        Self { n_min: 10, small_positive_is_zero: false }
    }
}

impl ThresholdRules {
    /// What hyswap does: two values give thresholds, and small ones become 0.
    pub const HYSWAP: Self = Self { n_min: 2, small_positive_is_zero: true };
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PercentileThreshold {
    /// From 0 to 100.
    pub percentile: f64,
    /// In the unit of the levels, up = wetter.
    pub level: f64,
    /// False where the percentile lies outside of the plotting positions of lowest and highest level; hyswap leaves such
    /// thresholds empty.
    pub in_range: bool,
}

/// Thresholds of one calendar month.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthThresholds {
    /// From 1 to 12.
    pub month_of_year: u32,
    pub n: u32,
    pub lowest: f64,
    pub highest: f64,
    /// In the order of the percentiles asked for; or why there are none.
    pub thresholds: Assessment<Vec<PercentileThreshold>>,
}

/// The q-quantile of ascending values by Weibull's plotting position: with h = (n + 1)·q − 1 (from 0, clamped to
/// 0..n − 1), x₍⌊h⌋₎ + (h − ⌊h⌋)·(x₍⌊h⌋₊₁₎ − x₍⌊h⌋₎).
///
/// - **Unit**: that of the values. **Shape**: a slice sorted ascending; `q` from 0 to 1. `None` for no values or a `q`
///   outside.
/// - **Source**: Weibull 1939; Hyndman & Fan 1996, *The American Statistician* 50, 361–365 (type 6).
/// - **Weak**: outside of 1/(n + 1)..n/(n + 1) it gives the lowest or highest value, which says nothing of the quantile.
///
/// ```
/// use gwbank_indicator::weibull_quantile;
///
/// let levels = [-4.0, -3.0, -2.5, -1.0];
/// assert_eq!(weibull_quantile(&levels, 0.5), Some(-2.75));
/// assert_eq!(weibull_quantile(&levels, 0.3), Some(-3.5), "h = 5 · 0.3 = 1.5: half way from the first to the second");
/// assert_eq!(weibull_quantile(&levels, 0.1), Some(-4.0), "beyond the plotting positions");
/// ```
pub fn weibull_quantile(ascending: &[f64], q: f64) -> Option<f64> {
    let (&lowest, &highest) = (ascending.first()?, ascending.last()?);
    if !(0.0..=1.0).contains(&q) {
        return None;
    }
    let n = ascending.len() as f64;
    // numpy's n·q + (α + q (1 − α − β)) − 1 with α = β = 0.
    let position = n * q + q - 1.0;
    if position < 0.0 {
        return Some(lowest);
    }
    if position >= n - 1.0 {
        return Some(highest);
    }
    let share = position - position.floor();
    let (low, high) = (ascending[position.floor() as usize], ascending[position.floor() as usize + 1]);
    let step = high - low;
    // From the nearer end, as numpy does: then share 1 is `high` itself.
    Some(if share >= 0.5 { high - step * (1.0 - share) } else { low + step * share })
}

/// Thresholds of all calendar months that have a level, January first.
///
/// - **Formula**: per calendar month, [`weibull_quantile`] of its levels. **Unit**: that of the levels (m), up = wetter.
/// - **Shape**: months in any order; those without a level are left out.
/// - **Source**: USGS percentile classes as in `hyswap.percentiles.calculate_fixed_percentile_thresholds` 1.0.1; five classes
///   need n ≥ 10 (WMO HydroSOS practice), which is the default of [`ThresholdRules`].
/// - **Weak**: with ties a level that equals a threshold can rank otherwise than [`classify`](MonthThresholds::classify) says;
///   the class of a month is the business of [`standings`](crate::standings), thresholds are for drawing.
///
/// ```
/// use gwbank_indicator::{BAND_PERCENTILES, MonthlyLevel, ThresholdRules, percentile_thresholds};
/// use gwbank_model::Month;
///
/// let januaries: Vec<MonthlyLevel> =
///     (0..19).map(|year| MonthlyLevel::of(Month::new(2000 + year, 1), -f64::from(year))).collect();
/// let months = percentile_thresholds(&januaries, &BAND_PERCENTILES, &ThresholdRules::default());
/// let thresholds = months[0].thresholds.value().unwrap();
/// assert_eq!((thresholds[1].percentile, thresholds[1].level), (10.0, -17.0));
/// ```
pub fn percentile_thresholds(
    months: &[MonthlyLevel],
    percentiles: &[f64],
    rules: &ThresholdRules,
) -> Vec<MonthThresholds> {
    calendar_months(months)
        .into_iter()
        .zip(1u32..)
        .filter_map(|(group, month_of_year)| {
            let (&lowest, &highest) = (group.ascending.first()?, group.ascending.last()?);
            let basis = group.basis;
            let thresholds = if basis.n < rules.n_min {
                let why = Why::ShortRecord { n: basis.n, needed: rules.n_min };
                Assessment::Insufficient { why, basis }
            } else {
                let thresholds = percentiles.iter().filter_map(|&p| threshold(&group.ascending, p, rules));
                Assessment::Given { value: thresholds.collect(), basis }
            };
            Some(MonthThresholds { month_of_year, n: basis.n, lowest, highest, thresholds })
        })
        .collect()
}

impl MonthThresholds {
    pub fn at(&self, percentile: f64) -> Option<&PercentileThreshold> {
        self.thresholds.value()?.iter().find(|threshold| threshold.percentile == percentile)
    }

    /// The class by the limits 10, 25, 75 and 90, as a reader of the drawing would see it; `None` where one is missing.
    pub fn classify(&self, level: f64) -> Option<PercentileClass> {
        let limit = |percentile| self.at(percentile).map(|threshold| threshold.level);
        Some(match level {
            x if x < limit(10.0)? => PercentileClass::MuchBelowNormal,
            x if x < limit(25.0)? => PercentileClass::BelowNormal,
            x if x <= limit(75.0)? => PercentileClass::Normal,
            x if x <= limit(90.0)? => PercentileClass::AboveNormal,
            _ => PercentileClass::MuchAboveNormal,
        })
    }
}

/// The levels of one calendar month.
#[derive(Debug, Clone)]
pub(crate) struct CalendarMonth {
    pub ascending: Vec<f64>,
    pub basis: Basis,
}

/// January first. Months without a level are left out.
pub(crate) fn calendar_months(months: &[MonthlyLevel]) -> [CalendarMonth; 12] {
    let mut groups: [Vec<f64>; 12] = Default::default();
    let mut counts = [ValueCounts::NONE; 12];
    for month in months {
        if let Some(level) = month.level {
            let at = calendar_index(month.month);
            groups[at].push(level);
            counts[at] = counts[at].union(month.counts);
        }
    }
    let all_months = groups.iter().map(Vec::len).sum();
    let mut counts = counts.into_iter();
    groups.map(|mut ascending| {
        ascending.sort_by(f64::total_cmp);
        let counted = counts.next().unwrap_or(ValueCounts::NONE);
        let basis = Basis::of_years(ascending.len(), all_months).resting_on(counted);
        CalendarMonth { ascending, basis }
    })
}

fn threshold(ascending: &[f64], percentile: f64, rules: &ThresholdRules) -> Option<PercentileThreshold> {
    let exact = weibull_quantile(ascending, percentile / 100.0)?;
    let level = if rules.small_positive_is_zero && exact > 0.0 && exact < 0.001 { 0.0 } else { exact };
    // hyswap's percentile of a value is one minus its share of exceedance, so ties at the top lower the upper end.
    let highest = ascending.last()?;
    let at_highest = ascending.iter().rev().take_while(|&level| level == highest).count();
    let positions = ascending.len() as f64 + 1.0;
    let rank_of_lowest = (1.0 - ascending.len() as f64 / positions) * 100.0;
    let rank_of_highest = (1.0 - at_highest as f64 / positions) * 100.0;
    let in_range = percentile >= rank_of_lowest && percentile <= rank_of_highest;
    Some(PercentileThreshold { percentile, level, in_range })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_model::Month;
    use proptest::prelude::*;

    fn januaries(levels: &[f64]) -> Vec<MonthlyLevel> {
        levels.iter().enumerate().map(|(i, &level)| MonthlyLevel::of(Month::new(1990 + i as i32, 1), level)).collect()
    }

    #[test]
    fn nine_values_reach_the_tenth_percentile_and_no_fifth() {
        let levels: Vec<f64> = (1..=9).map(f64::from).collect();
        let months = percentile_thresholds(&januaries(&levels), &BAND_PERCENTILES, &ThresholdRules::HYSWAP);
        let in_range: Vec<f64> =
            months[0].thresholds.value().unwrap().iter().filter(|t| t.in_range).map(|t| t.percentile).collect();
        assert_eq!(in_range, vec![10.0, 25.0, 50.0, 75.0, 90.0]);
        assert_eq!((months[0].lowest, months[0].highest, months[0].n), (1.0, 9.0, 9));
    }

    #[test]
    fn a_short_record_says_so() {
        let months = percentile_thresholds(&januaries(&[1.0; 9]), &BAND_PERCENTILES, &ThresholdRules::default());
        assert_eq!(months[0].thresholds.why(), Some(&Why::ShortRecord { n: 9, needed: 10 }));
        assert_eq!(months[0].classify(1.0), None);
        assert_eq!(percentile_thresholds(&[], &BAND_PERCENTILES, &ThresholdRules::default()), vec![]);
    }

    #[test]
    fn streamflow_rule_is_an_option() {
        let levels = [0.0004; 12];
        let level = |rules: &ThresholdRules| {
            percentile_thresholds(&januaries(&levels), &[50.0], rules)[0].at(50.0).map(|threshold| threshold.level)
        };
        assert_eq!(level(&ThresholdRules::default()), Some(0.0004));
        assert_eq!(level(&ThresholdRules::HYSWAP), Some(0.0));
    }

    proptest! {
        #[test]
        fn quantiles_rise_and_stay_inside(mut levels in proptest::collection::vec(-50i32..50, 1..60), a in 0u32..=100, b in 0u32..=100) {
            levels.sort_unstable();
            let levels: Vec<f64> = levels.into_iter().map(f64::from).collect();
            let at = |q: u32| weibull_quantile(&levels, f64::from(q) / 100.0).unwrap();
            prop_assert!(at(a.min(b)) <= at(a.max(b)));
            prop_assert!(at(a) >= levels[0] && at(a) <= levels[levels.len() - 1]);
        }

        #[test]
        fn a_lower_level_never_gives_a_wetter_class(levels in proptest::collection::vec(-9.0f64..9.0, 10..40), a in -10.0f64..10.0, b in -10.0f64..10.0) {
            let months = percentile_thresholds(&januaries(&levels), &BAND_PERCENTILES, &ThresholdRules::default());
            prop_assert!(months[0].classify(a.min(b)).unwrap() <= months[0].classify(a.max(b)).unwrap());
        }

        #[test]
        fn order_of_months_is_of_no_consequence(levels in proptest::collection::vec(-9.0f64..9.0, 1..40)) {
            let months = januaries(&levels);
            let mut reversed = months.clone();
            reversed.reverse();
            let of = |months: &[MonthlyLevel]| percentile_thresholds(months, &BAND_PERCENTILES, &ThresholdRules::default());
            prop_assert_eq!(of(&months), of(&reversed));
        }
    }
}
