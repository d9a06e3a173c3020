//! The same SQL gives the same answers on every kind of archive: `tests/sql/*.slt`.

use gwbank_testkit::Postgres;
use serde_json::{Value, json};
use sqllogictest::{DBOutput, DefaultColumnType};

use crate::conservation::wells_csv;
use crate::program::{Place, Server};

/// A server as the runner of the files sees it.
struct OverHttp<'a>(&'a Server);

#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl sqllogictest::DB for OverHttp<'_> {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let headers = [("content-type", "application/json"), ("accept", "text/csv")];
        let body = json!({ "sql": sql }).to_string();
        let (status, answer) = self.0.ask("POST", "/api/v1/sql", &headers, body.as_bytes());
        let answer = String::from_utf8(answer).expect("text");
        if status != 200 {
            return Err(Refused(answer));
        }
        // No value of these tests holds a comma.
        let mut lines = answer.lines();
        let columns = lines.next().unwrap_or_default().split(',').count();
        let cell = |cell: &str| if cell.is_empty() { "NULL".to_owned() } else { cell.to_owned() };
        let rows = lines.map(|line| line.split(',').map(cell).collect()).collect();
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }
}

fn check(server: &Server, file: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql").join(file);
    let mut runner = sqllogictest::Runner::new(|| async { Ok(OverHttp(server)) });
    runner.run_file(path).unwrap_or_else(|error| panic!("{}", error.display(false)));
}

fn update(server: &Server, file: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql").join(file);
    let mut runner = sqllogictest::Runner::new(|| async { Ok(OverHttp(server)) });
    let updating = runner.update_test_file(
        path,
        " ",
        sqllogictest::default_validator,
        sqllogictest::default_normalizer,
        sqllogictest::default_column_validator,
    );
    futures::executor::block_on(updating).expect("updated");
}

/// More than a window of the least size holds: history, then corrections and late readings, then what is not archived yet.
fn fill(server: &Server) {
    const HOURS: i64 = 10_000;
    let reading = |well: i64, hour: i64, value: f64| -> Value {
        let time = 1_704_042_000 + hour * 3600; // 2024-01-01 in Thailand
        let mut reading = json!({"well": format!("W{well}"), "time": time, "depth_to_water": value});
        if hour % 97 == 0 {
            reading["status"] = "pumping".into();
        }
        reading
    };
    let value = |well: i64, hour: i64| (hour * 7 % 100) as f64 / 50.0 + well as f64 * 5.0 + (hour / 2_000) as f64;
    let post = |readings: Vec<Value>| {
        for readings in readings.chunks(5_000) {
            assert_eq!(server.post_readings(&json!(readings).to_string())["dead"], 0);
        }
        assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
    };
    let all = |filter: fn(i64) -> bool| {
        (0..3).flat_map(move |well| (0..HOURS).filter(move |hour| filter(*hour)).map(move |hour| (well, hour)))
    };
    post(all(|hour| hour % 10 != 3).map(|(well, hour)| reading(well, hour, value(well, hour))).collect());
    post(all(|hour| hour % 10 == 3).map(|(well, hour)| reading(well, hour, value(well, hour))).collect());
    post(all(|hour| hour % 1_000 == 500).map(|(well, hour)| reading(well, hour, value(well, hour) + 0.25)).collect());
    let recent: Vec<Value> = (0..3).map(|well| reading(well, HOURS, 3.0)).collect();
    assert_eq!(server.post_readings(&json!(recent).to_string())["stored"], 3);
    let correction = json!([reading(1, 42, 12.5)]).to_string();
    server.post_readings(&correction); // of what is archived, and waits
}

/// Small windows, so that most is read from the archive; a flush an hour, so that some is not there yet.
const SETTINGS: [&str; 4] = ["--set", "window.bytes_max=1048576", "--set", "archive.flush_interval_seconds=3600"];

#[test]
fn files_of_sql_give_the_same_on_every_archive() {
    let embedded = Place::new();
    let database = Place::new();
    let url = Postgres::shared().empty_database();
    let url = format!("archive.url={url}");
    let in_database = ["--set", "archive.kind=timescale", "--set", &url];
    database.run(&[&["migrate"], &in_database[..]].concat()).good();
    for (place, settings) in [(&embedded, SETTINGS.to_vec()), (&database, [&SETTINGS[..], &in_database].concat())] {
        let csv = place.file("wells.csv", &wells_csv());
        place.run(&[&["wells", "import", csv.to_str().expect("a path")], &settings[..]].concat()).good();
        let server = place.serve_with(&settings);
        fill(&server);
        if std::env::var_os("GWBANK_UPDATE_SQL").is_some() && settings.len() == SETTINGS.len() {
            update(&server, "history.slt");
        }
        check(&server, "history.slt");
        assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
        check(&server, "history.slt");
        assert_eq!(server.terminate().0, Some(0));
        check(&place.serve_with(&settings), "history.slt");
    }
}
