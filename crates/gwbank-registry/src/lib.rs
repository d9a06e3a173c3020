//! The registry: wells, what stood in them, and the places that they lie in. Pure data, parsing and checks.

mod well;

pub use well::{AquiferCondition, BankType, Installation, PressureKind, Sampling, Well, WellStatus};
