//! Times that were corrected, as their senders wrote them.

use serde_json::{Value, json};

use crate::mqtt_client::Publisher;
use crate::program::{Place, Server};

const WELLS: &str = "well_id,province_code,bank_type\nW-1,30,observation\n";
const TOPIC: &str = "gwbank/v1/gw-1/readings";

/// An export of another system: Thai dates, hours with a point, centimetres.
const MAP: &str = "time_zone = \"+07:00\"\ntime_format = \"%d/%m/%Y %H.%M\"\ndelimiter = \";\"\n[columns]\nwell = \"site\"\n\
    time = \"date\"\n[wide]\nlevel_cm = { parameter = \"depth_to_water\", unit = \"cm\" }\n";

fn reading(time: &str, depth: f64) -> String {
    format!(r#"{{"well":"W-1","time":"{time}","depth_to_water":{depth},"water_temperature":27.5}}"#)
}

fn times(server: &Server) -> Value {
    let of_depth = "FROM readings WHERE parameter = 'depth_to_water' ORDER BY time";
    server.sql(&format!("SELECT time, time_source, time_raw {of_depth}"))
}

#[test]
fn what_was_written_is_shown_from_the_window_and_the_archive_and_after_kills() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.file("gwbank.toml", "[[ingest.gateways]]\nid = \"gw-1\"\nclock_zone = \"+07:00\"\n");
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    let mut publisher = Publisher::connect(server.mqtt.trim_start_matches("mqtt://"), "gw-1").unwrap();
    let buddhist = reading("2569-11-20T10:00:00.50+07:00", 3.0);
    let zoneless = reading("2026-11-20 11:00", 3.1);
    let exact = reading("2026-11-20T12:00:00+07:00", 3.2);
    publisher.publish(TOPIC, format!("[{buddhist},{zoneless},{exact}]").as_bytes()).unwrap();
    // A spelling is no content: the same value again is a duplicate, another value keeps its own text.
    publisher.publish(TOPIC, reading("2569-11-20 11:00", 3.1).as_bytes()).unwrap();
    publisher.publish(TOPIC, reading("2569-11-20T10:00:00.5+0700", 4.0).as_bytes()).unwrap();
    let expected = json!([
        {"time": "2026-11-20T10:00:00.500+07:00", "time_source": "buddhist_era", "time_raw": "2569-11-20T10:00:00.5+0700"},
        {"time": "2026-11-20T11:00:00+07:00", "time_source": "clock_zone", "time_raw": "2026-11-20 11:00"},
        {"time": "2026-11-20T12:00:00+07:00", "time_source": "device", "time_raw": null},
    ]);
    let superseded = json!([{"value": 3.0, "time_raw": "2569-11-20T10:00:00.50+07:00"}]);
    let check = |server: &Server, when: &str| {
        assert_eq!(times(server), expected, "{when}");
        assert_eq!(
            server.sql("SELECT value, time_raw FROM reading_revisions WHERE cause = 'correction'"),
            superseded,
            "{when}"
        );
    };
    check(&server, "in the window");
    server.kill();

    let server = place.serve();
    check(&server, "replayed from the journal");
    assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
    check(&server, "archived");
    server.kill();

    let server = place.serve();
    check(&server, "read from the archive");
    let again = server.post_readings(&format!("[{buddhist},{zoneless},{exact}]"));
    assert_eq!((&again["stored"], &again["duplicate"]), (&0.into(), &6.into()), "{again}");
    check(&server, "sent again");
}

#[test]
fn an_import_keeps_the_times_of_its_format() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.run(&["wells", "import", "wells.csv"]).good();
    let mut csv = String::from("site;date;level_cm\n");
    let mut rows = 0;
    for (year, month) in (2540..2545).flat_map(|year| (1..=12).map(move |month| (year, month))) {
        for (day, hour) in (1..=28).flat_map(|day| (0..24).map(move |hour| (day, hour))) {
            rows += 1;
            csv.push_str(&format!("W-1;{day}/{month}/{year} {hour:02}.30;{}\n", 300 + rows % 7));
        }
    }
    place.file("export.csv", &csv);
    place.file("map.toml", MAP);
    place.run(&["readings", "import", "export.csv", "--map", "map.toml"]).good();
    // So small a window leaves most to the archive.
    let server = place.serve_with(&["--set", "window.bytes_max=1048576"]);
    let counted = server.sql("SELECT count(*) AS n, count(DISTINCT time_raw) AS texts FROM readings");
    assert_eq!(counted, json!([{"n": rows, "texts": rows}]));
    let sql = |order: &str| format!("SELECT time, time_raw FROM readings ORDER BY time {order} LIMIT 1");
    let oldest = json!([{"time": "1997-01-01T00:30:00+07:00", "time_raw": "1/1/2540 00.30"}]);
    assert_eq!(server.sql(&sql("ASC")), oldest, "from the archive");
    let newest = json!([{"time": "2001-12-28T23:30:00+07:00", "time_raw": "28/12/2544 23.30"}]);
    assert_eq!(server.sql(&sql("DESC")), newest, "from the window");
}

#[test]
fn an_import_through_a_running_server_keeps_them_too_and_so_do_its_dead_letters() {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    place.file("export.csv", "site;date;level_cm\nW-1;1/1/2540 00.30;300\nW-2;2/1/2540 00.30;310\n");
    place.file("map.toml", MAP);
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    let import = || place.run(&["readings", "import", "export.csv", "--map", "map.toml"]);
    import();
    let sql = "SELECT well_id, time, time_source, time_raw FROM readings ORDER BY well_id";
    let row = |well: &str, day: u32| {
        json!({"well_id": well, "time": format!("1997-01-0{day}T00:30:00+07:00"), "time_source": "buddhist_era",
               "time_raw": format!("{day}/1/2540 00.30")})
    };
    assert_eq!(server.sql(sql), json!([row("W-1", 1)]));
    place.file("wells.csv", "well_id,province_code,bank_type\nW-2,30,observation\n");
    place.run(&["wells", "import", "wells.csv"]).good();
    place.run(&["dead-letters", "replay"]).good();
    assert_eq!(server.sql(sql), json!([row("W-1", 1), row("W-2", 2)]));
}
