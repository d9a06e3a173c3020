//! By text: forms that the engine's planner does not know, or takes for something else, in forms that it knows.
//!
//! What it would take for something else and cannot be said otherwise is an error, which names the mend.

mod names;

pub(crate) use names::quoted;

use std::ops::ControlFlow;

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    JoinConstraint, JoinOperator, LimitClause, ObjectName, ObjectNamePart, OrderByKind, Query, Select, SelectItem,
    SetExpr, TableFactor, TimezoneInfo, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;
use gwbank_model::{Timestamp, Zone};

use crate::error::QueryError;
use crate::functions::cast_call;
use crate::local_time::{arrow_name, has_offset};
use crate::pg_catalog::call;

/// The statement in the engine's words.
pub(crate) fn in_words_of_the_engine(statement: &mut Statement, zone: &Zone) -> Result<(), QueryError> {
    match statement {
        Statement::Statement(sql) => match sql.visit(&mut Worder { zone }) {
            ControlFlow::Break(problem) => Err(problem),
            ControlFlow::Continue(()) => Ok(()),
        },
        Statement::Explain(explain) => in_words_of_the_engine(&mut explain.statement, zone),
        _ => Ok(()),
    }
}

/// Casts of columns as calls, which have names of their own.
pub(crate) fn casts_as_calls(statement: &mut Statement) {
    match statement {
        Statement::Statement(sql) => {
            let _ = sql.visit(&mut CastCaller);
        }
        Statement::Explain(explain) => casts_as_calls(&mut explain.statement),
        _ => {}
    }
}

struct CastCaller;

impl VisitorMut for CastCaller {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: of, data_type, format: None, .. } = expr
            && !matches!(of.as_ref(), Expr::Value(_))
            && let Some(name) = cast_call(data_type)
        {
            *expr = call(name, [of.as_ref().clone()]);
        }
        ControlFlow::Continue(())
    }
}

/// Functions that the engine has by another name.
const NAMES: [(&str, &str); 4] =
    [("sign", "signum"), ("variance", "var_samp"), ("every", "bool_and"), ("clock_timestamp", "now")];

struct Worder<'a> {
    zone: &'a Zone,
}

fn refused(what: &str) -> ControlFlow<QueryError> {
    ControlFlow::Break(QueryError::Unsupported(what.to_owned()))
}

impl VisitorMut for Worder<'_> {
    type Break = QueryError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        match expr {
            Expr::AtTimeZone { timestamp, time_zone } => {
                *expr = call("timezone", [time_zone.as_ref().clone(), timestamp.as_ref().clone()]);
            }
            Expr::Function(function) => {
                if function.name.to_string().eq_ignore_ascii_case("localtimestamp") {
                    let zone = Value::SingleQuotedString(arrow_name(self.zone).to_string()).with_empty_span();
                    *expr = call("timezone", [Expr::Value(zone), call("now", [])]);
                } else if let Some(changed) = in_other_words(function) {
                    *expr = changed;
                }
            }
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right)
                if matches!(right.as_ref(), Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. }) =>
            {
                return refused(
                    "IS DISTINCT FROM takes all that follows for its right side: write it in parentheses, (a IS DISTINCT FROM \
                     b) AND …",
                );
            }
            Expr::BinaryOp { op: BinaryOperator::BitwiseXor, .. } => {
                return refused("^ is a power to some and XOR to others: write power(a, b), or # for XOR");
            }
            Expr::BinaryOp { op: op @ BinaryOperator::PGBitwiseXor, .. } => *op = BinaryOperator::BitwiseXor,
            Expr::BinaryOp { left, op, right } => {
                if let (Expr::Tuple(left), Expr::Tuple(right)) = (left.as_ref(), right.as_ref())
                    && left.len() == right.len()
                    && let Some(changed) = compared(left, op, right)
                {
                    *expr = Expr::Nested(Box::new(changed));
                }
            }
            Expr::InList { expr: of, list, negated } => {
                if let Expr::Tuple(of) = of.as_ref()
                    && let Some(any) = any_of(of, list)
                {
                    let any = Expr::Nested(Box::new(any));
                    let not = datafusion::sql::sqlparser::ast::UnaryOperator::Not;
                    *expr = if *negated { Expr::UnaryOp { op: not, expr: Box::new(any) } } else { any };
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<QueryError> {
        if let TableFactor::Table { sample: Some(_), .. } = factor {
            return refused("TABLESAMPLE: take a part by a condition, such as well_id LIKE '%7'");
        }
        if let TableFactor::Table { name, args: Some(args), .. } = factor
            && is_series(name)
        {
            for argument in &mut args.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(bound)) = argument {
                    self.bound(bound);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<QueryError> {
        let joins = select.from.iter().flat_map(|tables| &tables.joins);
        for join in joins {
            // The engine takes the left column for both, which is NULL where only the right side has a row.
            let merges = |on: &JoinConstraint| matches!(on, JoinConstraint::Using(_) | JoinConstraint::Natural);
            if let JoinOperator::Right(on) | JoinOperator::RightOuter(on) | JoinOperator::FullOuter(on) =
                &join.join_operator
                && merges(on)
            {
                return refused(
                    "RIGHT and FULL JOIN by USING or NATURAL: write ON a.x = b.x, and coalesce(a.x, b.x) for the column",
                );
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        order_by_place(query);
        if let Some(fetch) = query.fetch.take() {
            if fetch.with_ties || fetch.percent {
                return refused("FETCH FIRST … WITH TIES and PERCENT: write LIMIT, or rank() in a subquery");
            }
            fetch_as_limit(query, fetch.quantity);
        }
        ControlFlow::Continue(())
    }
}

fn last_word(name: &ObjectName) -> Option<&str> {
    match name.0.last()? {
        ObjectNamePart::Identifier(Ident { value, .. }) => Some(value),
        ObjectNamePart::Function(_) => None,
    }
}

fn is_series(name: &ObjectName) -> bool {
    last_word(name)
        .is_some_and(|name| name.eq_ignore_ascii_case("generate_series") || name.eq_ignore_ascii_case("range"))
}

fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let plain = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().map(plain).collect()
}

fn in_other_words(function: &mut Function) -> Option<Expr> {
    let name = last_word(&function.name)?.to_lowercase();
    if let Some((_, known)) = NAMES.iter().find(|(other, _)| *other == name) {
        function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(*known))]);
        return None;
    }
    let arguments = arguments(function)?;
    match (name.as_str(), arguments.as_slice()) {
        ("mod", [of, by]) => {
            let nested = |expr: &Expr| Box::new(Expr::Nested(Box::new(expr.clone())));
            let modulo = Expr::BinaryOp { left: nested(of), op: BinaryOperator::Modulo, right: nested(by) };
            Some(Expr::Nested(Box::new(modulo)))
        }
        ("date_trunc", [part, time, zone]) => {
            let local = call("timezone", [zone.clone(), time.clone()]);
            Some(call("timezone", [zone.clone(), call("date_trunc", [part.clone(), local])]))
        }
        _ => None,
    }
}

fn both(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// Rows of values, from the left: `(a, b) > (c, d)` is `a > c OR (a = c AND b > d)`.
fn compared(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Option<Expr> {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    let nested = |expr: Expr| Expr::Nested(Box::new(expr));
    let pairs = || left.iter().cloned().zip(right.iter().cloned());
    match op {
        Eq => pairs().map(|(a, b)| both(a, Eq, b)).reduce(|all, one| both(all, And, one)),
        NotEq => pairs().map(|(a, b)| both(a, NotEq, b)).reduce(|any, one| both(any, Or, one)),
        Lt | LtEq | Gt | GtEq => {
            let strict = if matches!(op, Lt | LtEq) { Lt } else { Gt };
            let mut pairs: Vec<(Expr, Expr)> = pairs().collect();
            let (a, b) = pairs.pop()?;
            let mut told = both(a, op.clone(), b);
            for (a, b) in pairs.into_iter().rev() {
                let same = nested(both(both(a.clone(), Eq, b.clone()), And, nested(told)));
                told = both(both(a, strict.clone(), b), Or, same);
            }
            Some(told)
        }
        _ => None,
    }
}

fn any_of(of: &[Expr], list: &[Expr]) -> Option<Expr> {
    let one = |row: &Expr| match row {
        Expr::Tuple(row) if row.len() == of.len() => {
            compared(of, &BinaryOperator::Eq, row).map(|same| Expr::Nested(Box::new(same)))
        }
        _ => None,
    };
    let all: Option<Vec<Expr>> = list.iter().map(one).collect();
    all?.into_iter().reduce(|any, one| both(any, BinaryOperator::Or, one))
}

/// `OFFSET 5 ROWS FETCH FIRST 10 ROWS ONLY`; of one row, where no number is said.
fn fetch_as_limit(query: &mut Query, quantity: Option<Expr>) {
    let rows = quantity.unwrap_or_else(|| Expr::Value(Value::Number("1".to_owned(), false).with_empty_span()));
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) => *limit = Some(rows),
        other => {
            *other = Some(LimitClause::LimitOffset { limit: Some(rows), offset: None, limit_by: Vec::new() });
        }
    }
}

/// `SELECT DISTINCT time::date … ORDER BY time::date`: the engine looks for the columns of the expression, not for itself.
fn order_by_place(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    if !matches!(select.distinct, Some(Distinct::Distinct)) {
        return;
    }
    let Some(order) = &mut query.order_by else { return };
    let OrderByKind::Expressions(all) = &mut order.kind else { return };
    for by in all {
        if matches!(by.expr, Expr::Identifier(_) | Expr::Value(_)) {
            continue;
        }
        let is_it = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => *expr == by.expr,
            _ => false,
        };
        if let Some(place) = select.projection.iter().position(is_it) {
            let value = Value::Number((place + 1).to_string(), false);
            by.expr = Expr::Value(ValueWithSpan { value, span: Span::empty() });
        }
    }
}

impl Worder<'_> {
    /// A bound of a series is computed while the statement is planned, before anything is told of zones.
    fn bound(&self, bound: &mut Expr) {
        let (text, data_type) = match bound {
            Expr::TypedString(typed) => (&mut typed.value.value, &mut typed.data_type),
            Expr::Cast { expr, data_type, .. } => match expr.as_mut() {
                Expr::Value(value) => (&mut value.value, data_type),
                _ => return,
            },
            _ => return,
        };
        let is_instant = matches!(data_type, DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone));
        let Value::SingleQuotedString(text) = text else { return };
        if !is_instant && *data_type != DataType::Date || has_offset(text) {
            return;
        }
        let told = text.trim();
        let told = if told.len() == 16 { format!("{told}:00") } else { told.to_owned() };
        if let Ok(nanos) = string_to_timestamp_nanos(&told) {
            let instant = self.zone.instant(nanos.div_euclid(1_000));
            *text = Timestamp::from_micros(instant).to_rfc3339(0);
            *data_type = DataType::Timestamp(None, TimezoneInfo::WithTimeZone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    fn told(sql: &str) -> Result<String, String> {
        let mut statement = DFParser::parse_sql(sql).unwrap().remove(0).unwrap();
        let done = in_words_of_the_engine(&mut statement, &Zone::bangkok());
        done.map(|()| statement.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn in_the_engines_words() {
        for (sql, same) in [
            ("SELECT time AT TIME ZONE 'Asia/Bangkok'", "SELECT timezone('Asia/Bangkok', time)"),
            (
                "SELECT date_trunc('day', time, 'UTC')",
                "SELECT timezone('UTC', date_trunc('day', timezone('UTC', time)))",
            ),
            ("SELECT a FROM b OFFSET 5 ROWS FETCH FIRST 10 ROWS ONLY", "SELECT a FROM b LIMIT 10 OFFSET 5 ROWS"),
            ("SELECT a FROM b FETCH FIRST ROW ONLY", "SELECT a FROM b LIMIT 1"),
            ("SELECT localtimestamp", "SELECT timezone('+07:00', now())"),
            ("SELECT mod(a + 1, 2), sign(b)", "SELECT ((a + 1) % (2)), signum(b)"),
            ("SELECT DISTINCT time::date, 1 ORDER BY time::date", "SELECT DISTINCT time::DATE, 1 ORDER BY 1"),
            ("SELECT (a, b) = (1, 2)", "SELECT (a = 1 AND b = 2)"),
            ("SELECT (a, b) >= (1, 2)", "SELECT (a > 1 OR (a = 1 AND (b >= 2)))"),
            ("SELECT (a, b) IN ((1, 2), (3, 4))", "SELECT ((a = 1 AND b = 2) OR (a = 3 AND b = 4))"),
            (
                "SELECT * FROM generate_series(DATE '2026-01-01', '2026-01-02 06:30'::timestamptz, interval '1 day')",
                "SELECT * FROM generate_series(TIMESTAMP WITH TIME ZONE '2025-12-31T17:00:00Z', \
                 '2026-01-01T23:30:00Z'::TIMESTAMP WITH TIME ZONE, INTERVAL '1 day')",
            ),
        ] {
            assert_eq!(told(sql).unwrap(), same);
        }
        for unchanged in ["SELECT a FROM b JOIN c USING(d)", "SELECT DISTINCT a ORDER BY a", "SELECT 1 % 2"] {
            assert_eq!(told(unchanged).unwrap(), unchanged);
        }
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        for (sql, says) in [
            ("SELECT a IS DISTINCT FROM 'b' AND c", "in parentheses"),
            ("SELECT 2 ^ 10", "power(a, b)"),
            ("SELECT * FROM readings TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE"),
            ("SELECT a FROM b FULL JOIN c USING (a)", "coalesce(a.x, b.x)"),
            ("SELECT a FROM b NATURAL RIGHT JOIN c", "coalesce(a.x, b.x)"),
        ] {
            let error = told(sql).unwrap_err();
            assert!(error.contains(says), "{sql}: {error}");
        }
        assert!(told("SELECT (a IS DISTINCT FROM 'b') AND c").is_ok());
    }
}
