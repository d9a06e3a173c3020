//! Taking queries, running them within limits, giving their batches.
//!
//! # Rules
//! 1. A query computes on the query runtime; its caller only receives. Its [`Guard`] ends it where it runs, whether it
//!    yields or not; a second deadline where it is received answers in time even while it does not.
//! 2. The stream ends well only after the runner said so; a runner that vanished is an error.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use futures::stream::{BoxStream, Stream};
use futures::{FutureExt, StreamExt};
use gwbank_recent::Window;
use gwbank_registry::Registry;
use gwbank_store::{Archive, EffectiveLimit, Metadata, Reviews, RowNames};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

use crate::config::QueryConfig;
use crate::connection_views::with_views;
use crate::error::{Limit, QueryError};
use crate::gapfill;
use crate::guard::{Guard, batch_bytes, check_constants, guarded, without_guards};
use crate::known_at;
use crate::local_time;
use crate::pg_catalog::{self, TableFacts};
use crate::queue::{Bounds, Crowded, Place, Queue};
use crate::readings::{ReadCut, WellNames};
use crate::request::{self, Description, Request};
use crate::session::{self, ForAll, Template};
use crate::statement;
use crate::tables::{self, GatewaySource};
use crate::views;
use crate::words;

/// Batches made ahead of a slow receiver.
const BATCHES_AHEAD: usize = 2;

/// Larger batches are sent in pieces.
const SENT_BYTES: u64 = 4 << 20;

/// How much longer the receiving side waits than the running side, which has the better error.
const RECEIVER_GRACE: Duration = Duration::from_secs(1);

/// What queries read.
#[derive(Clone)]
pub struct QuerySources {
    pub window: Window,
    pub archive: Arc<dyn Archive>,
    pub metadata: Arc<dyn Metadata>,
    pub registry: watch::Receiver<Arc<Registry>>,
    pub names: RowNames,
    pub gateways: Arc<dyn GatewaySource>,
    pub limits: watch::Receiver<Arc<Vec<EffectiveLimit>>>,
    pub reviews: watch::Receiver<Arc<Reviews>>,
}

impl fmt::Debug for QuerySources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuerySources").field("archive", &self.archive).finish_non_exhaustive()
    }
}

/// Runs SQL. Clones share everything; the runtime ends with the last of them.
#[derive(Debug, Clone)]
pub struct QueryEngine(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: QueryConfig,
    pub(crate) sources: QuerySources,
    template: Template,
    tables: Vec<String>,
    well_names: Arc<WellNames>,
    queue: Queue,
    for_all: ForAll,
    counters: Counters,
    runtime: Option<Runtime>,
}

#[derive(Debug, Default)]
struct Counters {
    running: AtomicUsize,
    finished: AtomicU64,
    rejected: [AtomicU64; Limit::ALL.len()],
}

/// Numbers for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryStats {
    pub running: usize,
    /// Queries that wait for their turn.
    pub waiting: usize,
    /// What the operators of all queries have, of memory and in temporary files.
    pub memory_bytes: u64,
    pub spilled_bytes: u64,
    pub finished: u64,
    /// Queries that ended at a limit.
    pub rejected: Vec<(Limit, u64)>,
}

/// The answer to a query: its columns, and its rows as they are computed. Dropping the stream stops the computation.
pub struct QueryResult {
    pub schema: SchemaRef,
    pub stream: BoxStream<'static, Result<RecordBatch, QueryError>>,
}

impl fmt::Debug for QueryResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryResult").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl QueryResult {
    /// All batches at once.
    pub async fn collect(self) -> Result<Vec<RecordBatch>, QueryError> {
        use futures::TryStreamExt;
        self.stream.try_collect().await
    }
}

/// A chain such as `1+1+…+1` is a tree as deep as it is long, and planning walks it by recursion. The stack is reserved,
/// not used: it holds what [`crate::statement::STATEMENT_BYTES_MAX`] lets through, at the 8 KiB a level of a debug build.
const THREAD_STACK_BYTES: usize = 512 << 20;

/// A killed process leaves its temporary files behind. The directory is the engine's alone.
fn remove_leftovers(dir: &Path) {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(dir = %dir.display(), %error, "temporary files of an earlier process stay: remove them");
        }
        _ => {}
    }
}

impl QueryEngine {
    /// Starts the query runtime.
    pub fn new(config: QueryConfig, sources: QuerySources) -> Result<Self, QueryError> {
        config.check().map_err(|problem| QueryError::Invalid(problem.to_string()))?;
        if let Some(dir) = &config.spill_dir {
            remove_leftovers(dir);
        }
        let internal = |error: datafusion::error::DataFusionError| QueryError::Internal(crate::error::chain(&error));
        let for_all = ForAll::new(&config);
        let template = Template::new(&config, &for_all, sources.archive.summarizes()).map_err(internal)?;
        tables::register(&template, &sources).map_err(internal)?;
        let number = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads)
            .thread_stack_size(THREAD_STACK_BYTES)
            .thread_name_fn(move || format!("gwbank-query-{}", number.fetch_add(1, Ordering::Relaxed)))
            .enable_all()
            .build()
            .map_err(|error| QueryError::Internal(format!("cannot start the query runtime: {error}")))?;
        for (name, sql) in &views::views(&config.levels) {
            // Planning a view only asks tables of ours for their columns, which never waits.
            let Some(view) = views::plan(template.state().clone(), name, sql).now_or_never() else {
                return Err(QueryError::Internal(format!("planning the view {name} had to wait")));
            };
            let view = view.map_err(internal)?;
            template.add_table(name, view).map_err(internal)?;
        }
        // Memory only: it never waits.
        template.fill_catalogs().now_or_never().unwrap_or(Ok(())).map_err(internal)?;
        Ok(Self(Arc::new(Shared {
            tables: template.table_names(),
            template,
            queue: Queue::new(Bounds {
                running_max: config.concurrent_max,
                running_max_per_user: config.concurrent_per_user_max,
                waiting_max: config.waiting_max,
            }),
            for_all,
            well_names: Arc::default(),
            counters: Counters::default(),
            runtime: Some(runtime),
            config,
            sources,
        })))
    }

    pub fn config(&self) -> &QueryConfig {
        &self.0.config
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    pub fn stats(&self) -> QueryStats {
        let counters = &self.0.counters;
        let rejected = Limit::ALL.into_iter().zip(&counters.rejected);
        QueryStats {
            running: counters.running.load(Ordering::Relaxed),
            waiting: self.0.queue.waiting(),
            memory_bytes: self.0.for_all.memory.reserved() as u64,
            spilled_bytes: self.0.for_all.spill.bytes(),
            finished: counters.finished.load(Ordering::Relaxed),
            rejected: rejected.map(|(limit, count)| (limit, count.load(Ordering::Relaxed))).collect(),
        }
    }

    /// Tables and views, by name.
    pub fn tables(&self) -> Vec<TableFacts> {
        self.0.template.objects().facts()
    }

    /// Plans and starts a query. The caller is inside a Tokio runtime with its timer.
    pub async fn query(&self, sql: &str) -> Result<QueryResult, QueryError> {
        self.ask(sql.into()).await
    }

    /// The same of a statement with parameters, or of a client of PostgreSQL.
    pub async fn ask(&self, request: Request) -> Result<QueryResult, QueryError> {
        let answer = self.start(request).await;
        if let Err(error) = &answer {
            self.0.count(error);
        }
        answer
    }

    /// Plans a query and tells of its parameters and columns. It takes its turn as one that runs.
    pub async fn describe(&self, request: Request) -> Result<Description, QueryError> {
        let taken = self.runner(&request.user).await.inspect_err(|error| self.0.count(error));
        let (runner, task_guard) = taken?;
        let (sender, receiver) = oneshot::channel();
        let deadline = runner.0.deadline;
        let describing = async move {
            let (runner, _batches) = runner;
            let told = match timeout_at(deadline, runner.describe(&request)).await {
                Ok(told) => told,
                Err(_) => Err(Limit::Seconds.reached(&runner.shared.config)),
            };
            let _receiver_gone = sender.send(told);
        };
        let task = self.0.runtime()?.spawn(describing);
        let _stop = StopOnDrop { task: task.abort_handle(), guard: task_guard };
        let told = match timeout_at(deadline + RECEIVER_GRACE, receiver).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) => Err(QueryError::Internal("the runner vanished while planning".to_owned())),
            Err(_) => Err(Limit::Seconds.reached(&self.0.config)),
        };
        told.inspect_err(|error| self.0.count(error))
    }

    /// What runs a query, once it is its turn.
    async fn runner(&self, user: &str) -> Result<((Runner, mpsc::Receiver<Message>), Arc<Guard>), QueryError> {
        let shared = self.0.clone();
        let patience = Duration::from_secs(shared.config.wait_seconds_max);
        let place = match timeout(patience, shared.queue.place(user)).await {
            Ok(Ok(place)) => place,
            Ok(Err(Crowded)) => return Err(Limit::Waiting.reached(&shared.config)),
            Err(_) if shared.queue.is_at_own_bound(user) => {
                return Err(Limit::ConcurrentPerUser.reached(&shared.config));
            }
            Err(_) => return Err(Limit::Concurrent.reached(&shared.config)),
        };
        let deadline = Instant::now() + Duration::from_secs(shared.config.seconds_max);
        let memory = shared.for_all.memory.clone();
        let guard = Arc::new(Guard::new(shared.config.clone(), memory, deadline.into_std()));
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let running = Running::new(&shared, place);
        let runner = Runner { shared, deadline, guard: guard.clone(), sender, _running: running };
        Ok(((runner, batches), guard))
    }

    async fn start(&self, request: Request) -> Result<QueryResult, QueryError> {
        let shared = self.0.clone();
        let ((runner, batches), guard) = self.runner(&request.user).await?;
        let deadline = runner.deadline;
        let (schema_sender, schema_receiver) = oneshot::channel();
        let task = shared.runtime()?.spawn(runner.run(request, schema_sender));
        let task = StopOnDrop { task: task.abort_handle(), guard };
        let give_up = deadline + RECEIVER_GRACE;
        let schema = match timeout_at(give_up, schema_receiver).await {
            Ok(Ok(planned)) => planned?,
            Ok(Err(_)) => return Err(QueryError::Internal("the runner vanished while planning".to_owned())),
            Err(_) => return Err(Limit::Seconds.reached(&shared.config)),
        };
        let stream = Received { batches, give_up: Box::pin(sleep_until(give_up)), shared, task, ended: false };
        Ok(QueryResult { schema, stream: stream.boxed() })
    }
}

impl Shared {
    pub(crate) fn read_cut(&self) -> Arc<ReadCut> {
        let QuerySources { window, archive, names, reviews, .. } = &self.sources;
        let reviews = reviews.borrow().clone();
        Arc::new(ReadCut::new(window.snapshot(), archive.clone(), names.clone(), self.well_names.clone(), reviews))
    }

    pub(crate) fn runtime(&self) -> Result<&Runtime, QueryError> {
        self.runtime.as_ref().ok_or(QueryError::Closed)
    }

    pub(crate) fn translate(&self, error: &datafusion::error::DataFusionError) -> QueryError {
        QueryError::from_engine(error, &self.config, &self.tables)
    }

    fn count(&self, error: &QueryError) {
        if let QueryError::Limit { limit, .. } = error
            && let Some(index) = Limit::ALL.iter().position(|known| known == limit)
        {
            self.counters.rejected[index].fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Waiting for queries is not possible here (this may be an async context), nor is it of use.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A place among the concurrent queries, for as long as the query computes.
struct Running {
    shared: Arc<Shared>,
    _place: Place,
}

impl Running {
    fn new(shared: &Arc<Shared>, place: Place) -> Self {
        shared.counters.running.fetch_add(1, Ordering::Relaxed);
        Self { shared: shared.clone(), _place: place }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.counters.running.fetch_sub(1, Ordering::Relaxed);
        self.shared.counters.finished.fetch_add(1, Ordering::Relaxed);
    }
}

enum Message {
    Batch(RecordBatch),
    Failed(QueryError),
    /// All rows were sent.
    End,
}

/// A statement that may run.
struct Logical {
    plan: LogicalPlan,
    session: SessionState,
    /// Of its columns, where a client of PostgreSQL asks.
    names: Option<Vec<String>>,
    /// By columns that have another name in the plan, where any other client asks.
    lost: Vec<Option<String>>,
}

/// The side that computes.
struct Runner {
    shared: Arc<Shared>,
    deadline: Instant,
    guard: Arc<Guard>,
    sender: mpsc::Sender<Message>,
    _running: Running,
}

impl Runner {
    async fn run(self, request: Request, schema_sender: oneshot::Sender<Result<SchemaRef, QueryError>>) {
        let planned = match timeout_at(self.deadline, self.plan(&request)).await {
            Ok(planned) => planned,
            Err(_) => Err(Limit::Seconds.reached(&self.shared.config)),
        };
        let (schema, mut stream) = match planned {
            Ok(planned) => planned,
            Err(error) => {
                let _receiver_gone = schema_sender.send(Err(error));
                return;
            }
        };
        if schema_sender.send(Ok(schema)).is_err() {
            return;
        }
        let last = match timeout_at(self.deadline, self.pump(&mut stream)).await {
            Ok(Ok(())) => Message::End,
            Ok(Err(error)) => Message::Failed(error),
            Err(_) => Message::Failed(Limit::Seconds.reached(&self.shared.config)),
        };
        drop(stream);
        let _receiver_gone = self.sender.send(last).await;
    }

    /// The statement as a plan that may run, and the session that it is planned in.
    async fn logical(&self, request: &Request) -> Result<Logical, QueryError> {
        let shared = &self.shared;
        let mut parsed = statement::parse(&request.sql)?;
        if let Some(connection) = &request.connection {
            with_views(&mut parsed, &connection.views, &shared.tables)?;
        }
        let zone = request.zone(&shared.config)?;
        words::in_words_of_the_engine(&mut parsed, &zone)?;
        let (mut names, mut lost) = (None, Vec::new());
        if request.is_of_postgresql() {
            pg_catalog::expand(&mut parsed, shared.template.objects());
            names = pg_catalog::names(&parsed);
            if names.is_some() {
                pg_catalog::rename(&mut parsed);
            }
            pg_catalog::rewrite(&mut parsed);
        } else {
            lost = pg_catalog::rename(&mut parsed);
            pg_catalog::tell_casts_apart(&mut parsed);
        }
        gapfill::name_calls(&mut parsed)?;
        let cut = shared.read_cut();
        let mut session = shared.template.session(cut.clone(), &self.guard, request.connection.as_ref());
        let mut again = parsed.clone();
        let plan = match session.statement_to_plan(parsed).await {
            Err(error) if statement::is_of_names(&error) => {
                words::casts_as_calls(&mut again);
                session.statement_to_plan(again).await
            }
            planned => planned,
        };
        let plan = plan.map_err(|error| shared.translate(&error))?;
        statement::check_plan(&plan)?;
        // First, so that values have their types: a time without a zone is of the session's.
        let plan = request::bind(plan, &request.values).map_err(|error| shared.translate(&error))?;
        let plan = local_time::in_zone(plan, &zone).map_err(|error| shared.translate(&error))?;
        // Types are of UTC until here; `current_date` is asked when the plan is simplified.
        session.config_mut().options_mut().execution.time_zone = Some(local_time::arrow_name(&zone).to_string());
        let plan = match request.known_at(&session)? {
            Some(at) => known_at::as_known_at(plan, at, cut.reviews()).map_err(|error| shared.translate(&error))?,
            None => plan,
        };
        Ok(Logical { plan, session, names, lost })
    }

    async fn describe(&self, request: &Request) -> Result<Description, QueryError> {
        let Logical { plan, names, lost, .. } = self.logical(request).await?;
        let told = Description::of(&plan, &request.types)?;
        let schema = match request.is_of_postgresql() {
            true => pg_catalog::named(&told.schema, names),
            false => pg_catalog::told_apart(&pg_catalog::with_lost(&told.schema, &lost)),
        };
        Ok(Description { schema, ..told })
    }

    async fn plan(&self, request: &Request) -> Result<(SchemaRef, SendableRecordBatchStream), QueryError> {
        let shared = &self.shared;
        let translate = |error| shared.translate(&error);
        let Logical { plan, session, names, lost } = self.logical(request).await?;
        let optimized = session.optimize(&plan).map_err(translate)?;
        check_constants(&optimized, &self.guard).map_err(translate)?;
        let planner = session.query_planner().clone();
        let physical = planner.create_physical_plan(&optimized, &session).await.map_err(translate)?;
        let physical = guarded(physical, &self.guard).map_err(translate)?;
        self.guard.planned();
        let task = session::task(&shared.config, &shared.for_all, &session).map_err(translate)?;
        let mut stream = execute_stream(physical, task).map_err(translate)?;
        if matches!(optimized, LogicalPlan::Analyze(_)) {
            let schema = stream.schema();
            let shown = stream.map(|batch| batch.map(|batch| without_guards(&batch)));
            stream = Box::pin(RecordBatchStreamAdapter::new(schema, shown));
        }
        if request.is_of_postgresql() {
            return Ok((pg_catalog::named(&stream.schema(), names), stream));
        }
        let schema = pg_catalog::told_apart(&pg_catalog::with_lost(&stream.schema(), &lost));
        if schema != stream.schema() {
            let named = schema.clone();
            let renamed = stream.map(move |batch| Ok(RecordBatch::try_new(named.clone(), batch?.columns().to_vec())?));
            stream = Box::pin(RecordBatchStreamAdapter::new(schema.clone(), renamed));
        }
        Ok((schema, stream))
    }

    async fn pump(&self, stream: &mut SendableRecordBatchStream) -> Result<(), QueryError> {
        let config = &self.shared.config;
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| self.shared.translate(&error))?;
            rows += batch.num_rows() as u64;
            if rows > config.rows_max {
                return Err(Limit::Rows.reached(config));
            }
            for piece in pieces(batch) {
                if self.sender.send(Message::Batch(piece)).await.is_err() {
                    return Ok(()); // the receiver went away
                }
            }
        }
        Ok(())
    }
}

/// A batch as the receiver gets it: what is made of it on the way out (JSON, CSV) is some times as large.
fn pieces(batch: RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    let pieces = usize::try_from(batch_bytes(&batch).div_ceil(SENT_BYTES)).unwrap_or(usize::MAX).clamp(1, rows.max(1));
    let step = rows.div_ceil(pieces).max(1);
    (0..rows).step_by(step).map(move |start| batch.slice(start, step.min(rows - start)))
}

/// Ends a query when nobody waits for it any more: at once where it yields, at its next look at the guard where not.
struct StopOnDrop {
    task: AbortHandle,
    guard: Arc<Guard>,
}

impl StopOnDrop {
    fn stop(&self) {
        self.guard.stop();
        self.task.abort();
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The side that receives.
struct Received {
    batches: mpsc::Receiver<Message>,
    give_up: Pin<Box<Sleep>>,
    shared: Arc<Shared>,
    task: StopOnDrop,
    ended: bool,
}

impl Received {
    fn fail(&mut self, error: QueryError) -> Poll<Option<Result<RecordBatch, QueryError>>> {
        self.ended = true;
        self.task.stop();
        self.shared.count(&error);
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for Received {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match self.batches.poll_recv(context) {
            Poll::Ready(Some(Message::Batch(batch))) => Poll::Ready(Some(Ok(batch))),
            Poll::Ready(Some(Message::End)) => {
                self.ended = true;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Message::Failed(error))) => self.fail(error),
            Poll::Ready(None) => self.fail(QueryError::Internal("the runner vanished".to_owned())),
            Poll::Pending => match self.give_up.as_mut().poll(context) {
                Poll::Ready(()) => {
                    let error = Limit::Seconds.reached(&self.shared.config);
                    self.fail(error)
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }
}
