//! What the watch is given.

use std::sync::Arc;

use async_trait::async_trait;
use gwbank_model::WellId;
use gwbank_registry::Registry;
use gwbank_runtime::{Clock, Shutdown};
use gwbank_store::{Metadata, SeriesReader};
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

#[derive(Clone)]
pub struct WatchParts {
    pub metadata: Arc<dyn Metadata>,
    pub reader: Arc<dyn SeriesReader>,
    pub registry: watch::Receiver<Arc<Registry>>,
    pub clock: Arc<dyn Clock>,
    pub shutdown: Shutdown,
}
