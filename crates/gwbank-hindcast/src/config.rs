//! The rules of a replay: those of the live watch, with its defaults.

use gwbank_indicator::flood::FloodRules;
use gwbank_indicator::salinity::SalinityRules;
use gwbank_indicator::{
    DaysMin, DroughtRules, FloodPlaceRules, MonthClosing, MonthRules, PlaceRules, StandingRules, WellKind,
};
use gwbank_registry::{Well, WellStatus};

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
    pub days_min: DaysMin,
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
            days_min: DaysMin { logger: MonthRules::DAYS_MIN_LOGGER, manual: MonthRules::DAYS_MIN_MANUAL },
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

/// In every denominator of drought.
pub(crate) fn is_drought_capable(well: &Well) -> bool {
    well.status == WellStatus::Active && WellKind::of(well).speaks_of_drought()
}

/// Worth following for floods: also wells without limits, for record highs, and open banks, for their recovery.
pub(crate) fn is_flood_watched(well: &Well) -> bool {
    well.status == WellStatus::Active && WellKind::of(well).speaks_of_flood()
}

/// In every denominator of flood: may speak of it and has limits.
pub(crate) fn is_flood_capable(well: &Well) -> bool {
    is_flood_watched(well) && (well.flood_warning_depth.is_some() || well.flood_danger_depth.is_some())
}
