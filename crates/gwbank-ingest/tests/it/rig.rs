//! A pipeline with what it needs, that can be stopped and opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use gwbank_ingest::{Format, GatewayRow, Message, Pipeline, PipelineConfig, PipelineParts, Receipt};
use gwbank_journal::JournalConfig;
use gwbank_model::{GatewayId, Parameter, Row, SeriesId, Timestamp, WellId};
use gwbank_registry::{BankType, Well};
use gwbank_runtime::ManualClock;
use gwbank_store::memory::{MemoryArchive, MemoryMetadata};
use gwbank_store::{
    Archive, ArchiveCommit, ArchiveError, ArchiveSnapshot, CommitReport, MaintenanceReport, Metadata, MetadataError,
    RowNames, Upkeep,
};
use proptest::prelude::ProptestConfig;

use crate::gated::{GatedMetadata, WriteGate};

/// The rig's clock at the start: 2026-11-01T00:00:00Z.
pub const START_SECS: i64 = 1_793_491_200;

/// An archive that can be away.
#[derive(Debug, Clone)]
pub struct MoodyArchive {
    inner: MemoryArchive,
    pub away: Arc<AtomicBool>,
}

#[async_trait]
impl Archive for MoodyArchive {
    async fn commit(&self, commit: ArchiveCommit) -> Result<CommitReport, ArchiveError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(ArchiveError::Unavailable("gone fishing".into()));
        }
        self.inner.commit(commit).await
    }
    async fn snapshot(&self) -> Result<Arc<dyn ArchiveSnapshot>, ArchiveError> {
        self.inner.snapshot().await
    }
    async fn series_ends(&self) -> Result<Vec<(SeriesId, Timestamp)>, ArchiveError> {
        self.inner.series_ends().await
    }
    async fn maintain(&self, upkeep: Upkeep) -> Result<MaintenanceReport, ArchiveError> {
        self.inner.maintain(upkeep).await
    }
}

/// Lets nothing be written while the store is away.
#[derive(Debug)]
struct Away(Arc<AtomicBool>);

impl WriteGate for Away {
    fn begin(&self) -> Result<(), MetadataError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(MetadataError::Unavailable("gone fishing".into()));
        }
        Ok(())
    }
    fn end(&self) -> Result<(), MetadataError> {
        Ok(())
    }
}

pub struct Rig {
    pub dir: tempfile::TempDir,
    pub names: RowNames,
    pub archive: MoodyArchive,
    pub metadata: MemoryMetadata,
    pub metadata_away: Arc<AtomicBool>,
    pub clock: Arc<ManualClock>,
    pub config: PipelineConfig,
}

impl Rig {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let names = RowNames::default();
        let mut config = PipelineConfig::new(JournalConfig::new(dir.path().join("journal"), 1));
        // Tests flush when they mean to.
        config.flush_interval = std::time::Duration::from_secs(3600);
        let archive = MoodyArchive { inner: MemoryArchive::new(names.clone()), away: Arc::default() };
        let clock = Arc::new(ManualClock::at_micros(START_SECS * 1_000_000));
        Self { dir, names, archive, metadata: MemoryMetadata::new(), metadata_away: Arc::default(), clock, config }
    }

    pub async fn open(&self) -> Pipeline {
        let parts = PipelineParts {
            archive: Arc::new(self.archive.clone()),
            metadata: Arc::new(GatedMetadata::new(self.metadata.clone(), Away(self.metadata_away.clone()))),
            names: self.names.clone(),
            clock: self.clock.clone(),
        };
        Pipeline::open(self.config.clone(), parts).await.unwrap()
    }

    /// Opens a pipeline with wells registered.
    pub async fn open_with_wells(&self, ids: &[&str]) -> Pipeline {
        let pipeline = self.open().await;
        pipeline.put_wells(ids.iter().map(|id| well(id)).collect()).await.unwrap();
        pipeline
    }

    /// All winners of a series that the archive has.
    pub async fn archived(&self, well: &str, parameter: Parameter) -> Vec<Row> {
        let Some(series) = self.names.series.get(well, parameter) else { return Vec::new() };
        let snapshot = self.archive.snapshot().await.unwrap();
        snapshot.series_rows(series, Timestamp::MIN, Timestamp::MAX).await.unwrap()
    }

    pub async fn dead_letters(&self) -> Vec<gwbank_store::DeadLetterSummary> {
        self.metadata.dead_letters(Default::default()).await.unwrap()
    }
}

pub fn well(id: &str) -> Well {
    Well::new(WellId::new(id).unwrap(), "30", BankType::Observation)
}

pub fn gateway(id: &str) -> GatewayId {
    GatewayId::new(id).unwrap()
}

pub fn json(gateway_id: &str, payload: impl Into<String>) -> Message {
    let topic = format!("gwbank/v1/{gateway_id}/readings");
    Message::new(gateway(gateway_id), topic, Format::Json, payload.into().into_bytes())
}

/// One depth reading as a gateway writes it.
pub fn depth(well: &str, secs: i64, value: f64) -> String {
    let time = Timestamp::from_secs(secs).to_rfc3339(0);
    format!(r#"{{"well":"{well}","time":"{time}","depth_to_water":{value}}}"#)
}

pub fn counts(receipt: &Receipt) -> [u64; 5] {
    [receipt.received, receipt.stored, receipt.duplicate, receipt.dead, receipt.pending]
}

pub async fn gateway_counts(pipeline: &Pipeline, id: &str) -> [u64; 5] {
    let rows = pipeline.gateways().await.unwrap();
    for row in &rows {
        assert_adds_up(row);
    }
    let row = rows.into_iter().find(|row| row.gateway_id.as_str() == id);
    row.map_or([0; 5], |row| {
        let counts = row.counts;
        [counts.received, counts.stored, counts.duplicate, counts.dead, row.pending]
    })
}

pub fn assert_adds_up(row: &GatewayRow) {
    let counts = row.counts;
    assert_eq!(counts.received, counts.stored + counts.duplicate + counts.dead + row.pending, "{row:?}");
}

/// Waits until a condition holds, by yielding and asking again; fails after half a minute.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let asked = async {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(5));
        while !condition().await {
            tick.tick().await;
        }
    };
    let limit = std::time::Duration::from_secs(30);
    assert!(tokio::time::timeout(limit, asked).await.is_ok(), "waited in vain for: {what}");
}

/// Rounds of a property test.
pub fn rounds(default: u32) -> ProptestConfig {
    let cases = std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    ProptestConfig { cases, ..ProptestConfig::default() }
}

pub fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future);
}
