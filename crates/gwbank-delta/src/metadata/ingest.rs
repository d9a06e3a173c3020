//! The effects of the journal, in one transaction: gateways, dead letters, contents received, marks of dirty months.

use gwbank_model::{Seq, Timestamp};
use gwbank_store::{GatewayCounts, GatewayRecord, IngestCommit, ReceivedContent};
use rusqlite::{Connection, params};

use super::SqliteConfig;
use super::values::{Columns, count_from_sql, count_to_sql};
use super::{dead_letters, marks, quality};

pub(super) fn number(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT value FROM numbers WHERE name = ?1")?.query_row([name], |row| row.get(0))
}

pub(super) fn add_to_number(connection: &Connection, name: &str, change: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE numbers SET value = value + ?2 WHERE name = ?1")?
        .execute(params![name, change])?;
    Ok(())
}

pub(super) fn commit(connection: &Connection, commit: IngestCommit, config: &SqliteConfig) -> rusqlite::Result<()> {
    let IngestCommit {
        through,
        gateways,
        dead_messages,
        dirty_months,
        settled_dead_letters,
        received_contents,
        contents_forgotten_before,
        judged_series,
    } = commit;
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
    for message in &dead_messages {
        dead_letters::add(connection, message)?;
    }
    for settled in settled_dead_letters {
        dead_letters::settle(connection, settled)?;
    }
    if !dead_messages.is_empty() {
        dead_letters::expire(connection, config)?;
    }
    remember_contents(connection, &received_contents, contents_forgotten_before)?;
    quality::note_judged(connection, &judged_series)?;
    marks::add(connection, &dirty_months)
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

fn remember_contents(
    connection: &Connection,
    contents: &[ReceivedContent],
    forgotten_before: Option<Timestamp>,
) -> rusqlite::Result<()> {
    let mut remember = connection.prepare_cached(
        "INSERT OR REPLACE INTO received_contents (gateway_id, content_hash, seq) VALUES (?1, ?2, ?3)",
    )?;
    for content in contents {
        let hash = count_to_sql(content.content_hash);
        remember.execute(params![content.gateway_id.as_str(), hash, content.seq.as_i64()])?;
    }
    if let Some(before) = forgotten_before {
        connection
            .prepare_cached("DELETE FROM received_contents WHERE seq < ?1")?
            .execute([Seq::first_received_at(before).as_i64()])?;
    }
    Ok(())
}

pub(super) fn received_contents(connection: &Connection) -> rusqlite::Result<Vec<ReceivedContent>> {
    let mut statement =
        connection.prepare_cached("SELECT gateway_id, content_hash, seq FROM received_contents ORDER BY seq")?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        Ok(ReceivedContent {
            gateway_id: columns.parsed()?,
            content_hash: count_from_sql(columns.get()?),
            seq: Seq::from_i64(columns.get()?),
        })
    })?;
    rows.collect()
}
