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
            ("time >= timestamp '2026-01-01 02:00:00'", "time>=2026-01-01T02:00:00Z"),
            ("time >= to_timestamp('2026-01-01T02:00:00Z')", "time>=2026-01-01T02:00:00Z"),
            ("time > '2026-01-01T04:00:00+07:00'::timestamptz", "time>=2025-12-31T21:00:00.000001Z"),
            (
                "time BETWEEN '2026-01-01' AND '2026-01-02'",
                "time>=2026-01-01T00:00:00Z, time<2026-01-02T00:00:00.000001Z",
            ),
            ("time::date = '2026-01-01'", "time>=2026-01-01T00:00:00Z, time<2026-01-02T00:00:00Z"),
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
