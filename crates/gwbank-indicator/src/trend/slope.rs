//! Sen's slope: the median of the slopes of all pairs.
//!
//! Few pairs are written down and the middle one is selected. Of many, [`super::bracket`] finds it without sorting or keeping
//! them. Both give the same double: the slopes compared are (x_j − x_i)/(t_j − t_i) themselves.

use std::cmp::Ordering;

use super::bracket;
use super::kendall::Kendall;
use super::{Points, median_of_ascending};

/// Pairs that are simply written down.
const PAIRS_WRITTEN_MAX: usize = 12_000;

/// Sen's slope and the level at the first step of the line with that slope through the medians.
///
/// - **Formula**: slope = median over i < j of (x_j − x_i)/(j − i); intercept = median(x) − slope · median(steps that have a
///   value), steps from 0.
/// - **Unit**: units of the level a step. **Shape**: equal steps, NaN for gaps; `None` below two values.
/// - **Source**: Theil 1950; Sen 1968, *JASA* 63, 1379–1389; intercept after Conover 1980. Selection after Matoušek 1991.
/// - **Weak**: up to 29 % of bad values leave it sound, a step in the record does not.
///
/// ```
/// let (slope, intercept) = gwbank_indicator::sen_slope(&[1.0, f64::NAN, 2.0, 90.0, 3.0]).unwrap();
/// assert_eq!((slope, intercept), (0.5, 1.25), "of the slopes −87, 0.5, 0.5, 0.5, 29.7, 88");
/// ```
pub fn sen_slope(levels: &[f64]) -> Option<(f64, f64)> {
    let points = Points::of(levels)?;
    sen_line(&points, &Kendall::of(&points.values))
}

/// Sen's slope of values at any times.
///
/// - **Formula**: median over i < j of (x_j − x_i)/(t_j − t_i). **Unit**: units of the level per unit of time.
/// - **Shape**: times ascending, each once; what is not finite has no part. `None` below two values.
/// - **Source**: Sen 1968, *JASA* 63, 1379–1389. **Weak**: as [`sen_slope`]; where readings crowd, so do their pairs.
///
/// ```
/// assert_eq!(gwbank_indicator::sen_slope_at(&[(0.0, 1.0), (1.0, 2.0), (4.0, 5.0), (10.0, -90.0)]), Some(-4.05));
/// // The middle two of -15.8, -10.2, -9.1, 1, 1, 1.
/// ```
pub fn sen_slope_at(series: &[(f64, f64)]) -> Option<f64> {
    let present = || series.iter().filter(|(_, value)| value.is_finite());
    let points = Points { steps: present().map(|p| p.0).collect(), values: present().map(|p| p.1).collect() };
    median_slope(&[points])
}

pub(super) fn sen_line(points: &Points, kendall: &Kendall) -> Option<(f64, f64)> {
    let slope = match flat(kendall) {
        true => 0.0,
        false => median_slope(std::slice::from_ref(points))?,
    };
    Some((slope, kendall.median - median_of_ascending(&points.steps) * slope))
}

/// Both middle slopes are among those of tied pairs, which are 0.
fn flat(kendall: &Kendall) -> bool {
    let falling = (kendall.pairs - kendall.tied - kendall.s) / 2;
    let (lower_middle, upper_middle) = ((kendall.pairs - 1) / 2, kendall.pairs / 2);
    falling <= lower_middle && upper_middle < falling + kendall.tied
}

/// The median of the slopes of the pairs within each group.
pub(super) fn median_slope(groups: &[Points]) -> Option<f64> {
    let pairs: usize = groups.iter().map(|group| group.values.len() * group.values.len().saturating_sub(1) / 2).sum();
    if pairs == 0 {
        return None;
    }
    let (low, high) = if pairs <= PAIRS_WRITTEN_MAX {
        let mut slopes = Vec::with_capacity(pairs);
        groups.iter().for_each(|group| write_slopes(group, &mut slopes));
        middle(&mut slopes, (pairs - 1) / 2, pairs / 2)?
    } else {
        bracket::middle_slopes(groups, pairs)
    };
    Some((low + high) / 2.0)
}

fn write_slopes(group: &Points, slopes: &mut Vec<f64>) {
    for (i, (value, step)) in group.values.iter().zip(&group.steps).enumerate() {
        let later = group.values[i + 1..].iter().zip(&group.steps[i + 1..]);
        slopes.extend(later.map(|(later_value, later_step)| (later_value - value) / (later_step - step)));
    }
}

pub(super) fn each_slope(group: &Points, mut take: impl FnMut(f64)) {
    for (i, (&value, &step)) in group.values.iter().zip(&group.steps).enumerate() {
        for (later_value, later_step) in group.values[i + 1..].iter().zip(&group.steps[i + 1..]) {
            take((later_value - value) / (later_step - step));
        }
    }
}

/// The slopes at two neighbouring places (or one) of the ascending order.
pub(super) fn middle(slopes: &mut [f64], low: usize, high: usize) -> Option<(f64, f64)> {
    if high >= slopes.len() {
        return None;
    }
    let (below, &mut at_high, _) = slopes.select_nth_unstable_by(high, by_value);
    let at_low = if low == high { at_high } else { highest(below) };
    Some((at_low, at_high))
}

/// In four strands, as each step of one waits for the step before.
fn highest(slopes: &[f64]) -> f64 {
    let mut strands = [f64::NEG_INFINITY; 4];
    let chunks = slopes.chunks_exact(4);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (highest, &slope) in strands.iter_mut().zip(chunk) {
            *highest = if slope > *highest { slope } else { *highest };
        }
    }
    strands.iter().chain(rest).fold(f64::NEG_INFINITY, |highest, &slope| highest.max(slope))
}

/// Slopes of finite values are never NaN.
pub(super) fn by_value(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_constant_series_is_flat() {
        assert_eq!(sen_slope(&[2.5; 3000]), Some((0.0, 2.5)));
        assert_eq!(sen_slope(&[f64::NAN, 1.0, f64::NAN]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Written down or bracketed, flat or not: the middle of all slopes.
        #[test]
        fn the_middle_of_all_slopes(values in proptest::collection::vec(-12i32..12, 2..220), tilt in -1i32..=1) {
            let levels: Vec<f64> = values.iter().enumerate().map(|(i, &x)| f64::from(x) + f64::from(tilt) * 0.05 * i as f64).collect();
            let points = Points::of(&levels).unwrap();
            let mut slopes = Vec::new();
            each_slope(&points, |slope| slopes.push(slope));
            slopes.sort_by(f64::total_cmp);
            prop_assert_eq!(sen_slope(&levels).unwrap().0, median_of_ascending(&slopes));
        }
    }
}
