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
    "time >= '2024-03-31'::date + interval '6 hours'",
    "CASE WHEN time > '2024-06-01' THEN time ELSE '2024-03-29 00:00:00' END",
    "CASE WHEN time > '2024-06-01' THEN time ELSE DATE '2024-03-29' END",
    "CASE date_trunc('day', time) WHEN '2024-02-29' THEN 1 ELSE 0 END",
    "greatest(time, '2024-06-01 00:00')",
    "least(time, timestamp '2024-06-01')",
    "coalesce(time, timestamp '2024-06-01')",
    "nullif(time, timestamp '2024-02-29 00:00:00')",
    "lag(time, 1, timestamp '2020-01-01') OVER (ORDER BY time)",
    "time::text",
    "'at ' || time",
    "concat(time, '.')",
    "(time AT TIME ZONE 'UTC')::text",
    "date_trunc('day', time, 'Europe/Berlin')",
    "2 * interval '1 day' + time",
    "time - interval '1 hour' * 1.5",
    "time + interval '1 month' / 2",
    "date_trunc('hour', time) + floor(extract(minute FROM time) / 15) * interval '15 minutes'",
    "time - '2024-03-25'",
    "(time, 1) > ('2024-03-31', 0)",
    "(time, 1) IN (('2024-02-29 00:00:00+00', 1), ('2024-03-01', 1))",
    "time::timestamp < '2024-03-31 02:30'",
    "time::date = '2024-02-29 00:00'",
    "time AT TIME ZONE 'UTC' < '2024-03-28T12:00:00+02'",
    "time >= '2024-03-31T12:00:00'::date",
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
    "date '2024-01-01' + interval '5 hours'",
    "2.7::int, 2.5::float8::int, (-2.5)::float8::int, 7.9::numeric::int",
    "'9999-12-31 00:00:00'::timestamptz > now()",
    "mod(7, 3), sign(-2)::int",
    "to_char(timestamp '2024-02-29 13:05:09', 'DD.MM.YYYY HH12:MI:SS AM')",
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
    if !said.err.is_empty() {
        println!("{zone}: {}", said.err);
    }
    told.iter().zip(statements).map(|(told, _)| (*told).to_owned()).collect()
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
    for filter in [
        "time::date = '2024-02-29'",
        "time >= '2024-10-27'",
        "date_trunc('month', time) = '2024-03-01'",
        "time IN (SELECT DATE '2024-02-29')",
        "time IN (SELECT t.time::date FROM times t)",
        "time::date NOT IN (SELECT t.time FROM times t)",
        "date_trunc('day', time) = ANY (SELECT t.time::date FROM times t)",
    ] {
        ask("SELECT count(*)", &format!("FROM times WHERE {filter}"));
    }
    ask("SELECT date_trunc('day', time) AS day, count(*)", "FROM times GROUP BY 1 ORDER BY 1");
    let by_two = "FROM times GROUP BY 1, 2 ORDER BY 1, 2";
    ask("SELECT date_trunc('month', time), extract(day FROM time)::int, max(time)", by_two);

    let gaps = "(SELECT time, time - lag(time) OVER (ORDER BY time) AS gap FROM times) g";
    for longer in ["> interval '1 day'", ">= '40 minutes'", "BETWEEN interval '0' AND interval '30 days'"] {
        ask("SELECT count(*)", &format!("FROM {gaps} WHERE gap {longer}"));
    }
    ask("SELECT max(time) - min(time) > interval '1 year', interval '1 day' = interval '24 hours'", "FROM times");
    ask(
        "SELECT time::date, to_char(time, 'HH24') AS hour",
        "FROM times ORDER BY extract(hour FROM time) DESC, time, hour LIMIT 9",
    );
    ask("SELECT to_char(time, 'DD') AS time", "FROM times t ORDER BY t.time DESC LIMIT 9");
    ask("SELECT min(time), min(time::date), max(time::date)", "FROM times HAVING max(time) > '2000-01-01'");
    ask("SELECT count(DISTINCT time), count(DISTINCT time::date)", "FROM times");
    ask("SELECT time::date AS time, max(time)", "FROM times GROUP BY 1 ORDER BY max(times.time) DESC LIMIT 5");
    for number in ["= 2", "IN (1, 2, 3)", "> 2", "BETWEEN 2 AND 3"] {
        let rounded = "round((extract(day FROM time) / 7.0)::numeric, 0)";
        ask("SELECT count(*)", &format!("FROM times WHERE {rounded} {number}"));
        ask(&format!("SELECT count(*) FILTER (WHERE {rounded} {number})"), "FROM times");
    }
    ask("SELECT DISTINCT time::date", "FROM times ORDER BY time::date");
    ask("SELECT time::date, extract(hour FROM time)::int AS hour", "FROM times ORDER BY time, hour");
    for other in ["DATE '2024-02-28'", "timestamp '2024-06-01 12:30'", "'2024-06-01 12:30:00'"] {
        ask(&format!("SELECT * FROM (SELECT time FROM times UNION ALL SELECT {other}) u"), "ORDER BY 1");
    }
    let days = "(SELECT date_trunc('day', time) AS day FROM times) a";
    ask("SELECT count(*)", &format!("FROM {days} JOIN (SELECT DISTINCT time::date AS day FROM times) b USING (day)"));
    let bounds = "timestamptz '2024-05-01', '2024-05-04 00:00'::timestamptz, interval '12 hours'";
    ask("SELECT g", &format!("FROM generate_series({bounds}) g ORDER BY 1"));
    ask("SELECT generate_series", "FROM generate_series(date '2024-05-01', date '2024-05-04', interval '1 day')");
    let days =
        "SELECT timestamptz '2024-05-01' AS t UNION ALL SELECT t + interval '1 day' FROM s WHERE t < '2024-05-05'";
    ask(&format!("WITH RECURSIVE s AS ({days}) SELECT t"), "FROM s ORDER BY t");
    ask("SELECT time AS ระดับน้ำ", "FROM times บ่อ2 WHERE บ่อ2.time < '2024-01-01' ORDER BY ระดับน้ำ");
    for (kind, value) in
        [("timestamp", "2024-03-31 06:30"), ("date", "2024-03-31"), ("timestamptz", "2024-03-31 06:30")]
    {
        let by = "time >= $1 AND coalesce($1, time) < time AND date_trunc('day', time) <> $1";
        asked.push((format!("PREPARE p ({kind}) AS SELECT count(*) FROM times WHERE {by}"), String::new()));
        asked.push((format!("EXECUTE p ('{value}')"), String::new()));
        asked.push(("DEALLOCATE p".to_owned(), String::new()));
    }

    let of_ours: Vec<String> = std::iter::once("CREATE VIEW times AS SELECT time FROM readings".to_owned())
        .chain(asked.iter().map(|(select, from)| format!("{select} {from}")))
        .collect();
    let of_theirs: Vec<String> = std::iter::once("SELECT 'as many'".to_owned())
        .chain(asked.iter().map(|(select, from)| format!("{select} {from}")))
        .collect();
    let mut differ = String::new();
    for zone in ZONES {
        let (told, expected) = (psql(&ours, zone, &of_ours), psql(&theirs, zone, &of_theirs));
        for ((told, expected), statement) in told.iter().zip(&expected).zip(&of_theirs).skip(1) {
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
