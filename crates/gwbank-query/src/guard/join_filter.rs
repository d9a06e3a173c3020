//! The filter of a join, asked between pieces: a join that finds no pair tries all of them within one poll.

use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::joins::utils::JoinFilter;

use super::{Guard, charge};

/// A poll that takes longer gives its worker thread to others and goes on beside them.
const POLL_MAX: Duration = Duration::from_millis(100);

thread_local! {
    static POLL_BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Notes when the poll began that this thread is in.
pub(super) fn poll_begins() {
    POLL_BEGAN.set(Some(Instant::now()));
}

pub(super) fn guarded_filter(filter: &JoinFilter, guard: &Arc<Guard>) -> JoinFilter {
    let expression = Arc::new(GuardedFilter { inner: filter.expression().clone(), guard: guard.clone() });
    JoinFilter::new(expression, filter.column_indices().to_vec(), filter.schema().clone())
}

#[derive(Debug)]
struct GuardedFilter {
    inner: Arc<dyn PhysicalExpr>,
    guard: Arc<Guard>,
}

impl fmt::Display for GuardedFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PartialEq for GuardedFilter {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for GuardedFilter {}

impl Hash for GuardedFilter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for GuardedFilter {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.inner.data_type(schema)
    }
    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.inner.nullable(schema)
    }
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(schema)
    }
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.guard.check().map_err(|error| error.into_engine())?;
        charge::forget();
        if POLL_BEGAN.get().is_some_and(|began| began.elapsed() > POLL_MAX) {
            poll_begins();
            return tokio::task::block_in_place(|| self.inner.evaluate(batch));
        }
        self.inner.evaluate(batch)
    }
    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }
    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match (children.pop(), children.len()) {
            (Some(inner), 0) => Ok(Arc::new(Self { inner, guard: self.guard.clone() })),
            _ => internal_err!("a guarded filter has one child"),
        }
    }
    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
