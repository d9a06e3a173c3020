//! Dead letters: what could not be stored, as it came, within a bound of bytes.
//!
//! # Format
//! ```text
//! dead_letters          one row per (gateway, reason, subject): the entry, which counts messages and readings
//! dead_letter_messages  one row per message, with its payload, deflated
//! dead_letter_shares    what an entry has of a message
//! ```
//!
//! # Rules
//! 1. A payload is kept once, however many entries have a share in it, and goes with the last share that is open.
//! 2. When a bound is reached, the oldest messages expire: first those of a gateway over its own bound, then the oldest of
//!    all. Their entries go on counting them, as `expired`.
//! 3. An entry without any kept payload is counted in the one entry `expired payloads` of its gateway and reason. So there
//!    are never more entries than shares, and what shares take is charged to the bound too.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use gwbank_model::Seq;
use gwbank_store::{
    DeadLetter, DeadLetterCause, DeadLetterFilter, DeadLetterId, DeadLetterSummary, DeadLetterUsage, DeadMessage,
    EXPIRED_SUBJECT, NewDeadLetter, PayloadPage, SettledDeadLetter,
};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteConfig;
use super::ingest::{add_to_number, number};
use super::values::{Columns, count_from_sql, count_to_sql};

/// Charged to the bound for each message and each share beside their texts: about what rows and indexes take. The
/// migration that made these tables has the same numbers.
const MESSAGE_BYTES: usize = 256;
const SHARE_BYTES: usize = 512;

const EXPIRED_DETAIL: &str = "the payloads made room for newer ones and cannot be replayed; dead_letters.bytes_max and bytes_max_per_gateway bound them";

fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(payload).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

fn inflate(kept: &[u8]) -> rusqlite::Result<Vec<u8>> {
    let mut payload = Vec::new();
    let read = DeflateDecoder::new(kept).read_to_end(&mut payload);
    read.map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error)))?;
    Ok(payload)
}

pub(super) fn add(connection: &Connection, message: &DeadMessage) -> rusqlite::Result<()> {
    let kept_already: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM dead_letter_messages WHERE seq = ?1)")?
        .query_row([message.seq.as_i64()], |row| row.get(0))?;
    let mut charged = if kept_already { 0 } else { add_message(connection, message)? };
    for letter in &message.letters {
        if kept_already && add_to_share(connection, message, letter)? {
            continue;
        }
        let id = count_in_entry(connection, message, letter)?;
        connection
            .prepare_cached(
                "INSERT INTO dead_letter_shares (seq, id, reason, subject, detail, readings)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET readings = excluded.readings",
            )?
            .execute(params![
                message.seq.as_i64(),
                id,
                letter.cause.reason,
                letter.cause.subject,
                letter.detail,
                count_to_sql(letter.readings)
            ])?;
        charged += (SHARE_BYTES + letter.cause.subject.len() + letter.detail.len()) as i64;
    }
    connection
        .prepare_cached("UPDATE dead_letter_messages SET kept_bytes = kept_bytes + ?2 WHERE seq = ?1")?
        .execute([message.seq.as_i64(), charged])?;
    charge_gateway(connection, message.gateway_id.as_str(), charged)
}

/// Returns what the message itself takes of the bound.
fn add_message(connection: &Connection, message: &DeadMessage) -> rusqlite::Result<i64> {
    let payload = deflate(&message.payload);
    let charged = MESSAGE_BYTES + message.topic.len() + payload.len();
    connection
        .prepare_cached(
            "INSERT INTO dead_letter_messages (seq, gateway_id, received_at, topic, bytes, kept_bytes, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
        )?
        .execute(params![
            message.seq.as_i64(),
            message.gateway_id.as_str(),
            message.received_at.as_micros(),
            message.topic,
            message.payload.len() as i64,
            payload
        ])?;
    Ok(charged as i64)
}

/// Adds readings to a letter of the message that is open already; false where there is none.
fn add_to_share(connection: &Connection, message: &DeadMessage, letter: &NewDeadLetter) -> rusqlite::Result<bool> {
    let readings = count_to_sql(letter.readings);
    let id: Option<i64> = connection
        .prepare_cached(
            "UPDATE dead_letter_shares SET readings = readings + ?4
             WHERE seq = ?1 AND reason = ?2 AND subject = ?3 AND readings > 0 RETURNING id",
        )?
        .query_row(params![message.seq.as_i64(), letter.cause.reason, letter.cause.subject, readings], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(false) };
    connection
        .prepare_cached("UPDATE dead_letters SET readings = readings + ?2 WHERE id = ?1")?
        .execute([id, readings])?;
    Ok(true)
}

/// Counts a message in its entry, which is made when there is none.
fn count_in_entry(connection: &Connection, message: &DeadMessage, letter: &NewDeadLetter) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO dead_letters (gateway_id, reason, subject, topic, detail, received_at, last_received_at, count,
                readings, payload_bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 1, ?7, ?8)
             ON CONFLICT (gateway_id, reason, subject) DO UPDATE SET
                received_at = min(received_at, excluded.received_at),
                last_received_at = max(last_received_at, excluded.last_received_at),
                count = count + 1, readings = readings + excluded.readings,
                payload_bytes = payload_bytes + excluded.payload_bytes
             RETURNING id",
        )?
        .query_row(
            params![
                message.gateway_id.as_str(),
                letter.cause.reason,
                letter.cause.subject,
                message.topic,
                letter.detail,
                message.received_at.as_micros(),
                count_to_sql(letter.readings),
                message.payload.len() as i64
            ],
            |row| row.get(0),
        )
}

fn charge_gateway(connection: &Connection, gateway_id: &str, kept_bytes: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO dead_letter_gateways VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET kept_bytes = kept_bytes + excluded.kept_bytes",
        )?
        .execute(params![gateway_id, kept_bytes])?;
    add_to_number(connection, "dead_letters_bytes", kept_bytes)
}

pub(super) fn settle(connection: &Connection, settled: SettledDeadLetter) -> rusqlite::Result<()> {
    let SettledDeadLetter { id, seq, readings } = settled;
    let share: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT readings, bytes FROM dead_letter_shares JOIN dead_letter_messages USING (seq)
             WHERE seq = ?1 AND id = ?2 AND readings > 0",
        )?
        .query_row(params![seq.as_i64(), id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((dead, bytes)) = share else { return Ok(()) };
    let settled = i64::try_from(readings).map_or(dead, |readings| readings.min(dead));
    connection
        .prepare_cached("UPDATE dead_letter_shares SET readings = readings - ?3 WHERE seq = ?1 AND id = ?2")?
        .execute(params![seq.as_i64(), id.0, settled])?;
    let (messages, bytes) = if settled == dead { (1, bytes) } else { (0, 0) };
    connection
        .prepare_cached(
            "UPDATE dead_letters SET count = count - ?2, readings = readings - ?3, payload_bytes = payload_bytes - ?4
             WHERE id = ?1",
        )?
        .execute(params![id.0, messages, settled, bytes])?;
    if messages == 0 {
        return Ok(());
    }
    close_entry(connection, id.0)?;
    let open: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM dead_letter_shares WHERE seq = ?1 AND readings > 0)")?
        .query_row([seq.as_i64()], |row| row.get(0))?;
    if open { Ok(()) } else { forget_error(connection, &delete_message(connection, seq.as_i64())?) }
}

/// Of a gateway without any kept message: nothing is left to mend.
fn forget_error(connection: &Connection, gateway_id: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE gateways SET last_error = NULL WHERE gateway_id = ?1
                AND NOT EXISTS (SELECT 1 FROM dead_letter_messages WHERE gateway_id = ?1)",
        )?
        .execute([gateway_id])?;
    Ok(())
}

/// Ends an entry that has no open share: what it counts yet has expired.
fn close_entry(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    let open: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM dead_letter_shares WHERE id = ?1 AND readings > 0)")?
        .query_row([id], |row| row.get(0))?;
    if open {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO dead_letters (gateway_id, reason, subject, topic, detail, received_at, last_received_at, count,
                readings, payload_bytes, expired)
             SELECT gateway_id, reason, ?2, '', ?3, received_at, last_received_at, count, readings, 0, count
             FROM dead_letters WHERE id = ?1 AND count > 0 AND subject <> ?2
             ON CONFLICT (gateway_id, reason, subject) DO UPDATE SET
                received_at = min(received_at, excluded.received_at),
                last_received_at = max(last_received_at, excluded.last_received_at),
                count = count + excluded.count, readings = readings + excluded.readings,
                expired = expired + excluded.expired",
        )?
        .execute(params![id, EXPIRED_SUBJECT, EXPIRED_DETAIL])?;
    connection
        .prepare_cached("DELETE FROM dead_letters WHERE id = ?1 AND (subject <> ?2 OR count = 0)")?
        .execute(params![id, EXPIRED_SUBJECT])?;
    Ok(())
}

/// Deletes a message with its shares; gives its gateway.
fn delete_message(connection: &Connection, seq: i64) -> rusqlite::Result<String> {
    let (gateway_id, kept_bytes): (String, i64) = connection
        .prepare_cached("DELETE FROM dead_letter_messages WHERE seq = ?1 RETURNING gateway_id, kept_bytes")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
    connection.prepare_cached("DELETE FROM dead_letter_shares WHERE seq = ?1")?.execute([seq])?;
    charge_gateway(connection, &gateway_id, -kept_bytes)?;
    connection
        .prepare_cached("DELETE FROM dead_letter_gateways WHERE gateway_id = ?1 AND kept_bytes <= 0")?
        .execute([&gateway_id])?;
    Ok(gateway_id)
}

/// Lets the oldest messages go until the rest is within the bounds.
pub(super) fn expire(connection: &Connection, config: &SqliteConfig) -> rusqlite::Result<()> {
    let bound = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut over = connection.prepare_cached("SELECT gateway_id FROM dead_letter_gateways WHERE kept_bytes > ?1")?;
    let per_gateway = bound(config.dead_letters_bytes_max_per_gateway);
    let gateways: Vec<String> = over.query_map([per_gateway], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut kept = connection.prepare_cached("SELECT kept_bytes FROM dead_letter_gateways WHERE gateway_id = ?1")?;
    let mut oldest =
        connection.prepare_cached("SELECT seq FROM dead_letter_messages WHERE gateway_id = ?1 ORDER BY seq LIMIT 1")?;
    for gateway in gateways {
        // The row goes with the gateway's last message.
        while kept.query_row([&gateway], |row| row.get(0)).optional()?.unwrap_or(0) > per_gateway {
            let Some(seq) = oldest.query_row([&gateway], |row| row.get(0)).optional()? else { break };
            expire_message(connection, seq)?;
        }
    }
    let mut oldest = connection.prepare_cached("SELECT seq FROM dead_letter_messages ORDER BY seq LIMIT 1")?;
    while number(connection, "dead_letters_bytes")? > bound(config.dead_letters_bytes_max) {
        let Some(seq) = oldest.query_row([], |row| row.get(0)).optional()? else { break };
        expire_message(connection, seq)?;
    }
    Ok(())
}

fn expire_message(connection: &Connection, seq: i64) -> rusqlite::Result<()> {
    let mut open = connection.prepare_cached("SELECT id FROM dead_letter_shares WHERE seq = ?1 AND readings > 0")?;
    let entries: Vec<i64> = open.query_map([seq], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut count = connection.prepare_cached(
        "UPDATE dead_letters SET expired = expired + 1,
            payload_bytes = payload_bytes - (SELECT bytes FROM dead_letter_messages WHERE seq = ?2) WHERE id = ?1",
    )?;
    for id in &entries {
        count.execute([*id, seq])?;
    }
    delete_message(connection, seq)?;
    for id in entries {
        close_entry(connection, id)?;
    }
    add_to_number(connection, "dead_letters_expired", 1)
}

pub(super) fn usage(connection: &Connection) -> rusqlite::Result<DeadLetterUsage> {
    let count = |name| number(connection, name).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(DeadLetterUsage { bytes: count("dead_letters_bytes")?, expired: count("dead_letters_expired")? })
}

pub(super) fn list(connection: &Connection, filter: &DeadLetterFilter) -> rusqlite::Result<Vec<DeadLetterSummary>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, received_at, last_received_at, count, readings, gateway_id, topic, reason, detail, subject,
            payload_bytes, expired
         FROM dead_letters
         WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR gateway_id = ?2) AND (?3 IS NULL OR reason = ?3)
         ORDER BY id LIMIT ?4",
    )?;
    let wanted = params![
        filter.id.map(|id| id.0),
        filter.gateway_id.as_ref().map(|id| id.as_str()),
        filter.reason,
        filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1))
    ];
    let rows = statement.query_map(wanted, |row| {
        let mut columns = Columns::of(row);
        Ok(DeadLetterSummary {
            id: DeadLetterId(columns.get()?),
            received_at: columns.time()?,
            last_received_at: columns.time()?,
            count: count_from_sql(columns.get()?),
            readings: count_from_sql(columns.get()?),
            gateway_id: columns.parsed()?,
            topic: columns.get()?,
            reason: columns.get()?,
            detail: columns.get()?,
            subject: columns.get()?,
            payload_bytes: count_from_sql(columns.get()?),
            expired: count_from_sql(columns.get()?),
        })
    })?;
    rows.collect()
}

pub(super) fn payloads(
    connection: &Connection,
    id: DeadLetterId,
    page: PayloadPage,
) -> rusqlite::Result<Vec<DeadLetter>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.received_at, m.gateway_id, m.topic, s.reason, s.detail, m.payload, s.readings, s.seq
         FROM dead_letter_shares s JOIN dead_letter_messages m USING (seq)
         WHERE s.id = ?1 AND s.readings > 0 AND s.seq > ?2 ORDER BY s.seq LIMIT ?3",
    )?;
    let limit = i64::try_from(page.payloads_max).unwrap_or(-1);
    let mut rows = statement.query(params![id.0, page.after.as_i64(), limit])?;
    let mut letters: Vec<DeadLetter> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        let letter = DeadLetter {
            id,
            received_at: columns.time()?,
            gateway_id: columns.parsed()?,
            topic: columns.get()?,
            reason: columns.get()?,
            detail: columns.get()?,
            payload: inflate(&columns.get::<Vec<u8>>()?)?.into(),
            readings: count_from_sql(columns.get()?),
            seq: Seq::from_i64(columns.get()?),
            beside: Vec::new(),
        };
        bytes += letter.payload.len();
        if bytes > page.bytes_max && !letters.is_empty() {
            break;
        }
        letters.push(DeadLetter { beside: beside(connection, id, letter.seq)?, ..letter });
    }
    Ok(letters)
}

/// The other letters of a message.
fn beside(connection: &Connection, id: DeadLetterId, seq: Seq) -> rusqlite::Result<Vec<(DeadLetterCause, u64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT reason, subject, readings FROM dead_letter_shares WHERE seq = ?1 AND id <> ?2 ORDER BY id",
    )?;
    let rows = statement.query_map(params![seq.as_i64(), id.0], |row| {
        let mut columns = Columns::of(row);
        let cause = DeadLetterCause { reason: columns.get()?, subject: columns.get()? };
        Ok((cause, count_from_sql(columns.get()?)))
    })?;
    rows.collect()
}
