//! What gateways send, read into readings and faults.
//!
//! [`decode`] takes one payload and gives every reading that could be understood, and a [`Fault`] for everything that
//! could not: it never panics and never fails as a whole. [`route`] says what a topic carries.
//!
//! # Rules
//! 1. **Nothing is guessed.** An unknown parameter or unit, a time without offset, a bare `pressure` is a fault that
//!    names the field and the mend. What is corrected (Buddhist-era years, a configured zone) is said in
//!    [`Reading::time_source`](gwbank_model::Reading) and [`Decoded::corrections`].
//! 2. **One bad record never costs the good ones beside it.** A fault belongs to a field where the field alone is wrong
//!    (its value, its unit, an unknown key), to a record where the record cannot be read without it (well, time,
//!    status, revision), and to the message where the text itself breaks.
//! 3. **Native JSON that breaks in the middle keeps the records completed before the break** and gives one fault
//!    `unreadable` for the rest. A SenML pack is one unit (its base fields and "must understand" labels speak for the
//!    whole): one that breaks is refused whole, with one fault.
//! 4. **Every payload gives at least one reading or fault**, and every fault says how many readings it stands for, so
//!    that received = readings + Σ `fault.readings`. The one exception: a payload of nothing but fields that a device
//!    profile ignores.
//! 5. A value that is null, or a configured sentinel before unit conversion, is a reading without value.
//!
//! # Invariants
//! - Pure: no I/O, no clock, no tokio. The present instant is a field of [`Context`].
//! - Bounded: see [`limits`].

mod context;
mod decode;
mod fault;
pub mod fuzz;
mod glob;
mod json;
pub mod limits;
mod profile;
mod reason;
mod repair;
mod route;
mod scalar;
mod senml;
pub mod time;
pub mod units;

pub use context::{Context, DEFAULT_SENTINELS, FUTURE_TOLERANCE_MICROS, Format, SourceKind};
pub use decode::decode;
pub use fault::{Correction, Decoded, Fault};
pub use json::write as write_json;
pub use profile::{DeviceProfile, DeviceProfiles, FieldReading, FieldRule, GatewayProfiles, ProfileError};
pub use reason::Reason;
pub use route::{Route, route};
