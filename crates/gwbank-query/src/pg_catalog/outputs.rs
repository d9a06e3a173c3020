//! Columns of an answer that are called as columns of its tables: `SELECT time::date, value … ORDER BY extract(hour FROM time)`.
//!
//! To PostgreSQL a bare name in ORDER BY is a column of the answer, and a name inside an expression one of the tables; the
//! engine takes the first for both, or calls it ambiguous. So the engine sees another name for such a column, and the client
//! does not.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, Statement as SqlStatement, Value, Visit, Visitor,
};

use super::names::{self, folded};
use super::rewrite::is_column;

/// Columns that ORDER BY names inside its expressions, which are those of tables, are renamed where the answer has others of
/// the name; bare names of those become their places.
///
/// For each column the name that it lost; nothing where columns are as they were.
pub(crate) fn rename(statement: &mut Statement) -> Vec<Option<String>> {
    match statement {
        Statement::Statement(sql) => match sql.as_mut() {
            SqlStatement::Query(query) => rename_of(query).unwrap_or_default(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn rename_of(query: &mut Query) -> Option<Vec<Option<String>>> {
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    // How many columns a `*` is, nobody knows yet.
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    if select.projection.iter().any(is_wildcard) {
        return None;
    }
    let OrderByKind::Expressions(order) = &mut query.order_by.as_mut()?.kind else { return None };
    let mut mentioned = Mentioned::default();
    for by in order.iter().filter(|by| !matches!(by.expr, Expr::Identifier(_))) {
        let _ = by.expr.visit(&mut mentioned);
    }
    let renamed = renamed(select, &mentioned.0);
    for by in order {
        let Expr::Identifier(name) = &by.expr else { continue };
        let name = folded(name);
        if let Some(place) = renamed.iter().position(|known| known.as_deref() == Some(name.as_str())) {
            by.expr = Expr::Value(Value::Number((place + 1).to_string(), false).with_empty_span());
        }
    }
    Some(renamed)
}

#[derive(Default)]
struct Mentioned(HashSet<String>);

impl Visitor for Mentioned {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => drop(self.0.insert(folded(name))),
            Expr::CompoundIdentifier(names) => self.0.extend(names.last().map(folded)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// For each column the name that it lost.
fn renamed(select: &mut Select, mentioned: &HashSet<String>) -> Vec<Option<String>> {
    let each = select.projection.iter_mut().enumerate().map(|(index, item)| {
        let (expr, name) = match item {
            SelectItem::ExprWithAlias { expr, alias } => {
                let name = folded(alias);
                let is_itself = matches!(&*expr, Expr::Identifier(of) if folded(of) == name)
                    || matches!(&*expr, Expr::CompoundIdentifier(of) if of.last().is_some_and(|of| folded(of) == name));
                if is_itself {
                    return None;
                }
                (expr.clone(), name)
            }
            SelectItem::UnnamedExpr(expr @ Expr::Cast { .. }) if is_column(expr) => (expr.clone(), names::of(expr)),
            _ => return None,
        };
        if !mentioned.contains(&name) {
            return None;
        }
        let alias = Ident::with_quote('"', format!("gwbank_output_{index}"));
        *item = SelectItem::ExprWithAlias { expr, alias };
        Some(name)
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    fn after(sql: &str) -> String {
        let mut statement = DFParser::parse_sql(sql).unwrap().remove(0).unwrap();
        rename(&mut statement);
        statement.to_string()
    }

    #[test]
    fn only_what_would_be_taken_for_another_is_renamed() {
        assert_eq!(
            after("SELECT value * -1 AS value, time::date FROM readings r ORDER BY value, r.time, time, value * 2"),
            "SELECT value * -1 AS \"gwbank_output_0\", time::DATE AS \"gwbank_output_1\" FROM readings r \
             ORDER BY 1, r.time, 2, value * 2"
        );
        for unchanged in [
            "SELECT value * -1 AS value FROM readings",
            "SELECT value AS value, r.time AS time FROM readings AS r ORDER BY value",
            "SELECT value * 2 AS twice FROM readings ORDER BY twice",
            "SELECT x AS value FROM (SELECT 1 AS x) AS s GROUP BY value ORDER BY value, x * 2",
        ] {
            assert_eq!(after(unchanged), unchanged);
        }
    }
}
