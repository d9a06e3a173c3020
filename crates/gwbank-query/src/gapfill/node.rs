//! The step of a plan that makes the rows, and how it becomes one that runs.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Field;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, internal_err};
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::exec::GapFillExec;
use super::range::Range;

/// What a column of the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Time,
    /// The same in all rows of a group.
    Key,
    /// NULL in gaps.
    Aggregate,
    /// Only fills look at it.
    Argument,
}

/// A column that is made. Numbers are places of the input's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fill {
    pub(super) value: usize,
    pub(super) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum How {
    Locf { prev: Option<usize>, null_is_missing: bool },
    Interpolate { prev: Option<usize>, next: Option<usize> },
}

/// All that the step is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Work {
    pub(super) range: Range,
    pub(super) roles: Vec<Role>,
    pub(super) fills: Vec<Fill>,
}

impl Work {
    pub(super) fn time(&self) -> usize {
        self.roles.iter().position(|role| *role == Role::Time).unwrap_or_default()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = usize> {
        self.roles.iter().enumerate().filter(|(_, role)| **role == Role::Key).map(|(place, _)| place)
    }

    /// Places of the input's columns that are given on.
    pub(super) fn kept(&self) -> impl Iterator<Item = usize> {
        self.roles.iter().enumerate().filter(|(_, role)| **role != Role::Argument).map(|(place, _)| place)
    }

    pub(super) fn fill_name(place: usize) -> String {
        format!("filled {place}")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GapFill {
    input: LogicalPlan,
    work: Work,
    schema: DFSchemaRef,
}

impl GapFill {
    pub(super) fn new(input: LogicalPlan, work: Work) -> Result<Self> {
        let below = input.schema();
        let mut fields: Vec<_> = work
            .kept()
            .map(|place| {
                let (qualifier, field) = below.qualified_field(place);
                let is_made = work.roles[place] != Role::Key;
                (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(is_made || field.is_nullable())))
            })
            .collect();
        for (place, fill) in work.fills.iter().enumerate() {
            let kind = below.field(fill.value).data_type().clone();
            fields.push((None, Arc::new(Field::new(Work::fill_name(place), kind, true))));
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, below.metadata().clone())?);
        Ok(Self { input, work, schema })
    }
}

// Nobody sorts such steps.
impl PartialOrd for GapFill {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for GapFill {
    fn name(&self) -> &str {
        "GapFill"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    /// Whole groups may be left out before their gaps are filled.
    fn prevent_predicate_push_down_columns(&self) -> std::collections::HashSet<String> {
        let keys: Vec<&String> = self.work.keys().map(|place| self.input.schema().field(place).name()).collect();
        let names = self.schema.fields().iter().map(|field| field.name());
        names.filter(|name| !keys.contains(name)).cloned().collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_work(f, "GapFill", &self.work)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match (inputs.pop(), inputs.is_empty()) {
            (Some(input), true) if input.schema().fields().len() == self.work.roles.len() => {
                Self::new(input, self.work.clone())
            }
            _ => internal_err!("the columns below a gapfill were changed"),
        }
    }
}

pub(super) fn write_work(f: &mut fmt::Formatter<'_>, name: &str, work: &Work) -> fmt::Result {
    let time = |micros| gwbank_model::Timestamp::from_micros(micros);
    let Range { start, finish, .. } = work.range;
    write!(f, "{name}: start={}, finish={}, fills={}", time(start), time(finish), work.fills.len())
}

/// The usual planner, which knows this step besides.
pub(crate) fn planner() -> Arc<dyn QueryPlanner + Send + Sync> {
    Arc::new(Planner)
}

#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(GapFillPlanner)]);
        planner.create_physical_plan(plan, session).await
    }
}

struct GapFillPlanner;

#[async_trait]
impl ExtensionPlanner for GapFillPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<GapFill>() else { return Ok(None) };
        let [input] = inputs else { return internal_err!("a gapfill has one input") };
        let schema = Arc::new(node.schema.as_arrow().clone());
        Ok(Some(Arc::new(GapFillExec::new(input.clone(), node.work.clone(), schema)?)))
    }
}
