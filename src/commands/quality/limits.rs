//! The limits of `gwbank quality check`: a CSV of one row a series.
//!
//! Columns `well_id` and `parameter`, and the limits below, in the unit of the values; others are passed over. `*` as well
//! or parameter stands for every one that has no row of its own. An empty limit is none.

use std::collections::HashMap;
use std::path::Path;

use anyhow::anyhow;
use gwbank_quality::{CheckLimits, Span};

use crate::failure::{Failure, Outcome};

const COLUMNS: [&str; 11] = [
    "fail_min",
    "fail_max",
    "suspect_min",
    "suspect_max",
    "spike_suspect",
    "spike_fail",
    "roc_suspect_per_s",
    "roc_fail_per_s",
    "flat_suspect_s",
    "flat_fail_s",
    "flat_tolerance",
];

/// Longer than any record.
const NEVER_SECONDS: f64 = 1e11;

/// The limits of a series, and its unit where the file says it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesLimits {
    pub limits: CheckLimits,
    pub unit: Option<String>,
}

/// By well and parameter.
#[derive(Debug, Default)]
pub struct LimitsFile(HashMap<(String, String), SeriesLimits>);

impl LimitsFile {
    pub fn read(path: &Path) -> Outcome<Self> {
        let wrong = |what: String| Failure::usage(anyhow!("{}: {what}", path.display()));
        let reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path);
        let mut reader = reader.map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
        let place = |name: &str| header.iter().position(|column| column.trim_start_matches('\u{feff}') == name);
        let needed = |name: &str| {
            place(name).ok_or_else(|| wrong(format!("has no column {name:?}; it has {}", joined(&header))))
        };
        let (well, parameter, unit) = (needed("well_id")?, needed("parameter")?, place("unit"));
        let mut places = [0; COLUMNS.len()];
        for (place, name) in places.iter_mut().zip(COLUMNS) {
            *place = needed(name)?;
        }
        let mut found = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let mut numbers = [f64::NAN; COLUMNS.len()];
            for ((number, &place), name) in numbers.iter_mut().zip(&places).zip(COLUMNS) {
                let text = &record[place];
                if !text.is_empty() {
                    let read = text.parse::<f64>().ok().filter(|number| number.is_finite());
                    *number = read.ok_or_else(|| {
                        wrong(format!("line {line}, column {name}: {text:?} is no number; leave it empty for no limit"))
                    })?;
                }
            }
            let limits = limits(numbers);
            limits.strict().map_err(|error| wrong(format!("line {line}: {error}")))?;
            let key = (record[well].to_owned(), record[parameter].to_owned());
            let unit = unit.map(|unit| record[unit].to_owned()).filter(|unit| !unit.is_empty());
            if found.insert(key, SeriesLimits { limits, unit }).is_some() {
                let (well, parameter) = (&record[well], &record[parameter]);
                return Err(wrong(format!(
                    "line {line}: another row for well {well:?}, parameter {parameter:?}; keep one"
                )));
            }
        }
        Ok(Self(found))
    }

    pub fn of(&self, well: &str, parameter: &str) -> Option<&SeriesLimits> {
        let get = |well: &str, parameter: &str| self.0.get(&(well.to_owned(), parameter.to_owned()));
        get(well, parameter).or_else(|| get(well, "*")).or_else(|| get("*", parameter)).or_else(|| get("*", "*"))
    }
}

fn joined(header: &csv::StringRecord) -> String {
    header.iter().collect::<Vec<_>>().join(", ")
}

fn limits(numbers: [f64; COLUMNS.len()]) -> CheckLimits {
    let [
        fail_min,
        fail_max,
        suspect_min,
        suspect_max,
        spike_suspect,
        spike_fail,
        roc_suspect,
        roc_fail,
        flat_suspect,
        flat_fail,
        tolerance,
    ] = numbers;
    let or = |number: f64, none: f64| if number.is_nan() { none } else { number };
    CheckLimits {
        fail: Span::new(or(fail_min, f64::NEG_INFINITY), or(fail_max, f64::INFINITY)),
        suspect: Span::new(or(suspect_min, f64::NEG_INFINITY), or(suspect_max, f64::INFINITY)),
        spike_suspect: or(spike_suspect, f64::INFINITY),
        spike_fail: or(spike_fail, f64::INFINITY),
        rate_suspect_per_second: or(roc_suspect, f64::INFINITY),
        rate_fail_per_second: or(roc_fail, f64::INFINITY),
        flat_suspect_seconds: or(flat_suspect, NEVER_SECONDS) as i64,
        flat_fail_seconds: or(flat_fail, NEVER_SECONDS) as i64,
        flat_tolerance: or(tolerance, 0.0),
    }
}
