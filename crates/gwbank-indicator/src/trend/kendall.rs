//! Kendall's S by counting inversions while sorting.

use super::median_of_ascending;

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
    /// Of values without NaN.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        let falling = sort_and_count(&mut sorted, |a, b| a < b);
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
            median: median_of_ascending(&sorted),
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

/// Sorts stably and counts the pairs (i < j) with `less(x_j, x_i)`.
pub(super) fn sort_and_count<T: Copy>(items: &mut [T], less: impl Fn(&T, &T) -> bool) -> i64 {
    let mut inversions = 0i64;
    for run in items.chunks_mut(RUN) {
        for at in 1..run.len() {
            let item = run[at];
            let mut hole = at;
            while hole > 0 && less(&item, &run[hole - 1]) {
                run[hole] = run[hole - 1];
                hole -= 1;
            }
            run[hole] = item;
            inversions += (at - hole) as i64;
        }
    }
    let mut from = items.to_vec();
    let mut width = RUN;
    // Merged to and fro; an odd number of passes ends in the spare.
    let mut into_items = true;
    while width < items.len() {
        let (source, target) = if into_items { (&mut from[..], &mut *items) } else { (&mut *items, &mut from[..]) };
        for (run, merged) in source.chunks(2 * width).zip(target.chunks_mut(2 * width)) {
            let (left, right) = run.split_at(width.min(run.len()));
            inversions += merge(left, right, merged, &less);
        }
        into_items = !into_items;
        width *= 2;
    }
    if into_items && items.len() > RUN {
        items.copy_from_slice(&from);
    }
    inversions
}

/// Without a branch on the comparison, which no processor foretells.
fn merge<T: Copy>(left: &[T], right: &[T], merged: &mut [T], less: &impl Fn(&T, &T) -> bool) -> i64 {
    let mut inversions = 0i64;
    let (mut l, mut r) = (0usize, 0usize);
    for place in merged.iter_mut() {
        if l == left.len() {
            *place = right[r];
            r += 1;
        } else if r == right.len() {
            *place = left[l];
            l += 1;
        } else {
            let right_first = less(&right[r], &left[l]);
            *place = if right_first { right[r] } else { left[l] };
            inversions += if right_first { (left.len() - l) as i64 } else { 0 };
            r += usize::from(right_first);
            l += usize::from(!right_first);
        }
    }
    inversions
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
            prop_assert_eq!(sort_and_count(&mut sorted, |a, b| a < b), falling);
            prop_assert!(sorted.is_sorted());
            let kendall = Kendall::of(&values);
            prop_assert_eq!((kendall.s, kendall.tied), (s, tied));
        }
    }
}
