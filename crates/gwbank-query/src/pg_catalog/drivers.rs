//! What a driver asks in a way that the engine cannot plan, as a statement with the same answer.

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement};

/// asyncpg asks so for a type that it does not know, such as an array: with what its elements are, in correlated recursions
/// for domains, composites and ranges, of which there are none.
const TYPES_OF_ASYNCPG: &str = "
WITH asked AS (SELECT oid, typelem FROM pg_type WHERE oid = ANY($1::oid[])),
  wanted AS (SELECT oid, 0 AS depth FROM asked UNION ALL SELECT typelem, 1 FROM asked WHERE typelem <> 0)
SELECT DISTINCT t.oid AS oid, ns.nspname AS ns, t.typname AS name, t.typtype AS kind, NULL::int AS basetype,
  t.typelem AS elemtype, CASE WHEN t.typelem <> 0 THEN ',' END AS elemdelim, NULL::int AS range_subtype,
  NULL::text[] AS attrtypoids, NULL::text[] AS attrnames, wanted.depth AS depth, NULL::text AS basetype_name,
  CASE WHEN t.typelem <> 0 THEN format_type(t.typelem) END AS elemtype_name, NULL::text AS range_subtype_name
FROM wanted JOIN pg_type t ON t.oid = wanted.oid JOIN pg_namespace ns ON ns.oid = t.typnamespace
ORDER BY depth DESC";

/// The statement, or what stands for it.
pub(super) fn stand_in(statement: &mut Statement) {
    if let Statement::Statement(sql) = statement
        && let SqlStatement::Query(query) = sql.as_ref()
        && is_asyncpgs(query)
        && let Ok(mut parsed) = DFParser::parse_sql(TYPES_OF_ASYNCPG)
        && let Some(other) = parsed.pop_front()
    {
        *statement = other;
    }
}

fn is_asyncpgs(query: &Query) -> bool {
    const COLUMNS: usize = 11;
    let first = query.with.as_ref().and_then(|with| with.cte_tables.first());
    first.is_some_and(|cte| cte.alias.name.value == "typeinfo_tree" && cte.alias.columns.len() == COLUMNS)
}
