//! Wells and flags for tests.

use std::sync::Arc;

use gwbank_indicator::MonthClosing;
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity};
use gwbank_model::{Month, WellId};
use gwbank_registry::{BankType, Well};

use crate::episode::{Episode, Evidence, Subject};

pub(crate) fn well(id: &str, province: &str, district: &str) -> Arc<Well> {
    let mut well = Well::new(WellId::new(id).expect("a good id"), province, BankType::Observation);
    well.district_code = Some(district.to_owned());
    Arc::new(well)
}

/// A drought warning of a province.
pub(crate) fn episode(province: &str, raised: Month, closed: Option<Month>) -> Episode {
    let closing = MonthClosing::default();
    let subject = Subject {
        hazard: Hazard::Drought,
        scope: Scope::Province,
        place: province.to_owned(),
        province_code: province.to_owned(),
        district_code: None,
        subdistrict_code: None,
    };
    Episode {
        id: format!("drought-province-{province}-{raised}"),
        subject,
        raised,
        raised_at: closing.closes_at(raised),
        first_severity: Severity::Warning,
        severity: Severity::Warning,
        worst: Severity::Warning,
        worst_month: raised,
        closed,
        closed_at: closed.map(|month| closing.closes_at(month)),
        state: if closed.is_some() { FlagState::Closed } else { FlagState::Open },
        reason: None,
        evidence: Evidence::default(),
    }
}
