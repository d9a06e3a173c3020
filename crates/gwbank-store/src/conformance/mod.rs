//! What every implementation of the ports is tested with, from its own crate's tests.
//!
//! The suites are plain async functions that panic on the first broken rule. They need no test framework, no clock and
//! no other crate, so that they can run against a file, a database in a container or memory alike.

mod archive;
mod dead_letters;
mod metadata;
pub mod model;
mod offices;
mod outbox;
mod summary;

pub use archive::{archive_suite, check_against_model, read_all};
pub use metadata::metadata_suite;
