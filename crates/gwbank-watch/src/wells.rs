//! From a registered well to what the indicator rules ask of it.

use gwbank_indicator::flood::FloodLimits;
use gwbank_indicator::{DaysMin, MonthRules, Sense, WellKind};
use gwbank_model::Parameter;
use gwbank_registry::{Well, WellStatus};

use crate::config::WatchConfig;

pub(crate) fn kind(well: &Well) -> WellKind {
    WellKind::of(well)
}

pub(crate) fn is_active(well: &Well) -> bool {
    well.status == WellStatus::Active
}

/// In every denominator of drought.
pub(crate) fn is_drought_capable(well: &Well) -> bool {
    is_active(well) && kind(well).speaks_of_drought()
}

/// In every denominator of flood: may speak of it and has limits.
pub(crate) fn is_flood_capable(well: &Well) -> bool {
    let has_limits = well.flood_warning_depth.is_some() || well.flood_danger_depth.is_some();
    is_flood_watched(well) && has_limits
}

/// Worth following live: also wells without limits, for record highs, and open banks, for their recovery.
pub(crate) fn is_flood_watched(well: &Well) -> bool {
    is_active(well) && kind(well).speaks_of_flood()
}

pub(crate) fn month_rules(well: &Well, sense: Sense, config: &WatchConfig) -> MonthRules {
    MonthRules::of_well(well, sense, DaysMin { logger: config.days_min_logger, manual: config.days_min_manual })
}

pub(crate) fn flood_limits(well: &Well, past_season_highs: &[f64], parameter: Parameter) -> FloodLimits {
    let to_depth = |level: f64| match parameter {
        Parameter::GroundwaterElevation => well.ground_elevation.map(|ground| ground - level),
        _ => Some(-level),
    };
    let highest = past_season_highs.iter().copied().reduce(f64::max);
    FloodLimits {
        warning_depth_m: well.flood_warning_depth,
        danger_depth_m: well.flood_danger_depth,
        record: highest.and_then(to_depth).map(|depth| (depth, past_season_highs.len())),
        recovery_depth_m: None,
    }
}
