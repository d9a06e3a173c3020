//! What a well is, and what it measures, decides what it may say.

use gwbank_model::Parameter;

/// What kind of hole it is, as far as hazards go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bank {
    /// A monitoring well in the aquifer.
    Observation,
    /// A pond dug to the water-bearing layer: fills by design.
    Open,
    /// A stone-filled pit above the water table: dry by design.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WellKind {
    pub bank: Bank,
    /// An open bank that stands for its aquifer's level.
    pub represents_aquifer: bool,
    /// Influenced by pumping.
    pub influenced: bool,
}

impl WellKind {
    /// Whether the well enters climate drought, and its denominators.
    pub const fn speaks_of_drought(self) -> bool {
        let of_the_aquifer = match self.bank {
            Bank::Observation => true,
            Bank::Open => self.represents_aquifer,
            Bank::Closed => false,
        };
        of_the_aquifer && !self.influenced
    }

    /// Whether a standing against the own record (percentile, SGI) means anything here.
    pub const fn has_standing(self) -> bool {
        !matches!(self.bank, Bank::Closed)
    }

    /// Whether high water here is a hazard at all. A closed bank is full when it works.
    pub const fn speaks_of_flood(self) -> bool {
        !matches!(self.bank, Bank::Closed)
    }

    /// An open bank's flood rule rests while it fills, and its failure to recover is judged.
    pub const fn fills_by_design(self) -> bool {
        matches!(self.bank, Bank::Open)
    }
}

/// Whether a well that has sent these parameters, ever, counts among those that can carry a hazard of levels.
///
/// One that sends rain or conductivity and no level has none to give. One that was never heard, or only its device, is silent:
/// that a level is missing there is what coverage tells.
///
/// ```
/// use gwbank_indicator::may_have_level;
/// use gwbank_model::Parameter::{BatteryVoltage, Rainfall, SpecificConductance, WaterPressureAbsolute};
///
/// assert!(!may_have_level([Rainfall, BatteryVoltage]));
/// assert!(may_have_level([SpecificConductance, WaterPressureAbsolute]));
/// assert!(may_have_level([BatteryVoltage]) && may_have_level([]));
/// ```
pub fn may_have_level(sent: impl IntoIterator<Item = Parameter>) -> bool {
    let mut measures_else = false;
    for parameter in sent {
        if parameter.is_level() || parameter.is_level_sensor() {
            return true;
        }
        measures_else |= !parameter.is_of_device();
    }
    !measures_else
}
