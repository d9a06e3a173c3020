//! What a query may use.

use std::path::PathBuf;
use std::time::Duration;

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
    /// Rows that one query may answer with.
    pub rows_max: u64,
    /// Seconds from taking a query to its last row.
    pub seconds_max: u64,
    /// Queries that run at a time; further ones wait for [`Self::QUEUE_WAIT`] and are refused then.
    pub concurrent_max: usize,
    /// Bytes that one query may write to temporary files.
    pub spill_bytes_max: u64,
    /// Threads that queries share. Ingest has its own.
    pub threads: usize,
    /// Where temporary files go; whatever is in it at the start is removed. Without it nothing is spilled.
    pub spill_dir: Option<PathBuf>,
    pub levels: LevelRules,
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
            rows_max: 10_000_000,
            seconds_max: 120,
            concurrent_max: 8,
            spill_bytes_max: 4 << 30,
            threads: std::thread::available_parallelism().map_or(2, |n| n.get().div_ceil(2).max(2)),
            spill_dir: None,
            levels: LevelRules::default(),
        }
    }
}

impl QueryConfig {
    /// How long a query waits for its turn: long enough for a burst of a dashboard, short enough to tell a person.
    pub const QUEUE_WAIT: Duration = Duration::from_secs(2);

    /// Less than this and no plan of any use can run.
    const MEMORY_BYTES_MIN: usize = 1 << 20;

    pub fn check(&self) -> Result<(), ConfigProblem> {
        let bounds = [
            ("query.memory_bytes_per_query", self.memory_bytes_per_query as u64, Self::MEMORY_BYTES_MIN as u64),
            ("query.rows_max", self.rows_max, 1),
            ("query.seconds_max", self.seconds_max, 1),
            ("query.concurrent_max", self.concurrent_max as u64, 1),
            ("query.threads", self.threads as u64, 1),
        ];
        match bounds.into_iter().find(|(_, value, at_least)| value < at_least) {
            Some((key, _, at_least)) => Err(ConfigProblem { key, at_least }),
            None => Ok(()),
        }
    }
}
