//! Credentials of a real server.

use std::process::Stdio;

use crate::program::{Place, gwbank};

fn hashed(command: &str, secret: &str) -> String {
    use std::io::Write;
    let mut child = gwbank().arg(command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn a_guarded_server_lets_in_whom_it_knows() {
    let place = Place::new();
    let config = format!(
        "[[auth.tokens]]\nname = \"grafana\"\nrole = \"hydrologist\"\n{}\n[[auth.gateways]]\nid = \"gw-1\"\n{}\n",
        hashed("hash-token", "t0ken"),
        hashed("hash-password", "pw")
    );
    place.file("gwbank.toml", &config);
    place.file("wells.csv", "well_id,province_code,bank_type\nW-1,30,observation\n");
    place.file("x.csv", "well_id,time,parameter,value\nW-1,2026-11-01T00:00:00Z,ph,7\n");
    let server = place.serve();
    assert_eq!(server.ask("GET", "/api/v1/wells", &[], &[]).0, 401);
    assert_eq!(server.ask("GET", "/api/v1/wells", &[("authorization", "Bearer t0ken")], &[]).0, 200);
    assert_eq!(server.ask("POST", "/api/v1/flush", &[("authorization", "Bearer t0ken")], &[]).0, 403);
    // The command line finds the local token.
    place.run(&["wells", "import", "wells.csv"]).good();

    let replay = |credentials: &[&str], gateway: &str| {
        let arguments = ["replay", "x.csv", "--to", &server.mqtt, "--gateway", gateway];
        place.run(&[&arguments[..], credentials].concat())
    };
    let known = ["--username", "gw-1", "--password", "pw"];
    assert_eq!(replay(&known, "gw-1").code, 0);
    assert_eq!(replay(&[], "gw-1").code, 1, "nobody connects without credentials");
    assert_eq!(replay(&["--username", "gw-1", "--password", "wrong"], "gw-1").code, 1);
    // Never refused on the wire, where a gateway would drop it; but nothing is stored under another's id.
    replay(&known, "gw-2");
    let (_, list) = server.ask("GET", "/api/v1/gateways", &[("authorization", "Bearer t0ken")], &[]);
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    let stored: Vec<(&str, u64)> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["gateway_id"].as_str().unwrap(), row["stored"].as_u64().unwrap()))
        .filter(|(_, stored)| *stored > 0)
        .collect();
    assert_eq!(stored, [("gw-1", 1)]);
}

#[test]
fn the_local_token_is_for_its_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let _server = place.serve();
    let mode = std::fs::metadata(place.data_dir().join("local-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The broker hands a will to subscribers and to nobody else: a reading in it would be lost without a word.
#[test]
fn a_will_cannot_be_a_reading() {
    use std::io::{Read, Write};
    let place = Place::new();
    let server = place.serve();
    let answer = |topic: &str| {
        let text = |text: &str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
        const CLEAN_WITH_WILL: u8 = 0b110;
        let head = [&text("MQTT")[..], &[4, CLEAN_WITH_WILL, 0, 60]].concat();
        let body = [head, text("client"), text(topic), text("{}")].concat();
        let packet = [&[0x10, body.len() as u8][..], &body].concat();
        let mut stream = std::net::TcpStream::connect(server.mqtt.trim_start_matches("mqtt://")).unwrap();
        stream.write_all(&packet).unwrap();
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).unwrap();
        connack[3]
    };
    assert_ne!(answer("gwbank/v1/gw-1/readings"), 0);
    assert_eq!(answer("site/gw-1/gone"), 0);
}
