//! What the second look found in series, and how far it looked.

use gwbank_model::Month;
use gwbank_store::{LookAgain, QualityFinding, SecondLook, SecondLookCommit, SeriesFindings};
use rusqlite::{Connection, params};

use super::values::{Columns, count_from_sql, count_to_sql};

pub(super) fn findings(connection: &Connection) -> rusqlite::Result<Vec<QualityFinding>> {
    let mut statement = connection.prepare_cached(
        "SELECT well_id, parameter, test, from_time, to_time, detail, found_at FROM quality_findings
         ORDER BY well_id, parameter, test, from_time",
    )?;
    let rows = statement.query_map([], |row| {
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
    })?;
    rows.collect()
}

pub(super) fn looks(connection: &Connection) -> rusqlite::Result<Vec<SecondLook>> {
    let mut statement = connection.prepare_cached("SELECT well_id, looked_through, fingerprint FROM second_looks")?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        Ok(SecondLook {
            well_id: columns.parsed()?,
            looked_through: Month::from_index(columns.get()?),
            fingerprint: count_from_sql(columns.get()?),
        })
    })?;
    rows.collect()
}

pub(super) fn commit(connection: &Connection, commit: &SecondLookCommit) -> rusqlite::Result<()> {
    let mut remove = connection.prepare_cached("DELETE FROM quality_findings WHERE well_id = ?1 AND parameter = ?2")?;
    let mut put = connection.prepare_cached(
        "INSERT INTO quality_findings (well_id, parameter, test, from_time, to_time, detail, found_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for SeriesFindings { well_id, parameter, findings } in &commit.series {
        let (well_id, parameter) = (well_id.as_str(), parameter.name());
        remove.execute(params![well_id, parameter])?;
        for finding in findings {
            let times = (finding.from.as_micros(), finding.to.as_micros(), finding.found_at.as_micros());
            put.execute(params![well_id, parameter, finding.test.name(), times.0, times.1, finding.detail, times.2])?;
        }
    }
    let mut look = connection.prepare_cached(
        "INSERT OR REPLACE INTO second_looks (well_id, looked_through, fingerprint) VALUES (?1, ?2, ?3)",
    )?;
    for SecondLook { well_id, looked_through, fingerprint } in &commit.looks {
        look.execute(params![well_id.as_str(), looked_through.index(), count_to_sql(*fingerprint)])?;
    }
    Ok(())
}

/// Wells are to be looked at again.
pub(super) fn set_back(connection: &Connection, again: &[LookAgain]) -> rusqlite::Result<()> {
    let mut set_back = connection
        .prepare_cached("UPDATE second_looks SET looked_through = ?2 WHERE well_id = ?1 AND looked_through > ?2")?;
    let mut first: Vec<&LookAgain> = again.iter().collect();
    first.sort_unstable();
    first.dedup_by(|later, first| later.well_id == first.well_id);
    for LookAgain { well_id, from } in first {
        set_back.execute(params![well_id.as_str(), from.plus(-1).index()])?;
    }
    Ok(())
}
