//! Messages that cannot be stored as they are.

use gwbank_ingest::{Format, IngestError, Message, Reason};
use gwbank_model::{Parameter, Reading, TimeSource, Timestamp, WellId};
use gwbank_store::DeadLetterFilter;
use proptest::prelude::*;

use crate::rig::{Rig, START_SECS, block_on, counts, depth, gateway, gateway_counts, json, rounds, well};

#[tokio::test]
async fn an_unreadable_message_is_one_dead_reading() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let receipt = pipeline.ingest(json("gw", "not json")).await.unwrap();
    assert_eq!(counts(&receipt), [1, 0, 0, 1, 0]);
    pipeline.ingest(json("gw", "not json")).await.unwrap();
    pipeline.ingest(json("gw", "")).await.unwrap();
    pipeline.flush().await.unwrap();
    let letters = rig.dead_letters().await;
    let mut counted: Vec<(&str, u64)> = letters.iter().map(|l| (l.reason.as_str(), l.count)).collect();
    counted.sort_unstable();
    assert_eq!(counted, [("empty", 1), ("unreadable", 2)]);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [3, 0, 0, 3, 0]);
    assert_eq!(pipeline.metrics().dead_by_reason.get("unreadable"), Some(&2));
}

#[tokio::test]
async fn faults_that_were_not_yet_accounted_for_survive_a_restart() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let message = format!("[{},{}]", depth("A", START_SECS, 1.0), depth("nobody", START_SECS, 1.0));
    pipeline.ingest(json("gw", message)).await.unwrap();
    pipeline.halt().await.unwrap();
    let pipeline = rig.open().await;
    assert_eq!(gateway_counts(&pipeline, "gw").await, [2, 1, 0, 1, 0]);
    pipeline.flush().await.unwrap();
    let letters = rig.dead_letters().await;
    assert_eq!((letters.len(), letters[0].reason.as_str(), letters[0].subject.as_str()), (1, "unknown_well", "nobody"));
}

#[tokio::test]
async fn a_fault_that_is_mended_moves_only_what_was_dead() {
    let mut rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    // One reading with a time without zone, beside a good one.
    let message = format!(
        r#"[{},{{"well":"A","time":"2026-10-31T10:00:00","depth_to_water":2.0}}]"#,
        depth("A", START_SECS, 1.0)
    );
    let receipt = pipeline.ingest(json("gw", message)).await.unwrap();
    assert_eq!(counts(&receipt), [2, 1, 0, 1, 0]);
    pipeline.shutdown().await.unwrap();
    rig.config.decode.clock_zones.insert(gateway("gw"), 7 * 3600);
    let pipeline = rig.open().await;
    let report = pipeline.replay_dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert_eq!((report.stored, report.duplicate, report.left), (1, 0, 0));
    assert_eq!(gateway_counts(&pipeline, "gw").await, [2, 2, 0, 0, 0]);
    assert!(rig.dead_letters().await.is_empty());
    assert_eq!(pipeline.gateways().await.unwrap()[0].clock_zone.as_deref(), Some("+07:00"));
}

#[tokio::test]
async fn a_well_that_contradicts_itself_is_refused_whole() {
    let rig = Rig::new();
    let pipeline = rig.open().await;
    let mut wrong = well("B");
    wrong.province_code = "99".to_owned();
    let refused = pipeline.put_wells(vec![well("A"), wrong]).await;
    assert!(matches!(refused, Err(IngestError::Refused { .. })), "{refused:?}");
    assert!(pipeline.registry().is_empty());
}

#[tokio::test]
async fn a_closed_pipeline_says_so() {
    let rig = Rig::new();
    let pipeline = rig.open().await;
    let other = pipeline.clone();
    pipeline.shutdown().await.unwrap();
    let message = Message::new(gateway("gw"), "gwbank/v1/gw/readings", Format::Json, "{}");
    assert!(matches!(other.ingest(message).await, Err(IngestError::Closed)));
}

/// A value that no number holds, whichever door it comes by, is a dead letter with a name; what stands beside it is stored.
#[test]
fn a_value_that_is_no_finite_number_is_dead_by_every_door() {
    let no_number = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)];
    let value = prop_oneof![1 => no_number, 2 => any::<f64>().prop_filter("a value", |v| v.is_finite() && !SENTINELS.contains(v))];
    let values = proptest::collection::vec(value, 1..12);
    proptest!(rounds(16), |(values in values, shape in 0usize..4)| {
        block_on(async {
            let rig = Rig::new();
            let pipeline = rig.open_with_wells(&["A"]).await;
            let receipt = if shape == 3 {
                pipeline.ingest_readings(&gateway("gw"), readings(&values), Default::default()).await.unwrap()
            } else {
                let (format, payload) = message(&values, shape);
                // A replay reads a payload by its topic.
                let topic = if format == Format::Json { "gwbank/v1/gw/readings" } else { "gwbank/v1/gw/senml" };
                pipeline.ingest(Message::new(gateway("gw"), topic, format, payload)).await.unwrap()
            };
            let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
            let dead = (values.len() - finite.len()) as u64;
            assert_eq!(counts(&receipt), [values.len() as u64, finite.len() as u64, 0, dead, 0]);
            assert!(receipt.faults.iter().all(|fault| fault.reason == Reason::BadValue && fault.subject == "A/chloride"));
            // Killed and opened again: the journal reads back what it took.
            pipeline.halt().await.unwrap();
            let pipeline = rig.open().await;
            pipeline.flush().await.unwrap();
            let stored: Vec<f64> =
                rig.archived("A", Parameter::Chloride).await.iter().map(|row| row.value).collect();
            assert_eq!(stored, finite);
            let letters = rig.dead_letters().await;
            assert!(letters.iter().all(|letter| letter.reason == "bad_value"), "{letters:?}");
            assert_eq!(letters.iter().map(|letter| letter.readings).sum::<u64>(), dead);
            // Nothing has mended them.
            assert_eq!(pipeline.replay_dead_letters(Default::default()).await.unwrap().stored, 0);
            pipeline.shutdown().await.unwrap();
            assert_eq!(rig.dead_letters().await.iter().map(|letter| letter.readings).sum::<u64>(), dead);
        });
    });
}

/// What gateways send for no value.
const SENTINELS: [f64; 2] = [-9999.0, 65535.0];

fn time_of(place: usize) -> i64 {
    START_SECS - 86_400 + place as i64 * 60
}

fn readings(values: &[f64]) -> Vec<Reading> {
    let reading = |(place, &value): (usize, &f64)| Reading {
        well: WellId::new("A").unwrap(),
        parameter: Parameter::Chloride,
        time: Timestamp::from_secs(time_of(place)),
        time_source: TimeSource::Device,
        value: Some(value),
        site_status: None,
        revision: 0,
        time_raw: None,
    };
    values.iter().enumerate().map(reading).collect()
}

/// As careless programs write them: `inf` and `1e999` are no JSON.
fn message(values: &[f64], shape: usize) -> (Format, Vec<u8>) {
    let text = |(place, value): (usize, &f64)| match *value {
        f64::INFINITY => if place % 2 == 0 { "1e999" } else { "Infinity" }.to_owned(),
        f64::NEG_INFINITY => "-1e999".to_owned(),
        value => format!("{value:?}"),
    };
    let records = values.iter().enumerate().map(|(place, value)| (time_of(place), text((place, value)), *value));
    if shape == 0 {
        let record = |(time, text, _)| format!(r#"{{"well":"A","time":{time},"chloride":{text}}}"#);
        return (Format::Json, format!("[{}]", records.map(record).collect::<Vec<_>>().join(",")).into_bytes());
    }
    if shape == 1 {
        let record = |(time, text, _)| format!(r#"{{"n":"A:chloride","u":"mg/L","t":{time},"v":{text}}}"#);
        return (Format::SenmlJson, format!("[{}]", records.map(record).collect::<Vec<_>>().join(",")).into_bytes());
    }
    // CBOR holds them as they are: an array of maps of the labels 0 (name), 1 (unit), 6 (time), 2 (value).
    let mut cbor = vec![0x98, values.len() as u8];
    for (time, _, value) in records {
        cbor.extend([0xa4, 0x00, 0x6a]);
        cbor.extend(b"A:chloride");
        cbor.extend([0x01, 0x64]);
        cbor.extend(b"mg/L");
        cbor.extend([0x06, 0x1b]);
        cbor.extend(time.to_be_bytes());
        cbor.extend([0x02, 0xfb]);
        cbor.extend(value.to_be_bytes());
    }
    (Format::SenmlCbor, cbor)
}
