//! Statements that mean harm come in by every door: each is refused or ends in its time, nothing changes, memory stays
//! bounded, and gateways are acknowledged all the while. Users take turns.

mod doors;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gwbank_testkit::hostile::{Expected, HostileStatement, statements};
use gwbank_testkit::test_rounds;
use serde_json::Value;

use crate::mqtt_client::Publisher;
use crate::postgres_wire::psql;
use crate::program::{Place, Server, until};
use doors::{DOORS, Door, Ended, with_parameters};

const MIB: usize = 1 << 20;
const MEMORY_PER_QUERY: usize = 64 * MIB;
/// Statements under way at a time.
const BESIDE: usize = 6;

/// Short limits, as each of the costly statements goes up to one.
fn config() -> String {
    format!(
        "[query]\nseconds_max = 1\nwait_seconds_max = 100\nrows_max = 200000\nconcurrent_max = {BESIDE}\n\
         concurrent_per_user_max = {BESIDE}\nmemory_bytes_per_query = {MEMORY_PER_QUERY}\n\
         memory_bytes_for_all = {}\nspill_bytes_max = {}\n",
        4 * MEMORY_PER_QUERY,
        64 * MIB
    )
}

/// Far above a limit on a busy machine, far below what a statement that got through would take.
const PROMPTLY: Duration = Duration::from_secs(60);

/// They stand first.
const QUICK_DOORS: usize = 4;

/// With so many rounds every door hears every statement.
const ROUNDS_FOR_ALL: u32 = 8;

/// Each statement with the doors that it goes to. Where little time is given it goes to one of the quick doors, in turn, and
/// each sixteenth to those that start a process.
fn work(rounds: u32) -> Vec<(HostileStatement, &'static Door)> {
    let mut work = Vec::new();
    for (index, statement) in statements().into_iter().enumerate() {
        for (place, door) in DOORS.iter().enumerate() {
            let is_chosen = if door.is_slow { index % 16 == 0 } else { index % QUICK_DOORS == place };
            if is_chosen || rounds >= ROUNDS_FOR_ALL {
                work.push((statement.clone(), door));
            }
        }
    }
    work
}

/// What is wrong with an outcome.
fn objection(statement: &HostileStatement, door: &Door, ended: &Ended, took: Duration) -> Option<String> {
    let may_be_answered = match statement.expected {
        Expected::Odd => true,
        Expected::Session => door.has_sessions,
        _ => false,
    };
    let shown: String = statement.sql.chars().take(200).collect();
    match ended {
        Ended::Answered(answer) if !may_be_answered => {
            Some(format!("{}: answered: {shown}: {:.200}", door.name, answer))
        }
        _ if took > PROMPTLY => Some(format!("{}: took {took:?}: {shown}", door.name)),
        _ => None,
    }
}

/// Everything that no statement may change.
fn state(server: &Server) -> Vec<Value> {
    [
        "SELECT * FROM wells ORDER BY well_id",
        "SELECT count(*) AS n, sum(value) AS s FROM readings WHERE parameter = 'water_temperature'",
        "SELECT table_name, table_type FROM information_schema.tables ORDER BY 1, 2",
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'readings'",
    ]
    .map(|sql| server.sql(sql))
    .to_vec()
}

fn started() -> (Place, Server) {
    let place = Place::new();
    place.file("gwbank.toml", &config());
    place.file("wells.csv", "well_id,province_code,bank_type\nW-1,30,observation\nW-2,30,open\nW-3,31,closed\n");
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    let reading = |n: u64| {
        let time = 1_767_225_600 + n * 3600;
        serde_json::json!({"well": format!("W-{}", n % 3 + 1), "time": time, "water_temperature": n % 10 + 20})
    };
    let readings: Vec<Value> = (0..300).map(reading).collect();
    assert_eq!(server.post_readings(&Value::from(readings).to_string())["stored"], 300);
    (place, server)
}

#[test]
fn hostile_statements_harm_nobody() {
    let (_place, server) = started();
    let before = state(&server);
    let peak_before = server.memory_peak();
    let work = work(test_rounds(1));
    let (next, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let objections: Vec<String> = std::thread::scope(|scope| {
        let gateway = scope.spawn(|| acknowledged_until(&server, &done));
        let askers: Vec<_> = (0..BESIDE)
            .map(|_| {
                scope.spawn(|| {
                    let mut objections = Vec::new();
                    while let Some((statement, door)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let began = Instant::now();
                        let ended = (door.ask)(&server, &statement.sql);
                        objections.extend(objection(statement, door, &ended, began.elapsed()));
                    }
                    objections
                })
            })
            .collect();
        let objections = askers.into_iter().flat_map(|asker| asker.join().expect("no door hangs")).collect();
        done.store(true, Ordering::Relaxed);
        let acknowledged = gateway.join().expect("the gateway is acknowledged all the while");
        assert!(acknowledged > 0);
        objections
    });
    assert!(objections.is_empty(), "{objections:#?}");
    // The window, the archive's writer and what the allocator keeps come on top of what queries may take.
    let grown = server.memory_peak().saturating_sub(peak_before);
    println!("{} statements, memory grown by {} MiB", work.len(), grown / MIB);
    assert!(grown < 2 * BESIDE * MEMORY_PER_QUERY, "memory has grown by {} MiB", grown / MIB);
    assert_eq!(state(&server), before);
    until("nothing runs and nothing is kept", || {
        let metric = |name: &str| metric(&server, name);
        (metric("queries_waiting") + metric("query_memory_bytes") + metric("query_spilled_bytes") == 0.0).then_some(())
    });
    assert!(metric(&server, "queries_rejected_total{limit=\"seconds\"}") >= 1.0);
    assert!(metric(&server, "queries_rejected_total{limit=\"memory\"}") >= 1.0);
}

/// Publishes one reading after the other; each acknowledgement must come. Gives how many came.
fn acknowledged_until(server: &Server, done: &AtomicBool) -> u64 {
    let address = server.mqtt.strip_prefix("mqtt://").unwrap();
    let mut publisher = Publisher::connect(address, "gw-hostile").unwrap();
    let mut acknowledged = 0;
    while !done.load(Ordering::Relaxed) {
        let time = 1_767_225_600 + acknowledged;
        let payload = format!("{{\"well\":\"W-1\",\"time\":{time},\"depth_to_water\":{}}}", acknowledged % 10);
        publisher.publish("gwbank/v1/gw-hostile/readings", payload.as_bytes()).unwrap();
        acknowledged += 1;
    }
    acknowledged
}

/// A metric without its prefix; 0 where it is not told.
fn metric(server: &Server, name: &str) -> f64 {
    metric_for(server, &[], name)
}

fn metric_for(server: &Server, headers: &[(&str, &str)], name: &str) -> f64 {
    let (status, text) = server.ask("GET", "/metrics", headers, &[]);
    assert_eq!(status, 200);
    let text = String::from_utf8(text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("gwbank_")?.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

#[test]
fn huge_parameters_are_limited_like_everything() {
    let (_place, server) = started();
    let long = vec![b'x'; 8 * MIB];
    let many: Vec<&[u8]> = vec![b"1"; 30_000];
    let list = (1..=30_000).map(|n| format!("${n}")).collect::<Vec<_>>().join(",");
    for (sql, parameters, may_be_answered) in [
        ("SELECT length($1::text)", &[long.as_slice()][..], true),
        ("SELECT repeat($1::text, $2::int)", &[b"x".as_slice(), b"2000000000"], false),
        ("SELECT count(*) FROM generate_series(1, $1::bigint) AS a(x) WHERE x < 0", &[b"900000000000"], false),
        ("SELECT $1::int", &[b"a\0b"], false),
        ("SELECT $1::int", &[b"99999999999999999999"], false),
        ("SELECT count(*) FROM wells WHERE well_id ~ $1", &[b"((a{1,100}){1,100}){1,100}"], false),
        (&format!("SELECT 1 IN ({list})"), &many, false),
        ("SELECT $1::text", &[b"\xff\xfe"], false),
        ("SELECT well_id FROM wells LIMIT $1", &[b"-1"], false),
    ] {
        let ended = with_parameters(&server, sql, parameters);
        assert!(may_be_answered || matches!(ended, Ended::Refused(_)), "{sql:.200}: {ended:.200?}");
    }
    assert_eq!(server.sql("SELECT 1 AS x")[0]["x"], 1);
}

#[test]
fn explain_works_at_every_door_within_the_limits() {
    let (_place, server) = started();
    for door in DOORS {
        let ask = |sql: &str| (door.ask)(&server, sql);
        let Ended::Answered(plan) = ask("EXPLAIN SELECT count(*) FROM readings WHERE well_id = 'W-1'") else {
            panic!("{}: no plan", door.name)
        };
        assert!(plan.contains("AggregateExec"), "{}: {plan}", door.name);
        let analyzed = ask("EXPLAIN ANALYZE SELECT well_id, max(value) FROM readings GROUP BY well_id");
        let Ended::Answered(plan) = analyzed else { panic!("{}: {analyzed:?}", door.name) };
        assert!(plan.contains("output_rows=3") && !plan.contains("Guard"), "{}: {plan}", door.name);
        let endless = ask("EXPLAIN ANALYZE SELECT count(*) FROM generate_series(1, 900000000000) AS a(x) WHERE x < 0");
        let Ended::Refused(why) = endless else { panic!("{}: {endless:?}", door.name) };
        assert!(why.contains("query.seconds_max"), "{}: {why}", door.name);
    }
}

const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 900000000000) AS a(x) WHERE x % 7 = 8";

#[test]
fn a_user_with_many_queries_does_not_keep_another_waiting() {
    let place = Place::new();
    let digest = |token: &str| gwbank_server::auth::token_digest(token);
    place.file(
        "gwbank.toml",
        &format!(
            "[query]\nseconds_max = 2\nconcurrent_max = 2\nconcurrent_per_user_max = 2\nwait_seconds_max = 100\n\
             [[auth.tokens]]\nname = \"somchai\"\nrole = \"hydrologist\"\nsha256 = \"{}\"\n\
             [[auth.tokens]]\nname = \"malee\"\nrole = \"hydrologist\"\nsha256 = \"{}\"\n",
            digest("somchai's"),
            digest("malee's"),
        ),
    );
    let server = place.serve();
    let ask = |token: &str, sql: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let body = serde_json::json!({ "sql": sql }).to_string();
        server.ask("POST", "/api/v1/sql", &headers, body.as_bytes()).0
    };
    let waiting = || metric_for(&server, &[("authorization", "Bearer malee's")], "queries_waiting");
    std::thread::scope(|scope| {
        let many: Vec<_> = (0..10).map(|_| scope.spawn(|| ask("somchai's", ENDLESS))).collect();
        until("eight wait", || (waiting() == 8.0).then_some(()));
        assert_eq!(ask("malee's", "SELECT 1"), 200);
        // One place came free, or both; with one line for all of them nobody of the other user would wait any more.
        assert!(waiting() >= 4.0, "{} wait", waiting());
        for one in many {
            assert_eq!(one.join().unwrap(), 422);
        }
    });
    assert_eq!(waiting(), 0.0);
}

#[test]
fn who_gives_up_waiting_leaves_the_line() {
    let place = Place::new();
    place.file("gwbank.toml", "[query]\nseconds_max = 100\nconcurrent_max = 1\nwait_seconds_max = 100\n");
    let server = place.serve();
    let holding = |sql: &str| format!("BEGIN; DECLARE c CURSOR FOR {sql}; FETCH 1 FROM c; SELECT 1");
    // A cursor that is open holds a place; the same connection then waits for a second one, and its time is up.
    let rows = holding("SELECT * FROM generate_series(1, 900000000000)");
    let said = psql(&server, "gwbank", "?options=-c%20statement_timeout%3D500", &["-c", &rows]);
    assert!(said.code != 0 && said.err.contains("statement timeout"), "{said:?}");
    until("nobody waits and nobody runs", || {
        (metric(&server, "queries_waiting") + metric(&server, "queries_running") == 0.0).then_some(())
    });
    assert_eq!(server.sql("SELECT 1 AS x")[0]["x"], 1);
}
