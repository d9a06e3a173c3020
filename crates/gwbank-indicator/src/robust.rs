//! Order statistics that a few bad values do not move: median, quantile, and Sen's slope within blocks.
//!
//! # Rules
//! 1. Only finite values come in; the callers drop the others.
//! 2. Values are sorted by [`f64::total_cmp`] before anything is made of them, so that the order of input leaves no trace.

use crate::normal::normal_quantile;

/// The middle value, or the mean of the two middle ones. Sorts the values.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value at share `q` of the sorted values, between two of them in proportion (type 7 of Hyndman and Fan).
pub(crate) fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let below = at.floor() as usize;
    let (a, b) = (*values.get(below)?, *values.get((below + 1).min(last))?);
    let part = at - at.floor();
    Some(if part == 0.0 { a } else { a * (1.0 - part) + b * part })
}

/// A value at a place, comparable with the others of its block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Blocked {
    pub block: i64,
    pub x: f64,
    pub y: f64,
}

/// The median of the slopes of all pairs within blocks, how far it can be trusted, and whether it is one at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BlockedSlope {
    pub slope: f64,
    /// Ends of the 90 % interval (Gilbert 1987, §16.4: ranks (N ∓ z·√Var S)/2 of the N sorted slopes).
    pub low: f64,
    pub high: f64,
    /// Mann–Kendall's S summed over the blocks, and its variance with ties.
    pub s: f64,
    pub variance: f64,
}

impl BlockedSlope {
    /// z of the sum over the blocks, continuity-corrected.
    pub fn z(&self) -> f64 {
        if self.variance <= 0.0 || self.s == 0.0 { 0.0 } else { (self.s - self.s.signum()) / self.variance.sqrt() }
    }
}

/// Sen's slope with blocks in the place of seasons: only values of one block are compared (Hirsch, Slack and Smith 1982).
/// `None` where no block has two places. `inflation` multiplies the variance: how many values tell the same, one for
/// independent values.
pub(crate) fn blocked_slope(points: &[Blocked], inflation: f64) -> Option<BlockedSlope> {
    const Z_OF_90_PERCENT: f64 = 0.95;
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.block.cmp(&b.block).then(a.x.total_cmp(&b.x)).then(a.y.total_cmp(&b.y)));
    let mut slopes = Vec::new();
    let (mut s, mut variance) = (0.0, 0.0);
    for block in sorted.chunk_by(|a, b| a.block == b.block) {
        for (index, first) in block.iter().enumerate() {
            for second in block[index + 1..].iter().filter(|second| second.x > first.x) {
                slopes.push((second.y - first.y) / (second.x - first.x));
                s += sign(second.y - first.y);
            }
        }
        variance += variance_of_s(block);
    }
    variance *= inflation;
    let slope = median(&mut slopes)?;
    let (count, half) = (slopes.len() as f64, normal_quantile(Z_OF_90_PERCENT) * variance.sqrt());
    let at = |rank: f64| slopes[rank.clamp(0.0, count - 1.0) as usize];
    let (low, high) = (((count - half) / 2.0).round_ties_even() - 1.0, ((count + half) / 2.0).round_ties_even());
    Some(BlockedSlope { slope, low: at(low), high: at(high), s, variance })
}

/// The slope of [`blocked_slope`] for points of one block, without sorting all slopes.
pub(crate) fn median_slope(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (index, first) in points.iter().enumerate() {
        for second in &points[index + 1..] {
            // Either way round the slope of two points is the same double.
            if second.0 != first.0 {
                slopes.push((second.1 - first.1) / (second.0 - first.0));
            }
        }
    }
    let middle = slopes.len().checked_sub(1)? / 2;
    let (_, &mut lower, above) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    // As the quantile of an even number of values: halfway between the two middle ones.
    let is_even = (middle + 1) * 2 == above.len() + middle + 1;
    let upper = above.iter().copied().min_by(f64::total_cmp).filter(|_| is_even);
    Some(upper.map_or(lower, |upper| lower * 0.5 + upper * 0.5))
}

fn sign(difference: f64) -> f64 {
    if difference == 0.0 { 0.0 } else { difference.signum() }
}

/// [n(n−1)(2n+5) − Σ t(t−1)(2t+5)] / 18 over groups of t equal values.
fn variance_of_s(block: &[Blocked]) -> f64 {
    let term = |count: usize| (count * count.saturating_sub(1) * (2 * count + 5)) as f64;
    let mut values: Vec<f64> = block.iter().map(|point| point.y).collect();
    values.sort_by(f64::total_cmp);
    let ties: f64 = values.chunk_by(|a, b| a == b).map(|group| term(group.len())).sum();
    (term(values.len()) - ties) / 18.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn middle_and_quantiles() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0]), Some(3.0));
        assert_eq!(median(&mut [3.0, 1.0, 2.0, 10.0]), Some(2.5));
        assert_eq!(quantile(&mut [0.0, 10.0, 20.0], 0.75), Some(15.0));
        assert_eq!(quantile(&mut [0.0, 10.0, 20.0], 1.0), Some(20.0));
    }

    #[test]
    fn blocks_are_not_compared_with_each_other() {
        // Both blocks fall by 1 a step; the second lies far above the first and comes later.
        let point = |block, x: f64, y: f64| Blocked { block, x, y };
        let points =
            [point(0, 0.0, 5.0), point(0, 1.0, 4.0), point(0, 2.0, 3.0), point(1, 3.0, 50.0), point(1, 5.0, 48.0)];
        let found = blocked_slope(&points, 1.0).unwrap();
        assert_eq!((found.slope, found.s), (-1.0, -4.0));
        assert_eq!(blocked_slope(&points[2..4], 1.0), None);
        assert!(found.low <= found.slope && found.slope <= found.high);
    }

    proptest! {
        #[test]
        fn the_median_slope_is_that_of_one_block(points in proptest::collection::vec((0u8..20, -5.0f64..5.0), 0..30)) {
            let blocked: Vec<Blocked> =
                points.iter().map(|&(x, y)| Blocked { block: 0, x: f64::from(x), y }).collect();
            let plain: Vec<(f64, f64)> = points.iter().map(|&(x, y)| (f64::from(x), y)).collect();
            prop_assert_eq!(median_slope(&plain), blocked_slope(&blocked, 1.0).map(|found| found.slope));
        }
    }

    #[test]
    fn variance_of_kendalls_s_by_hand() {
        let block: Vec<Blocked> = [1.0, 2.0, 2.0, 4.0].map(|y| Blocked { block: 0, x: y, y }).into();
        // (4·3·13 − 2·1·9) / 18
        assert!((variance_of_s(&block) - 138.0 / 18.0).abs() < 1e-12);
    }

    /// Against scipy, pymannkendall and numpy: see `scripts/golden/robust.py`.
    #[test]
    fn equals_its_peers() {
        let (mut points, mut compared) = (Vec::new(), 0);
        for row in include_str!("../tests/golden/robust.csv").lines() {
            let fields: Vec<&str> = row.split(',').collect();
            let number = |index: usize| fields[index].parse::<f64>().unwrap();
            if fields[0] == "point" {
                if compared > 0 && points.first().is_some_and(|(case, _)| case != fields[1]) {
                    points.clear();
                }
                let point = Blocked { block: fields[2].parse().unwrap(), x: number(3), y: number(4) };
                points.push((fields[1].to_owned(), point));
                continue;
            }
            let of_case: Vec<Blocked> = points.iter().map(|(_, point)| *point).collect();
            let found = blocked_slope(&of_case, 1.0).unwrap();
            let mut values: Vec<f64> = of_case.iter().map(|point| point.y).collect();
            let value = match fields[2] {
                "slope" => found.slope,
                "low" => found.low,
                "high" => found.high,
                "s" => found.s,
                "variance" => found.variance,
                "q80" => quantile(&mut values, 0.8).unwrap(),
                other => panic!("{other}"),
            };
            assert!((value - number(3)).abs() <= 1e-12 * number(3).abs().max(1.0), "{row}: {value}");
            compared += 1;
        }
        assert_eq!(compared, 28);
    }

    proptest! {
        #[test]
        fn order_of_input_is_of_no_consequence(
            mut points in proptest::collection::vec((0i64..4, 0u8..20, -5.0f64..5.0, any::<u32>()), 2..40),
        ) {
            let of = |points: &[(i64, u8, f64, u32)]| {
                let points: Vec<Blocked> =
                    points.iter().map(|p| Blocked { block: p.0, x: f64::from(p.1), y: p.2 }).collect();
                blocked_slope(&points, 1.0)
            };
            let before = of(&points);
            points.sort_by_key(|p| p.3);
            prop_assert_eq!(before, of(&points));
        }
    }
}
