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
    BinaryExpr, CaseExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNullExpr, Literal,
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
    let no_row = || ReadingFilter { wells: Some(BTreeSet::new()), ..ReadingFilter::default() };
    if let Some(value) = literal(expression) {
        return (*value == ScalarValue::Boolean(Some(false))).then(no_row);
    }
    if let Some(is_null) = expression.downcast_ref::<IsNullExpr>() {
        let column = is_null.arg().downcast_ref::<Column>()?;
        return (!schema.fields().get(column.index())?.is_nullable()).then(no_row);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readings::columns::Table;
    use arrow::datatypes::SchemaRef;
    use datafusion::physical_expr::expressions::{col, in_list, is_null, lit, not};

    fn schema() -> SchemaRef {
        Table::Readings.schema()
    }
    fn binary(left: Arc<dyn PhysicalExpr>, op: Operator, right: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(left, op, right))
    }
    fn column(name: &str) -> Arc<dyn PhysicalExpr> {
        col(name, &schema()).unwrap()
    }
    fn name(text: &str) -> Arc<dyn PhysicalExpr> {
        lit(ScalarValue::Utf8View(Some(text.to_owned())))
    }
    fn time(micros: i64) -> Arc<dyn PhysicalExpr> {
        lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
    }
    fn wells(names: &[&str], negated: bool) -> Arc<dyn PhysicalExpr> {
        in_list(column("well_id"), names.iter().map(|text| name(text)).collect(), &negated, &schema()).unwrap()
    }

    #[test]
    fn a_join_tells_wells_and_times() {
        use Operator::{And, Eq, Gt, GtEq, Lt, LtEq, Or};
        let set = |names: &[&str]| Some(names.iter().map(|&n| n.to_owned()).collect::<BTreeSet<_>>());
        let of = |expression: Arc<dyn PhysicalExpr>| filter(&[expression], &schema());
        let of_wells = of(binary(binary(column("well_id"), GtEq, name("a")), And, wells(&["a", "b"], false)));
        assert_eq!((of_wells.wells, of_wells.from), (set(&["a", "b"]), None));
        let learning = DynamicFilterPhysicalExpr::new(vec![column("well_id")], wells(&["c"], false));
        assert_eq!(of(Arc::new(learning)).wells, set(&["c"]));
        let times = of(binary(binary(column("time"), GtEq, time(5)), And, binary(column("time"), LtEq, time(9))));
        assert_eq!((times.from, times.to), (Some(5), Some(10)));

        // The first few by time: later than the last of them, or as late and before it by name.
        let as_late = binary(binary(column("time"), Eq, time(7)), And, binary(column("well_id"), Lt, name("b")));
        let later = binary(binary(column("time"), Gt, time(7)), Or, as_late);
        let first_few = binary(is_null(column("time")).unwrap(), Or, later);
        assert_eq!((of(first_few.clone()).from, of(first_few).to), (Some(7), None));

        let case = CaseExpr::try_new(
            None,
            vec![(lit(true), wells(&["a"], false)), (lit(true), wells(&["b"], false))],
            Some(lit(false)),
        );
        assert_eq!(of(Arc::new(case.unwrap())).wells, set(&["a", "b"]));
        assert!(of(lit(false)).is_empty());
    }

    #[test]
    fn what_is_not_understood_says_nothing() {
        for expression in [
            lit(true),
            wells(&["a"], true),
            not(wells(&["a"], false)).unwrap(),
            is_null(column("value")).unwrap(),
            binary(column("value"), Operator::Gt, lit(1.0)),
            binary(wells(&["a"], false), Operator::Or, binary(column("value"), Operator::Gt, lit(1.0))),
            binary(column("well_id"), Operator::Gt, name("a")),
            in_list(column("parameter"), vec![name("ph")], &false, &schema()).unwrap(),
        ] {
            assert!(filter(std::slice::from_ref(&expression), &schema()).is_all(), "{expression}");
        }
    }
}
