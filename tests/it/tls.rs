//! MQTT over TLS: our own door, and a broker of somebody else, with real clients and certificates.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::certificates::Certificates;
use crate::mosquitto::Mosquitto;
use crate::program::{Place, Server, until};

const WELLS: &str = "well_id,province_code,bank_type\nW-1,30,observation\n";

/// Publishes one reading with Mosquitto's client; true when it was acknowledged.
fn publish(address: &str, version: &str, minute: u32, trusted: Option<&Path>) -> bool {
    let port = address.rsplit_once(':').unwrap().1;
    let payload = format!(r#"{{"well":"W-1","time":"2026-11-01T00:{minute:02}:00Z","depth_to_water":2.5}}"#);
    let mut client = Command::new("mosquitto_pub");
    client.args(["-h", "127.0.0.1", "-p", port, "-V", version, "-q", "1"]);
    client.args(["-t", "gwbank/v1/gw-1/readings", "-m", &payload]);
    if let Some(file) = trusted {
        client.arg("--cafile").arg(file);
    }
    client.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

fn stored(server: &Server) -> u64 {
    server.sql("SELECT count(*) AS n FROM readings")[0]["n"].as_u64().unwrap()
}

#[test]
fn the_tls_door_serves_whom_trusts_it() {
    let place = Place::new();
    let ours = Certificates::make(place.dir.path(), "ours");
    let foreign = Certificates::make(place.dir.path(), "foreign");
    let config = format!(
        "[mqtt]\ntls_listen = \"127.0.0.1:0\"\ntls_certificate = {:?}\ntls_key = {:?}\n",
        ours.server, ours.key
    );
    place.file("gwbank.toml", &config);
    place.file("wells.csv", WELLS);
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    let addresses = std::fs::read_to_string(place.data_dir().join("addresses.json")).unwrap();
    let addresses: Value = serde_json::from_str(&addresses).unwrap();
    let tls = addresses["mqtt_tls"].as_str().unwrap();

    // Connected and silent: it keeps nobody out.
    let silent: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(tls).unwrap()).collect();
    assert!(publish(tls, "mqttv5", 1, Some(&ours.authority)));
    assert!(publish(tls, "mqttv311", 2, Some(&ours.authority)));
    assert!(!publish(tls, "mqttv5", 3, Some(&foreign.authority)), "a client that does not trust us leaves");
    assert!(!publish(tls, "mqttv5", 4, None), "plain text at the TLS door");
    assert_eq!(stored(&server), 2);
    drop(silent);

    place.file("x.csv", "well_id,time,parameter,value\nW-1,2026-11-02T00:00:00Z,ph,7\n");
    let replay = |trusted: &Certificates| {
        let to = format!("mqtts://{tls}");
        place.run(&["replay", "x.csv", "--to", &to, "--ca-file", trusted.authority.to_str().unwrap()])
    };
    replay(&ours).good();
    let refused = replay(&foreign);
    assert!(refused.code == 1 && refused.err.contains("certificate"), "{refused:?}");
    assert_eq!(stored(&server), 3);
    let (code, _) = server.terminate();
    assert_eq!(code, Some(0));
}

#[test]
fn files_that_cannot_be_served_with_are_wrong_configuration() {
    let place = Place::new();
    let (ours, other) = (Certificates::make(place.dir.path(), "ours"), Certificates::make(place.dir.path(), "other"));
    let missing = place.path("missing.pem");
    let cases = [
        (&ours.server, &missing, "gwbank.toml:4: mqtt.tls_key: file", "it cannot be read"),
        (&other.key, &ours.key, "gwbank.toml:3: mqtt.tls_certificate: file", "no certificate in PEM format"),
        (&ours.server, &ours.server, "gwbank.toml:4: mqtt.tls_key: file", "no private key in PEM format"),
        (&ours.server, &other.key, "gwbank.toml:4: mqtt.tls_key: file", "does not serve its certificate"),
    ];
    for (certificate, key, place_of_it, problem) in cases {
        let config =
            format!("[mqtt]\ntls_listen = \"127.0.0.1:0\"\ntls_certificate = {certificate:?}\ntls_key = {key:?}\n");
        place.file("gwbank.toml", &config);
        for command in ["check-config", "serve"] {
            let said = place.run(&[command]);
            assert_eq!(said.code, 2, "{said:?}");
            assert!(said.err.contains(place_of_it) && said.err.contains(problem), "{place_of_it} {problem}: {said:?}");
        }
    }
    let external = "[[mqtt.external]]\nclient_id = \"a\"\nurl = \"mqtts://me:s3cret@h\"\nca_file = \"missing.pem\"\n";
    place.file("gwbank.toml", external);
    let said = place.run(&["check-config"]);
    assert!(said.code == 2 && said.err.contains("mqtt.external[0].ca_file: file missing.pem"), "{said:?}");
    place.file("gwbank.toml", &external.replace("mqtts:", "amqp:"));
    let said = place.run(&["check-config"]);
    assert!(said.code == 2 && !said.err.contains("s3cret"), "{said:?}");
}

#[test]
fn a_broker_of_somebody_else_is_trusted_by_its_authority_only() {
    let place = Place::new();
    let theirs = Certificates::make(place.dir.path(), "theirs");
    let foreign = Certificates::make(place.dir.path(), "foreign");
    let broker = Mosquitto::start_with_tls(place.dir.path(), &theirs);
    let configure = |trusted: &Certificates| {
        let config = format!(
            "[[mqtt.external]]\nurl = \"mqtts://{}\"\nclient_id = \"gwbank\"\nca_file = {:?}\n",
            broker.address, trusted.authority
        );
        place.file("gwbank.toml", &config);
    };
    let session = |server: &Server| {
        let (_, body) = server.ask("GET", "/api/v1/status", &[], &[]);
        let status: Value = serde_json::from_slice(&body).unwrap();
        status["parts"].as_array().unwrap().iter().find(|part| part["part"] == "external broker").unwrap().clone()
    };
    place.file("wells.csv", WELLS);
    configure(&foreign);
    let server = place.serve();
    let refused = until("the refusal", || {
        let session = session(&server);
        let said = session["detail"].as_str()?.contains("certificate");
        said.then_some(session)
    });
    assert_eq!(refused["ready"], false, "{refused}");
    drop(server);

    configure(&theirs);
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    until("the session", || (session(&server)["ready"] == true).then_some(()));
    assert!(publish(&broker.address, "mqttv5", 1, Some(&theirs.authority)));
    until("the reading", || (stored(&server) == 1).then_some(()));
}
