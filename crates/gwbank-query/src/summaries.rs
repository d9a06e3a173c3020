//! Sums of readings by series and stretch of time: made by the archive where it can, otherwise run by run as they are read.
//!
//! ```text
//! count, sum, avg, min, max of value … GROUP BY well_id, parameter, time_bucket(…) or date_trunc(…)
//! ```
//!
//! # Rules
//! 1. Only a plan that the parts of an answer can be put together from is rewritten: what the window has is summed here,
//!    what the archive has there, and both are summed once more ([`ReadingsSummary`]).
//! 2. Between the scan and the groups there may be nothing but conditions. The archive is asked where they are such as the
//!    scan takes itself, conditions on `quality` alone, and `value IS NOT NULL`.
//! 3. A stretch of time is at least an hour: groups as small as a reading or two cost the archive more than their readings.

use std::sync::Arc;

use arrow::array::{BooleanArray, Int16Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::catalog::default_table_source::{provider_as_source, source_as_provider};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, TableScan, cast, ident, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::physical_expr::create_physical_expr;
use datafusion::scalar::ScalarValue;
use gwbank_model::QualityFlag;
use gwbank_store::{Bucket, Measure};

use crate::functions;
use crate::latest::has_subquery;
use crate::readings::{GroupColumn, ReadingsSummary, ReadingsTable, Table, Wanted};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// Comes last, when filters have found their way into the scans.
#[derive(Debug)]
pub(crate) struct Summarize {
    pub(crate) archive_summarizes: bool,
}

impl OptimizerRule for Summarize {
    fn name(&self) -> &str {
        "summarize"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let rewritten = match &plan {
            LogicalPlan::Aggregate(aggregate) => self.summarized(aggregate)?,
            _ => None,
        };
        Ok(rewritten.map_or_else(|| Transformed::no(plan), Transformed::yes))
    }
}

/// What lies below the groups.
struct Source<'a> {
    scan: &'a TableScan,
    /// Over the columns of `readings`.
    conditions: Vec<Expr>,
}

impl Summarize {
    fn summarized(&self, aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
        let input = aggregate.input.as_ref();
        let Some(source) = source(input) else { return Ok(None) };
        if source.conditions.iter().any(has_subquery) {
            return Ok(None);
        }
        let chosen = chosen(&source.conditions)?;
        let mut groups: Vec<GroupColumn> = Vec::new();
        for (place, expression) in aggregate.group_expr.iter().enumerate() {
            let Some(group) = group(expression, input, aggregate.schema.field(place).data_type()) else {
                return Ok(None);
            };
            groups.push(group);
        }
        let mut buckets = groups.iter().filter(|group| matches!(group, GroupColumn::Bucket { .. }));
        if buckets.next().is_some() && buckets.next().is_some() {
            return Ok(None);
        }
        let mut tellers: Vec<Teller> = Vec::new();
        for function in &aggregate.aggr_expr {
            let Some(teller) = teller(function, input) else { return Ok(None) };
            tellers.push(teller);
        }
        let mut measures: Vec<Measure> = tellers.iter().flat_map(|teller| teller.needs().iter().copied()).collect();
        if measures.is_empty() {
            return Ok(None); // DISTINCT
        }
        measures.sort_unstable_by_key(|measure| measure.name());
        measures.dedup();

        let table = ReadingsSummary { groups, measures, chosen, filters: source.scan.filters.clone() };
        if table.counts_all() && !self.archive_summarizes {
            return Ok(None); // mostly known without a look
        }
        let keys: Vec<Expr> = table.group_names().into_iter().map(ident).collect();
        let parts = table.measures.iter().map(|measure| {
            let part = ident(measure.name());
            match measure {
                Measure::Rows | Measure::Values | Measure::Sum => sum(part),
                Measure::Least => min(part),
                Measure::Greatest => max(part),
            }
            .alias(measure.name())
        });
        let parts: Vec<Expr> = parts.collect();
        let shown = keys.iter().cloned().chain(tellers.iter().map(|teller| teller.told()));
        let shown: Vec<Expr> = shown
            .zip(aggregate.schema.iter())
            .map(|(expression, (qualifier, field))| {
                cast(expression, field.data_type().clone()).alias_qualified(qualifier.cloned(), field.name())
            })
            .collect();
        let plan = LogicalPlanBuilder::scan("readings", provider_as_source(Arc::new(table)), None)?
            .aggregate(keys, parts)?
            .project(shown)?
            .build()?;
        Ok(Some(plan))
    }
}

fn source(plan: &LogicalPlan) -> Option<Source<'_>> {
    match plan {
        LogicalPlan::TableScan(scan) => is_scan_of_all(scan).then(|| Source { scan, conditions: Vec::new() }),
        LogicalPlan::Projection(projection) => source(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => source(&alias.input),
        LogicalPlan::Filter(filter) => {
            let mut source = source(&filter.input)?;
            for condition in split_conjunction(&filter.predicate) {
                source.conditions.push(over_readings(condition, &filter.input)?);
            }
            Some(source)
        }
        _ => None,
    }
}

fn is_scan_of_all(scan: &TableScan) -> bool {
    let Ok(provider) = source_as_provider(&scan.source) else { return false };
    let table = provider.downcast_ref::<ReadingsTable>();
    scan.fetch.is_none() && table.is_some_and(|it| it.table == Table::Readings && it.wanted == Wanted::All)
}

/// An expression over the columns of `readings`, whatever projections lie between.
fn over_readings(expression: &Expr, plan: &LogicalPlan) -> Option<Expr> {
    if expression.is_volatile() {
        return None;
    }
    let replaced = expression.clone().transform(|part| {
        let Expr::Column(column) = &part else { return Ok(Transformed::no(part)) };
        match origin(column, plan) {
            Some(Expr::Column(same)) if same == *column => Ok(Transformed::no(part)),
            Some(origin) => Ok(Transformed::new(origin, true, datafusion::common::tree_node::TreeNodeRecursion::Jump)),
            None => datafusion::common::internal_err!("not a column of readings"),
        }
    });
    Some(unaliased(replaced.ok()?.data))
}

fn origin(column: &Column, plan: &LogicalPlan) -> Option<Expr> {
    let index = plan.schema().maybe_index_of_column(column)?;
    match plan {
        LogicalPlan::TableScan(_) => Some(Expr::Column(Column::from_name(column.name.clone()))),
        LogicalPlan::Filter(filter) => origin(column, &filter.input),
        LogicalPlan::Projection(projection) => over_readings(projection.expr.get(index)?, &projection.input),
        LogicalPlan::SubqueryAlias(alias) => {
            let below = Column::from(alias.input.schema().qualified_field(index));
            origin(&below, &alias.input)
        }
        _ => None,
    }
}

fn unaliased(mut expression: Expr) -> Expr {
    while let Expr::Alias(alias) = expression {
        expression = *alias.expr;
    }
    expression
}

/// Which readings count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chosen {
    /// `None` is all.
    pub(crate) qualities: Option<Vec<QualityFlag>>,
    pub(crate) with_value: bool,
    /// The same as expressions.
    pub(crate) conditions: Vec<Expr>,
    /// Whether the first two say all that the conditions do.
    pub(crate) archive_can_tell: bool,
}

fn chosen(conditions: &[Expr]) -> Result<Chosen> {
    let mut chosen = Chosen { conditions: conditions.to_vec(), archive_can_tell: true, ..Chosen::default() };
    for condition in conditions {
        if let Expr::IsNotNull(of) = condition
            && is_column(of, "value")
        {
            chosen.with_value = true;
            continue;
        }
        if !condition.column_refs().iter().all(|column| column.name == "quality") {
            chosen.archive_can_tell = false;
            continue;
        }
        let wanted = qualities(condition)?;
        let known = chosen.qualities.unwrap_or_else(|| QualityFlag::ALL.to_vec());
        chosen.qualities = Some(known.into_iter().filter(|quality| wanted.contains(quality)).collect());
    }
    Ok(chosen)
}

/// The qualities for which a condition holds.
fn qualities(condition: &Expr) -> Result<Vec<QualityFlag>> {
    let schema = Arc::new(Schema::new(vec![Field::new("quality", DataType::Int16, false)]));
    let codes = Int16Array::from_iter_values(QualityFlag::ALL.iter().map(|quality| i16::from(quality.code())));
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(codes)])?;
    let holds = create_physical_expr(
        condition,
        &DFSchema::try_from(schema)?,
        &ExecutionProps::new(),
        &PhysicalPlanningContext::default(),
    )?;
    let holds = holds.evaluate(&batch)?.into_array(batch.num_rows())?;
    let holds: &BooleanArray = as_boolean_array(&holds)?;
    Ok(QualityFlag::ALL
        .iter()
        .zip(holds)
        .filter(|(_, holds)| *holds == Some(true))
        .map(|(quality, _)| *quality)
        .collect())
}

fn group(expression: &Expr, input: &LogicalPlan, kind: &DataType) -> Option<GroupColumn> {
    let expression = over_readings(expression, input)?;
    match &expression {
        Expr::Column(column) if column.name == "well_id" => Some(GroupColumn::Well),
        Expr::Column(column) if column.name == "parameter" => Some(GroupColumn::Parameter),
        Expr::ScalarFunction(function) => {
            let bucket = bucket(function)?;
            let is_coarse = !matches!(bucket, Bucket::Width { micros, .. } if micros < MICROS_PER_HOUR);
            let is_time = matches!(kind, DataType::Timestamp(TimeUnit::Microsecond, Some(_)));
            (is_coarse && is_time).then(|| GroupColumn::Bucket { bucket, kind: kind.clone() })
        }
        _ => None,
    }
}

/// `date_trunc` is a `time_bucket` by now: see [`crate::local_time`].
fn bucket(function: &ScalarFunction) -> Option<Bucket> {
    match (function.name(), function.args.as_slice()) {
        ("time_bucket", [width, time]) if is_column(time, "time") => functions::bucket(literal(width)?, None),
        ("time_bucket", [width, time, third]) if is_column(time, "time") => {
            functions::bucket(literal(width)?, Some(literal(third)?))
        }
        _ => None,
    }
}

fn literal(expression: &Expr) -> Option<&ScalarValue> {
    match expression {
        Expr::Literal(value, _) if !value.is_null() => Some(value),
        _ => None,
    }
}

fn is_column(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::Column(column) if column.name == name)
}

/// An aggregate of the query.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Teller {
    Measure(Measure),
    Mean,
}

impl Teller {
    fn needs(&self) -> &[Measure] {
        match self {
            Teller::Measure(measure) => std::slice::from_ref(measure),
            Teller::Mean => &[Measure::Sum, Measure::Values],
        }
    }

    /// Over the sums of the parts.
    fn told(&self) -> Expr {
        match self {
            // Of no part at all there is no sum.
            Teller::Measure(count @ (Measure::Rows | Measure::Values)) => {
                coalesce(vec![ident(count.name()), lit(0_i64)])
            }
            Teller::Measure(measure) => ident(measure.name()),
            // Null where there is no value.
            Teller::Mean => ident(Measure::Sum.name()) / cast(ident(Measure::Values.name()), DataType::Float64),
        }
    }
}

fn teller(function: &Expr, input: &LogicalPlan) -> Option<Teller> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = unaliased(function.clone()) else { return None };
    if params.filter.is_some() || params.distinct || !params.order_by.is_empty() || params.null_treatment.is_some() {
        return None;
    }
    let [argument] = params.args.as_slice() else { return None };
    if func.name() == "count" && literal(argument).is_some() {
        return Some(Teller::Measure(Measure::Rows));
    }
    if !is_column(&over_readings(argument, input)?, "value") {
        return None;
    }
    match func.name() {
        "count" => Some(Teller::Measure(Measure::Values)),
        "sum" => Some(Teller::Measure(Measure::Sum)),
        "min" => Some(Teller::Measure(Measure::Least)),
        "max" => Some(Teller::Measure(Measure::Greatest)),
        "avg" => Some(Teller::Mean),
        _ => None,
    }
}
