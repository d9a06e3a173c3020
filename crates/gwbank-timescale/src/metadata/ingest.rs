//! The effects of the journal, in one transaction: gateways, dead letters, contents received, marks of dirty months.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use gwbank_model::{Seq, Timestamp};
use gwbank_store::{GatewayCounts, GatewayRecord, IngestCommit, ReceivedContent};

use super::{DeadLetterBounds, dead_letters, marks, quality};
use crate::error::WorkError;
use crate::values::{Columns, Instant, count_to_sql, text};

pub(super) async fn position(transaction: &Transaction<'_>, node: i16) -> Result<Seq, WorkError> {
    let statement = transaction.prepare_cached("SELECT metadata_position FROM nodes WHERE node_id = $1").await?;
    let row = transaction.query_opt(&statement, &[&node]).await?;
    Ok(row.map_or(Seq::ZERO, |row| Seq::from_i64(row.get(0))))
}

pub(super) async fn has_other_nodes(transaction: &Transaction<'_>, node: i16) -> Result<bool, WorkError> {
    let statement = transaction.prepare_cached("SELECT EXISTS (SELECT FROM nodes WHERE node_id <> $1)").await?;
    Ok(transaction.query_one(&statement, &[&node]).await?.get(0))
}

pub(super) async fn commit(
    transaction: &Transaction<'_>,
    node: i16,
    commit: &IngestCommit,
    bounds: DeadLetterBounds,
) -> Result<(), WorkError> {
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
        let statement = transaction
            .prepare_cached(
                "INSERT INTO nodes (node_id, metadata_position) VALUES ($1, $2)
                 ON CONFLICT (node_id) DO UPDATE SET metadata_position = excluded.metadata_position
                    WHERE nodes.metadata_position < excluded.metadata_position",
            )
            .await?;
        if transaction.execute(&statement, &[&node, &through.as_i64()]).await? == 0 {
            return Ok(()); // made before
        }
    }
    add_gateways(transaction, node, gateways).await?;
    dead_letters::commit(transaction, dead_messages, settled_dead_letters, bounds).await?;
    remember_contents(transaction, received_contents, *contents_forgotten_before).await?;
    quality::note_judged(transaction, judged_series).await?;
    marks::add(transaction, dirty_months).await
}

/// One after the other where a commit names a gateway twice; nearly always all at once.
async fn add_gateways(transaction: &Transaction<'_>, node: i16, gateways: &[GatewayRecord]) -> Result<(), WorkError> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO gateway_counts (gateway_id, node_id, last_seen, received, stored, duplicate, dead,
                clock_offset_s, clock_zone, last_error)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (gateway_id, node_id) DO UPDATE SET
                last_seen = greatest(gateway_counts.last_seen, excluded.last_seen),
                received = gateway_counts.received + excluded.received,
                stored = gateway_counts.stored + excluded.stored,
                duplicate = gateway_counts.duplicate + excluded.duplicate,
                dead = gateway_counts.dead + excluded.dead,
                clock_offset_s = coalesce(excluded.clock_offset_s, gateway_counts.clock_offset_s),
                clock_zone = coalesce(excluded.clock_zone, gateway_counts.clock_zone),
                last_error = coalesce(excluded.last_error, gateway_counts.last_error)",
        )
        .await?;
    // In the order of the key, so that two nodes never wait for each other.
    let mut order: Vec<&GatewayRecord> = gateways.iter().collect();
    order.sort_by(|a, b| a.gateway_id.as_str().cmp(b.gateway_id.as_str()));
    futures::future::try_join_all(order.into_iter().map(async |gateway| {
        let GatewayCounts { received, stored, duplicate, dead } = gateway.counts;
        let last_error = gateway.last_error.as_deref().map(text);
        transaction
            .execute(
                &statement,
                &[
                    &gateway.gateway_id.as_str(),
                    &node,
                    &gateway.last_seen.map(Instant),
                    &count_to_sql(received),
                    &count_to_sql(stored),
                    &count_to_sql(duplicate),
                    &count_to_sql(dead),
                    &gateway.clock_offset_s,
                    &gateway.clock_zone,
                    &last_error.as_deref(),
                ],
            )
            .await
    }))
    .await?;
    Ok(())
}

/// All nodes together. What is not a count is of the node that heard the gateway last.
pub(super) async fn gateways(transaction: &Transaction<'_>) -> Result<Vec<GatewayRecord>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT gateway_id, max(last_seen), sum(received)::bigint, sum(stored)::bigint, sum(duplicate)::bigint,
                sum(dead)::bigint,
                (array_agg(clock_offset_s ORDER BY last_seen DESC NULLS LAST) FILTER (WHERE clock_offset_s IS NOT NULL))[1],
                (array_agg(clock_zone ORDER BY last_seen DESC NULLS LAST) FILTER (WHERE clock_zone IS NOT NULL))[1],
                (array_agg(last_error ORDER BY last_seen DESC NULLS LAST) FILTER (WHERE last_error IS NOT NULL))[1]
             FROM gateway_counts GROUP BY gateway_id ORDER BY gateway_id COLLATE \"C\"",
        )
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    let row = |row| {
        let mut columns = Columns::of(row);
        Ok(GatewayRecord {
            gateway_id: columns.parsed()?,
            last_seen: columns.time_opt()?,
            counts: GatewayCounts {
                received: columns.count()?,
                stored: columns.count()?,
                duplicate: columns.count()?,
                dead: columns.count()?,
            },
            clock_offset_s: columns.get()?,
            clock_zone: columns.get()?,
            last_error: columns.get()?,
        })
    };
    rows.iter().map(row).collect()
}

async fn remember_contents(
    transaction: &Transaction<'_>,
    contents: &[ReceivedContent],
    forgotten_before: Option<Timestamp>,
) -> Result<(), WorkError> {
    let mut newest: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for content in contents {
        newest.insert((content.gateway_id.as_str(), count_to_sql(content.content_hash)), content.seq.as_i64());
    }
    if !newest.is_empty() {
        let gateways: Vec<&str> = newest.keys().map(|key| key.0).collect();
        let hashes: Vec<i64> = newest.keys().map(|key| key.1).collect();
        let seqs: Vec<i64> = newest.values().copied().collect();
        let statement = transaction
            .prepare_cached(
                "INSERT INTO received_contents (gateway_id, content_hash, seq)
                 SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
                 ON CONFLICT (gateway_id, content_hash) DO UPDATE SET seq = excluded.seq",
            )
            .await?;
        transaction.execute(&statement, &[&gateways, &hashes, &seqs]).await?;
    }
    if let Some(before) = forgotten_before {
        let statement = transaction.prepare_cached("DELETE FROM received_contents WHERE seq < $1").await?;
        transaction.execute(&statement, &[&Seq::first_received_at(before).as_i64()]).await?;
    }
    Ok(())
}

pub(super) async fn received_contents(transaction: &Transaction<'_>) -> Result<Vec<ReceivedContent>, WorkError> {
    let statement =
        transaction.prepare_cached("SELECT gateway_id, content_hash, seq FROM received_contents ORDER BY seq").await?;
    let rows = transaction.query(&statement, &[]).await?;
    let row = |row| {
        let mut columns = Columns::of(row);
        Ok(ReceivedContent {
            gateway_id: columns.parsed()?,
            content_hash: columns.count()?,
            seq: Seq::from_i64(columns.get()?),
        })
    };
    rows.iter().map(row).collect()
}
