//! How long the syncs take.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets, from a RAM-backed disk to one that is in trouble.
const BOUNDS_MICROS: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000];

/// A histogram of the groups' `fdatasync` times.
#[derive(Debug, Clone, PartialEq)]
pub struct FsyncStats {
    pub count: u64,
    pub sum_seconds: f64,
    /// (upper bound in seconds, how many took at most that long), rising; `count` stands for the last, infinite one.
    pub buckets: Vec<(f64, u64)>,
}

#[derive(Debug, Default)]
pub(crate) struct FsyncCounters {
    count: AtomicU64,
    sum_nanos: AtomicU64,
    at_most: [AtomicU64; BOUNDS_MICROS.len()],
}

impl FsyncCounters {
    pub(crate) fn observe(&self, took: Duration) {
        self.count.fetch_add(1, Relaxed);
        self.sum_nanos.fetch_add(took.as_nanos() as u64, Relaxed);
        let first = BOUNDS_MICROS.partition_point(|bound| u128::from(*bound) < took.as_micros());
        if let Some(bucket) = self.at_most.get(first) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn stats(&self) -> FsyncStats {
        let mut so_far = 0;
        let buckets = BOUNDS_MICROS.iter().zip(&self.at_most).map(|(bound, bucket)| {
            so_far += bucket.load(Relaxed);
            (*bound as f64 / 1e6, so_far)
        });
        FsyncStats {
            buckets: buckets.collect(),
            count: self.count.load(Relaxed),
            sum_seconds: self.sum_nanos.load(Relaxed) as f64 / 1e9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let counters = FsyncCounters::default();
        for micros in [50, 100, 101, 3_000, 9_000_000] {
            counters.observe(Duration::from_micros(micros));
        }
        let stats = counters.stats();
        assert_eq!(stats.count, 5);
        assert_eq!(stats.buckets[0], (0.0001, 2));
        assert_eq!(stats.buckets[1], (0.00025, 3));
        assert_eq!(stats.buckets[5], (0.005, 4));
        assert_eq!(stats.buckets[13], (2.5, 4));
        assert!((stats.sum_seconds - 9.003_251).abs() < 1e-9);
    }
}
