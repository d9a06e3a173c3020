//! Reviews: kept by the pipeline, read through the engine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gwbank_ingest::{IngestError, Pipeline, ReadingsOptions, SourceKind};
use gwbank_model::{GatewayId, Month, Parameter, Reading, Seq, Timestamp, WellId};
use gwbank_query::QueryEngine;
use gwbank_review::{BookError, FormerValue, FormerValues, ReviewBook, ReviewError, Reviewer, ReviewerParts};
use gwbank_runtime::Shutdown;
use gwbank_server::doors::{ReviewDoor, ReviewDoorError};
use gwbank_store::{NewReview, Review, ReviewId, SeriesReadError};

use crate::config::Config;
use crate::failure::Outcome;

/// Values of a correction that are written at a time: a message of the journal.
const READINGS_AT_ONCE: usize = 10_000;
/// How often it is looked whether a review was left half done, by this process or by another one.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

pub fn reviewer(config: &Config, pipeline: Pipeline, engine: QueryEngine) -> Outcome<Arc<Reviewer>> {
    let registry = pipeline.registry_watch();
    Ok(Arc::new(Reviewer::new(ReviewerParts {
        book: Arc::new(Book { pipeline, sender: GatewayId::new(GatewayId::REVIEW)? }),
        reader: Arc::new(engine.clone()),
        former: Arc::new(Former(engine)),
        registry,
        calendar_offset_seconds: config.calendar_offset_seconds(),
        readings_at_once: READINGS_AT_ONCE,
    })))
}

/// Brings reviews to their end that were left half done.
pub async fn run(reviewer: Arc<Reviewer>, shutdown: Shutdown) {
    loop {
        if let Err(error) = reviewer.resume().await {
            let error = anyhow::Error::new(error);
            tracing::warn!("a review is still half done: {error:#}; trying again");
        }
        tokio::select! {
            () = shutdown.ended() => return,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

struct Book {
    pipeline: Pipeline,
    sender: GatewayId,
}

fn book_error(error: IngestError) -> BookError {
    BookError(Box::new(error))
}

#[async_trait]
impl ReviewBook for Book {
    fn reviews(&self) -> Arc<gwbank_store::Reviews> {
        self.pipeline.reviews().borrow().clone()
    }

    async fn add(&self, review: Review, months: Vec<Month>) -> Result<Review, BookError> {
        self.pipeline.add_review(review, &months).await.map_err(book_error)
    }

    async fn withdraw(
        &self,
        id: ReviewId,
        author: String,
        reason: String,
        months: Vec<Month>,
    ) -> Result<Review, BookError> {
        self.pipeline.withdraw_review(id, author, reason, &months).await.map_err(book_error)
    }

    async fn finish(&self, id: ReviewId) -> Result<Review, BookError> {
        self.pipeline.finish_review(id).await.map_err(book_error)
    }

    async fn put(&self, readings: Vec<Reading>) -> Result<(), BookError> {
        let options = ReadingsOptions { topic: GatewayId::REVIEW.to_owned(), source: SourceKind::Import };
        let receipt = self.pipeline.ingest_readings(&self.sender, readings, options).await;
        receipt.map(drop).map_err(book_error)
    }
}

struct Former(QueryEngine);

#[async_trait]
impl FormerValues for Former {
    async fn as_known_at(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
        to: Timestamp,
        known: Seq,
    ) -> Result<Vec<FormerValue>, SeriesReadError> {
        let found = self.0.known_earlier(well, parameter, from, to, known).await;
        let found = found.map_err(|error| SeriesReadError(Box::new(error)))?;
        let value = |found: gwbank_query::EarlierValue| FormerValue {
            time: found.time,
            value: found.value,
            site_status: found.site_status,
        };
        Ok(found.into_iter().map(value).collect())
    }
}

/// For the server's door.
pub struct Reviews {
    pub reviewer: Arc<Reviewer>,
    pub pipeline: Pipeline,
}

fn door_error(error: ReviewError) -> ReviewDoorError {
    match error {
        ReviewError::Refused { .. } => ReviewDoorError::Refused(error.to_string()),
        ReviewError::Unknown(_) => ReviewDoorError::Unknown(error.to_string()),
        ReviewError::Series(_) | ReviewError::Book(_) | ReviewError::UnderWay { .. } => {
            let error = anyhow::Error::new(error);
            tracing::warn!("a review cannot be taken wholly: {error:#}");
            ReviewDoorError::Unavailable(format!("{error:#}"))
        }
    }
}

#[async_trait]
impl ReviewDoor for Reviews {
    fn reviews(&self) -> Arc<gwbank_store::Reviews> {
        self.pipeline.reviews().borrow().clone()
    }

    async fn review(&self, asked: NewReview) -> Result<Review, ReviewDoorError> {
        let reviewer = self.reviewer.clone();
        to_its_end(async move { reviewer.review(asked).await }).await
    }

    async fn withdraw(&self, id: ReviewId, by: &str, reason: &str) -> Result<Review, ReviewDoorError> {
        let (reviewer, by, reason) = (self.reviewer.clone(), by.to_owned(), reason.to_owned());
        to_its_end(async move { reviewer.withdraw(id, by, reason).await }).await
    }
}

/// A client that goes away while values are written does not stop them half way.
async fn to_its_end(
    work: impl Future<Output = Result<Review, ReviewError>> + Send + 'static,
) -> Result<Review, ReviewDoorError> {
    match tokio::spawn(work).await {
        Ok(done) => done.map_err(door_error),
        Err(error) => Err(ReviewDoorError::Unavailable(format!("the review did not come to its end: {error}"))),
    }
}
