//! Indicators, condition flags, transitions and the outbox: what the watch changes in one transaction.

use gwbank_model::Timestamp;
use gwbank_store::{ConditionFlag, FlagTransition, IndicatorRevision, IndicatorRow, NumberedTransition, WatchCommit};
use rusqlite::{Connection, params};

use super::marks::{self, Marks};
use super::values::Columns;
use super::{offices, outbox, second_look};

pub(super) fn commit(connection: &Connection, commit: &WatchCommit) -> rusqlite::Result<()> {
    let at = commit.instant();
    let WatchCommit {
        at: _,
        removed_indicators,
        indicators,
        flags,
        transitions,
        outbox,
        notes,
        holds,
        drills,
        evaluated,
        look_again,
    } = commit;
    let mut keep = connection.prepare_cached(&format!(
        "INSERT INTO indicator_revisions ({INDICATOR_COLUMNS}, superseded_at)
         SELECT {INDICATOR_COLUMNS}, ?5 FROM indicators WHERE place = ?1 AND indicator = ?2 AND period = ?3 AND scope = ?4"
    ))?;
    let mut remove = connection
        .prepare_cached("DELETE FROM indicators WHERE place = ?1 AND indicator = ?2 AND period = ?3 AND scope = ?4")?;
    for gone in removed_indicators {
        let (period, scope) = (gone.period.as_micros(), gone.scope.name());
        keep.execute(params![gone.place, gone.indicator, period, scope, at.as_micros()])?;
        remove.execute(params![gone.place, gone.indicator, period, scope])?;
    }
    put_indicators(connection, indicators)?;
    put_flags(connection, flags, at)?;
    let mut transition = connection.prepare_cached(
        "INSERT OR IGNORE INTO flag_transitions (flag_id, at, transition, severity, evidence) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for new in transitions {
        transition.execute(params![
            new.flag_id,
            new.at.as_micros(),
            new.transition.name(),
            new.severity.name(),
            new.evidence
        ])?;
    }
    outbox::add(connection, outbox)?;
    offices::add_notes(connection, notes)?;
    offices::put_holds(connection, holds)?;
    offices::add_drills(connection, drills)?;
    marks::remove(connection, Marks::Dirty, evaluated)?;
    second_look::set_back(connection, look_again)
}

fn put_indicators(connection: &Connection, rows: &[IndicatorRow]) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(
        "INSERT INTO indicators (place, indicator, period, scope, province_code, value, class, confidence, n,
            years, computed_at, approved_share, quality_share)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT DO UPDATE SET province_code = excluded.province_code, value = excluded.value, class = excluded.class,
            confidence = excluded.confidence, n = excluded.n, years = excluded.years, computed_at = excluded.computed_at,
            approved_share = excluded.approved_share, quality_share = excluded.quality_share
         WHERE (province_code, value, class, confidence, n, years, approved_share, quality_share)
            IS NOT (excluded.province_code, excluded.value, excluded.class, excluded.confidence, excluded.n, excluded.years,
               excluded.approved_share, excluded.quality_share)",
    )?;
    // In the order of the key, neighbours fall on one page of the tree.
    let mut order: Vec<&IndicatorRow> = rows.iter().collect();
    order.sort_by(|a, b| (&a.place, &a.indicator, a.period).cmp(&(&b.place, &b.indicator, b.period)));
    for row in order {
        put.execute(params![
            row.place,
            row.indicator,
            row.period.as_micros(),
            row.scope.name(),
            row.province_code,
            row.value,
            row.class,
            row.confidence,
            row.n,
            row.years,
            row.computed_at.as_micros(),
            row.approved_share,
            row.quality_share
        ])?;
    }
    Ok(())
}

const INDICATOR_COLUMNS: &str = "scope, place, province_code, period, indicator, value, class, confidence, n, years,
    approved_share, quality_share, computed_at";

fn indicator(columns: &mut Columns<'_>) -> rusqlite::Result<IndicatorRow> {
    Ok(IndicatorRow {
        scope: columns.parsed()?,
        place: columns.get()?,
        province_code: columns.get()?,
        period: columns.time()?,
        indicator: columns.get()?,
        value: columns.get()?,
        class: columns.get()?,
        confidence: columns.get()?,
        n: columns.get()?,
        years: columns.get()?,
        approved_share: columns.get()?,
        quality_share: columns.get()?,
        computed_at: columns.time()?,
    })
}

pub(super) fn indicator_revisions(
    connection: &Connection,
    place: Option<&str>,
) -> rusqlite::Result<Vec<IndicatorRevision>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {INDICATOR_COLUMNS}, superseded_at FROM indicator_revisions WHERE ?1 IS NULL OR place = ?1 ORDER BY id"
    ))?;
    let rows = statement.query_map([place], |row| {
        let mut columns = Columns::of(row);
        Ok(IndicatorRevision { row: indicator(&mut columns)?, superseded_at: columns.time()? })
    })?;
    rows.collect()
}

pub(super) fn indicators(connection: &Connection, place: Option<&str>) -> rusqlite::Result<Vec<IndicatorRow>> {
    let columns = INDICATOR_COLUMNS;
    let map = |row: &rusqlite::Row| indicator(&mut Columns::of(row));
    let order = "ORDER BY place, indicator, period, scope";
    match place {
        Some(place) => connection
            .prepare_cached(&format!("SELECT {columns} FROM indicators WHERE place = ?1 {order}"))?
            .query_map([place], map)?
            .collect(),
        None => connection
            .prepare_cached(&format!("SELECT {columns} FROM indicators {order}"))?
            .query_map([], map)?
            .collect(),
    }
}

const FLAG_COLUMNS: [&str; 27] = [
    "id",
    "scope",
    "place",
    "province_code",
    "district_code",
    "subdistrict_code",
    "well_id",
    "hazard",
    "severity",
    "state",
    "raised_at",
    "changed_at",
    "closed_at",
    "confidence",
    "wells_in",
    "wells_out",
    "coverage",
    "rule",
    "limit_value",
    "observed",
    "what_would_clear_it",
    "headline_en",
    "headline_th",
    "detail_en",
    "detail_th",
    "acknowledged_by",
    "acknowledged_at",
];

/// The flag as it is now, as a version, where the latest version says something else.
fn version_statement() -> String {
    let of = |table: &str| FLAG_COLUMNS.map(|column| format!("{table}.{column}")).join(", ");
    format!(
        "INSERT INTO flag_versions (known_from, {}) SELECT ?2, {} FROM condition_flags f WHERE f.id = ?1 AND NOT EXISTS (
            SELECT 1 FROM flag_versions v WHERE v.number = (SELECT max(number) FROM flag_versions WHERE id = ?1)
            AND ({}) IS ({}))",
        FLAG_COLUMNS.join(", "),
        of("f"),
        of("v"),
        of("f")
    )
}

fn put_flags(connection: &Connection, flags: &[ConditionFlag], at: Timestamp) -> rusqlite::Result<()> {
    let mut version = connection.prepare_cached(&version_statement())?;
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO condition_flags VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
            ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)",
    )?;
    for flag in flags {
        put.execute(params![
            flag.id,
            flag.scope.name(),
            flag.place,
            flag.province_code,
            flag.district_code,
            flag.subdistrict_code,
            flag.well_id.as_ref().map(|id| id.as_str()),
            flag.hazard.name(),
            flag.severity.name(),
            flag.state.name(),
            flag.raised_at.as_micros(),
            flag.changed_at.as_micros(),
            flag.closed_at.map(|time| time.as_micros()),
            flag.confidence,
            flag.wells_in,
            flag.wells_out,
            flag.coverage,
            flag.rule,
            flag.limit_value,
            flag.observed,
            flag.what_would_clear_it,
            flag.headline_en,
            flag.headline_th,
            flag.detail_en,
            flag.detail_th,
            flag.acknowledged_by,
            flag.acknowledged_at.map(|time| time.as_micros())
        ])?;
        version.execute(params![flag.id, at.as_micros()])?;
    }
    Ok(())
}

pub(super) fn flags(connection: &Connection, open_only: bool) -> rusqlite::Result<Vec<ConditionFlag>> {
    let condition = if open_only { "WHERE state <> 'closed'" } else { "" };
    let columns = FLAG_COLUMNS.join(", ");
    let mut statement =
        connection.prepare_cached(&format!("SELECT {columns} FROM condition_flags {condition} ORDER BY id"))?;
    statement.query_map([], flag)?.collect()
}

pub(super) fn flags_at(connection: &Connection, at: Timestamp) -> rusqlite::Result<Vec<ConditionFlag>> {
    let columns = FLAG_COLUMNS.join(", ");
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {columns} FROM flag_versions v WHERE number = (
            SELECT max(number) FROM flag_versions w WHERE w.id = v.id AND w.known_from <= ?1) ORDER BY id"
    ))?;
    statement.query_map([at.as_micros()], flag)?.collect()
}

fn flag(row: &rusqlite::Row<'_>) -> rusqlite::Result<ConditionFlag> {
    let mut columns = Columns::of(row);
    Ok(ConditionFlag {
        id: columns.get()?,
        scope: columns.parsed()?,
        place: columns.get()?,
        province_code: columns.get()?,
        district_code: columns.get()?,
        subdistrict_code: columns.get()?,
        well_id: columns.parsed_opt()?,
        hazard: columns.parsed()?,
        severity: columns.parsed()?,
        state: columns.parsed()?,
        raised_at: columns.time()?,
        changed_at: columns.time()?,
        closed_at: columns.time_opt()?,
        confidence: columns.get()?,
        wells_in: columns.get()?,
        wells_out: columns.get()?,
        coverage: columns.get()?,
        rule: columns.get()?,
        limit_value: columns.get()?,
        observed: columns.get()?,
        what_would_clear_it: columns.get()?,
        headline_en: columns.get()?,
        headline_th: columns.get()?,
        detail_en: columns.get()?,
        detail_th: columns.get()?,
        acknowledged_by: columns.get()?,
        acknowledged_at: columns.time_opt()?,
    })
}

pub(super) fn transitions(connection: &Connection, flag_id: Option<&str>) -> rusqlite::Result<Vec<FlagTransition>> {
    let mut statement = connection.prepare_cached(
        "SELECT flag_id, at, transition, severity, evidence FROM flag_transitions
         WHERE ?1 IS NULL OR flag_id = ?1 ORDER BY n",
    )?;
    statement.query_map([flag_id], |row| transition(&mut Columns::of(row)))?.collect()
}

fn transition(columns: &mut Columns<'_>) -> rusqlite::Result<FlagTransition> {
    Ok(FlagTransition {
        flag_id: columns.get()?,
        at: columns.time()?,
        transition: columns.parsed()?,
        severity: columns.parsed()?,
        evidence: columns.get()?,
    })
}

pub(super) fn transitions_after(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<NumberedTransition>> {
    let mut statement = connection.prepare_cached(
        "SELECT n, flag_id, at, transition, severity, evidence FROM flag_transitions WHERE n > ?1 ORDER BY n LIMIT ?2",
    )?;
    let rows = statement.query_map(params![after, i64::try_from(limit).unwrap_or(-1)], |row| {
        let mut columns = Columns::of(row);
        Ok(NumberedTransition { number: columns.get()?, transition: transition(&mut columns)? })
    })?;
    rows.collect()
}

pub(super) fn last_transition(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(n), 0) FROM flag_transitions")?.query_row([], |row| row.get(0))
}
