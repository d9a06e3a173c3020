//! What people decided on stretches of series: kept, and taken into account.
//!
//! # Rules
//! 1. A review is about what was durable when it was asked for: it gets a sequence of its own, after all of that.
//! 2. Rejections are part of what readings are judged by, as findings are ([`crate::quality_findings`]): stored readings are
//!    judged anew where they come or go, late ones at once.
//! 3. Whoever shows approvals is told by [`Pipeline::reviews`].

use std::collections::HashMap;
use std::sync::Arc;

use gwbank_model::{Month, QcTest, Seq};
use gwbank_quality::{Finding, Findings};
use gwbank_store::{DirtyMonth, Review, ReviewAction, ReviewId, Reviews, Withdrawal};
use tokio::sync::watch;

use crate::pipeline::Shared;
use crate::quality_findings::FindingsBySeries;
use crate::{IngestError, Pipeline};

/// The stretches that were rejected.
pub(crate) fn rejections(reviews: &[Review]) -> FindingsBySeries {
    let holds = |review: &&Review| review.action == ReviewAction::Reject && review.held_at(Seq::MAX);
    let mut by_series: HashMap<_, Vec<Finding>> = HashMap::new();
    for review in reviews.iter().filter(holds) {
        let (from, to) = review.ends();
        let series = (review.well_id.clone(), review.parameter);
        by_series.entry(series).or_default().push(Finding { test: QcTest::Review, from, to });
    }
    FindingsBySeries::of_series(by_series.into_iter().map(|(series, found)| (series, Findings::new(found))).collect())
}

impl Pipeline {
    /// All reviews, as they are changed.
    pub fn reviews(&self) -> watch::Receiver<Arc<Reviews>> {
        self.shared().reviews.subscribe()
    }

    /// Keeps a review: its number, sequence and instant are given here. Indicators of the months are computed anew.
    pub async fn add_review(&self, review: Review, months: &[Month]) -> Result<Review, IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        let mut review = Review { seq: shared.mark().await?, created_at: shared.now(), ..review };
        if !review.action.corrects() {
            review.done_at = Some(review.created_at);
        }
        let basis = shared.prepare_rejections(Some(&review), None).await?;
        review.id = shared.metadata.add_review(review.clone(), dirty(&review, months, review.seq)).await?;
        shared.publish_review(review.clone());
        if let Some(basis) = basis {
            shared.take_up_basis(basis);
        }
        Ok(review)
    }

    /// Takes a review back, which stays with who did it and why.
    pub async fn withdraw_review(
        &self,
        id: ReviewId,
        author: String,
        reason: String,
        months: &[Month],
    ) -> Result<Review, IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        let mut review = shared.review(id)?;
        if review.withdrawal.is_some() {
            return Err(refused(id, "is withdrawn already"));
        }
        let (seq, at) = (shared.mark().await?, shared.now());
        let done_at = (!review.action.corrects()).then_some(at);
        review.withdrawal = Some(Withdrawal { author, reason, seq, at, done_at });
        let basis = shared.prepare_rejections(None, Some(&review)).await?;
        shared.metadata.put_review(review.clone(), dirty(&review, months, seq)).await?;
        shared.publish_review(review.clone());
        if let Some(basis) = basis {
            shared.take_up_basis(basis);
        }
        Ok(review)
    }

    /// Notes that all values that a review, or its withdrawal, changes are written.
    pub async fn finish_review(&self, id: ReviewId) -> Result<Review, IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        let mut review = shared.review(id)?;
        let now = Some(shared.now());
        match &mut review.withdrawal {
            Some(withdrawal) => withdrawal.done_at = now,
            None => review.done_at = now,
        }
        shared.metadata.put_review(review.clone(), Vec::new()).await?;
        shared.publish_review(review.clone());
        Ok(review)
    }
}

fn dirty(review: &Review, months: &[Month], seq: Seq) -> Vec<DirtyMonth> {
    let mark = |&month: &Month| DirtyMonth { well_id: review.well_id.clone(), parameter: review.parameter, month, seq };
    months.iter().map(mark).collect()
}

fn refused(id: ReviewId, problem: &str) -> IngestError {
    IngestError::Refused { what: "review", id: id.to_string(), problem: problem.to_owned() }
}

impl Shared {
    fn review(&self, id: ReviewId) -> Result<Review, IngestError> {
        self.reviews
            .borrow()
            .get(id)
            .cloned()
            .ok_or_else(|| refused(id, "does not exist: `gwbank review list` names them"))
    }

    /// Notes the series that another set of rejections judges otherwise; `None` where the change is none of rejections.
    async fn prepare_rejections(
        &self,
        added: Option<&Review>,
        withdrawn: Option<&Review>,
    ) -> Result<Option<crate::rejudge::NextBasis>, IngestError> {
        if added.or(withdrawn).is_none_or(|review| review.action != ReviewAction::Reject) {
            return Ok(None);
        }
        let mut next: Vec<Review> = self.reviews.borrow().all().to_vec();
        next.retain(|review| withdrawn.is_none_or(|withdrawn| withdrawn.id != review.id));
        next.extend(added.cloned());
        let next = Arc::new(rejections(&next));
        self.prepare_basis(|basis| basis.rejections = next).await.map(Some)
    }

    fn publish_review(&self, review: Review) {
        self.reviews.send_modify(|known| *known = Arc::new(known.with(review)));
    }

    /// Takes over what another process was told. The caller holds `administration`.
    pub(crate) async fn look_at_reviews(&self) -> Result<(), IngestError> {
        let stored = self.metadata.reviews().await?;
        if stored == self.reviews.borrow().all() {
            return Ok(());
        }
        let next = rejections(&stored);
        if next != *self.rejections() {
            let next = Arc::new(next);
            let basis = self.prepare_basis(|basis| basis.rejections = next).await?;
            self.take_up_basis(basis);
        }
        self.reviews.send_replace(Arc::new(Reviews::new(stored)));
        Ok(())
    }

    fn rejections(&self) -> Arc<FindingsBySeries> {
        self.applier.lock().judge.basis().rejections.clone()
    }
}
