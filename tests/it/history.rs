//! Import and replay: exact counts, each key once, with its last value.

use crate::program::{Place, Server};

const WELLS: &str = "well_id,province_code,bank_type\nW-1,30,observation\nW-2,30,observation\n";
const MAP: &str = "[parameters]\ngroundwater_level = \"groundwater_elevation\"\n";

/// 400 rows of two wells; one time twice with another value; 40 rows without a target.
fn history(place: &Place) {
    place.file("wells.csv", WELLS);
    place.file("map.toml", MAP);
    for well in ["W-1", "W-2"] {
        let mut csv = String::from("well_id,time,parameter,value,unit\n");
        for day in 0..180 {
            let (month, day_of_month) = (day / 28 + 1, day % 28 + 1);
            let time = format!("1999-{month:02}-{day_of_month:02}T00:00:00Z");
            csv.push_str(&format!("{well},{time},groundwater_level,{}.5,cm\n", 100 + day));
            if day % 9 == 0 {
                csv.push_str(&format!("{well},{time},logger_temperature,12,degC\n"));
            }
        }
        csv.push_str(&format!("{well},1999-01-01T00:00:00Z,groundwater_level,777,cm\n"));
        place.file(&format!("{well}.csv"), &csv);
    }
}

fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line[name.len()..].split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
}

fn check_keys(server: &Server) {
    let rows = server.sql(
        "SELECT well_id, count(*) AS n, count(DISTINCT time) AS times, min(value) AS lowest, max(value) AS highest \
         FROM readings WHERE parameter = 'groundwater_elevation' GROUP BY well_id ORDER BY well_id",
    );
    for (row, well) in rows.as_array().unwrap().iter().zip(["W-1", "W-2"]) {
        let expected = serde_json::json!({"well_id": well, "n": 180, "times": 180, "lowest": 1.015, "highest": 7.77});
        assert_eq!(row, &expected);
    }
    assert_eq!(server.sql("SELECT count(*) AS n FROM reading_revisions")[0]["n"], 2, "the earlier values are kept");
}

const IMPORT: [&str; 6] = ["readings", "import", "W-1.csv", "W-2.csv", "--map", "map.toml"];

#[test]
fn an_import_without_a_server_counts_exactly() {
    let place = Place::new();
    history(&place);
    place.run(&["wells", "import", "wells.csv"]).good();

    let mut dry: Vec<&str> = IMPORT.to_vec();
    dry.push("--dry-run");
    let said = place.run(&dry).good();
    assert_eq!((number(&said, "read"), number(&said, "readings"), number(&said, "refused")), (402, 362, 40), "{said}");

    let said = place.run(&IMPORT).good();
    let counts = ["read", "stored", "duplicate", "dead", "refused"].map(|name| number(&said, name));
    assert_eq!(counts, [402, 362, 0, 0, 40], "{said}");
    assert!(said.contains("40 logger_temperature"), "{said}");
    let said = place.run(&IMPORT).good();
    let counts = ["read", "stored", "duplicate", "dead", "refused"].map(|name| number(&said, name));
    assert_eq!(counts, [402, 0, 362, 0, 40], "a second import changes nothing: {said}");
    check_keys(&place.serve());
}

#[test]
fn an_import_through_a_server_counts_the_same() {
    let place = Place::new();
    history(&place);
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    let said = place.run(&IMPORT).good();
    let counts = ["read", "stored", "duplicate", "dead", "refused"].map(|name| number(&said, name));
    assert_eq!(counts, [402, 362, 0, 0, 40], "{said}");
    check_keys(&server);
}

#[test]
fn readings_of_unknown_wells_are_dead_and_said_so() {
    let place = Place::new();
    history(&place);
    let said = place.run(&IMPORT);
    assert_eq!(said.code, 0);
    assert_eq!((number(&said.out, "stored"), number(&said.out, "dead")), (0, 362), "{said:?}");
    assert!(said.err.contains("not registered"), "{said:?}");
}

#[test]
fn bad_rows_are_named_and_the_rest_is_stored() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.run(&["wells", "import", "wells.csv"]).good();
    place.file("x.csv", "well_id,time,parameter,value\nW-1,1999-01-01T00:00:00Z,ph,7\nW-1,soon,ph,7\n");
    let said = place.run(&["readings", "import", "x.csv"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("x.csv:3: "), "{said:?}");
    assert_eq!(number(&said.out, "stored"), 1);
    place.file("y.csv", "station,when\n1,2\n");
    let said = place.run(&["readings", "import", "y.csv"]);
    assert!(said.err.contains("no column \"parameter\"") && said.err.contains("--map"), "{said:?}");
}

#[test]
fn an_import_that_comes_to_nothing_fails_and_says_why() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.run(&["wells", "import", "wells.csv"]).good();
    place.file("x.csv", "well_id,time,parameter,value,unit\nW-1,1999-01-01T00:00:00Z,dept_to_water,7,cm\n");
    let said = place.run(&["readings", "import", "x.csv"]);
    assert_eq!((said.code, number(&said.out, "refused")), (1, 1), "{said:?}");
    let named = ["dept_to_water, first at", "x.csv:2: ", "[parameters] in a map (--map)"];
    assert!(named.iter().all(|text| said.out.contains(text)), "{said:?}");
    place.file("map.toml", "[wide]\nvalue = { parameter = \"depth_to_water\", unit = \"kg\" }\n");
    let said = place.run(&["readings", "import", "x.csv", "--map", "map.toml"]);
    assert!(said.code == 2 && said.err.contains("unit \"kg\" is not one of depth_to_water"), "{said:?}");
}

#[test]
fn a_replay_over_mqtt_ends_with_the_keys_of_the_files() {
    let place = Place::new();
    history(&place);
    // A replay speaks as a live gateway; how old its readings may be is the server's word.
    let server = place.serve_with(&["--set", "ingest.earliest_time="]);
    place.run(&["wells", "import", "wells.csv"]).good();
    for _ in 0..2 {
        let said = place
            .run(&["replay", "W-1.csv", "W-2.csv", "--map", "map.toml", "--to", &server.mqtt, "--batch", "7"])
            .good();
        assert_eq!((number(&said, "read"), number(&said, "published")), (402, 362), "{said}");
    }
    check_keys(&server);
    let (_, metrics) = server.ask("GET", "/metrics", &[], &[]);
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(metrics.contains("gwbank_readings_received_total 724\n"), "{metrics}");
}

#[test]
fn simulated_gateways_come_in_over_mqtt() {
    let place = Place::new();
    place.run(&["simulate", "--wells", "77", "--write-wells", "sim.csv"]).good();
    let server = place.serve();
    place.run(&["wells", "import", "sim.csv"]).good();
    for payload in ["json", "senml"] {
        let simulate = ["simulate", "--to", &server.mqtt, "--wells", "77", "--gateways", "5", "--seconds", "1"];
        let said = place.run(&[&simulate[..], &["--rate", "2000", "--payload", payload]].concat()).good();
        assert!(said.contains("0 refused"), "{said}");
    }
    let (status, list) = server.ask("GET", "/api/v1/gateways", &[], &[]);
    assert_eq!(status, 200);
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(list["total"], 5, "{list}");
    for gateway in list["items"].as_array().unwrap() {
        let count = |name: &str| gateway[name].as_u64().unwrap();
        assert_eq!(count("received"), count("stored") + count("duplicate") + count("dead") + count("pending"));
        assert_eq!(count("dead"), 0, "{gateway}");
    }
}
