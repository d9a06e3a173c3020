//! As known at: every table as gwbank knew it at an instant.
//!
//! ```text
//! SET gwbank.as_known_at = '…'     ─▶ every scan of a plan, in views and subqueries too ┐
//! as_known_at('readings', instant) ─▶ the scans of that table or view alone              ┴▶ what was known then
//! ```
//!
//! # Rules
//! 1. What was received at or before the instant counts. A version of a reading held its place from its own `seq` to before
//!    `superseded_seq`; one that lost on arrival never held it. So the readings of then are those of now and of the revisions
//!    whose stretch the instant falls into, one a key.
//! 2. Rows of the metadata are known from when they were written until they were replaced or removed: indicators by their
//!    revisions, flags by their versions, wells and installations by theirs.
//! 3. **Never today's rows under yesterday's date**: a table whose history is not kept refuses, as does an instant from before
//!    its history begins. Instants to come are refused, as nobody knows what will be known.
//! 4. A table that a call names is as of that call, whatever the connection is set to.
//! 5. Readings of a stretch that is not sealed yet are judged anew in their place: until it ends (at most the flush interval)
//!    their quality is that of now.

mod approval;
mod function;
mod readings;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::default_table_source::{provider_as_source, source_as_provider};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use gwbank_model::{Seq, Timestamp};
use gwbank_store::Reviews;

use crate::error::QueryError;
use crate::pg_catalog;
use crate::readings::ReadingsTable;
use crate::tables::SmallTable;

pub(crate) use function::{AS_KNOWN_AT, table_function};

/// An instant to look back from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KnownAt(Timestamp);

impl KnownAt {
    /// `now` is when the query was asked.
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Result<Self, QueryError> {
        if at > now {
            return Err(QueryError::Invalid(format!(
                "as_known_at looks back, and {at} is still to come: leave it away to see what is known now"
            )));
        }
        Ok(Self(at))
    }

    /// An instant as people write it.
    pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Self, QueryError> {
        match Timestamp::parse_rfc3339(text.trim()) {
            Some(at) => Self::new(at, now),
            None => Err(QueryError::Invalid(format!(
                "{text:?} is no instant for as_known_at: write it with its offset, such as '2026-05-01T00:00:00+07:00'"
            ))),
        }
    }

    pub(crate) fn time(self) -> Timestamp {
        self.0
    }

    /// The first position that was not known yet.
    pub(crate) fn before(self) -> Seq {
        Seq::first_received_at(self.0.plus_micros(1))
    }

    /// The last position that was.
    pub(crate) fn through(self) -> Seq {
        Seq::from_i64(self.before().as_i64() - 1)
    }
}

/// The plan over tables as they were known.
pub(crate) fn as_known_at(plan: LogicalPlan, at: KnownAt, reviews: &Reviews) -> Result<LogicalPlan> {
    let replaced = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(scan) => {
            let Ok(provider) = source_as_provider(&scan.source) else {
                return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
            };
            let name = &scan.table_name;
            // Catalogs tell of what there is, not of what was measured.
            let is_catalog = name.schema() == Some(pg_catalog::SCHEMA);
            let then = if is_catalog { None } else { table_then(name.table(), &provider, at, reviews)? };
            let Some(then) = then else {
                return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
            };
            let columns = scan.projection.clone();
            let plan = match then {
                Then::Table(table) => {
                    LogicalPlanBuilder::scan(scan.table_name.clone(), provider_as_source(table), columns)?
                }
                Then::Plan(plan) => {
                    let plan = LogicalPlanBuilder::from(plan);
                    let plan = match columns {
                        Some(columns) => plan.select(columns)?,
                        None => plan,
                    };
                    plan.alias(scan.table_name.clone())?
                }
            };
            let filters = scan.filters.into_iter().reduce(Expr::and);
            let plan = filters.map_or(Ok(plan.clone()), |filter| plan.filter(filter))?;
            plan.build().map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    })?;
    // What lies above may be NULL where it was not, or the other way round.
    replaced.data.transform_up_with_subqueries(|node| node.recompute_schema().map(Transformed::yes)).map(|all| all.data)
}

/// What stands in the place of a table.
enum Then {
    Table(Arc<dyn TableProvider>),
    Plan(LogicalPlan),
}

/// `None` for what is not a table of ours, such as a catalog, or is as of an instant already.
fn table_then(name: &str, provider: &Arc<dyn TableProvider>, at: KnownAt, reviews: &Reviews) -> Result<Option<Then>> {
    if let Some(readings) = provider.downcast_ref::<ReadingsTable>() {
        return readings::then(readings, at, reviews).map(|plan| plan.map(Then::Plan));
    }
    let Some(small) = provider.downcast_ref::<SmallTable>() else { return Ok(None) };
    match small.as_known_at(name, at).map_err(|error| error.into_engine())? {
        Some(table) => Ok(Some(Then::Table(Arc::new(Pinned(Arc::new(table)))))),
        None => Ok(None),
    }
}

/// A table as of an instant, which no other instant changes any more.
#[derive(Debug)]
pub(crate) struct Pinned(pub(crate) Arc<dyn TableProvider>);

#[async_trait]
impl TableProvider for Pinned {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        self.0.table_type()
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.0.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.0.scan(state, projection, filters, limit).await
    }
}
