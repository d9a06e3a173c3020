//! Units that senders may use, and their exact conversion to the canonical unit of the parameter.
//!
//! # Rules
//! 1. The units of a parameter are a closed list (CONTRACT §2); a unit is compared letter by letter, so that `M` is never
//!    metre and `mS/cm` never `MS/cm`. `µ` (both code points) and `°` are other spellings of `u` and `deg`.
//! 2. A factor is a fraction of two numbers that are exact in binary, so that 342 cm is the same double as 3.42 m.
//! 3. No unit means the canonical unit, in native JSON and in SenML alike. (RFC 8428 leaves a missing unit undefined;
//!    gwbank defines it.)
//! 4. Names of the SenML registry (RFC 8428 and 8798) that differ from ours are accepted beside: `Pa`, `%EL`, `pH`.
//!    `%RH` measures none of the parameters and is refused.

use gwbank_model::Parameter;

/// (value + shift) × numerator / denominator + offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    numerator: f64,
    denominator: f64,
    /// Added before the factor: 32 °F is the same as 0 °C.
    shift: f64,
    /// Added after the factor.
    offset: f64,
}

impl Conversion {
    pub const IDENTITY: Conversion = Conversion::ratio(1.0, 1.0);

    const fn ratio(numerator: f64, denominator: f64) -> Self {
        Conversion { numerator, denominator, shift: 0.0, offset: 0.0 }
    }

    /// The same for values that are sent as multiples of `scale`: 342 tenths of a degree are 34.2.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Conversion {
        let (numerator, denominator) = fraction(scale);
        Conversion {
            numerator: self.numerator * numerator,
            denominator: self.denominator * denominator,
            shift: self.shift * denominator / numerator,
            offset: self.offset,
        }
    }

    /// To the canonical unit. May be infinite where the input is huge: the caller checks.
    pub fn apply(self, value: f64) -> f64 {
        (value + self.shift) * self.numerator / self.denominator + self.offset
    }

    /// From the canonical unit back; for encoders and tests.
    pub fn invert(self, canonical: f64) -> f64 {
        (canonical - self.offset) * self.denominator / self.numerator - self.shift
    }
}

/// A short decimal as a fraction of whole numbers (rule 2); anything else over 1.
fn fraction(scale: f64) -> (f64, f64) {
    const DECIMALS_MAX: i32 = 9;
    for denominator in (0..=DECIMALS_MAX).map(|decimals| 10f64.powi(decimals)) {
        let numerator = (scale * denominator).round();
        if numerator != 0.0 && numerator / denominator == scale {
            return (numerator, denominator);
        }
    }
    (scale, 1.0)
}

type Units = &'static [(&'static str, Conversion)];

/// A pound-force per square inch: 4.4482216152605 N on 0.00064516 m², both exact by definition.
const PSI: Conversion = Conversion::ratio(44_482_216_152_605.0, 6_451_600_000_000.0);

const LENGTH: Units = &[
    ("m", Conversion::IDENTITY),
    ("cm", Conversion::ratio(1.0, 100.0)),
    ("mm", Conversion::ratio(1.0, 1000.0)),
    ("ft", Conversion::ratio(3048.0, 10_000.0)),
];
const LENGTH_AND_INCHES: Units =
    &[LENGTH[0], LENGTH[1], LENGTH[2], LENGTH[3], ("in", Conversion::ratio(254.0, 10_000.0))];
const PRESSURE: Units = &[
    ("kPa", Conversion::IDENTITY),
    ("hPa", Conversion::ratio(1.0, 10.0)),
    ("mbar", Conversion::ratio(1.0, 10.0)),
    ("bar", Conversion::ratio(100.0, 1.0)),
    // Conventional metre of water: 1000 kg/m³ under 9.80665 m/s².
    ("mH2O", Conversion::ratio(980_665.0, 100_000.0)),
    ("cmH2O", Conversion::ratio(980_665.0, 10_000_000.0)),
    ("psi", PSI),
    ("Pa", Conversion::ratio(1.0, 1000.0)),
];
const TEMPERATURE: Units = &[
    ("Cel", Conversion::IDENTITY),
    ("degC", Conversion::IDENTITY),
    ("°C", Conversion::IDENTITY),
    ("degF", FAHRENHEIT),
    ("°F", FAHRENHEIT),
    ("K", Conversion { numerator: 1.0, denominator: 1.0, shift: 0.0, offset: -273.15 }),
];
const FAHRENHEIT: Conversion = Conversion { numerator: 5.0, denominator: 9.0, shift: -32.0, offset: 0.0 };
const CONDUCTIVITY: Units = &[
    ("uS/cm", Conversion::IDENTITY),
    ("\u{b5}S/cm", Conversion::IDENTITY),
    ("\u{3bc}S/cm", Conversion::IDENTITY),
    ("mS/cm", Conversion::ratio(1000.0, 1.0)),
    ("dS/m", Conversion::ratio(1000.0, 1.0)),
    ("S/m", Conversion::ratio(10_000.0, 1.0)),
];
const CONCENTRATION: Units = &[
    ("mg/L", Conversion::IDENTITY),
    ("mg/l", Conversion::IDENTITY),
    ("g/L", Conversion::ratio(1000.0, 1.0)),
    ("g/l", Conversion::ratio(1000.0, 1.0)),
    // By mass in dilute water: one litre weighs a kilogram.
    ("ppm", Conversion::IDENTITY),
];
const RAIN: Units = &[("mm", Conversion::IDENTITY), ("in", Conversion::ratio(254.0, 10.0))];
const FLOW: Units = &[
    ("m3/h", Conversion::IDENTITY),
    ("l/s", Conversion::ratio(36.0, 10.0)),
    ("L/s", Conversion::ratio(36.0, 10.0)),
    ("m3/s", Conversion::ratio(3600.0, 1.0)),
];
const VOLTAGE: Units = &[("V", Conversion::IDENTITY), ("mV", Conversion::ratio(1.0, 1000.0))];

const fn units(parameter: Parameter) -> Units {
    match parameter {
        Parameter::DepthToWater => LENGTH_AND_INCHES,
        Parameter::GroundwaterElevation | Parameter::DistanceToWater | Parameter::WaterHeightAboveSensor => LENGTH,
        Parameter::WaterPressureAbsolute | Parameter::WaterPressureGauge | Parameter::BarometricPressure => PRESSURE,
        Parameter::WaterTemperature | Parameter::AirTemperature | Parameter::DeviceTemperature => TEMPERATURE,
        Parameter::SpecificConductance | Parameter::ElectricalConductivity => CONDUCTIVITY,
        Parameter::TotalDissolvedSolids | Parameter::Chloride => CONCENTRATION,
        Parameter::Rainfall | Parameter::RainfallTotal => RAIN,
        Parameter::Turbidity => &[("NTU", Conversion::IDENTITY)],
        Parameter::Ph => &[("1", Conversion::IDENTITY), ("pH", Conversion::IDENTITY)],
        Parameter::RechargeFlow => FLOW,
        Parameter::SoilMoisture => &[("%", Conversion::IDENTITY)],
        Parameter::Evaporation => &[("mm", Conversion::IDENTITY)],
        Parameter::BatteryVoltage => VOLTAGE,
        Parameter::BatteryLevel => &[("%", Conversion::IDENTITY), ("%EL", Conversion::IDENTITY)],
        Parameter::SignalStrength => &[("dBm", Conversion::IDENTITY)],
        Parameter::Snr => &[("dB", Conversion::IDENTITY)],
    }
}

/// The units that a sender may name for the parameter, the canonical one first.
pub fn accepted(parameter: Parameter) -> impl Iterator<Item = &'static str> {
    units(parameter).iter().map(|(name, _)| *name)
}

/// How a value in `unit` becomes one in the canonical unit; `None` where the parameter has no such unit.
pub fn conversion(parameter: Parameter, unit: &str) -> Option<Conversion> {
    units(parameter).iter().find(|(name, _)| *name == unit).map(|(_, conversion)| *conversion)
}

/// The text of an `unknown_unit` fault.
pub fn unknown_unit_detail(parameter: Parameter, unit: &str) -> String {
    let list: Vec<&str> = accepted(parameter).collect();
    format!(
        "unit {} is not one of {parameter}: send {}, or map it in a device profile",
        crate::fault::excerpt(unit),
        list.join(", ")
    )
}

/// The text of an `unknown_parameter` fault.
pub(crate) fn unknown_parameter_detail(name: &str) -> String {
    if name == "pressure" {
        return "a bare pressure is refused: say water_pressure_absolute, water_pressure_gauge or barometric_pressure"
            .to_owned();
    }
    format!(
        "{} is no parameter of gwbank: rename it, or map or ignore it in a device profile",
        crate::fault::excerpt(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    #[test]
    fn the_canonical_unit_comes_first_and_changes_nothing() {
        for &parameter in Parameter::ALL {
            assert_eq!(accepted(parameter).next(), Some(parameter.canonical_unit()));
            assert_eq!(conversion(parameter, parameter.canonical_unit()), Some(Conversion::IDENTITY), "{parameter}");
        }
    }

    #[test]
    fn every_unit_as_a_table() {
        let mut table = String::new();
        for &parameter in Parameter::ALL {
            let shown: Vec<String> =
                units(parameter).iter().map(|(unit, c)| format!("{unit}: 1 → {}", c.apply(1.0))).collect();
            table.push_str(&format!("{parameter}: {}\n", shown.join(", ")));
        }
        expect![[r#"
            depth_to_water: m: 1 → 1, cm: 1 → 0.01, mm: 1 → 0.001, ft: 1 → 0.3048, in: 1 → 0.0254
            groundwater_elevation: m: 1 → 1, cm: 1 → 0.01, mm: 1 → 0.001, ft: 1 → 0.3048
            distance_to_water: m: 1 → 1, cm: 1 → 0.01, mm: 1 → 0.001, ft: 1 → 0.3048
            water_height_above_sensor: m: 1 → 1, cm: 1 → 0.01, mm: 1 → 0.001, ft: 1 → 0.3048
            water_pressure_absolute: kPa: 1 → 1, hPa: 1 → 0.1, mbar: 1 → 0.1, bar: 1 → 100, mH2O: 1 → 9.80665, cmH2O: 1 → 0.0980665, psi: 1 → 6.894757293168361, Pa: 1 → 0.001
            water_pressure_gauge: kPa: 1 → 1, hPa: 1 → 0.1, mbar: 1 → 0.1, bar: 1 → 100, mH2O: 1 → 9.80665, cmH2O: 1 → 0.0980665, psi: 1 → 6.894757293168361, Pa: 1 → 0.001
            barometric_pressure: kPa: 1 → 1, hPa: 1 → 0.1, mbar: 1 → 0.1, bar: 1 → 100, mH2O: 1 → 9.80665, cmH2O: 1 → 0.0980665, psi: 1 → 6.894757293168361, Pa: 1 → 0.001
            water_temperature: Cel: 1 → 1, degC: 1 → 1, °C: 1 → 1, degF: 1 → -17.22222222222222, °F: 1 → -17.22222222222222, K: 1 → -272.15
            air_temperature: Cel: 1 → 1, degC: 1 → 1, °C: 1 → 1, degF: 1 → -17.22222222222222, °F: 1 → -17.22222222222222, K: 1 → -272.15
            specific_conductance: uS/cm: 1 → 1, µS/cm: 1 → 1, μS/cm: 1 → 1, mS/cm: 1 → 1000, dS/m: 1 → 1000, S/m: 1 → 10000
            electrical_conductivity: uS/cm: 1 → 1, µS/cm: 1 → 1, μS/cm: 1 → 1, mS/cm: 1 → 1000, dS/m: 1 → 1000, S/m: 1 → 10000
            total_dissolved_solids: mg/L: 1 → 1, mg/l: 1 → 1, g/L: 1 → 1000, g/l: 1 → 1000, ppm: 1 → 1
            chloride: mg/L: 1 → 1, mg/l: 1 → 1, g/L: 1 → 1000, g/l: 1 → 1000, ppm: 1 → 1
            rainfall: mm: 1 → 1, in: 1 → 25.4
            rainfall_total: mm: 1 → 1, in: 1 → 25.4
            turbidity: NTU: 1 → 1
            ph: 1: 1 → 1, pH: 1 → 1
            recharge_flow: m3/h: 1 → 1, l/s: 1 → 3.6, L/s: 1 → 3.6, m3/s: 1 → 3600
            soil_moisture: %: 1 → 1
            evaporation: mm: 1 → 1
            battery_voltage: V: 1 → 1, mV: 1 → 0.001
            battery_level: %: 1 → 1, %EL: 1 → 1
            signal_strength: dBm: 1 → 1
            snr: dB: 1 → 1
            device_temperature: Cel: 1 → 1, degC: 1 → 1, °C: 1 → 1, degF: 1 → -17.22222222222222, °F: 1 → -17.22222222222222, K: 1 → -272.15
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn known_points() {
        for (parameter, unit, sent, canonical) in [
            (Parameter::WaterTemperature, "degF", 212.0, 100.0),
            (Parameter::WaterTemperature, "K", 273.15, 0.0),
            (Parameter::DepthToWater, "cm", 342.0, 3.42),
            (Parameter::DepthToWater, "mm", 3421.0, 3.421),
            (Parameter::DepthToWater, "in", -10.0, -0.254),
            (Parameter::SpecificConductance, "S/m", 0.25, 2500.0),
            (Parameter::RechargeFlow, "l/s", 10.0, 36.0),
            (Parameter::BatteryVoltage, "mV", 3612.0, 3.612),
        ] {
            assert_eq!(conversion(parameter, unit).unwrap().apply(sent), canonical, "{sent} {unit}");
        }
    }

    #[test]
    fn a_unit_of_another_parameter_is_unknown() {
        for (parameter, unit) in [
            (Parameter::DepthToWater, "M"),
            (Parameter::GroundwaterElevation, "in"),
            (Parameter::SoilMoisture, "%RH"),
            (Parameter::Rainfall, "cm"),
            (Parameter::WaterTemperature, "C"),
            (Parameter::DepthToWater, ""),
        ] {
            assert_eq!(conversion(parameter, unit), None, "{parameter} {unit}");
        }
    }

    #[test]
    fn scales_are_exact_in_decimals() {
        for (parameter, unit, scale, sent, canonical) in [
            (Parameter::WaterTemperature, "Cel", 0.1, 279.0, 27.9),
            (Parameter::WaterTemperature, "degF", 0.1, 2120.0, 100.0),
            (Parameter::DepthToWater, "cm", 0.1, 3421.0, 3.421),
            (Parameter::DepthToWater, "m", -0.01, 342.0, -3.42),
            (Parameter::BatteryVoltage, "V", 0.0625, 58.0, 3.625),
            (Parameter::Ph, "1", 7.0, 1.0, 7.0),
        ] {
            assert_eq!(
                conversion(parameter, unit).unwrap().scaled(scale).apply(sent),
                canonical,
                "{sent} × {scale} {unit}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_scale_is_a_factor(scale in prop_oneof![0.001f64..1000.0, -1000.0f64..-0.001], value in -1e4f64..1e4) {
            for &parameter in Parameter::ALL {
                for (unit, c) in units(parameter) {
                    let (scaled, expected) = (c.scaled(scale).apply(value), c.apply(value * scale));
                    prop_assert!((scaled - expected).abs() <= 1e-9 * expected.abs().max(1e3), "{} {}", parameter, unit);
                }
            }
        }

        /// Whole centimetres and millimetres give the double that the decimal in metres gives.
        #[test]
        fn decimals_survive(mm in -1_000_000i32..1_000_000) {
            let metres: f64 = format!("{}e-3", mm).parse().unwrap();
            prop_assert_eq!(conversion(Parameter::DepthToWater, "mm").unwrap().apply(f64::from(mm)), metres);
        }

        #[test]
        fn back_and_forth(value in -1e6f64..1e6) {
            for &parameter in Parameter::ALL {
                for (unit, c) in units(parameter) {
                    let back = c.apply(c.invert(value));
                    prop_assert!((back - value).abs() <= 1e-9 * value.abs().max(300.0), "{} {}", parameter, unit);
                }
            }
        }
    }
}
