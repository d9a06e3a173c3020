//! The pipeline: one message in, one receipt out, durable and queryable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gwbank_journal::{Entry, FsyncStats, Journal};
use gwbank_model::{GatewayId, Reading, Seq, SeriesId, Timestamp};
use gwbank_recent::Window;
use gwbank_registry::Registry;
use gwbank_runtime::Clock;
use gwbank_store::{Archive, EffectiveLimit, GatewayCounts, Metadata, Reviews, RowNames};
use gwbank_wire::{Decoded, Fault, SourceKind, decode, write_json};
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::IngestError;
use crate::applier::{Applier, Effect, Positions, Reply};
use crate::changes::{LevelChanges, Publisher, SensorChanges};
use crate::clock_offset::ClockOffsets;
use crate::config::PipelineConfig;
use crate::context::Span;
use crate::fault::undecoded;
use crate::gate::Gate;
use crate::last_known::LastKnown;
use crate::ledger::{GatewayDelta, Stretch};
use crate::message::{GatewayRow, Message, MessageContent, Receipt};
use crate::metrics::{IngestMetrics, Metrics};
use crate::quality_limits::Limits;
use crate::record::{Content, encode_mark, encode_message, encode_seal};
use crate::rejudge::{RejudgeProgress, Rejudgement};
use crate::repeats::{Repeats, content_hash, take_unknown_wells};
use crate::resolve::{
    Rows, depends_on_arrival, is_impossible, keep_registered, newest_by_device, rows, take_impossible,
};
use crate::writer::Committing;

/// What a pipeline works with.
#[derive(Debug, Clone)]
pub struct PipelineParts {
    pub archive: Arc<dyn Archive>,
    pub metadata: Arc<dyn Metadata>,
    /// The same tables that the archive was given.
    pub names: RowNames,
    pub clock: Arc<dyn Clock>,
}

/// The pipeline of this process; clones are handles to it.
#[derive(Debug, Clone)]
pub struct Pipeline(Arc<Handle>);

#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cancelled: CancellationToken,
    pub(crate) writer: Mutex<Option<tokio::task::JoinHandle<()>>>,
    pub(crate) rejudge: Mutex<Option<tokio::task::JoinHandle<()>>>,
    pub(crate) applier: Mutex<Option<JoinHandle<()>>>,
}

/// What the handles, the applier's thread and the writer's task have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: PipelineConfig,
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) names: RowNames,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) window: Window,
    pub(crate) journal: Journal<Effect>,
    pub(crate) applier: Arc<Mutex<Applier>>,
    pub(crate) repeats: Arc<Mutex<Repeats>>,
    pub(crate) clocks: Mutex<ClockOffsets>,
    pub(crate) registry: watch::Sender<Arc<Registry>>,
    /// The same, for one look per message.
    pub(crate) present_registry: RwLock<Arc<Registry>>,
    pub(crate) listeners: Arc<Publisher>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) positions: Mutex<Positions>,
    /// Whether archive and metadata have said themselves where they stand.
    pub(crate) verified: AtomicBool,
    pub(crate) registry_version: Mutex<Seq>,
    /// Others write to archive and metadata: what they take in is not in this window.
    pub(crate) has_other_nodes: AtomicBool,
    /// The stored limits of quality, with those of the configuration.
    pub(crate) limits: Mutex<Arc<Limits>>,
    /// The same, for whoever shows them.
    pub(crate) effective_limits: watch::Sender<Arc<Vec<EffectiveLimit>>>,
    pub(crate) reviews: watch::Sender<Arc<Reviews>>,
    pub(crate) rejudgement: Rejudgement,
    pub(crate) last_known: Option<LastKnown>,
    /// Up to where both consumers were at which time, oldest first: what the journal may be cut by.
    pub(crate) archived_at: Mutex<VecDeque<(Instant, Seq)>>,
    pub(crate) committing: tokio::sync::Mutex<Committing>,
    /// Held while a stretch moves from the ledger into the metadata.
    pub(crate) accounting: tokio::sync::Mutex<()>,
    /// One change of the registry, one replay of dead letters at a time.
    pub(crate) administration: tokio::sync::Mutex<()>,
    pub(crate) flush_wanted: Arc<tokio::sync::Notify>,
    pub(crate) last_error: Mutex<Option<String>>,
    pub(crate) closed: AtomicBool,
}

/// The configuration's name of the bound of the journal.
const JOURNAL_LIMIT: &str = "journal.bytes_max";
/// In the place of a bound's name.
const DISK_LIMIT: &str = "the end of the disk";

/// How long the archive waits for a seal to be journaled, which takes a sync and what is waiting before it.
const SEAL_WAIT: Duration = Duration::from_secs(2);

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Taken(oneshot::Receiver<Receipt>);

impl Taken {
    pub(crate) async fn receipt(self) -> Result<Receipt, IngestError> {
        self.0.await.map_err(|_| IngestError::Closed)
    }
}

/// How the pipeline is, for `/readyz`, metrics and `gwbank doctor`.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineStatus {
    pub journal_bytes: u64,
    /// Sources wait: the bound of the configuration that is reached.
    pub limit_reached: Option<&'static str>,
    /// Memory of what is not accounted for yet, beside the window.
    pub ledger_bytes: usize,
    pub window_bytes: usize,
    pub window_rows: usize,
    pub covers_from: Timestamp,
    /// Durable, applied and not yet archived.
    pub unarchived_rows: u64,
    pub pending: u64,
    pub applied_through: Seq,
    pub archived_through: Seq,
    pub accounted_through: Seq,
    /// Stored readings are being judged anew, as their limits changed.
    pub rejudgement: Option<RejudgeProgress>,
    /// Why archive or metadata could not take what is due; `None` when the last attempt succeeded.
    pub last_error: Option<String>,
    pub fsync: FsyncStats,
}

/// What readings that come without a message are filed under.
#[derive(Debug, Clone)]
pub struct ReadingsOptions {
    pub topic: String,
    pub source: SourceKind,
}

impl Default for ReadingsOptions {
    fn default() -> Self {
        Self { topic: "import".to_owned(), source: SourceKind::Import }
    }
}

impl Pipeline {
    pub(crate) fn from_handle(handle: Handle) -> Self {
        Self(Arc::new(handle))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Takes a message; returns when it is durable and applied. While a bound is reached it waits.
    pub async fn ingest(&self, message: Message) -> Result<Receipt, IngestError> {
        self.0.shared.gate.opened().await;
        self.0.shared.ingest(message).await
    }

    /// As [`Self::ingest`], but refuses with [`IngestError::Full`] instead of waiting for a bound.
    pub async fn try_ingest(&self, message: Message) -> Result<Receipt, IngestError> {
        self.0.shared.refuse_when_full()?;
        self.0.shared.ingest(message).await
    }

    /// Hands a message over; it is durable and applied once [`Taken::receipt`] resolves. Messages that begin one after
    /// the other are applied in that order.
    pub(crate) async fn begin(&self, message: Message) -> Result<Taken, IngestError> {
        self.0.shared.gate.opened().await;
        self.0.shared.begin(message).await
    }

    /// Takes readings that were read from something else than a message, such as an imported file. Values that are no finite
    /// numbers end as dead letters, as those of messages do.
    pub async fn ingest_readings(
        &self,
        gateway: &GatewayId,
        mut readings: Vec<Reading>,
        options: ReadingsOptions,
    ) -> Result<Receipt, IngestError> {
        let shared = &self.0.shared;
        shared.gate.opened().await;
        let registry = shared.registry();
        let is_dead = |reading: &&Reading| registry.well(reading.well.as_str()).is_none() || is_impossible(reading);
        let dead: Vec<Reading> = readings.iter().filter(is_dead).cloned().collect();
        let payload = (!dead.is_empty()).then(|| Bytes::from(write_json(&dead)));
        let impossible = take_impossible(&mut readings);
        let content = keep_registered(readings, impossible, &registry);
        shared.submit(gateway, options.topic, content, payload).await
    }

    /// Archives what is applied by now, at once.
    pub async fn flush(&self) -> Result<(), IngestError> {
        self.0.shared.flush().await
    }

    /// Brings the dead letters of what is applied by now into the metadata. That takes a flush, so nothing is done where
    /// there is none on the way: a table that is asked for every second may not write as often.
    pub async fn account_dead_letters(&self) -> Result<(), IngestError> {
        let on_their_way = self.0.shared.applier.lock().ledger.stretches().any(Stretch::has_dead_letters);
        if on_their_way { self.0.shared.flush().await } else { Ok(()) }
    }

    pub fn window(&self) -> Window {
        self.0.shared.window.clone()
    }

    pub fn names(&self) -> &RowNames {
        &self.0.shared.names
    }

    pub fn registry(&self) -> Arc<Registry> {
        self.0.shared.registry()
    }

    pub fn registry_watch(&self) -> watch::Receiver<Arc<Registry>> {
        self.0.shared.registry.subscribe()
    }

    /// The limits of the quality tests as they hold.
    pub fn quality_limits(&self) -> watch::Receiver<Arc<Vec<EffectiveLimit>>> {
        self.0.shared.effective_limits.subscribe()
    }

    pub fn metadata(&self) -> Arc<dyn Metadata> {
        self.0.shared.metadata.clone()
    }

    /// Wells whose levels change from now on.
    pub fn level_changes(&self) -> LevelChanges {
        self.0.shared.listeners.listen_to_levels(self.0.shared.names.series.clone())
    }

    /// Series from which levels are converted, as they change from now on.
    pub fn sensor_changes(&self) -> SensorChanges {
        let shared = &self.0.shared;
        shared.listeners.listen_to_sensors(shared.names.series.clone(), shared.applier.clone())
    }

    /// Counts of all gateways as of now: metadata and what is not yet accounted for there.
    pub async fn gateways(&self) -> Result<Vec<GatewayRow>, IngestError> {
        self.0.shared.gateways().await
    }

    pub fn metrics(&self) -> IngestMetrics {
        self.0.shared.metrics.read()
    }

    pub fn status(&self) -> PipelineStatus {
        self.0.shared.status()
    }

    /// Whether a message would have to wait now.
    pub fn is_holding(&self) -> bool {
        self.0.shared.gate.is_closed() || self.0.shared.journal.is_full()
    }

    /// Takes in nothing more, applies and archives what was taken in, and ends. What cannot be archived now stays in the
    /// journal for the next start. The sources are to be stopped before.
    pub async fn shutdown(self) -> Result<(), IngestError> {
        self.stop().await?;
        self.0.shared.flush().await
    }

    /// Ends at once, without archiving: what a crash would leave behind, but for what was in flight.
    pub async fn halt(self) -> Result<(), IngestError> {
        self.stop().await
    }

    async fn stop(&self) -> Result<(), IngestError> {
        let Handle { shared, cancelled, writer, rejudge, applier } = &*self.0;
        shared.closed.store(true, Ordering::SeqCst);
        shared.gate.release();
        cancelled.cancel();
        let tasks = [writer.lock().take(), rejudge.lock().take()];
        for task in tasks.into_iter().flatten() {
            task.abort();
            // Cancelled or ended by itself: both are what was asked for.
            let _ = task.await;
        }
        let (journal, applier) = (shared.journal.clone(), applier.lock().take());
        let stopped = tokio::task::spawn_blocking(move || {
            journal.close();
            applier.map_or(Ok(()), JoinHandle::join)
        });
        match stopped.await {
            Ok(Ok(())) => Ok(()),
            _ => Err(IngestError::Broken),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.cancelled.cancel();
        self.shared.gate.release();
        for task in [self.writer.lock().take(), self.rejudge.lock().take()].into_iter().flatten() {
            task.abort();
        }
    }
}

impl Shared {
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.present_registry.read().clone()
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros())
    }

    pub(crate) fn refuse_when_full(&self) -> Result<(), IngestError> {
        self.limit_reached().map_or(Ok(()), |limit| Err(IngestError::Full { limit }))
    }

    fn limit_reached(&self) -> Option<&'static str> {
        let of_journal = || {
            let name = if self.journal.is_disk_full() { DISK_LIMIT } else { JOURNAL_LIMIT };
            self.journal.is_full().then_some(name)
        };
        self.gate.limit().or_else(of_journal)
    }

    async fn ingest(&self, message: Message) -> Result<Receipt, IngestError> {
        let started = std::time::Instant::now();
        let receipt = self.begin(message).await?.receipt().await?;
        self.metrics.acknowledged(started.elapsed());
        Ok(receipt)
    }

    async fn begin(&self, message: Message) -> Result<Taken, IngestError> {
        let Message { gateway, topic, content, source } = message;
        let (content, payload) = self.understand(&gateway, &topic, content, source);
        self.hand_over(&gateway, topic, content, payload).await
    }

    /// Decodes and resolves; the payload comes back where something of it is at fault.
    fn understand(
        &self,
        gateway: &GatewayId,
        topic: &str,
        content: MessageContent,
        source: SourceKind,
    ) -> (Content, Option<Bytes>) {
        let (format, payload) = match content {
            MessageContent::Payload { format, payload } => (format, payload),
            MessageContent::Undecoded { payload, reason, detail } => {
                let faults = vec![undecoded(reason, topic, detail)];
                return (Content { faults, ..Content::default() }, Some(payload));
            }
        };
        let now = self.now();
        let decoded = decode(format, &payload, &self.config.decode.context(gateway, source, now));
        if source == SourceKind::Live {
            self.note_clock(gateway, now, &decoded);
        }
        let known_by_content = depends_on_arrival(&decoded.readings);
        let mut content = keep_registered(decoded.readings, decoded.faults, &self.registry());
        if known_by_content {
            let hash = content_hash(&payload);
            content.content_hash = Some(hash);
            let gateway = self.names.gateways.intern(gateway);
            if self.repeats.lock().knows(gateway, hash, now) {
                content.duplicates += content.readings.len() as u64 + take_unknown_wells(&mut content.faults);
                content.readings.clear();
            }
        }
        let at_fault = !content.faults.is_empty();
        (content, at_fault.then_some(payload))
    }

    /// What a live message shows of its gateway's clock, whether or not its readings could be stored.
    fn note_clock(&self, gateway: &GatewayId, now: Timestamp, decoded: &Decoded) {
        let stored = newest_by_device(&decoded.readings).map(|time| time.micros_since(now));
        if let Some(ahead_micros) = stored.max(decoded.clock_ahead_micros) {
            let gateway = self.names.gateways.intern(gateway);
            self.clocks.lock().observe(gateway, now, ahead_micros);
        }
    }

    /// Journals a message and waits until it is applied.
    pub(crate) async fn submit(
        &self,
        gateway: &GatewayId,
        topic: String,
        content: Content,
        payload: Option<Bytes>,
    ) -> Result<Receipt, IngestError> {
        self.hand_over(gateway, topic, content, payload).await?.receipt().await
    }

    /// Hands a message to the journal; messages handed over one after the other are applied in that order.
    async fn hand_over(
        &self,
        gateway: &GatewayId,
        topic: String,
        content: Content,
        payload: Option<Bytes>,
    ) -> Result<Taken, IngestError> {
        let (sender, receiver) = oneshot::channel();
        let index = self.names.gateways.intern(gateway);
        let rows = rows(&content.readings, &self.names, index);
        let record = encode_message(gateway.as_str(), &topic, &content, payload.as_deref());
        let Content { readings: _, faults, duplicates, content_hash, settled } = content;
        let effect = Effect {
            gateway: Some(index),
            topic,
            rows,
            faults,
            payload,
            duplicates,
            content_hash,
            settled,
            rejudged: Vec::new(),
            seals: false,
            reply: Reply::Receipt(sender),
        };
        self.append(record, effect).await?;
        Ok(Taken(receiver))
    }

    /// A fresh sequence, after everything that was durable when it was asked for.
    pub(crate) async fn mark(&self) -> Result<Seq, IngestError> {
        let (sender, receiver) = oneshot::channel();
        self.append(encode_mark(), Effect::mark(Reply::Seq(sender))).await?;
        receiver.await.map_err(|_| IngestError::Closed)
    }

    /// Has spans judged anew, in their place in the order of the journal.
    pub(crate) async fn rejudge(&self, rejudged: Vec<(SeriesId, Span)>) -> Result<(), IngestError> {
        let (sender, receiver) = oneshot::channel();
        self.append(encode_mark(), Effect { rejudged, ..Effect::mark(Reply::Seq(sender)) }).await?;
        receiver.await.map(drop).map_err(|_| IngestError::Closed)
    }

    /// Ends the open stretch, with a record, so that a replay ends it there too. Where the journal cannot take one, because
    /// it or its disk is full or it is closing, the stretch ends all the same: what is archived then makes room.
    pub(crate) async fn seal(&self) {
        if self.applier.lock().ledger.open.is_empty() {
            return;
        }
        let recorded = async {
            let (sender, receiver) = oneshot::channel();
            let appended = self.append(encode_seal(), Effect::seal(Reply::Seq(sender))).await.is_ok();
            appended && receiver.await.is_ok()
        };
        let recorded = !self.journal.is_full() && tokio::time::timeout(SEAL_WAIT, recorded).await.unwrap_or(false);
        if !recorded {
            self.applier.lock().seal();
        }
    }

    async fn append(&self, payload: Vec<u8>, effect: Effect) -> Result<(), IngestError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(IngestError::Closed);
        }
        let seq_count = effect.rows.seq_count();
        Ok(self.journal.append(Entry { payload, seq_count, attachment: effect }).await?)
    }

    async fn gateways(&self) -> Result<Vec<GatewayRow>, IngestError> {
        let (known, added) = {
            let _accounting = self.accounting.lock().await;
            let known = self.metadata.gateways().await?;
            (known, self.unaccounted())
        };
        let mut gateways: std::collections::BTreeMap<GatewayId, GatewayRow> = known
            .into_iter()
            .map(|record| {
                let row = GatewayRow {
                    gateway_id: record.gateway_id.clone(),
                    last_seen: record.last_seen,
                    counts: record.counts,
                    pending: 0,
                    clock_offset_s: record.clock_offset_s,
                    clock_zone: record.clock_zone,
                    last_error: record.last_error,
                };
                (record.gateway_id, row)
            })
            .collect();
        for (gateway, delta) in added {
            let gateway_id = self.names.gateways.id(gateway);
            let row = gateways.entry(gateway_id.clone()).or_insert_with(|| GatewayRow {
                gateway_id,
                last_seen: None,
                counts: GatewayCounts::default(),
                pending: 0,
                clock_offset_s: None,
                clock_zone: None,
                last_error: None,
            });
            row.counts.received = row.counts.received.wrapping_add(delta.counts.received);
            row.counts.stored = row.counts.stored.wrapping_add(delta.counts.stored);
            row.counts.duplicate = row.counts.duplicate.wrapping_add(delta.counts.duplicate);
            row.counts.dead = row.counts.dead.wrapping_add(delta.counts.dead);
            row.pending += delta.pending;
            row.last_seen = row.last_seen.max(delta.last_seen);
            row.last_error = delta.last_error.or(row.last_error.take());
            row.clock_offset_s = self.clocks.lock().offset_s(gateway).or(row.clock_offset_s);
        }
        for row in gateways.values_mut() {
            let zone = self.config.decode.clock_zones.get(&row.gateway_id);
            row.clock_zone = zone.map(|seconds| zone_name(*seconds)).or(row.clock_zone.take());
        }
        Ok(gateways.into_values().collect())
    }

    /// What the ledger adds to each gateway.
    fn unaccounted(&self) -> HashMap<gwbank_model::GatewayIndex, GatewayDelta> {
        let applier = self.applier.lock();
        let mut sums: HashMap<gwbank_model::GatewayIndex, GatewayDelta> = HashMap::new();
        for stretch in applier.ledger.stretches() {
            for (gateway, delta) in &stretch.gateways {
                sums.entry(*gateway).or_default().merge(delta);
            }
        }
        sums
    }

    fn status(&self) -> PipelineStatus {
        let (unarchived_rows, pending, applied_through, ledger_bytes) = {
            let applier = self.applier.lock();
            let pending = applier.ledger.stretches().map(|stretch| stretch.pending_count()).sum();
            (applier.ledger.unarchived_rows(), pending, applier.applied(), applier.ledger.memory_bytes())
        };
        let window = self.window.snapshot();
        let positions = *self.positions.lock();
        PipelineStatus {
            journal_bytes: self.journal.bytes(),
            limit_reached: self.limit_reached(),
            ledger_bytes,
            window_bytes: window.bytes(),
            window_rows: window.rows(),
            covers_from: window.covers_from(),
            unarchived_rows,
            pending,
            applied_through,
            archived_through: positions.archive,
            accounted_through: positions.metadata,
            rejudgement: self.rejudgement.progress(),
            last_error: self.last_error.lock().clone(),
            fsync: self.journal.fsync_stats(),
        }
    }
}

fn zone_name(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The effect of a record read back from the journal: as it was, but nobody waits for it.
pub(crate) fn effect_of(
    gateway: &GatewayId,
    topic: String,
    content: Content,
    payload: Option<Vec<u8>>,
    names: &RowNames,
) -> Effect {
    let index = names.gateways.intern(gateway);
    let rows: Rows = rows(&content.readings, names, index);
    let Content { readings: _, faults, duplicates, content_hash, settled } = content;
    let faults: Vec<Fault> = faults;
    Effect {
        gateway: Some(index),
        topic,
        rows,
        faults,
        payload: payload.map(Bytes::from),
        duplicates,
        content_hash,
        settled,
        rejudged: Vec::new(),
        seals: false,
        reply: Reply::Nobody,
    }
}
