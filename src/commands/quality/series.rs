//! The readings of a CSV by series, and the places of their rows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::anyhow;
use flate2::read::MultiGzDecoder;
use gwbank_model::Timestamp;

use crate::failure::{Failure, Outcome};

/// Readings of one series, in the order of the file.
#[derive(Debug)]
pub struct Series {
    pub well: String,
    pub parameter: String,
    /// Line of the first one.
    pub line: u64,
    pub times: Vec<Timestamp>,
    /// NaN is missing.
    pub values: Vec<f64>,
    /// Rows of the file, from 0.
    pub rows: Vec<usize>,
}

pub fn open(path: &Path) -> Outcome<csv::Reader<Box<dyn Read>>> {
    let file =
        File::open(path).map_err(|error| Failure::usage(anyhow!("{} cannot be read: {error}", path.display())))?;
    let is_gz = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let source: Box<dyn Read> =
        if is_gz { Box::new(MultiGzDecoder::new(BufReader::new(file))) } else { Box::new(BufReader::new(file)) };
    Ok(csv::ReaderBuilder::new().flexible(false).from_reader(source))
}

pub fn read(path: &Path) -> Outcome<Vec<Series>> {
    let wrong = |what: String| Failure::usage(anyhow!("{}: {what}", path.display()));
    let mut reader = open(path)?;
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let place = |name: &str| {
        let found = header.iter().position(|column| column.trim().trim_start_matches('\u{feff}') == name);
        found.ok_or_else(|| wrong(format!("has no column {name:?}: well_id, parameter, time and value are needed")))
    };
    let (well, parameter, time, value) = (place("well_id")?, place("parameter")?, place("time")?, place("value")?);
    let mut all: Vec<Series> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let mut last: Option<usize> = None; // rows of a series mostly stand together
    let mut record = csv::StringRecord::new();
    let mut row = 0;
    while reader.read_record(&mut record).map_err(|error| wrong(error.to_string()))? {
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |place: usize| record[place].trim();
        let is_same = |series: &Series| series.well == cell(well) && series.parameter == cell(parameter);
        let index = match last.filter(|&last| is_same(&all[last])) {
            Some(last) => last,
            None => {
                let key = (cell(well).to_owned(), cell(parameter).to_owned());
                *places.entry(key).or_insert_with(|| {
                    let (well, parameter) = (cell(well).to_owned(), cell(parameter).to_owned());
                    let (times, values, rows) = (Vec::new(), Vec::new(), Vec::new());
                    all.push(Series { well, parameter, line, times, values, rows });
                    all.len() - 1
                })
            }
        };
        last = Some(index);
        let series = &mut all[index];
        series.times.push(instant(cell(time)).ok_or_else(|| {
            wrong(format!("line {line}, column time: {:?} is no time; write 2026-11-23T10:15:00+07:00", cell(time)))
        })?);
        series.values.push(number(cell(value)).ok_or_else(|| {
            wrong(format!(
                "line {line}, column value: {:?} is no number; leave it empty where it is missing",
                cell(value)
            ))
        })?);
        series.rows.push(row);
        row += 1;
    }
    Ok(all)
}

/// RFC 3339; a time without a zone is taken as one of UTC, as only differences between times matter here.
fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| {
        let rest = match text.len() {
            10 => "T00:00:00", // a date alone
            16 => ":00",
            _ => "",
        };
        Timestamp::parse_rfc3339(&format!("{}{rest}Z", text.replacen(' ', "T", 1)))
    })
}

fn number(text: &str) -> Option<f64> {
    match text {
        "" | "NaN" | "nan" | "NA" | "null" => Some(f64::NAN),
        // Rust reads inf, and numbers that are too large as infinite.
        text => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_infinite() {
        for text in ["inf", "-inf", "Infinity", "1e999", "x"] {
            assert_eq!(number(text), None, "{text}");
        }
        assert!(["", "NaN", "NA"].iter().all(|text| number(text).is_some_and(f64::is_nan)));
        assert_eq!(number("-3.5e2"), Some(-350.0));
    }
}
