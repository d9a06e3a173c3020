//! The order in which a node made things durable.
//!
//! A [`Seq`] is a hybrid clock in an `i64`: Unix milliseconds << 20 | 12-bit counter << 8 | 8-bit node id.
//! It says when a reading was received, orders the versions of a key, and never goes backwards at a node,
//! whatever the wall clock does.

use std::fmt;

use crate::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(i64);

impl Seq {
    /// Before every sequence that a clock gives out.
    pub const ZERO: Seq = Seq(0);
    pub const MAX: Seq = Seq(i64::MAX);
    const NODE_BITS: u32 = 8;
    const MILLIS_SHIFT: u32 = 20;

    pub const fn from_i64(raw: i64) -> Self {
        Self(raw)
    }
    pub const fn as_i64(self) -> i64 {
        self.0
    }
    pub const fn node(self) -> u8 {
        (self.0 & 0xff) as u8
    }
    /// The time of receipt, to the millisecond.
    pub const fn received_at(self) -> Timestamp {
        Timestamp::from_micros((self.0 >> Self::MILLIS_SHIFT) * 1000)
    }
    /// The first of those received at a time or later, to the millisecond above.
    pub const fn first_received_at(time: Timestamp) -> Self {
        let micros = time.as_micros();
        let millis = micros.div_euclid(1000) + (micros.rem_euclid(1000) != 0) as i64;
        Self(millis << Self::MILLIS_SHIFT)
    }
    /// The n-th sequence after this one at the same node. A carry out of the counter runs into the milliseconds, which
    /// is what a hybrid clock wants: order is kept, the time of receipt is off by the burst's excess.
    #[must_use]
    pub const fn nth(self, n: u32) -> Seq {
        Seq(self.0 + ((n as i64) << Self::NODE_BITS))
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seq({}.{}@{})", self.0 >> 20, (self.0 >> 8) & 0xfff, self.node())
    }
}
impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Gives out sequences. One per node, owned by the journal's writer.
#[derive(Debug)]
pub struct SeqClock {
    node: u8,
    last: Seq,
}

impl SeqClock {
    /// `after` is the highest sequence that this node is known to have given out.
    pub fn new(node: u8, after: Seq) -> Self {
        Self { node, last: after }
    }

    pub fn last(&self) -> Seq {
        self.last
    }

    /// Takes `count` consecutive sequences and returns the first; `now_ms` is the wall clock in Unix milliseconds.
    pub fn take(&mut self, now_ms: i64, count: u32) -> Seq {
        let count = count.max(1);
        let by_clock = (now_ms.max(0) << Seq::MILLIS_SHIFT) | i64::from(self.node);
        let after_last = ((self.last.0 >> Seq::NODE_BITS) + 1) << Seq::NODE_BITS | i64::from(self.node);
        let first = Seq(by_clock.max(after_last));
        self.last = first.nth(count - 1);
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_goes_backwards(steps in proptest::collection::vec((0i64..4_000_000_000_000, 1u32..5000), 1..200)) {
            let mut clock = SeqClock::new(7, Seq::ZERO);
            let mut last = Seq::ZERO;
            for (now, count) in steps {
                let first = clock.take(now, count);
                prop_assert!(first > last);
                prop_assert_eq!(first.node(), 7);
                last = first.nth(count - 1);
                prop_assert_eq!(last, clock.last());
            }
        }
    }

    #[test]
    fn tells_the_time_of_receipt() {
        let seq = SeqClock::new(3, Seq::ZERO).take(1_700_000_000_123, 1);
        assert_eq!(seq.received_at(), Timestamp::from_micros(1_700_000_000_123_000));
        let (at, later) =
            (Timestamp::from_micros(1_700_000_000_123_000), Timestamp::from_micros(1_700_000_000_123_001));
        assert!(Seq::first_received_at(at) <= seq && seq < Seq::first_received_at(later));
    }
}
