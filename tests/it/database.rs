//! Readings and metadata in a PostgreSQL, which comes and goes.

use gwbank_testkit::{Postgres, TcpProxy, Trouble, free_port};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::certificates::Certificates;
use crate::conservation::{Load, Pace, broker_of, check_conserved, kills, wells_csv};
use crate::program::{Place, until};

/// A place whose archive is a database, and the settings that say so.
fn place_on(url: &str) -> (Place, Vec<String>) {
    let place = Place::new();
    let settings = ["archive.kind=timescale".to_owned(), format!("archive.url={url}")];
    let settings: Vec<String> = settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect();
    (place, settings)
}

/// The same, migrated and with the wells of the publishers.
fn place_with_wells_on(url: &str) -> (Place, Vec<String>) {
    let (place, settings) = place_on(url);
    run(&place, &["migrate"], &settings).good();
    place.file("wells.csv", &wells_csv());
    run(&place, &["wells", "import", "wells.csv"], &settings).good();
    (place, settings)
}

fn run(place: &Place, arguments: &[&str], settings: &[String]) -> crate::program::Said {
    let settings = settings.iter().map(String::as_str);
    place.run(&arguments.iter().copied().chain(settings).collect::<Vec<_>>())
}

#[test]
fn a_database_is_migrated_by_hand_and_then_read_by_everything() {
    let postgres = Postgres::shared();
    let url = postgres.empty_database();
    let (place, settings) = place_on(&url);
    place.file("wells.csv", &wells_csv());
    let refused = run(&place, &["wells", "import", "wells.csv"], &settings);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("run `gwbank migrate`"), "{}", refused.err);

    let migrated = run(&place, &["migrate"], &settings).good();
    assert!(
        migrated.contains("applied postgres/0001_metadata") && migrated.contains("partitions by month"),
        "{migrated}"
    );
    assert!(run(&place, &["migrate"], &settings).good().starts_with("0 migrations applied"));
    run(&place, &["wells", "import", "wells.csv"], &settings).good();

    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = place.serve_with(&settings);
    let readings = r#"[{"well":"W1","time":"2026-11-20T10:00:00+07:00","depth_to_water":3.5},
        {"well":"W1","time":"2025-05-20T10:00:00+07:00","depth_to_water":2.5,"status":"pumping"},
        {"well":"nobody","time":"2026-11-20T10:00:00+07:00","depth_to_water":1}]"#;
    assert_eq!(server.post_readings(readings)["stored"], 2);
    assert_eq!(
        server.post_readings(r#"{"well":"W1","time":"2026-11-20T10:00:00+07:00","depth_to_water":4}"#)["stored"],
        1
    );
    assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
    let read =
        "SELECT well_id, parameter, extract(year FROM time)::int, value, site_status FROM readings ORDER BY time";
    assert_eq!(postgres.psql(&url, read), "W1|depth_to_water|2025|2.5|pumping\nW1|depth_to_water|2026|4|");
    assert_eq!(postgres.psql(&url, "SELECT value, cause FROM reading_revisions"), "3.5|correction");
    assert_eq!(postgres.psql(&url, "SELECT reason, subject, readings FROM dead_letters"), "unknown_well|nobody|1");
    let count = "SELECT count(*) AS n, max(value) AS highest FROM readings";
    assert_eq!(server.sql(count), json!([{"n": 2, "highest": 4.0}]));
    assert_eq!(server.terminate().0, Some(0));

    // Nothing is left in the journal: what this server shows comes from the database.
    let server = place.serve_with(&settings);
    assert_eq!(server.sql(count), json!([{"n": 2, "highest": 4.0}]));
    assert_eq!(server.sql("SELECT count(*) AS n FROM wells")[0]["n"], 20);
}

/// A rule of the database's owner forbids a value: the readings beside it are stored, it is a dead letter, and comes in once
/// the rule is gone.
#[test]
fn a_reading_that_the_database_refuses_is_a_dead_letter() {
    let postgres = Postgres::shared();
    let url = postgres.empty_database();
    let (place, settings) = place_with_wells_on(&url);
    postgres.psql(&url, "ALTER TABLE reading_rows ADD CONSTRAINT no_thirteen CHECK (value <> 13)");
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = place.serve_with(&settings);
    let reading = |day: u32, value: u32| json!({"well": "W1", "time": format!("2026-10-{day:02}T10:00:00+07:00"), "depth_to_water": value});
    let readings: Vec<_> = (1..=20).map(|day| reading(day, day)).collect();
    assert_eq!(server.post_readings(&json!(readings).to_string())["stored"], 20);
    // Several of one message, which share its seq.
    let many: Vec<_> = ["W2", "W2", "W3", "W3"].iter().zip(1..).map(|(well, day)| {
        json!({"well": well, "time": format!("2026-09-{day:02}T10:00:00+07:00"), "depth_to_water": 13})
    }).collect();
    assert_eq!(server.post_readings(&json!(many).to_string())["stored"], 4);
    // The correction of a good one is refused, and the good one counts again.
    assert_eq!(server.post_readings(&reading(5, 13).to_string())["stored"], 1);
    assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
    let read = "SELECT count(*) AS n, sum(value) AS total FROM readings";
    let without = json!([{"n": 19, "total": f64::from((1..=20).sum::<i32>() - 13)}]);
    assert_eq!(server.sql(read), without);
    assert_eq!(postgres.psql(&url, "SELECT count(*), sum(value) FROM readings"), "19|197");
    let dead = server.sql("SELECT reason, subject, readings, detail FROM dead_letters ORDER BY subject");
    assert_eq!(
        (&dead[0]["reason"], &dead[0]["subject"], &dead[0]["readings"]),
        (&json!("refused_by_archive"), &json!("W1"), &json!(2))
    );
    assert!(dead[0]["detail"].as_str().unwrap().contains("no_thirteen"), "{dead}");
    let counts = "SELECT sum(received) AS r, sum(stored) AS s, sum(dead) AS d, sum(pending) AS p FROM gateways";
    assert_eq!(server.sql(counts), json!([{"r": 25, "s": 19, "d": 6, "p": 0}]));

    // It stays one while the rule is there, is counted once by the next start, and is stored when the rule is gone.
    assert_eq!(server.terminate().0, Some(0));
    let server = place.serve_with(&settings);
    assert_eq!(server.sql(read), without);
    assert_eq!(server.sql(counts), json!([{"r": 25, "s": 19, "d": 6, "p": 0}]));
    place.run(&["dead-letters", "replay"]).good();
    assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
    assert_eq!(server.sql(counts), json!([{"r": 25, "s": 19, "d": 6, "p": 0}]));
    // What was said of a key after the refused value stays.
    assert_eq!(server.post_readings(&reading(5, 14).to_string())["stored"], 1);
    postgres.psql(&url, "ALTER TABLE reading_rows DROP CONSTRAINT no_thirteen");
    place.run(&["dead-letters", "replay"]).good();
    assert_eq!(server.sql(counts), json!([{"r": 26, "s": 25, "d": 1, "p": 0}]));
    assert_eq!(server.sql(read), json!([{"n": 24, "total": 271.0}]));
    assert_eq!(
        server.sql("SELECT reason, readings FROM dead_letters"),
        json!([{"reason": "superseded", "readings": 1}])
    );
}

/// A data centre comes up again, and gwbank before its database.
#[test]
fn a_node_that_knew_its_database_starts_without_it() {
    let postgres = Postgres::start();
    let url = postgres.empty_database();
    let (place, settings) = place_with_wells_on(&url);
    let slow = ["--set", "archive.flush_interval_seconds=3600"];
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(slow).collect();
    let reading = |well: &str, day: u32, value: u32| {
        json!({"well": well, "time": format!("2026-10-{day:02}T10:00:00+07:00"), "depth_to_water": value}).to_string()
    };
    let counts = "SELECT sum(received) AS r, sum(stored) AS s, sum(duplicate) AS u, sum(dead) AS d, sum(pending) AS p FROM gateways";

    let server = place.serve_with(&settings);
    server.post_readings(&reading("W1", 1, 1));
    assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
    server.post_readings(&reading("W1", 2, 2)); // in the journal alone
    server.kill();
    postgres.crash();

    let server = place.serve_with(&settings);
    assert_eq!(server.post_readings(&reading("W1", 3, 3))["dead"], 0, "the wells are known");
    assert_eq!(server.post_readings(&reading("W1", 1, 1))["pending"], 1, "what the archive has is not known");
    assert_eq!(server.post_readings(&reading("nobody", 1, 1))["receipt"]["dead"], 1);
    assert_eq!(server.ask("GET", "/readyz", &[], &[]).0, 503);
    server.kill();
    let server = place.serve_with(&settings);
    assert_eq!(server.post_readings(&reading("W1", 2, 22))["dead"], 0);
    postgres.go_on();
    until("the archive has caught up", || (server.ask("POST", "/api/v1/flush", &[], &[]).0 == 204).then_some(()));
    let values = "SELECT value FROM readings ORDER BY time";
    assert_eq!(server.sql(values), json!([{"value": 1.0}, {"value": 22.0}, {"value": 3.0}]));
    assert_eq!(server.sql(counts), json!([{"r": 6, "s": 4, "u": 1, "d": 1, "p": 0}]));
    assert_eq!(server.ask("GET", "/readyz", &[], &[]).0, 200);
    assert_eq!(server.terminate().0, Some(0));
    let server = place.serve_with(&settings);
    assert_eq!(server.sql(counts), json!([{"r": 6, "s": 4, "u": 1, "d": 1, "p": 0}]));

    // One that never knew it does not.
    let (other, settings) = place_on(&url);
    postgres.crash();
    let refused = run(&other, &["serve"], &settings);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("no connection to the database"), "{}", refused.err);
}

/// From the embedded archive into a database and back, with corrections, dead letters and a journal that goes on.
#[test]
fn an_archive_is_copied_and_goes_on() {
    let postgres = Postgres::shared();
    let url = postgres.empty_database();
    let (place, settings) = place_on(&url);
    place.file("wells.csv", &wells_csv());
    place.run(&["wells", "import", "wells.csv"]).good();
    run(&place, &["migrate"], &settings).good();
    let reading = |well: &str, day: u32, value: f64| json!({"well": well, "time": format!("2025-{:02}-{:02}T10:00:00+07:00", 1 + day / 28, 1 + day % 28), "depth_to_water": value});
    let server = place.serve_with(&["--set", "archive.flush_interval_seconds=3600"]);
    let many: Vec<_> = (0..300).map(|n| reading(&format!("W{}", n % 20), n, f64::from(n) / 10.0)).collect();
    server.post_readings(&json!(many).to_string());
    assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
    let corrections: Vec<_> = (0..30).map(|n| reading(&format!("W{}", n * 7 % 20), n * 7, 99.0)).collect();
    server.post_readings(&json!(corrections).to_string());
    server.post_readings(&reading("nobody", 1, 1.0).to_string());
    assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
    server.post_readings(&reading("W3", 301, 5.0).to_string()); // in the journal alone
    let all = [
        "SELECT * FROM readings ORDER BY well_id, parameter, time",
        "SELECT * FROM reading_revisions ORDER BY well_id, time, seq",
        "SELECT gateway_id, received, stored, duplicate, dead FROM gateways",
        "SELECT reason, subject, readings FROM dead_letters",
        "SELECT * FROM wells ORDER BY well_id",
    ];
    let before = all.map(|sql| server.sql(sql));
    assert_eq!(before[0].as_array().unwrap().len(), 301);
    assert_eq!(before[1].as_array().unwrap().len(), 30, "{}", before[1]);
    server.kill();

    let copy = ["archive", "copy", "--from", "delta", "--to", "timescale"];
    let copied = run(&place, &copy, &settings).good();
    assert!(
        copied.contains("300 readings and 30 former versions are alike") && copied.contains("0 were there before"),
        "{copied}"
    );
    let again = run(&place, &copy, &settings).good();
    assert!(again.contains("300 were there before"), "{again}");
    // What differs is copied anew, or told.
    postgres.psql(
        &url,
        "DELETE FROM reading_rows WHERE time > '2025-08-01'; DELETE FROM reading_versions WHERE time > '2025-08-01'",
    );
    run(&place, &copy, &settings).good();
    postgres.psql(&url, "UPDATE reading_rows SET value = 12345 WHERE time = (SELECT min(time) FROM reading_rows)");
    let told = run(&place, &copy, &settings);
    assert!(told.code == 1 && told.err.contains("the archives differ after the copy"), "{told:?}");
    postgres.psql(&url, "DELETE FROM reading_versions WHERE (series_id, time) IN (SELECT series_id, time FROM reading_rows WHERE value = 12345);
        DELETE FROM reading_rows WHERE value = 12345");
    run(&place, &copy, &settings).good();

    let in_database: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = place.serve_with(&in_database);
    for (sql, before) in all.iter().zip(&before) {
        assert_eq!(&server.sql(sql), before, "{sql}");
    }
    assert_eq!(server.terminate().0, Some(0));

    let back = ["archive", "copy", "--from", "timescale", "--to", "delta", "--delta-dir"];
    let dir = place.path("archive-again");
    std::fs::remove_file(place.data_dir().join("metadata.sqlite")).unwrap();
    let copied = run(&place, &[&back[..], &[dir.to_str().unwrap()]].concat(), &settings).good();
    assert!(copied.contains("301 readings and 30 former versions are alike"), "{copied}");
    let url = format!("archive.url={}", dir.display());
    let server = place.serve_with(&["--set", &url]);
    for (sql, before) in all.iter().zip(&before) {
        assert_eq!(&server.sql(sql), before, "{sql}");
    }
}

/// Something between gwbank and its database delays, swallows, half-closes, resets and refuses.
#[test]
fn nothing_is_lost_on_a_bad_way_to_the_database() {
    let postgres = Postgres::start();
    let url = postgres.empty_database();
    let proxy = TcpProxy::to(postgres.port());
    let through_proxy = url.replace(&format!(":{}/", postgres.port()), &format!(":{}/", proxy.port()));
    let (place, settings) = place_with_wells_on(&through_proxy);
    let eager = [
        "--set",
        "archive.flush_interval_seconds=1",
        "--set",
        "archive.flush_rows=2000",
        "--set",
        "archive.statement_timeout_seconds=1",
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(eager).collect();
    let mut server = place.serve_with(&settings);
    let load = Load::start(broker_of(&server), Pace::Allowed);
    let caught_up = |server: &crate::program::Server| {
        until("the archive has caught up", || (server.ask("POST", "/api/v1/flush", &[], &[]).0 == 204).then_some(()));
    };
    for round in 0..kills().max(5) {
        load.goes_on_by(500);
        let trouble = [Trouble::Delays, Trouble::Swallows, Trouble::Refuses, Trouble::None, Trouble::None][round % 5];
        proxy.makes(trouble);
        load.goes_on_by(500);
        match round % 5 {
            1 => until("the archive is told not to answer", || {
                (server.ask("GET", "/readyz", &[], &[]).0 == 503).then_some(())
            }),
            2 | 3 => proxy.cuts(false),
            4 => proxy.cuts(true),
            _ => {}
        }
        load.goes_on_by(1_000); // acknowledged all the same
        if round % 2 == 1 {
            proxy.makes(Trouble::None);
            server.kill();
            server = place.serve_with(&settings);
            load.moves_to(broker_of(&server));
        }
        proxy.makes(Trouble::None);
        if trouble == Trouble::Swallows {
            proxy.cuts(false);
        }
        caught_up(&server);
    }
    let acknowledged = load.stop();
    caught_up(&server);
    check_conserved(&server, &acknowledged);
    let keys: usize = postgres.psql(&url, "SELECT count(*) FROM readings").parse().unwrap();
    assert!(keys >= acknowledged.len(), "{keys} of {}", acknowledged.len());
}

/// Each trouble is told for what it is, costs no acknowledgement, and leaves nothing behind when it is over.
#[test]
fn every_outage_is_told_and_ends_without_a_trace() {
    let postgres = Postgres::start();
    let url = postgres.empty_database();
    let name = url.rsplit('/').next().and_then(|end| end.split('?').next()).unwrap();
    postgres.psql(&url, &format!("CREATE ROLE bank LOGIN PASSWORD 'one'; ALTER DATABASE {name} OWNER TO bank"));
    postgres.asks_the_password_of("bank");
    let (place, mut settings) = place_on(&url.replace("gwbank@", "bank@"));
    let password = place.file("password", "one\n");
    let more = [
        format!("archive.password_file={}", password.display()),
        "archive.statement_timeout_seconds=2".to_owned(),
        "archive.flush_interval_seconds=1".to_owned(),
    ];
    settings.extend(more.into_iter().flat_map(|setting| ["--set".to_owned(), setting]));
    run(&place, &["migrate"], &settings).good();
    place.file("wells.csv", &wells_csv());
    run(&place, &["wells", "import", "wells.csv"], &settings).good();
    let as_texts: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = place.serve_with(&as_texts);
    let reading = |day: u32| {
        json!({"well": "W1", "time": format!("2026-10-{day:02}T10:00:00+07:00"), "depth_to_water": day}).to_string()
    };
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bank'";
    let full = "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION \
                'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$; \
                CREATE TRIGGER full_disk BEFORE INSERT ON reading_rows EXECUTE FUNCTION full_disk()";
    let locked = std::cell::RefCell::new(None);
    let lock = || {
        let (url, postgres) = (url.clone(), postgres.port());
        assert!(url.contains(&postgres.to_string()));
        let psql = std::process::Command::new("psql")
            .args(["-X", "-q", "-c", "BEGIN; LOCK TABLE nodes, reading_rows; SELECT pg_sleep(600)", &url])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        locked.replace(Some(psql.expect("psql is installed")));
    };
    type Act<'a> = &'a dyn Fn();
    let troubles: [(&str, Act<'_>, Act<'_>, &[&str]); 5] = [
        ("stopped", &|| postgres.crash(), &|| postgres.go_on(), &["no connection to the database"]),
        (
            "password changed",
            &|| {
                postgres.psql(&url, "ALTER ROLE bank PASSWORD 'two'");
                // A session that was just beginning has the old password accepted, and is not seen at once.
                until("its sessions are gone", || {
                    postgres.psql(&url, cut);
                    let left = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'bank'";
                    (postgres.psql(&url, left) == "0").then_some(())
                });
            },
            &|| drop(place.file("password", "two\n")),
            &["password authentication failed"],
        ),
        (
            "disk full",
            &|| drop(postgres.psql(&url, full)),
            &|| drop(postgres.psql(&url, "DROP TRIGGER full_disk ON reading_rows")),
            &["No space left on device"],
        ),
        ("frozen", &|| postgres.freezes(), &|| postgres.thaws(), &["does not answer", "no connection to the database"]),
        (
            "locked",
            &lock,
            &|| {
                postgres.psql(
                    &url,
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'nodes'::regclass AND granted",
                );
                locked.take().expect("psql was started").wait().unwrap();
            },
            &["lock", "does not answer", "statement timeout"],
        ),
    ];
    let mut day = 0;
    for (trouble, begins, ends, words) in troubles {
        day += 1;
        server.post_readings(&reading(day));
        assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204, "before: {trouble}");
        begins();
        day += 1;
        let receipt = server.post_readings(&reading(day));
        assert_eq!((&receipt["dead"], &receipt["duplicate"]), (&json!(0), &json!(0)), "{trouble}: {receipt}");
        let told = until(&format!("{trouble} is told"), || {
            let (status, body) = server.ask("GET", "/readyz", &[], &[]);
            let body = String::from_utf8(body).unwrap();
            (status == 503 && words.iter().any(|word| body.contains(word))).then_some(body)
        });
        let lag = String::from_utf8(server.ask("GET", "/metrics", &[], &[]).1).unwrap();
        assert!(lag.contains("\ngwbank_archive_lag_readings 1\n"), "{trouble}, {told}: {lag}");
        until(&format!("the doctor tells of {trouble}"), || {
            let doctor = place.run(&["doctor"]);
            let is_told = words.iter().any(|word| doctor.out.contains(word));
            (doctor.code == 1 && is_told).then_some(())
        });
        let recent = "SELECT value FROM readings WHERE time >= '2026-10-01T00:00:00+07:00' ORDER BY time DESC LIMIT 1";
        assert_eq!(server.sql(recent), json!([{"value": f64::from(day)}]), "{trouble}");
        ends();
        until(&format!("{trouble} is over"), || (server.ask("POST", "/api/v1/flush", &[], &[]).0 == 204).then_some(()));
        until("ready again", || (server.ask("GET", "/readyz", &[], &[]).0 == 200).then_some(()));
        assert_eq!(
            postgres.psql(&url, "SELECT count(*), sum(value) FROM readings"),
            format!("{day}|{}", day * (day + 1) / 2)
        );
    }
    let counts = "SELECT received, stored, duplicate, dead, pending FROM gateways";
    let all = json!([{"received": day, "stored": day, "duplicate": 0, "dead": 0, "pending": 0}]);
    assert_eq!(server.sql(counts), all);
}

/// A standby takes over under another port; the URL names both.
#[test]
fn nothing_is_lost_in_a_failover() {
    let postgres = Postgres::start();
    let url = postgres.empty_database();
    let (place, _) = place_with_wells_on(&url);
    let (before, after) = (format!("127.0.0.1:{}", postgres.port()), format!("127.0.0.1:{}", free_port()));
    let both = url.replace(&before, &format!("{before},{after}"));
    let url_setting = format!("archive.url={both}");
    let settings =
        ["--set", "archive.kind=timescale", "--set", &url_setting, "--set", "archive.flush_interval_seconds=1"];
    let server = place.serve_with(&settings);
    let load = Load::start(broker_of(&server), Pace::Allowed);
    load.goes_on_by(2_000);
    let standby = postgres.fails_over_to(after.rsplit(':').next().unwrap().parse().unwrap());
    load.goes_on_by(2_000);
    until("the archive has caught up", || (server.ask("POST", "/api/v1/flush", &[], &[]).0 == 204).then_some(()));
    load.goes_on_by(500);
    let acknowledged = load.stop();
    until("the archive has caught up", || (server.ask("POST", "/api/v1/flush", &[], &[]).0 == 204).then_some(()));
    check_conserved(&server, &acknowledged);
    let keys: usize = standby.psql(&url.replace(&before, &after), "SELECT count(*) FROM readings").parse().unwrap();
    assert!(keys >= acknowledged.len(), "{keys} of {}", acknowledged.len());
}

/// A database that speaks TLS is spoken to in TLS, by who it says it is, or not at all.
#[test]
fn the_way_to_the_database_is_encrypted_or_closed() {
    let postgres = Postgres::start();
    let url = postgres.empty_database().replace("sslmode=disable", "sslmode=require");
    let (place, settings) = place_on(&url);
    let ours = Certificates::make(place.path("").as_path(), "ours");
    let theirs = Certificates::make(place.path("").as_path(), "theirs");
    let with_ca = |authority: &std::path::Path| {
        let ca = format!("archive.ca_file={}", authority.display());
        settings.iter().cloned().chain(["--set".to_owned(), ca]).collect::<Vec<_>>()
    };
    // A server without TLS is what an attacker would be.
    let refused = run(&place, &["migrate"], &with_ca(&ours.authority));
    assert!(refused.code == 1 && refused.err.contains("TLS"), "{refused:?}");
    postgres.takes_tls(&ours.server, &ours.key);
    until("the server speaks TLS", || {
        let refused = run(&place, &["migrate"], &with_ca(&theirs.authority));
        assert_eq!(refused.code, 1, "{refused:?}");
        refused.err.contains("certificate").then_some(())
    });
    run(&place, &["migrate"], &with_ca(&ours.authority)).good();
    let settings = with_ca(&ours.authority);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = place.serve_with(&settings);
    let clear = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'gwbank' AND NOT ssl";
    let url = url.replace("sslmode=require", "sslmode=disable"); // psql does not know the authority
    assert_eq!(postgres.psql(&url, clear), "0");
    let encrypted = clear.replace("NOT ssl", "ssl");
    assert_ne!(postgres.psql(&url, &encrypted), "0");
    assert_eq!(server.sql("SELECT count(*) AS n FROM wells"), json!([{"n": 0}]));
}

/// The database crashes and comes back, loses its sessions and is locked, and gwbank is killed beside it.
#[test]
fn nothing_acknowledged_is_lost_whatever_becomes_of_the_database() {
    let postgres = Postgres::start();
    let url = postgres.empty_database();
    let (place, settings) = place_with_wells_on(&url);
    let eager = ["--set", "archive.flush_interval_seconds=1", "--set", "archive.flush_rows=2000"];
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(eager).collect();
    let mut server = place.serve_with(&settings);
    let load = Load::start(broker_of(&server), Pace::Own);
    let mut random = SmallRng::seed_from_u64(4713);
    for round in 0..kills() {
        load.goes_on_by(random.random_range(500..2_000));
        match round % 4 {
            0 => {
                postgres.crash();
                load.goes_on_by(2_000); // acknowledged without any database
                let recent = server.sql("SELECT count(*) AS n FROM readings WHERE time >= now() - INTERVAL '400 days'");
                assert!(recent[0]["n"].as_i64() > Some(0), "recent readings are there without the database: {recent}");
                until("the archive is told to be down", || {
                    (server.ask("GET", "/readyz", &[], &[]).0 == 503).then_some(())
                });
                postgres.go_on();
            }
            1 => drop(postgres.psql(
                &url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gwbank'",
            )),
            2 => drop(postgres.psql(&url, "BEGIN; LOCK TABLE nodes, reading_rows; SELECT pg_sleep(1.5); COMMIT")),
            _ => {}
        }
        server.kill();
        server = place.serve_with(&settings);
        load.moves_to(broker_of(&server));
    }
    load.goes_on_by(500);
    let acknowledged = load.stop();
    check_conserved(&server, &acknowledged);
    until("the archive has caught up", || (server.ask("POST", "/api/v1/flush", &[], &[]).0 == 204).then_some(()));
    let keys: usize = postgres.psql(&url, "SELECT count(*) FROM readings").parse().unwrap();
    assert!(keys >= acknowledged.len(), "{keys} of {}", acknowledged.len());
    let counted = postgres.psql(&url, "SELECT readings FROM archive_totals");
    assert_eq!(counted, keys.to_string(), "as counted by the commits");
    assert_eq!(server.terminate().0, Some(0));
    check_conserved(&place.serve_with(&settings), &acknowledged);
}
