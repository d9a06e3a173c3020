//! The embedded stores: readings as a Delta Lake table, metadata in SQLite.
//!
//! ```text
//! {dir}/readings/_delta_log/…                                   the table's log; a commit is one entry
//! {dir}/readings/month=2026-11/superseded=false/part-….parquet  winners: every key exactly once
//! {dir}/readings/month=2026-11/superseded=true/part-….parquet   losers, with what superseded them
//! {dir}/series_ranges.json                                      a cache: from when to when each series has rows
//! ```
//!
//! # For readers of the files
//! `superseded = false` is exact at every version of the table: one row a key, the winner. DuckDB, Polars, Spark and
//! Trino read it directly. Names are strings, times are UTC microseconds, `received_at` is `seq >> 20` in milliseconds.
//!
//! # Rules
//! 1. A file is on disk, with its directory, before the log entry that names it; the entry is on disk, with its directory,
//!    before a commit returns. A cut anywhere leaves the table before or after the commit, and files that no entry names
//!    are removed later. A checkpoint has its name when its bytes are durable, and entries below it go after that.
//! 2. The position is the application transaction `gwbank` of the entry. A commit whose entry was lost is repeated by the
//!    replay of the journal and finds nothing; one whose entry survived finds its rows known.
//! 3. One writer. An entry of somebody else (an OPTIMIZE from outside) is noticed, the table read anew, the commit refused
//!    once as unavailable.
//! 4. Files are never changed. A removed file stays for readers from outside for a while, and as long as a snapshot of
//!    this process holds it.

mod archive;
mod error;
mod metadata;

pub use archive::{DeltaArchive, DeltaConfig, DiskHook, DiskOperation};
pub use error::DeltaError;
pub use metadata::{SqliteConfig, SqliteMetadata};
