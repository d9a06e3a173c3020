//! Real wells of several countries, replayed over MQTT: exactly the distinct keys of the files, each once, with its last
//! value where a file repeats a time; the earlier values are revisions.
//!
//! The files are the project's shared reference series; where they are not (a plain clone), the test says so and ends.
//! `GWBANK_TEST_FILES=all` takes every file (3.3 million rows: for a release build), otherwise a handful is taken.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::mosquitto::Mosquitto;
use crate::program::{Place, Server, until};

/// Thai nests, daily meteorology, and the two small files that repeat times.
const HANDFUL: [&str; 6] =
    ["TH-BKK003-NB27", "TH-BKK003-PD17", "TH-BKK009-NB36", "MET-NB1", "US-L2701", "NL-B22D0155_1"];

fn series_dir() -> Option<PathBuf> {
    let shared = std::env::var_os("GWBANK_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    let dir = shared.join("data/series");
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("no reference series at {}: nothing to replay", dir.display());
    None
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir).expect("listed").map(|entry| entry.expect("listed").path()).collect();
    files.sort();
    if std::env::var("GWBANK_TEST_FILES").as_deref() != Ok("all") {
        let wanted = |path: &PathBuf| HANDFUL.iter().any(|name| path.ends_with(format!("{name}.csv.gz")));
        files.retain(wanted);
        assert_eq!(files.len(), HANDFUL.len());
    }
    files
}

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Our name of a parameter and the factor into its canonical unit, written a second time on purpose: the test shall not
/// believe the map file.
fn target(parameter: &str, unit: &str) -> (&'static str, f64) {
    match (parameter, unit) {
        ("groundwater_level", "m") => ("groundwater_elevation", 1.0),
        ("depth_to_water", "m") => ("depth_to_water", 1.0),
        ("water_pressure_abs", "cmH2O") => ("water_pressure_absolute", 0.098_066_5),
        ("air_pressure", "cmH2O") => ("barometric_pressure", 0.098_066_5),
        ("water_temperature", "degC") => ("water_temperature", 1.0),
        ("air_temperature", "degC") => ("air_temperature", 1.0),
        ("logger_temperature", "degC") => ("device_temperature", 1.0),
        ("specific_conductance", "uS/cm") => ("specific_conductance", 1.0),
        ("chloride", "mg/L") => ("chloride", 1.0),
        ("precipitation", "mm/d") => ("rainfall", 1.0),
        ("precipitation", "m/d") => ("rainfall", 1000.0),
        ("evaporation", "mm/d") => ("evaporation", 1.0),
        ("evaporation", "m/d") => ("evaporation", 1000.0),
        other => panic!("no target for {other:?}"),
    }
}

/// What must be stored of one (well, parameter).
#[derive(Debug, Default, Clone, PartialEq)]
struct Expected {
    keys: u64,
    sum: f64,
    revisions: u64,
}

fn expected(files: &[PathBuf]) -> BTreeMap<(String, String), Expected> {
    let mut values: BTreeMap<(String, String), BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for file in files {
        let mut text = String::new();
        let packed = std::fs::File::open(file).expect("opened");
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("unpacked");
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let [well, time, parameter, value, unit] = fields[..] else { panic!("{line}") };
            let (parameter, factor) = target(parameter, unit);
            let value: f64 = value.parse().expect("a number");
            let of_key =
                values.entry((well.to_owned(), parameter.to_owned())).or_default().entry(time.to_owned()).or_default();
            // A value that the key has had is a duplicate.
            if !of_key.contains(&(value * factor)) {
                of_key.push(value * factor);
            }
        }
    }
    let of_series = |keys: BTreeMap<String, Vec<f64>>| Expected {
        keys: keys.len() as u64,
        sum: keys.values().map(|versions| versions[versions.len() - 1]).sum(),
        revisions: keys.values().map(|versions| versions.len() as u64 - 1).sum(),
    };
    values.into_iter().map(|(series, keys)| (series, of_series(keys))).collect()
}

fn stored(server: &Server) -> BTreeMap<(String, String), Expected> {
    let series = |row: &serde_json::Value| {
        let name = |column: &str| row[column].as_str().expect("a name").to_owned();
        (name("well_id"), name("parameter"))
    };
    let mut found: BTreeMap<(String, String), Expected> = BTreeMap::new();
    let rows = server.sql(
        "SELECT well_id, parameter, count(*) AS n, count(DISTINCT time) AS times, sum(value) AS total \
         FROM readings GROUP BY well_id, parameter",
    );
    for row in rows.as_array().expect("rows") {
        assert_eq!(row["n"], row["times"], "{row}: a key is there twice");
        let keys = row["n"].as_u64().expect("a count");
        let sum = row["total"].as_f64().expect("a sum");
        found.insert(series(row), Expected { keys, sum, revisions: 0 });
    }
    let rows = server.sql(
        "SELECT well_id, parameter, count(*) AS n FROM reading_revisions WHERE cause = 'correction' GROUP BY 1, 2",
    );
    for row in rows.as_array().expect("rows") {
        found.entry(series(row)).or_default().revisions = row["n"].as_u64().expect("a count");
    }
    found
}

fn check(server: &Server, expected: &BTreeMap<(String, String), Expected>) {
    let total: u64 = expected.values().map(|e| e.keys).sum();
    until("all keys are stored", || {
        (server.sql("SELECT count(*) AS n FROM readings")[0]["n"].as_u64()? >= total).then_some(())
    });
    let found = stored(server);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (series, expected) in expected {
        let found = &found[series];
        assert_eq!((found.keys, found.revisions), (expected.keys, expected.revisions), "{series:?}");
        let tolerance = 1e-9 * expected.sum.abs().max(1.0);
        assert!((found.sum - expected.sum).abs() <= tolerance, "{series:?}: {} for {}", found.sum, expected.sum);
    }
}

fn replay(place: &Place, files: &[PathBuf], to: &str) {
    let map = fixture("real_series.toml");
    let mut arguments = vec!["replay", "--map", &map, "--to", to];
    arguments.extend(files.iter().map(|file| file.to_str().expect("a path")));
    place.run(&arguments).good();
}

fn place_with_real_wells() -> Place {
    let place = Place::new();
    place.run(&["wells", "import", &fixture("real_wells.csv")]).good();
    place
}

const WHOLE_PAST: [&str; 2] = ["--set", "ingest.earliest_time=1900-01-01T00:00:00Z"];

#[test]
fn real_series_come_through_the_embedded_broker() {
    let Some(dir) = series_dir() else { return };
    let files = files(&dir);
    let place = place_with_real_wells();
    let server = place.serve_with(&WHOLE_PAST);
    replay(&place, &files, &server.mqtt);
    let expected = expected(&files);
    check(&server, &expected);
    // A second time: all duplicates, whatever a file repeats.
    replay(&place, &files, &server.mqtt);
    check(&server, &expected);
}

#[test]
fn real_series_come_through_mosquitto() {
    let Some(dir) = series_dir() else { return };
    let files = files(&dir);
    let place = place_with_real_wells();
    let mosquitto = Mosquitto::start(place.dir.path());
    let config = format!("[[mqtt.external]]\nurl = \"mqtt://{}\"\nclient_id = \"gwbank-real\"\n", mosquitto.address);
    let config = place.file("external.toml", &config);
    let mut settings = WHOLE_PAST.to_vec();
    settings.extend(["--config", config.to_str().expect("a path")]);
    let server = place.serve_with(&settings);
    until("gwbank has subscribed", || (server.ask("GET", "/readyz", &[], &[]).0 == 200).then_some(()));
    replay(&place, &files, &format!("mqtt://{}", mosquitto.address));
    check(&server, &expected(&files));
}
