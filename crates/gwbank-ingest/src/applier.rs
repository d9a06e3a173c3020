//! Applies what is durable: to the window, to the ledger, to whoever waits.
//!
//! # Rules
//! 1. One thread applies, in the order of the journal; a replay after a restart comes through the same door.
//! 2. A group is applied as a whole: one classification, one assessment, one insertion. No lock is taken per row.
//! 3. Acknowledgements are given after the insertion: acknowledged implies queryable.
//! 4. What the archive or the metadata had accounted for before the restart is not counted again.
//! 5. Stretches end where the journal says, or where it holds enough since the last end: so they end in the same places
//!    in a replay, and what becomes a version of its own because its stretch had ended does so again.

use std::sync::Arc;

use bytes::Bytes;
use gwbank_model::versions::Change;
use gwbank_model::{GatewayIndex, Key, Month, MonthCursor, Origin, Row, Seq, SeriesId, Timestamp};
use gwbank_recent::{Classified, Window};
use gwbank_store::{RowNames, SettledDeadLetter};
use gwbank_wire::Fault;
use hashbrown::HashSet;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::changes::{Publisher, Touched};
use crate::context::Span;
use crate::dead_message::dead_message;
use crate::judge::{Accepted, Basis, Judge, Judgement};
use crate::ledger::{GatewayDelta, Ledger, Version};
use crate::message::Receipt;
use crate::metrics::Metrics;
use crate::repeats::{Repeats, take_unknown_wells};
use crate::resolve::Rows;

/// Who waits for a record to be applied.
#[derive(Debug)]
pub(crate) enum Reply {
    Nobody,
    Receipt(oneshot::Sender<Receipt>),
    Seq(oneshot::Sender<Seq>),
}

/// What a durable record does. Rides through the journal as its attachment.
#[derive(Debug)]
pub(crate) struct Effect {
    /// `None` for a mark.
    pub(crate) gateway: Option<GatewayIndex>,
    pub(crate) topic: String,
    pub(crate) rows: Rows,
    pub(crate) faults: Vec<Fault>,
    pub(crate) payload: Option<Bytes>,
    pub(crate) duplicates: u64,
    pub(crate) content_hash: Option<u64>,
    pub(crate) settled: Vec<SettledDeadLetter>,
    /// Spans of series to be judged anew. They are not in the journal: what a replay does not do, is found to be due again.
    pub(crate) rejudged: Vec<(SeriesId, Span)>,
    /// Ends the open stretch.
    pub(crate) seals: bool,
    pub(crate) reply: Reply,
}

impl Effect {
    pub(crate) fn seal(reply: Reply) -> Self {
        Self { seals: true, ..Self::mark(reply) }
    }

    pub(crate) fn mark(reply: Reply) -> Self {
        Self {
            gateway: None,
            topic: String::new(),
            rows: Rows::default(),
            faults: Vec::new(),
            payload: None,
            duplicates: 0,
            content_hash: None,
            settled: Vec::new(),
            rejudged: Vec::new(),
            seals: false,
            reply,
        }
    }
}

/// Where the consumers of the journal stood when this process started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Positions {
    pub(crate) archive: Seq,
    pub(crate) metadata: Seq,
}

#[derive(Debug)]
pub(crate) struct Applier {
    window: Window,
    names: RowNames,
    metrics: Arc<Metrics>,
    listeners: Arc<Publisher>,
    calendar_offset_seconds: i32,
    flush_rows: u64,
    seal_bytes: usize,
    start: Positions,
    pub(crate) judge: Judge,
    pub(crate) ledger: Ledger,
    taken: Taken,
    repeats: Arc<Mutex<Repeats>>,
    applied: Seq,
    months: MonthCache,
}

/// What the applier is made of.
pub(crate) struct ApplierParts {
    pub(crate) window: Window,
    pub(crate) names: RowNames,
    pub(crate) basis: Basis,
    pub(crate) repeats: Arc<Mutex<Repeats>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) listeners: Arc<Publisher>,
    pub(crate) calendar_offset_seconds: i32,
    pub(crate) flush_rows: u64,
    /// A stretch with more bytes of payloads is sealed.
    pub(crate) seal_bytes: usize,
    pub(crate) start: Positions,
}

/// What records brought since the last seal, whatever became of it: the same in a replay.
#[derive(Debug, Default)]
struct Taken {
    rows: u64,
    payload_bytes: usize,
}

/// One message of a group.
struct Part {
    first: Seq,
    last: Seq,
    rows: usize,
    effect: Effect,
}

impl Applier {
    pub(crate) fn new(parts: ApplierParts) -> Self {
        let ApplierParts {
            window,
            names,
            basis,
            repeats,
            metrics,
            listeners,
            calendar_offset_seconds,
            flush_rows,
            seal_bytes,
            start,
        } = parts;
        let judge = Judge::new(basis);
        Self {
            window,
            names,
            metrics,
            listeners,
            calendar_offset_seconds,
            flush_rows,
            seal_bytes,
            start,
            judge,
            ledger: Ledger::new(start.archive.min(start.metadata)),
            taken: Taken::default(),
            repeats,
            applied: start.archive.min(start.metadata),
            months: MonthCache::default(),
        }
    }

    pub(crate) fn applied(&self) -> Seq {
        self.applied
    }

    /// The end of what is not to be changed in place any more.
    pub(crate) fn sealed_through(&self) -> Seq {
        self.ledger.open.after.max(self.start.archive)
    }

    /// Applies records in the order of the journal.
    pub(crate) fn apply(&mut self, group: Vec<(Seq, Effect)>) {
        let mut parts: Vec<Part> = Vec::with_capacity(group.len());
        let row_count = group.iter().map(|(_, effect)| effect.rows.rows.len()).sum();
        let mut rows: Vec<Row> = Vec::with_capacity(row_count);
        for (first, mut effect) in group {
            let last = first.nth(effect.rows.seq_count() - 1);
            self.taken.rows += effect.rows.rows.len() as u64;
            self.taken.payload_bytes += effect.payload.as_ref().map_or(0, Bytes::len);
            let ends_stretch =
                effect.seals || self.taken.rows >= self.flush_rows || self.taken.payload_bytes >= self.seal_bytes;
            if let (Some(gateway), Some(hash)) = (effect.gateway, effect.content_hash) {
                if !self.repeats.lock().remember(gateway, hash, first) {
                    effect.duplicates += effect.rows.rows.len() as u64;
                    effect.duplicates += take_unknown_wells(&mut effect.faults);
                    effect.rows = Rows::default();
                } else if first > self.start.metadata {
                    self.ledger.open.contents.push((gateway, hash, first));
                }
            }
            let rejudged = std::mem::take(&mut effect.rejudged);
            effect.rows.number(first);
            rows.extend_from_slice(&effect.rows.rows);
            parts.push(Part { first, last, rows: effect.rows.rows.len(), effect });
            if !rejudged.is_empty() {
                self.apply_parts(std::mem::take(&mut parts), std::mem::take(&mut rows));
                self.rejudge(&rejudged, last);
            }
            if ends_stretch {
                self.apply_parts(std::mem::take(&mut parts), std::mem::take(&mut rows));
                self.seal();
            }
        }
        self.apply_parts(parts, rows);
    }

    /// Ends the open stretch. Judgements of sealed rows that it brought become what they will stay.
    pub(crate) fn seal(&mut self) {
        let requalified: Vec<Key> = self.ledger.open.requalified.drain().collect();
        if !requalified.is_empty() {
            let winners = self.window.settle_judgements(&requalified, self.sealed_through(), self.ledger.open.through);
            self.judge.refresh(&winners);
        }
        let corrected: Vec<Key> = self.ledger.open.corrected.drain().collect();
        self.settle_losers(&corrected);
        self.taken = Taken::default();
        self.ledger.seal();
    }

    /// A version that lost its place before it was sealed is judged by itself, as one that lost at once: whether it was the
    /// winner for a while depends on how messages were grouped.
    fn settle_losers(&mut self, keys: &[Key]) {
        if keys.is_empty() {
            return;
        }
        let (window, sealed) = (self.window.snapshot(), self.sealed_through());
        let mut settled: Vec<Row> = Vec::new();
        for key in keys {
            let versions = window.versions(*key);
            let winner = versions.iter().map(Row::precedence).max();
            let is_loser = |row: &&Row| row.origin == Origin::Received && Some(row.precedence()) != winner;
            for row in versions.iter().filter(|row| row.seq > sealed).filter(is_loser) {
                settled.extend(self.judge.judged_alone(row));
            }
        }
        drop(window);
        self.window.insert(settled);
    }

    /// A version that meets another one of its key in the same group is applied after it, so that what becomes of the
    /// loser is the same however the messages were grouped, now or in a replay.
    fn apply_parts(&mut self, parts: Vec<Part>, rows: Vec<Row>) {
        let verdicts = self.window.classify(&rows);
        let is_another = |verdict: &Classified| matches!(verdict, Classified::New(Change::Supersedes | Change::Loses));
        // Nearly all groups bring new keys only.
        if !verdicts.iter().any(is_another) {
            return self.apply_at_once(parts, &rows, verdicts);
        }
        let segments = without_meetings(&parts, &rows);
        let (mut parts, mut rest) = (parts.into_iter(), &rows[..]);
        for Segment { parts: part_count, rows: row_count } in segments {
            let (rows, later) = rest.split_at(row_count);
            rest = later;
            let verdicts = self.window.classify(rows);
            self.apply_at_once(parts.by_ref().take(part_count).collect(), rows, verdicts);
        }
    }

    fn apply_at_once(&mut self, parts: Vec<Part>, rows: &[Row], verdicts: Vec<Classified>) {
        let Some(applied) = parts.last().map(|part| part.last) else { return };
        let mut accepted: Vec<Accepted> = Vec::with_capacity(rows.len());
        let mut receipts: Vec<Receipt> = Vec::with_capacity(parts.len());
        let mut archived_before: Vec<Row> = Vec::new();
        let mut judged = rows.iter().copied().zip(verdicts);
        for part in &parts {
            let counted = part.last > self.start.metadata;
            let mut receipt = Receipt::default();
            for (row, verdict) in judged.by_ref().take(part.rows) {
                self.take_row(row, verdict, counted, &mut receipt, &mut accepted);
                if counted && row.seq <= self.start.archive {
                    archived_before.push(row);
                }
            }
            receipts.push(receipt);
        }

        let window = self.window.snapshot();
        let corrects = |a: &&Accepted| a.verdict == Classified::New(Change::Supersedes);
        self.ledger.open.corrected.extend(accepted.iter().filter(corrects).map(|a| a.row.key()));
        let sealed = self.sealed_through();
        let judgement = self.judge.assess(&mut accepted, &window, sealed);
        drop(window); // so that the insertion need not copy what only this snapshot holds
        let changed = self.take_judgement(judgement, sealed);
        let touched: Vec<Row> = accepted.iter().map(|a| a.row).chain(changed).collect();
        let changes = self.mark_touched(&touched);
        for row in &archived_before {
            self.mark_all_in_reach(row);
        }
        self.window.insert(touched);

        self.ledger.open.rows += accepted.len() as u64;
        self.ledger.open.through = applied;
        self.applied = self.applied.max(applied);
        let mut replies = Vec::with_capacity(parts.len());
        for (part, receipt) in parts.into_iter().zip(receipts) {
            replies.push(self.account(part, receipt));
        }
        self.listeners.publish(&changes);
        for (reply, seq, receipt) in replies {
            // Whoever does not wait any more has been told nothing, and will ask again.
            match reply {
                Reply::Nobody => {}
                Reply::Receipt(sender) => drop(sender.send(receipt)),
                Reply::Seq(sender) => drop(sender.send(seq)),
            }
        }
    }

    /// Judges anew what is stored in spans of time: what the window has at once, the rest when the stretch is archived.
    fn rejudge(&mut self, spans: &[(SeriesId, Span)], at: Seq) {
        let (window, sealed) = (self.window.snapshot(), self.sealed_through());
        let judgement = self.judge.rejudge(spans, &window, sealed, at);
        let changed = self.take_judgement(judgement, sealed);
        let before_window = window.covers_from().plus_micros(-1);
        let in_archive = spans.iter().filter(|(_, span)| span.from <= before_window);
        let cut = in_archive.map(|&(series, span)| (series, Span { to: span.to.min(before_window), ..span }));
        self.ledger.open.rejudged.extend(cut);
        drop(window);
        let changes = self.mark_touched(&changed);
        self.window.insert(changed);
        self.listeners.publish(&changes);
    }

    /// Notes what a judgement leaves to be done; gives the rows that it changes.
    fn take_judgement(&mut self, judgement: Judgement, sealed: Seq) -> Vec<Row> {
        let is_own_version = |row: &&Row| row.origin == Origin::Requalified && row.seq > sealed;
        self.ledger.open.requalified.extend(judgement.changed.iter().filter(is_own_version).map(Row::key));
        self.ledger.open.unassessed.extend(judgement.unassessed);
        judgement.changed
    }

    /// Marks the months of rows as dirty, but for what is accounted for; gives what listeners are to hear of.
    fn mark_touched(&mut self, touched: &[Row]) -> Touched {
        let mut changes = Touched::default();
        let mut last_level = None; // rows of a series come in runs
        for row in touched.iter().filter(|row| row.seq > self.start.metadata) {
            let entry = self.months.entry(row, &self.names, self.calendar_offset_seconds);
            if entry.is_level && last_level != Some(row.series) {
                changes.levels.insert(row.series);
                last_level = Some(row.series);
            }
            if entry.makes_levels {
                changes.sensor(row.series, Span { from: row.time, to: row.time });
            }
            if entry.is_measurement {
                self.ledger.open.mark_dirty(row, entry.month);
            }
        }
        changes
    }

    fn take_row(
        &mut self,
        row: Row,
        verdict: Classified,
        counted: bool,
        receipt: &mut Receipt,
        accepted: &mut Vec<Accepted>,
    ) {
        let archived_before = row.seq <= self.start.archive;
        match verdict {
            Classified::New(Change::Known) => receipt.stored += 1,
            Classified::New(Change::Duplicate) => receipt.duplicate += 1,
            // The archive has decided on it in an earlier life of this process and says the same again.
            _ if archived_before => {
                receipt.pending += 1;
                self.ledger.open.pending.insert(Version::of(&row), counted);
                self.ledger.open.seen_before.push(row);
            }
            Classified::New(_) => {
                receipt.stored += 1;
                accepted.push(Accepted { row, verdict });
            }
            Classified::Pending => {
                receipt.pending += 1;
                self.ledger.open.pending.insert(Version::of(&row), counted);
                self.ledger.open.unassessed.insert(row.key());
                accepted.push(Accepted { row, verdict });
            }
        }
    }

    /// Marks what a row may have changed that an earlier life of this process archived and did not account for: its own
    /// month, and those of neighbours whose quality it may have changed. Which it did is not to be seen any more.
    fn mark_all_in_reach(&mut self, row: &Row) {
        let reach = self.judge.config(row.series).reach();
        let last = row.time.plus_micros(reach.after_micros);
        let mut time = row.time.plus_micros(-reach.before_micros);
        loop {
            let neighbour = Row { time, ..*row };
            let entry = self.months.entry(&neighbour, &self.names, self.calendar_offset_seconds);
            if entry.is_measurement {
                self.ledger.open.mark_dirty(&neighbour, entry.month);
            }
            if last < entry.to {
                return;
            }
            time = entry.to;
        }
    }

    /// Writes a message into the ledger.
    fn account(&mut self, part: Part, mut receipt: Receipt) -> (Reply, Seq, Receipt) {
        let Part { first, last, rows, effect } = part;
        let open = &mut self.ledger.open;
        open.messages += 1;
        let Some(gateway) = effect.gateway else { return (effect.reply, first, receipt) };
        receipt.dead = effect.faults.iter().map(|fault| fault.readings).sum();
        receipt.duplicate += effect.duplicates;
        receipt.received = rows as u64 + effect.duplicates + receipt.dead;
        let settled_readings: u64 = effect.settled.iter().map(|settled| settled.readings).sum();
        if last > self.start.metadata {
            self.metrics.count(&receipt, &effect.faults);
            let received_at = first.received_at();
            let delta: &mut GatewayDelta = open.gateways.entry(gateway).or_default();
            delta.add(&receipt);
            // A replay moves readings from dead to what became of them: they were received before.
            delta.counts.dead = delta.counts.dead.wrapping_sub(settled_readings);
            delta.counts.received = delta.counts.received.wrapping_sub(settled_readings);
            if effect.settled.is_empty() {
                delta.last_seen = delta.last_seen.max(Some(received_at));
            }
            if let Some(fault) = effect.faults.last() {
                delta.last_error = Some(format!("{}: {}", fault.reason, fault.detail));
            }
            open.settled.extend(&effect.settled);
            if !effect.faults.is_empty() {
                open.add_dead_message(dead_message(&effect, self.names.gateways.id(gateway), first));
            }
        }
        receipt.faults = effect.faults;
        (effect.reply, first, receipt)
    }
}

/// Messages that follow one another, and their rows.
struct Segment {
    parts: usize,
    rows: usize,
}

/// A group as segments in which no key is brought by more than one message.
fn without_meetings(parts: &[Part], rows: &[Row]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut brought: HashSet<Key> = HashSet::new();
    let mut segment = Segment { parts: 0, rows: 0 };
    let mut rest = rows;
    for part in parts {
        let (own, later) = rest.split_at(part.rows);
        rest = later;
        if own.iter().any(|row| brought.contains(&row.key())) {
            segments.push(std::mem::replace(&mut segment, Segment { parts: 0, rows: 0 }));
            brought.clear();
        }
        brought.extend(own.iter().map(Row::key));
        segment.parts += 1;
        segment.rows += part.rows;
    }
    segments.push(segment);
    segments
}

/// What a series is, and its month of the moment: most rows are of the same month as the one before.
#[derive(Debug, Default)]
struct MonthCache(Vec<Option<SeriesMonths>>);

#[derive(Debug, Clone, Copy)]
struct SeriesMonths {
    months: MonthCursor,
    is_level: bool,
    makes_levels: bool,
    /// Not about the device itself: something that an indicator may be computed from.
    is_measurement: bool,
}

/// What [`MonthCache`] says of a row.
struct MonthEntry {
    month: Month,
    /// The month's end.
    to: Timestamp,
    is_level: bool,
    makes_levels: bool,
    is_measurement: bool,
}

impl MonthCache {
    fn entry(&mut self, row: &Row, names: &RowNames, offset_seconds: i32) -> MonthEntry {
        use gwbank_model::Parameter::{BatteryLevel, BatteryVoltage, DeviceTemperature, SignalStrength, Snr};
        let index = row.series.0 as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        let of_series = self.0[index].get_or_insert_with(|| {
            let parameter = names.series.key(row.series).parameter;
            let of_device = [BatteryVoltage, BatteryLevel, SignalStrength, Snr, DeviceTemperature];
            SeriesMonths {
                months: MonthCursor::new(offset_seconds),
                is_level: parameter.is_level(),
                makes_levels: parameter.makes_levels(),
                is_measurement: !of_device.contains(&parameter),
            }
        });
        let month = of_series.months.month(row.time);
        let SeriesMonths { months, is_level, makes_levels, is_measurement } = *of_series;
        MonthEntry { month, to: months.end(), is_level, makes_levels, is_measurement }
    }
}
