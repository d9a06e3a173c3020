//! An immutable snapshot of the registry, shared by everything that asks about wells.
//!
//! # Rules
//! 1. A snapshot never changes: registering wells makes a new one, so that a reader sees one state throughout.
//! 2. Of several wells with one id, or equal installations, the last given counts (an import upserts).
//! 3. Nothing is refused here. What contradicts itself is listed by [`Registry::problems`]; the imports refuse earlier.

use std::cmp::Ordering;
use std::sync::Arc;

use gwbank_model::{Parameter, Timestamp, WellId};
use hashbrown::HashMap;

use crate::problem::{RegistryProblem, check};
use crate::{Installation, Well, places};

/// All wells and what stood in them when.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// In order of id.
    wells: Vec<Arc<Well>>,
    by_id: HashMap<WellId, usize>,
    /// In order of (well, valid_from).
    installations: Vec<Installation>,
}

impl Registry {
    pub fn new(wells: impl IntoIterator<Item = Well>, installations: impl IntoIterator<Item = Installation>) -> Self {
        Self::from_shared(wells.into_iter().map(Arc::new).collect(), installations.into_iter().collect())
    }

    fn from_shared(mut wells: Vec<Arc<Well>>, mut installations: Vec<Installation>) -> Self {
        keep_last_by(&mut wells, |a, b| a.well_id.cmp(&b.well_id));
        keep_last_by(&mut installations, |a, b| installation_key(a).cmp(&installation_key(b)));
        let by_id = wells.iter().enumerate().map(|(index, well)| (well.well_id.clone(), index)).collect();
        Self { wells, by_id, installations }
    }

    /// This registry with wells added or replaced by id.
    #[must_use]
    pub fn with_wells(&self, wells: impl IntoIterator<Item = Well>) -> Self {
        let all = self.wells.iter().cloned().chain(wells.into_iter().map(Arc::new));
        Self::from_shared(all.collect(), self.installations.clone())
    }

    /// This registry with installations added, or replaced where well, device, parameter and start are equal.
    #[must_use]
    pub fn with_installations(&self, installations: impl IntoIterator<Item = Installation>) -> Self {
        let all = self.installations.iter().cloned().chain(installations);
        Self::from_shared(self.wells.clone(), all.collect())
    }

    pub fn well(&self, id: &str) -> Option<&Arc<Well>> {
        self.by_id.get(id).map(|&index| &self.wells[index])
    }

    /// In order of id.
    pub fn wells(&self) -> &[Arc<Well>] {
        &self.wells
    }

    /// In order of (well, valid_from).
    pub fn installations(&self) -> &[Installation] {
        &self.installations
    }

    pub fn installations_of(&self, well: &str) -> &[Installation] {
        let start = self.installations.partition_point(|i| i.well_id.as_str() < well);
        let count = self.installations[start..].iter().take_while(|i| i.well_id.as_str() == well).count();
        &self.installations[start..start + count]
    }

    /// What measured this parameter at that time: an installation of the parameter before one that names none; of
    /// several the latest begun.
    pub fn installation_at(&self, well: &str, parameter: Parameter, time: Timestamp) -> Option<&Installation> {
        self.installations_of(well)
            .iter()
            .filter(|i| i.parameter.is_none_or(|p| p == parameter))
            .filter(|i| i.valid_from <= time && i.valid_to.is_none_or(|end| time < end))
            .max_by_key(|i| (i.parameter.is_some(), i.valid_from))
    }

    /// Below ground, in metres, of the sensor under water that hangs highest of all that ever did.
    pub fn shallowest_sensor(&self, well: &str) -> Option<f64> {
        let under_water = |installation: &&Installation| {
            let is_submerged = |p: Parameter| p.is_level_sensor() && p != Parameter::DistanceToWater;
            installation.parameter.is_none_or(is_submerged)
        };
        let depth = |i: &Installation| Some(i.sensor_depth_below_mp? - i.measuring_point_height?);
        self.installations_of(well).iter().filter(under_water).filter_map(depth).reduce(f64::min)
    }

    /// The well whose `barometric_pressure` a `barometer_id` means: named itself, or the one where that device weighs the air.
    pub fn barometer(&self, barometer_id: &str) -> Option<&Arc<Well>> {
        let weighs_air = |installation: &&Installation| {
            installation.device_id.as_deref() == Some(barometer_id)
                && installation.parameter == Some(Parameter::BarometricPressure)
        };
        let by_device = || self.well(self.installations.iter().find(weighs_air)?.well_id.as_str());
        self.well(barometer_id).or_else(by_device)
    }

    /// Number of wells.
    pub fn len(&self) -> usize {
        self.wells.len()
    }
    pub fn is_empty(&self) -> bool {
        self.wells.is_empty()
    }

    /// What in the registry contradicts itself or will bite later, in order of well.
    pub fn problems(&self) -> Vec<RegistryProblem> {
        check(self)
    }
}

impl Well {
    /// Whether the well has a location, and it lies so far outside its province that one of the two must be wrong.
    /// The quality test `location` doubts every reading of such a well.
    pub fn is_outside_its_province(&self) -> bool {
        let (Some(latitude), Some(longitude)) = (self.latitude, self.longitude) else { return false };
        places::province(&self.province_code).is_some_and(|province| !province.may_contain(latitude, longitude))
    }
}

/// What identifies an installation, in the order in which they are kept.
fn installation_key(i: &Installation) -> (&WellId, Timestamp, Option<&str>, Option<Parameter>) {
    (&i.well_id, i.valid_from, i.device_id.as_deref(), i.parameter)
}

/// Sorts, and of equals keeps the last given.
fn keep_last_by<T>(items: &mut Vec<T>, order: impl Fn(&T, &T) -> Ordering) {
    items.sort_by(&order); // stable: of equals the last given is last
    items.reverse();
    items.dedup_by(|a, b| order(a, b) == Ordering::Equal); // keeps the first of equals
    items.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{installation, well};

    #[test]
    fn the_last_of_equal_ids_counts_and_order_is_by_id() {
        let first = Well { depth: Some(1.0), ..well("B") };
        let last = Well { depth: Some(2.0), ..well("B") };
        let registry = Registry::new([first, well("C"), last, well("A")], []);
        let ids: Vec<&str> = registry.wells().iter().map(|w| w.well_id.as_str()).collect();
        assert_eq!(ids, ["A", "B", "C"]);
        assert_eq!(registry.well("B").unwrap().depth, Some(2.0));
        assert!(registry.well("D").is_none());

        let next = registry.with_wells([well("D"), Well { depth: Some(3.0), ..well("B") }]);
        assert_eq!((registry.len(), next.len()), (3, 4), "a snapshot does not change");
        assert_eq!(next.well("B").unwrap().depth, Some(3.0));
    }

    #[test]
    fn the_installation_valid_at_a_time() {
        let mut logger = installation("A", 100);
        logger.parameter = Some(Parameter::WaterPressureGauge);
        logger.valid_to = Some(Timestamp::from_secs(200));
        let mut replaced = installation("A", 200);
        replaced.parameter = Some(Parameter::WaterPressureGauge);
        let any = installation("A", 0);
        let registry = Registry::new([well("A")], [replaced, any, logger, installation("B", 0)]);
        let at = |secs| {
            let time = Timestamp::from_secs(secs);
            registry.installation_at("A", Parameter::WaterPressureGauge, time).map(|i| i.valid_from.as_secs())
        };
        assert_eq!(at(-1), None);
        assert_eq!(at(50), Some(0), "the one that names no parameter");
        assert_eq!(at(100), Some(100));
        assert_eq!(at(199), Some(100));
        assert_eq!(at(200), Some(200), "valid_to is not included");
        assert_eq!(registry.installations_of("A").len(), 3);

        let moved = Installation { offset: Some(0.5), ..installation("B", 0) };
        let next = registry.with_installations([moved, installation("B", 300)]);
        assert_eq!(next.installations().len(), 5);
        assert_eq!(next.installations_of("B")[0].offset, Some(0.5));
    }

    #[test]
    fn a_well_far_outside_its_province_is_known() {
        let at = |latitude, longitude| Well { latitude, longitude, ..well("A") };
        assert!(!at(None, None).is_outside_its_province());
        assert!(!at(Some(14.97), Some(102.1)).is_outside_its_province());
        assert!(at(Some(18.79), Some(98.98)).is_outside_its_province(), "Chiang Mai");
    }
}
