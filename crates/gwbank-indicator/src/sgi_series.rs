//! SGI of whole series, many of them: the same numbers as [`sgi`](crate::sgi) month by month, faster.
//!
//! # How
//! 1. A rank is a count: twice the average rank is 1 + 2·(values below) + (values equal, itself included). Counting compares
//!    a row of twelve months with another at once, without a branch; for the few dozen years of a record that is faster than
//!    twelve sorts. Equal values have as many below
//!    them, so ties need no comparison of their own; where the values below add up to n(n − 1)/2 there are none.
//! 2. Ranks are whole or half numbers, so one table of 2n − 1 quantiles serves all months with the same n; it is kept for
//!    the next series.
//! 3. Records beyond [`COUNTED_YEARS_MAX`] are sorted, as counting grows with the square.

use crate::rank::{average_ranks, sgi_of_rank};

/// Where counting stops being faster than sorting.
const COUNTED_YEARS_MAX: usize = 160;
const MONTHS: usize = 12;

/// Quantiles by n, kept from one series to the next. Its state speeds up and never changes a result.
///
/// ```
/// use gwbank_indicator::{SgiScores, sgi};
///
/// // Two years of months, the second drier but for June; November of the second year is missing.
/// let mut levels: Vec<f64> = (0..24).map(|i| if i < 12 || i == 17 { -2.0 } else { -3.0 }).collect();
/// levels[22] = f64::NAN;
/// let found = SgiScores::default().of_series(&levels);
/// assert_eq!([found[0], found[12]], [sgi(&[-2.0, -3.0])[0], sgi(&[-2.0, -3.0])[1]]);
/// assert_eq!((found[5], found[17], found[10]), (0.0, 0.0, 0.0), "equal levels, and a month of one year");
/// assert!(found[22].is_nan());
/// ```
#[derive(Debug, Clone, Default)]
pub struct SgiScores {
    /// At n: scores of the doubled ranks 2, 3, …, 2n; empty where not yet asked for.
    by_n: Vec<Vec<f64>>,
    rows: Vec<[f64; MONTHS]>,
    below: Vec<[u64; MONTHS]>,
    /// At k: values that have k below them; used where there are ties.
    with_below: Vec<[u32; MONTHS]>,
}

impl SgiScores {
    /// SGI of consecutive months, each among those twelve, twenty-four, … months away; NaN for a gap, and where there is one.
    ///
    /// - **Formula, unit, source, weaknesses**: as [`sgi`](crate::sgi), to the last bit. **Shape**: consecutive months from any
    ///   one on; the result has the same length.
    /// - **Limits**: none; what n years may claim is the business of [`standings`](crate::standings).
    pub fn of_series(&mut self, levels: &[f64]) -> Vec<f64> {
        if levels.len() > COUNTED_YEARS_MAX * MONTHS {
            return by_sorting(levels);
        }
        self.rows.clear();
        self.rows.extend(levels.chunks(MONTHS).map(|year| {
            let mut row = [f64::NAN; MONTHS];
            row[..year.len()].copy_from_slice(year);
            row
        }));
        count_below(&self.rows, &mut self.below);
        let mut counts = [0usize; MONTHS];
        let mut ordered = [0u64; MONTHS];
        for (row, below) in self.rows.iter().zip(&self.below) {
            for month in 0..MONTHS {
                counts[month] += usize::from(!row[month].is_nan());
                ordered[month] += below[month];
            }
        }
        let is_tied = counts.iter().zip(ordered).any(|(&n, ordered)| (n * n.saturating_sub(1) / 2) as u64 != ordered);
        self.with_below.clear();
        self.with_below.resize(self.rows.len(), [u32::from(!is_tied); MONTHS]);
        if is_tied {
            for (row, below) in self.rows.iter().zip(&self.below) {
                for month in 0..MONTHS {
                    self.with_below[below[month] as usize][month] += u32::from(!row[month].is_nan());
                }
            }
        }
        for n in counts {
            self.score(n);
        }
        let scores = counts.map(|n| self.by_n[n].as_slice());
        let mut found = Vec::with_capacity(self.rows.len() * MONTHS);
        for (row, below) in self.rows.iter().zip(&self.below) {
            for month in 0..MONTHS {
                let below = below[month] as usize;
                let equal = self.with_below[below][month] as usize;
                // Twice the rank is 1 + 2·below + equal, the table begins with 2.
                let score = scores[month].get((2 * below + equal).wrapping_sub(1)).copied().unwrap_or(f64::NAN);
                found.push(if row[month].is_nan() { f64::NAN } else { score });
            }
        }
        found.truncate(levels.len());
        found
    }

    fn score(&mut self, n: usize) {
        if self.by_n.len() <= n {
            self.by_n.resize(n + 1, Vec::new());
        }
        if self.by_n[n].is_empty() {
            self.by_n[n] = (2..=2 * n).map(|doubled| sgi_of_rank(doubled as f64 / 2.0, n as f64)).collect();
        }
    }
}

/// For each level, how many of its column are below it. A comparison with NaN is false, so gaps count nowhere.
fn count_below(rows: &[[f64; MONTHS]], counts: &mut Vec<[u64; MONTHS]>) {
    counts.clear();
    counts.extend(rows.iter().map(|row| {
        let mut below = [0u64; MONTHS];
        for other in rows {
            for month in 0..MONTHS {
                below[month] += u64::from(other[month] < row[month]);
            }
        }
        below
    }));
}

fn by_sorting(levels: &[f64]) -> Vec<f64> {
    let mut found = vec![f64::NAN; levels.len()];
    for month in 0..MONTHS {
        let places: Vec<usize> = (month..levels.len()).step_by(MONTHS).filter(|&at| !levels[at].is_nan()).collect();
        let values: Vec<f64> = places.iter().map(|&at| levels[at]).collect();
        for (&at, rank) in places.iter().zip(average_ranks(&values)) {
            found[at] = sgi_of_rank(rank, values.len() as f64);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn nothing_and_gaps_only() {
        let mut scores = SgiScores::default();
        assert_eq!(scores.of_series(&[]), Vec::<f64>::new());
        assert!(scores.of_series(&[f64::NAN; 30]).iter().all(|sgi| sgi.is_nan()));
        assert_eq!(scores.of_series(&[1.0; 13]), vec![0.0; 13]);
        let long: Vec<f64> = (0..(COUNTED_YEARS_MAX + 2) * MONTHS).map(|i| (i % 7) as f64).collect();
        assert_eq!(bits(&scores.of_series(&long)), bits(&by_sorting(&long)));
    }

    proptest! {
        /// Counted or sorted, and whatever the tables hold from before: the same bits.
        #[test]
        fn counting_equals_sorting(
            series in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![3 => (-9i32..9).prop_map(f64::from), 3 => -5.0f64..5.0, 1 => Just(f64::NAN)], 0..300),
                1..4,
            ),
        ) {
            let mut scores = SgiScores::default();
            for levels in &series {
                prop_assert_eq!(bits(&scores.of_series(levels)), bits(&by_sorting(levels)));
            }
        }
    }
}
