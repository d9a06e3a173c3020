//! Days of UTC where TimescaleDB does not keep them: the track `rollups`.
//!
//! # Rules
//! 1. Days before the watermark are stored, unless their month is dirty for their series; the view computes all others.
//! 2. What a commit changes before the watermark makes months dirty, in its own transaction.
//! 3. Whoever stores days holds the lock of the commits, so that none is between its rows and its marks.
//! 4. A day is computed from its readings, never adjusted.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use gwbank_model::{Month, MonthCursor, Row, Timestamp};

use super::numbers::Numbers;
use crate::error::WorkError;
use crate::values::Instant;

/// Dirty months that are computed anew in one transaction: commits wait for it.
const MONTHS_AT_ONCE: i64 = 200;

/// So long a day stays computed as it is asked for: most of what is late comes within it.
const LATE_DAYS: i32 = 2;

/// What is stored of some readings.
const DAYS: &str = "date_trunc('day', time, 'UTC'), count(value), count(value) FILTER (WHERE quality = 1), sum(value),
    min(value), max(value), (array_agg(value ORDER BY time) FILTER (WHERE value IS NOT NULL))[1],
    (array_agg(value ORDER BY time) FILTER (WHERE value IS NOT NULL))[count(value)]";

/// Notes what a commit has changed.
pub(super) async fn mark<'a>(
    transaction: &Transaction<'_>,
    numbers: &Numbers,
    rows: impl Iterator<Item = &'a Row>,
) -> Result<(), WorkError> {
    let mut cursor = MonthCursor::new(0);
    let mut earliest: BTreeMap<(u32, Month), Timestamp> = BTreeMap::new();
    for row in rows {
        let time = earliest.entry((row.series.0, cursor.month(row.time))).or_insert(row.time);
        *time = row.time.min(*time);
    }
    if earliest.is_empty() {
        return Ok(());
    }
    let series: Vec<i32> = earliest
        .keys()
        .map(|(series, _)| numbers.series(gwbank_model::SeriesId(*series)).expect("a number was given"))
        .collect();
    let times: Vec<Instant> = earliest.into_values().map(Instant).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO reading_days_dirty (series_id, month)
             SELECT DISTINCT n.series_id, date_trunc('month', n.time, 'UTC')
             FROM unnest($1::int[], $2::timestamptz[]) n(series_id, time)
             WHERE n.time < (SELECT watermark FROM reading_days_state)
             ORDER BY 1, 2
             ON CONFLICT DO NOTHING",
        )
        .await?;
    transaction.execute(&statement, &[&series, &times]).await?;
    Ok(())
}

/// Stores the days of one more month, where they are over. Whether there were any.
pub(super) async fn advance(transaction: &Transaction<'_>) -> Result<bool, WorkError> {
    // The first time it begins with the month of the first reading.
    let statement = transaction
        .prepare_cached(
            "SELECT f.start, least((date_trunc('month', f.start AT TIME ZONE 'UTC') + INTERVAL '1 month') AT TIME ZONE 'UTC',
                date_trunc('day', now(), 'UTC') - $1 * INTERVAL '24 hours')
             FROM reading_days_state,
                LATERAL (SELECT CASE WHEN watermark > '-infinity' THEN watermark
                    ELSE (SELECT date_trunc('month', min(first_time), 'UTC') FROM series) END) f(start)
             WHERE f.start < date_trunc('day', now(), 'UTC') - $1 * INTERVAL '24 hours'",
        )
        .await?;
    let Some(span) = transaction.query_opt(&statement, &[&f64::from(LATE_DAYS)]).await? else { return Ok(false) };
    let (from, to): (Instant, Instant) = (span.get(0), span.get(1));
    let statement = transaction
        .prepare_cached(&format!(
            "INSERT INTO reading_days (series_id, day, count, good_count, sum, min, max, first, last)
             SELECT series_id, {DAYS} FROM reading_rows WHERE time >= $1 AND time < $2 GROUP BY 1, 2
             ON CONFLICT (series_id, day) DO UPDATE SET count = excluded.count, good_count = excluded.good_count,
                sum = excluded.sum, min = excluded.min, max = excluded.max, first = excluded.first, last = excluded.last"
        ))
        .await?;
    transaction.execute(&statement, &[&from, &to]).await?;
    transaction.execute("UPDATE reading_days_state SET watermark = $1", &[&to]).await?;
    Ok(true)
}

/// Computes some dirty months anew. Whether there were any.
pub(super) async fn recompute(transaction: &Transaction<'_>) -> Result<bool, WorkError> {
    let statement = transaction
        .prepare_cached(
            "DELETE FROM reading_days_dirty d
             USING (SELECT series_id, month FROM reading_days_dirty ORDER BY month, series_id LIMIT $1) n
             WHERE d.series_id = n.series_id AND d.month = n.month
             RETURNING d.series_id, d.month",
        )
        .await?;
    let taken = transaction.query(&statement, &[&MONTHS_AT_ONCE]).await?;
    if taken.is_empty() {
        return Ok(false);
    }
    let series: Vec<i32> = taken.iter().map(|row| row.get(0)).collect();
    let months: Vec<Instant> = taken.iter().map(|row| row.get(1)).collect();
    let end = "(n.month AT TIME ZONE 'UTC' + INTERVAL '1 month') AT TIME ZONE 'UTC'";
    let statement = transaction
        .prepare_cached(&format!(
            "DELETE FROM reading_days d USING unnest($1::int[], $2::timestamptz[]) n(series_id, month)
             WHERE d.series_id = n.series_id AND d.day >= n.month AND d.day < {end}"
        ))
        .await?;
    transaction.execute(&statement, &[&series, &months]).await?;
    let statement = transaction
        .prepare_cached(&format!(
            "INSERT INTO reading_days (series_id, day, count, good_count, sum, min, max, first, last)
             SELECT n.series_id, r.* FROM unnest($1::int[], $2::timestamptz[]) n(series_id, month)
             CROSS JOIN LATERAL (
                SELECT {DAYS} FROM reading_rows
                WHERE series_id = n.series_id AND time >= n.month
                    AND time < least({end}, (SELECT watermark FROM reading_days_state))
                GROUP BY 1) r"
        ))
        .await?;
    transaction.execute(&statement, &[&series, &months]).await?;
    Ok(true)
}
