//! Sen's slope: the median of the slopes of all pairs, selected without sorting or keeping them.
//!
//! # How
//! 1. Few pairs are written down and the middle one is selected.
//! 2. Else a sample of pairs gives a bracket `lo..hi` that holds the median but for bad luck. Sorting the points by
//!    x − lo·t counts the pairs below it as inversions (O(n log n)); re-sorting that order by x − hi·t by insertion swaps
//!    exactly the pairs inside of it. Those are written down and the right one is selected.
//! 3. Rounding in x − lo·t may put a pair on the wrong side where its slope is within a margin of `lo` (or `hi`). The k-th of
//!    all slopes is found for certain where what is selected lies at least that margin inside of the bracket; else the
//!    bracket is widened.
//! 4. What is left (nearly all pairs with one slope, as on a straight line) is found by bisection over the doubles, which
//!    needs no memory.
//!
//! So the sample decides how fast it is and never what comes out: the slopes compared are the doubles
//! (x_j − x_i)/(t_j − t_i) themselves.

use std::cmp::Ordering;

use super::kendall::{Kendall, order_key, sort_and_count};
use super::{Points, median_of_ascending};

/// Pairs that are simply written down.
const PAIRS_WRITTEN_MAX: usize = 12_000;
/// Slopes kept of a bracket: 8 MiB.
const BRACKET_MAX: usize = 1 << 20;
/// Half-widths of the bracket in standard deviations of the sample's median.
const WIDTHS: [f64; 3] = [2.6, 5.0, 12.0];
/// Multiple of the unit in the last place that covers the rounding of x − θ·t (two operations) and of a slope, generously.
const MARGIN_ULPS: f64 = 16.0;

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
    if pairs <= PAIRS_WRITTEN_MAX {
        let mut slopes = Vec::with_capacity(pairs);
        groups.iter().for_each(|group| each_slope(group, |slope| slopes.push(slope)));
        let (low, high) = middle(&mut slopes, (pairs - 1) / 2, pairs / 2)?;
        return Some((low + high) / 2.0);
    }
    let mut sample = sample(groups, pairs);
    let (low, high) = WIDTHS
        .into_iter()
        .find_map(|width| within_bracket(groups, pairs, Bracket::of(&mut sample, width, groups)))
        .unwrap_or_else(|| (by_bisection(groups, (pairs - 1) / 2), by_bisection(groups, pairs / 2)));
    Some((low + high) / 2.0)
}

fn each_slope(group: &Points, mut take: impl FnMut(f64)) {
    for (i, (&value, &step)) in group.values.iter().zip(&group.steps).enumerate() {
        for (later_value, later_step) in group.values[i + 1..].iter().zip(&group.steps[i + 1..]) {
            take((later_value - value) / (later_step - step));
        }
    }
}

/// The slopes at two neighbouring places (or one) of the ascending order.
fn middle(slopes: &mut [f64], low: usize, high: usize) -> Option<(f64, f64)> {
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
fn by_value(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}

/// Slopes of pairs drawn by a fixed generator: the same series gives the same sample.
fn sample(groups: &[Points], pairs: usize) -> Vec<f64> {
    let points: usize = groups.iter().map(|group| group.values.len()).sum();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The upper half is the random one.
        (((state >> 32) * below as u64) >> 32) as usize
    };
    let mut slopes = Vec::with_capacity(4 * points + groups.len());
    for group in groups.iter().filter(|group| group.values.len() >= 2) {
        let n = group.values.len();
        let drawn = (4.0 * points as f64 * (n * (n - 1) / 2) as f64 / pairs as f64).ceil() as usize;
        for _ in 0..drawn {
            let (a, b) = (draw(n), draw(n - 1));
            // Of the n(n − 1) ordered pairs of different points.
            let b = if b >= a { b + 1 } else { b };
            slopes.push((group.values[b] - group.values[a]) / (group.steps[b] - group.steps[a]));
        }
    }
    slopes
}

/// Slopes between `lo` and `hi` are looked at one by one; within `margin` of the ends the sides are not certain.
#[derive(Debug, Clone, Copy)]
struct Bracket {
    lo: f64,
    hi: f64,
    margin: f64,
}

impl Bracket {
    fn of(sample: &mut [f64], width: f64, groups: &[Points]) -> Self {
        let n = sample.len();
        let half = (width * 0.5 * (n as f64).sqrt()).ceil() as usize;
        let (low, high) = ((n / 2).saturating_sub(half), (n / 2 + half).min(n.saturating_sub(1)));
        let (lo, hi) = if sample.is_empty() {
            (0.0, 0.0)
        } else {
            let (_, &mut lo, above) = sample.select_nth_unstable_by(low, by_value);
            let hi = match high - low {
                0 => lo,
                ahead => *above.select_nth_unstable_by(ahead - 1, by_value).1,
            };
            (lo, hi)
        };
        let largest = |values: &dyn Fn(&Points) -> f64| groups.iter().map(values).fold(0.0f64, f64::max);
        let value = largest(&|group| group.values.iter().fold(0.0, |most: f64, value| most.max(value.abs())));
        let step = largest(&|group| group.steps.last().copied().unwrap_or(0.0)) + 1.0;
        let margin = MARGIN_ULPS * f64::EPSILON * (value + lo.abs().max(hi.abs()) * step);
        // Wider by two margins, so that a median on the end of the bracket still lies inside for certain.
        Self { lo: lo - 2.0 * margin, hi: hi + 2.0 * margin, margin }
    }
}

/// `None` where the bracket holds too many, or not certainly the middle.
fn within_bracket(groups: &[Points], pairs: usize, bracket: Bracket) -> Option<(f64, f64)> {
    let mut inside = Vec::new();
    let mut below = 0usize;
    for group in groups {
        below += usize::try_from(split(group, bracket, &mut inside)?).ok()?;
    }
    let low = ((pairs - 1) / 2).checked_sub(below)?;
    let high = (pairs / 2).checked_sub(below)?;
    let found = middle(&mut inside, low, high)?;
    let certain = bracket.lo + bracket.margin..=bracket.hi - bracket.margin;
    (certain.contains(&found.0) && certain.contains(&found.1)).then_some(found)
}

/// A point by where it stands when the bracket's slope is taken off.
#[derive(Debug, Clone, Copy)]
struct Tilted {
    key: i64,
    at: u32,
}

/// Counts the pairs below the bracket and writes down those inside.
fn split(group: &Points, bracket: Bracket, inside: &mut Vec<f64>) -> Option<i64> {
    let (values, steps) = (group.values.as_slice(), group.steps.as_slice());
    let mut order: Vec<Tilted> = (0u32..)
        .zip(values.iter().zip(steps))
        .map(|(at, (value, step))| Tilted { key: order_key(value - bracket.lo * step), at })
        .collect();
    let below = sort_and_count(&mut order, |point| point.key);
    for point in &mut order {
        let at = point.at as usize;
        point.key = order_key(values[at] - bracket.hi * steps[at]);
    }
    for place in 1..order.len() {
        let point = order[place];
        let (value, step) = (values[point.at as usize], steps[point.at as usize]);
        let mut hole = place;
        while hole > 0 && point.key < order[hole - 1].key {
            hole -= 1;
        }
        let passed = &order[hole..place];
        let mut latest = 0u32;
        inside.extend(passed.iter().map(|passed| {
            latest = latest.max(passed.at);
            let at = passed.at as usize;
            (value - values[at]) / (step - steps[at])
        }));
        // A pair that was below `lo` and now is above `hi` can only be rounding; it would be counted twice.
        if latest > point.at || inside.len() > BRACKET_MAX {
            return None;
        }
        order.copy_within(hole..place, hole + 1);
        order[hole] = point;
    }
    Some(below)
}

/// The slope at a place of the ascending order, by halving the range of doubles: 64 passes over the pairs at most.
fn by_bisection(groups: &[Points], place: usize) -> f64 {
    let (mut low, mut high) = (u64::MIN, u64::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        let mut up_to_middle = 0usize;
        groups.iter().for_each(|group| each_slope(group, |slope| up_to_middle += usize::from(key(slope) <= middle)));
        if up_to_middle > place {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f64::from_bits(if low >> 63 == 1 { low ^ (1 << 63) } else { !low })
}

/// Rises as [`f64::total_cmp`] does.
fn key(slope: f64) -> u64 {
    let bits = slope.to_bits();
    if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_definition(points: &Points) -> f64 {
        let mut slopes = Vec::new();
        each_slope(points, |slope| slopes.push(slope));
        slopes.sort_by(f64::total_cmp);
        median_of_ascending(&slopes)
    }

    fn series(values: impl IntoIterator<Item = f64>) -> Points {
        Points::of(&values.into_iter().collect::<Vec<f64>>()).unwrap()
    }

    fn noise(i: usize) -> f64 {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1u64 << 53) as f64
    }

    #[test]
    fn a_straight_line_goes_through_bisection_to_the_same_double() {
        let line = series((0..200).map(|i| 0.1 * f64::from(i)));
        assert_eq!(median_slope(std::slice::from_ref(&line)), Some(by_definition(&line)));
        let pairs = line.values.len() * (line.values.len() - 1) / 2;
        let exact = (
            by_bisection(std::slice::from_ref(&line), (pairs - 1) / 2),
            by_bisection(std::slice::from_ref(&line), pairs / 2),
        );
        assert_eq!((exact.0 + exact.1) / 2.0, by_definition(&line));
    }

    #[test]
    fn a_constant_series_is_flat() {
        assert_eq!(sen_slope(&[2.5; 3000]), Some((0.0, 2.5)));
        assert_eq!(sen_slope(&[f64::NAN, 1.0, f64::NAN]), None);
    }

    #[test]
    fn long_series_take_the_bracket() {
        for n in [160usize, 480, 1500] {
            let points = series((0..n).map(|i| 0.002 * i as f64 + noise(i)));
            let pairs = n * (n - 1) / 2;
            assert!(pairs > PAIRS_WRITTEN_MAX);
            let groups = std::slice::from_ref(&points);
            let mut sample = sample(groups, pairs);
            let found = within_bracket(groups, pairs, Bracket::of(&mut sample, WIDTHS[1], groups)).unwrap();
            assert_eq!((found.0 + found.1) / 2.0, by_definition(&points), "{n}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever path it takes, to the last bit; many ties as in levels by hand in whole centimetres.
        #[test]
        fn equals_the_plain_definition(
            values in proptest::collection::vec(prop_oneof![(-30i32..30).prop_map(|x| f64::from(x) / 100.0), -3.0f64..3.0], 150..330),
            gap in 2usize..9,
            tilt in -0.02f64..0.02,
        ) {
            let with_gaps = values.iter().enumerate().map(|(i, &x)| if i % gap == 1 { f64::NAN } else { x + tilt * i as f64 });
            let points = series(with_gaps);
            prop_assert_eq!(median_slope(std::slice::from_ref(&points)), Some(by_definition(&points)));
        }

        #[test]
        fn bisection_selects(values in proptest::collection::vec(-5i32..5, 2..30), share in 0.0f64..1.0) {
            let points = series(values.into_iter().map(f64::from));
            let mut slopes = Vec::new();
            each_slope(&points, |slope| slopes.push(slope));
            slopes.sort_by(f64::total_cmp);
            let place = (share * slopes.len() as f64) as usize;
            prop_assert_eq!(by_bisection(std::slice::from_ref(&points), place), slopes[place]);
        }
    }
}
