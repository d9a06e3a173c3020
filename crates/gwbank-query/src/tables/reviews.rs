//! `reviews`: what people decided on stretches of series.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_model::Timestamp;
use gwbank_store::{Review, Reviews, Withdrawal};
use tokio::sync::watch;

use super::batch::BatchOf;
use super::small::{Rows, Then, Wanted, internal};
use crate::error::QueryError;
use crate::known_at::KnownAt;

#[derive(Debug)]
pub(super) struct ReviewsTable {
    reviews: watch::Receiver<Arc<Reviews>>,
    at: Option<KnownAt>,
}

impl ReviewsTable {
    pub(super) fn now(reviews: watch::Receiver<Arc<Reviews>>) -> Self {
        Self { reviews, at: None }
    }
}

/// As it was known: `None` before it was made.
fn then(review: &Review, at: KnownAt) -> Option<Review> {
    let known = at.through();
    let by_then = |time: Option<Timestamp>| time.filter(|time| *time <= at.time());
    let withdrawal = review.withdrawal.clone().filter(|withdrawal| withdrawal.seq <= known);
    let withdrawal = withdrawal.map(|withdrawal| Withdrawal { done_at: by_then(withdrawal.done_at), ..withdrawal });
    (review.seq <= known).then(|| Review { done_at: by_then(review.done_at), withdrawal, ..review.clone() })
}

fn of_reviews(rows: &[Review]) -> BatchOf<'_, Review> {
    BatchOf::new(rows)
        .count("review_id", |r| u64::try_from(r.id.0).ok())
        .text("well_id", |r| Some(&r.well_id))
        .text("parameter", |r| Some(r.parameter.name()))
        .time("from_time", |r| r.from)
        .time("to_time", |r| r.to)
        .text("action", |r| Some(r.action.name()))
        .number("amount", |r| r.amount)
        .number("amount_end", |r| r.amount_end)
        .text("author", |r| Some(r.author.as_str()))
        .text("reason", |r| Some(r.reason.as_str()))
        .count("readings", |r| Some(r.readings))
        .time("created_at", |r| Some(r.created_at))
        .time("done_at", |r| r.done_at)
        .text("withdrawn_by", |r| r.withdrawal.as_ref().map(|w| w.author.as_str()))
        .text("withdrawn_reason", |r| r.withdrawal.as_ref().map(|w| w.reason.as_str()))
        .time("withdrawn_at", |r| r.withdrawal.as_ref().map(|w| w.at))
        .count("seq", |r| u64::try_from(r.seq.as_i64()).ok())
        .count("withdrawn_seq", |r| r.withdrawal.as_ref().and_then(|w| u64::try_from(w.seq.as_i64()).ok()))
}

#[async_trait]
impl Rows for ReviewsTable {
    fn schema(&self) -> SchemaRef {
        of_reviews(&[]).schema()
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        let reviews = self.reviews.borrow().clone();
        match self.at {
            None => of_reviews(reviews.all()).finish().map_err(internal),
            Some(at) => {
                let known: Vec<Review> = reviews.all().iter().filter_map(|review| then(review, at)).collect();
                of_reviews(&known).finish().map_err(internal)
            }
        }
    }
    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self { reviews: self.reviews.clone(), at: Some(at) })))
    }
}
