//! `value >= ALL (SELECT value …)`: the set's column under a name of its own.
//!
//! DataFusion 55.2 makes of it an EXISTS over the subquery with the comparison as its condition, and calls the set's column by
//! the name that it has there. Where both sides read the same table both are `readings.value`, and each row would be
//! compared with itself. This rule comes before that one.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::SetComparison;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rule of DataFusion.
pub(crate) const BEFORE: &str = "rewrite_set_comparison";
const SET: &str = "__set";

#[derive(Debug)]
pub(crate) struct NameSets;

impl OptimizerRule for NameSets {
    fn name(&self) -> &str {
        "name_sets"
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|node| node.map_expressions(|expression| expression.transform_up(named)))
    }
}

fn named(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::SetComparison(comparison) = expression else { return Ok(Transformed::no(expression)) };
    let mut subquery = comparison.subquery;
    let column = subquery.subquery.schema().iter().next().map(Column::from);
    let column = column.filter(|column| column.relation.as_ref().is_none_or(|table| table.table() != SET));
    let Some(column) = column else {
        return Ok(Transformed::no(Expr::SetComparison(SetComparison { subquery, ..comparison })));
    };
    let set = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
    let set = set.project(vec![Expr::Column(column).alias("element")])?.alias(SET)?;
    subquery.subquery = Arc::new(set.build()?);
    Ok(Transformed::yes(Expr::SetComparison(SetComparison { subquery, ..comparison })))
}
