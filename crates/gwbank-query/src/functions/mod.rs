//! Functions for hydrologists, each with formula, source and an example that a test runs.

mod arithmetic;
mod bangkok_day;
mod casts;
mod events;
mod formulas;
mod lttb;
mod series;
mod time_bucket;
mod timezone;
mod trends;
mod windows;

pub(crate) use casts::{name_of as cast_call, type_of as type_of_cast_call};
pub(crate) use series::time_type;
pub(crate) use time_bucket::{Cutter, bucket, fixed_seconds};
pub(crate) use timezone::local_type;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, ScalarUDF};

use self::series::SeriesFunction;
use crate::error::QueryError;
use crate::known_at::{AS_KNOWN_AT, KnownAt};
use crate::tables::{BatchOf, Rows, Then, Wanted};

/// One row of the table `gwbank_functions`.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    pub name: &'static str,
    /// How it is called.
    pub form: &'static str,
    /// `scalar`, `aggregate`, `window` or `table`.
    pub kind: &'static str,
    pub formula: &'static str,
    /// Of the arguments; of the result.
    pub units: &'static str,
    pub source: &'static str,
    /// A query of one value.
    pub example: &'static str,
    /// What the example gives, as text.
    pub example_result: &'static str,
}

/// Every function of ours that exists.
pub const FUNCTIONS: &[Function] = &[
    time_bucket::FUNCTION,
    timezone::FUNCTION,
    crate::gapfill::GAPFILL,
    bangkok_day::FUNCTION,
    formulas::EC_25,
    formulas::DEPTH_TO_ELEVATION,
    formulas::WATER_COLUMN,
    windows::SGI,
    windows::PERCENTILE_WEIBULL,
    windows::PERCENTILE_CLASS,
    windows::POSITION_INDEX,
    windows::SPI,
    windows::LOCF,
    windows::INTERPOLATE,
    trends::MANN_KENDALL,
    trends::MANN_KENDALL_HAMED_RAO,
    trends::MANN_KENDALL_SEASONAL,
    trends::SEN_SLOPE,
    trends::SEN_SLOPE_PER_YEAR,
    events::DROUGHT_EVENTS,
    events::GXG,
    events::RECHARGE_WTF,
    lttb::LTTB,
    AS_KNOWN_AT,
];

pub(crate) fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Aggregates of whole series: with OVER each row would compute one anew.
pub(crate) fn is_of_series(name: &str) -> bool {
    aggregates().any(|of| of.function.name == name)
}

/// Window functions that look at a whole partition, whatever the frame.
pub(crate) fn is_of_partition(name: &str) -> bool {
    windows::names().any(|known| known == name)
}

/// How a window function of a whole partition is called.
pub(crate) fn form_of_partition(name: &str) -> Option<&'static str> {
    windows::functions_listed().find(|function| function.name == name).map(|function| function.form)
}

fn aggregates() -> impl Iterator<Item = &'static SeriesFunction> {
    trends::AGGREGATES.iter().chain(&events::AGGREGATES).chain(&lttb::AGGREGATES)
}

pub(crate) fn time_bucket() -> Arc<ScalarUDF> {
    Arc::new(time_bucket::function())
}

pub(crate) fn nearest_whole() -> Arc<ScalarUDF> {
    Arc::new(arithmetic::nearest_whole())
}

pub(crate) fn interval_length() -> Arc<ScalarUDF> {
    Arc::new(arithmetic::interval_length())
}

pub(crate) fn bangkok_day() -> Arc<ScalarUDF> {
    Arc::new(bangkok_day::function())
}

pub(crate) fn timezone() -> Arc<ScalarUDF> {
    Arc::new(timezone::function())
}

pub(crate) fn register(state: &mut SessionState) -> Result<(), DataFusionError> {
    let functions: Vec<ScalarUDF> = [time_bucket::function(), timezone::function(), bangkok_day::function()]
        .into_iter()
        .chain(casts::functions())
        .chain(formulas::functions())
        .chain(crate::gapfill::functions())
        .collect();
    for function in functions {
        state.register_udf(Arc::new(function))?;
    }
    state.register_expr_planner(Arc::new(arithmetic::TimeArithmetic))?;
    for of in aggregates() {
        state.register_udaf(Arc::new(series::aggregate(of)))?;
    }
    for function in windows::functions() {
        state.register_udwf(Arc::new(function))?;
    }
    Ok(())
}

/// What a function gives in a plan that calls it.
pub(crate) fn result_of(plan: &LogicalPlan, name: &str) -> Option<DataType> {
    let mut found = None;
    let walked = plan.apply_with_subqueries(|node| {
        let inputs = node.inputs();
        let columns = inputs.first().map_or(node.schema(), |input| input.schema());
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let called = match expr {
                    Expr::ScalarFunction(call) => call.func.name(),
                    Expr::AggregateFunction(call) => call.func.name(),
                    Expr::WindowFunction(call) => call.fun.name(),
                    _ => return Ok(TreeNodeRecursion::Continue),
                };
                if called != name {
                    return Ok(TreeNodeRecursion::Continue);
                }
                found = expr.get_type(columns).ok();
                Ok(TreeNodeRecursion::Stop)
            })
        })
    });
    walked.ok().and(found)
}

/// The table `gwbank_functions`.
#[derive(Debug)]
pub(crate) struct FunctionsTable;

fn of_functions(rows: &[Function]) -> BatchOf<'_, Function> {
    BatchOf::new(rows)
        .text("name", |f| Some(f.name))
        .text("form", |f| Some(f.form))
        .text("kind", |f| Some(f.kind))
        .text("formula", |f| Some(f.formula))
        .text("units", |f| Some(f.units))
        .text("source", |f| Some(f.source))
        .text("example", |f| Some(f.example))
        .text("example_result", |f| Some(f.example_result))
}

#[async_trait]
impl Rows for FunctionsTable {
    fn schema(&self) -> SchemaRef {
        of_functions(&[]).schema()
    }
    fn as_known_at(&self, _: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::AsNow)
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        of_functions(FUNCTIONS).finish().map_err(|error| QueryError::Internal(error.to_string()))
    }
}
