//! The default limits on real measurements: what plausible groundwater does is not to be flagged.
//!
//! The folder with the series comes from `GWBANK_SHARED`, else `../shared` beside the workspace; without it the test says
//! so and passes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use gwbank_model::{Parameter, QcTest, Timestamp};
use gwbank_quality::review::{ReviewRules, review};
use gwbank_quality::{Point, SeriesConfig, Stream, WellFacts, assess};

/// kPa per cm of water.
const KPA_PER_CMH2O: f64 = 0.098_066_5;

/// Our parameter and the factor to its canonical unit.
fn canonical(parameter: &str) -> Option<(Parameter, f64)> {
    match parameter {
        "groundwater_level" => Some((Parameter::GroundwaterElevation, 1.0)),
        "depth_to_water" => Some((Parameter::DepthToWater, 1.0)),
        "water_pressure_abs" => Some((Parameter::WaterPressureAbsolute, KPA_PER_CMH2O)),
        "air_pressure" => Some((Parameter::BarometricPressure, KPA_PER_CMH2O)),
        "water_temperature" => Some((Parameter::WaterTemperature, 1.0)),
        "specific_conductance" => Some((Parameter::SpecificConductance, 1.0)),
        "chloride" => Some((Parameter::Chloride, 1.0)),
        _ => None,
    }
}

fn read(path: &Path) -> BTreeMap<Parameter, Vec<Point>> {
    let mut reader = csv::Reader::from_reader(GzDecoder::new(File::open(path).unwrap()));
    let mut all: BTreeMap<Parameter, Vec<Point>> = BTreeMap::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).unwrap() {
        let Some((parameter, factor)) = canonical(&record[2]) else { continue };
        let time = Timestamp::parse_rfc3339(&record[1]).unwrap();
        let series = all.entry(parameter).or_default();
        if series.last().is_none_or(|last| last.time < time) {
            let value = Some(record[3].parse::<f64>().unwrap() * factor);
            series.push(Point { time, value, site_status: None });
        }
    }
    all
}

/// Of all series of one parameter.
#[derive(Debug, Default)]
struct Totals {
    series: usize,
    readings: usize,
    objections: BTreeMap<QcTest, usize>,
    /// Readings that the second look calls suspect beyond those.
    second_look: usize,
    /// Series with objections to more than 1 % of their readings.
    noisy: Vec<String>,
}

#[test]
fn default_limits_leave_real_wells_alone() {
    let shared = std::env::var_os("GWBANK_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let Ok(folder) = std::fs::read_dir(shared.join("data/series")) else {
        eprintln!("not tested against real series: no data/series");
        return;
    };
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut totals: BTreeMap<Parameter, Totals> = BTreeMap::new();
    for path in &paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        for (parameter, points) in read(path) {
            let config = SeriesConfig::default_for(parameter);
            let flags = assess(&config, &points);
            let rules = ReviewRules::for_series(parameter, &config, &WellFacts::default());
            let reviewed = review(&config, &rules, &points, &[]);
            let worse = reviewed.details.iter().zip(&flags).filter(|(now, before)| now.assessment != **before).count();
            let total = totals.entry(parameter).or_default();
            total.series += 1;
            total.second_look += worse;
            if worse * 100 > points.len() {
                total.noisy.push(format!("{name} second look {worse} of {}: {:?}", points.len(), reviewed.shifts));
            }
            total.readings += points.len();
            let mut by_test: BTreeMap<QcTest, usize> = BTreeMap::new();
            for test in flags.iter().flat_map(|assessment| assessment.tests.iter()) {
                *by_test.entry(test).or_default() += 1;
                *total.objections.entry(test).or_default() += 1;
            }
            if by_test.values().sum::<usize>() * 100 > points.len() {
                total.noisy.push(format!("{name} {by_test:?} of {}", points.len()));
            }
        }
    }
    for (parameter, total) in &totals {
        eprintln!("{parameter}: {total:#?}");
    }
    for (parameter, Totals { readings, objections, second_look, .. }) in totals {
        let flagged: usize = objections.values().sum();
        // Not of pressures: at one site (born) a metre comes and goes within minutes for weeks, by a pump or by a hand, and
        // one sensor of another hangs in air for its last three weeks. The second look is there to find that.
        if parameter.is_level() {
            let too_many = "objections of the second look, more than 0.1 %";
            assert!(second_look * 1_000 <= readings, "{parameter}: {second_look} of {readings} {too_many}");
        }
        assert!(flagged * 200 <= readings, "{parameter}: {flagged} objections to {readings} readings, more than 0.5 %");
    }
}

/// Prints what a push costs (`--release -- --nocapture`); asserts nothing, for machines differ.
#[test]
fn time_of_a_push() {
    let config = SeriesConfig::default_for(Parameter::DepthToWater);
    let mut stream = Stream::new(config);
    let started = std::time::Instant::now();
    let pushes = 500_000;
    for i in 0..pushes {
        // A slow recession with a jitter of a tenth of a millimetre.
        let value = 3.0 + f64::from(i) * 1e-7 + f64::from(i % 7) * 1e-5;
        stream.push(Point { time: Timestamp::from_secs(i64::from(i) * 900), value: Some(value), site_status: None });
    }
    eprintln!("{} ns per push", started.elapsed().as_nanos() / u128::from(pushes as u32));
}
