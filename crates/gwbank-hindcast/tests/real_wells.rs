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
    ClimateModel, Episode, Hindcast, HindcastConfig, JudgedMonths, KnownDay, NormalClimateRules, Replayed, SkillRules,
    Summary, WellRecord, normal_climate, parse_events, skill,
};
use gwbank_indicator::{DroughtClass, Sense, daily_means};
use gwbank_model::condition::{Hazard, Scope, Severity};
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
    let (mut summary, mut judged) = (Summary::default(), JudgedMonths::default());
    let mut hindcast = Hindcast::new(&records, FROM, TO, &config);
    while let Some(report) = hindcast.next() {
        summary.add_month(&report, hindcast.places());
        judged.add_month(&report, hindcast.places());
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
    println!("{summary}");

    let year = |country: &str, year: i32| years.get(&(country.to_owned(), year)).copied().unwrap_or_default();
    let share = |country: &str, at: i32, count: fn(Year) -> u32| year(country, at).share(count(year(country, at)));

    // 1976 in the Netherlands: of most wells five to nine years were known, which may say watch and no more.
    let watch_1976 = share("NL", 1976, |year| year.watch);
    assert!(watch_1976 > 0.5, "{watch_1976}");
    for other in [1975].into_iter().chain(1977..=1988) {
        assert!(share("NL", other, |year| year.watch) < watch_1976 / 2.0, "{other}");
    }
    // 2003: at least twice as many wells low as in any of the years around it.
    let moderate_2003 = share("NL", 2003, |year| year.moderate);
    assert!(moderate_2003 > 0.15, "{moderate_2003}");
    for other in (1999..=2012).filter(|other| *other != 2003) {
        assert!(share("NL", other, |year| year.moderate) < moderate_2003 / 2.0, "{other}");
    }
    // 2018: more wells severely low than in any year since the drought of 1996.
    let severe_2018 = share("NL", 2018, |year| year.severe);
    assert!(severe_2018 > 0.15, "{severe_2018}");
    for other in 1998..=2017 {
        assert!(share("NL", other, |year| year.severe) < severe_2018 / 2.0, "{other}");
    }
    // Bangkok's heads fell until 1997 and have risen since pumping was limited.
    for falling in 1993..=1997 {
        assert!(share("TH", falling, |year| year.watch) > 0.7, "{falling}");
    }
    for recovered in 2000..=2020 {
        assert!(share("TH", recovered, |year| year.watch) < 0.05, "{recovered}");
    }

    let events = parse_events(
        b"scope,code,hazard,start,end\nprovince,NL,drought,1976-05,1976-12\nprovince,NL,drought,1995-07,1997-12\n\
          province,NL,drought,2003-06,2003-12\nprovince,NL,drought,2018-06,2019-12\n",
    )
    .unwrap();
    let wells = records.iter().map(|record| record.well().as_ref());
    let dutch: Vec<_> = hindcast.episodes().iter().filter(|e| e.subject.province_code == "NL").cloned().collect();
    let rules = SkillRules { severity_min: Severity::Watch, ..SkillRules::default() };
    let replayed = Replayed { episodes: &dutch, judged: &judged, span: (FROM, TO) };
    let found = skill(replayed, &events, wells, &rules);
    println!("{found}");
    let hit = |year: i32| found.hits.iter().any(|hit| hit.event.start.year() == year);
    assert!(hit(1995) && hit(2003));
    // Four wells had a record in 1976, and in 2018 too few were still measured: nothing may be said of the country.
    let unseen: Vec<i32> =
        found.misses.iter().filter(|m| m.judged_months == Some(0)).map(|m| m.event.start.year()).collect();
    assert!(unseen.contains(&1976), "{unseen:?}");
    assert_eq!(summary.kinds[&(Hazard::Drought, Scope::Province)].flags as usize, of_countries(hindcast.episodes()));
    let unjudged = &summary.place_months[&Scope::District];
    assert_eq!(unjudged.judged, 0, "no site has parts");
}

fn of_countries(episodes: &[Episode]) -> usize {
    episodes.iter().filter(|episode| episode.subject.scope == Scope::Province).count()
}

#[test]
fn the_flag_rate_of_a_normal_climate_over_the_real_records() {
    let Some(folder) = shared() else { return };
    let config = HindcastConfig::default();
    let records = records(&folder, &config);
    let rules = NormalClimateRules { climates: 10, ..NormalClimateRules::default() };
    let found = normal_climate(&records, (FROM, TO), &config, &rules);
    println!("{found}");
    for province in ClimateModel::fit(&records).provinces() {
        println!("{}: correlation {:?}, shared {:.2}", province.code, province.correlation, province.shared);
    }
    let flagged = found.flagged.unwrap();
    assert!(found.judged > 1_000 && flagged.mean > 0.0 && flagged.standard_error.is_some());
    assert!(found.is_within_aim(), "{found}");
    assert!(found.claimed.unwrap().mean <= flagged.mean);
}
