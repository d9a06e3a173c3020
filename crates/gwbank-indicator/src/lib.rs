//! Groundwater indicators: from daily means to what a well, and then a place, may claim.
//!
//! ```text
//! daily means ─▶ monthly levels ─▶ standing against the same calendar month ─▶ drought class of the well ─▶ of the place
//! depth readings, rain, inflow, neighbours ─────────────────────────────────▶ flood state of the well ──▶ of the place
//! ```
//!
//! # Rules
//! 1. Everything is a pure function of its arguments: no I/O, no clock, no tokio. The same data in any order gives the
//!    same bits.
//! 2. Up is wetter: depths to water are negated before anything is ranked.
//! 3. "Not enough record" is a result ([`Assessment::Insufficient`]) that says why; it is never "normal".
//! 4. Every result carries its [`Basis`]: n, years, confidence.
//! 5. Silence never clears a condition ([`DroughtTrack`], [`flood::follow`]).

mod assessment;
mod calendar;
mod drought;
mod drought_place;
pub mod flood;
mod flood_place;
mod hysteresis;
mod kind;
mod monthly;
mod normal;
mod rank;
mod standing;

pub use assessment::{Assessment, Basis, Why};
pub use calendar::{MonthClosing, WetSeason, season_highs};
pub use drought::{DroughtClass, DroughtJudgement, DroughtRules, judge_well};
pub use drought_place::{PlaceDrought, PlaceEvidence, PlaceRules, PlaceWell, judge_place};
pub use flood_place::{FloodPlaceRules, FloodWell, ProvinceFlood, province_flood, small_place_severity};
pub use hysteresis::{DroughtTrack, MonthVerdict, Step};
pub use kind::{Bank, WellKind};
pub use monthly::{
    DayLevel, MonthRules, Monthly, MonthlyLevel, Sense, daily_means, monthly_levels, round_to_nanometre,
};
pub use normal::normal_quantile;
pub use rank::{average_ranks, percentile_weibull, position_index, sgi};
pub use standing::{IpsClass, MonthStanding, PercentileClass, SgiClass, StandingRules, standings};

pub mod bank;
pub mod no_data;
pub mod rapid;
mod robust;
pub mod salinity;
