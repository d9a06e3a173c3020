//! Reading golden tables, plain or gzipped.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use gwbank_indicator::MonthlyLevel;
use gwbank_model::Month;

pub fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("GWBANK_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    if folder.join("golden/trend.csv").is_file() {
        return Some(folder);
    }
    eprintln!("golden files are absent, nothing is compared: {}", folder.display());
    None
}

/// A CSV file without quotes.
pub struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

pub struct Row<'a> {
    names: &'a [String],
    fields: &'a [String],
}

impl Table {
    pub fn read(path: &Path) -> Self {
        let mut text = String::new();
        let mut file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let read = if path.extension().is_some_and(|extension| extension == "gz") {
            GzDecoder::new(file).read_to_string(&mut text)
        } else {
            file.read_to_string(&mut text)
        };
        read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<String>>());
        let names = lines.next().unwrap_or_default();
        Self { names, rows: lines.collect() }
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|fields| Row { names: &self.names, fields })
    }
}

impl<'a> Row<'a> {
    pub fn text(&self, name: &str) -> &'a str {
        let at = self.names.iter().position(|other| other == name).unwrap_or_else(|| panic!("no column {name}"));
        &self.fields[at]
    }

    /// NaN for an empty field.
    pub fn number(&self, name: &str) -> f64 {
        match self.text(name) {
            "" => f64::NAN,
            text => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        }
    }
}

pub fn months_by_well(table: &Table, level: &str) -> BTreeMap<String, Vec<MonthlyLevel>> {
    let mut wells: BTreeMap<String, Vec<MonthlyLevel>> = BTreeMap::new();
    for row in table.rows().filter(|row| !row.text(level).is_empty()) {
        let month = Month::parse(row.text("month")).unwrap();
        wells.entry(row.text("well_id").to_owned()).or_default().push(MonthlyLevel::of(month, row.number(level)));
    }
    wells
}

/// Both NaN, or near by the larger one.
pub fn agree(found: f64, expected: f64, relative: f64, what: &str) {
    let near = (found - expected).abs() <= relative * expected.abs().max(found.abs());
    assert!(near || found.is_nan() && expected.is_nan(), "{what}: {found:e} {expected:e}");
}
