//! Metadata in PostgreSQL.

use std::sync::Arc;

use gwbank_store::Metadata;
use gwbank_store::conformance::metadata_suite;
use gwbank_timescale::{DeadLetterBounds, PostgresMetadata};

use crate::database;

const BOUNDS: DeadLetterBounds = DeadLetterBounds { bytes_max: 1 << 30, bytes_max_per_gateway: 1 << 26 };

#[tokio::test]
async fn keeps_the_rules_of_the_port() {
    metadata_suite(|| async { Arc::new(PostgresMetadata::new(database().await, BOUNDS)) as Arc<dyn Metadata> }).await;
}
