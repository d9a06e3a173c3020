//! The replay of real wells: known droughts must stand out with nothing but what was known then.
//!
//! The files lie in the folder named by `GWBANK_SHARED`, else in `../shared` beside the project; without them this test says so
//! and passes, and `golden.rs` has what travels with the project.
//!
//! Countries stand for provinces and groups of filters at one site for districts. Months are of the golden profile: UTC days,
//! one day makes a month, all known at once. Nothing is left out by looks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use gwbank_hindcast::{
    Hindcast, HindcastConfig, KnownDay, NormalClimateRules, SkillRules, Summary, WellRecord, normal_climate, parse_events,
    skill,
};
use gwbank_indicator::{DroughtClass, Sense, daily_means};
use gwbank_model::condition::{Hazard, Scope};
use gwbank_model::{Month, Timestamp, WellId};
use gwbank_registry::{BankType, Sampling, Well};

const FROM: Month = Month::new(1950, 1);
const TO: Month = Month::new(2024, 12);

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("GWBANK_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    if folder.join("data/wells.csv").is_file() {
        return Some(folder);
    }
    eprintln!("real wells are absent, nothing is replayed: {}", folder.display());
    None
}

/// The one level series of a well, if it has one.
fn level_series(folder: &Path, well: &str) -> Option<(Sense, Vec<(Timestamp, f64)>)> {
    let mut text = String::new();
    let path = folder.join(format!("data/series/{well}.csv.gz"));
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    GzDecoder::new(file).read_to_string(&mut text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut series: Option<(Sense, Vec<(Timestamp, f64)>)> = None;
    for line in text.lines().skip(1) {
        let mut fields = line.split(',').skip(1);
        let (time, parameter, value) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
        let sense = match parameter {
            "depth_to_water" => Sense::Depth,
            "groundwater_level" => Sense::Elevation,
            _ => continue,
        };
        let (_, points) = series.get_or_insert((sense, Vec::new()));
        points.push((Timestamp::parse_rfc3339(time).unwrap(), value.parse().unwrap()));
    }
    series
}

fn records(folder: &Path, config: &HindcastConfig) -> Vec<WellRecord> {
    let table = std::fs::read_to_string(folder.join("data/wells.csv")).unwrap();
    let mut lines = table.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| head.iter().position(|column| *column == name).unwrap();
    // The country stands after texts that may hold commas in quotes; ids begin with it.
    let (id, kind, group) = (column("well_id"), column("kind"), column("group"));
    let mut records = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        if fields[kind] != "well" {
            continue;
        }
        let Some((sense, points)) = level_series(folder, fields[id]) else { continue };
        let mut well = Well::new(WellId::new(fields[id]).unwrap(), &fields[id][..2], BankType::Observation);
        well.district_code = Some(fields[group].to_owned());
        well.sampling = Sampling::Manual;
        let days: Vec<KnownDay> =
            daily_means(&points, 0).into_iter().map(|level| KnownDay { level, received_at: None }).collect();
        records.push(WellRecord::of_days(Arc::new(well), sense, &days, config));
    }
    records
}

/// Judged well-months of a year in a country, and how many stood at which class or worse.
#[derive(Debug, Clone, Copy, Default)]
struct Year {
    judged: u32,
    watch: u32,
    moderate: u32,
    severe: u32,
    extreme: u32,
    flagged_place_months: u32,
}

impl Year {
    fn share(self, count: u32) -> f64 {
        if self.judged == 0 { 0.0 } else { f64::from(count) / f64::from(self.judged) }
    }
}

#[test]
fn known_droughts_and_a_recovery_stand_out() {
    let Some(folder) = shared() else { return };
    let config = HindcastConfig::default();
    let records = records(&folder, &config);
    assert!(records.len() > 100, "{}", records.len());
    let mut years: BTreeMap<(String, i32), Year> = BTreeMap::new();
    let mut summary = Summary::default();
    let mut hindcast = Hindcast::new(&records, FROM, TO, &config);
    while let Some(report) = hindcast.next() {
        summary.add_month(&report, hindcast.places());
        for found in &report.wells {
            let Some(judgement) = found.judgement.value() else { continue };
            let country = records[found.well].well().province_code.clone();
            let year = years.entry((country, report.month.year())).or_default();
            year.judged += 1;
            let at = |class: DroughtClass| u32::from(judgement.entry >= class);
            year.watch += at(DroughtClass::Watch);
            year.moderate += at(DroughtClass::Moderate);
            year.severe += at(DroughtClass::Severe);
            year.extreme += at(DroughtClass::Extreme);
        }
        for found in report.places.iter().filter(|found| found.flag.is_some()) {
            let place = &hindcast.places()[found.place];
            if place.scope() == Scope::Province {
                years.entry((place.code().to_owned(), report.month.year())).or_default().flagged_place_months += 1;
            }
        }
    }
    summary.add_flags(hindcast.episodes(), TO);

    println!("country year  judged  watch moderate severe extreme  months with a flag of the country");
    for ((country, year), found) in &years {
        let percent = |count| found.share(count) * 100.0;
        println!(
            "{country} {year} {:>7} {:>6.0} {:>8.0} {:>6.0} {:>7.0} {:>3}",
            found.judged,
            percent(found.watch),
            percent(found.moderate),
            percent(found.severe),
            percent(found.extreme),
            found.flagged_place_months
        );
    }
    println!("{:#?}", summary.kinds);
    println!("{:#?}", summary.place_months);
}
