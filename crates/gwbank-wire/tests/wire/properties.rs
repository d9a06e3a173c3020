//! What holds for any input.

use std::fmt::Write;

use crate::support::NOW;
use gwbank_model::{Parameter, Reading, SiteStatus, TimeSource, Timestamp, WellId};
use gwbank_wire::{Context, Format, decode, fuzz};
use proptest::prelude::*;

fn rounds(default: u32) -> ProptestConfig {
    let cases = std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn reading() -> impl Strategy<Value = Reading> {
    let value = prop_oneof![
        1 => Just(None),
        6 => (-1_000_000i32..1_000_000).prop_map(|thousandths| Some(f64::from(thousandths) / 1000.0)),
        2 => any::<f64>().prop_filter("finite, no sentinel", |v| v.is_finite() && *v != 65535.0).prop_map(Some),
    ]
    .prop_filter("no sentinel", |value| *value != Some(-9999.0));
    let status = prop_oneof![3 => Just(None), 1 => (0..SiteStatus::ALL.len()).prop_map(|at| Some(SiteStatus::ALL[at]))];
    let well = prop_oneof![Just("TH3001-0007"), Just("บ่อ-1"), Just("x\\y"), "[A-Za-z0-9._:-]{1,20}".prop_map(|_| "Z9")];
    let micros = 1_420_070_400_000_000i64..1_795_403_700_000_000;
    (well, 0..Parameter::ALL.len(), micros, value, status, prop_oneof![Just(0u32), any::<u32>()]).prop_map(
        |(well, parameter, micros, value, site_status, revision)| Reading {
            well: WellId::new(well).unwrap(),
            parameter: Parameter::ALL[parameter],
            time: Timestamp::from_micros(micros),
            time_source: TimeSource::Device,
            value,
            site_status,
            revision,
            time_raw: None,
        },
    )
}

/// How the time of a record is written.
#[derive(Debug, Clone, Copy)]
enum Clock {
    Rfc3339(i32),
    EpochMicros,
}

fn encode_record(reading: &Reading, clock: Clock, as_key: bool, out: &mut String) {
    let well = serde_json::to_string(reading.well.as_str()).unwrap();
    write!(out, r#"{{"well":{well},"#).unwrap();
    match clock {
        Clock::Rfc3339(offset) => write!(out, r#""time":"{}","#, reading.time.to_rfc3339(offset * 900)).unwrap(),
        Clock::EpochMicros => write!(out, r#""time":{},"#, reading.time.as_micros()).unwrap(),
    }
    let value = reading.value.map_or("null".to_owned(), |value| format!("{value:?}"));
    match as_key {
        true => write!(out, r#""{}":{value}"#, reading.parameter).unwrap(),
        false => {
            let unit = reading.parameter.canonical_unit();
            write!(out, r#""parameter":"{}","value":{value},"unit":"{unit}""#, reading.parameter).unwrap();
        }
    }
    if let Some(status) = reading.site_status {
        write!(out, r#","status":"{status}""#).unwrap();
    }
    if reading.revision > 0 {
        write!(out, r#","revision":{}"#, reading.revision).unwrap();
    }
    out.push('}');
}

fn decoded(format: Format, payload: &[u8]) -> Vec<Reading> {
    let decoded = decode(format, payload, &Context::live(NOW));
    assert_eq!(decoded.faults, vec![], "{}", String::from_utf8_lossy(payload));
    decoded.readings
}

proptest! {
    #![proptest_config(rounds(128))]

    #[test]
    fn readings_come_back_from_all_three_shapes(
        readings in proptest::collection::vec(reading(), 1..20),
        clock in prop_oneof![(-48i32..57).prop_map(Clock::Rfc3339), Just(Clock::EpochMicros)],
        as_key in any::<bool>(),
    ) {
        let records: Vec<String> = readings.iter().map(|reading| {
            let mut text = String::new();
            encode_record(reading, clock, as_key, &mut text);
            text
        }).collect();
        let array = format!("[{}]", records.join(" , "));
        prop_assert_eq!(&decoded(Format::Json, array.as_bytes()), &readings);
        prop_assert_eq!(&decoded(Format::Json, format!("{{\"readings\":{array}}}").as_bytes()), &readings);
        prop_assert_eq!(&decoded(Format::Json, records[0].as_bytes()), &readings[..1].to_vec());
    }

    #[test]
    fn senml_says_the_same_in_json_and_cbor(pack in pack()) {
        let context = Context::live(NOW);
        let json = serde_json::to_vec(&as_json(&pack)).unwrap();
        let mut cbor = Vec::new();
        ciborium::ser::into_writer(&as_cbor(&pack), &mut cbor).unwrap();
        prop_assert_eq!(Format::of_senml(&json), Format::SenmlJson);
        prop_assert_eq!(Format::of_senml(&cbor), Format::SenmlCbor);
        prop_assert_eq!(decode(Format::SenmlJson, &json, &context), decode(Format::SenmlCbor, &cbor, &context));
    }

    #[test]
    fn any_bytes_give_a_reading_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz::decode_any(&bytes);
    }

    #[test]
    fn json_like_text_gives_a_reading_or_a_fault(text in r#"([\[\]{}:,"]|"well"|"time"|"ph"|"A"|"n"|"v"|"bn"|1795403700|-?[0-9.eE]{1,8}|null|NaN|true|\\u[0-9a-f]{4}|ก){0,60}"#) {
        fuzz::decode_any(text.as_bytes());
    }

    #[test]
    fn changed_payloads_give_a_reading_or_a_fault(
        which in 0..VALID.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let mut bytes = VALID[which].to_vec();
        for (index, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                _ => bytes.truncate(at),
            }
        }
        fuzz::decode_any(&bytes);
    }

    /// Cutting an array anywhere keeps exactly the records that were complete, and says so once.
    #[test]
    fn a_cut_array_keeps_its_complete_records(cut in 1usize..360) {
        let record = r#"{"well":"A","time":1795403700,"ph":7,"snr":-4.5}"#;
        let array = format!("[{}]", [record; 7].join(","));
        let cut = cut.min(array.len() - 1);
        let decoded = decode(Format::Json, &array.as_bytes()[..cut], &Context::live(NOW));
        let complete = array[..cut].matches('}').count();
        prop_assert_eq!(decoded.readings.len(), 2 * complete);
        prop_assert_eq!(decoded.faults.len(), 1);
    }
}

const VALID: &[&[u8]] = &[
    br#"{"well":"TH3001-0007","time":"2026-11-23T10:15:00+07:00","depth_to_water":3.42,"water_temperature":27.9}"#,
    br#"[{"well":"A","time":1795403700,"parameter":"depth_to_water","value":342,"unit":"cm"},{"well":"B","age_s":4,"ph":7}]"#,
    br#"{"readings":[{"well":"A","time":"2569-11-23T10:15:00+07:00","depth_to_water":-0.2,"status":"flowing","revision":3}]}"#,
    br#"[{"bn":"A:","bt":1795403600,"bu":"cm","bver":10,"n":"depth_to_water","v":42},{"n":"depth_to_water","t":60,"vs":"dry"}]"#,
    b"\x9f\xbf\x00\x7f\x62A:\x62ph\xff\x02\xf9\x47\x80\xff\xa2\x00\x64A:ph\x02\xc2\x41\x07\xa2\x61n\x64A:ph\x02\xc4\x82\x20\x0f\xff",
];

/// One record of a pack: label and value, the value as it is in both encodings.
type Record = Vec<(i64, Field)>;

#[derive(Debug, Clone)]
enum Field {
    Number(f64),
    Integer(i32),
    Text(String),
    Bool(bool),
    Null,
}

const NAMES: [(&str, i64); 14] = [
    ("bn", -2),
    ("bt", -3),
    ("bu", -4),
    ("bv", -5),
    ("bs", -6),
    ("bver", -1),
    ("n", 0),
    ("u", 1),
    ("v", 2),
    ("vs", 3),
    ("vb", 4),
    ("s", 5),
    ("t", 6),
    ("ut", 7),
];

fn pack() -> impl Strategy<Value = Vec<Record>> {
    let number = || {
        prop_oneof![
            (-100_000i32..100_000).prop_map(Field::Integer),
            (-100_000i32..100_000).prop_map(|n| Field::Number(f64::from(n) / 64.0 + 1.0 / 128.0)),
        ]
    };
    let wrong =
        || prop_oneof![Just(Field::Null), any::<bool>().prop_map(Field::Bool), "[a-z]{0,3}".prop_map(Field::Text)];
    let text =
        |choices: &'static [&'static str]| (0..choices.len()).prop_map(move |at| Field::Text(choices[at].to_owned()));
    let field = prop_oneof![
        3 => text(&["A:", "B/", "urn:dev:x:", ""]).prop_map(|f| (-2, f)),
        2 => prop_oneof![Just(Field::Integer(1_795_400_000)), number()].prop_map(|f| (-3, f)),
        2 => text(&["cm", "m", "Cel", "%RH"]).prop_map(|f| (-4, f)),
        1 => number().prop_map(|f| (-5, f)),
        1 => number().prop_map(|f| (-6, f)),
        1 => (9i32..12).prop_map(|n| (-1, Field::Integer(n))),
        9 => text(&["depth_to_water", "water_temperature", "A:ph", "pressure", "ph"]).prop_map(|f| (0, f)),
        3 => text(&["cm", "mm", "degF", "furlong"]).prop_map(|f| (1, f)),
        9 => number().prop_map(|f| (2, f)),
        1 => text(&["dry", "wet"]).prop_map(|f| (3, f)),
        1 => any::<bool>().prop_map(|b| (4, Field::Bool(b))),
        1 => number().prop_map(|f| (5, f)),
        3 => number().prop_map(|f| (6, f)),
        1 => number().prop_map(|f| (7, f)),
        1 => (-6i64..9, wrong()),
    ];
    // A map has each label once in `serde_json::Value`, so the packs have too.
    let record = proptest::collection::vec(field, 0..6).prop_map(|fields: Record| {
        let mut record: Record = Vec::new();
        for (label, field) in fields {
            if label != 8 && record.iter().all(|(earlier, _)| *earlier != label) {
                record.push((label, field));
            }
        }
        record.sort_by_key(|(label, _)| NAMES.iter().find(|(_, number)| number == label).map(|(name, _)| *name));
        record
    });
    proptest::collection::vec(record, 0..6)
}

fn as_json(pack: &[Record]) -> serde_json::Value {
    let record = |record: &Record| {
        let fields = record.iter().map(|(label, field)| {
            let name = NAMES.iter().find(|(_, number)| number == label).unwrap().0;
            let value = match field {
                Field::Number(number) => serde_json::Value::from(*number),
                Field::Integer(number) => serde_json::Value::from(*number),
                Field::Text(text) => serde_json::Value::from(text.clone()),
                Field::Bool(value) => serde_json::Value::from(*value),
                Field::Null => serde_json::Value::Null,
            };
            (name.to_owned(), value)
        });
        serde_json::Value::Object(fields.collect())
    };
    serde_json::Value::Array(pack.iter().map(record).collect())
}

fn as_cbor(pack: &[Record]) -> ciborium::Value {
    use ciborium::Value;
    let record = |record: &Record| {
        let fields = record.iter().map(|(label, field)| {
            let value = match field {
                Field::Number(number) => Value::Float(*number),
                Field::Integer(number) => Value::Integer((*number).into()),
                Field::Text(text) => Value::Text(text.clone()),
                Field::Bool(value) => Value::Bool(*value),
                Field::Null => Value::Null,
            };
            (Value::Integer((*label).into()), value)
        });
        Value::Map(fields.collect())
    };
    Value::Array(pack.iter().map(record).collect())
}
