//! Queries under way: whoever has the ticket can stop one, and so can time.
//!
//! A client that reads nothing more polls nothing more; so what stops a query takes the engine's stream out of its place and
//! drops it there and then.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::Stream;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::door::{Answer, Asked, FailureKind, SqlDoor, SqlFailure};
use crate::ticket::Id;
use gwbank_door::{DoorStats, Statement};

type Batches = BoxStream<'static, Result<RecordBatch, SqlFailure>>;

/// All queries of the door.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// A ticket may be brought more than once.
    queries: Mutex<HashMap<Id, Vec<Arc<Query>>>>,
    stats: Arc<DoorStats>,
}

struct Query {
    owner: Arc<str>,
    stopped: CancellationToken,
    why: OnceLock<SqlFailure>,
    held: Mutex<Held>,
}

/// What a query takes up while it is under way.
struct Held {
    batches: Option<Batches>,
    _counted: Option<Statement>,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Query {
    fn stop(&self, why: SqlFailure) {
        let _told_already = self.why.set(why);
        self.stopped.cancel();
        // Outside of the lock: what is dropped may take its time.
        let held = std::mem::replace(&mut *self.held.lock(), Held { batches: None, _counted: None });
        drop(held);
    }

    fn why(&self) -> SqlFailure {
        self.why.get().cloned().unwrap_or_else(cancelled)
    }
}

fn cancelled() -> SqlFailure {
    SqlFailure { kind: FailureKind::Cancelled, message: "the query was cancelled".to_owned() }
}

fn too_slow(time: Duration) -> SqlFailure {
    let message = format!(
        "the answer was not there and taken within {:.1} s; narrow the time or the wells, or read faster",
        time.as_secs_f64()
    );
    SqlFailure { kind: FailureKind::TimedOut, message }
}

impl Running {
    pub(crate) fn new(stats: Arc<DoorStats>) -> Self {
        Self { queries: Mutex::default(), stats }
    }

    /// Starts a query that ends within the time.
    pub(crate) async fn start(
        self: &Arc<Self>,
        id: Id,
        door: &Arc<dyn SqlDoor>,
        asked: Asked,
        time: Duration,
    ) -> Result<Rows, SqlFailure> {
        let query = Arc::new(Query {
            owner: asked.caller.user.as_str().into(),
            stopped: CancellationToken::new(),
            why: OnceLock::new(),
            held: Mutex::new(Held { batches: None, _counted: Some(self.stats.statement()) }),
        });
        self.queries.lock().entry(id).or_default().push(query.clone());
        let watched = query.clone();
        let clock = tokio::spawn(async move {
            tokio::time::sleep(time).await;
            watched.stop(too_slow(time));
        });
        let place = Place { id, query, all: self.clone(), clock: clock.abort_handle() };
        let answer = tokio::select! {
            biased;
            () = place.query.stopped.cancelled() => Err(place.query.why()),
            answer = door.query(asked) => answer,
        };
        let Answer { schema, batches } = answer?;
        place.query.held.lock().batches = Some(batches);
        if place.query.stopped.is_cancelled() {
            // Stopped before there was anything to take away: leaving the place drops it.
            return Err(place.query.why());
        }
        let stopped = Box::pin(place.query.stopped.clone().cancelled_owned());
        Ok(Rows { schema, place, stopped, ended: false })
    }

    /// Stops what was started by the ticket; tells whether there was such a query.
    pub(crate) fn cancel(&self, id: &Id, owner: &str) -> bool {
        let found: Vec<Arc<Query>> = {
            let queries = self.queries.lock();
            queries.get(id).into_iter().flatten().filter(|query| &*query.owner == owner).cloned().collect()
        };
        for query in &found {
            query.stop(cancelled());
            self.stats.cancelled();
        }
        !found.is_empty()
    }

    /// At the end of the server.
    pub(crate) fn stop_all(&self) {
        let all: Vec<Arc<Query>> = self.queries.lock().values().flatten().cloned().collect();
        for query in all {
            let message = "the server is shutting down".to_owned();
            query.stop(SqlFailure { kind: FailureKind::Unavailable, message });
        }
    }
}

/// A query's place among the others; leaving it stops the query.
struct Place {
    id: Id,
    query: Arc<Query>,
    all: Arc<Running>,
    clock: AbortHandle,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clock.abort();
        let mut queries = self.all.queries.lock();
        if let Some(alike) = queries.get_mut(&self.id) {
            alike.retain(|query| !Arc::ptr_eq(query, &self.query));
            if alike.is_empty() {
                queries.remove(&self.id);
            }
        }
        drop(queries);
        self.query.stop(cancelled());
    }
}

/// The rows of a query that may be stopped from elsewhere.
pub(crate) struct Rows {
    schema: arrow::datatypes::SchemaRef,
    place: Place,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: bool,
}

impl Rows {
    pub(crate) fn schema(&self) -> &arrow::datatypes::SchemaRef {
        &self.schema
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch, SqlFailure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.stopped.as_mut().poll(context).is_ready() {
            self.ended = true;
            return Poll::Ready(Some(Err(self.place.query.why())));
        }
        let polled = match self.place.query.held.lock().batches.as_mut() {
            Some(batches) => batches.as_mut().poll_next(context),
            // Taken away between the look above and this one.
            None => Poll::Ready(Some(Err(self.place.query.why()))),
        };
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.ended = true;
        }
        polled
    }
}
