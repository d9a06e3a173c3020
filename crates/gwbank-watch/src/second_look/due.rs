//! Which wells are to be looked at, and from which month on.

use std::collections::HashMap;
use std::sync::Arc;

use gwbank_model::{Month, WellId};
use gwbank_quality::across::MultiVariateRules;
use gwbank_registry::{Registry, Well};
use gwbank_store::SecondLook;

use super::across::neighbour_rules;
use super::series::MONTHS_AFTER;
use super::{Sources, VERSION, sources};
use crate::watch::Inner;

/// A well that is due.
pub(super) struct Due {
    pub well: Arc<Well>,
    /// The first month whose findings may be others now.
    pub from: Month,
    pub fingerprint: u64,
}

/// In an order in which wells that are read together stand together.
pub(super) fn due(
    inner: &Inner,
    registry: &Registry,
    sources: &Sources,
    looks: Vec<SecondLook>,
    closed_through: Month,
) -> Vec<Due> {
    let looks: HashMap<WellId, SecondLook> = looks.into_iter().map(|look| (look.well_id.clone(), look)).collect();
    let earliest = closed_through.plus(1 - inner.config.second_look_months.cast_signed());
    let mut due: Vec<Due> = Vec::new();
    for well in registry.wells() {
        let fingerprint = fingerprint(inner, well, sources);
        let from = match looks.get(&well.well_id) {
            Some(look) if look.fingerprint == fingerprint => look.looked_through.plus(1),
            _ => earliest,
        };
        if from > closed_through || sources.of(&well.well_id).parameters.is_empty() {
            continue;
        }
        // What comes after a month tells of it, too.
        let from = from.plus(-MONTHS_AFTER).max(earliest);
        due.push(Due { well: Arc::clone(well), from, fingerprint });
    }
    due.sort_by(|one, other| {
        let place = |due: &Due| (due.from, due.well.province_code.clone(), due.well.aquifer.clone());
        place(one).cmp(&place(other)).then_with(|| one.well.well_id.cmp(&other.well.well_id))
    });
    due
}

/// Stands for all but the readings.
fn fingerprint(inner: &Inner, well: &Well, sources: &Sources) -> u64 {
    let of = sources.of(&well.well_id);
    let limits: Vec<u64> = of
        .parameters
        .iter()
        .map(|parameter| inner.judge.quality_config(&well.well_id, *parameter).fingerprint())
        .collect();
    let rules = (neighbour_rules(), MultiVariateRules::default(), inner.config.closing.offset_seconds);
    let facts = (sources::is_of_the_aquifer(well), well.ground_elevation);
    gwbank_model::fingerprint(format!("{VERSION} {rules:?} {facts:?} {of:?} {limits:?}").as_bytes())
}
