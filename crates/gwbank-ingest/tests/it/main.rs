//! The pipeline and its sources against the ports in memory, the real disk and real brokers.

mod brokers;
mod clock;
mod conservation;
mod embedded;
mod faults;
mod holding;
mod model;
mod profiles;
mod rig;
