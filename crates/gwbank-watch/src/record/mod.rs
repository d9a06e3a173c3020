//! What rests on a well's whole record: trend, drought events, GxG, SPI, salinity, recharge, performance of banks.
//!
//! ```text
//! days, hours (SeriesReader) ─▶ read ─▶ months · days · rain · salinity · bank ─▶ rows ─▶ what differs from the store
//!                                                           └▶ follower ─▶ salinity flags (open months, too)
//! ```
//!
//! # Rules
//! 1. Rows are a pure function of the readings of the closed months, the registry and the configuration. They are computed
//!    anew when one of these changed: late data of a closed month, a well or comparison well registered otherwise, a
//!    month that closed. What is no more is removed, so the table is as if computed from nothing.
//! 2. A number of the whole record (trend, GxG, clogging) has one row, at the last closed month or year; it moves on.
//! 3. What cannot be measured has a row without a value that says in `class` what is missing; what a well does not
//!    measure at all (rain, conductivity) has none.
//! 4. Readings of the open months change no row. They go on with the salinity of the well ([`SalinityMemory`]).

mod bank;
mod closed;
mod days;
mod explain;
mod months;
mod rain;
mod read;
mod rules;
mod salinity;
mod thresholds;
mod work;

use std::collections::BTreeSet;
use std::sync::Arc;

use gwbank_indicator::bank::NotMeasurable;
use gwbank_indicator::{Assessment, Basis};
use gwbank_model::{Month, Timestamp};
use gwbank_registry::Well;

pub use explain::{RecordExplanation, RecordIndicator};
pub use rules::RecordRules;
pub(crate) use salinity::SalinityMemory;
pub(crate) use work::{Computed, RecordTask, awaits, goes_on, run, run_open, task_for};

use crate::rows::Cell;

/// Indicators that are computed and read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// From monthly levels.
    Months,
    /// From daily levels.
    Days,
    Rain,
    Salinity,
    /// From the stage of a bank.
    Bank,
}

impl Part {
    pub const ALL: [Part; 5] = [Part::Months, Part::Days, Part::Rain, Part::Salinity, Part::Bank];

    /// The rows that are this part's alone.
    pub const fn indicators(self) -> &'static [&'static str] {
        match self {
            Part::Months => &months::INDICATORS,
            Part::Days => &days::INDICATORS,
            Part::Rain => &rain::INDICATORS,
            Part::Salinity => &salinity::INDICATORS,
            Part::Bank => &bank::INDICATORS,
        }
    }
}

/// A number of a well, not yet compared with what is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RecordRow {
    pub indicator: &'static str,
    pub period: Timestamp,
    pub cell: Cell,
}

impl RecordRow {
    fn of_month(indicator: &'static str, month: Month, cell: Cell) -> Self {
        Self { indicator, period: month.start(0), cell }
    }

    fn assessed(indicator: &'static str, month: Month, value: &Assessment<f64>, class: Option<&'static str>) -> Self {
        Self::of_month(indicator, month, Cell::of(value, class))
    }
}

fn not_measurable(why: NotMeasurable) -> Cell {
    Cell { value: None, class: Some(why.name()), basis: None }
}

/// The basis of a number that rests on so many single things, `full` of which give full confidence.
fn basis_of(count: usize, full: u32, years: f64) -> Basis {
    let n = u32::try_from(count).unwrap_or(u32::MAX);
    Basis { n, years, confidence: (f64::from(n) / f64::from(full.max(1))).min(1.0), ..Basis::NOTHING }
}

/// What is kept of a well's record between runs.
#[derive(Debug, Clone)]
pub(crate) struct RecordMemory {
    pub closed_through: Month,
    /// As it was registered.
    pub well: Arc<Well>,
    pub comparison: Option<Arc<Well>>,
    /// Parts that gave rows, or have readings of open months: the others are looked at again only when readings of theirs come.
    pub parts: BTreeSet<Part>,
    pub salinity: Option<Arc<SalinityMemory>>,
    /// Of the last closed month.
    pub spi_3: Option<f64>,
}
