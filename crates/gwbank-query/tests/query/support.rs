//! A query engine over a window, an archive that can be down, and a registry of three wells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use gwbank_model::{GatewayId, Key, Parameter, Row, Seq, SeriesId, Timestamp, WellId};
use gwbank_query::{GatewayRow, GatewaySource, MetadataGateways, QueryConfig, QueryEngine, QueryError, QuerySources};
use gwbank_recent::Window;
use gwbank_registry::{BankType, Registry, Well};
use gwbank_store::memory::{MemoryArchive, MemoryMetadata};
use gwbank_store::{
    Archive, ArchiveCommit, ArchiveError, ArchiveSnapshot, BatchStream, CommitReport, EffectiveLimit, LimitSource,
    MaintenanceReport, MetadataError, QualityLimitKey, Reviews, RowNames, ScanRequest, StoredVersions, Upkeep,
};
use gwbank_testkit::received_row;
use tokio::sync::watch;

/// `C` has a long name, which Arrow keeps apart from the short ones.
pub const WELLS: [&str; 3] = ["A", "B", "C-with-a-name-beyond-twelve-bytes"];
pub const PARAMETERS: [Parameter; 2] = [Parameter::DepthToWater, Parameter::WaterTemperature];

/// 2026-01-01T00:00:00Z; readings of tests come hourly from there.
pub const START_SECS: i64 = 1_767_225_600;

#[derive(Debug)]
pub struct Switchable {
    inner: MemoryArchive,
    down: AtomicBool,
    /// As an archive of files: its snapshots give rows and no sums.
    of_rows: AtomicBool,
}

#[derive(Debug)]
struct OfRows(Arc<dyn ArchiveSnapshot>);

#[async_trait]
impl ArchiveSnapshot for OfRows {
    fn position(&self) -> Seq {
        self.0.position()
    }
    fn row_count(&self) -> u64 {
        self.0.row_count()
    }
    fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        self.0.time_range()
    }
    fn scan(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError> {
        self.0.scan(request)
    }
    fn scan_revisions(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError> {
        self.0.scan_revisions(request)
    }
    async fn series_rows(&self, series: SeriesId, from: Timestamp, to: Timestamp) -> Result<Vec<Row>, ArchiveError> {
        self.0.series_rows(series, from, to).await
    }
    async fn versions(&self, keys: &[Key]) -> Result<Vec<Option<StoredVersions>>, ArchiveError> {
        self.0.versions(keys).await
    }
}

#[async_trait]
impl Archive for Switchable {
    async fn commit(&self, commit: ArchiveCommit) -> Result<CommitReport, ArchiveError> {
        self.inner.commit(commit).await
    }
    async fn snapshot(&self) -> Result<Arc<dyn ArchiveSnapshot>, ArchiveError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(ArchiveError::Unavailable("switched off".into()));
        }
        let snapshot = self.inner.snapshot().await?;
        Ok(if self.of_rows.load(Ordering::SeqCst) { Arc::new(OfRows(snapshot)) } else { snapshot })
    }
    async fn series_ends(&self) -> Result<Vec<(SeriesId, Timestamp)>, ArchiveError> {
        self.inner.series_ends().await
    }
    fn summarizes(&self) -> bool {
        !self.of_rows.load(Ordering::SeqCst)
    }
    fn names_every_series(&self) -> bool {
        self.inner.names_every_series()
    }
    async fn maintain(&self, upkeep: Upkeep) -> Result<MaintenanceReport, ArchiveError> {
        self.inner.maintain(upkeep).await
    }
}

pub struct Bench {
    pub engine: QueryEngine,
    pub window: Window,
    pub archive: Arc<Switchable>,
    pub metadata: Arc<MemoryMetadata>,
    pub names: RowNames,
    pub series: Vec<SeriesId>,
    pub registry: watch::Sender<Arc<Registry>>,
    pub reviews: watch::Sender<Arc<Reviews>>,
    sources: QuerySources,
    /// What all versions ever taken amount to.
    pub truth: BTreeMap<Key, StoredVersions>,
    pub messages: i64,
}

/// As the pipeline: dead letters are accounted for after the readings that came with them are archived.
#[derive(Debug)]
struct Gateways {
    archive: Arc<Switchable>,
    inner: MetadataGateways,
}

#[async_trait]
impl GatewaySource for Gateways {
    async fn gateways(&self) -> Result<Vec<GatewayRow>, MetadataError> {
        self.inner.gateways().await
    }
    async fn account_dead_letters(&self) -> Result<(), MetadataError> {
        if self.archive.down.load(Ordering::SeqCst) {
            return Err(MetadataError::Unavailable("down".into()));
        }
        Ok(())
    }
}

pub fn config() -> QueryConfig {
    QueryConfig { threads: 2, ..QueryConfig::default() }
}

pub fn well(id: &str, province: &str) -> Well {
    Well::new(WellId::new(id).unwrap(), province, BankType::Observation)
}

pub fn hour(n: i64) -> Timestamp {
    Timestamp::from_secs(START_SECS + n * 3600)
}

pub fn seq(message: i64) -> Seq {
    Seq::from_i64((1_767_225_600_000 + message) << 20 | 1)
}

/// Just before the first seq of a message.
pub fn before(seq: Seq) -> Seq {
    Seq::from_i64(seq.as_i64() - 1)
}

impl Bench {
    pub fn new(config: QueryConfig, window_bytes: usize) -> Self {
        let names = RowNames::default();
        let mut series = Vec::new();
        for id in WELLS {
            for parameter in PARAMETERS {
                series.push(names.series.intern(&WellId::new(id).unwrap(), parameter));
            }
        }
        names.gateways.intern(&GatewayId::new("gw-1").unwrap());
        let window = Window::new(window_bytes, Timestamp::MIN);
        let inner = MemoryArchive::new(names.clone());
        let archive = Arc::new(Switchable { inner, down: AtomicBool::new(false), of_rows: AtomicBool::new(false) });
        let metadata = Arc::new(MemoryMetadata::new());
        let wells = [well(WELLS[0], "30"), well(WELLS[1], "30"), well(WELLS[2], "31")];
        let (reviews, reviewed) = watch::channel(Arc::default());
        let (registry, watched) = watch::channel(Arc::new(Registry::new(wells, [])));
        let sources = QuerySources {
            window: window.clone(),
            archive: archive.clone(),
            metadata: metadata.clone(),
            registry: watched,
            names: names.clone(),
            limits: watch::channel(Arc::new(limits())).1,
            reviews: reviewed,
            gateways: Arc::new(Gateways { archive: archive.clone(), inner: MetadataGateways(metadata.clone()) }),
        };
        let engine = QueryEngine::new(config, sources.clone()).unwrap();
        Self {
            engine,
            window,
            archive,
            metadata,
            names,
            series,
            registry,
            reviews,
            sources,
            truth: BTreeMap::new(),
            messages: 1,
        }
    }

    /// Over the same data.
    pub fn another_engine(&self, config: QueryConfig) -> QueryEngine {
        QueryEngine::new(config, self.sources.clone()).unwrap()
    }

    pub fn row(&self, series: usize, hours: i64, value: f64) -> Row {
        received_row(self.series[series], hour(hours), value, seq(self.messages))
    }

    /// Takes the rows of one message in, as the pipeline does.
    pub fn message(&mut self, mut rows: Vec<Row>) {
        let first = seq(self.messages);
        self.messages += 1;
        for i in 0..rows.len() {
            let repeats = rows[..i].iter().filter(|row| row.key() == rows[i].key()).count();
            rows[i].seq = first.nth(repeats as u32);
        }
        let classified = self.window.classify(&rows);
        let mut accepted = Vec::new();
        for (row, found) in rows.iter().zip(classified) {
            let mut known = self.truth.remove(&row.key());
            let change = StoredVersions::take(&mut known, *row);
            self.truth.extend(known.map(|versions| (row.key(), versions)));
            if let gwbank_recent::Classified::New(said) = found {
                assert_eq!(said, change, "what the window calls exact is so");
            }
            if found.is_stored() {
                accepted.push(*row);
            }
        }
        self.window.insert(accepted);
    }

    pub async fn flush(&self, through: Seq) {
        let position = self.archive.inner.snapshot().await.unwrap().position();
        let rows = self.window.snapshot().unarchived(position, through);
        self.archive.commit(ArchiveCommit { rows, through }).await.unwrap();
    }

    /// The position of an archive that has every message so far.
    pub fn newest(&self) -> Seq {
        before(seq(self.messages))
    }

    pub async fn position(&self) -> Seq {
        self.archive.inner.snapshot().await.unwrap().position()
    }

    /// Everything to the archive and out of the window, as far as it goes.
    pub async fn archive_all(&self) {
        self.flush(self.newest()).await;
        let latest = self.truth.keys().map(|key| key.time).max().unwrap_or(hour(0));
        self.window.set_covers_from(latest.plus_micros(1));
        self.window.evict(self.position().await);
        assert_eq!(self.window.rows(), 0);
    }

    /// From now on.
    pub fn archive_of_rows(&self, of_rows: bool) {
        self.archive.of_rows.store(of_rows, Ordering::SeqCst);
    }

    pub fn switch_archive_off(&self) {
        self.archive.down.store(true, Ordering::SeqCst);
    }

    pub async fn batches(&self, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
        self.engine.query(sql).await?.collect().await
    }

    /// The rows as text, cells joined by `|`, NULL as nothing.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        match self.batches(sql).await {
            Ok(batches) => batches.iter().flat_map(text_rows).collect(),
            Err(error) => panic!("{sql}: {error} {error:?}"),
        }
    }

    pub async fn error(&self, sql: &str) -> QueryError {
        match self.batches(sql).await {
            Ok(batches) => panic!("{sql} was answered: {:?}", batches.iter().flat_map(text_rows).collect::<Vec<_>>()),
            Err(error) => error,
        }
    }

    pub fn well_of(&self, series: SeriesId) -> String {
        self.names.series.key(series).well.to_string()
    }
    pub fn parameter_of(&self, series: SeriesId) -> Parameter {
        self.names.series.key(series).parameter
    }
}

pub fn text_rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default();
    let columns: Vec<ArrayFormatter<'_>> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let cell = |row: usize, column: &ArrayFormatter<'_>| column.value(row).to_string();
    let line = |row: usize| columns.iter().map(|column| cell(row, column)).collect::<Vec<_>>().join("|");
    (0..batch.num_rows()).map(line).collect()
}

/// Runs a test on a runtime of its own.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// One limit of a table, one of a file.
fn limits() -> Vec<EffectiveLimit> {
    let limit = |well: Option<&str>, value: f64, source: LimitSource| EffectiveLimit {
        key: QualityLimitKey {
            well_id: well.map(|id| WellId::new(id).unwrap()),
            parameter: Some(Parameter::DepthToWater),
            limit: "spike.suspect".to_owned(),
        },
        value,
        unit: Some("m".to_owned()),
        source,
        changed_at: (source == LimitSource::Table).then(|| Timestamp::from_secs(1_700_000_000)),
    };
    vec![limit(None, 0.3, LimitSource::File), limit(Some("W-1"), 0.5, LimitSource::Table)]
}
