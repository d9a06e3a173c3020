//! Wells and installations into files that read back equal.

use gwbank_model::BANGKOK_OFFSET_SECONDS;
use serde_json::{Map, Value, json};

use super::{INSTALLATION_COLUMNS, OFFICE_COLUMNS, WELL_COLUMNS};
use crate::office::{Contact, Office, Offices};
use crate::{Installation, Well};

/// All columns of the table `wells`, one line per well, UTF-8, LF.
pub fn write_wells_csv<'a>(wells: impl IntoIterator<Item = &'a Well>) -> String {
    write_csv(WELL_COLUMNS, wells.into_iter().map(|well| WELL_COLUMNS.iter().map(|column| well_cell(well, column))))
}

/// A FeatureCollection of points, one feature per line; a well without a location has the geometry null.
pub fn write_wells_geojson<'a>(wells: impl IntoIterator<Item = &'a Well>) -> String {
    let mut text = String::from("{\"type\":\"FeatureCollection\",\"features\":[");
    for (index, well) in wells.into_iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        let geometry = match (well.longitude, well.latitude) {
            (Some(longitude), Some(latitude)) => json!({ "type": "Point", "coordinates": [longitude, latitude] }),
            _ => Value::Null,
        };
        let properties: Map<String, Value> = WELL_COLUMNS
            .iter()
            .filter(|column| !matches!(**column, "longitude" | "latitude"))
            .map(|column| ((*column).to_owned(), well_cell(well, column)))
            .filter(|(_, value)| !value.is_null())
            .collect();
        let feature = json!({ "type": "Feature", "geometry": geometry, "properties": properties });
        text.push_str(&feature.to_string());
    }
    text.push_str("\n]}\n");
    text
}

/// All columns of the table `installations`, one line each, UTF-8, LF; times at +07:00.
pub fn write_installations_csv<'a>(installations: impl IntoIterator<Item = &'a Installation>) -> String {
    let cells = |installation| INSTALLATION_COLUMNS.iter().map(move |column| installation_cell(installation, column));
    write_csv(INSTALLATION_COLUMNS, installations.into_iter().map(cells))
}

/// All columns of offices and contacts, one line a contact, an office without contacts on one of its own. Secrets only where
/// they are asked for.
pub fn write_offices_csv(offices: &Offices, with_secrets: bool) -> String {
    let has_contact = |office: &Office| offices.contacts.values().any(|contact| contact.office_id == office.office_id);
    let alone = offices.offices.values().filter(|office| !has_contact(office)).map(|office| (office, None));
    let contacts = offices.all().map(|(office, contact)| (office, Some(contact)));
    let cells = |(office, contact): (&std::sync::Arc<Office>, Option<&std::sync::Arc<Contact>>)| {
        OFFICE_COLUMNS
            .iter()
            .map(|column| match *column {
                "secret" if !with_secrets => Value::Null,
                column => office_cell(office, contact.map(AsRef::as_ref), column),
            })
            .collect::<Vec<_>>()
            .into_iter()
    };
    write_csv(OFFICE_COLUMNS, contacts.chain(alone).map(cells))
}

fn write_csv(header: &[&str], rows: impl Iterator<Item = impl Iterator<Item = Value>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let text = |value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    // Writing to memory cannot fail, and every field is text.
    writer.write_record(header).expect("memory takes a record");
    for row in rows {
        writer.write_record(row.map(text)).expect("memory takes a record");
    }
    let bytes = writer.into_inner().expect("memory takes all records");
    String::from_utf8(bytes).expect("fields are text")
}

fn well_cell(well: &Well, column: &str) -> Value {
    match column {
        "well_id" => json!(well.well_id.as_str()),
        "name" => json!(well.name),
        "name_th" => json!(well.name_th),
        "province_code" => json!(well.province_code),
        "district_code" => json!(well.district_code),
        "subdistrict_code" => json!(well.subdistrict_code),
        "lao_code" => json!(well.lao_code),
        "aquifer" => json!(well.aquifer),
        "aquifer_condition" => json!(well.aquifer_condition.map(|condition| condition.name())),
        "bank_type" => json!(well.bank_type.name()),
        "represents_aquifer" => json!(well.represents_aquifer),
        "influenced" => json!(well.influenced),
        "sampling" => json!(well.sampling.name()),
        "latitude" => json!(well.latitude),
        "longitude" => json!(well.longitude),
        "ground_elevation" => json!(well.ground_elevation),
        "vertical_datum" => json!(well.vertical_datum),
        "depth" => json!(well.depth),
        "screen_top" => json!(well.screen_top),
        "screen_bottom" => json!(well.screen_bottom),
        "specific_yield" => json!(well.specific_yield),
        "flood_warning_depth" => json!(well.flood_warning_depth),
        "flood_danger_depth" => json!(well.flood_danger_depth),
        "bank_area" => json!(well.bank_area),
        "bank_volume" => json!(well.bank_volume),
        "fill_material" => json!(well.fill_material),
        "comparison_well_id" => json!(well.comparison_well_id.as_ref().map(|id| id.as_str())),
        "installed_on" => json!(well.installed_on.map(|day| day.date().to_string())),
        "status" => json!(well.status.name()),
        _ => unreachable!("{column} is not a column of wells"),
    }
}

fn installation_cell(installation: &Installation, column: &str) -> Value {
    match column {
        "well_id" => json!(installation.well_id.as_str()),
        "device_id" => json!(installation.device_id),
        "sensor_model" => json!(installation.sensor_model),
        "parameter" => json!(installation.parameter.map(|parameter| parameter.name())),
        "sensor_depth_below_mp" => json!(installation.sensor_depth_below_mp),
        "measuring_point_height" => json!(installation.measuring_point_height),
        "pressure_kind" => json!(installation.pressure_kind.map(|kind| kind.name())),
        "barometer_id" => json!(installation.barometer_id),
        "offset" => json!(installation.offset),
        "valid_from" => json!(installation.valid_from.to_rfc3339(BANGKOK_OFFSET_SECONDS)),
        "valid_to" => json!(installation.valid_to.map(|end| end.to_rfc3339(BANGKOK_OFFSET_SECONDS))),
        "reason" => json!(installation.reason),
        _ => unreachable!("{column} is not a column of installations"),
    }
}

pub(super) fn office_cell(office: &Office, contact: Option<&Contact>, column: &str) -> Value {
    let list = |names: Vec<&str>| json!((!names.is_empty()).then(|| names.join(";")));
    match column {
        "office_id" => json!(office.office_id),
        "level" => json!(office.level.name()),
        "place_code" => json!(office.place_code),
        "office_name" => json!(office.name),
        "office_name_th" => json!(office.name_th),
        "office_phone" => json!(office.phone),
        "messages_per_minute" => json!(office.messages_per_minute),
        _ => {
            let Some(contact) = contact else { return Value::Null };
            match column {
                "contact_id" => json!(contact.contact_id),
                "contact_name" => json!(contact.name),
                "channel" => json!(contact.channel.name()),
                "address" => json!(contact.address),
                "secret" => json!(contact.secret),
                "language" => json!(contact.language.name()),
                "min_severity" => json!(contact.min_severity.name()),
                "hazards" => list(contact.hazards.iter().map(|hazard| hazard.name()).collect()),
                "scopes" => list(contact.scopes.iter().map(|scope| scope.name()).collect()),
                "quiet_hours" => json!(contact.quiet_hours.map(|hours| hours.to_string())),
                "digest" => json!(contact.digest.map(|digest| digest.to_string())),
                "drills" => json!(contact.drills),
                "active" => json!(contact.active),
                _ => unreachable!("{column} is not a column of offices"),
            }
        }
    }
}
