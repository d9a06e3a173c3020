//! What the watch is given.

use std::sync::Arc;

use async_trait::async_trait;
use gwbank_model::{Parameter, WellId};
use gwbank_quality::SeriesConfig;
use gwbank_registry::Registry;
use gwbank_runtime::{Clock, Shutdown};
use gwbank_store::{Metadata, MetadataError, SecondLookCommit, SeriesReader};
use tokio::sync::{mpsc, watch};

/// Tells which wells' levels changed. Coalesced by the giver, the watch or both.
#[async_trait]
pub trait LevelChanges: Send + 'static {
    /// The next wells; `None` when nothing will change any more. Must be cancel safe.
    async fn next(&mut self) -> Option<Vec<WellId>>;
}

#[async_trait]
impl LevelChanges for mpsc::Receiver<Vec<WellId>> {
    async fn next(&mut self) -> Option<Vec<WellId>> {
        let mut wells = self.recv().await?;
        while let Ok(more) = self.try_recv() {
            wells.extend(more);
        }
        Some(wells)
    }
}

/// Who judges readings.
#[async_trait]
pub trait SeriesJudge: Send + Sync + 'static {
    /// By what a series is judged, without what a second look found.
    fn quality_config(&self, well: &WellId, parameter: Parameter) -> SeriesConfig;

    /// Stores what a second look found, and judges by it from now on.
    async fn take_second_look(&self, commit: SecondLookCommit) -> Result<(), MetadataError>;
}

#[derive(Clone)]
pub struct WatchParts {
    pub metadata: Arc<dyn Metadata>,
    pub reader: Arc<dyn SeriesReader>,
    pub judge: Arc<dyn SeriesJudge>,
    pub registry: watch::Receiver<Arc<Registry>>,
    pub clock: Arc<dyn Clock>,
    pub shutdown: Shutdown,
}
