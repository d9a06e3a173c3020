//! What was acknowledged is there, once, and counted once, whatever happens in between.

use gwbank_ingest::{IngestError, Pipeline};
use gwbank_model::{Month, Parameter, Seq, Timestamp};
use gwbank_store::{DeadLetterFilter, Metadata};
use std::sync::atomic::Ordering;

use crate::rig::{Rig, START_SECS, counts, depth, eventually, gateway, gateway_counts, json, well};

#[tokio::test]
async fn a_message_is_stored_once_through_restarts() {
    let rig = Rig::new();
    let mut pipeline = rig.open_with_wells(&["A"]).await;
    let receipt = pipeline.ingest(json("gw", depth("A", START_SECS, 3.5))).await.unwrap();
    assert_eq!(counts(&receipt), [1, 1, 0, 0, 0]);
    for flushed in [false, true, false] {
        if flushed {
            pipeline.flush().await.unwrap();
        }
        pipeline.halt().await.unwrap();
        pipeline = rig.open().await;
        assert_eq!(gateway_counts(&pipeline, "gw").await, [1, 1, 0, 0, 0]);
        let series = rig.names.series.get("A", Parameter::DepthToWater).unwrap();
        assert_eq!(pipeline.window().snapshot().latest(series).unwrap().value, 3.5);
    }
    let again = pipeline.ingest(json("gw", depth("A", START_SECS, 3.5))).await.unwrap();
    assert_eq!(counts(&again), [1, 0, 1, 0, 0]);
    pipeline.shutdown().await.unwrap();
    assert_eq!(rig.archived("A", Parameter::DepthToWater).await.len(), 1);
    let pipeline = rig.open().await;
    assert_eq!(gateway_counts(&pipeline, "gw").await, [2, 1, 1, 0, 0]);
}

#[tokio::test]
async fn a_correction_wins_and_a_redelivery_does_not_undo_it() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    for (value, expected) in [(3.5, [1, 1, 0, 0, 0]), (3.6, [1, 1, 0, 0, 0]), (3.5, [1, 0, 1, 0, 0])] {
        let receipt = pipeline.ingest(json("gw", depth("A", START_SECS, value))).await.unwrap();
        assert_eq!(counts(&receipt), expected);
    }
    let twice = format!("[{},{}]", depth("A", START_SECS + 60, 1.0), depth("A", START_SECS + 60, 2.0));
    assert_eq!(counts(&pipeline.ingest(json("gw", twice)).await.unwrap()), [2, 2, 0, 0, 0]);
    pipeline.flush().await.unwrap();
    let values: Vec<f64> = rig.archived("A", Parameter::DepthToWater).await.iter().map(|row| row.value).collect();
    assert_eq!(values, [3.6, 2.0]);
}

#[tokio::test]
async fn an_archive_that_is_away_stops_nothing_and_misses_nothing() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    rig.archive.away.store(true, Ordering::SeqCst);
    for n in 0..20 {
        pipeline.ingest(json("gw", depth("A", START_SECS + n, n as f64 / 10.0))).await.unwrap();
        if n % 7 == 0 {
            assert!(pipeline.flush().await.is_err());
        }
    }
    assert!(pipeline.status().last_error.unwrap().contains("gone fishing"));
    assert_eq!(pipeline.status().unarchived_rows, 20);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [20, 20, 0, 0, 0]);
    rig.archive.away.store(false, Ordering::SeqCst);
    pipeline.flush().await.unwrap();
    let status = pipeline.status();
    assert_eq!((status.last_error, status.unarchived_rows), (None, 0));
    assert_eq!(status.archived_through, status.applied_through);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [20, 20, 0, 0, 0]);
    assert_eq!(rig.archived("A", Parameter::DepthToWater).await.len(), 20);
}

#[tokio::test]
async fn a_full_window_holds_messages_until_there_is_room() {
    let mut rig = Rig::new();
    rig.config.window_bytes_max = 1 << 16;
    let pipeline = rig.open_with_wells(&["A"]).await;
    rig.archive.away.store(true, Ordering::SeqCst);
    let message = |n: i64| {
        let readings: Vec<String> =
            (0..500).map(|i| depth("A", START_SECS - 86_400 + n * 500 + i, (i % 10) as f64)).collect();
        json("gw", format!("[{}]", readings.join(",")))
    };
    let mut sent = 0;
    while pipeline.try_ingest(message(sent)).await.is_ok() {
        sent += 1;
        eventually("the applier to be done", || async { pipeline.status().unarchived_rows == sent as u64 * 500 }).await;
        assert!(sent < 20, "the window takes without bound");
    }
    assert!(pipeline.is_holding());
    let waiting = tokio::spawn({
        let pipeline = pipeline.clone();
        let message = message(sent);
        async move { pipeline.ingest(message).await }
    });
    rig.archive.away.store(false, Ordering::SeqCst);
    pipeline.flush().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().received, 500);
    assert!(!pipeline.is_holding());
    pipeline.flush().await.unwrap();
    assert_eq!(rig.archived("A", Parameter::DepthToWater).await.len(), (sent as usize + 1) * 500);
}

#[tokio::test]
async fn a_window_that_cannot_hold_a_day_is_warmed_with_less() {
    let mut rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let readings: Vec<String> = (0..5000).map(|n| depth("A", START_SECS - n * 10, (n % 10) as f64)).collect();
    pipeline.ingest(json("gw", format!("[{}]", readings.join(",")))).await.unwrap();
    pipeline.shutdown().await.unwrap();
    rig.config.warm_bytes_max = 40 * 1000; // for 1,000 readings
    let pipeline = rig.open().await;
    let status = pipeline.status();
    assert!((500..=1000).contains(&status.window_rows), "{status:?}");
    assert!(status.covers_from <= Timestamp::from_secs(START_SECS - 4990), "{status:?}");
}

#[tokio::test]
async fn relative_times_are_known_by_their_message() {
    let rig = Rig::new();
    let mut pipeline = rig.open_with_wells(&["A"]).await;
    let message = || json("gw", r#"{"well":"A","age_s":60,"depth_to_water":2.5}"#);
    assert_eq!(counts(&pipeline.ingest(message()).await.unwrap()), [1, 1, 0, 0, 0]);
    rig.clock.advance_micros(5_000_000);
    assert_eq!(counts(&pipeline.ingest(message()).await.unwrap()), [1, 0, 1, 0, 0]);
    pipeline.halt().await.unwrap();
    pipeline = rig.open().await;
    rig.clock.advance_micros(5_000_000);
    assert_eq!(counts(&pipeline.ingest(message()).await.unwrap()), [1, 0, 1, 0, 0]);
    rig.clock.advance_micros(24 * 3600 * 1_000_000);
    assert_eq!(counts(&pipeline.ingest(message()).await.unwrap()), [1, 1, 0, 0, 0]);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [4, 2, 2, 0, 0]);
}

#[tokio::test]
async fn a_message_is_known_by_its_content_after_an_orderly_end_too() {
    let rig = Rig::new();
    let mut pipeline = rig.open_with_wells(&["A"]).await;
    let message = || json("gw", r#"{"well":"A","age_s":60,"depth_to_water":2.5}"#);
    assert_eq!(counts(&pipeline.ingest(message()).await.unwrap()), [1, 1, 0, 0, 0]);
    pipeline.shutdown().await.unwrap();
    assert_eq!(rig.metadata.received_contents().await.unwrap().len(), 1);
    pipeline = rig.open().await;
    rig.clock.advance_micros(5_000_000);
    assert_eq!(counts(&pipeline.ingest(message()).await.unwrap()), [1, 0, 1, 0, 0]);
    // The archive has it, the metadata does not: the record is replayed and is no repeat of itself.
    let other = || json("gw", r#"{"well":"A","age_s":61,"depth_to_water":2.5}"#);
    rig.metadata_away.store(true, Ordering::SeqCst);
    assert_eq!(counts(&pipeline.ingest(other()).await.unwrap()), [1, 1, 0, 0, 0]);
    assert!(pipeline.flush().await.is_err());
    rig.metadata_away.store(false, Ordering::SeqCst);
    pipeline.halt().await.unwrap();
    pipeline = rig.open().await;
    assert_eq!(counts(&pipeline.ingest(other()).await.unwrap()), [1, 0, 1, 0, 0]);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [4, 2, 2, 0, 0]);
    // A day later it is a new one, and what is older is forgotten.
    rig.clock.advance_micros((24 * 3600 + 1) * 1_000_000);
    assert_eq!(counts(&pipeline.ingest(message()).await.unwrap()), [1, 1, 0, 0, 0]);
    pipeline.shutdown().await.unwrap();
    assert_eq!(rig.metadata.received_contents().await.unwrap().len(), 1);
    assert_eq!(rig.archived("A", Parameter::DepthToWater).await.len(), 3);
}

#[tokio::test]
async fn a_full_ledger_holds_messages_until_dead_letters_are_accounted_for() {
    let mut rig = Rig::new();
    rig.config.ledger_bytes_max = 1 << 20;
    let pipeline = rig.open_with_wells(&["A"]).await;
    rig.metadata_away.store(true, Ordering::SeqCst);
    let unreadable = |n: u64| json("gw", format!("{}{n}", "x".repeat(50_000)));
    let mut sent = 0;
    loop {
        match pipeline.try_ingest(unreadable(sent)).await {
            Ok(_) => sent += 1,
            Err(IngestError::Full { limit }) => break assert_eq!(limit, "ingest.ledger_bytes_max"),
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 100, "the ledger takes without bound");
    }
    assert!(sent > 10 && pipeline.is_holding());
    // A restart with what the journal holds is within the bound as well.
    pipeline.halt().await.unwrap();
    let pipeline = rig.open().await;
    assert!(pipeline.is_holding() && pipeline.status().ledger_bytes < 2 << 20);
    let waiting = tokio::spawn({
        let pipeline = pipeline.clone();
        async move { pipeline.ingest(unreadable(sent)).await }
    });
    rig.metadata_away.store(false, Ordering::SeqCst);
    pipeline.flush().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().dead, 1);
    pipeline.flush().await.unwrap();
    assert_eq!(pipeline.status().ledger_bytes, 0);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [sent + 1, 0, 0, sent + 1, 0]);
    assert_eq!(rig.dead_letters().await.len() as u64, sent + 1, "nothing is dropped");
}

#[tokio::test]
async fn an_unknown_well_is_stored_once_it_is_registered() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let mixed =
        format!("[{},{},{}]", depth("A", START_SECS, 1.0), depth("B", START_SECS, 2.0), depth("C", START_SECS, 3.0));
    let receipt = pipeline.ingest(json("gw", mixed)).await.unwrap();
    assert_eq!(counts(&receipt), [3, 1, 0, 2, 0]);
    assert_eq!(receipt.faults.len(), 2);
    pipeline.ingest(json("gw", depth("B", START_SECS + 60, 2.1))).await.unwrap();

    let nothing = pipeline.replay_dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert_eq!((nothing.messages, nothing.left, nothing.stored), (3, 3, 0));
    assert_eq!(rig.dead_letters().await.len(), 2);

    pipeline.put_wells(vec![well("B")]).await.unwrap();
    let report = pipeline.replay_dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert_eq!((report.messages, report.left, report.stored, report.duplicate), (3, 1, 2, 0));
    assert_eq!(gateway_counts(&pipeline, "gw").await, [4, 3, 0, 1, 0]);
    let left = rig.dead_letters().await;
    assert_eq!((left.len(), left[0].subject.as_str()), (1, "C"));
    assert_eq!(rig.archived("B", Parameter::DepthToWater).await.len(), 2);

    // A restart does not settle anything twice.
    pipeline.halt().await.unwrap();
    let pipeline = rig.open().await;
    assert_eq!(gateway_counts(&pipeline, "gw").await, [4, 3, 0, 1, 0]);
    let again = pipeline.replay_dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert_eq!((again.messages, again.left), (1, 1));
}

#[tokio::test]
async fn an_import_of_unknown_wells_can_be_replayed() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let reading = |well: &str, value: f64| gwbank_model::Reading {
        well: gwbank_model::WellId::new(well).unwrap(),
        parameter: Parameter::Chloride,
        time: Timestamp::from_secs(START_SECS),
        time_source: gwbank_model::TimeSource::Device,
        value: Some(value),
        site_status: None,
        revision: 0,
        time_raw: None,
    };
    let importer = gateway("import");
    let readings = vec![reading("A", 1.0), reading("B", 2.0)];
    let receipt = pipeline.ingest_readings(&importer, readings, Default::default()).await.unwrap();
    assert_eq!(counts(&receipt), [2, 1, 0, 1, 0]);
    pipeline.put_wells(vec![well("B")]).await.unwrap();
    pipeline.replay_dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert_eq!(gateway_counts(&pipeline, "import").await, [2, 2, 0, 0, 0]);
    assert_eq!(rig.archived("B", Parameter::Chloride).await[0].value, 2.0);
}

#[tokio::test]
async fn changed_months_are_dirty_in_the_calendar_of_thailand() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let mut changes = pipeline.level_changes();
    // 2026-10-31T18:00Z is November in Thailand.
    let november = START_SECS - 6 * 3600;
    let message = format!("[{},{}]", depth("A", november, 1.0), depth("A", november - 3600 * 2, 1.0));
    pipeline.ingest(json("gw", message)).await.unwrap();
    assert_eq!(changes.next().await.len(), 1);
    pipeline.flush().await.unwrap();
    let mut months: Vec<Month> =
        rig.metadata.dirty_months(10).await.unwrap().into_iter().map(|dirty| dirty.month).collect();
    months.sort_unstable();
    assert_eq!(months, [Month::new(2026, 10), Month::new(2026, 11)]);
}

#[tokio::test]
async fn many_tasks_at_once_lose_nothing() {
    let mut rig = Rig::new();
    rig.config.flush_rows = 100;
    let pipeline = rig.open_with_wells(&["A", "B", "C"]).await;
    let senders = (0..8).map(|sender: i64| {
        let pipeline = pipeline.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                let well = ["A", "B", "C"][(sender % 3) as usize];
                let message =
                    json(&format!("gw-{sender}"), depth(well, START_SECS - sender * 1000 - n, n as f64 / 7.0));
                assert_eq!(pipeline.ingest(message).await.unwrap().stored, 1);
            }
        })
    });
    futures::future::join_all(senders.collect::<Vec<_>>()).await.into_iter().for_each(|done| done.unwrap());
    pipeline.flush().await.unwrap();
    let mut rows = 0;
    for well in ["A", "B", "C"] {
        rows += rig.archived(well, Parameter::DepthToWater).await.len();
    }
    assert_eq!(rows, 400);
    for sender in 0..8 {
        assert_eq!(gateway_counts(&pipeline, &format!("gw-{sender}")).await, [50, 50, 0, 0, 0]);
    }
}

#[tokio::test]
async fn a_full_journal_holds_messages_until_it_is_cut() {
    let mut rig = Rig::new();
    rig.config.journal.bytes_max = 64 << 10;
    let pipeline = rig.open_with_wells(&["A"]).await;
    rig.archive.away.store(true, Ordering::SeqCst);
    let message = |n: i64| json("gw", depth("A", START_SECS - n, 1.0));
    let mut sent = 0;
    while pipeline.try_ingest(message(sent)).await.is_ok() {
        sent += 1;
        assert!(sent < 5000, "the journal takes without bound");
    }
    assert!(sent > 100 && pipeline.is_holding());
    rig.archive.away.store(false, Ordering::SeqCst);
    pipeline.flush().await.unwrap();
    for n in sent..sent + 200 {
        let receipt = match pipeline.try_ingest(message(n)).await {
            Ok(receipt) => receipt,
            Err(IngestError::Full { .. }) => {
                pipeline.flush().await.unwrap();
                pipeline.ingest(message(n)).await.unwrap()
            }
            Err(error) => panic!("{error}"),
        };
        assert_eq!(receipt.stored, 1);
    }
    let total = sent as u64 + 200;
    assert_eq!(gateway_counts(&pipeline, "gw").await, [total, total, 0, 0, 0]);
}

#[tokio::test]
async fn metadata_that_is_away_is_made_up_for() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    rig.metadata_away.store(true, Ordering::SeqCst);
    pipeline.ingest(json("gw", depth("A", START_SECS, 1.0))).await.unwrap();
    pipeline.ingest(json("gw", "nonsense")).await.unwrap();
    assert!(pipeline.flush().await.is_err());
    let status = pipeline.status();
    assert!(status.archived_through > status.accounted_through);
    assert_eq!(gateway_counts(&pipeline, "gw").await, [2, 1, 0, 1, 0]);
    pipeline.ingest(json("gw", depth("A", START_SECS - 60, 1.0))).await.unwrap();
    rig.metadata_away.store(false, Ordering::SeqCst);
    pipeline.flush().await.unwrap();
    assert_eq!(gateway_counts(&pipeline, "gw").await, [3, 2, 0, 1, 0]);
    assert_eq!(rig.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn months_of_what_was_archived_and_not_accounted_for_are_dirty_after_a_restart() {
    for warm_bytes_max in [1 << 20, 0] {
        let mut rig = Rig::new();
        rig.config.warm_bytes_max = warm_bytes_max;
        let pipeline = rig.open_with_wells(&["A"]).await;
        rig.metadata_away.store(true, Ordering::SeqCst);
        pipeline.ingest(json("gw", depth("A", START_SECS - 20 * 86_400, 1.0))).await.unwrap();
        assert!(pipeline.flush().await.is_err());
        rig.metadata_away.store(false, Ordering::SeqCst);
        pipeline.halt().await.unwrap();

        let pipeline = rig.open().await;
        pipeline.flush().await.unwrap();
        let months: Vec<Month> =
            rig.metadata.dirty_months(10).await.unwrap().into_iter().map(|dirty| dirty.month).collect();
        assert!(months.contains(&Month::new(2026, 10)), "{months:?}");
        // A neighbour across the end of the month may have been judged anew by the commit whose marks were lost.
        assert!(months.contains(&Month::new(2026, 9)), "{months:?}");
    }
}

#[tokio::test]
async fn a_correction_beside_a_reading_that_requalifies_what_it_corrects() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let at = START_SECS - 86_400;
    let first = format!("[{},{}]", depth("A", at, 1.0), depth("A", at + 900, 0.0));
    pipeline.ingest(json("gw", first)).await.unwrap();
    pipeline.flush().await.unwrap();
    let second = format!("[{},{}]", depth("A", at + 1800, 900.0), depth("A", at + 900, 1.0));
    pipeline.ingest(json("gw", second)).await.unwrap();
    pipeline.flush().await.unwrap();
    let values: Vec<f64> = rig.archived("A", Parameter::DepthToWater).await.iter().map(|row| row.value).collect();
    assert_eq!(values, [1.0, 1.0, 900.0]);
}

/// How messages are grouped on their way is chance; what is told of a version that lost must not be.
#[tokio::test]
async fn revisions_are_the_same_after_a_replay() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["W1"]).await;
    let start = START_SECS - 3_600;
    let mended = depth("W1", start + 30, 2.005).replace('}', r#","revision":1}"#);
    for message in [
        depth("W1", start, 2.0),
        depth("W1", start + 60, 2.0),
        depth("W1", start + 120, 2.01),
        depth("W1", start + 30, 9.0),
        mended,
    ] {
        pipeline.ingest(json("gw", message)).await.unwrap();
    }
    let told = |pipeline: &Pipeline| {
        let revisions = pipeline.window().snapshot().revisions(Seq::ZERO);
        revisions.iter().map(|revision| format!("{:?}", revision.row)).collect::<Vec<String>>()
    };
    let before = told(&pipeline);
    assert_eq!(before.len(), 1);
    pipeline.halt().await.unwrap();
    let pipeline = rig.open().await;
    assert_eq!(told(&pipeline), before);
    pipeline.shutdown().await.unwrap();
}
