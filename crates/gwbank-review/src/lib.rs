//! Review: a hydrologist approves, rejects or corrects a stretch of a series, and takes that back.
//!
//! ```text
//! NewReview ─▶ checked against registry and readings ─▶ kept (ReviewBook) ─▶ approval: shown by queries
//!                                                                         ├▶ rejection: readings are judged by it
//!                                                                         └▶ correction: readings of `gwbank.review`
//! ```
//!
//! # Rules
//! 1. A review says who, why, when, and up to which position of the journal readings were known: it is about those. What comes
//!    or is corrected later is provisional again.
//! 2. A correction is a reading like any other, with the next higher revision of what it takes the place of: so it is durable,
//!    judged, part of indicators, and what was there before stays in `reading_revisions` with cause `review`. A gateway that
//!    repeats itself changes nothing; one that sends a higher revision wins.
//! 3. A review is kept before its first value is written, and noted as done after the last. Between the two the process may end:
//!    [`Reviewer::resume`] goes on, and never corrects a value twice.
//! 4. Withdrawing a correction brings the values back that were there when it was made, unless a gateway has sent others since.
//!    One that a later correction rests on is withdrawn after that one.

mod correction;
mod parts;
mod reviewer;

pub use correction::corrected;
pub use parts::{BookError, FormerValue, FormerValues, ReviewBook, ReviewError, ReviewerParts};
pub use reviewer::{READINGS_MAX, Reviewer};
