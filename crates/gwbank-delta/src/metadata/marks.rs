//! Marks of months: whose indicators are to be computed anew, and whose levels are to be converted.

use gwbank_model::{Month, Seq};
use gwbank_store::{ConversionCommit, ConvertedWell, DirtyMonth};
use rusqlite::{Connection, params};

use super::values::{Columns, count_from_sql, count_to_sql};

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

pub(super) fn add(connection: &Connection, months: &[DirtyMonth]) -> rusqlite::Result<()> {
    let put = |marks: Marks| {
        connection.prepare_cached(&format!(
            "INSERT INTO {} (well_id, parameter, month, seq) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET seq = excluded.seq WHERE excluded.seq > seq",
            marks.table()
        ))
    };
    let (mut dirty, mut unconverted) = (put(Marks::Dirty)?, put(Marks::Unconverted)?);
    for month in months {
        let (well, parameter) = (month.well_id.as_str(), month.parameter.name());
        let row = params![well, parameter, month.month.index(), month.seq.as_i64()];
        dirty.execute(row)?;
        if month.parameter.makes_levels() {
            unconverted.execute(row)?;
        }
    }
    Ok(())
}

pub(super) fn oldest(connection: &Connection, marks: Marks, limit: usize) -> rusqlite::Result<Vec<DirtyMonth>> {
    let table = marks.table();
    let mut statement = connection
        .prepare_cached(&format!("SELECT well_id, parameter, month, seq FROM {table} ORDER BY seq LIMIT ?1"))?;
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

/// Takes marks away, but for those that are newer than what was done.
pub(super) fn remove(connection: &Connection, marks: Marks, done: &[DirtyMonth]) -> rusqlite::Result<()> {
    let table = marks.table();
    let mut statement = connection.prepare_cached(&format!(
        "DELETE FROM {table} WHERE well_id = ?1 AND parameter = ?2 AND month = ?3 AND seq <= ?4"
    ))?;
    for month in done {
        let (well, parameter) = (month.well_id.as_str(), month.parameter.name());
        statement.execute(params![well, parameter, month.month.index(), month.seq.as_i64()])?;
    }
    Ok(())
}

pub(super) fn converted_wells(connection: &Connection) -> rusqlite::Result<Vec<ConvertedWell>> {
    let mut statement = connection.prepare_cached("SELECT well_id, fingerprint FROM converted_wells")?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        Ok(ConvertedWell { well_id: columns.parsed()?, fingerprint: count_from_sql(columns.get()?) })
    })?;
    rows.collect()
}

pub(super) fn commit_conversion(connection: &Connection, commit: &ConversionCommit) -> rusqlite::Result<()> {
    remove(connection, Marks::Unconverted, &commit.converted)?;
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO converted_wells VALUES (?1, ?2)")?;
    for well in &commit.wells {
        put.execute(params![well.well_id.as_str(), count_to_sql(well.fingerprint)])?;
    }
    Ok(())
}
