use std::sync::Arc;

use gwbank_indicator::flood::FloodReading;
use gwbank_indicator::{MonthlyLevel, Sense};
use gwbank_model::condition::{Severity, Transition};

use super::*;
use crate::config::HindcastConfig;
use crate::known::WellRecord;
use crate::summary::Summary;
use crate::testing::well;

const SEPTEMBER: Month = Month::new(2026, 9);

fn time(hour: i64) -> Timestamp {
    SEPTEMBER.start(7 * 3600).plus_secs(hour * 3600)
}

fn record(id: &str, district: &str) -> WellRecord {
    let mut well = Well::clone(&well(id, "30", district));
    (well.flood_warning_depth, well.flood_danger_depth) = (Some(1.0), Some(0.5));
    WellRecord::of_months(Arc::new(well), Sense::Depth, &[])
}

/// An hour apart, from the given hour on, each received after `delay` hours.
fn hourly(first: i64, delay: i64, depths: &[f64]) -> Vec<FloodReading> {
    let reading = |(depth_m, hour): (&f64, i64)| FloodReading {
        time: time(hour),
        depth_m: *depth_m,
        received_at: time(hour + delay),
    };
    depths.iter().zip(first..).map(reading).collect()
}

fn replayed(record: &WellRecord, readings: &[FloodReading], to: Month) -> ReadingFlags {
    let config = HindcastConfig::default();
    let mut replay = FloodReplay::new((SEPTEMBER, to), &config);
    replay.add(&FloodInput { record, readings, rain: None, inflow: None });
    replay.finish()
}

fn told(flags: &ReadingFlags) -> Vec<(Transition, &str, Option<Severity>)> {
    let of_flag = |change: &FlagChange| flags.episodes.iter().find(|e| e.id == change.flag_id);
    let told = |change: &FlagChange| (change.transition, of_flag(change).map(|e| e.subject.scope), change.severity);
    flags.changes.iter().map(told).map(|(what, scope, s)| (what, scope.map_or("?", Scope::name), Some(s))).collect()
}

const FLOOD: [f64; 12] = [1.4, 0.9, 0.45, 0.4, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3];

#[test]
fn a_well_in_danger_raises_its_places_and_they_end_with_it() {
    use Transition::{Cleared, Escalated, Raised};
    let record = record("A", "3001");
    let readings = hourly(0, 0, &FLOOD);
    let found = replayed(&record, &readings, SEPTEMBER);
    let (warning, severe, watch) = (Some(Severity::Warning), Some(Severity::Severe), Some(Severity::Watch));
    let expected = [
        (Raised, "well", warning),
        (Escalated, "well", severe),
        (Raised, "district", severe),
        (Raised, "province", watch),
        (Cleared, "well", severe),
        (Cleared, "district", severe),
        (Cleared, "province", watch),
    ];
    assert_eq!(told(&found), expected);
    assert_eq!(found.episodes[0].id, format!("flood-well-A-{}", time(1).as_secs()));
    let mut summary = Summary::default();
    summary.add_flags(&found.episodes, SEPTEMBER);
    let kind = &summary.kinds[&(Hazard::Flood, Scope::District)];
    assert_eq!((kind.longest_months, kind.median_days), (1, Some(8.0 / 24.0)));
}

#[test]
fn what_came_late_raises_nothing_and_what_came_after_the_end_is_not_there() {
    let record = record("A", "3001");
    let flags = |readings: &[FloodReading], to: Month| replayed(&record, readings, to);
    assert_eq!(flags(&hourly(0, 30, &FLOOD), SEPTEMBER), ReadingFlags::default());
    let over_the_end = hourly(717, 0, &FLOOD);
    assert_eq!(flags(&over_the_end, SEPTEMBER).episodes[0].closed, None);
    assert_eq!(flags(&over_the_end, SEPTEMBER.plus(1)).episodes[0].closed, Some(SEPTEMBER.plus(1)));
    assert!(flags(&over_the_end, SEPTEMBER.plus(-1)).episodes.is_empty());
}

#[test]
fn a_record_high_is_that_of_the_seasons_known_then() {
    let months: Vec<MonthlyLevel> =
        (2022..2026).map(|year| MonthlyLevel::of(Month::new(year, 8), -2.0 + f64::from(year - 2022) / 10.0)).collect();
    let record = WellRecord::of_months(well("A", "30", "3001"), Sense::Depth, &months);
    let readings = hourly(0, 0, &[2.0, 1.75, 1.65, 1.6]);
    let found = replayed(&record, &readings, SEPTEMBER);
    // Four seasons, the highest of 2025 at 1.7 m.
    assert_eq!(found.episodes.len(), 1);
    assert_eq!((found.episodes[0].raised_at, found.episodes[0].worst), (time(2), Severity::Watch));
    assert_eq!(found.changes[0].evidence.limit, Some(1.7));
}

#[test]
fn salt_that_came_after_its_month_had_closed_was_seen_by_nobody() {
    let well = well("A", "30", "3001");
    let first = Month::new(2024, 1).start(7 * 3600);
    let readings = |late: i64| -> Vec<ReceivedValue> {
        (0..760)
            .map(|day| {
                let time = first.plus_secs(day * 86_400);
                let (value, delay) = if day < 730 { (600.0, 0) } else { (2000.0, late) };
                ReceivedValue { time, value, received_at: time.plus_secs(delay * 86_400) }
            })
            .collect()
    };
    let found = |late: i64| {
        let readings = readings(late);
        let config = HindcastConfig::default();
        let mut replay = SalinityReplay::new((Month::new(2024, 1), Month::new(2026, 1)), &config);
        replay.add(&SalinityInput { well: &well, readings: &readings, recharges: &[] });
        replay.finish()
    };
    let in_time = found(0);
    assert_eq!(in_time.episodes[0].first_severity, Severity::Severe);
    assert_eq!(in_time.changes[0].evidence.rule, Some("doubled"));
    assert!(found(60).episodes.is_empty());
}

#[test]
fn places_count_wells_that_turn_salt() {
    let config = HindcastConfig::default();
    let mut replay = SalinityReplay::new((Month::new(2024, 1), Month::new(2026, 2)), &config);
    let first = Month::new(2024, 1).start(7 * 3600);
    // Two turn salt on one day, the third a fortnight later, the fourth never.
    for (id, district, salt_from) in [("A", "3001", 730), ("B", "3001", 730), ("C", "3002", 744), ("D", "3002", 10_000)]
    {
        let readings: Vec<ReceivedValue> = (0..780)
            .map(|day| {
                let time = first.plus_secs(day * 86_400);
                ReceivedValue { time, value: if day < salt_from { 600.0 } else { 2000.0 }, received_at: time }
            })
            .collect();
        replay.add(&SalinityInput { well: &well(id, "30", district), readings: &readings, recharges: &[] });
    }
    let found = replay.finish();
    let of_place = |place: &str| -> Vec<(Transition, Severity, u32, u32)> {
        let episode = found.episodes.iter().find(|episode| episode.subject.place == place).unwrap();
        let changes = found.changes.iter().filter(|change| change.flag_id == episode.id);
        changes.map(|c| (c.transition, c.severity, c.evidence.wells_in, c.evidence.wells_out)).collect()
    };
    assert_eq!(of_place("3001"), [(Transition::Raised, Severity::Severe, 2, 0)]);
    assert_eq!(of_place("3002"), [(Transition::Raised, Severity::Severe, 1, 1)]);
    let province = [(Transition::Raised, Severity::Warning, 2, 2), (Transition::Escalated, Severity::Severe, 3, 1)];
    assert_eq!(of_place("30"), province, "both of one day at once");
    assert!(found.episodes.iter().all(|episode| episode.subject.scope != Scope::Subdistrict));
}
