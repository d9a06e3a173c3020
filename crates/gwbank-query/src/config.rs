//! What a query may use.

use std::path::PathBuf;

use gwbank_model::Zone;

/// What the view `levels_monthly` counts: as the indicators do, by the section `[indicators]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelRules {
    /// Quality flags whose values count.
    pub qualities: Vec<u8>,
    /// Days that make a month, of wells with a logger and of those read by hand.
    pub days_min_logger: u32,
    pub days_min_manual: u32,
}

impl Default for LevelRules {
    fn default() -> Self {
        Self { qualities: vec![1, 2], days_min_logger: 15, days_min_manual: 1 }
    }
}

/// The section `[query]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryConfig {
    /// Memory of the operators of one query (sorts, joins, groups). What does not fit is spilled, or the query fails.
    pub memory_bytes_per_query: usize,
    /// The same of all queries together. Half of it is shared out among [`Self::concurrent_max`] places.
    pub memory_bytes_for_all: usize,
    /// Rows that one query may answer with.
    pub rows_max: u64,
    /// Seconds from taking a query to its last row.
    pub seconds_max: u64,
    /// Queries that run at a time; further ones wait for their turn, user by user.
    pub concurrent_max: usize,
    /// The same of one user.
    pub concurrent_per_user_max: usize,
    /// Queries that wait for their turn; beyond it the last one of who has most of them waiting is refused.
    pub waiting_max: usize,
    /// Seconds that a query waits for its turn before it is refused.
    pub wait_seconds_max: u64,
    /// Bytes that one query may write to temporary files.
    pub spill_bytes_max: u64,
    /// The same of all queries together.
    pub spill_bytes_for_all: u64,
    /// Threads that queries share. Ingest has its own.
    pub threads: usize,
    /// Where temporary files go; whatever is in it at the start is removed. Without it nothing is spilled.
    pub spill_dir: Option<PathBuf>,
    pub levels: LevelRules,
    /// Whose clocks SQL goes by where a connection does not say: where days begin, what a time without an offset means.
    pub time_zone: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be at least {at_least}")]
pub struct ConfigProblem {
    pub key: &'static str,
    pub at_least: u64,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            memory_bytes_per_query: 256 << 20,
            memory_bytes_for_all: 1 << 30,
            rows_max: 10_000_000,
            seconds_max: 120,
            concurrent_max: 8,
            concurrent_per_user_max: 6,
            waiting_max: 64,
            // Long enough for a burst of a dashboard, short enough to tell a person.
            wait_seconds_max: 10,
            spill_bytes_max: 4 << 30,
            spill_bytes_for_all: 16 << 30,
            threads: std::thread::available_parallelism().map_or(2, |n| n.get().div_ceil(2).max(2)),
            spill_dir: None,
            levels: LevelRules::default(),
            time_zone: Zone::bangkok().name().to_owned(),
        }
    }
}

impl QueryConfig {
    /// Less than this and no plan of any use can run.
    const MEMORY_BYTES_MIN: usize = 1 << 20;

    pub fn check(&self) -> Result<(), ConfigProblem> {
        let bounds = [
            ("query.memory_bytes_per_query", self.memory_bytes_per_query as u64, Self::MEMORY_BYTES_MIN as u64),
            ("query.memory_bytes_for_all", self.memory_bytes_for_all as u64, Self::MEMORY_BYTES_MIN as u64),
            ("query.rows_max", self.rows_max, 1),
            ("query.seconds_max", self.seconds_max, 1),
            ("query.concurrent_max", self.concurrent_max as u64, 1),
            ("query.concurrent_per_user_max", self.concurrent_per_user_max as u64, 1),
            ("query.threads", self.threads as u64, 1),
        ];
        match bounds.into_iter().find(|(_, value, at_least)| value < at_least) {
            Some((key, _, at_least)) => Err(ConfigProblem { key, at_least }),
            None => Ok(()),
        }
    }
}
