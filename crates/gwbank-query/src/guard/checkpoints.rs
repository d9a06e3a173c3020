//! Planning asks too whether it may go on: every few rules of the optimizer.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::{Guard, charge};

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// Between two looks at the guard. A debug build checks the whole plan after each rule, also after one that looks only.
const RULES_BETWEEN: usize = 4;

/// The same rules with a look at the guard now and then.
pub(crate) fn rules_with_checkpoints(rules: &[Rule]) -> Vec<Rule> {
    let checkpoint: Rule = Arc::new(Checkpoint);
    rules.chunks(RULES_BETWEEN).flat_map(|some| some.iter().chain([&checkpoint]).cloned().collect::<Vec<_>>()).collect()
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
