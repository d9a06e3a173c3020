//! Recovery: where the consumers stood, what the window knew, what the journal still holds.
//!
//! # Rules
//! 1. The replay of the journal goes through the applier, as live messages do, with what was decoded then.
//! 2. What the archive or the metadata already has is classified again and not counted again.
//! 3. A journal that no longer has what a consumer lacks refuses to open: readings would be missing in silence.
//! 4. While archive and metadata are away, a node that has known them before starts with what it remembers: it takes in and
//!    acknowledges, and asks them where they stand before it commits anything.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};

use gwbank_journal::{Disk, Durable, Journal, JournalError, OnFatal, RealDisk};
use gwbank_model::Seq;
use gwbank_recent::Window;
use gwbank_registry::Registry;
use gwbank_runtime::Clock;
use gwbank_store::{
    Archive, ArchiveError, Metadata, MetadataError, QualityFinding, QualityLimit, ReceivedContent, Review, Reviews,
    RowNames,
};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::IngestError;
use crate::applier::{Applier, ApplierParts, Effect, Positions, Reply};
use crate::changes::Publisher;
use crate::config::PipelineConfig;
use crate::gate::{Gate, Held};
use crate::judge::Basis;
use crate::last_known::LastKnown;
use crate::metrics::Metrics;
use crate::pipeline::{Handle, Pipeline, PipelineParts, Shared, effect_of};
use crate::quality_findings::FindingsBySeries;
use crate::quality_limits::Limits;
use crate::record::{Record, decode};
use crate::rejudge::{self, Rejudgement};
use crate::repeats::Repeats;
use crate::reviews::rejections;
use crate::warm::warm;
use crate::writer::{self, Committing};

/// Groups between the journal and the applier. More would only hide that the applier is slower than the disk.
const GROUPS_WAITING_MAX: usize = 16;

/// Rows applied at once: enough to spread the cost of a snapshot, few enough for the first of them not to wait long.
const ROWS_AT_ONCE: usize = 50_000;

/// Of a replay also this much at most, as a journal may hold little but payloads of dead letters.
const REPLAY_BYTES_AT_ONCE: usize = 16 << 20;

/// Where the journal lives and what happens when it fails: the real disk and the end of the process but for tests.
pub struct JournalHost {
    pub disk: Arc<dyn Disk>,
    pub on_fatal: Option<OnFatal>,
}

impl Default for JournalHost {
    fn default() -> Self {
        Self { disk: Arc::new(RealDisk), on_fatal: None }
    }
}

impl Pipeline {
    /// Recovers and starts. Runs tasks on the present tokio runtime.
    pub async fn open(config: PipelineConfig, parts: PipelineParts) -> Result<Self, IngestError> {
        Self::open_with(config, parts, JournalHost::default()).await
    }

    /// As [`Self::open`], on another disk.
    pub async fn open_with(
        config: PipelineConfig,
        parts: PipelineParts,
        host: JournalHost,
    ) -> Result<Self, IngestError> {
        let config = config.validated()?;
        let PipelineParts { archive, metadata, names, clock } = parts;
        let last_known =
            config.last_known_dir.clone().map(LastKnown::at).transpose().map_err(IngestError::LastKnown)?;
        let window = Window::new(config.window_bytes_max, gwbank_model::Timestamp::MAX);
        let asked = Known::ask(&config, &*archive, &*metadata, &names, &window).await;
        let Known { start, registry, registry_version, contents, limits, findings, reviews, verified } =
            match (asked, &last_known) {
                (Err(error), Some(last_known)) if is_away(&error) => {
                    let remembered = last_known.read().map_err(IngestError::LastKnown)?;
                    let Some((start, registry)) = remembered else { return Err(error) };
                    let error = writer::chain(&error);
                    tracing::warn!(
                        error,
                        wells = registry.wells().len(),
                        "starting without the database, from what is remembered"
                    );
                    Known {
                        start,
                        registry,
                        registry_version: Seq::ZERO,
                        contents: Vec::new(),
                        limits: Vec::new(),
                        findings: Vec::new(),
                        reviews: Vec::new(),
                        verified: false,
                    }
                }
                (asked, _) => asked?,
            };
        if let Some(last_known) = last_known.as_ref().filter(|_| verified) {
            let written = last_known.write_registry(&registry).and_then(|()| last_known.write_positions(start));
            written.map_err(IngestError::LastKnown)?;
        }
        let registry = Arc::new(registry);
        let limits = Limits::new(config.quality.clone(), limits);
        let effective_limits = Arc::new(limits.effective());

        let metrics = Arc::new(Metrics::default());
        let listeners = Arc::new(Publisher::default());
        let mut repeats = Repeats::default();
        for content in contents {
            repeats.remember(names.gateways.intern(&content.gateway_id), content.content_hash, content.seq);
        }
        let repeats = Arc::new(Mutex::new(repeats));
        let mut applier = Applier::new(ApplierParts {
            window: window.clone(),
            names: names.clone(),
            basis: Basis {
                names: names.series.clone(),
                registry: registry.clone(),
                overrides: limits.overrides().clone(),
                findings: Arc::new(FindingsBySeries::new(findings)),
                rejections: Arc::new(rejections(&reviews)),
            },
            repeats: repeats.clone(),
            metrics: metrics.clone(),
            listeners: listeners.clone(),
            calendar_offset_seconds: config.calendar_offset_seconds,
            flush_rows: config.flush_rows,
            seal_bytes: config.seal_bytes(),
            start,
        });

        let (sender, groups) = sync_channel::<Vec<Durable<Effect>>>(GROUPS_WAITING_MAX);
        let open_journal = {
            let (journal_config, wall) = (config.journal.clone(), clock.clone());
            move || open_journal(journal_config, host, wall, sender)
        };
        let (journal, applier) = {
            let names = names.clone();
            let recover = move || {
                let journal = open_journal()?;
                journal.advance_past(start.archive.max(start.metadata));
                replay(&journal, &mut applier, start, &names)?;
                Ok::<_, IngestError>((journal, applier))
            };
            tokio::task::spawn_blocking(recover).await.map_err(|_| IngestError::Broken)??
        };

        let applier = Arc::new(Mutex::new(applier));
        let gate = Arc::new(Gate::new(config.window_bytes_max, config.ledger_bytes_max));
        gate.held(Held { window_bytes: window.bytes(), ledger_bytes: applier.lock().ledger.memory_bytes() });
        let flush_wanted = Arc::new(Notify::new());
        let thread = {
            let worker = Worker {
                applier: applier.clone(),
                window: window.clone(),
                gate: gate.clone(),
                flush_wanted: flush_wanted.clone(),
                flush_rows: config.flush_rows,
                seal_bytes: config.seal_bytes(),
            };
            let started = std::thread::Builder::new().name("applier".to_owned()).spawn(move || worker.run(&groups));
            started.map_err(|_| IngestError::Broken)?
        };
        let shared = Arc::new(Shared {
            config,
            archive,
            metadata,
            names,
            clock,
            window,
            journal,
            applier,
            repeats,
            clocks: Mutex::default(),
            registry: watch::channel(registry.clone()).0,
            present_registry: RwLock::new(registry),
            listeners,
            metrics,
            gate,
            positions: Mutex::new(start),
            verified: AtomicBool::new(verified),
            registry_version: Mutex::new(registry_version),
            limits: Mutex::new(Arc::new(limits)),
            effective_limits: watch::channel(effective_limits).0,
            reviews: watch::channel(Arc::new(Reviews::new(reviews))).0,
            rejudgement: Rejudgement::default(),
            last_known,
            has_other_nodes: AtomicBool::new(false),
            archived_at: Mutex::default(),
            committing: tokio::sync::Mutex::new(Committing::default()),
            accounting: tokio::sync::Mutex::default(),
            administration: tokio::sync::Mutex::default(),
            flush_wanted,
            last_error: Mutex::new(None),
            closed: AtomicBool::new(false),
        });
        let cancelled = CancellationToken::new();
        let writer = tokio::spawn(writer::run(shared.clone(), cancelled.clone()));
        let rejudge = tokio::spawn(rejudge::run(shared.clone(), cancelled.clone()));
        Ok(Self::from_handle(Handle {
            shared,
            cancelled,
            writer: Mutex::new(Some(writer)),
            rejudge: Mutex::new(Some(rejudge)),
            applier: Mutex::new(Some(thread)),
        }))
    }
}

/// What a pipeline begins with.
struct Known {
    start: Positions,
    registry: Registry,
    registry_version: Seq,
    contents: Vec<ReceivedContent>,
    limits: Vec<QualityLimit>,
    findings: Vec<QualityFinding>,
    reviews: Vec<Review>,
    /// As archive and metadata say it themselves.
    verified: bool,
}

impl Known {
    /// Asks archive and metadata, and fills the window.
    async fn ask(
        config: &PipelineConfig,
        archive: &dyn Archive,
        metadata: &dyn Metadata,
        names: &RowNames,
        window: &Window,
    ) -> Result<Self, IngestError> {
        let snapshot = archive.snapshot().await?;
        let start = Positions { archive: snapshot.position(), metadata: metadata.position().await? };
        // Before the registry, so that a change in between is looked for once more.
        let registry_version = metadata.registry_version().await?;
        let registry = Registry::new(metadata.wells().await?, metadata.installations().await?);
        let contents = metadata.received_contents().await?;
        let limits = metadata.quality_limits().await?;
        let findings = metadata.quality_findings().await?;
        let reviews = metadata.reviews().await?;
        // With others beside it no window is complete: it then only adds what the archive has not got.
        if !metadata.has_other_nodes().await? {
            warm(&*snapshot, window, names, config.warm_bytes_max.min(config.window_bytes_max)).await?;
        }
        Ok(Self { start, registry, registry_version, contents, limits, findings, reviews, verified: true })
    }
}

fn is_away(error: &IngestError) -> bool {
    matches!(
        error,
        IngestError::Archive(ArchiveError::Unavailable(_)) | IngestError::Metadata(MetadataError::Unavailable(_))
    )
}

fn open_journal(
    config: gwbank_journal::JournalConfig,
    host: JournalHost,
    clock: Arc<dyn Clock>,
    sender: std::sync::mpsc::SyncSender<Vec<Durable<Effect>>>,
) -> Result<Journal<Effect>, JournalError> {
    let wall = Arc::new(move || clock.now_millis());
    // The applier ends after the journal; if it is gone, so is whoever waits.
    let on_durable = move |group| drop(sender.send(group));
    match host.on_fatal {
        Some(on_fatal) => Journal::open_with(config, host.disk, wall, on_durable, on_fatal),
        None => Journal::open(config, host.disk, wall, on_durable),
    }
}

fn replay(
    journal: &Journal<Effect>,
    applier: &mut Applier,
    start: Positions,
    names: &RowNames,
) -> Result<(), IngestError> {
    let after = start.archive.min(start.metadata);
    let truncated_through = journal.truncated_through();
    if after < truncated_through {
        let (after, truncated_through) = (after.as_i64(), truncated_through.as_i64());
        return Err(IngestError::JournalGap { after, truncated_through });
    }
    let mut group: Vec<(Seq, Effect)> = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    let (mut records, mut readings) = (0u64, 0u64);
    for record in journal.replay(after)? {
        let record = record?;
        let seq = record.first_seq;
        let effect = match decode(&record.payload) {
            Ok(Record::Message { gateway, topic, content, payload }) => {
                effect_of(&gateway, topic, content, payload, names)
            }
            Ok(Record::Mark) => Effect::mark(Reply::Nobody),
            Ok(Record::Seal) => Effect::seal(Reply::Nobody),
            Err(source) => return Err(IngestError::Record { seq: seq.as_i64(), source }),
        };
        records += 1;
        readings += effect.rows.rows.len() as u64;
        rows += effect.rows.rows.len();
        bytes += record.payload.len();
        group.push((seq, effect));
        if rows >= ROWS_AT_ONCE || bytes >= REPLAY_BYTES_AT_ONCE {
            applier.apply(std::mem::take(&mut group));
            (rows, bytes) = (0, 0);
        }
    }
    applier.apply(group);
    if records > 0 {
        tracing::info!(records, readings, "replayed the journal");
    }
    Ok(())
}

/// The applier's thread.
struct Worker {
    applier: Arc<Mutex<Applier>>,
    window: Window,
    gate: Arc<Gate>,
    flush_wanted: Arc<Notify>,
    flush_rows: u64,
    seal_bytes: usize,
}

impl Worker {
    /// Runs until the journal is closed and everything durable is applied.
    fn run(&self, groups: &Receiver<Vec<Durable<Effect>>>) {
        while let Ok(first) = groups.recv() {
            let mut rows = row_count(&first);
            let mut records: Vec<(Seq, Effect)> = first.into_iter().map(Durable::into_parts).collect();
            while rows < ROWS_AT_ONCE {
                let Ok(next) = groups.try_recv() else { break };
                rows += row_count(&next);
                records.extend(next.into_iter().map(Durable::into_parts));
            }
            let (unarchived_rows, ledger_bytes) = {
                let mut applier = self.applier.lock();
                applier.apply(records);
                (applier.ledger.unarchived_rows(), applier.ledger.memory_bytes())
            };
            let closed = self.gate.held(Held { window_bytes: self.window.bytes(), ledger_bytes });
            if closed || unarchived_rows >= self.flush_rows || ledger_bytes >= self.seal_bytes {
                self.flush_wanted.notify_one();
            }
        }
    }
}

fn row_count(group: &[Durable<Effect>]) -> usize {
    group.iter().map(|durable| durable.attachment().rows.rows.len()).sum()
}
