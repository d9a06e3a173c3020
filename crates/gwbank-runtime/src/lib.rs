//! What every long-running part needs: a clock that tests can set, back-off with jitter, a limit for those who fail again
//! and again, shutdown in two phases.
//!
//! # Invariant
//! The wall clock is read here and nowhere else, so that a test decides what time it is.

mod backoff;
mod clock;
mod failures;
mod shutdown;

pub use backoff::Backoff;
pub use clock::{Clock, ManualClock, SystemClock};
pub use failures::FailureLimit;
pub use shutdown::{Shutdown, ShutdownTrigger};
