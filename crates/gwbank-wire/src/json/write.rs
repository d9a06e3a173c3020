//! Readings as native JSON: what [`decode`](crate::decode) reads back exactly.

use gwbank_model::{Reading, SiteStatus, TimeSource};
use serde::ser::{SerializeMap, Serializer};

/// An array of records with canonical names and units. A time that was resolved at arrival (`time_source` `received`) is
/// written as one of the device: it is absolute by now, and no second arrival may move it. A value that is no finite number is
/// written as text, for JSON has none: read back it is a fault, and not a missing value.
pub fn write(readings: &[Reading]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(readings.len() * super::RECORD_BYTES_USUAL);
    let mut serializer = serde_json::Serializer::new(&mut payload);
    serializer.collect_seq(readings.iter().map(Record)).expect("texts and finite numbers, into memory");
    payload
}

struct Record<'a>(&'a Reading);

impl serde::Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Reading { well, parameter, time, time_source, value, site_status, revision, time_raw } = self.0;
        let mut record = serializer.serialize_map(None)?;
        record.serialize_entry("well", well.as_str())?;
        // Text, so that no number has to be told apart by its size.
        record.serialize_entry("time", &time.to_rfc3339(0))?;
        if matches!(time_source, TimeSource::BuddhistEra | TimeSource::ClockZone) {
            record.serialize_entry("time_source", time_source.name())?;
            if let Some(time_raw) = time_raw {
                record.serialize_entry("time_raw", time_raw)?;
            }
        }
        record.serialize_entry("parameter", parameter.name())?;
        match value {
            Some(value) if !value.is_finite() => record.serialize_entry("value", &value.to_string())?,
            value => record.serialize_entry("value", value)?,
        }
        if let Some(status) = site_status {
            record.serialize_entry("status", SiteStatus::name(*status))?;
        }
        if *revision != 0 {
            record.serialize_entry("revision", revision)?;
        }
        record.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Format, decode};
    use gwbank_model::{Parameter, Timestamp, WellId};

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
        let corrected = |time_source, time_raw: Option<&str>| Reading {
            time_source,
            time_raw: time_raw.map(Box::from),
            ..reading(7_000_000, Some(1.0))
        };
        let readings = vec![
            reading(-1_804_000_000_000_001, Some(116.056_793_299_968_42)),
            reading(5_000_000, Some(0.1 + 0.2)),
            reading(6_000_000, None),
            corrected(TimeSource::BuddhistEra, Some("1 ม.ค. 2513 \"07:00\":07")),
            corrected(TimeSource::ClockZone, Some("1970-01-01 07:00:07")),
            corrected(TimeSource::ClockZone, None),
        ];
        let context = Context::import(Timestamp::from_secs(1_800_000_000));
        let decoded = decode(Format::Json, &write(&readings), &context);
        assert_eq!(decoded.faults, []);
        assert_eq!(decoded.corrections, []);
        assert_eq!(decoded.readings, readings);
    }

    #[test]
    fn a_value_that_json_cannot_hold_is_a_fault_and_not_missing() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let reading = Reading {
                well: WellId::new("W-1").unwrap(),
                parameter: Parameter::Ph,
                time: Timestamp::from_secs(5),
                time_source: TimeSource::Device,
                value: Some(value),
                site_status: None,
                revision: 0,
                time_raw: None,
            };
            let context = Context::import(Timestamp::from_secs(1_800_000_000));
            let decoded = decode(Format::Json, &write(&[reading]), &context);
            assert_eq!(decoded.readings, []);
            assert_eq!((decoded.faults[0].reason, decoded.faults[0].readings), (crate::Reason::BadValue, 1));
        }
    }
}
