//! The middle one of very many slopes, selected without sorting or keeping them.
//!
//! # How
//! 1. A sample of pairs gives a slope `lo` somewhat below the median. Sorting the points by x − lo·t counts the pairs below it
//!    as inversions (O(n log n)), and so how many are missing to the middle; the sample tells at which slope `hi` they are
//!    passed. Re-sorting that order by x − hi·t by insertion passes exactly the pairs between. Those are written down and the
//!    right one is selected.
//! 2. Where too many would be between (n beyond some 13,000), counting inversions halves the bracket first.
//! 3. Rounding in x − lo·t may put a pair on the wrong side where its slope is within a margin of `lo` (or `hi`). The k-th of
//!    all slopes is found for certain where what is selected lies at least that margin inside of the bracket; else the
//!    bracket is widened.
//! 4. What is left (nearly all pairs with one slope, as on a straight line) is found by bisection over the doubles, which
//!    needs no memory and a pass over the pairs for each halving.
//!
//! So the sample decides how fast it is and never what comes out.

use super::Points;
use super::kendall::sort_and_count;
use super::slope::{by_value, each_slope, middle};
use crate::rank::{of_order_key, order_key};

/// Slopes kept of a bracket: 8 MiB.
const BRACKET_MAX: usize = 1 << 20;
/// How far `lo` lies below the sample's median and `hi` above where the middle is expected, in standard deviations.
const WIDTHS: [(f64, f64); 3] = [(2.0, 2.5), (4.0, 5.0), (12.0, 12.0)];
/// Pairs in the sample, for each point: as much work as then is left in the bracket.
const SAMPLED_PER_POINT: f64 = 4.0;
/// Multiple of the unit in the last place that covers the rounding of x − θ·t (two operations) and of a slope, generously.
const MARGIN_ULPS: f64 = 16.0;

/// The slopes at the two middle places (or twice the one) of the ascending order.
pub(super) fn middle_slopes(groups: &[Points], pairs: usize) -> (f64, f64) {
    let mut sample = sample(groups, pairs);
    let mut widest = None;
    for (below, above) in WIDTHS {
        let Some(lower) = Lower::of(&mut sample, below, groups, pairs) else { continue };
        let hi = lower.hi.unwrap_or_else(|| upper_end(&mut sample, above, &lower, pairs));
        let bracket = (lower.lo, End::above(hi, groups));
        if let Some(found) = within(groups, pairs, lower, bracket.1) {
            return found;
        }
        widest = Some(bracket);
    }
    (by_bisection(groups, (pairs - 1) / 2, widest), by_bisection(groups, pairs / 2, widest))
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
    let mut slopes = Vec::with_capacity(SAMPLED_PER_POINT as usize * points + groups.len());
    for group in groups.iter().filter(|group| group.values.len() >= 2) {
        let n = group.values.len();
        let drawn = (SAMPLED_PER_POINT * points as f64 * (n * (n - 1) / 2) as f64 / pairs as f64).ceil() as usize;
        for _ in 0..drawn {
            let (a, b) = (draw(n), draw(n - 1));
            // Of the n(n − 1) ordered pairs of different points.
            let b = if b >= a { b + 1 } else { b };
            slopes.push((group.values[b] - group.values[a]) / (group.steps[b] - group.steps[a]));
        }
    }
    slopes
}

/// One end of the bracket; within `margin` of it the sides are not certain.
#[derive(Debug, Clone, Copy)]
struct End {
    slope: f64,
    margin: f64,
}

impl End {
    /// Two margins farther out, so that a median at that very slope still lies inside for certain.
    fn below(slope: f64, groups: &[Points]) -> Self {
        let margin = margin(groups, slope.abs());
        Self { slope: slope - 2.0 * margin, margin }
    }

    fn above(slope: f64, groups: &[Points]) -> Self {
        let margin = margin(groups, slope.abs());
        Self { slope: slope + 2.0 * margin, margin }
    }
}

/// The lower end, with the points of each group in the order of x − lo·t.
#[derive(Debug)]
struct Lower {
    lo: End,
    /// Where in the ascending sample it stands.
    place: usize,
    orders: Vec<Vec<Tilted>>,
    /// Pairs below it.
    below: usize,
    /// The upper end, where halving has found it, too.
    hi: Option<f64>,
}

impl Lower {
    /// `None` where it would be above the middle.
    fn of(sample: &mut [f64], width: f64, groups: &[Points], pairs: usize) -> Option<Self> {
        let n = sample.len();
        let half = (width * 0.5 * (n as f64).sqrt()).ceil() as usize;
        let place = (n / 2).saturating_sub(half);
        let last = n.checked_sub(1)?;
        let (_, &mut slope, above) = sample.select_nth_unstable_by(place, by_value);
        let (mut slope, mut hi) = (slope, None);
        if pairs / n * 2 * half > BRACKET_MAX {
            let ahead = (2 * half).min(last - place);
            if ahead > 0 {
                above.select_nth_unstable_by(ahead - 1, by_value);
            }
            let between = &mut sample[place..=place + ahead];
            between.sort_unstable_by(by_value);
            let ends = halved(groups, pairs / 2, between);
            (slope, hi) = (ends.0, Some(ends.1));
        }
        Self::at(slope, place, hi, groups, pairs)
    }

    fn at(slope: f64, place: usize, hi: Option<f64>, groups: &[Points], pairs: usize) -> Option<Self> {
        let lo = End::below(slope, groups);
        let mut orders: Vec<Vec<Tilted>> = groups.iter().map(|group| tilted(group, lo.slope)).collect();
        let below: i64 = orders.iter_mut().map(|order| sort_and_count(order, |point| point.key)).sum();
        let below = usize::try_from(below).ok()?;
        (below <= (pairs - 1) / 2).then_some(Self { lo, place, orders, below, hi })
    }
}

/// Where the pairs missing to the middle should be passed: so many samples on, and a few standard deviations.
fn upper_end(sample: &mut [f64], width: f64, lower: &Lower, pairs: usize) -> f64 {
    let missing = (pairs / 2 - lower.below) as f64 * sample.len() as f64 / pairs as f64;
    let ahead = (missing + width * (missing + 1.0).sqrt()).ceil() as usize + 1;
    let place = (lower.place + ahead).min(sample.len() - 1);
    // All before `lower.place` is below it already.
    let ahead = place - lower.place;
    *sample[lower.place..].select_nth_unstable_by(ahead, by_value).1
}

/// How far rounding can move a slope over the end of a bracket.
fn margin(groups: &[Points], slope: f64) -> f64 {
    let largest = |values: &dyn Fn(&Points) -> f64| groups.iter().map(values).fold(0.0f64, f64::max);
    let value = largest(&|group| group.values.iter().fold(0.0, |most: f64, value| most.max(value.abs())));
    let step = largest(&|group| group.steps.last().copied().unwrap_or(0.0)) + 1.0;
    MARGIN_ULPS * f64::EPSILON * (value + slope * step)
}

/// The two neighbours in the ascending sample between which the slope at that place lies, but for rounding.
fn halved(groups: &[Points], place: usize, ascending: &[f64]) -> (f64, f64) {
    let (mut low, mut high) = (0, ascending.len() - 1);
    while high - low > 1 {
        let half = low + (high - low) / 2;
        let below: i64 =
            groups.iter().map(|group| sort_and_count(&mut tilted(group, ascending[half]), |p| p.key)).sum();
        if below > place as i64 {
            high = half;
        } else {
            low = half;
        }
    }
    (ascending[low], ascending[high])
}

/// `None` where the bracket holds too many, or not certainly the middle.
fn within(groups: &[Points], pairs: usize, lower: Lower, hi: End) -> Option<(f64, f64)> {
    let (low, high) = ((pairs - 1) / 2 - lower.below, pairs / 2 - lower.below);
    let mut between = Vec::with_capacity(2 * high.min(BRACKET_MAX / 2));
    for (group, order) in groups.iter().zip(lower.orders) {
        pass(group, order, hi.slope, &mut between)?;
    }
    let found = middle(&mut between, low, high)?;
    let certain = lower.lo.slope + lower.lo.margin..=hi.slope - hi.margin;
    (certain.contains(&found.0) && certain.contains(&found.1)).then_some(found)
}

/// A point by where it stands when the bracket's slope is taken off.
#[derive(Debug, Clone, Copy)]
struct Tilted {
    key: i64,
    at: u32,
}

fn tilted(group: &Points, slope: f64) -> Vec<Tilted> {
    let points = group.values.iter().zip(&group.steps);
    (0u32..).zip(points).map(|(at, (value, step))| Tilted { key: order_key(value - slope * step), at }).collect()
}

/// Re-sorts from the order at `lo` to the one at `hi` and writes down the slopes of the pairs that it passes.
fn pass(group: &Points, mut order: Vec<Tilted>, hi: f64, between: &mut Vec<f64>) -> Option<()> {
    let (values, steps) = (group.values.as_slice(), group.steps.as_slice());
    for point in &mut order {
        let at = point.at as usize;
        point.key = order_key(values[at] - hi * steps[at]);
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
        between.extend(passed.iter().map(|passed| {
            latest = latest.max(passed.at);
            let at = passed.at as usize;
            (value - values[at]) / (step - steps[at])
        }));
        // A pair that was below `lo` and now is above `hi` can only be rounding; it would be counted twice.
        if latest > point.at || between.len() > BRACKET_MAX {
            return None;
        }
        order.copy_within(hole..place, hole + 1);
        order[hole] = point;
    }
    Some(())
}

/// The slope at a place of the ascending order, by halving the range of doubles: that of the bracket where it holds the
/// place, else all 64 bits of it.
fn by_bisection(groups: &[Points], place: usize, bracket: Option<(End, End)>) -> f64 {
    let up_to = |key: i64| {
        let mut count = 0usize;
        groups.iter().for_each(|group| each_slope(group, |slope| count += usize::from(order_key(slope) <= key)));
        count
    };
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    if let Some((lo, hi)) = bracket {
        let ends = (order_key(lo.slope), order_key(hi.slope));
        if up_to(ends.0) <= place && up_to(ends.1) > place {
            (low, high) = ends;
        }
    }
    while low < high {
        let middle = ((i128::from(low) + i128::from(high)) >> 1) as i64;
        if up_to(middle) > place {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    of_order_key(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ascending_slopes(points: &Points) -> Vec<f64> {
        let mut slopes = Vec::new();
        each_slope(points, |slope| slopes.push(slope));
        slopes.sort_by(f64::total_cmp);
        slopes
    }

    fn series(values: impl IntoIterator<Item = f64>) -> Points {
        Points::of(&values.into_iter().collect::<Vec<f64>>()).unwrap()
    }

    fn noise(i: usize) -> f64 {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn middles(slopes: &[f64]) -> (f64, f64) {
        (slopes[(slopes.len() - 1) / 2], slopes[slopes.len() / 2])
    }

    fn between(ends: (f64, f64), groups: &[Points], pairs: usize) -> Option<(f64, f64)> {
        let lower = Lower::at(ends.0, 0, None, groups, pairs)?;
        within(groups, pairs, lower, End::above(ends.1, groups))
    }

    #[test]
    fn the_bracket_finds_the_middle_of_noise() {
        for n in [30usize, 160, 480, 1200] {
            let points = series((0..n).map(|i| 0.002 * i as f64 + noise(i)));
            let (groups, slopes) = (std::slice::from_ref(&points), ascending_slopes(&points));
            let pairs = slopes.len();
            let mut sample = sample(groups, pairs);
            let lower = Lower::of(&mut sample, WIDTHS[2].0, groups, pairs).unwrap();
            let hi = upper_end(&mut sample, WIDTHS[2].1, &lower, pairs);
            assert_eq!(within(groups, pairs, lower, End::above(hi, groups)), Some(middles(&slopes)), "{n}");
            sample.sort_by(f64::total_cmp);
            assert_eq!(
                between(halved(groups, pairs / 2, &sample), groups, pairs),
                Some(middles(&slopes)),
                "{n} halved"
            );
        }
    }

    #[test]
    fn a_bracket_beside_the_middle_finds_nothing() {
        let points = series((0..300).map(noise));
        let (groups, slopes) = (std::slice::from_ref(&points), ascending_slopes(&points));
        for (from, to) in [(0, slopes.len() / 3), (slopes.len() / 2 + 50, slopes.len() - 1)] {
            assert_eq!(between((slopes[from], slopes[to]), groups, slopes.len()), None);
        }
    }

    /// Nearly all slopes are within a few units in the last place of each other.
    #[test]
    fn a_straight_line_ends_at_the_same_double() {
        let line = series((0..200).map(|i| 0.1 * f64::from(i)));
        let (groups, slopes) = (std::slice::from_ref(&line), ascending_slopes(&line));
        assert_eq!(middle_slopes(groups, slopes.len()), middles(&slopes));
        let ends = |lo, hi| (End::below(lo, groups), End::above(hi, groups));
        let (far, near) = (ends(5.0, 6.0), ends(0.09, 0.11));
        for bracket in [None, Some(far), Some(near)] {
            assert_eq!(by_bisection(groups, slopes.len() / 2, bracket), slopes[slopes.len() / 2]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever path it takes, to the last bit; many ties as in levels by hand in whole centimetres.
        #[test]
        fn equals_the_plain_definition(
            values in proptest::collection::vec(prop_oneof![(-30i32..30).prop_map(|x| f64::from(x) / 100.0), -3.0f64..3.0], 100..260),
            gap in 2usize..9,
            tilt in -0.02f64..0.02,
        ) {
            let with_gaps = values.iter().enumerate().map(|(i, &x)| if i % gap == 1 { f64::NAN } else { x + tilt * i as f64 });
            let points = series(with_gaps);
            let slopes = ascending_slopes(&points);
            prop_assert_eq!(middle_slopes(std::slice::from_ref(&points), slopes.len()), middles(&slopes));
        }

        #[test]
        fn bisection_selects(values in proptest::collection::vec(-5i32..5, 2..30), share in 0.0f64..1.0) {
            let points = series(values.into_iter().map(f64::from));
            let slopes = ascending_slopes(&points);
            let place = (share * slopes.len() as f64) as usize;
            prop_assert_eq!(by_bisection(std::slice::from_ref(&points), place, None), slopes[place]);
        }
    }
}
