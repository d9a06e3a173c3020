//! The archive writer: commits sealed stretches of the journal, oldest first.
//!
//! # Rules
//! 1. Archive, then metadata, then the window lets go and the journal is cut. Each consumer keeps its own position, so a
//!    crash between any two steps repeats the later ones and counts nothing twice.
//! 2. What failed is tried again with back-off; ingest goes on until the window or the journal is full, and the error is
//!    in the status.
//! 3. One commit at a time.
//! 4. A reading that the archive refuses for good becomes a dead letter, and is shown no more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gwbank_model::versions::Outcome;
use gwbank_model::{GatewayIndex, Month, Origin, Row, Seq, SeriesId};
use gwbank_quality::SeriesConfig;
use gwbank_runtime::Backoff;
use gwbank_store::{
    ArchiveCommit, ArchiveError, CommitReport, DeadMessage, DirtyMonth, GatewayRecord, IngestCommit, ReceivedContent,
    RefusedRow, Upkeep,
};
use gwbank_wire::Reason;
use hashbrown::{HashMap, HashSet};
use tokio_util::sync::CancellationToken;

use crate::IngestError;
use crate::applier::Positions;
use crate::dead_message::refused as refused_letters;
use crate::gate::Held;
use crate::ledger::{Stretch, Version};
use crate::pipeline::Shared;
use crate::repeats::REMEMBERED_MICROS;
use crate::settle::{Settlement, Settler};

/// First and longest wait after a failure: short, as most are a restart of something; long, so as not to hammer.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Other nodes see what this one takes in once it is archived.
const FLUSH_BESIDE_OTHERS: Duration = Duration::from_secs(1);

/// While no rows come, only dead letters and duplicates, the archive's position is moved once the journal holds this
/// much: a commit without rows is not free.
const IDLE_JOURNAL_BYTES: u64 = 16 << 20;

/// A stretch whose archive part is done and whose metadata part is not.
#[derive(Debug, Default)]
pub(crate) struct Committing {
    archived: Option<Archived>,
}

#[derive(Debug)]
struct Archived {
    through: Seq,
    outcomes: HashMap<GatewayIndex, Outcomes>,
    dirty: Vec<(SeriesId, Month, Seq)>,
    refused: Vec<DeadMessage>,
}

/// What the archive has decided, of rows that are to be counted.
#[derive(Debug, Default, Clone)]
struct Outcomes {
    /// Of pending rows.
    stored: u64,
    duplicate: u64,
    refused: u64,
    /// Of the refused ones those that were counted as stored when they came.
    taken_back: u64,
    last_error: Option<String>,
}

/// Runs until cancelled.
pub(crate) async fn run(shared: Arc<Shared>, cancelled: CancellationToken) {
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
    loop {
        let failing = backoff.failures() > 0;
        let interval = match shared.has_other_nodes.load(Ordering::SeqCst) {
            true => shared.config.flush_interval.min(FLUSH_BESIDE_OTHERS),
            false => shared.config.flush_interval,
        };
        let wait = if failing { backoff.next_delay() } else { interval };
        tokio::select! {
            () = cancelled.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = shared.flush_wanted.notified(), if !failing => {}
        }
        match shared.flush().await {
            Ok(()) => {
                backoff.reset();
                if let Err(error) = shared.look_at_other_nodes().await {
                    tracing::warn!(error = %chain(&error), "what other nodes do is not known");
                }
            }
            Err(error) => {
                if !failing {
                    backoff.next_delay();
                    tracing::warn!(error = %chain(&error), "archiving failed; trying again");
                }
                continue;
            }
        }
        if let Err(error) = shared.maintain().await {
            tracing::warn!(error = %chain(&error), "maintenance of the archive failed");
            shared.note_error(&error);
        }
    }
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Shared {
    /// Archives everything that is applied by now, and no more: what comes in meanwhile could go on for ever.
    pub(crate) async fn flush(&self) -> Result<(), IngestError> {
        let mut committing = self.committing.lock().await;
        if !self.verified.load(Ordering::SeqCst)
            && let Err(error) = self.verify().await
        {
            self.note_error(&error);
            return Err(error);
        }
        self.seal().await;
        let until = self.applier.lock().ledger.sealed.back().map_or(Seq::ZERO, |stretch| stretch.through);
        let result = loop {
            let next = self.applier.lock().ledger.sealed.front().cloned();
            let Some(stretch) = next.filter(|stretch| stretch.through <= until) else { break Ok(()) };
            let committed = match self.note_start().await {
                Ok(()) => self.commit(&stretch, &mut committing).await,
                Err(error) => Err(error),
            };
            if let Err(error) = committed {
                break Err(error);
            }
        };
        if result.is_ok() && self.gate.is_closed() {
            self.let_go().await?; // nothing was left to archive, yet there may be something to evict
        }
        match &result {
            Ok(()) => *self.last_error.lock() = None,
            Err(error) => self.note_error(error),
        }
        result
    }

    /// Learns where archive and metadata stand, of which a start without them knew only where they had been.
    async fn verify(&self) -> Result<(), IngestError> {
        let archive = self.archive.snapshot().await?.position();
        let metadata = self.metadata.position().await?;
        let known = *self.positions.lock();
        let applier = self.applier.lock();
        let is_within = |stretch: &Stretch| stretch.after < metadata && metadata < stretch.through;
        if archive < known.archive || metadata < known.metadata || applier.ledger.stretches().any(is_within) {
            return Err(IngestError::Misaligned);
        }
        *self.positions.lock() = Positions { archive, metadata };
        drop(applier);
        self.verified.store(true, Ordering::SeqCst);
        tracing::info!("the database is there again");
        Ok(())
    }

    /// Upkeep of the archive: what cannot wait, and while no rows do also the rest. The sources wait for the archive once
    /// the window is full, so that merging while the next rows wait would slow down the whole ingest.
    async fn maintain(&self) -> Result<(), ArchiveError> {
        loop {
            let upkeep = if self.rows_wait() { Upkeep::UnderLoad } else { Upkeep::AtRest };
            let report = self.archive.maintain(upkeep).await?;
            if report.files_merged == 0 || self.rows_wait() {
                return Ok(());
            }
        }
    }

    /// Whether so many rows wait that the next commit is soon due.
    fn rows_wait(&self) -> bool {
        self.gate.is_closed() || self.applier.lock().ledger.unarchived_rows() >= self.config.flush_rows / 2
    }

    async fn commit(&self, stretch: &Arc<Stretch>, committing: &mut Committing) -> Result<(), IngestError> {
        let done = committing.archived.take().filter(|archived| archived.through == stretch.through);
        let archived = match done {
            Some(archived) => archived,
            None => self.commit_archive(stretch).await?,
        };
        if let Err(error) = self.commit_metadata(stretch, &archived).await {
            committing.archived = Some(archived);
            return Err(error);
        }
        self.let_go().await
    }

    async fn commit_archive(&self, stretch: &Arc<Stretch>) -> Result<Archived, IngestError> {
        let mut archived =
            Archived { through: stretch.through, outcomes: HashMap::new(), dirty: Vec::new(), refused: Vec::new() };
        let (window, captured) = (self.window.clone(), Arc::clone(stretch));
        let mut rows = blocking(move || {
            let mut rows = window.snapshot().unarchived(captured.after, captured.through);
            rows.extend_from_slice(&captured.seen_before);
            rows
        })
        .await?;
        if rows.is_empty() && !stretch.has_unsettled() && self.journal.bytes() < IDLE_JOURNAL_BYTES {
            return Ok(archived);
        }
        let settlement = self.settle(stretch, &mut rows).await?;
        for row in &settlement.requalified {
            archived.dirty.push((row.series, row.time.month(self.config.calendar_offset_seconds), row.seq));
        }
        rows.extend_from_slice(&settlement.requalified);
        let pending: Vec<(usize, GatewayIndex)> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.origin == Origin::Received)
            .filter(|(_, row)| stretch.pending.get(&Version::of(row)) == Some(&true))
            .map(|(index, row)| (index, row.gateway))
            .collect();
        let CommitReport { outcomes, refused } =
            self.archive.commit(ArchiveCommit { rows: rows.clone(), through: stretch.through }).await?;
        self.positions.lock().archive = stretch.through;
        self.show_in_window(settlement.in_window);
        self.take_refused(stretch, &rows, &refused, &mut archived);
        let is_refused: HashSet<usize> = refused.iter().map(|refused| refused.index).collect();
        for (index, gateway) in pending.into_iter().filter(|(index, _)| !is_refused.contains(index)) {
            let counted = archived.outcomes.entry(gateway).or_default();
            match outcomes.get(index) {
                Some(Outcome::Duplicate) => counted.duplicate += 1,
                _ => counted.stored += 1,
            }
        }
        Ok(archived)
    }

    /// Makes dead letters of readings that the archive refused.
    fn take_refused(&self, stretch: &Stretch, rows: &[Row], refused: &[RefusedRow], archived: &mut Archived) {
        let Some(first) = refused.first() else { return };
        tracing::warn!(readings = refused.len(), why = %first.why, "the archive refuses readings; they are dead letters now");
        let mut withdrawn = Vec::with_capacity(refused.len());
        let mut dead: Vec<(Row, &str)> = Vec::new();
        for RefusedRow { index, why } in refused {
            let row = rows[*index];
            withdrawn.push(row);
            let pending = stretch.pending.get(&Version::of(&row)).copied();
            // A judgement is no reading, and what an earlier life of this process has accounted for is not counted again.
            if row.origin != Origin::Received || pending == Some(false) {
                continue;
            }
            let counted = archived.outcomes.entry(row.gateway).or_default();
            counted.refused += 1;
            counted.taken_back += u64::from(pending.is_none());
            counted.last_error = Some(format!("{}: {why}", Reason::RefusedByArchive));
            dead.push((row, why));
        }
        archived.refused = refused_letters(&dead, &self.names);
        let mut applier = self.applier.lock();
        self.window.withdraw(&withdrawn);
        let window = self.window.snapshot();
        let left: Vec<Row> = withdrawn
            .iter()
            .filter_map(|row| window.versions(row.key()).into_iter().max_by_key(Row::precedence))
            .collect();
        applier.judge.refresh(&left);
    }

    async fn settle(&self, stretch: &Stretch, rows: &mut [Row]) -> Result<Settlement, IngestError> {
        if !stretch.has_unsettled() {
            return Ok(Settlement::default());
        }
        let configs: HashMap<SeriesId, Arc<SeriesConfig>> = {
            let mut applier = self.applier.lock();
            let rejudged = stretch.rejudged.iter().map(|(series, _)| *series);
            let series = stretch.unassessed.iter().map(|key| key.series).chain(rejudged);
            series.map(|series| (series, applier.judge.config(series))).collect()
        };
        let (archive, window) = (self.archive.snapshot().await?, self.window.snapshot());
        let settler = Settler { archive: &*archive, window: &window, stretch, configs: &configs };
        Ok(settler.settle(rows).await?)
    }

    /// Shows in the window what the archive has been told of the quality of rows that both have.
    fn show_in_window(&self, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        let mut applier = self.applier.lock();
        let window = self.window.snapshot();
        let mut shown = Vec::with_capacity(rows.len());
        for row in rows {
            let versions = window.versions(row.key());
            let replaces = versions.iter().any(|known| known.seq == row.seq && known.origin == row.origin);
            let judges_winner = versions
                .iter()
                .max_by_key(|known| known.precedence())
                .is_some_and(|winner| winner.same_content(&row) && winner.precedence() <= row.precedence());
            if replaces || (row.origin == Origin::Requalified && judges_winner) {
                shown.push(row);
            }
        }
        applier.judge.refresh(&shown);
        self.window.insert(shown);
    }

    async fn commit_metadata(&self, stretch: &Stretch, archived: &Archived) -> Result<(), IngestError> {
        let gateways = stretch.gateways.iter().map(|(gateway, delta)| {
            let settled = archived.outcomes.get(gateway).cloned().unwrap_or_default();
            let mut counts = delta.counts;
            counts.stored = counts.stored.wrapping_add(settled.stored).wrapping_sub(settled.taken_back);
            counts.duplicate = counts.duplicate.wrapping_add(settled.duplicate);
            counts.dead = counts.dead.wrapping_add(settled.refused);
            GatewayRecord {
                gateway_id: self.names.gateways.id(*gateway),
                last_seen: delta.last_seen,
                counts,
                clock_offset_s: self.clocks.lock().offset_s(*gateway),
                clock_zone: None,
                last_error: settled.last_error.or_else(|| delta.last_error.clone()),
            }
        });
        let mut dirty: HashMap<(SeriesId, Month), Seq> = HashMap::new();
        for (series, month, seq) in stretch.dirty.iter().chain(&archived.dirty) {
            let known = dirty.entry((*series, *month)).or_insert(*seq);
            *known = (*seq).max(*known);
        }
        let dirty_months = dirty.into_iter().map(|((series, month), seq)| {
            let key = self.names.series.key(series);
            DirtyMonth { well_id: key.well, parameter: key.parameter, month, seq }
        });
        let contents = stretch.contents.iter().map(|(gateway, content_hash, seq)| ReceivedContent {
            gateway_id: self.names.gateways.id(*gateway),
            content_hash: *content_hash,
            seq: *seq,
        });
        let commit = IngestCommit {
            through: Some(stretch.through),
            gateways: gateways.collect(),
            dead_messages: stretch.dead_messages.iter().chain(&archived.refused).cloned().collect(),
            dirty_months: dirty_months.collect(),
            settled_dead_letters: stretch.settled.clone(),
            received_contents: contents.collect(),
            contents_forgotten_before: Some(stretch.through.received_at().plus_micros(-REMEMBERED_MICROS)),
            judged_series: Vec::new(),
        };
        // Whoever adds up metadata and ledger sees the stretch in exactly one of them.
        let _accounting = self.accounting.lock().await;
        if stretch.through > self.positions.lock().metadata {
            self.metadata.commit_ingest(commit).await?;
            self.positions.lock().metadata = stretch.through;
        }
        self.applier.lock().ledger.sealed.pop_front();
        for outcomes in archived.outcomes.values() {
            self.metrics.settle(outcomes.stored, outcomes.duplicate);
            self.metrics.refuse(outcomes.refused);
        }
        Ok(())
    }

    /// Frees what both consumers have.
    async fn let_go(&self) -> Result<(), IngestError> {
        let positions = *self.positions.lock();
        let cut = self.cut_through(positions.archive.min(positions.metadata));
        if let Some(last_known) = &self.last_known {
            last_known.write_positions(positions).map_err(IngestError::LastKnown)?;
        }
        let (window, journal) = (self.window.clone(), self.journal.clone());
        let eviction = blocking(move || {
            let eviction = window.evict(positions.archive);
            journal.truncate_through(cut).map(|()| eviction)
        })
        .await??;
        let ledger_bytes = self.applier.lock().ledger.memory_bytes();
        self.gate.held(Held { window_bytes: eviction.bytes, ledger_bytes });
        Ok(())
    }

    /// How much of what both consumers have the journal may give up: what they had a while ago, and everything once it fills
    /// up.
    fn cut_through(&self, reached: Seq) -> Seq {
        let keep = self.config.journal_kept_for;
        if keep.is_zero() || self.journal.bytes() > self.config.journal.bytes_max / 2 {
            return reached;
        }
        let mut archived_at = self.archived_at.lock();
        let now = Instant::now();
        archived_at.push_back((now, reached));
        let mut cut = Seq::ZERO;
        while let Some((_, seq)) = archived_at.front().filter(|(then, _)| now.duration_since(*then) >= keep) {
            cut = *seq;
            archived_at.pop_front();
        }
        cut
    }

    pub(crate) fn note_error(&self, error: &dyn std::error::Error) {
        *self.last_error.lock() = Some(chain(error));
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, IngestError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| IngestError::Broken)
}
