//! Limits of the quality tests, and under which of them each series was judged.

use gwbank_model::{Parameter, Seq, WellId};
use gwbank_store::{JudgedSeries, QualityLimit, QualityLimitKey, QualityLimitsChange};
use rusqlite::{Connection, params};

use super::values::{Columns, count_from_sql, count_to_sql};

/// As the columns of the key hold it.
fn names(key: &QualityLimitKey) -> (&str, &str) {
    let well_id = key.well_id.as_ref().map(WellId::as_str).unwrap_or_default();
    (well_id, key.parameter.map(Parameter::name).unwrap_or_default())
}

pub(super) fn limits(connection: &Connection) -> rusqlite::Result<Vec<QualityLimit>> {
    let mut statement = connection.prepare_cached(
        "SELECT nullif(q.well_id, ''), nullif(q.parameter, ''), limit_name, value, changed_at FROM quality_limits q
         ORDER BY q.well_id, q.parameter, limit_name",
    )?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        let (well_id, parameter) = (columns.parsed_opt()?, columns.parsed_opt()?);
        let key = QualityLimitKey { well_id, parameter, limit: columns.get()? };
        Ok(QualityLimit { key, value: columns.get()?, changed_at: columns.time()? })
    })?;
    rows.collect()
}

pub(super) fn change_limits(connection: &Connection, change: &QualityLimitsChange) -> rusqlite::Result<()> {
    let mut remove = connection
        .prepare_cached("DELETE FROM quality_limits WHERE well_id = ?1 AND parameter = ?2 AND limit_name = ?3")?;
    for key in &change.removed {
        let (well_id, parameter) = names(key);
        remove.execute(params![well_id, parameter, key.limit])?;
    }
    let mut put = connection.prepare_cached(
        "INSERT INTO quality_limits (well_id, parameter, limit_name, value, changed_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at
            WHERE excluded.value <> quality_limits.value",
    )?;
    for limit in &change.put {
        let (well_id, parameter) = names(&limit.key);
        put.execute(params![well_id, parameter, limit.key.limit, limit.value, limit.changed_at.as_micros()])?;
    }
    Ok(())
}

pub(super) fn judged_series(connection: &Connection) -> rusqlite::Result<Vec<JudgedSeries>> {
    let mut statement =
        connection.prepare_cached("SELECT well_id, parameter, fingerprint, under_way_since FROM judged_series")?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        Ok(JudgedSeries {
            well_id: columns.parsed()?,
            parameter: columns.parsed()?,
            fingerprint: count_from_sql(columns.get()?),
            under_way_since: columns.get::<Option<i64>>()?.map(Seq::from_i64),
        })
    })?;
    rows.collect()
}

pub(super) fn note_judged(connection: &Connection, judged: &[JudgedSeries]) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO judged_series (well_id, parameter, fingerprint, under_way_since) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for series in judged {
        put.execute(params![
            series.well_id.as_str(),
            series.parameter.name(),
            count_to_sql(series.fingerprint),
            series.under_way_since.map(Seq::as_i64)
        ])?;
    }
    Ok(())
}
