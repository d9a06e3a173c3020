//! A hydrologist reviews what the server has: from the command line, over kills, with what follows from it.

use serde_json::{Value, json};

use crate::program::{Place, Server, until};

const WELLS: &str = "well_id,bank_type,province_code,depth,sampling\nUDN-0012,observation,41,30,manual\n";
/// 10 January 2026, noon in Bangkok.
const NOON: i64 = 1_768_021_200;

fn reading(day: i64, value: f64) -> Value {
    json!({"well": "UDN-0012", "time": NOON + day * 86_400, "parameter": "depth_to_water", "value": value})
}

/// Values and approvals in order of time.
fn readings(server: &Server) -> Vec<(Option<f64>, i64, String)> {
    let rows = server.sql("SELECT value, quality, approval FROM readings ORDER BY time");
    let told = |row: &Value| {
        let approval = row["approval"].as_str().unwrap_or_default().to_owned();
        (row["value"].as_f64(), row["quality"].as_i64().unwrap_or_default(), approval)
    };
    rows.as_array().unwrap().iter().map(told).collect()
}

fn approved(server: &Server) -> Vec<bool> {
    readings(server).iter().map(|(_, _, approval)| approval == "approved").collect()
}

const STRETCH: [&str; 4] = ["--well", "UDN-0012", "--parameter", "depth_to_water"];

fn review(place: &Place, arguments: &[&str]) -> crate::program::Said {
    let (first, rest) = arguments.split_first().unwrap();
    place.run(&[&["review", first], &STRETCH[..], rest].concat())
}

#[test]
fn readings_are_approved_corrected_rejected_and_taken_back() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.run(&["wells", "import", "wells.csv"]).good();
    let server = place.serve();
    server.post_readings(&json!([reading(0, 4.5), reading(1, 4.6), reading(2, 4.7), reading(40, 4.8)]).to_string());
    assert_eq!(approved(&server), [false; 4]);
    let levels = |server: &Server| server.sql("SELECT level FROM levels_monthly ORDER BY month");
    assert_eq!(levels(&server), json!([{"level": -4.6}, {"level": -4.8}]));

    // January is right as it is. The share is told with what is computed of it.
    let said = review(&place, &["approve", "--to", "2026-01-31", "--reason", "compared with the tape"]).good();
    assert!(said.starts_with("review 1: approve 3 readings of UDN-0012/depth_to_water"), "{said}");
    assert_eq!(approved(&server), [true, true, true, false]);
    until("the approved share", || {
        let shares = server.sql(
            "SELECT approved_share FROM indicators WHERE scope = 'well' AND indicator = 'sgi'
             AND period = TIMESTAMP '2026-01-01T00:00:00Z'",
        );
        (shares == json!([{"approved_share": 1.0}])).then_some(())
    });

    // What is corrected after it by a gateway is provisional again; what is corrected by a person is not.
    server.post_readings(&json!([reading(1, 4.61)]).to_string());
    assert_eq!(approved(&server), [true, false, true, false]);
    let correct = ["correct", "--from", "2026-01-11", "--to", "2026-01-12", "--drift", "0.5", "-0.5"];
    let said = review(&place, &[&correct[..], &["--reason", "the cable was stretched"]].concat()).good();
    assert!(said.contains("drift 2 readings"), "{said}");
    // Noon is a quarter into the two days of the stretch, and three quarters.
    let values: Vec<f64> = readings(&server).into_iter().filter_map(|(value, _, _)| value).collect();
    assert!((values[1] - 4.86).abs() < 1e-6 && (values[2] - 4.45).abs() < 1e-6, "{values:?}");
    assert_eq!(approved(&server), [true, true, true, false]);
    server.kill();

    let server = place.serve();
    assert_eq!(approved(&server), [true, true, true, false], "a restart forgets nothing");
    let before = server.sql("SELECT value FROM reading_revisions WHERE cause = 'review' ORDER BY time");
    assert_eq!(before, json!([{"value": 4.61}, {"value": 4.7}]), "originals are kept");
    // A gateway that sends itself again changes nothing.
    server.post_readings(&json!([reading(1, 4.61), reading(2, 4.7)]).to_string());
    let again: Vec<f64> = readings(&server).into_iter().filter_map(|(value, _, _)| value).collect();
    assert_eq!(again, values);

    let said = review(&place, &["reject", "--from", "2026-02-01", "--reason", "the logger lay on the ground"]).good();
    assert!(said.contains("review 3: reject 1 readings"), "{said}");
    until("the rejected reading fails", || {
        let last = readings(&server).pop()?;
        (last == (Some(4.8), 4, "approved".to_owned())).then_some(())
    });
    // One that comes later into the stretch fails, too.
    server.post_readings(&json!([reading(41, 4.9)]).to_string());
    let rejected =
        server.sql("SELECT quality, qc_tests FROM readings WHERE value >= 4.8 AND time > '2026-02-01' ORDER BY time");
    assert_eq!(rejected, json!([{"quality": 4, "qc_tests": 1 << 14}, {"quality": 4, "qc_tests": 1 << 14}]));
    until("the month has no level", || (levels(&server).as_array()?.len() == 1).then_some(()));

    place.run(&["review", "withdraw", "2", "--reason", "it was another cable"]).good();
    let restored: Vec<f64> = readings(&server).into_iter().filter_map(|(value, _, _)| value).collect();
    assert_eq!(restored, [4.5, 4.61, 4.7, 4.8, 4.9]);
    assert_eq!(approved(&server)[..3], [true, false, false]);
    place.run(&["review", "withdraw", "3", "--reason", "it did not"]).good();
    until("the readings are judged as before", || {
        let rows = readings(&server);
        rows.iter().all(|(_, quality, _)| *quality != 4).then_some(())
    });

    let list = place.run(&["review", "list", "--withdrawn"]).good();
    assert!(list.contains("the cable was stretched") && list.contains("it was another cable"), "{list}");
    assert!(list.ends_with("3 reviews\n"), "{list}");
    let rows = server.sql("SELECT review_id, action, readings FROM reviews ORDER BY review_id");
    assert_eq!(rows[1], json!({"review_id": 2, "action": "drift", "readings": 2}));
    let refused = review(&place, &["approve", "--from", "2027-01-01", "--to", "2027-02-01", "--reason", "x"]);
    assert!(
        refused.code != 0 && refused.err.contains("no reading of UDN-0012/depth_to_water lies between"),
        "{refused:?}"
    );
    server.terminate();
}
