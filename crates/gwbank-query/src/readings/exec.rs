//! The scan as a plan: each partition gives its share of the window, then its stream of the archive.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use gwbank_recent::Slice;
use gwbank_store::{BatchStream, RevisionRow, ScanRequest, revisions_to_batch, rows_to_columns};
use parking_lot::Mutex;

use crate::error::QueryError;
use crate::readings::columns::{Projection, Table, WithKeys};
use crate::readings::cut::{HiddenKeys, Pending, ReadCut};
use crate::readings::filter::ReadingFilter;
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
    rows: Precision<usize>,
    properties: Arc<PlanProperties>,
}

struct ArchivePart {
    request: ScanRequest,
    hidden: Arc<HiddenKeys>,
    /// Streams are opened together, when the first partition runs, and each is taken once.
    streams: Mutex<Vec<Option<BatchStream>>>,
}

impl fmt::Debug for ReadingsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadingsExec").field("table", &self.table).field("filter", &self.filter).finish_non_exhaustive()
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
        if table == Table::Revisions {
            // What was superseded stays superseded, whoever wins now.
            pending.hidden = HiddenKeys::default();
        }
        let with_keys = if pending.hidden.is_empty() { WithKeys::No } else { WithKeys::Yes };
        let projection = Arc::new(Projection::new(table, outputs, with_keys, cut.approvals()));
        let slices = match (table, wanted, cut.window_filter(&filter)) {
            (Table::Readings, Wanted::All | Wanted::Recent | Wanted::Rows, Some(filter)) => cut.window().scan(&filter),
            _ => Vec::new(),
        };
        let extra = extra_batches(table, &cut, &filter, &pending, &projection)
            .map_err(|error| QueryError::Internal(error.to_string()))?;
        let rows = row_estimate(table, &cut, request.as_ref(), &slices, &extra, limit).await?;
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
        Ok(Self {
            table,
            wanted,
            cut,
            filter,
            projection,
            limit,
            shares,
            extra,
            archive,
            rows,
            properties: Arc::new(properties),
        })
    }

    pub(crate) fn partitions(&self) -> usize {
        self.shares.len()
    }

    /// The batches of one partition.
    pub(crate) fn stream(&self, partition: usize) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let arrow = |error: arrow::error::ArrowError| DataFusionError::from(error);
        let (names, projection) = (self.cut.names().clone(), self.projection.clone());
        let slices = self.shares[partition].clone();
        let window = slices
            .into_iter()
            .flat_map(move |slice| SliceBatches::new(&slice, names.clone(), projection.clone()))
            .map(move |batch| batch.map_err(arrow));
        let extra = if partition == 0 { self.extra.clone() } else { Vec::new() };
        let recent = stream::iter(window.chain(extra.into_iter().map(Ok)));
        let Some(archive) = &self.archive else { return Ok(recent.boxed()) };
        let (projection, hidden, cut) = (self.projection.clone(), archive.hidden.clone(), self.cut.clone());
        let archived = self.archive_stream(archive, partition)?.map(move |batch| {
            let batch = batch.map_err(|error| cut.archive_error(error).into_engine())?;
            projection.shown(&batch, &hidden).map_err(arrow)
        });
        Ok(recent.chain(archived).boxed())
    }

    fn archive_stream(&self, archive: &ArchivePart, partition: usize) -> Result<BatchStream> {
        let mut streams = archive.streams.lock();
        let taken = streams.get(partition).is_some_and(Option::is_none);
        if streams.is_empty() || taken {
            *streams = self.open_archive(archive)?.into_iter().map(Some).collect();
        }
        match streams[partition].take() {
            Some(stream) => Ok(stream),
            None => internal_err!("a stream was just opened"),
        }
    }

    /// As many streams as partitions.
    fn open_archive(&self, archive: &ArchivePart) -> Result<Vec<BatchStream>> {
        let Some(snapshot) = self.cut.archive_if_taken() else {
            return internal_err!("the archive's snapshot is taken while planning");
        };
        let request = archive.request.clone();
        let opened = match self.table {
            Table::Readings => snapshot.scan(request),
            Table::Revisions => snapshot.scan_revisions(request),
        };
        let opened = opened.map_err(|error| self.cut.archive_error(error).into_engine())?;
        let mut groups: Vec<Vec<BatchStream>> = (0..self.partitions()).map(|_| Vec::new()).collect();
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
    let nothing_hidden = HiddenKeys::default();
    let shown = |batch: RecordBatch| projection.shown(&batch, &nothing_hidden);
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

async fn row_estimate(
    table: Table,
    cut: &ReadCut,
    request: Option<&ScanRequest>,
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
        let ReadingFilter { from, to, wells, parameters } = &self.filter;
        let sides = if self.archive.is_some() { "window+archive" } else { "window" };
        write!(f, "ReadingsExec: table={:?}, sides={sides}", self.table)?;
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
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        match self.wanted {
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
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("ReadingsExec has no children") }
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.stream(partition)?;
        let schema = self.projection.schema.clone();
        let limited = match self.limit {
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
        let mut statistics = Statistics::new_unknown(&self.projection.schema);
        if args.partition().is_none() {
            statistics.num_rows = self.rows;
        }
        Ok(Arc::new(statistics))
    }
}
