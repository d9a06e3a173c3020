//! What is kept for clients, bounded: tokens, prepared statements, sessions.
//!
//! # Rules
//! 1. Whoever keeps too much loses what was unused for longest, his own first: one client cannot drive out the others.
//! 2. What nobody used for a while goes.
//! 3. Only its owner finds an entry, whoever else knows the key; but for tokens, which say who their owner is.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Entries of one owner.
    pub each_max: usize,
    pub all_max: usize,
    /// Of all entries, as they say themselves.
    pub bytes_max: usize,
    pub idle: Duration,
}

#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    bounds: Bounds,
    entries: HashMap<K, Entry<V>>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    owner: Arc<str>,
    value: V,
    bytes: usize,
    used: Instant,
}

impl<K: Copy + Eq + Hash, V> Kept<K, V> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, entries: HashMap::new(), bytes: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn put(&mut self, key: K, owner: &str, value: V, bytes: usize, now: Instant) {
        self.take_out(&key);
        self.forget_idle(now);
        while self.of(owner).count() >= self.bounds.each_max {
            let oldest = oldest(self.of(owner));
            self.take_out_any(oldest);
        }
        while !self.entries.is_empty()
            && (self.entries.len() >= self.bounds.all_max || self.bytes + bytes > self.bounds.bytes_max)
        {
            let own = oldest(self.of(owner));
            let oldest = own.or_else(|| oldest(self.entries.iter()));
            self.take_out_any(oldest);
        }
        self.bytes += bytes;
        self.entries.insert(key, Entry { owner: owner.into(), value, bytes, used: now });
    }

    /// Whatever is found counts as used.
    pub(crate) fn get(&mut self, key: &K, owner: &str, now: Instant) -> Option<&mut V> {
        let idle = self.bounds.idle;
        let entry = self.entries.get_mut(key).filter(|entry| &*entry.owner == owner)?;
        if now.saturating_duration_since(entry.used) >= idle {
            self.take_out(key);
            return None;
        }
        let entry = self.entries.get_mut(key)?;
        entry.used = now;
        Some(&mut entry.value)
    }

    /// Whose it is, where the key alone says who comes. It counts as used.
    pub(crate) fn owner(&mut self, key: &K, now: Instant) -> Option<Arc<str>> {
        let owner = self.entries.get(key)?.owner.clone();
        self.get(key, &owner, now).map(|_| owner)
    }

    pub(crate) fn remove(&mut self, key: &K, owner: &str) -> Option<V> {
        self.entries.get(key).filter(|entry| &*entry.owner == owner)?;
        self.take_out(key)
    }

    fn of<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = (&'a K, &'a Entry<V>)> {
        self.entries.iter().filter(move |(_, entry)| &*entry.owner == owner)
    }

    fn forget_idle(&mut self, now: Instant) {
        let idle = self.bounds.idle;
        let bytes = &mut self.bytes;
        self.entries.retain(|_, entry| {
            let is_used = now.saturating_duration_since(entry.used) < idle;
            *bytes -= if is_used { 0 } else { entry.bytes };
            is_used
        });
    }

    fn take_out_any(&mut self, key: Option<K>) {
        if let Some(key) = key {
            self.take_out(&key);
        }
    }

    fn take_out(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.bytes -= entry.bytes;
        Some(entry.value)
    }
}

fn oldest<'a, K: Copy + 'a, V: 'a>(entries: impl Iterator<Item = (&'a K, &'a Entry<V>)>) -> Option<K> {
    entries.min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds { each_max: 3, all_max: 5, bytes_max: 100, idle: Duration::from_secs(60) };

    #[test]
    fn ones_own_go_first_and_nobody_elses_are_found() {
        let (mut kept, now) = (Kept::new(BOUNDS), Instant::now());
        kept.put(1, "a", "one", 1, now);
        kept.put(2, "b", "two", 1, now);
        let later = |seconds| now + Duration::from_secs(seconds);
        for key in 3..10 {
            kept.put(key, "b", "more", 1, later(key));
        }
        assert_eq!(kept.get(&1, "a", later(10)), Some(&mut "one"));
        assert_eq!(kept.get(&1, "b", later(10)), None);
        assert_eq!(kept.get(&2, "b", later(10)), None);
        assert_eq!(kept.len(), 4);
        assert_eq!(kept.remove(&9, "a"), None);
        assert_eq!(kept.remove(&9, "b"), Some("more"));
        assert_eq!(kept.owner(&1, later(11)).as_deref(), Some("a"));
        assert_eq!(kept.get(&1, "a", later(71)), None);
        assert_eq!(kept.owner(&1, later(71)), None);
    }

    proptest! {
        #[test]
        fn bounds_hold_and_the_newest_is_there(
            steps in proptest::collection::vec((0u8..20, 0u8..4, 0usize..60, 0u64..40), 1..200)
        ) {
            let (mut kept, mut now) = (Kept::new(BOUNDS), Instant::now());
            for (key, owner, bytes, seconds) in steps {
                now += Duration::from_secs(seconds);
                let owner = owner.to_string();
                kept.put(key, &owner, (key, bytes), bytes, now);
                prop_assert!(kept.len() <= BOUNDS.all_max && kept.bytes <= BOUNDS.bytes_max);
                prop_assert!(kept.of(&owner).count() <= BOUNDS.each_max);
                prop_assert_eq!(kept.bytes, kept.entries.values().map(|entry| entry.bytes).sum::<usize>());
                prop_assert_eq!(kept.get(&key, &owner, now), Some(&mut (key, bytes)));
            }
        }
    }
}
