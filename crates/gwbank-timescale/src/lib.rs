//! Readings and metadata in PostgreSQL, with TimescaleDB where it is there.
//!
//! ```text
//! Database          pool, TLS, time limits, migrations
//!   PostgresArchive   Archive: readings and their former versions
//!   PostgresMetadata  Metadata: gateways, dead letters, wells, marks, condition flags, outbox
//! ```
//!
//! # Rules
//! 1. Nothing here is waited for before an acknowledgement: the journal is what makes a reading durable.
//! 2. An effect and the position that it brings are one transaction. A commit may be repeated.
//! 3. Every error leaves nothing of its commit behind, and says what an operator can do.

mod archive;
mod connect;
mod database;
mod error;
pub mod fuzz;
mod metadata;
mod migrate;
mod policies;
mod values;

pub use archive::PostgresArchive;
pub use database::{Database, DatabaseConfig};
pub use error::DatabaseError;
pub use metadata::{DeadLetterBounds, PostgresMetadata};
pub use migrate::{Applied, Layout};
pub use policies::Policies;
