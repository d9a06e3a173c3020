//! The conversion itself: pure.

use std::collections::BTreeMap;

use gwbank_model::{Parameter, QualityFlag, Row, SiteStatus, Timestamp, WellId};
use gwbank_quality::SeriesConfig;
use gwbank_quality::compensation::{METRES_PER_KPA, Pressure, SensorPlace, WaterStatus, compensate};

use crate::mounting::{Mounting, PRECEDENCE, Plan};

/// A level is rounded to the inverse of this, in metres: far below what any sensor tells apart, far above the noise of the
/// arithmetic.
const ROUNDING: f64 = 1e6;

/// Readings of one sensor series in order of time.
#[derive(Debug, Clone, Copy)]
pub struct SensorReadings<'a> {
    pub parameter: Parameter,
    pub rows: &'a [Row],
}

/// What the water table stood at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    pub time: Timestamp,
    /// Depth to water below ground, in metres. `None` where the sensor's reading is missing or impossible.
    pub depth: Option<f64>,
    /// As the sensor's reading has it; dry where the water is at or below a sensor that hangs at the bottom.
    pub site_status: Option<SiteStatus>,
}

/// Levels of a well from the readings of its sensors, in order of time.
///
/// # Formulas
/// With `d` the depth of the sensor below ground (`sensor_depth_below_mp − measuring_point_height`), `o` its `offset` (added to
/// the reading, in the reading's unit), ρ g of pure water (1 m per 9.80665 kPa):
///
/// | parameter | depth to water below ground |
/// | --- | --- |
/// | `distance_to_water` r | d + r + o (d of the point that it is measured from) |
/// | `water_height_above_sensor` r | d − (r + o) |
/// | `water_pressure_gauge` r | d − (r + o)/9.80665 |
/// | `water_pressure_absolute` r | d − (r + o − air)/9.80665, see [`gwbank_quality::compensation`] |
///
/// Where the column is no more than 0.05 m the water may as well be lower: the depth is that of the sensor, and the site is
/// dry where the sensor hangs within 0.5 m of the well's bottom. An absolute pressure without air within
/// [`crate::AIR_GAP_MICROS`] gives no level. Of several sensors the most direct one speaks: distance, height, gauge, absolute.
pub fn levels(plan: &Plan, sensors: &[SensorReadings<'_>], air: &BTreeMap<WellId, Vec<Row>>) -> Vec<Level> {
    let mut levels: BTreeMap<Timestamp, Level> = BTreeMap::new();
    for parameter in PRECEDENCE {
        for sensor in sensors.iter().filter(|sensor| sensor.parameter == parameter) {
            for level in levels_of(plan, sensor, air) {
                let known = levels.entry(level.time).or_insert(level);
                if known.depth.is_none() {
                    *known = level;
                }
            }
        }
    }
    levels.into_values().collect()
}

/// A reading with its offset.
#[derive(Debug, Clone, Copy)]
struct Reading {
    time: Timestamp,
    /// NaN where it is missing or impossible.
    value: f64,
    site_status: Option<SiteStatus>,
}

fn levels_of(plan: &Plan, sensor: &SensorReadings<'_>, air: &BTreeMap<WellId, Vec<Row>>) -> Vec<Level> {
    let possible = possible(sensor.parameter);
    // Readings of one mounting together: nearly always all of them.
    let mut mounted: Vec<(Mounting, Vec<Reading>)> = Vec::new();
    for row in sensor.rows {
        let Some(mounting) = plan.mounting_at(sensor.parameter, row.time) else { continue };
        let value = if possible(row.value) { row.value + mounting.offset } else { f64::NAN };
        let reading = Reading { time: row.time, value, site_status: row.site_status };
        match mounted.last_mut() {
            Some((same, readings)) if *same == mounting => readings.push(reading),
            _ => mounted.push((mounting, vec![reading])),
        }
    }
    let levels = mounted.iter().flat_map(|(mounting, readings)| match sensor.parameter {
        Parameter::DistanceToWater => by_distance(mounting, readings),
        Parameter::WaterHeightAboveSensor => by_column(plan, mounting, readings, |reading| Some(reading.value)),
        Parameter::WaterPressureGauge => {
            by_column(plan, mounting, readings, |reading| Some(reading.value * METRES_PER_KPA))
        }
        _ => by_absolute_pressure(plan, mounting, readings, air),
    });
    levels.collect()
}

/// What a sensor of a parameter can say at all. Limits of a well are for judging, not for converting.
fn possible(parameter: Parameter) -> impl Fn(f64) -> bool {
    let span = SeriesConfig::default_for(parameter).gross_range.map(|range| range.sensor);
    move |value| value.is_finite() && span.is_none_or(|span| span.contains(value))
}

fn by_distance(mounting: &Mounting, readings: &[Reading]) -> Vec<Level> {
    let level = |reading: &Reading| Level {
        time: reading.time,
        depth: rounded(mounting.depth + reading.value),
        site_status: reading.site_status,
    };
    readings.iter().map(level).collect()
}

/// `column` gives the water above the sensor, in metres; NaN where the reading is missing, `None` where nobody can tell.
fn by_column(
    plan: &Plan,
    mounting: &Mounting,
    readings: &[Reading],
    mut column: impl FnMut(&Reading) -> Option<f64>,
) -> Vec<Level> {
    let rules = mounting.compensation();
    let place = SensorPlace { sensor_depth: mounting.depth, well_depth: plan.well.depth };
    let level = |reading: &Reading| {
        let column = column(reading)?;
        if column.is_nan() {
            return Some(Level { time: reading.time, depth: None, site_status: reading.site_status });
        }
        let is_dry = place.status(&rules, column) == WaterStatus::Dry;
        let undisturbed = matches!(reading.site_status, None | Some(SiteStatus::Ok));
        Some(Level {
            time: reading.time,
            depth: rounded(place.depth_to_water(&rules, column)),
            site_status: if is_dry && undisturbed { Some(SiteStatus::Dry) } else { reading.site_status },
        })
    };
    readings.iter().filter_map(level).collect()
}

fn by_absolute_pressure(
    plan: &Plan,
    mounting: &Mounting,
    readings: &[Reading],
    air: &BTreeMap<WellId, Vec<Row>>,
) -> Vec<Level> {
    let possible = possible(Parameter::BarometricPressure);
    let weighed = |row: &Row| pressure(row.time, row.value);
    let air = mounting.barometer.as_ref().and_then(|barometer| air.get(barometer)).map(Vec::as_slice);
    let air = air.unwrap_or_default().iter().filter(|row| possible(row.value)).map(weighed);
    let air: Vec<Pressure> = air.collect();
    let pressures: Vec<Pressure> = readings.iter().map(|reading| pressure(reading.time, reading.value)).collect();
    let mut compensated = compensate(&mounting.compensation(), &pressures, &air).into_iter();
    by_column(plan, mounting, readings, |reading| {
        let column = compensated.next().and_then(|compensated| compensated.column);
        if reading.value.is_nan() { Some(f64::NAN) } else { column }
    })
}

/// Quality is no matter of the conversion.
fn pressure(time: Timestamp, kpa: f64) -> Pressure {
    Pressure { time, kpa, flag: QualityFlag::Pass }
}

fn rounded(depth: f64) -> Option<f64> {
    depth.is_finite().then(|| (depth * ROUNDING).round() / ROUNDING)
}
