//! How a well falls when nothing comes in: its master recession.
//!
//! # Method
//! 1. Daily levels (up = wetter) are smoothed by a running median of five days: a spike of one or two days leaves no trace,
//!    a fall keeps its slope.
//! 2. A recession is a stretch in which no day lies more than the noise above the day before. Its first days are left
//!    out: water is still on its way through the soil.
//! 3. The rest is cut into windows of equal length; each has a mean level and a rate of fall.
//! 4. The windows are sorted into bins of level with equally many; of each bin the upper quantile of the rates counts
//!    (above a line through all windows, so that the levels within a bin do not). What still arrives can only slow a fall,
//!    so fast falls are the clean ones.
//! 5. A straight line through the bins (Sen's slope) is the master recession: `fall(h) = max(0, a + b·h)`. Its `1/b` is the
//!    recession constant of a linear reservoir, `−a/b` the level at which the well would come to rest. Where the rate does
//!    not grow with the level, b is 0 and the fall is the median of the bins.
//!
//! After Heppner and Nimmo 2005 (USGS SIR 2005-5172) and Nimmo, Horowitz and Mitchell 2015 (Groundwater 53), who fit the
//! rate of fall against the level; the upper quantile is ours, for aquifers with a thick soil above them.
//!
//! # Known weaknesses
//! Slow drainage of the soil that never ends within a dry season is taken for a slower recession, and the recharge comes
//! out too small. A trend of the base level (pumping nearby) bends the curve.

use std::collections::BTreeMap;

use gwbank_model::Day;

use super::NotMeasurable;
use crate::robust::{median, median_slope, quantile};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecessionRules {
    /// Days on each side of a day in its running median.
    pub smooth_days_each_side: i32,
    /// A day that lies no more than that above the day before goes on falling.
    pub noise_m: f64,
    /// Days at the start of a recession that are left out.
    pub settle_days: i32,
    pub window_days: i32,
    pub recessions_min: usize,
    pub windows_min: usize,
    pub bins: usize,
    /// Which of a bin's rates counts.
    pub bin_quantile: f64,
}

impl Default for RecessionRules {
    fn default() -> Self {
        Self {
            smooth_days_each_side: 2,
            noise_m: 0.005,
            // Of simulated wells whose soil holds water back for weeks; longer ones leave short dry seasons nothing.
            settle_days: 20,
            // A rate over two weeks is good to 0.2 mm/day with a sensor that is good to 3 mm.
            window_days: 15,
            recessions_min: 2,
            windows_min: 16,
            bins: 8,
            // Half would take in what still arrives, nine tenths the noise of the sensor: least error between, on simulated wells.
            bin_quantile: 0.8,
        }
    }
}

/// The fall of a well by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MasterRecession {
    /// m/day at level 0, which need not lie in the well.
    pub at_zero: f64,
    /// 1/day; never negative.
    pub per_metre: f64,
    /// Levels between which it was seen.
    pub lowest: f64,
    pub highest: f64,
    pub windows: usize,
    pub recessions: usize,
}

impl MasterRecession {
    /// m/day, never negative. Beyond the levels seen the line goes on.
    pub fn fall_m_per_day(&self, level: f64) -> f64 {
        (self.at_zero + self.per_metre * level).max(0.0)
    }

    /// Constant of the linear reservoir, in days; `None` where the fall does not depend on the level.
    pub fn constant_days(&self) -> Option<f64> {
        (self.per_metre > 0.0).then(|| 1.0 / self.per_metre)
    }

    /// Level at which the well would come to rest.
    pub fn base_level(&self) -> Option<f64> {
        (self.per_metre > 0.0).then(|| -self.at_zero / self.per_metre)
    }
}

/// Fits the master recession of a well to its daily levels.
///
/// - **Formula**: `fall(h) = max(0, a + b·h)`, b by Sen's slope through the upper quantiles (0.8) of the rates of fall in eight bins
///   of level, b ≥ 0; recession constant 1/b, level of rest −a/b.
/// - **Unit**: levels in m, up = wetter; fall in m/day, constant in days. **Shape**: levels in any order; of a day with several the
///   median counts; a day without one ends a recession.
/// - **Source**: Heppner & Nimmo 2005 (USGS SIR 2005-5172); Nimmo, Horowitz & Mitchell 2015 (Groundwater 53); the upper quantile
///   is this project's.
/// - **Limits**: two recessions and 16 windows of 15 days, after 20 days of settling ([`RecessionRules`]); chosen by least error on
///   simulated wells.
/// - **Weak**: soil that drains all dry season long looks like a slower recession; a trend of the base level bends the curve.
///
/// ```
/// use gwbank_indicator::bank::{RecessionRules, master_recession};
/// use gwbank_model::Day;
/// // Two years; each year a rise of 2 m in 60 days, and then back with a constant of 100 days towards −8 m.
/// let mut level = -6.0;
/// let levels: Vec<(Day, f64)> = (0..730)
///     .map(|day| {
///         level = if day % 365 < 60 { level + 2.0 / 60.0 } else { -8.0 + (level + 8.0) * (-0.01f64).exp() };
///         (Day(20_000 + day), level)
///     })
///     .collect();
/// let curve = master_recession(&levels, &RecessionRules::default()).unwrap();
/// assert!((curve.constant_days().unwrap() - 100.0).abs() < 1.0);
/// assert!((curve.base_level().unwrap() + 8.0).abs() < 0.01);
/// ```
pub fn master_recession(levels: &[(Day, f64)], rules: &RecessionRules) -> Result<MasterRecession, NotMeasurable> {
    fit(&smoothed_levels(levels, rules), rules)
}

/// What the master recession is fitted to: the running median of each day that has a value, in order of time.
///
/// - **Unit**: that of the levels (m). **Shape**: days in any order. **Limits**: [`RecessionRules::smooth_days_each_side`].
/// - **Weak**: next to a gap fewer days are in the median.
pub fn smoothed_levels(levels: &[(Day, f64)], rules: &RecessionRules) -> Vec<(Day, f64)> {
    let daily = one_a_day(levels);
    let reach = rules.smooth_days_each_side;
    let around = |index: usize| {
        let day = daily[index].0;
        // As many on each side, so that the median of a fall is its middle.
        let sides = (0..=reach).rev().find(|side| {
            let side = *side as usize;
            index >= side
                && index + side < daily.len()
                && day.saturating_sub(daily[index - side].0) <= reach
                && daily[index + side].0.saturating_sub(day) <= reach
        });
        let side = sides.unwrap_or(0) as usize;
        let around = &daily[index - side..=index + side];
        middle_of(around).unwrap_or(daily[index].1)
    };
    (0..daily.len()).map(|index| (Day(daily[index].0), around(index))).collect()
}

/// The median of each day's finite levels, in order of time.
fn one_a_day(levels: &[(Day, f64)]) -> Vec<(i32, f64)> {
    // As most series come: one level a day, in order.
    if levels.windows(2).all(|pair| pair[0].0 < pair[1].0) {
        return levels.iter().filter(|(_, level)| level.is_finite()).map(|(day, level)| (day.0, *level)).collect();
    }
    let mut by_day: BTreeMap<i32, Vec<f64>> = BTreeMap::new();
    for &(day, level) in levels {
        if level.is_finite() {
            by_day.entry(day.0).or_default().push(level);
        }
    }
    by_day.into_iter().filter_map(|(day, mut values)| median(&mut values).map(|value| (day, value))).collect()
}

/// The middle one of an odd number of values; without an allocation for the few that a usual window has.
fn middle_of(around: &[(i32, f64)]) -> Option<f64> {
    const FEW: usize = 9;
    let mut few = [0.0f64; FEW];
    let Some(values) = few.get_mut(..around.len()) else {
        return median(&mut around.iter().map(|(_, value)| *value).collect::<Vec<_>>());
    };
    for (at, (_, value)) in around.iter().enumerate() {
        let mut place = at;
        while place > 0 && values[place - 1].total_cmp(value).is_gt() {
            values[place] = values[place - 1];
            place -= 1;
        }
        values[place] = *value;
    }
    values.get(around.len() / 2).copied()
}

struct Window {
    level: f64,
    fall_m_per_day: f64,
}

pub(super) fn fit(smoothed: &[(Day, f64)], rules: &RecessionRules) -> Result<MasterRecession, NotMeasurable> {
    let falls = |pair: &[(Day, f64)]| {
        i64::from(pair[1].0.0) - i64::from(pair[0].0.0) == 1 && pair[1].1 <= pair[0].1 + rules.noise_m
    };
    let mut windows: Vec<Window> = Vec::new();
    let mut recessions = 0;
    let (settle, length) = (rules.settle_days.max(0) as usize, rules.window_days.max(1) as usize);
    for recession in smoothed.chunk_by(|a, b| falls(&[*a, *b])) {
        let before = windows.len();
        let rest = recession.get(settle..).unwrap_or_default();
        // Neighbouring windows share the day between them.
        for start in (0..rest.len().saturating_sub(length)).step_by(length) {
            let (first, last) = (rest[start].1, rest[start + length].1);
            windows.push(Window { level: (first + last) / 2.0, fall_m_per_day: (first - last) / length as f64 });
        }
        recessions += usize::from(windows.len() > before);
    }
    if recessions < rules.recessions_min.max(1) {
        return Err(NotMeasurable::NoRecession { found: recessions, needed: rules.recessions_min.max(1) });
    }
    let needed = rules.windows_min.max(rules.bins).max(2);
    if windows.len() < needed {
        return Err(NotMeasurable::TooFewReadings { found: windows.len() * length, needed: needed * length });
    }
    Ok(line(windows, recessions, rules))
}

fn line(mut windows: Vec<Window>, recessions: usize, rules: &RecessionRules) -> MasterRecession {
    /// The first pass turns the line of all windows into that of the upper ones; the second corrects what the slope of the
    /// first did to the levels within a bin.
    const PASSES: usize = 2;
    windows.sort_by(|a, b| a.level.total_cmp(&b.level).then(a.fall_m_per_day.total_cmp(&b.fall_m_per_day)));
    let points: Vec<(f64, f64)> = windows.iter().map(|window| (window.level, window.fall_m_per_day)).collect();
    let mut per_metre = median_slope(&points).unwrap_or(0.0).max(0.0);
    let per_bin = windows.len().div_ceil(rules.bins.max(1)).max(1);
    let mut at_zero = 0.0;
    for _ in 0..PASSES {
        // What the line so far leaves over, so that the levels within a bin do not count.
        let bins: Vec<(f64, f64)> = windows
            .chunks(per_bin)
            .filter_map(|bin| {
                let mut levels: Vec<f64> = bin.iter().map(|window| window.level).collect();
                let mut rests: Vec<f64> = bin.iter().map(|w| w.fall_m_per_day - per_metre * w.level).collect();
                Some((median(&mut levels)?, quantile(&mut rests, rules.bin_quantile)?))
            })
            .collect();
        let corrected = (per_metre + median_slope(&bins).unwrap_or(0.0)).max(0.0);
        let mut rests: Vec<f64> = bins.iter().map(|(level, rest)| rest + (per_metre - corrected) * level).collect();
        at_zero = median(&mut rests).unwrap_or(0.0);
        per_metre = corrected;
    }
    MasterRecession {
        at_zero,
        per_metre,
        lowest: windows.first().map_or(0.0, |window| window.level),
        highest: windows.last().map_or(0.0, |window| window.level),
        windows: windows.len(),
        recessions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_spike_of_two_days_is_smoothed_away() {
        let mut levels: Vec<(Day, f64)> = (0..20).map(|day| (Day(day), -f64::from(day) / 10.0)).collect();
        levels[9].1 = 3.0;
        levels[10].1 = 3.0;
        let found = smoothed_levels(&levels, &RecessionRules::default());
        assert!(found.iter().all(|(day, level)| (level + f64::from(day.0) / 10.0).abs() < 0.31), "{found:?}");
    }

    #[test]
    fn a_short_record_has_no_curve() {
        let year: Vec<(Day, f64)> = (0..200).map(|day| (Day(day), -f64::from(day) / 100.0)).collect();
        let found = master_recession(&year, &RecessionRules::default());
        assert_eq!(found, Err(NotMeasurable::NoRecession { found: 1, needed: 2 }));
        assert_eq!(master_recession(&[], &RecessionRules::default()).unwrap_err().name(), "insufficient_recessions");
    }

    #[test]
    fn a_fall_that_does_not_depend_on_the_level_is_constant() {
        let saw: Vec<(Day, f64)> = (0..900)
            .map(|day| {
                (Day(day), if day % 300 < 30 { f64::from(day % 300) } else { 31.0 - f64::from(day % 300) / 30.0 })
            })
            .collect();
        let found = master_recession(&saw, &RecessionRules::default()).unwrap();
        assert!(found.per_metre.abs() < 1e-6 && (found.fall_m_per_day(5.0) - 1.0 / 30.0).abs() < 1e-6, "{found:?}");
    }

    proptest! {
        #[test]
        fn order_is_of_no_consequence_and_nothing_panics(
            mut levels in proptest::collection::vec((0i32..400, prop_oneof![any::<f64>(), -9.0f64..-1.0], any::<u32>()), 0..300),
        ) {
            let of = |levels: &[(i32, f64, u32)]| {
                let levels: Vec<(Day, f64)> = levels.iter().map(|l| (Day(l.0), l.1)).collect();
                let rules = RecessionRules { settle_days: 0, window_days: 1, recessions_min: 1, windows_min: 4, ..RecessionRules::default() };
                format!("{:?}", master_recession(&levels, &rules))
            };
            let before = of(&levels);
            levels.sort_by_key(|l| l.2);
            prop_assert_eq!(before, of(&levels));
        }
    }
}
