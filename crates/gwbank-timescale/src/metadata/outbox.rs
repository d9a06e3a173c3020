//! The outbox: what is owed, who has it, what became of it.

use std::collections::BTreeSet;

use deadpool_postgres::Transaction;
use futures::future::try_join_all;
use gwbank_store::{
    Became, Delivery, DeliveryAttempt, OutboxCount, OutboxLease, OutboxMessage, OwedMessage, Settlement,
};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::limit_to_sql;
use crate::error::WorkError;
use crate::values::{Columns, Instant, StrangeValue};

pub(super) async fn add(transaction: &Transaction<'_>, messages: &[OutboxMessage]) -> Result<(), WorkError> {
    if messages.is_empty() {
        return Ok(());
    }
    // What waits of a stream goes with a message that may not wait, before it.
    let hurry = transaction
        .prepare_cached(
            "UPDATE outbox SET not_before = $2, next_at = least(next_at, $2)
             WHERE stream = $1 AND state = 'pending' AND not_before > $2",
        )
        .await?;
    let streams = messages.iter().filter(|new| new.stream.is_some() && new.not_before <= new.created_at);
    // The same of what waits for a digest of the contact: it must not be told after what came of it.
    let out_of_digest = transaction
        .prepare_cached(
            "UPDATE outbox SET not_before = $3, next_at = $3, stream = $4, digest = NULL
             WHERE flag_id = $1 AND contact_id = $2 AND state = 'pending' AND digest IS NOT NULL AND attempts = 0
                AND leased_by IS NULL AND not_before > $3",
        )
        .await?;
    for new in streams {
        transaction.execute(&hurry, &[&new.stream, &Instant(new.created_at)]).await?;
        let row: [&(dyn ToSql + Sync); 4] = [&new.flag_id, &new.contact_id, &Instant(new.created_at), &new.stream];
        transaction.execute(&out_of_digest, &row).await?;
    }
    let add = transaction
        .prepare_cached(
            "INSERT INTO outbox (idempotency_key, channel, target, body, created_at, flag_id, office_id, contact_id,
                stream, not_before, next_at, expires_at, digest)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12) ON CONFLICT DO NOTHING",
        )
        .await?;
    try_join_all(messages.iter().map(async |new| {
        let row: [&(dyn ToSql + Sync); 12] = [
            &new.idempotency_key,
            &new.channel,
            &new.target,
            &new.body,
            &Instant(new.created_at),
            &new.flag_id,
            &new.office_id,
            &new.contact_id,
            &new.stream,
            &Instant(new.not_before),
            &new.expires_at.map(Instant),
            &new.digest,
        ];
        transaction.execute(&add, &row).await
    }))
    .await?;
    Ok(())
}

pub(super) async fn lease(transaction: &Transaction<'_>, asked: &OutboxLease) -> Result<Vec<OwedMessage>, WorkError> {
    let due = transaction
        .prepare_cached(&format!(
            "SELECT {OWED_COLUMNS}
             FROM outbox o
             WHERE channel = $1 AND state = 'pending' AND next_at <= $2 AND (leased_until IS NULL OR leased_until <= $2)
                AND (stream IS NULL OR NOT EXISTS (SELECT 1 FROM outbox e
                    WHERE e.stream = o.stream AND e.n < o.n AND e.state = 'pending' AND e.not_before <= $2))
             ORDER BY next_at, n LIMIT $3 FOR UPDATE SKIP LOCKED"
        ))
        .await?;
    let limit = limit_to_sql(asked.limit);
    let rows = transaction.query(&due, &[&asked.channel, &Instant(asked.now), &limit]).await?;
    let mut taken: Vec<OwedMessage> = rows.iter().map(owed).collect::<Result<_, _>>()?;
    // A digest is whole, whatever the limit.
    let digests: BTreeSet<String> = taken.iter().filter_map(|owed| owed.message.digest.clone()).collect();
    if !digests.is_empty() {
        let of_digests = transaction
            .prepare_cached(&format!(
                "SELECT {OWED_COLUMNS} FROM outbox
                 WHERE digest = ANY($1) AND channel = $2 AND state = 'pending' AND next_at <= $3
                    AND (leased_until IS NULL OR leased_until <= $3) FOR UPDATE SKIP LOCKED"
            ))
            .await?;
        let digests: Vec<String> = digests.into_iter().collect();
        let rows = transaction.query(&of_digests, &[&digests, &asked.channel, &Instant(asked.now)]).await?;
        taken.retain(|owed| owed.message.digest.is_none());
        taken.extend(rows.iter().map(owed).collect::<Result<Vec<_>, _>>()?);
    }
    let numbers: Vec<i64> = taken.iter().map(|owed| owed.number).collect();
    if !numbers.is_empty() {
        let lease =
            transaction.prepare_cached("UPDATE outbox SET leased_by = $2, leased_until = $3 WHERE n = ANY($1)").await?;
        transaction.execute(&lease, &[&numbers, &asked.holder, &Instant(asked.until)]).await?;
    }
    taken.sort_by_key(|owed| owed.number);
    Ok(taken)
}

const OWED_COLUMNS: &str = "n, attempts, attempts > 0 OR leased_by IS NOT NULL, idempotency_key, channel, target, body, created_at, flag_id, office_id, contact_id,
    stream, not_before, expires_at, digest";

fn owed(row: &Row) -> Result<OwedMessage, StrangeValue> {
    let mut columns = Columns::of(row);
    Ok(OwedMessage {
        number: columns.get()?,
        attempts: columns.number()?,
        may_have_been_sent: columns.get()?,
        message: OutboxMessage {
            idempotency_key: columns.get()?,
            channel: columns.get()?,
            target: columns.get()?,
            body: columns.get()?,
            created_at: columns.time()?,
            flag_id: columns.get()?,
            office_id: columns.get()?,
            contact_id: columns.get()?,
            stream: columns.get()?,
            not_before: columns.time()?,
            expires_at: columns.time_opt()?,
            digest: columns.get()?,
        },
    })
}

pub(super) async fn settle(transaction: &Transaction<'_>, settlements: &[Settlement]) -> Result<(), WorkError> {
    let attempt = transaction
        .prepare_cached("INSERT INTO delivery_attempts (idempotency_key, at, outcome, detail) VALUES ($1, $2, $3, $4)")
        .await?;
    let end = transaction
        .prepare_cached(
            "UPDATE outbox SET state = $2, ended_at = $3, detail = $4, attempts = attempts + $5, leased_by = NULL,
                leased_until = NULL
             WHERE idempotency_key = $1 AND state = 'pending'",
        )
        .await?;
    let later = transaction
        .prepare_cached(
            "UPDATE outbox SET next_at = $2, detail = $3, attempts = attempts + $4, leased_by = NULL,
                leased_until = NULL, digest = coalesce($5, digest), stream = CASE WHEN $5 IS NULL THEN stream END
             WHERE idempotency_key = $1 AND state = 'pending'",
        )
        .await?;
    for Settlement { idempotency_key, at, became, detail } in settlements {
        transaction.execute(&attempt, &[idempotency_key, &Instant(*at), &became.name(), detail]).await?;
        let attempts = i64::from(became.is_attempt());
        let (until, digest) = match became {
            Became::Delivered | Became::Dead | Became::Expired => {
                let state = became.state().name();
                transaction.execute(&end, &[idempotency_key, &state, &Instant(*at), detail, &attempts]).await?;
                continue;
            }
            Became::Retry(until) => (until, None),
            Became::Postponed { until, digest } => (until, digest.as_deref()),
        };
        transaction.execute(&later, &[idempotency_key, &Instant(*until), detail, &attempts, &digest]).await?;
    }
    Ok(())
}

pub(super) async fn release(transaction: &Transaction<'_>, holder: &str) -> Result<(), WorkError> {
    let statement = transaction
        .prepare_cached(
            // That somebody had it stays: its receiver may have it, too.
            "UPDATE outbox SET leased_until = NULL WHERE state = 'pending' AND leased_by = $1",
        )
        .await?;
    transaction.execute(&statement, &[&holder]).await?;
    Ok(())
}

pub(super) async fn counts(transaction: &Transaction<'_>) -> Result<Vec<OutboxCount>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT channel, state, count(*), min(created_at) FROM outbox GROUP BY channel, state
             ORDER BY channel, state",
        )
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    let row = |row| {
        let mut columns = Columns::of(row);
        Ok(OutboxCount {
            channel: columns.get()?,
            state: columns.parsed()?,
            messages: columns.count()?,
            oldest: columns.time()?,
        })
    };
    rows.iter().map(row).collect()
}

pub(super) async fn deliveries(
    transaction: &Transaction<'_>,
    flag_id: Option<&str>,
) -> Result<Vec<Delivery>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT idempotency_key, channel, flag_id, office_id, contact_id, state, attempts, created_at, not_before,
                next_at, expires_at, digest, ended_at, detail
             FROM outbox WHERE $1::text IS NULL OR flag_id = $1 ORDER BY n",
        )
        .await?;
    let rows = transaction.query(&statement, &[&flag_id]).await?;
    let row = |row| {
        let mut columns = Columns::of(row);
        Ok(Delivery {
            idempotency_key: columns.get()?,
            channel: columns.get()?,
            flag_id: columns.get()?,
            office_id: columns.get()?,
            contact_id: columns.get()?,
            state: columns.parsed()?,
            attempts: columns.number()?,
            created_at: columns.time()?,
            not_before: columns.time()?,
            next_at: columns.time()?,
            expires_at: columns.time_opt()?,
            digest: columns.get()?,
            ended_at: columns.time_opt()?,
            detail: columns.get()?,
        })
    };
    rows.iter().map(row).collect()
}

pub(super) async fn attempts(
    transaction: &Transaction<'_>,
    key: Option<&str>,
) -> Result<Vec<DeliveryAttempt>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT idempotency_key, at, outcome, detail FROM delivery_attempts
             WHERE $1::text IS NULL OR idempotency_key = $1 ORDER BY n",
        )
        .await?;
    let rows = transaction.query(&statement, &[&key]).await?;
    let row = |row| {
        let mut columns = Columns::of(row);
        Ok(DeliveryAttempt {
            idempotency_key: columns.get()?,
            at: columns.time()?,
            outcome: columns.get()?,
            detail: columns.get()?,
        })
    };
    rows.iter().map(row).collect()
}
