//! `as_known_at(table, instant)`: one table as it was known at an instant.

use std::sync::Arc;

use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use futures::FutureExt;
use gwbank_model::Timestamp;

use super::{KnownAt, as_known_at};
use crate::error::QueryError;
use crate::functions::Function;
use crate::readings::ReadCut;

pub(crate) const AS_KNOWN_AT: Function = Function {
    name: "as_known_at",
    form: "as_known_at(table, instant)",
    kind: "table",
    formula: "the rows that the table or view had at the instant: what was received, computed or registered at or before it, as it was then; SET gwbank.as_known_at does the same to all tables of a connection",
    units: "those of the table",
    source: "seq and revisions of readings, versions of everything else",
    example: "SELECT count(*) FROM as_known_at('readings', '2020-01-01T00:00:00+07:00')",
    example_result: "0",
};

pub(crate) fn table_function(tables: &Arc<MemorySchemaProvider>) -> Arc<dyn TableFunctionImpl> {
    Arc::new(AsKnownAt { tables: tables.clone() })
}

#[derive(Debug)]
struct AsKnownAt {
    tables: Arc<MemorySchemaProvider>,
}

fn invalid<T>(message: String) -> Result<T> {
    Err(QueryError::Invalid(message).into_engine())
}

impl TableFunctionImpl for AsKnownAt {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let [Expr::Literal(table, _), Expr::Literal(instant, _)] = args.exprs() else {
            return invalid(format!("as_known_at is called with constants: {}", AS_KNOWN_AT.form));
        };
        let Some(name) = table.try_as_str().flatten() else {
            return invalid("the table of as_known_at is a text: as_known_at('readings', '…')".to_owned());
        };
        let now = args.session().execution_props().query_execution_start_time;
        let now = now.map_or(Timestamp::MAX, |now| Timestamp::from_micros(now.timestamp_micros()));
        let at = match (instant.try_as_str().flatten(), micros(instant)) {
            (Some(text), _) => KnownAt::parse(text, now),
            (None, Some(micros)) => KnownAt::new(Timestamp::from_micros(micros), now),
            (None, None) => Err(QueryError::Invalid(format!("{instant} is no instant: {}", AS_KNOWN_AT.form))),
        };
        let at = at.map_err(|error| error.into_engine())?;
        // Memory only: it never waits.
        let found = self.tables.table(name).now_or_never().transpose()?.flatten();
        let Some(table) = found else {
            let mut names = self.tables.table_names();
            names.sort();
            return invalid(format!("there is no table {name:?}; the tables are: {}", names.join(", ")));
        };
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?.build()?;
        let Some(cut) = args.session().config().get_extension::<ReadCut>() else {
            return internal_err!("a query has a read cut");
        };
        Ok(Arc::new(ViewTable::new(as_known_at(plan, at, cut.reviews())?, None)))
    }
}

fn micros(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampNanosecond(Some(nanos), _) => Some(nanos.div_euclid(1000)),
        ScalarValue::TimestampMicrosecond(Some(micros), _) => Some(*micros),
        ScalarValue::TimestampMillisecond(Some(millis), _) => millis.checked_mul(1000),
        ScalarValue::TimestampSecond(Some(seconds), _) => seconds.checked_mul(1_000_000),
        ScalarValue::Date32(Some(day)) => i64::from(*day).checked_mul(86_400_000_000),
        _ => None,
    }
}
