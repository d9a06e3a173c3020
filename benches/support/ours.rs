//! gwbank's own parts as `gwbank serve` wires them: embedded broker, pipeline, journal, Delta archive, SQLite metadata.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gwbank_delta::{DeltaArchive, DeltaConfig, SqliteConfig, SqliteMetadata};
use gwbank_ingest::embedded::{Anonymous, EmbeddedBroker, EmbeddedConfig};
use gwbank_ingest::{Pipeline, PipelineConfig, PipelineParts};
use gwbank_journal::JournalConfig;
use gwbank_query::{MetadataGateways, QueryConfig, QueryEngine, QuerySources};
use gwbank_registry::Well;
use gwbank_runtime::{ShutdownTrigger, SystemClock};
use gwbank_store::{Archive, Metadata, RowNames};
use gwbank_timescale::{Database, DatabaseConfig, DeadLetterBounds, PostgresArchive, PostgresMetadata};

use super::Error;

/// The stores of one data directory.
pub struct Stores {
    pub dir: PathBuf,
    pub names: RowNames,
    pub archive: Arc<dyn Archive>,
    /// The same, where it is one.
    pub delta: Option<Arc<DeltaArchive>>,
    pub metadata: Arc<dyn Metadata>,
}

impl Stores {
    pub async fn open(dir: &Path) -> Result<Self, Error> {
        let names = RowNames::default();
        let archive = DeltaArchive::open(DeltaConfig::new(dir.join("archive"), names.clone())).await?;
        let metadata = SqliteMetadata::open(SqliteConfig::new(dir.join("metadata.sqlite"))).await?;
        let delta = Arc::new(archive);
        Ok(Self {
            dir: dir.to_owned(),
            names,
            archive: delta.clone(),
            delta: Some(delta),
            metadata: Arc::new(metadata),
        })
    }

    /// Readings and metadata in an empty database, the journal in the directory.
    pub async fn in_database(dir: &Path, url: &str) -> Result<Self, Error> {
        const BOUNDS: DeadLetterBounds = DeadLetterBounds { bytes_max: 1 << 30, bytes_max_per_gateway: 1 << 26 };
        let names = RowNames::default();
        let database = Database::new(&DatabaseConfig::new(url))?;
        database.migrate().await?;
        let archive = Arc::new(PostgresArchive::new(database.clone(), names.clone()));
        let metadata = Arc::new(PostgresMetadata::new(database, BOUNDS));
        Ok(Self { dir: dir.to_owned(), names, archive, delta: None, metadata })
    }

    /// The defaults of `gwbank serve`, but that readings may be of any age.
    pub fn config(&self) -> PipelineConfig {
        let mut config = PipelineConfig::new(JournalConfig::new(self.dir.join("journal"), 1));
        config.decode.earliest_time = None;
        config
    }

    pub async fn pipeline(&self, config: PipelineConfig) -> Result<Pipeline, Error> {
        let parts = PipelineParts {
            archive: self.archive.clone(),
            metadata: self.metadata.clone(),
            names: self.names.clone(),
            clock: Arc::new(SystemClock),
        };
        Ok(Pipeline::open(config, parts).await?)
    }

    pub fn engine(&self, pipeline: &Pipeline) -> Result<QueryEngine, Error> {
        let sources = QuerySources {
            window: pipeline.window(),
            archive: self.archive.clone(),
            metadata: self.metadata.clone(),
            registry: pipeline.registry_watch(),
            names: self.names.clone(),
            gateways: Arc::new(MetadataGateways(self.metadata.clone())),
            limits: tokio::sync::watch::channel(Arc::default()).1,
            reviews: tokio::sync::watch::channel(Arc::default()).1,
        };
        Ok(QueryEngine::new(QueryConfig::default(), sources)?)
    }
}

pub struct Ours {
    pub stores: Stores,
    pub pipeline: Pipeline,
    pub broker: EmbeddedBroker,
    trigger: ShutdownTrigger,
}

impl Ours {
    pub async fn start(dir: &Path, wells: Vec<Well>) -> Result<Self, Error> {
        Self::start_on(Stores::open(dir).await?, wells).await
    }

    pub async fn start_on(stores: Stores, wells: Vec<Well>) -> Result<Self, Error> {
        let pipeline = stores.pipeline(stores.config()).await?;
        pipeline.put_wells(wells).await?;
        let trigger = ShutdownTrigger::new();
        let config = EmbeddedConfig { anonymous: Anonymous::Allowed, ..EmbeddedConfig::new("127.0.0.1:0") };
        let broker = EmbeddedBroker::start(config, pipeline.clone(), trigger.listener()).await?;
        Ok(Self { stores, pipeline, broker, trigger })
    }

    /// Readings that are stored or pending, over all gateways.
    pub async fn kept(&self) -> Result<u64, Error> {
        let gateways = self.pipeline.gateways().await?;
        Ok(gateways.iter().map(|gateway| gateway.counts.stored + gateway.pending).sum())
    }

    /// Ends as `gwbank serve` does: the sources first, then what is applied is archived.
    pub async fn stop(self) -> Result<(), Error> {
        self.trigger.stop_accepting();
        // A connection that does not end has nothing to lose here.
        let _late = tokio::time::timeout(Duration::from_secs(5), self.broker.stopped()).await;
        self.trigger.stop();
        drop(self.broker);
        Ok(self.pipeline.shutdown().await?)
    }
}
