//! A flag's life: what holds it, what takes it back, and what no sequence of inputs may do.

use std::collections::BTreeMap;

use gwbank_model::condition::{FlagState, Hazard, Scope, Severity, Transition};
use gwbank_model::{Month, Timestamp};
use gwbank_notice::Notice;
use gwbank_registry::office::{Channel, Contact, Office, OfficeLevel, Offices};
use gwbank_store::{Drill, DrillKind, FlagAction, Hold, HoldKind, Metadata};
use gwbank_watch::{Act, Watch};
use proptest::prelude::*;

use crate::support::{World, at, well, write};

const NOW: &str = "2026-12-06T00:00:00+07:00";

/// A well with limits at half a metre and a metre.
fn with_limits(name: &str) -> gwbank_registry::Well {
    gwbank_registry::Well { flood_warning_depth: Some(1.0), flood_danger_depth: Some(0.5), ..well(name) }
}

fn hour(hours: f64) -> String {
    at(NOW).plus_micros((hours * 3.6e9) as i64).to_rfc3339(25_200)
}

async fn flag(world: &World, name: &str) -> Option<gwbank_store::ConditionFlag> {
    world.open_flag(Hazard::Flood, Scope::Well, name).await
}

fn act(action: FlagAction, by: &str, text: Option<&str>) -> Act {
    Act { action, by: by.to_owned(), via: "link".to_owned(), text: text.map(str::to_owned), ..Act::default() }
}

fn hold(kind: HoldKind, place: &str, from: &str, until: &str) -> Hold {
    Hold {
        hold_id: format!("{kind}-{place}"),
        kind,
        hazard: None,
        scope: Scope::Well,
        place: place.to_owned(),
        from: at(from),
        until: Some(at(until)),
        severity: None,
        reason: "the pump is tried".to_owned(),
        by: "admin".to_owned(),
        created_at: at(from),
        ended_at: None,
        ended_by: None,
    }
}

async fn raised(name: &str) -> (World, Watch) {
    let world = World::new(vec![with_limits(name)], NOW);
    let watch = world.open().await;
    world.depth(&watch, name, &hour(0.0), 0.4).await;
    world.depth(&watch, name, &hour(0.5), 0.4).await;
    assert_eq!(flag(&world, name).await.unwrap().severity, Severity::Severe);
    (world, watch)
}

#[tokio::test]
async fn what_people_do_is_kept_with_their_names() {
    let (world, watch) = raised("W1").await;
    let id = flag(&world, "W1").await.unwrap().id;
    let seen = watch.act(&id, act(FlagAction::Acknowledged, "สมชาย", Some("จะไปดู")), at(&hour(0.6))).await.unwrap();
    assert_eq!(seen.acknowledged_by.as_deref(), Some("สมชาย"));
    let again = watch.act(&id, act(FlagAction::Acknowledged, "somsri", None), at(&hour(0.7))).await.unwrap();
    assert_eq!(again.acknowledged_by.as_deref(), Some("สมชาย"), "the first one stays");
    assert!(watch.act(&id, act(FlagAction::Commented, "x", Some("  ")), at(&hour(0.7))).await.is_err());
    watch.act(&id, act(FlagAction::Commented, "somsri", Some("the drain is clear")), at(&hour(0.8))).await.unwrap();
    assert!(watch.act(&id, act(FlagAction::Cancelled, "somsri", None), at(&hour(0.8))).await.is_err(), "no reason");
    let notes = world.metadata.flag_notes(Some(&id)).await.unwrap();
    let told: Vec<_> = notes.iter().map(|note| (note.action, note.by.as_str(), note.text.as_deref())).collect();
    use FlagAction::{Acknowledged, Commented};
    assert_eq!(
        told,
        [
            (Acknowledged, "สมชาย", Some("จะไปดู")),
            (Acknowledged, "somsri", None),
            (Commented, "somsri", Some("the drain is clear")),
        ]
    );
}

#[tokio::test]
async fn a_flag_that_was_taken_back_comes_again_only_worse_or_after_its_end() {
    let (world, watch) = raised("W1").await;
    let first = flag(&world, "W1").await.unwrap();
    let cancelled = act(FlagAction::Cancelled, "office", Some("the sensor hung in the pipe"));
    let closed = watch.act(&first.id, cancelled, at(&hour(0.6))).await.unwrap();
    assert_eq!(closed.state, FlagState::Closed);
    let last = world.transitions(&first.id).await.pop().unwrap();
    assert_eq!(last.transition, Transition::Cancelled);
    assert!(last.evidence.contains("the sensor hung in the pipe"), "{}", last.evidence);
    world.depth(&watch, "W1", &hour(1.0), 0.4).await;
    world.depth(&watch, "W1", &hour(1.5), 0.4).await;
    assert!(flag(&world, "W1").await.is_none(), "as bad as before");
    // A restart keeps it.
    let watch = world.open().await;
    world.depth(&watch, "W1", &hour(2.0), 0.4).await;
    assert!(flag(&world, "W1").await.is_none());
    world.depth(&watch, "W1", &hour(2.5), -0.1).await;
    world.depth(&watch, "W1", &hour(3.0), -0.1).await;
    assert_eq!(flag(&world, "W1").await.expect("worse").severity, Severity::Extreme);
    let ended = world.metadata.flag_holds().await.unwrap();
    assert_eq!(ended[0].ended_at, Some(at(&hour(2.5))).or(ended[0].ended_at));
    assert!(ended[0].ended_at.is_some());
}

#[tokio::test]
async fn nothing_is_raised_in_a_suppression_and_what_stands_stays() {
    let world = World::new(vec![with_limits("W1")], NOW);
    let watch = world.open().await;
    watch.hold(hold(HoldKind::Suppression, "W1", NOW, &hour(2.0))).await.unwrap();
    world.depth(&watch, "W1", &hour(0.0), 0.4).await;
    world.depth(&watch, "W1", &hour(0.5), 0.4).await;
    assert!(flag(&world, "W1").await.is_none());
    world.depth(&watch, "W1", &hour(2.5), 0.4).await;
    assert!(flag(&world, "W1").await.is_some(), "it is over");
    let district = Hold { scope: Scope::District, ..hold(HoldKind::Suppression, "3001", &hour(2.6), &hour(9.0)) };
    watch.hold(Hold { hold_id: "d".to_owned(), ..district }).await.unwrap();
    world.depth(&watch, "W1", &hour(3.0), -0.2).await;
    world.depth(&watch, "W1", &hour(3.5), -0.2).await;
    assert_eq!(flag(&world, "W1").await.unwrap().severity, Severity::Severe, "it lies there");
    let aquifer = Hold { scope: Scope::Aquifer, ..hold(HoldKind::Suppression, "Qfd", NOW, &hour(2.0)) };
    assert!(watch.hold(aquifer).await.is_err());
}

#[tokio::test]
async fn a_well_under_maintenance_counts_nowhere_and_its_flag_goes_stale() {
    let (world, watch) = raised("W1").await;
    assert!(world.open_flag(Hazard::Flood, Scope::District, "3001").await.is_some());
    watch.hold(hold(HoldKind::Maintenance, "W1", &hour(0.6), &hour(30.0))).await.unwrap();
    world.set_now(&hour(0.7));
    watch.run_stale_once().await.unwrap();
    assert_eq!(flag(&world, "W1").await.unwrap().state, FlagState::Stale);
    world.set_now(&hour(29.0));
    watch.run_silence_once().await.unwrap();
    assert!(world.open_flag(Hazard::NoData, Scope::Well, "W1").await.is_none(), "nobody asks why it is silent");
    world.depth(&watch, "W1", &hour(30.5), 0.4).await;
    assert_eq!(flag(&world, "W1").await.unwrap().state, FlagState::Open);
    let district = Hold { scope: Scope::District, ..hold(HoldKind::Maintenance, "3001", NOW, &hour(1.0)) };
    assert!(watch.hold(district).await.is_err(), "of single wells");
}

#[tokio::test]
async fn the_same_month_with_other_numbers_is_an_update() {
    let world = World::new(vec![well("W1")], NOW);
    let month = |k: i32| Month::new(2026, 11).plus(-k);
    let levels: Vec<_> = (1..360).map(|k| ("W1", month(k), Some(5.0 + f64::from(k % 29) / 10.0))).collect();
    world.set_months(levels).await;
    world.set_month("W1", month(0), Some(20.0)).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Drought, Scope::Well, "W1").await.expect("raised");
    world.set_now("2026-12-07T00:00:00+07:00");
    world.set_month("W1", month(0), Some(7.75)).await;
    watch.run_monthly_once().await.unwrap();
    let story = world.story(&flag.id).await;
    let last = world.transitions(&flag.id).await.pop().unwrap();
    assert!(last.evidence.contains("late_data"), "{story:?} {}", last.evidence);
}

#[tokio::test]
async fn a_drill_reaches_who_takes_part_and_raises_nothing() {
    let world = World::new(vec![with_limits("W1")], NOW);
    let office = Office {
        office_id: "korat".to_owned(),
        level: OfficeLevel::Province,
        place_code: Some("30".to_owned()),
        name: "Korat".to_owned(),
        name_th: None,
        phone: None,
        messages_per_minute: None,
    };
    let contact = |id: &str, drills: bool| Contact {
        address: Some("a@example.org".to_owned()),
        drills,
        ..Contact::new(id, "korat", Channel::Email)
    };
    let offices = Offices::new([office], [contact("ready", true), contact("other", false)]);
    assert!(world.metadata.put_offices(offices, 0, at(NOW)).await.unwrap());
    let watch = world.open().await;
    let drill = Drill {
        drill_id: "d1".to_owned(),
        kind: DrillKind::Exercise,
        hazard: Hazard::Flood,
        severity: Severity::Extreme,
        scope: Scope::Province,
        place: "30".to_owned(),
        province_code: "30".to_owned(),
        at: at(NOW),
        by: "admin".to_owned(),
    };
    assert_eq!(watch.drill(drill.clone()).await.unwrap(), 1);
    assert_eq!(watch.drill(drill).await.unwrap(), 1);
    let told = world.metadata.deliveries(None).await.unwrap();
    assert_eq!(told.len(), 1, "once");
    assert_eq!(told[0].contact_id.as_deref(), Some("ready"));
    assert!(world.metadata.flags(false).await.unwrap().is_empty());
    expect_test::expect_file!["messages/drill.txt"].assert_eq(&owed(&world, NOW).await);
}

/// What is owed by mail, as it is told.
async fn owed(world: &World, now: &str) -> String {
    let lease = gwbank_store::OutboxLease {
        channel: "email".to_owned(),
        holder: "x".to_owned(),
        now: at(now),
        until: at(now).plus_secs(60),
        limit: 10,
    };
    let mut told = String::new();
    for owed in world.metadata.lease_outbox(lease).await.unwrap() {
        write(&mut told, &Notice::from_bytes(&owed.message.body).unwrap());
    }
    told
}

#[derive(Debug, Clone)]
enum Step {
    Depth { minutes: i64, centimetres: i32 },
    Wait { minutes: i64 },
    Silence,
    Late { minutes_ago: i64, centimetres: i32 },
    Acknowledge,
    Cancel,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1i64..240, -30i32..200).prop_map(|(minutes, centimetres)| Step::Depth { minutes, centimetres }),
        3 => (1i64..600).prop_map(|minutes| Step::Wait { minutes }),
        1 => Just(Step::Silence),
        2 => (1i64..300, -30i32..200).prop_map(|(minutes_ago, centimetres)| Step::Late { minutes_ago, centimetres }),
        1 => Just(Step::Acknowledge),
        1 => Just(Step::Cancel),
        1 => Just(Step::Restart),
    ]
}

/// Whatever comes: one open flag a key, every transition with its evidence and its message, and nothing that got worse gets
/// better within the shortest time of its hazard, unless it is taken back with a reason.
async fn no_sequence_breaks_the_rules(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let world = World::new(vec![with_limits("W1"), with_limits("W2")], NOW);
    let mut watch = world.open().await;
    let mut now = at(NOW);
    for step in steps {
        let text = |time: Timestamp| time.to_rfc3339(25_200);
        match step {
            Step::Depth { minutes, centimetres } => {
                now = now.plus_secs(minutes * 60);
                world.set_now(&text(now));
                world.depth(&watch, "W1", &text(now), f64::from(centimetres) / 100.0).await;
            }
            Step::Late { minutes_ago, centimetres } => {
                world
                    .late_depth(&watch, "W1", &text(now.plus_secs(-minutes_ago * 60)), f64::from(centimetres) / 100.0)
                    .await;
            }
            Step::Wait { minutes } => {
                now = now.plus_secs(minutes * 60);
                world.set_now(&text(now));
                watch.run_waiting_once().await.unwrap();
                watch.run_stale_once().await.unwrap();
            }
            Step::Silence => drop(watch.run_silence_once().await.unwrap()),
            Step::Acknowledge => {
                if let Some(flag) = flag(&world, "W1").await {
                    watch.act(&flag.id, act(FlagAction::Acknowledged, "a", None), now).await.unwrap();
                }
            }
            Step::Cancel => {
                if let Some(flag) = flag(&world, "W1").await {
                    watch.act(&flag.id, act(FlagAction::Cancelled, "a", Some("no")), now).await.unwrap();
                }
            }
            Step::Restart => watch = world.open().await,
        }
        let open = world.metadata.flags(true).await.unwrap();
        let mut keys: Vec<_> = open.iter().map(|flag| (flag.hazard, flag.scope, flag.place.clone())).collect();
        let count = keys.len();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), count, "two open flags of one key");
    }
    let transitions = world.metadata.flag_transitions(None).await.unwrap();
    let told = world.metadata.deliveries(None).await.unwrap();
    let mut worse: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut stands: BTreeMap<String, bool> = BTreeMap::new();
    for transition in &transitions {
        let evidence: serde_json::Value = serde_json::from_str(&transition.evidence).unwrap();
        prop_assert!(evidence.as_object().is_some_and(|fields| !fields.is_empty()), "{transition:?}");
        let key = format!("{}-{}-{}", transition.flag_id, transition.transition.name(), transition.at.as_micros());
        prop_assert!(told.iter().any(|delivery| delivery.idempotency_key == key), "{key} is owed to nobody");
        let is_open = stands.entry(transition.flag_id.clone()).or_default();
        match transition.transition {
            Transition::Raised | Transition::Escalated => {
                *is_open = true;
                worse.insert(transition.flag_id.clone(), transition.at);
            }
            Transition::Eased | Transition::Cleared => {
                prop_assert!(*is_open, "{transition:?}");
                let since = transition.at.micros_since(worse[&transition.flag_id]);
                prop_assert!(since >= 3_600_000_000, "{:?} after {} s", transition.transition, since / 1_000_000);
                *is_open = transition.transition == Transition::Eased;
            }
            Transition::Cancelled => *is_open = false,
            Transition::WentStale | Transition::Acknowledged | Transition::Updated => prop_assert!(*is_open),
        }
    }
    Ok(())
}

fn rounds(few: u32) -> u32 {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(24), ..ProptestConfig::default() })]
    #[test]
    fn a_flags_life_keeps_its_rules(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(no_sequence_breaks_the_rules(steps))?;
    }
}

#[tokio::test]
async fn the_fleet_is_reported_once_a_day_to_who_asks_for_it() {
    let world = World::new(vec![well("W1"), well("W2"), well("W3")], "2026-12-06T05:00:00+07:00");
    let office = Office {
        office_id: "korat".to_owned(),
        level: OfficeLevel::Province,
        place_code: Some("30".to_owned()),
        name: "Korat".to_owned(),
        name_th: None,
        phone: None,
        messages_per_minute: None,
    };
    let contact = |id: &str, hazards: Vec<Hazard>| Contact {
        address: Some("a@example.org".to_owned()),
        hazards,
        ..Contact::new(id, "korat", Channel::Email)
    };
    let offices =
        Offices::new([office], [contact("operator", vec![Hazard::NoData]), contact("other", vec![Hazard::Flood])]);
    assert!(world.metadata.put_offices(offices, 0, at(NOW)).await.unwrap());
    let today = at(NOW).day(25_200);
    let day = |back: i32| gwbank_model::Day(today.0 - back);
    let level = |from: f64, pace: f64| (0..10).rev().map(move |back| (back, from - pace * f64::from(back)));
    for (name, from, pace) in [("W1", 30.0, -4.0), ("W2", 80.0, 0.0)] {
        let days = level(from, pace).map(|(back, value)| (day(back), value)).collect::<Vec<_>>();
        world.set_days(name, gwbank_model::Parameter::BatteryLevel, days).await;
    }
    let watch = world.open().await;
    assert_eq!(watch.run_fleet_once().await.unwrap(), 0, "its hour has not come");
    // Whoever asks is told at any hour, of a few minutes ago at most.
    let seen = watch.fleet().await.unwrap();
    assert_eq!((seen.len(), seen[0].province_code.as_str(), seen[0].items), (1, "30", 1), "{seen:?}");
    assert!(seen[0].text_en.contains("W1 34 %, empty in 8 days") && seen[0].text_th.contains("W1"), "{seen:?}");
    world.set_now("2026-12-06T06:10:00+07:00");
    assert_eq!(watch.run_fleet_once().await.unwrap(), 1);
    assert_eq!(watch.run_fleet_once().await.unwrap(), 0);
    // A restart makes it anew, and owes nothing twice.
    world.open().await.run_fleet_once().await.unwrap();
    let told = world.metadata.deliveries(None).await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].contact_id.as_deref(), told[0].digest.is_some()), (Some("operator"), true));
    let told = owed(&world, "2026-12-06T07:30:00+07:00").await;
    assert!(
        told.contains("Batteries running down (1): W1 34 %, empty in 8 days.") && told.contains("fleet.report"),
        "{told}"
    );
    expect_test::expect_file!["messages/fleet.txt"].assert_eq(&told);
    world.set_now("2026-12-07T06:10:00+07:00");
    assert_eq!(watch.run_fleet_once().await.unwrap(), 1, "the next day");
    let seen = watch.fleet().await.unwrap();
    let low: Vec<_> = (0..3).rev().map(|back| (gwbank_model::Day(today.0 + 1 - back), 15.0)).collect();
    world.set_days("W3", gwbank_model::Parameter::BatteryLevel, low).await;
    world.set_now("2026-12-07T06:14:59+07:00");
    assert_eq!(watch.fleet().await.unwrap(), seen);
    world.set_now("2026-12-07T06:15:01+07:00");
    assert_eq!(watch.fleet().await.unwrap()[0].items, seen[0].items + 1);
}
