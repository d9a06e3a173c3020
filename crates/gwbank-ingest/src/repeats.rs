//! Messages whose times were resolved at arrival: a redelivery would give other times, so it is known by its content.
//!
//! # Rules
//! 1. Remembered by (gateway, content) for 24 hours of receipt, at most [`ENTRIES_MAX`].
//! 2. Only the applier adds, in the order of the journal: what is remembered is durable, and a replay remembers alike.
//! 3. The metadata keeps what is remembered, in the transaction of its position. So a record that is replayed may meet
//!    itself: it is a repeat only of what came before it.

use std::collections::VecDeque;

use gwbank_model::{GatewayIndex, Seq, Timestamp};
use gwbank_wire::{Fault, Reason};
use hashbrown::HashMap;

pub(crate) const REMEMBERED_MICROS: i64 = 24 * 3600 * 1_000_000;
/// 40 bytes each. A LoRaWAN network of 10,000 devices that report every 15 minutes sends this many in a day.
const ENTRIES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct Repeats {
    latest: HashMap<(GatewayIndex, u64), Seq>,
    order: VecDeque<(GatewayIndex, u64, Seq)>,
}

impl Repeats {
    pub(crate) fn knows(&self, gateway: GatewayIndex, hash: u64, now: Timestamp) -> bool {
        self.latest.get(&(gateway, hash)).is_some_and(|seq| is_remembered(*seq, now))
    }

    /// Remembers; false when it is a repeat.
    pub(crate) fn remember(&mut self, gateway: GatewayIndex, hash: u64, seq: Seq) -> bool {
        let now = seq.received_at();
        match self.latest.get(&(gateway, hash)) {
            Some(known) if *known >= seq => return true,
            Some(known) if is_remembered(*known, now) => return false,
            _ => {}
        }
        self.latest.insert((gateway, hash), seq);
        self.order.push_back((gateway, hash, seq));
        while let Some(&(gateway, hash, seq)) = self.order.front() {
            if self.order.len() <= ENTRIES_MAX && is_remembered(seq, now) {
                break;
            }
            self.order.pop_front();
            // A later receipt of the same content has its own entry.
            if self.latest.get(&(gateway, hash)) == Some(&seq) {
                self.latest.remove(&(gateway, hash));
            }
        }
        true
    }
}

fn is_remembered(seq: Seq, now: Timestamp) -> bool {
    now.micros_since(seq.received_at()) < REMEMBERED_MICROS
}

/// Of a repeat, the readings of unregistered wells too are no new ones: they wait in the letter of the first receipt.
/// Takes their faults out and returns how many readings they stand for.
pub(crate) fn take_unknown_wells(faults: &mut Vec<Fault>) -> u64 {
    faults.extract_if(.., |fault| fault.reason == Reason::UnknownWell).map(|fault| fault.readings).sum()
}

/// FNV-1a, 64 bits: must not change from release to release, as the journal keeps it.
pub(crate) fn content_hash(payload: &[u8]) -> u64 {
    gwbank_model::fingerprint(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(secs: i64) -> Seq {
        Seq::first_received_at(Timestamp::from_secs(1_000_000 + secs))
    }

    #[test]
    fn remembers_for_a_day() {
        let mut repeats = Repeats::default();
        let (gateway, other) = (GatewayIndex(0), GatewayIndex(1));
        let hour = 3600;
        assert!(repeats.remember(gateway, 7, seq(0)));
        assert!(!repeats.remember(gateway, 7, seq(hour)));
        assert!(repeats.remember(other, 7, seq(0)));
        assert!(repeats.remember(gateway, 7, seq(24 * hour)));
        assert!(repeats.knows(gateway, 7, seq(25 * hour).received_at()));
        assert!(repeats.remember(gateway, 8, seq(60 * hour)));
        assert_eq!(repeats.latest.len(), 1, "what is too old is forgotten");
    }

    #[test]
    fn a_record_is_no_repeat_of_itself() {
        let mut repeats = Repeats::default();
        let gateway = GatewayIndex(0);
        assert!(repeats.remember(gateway, 7, seq(10)));
        assert!(repeats.remember(gateway, 7, seq(10)), "replayed");
        assert!(repeats.remember(gateway, 7, seq(5)), "replayed, from before the one that the metadata told of");
        assert!(!repeats.remember(gateway, 7, seq(10).nth(1)));
    }
}
