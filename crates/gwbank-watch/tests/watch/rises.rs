//! Water on its way to the ground, and rises that a well does not usually have.

use gwbank_model::Parameter;
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_registry::{BankType, Well};
use gwbank_store::Metadata;

use crate::support::{World, at, well};

const START: &str = "2026-08-01T00:00:00+07:00";

fn hour(hours: i64) -> String {
    at(START).plus_secs(hours * 3600).to_rfc3339(crate::support::OFFSET)
}

#[tokio::test]
async fn a_steady_rise_is_a_watch_then_a_warning_and_ends_six_hours_after_it() {
    let limits = Well { flood_warning_depth: Some(0.8), flood_danger_depth: Some(0.2), ..well("W1") };
    let world = World::new(vec![limits], START);
    let watch = world.open().await;
    for h in 0..7 {
        world.depth(&watch, "W1", &hour(h), 1.4 - 0.05 * h as f64).await;
    }
    let flag = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.expect("on its way");
    assert_eq!((flag.severity, flag.rule.as_str()), (Severity::Watch, "time_to_ground"));
    assert!((flag.observed.unwrap() - 22.0).abs() < 0.5, "{:?}", flag.observed);
    assert!(flag.detail_en.contains("rose by 5 cm an hour"), "{}", flag.detail_en);
    // A watch of one well is no message of its places.
    assert!(world.open_flag(Hazard::Flood, Scope::District, "3001").await.is_none());
    let rows = world.metadata.indicators(Some("W1")).await.unwrap();
    let told: Vec<(&str, f64)> =
        rows.iter().map(|r| (r.indicator.as_str(), (r.value.unwrap() * 100.0).round())).collect();
    assert_eq!(told, [("hours_to_ground", 2200.0), ("rate_of_rise", 5.0)]);
    assert!(rows.iter().all(|row| row.period == at(&hour(6))));

    // At the warning depth the ladder has it.
    for h in 7..14 {
        world.depth(&watch, "W1", &hour(h), 1.4 - 0.05 * h as f64).await;
    }
    let worse = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.unwrap();
    assert_eq!((worse.id == flag.id, worse.severity), (true, Severity::Warning));
    // It falls. Six hours beyond both limits it is over.
    for h in 14..30 {
        world.depth(&watch, "W1", &hour(h), 1.0 + 0.02 * (h - 14) as f64).await;
    }
    assert!(world.open_flag(Hazard::Flood, Scope::Well, "W1").await.is_none());
    let rows = world.metadata.indicators(Some("W1")).await.unwrap();
    assert_eq!(rows.len(), 2, "the rise is on record: {rows:?}");
    expect_test::expect_file!["messages/flood_rise.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn a_rise_that_came_late_is_history() {
    let world = World::new(vec![well("W1")], START);
    let watch = world.open().await;
    world.set_now(&hour(48));
    for h in 0..7 {
        world.read("W1", Parameter::DepthToWater, &hour(h), 1.4 - 0.1 * h as f64);
    }
    watch.run_live_once(&[crate::support::id("W1")]).await.unwrap();
    assert!(world.flags().await.is_empty());
}

#[tokio::test]
async fn a_bank_that_fills_is_not_on_its_way() {
    let world = World::new(vec![Well { bank_type: BankType::Open, ..well("P1") }], START);
    let watch = world.open().await;
    for h in 0..7 {
        world.read("P1", Parameter::RechargeFlow, &hour(h), 12.0);
        world.depth(&watch, "P1", &hour(h), 1.4 - 0.1 * h as f64).await;
    }
    assert!(world.flags().await.is_empty());
}

#[tokio::test]
async fn a_rapid_rise_is_for_the_operator_and_ends_after_a_day() {
    let world = World::new(vec![well("W1")], START);
    let watch = world.open().await;
    for h in 0..4 {
        world.depth(&watch, "W1", &hour(h), 5.0 - 0.2 * h as f64).await;
    }
    let flag = world.open_flag(Hazard::RapidChange, Scope::Well, "W1").await.expect("rapid");
    assert_eq!((flag.severity, flag.rule.as_str(), flag.limit_value), (Severity::Watch, "rise_over_6_h", Some(0.5)));
    assert!((flag.observed.unwrap() - 0.6).abs() < 1e-9);
    assert!(world.flags().await.iter().all(|flag| flag.scope == Scope::Well), "never a province");
    // Over 24 hours it has risen until the next day.
    for h in 4..50 {
        world.depth(&watch, "W1", &hour(h), 4.4).await;
    }
    assert!(world.open_flag(Hazard::RapidChange, Scope::Well, "W1").await.is_none());
    assert_eq!(world.story(&flag.id).await, ["raised watch", "cleared watch"]);
    expect_test::expect_file!["messages/rapid_rise.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn what_the_well_does_each_wet_season_is_not_rapid() {
    let world = World::new(vec![well("W1")], START);
    for year in 2022..2026 {
        let start = at(&format!("{year}-08-01T00:00:00+07:00"));
        for h in 0..6 {
            world.read_at("W1", Parameter::DepthToWater, start.plus_secs(h * 3600), 5.0 - 0.3 * h as f64);
        }
    }
    let watch = world.open().await;
    for h in 0..4 {
        world.depth(&watch, "W1", &hour(h), 5.0 - 0.2 * h as f64).await;
    }
    assert!(world.flags().await.is_empty(), "0.6 m, where 1.5 m are usual");
    for h in 4..8 {
        world.depth(&watch, "W1", &hour(h), 4.4 - 0.4 * (h - 3) as f64).await;
    }
    let flag = world.open_flag(Hazard::RapidChange, Scope::Well, "W1").await.expect("rapid");
    assert_eq!(flag.limit_value, Some(1.5));
}

#[tokio::test]
async fn silence_ends_no_rise() {
    let world = World::new(vec![well("W1")], START);
    let watch = world.open().await;
    for h in 0..7 {
        world.depth(&watch, "W1", &hour(h), 1.4 - 0.15 * h as f64).await;
    }
    let open = async |hazard| world.open_flag(hazard, Scope::Well, "W1").await;
    assert!(open(Hazard::Flood).await.is_some() && open(Hazard::RapidChange).await.is_some());
    for later in [80, 200, 24 * 9, 24 * 15, 24 * 40] {
        world.set_now(&hour(later));
        // Another process, too.
        world.open().await.run_stale_once().await.unwrap();
        for hazard in [Hazard::Flood, Hazard::RapidChange] {
            let flag = open(hazard).await.expect("nothing was read that could end it");
            assert_eq!(flag.state, gwbank_model::condition::FlagState::Stale, "{hazard:?} after {later} h");
        }
    }
}
