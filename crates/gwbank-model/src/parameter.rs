//! What is measured, and in which canonical unit it is stored.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown parameter {0:?}")]
pub struct UnknownParameter(pub String);

macro_rules! parameters {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal, $unit:literal;)*) => {
        /// A measured quantity. The number is private to a process; outside, a parameter goes by its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Parameter { $($(#[$doc])* $variant = $code,)* }

        impl Parameter {
            pub const ALL: &'static [Parameter] = &[$(Parameter::$variant,)*];

            /// The name used in payloads, tables and files.
            pub const fn name(self) -> &'static str {
                match self { $(Parameter::$variant => $name,)* }
            }

            /// The unit that every stored value of this parameter has (UCUM-like, as CONTRACT names them).
            pub const fn canonical_unit(self) -> &'static str {
                match self { $(Parameter::$variant => $unit,)* }
            }

            pub fn from_name(name: &str) -> Option<Parameter> {
                match name { $($name => Some(Parameter::$variant),)* _ => None }
            }
        }
    };
}

parameters! {
    /// Below ground, positive down; negative is above ground and valid.
    DepthToWater = 0, "depth_to_water", "m";
    /// Above the well's vertical datum, positive up.
    GroundwaterElevation = 1, "groundwater_elevation", "m";
    /// From the sensor head or measuring point, positive down.
    DistanceToWater = 2, "distance_to_water", "m";
    WaterHeightAboveSensor = 3, "water_height_above_sensor", "m";
    WaterPressureAbsolute = 4, "water_pressure_absolute", "kPa";
    WaterPressureGauge = 5, "water_pressure_gauge", "kPa";
    BarometricPressure = 6, "barometric_pressure", "kPa";
    WaterTemperature = 7, "water_temperature", "Cel";
    AirTemperature = 8, "air_temperature", "Cel";
    /// Electrical conductivity referred to 25 °C.
    SpecificConductance = 9, "specific_conductance", "uS/cm";
    /// Electrical conductivity at the water's own temperature.
    ElectricalConductivity = 10, "electrical_conductivity", "uS/cm";
    TotalDissolvedSolids = 11, "total_dissolved_solids", "mg/L";
    Chloride = 12, "chloride", "mg/L";
    /// Since the previous reading.
    Rainfall = 13, "rainfall", "mm";
    /// A counter that only rises until it is reset.
    RainfallTotal = 14, "rainfall_total", "mm";
    Turbidity = 15, "turbidity", "NTU";
    Ph = 16, "ph", "1";
    RechargeFlow = 17, "recharge_flow", "m3/h";
    SoilMoisture = 18, "soil_moisture", "%";
    Evaporation = 19, "evaporation", "mm";
    BatteryVoltage = 20, "battery_voltage", "V";
    BatteryLevel = 21, "battery_level", "%";
    SignalStrength = 22, "signal_strength", "dBm";
    Snr = 23, "snr", "dB";
    DeviceTemperature = 24, "device_temperature", "Cel";
}

impl Parameter {
    /// Groundwater level parameters: those from which monthly levels, drought and flood are judged.
    pub const fn is_level(self) -> bool {
        matches!(self, Parameter::DepthToWater | Parameter::GroundwaterElevation)
    }

    /// What a sensor in the well says of its water: a level follows from it with how the sensor hangs.
    pub const fn is_level_sensor(self) -> bool {
        matches!(
            self,
            Parameter::DistanceToWater
                | Parameter::WaterHeightAboveSensor
                | Parameter::WaterPressureAbsolute
                | Parameter::WaterPressureGauge
        )
    }

    /// What levels are converted from: those of sensors and of the air above them.
    pub const fn makes_levels(self) -> bool {
        self.is_level_sensor() || matches!(self, Parameter::BarometricPressure)
    }

    /// Of the device itself, and not of water, ground or weather.
    pub const fn is_of_device(self) -> bool {
        matches!(
            self,
            Parameter::BatteryVoltage
                | Parameter::BatteryLevel
                | Parameter::SignalStrength
                | Parameter::Snr
                | Parameter::DeviceTemperature
        )
    }

    pub const fn code(self) -> u8 {
        self as u8
    }

    pub fn from_code(code: u8) -> Option<Parameter> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Parameter {
    type Err = UnknownParameter;
    fn from_str(name: &str) -> Result<Self, UnknownParameter> {
        Self::from_name(name).ok_or_else(|| UnknownParameter(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_lead_back() {
        for (index, &parameter) in Parameter::ALL.iter().enumerate() {
            assert_eq!(usize::from(parameter.code()), index);
            assert_eq!(Parameter::from_code(parameter.code()), Some(parameter));
            assert_eq!(Parameter::from_name(parameter.name()), Some(parameter));
        }
        assert_eq!(Parameter::from_name("pressure"), None, "absolute or gauge must be said");
    }
}
