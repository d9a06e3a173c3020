//! From absolute pressure to water: barometric compensation, and what the column says of sensor and well.
//!
//! A sensor without a vent weighs the water above it *and* the air above that. The air moves by several kPa within days, as
//! much as half a metre of water; so without a barometer such a reading says nothing of the water table.
//!
//! # Formula
//! `column = (p − p_air) / (ρ g)`, in metres, with p and p_air in kPa. Pure water of 1,000 kg/m³ and g = 9.80665 m/s² give
//! 0.10197 m per kPa, that is 1 cmH2O per cm; salt water is heavier ([`CompensationRules::density`]).
//! `depth to water = depth of the sensor − column`, both below ground.
//!
//! # Rules
//! 1. The air is interpolated in time between the two readings around, at most [`CompensationRules::gap_max_micros`]
//!    apart; a barometer's reading at the same time needs no other. There is no extrapolation.
//! 2. A barometer that stands elsewhere weighs another air: 0.12 kPa, more than 1 cm of water, per 10 m of height. What
//!    stands between is corrected by the barometric formula of a standard atmosphere.
//! 3. The quality is the worst of pressure and both readings of the air. Failed air is no air. Without air the reading is
//!    suspect with `uncompensated`, and has no column.
//! 4. A column at the sensor's floor says that the water is there *or lower*: it is kept, censored ([`WaterStatus`]).
//! 5. A column clearly below nothing is suspect (`gross_range`): of two sensors one is wrong.
//!
//! Weaknesses: a barometer tens of kilometres away misses fronts (a few mm to cm for an hour or two); in a tight well the
//! air of the casing lags behind the open air; the sensor's own clock is trusted.

use gwbank_model::{QcTest, QcTests, QualityFlag, Timestamp};

/// Metres of pure water per kPa, at 1,000 kg/m³ and 9.80665 m/s².
pub const METRES_PER_KPA: f64 = 0.101_971_621_3;
const WATER_DENSITY: f64 = 1_000.0;

/// A judged reading of pressure, in kPa.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pressure {
    pub time: Timestamp,
    /// NaN is missing.
    pub kpa: f64,
    pub flag: QualityFlag,
}

/// How pressures become columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompensationRules {
    /// Between the two readings of the air around. 3 hours, the interval of weather stations: air changes by 0.1 to 0.3 kPa
    /// in that time, and the straight line between misses a third of it at most, about 1 cm of water.
    pub gap_max_micros: i64,
    /// By how much the barometer stands higher than the sensor's well head, in metres.
    pub barometer_higher_by: f64,
    /// Of the water, in kg/m³.
    pub density: f64,
    /// Up to here, in metres, the sensor may as well be in air: its zero error and that of the barometer.
    pub floor: f64,
    /// Below minus this, in metres, the column is impossible.
    pub negative_max: f64,
}

impl Default for CompensationRules {
    fn default() -> Self {
        Self {
            gap_max_micros: 3 * 3_600_000_000,
            barometer_higher_by: 0.0,
            density: WATER_DENSITY,
            floor: 0.05,
            negative_max: 0.2,
        }
    }
}

/// Where the sensor hangs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorPlace {
    /// Below ground, in metres.
    pub sensor_depth: f64,
    /// Of the well below ground, in metres, where it is known.
    pub well_depth: Option<f64>,
}

impl SensorPlace {
    /// What a column of water above the sensor, in metres, says of the water table.
    pub fn status(&self, rules: &CompensationRules, column: f64) -> WaterStatus {
        const AT_THE_BOTTOM: f64 = 0.5;
        let at_bottom = self.well_depth.is_some_and(|depth| depth - self.sensor_depth <= AT_THE_BOTTOM);
        match column <= rules.floor {
            false => WaterStatus::Submerged,
            true if at_bottom => WaterStatus::Dry,
            true => WaterStatus::BelowSensor,
        }
    }

    /// Depth to water below ground, in metres. At the floor it is the sensor's depth, the least that it can be.
    pub fn depth_to_water(&self, rules: &CompensationRules, column: f64) -> f64 {
        if column <= rules.floor { self.sensor_depth } else { self.sensor_depth - column }
    }
}

/// What the column says of the water table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaterStatus {
    /// Above the sensor.
    Submerged,
    /// At the sensor or below it: the depth is at least the sensor's, the level censored.
    BelowSensor,
    /// As before, and the sensor hangs at the bottom (within 0.5 m): the well is dry, a valid low.
    Dry,
}

/// A reading after compensation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compensated {
    pub time: Timestamp,
    /// Of water above the sensor, in metres; `None` where pressure or air is missing.
    pub column: Option<f64>,
    /// The air at the well, in kPa, where it is known.
    pub air_kpa: Option<f64>,
    pub flag: QualityFlag,
    pub tests: QcTests,
}

impl Compensated {
    /// What the reading says of the water table; `None` without a column.
    pub fn status(&self, rules: &CompensationRules, place: &SensorPlace) -> Option<WaterStatus> {
        Some(place.status(rules, self.column?))
    }

    /// Depth to water below ground, in metres. At the floor it is the sensor's depth, the least that it can be.
    pub fn depth_to_water(&self, rules: &CompensationRules, place: &SensorPlace) -> Option<f64> {
        Some(place.depth_to_water(rules, self.column?))
    }
}

/// Compensates readings of one sensor by those of one barometer, both in order of time.
///
/// 110.0 kPa under air that falls from 101.0 to 100.0 kPa within two hours, half-way:
///
/// ```
/// use gwbank_model::{QualityFlag, Timestamp};
/// use gwbank_quality::compensation::{CompensationRules, Pressure, SensorPlace, WaterStatus, compensate};
///
/// let at = |hour: i64, kpa| Pressure { time: Timestamp::from_secs(hour * 3600), kpa, flag: QualityFlag::Pass };
/// let rules = CompensationRules::default();
/// let compensated = compensate(&rules, &[at(1, 110.0), at(9, 110.0)], &[at(0, 101.0), at(2, 100.0)]);
/// let column = compensated[0].column.unwrap();
/// assert!((column - 9.5 * 0.101_971_621_3).abs() < 1e-12, "9.5 kPa of water");
/// let place = SensorPlace { sensor_depth: 12.0, well_depth: Some(20.0) };
/// assert_eq!(compensated[0].status(&rules, &place), Some(WaterStatus::Submerged));
/// assert!((compensated[0].depth_to_water(&rules, &place).unwrap() - 11.031_27).abs() < 1e-5);
/// assert_eq!((compensated[1].column, compensated[1].flag), (None, QualityFlag::Suspect), "no air any more");
/// ```
pub fn compensate(rules: &CompensationRules, pressures: &[Pressure], air: &[Pressure]) -> Vec<Compensated> {
    let air: Vec<Pressure> =
        air.iter().copied().filter(|air| air.kpa.is_finite() && air.flag != QualityFlag::Fail).collect();
    let mut next = 0;
    let compensated = pressures.iter().map(|pressure| {
        while air.get(next).is_some_and(|air| air.time < pressure.time) {
            next += 1;
        }
        let before = next.checked_sub(1).and_then(|before| air.get(before));
        one(rules, pressure, air_at(rules, pressure.time, before, air.get(next)))
    });
    compensated.collect()
}

/// The air at a time and its quality.
fn air_at(
    rules: &CompensationRules,
    time: Timestamp,
    before: Option<&Pressure>,
    at_or_after: Option<&Pressure>,
) -> Option<(f64, QualityFlag)> {
    let after = at_or_after?;
    let (kpa, flag) = if after.time == time {
        (after.kpa, after.flag)
    } else {
        let before = before?;
        let apart = after.time.micros_since(before.time);
        if apart > rules.gap_max_micros {
            return None;
        }
        let share = time.micros_since(before.time) as f64 / apart as f64;
        (before.kpa + (after.kpa - before.kpa) * share, before.flag.worst(after.flag))
    };
    Some((kpa * at_lower_height(rules.barometer_higher_by), flag))
}

/// By which factor air weighs more so many metres lower: the barometric formula at 15 °C, whose scale height is 8,434 m.
fn at_lower_height(metres: f64) -> f64 {
    (metres / 8_434.0).exp()
}

fn one(rules: &CompensationRules, pressure: &Pressure, air: Option<(f64, QualityFlag)>) -> Compensated {
    let none = Compensated {
        time: pressure.time,
        column: None,
        air_kpa: air.map(|(kpa, _)| kpa),
        flag: QualityFlag::Missing,
        tests: QcTests::NONE,
    };
    if pressure.kpa.is_nan() {
        return none;
    }
    let Some((air_kpa, air_flag)) = air else {
        let flag = pressure.flag.worst(QualityFlag::Suspect);
        return Compensated { flag, tests: QcTests::NONE.with(QcTest::Uncompensated), ..none };
    };
    let column = (pressure.kpa - air_kpa) * METRES_PER_KPA * (WATER_DENSITY / rules.density);
    let is_impossible = column < -rules.negative_max;
    let own = if is_impossible { QualityFlag::Suspect } else { QualityFlag::NotEvaluated };
    let tests = if is_impossible { QcTests::NONE.with(QcTest::GrossRange) } else { QcTests::NONE };
    Compensated { column: Some(column), flag: pressure.flag.worst(air_flag).worst(own), tests, ..none }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64, kpa: f64) -> Pressure {
        Pressure { time: Timestamp::from_secs(minute * 60), kpa, flag: QualityFlag::Pass }
    }

    fn columns(air: &[Pressure], minutes: &[i64]) -> Vec<Option<f64>> {
        let pressures: Vec<Pressure> = minutes.iter().map(|&minute| at(minute, 101.0)).collect();
        let compensated = compensate(&CompensationRules::default(), &pressures, air);
        compensated.iter().map(|reading| reading.column.map(|column| (column * 1e4).round() / 1e4)).collect()
    }

    #[test]
    fn air_is_interpolated_within_the_gap_and_never_beyond_the_ends() {
        let air = [at(0, 100.0), at(60, 101.0), at(60 + 181, 101.0)];
        assert_eq!(
            columns(&air, &[-1, 0, 30, 60, 61, 241, 242]),
            [None, Some(0.102), Some(0.051), Some(0.0), None, Some(0.0), None]
        );
        assert_eq!(columns(&[], &[0]), [None]);
    }

    #[test]
    fn quality_is_the_worst_of_what_went_in() {
        let rules = CompensationRules::default();
        let suspect = Pressure { flag: QualityFlag::Suspect, ..at(60, 100.0) };
        let failed = Pressure { flag: QualityFlag::Fail, ..at(30, 10.0) };
        let found = compensate(&rules, &[at(15, 110.0), at(60, f64::NAN)], &[at(0, 100.0), failed, suspect]);
        assert_eq!((found[0].flag, found[0].tests), (QualityFlag::Suspect, QcTests::NONE));
        assert_eq!(found[0].air_kpa, Some(100.0), "past the failed reading");
        assert_eq!((found[1].flag, found[1].column), (QualityFlag::Missing, None));
        let found = compensate(&rules, &[at(0, 90.0)], &[at(0, 100.0)]);
        assert_eq!(found[0].tests, QcTests::NONE.with(QcTest::GrossRange), "a metre less than nothing");
        let found = compensate(&rules, &[at(0, 90.0)], &[]);
        assert_eq!(found[0].tests, QcTests::NONE.with(QcTest::Uncompensated));
    }

    #[test]
    fn a_barometer_on_a_hill_weighs_less() {
        let rules = CompensationRules { barometer_higher_by: 100.0, ..CompensationRules::default() };
        let found = compensate(&rules, &[at(0, 110.0)], &[at(0, 100.0)]);
        assert!((found[0].air_kpa.unwrap() - 101.193).abs() < 1e-3);
    }

    #[test]
    fn salt_water_is_heavier() {
        let rules = CompensationRules { density: 1_025.0, ..CompensationRules::default() };
        let column = compensate(&rules, &[at(0, 200.0)], &[at(0, 100.0)])[0].column.unwrap();
        assert!((column - 9.9485).abs() < 1e-4);
    }

    #[test]
    fn what_the_floor_says() {
        let rules = CompensationRules::default();
        let dry = compensate(&rules, &[at(0, 100.3)], &[at(0, 100.0)])[0];
        let status = |well_depth| {
            let place = SensorPlace { sensor_depth: 12.0, well_depth };
            (dry.status(&rules, &place), dry.depth_to_water(&rules, &place))
        };
        assert_eq!(status(None), (Some(WaterStatus::BelowSensor), Some(12.0)));
        assert_eq!(status(Some(20.0)), (Some(WaterStatus::BelowSensor), Some(12.0)));
        assert_eq!(status(Some(12.3)), (Some(WaterStatus::Dry), Some(12.0)));
    }
}
