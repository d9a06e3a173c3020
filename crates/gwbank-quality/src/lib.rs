//! Quality of readings: the tests of the QARTOD water-level manual 2.1, in two modes.
//!
//! - **strict** (default; [`assess`], [`Stream`]): real time windows instead of counts of samples, nothing judged across
//!   a gap, dry wells and sensors at their floor left alone. Limits in [`SeriesConfig`], defaults by parameter, overridden
//!   per parameter and well ([`overrides`]).
//! - **ioos** ([`ioos`]): the arithmetic of ioos_qc, flag for flag, for those who compare.
//!
//! # The eleven tests, and where they are
//!
//! | QARTOD | test | judged by |
//! | --- | --- | --- |
//! | 1 | gap | stream, where configured ([`Gap`]); reports name gaps always |
//! | 2, 4, 6, 7, 8 | syntax, gross range, spike, rate of change, flat line | stream, by default |
//! | 3 | location | the registry; handed in as an objection |
//! | 5, 10 | climatology, attenuated signal | stream, where configured ([`Climatology`], [`AttenuatedSignal`]) |
//! | 9, 11 | multi-variate, neighbour | batch, over aligned series ([`across`]); multi-variate flat lines in [`review`] |
//! | – | level shift, drift | batch: the second look ([`review`], [`shift`]), against references ([`drift`]) |
//! | – | uncompensated | [`compensation`] |
//!
//! What a stream says is what [`assess`] says of the whole. A batch ([`review::review`]) says more, as it sees what came later.
//! [`report`] sums up a series.
//!
//! # Rules of the strict mode
//! 1. **Missing** (no value): flag 9, no test speaks.
//! 2. **Syntax**: a value that is not finite fails. (A payload that cannot be read never gets here.)
//! 3. **Gross range**: outside what a sensor can say, fail; outside what the well can be expected to show, suspect. A limit
//!    itself is inside. What fails here is judged by no further test and is nobody's neighbour.
//! 4. **Spike**: a local extremum, away from the line in time between its two neighbours by more than the limit, *and*
//!    from each neighbour by more than half of it. So a step of the level is no spike, and a spike does not make spikes
//!    of its neighbours. Judged when the next reading is there.
//! 5. **Rate of change**: against the last usable reading, per hour of real time. A spike is passed over, so that the good
//!    reading after it is not blamed.
//! 6. **Flat line**: all values for at least a span of time *and* a number of readings lie within a tolerance.
//! 7. **Location**, **uncompensated** and the like speak of a whole series: the caller hands them in as objections.
//!    **Gap**, **climatology** and **attenuated signal** are off unless a configuration gives limits.
//!    **Findings** of a second look ([`Findings`]) object in the same way, each to the readings of its stretch of time.
//!    **Review**: what a person rejected fails, is judged by no further test's neighbours and is nobody's neighbour.
//! 8. A reading is **usable** for 4 to 6, climatology and attenuated signal when it has a value in the sensor's range and
//!    the site was undisturbed: not dry, pumped or recently pumped (here or nearby), obstructed or under maintenance,
//!    and nobody rejected it.
//!    Otherwise they are not evaluated.
//! 9. The flag is the worst of the tests (9 < 2 < 1 < 3 < 4); `qc_tests` names those that found suspect or fail.
//!
//! # Invariants
//! - No clock, no I/O. The flags of a set of readings depend on the set and the configuration alone, not on the order of
//!   arrival: [`Stream`] over readings in order, [`assess`] over all, and [`assess`] over a stretch with the context that
//!   [`SeriesConfig::reach`] names give the same.
//! - A [`Stream`] needs O(1) amortised time per reading and bounded memory (below 2 KiB), whatever the values.

pub mod across;
pub mod compensation;
mod config;
mod defaults;
pub mod drift;
mod findings;
mod flat;
pub mod ioos;
mod limits;
pub mod overrides;
pub mod report;
pub mod review;
pub mod shift;
mod stream;

#[cfg(test)]
mod properties;
mod strict;

pub use config::{
    AttenuatedSignal, Climatology, ConfigError, FlatLine, Floor, Gap, GrossRange, Growth, RateOfChange, Reach,
    SeriesConfig, Span, Spike, Standstill,
};
pub use defaults::WellFacts;
pub use findings::{Finding, Findings};
pub use limits::{CheckLimits, IoosFlags};
pub use stream::{Pushed, Stream};
pub use strict::{Assessment, Detail, Point, TestFlags, assess, assess_detailed};
