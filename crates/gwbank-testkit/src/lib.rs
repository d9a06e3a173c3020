//! What tests of several crates share: disks that lose what was not synced, in memory or beside a real directory, the
//! switch that cuts their power at one instant, a clock that is not to be trusted, a real PostgreSQL,
//! a real TimescaleDB, a network between that fails, a plain row, statements that mean harm, and the number of rounds.
//! Nothing of the program depends on this crate.

mod clock;
pub mod hostile;
mod inode;
mod postgres;
mod power_cut_disk;
mod power_switch;
mod rounds;
mod rows;
mod shadow_dir;
mod tcp_proxy;
mod timescale;

pub use clock::SeededClock;
pub use inode::torn;
pub use postgres::{Postgres, free_port};
pub use power_cut_disk::{DiskFaults, PowerCutDisk};
pub use power_switch::PowerSwitch;
pub use rounds::{test_rounds, test_seed};
pub use rows::received_row;
pub use shadow_dir::ShadowDir;
pub use tcp_proxy::{TcpProxy, Trouble};
pub use timescale::Timescale;
