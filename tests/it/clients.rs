//! Real client libraries against the embedded broker: paho-mqtt, MQTT.js and mosquitto_pub, in 3.1.1 and 5.
//!
//! `scripts/test` installs the libraries and says where in `GWBANK_TEST_CLIENTS`.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::conservation::place_with_wells;
use crate::program::{Place, Server, until};

fn clients() -> PathBuf {
    PathBuf::from(std::env::var("GWBANK_TEST_CLIENTS").expect("run the tests through scripts/test, which sets this"))
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

fn started() -> (Place, Server) {
    let place = place_with_wells();
    let server = place.serve();
    (place, server)
}

fn host_and_port(server: &Server) -> (&str, &str) {
    server.mqtt.trim_start_matches("mqtt://").split_once(':').expect("host:port")
}

fn all_seen(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    let seen: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"));
    let seen = seen.as_object().expect("an object");
    assert_eq!(seen.len(), 6, "{text}");
    for (step, outcome) in seen {
        assert_eq!(outcome, &Value::Bool(true), "{step} in {text}");
    }
}

fn stored(server: &Server, well: &str, expected: i64) {
    let sql = format!("SELECT count(*) AS n FROM readings WHERE well_id = '{well}'");
    until("the readings are stored", || (server.sql(&sql)[0]["n"] == expected).then_some(()));
}

#[test]
fn paho_gets_what_it_expects() {
    let (_place, server) = started();
    let (host, port) = host_and_port(&server);
    for version in ["3", "5"] {
        let output = Command::new(clients().join("python/bin/python"))
            .arg(script("paho_matrix.py"))
            .args([host, port, version, "gw-paho", "W1"])
            .output()
            .expect("python runs");
        all_seen(&output);
    }
    stored(&server, "W1", 6);
}

#[test]
fn mqtt_js_gets_what_it_expects() {
    let (_place, server) = started();
    let (host, port) = host_and_port(&server);
    for version in ["4", "5"] {
        let output = Command::new("node")
            .arg(script("mqttjs_matrix.mjs"))
            .args([host, port, version, "gw-js", "W2"])
            .output()
            .expect("node runs");
        all_seen(&output);
    }
    stored(&server, "W2", 6);
}

#[test]
fn mosquitto_pub_gets_what_it_expects() {
    let (_place, server) = started();
    let (host, port) = host_and_port(&server);
    let mut expected = 0;
    for version in ["mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            expected += 1;
            let payload = format!(
                r#"{{"well":"W3","time":"2026-04-01T00:{expected:02}:00Z","parameter":"water_temperature","value":27.5}}"#
            );
            let status = Command::new("mosquitto_pub")
                .args([
                    "-h",
                    host,
                    "-p",
                    port,
                    "-V",
                    version,
                    "-q",
                    qos,
                    "-t",
                    "gwbank/v1/gw-mos/readings",
                    "-m",
                    &payload,
                ])
                .status()
                .expect("mosquitto_pub runs");
            assert!(status.success());
        }
    }
    stored(&server, "W3", expected);
    // A retained reading is a reading, and is not handed to whoever subscribes later.
    let status = Command::new("mosquitto_pub")
        .args(["-h", host, "-p", port, "-q", "1", "-r", "-t", "gwbank/v1/gw-mos/readings"])
        .args(["-m", r#"{"well":"W3","time":"2026-04-01T01:00:00Z","depth_to_water":2.5}"#])
        .status()
        .expect("mosquitto_pub runs");
    assert!(status.success());
    stored(&server, "W3", expected + 1);
    let listened = Command::new("mosquitto_sub")
        .args(["-h", host, "-p", port, "-t", "gwbank/v1/gw-mos/readings", "-W", "1", "-C", "1"])
        .output()
        .expect("mosquitto_sub runs");
    assert!(listened.stdout.is_empty(), "{}", String::from_utf8_lossy(&listened.stdout));
}
