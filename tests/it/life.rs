//! A server's life: first start, readings, a kill, a second start, an orderly end.

use std::time::Duration;

use crate::certificates::Certificates;
use crate::program::Place;

const WELLS: &str = "well_id,province_code,bank_type\nW-1,30,observation\nW-2,30,observation\n";

fn reading(well: &str, minute: u32, depth: f64) -> String {
    format!(r#"{{"well":"{well}","time":"2026-11-20T10:{minute:02}:00+07:00","depth_to_water":{depth}}}"#)
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_is_there_once() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    let server = place.serve();
    assert!(place.run(&["wells", "import", "wells.csv"]).good().contains("2 wells applied"));
    let readings: Vec<String> = (0..30).map(|minute| reading("W-1", minute, 3.0 + f64::from(minute) / 100.0)).collect();
    let receipt = server.post_readings(&format!("[{}]", readings.join(",")));
    assert_eq!((&receipt["stored"], &receipt["dead"]), (&30.into(), &0.into()), "{receipt}");
    let correction = server.post_readings(&format!("[{}]", reading("W-1", 7, 9.5)));
    assert_eq!(correction["stored"], 1);
    server.kill();

    let server = place.serve();
    let count = "SELECT count(*) AS n, max(value) AS highest FROM readings";
    assert_eq!(server.sql(count), serde_json::json!([{"n": 30, "highest": 9.5}]));
    let again = server.post_readings(&format!("[{}]", readings.join(",")));
    assert_eq!(again["duplicate"], 30, "{again}");
    assert_eq!(server.sql("SELECT count(*) AS n FROM reading_revisions")[0]["n"], 1);
    let (code, took) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!place.data_dir().join("addresses.json").exists());

    let server = place.serve();
    assert_eq!(server.sql(count), serde_json::json!([{"n": 30, "highest": 9.5}]));
}

#[test]
fn a_dead_letter_comes_in_once_its_well_is_registered() {
    let place = Place::new();
    let server = place.serve();
    let problem = server.post_readings(&format!("[{}]", reading("W-2", 1, 2.5)));
    assert_eq!(problem["type"], "/api/docs#problem-no-reading-stored");
    let letters = "SELECT count(*) AS n FROM dead_letters";
    assert_eq!(server.sql(letters)[0]["n"], 1, "at once");
    let last_error = || server.sql("SELECT last_error FROM gateways")[0]["last_error"].clone();
    assert!(last_error().as_str().unwrap().starts_with("unknown_well"));
    let list = place.run(&["dead-letters", "list"]).good();
    assert!(list.contains("unknown_well") && list.contains("1 dead letters"), "{list}");
    let id = list.lines().find(|line| line.contains("unknown_well")).unwrap();
    let id = id.split('|').nth(1).unwrap().trim();
    let shown = place.run(&["dead-letters", "show", id]).good();
    assert!(shown.contains("\"depth_to_water\":2.5"), "{shown}");
    place.file("wells.csv", WELLS);
    place.run(&["wells", "import", "wells.csv"]).good();
    let replayed = place.run(&["dead-letters", "replay"]).good();
    assert!(replayed.contains("1 readings stored"), "{replayed}");
    assert_eq!(server.sql("SELECT value FROM readings")[0]["value"], 2.5);
    assert_eq!(server.sql(letters)[0]["n"], 0, "at once");
    assert!(last_error().is_null());
    assert!(place.run(&["dead-letters", "list"]).good().contains("0 dead letters"));
}

#[test]
fn every_format_of_sql_comes_through_the_command_line() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.run(&["wells", "import", "wells.csv"]).good();
    let _server = place.serve();
    let sql = "SELECT well_id, province_code FROM wells ORDER BY well_id";
    assert!(place.run(&["sql", sql]).good().contains("| W-2     | 30            |"));
    assert_eq!(place.run(&["sql", sql, "--format", "csv"]).good(), "well_id,province_code\nW-1,30\nW-2,30\n");
    let json: serde_json::Value = serde_json::from_str(&place.run(&["sql", sql, "--format", "json"]).good()).unwrap();
    assert_eq!(json[1]["well_id"], "W-2");
    for (format, magic) in [("parquet", &b"PAR1"[..]), ("arrow", &[0xff, 0xff, 0xff, 0xff])] {
        let out = place.path(format);
        place.run(&["sql", sql, "--format", format, "--out", out.to_str().unwrap()]).good();
        assert!(std::fs::read(out).unwrap().starts_with(magic), "{format}");
    }
    let refused = place.run(&["sql", "DROP TABLE wells"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("read-only"), "{refused:?}");
    let unknown = place.run(&["sql", "SELECT * FROM reading"]);
    assert!(unknown.err.contains("did you mean"), "{unknown:?}");
    for failing in ["SELECT 1 / count(*) FROM readings", "SELECT CAST(well_id AS INT) FROM wells"] {
        let failed = place.run(&["sql", failing]);
        assert!(failed.code == 1 && failed.err.contains("the query failed on a value (422)"), "{failing}: {failed:?}");
    }
}

#[test]
fn a_data_directory_has_one_process() {
    let place = Place::new();
    let _server = place.serve();
    let second = place.run(&["serve", "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 1);
    assert!(second.err.contains("another gwbank process uses"), "{second:?}");
}

#[test]
fn a_port_that_is_taken_is_named_with_its_key_and_the_mend() {
    let place = Place::new();
    let certificates = Certificates::make(place.dir.path(), "theirs");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for key in ["http.listen", "mqtt.listen", "mqtt.tls_listen"] {
        let mut arguments: Vec<String> = vec!["serve".to_owned()];
        for (set, value) in [
            ("http.listen", "127.0.0.1:0"),
            ("mqtt.listen", "127.0.0.1:0"),
            ("mqtt.tls_certificate", certificates.server.to_str().unwrap()),
            ("mqtt.tls_key", certificates.key.to_str().unwrap()),
            (key, address.as_str()),
        ] {
            arguments.extend(["--set".to_owned(), format!("{set}={value}")]);
        }
        let said = place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(said.code, 1, "{said:?}");
        let expected = format!("{key}: cannot listen on {address}: Address already in use");
        assert!(said.err.contains(&expected), "{said:?}");
        assert!(said.err.contains("choose another port, or port 0 for a free one"), "{said:?}");
    }
}

#[test]
fn doctor_finds_a_journal_that_the_next_start_refuses() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.run(&["wells", "import", "wells.csv"]).good();
    let server = place.serve_with(&["--set", "archive.flush_interval_seconds=3600"]);
    for day in 1..5 {
        server.post_readings(&format!(r#"{{"well":"W-1","time":"2026-11-{day:02}T00:00:00Z","ph":7}}"#));
    }
    server.kill();
    let said = place.run(&["doctor"]);
    assert!(said.out.contains(" records can be read"), "{said:?}");
    let segment = place.data_dir().join("journal/000000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let said = place.run(&["doctor"]);
    assert!(said.code == 1 && said.out.contains("WRONG  journal"), "{said:?}");
    assert_eq!(place.run(&["serve"]).code, 1);
}

#[test]
fn doctor_finds_nothing_wrong_with_a_healthy_server() {
    let place = Place::new();
    assert!(place.run(&["doctor"]).good().contains("none runs"));
    let _server = place.serve();
    let said = place.run(&["doctor"]);
    assert!(said.out.contains("answers at") && said.out.contains("archive"), "{said:?}");
}

#[test]
fn wells_lead_back_through_export() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.run(&["wells", "import", "wells.csv"]).good();
    let offline = place.run(&["wells", "export"]).good();
    let _server = place.serve();
    assert_eq!(place.run(&["wells", "export"]).good(), offline);
    let geojson = place.run(&["wells", "export", "--format", "geojson"]).good();
    place.file("wells.geojson", &geojson);
    assert!(place.run(&["wells", "import", "wells.geojson"]).good().contains("2 wells applied"));
    place.file("bad.csv", "well_id,province_code,bank_type\nW-3,30,observation\nW-4,99,observation\n");
    let bad = place.run(&["wells", "import", "bad.csv"]);
    assert_eq!(bad.code, 1);
    assert!(bad.err.contains("line 3, column province_code"), "{bad:?}");
    assert!(place.run(&["wells", "list"]).good().contains("2 wells"), "nothing of the file was applied");
}

#[test]
fn what_a_gateway_wrote_is_shown_and_does_not_steer_the_terminal() {
    let place = Place::new();
    let server = place.serve();
    server.post_readings("{\"well\":\"\u{1b}[2J\u{202e}evil\",\n\"forged\"");
    place.run(&["dead-letters", "list"]).good();
    let id = server.sql("SELECT id FROM dead_letters")[0]["id"].to_string();
    let query = "SELECT payload, topic, expired FROM dead_letters";
    for arguments in [vec!["dead-letters", "list"], vec!["dead-letters", "show", &id], vec!["sql", query]] {
        let said = place.run(&arguments).good();
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{arguments:?}: {said:?}");
        assert!(arguments[1] == "list" || said.contains("\\u{1b}[2J\\u{202e}evil"), "{arguments:?}: {said}");
    }
    let exact = place.run(&["sql", "--format", "csv", query]).good();
    assert!(exact.contains("\u{1b}[2J\u{202e}evil"), "files hold what was sent: {exact:?}");
}
