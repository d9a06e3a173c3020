//! The dashboard in a real browser: Debian's Chromium, steered by playwright-core, at the program itself.
//!
//! `GWBANK_TEST_ARTEFACTS` names a folder that keeps what was seen: a picture of every page.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::program::{Place, Server, gwbank};

/// Runs the script on a server, with everything that it needs to know.
fn browse(part: &str, base: &str, environment: &[(&str, &str)]) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/dashboard/browse.mjs");
    let kept = tempfile::tempdir().unwrap();
    let artefacts = match std::env::var_os("GWBANK_TEST_ARTEFACTS") {
        Some(folder) => PathBuf::from(folder).join("dashboard"),
        None => kept.path().to_owned(),
    };
    let clients = std::env::var_os("GWBANK_TEST_CLIENTS").expect("run the tests through scripts/test");
    let mut node = Command::new("node");
    node.arg(script).args([part, base]).arg(&artefacts).env("GWBANK_TEST_CLIENTS", clients);
    node.envs(environment.iter().copied());
    let ran = node.output().expect("node runs: scripts/test installs it");
    let told = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{part}: {told}");
}

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A small demo, and where its dashboard is.
fn demo(place: &Place) -> (Demo, String) {
    let arguments = [
        "demo",
        "--wells",
        "154",
        "--years",
        "2",
        "--mqtt-port=0",
        "--http-port=0",
        "--postgres-port=0",
        "--flight-port=0",
    ];
    let mut demo = gwbank();
    demo.current_dir(place.dir.path()).args(arguments).args(["--data-dir", "demo"]);
    let mut demo = demo.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut base = None;
    for line in lines {
        if let Some(at) = line.find("http://").filter(|_| base.is_none()) {
            base = Some(line[at..].split_whitespace().next().unwrap().trim_end_matches('/').to_owned());
        }
        if line.starts_with("Live readings arrive") {
            break;
        }
    }
    (Demo(demo), base.expect("it says where the dashboard is"))
}

/// Thirty years, four readings a day: the seasons, and a trend.
fn thirty_years() -> String {
    let readings: Vec<serde_json::Value> = (0..30 * 365 * 4)
        .map(|step| {
            let at = gwbank_model::Timestamp::from_secs(757_382_400 + step * 6 * 3_600);
            let year = step as f64 / 1_460.0;
            let noise = 0.2 * (step as f64 * 0.37).sin();
            let depth = 6.0 - 2.0 * (year * std::f64::consts::TAU).sin() + 0.05 * year + noise;
            serde_json::json!({ "well": "LONG-1", "time": at.to_rfc3339(0), "depth_to_water": depth })
        })
        .collect();
    serde_json::Value::from(readings).to_string()
}

#[test]
fn every_page_of_the_demo_in_a_real_browser() {
    let place = Place::new();
    let (_demo, base) = demo(&place);
    let wells = "well_id,name,name_th,province_code,latitude,longitude,ground_elevation,bank_type,status,flood_warning_depth,flood_danger_depth\n\
        LONG-1,Thirty years,สามสิบปี,30,14.97,102.1,180,observation,active,1,0.5\n";
    let send = |method: &str, path: &str, content_type: &str, body: String| {
        let request = ureq::http::Request::builder().method(method).uri(format!("{base}{path}"));
        let request = request.header("content-type", content_type).header("x-gateway", "gw-of-thirty-years");
        let mut answer = ureq::run(request.body(body).unwrap()).unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    send("PUT", "/api/v1/wells", "text/csv", wells.to_owned());
    let receipt = send("POST", "/api/v1/readings?source=import", "application/json", thirty_years());
    assert!(receipt.contains("\"stored\":43800"), "{receipt}");
    browse("pages", &base, &[("GWBANK_LONG_WELL", "LONG-1")]);
}

fn with_accounts(dashboard: &str) -> (Place, Server) {
    let place = Place::new();
    let hash = gwbank().arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut hash.stdin.as_ref().unwrap(), b"open sesame\n").unwrap();
    let hash = hash.wait_with_output().unwrap();
    let hash = String::from_utf8(hash.stdout).unwrap();
    let config = format!("{dashboard}\n[[auth.users]]\nname = \"officer\"\nrole = \"office\"\n{hash}");
    let config = place.file("gwbank.toml", &config);
    let server = place.serve_with(&["--config", config.to_str().unwrap()]);
    (place, server)
}

#[test]
fn a_browser_logs_in_and_out() {
    let (_place, server) = with_accounts("");
    browse("guarded", &server.http, &[]);
}

#[test]
fn everybody_looks_where_that_is_permitted() {
    let (_place, server) = with_accounts("[dashboard]\npublic = true");
    browse("public", &server.http, &[]);
}
