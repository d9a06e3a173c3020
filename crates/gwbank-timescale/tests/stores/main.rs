//! The stores in a real PostgreSQL against the rules of their ports.

mod archive;
mod fuzz;
mod metadata;
mod migrations;
mod rollups;
mod scan;
mod timescale;

use gwbank_testkit::Postgres;
use gwbank_timescale::{Database, DatabaseConfig};

/// An empty database with the present schema.
async fn database() -> Database {
    let database = Database::new(&DatabaseConfig::new(Postgres::shared().empty_database())).unwrap();
    database.migrate().await.unwrap();
    database
}
