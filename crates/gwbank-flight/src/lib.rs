//! The door for Arrow Flight SQL: ADBC, pandas, polars and other clients that take whole columns, over one read-only engine.
//!
//! ```text
//! bytes ─→ socket: TLS, HTTP/2 preface, places        who is not known yet is bounded in number and time
//!       ─→ service: who asks [gate], then the call
//!            ├ what there is [catalog], what the server can do [info]
//!            ├ prepared statements [prepared] and their parameters [parameters]
//!            └ statements: described at GetFlightInfo, run at DoGet [running]
//!       ←─ answer: batches in types that every client knows, as IPC messages of a bounded size
//! ```
//!
//! # Rules
//! 1. **A query runs at DoGet.** A ticket is the statement itself: nothing is computed or held for a client that
//!    never comes back with it.
//! 2. An answer is never held in memory: a batch is encoded, sent and forgotten.
//! 3. Whoever goes away, cancels or is too slow drops the query, which stops it, also while nobody reads from it.
//! 4. Memory is bounded before anybody is known, and after it: connections, messages, prepared statements, tokens, sessions.
//! 5. What an answer's schema was told to be, it is: clients compare.
//!
//! # Invariants: what is absent
//! - No query engine and no password: the crate knows its [`door`]. No statement changes data; updates, bulk ingestion,
//!   Substrait and transactions are refused by name.
//! - No compression of columns: on a local line it costs more than it saves, and what is sent compressed is refused unread.

mod answer;
mod catalog;
pub mod door;
mod error;
mod gate;
mod info;
mod kept;
mod parameters;
mod prepared;
mod running;
mod server;
mod service;
mod sessions;
mod socket;
mod ticket;

pub use server::{FlightServer, FlightServerError, Limits, ServerParts};
