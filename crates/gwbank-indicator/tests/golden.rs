//! Monthly levels, SGI, percentile and class of the real wells against the golden files.
//!
//! The files lie in the folder named by `GWBANK_SHARED`, else in `../shared` beside the project; without them the test
//! says so and passes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use gwbank_indicator::{MonthRules, MonthlyLevel, Sense, StandingRules, daily_means, monthly_levels, standings};
use gwbank_model::{Month, Timestamp};

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("GWBANK_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    if folder.join("golden/sgi.csv.gz").is_file() {
        return Some(folder);
    }
    eprintln!("golden files are absent, nothing is compared: {}", folder.display());
    None
}

fn read_gz(path: &Path) -> String {
    let mut text = String::new();
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    GzDecoder::new(file).read_to_string(&mut text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text
}

/// Rows of a golden file by well, as fields.
fn golden(folder: &Path, name: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let text = read_gz(&folder.join("golden").join(name));
    let mut wells: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        wells.entry(fields[0].clone()).or_default().push(fields);
    }
    wells
}

/// The one level series of a well.
fn level_series(folder: &Path, well: &str) -> (Sense, Vec<(Timestamp, f64)>) {
    let text = read_gz(&folder.join(format!("data/series/{well}.csv.gz")));
    let mut series: Option<(Sense, Vec<(Timestamp, f64)>)> = None;
    for line in text.lines().skip(1) {
        let mut fields = line.split(',').skip(1);
        let (time, parameter, value) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
        let sense = match parameter {
            "depth_to_water" => Sense::Depth,
            "groundwater_level" => Sense::Elevation,
            _ => continue,
        };
        let (first_sense, points) = series.get_or_insert((sense, Vec::new()));
        assert_eq!(*first_sense, sense, "{well} has two level parameters");
        points.push((Timestamp::parse_rfc3339(time).unwrap(), value.parse().unwrap()));
    }
    series.unwrap_or_else(|| panic!("{well} has no level"))
}

fn close(found: f64, expected: f64, relative: f64) -> bool {
    (found - expected).abs() <= relative * expected.abs().max(found.abs())
}

fn months_of(folder: &Path, well: &str) -> Vec<MonthlyLevel> {
    let (sense, points) = level_series(folder, well);
    monthly_levels(&daily_means(&points, 0), &MonthRules::golden(sense)).levels
}

#[test]
fn real_wells_equal_the_golden_files() {
    let Some(folder) = shared() else { return };
    let (monthly, sgi) = (golden(&folder, "monthly.csv.gz"), golden(&folder, "sgi.csv.gz"));
    let percentile = golden(&folder, "percentile.csv.gz");
    let far = Month::new(3000, 1);
    let mut compared = (0usize, 0usize, 0usize);
    let wells: BTreeSet<&String> = monthly.keys().chain(sgi.keys()).collect();
    for well in wells {
        let months = months_of(&folder, well);
        let rows = &monthly[well];
        assert_eq!(months.len(), rows.len(), "{well}: months");
        for (found, row) in months.iter().zip(rows) {
            let at = format!("{well} {}", row[1]);
            assert_eq!(found.month.to_string(), row[1], "{at}");
            assert_eq!(found.count.to_string(), row[2], "{at}: n_obs");
            assert_eq!(found.days.to_string(), row[3], "{at}: n_days");
            let (mean, level): (f64, f64) = (row[5].parse().unwrap(), row[6].parse().unwrap());
            assert!(close(found.mean.unwrap(), mean, 1e-12), "{at}: mean {:?} {mean}", found.mean);
            assert!(close(found.level.unwrap(), level, 1e-12), "{at}: level {:?} {level}", found.level);
            compared.0 += 1;
        }
        let found = standings(&months, far, &StandingRules::golden());
        for row in sgi.get(well).into_iter().flatten() {
            let standing = found.iter().find(|s| s.month.to_string() == row[1]).unwrap();
            let expected: f64 = row[8].parse().unwrap();
            assert_eq!(standing.n().to_string(), row[3], "{well} {}: n", row[1]);
            let value = *standing.sgi().value().unwrap();
            assert!((value - expected).abs() <= 1e-9, "{well} {}: sgi {value} {expected}", row[1]);
            compared.1 += 1;
        }
        for row in percentile.get(well).into_iter().flatten() {
            let standing = found.iter().find(|s| s.month.to_string() == row[1]).unwrap();
            if row[4].is_empty() {
                continue;
            }
            let expected: f64 = row[4].parse().unwrap();
            assert_eq!(standing.percentile_raw, expected, "{well} {}: percentile", row[1]);
            if !row[5].is_empty() {
                let class = standing.percentile_class().value().unwrap().code();
                assert_eq!(class.to_string(), row[5], "{well} {}: class", row[1]);
            }
            compared.2 += 1;
        }
    }
    assert!(compared.0 > 30_000 && compared.1 > 30_000 && compared.2 > 30_000, "{compared:?}");
}

/// Data that comes in another order, or a year later, ends at the same bits.
#[test]
fn order_of_arrival_leaves_no_trace_on_a_real_well() {
    let Some(folder) = shared() else { return };
    let (sense, mut points) = level_series(&folder, "TH-BKK003-BK2");
    let standing = |points: &[(Timestamp, f64)]| {
        let months = monthly_levels(&daily_means(points, 0), &MonthRules::golden(sense)).levels;
        standings(&months, Month::new(3000, 1), &StandingRules::default())
    };
    let in_order = standing(&points);
    points.sort_by(|a, b| a.1.total_cmp(&b.1));
    assert_eq!(standing(&points), in_order);
    points.reverse();
    assert_eq!(standing(&points), in_order);
}
