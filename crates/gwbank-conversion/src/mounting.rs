//! How the sensors of a well hang, as the registry has it.

use std::collections::BTreeSet;
use std::sync::Arc;

use gwbank_model::{Parameter, Timestamp, WellId};
use gwbank_quality::compensation::CompensationRules;
use gwbank_registry::{Installation, Registry, Well};

/// To be raised with every change after which the same readings and installations give other levels.
const RULES_VERSION: u32 = 1;

/// At most so much lies between the readings of the air around one of pressure.
pub const AIR_GAP_MICROS: i64 = 3 * 3_600_000_000;

/// Which of several sensors in a well gives the level of an instant: the one that says it most directly.
pub(crate) const PRECEDENCE: [Parameter; 4] = [
    Parameter::DistanceToWater,
    Parameter::WaterHeightAboveSensor,
    Parameter::WaterPressureGauge,
    Parameter::WaterPressureAbsolute,
];

/// How a sensor hangs.
#[derive(Debug, Clone, PartialEq)]
pub struct Mounting {
    /// Below ground, in metres: of the sensor, or of the point that distances are measured from.
    pub depth: f64,
    /// Added to its readings, in their unit.
    pub offset: f64,
    /// What weighs the air for it, where it weighs air and water.
    pub barometer: Option<WellId>,
    /// How much higher than the well the barometer stands, in metres; 0 where the ground of one is not known.
    pub barometer_higher_by: f64,
}

impl Mounting {
    /// `None` where the installation does not tell what a level takes.
    fn of(parameter: Parameter, installation: &Installation, well: &Well, registry: &Registry) -> Option<Self> {
        if installation.lacks_for_level(parameter).is_some() {
            return None;
        }
        let weighs_air = parameter == Parameter::WaterPressureAbsolute;
        let barometer = installation.barometer_id.as_deref().filter(|_| weighs_air);
        let barometer = match barometer {
            Some(barometer) => Some(registry.barometer(barometer)?),
            None => None,
        };
        let heights = barometer.and_then(|barometer| barometer.ground_elevation.zip(well.ground_elevation));
        Some(Self {
            depth: installation.sensor_depth_below_mp.unwrap_or(0.0) - installation.measuring_point_height?,
            offset: installation.offset.unwrap_or(0.0),
            barometer: barometer.map(|barometer| barometer.well_id.clone()),
            barometer_higher_by: heights.map_or(0.0, |(barometer, well)| barometer - well),
        })
    }

    pub(crate) fn compensation(&self) -> CompensationRules {
        CompensationRules {
            gap_max_micros: AIR_GAP_MICROS,
            barometer_higher_by: self.barometer_higher_by,
            ..CompensationRules::default()
        }
    }
}

/// All that the levels of a well depend on beside readings.
#[derive(Debug, Clone)]
pub struct Plan {
    pub well: Arc<Well>,
    registry: Arc<Registry>,
}

impl Plan {
    pub fn of(well: &Arc<Well>, registry: &Arc<Registry>) -> Self {
        Self { well: well.clone(), registry: registry.clone() }
    }

    /// What the well's level can be told from.
    pub fn sensors(&self) -> impl Iterator<Item = Parameter> {
        PRECEDENCE.into_iter().filter(|parameter| self.mountings(*parameter).next().is_some())
    }

    fn installations(&self) -> &[Installation] {
        self.registry.installations_of(self.well.well_id.as_str())
    }

    fn mountings(&self, parameter: Parameter) -> impl Iterator<Item = Mounting> {
        let of_parameter = self.installations().iter().filter(move |i| i.parameter.is_none_or(|of| of == parameter));
        of_parameter.filter_map(move |installation| Mounting::of(parameter, installation, &self.well, &self.registry))
    }

    /// How the sensor hung at a time; `None` where that is not told, or not enough.
    pub fn mounting_at(&self, parameter: Parameter, time: Timestamp) -> Option<Mounting> {
        let installation = self.registry.installation_at(self.well.well_id.as_str(), parameter, time)?;
        Mounting::of(parameter, installation, &self.well, &self.registry)
    }

    pub fn barometers(&self) -> BTreeSet<WellId> {
        self.mountings(Parameter::WaterPressureAbsolute).filter_map(|mounting| mounting.barometer).collect()
    }

    /// Stands for the rules and everything of the registry that the levels depend on.
    pub fn fingerprint(&self) -> u64 {
        let hung: Vec<_> = self
            .installations()
            .iter()
            .map(|i| {
                let mountings = PRECEDENCE.map(|parameter| {
                    let is_of = i.parameter.is_none_or(|of| of == parameter);
                    is_of.then(|| Mounting::of(parameter, i, &self.well, &self.registry)).flatten()
                });
                (i.parameter, i.valid_from, i.valid_to, mountings)
            })
            .collect();
        gwbank_model::fingerprint(format!("{RULES_VERSION} {:?} {hung:?}", self.well.depth).as_bytes())
    }
}
