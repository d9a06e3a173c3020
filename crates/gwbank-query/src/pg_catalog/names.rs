//! How PostgreSQL names the columns of an answer: clients find them by it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectNamePart, Query, SelectItem, SetExpr, Statement as SqlStatement,
};

/// What an expression without a name is called.
const UNNAMED: &str = "?column?";

/// The names of a statement's columns, where its text alone tells them: not where it asks for all columns of a table.
pub(crate) fn names(statement: &Statement) -> Option<Vec<String>> {
    let Statement::Statement(sql) = statement else { return None };
    let SqlStatement::Query(query) = sql.as_ref() else { return None };
    names_of_query(query)
}

/// The same of a query by itself.
pub(crate) fn names_of_query(query: &Query) -> Option<Vec<String>> {
    of_body(&query.body)
}

fn of_body(body: &SetExpr) -> Option<Vec<String>> {
    match body {
        SetExpr::Select(select) => select.projection.iter().map(of_item).collect(),
        SetExpr::Query(query) => of_body(&query.body),
        SetExpr::SetOperation { left, .. } => of_body(left),
        _ => None,
    }
}

fn of_item(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => Some(of(expr)),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

/// A name as it is known: without quotes in small letters.
pub(crate) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// Of one expression.
pub(super) fn of(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => folded(name),
        Expr::CompoundIdentifier(names) => names.last().map_or_else(|| UNNAMED.to_owned(), folded),
        Expr::Function(function) => match function.name.0.last() {
            Some(ObjectNamePart::Identifier(name)) => folded(name),
            _ => UNNAMED.to_owned(),
        },
        Expr::Cast { expr, data_type, .. } => match of(expr) {
            name if name == UNNAMED => data_type.to_string().to_lowercase(),
            name => name,
        },
        Expr::Nested(inner) => of(inner),
        Expr::Case { .. } => "case".to_owned(),
        Expr::Exists { .. } => "exists".to_owned(),
        Expr::Extract { .. } => "extract".to_owned(),
        Expr::Array(_) => "array".to_owned(),
        Expr::Subquery(query) => match of_body(&query.body).as_deref() {
            Some([name]) => name.clone(),
            _ => UNNAMED.to_owned(),
        },
        _ => UNNAMED.to_owned(),
    }
}

/// The schema with these names, where there are as many.
pub(crate) fn named(schema: &SchemaRef, names: Option<Vec<String>>) -> SchemaRef {
    match names {
        Some(names) if names.len() == schema.fields().len() => {
            let fields = schema.fields().iter().zip(names);
            let fields: Vec<Field> = fields.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
            Arc::new(Schema::new(fields))
        }
        _ => schema.clone(),
    }
}

/// The schema with the names that columns lost on their way to the engine.
pub(crate) fn with_lost(schema: &SchemaRef, lost: &[Option<String>]) -> SchemaRef {
    if lost.len() != schema.fields().len() || lost.iter().all(Option::is_none) {
        return schema.clone();
    }
    let named = schema.fields().iter().zip(lost).map(|(field, lost)| match lost {
        Some(name) => field.as_ref().clone().with_name(name),
        None => field.as_ref().clone(),
    });
    Arc::new(Schema::new(named.collect::<Vec<Field>>()))
}

/// The schema with each name once, for those to whom two members of one name are one: `mean`, `mean_1`.
pub(crate) fn told_apart(schema: &SchemaRef) -> SchemaRef {
    let mut seen = HashSet::new();
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let mut name = field.name().clone();
            let mut number = 0;
            while !seen.insert(name.clone()) {
                number += 1;
                name = format!("{}_{number}", field.name());
            }
            field.as_ref().clone().with_name(name)
        })
        .collect();
    if seen.len() == schema.fields().len()
        && fields.iter().zip(schema.fields()).all(|(one, other)| one == other.as_ref())
    {
        return schema.clone();
    }
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    #[test]
    fn two_of_one_name_are_told_apart() {
        let field = |name: &str| Field::new(name, arrow::datatypes::DataType::Int64, true);
        let schema = Arc::new(Schema::new(["a", "b", "a", "a_1", "a"].map(field).to_vec()));
        let told: Vec<String> = told_apart(&schema).fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(told, ["a", "b", "a_1", "a_1_1", "a_2"]);
        let apart = Arc::new(Schema::new(["a", "b"].map(field).to_vec()));
        assert_eq!(told_apart(&apart), apart);
    }

    #[test]
    fn as_postgresql_names_them() {
        let of = |sql: &str| names(&DFParser::parse_sql(sql).unwrap().remove(0).unwrap());
        let sql = "SELECT 1, count(*), avg(value), r.Well_Id, \"Odd\", value::int, 1::int, a + b, x AS Y, (SELECT max(t)), \
                   CASE WHEN a THEN 1 END, pg_catalog.version()";
        let expected =
            ["?column?", "count", "avg", "well_id", "Odd", "value", "int", "?column?", "y", "max", "case", "version"];
        assert_eq!(of(sql).unwrap(), expected);
        assert_eq!(of("SELECT a.*, 1"), None);
        assert_eq!(of("SELECT 1 AS a UNION SELECT 2").unwrap(), ["a"]);
    }
}
