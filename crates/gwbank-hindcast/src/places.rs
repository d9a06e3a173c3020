//! Districts and provinces in drought, as the wells stood when a month closed. Subdistricts are not judged, as the live watch
//! does not judge them.

use gwbank_indicator::{DroughtClass, PlaceDrought, PlaceRules, PlaceWell, judge_place};
use gwbank_model::Month;
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_registry::Well;

use crate::episode::{Evidence, Subject};
use crate::hindcast::{WellState, indices_by};
use crate::replay::DroughtState;

/// A district or province, and which of the records may speak for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    subject: Subject,
    wells: Vec<usize>,
}

impl Place {
    /// What its drought flags speak of.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }
    pub fn scope(&self) -> Scope {
        self.subject.scope
    }
    pub fn code(&self) -> &str {
        &self.subject.place
    }
    /// Indices of the records of wells that may speak of drought.
    pub fn wells(&self) -> &[usize] {
        &self.wells
    }

    /// The judgement of a closed month with what the wells know now.
    pub(crate) fn judge(&self, states: &[WellState<'_>], month: Month, rules: &PlaceRules) -> PlaceDrought {
        let before = month.plus(-1);
        let wells: Vec<PlaceWell<'_>> = self
            .wells
            .iter()
            .map(|&index| &states[index])
            .filter(|state| state.is_member)
            .map(|state| {
                let judged = state.ranked.judged(month);
                PlaceWell {
                    part: match self.subject.scope {
                        Scope::District => state.well.subdistrict_code.as_deref(),
                        _ => state.well.district_code.as_deref(),
                    },
                    class: judged.and_then(|j| j.claim).filter(|c| c.counts_for_places).map(|c| c.entry),
                    class_before: class_at(state, before),
                    record_n: state.record_n,
                    dry: judged.is_some_and(|j| j.dry),
                }
            })
            .collect();
        judge_place(&wells, rules)
    }

    pub(crate) fn evidence(&self, drought: &PlaceDrought, state: &DroughtState, rules: &PlaceRules) -> Evidence {
        let numbers = drought.evidence;
        let plain = Evidence { coverage: numbers.coverage, place: Some(numbers), ..Evidence::default() };
        let DroughtState::Stands { severity, .. } = *state else { return plain };
        let (rule, wells_in, limit) = match severity {
            Severity::Watch => ("place_watch", numbers.moderate, rules.watch_share_moderate),
            Severity::Warning => ("place_warning", numbers.severe, rules.warning_share_severe),
            Severity::Severe => ("place_severe", numbers.severe, rules.severe_share_severe),
            Severity::Extreme => ("place_extreme", numbers.extreme, rules.extreme_share_extreme),
        };
        Evidence {
            rule: Some(rule),
            limit: Some(limit),
            observed: Some(numbers.share(wells_in)),
            wells_in,
            wells_out: numbers.eligible.saturating_sub(wells_in),
            ..plain
        }
    }
}

fn class_at(state: &WellState<'_>, month: Month) -> Option<DroughtClass> {
    state.ranked.judged(month).and_then(|j| j.claim).filter(|c| c.counts_for_places).map(|c| c.entry)
}

/// Provinces by code, then districts by code, each with the wells that `may_speak`.
pub(crate) fn places_of<'w>(
    wells: impl Iterator<Item = &'w Well> + Clone,
    may_speak: impl Fn(&Well) -> bool,
) -> Vec<Place> {
    let provinces = indices_by(wells.clone(), |well| may_speak(well).then(|| well.province_code.clone()));
    let districts = indices_by(wells, |well| {
        may_speak(well).then(|| well.district_code.clone().map(|code| (code, well.province_code.clone()))).flatten()
    });
    let subject = |scope, place: &str, province: &str| Subject {
        hazard: Hazard::Drought,
        scope,
        place: place.to_owned(),
        province_code: province.to_owned(),
        district_code: (scope == Scope::District).then(|| place.to_owned()),
        subdistrict_code: None,
    };
    let provinces =
        provinces.into_iter().map(|(code, wells)| Place { subject: subject(Scope::Province, &code, &code), wells });
    let districts = districts
        .into_iter()
        .map(|((code, province), wells)| Place { subject: subject(Scope::District, &code, &province), wells });
    provinces.chain(districts).collect()
}
