//! Puts the step that makes rows above the groups of a `gapfill`.
//!
//! # Rules
//! 1. Comes when constants are folded and before filters move: WHERE is still where it was written.
//! 2. What it puts in the place of the groups has their names, so that all above stays as it is but for the calls of `locf` and
//!    `interpolate`, which become columns.
//! 3. A call that is left over stands where it has no meaning, and says so.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, Extension, Filter, LogicalPlan, LogicalPlanBuilder, ScalarUDF, lit,
};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::bounds::{Bounds, micros_of};
use super::calls::Call;
use super::node::{Fill, GapFill, How, Role, Work};
use super::range::Range;
use crate::error::{Limit, QueryError};
use crate::functions::fixed_seconds;
use crate::guard::Guard;

#[derive(Debug)]
pub(crate) struct FillGaps {
    /// The function `time_bucket`.
    pub(crate) time_bucket: Arc<ScalarUDF>,
}

impl OptimizerRule for FillGaps {
    fn name(&self) -> &str {
        "fill_gaps"
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if left_over(&plan)?.is_none() {
            return Ok(Transformed::no(plan));
        }
        let filled = plan.transform_down_with_subqueries(|node| self.fill(node, config))?.data;
        if let Some(call) = left_over(&filled)? {
            return Err(call.misplaced().into_engine());
        }
        // Aggregates can be NULL now, which all above must know.
        filled.transform_up_with_subqueries(|node| node.recompute_schema().map(Transformed::yes))
    }
}

/// A call of the three that is in a plan.
fn left_over(plan: &LogicalPlan) -> Result<Option<Call>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::ScalarFunction(function) = part {
                    found = found.or(Call::of(&function.func));
                }
                Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    })?;
    Ok(found)
}

fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(QueryError::Invalid(message.into()).into_engine())
}

fn call_of(expression: &Expr) -> Option<(Call, &ScalarFunction)> {
    match expression {
        Expr::ScalarFunction(function) => Some((Call::of(&function.func)?, function)),
        _ => None,
    }
}

fn gapfill_of(expression: &Expr) -> Option<&ScalarFunction> {
    match expression {
        Expr::Alias(alias) => gapfill_of(&alias.expr),
        _ => call_of(expression).filter(|(call, _)| *call == Call::Gapfill).map(|(_, function)| function),
    }
}

/// What lies above groups with a gapfill, outermost first, and the groups.
struct Block {
    above: Vec<LogicalPlan>,
    /// Innermost first.
    having: Vec<Filter>,
    aggregate: Aggregate,
    /// Place of the gapfill among the keys.
    place: usize,
}

impl Block {
    fn of(plan: &LogicalPlan) -> Option<Self> {
        let mut above: Vec<LogicalPlan> = Vec::new();
        let mut current = plan;
        loop {
            let below = match current {
                LogicalPlan::Projection(projection) if above.is_empty() => &projection.input,
                LogicalPlan::Window(window) => &window.input,
                LogicalPlan::Filter(filter) => &filter.input,
                LogicalPlan::Aggregate(aggregate) => {
                    let place = aggregate.group_expr.iter().position(|group| gapfill_of(group).is_some())?;
                    let mut having = Vec::new();
                    while let Some(LogicalPlan::Filter(filter)) = above.last() {
                        having.push(filter.clone());
                        above.pop();
                    }
                    return Some(Self { above, having, aggregate: aggregate.clone(), place });
                }
                _ => return None,
            };
            above.push(current.clone());
            current = below;
        }
    }
}

impl FillGaps {
    fn fill(&self, node: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let Some(Block { above, having, aggregate, place }) = Block::of(&node) else {
            return Ok(Transformed::no(node));
        };
        if aggregate.group_expr.iter().filter(|group| gapfill_of(group).is_some()).count() > 1 {
            return invalid("a query is grouped by one gapfill, not by several");
        }
        let Some(call) = gapfill_of(&aggregate.group_expr[place]) else { return Ok(Transformed::no(node)) };
        let (range, bucket) = self.buckets(call, &aggregate)?;
        let options = config.options();
        if let Some(guard) = Guard::of(&options) {
            let rows_max = guard.config().rows_max;
            if range.count_at_least() > rows_max {
                return Err(Limit::Rows.reached(guard.config()).into_engine());
            }
        }
        let mut calls: Vec<ScalarFunction> = Vec::new();
        for node in &above {
            node.apply_expressions(|expression| collect(expression, &mut calls))?;
        }
        for filter in &having {
            if left_over_in(&filter.predicate)? {
                return invalid(
                    "HAVING is asked of groups before gaps are filled, so it cannot ask for locf or interpolate: filter a \
                     subquery instead",
                );
            }
        }
        // Groups of the bucket, under the name of the gapfill.
        let mut groups = aggregate.group_expr.clone();
        let (qualifier, field) = aggregate.schema.qualified_field(place);
        groups[place] = bucket.alias_qualified(qualifier.cloned(), field.name());
        let keys = groups.len();
        let grouped = Aggregate::try_new(aggregate.input.clone(), groups, aggregate.aggr_expr.clone())?;
        let mut below = LogicalPlan::Aggregate(grouped);
        for filter in having {
            below = LogicalPlan::Filter(Filter::try_new(filter.predicate, Arc::new(below))?);
        }
        let filled = with_fills(below, (place, keys), range, &calls)?;
        let replaced = above.into_iter().rev().try_fold(filled, |input, node| replace_calls(node, input, &calls))?;
        Ok(Transformed::yes(replaced))
    }

    /// The buckets to be filled, and the expression that cuts them.
    fn buckets(&self, call: &ScalarFunction, aggregate: &Aggregate) -> Result<(Range, Expr)> {
        let [width, time, rest @ ..] = call.args.as_slice() else { return invalid("gapfill takes a width and a time") };
        let Some(step) = constant(width).filter(|width| !width.is_null()) else {
            return invalid("the width of gapfill is one interval, such as '1 hour': it cannot differ from row to row");
        };
        let mut rest = rest.iter();
        let mut zone = None;
        if let Some(first) = rest.as_slice().first()
            && let Some(given) = constant(first)
            && (given.is_null() && rest.len() == 3 || text_of(given).is_some_and(|text| fixed_seconds(text).is_some()))
        {
            zone = (!given.is_null()).then_some(given);
            rest.next();
        }
        let bounds = Bounds::of(time, &aggregate.input);
        let start = given(rest.next(), "start")?.or(bounds.from);
        let finish = given(rest.next(), "finish")?.or(bounds.to);
        if rest.next().is_some() {
            return invalid("the third of five arguments of gapfill is a zone: 'Asia/Bangkok', 'UTC' or '+07:00'");
        }
        let (Some(start), Some(finish)) = (start, finish) else {
            let missing = if start.is_none() { "start" } else { "finish" };
            return invalid(format!(
                "gapfill does not know the {missing} of the time to fill: say it in WHERE (time >= TIMESTAMP \
                 '2026-01-01T00:00:00+07:00' AND time < …, of the column that is cut) or in the call (gapfill(width, time, \
                 start => …, finish => …))"
            ));
        };
        let range = Range::new(step, zone, start, finish)?;
        let mut args = vec![width.clone(), time.clone()];
        args.extend(zone.map(|zone| lit(zone.clone())));
        Ok((range, Expr::ScalarFunction(ScalarFunction::new_udf(self.time_bucket.clone(), args))))
    }
}

fn constant(expression: &Expr) -> Option<&ScalarValue> {
    match expression {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

fn text_of(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

/// A start or a finish; `None` where it is not given.
fn given(expression: Option<&Expr>, what: &str) -> Result<Option<i64>> {
    let Some(expression) = expression else { return Ok(None) };
    let Some(value) = constant(expression) else {
        return invalid(format!("the {what} of gapfill is one instant: it cannot differ from row to row"));
    };
    if value.is_null() {
        return Ok(None);
    }
    let micros = match text_of(value) {
        Some(text) => gwbank_model::Timestamp::parse_rfc3339(text).map(|time| time.as_micros()),
        None => micros_of(value).map(|(micros, _)| micros),
    };
    match micros {
        Some(micros) => Ok(Some(micros)),
        None => invalid(format!(
            "{value} is neither a zone ('Asia/Bangkok', 'UTC', '+07:00') nor the {what} of gapfill \
             ('2026-01-01T00:00:00+07:00')"
        )),
    }
}

/// Adds the calls of locf and interpolate in an expression.
fn collect(expression: &Expr, calls: &mut Vec<ScalarFunction>) -> Result<TreeNodeRecursion> {
    expression.apply(|part| match call_of(part) {
        Some((Call::Locf | Call::Interpolate, function)) => {
            for argument in &function.args {
                if left_over_in(argument)? {
                    return invalid("locf and interpolate cannot stand inside one another, nor around gapfill");
                }
            }
            if !calls.contains(function) {
                calls.push(function.clone());
            }
            Ok(TreeNodeRecursion::Jump)
        }
        _ => Ok(TreeNodeRecursion::Continue),
    })
}

fn left_over_in(expression: &Expr) -> Result<bool> {
    expression.exists(|part| Ok(call_of(part).is_some()))
}

/// The step over the groups: `place` is that of the bucket among so many keys.
fn with_fills(
    below: LogicalPlan,
    (place, keys): (usize, usize),
    range: Range,
    calls: &[ScalarFunction],
) -> Result<LogicalPlan> {
    let mut roles: Vec<Role> = (0..below.schema().fields().len())
        .map(|column| match column {
            column if column == place => Role::Time,
            column if column < keys => Role::Key,
            _ => Role::Aggregate,
        })
        .collect();
    let mut columns: Vec<Expr> = below.schema().columns().into_iter().map(Expr::Column).collect();
    let mut argument = |expression: &Expr| {
        let name = format!("gapfill argument {}", columns.len());
        columns.push(expression.clone().alias(name));
        roles.push(Role::Argument);
        columns.len() - 1
    };
    let mut fills = Vec::with_capacity(calls.len());
    for call in calls {
        let is_given =
            |place: usize| call.args.get(place).filter(|given| !constant(given).is_some_and(ScalarValue::is_null));
        let how = match Call::of(&call.func) {
            Some(Call::Interpolate) => {
                for beside in [is_given(1), is_given(2)].into_iter().flatten() {
                    check_beside(beside, &below)?;
                }
                How::Interpolate { prev: is_given(1).map(&mut argument), next: is_given(2).map(&mut argument) }
            }
            _ => {
                let null_is_missing = match call.args.get(2).map(constant) {
                    None => false,
                    Some(Some(ScalarValue::Boolean(told))) => told.unwrap_or(false),
                    Some(Some(value)) if value.is_null() => false,
                    Some(_) => return invalid("treat_null_as_missing of locf is true or false"),
                };
                How::Locf { prev: is_given(1).map(&mut argument), null_is_missing }
            }
        };
        fills.push(Fill { value: argument(&call.args[0]), how });
    }
    let projected = LogicalPlanBuilder::from(below).project(columns)?.build()?;
    let node = GapFill::new(projected, Work { range, roles, fills })?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

/// What stands beside the range is a row of a time and a value.
fn check_beside(beside: &Expr, below: &LogicalPlan) -> Result<()> {
    let kind = beside.get_type(below.schema())?;
    match &kind {
        arrow::datatypes::DataType::Struct(fields) => match fields.as_ref() {
            [time, value] if time.data_type().is_temporal() && value.data_type().is_numeric() => Ok(()),
            _ => invalid("prev and next of interpolate are rows of a time and a number: (SELECT (time, value) FROM …)"),
        },
        other => invalid(format!(
            "prev and next of interpolate are rows of a time and a number, (SELECT (time, value) FROM …), not {other}"
        )),
    }
}

/// The same node over another input, with columns in the place of calls.
fn replace_calls(node: LogicalPlan, input: LogicalPlan, calls: &[ScalarFunction]) -> Result<LogicalPlan> {
    let names = NamePreserver::new(&node);
    let mut expressions = Vec::new();
    for expression in node.expressions() {
        let name = names.save(&expression);
        let replaced = expression.transform_down(|part| {
            let found = match &part {
                Expr::ScalarFunction(function) => calls.iter().position(|call| call == function),
                _ => None,
            };
            Ok(match found {
                Some(place) => Transformed::yes(Expr::Column(Column::from_name(Work::fill_name(place)))),
                None => Transformed::no(part),
            })
        })?;
        expressions.push(if replaced.transformed { name.restore(replaced.data) } else { replaced.data });
    }
    node.with_new_exprs(expressions, vec![input])
}
