//! Counting failures of whoever fails, so that guessing is slow and its refusal costs nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Who is remembered at most; beyond it everybody is forgotten, which costs a guesser's victim one more window.
const KEYS_MAX: usize = 10_000;

/// At most so many failures of a key in a window of time; after that the key is to be refused until the window is over.
#[derive(Debug)]
pub struct FailureLimit<K> {
    failures_max: u32,
    window: Duration,
    failures: HashMap<K, Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Instant,
    count: u32,
}

impl<K: Eq + Hash> FailureLimit<K> {
    pub fn new(failures_max: u32, window: Duration) -> Self {
        Self { failures_max, window, failures: HashMap::new() }
    }

    /// Whether the key is to be refused now.
    pub fn is_reached(&self, key: &K, now: Instant) -> bool {
        let recent = self.failures.get(key).filter(|failures| self.is_recent(failures, now));
        recent.is_some_and(|failures| failures.count >= self.failures_max)
    }

    pub fn note(&mut self, key: K, now: Instant) {
        if self.failures.len() >= KEYS_MAX && !self.failures.contains_key(&key) {
            let window = self.window;
            self.failures.retain(|_, failures| now.saturating_duration_since(failures.since) < window);
            if self.failures.len() >= KEYS_MAX {
                self.failures.clear();
            }
        }
        let window = self.window;
        let failures = self.failures.entry(key).or_insert(Failures { since: now, count: 0 });
        if now.saturating_duration_since(failures.since) >= window {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }

    fn is_recent(&self, failures: &Failures, now: Instant) -> bool {
        now.saturating_duration_since(failures.since) < self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_refused_until_its_window_is_over() {
        let window = Duration::from_secs(60);
        let mut limit = FailureLimit::new(3, window);
        let start = Instant::now();
        for n in 0..3 {
            assert!(!limit.is_reached(&"a", start));
            limit.note("a", start + Duration::from_secs(n));
        }
        assert!(limit.is_reached(&"a", start + Duration::from_secs(59)));
        assert!(!limit.is_reached(&"b", start + Duration::from_secs(59)));
        assert!(!limit.is_reached(&"a", start + window));
        limit.note("a", start + window);
        assert!(!limit.is_reached(&"a", start + window));
    }

    #[test]
    fn memory_is_bounded() {
        let mut limit = FailureLimit::new(1, Duration::from_secs(60));
        let now = Instant::now();
        for key in 0..3 * KEYS_MAX {
            limit.note(key, now);
            assert!(limit.is_reached(&key, now) && limit.failures.len() <= KEYS_MAX);
        }
    }
}
