//! One commit, one transaction: decide what each row changes, write it, move the position.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use deadpool_postgres::Transaction;
use gwbank_model::versions::{Change, Outcome};
use gwbank_model::{GatewayIndex, Key, Month, MonthCursor, Row, SeriesId, TimeForms, Timestamp};
use gwbank_store::{ArchiveCommit, CommitReport, RevisionRow, StoredVersions};

use super::Shared;
use super::numbers::{self, Numbers};
use super::rows::{ARRAY_TYPES, Arrays, COLUMNS, Reading, SUPERSEDED_COLUMNS, unnest};
use crate::error::WorkError;
use crate::values::{Columns, Instant};
use crate::{DatabaseError, Layout};

/// Held by one commit at a time, over all nodes.
const COMMIT_LOCK: i64 = 0x6777_6261_6e6b_0002;

/// Rows of one statement: arrays of them all would stand in memory here and there.
const ROWS_A_STATEMENT: usize = 20_000;

pub(super) async fn commit(shared: &Shared, commit: &ArchiveCommit) -> Result<CommitReport, DatabaseError> {
    const DOING: &str = "cannot take readings";
    let mut client = shared.database.client().await?;
    let work = async {
        let transaction = client.transaction().await?;
        let statement = transaction.prepare_cached("SELECT pg_advisory_xact_lock($1)").await?;
        transaction.execute(&statement, &[&COMMIT_LOCK]).await?;
        let mut numbers = shared.numbers.lock().clone();
        let (series, gateways) = names_of(&commit.rows);
        let given = numbers::give(&transaction, &shared.names, &numbers, &series, &gateways).await?;
        if !given.is_empty() {
            Arc::make_mut(&mut numbers).merge(given.clone());
        }
        let writing = Writing { shared, transaction: &transaction, numbers: &numbers };
        let decided = writing.decide(&commit.rows, &series).await?;
        let months = writing.write(&decided).await?;
        writing.move_position(commit, &decided).await?;
        transaction.commit().await?;
        shared.learn(given);
        shared.partitions.lock().extend(months);
        Ok(CommitReport { outcomes: decided.outcomes })
    };
    let done: Result<CommitReport, WorkError> = work.await;
    done.map_err(|error| error.during(DOING))
}

fn names_of(rows: &[Row]) -> (Vec<SeriesId>, Vec<GatewayIndex>) {
    let series: BTreeSet<u32> = rows.iter().map(|row| row.series.0).collect();
    let gateways: HashSet<GatewayIndex> = rows.iter().map(|row| row.gateway).collect();
    (series.into_iter().map(SeriesId).collect(), gateways.into_iter().collect())
}

/// What a commit changes.
struct Decided {
    outcomes: Vec<Outcome>,
    /// Winners of keys that were not there.
    new: Vec<Row>,
    /// Winners that take another's place.
    replaced: Vec<Row>,
    losers: Vec<RevisionRow>,
    /// Where the times of a series reach now, for those that reach further.
    ranges: Vec<(i32, Timestamp, Timestamp)>,
}

struct Writing<'a> {
    shared: &'a Shared,
    transaction: &'a Transaction<'a>,
    numbers: &'a Numbers,
}

impl Writing<'_> {
    async fn decide(&self, rows: &[Row], series: &[SeriesId]) -> Result<Decided, WorkError> {
        let ranges = self.ranges(series).await?;
        let keys: BTreeSet<(u32, Timestamp)> = rows
            .iter()
            .filter(|row| ranges.get(&row.series).is_some_and(|(from, to)| (*from..=*to).contains(&row.time)))
            .map(|row| (row.series.0, row.time))
            .collect();
        let keys: Vec<Key> = keys.into_iter().map(|(series, time)| Key { series: SeriesId(series), time }).collect();
        let mut known = find(self.transaction, self.numbers, &self.shared.names.time_forms, &keys).await?;
        let there: HashSet<Key> = known.keys().copied().collect();

        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&i| rows[i].seq);
        let mut outcomes = vec![Outcome::Duplicate; rows.len()];
        let mut losers: Vec<RevisionRow> = Vec::new();
        let mut changed: BTreeMap<(u32, Timestamp), Row> = BTreeMap::new();
        for i in order {
            let key = rows[i].key();
            let mut versions = known.remove(&key);
            let change = StoredVersions::take(&mut versions, rows[i]);
            outcomes[i] = change.outcome();
            let Some(versions) = versions else { continue };
            match change {
                Change::First => drop(changed.insert((key.series.0, key.time), versions.winner)),
                Change::Supersedes => {
                    changed.insert((key.series.0, key.time), versions.winner);
                    losers.extend(versions.revisions.last());
                }
                Change::Loses => losers.extend(versions.revisions.last()),
                Change::Known | Change::Duplicate => {}
            }
            known.insert(key, versions);
        }
        let (mut new, mut replaced) = (Vec::new(), Vec::new());
        let mut reach: BTreeMap<u32, (Timestamp, Timestamp)> = BTreeMap::new();
        for row in changed.into_values() {
            if there.contains(&row.key()) {
                replaced.push(row);
                continue;
            }
            new.push(row);
            let known = ranges.get(&row.series).copied().unwrap_or((row.time, row.time));
            let (from, to) = reach.entry(row.series.0).or_insert(known);
            (*from, *to) = ((*from).min(row.time), (*to).max(row.time));
        }
        let further = reach.into_iter().filter(|(series, range)| ranges.get(&SeriesId(*series)) != Some(range));
        let ranges = further
            .map(|(series, (from, to))| (self.numbers.series(SeriesId(series)).expect("a number was given"), from, to))
            .collect();
        Ok(Decided { outcomes, new, replaced, losers, ranges })
    }

    /// Where the archived times of series reach; nothing of those without any.
    async fn ranges(&self, series: &[SeriesId]) -> Result<HashMap<SeriesId, (Timestamp, Timestamp)>, WorkError> {
        let numbers: Vec<i32> = series.iter().filter_map(|series| self.numbers.series(*series)).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "SELECT series_id, first_time, last_time FROM series WHERE series_id = ANY($1) AND last_time IS NOT NULL",
            )
            .await?;
        let mut ranges = HashMap::new();
        for row in &self.transaction.query(&statement, &[&numbers]).await? {
            let mut columns = Columns::of(row);
            if let Some(series) = self.numbers.series_back(columns.get()?) {
                ranges.insert(series, (columns.time()?, columns.time()?));
            }
        }
        Ok(ranges)
    }

    /// Gives the months whose partitions were made.
    async fn write(&self, decided: &Decided) -> Result<Vec<Month>, WorkError> {
        let months = match self.shared.layout {
            Layout::Partitions => self.make_partitions(&decided.new).await?,
            Layout::Timescale => Vec::new(),
        };
        let forms = &self.shared.names.time_forms;
        let insert = format!("INSERT INTO reading_rows ({COLUMNS}) SELECT * FROM {}", unnest(1));
        for rows in decided.new.chunks(ROWS_A_STATEMENT) {
            let statement = self.transaction.prepare_cached(&insert).await?;
            self.transaction.execute(&statement, &Arrays::of(rows, self.numbers, forms).parameters()).await?;
        }
        let update = format!(
            "UPDATE reading_rows r SET value = n.value, seq = n.seq, revision = n.revision,
                gateway_number = n.gateway_number, qc_tests = n.qc_tests, quality = n.quality,
                time_source = n.time_source, site_status = n.site_status, time_raw = n.time_raw
             FROM {} n({COLUMNS})
             WHERE r.series_id = n.series_id AND r.time = n.time AND r.series_id = ANY($1) AND r.time BETWEEN ${} AND ${}",
            unnest(1),
            ARRAY_TYPES.len() + 1,
            ARRAY_TYPES.len() + 2
        );
        for rows in decided.replaced.chunks(ROWS_A_STATEMENT) {
            let statement = self.transaction.prepare_cached(&update).await?;
            let (from, to) = time_range(rows.iter().map(|row| row.time));
            let arrays = Arrays::of(rows, self.numbers, forms);
            let mut parameters = arrays.parameters();
            parameters.push(&from);
            parameters.push(&to);
            self.transaction.execute(&statement, &parameters).await?;
        }
        let n = ARRAY_TYPES.len();
        let insert = format!(
            "INSERT INTO reading_versions ({COLUMNS}, {SUPERSEDED_COLUMNS})
             SELECT * FROM ROWS FROM ({}, unnest(${}::bigint[]), unnest(${}::timestamptz[]), unnest(${}::text[]))",
            unnest(1),
            n + 1,
            n + 2,
            n + 3
        );
        for losers in decided.losers.chunks(ROWS_A_STATEMENT) {
            let statement = self.transaction.prepare_cached(&insert).await?;
            let arrays = Arrays::of(losers.iter().map(|loser| &loser.row), self.numbers, forms);
            let seqs: Vec<i64> = losers.iter().map(|loser| loser.superseded_seq.as_i64()).collect();
            let times: Vec<Instant> = losers.iter().map(|loser| Instant(loser.superseded_at)).collect();
            let causes: Vec<&str> = losers.iter().map(|loser| loser.cause).collect();
            let mut parameters = arrays.parameters();
            parameters.push(&seqs);
            parameters.push(&times);
            parameters.push(&causes);
            self.transaction.execute(&statement, &parameters).await?;
        }
        Ok(months)
    }

    async fn make_partitions(&self, rows: &[Row]) -> Result<Vec<Month>, WorkError> {
        let mut cursor = MonthCursor::new(0);
        let wanted: HashSet<Month> = rows.iter().map(|row| cursor.month(row.time)).collect();
        let mut made = Vec::new();
        for month in wanted {
            if self.shared.partitions.lock().contains(&month) {
                continue;
            }
            // Year and month of before the year 0 would not sort, but no archive reaches back to there.
            let name = format!("reading_rows_{:04}_{:02}", month.year(), month.month_of_year());
            let bound = |month: Month| month.start(0).to_rfc3339(0);
            let (from, to) = (bound(month), bound(month.plus(1)));
            // Attached rather than made in place: so readers go on meanwhile.
            self.transaction
                .batch_execute(&format!(
                    "DO $$ BEGIN
                        IF to_regclass('{name}') IS NULL THEN
                            CREATE TABLE {name} (LIKE reading_rows INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
                            ALTER TABLE reading_rows ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}');
                        END IF;
                     END $$"
                ))
                .await?;
            made.push(month);
        }
        Ok(made)
    }

    async fn move_position(&self, commit: &ArchiveCommit, decided: &Decided) -> Result<(), WorkError> {
        if !decided.ranges.is_empty() {
            let series: Vec<i32> = decided.ranges.iter().map(|range| range.0).collect();
            let from: Vec<Instant> = decided.ranges.iter().map(|range| Instant(range.1)).collect();
            let to: Vec<Instant> = decided.ranges.iter().map(|range| Instant(range.2)).collect();
            let statement = self
                .transaction
                .prepare_cached(
                    "UPDATE series s SET first_time = r.first_time, last_time = r.last_time
                     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) r(series_id, first_time, last_time)
                     WHERE s.series_id = r.series_id",
                )
                .await?;
            self.transaction.execute(&statement, &[&series, &from, &to]).await?;
        }
        if !decided.new.is_empty() {
            let statement =
                self.transaction.prepare_cached("UPDATE archive_totals SET readings = readings + $1").await?;
            self.transaction.execute(&statement, &[&(decided.new.len() as i64)]).await?;
        }
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO nodes (node_id, archive_position) VALUES ($1, $2)
                 ON CONFLICT (node_id) DO UPDATE SET archive_position = excluded.archive_position
                    WHERE nodes.archive_position < excluded.archive_position",
            )
            .await?;
        self.transaction.execute(&statement, &[&self.shared.database.node_id(), &commit.through.as_i64()]).await?;
        Ok(())
    }
}

fn time_range(times: impl Iterator<Item = Timestamp> + Clone) -> (Instant, Instant) {
    let from = times.clone().min().unwrap_or(Timestamp::MIN);
    (Instant(from), Instant(times.max().unwrap_or(from)))
}

/// Everything known of some keys. Series without a number have none.
pub(super) async fn find(
    transaction: &Transaction<'_>,
    numbers: &Numbers,
    forms: &TimeForms,
    keys: &[Key],
) -> Result<HashMap<Key, StoredVersions>, WorkError> {
    let mut found: HashMap<Key, StoredVersions> = HashMap::new();
    for keys in keys.chunks(ROWS_A_STATEMENT) {
        let numbered: Vec<(i32, Timestamp)> =
            keys.iter().filter_map(|key| Some((numbers.series(key.series)?, key.time))).collect();
        if numbered.is_empty() {
            continue;
        }
        let series: Vec<i32> = numbered.iter().map(|key| key.0).collect();
        let times: Vec<Instant> = numbered.iter().map(|key| Instant(key.1)).collect();
        let (from, to) = time_range(numbered.iter().map(|key| key.1));
        // Series and range are said once more, as no join lets a planner leave out chunks and compressed segments.
        let select = |table: &str, columns: &str| {
            format!(
                "SELECT {columns} FROM {table} r
                 WHERE (r.series_id, r.time) IN (SELECT * FROM unnest($1::int[], $2::timestamptz[]))
                    AND r.series_id = ANY($1) AND r.time BETWEEN $3 AND $4"
            )
        };
        let mut reading = Reading::default();
        let statement = transaction.prepare_cached(&select("reading_rows", COLUMNS)).await?;
        for row in &transaction.query(&statement, &[&series, &times, &from, &to]).await? {
            let winner = reading.row(&mut Columns::of(row), numbers, forms)?;
            found.insert(winner.key(), StoredVersions { winner, revisions: Vec::new() });
        }
        let columns = format!("{COLUMNS}, {SUPERSEDED_COLUMNS}");
        let statement = transaction.prepare_cached(&select("reading_versions", &columns)).await?;
        for row in &transaction.query(&statement, &[&series, &times, &from, &to]).await? {
            let revision = reading.revision(&mut Columns::of(row), numbers, forms)?;
            if let Some(versions) = found.get_mut(&revision.row.key()) {
                versions.revisions.push(revision);
            }
        }
    }
    for versions in found.values_mut() {
        versions.revisions.sort_by_key(|revision| (revision.superseded_at, revision.row.seq));
        versions.restore_origins();
    }
    Ok(found)
}
