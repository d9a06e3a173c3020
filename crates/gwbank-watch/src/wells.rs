//! From a registered well, and what it ever sent, to what the indicator rules ask of it.

use std::collections::{HashMap, HashSet};

use gwbank_indicator::flood::FloodLimits;
use gwbank_indicator::{DaysMin, MonthRules, Sense, WellKind, may_have_level};
use gwbank_model::{Parameter, WellId};
use gwbank_registry::{Well, WellStatus};
use gwbank_store::LastHeard;

use crate::config::WatchConfig;

pub(crate) fn kind(well: &Well) -> WellKind {
    WellKind::of(well)
}

pub(crate) fn is_active(well: &Well) -> bool {
    well.status == WellStatus::Active
}

/// Wells that send, and no level among it ([`may_have_level`]): they stand in no denominator of what is judged by levels.
#[derive(Debug, Default)]
pub(crate) struct WithoutLevel(HashSet<WellId>);

impl WithoutLevel {
    /// By every series that ever had a reading: no order of arrival and no restart changes them.
    pub fn of(heard: &[LastHeard]) -> Self {
        let mut sent: HashMap<&WellId, Vec<Parameter>> = HashMap::new();
        for series in heard {
            sent.entry(&series.well_id).or_default().push(series.parameter);
        }
        let without = sent.into_iter().filter(|(_, parameters)| !may_have_level(parameters.iter().copied()));
        Self(without.map(|(well, _)| well.clone()).collect())
    }

    pub fn contains(&self, well: &Well) -> bool {
        self.0.contains(&well.well_id)
    }
}

/// In every denominator of drought.
pub(crate) fn is_drought_capable(well: &Well, without_level: &WithoutLevel) -> bool {
    is_active(well) && kind(well).speaks_of_drought() && !without_level.contains(well)
}

/// In every denominator of flood: may speak of it and has limits.
pub(crate) fn is_flood_capable(well: &Well, without_level: &WithoutLevel) -> bool {
    let has_limits = well.flood_warning_depth.is_some() || well.flood_danger_depth.is_some();
    is_flood_watched(well) && has_limits && !without_level.contains(well)
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
