use gwbank_model::condition::{FlagState, Hazard, Scope, Severity};
use gwbank_model::{Month, Parameter};
use gwbank_registry::{BankType, Well};
use gwbank_store::{Became, Metadata, OutboxLease, OutboxMessage, Settlement};
use gwbank_watch::{MQTT_CHANNEL, current_retained, flag_topic};
use proptest::prelude::*;

use crate::support::{World, in_district, well};

const YEARS: i32 = 24;
const NAMES: [&str; 6] = ["W1", "W2", "W3", "W4", "W5", "W6"];

fn six_wells() -> Vec<Well> {
    NAMES.iter().enumerate().map(|(i, name)| in_district(well(name), ["3001", "3002"][i % 2])).collect()
}

fn november(year: i32) -> Month {
    Month::new(year, 11)
}

/// 24 years of levels that differ from year to year, the same in each month; ends with October 2026.
async fn fill(world: &World, names: &[&str]) {
    let mut months = Vec::new();
    for name in names {
        for k in 0..YEARS * 12 {
            let month = Month::new(2026, 10).plus(-k);
            // Years in a scrambled order, all between 5 and 6 m; 2026 is a middling one.
            let scrambled = ((month.year() - 2026) * 7 + 12).rem_euclid(YEARS);
            let depth = 5.0 + f64::from(scrambled) / f64::from(YEARS);
            months.push((*name, month, Some(depth)));
        }
    }
    world.set_months(months).await;
}

/// Deeper, and less deep, than any of the years before.
const DRY: f64 = 9.0;
const WET: f64 = 4.0;

/// The depth that ranks so from below among the 24 years of [`fill`] and itself: 4 gives SGI −1.08, 2 −1.55, 1 −2.05.
fn depth_of_rank(rank: i32) -> f64 {
    6.0 - (f64::from(rank) - 0.5) / f64::from(YEARS)
}

#[tokio::test]
async fn raised_escalated_eased_and_cleared_with_hysteresis() {
    let world = World::new(six_wells(), "2026-11-06T00:00:00+07:00");
    fill(&world, &NAMES).await;
    let watch = world.open().await;
    let report = watch.run_monthly_once().await.unwrap();
    assert_eq!(report.wells, 6);
    assert_eq!(report.dirty_months, 6 * 288);
    assert!(world.open_flag(Hazard::Drought, Scope::Province, "30").await.is_none());
    let standing = watch.province_standing("30");
    assert_eq!(standing.judged.value(), Some(&None), "{standing:?}");
    assert_eq!((standing.evidence.eligible, standing.evidence.capable), (6, 6));

    // November: two of six wells at their lowest of 25 years: too few for anything.
    let n1 = november(2026);
    for (i, name) in NAMES.iter().enumerate() {
        world.set_month(name, n1, Some(if i < 2 { DRY } else { WET })).await;
    }
    let report = watch.run_monthly_once().await.unwrap();
    assert_eq!(report.flag_changes, 0, "an open month raises nothing");
    let row = world.indicator("W1", "sgi", n1).await.unwrap();
    assert_eq!(row.class.as_deref(), Some("preliminary"));
    world.set_now("2026-12-05T00:00:00+07:00");
    watch.run_monthly_once().await.unwrap();
    let w1 = world.open_flag(Hazard::Drought, Scope::Well, "W1").await.unwrap();
    assert_eq!((w1.severity, w1.rule.as_str()), (Severity::Extreme, "drought_sgi"));
    assert!(w1.observed.unwrap() < -2.0);
    assert!(world.open_flag(Hazard::Drought, Scope::Well, "W3").await.is_none());
    assert!(world.open_flag(Hazard::Drought, Scope::Province, "30").await.is_none());
    assert_eq!(world.indicator("W1", "sgi", n1).await.unwrap().class.as_deref(), Some("extremely_low"));
    // The month that raised it, and when the water fell below its season: here the same.
    for told in ["November 2026, the month whose closed levels raised it", "of its season since November 2026"] {
        assert!(w1.detail_en.contains(told), "{}", w1.detail_en);
    }
    for told in ["ตั้งแต่เดือนพฤศจิกายน 2569 ซึ่งระดับน้ำของเดือนที่ปิดแล้วเข้าเกณฑ์", "ติดต่อ"]
    {
        assert!(w1.detail_th.contains(told), "{}", w1.detail_th);
    }

    // December: five of six.
    let n2 = n1.plus(1);
    for (i, name) in NAMES.iter().enumerate() {
        world.set_month(name, n2, Some(if i < 5 { DRY } else { WET })).await;
    }
    world.set_now("2027-01-05T00:00:00+07:00");
    watch.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Drought, Scope::Province, "30").await.unwrap();
    assert_eq!((flag.severity, flag.wells_in, flag.wells_out), (Severity::Extreme, 5, 1));
    assert_eq!(flag.raised_at, crate::support::at("2027-01-05T00:00:00+07:00"));
    assert_eq!(flag.id, format!("drought-province-30-{}", flag.raised_at.as_secs()));
    assert!(flag.headline_th.contains("ระดับน้ำใต้ดินต่ำกว่าปกติ") && flag.headline_th.contains("นครราชสีมา"));
    assert!(flag.headline_en.contains("5 of 6 wells"));
    assert!(world.open_flag(Hazard::Drought, Scope::District, "3001").await.is_none(), "three wells are no district");

    // January and February: all wet. One month eases and does not clear.
    let mut severities = Vec::new();
    for k in 2..4 {
        for name in NAMES {
            world.set_month(name, n1.plus(k), Some(WET)).await;
        }
        world.set_now(&format!("2027-0{}-05T00:00:00+07:00", k));
        watch.run_monthly_once().await.unwrap();
        severities.push(world.open_flag(Hazard::Drought, Scope::Province, "30").await.map(|f| f.severity));
    }
    assert_eq!(severities, [Some(Severity::Watch), None]);
    assert_eq!(world.story(&flag.id).await, ["raised extreme", "eased watch", "cleared watch"]);
    let transitions = world.transitions(&flag.id).await;
    assert!(transitions[2].evidence.contains("two_months_beyond_exit"), "{}", transitions[2].evidence);
    assert!(world.open_flag(Hazard::Drought, Scope::Well, "W1").await.is_none());
    expect_test::expect_file!["messages/drought.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn escalates_and_eases_as_shares_change() {
    let world = World::new(six_wells(), "2026-11-06T00:00:00+07:00");
    fill(&world, &NAMES).await;
    let watch = world.open().await;
    let mut severities = Vec::new();
    // The rank among 25 years that half of the wells take: 4 is moderate, 2 severe, 12 normal.
    for (k, rank) in [4, 2, 4, 4, 12, 12].into_iter().enumerate() {
        let month = november(2026).plus(k as i32);
        for (i, name) in NAMES.iter().enumerate() {
            world.set_month(name, month, Some(depth_of_rank(if i < 3 { rank } else { 12 }))).await;
        }
        world.clock.set_micros(world.config.closing.closes_at(month).as_micros());
        watch.run_monthly_once().await.unwrap();
        severities.push(world.open_flag(Hazard::Drought, Scope::Province, "30").await.map(|f| f.severity));
    }
    use Severity::{Severe, Watch};
    assert_eq!(severities, [Some(Watch), Some(Severe), Some(Watch), Some(Watch), Some(Watch), None]);
    let flag = world.flags().await.into_iter().find(|f| f.scope == Scope::Province).unwrap();
    assert_eq!(flag.state, FlagState::Closed);
    assert_eq!(world.story(&flag.id).await, ["raised watch", "escalated severe", "eased watch", "cleared watch"]);
}

#[tokio::test]
async fn a_well_escalates_and_eases() {
    let world = World::new(vec![well("W1")], "2026-11-06T00:00:00+07:00");
    fill(&world, &["W1"]).await;
    let watch = world.open().await;
    let mut found = Vec::new();
    for (k, rank) in [4, 2, 4, 4, 12, 12].into_iter().enumerate() {
        let month = november(2026).plus(k as i32);
        world.set_month("W1", month, Some(depth_of_rank(rank))).await;
        world.clock.set_micros(world.config.closing.closes_at(month).as_micros());
        watch.run_monthly_once().await.unwrap();
        found.push(world.open_flag(Hazard::Drought, Scope::Well, "W1").await.map(|f| f.severity));
    }
    use Severity::{Severe, Warning, Watch};
    assert_eq!(found, [Some(Warning), Some(Severe), Some(Warning), Some(Warning), Some(Watch), None]);
    let flag = world.flags().await.remove(0);
    let story = ["raised warning", "escalated severe", "eased warning", "eased watch", "cleared watch"];
    assert_eq!(world.story(&flag.id).await, story);
}

#[tokio::test]
async fn late_data_cancels_with_the_reason_and_raises_again() {
    let world = World::new(vec![well("W1")], "2026-12-06T00:00:00+07:00");
    fill(&world, &["W1"]).await;
    world.set_month("W1", november(2026), Some(DRY)).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Drought, Scope::Well, "W1").await.unwrap();

    world.set_now("2026-12-10T00:00:00+07:00");
    world.set_month("W1", november(2026), Some(WET)).await;
    watch.run_monthly_once().await.unwrap();
    assert!(world.open_flag(Hazard::Drought, Scope::Well, "W1").await.is_none());
    let last = world.transitions(&flag.id).await.pop().unwrap();
    assert!(last.evidence.contains(r#""reason":"late_data""#), "{}", last.evidence);

    world.set_now("2026-12-11T00:00:00+07:00");
    world.set_month("W1", november(2026), Some(DRY)).await;
    watch.run_monthly_once().await.unwrap();
    let again = world.open_flag(Hazard::Drought, Scope::Well, "W1").await.unwrap();
    assert_eq!((again.id.as_str(), again.closed_at), (flag.id.as_str(), None));
    expect_test::expect_file!["messages/drought_cancelled.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn a_restart_continues_open_flags() {
    let world = World::new(vec![well("W1")], "2026-12-06T00:00:00+07:00");
    fill(&world, &["W1"]).await;
    world.set_month("W1", november(2026), Some(DRY)).await;
    world.open().await.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Drought, Scope::Well, "W1").await.unwrap();

    let report = world.open().await.run_monthly_once().await.unwrap();
    // A subdistrict, a district and a province × 12 months × 5 indicators are written again; no row of the well differs from what is stored.
    assert_eq!((report.rows, report.flag_changes, report.dirty_months), (180, 0, 0));

    world.set_month("W1", november(2026).plus(1), Some(WET)).await;
    world.set_now("2027-01-05T00:00:00+07:00");
    world.open().await.run_monthly_once().await.unwrap();
    world.set_month("W1", november(2026).plus(2), Some(WET)).await;
    world.set_now("2027-02-05T00:00:00+07:00");
    world.open().await.run_monthly_once().await.unwrap();
    assert_eq!(world.story(&flag.id).await, ["raised extreme", "eased watch", "cleared watch"]);
}

#[tokio::test]
async fn a_month_without_data_makes_stale_and_clears_nothing() {
    let world = World::new(vec![well("W1")], "2026-12-06T00:00:00+07:00");
    fill(&world, &["W1"]).await;
    world.set_month("W1", november(2026), Some(DRY)).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    for now in ["2027-01-05T00:00:00+07:00", "2027-02-05T00:00:00+07:00", "2027-03-05T00:00:00+07:00"] {
        world.set_now(now);
        watch.run_monthly_once().await.unwrap();
    }
    let flag = world.open_flag(Hazard::Drought, Scope::Well, "W1").await.unwrap();
    assert_eq!(flag.state, FlagState::Stale);
    assert_eq!(world.story(&flag.id).await, ["raised extreme", "stale extreme"]);
    world.set_month("W1", Month::new(2027, 3), Some(DRY)).await;
    world.set_now("2027-04-05T00:00:00+07:00");
    watch.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Drought, Scope::Well, "W1").await.unwrap();
    assert_eq!(flag.state, FlagState::Open);
    expect_test::expect_file!["messages/drought_stale.txt"].assert_eq(&world.told().await);
}

#[tokio::test]
async fn smaller_places_and_aquifers_have_numbers_and_no_flags() {
    let mut wells = six_wells();
    for well in &mut wells {
        well.subdistrict_code = None;
        well.lao_code = Some("6300101".to_owned());
        well.aquifer = Some("Chi River gravel".to_owned());
    }
    wells[5].lao_code = None;
    wells[5].province_code = "31".to_owned();
    wells[5].district_code = Some("3101".to_owned());
    let world = World::new(wells, "2026-11-06T00:00:00+07:00");
    fill(&world, &NAMES).await;
    for name in NAMES {
        world.set_month(name, Month::new(2026, 10), Some(DRY)).await;
    }
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let october = Month::new(2026, 10);
    let aquifer = world.indicator("Chi River gravel", "sgi", october).await.unwrap();
    assert_eq!((aquifer.scope, aquifer.class.as_deref(), aquifer.n), (Scope::Aquifer, Some("extreme"), Some(6)));
    assert!(aquifer.province_code.is_empty(), "it lies in two");
    let lao = world.indicator("6300101", "sgi", october).await.unwrap();
    assert_eq!((lao.scope, lao.class.as_deref(), lao.n), (Scope::Lao, Some("extreme"), Some(5)), "of one province");
    let elsewhere = world.indicator("31", "sgi", october).await.unwrap();
    assert_eq!(elsewhere.value, None, "one well is no province");
    assert!(
        world.flags().await.iter().all(|flag| matches!(flag.scope, Scope::Well | Scope::District | Scope::Province))
    );
}

#[tokio::test]
async fn a_short_record_is_said_to_be_short() {
    let world = World::new(six_wells(), "2026-11-06T00:00:00+07:00");
    for name in NAMES {
        for k in 0..36 {
            world.set_month(name, Month::new(2026, 10).plus(-k), Some(5.0 + f64::from(k))).await;
        }
    }
    world.set_dry("W2", Month::new(2026, 10)).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    assert!(world.flags().await.is_empty());
    let standing = watch.province_standing("30");
    assert_eq!((standing.judged.value(), standing.class()), (None, "insufficient_record"));
    assert!(standing.text_en.starts_with("record too short to judge drought"), "{}", standing.text_en);
    assert!(standing.text_th.starts_with("บันทึกยังสั้น ยังประเมินภัยแล้งไม่ได้"), "{}", standing.text_th);
    assert_eq!(standing.evidence.dry, 1);
    assert_eq!(standing.change_since_last_year_m, Some(12.0));
    let row = world.indicator("30", "sgi", Month::new(2026, 10)).await.unwrap();
    assert_eq!((row.value, row.class.as_deref()), (None, Some("insufficient_record")));
    let row = world.indicator("W1", "sgi", Month::new(2026, 10)).await.unwrap();
    assert_eq!((row.value, row.class.as_deref(), row.n), (None, Some("insufficient_record"), Some(3)));
    assert!(world.indicator("W1", "position_index", Month::new(2026, 10)).await.unwrap().value.is_some());
    assert_eq!(
        world.indicator("W2", "percentile", Month::new(2026, 10)).await.unwrap().class.as_deref(),
        Some("insufficient_record")
    );
    let unknown = watch.province_standing("50");
    assert!(unknown.judged.value().is_none() && unknown.text_th.contains("ยังประเมินภัยแล้งไม่ได้"));
}

#[tokio::test]
async fn beside_a_short_record_stand_the_rain_and_the_wells_nearby() {
    let of_chi = |name: &str| Well { aquifer: Some("Chi River gravel".into()), ..well(name) };
    // Loei, then Khon Kaen, both north of Nakhon Ratchasima.
    let reference = |name: &str, province: &str, latitude, longitude| Well {
        province_code: province.into(),
        district_code: None,
        subdistrict_code: None,
        latitude: Some(latitude),
        longitude: Some(longitude),
        ..of_chi(name)
    };
    let other_aquifer = Well { province_code: "40".into(), aquifer: Some("Phu Kradung".into()), ..well("other") };
    let wells =
        vec![of_chi("W1"), reference("far", "42", 17.5, 101.7), reference("near", "40", 16.4, 102.8), other_aquifer];
    let world = World::new(wells, "2026-11-06T00:00:00+07:00");
    fill(&world, &["far", "near", "other"]).await;
    world.set_month("near", Month::new(2026, 10), Some(DRY)).await;
    for k in 0..36 {
        world.set_month("W1", Month::new(2026, 10).plus(-k), Some(5.0 + f64::from(k))).await;
    }
    crate::record::fill(&world, "W1", Parameter::Rainfall, Month::new(2003, 1), Month::new(2026, 10)).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let standing = watch.province_standing("30");
    let spi = world.indicator("W1", "spi_3", Month::new(2026, 10)).await.unwrap().value;
    assert_eq!(standing.rain.map(|rain| (Some(rain.spi_3), rain.gauges)), Some((spi, 1)));
    let named: Vec<_> = standing.reference_wells.iter().map(|own| (own.well_id.as_str(), own.class.name())).collect();
    assert_eq!(named, [("near", "extreme"), ("far", "none")]);
    let (en, th) = (&standing.text_en, &standing.text_th);
    assert!(en.starts_with("record too short to judge drought; 0 of 1 well dry in October 2026; +12.00 m"), "{en}");
    assert!(en.contains("; rain of three months: SPI ") && en.contains(" (1 gauge)"), "{en}");
    assert!(en.contains("nearest reference wells of the same aquifer: near (Khon Kaen, ") && en.contains("far (Loei"));
    assert!(th.contains("บ่ออ้างอิงในชั้นน้ำเดียวกันที่ใกล้ที่สุด: near (จังหวัดขอนแก่น ห่าง "), "{th}");
    assert!(th.contains("ฝนสามเดือน: SPI ") && !th.contains("extreme"), "{th}");
    // A province that can be judged, or is not known, names none.
    assert!(watch.province_standing("50").reference_wells.is_empty());
}

#[tokio::test]
async fn closed_and_influenced_wells_stay_out() {
    let mut wells = six_wells();
    wells[0].bank_type = BankType::Closed;
    wells[1].influenced = true;
    wells[2].bank_type = BankType::Open;
    let world = World::new(wells, "2026-12-06T00:00:00+07:00");
    fill(&world, &NAMES).await;
    for name in NAMES {
        world.set_month(name, november(2026), Some(DRY)).await;
    }
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    for name in &NAMES[..3] {
        assert!(world.open_flag(Hazard::Drought, Scope::Well, name).await.is_none(), "{name}");
    }
    assert!(world.open_flag(Hazard::Drought, Scope::Well, "W4").await.is_some());
    assert_eq!(watch.province_standing("30").evidence.capable, 3);
    assert!(world.metadata.indicators(Some("W1")).await.unwrap().is_empty(), "a closed bank has no standing");
    assert!(world.indicator("W2", "sgi", november(2026)).await.unwrap().value.is_some());
    assert!(world.metadata.dirty_months(10).await.unwrap().is_empty(), "marks of closed banks are settled too");
}

/// Hours of a day in October 2026 at which a well sent something.
fn sends(world: &World, well: &str, parameter: Parameter) {
    for hour in 0..3 {
        world.read(well, parameter, &format!("2026-10-10T{hour:02}:00:00+07:00"), 1.0);
    }
}

#[tokio::test]
async fn a_well_that_measures_no_level_stands_in_no_denominator() {
    use Parameter::{BatteryVoltage, Rainfall, SpecificConductance, WaterPressureAbsolute};
    let mut wells = six_wells();
    for name in ["RAIN", "SALT", "SILENT", "BATTERY", "PRESSURE"] {
        wells.push(in_district(well(name), "3001"));
    }
    let world = World::new(wells, "2026-11-06T00:00:00+07:00");
    fill(&world, &NAMES).await;
    for (name, parameter) in [
        ("RAIN", Rainfall),
        ("SALT", SpecificConductance),
        ("BATTERY", BatteryVoltage),
        ("PRESSURE", WaterPressureAbsolute),
    ] {
        sends(&world, name, parameter);
    }
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let evidence = watch.province_standing("30").evidence;
    assert_eq!((evidence.eligible, evidence.capable), (6, 9), "neither RAIN nor SALT");
    assert_eq!(watch.explain_place(Scope::Province, "30", None).evidence, evidence);
    let coverage = world.indicator("30", "drought_coverage", Month::new(2026, 10)).await.unwrap();
    assert_eq!((coverage.value, coverage.n), (Some(6.0 / 9.0), Some(6)));
    assert_eq!(world.open().await.province_standing("30").evidence.capable, 0, "not judged yet");

    // What it sends decides, whenever it comes; and a new process says the same.
    sends(&world, "SILENT", Rainfall);
    sends(&world, "RAIN", Parameter::DistanceToWater);
    let days = [(Month::new(2026, 10).first_day(), 1.0)];
    world.set_days("SILENT", Rainfall, days).await;
    watch.run_monthly_once().await.unwrap();
    let again = world.open().await;
    again.run_monthly_once().await.unwrap();
    for watch in [&watch, &again] {
        assert_eq!(watch.province_standing("30").evidence.capable, 9);
    }
}

#[tokio::test]
async fn rows_of_a_place_tell_the_shares_that_decide() {
    let world = World::new(six_wells(), "2026-12-06T00:00:00+07:00");
    fill(&world, &NAMES).await;
    // Ranks among 25 years: two wells extreme, one severe, one moderate, two normal.
    for (name, rank) in NAMES.into_iter().zip([1, 1, 2, 4, 12, 12]) {
        world.set_month(name, november(2026), Some(depth_of_rank(rank))).await;
    }
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let row = async |place: &str, name: &str| world.indicator(place, name, november(2026)).await.unwrap();
    let sgi = row("30", "sgi").await;
    assert_eq!((sgi.class.as_deref(), sgi.n), (Some("extreme"), Some(6)));
    for (name, wells) in [("moderate", 4.0), ("severe", 3.0), ("extreme", 2.0)] {
        let share = row("30", &format!("drought_share_{name}")).await;
        assert_eq!((share.value, share.class, share.n), (Some(wells / 6.0), None, Some(6)), "{name}");
    }
    assert_eq!(row("30", "drought_coverage").await.value, Some(1.0));
    // Three wells are no district: no share is told, and coverage is.
    let short = row("3001", "drought_share_severe").await;
    assert_eq!((short.value, short.class.as_deref()), (None, Some("insufficient_wells")));
    let coverage = row("3001", "drought_coverage").await;
    assert_eq!((coverage.value, coverage.class.as_deref()), (Some(1.0), Some("insufficient_wells")));
}

#[tokio::test]
async fn every_change_owes_a_retained_message() {
    let world = World::new(vec![well("W1")], "2026-12-06T00:00:00+07:00");
    fill(&world, &["W1"]).await;
    world.set_month("W1", november(2026), Some(DRY)).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let flag = world.open_flag(Hazard::Drought, Scope::Well, "W1").await.unwrap();
    assert_eq!(flag_topic(&flag), "gwbank/v1/flags/30/drought/well/W1");
    let retained = current_retained(&watch.open_flags());
    assert_eq!(retained.len(), 1);

    world.set_now("2026-12-07T00:00:00+07:00");
    let acknowledged = watch.acknowledge(&flag.id, "officer", world.now()).await.unwrap();
    assert_eq!(acknowledged.acknowledged_by.as_deref(), Some("officer"));
    assert!(watch.acknowledge("nothing", "officer", world.now()).await.is_err());
    world.set_now("2026-12-08T00:00:00+07:00");
    world.set_month("W1", november(2026), Some(WET)).await;
    watch.run_monthly_once().await.unwrap();

    let mut messages: Vec<OutboxMessage> = Vec::new();
    loop {
        let now = world.now();
        let (channel, holder) = (MQTT_CHANNEL.to_owned(), "courier".to_owned());
        let lease = OutboxLease { channel, holder, now, until: now.plus_secs(60), limit: 10 };
        let owed = world.metadata.lease_outbox(lease).await.unwrap();
        // One at a time, as they are of one topic.
        let [owed] = &owed[..] else { break };
        messages.push(owed.message.clone());
        let settled = Settlement {
            idempotency_key: owed.message.idempotency_key.clone(),
            at: now,
            became: Became::Delivered,
            detail: String::new(),
        };
        world.metadata.settle_outbox(vec![settled]).await.unwrap();
    }
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| message.target == "gwbank/v1/flags/30/drought/well/W1"));
    let body: serde_json::Value = serde_json::from_slice(&messages[0].body).unwrap();
    assert_eq!((body["severity"].as_str(), body["state"].as_str()), (Some("extreme"), Some("open")));
    assert!(messages[2].body.is_empty(), "the retained message of a closed flag is taken away");
    assert_eq!(world.story(&flag.id).await, ["raised extreme", "acknowledged extreme", "cancelled extreme"]);
}

/// Months in any order, with runs in between, end at the rows and open flags of one run over everything.
fn order_is_of_no_consequence(order: Vec<u32>, runs: Vec<usize>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    runtime.block_on(async {
        let names = &NAMES[..2];
        let depth = |well: usize, k: i32| 5.0 + f64::from((k * 37 + well as i32 * 11).rem_euclid(29)) / 10.0;
        let mut months: Vec<(u32, usize, i32)> =
            order.iter().enumerate().map(|(i, &key)| (key, i % 2, i as i32 / 2)).collect();
        let wells = || names.iter().map(|name| well(name)).collect::<Vec<Well>>();

        let once = World::new(wells(), "2026-12-06T00:00:00+07:00");
        let all = months.iter().map(|&(_, w, k)| (names[w], november(2026).plus(-k), Some(depth(w, k))));
        once.set_months(all.collect::<Vec<_>>()).await;
        once.open().await.run_monthly_once().await.unwrap();

        months.sort_unstable();
        let world = World::new(wells(), "2026-12-06T00:00:00+07:00");
        let mut watch = world.open().await;
        for (i, &(_, w, k)) in months.iter().enumerate() {
            world.set_month(names[w], november(2026).plus(-k), Some(depth(w, k))).await;
            if runs.contains(&i) {
                watch.run_monthly_once().await.unwrap();
            }
            if runs.contains(&(i + 7)) {
                watch = world.open().await;
            }
        }
        watch.run_monthly_once().await.unwrap();
        prop_assert_eq!(world.indicators().await, once.indicators().await);
        let open = |flags: Vec<gwbank_store::ConditionFlag>| -> Vec<(String, Severity)> {
            flags.into_iter().filter(|f| f.state == FlagState::Open).map(|f| (f.id, f.severity)).collect()
        };
        prop_assert_eq!(open(world.flags().await), open(once.flags().await));
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds()))]
    #[test]
    fn order_of_arrival_leaves_no_trace(
        order in proptest::collection::vec(any::<u32>(), 2 * 12 * 12),
        runs in proptest::collection::vec(0usize..300, 0..6),
    ) {
        order_is_of_no_consequence(order, runs)?;
    }
}

fn rounds() -> u32 {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(8)
}
