//! Arithmetic as PostgreSQL has it, where the engine has it otherwise or not at all. Not listed: nobody calls these by name.

use std::sync::Arc;

use arrow::array::{AsArray, Float64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    TimeUnit,
};
use datafusion::common::{DFSchema, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    cast as cast_to, lit,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// `2 * interval '1 day'`, and `time - '2026-05-01'`: both fail where the engine plans them.
#[derive(Debug)]
pub(super) struct TimeArithmetic;

impl ExprPlanner for TimeArithmetic {
    fn plan_binary_op(&self, of: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let kind = |expression: &Expr| expression.get_type(schema).unwrap_or(DataType::Null);
        let is_interval = |expression: &Expr| matches!(kind(expression), DataType::Interval(_));
        let is_number = |expression: &Expr| kind(expression).is_numeric();
        let RawBinaryExpr { op, left, right } = of;
        let times = |interval: Expr, number: Expr| {
            let function = ScalarFunction::new_udf(Arc::new(interval_times()), vec![interval, number]);
            Ok(PlannerResult::Planned(Expr::ScalarFunction(function)))
        };
        match op {
            BinaryOperator::Multiply if is_interval(&left) && is_number(&right) => times(left, right),
            BinaryOperator::Multiply if is_interval(&right) && is_number(&left) => times(right, left),
            BinaryOperator::Divide if is_interval(&left) && is_number(&right) => {
                times(left, lit(1.0) / cast_to(right, DataType::Float64))
            }
            BinaryOperator::Minus
                if matches!(kind(&left), DataType::Timestamp(..))
                    && matches!(&right, Expr::Literal(value, _) if value.try_as_str().is_some()) =>
            {
                let right = cast_to(right, kind(&left));
                Ok(PlannerResult::Planned(left - right))
            }
            // `time - lag(time) OVER … > '40 minutes'`
            BinaryOperator::Gt
            | BinaryOperator::GtEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
                if is_length(&kind(&left))
                    && matches!(&right, Expr::Literal(value, _) if value.try_as_str().is_some()) =>
            {
                Ok(PlannerResult::Original(RawBinaryExpr { op, left, right: cast_to(right, INTERVAL) }))
            }
            _ => Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
        }
    }
}

fn is_length(kind: &DataType) -> bool {
    matches!(kind, DataType::Duration(_) | DataType::Interval(_))
}

/// The whole number that a fraction is nearest to, before it is cast to one; of two the even one.
pub(super) fn nearest_whole() -> ScalarUDF {
    ScalarUDF::new_from_impl(Arithmetic { of: Of::Whole, signature: Signature::user_defined(Volatility::Immutable) })
}

/// How long an interval is, for comparisons: a month is thirty days and a day has 24 hours, as PostgreSQL compares them.
pub(super) fn interval_length() -> ScalarUDF {
    ScalarUDF::new_from_impl(Arithmetic { of: Of::Length, signature: Signature::user_defined(Volatility::Immutable) })
}

/// An interval so many times.
pub(super) fn interval_times() -> ScalarUDF {
    ScalarUDF::new_from_impl(Arithmetic { of: Of::Interval, signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Whole,
    Interval,
    Length,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    of: Of,
    signature: Signature,
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.of {
            Of::Whole => "gwbank_nearest_whole",
            Of::Interval => "gwbank_interval_times",
            Of::Length => "gwbank_interval_length",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match (self.of, given) {
            (Of::Whole, [number]) if number.is_decimal() => Ok(vec![number.clone()]),
            (Of::Whole, [_]) => Ok(vec![DataType::Float64]),
            (Of::Length, [_]) => Ok(vec![INTERVAL]),
            (Of::Interval, [_, _]) => Ok(vec![INTERVAL, DataType::Float64]),
            _ => plan_err!("{} takes other arguments", self.name()),
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match self.of {
            Of::Whole => Ok(arguments[0].clone()),
            Of::Interval => Ok(INTERVAL),
            Of::Length => Ok(DataType::Duration(TimeUnit::Microsecond)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let first = args.args[0].to_array(args.number_rows)?;
        match self.of {
            Of::Whole if matches!(first.data_type(), DataType::Decimal128(..)) => {
                // Half away from zero, as of `numeric`: the cast to fewer digits rounds so.
                let DataType::Decimal128(digits, _) = first.data_type() else { return exec_err!("it is a decimal") };
                let whole = cast(&first, &DataType::Decimal128(*digits, 0))?;
                Ok(ColumnarValue::Array(cast(&whole, first.data_type())?))
            }
            Of::Whole if first.data_type().is_decimal() => Ok(ColumnarValue::Array(first)),
            Of::Whole => {
                let whole: Float64Array = first.as_primitive::<Float64Type>().unary(f64::round_ties_even);
                Ok(ColumnarValue::Array(Arc::new(whole)))
            }
            Of::Length => {
                let length = |interval: IntervalMonthDayNano| {
                    let days = i64::from(interval.months) * 30 + i64::from(interval.days);
                    days.saturating_mul(86_400_000_000).saturating_add(interval.nanoseconds / 1_000)
                };
                let lengths =
                    first.as_primitive::<IntervalMonthDayNanoType>().unary::<_, DurationMicrosecondType>(length);
                Ok(ColumnarValue::Array(Arc::new(lengths)))
            }
            Of::Interval => {
                let times = args.args[1].to_array(args.number_rows)?;
                let pairs =
                    first.as_primitive::<IntervalMonthDayNanoType>().iter().zip(times.as_primitive::<Float64Type>());
                let told = pairs.map(|(interval, times)| match (interval, times) {
                    (Some(interval), Some(times)) => multiplied(interval, times).map(Some),
                    _ => Ok(None),
                });
                let told: PrimitiveArray<IntervalMonthDayNanoType> = told.collect::<Result<_>>()?;
                Ok(ColumnarValue::Array(Arc::new(told)))
            }
        }
    }
}

/// Parts of a month are days of thirty, parts of a day hours of twenty-four.
fn multiplied(interval: IntervalMonthDayNano, times: f64) -> Result<IntervalMonthDayNano> {
    const DAY_NANOS: f64 = 86_400e9;
    let months = f64::from(interval.months) * times;
    let days = f64::from(interval.days) * times + months.fract() * 30.0;
    // To the microsecond, which the sum of products of tenths is not exact to otherwise.
    let nanos = ((interval.nanoseconds as f64 * times + days.fract() * DAY_NANOS) / 1e3).round() * 1e3;
    let fits = months.abs() < f64::from(i32::MAX) && days.abs() < f64::from(i32::MAX) && nanos.abs() < 9.2e18;
    if !fits {
        return exec_err!("interval out of range");
    }
    Ok(IntervalMonthDayNano { months: months as i32, days: days as i32, nanoseconds: nanos as i64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_go_down() {
        let of = |months, days, nanoseconds| IntervalMonthDayNano { months, days, nanoseconds };
        assert_eq!(multiplied(of(0, 1, 0), 1.5).unwrap(), of(0, 1, 43_200_000_000_000));
        assert_eq!(multiplied(of(1, 0, 0), 1.5).unwrap(), of(1, 15, 0));
        assert_eq!(multiplied(of(0, 0, 900_000_000_000), 3.0).unwrap(), of(0, 0, 2_700_000_000_000));
        assert_eq!(multiplied(of(0, 0, 3_600_000_000_000), 0.1).unwrap(), of(0, 0, 360_000_000_000));
        assert!(multiplied(of(1, 0, 0), 1e12).is_err() && multiplied(of(1, 0, 0), f64::NAN).is_err());
    }
}
