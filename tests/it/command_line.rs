//! Exit codes and error texts: 0 done, 1 failed, 2 wrong use or configuration.

use crate::program::{Place, gwbank};

#[test]
fn wrong_use_ends_with_2() {
    let place = Place::new();
    for arguments in [
        vec!["no-such-command"],
        vec!["serve", "--no-such-option"],
        vec!["wells", "import", "wells.xlsx"],
        vec!["readings", "import", "missing.csv"],
        vec!["explain", "x", "--topic", "t", "--clock-zone", "noon"],
        vec!["--set", "nonsense", "check-config"],
        vec!["flags", "list", "--state", "bogus"],
        vec!["wells", "list", "--province", "99"],
        vec!["indicators"],
        vec!["simulate", "--to", "http://127.0.0.1:1"],
        vec!["replay", "x.csv", "--to", "nonsense"],
    ] {
        std::fs::write(place.path("x"), "[]").unwrap();
        std::fs::write(place.path("x.csv"), "well_id,time,parameter,value\n").unwrap();
        assert_eq!(place.run(&arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn without_a_server_commands_that_need_one_end_with_1_and_say_so() {
    let place = Place::new();
    for arguments in [vec!["sql", "SELECT 1"], vec!["flags", "list"], vec!["dead-letters", "list"]] {
        let said = place.run(&arguments);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains("no server runs on this data directory"), "{said:?}");
    }
}

#[test]
fn check_config_names_file_line_key_and_mend() {
    let place = Place::new();
    place.file("gwbank.toml", "[http]\nlisten = \"127.0.0.1:0\"\n\n[windows]\nbytes_max = 3\n");
    let said = place.run(&["check-config"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("gwbank.toml:4: windows: unknown field `windows`"), "{}", said.err);

    place.file("gwbank.toml", "[http]\nlisten = \"0.0.0.0:8080\"\n[flight_sql]\ntls_key = \"key.pem\"\n");
    let said = place.run(&["check-config"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("gwbank.toml:2: http.listen: 0.0.0.0:8080 is reached from outside"), "{}", said.err);
    assert!(said.err.contains("flight_sql.tls_certificate: TLS needs a certificate and its key"), "{}", said.err);
    assert_eq!(place.run(&["serve"]).code, 2, "the server does not start with it");

    place.file("gwbank.toml", include_str!("../../gwbank.example.toml"));
    assert!(place.run(&["check-config"]).good().contains("correct"));
}

#[test]
fn the_environment_overrides_the_file() {
    let place = Place::new();
    let said = gwbank()
        .current_dir(place.dir.path())
        .env("GWBANK__QUERY__ROWS_MAX", "lots")
        .arg("check-config")
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(2));
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("GWBANK__QUERY__ROWS_MAX: query.rows_max: invalid type"), "{text}");
}

#[test]
fn explain_shows_readings_corrections_and_faults() {
    let place = Place::new();
    let file = place.file(
        "message.json",
        r#"[{"well":"W-1","time":"2569-11-23T10:15:00+07:00","parameter":"depth_to_water","value":342,"unit":"cm"},
            {"well":"W-1","time":"2026-11-23T10:15:00+07:00","pressure":1}]"#,
    );
    let said = place.run(&["explain", file.to_str().unwrap(), "--topic", "gwbank/v1/gw-7/readings"]);
    for expected in ["gateway   gw-7", "decoder   json", "| 3.42 ", "buddhist_era", "fault     unknown_parameter"] {
        assert!(said.out.contains(expected), "{expected}: {}", said.out);
    }
    let vendor = place.file("vendor.json", r#"{"well":"W-1","time":"2026-11-23 10:15:00","lvl":342,"fw":"1.2"}"#);
    place.file(
        "gwbank.toml",
        "[[ingest.gateways]]\nid = \"gw-7\"\nclock_zone = \"+07:00\"\n[[device_profiles]]\nname = \"v\"\n\
         gateways = [\"gw-7\"]\nfields.lvl = { parameter = \"depth_to_water\", unit = \"cm\" }\nfields.fw = { ignore = true }\n",
    );
    let configured = place.run(&["explain", vendor.to_str().unwrap(), "--topic", "gwbank/v1/gw-7/readings"]).good();
    for expected in ["| 3.42 ", "corrected clock_zone", "1 fields ignored"] {
        assert!(configured.contains(expected), "{expected}: {configured}");
    }
    assert!(!configured.contains("fault"), "{configured}");
    let foreign = place.run(&["explain", file.to_str().unwrap(), "--topic", "weather/today"]);
    assert_eq!(foreign.code, 1);
}

#[test]
fn secrets_are_hashed_as_the_configuration_wants_them() {
    use std::io::Write;
    let place = Place::new();
    for (command, key) in [("hash-password", "password = \"$argon2id$"), ("hash-token", "sha256 = \"")] {
        let mut child = gwbank()
            .arg(command)
            .current_dir(place.dir.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"s3cret\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).starts_with(key));
    }
}
