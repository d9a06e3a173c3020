//! The journal against a simple model, faults, and corruptions made by hand.

mod bench;

mod corruption;
mod fuzz;
mod limits;
mod model;
mod real_disk;
