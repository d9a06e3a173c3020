//! What could not be stored comes in once its cause is mended: all of it, once, and counted once.

use std::collections::BTreeMap;

use gwbank_ingest::{DeadLetterReport, Pipeline, SourceKind};
use gwbank_model::Parameter;
use gwbank_store::DeadLetterFilter;
use proptest::prelude::*;

use crate::rig::{Rig, START_SECS, block_on, counts, depth, gateway, gateway_counts, json, rounds, well};

async fn replay(pipeline: &Pipeline) -> DeadLetterReport {
    pipeline.replay_dead_letters(DeadLetterFilter::default()).await.unwrap()
}

#[tokio::test]
async fn a_message_of_very_many_unknown_wells_comes_in_by_parts() {
    let rig = Rig::new();
    let mut pipeline = rig.open_with_wells(&["A"]).await;
    let names: Vec<String> = (0..1000).map(|n| format!("W-{n:03}")).collect();
    let mut readings: Vec<String> = names.iter().map(|name| depth(name, START_SECS, 1.0)).collect();
    readings.extend(names.iter().rev().map(|name| depth(name, START_SECS - 60, 2.0)));
    readings.push(depth("A", START_SECS, 3.0));
    let receipt = pipeline.ingest(json("gw", format!("[{}]", readings.join(",")))).await.unwrap();
    assert_eq!((counts(&receipt), receipt.faults.len()), ([2001, 1, 0, 2000, 0], 257));
    pipeline.flush().await.unwrap();
    let letters = rig.dead_letters().await;
    assert_eq!(letters.len(), 257);
    assert_eq!(letters.iter().map(|letter| letter.readings).sum::<u64>(), 2000);
    assert!(letters[256].subject.starts_with("payload ") && letters[256].readings == 2 * 744, "{:?}", letters[256]);

    let mut stored = 1;
    // Some with a letter of their own, some without; then all without; then all.
    for (from, to) in [(200, 400), (500, 501), (256, 1000), (0, 1000)] {
        pipeline.put_wells(names[from..to].iter().map(|name| well(name)).collect()).await.unwrap();
        let report = replay(&pipeline).await;
        assert_eq!((report.duplicate, report.dead), (0, 0), "{from}..{to}: {report:?}");
        stored += report.stored + report.pending;
        assert_eq!(report.left, 2001 - stored, "{from}..{to}: {report:?}");
        assert_eq!(gateway_counts(&pipeline, "gw").await, [2001, stored, 0, 2001 - stored, 0]);
        let left = rig.dead_letters().await;
        assert_eq!(left.iter().map(|letter| letter.readings).sum::<u64>(), 2001 - stored);
        assert_eq!(replay(&pipeline).await.stored, 0, "nothing twice");
        pipeline.halt().await.unwrap();
        pipeline = rig.open().await;
    }
    assert_eq!(stored, 2001);
    assert!(rig.dead_letters().await.is_empty());
    for name in &names {
        assert_eq!(rig.archived(name, Parameter::DepthToWater).await.len(), 2, "{name}");
    }
}

#[tokio::test]
async fn readings_of_one_well_that_died_of_different_causes_are_told_apart() {
    let mut rig = Rig::new();
    let pipeline = rig.open().await;
    let without_zone = |time: &str| format!(r#"{{"well":"B","time":"2026-10-31T{time}","depth_to_water":1.5}}"#);
    let message = format!("[{},{}]", depth("B", START_SECS, 1.0), without_zone("10:00:00"));
    assert_eq!(counts(&pipeline.ingest(json("gw", message)).await.unwrap()), [2, 0, 0, 2, 0]);
    pipeline.shutdown().await.unwrap();

    // Readable now, and its well is unknown: it joins the other reading.
    rig.config.decode.clock_zones.insert(gateway("gw"), 7 * 3600);
    let pipeline = rig.open().await;
    let report = replay(&pipeline).await;
    assert_eq!((report.stored, report.duplicate, report.dead, report.left), (0, 0, 1, 1));
    let letters = rig.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].subject.as_str(), letters[0].count, letters[0].readings), ("B", 1, 2));

    pipeline.put_wells(vec![well("B")]).await.unwrap();
    assert_eq!(replay(&pipeline).await.stored, 2);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [2, 2, 0, 0, 0]);
    assert!(rig.dead_letters().await.is_empty());
}

/// What a well shows: value and revision by seconds after the start.
async fn values(rig: &Rig, pipeline: &Pipeline, name: &str) -> Vec<(i64, f64)> {
    pipeline.flush().await.unwrap();
    let rows = rig.archived(name, Parameter::DepthToWater).await;
    rows.iter().map(|row| (row.time.as_micros() / 1_000_000 - START_SECS, row.value)).collect()
}

#[tokio::test]
async fn a_replay_undoes_no_later_message() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let two = format!("[{},{}]", depth("B", START_SECS, 1.0), depth("B", START_SECS + 60, 1.0));
    assert_eq!(counts(&pipeline.ingest(json("gw", two)).await.unwrap()), [2, 0, 0, 2, 0]);
    pipeline.put_wells(vec![well("B")]).await.unwrap();
    assert_eq!(counts(&pipeline.ingest(json("gw", depth("B", START_SECS, 2.0))).await.unwrap()), [1, 1, 0, 0, 0]);

    let report = replay(&pipeline).await;
    assert_eq!((report.stored, report.dead, report.left), (1, 1, 0), "{report:?}");
    assert_eq!(values(&rig, &pipeline, "B").await, [(0, 2.0), (60, 1.0)]);
    let letters = rig.dead_letters().await;
    assert_eq!((letters[0].reason.as_str(), letters[0].subject.as_str(), letters[0].readings), ("superseded", "B", 1));
    assert_eq!(gateway_counts(&pipeline, "gw").await, [3, 2, 0, 1, 0]);
    let report = replay(&pipeline).await;
    assert_eq!((report.stored, report.dead, report.left), (0, 0, 1), "it stays: {report:?}");

    // Who wants the earlier value says so.
    let again = format!(r#"{{"well":"B","time":{START_SECS},"depth_to_water":1.0,"revision":1}}"#);
    assert_eq!(counts(&pipeline.ingest(json("gw", again)).await.unwrap()), [1, 1, 0, 0, 0]);
    let report = replay(&pipeline).await;
    assert_eq!((report.stored, report.duplicate, report.left), (0, 1, 0), "{report:?}");
    assert_eq!(values(&rig, &pipeline, "B").await, [(0, 1.0), (60, 1.0)]);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [4, 3, 1, 0, 0]);
    assert!(rig.dead_letters().await.is_empty());
}

#[tokio::test]
async fn letters_of_several_gateways_are_replayed_as_if_in_the_order_of_their_receipt() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    for (gateway, secs, value) in [("g1", 0, 1.0), ("g2", 60, 2.0), ("g1", 60, 3.0), ("g2", 0, 4.0), ("g1", 60, 5.0)] {
        rig.clock.advance_micros(1_000_000);
        pipeline.ingest(json(gateway, depth("B", START_SECS + secs, value))).await.unwrap();
    }
    pipeline.put_wells(vec![well("B")]).await.unwrap();
    let report = replay(&pipeline).await;
    assert_eq!((report.stored, report.dead, report.left), (4, 1, 0), "{report:?}");
    assert_eq!(values(&rig, &pipeline, "B").await, [(0, 4.0), (60, 5.0)]);
}

#[tokio::test]
async fn an_import_older_than_live_readings_may_be_is_replayed_as_one() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let mut message = json("gw", depth("B", 915_148_800, 1.0)); // 1999
    message.source = SourceKind::Import;
    assert_eq!(counts(&pipeline.ingest(message).await.unwrap()), [1, 0, 0, 1, 0]);
    pipeline.put_wells(vec![well("B")]).await.unwrap();
    replay(&pipeline).await;
    assert_eq!(gateway_counts(&pipeline, "gw").await, [1, 1, 0, 0, 0]);
    assert_eq!(rig.archived("B", Parameter::DepthToWater).await.len(), 1);
}

#[tokio::test]
async fn a_redelivery_of_a_letter_with_relative_times_is_a_duplicate() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let message = || json("gw", r#"{"well":"B","age_s":60,"depth_to_water":2.5}"#);
    assert_eq!(counts(&pipeline.ingest(message()).await.unwrap()), [1, 0, 0, 1, 0]);
    rig.clock.advance_micros(5_000_000);
    assert_eq!(counts(&pipeline.ingest(message()).await.unwrap()), [1, 0, 1, 0, 0]);
    pipeline.put_wells(vec![well("B")]).await.unwrap();
    assert_eq!(replay(&pipeline).await.stored, 1);
    let rows = rig.archived("B", Parameter::DepthToWater).await;
    assert_eq!(rows.iter().map(|row| row.time.as_micros() / 1_000_000).collect::<Vec<_>>(), [START_SECS - 60]);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [2, 1, 1, 0, 0]);
}

#[tokio::test]
async fn a_gateways_last_error_goes_with_its_last_dead_letter() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let last_error = async || pipeline.gateways().await.unwrap()[0].last_error.clone();
    pipeline.ingest(json("gw", depth("B", START_SECS, 1.0))).await.unwrap();
    pipeline.ingest(json("gw", depth("C", START_SECS, 1.0))).await.unwrap();
    assert!(last_error().await.unwrap().starts_with("unknown_well: "));
    for (registered, error_stays) in [("C", true), ("B", false)] {
        pipeline.put_wells(vec![well(registered)]).await.unwrap();
        assert_eq!(replay(&pipeline).await.stored, 1);
        assert_eq!(last_error().await.is_some(), error_stays, "{registered}");
    }
}

#[tokio::test]
async fn dead_letters_are_accounted_for_when_they_are_asked_for_and_not_else() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    pipeline.ingest(json("gw", depth("A", START_SECS, 1.0))).await.unwrap();
    pipeline.account_dead_letters().await.unwrap();
    assert_eq!(pipeline.status().unarchived_rows, 1, "no flush without a dead letter");
    pipeline.ingest(json("gw", depth("B", START_SECS, 1.0))).await.unwrap();
    pipeline.account_dead_letters().await.unwrap();
    assert_eq!(rig.dead_letters().await.len(), 1);
    assert_eq!(pipeline.status().unarchived_rows, 0);
}

const WELLS: usize = 6;

#[derive(Debug, Clone, Copy)]
struct Sent {
    well: usize,
    minute: i64,
    /// Dead until the gateway's clock zone is configured.
    without_zone: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Send(Vec<Sent>),
    Register(usize),
    ConfigureZone,
    Replay,
    /// Nobody waits for its end, as when a client of the API goes away.
    ReplayBrokenOff {
        after_polls: usize,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let sent = (0..WELLS, 0i64..20, any::<bool>()).prop_map(|(well, minute, without_zone)| Sent {
        well,
        minute,
        without_zone,
    });
    prop_oneof![
        5 => proptest::collection::vec(sent, 1..8).prop_map(Step::Send),
        3 => (0..WELLS).prop_map(Step::Register),
        1 => Just(Step::ConfigureZone),
        3 => Just(Step::Replay),
        2 => (1usize..12).prop_map(|after_polls| Step::ReplayBrokenOff { after_polls }),
        2 => Just(Step::Restart),
    ]
}

fn payload(message: &[Sent]) -> String {
    let readings: Vec<String> = message
        .iter()
        .map(|sent| {
            let zone = if sent.without_zone { "" } else { "+07:00" };
            // One value a key, so that what is stored does not depend on the order of replays.
            let Sent { well, minute, .. } = sent;
            format!(r#"{{"well":"W-{well}","time":"2026-10-31T10:{minute:02}:00{zone}","depth_to_water":{minute}}}"#)
        })
        .collect();
    format!("[{}]", readings.join(","))
}

async fn run(steps: Vec<Step>) {
    let mut rig = Rig::new();
    let mut pipeline = rig.open().await;
    let mut received = 0;
    let mut sent: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    let last = (0..WELLS).map(Step::Register).chain([Step::ConfigureZone, Step::Replay]);
    for step in steps.into_iter().chain(last) {
        match step {
            Step::Send(message) => {
                received += message.len() as u64;
                message.iter().for_each(|reading| sent.entry(reading.well).or_default().push(reading.minute));
                pipeline.ingest(json("gw", payload(&message))).await.unwrap();
            }
            Step::Register(number) => pipeline.put_wells(vec![well(&format!("W-{number}"))]).await.unwrap(),
            Step::Replay => {
                replay(&pipeline).await;
            }
            Step::ReplayBrokenOff { after_polls } => {
                let mut replay = std::pin::pin!(replay(&pipeline));
                for _ in 0..after_polls {
                    if futures::poll!(replay.as_mut()).is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            Step::ConfigureZone | Step::Restart => {
                if matches!(step, Step::ConfigureZone) {
                    rig.config.decode.clock_zones.insert(gateway("gw"), 7 * 3600);
                }
                pipeline.halt().await.unwrap();
                pipeline = rig.open().await;
            }
        }
        // Also asserts that they add up.
        assert_eq!(gateway_counts(&pipeline, "gw").await[0], received, "no replay changes what was received");
    }
    let [_, _, _, dead, pending] = gateway_counts(&pipeline, "gw").await;
    assert_eq!((dead, pending), (0, 0));
    assert_eq!(rig.dead_letters().await, []);
    for (number, mut minutes) in sent {
        minutes.sort_unstable();
        minutes.dedup();
        let rows = rig.archived(&format!("W-{number}"), Parameter::DepthToWater).await;
        assert_eq!(rows.iter().map(|row| row.value as i64).collect::<Vec<_>>(), minutes, "W-{number}");
    }
}

proptest! {
    #![proptest_config(rounds(24))]

    #[test]
    fn everything_comes_in_once_in_whatever_order_causes_are_mended(
        steps in proptest::collection::vec(step(), 1..25)
    ) {
        block_on(run(steps));
    }
}
