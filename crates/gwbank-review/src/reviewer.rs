//! Takes reviews, and brings them to their end.

use std::collections::{BTreeSet, HashMap};

use gwbank_model::{GatewayIndex, Month, Reading, Row, Seq, Timestamp};
use gwbank_store::{NewReview, Review, ReviewAction, ReviewId};

use crate::correction::corrected;
use crate::parts::{FormerValue, ReviewError, ReviewerParts};

/// Readings that one review may be about: some thirty years of one each quarter of an hour.
pub const READINGS_MAX: usize = 1_500_000;
/// Characters of a reason or a name.
const TEXT_MAX: usize = 2_000;

/// Takes one review at a time; clones would not know of each other.
pub struct Reviewer {
    parts: ReviewerParts,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Reviewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reviewer").finish_non_exhaustive()
    }
}

fn refused(field: &'static str, problem: impl Into<String>) -> ReviewError {
    ReviewError::Refused { field, problem: problem.into() }
}

impl Reviewer {
    pub fn new(parts: ReviewerParts) -> Self {
        Self { parts, one_at_a_time: tokio::sync::Mutex::default() }
    }

    /// Keeps a review. When it returns, queries show it; of a rejection, stored readings are judged anew from then on.
    pub async fn review(&self, asked: NewReview) -> Result<Review, ReviewError> {
        let _one_at_a_time = self.one_at_a_time.lock().await;
        self.check(&asked)?;
        let review = unkept(asked);
        let rows = self.rows(&review).await?;
        let (readings, months) = if review.action.corrects() {
            let changed = rows.iter().filter(|row| corrected(&review, row.time, row.value()).is_some());
            let (mut count, mut finite) = (0, true);
            for row in changed {
                count += 1;
                finite &= corrected(&review, row.time, row.value()).is_some_and(f64::is_finite);
            }
            if !finite {
                return Err(refused("amount", "gives values that are no numbers"));
            }
            if count == 0 && !rows.is_empty() {
                return Err(refused("amount", "changes no value of the stretch: approve the readings instead"));
            }
            // The new values say themselves whose indicators they change.
            (count, Vec::new())
        } else {
            (rows.len(), self.months(&rows))
        };
        if rows.is_empty() && (review.action != ReviewAction::Reject || review.to.is_some()) {
            let Review { well_id, parameter, .. } = &review;
            let problem = format!("no reading of {well_id}/{parameter} lies between them: look at the stretch again");
            return Err(refused("from, to", problem));
        }
        let kept = self.parts.book.add(Review { readings: readings as u64, ..review }, months).await?;
        if kept.action.corrects() {
            self.correct(&kept, &rows).await.map_err(|error| under_way(&kept, error))
        } else {
            Ok(kept)
        }
    }

    /// Takes a review back.
    pub async fn withdraw(&self, id: ReviewId, author: String, reason: String) -> Result<Review, ReviewError> {
        let _one_at_a_time = self.one_at_a_time.lock().await;
        check_text("author", &author)?;
        check_text("reason", &reason)?;
        let reviews = self.parts.book.reviews();
        let review = reviews.get(id).ok_or(ReviewError::Unknown(id))?;
        if let Some(withdrawal) = &review.withdrawal {
            return Err(refused("id", format!("{} has withdrawn review {id} already", withdrawal.author)));
        }
        if review.action.corrects() && review.done_at.is_none() {
            return Err(refused("id", format!("review {id} is still being written: withdraw it once it is done")));
        }
        if let Some(later) = reviews.all().iter().find(|later| rests_on(later, review)) {
            let problem = format!("review {} corrects values of review {id}: withdraw that one first", later.id);
            return Err(refused("id", problem));
        }
        let rows = self.rows(review).await?;
        let months = if review.action.corrects() { Vec::new() } else { self.months(&rows) };
        let withdrawn = self.parts.book.withdraw(id, author, reason, months).await?;
        if withdrawn.action.corrects() {
            self.restore(&withdrawn, &rows).await.map_err(|error| under_way(&withdrawn, error))
        } else {
            Ok(withdrawn)
        }
    }

    /// Goes on with what an earlier process, or an earlier attempt, left half done. Gives how many reviews that were.
    pub async fn resume(&self) -> Result<usize, ReviewError> {
        let mut resumed = 0;
        for id in self.half_done() {
            // Whoever waits to review something is let in between.
            let _one_at_a_time = self.one_at_a_time.lock().await;
            let reviews = self.parts.book.reviews();
            let Some(review) = reviews.get(id).filter(|review| is_half_done(review)) else { continue };
            let rows = self.rows(review).await?;
            match &review.withdrawal {
                Some(_) => self.restore(review, &rows).await?,
                None => self.correct(review, &rows).await?,
            };
            tracing::info!(review = %id, "a review that was left half done is done");
            resumed += 1;
        }
        Ok(resumed)
    }

    fn half_done(&self) -> Vec<ReviewId> {
        self.parts.book.reviews().all().iter().filter(|review| is_half_done(review)).map(|review| review.id).collect()
    }

    fn check(&self, asked: &NewReview) -> Result<(), ReviewError> {
        check_text("author", &asked.author)?;
        check_text("reason", &asked.reason)?;
        if self.parts.registry.borrow().well(asked.well_id.as_str()).is_none() {
            return Err(refused("well_id", format!("no well {} is registered", asked.well_id)));
        }
        if let (Some(from), Some(to)) = (asked.from, asked.to)
            && from > to
        {
            return Err(refused("to", "is before `from`: exchange them"));
        }
        let wanted = match asked.action {
            ReviewAction::Approve | ReviewAction::Reject => 0,
            ReviewAction::Add | ReviewAction::Scale | ReviewAction::Set => 1,
            ReviewAction::Drift => 2,
        };
        let amounts = [("amount", asked.amount, wanted >= 1), ("amount_end", asked.amount_end, wanted == 2)];
        for (field, amount, is_wanted) in amounts {
            match (amount, is_wanted) {
                (None, true) => return Err(refused(field, format!("is missing: `{}` needs it", asked.action))),
                (Some(_), false) => return Err(refused(field, format!("is nothing that `{}` has", asked.action))),
                (Some(amount), true) if !amount.is_finite() => return Err(refused(field, "is no number")),
                _ => {}
            }
        }
        if asked.action == ReviewAction::Drift && !matches!((asked.from, asked.to), (Some(from), Some(to)) if from < to)
        {
            return Err(refused("from, to", "a drift goes from an instant to a later one: name both"));
        }
        if asked.action == ReviewAction::Scale && asked.amount == Some(0.0) {
            return Err(refused("amount", "would make every value 0: use `set` if that is meant"));
        }
        Ok(())
    }

    /// What is stored of the stretch now.
    async fn rows(&self, review: &Review) -> Result<Vec<Row>, ReviewError> {
        let (from, to) = half_open(review);
        let rows = self.parts.reader.rows_between(&review.well_id, review.parameter, from, to).await?;
        if rows.len() > READINGS_MAX {
            let problem =
                format!("{} readings lie between them, more than {READINGS_MAX}: review a part at a time", rows.len());
            return Err(refused("from, to", problem));
        }
        Ok(rows)
    }

    fn months(&self, rows: &[Row]) -> Vec<Month> {
        let offset = self.parts.calendar_offset_seconds;
        let months: BTreeSet<Month> = rows.iter().map(|row| row.time.month(offset)).collect();
        months.into_iter().collect()
    }

    async fn correct(&self, review: &Review, rows: &[Row]) -> Result<Review, ReviewError> {
        let readings = rows.iter().filter(|row| !is_written_by(row, review)).filter_map(|row| {
            let value = corrected(review, row.time, row.value())?;
            let site_status = row.site_status.filter(|_| review.action != ReviewAction::Set);
            let next = FormerValue { time: row.time, value: Some(value), site_status };
            Some(reading(review, next, row))
        });
        self.write(review.id, readings.collect()).await
    }

    async fn restore(&self, review: &Review, rows: &[Row]) -> Result<Review, ReviewError> {
        let (from, to) = half_open(review);
        let known = self.parts.former.as_known_at(&review.well_id, review.parameter, from, to, review.seq).await?;
        let former: HashMap<Timestamp, FormerValue> = known.into_iter().map(|value| (value.time, value)).collect();
        let readings = rows.iter().filter(|row| is_written_by(row, review)).filter_map(|row| {
            let former = *former.get(&row.time)?;
            let is_back = former.value == row.value() && former.site_status == row.site_status;
            (!is_back).then(|| reading(review, former, row))
        });
        self.write(review.id, readings.collect()).await
    }

    async fn write(&self, id: ReviewId, readings: Vec<Reading>) -> Result<Review, ReviewError> {
        for some in readings.chunks(self.parts.readings_at_once.max(1)) {
            self.parts.book.put(some.to_vec()).await?;
        }
        Ok(self.parts.book.finish(id).await?)
    }
}

fn unkept(asked: NewReview) -> Review {
    let NewReview { well_id, parameter, from, to, action, amount, amount_end, author, reason } = asked;
    Review {
        id: ReviewId(0),
        well_id,
        parameter,
        from,
        to,
        action,
        amount,
        amount_end,
        author,
        reason,
        seq: Seq::ZERO,
        created_at: Timestamp::from_micros(0),
        readings: 0,
        done_at: None,
        withdrawal: None,
    }
}

fn under_way(review: &Review, error: ReviewError) -> ReviewError {
    ReviewError::UnderWay { id: review.id, source: Box::new(error) }
}

fn check_text(field: &'static str, text: &str) -> Result<(), ReviewError> {
    if text.trim().is_empty() {
        return Err(refused(field, "is missing: a review says who made it, and why"));
    }
    if text.chars().count() > TEXT_MAX {
        return Err(refused(field, format!("has more than {TEXT_MAX} characters")));
    }
    if text.chars().any(|character| character.is_control() && character != '\n') {
        return Err(refused(field, "has control characters"));
    }
    Ok(())
}

fn is_half_done(review: &Review) -> bool {
    review.action.corrects()
        && match &review.withdrawal {
            Some(withdrawal) => withdrawal.done_at.is_none(),
            None => review.done_at.is_none(),
        }
}

/// Whether a later correction, which stands, started from values of this one.
fn rests_on(later: &Review, review: &Review) -> bool {
    let same_series = later.well_id == review.well_id && later.parameter == review.parameter;
    let ((from, to), (later_from, later_to)) = (review.ends(), later.ends());
    review.action.corrects()
        && later.action.corrects()
        && later.id > review.id
        && later.withdrawal.is_none()
        && same_series
        && later_from <= to
        && from <= later_to
}

/// Whether the value is one that the review put there. No other correction of it has come since.
fn is_written_by(row: &Row, review: &Review) -> bool {
    row.gateway == GatewayIndex::REVIEW && row.seq > review.seq
}

fn half_open(review: &Review) -> (Timestamp, Timestamp) {
    let (from, to) = review.ends();
    (from, if to == Timestamp::MAX { to } else { to.plus_micros(1) })
}

/// What takes the place of a row.
fn reading(review: &Review, next: FormerValue, row: &Row) -> Reading {
    Reading {
        well: review.well_id.clone(),
        parameter: review.parameter,
        time: next.time,
        time_source: row.time_source,
        value: next.value,
        site_status: next.site_status,
        revision: row.revision.saturating_add(1),
        time_raw: None,
    }
}
