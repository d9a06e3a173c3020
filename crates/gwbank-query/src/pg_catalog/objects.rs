//! What the catalogs tell of: the tables of the engine, each with an id.

use arrow::datatypes::{DataType, SchemaRef};
use parking_lot::RwLock;

use super::{comments, types};
use crate::functions::Function;

/// Of the schema in which the tables are; PostgreSQL's own number of `public`.
pub(super) const PUBLIC_OID: i32 = 2200;
pub(super) const PG_CATALOG_OID: i32 = 11;
pub(super) const INFORMATION_SCHEMA_OID: i32 = 13_000;
/// The first that is not PostgreSQL's own.
const FIRST_OID: i32 = 16_384;
/// Of functions; there are fewer tables than that.
const FIRST_ROUTINE_OID: i32 = 24_576;
/// Ids of the classes themselves, by which comments are found.
pub(super) const PG_CLASS_OID: i32 = 1259;
pub(super) const PG_PROC_OID: i32 = 1255;

/// Classes that `regclass` knows by name beside the tables.
const CLASSES: &[(&str, i32)] = &[
    ("pg_class", PG_CLASS_OID),
    ("pg_type", 1247),
    ("pg_attribute", 1249),
    ("pg_proc", PG_PROC_OID),
    ("pg_constraint", 2606),
    ("pg_attrdef", 2604),
    ("pg_namespace", 2615),
    ("pg_extension", 3079),
    ("pg_database", 1262),
    ("pg_trigger", 2620),
    ("pg_rewrite", 2618),
    ("pg_index", 2610),
];

#[derive(Debug, Clone)]
pub(crate) struct Relation {
    pub(super) oid: i32,
    pub(super) name: String,
    pub(super) is_view: bool,
    pub(super) schema: SchemaRef,
}

impl Relation {
    pub(super) fn comment(&self) -> Option<&'static str> {
        comments::of_table(&self.name)
    }

    pub(super) fn column_comment(&self, number: i32) -> Option<&'static str> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        comments::of_column(&self.name, self.schema.fields().get(index)?.name())
    }
}

/// A function of ours. What the engine has beside them is not listed.
#[derive(Debug, Clone)]
pub(crate) struct Routine {
    pub(super) oid: i32,
    pub(super) function: &'static Function,
    /// `None` where it hangs on the arguments.
    pub(super) result: Option<DataType>,
}

impl Routine {
    /// As it is called: what stands in the parentheses.
    pub(super) fn arguments(&self) -> &'static str {
        let form = self.function.form;
        let inner = form.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        inner.map_or("", |(arguments, _)| arguments)
    }

    pub(super) fn result_oid(&self) -> i32 {
        self.result.as_ref().map_or(types::TEXT.oid, types::oid_of)
    }

    /// As `pg_proc` writes it.
    pub(super) fn kind(&self) -> &'static str {
        match self.function.kind {
            "aggregate" => "a",
            "window" => "w",
            _ => "f",
        }
    }
}

/// A table or view, as every door may tell of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableFacts {
    pub name: String,
    pub is_view: bool,
    pub schema: SchemaRef,
    /// What it is for.
    pub comment: Option<&'static str>,
    /// The same of each column.
    pub column_comments: Vec<Option<&'static str>>,
}

/// Tables and functions, by name. Filled once, before the first query.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    relations: RwLock<Vec<Relation>>,
    routines: RwLock<Vec<Routine>>,
}

impl Objects {
    /// Names, whether each is a view, and their columns; functions and what each gives.
    pub(crate) fn fill(
        &self,
        mut tables: Vec<(String, bool, SchemaRef)>,
        mut functions: Vec<(&'static Function, Option<DataType>)>,
    ) {
        tables.sort_by(|a, b| a.0.cmp(&b.0));
        let numbered = tables.into_iter().zip(FIRST_OID..);
        let relation = |((name, is_view, schema), oid)| Relation { oid, name, is_view, schema };
        *self.relations.write() = numbered.map(relation).collect();
        functions.sort_by_key(|(function, _)| function.name);
        let numbered = functions.into_iter().zip(FIRST_ROUTINE_OID..);
        let routine = |((function, result), oid)| Routine { oid, function, result };
        *self.routines.write() = numbered.map(routine).collect();
    }

    pub(crate) fn facts(&self) -> Vec<TableFacts> {
        let facts = |relation: &Relation| TableFacts {
            name: relation.name.clone(),
            is_view: relation.is_view,
            schema: relation.schema.clone(),
            comment: relation.comment(),
            column_comments: (1..).zip(relation.schema.fields()).map(|(n, _)| relation.column_comment(n)).collect(),
        };
        self.relations.read().iter().map(facts).collect()
    }

    pub(super) fn relations(&self) -> Vec<Relation> {
        self.relations.read().clone()
    }

    pub(super) fn routines(&self) -> Vec<Routine> {
        self.routines.read().clone()
    }

    pub(super) fn by_oid(&self, oid: i32) -> Option<Relation> {
        self.relations.read().iter().find(|relation| relation.oid == oid).cloned()
    }

    pub(super) fn routine(&self, oid: i32) -> Option<Routine> {
        self.routines.read().iter().find(|routine| routine.oid == oid).cloned()
    }

    /// Of a table or a function.
    pub(super) fn comment(&self, oid: i32) -> Option<&'static str> {
        let of_table = self.by_oid(oid).and_then(|relation| relation.comment());
        of_table.or_else(|| self.routine(oid).map(|routine| routine.function.formula))
    }

    /// Of a table by its plain name.
    pub(super) fn columns(&self, name: &str) -> Option<SchemaRef> {
        self.relations.read().iter().find(|relation| relation.name == name).map(|relation| relation.schema.clone())
    }

    /// As `regclass` reads a name: with or without its schema and quotes.
    pub(super) fn oid_of(&self, name: &str) -> Option<i32> {
        let plain = name.rsplit('.').next().unwrap_or(name).trim_matches('"');
        if let Some(relation) = self.relations.read().iter().find(|relation| relation.name == plain) {
            return Some(relation.oid);
        }
        CLASSES.iter().find(|(class, _)| *class == plain).map(|&(_, oid)| oid).or_else(|| plain.parse().ok())
    }

    pub(super) fn name_of(&self, oid: i32) -> Option<String> {
        let relation = self.by_oid(oid).map(|relation| relation.name);
        relation.or_else(|| CLASSES.iter().find(|(_, known)| *known == oid).map(|(name, _)| (*name).to_owned()))
    }
}
