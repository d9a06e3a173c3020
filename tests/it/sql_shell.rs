//! `gwbank sql` at a terminal, and what every door tells of an error's place.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::program::{Place, Server};

fn clients() -> PathBuf {
    PathBuf::from(std::env::var("GWBANK_TEST_CLIENTS").expect("run the tests through scripts/test, which sets this"))
}

/// Runs a script with Python; every step that it names must have gone well.
pub fn all_seen(script: &str, arguments: &[&std::ffi::OsStr]) -> usize {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let output = Command::new(clients().join("python/bin/python")).arg(script).args(arguments).output();
    let output = output.expect("python runs; scripts/test installs it");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    let seen: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"));
    let seen = seen.as_object().expect("an object");
    let wrong: Vec<_> = seen.iter().filter(|(_, outcome)| **outcome != Value::Bool(true)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    seen.len()
}

fn started() -> (Place, Server) {
    let place = Place::new();
    place.file(
        "wells.csv",
        "well_id,name_th,province_code,bank_type,depth\nW1,บ่อน้ำที่หนองนา,30,observation,12.5\nW2,บ้านดง,30,open,\n",
    );
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    (place, server)
}

#[test]
fn the_shell_does_at_a_terminal_what_it_promises() {
    let (place, server) = started();
    let home = place.path("home");
    std::fs::create_dir(&home).unwrap();
    let program = env!("CARGO_BIN_EXE_gwbank").as_ref();
    let steps =
        all_seen("sql_shell.py", &[program, place.data_dir().as_os_str(), server.http.as_ref(), home.as_os_str()]);
    assert_eq!(steps, 29);
}

#[test]
fn without_a_terminal_a_statement_is_needed() {
    let place = Place::new();
    let said = place.run(&["sql"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("a statement is missing"), "{said:?}");
}

#[test]
fn an_error_names_its_place_in_the_statement() {
    let (place, server) = started();
    let problem = |sql: &str| {
        let body = json!({ "sql": sql }).to_string();
        let headers = [("content-type", "application/json")];
        let (status, body) = server.ask("POST", "/api/v1/sql", &headers, body.as_bytes());
        assert_eq!(status, 422, "{sql}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    for (sql, line, column) in [
        ("SELECT 'บ่อ', nothing FROM wells", 1, 15),
        ("SELECT well_id\nFROM wells\nWHERE nothing = 1", 3, 7),
        ("SELECT 1 +", 1, 11),
        ("SELECT well_id FROM\n  wels", 2, 3),
        ("SELECT well_id FROM wells GROUP WHERE", 1, 27),
    ] {
        let problem = problem(sql);
        assert_eq!(
            (problem["line"].as_u64(), problem["column"].as_u64()),
            (Some(line), Some(column)),
            "{sql}: {problem}"
        );
    }
    let said = place.run(&["sql", "SELECT 'บ่อ', nothing FROM wells"]);
    assert_eq!(said.code, 1);
    let pointed = "LINE 1: SELECT 'บ่อ', nothing FROM wells\n                     ^";
    assert!(said.err.contains(pointed), "{}", said.err);
}
