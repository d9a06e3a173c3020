//! The doors for people and programs: HTTP with its JSON, CSV, Arrow and Parquet shapes.
//!
//! ```text
//! request ─→ connection (header time limit, count limit)      [listen]
//!         ─→ guard: Host, Origin, security headers             [guard]
//!         ─→ authentication → role → the route's access        [auth, session]
//!         ─→ handler ─→ a door: SQL, ingest, flags, operations [routes, doors]
//!         ←─ JSON | CSV | Arrow | Parquet | WaterML 2.0 | problem details    [encode, export, problem]
//!         ←─ as it is, or compressed as the client reads it   [compress]
//! ```
//!
//! # Rules
//! 1. Every public JSON shape of the project is defined here; domain types carry none.
//! 2. Every error is an RFC 9457 problem document with a type of its own; a limit names itself.
//! 3. Times are RFC 3339 with an offset, in Thai time (+07:00). NaN and infinity never leave as numbers.
//! 4. An answer that breaks off ends its connection without the final chunk, so that no client takes it for whole.
//! 5. A route without an explicit [`auth::Access`] does not exist.
//!
//! # Invariants: what is absent
//! - No query engine, no pipeline, no database: the crate knows its [`doors`] and the ports of `gwbank-store`.
//! - No cross-origin permission, no external script, style, font or image.

pub mod auth;
mod broken_answers;
mod compress;
mod decimate;
pub mod doors;
pub mod encode;
mod export;
mod guard;
pub mod listen;
pub mod metrics;
mod openapi;
pub mod problem;
mod routes;
mod session;
mod stall;
mod state;
pub mod views;

pub use listen::{HttpServer, ServeError};
pub use routes::bulletin::latest_bulletin;
pub use routes::router;
pub use routes::scorecard::ScorecardRules;
pub use state::{App, AppParts, Limits, PublicView, Reach};
