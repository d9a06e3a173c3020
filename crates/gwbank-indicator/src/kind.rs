//! What a well is decides what it may say.

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
