//! `gapfill` against the real TimescaleDB, and against a simple model where there are many rows.

use std::collections::BTreeMap;

use gwbank_query::{Limit, QueryConfig, QueryError};
use gwbank_testkit::{Timescale, test_rounds};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::{Bench, WELLS, config, hour, run};

/// Readings by the number of their well and half an hour; `None` is missing.
type Data = Vec<(usize, i64, Option<f64>)>;

async fn bench_of(data: &Data) -> Bench {
    let mut bench = Bench::new(config(), usize::MAX);
    for &(well, half_hours, value) in data {
        let mut row = bench.row(2 * well, 0, value.unwrap_or(f64::NAN));
        row.time = hour(0).plus_secs(half_hours * 1800);
        bench.message(vec![row]);
    }
    bench
}

fn insert_of(data: &Data) -> String {
    let rows: Vec<String> = data
        .iter()
        .map(|(well, half_hours, value)| {
            let value = value.map_or("NULL".to_owned(), |value| value.to_string());
            let time = hour(0).plus_secs(half_hours * 1800);
            format!("('{}', '{time}', {value})", WELLS[*well])
        })
        .collect();
    format!("TRUNCATE readings; INSERT INTO readings VALUES {}", rows.join(", "))
}

/// Instants and numbers as both sides write them.
fn same_cell(ours: &str, theirs: &str) -> bool {
    match (ours.parse::<f64>(), theirs.parse::<f64>()) {
        (Ok(ours), Ok(theirs)) => (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0),
        _ => ours == theirs.replace(' ', "T").replace("+00", "Z"),
    }
}

async fn compare(bench: &Bench, timescale: &Timescale, sql: &str) {
    let ours = bench.rows(sql).await;
    let theirs = timescale.psql(&format!("SET timezone = 'UTC'; {sql}"));
    let theirs: Vec<&str> = theirs.lines().collect();
    let is_same = ours.len() == theirs.len()
        && ours.iter().zip(&theirs).all(|(ours, theirs)| {
            let (ours, theirs): (Vec<_>, Vec<_>) = (ours.split('|').collect(), theirs.split('|').collect());
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same_cell(ours, theirs))
        });
    assert!(is_same, "{sql}\nours: {ours:#?}\nTimescaleDB: {theirs:#?}");
}

const BOUNDED: &str = "time >= '2026-01-01 00:30:00Z' AND time < '2026-01-01 09:00:00Z'";

/// What is asked of both, word for word.
fn statements() -> Vec<String> {
    let fills = "avg(value), locf(avg(value)), locf(avg(value), treat_null_as_missing => true), interpolate(avg(value)), \
                 coalesce(avg(value), -1), count(*), interpolate(count(*)), locf(max(value)), interpolate(max(value))";
    let beside = "interpolate(avg(value), (SELECT (TIMESTAMPTZ '2025-12-31T23:00:00Z', 0.5::float8)), \
                  (SELECT (TIMESTAMPTZ '2026-01-01T11:00:00Z', 18.0::float8)))";
    let mut statements = vec![
        format!(
            "SELECT time_bucket_gapfill('1 hour', time) AS b, well_id, {fills} FROM readings WHERE {BOUNDED} \
                 GROUP BY 1, 2 ORDER BY 2, 1"
        ),
        format!(
            "SELECT time_bucket_gapfill('1 hour', time) AS b, {fills} FROM readings WHERE {BOUNDED} GROUP BY 1 ORDER BY 1"
        ),
        format!(
            "SELECT time_bucket_gapfill('1 hour', time) AS b, well_id, avg(value), locf(avg(value)) FROM readings \
                 WHERE {BOUNDED} GROUP BY 1, 2 HAVING avg(value) > 1 ORDER BY 2, 1"
        ),
        format!(
            "SELECT well_id, time_bucket_gapfill('1 hour', time) AS b, locf(avg(value), (SELECT -1.0::float8), true), {beside} \
                 FROM readings WHERE {BOUNDED} GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        format!(
            "SELECT time_bucket_gapfill('1 hour', time) AS b, avg(value), lag(avg(value)) OVER (ORDER BY \
                 time_bucket_gapfill('1 hour', time)) FROM readings WHERE {BOUNDED} GROUP BY 1 ORDER BY 1"
        ),
        format!(
            "SELECT b, count(*), count(v) FROM (SELECT time_bucket_gapfill('1 hour', time) AS b, well_id, avg(value) AS v \
                 FROM readings WHERE {BOUNDED} GROUP BY 1, 2) AS x WHERE b < '2026-01-01 05:00:00Z' GROUP BY b ORDER BY b"
        ),
        "SELECT time_bucket_gapfill('1 hour', time) AS b, well_id, avg(value) FROM readings WHERE time BETWEEN \
         '2026-01-01 00:00:00Z' AND '2026-01-01 02:00:00Z' GROUP BY 1, 2 ORDER BY 2, 1"
            .to_owned(),
    ];
    for empty in ["GROUP BY 1", "GROUP BY 1, well_id"] {
        statements.push(format!(
            "SELECT time_bucket_gapfill('1 hour', time), count(*), locf(avg(value)) FROM readings \
            WHERE time >= '2031-01-01 00:00:00Z' AND time <= '2031-01-01 03:00:00Z' {empty} ORDER BY 1"
        ));
    }
    for (width, zone) in [
        ("1 month", ", 'Asia/Bangkok'"),
        ("1 day", ", 'Asia/Bangkok'"),
        ("2 months", ""),
        ("90 minutes", ""),
        ("1 week", ""),
    ] {
        statements.push(format!("SELECT time_bucket_gapfill('{width}', time{zone}) AS b, well_id, avg(value), locf(avg(value)), \
            interpolate(avg(value)) FROM readings WHERE time > '2025-11-01 00:00:00Z' AND time <= '2026-03-01 00:00:00Z' \
            GROUP BY 1, 2 ORDER BY 2, 1"));
    }
    // Rows outside the range stay.
    statements.push("SELECT time_bucket_gapfill('1 hour', time, '2026-01-01 02:00:00Z'::timestamptz, '2026-01-01 06:00:00Z'::timestamptz) \
        AS b, well_id, avg(value), locf(avg(value)), interpolate(avg(value)) FROM readings GROUP BY 1, 2 ORDER BY 2, 1".to_owned());
    statements.push("SELECT time_bucket_gapfill('1 hour', time, start => '2026-01-01 01:59:00Z'::timestamptz, \
        finish => '2026-01-01 06:00:00Z'::timestamptz) AS b, avg(value), locf(avg(value)) FROM readings GROUP BY 1 ORDER BY 1".to_owned());
    statements
}

fn data() -> impl Strategy<Value = Data> {
    let value = prop_oneof![1 => Just(None), 4 => (-40i32..40).prop_map(|value| Some(f64::from(value) / 4.0))];
    proptest::collection::btree_map((0..3usize, -3..24i64), value, 1..20)
        .prop_map(|map| map.into_iter().map(|((well, time), value)| (well, time, value)).collect())
}

#[test]
fn fills_as_timescaledb_does() {
    run(async {
        let timescale = Timescale::start();
        timescale.psql("CREATE TABLE readings (well_id text, time timestamptz, value float8)");
        let mut runner = TestRunner::deterministic();
        for _ in 0..test_rounds(2) {
            let data = data().new_tree(&mut runner).unwrap().current();
            let bench = bench_of(&data).await;
            timescale.psql(&insert_of(&data));
            for statement in statements() {
                compare(&bench, &timescale, &statement).await;
            }
        }
    });
}

#[test]
fn goes_on_over_batches_of_input_and_output() {
    run(async {
        // Three wells of different density, by the minute: 3 x 28,800 rows of about 9,000 readings.
        let mut bench = Bench::new(config(), usize::MAX);
        let mut known: BTreeMap<(usize, i64), f64> = BTreeMap::new();
        let mut message = Vec::new();
        for (well, step) in [(0, 7), (1, 3), (2, 911)] {
            for minute in (5..28_800).step_by(step) {
                let value = f64::from((minute as u32).wrapping_mul(2_654_435_761) >> 20);
                let mut row = bench.row(2 * well, 0, value);
                row.time = hour(0).plus_secs(minute * 60 + 1);
                message.push(row);
                known.insert((well, minute), value);
            }
        }
        bench.message(message);
        let found = bench
            .rows(
                "SELECT well_id, (CAST(b AS bigint) - 1767225600000000) / 60000000, v, l, i FROM (
                   SELECT gapfill('1 minute', time) AS b, well_id, avg(value) AS v, locf(avg(value)) AS l,
                     interpolate(avg(value)) AS i
                   FROM readings WHERE time >= '2026-01-01T00:00:00Z' AND time < '2026-01-21T00:00:00Z'
                   GROUP BY 1, well_id) ORDER BY 1, 2",
            )
            .await;
        assert_eq!(found.len(), 3 * 28_800);
        let cell = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:?}"));
        for (place, row) in found.iter().enumerate() {
            let (well, minute) = (place / 28_800, (place % 28_800) as i64);
            let before = known.range((well, i64::MIN)..=(well, minute)).next_back();
            let after = known.range((well, minute)..=(well, i64::MAX)).next();
            let line = match (before, after) {
                (Some((&(_, from), low)), Some((&(_, to), high))) if from < to => {
                    let (whole, done) = ((to - from) as f64 * 6e7, (minute - from) as f64 * 6e7);
                    Some((low * (whole - done) + high * done) / whole)
                }
                (Some((_, value)), Some(_)) => Some(*value),
                _ => None,
            };
            let value = known.get(&(well, minute)).copied();
            let expected =
                [WELLS[well].to_owned(), minute.to_string(), cell(value), cell(before.map(|(_, v)| *v)), cell(line)];
            assert_eq!(row, &expected.join("|"));
        }
    });
}

#[test]
fn stands_where_a_select_stands() {
    run(async {
        let bench = bench_of(&vec![(0, 0, Some(1.0)), (0, 6, Some(4.0)), (1, 2, Some(2.0))]).await;
        let filled = "SELECT gapfill('1 hour', time) AS b, well_id, locf(avg(value)) AS v FROM readings
                      WHERE time >= '2026-01-01T00:00:00Z' AND time < '2026-01-01T05:00:00Z' GROUP BY 1, 2";
        for (statement, rows) in [
            (format!("WITH f AS ({filled}) SELECT well_id, sum(v) FROM f GROUP BY well_id ORDER BY 1"), vec!["A|11.0", "B|8.0"]),
            (
                format!("SELECT w.province_code, count(*) FROM ({filled}) AS f JOIN wells w USING (well_id) GROUP BY 1"),
                vec!["30|10"],
            ),
            (format!("SELECT count(*) FROM ({filled} UNION ALL {filled})"), vec!["20"]),
            (format!("SELECT well_id, b FROM ({filled}) WHERE well_id = 'B' ORDER BY b DESC LIMIT 1"), vec!["B|2026-01-01T04:00:00Z"]),
            // Days of a civil calendar, which have no zone of their own.
            (
                "SELECT gapfill('1 day', day) AS d, max(mean) FROM readings_daily WHERE day >= DATE '2025-12-31' \
                 AND day < DATE '2026-01-03' GROUP BY 1 ORDER BY 1"
                    .to_owned(),
                vec!["2025-12-31T00:00:00|", "2026-01-01T00:00:00|2.5", "2026-01-02T00:00:00|"],
            ),
            ("SELECT gapfill('1 hour', time, '2026-01-01T00:00:00Z', '2026-01-01T02:00:00Z') AS b, interpolate(avg(value)) * 2 \
              FROM readings WHERE well_id = 'A' GROUP BY b ORDER BY b".to_owned(),
             vec!["2026-01-01T00:00:00Z|2.0", "2026-01-01T01:00:00Z|4.0", "2026-01-01T03:00:00Z|8.0"]),
            ("SELECT locf(v) OVER (ORDER BY t) FROM (VALUES (1, 5.0), (2, NULL)) AS x(t, v) ORDER BY t".to_owned(), vec!["5.0", "5.0"]),
        ] {
            assert_eq!(bench.rows(&statement).await, rows, "{statement}");
        }
        let plan = bench.rows(&format!("EXPLAIN SELECT * FROM ({filled}) WHERE well_id = 'B'")).await.join("\n");
        assert!(plan.contains("GapFillExec") && plan.contains("wells=1"), "{plan}");
    });
}

#[test]
fn misuse_is_told() {
    run(async {
        let bench = bench_of(&vec![(0, 0, Some(1.0))]).await;
        let range = "time >= '2026-01-01T00:00:00Z' AND time < '2026-01-02T00:00:00Z'";
        for (statement, says) in [
            ("SELECT gapfill('1 hour', time), avg(value) FROM readings GROUP BY 1".to_owned(), "does not know the start"),
            (
                "SELECT gapfill('1 hour', time), avg(value) FROM readings WHERE time > '2026-01-01T00:00:00Z' GROUP BY 1".to_owned(),
                "does not know the finish",
            ),
            ("SELECT gapfill('1 hour', time) FROM readings".to_owned(), "belongs in GROUP BY"),
            ("SELECT locf(value) FROM readings".to_owned(), "locf without OVER fills the gaps"),
            ("SELECT interpolate(value) FROM readings".to_owned(), "interpolate without OVER fills the gaps"),
            (format!("SELECT date_trunc('day', gapfill('1 hour', time)) FROM readings WHERE {range} GROUP BY 1"), "by itself"),
            (format!("SELECT gapfill('1 hour', time), gapfill('1 day', time) FROM readings WHERE {range} GROUP BY 1, 2"), "one gapfill"),
            (format!("SELECT gapfill('1 hour', time), locf(interpolate(avg(value))) FROM readings WHERE {range} GROUP BY 1"), "inside one another"),
            (format!("SELECT gapfill('1 hour', time) FROM readings WHERE {range} GROUP BY 1 HAVING locf(avg(value)) > 1"), "before gaps are filled"),
            (format!("SELECT gapfill('0 hours', time) FROM readings WHERE {range} GROUP BY 1"), "at least a microsecond"),
            (format!("SELECT gapfill(1, time) FROM readings WHERE {range} GROUP BY 1"), "is an interval"),
            (format!("SELECT gapfill('1 hour', time, 'Mars/Olympus') FROM readings WHERE {range} GROUP BY 1"), "neither a zone"),
            (format!("SELECT gapfill('1 hour', time), interpolate(avg(value), 3.0) FROM readings WHERE {range} GROUP BY 1"), "a time and a number"),
            (format!("SELECT gapfill('1 hour', time), interpolate(max(well_id)) FROM readings WHERE {range} GROUP BY 1"), "takes a number"),
            (format!("SELECT gapfill('1 hour', time), locf(avg(value), wrong => 1) FROM readings WHERE {range} GROUP BY 1"), "each once"),
            (format!("SELECT gapfill('1 hour', time) OVER () FROM readings WHERE {range}"), "no window function"),
            ("SELECT sgi(value) FROM readings".to_owned(), "sgi looks at all rows of a partition and needs OVER: sgi(level) OVER"),
            ("SELECT spi(value, time, 1) FROM readings".to_owned(), "needs OVER"),
        ] {
            let error = bench.error(&statement).await;
            assert!(error.to_string().contains(says), "{statement}: {error} {error:?}");
        }
    });
}

#[test]
fn rows_that_are_made_count_as_rows() {
    run(async {
        let mut bench = bench_of(&vec![(0, 0, Some(1.0)), (1, 0, Some(1.0))]).await;
        let years = "SELECT count(*) FROM (SELECT gapfill('1 microsecond', time), avg(value) FROM readings
                     WHERE time >= '2020-01-01T00:00:00Z' AND time < '2026-01-01T00:00:00Z' GROUP BY 1)";
        assert!(matches!(bench.error(years).await, QueryError::Limit { limit: Limit::Rows, .. }));
        // Less than the limit in each group, more in all.
        bench.engine = bench.another_engine(QueryConfig { rows_max: 1000, ..config() });
        let groups = "SELECT count(*) FROM (SELECT gapfill('1 hour', time), well_id, avg(value) FROM readings
                      WHERE time >= '2026-01-01T00:00:00Z' AND time < '2026-02-01T00:00:00Z' GROUP BY 1, 2)";
        assert!(matches!(bench.error(groups).await, QueryError::Limit { limit: Limit::Rows, .. }));
    });
}
