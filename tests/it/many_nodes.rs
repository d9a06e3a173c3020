//! Several gwbank on one database and one shared subscription.

use gwbank_testkit::Postgres;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::conservation::{Load, Pace, check_conserved, kills, wells_csv};
use crate::mosquitto::Mosquitto;
use crate::program::{Place, Server, until};

/// A node's place, with its configuration in `gwbank.toml`.
fn node(id: u8, url: &str, broker: &str) -> Place {
    let place = Place::new();
    place.file(
        "gwbank.toml",
        &format!(
            "[node]\nid = {id}\n[archive]\nkind = \"timescale\"\nurl = \"{url}\"\nflush_interval_seconds = 1\nflush_rows = 2000\n\
             [[mqtt.external]]\nurl = \"mqtt://{broker}\"\nclient_id = \"gwbank-{id}\"\nshared_group = \"gwbank\"\n"
        ),
    );
    place
}

fn run(place: &Place, arguments: &[&str]) -> crate::program::Said {
    let config = place.path("gwbank.toml");
    place.run(&[arguments, &["--config", config.to_str().expect("a path")]].concat())
}

fn serve(place: &Place) -> Server {
    let config = place.path("gwbank.toml");
    place.serve_with(&["--config", config.to_str().expect("a path")])
}

#[test]
fn nodes_of_one_database_lose_and_double_nothing() {
    let postgres = Postgres::shared();
    let url = postgres.empty_database();
    let broker_place = Place::new();
    let mosquitto = Mosquitto::start(broker_place.dir.path());
    let places = [1, 2].map(|id| node(id, &url, &mosquitto.address));
    run(&places[0], &["migrate"]).good();
    let wells = places[0].file("wells.csv", &wells_csv());
    run(&places[0], &["wells", "import", wells.to_str().expect("a path")]).good();
    let mut servers = [0, 1].map(|n| Some(serve(&places[n])));
    for server in servers.iter().flatten() {
        until("gwbank has subscribed", || (server.ask("GET", "/readyz", &[], &[]).0 == 200).then_some(()));
    }

    // A well that is registered with one is soon known to the other.
    let well = places[0].file("well.csv", "well_id,province_code,bank_type\nW-new,30,observation\n");
    run(&places[0], &["wells", "import", well.to_str().expect("a path")]).good();
    let reading = json!({"well": "W-new", "time": "2026-05-01T10:00:00+07:00", "water_temperature": 27.5}).to_string();
    until("the other node knows the well", || {
        (servers[1].as_ref()?.post_readings(&reading)["dead"] == 0).then_some(())
    });
    let of_well = "SELECT value FROM readings WHERE well_id = 'W-new'";
    until("what one node takes in the other one shows", || {
        (servers[0].as_ref()?.sql(of_well) == json!([{"value": 27.5}])).then_some(())
    });

    // Limits that are set at one node hold at the other, and what is stored is judged anew, by whichever judges.
    let limits = "well_id,parameter,limit_name,value\n*,water_temperature,gross_range.user_max,20\n";
    let limits = places[1].file("limits.csv", limits);
    run(&places[1], &["quality", "limits", "import", limits.to_str().expect("a path")]).good();
    for server in servers.iter().flatten() {
        let limits = "SELECT value FROM quality_limits WHERE source = 'table'";
        until("the limit is known", || (server.sql(limits) == json!([{"value": 20.0}])).then_some(()));
        let quality = "SELECT quality FROM readings WHERE well_id = 'W-new'";
        until("the reading is judged by it", || (server.sql(quality) == json!([{"quality": 3}])).then_some(()));
    }

    // A second data directory under a number that is in use would hide what the first one has not archived.
    let third = node(2, &url, &mosquitto.address);
    let refused = run(&third, &["serve"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("belongs to another data directory"), "{}", refused.err);

    let judges = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND locktype = 'advisory' AND objid::bigint = x'6e6b0003'::bigint AND granted";
    until("one node judges", || (postgres.psql(&url, judges) == "1").then_some(()));

    let load = Load::start(&mosquitto.address, Pace::Allowed);
    let mut random = SmallRng::seed_from_u64(4714);
    for round in 0..kills() {
        load.goes_on_by(random.random_range(500..2_000));
        let n = round % 2;
        servers[n].take().expect("runs").kill();
        load.goes_on_by(random.random_range(200..1_000));
        servers[n] = Some(serve(&places[n]));
        until("one node judges", || (postgres.psql(&url, judges) == "1").then_some(()));
    }
    load.goes_on_by(500);
    let acknowledged = load.stop();
    let keys = acknowledged.len() as i64;
    for server in servers.iter().flatten() {
        until("everything is handed over and archived", || {
            let n = &server.sql("SELECT count(*) AS n FROM readings WHERE parameter = 'depth_to_water'")[0]["n"];
            (n.as_i64()? >= keys).then_some(())
        });
    }
    for server in servers.iter().flatten() {
        check_conserved(server, &acknowledged);
    }
}
