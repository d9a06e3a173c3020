//! What people decided on stretches of series.

use deadpool_postgres::Transaction;
use gwbank_model::Seq;
use gwbank_store::{DirtyMonth, Review, ReviewId, Withdrawal};
use tokio_postgres::Row;

use super::marks;
use crate::error::WorkError;
use crate::values::{Columns, Instant, StrangeValue, count_from_sql, count_to_sql};

fn review(row: &Row) -> Result<Review, StrangeValue> {
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
}

pub(super) async fn all(transaction: &Transaction<'_>) -> Result<Vec<Review>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT id, well_id, parameter, from_time, to_time, action, amount, amount_end, author, reason, seq, created_at,
                readings, done_at, withdrawn_by, withdrawn_reason, withdrawn_seq, withdrawn_at, withdrawal_done_at
             FROM reviews ORDER BY id",
        )
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    Ok(rows.iter().map(review).collect::<Result<_, _>>()?)
}

/// Nodes number one after the other.
pub(super) async fn add(
    transaction: &Transaction<'_>,
    review: Review,
    dirty: &[DirtyMonth],
) -> Result<ReviewId, WorkError> {
    transaction.batch_execute("LOCK TABLE reviews IN SHARE ROW EXCLUSIVE MODE").await?;
    let last = transaction.query_one("SELECT coalesce(max(id), 0) FROM reviews", &[]).await?;
    let id = ReviewId(last.try_get::<_, i64>(0)? + 1);
    put(transaction, &Review { id, ..review }, dirty).await?;
    Ok(id)
}

pub(super) async fn put(transaction: &Transaction<'_>, review: &Review, dirty: &[DirtyMonth]) -> Result<(), WorkError> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO reviews (id, well_id, parameter, from_time, to_time, action, amount, amount_end, author, reason,
                seq, created_at, readings, done_at, withdrawn_by, withdrawn_reason, withdrawn_seq, withdrawn_at,
                withdrawal_done_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
             ON CONFLICT (id) DO UPDATE SET well_id = excluded.well_id, parameter = excluded.parameter,
                from_time = excluded.from_time, to_time = excluded.to_time, action = excluded.action,
                amount = excluded.amount, amount_end = excluded.amount_end, author = excluded.author,
                reason = excluded.reason, seq = excluded.seq, created_at = excluded.created_at,
                readings = excluded.readings, done_at = excluded.done_at, withdrawn_by = excluded.withdrawn_by,
                withdrawn_reason = excluded.withdrawn_reason, withdrawn_seq = excluded.withdrawn_seq,
                withdrawn_at = excluded.withdrawn_at, withdrawal_done_at = excluded.withdrawal_done_at",
        )
        .await?;
    let Review { id, well_id, parameter, from, to, action, amount, amount_end, author, reason, .. } = review;
    let withdrawal = review.withdrawal.as_ref();
    transaction
        .execute(
            &statement,
            &[
                &id.0,
                &well_id.as_str(),
                &parameter.name(),
                &from.map(Instant),
                &to.map(Instant),
                &action.name(),
                amount,
                amount_end,
                author,
                reason,
                &review.seq.as_i64(),
                &Instant(review.created_at),
                &count_to_sql(review.readings),
                &review.done_at.map(Instant),
                &withdrawal.map(|withdrawal| withdrawal.author.as_str()),
                &withdrawal.map(|withdrawal| withdrawal.reason.as_str()),
                &withdrawal.map(|withdrawal| withdrawal.seq.as_i64()),
                &withdrawal.map(|withdrawal| Instant(withdrawal.at)),
                &withdrawal.and_then(|withdrawal| withdrawal.done_at).map(Instant),
            ],
        )
        .await?;
    marks::add(transaction, dirty).await
}
