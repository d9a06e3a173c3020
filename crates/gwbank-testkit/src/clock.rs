//! A wall clock as bad as a real one.

use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Gives out Unix milliseconds that mostly move on a little, sometimes stand still, and now and then leap by up to a
/// day, forwards or backwards. The same seed gives the same times.
#[derive(Debug, Clone)]
pub struct SeededClock(Arc<Mutex<(SmallRng, i64)>>);

impl SeededClock {
    /// Begins at 2026-01-01T00:00:00Z.
    const BEGIN_MS: i64 = 1_767_225_600_000;
    const DAY_MS: i64 = 86_400_000;

    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new((SmallRng::seed_from_u64(seed), Self::BEGIN_MS))))
    }

    pub fn now_millis(&self) -> i64 {
        let (rng, now) = &mut *self.0.lock();
        *now += match rng.random_range(0..100) {
            0 => rng.random_range(-Self::DAY_MS..=Self::DAY_MS),
            1..=30 => 0,
            _ => rng.random_range(0..20),
        };
        *now
    }

    pub fn as_fn(&self) -> Arc<dyn Fn() -> i64 + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now_millis())
    }
}
