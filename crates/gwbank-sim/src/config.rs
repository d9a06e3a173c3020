//! What a simulation is made from.

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};

/// Longest history: more years than any gauge of the country has.
const YEARS_MAX: i64 = 60;
/// Most wells: every subdistrict with a dozen.
const WELLS_MAX: usize = 100_000;
const DAY_S: i64 = 86_400;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    #[error("wells must be from 1 to {WELLS_MAX}, not {0}")]
    Wells(usize),
    #[error("the history must end after its start, at most {YEARS_MAX} years later")]
    Span,
}

/// Whether banks take water more slowly with every fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clogging {
    /// They stay as they were built.
    Never,
    /// Some open banks do, as of [`Clogging::ByFills`]; the others and all closed ones stay as they were built.
    SomeOpenBanks,
    /// Each fill leaves sediment: the infiltration of a bank declines by a share of its own with every storm that fills it,
    /// from the day on which it was built.
    ByFills,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimConfig {
    pub seed: u64,
    /// Spread evenly over the 77 provinces. From 1,000 on, each province has at least 7 observation wells in at least
    /// 3 districts and both kinds of banks.
    pub wells: usize,
    /// First instant of the history.
    pub start: Timestamp,
    /// Last instant of the history; live readings follow.
    pub end: Timestamp,
    /// Days after `end` for which there is weather. Live readings beyond stand still.
    pub live_days: u32,
    pub clogging: Clogging,
}

impl SimConfig {
    /// A province in drought and wells above their flood limit, whatever the season (see the tests).
    pub const DEFAULT_SEED: u64 = 15;
    /// One more than the thousand, so that no count divides evenly.
    pub const DEFAULT_WELLS: usize = 1001;
    pub const DEFAULT_YEARS: i64 = 25;
    const DEFAULT_LIVE_DAYS: u32 = 730;

    /// The demo: 1,001 wells with 25 years up to `end`; some of its open banks clog.
    pub const fn demo(end: Timestamp) -> Self {
        SimConfig {
            seed: Self::DEFAULT_SEED,
            wells: Self::DEFAULT_WELLS,
            // Whole years of 365.25 days; the months at both ends are cut, not the calendar.
            start: end.plus_secs(-Self::DEFAULT_YEARS * (DAY_S * 365 + DAY_S / 4)),
            end,
            live_days: Self::DEFAULT_LIVE_DAYS,
            clogging: Clogging::SomeOpenBanks,
        }
    }

    pub(crate) fn check(&self) -> Result<(), SimError> {
        if self.wells == 0 || self.wells > WELLS_MAX {
            return Err(SimError::Wells(self.wells));
        }
        let days =
            i64::from(self.end.day(BANGKOK_OFFSET_SECONDS).0) - i64::from(self.start.day(BANGKOK_OFFSET_SECONDS).0);
        if self.start >= self.end || days > YEARS_MAX * 366 {
            return Err(SimError::Span);
        }
        Ok(())
    }
}
