//! The replay against the plain computation: at every closing everything anew from what was known.

use std::collections::HashMap;
use std::sync::Arc;

use gwbank_indicator::{DayLevel, DaysMin, PlaceWell, Sense, judge_place, judge_well, standings};
use gwbank_model::condition::{Severity, Transition};
use gwbank_model::{Day, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::known::KnownDay;
use crate::testing::well;

const FIRST: Month = Month::new(1996, 1);

fn config() -> HindcastConfig {
    let mut config = HindcastConfig { days_min: DaysMin { logger: 1, manual: 1 }, ..HindcastConfig::default() };
    // Small numbers, so that random wells come to droughts of places often.
    config.places.eligible_min = 3;
    config.places.wells_at_class_min = 2;
    config.places.wells_extreme_min = 1;
    config
}

/// Of what was received by then. A day a month; most of them received in time, some months or years late, some corrected.
fn records(levels: &[Vec<Option<(i32, i32)>>], config: &HindcastConfig, until: Timestamp) -> Vec<WellRecord> {
    let day = |month: i32, depth: i32, delay: i32| {
        let day = Day(FIRST.plus(month).first_day().0 + 3);
        let received_at = Some(day.start(0).plus_secs(i64::from(delay) * 20 * 86_400));
        let level = DayLevel { day, mean: Some(f64::from(depth) / 10.0), count: 1, dry_count: 0 };
        KnownDay { level, received_at }
    };
    let record = |(index, months): (usize, &Vec<Option<(i32, i32)>>)| {
        let mut days = Vec::new();
        for (month, value) in months.iter().enumerate() {
            let Some((depth, delay)) = *value else { continue };
            days.push(day(month as i32, depth, if delay % 7 == 0 { delay } else { 0 }));
            if delay % 11 == 0 {
                days.push(day(month as i32, depth + 9, delay + 3));
            }
        }
        days.retain(|day| day.received_at <= Some(until));
        let district = ["3001", "3002"][index % 2];
        let mut well = Well::clone(&well(&format!("W{index}"), "30", district));
        well.subdistrict_code = Some(format!("{district}0{}", index / 2 % 2));
        WellRecord::of_days(Arc::new(well), Sense::Depth, &days, config)
    };
    levels.iter().enumerate().map(record).collect()
}

/// Severity of every open flag after each closing, by definition.
fn plainly(
    records: &[WellRecord],
    to: Month,
    config: &HindcastConfig,
) -> Vec<HashMap<String, (Severity, bool, Month)>> {
    let mut open: HashMap<String, (Severity, bool, Month)> = HashMap::new();
    let mut after = Vec::new();
    for closing in (FIRST.index()..=to.index()).map(Month::from_index) {
        let mut judged: Vec<HashMap<Month, (DroughtJudgement, bool)>> = Vec::new();
        let mut record_n = Vec::new();
        for record in records {
            let months = record.months_known_at(closing);
            let mut counts = HashMap::new();
            months.iter().for_each(|m| *counts.entry(m.month.month_of_year()).or_insert(0u32) += 1);
            record_n.push(counts.values().copied().max().unwrap_or(0));
            let standings = standings(&months, closing, &config.standing);
            let judge = |standing: &MonthStanding| {
                let found = judge_well(WellKind::of(record.well()), standing, &config.drought);
                found.value().map(|judgement| (standing.month, (*judgement, standing.dry)))
            };
            judged.push(standings.iter().filter_map(judge).collect());
        }
        let mut follow =
            |key: String, first: Month, verdict: &dyn Fn(Month) -> Option<gwbank_indicator::MonthVerdict>| {
                let before = open.get(&key).map(|&(severity, _, since)| OpenDrought { since, severity });
                match replay_drought(before, closing, first, verdict) {
                    DroughtState::Stands { severity, stale, since } => drop(open.insert(key, (severity, stale, since))),
                    DroughtState::None { .. } => drop(open.remove(&key)),
                    DroughtState::Unknown => {}
                }
            };
        for (record, judged) in records.iter().zip(&judged) {
            let key = record.well().well_id.as_str().to_owned();
            let verdict = |month: Month| judged.get(&month).map(|(judgement, _)| judgement.verdict());
            follow(key, closing.plus(-24), &verdict);
        }
        for (code, of_place) in [("30", 0..2), ("3001", 0..1), ("3002", 1..2)] {
            let verdict = |month: Month| {
                let class = |index: usize, month: Month| {
                    judged[index].get(&month).filter(|(j, _)| j.counts_for_places).map(|(j, _)| j.entry)
                };
                let wells: Vec<PlaceWell<'_>> = records
                    .iter()
                    .enumerate()
                    .filter(|(index, record)| {
                        of_place.contains(&(index % 2)) && !record.months_known_at(closing).is_empty()
                    })
                    .map(|(index, record)| PlaceWell {
                        part: match code {
                            "30" => record.well().district_code.as_deref(),
                            _ => record.well().subdistrict_code.as_deref(),
                        },
                        class: class(index, month),
                        class_before: class(index, month.plus(-1)),
                        record_n: record_n[index],
                        dry: false,
                    })
                    .collect();
                judge_place(&wells, &config.places).judged.value().copied()
            };
            follow(code.to_owned(), closing.plus(-23), &verdict);
        }
        after.push(open.clone());
    }
    after
}

fn any_well() -> impl Strategy<Value = Vec<Option<(i32, i32)>>> {
    let month = proptest::option::weighted(0.93, (0i32..60, 0i32..60));
    proptest::collection::vec(month, 230..290)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]
    #[test]
    fn flags_equal_those_of_the_plain_computation(levels in proptest::collection::vec(any_well(), 5..8), lows in 0i32..240) {
        // A drought that all of them share.
        let mut levels = levels;
        for months in &mut levels {
            let end = months.len().min(lows as usize + 30);
            for (depth, _) in months.iter_mut().take(end).skip(lows as usize).flatten() {
                *depth += 45;
            }
        }
        let config = config();
        let records = records(&levels, &config, Timestamp::MAX);
        let to = FIRST.plus(300);
        let plain = plainly(&records, to, &config);
        let mut hindcast = Hindcast::new(&records, FIRST, to, &config);
        let mut raised = 0;
        for expected in plain {
            let report = hindcast.next().unwrap();
            let open = hindcast.book.episodes.iter().filter(|episode| episode.closed.is_none());
            let found: HashMap<String, (Severity, bool, Month)> = open
                .map(|e| (e.subject.place.clone(), (e.severity, e.state == gwbank_model::condition::FlagState::Stale, e.raised)))
                .collect();
            prop_assert_eq!(found, expected, "{}", report.month);
            raised += report.changes.iter().filter(|change| change.transition == Transition::Raised).count();
        }
        prop_assert!(raised > 0);
        prop_assert!(hindcast.next().is_none());
    }

    /// What is received after a closing changes nothing of what was said at it.
    #[test]
    fn the_future_does_not_leak(levels in proptest::collection::vec(any_well(), 5..7), cut in 150i32..220) {
        let config = config();
        let (all, known) = (records(&levels, &config, Timestamp::MAX), {
            let end = config.closing.closes_at(FIRST.plus(cut));
            records(&levels, &config, end)
        });
        let reports = |records: &[WellRecord]| -> Vec<MonthReport> {
            Hindcast::new(records, FIRST, FIRST.plus(cut), &config).collect()
        };
        prop_assert_eq!(reports(&all), reports(&known));
    }
}

/// Sixteen Januaries and so on; the last two years as told, `None` for no level.
fn story(last: &[Option<f64>]) -> Vec<FlagChange> {
    let config = HindcastConfig::default();
    let first = Month::new(2001, 1);
    let normal = |i: i32| 10.0 + f64::from((i * 7) % 19);
    let mut months: Vec<MonthlyLevelAt> = (0..192).map(|i| (first.plus(i), normal(i))).collect();
    months.extend(last.iter().zip(192..).filter_map(|(level, i)| level.map(|level| (first.plus(i), level))));
    let months: Vec<_> = months.iter().map(|&(m, level)| gwbank_indicator::MonthlyLevel::of(m, level)).collect();
    let records = [WellRecord::of_months(well("W", "30", "3001"), Sense::Depth, &months)];
    let to = first.plus(191 + last.len() as i32);
    let hindcast = Hindcast::new(&records, first.plus(192), to, &config);
    hindcast.flat_map(|report| report.changes).collect()
}

type MonthlyLevelAt = (Month, f64);

#[test]
fn a_flag_is_raised_goes_stale_comes_back_and_is_cleared() {
    let changes = story(&[Some(-5.0), None, Some(-5.0), Some(40.0), Some(40.0), Some(40.0)]);
    let told: Vec<(Transition, Option<&str>)> = changes.iter().map(|c| (c.transition, c.evidence.reason)).collect();
    let expected = [
        (Transition::Raised, None),
        (Transition::WentStale, None),
        (Transition::Raised, Some("data_resumed")),
        (Transition::Eased, None),
        (Transition::Cleared, Some("two_months_beyond_exit")),
    ];
    assert_eq!(told, expected);
    assert_eq!(changes[0].flag_id, format!("drought-well-W-{}", changes[0].at.as_secs()));
    assert_eq!(changes[0].at, Timestamp::parse_rfc3339("2017-02-05T00:00:00+07:00").unwrap());
    assert_eq!((changes[0].evidence.n, changes[0].evidence.rule), (Some(17), Some("sgi")));
    assert_eq!(changes[4].month, Month::new(2017, 5));
}
