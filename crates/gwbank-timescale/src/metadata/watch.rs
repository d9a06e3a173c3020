//! Indicators, condition flags, transitions and the outbox: what the watch changes in one transaction.

use deadpool_postgres::Transaction;
use futures::future::try_join_all;
use gwbank_model::Timestamp;
use gwbank_store::{
    ConditionFlag, FlagTransition, IndicatorKey, IndicatorRevision, IndicatorRow, NumberedTransition, WatchCommit,
};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::marks::{self, Marks};
use super::{limit_to_sql, offices, outbox, second_look};
use crate::error::WorkError;
use crate::values::{Columns, Instant, StrangeValue};

/// Any number that nobody else uses: "gwbank" as text, and which of its locks.
const TRANSITIONS_LOCK: i64 = 0x6777_6261_6e6b_0005;

pub(super) async fn commit(transaction: &Transaction<'_>, commit: &WatchCommit) -> Result<(), WorkError> {
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
    remove_indicators(transaction, removed_indicators, at).await?;
    put_indicators(transaction, indicators).await?;
    put_flags(transaction, flags, at).await?;
    if !transitions.is_empty() {
        // Numbers are seen in their order: who follows them must not pass one that another node is about to commit.
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&TRANSITIONS_LOCK]).await?;
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO flag_transitions (flag_id, at, transition, severity, evidence) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
        )
        .await?;
    try_join_all(transitions.iter().map(async |new| {
        let (transition, severity) = (new.transition.name(), new.severity.name());
        let row: [&(dyn ToSql + Sync); 5] = [&new.flag_id, &Instant(new.at), &transition, &severity, &new.evidence];
        transaction.execute(&statement, &row).await
    }))
    .await?;
    outbox::add(transaction, outbox).await?;
    offices::add_notes(transaction, notes).await?;
    offices::put_holds(transaction, holds).await?;
    offices::add_drills(transaction, drills).await?;
    second_look::set_back(transaction, look_again).await?;
    marks::remove(transaction, Marks::Dirty, evaluated).await
}

async fn remove_indicators(
    transaction: &Transaction<'_>,
    gone: &[IndicatorKey],
    at: Timestamp,
) -> Result<(), WorkError> {
    if gone.is_empty() {
        return Ok(());
    }
    let places: Vec<&str> = gone.iter().map(|key| key.place.as_str()).collect();
    let indicators: Vec<&str> = gone.iter().map(|key| key.indicator.as_str()).collect();
    let periods: Vec<Instant> = gone.iter().map(|key| Instant(key.period)).collect();
    let scopes: Vec<&str> = gone.iter().map(|key| key.scope.name()).collect();
    let statement = transaction
        .prepare_cached(&format!(
            "WITH gone AS (
                DELETE FROM indicators i
                USING unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) g(place, indicator, period, scope)
                WHERE (i.place, i.indicator, i.period, i.scope) = (g.place, g.indicator, g.period, g.scope)
                RETURNING i.*)
             INSERT INTO indicator_revisions ({INDICATOR_COLUMNS}, superseded_at)
             SELECT {INDICATOR_COLUMNS}, $5::timestamptz FROM gone"
        ))
        .await?;
    transaction.execute(&statement, &[&places, &indicators, &periods, &scopes, &Instant(at)]).await?;
    Ok(())
}

async fn put_indicators(transaction: &Transaction<'_>, rows: &[IndicatorRow]) -> Result<(), WorkError> {
    if rows.is_empty() {
        return Ok(());
    }
    // Two rows of one key in a commit: the later one counts, and a statement may touch a row only once.
    let mut latest: Vec<&IndicatorRow> = rows.iter().collect();
    let key = |row: &IndicatorRow| (row.place.clone(), row.indicator.clone(), row.period, row.scope.name());
    latest.sort_by_cached_key(|row| key(row));
    let latest: Vec<&IndicatorRow> =
        latest.chunk_by(|a, b| key(a) == key(b)).filter_map(|same| same.last().copied()).collect();
    macro_rules! column {
        ($of:expr) => {
            &latest.iter().map($of).collect::<Vec<_>>()
        };
    }
    let statement = transaction
        .prepare_cached(
            // Both parts of the statement see the rows as they were before it.
            "WITH new(place, indicator, period, scope, province_code, value, class, confidence, n, years, computed_at,
                approved_share, quality_share) AS (
                SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::float8[],
                    $7::text[], $8::float8[], $9::int[], $10::float8[], $11::timestamptz[], $12::float8[], $13::float8[])
             ), replaced AS (
                INSERT INTO indicator_revisions (place, indicator, period, scope, province_code, value, class, confidence, n,
                    years, computed_at, approved_share, quality_share, superseded_at)
                SELECT i.place, i.indicator, i.period, i.scope, i.province_code, i.value, i.class, i.confidence, i.n, i.years,
                    i.computed_at, i.approved_share, i.quality_share, new.computed_at
                FROM new JOIN indicators i USING (place, indicator, period, scope)
                WHERE (i.province_code, i.value, i.class, i.confidence, i.n, i.years, i.approved_share, i.quality_share)
                    IS DISTINCT FROM (new.province_code, new.value, new.class, new.confidence, new.n, new.years,
                        new.approved_share, new.quality_share)
             )
             INSERT INTO indicators AS i (place, indicator, period, scope, province_code, value, class, confidence, n, years,
                computed_at, approved_share, quality_share)
             SELECT * FROM new
             ON CONFLICT (place, indicator, period, scope) DO UPDATE SET
                province_code = excluded.province_code, value = excluded.value, class = excluded.class,
                confidence = excluded.confidence, n = excluded.n, years = excluded.years,
                computed_at = excluded.computed_at, approved_share = excluded.approved_share,
                quality_share = excluded.quality_share
             WHERE (i.province_code, i.value, i.class, i.confidence, i.n, i.years, i.approved_share, i.quality_share)
                IS DISTINCT FROM (excluded.province_code, excluded.value, excluded.class, excluded.confidence, excluded.n,
                    excluded.years, excluded.approved_share, excluded.quality_share)",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                column!(|row| row.place.as_str()),
                column!(|row| row.indicator.as_str()),
                column!(|row| Instant(row.period)),
                column!(|row| row.scope.name()),
                column!(|row| row.province_code.as_str()),
                column!(|row| row.value),
                column!(|row| row.class.as_deref()),
                column!(|row| row.confidence),
                column!(|row| row.n),
                column!(|row| row.years),
                column!(|row| Instant(row.computed_at)),
                column!(|row| row.approved_share),
                column!(|row| row.quality_share),
            ],
        )
        .await?;
    Ok(())
}

const INDICATOR_COLUMNS: &str = "scope, place, province_code, period, indicator, value, class, confidence, n, years,
    approved_share, quality_share, computed_at";

fn indicator(columns: &mut Columns<'_>) -> Result<IndicatorRow, WorkError> {
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

pub(super) async fn indicator_revisions(
    transaction: &Transaction<'_>,
    place: Option<&str>,
) -> Result<Vec<IndicatorRevision>, WorkError> {
    let statement = transaction
        .prepare_cached(&format!(
            "SELECT {INDICATOR_COLUMNS}, superseded_at FROM indicator_revisions
             WHERE $1::text IS NULL OR place = $1 ORDER BY number"
        ))
        .await?;
    let rows = transaction.query(&statement, &[&place]).await?;
    let revision = |row| {
        let mut columns = Columns::of(row);
        Ok(IndicatorRevision { row: indicator(&mut columns)?, superseded_at: columns.time()? })
    };
    rows.iter().map(revision).collect()
}

/// `None` where everything is kept.
pub(super) async fn history_since(transaction: &Transaction<'_>) -> Result<Option<Timestamp>, WorkError> {
    let statement = transaction.prepare_cached("SELECT since FROM history").await?;
    let row = transaction.query_one(&statement, &[]).await?;
    Ok(Columns::of(&row).time_opt()?)
}

pub(super) async fn begin_history(transaction: &Transaction<'_>, at: Timestamp) -> Result<(), WorkError> {
    let statement = transaction.prepare_cached("UPDATE history SET since = $1").await?;
    transaction.execute(&statement, &[&Instant(at)]).await?;
    Ok(())
}

pub(super) async fn indicators(
    transaction: &Transaction<'_>,
    place: Option<&str>,
) -> Result<Vec<IndicatorRow>, WorkError> {
    let statement = transaction
        .prepare_cached(&format!(
            "SELECT {INDICATOR_COLUMNS}
             FROM indicators WHERE $1::text IS NULL OR place = $1
             ORDER BY place COLLATE \"C\", indicator COLLATE \"C\", period, scope COLLATE \"C\"",
        ))
        .await?;
    let rows = transaction.query(&statement, &[&place]).await?;
    rows.iter().map(|row| indicator(&mut Columns::of(row))).collect()
}

const FLAG_COLUMNS: &str =
    "id, scope, place, province_code, district_code, subdistrict_code, well_id, hazard, severity,
    state, raised_at, changed_at, closed_at, confidence, wells_in, wells_out, coverage, rule, limit_value, observed,
    what_would_clear_it, headline_en, headline_th, detail_en, detail_th, acknowledged_by, acknowledged_at";

/// The flag as it is now, as a version, where the latest version says something else.
fn version_statement() -> String {
    let of = |table: &str| {
        let columns = FLAG_COLUMNS.split(',').map(|column| format!("{table}.{}", column.trim()));
        columns.collect::<Vec<_>>().join(", ")
    };
    format!(
        "INSERT INTO flag_versions (known_from, {FLAG_COLUMNS}) SELECT $2::timestamptz, {} FROM condition_flags f
         WHERE f.id = $1 AND NOT EXISTS (
            SELECT FROM flag_versions v WHERE v.number = (SELECT max(number) FROM flag_versions WHERE id = $1)
            AND ({}) IS NOT DISTINCT FROM ({}))",
        of("f"),
        of("v"),
        of("f")
    )
}

async fn put_flags(transaction: &Transaction<'_>, flags: &[ConditionFlag], at: Timestamp) -> Result<(), WorkError> {
    if flags.is_empty() {
        return Ok(());
    }
    let columns: Vec<&str> = FLAG_COLUMNS.split(',').map(str::trim).collect();
    let set: Vec<String> = columns[1..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let places: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let statement = transaction
        .prepare_cached(&format!(
            "INSERT INTO condition_flags ({FLAG_COLUMNS}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}",
            places.join(", "),
            set.join(", ")
        ))
        .await?;
    let version = transaction.prepare_cached(&version_statement()).await?;
    // In order: one that closes makes room for the next of its hazard and place.
    for flag in flags {
        let well_id = flag.well_id.as_ref().map(|id| id.as_str());
        let (wells_in, wells_out) = (i64::from(flag.wells_in), i64::from(flag.wells_out));
        transaction
            .execute(
                &statement,
                &[
                    &flag.id,
                    &flag.scope.name(),
                    &flag.place,
                    &flag.province_code,
                    &flag.district_code,
                    &flag.subdistrict_code,
                    &well_id,
                    &flag.hazard.name(),
                    &flag.severity.name(),
                    &flag.state.name(),
                    &Instant(flag.raised_at),
                    &Instant(flag.changed_at),
                    &flag.closed_at.map(Instant),
                    &flag.confidence,
                    &wells_in,
                    &wells_out,
                    &flag.coverage,
                    &flag.rule,
                    &flag.limit_value,
                    &flag.observed,
                    &flag.what_would_clear_it,
                    &flag.headline_en,
                    &flag.headline_th,
                    &flag.detail_en,
                    &flag.detail_th,
                    &flag.acknowledged_by,
                    &flag.acknowledged_at.map(Instant),
                ],
            )
            .await?;
        transaction.execute(&version, &[&flag.id, &Instant(at)]).await?;
    }
    Ok(())
}

pub(super) async fn flags(transaction: &Transaction<'_>, open_only: bool) -> Result<Vec<ConditionFlag>, WorkError> {
    let condition = if open_only { "WHERE state <> 'closed'" } else { "" };
    let statement = transaction
        .prepare_cached(&format!("SELECT {FLAG_COLUMNS} FROM condition_flags {condition} ORDER BY id COLLATE \"C\""))
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    rows.iter().map(flag).collect()
}

pub(super) async fn flags_at(transaction: &Transaction<'_>, at: Timestamp) -> Result<Vec<ConditionFlag>, WorkError> {
    let statement = transaction
        .prepare_cached(&format!(
            "SELECT {FLAG_COLUMNS} FROM flag_versions v WHERE number = (
                SELECT max(number) FROM flag_versions w WHERE w.id = v.id AND w.known_from <= $1)
             ORDER BY id COLLATE \"C\""
        ))
        .await?;
    let rows = transaction.query(&statement, &[&Instant(at)]).await?;
    rows.iter().map(flag).collect()
}

fn flag(row: &Row) -> Result<ConditionFlag, WorkError> {
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
        wells_in: columns.number()?,
        wells_out: columns.number()?,
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

pub(super) async fn transitions(
    transaction: &Transaction<'_>,
    flag_id: Option<&str>,
) -> Result<Vec<FlagTransition>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT flag_id, at, transition, severity, evidence FROM flag_transitions
             WHERE $1::text IS NULL OR flag_id = $1 ORDER BY n",
        )
        .await?;
    let rows = transaction.query(&statement, &[&flag_id]).await?;
    rows.iter().map(|row| Ok(transition(&mut Columns::of(row))?)).collect()
}

fn transition(columns: &mut Columns<'_>) -> Result<FlagTransition, StrangeValue> {
    Ok(FlagTransition {
        flag_id: columns.get()?,
        at: columns.time()?,
        transition: columns.parsed()?,
        severity: columns.parsed()?,
        evidence: columns.get()?,
    })
}

pub(super) async fn transitions_after(
    transaction: &Transaction<'_>,
    after: i64,
    limit: usize,
) -> Result<Vec<NumberedTransition>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT n, flag_id, at, transition, severity, evidence FROM flag_transitions WHERE n > $1 ORDER BY n LIMIT $2",
        )
        .await?;
    let rows = transaction.query(&statement, &[&after, &limit_to_sql(limit)]).await?;
    let row = |row| {
        let mut columns = Columns::of(row);
        Ok(NumberedTransition { number: columns.get()?, transition: transition(&mut columns)? })
    };
    rows.iter().map(row).collect()
}

pub(super) async fn last_transition(transaction: &Transaction<'_>) -> Result<i64, WorkError> {
    let statement = transaction.prepare_cached("SELECT coalesce(max(n), 0) FROM flag_transitions").await?;
    Ok(transaction.query_one(&statement, &[]).await?.try_get(0)?)
}
