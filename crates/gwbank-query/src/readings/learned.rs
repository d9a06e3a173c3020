//! What joins (and sorts of the first few) learn, while a query runs, of the rows that they will keep.
//!
//! A join of readings with some wells has those wells before it asks for the first reading: DataFusion hands the scan an
//! expression that says, from then on, which rows can find a partner. Here it is read as far as a scan can heed it. What is
//! not understood says nothing; every row that is given is looked at above anyway.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, Column, DynamicFilterPhysicalExpr, InListExpr, Literal,
};
use datafusion::scalar::ScalarValue;

use crate::readings::filter::ReadingFilter;

/// What holds of each row that all of some expressions keep.
pub(crate) fn filter(expressions: &[Arc<dyn PhysicalExpr>], schema: &Schema) -> ReadingFilter {
    expressions.iter().map(|expression| of(expression, schema)).fold(ReadingFilter::default(), ReadingFilter::and)
}

fn of(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> ReadingFilter {
    told(expression, schema).unwrap_or_default()
}

/// `None` where it says nothing.
fn told(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<ReadingFilter> {
    if let Some(learning) = expression.downcast_ref::<DynamicFilterPhysicalExpr>() {
        return told(&learning.current().ok()?, schema);
    }
    if let Some(choice) = expression.downcast_ref::<CaseExpr>() {
        // Which branch is a matter of the row: what all of them say.
        let branches = choice.when_then_expr().iter().map(|(_, then)| then).chain(choice.else_expr());
        return branches.map(|branch| told(branch, schema)).reduce(|a, b| Some(a?.either(b?)))?;
    }
    if let Some(list) = expression.downcast_ref::<InListExpr>() {
        let names: Option<BTreeSet<String>> = list.list().iter().map(|item| text(literal(item)?)).collect();
        let is_of_wells = !list.negated() && column(list.expr(), schema)? == "well_id";
        return is_of_wells
            .then_some(names)?
            .map(|wells| ReadingFilter { wells: Some(wells), ..ReadingFilter::default() });
    }
    if let Some(value) = literal(expression) {
        let is_false = *value == ScalarValue::Boolean(Some(false));
        // No row at all.
        return is_false.then(|| ReadingFilter { wells: Some(BTreeSet::new()), ..ReadingFilter::default() });
    }
    let binary = expression.downcast_ref::<BinaryExpr>()?;
    match binary.op() {
        Operator::And => Some(of(binary.left(), schema).and(of(binary.right(), schema))),
        Operator::Or => Some(told(binary.left(), schema)?.either(told(binary.right(), schema)?)),
        operator => {
            let (left, right) = (binary.left(), binary.right());
            match (column(left, schema), literal(right), column(right, schema), literal(left)) {
                (Some(name), Some(value), ..) => compared(name, *operator, value),
                (.., Some(name), Some(value)) => compared(name, operator.swap()?, value),
                _ => None,
            }
        }
    }
}

fn compared(name: &str, operator: Operator, value: &ScalarValue) -> Option<ReadingFilter> {
    let all = ReadingFilter::default();
    match (name, operator, value) {
        ("well_id", Operator::Eq, _) => Some(ReadingFilter { wells: Some([text(value)?].into()), ..all }),
        ("time", _, ScalarValue::TimestampMicrosecond(Some(time), _)) => {
            let next = time.saturating_add(1);
            match operator {
                Operator::Eq => Some(ReadingFilter { from: Some(*time), to: Some(next), ..all }),
                Operator::Lt | Operator::LtEq => Some(ReadingFilter { to: Some(next), ..all }),
                Operator::Gt | Operator::GtEq => Some(ReadingFilter { from: Some(*time), ..all }),
                _ => None,
            }
        }
        _ => None,
    }
}

fn column<'a>(expression: &Arc<dyn PhysicalExpr>, schema: &'a Schema) -> Option<&'a str> {
    let column = expression.downcast_ref::<Column>()?;
    schema.fields().get(column.index()).map(|field| field.name().as_str())
}

fn literal(expression: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expression.downcast_ref::<Literal>().map(Literal::value)
}

fn text(value: &ScalarValue) -> Option<String> {
    value.try_as_str().flatten().map(str::to_owned)
}
