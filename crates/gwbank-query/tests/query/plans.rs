//! Filters reach the scan, and nothing is checked twice.

use crate::support::{Bench, config, hour, run};

async fn plan(bench: &Bench, sql: &str) -> String {
    let lines = bench.rows(&format!("EXPLAIN FORMAT INDENT {sql}")).await;
    lines.into_iter().find_map(|line| line.strip_prefix("physical_plan|").map(str::to_owned)).expect("a physical plan")
}

async fn halves() -> Bench {
    let mut bench = Bench::new(config(), usize::MAX);
    for series in 0..6 {
        bench.message((0..8).map(|h| bench.row(series, h, 1.0)).collect());
    }
    bench.flush(bench.newest()).await;
    bench.window.set_covers_from(hour(4));
    bench.window.evict(bench.position().await);
    bench
}

#[test]
fn filters_are_taken_whole() {
    run(async {
        let bench = halves().await;
        for (filter, shown) in [
            ("time >= '2026-01-01T02:00:00Z'", "window+archive, time>=2026-01-01T02:00:00Z"),
            ("time >= timestamp '2026-01-01 02:00:00'", "time>=2025-12-31T19:00:00Z"),
            ("time >= timestamp '2026-01-01T02:00:00Z'", "time>=2026-01-01T02:00:00Z"),
            ("time >= '2026-01-01 02:00'", "time>=2025-12-31T19:00:00Z"),
            ("time >= date '2026-01-01'", "time>=2025-12-31T17:00:00Z"),
            ("time >= to_timestamp('2026-01-01T02:00:00Z')", "time>=2026-01-01T02:00:00Z"),
            ("time > '2026-01-01T04:00:00+07:00'::timestamptz", "time>=2025-12-31T21:00:00.000001Z"),
            (
                "time BETWEEN '2026-01-01' AND '2026-01-02'",
                "time>=2025-12-31T17:00:00Z, time<2026-01-01T17:00:00.000001Z",
            ),
            ("time::date = '2026-01-01'", "time>=2025-12-31T17:00:00Z, time<2026-01-01T17:00:00Z"),
            ("date_trunc('month', time) = '2026-01-01'", "time>=2025-12-31T17:00:00Z, time<2026-01-31T17:00:00Z"),
            ("date_trunc('day', time) >= '2026-01-02'", "time>=2026-01-01T17:00:00Z"),
            ("EXTRACT(year FROM time) = 2026", "time>=2025-12-31T17:00:00Z, time<2026-12-31T17:00:00Z"),
            ("time AT TIME ZONE 'UTC' >= '2026-01-01'", "time>=2026-01-01T00:00:00Z"),
            ("time > now() - interval '7 days'", "time>="),
            ("bangkok_day(time) = '2026-01-02'", "time>=2026-01-01T17:00:00Z, time<2026-01-02T17:00:00Z"),
            ("bangkok_day(time) < date '2026-01-02'", "time<2026-01-01T17:00:00Z"),
            ("well_id = 'A'", "wells=1"),
            ("well_id IN ('A', 'B')", "wells=2"),
            ("well_id IN ('A', 'B', 'C', 'D', 'E')", "wells=5"),
            ("parameter = 'depth_to_water'", "parameters=depth_to_water"),
            ("parameter IN ('depth_to_water', 'ph')", "parameters=depth_to_water|ph"),
            ("(well_id = 'A' OR well_id = 'B') AND parameter = 'ph'", "wells=2, parameters=ph"),
        ] {
            let plan = plan(&bench, &format!("SELECT value FROM readings WHERE {filter}")).await;
            assert!(plan.contains(shown), "{filter}:\n{plan}");
            assert!(!plan.contains("FilterExec"), "{filter}:\n{plan}");
        }
    });
}

#[test]
fn what_the_window_has_needs_no_archive() {
    run(async {
        let bench = halves().await;
        let recent = plan(&bench, &format!("SELECT value FROM readings WHERE time >= '{}'", hour(4))).await;
        assert!(recent.contains("sides=window,"), "{recent}");
        let older = plan(&bench, &format!("SELECT value FROM readings WHERE time >= '{}'", hour(3))).await;
        assert!(older.contains("sides=window+archive"), "{older}");
    });
}

#[test]
fn a_limit_is_pushed_only_when_nothing_is_left_to_filter() {
    run(async {
        let bench = halves().await;
        let pushed = plan(&bench, "SELECT value FROM readings WHERE well_id = 'A' LIMIT 3").await;
        assert!(pushed.contains("limit=3"), "{pushed}");
        let kept = plan(&bench, "SELECT value FROM readings WHERE well_id = 'A' AND value > 0 LIMIT 3").await;
        assert!(!kept.contains("limit=3") && kept.contains("FilterExec"), "{kept}");
    });
}

#[test]
fn views_pass_filters_on() {
    run(async {
        let bench = halves().await;
        let daily = "SELECT mean FROM readings_daily WHERE well_id = 'A' AND parameter = 'ph' AND day >= '2026-01-02'";
        let daily = plan(&bench, daily).await;
        assert!(daily.contains("wells=1, parameters=ph"), "{daily}");
        assert!(daily.contains("time>=2026-01-01T17:00:00Z"), "{daily}");
        let monthly = plan(&bench, "SELECT level FROM levels_monthly WHERE well_id = 'A'").await;
        assert!(monthly.contains("wells=1"), "{monthly}");
    });
}

#[test]
fn a_count_of_the_window_is_known_without_reading() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        bench.message((0..8).map(|h| bench.row(0, h, 1.0)).collect());
        let counted = plan(&bench, "SELECT count(*) FROM readings").await;
        assert!(counted.contains("PlaceholderRowExec"), "{counted}");
        assert_eq!(bench.rows("SELECT count(*) FROM readings").await, ["8"]);
    });
}

#[test]
fn the_latest_of_each_series_is_read_alone() {
    run(async {
        let bench = halves().await;
        for sql in [
            "SELECT well_id, last_value(value ORDER BY time) FROM readings WHERE parameter = 'ph' GROUP BY well_id",
            "SELECT well_id, first_value(value ORDER BY time DESC), max(time) FROM readings GROUP BY well_id",
            "SELECT r.well_id, r.parameter, max(r.time) FROM readings AS r GROUP BY r.well_id, r.parameter",
            "SELECT max(time) FROM readings WHERE well_id = 'A'",
            "SELECT DISTINCT ON (well_id) well_id, time, value FROM readings WHERE parameter = 'ph' ORDER BY well_id, time DESC",
            "SELECT DISTINCT well_id FROM readings",
            "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY well_id ORDER BY time DESC) rn FROM readings \
             WHERE parameter = 'ph') WHERE rn = 1",
            "WITH r AS (SELECT well_id AS w, time AS t, value, rank() OVER (PARTITION BY well_id ORDER BY time DESC) AS n \
             FROM readings) SELECT w, t, value FROM r WHERE n < 2 AND value > 0",
            "SELECT well_id, value FROM readings WHERE parameter = 'ph' \
             QUALIFY row_number() OVER (PARTITION BY well_id ORDER BY time DESC) = 1",
            "SELECT well_id, last_value(value ORDER BY time) FROM readings WHERE well_id LIKE 'A%' GROUP BY well_id",
            "SELECT w.name, r.value FROM wells w JOIN (SELECT well_id, last_value(value ORDER BY time) AS value \
             FROM readings WHERE time < '2026-06-01' GROUP BY well_id) r USING (well_id)",
        ] {
            let plan = plan(&bench, sql).await;
            assert!(plan.contains("latest of each series"), "{sql}:\n{plan}");
        }
    });
}

#[test]
fn sums_are_made_by_the_archive() {
    run(async {
        let bench = halves().await;
        for sql in [
            "SELECT well_id, time_bucket('1 day', time) AS day, avg(value) FROM readings GROUP BY well_id, day",
            "SELECT time_bucket('1 day', time, 'Asia/Bangkok') AS day, count(*), max(value) FROM readings \
             WHERE parameter = 'ph' GROUP BY day ORDER BY day",
            "SELECT date_trunc('month', time), sum(value) FROM readings WHERE quality IN (1, 2) GROUP BY 1",
            "SELECT time_bucket('3 months', r.time) q, min(r.value) FROM readings r WHERE value IS NOT NULL GROUP BY q",
            "WITH r AS (SELECT well_id AS w, value * 1 AS x, value AS v FROM readings) SELECT w, avg(v) FROM r GROUP BY w",
            "SELECT avg(value) FROM readings WHERE time < '2026-06-01'",
            "SELECT w.name, r.mean FROM wells w JOIN (SELECT well_id, avg(value) AS mean FROM readings GROUP BY well_id) r \
             USING (well_id)",
        ] {
            let plan = plan(&bench, sql).await;
            assert!(plan.contains("ArchiveSummaryExec"), "{sql}:\n{plan}");
        }
        for sql in [
            "SELECT time_bucket('1 minute', time) AS t, avg(value) FROM readings GROUP BY t",
            "SELECT well_id, avg(value) FILTER (WHERE value > 1) FROM readings GROUP BY well_id",
            "SELECT well_id, avg(value) FROM readings WHERE value > 1 GROUP BY well_id",
            "SELECT well_id, count(DISTINCT value) FROM readings GROUP BY well_id",
            "SELECT well_id, median(value) FROM readings GROUP BY well_id",
            "SELECT quality, avg(value) FROM readings GROUP BY quality",
            "SELECT well_id, sum(value * 2) FROM readings GROUP BY well_id",
            "SELECT well_id, avg(value) FROM readings WHERE quality = (SELECT 1) GROUP BY well_id",
            "SELECT time_bucket('5 months', time) AS t, avg(value) FROM readings GROUP BY t",
            "SELECT well_id, avg(value) FROM (SELECT * FROM readings LIMIT 5) GROUP BY well_id",
            "SELECT well_id, parameter, avg(value) FROM readings GROUP BY ROLLUP (well_id, parameter)",
            &format!("SELECT avg(value) FROM readings WHERE time >= '{}'", hour(4)),
        ] {
            let plan = plan(&bench, sql).await;
            assert!(!plan.contains("ArchiveSummaryExec"), "{sql}:\n{plan}");
        }
    });
}

#[test]
fn where_the_archive_makes_no_sums_they_are_made_run_by_run() {
    run(async {
        let bench = halves().await;
        bench.archive_of_rows(true);
        for sql in [
            "SELECT well_id, time_bucket('1 day', time) AS day, avg(value) FROM readings GROUP BY well_id, day",
            "SELECT well_id, count(*) FROM readings WHERE value > 1 GROUP BY well_id",
        ] {
            let plan = plan(&bench, sql).await;
            assert!(plan.contains("RunSumsExec") && !plan.contains("ArchiveSummaryExec"), "{sql}:\n{plan}");
        }
    });
}

#[test]
fn a_scan_heeds_what_a_join_learns() {
    run(async {
        let bench = halves().await;
        let sql = "SELECT count(*) FROM readings JOIN wells USING (well_id) WHERE province_code = '30' AND quality = 1";
        let plan = plan(&bench, sql).await;
        assert!(plan.contains("heeds 1 joins or sorts above"), "{plan}");
        let wells = bench.rows("SELECT well_id, count(*) FROM readings WHERE value > 0.5 GROUP BY 1 ORDER BY 1").await;
        assert_eq!(wells.len(), 3);
    });
}

#[test]
fn what_asks_for_more_than_the_latest_reads_more() {
    run(async {
        let bench = halves().await;
        for sql in [
            "SELECT well_id, last_value(value ORDER BY time) FROM readings WHERE value IS NOT NULL GROUP BY well_id",
            "SELECT well_id, last_value(value ORDER BY time) FROM readings WHERE quality = 1 GROUP BY well_id",
            "SELECT well_id, last_value(value ORDER BY time) FILTER (WHERE value > 1) FROM readings GROUP BY well_id",
            "SELECT well_id, last_value(value) IGNORE NULLS ORDER BY time FROM readings GROUP BY well_id",
            "SELECT well_id, last_value(value ORDER BY time DESC) FROM readings GROUP BY well_id",
            "SELECT well_id, first_value(value ORDER BY time) FROM readings GROUP BY well_id",
            "SELECT well_id, last_value(value ORDER BY value, time) FROM readings GROUP BY well_id",
            "SELECT well_id, last_value(value ORDER BY time), count(*) FROM readings GROUP BY well_id",
            "SELECT well_id, max(value) FROM readings GROUP BY well_id",
            "SELECT bangkok_day(time), max(time) FROM readings GROUP BY bangkok_day(time)",
            "SELECT well_id, max(time) FROM (SELECT * FROM readings LIMIT 5) GROUP BY well_id",
            "SELECT well_id, max(time) FROM (SELECT well_id, time + interval '1 day' AS time FROM readings) GROUP BY well_id",
            "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY well_id ORDER BY time DESC) rn FROM readings) WHERE rn <= 2",
            "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY well_id ORDER BY time DESC) rn, \
             count(*) OVER (PARTITION BY well_id) n FROM readings) WHERE rn = 1",
            "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY well_id ORDER BY time) rn FROM readings) WHERE rn = 1",
            "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY quality ORDER BY time DESC) rn FROM readings) WHERE rn = 1",
            "SELECT well_id, max(time) FROM reading_revisions GROUP BY well_id",
        ] {
            let Ok(batches) = bench.batches(&format!("EXPLAIN FORMAT INDENT {sql}")).await else { continue };
            let plan: Vec<String> = batches.iter().flat_map(crate::support::text_rows).collect();
            assert!(!plan.concat().contains("latest of each series"), "{sql}:\n{plan:#?}");
        }
    });
}

/// Keys of a GROUP BY are none above an UNNEST of its rows.
#[test]
fn unnested_groups_are_sorted_and_told_apart_by_all_that_is_asked() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let groups = "WITH g AS (SELECT i % 2 AS w, array_agg(i) AS l FROM unnest(range(0, 6)) AS x(i) GROUP BY i % 2),
            e AS (SELECT w, unnest(l) AS e FROM g)";
        for (sql, expected) in [
            ("SELECT w, -e FROM e ORDER BY w, -e", vec!["0|-4", "0|-2", "0|0", "1|-5", "1|-3", "1|-1"]),
            ("SELECT DISTINCT w FROM e ORDER BY w", vec!["0", "1"]),
            ("SELECT e % 3 AS r, count(*) FROM e GROUP BY e % 3 ORDER BY r", vec!["0|2", "1|2", "2|2"]),
            ("SELECT w, array_length(l), count(*) FROM g GROUP BY w, l ORDER BY w", vec!["0|3|1", "1|3|1"]),
            ("SELECT count(*) FROM unnest(range(0, 2)) AS a(i) LEFT JOIN e ON e.w = a.i", vec!["6"]),
            ("SELECT w FROM g WHERE 4 IN (SELECT unnest(l) FROM g AS o WHERE o.w = 0) ORDER BY w", vec!["0", "1"]),
            (
                "SELECT k, count(*) FROM (SELECT CASE WHEN true THEN w END AS k, unnest(l) AS e FROM g)
                 GROUP BY k ORDER BY k",
                vec!["0|3", "1|3"],
            ),
        ] {
            assert_eq!(bench.rows(&format!("{groups} {sql}")).await, expected, "{sql}");
        }
        let error = bench.error(&format!("{groups} SELECT w, count(*) FROM e GROUP BY w")).await.to_string();
        assert!(error.contains("make the key anew"), "{error}");
    });
}
