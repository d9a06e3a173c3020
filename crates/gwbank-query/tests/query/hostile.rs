//! Statements that would run for ever or take all memory end at the limit that they reach, and leave nothing behind.

use std::process::Command;
use std::time::{Duration, Instant};

use gwbank_query::{Limit, QueryConfig, QueryErrorKind};

use crate::support::{Bench, config, run};

/// They would run for hours, and most of them never yield.
const ENDLESS: &[&str] = &[
    "WITH t AS (SELECT * FROM generate_series(1, 100) AS g(x)) SELECT count(*) FROM t a, t b, t c, t d, t e, t f, t g, \
     t h, t i, t j WHERE a.x + b.x + c.x + d.x + e.x + f.x + g.x + h.x + i.x + j.x < 0",
    "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t",
    "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x FROM t) SELECT x FROM t WHERE x < 0",
    "SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) CROSS JOIN generate_series(1, 1000000000) AS b(y)",
    "SELECT sum(a.x * b.y) FROM generate_series(1, 1000000) AS a(x) CROSS JOIN generate_series(1, 1000000) AS b(y)",
    "SELECT count(*) FROM generate_series(1, 100000) AS a(x) JOIN generate_series(1, 1000000000) AS b(y) ON a.x > b.y + 5000000000",
    "SELECT count(*) FROM generate_series(1, 100000) AS a(x) JOIN generate_series(1, 100000) AS b(y) \
     ON a.x % 2 = b.y % 2 AND a.x + b.y < 0",
    "SELECT count(*) FROM generate_series(1, 1000000000000) AS a(x) WHERE x % 7 = 8",
    "SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) WHERE regexp_like(repeat('ab', 400 + x % 2), '((a|b)*a(a|b){12}){20}$')",
    "SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) WHERE repeat('ab', 400 + x % 2) ~ ('((a|b)*a(a|b){12})' || (x % 9) || '$')",
    "SELECT max(levenshtein(repeat('ab', 2000 + x % 2), repeat('ba', 2000 + x % 3))) FROM generate_series(1, 1000000) AS a(x)",
    "SELECT max(x) FROM (SELECT unnest(range(1, 1000 + a.x % 2)) AS x FROM generate_series(1, 1000000000) AS a(x))",
];

/// Far above what a busy machine takes for it, far below what the statements would take: hours.
const PROMPTLY: Duration = Duration::from_secs(30);

#[test]
fn endless_queries_end_in_time_and_stop_computing() {
    run(async {
        let bench = Bench::new(QueryConfig { seconds_max: 1, concurrent_max: 2, ..config() }, usize::MAX);
        for sql in ENDLESS {
            let began = Instant::now();
            let error = bench.error(sql).await;
            let QueryErrorKind::Limit(limit) = error.kind() else { panic!("{sql}: {error:?}") };
            // A join of ten tables may fill its memory first.
            let expected = limit == Limit::Seconds || (limit == Limit::Memory && sql.contains("t i, t j"));
            assert!(expected, "{sql}: {error:?}");
            assert!(began.elapsed() < PROMPTLY, "{sql}: {:?}", began.elapsed());
            assert!(error.to_string().contains(limit.config_key()), "{error}");
            ended(&bench, sql).await;
            assert_eq!(bench.rows("SELECT 1").await, ["1"]);
        }
    });
}

#[test]
fn queries_that_nobody_waits_for_stop_computing() {
    run(async {
        let bench = Bench::new(QueryConfig { seconds_max: 600, concurrent_max: 2, ..config() }, usize::MAX);
        for sql in ENDLESS {
            let waiting = tokio::time::timeout(Duration::from_millis(50), bench.batches(sql)).await;
            assert!(waiting.is_err(), "{sql}: {waiting:?}");
            ended(&bench, sql).await;
        }
        assert_eq!(bench.rows("SELECT 1").await, ["1"]);
    });
}

/// Waits until no query computes any more.
async fn ended(bench: &Bench, sql: &str) {
    let ended = async {
        while bench.engine.stats().running > 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PROMPTLY, ended).await.is_ok(), "{sql} goes on");
}

const MEMORY: usize = 128 << 20;

/// Each would take gigabytes.
const GREEDY: &[&str] = &[
    "SELECT repeat('x', 1000000000)",
    "SELECT length(repeat('x', 1000000000))",
    "SELECT * FROM generate_series(1, length(repeat('x', 1000000000)))",
    "SELECT repeat(well_id, 1000000000) FROM wells",
    "SELECT max(length(repeat('x', 100000 + x))) FROM generate_series(1, 100000) AS a(x)",
    "SELECT lpad('x', 1000000000)",
    "SELECT rpad(well_id, 1000000000, 'ab') FROM wells",
    "SELECT replace(repeat('x', 100000), 'x', repeat('y', 100000))",
    "SELECT regexp_replace(repeat('x', 100000), '', repeat('y', 100000), 'g')",
    "SELECT range(1, 1000000000)",
    "SELECT generate_series(1, 1000000000)",
    "SELECT array_repeat('x', 1000000000)",
    "SELECT array_repeat(array_repeat(1, 100000), 100000)",
    "SELECT array_resize([1], 1000000000, 0)",
    "SELECT array_to_string(range(1, 1000000), repeat('x', 10000))",
    "SELECT string_to_array(repeat('x,', 30000000), ',')",
    "SELECT array_agg(x) FROM generate_series(1, 1000000000) AS a(x)",
    "SELECT x % 3, array_agg(x) FROM generate_series(1, 1000000000) AS a(x) GROUP BY x % 3",
    "SELECT string_agg(repeat('x', 1000 + x % 2), ',') FROM generate_series(1, 1000000000) AS a(x)",
    "SELECT count(DISTINCT x) FROM generate_series(1, 1000000000) AS a(x)",
    "SELECT median(x) FROM generate_series(1, 1000000000) AS a(x)",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 1000000000) AS a(x)",
    "SELECT sum(x) OVER () FROM generate_series(1, 1000000000) AS a(x)",
    "SELECT lag(x, 1000000000) OVER (ORDER BY x) FROM generate_series(1, 1000000000) AS a(x)",
    "SELECT max(x) OVER (ORDER BY x ROWS BETWEEN CURRENT ROW AND 1000000000 FOLLOWING) FROM generate_series(1, 1000000000) AS a(x)",
    "SELECT row_number() OVER (ORDER BY x DESC) FROM generate_series(1, 1000000000) AS a(x)",
    "SELECT a.s FROM (SELECT repeat('x', 1000000 + length(well_id)) AS s FROM wells) AS a CROSS JOIN generate_series(1, 1000000)",
    "SELECT repeat('x', 1000000), x FROM generate_series(1, 1000000) AS a(x)",
    "SELECT unnest(range(1, 1000000)), repeat('x', 1000000)",
    "SELECT unnest(range(1, 1000000 + x % 2)), repeat('x', 1000) FROM generate_series(1, 10000) AS a(x)",
    "WITH a AS (SELECT repeat('x', 4000 + x % 2) AS s FROM generate_series(1, 100000) AS a(x)), \
     b AS (SELECT s || s AS s FROM a), c AS (SELECT s || s AS s FROM b), d AS (SELECT s || s || s || s AS s FROM c) \
     SELECT s FROM d",
    "WITH RECURSIVE t AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM t) SELECT max(length(s)) FROM t",
    "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t CROSS JOIN (VALUES (1), (2), (3))) SELECT count(*) FROM t",
    "SELECT * FROM generate_series(1, 1000000000) AS a(x) ORDER BY x DESC",
    "SELECT [repeat('x', 30000), repeat('y', 30000 + x)] FROM generate_series(1, 100000) AS a(x)",
    "SELECT concat(repeat('x', 8000 + x % 2), repeat('y', 8000 + x % 3)) FROM generate_series(1, 100000) AS a(x)",
    "SELECT a.x FROM generate_series(1, 1000000000) AS a(x) JOIN generate_series(1, 1000000000) AS b(x) ON a.x = b.x",
    "SELECT array_agg(x) OVER (ORDER BY x) FROM generate_series(1, 100000) AS a(x)",
];

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

async fn greedy_queries() {
    let config = QueryConfig { memory_bytes_per_query: MEMORY, seconds_max: 3, rows_max: 1_000_000, ..config() };
    let bench = Bench::new(config, usize::MAX);
    assert_eq!(bench.rows("SELECT count(*) FROM wells").await, ["3"]);
    let mut too_much = Vec::new();
    for sql in GREEDY {
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
            too_much.push(*sql);
        }
        assert_eq!(bench.rows("SELECT 1").await, ["1"]);
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
