//! Wells for tests.

use gwbank_model::{Timestamp, WellId};

use crate::{BankType, Installation, Well};

/// A sound observation well in Nakhon Ratchasima.
pub(crate) fn well(id: &str) -> Well {
    let mut well = Well::new(WellId::new(id).expect("a good id"), "30", BankType::Observation);
    well.flood_warning_depth = Some(1.0);
    well.flood_danger_depth = Some(0.5);
    well
}

/// An installation without an end.
pub(crate) fn installation(well: &str, from_secs: i64) -> Installation {
    Installation::new(WellId::new(well).expect("a good id"), Timestamp::from_secs(from_secs))
}
