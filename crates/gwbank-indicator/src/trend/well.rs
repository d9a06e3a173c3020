//! What may be said of a well's trend.

use gwbank_model::Month;

use super::{PERIOD, Trend, TrendTest, mann_kendall};
use crate::assessment::{Assessment, Basis, ValueCounts, Why};
use crate::monthly::MonthlyLevel;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrendRules {
    pub test: TrendTest,
    /// From the first to the last month with a level.
    pub years_min: u32,
    /// Share of months without a level from which there is no result.
    pub missing_share: f64,
    /// Years of a climate normal: the n that gives full confidence.
    pub full_confidence_n: u32,
}

impl Default for TrendRules {
    fn default() -> Self {
        Self { test: TrendTest::Seasonal, years_min: 10, missing_share: 0.25, full_confidence_n: 30 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WellTrend {
    pub trend: Trend,
    /// m a year, up = wetter, whatever test was taken.
    pub slope_per_year: f64,
    pub from: Month,
    pub to: Month,
    /// Of the months from first to last.
    pub missing_share: f64,
}

/// The trend of a well's closed months, if its record allows one.
///
/// - **Formula**: [`mann_kendall`] on the months from the first to the last that has a level; the slope in m a year.
/// - **Unit**: m a year, up = wetter. **Shape**: months in any order, each once; later ones than `closed_through` and
///   dry months of unknown depth are left out.
/// - **Source**: as [`mann_kendall`]. Ten years and less than a quarter missing are this project's rule, in line with the
///   practice of national services (Helsel et al. 2020, USGS TM 4-A3, chapter 12, ask for no long gap).
/// - **Weak**: leaving out dry months of unknown depth takes the lowest levels away and so hides a fall; look at the share of
///   dry months, too. The default (seasonal) test takes years as independent.
///
/// ```
/// use gwbank_indicator::{MonthlyLevel, TrendDirection, TrendRules, well_trend};
/// use gwbank_model::Month;
///
/// let first = Month::new(2010, 1);
/// let months: Vec<MonthlyLevel> =
///     (0..132).map(|i| MonthlyLevel::of(first.plus(i), -5.0 - 0.01 * f64::from(i) + f64::from(i % 12))).collect();
/// let found = well_trend(&months, first.plus(131), &TrendRules::default());
/// let trend = found.value().unwrap();
/// assert_eq!(trend.trend.direction, TrendDirection::Decreasing);
/// assert!((trend.slope_per_year + 0.12).abs() < 1e-9);
/// assert!(well_trend(&months[..119], first.plus(131), &TrendRules::default()).value().is_none(), "not ten years");
/// ```
pub fn well_trend(months: &[MonthlyLevel], closed_through: Month, rules: &TrendRules) -> Assessment<WellTrend> {
    let measured = || {
        months
            .iter()
            .filter(|month| month.month <= closed_through)
            .filter_map(|month| month.level.map(|level| (month.month, level, month.counts)))
    };
    let (from, to) = (measured().map(|(month, ..)| month).min(), measured().map(|(month, ..)| month).max());
    let (Some(from), Some(to)) = (from, to) else {
        return Assessment::Insufficient { why: Why::NoLevel, basis: Basis::NOTHING };
    };
    let span = usize::try_from(to.index() - from.index() + 1).unwrap_or(0);
    let mut levels = vec![f64::NAN; span];
    let mut counts = ValueCounts::NONE;
    for (month, level, of_month) in measured() {
        counts = counts.union(of_month);
        if let Some(place) = usize::try_from(month.index() - from.index()).ok().and_then(|at| levels.get_mut(at)) {
            *place = level;
        }
    }
    let present = levels.iter().filter(|level| !level.is_nan()).count();
    let whole_years = u32::try_from(span / PERIOD).unwrap_or(u32::MAX);
    let confidence = (present as f64 / (PERIOD as f64 * f64::from(rules.full_confidence_n.max(1)))).min(1.0);
    let years = present as f64 / PERIOD as f64;
    let basis = Basis { n: whole_years, years, confidence, ..Basis::NOTHING }.resting_on(counts);
    let missing_share = if span == 0 { 1.0 } else { (span - present) as f64 / span as f64 };

    let insufficient = |why| Assessment::Insufficient { why, basis };
    if whole_years < rules.years_min {
        return insufficient(Why::FewYears { years: whole_years, needed: rules.years_min });
    }
    if missing_share >= rules.missing_share {
        return insufficient(Why::ManyMissing { missing: missing_share, allowed: rules.missing_share });
    }
    let Some(trend) = mann_kendall(&levels, rules.test) else { return insufficient(Why::NoLevel) };
    let steps_per_year = if rules.test == TrendTest::Seasonal { 1.0 } else { PERIOD as f64 };
    let slope_per_year = trend.slope * steps_per_year;
    Assessment::Given { value: WellTrend { trend, slope_per_year, from, to, missing_share }, basis }
}
