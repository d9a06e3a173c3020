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

use super::Error;

/// The stores of one data directory.
pub struct Stores {
    pub dir: PathBuf,
    pub names: RowNames,
    pub archive: Arc<DeltaArchive>,
    pub metadata: Arc<dyn Metadata>,
}

impl Stores {
    pub async fn open(dir: &Path) -> Result<Self, Error> {
        let names = RowNames::default();
        let archive = DeltaArchive::open(DeltaConfig::new(dir.join("archive"), names.clone())).await?;
        let metadata = SqliteMetadata::open(SqliteConfig::new(dir.join("metadata.sqlite"))).await?;
        Ok(Self { dir: dir.to_owned(), names, archive: Arc::new(archive), metadata: Arc::new(metadata) })
    }

    /// The defaults of `gwbank serve`, but that readings may be of any age.
    pub fn config(&self) -> PipelineConfig {
        let mut config = PipelineConfig::new(JournalConfig::new(self.dir.join("journal"), 1));
        config.decode.earliest_time = None;
        config
    }

    pub async fn pipeline(&self, config: PipelineConfig) -> Result<Pipeline, Error> {
        let parts = PipelineParts {
            archive: self.archive.clone() as Arc<dyn Archive>,
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
        let stores = Stores::open(dir).await?;
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
