//! Calls by their text: which `locf` is meant, and where named arguments belong.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, Query, SelectItem, SetExpr, Value, VisitMut, VisitorMut,
};

use super::calls::{FILL_INTERPOLATE, FILL_LOCF, GAPFILL};
use crate::error::QueryError;
use crate::functions;

/// The places of arguments that may be named.
const PARAMETERS: [(&str, &[&str]); 4] = [
    ("gapfill", &["bucket_width", "ts", "timezone", "start", "finish"]),
    ("time_bucket_gapfill", &["bucket_width", "ts", "timezone", "start", "finish"]),
    ("locf", &["value", "prev", "treat_null_as_missing"]),
    ("interpolate", &["value", "prev", "next"]),
];

/// Gives calls the names that the engine knows them by. A window function without OVER is refused: the engine would know no
/// function of that name.
pub(crate) fn name_calls(statement: &mut Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Statement(sql) => match sql.visit(&mut Namer) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        },
        Statement::Explain(explain) => name_calls(&mut explain.statement),
        _ => Ok(()),
    }
}

struct Namer;

impl VisitorMut for Namer {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        keep_titles(&mut query.body);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        match named(call) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// A column without a name is called as its expression was written.
fn keep_titles(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) = item
                    && let Expr::Function(call) = &*expr
                    && name_of(call).is_some_and(|name| PARAMETERS.iter().any(|(known, _)| *known == name))
                {
                    let alias = Ident::with_quote('"', expr.to_string());
                    let expr = std::mem::replace(expr, Expr::value(Value::Null));
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            keep_titles(left);
            keep_titles(right);
        }
        _ => {}
    }
}

fn name_of(call: &Function) -> Option<String> {
    match call.name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] if name.quote_style.is_none() => Some(name.value.to_lowercase()),
        [ObjectNamePart::Identifier(name)] => Some(name.value.clone()),
        _ => None,
    }
}

fn named(call: &mut Function) -> Result<(), QueryError> {
    let Some(name) = name_of(call) else { return Ok(()) };
    let has_over = call.over.is_some();
    if let Some((_, parameters)) = PARAMETERS.iter().find(|(known, _)| *known == name)
        && !has_over
    {
        put_in_place(&name, call, parameters)?;
        if name == "interpolate"
            && let FunctionArguments::List(list) = &mut call.args
        {
            for argument in list.args.iter_mut().skip(1) {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(beside)) = argument {
                    make_row(beside);
                }
            }
        }
        let known_as = match name.as_str() {
            "locf" => FILL_LOCF,
            "interpolate" => FILL_INTERPOLATE,
            _ => GAPFILL.name,
        };
        call.name = ObjectName::from(vec![Ident::new(known_as)]);
        return Ok(());
    }
    if has_over && matches!(name.as_str(), "gapfill" | "time_bucket_gapfill") {
        return Err(QueryError::Invalid(format!("{name} is no window function: it belongs in GROUP BY")));
    }
    match functions::form_of_partition(&name) {
        Some(form) if !has_over => {
            Err(QueryError::Invalid(format!("{name} looks at all rows of a partition and needs OVER: {form}")))
        }
        _ => Ok(()),
    }
}

/// `(time, value)` is a row to PostgreSQL, and to the engine only where it is called so.
fn make_row(expr: &mut Expr) {
    match expr {
        Expr::Tuple(parts) => {
            let args = std::mem::take(parts).into_iter().map(|part| FunctionArg::Unnamed(FunctionArgExpr::Expr(part)));
            let list = FunctionArgumentList { duplicate_treatment: None, args: args.collect(), clauses: Vec::new() };
            *expr = Expr::Function(Function {
                name: ObjectName::from(vec![Ident::new("struct")]),
                uses_odbc_syntax: false,
                parameters: FunctionArguments::None,
                args: FunctionArguments::List(list),
                filter: None,
                null_treatment: None,
                over: None,
                within_group: Vec::new(),
            });
        }
        Expr::Nested(inner) => make_row(inner),
        Expr::Subquery(query) => {
            if let SetExpr::Select(select) = query.body.as_mut()
                && let [SelectItem::UnnamedExpr(only) | SelectItem::ExprWithAlias { expr: only, .. }] =
                    select.projection.as_mut_slice()
            {
                make_row(only);
            }
        }
        _ => {}
    }
}

/// Named arguments go where they belong; what was left out before them is NULL.
fn put_in_place(name: &str, call: &mut Function, parameters: &[&str]) -> Result<(), QueryError> {
    let FunctionArguments::List(list) = &mut call.args else { return Ok(()) };
    if !list.args.iter().any(|arg| !matches!(arg, FunctionArg::Unnamed(_))) {
        return Ok(());
    }
    let mut places: Vec<Option<FunctionArgExpr>> = vec![None; parameters.len()];
    for (position, arg) in list.args.drain(..).enumerate() {
        let (place, expr) = match arg {
            FunctionArg::Unnamed(expr) => (Some(position), expr),
            FunctionArg::Named { name: Ident { value, .. }, arg, .. } => (place_of(&value, parameters), arg),
            FunctionArg::ExprNamed { name, arg, .. } => (place_of(&name.to_string(), parameters), arg),
        };
        let place = place.and_then(|place| places.get_mut(place)).filter(|place| place.is_none());
        let Some(place) = place else {
            return Err(QueryError::Invalid(format!(
                "the arguments of {name} are {}, each once",
                parameters.join(", ")
            )));
        };
        *place = Some(expr);
    }
    while matches!(places.last(), Some(None)) {
        places.pop();
    }
    let null = || FunctionArgExpr::Expr(Expr::value(Value::Null));
    list.args = places.into_iter().map(|place| FunctionArg::Unnamed(place.unwrap_or_else(null))).collect();
    Ok(())
}

fn place_of(name: &str, parameters: &[&str]) -> Option<usize> {
    parameters.iter().position(|known| known.eq_ignore_ascii_case(name))
}
