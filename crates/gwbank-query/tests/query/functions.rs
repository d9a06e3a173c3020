//! Every listed function has an example that gives what it says.

use gwbank_query::functions::FUNCTIONS;

use crate::support::{Bench, config, run};

#[test]
fn examples_give_what_they_say() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for function in FUNCTIONS {
            assert_eq!(bench.rows(function.example).await, [function.example_result], "{}", function.example);
        }
        let listed = bench.rows("SELECT name FROM gwbank_functions ORDER BY name").await;
        assert_eq!(listed.len(), FUNCTIONS.len());
    });
}

#[test]
fn time_bucket_as_timescaledb_has_it() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for (call, result) in [
            ("time_bucket('1 hour', '2026-01-01T10:59:59Z')", "2026-01-01T10:00:00Z"),
            ("time_bucket('1 week', '2026-01-01T10:00:00Z')", "2025-12-29T00:00:00Z"),
            ("time_bucket(interval '5 minutes', to_timestamp('2026-01-01T10:03:00Z'))", "2026-01-01T10:00:00Z"),
            ("time_bucket('1 month', '2026-02-28T18:00:00Z')", "2026-02-01T00:00:00Z"),
            ("time_bucket('1 month', '2026-02-28T18:00:00Z', 'Asia/Bangkok')", "2026-02-28T17:00:00Z"),
            ("time_bucket('1 year', '1913-08-28T00:00:00Z')", "1913-01-01T00:00:00Z"),
            ("time_bucket('3 months', '2026-05-28T00:00:00Z')", "2026-04-01T00:00:00Z"),
            ("time_bucket('1 day', '1969-12-31T23:00:00Z')", "1969-12-31T00:00:00Z"),
            ("time_bucket('1 day', '2026-01-01T10:00:00Z', '2000-01-01T12:00:00Z')", "2025-12-31T12:00:00Z"),
            ("time_bucket('1 day', '2026-01-01T18:00:00Z', '+07:00')", "2026-01-01T17:00:00Z"),
            ("time_bucket('1 day', NULL)", ""),
            ("time_bucket('1 day', date '2026-01-01')", "2026-01-01T00:00:00"),
        ] {
            assert_eq!(bench.rows(&format!("SELECT {call}")).await, [result], "{call}");
        }
        for (call, says) in [
            ("time_bucket('1 month 1 day', '2026-01-01T10:00:00Z')", "either whole months or days"),
            ("time_bucket('0 seconds', '2026-01-01T10:00:00Z')", "at least a microsecond"),
            ("time_bucket('1 day', '2026-01-01T10:00:00Z', 'Mars/Olympus')", "neither a zone"),
            ("time_bucket(1, '2026-01-01T10:00:00Z')", "is an interval"),
            ("time_bucket('1 day')", "two or three arguments"),
        ] {
            let error = bench.error(&format!("SELECT {call}")).await.to_string();
            assert!(error.contains(says), "{call}: {error}");
        }
    });
}

#[test]
fn formulas_take_whole_numbers_and_missing_values() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        assert_eq!(
            bench.rows("SELECT ec_25(500, 25), ec_25(NULL, 25), water_column(9.80665, 0)").await,
            ["500.0||1.0"]
        );
        // Outside of what the formula is meant for there is no value: by it EC would fall to 0 and below at -27 degrees.
        let outside =
            "SELECT ec_25(500, -50), ec_25(500, 60.5), ec_25(-1, 25), ec_25(500, -2) > 1000, ec_25(500, 60) > 299";
        assert_eq!(bench.rows(outside).await, ["|||true|true"]);
    });
}

#[test]
fn now_is_the_time_of_the_query() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let sql = "SELECT now() > TIMESTAMP '2026-01-01T00:00:00Z', now() = current_timestamp, \
                   (SELECT count(*) FROM readings WHERE time > now() + INTERVAL '1 day')";
        assert_eq!(bench.rows(sql).await, ["true|true|0"]);
        assert_eq!(bench.rows("SELECT arrow_typeof(now())").await, ["Timestamp(µs, \"UTC\")"]);
    });
}

#[test]
fn a_pattern_that_means_something_elsewhere_is_refused() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let error = bench.error("SELECT to_char(now(), 'Month RN')").await.to_string();
        assert!(error.contains("%Y-%m-%d") && error.contains("Month RN"), "{error}");
        assert_eq!(bench.rows("SELECT to_char(timestamp '2026-03-08', 'YYYY-MM')").await, ["2026-03"]);
        assert_eq!(bench.rows("SELECT to_char(timestamp '2026-03-08', '%Y-%m')").await, ["2026-03"]);
    });
}

#[test]
fn columns_of_one_name_are_told_apart() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let sql = "SELECT a.x, b.x FROM (SELECT 1 AS x) a CROSS JOIN (SELECT 2 AS x) b";
        let batches = bench.batches(sql).await.unwrap();
        let names: Vec<String> = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["x", "x_1"]);
        assert_eq!(bench.rows(sql).await, ["1|2"]);
    });
}

#[test]
fn a_name_inside_order_by_is_a_column_of_the_table() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let of = "FROM (VALUES (1), (2), (3)) t(value)";
        let sql = format!("SELECT value * -1 AS value {of} ORDER BY value * 2");
        let batches = bench.batches(&sql).await.unwrap();
        assert_eq!(batches[0].schema().field(0).name(), "value");
        assert_eq!(bench.rows(&sql).await, ["-1", "-2", "-3"]);
        assert_eq!(bench.rows(&format!("SELECT value * -1 AS value {of} ORDER BY value")).await, ["-3", "-2", "-1"]);
        let both = format!("SELECT value * -1 AS value {of} ORDER BY value, abs(t.value)");
        assert_eq!(bench.rows(&both).await, ["-3", "-2", "-1"]);
    });
}
