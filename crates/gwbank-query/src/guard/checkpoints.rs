//! Planning asks too whether it may go on: between any two rules of the optimizer.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::{Guard, charge};

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The same rules with a look at the guard after each.
pub(crate) fn rules_with_checkpoints(rules: &[Rule]) -> Vec<Rule> {
    let checkpoint: Rule = Arc::new(Checkpoint);
    rules.iter().flat_map(|rule| [rule.clone(), checkpoint.clone()]).collect()
}

#[derive(Debug)]
struct Checkpoint;

impl OptimizerRule for Checkpoint {
    fn name(&self) -> &str {
        "checkpoint"
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        charge::forget();
        if let Some(guard) = Guard::of(&config.options()) {
            guard.check().map_err(|error| error.into_engine())?;
        }
        Ok(Transformed::no(plan))
    }
}
