//! What a person decided on a stretch of a series, and which readings that approves.
//!
//! # Rules
//! 1. A review is about what was known when it was made: its [`Review::seq`]. What came, was corrected or was judged otherwise
//!    since is provisional, until somebody looks at it.
//! 2. An approval changes no reading. A rejection is part of what readings are judged by, of those that come later into its
//!    stretch, too. A correction is a version of each reading, by the sender [`gwbank_model::GatewayId::REVIEW`].
//! 3. Nothing is removed: who takes a review back says why, and it stays with that.

use std::collections::HashMap;
use std::sync::Arc;

use gwbank_model::{Parameter, Seq, Timestamp, WellId, named_enum};

/// Given by the store, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReviewId(pub i64);

impl std::fmt::Display for ReviewId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

named_enum! {
    /// What was decided.
    ReviewAction, "review action" {
        /// The readings are right as they are.
        Approve = 1, "approve";
        /// The readings are wrong and cannot be mended: they fail.
        Reject = 2, "reject";
        /// `amount` is added.
        Add = 3, "add";
        /// From `amount` at the start of the stretch to `amount_end` at its end is added, in proportion to time.
        Drift = 4, "drift";
        /// Values are multiplied by `amount`.
        Scale = 5, "scale";
        /// Values become `amount`.
        Set = 6, "set";
    }
}

impl ReviewAction {
    /// Whether values change.
    pub const fn corrects(self) -> bool {
        matches!(self, Self::Add | Self::Drift | Self::Scale | Self::Set)
    }
}

/// A review as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct NewReview {
    pub well_id: WellId,
    pub parameter: Parameter,
    /// Both ends are inside; `None` is open.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub action: ReviewAction,
    pub amount: Option<f64>,
    pub amount_end: Option<f64>,
    pub author: String,
    pub reason: String,
}

/// One row of the table `reviews`.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    pub id: ReviewId,
    pub well_id: WellId,
    pub parameter: Parameter,
    /// Both ends are inside; `None` is open.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub action: ReviewAction,
    /// In the parameter's canonical unit, but for [`ReviewAction::Scale`].
    pub amount: Option<f64>,
    pub amount_end: Option<f64>,
    pub author: String,
    pub reason: String,
    /// Versions up to here were known.
    pub seq: Seq,
    pub created_at: Timestamp,
    /// In the stretch when it was made.
    pub readings: u64,
    /// When all of it was in effect; `None` while a correction is being written.
    pub done_at: Option<Timestamp>,
    pub withdrawal: Option<Withdrawal>,
}

/// Who took a review back, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Withdrawal {
    pub author: String,
    pub reason: String,
    pub seq: Seq,
    pub at: Timestamp,
    /// When all was as it had been; `None` while former values are being written.
    pub done_at: Option<Timestamp>,
}

impl Review {
    /// Whether it held for those who knew everything up to a position.
    pub fn held_at(&self, known: Seq) -> bool {
        self.seq <= known && self.withdrawal.as_ref().is_none_or(|withdrawal| withdrawal.seq > known)
    }

    pub fn covers(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time <= to)
    }

    /// The first and the last instant that it is about.
    pub fn ends(&self) -> (Timestamp, Timestamp) {
        (self.from.unwrap_or(Timestamp::MIN), self.to.unwrap_or(Timestamp::MAX))
    }
}

/// A version of a reading, as far as its approval depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReviewedVersion {
    pub time: Timestamp,
    pub seq: Seq,
    /// Whether [`gwbank_model::GatewayId::REVIEW`] sent it.
    pub is_corrected: bool,
    /// Whether [`gwbank_model::QcTest::Review`] objects to it.
    pub is_rejected: bool,
}

/// All reviews, with what those that hold approve.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reviews {
    all: Vec<Review>,
    approvals: Arc<Approvals>,
}

impl Reviews {
    pub fn new(all: Vec<Review>) -> Self {
        let approvals = Arc::new(Approvals::new(&all));
        Self { all, approvals }
    }

    /// By id.
    pub fn all(&self) -> &[Review] {
        &self.all
    }

    pub fn get(&self, id: ReviewId) -> Option<&Review> {
        self.all.iter().find(|review| review.id == id)
    }

    /// By those that hold now.
    pub fn approvals(&self) -> &Arc<Approvals> {
        &self.approvals
    }

    /// With one added, or in the place of the one that has its number.
    #[must_use]
    pub fn with(&self, review: Review) -> Self {
        let mut all = self.all.clone();
        match all.iter_mut().find(|known| known.id == review.id) {
            Some(known) => *known = review,
            None => all.push(review),
        }
        Self::new(all)
    }
}

/// The reviews that hold, by series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Approvals(HashMap<WellId, Vec<(Parameter, Vec<Review>)>>);

/// The reviews of one series.
#[derive(Debug, Clone, Copy)]
pub struct SeriesApprovals<'a>(&'a [Review]);

impl Approvals {
    /// By all reviews that hold now.
    pub fn new(reviews: &[Review]) -> Self {
        Self::as_known_at(reviews, Seq::MAX)
    }

    /// By those that held for who knew everything up to a position.
    pub fn as_known_at(reviews: &[Review], known: Seq) -> Self {
        let mut by_well: HashMap<WellId, Vec<(Parameter, Vec<Review>)>> = HashMap::new();
        for review in reviews.iter().filter(|review| review.held_at(known)) {
            let of_well = by_well.entry(review.well_id.clone()).or_default();
            match of_well.iter_mut().find(|(parameter, _)| *parameter == review.parameter) {
                Some((_, of_series)) => of_series.push(review.clone()),
                None => of_well.push((review.parameter, vec![review.clone()])),
            }
        }
        Self(by_well)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `None` of a series that nobody reviewed: all of it is provisional.
    pub fn of(&self, well: &str, parameter: Parameter) -> Option<SeriesApprovals<'_>> {
        let of_series = self.0.get(well)?.iter().find(|(of, _)| *of == parameter)?;
        Some(SeriesApprovals(&of_series.1))
    }
}

impl SeriesApprovals<'_> {
    /// Whether a person has decided on the reading as it is.
    pub fn approves(&self, version: ReviewedVersion) -> bool {
        let decides = |review: &Review| match review.action {
            ReviewAction::Approve => version.seq <= review.seq,
            ReviewAction::Reject => version.is_rejected,
            _ => version.is_corrected && version.seq > review.seq,
        };
        self.0.iter().any(|review| review.covers(version.time) && decides(review))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(action: ReviewAction, seq: i64) -> Review {
        Review {
            id: ReviewId(1),
            well_id: WellId::new("A").unwrap(),
            parameter: Parameter::DepthToWater,
            from: Some(Timestamp::from_secs(10)),
            to: Some(Timestamp::from_secs(20)),
            action,
            amount: None,
            amount_end: None,
            author: "somchai".to_owned(),
            reason: "as measured by hand".to_owned(),
            seq: Seq::from_i64(seq),
            created_at: Timestamp::from_secs(0),
            readings: 2,
            done_at: None,
            withdrawal: None,
        }
    }

    const VERSION: ReviewedVersion = ReviewedVersion {
        time: Timestamp::from_secs(10),
        seq: Seq::from_i64(5),
        is_corrected: false,
        is_rejected: false,
    };

    fn approves(reviews: &[Review], version: ReviewedVersion) -> bool {
        Approvals::new(reviews).of("A", Parameter::DepthToWater).is_some_and(|of| of.approves(version))
    }

    #[test]
    fn an_approval_is_of_what_was_known() {
        let approved = [review(ReviewAction::Approve, 5)];
        assert!(approves(&approved, VERSION));
        assert!(approves(&approved, ReviewedVersion { time: Timestamp::from_secs(20), ..VERSION }));
        assert!(!approves(&approved, ReviewedVersion { time: Timestamp::from_secs(21), ..VERSION }));
        assert!(!approves(&approved, ReviewedVersion { seq: Seq::from_i64(6), ..VERSION }), "came after it");
        assert!(Approvals::new(&approved).of("A", Parameter::Ph).is_none());
        assert!(Approvals::new(&approved).of("B", Parameter::DepthToWater).is_none());
    }

    #[test]
    fn what_a_person_changed_is_approved_and_what_others_send_is_not() {
        let corrected = [review(ReviewAction::Add, 5)];
        assert!(!approves(&corrected, VERSION), "not written yet");
        let written = ReviewedVersion { seq: Seq::from_i64(6), is_corrected: true, ..VERSION };
        assert!(approves(&corrected, written));
        assert!(
            !approves(&corrected, ReviewedVersion { is_corrected: false, ..written }),
            "a later value of a gateway"
        );
        assert!(approves(&[review(ReviewAction::Reject, 5)], ReviewedVersion { is_rejected: true, ..VERSION }));
        assert!(!approves(&[review(ReviewAction::Reject, 5)], VERSION));
    }

    #[test]
    fn a_review_holds_until_it_is_withdrawn() {
        let withdrawal = Withdrawal {
            author: "malee".to_owned(),
            reason: "wrong well".to_owned(),
            seq: Seq::from_i64(9),
            at: Timestamp::from_secs(9),
            done_at: None,
        };
        let withdrawn = Review { withdrawal: Some(withdrawal), ..review(ReviewAction::Approve, 5) };
        assert!(!approves(std::slice::from_ref(&withdrawn), VERSION));
        let held =
            |known: i64| !Approvals::as_known_at(std::slice::from_ref(&withdrawn), Seq::from_i64(known)).is_empty();
        assert_eq!([4, 5, 8, 9].map(held), [false, true, true, false]);
    }
}
