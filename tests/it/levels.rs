//! Sensors that say something else than a level: what they say is converted, and stored as levels are.

use serde_json::{Value, json};

use crate::program::{Place, Server, until};

const WELLS: &str = "well_id,bank_type,province_code,depth,sampling\n\
    UDN-0012,observation,41,30,manual\nUDN-0013,observation,41,30,manual\nUDN-AIR,observation,41,,logger\n";
const INSTALLATIONS: &str = "well_id,device_id,parameter,sensor_depth_below_mp,measuring_point_height,barometer_id,valid_from\n\
    UDN-0012,diver-1,water_pressure_absolute,12.5,0.5,baro-1,2025-01-01\n\
    UDN-0013,radar-1,distance_to_water,,0.25,,2025-01-01\n\
    UDN-AIR,baro-1,barometric_pressure,,,,2025-01-01\n";
/// 10 January 2026, noon in Bangkok.
const NOON: i64 = 1_768_021_200;

fn reading(well: &str, parameter: &str, hour: i64, value: f64) -> Value {
    json!({"well": well, "time": NOON + hour * 3600, "parameter": parameter, "value": value})
}

/// Levels by well and hours after noon.
fn levels(server: &Server) -> Vec<(String, i64, Option<f64>)> {
    let sql = format!(
        "SELECT well_id, CAST(extract(epoch FROM time) AS BIGINT) - {NOON} AS s, value FROM readings
         WHERE parameter = 'depth_to_water' AND gateway_id = 'gwbank.levels' ORDER BY well_id, time"
    );
    let rows = server.sql(&sql);
    let row = |row: &Value| {
        let seconds = row["s"].as_i64().unwrap();
        (row["well_id"].as_str().unwrap().to_owned(), seconds / 3600, row["value"].as_f64())
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn wait_for(server: &Server, expected: &[(&str, i64, Option<f64>)]) {
    let expected: Vec<_> = expected.iter().map(|(well, hour, value)| ((*well).to_owned(), *hour, *value)).collect();
    until("the levels are converted", || (levels(server) == expected).then_some(()));
}

#[test]
fn pressures_and_distances_become_levels_whatever_happens_between() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.file("installations.csv", INSTALLATIONS);
    place.run(&["wells", "import", "wells.csv"]).good();
    let server = place.serve();
    server.post_readings(
        &json!([
            reading("UDN-0012", "water_pressure_absolute", 0, 110.0),
            reading("UDN-0013", "distance_to_water", 0, 4.5),
            reading("UDN-AIR", "barometric_pressure", -1, 101.0),
        ])
        .to_string(),
    );
    // Known only from now on how they hang: what was sent before is converted as well.
    place.run(&["installations", "import", "installations.csv"]).good();
    wait_for(&server, &[("UDN-0013", 0, Some(4.25))]);
    server.post_readings(&json!([reading("UDN-AIR", "barometric_pressure", 1, 100.0)]).to_string());
    server.kill();

    // Whether or not the conversion came to it, the next start finds out.
    let server = place.serve();
    let both = [("UDN-0012", 0, Some(11.03127)), ("UDN-0013", 0, Some(4.25))];
    wait_for(&server, &both);

    // Another depth of the diver, and a corrected distance.
    place.file("installations.csv", &INSTALLATIONS.replace("12.5", "13.5"));
    place.run(&["installations", "import", "installations.csv"]).good();
    let corrected = json!({"well": "UDN-0013", "time": NOON, "distance_to_water": 5.5, "revision": 1});
    server.post_readings(&corrected.to_string());
    wait_for(&server, &[("UDN-0012", 0, Some(12.03127)), ("UDN-0013", 0, Some(5.25))]);
    let before = server.sql("SELECT value FROM reading_revisions WHERE parameter = 'depth_to_water' ORDER BY value");
    assert_eq!(before, json!([{"value": 4.25}, {"value": 11.03127}]), "what was told before is kept");

    // Levels are judged and summed up as any other, and what they come from stays as it was.
    let rows = server.sql("SELECT DISTINCT quality FROM readings WHERE parameter = 'depth_to_water'");
    assert_eq!(rows, json!([{"quality": 1}]));
    let months = server.sql("SELECT well_id, level FROM levels_monthly ORDER BY well_id");
    assert_eq!(months, json!([{"well_id": "UDN-0012", "level": -12.03127}, {"well_id": "UDN-0013", "level": -5.25}]));
    // An installation by mistake is withdrawn: its levels are missing, and none stands in their place.
    let withdrawn = INSTALLATIONS.lines().next().unwrap().to_owned()
        + ",valid_to\nUDN-0013,radar-1,distance_to_water,,0.25,,2025-01-01,2025-01-01\n";
    place.file("installations.csv", &withdrawn);
    place.run(&["installations", "import", "installations.csv"]).good();
    wait_for(&server, &[("UDN-0012", 0, Some(12.03127)), ("UDN-0013", 0, None)]);
    let raw = server.sql("SELECT value FROM readings WHERE parameter = 'water_pressure_absolute'");
    assert_eq!(raw, json!([{"value": 110.0}]));
    server.terminate();
}

/// A flood flag is raised within seconds by a sensor that says pressure.
#[test]
fn a_pressure_raises_a_flood_flag() {
    let place = Place::new();
    place.file(
        "wells.csv",
        "well_id,bank_type,province_code,district_code,depth,flood_warning_depth,flood_danger_depth\n\
         UDN-0012,observation,41,4101,30,1.0,0.5\n",
    );
    place.file(
        "installations.csv",
        "well_id,parameter,sensor_depth_below_mp,measuring_point_height,valid_from\n\
         UDN-0012,water_pressure_gauge,10,0,2025-01-01\n",
    );
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    place.run(&["installations", "import", "installations.csv"]).good();
    let now = server.sql("SELECT CAST(extract(epoch FROM now()) AS BIGINT) AS s")[0]["s"].as_i64().unwrap();
    let column = |depth: f64| (10.0 - depth) / 0.101_971_621_3;
    let readings: Vec<Value> = [(-2700, 0.9), (-1800, 0.8), (-900, 0.7), (0, 0.6)]
        .iter()
        .map(|(after, depth)| {
            json!({"well": "UDN-0012", "time": now + after, "parameter": "water_pressure_gauge", "value": column(*depth)})
        })
        .collect();
    server.post_readings(&json!(readings).to_string());
    until("a flag is raised", || {
        let flags = server.sql("SELECT severity FROM condition_flags WHERE hazard = 'flood' AND scope = 'well'");
        (flags == json!([{"severity": "warning"}])).then_some(())
    });
    server.terminate();
}
