//! Which statements may run at all, by syntax, then by plan.
//!
//! # Rules
//! 1. What is not on the list is refused, by a name that the person recognises.
//! 2. An `EXPLAIN` is as good as what it explains.
//! 3. The plan is checked again: a query can hide what its first word does not tell.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement as SqlStatement};

use crate::error::{Named, QueryError};
use crate::guard::{check_plan_size, check_size};
use crate::unnest_keys::check_groups;
use crate::words::quoted;

/// Levels of nested parentheses and subqueries: deeper text is a mistake or an attack on the stack.
const RECURSION_MAX: usize = 50;

/// Longer statements are refused: nobody types them, and operators in a row nest as deep as they are many.
pub const STATEMENT_BYTES_MAX: usize = 64 << 10;

/// The one statement of a text, if it is one that may run.
pub(crate) fn parse(sql: &str) -> Result<Statement, QueryError> {
    let syntax = |error: &datafusion::error::DataFusionError| {
        let text = match error.find_root() {
            datafusion::error::DataFusionError::SQL(parser, _) => parser.to_string(),
            other => other.to_string(),
        };
        QueryError::Syntax(text.replace("sql parser error: ", ""))
    };
    if sql.len() > STATEMENT_BYTES_MAX {
        return Err(QueryError::Invalid(format!(
            "the statement has {} bytes, more than the {STATEMENT_BYTES_MAX} that are read: join a table instead of \
             listing values",
            sql.len()
        )));
    }
    let quoted = quoted(sql);
    let mut parser =
        DFParserBuilder::new(&*quoted).with_recursion_limit(RECURSION_MAX).build().map_err(|error| syntax(&error))?;
    let mut statements = parser.parse_statements().map_err(|error| syntax(&error))?;
    let count = statements.len();
    match statements.pop_front() {
        None => Err(QueryError::Syntax("there is no statement".to_owned())),
        Some(_) if count > 1 => Err(QueryError::ManyStatements(count)),
        Some(statement) => {
            check(&statement)?;
            Ok(statement)
        }
    }
}

fn check(statement: &Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Statement(sql) => check_sql(sql).and_then(|()| check_size(sql)),
        Statement::Explain(explain) => check(&explain.statement),
        Statement::CreateExternalTable(_) => refused("CREATE EXTERNAL TABLE"),
        Statement::CopyTo(_) => refused("COPY"),
        Statement::Reset(_) => refused("RESET"),
    }
}

fn check_sql(statement: &SqlStatement) -> Result<(), QueryError> {
    match statement {
        SqlStatement::Query(query) => check_query(query),
        SqlStatement::Explain { statement, .. } => check_sql(statement),
        SqlStatement::ExplainTable { .. } | SqlStatement::ShowTables { .. } | SqlStatement::ShowColumns { .. } => {
            Ok(())
        }
        other => {
            let text = other.to_string();
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            refused(&words.join(" ").to_uppercase())
        }
    }
}

fn check_query(query: &Query) -> Result<(), QueryError> {
    let with = query.with.iter().flat_map(|with| &with.cte_tables);
    for table in with {
        check_query(&table.query)?;
    }
    check_body(&query.body)
}

fn check_body(body: &SetExpr) -> Result<(), QueryError> {
    match body {
        SetExpr::Select(select) if select.into.is_some() => refused("SELECT INTO"),
        SetExpr::Query(query) => check_query(query),
        SetExpr::SetOperation { left, right, .. } => check_body(left).and_then(|()| check_body(right)),
        SetExpr::Insert(_) => refused("INSERT"),
        SetExpr::Update(_) => refused("UPDATE"),
        SetExpr::Delete(_) => refused("DELETE"),
        SetExpr::Merge(_) => refused("MERGE"),
        SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::Table(_) => Ok(()),
    }
}

/// Two expressions that differ have one name to the engine, as those do that differ by a cast.
pub(crate) fn is_of_names(error: &DataFusionError) -> bool {
    let said = error.to_string();
    ["require unique expression names", "duplicate unqualified field name", "duplicate qualified field name"]
        .iter()
        .any(|words| said.contains(words))
}

/// Refuses a plan that has a part that would change something, however deep, or that is not what was asked for.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    check_plan_size(plan)?;
    check_tables(plan)?;
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(plan).map_err(|error| QueryError::ReadOnly { what: error.strip_backtrace() })?;
    check_groups(plan)
}

/// The engine's settings, which tell where files lie and which nobody can set.
const SETTINGS_TABLE: &str = "df_settings";

fn check_tables(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut is_asked_for = false;
    let looked = plan.apply_with_subqueries(|node| {
        is_asked_for |= matches!(node, LogicalPlan::TableScan(scan) if scan.table_name.table() == SETTINGS_TABLE);
        Ok(if is_asked_for { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    looked.map_err(|error| QueryError::Invalid(error.strip_backtrace()))?;
    if is_asked_for {
        return Err(QueryError::Unknown {
            what: Named::Table,
            message: format!("there is no table {SETTINGS_TABLE:?}"),
        });
    }
    Ok(())
}

fn refused(what: &str) -> Result<(), QueryError> {
    Err(QueryError::ReadOnly { what: what.to_owned() })
}
