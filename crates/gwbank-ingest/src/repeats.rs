//! Messages whose times were resolved at arrival: a redelivery would give other times, so it is known by its content.
//!
//! # Rules
//! 1. Remembered by (gateway, content) for 24 hours of receipt, at most [`ENTRIES_MAX`].
//! 2. Only the applier adds, in the order of the journal: what is remembered is durable, and a replay remembers alike.

use std::collections::VecDeque;

use gwbank_model::{GatewayIndex, Timestamp};
use hashbrown::HashMap;

const REMEMBERED_MICROS: i64 = 24 * 3600 * 1_000_000;
/// 40 bytes each. A LoRaWAN network of 10,000 devices that report every 15 minutes sends this many in a day.
const ENTRIES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct Repeats {
    received_at: HashMap<(GatewayIndex, u64), Timestamp>,
    order: VecDeque<(GatewayIndex, u64, Timestamp)>,
}

impl Repeats {
    pub(crate) fn knows(&self, gateway: GatewayIndex, hash: u64, now: Timestamp) -> bool {
        self.received_at.get(&(gateway, hash)).is_some_and(|at| now.micros_since(*at) < REMEMBERED_MICROS)
    }

    /// Remembers; false when it was known.
    pub(crate) fn remember(&mut self, gateway: GatewayIndex, hash: u64, now: Timestamp) -> bool {
        if self.knows(gateway, hash, now) {
            return false;
        }
        self.received_at.insert((gateway, hash), now);
        self.order.push_back((gateway, hash, now));
        while let Some(&(gateway, hash, at)) = self.order.front() {
            if self.order.len() <= ENTRIES_MAX && now.micros_since(at) < REMEMBERED_MICROS {
                break;
            }
            self.order.pop_front();
            // A later receipt of the same content has its own entry.
            if self.received_at.get(&(gateway, hash)) == Some(&at) {
                self.received_at.remove(&(gateway, hash));
            }
        }
        true
    }
}

/// FNV-1a, 64 bits: must not change from release to release, as the journal keeps it.
pub(crate) fn content_hash(payload: &[u8]) -> u64 {
    payload.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_for_a_day() {
        let mut repeats = Repeats::default();
        let (gateway, other) = (GatewayIndex(0), GatewayIndex(1));
        let start = Timestamp::from_secs(1_000_000);
        assert!(repeats.remember(gateway, 7, start));
        assert!(!repeats.remember(gateway, 7, start.plus_secs(3600)));
        assert!(repeats.remember(other, 7, start));
        assert!(repeats.remember(gateway, 7, start.plus_secs(24 * 3600)));
        assert!(repeats.knows(gateway, 7, start.plus_secs(25 * 3600)));
        assert!(repeats.remember(gateway, 8, start.plus_secs(60 * 3600)));
        assert_eq!(repeats.received_at.len(), 1, "what is too old is forgotten");
    }
}
