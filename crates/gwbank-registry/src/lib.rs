//! The registry: wells, what stood in them, and the places that they lie in. Pure data, parsing and checks.
//!
//! - [`Registry`]: an immutable snapshot that everything else asks.
//! - [`import`]: wells and installations from and to CSV and GeoJSON.
//! - [`office`]: who is told of condition flags, and how.
//! - [`places`]: the provinces, districts and subdistricts of Thailand, built in.
//!
//! # Invariants
//! - No I/O: bytes come in, values and faults go out.
//! - Nothing of a file is applied when any of it is at fault; every fault is named by line and column with its mend.

pub mod import;
pub mod office;
mod outline;
pub mod places;
mod problem;
mod registry;
mod well;

#[cfg(test)]
mod testing;

pub use outline::Ring;
pub use problem::{RegistryProblem, Weight};
pub use registry::Registry;
pub use well::{AquiferCondition, BankType, Installation, PressureKind, Sampling, Well, WellStatus};
