//! Messages that cannot be stored as they are.

use gwbank_ingest::{Format, IngestError, Message};
use gwbank_store::DeadLetterFilter;

use crate::rig::{Rig, START_SECS, counts, depth, gateway, gateway_counts, json, well};

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
