//! The outbox: what is owed, who has it, what became of it.

use std::collections::BTreeSet;

use gwbank_model::Timestamp;
use gwbank_store::{
    Became, Delivery, DeliveryAttempt, OutboxCount, OutboxLease, OutboxMessage, OwedMessage, Settlement,
};
use rusqlite::{Connection, Row, params};

use super::values::{Columns, count_from_sql};

pub(super) fn add(connection: &Connection, messages: &[OutboxMessage]) -> rusqlite::Result<()> {
    // What waits of a stream goes with a message that may not wait, before it.
    let mut hurry = connection.prepare_cached(
        "UPDATE outbox SET not_before = ?2, next_at = min(next_at, ?2)
         WHERE stream = ?1 AND state = 'pending' AND not_before > ?2",
    )?;
    // The same of what waits for a digest of the contact: it must not be told after what came of it.
    let mut out_of_digest = connection.prepare_cached(
        "UPDATE outbox SET not_before = ?3, next_at = ?3, stream = ?4, digest = NULL
         WHERE flag_id = ?1 AND contact_id = ?2 AND state = 'pending' AND digest IS NOT NULL AND attempts = 0
            AND leased_by IS NULL AND not_before > ?3",
    )?;
    let mut add = connection.prepare_cached(
        "INSERT OR IGNORE INTO outbox (idempotency_key, channel, target, body, created_at, flag_id, office_id, contact_id,
            stream, not_before, next_at, expires_at, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12)",
    )?;
    for new in messages {
        let added = add.execute(params![
            new.idempotency_key,
            new.channel,
            new.target,
            new.body,
            new.created_at.as_micros(),
            new.flag_id,
            new.office_id,
            new.contact_id,
            new.stream,
            new.not_before.as_micros(),
            new.expires_at.map(Timestamp::as_micros),
            new.digest
        ])?;
        if added > 0 && new.stream.is_some() && new.not_before <= new.created_at {
            let now = new.created_at.as_micros();
            hurry.execute(params![new.stream, now])?;
            out_of_digest.execute(params![new.flag_id, new.contact_id, now, new.stream])?;
        }
    }
    Ok(())
}

/// Whether there may be something to lease.
pub(super) fn is_due(connection: &Connection, asked: &OutboxLease) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE channel = ?1 AND state = 'pending' AND next_at <= ?2
            AND (leased_until IS NULL OR leased_until <= ?2))",
    )?;
    statement.query_row(params![asked.channel, asked.now.as_micros()], |row| row.get(0))
}

pub(super) fn lease(connection: &Connection, asked: &OutboxLease) -> rusqlite::Result<Vec<OwedMessage>> {
    let mut due = connection.prepare_cached(&format!(
        "SELECT {OWED_COLUMNS}
         FROM outbox o
         WHERE channel = ?1 AND state = 'pending' AND next_at <= ?2 AND (leased_until IS NULL OR leased_until <= ?2)
            AND (stream IS NULL OR NOT EXISTS (SELECT 1 FROM outbox e
                WHERE e.stream = o.stream AND e.n < o.n AND e.state = 'pending' AND e.not_before <= ?2))
         ORDER BY next_at, n LIMIT ?3"
    ))?;
    let limit = i64::try_from(asked.limit).unwrap_or(-1);
    let rows = due.query_map(params![asked.channel, asked.now.as_micros(), limit], owed)?;
    let mut taken: Vec<OwedMessage> = rows.collect::<rusqlite::Result<_>>()?;
    // A digest is whole, whatever the limit.
    let mut of_digest = connection.prepare_cached(&format!(
        "SELECT {OWED_COLUMNS} FROM outbox
         WHERE digest = ?1 AND channel = ?2 AND state = 'pending' AND next_at <= ?3
            AND (leased_until IS NULL OR leased_until <= ?3)"
    ))?;
    let digests: BTreeSet<String> = taken.iter().filter_map(|owed| owed.message.digest.clone()).collect();
    taken.retain(|owed| owed.message.digest.is_none());
    for digest in digests {
        let rows = of_digest.query_map(params![digest, asked.channel, asked.now.as_micros()], owed)?;
        for row in rows {
            taken.push(row?);
        }
    }
    let mut lease = connection.prepare_cached("UPDATE outbox SET leased_by = ?2, leased_until = ?3 WHERE n = ?1")?;
    for owed in &taken {
        lease.execute(params![owed.number, asked.holder, asked.until.as_micros()])?;
    }
    taken.sort_by_key(|owed| owed.number);
    Ok(taken)
}

const OWED_COLUMNS: &str = "n, attempts, attempts > 0 OR leased_by IS NOT NULL, idempotency_key, channel, target, body, created_at, flag_id, office_id, contact_id,
    stream, not_before, expires_at, digest";

fn owed(row: &Row<'_>) -> rusqlite::Result<OwedMessage> {
    let mut columns = Columns::of(row);
    Ok(OwedMessage {
        number: columns.get()?,
        attempts: columns.get()?,
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

pub(super) fn settle(connection: &Connection, settlements: &[Settlement]) -> rusqlite::Result<()> {
    let mut attempt = connection.prepare_cached(
        "INSERT INTO delivery_attempts (idempotency_key, at, outcome, detail) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut end = connection.prepare_cached(
        "UPDATE outbox SET state = ?2, ended_at = ?3, detail = ?4, attempts = attempts + ?5, leased_by = NULL,
            leased_until = NULL
         WHERE idempotency_key = ?1 AND state = 'pending'",
    )?;
    let mut later = connection.prepare_cached(
        "UPDATE outbox SET next_at = ?2, detail = ?3, attempts = attempts + ?4, leased_by = NULL, leased_until = NULL,
            digest = coalesce(?5, digest), stream = CASE WHEN ?5 IS NULL THEN stream END
         WHERE idempotency_key = ?1 AND state = 'pending'",
    )?;
    for Settlement { idempotency_key, at, became, detail } in settlements {
        attempt.execute(params![idempotency_key, at.as_micros(), became.name(), detail])?;
        let attempts = u32::from(became.is_attempt());
        let (until, digest) = match became {
            Became::Delivered | Became::Dead | Became::Expired => {
                end.execute(params![idempotency_key, became.state().name(), at.as_micros(), detail, attempts])?;
                continue;
            }
            Became::Retry(until) => (until, None),
            Became::Postponed { until, digest } => (until, digest.as_deref()),
        };
        later.execute(params![idempotency_key, until.as_micros(), detail, attempts, digest])?;
    }
    Ok(())
}

pub(super) fn release(connection: &Connection, holder: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            // That somebody had it stays: its receiver may have it, too.
            "UPDATE outbox SET leased_until = NULL WHERE state = 'pending' AND leased_by = ?1",
        )?
        .execute([holder])?;
    Ok(())
}

pub(super) fn counts(connection: &Connection) -> rusqlite::Result<Vec<OutboxCount>> {
    let mut statement = connection.prepare_cached(
        "SELECT channel, state, count(*), min(created_at) FROM outbox GROUP BY channel, state ORDER BY channel, state",
    )?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        Ok(OutboxCount {
            channel: columns.get()?,
            state: columns.parsed()?,
            messages: count_from_sql(columns.get()?),
            oldest: columns.time()?,
        })
    })?;
    rows.collect()
}

pub(super) fn deliveries(connection: &Connection, flag_id: Option<&str>) -> rusqlite::Result<Vec<Delivery>> {
    let mut statement = connection.prepare_cached(
        "SELECT idempotency_key, channel, flag_id, office_id, contact_id, state, attempts, created_at, not_before, next_at,
            expires_at, digest, ended_at, detail
         FROM outbox WHERE ?1 IS NULL OR flag_id = ?1 ORDER BY n",
    )?;
    let rows = statement.query_map([flag_id], |row| {
        let mut columns = Columns::of(row);
        Ok(Delivery {
            idempotency_key: columns.get()?,
            channel: columns.get()?,
            flag_id: columns.get()?,
            office_id: columns.get()?,
            contact_id: columns.get()?,
            state: columns.parsed()?,
            attempts: columns.get()?,
            created_at: columns.time()?,
            not_before: columns.time()?,
            next_at: columns.time()?,
            expires_at: columns.time_opt()?,
            digest: columns.get()?,
            ended_at: columns.time_opt()?,
            detail: columns.get()?,
        })
    })?;
    rows.collect()
}

pub(super) fn attempts(connection: &Connection, key: Option<&str>) -> rusqlite::Result<Vec<DeliveryAttempt>> {
    let mut statement = connection.prepare_cached(
        "SELECT idempotency_key, at, outcome, detail FROM delivery_attempts
         WHERE ?1 IS NULL OR idempotency_key = ?1 ORDER BY n",
    )?;
    let rows = statement.query_map([key], |row| {
        let mut columns = Columns::of(row);
        Ok(DeliveryAttempt {
            idempotency_key: columns.get()?,
            at: columns.time()?,
            outcome: columns.get()?,
            detail: columns.get()?,
        })
    })?;
    rows.collect()
}
