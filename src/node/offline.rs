//! The pipeline in this process, under the lock, for imports while no server runs.

use std::sync::Arc;

use anyhow::Context as _;
use gwbank_ingest::{IngestError, LimitsApplied, Pipeline, ReadingsOptions, Receipt};
use gwbank_model::{GatewayId, Reading};
use gwbank_registry::{Installation, Registry, Well};
use gwbank_runtime::{Clock, SystemClock};
use gwbank_store::{EffectiveLimit, QualityLimitKey};
use tokio::runtime::Runtime;

use super::lock::DataDirLock;
use super::stores;
use crate::arguments::General;
use crate::commands::ImportCounts;
use crate::failure::Outcome;

pub struct Offline {
    runtime: Runtime,
    pipeline: Pipeline,
    _lock: DataDirLock,
}

impl Offline {
    pub fn open(general: &General) -> Outcome<Self> {
        let config = general.load()?.config;
        let lock = DataDirLock::take(&config.data_dir)?;
        let runtime = runtime()?;
        let pipeline = runtime.block_on(async {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let stores = stores::open(&config, clock.clone()).await?;
            stores::pipeline(&config, &stores, clock).await
        })?;
        Ok(Self { runtime, pipeline, _lock: lock })
    }

    pub fn registry(&self) -> Arc<Registry> {
        self.pipeline.registry()
    }

    pub fn put_wells(&self, wells: Vec<Well>) -> Outcome {
        Ok(self.runtime.block_on(self.pipeline.put_wells(wells))?)
    }

    pub fn put_installations(&self, installations: Vec<Installation>) -> Outcome {
        Ok(self.runtime.block_on(self.pipeline.put_installations(installations))?)
    }

    pub fn quality_limits(&self) -> Arc<Vec<EffectiveLimit>> {
        self.pipeline.quality_limits().borrow().clone()
    }

    pub fn import_quality_limits(&self, csv: &[u8]) -> Result<LimitsApplied, IngestError> {
        self.runtime.block_on(self.pipeline.import_quality_limits(csv))
    }

    pub fn remove_quality_limit(&self, key: QualityLimitKey) -> Outcome<bool> {
        Ok(self.runtime.block_on(self.pipeline.remove_quality_limit(key))?)
    }

    pub fn ingest(&self, gateway: &GatewayId, readings: Vec<Reading>) -> anyhow::Result<Receipt> {
        let taking = self.pipeline.ingest_readings(gateway, readings, ReadingsOptions::default());
        self.runtime.block_on(taking).context("the pipeline does not take readings in")
    }

    /// The gateway's counts when nothing is pending.
    pub fn flushed_counts(&self, gateway: &GatewayId) -> Outcome<ImportCounts> {
        self.runtime.block_on(async {
            self.pipeline.flush().await.context("the archive does not take readings in")?;
            let rows = self.pipeline.gateways().await?;
            let row = rows.iter().find(|row| row.gateway_id == *gateway);
            Ok(row.map_or_else(ImportCounts::default, |row| ImportCounts {
                received: row.counts.received,
                stored: row.counts.stored,
                duplicate: row.counts.duplicate,
                dead: row.counts.dead,
            }))
        })
    }

    /// Archives what was taken in.
    pub fn close(self) -> Outcome {
        let Self { runtime, pipeline, _lock } = self;
        Ok(runtime.block_on(pipeline.shutdown()).context("the archive does not take readings in")?)
    }
}

/// The runtime of every command that needs one.
pub fn runtime() -> Outcome<Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("gwbank").build();
    Ok(built.context("no runtime can be started")?)
}
