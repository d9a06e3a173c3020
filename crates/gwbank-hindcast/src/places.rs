//! Districts and provinces in drought, as the wells stood when a month closed. Subdistricts are not judged, as the live watch
//! does not judge them.

use std::collections::BTreeSet;

use gwbank_indicator::{DroughtClass, PlaceDrought, PlaceRules, PlaceWell, judge_place};
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_registry::Well;

use crate::episode::{Evidence, Subject};
use crate::hindcast::indices_by;
use gwbank_indicator::DroughtState;

/// A district or province, and which of the records may speak for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    subject: Subject,
    wells: Vec<usize>,
    /// Codes of its districts (of a district: subdistricts), and in which of them each of its wells lies.
    parts: Vec<String>,
    part_of: Vec<Option<usize>>,
}

/// What a place sees of a well in a month.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glance {
    pub class: Option<DroughtClass>,
    pub class_before: Option<DroughtClass>,
    pub record_n: u32,
    pub dry: bool,
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

    /// The judgement of a month in which its wells stand as `glance` tells, `None` of one that is not there yet.
    pub(crate) fn judge(&self, glance: impl Fn(usize) -> Option<Glance>, rules: &PlaceRules) -> PlaceDrought {
        let wells: Vec<PlaceWell<'_>> = self
            .wells
            .iter()
            .zip(&self.part_of)
            .filter_map(|(&index, part)| {
                let Glance { class, class_before, record_n, dry } = glance(index)?;
                let part = part.and_then(|part| self.parts.get(part)).map(String::as_str);
                Some(PlaceWell { part, class, class_before, record_n, dry })
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

/// Provinces by code, then districts by code, each with the wells that `may_speak`.
pub(crate) fn places_of(wells: &[&Well], may_speak: impl Fn(&Well) -> bool) -> Vec<Place> {
    let provinces = indices_by(wells, |well| may_speak(well).then(|| well.province_code.clone()));
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
    let place = |scope, code: &str, province: &str, members: Vec<usize>| {
        let of_well = |index: &usize| match scope {
            Scope::District => wells[*index].subdistrict_code.as_ref(),
            _ => wells[*index].district_code.as_ref(),
        };
        let codes: BTreeSet<&String> = members.iter().filter_map(of_well).collect();
        let parts: Vec<String> = codes.into_iter().cloned().collect();
        let part_of =
            members.iter().map(|index| of_well(index).and_then(|code| parts.binary_search(code).ok())).collect();
        Place { subject: subject(scope, code, province), wells: members, parts, part_of }
    };
    let provinces = provinces.into_iter().map(|(code, members)| place(Scope::Province, &code, &code, members));
    let districts =
        districts.into_iter().map(|((code, province), members)| place(Scope::District, &code, &province, members));
    provinces.chain(districts).collect()
}
