//! Groundwater indicators: from daily means to what a well, and then a place, may claim.
//!
//! ```text
//! daily means ─▶ monthly levels ─▶ standing against the same calendar month ─▶ drought class of the well ─▶ of the place
//!                  │          ├─▶ percentile bands, drought events, trend
//!                  └─▶ GHG, GLG, GVG                                daily rain ─▶ monthly rain ─▶ SPI
//! depth readings, rain, inflow, neighbours ─────────────────────────────────▶ flood state of the well ──▶ of the place
//! ```
//! Why a number is what it is: [`explain`].
//!
//! # Rules
//! 1. Everything is a pure function of its arguments: no I/O, no clock, no tokio. The same data in any order gives the
//!    same bits.
//! 2. Up is wetter: depths to water are negated before anything is ranked.
//! 3. "Not enough record" is a result ([`Assessment::Insufficient`]) that says why; it is never "normal".
//! 4. Every result carries its [`Basis`]: n, years, share approved, quality share, confidence.
//! 5. Silence never clears a condition ([`DroughtTrack`], [`flood::follow`]).

mod assessment;
pub mod bank;
mod calendar;
mod drought;
mod drought_events;
mod drought_place;
mod drought_replay;
pub mod explain;
pub mod flood;
mod flood_place;
mod gxg;
mod hysteresis;
mod kind;
mod monthly;
pub mod no_data;
mod normal;
mod rank;
pub mod rapid;
mod registered;
mod robust;
pub mod salinity;
mod salinity_place;
mod sgi_series;
mod special;
mod spi;
mod standing;
mod thresholds;
mod trend;

pub use assessment::{Assessment, Basis, ValueCounts, Why};
pub use calendar::{ANNUAL_MONTHS_MIN, AnnualLevel, MonthClosing, WetSeason, YearStart, annual_levels, season_highs};
pub use drought::{DroughtClass, DroughtJudgement, DroughtRules, judge_well};
pub use drought_events::{DroughtEvent, DroughtEventRules, DroughtEvents, drought_events};
pub use drought_place::{
    BasedWell, PlaceDrought, PlaceEvidence, PlaceRules, PlaceWell, judge_place, judge_place_with_basis,
};
pub use drought_replay::{DroughtState, OpenDrought, replay_drought};
pub use flood_place::{FloodPlaceRules, FloodWell, ProvinceFlood, province_flood, small_place_severity};
pub use gxg::{Fill, Gxg, GxgKind, GxgRules, GxgYear, HalfMonth, gxg};
pub use hysteresis::{DroughtTrack, MonthVerdict, Step};
pub use kind::{Bank, WellKind, may_have_level};
pub use monthly::{
    CountedDay, DailyInput, DayLevel, MonthRules, Monthly, MonthlyLevel, Sense, daily_means, monthly_levels,
    round_to_nanometre,
};
pub use normal::normal_quantile;
pub use rank::{average_ranks, percentile_weibull, position_index, sgi};
pub use registered::DaysMin;
pub use salinity_place::PlaceSalinity;
pub use sgi_series::SgiScores;
pub use spi::{
    CountedRain, CountedRainDay, GammaFit, MonthSpi, MonthlyRain, SPI_TIMESCALES, SpiRules, SumProbability, fit_gamma,
    monthly_counted_rain, monthly_rain, spi, spi_with_basis,
};
pub use standing::{IpsClass, MonthStanding, PercentileClass, SgiClass, StandingRules, standings};
pub use thresholds::{
    BAND_PERCENTILES, MonthThresholds, PercentileThreshold, ThresholdRules, percentile_thresholds, weibull_quantile,
};
pub use trend::{
    TREND_ALPHA, Trend, TrendDirection, TrendRules, TrendTest, WellTrend, mann_kendall, sen_slope, sen_slope_at,
    well_trend,
};
