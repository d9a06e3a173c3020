//! Constants, which an operator repeats for every row of a batch.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::measure::widest;
use super::{BATCH_ROWS, Guard};

/// Refuses a plan whose constants, repeated over a batch of rows, would take more memory than a step may. Lists that a
/// column is compared with are not repeated.
pub(crate) fn check_constants(plan: &LogicalPlan, guard: &Guard) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        let bytes = repeated_bytes(node)?;
        let rows = if is_of_one_row(node) { 1 } else { BATCH_ROWS };
        guard.check_bytes(bytes.saturating_mul(rows)).map_err(|error| error.into_engine())?;
        Ok(TreeNodeRecursion::Continue)
    })
    .map(drop)
}

fn is_of_one_row(node: &LogicalPlan) -> bool {
    let inputs = node.inputs();
    !inputs.is_empty() && inputs.iter().all(|input| matches!(input, LogicalPlan::EmptyRelation(_)))
}

fn repeated_bytes(node: &LogicalPlan) -> Result<u64> {
    let mut bytes = 0;
    node.apply_expressions(|expression| {
        expression.apply(|part| {
            if let Expr::InList(_) = part {
                return Ok(TreeNodeRecursion::Jump);
            }
            if let Expr::Literal(value, _) = part {
                bytes += widest(value.to_array()?.as_ref());
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(bytes)
}
