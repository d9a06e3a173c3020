//! Ranks, and what is made of them.

use crate::normal::normal_quantile;

/// Ranks from 1, ascending; equal values share the average of their ranks. In the order of the input.
/// Values are compared with [`f64::total_cmp`], so `-inf` may stand for "below everything measured".
///
/// - **Formula**: mean of the places that equal values take in ascending order (scipy's `rankdata`, method `average`).
/// - **Source**: the usual treatment of ties (Kendall 1945, *Biometrika* 33, 239–251).
/// - **Weak**: NaN ranks above everything; leave it out.
///
/// ```
/// assert_eq!(gwbank_indicator::average_ranks(&[-2.0, -5.0, -2.0]), vec![2.5, 1.0, 2.5]);
/// ```
pub fn average_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(i64, usize)> = values.iter().map(|&value| order_key(value)).zip(0..).collect();
    // Equal values need no order among themselves: they get one rank.
    order.sort_unstable_by_key(|&(key, _)| key);
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|a, b| a.0 == b.0) {
        // Ranks before + 1 ..= before + tied: their average is exact in a double.
        let average = (2 * before + 1 + tied.len()) as f64 / 2.0;
        for &(_, index) in tied {
            ranks[index] = average;
        }
        before += tied.len();
    }
    ranks
}

/// A whole number that rises as [`f64::total_cmp`] does, but that zeros are one. Whole numbers are compared without a branch.
pub(crate) fn order_key(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    // Of negative values all bits but the sign are turned over, so that larger magnitudes come first.
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

pub(crate) fn of_order_key(key: i64) -> f64 {
    f64::from_bits((key ^ ((key >> 63) as u64 >> 1) as i64) as u64)
}

/// Standardised Groundwater level Index of the levels of one calendar month.
///
/// - **Formula**: Φ⁻¹((r − 0.5)/n) with average ranks r (Hazen's plotting position); no distribution is fitted.
/// - **Unit**: standard deviations, up = wetter. **Shape**: one level a year in any order; the result is in the same order.
/// - **Source**: Bloomfield & Marchant 2013, *Hydrol. Earth Syst. Sci.* 17, 4769–4787; as in pastas 2.0.0 where nothing is tied.
/// - **Limits**: ≤ −1 moderate, ≤ −1.5 severe, ≤ −2 extreme (those of the SPI: McKee et al. 1993). There is no minimum n here:
///   what may be claimed is the business of [`standings`](crate::standings).
/// - **Weak**: n bounds it (n = 22 reaches −2.0), so a longer record can only say more; every month has as many droughts as the
///   normal curve gives it; a trend makes all late months extreme.
///
/// ```
/// let found = gwbank_indicator::sgi(&[-3.1, -2.4, -4.0]);
/// assert_eq!(found[0], 0.0);
/// assert!((found[2] + 0.967_421_566).abs() < 1e-9, "Φ⁻¹(0.5/3)");
/// ```
pub fn sgi(levels: &[f64]) -> Vec<f64> {
    let n = levels.len() as f64;
    average_ranks(levels).into_iter().map(|rank| sgi_of_rank(rank, n)).collect()
}

/// Percentile of each of the levels of one calendar month.
///
/// - **Formula**: 100·r/(n + 1) with average ranks r (Weibull), evaluated in this order so that limits such as 10 and 25 are
///   met exactly.
/// - **Unit**: percent, up = wetter. **Shape**: one level a year in any order; the result is in the same order.
/// - **Source**: USGS WaterWatch and WMO HydroSOS classes (10, 25, 75, 90); Weibull's position as in hyswap.
/// - **Limits**: < 10 much below, < 25 below, ≤ 75 normal, ≤ 90 above, > 90 much above normal (USGS); there is no minimum n here.
/// - **Weak**: below n = 10 no level is under the 10th percentile (the lowest stands at 100/(n + 1)); a percentile tells how rare a
///   level is, not how far it lies from the others.
///
/// ```
/// assert_eq!(gwbank_indicator::percentile_weibull(&[-1.0, -3.0, -2.0]), vec![75.0, 25.0, 50.0]);
/// ```
pub fn percentile_weibull(levels: &[f64]) -> Vec<f64> {
    let n = levels.len() as f64;
    average_ranks(levels).into_iter().map(|rank| percentile_of_rank(rank, n)).collect()
}

/// Where a level stands between the lowest and the highest of its whole series.
///
/// - **Formula**: 100·(x − min)/(max − min); `None` where the series has one value only. **Unit**: percent, up = wetter.
/// - **Shape**: one level and the extremes of its series, the level among them. **Limits**: none, it has no classes; shown from
///   n ≥ 3.
/// - **Source**: the position index of older groundwater bulletins; descriptive only.
/// - **Weak**: blind to the season, and one odd extreme shifts it for good.
///
/// ```
/// assert_eq!(gwbank_indicator::position_index(-3.0, -4.0, -2.0), Some(50.0));
/// ```
pub fn position_index(level: f64, lowest: f64, highest: f64) -> Option<f64> {
    (highest > lowest).then(|| 100.0 * (level - lowest) / (highest - lowest))
}

pub(crate) fn sgi_of_rank(rank: f64, n: f64) -> f64 {
    normal_quantile((rank - 0.5) / n)
}

pub(crate) fn percentile_of_rank(rank: f64, n: f64) -> f64 {
    (100.0 * rank) / (n + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_share_the_average_rank() {
        assert_eq!(average_ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]), vec![4.0, 1.0, 4.0, 2.0, 4.0]);
        assert_eq!(average_ranks(&[]), Vec::<f64>::new());
        assert_eq!(average_ranks(&[f64::NEG_INFINITY, 1.0, f64::NEG_INFINITY]), vec![1.5, 3.0, 1.5]);
        assert_eq!(average_ranks(&[0.0, -0.0]), vec![1.5, 1.5]);
    }

    #[test]
    fn keys_rise_with_values_and_lead_back() {
        let ascending = [f64::NEG_INFINITY, f64::MIN, -1.5, -1e-300, 0.0, 1e-300, 2.0, f64::MAX, f64::INFINITY];
        assert!(ascending.map(order_key).is_sorted_by(|a, b| a < b));
        assert_eq!(ascending.map(|value| of_order_key(order_key(value))), ascending);
        assert_eq!(order_key(-0.0), order_key(0.0));
    }

    #[test]
    fn by_hand() {
        // Five levels: p = 0.1, 0.3, 0.5, 0.7, 0.9.
        let found = sgi(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(found[2], 0.0);
        assert!((found[0] + 1.281_551_565_544_600_8).abs() < 1e-12);
        assert_eq!(percentile_weibull(&[1.0, 2.0, 3.0, 4.0]), vec![20.0, 40.0, 60.0, 80.0]);
        assert_eq!(position_index(2.5, 2.0, 4.0), Some(25.0));
        assert_eq!(position_index(2.0, 2.0, 2.0), None);
    }

    proptest! {
        #[test]
        fn order_of_input_is_of_no_consequence(mut pairs in proptest::collection::vec((0i32..20, any::<u32>()), 1..40)) {
            let levels: Vec<f64> = pairs.iter().map(|p| f64::from(p.0)).collect();
            let mut before: Vec<(i32, u64)> = pairs.iter().zip(sgi(&levels)).map(|(p, s)| (p.0, s.to_bits())).collect();
            pairs.sort_by_key(|p| p.1);
            let levels: Vec<f64> = pairs.iter().map(|p| f64::from(p.0)).collect();
            let mut after: Vec<(i32, u64)> = pairs.iter().zip(sgi(&levels)).map(|(p, s)| (p.0, s.to_bits())).collect();
            before.sort();
            after.sort();
            prop_assert_eq!(before, after);
        }

        #[test]
        fn wetter_never_ranks_lower(levels in proptest::collection::vec(-5.0f64..5.0, 2..40)) {
            let (sgi, percentile) = (sgi(&levels), percentile_weibull(&levels));
            for i in 0..levels.len() {
                for j in 0..levels.len() {
                    if levels[i] < levels[j] {
                        prop_assert!(sgi[i] < sgi[j] && percentile[i] < percentile[j]);
                    }
                }
            }
        }

        #[test]
        fn mirrored_levels_give_mirrored_sgi(levels in proptest::collection::vec(-50i32..50, 1..40)) {
            let up: Vec<f64> = levels.iter().map(|&x| f64::from(x)).collect();
            let down: Vec<f64> = up.iter().map(|x| -x).collect();
            for (a, b) in sgi(&up).into_iter().zip(sgi(&down)) {
                prop_assert!((a + b).abs() < 1e-12);
            }
        }
    }
}
