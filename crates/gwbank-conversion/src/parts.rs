//! What the converter is given.

use std::sync::Arc;

use async_trait::async_trait;
use gwbank_model::{Parameter, Reading, Seq, Timestamp, WellId};
use gwbank_registry::Registry;
use gwbank_runtime::Shutdown;
use gwbank_store::{Metadata, MetadataError, RowNames, SeriesReadError, SeriesReader};
use tokio::sync::watch;

/// A stretch of a series that levels are converted from, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorChange {
    pub well: WellId,
    pub parameter: Parameter,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// Tells what changed as it changes. Coalesced by the giver.
#[async_trait]
pub trait SensorChanges: Send + 'static {
    /// Waits until there is something to take. Must be cancel safe.
    async fn filled(&mut self);
    /// What changed since the last call, and up to which position of the journal everything was told by now.
    fn take(&mut self) -> (Vec<SensorChange>, Seq);
}

#[derive(Debug, thiserror::Error)]
#[error("levels cannot be stored now")]
pub struct SinkError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Takes converted levels in.
#[async_trait]
pub trait LevelSink: Send + Sync + 'static {
    /// As readings of the sender [`gwbank_model::GatewayId::CONVERSION`]; durable and queryable when it returns.
    async fn put(&self, readings: Vec<Reading>) -> Result<(), SinkError>;
}

#[derive(Clone)]
pub struct ConverterParts {
    pub metadata: Arc<dyn Metadata>,
    pub reader: Arc<dyn SeriesReader>,
    pub sink: Arc<dyn LevelSink>,
    pub registry: watch::Receiver<Arc<Registry>>,
    /// The tables in whose numbers the reader tells who sent a row.
    pub names: RowNames,
    /// The calendar of the marks of months.
    pub calendar_offset_seconds: i32,
    pub shutdown: Shutdown,
}

#[derive(Debug, thiserror::Error)]
pub enum ConversionError {
    #[error("readings of sensors cannot be read")]
    Series(#[from] SeriesReadError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("marks cannot be read or taken away")]
    Metadata(#[from] MetadataError),
}
