//! What was known when a flag was raised, after the data that raised it were corrected: over all doors.

use std::process::{Command, Stdio};

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use gwbank_runtime::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::program::{Place, Said, Server, until};

fn ask_as_known_at(server: &Server, sql: &str, at: &str) -> (u16, Value) {
    let body = json!({ "sql": sql, "as_known_at": at }).to_string();
    let headers = [("content-type", "application/json"), ("accept", "application/json")];
    let (status, bytes) = server.ask("POST", "/api/v1/sql", &headers, body.as_bytes());
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn psql(server: &Server, commands: &[&str]) -> String {
    let mut client = Command::new("psql");
    client.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
    client.arg(format!("postgresql://gwbank@{}/gwbank", server.postgres_wire));
    for command in commands {
        client.args(["-c", command]);
    }
    Said::from(client.stdin(Stdio::null()).output().expect("psql runs; scripts/test installs it")).good()
}

#[test]
fn a_flag_is_reproduced_from_what_was_known() {
    let place = Place::new();
    place.file(
        "wells.csv",
        "well_id,province_code,bank_type,flood_warning_depth,flood_danger_depth\nW1,30,observation,1.0,0.5\n",
    );
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    let now = Timestamp::from_micros(SystemClock.now_micros());
    let minutes_ago = |minutes: i64| now.plus_secs(-60 * minutes).to_rfc3339(BANGKOK_OFFSET_SECONDS);
    let (first, second) = (minutes_ago(20), minutes_ago(10));
    let post = |time: &str, depth: f64| {
        server.post_readings(&json!({"well": "W1", "time": time, "depth_to_water": depth}).to_string());
    };
    post(&first, 0.75);
    let flags = "SELECT state, observed, severity FROM condition_flags WHERE scope = 'well'";
    let raised = until("the flag is raised", || {
        let sql =
            "SELECT at, evidence FROM flag_transitions WHERE transition = 'raised' AND flag_id LIKE 'flood-well-W1%'";
        server.sql(sql).as_array().and_then(|rows| rows.first().cloned())
    });
    let at = raised["at"].as_str().unwrap().to_owned();
    let then = json!([{"state": "open", "observed": 0.75, "severity": "warning"}]);
    assert_eq!(server.sql(flags), then);
    assert!(raised["evidence"].as_str().unwrap().contains("0.75"), "{raised}");

    // What raised it is corrected, and the water rises on.
    post(&first, 0.8);
    post(&second, 0.45);
    until("the flag escalates", || (server.sql(flags)[0]["severity"] == json!("severe")).then_some(()));
    let levels = "SELECT value FROM readings WHERE well_id = 'W1' ORDER BY time";
    assert_eq!(server.sql(levels), json!([{"value": 0.8}, {"value": 0.45}]));

    let check = |server: &Server| {
        assert_eq!(ask_as_known_at(server, levels, &at), (200, json!([{"value": 0.75}])));
        assert_eq!(ask_as_known_at(server, flags, &at), (200, then.clone()), "the flag as it was raised");
        let by_call =
            format!("SELECT count(*) AS n FROM as_known_at('flag_transitions', '{at}') WHERE flag_id LIKE '%W1%'");
        assert_eq!(server.sql(&by_call), json!([{"n": 1}]));
        let told = psql(
            server,
            &[
                &format!("SET gwbank.as_known_at = '{at}'"),
                "SHOW gwbank.as_known_at",
                "SELECT max(value) FROM readings",
                "SELECT severity FROM condition_flags WHERE scope = 'well'",
                "RESET gwbank.as_known_at",
                "SELECT max(value) FROM readings",
                "SET gwbank.as_known_at TO DEFAULT",
            ],
        );
        assert_eq!(told.lines().collect::<Vec<_>>(), [at.as_str(), "0.75", "warning", "0.8"]);
    };
    check(&server);
    let told = place.run(&["sql", levels, "--format", "csv", "--as-known-at", &at]).good();
    assert_eq!(told.split_whitespace().collect::<Vec<_>>(), ["value", "0.75"]);

    let (status, problem) = ask_as_known_at(&server, "SELECT * FROM gateways", &at);
    assert!(
        status == 422 && problem["detail"].as_str().unwrap().contains("gateways as known at"),
        "{status} {problem}"
    );
    assert_eq!(ask_as_known_at(&server, levels, "yesterday").0, 422);
    let before_it_was_registered = ask_as_known_at(&server, "SELECT * FROM wells", "2020-01-01T00:00:00+07:00");
    assert_eq!(before_it_was_registered, (200, json!([])));

    // It is as true after a restart.
    server.terminate();
    check(&place.serve());
}
