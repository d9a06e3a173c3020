//! What the tests against other tools read: the project's own golden files, and the shared ones where they are. The shared
//! folder comes from `GWBANK_SHARED`, else `../shared` beside the workspace; a test says so where it is not there.

#![allow(dead_code, reason = "each test takes its part")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use gwbank_model::{Parameter, QualityFlag, Timestamp};
use gwbank_quality::{CheckLimits, Point, Span};

pub type Key = (String, String);

/// A file of the shared folder.
pub fn shared(path: &str) -> Option<Box<dyn Read>> {
    let shared = std::env::var_os("GWBANK_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    open(shared.join(path)).inspect_err(|error| eprintln!("not tested against {path}: {error}")).ok()
}

/// A golden file of the shared folder.
pub fn golden(name: &str) -> Option<Table> {
    shared(&format!("golden/{name}")).map(Table::read)
}

/// A golden file of this crate.
pub fn own_golden(name: &str) -> Table {
    Table::read(open(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(name)).unwrap())
}

fn open(path: PathBuf) -> std::io::Result<Box<dyn Read>> {
    let file = File::open(&path)?;
    Ok(if path.extension().is_some_and(|ext| ext == "gz") { Box::new(GzDecoder::new(file)) } else { Box::new(file) })
}

/// Columns by name.
pub struct Table {
    header: csv::StringRecord,
    pub rows: Vec<csv::StringRecord>,
}

impl Table {
    pub fn read(source: impl Read) -> Self {
        let mut reader = csv::Reader::from_reader(source);
        let header = reader.headers().unwrap().clone();
        Self { header, rows: reader.records().map(Result::unwrap).collect() }
    }
    pub fn column(&self, name: &str) -> usize {
        self.header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"))
    }
    pub fn text<'a>(&self, row: &'a csv::StringRecord, name: &str) -> &'a str {
        &row[self.column(name)]
    }
    pub fn number(&self, row: &csv::StringRecord, name: &str) -> f64 {
        self.text(row, name).parse().unwrap()
    }
    pub fn key(&self, row: &csv::StringRecord) -> Key {
        (self.text(row, "well_id").to_owned(), self.text(row, "parameter").to_owned())
    }
}

/// Readings in order and what ioos_qc said of them.
#[derive(Default)]
pub struct Series {
    pub times: Vec<Timestamp>,
    pub values: Vec<f64>,
    pub expected: BTreeMap<String, Vec<QualityFlag>>,
}

impl Series {
    pub fn points(&self) -> Vec<Point> {
        let readings = self.times.iter().zip(&self.values);
        readings.map(|(&time, &value)| Point { time, value: Some(value), site_status: None }).collect()
    }
}

pub fn read_series(table: &Table, tests: &[&str]) -> BTreeMap<Key, Series> {
    let [time, value] = ["time", "value"].map(|name| table.column(name));
    let columns: Vec<(&str, usize)> = tests.iter().map(|&test| (test, table.column(test))).collect();
    let mut all: BTreeMap<Key, Series> = BTreeMap::new();
    for row in &table.rows {
        let series = all.entry(table.key(row)).or_default();
        series.times.push(Timestamp::parse_rfc3339(&row[time]).unwrap());
        series.values.push(if row[value].is_empty() { f64::NAN } else { row[value].parse().unwrap() });
        for &(test, column) in &columns {
            let flag = QualityFlag::from_code(row[column].parse().unwrap()).unwrap();
            series.expected.entry(test.to_owned()).or_default().push(flag);
        }
    }
    all
}

pub fn check_limits(table: &Table, row: &csv::StringRecord) -> CheckLimits {
    let number = |name| table.number(row, name);
    CheckLimits {
        fail: Span::new(number("fail_min"), number("fail_max")),
        suspect: Span::new(number("suspect_min"), number("suspect_max")),
        spike_suspect: number("spike_suspect"),
        spike_fail: number("spike_fail"),
        rate_suspect_per_second: number("roc_suspect_per_s"),
        rate_fail_per_second: number("roc_fail_per_s"),
        flat_suspect_seconds: number("flat_suspect_s") as i64,
        flat_fail_seconds: number("flat_fail_s") as i64,
        flat_tolerance: number("flat_tolerance"),
    }
}

/// Our parameter of a name in the golden files, whose units (cmH2O) only shapes matter of here.
pub fn parameter(name: &str) -> Parameter {
    match name {
        "groundwater_level" => Parameter::GroundwaterElevation,
        "water_pressure_abs" => Parameter::WaterPressureAbsolute,
        name => Parameter::from_name(name).unwrap_or_else(|| panic!("no parameter {name}")),
    }
}

/// Where the flags differ, with the values around the first place.
pub fn assert_flags(what: &str, series: &Series, ours: &[QualityFlag], theirs: &[QualityFlag]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    if let Some(index) = (0..ours.len()).find(|&index| ours[index] != theirs[index]) {
        let differ = (0..ours.len()).filter(|&index| ours[index] != theirs[index]).count();
        panic!(
            "{what}: {differ} differ, first at {index} ({}): ours {}, theirs {}, values {:?}",
            series.times[index],
            ours[index],
            theirs[index],
            &series.values[index.saturating_sub(3)..(index + 2).min(series.values.len())]
        );
    }
}
