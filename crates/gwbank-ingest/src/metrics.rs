//! Counters since the start of the process, for `/metrics`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use gwbank_wire::{Fault, Reason};
use parking_lot::Mutex;

use crate::message::Receipt;

/// Upper bounds of the buckets of `ack_seconds`: from a RAM-backed disk to an archive that is away.
const ACK_BOUNDS_MICROS: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000];

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    received: AtomicU64,
    stored: AtomicU64,
    duplicate: AtomicU64,
    dead: Mutex<BTreeMap<&'static str, u64>>,
    messages: AtomicU64,
    ack_nanos: AtomicU64,
    ack_buckets: [AtomicU64; ACK_BOUNDS_MICROS.len()],
}

/// What [`crate::Pipeline::metrics`] tells. Readings that are pending count as stored or duplicate once they are settled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IngestMetrics {
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead_by_reason: BTreeMap<&'static str, u64>,
    /// Messages acknowledged, and the seconds from their arrival to that.
    pub acknowledged: u64,
    pub ack_seconds_sum: f64,
    /// (upper bound in seconds, how many took at most that long), rising; `acknowledged` stands for the infinite one.
    pub ack_seconds_buckets: Vec<(f64, u64)>,
}

impl Metrics {
    pub(crate) fn count(&self, receipt: &Receipt, faults: &[Fault]) {
        self.received.fetch_add(receipt.received, Relaxed);
        self.stored.fetch_add(receipt.stored, Relaxed);
        self.duplicate.fetch_add(receipt.duplicate, Relaxed);
        if !faults.is_empty() {
            let mut dead = self.dead.lock();
            for fault in faults {
                *dead.entry(Reason::name(fault.reason)).or_default() += fault.readings;
            }
        }
    }

    /// Pending readings whose outcome is known now.
    pub(crate) fn settle(&self, stored: u64, duplicate: u64) {
        self.stored.fetch_add(stored, Relaxed);
        self.duplicate.fetch_add(duplicate, Relaxed);
    }

    /// Readings that the archive refused. Those that were counted as stored when they came stay so: a counter never falls.
    pub(crate) fn refuse(&self, readings: u64) {
        if readings > 0 {
            *self.dead.lock().entry(Reason::RefusedByArchive.name()).or_default() += readings;
        }
    }

    pub(crate) fn acknowledged(&self, took: Duration) {
        self.messages.fetch_add(1, Relaxed);
        self.ack_nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        let bucket = ACK_BOUNDS_MICROS.partition_point(|bound| u128::from(*bound) < took.as_micros());
        if let Some(bucket) = self.ack_buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn read(&self) -> IngestMetrics {
        let mut so_far = 0;
        let buckets = ACK_BOUNDS_MICROS.iter().zip(&self.ack_buckets).map(|(bound, bucket)| {
            so_far += bucket.load(Relaxed);
            (*bound as f64 / 1e6, so_far)
        });
        IngestMetrics {
            ack_seconds_buckets: buckets.collect(),
            received: self.received.load(Relaxed),
            stored: self.stored.load(Relaxed),
            duplicate: self.duplicate.load(Relaxed),
            dead_by_reason: self.dead.lock().clone(),
            acknowledged: self.messages.load(Relaxed),
            ack_seconds_sum: self.ack_nanos.load(Relaxed) as f64 / 1e9,
        }
    }
}
