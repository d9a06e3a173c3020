//! A simulated country: weather, aquifers, groundwater banks, sensors and gateways of all 77 provinces.
//!
//! For the demo, for load, and for tests that need data with a meaning. [`World::new`] makes everything from a
//! [`SimConfig`]; then [`World::wells`] is the registry, [`World::history`] the messages of past years in the order in
//! which they were sent, and [`World::live`] the messages of any instant.
//!
//! # What is simulated
//! - [`climate`]: daily rain, with seasons, wet and dry years, and neighbours that share them.
//! - `aquifer`: soil → recharge → lag → linear reservoir → depth to water; ponds and pits that storms fill, and that clog
//!   where [`SimConfig::clogging`] says so.
//! - `sensor`: millimetre noise, drift, spikes, flat lines, outages, missing values, dry wells.
//! - [`Truth`]: what an instrument cannot know: recharge, infiltration, fills, high water, defects. Estimators are measured
//!   against it.
//! - `gateway` habits: four ways to write a message, batches of about 100 readings, late and doubled batches, a few wrong
//!   clocks (a Buddhist-era year, local time sent as UTC, 1980, the future).
//!
//! The weather alone makes the droughts and high waters: nothing is put in by hand, and nothing is special about the last
//! years. But climate noise is counted back from the end of the history, and [`SimConfig::DEFAULT_SEED`] was chosen so that,
//! whatever the day on which a demo starts, some province is in drought and some wells stand above their flood limit.
//!
//! # Invariants
//! - Pure and seeded: the same configuration gives the same bytes, in every order of asking. (Across platforms up to the
//!   last digit of the system's `exp` and `ln`.)
//! - No clock: the instants are handed in.
//! - The wells' places are real, their data and names are invented.

mod aquifer;
pub mod climate;
mod config;
mod encode;
mod history;
mod live;
mod network;
mod random;
mod sensor;
mod truth;
mod world;

pub use config::{Clogging, SimConfig, SimError};
pub use encode::Message;
pub use history::History;
pub use live::Live;
pub use network::{Gateway, Kind};
pub use random::Noise;
pub use sensor::{Defects, Level};
pub use truth::{AquiferFacts, Fill, Truth, WaterTable};
pub use world::World;
