//! `readings` and `reading_revisions` as tables of the catalog.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::readings::{ReadCut, ReadingFilter, ReadingsExec, Table, Wanted};

/// Has no state of its own: what it shows is the [`ReadCut`] of the query's session.
#[derive(Debug)]
pub(crate) struct ReadingsTable {
    pub(crate) table: Table,
    pub(crate) wanted: Wanted,
}

impl ReadingsTable {
    pub(crate) fn all(table: Table) -> Self {
        Self { table, wanted: Wanted::All }
    }
}

#[async_trait]
impl TableProvider for ReadingsTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match ReadingFilter::of_one(filter) {
            Some(_) => TableProviderFilterPushDown::Exact,
            None if ReadingFilter::hint(filter).is_some() => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(cut) = state.config().get_extension::<ReadCut>() else {
            return internal_err!("a query has a read cut");
        };
        let Some(filter) = ReadingFilter::of(filters) else {
            return internal_err!("only filters that were called exact, or a hint, come here");
        };
        let all: Vec<usize>;
        let outputs = match projection {
            Some(projection) => projection,
            None => {
                all = (0..self.table.columns().len()).collect();
                &all
            }
        };
        let partitions = state.config().target_partitions();
        let Self { table, wanted } = *self;
        let plan = ReadingsExec::plan(table, wanted, cut, filter, outputs, limit, partitions).await;
        Ok(Arc::new(plan.map_err(|error| error.into_engine())?))
    }
}
