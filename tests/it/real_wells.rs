//! Real wells through a running server: the droughts of 1976, 2003 and 2018 in the Netherlands and the fall and recovery of
//! Bangkok's heads, by `gwbank hindcast` and by SQL.
//!
//! Of each well the first reading of every third of a month is imported: three a month tell a month's level, and all of the Dutch
//! loggers would be 1.2 million readings. Countries stand for provinces and sites for districts, as in the replay of the
//! library (`crates/gwbank-hindcast/tests/real_wells.rs`). Where the shared series are not, the test says so and ends.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::program::{Place, until};

const DUTCH: &str = "30";
const BANGKOK: &str = "10";

fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("GWBANK_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    if shared.join("data/wells.csv").is_file() {
        return Some(shared);
    }
    eprintln!("no reference series at {}: no drought to find", shared.display());
    None
}

/// Ids of the Dutch and the Thai wells with the group of filters that they belong to, by the head of the list.
fn wells(shared: &Path) -> Vec<(String, String)> {
    let mut table = csv::Reader::from_path(shared.join("data/wells.csv")).expect("the list of wells");
    let rows = table.deserialize().map(|row: Result<BTreeMap<String, String>, _>| row.expect("a row"));
    let wanted = |row: &BTreeMap<String, String>| {
        row["kind"] == "well" && (row["well_id"].starts_with("NL-") || row["well_id"].starts_with("TH-"))
    };
    rows.filter(wanted).map(|row| (row["well_id"].clone(), row["group"].clone())).collect()
}

fn province(well: &str) -> &'static str {
    if well.starts_with("NL-") { DUTCH } else { BANGKOK }
}

fn registry(wells: &[(String, String)]) -> String {
    let groups: BTreeSet<(&str, &str)> = wells.iter().map(|(well, group)| (province(well), group.as_str())).collect();
    let mut districts: BTreeMap<&str, u32> = BTreeMap::new();
    let district: BTreeMap<&str, String> = groups
        .into_iter()
        .map(|(province, group)| {
            let number = districts.entry(province).or_default();
            *number += 1;
            (group, format!("{province}{number:02}"))
        })
        .collect();
    let mut csv = "well_id,province_code,district_code,bank_type,sampling\n".to_owned();
    for (well, group) in wells {
        csv += &format!("{well},{},{},observation,manual\n", province(well), district[group.as_str()]);
    }
    csv
}

/// The first level of every third of a month.
fn thinned(series: &Path) -> String {
    let mut text = String::new();
    let packed = std::fs::File::open(series).expect("opened");
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("unpacked");
    let mut kept = String::new();
    let mut last = None;
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [_, time, "groundwater_level" | "depth_to_water", ..] = fields[..] else { continue };
        let day: u32 = time[8..10].parse().expect("a day");
        let third = (time[..7].to_owned(), (day - 1).min(29) / 10);
        if last.as_ref() != Some(&third) {
            kept += &format!("{line}\n");
            last = Some(third);
        }
    }
    kept
}

/// Wells of which a drought flag was raised or worsened in a year, and those of them to severe or worse.
#[derive(Debug, Default)]
struct Year {
    raised: usize,
    severe: usize,
}

fn years(changes: &Path, province: &str) -> BTreeMap<i32, Year> {
    let mut table = csv::Reader::from_path(changes).expect("changes");
    let mut years: BTreeMap<i32, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for row in table.deserialize().map(|row: Result<BTreeMap<String, String>, _>| row.expect("a row")) {
        let claims = matches!(row["transition"].as_str(), "raised" | "escalated");
        if row["scope"] != "well" || row["province_code"] != province || !claims {
            continue;
        }
        let (raised, severe) = years.entry(row["month"][..4].parse().expect("a year")).or_default();
        raised.insert(row["place"].clone());
        if matches!(row["severity"].as_str(), "severe" | "extreme") {
            severe.insert(row["place"].clone());
        }
    }
    let year = |(raised, severe): (BTreeSet<_>, BTreeSet<_>)| Year { raised: raised.len(), severe: severe.len() };
    years.into_iter().map(|(at, found)| (at, year(found))).collect()
}

fn count_of_year(row: &serde_json::Value) -> Option<(i64, f64)> {
    Some((row["year"].as_i64()?, row["n"].as_f64()?))
}

#[test]
fn known_droughts_of_real_wells_stand_out() {
    let Some(shared) = shared() else { return };
    let wells = wells(&shared);
    let place = Place::new();
    place.file("wells.csv", &registry(&wells));
    place.run(&["wells", "import", "wells.csv"]).good();
    let mut csv = "well_id,time,parameter,value,unit\n".to_owned();
    for (well, _) in &wells {
        csv += &thinned(&shared.join(format!("data/series/{well}.csv.gz")));
    }
    let rows = csv.lines().count() as u64 - 1;
    place.file("levels.csv", &csv);
    let server = place.serve();
    let map = format!("{}/tests/fixtures/real_series.toml", env!("CARGO_MANIFEST_DIR"));
    place.run(&["readings", "import", "levels.csv", "--map", &map]).good();
    until("all levels are stored", || {
        (server.sql("SELECT count(*) AS n FROM readings")[0]["n"].as_u64()? == rows).then_some(())
    });
    let events =
        "scope,code,hazard,start,end\nprovince,30,drought,1995-07,1997-12\nprovince,30,drought,2003-06,2003-12\n";
    place.file("events.csv", events);
    let asked = ["hindcast", "--from", "1970-01", "--to", "2020-12", "--hazard", "drought", "--climates", "0"];
    let files = ["--out", "changes.csv", "--against", "events.csv"];
    let told = place.run(&[&asked[..], &files].concat()).good();
    assert!(told.contains("drought against known events\ndetected 2 of 2 events"), "{told}");

    let (dutch, bangkok) = (years(&place.path("changes.csv"), DUTCH), years(&place.path("changes.csv"), BANGKOK));
    // Many Dutch records end in January 2018.
    let sql = "SELECT CAST(date_part('year', time) AS BIGINT) AS year, count(DISTINCT well_id) AS n FROM readings \
               WHERE well_id LIKE 'NL-%' AND date_part('month', time) BETWEEN 8 AND 10 GROUP BY 1";
    let rows = server.sql(sql);
    let measured: BTreeMap<i64, f64> = rows.as_array().expect("rows").iter().filter_map(count_of_year).collect();
    println!(
        "wells of which a drought flag was raised or worsened, to severe or worse in brackets: year  Netherlands  Bangkok"
    );
    for year in 1970..=2020 {
        let text = |years: &BTreeMap<i32, Year>| {
            years.get(&year).map_or("-".to_owned(), |found| format!("{} ({})", found.raised, found.severe))
        };
        println!("{year} {:>9} {:>9}", text(&dutch), text(&bangkok));
    }
    let raised = |years: &BTreeMap<i32, Year>, year: i32| years.get(&year).map_or(0, |found| found.raised);
    let severe = |year: i32| dutch.get(&year).map_or(0, |found| found.severe) as f64 / measured[&i64::from(year)];
    for (drought, around) in [(1976, [1974, 1975, 1977, 1978]), (2003, [2001, 2002, 2004, 2005])] {
        let least = around.into_iter().map(|year| raised(&dutch, year)).max().unwrap();
        assert!(raised(&dutch, drought) > least, "{drought}: {} for {least}", raised(&dutch, drought));
    }
    let before = (1999..2018).filter(|year| *year != 2003).map(severe).fold(0.0, f64::max);
    assert!(severe(2018) > before, "2018: {} for {before}", severe(2018));
    let of = |years: std::ops::RangeInclusive<i32>| years.map(|year| raised(&bangkok, year)).sum::<usize>();
    assert!(of(1991..=1997) > 5 * of(2001..=2020).max(1), "heads fell, and rise since pumping was limited");

    // With hindsight, in the table: the droughts are the lowest summers of their decades.
    let sgi = until("the indicators are computed", || {
        let sql = "SELECT CAST(date_part('year', period) AS BIGINT) AS year, avg(value) AS sgi, count(value) AS n \
                   FROM indicators WHERE indicator = 'sgi' AND scope = 'well' AND province_code = '30' \
                   AND date_part('month', period) BETWEEN 8 AND 10 GROUP BY 1 HAVING count(value) >= 10";
        let rows = server.sql(sql).as_array().cloned()?;
        let year = |row: &serde_json::Value| Some((row["year"].as_i64()?, row["sgi"].as_f64()?));
        (rows.len() > 40).then(|| rows.iter().filter_map(year).collect::<BTreeMap<i64, f64>>())
    });
    println!("mean SGI of the Dutch wells, August to October: {sgi:.2?}");
    for drought in [1976, 2003, 2018] {
        let around = (drought - 4..=drought + 4).filter(|year| *year != drought).filter_map(|year| sgi.get(&year));
        let lowest = around.copied().fold(f64::INFINITY, f64::min);
        assert!(sgi[&drought] < lowest && sgi[&drought] < -0.5, "{drought}: {} for {lowest}", sgi[&drought]);
    }
}
