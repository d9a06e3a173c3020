//! A registered well, and what stood in it when.

use gwbank_model::{Day, Parameter, Timestamp, WellId, named_enum};

named_enum! {
    /// What kind of hole it is; decides which hazards it may speak of.
    BankType, "bank type" {
        Observation = 1, "observation";
        Open = 2, "open";
        Closed = 3, "closed";
    }
}

named_enum! {
    AquiferCondition, "aquifer condition" {
        Unconfined = 1, "unconfined";
        Confined = 2, "confined";
        SemiConfined = 3, "semi_confined";
    }
}

named_enum! {
    /// How the series is taken: decides how many days a month needs. Registered, never guessed from the readings.
    Sampling, "sampling" {
        Logger = 1, "logger";
        Manual = 2, "manual";
    }
}

named_enum! {
    WellStatus, "well status" {
        Active = 1, "active";
        Inactive = 2, "inactive";
        Abandoned = 3, "abandoned";
    }
}

/// A registered well: every column of the table `wells`. Lengths in metres, areas in m², volumes in m³, WGS 84 degrees.
#[derive(Debug, Clone, PartialEq)]
pub struct Well {
    pub well_id: WellId,
    pub name: Option<String>,
    pub name_th: Option<String>,
    /// DOPA codes: two, four and six digits.
    pub province_code: String,
    pub district_code: Option<String>,
    pub subdistrict_code: Option<String>,
    pub lao_code: Option<String>,
    pub aquifer: Option<String>,
    pub aquifer_condition: Option<AquiferCondition>,
    pub bank_type: BankType,
    /// An open bank that stands for its aquifer's level and so enters drought roll-up.
    pub represents_aquifer: bool,
    /// Influenced by pumping; leaves climate drought.
    pub influenced: bool,
    pub sampling: Sampling,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub ground_elevation: Option<f64>,
    pub vertical_datum: Option<String>,
    pub depth: Option<f64>,
    pub screen_top: Option<f64>,
    pub screen_bottom: Option<f64>,
    pub specific_yield: Option<f64>,
    /// Depths to water below ground at which high groundwater is a warning, and severe.
    pub flood_warning_depth: Option<f64>,
    pub flood_danger_depth: Option<f64>,
    pub bank_area: Option<f64>,
    pub bank_volume: Option<f64>,
    pub fill_material: Option<String>,
    pub comparison_well_id: Option<WellId>,
    pub installed_on: Option<Day>,
    pub status: WellStatus,
}

impl Well {
    /// A well of which only what is required is known; the rest as the imports default it: not influenced, does not
    /// represent its aquifer, taken by a logger, active.
    pub fn new(well_id: WellId, province_code: &str, bank_type: BankType) -> Self {
        Self {
            well_id,
            name: None,
            name_th: None,
            province_code: province_code.to_owned(),
            district_code: None,
            subdistrict_code: None,
            lao_code: None,
            aquifer: None,
            aquifer_condition: None,
            bank_type,
            represents_aquifer: false,
            influenced: false,
            sampling: Sampling::Logger,
            latitude: None,
            longitude: None,
            ground_elevation: None,
            vertical_datum: None,
            depth: None,
            screen_top: None,
            screen_bottom: None,
            specific_yield: None,
            flood_warning_depth: None,
            flood_danger_depth: None,
            bank_area: None,
            bank_volume: None,
            fill_material: None,
            comparison_well_id: None,
            installed_on: None,
            status: WellStatus::Active,
        }
    }
}

named_enum! {
    PressureKind, "pressure kind" {
        Absolute = 1, "absolute";
        Gauge = 2, "gauge";
    }
}

/// What stood in a well from when to when: conversions use the row valid at the reading's time.
#[derive(Debug, Clone, PartialEq)]
pub struct Installation {
    pub well_id: WellId,
    /// devEui, serial number or gateway channel.
    pub device_id: Option<String>,
    pub sensor_model: Option<String>,
    pub parameter: Option<Parameter>,
    pub sensor_depth_below_mp: Option<f64>,
    pub measuring_point_height: Option<f64>,
    pub pressure_kind: Option<PressureKind>,
    pub barometer_id: Option<String>,
    pub offset: Option<f64>,
    pub valid_from: Timestamp,
    pub valid_to: Option<Timestamp>,
    pub reason: Option<String>,
}

impl Installation {
    /// The column that is wanting for a level to follow from what a sensor says; `None` where nothing is.
    pub fn lacks_for_level(&self, parameter: Parameter) -> Option<&'static str> {
        let hangs = || self.sensor_depth_below_mp.is_none().then_some("sensor_depth_below_mp");
        let stands = || self.measuring_point_height.is_none().then_some("measuring_point_height");
        match parameter {
            Parameter::DistanceToWater => stands(),
            Parameter::WaterHeightAboveSensor | Parameter::WaterPressureGauge => hangs().or_else(stands),
            Parameter::WaterPressureAbsolute => {
                hangs().or_else(stands).or_else(|| self.barometer_id.is_none().then_some("barometer_id"))
            }
            _ => Some("parameter"),
        }
    }

    /// An installation of which only place and start are known.
    pub fn new(well_id: WellId, valid_from: Timestamp) -> Self {
        Self {
            well_id,
            device_id: None,
            sensor_model: None,
            parameter: None,
            sensor_depth_below_mp: None,
            measuring_point_height: None,
            pressure_kind: None,
            barometer_id: None,
            offset: None,
            valid_from,
            valid_to: None,
            reason: None,
        }
    }
}
