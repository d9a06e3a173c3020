//! Serial correlation: what it does to the variance of S, and how it is taken out.

use super::kendall::Kendall;
use super::{Points, TREND_ALPHA, TrendTest};
use crate::normal::normal_quantile;
use crate::rank::average_ranks;

/// Corrects S and its variance as the test asks. At least four values.
pub(super) fn corrected(mut kendall: Kendall, points: &Points, slope: f64, test: TrendTest) -> Kendall {
    let detrended: Vec<f64> =
        points.values.iter().zip(&points.steps).map(|(value, step)| value - (step + 1.0) * slope).collect();
    let n = detrended.len();
    match test {
        TrendTest::HamedRao => kendall.variance *= hamed_rao_factor(&detrended, n - 1),
        TrendTest::HamedRaoLag3 => kendall.variance *= hamed_rao_factor(&detrended, 3.min(n - 1)),
        TrendTest::YueWangLag1 => {
            kendall.variance *= 1.0 + 2.0 * ((1.0 - 1.0 / n as f64) * lag_one_correlation(&detrended));
        }
        TrendTest::TrendFreePreWhitening => {
            let correlation = lag_one_correlation(&detrended);
            let whitened: Vec<f64> = detrended
                .windows(2)
                .zip(1u32..)
                .map(|(pair, i)| pair[1] - pair[0] * correlation + f64::from(i) * slope)
                .collect();
            return Kendall::of(&whitened);
        }
        TrendTest::Original | TrendTest::Seasonal => {}
    }
    kendall
}

/// Up to here the sums of products of doubled, centred ranks fit 32 bits: none exceeds the sum of squares, n(n² − 1)/3.
const SMALL_MAX: usize = 1_800;

/// 1 + 2/(n(n−1)(n−2)) · Σ (n−k)(n−k−1)(n−k−2) ρ_k over the significant ones of the first lags.
fn hamed_rao_factor(detrended: &[f64], lags: usize) -> f64 {
    // Twice the rank less its mean is a whole number: sums of products are exact, in whatever order they are taken.
    let n = detrended.len() as f64;
    let centred: Vec<f64> = average_ranks(detrended).into_iter().map(|rank| 2.0 * rank - (n + 1.0)).collect();
    let small: Vec<i16> =
        if detrended.len() <= SMALL_MAX { centred.iter().map(|&x| x as i16).collect() } else { vec![] };
    let product =
        |lag| if small.is_empty() { lagged_product(&centred, lag) } else { small_lagged_product(&small, lag) };
    let square = product(0);
    if square == 0.0 {
        return 1.0;
    }
    let bound = normal_quantile(1.0 - TREND_ALPHA / 2.0) / n.sqrt();
    let mut sum = 0.0;
    for lag in 1..=lags {
        let correlation = product(lag) / square;
        if correlation.abs() > bound {
            let left = n - lag as f64;
            sum += left * (left - 1.0) * (left - 2.0) * correlation;
        }
    }
    1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * sum
}

/// 0 for a constant series.
fn lag_one_correlation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let square = lagged_product(&centred, 0);
    if square == 0.0 { 0.0 } else { lagged_product(&centred, 1) / square }
}

/// Σ x_i x_{i+lag}, in eight sums side by side.
fn lagged_product(values: &[f64], lag: usize) -> f64 {
    const LANES: usize = 8;
    let (early, late) = (&values[..values.len() - lag], &values[lag..]);
    let mut sums = [0.0f64; LANES];
    let (early_chunks, late_chunks) = (early.chunks_exact(LANES), late.chunks_exact(LANES));
    let rest: f64 = early_chunks.remainder().iter().zip(late_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in early_chunks.zip(late_chunks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The same of small whole numbers, of which a processor multiplies eight at once.
fn small_lagged_product(values: &[i16], lag: usize) -> f64 {
    let (early, late) = (&values[..values.len() - lag], &values[lag..]);
    f64::from(early.iter().zip(late).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn small_numbers_give_the_same_sums(values in proptest::collection::vec(-1800i16..1800, 1..400), lag in 0usize..400) {
            let lag = lag % values.len();
            let wide: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
            prop_assert_eq!(small_lagged_product(&values, lag), lagged_product(&wide, lag));
        }
    }

    /// The longest series whose sums are taken in 32 bits, and one more step.
    #[test]
    fn the_largest_sums_fit() {
        for n in [SMALL_MAX, SMALL_MAX + 1] {
            let rising: Vec<f64> = (0..n).map(|i| i as f64).collect();
            // Neighbours of a straight line correlate fully: the factor is far above 1 and no overflow has made it negative.
            assert!(hamed_rao_factor(&rising, 3) > 5.0);
        }
    }
}
