//! The zone of a session: where its days begin, and what a time without an offset means.
//!
//! ```text
//! statement ─▶ crate::words: AT TIME ZONE is a function
//!           ─▶ plan, clock:  what asks a clock is asked of the zone's clock; patterns of PostgreSQL are those of strftime
//! ```
//!
//! # Rules
//! 1. Columns stay instants of UTC: only expressions change, so that scans, sums and sorts see what they know.
//! 2. As PostgreSQL has it: texts and times without a zone that meet an instant are of the session's zone, and so is what is
//!    made of an instant: a date, a time without a zone, a text, a part (`EXTRACT`), the start of its day or month.
//! 3. `time_bucket` cuts in UTC unless it is told a zone, as in TimescaleDB.
//! 4. A zone whose clocks never change is arithmetic: `date_trunc('day', time)` becomes a `time_bucket` in the zone, which the
//!    sums of the archive know.

mod clock;
mod patterns;
mod plan;
mod text;

pub(crate) use clock::arrow_name;
pub(crate) use plan::in_zone;
pub(crate) use text::has_offset;
