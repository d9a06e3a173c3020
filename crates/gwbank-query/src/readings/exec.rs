//! The scan as a plan: each partition gives its share of the window, then its stream of the archive.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use gwbank_recent::Slice;
use gwbank_store::{
    ArchiveSnapshot, BatchStream, Narrowed, Narrowing, RevisionRow, ScanRequest, revisions_to_batch, rows_to_columns,
};
use parking_lot::Mutex;

use crate::error::QueryError;
use crate::readings::columns::{Projection, Table, WithKeys};
use crate::readings::cut::{HiddenKeys, Pending, ReadCut};
use crate::readings::filter::ReadingFilter;
use crate::readings::learned;
use crate::readings::slices::{BATCH_ROWS, SliceBatches};

/// Which of the rows that a filter wants a scan gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    All,
    /// Of each series the latest, and perhaps earlier ones: for plans whose answer is the same with and without those.
    Latest,
    /// What the archive does not have, or not as it is now.
    Recent,
    /// All, in a plan that rows were asked for.
    Rows,
}

pub(crate) struct ReadingsExec {
    scan: Arc<Scan>,
    /// What joins above learn, while the query runs, of the rows that they will keep.
    learned: Arc<[Arc<dyn PhysicalExpr>]>,
    rows: Precision<usize>,
    properties: Arc<PlanProperties>,
}

struct Scan {
    table: Table,
    wanted: Wanted,
    cut: Arc<ReadCut>,
    filter: ReadingFilter,
    projection: Arc<Projection>,
    limit: Option<usize>,
    /// The window's share of each partition.
    shares: Vec<Vec<Slice>>,
    /// What the window gives besides: pending winners or revisions, as shown.
    extra: Vec<RecordBatch>,
    archive: Option<ArchivePart>,
}

struct ArchivePart {
    request: ScanRequest,
    hidden: Arc<HiddenKeys>,
    /// Streams are opened together, when the first partition runs, and each is taken once.
    streams: Mutex<Vec<Option<BatchStream>>>,
}

impl fmt::Debug for ReadingsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scan { table, filter, .. } = &*self.scan;
        f.debug_struct("ReadingsExec").field("table", table).field("filter", filter).finish_non_exhaustive()
    }
}

impl ReadingsExec {
    /// Plans a scan of the columns `outputs`; reads of the archive what is needed to weigh pending versions.
    pub(crate) async fn plan(
        table: Table,
        wanted: Wanted,
        cut: Arc<ReadCut>,
        filter: ReadingFilter,
        outputs: &[usize],
        limit: Option<usize>,
        partitions: usize,
    ) -> Result<Self, QueryError> {
        let latest = match (wanted, cut.window_filter(&filter)) {
            (Wanted::Latest, Some(filter)) => cut.window().latest_rows(&filter),
            _ => Vec::new(),
        };
        let older = match wanted {
            Wanted::All | Wanted::Recent | Wanted::Rows => Some(filter.clone()),
            Wanted::Latest => cut.without_series_of(&filter, &latest),
        };
        let request = older.as_ref().and_then(|older| cut.archive_request(older, partitions.max(1)));
        let mut pending = match (&request, &older) {
            (Some(_), Some(older)) => cut.pending(older).await?,
            _ => Pending::default(),
        };
        pending.winners.extend(latest);
        let request = request.filter(|_| wanted != Wanted::Recent);
        let is_exact = matches!(wanted, Wanted::All | Wanted::Rows) && filter.values.is_none();
        if table == Table::Revisions {
            // What was superseded stays superseded, whoever wins now.
            pending.hidden = HiddenKeys::default();
        }
        let by_keys = !pending.hidden.is_empty() || (wanted == Wanted::Latest && request.is_some());
        let with_keys = if by_keys { WithKeys::Yes } else { WithKeys::No };
        let projection = Arc::new(Projection::new(table, outputs, with_keys, cut.approvals()));
        let slices = match (table, wanted, cut.window_filter(&filter)) {
            (Table::Readings, Wanted::All | Wanted::Recent | Wanted::Rows, Some(filter)) => cut.window().scan(&filter),
            _ => Vec::new(),
        };
        let extra = extra_batches(table, &cut, &filter, &pending, &projection)
            .map_err(|error| QueryError::Internal(error.to_string()))?;
        // Where it tells how many there are, no row but these is left out.
        let hidden = is_exact.then(|| pending.hidden.len());
        let rows = row_estimate(table, &cut, request.as_ref(), hidden, &slices, &extra, limit).await?;
        let rows = if is_exact { rows } else { rows.to_inexact() };
        // A partition that only sends a batch or two costs more than it saves.
        let window_rows: usize = slices.iter().map(Slice::rows_max).sum();
        let useful = if request.is_some() { partitions } else { window_rows.div_ceil(4 * BATCH_ROWS).min(partitions) };
        let shares = share(slices, useful.max(1));
        let archive = request.map(|request| ArchivePart {
            request: ScanRequest {
                projection: Some(projection.stored.clone()),
                // Where the archive is to give only rows that are all kept.
                partitions: shares.len(),
                limit: limit.map(|limit| limit.saturating_add(pending.hidden.len())),
                latest: wanted == Wanted::Latest,
                ..request
            },
            hidden: Arc::new(pending.hidden),
            streams: Mutex::new(Vec::new()),
        });
        let properties = PlanProperties::new(
            EquivalenceProperties::new(projection.schema.clone()),
            Partitioning::UnknownPartitioning(shares.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let scan = Scan { table, wanted, cut, filter, projection, limit, shares, extra, archive };
        Ok(Self { scan: Arc::new(scan), learned: Arc::default(), rows, properties: Arc::new(properties) })
    }

    /// The same, heeding what is learned.
    fn heeding(&self, learned: impl IntoIterator<Item = Arc<dyn PhysicalExpr>>) -> Self {
        let learned = learned.into_iter().collect();
        Self { scan: self.scan.clone(), learned, rows: self.rows, properties: self.properties.clone() }
    }

    pub(crate) fn partitions(&self) -> usize {
        self.scan.shares.len()
    }

    /// The batches of one partition.
    pub(crate) fn stream(&self, partition: usize) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let (scan, learned) = (self.scan.clone(), self.learned.clone());
        let archived = self.scan.archive.as_ref().map(|archive| self.scan.archive_stream(archive, partition, &learned));
        let archived = archived.transpose()?;
        // A join learns before it asks for the first row here.
        let batches = stream::once(async move { stream::iter(scan.window_batches(partition, &learned)) }).flatten();
        let (cut, projection, wanted) = (self.scan.cut.clone(), self.scan.projection.clone(), self.scan.wanted);
        let Some((archived, hidden)) = archived else { return Ok(batches.boxed()) };
        let archived = archived.map(move |batch| {
            let batch = batch.map_err(|error| cut.archive_error(error).into_engine())?;
            let batch = projection.visible(batch, &hidden)?;
            let batch = if wanted == Wanted::Latest { projection.latest(&batch)? } else { batch };
            Ok(projection.shown(&batch)?)
        });
        Ok(batches.chain(archived).boxed())
    }
}

impl Scan {
    /// Of one partition. Rows that a join will not keep may be left out.
    fn window_batches(
        &self,
        partition: usize,
        learned: &[Arc<dyn PhysicalExpr>],
    ) -> impl Iterator<Item = Result<RecordBatch>> + Send + use<> {
        let learned = self.learned(learned);
        let slices = match self.cut.window_filter(&learned) {
            _ if learned.is_all() => self.shares[partition].clone(),
            Some(filter) => self.shares[partition].iter().map(|slice| slice.clone().within(&filter)).collect(),
            None => Vec::new(),
        };
        let (names, projection, values) = (self.cut.names().clone(), self.projection.clone(), self.filter.values);
        let wells: ArrayRef = Arc::new(self.cut.well_names().of(&names.series));
        let window = slices
            .into_iter()
            .flat_map(move |slice| SliceBatches::new(&slice, names.clone(), wells.clone(), values, projection.clone()));
        let extra = if partition == 0 { self.extra.clone() } else { Vec::new() };
        window.map(|batch| batch.map_err(DataFusionError::from)).chain(extra.into_iter().map(Ok))
    }

    fn learned(&self, learned: &[Arc<dyn PhysicalExpr>]) -> ReadingFilter {
        let learned = learned::filter(learned, &self.projection.schema);
        match self.wanted {
            // Which row is the latest is a question of all of them.
            Wanted::Latest => ReadingFilter { from: None, to: None, ..learned },
            _ => learned,
        }
    }

    /// With the keys that are to be hidden of it.
    fn archive_stream(
        self: &Arc<Self>,
        archive: &ArchivePart,
        partition: usize,
        learned: &Arc<[Arc<dyn PhysicalExpr>]>,
    ) -> Result<(BatchStream, Arc<HiddenKeys>)> {
        let mut streams = archive.streams.lock();
        let taken = streams.get(partition).is_some_and(Option::is_none);
        if streams.is_empty() || taken {
            *streams = self.open_archive(archive, learned)?.into_iter().map(Some).collect();
        }
        match streams[partition].take() {
            Some(stream) => Ok((stream, archive.hidden.clone())),
            None => internal_err!("a stream was just opened"),
        }
    }

    /// As many streams as partitions.
    fn open_archive(
        self: &Arc<Self>,
        archive: &ArchivePart,
        learned: &Arc<[Arc<dyn PhysicalExpr>]>,
    ) -> Result<Vec<BatchStream>> {
        let Some(snapshot) = self.cut.archive_if_taken() else {
            return internal_err!("the archive's snapshot is taken while planning");
        };
        let narrowing = (!learned.is_empty()).then(|| {
            let (scan, learned) = (self.clone(), learned.clone());
            Narrowing::new(move || {
                let filter = scan.learned(&learned);
                Narrowed { from: filter.from(), to: filter.to(), wells: filter.well_list() }
            })
        });
        let request = ScanRequest { narrowing, ..archive.request.clone() };
        let opened = match self.table {
            Table::Readings => snapshot.scan(request),
            Table::Revisions => snapshot.scan_revisions(request),
        };
        let opened = opened.map_err(|error| self.cut.archive_error(error).into_engine())?;
        let mut groups: Vec<Vec<BatchStream>> = self.shares.iter().map(|_| Vec::new()).collect();
        let count = groups.len();
        for (index, stream) in opened.into_iter().enumerate() {
            groups[index % count].push(stream);
        }
        Ok(groups.into_iter().map(|group| -> BatchStream { Box::pin(stream::iter(group).flatten()) }).collect())
    }
}

/// Rows that are at hand as rows: few, and shown like the archive's.
fn extra_batches(
    table: Table,
    cut: &ReadCut,
    filter: &ReadingFilter,
    pending: &Pending,
    projection: &Projection,
) -> Result<Vec<RecordBatch>, arrow::error::ArrowError> {
    let shown = |batch: RecordBatch| projection.shown(&batch);
    let stored = &projection.stored;
    match table {
        Table::Readings => {
            pending.winners.chunks(BATCH_ROWS).map(|rows| shown(rows_to_columns(rows, cut.names(), stored)?)).collect()
        }
        Table::Revisions => {
            let mut revisions = if filter.is_empty() { Vec::new() } else { cut.window_revisions(filter) };
            revisions.extend(&pending.revisions);
            let batch = |rows: &[RevisionRow]| shown(revisions_to_batch(rows, cut.names())?.project(stored)?);
            revisions.chunks(BATCH_ROWS).map(batch).collect()
        }
    }
}

/// Whether a request leaves out no row of an archive.
fn is_all_of(request: &ScanRequest, archive: &dyn ArchiveSnapshot) -> bool {
    request.wells.is_none()
        && request.parameters.is_none()
        && archive.time_range().is_none_or(|(first, last)| {
            request.from.is_none_or(|from| first >= from) && request.to.is_none_or(|to| last < to)
        })
}

async fn row_estimate(
    table: Table,
    cut: &ReadCut,
    request: Option<&ScanRequest>,
    hidden: Option<usize>,
    slices: &[Slice],
    extra: &[RecordBatch],
    limit: Option<usize>,
) -> Result<Precision<usize>, QueryError> {
    let extra: usize = extra.iter().map(RecordBatch::num_rows).sum();
    let exact: Option<usize> = slices.iter().map(Slice::rows_exact).sum();
    let at_most = slices.iter().map(Slice::rows_max).sum::<usize>() + extra;
    Ok(match (request, table) {
        (None, _) => match (exact, limit) {
            (Some(exact), None) => Precision::Exact(exact + extra),
            _ => Precision::Inexact(at_most.min(limit.unwrap_or(usize::MAX))),
        },
        (Some(_), Table::Revisions) => Precision::Absent,
        (Some(request), Table::Readings) => {
            let archive = cut.archive().await?;
            let rows = usize::try_from(archive.row_count()).unwrap_or(usize::MAX);
            if let (true, Some(hidden), Some(recent), None) = (is_all_of(request, &**archive), hidden, exact, limit) {
                return Ok(Precision::Exact(rows - hidden + recent + extra));
            }
            // Rough, but it tells a big table from a small one, which is what joins are planned by.
            let narrowed = if request.wells.is_some() { rows / 100 } else { rows };
            Precision::Inexact(narrowed.saturating_add(at_most).min(limit.unwrap_or(usize::MAX)))
        }
    })
}

/// Spreads slices so that each share has about as many rows.
fn share(mut slices: Vec<Slice>, shares: usize) -> Vec<Vec<Slice>> {
    slices.sort_by_key(|slice| std::cmp::Reverse(slice.rows_max()));
    let mut spread: Vec<(usize, Vec<Slice>)> = (0..shares).map(|_| (0, Vec::new())).collect();
    for slice in slices {
        let smallest = spread.iter_mut().min_by_key(|(rows, _)| *rows).expect("there is at least one share");
        smallest.0 += slice.rows_max();
        smallest.1.push(slice);
    }
    spread.into_iter().map(|(_, slices)| slices).collect()
}

impl DisplayAs for ReadingsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReadingFilter { from, to, wells, parameters, values } = &self.scan.filter;
        let sides = if self.scan.archive.is_some() { "window+archive" } else { "window" };
        write!(f, "ReadingsExec: table={:?}, sides={sides}", self.scan.table)?;
        if let Some(from) = from {
            write!(f, ", time>={}", gwbank_model::Timestamp::from_micros(*from))?;
        }
        if let Some(to) = to {
            write!(f, ", time<{}", gwbank_model::Timestamp::from_micros(*to))?;
        }
        if let Some(wells) = wells {
            write!(f, ", wells={}", wells.len())?;
        }
        if let Some(parameters) = parameters {
            write!(f, ", parameters={}", parameters.iter().cloned().collect::<Vec<_>>().join("|"))?;
        }
        if let Some((least, greatest)) = values {
            write!(f, ", {least}<=value<={greatest}")?;
        }
        if !self.learned.is_empty() {
            write!(f, ", heeds {} joins or sorts above", self.learned.len())?;
        }
        if let Some(limit) = self.scan.limit {
            write!(f, ", limit={limit}")?;
        }
        match self.scan.wanted {
            Wanted::All | Wanted::Rows => Ok(()),
            Wanted::Latest => write!(f, ", latest of each series"),
            Wanted::Recent => write!(f, ", what the archive does not sum up"),
        }
    }
}

impl ExecutionPlan for ReadingsExec {
    fn name(&self) -> &str {
        "ReadingsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        look: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        // A join asks so whether anybody heeds what it learns.
        for filter in &*self.learned {
            if look(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        pushed: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let filters = pushed.parent_filters.into_iter().map(|pushed| pushed.filter);
        let is_learning = |filter: &Arc<dyn PhysicalExpr>| filter.downcast_ref::<DynamicFilterPhysicalExpr>().is_some();
        let (learned, others): (Vec<_>, Vec<_>) = filters.partition(is_learning);
        // They are heeded, not applied.
        let still = vec![PushedDown::No; learned.len() + others.len()];
        let still = FilterPushdownPropagation::with_parent_pushdown_result(still);
        if phase != FilterPushdownPhase::Post || learned.is_empty() {
            return Ok(still);
        }
        Ok(still.with_updated_node(Arc::new(self.heeding(learned))))
    }

    /// What joins learned belongs to their last run.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(archive) = &self.scan.archive {
            archive.streams.lock().clear(); // opened then, they would still heed it
        }
        Ok(Arc::new(self.heeding([])))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("ReadingsExec has no children") }
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.stream(partition)?;
        let schema = self.scan.projection.schema.clone();
        let limited = match self.scan.limit {
            None => batches,
            Some(limit) => batches
                .scan(limit, |left, batch| {
                    let next = match batch {
                        _ if *left == 0 => None,
                        Ok(batch) => {
                            let rows = batch.num_rows().min(*left);
                            *left -= rows;
                            Some(Ok(batch.slice(0, rows)))
                        }
                        failed => Some(failed),
                    };
                    std::future::ready(next)
                })
                .boxed(),
        };
        // Rows of the window are always at hand: without a budget such a stream never lets others run.
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(schema, limited))))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.scan.projection.schema);
        if args.partition().is_none() {
            statistics.num_rows = self.rows;
        }
        Ok(Arc::new(statistics))
    }
}
