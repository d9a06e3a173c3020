//! The pipeline and its sources against the ports in memory, the embedded stores, the real disk and real brokers.

mod brokers;
mod clock;
mod conservation;
mod dead_letters;
mod embedded;
mod faults;
mod gated;
mod holding;
mod model;
mod power_cut;
mod profiles;
mod rejudge;
mod rig;
mod time_raw;
