//! Expressions of instants, by the clocks of a zone.

use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Between, InList, InSubquery, ScalarFunction, SetComparison};
use datafusion::logical_expr::{
    BinaryExpr, Case, Cast, Expr, LogicalPlan, Operator, Projection, ScalarUDF, Subquery, TryCast, cast, lit,
};
use datafusion::scalar::ScalarValue;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Zone};
use gwbank_store::timestamp_type;

use super::plan::kind_of;
use super::{patterns, text};
use crate::functions::{self, is_text, local_type};

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

pub(super) fn is_local(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64)
}

pub(super) fn is_utc(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(_, Some(zone)) if matches!(&**zone, "UTC" | "+00:00"))
}

fn compares(op: Operator) -> bool {
    matches!(op, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
        || matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom)
}

/// Functions whose arguments are of one type, from the one with this number on.
const OF_ONE_TYPE: [(&str, usize); 9] = [
    ("coalesce", 0),
    ("greatest", 0),
    ("least", 0),
    ("nullif", 0),
    ("nvl", 0),
    ("ifnull", 0),
    ("nvl2", 1),
    ("make_array", 0),
    ("date_bin", 1),
];

pub(super) struct Clock<'a> {
    zone: &'a Zone,
    name: Arc<str>,
    timezone: Arc<ScalarUDF>,
    bucket: Arc<ScalarUDF>,
    bangkok_day: Arc<ScalarUDF>,
    text_of_time: Arc<ScalarUDF>,
    whole: Arc<ScalarUDF>,
    length: Arc<ScalarUDF>,
}

type Rewritten = Result<Transformed<Expr>>;

impl<'a> Clock<'a> {
    pub(super) fn new(zone: &'a Zone) -> Self {
        Self {
            zone,
            name: arrow_name(zone),
            timezone: functions::timezone(),
            bucket: functions::time_bucket(),
            bangkok_day: functions::bangkok_day(),
            text_of_time: Arc::new(text::function()),
            whole: functions::nearest_whole(),
            length: functions::interval_length(),
        }
    }

    pub(super) fn rewrite(&self, part: Expr, schema: &DFSchema) -> Rewritten {
        let kind = |expression: &Expr| kind_of(expression, schema);
        match part {
            Expr::BinaryExpr(binary) => Ok(self.binary(binary, &kind)),
            Expr::Between(Between { expr, negated, low, high }) => {
                let [expr, low, high] = self.comparable([*expr, *low, *high], &kind).map(Box::new);
                Ok(yes(Expr::Between(Between { expr, negated, low, high })))
            }
            Expr::InList(InList { expr, list, negated }) => {
                let mut all = self.all_alike(std::iter::once(*expr).chain(list).collect(), &kind).into_iter();
                let expr = Box::new(all.next().expect("there is one"));
                Ok(yes(Expr::InList(InList { expr, list: all.collect(), negated })))
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let (expr, subquery) = self.alike_subquery(expr, subquery, &kind)?;
                Ok(yes(Expr::InSubquery(InSubquery { expr, subquery, negated })))
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                let (expr, subquery) = self.alike_subquery(expr, subquery, &kind)?;
                Ok(yes(Expr::SetComparison(SetComparison { expr, subquery, op, quantifier })))
            }
            Expr::Case(case) => Ok(yes(Expr::Case(self.case(case, &kind)))),
            Expr::Cast(cast) => Ok(self.cast(cast, &kind)),
            Expr::TryCast(TryCast { expr, field }) => {
                Ok(match self.before_cast(&expr, &kind(&expr), field.data_type()) {
                    Some(expr) => yes(Expr::TryCast(TryCast { expr: Box::new(expr), field })),
                    None => no(Expr::TryCast(TryCast { expr, field })),
                })
            }
            Expr::WindowFunction(mut call)
                if matches!(call.fun.name(), "lag" | "lead") && call.params.args.len() == 3 =>
            {
                let told = call.params.args[0].clone();
                let [told, other] = self.alike([told, call.params.args[2].clone()], &kind);
                (call.params.args[0], call.params.args[2]) = (told, other);
                Ok(yes(Expr::WindowFunction(call)))
            }
            Expr::ScalarFunction(mut call) => match functions::type_of_cast_call(call.func.name()) {
                Some(to) if call.args.len() == 1 => {
                    let of = call.args.remove(0);
                    Ok(self.cast(Cast::new(Box::new(of), to), &kind))
                }
                _ => self.call(call, &kind),
            },
            other => Ok(no(other)),
        }
    }

    fn binary(&self, binary: BinaryExpr, kind: &impl Fn(&Expr) -> DataType) -> Transformed<Expr> {
        let BinaryExpr { left, op, right } = binary;
        let made = |left: Expr, right: Expr| {
            yes(Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) }))
        };
        let (of_left, of_right) = (kind(&left), kind(&right));
        if compares(op) {
            let [left, right] = self.comparable([*left, *right], kind);
            return made(left, right);
        }
        if op == Operator::StringConcat {
            let told = |side: Expr, kind: &DataType| self.text(&side, kind).unwrap_or(side);
            return made(told(*left, &of_left), told(*right, &of_right));
        }
        if !matches!(op, Operator::Plus | Operator::Minus) {
            return no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
        }
        if op == Operator::Minus && is_utc(&of_left) != is_utc(&of_right) && !matches!(of_right, DataType::Interval(_))
        {
            let [left, right] = self.alike([*left, *right], kind);
            return made(left, right);
        }
        // The engine drops the hours that are added to a date.
        let midnight = |side: Expr| cast(side, local_type());
        if of_left == DataType::Date32 && matches!(of_right, DataType::Interval(_)) {
            return made(midnight(*left), *right);
        }
        if op == Operator::Plus && of_right == DataType::Date32 && matches!(of_left, DataType::Interval(_)) {
            return made(*left, midnight(*right));
        }
        if is_utc(&of_left) && self.asks_calendar(&right, &of_right) {
            return yes(self.moved(*left, op, *right));
        }
        if op == Operator::Plus && is_utc(&of_right) && self.asks_calendar(&left, &of_left) {
            return yes(self.moved(*right, op, *left));
        }
        no(Expr::BinaryExpr(BinaryExpr { left, op, right }))
    }

    /// An instant so many months, days and hours later or earlier: months and days by the calendar, hours by themselves.
    fn moved(&self, instant: Expr, op: Operator, interval: Expr) -> Expr {
        let by = |from: Expr, interval: Expr| {
            Expr::BinaryExpr(BinaryExpr { left: Box::new(from), op, right: Box::new(interval) })
        };
        if self.zone.fixed_seconds().is_none()
            && let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(whole)), metadata) = &interval
        {
            // By the zone's clocks, which may pass over where Arrow would arrive.
            let part = |part| Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(part)), metadata.clone());
            let days = IntervalMonthDayNano { nanoseconds: 0, ..*whole };
            let hours = IntervalMonthDayNano { months: 0, days: 0, ..*whole };
            let moved = self.of_zone(by(self.of_zone(instant), part(days)));
            return if whole.nanoseconds == 0 { moved } else { by(moved, part(hours)) };
        }
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(self.name.clone()));
        cast(by(cast(instant, zoned), interval), timestamp_type())
    }

    /// What is compared or stands for one another: beside an instant all are instants, beside a time without a zone
    /// texts are such.
    fn all_alike(&self, all: Vec<Expr>, kind: &impl Fn(&Expr) -> DataType) -> Vec<Expr> {
        let kinds: Vec<DataType> = all.iter().map(kind).collect();
        if kinds.iter().any(is_utc) {
            let told = all.into_iter().zip(&kinds);
            return told.map(|(one, kind)| self.instant(&one, kind).unwrap_or(one)).collect();
        }
        let Some(local) = kinds.iter().find(|kind| is_local(kind)) else { return all };
        let told = all.into_iter().map(|one| match &one {
            Expr::Literal(value, metadata) => {
                text::for_local(value, local).map(|value| Expr::Literal(value, metadata.clone())).unwrap_or(one)
            }
            _ => one,
        });
        told.collect()
    }

    /// The same of what is compared, where intervals are as long as they are: the engine compares their months first.
    fn comparable<const N: usize>(&self, all: [Expr; N], kind: &impl Fn(&Expr) -> DataType) -> [Expr; N] {
        let kinds = all.each_ref().map(kind);
        let is_length = |kind: &DataType| matches!(kind, DataType::Duration(_) | DataType::Interval(_));
        let has_interval = kinds.iter().any(|kind| matches!(kind, DataType::Interval(_)));
        if !has_interval || !kinds.iter().all(is_length) {
            return self.alike(all, kind);
        }
        let mut kinds = kinds.into_iter();
        all.map(|one| match kinds.next() {
            Some(DataType::Interval(_)) => called(&self.length, vec![one]),
            _ => cast(one, DataType::Duration(TimeUnit::Microsecond)),
        })
    }

    fn alike<const N: usize>(&self, all: [Expr; N], kind: &impl Fn(&Expr) -> DataType) -> [Expr; N] {
        let all = self.all_alike(all.into(), kind);
        all.try_into().unwrap_or_else(|_| unreachable!("as many as were given"))
    }

    fn case(&self, case: Case, kind: &impl Fn(&Expr) -> DataType) -> Case {
        let Case { expr, when_then_expr, else_expr } = case;
        let (when, then): (Vec<Expr>, Vec<Expr>) =
            when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
        let branches = when.len();
        let has_base = expr.is_some();
        // Compared with the base; without one they are conditions.
        let mut compared =
            if has_base { self.all_alike(expr.into_iter().map(|it| *it).chain(when).collect(), kind) } else { when };
        let expr = has_base.then(|| Box::new(compared.remove(0)));
        let mut told = self.all_alike(then.into_iter().chain(else_expr.map(|it| *it)).collect(), kind);
        let else_expr = (told.len() > branches).then(|| Box::new(told.remove(branches)));
        let pairs = compared.into_iter().zip(told).map(|(when, then)| (Box::new(when), Box::new(then)));
        Case { expr, when_then_expr: pairs.collect(), else_expr }
    }

    /// `IN (SELECT …)`, `= ANY (SELECT …)`: the left side and the one column.
    fn alike_subquery(
        &self,
        expr: Box<Expr>,
        subquery: Subquery,
        kind: &impl Fn(&Expr) -> DataType,
    ) -> Result<(Box<Expr>, Subquery)> {
        let of_left = kind(&expr);
        let (qualifier, field) = subquery.subquery.schema().qualified_field(0);
        let column = Expr::from((qualifier, field));
        let of_right = field.data_type().clone();
        if is_utc(&of_left)
            && let Some(instant) = self.instant(&column, &of_right)
        {
            let told = instant.alias_qualified(qualifier.cloned(), field.name());
            let plan = Projection::try_new(vec![told], subquery.subquery.clone())?;
            return Ok((expr, Subquery { subquery: Arc::new(LogicalPlan::Projection(plan)), ..subquery }));
        }
        let expr = if is_utc(&of_right) { self.instant(&expr, &of_left).map_or(expr, Box::new) } else { expr };
        Ok((expr, subquery))
    }

    /// What a text or a time without a zone means beside an instant; `None` where it is neither.
    pub(super) fn instant(&self, side: &Expr, kind: &DataType) -> Option<Expr> {
        // `TIMESTAMP '2026-05-01T00:00:00Z'`: an offset that was written counts.
        let written = match side {
            Expr::Cast(inner) if matches!(kind, DataType::Timestamp(..)) && is_local(kind) => match inner.expr.as_ref()
            {
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
        let Expr::Literal(value, metadata) = text else {
            let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(self.name.clone()));
            return cast(cast(text.clone(), zoned), timestamp_type());
        };
        let has_offset = value.try_as_str().flatten().is_some_and(text::has_offset);
        let whole = text::with_seconds(value).map(|value| Expr::Literal(value, metadata.clone()));
        let whole = whole.unwrap_or_else(|| text.clone());
        // Without one it may be a time that the zone's clocks pass over, which Arrow's reader refuses.
        if has_offset { cast(whole, timestamp_type()) } else { self.of_zone(cast(whole, local_type())) }
    }

    /// The local time of an instant, or the instant of a local time.
    fn of_zone(&self, expression: Expr) -> Expr {
        called(&self.timezone, vec![lit(self.name.as_ref()), expression])
    }

    /// As PostgreSQL writes it; `None` for what is no time.
    fn text(&self, expression: &Expr, kind: &DataType) -> Option<Expr> {
        let is_time = matches!(kind, DataType::Timestamp(..));
        is_time.then(|| called(&self.text_of_time, vec![lit(self.name.as_ref()), expression.clone()]))
    }

    fn cast(&self, of: Cast, kind: &impl Fn(&Expr) -> DataType) -> Transformed<Expr> {
        let Cast { expr, mut field } = of;
        let from = kind(&expr);
        // Microseconds are what PostgreSQL has, and reach from year 1 to 9999 and beyond.
        if let DataType::Timestamp(TimeUnit::Nanosecond, zone) = field.data_type() {
            let kind = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            field = Arc::new(Field::new(field.name(), kind, field.is_nullable()));
        }
        let to = field.data_type();
        if *to == DataType::Date32 && is_utc(&from) {
            return yes(match self.zone.fixed_seconds() {
                // In a form that scans understand.
                Some(BANGKOK_OFFSET_SECONDS) => called(&self.bangkok_day, vec![*expr]),
                Some(0) => Expr::Cast(Cast { expr, field }),
                _ => Expr::Cast(Cast { expr: Box::new(self.of_zone(*expr)), field }),
            });
        }
        if is_text(to)
            && let Some(text) = self.text(&expr, &from)
        {
            return yes(cast(text, to.clone()));
        }
        if to.is_integer() && (from.is_floating() || from.is_decimal()) {
            return yes(Expr::Cast(Cast { expr: Box::new(called(&self.whole, vec![*expr])), field }));
        }
        match self.before_cast(&expr, &from, to) {
            Some(expr) => yes(Expr::Cast(Cast { expr: Box::new(expr), field })),
            None => yes(Expr::Cast(Cast { expr, field })),
        }
    }

    fn before_cast(&self, inner: &Expr, kind: &DataType, to: &DataType) -> Option<Expr> {
        if is_utc(to) {
            return if is_text(kind) { Some(self.read(inner)) } else { self.instant(inner, kind) };
        }
        if let (Expr::Literal(value, metadata), true) = (inner, is_local(to)) {
            let is_date = *to == DataType::Date32;
            let whole = if is_date { text::for_local(value, to) } else { text::with_seconds(value) };
            return whole.map(|value| Expr::Literal(value, metadata.clone())).or_else(|| self.local(inner, kind));
        }
        let asks_clock = is_local(to) || matches!(to, DataType::Time32(_) | DataType::Time64(_));
        if asks_clock { self.local(inner, kind) } else { None }
    }

    fn local(&self, instant: &Expr, kind: &DataType) -> Option<Expr> {
        matches!(kind, DataType::Timestamp(_, Some(_))).then(|| self.of_zone(instant.clone()))
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

    fn call(&self, call: ScalarFunction, kind: &impl Fn(&Expr) -> DataType) -> Rewritten {
        let ScalarFunction { func, mut args } = call;
        let is_instant = |argument: Option<&Expr>| argument.is_some_and(|argument| is_utc(&kind(argument)));
        let word = |argument: &Expr| match argument {
            Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_lowercase),
            _ => None,
        };
        match func.name() {
            "date_trunc" if args.len() == 2 && is_instant(args.last()) => {
                let width = word(&args[0]).as_deref().and_then(width);
                if let (Some(width), Some(_)) = (width, self.zone.fixed_seconds()) {
                    let width = lit(ScalarValue::IntervalMonthDayNano(Some(width)));
                    return Ok(yes(called(&self.bucket, vec![width, args.remove(1), lit(self.name.as_ref())])));
                }
                let instant = args[1].clone();
                let local = self.of_zone(instant.clone());
                args[1] = local.clone();
                let start = called(&func, args);
                // Of an hour that clocks go through twice, each time is cut by itself.
                let is_of_clock = width.is_some_and(|width| width.months == 0 && width.days == 0);
                return Ok(yes(if is_of_clock { instant - (local - start) } else { self.of_zone(start) }));
            }
            // Seconds since 1970 are the same everywhere.
            "date_part" if args.len() == 2 && is_instant(args.last()) && word(&args[0]).as_deref() != Some("epoch") => {
                args[1] = self.of_zone(args[1].clone());
            }
            "to_date" if is_instant(args.first()) => args[0] = self.of_zone(args[0].clone()),
            // Microseconds, as everything else.
            "now" => return Ok(yes(cast(called(&func, args), timestamp_type()))),
            "to_char" => {
                if is_instant(args.first()) {
                    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(self.name.clone()));
                    args[0] = cast(args[0].clone(), zoned);
                }
                if let Some(Expr::Literal(pattern, _)) = args.get_mut(1)
                    && let Some(told) = pattern.try_as_str().flatten()
                {
                    *pattern = ScalarValue::from(patterns::engines(told)?);
                }
            }
            "concat" | "concat_ws" => {
                args = args.into_iter().map(|one| self.text(&one, &kind(&one)).unwrap_or(one)).collect();
            }
            // The engine says another scale than it gives, once the digits are known.
            "round" if args.first().is_some_and(|of| kind(of).is_decimal()) => {
                let digits = match args.get(1) {
                    None => Some(0),
                    Some(Expr::Literal(digits, _)) => {
                        digits.cast_to(&DataType::Int8).ok().and_then(|digits| match digits {
                            ScalarValue::Int8(Some(digits)) => Some(digits.clamp(0, 30)),
                            _ => None,
                        })
                    }
                    Some(_) => None,
                };
                if let Some(digits) = digits {
                    return Ok(yes(cast(called(&func, args), DataType::Decimal128(38, digits))));
                }
            }
            // `= ANY ($1)`: elements of a bound list, each as if it stood there by itself.
            "array_has" if args.len() == 2 && is_instant(args.last()) => {
                if let Expr::Literal(ScalarValue::List(list), _) = &args[0]
                    && list.len() == 1
                    && is_local(list.values().data_type())
                {
                    let elements = (0..list.values().len())
                        .map(|index| ScalarValue::try_from_array(list.values(), index).map(lit))
                        .collect::<Result<Vec<_>>>()?;
                    let expr = args.remove(1);
                    let list = elements.into_iter().map(|one| self.instant(&one, &kind(&one)).unwrap_or(one)).collect();
                    return Ok(yes(Expr::InList(InList { expr: Box::new(expr), list, negated: false })));
                }
            }
            "timezone" if args.len() == 2 && is_text(&kind(&args[1])) => args[1] = self.read(&args[1]),
            "to_timestamp" if args.len() == 1 && is_text(&kind(&args[0])) => return Ok(yes(self.read(&args[0]))),
            "gapfill" if is_instant(args.get(1)) => {
                let bound = |one: Expr| match &one {
                    // A zone.
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
            name => match OF_ONE_TYPE.iter().find(|(known, _)| *known == name) {
                Some((_, first)) if args.len() > *first => {
                    let alike = self.all_alike(args.split_off(*first), kind);
                    args.extend(alike);
                }
                _ => return Ok(no(called(&func, args))),
            },
        }
        Ok(yes(called(&func, args)))
    }
}

fn called(function: &Arc<ScalarUDF>, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function.clone(), args))
}

fn begins_with_a_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
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
    fn zones_as_arrow_names_them() {
        let name = |zone: &str| arrow_name(&Zone::named(zone).unwrap()).to_string();
        assert_eq!(name("Asia/Bangkok"), "+07:00");
        assert_eq!(name("-0330"), "-03:30");
        assert_eq!(name("UTC"), "+00:00");
        assert_eq!(name("Europe/Berlin"), "Europe/Berlin");
    }
}
