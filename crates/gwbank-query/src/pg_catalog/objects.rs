//! What the catalogs tell of: the tables of the engine, each with an id.

use arrow::datatypes::SchemaRef;
use parking_lot::RwLock;

use super::comments;

/// Of the schema in which the tables are; PostgreSQL's own number of `public`.
pub(super) const PUBLIC_OID: i32 = 2200;
pub(super) const PG_CATALOG_OID: i32 = 11;
pub(super) const INFORMATION_SCHEMA_OID: i32 = 13_000;
/// The first that is not PostgreSQL's own.
const FIRST_OID: i32 = 16_384;
/// Ids of the classes themselves, by which comments are found.
pub(super) const PG_CLASS_OID: i32 = 1259;

/// Classes that `regclass` knows by name beside the tables.
const CLASSES: &[(&str, i32)] = &[
    ("pg_class", PG_CLASS_OID),
    ("pg_type", 1247),
    ("pg_attribute", 1249),
    ("pg_proc", 1255),
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

/// The tables, by name. Filled once, before the first query.
#[derive(Debug, Default)]
pub(crate) struct Objects(RwLock<Vec<Relation>>);

impl Objects {
    /// Names, whether each is a view, and their columns.
    pub(crate) fn fill(&self, mut tables: Vec<(String, bool, SchemaRef)>) {
        tables.sort_by(|a, b| a.0.cmp(&b.0));
        let numbered = tables.into_iter().zip(FIRST_OID..);
        let relation = |((name, is_view, schema), oid)| Relation { oid, name, is_view, schema };
        *self.0.write() = numbered.map(relation).collect();
    }

    pub(crate) fn facts(&self) -> Vec<TableFacts> {
        let facts = |relation: &Relation| TableFacts {
            name: relation.name.clone(),
            is_view: relation.is_view,
            schema: relation.schema.clone(),
            comment: relation.comment(),
            column_comments: (1..).zip(relation.schema.fields()).map(|(n, _)| relation.column_comment(n)).collect(),
        };
        self.0.read().iter().map(facts).collect()
    }

    pub(super) fn relations(&self) -> Vec<Relation> {
        self.0.read().clone()
    }

    pub(super) fn by_oid(&self, oid: i32) -> Option<Relation> {
        self.0.read().iter().find(|relation| relation.oid == oid).cloned()
    }

    /// As `regclass` reads a name: with or without its schema and quotes.
    pub(super) fn oid_of(&self, name: &str) -> Option<i32> {
        let plain = name.rsplit('.').next().unwrap_or(name).trim_matches('"');
        if let Some(relation) = self.0.read().iter().find(|relation| relation.name == plain) {
            return Some(relation.oid);
        }
        CLASSES.iter().find(|(class, _)| *class == plain).map(|&(_, oid)| oid).or_else(|| plain.parse().ok())
    }

    pub(super) fn name_of(&self, oid: i32) -> Option<String> {
        let relation = self.by_oid(oid).map(|relation| relation.name);
        relation.or_else(|| CLASSES.iter().find(|(_, known)| *known == oid).map(|(name, _)| (*name).to_owned()))
    }
}
