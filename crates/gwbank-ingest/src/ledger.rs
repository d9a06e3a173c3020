//! The account of what was taken in and is not yet archived and accounted for.
//!
//! # Rules
//! 1. The applier writes into the open [`Stretch`] of the journal. A stretch is sealed at a boundary between messages,
//!    the same in every replay; from then on its rows are as the archive gets them: a later change of a quality is a new
//!    version.
//! 2. Sealed stretches are committed one by one, oldest first: archive, then metadata, then it is dropped here. Until
//!    then its counts are added to those of the metadata, so that the sum never jumps.
//! 3. What it holds is bounded: beyond `ledger_bytes_max` sources wait, as they do for the window.
//! 4. For every gateway: received = stored + duplicate + dead + pending, in each stretch and so in the sum.

use std::collections::VecDeque;
use std::sync::Arc;

use gwbank_model::{GatewayIndex, Key, Month, Row, Seq, SeriesId, Timestamp};
use gwbank_store::{DeadMessage, GatewayCounts, SettledDeadLetter};
use hashbrown::{HashMap, HashSet};

use crate::context::Span;
use crate::dead_message::memory_bytes;
use crate::message::Receipt;

/// What a stretch of the journal adds to one gateway.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct GatewayDelta {
    /// To be added with wrap-around: what a replay of dead letters takes away is negative.
    pub(crate) counts: GatewayCounts,
    pub(crate) pending: u64,
    pub(crate) last_seen: Option<Timestamp>,
    pub(crate) last_error: Option<String>,
}

impl GatewayDelta {
    pub(crate) fn add(&mut self, receipt: &Receipt) {
        let counts = &mut self.counts;
        counts.received = counts.received.wrapping_add(receipt.received);
        counts.stored = counts.stored.wrapping_add(receipt.stored);
        counts.duplicate = counts.duplicate.wrapping_add(receipt.duplicate);
        counts.dead = counts.dead.wrapping_add(receipt.dead);
        self.pending += receipt.pending;
    }

    pub(crate) fn merge(&mut self, other: &GatewayDelta) {
        let (counts, more) = (&mut self.counts, &other.counts);
        counts.received = counts.received.wrapping_add(more.received);
        counts.stored = counts.stored.wrapping_add(more.stored);
        counts.duplicate = counts.duplicate.wrapping_add(more.duplicate);
        counts.dead = counts.dead.wrapping_add(more.dead);
        self.pending += other.pending;
        self.last_seen = self.last_seen.max(other.last_seen);
        self.last_error = other.last_error.clone().or(self.last_error.take());
    }
}

/// One version of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Version {
    pub(crate) key: Key,
    pub(crate) seq: Seq,
}

impl Version {
    pub(crate) fn of(row: &Row) -> Self {
        Self { key: row.key(), seq: row.seq }
    }
}

/// About the length of a gateway's last error.
const LAST_ERROR_BYTES: usize = 128;

/// The effect of the journal from one place to another.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    /// Everything up to here belongs to earlier stretches.
    pub(crate) after: Seq,
    /// The last sequence of its last message.
    pub(crate) through: Seq,
    /// Where to count; a message that the metadata has accounted for before is not in it.
    pub(crate) gateways: HashMap<GatewayIndex, GatewayDelta>,
    pub(crate) dead_messages: Vec<DeadMessage>,
    dead_messages_bytes: usize,
    pub(crate) settled: Vec<SettledDeadLetter>,
    /// Messages that are known by their content.
    pub(crate) contents: Vec<(GatewayIndex, u64, Seq)>,
    pub(crate) dirty: Vec<(SeriesId, Month, Seq)>,
    /// How many of them were left when they were last merged.
    dirty_compacted: usize,
    /// Rows whose outcome the archive must say. True where the outcome is to be counted.
    pub(crate) pending: HashMap<Version, bool>,
    /// Rows that the archive has seen in an earlier life of this process, not in the window.
    pub(crate) seen_before: Vec<Row>,
    /// Keys whose quality needs neighbours that only the archive has.
    pub(crate) unassessed: HashSet<Key>,
    /// What is judged anew in the archive, before the window's `covers_from`.
    pub(crate) rejudged: Vec<(SeriesId, Span)>,
    /// Keys of sealed rows that have another quality since: what of it stays is a version, once the stretch is sealed.
    pub(crate) requalified: HashSet<Key>,
    /// Keys of which a version was superseded.
    pub(crate) corrected: HashSet<Key>,
    /// Rows inserted into the window.
    pub(crate) rows: u64,
    pub(crate) messages: u64,
}

impl Stretch {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    pub(crate) fn pending_count(&self) -> u64 {
        self.gateways.values().map(|delta| delta.pending).sum()
    }

    /// Whether the archive's readings are needed to judge some.
    pub(crate) fn has_unsettled(&self) -> bool {
        !self.unassessed.is_empty() || !self.rejudged.is_empty()
    }

    /// New ones, or what is settled of those that the metadata has.
    pub(crate) fn has_dead_letters(&self) -> bool {
        !self.dead_messages.is_empty() || !self.settled.is_empty()
    }

    pub(crate) fn add_dead_message(&mut self, message: DeadMessage) {
        self.dead_messages_bytes += memory_bytes(&message);
        self.dead_messages.push(message);
    }

    /// About the memory that it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        fn list<T>(items: &[T]) -> usize {
            size_of_val(items)
        }
        // Hash tables are at most 7/8 full and half of that after they have grown.
        let tables = self.pending.len() * size_of::<(Version, bool)>()
            + (self.unassessed.len() + self.requalified.len() + self.corrected.len()) * size_of::<Key>()
            + self.gateways.len() * (size_of::<(GatewayIndex, GatewayDelta)>() + LAST_ERROR_BYTES);
        let lists = list(&self.settled)
            + list(&self.contents)
            + list(&self.dirty)
            + list(&self.seen_before)
            + list(&self.rejudged);
        self.dead_messages_bytes + lists + 2 * tables
    }

    pub(crate) fn mark_dirty(&mut self, row: &Row, month: Month) {
        // Rows of a series and a month come in runs.
        if let Some((series, known, seq)) = self.dirty.last_mut()
            && (*series, *known) == (row.series, month)
        {
            *seq = row.seq.max(*seq);
            return;
        }
        self.dirty.push((row.series, month, row.seq));
        // So that a long outage of the archive does not pile up one entry per reading.
        if self.dirty.len() >= self.dirty_compacted * 2 + 4096 {
            self.compact_dirty();
        }
    }

    fn compact_dirty(&mut self) {
        let mut latest: HashMap<(SeriesId, Month), Seq> = HashMap::new();
        for (series, month, seq) in self.dirty.drain(..) {
            let known = latest.entry((series, month)).or_insert(seq);
            *known = seq.max(*known);
        }
        self.dirty.extend(latest.into_iter().map(|((series, month), seq)| (series, month, seq)));
        self.dirty_compacted = self.dirty.len();
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) open: Stretch,
    pub(crate) sealed: VecDeque<Arc<Stretch>>,
}

impl Ledger {
    pub(crate) fn new(after: Seq) -> Self {
        let open = Stretch { after, through: after, ..Stretch::default() };
        Self { open, sealed: VecDeque::new() }
    }

    /// Ends the open stretch and begins the next; nothing happens when it is empty.
    pub(crate) fn seal(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let through = self.open.through;
        let next = Stretch { after: through, through, ..Stretch::default() };
        self.sealed.push_back(Arc::new(std::mem::replace(&mut self.open, next)));
    }

    pub(crate) fn stretches(&self) -> impl Iterator<Item = &Stretch> {
        self.sealed.iter().map(|stretch| &**stretch).chain([&self.open])
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.stretches().map(Stretch::memory_bytes).sum()
    }

    pub(crate) fn unarchived_rows(&self) -> u64 {
        self.stretches().map(|stretch| stretch.rows).sum()
    }
}
