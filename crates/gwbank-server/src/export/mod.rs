//! Readings of a selection as one file: what is asked, in which pieces it is read, and how it is written.
//!
//! ```text
//! Selection ─→ plan: series with their counts ─→ statements, each of a bounded number of readings ─→ batches
//!                                                             CSV, Parquet [encode] · WaterML 2.0 [waterml]
//! ```
//!
//! # Rules
//! 1. Nothing of the answer is held: a statement reads at most [`READINGS_AT_ONCE`] readings where series permit that, and the
//!    next one begins when its rows have left. So an export has no limit of rows or seconds, and other queries have their turn
//!    between two statements.
//! 2. Rows come by well, parameter and time, in every format.
//! 3. A series is read up to its last reading at the beginning: what comes in later does not lengthen it. What is corrected
//!    meanwhile is told as it stands when it is read.

mod plan;
mod selection;
mod waterml;

pub(crate) use plan::{Plan, batches};
pub(crate) use selection::{Interval, Selection, day_of};
pub(crate) use waterml::waterml;

/// Readings of one statement: few enough to be sorted in memory, enough that planning does not count.
const READINGS_AT_ONCE: u64 = 200_000;
