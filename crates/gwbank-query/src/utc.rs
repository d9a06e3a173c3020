//! Arithmetic with instants of UTC, without a calendar.
//!
//! Arrow takes an interval from an instant, and the parts of an instant, through the calendar of its time zone, row by row.
//! In UTC days have 24 hours: `time - INTERVAL '6 hours'` is a subtraction of numbers, and `EXTRACT(month FROM time)` is the
//! same for the local time of UTC, which no zone has to be asked for. Both are some ten times as quick so.

use arrow::datatypes::{DataType, IntervalDayTime, IntervalMonthDayNano, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::scalar::ScalarValue;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// After types agree.
#[derive(Debug, Default)]
pub(crate) struct UtcWithoutCalendar;

impl OptimizerRule for UtcWithoutCalendar {
    fn name(&self) -> &str {
        "utc_without_calendar"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let schema = match &plan {
            // What a scan filters by is of its own columns, and it has none below.
            LogicalPlan::TableScan(_) => return Ok(Transformed::no(plan)),
            _ => merge_schema(&plan.inputs()),
        };
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expression| {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|part| rewrite(part, &schema))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        })
    }
}

fn rewrite(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Plus | Operator::Minus), right }) => {
            let rewritten = match (micros(&left), micros(&right)) {
                (None, Some(micros)) if is_utc(&left, schema) => Some((left.clone(), duration(micros))),
                (Some(micros), None) if op == Operator::Plus && is_utc(&right, schema) => {
                    Some((right.clone(), duration(micros)))
                }
                _ => None,
            };
            let is_rewritten = rewritten.is_some();
            let (left, right) = rewritten.unwrap_or((left, right));
            let same = Expr::BinaryExpr(BinaryExpr { left, op, right });
            Ok(if is_rewritten { Transformed::yes(same) } else { Transformed::no(same) })
        }
        Expr::ScalarFunction(ScalarFunction { func, mut args }) => {
            let is_part = func.name() == "date_part" && args.len() == 2 && is_utc(&args[1], schema);
            if is_part && !matches!(args[1], Expr::Literal(..)) {
                let instant = args.pop().expect("there are two");
                args.push(cast(instant, DataType::Timestamp(TimeUnit::Microsecond, None)));
            }
            let same = Expr::ScalarFunction(ScalarFunction { func, args });
            Ok(if is_part { Transformed::yes(same) } else { Transformed::no(same) })
        }
        other => Ok(Transformed::no(other)),
    }
}

fn is_utc(expression: &Expr, schema: &DFSchema) -> bool {
    let kind = expression.get_type(schema);
    matches!(kind, Ok(DataType::Timestamp(TimeUnit::Microsecond, Some(zone))) if matches!(&*zone, "UTC" | "+00:00"))
}

fn duration(micros: i64) -> Box<Expr> {
    Box::new(lit(ScalarValue::DurationMicrosecond(Some(micros))))
}

/// Of an interval that is as long wherever it begins.
fn micros(expression: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expression else { return None };
    let (days, nanos) = match value {
        ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months: 0, days, nanoseconds })) => {
            (*days, *nanoseconds)
        }
        ScalarValue::IntervalDayTime(Some(IntervalDayTime { days, milliseconds })) => {
            (*days, i64::from(*milliseconds) * 1_000_000)
        }
        _ => return None,
    };
    let of_days = i64::from(days).checked_mul(MICROS_PER_DAY)?;
    (nanos % 1000 == 0).then(|| of_days.checked_add(nanos / 1000)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::functions::expr_fn::date_part;
    use datafusion::logical_expr::col;

    fn rewritten(expression: Expr) -> String {
        let kinds = [("time", Some("UTC")), ("local", Some("Asia/Bangkok")), ("plain", None)].map(|(name, zone)| {
            let kind = DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
            arrow::datatypes::Field::new(name, kind, false)
        });
        let schema = DFSchema::try_from(arrow::datatypes::Schema::new(kinds.to_vec())).unwrap();
        expression.transform_up(|part| rewrite(part, &schema)).unwrap().data.to_string()
    }

    fn interval(months: i32, days: i32, nanoseconds: i64) -> Expr {
        lit(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months, days, nanoseconds })))
    }

    #[test]
    fn only_what_is_the_same_in_utc_is_rewritten() {
        let hours = 6 * 3_600_000_000_000;
        assert_eq!(rewritten(col("time") - interval(0, 1, hours)), "time - DurationMicrosecond(\"108000000000\")");
        assert_eq!(rewritten(interval(0, 0, -1000) + col("time")), "time + DurationMicrosecond(\"-1\")");
        for same in [
            col("time") - interval(1, 0, 0),
            col("time") - interval(0, 0, 1),
            col("local") + interval(0, 1, 0),
            col("plain") + interval(0, 1, 0),
            date_part(lit("month"), col("local")),
        ] {
            assert_eq!(rewritten(same.clone()), same.to_string());
        }
        let month = rewritten(date_part(lit("month"), col("time")));
        assert!(month.contains("CAST(time AS Timestamp(µs))"), "{month}");
    }
}
