//! Drift of a sensor against a reference: check readings by hand, a second sensor, neighbours, another barometer.
//!
//! A sensor drifts by centimetres a year. Against the well's own seasons that is invisible; against a reference it is the
//! slope of the difference.
//!
//! # Method
//! 1. **Pairs**: the sensor's value at the time of each reference reading, interpolated between two readings at most
//!    [`DriftRules::gap_max_micros`] apart. Difference = sensor − reference.
//! 2. Many pairs are condensed to at most 400 medians of equal spans of time, which is what all pairs of pairs can be
//!    computed of (80,000) and takes most of the noise out.
//! 3. **Slope**: Theil–Sen, the median of the slopes of all pairs of differences (Theil 1950; Sen 1968). A fifth of the check
//!    readings may be plain wrong without moving it much.
//! 4. **Significance**: Mann–Kendall's S of the differences with the variance for ties (Kendall 1975), times (1 + r)/(1 − r)
//!    where the residuals around the slope follow each other with the autocorrelation r > 0 of the first order: readings
//!    that say the same twice are no two witnesses. Two-sided p by the normal distribution with continuity correction.
//!    The confidence interval of the slope is Sen's, by the same variance.
//! 5. It is **drift** where p < alpha *and* the slope is at least [`DriftRules::per_year_min`]: a drift that matters.
//!
//! Weaknesses: a step looks like a drift (see [`crate::shift`] first); a reference that drifts, too, hides it; of a seasonal
//! difference (a neighbour with another amplitude) whole years are needed.

use std::f64::consts::SQRT_2;

use gwbank_model::{Parameter, QualityFlag, Timestamp};

use crate::strict::Point;

const MICROS_PER_YEAR: f64 = 365.25 * 86_400.0 * 1e6;
/// See step 2 of the method.
const CONDENSED_MAX: usize = 400;

/// When a slope is a drift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftRules {
    /// In the unit of the series. For levels 0.02 m: what data sheets of submersible sensors call long-term stability is
    /// 0.1 % of 10 to 20 m a year (check).
    pub per_year_min: f64,
    /// Chance of calling drift what is none. 0.01, as gwloggeR compares barometers in Flanders.
    pub alpha: f64,
    /// Fewer pairs say nothing: with 6 the smallest possible p is just below 0.01.
    pub pairs_min: usize,
    /// Between the two readings of the sensor around a check reading.
    pub gap_max_micros: i64,
}

impl Default for DriftRules {
    fn default() -> Self {
        Self { per_year_min: 0.02, alpha: 0.01, pairs_min: 6, gap_max_micros: 12 * 3_600_000_000 }
    }
}

impl DriftRules {
    /// With the smallest drift that matters in the parameter's unit; `None` where drift is a share of the value (conductivity)
    /// or nothing that is compared.
    pub fn for_parameter(parameter: Parameter) -> Option<Self> {
        use Parameter as P;
        let per_year_min = match parameter {
            P::DepthToWater | P::GroundwaterElevation | P::DistanceToWater | P::WaterHeightAboveSensor => 0.02,
            // As much in kPa; a barometer has to be better, as its error goes into every well that it serves.
            P::WaterPressureAbsolute | P::WaterPressureGauge => 0.2,
            P::BarometricPressure => 0.1,
            P::WaterTemperature | P::AirTemperature => 0.1,
            P::Ph => 0.2,
            _ => return None,
        };
        Some(Self { per_year_min, ..Self::default() })
    }
}

/// The slope of the difference between sensor and reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftEstimate {
    /// Pairs found, before condensing.
    pub pairs: usize,
    pub from: Timestamp,
    pub to: Timestamp,
    /// In the unit of the series; positive: the sensor rises above the reference.
    pub per_year: f64,
    /// Of `per_year`, at 1 − alpha.
    pub low: f64,
    pub high: f64,
    pub p: f64,
    /// The median difference: a constant offset of the sensor, with drift its middle.
    pub offset: f64,
    /// The difference at `from` on the line of the slope through the medians of time and difference (Conover).
    pub at_start: f64,
}

impl DriftEstimate {
    /// What the sensor is off at a time, by the line. To be taken from a reading to correct it; that is a decision of
    /// people, which nothing here makes.
    pub fn error_at(&self, time: Timestamp) -> f64 {
        self.at_start + self.per_year * (time.micros_since(self.from) as f64 / MICROS_PER_YEAR)
    }

    /// Suspect from the time on at which the drift since the first check exceeds `error_max`; for [`crate::review::object`]
    /// with [`gwbank_model::QcTest::Drift`]. Readings before the first check are not evaluated.
    pub fn flags(&self, points: &[Point], error_max: f64) -> Vec<QualityFlag> {
        let flag = |point: &Point| match self.error_at(point.time) - self.at_start {
            _ if point.present().is_none() => QualityFlag::Missing,
            _ if point.time < self.from => QualityFlag::NotEvaluated,
            drifted if drifted.abs() > error_max => QualityFlag::Suspect,
            _ => QualityFlag::Pass,
        };
        points.iter().map(flag).collect()
    }
}

/// What the comparison says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Drift {
    /// Too few pairs to say anything.
    Insufficient {
        pairs: usize,
        needed: usize,
    },
    /// No slope that is both significant and large enough to matter.
    Steady(DriftEstimate),
    Drifting(DriftEstimate),
}

/// Compares a sensor with a reference, both in order of time, readings without a value ignored.
///
/// A logger that gains 5 cm a year on the dipper, which reads to the centimetre, monthly:
///
/// ```
/// use gwbank_model::Timestamp;
/// use gwbank_quality::Point;
/// use gwbank_quality::drift::{Drift, DriftRules, drift};
///
/// let at = |day: i64, value: f64| {
///     Point { time: Timestamp::from_secs(day * 86_400), value: Some(value), site_status: None }
/// };
/// let level = |day: i64| 5.0 + (day as f64 / 58.0).sin();
/// let logger: Vec<Point> = (0..730).map(|day| at(day, level(day) + 0.05 * day as f64 / 365.25)).collect();
/// let dipper: Vec<Point> = (0..24).map(|month| at(month * 30, (level(month * 30) * 100.0).round() / 100.0)).collect();
/// let Drift::Drifting(found) = drift(&DriftRules::default(), &logger, &dipper) else { panic!() };
/// assert!((found.per_year - 0.05).abs() < 0.005);
/// assert!(found.low > 0.02 && found.high < 0.08 && found.p < 1e-6);
/// assert!(matches!(drift(&DriftRules::default(), &logger, &dipper[..3]), Drift::Insufficient { pairs: 3, needed: 6 }));
/// ```
pub fn drift(rules: &DriftRules, sensor: &[Point], reference: &[Point]) -> Drift {
    let pairs = differences(rules, sensor, reference);
    let needed = rules.pairs_min.max(3);
    let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else {
        return Drift::Insufficient { pairs: 0, needed };
    };
    let (from, to) = (first.time, last.time);
    let condensed = condense(&pairs);
    let years: Vec<f64> = condensed.iter().map(|pair| pair.time.micros_since(from) as f64 / MICROS_PER_YEAR).collect();
    let values: Vec<f64> = condensed.iter().map(|pair| pair.value).collect();
    if values.len() < needed {
        return Drift::Insufficient { pairs: values.len(), needed };
    }
    let mut slopes = slopes(&years, &values);
    let Some(per_year) = median(&mut slopes) else { return Drift::Insufficient { pairs: values.len(), needed } };
    let residuals: Vec<f64> = years.iter().zip(&values).map(|(year, value)| value - per_year * year).collect();
    let variance = kendall_variance(&values) * inflation(&residuals);
    let s = kendall_s(&values);
    let z = if s == 0.0 || variance <= 0.0 { 0.0 } else { (s - s.signum()) / variance.sqrt() };
    let p = two_sided_p(z);
    let (low, high) = interval(&slopes, variance, rules.alpha);
    let offset = median(&mut values.clone()).unwrap_or(f64::NAN);
    let at_start = offset - per_year * median(&mut years.clone()).unwrap_or(f64::NAN);
    let estimate = DriftEstimate { pairs: pairs.len(), from, to, per_year, low, high, p, offset, at_start };
    if p < rules.alpha && per_year.abs() >= rules.per_year_min {
        Drift::Drifting(estimate)
    } else {
        Drift::Steady(estimate)
    }
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    time: Timestamp,
    value: f64,
}

fn present(points: &[Point]) -> Vec<Pair> {
    let value = |point: &Point| point.value.filter(|value| value.is_finite());
    points.iter().filter_map(|point| Some(Pair { time: point.time, value: value(point)? })).collect()
}

fn differences(rules: &DriftRules, sensor: &[Point], reference: &[Point]) -> Vec<Pair> {
    let sensor = present(sensor);
    let at = |time: Timestamp| {
        let next = sensor.partition_point(|pair| pair.time < time);
        let after = sensor.get(next)?;
        if after.time == time {
            return Some(after.value);
        }
        let before = sensor.get(next.checked_sub(1)?)?;
        let apart = after.time.micros_since(before.time);
        let share = time.micros_since(before.time) as f64 / apart as f64;
        (apart <= rules.gap_max_micros).then_some(before.value + (after.value - before.value) * share)
    };
    let pairs = present(reference);
    pairs.iter().filter_map(|pair| Some(Pair { time: pair.time, value: at(pair.time)? - pair.value })).collect()
}

/// Medians of equal spans of time, at their middle reading's time.
fn condense(pairs: &[Pair]) -> Vec<Pair> {
    let (Some(first), Some(last), true) = (pairs.first(), pairs.last(), pairs.len() > CONDENSED_MAX) else {
        return pairs.to_vec();
    };
    let span = last.time.micros_since(first.time) / CONDENSED_MAX as i64 + 1;
    let number = |pair: &Pair| pair.time.micros_since(first.time) / span;
    let condensed = pairs.chunk_by(|a, b| number(a) == number(b)).filter_map(|chunk| {
        let value = median(&mut chunk.iter().map(|pair| pair.value).collect::<Vec<_>>())?;
        Some(Pair { time: chunk.get(chunk.len() / 2)?.time, value })
    });
    condensed.collect()
}

fn slopes(times: &[f64], values: &[f64]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(times.len() * times.len() / 2);
    for (i, (&time, &value)) in times.iter().zip(values).enumerate() {
        let later = times.iter().zip(values).skip(i + 1).filter(|(later, _)| **later > time);
        slopes.extend(later.map(|(&later, &other)| (other - value) / (later - time)));
    }
    slopes
}

/// Sorts.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { (values[middle - 1] + upper) / 2.0 })
}

fn kendall_s(values: &[f64]) -> f64 {
    let sign = |a: f64, b: f64| f64::from(i8::from(b > a) - i8::from(b < a));
    let of = |i: usize| values[i + 1..].iter().map(|&later| sign(values[i], later)).sum::<f64>();
    (0..values.len()).map(of).sum()
}

fn kendall_variance(values: &[f64]) -> f64 {
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|equal| term(equal.len() as f64)).sum();
    (term(values.len() as f64) - ties) / 18.0
}

/// By how much readings that follow each other are fewer witnesses than they are readings.
fn inflation(residuals: &[f64]) -> f64 {
    let mean = residuals.iter().sum::<f64>() / residuals.len() as f64;
    let squares: f64 = residuals.iter().map(|residual| (residual - mean).powi(2)).sum();
    let lagged: f64 = residuals.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let r = if squares > 0.0 { (lagged / squares).clamp(0.0, 0.95) } else { 0.0 };
    (1.0 + r) / (1.0 - r)
}

/// Sen's confidence interval of sorted slopes, by the ranks that scipy takes.
fn interval(slopes: &[f64], variance: f64, alpha: f64) -> (f64, f64) {
    let count = slopes.len() as f64;
    let reach = normal_quantile(1.0 - alpha / 2.0) * variance.max(0.0).sqrt();
    let upper = ((count + reach) / 2.0).round_ties_even().clamp(0.0, count - 1.0);
    let lower = (((count - reach) / 2.0).round_ties_even() - 1.0).clamp(0.0, count - 1.0);
    let at = |rank: f64| slopes.get(rank as usize).copied().unwrap_or(f64::NAN);
    (at(lower), at(upper))
}

fn two_sided_p(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2).min(1.0)
}

/// The complementary error function by a Chebyshev fit whose relative error is below 1.2e-7 (Press et al., Numerical
/// Recipes, §6.2): far finer than any decision here.
fn erfc(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let fit = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    let tail = t * (-x * x + fit).exp();
    if x >= 0.0 { tail } else { 2.0 - tail }
}

/// By bisection; p in (0, 1).
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if 0.5 * erfc(-middle / SQRT_2) < p { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests;
