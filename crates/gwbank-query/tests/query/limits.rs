//! Each limit ends a query with an error of its own that names it, and a query that nobody waits for ends.

use std::time::Duration;

use futures::StreamExt;
use gwbank_query::{Limit, QueryConfig, QueryError, QueryErrorKind, Request};

use crate::support::{Bench, config, run};

/// More rows than any test waits for.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000000000) WHERE value % 7 = 8";

/// The same, by a join whose every step takes long and never yields.
const STUBBORN: &str = "SELECT sum(a.value * b.value) FROM generate_series(1, 1000000) AS a(value) \
                        CROSS JOIN generate_series(1, 1000000) AS b(value)";

async fn limit_of(config: QueryConfig, sql: &str) -> QueryError {
    let bench = Bench::new(config, usize::MAX);
    let error = bench.error(sql).await;
    let QueryErrorKind::Limit(limit) = error.kind() else { panic!("{sql}: {error:?}") };
    assert!(error.to_string().contains(limit.config_key()), "{error}");
    let counted = bench.engine.stats().rejected;
    assert!(counted.contains(&(limit, 1)), "{counted:?}");
    error
}

#[test]
fn rows() {
    let config = QueryConfig { rows_max: 10, ..config() };
    let error = run(limit_of(config, "SELECT * FROM generate_series(1, 11)"));
    assert!(matches!(error, QueryError::Limit { limit: Limit::Rows, value: 10 }));
}

#[test]
fn seconds() {
    let config = QueryConfig { seconds_max: 1, ..config() };
    for sql in [ENDLESS, STUBBORN] {
        let error = run(limit_of(config.clone(), sql));
        assert!(matches!(error, QueryError::Limit { limit: Limit::Seconds, value: 1 }));
    }
}

#[test]
fn memory() {
    let config = QueryConfig { memory_bytes_per_query: 1 << 20, ..config() };
    let groups = "SELECT value, count(*) FROM generate_series(1, 1000000) GROUP BY value";
    let error = run(limit_of(config.clone(), groups));
    assert!(matches!(error, QueryError::Limit { limit: Limit::Memory, .. }), "{error:?}");
    let error = run(limit_of(config, "SELECT * FROM generate_series(1, 1000000) ORDER BY value % 1000"));
    assert!(matches!(error, QueryError::Limit { limit: Limit::Memory, .. }), "{error:?}");
}

#[test]
fn spilled_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let spill_dir = dir.path().join("spill");
    let left_by_a_killed_process = spill_dir.join("datafusion-x");
    std::fs::create_dir_all(&left_by_a_killed_process).unwrap();
    let config = QueryConfig {
        memory_bytes_per_query: 16 << 20,
        spill_bytes_max: 1 << 20,
        spill_dir: Some(spill_dir.clone()),
        ..config()
    };
    let sort = "SELECT * FROM generate_series(1, 1500000) ORDER BY value DESC";
    let error = run(limit_of(config.clone(), sort));
    assert!(matches!(error, QueryError::Limit { limit: Limit::SpillBytes, .. }), "{error:?}");
    // With room on the disk the same query ends well.
    let roomy = QueryConfig { spill_bytes_max: 1 << 30, ..config };
    run(async {
        let bench = Bench::new(roomy, usize::MAX);
        let batches = bench.batches(sort).await.unwrap();
        assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1_500_000);
    });
    assert!(!left_by_a_killed_process.exists());
}

#[test]
fn concurrent_queries_and_cancellation() {
    run(async {
        let config = QueryConfig { concurrent_max: 1, wait_seconds_max: 1, ..config() };
        let bench = Bench::new(config, usize::MAX);
        let running = bench.engine.query(ENDLESS).await.unwrap();
        let refused = bench.error("SELECT 1").await;
        assert!(matches!(refused, QueryError::Limit { limit: Limit::Concurrent, value: 1 }), "{refused:?}");
        assert!(refused.may_retry());
        // Nobody waits for it any more: it stops computing and gives its place to the next one.
        drop(running);
        assert_eq!(bench.rows("SELECT 1").await, ["1"]);
        while bench.engine.stats().running > 0 {
            tokio::task::yield_now().await;
        }
    });
}

/// Waits for something that a query does on its own threads.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), held).await.is_ok(), "{what}");
}

async fn error_of(bench: &Bench, user: &str, sql: &str) -> QueryError {
    match bench.engine.ask(Request::of(user, sql)).await {
        Ok(_) => panic!("{user} is answered"),
        Err(error) => error,
    }
}

#[test]
fn one_user_does_not_take_the_places_of_all() {
    run(async {
        let config = QueryConfig { concurrent_max: 3, concurrent_per_user_max: 2, wait_seconds_max: 1, ..config() };
        let bench = Bench::new(config, usize::MAX);
        let ask = |user: &str, sql: &str| bench.engine.ask(Request::of(user, sql));
        let first = ask("somchai", ENDLESS).await.unwrap();
        let second = ask("somchai", ENDLESS).await.unwrap();
        let third = error_of(&bench, "somchai", "SELECT 1").await;
        assert!(matches!(third, QueryError::Limit { limit: Limit::ConcurrentPerUser, value: 2 }), "{third:?}");
        assert!(third.may_retry() && third.sqlstate() == "53300");
        let other = ask("malee", ENDLESS).await.unwrap();
        let crowd = error_of(&bench, "malee", "SELECT 1").await;
        assert!(matches!(crowd, QueryError::Limit { limit: Limit::Concurrent, value: 3 }), "{crowd:?}");
        drop((first, second, other));
        assert!(ask("somchai", "SELECT 1").await.is_ok());
    });
}

#[test]
fn a_full_queue_sends_away_who_asks_for_most() {
    run(async {
        let config = QueryConfig { concurrent_max: 1, waiting_max: 2, wait_seconds_max: 60, ..config() };
        let bench = Bench::new(config, usize::MAX);
        let running = bench.engine.ask(Request::of("somchai", ENDLESS)).await.unwrap();
        let waiter = |user: &'static str| {
            let engine = bench.engine.clone();
            tokio::spawn(async move { engine.ask(Request::of(user, "SELECT 1")).await.map(drop) })
        };
        let first = waiter("somchai");
        until("one waits", || bench.engine.stats().waiting == 1).await;
        let second = waiter("somchai");
        until("two wait", || bench.engine.stats().waiting == 2).await;
        let refused = error_of(&bench, "somchai", "SELECT 1").await;
        assert!(matches!(refused, QueryError::Limit { limit: Limit::Waiting, value: 2 }), "{refused:?}");
        let modest = waiter("malee");
        let sent_away = second.await.unwrap().unwrap_err();
        assert!(matches!(sent_away, QueryError::Limit { limit: Limit::Waiting, .. }), "{sent_away:?}");
        // Who gives up while waiting leaves room.
        first.abort();
        until("one waits", || bench.engine.stats().waiting == 1).await;
        drop(running);
        modest.await.unwrap().unwrap();
        until("nobody runs", || bench.engine.stats().running == 0).await;
    });
}

#[test]
fn memory_for_all() {
    let config =
        QueryConfig { memory_bytes_per_query: 64 << 20, memory_bytes_for_all: 64 << 20, concurrent_max: 4, ..config() };
    run(async {
        let bench = Bench::new(config, usize::MAX);
        // 8 of 64 MiB are a query's own, 32 are for whoever comes first.
        let large = "SELECT sum(value) OVER () FROM generate_series(1, 100000000000)";
        let error = bench.error(large).await;
        assert!(
            matches!(error, QueryError::Limit { limit: Limit::MemoryForAll, value } if value == 64 << 20),
            "{error:?}"
        );
        assert!(error.to_string().contains("query.memory_bytes_for_all") && error.may_retry(), "{error}");
        until("all is given back", || bench.engine.stats().memory_bytes == 0).await;
    });
}

#[test]
fn spilled_bytes_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let config = QueryConfig {
        memory_bytes_per_query: 16 << 20,
        spill_bytes_for_all: 1 << 20,
        spill_dir: Some(dir.path().join("spill")),
        ..config()
    };
    run(async {
        let bench = Bench::new(config, usize::MAX);
        let error = bench.error("SELECT * FROM generate_series(1, 1500000) ORDER BY value DESC").await;
        assert!(matches!(error, QueryError::Limit { limit: Limit::SpillBytesForAll, .. }), "{error:?}");
        until("all is given back", || bench.engine.stats().spilled_bytes == 0).await;
    });
}

#[test]
fn explain_analyze_runs_within_the_limits() {
    run(async {
        let bench = Bench::new(QueryConfig { seconds_max: 1, ..config() }, usize::MAX);
        let plan = bench.rows("EXPLAIN ANALYZE SELECT well_id FROM wells ORDER BY name").await.join("\n");
        assert!(plan.contains("output_rows=3") && !plan.contains("Guard"), "{plan}");
        let error = bench.error(&format!("EXPLAIN ANALYZE {ENDLESS}")).await;
        assert!(matches!(error, QueryError::Limit { limit: Limit::Seconds, .. }), "{error:?}");
        assert!(bench.rows(&format!("EXPLAIN {ENDLESS}")).await.join("").contains("generate_series"));
    });
}

#[test]
fn a_dropped_stream_stops_a_query_that_has_begun_to_answer() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let mut answer = bench.engine.query("SELECT * FROM generate_series(1, 1000000000000)").await.unwrap();
        assert!(answer.stream.next().await.unwrap().is_ok());
        drop(answer);
        let ended = async {
            while bench.engine.stats().running > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
    });
}

#[test]
fn nonsense_is_refused() {
    for (config, key) in [
        (QueryConfig { threads: 0, ..config() }, "query.threads"),
        (QueryConfig { rows_max: 0, ..config() }, "query.rows_max"),
        (QueryConfig { concurrent_per_user_max: 0, ..config() }, "query.concurrent_per_user_max"),
        (QueryConfig { memory_bytes_for_all: 5, ..config() }, "query.memory_bytes_for_all"),
        (QueryConfig { memory_bytes_per_query: 5, ..config() }, "query.memory_bytes_per_query"),
    ] {
        assert_eq!(config.check().unwrap_err().key, key);
    }
}

/// A chain of operators nests as deep as it is long; it must not end the process (250 terms did, on a thread's usual
/// stack). Planning takes more than linear time, so really long ones end at the limit of seconds.
#[test]
fn long_chains_do_not_exhaust_the_stack() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        assert_eq!(bench.rows(&format!("SELECT 1{}", "+1".repeat(500))).await, ["501"]);
        let or = " OR well_id = 'W-1'".repeat(1_000);
        assert_eq!(bench.rows(&format!("SELECT count(*) FROM wells WHERE well_id = 'none'{or}")).await.len(), 1);
        let too_long = bench.error(&format!("SELECT 1{}", "+1".repeat(40_000))).await.to_string();
        assert!(too_long.contains("more than the 65536"), "{too_long}");
    });
}

/// Text that nests or lists without end is refused by its form, before it is planned.
#[test]
fn what_nests_or_lists_too_much_is_refused() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let many = |text: &str, times: usize| text.repeat(times);
        for sql in [
            format!("SELECT {}1{}", many("(", 10_000), many(")", 10_000)),
            format!("SELECT 1 WHERE true{}", many(" OR 1=1", 5_000)),
            format!("SELECT 1 WHERE true{}", many(" OR well_id = 'W-1'", 10_000)),
            format!("SELECT {}true", many("NOT ", 10_000)),
            format!("SELECT {}1", many("- ", 10_000)),
            format!("SELECT 'a'{}", many("||'a'", 5_000)),
            format!("{}SELECT 1{}", many("SELECT * FROM (", 4_000), many(")", 4_000)),
            format!("SELECT {}1{}", many("abs(", 8_000), many(")", 8_000)),
            format!("SELECT 1 IN ({}1)", many("1,", 100_000)),
            format!("SELECT '{}'", many("x", 1 << 20)),
        ] {
            let error = bench.error(&sql).await;
            assert_eq!(error.kind(), QueryErrorKind::Invalid, "{:.60}: {error:?}", sql);
        }
        assert_eq!(bench.rows("SELECT 1").await, ["1"]);
    });
}
