//! Sorting rows that come in runs.

use std::ops::Range;

use crate::Row;

/// The runs of rows (one series, rising times) in the order of `rank` of their series, then of time: read one after the
/// other they are the rows sorted, and no key is there twice. `None` where runs overlap, so that only sorting would do.
///
/// Messages and chunks bring runs; to sort these costs next to nothing beside sorting the rows. `rank` gives distinct
/// series distinct ranks.
pub fn runs_in_order<K: Ord>(rows: &[Row], rank: impl Fn(&Row) -> K) -> Option<Vec<Range<usize>>> {
    let follows = |a: &Row, b: &Row| a.series == b.series && a.time < b.time;
    let mut start = 0;
    let mut runs: Vec<Range<usize>> = Vec::new();
    for run in rows.chunk_by(follows) {
        runs.push(start..start + run.len());
        start += run.len();
    }
    runs.sort_unstable_by_key(|run| (rank(&rows[run.start]), rows[run.start].time));
    let are_apart = |pair: &[Range<usize>]| {
        let (last, next) = (&rows[pair[0].end - 1], &rows[pair[1].start]);
        last.series != next.series || last.time < next.time
    };
    runs.windows(2).all(are_apart).then_some(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GatewayIndex, Origin, QcTests, QualityFlag, Seq, SeriesId, TimeSource, Timestamp};

    fn rows(keys: &[(u32, i64)]) -> Vec<Row> {
        let row = |&(series, secs): &(u32, i64)| Row {
            series: SeriesId(series),
            gateway: GatewayIndex(0),
            time: Timestamp::from_secs(secs),
            value: 1.0,
            seq: Seq::ZERO,
            revision: 0,
            qc_tests: QcTests::NONE,
            quality: QualityFlag::Pass,
            site_status: None,
            time_source: TimeSource::Device,
            origin: Origin::Received,
            time_form: None,
        };
        keys.iter().map(row).collect()
    }

    #[test]
    fn runs_read_one_after_the_other_are_sorted() {
        let rows = rows(&[(2, 1), (2, 2), (1, 5), (2, 3), (1, 2), (1, 3)]);
        let runs = runs_in_order(&rows, |row| row.series).unwrap();
        assert_eq!(runs.len(), 4);
        let sorted = runs.into_iter().flat_map(|run| &rows[run]);
        let sorted: Vec<(u32, i64)> = sorted.map(|row| (row.series.0, row.time.as_secs())).collect();
        assert_eq!(sorted, [(1, 2), (1, 3), (1, 5), (2, 1), (2, 2), (2, 3)]);
        let other = runs_in_order(&rows, |row| std::cmp::Reverse(row.series)).unwrap();
        assert_eq!(other[0], 0..2);
    }

    #[test]
    fn runs_that_overlap_and_keys_that_repeat_are_told() {
        assert_eq!(runs_in_order(&rows(&[(1, 1), (1, 5), (1, 3)]), |row| row.series), None);
        assert_eq!(runs_in_order(&rows(&[(1, 1), (2, 1), (1, 1)]), |row| row.series), None);
        assert_eq!(runs_in_order(&rows(&[(1, 1), (1, 1)]), |row| row.series), None);
        assert_eq!(runs_in_order(&[], |row| row.series), Some(Vec::new()));
    }
}
