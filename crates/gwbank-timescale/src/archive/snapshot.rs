//! A state of the archive that stays as it is: a transaction that reads, and others that see what it sees.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use deadpool_postgres::{Object, Transaction};
use futures::{StreamExt, TryStreamExt};
use gwbank_model::{Key, Row, Seq, SeriesId, Timestamp};
use gwbank_store::{
    ArchiveError, ArchiveSnapshot, BatchStream, RevisionRow, ScanRequest, StoredVersions, revision_schema,
    revisions_to_batch, rows_to_batch, rows_to_columns,
};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_postgres::IsolationLevel;
use tokio_postgres::types::ToSql;

use super::Shared;
use super::commit::find;
use super::numbers::{self, Numbers};
use super::rows::{COLUMNS, Reading, SUPERSEDED_COLUMNS};
use crate::DatabaseError;
use crate::error::WorkError;
use crate::values::{Columns, Instant};

/// Rows of one batch.
const BATCH_ROWS: usize = 8 * 1024;
/// Batches that a scan is ahead of its reader.
const BATCHES_AHEAD: usize = 2;

/// Streams of one scan at most, each of which takes a connection.
const SCANS_MAX: usize = 2;

const SCANNING: &str = "cannot read readings";

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

impl PostgresSnapshot {
    pub async fn open(shared: Arc<Shared>) -> Result<Self, DatabaseError> {
        shared.layout().await?;
        let permit = shared.snapshots.clone().acquire_owned().await;
        let permit = permit.map_err(|error| DatabaseError::Connect(Box::new(error)))?;
        let lease = Lease(Some(shared.database.client().await?));
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
        let done: Result<_, WorkError> = work.await;
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

    fn streams(&self, request: ScanRequest, kind: Kind) -> Vec<BatchStream> {
        parts(&request, self.times)
            .into_iter()
            .map(|request| {
                let scan = Scan {
                    shared: self.shared.clone(),
                    id: self.id.clone(),
                    numbers: self.numbers.clone(),
                    request,
                    kind,
                };
                // Not before it is asked for: of scans that wait for each other's readers none may hold a connection.
                let started = futures::stream::once(async move { scan.start() });
                Box::pin(started.flatten()) as BatchStream
            })
            .collect()
    }
}

/// A connection in the middle of a transaction, which ends before anybody else gets the connection.
struct Lease(Option<Object>);

impl Lease {
    fn client(&self) -> &Object {
        self.0.as_ref().expect("taken only when it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(client) = self.0.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                if client.batch_execute("ROLLBACK").await.is_err() {
                    drop(Object::take(client)); // closed, as nobody else may get it with its transaction open
                }
            })),
            Err(_) => drop(Object::take(client)),
        }
    }
}

/// Parts of a request by time, as many as are welcome, each about as long.
fn parts(request: &ScanRequest, times: Option<(Timestamp, Timestamp)>) -> Vec<ScanRequest> {
    let whole = || vec![request.clone()];
    let Some((first, last)) = times else { return whole() };
    let from = request.from.map_or(first, |from| from.max(first)).as_micros();
    let to = request.to.map_or(last.as_micros().saturating_add(1), |to| to.as_micros().min(last.as_micros() + 1));
    let (count, span) = (request.partitions.clamp(1, SCANS_MAX) as i64, to.saturating_sub(from));
    if count == 1 || span < count {
        return whole();
    }
    let bound = |n: i64| Timestamp::from_micros(from + span / count * n);
    (0..count)
        .map(|n| ScanRequest {
            from: if n == 0 { request.from } else { Some(bound(n)) },
            to: if n + 1 == count { request.to } else { Some(bound(n + 1)) },
            partitions: 1,
            ..request.clone()
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Winners,
    Losers,
}

/// One stream of a scan.
struct Scan {
    shared: Arc<Shared>,
    id: String,
    numbers: Arc<Numbers>,
    request: ScanRequest,
    kind: Kind,
}

impl Scan {
    fn start(self) -> impl futures::Stream<Item = Result<RecordBatch, ArchiveError>> {
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        tokio::spawn(async move {
            if let Err(error) = self.run(&sender).await {
                let _ = sender.send(Err(error.into())).await;
            }
        });
        futures::stream::unfold(
            receiver,
            |mut receiver| async move { receiver.recv().await.map(|batch| (batch, receiver)) },
        )
    }

    async fn run(&self, sender: &mpsc::Sender<Result<RecordBatch, ArchiveError>>) -> Result<(), DatabaseError> {
        let mut client = self.shared.database.client().await?;
        let cancel = client.cancel_token();
        let work = async {
            let transaction = PostgresSnapshot::import(&mut client, &self.id).await?;
            let series = self.wanted_series();
            let (table, columns) = match self.kind {
                Kind::Winners => ("reading_rows", COLUMNS.to_owned()),
                Kind::Losers => ("reading_versions", format!("{COLUMNS}, {SUPERSEDED_COLUMNS}")),
            };
            let statement = transaction
                .prepare_cached(&format!(
                    "SELECT {columns} FROM {table}
                     WHERE ($1::int[] IS NULL OR series_id = ANY($1)) AND ($2::timestamptz IS NULL OR time >= $2)
                        AND ($3::timestamptz IS NULL OR time < $3)"
                ))
                .await?;
            let (from, to) = (self.request.from.map(Instant), self.request.to.map(Instant));
            let parameters: [&(dyn ToSql + Sync); 3] = [&series, &from, &to];
            let rows = transaction.query_raw(&statement, parameters).await?;
            let mut chunks = pin!(rows.try_chunks(BATCH_ROWS));
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(|error| error.1)?;
                let batch = self.batch(&chunk)?;
                if sender.send(Ok(batch)).await.is_err() {
                    // Nobody reads on: the backend is told, as it would go on to the end.
                    self.shared.database.cancel(cancel).await;
                    break;
                }
            }
            Ok(())
        };
        let done: Result<(), WorkError> = work.await;
        done.map_err(|error| error.during(SCANNING))
    }

    /// `None` is all.
    fn wanted_series(&self) -> Option<Vec<i32>> {
        if self.request.wells.is_none() && self.request.parameters.is_none() {
            return None;
        }
        let keys = self.shared.names.series.keys();
        let wanted =
            keys.iter().enumerate().filter(|(_, key)| self.request.wants_series(key.well.as_str(), key.parameter));
        Some(wanted.filter_map(|(index, _)| self.numbers.series(SeriesId(index as u32))).collect())
    }

    fn batch(&self, chunk: &[tokio_postgres::Row]) -> Result<RecordBatch, WorkError> {
        let forms = &self.shared.names.time_forms;
        let mut reading = Reading::default();
        let projection = self.request.projection.as_deref();
        let batch = match self.kind {
            Kind::Winners => {
                let rows = chunk.iter().map(|row| reading.row(&mut Columns::of(row), &self.numbers, forms));
                let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
                match projection {
                    Some(wanted) => rows_to_columns(&rows, &self.shared.names, wanted)?,
                    None => rows_to_batch(&rows, &self.shared.names)?,
                }
            }
            Kind::Losers => {
                let rows = chunk.iter().map(|row| reading.revision(&mut Columns::of(row), &self.numbers, forms));
                let rows: Vec<RevisionRow> = rows.collect::<Result<_, _>>()?;
                let batch = revisions_to_batch(&rows, &self.shared.names)?;
                debug_assert_eq!(batch.schema(), revision_schema());
                match projection {
                    Some(wanted) => batch.project(wanted)?,
                    None => batch,
                }
            }
        };
        Ok(batch)
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
        Ok(self.streams(request, Kind::Winners))
    }

    fn scan_revisions(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError> {
        Ok(self.streams(request, Kind::Losers))
    }

    async fn series_rows(&self, series: SeriesId, from: Timestamp, to: Timestamp) -> Result<Vec<Row>, ArchiveError> {
        let Some(number) = self.numbers.series(series) else { return Ok(Vec::new()) };
        let mut client = self.shared.database.client().await?;
        let work = async {
            let transaction = Self::import(&mut client, &self.id).await?;
            let statement = transaction
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM reading_rows WHERE series_id = $1 AND time >= $2 AND time < $3 ORDER BY time"
                ))
                .await?;
            let rows = transaction
                .query(&statement, &[&number, &Instant(from.max(EARLIEST)), &Instant(to.min(LATEST))])
                .await?;
            let (mut reading, forms) = (Reading::default(), &self.shared.names.time_forms);
            let rows = rows.iter().map(|row| reading.row(&mut Columns::of(row), &self.numbers, forms));
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let done: Result<Vec<Row>, WorkError> = work.await;
        Ok(done.map_err(|error| error.during(SCANNING))?)
    }

    async fn versions(&self, keys: &[Key]) -> Result<Vec<Option<StoredVersions>>, ArchiveError> {
        let mut client = self.shared.database.client().await?;
        let work = async {
            let transaction = Self::import(&mut client, &self.id).await?;
            find(&transaction, &self.numbers, &self.shared.names.time_forms, keys).await
        };
        let mut found = work.await.map_err(|error| error.during(SCANNING))?;
        Ok(keys.iter().map(|key| found.remove(key)).collect())
    }
}

/// What PostgreSQL's `timestamptz` reaches; no reading lies outside.
const EARLIEST: Timestamp = Timestamp::from_micros(-62_135_596_800_000_000); // year 1
const LATEST: Timestamp = Timestamp::from_micros(253_402_300_800_000_000); // year 10000
