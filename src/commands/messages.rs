//! Readings as the messages that a gateway would send.

use gwbank_model::{Reading, SiteStatus};
use serde_json::{Value, json};

use crate::arguments::Payload;

/// Topic on which a gateway publishes that kind of payload.
pub fn topic(gateway: &str, payload: Payload) -> String {
    match payload {
        Payload::Json => format!("gwbank/v1/{gateway}/readings"),
        Payload::Senml => format!("gwbank/v1/{gateway}/senml"),
    }
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
