//! From a registered well to what the rules ask of it, for the live watch and for a hindcast.

use gwbank_registry::{BankType, Sampling, Well};

use crate::kind::{Bank, WellKind};
use crate::monthly::{MonthRules, Sense};

/// Share of dry days from which a month is dry.
const DRY_SHARE: f64 = 0.5;

/// Days that make a month, by how the well is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaysMin {
    pub logger: u32,
    pub manual: u32,
}

impl WellKind {
    /// ```
    /// use gwbank_indicator::WellKind;
    /// use gwbank_model::WellId;
    /// use gwbank_registry::{BankType, Well};
    ///
    /// let well = Well::new(WellId::new("W1").unwrap(), "30", BankType::Closed);
    /// assert!(!WellKind::of(&well).speaks_of_drought(), "dry by design");
    /// ```
    pub fn of(well: &Well) -> Self {
        let bank = match well.bank_type {
            BankType::Observation => Bank::Observation,
            BankType::Open => Bank::Open,
            BankType::Closed => Bank::Closed,
        };
        Self { bank, represents_aquifer: well.represents_aquifer, influenced: well.influenced }
    }
}

impl MonthRules {
    /// ```
    /// use gwbank_indicator::{DaysMin, MonthRules, Sense};
    /// use gwbank_model::WellId;
    /// use gwbank_registry::{BankType, Well};
    ///
    /// let mut well = Well::new(WellId::new("W1").unwrap(), "30", BankType::Observation);
    /// well.depth = Some(12.0);
    /// let rules = MonthRules::of_well(&well, Sense::Depth, DaysMin { logger: 15, manual: 1 });
    /// assert_eq!((rules.days_min, rules.dry_level), (15, Some(-12.0)));
    /// ```
    pub fn of_well(well: &Well, sense: Sense, days_min: DaysMin) -> Self {
        let days_min = match well.sampling {
            Sampling::Logger => days_min.logger,
            Sampling::Manual => days_min.manual,
        };
        // In the parameter's own terms the deepest measurable depth is the well's depth.
        let dry_level = match sense {
            Sense::Depth => well.depth.map(|depth| -depth),
            Sense::Elevation => well.ground_elevation.zip(well.depth).map(|(ground, depth)| ground - depth),
        };
        Self { sense, days_min, dry_level, dry_share: DRY_SHARE }
    }
}
