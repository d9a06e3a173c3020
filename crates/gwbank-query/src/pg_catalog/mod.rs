//! The catalogs by which clients of PostgreSQL learn what there is: psql's `\d`, drivers, dashboards.
//!
//! ```text
//! statement of a connection ─▶ rewrite: what only PostgreSQL writes becomes what the engine plans
//!                           ─▶ tables of the schema pg_catalog, functions of the same names
//! ```
//!
//! # Rules
//! 1. Nothing is told that is not so: there are no indexes, constraints or triggers, so the tables of them are empty.
//! 2. Statements that join or repeat are rewritten on their way to the engine, and columns keep the names that PostgreSQL
//!    would give them.
//! 3. Object ids are counted from the sorted names, so that they stay for as long as the program does.
//! 4. The schema is asked by name and lists nothing: `SHOW TABLES` shows what a hydrologist looks for.

mod comments;
mod drivers;
mod functions;
mod names;
mod objects;
mod outputs;
mod rewrite;
mod tables;
mod types;
mod wildcards;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;

pub(crate) use names::{folded, named, names, names_of_query, told_apart, with_lost};
pub(crate) use objects::Objects;
pub use objects::TableFacts;
pub(crate) use outputs::rename;
pub(crate) use rewrite::{call, rewrite, tell_casts_apart};
pub(crate) use wildcards::expand;

/// The name of the schema.
pub(crate) const SCHEMA: &str = "pg_catalog";

/// Adds the functions.
pub(crate) fn register_functions(state: &mut SessionState, objects: &Arc<Objects>) -> Result<()> {
    for function in functions::functions(objects) {
        state.register_udf(Arc::new(function))?;
    }
    Ok(())
}

/// The tables, which are found by their names and not listed.
#[derive(Debug)]
pub(crate) struct PgCatalog(pub(crate) Arc<Objects>);

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        tables::table(name, &self.0)
    }

    fn table_exist(&self, name: &str) -> bool {
        tables::exists(name)
    }
}
