//! One commit, one transaction: decide what each row changes, write it, move the position.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use deadpool_postgres::Transaction;
use gwbank_model::versions::{Change, Outcome};
use gwbank_model::{GatewayIndex, Key, Month, MonthCursor, Row, SeriesId, TimeForms, Timestamp};
use gwbank_store::{ArchiveCommit, CommitReport, RefusedRow, RevisionRow, StoredVersions};

use super::Shared;
use super::copy_in::copy_in;
use super::numbers::{self, Numbers};
use super::rollups;
use super::rows::{ARRAY_TYPES, Arrays, COLUMNS, Reading, SUPERSEDED_COLUMNS, unnest};
use crate::database::close_if_silent;
use crate::error::WorkError;
use crate::values::{Columns, Instant};
use crate::{DatabaseError, Layout};

/// Held by one commit at a time, over all nodes.
pub(super) const COMMIT_LOCK: i64 = 0x6777_6261_6e6b_0002;

/// Rows of one statement: arrays of them all would stand in memory here and there.
const ROWS_A_STATEMENT: usize = 20_000;

/// A commit may take as long as so many statements.
pub(super) const COMMIT_STATEMENTS: u32 = 5;

pub(super) async fn commit(shared: &Shared, commit: &ArchiveCommit) -> Result<CommitReport, DatabaseError> {
    let layout = shared.layout().await?;
    let mut client = shared.database.client().await?;
    let work = async {
        let transaction = client.transaction().await?;
        if layout != Layout::Partitions {
            // Corrections of compressed rows are as many as they are.
            transaction.batch_execute("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0").await?;
        }
        let statement = transaction.prepare_cached("SELECT pg_advisory_xact_lock($1)").await?;
        transaction.execute(&statement, &[&COMMIT_LOCK]).await?;
        let (stored, _) = shared.database.hold_node(&transaction).await?;
        shared.database.written.archive.check(stored)?;
        let mut writing = Writing::of(shared, layout, &transaction);
        let report = writing.take_all(&commit.rows).await?;
        writing.move_position(commit).await?;
        let Writing { given, partitions, .. } = writing;
        transaction.commit().await?;
        shared.database.written.archive.raise(commit.through);
        shared.learn(given);
        shared.partitions.lock().extend(partitions);
        Ok(report)
    };
    let done: Result<CommitReport, WorkError> = shared.database.unless_silent(COMMIT_STATEMENTS, work).await;
    close_if_silent(client, &done);
    done.map_err(|error| {
        // One may have been taken away behind our back.
        shared.partitions.lock().clear();
        error.during("cannot take readings")
    })
}

fn names_of(rows: &[Row]) -> (Vec<SeriesId>, Vec<GatewayIndex>) {
    let series: BTreeSet<u32> = rows.iter().map(|row| row.series.0).collect();
    let gateways: HashSet<GatewayIndex> = rows.iter().map(|row| row.gateway).collect();
    (series.into_iter().map(SeriesId).collect(), gateways.into_iter().collect())
}

/// Which keys are looked for.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// Those within the archived times of their series: the others are new.
    Within,
    /// All: somebody else has written.
    Everywhere,
}

/// What some rows change.
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
    layout: Layout,
    transaction: &'a Transaction<'a>,
    numbers: Arc<Numbers>,
    /// Numbers, partitions and rows that are there once the transaction is committed.
    given: Numbers,
    partitions: HashSet<Month>,
    new_rows: usize,
}

impl<'a> Writing<'a> {
    fn of(shared: &'a Shared, layout: Layout, transaction: &'a Transaction<'a>) -> Self {
        let numbers = shared.numbers.lock().clone();
        let (given, partitions) = (Numbers::default(), shared.partitions.lock().clone());
        Self { shared, layout, transaction, numbers, given, partitions, new_rows: 0 }
    }

    /// Takes rows in the order of `seq`. What the database refuses is halved until the rows at fault stand alone.
    async fn take_all(&mut self, rows: &[Row]) -> Result<CommitReport, WorkError> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&index| rows[index].seq);
        let sorted: Vec<Row> = order.iter().map(|&index| rows[index]).collect();
        let mut report = CommitReport { outcomes: vec![Outcome::Duplicate; rows.len()], refused: Vec::new() };
        let mut left = Vec::new();
        left.push(0..sorted.len());
        while let Some(range) = left.pop() {
            if range.is_empty() {
                continue;
            }
            let mut taken = self.take_or_undo(&sorted[range.clone()], Look::Within).await;
            if taken.as_ref().is_err_and(WorkError::is_unique_violation) {
                taken = self.take_or_undo(&sorted[range.clone()], Look::Everywhere).await;
            }
            match taken {
                Ok(outcomes) => {
                    for (&index, outcome) in order[range].iter().zip(outcomes) {
                        report.outcomes[index] = outcome;
                    }
                }
                Err(error) => {
                    let Some(why) = error.refusal() else { return Err(error) };
                    let middle = range.start + range.len() / 2;
                    if range.len() == 1 {
                        report.refused.push(RefusedRow { index: order[range.start], why });
                    } else {
                        left.extend([middle..range.end, range.start..middle]);
                    }
                }
            }
        }
        Ok(report)
    }

    /// All of some rows or nothing.
    async fn take_or_undo(&mut self, rows: &[Row], look: Look) -> Result<Vec<Outcome>, WorkError> {
        // What a deferred rule refuses only at the end could not be told from the rest.
        self.transaction.batch_execute("SAVEPOINT rows; SET CONSTRAINTS ALL IMMEDIATE").await?;
        let (numbers, given) = (self.numbers.clone(), self.given.clone());
        let (partitions, new_rows) = (self.partitions.clone(), self.new_rows);
        match self.take(rows, look).await {
            Ok(outcomes) => {
                self.transaction.batch_execute("RELEASE rows").await?;
                Ok(outcomes)
            }
            Err(error) => {
                if error.refusal().is_some() {
                    self.transaction.batch_execute("ROLLBACK TO rows; RELEASE rows").await?;
                    (self.numbers, self.given) = (numbers, given);
                    (self.partitions, self.new_rows) = (partitions, new_rows);
                }
                Err(error)
            }
        }
    }

    async fn take(&mut self, rows: &[Row], look: Look) -> Result<Vec<Outcome>, WorkError> {
        let (series, gateways) = names_of(rows);
        let given = numbers::give(self.transaction, &self.shared.names, &self.numbers, &series, &gateways).await?;
        if !given.is_empty() {
            Arc::make_mut(&mut self.numbers).merge(given.clone());
            self.given.merge(given);
        }
        let decided = self.decide(rows, &series, look).await?;
        self.write(&decided).await?;
        self.new_rows += decided.new.len();
        Ok(decided.outcomes)
    }

    /// `rows` in the order of `seq`.
    async fn decide(&self, rows: &[Row], series: &[SeriesId], look: Look) -> Result<Decided, WorkError> {
        let ranges = self.ranges(series).await?;
        let keys: BTreeSet<(u32, Timestamp)> = rows
            .iter()
            .filter(|row| {
                let within = |(from, to): &(Timestamp, Timestamp)| (*from..=*to).contains(&row.time);
                look == Look::Everywhere || ranges.get(&row.series).is_some_and(within)
            })
            .map(|row| (row.series.0, row.time))
            .collect();
        let keys: Vec<Key> = keys.into_iter().map(|(series, time)| Key { series: SeriesId(series), time }).collect();
        let mut known = find(self.transaction, &self.numbers, &self.shared.names.time_forms, &keys).await?;
        let there: HashSet<Key> = known.keys().copied().collect();

        let mut outcomes = Vec::with_capacity(rows.len());
        let mut losers: Vec<RevisionRow> = Vec::new();
        let mut changed: BTreeMap<(u32, Timestamp), Row> = BTreeMap::new();
        for row in rows {
            let key = row.key();
            let mut versions = known.remove(&key);
            let change = StoredVersions::take(&mut versions, *row);
            outcomes.push(change.outcome());
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

    async fn write(&mut self, decided: &Decided) -> Result<(), WorkError> {
        if self.layout == Layout::Partitions {
            self.make_partitions(&decided.new).await?;
        }
        let forms = &self.shared.names.time_forms;
        if decided.new.len() >= self.shared.database.copy_rows_min {
            copy_in(self.transaction, &decided.new, &self.numbers, forms).await?;
        } else {
            let insert = format!("INSERT INTO reading_rows ({COLUMNS}) SELECT * FROM {}", unnest(1));
            for rows in decided.new.chunks(ROWS_A_STATEMENT) {
                let statement = self.transaction.prepare_cached(&insert).await?;
                let arrays = Arrays::of(rows, &self.numbers, forms);
                self.transaction.execute(&statement, &arrays.parameters()).await?;
            }
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
            let arrays = Arrays::of(rows, &self.numbers, forms);
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
            let arrays = Arrays::of(losers.iter().map(|loser| &loser.row), &self.numbers, forms);
            let seqs: Vec<i64> = losers.iter().map(|loser| loser.superseded_seq.as_i64()).collect();
            let times: Vec<Instant> = losers.iter().map(|loser| Instant(loser.superseded_at)).collect();
            let causes: Vec<&str> = losers.iter().map(|loser| loser.cause).collect();
            let mut parameters = arrays.parameters();
            parameters.push(&seqs);
            parameters.push(&times);
            parameters.push(&causes);
            self.transaction.execute(&statement, &parameters).await?;
        }
        self.widen_ranges(&decided.ranges).await?;
        if self.layout != Layout::Timescale {
            rollups::mark(self.transaction, self.numbers.as_ref(), decided.new.iter().chain(&decided.replaced)).await?;
        }
        Ok(())
    }

    async fn make_partitions(&mut self, rows: &[Row]) -> Result<(), WorkError> {
        let mut cursor = MonthCursor::new(0);
        let wanted: HashSet<Month> = rows.iter().map(|row| cursor.month(row.time)).collect();
        for month in wanted {
            if self.partitions.contains(&month) {
                continue;
            }
            make_partition(self.transaction, month).await?;
            self.partitions.insert(month);
        }
        Ok(())
    }

    async fn widen_ranges(&self, ranges: &[(i32, Timestamp, Timestamp)]) -> Result<(), WorkError> {
        if !ranges.is_empty() {
            let series: Vec<i32> = ranges.iter().map(|range| range.0).collect();
            let from: Vec<Instant> = ranges.iter().map(|range| Instant(range.1)).collect();
            let to: Vec<Instant> = ranges.iter().map(|range| Instant(range.2)).collect();
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
        Ok(())
    }

    async fn move_position(&self, commit: &ArchiveCommit) -> Result<(), WorkError> {
        if self.new_rows > 0 {
            let statement =
                self.transaction.prepare_cached("UPDATE archive_totals SET readings = readings + $1").await?;
            self.transaction.execute(&statement, &[&(self.new_rows as i64)]).await?;
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

/// Attached rather than made in place: so readers go on meanwhile.
pub(super) async fn make_partition(transaction: &Transaction<'_>, month: Month) -> Result<(), WorkError> {
    // Year and month of before the year 0 would not sort, but no archive reaches back to there.
    let name = format!("reading_rows_{:04}_{:02}", month.year(), month.month_of_year());
    let bound = |month: Month| month.start(0).to_rfc3339(0);
    let (from, to) = (bound(month), bound(month.plus(1)));
    transaction
        .batch_execute(&format!(
            "DO $$ BEGIN
                IF to_regclass('{name}') IS NULL THEN
                    CREATE TABLE {name} (LIKE reading_rows INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
                    ALTER TABLE reading_rows ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}');
                END IF;
             END $$"
        ))
        .await?;
    Ok(())
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
