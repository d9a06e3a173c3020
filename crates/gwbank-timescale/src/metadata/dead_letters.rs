//! Dead letters: what could not be stored, as it came, within a bound of bytes.
//!
//! # Format
//! ```text
//! dead_letters          one row per (gateway, reason, subject): the entry, which counts messages and readings
//! dead_letter_messages  one row per message, with its payload
//! dead_letter_shares    what an entry has of a message
//! dead_letter_gateways  what the messages of a gateway take of the bound; dead_letter_totals: of all
//! ```
//!
//! # Rules
//! 1. A payload is kept once, however many entries have a share in it, and goes with the last share that is open.
//! 2. When a bound is reached, the oldest messages expire: first those of a gateway over its own bound, then the oldest of
//!    all. Their entries go on counting them, as `expired`.
//! 3. An entry without any kept payload is counted in the one entry `expired payloads` of its gateway and reason. So there
//!    are never more entries than shares, and what shares take is charged to the bound too.
//! 4. Whoever changes dead letters locks the row of the totals first: nodes change them one after the other.

use deadpool_postgres::Transaction;
use gwbank_model::Seq;
use gwbank_store::{
    DeadLetter, DeadLetterCause, DeadLetterFilter, DeadLetterId, DeadLetterSummary, DeadLetterUsage, DeadMessage,
    EXPIRED_SUBJECT, NewDeadLetter, PayloadPage, SettledDeadLetter,
};

use super::{DeadLetterBounds, limit_to_sql};
use crate::error::WorkError;
use crate::values::{Columns, Instant, count_to_sql, text};

/// Charged to the bound for each message and each share beside their texts: about what rows and indexes take. PostgreSQL
/// compresses payloads by itself; the bound is held as if it did not.
const MESSAGE_BYTES: usize = 256;
const SHARE_BYTES: usize = 512;

const EXPIRED_DETAIL: &str = "the payloads made room for newer ones and cannot be replayed; dead_letters.bytes_max and bytes_max_per_gateway bound them";

pub(super) async fn commit(
    transaction: &Transaction<'_>,
    messages: &[DeadMessage],
    settled: &[SettledDeadLetter],
    bounds: DeadLetterBounds,
) -> Result<(), WorkError> {
    if messages.is_empty() && settled.is_empty() {
        return Ok(());
    }
    transaction.execute("SELECT 1 FROM dead_letter_totals FOR UPDATE", &[]).await?;
    for message in messages {
        add(transaction, message).await?;
    }
    for settled in settled {
        settle(transaction, *settled).await?;
    }
    if messages.is_empty() { Ok(()) } else { expire(transaction, bounds).await }
}

async fn add(transaction: &Transaction<'_>, message: &DeadMessage) -> Result<(), WorkError> {
    let seq = message.seq.as_i64();
    let gateway_id = message.gateway_id.as_str();
    let topic = text(&message.topic);
    let statement = transaction
        .prepare_cached(
            "INSERT INTO dead_letter_messages (seq, gateway_id, received_at, topic, bytes, kept_bytes, payload)
             VALUES ($1, $2, $3, $4, $5, 0, $6) ON CONFLICT DO NOTHING",
        )
        .await?;
    let (bytes, payload) = (message.payload.len() as i64, &*message.payload);
    let added = transaction
        .execute(&statement, &[&seq, &gateway_id, &Instant(message.received_at), &&*topic, &bytes, &payload])
        .await?;
    let kept_already = added == 0;
    let mut charged = if kept_already { 0 } else { MESSAGE_BYTES + topic.len() + payload.len() };
    for letter in &message.letters {
        let (subject, detail) = (text(&letter.cause.subject), text(&letter.detail));
        if kept_already && add_to_share(transaction, message, letter, &subject).await? {
            continue;
        }
        let id = count_in_entry(transaction, message, letter, &subject, &detail).await?;
        let statement = transaction
            .prepare_cached(
                "INSERT INTO dead_letter_shares (seq, id, reason, subject, detail, readings)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (seq, id) DO UPDATE SET readings = excluded.readings",
            )
            .await?;
        let readings = count_to_sql(letter.readings);
        transaction.execute(&statement, &[&seq, &id, &letter.cause.reason, &&*subject, &&*detail, &readings]).await?;
        charged += SHARE_BYTES + subject.len() + detail.len();
    }
    let charged = charged as i64;
    let statement = transaction
        .prepare_cached("UPDATE dead_letter_messages SET kept_bytes = kept_bytes + $2 WHERE seq = $1")
        .await?;
    transaction.execute(&statement, &[&seq, &charged]).await?;
    charge_gateway(transaction, gateway_id, charged).await
}

/// Adds readings to a letter of the message that is open already; false where there is none.
async fn add_to_share(
    transaction: &Transaction<'_>,
    message: &DeadMessage,
    letter: &NewDeadLetter,
    subject: &str,
) -> Result<bool, WorkError> {
    let statement = transaction
        .prepare_cached(
            "WITH share AS (
                UPDATE dead_letter_shares SET readings = readings + $4
                WHERE seq = $1 AND reason = $2 AND subject = $3 AND readings > 0 RETURNING id)
             UPDATE dead_letters d SET readings = d.readings + $4 FROM share WHERE d.id = share.id",
        )
        .await?;
    let readings = count_to_sql(letter.readings);
    let changed =
        transaction.execute(&statement, &[&message.seq.as_i64(), &letter.cause.reason, &subject, &readings]).await?;
    Ok(changed > 0)
}

/// Counts a message in its entry, which is made when there is none.
async fn count_in_entry(
    transaction: &Transaction<'_>,
    message: &DeadMessage,
    letter: &NewDeadLetter,
    subject: &str,
    detail: &str,
) -> Result<i64, WorkError> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO dead_letters AS d (gateway_id, reason, subject, topic, detail, received_at, last_received_at,
                count, readings, payload_bytes)
             VALUES ($1, $2, $3, $4, $5, $6, $6, 1, $7, $8)
             ON CONFLICT (gateway_id, reason, subject) DO UPDATE SET
                received_at = least(d.received_at, excluded.received_at),
                last_received_at = greatest(d.last_received_at, excluded.last_received_at),
                count = d.count + 1, readings = d.readings + excluded.readings,
                payload_bytes = d.payload_bytes + excluded.payload_bytes
             RETURNING id",
        )
        .await?;
    let row = transaction
        .query_one(
            &statement,
            &[
                &message.gateway_id.as_str(),
                &letter.cause.reason,
                &subject,
                &&*text(&message.topic),
                &detail,
                &Instant(message.received_at),
                &count_to_sql(letter.readings),
                &(message.payload.len() as i64),
            ],
        )
        .await?;
    Ok(row.get(0))
}

async fn charge_gateway(transaction: &Transaction<'_>, gateway_id: &str, kept_bytes: i64) -> Result<(), WorkError> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO dead_letter_gateways AS g VALUES ($1, $2)
             ON CONFLICT (gateway_id) DO UPDATE SET kept_bytes = g.kept_bytes + excluded.kept_bytes",
        )
        .await?;
    transaction.execute(&statement, &[&gateway_id, &kept_bytes]).await?;
    let statement = transaction.prepare_cached("UPDATE dead_letter_totals SET kept_bytes = kept_bytes + $1").await?;
    transaction.execute(&statement, &[&kept_bytes]).await?;
    Ok(())
}

async fn settle(transaction: &Transaction<'_>, settled: SettledDeadLetter) -> Result<(), WorkError> {
    let SettledDeadLetter { id: DeadLetterId(id), seq, readings } = settled;
    let seq = seq.as_i64();
    let statement = transaction
        .prepare_cached(
            "SELECT readings, bytes FROM dead_letter_shares JOIN dead_letter_messages USING (seq)
             WHERE seq = $1 AND id = $2 AND readings > 0",
        )
        .await?;
    let Some(share) = transaction.query_opt(&statement, &[&seq, &id]).await? else { return Ok(()) };
    let (dead, bytes): (i64, i64) = (share.get(0), share.get(1));
    let settled = i64::try_from(readings).map_or(dead, |readings| readings.min(dead));
    let statement = transaction
        .prepare_cached("UPDATE dead_letter_shares SET readings = readings - $3 WHERE seq = $1 AND id = $2")
        .await?;
    transaction.execute(&statement, &[&seq, &id, &settled]).await?;
    let (messages, bytes) = if settled == dead { (1i64, bytes) } else { (0, 0) };
    let statement = transaction
        .prepare_cached(
            "UPDATE dead_letters SET count = count - $2, readings = readings - $3, payload_bytes = payload_bytes - $4
             WHERE id = $1",
        )
        .await?;
    transaction.execute(&statement, &[&id, &messages, &settled, &bytes]).await?;
    if messages == 0 {
        return Ok(());
    }
    close_entry(transaction, id).await?;
    let statement = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM dead_letter_shares WHERE seq = $1 AND readings > 0)")
        .await?;
    if transaction.query_one(&statement, &[&seq]).await?.get(0) {
        return Ok(());
    }
    let gateway_id = delete_message(transaction, seq).await?;
    forget_error(transaction, &gateway_id).await
}

/// Of a gateway without any kept message: nothing is left to mend.
async fn forget_error(transaction: &Transaction<'_>, gateway_id: &str) -> Result<(), WorkError> {
    let statement = transaction
        .prepare_cached(
            "UPDATE gateway_counts SET last_error = NULL WHERE gateway_id = $1 AND last_error IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM dead_letter_messages WHERE gateway_id = $1)",
        )
        .await?;
    transaction.execute(&statement, &[&gateway_id]).await?;
    Ok(())
}

/// Ends an entry that has no open share: what it counts yet has expired.
async fn close_entry(transaction: &Transaction<'_>, id: i64) -> Result<(), WorkError> {
    let statement = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM dead_letter_shares WHERE id = $1 AND readings > 0)")
        .await?;
    if transaction.query_one(&statement, &[&id]).await?.get(0) {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO dead_letters AS d (gateway_id, reason, subject, topic, detail, received_at, last_received_at,
                count, readings, payload_bytes, expired)
             SELECT gateway_id, reason, $2, '', $3, received_at, last_received_at, count, readings, 0, count
             FROM dead_letters WHERE id = $1 AND count > 0 AND subject <> $2
             ON CONFLICT (gateway_id, reason, subject) DO UPDATE SET
                received_at = least(d.received_at, excluded.received_at),
                last_received_at = greatest(d.last_received_at, excluded.last_received_at),
                count = d.count + excluded.count, readings = d.readings + excluded.readings,
                expired = d.expired + excluded.expired",
        )
        .await?;
    transaction.execute(&statement, &[&id, &EXPIRED_SUBJECT, &EXPIRED_DETAIL]).await?;
    let statement =
        transaction.prepare_cached("DELETE FROM dead_letters WHERE id = $1 AND (subject <> $2 OR count = 0)").await?;
    transaction.execute(&statement, &[&id, &EXPIRED_SUBJECT]).await?;
    Ok(())
}

/// Deletes a message with its shares; gives its gateway.
async fn delete_message(transaction: &Transaction<'_>, seq: i64) -> Result<String, WorkError> {
    let statement = transaction
        .prepare_cached("DELETE FROM dead_letter_messages WHERE seq = $1 RETURNING gateway_id, kept_bytes")
        .await?;
    let row = transaction.query_one(&statement, &[&seq]).await?;
    let (gateway_id, kept_bytes): (String, i64) = (row.get(0), row.get(1));
    let statement = transaction.prepare_cached("DELETE FROM dead_letter_shares WHERE seq = $1").await?;
    transaction.execute(&statement, &[&seq]).await?;
    charge_gateway(transaction, &gateway_id, -kept_bytes).await?;
    let statement = transaction
        .prepare_cached("DELETE FROM dead_letter_gateways WHERE gateway_id = $1 AND kept_bytes <= 0")
        .await?;
    transaction.execute(&statement, &[&gateway_id]).await?;
    Ok(gateway_id)
}

/// Lets the oldest messages go until the rest is within the bounds.
async fn expire(transaction: &Transaction<'_>, bounds: DeadLetterBounds) -> Result<(), WorkError> {
    let bound = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let statement = transaction
        .prepare_cached(
            "SELECT m.seq FROM dead_letter_messages m
             WHERE m.gateway_id = (SELECT gateway_id FROM dead_letter_gateways WHERE kept_bytes > $1 LIMIT 1)
             ORDER BY m.seq LIMIT 1",
        )
        .await?;
    while let Some(row) = transaction.query_opt(&statement, &[&bound(bounds.bytes_max_per_gateway)]).await? {
        expire_message(transaction, row.get(0)).await?;
    }
    let statement = transaction
        .prepare_cached(
            "SELECT m.seq FROM dead_letter_messages m
             WHERE (SELECT kept_bytes FROM dead_letter_totals) > $1 ORDER BY m.seq LIMIT 1",
        )
        .await?;
    while let Some(row) = transaction.query_opt(&statement, &[&bound(bounds.bytes_max)]).await? {
        expire_message(transaction, row.get(0)).await?;
    }
    Ok(())
}

async fn expire_message(transaction: &Transaction<'_>, seq: i64) -> Result<(), WorkError> {
    let statement = transaction
        .prepare_cached(
            "UPDATE dead_letters d SET expired = d.expired + 1, payload_bytes = d.payload_bytes - m.bytes
             FROM dead_letter_shares s JOIN dead_letter_messages m USING (seq)
             WHERE m.seq = $1 AND s.readings > 0 AND s.id = d.id RETURNING d.id",
        )
        .await?;
    let mut entries: Vec<i64> = transaction.query(&statement, &[&seq]).await?.iter().map(|row| row.get(0)).collect();
    entries.sort_unstable();
    delete_message(transaction, seq).await?;
    for id in entries {
        close_entry(transaction, id).await?;
    }
    transaction.execute("UPDATE dead_letter_totals SET expired = expired + 1", &[]).await?;
    Ok(())
}

pub(super) async fn usage(transaction: &Transaction<'_>) -> Result<DeadLetterUsage, WorkError> {
    let row = transaction.query_one("SELECT kept_bytes, expired FROM dead_letter_totals", &[]).await?;
    let count = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
    Ok(DeadLetterUsage { bytes: count(0), expired: count(1) })
}

pub(super) async fn list(
    transaction: &Transaction<'_>,
    filter: &DeadLetterFilter,
) -> Result<Vec<DeadLetterSummary>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT id, received_at, last_received_at, count, readings, gateway_id, topic, reason, detail, subject,
                payload_bytes, expired
             FROM dead_letters
             WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR gateway_id = $2)
                AND ($3::text IS NULL OR reason = $3)
             ORDER BY id LIMIT $4",
        )
        .await?;
    let id = filter.id.map(|id| id.0);
    let gateway_id = filter.gateway_id.as_ref().map(|id| id.as_str());
    let limit = filter.limit.and_then(limit_to_sql);
    let rows = transaction.query(&statement, &[&id, &gateway_id, &filter.reason, &limit]).await?;
    let row = |row| {
        let mut columns = Columns::of(row);
        Ok(DeadLetterSummary {
            id: DeadLetterId(columns.get()?),
            received_at: columns.time()?,
            last_received_at: columns.time()?,
            count: columns.count()?,
            readings: columns.count()?,
            gateway_id: columns.parsed()?,
            topic: columns.get()?,
            reason: columns.get()?,
            detail: columns.get()?,
            subject: columns.get()?,
            payload_bytes: columns.count()?,
            expired: columns.count()?,
        })
    };
    rows.iter().map(row).collect()
}

/// How many bytes of a page are read with it at most, beside its first payload, is decided by the lengths alone.
pub(super) async fn payloads(
    transaction: &Transaction<'_>,
    id: DeadLetterId,
    page: PayloadPage,
) -> Result<Vec<DeadLetter>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT m.received_at, m.gateway_id, m.topic, s.reason, s.detail, m.payload, s.readings, s.seq
             FROM (
                SELECT s.*, sum(m.bytes) OVER (ORDER BY s.seq) AS bytes_so_far, row_number() OVER (ORDER BY s.seq) AS n
                FROM dead_letter_shares s JOIN dead_letter_messages m USING (seq)
                WHERE s.id = $1 AND s.readings > 0 AND s.seq > $2 ORDER BY s.seq LIMIT $3
             ) s JOIN dead_letter_messages m USING (seq)
             WHERE s.n = 1 OR s.bytes_so_far <= $4::bigint ORDER BY s.seq",
        )
        .await?;
    let bytes_max = i64::try_from(page.bytes_max).unwrap_or(i64::MAX);
    let limit = limit_to_sql(page.payloads_max);
    let rows = transaction.query(&statement, &[&id.0, &page.after.as_i64(), &limit, &bytes_max]).await?;
    let mut letters = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        letters.push(DeadLetter {
            id,
            received_at: columns.time()?,
            gateway_id: columns.parsed()?,
            topic: columns.get()?,
            reason: columns.get()?,
            detail: columns.get()?,
            payload: columns.get::<Vec<u8>>()?.into(),
            readings: columns.count()?,
            seq: Seq::from_i64(columns.get()?),
            beside: Vec::new(),
        });
    }
    let seqs: Vec<i64> = letters.iter().map(|letter| letter.seq.as_i64()).collect();
    let statement = transaction
        .prepare_cached(
            "SELECT seq, reason, subject, readings FROM dead_letter_shares
             WHERE seq = ANY($1) AND id <> $2 ORDER BY seq, id",
        )
        .await?;
    for row in &transaction.query(&statement, &[&seqs, &id.0]).await? {
        let mut columns = Columns::of(row);
        let seq = columns.get::<i64>()?;
        let cause = DeadLetterCause { reason: columns.get()?, subject: columns.get()? };
        let readings = columns.count()?;
        // In the order of seq, and every one is of a letter.
        if let Ok(letter) = letters.binary_search_by_key(&seq, |letter| letter.seq.as_i64()) {
            letters[letter].beside.push((cause, readings));
        }
    }
    Ok(letters)
}
