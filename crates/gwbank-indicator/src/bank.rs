//! What a groundwater bank does: how much it puts into the ground, how fast, for how long, and whether it harms.
//!
//! ```text
//! levels of an observation well ─▶ master recession ─▶ recharge by water-table fluctuation, mm      recession, recharge
//! stage of a pond or pit ─▶ fills and falls ─▶ infiltration rate ─▶ clogging                        infiltration, clogging
//! inflow meter, or stage and area ─▶ volume, m³                                                     volume
//! monthly levels ─▶ share of the wet season's rise left months later                                carry_over
//! stage of a closed bank ─▶ drain-down time, overflow                                               drain_down
//! conductivity, turbidity around recharge ─▶ quality harm                                           harm
//! ```
//!
//! # Rules
//! 1. What is not registered is not guessed: a missing area, yield or comparison well is [`NotMeasurable`], which says
//!    what is missing.
//! 2. Readings come in any order; what is not finite is left out. They are those of good quality: a spike in a pond looks
//!    like a fill.
//! 3. Rates and volumes of infiltration are positive into the ground.
//! 4. A change is told with how sure it is; no trend is told of fewer events than a test of it can speak of.

use std::fmt;

mod carry_over;
mod clogging;
mod drain_down;
mod harm;
mod infiltration;
mod recession;
mod recharge;
mod volume;

pub use carry_over::{CarryOver, CarryOverRules, carry_over, carry_over_beyond};
pub use clogging::{
    Clogging, CloggingRules, FillRates, PercentChange, StratumRate, Sureness, WaterTable, clogging, fill_rates,
};
pub use drain_down::{DrainDown, DrainDownRules, Emptied, drain_downs};
pub use harm::{Harm, HarmRules, Substance, quality_harm};
pub use infiltration::{FallStep, FillEvent, FillRules, Pond, StepsLeftOut, fill_events};
pub use recession::{MasterRecession, RecessionRules, master_recession, smoothed_levels};
pub use recharge::{Confinement, MonthRecharge, Recharge, RechargeRules, SpecificYield, WtfWell, recharge};
pub use volume::{MeteredVolume, StageArea, metered_volume, volume_by_stage};

/// Why a performance figure cannot be had.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NotMeasurable {
    /// Banks fill by design: the method is one of observation wells.
    NoObservationWell,
    /// Pumping moves the level, not recharge alone.
    Influenced,
    /// The aquifer's condition is not registered.
    NoAquiferCondition,
    /// The level of a confined aquifer is a pressure: its rise is no water that came.
    Confined,
    NoSpecificYield,
    NoDepth,
    NoBankArea,
    NoBankVolume,
    /// The share of pores of the fill is not known.
    NoFillMaterial,
    NoComparisonWell,
    NoEvaporation,
    /// Too few falls of the well to say how it recedes by itself.
    NoRecession {
        found: usize,
        needed: usize,
    },
    TooFewEvents {
        found: usize,
        needed: usize,
    },
    TooFewReadings {
        found: usize,
        needed: usize,
    },
    /// The level did not rise enough in the wet season.
    NoRise,
    /// The readings leave too much of the time out.
    LowCoverage {
        covered: f64,
        needed: f64,
    },
}

impl NotMeasurable {
    /// A fixed word for tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            NotMeasurable::NoObservationWell => "not_applicable",
            NotMeasurable::Influenced => "influenced",
            NotMeasurable::NoAquiferCondition => "no_aquifer_condition",
            NotMeasurable::Confined => "confined",
            NotMeasurable::NoSpecificYield => "no_specific_yield",
            NotMeasurable::NoDepth => "no_depth",
            NotMeasurable::NoBankArea => "no_bank_area",
            NotMeasurable::NoBankVolume => "no_bank_volume",
            NotMeasurable::NoFillMaterial => "no_fill_material",
            NotMeasurable::NoComparisonWell => "no_comparison_well",
            NotMeasurable::NoEvaporation => "no_evaporation",
            NotMeasurable::NoRecession { .. } => "insufficient_recessions",
            NotMeasurable::TooFewEvents { .. } => "insufficient_events",
            NotMeasurable::TooFewReadings { .. } => "insufficient_readings",
            NotMeasurable::NoRise => "no_rise",
            NotMeasurable::LowCoverage { .. } => "insufficient_coverage",
        }
    }
}

impl fmt::Display for NotMeasurable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            NotMeasurable::NoObservationWell => {
                f.write_str("only an observation well shows the recharge of its aquifer")
            }
            NotMeasurable::Influenced => f.write_str("the well is influenced by pumping"),
            NotMeasurable::NoAquiferCondition => f.write_str("the aquifer's condition is not registered"),
            NotMeasurable::Confined => f.write_str("the aquifer is not unconfined"),
            NotMeasurable::NoSpecificYield => f.write_str("no specific yield is registered"),
            NotMeasurable::NoDepth => f.write_str("the depth of the bank, or its survey, is not registered"),
            NotMeasurable::NoBankArea => f.write_str("no area of the bank is registered"),
            NotMeasurable::NoBankVolume => f.write_str("no volume of the bank is registered"),
            NotMeasurable::NoFillMaterial => f.write_str("the share of pores of the fill material is not known"),
            NotMeasurable::NoComparisonWell => f.write_str(
                "no comparison well is registered, it has no readings, or one of the two has no ground elevation",
            ),
            NotMeasurable::NoEvaporation => f.write_str("the evaporation is not known"),
            NotMeasurable::NoRecession { found, needed } => write!(f, "{found} recessions, {needed} are needed"),
            NotMeasurable::TooFewEvents { found, needed } => write!(f, "{found} events, {needed} are needed"),
            NotMeasurable::TooFewReadings { found, needed } => write!(f, "{found} readings, {needed} are needed"),
            NotMeasurable::NoRise => f.write_str("the level did not rise in the wet season"),
            NotMeasurable::LowCoverage { covered, needed } => {
                let percent = |share: f64| share * 100.0;
                write!(f, "readings for {:.0} % of the time, {:.0} % are needed", percent(covered), percent(needed))
            }
        }
    }
}

impl std::error::Error for NotMeasurable {}
