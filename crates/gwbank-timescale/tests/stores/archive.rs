//! Readings in PostgreSQL.

use std::sync::Arc;

use gwbank_store::conformance::archive_suite;
use gwbank_store::{Archive, RowNames};
use gwbank_timescale::PostgresArchive;

use crate::database;

#[tokio::test]
async fn keeps_the_rules_of_the_port() {
    archive_suite(|names: RowNames| async move {
        Arc::new(PostgresArchive::open(database().await, names).await.unwrap()) as Arc<dyn Archive>
    })
    .await;
}
