//! The rules of a replay: those of the live watch, with its defaults.

use gwbank_indicator::flood::FloodRules;
use gwbank_indicator::salinity::SalinityRules;
use gwbank_indicator::{Bank, DroughtRules, FloodPlaceRules, MonthClosing, MonthRules, PlaceRules, Sense};
use gwbank_indicator::{StandingRules, WellKind};
use gwbank_registry::{BankType, Sampling, Well, WellStatus};

/// From when on a well counts among those of its place that could speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// From the closing at which it was installed or its first month was known, whichever came first: nobody counted
    /// upon a well that was not there. What the live watch would have had in its registry at the time.
    SinceItWasThere,
    /// All wells at all times: the live watch with today's registry.
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HindcastConfig {
    pub closing: MonthClosing,
    pub days_min_logger: u32,
    pub days_min_manual: u32,
    pub standing: StandingRules,
    pub drought: DroughtRules,
    pub places: PlaceRules,
    pub flood: FloodRules,
    pub flood_places: FloodPlaceRules,
    pub salinity: SalinityRules,
    pub membership: Membership,
}

impl Default for HindcastConfig {
    fn default() -> Self {
        Self {
            closing: MonthClosing::default(),
            days_min_logger: MonthRules::DAYS_MIN_LOGGER,
            days_min_manual: MonthRules::DAYS_MIN_MANUAL,
            standing: StandingRules::default(),
            drought: DroughtRules::default(),
            places: PlaceRules::default(),
            flood: FloodRules::default(),
            flood_places: FloodPlaceRules::default(),
            salinity: SalinityRules::default(),
            membership: Membership::SinceItWasThere,
        }
    }
}

pub(crate) fn kind(well: &Well) -> WellKind {
    let bank = match well.bank_type {
        BankType::Observation => Bank::Observation,
        BankType::Open => Bank::Open,
        BankType::Closed => Bank::Closed,
    };
    WellKind { bank, represents_aquifer: well.represents_aquifer, influenced: well.influenced }
}

/// In every denominator of drought.
pub(crate) fn is_drought_capable(well: &Well) -> bool {
    well.status == WellStatus::Active && kind(well).speaks_of_drought()
}

/// Worth following for floods: also wells without limits, for record highs, and open banks, for their recovery.
pub(crate) fn is_flood_watched(well: &Well) -> bool {
    well.status == WellStatus::Active && kind(well).speaks_of_flood()
}

/// In every denominator of flood: may speak of it and has limits.
pub(crate) fn is_flood_capable(well: &Well) -> bool {
    is_flood_watched(well) && (well.flood_warning_depth.is_some() || well.flood_danger_depth.is_some())
}

pub(crate) fn month_rules(well: &Well, sense: Sense, config: &HindcastConfig) -> MonthRules {
    let days_min = match well.sampling {
        Sampling::Logger => config.days_min_logger,
        Sampling::Manual => config.days_min_manual,
    };
    // In the parameter's own terms the deepest measurable depth is the well's depth.
    let dry_level = match sense {
        Sense::Depth => well.depth.map(|depth| -depth),
        Sense::Elevation => well.ground_elevation.zip(well.depth).map(|(ground, depth)| ground - depth),
    };
    MonthRules { sense, days_min, dry_level, dry_share: 0.5 }
}
