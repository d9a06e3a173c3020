//! The same SQL gives the same answers on every kind of archive: `tests/sql/*.slt`.

use std::path::PathBuf;

use gwbank_testkit::Postgres;
use serde_json::{Value, json};

use crate::conservation::wells_csv;
use crate::program::{Place, Server};

/// A file in the format of sqllogictest, of which it uses `query TYPES` and `query error`. The crate of that name brings
/// features of others that build DataFusion once more.
struct SqlFile {
    path: PathBuf,
    /// Comments and queries, in their order, each up to its first empty line.
    blocks: Vec<String>,
}

const SEPARATOR: &str = "----";

impl SqlFile {
    fn read(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sql").join(name);
        let text = std::fs::read_to_string(&path).expect("a file of SQL");
        let blocks = text.split("\n\n").map(|block| block.trim_end().to_owned()).collect();
        Self { path, blocks }
    }

    /// A query block with the answer of a server.
    fn answered(server: &Server, block: &str) -> String {
        let (head, rest) = block.split_once('\n').expect("a query has a statement");
        let sql = rest.split(SEPARATOR).next().unwrap_or_default().trim_end();
        let headers = [("content-type", "application/json"), ("accept", "text/csv")];
        let (status, answer) =
            server.ask("POST", "/api/v1/sql", &headers, json!({ "sql": sql }).to_string().as_bytes());
        let answer = String::from_utf8(answer).expect("text");
        if head == "query error" {
            assert_ne!(status, 200, "{sql} gives {answer}");
            return format!("{head}\n{sql}");
        }
        assert_eq!(status, 200, "{sql}: {answer}");
        // No value of these files holds a comma or a space.
        let cell = |cell: &'_ str| if cell.is_empty() { "NULL".to_owned() } else { cell.to_owned() };
        let row = |line: &str| line.split(',').map(cell).collect::<Vec<_>>().join(" ");
        let rows: Vec<String> = answer.lines().skip(1).map(row).collect();
        [&[head.to_owned(), sql.to_owned(), SEPARATOR.to_owned()], &rows[..]].concat().join("\n")
    }

    fn check(&self, server: &Server) {
        let queries: Vec<&String> = self.blocks.iter().filter(|block| block.starts_with("query")).collect();
        assert!(queries.len() >= 15, "only {} queries in {}", queries.len(), self.path.display());
        for query in queries {
            assert_eq!(&Self::answered(server, query), query);
        }
    }

    fn update(&mut self, server: &Server) {
        for block in self.blocks.iter_mut().filter(|block| block.starts_with("query")) {
            *block = Self::answered(server, block);
        }
        std::fs::write(&self.path, self.blocks.join("\n\n") + "\n").expect("written");
    }
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
    let mut file = SqlFile::read("history.slt");
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
            file.update(&server);
        }
        file.check(&server);
        assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
        file.check(&server);
        assert_eq!(server.terminate().0, Some(0));
        file.check(&place.serve_with(&settings));
    }
}
