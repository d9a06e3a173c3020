//! From what sensors in wells say to levels: distances, columns of water, gauge and absolute pressures become readings of
//! `depth_to_water`, by the installations that the registry names and the air that a barometer weighs.
//!
//! ```text
//! readings of sensors and barometers ─┐
//! registry: what hung where, when     ├─▶ [`levels`] ─▶ compared with what is stored ─▶ readings of `depth_to_water`
//! levels stored before                ┘                                                 (sender `gwbank.levels`)
//! ```
//!
//! # Rules
//! 1. A converted level is a reading like any other: journaled, judged by the limits of levels, corrected by a higher revision,
//!    kept with what it was before. The readings that it comes from stay as they are.
//! 2. A level is a function of the readings' values, the registry and the rules ([`levels`]); of quality only what a value
//!    alone shows, whether it is possible at all. So the order of arrival leaves no trace, and a reading that is marked later
//!    takes nothing away: the level made of it is judged by itself.
//! 3. A level that a gateway sends at the same instant stands: the conversion writes only where there is none, or its own.
//! 4. What cannot be converted any more, because an installation was registered otherwise or the air was taken back, is
//!    stored as missing, never left as it was.
//! 5. Nothing is forgotten: a changed month is marked in the transaction that accounts for the readings, and unmarked once
//!    its levels are durable; a changed installation is found by the fingerprint of each well. Live changes are told in memory,
//!    so that the marks of what this process has converted need no second look.

mod converter;
mod levels;
mod mounting;
mod parts;

pub use converter::{Converter, ConverterHandle, Report};
pub use levels::{Level, SensorReadings, levels};
pub use mounting::{AIR_GAP_MICROS, Mounting, Plan};
pub use parts::{ConversionError, ConverterParts, LevelSink, SensorChange, SensorChanges, SinkError};
