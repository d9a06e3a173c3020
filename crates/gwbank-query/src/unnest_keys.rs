//! Rows of an unnest are no longer one for each group.
//!
//! DataFusion 55.2 lets the keys of a GROUP BY count as keys above an UNNEST, too, whose rows repeat them. What relies on keys
//! then goes wrong twice:
//!
//! - Rules of the optimizer drop what is not redundant at all: `ORDER BY well_id, month` of unnested events would sort by well
//!   alone, and `DISTINCT` would leave repetitions. A rule before each of those takes such keys away.
//! - The planner groups by all that it takes for settled by the key: `GROUP BY well_id` over unnested events would make a group
//!   of each event. What was asked can no longer be seen in the plan, so such a statement is refused, with a way around.

use std::sync::Arc;

use datafusion::common::FunctionalDependencies;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, LogicalPlan, Unnest};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::error::QueryError;

/// What relies on keys.
const RELYING: [&str; 4] =
    ["eliminate_duplicated_expr", "optimize_projections", "eliminate_join", "replace_distinct_aggregate"];

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The same rules with the keys taken away where it matters.
pub(crate) fn rules_without_false_keys(rules: Vec<Rule>) -> Vec<Rule> {
    let mut kept: Vec<Rule> = Vec::with_capacity(rules.len() + RELYING.len());
    for rule in rules {
        if RELYING.contains(&rule.name()) {
            kept.push(Arc::new(NoKeysAboveUnnest));
        }
        kept.push(rule);
    }
    kept
}

#[derive(Debug)]
struct NoKeysAboveUnnest;

impl OptimizerRule for NoKeysAboveUnnest {
    fn name(&self) -> &str {
        "no_keys_above_unnest"
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if !any_node(&plan, has_false_keys)? {
            return Ok(Transformed::no(plan));
        }
        plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Unnest(unnest) => {
                let schema = unnest.schema.as_ref().clone();
                let schema = Arc::new(schema.with_functional_dependencies(FunctionalDependencies::empty())?);
                Ok(Transformed::yes(LogicalPlan::Unnest(Unnest { schema, ..unnest })))
            }
            // What lies below has other keys now.
            other => other.recompute_schema().map(Transformed::yes),
        })
    }
}

fn has_false_keys(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Unnest(unnest) => !unnest.schema.functional_dependencies().is_empty(),
        _ => false,
    }
}

fn any_node(plan: &LogicalPlan, mut is: impl FnMut(&LogicalPlan) -> bool) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= is(node);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Refuses a plan that groups by more than its statement may have said. The plan is as the planner made it.
pub(crate) fn check_groups(plan: &LogicalPlan) -> Result<(), QueryError> {
    let groups_by_more = |node: &LogicalPlan| match node {
        LogicalPlan::Aggregate(aggregate) => {
            groups_by_key_and_what_it_settles(aggregate) && any_node(&aggregate.input, has_false_keys).unwrap_or(false)
        }
        _ => false,
    };
    if !any_node(plan, groups_by_more).unwrap_or(false) {
        return Ok(());
    }
    Err(QueryError::Invalid(
        "GROUP BY over unnested rows of a grouped subquery cannot be planned: the rows repeat the key of the subquery, which the \
         planner does not see; make the key anew where it is unnested, such as CASE WHEN true THEN well_id END AS well, and group by that"
            .to_owned(),
    ))
}

fn groups_by_key_and_what_it_settles(aggregate: &Aggregate) -> bool {
    let schema = aggregate.input.schema();
    let names = schema.field_names();
    let grouped: Vec<String> = aggregate.group_expr.iter().map(|expr| expr.schema_name().to_string()).collect();
    let is_grouped = |index: &usize| names.get(*index).is_some_and(|name| grouped.contains(name));
    schema.functional_dependencies().iter().any(|key| {
        let settled = key.target_indices.iter().filter(|index| !key.source_indices.contains(index));
        key.source_indices.iter().all(is_grouped) && settled.into_iter().any(is_grouped)
    })
}
