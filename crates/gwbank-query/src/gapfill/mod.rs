//! `gapfill(width, time)` in GROUP BY: a row for every bucket of time, whether or not there were readings in it.
//!
//! ```text
//! text ─▶ names: locf(…) without OVER becomes a scalar call, named arguments find their places
//!      ─▶ rule:  Projection(locf(avg)) ─ [Having] ─ Aggregate(gapfill(…), keys)
//!                becomes Projection ─ GapFill(time, keys, avg, locf) ─ [Having] ─ Aggregate(time_bucket(…), keys)
//!      ─▶ exec:  streams over rows sorted by keys and time
//! ```
//!
//! # Rules (TimescaleDB's `time_bucket_gapfill`)
//! 1. Each group of the other keys that has a row gets a row for each bucket from the start to before the finish; rows outside
//!    stay. Without other keys there is one group, also where there is no row at all.
//! 2. Start and finish are arguments, or what WHERE says of the time. The start is cut to its bucket.
//! 3. In a gap the aggregates are NULL. HAVING is asked of groups that exist, so before gaps are filled.
//! 4. `locf` carries on the last value of its group, a NULL too, but where it is told to treat NULL as missing; `interpolate`
//!    draws a line between the rows beside the gap, none where one of them is NULL. What both take from outside the range
//!    (`prev`, `next`) counts at the first gap and after the last row.

mod bounds;
mod calls;
mod exec;
mod names;
mod node;
mod range;
mod rule;

pub(crate) use calls::{GAPFILL, functions};
pub(crate) use names::name_calls;
pub(crate) use node::planner;
pub(crate) use rule::FillGaps;
