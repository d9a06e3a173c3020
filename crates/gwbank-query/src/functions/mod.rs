//! Functions for hydrologists, each with formula, source and an example that a test runs.

mod bangkok_day;
mod formulas;
mod time_bucket;
mod zone;

pub(crate) use time_bucket::bucket;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::ScalarUDF;

use crate::error::QueryError;
use crate::tables::{BatchOf, Rows, Wanted};

/// One row of the table `gwbank_functions`.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    pub name: &'static str,
    /// How it is called.
    pub form: &'static str,
    /// `scalar`, `aggregate`, `window` or `table`.
    pub kind: &'static str,
    pub formula: &'static str,
    pub source: &'static str,
    /// A query of one value.
    pub example: &'static str,
    /// What the example gives, as text.
    pub example_result: &'static str,
}

/// Every function of ours that exists.
pub const FUNCTIONS: &[Function] = &[
    time_bucket::FUNCTION,
    bangkok_day::FUNCTION,
    formulas::EC_25,
    formulas::DEPTH_TO_ELEVATION,
    formulas::WATER_COLUMN,
];

pub(crate) fn register(state: &mut SessionState) -> Result<(), DataFusionError> {
    let functions: Vec<ScalarUDF> =
        [time_bucket::function(), bangkok_day::function()].into_iter().chain(formulas::functions()).collect();
    for function in functions {
        state.register_udf(Arc::new(function))?;
    }
    Ok(())
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
        .text("source", |f| Some(f.source))
        .text("example", |f| Some(f.example))
        .text("example_result", |f| Some(f.example_result))
}

#[async_trait]
impl Rows for FunctionsTable {
    fn schema(&self) -> SchemaRef {
        of_functions(&[]).schema()
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        of_functions(FUNCTIONS).finish().map_err(|error| QueryError::Internal(error.to_string()))
    }
}
