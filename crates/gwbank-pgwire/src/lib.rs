//! The door for PostgreSQL's clients: protocol 3.0, simple and extended, over one read-only engine.
//!
//! ```text
//! bytes ─→ protocol: messages            pure: no socket, no meaning
//!       ─→ connection: TLS, password, requests, cancel, timeout
//!            ├ sql: commands of the connection itself (SET, BEGIN, PREPARE, DECLARE, COPY … TO STDOUT)
//!            ├ session: what it remembers
//!            └ door: everything else, to the engine
//!       ←─ types: Arrow arrays as text or binary values
//! ```
//!
//! # Rules
//! 1. A connection has a session of its own; nothing of it is seen by another.
//! 2. An answer is never held in memory: a batch is written, sent and forgotten.
//! 3. While the engine works, the client's cancel request, its timeout and its leaving are looked for; each drops the
//!    query, which stops it.
//! 4. Memory is bounded before anybody is known, and after it.
//!
//! # Invariants: what is absent
//! - No query engine: the crate knows its [`door`]. No statement changes data, whatever its transaction says.
//! - No clear-text password: SCRAM-SHA-256, or no password at all where nobody is configured.

pub mod auth;
mod cancel;
mod connection;
pub mod door;
pub mod error;
pub mod fuzz;
mod protocol;
pub mod scram;
pub mod server;
mod session;
mod sql;
mod tls;
mod types;

pub use auth::{User, Users};
pub use scram::Verifier;
pub use server::{Limits, PgWireError, PgWireServer, ServerParts};
pub use session::SERVER_VERSION;
