//! What a reviewer is given.

use std::sync::Arc;

use async_trait::async_trait;
use gwbank_model::{Month, Parameter, Reading, Seq, SiteStatus, Timestamp, WellId};
use gwbank_registry::Registry;
use gwbank_store::{Review, ReviewId, Reviews, SeriesReadError, SeriesReader};
use tokio::sync::watch;

#[derive(Debug, thiserror::Error)]
#[error("reviews cannot be kept now")]
pub struct BookError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Keeps reviews and has readings judged by them.
#[async_trait]
pub trait ReviewBook: Send + Sync + 'static {
    fn reviews(&self) -> Arc<Reviews>;
    /// Gives it its number, sequence and instant. Indicators of the months are computed anew.
    async fn add(&self, review: Review, months: Vec<Month>) -> Result<Review, BookError>;
    async fn withdraw(
        &self,
        id: ReviewId,
        author: String,
        reason: String,
        months: Vec<Month>,
    ) -> Result<Review, BookError>;
    /// All values that it, or its withdrawal, changes are written.
    async fn finish(&self, id: ReviewId) -> Result<Review, BookError>;
    /// As readings of the sender [`gwbank_model::GatewayId::REVIEW`]; durable and queryable when it returns.
    async fn put(&self, readings: Vec<Reading>) -> Result<(), BookError>;
}

/// A reading as it was known at some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FormerValue {
    pub time: Timestamp,
    pub value: Option<f64>,
    pub site_status: Option<SiteStatus>,
}

/// What was known earlier.
#[async_trait]
pub trait FormerValues: Send + Sync + 'static {
    /// The readings of a series, from ≤ time < to, as they were for who knew everything up to a position; in any order.
    async fn as_known_at(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
        to: Timestamp,
        known: Seq,
    ) -> Result<Vec<FormerValue>, SeriesReadError>;
}

#[derive(Clone)]
pub struct ReviewerParts {
    pub book: Arc<dyn ReviewBook>,
    pub reader: Arc<dyn SeriesReader>,
    pub former: Arc<dyn FormerValues>,
    pub registry: watch::Receiver<Arc<Registry>>,
    /// The calendar of the marks of months.
    pub calendar_offset_seconds: i32,
    /// Values that are written at a time, all or nothing.
    pub readings_at_once: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// What is asked for cannot be: says where, and how to mend it.
    #[error("{field}: {problem}")]
    Refused { field: &'static str, problem: String },
    #[error("there is no review {0}: `gwbank review list` names them")]
    Unknown(ReviewId),
    #[error(transparent)]
    Series(#[from] SeriesReadError),
    #[error(transparent)]
    Book(#[from] BookError),
    /// It is kept, and goes on by itself.
    #[error("review {id} is kept, but not all of its values are written yet; that goes on by itself")]
    UnderWay { id: ReviewId, source: Box<ReviewError> },
}
