//! Readings and their revisions, as of an instant.

use std::sync::Arc;

use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident, lit};

use gwbank_store::Reviews;

use super::{KnownAt, Pinned, approval};
use crate::readings::{ReadingsTable, Table};

/// `None` where it is as of an instant already.
pub(super) fn then(table: &ReadingsTable, at: KnownAt, reviews: &Reviews) -> Result<Option<LogicalPlan>> {
    let before = lit(at.before().as_i64());
    let plan = match table.table {
        Table::Readings => {
            let stayed = scan(Table::Readings)?.filter(ident("seq").lt(before.clone()))?;
            let held = ident("seq").lt(before.clone()).and(ident("superseded_seq").gt_eq(before));
            let columns = columns(&approval::expr(reviews, at));
            let lost = scan(Table::Revisions)?.filter(held)?.project(columns.clone())?;
            stayed.project(columns)?.union(lost.build()?)?
        }
        Table::Revisions => {
            let both = ident("seq").lt(before.clone()).and(ident("superseded_seq").lt(before));
            scan(Table::Revisions)?.filter(both)?
        }
    };
    plan.build().map(Some)
}

fn scan(table: Table) -> Result<LogicalPlanBuilder> {
    let name = match table {
        Table::Readings => "readings",
        Table::Revisions => "reading_revisions",
    };
    let provider = Pinned(Arc::new(ReadingsTable::all(table)));
    LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(provider)), None)
}

/// The columns of `readings`, as both tables have them; approval by the reviews of then.
fn columns(approval: &Expr) -> Vec<Expr> {
    let column = |field: &Arc<arrow::datatypes::Field>| match field.name().as_str() {
        name @ "approval" => approval.clone().alias(name),
        name => ident(name),
    };
    Table::Readings.schema().fields().iter().map(column).collect()
}
