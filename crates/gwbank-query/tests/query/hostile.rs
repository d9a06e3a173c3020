//! Statements that would run for ever or take all memory end at the limit that they reach, and leave nothing behind.

use std::process::Command;
use std::time::{Duration, Instant};

use futures::future::join_all;
use gwbank_query::{Limit, QueryConfig, QueryErrorKind};
use gwbank_testkit::hostile::{Expected, statements_that_are};
use gwbank_testkit::test_rounds;

use crate::support::{Bench, config, run};

/// Far above what a busy machine takes for it, far below what the statements would take: hours.
const PROMPTLY: Duration = Duration::from_secs(30);

/// How many run beside each other.
const BESIDE: usize = 4;

/// A day of readings of each series, so that a join of them has something to do.
fn bench(config: QueryConfig) -> Bench {
    let mut bench = Bench::new(config, usize::MAX);
    for series in 0..bench.series.len() {
        let rows = (0..24).map(|hour| bench.row(series, hour, hour as f64)).collect();
        bench.message(rows);
    }
    bench
}

#[test]
fn endless_queries_end_in_time_and_stop_computing() {
    run(async {
        let bench = bench(QueryConfig { seconds_max: 1, concurrent_max: BESIDE, ..config() });
        let mut objections = Vec::new();
        for some in statements_that_are(Expected::Endless).chunks(BESIDE) {
            let began = Instant::now();
            let answers = join_all(some.iter().map(|sql| bench.batches(sql))).await;
            for (sql, answer) in some.iter().zip(answers) {
                let is_expected = match answer.as_ref().map_err(|error| error.kind()) {
                    Err(QueryErrorKind::Limit(Limit::Seconds)) => true,
                    // A join of many tables may fill its memory first.
                    Err(QueryErrorKind::Limit(Limit::Memory)) => sql.contains("a, "),
                    _ => false,
                };
                if !is_expected {
                    objections.push(format!("{sql}: {:.300}", format!("{answer:?}")));
                }
            }
            ended(&bench, some).await;
            if began.elapsed() > PROMPTLY {
                objections.push(format!("{some:?} after {:?}", began.elapsed()));
            }
            assert_eq!(bench.rows("SELECT 1").await, ["1"]);
        }
        assert!(objections.is_empty(), "{objections:#?}");
    });
}

#[test]
fn queries_that_nobody_waits_for_stop_computing() {
    run(async {
        let bench = bench(QueryConfig { seconds_max: 600, concurrent_max: BESIDE, ..config() });
        for some in statements_that_are(Expected::Endless).chunks(BESIDE) {
            let beside = join_all(some.iter().map(|sql| bench.batches(sql)));
            let waiting = tokio::time::timeout(Duration::from_millis(50), beside).await;
            assert!(waiting.is_err(), "{some:?}: {waiting:?}");
            ended(&bench, some).await;
        }
        assert_eq!(bench.rows("SELECT 1").await, ["1"]);
    });
}

#[test]
fn odd_statements_are_answered_or_refused() {
    run(async {
        let bench = bench(QueryConfig { seconds_max: 5, ..config() });
        let mut objections = Vec::new();
        for sql in statements_that_are(Expected::Odd) {
            let began = Instant::now();
            let answer = bench.batches(&sql).await;
            let kind = answer.as_ref().err().map(|error| error.kind());
            if kind == Some(QueryErrorKind::Internal) || began.elapsed() > PROMPTLY {
                objections.push(format!("{sql:.100} after {:?}: {:.300}", began.elapsed(), format!("{answer:?}")));
            }
        }
        assert!(objections.is_empty(), "{objections:#?}");
    });
}

/// Waits until no query computes any more.
async fn ended(bench: &Bench, statements: &[String]) {
    let ended = async {
        while bench.engine.stats().running > 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PROMPTLY, ended).await.is_ok(), "one goes on of {statements:?}");
}

const MEMORY: usize = 128 << 20;

const ALONE: &str = "GWBANK_TEST_ALONE";

/// The memory of a process tells of one test only while no other runs in it: so this one runs again, alone.
#[test]
fn greedy_queries_take_no_more_than_the_limit() {
    if std::env::var_os(ALONE).is_some() {
        return run(greedy_queries());
    }
    let test = "hostile::greedy_queries_take_no_more_than_the_limit";
    let me = std::env::current_exe().unwrap();
    let alone = Command::new(me).args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&alone.stdout), String::from_utf8_lossy(&alone.stderr));
    assert!(alone.status.success(), "{said}");
}

/// What was cut off may still hold the cores for a moment, and the limit of a second holds for this one, too.
async fn answers_again(bench: &Bench) {
    let began = Instant::now();
    loop {
        match bench.batches("SELECT 1").await {
            Ok(batches) => return assert_eq!(batches[0].num_rows(), 1),
            Err(error) => {
                let is_late = matches!(error.kind(), QueryErrorKind::Limit(Limit::Seconds));
                assert!(is_late && began.elapsed() < PROMPTLY, "{error}");
            }
        }
    }
}

async fn greedy_queries() {
    let config = QueryConfig {
        memory_bytes_per_query: MEMORY,
        seconds_max: u64::from(test_rounds(1)),
        rows_max: 1_000_000,
        ..config()
    };
    let bench = bench(config);
    assert_eq!(bench.rows("SELECT count(*) FROM wells").await, ["3"]);
    let mut too_much = Vec::new();
    for sql in &statements_that_are(Expected::Greedy) {
        // What the allocator has kept from the statements before is not this one's.
        let before = memory::resident();
        memory::reset_peak();
        let began = Instant::now();
        let kind = match bench.engine.query(sql).await {
            Ok(mut answer) => loop {
                match futures::StreamExt::next(&mut answer.stream).await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break Some(error.kind()),
                    None => break None,
                }
            },
            Err(error) => Some(error.kind()),
        };
        let grown = memory::peak().saturating_sub(before);
        println!("{:>5} MiB {:>6} ms {kind:?}: {sql}", grown >> 20, began.elapsed().as_millis());
        let limited = matches!(kind, Some(QueryErrorKind::Limit(Limit::Memory | Limit::Rows | Limit::Seconds)));
        let refused = matches!(kind, Some(QueryErrorKind::Invalid | QueryErrorKind::Failed));
        if grown > 2 * MEMORY || !(limited || refused) {
            too_much.push(sql.clone());
        }
        answers_again(&bench).await;
    }
    assert!(too_much.is_empty(), "{too_much:#?}");
}

/// What the kernel says of this process.
mod memory {
    fn status(key: &str) -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
    }
    pub fn resident() -> usize {
        status("VmRSS")
    }
    pub fn peak() -> usize {
        status("VmHWM")
    }
    pub fn reset_peak() {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
    }
}

#[test]
fn what_is_usual_is_not_taken_for_hostile() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for (sql, answer) in [
            ("SELECT repeat('ab', 3) || 'c'", "abababc"),
            ("SELECT 'a' || NULL", ""),
            ("SELECT concat('a', NULL, 'b')", "ab"),
            ("SELECT 'abc' ~ 'B', 'abc' ~* 'B', 'abc' !~ 'B', NULL ~ 'a'", "false|true|true|"),
            ("SELECT count(*) FROM wells WHERE well_id ~ '^[AB]$' AND well_id || '' = 'A'", "1"),
            ("SELECT regexp_replace('a1b2', '[0-9]', '_', 'g')", "a_b_"),
            ("SELECT [1, 2] || 3, array_to_string([1, 2], '-')", "[1, 2, 3]|1-2"),
            (
                "SELECT count(*) FROM (SELECT unnest(generate_series('2026-01-01'::timestamp, '2026-12-31'::timestamp, '1 hour'::interval)))",
                "8737",
            ),
            ("SELECT length(string_agg(well_id, ',')) FROM wells CROSS JOIN generate_series(1, 1000)", "37999"),
            ("SELECT sum(length(lpad(well_id, 40, '.'))) FROM wells CROSS JOIN generate_series(1, 100000)", "12000000"),
            (
                "SELECT max(n) FROM (SELECT row_number() OVER (PARTITION BY x % 7 ORDER BY x) AS n FROM generate_series(1, 70000) AS a(x))",
                "10000",
            ),
            ("SELECT levenshtein('kitten', 'sitting')", "3"),
        ] {
            assert_eq!(bench.rows(sql).await, [answer], "{sql}");
        }
        let names = bench.batches("SELECT name || 'x', well_id ~ 'A' FROM wells").await.unwrap();
        let schema = names[0].schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["wells.name || Utf8(\"x\")", "wells.well_id ~ Utf8(\"A\")"]);
    });
}
