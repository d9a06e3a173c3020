//! One stream of a scan: a COPY that ends when nobody reads on.
//!
//! # Rules
//! 1. Nothing runs before the first batch is asked for, and at most [`BATCHES_AHEAD`] batches before the next ones are.
//! 2. A stream ends only after all its rows, or with an error.
//! 3. Who drops a stream stops its COPY, whatever it waits for. Its connection goes back to the others only when the
//!    cancellation is known to have come: a late one would hit whatever runs there next.
//! 4. A COPY takes no parameters: its text is made of numbers and instants alone.

use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use gwbank_model::{SeriesId, Timestamp};
use gwbank_store::{ArchiveError, ScanRequest, Summary};
use tokio::sync::mpsc;
use tokio_postgres::error::SqlState;
use tokio_postgres::{CancelToken, Client, CopyOutStream};

use super::Shared;
use super::batches::{Batches, Kind, Naming};
use super::copy_out::CopyReader;
use super::lease::Lease;
use super::numbers::Numbers;
use super::summary;
use crate::DatabaseError;
use crate::error::WorkError;

/// Rows of one batch.
const BATCH_ROWS: usize = 8 * 1024;
/// Batches that a scan is ahead of its reader.
const BATCHES_AHEAD: usize = 2;

/// Streams of one scan at most, each of which takes a connection.
const SCANS_MAX: usize = 2;

/// Longest wait for the end of a COPY that is cancelled: as its connection can be closed, little is lost.
const STOP_WAIT_MAX: Duration = Duration::from_secs(5);

/// What PostgreSQL's `timestamptz` reaches; no reading lies outside.
pub(super) const EARLIEST: Timestamp = Timestamp::from_micros(-62_135_596_800_000_000); // year 1
pub(super) const LATEST: Timestamp = Timestamp::from_micros(253_402_300_800_000_000); // year 10000

pub(super) const SCANNING: &str = "cannot read readings";

type Sender = mpsc::Sender<Result<RecordBatch, ArchiveError>>;

pub(super) struct Scan {
    pub shared: Arc<Shared>,
    /// By which the transaction imports the state.
    pub snapshot: String,
    pub numbers: Arc<Numbers>,
    pub request: ScanRequest,
    pub wanted: Wanted,
}

pub(super) enum Wanted {
    Rows(Kind),
    Groups(Arc<Summary>),
}

#[derive(PartialEq)]
enum Read {
    ToTheEnd,
    UntilLeft,
}

impl Scan {
    pub fn start(self) -> impl futures::Stream<Item = Result<RecordBatch, ArchiveError>> {
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let task = tokio::spawn(async move {
            let narrowed = Self { request: self.request.narrowed(), ..self };
            if let Err(error) = narrowed.run(&sender).await {
                let _ = sender.send(Err(error.into())).await;
            }
        });
        futures::stream::unfold(Some((receiver, task)), |running| async move {
            let (mut receiver, task) = running?;
            match receiver.recv().await {
                Some(batch) => Some((batch, Some((receiver, task)))),
                // A task that did not come to its end has left rows out.
                None => task.await.err().map(|error| (Err(ArchiveError::Unavailable(Box::new(error))), None)),
            }
        })
    }

    async fn run(&self, sender: &Sender) -> Result<(), DatabaseError> {
        let naming = Naming { numbers: &self.numbers, names: &self.shared.names };
        let batches = match &self.wanted {
            Wanted::Rows(kind) => Batches::new(*kind, self.request.projection.as_deref(), naming),
            Wanted::Groups(summary) => Ok(Batches::of_summary(summary, naming)),
        };
        let batches = batches.map_err(|error| WorkError::from(error).during(SCANNING))?;
        let Some(statement) = self.statement(&batches.fields()) else { return Ok(()) };
        let Some(client) = unless_left(sender, self.shared.database.client()).await else { return Ok(()) };
        let lease = Lease::of(client?);
        let cancel = lease.client().cancel_token();
        let Some(copy) = unless_left(sender, self.copy(lease.client(), &statement)).await else {
            self.shared.database.cancel(cancel).await;
            lease.close();
            return Ok(());
        };
        let mut copy = Box::pin(copy.map_err(|error| error.during(SCANNING))?);
        let read = read(copy.as_mut(), batches, sender).await;
        if !matches!(read, Ok(Read::ToTheEnd)) && !self.stop(cancel, copy.as_mut()).await {
            lease.close();
        }
        read.map(drop).map_err(|error| error.during(SCANNING))
    }

    /// Returns when the first rows are there.
    async fn copy(&self, client: &Client, statement: &str) -> Result<CopyOutStream, WorkError> {
        // The id is nothing but hexadecimal digits and hyphens, as the database made it.
        client
            .batch_execute(&format!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                 SET TRANSACTION SNAPSHOT '{}';
                 SET LOCAL statement_timeout = 0",
                self.snapshot
            ))
            .await?;
        Ok(client.copy_out(statement).await?)
    }

    /// Whether the COPY has ended and no cancellation is still to come.
    async fn stop(&self, cancel: CancelToken, mut copy: Pin<&mut CopyOutStream>) -> bool {
        let stopped = async {
            self.shared.database.cancel(cancel).await;
            loop {
                match copy.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return error.code() == Some(&SqlState::QUERY_CANCELED),
                    None => return false,
                }
            }
        };
        tokio::time::timeout(STOP_WAIT_MAX, stopped).await.unwrap_or(false)
    }

    /// `None` where no reading can be wanted.
    fn statement(&self, fields: &[&str]) -> Option<String> {
        let mut conditions = Vec::new();
        if let Some(series) = self.wanted_series() {
            let mut numbers = String::new();
            for number in series {
                let comma = if numbers.is_empty() { "" } else { "," };
                write!(numbers, "{comma}{number}").expect("a String takes everything");
            }
            if numbers.is_empty() {
                return None;
            }
            conditions.push(format!("series_id = ANY('{{{numbers}}}'::int[])"));
        }
        if let Some(from) = self.request.from.filter(|from| *from > EARLIEST) {
            if from >= LATEST {
                return None;
            }
            conditions.push(format!("time >= '{from}'::timestamptz"));
        }
        if let Some(to) = self.request.to.filter(|to| *to < LATEST) {
            if to <= EARLIEST {
                return None;
            }
            conditions.push(format!("time < '{to}'::timestamptz"));
        }
        let (fields, table, end) = match &self.wanted {
            Wanted::Rows(kind) => {
                if let Some((least, greatest)) = self.request.values {
                    // As many digits as it takes to have the same number again.
                    let bounds = [(">=", least), ("<=", greatest)].into_iter().filter(|(_, bound)| bound.is_finite());
                    conditions.extend(bounds.map(|(is, bound)| format!("value {is} '{bound:?}'::double precision")));
                }
                let end = self.request.limit.map_or_else(String::new, |limit| format!("LIMIT {limit}"));
                (fields.join(", "), kind.table(), end)
            }
            Wanted::Groups(summary) => {
                let statement = summary::statement(summary, &self.numbers);
                conditions.extend(statement.conditions);
                (statement.fields, Kind::Winners.table(), statement.group_by)
            }
        };
        let condition =
            if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
        Some(format!("COPY (SELECT {fields} FROM {table} {condition} {end}) TO STDOUT (FORMAT binary)"))
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
}

/// `None` where nobody waits for it any more.
async fn unless_left<T>(sender: &Sender, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = sender.closed() => None,
    }
}

async fn read(mut copy: Pin<&mut CopyOutStream>, mut batches: Batches<'_>, sender: &Sender) -> Result<Read, WorkError> {
    let mut reader = CopyReader::new(batches.fields().len());
    loop {
        let Some(piece) = unless_left(sender, copy.next()).await else { return Ok(Read::UntilLeft) };
        let is_last = match piece {
            Some(piece) => {
                reader.take(&piece?, |tuple| batches.push(tuple).map_err(WorkError::from)).map(|()| false)?
            }
            None => reader.finish().map(|()| true)?,
        };
        if batches.rows() >= BATCH_ROWS || (is_last && batches.rows() > 0) {
            let batch = batches.finish()?;
            if sender.send(Ok(batch)).await.is_err() {
                return Ok(if is_last { Read::ToTheEnd } else { Read::UntilLeft });
            }
        }
        if is_last {
            return Ok(Read::ToTheEnd);
        }
    }
}

/// Parts of a request by time, as many as are welcome, each about as long.
pub(super) fn parts(request: &ScanRequest, times: Option<(Timestamp, Timestamp)>) -> Vec<ScanRequest> {
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
