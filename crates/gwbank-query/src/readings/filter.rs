//! Which rows a query wants, as far as the sides can tell exactly.
//!
//! # Rules
//! 1. An expression is taken whole or not at all: what is taken is not checked again above the scan.
//! 2. `time` compared with a literal; `well_id` and `parameter` equal to literals, IN lists, and ORs of these on one
//!    column (short IN lists come so); ANDs of all that.
//! 3. Through a cast of the column only where the cast keeps order and tells apart what the column tells apart, or (to a
//!    date) where the literal stands for a whole day.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use datafusion::scalar::ScalarValue;
use gwbank_model::{Parameter, SeriesKey, Timestamp};

use arrow::datatypes::{DataType, TimeUnit};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What all pushed-down filters of a scan amount to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ReadingFilter {
    /// from ≤ time < to, in microseconds.
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    pub(crate) wells: Option<BTreeSet<String>>,
    pub(crate) parameters: Option<BTreeSet<String>>,
    /// Rows without a value, or with one outside, are dropped above the scan: it may give them or not.
    pub(crate) values: Option<(f64, f64)>,
}

impl ReadingFilter {
    /// `None` where an expression is not one that can be taken.
    pub(crate) fn of(expressions: &[Expr]) -> Option<Self> {
        let mut filter = Self::default();
        for expression in expressions {
            filter = filter.and(Self::of_one(expression).or_else(|| Self::hint(expression))?);
        }
        Some(filter)
    }

    /// Of an expression that is evaluated above the scan: what it says of values.
    pub(crate) fn hint(expression: &Expr) -> Option<Self> {
        let (column, operator, value) = match expression {
            Expr::Between(Between { expr, negated: false, low, high }) => {
                let low = Self::hint(&Expr::clone(expr).gt_eq(Expr::clone(low)))?;
                return Some(low.and(Self::hint(&Expr::clone(expr).lt_eq(Expr::clone(high)))?));
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (literal(left), literal(right)) {
                (None, Some(value)) => (left, *op, value),
                (Some(value), None) => (right, op.swap()?, value),
                _ => return None,
            },
            _ => return None,
        };
        let is_value = matches!(column.as_ref(), Expr::Column(column) if column.name == "value");
        let (true, ScalarValue::Float64(Some(value))) = (is_value, value) else { return None };
        if value.is_nan() {
            return None; // greater than every number, to SQL
        }
        let values = match operator {
            Operator::Eq => (*value, *value),
            Operator::Lt | Operator::LtEq => (f64::NEG_INFINITY, *value),
            Operator::Gt | Operator::GtEq => (*value, f64::INFINITY),
            _ => return None,
        };
        Some(Self { values: Some(values), ..Self::default() })
    }

    pub(crate) fn of_one(expression: &Expr) -> Option<Self> {
        match expression {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                Some(Self::of_one(left)?.and(Self::of_one(right)?))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                Self::of_one(left)?.or(Self::of_one(right)?)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (literal(left), literal(right)) {
                (None, Some(value)) => Self::comparison(left, *op, value),
                (Some(value), None) => Self::comparison(right, op.swap()?, value),
                _ => None,
            },
            Expr::Between(Between { expr, negated: false, low, high }) => {
                let low = Self::comparison(expr, Operator::GtEq, literal(low)?)?;
                Some(low.and(Self::comparison(expr, Operator::LtEq, literal(high)?)?))
            }
            Expr::InList(InList { expr, list, negated: false }) => {
                let names: Option<BTreeSet<String>> = list.iter().map(|item| text(literal(item)?)).collect();
                Self::names(expr, names?)
            }
            _ => None,
        }
    }

    fn comparison(column: &Expr, operator: Operator, value: &ScalarValue) -> Option<Self> {
        match column_name(column)? {
            "time" => {
                let (from, to) = instants(column, value)?;
                Some(match operator {
                    Operator::Eq => Self { from: Some(from), to: Some(to), ..Self::default() },
                    Operator::Lt => Self { to: Some(from), ..Self::default() },
                    Operator::LtEq => Self { to: Some(to), ..Self::default() },
                    Operator::Gt => Self { from: Some(to), ..Self::default() },
                    Operator::GtEq => Self { from: Some(from), ..Self::default() },
                    _ => return None,
                })
            }
            _ if operator == Operator::Eq => Self::names(column, BTreeSet::from([text(value)?])),
            _ => None,
        }
    }

    fn names(column: &Expr, names: BTreeSet<String>) -> Option<Self> {
        match column_name(column)? {
            "well_id" => Some(Self { wells: Some(names), ..Self::default() }),
            "parameter" => Some(Self { parameters: Some(names), ..Self::default() }),
            _ => None,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            from: self.from.into_iter().chain(other.from).max(),
            to: self.to.into_iter().chain(other.to).min(),
            wells: both(self.wells, other.wells),
            parameters: both(self.parameters, other.parameters),
            values: match (self.values, other.values) {
                (Some((a, b)), Some((c, d))) => Some((a.max(c), b.min(d))),
                (a, b) => a.or(b),
            },
        }
    }

    /// What holds where either holds.
    pub(crate) fn either(self, other: Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return if self.is_empty() { other } else { self };
        }
        let names = |a: Option<BTreeSet<String>>, b: Option<BTreeSet<String>>| {
            a.zip(b).map(|(a, b)| a.into_iter().chain(b).collect())
        };
        Self {
            from: self.from.zip(other.from).map(|(a, b)| a.min(b)),
            to: self.to.zip(other.to).map(|(a, b)| a.max(b)),
            wells: names(self.wells, other.wells),
            parameters: names(self.parameters, other.parameters),
            values: None,
        }
    }

    /// Only where both sides speak of names of one column and of nothing else.
    fn or(self, other: Self) -> Option<Self> {
        match (self, other) {
            (
                Self { from: None, to: None, wells: Some(a), parameters: None, values: None },
                Self { from: None, to: None, wells: Some(b), parameters: None, values: None },
            ) => Some(Self { wells: Some(a.into_iter().chain(b).collect()), ..Self::default() }),
            (
                Self { from: None, to: None, wells: None, parameters: Some(a), values: None },
                Self { from: None, to: None, wells: None, parameters: Some(b), values: None },
            ) => Some(Self { parameters: Some(a.into_iter().chain(b).collect()), ..Self::default() }),
            _ => None,
        }
    }

    /// Whether no row can be wanted.
    pub(crate) fn is_empty(&self) -> bool {
        let no_time = matches!((self.from, self.to), (Some(from), Some(to)) if from >= to);
        let no_well = self.wells.as_ref().is_some_and(BTreeSet::is_empty);
        no_time || no_well || self.known_parameters().is_some_and(|known| known.is_empty())
    }

    pub(crate) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn from(&self) -> Option<Timestamp> {
        self.from.map(Timestamp::from_micros)
    }
    pub(crate) fn to(&self) -> Option<Timestamp> {
        self.to.map(Timestamp::from_micros)
    }

    pub(crate) fn known_parameters(&self) -> Option<Vec<Parameter>> {
        let names = self.parameters.as_ref()?;
        let mut known: Vec<Parameter> = names.iter().filter_map(|name| Parameter::from_name(name)).collect();
        known.sort();
        Some(known)
    }

    pub(crate) fn well_list(&self) -> Option<Arc<[String]>> {
        self.wells.as_ref().map(|wells| wells.iter().cloned().collect())
    }

    pub(crate) fn wants_series(&self, key: &SeriesKey) -> bool {
        self.wells.as_ref().is_none_or(|wells| wells.contains(key.well.as_str()))
            && self.parameters.as_ref().is_none_or(|names| names.contains(key.parameter.name()))
    }

    pub(crate) fn wants_time(&self, time: Timestamp) -> bool {
        self.from().is_none_or(|from| time >= from) && self.to().is_none_or(|to| time < to)
    }
}

fn both(a: Option<BTreeSet<String>>, b: Option<BTreeSet<String>>) -> Option<BTreeSet<String>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
        (a, b) => a.or(b),
    }
}

fn literal(expression: &Expr) -> Option<&ScalarValue> {
    match expression {
        Expr::Literal(value, _) if !value.is_null() => Some(value),
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => text.clone(),
        ScalarValue::Dictionary(_, inner) => text(inner),
        _ => None,
    }
}

fn cast_of(expression: &Expr) -> Option<(&Expr, &DataType)> {
    match expression {
        Expr::Cast(cast) => Some((&cast.expr, cast.field.data_type())),
        _ => None,
    }
}

/// The column itself, or the column in another dress of the same content.
fn column_name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Column(column) => Some(column.name.as_str()),
        _ => {
            let (Expr::Column(column), target) = cast_of(expression)? else { return None };
            let keeps_text = matches!(target, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            let keeps_time = matches!(
                target,
                DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _) | DataType::Date32
            );
            let is_time = column.name == "time";
            (if is_time { keeps_time } else { keeps_text }).then_some(column.name.as_str())
        }
    }
}

/// The instants [from, to) of the column that equal a literal once both have the literal's type.
fn instants(column: &Expr, value: &ScalarValue) -> Option<(i64, i64)> {
    let to_date = matches!(cast_of(column), Some((_, DataType::Date32)));
    let instant = |micros: i64| Some((micros, micros.checked_add(1)?));
    match value {
        ScalarValue::Date32(Some(day)) if to_date => {
            let start = i64::from(*day).checked_mul(MICROS_PER_DAY)?;
            Some((start, start.checked_add(MICROS_PER_DAY)?))
        }
        _ if to_date => None,
        ScalarValue::TimestampMicrosecond(Some(micros), _) => instant(*micros),
        ScalarValue::TimestampMillisecond(Some(millis), _) => instant(millis.checked_mul(1000)?),
        ScalarValue::TimestampSecond(Some(seconds), _) => instant(seconds.checked_mul(1_000_000)?),
        // Between two microseconds lies none: the range is empty, at the next one.
        ScalarValue::TimestampNanosecond(Some(nanos), _) if nanos.rem_euclid(1000) != 0 => {
            let next = nanos.div_euclid(1000) + 1;
            Some((next, next))
        }
        ScalarValue::TimestampNanosecond(Some(nanos), _) => instant(nanos.div_euclid(1000)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::{cast, col, lit};

    fn at(micros: i64) -> Expr {
        lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
    }
    fn nanos(nanos: i64) -> Expr {
        lit(ScalarValue::TimestampNanosecond(Some(nanos), Some("+00:00".into())))
    }
    fn range(expression: Expr) -> Option<(Option<i64>, Option<i64>)> {
        ReadingFilter::of_one(&expression).map(|filter| (filter.from, filter.to))
    }

    #[test]
    fn time_ranges_are_half_open() {
        assert_eq!(range(col("time").eq(at(5))), Some((Some(5), Some(6))));
        assert_eq!(range(col("time").lt(at(5))), Some((None, Some(5))));
        assert_eq!(range(at(5).lt(col("time"))), Some((Some(6), None)));
        assert_eq!(range(col("time").between(at(5), at(7))), Some((Some(5), Some(8))));
        let as_nanos = || cast(col("time"), DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())));
        assert_eq!(range(as_nanos().gt_eq(nanos(5001))), Some((Some(6), None)));
        assert_eq!(range(as_nanos().lt_eq(nanos(5001))), Some((None, Some(6))));
        assert_eq!(range(as_nanos().lt_eq(nanos(5000))), Some((None, Some(6))));
        assert_eq!(range(as_nanos().eq(nanos(5001))), Some((Some(6), Some(6))));
        let day = cast(col("time"), DataType::Date32);
        assert_eq!(
            range(day.clone().eq(lit(ScalarValue::Date32(Some(1))))),
            Some((Some(MICROS_PER_DAY), Some(2 * MICROS_PER_DAY)))
        );
        assert_eq!(range(day.gt(lit(ScalarValue::Date32(Some(-1))))), Some((Some(0), None)));
        let to_seconds = cast(col("time"), DataType::Timestamp(TimeUnit::Second, None));
        assert_eq!(range(to_seconds.eq(lit(ScalarValue::TimestampSecond(Some(1), None)))), None, "cuts off decimals");
    }

    #[test]
    fn values_are_a_hint() {
        let hint = |expression: Expr| ReadingFilter::hint(&expression).and_then(|filter| filter.values);
        assert_eq!(hint(col("value").gt(lit(9.5))), Some((9.5, f64::INFINITY)));
        assert_eq!(hint(lit(9.5).gt_eq(col("value"))), Some((f64::NEG_INFINITY, 9.5)));
        assert_eq!(hint(col("value").between(lit(1.0), lit(2.0))), Some((1.0, 2.0)));
        for nothing in [col("value").lt(lit(f64::NAN)), col("value").not_eq(lit(1.0)), col("seq").eq(lit(1.0))] {
            assert_eq!(hint(nothing.clone()), None, "{nothing}");
        }
        let filter = ReadingFilter::of(&[col("value").gt(lit(1.0)), col("well_id").eq(lit("a"))]).unwrap();
        assert_eq!((filter.values, filter.wells.unwrap().len()), (Some((1.0, f64::INFINITY)), 1));
    }

    #[test]
    fn names_are_sets() {
        let wells = |expression: Expr| ReadingFilter::of_one(&expression).and_then(|filter| filter.wells);
        let set = |names: &[&str]| Some(names.iter().map(|&n| n.to_owned()).collect::<BTreeSet<_>>());
        assert_eq!(wells(col("well_id").eq(lit("a"))), set(&["a"]));
        assert_eq!(wells(col("well_id").in_list(vec![lit("a"), lit("b")], false)), set(&["a", "b"]));
        assert_eq!(wells(col("well_id").eq(lit("a")).or(lit("b").eq(col("well_id")))), set(&["a", "b"]));
        let neither = col("well_id").in_list(vec![lit("a"), lit("b")], false).and(col("well_id").eq(lit("c")));
        assert!(ReadingFilter::of_one(&neither).unwrap().is_empty());
        for not_taken in [
            col("well_id").not_eq(lit("a")),
            col("well_id").in_list(vec![lit("a")], true),
            col("well_id").eq(lit("a")).or(col("parameter").eq(lit("ph"))),
            col("well_id").gt(lit("a")),
            col("value").gt(lit(1.0)),
            col("well_id").eq(lit(ScalarValue::Utf8(None))),
        ] {
            assert_eq!(ReadingFilter::of_one(&not_taken), None, "{not_taken}");
        }
        assert!(ReadingFilter::of_one(&col("parameter").eq(lit("no_such"))).unwrap().is_empty());
    }
}
