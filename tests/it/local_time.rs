//! Times in the zone of a connection, against a real PostgreSQL: where days begin, and what a time without an offset means.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use gwbank_testkit::Postgres;

use crate::program::{Place, Said, Server};

/// About the nights when clocks are changed in Europe and Newfoundland, ends of months, of a leap year's February and of a
/// year of the calendar and of weeks.
const DAYS: [&str; 12] = [
    "2023-12-31",
    "2024-01-01",
    "2024-02-28",
    "2024-02-29",
    "2024-03-01",
    "2024-03-10",
    "2024-03-31",
    "2024-04-30",
    "2024-10-27",
    "2024-11-03",
    "2024-12-29",
    "2024-12-31",
];
const CLOCKS: [&str; 6] = ["00:00:00", "00:59:59", "05:30:00.25", "16:59:59", "17:00:00", "23:15:00"];

const ZONES: [&str; 4] = ["Asia/Bangkok", "UTC", "Europe/Berlin", "America/St_Johns"];

const OF_EACH_TIME: &[&str] = &[
    "time",
    "date_trunc('hour', time)",
    "date_trunc('day', time)",
    "date_trunc('week', time)",
    "date_trunc('month', time)",
    "date_trunc('quarter', time)",
    "date_trunc('year', time)",
    "extract(hour FROM time)::int",
    "extract(day FROM time)::int",
    "extract(dow FROM time)::int",
    "extract(doy FROM time)::int",
    "extract(week FROM time)::int",
    "date_part('month', time)::int",
    "date_part('year', time)::int",
    "extract(epoch FROM time)::bigint",
    "time::date",
    "CAST(time AS timestamp)",
    "time::time",
    "time AT TIME ZONE 'Asia/Bangkok'",
    "time AT TIME ZONE 'Europe/Berlin'",
    "(time AT TIME ZONE 'UTC') AT TIME ZONE 'Asia/Bangkok'",
    "timezone('Europe/Berlin', time)",
    "date_trunc('day', time AT TIME ZONE 'Europe/Berlin')",
    "date_trunc('month', time AT TIME ZONE 'UTC')",
    "time + interval '1 month'",
    "time - interval '1 month 1 day'",
    "time + interval '1 day'",
    "time - interval '90 minutes'",
    "time::date + 1",
    "time - date_trunc('day', time) < interval '12 hours'",
    "time > '2024-03-31 02:30'",
    "time >= '2024-03-31'",
    "time BETWEEN '2024-02-28' AND '2024-03-01 12:00'",
    "time NOT IN ('2024-02-29', '2024-10-27 00:00:00+00')",
    "time < DATE '2024-10-27'",
    "DATE '2024-10-27' <= time",
    "time <= TIMESTAMP '2024-10-27 18:15:00'",
    "time::date = '2024-02-29'",
    "time::date IN ('2024-02-29', '2024-12-31')",
    "date_trunc('month', time) = '2024-03-01'",
    "extract(year FROM time) = 2024",
    "time IS DISTINCT FROM '2024-02-29 00:00'",
    "to_char(time, 'YYYY-MM-DD HH24:MI:SS')",
    "to_char(time, 'IYYY-\"W\"IW')",
    "CASE WHEN time >= '2024-06-01' THEN 'later' ELSE 'earlier' END",
    "'2024-03-31 02:30'::timestamptz - time",
    "time - to_timestamp(0)",
    "'2024-03-31 02:30' < time",
    "time - '2024-10-27 02:30'::timestamptz",
    "time - '2024-11-03 01:30'::timestamptz",
    "time - (TIMESTAMP '2024-10-27 02:30:00' AT TIME ZONE 'Europe/Berlin')",
    "time - (TIMESTAMP '2024-03-10 02:30:00' AT TIME ZONE 'America/St_Johns')",
];

const OF_NO_TIME: &[&str] = &[
    "'2024-03-31 12:00'::timestamptz",
    "TIMESTAMP '2024-10-27 12:00' AT TIME ZONE 'Asia/Bangkok'",
    "DATE '2024-10-27'::timestamptz",
    "'2024-10-27 12:00+02'::timestamptz AT TIME ZONE 'UTC'",
    "CAST('2024-10-27 12:00' AS timestamptz)",
    "now()::date = current_date",
    "date_trunc('day', now()) = current_date::timestamptz",
    "extract(hour FROM now())::int = extract(hour FROM now()::timestamp)::int",
    "count(*) FILTER (WHERE time::date = '2024-03-31')",
    "count(DISTINCT date_trunc('day', time))",
    "max(time)",
    "min(time::date)",
];

/// What psql says to each statement of a script, in a session of this zone.
fn psql(target: &str, zone: &str, statements: &[String]) -> Vec<String> {
    const AFTER_EACH: &str = "-- that was it --";
    let mut script = format!("SET TimeZone = '{zone}';\n");
    for statement in statements {
        writeln!(script, "{statement};\n\\echo {AFTER_EACH}").unwrap();
    }
    let mut client = Command::new("psql");
    client.args(["-X", "-q", "-A", "-t", target, "-f", "-"]).stdin(Stdio::piped());
    client.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().expect("psql runs; scripts/test installs it");
    let mut input = client.stdin.take().expect("its input");
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let said = Said::from(client.wait_with_output().expect("psql ends"));
    writer.join().expect("the script is written").expect("psql reads it");
    let told: Vec<&str> = said.out.split(AFTER_EACH).map(str::trim).collect();
    assert_eq!(told.len(), statements.len() + 1, "{}", said.err);
    let error = || format!("nothing; in all: {}", said.err);
    told.iter().zip(statements).map(|(told, _)| if told.is_empty() { error() } else { (*told).to_owned() }).collect()
}

fn started() -> (Place, Server) {
    let place = Place::new();
    place.file("wells.csv", "well_id,province_code,bank_type,depth\nW1,30,observation,12.5\n");
    let mut history = String::from("well_id,time,parameter,value\n");
    for day in DAYS {
        for clock in CLOCKS {
            writeln!(history, "W1,{day}T{clock}Z,depth_to_water,1").unwrap();
        }
    }
    place.file("history.csv", &history);
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    place.run(&["readings", "import", "history.csv"]).good();
    (place, server)
}

#[test]
fn as_postgresql_has_it() {
    let (_place, server) = started();
    let ours = format!("postgresql://gwbank@{}/gwbank", server.postgres_wire);
    let theirs = Postgres::shared().empty_database();
    let times = DAYS.iter().flat_map(|day| CLOCKS.iter().map(move |clock| format!("('{day} {clock}+00')")));
    let times: Vec<String> = times.collect();
    let table = format!("CREATE TABLE times AS SELECT time::timestamptz FROM (VALUES {}) v(time)", times.join(", "));
    Postgres::shared().psql(&theirs, &table);
    let mut asked: Vec<(String, String)> = Vec::new();
    let mut ask = |select: &str, from: &str| asked.push((select.to_owned(), from.to_owned()));
    for expression in OF_EACH_TIME {
        ask(&format!("SELECT time, {expression} AS told"), "FROM times ORDER BY time");
    }
    for expression in OF_NO_TIME {
        ask(&format!("SELECT {expression}"), "FROM times LIMIT 1");
    }
    for filter in ["time::date = '2024-02-29'", "time >= '2024-10-27'", "date_trunc('month', time) = '2024-03-01'"] {
        ask("SELECT count(*)", &format!("FROM times WHERE {filter}"));
    }
    ask("SELECT date_trunc('day', time) AS day, count(*)", "FROM times GROUP BY 1 ORDER BY 1");
    let by_two = "FROM times GROUP BY 1, 2 ORDER BY 1, 2";
    ask("SELECT date_trunc('month', time), extract(day FROM time)::int, max(time)", by_two);

    let with = "WITH times AS (SELECT time FROM readings)";
    let of_ours: Vec<String> = asked.iter().map(|(select, from)| format!("{with} {select} {from}")).collect();
    let of_theirs: Vec<String> = asked.iter().map(|(select, from)| format!("{select} {from}")).collect();
    let mut differ = String::new();
    for zone in ZONES {
        let (told, expected) = (psql(&ours, zone, &of_ours), psql(&theirs, zone, &of_theirs));
        for ((told, expected), statement) in told.iter().zip(&expected).zip(&of_theirs) {
            if told != expected {
                let lines = told.lines().zip(expected.lines()).find(|(told, expected)| told != expected);
                writeln!(differ, "{zone}: {statement}\n  {lines:?}").unwrap();
            }
        }
    }
    assert!(differ.is_empty(), "(ours, PostgreSQL's):\n{differ}");
}

/// Every door goes by the same clocks.
#[test]
fn the_zone_of_the_configuration_is_that_of_every_door() {
    let place = Place::new();
    place.file("gwbank.toml", "[query]\ntime_zone = \"Asia/Tokyo\"\n");
    let server = place.serve();
    let sql = "SELECT CAST('2026-03-01 00:00' AS timestamptz) = '2026-02-28T15:00:00Z'::timestamptz AS told";
    let target = format!("postgresql://gwbank@{}/gwbank", server.postgres_wire);
    let mut client = Command::new("psql");
    client.args(["-X", "-q", "-A", "-t", &target, "-c", "SHOW TimeZone", "-c", sql]).stdin(Stdio::null());
    assert_eq!(Said::from(client.output().expect("psql runs")).good(), "Asia/Tokyo\nt\n");
    assert!(place.run(&["sql", sql]).good().contains("true"));
}
