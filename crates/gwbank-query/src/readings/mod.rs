//! The tables `readings` and `reading_revisions`: recent window and archive as one.
//!
//! # Rules
//! 1. Each key belongs to one side: at or after `covers_from` the window has it with all its versions; before it the
//!    archive does, corrected by what is pending (in the window, not yet in the archive).
//! 2. Pending versions are weighed against the archive's by the rules that every store keeps
//!    ([`gwbank_store::StoredVersions::take`]); where one wins, the archive's row is hidden.
//! 3. A filter that is pushed down is applied wholly by the sides, or not pushed down at all.

mod approval;
mod columns;
mod cut;
mod exec;
mod filter;
mod learned;
mod provider;
mod run_sums;
mod slices;
mod summary;
mod well_names;

pub(crate) use approval::{APPROVED, NEEDED_NAMES as APPROVAL_NEEDS, approval};
pub(crate) use columns::{NAME, Table, same_series_end};
pub(crate) use cut::ReadCut;
pub(crate) use exec::{ReadingsExec, Wanted};
pub(crate) use filter::ReadingFilter;
pub(crate) use provider::ReadingsTable;
pub(crate) use summary::{GroupColumn, ReadingsSummary};
pub(crate) use well_names::WellNames;
