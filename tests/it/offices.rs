//! The provincial office: real receivers that fail, a server that is killed between the steps of dispatch, links, CAP documents.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::program::{Place, Server, until};

fn clients() -> PathBuf {
    PathBuf::from(std::env::var("GWBANK_TEST_CLIENTS").expect("run the tests through scripts/test, which sets this"))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// SMTP, webhooks and LINE, each failing as real ones do.
struct Receivers {
    child: Child,
    log: PathBuf,
    smtp: u64,
    http: u64,
}

impl Receivers {
    fn start(place: &Place) -> Self {
        let log = place.path("received.jsonl");
        let mut child = Command::new(clients().join("python/bin/python"))
            .arg(script("office_receivers.py"))
            .arg(&log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Value = serde_json::from_str(&line).expect("ports");
        Self { child, log, smtp: ports["smtp"].as_u64().unwrap(), http: ports["http"].as_u64().unwrap() }
    }

    /// Everything that has come in, of a channel.
    fn received(&self, channel: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let all = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        all.filter(|it| it["channel"] == channel).collect()
    }

    fn count(&self) -> usize {
        std::fs::read_to_string(&self.log).unwrap_or_default().lines().count()
    }

    /// How often each message of a channel was taken.
    fn taken(&self, channel: &str) -> BTreeMap<String, u32> {
        let mut taken = BTreeMap::new();
        for it in self.received(channel).iter().filter(|it| it["outcome"] == "taken") {
            *taken.entry(it["key"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        taken
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn configured(place: &Place, receivers: &Receivers) {
    place.file("token", "line-token\n");
    place.file("secret", "line-secret\n");
    place.file(
        "gwbank.toml",
        &format!(
            "public_url = \"http://bank.example.org\"\n\
             [delivery]\nmessages_per_minute = 10000\n\
             [email]\nsmtp_url = \"smtp://127.0.0.1:{smtp}\"\nfrom = \"gwbank <no-reply@bank.example.org>\"\n\
             [webhook]\nallowed_networks = [\"127.0.0.0/8\"]\n\
             [line]\nbase_url = \"http://127.0.0.1:{http}\"\nchannel_access_token_file = \"token\"\n\
             channel_secret_file = \"secret\"\n",
            smtp = receivers.smtp,
            http = receivers.http,
        ),
    );
    let office = "korat,province,30,Korat,โคราช";
    let all = "flood,well;subdistrict;district;province";
    place.file(
        "offices.csv",
        &format!(
            "office_id,level,place_code,office_name,office_name_th,contact_id,channel,address,secret,hazards,scopes,language\n\
             {office},mail,email,office@example.go.th,,{all},both\n\
             {office},hook,webhook,http://127.0.0.1:{http}/hook,{SECRET},{all},\n\
             {office},line,line,U0123456789abcdef0123456789abcdef,,{all},th\n\
             {office},far,webhook,http://10.255.255.1/hook,{SECRET},{all},\n\
             chonburi,province,20,Chonburi,ชลบุรี,other,email,other@example.go.th,,{all},\n",
            http = receivers.http,
        ),
    );
}

const WELLS: usize = 8;

fn wells() -> String {
    let mut csv =
        String::from("well_id,subdistrict_code,bank_type,latitude,longitude,flood_warning_depth,flood_danger_depth\n");
    for n in 0..WELLS {
        let subdistrict = ["300101", "300102", "300201"][n % 3];
        csv.push_str(&format!("W{n},{subdistrict},observation,14.9{n},102.1{n},1.0,0.5\n"));
    }
    csv
}

/// Two readings in a row at danger depth, or above the ground.
fn flooded(server: &Server, well: usize, depth: f64) {
    let now = chrono::Utc::now();
    let reading = |minutes: i64| {
        let time = (now - chrono::Duration::minutes(minutes)).to_rfc3339();
        format!(r#"{{"well":"W{well}","time":"{time}","depth_to_water":{depth}}}"#)
    };
    let receipt = server.post_readings(&format!("[{},{}]", reading(1), reading(0)));
    assert_eq!(receipt["dead"], 0, "{receipt}");
}

fn rounds(few: u64) -> u64 {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

fn count(server: &Server, sql: &str) -> u64 {
    server.sql(sql)[0]["n"].as_u64().unwrap()
}

#[test]
fn every_transition_reaches_every_channel_through_failures_and_kills() {
    let place = Place::new();
    let receivers = Receivers::start(&place);
    configured(&place, &receivers);
    place.file("wells.csv", &wells());
    place.run(&["wells", "import", "wells.csv"]).good();
    let mut server = place.serve();
    let applied = place.run(&["offices", "import", "offices.csv"]);
    assert!(applied.out.contains("5 contacts applied"), "{applied:?}");

    let mut rng = SmallRng::seed_from_u64(rand::random());
    for kill in 0..rounds(4) {
        let before = receivers.count();
        flooded(&server, kill as usize % WELLS, if kill < WELLS as u64 { 0.4 } else { -0.2 });
        // Somewhere in the midst of it: after so many steps that a receiver has seen, or at once.
        let steps = rng.random_range(0..10);
        until("a step of dispatch", || {
            let pending =
                count(&server, "SELECT count(*) AS n FROM deliveries WHERE state = 'pending' AND channel <> 'mqtt'");
            let all = count(&server, "SELECT count(*) AS n FROM deliveries");
            (receivers.count() >= before + steps || (all > 0 && pending == 0)).then_some(())
        });
        server.kill();
        server = place.serve();
    }
    for well in 0..WELLS {
        flooded(&server, well, 0.4);
    }
    let raised = "SELECT count(*) AS n FROM condition_flags WHERE hazard = 'flood' AND scope = 'well'";
    until("every well is flagged", || (count(&server, raised) == WELLS as u64).then_some(()));
    until("everything is delivered", || {
        (count(&server, "SELECT count(*) AS n FROM deliveries WHERE state = 'pending'") == 0).then_some(())
    });

    let transitions = server.sql("SELECT flag_id, transition FROM flag_transitions WHERE flag_id LIKE 'flood%'");
    let transitions = transitions.as_array().unwrap().len();
    assert!(transitions > WELLS, "{transitions}");
    let of_contact = |contact: &str, state: &str| {
        let sql = format!("SELECT count(*) AS n FROM deliveries WHERE contact_id = '{contact}' AND state = '{state}'");
        count(&server, &sql) as usize
    };
    for contact in ["mail", "hook", "line"] {
        assert_eq!(of_contact(contact, "delivered"), transitions, "{contact}");
    }
    assert_eq!(of_contact("far", "dead"), transitions, "a private network");
    assert_eq!(of_contact("other", "delivered"), 0, "another province");

    let webhooks = receivers.taken("webhook");
    assert_eq!(webhooks.len(), transitions, "one id a transition, however often it came");
    assert_eq!(receivers.taken("email").len(), transitions);
    let line = receivers.taken("line");
    assert_eq!(line.len(), transitions);
    assert!(line.values().all(|times| *times == 1), "no retry key is taken twice");
    let outcomes: BTreeSet<String> = ["webhook", "email", "line"]
        .into_iter()
        .flat_map(|channel| receivers.received(channel))
        .map(|it| it["outcome"].as_str().unwrap().to_owned())
        .collect();
    for wrong in ["unsigned", "followed a redirect", "bad", "unauthorized"] {
        assert!(!outcomes.contains(wrong), "{outcomes:?}");
    }
    let mail = &receivers.received("email").into_iter().find(|it| it["outcome"] == "taken").unwrap();
    assert_eq!((&mail["to"][0], &mail["auto"]), (&"office@example.go.th".into(), &"auto-generated".into()));
    assert!(mail["subject"].as_str().unwrap().contains("น้ำใต้ดินสูงใกล้ผิวดิน"), "{mail}");
    assert!(mail["html"].as_str().unwrap().contains("<section lang=\"th\">"), "{mail}");

    retained_topics_are_those_of_open_flags(&server);
    a_stream_tells_them_all_again(&server, transitions);
    a_link_acts_when_its_button_is_pressed(&server, mail["text"].as_str().unwrap());
}

fn retained_topics_are_those_of_open_flags(server: &Server) {
    let (host, port) = server.mqtt.trim_start_matches("mqtt://").split_once(':').unwrap();
    let flags = server.sql("SELECT id FROM condition_flags WHERE state <> 'closed'");
    let wanted: BTreeSet<&str> = flags.as_array().unwrap().iter().map(|flag| flag["id"].as_str().unwrap()).collect();
    let output = Command::new("mosquitto_sub")
        .args(["-h", host, "-p", port, "-t", "gwbank/v1/flags/#", "-C", &wanted.len().to_string(), "-W", "60"])
        .output()
        .expect("mosquitto_sub runs; scripts/test installs it");
    let text = String::from_utf8(output.stdout).unwrap();
    let bodies: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: BTreeSet<&str> = bodies.iter().map(|body| body["id"].as_str().unwrap()).collect();
    assert_eq!(found, wanted);
}

fn a_stream_tells_them_all_again(server: &Server, transitions: usize) {
    let mut stream = std::net::TcpStream::connect(server.http.trim_start_matches("http://")).unwrap();
    let asked = "GET /api/v1/flags/stream?hazard=flood HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0\r\n\r\n";
    stream.write_all(asked.as_bytes()).unwrap();
    let mut told = Vec::new();
    let mut bytes = [0; 16_384];
    let ids = |told: &[u8]| -> Vec<i64> {
        let text = String::from_utf8_lossy(told).into_owned();
        text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
    };
    while ids(&told).len() < transitions {
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the stream ended");
        told.extend_from_slice(&bytes[..count]);
    }
    assert!(ids(&told).is_sorted());
}

fn a_link_acts_when_its_button_is_pressed(server: &Server, mail: &str) {
    let link = mail.lines().find_map(|line| line.strip_prefix("http://bank.example.org")).expect("a link");
    let (status, page) = server.ask("GET", link, &[], b"");
    assert_eq!((status, String::from_utf8(page).unwrap().contains("รับทราบ")), (200, true));
    let actions = "SELECT author, via, contact_id FROM flag_actions";
    assert_eq!(server.sql(actions), serde_json::json!([]), "a GET changes nothing");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let (status, page) = server.ask("POST", link, &form, b"action=acknowledge&name=Somchai");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&page));
    let done = serde_json::json!([{ "author": "Somchai", "via": "link", "contact_id": "mail" }]);
    assert_eq!(server.sql(actions), done);
}

#[test]
fn documents_are_valid_to_the_schema_and_to_other_readers() {
    let place = Place::new();
    place.file("wells.csv", &wells());
    place.run(&["wells", "import", "wells.csv"]).good();
    place.file("gwbank.toml", "public_url = \"https://bank.example.org\"\n");
    let server = place.serve();
    for well in 0..WELLS {
        flooded(&server, well, 0.4);
    }
    let open = |place: &str| {
        let sql = format!(
            "SELECT id FROM condition_flags WHERE hazard = 'flood' AND place = '{place}' AND state <> 'closed'"
        );
        server.sql(&sql)[0]["id"].as_str().map(str::to_owned)
    };
    let district = until("the district is flagged", || open("3001"));
    until("the province is flagged", || open("30"));
    let approved = place.run(&["flags", "approve", &district]).good();
    assert!(approved.contains("/cap/"), "{approved}");
    for well in 0..WELLS {
        flooded(&server, well, -0.3);
    }
    until("it gets worse", || {
        let sql = format!("SELECT severity FROM condition_flags WHERE id = '{district}'");
        (server.sql(&sql)[0]["severity"] == "extreme").then_some(())
    });
    place.run(&["flags", "approve", &district]).good();
    assert_eq!(place.run(&["flags", "approve", &district]).code, 1, "nothing is left to approve");
    place.run(&["flags", "cancel", &district, "--reason", "a drill of the dam"]).good();

    let (status, feed) = server.ask("GET", "/feeds/cap/30.atom", &[], b"");
    assert_eq!(status, 200);
    let feed = String::from_utf8(feed).unwrap();
    let documents: Vec<&str> =
        feed.split("https://bank.example.org/cap/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(documents.len() > 5, "{feed}");
    let mut files = Vec::new();
    for name in &documents {
        let (status, text) = server.ask("GET", &format!("/cap/{name}"), &[], b"");
        assert_eq!(status, 200, "{name}");
        files.push(place.file(name, std::str::from_utf8(&text).unwrap()));
    }
    let schema = std::env::var("GWBANK_CAP_SCHEMA")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cap12.xsd"), PathBuf::from);
    let python = Command::new(clients().join("python/bin/python"))
        .arg(script("cap_reader.py"))
        .arg(&schema)
        .args(&files)
        .output()
        .expect("python runs");
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let read: Vec<Value> =
        String::from_utf8(python.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), documents.len());
    let node = Command::new("node")
        .arg(script("cap_reader.mjs"))
        .args(&files)
        .env("GWBANK_TEST_CLIENTS", clients())
        .output()
        .expect("node runs");
    assert!(node.status.success(), "{}", String::from_utf8_lossy(&node.stderr));
    assert_eq!(String::from_utf8(node.stdout).unwrap().lines().count(), documents.len());

    assert!(read.iter().all(|it| it["languages"] == serde_json::json!(["th-TH", "en-US"])));
    assert!(read.iter().all(|it| it["iso"] == "TH-30" && it["polygons"].as_u64() > Some(0)), "{read:?}");
    let of_district: Vec<&Value> = read.iter().filter(|it| it["dopa"] == "3001").collect();
    let with = |name: &str, value: &str| of_district.iter().filter(|it| it[name] == value).count();
    assert_eq!((with("msgType", "Alert"), with("msgType", "Cancel")), (1, 1), "{of_district:?}");
    assert_eq!((with("status", "Actual"), with("scope", "Public")), (2, 2), "{of_district:?}");
    let updates = of_district.iter().filter(|it| it["msgType"] == "Update" && it["status"] == "Actual");
    for update in updates.clone() {
        let references: Vec<&str> = update["references"].as_str().unwrap().split(' ').collect();
        assert_eq!(references.len(), 1, "the public has heard one before: {update}");
        assert!(references[0].starts_with("gwbank@bank.example.org,"), "{update}");
        assert_eq!(update["urgency"], "Immediate");
    }
    assert_eq!(updates.count(), 1, "{of_district:?}");
}

#[test]
fn a_flag_is_explained_from_what_was_known_then() {
    let place = Place::new();
    place.file("wells.csv", &wells());
    place.run(&["wells", "import", "wells.csv"]).good();
    let server = place.serve();
    flooded(&server, 0, 0.4);
    let id = until("the well is flagged", || {
        let rows = server.sql("SELECT id FROM condition_flags WHERE hazard = 'flood' AND scope = 'well'");
        rows[0]["id"].as_str().map(str::to_owned)
    });
    // What is corrected later was not known then.
    let now = chrono::Utc::now().to_rfc3339();
    let later = format!(r#"[{{"well":"W0","time":"{now}","depth_to_water":0.45}}]"#);
    assert_eq!(server.post_readings(&later)["stored"], 1);
    let (status, body) = server.ask("GET", &format!("/api/v1/flags/{id}/explanation"), &[], b"");
    assert_eq!(status, 200);
    let told: Value = serde_json::from_slice(&body).unwrap();
    let first = &told["reproduced"][0];
    assert_eq!((&first["transition"], &first["number"]), (&"raised".into(), &"depth".into()), "{told}");
    assert_eq!((&first["reproduced"], &first["computed"]), (&true.into(), &0.4.into()), "{told}");
    let text = place.run(&["flags", "explain", &id]).good();
    assert!(text.contains("reproduced: depth to water (m) 0.4 = 0.4") && text.contains("SELECT time"), "{text}");
    assert!(place.run(&["flags", "explain", &id, "--thai"]).good().contains("ตรงกัน"));
    assert_eq!(place.run(&["flags", "explain", "none"]).code, 1);
}

#[test]
fn a_scorecard_counts_what_its_sql_says() {
    let place = Place::new();
    place.file(
        "wells.csv",
        "well_id,subdistrict_code,lao_code,bank_type,flood_warning_depth,flood_danger_depth\n\
         A1,300101,LAO-A,observation,1.0,0.5\nA2,300101,LAO-A,observation,1.0,0.5\nB1,300201,LAO-B,observation,1.0,0.5\n\
         C1,300201,,observation,1.0,0.5\n",
    );
    place.run(&["wells", "import", "wells.csv"]).good();
    let server = place.serve();
    let now = chrono::Utc::now();
    let reading = |well: &str, hours: i64, depth: f64| {
        let time = (now - chrono::Duration::hours(hours)).to_rfc3339();
        format!(r#"{{"well":"{well}","time":"{time}","depth_to_water":{depth}}}"#)
    };
    // Every day of the last six weeks of one well, with a value that no sensor can give among them.
    let mut readings: Vec<String> = (1..42).map(|day| reading("A1", day * 24, 5.0 + (day % 3) as f64 / 10.0)).collect();
    readings.push(reading("A1", 36, 900.0));
    assert_eq!(server.post_readings(&format!("[{}]", readings.join(",")))["dead"], 0);
    let pair = [reading("B1", 1, 0.41), reading("B1", 0, 0.4)];
    server.post_readings(&format!("[{}]", pair.join(",")));
    let id = until("the well is flagged", || {
        let rows = server.sql("SELECT id FROM condition_flags WHERE hazard = 'flood' AND well_id = 'B1'");
        rows[0]["id"].as_str().map(str::to_owned)
    });
    place.run(&["flags", "acknowledge", &id]).good();
    let csv = place.run(&["scorecard"]).good();
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let rows: BTreeMap<String, BTreeMap<String, String>> = table
        .deserialize()
        .map(|row: Result<BTreeMap<String, String>, _>| row.unwrap())
        .map(|row| (row["lao_code"].clone(), row))
        .collect();
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["LAO-A", "LAO-B"], "{csv}");
    let a = &rows["LAO-A"];
    assert_eq!((a["wells"].as_str(), a["wells_reporting"].as_str(), a["flags"].as_str()), ("2", "1", "0"), "{csv}");
    let number = |row: &BTreeMap<String, String>, name: &str| row[name].parse::<f64>().unwrap();
    assert!(number(a, "quality_share") > 0.9 && number(a, "quality_share") < 1.0, "one of 42 is impossible: {csv}");
    let b = &rows["LAO-B"];
    assert_eq!((b["flags"].as_str(), b["flags_answered_in_time"].as_str()), ("1", "1"), "{csv}");
    let expected = 100.0
        * (number(b, "reporting_share") * 40.0
            + number(b, "quality_share") * 30.0
            + number(b, "answered_share") * 30.0)
        / 100.0;
    assert!((number(b, "score") - expected).abs() < 1e-9, "{csv}");
    assert_eq!(b["recharge_is_ranked"], "false");
    // The statement that it shows gives the same.
    let sql = place.run(&["scorecard", "--show-sql"]).good();
    let again = server.sql(&sql);
    assert_eq!(again.as_array().unwrap().len(), 2);
    assert_eq!(again[0]["lao_code"].as_str(), csv.lines().nth(1).and_then(|line| line.split(',').next()));
    assert_eq!(place.run(&["scorecard", "--fiscal-year", "69"]).code, 2);
    assert_eq!(place.run(&["scorecard", "--fiscal-year", "2699"]).code, 2, "it has not begun");
}

#[test]
fn a_bulletin_tells_what_its_sql_says() {
    let place = Place::new();
    place.file("wells.csv", &wells());
    place.run(&["wells", "import", "wells.csv"]).good();
    // Twelve Octobers of two wells, ever deeper.
    let mut csv = "well_id,time,parameter,value\n".to_owned();
    for year in 2014..2026 {
        for day in 1..=31 {
            csv += &format!("W0,{year}-10-{day:02}T12:00:00+07:00,depth_to_water,{}\n", f64::from(year - 2010) / 4.0);
            csv += &format!("W1,{year}-10-{day:02}T12:00:00+07:00,depth_to_water,2.5\n");
        }
    }
    place.file("levels.csv", &csv);
    let server = place.serve();
    place.run(&["readings", "import", "levels.csv"]).good();
    until("the month is judged", || {
        let sql = "SELECT count(*) AS n FROM indicators WHERE well_id = 'W0' AND indicator = 'percentile_class'";
        (count(&server, sql) >= 12).then_some(())
    });
    let told = place.run(&["bulletin", "--province", "30", "--month", "2568-10", "--out", "b.html"]).good();
    assert!(told.contains("b.html"), "{told}");
    let html = std::fs::read_to_string(place.path("b.html")).unwrap();
    for expected in [
        "เดือนตุลาคม 2568",
        "Groundwater of Nakhon Ratchasima, October 2025",
        "W0: much below normal",
        "2 of 8 wells sent 62",
    ] {
        assert!(html.contains(expected), "{expected} in {html}");
    }
    // The level of the month, its mean of the years before, and how far apart they are.
    let sql = "SELECT max(CASE WHEN month = DATE '2025-10-01' THEN level END) AS level, \
               avg(CASE WHEN month < DATE '2025-10-01' THEN level END) AS usual FROM levels_monthly WHERE well_id = 'W0'";
    let row = &server.sql(sql)[0];
    let (level, usual) = (row["level"].as_f64().unwrap(), row["usual"].as_f64().unwrap());
    let cells = format!(
        "<td class=\"n\">{level:.2}</td><td class=\"n\">{usual:.2}</td><td class=\"n\">{:+.2}</td>",
        level - usual
    );
    assert!(html.contains(&cells), "{cells} in {html}");
    assert_eq!(place.run(&["bulletin", "--province", "30", "--month", "2568-13"]).code, 2);
    // Every statement of the page runs as it stands.
    for statement in html.split("<pre>").skip(1).map(|rest| rest.split("</pre>").next().unwrap()) {
        let plain = statement.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        server.sql(&plain);
    }
}
