//! Metadata in PostgreSQL.

use std::sync::Arc;

use gwbank_store::Metadata;
use gwbank_store::conformance::metadata_suite;
use gwbank_testkit::Postgres;
use gwbank_timescale::{Database, DatabaseConfig, DeadLetterBounds, PostgresMetadata};

use crate::database;

const BOUNDS: DeadLetterBounds = DeadLetterBounds { bytes_max: 1 << 30, bytes_max_per_gateway: 1 << 26 };

#[tokio::test]
async fn keeps_the_rules_of_the_port() {
    metadata_suite(|| async { Arc::new(PostgresMetadata::new(database().await, BOUNDS)) as Arc<dyn Metadata> }).await;
}

#[tokio::test]
async fn one_node_replays_at_a_time() {
    let url = Postgres::shared().empty_database();
    let node = |node_id| Database::new(&DatabaseConfig { node_id, ..DatabaseConfig::new(&url) }).unwrap();
    let (one, other) = (node(0), node(1));
    one.migrate().await.unwrap();
    let (one, other) = (PostgresMetadata::new(one, BOUNDS), PostgresMetadata::new(other, BOUNDS));
    let permit = one.replay_permit().await.unwrap();
    assert!(permit.is_some() && other.replay_permit().await.unwrap().is_none());
    drop(permit);
    // The session's end is the database's to see.
    while other.replay_permit().await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}
