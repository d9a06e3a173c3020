//! The door for PostgreSQL's clients, with the real ones: psql, psycopg, asyncpg, SQLAlchemy with pandas, node-postgres,
//! pgJDBC, psqlODBC, RPostgreSQL; what DBeaver and Grafana ask is asked by drivers of theirs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::certificates::Certificates;
use crate::program::{Place, Said, Server, gwbank, until};

pub fn psql(server: &Server, user: &str, options: &str, arguments: &[&str]) -> Said {
    let target = format!("postgresql://{user}@{}/gwbank{options}", server.postgres_wire);
    let mut client = Command::new("psql");
    client.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", &target]).args(arguments);
    client
        .env("PGPASSFILE", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .expect("psql runs; scripts/test installs it")
        .into()
}

fn asked(server: &Server, sql: &str) -> String {
    psql(server, "gwbank", "", &["-c", sql]).good().trim().to_owned()
}

/// A server with two wells in Nakhon Ratchasima and 500 readings of each.
fn started(config: &str) -> (Place, Server) {
    let place = Place::new();
    place.file("gwbank.toml", config);
    place.file("wells.csv", "well_id,province_code,bank_type,depth\nW1,30,observation,12.5\nW2,30,open,\n");
    let mut history = String::from("well_id,time,parameter,value\n");
    for reading in 0..1000 {
        let (well, minute) = (reading % 2 + 1, reading / 2);
        let (day, hour, minute) = (minute / 240 + 1, minute / 10 % 24, minute % 10);
        history += &format!("W{well},2026-11-{day:02}T{hour:02}:{minute:02}:00Z,depth_to_water,{}\n", reading / 2 % 10);
    }
    place.file("history.csv", &history);
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    place.run(&["readings", "import", "history.csv"]).good();
    (place, server)
}

#[test]
fn psql_finds_its_way() {
    let (place, server) = started("");
    assert_eq!(asked(&server, "SELECT count(*), min(value) FROM readings"), "1000|0");
    assert_eq!(
        asked(&server, "SELECT time FROM readings WHERE well_id = 'W1' ORDER BY time LIMIT 1"),
        "2026-11-01 07:00:00+07"
    );
    let listed = asked(&server, "\\dt");
    assert!(listed.lines().any(|line| line == "public|readings|table|gwbank"), "{listed}");
    let described = asked(&server, "\\dt+ readings");
    assert!(described.contains("one value a well, parameter and time"), "{described}");
    let columns = asked(&server, "\\d readings");
    assert!(columns.contains("time|timestamp with time zone||not null|"), "{columns}");
    assert!(asked(&server, "\\d+ wells").contains("depth|double precision"));
    let listed = asked(&server, "\\dv+");
    assert!(listed.contains("levels_monthly|view|gwbank|permanent"), "{listed}");
    let functions = asked(&server, "\\df");
    assert!(
        functions.contains("public|time_bucket|timestamp with time zone|width, time [, origin | zone]|func"),
        "{functions}"
    );
    assert!(functions.contains("|mann_kendall|json|value, time|agg"), "{functions}");
    assert!(asked(&server, "\\dn+").contains("public|gwbank|"));
    assert!(asked(&server, "\\l+").starts_with("gwbank|gwbank|UTF8|"));
    assert!(asked(&server, "\\du").starts_with("gwbank|"));
    for command in ["\\df+ sgi", "\\du+", "\\db", "\\dT", "\\drds", "\\dD", "\\da", "\\do", "\\dc"] {
        psql(&server, "gwbank", "", &["-c", command]).good();
    }
    for command in ["\\d", "\\dv", "\\di", "\\dn", "\\df", "\\du", "\\l", "\\dx", "\\dp", "\\z"] {
        psql(&server, "gwbank", "", &["-c", command]).good();
    }
    let copied = place.path("copy.csv");
    let copy = format!("\\copy (SELECT well_id, depth FROM wells ORDER BY 1) TO '{}' CSV HEADER", copied.display());
    psql(&server, "gwbank", "", &["-c", &copy]).good();
    assert_eq!(std::fs::read_to_string(copied).unwrap(), "well_id,depth\nW1,12.5\nW2,\n");
    // A table has a place in the catalogs as the wire tells it.
    let types =
        asked(&server, "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = 'wells'::regclass AND attnum = 1");
    assert_eq!(types, "well_id|25");
}

/// `script` gives psql a terminal, without which it completes nothing.
#[test]
fn psql_completes_words() {
    let (place, server) = started("");
    let target = format!("postgresql://gwbank@{}/gwbank", server.postgres_wire);
    let typed = place.file(
        "typed",
        "SELECT 'a' || count(*) FROM prov\t;\nSELECT 'b' || count(*) FROM wells WHERE well_\t= 'W1';\n\
         \\dt reading_rev\t\n\\df time_b\t\n\\q\n",
    );
    let shell = format!("psql -X -A -t -P pager=off '{target}'");
    let terminal = Command::new("script")
        .args(["-qec", &shell, "/dev/null"])
        .stdin(std::fs::File::open(typed).unwrap())
        .env("TERM", "dumb")
        .env("PGPASSFILE", "/dev/null")
        .output()
        .expect("script of util-linux runs");
    let shown = String::from_utf8_lossy(&terminal.stdout);
    for expected in ["a77", "b1", "public|reading_revisions|table|gwbank", "public|time_bucket|"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}

/// The statements of a file of `crates/gwbank-query/tests/query/clients`.
fn statements_of(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crates/gwbank-query/tests/query/clients").join(file)
}

#[test]
fn psql_asks_what_dbeaver_and_grafana_ask() {
    let (place, server) = started("");
    let readings = asked(&server, "SELECT 'readings'::regclass::oid");
    for file in ["dbeaver.sql", "grafana.sql"] {
        let statements = std::fs::read_to_string(statements_of(file)).unwrap();
        let with_ids = statements.replace("$1", &readings).replace("$2", &readings).replace("\n;;\n", ";\n");
        let script = place.file(file, &with_ids);
        psql(&server, "gwbank", "", &["-f", script.to_str().unwrap()]).good();
    }
}

#[test]
fn sessions_are_ones_own_and_nothing_is_written() {
    let (_place, server) = started("");
    let both = psql(&server, "gwbank", "", &["-c", "SET TIME ZONE 'UTC'", "-c", "SHOW TimeZone"]).good();
    assert_eq!(both.trim(), "UTC");
    assert_eq!(asked(&server, "SHOW TimeZone"), "Asia/Bangkok");
    let cursor = "BEGIN; DECLARE c CURSOR FOR SELECT value FROM readings WHERE well_id = 'W1' ORDER BY time; \
                  FETCH 2 FROM c; MOVE 7 IN c; FETCH c; COMMIT";
    assert_eq!(asked(&server, cursor), "0\n1\n9");
    assert_eq!(asked(&server, "PREPARE p (int) AS SELECT $1 + 1; EXECUTE p (41)"), "42");
    let computed = "PREPARE p (int, timestamptz, text) AS SELECT $1 + 1, $2 > '2026-01-01', $3; \
                    EXECUTE p (40 + abs(-1), now() + INTERVAL '1 day', upper('a') || 'b')";
    assert_eq!(asked(&server, computed), "42|t|Ab");
    for (sql, code) in [
        ("INSERT INTO wells VALUES ('x')", "25006"),
        ("COPY wells TO '/tmp/x'", "25006"),
        ("COPY wells FROM STDIN", "25006"),
        ("COPY (SELECT 1) TO PROGRAM 'sh'", "25006"),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "25006"),
        ("SET datafusion.execution.batch_size = 1", "42704"),
        ("SET transaction_read_only = off", "22023"),
        ("SELECT * FROM '/etc/passwd'", "42P01"),
        ("SELECT 1; DROP TABLE wells", "25006"),
        ("BEGIN; SELECT nothing; SELECT 1", "42703"),
        ("SET statement_timeout = 200; SELECT count(*) FROM generate_series(1, 100000000000)", "57014"),
    ] {
        let said = psql(&server, "gwbank", "", &["-v", "VERBOSITY=sqlstate", "-c", sql]);
        assert!(said.code != 0 && said.err.contains(code), "{sql}: {said:?}");
    }
    let place_in_text = psql(&server, "gwbank", "", &["-c", "SELECT 'บ่อ', nothing FROM wells"]).err;
    assert!(
        place_in_text.contains("LINE 1: SELECT 'บ่อ', nothing FROM wells\n                      ^"),
        "{place_in_text}"
    );
}

fn clients() -> PathBuf {
    PathBuf::from(std::env::var("GWBANK_TEST_CLIENTS").expect("run the tests through scripts/test, which sets this"))
}

fn all_seen(output: &Output, steps: usize) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    let seen: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"));
    let seen = seen.as_object().expect("an object");
    let wrong: Vec<_> = seen.iter().filter(|(_, outcome)| **outcome != Value::Bool(true)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(seen.len(), steps, "{text}");
}

fn script(server: &Server, program: PathBuf, name: &str, arguments: &[&str]) -> Output {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name);
    let (host, port) = server.postgres_wire.split_once(':').unwrap();
    Command::new(program)
        .arg(script)
        .args([host, port])
        .args(arguments)
        .env("NODE_PATH", clients().join("node/node_modules"))
        .output()
        .expect("the client runs")
}

#[test]
fn pythons_clients_get_what_they_expect() {
    let (_place, server) = started("");
    all_seen(&script(&server, python(), "postgres_matrix.py", &[]), 31);
}

fn python() -> PathBuf {
    clients().join("python/bin/python")
}

#[test]
fn grafana_gets_what_it_expects() {
    let (_place, server) = started("");
    let statements = statements_of("grafana.sql");
    let count = std::fs::read_to_string(&statements).unwrap().matches("\n;;\n").count() + 1;
    let output = script(&server, python(), "postgres_grafana.py", &[statements.to_str().unwrap()]);
    all_seen(&output, count + 10);
}

#[test]
fn r_gets_what_it_expects() {
    let (_place, server) = started("");
    all_seen(&script(&server, "Rscript".into(), "postgres_matrix.R", &[]), 12);
}

#[test]
fn odbc_gets_what_it_expects() {
    let config = |certificates: &Certificates| {
        format!(
            "[postgres_wire]\ntls_certificate = {:?}\ntls_key = {:?}\n\
             [[auth.users]]\nname = \"somchai\"\nrole = \"hydrologist\"\n{}\n",
            certificates.server,
            certificates.key,
            hashed("rain")
        )
    };
    let certificates_dir = Place::new();
    let certificates = Certificates::make(certificates_dir.dir.path(), "ours");
    let (_place, server) = started(&config(&certificates));
    let driver = clients().join("odbc/psqlodbcw.so");
    let arguments = [driver.to_str().unwrap(), "rain", certificates.authority.to_str().unwrap()];
    all_seen(&script(&server, python(), "postgres_odbc.py", &arguments), 22);
}

#[test]
fn node_postgres_gets_what_it_expects() {
    let (place, server) = started("");
    // A module is looked for beside the script.
    let copy = place.path("postgres_matrix.mjs");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/postgres_matrix.mjs"), &copy).unwrap();
    std::os::unix::fs::symlink(clients().join("node/node_modules"), place.path("node_modules")).unwrap();
    let (host, port) = server.postgres_wire.split_once(':').unwrap();
    all_seen(&Command::new("node").arg(&copy).args([host, port]).output().expect("node runs"), 4);
}

#[test]
fn pgjdbc_gets_what_it_expects() {
    let (_place, server) = started("");
    let (host, port) = server.postgres_wire.split_once(':').unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/PostgresMatrix.java");
    let mut java = Command::new("java");
    java.arg("-cp")
        .arg(clients().join("java/postgresql.jar"))
        .args([script, host, port])
        .arg(statements_of("dbeaver.sql"));
    all_seen(&java.output().expect("java runs; scripts/test installs it"), 14);
}

fn hashed(password: &str) -> String {
    made("hash-password", password)
}

fn made(command: &str, secret: &str) -> String {
    let mut child = gwbank().args([command, "--scram"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn who_comes_in_is_known_and_encrypted() {
    let certificates_dir = Place::new();
    let certificates = Certificates::make(certificates_dir.dir.path(), "ours");
    let config = format!(
        "[postgres_wire]\ntls_certificate = {:?}\ntls_key = {:?}\n\
         [[auth.users]]\nname = \"somchai\"\nrole = \"hydrologist\"\n{}\n\
         [[auth.users]]\nname = \"malee\"\nrole = \"office\"\n{}\n\
         [[auth.tokens]]\nname = \"dashboard\"\nrole = \"hydrologist\"\n{}\n",
        certificates.server,
        certificates.key,
        hashed("บ่อน้ำ"),
        hashed("office"),
        made("hash-token", "0123456789abcdef")
    );
    let place = Place::new();
    place.file("gwbank.toml", &config);
    let server = place.serve();
    let select = ["-c", "SELECT current_user"];
    let verified = format!("?sslmode=verify-full&sslrootcert={}", certificates.authority.display());
    let target = |user: &str, password: &str| format!("{user}:{password}");
    let said =
        psql(&server, &target("somchai", "%E0%B8%9A%E0%B9%88%E0%B8%AD%E0%B8%99%E0%B9%89%E0%B8%B3"), &verified, &select);
    assert_eq!(said.good().trim(), "somchai");
    let bound = format!("{verified}&channel_binding=require");
    let program = psql(&server, &target("dashboard", "0123456789abcdef"), &bound, &select);
    assert_eq!(program.good().trim(), "dashboard");
    let refused = |user: &str, options: &str, text: &str| {
        let said = psql(&server, user, options, &select);
        assert!(said.code != 0 && said.err.contains(text), "{user}{options}: {said:?}");
    };
    refused("somchai:wrong", &bound, "password authentication failed for user \"somchai\"");
    refused("nobody:wrong", &verified, "password authentication failed for user \"nobody\"");
    refused("malee:office", &verified, "does not permit SQL");
    refused("somchai:wrong", "?sslmode=disable", "connections without TLS are refused");
}

#[test]
fn what_is_no_client_harms_nobody() {
    let (_place, server) = started("");
    let mut silent = Vec::new();
    for junk in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\x04", b"\x16\x03\x01\x02\0\x01", b"\0\0\x27\x0f\0\x03\0\0user", b""]
    {
        let mut stream = TcpStream::connect(&server.postgres_wire).unwrap();
        stream.write_all(junk).unwrap();
        silent.push(stream);
    }
    assert_eq!(asked(&server, "SELECT 1"), "1");
    // Clients that ask for much and leave: their queries go with them.
    let startup = b"\0\0\0\x15\0\x03\0\0user\0gwbank\0\0";
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&server.postgres_wire).unwrap();
        stream.write_all(startup).unwrap();
        let sql = b"SELECT count(*) FROM generate_series(1, 100000000000)\0";
        stream.write_all(&[&b"Q"[..], &(sql.len() as u32 + 4).to_be_bytes(), sql].concat()).unwrap();
        let mut answer = [0; 64];
        assert!(stream.read(&mut answer).unwrap() > 0);
    }
    until("the queries have ended", || (asked(&server, "SELECT 1") == "1").then_some(()));
    assert!(server.sql("SELECT count(*) AS n FROM readings")[0]["n"] == 1000);
    drop(silent);
    until("nobody is connected", || (metric(&server, "gwbank_postgres_wire_connections_open") == 0.0).then_some(()));
    assert_eq!(metric(&server, "gwbank_postgres_wire_statements_running"), 0.0);
    assert!(metric(&server, "gwbank_postgres_wire_statement_seconds_count") >= 20.0);
    assert!(metric(&server, "gwbank_postgres_wire_refused_total{reason=\"startup\"}") >= 2.0);
}

fn metric(server: &Server, name: &str) -> f64 {
    let (status, text) = server.ask("GET", "/metrics", &[], b"");
    assert_eq!(status, 200);
    let text = String::from_utf8(text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// What `/proc` tells of the server's memory, and how many files it has open.
fn resources(server: &Server) -> (u64, usize) {
    let process = server.process();
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kibibytes: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    (kibibytes << 10, std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count())
}

/// Bytes that a client sends after the start.
fn query(sql: &str) -> Vec<u8> {
    [&b"Q"[..], &(sql.len() as u32 + 5).to_be_bytes(), sql.as_bytes(), b"\0"].concat()
}

/// One that asks for more than it reads, and vanishes.
fn vanish(server: &Server, number: usize) {
    let startup = b"\0\0\0\x15\0\x03\0\0user\0gwbank\0\0";
    let mut stream = TcpStream::connect(&server.postgres_wire).unwrap();
    let asked = match number % 5 {
        0 => Vec::new(),
        1 => query("SELECT * FROM generate_series(1, 100000000000)"),
        2 => query("SELECT count(*) FROM generate_series(1, 100000000000)"),
        3 => query("BEGIN; DECLARE c CURSOR FOR SELECT * FROM readings, generate_series(1, 1000000); FETCH 5 FROM c"),
        _ => query("SELECT count(*) FROM pg_class")[..9].to_vec(),
    };
    stream.write_all(&[&startup[..], &asked].concat()).unwrap();
    let mut answer = [0; 512];
    assert!(stream.read(&mut answer).unwrap() > 0);
}

#[test]
fn nothing_is_left_of_clients_that_vanish() {
    const KEPT_BYTES_MAX: u64 = 64 << 20;
    let rounds = std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(100);
    let (_place, server) = started("");
    let run = |count: usize| {
        (0..count).for_each(|number| vanish(&server, number));
        until("nobody is connected and nothing runs", || {
            let gauges = ["gwbank_postgres_wire_connections_open", "gwbank_postgres_wire_statements_running"];
            gauges.iter().all(|gauge| metric(&server, gauge) == 0.0).then_some(())
        });
    };
    run(50);
    let (memory, files) = resources(&server);
    run(rounds);
    let (after, files_after) = resources(&server);
    assert!(after.saturating_sub(memory) < KEPT_BYTES_MAX, "{memory} bytes before, {after} after {rounds} clients");
    // Connections of HTTP, by which metrics are read, come and go.
    assert!(files_after <= files + 8, "{files} files before, {files_after} after {rounds} clients");
    assert_eq!(asked(&server, "SELECT count(*) FROM readings"), "1000");
}

#[test]
fn a_huge_answer_is_fetched_in_bounded_memory() {
    const MEMORY_BYTES_MAX: u64 = 100 << 20;
    let (_place, server) = started("");
    asked(&server, "SELECT 1");
    let (before, _) = resources(&server);
    // A hundred million rows, of which a few are fetched; and two million of them to the end.
    let cursor = "BEGIN; DECLARE c CURSOR FOR SELECT value, 'a text of some length' FROM generate_series(1, 100000000) AS g (value); \
                  FETCH 3 FROM c; MOVE 500000 IN c; FETCH 1 FROM c; COMMIT";
    assert!(asked(&server, cursor).ends_with("500004|a text of some length"));
    let streamed = psql(
        &server,
        "gwbank",
        "",
        &["-v", "FETCH_COUNT=1000", "-o", "/dev/null", "-c", "SELECT * FROM generate_series(1, 300000)"],
    );
    streamed.good();
    let (after, _) = resources(&server);
    assert!(after.saturating_sub(before) < MEMORY_BYTES_MAX, "{before} bytes before, {after} after");
}

/// What psql answers to all of it on one connection.
fn told(server: &Server, statements: &[&str]) -> Said {
    let arguments: Vec<&str> = statements.iter().flat_map(|statement| ["-c", *statement]).collect();
    psql(server, "gwbank", "", &arguments)
}

#[test]
fn views_are_the_connections_own() {
    let (_place, server) = started("");
    let made = told(
        &server,
        &[
            "CREATE VIEW deep AS SELECT well_id, count(*), max(value) AS deepest FROM readings GROUP BY well_id",
            "CREATE TEMP VIEW deepest (well) AS SELECT well_id, deepest FROM deep WHERE count > 1",
            "SELECT * FROM deepest ORDER BY well",
            "WITH w AS (SELECT * FROM deep) SELECT d.count, w.deepest FROM w JOIN deep d USING (well_id) ORDER BY 1 LIMIT 1",
            "CREATE OR REPLACE VIEW deep AS SELECT well_id, 2 AS count, 7.5 AS deepest FROM wells",
            "PREPARE p AS SELECT deepest FROM deepest WHERE well = $1",
            "EXECUTE p('W2')",
            "BEGIN",
            "DROP VIEW deep CASCADE",
            "ROLLBACK",
            "SELECT count(*) FROM deepest",
            "EXPLAIN SELECT * FROM deepest",
            "COPY (SELECT well FROM deepest ORDER BY 1) TO STDOUT",
        ],
    )
    .good();
    let plan = made.lines().position(|line| line.contains("logical_plan")).expect("a plan");
    let told_before: Vec<&str> = made.lines().take(plan).collect();
    assert_eq!(told_before, ["W1|9", "W2|9", "500|9", "7.5", "2"]);
    assert!(made.ends_with("W1\nW2\n"), "{made}");
    for (statements, says) in [
        (&["SELECT * FROM deepest"][..], "there is no table \"deepest\""),
        (&["CREATE VIEW v AS SELECT nothing FROM readings"], "nothing"),
        (&["CREATE VIEW readings AS SELECT 1 AS a"], "relation \"readings\" already exists"),
        (&["CREATE VIEW v AS SELECT 1", "CREATE VIEW v AS SELECT 2"], "relation \"v\" already exists"),
        (&["CREATE VIEW v AS SELECT 1 AS a, 2 AS a"], "\"a\" of the view \"v\" is there twice"),
        (&["CREATE VIEW v AS DELETE FROM readings"], "read"),
        (&["CREATE VIEW v AS SELECT 1", "CREATE VIEW w AS SELECT * FROM v", "DROP VIEW v"], "depend on it"),
        (&["CREATE VIEW v AS SELECT 1", "DISCARD ALL", "SELECT * FROM v"], "there is no table \"v\""),
        (&["DROP VIEW v"], "view \"v\" does not exist"),
        (&["CREATE TABLE t (a int)"], "read"),
    ] {
        let said = told(&server, statements);
        assert_ne!(said.code, 0, "{statements:?}: {said:?}");
        assert!(said.err.contains(says), "{statements:?}: {said:?}");
    }
}
