//! Readings in sums: a table that a rule puts in the place of `readings` ([`crate::summaries`]).
//!
//! # Rules
//! 1. Its rows are parts of groups: who reads it sums them up once more.
//! 2. What the archive has and the window does not change is summed by the archive; all else here, from the same rows that
//!    `readings` shows.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableType, ident, lit};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, expressions};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;
use gwbank_store::{BatchStream, Bucket, Measure, ScanRequest, Summary};
use parking_lot::Mutex;

use crate::readings::columns::{NAME, Table};
use crate::readings::cut::ReadCut;
use crate::readings::filter::ReadingFilter;
use crate::readings::run_sums::{RunColumn, RunSums, RunSumsExec};
use crate::readings::{ReadingsTable, Wanted};
use crate::summaries::Chosen;

/// What readings are grouped by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum GroupColumn {
    Well,
    Parameter,
    Bucket {
        bucket: Bucket,
        /// As the query has it.
        kind: DataType,
    },
}

impl GroupColumn {
    /// The column of `readings` that it is, or comes from.
    fn source(&self) -> &'static str {
        match self {
            GroupColumn::Well => "well_id",
            GroupColumn::Parameter => "parameter",
            GroupColumn::Bucket { .. } => "time",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct ReadingsSummary {
    pub(crate) groups: Vec<GroupColumn>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) chosen: Chosen,
    /// Such as scans of `readings` take themselves.
    pub(crate) filters: Vec<Expr>,
}

impl ReadingsSummary {
    /// `group_0`, `group_1`, ….
    pub(crate) fn group_names(&self) -> Vec<String> {
        (0..self.groups.len()).map(|place| format!("group_{place}")).collect()
    }

    /// Whether how many readings there are is all that is asked.
    pub(crate) fn counts_all(&self) -> bool {
        self.groups.is_empty() && self.measures == [Measure::Rows] && self.chosen.conditions.is_empty()
    }

    /// Sums of a scan's rows, in the columns of this table.
    async fn summed(&self, state: &dyn Session, wanted: Wanted) -> Result<Arc<dyn ExecutionPlan>> {
        let source = provider_as_source(Arc::new(ReadingsTable { table: Table::Readings, wanted }));
        let filters = self.filters.clone();
        let mut rows = LogicalPlanBuilder::scan_with_filters("readings", source, None, filters)?;
        if self.counts_all() {
            // Mostly known without a look.
            let counted = rows.aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)).alias(Measure::Rows.name())])?;
            return state.create_physical_plan(&counted.build()?).await;
        }
        if let Some(condition) = conjunction(self.chosen.conditions.clone()) {
            rows = rows.filter(condition)?;
        }
        let with_value = self.measures.iter().any(|measure| *measure != Measure::Rows);
        let columns = self.groups.iter().map(GroupColumn::source).chain(with_value.then_some("value"));
        let mut columns: Vec<&str> = columns.collect();
        if columns.is_empty() {
            columns.push("quality"); // rows are counted, which takes a column to have them by
        }
        let rows = rows.project(columns.into_iter().map(ident).collect::<Vec<_>>())?.build()?;
        let runs_of = self.groups.iter().enumerate().map(|(place, group)| match group {
            GroupColumn::Well | GroupColumn::Parameter => RunColumn::Name(place),
            GroupColumn::Bucket { bucket, .. } => RunColumn::Time(place, *bucket),
        });
        let sums = RunSums {
            runs_of: runs_of.collect(),
            value: with_value.then_some(self.groups.len()),
            measures: self.measures.clone(),
            schema: self.schema(),
        };
        let rows = state.create_physical_plan(&rows).await?;
        Ok(Arc::new(RunSumsExec::new(rows, Arc::new(sums))))
    }

    fn summary(&self, without: Vec<gwbank_model::Key>) -> Summary {
        let bucket = self.groups.iter().find_map(|group| match group {
            GroupColumn::Bucket { bucket, .. } => Some(*bucket),
            _ => None,
        });
        Summary {
            by_series: self.groups.iter().any(|group| !matches!(group, GroupColumn::Bucket { .. })),
            bucket,
            measures: self.measures.clone(),
            with_value: self.chosen.with_value,
            qualities: self.chosen.qualities.clone(),
            without: without.into(),
        }
    }

    /// The archive's part; `None` where there is none, or it is better scanned.
    async fn of_archive(
        &self,
        cut: &Arc<ReadCut>,
        filter: &ReadingFilter,
        partitions: usize,
    ) -> Result<Option<ArchiveSummaryExec>> {
        if !self.chosen.archive_can_tell {
            return Ok(None);
        }
        let Some(request) = cut.archive_request(filter, partitions.max(1)) else { return Ok(None) };
        let pending = cut.pending(filter).await.map_err(|error| error.into_engine())?;
        let summary = self.summary(pending.hidden.keys(cut.names()));
        let archive = cut.archive().await.map_err(|error| error.into_engine())?;
        let opened = archive.summarize(request.clone(), &summary);
        let opened = opened.map_err(|error| cut.archive_error(error).into_engine())?;
        Ok(opened.map(|streams| ArchiveSummaryExec::new(self, cut.clone(), request, summary, streams)))
    }
}

#[async_trait]
impl TableProvider for ReadingsSummary {
    fn schema(&self) -> SchemaRef {
        let groups = self.groups.iter().zip(self.group_names()).map(|(group, name)| match group {
            GroupColumn::Well | GroupColumn::Parameter => Field::new(name, NAME, false),
            GroupColumn::Bucket { kind, .. } => Field::new(name, kind.clone(), true),
        });
        let measures = self.measures.iter().map(|measure| {
            let kind = if measure.is_count() { DataType::Int64 } else { DataType::Float64 };
            Field::new(measure.name(), kind, !measure.is_count())
        });
        Arc::new(Schema::new(groups.chain(measures).collect::<Vec<_>>()))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(cut) = state.config().get_extension::<ReadCut>() else {
            return internal_err!("a query has a read cut");
        };
        let Some(filter) = ReadingFilter::of(&self.filters) else {
            return internal_err!("only filters that were called exact come here");
        };
        let archived = self.of_archive(&cut, &filter, state.config().target_partitions()).await?;
        let rows = if archived.is_some() { Wanted::Recent } else { Wanted::Rows };
        let summed = self.summed(state, rows).await?;
        let plan = match archived {
            Some(archived) => UnionExec::try_new(vec![summed, Arc::new(archived)])?,
            None => summed,
        };
        let Some(projection) = projection else { return Ok(plan) };
        let schema = plan.schema();
        let column = |&index: &usize| {
            let name = schema.field(index).name();
            (Arc::new(expressions::Column::new(name, index)) as Arc<dyn PhysicalExpr>, name.clone())
        };
        Ok(Arc::new(ProjectionExec::try_new(projection.iter().map(column).collect::<Vec<_>>(), plan)?))
    }
}

/// Sums that the archive made.
struct ArchiveSummaryExec {
    cut: Arc<ReadCut>,
    request: ScanRequest,
    summary: Summary,
    groups: Vec<GroupColumn>,
    schema: SchemaRef,
    /// Each is taken once; then they are opened anew.
    streams: Mutex<Vec<Option<BatchStream>>>,
    properties: Arc<PlanProperties>,
}

impl ArchiveSummaryExec {
    fn new(
        table: &ReadingsSummary,
        cut: Arc<ReadCut>,
        request: ScanRequest,
        summary: Summary,
        streams: Vec<BatchStream>,
    ) -> Self {
        let schema = table.schema();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(streams.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            cut,
            request,
            summary,
            groups: table.groups.clone(),
            schema,
            streams: Mutex::new(streams.into_iter().map(Some).collect()),
            properties: Arc::new(properties),
        }
    }

    fn stream(&self, partition: usize) -> Result<BatchStream> {
        let mut streams = self.streams.lock();
        if streams.get(partition).is_some_and(Option::is_none) {
            let Some(snapshot) = self.cut.archive_if_taken() else {
                return internal_err!("the archive's snapshot is taken while planning");
            };
            let opened = snapshot.summarize(self.request.clone(), &self.summary);
            let opened = opened.map_err(|error| self.cut.archive_error(error).into_engine())?;
            *streams = opened.unwrap_or_default().into_iter().map(Some).collect();
        }
        match streams.get_mut(partition).and_then(Option::take) {
            Some(stream) => Ok(stream),
            None => internal_err!("an archive that has summarized does so again"),
        }
    }
}

/// A batch of the archive in the columns of [`ReadingsSummary`].
fn shown(batch: &RecordBatch, groups: &[GroupColumn], schema: &SchemaRef) -> Result<RecordBatch> {
    let names = if groups.iter().any(|group| !matches!(group, GroupColumn::Bucket { .. })) { 2 } else { 0 };
    let buckets = usize::from(groups.iter().any(|group| matches!(group, GroupColumn::Bucket { .. })));
    let of_group = |group: &GroupColumn| match group {
        GroupColumn::Well => batch.column(0),
        GroupColumn::Parameter => batch.column(1),
        GroupColumn::Bucket { .. } => batch.column(names),
    };
    let columns = groups.iter().map(of_group).chain(&batch.columns()[names + buckets..]);
    let columns: Result<Vec<ArrayRef>, _> =
        columns.zip(schema.fields()).map(|(column, field)| cast(column, field.data_type())).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns?, &options)?)
}

impl fmt::Debug for ArchiveSummaryExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveSummaryExec").field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl DisplayAs for ArchiveSummaryExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measures: Vec<&str> = self.summary.measures.iter().map(|measure| measure.name()).collect();
        write!(f, "ArchiveSummaryExec: by={:?}, measures={}", self.group_words(), measures.join("|"))
    }
}

impl ArchiveSummaryExec {
    fn group_words(&self) -> Vec<&'static str> {
        self.groups.iter().map(GroupColumn::source).collect()
    }
}

impl ExecutionPlan for ArchiveSummaryExec {
    fn name(&self) -> &str {
        "ArchiveSummaryExec"
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
        if children.is_empty() { Ok(self) } else { internal_err!("ArchiveSummaryExec has no children") }
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (cut, groups, schema) = (self.cut.clone(), self.groups.clone(), self.schema.clone());
        let batches = self.stream(partition)?.map(move |batch| {
            let batch = batch.map_err(|error| cut.archive_error(error).into_engine())?;
            shown(&batch, &groups, &schema)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches)))
    }
}
