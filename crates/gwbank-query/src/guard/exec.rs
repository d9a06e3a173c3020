//! A plan whose every operator asks, before it gives a batch, whether the query may go on.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
    RecordBatchStream, ReplaceChildrenOptions, SendableRecordBatchStream,
};
use futures::{Stream, StreamExt};
use tokio::task::coop;

use super::held::HeldRows;
use super::width::{repeated_row, unnested_pieces};
use super::{BATCH_ROWS, Guard, charge, join_filter};

/// What an operator does with the rows of its input, where that matters for memory.
#[derive(Debug, Clone)]
enum Use {
    /// Nothing that is not accounted for.
    Plain,
    /// A join repeats each row for as many as a batch has.
    Repeated,
    /// The lists of these columns become rows, and the rest is repeated for each.
    Unnested(Arc<[usize]>),
    /// A window keeps rows until they have left it again.
    Enters(Arc<HeldRows>),
    Leaves(Arc<HeldRows>),
}

/// The same plan, guarded.
pub(crate) fn guarded(plan: Arc<dyn ExecutionPlan>, guard: &Arc<Guard>) -> Result<Arc<dyn ExecutionPlan>> {
    let (into, out_of) = uses(plan.as_ref());
    let mut children = Vec::with_capacity(plan.children().len());
    for child in plan.children() {
        let child = guarded(child.clone(), guard)?;
        children.push(match &into {
            Use::Plain => child,
            other => Arc::new(GuardedExec { input: child, guard: guard.clone(), of: other.clone() }),
        });
    }
    let same_properties = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
    let plan = if children.is_empty() { plan } else { plan.replace_children(children, same_properties)? };
    let plan = with_guarded_filter(plan, guard)?;
    Ok(Arc::new(GuardedExec { input: plan, guard: guard.clone(), of: out_of }))
}

/// What an operator does with its inputs' rows, and what with its output's.
fn uses(plan: &dyn ExecutionPlan) -> (Use, Use) {
    if let Some(unnest) = plan.downcast_ref::<UnnestExec>() {
        let lists = unnest.list_column_indices().iter().map(|list| list.index_in_input_schema).collect();
        return (Use::Unnested(lists), Use::Plain);
    }
    let window = plan
        .downcast_ref::<WindowAggExec>()
        .map(|window| window.window_expr())
        .or_else(|| plan.downcast_ref::<BoundedWindowAggExec>().map(|window| window.window_expr()));
    if let Some(expressions) = window {
        let held = Arc::new(HeldRows::new(plan.properties().partitioning.partition_count(), expressions));
        return (Use::Enters(held.clone()), Use::Leaves(held));
    }
    if plan.name().ends_with("JoinExec") { (Use::Repeated, Use::Plain) } else { (Use::Plain, Use::Plain) }
}

fn with_guarded_filter(plan: Arc<dyn ExecutionPlan>, guard: &Arc<Guard>) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>()
        && let Some(filter) = join.filter()
    {
        let filter = join_filter::guarded_filter(filter, guard);
        let projection = join.projection().as_ref().map(|projection| projection.to_vec());
        let (left, right) = (join.left().clone(), join.right().clone());
        let join = NestedLoopJoinExec::try_new(left, right, Some(filter), join.join_type(), projection)?;
        return Ok(Arc::new(join));
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>()
        && let Some(filter) = join.filter()
    {
        let filter = join_filter::guarded_filter(filter, guard);
        return Ok(Arc::new(join.builder().with_filter(Some(filter)).build()?));
    }
    Ok(plan)
}

#[derive(Debug)]
pub(super) struct GuardedExec {
    input: Arc<dyn ExecutionPlan>,
    guard: Arc<Guard>,
    of: Use,
}

impl GuardedExec {
    pub(super) const NAME: &'static str = "GuardedExec";
}

impl DisplayAs for GuardedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAME)
    }
}

impl ExecutionPlan for GuardedExec {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.len()) {
            (Some(input), 0) => Ok(Arc::new(Self { input, guard: self.guard.clone(), of: self.of.clone() })),
            _ => internal_err!("GuardedExec has one child"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(GuardedStream {
            inner: self.input.execute(partition, context.clone())?,
            guard: self.guard.clone(),
            of: self.of.clone(),
            pieces: Vec::new(),
            partition,
            context,
            ended: false,
        }))
    }
}

struct GuardedStream {
    inner: SendableRecordBatchStream,
    guard: Arc<Guard>,
    of: Use,
    /// What is left of a batch that was cut, last piece first.
    pieces: Vec<RecordBatch>,
    partition: usize,
    context: Arc<TaskContext>,
    ended: bool,
}

impl GuardedStream {
    /// Measures a batch before the operator above gets it.
    fn taken(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        match &self.of {
            Use::Plain => {}
            Use::Repeated => {
                let bytes = repeated_row(&batch).saturating_mul(BATCH_ROWS);
                self.guard.check_bytes(bytes).map_err(|error| error.into_engine())?;
            }
            Use::Unnested(lists) => {
                let mut pieces = unnested_pieces(&batch, lists, &self.guard)?;
                pieces.reverse();
                self.pieces = pieces;
                return Ok(self.pieces.pop().unwrap_or(batch));
            }
            Use::Enters(held) => held.enter(self.partition, &batch, &self.context)?,
            Use::Leaves(held) => held.leave(self.partition, batch.num_rows()),
        }
        Ok(batch)
    }

    fn poll_inner(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        if let Err(error) = self.guard.check() {
            return Poll::Ready(Some(Err(error.into_engine())));
        }
        if let Some(piece) = self.pieces.pop() {
            return Poll::Ready(Some(Ok(piece)));
        }
        charge::forget();
        join_filter::poll_begins();
        let polled = self.inner.poll_next_unpin(context);
        charge::forget();
        polled.map(|batch| batch.map(|batch| batch.and_then(|batch| self.taken(batch))))
    }
}

impl Stream for GuardedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // An operator that always has a batch at hand lets others run now and then.
        let turn = ready!(coop::poll_proceed(context));
        let polled = self.poll_inner(context);
        if polled.is_ready() {
            turn.made_progress();
        }
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.ended = true;
        }
        polled
    }
}

impl RecordBatchStream for GuardedStream {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}
