//! Places whose flags follow from those of the wells in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_registry::Well;

use crate::episode::{Evidence, FlagBook, Judgement, Subject, When};

/// The present severities of wells, and the places that they lie in.
pub(super) struct PlacesOfWells<'a> {
    wells: &'a [Arc<Well>],
    severities: Vec<Option<Severity>>,
    places: Vec<PlaceOfWells>,
    of_well: Vec<Vec<usize>>,
    /// Places with a well that changed since they were judged last.
    touched: BTreeSet<usize>,
}

struct PlaceOfWells {
    subject: Subject,
    wells: Vec<usize>,
    open: Option<usize>,
}

impl<'a> PlacesOfWells<'a> {
    /// The places of these scopes with the wells that count there.
    pub fn new(hazard: Hazard, scopes: &[Scope], wells: &'a [Arc<Well>], counts: impl Fn(&Well) -> bool) -> Self {
        let mut members: BTreeMap<Subject, Vec<usize>> = BTreeMap::new();
        for (index, well) in wells.iter().enumerate().filter(|(_, well)| counts(well)) {
            for subject in scopes.iter().filter_map(|scope| around(hazard, well, *scope)) {
                members.entry(subject).or_default().push(index);
            }
        }
        let mut of_well = vec![Vec::new(); wells.len()];
        for (place, indices) in members.values().enumerate() {
            indices.iter().for_each(|&index| of_well[index].push(place));
        }
        let place = |(subject, wells)| PlaceOfWells { subject, wells, open: None };
        let places = members.into_iter().map(place).collect();
        Self { wells, severities: vec![None; wells.len()], places, of_well, touched: BTreeSet::new() }
    }

    pub fn set(&mut self, well: usize, to: Option<Severity>) {
        self.severities[well] = to;
        self.touched.extend(&self.of_well[well]);
    }

    /// Judges the places whose wells changed; `judge` is told what place it is, and its wells with their severities.
    pub fn judge_touched(
        &mut self,
        book: &mut FlagBook,
        when: When,
        judge: impl Fn(&Subject, &[(&Well, Option<Severity>)]) -> (Judgement, Evidence),
    ) {
        for index in std::mem::take(&mut self.touched) {
            let place = &mut self.places[index];
            let wells: Vec<(&Well, Option<Severity>)> =
                place.wells.iter().map(|&well| (self.wells[well].as_ref(), self.severities[well])).collect();
            let (judgement, evidence) = judge(&place.subject, &wells);
            place.open = book.judge(place.open, &place.subject, judgement, evidence, when);
        }
    }
}

fn around(hazard: Hazard, well: &Well, scope: Scope) -> Option<Subject> {
    let place = match scope {
        Scope::Subdistrict => well.subdistrict_code.clone()?,
        Scope::District => well.district_code.clone()?,
        _ => well.province_code.clone(),
    };
    Some(Subject {
        hazard,
        scope,
        place,
        province_code: well.province_code.clone(),
        district_code: if scope == Scope::Province { None } else { well.district_code.clone() },
        subdistrict_code: if scope == Scope::Subdistrict { well.subdistrict_code.clone() } else { None },
    })
}
