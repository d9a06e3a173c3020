//! Readings as the messages that a gateway would send.

use gwbank_model::{Reading, SiteStatus};
use serde_json::{Map, Value, json};

use crate::arguments::Payload;

/// Topic on which a gateway publishes that kind of payload.
pub fn topic(gateway: &str, payload: Payload) -> String {
    match payload {
        Payload::Json => format!("gwbank/v1/{gateway}/readings"),
        Payload::Senml => format!("gwbank/v1/{gateway}/senml"),
    }
}

/// Native JSON: an array of objects with canonical names and units.
pub fn json_payload(readings: &[Reading]) -> Vec<u8> {
    let objects: Vec<Value> = readings.iter().map(object).collect();
    Value::Array(objects).to_string().into_bytes()
}

fn object(reading: &Reading) -> Value {
    let mut object = Map::new();
    object.insert("well".to_owned(), json!(reading.well.as_str()));
    // Text, so that no number has to be told apart by its size.
    object.insert("time".to_owned(), json!(reading.time.to_rfc3339(0)));
    object.insert("parameter".to_owned(), json!(reading.parameter.name()));
    object.insert("value".to_owned(), json!(reading.value));
    if let Some(status) = reading.site_status {
        object.insert("status".to_owned(), json!(status.name()));
    }
    if reading.revision > 0 {
        object.insert("revision".to_owned(), json!(reading.revision));
    }
    Value::Object(object)
}

/// SenML JSON (RFC 8428), as `gwbank-wire` reads it: `{well}/{parameter}` is the name, `"vs": "dry"` a dry well.
pub fn senml_payload(readings: &[Reading]) -> Vec<u8> {
    let records: Vec<Value> = readings
        .iter()
        .map(|reading| {
            let name = format!("{}/{}", reading.well, reading.parameter);
            let seconds = reading.time.as_micros() as f64 / 1e6;
            match (reading.value, reading.site_status) {
                (None, Some(SiteStatus::Dry)) => json!({ "n": name, "t": seconds, "vs": "dry" }),
                (value, _) => {
                    json!({ "n": name, "t": seconds, "v": value, "u": reading.parameter.canonical_unit() })
                }
            }
        })
        .collect();
    Value::Array(records).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_model::{Parameter, TimeSource, Timestamp, WellId};
    use gwbank_wire::{Context, Format, decode};

    #[test]
    fn what_is_written_is_read_back_exactly() {
        let reading = |time: i64, value: Option<f64>| Reading {
            well: WellId::new("W-1").unwrap(),
            parameter: Parameter::WaterPressureAbsolute,
            time: Timestamp::from_micros(time),
            time_source: TimeSource::Device,
            value,
            site_status: value.is_none().then_some(SiteStatus::Dry),
            revision: u32::from(value.is_none()),
            time_raw: None,
        };
        let readings = vec![
            reading(-1_804_000_000_000_001, Some(116.056_793_299_968_42)),
            reading(5_000_000, Some(0.1 + 0.2)),
            reading(6_000_000, None),
        ];
        let context = Context::import(Timestamp::from_secs(1_800_000_000));
        let decoded = decode(Format::Json, &json_payload(&readings), &context);
        assert_eq!(decoded.faults, []);
        assert_eq!(decoded.readings, readings);
    }
    #[test]
    fn senml_is_read_back_too() {
        let reading = |seconds: i64, value: Option<f64>| Reading {
            well: WellId::new("SIM-1").unwrap(),
            parameter: Parameter::DepthToWater,
            time: Timestamp::from_secs(seconds),
            time_source: TimeSource::Device,
            value,
            site_status: value.is_none().then_some(SiteStatus::Dry),
            revision: 0,
            time_raw: None,
        };
        let readings = vec![reading(1_790_000_000, Some(3.421)), reading(1_790_000_060, None)];
        let decoded =
            decode(Format::SenmlJson, &senml_payload(&readings), &Context::live(Timestamp::from_secs(1_790_000_100)));
        assert_eq!(decoded.faults, []);
        assert_eq!(decoded.readings, readings);
    }
}
