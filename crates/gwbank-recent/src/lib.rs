//! The recent window: the newest readings in memory, as immutable sorted chunks published as snapshots.
//!
//! # Constraints
//! - Ingest inserts a few rows at a time, millions a second; a query reads millions at once. Neither waits for the other.
//! - Memory is bounded: about 30 bytes a row, counted exactly, evicted once the archive has the rows.
//! - Every version of a key (see [`gwbank_model::versions`]) is kept as long as somebody may need it.
//!
//! # Structure
//! ```text
//! insert ─▶ small chunk ┐ merged by tiers, at most CHUNK_ROWS_MAX rows a chunk
//!           chunk       ┘ sorted by (series, time, seq); columns; series as runs; never changed
//!           marks         per chunk: rows that are dead (replaced in place, evicted), rows that lost; copied on write
//! snapshot = [(chunk, marks)], covers_from: a handful of Arcs
//! ```
//!
//! # Rules
//! 1. At or after `covers_from` the window knows **every** version of every key: its winner is the winner.
//! 2. Before `covers_from` it holds only what the archive does not have yet (**pending** rows). Which version wins there
//!    the archive must say.
//! 3. A version leaves the window only when it is archived (`seq` ≤ the archive's position) and its key is older than
//!    `covers_from`, or when the same version (key, seq, origin) is inserted again with another quality.
//! 4. One writer by convention, any number of readers. A snapshot never changes.

mod bits;
mod chunk;
mod evict;
mod latest;
mod merge;
mod scan;
mod snapshot;
mod window;

pub use evict::Eviction;
pub use scan::{Columns, RowFilter, Slice, Span, Spans};
pub use snapshot::{Revision, WindowSnapshot, supersessions};
pub use window::{Classified, Window};
