//! Files of history, read into readings: CSV, CSV.gz, Parquet, with a map for foreign columns, parameters and units.
//!
//! # Rules
//! 1. Every row ends in one of three ways: a reading, **refused** (its parameter or unit has no target in the map; counted
//!    by parameter), or **bad** (it cannot be read; named by line).
//! 2. Nothing is guessed: a parameter that is not named in the map and is none of ours is refused.
//! 3. Rows keep the order of the file: where it repeats a time, the last value wins.

mod file;
mod lines;
mod map;
mod times;

use std::collections::BTreeMap;

pub use file::read_file;
pub use map::Map;

/// Bad rows that are named one by one; the rest are counted.
pub const BAD_ROWS_NAMED_MAX: usize = 10;

/// What the rows of some files came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    pub rows: u64,
    pub readings: u64,
    /// By parameter as the file names it (with the unit where that is what has no target).
    pub refused: BTreeMap<String, RefusedRows>,
    pub bad: u64,
    pub bad_named: Vec<String>,
}

/// Rows that were refused for one reason.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RefusedRows {
    pub count: u64,
    /// File and line of the first.
    pub first: String,
    /// Why, and what to do.
    pub detail: String,
}

impl Tally {
    pub fn refused_total(&self) -> u64 {
        self.refused.values().map(|rows| rows.count).sum()
    }

    pub fn add(&mut self, other: Tally) {
        self.rows += other.rows;
        self.readings += other.readings;
        self.bad += other.bad;
        for (parameter, rows) in other.refused {
            match self.refused.get_mut(&parameter) {
                Some(known) => known.count += rows.count,
                None => drop(self.refused.insert(parameter, rows)),
            }
        }
        let room = BAD_ROWS_NAMED_MAX.saturating_sub(self.bad_named.len());
        self.bad_named.extend(other.bad_named.into_iter().take(room));
    }
}
