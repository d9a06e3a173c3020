//! `SELECT c.oid, c.* FROM pg_class c`: all columns of a table beside columns that are among them.
//!
//! The engine refuses an answer whose columns repeat a name, and its clients would not learn the names PostgreSQL gives
//! them. So where something stands beside a `*`, the columns are written out.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use super::objects::Objects;
use super::{SCHEMA, tables};

/// Writes out the columns, where the tables are known.
pub(crate) fn expand(statement: &mut Statement, objects: &Arc<Objects>) {
    match statement {
        Statement::Statement(sql) => {
            let _ = sql.visit(&mut Expander(objects));
        }
        Statement::Explain(explain) => expand(&mut explain.statement, objects),
        _ => {}
    }
}

struct Expander<'a>(&'a Objects);

impl VisitorMut for Expander<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let is_wildcard =
            |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        if select.projection.len() > 1
            && select.projection.iter().any(is_wildcard)
            && let Some(items) = self.written_out(select)
        {
            select.projection = items;
        }
        ControlFlow::Continue(())
    }
}

/// A table of a FROM: what its columns are named by, and the columns.
struct Source {
    qualifier: Ident,
    columns: SchemaRef,
}

impl Source {
    fn has(&self, column: &Ident) -> bool {
        let name = if column.quote_style.is_some() { column.value.clone() } else { column.value.to_lowercase() };
        self.columns.field_with_name(&name).is_ok()
    }

    fn items(&self) -> impl Iterator<Item = SelectItem> {
        self.columns.fields().iter().map(|field| {
            let column = written(field.name());
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(vec![self.qualifier.clone(), column]))
        })
    }
}

/// Without quotes where it needs none, as a person writes it.
fn written(column: &str) -> Ident {
    let is_plain = column.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { Ident::new(column) } else { Ident::with_quote('"', column) }
}

impl Expander<'_> {
    fn written_out(&self, select: &Select) -> Option<Vec<SelectItem>> {
        let plain = WildcardAdditionalOptions::default();
        let (mut items, mut expanded) = (Vec::new(), Vec::new());
        for item in &select.projection {
            match item {
                SelectItem::Wildcard(options) if *options == plain => {
                    for factor in all_factors(select)? {
                        let source = self.source(factor)?;
                        items.extend(source.items());
                        expanded.push(source);
                    }
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
                    if *options == plain =>
                {
                    let wanted = last(name)?.value.to_lowercase();
                    let mut sources = factors(select).filter_map(|factor| self.source(factor));
                    let source = sources.find(|source| source.qualifier.value.to_lowercase() == wanted)?;
                    items.extend(source.items());
                    expanded.push(source);
                }
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => return None,
                other => items.push(other.clone()),
            }
        }
        // `well_id, *`: which column is meant is said, so that both are seen to be the same.
        for item in &mut items {
            if let SelectItem::UnnamedExpr(expr) = item
                && let Expr::Identifier(column) = expr
                && let Some(source) = expanded.iter().find(|source| source.has(column))
            {
                *expr = Expr::CompoundIdentifier(vec![source.qualifier.clone(), column.clone()]);
            }
        }
        Some(items)
    }

    fn source(&self, factor: &TableFactor) -> Option<Source> {
        let TableFactor::Table { name, alias, args: None, .. } = factor else { return None };
        let table = last(name)?.value.to_lowercase();
        let columns = match name.0.as_slice() {
            [ObjectNamePart::Identifier(schema), _] if schema.value.eq_ignore_ascii_case(SCHEMA) => {
                tables::columns(&table)
            }
            [ObjectNamePart::Identifier(schema), _] if schema.value.eq_ignore_ascii_case("public") => {
                self.0.columns(&table)
            }
            [_] => self.0.columns(&table).or_else(|| tables::columns(&table)),
            _ => None,
        }?;
        let renamed = alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
        let qualifier = alias.as_ref().map_or_else(|| last(name).cloned(), |alias| Some(alias.name.clone()))?;
        (!renamed).then_some(Source { qualifier, columns })
    }
}

fn last(name: &ObjectName) -> Option<&Ident> {
    match name.0.last()? {
        ObjectNamePart::Identifier(name) => Some(name),
        ObjectNamePart::Function(_) => None,
    }
}

fn factors(select: &Select) -> impl Iterator<Item = &TableFactor> {
    select.from.iter().flat_map(|tables: &TableWithJoins| {
        std::iter::once(&tables.relation).chain(tables.joins.iter().map(|join| &join.relation))
    })
}

/// All whose columns a bare `*` means; `None` where joined columns are shown once.
fn all_factors(select: &Select) -> Option<Vec<&TableFactor>> {
    let merges = |operator: &JoinOperator| {
        let constraint = match operator {
            JoinOperator::Join(on)
            | JoinOperator::Inner(on)
            | JoinOperator::Left(on)
            | JoinOperator::LeftOuter(on)
            | JoinOperator::Right(on)
            | JoinOperator::RightOuter(on)
            | JoinOperator::FullOuter(on)
            | JoinOperator::CrossJoin(on) => on,
            _ => return true,
        };
        !matches!(constraint, JoinConstraint::On(_) | JoinConstraint::None)
    };
    let mut joins = select.from.iter().flat_map(|tables| &tables.joins);
    (!joins.any(|join| merges(&join.join_operator))).then(|| factors(select).collect())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::sql::parser::DFParser;

    use super::*;

    fn after(sql: &str) -> String {
        let objects = Arc::new(Objects::default());
        let column = |name: &str| Field::new(name, DataType::Utf8, true);
        let wells = Arc::new(Schema::new(vec![column("well_id"), column("Depth")]));
        objects.fill(vec![("wells".to_owned(), false, wells)], Vec::new());
        let mut statement = DFParser::parse_sql(sql).unwrap().remove(0).unwrap();
        expand(&mut statement, &objects);
        statement.to_string()
    }

    #[test]
    fn columns_beside_a_star_are_written_out() {
        assert_eq!(
            after("SELECT w.well_id, w.*, 1 AS a FROM wells w"),
            "SELECT w.well_id, w.well_id, w.\"Depth\", 1 AS a FROM wells w"
        );
        assert_eq!(
            after("SELECT well_id, * FROM public.wells"),
            "SELECT wells.well_id, wells.well_id, wells.\"Depth\" FROM public.wells"
        );
        assert!(after("SELECT a.oid, a.* FROM pg_catalog.pg_am a").contains("a.amname"));
        for unchanged in [
            "SELECT * FROM wells",
            "SELECT 1, x.* FROM other x",
            "SELECT 1, * FROM wells JOIN wells AS b USING(well_id)",
            "SELECT 1, w.* EXCLUDE (depth) FROM wells w",
        ] {
            assert_eq!(after(unchanged), unchanged);
        }
    }
}
