//! GeoJSON into lines.

use serde_json::{Map, Value};

use super::line::{Line, labelled};
use super::{Faults, WELL_COLUMNS};

pub(crate) fn read(bytes: &[u8], faults: &mut Faults) -> Vec<Line> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let root: Value = match serde_json::from_slice(bytes) {
        Ok(root) => root,
        Err(error) => {
            faults.add(error.line() as u64, "", "", format!("not JSON: {error}"), "export the file anew");
            return Vec::new();
        }
    };
    let mend = "give {\"type\": \"FeatureCollection\", \"features\": […]} of points";
    let features = match root.get("features").and_then(Value::as_array) {
        Some(features) if root.get("type").and_then(Value::as_str) == Some("FeatureCollection") => features,
        _ => {
            faults.add(1, "", "", "not a GeoJSON FeatureCollection", mend);
            return Vec::new();
        }
    };
    check_reference_system(&root, faults);
    let starts = feature_lines(bytes);
    // Most exports are one long line.
    let shares_lines = starts.windows(2).any(|pair| pair[0] == pair[1]);
    let numbers = starts.into_iter().chain(std::iter::repeat(0));
    let labelled = features.iter().zip(numbers).enumerate().map(|(index, (feature, number))| {
        let well = feature.pointer("/properties/well_id").and_then(Value::as_str);
        let well = well.map(|well| format!(" ({well})")).unwrap_or_default();
        let label = if shares_lines { format!("feature {}{well}", index + 1) } else { String::new() };
        (feature, number, label)
    });
    labelled.filter_map(|(feature, number, label)| read_feature(feature, number, label, faults)).collect()
}

/// Old files name a coordinate system; GeoJSON since RFC 7946 is always WGS 84, longitude first.
fn check_reference_system(root: &Value, faults: &mut Faults) {
    let Some(name) = root.get("crs").and_then(|crs| crs.pointer("/properties/name")).and_then(Value::as_str) else {
        return;
    };
    let wgs84 = ["CRS84", "EPSG::4326", "EPSG:4326"];
    if !wgs84.iter().any(|end| name.ends_with(end)) {
        let mend = "convert to WGS 84 longitude and latitude (EPSG:4326), for instance with QGIS";
        faults.add(1, "crs", name, "not WGS 84", mend);
    }
}

fn read_feature(feature: &Value, number: u64, label: String, faults: &mut Faults) -> Option<Line> {
    let mut line = Line { label, ..Line::new(number, WELL_COLUMNS) };
    let empty = Map::new();
    let properties = match feature.get("properties") {
        Some(Value::Object(properties)) => properties,
        None | Some(Value::Null) => &empty,
        Some(_) => {
            let problem = labelled(&line.label, "not an object");
            faults.add(number, "properties", "", problem, "give the columns as properties");
            return None;
        }
    };
    for (name, value) in properties {
        let Some(column) = WELL_COLUMNS.iter().position(|known| known == name) else {
            let problem = labelled(&line.label, "unknown property");
            faults.add(number, name, "", problem, format!("known properties: {}", WELL_COLUMNS.join(", ")));
            continue;
        };
        line.fields[column] = match value {
            Value::Null => None,
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            Value::Array(_) | Value::Object(_) => {
                faults.add(
                    number,
                    name,
                    &value.to_string(),
                    labelled(&line.label, "not a single value"),
                    "give text, a number, true or false",
                );
                None
            }
        };
    }
    read_point(feature, &mut line, faults);
    Some(line)
}

fn read_point(feature: &Value, line: &mut Line, faults: &mut Faults) {
    let geometry = match feature.get("geometry") {
        None | Some(Value::Null) => return,
        Some(geometry) => geometry,
    };
    let coordinates = geometry.get("coordinates").and_then(Value::as_array).map(Vec::as_slice);
    let (longitude, latitude) = match (geometry.get("type").and_then(Value::as_str), coordinates) {
        (Some("Point"), Some([longitude, latitude] | [longitude, latitude, _])) => (longitude, latitude),
        _ => {
            let mend = "give {\"type\": \"Point\", \"coordinates\": [longitude, latitude]} or null";
            faults.add(line.number, "geometry", "", labelled(&line.label, "not a point"), mend);
            return;
        }
    };
    for (name, coordinate) in [("longitude", longitude), ("latitude", latitude)] {
        let Some(column) = WELL_COLUMNS.iter().position(|known| *known == name) else { continue };
        let text = coordinate.to_string();
        match line.fields[column].as_deref() {
            Some(given) if given.parse::<f64>().ok() != coordinate.as_f64() => {
                let problem = format!("the property differs from the geometry's {text}");
                faults.add(line.number, name, given, labelled(&line.label, problem), "leave it to the geometry");
            }
            _ => line.fields[column] = Some(text),
        }
    }
}

/// The line on which each element of the root's `features` begins. `bytes` is known to be JSON.
fn feature_lines(bytes: &[u8]) -> Vec<u64> {
    let mut lines = Vec::new();
    let (mut line, mut depth) = (1u64, 0u32);
    let mut in_features = false;
    let mut key = 0..0; // of the last text at depth 1
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' => line += 1,
            b'"' => {
                let start = at + 1;
                at = start;
                while bytes.get(at).is_some_and(|&b| b != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if depth == 1 {
                    key = start..at.min(bytes.len());
                }
            }
            b'{' | b'[' => {
                if depth == 1 {
                    in_features = byte == b'[' && &bytes[key.clone()] == b"features";
                }
                if depth == 2 && in_features {
                    lines.push(line);
                }
                depth += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    lines
}
