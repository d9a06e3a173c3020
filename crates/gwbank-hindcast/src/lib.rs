//! Replays history month by month with only what was known then, by the rules of the live watch.
//!
//! ```text
//! days, each with when it was known ─▶ versions of months ─▶ closing by closing: standing, judgement of wells ─▶ of places
//!   (WellRecord)                                             (Hindcast)                     └─▶ flags and their changes
//! depths, EC with their receipt ─▶ flood::follow, salinity::follow ─▶ flags of wells (and places)   (FloodReplay, SalinityReplay)
//! flags ─▶ Summary · Skill against known events          wells ─▶ flag rate of a normal climate (normal_climate)
//! ```
//!
//! # Rules
//! 1. A month is judged at the instant at which it closes (day 5 of the next one, Bangkok) with what was received by then.
//!    Years that came later rank nothing, except what an open flag looks back on, as the live watch does.
//! 2. Rules are those of `gwbank-indicator`; which of them are asked, and in which order, is that of `gwbank-watch`.
//! 3. "Not enough record" is counted by cause and never called normal.
//!
//! # Invariants
//! - Pure: no I/O, no clock; the same records give the same bits, in whatever order days came.
//! - What is kept up incrementally equals the plain computation; property tests hold the one against the other.
//!
//! # Known weaknesses
//! What a well is (its type, district, status) and its limits are today's. Between two closings nothing is judged. Gateways
//! that were silent are seen as months without a level, not as `no_data` flags.

mod climate;
mod config;
mod episode;
mod events;
mod hindcast;
mod known;
mod normal_climate;
mod places;
mod ranked;
mod readings;
mod skill;
mod summary;
mod text;

#[cfg(test)]
mod testing;

pub use climate::{ClimateModel, ProvinceClimate, WellClimate};
pub use config::{HindcastConfig, Membership};
pub use episode::{Episode, Evidence, FlagChange, Subject};
pub use events::{EventFault, KnownEvent, parse_events};
pub use hindcast::{Hindcast, MonthReport, PlaceMonth, WellMonth};
pub use known::{KnownDay, WellRecord};
pub use normal_climate::{
    Flagged, NORMAL_CLIMATE_SHARE_MAX, NormalClimate, NormalClimateRules, RECORD_BANDS, Share, WELL_BANDS,
    normal_climate,
};
pub use places::Place;
pub use readings::{FloodInput, FloodReplay, ReadingFlags, ReceivedValue, SalinityInput, SalinityReplay};
pub use skill::{Hit, JudgedMonths, Miss, Replayed, Skill, SkillRules, skill};
pub use summary::{FLAPPING_MONTHS, KindSummary, PlaceMonths, Summary};
