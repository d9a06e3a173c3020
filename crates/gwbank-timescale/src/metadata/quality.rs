//! Limits of the quality tests, and under which of them each series was judged.

use deadpool_postgres::Transaction;
use futures::future::try_join_all;
use gwbank_model::{Parameter, Seq, WellId};
use gwbank_store::{JudgedSeries, QualityLimit, QualityLimitKey, QualityLimitsChange};
use tokio_postgres::Row;

use crate::error::WorkError;
use crate::values::{Columns, Instant, StrangeValue, count_from_sql, count_to_sql};

/// As the columns of the key hold it.
fn names(key: &QualityLimitKey) -> (&str, &str) {
    let well_id = key.well_id.as_ref().map(WellId::as_str).unwrap_or_default();
    (well_id, key.parameter.map(Parameter::name).unwrap_or_default())
}

fn limit(row: &Row) -> Result<QualityLimit, StrangeValue> {
    let mut columns = Columns::of(row);
    let (well_id, parameter) = (columns.parsed_opt()?, columns.parsed_opt()?);
    let key = QualityLimitKey { well_id, parameter, limit: columns.get()? };
    Ok(QualityLimit { key, value: columns.get()?, changed_at: columns.time()? })
}

pub(super) async fn limits(transaction: &Transaction<'_>) -> Result<Vec<QualityLimit>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT nullif(well_id, ''), nullif(parameter, ''), limit_name, value, changed_at FROM quality_limits q
             ORDER BY q.well_id COLLATE \"C\", q.parameter COLLATE \"C\", limit_name COLLATE \"C\"",
        )
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    Ok(rows.iter().map(limit).collect::<Result<_, _>>()?)
}

pub(super) async fn change_limits(
    transaction: &Transaction<'_>,
    change: &QualityLimitsChange,
) -> Result<(), WorkError> {
    // Whoever changes limits waits for others that do, so that two never wait for each other.
    transaction.batch_execute("LOCK TABLE quality_limits IN SHARE ROW EXCLUSIVE MODE").await?;
    let remove = transaction
        .prepare_cached("DELETE FROM quality_limits WHERE well_id = $1 AND parameter = $2 AND limit_name = $3")
        .await?;
    for key in &change.removed {
        let (well_id, parameter) = names(key);
        transaction.execute(&remove, &[&well_id, &parameter, &key.limit]).await?;
    }
    let put = transaction
        .prepare_cached(
            "INSERT INTO quality_limits (well_id, parameter, limit_name, value, changed_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (well_id, parameter, limit_name)
                DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at
                WHERE excluded.value <> quality_limits.value",
        )
        .await?;
    for limit in &change.put {
        let (well_id, parameter) = names(&limit.key);
        let changed_at = Instant(limit.changed_at);
        transaction.execute(&put, &[&well_id, &parameter, &limit.key.limit, &limit.value, &changed_at]).await?;
    }
    Ok(())
}

fn judged(row: &Row) -> Result<JudgedSeries, StrangeValue> {
    let mut columns = Columns::of(row);
    Ok(JudgedSeries {
        well_id: columns.parsed()?,
        parameter: columns.parsed()?,
        fingerprint: count_from_sql(columns.get()?),
        under_way_since: columns.get::<Option<i64>>()?.map(Seq::from_i64),
    })
}

pub(super) async fn judged_series(transaction: &Transaction<'_>) -> Result<Vec<JudgedSeries>, WorkError> {
    let statement = transaction
        .prepare_cached("SELECT well_id, parameter, fingerprint, under_way_since FROM judged_series")
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    Ok(rows.iter().map(judged).collect::<Result<_, _>>()?)
}

pub(super) async fn note_judged(transaction: &Transaction<'_>, judged: &[JudgedSeries]) -> Result<(), WorkError> {
    if judged.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO judged_series (well_id, parameter, fingerprint, under_way_since) VALUES ($1, $2, $3, $4)
             ON CONFLICT (well_id, parameter)
                DO UPDATE SET fingerprint = excluded.fingerprint, under_way_since = excluded.under_way_since",
        )
        .await?;
    // In the order of the key, so that two nodes never wait for each other.
    let mut order: Vec<&JudgedSeries> = judged.iter().collect();
    order.sort_by_key(|series| (series.well_id.as_str(), series.parameter.name()));
    try_join_all(order.into_iter().map(async |series| {
        let since = series.under_way_since.map(Seq::as_i64);
        let fingerprint = count_to_sql(series.fingerprint);
        transaction
            .execute(&statement, &[&series.well_id.as_str(), &series.parameter.name(), &fingerprint, &since])
            .await
    }))
    .await?;
    Ok(())
}
