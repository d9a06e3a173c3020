//! Gateways, dead letters and marks of dirty months: the effects of the journal.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use gwbank_model::{Month, Seq};
use gwbank_store::{
    DeadLetter, DeadLetterFilter, DeadLetterId, DeadLetterSummary, DirtyMonth, GatewayCounts, GatewayRecord,
    IngestCommit, NewDeadLetter,
};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};

use super::values::{Columns, count_from_sql, count_to_sql};

pub(super) fn number(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT value FROM numbers WHERE name = ?1")?.query_row([name], |row| row.get(0))
}

fn add_to_number(connection: &Connection, name: &str, change: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE numbers SET value = value + ?2 WHERE name = ?1")?
        .execute(params![name, change])?;
    Ok(())
}

pub(super) fn commit(connection: &Connection, commit: IngestCommit, bytes_max: u64) -> rusqlite::Result<()> {
    let IngestCommit { through, gateways, dead_letters, dirty_months, settled_dead_letters } = commit;
    if let Some(through) = through {
        if through.as_i64() <= number(connection, "position")? {
            return Ok(()); // made before
        }
        connection
            .prepare_cached("UPDATE numbers SET value = ?1 WHERE name = 'position'")?
            .execute([through.as_i64()])?;
    }
    for gateway in &gateways {
        add_gateway(connection, gateway)?;
    }
    let mut kept_bytes = 0;
    for letter in &dead_letters {
        kept_bytes += add_dead_letter(connection, letter)?;
    }
    for (id, seq) in settled_dead_letters {
        settle(connection, id, seq)?;
    }
    if kept_bytes > 0 {
        add_to_number(connection, "dead_letters_bytes", kept_bytes)?;
        expire(connection, bytes_max)?;
    }
    let mut mark = connection.prepare_cached(
        "INSERT INTO dirty_months (well_id, parameter, month, seq) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET seq = excluded.seq WHERE excluded.seq > seq",
    )?;
    for month in &dirty_months {
        mark.execute(params![month.well_id.as_str(), month.parameter.name(), month.month.index(), month.seq.as_i64()])?;
    }
    Ok(())
}

fn add_gateway(connection: &Connection, gateway: &GatewayRecord) -> rusqlite::Result<()> {
    let GatewayCounts { received, stored, duplicate, dead } = gateway.counts;
    connection
        .prepare_cached(
            "INSERT INTO gateways VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO UPDATE SET
                last_seen = max(coalesce(last_seen, excluded.last_seen), coalesce(excluded.last_seen, last_seen)),
                received = received + excluded.received, stored = stored + excluded.stored,
                duplicate = duplicate + excluded.duplicate, dead = dead + excluded.dead,
                clock_offset_s = coalesce(excluded.clock_offset_s, clock_offset_s),
                clock_zone = coalesce(excluded.clock_zone, clock_zone),
                last_error = coalesce(excluded.last_error, last_error)",
        )?
        .execute(params![
            gateway.gateway_id.as_str(),
            gateway.last_seen.map(|time| time.as_micros()),
            count_to_sql(received),
            count_to_sql(stored),
            count_to_sql(duplicate),
            count_to_sql(dead),
            gateway.clock_offset_s,
            gateway.clock_zone,
            gateway.last_error
        ])?;
    Ok(())
}

pub(super) fn gateways(connection: &Connection) -> rusqlite::Result<Vec<GatewayRecord>> {
    let mut statement = connection.prepare_cached("SELECT * FROM gateways ORDER BY gateway_id")?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        Ok(GatewayRecord {
            gateway_id: columns.parsed()?,
            last_seen: columns.time_opt()?,
            counts: GatewayCounts {
                received: count_from_sql(columns.get()?),
                stored: count_from_sql(columns.get()?),
                duplicate: count_from_sql(columns.get()?),
                dead: count_from_sql(columns.get()?),
            },
            clock_offset_s: columns.get()?,
            clock_zone: columns.get()?,
            last_error: columns.get()?,
        })
    })?;
    rows.collect()
}

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

/// Returns the bytes that the payload takes.
fn add_dead_letter(connection: &Connection, letter: &NewDeadLetter) -> rusqlite::Result<i64> {
    let readings = count_to_sql(letter.readings);
    let bytes = letter.payload.len() as i64;
    let id: i64 = connection
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
                letter.gateway_id.as_str(),
                letter.reason,
                letter.subject,
                letter.topic,
                letter.detail,
                letter.received_at.as_micros(),
                readings,
                bytes
            ],
            |row| row.get(0),
        )?;
    let kept = deflate(&letter.payload);
    connection
        .prepare_cached(
            "INSERT INTO dead_letter_payloads
                (id, seq, received_at, topic, detail, readings, bytes, kept_bytes, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            id,
            letter.seq.as_i64(),
            letter.received_at.as_micros(),
            letter.topic,
            letter.detail,
            readings,
            bytes,
            kept.len() as i64,
            kept
        ])?;
    Ok(kept.len() as i64)
}

fn settle(connection: &Connection, id: DeadLetterId, seq: Seq) -> rusqlite::Result<()> {
    let payload: Option<(i64, i64, i64, i64)> = connection
        .prepare_cached(
            "SELECT n, readings, bytes, kept_bytes FROM dead_letter_payloads WHERE id = ?1 AND seq = ?2 ORDER BY n LIMIT 1",
        )?
        .query_row(params![id.0, seq.as_i64()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((n, readings, bytes, kept_bytes)) = payload else { return Ok(()) };
    connection.prepare_cached("DELETE FROM dead_letter_payloads WHERE n = ?1")?.execute([n])?;
    add_to_number(connection, "dead_letters_bytes", -kept_bytes)?;
    connection
        .prepare_cached(
            "UPDATE dead_letters SET count = max(count - 1, 0), readings = max(readings - ?2, 0),
                payload_bytes = max(payload_bytes - ?3, 0) WHERE id = ?1",
        )?
        .execute([id.0, readings, bytes])?;
    connection.prepare_cached("DELETE FROM dead_letters WHERE id = ?1 AND count = 0")?.execute([id.0])?;
    Ok(())
}

/// Deletes the oldest payloads until the rest fits. Their entries go on counting them.
fn expire(connection: &Connection, bytes_max: u64) -> rusqlite::Result<()> {
    let mut over = number(connection, "dead_letters_bytes")?.saturating_sub_unsigned(bytes_max);
    while over > 0 {
        let (n, id, bytes, kept_bytes): (i64, i64, i64, i64) = connection
            .prepare_cached("SELECT n, id, bytes, kept_bytes FROM dead_letter_payloads ORDER BY n LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        connection.prepare_cached("DELETE FROM dead_letter_payloads WHERE n = ?1")?.execute([n])?;
        connection
            .prepare_cached("UPDATE dead_letters SET payload_bytes = max(payload_bytes - ?2, 0) WHERE id = ?1")?
            .execute([id, bytes])?;
        add_to_number(connection, "dead_letters_bytes", -kept_bytes)?;
        add_to_number(connection, "dead_letters_expired", 1)?;
        over -= kept_bytes;
    }
    Ok(())
}

pub(super) fn dead_letters(
    connection: &Connection,
    filter: &DeadLetterFilter,
) -> rusqlite::Result<Vec<DeadLetterSummary>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, received_at, last_received_at, count, readings, gateway_id, topic, reason, detail, subject, payload_bytes
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
        })
    })?;
    rows.collect()
}

pub(super) fn payloads(connection: &Connection, id: DeadLetterId) -> rusqlite::Result<Vec<DeadLetter>> {
    let mut statement = connection.prepare_cached(
        "SELECT p.received_at, d.gateway_id, p.topic, d.reason, p.detail, p.payload, p.readings, p.seq
         FROM dead_letter_payloads p JOIN dead_letters d USING (id) WHERE id = ?1 ORDER BY p.seq, p.n",
    )?;
    let rows = statement.query_map([id.0], |row| {
        let mut columns = Columns::of(row);
        Ok(DeadLetter {
            id,
            received_at: columns.time()?,
            gateway_id: columns.parsed()?,
            topic: columns.get()?,
            reason: columns.get()?,
            detail: columns.get()?,
            payload: inflate(&columns.get::<Vec<u8>>()?)?,
            readings: count_from_sql(columns.get()?),
            seq: Seq::from_i64(columns.get()?),
        })
    })?;
    rows.collect()
}

pub(super) fn dirty_months(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<DirtyMonth>> {
    let mut statement =
        connection.prepare_cached("SELECT well_id, parameter, month, seq FROM dirty_months ORDER BY seq LIMIT ?1")?;
    let rows = statement.query_map([i64::try_from(limit).unwrap_or(-1)], |row| {
        let mut columns = Columns::of(row);
        Ok(DirtyMonth {
            well_id: columns.parsed()?,
            parameter: columns.parsed()?,
            month: Month::from_index(columns.get()?),
            seq: Seq::from_i64(columns.get()?),
        })
    })?;
    rows.collect()
}
