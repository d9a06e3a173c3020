//! Questions for the latest reading of each series, answered without reading the others.
//!
//! ```text
//! last_value(… ORDER BY time), first_value(… ORDER BY time DESC), max(time) … GROUP BY well_id
//! DISTINCT ON (well_id) … ORDER BY well_id, time DESC
//! row_number() OVER (PARTITION BY well_id ORDER BY time DESC) … = 1
//! ```
//!
//! # Rules
//! 1. The plan stays as it is; only its scan is told that all but the latest row of each series (well and parameter) may
//!    be left out ([`Wanted::Latest`]). So there is nothing to get wrong but whether a left-out row could be part of the
//!    answer.
//! 2. It cannot where rows are grouped by nothing but what all rows of a series have in common, each group is asked only
//!    for its latest row, and no filter between scan and group tells rows of one series apart, but for those that the scan
//!    takes itself (which it applies before it looks for the latest).

use std::sync::Arc;

use datafusion::catalog::default_table_source::{provider_as_source, source_as_provider};
use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment, Sort, WindowFunction};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, BinaryExpr, Expr, Filter, LogicalPlan, Operator, TableScan, Window};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::scalar::ScalarValue;

use crate::readings::{ReadingsTable, Table, Wanted};

/// Comes last, when filters have found their way into the scans.
#[derive(Debug, Default)]
pub(crate) struct LatestOfSeries;

impl OptimizerRule for LatestOfSeries {
    fn name(&self) -> &str {
        "latest_of_series"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let asks_for_the_latest = match &plan {
            LogicalPlan::Aggregate(aggregate) => is_latest_aggregate(aggregate),
            LogicalPlan::Filter(filter) => is_first_of_window(filter),
            _ => false,
        };
        if asks_for_the_latest { scan_only_the_latest(plan) } else { Ok(Transformed::no(plan)) }
    }
}

/// Tells the one scan below.
fn scan_only_the_latest(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    plan.transform_down(|node| match node {
        LogicalPlan::TableScan(scan) if is_scan_of_all(&scan) => {
            let source = provider_as_source(Arc::new(ReadingsTable { table: Table::Readings, wanted: Wanted::Latest }));
            Ok(Transformed::yes(LogicalPlan::TableScan(TableScan { source, ..scan })))
        }
        other => Ok(Transformed::no(other)),
    })
}

fn is_scan_of_all(scan: &TableScan) -> bool {
    let Ok(provider) = source_as_provider(&scan.source) else { return false };
    let table = provider.downcast_ref::<ReadingsTable>();
    scan.fetch.is_none() && table.is_some_and(|it| it.table == Table::Readings && it.wanted == Wanted::All)
}

fn is_latest_aggregate(aggregate: &Aggregate) -> bool {
    let input = aggregate.input.as_ref();
    reads_whole_series(input)
        && aggregate.group_expr.iter().all(|group| is_of_series(group, input))
        && aggregate.aggr_expr.iter().all(|function| is_latest_of_group(function, input))
}

fn is_latest_of_group(function: &Expr, input: &LogicalPlan) -> bool {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = unaliased(function) else { return false };
    if params.filter.is_some() || params.null_treatment == Some(NullTreatment::IgnoreNulls) {
        return false;
    }
    match func.name() {
        "last_value" => !params.distinct && is_by_time(&params.order_by, Ascending::Yes, input),
        "first_value" => !params.distinct && is_by_time(&params.order_by, Ascending::No, input),
        "max" => matches!(params.args.as_slice(), [argument] if is_column(argument, "time", input)),
        _ => false,
    }
}

/// `WHERE n = 1` over `row_number() OVER (PARTITION BY well_id ORDER BY time DESC) AS n`.
fn is_first_of_window(filter: &Filter) -> bool {
    split_conjunction(&filter.predicate).into_iter().filter_map(compared_with_first).any(|column| {
        let Some((window, expression)) = window_expression(column, &filter.input) else { return false };
        is_rank_by_latest(expression, &window.input)
            && window.window_expr.iter().all(|other| is_rank_by_latest(other, &window.input))
    })
}

/// The column that has to be 1, the least that a rank can be.
fn compared_with_first(predicate: &Expr) -> Option<&Column> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = predicate else { return None };
    let (column, operator, value) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) => (column, *op, value),
        (Expr::Literal(value, _), Expr::Column(column)) => (column, op.swap()?, value),
        _ => return None,
    };
    let number = match value.cast_to(&arrow::datatypes::DataType::Int64) {
        Ok(ScalarValue::Int64(Some(number))) => number,
        _ => return None,
    };
    matches!((operator, number), (Operator::Eq | Operator::LtEq, 1) | (Operator::Lt, 2)).then_some(column)
}

/// The window that a column comes from, and its expression there.
fn window_expression<'a>(column: &Column, plan: &'a LogicalPlan) -> Option<(&'a Window, &'a Expr)> {
    let index = plan.schema().maybe_index_of_column(column)?;
    match plan {
        LogicalPlan::Window(window) => {
            let place = index.checked_sub(window.input.schema().fields().len())?;
            Some((window, window.window_expr.get(place)?))
        }
        LogicalPlan::Projection(projection) => match unaliased(projection.expr.get(index)?) {
            Expr::Column(below) => window_expression(below, &projection.input),
            _ => None,
        },
        LogicalPlan::SubqueryAlias(alias) => {
            let below = Column::from(alias.input.schema().qualified_field(index));
            window_expression(&below, &alias.input)
        }
        _ => None,
    }
}

fn is_rank_by_latest(expression: &Expr, input: &LogicalPlan) -> bool {
    let Expr::WindowFunction(window) = unaliased(expression) else { return false };
    let WindowFunction { fun, params } = window.as_ref();
    matches!(fun.name(), "row_number" | "rank" | "dense_rank")
        && params.filter.is_none()
        && params.partition_by.iter().all(|part| is_of_series(part, input))
        && is_by_time(&params.order_by, Ascending::No, input)
        && reads_whole_series(input)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ascending {
    Yes,
    No,
}

/// Ordered by time, after what all rows of a series have in common. Rows of one series never have the same time, so what
/// follows orders rows of different series.
fn is_by_time(order: &[Sort], ascending: Ascending, input: &LogicalPlan) -> bool {
    let first = order.iter().find(|sort| !is_of_series(&sort.expr, input));
    first.is_some_and(|sort| sort.asc == (ascending == Ascending::Yes) && is_column(&sort.expr, "time", input))
}

/// Whether an expression has the same value for all rows of a series.
fn is_of_series(expression: &Expr, input: &LogicalPlan) -> bool {
    let of_series = |column: &&Column| {
        let name = reading_column(column, input);
        name.is_some_and(|name| name == "well_id" || name == "parameter")
    };
    !expression.is_volatile()
        && !matches!(expression, Expr::GroupingSet(_))
        && !has_subquery(expression)
        && expression.column_refs().iter().all(of_series)
}

pub(crate) fn has_subquery(expression: &Expr) -> bool {
    expression
        .exists(|part| {
            Ok(matches!(
                part,
                Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::OuterReferenceColumn(..)
            ))
        })
        .unwrap_or(true)
}

fn is_column(expression: &Expr, name: &str, input: &LogicalPlan) -> bool {
    match unaliased(expression) {
        Expr::Column(column) => reading_column(column, input).as_deref() == Some(name),
        _ => false,
    }
}

/// The column of `readings` that a column is, unchanged.
fn reading_column(column: &Column, plan: &LogicalPlan) -> Option<String> {
    let index = plan.schema().maybe_index_of_column(column)?;
    match plan {
        LogicalPlan::TableScan(_) => Some(column.name.clone()),
        LogicalPlan::Filter(filter) => reading_column(column, &filter.input),
        LogicalPlan::Projection(projection) => match unaliased(projection.expr.get(index)?) {
            Expr::Column(below) => reading_column(below, &projection.input),
            _ => None,
        },
        LogicalPlan::SubqueryAlias(alias) => {
            let below = Column::from(alias.input.schema().qualified_field(index));
            reading_column(&below, &alias.input)
        }
        _ => None,
    }
}

/// Whether a plan is a scan of `readings` that leaves out no row but for what the scan filters itself, or whole series.
fn reads_whole_series(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => is_scan_of_all(scan),
        LogicalPlan::Projection(projection) => reads_whole_series(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => reads_whole_series(&alias.input),
        LogicalPlan::Filter(filter) => {
            is_of_series(&filter.predicate, &filter.input) && reads_whole_series(&filter.input)
        }
        _ => false,
    }
}

fn unaliased(mut expression: &Expr) -> &Expr {
    while let Expr::Alias(alias) = expression {
        expression = &alias.expr;
    }
    expression
}
