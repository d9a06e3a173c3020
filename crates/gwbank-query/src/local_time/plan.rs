//! By plan, once the types of columns are known and before the engine makes types agree.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, IntervalMonthDayNano, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Between, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, TryCast, cast, lit,
};
use datafusion::scalar::ScalarValue;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Zone};
use gwbank_store::timestamp_type;

use crate::functions;

/// The plan in a zone.
pub(crate) fn in_zone(plan: LogicalPlan, zone: &Zone) -> Result<LogicalPlan> {
    let clock = Clock {
        zone,
        name: arrow_name(zone),
        timezone: functions::timezone(),
        bucket: functions::time_bucket(),
        bangkok_day: functions::bangkok_day(),
    };
    let rewritten = plan.transform_up_with_subqueries(|node| {
        if matches!(node, LogicalPlan::TableScan(_)) {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let rewritten = node.map_expressions(|expression| {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|part| clock.rewrite(part, &schema))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        })?;
        if rewritten.transformed { rewritten.map_data(LogicalPlan::recompute_schema) } else { Ok(rewritten) }
    })?;
    Ok(rewritten.data)
}

/// A zone as Arrow's types name it.
pub(crate) fn arrow_name(zone: &Zone) -> Arc<str> {
    match zone.fixed_seconds() {
        Some(seconds) => {
            let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60).into()
        }
        None => zone.name().into(),
    }
}

struct Clock<'a> {
    zone: &'a Zone,
    name: Arc<str>,
    timezone: Arc<ScalarUDF>,
    bucket: Arc<ScalarUDF>,
    bangkok_day: Arc<ScalarUDF>,
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_local(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64)
}

fn is_utc(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(_, Some(zone)) if matches!(&**zone, "UTC" | "+00:00"))
}

fn compares(op: Operator) -> bool {
    matches!(op, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
        || matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom)
}

impl Clock<'_> {
    fn rewrite(&self, part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        // What has no type yet is left to the engine, which says what is wrong with it.
        let kind = |expression: &Expr| expression.get_type(schema).unwrap_or(DataType::Null);
        match part {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let (of_left, of_right) = (kind(&left), kind(&right));
                let meets = compares(op) || op == Operator::Minus;
                let rewritten = if meets && is_utc(&of_left) {
                    self.instant(&right, &of_right).map(|right| (left.as_ref().clone(), right))
                } else if meets && is_utc(&of_right) {
                    self.instant(&left, &of_left).map(|left| (left, right.as_ref().clone()))
                } else if op == Operator::StringConcat && (is_utc(&of_left) || is_utc(&of_right)) {
                    let told =
                        |side: &Expr, kind: &DataType| if is_utc(kind) { self.zoned(side) } else { side.clone() };
                    Some((told(&left, &of_left), told(&right, &of_right)))
                } else {
                    None
                };
                if let Some((left, right)) = rewritten {
                    return Ok(yes(Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })));
                }
                if matches!(op, Operator::Plus | Operator::Minus) {
                    if is_utc(&of_left) && self.asks_calendar(&right, &of_right) {
                        let local = self.of_zone(*left);
                        let moved = Expr::BinaryExpr(BinaryExpr { left: Box::new(local), op, right });
                        return Ok(yes(self.of_zone(moved)));
                    }
                    if op == Operator::Plus && is_utc(&of_right) && self.asks_calendar(&left, &of_left) {
                        let local = self.of_zone(*right);
                        let moved = Expr::BinaryExpr(BinaryExpr { left: Box::new(local), op, right: left });
                        return Ok(yes(self.of_zone(moved)));
                    }
                }
                Ok(no(Expr::BinaryExpr(BinaryExpr { left, op, right })))
            }
            Expr::Between(Between { expr, negated, low, high }) => {
                let kinds = [kind(&expr), kind(&low), kind(&high)];
                if !kinds.iter().any(is_utc) {
                    return Ok(no(Expr::Between(Between { expr, negated, low, high })));
                }
                let [expr, low, high] = [(expr, &kinds[0]), (low, &kinds[1]), (high, &kinds[2])]
                    .map(|(side, kind)| Box::new(self.instant(&side, kind).unwrap_or(*side)));
                Ok(yes(Expr::Between(Between { expr, negated, low, high })))
            }
            Expr::InList(InList { expr, list, negated }) if is_utc(&kind(&expr)) => {
                let list = list.into_iter().map(|one| self.instant(&one, &kind(&one)).unwrap_or(one)).collect();
                Ok(yes(Expr::InList(InList { expr, list, negated })))
            }
            Expr::Cast(Cast { expr, field }) if *field.data_type() == DataType::Date32 && is_utc(&kind(&expr)) => {
                Ok(yes(self.day(*expr, field)))
            }
            Expr::Cast(Cast { expr, field }) => Ok(match self.before_cast(&expr, &kind(&expr), field.data_type()) {
                Some(expr) => yes(Expr::Cast(Cast { expr: Box::new(expr), field })),
                None => no(Expr::Cast(Cast { expr, field })),
            }),
            Expr::TryCast(TryCast { expr, field }) => {
                Ok(match self.before_cast(&expr, &kind(&expr), field.data_type()) {
                    Some(expr) => yes(Expr::TryCast(TryCast { expr: Box::new(expr), field })),
                    None => no(Expr::TryCast(TryCast { expr, field })),
                })
            }
            Expr::ScalarFunction(call) => Ok(self.call(call, &kind)),
            other => Ok(no(other)),
        }
    }

    /// What a text or a time without a zone means beside an instant; `None` where it is neither.
    fn instant(&self, side: &Expr, kind: &DataType) -> Option<Expr> {
        // `TIMESTAMP '2026-05-01T00:00:00Z'`: an offset that was written counts.
        let written = match side {
            Expr::Cast(inner) if is_local(kind) => match inner.expr.as_ref() {
                text @ Expr::Literal(value, _) if is_text(&value.data_type()) => Some(text),
                _ => None,
            },
            side => is_text(kind).then_some(side),
        };
        match written {
            Some(text) => Some(self.read(text)),
            None => is_local(kind).then(|| self.of_zone(side.clone())),
        }
    }

    /// The instant that a text tells.
    fn read(&self, text: &Expr) -> Expr {
        let Expr::Literal(value, metadata) = text else { return cast(self.zoned(text), timestamp_type()) };
        let has_offset = value.try_as_str().flatten().is_some_and(has_offset);
        let whole = with_seconds(value).map(|value| Expr::Literal(value, metadata.clone()));
        let whole = whole.unwrap_or_else(|| text.clone());
        // Without one it may be a time that the zone's clocks pass over, which Arrow's reader refuses.
        if has_offset {
            cast(whole, timestamp_type())
        } else {
            self.of_zone(cast(whole, DataType::Timestamp(TimeUnit::Microsecond, None)))
        }
    }

    /// As an instant that is shown in the zone.
    fn zoned(&self, expression: &Expr) -> Expr {
        cast(expression.clone(), DataType::Timestamp(TimeUnit::Microsecond, Some(self.name.clone())))
    }

    /// The local time of an instant, or the instant of a local time.
    fn of_zone(&self, expression: Expr) -> Expr {
        Expr::ScalarFunction(ScalarFunction::new_udf(self.timezone.clone(), vec![lit(self.zone.name()), expression]))
    }

    /// The day that the zone's calendar shows; in a form that scans understand, where there is one.
    fn day(&self, instant: Expr, field: FieldRef) -> Expr {
        match self.zone.fixed_seconds() {
            Some(BANGKOK_OFFSET_SECONDS) => {
                Expr::ScalarFunction(ScalarFunction::new_udf(self.bangkok_day.clone(), vec![instant]))
            }
            Some(0) => Expr::Cast(Cast { expr: Box::new(instant), field }),
            _ => Expr::Cast(Cast { expr: Box::new(self.of_zone(instant)), field }),
        }
    }

    /// Whether an interval's length hangs on the local day it is counted from.
    fn asks_calendar(&self, interval: &Expr, kind: &DataType) -> bool {
        let is_fixed = self.zone.fixed_seconds().is_some();
        match interval {
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months, days, .. })), _) => {
                *months != 0 || *days != 0 && !is_fixed
            }
            Expr::Literal(ScalarValue::IntervalDayTime(_), _) => !is_fixed,
            _ => matches!(kind, DataType::Interval(_)),
        }
    }

    fn before_cast(&self, inner: &Expr, kind: &DataType, to: &DataType) -> Option<Expr> {
        if is_utc(to) {
            return if is_text(kind) { Some(self.read(inner)) } else { self.instant(inner, kind) };
        }
        if let (Expr::Literal(value, metadata), DataType::Timestamp(..)) = (inner, to) {
            return Some(Expr::Literal(with_seconds(value)?, metadata.clone()));
        }
        if !matches!(kind, DataType::Timestamp(_, Some(_))) {
            return None;
        }
        match to {
            to if is_text(to) && is_utc(kind) => Some(self.zoned(inner)),
            to if is_local(to) => Some(self.of_zone(inner.clone())),
            DataType::Time32(_) | DataType::Time64(_) => Some(self.of_zone(inner.clone())),
            _ => None,
        }
    }

    fn call(&self, call: ScalarFunction, kind: &impl Fn(&Expr) -> DataType) -> Transformed<Expr> {
        let ScalarFunction { func, mut args } = call;
        let is_instant = |argument: Option<&Expr>| argument.is_some_and(|argument| is_utc(&kind(argument)));
        let text = |argument: &Expr| match argument {
            Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_lowercase),
            _ => None,
        };
        match func.name() {
            "date_trunc" if args.len() == 2 && is_instant(args.last()) => {
                let width = text(&args[0]).as_deref().and_then(width);
                if let (Some(width), Some(_)) = (width, self.zone.fixed_seconds()) {
                    let args = vec![
                        lit(ScalarValue::IntervalMonthDayNano(Some(width))),
                        args.remove(1),
                        lit(self.zone.name()),
                    ];
                    return yes(Expr::ScalarFunction(ScalarFunction::new_udf(self.bucket.clone(), args)));
                }
                let instant = args[1].clone();
                let local = self.of_zone(instant.clone());
                args[1] = local.clone();
                let start = Expr::ScalarFunction(ScalarFunction { func, args });
                // Of an hour that clocks go through twice, each time is cut by itself.
                let is_of_clock = width.is_some_and(|width| width.months == 0 && width.days == 0);
                return yes(if is_of_clock { instant - (local - start) } else { self.of_zone(start) });
            }
            // Seconds since 1970 are the same everywhere.
            "date_part" if args.len() == 2 && is_instant(args.last()) && text(&args[0]).as_deref() != Some("epoch") => {
                args[1] = self.of_zone(args[1].clone());
            }
            "to_date" if is_instant(args.first()) => args[0] = self.of_zone(args[0].clone()),
            "to_char" if is_instant(args.first()) => args[0] = self.zoned(&args[0]),
            "concat" | "concat_ws" if args.iter().any(|argument| is_instant(Some(argument))) => {
                args =
                    args.into_iter().map(|one| if is_instant(Some(&one)) { self.zoned(&one) } else { one }).collect();
            }
            "timezone" if args.len() == 2 && is_text(&kind(&args[1])) => {
                args[1] = self.read(&args[1]);
            }
            "to_timestamp" if args.len() == 1 && is_text(&kind(&args[0])) => return yes(self.read(&args[0])),
            "gapfill" if is_instant(args.get(1)) => {
                let bound = |one: Expr| match &one {
                    Expr::Literal(value, _)
                        if value.try_as_str().flatten().is_some_and(|text| !begins_with_a_digit(text)) =>
                    {
                        one
                    }
                    _ => self.instant(&one, &kind(&one)).unwrap_or(one),
                };
                let rest = args.split_off(2);
                args.extend(rest.into_iter().map(bound));
            }
            _ => return no(Expr::ScalarFunction(ScalarFunction { func, args })),
        }
        yes(Expr::ScalarFunction(ScalarFunction { func, args }))
    }
}

fn begins_with_a_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// `2026-05-01 06:30+07`, `2026-05-01T06:30:00Z`.
fn has_offset(text: &str) -> bool {
    let clock = text.trim().get(10..).unwrap_or_default();
    clock.contains(['+', '-']) || clock.chars().skip(1).any(char::is_alphabetic)
}

/// `2026-05-01 06:30`, with or without an offset after it, has no seconds, which the engine's reader insists on.
fn with_seconds(value: &ScalarValue) -> Option<ScalarValue> {
    let text = value.try_as_str().flatten()?;
    let (day_and_minute, rest) = text.trim().split_at_checked(16)?;
    let has_form = day_and_minute.bytes().zip(b"0000-00-00 00:00").all(|(given, form)| match form {
        b'0' => given.is_ascii_digit(),
        b' ' => matches!(given, b' ' | b'T' | b't'),
        other => given == *other,
    });
    let has_seconds = rest.starts_with([':', '.']) || rest.starts_with(|next: char| next.is_ascii_digit());
    (has_form && !has_seconds).then(|| ScalarValue::from(format!("{day_and_minute}:00{rest}")))
}

/// Of the parts that `date_trunc` cuts to, as `time_bucket` counts them.
fn width(part: &str) -> Option<IntervalMonthDayNano> {
    const MICRO: i64 = 1_000;
    let (months, days, nanoseconds) = match part {
        "microsecond" | "microseconds" => (0, 0, MICRO),
        "millisecond" | "milliseconds" => (0, 0, 1_000 * MICRO),
        "second" => (0, 0, 1_000_000 * MICRO),
        "minute" => (0, 0, 60_000_000 * MICRO),
        "hour" => (0, 0, 3_600_000_000 * MICRO),
        "day" => (0, 1, 0),
        "week" => (0, 7, 0),
        "month" => (1, 0, 0),
        "quarter" => (3, 0, 0),
        "year" => (12, 0, 0),
        _ => return None,
    };
    Some(IntervalMonthDayNano { months, days, nanoseconds })
}

fn yes(expression: Expr) -> Transformed<Expr> {
    Transformed::yes(expression)
}

fn no(expression: Expr) -> Transformed<Expr> {
    Transformed::no(expression)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_that_were_left_out() {
        let read = |text: &str| with_seconds(&ScalarValue::from(text)).map(|value| value.to_string());
        assert_eq!(read("2026-05-01 06:30").as_deref(), Some("2026-05-01 06:30:00"));
        assert_eq!(read("2026-05-01T06:30+07").as_deref(), Some("2026-05-01T06:30:00+07"));
        assert_eq!(read("2026-05-01T06:30Z").as_deref(), Some("2026-05-01T06:30:00Z"));
        for as_it_is in ["2026-05-01", "2026-05-01 06:30:15", "TH3001-0007 and on", "", "2026-05-01 06:300"] {
            assert_eq!(read(as_it_is), None, "{as_it_is}");
        }
    }

    #[test]
    fn zones_as_arrow_names_them() {
        let name = |zone: &str| arrow_name(&Zone::named(zone).unwrap()).to_string();
        assert_eq!(name("Asia/Bangkok"), "+07:00");
        assert_eq!(name("-0330"), "-03:30");
        assert_eq!(name("UTC"), "+00:00");
        assert_eq!(name("Europe/Berlin"), "Europe/Berlin");
    }
}
