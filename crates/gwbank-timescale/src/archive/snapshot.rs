//! A state of the archive that stays as it is: a transaction that reads, and others that see what it sees.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::{Object, Transaction};
use futures::StreamExt;
use gwbank_model::{Key, Parameter, Row, Seq, SeriesId, Timestamp, WellId};
use gwbank_store::{ArchiveError, ArchiveSnapshot, BatchStream, ScanRequest, StoredVersions, Summary};
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::IsolationLevel;

use super::Shared;
use super::batches::Kind;
use super::commit::find;
use super::lease::Lease;
use super::numbers::{self, Numbers};
use super::rows::{COLUMNS, Reading};
use super::scan::{EARLIEST, LATEST, SCANNING, Scan, Wanted, parts};
use super::summary::WITHOUT_MAX;
use crate::DatabaseError;
use crate::database::{close_if_silent, is_silent};
use crate::error::WorkError;
use crate::values::{Columns, Instant};

/// Holds a connection, whose transaction keeps the state, until it is dropped.
pub(super) struct PostgresSnapshot {
    shared: Arc<Shared>,
    /// Kept for its transaction alone.
    _lease: Lease,
    /// By which other transactions import the state.
    id: String,
    position: Seq,
    rows: u64,
    times: Option<(Timestamp, Timestamp)>,
    numbers: Arc<Numbers>,
    _permit: OwnedSemaphorePermit,
}

impl fmt::Debug for PostgresSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSnapshot").field("id", &self.id).field("position", &self.position).finish()
    }
}

/// Asked in a transaction of its own: no reading is touched.
pub(super) async fn series_ends(shared: &Shared) -> Result<Vec<(SeriesId, Timestamp)>, DatabaseError> {
    const WHILE: &str = "cannot ask for the latest reading of each series";
    shared.layout().await?;
    let client = shared.database.client().await?;
    let work = async {
        let statement = client
            .prepare_cached("SELECT well_id, parameter, last_time FROM series WHERE last_time IS NOT NULL")
            .await?;
        let mut ends = Vec::new();
        for row in &client.query(&statement, &[]).await? {
            let mut columns = Columns::of(row);
            let (well, parameter): (WellId, Parameter) = (columns.parsed()?, columns.parsed()?);
            if let Some(end) = columns.time_opt()? {
                ends.push((shared.names.series.intern(&well, parameter), end));
            }
        }
        Ok(ends)
    };
    let done: Result<Vec<_>, WorkError> = shared.database.unless_silent(1, work).await;
    close_if_silent(client, &done);
    done.map_err(|error| error.during(WHILE))
}

impl PostgresSnapshot {
    pub async fn open(shared: Arc<Shared>) -> Result<Self, DatabaseError> {
        shared.layout().await?;
        let permit = shared.snapshots.clone().acquire_owned().await;
        let permit = permit.map_err(|error| DatabaseError::Connect(Box::new(error)))?;
        let lease = Lease::of(shared.database.client().await?);
        let node = shared.database.node_id();
        let work = async {
            let client = lease.client();
            // A long query leaves this transaction alone for as long as it takes.
            client
                .batch_execute(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                     SET LOCAL idle_in_transaction_session_timeout = 0",
                )
                .await?;
            let statement = client
                .prepare_cached(
                    "SELECT pg_export_snapshot(), coalesce((SELECT archive_position FROM nodes WHERE node_id = $1), 0),
                        (SELECT readings FROM archive_totals), (SELECT min(first_time) FROM series),
                        (SELECT max(last_time) FROM series)",
                )
                .await?;
            let row = client.query_one(&statement, &[&node]).await?;
            let known = shared.numbers.lock().clone();
            let numbers = shared.learn(numbers::newer(client, &shared.names, &known).await?);
            Ok((row, numbers))
        };
        let done: Result<_, WorkError> = shared.database.unless_silent(1, work).await;
        if is_silent(&done) {
            lease.close();
            return Err(done.map(drop).unwrap_err().during("cannot open a snapshot of the readings"));
        }
        let (row, numbers) = done.map_err(|error| error.during("cannot open a snapshot of the readings"))?;
        let mut columns = Columns::of(&row);
        let mut read = || {
            let (id, position, rows) = (columns.get()?, Seq::from_i64(columns.get()?), columns.count()?);
            let times = columns.time_opt()?.zip(columns.time_opt()?);
            Ok((id, position, rows, times))
        };
        let read: Result<_, WorkError> = read();
        let (id, position, rows, times) = read.map_err(|error| error.during(SCANNING))?;
        shared.database.written.archive.raise(position);
        Ok(Self { shared, _lease: lease, id, position, rows, times, numbers, _permit: permit })
    }

    /// A transaction of another connection that sees what this snapshot sees.
    async fn import<'c>(client: &'c mut Object, id: &str) -> Result<Transaction<'c>, WorkError> {
        let transaction =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
        // Nothing but hexadecimal digits and hyphens, as the database made it.
        transaction.batch_execute(&format!("SET TRANSACTION SNAPSHOT '{id}'; SET LOCAL statement_timeout = 0")).await?;
        Ok(transaction)
    }

    fn streams(&self, request: ScanRequest, wanted: impl Fn() -> Wanted) -> Vec<BatchStream> {
        parts(&request, self.times)
            .into_iter()
            .map(|request| {
                let (shared, numbers) = (self.shared.clone(), self.numbers.clone());
                let scan = Scan { shared, snapshot: self.id.clone(), numbers, request, wanted: wanted() };
                // Not before it is asked for: of scans that wait for each other's readers none may hold a connection.
                let started = futures::stream::once(async move { scan.start() });
                Box::pin(started.flatten()) as BatchStream
            })
            .collect()
    }
}

#[async_trait]
impl ArchiveSnapshot for PostgresSnapshot {
    fn position(&self) -> Seq {
        self.position
    }

    fn row_count(&self) -> u64 {
        self.rows
    }

    fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        self.times
    }

    fn scan(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError> {
        Ok(self.streams(request, || Wanted::Rows(Kind::Winners)))
    }

    fn scan_revisions(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError> {
        Ok(self.streams(request, || Wanted::Rows(Kind::Losers)))
    }

    fn summarize(&self, request: ScanRequest, summary: &Summary) -> Result<Option<Vec<BatchStream>>, ArchiveError> {
        if summary.without.len() > WITHOUT_MAX {
            return Ok(None);
        }
        let summary = Arc::new(summary.clone());
        Ok(Some(self.streams(request, || Wanted::Groups(summary.clone()))))
    }

    async fn series_rows(&self, series: SeriesId, from: Timestamp, to: Timestamp) -> Result<Vec<Row>, ArchiveError> {
        self.rows_of_series(&[series], from, to).await
    }

    async fn rows_of_series(
        &self,
        series: &[SeriesId],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, ArchiveError> {
        let numbers: Vec<_> = series.iter().filter_map(|&series| self.numbers.series(series)).collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let mut client = self.shared.database.client().await?;
        let work = async {
            let transaction = Self::import(&mut client, &self.id).await?;
            let statement = transaction
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM reading_rows WHERE series_id = ANY($1) AND time >= $2 AND time < $3 \
                     ORDER BY series_id, time"
                ))
                .await?;
            let rows = transaction
                .query(&statement, &[&numbers, &Instant(from.max(EARLIEST)), &Instant(to.min(LATEST))])
                .await?;
            let (mut reading, forms) = (Reading::default(), &self.shared.names.time_forms);
            let rows = rows.iter().map(|row| reading.row(&mut Columns::of(row), &self.numbers, forms));
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let done: Result<Vec<Row>, WorkError> = self.shared.database.unless_silent(1, work).await;
        close_if_silent(client, &done);
        Ok(done.map_err(|error| error.during(SCANNING))?)
    }

    async fn versions(&self, keys: &[Key]) -> Result<Vec<Option<StoredVersions>>, ArchiveError> {
        let mut client = self.shared.database.client().await?;
        let work = async {
            let transaction = Self::import(&mut client, &self.id).await?;
            find(&transaction, &self.numbers, &self.shared.names.time_forms, keys).await
        };
        let done = self.shared.database.unless_silent(1, work).await;
        close_if_silent(client, &done);
        let mut found = done.map_err(|error| error.during(SCANNING))?;
        Ok(keys.iter().map(|key| found.remove(key)).collect())
    }
}
