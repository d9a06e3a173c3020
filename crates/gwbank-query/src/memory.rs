//! Memory of one query, out of what there is for all.
//!
//! ```text
//! memory_bytes_for_all:  ├ share ┤ share ┤ … one a place ├──────── for whoever needs more ────────┤
//! ```
//!
//! # Rules
//! 1. No query takes more than `memory_bytes_per_query`, and all together no more than `memory_bytes_for_all`.
//! 2. A query's first bytes are its own: half of what there is for all is shared out among the places of running
//!    queries, so that a small query never fails because of large ones. The other half goes to whoever asks first.
//! 3. An operator that could spill hears of either bound alike, and spills.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use parking_lot::Mutex;

use crate::config::QueryConfig;

/// Consumers named when memory runs out.
const CONSUMERS_REPORTED: NonZeroUsize = NonZeroUsize::new(3).expect("not zero");

/// By these words an error tells that it is the memory of all queries that ran out.
pub(crate) const FOR_ALL_REACHED: &str = "the memory of all queries together is used up";

/// What there is for all queries.
#[derive(Debug)]
pub(crate) struct MemoryForAll {
    /// What each query has for itself.
    share: usize,
    common_max: usize,
    common: AtomicUsize,
    reserved: AtomicUsize,
}

impl MemoryForAll {
    pub(crate) fn new(config: &QueryConfig) -> Self {
        let share = config.memory_bytes_for_all / 2 / config.concurrent_max.max(1);
        let common_max = config.memory_bytes_for_all - share * config.concurrent_max.max(1);
        Self { share, common_max, common: AtomicUsize::new(0), reserved: AtomicUsize::new(0) }
    }

    pub(crate) fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }

    /// What a query that has nothing yet could take now.
    pub(crate) fn free(&self) -> usize {
        self.share + self.common_max.saturating_sub(self.common.load(Ordering::Relaxed))
    }

    fn of_common(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.share)
    }

    fn try_take_common(&self, bytes: usize) -> bool {
        let more = |common: usize| common.checked_add(bytes).filter(|&sum| sum <= self.common_max);
        bytes == 0 || self.common.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

/// The memory of one query.
#[derive(Debug)]
pub(crate) struct QueryMemory {
    own: TrackConsumersPool<FairSpillPool>,
    for_all: Arc<MemoryForAll>,
    bytes: Mutex<usize>,
}

impl QueryMemory {
    pub(crate) fn new(config: &QueryConfig, for_all: Arc<MemoryForAll>) -> Self {
        let own = TrackConsumersPool::new(FairSpillPool::new(config.memory_bytes_per_query), CONSUMERS_REPORTED);
        Self { own, for_all, bytes: Mutex::new(0) }
    }

    fn give_back(&self, bytes: usize) {
        let mut held = self.bytes.lock();
        let bytes = bytes.min(*held);
        let common = self.for_all.of_common(*held) - self.for_all.of_common(*held - bytes);
        *held -= bytes;
        self.for_all.common.fetch_sub(common, Ordering::Relaxed);
        self.for_all.reserved.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// False, and nothing taken, when there is not so much for all.
    fn try_take(&self, bytes: usize) -> bool {
        let mut held = self.bytes.lock();
        let sum = held.saturating_add(bytes);
        let taken = self.for_all.try_take_common(self.for_all.of_common(sum) - self.for_all.of_common(*held));
        if taken {
            *held = sum;
            self.for_all.reserved.fetch_add(bytes, Ordering::Relaxed);
        }
        taken
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
    }

    /// What cannot fail is counted all the same, and leaves less for the next one.
    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        let mut held = self.bytes.lock();
        let common = self.for_all.of_common(*held + additional) - self.for_all.of_common(*held);
        *held += additional;
        self.for_all.common.fetch_add(common, Ordering::Relaxed);
        self.for_all.reserved.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.give_back(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own.try_grow(reservation, additional)?;
        if self.try_take(additional) {
            return Ok(());
        }
        self.own.shrink(reservation, additional);
        let name = reservation.consumer().name();
        Err(resources_datafusion_err!("{FOR_ALL_REACHED}: {name} asked for {additional} bytes more"))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}

impl fmt::Display for QueryMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.own.fmt(f)
    }
}

impl Drop for QueryMemory {
    fn drop(&mut self) {
        // An operator that forgets to give back may not take it from all others for good.
        self.give_back(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(per_query: usize, for_all: usize, concurrent_max: usize) -> QueryConfig {
        QueryConfig {
            memory_bytes_per_query: per_query,
            memory_bytes_for_all: for_all,
            concurrent_max,
            ..QueryConfig::default()
        }
    }

    fn query(config: &QueryConfig, for_all: &Arc<MemoryForAll>) -> (Arc<QueryMemory>, MemoryReservation) {
        let memory = Arc::new(QueryMemory::new(config, for_all.clone()));
        let pool: Arc<dyn MemoryPool> = memory.clone();
        let reservation = MemoryConsumer::new("a test").register(&pool);
        (memory, reservation)
    }

    #[test]
    fn small_queries_have_room_beside_large_ones() {
        let config = config(600, 1000, 5);
        let for_all = Arc::new(MemoryForAll::new(&config));
        let (_, large) = query(&config, &for_all);
        large.try_grow(600).unwrap();
        assert!(large.try_grow(1).unwrap_err().to_string().contains("a test"), "the own bound");
        let (_, other) = query(&config, &for_all);
        let refused = other.try_grow(101).unwrap_err().to_string();
        assert!(refused.contains(FOR_ALL_REACHED), "{refused}");
        other.try_grow(100).unwrap();
        assert_eq!((for_all.reserved(), for_all.free()), (700, 100));
        drop(large);
        other.try_grow(500).unwrap();
        drop(other);
        assert_eq!((for_all.reserved(), for_all.free()), (0, 600));
    }

    proptest! {
        #[test]
        fn what_is_taken_never_exceeds_the_bound_and_all_comes_back(
            steps in prop::collection::vec((0..4usize, 0..400usize, any::<bool>()), 1..100),
        ) {
            let config = config(500, 1000, 4);
            let for_all = Arc::new(MemoryForAll::new(&config));
            let queries: Vec<_> = (0..4).map(|_| query(&config, &for_all)).collect();
            for (index, bytes, grows) in steps {
                let (_, reservation) = &queries[index];
                let (before, sum) = (reservation.size(), for_all.reserved());
                if grows {
                    let grown = reservation.try_grow(bytes).is_ok();
                    prop_assert!(grown || before + bytes > 125, "a share is a query's own");
                    prop_assert_eq!(for_all.reserved(), if grown { sum + bytes } else { sum });
                } else {
                    let bytes = bytes.min(before);
                    reservation.shrink(bytes);
                    prop_assert_eq!(for_all.reserved(), sum - bytes);
                }
                prop_assert!(for_all.reserved() <= 1000);
            }
            drop(queries);
            prop_assert_eq!((for_all.reserved(), for_all.common.load(Ordering::Relaxed)), (0, 0));
        }
    }
}
