//! Monotonic trend: the Mann–Kendall family of tests, and Sen's slope.
//!
//! # Rules
//! 1. A series is values on equal steps; NaN is a gap (so is an infinity). The tests see the values in order; Sen's slope sees the gaps, too.
//! 2. The corrections for serial correlation take the values that are there as neighbours, as the peers do. A gap so makes
//!    the correlation look weaker; the product rule ([`well_trend`]) allows few of them.
//! 3. A corrected variance that is not positive (it happens on real wells) leaves z and p absent and no direction.
//! 4. S is counted in O(n log n); Sen's slope is the exact middle one, selected without sorting the pairs.
//! 5. p is the tail itself, so it stays above 0 where peers print 0 (|z| > 8.3).
//!
//! Definitions are those of pymannkendall 1.4.3 (Hussain & Mahmud 2019, JOSS 4, 1556), whose results are reproduced.

mod bracket;
mod kendall;
mod serial;
mod slope;
mod well;

use gwbank_model::named_enum;

pub use slope::{sen_slope, sen_slope_at};
pub use well::{TrendRules, WellTrend, well_trend};

use crate::normal::normal_quantile;
use crate::special::two_sided_normal_p;
use kendall::Kendall;

named_enum! {
    /// Which test of the family.
    TrendTest, "trend test" {
        /// Mann 1945, Kendall 1975. Takes the values as independent; months of groundwater are not, so it finds too much.
        Original = 1, "mann_kendall";
        /// Hamed & Rao 1998: variance corrected by the significant rank correlations at all lags.
        HamedRao = 2, "hamed_rao";
        /// The same with the first three lags.
        HamedRaoLag3 = 3, "hamed_rao_lag3";
        /// Yue & Wang 2004, lag 1: variance corrected by the correlation of neighbours.
        YueWangLag1 = 4, "yue_wang_lag1";
        /// Yue et al. 2002: the lag-1 correlation is taken out of the detrended series, then the trend is put back.
        TrendFreePreWhitening = 5, "tfpw";
        /// Hirsch & Slack 1984: each calendar month on its own, for series of twelve steps a year.
        Seasonal = 6, "seasonal";
    }
}

named_enum! {
    /// Of the levels: up is wetter.
    TrendDirection, "trend direction" {
        Decreasing = 1, "decreasing";
        NoTrend = 2, "no trend";
        Increasing = 3, "increasing";
    }
}

/// Two-sided level at which a direction is given.
pub const TREND_ALPHA: f64 = 0.05;
/// Steps a year of the seasonal test.
pub(crate) const PERIOD: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    pub test: TrendTest,
    /// Values in the series.
    pub n: u32,
    /// Kendall's S: pairs that rise less pairs that fall.
    pub s: i64,
    /// Its variance without a trend, corrected as the test says; can be negative.
    pub variance: f64,
    /// S over the number of pairs (τₐ).
    pub tau: f64,
    /// `None` where the variance is not positive.
    pub z: Option<f64>,
    /// Two-sided.
    pub p: Option<f64>,
    /// By [`TREND_ALPHA`].
    pub direction: TrendDirection,
    /// Sen's slope in units per step; per year for the seasonal test.
    pub slope: f64,
    /// Level at the first step, of the line through the medians.
    pub intercept: f64,
}

/// One test of the Mann–Kendall family on a series of equal steps.
///
/// - **Formula**: S = Σ_{i<j} sgn(x_j − x_i); Var S = \[n(n−1)(2n+5) − Σ t(t−1)(2t+5)\]/18 with t the sizes of tie groups;
///   z = (S ∓ 1)/√Var S; p = 2(1 − Φ(|z|)); τ = S/(n(n−1)/2). Corrections by `test`:
///   *Hamed–Rao* Var\*= Var·(1 + 2/(n(n−1)(n−2))·Σ_k (n−k)(n−k−1)(n−k−2) ρ_k) over the lags whose rank correlation ρ_k of the
///   detrended series passes 1.96/√n; *Yue–Wang* Var\* = Var·(1 + 2(1 − 1/n) ρ₁); *pre-whitening* tests
///   y_{i+1} − ρ₁ y_i + b·i with y the detrended series; *seasonal* sums S and Var S of the twelve calendar months.
/// - **Unit**: slope in units a step (a year for the seasonal test). **Shape**: equal steps, NaN for gaps.
///   `None` below two values (four for the corrected tests), or where no calendar month has two.
/// - **Source**: Mann 1945; Kendall 1975; Sen 1968; Hirsch & Slack 1984; Hamed & Rao 1998, *J. Hydrol.* 204, 182–196; Yue et al.
///   2002, *Hydrol. Process.* 16, 1807–1829; Yue & Wang 2004, *Water Resour. Manag.* 18, 201–218.
/// - **Limits**: two-sided 5 % (convention).
/// - **Weak**: a monotonic trend is all that is looked for: a fall and a recovery (Bangkok) cancel. The original test takes
///   correlated months as independent. Hamed–Rao with all lags can get a negative variance; take three lags then.
///
/// ```
/// use gwbank_indicator::{TrendDirection, TrendTest, mann_kendall};
///
/// let falling: Vec<f64> = (0..12).map(|year| -0.25 * f64::from(year)).collect();
/// let trend = mann_kendall(&falling, TrendTest::Original).unwrap();
/// assert_eq!((trend.s, trend.tau, trend.slope), (-66, -1.0, -0.25));
/// assert_eq!(trend.direction, TrendDirection::Decreasing);
/// // Var S = 12 · 11 · 29/18; z = −65/√Var S.
/// assert!((trend.z.unwrap() + 4.457_215_628_6).abs() < 1e-9);
/// ```
pub fn mann_kendall(levels: &[f64], test: TrendTest) -> Option<Trend> {
    let points = Points::of(levels)?;
    let of_series = Kendall::of(&points.values);
    let kendall = match test {
        TrendTest::Seasonal => return seasonal(levels, &points, &of_series),
        TrendTest::Original => None,
        _ if points.values.len() < 4 => return None,
        _ => Some(of_series.clone()),
    };
    let (slope, intercept) = slope::sen_line(&points, &of_series)?;
    let kendall = match kendall {
        None => of_series,
        Some(kendall) => serial::corrected(kendall, &points, slope, test),
    };
    Some(Trend::of(test, points.values.len(), &kendall, slope, intercept))
}

impl Trend {
    fn of(test: TrendTest, n: usize, kendall: &Kendall, slope: f64, intercept: f64) -> Self {
        let z = kendall.z();
        let limit = normal_quantile(1.0 - TREND_ALPHA / 2.0);
        let direction = match z {
            Some(z) if z > limit => TrendDirection::Increasing,
            Some(z) if z < -limit => TrendDirection::Decreasing,
            _ => TrendDirection::NoTrend,
        };
        Self {
            test,
            n: u32::try_from(n).unwrap_or(u32::MAX),
            s: kendall.s,
            variance: kendall.variance,
            tau: kendall.s as f64 / kendall.pairs as f64,
            z,
            p: z.map(two_sided_normal_p),
            direction,
            slope,
            intercept,
        }
    }
}

/// The values that are there, and at which step each stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Points {
    pub steps: Vec<f64>,
    pub values: Vec<f64>,
}

impl Points {
    /// `None` below two values.
    fn of(levels: &[f64]) -> Option<Self> {
        let mut points = Self { steps: Vec::with_capacity(levels.len()), values: Vec::with_capacity(levels.len()) };
        for (step, &value) in levels.iter().enumerate() {
            if value.is_finite() {
                points.steps.push(step as f64);
                points.values.push(value);
            }
        }
        (points.values.len() >= 2).then_some(points)
    }
}

fn seasonal(levels: &[f64], points: &Points, of_series: &Kendall) -> Option<Trend> {
    let months: Vec<Points> = (0..PERIOD)
        .filter_map(|month| Points::of(&levels.iter().skip(month).step_by(PERIOD).copied().collect::<Vec<f64>>()))
        .collect();
    let mut summed = Kendall::default();
    for month in &months {
        let kendall = Kendall::of(&month.values);
        summed.s += kendall.s;
        summed.pairs += kendall.pairs;
        summed.variance += kendall.variance;
    }
    let slope = slope::median_slope(&months)?;
    let intercept = of_series.median - median_of_ascending(&points.steps) / PERIOD as f64 * slope;
    Some(Trend::of(TrendTest::Seasonal, points.values.len(), &summed, slope, intercept))
}

/// NaN for nothing.
pub(crate) fn median_of_ascending(values: &[f64]) -> f64 {
    let n = values.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => values[n / 2],
        _ => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests;
