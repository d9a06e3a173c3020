//! The `ioos` mode against the flags that ioos_qc gave on 460,000 real readings with defects put in.
//!
//! The folder with the golden files comes from `GWBANK_SHARED`, else `../shared` beside the workspace; without it the test
//! says so and passes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use gwbank_model::{QualityFlag, Timestamp};
use gwbank_quality::{Span, ioos};

fn golden(name: &str) -> Option<File> {
    let shared = std::env::var_os("GWBANK_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    match File::open(shared.join("golden").join(name)) {
        Ok(file) => Some(file),
        Err(error) => {
            eprintln!("not tested against golden/{name}: {error}");
            None
        }
    }
}

/// Columns by name.
struct Table {
    header: csv::StringRecord,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    fn read(source: impl std::io::Read) -> Self {
        let mut reader = csv::Reader::from_reader(source);
        let header = reader.headers().unwrap().clone();
        Self { header, rows: reader.records().map(Result::unwrap).collect() }
    }
    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"))
    }
}

#[derive(Default)]
struct Series {
    times: Vec<Timestamp>,
    values: Vec<f64>,
    expected: BTreeMap<&'static str, Vec<QualityFlag>>,
}

const TESTS: [&str; 6] = ["gross_range", "spike", "spike_differential", "rate_of_change", "flat_line", "rollup"];

fn read_series(table: &Table) -> BTreeMap<(String, String), Series> {
    let [well, parameter, time, value] = ["well_id", "parameter", "time", "value"].map(|name| table.column(name));
    let flags = TESTS.map(|test| (test, table.column(test)));
    let mut all: BTreeMap<(String, String), Series> = BTreeMap::new();
    for row in &table.rows {
        let series = all.entry((row[well].to_owned(), row[parameter].to_owned())).or_default();
        series.times.push(Timestamp::parse_rfc3339(&row[time]).unwrap());
        series.values.push(if row[value].is_empty() { f64::NAN } else { row[value].parse().unwrap() });
        for (test, column) in flags {
            let flag = QualityFlag::from_code(row[column].parse().unwrap()).unwrap();
            series.expected.entry(test).or_default().push(flag);
        }
    }
    all
}

#[test]
fn ioos_mode_gives_the_flags_of_ioos_qc() {
    let (Some(config), Some(flags)) = (golden("qc_config.csv"), golden("qc_flags.csv.gz")) else { return };
    let config = Table::read(config);
    let mut all = read_series(&Table::read(GzDecoder::new(flags)));
    let mut rows = 0;
    for limits in &config.rows {
        let number = |name: &str| -> f64 { limits[config.column(name)].parse().unwrap() };
        let seconds = |name: &str| -> i64 { limits[config.column(name)].parse().unwrap() };
        let key = (limits[config.column("well_id")].to_owned(), limits[config.column("parameter")].to_owned());
        let Series { times, values, expected } = all.remove(&key).unwrap_or_else(|| panic!("no flags of {key:?}"));

        let suspect = Span::new(number("suspect_min"), number("suspect_max"));
        let gross_range = ioos::gross_range(&values, suspect, Span::new(number("fail_min"), number("fail_max")));
        let (spike_suspect, spike_fail) = (number("spike_suspect"), number("spike_fail"));
        let spike = ioos::spike(&values, ioos::SpikeMethod::Average, spike_suspect, spike_fail);
        let differential = ioos::spike(&values, ioos::SpikeMethod::Differential, spike_suspect, spike_fail);
        let rate_of_change =
            ioos::rate_of_change(&times, &values, number("roc_suspect_per_s"), number("roc_fail_per_s"));
        let flat_line = ioos::flat_line(
            &times,
            &values,
            seconds("flat_suspect_s"),
            seconds("flat_fail_s"),
            number("flat_tolerance"),
        );
        let rollup = ioos::roll_up(&[&gross_range, &spike, &rate_of_change, &flat_line]);
        for (test, ours) in TESTS.into_iter().zip([gross_range, spike, differential, rate_of_change, flat_line, rollup])
        {
            let theirs = &expected[test];
            assert_eq!(ours.len(), theirs.len());
            if let Some(index) = (0..ours.len()).find(|&index| ours[index] != theirs[index]) {
                let differ = (0..ours.len()).filter(|&index| ours[index] != theirs[index]).count();
                panic!(
                    "{key:?} {test}: {differ} differ, first at {index} ({}): ours {}, theirs {}, values {:?}",
                    times[index],
                    ours[index],
                    theirs[index],
                    &values[index.saturating_sub(3)..(index + 2).min(values.len())]
                );
            }
        }
        rows += values.len();
    }
    assert!(all.is_empty(), "series without configuration");
    assert_eq!(rows, 460_000);
}
