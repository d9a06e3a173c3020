//! `gwbank quality`, over files and over a running server.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use gwbank_model::Timestamp;
use serde_json::json;

use crate::program::{Place, until};

const TESTS: [&str; 6] = ["gross_range", "spike", "spike_differential", "rate_of_change", "flat_line", "rollup"];

fn own_golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/gwbank-quality/tests/golden").join(name)
}

fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
    } else {
        { file }.read_to_string(&mut text).unwrap();
    }
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

/// ioos_qc's flags, of the project's own series and of the shared real ones where they are.
#[test]
fn a_file_is_judged_as_ioos_qc_judges_it() {
    let place = Place::new();
    let shared = std::env::var_os("GWBANK_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
        .join("golden");
    let goldens = [
        (own_golden("flags.csv.gz"), own_golden("limits.csv")),
        (shared.join("qc_flags.csv.gz"), shared.join("qc_config.csv")),
    ];
    for (flags, limits) in goldens.iter().filter(|(flags, _)| flags.exists()) {
        let out = place.path("judged.csv");
        let [flags_path, limits, out_path] = [flags, limits, &out].map(|path| path.to_str().unwrap());
        let check = ["quality", "check", flags_path, "--config", limits, "--mode", "ioos", "--out", out_path];
        let told = place.run(&check).good();
        assert!(told.contains("rollup"), "{told}");
        let (expected, found) = (table(flags), table(&out));
        assert_eq!(expected.len(), found.len());
        for (row, (expected, found)) in expected.iter().zip(&found).enumerate() {
            for column in ["well_id", "parameter", "time", "value"].iter().chain(&TESTS) {
                assert_eq!(expected.get(*column), found.get(*column), "{flags_path}, row {row}, {column}");
            }
        }
    }
}

/// Readings of one kind of defect that a mode finds, and its false alarms: by the test of the kind, and by all tests.
#[derive(Debug, Default, Clone, Copy)]
struct Score {
    readings: usize,
    found: usize,
    false_by_kind: usize,
    false_by_all: usize,
}

/// The defects of a series: kind, first and last index.
type Defects = BTreeMap<(String, String), Vec<(String, usize, usize)>>;

/// Flags of a reading by these tests.
type Flags = [u8; 4];
const JUDGED: [&str; 4] = ["spike", "flat_line", "gross_range", "rollup"];
const ROLLUP: usize = 3;

/// Of each series in the order of the file: there are too many rows to keep their texts.
fn flags_of(judged: &Path) -> BTreeMap<(String, String), Vec<Flags>> {
    let mut reader = csv::Reader::from_path(judged).unwrap();
    let head = reader.headers().unwrap().clone();
    let column = |name: &str| head.iter().position(|column| column == name).unwrap();
    let (well, parameter, tests) = (column("well_id"), column("parameter"), JUDGED.map(column));
    let mut found: BTreeMap<(String, String), Vec<Flags>> = BTreeMap::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).unwrap() {
        let flags = tests.map(|test| record[test].parse().unwrap());
        found.entry((record[well].to_owned(), record[parameter].to_owned())).or_default().push(flags);
    }
    found
}

fn score(judged: &BTreeMap<(String, String), Vec<Flags>>, defects: &Defects) -> BTreeMap<String, Score> {
    let tells = |kind: &str, flags: &Flags, test: usize| match kind {
        "missing" => flags[ROLLUP] == 9,
        _ => matches!(flags[test], 3 | 4),
    };
    let test_of = |kind: &str| match kind {
        "spike" => 0,
        "flat" => 1,
        "range" => 2,
        _ => ROLLUP,
    };
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for (series, rows) in judged {
        let mut clean = vec![true; rows.len()];
        for (kind, first, last) in &defects[series] {
            clean[*first..=*last].fill(false);
            let of_kind = scores.entry(kind.clone()).or_default();
            of_kind.readings += last - first + 1;
            of_kind.found += rows[*first..=*last].iter().filter(|flags| tells(kind, flags, ROLLUP)).count();
        }
        let clean: Vec<&Flags> = rows.iter().zip(clean).filter(|(_, clean)| *clean).map(|(flags, _)| flags).collect();
        for (kind, of_kind) in &mut scores {
            of_kind.false_by_kind += clean.iter().filter(|flags| tells(kind, flags, test_of(kind))).count();
            of_kind.false_by_all += clean.iter().filter(|flags| matches!(flags[ROLLUP], 3 | 4)).count();
        }
    }
    scores
}

/// The command in both modes, with the same limits, on readings with known defects: the project's own, and real ones where they
/// are. What the rules are worth is for `crates/gwbank-quality/tests/defects.rs`; here it must come out of the program.
#[test]
fn strict_finds_more_and_cries_less_than_ioos() {
    let place = Place::new();
    let shared = std::env::var_os("GWBANK_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
        .join("golden");
    let tables = [
        ["flags.csv.gz", "limits.csv", "defects.csv"].map(own_golden),
        ["qc_flags.csv.gz", "qc_config.csv", "qc_defects.csv"].map(|name| shared.join(name)),
    ];
    for [flags, limits, defects] in tables.iter().filter(|[flags, ..]| flags.exists()) {
        let mut put_in = Defects::new();
        for row in table(defects) {
            let index = |name: &str| row[name].parse::<usize>().unwrap();
            let found = (row["defect"].clone(), index("first_index"), index("last_index"));
            put_in.entry((row["well_id"].clone(), row["parameter"].clone())).or_default().push(found);
        }
        let judged = ["ioos", "strict"].map(|mode| {
            let out = place.path("judged.csv");
            let [flags, limits, out_path] = [flags, limits, &out].map(|path| path.to_str().unwrap());
            place.run(&["quality", "check", flags, "--config", limits, "--mode", mode, "--out", out_path]).good();
            score(&flags_of(&out), &put_in)
        });
        println!(
            "{}: readings found of those with the defect; false alarms by its test, by all tests",
            flags.display()
        );
        for (kind, ioos) in &judged[0] {
            let strict = &judged[1][kind];
            let text = |score: &Score| {
                format!("{:>6}/{:<6} {:>6} {:>6}", score.found, score.readings, score.false_by_kind, score.false_by_all)
            };
            println!("{kind:>8}  ioos {}   strict {}", text(ioos), text(strict));
            assert!(strict.found >= ioos.found && strict.false_by_kind <= ioos.false_by_kind, "{kind}");
            assert!(strict.false_by_all < ioos.false_by_all, "{kind}");
            let is_perfect = ioos.found == ioos.readings && ioos.false_by_kind == 0;
            let is_better = strict.found > ioos.found || strict.false_by_kind < ioos.false_by_kind;
            assert!(is_better || is_perfect, "{kind}: no better");
        }
    }
}

#[test]
fn rows_come_out_as_they_went_in_and_errors_name_the_place() {
    let place = Place::new();
    let limits = "well_id,parameter,unit,fail_min,fail_max,suspect_min,suspect_max,spike_suspect,spike_fail,roc_suspect_per_s,\
                  roc_fail_per_s,flat_suspect_s,flat_fail_s,flat_tolerance\n\
                  *,depth_to_water,m,0,20,1,10,0.1,0.5,,,,,0\n";
    place.file("limits.csv", limits);
    // Two wells in turn, one of them backwards, a time twice, a column of the file's own.
    let mut rows = String::from("note,well_id,parameter,time,value\n");
    for n in 0..30 {
        let (a, b) = (if n == 10 { "4.0".to_owned() } else { format!("3.{n:02}") }, if n == 5 { "" } else { "25" });
        rows += &format!("first,A,depth_to_water,2026-01-01T{:02}:{:02}:00Z,{a}\n", n / 4, n % 4 * 15);
        rows += &format!("second,B,depth_to_water,2026-01-{:02} 00:00,{b}\n", 30 - n);
    }
    rows += "third,A,depth_to_water,2026-01-01T00:00:00Z,99\n";
    place.file("readings.csv", &rows);
    place.run(&["quality", "check", "readings.csv", "--config", "limits.csv", "--out", "out.csv"]).good();
    let found = table(&place.path("out.csv"));
    assert_eq!(found.len(), 61);
    let columns = |row: usize, names: &[&str]| names.iter().map(|name| found[row][*name].clone()).collect::<Vec<_>>();
    assert_eq!(columns(20, &["note", "well_id", "value", "spike", "rollup"]), ["first", "A", "4.0", "4", "4"]);
    assert_eq!(columns(22, &["value", "spike", "rollup"]), ["3.11", "1", "1"]);
    assert_eq!(columns(11, &["well_id", "value", "gross_range", "rollup"]), ["B", "", "9", "9"]);
    assert_eq!(columns(1, &["gross_range", "rollup"]), ["4", "4"]);
    assert_eq!(columns(60, &["note", "value", "gross_range"]), ["third", "99", "4"]);
    assert_eq!(columns(0, &["gross_range", "rollup"]), ["1", "1"], "its double leaves it alone");

    for (file, text, told) in [
        ("readings.csv", rows.replace("3.03", "three"), "readings.csv: line 8, column value: \"three\" is no number"),
        ("readings.csv", rows.replace("B,depth_to_water", "B,ph"), "no row for well \"B\", parameter \"ph\""),
        (
            "readings.csv",
            rows.replace("2026-01-30 00:00", "yesterday"),
            "line 3, column time: \"yesterday\" is no time",
        ),
        ("readings.csv", rows.replace("well_id", "well"), "has no column \"well_id\""),
        (
            "limits.csv",
            limits.replace("0.1", "much"),
            "limits.csv: line 2, column spike_suspect: \"much\" is no number",
        ),
        ("limits.csv", limits.replace("0,20", "20,0"), "limits.csv: line 2: gross_range.sensor"),
    ] {
        place.file("readings.csv", &rows);
        place.file("limits.csv", limits);
        place.file(file, &text);
        let refused = place.run(&["quality", "check", "readings.csv", "--config", "limits.csv", "--out", "out.csv"]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains(told), "{told}: {}", refused.err);
    }
    let refused = place.run(&["quality", "check", "readings.csv", "--out", "out.csv"]);
    assert!(refused.code == 2 && refused.err.contains("--config FILE is needed"), "{refused:?}");
}

#[test]
fn a_well_has_a_report() {
    let place = Place::new();
    place.file(
        "wells.csv",
        "well_id,bank_type,province_code,latitude,longitude,depth\nUDN-0012,observation,41,17.4,102.8,40\n",
    );
    place.run(&["wells", "import", "wells.csv"]).good();
    let server = place.serve();
    let readings: Vec<_> = (0..200)
        .filter(|n| !(100..120).contains(n))
        .map(|n| {
            let value = if n == 50 { 9.0 } else { 3.0 + f64::from(n % 7) / 100.0 };
            json!({"well": "UDN-0012", "time": 1_767_200_400 + n * 900, "depth_to_water": value})
        })
        .collect();
    server.post_readings(&json!(readings).to_string());
    let report = place.run(&["quality", "report", "--well", "UDN-0012"]).good();
    for told in
        ["UDN-0012  depth_to_water", "readings        180", "spike 1", "15 min", "longest 5.2 h", "worst stretch"]
    {
        assert!(report.contains(told), "{told}:\n{report}");
    }
    let nothing = place.run(&["quality", "report", "--well", "UDN-0012", "--parameter", "ph"]);
    assert_eq!(nothing.code, 1);
    assert_ne!(place.run(&["quality", "report", "--well", "nobody"]).code, 0);
}

/// Three messages with more than the smallest window holds: the first ones are in the archive alone.
fn sixty_thousand_readings() -> Vec<String> {
    let value = |n: i64| if n == 50 { 9.0 } else { 3.0 + (n % 7) as f64 / 100.0 };
    let reading = |n: i64| json!({"well": "UDN-0012", "time": 1_700_000_100 + n * 900, "depth_to_water": value(n)});
    let message = |first: i64| json!((first..first + 20_000).map(reading).collect::<Vec<_>>()).to_string();
    [0, 20_000, 40_000].map(message).to_vec()
}

#[test]
fn imported_limits_judge_stored_readings_anew() {
    let place = Place::new();
    let wells = "well_id,bank_type,province_code,latitude,longitude,depth\nUDN-0012,observation,41,17.4,102.8,40\n";
    place.file("wells.csv", wells);
    place.run(&["wells", "import", "wells.csv"]).good();
    let start = || place.serve_with(&["--set", "window.bytes_max=1048576"]);
    let mut server = start();
    for message in sixty_thousand_readings() {
        server.post_readings(&message);
    }
    server.ask("POST", "/api/v1/flush", &[], b"");
    let far_off = "SELECT quality FROM readings WHERE value = 9";
    let revisions = "SELECT quality, cause FROM reading_revisions WHERE value = 9";
    let shows = |server: &crate::program::Server, statement: &str, text: &str| {
        until(&format!("{statement} to show {text}"), || {
            server.sql(statement).to_string().contains(text).then_some(())
        });
    };
    shows(&server, far_off, "\"quality\":4");
    assert_eq!(server.sql(revisions), json!([]));

    place.file(
        "bad.csv",
        "well_id,parameter,limit_name,value\n*,depth_to_water,spike.off,1\nUDN-0012,ph,spike.much,1\n",
    );
    let refused = place.run(&["quality", "limits", "import", "bad.csv"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("line 3, column limit_name") && refused.err.contains("no such limit"), "{refused:?}");
    let limits = "well_id,parameter,limit_name,value\n*,depth_to_water,spike.off,1\n\
                  UDN-0012,depth_to_water,rate_of_change.off,1\nX-1,ph,spike.suspect,2\n";
    place.file("limits.csv", limits);
    let applied = place.run(&["quality", "limits", "import", "limits.csv"]);
    assert!(applied.err.contains("well X-1 is not registered"), "{applied:?}");
    assert_eq!(applied.good().trim(), "3 limits applied");
    shows(&server, far_off, "\"quality\":1");
    shows(&server, revisions, "\"cause\":\"quality\"");
    shows(&server, revisions, "\"quality\":4");
    let rows = server.sql("SELECT well_id, unit, value FROM quality_limits WHERE source = 'table' ORDER BY limit_name");
    assert_eq!(rows.as_array().map(Vec::len), Some(3), "{rows}");
    let listed =
        place.run(&["quality", "limits", "list", "--well", "UDN-0012", "--parameter", "depth_to_water"]).good();
    for told in ["rate_of_change.off", "gross_range.sensor_max", "default", "table"] {
        assert!(listed.contains(told), "{told}:\n{listed}");
    }

    // What the table has stays; what is taken out of it counts no more, without a server too.
    server.terminate();
    let remove = ["quality", "limits", "remove", "spike.off", "--parameter", "depth_to_water"];
    place.run(&remove).good();
    assert_ne!(place.run(&remove).code, 0, "it is there no more");
    let listed = place.run(&["quality", "limits", "list", "--well", "X-1"]).good();
    assert!(listed.contains("X-1") && !listed.contains("spike.off"), "{listed}");
    server = start();
    shows(&server, far_off, "\"quality\":4");
    server.terminate();
}

/// Absolute pressure weighs the air, too: without a barometer it says nothing of the water.
#[test]
fn pressure_without_a_barometer_is_suspect_until_one_is_registered() {
    let place = Place::new();
    let wells = "well_id,bank_type,province_code\nUDN-0012,observation,41\nbaro-1,observation,41\n";
    place.file("wells.csv", wells);
    place.run(&["wells", "import", "wells.csv"]).good();
    let server = place.serve();
    let readings: Vec<_> = (0..8)
        .map(|n| {
            let kpa = 140.0 + f64::from(n) / 100.0;
            json!({"well": "UDN-0012", "time": 1_767_200_400 + n * 900, "parameter": "water_pressure_absolute", "value": kpa,
                "unit": "kPa"})
        })
        .collect();
    server.post_readings(&json!(readings).to_string());
    let flags = |server: &crate::program::Server| {
        server.sql("SELECT quality, qc_tests, count(*) AS n FROM readings GROUP BY 1, 2").as_array().unwrap().clone()
    };
    let uncompensated = 1 << 11;
    let told = flags(&server);
    assert_eq!((&told[0]["quality"], &told[0]["n"]), (&json!(3), &json!(8)), "{told:?}");
    assert_eq!(told[0]["qc_tests"].as_i64().unwrap() & uncompensated, uncompensated);
    place.file(
        "installations.csv",
        "well_id,parameter,barometer_id,valid_from\nUDN-0012,water_pressure_absolute,baro-1,2025-01-01T00:00:00+07:00\n",
    );
    place.run(&["installations", "import", "installations.csv"]).good();
    until("the readings are judged anew", || {
        let told = flags(&server);
        (told.len() == 1 && told[0]["quality"] != 3).then_some(())
    });
}

/// Twice a day over fourteen months that have closed; the third well hangs 0.6 m elsewhere for two weeks.
fn history_of_three_wells(now_secs: i64) -> (String, i64) {
    let off_from = now_secs - 75 * 86_400;
    let mut rows = String::from("well_id,time,parameter,value,unit\n");
    for (number, well) in ["UDN-0001", "UDN-0002", "UDN-0003"].into_iter().enumerate() {
        for time in (now_secs - 460 * 86_400..now_secs - 40 * 86_400).step_by(43_200) {
            let days = time as f64 / 86_400.0;
            let own = ((time / 43_200 * 7_919 + number as i64 * 104_729).rem_euclid(1009) as f64 / 1009.0 - 0.5) * 0.01;
            let off = if number == 2 && (off_from..off_from + 14 * 86_400).contains(&time) { 0.6 } else { 0.0 };
            let depth = 10.0 + (0.6 + 0.2 * number as f64) * (days / 58.0).sin() + own + off;
            let time = Timestamp::from_secs(time).to_rfc3339(0);
            rows.push_str(&format!("{well},{time},depth_to_water,{depth:.4},m\n"));
        }
    }
    (rows, off_from)
}

/// What needs other wells, or hindsight, is found when months have closed, and stored readings are judged by it.
#[test]
fn the_well_that_departs_from_its_neighbours_is_suspect_once_its_months_have_closed() {
    let place = Place::new();
    let wells = "well_id,bank_type,province_code,aquifer\nUDN-0001,observation,41,Korat\nUDN-0002,observation,41,Korat\n\
                 UDN-0003,observation,41,Korat\n";
    place.file("wells.csv", wells);
    place.run(&["wells", "import", "wells.csv"]).good();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let (rows, off_from) = history_of_three_wells(now);
    place.file("history.csv", &rows);
    let server = place.serve();
    place.run(&["readings", "import", "history.csv"]).good();

    const NEIGHBOUR: i64 = 1 << 10;
    let departed = format!(
        "SELECT well_id, count(*) AS n, min(quality) AS best, max(quality) AS worst FROM readings \
         WHERE qc_tests & {NEIGHBOUR} > 0 GROUP BY well_id ORDER BY well_id"
    );
    until("the readings of the third well to be suspect", || {
        let told = server.sql(&departed);
        let all_of_one = told.as_array().is_some_and(|wells| wells.len() == 1 && wells[0]["n"].as_i64() >= Some(24));
        all_of_one.then_some(())
    });
    let told = server.sql(&departed);
    assert_eq!((&told[0]["well_id"], &told[0]["best"], &told[0]["worst"]), (&json!("UDN-0003"), &json!(3), &json!(3)));
    let before = server
        .sql("SELECT DISTINCT well_id, quality, cause FROM reading_revisions WHERE cause = 'quality' AND qc_tests = 0");
    assert_eq!(before, json!([{"well_id": "UDN-0003", "quality": 1, "cause": "quality"}]));
    let found = server.sql("SELECT DISTINCT well_id, test FROM quality_findings ORDER BY test");
    let by = |test: &str| json!({"well_id": "UDN-0003", "test": test});
    assert_eq!(found, json!([by("level_shift"), by("neighbour")]));
    let report = place.run(&["quality", "report", "--well", "UDN-0003"]).good();
    assert!(report.contains("neighbour: departs from what 2 wells of the aquifer foretell"), "{report}");

    // What comes late into the stretch is judged with it at once.
    let late = Timestamp::from_secs(off_from + 7 * 86_400 + 3_600).to_rfc3339(0);
    place.file("late.csv", &format!("well_id,time,parameter,value,unit\nUDN-0003,{late},depth_to_water,10.9,m\n"));
    place.run(&["readings", "import", "late.csv"]).good();
    let judged = server.sql("SELECT qc_tests FROM readings WHERE value = 10.9");
    assert_eq!(judged[0]["qc_tests"].as_i64().unwrap() & NEIGHBOUR, NEIGHBOUR, "{judged}");
    server.terminate();
}
