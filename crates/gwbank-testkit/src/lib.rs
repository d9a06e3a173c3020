//! What tests of several crates share: a disk that loses what was not synced, a clock that is not to be trusted, and
//! the number of rounds. Nothing of the program depends on this crate.

mod clock;
mod inode;
mod power_cut_disk;
mod rounds;

pub use clock::SeededClock;
pub use power_cut_disk::{DiskFaults, PowerCutDisk};
pub use rounds::test_rounds;
