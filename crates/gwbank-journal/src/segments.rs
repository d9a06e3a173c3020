//! Which segments there are, and which of them may go.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use gwbank_model::Seq;

use crate::format::{HEADER_BYTES, Header};

#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub path: PathBuf,
    pub header: Header,
    /// Durable length.
    pub bytes: u64,
    /// Of the last record here or, when there is none, in the segments before.
    pub last_seq: Seq,
}

impl Segment {
    pub(crate) fn number(&self) -> u64 {
        self.header.number
    }
    pub(crate) fn has_records(&self) -> bool {
        self.bytes > HEADER_BYTES as u64
    }
}

/// The lowest segment number that a reader still needs; held by the reader.
pub(crate) type Pin = Arc<AtomicU64>;

pub(crate) struct Segments {
    /// Oldest first.
    pub sealed: VecDeque<Segment>,
    /// The one that is written to.
    pub active: Segment,
    /// Everything up to here has been given up.
    pub given_up: Seq,
    pins: Vec<Weak<AtomicU64>>,
}

impl Segments {
    pub(crate) fn new(sealed: VecDeque<Segment>, active: Segment) -> Self {
        Self { sealed, active, given_up: Seq::ZERO, pins: Vec::new() }
    }

    /// The last sequence of the records that are no longer here.
    pub(crate) fn truncated_through(&self) -> Seq {
        self.sealed.front().unwrap_or(&self.active).header.records_through
    }

    /// The oldest segment, when nobody needs it any more.
    pub(crate) fn removable(&self) -> Option<Segment> {
        let oldest = self.sealed.front()?;
        let is_read =
            self.pins.iter().filter_map(Weak::upgrade).any(|pin| pin.load(Ordering::SeqCst) <= oldest.number());
        (oldest.last_seq <= self.given_up && !is_read).then(|| oldest.clone())
    }

    pub(crate) fn active_is_given_up(&self) -> bool {
        self.active.has_records() && self.active.last_seq <= self.given_up
    }

    /// Those with records after `after`, kept until the pin moves on or is dropped.
    pub(crate) fn pinned_after(&mut self, after: Seq) -> (VecDeque<Segment>, Pin) {
        let all = self.sealed.iter().chain([&self.active]);
        let wanted: VecDeque<Segment> = all.filter(|segment| segment.last_seq > after).cloned().collect();
        let pin = Arc::new(AtomicU64::new(wanted.front().map_or(u64::MAX, Segment::number)));
        self.pins.retain(|pin| pin.strong_count() > 0);
        self.pins.push(Arc::downgrade(&pin));
        (wanted, pin)
    }
}
