//! What people decided on stretches of series.

use gwbank_model::{Seq, Timestamp};
use gwbank_store::{DirtyMonth, Review, ReviewId, Withdrawal};
use rusqlite::{Connection, params};

use super::marks;
use super::values::{Columns, count_from_sql, count_to_sql};

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Review>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, well_id, parameter, from_time, to_time, action, amount, amount_end, author, reason, seq, created_at,
            readings, done_at, withdrawn_by, withdrawn_reason, withdrawn_seq, withdrawn_at, withdrawal_done_at
         FROM reviews ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        let mut review = Review {
            id: ReviewId(columns.get()?),
            well_id: columns.parsed()?,
            parameter: columns.parsed()?,
            from: columns.time_opt()?,
            to: columns.time_opt()?,
            action: columns.parsed()?,
            amount: columns.get()?,
            amount_end: columns.get()?,
            author: columns.get()?,
            reason: columns.get()?,
            seq: Seq::from_i64(columns.get()?),
            created_at: columns.time()?,
            readings: count_from_sql(columns.get()?),
            done_at: columns.time_opt()?,
            withdrawal: None,
        };
        if let Some(author) = columns.get::<Option<String>>()? {
            review.withdrawal = Some(Withdrawal {
                author,
                reason: columns.get()?,
                seq: Seq::from_i64(columns.get()?),
                at: columns.time()?,
                done_at: columns.time_opt()?,
            });
        }
        Ok(review)
    })?;
    rows.collect()
}

pub(super) fn add(connection: &Connection, review: Review, dirty: &[DirtyMonth]) -> rusqlite::Result<ReviewId> {
    let id =
        connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM reviews", [], |row| row.get(0)).map(ReviewId)?;
    put(connection, &Review { id, ..review }, dirty)?;
    Ok(id)
}

pub(super) fn put(connection: &Connection, review: &Review, dirty: &[DirtyMonth]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO reviews (id, well_id, parameter, from_time, to_time, action, amount, amount_end, author,
            reason, seq, created_at, readings, done_at, withdrawn_by, withdrawn_reason, withdrawn_seq, withdrawn_at,
            withdrawal_done_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?;
    let micros = |time: Option<Timestamp>| time.map(Timestamp::as_micros);
    let withdrawal = review.withdrawal.as_ref();
    statement.execute(params![
        review.id.0,
        review.well_id.as_str(),
        review.parameter.name(),
        micros(review.from),
        micros(review.to),
        review.action.name(),
        review.amount,
        review.amount_end,
        review.author,
        review.reason,
        review.seq.as_i64(),
        review.created_at.as_micros(),
        count_to_sql(review.readings),
        micros(review.done_at),
        withdrawal.map(|withdrawal| &withdrawal.author),
        withdrawal.map(|withdrawal| &withdrawal.reason),
        withdrawal.map(|withdrawal| withdrawal.seq.as_i64()),
        withdrawal.map(|withdrawal| withdrawal.at.as_micros()),
        withdrawal.and_then(|withdrawal| micros(withdrawal.done_at)),
    ])?;
    marks::add(connection, dirty)
}
