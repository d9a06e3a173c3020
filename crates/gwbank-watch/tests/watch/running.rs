//! The spawned watch, failures, and the size of a first run.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gwbank_model::Month;
use gwbank_model::Parameter;
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_registry::Well;
use gwbank_runtime::ShutdownTrigger;
use gwbank_store::Metadata;
use gwbank_watch::Watch;
use tokio::sync::mpsc;

use crate::support::{World, id, well};

#[tokio::test(start_paused = true)]
async fn spawned_it_follows_changes_and_ends_on_shutdown() {
    let limits = Well { flood_warning_depth: Some(1.0), flood_danger_depth: Some(0.5), ..well("W1") };
    let mut world = World::new(vec![limits], "2026-10-01T00:00:00+07:00");
    let trigger = ShutdownTrigger::new();
    world.shutdown = trigger.listener();
    let (sender, receiver) = mpsc::channel(8);
    // The first reads fail: nothing is lost by that.
    world.reader.fails.store(3, Ordering::SeqCst);
    let handle = Watch::spawn(world.config.clone(), world.parts(), receiver);
    world.read("W1", Parameter::DepthToWater, "2026-10-01T00:00:00+07:00", 0.8);
    sender.send(vec![id("W1"), id("W1")]).await.unwrap();
    let raised = async {
        while world.open_flag(Hazard::Flood, Scope::Well, "W1").await.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), raised).await.expect("raised");
    assert_eq!(handle.watch().open_flags()[0].severity, Severity::Warning);
    trigger.stop();
    handle.join().await;
}

#[tokio::test]
async fn a_failed_run_leaves_everything_due() {
    let world = World::new(vec![well("W1")], "2026-12-06T00:00:00+07:00");
    for k in 0..24 {
        world.set_month("W1", Month::new(2026, 11).plus(-12 * k), Some(5.0 - f64::from(k) / 10.0)).await;
    }
    let watch = world.open().await;
    world.reader.fails.store(1, Ordering::SeqCst);
    let error = watch.run_monthly_once().await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!(world.metadata.dirty_months(100).await.unwrap().len(), 24);
    let report = watch.run_monthly_once().await.unwrap();
    assert_eq!((report.dirty_months, report.rows > 24), (24, true));
    assert!(world.metadata.dirty_months(100).await.unwrap().is_empty());
    assert!(world.open_flag(Hazard::Drought, Scope::Well, "W1").await.is_some());
}

/// A first run reads batches of wells, later ones only what is dirty, and writes only what differs.
#[tokio::test]
async fn reads_in_batches_and_writes_differences() {
    let names: Vec<String> = (0..150).map(|i| format!("W{i:03}")).collect();
    let world = World::new(names.iter().map(|name| well(name)).collect(), "2026-12-06T00:00:00+07:00");
    let depth = |well: usize, k: i32| Some(5.0 + f64::from((k * 31 + well as i32 * 17).rem_euclid(97)) / 40.0);
    let months = |range: std::ops::Range<i32>| {
        let of_well = move |(i, name): (usize, &'static str)| {
            range.clone().map(move |k| (name, Month::new(2026, 11).plus(-k), depth(i, k)))
        };
        let leaked: Vec<&'static str> = names.iter().map(|name| &*Box::leak(name.clone().into_boxed_str())).collect();
        leaked.into_iter().enumerate().flat_map(of_well).collect::<Vec<_>>()
    };
    world.set_months(months(0..60)).await;
    let watch = world.open().await;
    let first = watch.run_monthly_once().await.unwrap();
    assert_eq!(world.reader.daily_calls.load(Ordering::SeqCst), 3, "64 wells at a time");
    // Trend, three GxG and recharge, the carry-over of four wet seasons, and five thresholds a calendar month.
    let of_records = 150 * (1 + 3 + 1 + 4 + 5 * 12);
    assert_eq!(first.rows, 150 * 60 * 5 + of_records + 12 * 3 * 5, "five indicators a month, and three places");

    // The same values come again: read anew, nothing written.
    world.set_months(months(0..1)).await;
    let again = watch.run_monthly_once().await.unwrap();
    assert_eq!(world.reader.daily_calls.load(Ordering::SeqCst), 4, "all wells at once, for one month");
    assert_eq!((again.wells, again.rows, again.flag_changes), (150, 0, 0));

    // One correction re-ranks its calendar month only.
    world.set_month("W000", Month::new(2026, 11), Some(5.001)).await;
    let corrected = watch.run_monthly_once().await.unwrap();
    assert!(corrected.rows > 0 && corrected.rows <= 5 * 5 + 2 * 12 + 60, "{corrected:?}");
    assert_eq!(watch.run_monthly_once().await.unwrap(), Default::default());
}
