//! What ends a query at its limits where DataFusion alone would not.
//!
//! ```text
//! text ─▶ depth ─▶ plan: checkpoints between rules ─▶ constants ─▶ operators wrapped ─▶ run
//!                        └ functions and operators that can blow up are replaced by guarded ones
//! ```
//!
//! # Rules
//! 1. **A query that is over stops by itself.** DataFusion stops a query by not polling it any more, which never happens
//!    to one that does not yield. So the query asks its [`Guard`] between two batches of each operator, between two
//!    pieces of a join's filter, between two slices of an expensive function and every few rules of the planner, and
//!    fails when its time is up or nobody waits for it.
//! 2. **Memory is asked for before it is taken.** A function whose result can be larger than what it is given says how
//!    large before it runs. A row that a join, an unnest or a window would repeat is measured before it is repeated.
//! 3. A wrapper changes no result, no name and no type, and is not shown by `EXPLAIN ANALYZE`.

mod charge;
mod checkpoints;
mod constants;
mod depth;
mod exec;
mod function;
mod growth;
mod held;
mod join_filter;
mod measure;
mod operators;
mod shown;
mod width;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use datafusion::config::ConfigOptions;

use crate::carried::carried_by_options;
use crate::config::QueryConfig;
use crate::error::{Limit, QueryError};
use crate::memory::MemoryForAll;

pub(crate) use checkpoints::rules_with_checkpoints;
pub(crate) use constants::check_constants;
pub(crate) use depth::{check_plan_size, check_size};
pub(crate) use exec::guarded;
pub(crate) use function::guard_functions;
pub(crate) use measure::batch_bytes;
pub(crate) use operators::GuardOperators;
pub(crate) use shown::without_guards;

/// Rows of a batch of DataFusion: what repeats a row repeats it about so often at a time.
const BATCH_ROWS: u64 = 8192;

/// Whether one query may go on, and how much memory it may take in one step.
#[derive(Debug)]
pub(crate) struct Guard {
    deadline: Instant,
    stopped: AtomicBool,
    planned: AtomicBool,
    config: QueryConfig,
    for_all: Arc<MemoryForAll>,
}

impl Guard {
    pub(crate) fn new(config: QueryConfig, for_all: Arc<MemoryForAll>, deadline: Instant) -> Self {
        Self { deadline, stopped: AtomicBool::new(false), planned: AtomicBool::new(false), config, for_all }
    }

    pub(crate) fn config(&self) -> &QueryConfig {
        &self.config
    }

    /// Nobody waits for the query any more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(QueryError::Cancelled);
        }
        if Instant::now() >= self.deadline {
            return Err(Limit::Seconds.reached(&self.config));
        }
        Ok(())
    }

    /// The plan is made: from now on what is evaluated is rows, not constants.
    pub(crate) fn planned(&self) {
        self.planned.store(true, Ordering::Relaxed);
    }

    fn is_planned(&self) -> bool {
        self.planned.load(Ordering::Relaxed)
    }

    /// Half of the query's memory: what one step takes is soon held twice, by who made it and by who keeps it.
    fn step_bytes_max(&self) -> u64 {
        self.config.memory_bytes_per_query as u64 / 2
    }

    /// Whether a step may take so much memory.
    pub(crate) fn check_bytes(&self, bytes: u64) -> Result<(), QueryError> {
        if bytes > self.step_bytes_max() {
            return Err(Limit::Memory.reached(&self.config));
        }
        if bytes > self.for_all.free() as u64 {
            return Err(Limit::MemoryForAll.reached(&self.config));
        }
        Ok(())
    }

    /// The guard of the query that these options are of; views are planned without one.
    pub(crate) fn of(options: &ConfigOptions) -> Option<&Arc<Guard>> {
        options.extensions.get::<GuardOption>().map(|option| &option.0)
    }
}

carried_by_options!(GuardOption(Arc<Guard>), "gwbank_guard");
