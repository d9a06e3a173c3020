//! What the second look found in series, and how far it looked.

use deadpool_postgres::Transaction;
use futures::future::try_join_all;
use gwbank_model::Month;
use gwbank_store::{LookAgain, QualityFinding, SecondLook, SecondLookCommit, SeriesFindings};
use tokio_postgres::Row;

use crate::error::WorkError;
use crate::values::{Columns, Instant, StrangeValue, count_from_sql, count_to_sql};

fn finding(row: &Row) -> Result<QualityFinding, StrangeValue> {
    let mut columns = Columns::of(row);
    Ok(QualityFinding {
        well_id: columns.parsed()?,
        parameter: columns.parsed()?,
        test: columns.parsed()?,
        from: columns.time()?,
        to: columns.time()?,
        detail: columns.get()?,
        found_at: columns.time()?,
    })
}

pub(super) async fn findings(transaction: &Transaction<'_>) -> Result<Vec<QualityFinding>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT well_id, parameter, test, from_time, to_time, detail, found_at FROM quality_findings
             ORDER BY well_id COLLATE \"C\", parameter COLLATE \"C\", test COLLATE \"C\", from_time",
        )
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    Ok(rows.iter().map(finding).collect::<Result<_, _>>()?)
}

fn look(row: &Row) -> Result<SecondLook, StrangeValue> {
    let mut columns = Columns::of(row);
    Ok(SecondLook {
        well_id: columns.parsed()?,
        looked_through: Month::from_index(columns.get()?),
        fingerprint: count_from_sql(columns.get()?),
    })
}

pub(super) async fn looks(transaction: &Transaction<'_>) -> Result<Vec<SecondLook>, WorkError> {
    let statement = transaction.prepare_cached("SELECT well_id, looked_through, fingerprint FROM second_looks").await?;
    let rows = transaction.query(&statement, &[]).await?;
    Ok(rows.iter().map(look).collect::<Result<_, _>>()?)
}

/// One node at a time looks: whoever leads.
pub(super) async fn commit(transaction: &Transaction<'_>, commit: &SecondLookCommit) -> Result<(), WorkError> {
    let remove =
        transaction.prepare_cached("DELETE FROM quality_findings WHERE well_id = $1 AND parameter = $2").await?;
    let put = transaction
        .prepare_cached(
            "INSERT INTO quality_findings (well_id, parameter, test, from_time, to_time, detail, found_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .await?;
    for SeriesFindings { well_id, parameter, findings } in &commit.series {
        let (well_id, parameter) = (well_id.as_str(), parameter.name());
        transaction.execute(&remove, &[&well_id, &parameter]).await?;
        try_join_all(findings.iter().map(async |found| {
            let (from, to, found_at) = (Instant(found.from), Instant(found.to), Instant(found.found_at));
            let test = found.test.name();
            transaction.execute(&put, &[&well_id, &parameter, &test, &from, &to, &found.detail, &found_at]).await
        }))
        .await?;
    }
    let look = transaction
        .prepare_cached(
            "INSERT INTO second_looks (well_id, looked_through, fingerprint) VALUES ($1, $2, $3)
             ON CONFLICT (well_id)
                DO UPDATE SET looked_through = excluded.looked_through, fingerprint = excluded.fingerprint",
        )
        .await?;
    try_join_all(commit.looks.iter().map(async |SecondLook { well_id, looked_through, fingerprint }| {
        let fingerprint = count_to_sql(*fingerprint);
        transaction.execute(&look, &[&well_id.as_str(), &looked_through.index(), &fingerprint]).await
    }))
    .await?;
    Ok(())
}

/// Wells are to be looked at again.
pub(super) async fn set_back(transaction: &Transaction<'_>, again: &[LookAgain]) -> Result<(), WorkError> {
    let mut first: Vec<&LookAgain> = again.iter().collect();
    first.sort_unstable();
    first.dedup_by(|later, first| later.well_id == first.well_id);
    if first.is_empty() {
        return Ok(());
    }
    let wells: Vec<&str> = first.iter().map(|again| again.well_id.as_str()).collect();
    let through: Vec<i32> = first.iter().map(|again| again.from.plus(-1).index()).collect();
    let statement = transaction
        .prepare_cached(
            "UPDATE second_looks l SET looked_through = e.through
             FROM unnest($1::text[], $2::int[]) e(well_id, through)
             WHERE l.well_id = e.well_id AND l.looked_through > e.through",
        )
        .await?;
    transaction.execute(&statement, &[&wells, &through]).await?;
    Ok(())
}
