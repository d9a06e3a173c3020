//! Stored readings are judged anew when what they are judged by has changed: limits, what the registry knows of a well, what
//! a second look found, the rules of a new program.
//!
//! # Constraints
//! - The archive may be large: nothing is read into memory but a stretch of some series, nothing is written but what differs.
//! - The process may end at any moment, and the limits may change again meanwhile, back to what they were too.
//! - Live readings are not held up.
//!
//! # Rules
//! 1. The metadata keep for every series a fingerprint of the limits under which its stored readings were judged
//!    ([`JudgedSeries`]). Before a reading that was judged by others gets into the archive, the series is noted as under way.
//!    It is done once everything that the archive has of it was looked at and nothing changed for it meanwhile. A series for
//!    which something changed is looked at again from the start, by the next pass; for the others, what was looked at stays
//!    looked at, however often findings come in: else a second look over a country would let no pass come to its end.
//! 2. A series is looked through in one snapshot of the archive, by a stream of its own; some neighbours together, as a file of
//!    the archive holds many series and is not to be opened for each. Months in which a judgement differs
//!    are handed to the applier with a mark of the journal: it judges the window's part as it does for late readings, and the
//!    archive writer the archive's part with the stretch of the journal that the mark is in. So a new judgement is a version
//!    with a seq of its own, in one commit with what else that stretch holds, and what comes in meanwhile is judged after it.
//! 3. Of a series that was under way before, readings that came since may be judgements of a life that ended before it
//!    marked their months: these are marked again.
//! 4. Of several nodes one judges anew, after the others had time to take the new limits up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gwbank_model::{Month, Parameter, Row, Seq, SeriesId, SeriesKey, Timestamp, WellId};
use gwbank_quality::{Assessment, SeriesConfig, Stream};
use gwbank_store::{DirtyMonth, IngestCommit, JudgedSeries};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::IngestError;
use crate::context::Span;
use crate::judge::{Basis, differs, point};
use crate::pipeline::Shared;
use crate::writer::chain;

/// Readings that one commit judges anew, about.
const ROWS_AT_ONCE: usize = 50_000;
/// Readings of one series in a span: a part of that.
const SPAN_ROWS_MAX: usize = 20_000;
/// Series of which the differing spans are known at once. Together they go by months, as the archive's files do.
const SERIES_AT_ONCE: usize = 500;
/// Series that are looked through together.
const SERIES_READ_AT_ONCE: usize = 32;
/// Readings that are read at once, about: a span of time that gives more is followed by a shorter one.
const READ_ROWS: usize = 200_000;
const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;
/// A month, as the archive's files are. It bounds what is read where seldom readings are followed by dense ones: of one a minute
/// 1.4 million. The first stretch is a day, of series that may report every second.
const READ_DAYS_MAX: i64 = 31;

/// After a failure, which mostly is a store that is away.
const RETRY: Duration = Duration::from_secs(30);
/// For series that are new since: what came of them need not be looked at after the next start.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// What another node has noted, or left when it ended, is seen then.
const LOOK_BESIDE_OTHERS: Duration = Duration::from_secs(60);
/// Other nodes look for new limits every second, and archive then what they judged by the old ones.
const BESIDE_OTHERS: Duration = Duration::from_secs(10);

/// How far it is, in series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejudgeProgress {
    pub done: u64,
    pub total: u64,
}

/// The state of it in this process.
#[derive(Debug, Default)]
pub(crate) struct Rejudgement {
    /// How often what is judged by has changed since the start.
    generation: AtomicU64,
    /// Of readings judged by an earlier generation everything is archived.
    archived_generation: AtomicU64,
    /// What changed since the pass that is under way began.
    changed_meanwhile: Mutex<Changed>,
    /// Series that this process judges otherwise than an earlier one are noted.
    start_is_noted: AtomicBool,
    /// Held from where a change is noted to where it is taken up, and while series are called done.
    changing: Arc<tokio::sync::Mutex<()>>,
    wanted: Notify,
    progress: Mutex<Option<RejudgeProgress>>,
}

/// Series that are judged by something else than they were.
#[derive(Debug)]
struct Changed {
    series: HashSet<SeriesId>,
    /// Series with numbers from here on were not compared, and may be.
    compared: usize,
}

impl Changed {
    fn add(&mut self, series: &[SeriesId], compared: usize) {
        self.series.extend(series);
        self.compared = self.compared.min(compared);
    }

    fn may_have(&self, series: SeriesId) -> bool {
        series.0 as usize >= self.compared || self.series.contains(&series)
    }
}

impl Default for Changed {
    fn default() -> Self {
        Self { series: HashSet::new(), compared: usize::MAX }
    }
}

impl Rejudgement {
    /// Begins a pass; gives the generation that it is of.
    async fn begin(&self) -> u64 {
        let _unchanging = self.changing.lock().await;
        *self.changed_meanwhile.lock() = Changed::default();
        self.generation()
    }

    pub(crate) fn progress(&self) -> Option<RejudgeProgress> {
        *self.progress.lock()
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

/// What series are to be judged by from now on.
pub(crate) struct NextBasis {
    basis: Basis,
    changed: Vec<SeriesId>,
    /// Numbers of series below this were compared.
    compared: usize,
    _changing: tokio::sync::OwnedMutexGuard<()>,
}

impl Shared {
    /// Notes the series that another basis judges otherwise. The caller holds `administration` until it is taken up.
    pub(crate) async fn prepare_basis(&self, change: impl FnOnce(&mut Basis)) -> Result<NextBasis, IngestError> {
        let _changing = self.rejudgement.changing.clone().lock_owned().await;
        let present = self.applier.lock().judge.basis().clone();
        let mut basis = present.clone();
        change(&mut basis);
        let compared = basis.names.len();
        let mut changed = Vec::new();
        let mut fingerprints = Vec::new();
        for series in (0..compared as u32).map(SeriesId) {
            let config = basis.config(series);
            if config != present.config(series) {
                changed.push(series);
                fingerprints.push((series, config.fingerprint()));
            }
        }
        if !fingerprints.is_empty() {
            let known = self.judged().await?;
            self.note_under_way(&known, fingerprints).await?;
        }
        Ok(NextBasis { basis, changed, compared, _changing })
    }

    pub(crate) fn take_up_basis(&self, next: NextBasis) {
        let NextBasis { basis, changed, compared, _changing } = next;
        self.applier.lock().judge.set_basis(basis, &changed, compared);
        self.rejudgement.changed_meanwhile.lock().add(&changed, compared);
        if !changed.is_empty() {
            self.rejudgement.generation.fetch_add(1, Ordering::SeqCst);
            self.rejudgement.wanted.notify_one();
        }
    }

    /// Before the first commit: notes the series that an earlier process judged by something else.
    pub(crate) async fn note_start(&self) -> Result<(), IngestError> {
        if self.rejudgement.start_is_noted.load(Ordering::SeqCst) {
            return Ok(());
        }
        let known = self.judged().await?;
        let names = &self.names.series;
        let mut otherwise = Vec::new();
        for series in known.0.values().filter(|series| series.under_way_since.is_none()) {
            let Some(id) = names.get(series.well_id.as_str(), series.parameter) else { continue };
            let fingerprint = self.series_config(id).fingerprint();
            if fingerprint != series.fingerprint {
                otherwise.push((id, fingerprint));
            }
        }
        self.note_under_way(&known, otherwise).await?;
        self.rejudgement.start_is_noted.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn series_config(&self, series: SeriesId) -> Arc<SeriesConfig> {
        self.applier.lock().judge.config(series)
    }

    async fn judged(&self) -> Result<Judged, IngestError> {
        let judged = self.metadata.judged_series().await?;
        Ok(Judged(judged.into_iter().map(|series| ((series.well_id.clone(), series.parameter), series)).collect()))
    }

    async fn note_under_way(&self, known: &Judged, series: Vec<(SeriesId, u64)>) -> Result<(), IngestError> {
        let now = self.applier.lock().applied();
        let since = |series| known.under_way_since(&self.names.series.key(series)).or(Some(now));
        self.note_judged(series.into_iter().map(|(series, fingerprint)| (series, fingerprint, since(series)))).await
    }

    async fn note_judged(&self, series: impl Iterator<Item = (SeriesId, u64, Option<Seq>)>) -> Result<(), IngestError> {
        let judged_series: Vec<JudgedSeries> = series
            .map(|(series, fingerprint, under_way_since)| {
                let key = self.names.series.key(series);
                JudgedSeries { well_id: key.well, parameter: key.parameter, fingerprint, under_way_since }
            })
            .collect();
        if judged_series.is_empty() {
            return Ok(());
        }
        Ok(self.metadata.commit_ingest(IngestCommit { judged_series, ..IngestCommit::default() }).await?)
    }
}

/// What the metadata say of series.
struct Judged(HashMap<(WellId, Parameter), JudgedSeries>);

impl Judged {
    fn of(&self, key: &SeriesKey) -> Option<&JudgedSeries> {
        self.0.get(&(key.well.clone(), key.parameter))
    }

    fn under_way_since(&self, key: &SeriesKey) -> Option<Seq> {
        self.of(key)?.under_way_since
    }
}

/// Runs until cancelled.
pub(crate) async fn run(shared: Arc<Shared>, cancelled: CancellationToken) {
    loop {
        let wait = match shared.rejudge_stored().await {
            Ok(()) => {
                *shared.rejudgement.progress.lock() = None;
                if shared.has_other_nodes.load(Ordering::SeqCst) { LOOK_BESIDE_OTHERS } else { LOOK_AGAIN }
            }
            Err(IngestError::Closed) => return,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "stored readings cannot be judged anew now; trying again");
                RETRY
            }
        };
        tokio::select! {
            () = cancelled.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = shared.rejudgement.wanted.notified() => {}
        }
    }
}

/// A series that is due.
struct Due {
    series: SeriesId,
    config: Arc<SeriesConfig>,
    under_way_since: Option<Seq>,
}

impl Shared {
    /// Looks at every series that the metadata do not call judged by what holds now.
    async fn rejudge_stored(&self) -> Result<(), IngestError> {
        if self.metadata.lead().await?.is_none() {
            return Ok(());
        }
        let generation = self.rejudgement.begin().await;
        if self.rejudgement.archived_generation.load(Ordering::SeqCst) < generation {
            if self.has_other_nodes.load(Ordering::SeqCst) {
                tokio::time::sleep(BESIDE_OTHERS).await;
            }
            self.flush().await?;
            self.rejudgement.archived_generation.store(generation, Ordering::SeqCst);
        }
        // A snapshot gives names to all series that it has.
        drop(self.archive.snapshot().await?);
        let known = self.judged().await?;
        let due = self.due(&known);
        let total = due.len() as u64;
        if total > 0 {
            tracing::info!(series = total, "looking whether stored readings are judged as limits are now");
        }
        let (mut done, mut changed) = (0, 0);
        for group in due.chunks(SERIES_AT_ONCE) {
            *self.rejudgement.progress.lock() = Some(RejudgeProgress { done, total });
            changed += self.rejudge_group(group, &known).await?;
            let _unchanging = self.rejudgement.changing.lock().await;
            let judged: Vec<_> = {
                let changed = self.rejudgement.changed_meanwhile.lock();
                let unchanged = group.iter().filter(|due| !changed.may_have(due.series));
                unchanged.map(|due| (due.series, due.config.fingerprint(), None)).collect()
            };
            self.note_judged(judged.into_iter()).await?;
            if self.rejudgement.generation() != generation {
                return Ok(()); // what is left, and what changed, is for the next pass, which is wanted
            }
            done += group.len() as u64;
        }
        if changed > 0 {
            tracing::info!(series = total, readings = changed, "stored readings are judged anew");
        }
        Ok(())
    }

    fn due(&self, known: &Judged) -> Vec<Due> {
        let keys = self.names.series.keys();
        let mut due = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            let series = SeriesId(number as u32);
            let config = self.series_config(series);
            let judged = known.of(key);
            let under_way_since = judged.and_then(|judged| judged.under_way_since);
            let is_done = judged.is_some_and(|judged| judged.fingerprint == config.fingerprint());
            if !is_done || under_way_since.is_some() {
                due.push(Due { series, config, under_way_since });
            }
        }
        // As the archive's files have them.
        due.sort_by_cached_key(|due| {
            let SeriesKey { well, parameter } = self.names.series.key(due.series);
            (well, parameter)
        });
        due
    }

    /// Gives how many readings are judged otherwise now.
    async fn rejudge_group(&self, group: &[Due], known: &Judged) -> Result<u64, IngestError> {
        let mut spans: Vec<DifferingSpan> = Vec::new();
        let mut under_way: Vec<(SeriesId, u64)> = Vec::new();
        let mut unmarked: Vec<DirtyMonth> = Vec::new();
        let mut looked = Vec::with_capacity(group.len());
        for neighbours in group.chunks(SERIES_READ_AT_ONCE) {
            looked.append(&mut self.look_through(neighbours).await?);
            if let Some(progress) = self.rejudgement.progress.lock().as_mut() {
                progress.done += neighbours.len() as u64;
            }
        }
        for (due, found) in group.iter().zip(looked) {
            if !found.spans.is_empty() && due.under_way_since.is_none() {
                under_way.push((due.series, due.config.fingerprint()));
            }
            let key = self.names.series.key(due.series);
            unmarked.extend(found.unmarked.into_iter().map(|(month, seq)| DirtyMonth {
                well_id: key.well.clone(),
                parameter: key.parameter,
                month,
                seq,
            }));
            spans.extend(found.spans);
        }
        if !unmarked.is_empty() {
            let commit = IngestCommit { dirty_months: unmarked, ..IngestCommit::default() };
            self.metadata.commit_ingest(commit).await?;
        }
        self.note_under_way(known, under_way).await?;
        spans.sort_unstable_by_key(|found| (found.span.from, found.series));
        let changed = spans.iter().map(|found| found.differing).sum();
        for batch in batches(spans) {
            self.rejudge(batch).await?;
            self.flush().await?;
        }
        Ok(changed)
    }

    /// Where the stored readings of some series are judged otherwise than they would be now; in their order.
    async fn look_through(&self, due: &[Due]) -> Result<Vec<Found>, IngestError> {
        let archive = self.archive.snapshot().await?;
        let offset = self.config.calendar_offset_seconds;
        let mut looks: HashMap<SeriesId, Look> = due.iter().map(|due| (due.series, Look::new(due, offset))).collect();
        let series: Vec<SeriesId> = due.iter().map(|due| due.series).collect();
        // Of nothing: there is no stretch to look at.
        let (earliest, latest) = archive.time_range().unwrap_or((Timestamp::MAX, Timestamp::MIN));
        let mut days = 1;
        let mut from = earliest;
        while from <= latest {
            // Within a calendar month, so that where there is little each file is read once.
            let to = from.plus_micros(days * DAY_MICROS).min(from.month(0).plus(1).start(0));
            let rows = archive.rows_of_series(&series, from, to).await?;
            for row in &rows {
                if let Some(look) = looks.get_mut(&row.series) {
                    look.at(row);
                }
            }
            if rows.len() > READ_ROWS {
                days = (days / 2).max(1);
            } else if rows.len() < READ_ROWS / 4 {
                days = (days * 2).min(READ_DAYS_MAX);
            }
            from = to;
            // The whole of a large archive goes by here, between the messages of others.
            tokio::task::yield_now().await;
        }
        Ok(series.iter().map(|series| looks.remove(series).map(Look::finish).unwrap_or_default()).collect())
    }
}

/// A stretch of a series in which some readings are judged otherwise.
#[derive(Debug, Clone, PartialEq)]
struct DifferingSpan {
    series: SeriesId,
    span: Span,
    rows: usize,
    differing: u64,
}

/// What was found in a series.
#[derive(Debug, Default)]
struct Found {
    spans: Vec<DifferingSpan>,
    /// Months that may lack their mark.
    unmarked: BTreeMap<Month, Seq>,
}

/// One pass over a series in order of time.
struct Look {
    series: SeriesId,
    stream: Stream,
    /// The last reading, whose judgement the next one may change.
    held: Option<(Row, Assessment)>,
    since: Option<Seq>,
    offset_seconds: i32,
    found: Found,
}

impl Look {
    fn new(due: &Due, offset_seconds: i32) -> Self {
        let stream = Stream::new(due.config.clone());
        let (series, since) = (due.series, due.under_way_since);
        Self { series, stream, held: None, since, offset_seconds, found: Found::default() }
    }

    fn at(&mut self, row: &Row) {
        let pushed = self.stream.push(point(row));
        if let Some((before, assessment)) = self.held.replace((*row, pushed.new)) {
            self.compare(&before, pushed.previous.unwrap_or(assessment));
        }
    }

    fn finish(mut self) -> Found {
        if let Some((row, assessment)) = self.held.take() {
            self.compare(&row, assessment);
        }
        self.found
    }

    fn compare(&mut self, row: &Row, assessment: Assessment) {
        let month = row.time.month(self.offset_seconds);
        if self.since.is_some_and(|since| row.seq > since) {
            let mark = self.found.unmarked.entry(month).or_insert(row.seq);
            *mark = row.seq.max(*mark);
        }
        let differs = differs(row, assessment);
        let open = self
            .found
            .spans
            .last_mut()
            .filter(|found| found.rows < SPAN_ROWS_MAX && found.span.from.month(self.offset_seconds) == month);
        match open {
            Some(found) => {
                found.rows += 1;
                if differs {
                    found.span.to = row.time;
                    found.differing += 1;
                }
            }
            None if differs => {
                let span = Span { from: row.time, to: row.time };
                self.found.spans.push(DifferingSpan { series: self.series, span, rows: 1, differing: 1 });
            }
            None => {}
        }
    }
}

/// Spans that are judged in one commit.
fn batches(spans: Vec<DifferingSpan>) -> Vec<Vec<(SeriesId, Span)>> {
    let mut batches = Vec::new();
    let mut rows = usize::MAX;
    for DifferingSpan { series, span, rows: of_span, .. } in spans {
        if rows >= ROWS_AT_ONCE {
            batches.push(Vec::new());
            rows = 0;
        }
        rows += of_span;
        if let Some(batch) = batches.last_mut() {
            batch.push((series, span));
        }
    }
    batches
}
