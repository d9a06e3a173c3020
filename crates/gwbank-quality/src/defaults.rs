//! Default limits by parameter, in canonical units, and why.
//!
//! The aim: a hydrologist should find nothing flagged that plausible groundwater does, whether read every 15 minutes, every
//! day or every month; and nothing passed that no aquifer does.
//!
//! - **Gross range.** `sensor`: what common instruments can give at all, or physics allows. `user`: what is found in wells;
//!   with a known depth, a water level below the bottom (+ 0.1 m, for rounding) is suspect, 2 m below it impossible (a
//!   measuring point above ground, a depth rounded when the well was registered, is up to about that).
//! - **Spike.** Levels: 0.2 m at readings within an hour, growing with √hours: 1 m between daily, 5 m between monthly
//!   readings, so that a wet-season peak passes while a slip of the decimal point does not. Ten times that fails. Dissolved
//!   matter spans four decades, so its limit is a share of the value. Rain, turbidity and flow come in spikes: no test.
//! - **Rate of change.** As in the QARTOD manual only suspect, never fail: pumping without a status makes real metres in
//!   minutes. 1 m/h is more than rain does to a water table, and about what a filling bank does; below 5 min counts as
//!   5 min, for the noise of sensors.
//! - **Flat line.** A level moves by tides, air pressure and recession: equal to half a millimetre for 5 days *and* 48
//!   readings is suspect, for 14 days and 120 readings fails. The spans allow for loggers that resolve 1 cm only: of 1.2
//!   million such hourly and daily readings in reference wells, 0.05 % stand still for 3 days and none for 7.
//!   Absolute pressure carries the weather and cannot stand still for a day. Temperature and conductivity of deep
//!   groundwater do stand still, and zero is the usual rain: no test.
//! - **Gap, climatology, attenuated signal.** Only where a well's configuration gives limits: how often a well reports, what
//!   its seasons are and how much it moves nobody knows beforehand.
//! - **Gaps.** Differences are judged up to 100 days apart (quarterly rounds of manual readings); a flat line bridges 3
//!   days, a weekend with a margin.

use gwbank_model::{Parameter, QcTests};

use crate::compensation::METRES_PER_KPA;
use crate::config::{
    FlatLine, Floor, GrossRange, Growth, MICROS_PER_DAY, MICROS_PER_HOUR, RateOfChange, SeriesConfig, Span, Spike,
    Standstill,
};
use crate::findings::Findings;

const GAP_MAX_MICROS: i64 = 100 * MICROS_PER_DAY;
const FLAT_GAP_MAX_MICROS: i64 = 3 * MICROS_PER_DAY;
const ELAPSED_MIN_MICROS: i64 = MICROS_PER_HOUR / 12;

/// What the registry knows of a well that its limits depend on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WellFacts {
    /// Of the well below ground, in metres.
    pub depth: Option<f64>,
    /// Of the ground above the vertical datum, in metres.
    pub ground_elevation: Option<f64>,
    /// Below ground, in metres, of the sensor that hangs highest: deeper water is told at its depth.
    pub sensor_depth: Option<f64>,
    /// Tests that object to all of the well's readings, such as `location` for a well outside its province.
    pub objections: QcTests,
}

impl SeriesConfig {
    /// The limits of a series of which only the parameter is known.
    pub fn default_for(parameter: Parameter) -> Self {
        Self::for_well(parameter, &WellFacts::default())
    }

    /// The limits of a series of a registered well.
    pub fn for_well(parameter: Parameter, facts: &WellFacts) -> Self {
        use Parameter as P;
        let (sensor, user) = gross_range(parameter, facts);
        // What a metre of water weighs.
        let metre = 1.0 / METRES_PER_KPA;
        let (spike, rate_of_change, flat_line) = match parameter {
            P::DepthToWater | P::GroundwaterElevation | P::DistanceToWater | P::WaterHeightAboveSensor => {
                (Some(spike(0.2, 2.0)), Some(rate(1.0)), Some(flat_level(0.0005)))
            }
            P::WaterPressureGauge => {
                (Some(spike(0.2 * metre, 2.0 * metre)), Some(rate(metre)), Some(flat_level(0.0005 * metre)))
            }
            P::WaterPressureAbsolute => {
                (Some(spike(0.2 * metre, 2.0 * metre)), Some(rate(metre)), Some(flat_weather(0.005)))
            }
            // A squall line gives 0.3 kPa within an hour, a typhoon's eye perhaps 2 kPa.
            P::BarometricPressure => (Some(spike(1.0, 5.0)), Some(rate(2.0)), Some(flat_weather(0.005))),
            // Cold rain into a shallow bank; deep groundwater hardly moves.
            P::WaterTemperature => (Some(spike(1.0, 10.0)), Some(rate(3.0)), None),
            P::AirTemperature => (Some(spike(10.0, 30.0)), None, Some(flat_weather(0.05))),
            P::SpecificConductance | P::ElectricalConductivity => (Some(relative(200.0, 2_000.0)), None, None),
            P::TotalDissolvedSolids => (Some(relative(150.0, 1_500.0)), None, None),
            P::Chloride => (Some(relative(100.0, 1_000.0)), None, None),
            P::Ph => (Some(spike(1.0, 4.0)), None, None),
            P::Rainfall
            | P::RainfallTotal
            | P::Turbidity
            | P::RechargeFlow
            | P::SoilMoisture
            | P::Evaporation
            | P::BatteryVoltage
            | P::BatteryLevel
            | P::SignalStrength
            | P::Snr
            | P::DeviceTemperature => (None, None, None),
        };
        Self {
            gross_range: Some(GrossRange { sensor, user }),
            spike,
            rate_of_change,
            flat_line,
            floor: floor(parameter, facts),
            gap: None,
            climatology: None,
            attenuated_signal: None,
            objections: facts.objections,
            findings: Findings::default(),
        }
    }
}

/// (sensor, user).
fn gross_range(parameter: Parameter, facts: &WellFacts) -> (Span, Span) {
    use Parameter as P;
    let span = Span::new;
    match parameter {
        // Up to 30 m above ground under pressure; the deepest water tables in use lie some 300 m down.
        P::DepthToWater => {
            let (deepest, impossible) = facts.depth.map_or((300.0, 1_000.0), |depth| (depth + 0.1, depth + 2.0));
            (span(-100.0, impossible), span(-30.0, deepest))
        }
        // The Dead Sea to the Himalaya; with a known ground, as for depths.
        P::GroundwaterElevation => match (facts.ground_elevation, facts.depth) {
            (Some(ground), Some(depth)) => {
                (span(ground - depth - 2.0, ground + 100.0), span(ground - depth - 0.1, ground + 30.0))
            }
            (Some(ground), None) => (span(ground - 1_000.0, ground + 100.0), span(ground - 300.0, ground + 30.0)),
            (None, _) => (span(-1_000.0, 9_000.0), span(-500.0, 5_000.0)),
        },
        // From a measuring point up to 2 m above ground.
        P::DistanceToWater => {
            let (deepest, impossible) = facts.depth.map_or((300.0, 1_000.0), |depth| (depth + 2.0, depth + 4.0));
            (span(-100.0, impossible), span(-30.0, deepest))
        }
        // Slightly below 0 is the sensor's zero error in air.
        P::WaterHeightAboveSensor => {
            let highest = facts.depth.map_or(300.0, |depth| depth + 30.0);
            (span(-5.0, 1_000.0), span(-0.2, highest))
        }
        // The thinnest air of any inhabited place; 1,000 m of water.
        P::WaterPressureAbsolute => (span(30.0, 10_000.0), span(60.0, 3_100.0)),
        P::WaterPressureGauge => (span(-50.0, 10_000.0), span(-2.0, 3_000.0)),
        // Records are 87 and 108.5 kPa at sea level; 60 kPa at 4,000 m.
        P::BarometricPressure => (span(30.0, 120.0), span(60.0, 108.5)),
        // Hot springs reach 100.
        P::WaterTemperature => (span(-5.0, 105.0), span(0.0, 60.0)),
        P::AirTemperature => (span(-60.0, 70.0), span(-40.0, 55.0)),
        // 0 is a sensor in air, rain has 5 or more; brines of salt basins reach 250,000.
        P::SpecificConductance | P::ElectricalConductivity => (span(0.0, 500_000.0), span(2.0, 250_000.0)),
        P::TotalDissolvedSolids => (span(0.0, 500_000.0), span(1.0, 350_000.0)),
        P::Chloride => (span(0.0, 300_000.0), span(0.0, 200_000.0)),
        // The record for an hour is 305 mm, for a day 1,825 mm.
        P::Rainfall => (span(0.0, 2_000.0), span(0.0, 500.0)),
        P::RainfallTotal => (span(0.0, 10_000_000.0), span(0.0, 1_000_000.0)),
        P::Turbidity => (span(0.0, 100_000.0), span(0.0, 10_000.0)),
        P::Ph => (span(0.0, 14.0), span(3.0, 11.0)),
        // Negative is taken out again.
        P::RechargeFlow => (span(-100_000.0, 100_000.0), span(-5_000.0, 5_000.0)),
        P::SoilMoisture => (span(0.0, 100.0), span(0.0, 90.0)),
        // Slightly negative by dew or the arithmetic of lysimeters.
        P::Evaporation => (span(-20.0, 100.0), span(-2.0, 30.0)),
        P::BatteryVoltage => (span(0.0, 100.0), span(1.0, 60.0)),
        P::BatteryLevel => (span(0.0, 100.0), span(0.0, 100.0)),
        P::SignalStrength => (span(-200.0, 30.0), span(-150.0, 0.0)),
        P::Snr => (span(-60.0, 60.0), span(-40.0, 40.0)),
        P::DeviceTemperature => (span(-60.0, 150.0), span(-30.0, 90.0)),
    }
}

/// Where what hangs in the well has no water to measure, within 5 cm.
fn floor(parameter: Parameter, facts: &WellFacts) -> Option<Floor> {
    match parameter {
        Parameter::DepthToWater => {
            let depths = [facts.depth.map(|depth| depth - 0.05), facts.sensor_depth.map(|depth| depth - 1e-6)];
            depths.into_iter().flatten().reduce(f64::min).map(Floor::AtOrAbove)
        }
        Parameter::GroundwaterElevation => match (facts.ground_elevation, facts.depth) {
            (Some(ground), Some(depth)) => Some(Floor::AtOrBelow(ground - depth + 0.05)),
            _ => None,
        },
        Parameter::WaterHeightAboveSensor => Some(Floor::AtOrBelow(0.05)),
        Parameter::WaterPressureGauge => Some(Floor::AtOrBelow(0.05 / METRES_PER_KPA)),
        _ => None,
    }
}

const fn spike(suspect: f64, fail: f64) -> Spike {
    let growth = Growth::SquareRootOfHours;
    Spike { suspect, fail, relative: 0.0, growth, gap_max_micros: GAP_MAX_MICROS }
}

/// For what spans decades: also a third of the value.
const fn relative(suspect: f64, fail: f64) -> Spike {
    Spike { relative: 0.33, ..spike(suspect, fail) }
}

const fn rate(suspect_per_hour: f64) -> RateOfChange {
    RateOfChange {
        suspect_per_hour,
        fail_per_hour: None,
        elapsed_min_micros: ELAPSED_MIN_MICROS,
        gap_max_micros: GAP_MAX_MICROS,
    }
}

const fn flat_level(tolerance: f64) -> FlatLine {
    FlatLine {
        suspect: Some(Standstill { span_micros: 5 * MICROS_PER_DAY, readings_min: 48 }),
        fail: Some(Standstill { span_micros: 14 * MICROS_PER_DAY, readings_min: 120 }),
        tolerance,
        gap_max_micros: FLAT_GAP_MAX_MICROS,
    }
}

/// For what follows the weather.
const fn flat_weather(tolerance: f64) -> FlatLine {
    FlatLine {
        suspect: Some(Standstill { span_micros: MICROS_PER_DAY, readings_min: 12 }),
        fail: Some(Standstill { span_micros: 3 * MICROS_PER_DAY, readings_min: 36 }),
        tolerance,
        gap_max_micros: FLAT_GAP_MAX_MICROS,
    }
}
