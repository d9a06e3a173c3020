//! On which other wells the second look at a well rests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gwbank_model::{Parameter, WellId};
use gwbank_registry::{BankType, Registry, Well};
use gwbank_store::LastHeard;

/// Neighbours of a well. The forecast of a day is the median of what they say, which more of them hardly better.
const NEIGHBOURS_MAX: usize = 8;
/// Air pressure is the same for tens of kilometres; rain is so at best.
const WEATHER_KM_MAX: f64 = 30.0;

/// What is read of and beside a well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WellSources {
    /// What it ever reported, in the order of the parameters.
    pub parameters: Vec<Parameter>,
    /// Observation wells of the same aquifer and province, nearest first.
    pub neighbours: Vec<WellId>,
    /// The nearest well with `rainfall`, itself where it has a gauge.
    pub rain: Option<WellId>,
    /// The same with `barometric_pressure`.
    pub air: Option<WellId>,
}

#[derive(Debug, Default)]
pub(crate) struct Sources {
    of: HashMap<WellId, Arc<WellSources>>,
    /// By whose levels, rain or air the look at other wells goes.
    levels_of: HashMap<WellId, Vec<WellId>>,
    rain_of: HashMap<WellId, Vec<WellId>>,
    air_of: HashMap<WellId, Vec<WellId>>,
}

impl Sources {
    pub fn new(registry: &Registry, heard: &[LastHeard]) -> Self {
        let mut parameters: HashMap<&WellId, BTreeSet<Parameter>> = HashMap::new();
        for series in heard {
            parameters.entry(&series.well_id).or_default().insert(series.parameter);
        }
        let has = |well: &Well, wanted: &dyn Fn(Parameter) -> bool| {
            parameters.get(&well.well_id).is_some_and(|had| had.iter().any(|parameter| wanted(*parameter)))
        };
        let with = |wanted: &dyn Fn(Parameter) -> bool| -> Vec<&Arc<Well>> {
            registry.wells().iter().filter(|well| has(well, wanted)).collect()
        };
        let rain = with(&|parameter| parameter == Parameter::Rainfall);
        let air = with(&|parameter| parameter == Parameter::BarometricPressure);
        let levels = with(&Parameter::is_level);
        let mut by_aquifer: BTreeMap<(&str, &str), Vec<&Arc<Well>>> = BTreeMap::new();
        for &well in levels.iter().filter(|well| is_of_the_aquifer(well)) {
            if let Some(aquifer) = &well.aquifer {
                by_aquifer.entry((&well.province_code, aquifer)).or_default().push(well);
            }
        }
        let mut sources = Self::default();
        for well in registry.wells() {
            let Some(parameters) = parameters.get(&well.well_id) else { continue };
            let mut of = WellSources { parameters: parameters.iter().copied().collect(), ..WellSources::default() };
            if is_of_the_aquifer(well) && has(well, &Parameter::is_level) {
                let beside = well.aquifer.as_ref().and_then(|aquifer| by_aquifer.get(&(&*well.province_code, aquifer)));
                of.neighbours = nearest(well, beside.map(Vec::as_slice).unwrap_or_default());
                of.rain = weather_of(well, &rain);
                of.air = weather_of(well, &air);
            }
            sources.add(well, of);
        }
        sources
    }

    fn add(&mut self, well: &Well, of: WellSources) {
        let id = &well.well_id;
        for neighbour in &of.neighbours {
            self.levels_of.entry(neighbour.clone()).or_default().push(id.clone());
        }
        for (source, by_source) in [(&of.rain, &mut self.rain_of), (&of.air, &mut self.air_of)] {
            if let Some(source) = source {
                by_source.entry(source.clone()).or_default().push(id.clone());
            }
        }
        self.of.insert(id.clone(), Arc::new(of));
    }

    pub fn of(&self, well: &WellId) -> Arc<WellSources> {
        self.of.get(well).cloned().unwrap_or_default()
    }

    /// The well itself, and those whose look goes by this series of it.
    pub fn resting_on(&self, well: &WellId, parameter: Parameter) -> Vec<WellId> {
        let others = match parameter {
            parameter if parameter.is_level() => self.levels_of.get(well),
            Parameter::Rainfall => self.rain_of.get(well),
            Parameter::BarometricPressure => self.air_of.get(well),
            _ => None,
        };
        let mut wells: Vec<WellId> = others.into_iter().flatten().chain([well]).cloned().collect();
        wells.sort_unstable();
        wells.dedup();
        wells
    }
}

/// Whose level is the aquifer's: no bank that fills, no well that is pumped.
pub(super) fn is_of_the_aquifer(well: &Well) -> bool {
    well.bank_type == BankType::Observation && !well.influenced
}

fn nearest(well: &Well, others: &[&Arc<Well>]) -> Vec<WellId> {
    let others = others.iter().filter(|other| other.well_id != well.well_id);
    // Those of unknown place come last.
    let mut by_distance: Vec<(f64, &WellId)> =
        others.map(|other| (distance_km(well, other).unwrap_or(f64::INFINITY), &other.well_id)).collect();
    by_distance.sort_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.cmp(other.1)));
    by_distance.into_iter().take(NEIGHBOURS_MAX).map(|(_, id)| id.clone()).collect()
}

fn weather_of(well: &Well, with: &[&Arc<Well>]) -> Option<WellId> {
    let near = with.iter().filter_map(|other| match other.well_id == well.well_id {
        true => Some((0.0, &other.well_id)),
        false => Some((distance_km(well, other)?, &other.well_id)),
    });
    let near = near.filter(|(km, _)| *km <= WEATHER_KM_MAX);
    near.min_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.cmp(other.1))).map(|(_, id)| id.clone())
}

/// Good to a thousandth over a province.
fn distance_km(one: &Well, other: &Well) -> Option<f64> {
    const KM_PER_DEGREE: f64 = 111.2;
    let (north, east) = (other.latitude? - one.latitude?, other.longitude? - one.longitude?);
    let east = east * one.latitude?.to_radians().cos();
    Some(KM_PER_DEGREE * north.hypot(east))
}

#[cfg(test)]
mod tests {
    use gwbank_model::Timestamp;

    use super::*;

    fn well(name: &str, latitude: f64) -> Well {
        let id = WellId::new(name).unwrap();
        let aquifer = Some("Korat".to_owned());
        Well { aquifer, latitude: Some(latitude), longitude: Some(102.0), ..Well::new(id, "30", BankType::Observation) }
    }

    fn heard(name: &str, parameter: Parameter) -> LastHeard {
        LastHeard { well_id: WellId::new(name).unwrap(), parameter, time: Timestamp::from_secs(0) }
    }

    fn names(wells: &[WellId]) -> Vec<&str> {
        wells.iter().map(WellId::as_str).collect()
    }

    #[test]
    fn neighbours_are_near_wells_of_the_aquifer_that_speak() {
        let elsewhere = Well { aquifer: Some("Chi".to_owned()), ..well("other_aquifer", 15.0) };
        let pumped = Well { influenced: true, ..well("pumped", 15.0) };
        let wells = vec![well("A", 15.0), well("B", 15.3), well("C", 15.1), well("silent", 15.0), elsewhere, pumped];
        let levels = ["A", "B", "C", "other_aquifer", "pumped"].map(|name| heard(name, Parameter::DepthToWater));
        let sources = Sources::new(&Registry::new(wells, []), &levels);
        let of = |name: &str| sources.of(&WellId::new(name).unwrap()).neighbours.clone();
        assert_eq!(names(&of("A")), ["C", "B"]);
        assert_eq!(names(&of("pumped")), [] as [&str; 0]);
        let resting = |name: &str, parameter| sources.resting_on(&WellId::new(name).unwrap(), parameter);
        assert_eq!(names(&resting("C", Parameter::DepthToWater)), ["A", "B", "C"]);
        assert_eq!(names(&resting("C", Parameter::Ph)), ["C"]);
        assert_eq!(names(&resting("silent", Parameter::DepthToWater)), ["silent"]);
    }

    #[test]
    fn weather_is_that_of_the_nearest_well_if_it_is_near() {
        let wells = vec![well("A", 15.0), well("B", 15.2), well("far", 17.0)];
        let mut series: Vec<LastHeard> =
            ["A", "B", "far"].into_iter().map(|name| heard(name, Parameter::DepthToWater)).collect();
        series.push(heard("B", Parameter::Rainfall));
        series.push(heard("B", Parameter::BarometricPressure));
        let sources = Sources::new(&Registry::new(wells, []), &series);
        let rain = |name: &str| sources.of(&WellId::new(name).unwrap()).rain.clone();
        assert_eq!((rain("A"), rain("B"), rain("far")), (WellId::new("B").ok(), WellId::new("B").ok(), None));
        let resting = sources.resting_on(&WellId::new("B").unwrap(), Parameter::BarometricPressure);
        assert_eq!(names(&resting), ["A", "B"]);
    }
}
