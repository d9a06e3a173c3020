//! Marks of months: whose indicators are to be computed anew, and whose levels are to be converted.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use gwbank_model::{Month, Seq};
use gwbank_store::{ConversionCommit, ConvertedWell, DirtyMonth};

use super::limit_to_sql;
use crate::error::WorkError;
use crate::values::{Columns, count_from_sql, count_to_sql};

#[derive(Debug, Clone, Copy)]
pub(super) enum Marks {
    Dirty,
    Unconverted,
}

impl Marks {
    fn table(self) -> &'static str {
        match self {
            Marks::Dirty => "dirty_months",
            Marks::Unconverted => "unconverted_months",
        }
    }
}

/// Marks by the columns of their table.
#[derive(Debug, Default)]
struct MarkColumns<'a> {
    wells: Vec<&'a str>,
    parameters: Vec<&'a str>,
    months: Vec<i32>,
    seqs: Vec<i64>,
}

impl<'a> MarkColumns<'a> {
    fn push(&mut self, well: &'a str, parameter: &'a str, month: i32, seq: i64) {
        self.wells.push(well);
        self.parameters.push(parameter);
        self.months.push(month);
        self.seqs.push(seq);
    }

    async fn execute(&self, transaction: &Transaction<'_>, sql: &str) -> Result<(), WorkError> {
        if self.wells.is_empty() {
            return Ok(());
        }
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&self.wells, &self.parameters, &self.months, &self.seqs]).await?;
        Ok(())
    }
}

pub(super) async fn add(transaction: &Transaction<'_>, months: &[DirtyMonth]) -> Result<(), WorkError> {
    put(transaction, Marks::Dirty, months.iter()).await?;
    put(transaction, Marks::Unconverted, months.iter().filter(|month| month.parameter.makes_levels())).await
}

async fn put(
    transaction: &Transaction<'_>,
    marks: Marks,
    months: impl Iterator<Item = &DirtyMonth>,
) -> Result<(), WorkError> {
    // A statement may touch a row only once; in the order of the key two nodes never wait for each other.
    let mut newest: BTreeMap<(&str, &str, i32), i64> = BTreeMap::new();
    for month in months {
        let seq = newest
            .entry((month.well_id.as_str(), month.parameter.name(), month.month.index()))
            .or_insert(month.seq.as_i64());
        *seq = (*seq).max(month.seq.as_i64());
    }
    let mut columns = MarkColumns::default();
    newest.iter().for_each(|((well, parameter, month), seq)| columns.push(well, parameter, *month, *seq));
    let table = marks.table();
    let sql = format!(
        "INSERT INTO {table} (well_id, parameter, month, seq)
         SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[])
         ON CONFLICT (well_id, parameter, month) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > {table}.seq"
    );
    columns.execute(transaction, &sql).await
}

pub(super) async fn oldest(
    transaction: &Transaction<'_>,
    marks: Marks,
    limit: usize,
) -> Result<Vec<DirtyMonth>, WorkError> {
    let sql = format!(
        "SELECT well_id, parameter, month, seq FROM {}
         ORDER BY seq, well_id COLLATE \"C\", parameter COLLATE \"C\", month LIMIT $1",
        marks.table()
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let rows = transaction.query(&statement, &[&limit_to_sql(limit)]).await?;
    let row = |row| {
        let mut columns = Columns::of(row);
        Ok(DirtyMonth {
            well_id: columns.parsed()?,
            parameter: columns.parsed()?,
            month: Month::from_index(columns.get()?),
            seq: Seq::from_i64(columns.get()?),
        })
    };
    rows.iter().map(row).collect()
}

/// Takes marks away, but for those that are newer than what was done.
pub(super) async fn remove(transaction: &Transaction<'_>, marks: Marks, done: &[DirtyMonth]) -> Result<(), WorkError> {
    let mut columns = MarkColumns::default();
    for month in done {
        let (well, parameter) = (month.well_id.as_str(), month.parameter.name());
        columns.push(well, parameter, month.month.index(), month.seq.as_i64());
    }
    let sql = format!(
        "DELETE FROM {} d
         USING unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) e(well_id, parameter, month, seq)
         WHERE (d.well_id, d.parameter, d.month) = (e.well_id, e.parameter, e.month) AND d.seq <= e.seq",
        marks.table()
    );
    columns.execute(transaction, &sql).await
}

pub(super) async fn converted_wells(transaction: &Transaction<'_>) -> Result<Vec<ConvertedWell>, WorkError> {
    let statement = transaction.prepare_cached("SELECT well_id, fingerprint FROM converted_wells").await?;
    let rows = transaction.query(&statement, &[]).await?;
    let row = |row| {
        let mut columns = Columns::of(row);
        Ok(ConvertedWell { well_id: columns.parsed()?, fingerprint: count_from_sql(columns.get()?) })
    };
    rows.iter().map(row).collect()
}

pub(super) async fn commit_conversion(
    transaction: &Transaction<'_>,
    commit: &ConversionCommit,
) -> Result<(), WorkError> {
    remove(transaction, Marks::Unconverted, &commit.converted).await?;
    let by_well: BTreeMap<&str, i64> =
        commit.wells.iter().map(|well| (well.well_id.as_str(), count_to_sql(well.fingerprint))).collect();
    if by_well.is_empty() {
        return Ok(());
    }
    let (wells, fingerprints): (Vec<&str>, Vec<i64>) = by_well.into_iter().unzip();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO converted_wells (well_id, fingerprint) SELECT * FROM unnest($1::text[], $2::bigint[])
             ON CONFLICT (well_id) DO UPDATE SET fingerprint = excluded.fingerprint",
        )
        .await?;
    transaction.execute(&statement, &[&wells, &fingerprints]).await?;
    Ok(())
}
