//! The door for Arrow Flight SQL, with the real clients: ADBC's driver with pyarrow, pandas and polars.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::certificates::Certificates;
use crate::program::{Place, Server, gwbank, until};

/// A server with two wells in Nakhon Ratchasima and 500 readings of each.
fn started() -> (Place, Server) {
    let place = Place::new();
    place.file("gwbank.toml", "[query]\nrows_max = 400000\n");
    place.file(
        "wells.csv",
        "well_id,name_th,province_code,bank_type,depth\nW1,บ่อหนึ่ง,30,observation,12.5\nW2,,30,open,\n",
    );
    let mut history = String::from("well_id,time,parameter,value\n");
    for reading in 0..1000 {
        let (well, minute) = (reading % 2 + 1, reading / 2);
        let (day, hour, minute) = (minute / 240 + 1, minute / 10 % 24, minute % 10);
        history += &format!("W{well},2026-11-{day:02}T{hour:02}:{minute:02}:00Z,depth_to_water,{}\n", reading / 2 % 10);
    }
    place.file("history.csv", &history);
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    place.run(&["readings", "import", "history.csv"]).good();
    (place, server)
}

fn script(arguments: &[&str]) -> Output {
    let clients = std::env::var("GWBANK_TEST_CLIENTS").expect("run the tests through scripts/test, which sets this");
    Command::new(Path::new(&clients).join("python/bin/python"))
        .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients/flight_sql_matrix.py"))
        .args(arguments)
        .output()
        .expect("python runs; scripts/test installs it")
}

fn all_seen(output: &Output, steps: usize) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    let seen: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"));
    let seen = seen.as_object().expect("an object");
    let wrong: Vec<_> = seen.iter().filter(|(_, outcome)| **outcome != Value::Bool(true)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen.len(), steps, "{text}");
}

/// A number of the metrics.
fn metric(server: &Server, name: &str) -> f64 {
    let (status, body) = server.ask("GET", "/metrics", &[], b"");
    assert_eq!(status, 200);
    let text = String::from_utf8(body).unwrap();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or_else(|| panic!("{name} is not in {text}"))
}

#[test]
fn adbc_pandas_and_polars_get_what_they_expect() {
    let (_place, server) = started();
    all_seen(&script(&[&format!("grpc://{}", server.flight_sql), "open"]), STEPS_OPEN);
    until("the queries have ended", || {
        (metric(&server, "gwbank_flight_sql_queries_running") == 0.0
            && metric(&server, "gwbank_flight_sql_prepared_statements") == 0.0)
            .then_some(())
    });
    assert!(metric(&server, "gwbank_flight_sql_rows_total") > 300_000.0);
    assert_eq!(server.sql("SELECT count(*) AS n FROM readings")[0]["n"], 1000);
}

const STEPS_OPEN: usize = 39;

fn piped(arguments: &[&str], input: &str) -> String {
    let mut child = gwbank().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn who_comes_in_is_known_with_and_without_tls() {
    let certificates_dir = Place::new();
    let certificates = Certificates::make(certificates_dir.dir.path(), "ours");
    let users = format!(
        "[[auth.users]]\nname = \"somchai\"\nrole = \"hydrologist\"\n{}\n\
         [[auth.users]]\nname = \"malee\"\nrole = \"office\"\n{}\n\
         [[auth.tokens]]\nname = \"grafana\"\nrole = \"hydrologist\"\n{}\n",
        piped(&["hash-password"], "บ่อน้ำ"),
        piped(&["hash-password"], "office"),
        piped(&["hash-token"], "t0ken"),
    );
    let plain = Place::new();
    plain.file("gwbank.toml", &users);
    let server = plain.serve();
    all_seen(&script(&[&format!("grpc://{}", server.flight_sql), "guarded", "none"]), 7);

    let encrypted = Place::new();
    let tls = format!("[flight_sql]\ntls_certificate = {:?}\ntls_key = {:?}\n", certificates.server, certificates.key);
    encrypted.file("gwbank.toml", &(tls + &users));
    let server = encrypted.serve();
    let authority = certificates.authority.to_str().unwrap();
    all_seen(&script(&[&format!("grpc+tls://{}", server.flight_sql), "guarded", authority]), 9);
}

#[test]
fn the_door_can_stay_shut() {
    let place = Place::new();
    place.file("gwbank.toml", "[flight_sql]\nlisten = \"\"\n");
    let server = place.serve_with(&["--flight-listen", ""]);
    assert_eq!(server.flight_sql, "");
    let (_, metrics) = server.ask("GET", "/metrics", &[], b"");
    assert!(!String::from_utf8(metrics).unwrap().contains("flight_sql"));
}
