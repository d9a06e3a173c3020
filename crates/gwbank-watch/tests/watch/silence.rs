//! Wells, gateways and provinces that fall silent.

use gwbank_model::condition::{FlagState, Hazard, Scope};
use gwbank_model::{GatewayId, Parameter};
use gwbank_registry::{Well, WellStatus};
use gwbank_store::{GatewayCounts, GatewayRecord, IngestCommit, Metadata};

use crate::support::{World, at, id, well};

const START: &str = "2026-08-01T00:00:00+07:00";

/// Hours after the start.
fn time(hours: i64) -> String {
    at(START).plus_secs(hours * 3600).to_rfc3339(crate::support::OFFSET)
}

/// Hourly readings up to an hour.
fn speaks(world: &World, name: &str, gateway: &str, hours: std::ops::Range<i64>) {
    world.reader.gateways.lock().insert(id(name), gateway.to_owned());
    for hour in hours {
        world.read(name, Parameter::DepthToWater, &time(hour), 5.0);
    }
}

async fn no_data(world: &World, scope: Scope, place: &str) -> bool {
    world.open_flag(Hazard::NoData, scope, place).await.is_some()
}

#[tokio::test]
async fn a_well_is_silent_after_a_day_and_speaks_again() {
    let world = World::new(vec![well("W1"), well("W2"), well("W3")], START);
    for name in ["W1", "W2", "W3"] {
        speaks(&world, name, name, 0..10);
    }
    let watch = world.open().await;
    world.set_now(&time(30));
    speaks(&world, "W2", "W2", 10..30);
    speaks(&world, "W3", "W3", 10..30);
    watch.run_silence_once().await.unwrap();
    assert!(world.flags().await.is_empty(), "21 hours are no day");
    world.set_now(&time(34));
    watch.run_silence_once().await.unwrap();
    let flag = world.open_flag(Hazard::NoData, Scope::Well, "W1").await.expect("silent");
    assert_eq!(flag.raised_at, at(&time(9 + 24)));
    assert_eq!((flag.rule.as_str(), flag.limit_value, flag.observed), ("silence_well", Some(24.0), Some(25.0)));
    assert!(flag.detail_th.contains("ผู้ดูแลระบบบ่อ") && flag.headline_th.starts_with("ไม่มีข้อมูล"));
    assert!(!no_data(&world, Scope::Province, "30").await, "one of three");
    world.set_now(&time(35));
    speaks(&world, "W1", "W1", 34..35);
    watch.run_silence_once().await.unwrap();
    assert!(!no_data(&world, Scope::Well, "W1").await);
    let last = world.transitions(&flag.id).await.pop().unwrap();
    assert!(last.evidence.contains("data_resumed"), "{}", last.evidence);
    expect_test::expect_file!["messages/no_data_well.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn a_gateway_stands_for_its_wells_and_a_province_hears_of_more_than_half() {
    let names = ["W1", "W2", "W3"];
    let world = World::new(names.iter().map(|name| well(name)).collect(), START);
    for name in names {
        speaks(&world, name, "gw-1", 0..10);
    }
    let watch = world.open().await;
    world.set_now(&time(40));
    speaks(&world, "W3", "gw-2", 10..40);
    watch.run_silence_once().await.unwrap();
    let flag = world.open_flag(Hazard::NoData, Scope::Gateway, "gw-1").await.expect("silent");
    assert_eq!((flag.wells_in, flag.province_code.as_str()), (2, "30"));
    assert!(!no_data(&world, Scope::Well, "W1").await, "the gateway stands for it");
    assert!(no_data(&world, Scope::Province, "30").await, "two of three");

    // The gateway itself sends again, of a well that nobody registered: its wells are silent on their own account.
    let record = GatewayRecord {
        gateway_id: GatewayId::new("gw-1").unwrap(),
        last_seen: Some(at(&time(40))),
        counts: GatewayCounts::default(),
        clock_offset_s: None,
        clock_zone: None,
        last_error: None,
    };
    let commit = IngestCommit { gateways: vec![record], ..IngestCommit::default() };
    world.metadata.commit_ingest(commit).await.unwrap();
    watch.run_silence_once().await.unwrap();
    assert!(!no_data(&world, Scope::Gateway, "gw-1").await);
    assert!(no_data(&world, Scope::Well, "W1").await && no_data(&world, Scope::Well, "W2").await);
    expect_test::expect_file!["messages/no_data_places.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn after_a_start_nothing_is_raised_for_an_hour() {
    let world = World::new(vec![well("W1")], START);
    speaks(&world, "W1", "gw-1", 0..10);
    world.set_now(&time(200));
    let watch = world.open().await;
    watch.run_silence_once().await.unwrap();
    assert!(world.flags().await.is_empty());
    world.set_now(&time(201));
    watch.run_silence_once().await.unwrap();
    assert!(no_data(&world, Scope::Well, "W1").await);
}

#[tokio::test]
async fn a_well_read_by_hand_may_be_silent_for_three_intervals_and_a_closed_one_for_ever() {
    let retired = Well { status: WellStatus::Inactive, ..well("old") };
    let world = World::new(vec![well("W1"), retired], START);
    speaks(&world, "old", "gw", 0..10);
    for week in 0..6 {
        world.read("W1", Parameter::DepthToWater, &time(week * 168), 5.0);
    }
    let watch = world.open().await;
    world.set_now(&time(5 * 168 + 3 * 168 - 1));
    watch.run_silence_once().await.unwrap();
    assert!(world.flags().await.is_empty());
    world.set_now(&time(5 * 168 + 3 * 168 + 1));
    watch.run_silence_once().await.unwrap();
    assert!(no_data(&world, Scope::Well, "W1").await && !no_data(&world, Scope::Well, "old").await);
}

#[tokio::test]
async fn the_drought_of_a_silent_well_goes_stale_and_comes_back_with_its_readings() {
    use gwbank_model::Month;
    let world = World::new(vec![well("W1")], "2026-12-06T00:00:00+07:00");
    for k in 0..24 {
        world.set_month("W1", Month::new(2026, 11).plus(-12 * k), Some(5.0 - f64::from(k) / 10.0)).await;
    }
    for hour in 0..10 {
        world.read_at("W1", Parameter::DepthToWater, at("2026-12-05T00:00:00+07:00").plus_secs(hour * 3600), 5.0);
    }
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let state = async || world.open_flag(Hazard::Drought, Scope::Well, "W1").await.map(|flag| flag.state);
    assert_eq!(state().await, Some(FlagState::Open));
    world.set_now("2026-12-09T00:00:00+07:00");
    watch.run_silence_once().await.unwrap();
    assert_eq!(state().await, Some(FlagState::Stale));
    // Judged again for another reason, it stays stale.
    world.set_month("W1", Month::new(2020, 11), Some(4.0)).await;
    watch.run_monthly_once().await.unwrap();
    assert_eq!(state().await, Some(FlagState::Stale));
    world.read("W1", Parameter::DepthToWater, "2026-12-09T00:00:00+07:00", 5.0);
    watch.run_silence_once().await.unwrap();
    world.set_month("W1", Month::new(2026, 12), Some(5.0)).await;
    watch.run_monthly_once().await.unwrap();
    assert_eq!(state().await, Some(FlagState::Open));
}

#[tokio::test]
async fn a_drought_of_who_has_fallen_silent_since_is_raised_and_then_stale() {
    use gwbank_model::Month;
    let world = World::new(vec![well("W1")], "2026-12-09T00:00:00+07:00");
    for hour in 0..10 {
        world.read_at("W1", Parameter::DepthToWater, at("2026-12-01T00:00:00+07:00").plus_secs(hour * 3600), 5.0);
    }
    let watch = world.open().await;
    watch.run_silence_once().await.unwrap();
    for k in 0..24 {
        world.set_month("W1", Month::new(2026, 11).plus(-12 * k), Some(5.0 - f64::from(k) / 10.0)).await;
    }
    watch.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Drought, Scope::Well, "W1").await.expect("the closed month says so");
    watch.run_silence_once().await.unwrap();
    assert_eq!(world.story(&flag.id).await, ["raised extreme", "stale extreme"]);
}
