//! Floods and salt of wells, from readings that the caller hands in well by well.
//!
//! # Rules
//! 1. Floods go through [`gwbank_indicator::flood::follow`]: it raises by measurement and receipt, so a reading that came late
//!    raises nothing here as it did not then. A change is written at the receipt of the reading that made it.
//! 2. The record high of a well without limits is that of the wet seasons before each reading's season, by the months known
//!    when the season's first reading was taken. So such a well is followed season by season; any other in one go.
//! 3. Subdistricts (of floods), districts and provinces follow from their wells' flags at every change, as in the live watch.
//! 4. Salt goes through [`gwbank_indicator::salinity::follow`], whose baseline is of earlier seasons only. Readings that came
//!    after their own month had closed are left out: nobody saw them in time.
//! 5. Flags that were raised before `from` are left out; what was known after `to` is not there.
//! 6. Of a well that was added only the changes of its severity are kept, so the readings of one alone are in memory.
//!
//! # Known weaknesses
//! Silence is not replayed, so no flood flag goes stale. Usual intervals are medians over the whole stretch, where the live
//! watch has those of the last days. Neighbours' warnings do not support a reading here. A recharge is what the
//! caller hands in.

mod flood;
mod places;
mod salinity;

use std::collections::BTreeSet;

use gwbank_model::condition::{Hazard, Scope};
use gwbank_model::{Month, Timestamp};
use gwbank_registry::Well;

use crate::episode::{Episode, FlagBook, FlagChange, Subject};

pub use flood::{FloodInput, FloodReplay};
pub use salinity::{SalinityInput, SalinityReplay};

/// A value and when it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceivedValue {
    pub time: Timestamp,
    pub value: f64,
    pub received_at: Timestamp,
}

/// Flags and their changes, each in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadingFlags {
    pub episodes: Vec<Episode>,
    pub changes: Vec<FlagChange>,
}

fn of_well(hazard: Hazard, well: &Well) -> Subject {
    Subject {
        hazard,
        scope: Scope::Well,
        place: well.well_id.as_str().to_owned(),
        province_code: well.province_code.clone(),
        district_code: well.district_code.clone(),
        subdistrict_code: well.subdistrict_code.clone(),
    }
}

fn within(book: FlagBook, (from, _): (Month, Month)) -> ReadingFlags {
    let episodes: Vec<Episode> = book.episodes.into_iter().filter(|episode| episode.raised >= from).collect();
    let ids: BTreeSet<&str> = episodes.iter().map(|episode| episode.id.as_str()).collect();
    let changes = book.changes.into_iter().filter(|change| ids.contains(change.flag_id.as_str())).collect();
    ReadingFlags { episodes, changes }
}

#[cfg(test)]
mod tests;
