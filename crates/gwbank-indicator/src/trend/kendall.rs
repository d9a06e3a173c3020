//! Kendall's S by counting inversions while sorting.

use super::median_of_ascending;
use crate::rank::{of_order_key, order_key};

/// Runs up to this length are sorted by insertion, which counts its shifts.
const RUN: usize = 12;

/// S and what goes with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Kendall {
    pub s: i64,
    pub pairs: i64,
    pub variance: f64,
    pub median: f64,
    /// Pairs with equal values.
    pub tied: i64,
}

impl Kendall {
    /// Of finite values.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted: Vec<i64> = values.iter().map(|&value| order_key(value)).collect();
        let falling = sort_and_count(&mut sorted, |&key| key);
        let n = values.len() as i64;
        let (mut tied, mut tie_term) = (0i64, 0.0f64);
        for group in sorted.chunk_by(|a, b| a == b) {
            let t = group.len() as i64;
            tied += t * (t - 1) / 2;
            tie_term += (t * (t - 1) * (2 * t + 5)) as f64;
        }
        let pairs = n * (n - 1) / 2;
        Self {
            s: pairs - tied - 2 * falling,
            pairs,
            variance: ((n * (n - 1) * (2 * n + 5)) as f64 - tie_term) / 18.0,
            median: median_of_ascending(&sorted.iter().map(|&key| of_order_key(key)).collect::<Vec<f64>>()),
            tied,
        }
    }

    /// With the correction for continuity; `None` where the variance is not positive.
    pub fn z(&self) -> Option<f64> {
        if self.s == 0 {
            return Some(0.0);
        }
        let towards_zero = (self.s - self.s.signum()) as f64;
        (self.variance > 0.0).then(|| towards_zero / self.variance.sqrt())
    }
}

/// Sorts stably by key and counts the pairs (i < j) of which the later has the smaller key.
pub(super) fn sort_and_count<T: Copy>(items: &mut [T], key: impl Fn(&T) -> i64) -> i64 {
    let mut inversions = 0i64;
    for run in items.chunks_mut(RUN) {
        for at in 1..run.len() {
            let item = run[at];
            let mut hole = at;
            while hole > 0 && key(&item) < key(&run[hole - 1]) {
                run[hole] = run[hole - 1];
                hole -= 1;
            }
            run[hole] = item;
            inversions += (at - hole) as i64;
        }
    }
    let mut spare = items.to_vec();
    let mut width = RUN;
    // Merged to and fro; an odd number of passes ends in the spare.
    let mut in_spare = false;
    while width < items.len() {
        let (source, target) = if in_spare { (&mut spare[..], &mut *items) } else { (&mut *items, &mut spare[..]) };
        for (run, merged) in source.chunks(2 * width).zip(target.chunks_mut(2 * width)) {
            let (left, right) = run.split_at(width.min(run.len()));
            inversions += merge(left, right, merged, &key);
        }
        in_spare = !in_spare;
        width *= 2;
    }
    if in_spare {
        items.copy_from_slice(&spare);
    }
    inversions
}

/// Both candidates are read before they are compared, so that no branch hangs on the comparison, which no processor
/// foretells. Runs of one length are merged from both ends at once: the two chains of steps do not wait for each other.
fn merge<T: Copy>(left: &[T], right: &[T], merged: &mut [T], key: &impl Fn(&T) -> i64) -> i64 {
    if left.len() == right.len() {
        return merge_from_both_ends(left, right, merged, key);
    }
    let mut inversions = 0usize;
    let (mut l, mut r) = (0usize, 0usize);
    while let (Some(&from_left), Some(&from_right)) = (left.get(l), right.get(r)) {
        let right_first = key(&from_right) < key(&from_left);
        merged[l + r] = if right_first { from_right } else { from_left };
        inversions += (left.len() - l) * usize::from(right_first);
        r += usize::from(right_first);
        l += usize::from(!right_first);
    }
    let rest = if l < left.len() { &left[l..] } else { &right[r..] };
    merged[l + r..].copy_from_slice(rest);
    inversions as i64
}

/// Half of the result comes from each end, so neither run is used up before the last step. Where the front takes from the
/// right, all that is left of `left` is larger; where the back takes from the left, all that is left of `right` is smaller.
/// Pairs of one that the back and one that the front took are counted by both.
fn merge_from_both_ends<T: Copy>(left: &[T], right: &[T], merged: &mut [T], key: &impl Fn(&T) -> i64) -> i64 {
    let length = left.len().min(right.len()).min(merged.len() / 2);
    let (left, right) = (&left[..length], &right[..length]);
    let (front, back) = merged.split_at_mut(length);
    let (mut l, mut r) = (0usize, 0usize);
    // How many the back has taken of each.
    let (mut l_back, mut r_back) = (0usize, 0usize);
    let mut inversions = 0usize;
    for (first, last) in front.iter_mut().zip(back.iter_mut().rev()) {
        let (from_left, from_right) = (left[l], right[r]);
        let right_first = key(&from_right) < key(&from_left);
        *first = if right_first { from_right } else { from_left };
        inversions += (length - l) * usize::from(right_first);
        r += usize::from(right_first);
        l += usize::from(!right_first);

        let (from_left, from_right) = (left[length - 1 - l_back], right[length - 1 - r_back]);
        let left_last = key(&from_right) < key(&from_left);
        *last = if left_last { from_left } else { from_right };
        inversions += (length - r_back) * usize::from(left_last);
        l_back += usize::from(left_last);
        r_back += usize::from(!left_last);
    }
    inversions as i64 - (l_back * r) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_what_the_pairs_say(values in proptest::collection::vec(-20i32..20, 0..200)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let (mut s, mut falling, mut tied) = (0i64, 0i64, 0i64);
            for (i, a) in values.iter().enumerate() {
                for b in &values[i + 1..] {
                    s += i64::from(b > a) - i64::from(b < a);
                    falling += i64::from(b < a);
                    tied += i64::from(a == b);
                }
            }
            let mut sorted = values.clone();
            prop_assert_eq!(sort_and_count(&mut sorted, |&value| order_key(value)), falling);
            prop_assert!(sorted.is_sorted());
            let kendall = Kendall::of(&values);
            prop_assert_eq!((kendall.s, kendall.tied), (s, tied));
        }
    }
}
