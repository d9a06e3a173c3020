//! Views of a connection: each that a statement names becomes a table of its WITH, so that every bound on the size of a
//! statement counts what its views are made of.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    Cte, Ident, ObjectName, ObjectNamePart, Query, Statement as SqlStatement, TableAlias, TableAliasColumnDef,
    VisitMut, VisitorMut, With,
};

use crate::error::QueryError;
use crate::guard::check_size;
use crate::pg_catalog::folded;
use crate::{pg_catalog, statement};

/// `CREATE VIEW` of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    pub name: String,
    /// Names of its first columns, where they are given.
    pub columns: Vec<String>,
    pub sql: String,
}

/// The statement with the views that it names, which are in the order of their making: one sees those before it.
pub(crate) fn with_views(
    statement: &mut Statement,
    views: &[ConnectionView],
    tables: &[String],
) -> Result<(), QueryError> {
    if views.is_empty() {
        return Ok(());
    }
    let sql = match statement {
        Statement::Explain(explain) => return with_views(&mut explain.statement, views, tables),
        Statement::Statement(sql) => sql,
        _ => return Ok(()),
    };
    let query = match sql.as_mut() {
        SqlStatement::Query(query) => query,
        SqlStatement::Explain { statement, .. } => match statement.as_mut() {
            SqlStatement::Query(query) => query,
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let mut named = Relations { views, found: HashSet::new() };
    let _ = query.visit(&mut named);
    let known: HashSet<String> =
        query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| folded(&cte.alias.name)).collect();
    let mut made = Vec::new();
    for view in views.iter().rev() {
        if !named.found.contains(&view.name) || known.contains(&view.name) {
            continue;
        }
        if tables.contains(&view.name) {
            return Err(QueryError::Invalid(format!(
                "relation \"{}\" already exists: give the view another name",
                view.name
            )));
        }
        let mut query = query_of(view)?;
        let _ = query.visit(&mut named);
        made.push(cte(view, query)?);
    }
    if made.is_empty() {
        return Ok(());
    }
    made.reverse();
    let with = query.with.get_or_insert_with(|| With {
        with_token: AttachedToken::empty(),
        recursive: false,
        cte_tables: Vec::new(),
    });
    with.cte_tables.splice(0..0, made);
    check_size(sql)
}

fn query_of(view: &ConnectionView) -> Result<Box<Query>, QueryError> {
    match statement::parse(&view.sql)? {
        Statement::Statement(sql) => match *sql {
            SqlStatement::Query(query) => Ok(query),
            _ => Err(not_a_query(view)),
        },
        _ => Err(not_a_query(view)),
    }
}

fn not_a_query(view: &ConnectionView) -> QueryError {
    QueryError::Invalid(format!("the view \"{}\" is of a query: CREATE VIEW {0} AS SELECT …", view.name))
}

/// Columns have the names that PostgreSQL gives them, such as `count`.
fn cte(view: &ConnectionView, query: Box<Query>) -> Result<Cte, QueryError> {
    let names = pg_catalog::names_of_query(&query);
    let mut columns = names.unwrap_or_default();
    if !columns.is_empty() && view.columns.len() > columns.len() {
        return Err(QueryError::Invalid(format!("the view \"{}\" has more column names than columns", view.name)));
    }
    if columns.is_empty() {
        columns.clone_from(&view.columns);
    } else {
        columns.splice(..view.columns.len(), view.columns.iter().cloned());
    }
    let mut seen = HashSet::new();
    if let Some(twice) = columns.iter().find(|name| !seen.insert(*name)) {
        return Err(QueryError::Invalid(format!(
            "the column \"{twice}\" of the view \"{}\" is there twice: name it with AS",
            view.name
        )));
    }
    let quoted = |name| TableAliasColumnDef { name: Ident::with_quote('"', name), data_type: None };
    let columns = columns.into_iter().map(quoted);
    Ok(Cte {
        alias: TableAlias {
            explicit: false,
            name: Ident::with_quote('"', view.name.clone()),
            columns: columns.collect(),
            at: None,
        },
        query,
        from: None,
        materialized: None,
        closing_paren_token: AttachedToken::empty(),
    })
}

/// Names of tables. Views lose their schema.
struct Relations<'a> {
    views: &'a [ConnectionView],
    found: HashSet<String>,
}

impl VisitorMut for Relations<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        if let [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(name)] = relation.0.as_slice()
            && matches!(folded(schema).as_str(), "public" | "pg_temp")
            && self.views.iter().any(|view| view.name == folded(name))
        {
            relation.0.remove(0);
        }
        if let [ObjectNamePart::Identifier(name)] = relation.0.as_slice() {
            self.found.insert(folded(name));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str, columns: &[&str], sql: &str) -> ConnectionView {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        ConnectionView { name: name.to_owned(), columns, sql: sql.to_owned() }
    }

    fn after(sql: &str, views: &[ConnectionView]) -> Result<String, String> {
        let mut statement = statement::parse(sql).unwrap();
        let done = with_views(&mut statement, views, &["readings".to_owned()]);
        done.map(|()| statement.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn views_become_tables_of_the_with() {
        let views = [
            view("a", &[], "SELECT well_id, count(*) FROM readings GROUP BY 1"),
            view("b", &["n"], "SELECT max(count), 1 AS one FROM a"),
            view("Unused", &[], "SELECT 1"),
        ];
        assert_eq!(
            after("WITH c AS (SELECT 1) SELECT * FROM B, c", &views).unwrap(),
            "WITH \"a\" (\"well_id\", \"count\") AS (SELECT well_id, count(*) FROM readings GROUP BY 1), \
             \"b\" (\"n\", \"one\") AS (SELECT max(count), 1 AS one FROM a), c AS (SELECT 1) SELECT * FROM B, c"
        );
        for unchanged in ["SELECT * FROM unused", "WITH a AS (SELECT 1) SELECT * FROM a", "SELECT a FROM readings"] {
            assert_eq!(after(unchanged, &views).unwrap(), unchanged);
        }
        assert!(after("SELECT * FROM pg_temp.a", &views).unwrap().ends_with("SELECT * FROM a"));
        assert!(after("EXPLAIN SELECT * FROM a", &views).unwrap().contains("WITH \"a\""));
    }

    #[test]
    fn what_is_no_view() {
        for (bad, says) in [
            (view("v", &[], "SELECT 1 AS a, 2 AS a"), "\"a\" of the view \"v\" is there twice"),
            (view("v", &["a", "b"], "SELECT 1"), "more column names than columns"),
            (view("v", &[], "EXPLAIN SELECT 1"), "is of a query"),
            (view("readings", &[], "SELECT 1"), "already exists"),
            (view("v", &[], "DELETE FROM readings"), "DELETE"),
        ] {
            let name = bad.name.clone();
            let error = after(&format!("SELECT * FROM {name}"), &[bad]).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    /// Each names the one before twice: 2 to the power of 20 tables.
    #[test]
    fn views_count_for_what_they_are_made_of() {
        let mut views = vec![view("v0", &[], "SELECT well_id FROM readings")];
        for n in 1..20 {
            let last = format!("v{}", n - 1);
            views.push(view(&format!("v{n}"), &[], &format!("SELECT a.well_id FROM {last} a, {last} b")));
        }
        let error = after("SELECT * FROM v19", &views).unwrap_err();
        assert!(error.contains("joins more than"), "{error}");
    }
}
