use gwbank_model::condition::{FlagState, Hazard, Scope, Severity};
use gwbank_model::{Month, Parameter};
use gwbank_registry::{BankType, Registry, Well};
use gwbank_store::Metadata;
use gwbank_watch::Watch;

use crate::support::{World, at, id, in_district, well};

fn with_limits(name: &str) -> Well {
    Well { flood_warning_depth: Some(1.0), flood_danger_depth: Some(0.5), ..well(name) }
}

fn one_well() -> World {
    World::new(vec![with_limits("W1")], "2026-10-01T00:00:00+07:00")
}

async fn severity(world: &World, scope: Scope, place: &str) -> Option<Severity> {
    world.open_flag(Hazard::Flood, scope, place).await.map(|flag| flag.severity)
}

/// `2026-10-01` plus hours.
fn hour(hours: f64) -> String {
    at("2026-10-01T00:00:00+07:00").plus_secs((hours * 3600.0) as i64).to_rfc3339(crate::support::OFFSET)
}

#[tokio::test]
async fn two_readings_raise_where_nothing_supports_the_first() {
    let world = one_well();
    let watch = world.open().await;
    world.depth(&watch, "W1", &hour(0.0), 3.0).await;
    world.depth(&watch, "W1", &hour(0.25), 0.3).await;
    assert_eq!(severity(&world, Scope::Well, "W1").await, None, "a jump of 2.7 m waits");
    world.depth(&watch, "W1", &hour(0.5), 0.25).await;
    let flag = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.unwrap();
    assert_eq!((flag.severity, flag.rule.as_str(), flag.limit_value), (Severity::Severe, "danger_depth", Some(0.5)));
    assert_eq!(flag.raised_at, at(&hour(0.5)));
    assert_eq!(flag.observed, Some(0.25));
    assert!(flag.headline_th.contains("น้ำใต้ดินสูงใกล้ผิวดิน เสี่ยงน้ำท่วมขัง") && flag.detail_th.contains("ต.ในเมือง"));
    // Its subdistrict and district are as bad; the province counts.
    assert_eq!(severity(&world, Scope::Subdistrict, "300101").await, Some(Severity::Severe));
    assert_eq!(severity(&world, Scope::District, "3001").await, Some(Severity::Severe));
    let province = world.open_flag(Hazard::Flood, Scope::Province, "30").await.unwrap();
    assert_eq!((province.severity, province.wells_in, province.wells_out), (Severity::Watch, 1, 0));
}

#[tokio::test]
async fn a_well_with_limits_that_measures_no_level_is_no_flood_capable_well() {
    let world =
        World::new(vec![with_limits("W1"), with_limits("W2"), with_limits("RAIN")], "2026-10-01T00:00:00+07:00");
    world.read("RAIN", Parameter::Rainfall, &hour(0.0), 2.0);
    let watch = world.open().await;
    world.depth(&watch, "W1", &hour(0.0), 0.8).await;
    world.depth(&watch, "W1", &hour(0.25), 0.4).await;
    let province = world.open_flag(Hazard::Flood, Scope::Province, "30").await.unwrap();
    assert_eq!((province.wells_in, province.wells_out), (1, 1), "W2 is silent and counts");
}

#[tokio::test]
async fn one_reading_suffices_with_support() {
    let world = one_well();
    let watch = world.open().await;
    world.depth(&watch, "W1", &hour(0.0), 3.0).await;
    world.read("W1", Parameter::Rainfall, &hour(0.1), 40.0);
    world.depth(&watch, "W1", &hour(0.25), 0.3).await;
    assert_eq!(severity(&world, Scope::Well, "W1").await, Some(Severity::Severe));

    let world = one_well();
    let watch = world.open().await;
    world.depth(&watch, "W1", &hour(0.0), 0.9).await;
    assert_eq!(severity(&world, Scope::Well, "W1").await, Some(Severity::Warning));
    world.depth(&watch, "W1", &hour(0.25), 0.45).await;
    assert_eq!(severity(&world, Scope::Well, "W1").await, Some(Severity::Severe), "0.45 m from the reading before");
    let flag = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.unwrap();
    assert_eq!(world.story(&flag.id).await, ["raised warning", "escalated severe"]);
}

#[tokio::test]
async fn a_neighbour_that_rises_later_supports_the_well_that_waited() {
    let world = World::new(vec![with_limits("W1"), with_limits("W2")], "2026-10-01T00:00:00+07:00");
    let watch = world.open().await;
    for name in ["W1", "W2"] {
        world.depth(&watch, name, &hour(0.0), 3.0).await;
    }
    world.depth(&watch, "W1", &hour(0.5), 0.3).await;
    assert_eq!(severity(&world, Scope::Well, "W1").await, None);
    // Measured before W1 and received after it.
    world.set_now(&hour(0.6));
    world.read("W2", Parameter::DepthToWater, &hour(0.4), 0.8);
    watch.run_live_once(&[id("W2")]).await.unwrap();
    assert_eq!(severity(&world, Scope::Well, "W2").await, Some(Severity::Warning));
    assert_eq!(severity(&world, Scope::Well, "W1").await, Some(Severity::Severe));
}

#[tokio::test]
async fn clears_after_six_hours_below_and_not_by_silence() {
    let world = one_well();
    let watch = world.open().await;
    world.depth(&watch, "W1", &hour(0.0), 0.6).await;
    world.depth(&watch, "W1", &hour(0.5), 0.4).await;
    let flag = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.unwrap();
    for step in 2..=13 {
        world.depth(&watch, "W1", &hour(f64::from(step) / 2.0), 2.0).await;
    }
    // The first reading beyond the margin came at 1.0 h.
    assert_eq!(severity(&world, Scope::Well, "W1").await, Some(Severity::Severe));
    assert_eq!(severity(&world, Scope::Province, "30").await, Some(Severity::Watch));
    world.set_now(&hour(20.0));
    watch.run_stale_once().await.unwrap();
    let stale = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.unwrap();
    assert_eq!(stale.state, FlagState::Stale);
    let province = world.open_flag(Hazard::Flood, Scope::Province, "30").await.unwrap();
    assert_eq!(province.state, FlagState::Stale, "all of its wells in danger are stale");
    world.depth(&watch, "W1", &hour(20.5), 2.0).await;
    for (scope, place) in
        [(Scope::Well, "W1"), (Scope::Subdistrict, "300101"), (Scope::District, "3001"), (Scope::Province, "30")]
    {
        assert_eq!(severity(&world, scope, place).await, None, "{place}");
    }
    assert_eq!(world.story(&flag.id).await, ["raised warning", "escalated severe", "stale severe", "cleared severe"]);
    let last = world.transitions(&flag.id).await.pop().unwrap();
    assert!(last.evidence.contains("six_hours_below_limit"), "{}", last.evidence);
    expect_test::expect_file!["messages/flood_well.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn a_stale_flag_opens_again_when_data_return() {
    let world = one_well();
    let watch = world.open().await;
    world.depth(&watch, "W1", &hour(0.0), 0.9).await;
    world.set_now(&hour(7.0));
    watch.run_stale_once().await.unwrap();
    watch.run_stale_once().await.unwrap();
    world.depth(&watch, "W1", &hour(8.0), 0.9).await;
    let flag = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.unwrap();
    assert_eq!(flag.state, FlagState::Open);
    assert_eq!(world.story(&flag.id).await, ["raised warning", "stale warning", "raised warning"]);
    assert!(world.transitions(&flag.id).await[2].evidence.contains("data_resumed"));
}

#[tokio::test]
async fn closed_banks_never_and_filling_banks_not_yet() {
    let closed = Well { bank_type: BankType::Closed, ..with_limits("C1") };
    let pond = Well { bank_type: BankType::Open, ..with_limits("P1") };
    let world = World::new(vec![closed, pond], "2026-10-01T00:00:00+07:00");
    let watch = world.open().await;
    world.read("P1", Parameter::Rainfall, &hour(0.0), 60.0);
    for step in 0..8 {
        world.depth(&watch, "C1", &hour(f64::from(step)), -0.2).await;
        world.depth(&watch, "P1", &hour(f64::from(step)), 0.2).await;
    }
    watch.run_live_all().await.unwrap();
    assert!(world.flags().await.is_empty());
    // A day after the rain the pond is still full: that is no filling any more.
    world.depth(&watch, "P1", &hour(25.0), 0.2).await;
    assert_eq!(severity(&world, Scope::Well, "P1").await, Some(Severity::Severe));
    assert_eq!(severity(&world, Scope::Well, "C1").await, None);
}

#[tokio::test]
async fn late_readings_write_history_and_raise_nothing() {
    let world = one_well();
    let watch = world.open().await;
    world.set_now(&hour(30.0));
    for step in 0..8 {
        world.read("W1", Parameter::DepthToWater, &hour(f64::from(step)), 0.2);
    }
    watch.run_live_once(&[id("W1")]).await.unwrap();
    world.depth(&watch, "W1", &hour(30.0), 2.0).await;
    assert!(world.flags().await.is_empty());
}

#[tokio::test]
async fn a_corrected_reading_cancels_what_it_raised() {
    let world = one_well();
    let watch = world.open().await;
    world.depth(&watch, "W1", &hour(0.0), 0.8).await;
    world.depth(&watch, "W1", &hour(0.5), 1.6).await;
    let flag = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.unwrap();
    world.depth(&watch, "W1", &hour(0.0), 1.8).await;
    assert!(world.open_flag(Hazard::Flood, Scope::Well, "W1").await.is_none());
    let last = world.transitions(&flag.id).await.pop().unwrap();
    assert!(last.evidence.contains("late_data"), "{}", last.evidence);
    expect_test::expect_file!["messages/flood_cancelled.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn a_restart_continues_open_flags() {
    let world = one_well();
    world.depth(&world.open().await, "W1", &hour(0.0), 0.8).await;
    let flag = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.unwrap();
    for step in 1..=7 {
        // A new process for every reading.
        let watch = world.open().await;
        watch.run_live_all().await.unwrap();
        world.depth(&watch, "W1", &hour(f64::from(step)), 2.0).await;
    }
    assert_eq!(world.story(&flag.id).await, ["raised warning", "cleared warning"]);
    // The same after many days, when the raising reading lies beyond what is read.
    world.depth(&world.open().await, "W1", &hour(10.0), 0.8).await;
    for day in 1..=15 {
        world.depth(&world.open().await, "W1", &hour(10.0 + 24.0 * f64::from(day)), 0.8).await;
    }
    assert_eq!(severity(&world, Scope::Well, "W1").await, Some(Severity::Warning));
    assert_eq!(world.metadata.flags(true).await.unwrap().len(), 1);
}

#[tokio::test]
async fn districts_make_the_province() {
    let districts = ["3001", "3002", "3003"];
    let mut wells: Vec<Well> = districts.iter().map(|d| in_district(with_limits(&format!("W{d}")), d)).collect();
    wells.extend((0..8).map(|i| with_limits(&format!("calm{i}"))));
    let world = World::new(wells, "2026-10-01T00:00:00+07:00");
    let watch = world.open().await;
    let mut severities = Vec::new();
    for (i, district) in districts.iter().enumerate() {
        let name = format!("W{district}");
        world.depth(&watch, &name, &hour(i as f64), 0.6).await;
        world.depth(&watch, &name, &hour(i as f64 + 0.5), 0.4).await;
        severities.push(severity(&world, Scope::Province, "30").await.unwrap());
    }
    assert_eq!(severities, [Severity::Watch, Severity::Warning, Severity::Severe]);
    let flag = world.open_flag(Hazard::Flood, Scope::Province, "30").await.unwrap();
    assert_eq!((flag.wells_in, flag.wells_out), (3, 8));
    assert!(flag.headline_en.contains("3 of 11 wells"), "{}", flag.headline_en);
    expect_test::expect_file!["messages/flood_places.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn a_well_that_may_not_speak_any_more_is_cleared() {
    let world = one_well();
    let watch = world.open().await;
    world.depth(&watch, "W1", &hour(0.0), 0.4).await;
    world.depth(&watch, "W1", &hour(0.5), 0.4).await;
    assert!(severity(&world, Scope::District, "3001").await.is_some());
    let closed = Well { bank_type: BankType::Closed, ..with_limits("W1") };
    world.registry.send_replace(std::sync::Arc::new(Registry::new([closed], [])));
    world.set_now(&hour(1.0));
    watch.run_stale_once().await.unwrap();
    assert!(severity(&world, Scope::Well, "W1").await.is_none());
    // A place does not get better in the hour in which it got worse.
    assert!(severity(&world, Scope::District, "3001").await.is_some());
    watch.run_waiting_once().await.unwrap();
    assert!(severity(&world, Scope::District, "3001").await.is_some());
    world.set_now(&hour(1.6));
    watch.run_waiting_once().await.unwrap();
    assert!(world.metadata.flags(true).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_elevation_is_judged_by_the_surveyed_ground() {
    let surveyed = Well { ground_elevation: Some(100.0), ..with_limits("W1") };
    let world = World::new(vec![surveyed, with_limits("W2")], "2026-10-01T00:00:00+07:00");
    let watch = world.open().await;
    for name in ["W1", "W2"] {
        world.read(name, Parameter::GroundwaterElevation, &hour(0.0), 99.2);
    }
    watch.run_live_all().await.unwrap();
    assert_eq!(severity(&world, Scope::Well, "W1").await, Some(Severity::Warning));
    assert_eq!(severity(&world, Scope::Well, "W2").await, None, "where the ground lies is not known");
}

/// Without limits a well is watched at a record high, also by a process that has not read its history yet.
#[tokio::test]
async fn a_record_high_is_watched_and_survives_a_restart() {
    let world = World::new(vec![well("W1")], "2026-10-01T00:00:00+07:00");
    for year in 2021..2026 {
        world.set_month("W1", Month::new(year, 9), Some(1.5)).await;
    }
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    world.depth(&watch, "W1", &hour(0.0), 1.6).await;
    world.depth(&watch, "W1", &hour(0.5), 1.4).await;
    let flag = world.open_flag(Hazard::Flood, Scope::Well, "W1").await.unwrap();
    assert_eq!((flag.severity, flag.rule.as_str()), (Severity::Watch, "record_high"));
    world.depth(&world.open().await, "W1", &hour(1.0), 1.3).await;
    assert_eq!(severity(&world, Scope::Well, "W1").await, Some(Severity::Watch));
    assert_eq!(severity(&world, Scope::Province, "30").await, None);
    expect_test::expect_file!["messages/flood_record_high.txt"].assert_eq(&world.told().await);
}

/// Updates of a place, as they were told: the reason, and with how many wells.
async fn updates(world: &World, place: &str) -> Vec<(String, u64)> {
    let open = world.open_flag(Hazard::Flood, Scope::District, place).await.unwrap();
    let transitions = world.metadata.flag_transitions(Some(&open.id)).await.unwrap();
    let updated = transitions.iter().filter(|it| it.transition == gwbank_model::condition::Transition::Updated);
    let evidence = updated.map(|it| serde_json::from_str::<serde_json::Value>(&it.evidence).unwrap());
    evidence.map(|it| (it["reason"].as_str().unwrap().to_owned(), it["wells_told"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn a_place_whose_wells_become_many_more_is_told_again_once() {
    let wells = (0..9).map(|i| with_limits(&format!("W{i}"))).collect();
    let world = World::new(wells, "2026-10-01T00:00:00+07:00");
    let mut watch = world.open().await;
    let rises = async |watch: &Watch, well: usize, hours: f64| {
        world.depth(watch, &format!("W{well}"), &hour(hours), 0.6).await;
        world.depth(watch, &format!("W{well}"), &hour(hours + 0.1), 0.4).await;
    };
    rises(&watch, 0, 0.0).await;
    for well in 1..4 {
        rises(&watch, well, 0.2 * well as f64).await;
    }
    assert_eq!(updates(&world, "3001").await, [], "not within an hour");
    // A restart knows what was told before it.
    watch = world.open().await;
    rises(&watch, 4, 1.5).await;
    assert_eq!(updates(&world, "3001").await, [("more_wells".to_owned(), 4)]);
    rises(&watch, 5, 3.0).await;
    rises(&watch, 6, 4.0).await;
    assert_eq!(updates(&world, "3001").await.len(), 1, "seven are not twice four");
}
