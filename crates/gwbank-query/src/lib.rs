//! SQL over everything that gwbank knows: one `readings` table over the recent window and the whole history.
//!
//! ```text
//! SQL ─▶ statement check ─▶ plan ─▶ plan check ─▶ run on the query runtime ─▶ batches, within limits
//!                            │
//!                            └ readings: one read cut a query (window snapshot first, archive snapshot when needed)
//! ```
//!
//! # Rules
//! 1. **Read-only by plan.** Only queries, `EXPLAIN`, `DESCRIBE` and `SHOW TABLES/COLUMNS` pass; no table or function
//!    reaches a file or the network.
//! 2. **One read cut.** All tables of a query see one window snapshot and one archive snapshot. At or after the
//!    window's `covers_from` the window alone answers; before it the archive and what is pending, one winner a key. So
//!    no plan shape changes an answer.
//! 3. **Complete or an error.** When the archive is needed and down, the query fails and says so.
//! 4. **Limits** on rows and seconds, on memory and spilled bytes of a query and of all together, and on queries at a
//!    time, each with its own error that names the limit and its key. A dropped result stops computing, and so does a plan
//!    that never yields: see `guard`.
//! 5. **Users take turns.** Who waits for a place stands in a line per user: see `queue`.
//! 6. **Away from ingest.** Queries run on a runtime of their own.
//!
//! # Invariant: what is absent
//! - No setting survives a query, no statement changes anything, no file format and no object store is registered.

mod carried;
mod config;
mod connection_views;
mod engine;
mod error;
pub mod functions;
mod gapfill;
mod guard;
mod known_at;
mod known_earlier;
mod latest;
mod local_time;
mod memory;
mod pg_catalog;
mod queue;
mod readings;
mod request;
mod series_reader;
mod session;
mod set_comparison;
mod spill;
mod statement;
mod summaries;
mod tables;
mod unnest_keys;
mod utc;
mod views;
mod words;

pub use config::{ConfigProblem, LevelRules, QueryConfig};
pub use connection_views::ConnectionView;
pub use engine::{QueryEngine, QueryResult, QuerySources, QueryStats};
pub use error::{Limit, Named, QueryError, QueryErrorKind};
pub use known_earlier::EarlierValue;
pub use pg_catalog::TableFacts;
pub use request::{ConnectionFacts, Description, Dialect, Request};
pub use statement::STATEMENT_BYTES_MAX;
pub use tables::{GatewayRow, GatewaySource, MetadataGateways};
