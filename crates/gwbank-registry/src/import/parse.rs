//! Lines into wells and installations.

use std::collections::HashMap;

use gwbank_model::{Parameter, WellId};

use super::Faults;
use super::line::{Fields, Line};
use crate::problem::contradictions;
use crate::{AquiferCondition, BankType, Installation, PressureKind, Sampling, Well, WellStatus, places};

pub(crate) const ID_MEND: &str = "use up to 64 bytes without white space, quotes, / + and #";

pub(crate) fn wells(lines: &[Line], faults: &mut Faults) -> Vec<Well> {
    let mut first_lines: HashMap<&str, u64> = HashMap::new();
    let mut wells = Vec::with_capacity(lines.len());
    for line in lines {
        if let Some(id) = line.get("well_id") {
            let first = *first_lines.entry(id).or_insert(line.number);
            if first != line.number {
                let problem = format!("the well is on line {first} already");
                faults.add(line.number, "well_id", id, problem, "keep one of the two lines");
            }
        }
        wells.extend(well(line, faults));
    }
    wells
}

fn well(line: &Line, faults: &mut Faults) -> Option<Well> {
    let row = Fields::new(line, faults);
    let id = |column| row.parsed::<WellId>(column, ID_MEND);
    let metres = |column, min, max| row.number(column, min, max, "m");
    let depth = |column| metres(column, 0.0, 10_000.0);
    for column in ["well_id", "bank_type"] {
        if !row.is_given(column) {
            row.fault(column, "not given", "every well needs it");
        }
    }
    let (province_code, district_code, subdistrict_code) = place_codes(&row);
    if province_code.is_none() {
        row.fault("province_code", "not given", "give it, or district_code or subdistrict_code from which it follows");
    }
    let (latitude, longitude) = location(&row);
    // The whole line is read and checked even where a required field is at fault, so that all its faults are found.
    let (well_id, bank_type) = (id("well_id"), row.named("bank_type", BankType::ALL));
    let is_complete = well_id.is_some() && bank_type.is_some() && province_code.is_some();
    let well_id = well_id.or_else(|| WellId::new("-").ok())?;
    let required =
        Well::new(well_id, province_code.as_deref().unwrap_or_default(), bank_type.unwrap_or(BankType::Observation));
    let well = Well {
        name: row.text("name"),
        name_th: row.text("name_th"),
        district_code,
        subdistrict_code,
        lao_code: row.text("lao_code"),
        aquifer: row.text("aquifer"),
        aquifer_condition: row.named("aquifer_condition", AquiferCondition::ALL),
        represents_aquifer: row.yes_or_no("represents_aquifer").unwrap_or(false),
        influenced: row.yes_or_no("influenced").unwrap_or(false),
        sampling: row.named("sampling", Sampling::ALL).unwrap_or(Sampling::Logger),
        latitude,
        longitude,
        ground_elevation: metres("ground_elevation", -1_000.0, 9_000.0),
        vertical_datum: row.text("vertical_datum"),
        depth: depth("depth"),
        screen_top: depth("screen_top"),
        screen_bottom: depth("screen_bottom"),
        specific_yield: row.number("specific_yield", 0.0, 1.0, "(a share of the volume)"),
        flood_warning_depth: metres("flood_warning_depth", -100.0, 1_000.0),
        flood_danger_depth: metres("flood_danger_depth", -100.0, 1_000.0),
        bank_area: row.number("bank_area", 0.0, 1e9, "m²"),
        bank_volume: row.number("bank_volume", 0.0, 1e12, "m³"),
        fill_material: row.text("fill_material"),
        comparison_well_id: id("comparison_well_id"),
        installed_on: row.day("installed_on"),
        status: row.named("status", WellStatus::ALL).unwrap_or(WellStatus::Active),
        ..required
    };
    let was_named = |column| column == "province_code" && province_code.is_none();
    for (column, problem, mend) in contradictions(&well).into_iter().filter(|(column, ..)| !was_named(*column)) {
        row.fault(column, problem, mend);
    }
    is_complete.then_some(well)
}

/// Codes as given, those above derived from those below.
fn place_codes(row: &Fields) -> (Option<String>, Option<String>, Option<String>) {
    let code = |column| {
        let code = row.text(column)?;
        // Spreadsheets turn codes into numbers, and numbers into 30.0.
        Some(code.strip_suffix(".0").map(str::to_owned).unwrap_or(code))
    };
    let subdistrict = code("subdistrict_code");
    let above = |code: &Option<String>, digits| code.as_ref()?.get(..digits).map(str::to_owned);
    let district = code("district_code").or_else(|| above(&subdistrict, 4));
    let province = code("province_code").or_else(|| above(&district, 2));
    (province, district, subdistrict)
}

fn location(row: &Fields) -> (Option<f64>, Option<f64>) {
    let raw = |column| row.text(column).and_then(|text| text.parse::<f64>().ok());
    if let (Some(latitude), Some(longitude)) = (raw("latitude"), raw("longitude")) {
        // Metres of UTM zone 47 or 48 are the commonest mistake in Thailand.
        if latitude.abs() > 180.0 && longitude.abs() > 180.0 {
            let mend = "convert to WGS 84 degrees; these look like metres of a projection such as UTM 47N";
            row.fault("latitude", "not degrees", mend);
            return (None, None);
        }
        // In Thailand only when read the other way round.
        let swapped = latitude.abs() > 90.0 && places::province_at(longitude, latitude).is_some();
        if swapped {
            row.fault("latitude", "latitude and longitude are swapped", "exchange the two");
            return (None, None);
        }
    }
    (row.number("latitude", -90.0, 90.0, "degrees"), row.number("longitude", -180.0, 180.0, "degrees"))
}

pub(crate) fn installations(lines: &[Line], faults: &mut Faults) -> Vec<Installation> {
    lines.iter().filter_map(|line| installation(line, faults)).collect()
}

fn installation(line: &Line, faults: &mut Faults) -> Option<Installation> {
    let row = Fields::new(line, faults);
    for column in ["well_id", "valid_from"] {
        if !row.is_given(column) {
            row.fault(column, "not given", "every installation needs it");
        }
    }
    let metres = |column| row.number(column, -10_000.0, 10_000.0, "m");
    let (well_id, valid_from) = (row.parsed::<WellId>("well_id", ID_MEND), row.time("valid_from"));
    let (valid_to, parameter) = (row.time("valid_to"), row.named("parameter", Parameter::ALL));
    if let (Some(from), Some(to)) = (valid_from, valid_to)
        && to < from
    {
        row.fault(
            "valid_to",
            "before valid_from",
            "mend one of the two, leave valid_to empty while it stands, or equal to withdraw it",
        );
    }
    let optional = Installation {
        device_id: row.text("device_id"),
        sensor_model: row.text("sensor_model"),
        parameter,
        sensor_depth_below_mp: metres("sensor_depth_below_mp"),
        measuring_point_height: metres("measuring_point_height"),
        pressure_kind: row.named("pressure_kind", PressureKind::ALL),
        barometer_id: row.text("barometer_id"),
        offset: row.number("offset", -1e6, 1e6, "the parameter's unit"),
        valid_to,
        reason: row.text("reason"),
        ..Installation::new(well_id?, valid_from?)
    };
    Some(optional)
}
