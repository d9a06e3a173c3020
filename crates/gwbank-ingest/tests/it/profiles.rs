//! A vendor's fields: dead letters until a profile says what they mean.

use std::collections::BTreeMap;

use gwbank_ingest::{DeviceProfile, FieldReading, FieldRule};
use gwbank_model::{Parameter, Timestamp};

use crate::rig::{Rig, START_SECS, counts, gateway_counts, json};

fn message(well: &str, n: i64) -> gwbank_ingest::Message {
    let time = Timestamp::from_secs(START_SECS - 900 * n).to_rfc3339(0);
    json("gw-30", format!(r#"{{"well":"{well}","time":"{time}","lvl":{},"ph":7,"fw":"1.2"}}"#, 342 + n))
}

#[tokio::test]
async fn a_profile_that_comes_later_brings_the_readings_in() {
    let mut rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A", "B"]).await;
    for n in 0..4 {
        for well in ["A", "B"] {
            assert_eq!(counts(&pipeline.ingest(message(well, n)).await.unwrap()), [3, 1, 0, 2, 0]);
        }
    }
    pipeline.shutdown().await.unwrap();
    let mut open: Vec<(String, u64)> = rig.dead_letters().await.into_iter().map(|l| (l.subject, l.count)).collect();
    open.sort();
    let expected = ["A/fw", "A/lvl", "B/fw", "B/lvl"].map(|subject| (subject.to_owned(), 4));
    assert_eq!(open, expected, "one for each device and field, counted");

    let level = FieldReading::try_new("depth_to_water", Some("cm"), 1.0, None).unwrap();
    let profile = DeviceProfile {
        name: "vendor".to_owned(),
        gateways: vec!["gw-3*".to_owned()],
        fields: BTreeMap::from([("lvl".to_owned(), FieldRule::Read(level)), ("fw".to_owned(), FieldRule::Ignore)]),
        ..DeviceProfile::default()
    };
    rig.config.decode.profiles.add(profile).unwrap();
    let pipeline = rig.open().await;
    let report = pipeline.replay_dead_letters(Default::default()).await.unwrap();
    assert_eq!((report.messages, report.left, report.stored, report.duplicate, report.dead), (16, 0, 8, 0, 0));
    // What is ignored was never a reading: it is received no more.
    assert_eq!(gateway_counts(&pipeline, "gw-30").await, [16, 16, 0, 0, 0]);
    assert_eq!(counts(&pipeline.ingest(message("A", 9)).await.unwrap()), [2, 2, 0, 0, 0]);
    pipeline.shutdown().await.unwrap();
    assert!(rig.dead_letters().await.is_empty());
    let levels: Vec<f64> = rig.archived("A", Parameter::DepthToWater).await.iter().map(|row| row.value).collect();
    assert_eq!(levels, [3.51, 3.45, 3.44, 3.43, 3.42]);
}
