//! Clocks of gateways that are constantly wrong: seen and said, never corrected in silence.

use gwbank_ingest::{Pipeline, status_payload};

use crate::rig::{Rig, START_SECS, counts, depth, gateway_counts, json};

const SEVEN_HOURS: i64 = 7 * 3600;

async fn offset_s(pipeline: &Pipeline) -> Option<f64> {
    let row = pipeline.gateways().await.unwrap().into_iter().find(|row| row.gateway_id.as_str() == "gw").unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status_payload(&row)).unwrap();
    assert_eq!(status["clock_offset_s"].as_f64(), row.clock_offset_s, "the status topic says the same");
    row.clock_offset_s
}

#[tokio::test]
async fn a_clock_seven_hours_ahead_is_offered_as_a_correction() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let ahead = |n: i64| json("gw", depth("A", START_SECS + n * 900 + SEVEN_HOURS, n as f64));
    for n in 0..3 {
        assert_eq!(counts(&pipeline.ingest(ahead(n)).await.unwrap()), [1, 0, 0, 1, 0], "a dead letter each");
        rig.clock.advance_micros(900 * 1_000_000);
    }
    assert_eq!(offset_s(&pipeline).await, Some(25_200.0));
    assert_eq!(gateway_counts(&pipeline, "gw").await, [3, 0, 0, 3, 0], "nothing was shifted and stored");

    // Known after a restart too, until messages say otherwise.
    pipeline.shutdown().await.unwrap();
    let pipeline = rig.open().await;
    assert_eq!(offset_s(&pipeline).await, Some(25_200.0));
    for n in 3..6 {
        pipeline.ingest(json("gw", depth("A", START_SECS + n * 900, n as f64))).await.unwrap();
        rig.clock.advance_micros(900 * 1_000_000);
    }
    assert_eq!(offset_s(&pipeline).await, Some(0.0), "set right");
    pipeline.shutdown().await.unwrap();
}

#[tokio::test]
async fn times_that_the_server_gave_say_nothing_of_a_clock() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    for age in [-7200, -7200, -7200, 0, 10, 20] {
        let message = format!(r#"{{"well":"A","age_s":{age},"depth_to_water":{}}}"#, age + 1);
        pipeline.ingest(json("gw", message)).await.unwrap();
    }
    assert_eq!(offset_s(&pipeline).await, None);
    pipeline.shutdown().await.unwrap();
}
