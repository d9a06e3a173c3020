//! What only PostgreSQL writes, as the engine can plan it.
//!
//! # Rules
//! 1. Names of catalog tables without a schema are those of `pg_catalog`, unless a CTE has the name; functions and operators
//!    lose the schema.
//! 2. A cast to a name of an object (`regclass`, `regtype`) becomes a look-up; one to a type of the catalogs the plain type.
//! 3. A SELECT from tables that never hold anything has no rows, whatever it computes: it becomes one without tables, so
//!    that it need not be understood.
//! 4. Columns may have the same name, as they may there: the engine sees another one, the client does not.
//! 5. A subquery in the place of a value, correlated with its query, is made to give one row at most, as the engine wants to
//!    see.
//!
//! Statements that name nothing of the catalogs come out as they came in.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::{SCHEMA, drivers, names, tables};

/// The statement as the engine can plan it.
pub(crate) fn rewrite(statement: &mut Statement) {
    drivers::stand_in(statement);
    match statement {
        Statement::Statement(sql) => {
            let mut names = CteNames::default();
            let _ = sql.visit(&mut names);
            let _ = sql.visit(&mut Rewriter { ctes: names.0 });
        }
        Statement::Explain(explain) => rewrite(&mut explain.statement),
        _ => {}
    }
}

/// For doors whose columns are named as the engine names them: a cast beside its column is called as it was written.
pub(crate) fn tell_casts_apart(statement: &mut Statement) {
    match statement {
        Statement::Statement(sql) => {
            let _ = sql.visit(&mut CastNamer);
        }
        Statement::Explain(explain) => tell_casts_apart(&mut explain.statement),
        _ => {}
    }
}

struct CastNamer;

impl VisitorMut for CastNamer {
    type Break = ();

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        name_casts(select, |_, expr| expr.to_string());
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct CteNames(HashSet<String>);

impl VisitorMut for CteNames {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.0.extend(ctes.map(|cte| cte.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }
}

struct Rewriter {
    ctes: HashSet<String>,
}

impl VisitorMut for Rewriter {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        if let [ObjectNamePart::Identifier(name)] = relation.0.as_slice() {
            let name = name.value.to_lowercase();
            if !self.ctes.contains(&name) && tables::exists(&name) {
                *relation = object_name(&[SCHEMA, &name]);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, args: None, .. } = factor
            && let [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(table)] = name.0.as_slice()
            && schema.value.eq_ignore_ascii_case("information_schema")
            && let Some(ours) = tables::of_information_schema(&table.value.to_lowercase())
        {
            // Columns are named by the table as it was.
            let table = table.clone();
            alias.get_or_insert_with(|| TableAlias { explicit: true, name: table, columns: Vec::new(), at: None });
            *name = object_name(&[SCHEMA, &ours]);
        }
        if let TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } = factor {
            strip_schema(name);
        }
        // Its one column is called as the table is.
        if let TableFactor::Table { name, alias, args: Some(_), .. } = factor
            && name.to_string().eq_ignore_ascii_case("generate_series")
        {
            let called = Ident::new("generate_series");
            let alias = alias.get_or_insert_with(|| TableAlias {
                explicit: false,
                name: called,
                columns: Vec::new(),
                at: None,
            });
            if alias.columns.is_empty() {
                alias.columns.push(TableAliasColumnDef { name: alias.name.clone(), data_type: None });
            }
        }
        if let TableFactor::Table { name, args, .. } = factor
            && name.to_string().eq_ignore_ascii_case("pg_get_keywords")
        {
            (*name, *args) = (object_name(&[SCHEMA, tables::KEYWORDS]), None);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if reads_nothing(select) && !aggregates_all(select) {
            empty(select);
        }
        name_repeated(select);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if is_without_rows(&query.body) {
            query.order_by = None;
            query.limit_clause = None;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        // Before its parts are: what stands around a cast tells what is meant by it.
        if let Some(changed) = object_cast(expr) {
            *expr = changed;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(changed) = rewritten(expr) {
            *expr = changed;
        }
        ControlFlow::Continue(())
    }
}

fn object_name(parts: &[&str]) -> ObjectName {
    ObjectName(parts.iter().map(|part| ObjectNamePart::Identifier(Ident::new(*part))).collect())
}

fn is_catalog(part: &ObjectNamePart) -> bool {
    matches!(part, ObjectNamePart::Identifier(name) if name.value.eq_ignore_ascii_case(SCHEMA))
}

fn strip_schema(name: &mut ObjectName) {
    if name.0.len() == 2 && is_catalog(&name.0[0]) {
        name.0.remove(0);
    }
}

fn null() -> Expr {
    Expr::Value(ValueWithSpan { value: Value::Null, span: Span::empty() })
}

fn text(value: &str) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(value.to_owned()), span: Span::empty() })
}

pub(crate) fn call(name: &str, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::Function(Function {
        name: object_name(&[name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The last part of a type's name, where it is one that the parser does not know.
fn type_name(data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Regclass => Some("regclass".to_owned()),
        DataType::Custom(name, modifiers) if modifiers.is_empty() => match name.0.last()? {
            ObjectNamePart::Identifier(name) => Some(name.value.to_lowercase()),
            ObjectNamePart::Function(_) => None,
        },
        _ => None,
    }
}

/// `x::regclass::text`, `'name'::regclass`, `oid::regtype::text` and the like.
fn object_cast(expr: &Expr) -> Option<Expr> {
    let Expr::Cast { expr: inner, data_type, .. } = expr else { return None };
    // A cast of a cast: the outer one tells whether the name is wanted or the number.
    if let Expr::Cast { expr: innermost, data_type: object, .. } = inner.as_ref()
        && let Some(object) = type_name(object)
    {
        let outer = type_name(data_type).unwrap_or_default();
        let wants_name = matches!(outer.as_str(), "text" | "name" | "varchar")
            || matches!(data_type, DataType::Text | DataType::Varchar(_));
        let argument = || [innermost.as_ref().clone()];
        let looked_up = match (object.as_str(), wants_name) {
            ("regclass", true) => Some(call("gwbank_regclass_name", argument())),
            ("regclass", false) => Some(call("gwbank_regclass_oid", argument())),
            ("regtype", true) => Some(call("format_type", argument())),
            ("regtype", false) => Some(call("to_regtype", argument())),
            ("regnamespace" | "regproc" | "regrole" | "regprocedure", _) => Some(text_of(innermost.as_ref().clone())),
            _ => None,
        };
        if looked_up.is_some() {
            return looked_up;
        }
    }
    let is_named = match inner.as_ref() {
        Expr::Value(_) => true,
        Expr::Cast { data_type: DataType::Text | DataType::Varchar(_), .. } => true,
        Expr::Cast { data_type, .. } => type_name(data_type).is_some_and(|name| name == "text" || name == "name"),
        _ => false,
    };
    let function = match (type_name(data_type)?.as_str(), is_named) {
        ("regclass", true) => "gwbank_regclass_oid",
        ("regclass", false) => "gwbank_regclass_name",
        ("regtype", true) => "to_regtype",
        ("regtype", false) => "format_type",
        _ => return None,
    };
    Some(call(function, [inner.as_ref().clone()]))
}

fn text_of(expr: Expr) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type: DataType::Text, array: false, format: None }
}

/// Types that only the catalogs have, as plain ones.
fn plain_type(data_type: &DataType) -> Option<DataType> {
    if let DataType::Array(element) = data_type {
        use datafusion::sql::sqlparser::ast::ArrayElemTypeDef;
        let ArrayElemTypeDef::SquareBracket(inner, size) = element else { return None };
        let inner = plain_type(inner)?;
        return Some(DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(inner), *size)));
    }
    Some(match type_name(data_type)?.as_str() {
        "oid" | "xid" | "int4" => DataType::Int(None),
        "int2" => DataType::SmallInt(None),
        "int8" => DataType::BigInt(None),
        "float8" => DataType::Double(datafusion::sql::sqlparser::ast::ExactNumberInfo::None),
        "bool" => DataType::Boolean,
        "name" | "char" | "text" | "cstring" | "varchar" | "bpchar" | "unknown" | "regproc" | "regnamespace"
        | "regrole" | "regprocedure" | "pg_node_tree" | "json" | "jsonb" | "uuid" => DataType::Text,
        _ => return None,
    })
}

fn rewritten(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::Collate { expr, .. } => Some(expr.as_ref().clone()),
        Expr::Cast { data_type, .. } => {
            if let Some(plain) = plain_type(data_type) {
                *data_type = plain;
            }
            None
        }
        Expr::BinaryOp { op, .. } => {
            if let BinaryOperator::PGCustomBinaryOperator(parts) = op
                && let Some(known) = parts.last().and_then(|symbol| operator(symbol))
            {
                *op = known;
            }
            None
        }
        Expr::Function(function) => {
            strip_schema(&mut function.name);
            let is_array = function.name.to_string().eq_ignore_ascii_case("array");
            if function.name.to_string().eq_ignore_ascii_case("array_upper") {
                if let Some(length) = length_of_schemas(&function.args) {
                    return Some(length);
                }
                function.name = object_name(&["array_length"]);
            }
            match &function.args {
                // ARRAY(SELECT …): lists of what there is nothing of.
                FunctionArguments::Subquery(_) if is_array => Some(call("gwbank_no_texts", None)),
                _ => None,
            }
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
            let list = listed(right)?;
            Some(Expr::InList { expr: left.clone(), list, negated: false })
        }
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
            let list = listed(right)?;
            Some(Expr::InList { expr: left.clone(), list, negated: true })
        }
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            if let Some(escape) = escape_char.take_if(|escape| escape.value != Value::SingleQuotedString("\\".into())) {
                **pattern = escaped_by_backslash(pattern, &escape.value)?;
            }
            None
        }
        Expr::Subquery(query) => {
            if is_without_rows(&query.body) {
                return Some(null());
            }
            give_one_row(query);
            None
        }
        // A dashboard's way to ask which schemas need not be named: all tables are in one.
        Expr::InSubquery { expr, subquery, negated } if takes_search_path_apart(subquery) => {
            Some(Expr::InList { expr: expr.clone(), list: vec![text("public")], negated: *negated })
        }
        Expr::Exists { subquery, negated } if is_without_rows(&subquery.body) => {
            Some(Expr::Value(ValueWithSpan { value: Value::Boolean(*negated), span: Span::empty() }))
        }
        _ => None,
    }
}

fn takes_search_path_apart(subquery: &Query) -> bool {
    let text = subquery.to_string().to_lowercase().replace(' ', "");
    text.contains("string_to_array(current_setting('search_path'),',')")
}

/// Of `current_schemas(…)`, which is always the same: a table function takes nothing that is still to be computed.
fn length_of_schemas(arguments: &FunctionArguments) -> Option<Expr> {
    let FunctionArguments::List(list) = arguments else { return None };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(inner)))) = list.args.first() else {
        return None;
    };
    let is_schemas = inner.name.to_string().eq_ignore_ascii_case("current_schemas");
    is_schemas.then(|| Expr::Value(ValueWithSpan { value: Value::Number("2".to_owned(), false), span: Span::empty() }))
}

/// A pattern whose escape is another character, with the backslash, which is the only one that the engine takes.
fn escaped_by_backslash(pattern: &Expr, escape: &Value) -> Option<Expr> {
    // Stands for the escape character itself meanwhile; nobody looks for it.
    const MEANWHILE: &str = "\u{1}";
    let Value::SingleQuotedString(escape) = escape else { return None };
    let mut changed = pattern.clone();
    let steps = [("\\", "\\\\"), (&format!("{escape}{escape}"), MEANWHILE), (escape, "\\"), (MEANWHILE, escape)];
    for (from, to) in steps {
        if !from.is_empty() {
            changed = call("replace", [changed, text(from), text(to)]);
        }
    }
    Some(changed)
}

fn operator(symbol: &str) -> Option<BinaryOperator> {
    Some(match symbol {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "=" => BinaryOperator::Eq,
        "<>" => BinaryOperator::NotEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        _ => return None,
    })
}

/// The elements of `ARRAY[…]`, of `(ARRAY[…])` and of `'{a,b}'`.
fn listed(right: &Expr) -> Option<Vec<Expr>> {
    match right {
        Expr::Nested(inner) => listed(inner),
        Expr::Cast { expr, data_type: DataType::Array(_), .. } => listed(expr),
        Expr::Array(array) if !array.elem.is_empty() => Some(array.elem.clone()),
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(list), .. }) => {
            let inner = list.strip_prefix('{')?.strip_suffix('}')?;
            let element = |element: &str| text(element.trim().trim_matches('"'));
            (!inner.is_empty() && !inner.contains('{')).then(|| inner.split(',').map(element).collect())
        }
        _ => None,
    }
}

/// Whether one of the tables that a SELECT reads, and that must have a row for it to have one, never has.
fn reads_nothing(select: &Select) -> bool {
    select.from.iter().any(joins_nothing)
}

fn joins_nothing(tables: &TableWithJoins) -> bool {
    let keeps_left = |operator: &JoinOperator| {
        !matches!(operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_))
    };
    let needs_right = |operator: &JoinOperator| {
        matches!(operator, JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_))
    };
    let keep_left = tables.joins.iter().all(|join| keeps_left(&join.join_operator));
    let is_inner_nothing =
        tables.joins.iter().any(|join| needs_right(&join.join_operator) && is_nothing(&join.relation));
    keep_left && (is_nothing(&tables.relation) || is_inner_nothing)
}

fn is_nothing(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Table { name, args: None, .. } => match name.0.as_slice() {
            [schema, ObjectNamePart::Identifier(table)] => {
                is_catalog(schema) && tables::is_always_empty(&table.value.to_lowercase())
            }
            _ => false,
        },
        TableFactor::Derived { subquery, .. } => is_without_rows(&subquery.body),
        TableFactor::NestedJoin { table_with_joins, .. } => joins_nothing(table_with_joins),
        _ => false,
    }
}

/// Aggregates without groups give a row of nothing.
fn aggregates_all(select: &Select) -> bool {
    const AGGREGATES: [&str; 10] =
        ["count", "sum", "min", "max", "avg", "array_agg", "string_agg", "bool_and", "bool_or", "json_agg"];
    let has_groups = !matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty());
    let is_aggregate = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(Expr::Function(function))
        | SelectItem::ExprWithAlias { expr: Expr::Function(function), .. } => {
            AGGREGATES.contains(&function.name.to_string().to_lowercase().as_str())
        }
        _ => false,
    };
    !has_groups && select.projection.iter().any(is_aggregate)
}

/// Keeps the names of the columns and nothing else.
fn empty(select: &mut Select) {
    let mut columns = Vec::new();
    for item in &select.projection {
        let alias = match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
            SelectItem::UnnamedExpr(expr) => Ident::with_quote('"', names::of(expr)),
            // All columns: the table has them.
            _ => return,
        };
        columns.push(SelectItem::ExprWithAlias { expr: text_of(null()), alias });
    }
    select.projection = columns;
    select.distinct = None;
    select.from = Vec::new();
    select.selection = Some(Expr::Value(ValueWithSpan { value: Value::Boolean(false), span: Span::empty() }));
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    select.having = None;
}

/// Names of the engine's own for columns that repeat one before them.
fn name_repeated(select: &mut Select) {
    name_casts(select, |index, _| format!("gwbank_column_{index}"));
    let mut seen = HashSet::new();
    for (index, item) in select.projection.iter_mut().enumerate() {
        let (expr, name) = match item {
            SelectItem::UnnamedExpr(expr) => (expr.clone(), told_apart_by(expr)),
            SelectItem::ExprWithAlias { expr, alias } => (expr.clone(), alias.value.clone()),
            _ => continue,
        };
        if !seen.insert(name) {
            let alias = Ident::with_quote('"', format!("gwbank_column_{index}"));
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
}

/// A cast of a column is called as the column where nothing else is: the engine names both alike, and takes one for the other
/// where ORDER BY adds the column.
fn name_casts(select: &mut Select, otherwise: impl Fn(usize, &Expr) -> String) {
    let name_of = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.to_lowercase()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.to_lowercase()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().map(|name| name.value.to_lowercase()),
        _ => None,
    };
    let mut taken: HashSet<String> = select.projection.iter().filter_map(name_of).collect();
    for (index, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr @ Expr::Cast { .. }) = item else { continue };
        if !is_column(expr) {
            continue;
        }
        let own = names::of(expr);
        let name = if taken.insert(own.to_lowercase()) { own } else { otherwise(index, expr) };
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
    }
}

pub(super) fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_column(expr),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        _ => false,
    }
}

/// What the engine tells an expression from others by.
fn told_apart_by(expr: &Expr) -> String {
    match expr {
        Expr::CompoundIdentifier(names) => names.iter().map(names::folded).collect::<Vec<_>>().join("."),
        Expr::Identifier(name) => names::folded(name),
        // The engine names a cast by what is cast.
        Expr::Cast { expr, .. } | Expr::Nested(expr) => told_apart_by(expr),
        other => other.to_string(),
    }
}

/// Whether a query is one that [`empty`] made, or a union of such.
fn is_without_rows(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => {
            select.from.is_empty()
                && matches!(&select.selection, Some(Expr::Value(ValueWithSpan { value: Value::Boolean(false), .. })))
        }
        SetExpr::Query(query) => is_without_rows(&query.body),
        SetExpr::SetOperation { left, right, .. } => is_without_rows(left) && is_without_rows(right),
        _ => false,
    }
}

/// Where a subquery reads the catalogs and gives a column as it is: its smallest value, which is its only one.
fn give_one_row(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let reads_catalog = |tables: &TableWithJoins| match &tables.relation {
        TableFactor::Table { name, .. } => name.0.len() == 2 && is_catalog(&name.0[0]),
        _ => false,
    };
    let has_groups = !matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty());
    if has_groups || aggregates_all(select) || !select.from.iter().any(reads_catalog) {
        return;
    }
    if let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_mut_slice() {
        *expr = call("min", [expr.clone()]);
        query.order_by = None;
        query.limit_clause = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    fn after(sql: &str) -> String {
        let mut statement = DFParser::parse_sql(sql).unwrap().remove(0).unwrap();
        rewrite(&mut statement);
        statement.to_string()
    }

    #[test]
    fn what_names_no_catalog_stays() {
        for sql in [
            "SELECT well_id, count(*) FROM readings WHERE quality IN (1, 2) GROUP BY well_id ORDER BY 1 LIMIT 5",
            "WITH pg_class AS (SELECT 1 AS a) SELECT a FROM pg_class",
            "SELECT (SELECT max(time) FROM readings) AS latest",
            "EXPLAIN SELECT CAST(value AS INT) AS n FROM readings",
        ] {
            assert_eq!(after(sql), sql);
        }
    }

    #[test]
    fn names_operators_and_types_lose_their_schema() {
        assert_eq!(
            after(
                "SELECT c.oid FROM pg_class c WHERE c.relname OPERATOR(pg_catalog.~) '^(a)$' COLLATE pg_catalog.default"
            ),
            "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname ~ '^(a)$'"
        );
        assert_eq!(after("SELECT pg_catalog.version()"), "SELECT version()");
        assert_eq!(after("SELECT 1::pg_catalog.text, a::oid"), "SELECT 1::TEXT, a::INT AS \"a\"");
        assert_eq!(after("SELECT a = ANY (ARRAY['r', 'v'])"), "SELECT a IN ('r', 'v')");
        assert_eq!(after("SELECT a = ANY('{r,v}')"), "SELECT a IN ('r', 'v')");
    }

    #[test]
    fn objects_are_looked_up() {
        assert_eq!(after("SELECT 'pg_class'::regclass"), "SELECT gwbank_regclass_oid('pg_class')");
        assert_eq!(after("SELECT c.oid::pg_catalog.regclass"), "SELECT gwbank_regclass_name(c.oid)");
        assert_eq!(after("SELECT CAST($2 AS REGCLASS)"), "SELECT gwbank_regclass_oid($2)");
        assert_eq!(after("SELECT oid::regtype::text"), "SELECT format_type(oid)");
        assert_eq!(after("SELECT 'a'::text::regclass"), "SELECT gwbank_regclass_oid('a'::TEXT)");
        assert_eq!(
            after("SELECT 'a'::regclass::oid::regclass"),
            "SELECT gwbank_regclass_name(gwbank_regclass_oid('a'))"
        );
        assert_eq!(after("SELECT 'a'::regclass::oid"), "SELECT gwbank_regclass_oid('a')");
    }

    #[test]
    fn what_reads_nothing_becomes_nothing() {
        assert_eq!(
            after(
                "SELECT i.indkey, pg_get_expr(x, y) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid ORDER BY 1"
            ),
            "SELECT CAST(NULL AS TEXT) AS \"indkey\", CAST(NULL AS TEXT) AS \"pg_get_expr\" WHERE false"
        );
        assert!(after("SELECT * FROM pg_class c LEFT JOIN pg_index i ON i.indrelid = c.oid").contains("LEFT JOIN"));
        assert_eq!(after("SELECT time, time::date"), "SELECT time, time::DATE AS \"gwbank_column_1\"");
        assert_eq!(after("SELECT 1, 1 AS a, 2 AS a"), "SELECT 1, 1 AS a, 2 AS \"gwbank_column_2\"");
        assert_eq!(after("SELECT count(*) FROM pg_index"), "SELECT count(*) FROM pg_catalog.pg_index");
        assert_eq!(after("SELECT (SELECT adbin FROM pg_attrdef WHERE adrelid = 1)"), "SELECT NULL");
        assert_eq!(
            after("SELECT (SELECT t.typcollation FROM pg_type t WHERE t.oid = a.atttypid) FROM pg_attribute a"),
            "SELECT (SELECT min(t.typcollation) FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid) \
             FROM pg_catalog.pg_attribute a"
        );
    }
}
