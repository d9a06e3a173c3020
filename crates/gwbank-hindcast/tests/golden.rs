//! The replay of simulated wells against a second implementation of the definitions (`scripts/golden/hindcast.py`): gaps, dry
//! months, days that came late, corrections. Travels with the project.

use std::collections::BTreeMap;
use std::sync::Arc;

use gwbank_hindcast::{Hindcast, HindcastConfig, KnownDay, MonthReport, Place, WellRecord};
use gwbank_indicator::{DayLevel, Sense};
use gwbank_model::condition::Severity;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Month, Timestamp, WellId};
use gwbank_registry::{BankType, Sampling, Well};

const DAYS: &str = include_str!("golden/days.csv");
const CHANGES: &str = include_str!("golden/changes.csv");
const PLACES: &str = include_str!("golden/places.csv");

const FROM: Month = Month::new(1999, 1);
const TO: Month = Month::new(2022, 12);

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().skip(1).map(|line| line.split(',').collect())
}

fn records(config: &HindcastConfig) -> Vec<WellRecord> {
    let mut days: BTreeMap<&str, Vec<KnownDay>> = BTreeMap::new();
    for row in rows(DAYS) {
        let start = Timestamp::parse_rfc3339(&format!("{}T00:00:00+07:00", row[1])).unwrap();
        let mean: Option<f64> = row[2].parse().ok().map(|millimetres: f64| millimetres / 1000.0);
        let (count, dry_count) = if mean.is_some() { (1, 0) } else { (0, 1) };
        let level = DayLevel { day: start.day(BANGKOK_OFFSET_SECONDS), mean, count, dry_count };
        let received_at = row[3].parse().ok().map(|late: i64| start.plus_secs(late * 86_400));
        days.entry(row[0]).or_default().push(KnownDay { level, received_at });
    }
    let record = |(id, days): (&str, Vec<KnownDay>)| {
        let subdistrict = match id {
            "W1" | "W2" | "W3" => "300101",
            "W4" | "W5" | "W6" => "300102",
            _ => "300201",
        };
        let mut well = Well::new(WellId::new(id).unwrap(), "30", BankType::Observation);
        well.district_code = Some(subdistrict[..4].to_owned());
        well.subdistrict_code = Some(subdistrict.to_owned());
        well.sampling = Sampling::Manual;
        WellRecord::of_days(Arc::new(well), Sense::Depth, &days, config)
    };
    days.into_iter().map(record).collect()
}

/// As `changes.csv`, in any order within a month.
fn changes(reports: &[MonthReport], scope_and_place: &BTreeMap<String, (String, String)>) -> Vec<String> {
    let told = reports.iter().flat_map(|report| &report.changes).map(|change| {
        let (scope, place) = &scope_and_place[&change.flag_id];
        let (what, severity) = (change.transition.name(), change.severity.name());
        format!("{},{scope},{place},{what},{severity},{}", change.month, change.evidence.reason.unwrap_or(""))
    });
    sorted(told)
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

fn claims(reports: &[MonthReport], places: &[Place]) -> Vec<String> {
    let mut told = Vec::new();
    for report in reports {
        for found in report.places.iter().filter(|found| places[found.place].code() != "3002") {
            let place = &places[found.place];
            let claim = match (found.drought.judged.value(), found.drought.judged.why()) {
                (Some(verdict), _) => verdict.entry.map_or("none", Severity::name),
                (None, why) => why.map_or("", |why| why.name()),
            };
            told.push(format!("{},{},{},{claim}", report.month, place.scope().name(), place.code()));
        }
    }
    sorted(told.into_iter())
}

#[test]
fn equals_a_second_implementation() {
    let config = HindcastConfig::default();
    let records = records(&config);
    let mut hindcast = Hindcast::new(&records, FROM, TO, &config);
    let reports: Vec<MonthReport> = hindcast.by_ref().collect();
    let subjects = hindcast.episodes().iter().map(|episode| {
        let subject = &episode.subject;
        (episode.id.clone(), (subject.scope.name().to_owned(), subject.place.clone()))
    });
    // The small district has wells of its own and no judgement; the script leaves it out.
    let expected = sorted(CHANGES.lines().skip(1).map(str::to_owned));
    let found = changes(&reports, &subjects.collect());
    let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert_eq!((first, found.len()), (None, expected.len()));
    assert!(expected.len() > 200);
    let expected = sorted(PLACES.lines().skip(1).map(str::to_owned));
    assert_eq!(claims(&reports, hindcast.places()), expected);
}

#[test]
fn the_order_in_which_days_are_handed_in_leaves_no_trace() {
    let config = HindcastConfig::default();
    let reports = |records: &[WellRecord]| -> Vec<MonthReport> { Hindcast::new(records, FROM, TO, &config).collect() };
    let mut turned: Vec<KnownDay> = Vec::new();
    let well = records(&config)[0].well().clone();
    for row in rows(DAYS).filter(|row| row[0] == "W1") {
        let start = Timestamp::parse_rfc3339(&format!("{}T00:00:00+07:00", row[1])).unwrap();
        let mean: Option<f64> = row[2].parse().ok().map(|millimetres: f64| millimetres / 1000.0);
        let level = DayLevel { day: start.day(BANGKOK_OFFSET_SECONDS), mean, count: 1, dry_count: 0 };
        let received_at = row[3].parse().ok().map(|late: i64| start.plus_secs(late * 86_400));
        turned.push(KnownDay { level, received_at });
    }
    let in_order = [WellRecord::of_days(well.clone(), Sense::Depth, &turned, &config)];
    turned.sort_by(|a, b| b.level.mean.partial_cmp(&a.level.mean).unwrap());
    let by_depth = [WellRecord::of_days(well, Sense::Depth, &turned, &config)];
    assert_eq!(reports(&in_order), reports(&by_depth));
}
