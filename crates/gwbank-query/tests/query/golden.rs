//! The functions of the field over SQL, against what established packages computed (`gwbank-indicator/tests/golden`, made by
//! `scripts/golden`): the same numbers as the library, whatever partitions and plans do with the rows.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Bench, config, run};

/// Rows of a golden file by the names of its columns.
fn table(name: &str) -> Vec<BTreeMap<String, String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gwbank-indicator/tests/golden");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| columns.iter().map(ToString::to_string).zip(line.split(',').map(str::to_owned)).collect();
    lines.map(row).collect()
}

/// Levels of four simulated wells, shuffled: a table `m` of a statement. As a text, as lists of thousands of values are refused.
fn levels() -> String {
    let mut rows: Vec<String> = table("levels.csv")
        .iter()
        .map(|row| format!("{},{}-01,{}", row["well_id"], row["month"], row["level"]))
        .collect();
    rows.sort_by_key(|row| row.bytes().rev().collect::<Vec<u8>>());
    format!(
        "WITH r AS (SELECT unnest(string_to_array('{}', ';')) AS r), m AS (SELECT split_part(r, ',', 1) AS well_id,
           CAST(split_part(r, ',', 2) AS date) AS month, CAST(split_part(r, ',', 3) AS double) AS level FROM r)",
        rows.join(";")
    )
}

fn number(text: &str) -> f64 {
    if text.is_empty() { f64::NAN } else { text.parse().unwrap() }
}

fn agree(found: &str, expected: &str, tolerance: f64, at: &str) {
    let (found, expected) = (number(found), number(expected));
    let is_close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
    assert!(is_close || (found.is_nan() && expected.is_nan()), "{at}: {found} is not {expected}");
}

#[test]
fn sgi_is_that_of_the_golden_file() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let sql = format!(
            "{} SELECT well_id, date_format(month, '%Y-%m'), sgi(level) OVER w, percentile_weibull(level) OVER w,
               percentile_class(level) OVER w, count(*) OVER w
             FROM m WINDOW w AS (PARTITION BY well_id, date_part('month', month)) ORDER BY well_id, month",
            levels()
        );
        let found: BTreeMap<String, Vec<String>> = bench
            .rows(&sql)
            .await
            .iter()
            .map(|row| row.split('|').map(str::to_owned).collect::<Vec<_>>())
            .map(|cells| (format!("{} {}", cells[0], cells[1]), cells))
            .collect();
        let mut compared = 0;
        for row in table("levels.csv").iter().filter(|row| !row["sgi"].is_empty()) {
            let at = format!("{} {}", row["well_id"], row["month"]);
            agree(&found[&at][2], &row["sgi"], 1e-12, &at);
            let (percentile, class) = (number(&found[&at][3]), &found[&at][4]);
            let expected = match percentile {
                p if p < 10.0 => "much_below_normal",
                p if p < 25.0 => "below_normal",
                p if p <= 75.0 => "normal",
                p if p <= 90.0 => "above_normal",
                _ => "much_above_normal",
            };
            assert_eq!(class, expected, "{at}: {percentile}");
            compared += 1;
        }
        assert!(compared > 600, "{compared}");
    });
}

#[test]
fn trends_are_those_of_pymannkendall() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for (test, function) in [
            ("mann_kendall", "mann_kendall"),
            ("hamed_rao", "mann_kendall_hamed_rao"),
            ("seasonal", "mann_kendall_seasonal"),
        ] {
            let sql = format!(
                "{}, t AS (SELECT well_id, {function}(level, month) AS k, sen_slope(level, month) AS slope FROM m GROUP BY well_id)
                 SELECT well_id, k['trend'], k['h'], k['p'], k['z'], k['tau'], k['s'], k['var_s'], k['slope'], k['intercept'],
                   slope FROM t",
                levels()
            );
            let found: BTreeMap<String, Vec<String>> = bench
                .rows(&sql)
                .await
                .iter()
                .map(|row| row.split('|').map(str::to_owned).collect::<Vec<_>>())
                .map(|cells| (cells[0].clone(), cells))
                .collect();
            assert_eq!(found.len(), 4);
            let mut compared = 0;
            // Of the rows of a well those over all months that are there; the seasonal test has its gaps.
            let of_months = |row: &&BTreeMap<String, String>| {
                row["test"] == test
                    && (row["n_input"] == row["n_valid"] || test == "seasonal")
                    && row["n_input"] != "30"
            };
            for row in table("trend.csv").iter().filter(of_months) {
                let (well, cells) = (&row["well_id"], &found[&row["well_id"]]);
                assert_eq!(&cells[1], &row["trend"], "{well} {test}");
                assert_eq!(cells[2] == "true", row["h"] == "1", "{well} {test}");
                let columns = ["p", "z", "tau", "s", "var_s", "slope", "intercept"];
                for (cell, column) in cells[3..].iter().zip(columns) {
                    agree(cell, &row[column], 1e-9, &format!("{well} {test} {column}"));
                }
                if test == "mann_kendall" {
                    assert_eq!(cells[10], cells[8], "{well}: Sen's slope alone");
                }
                compared += 1;
            }
            assert!(compared >= 4, "{test}: {compared}");
        }
    });
}

#[test]
fn events_and_spi_are_those_of_the_golden_files() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for pooling in [0, 1] {
            let sql = format!(
                "{}, e AS (SELECT well_id, unnest(drought_events(level, month, {pooling})) AS e FROM m GROUP BY well_id)
                 SELECT well_id, date_format(e['start_month'], '%Y-%m'), date_format(e['end_month'], '%Y-%m'), e['months_below'],
                   e['deficit'], e['max_deficit'] FROM e",
                levels()
            );
            let mut found = bench.rows(&sql).await;
            found.sort_unstable();
            let mut expected: Vec<_> =
                table("events.csv").into_iter().filter(|row| row["pooling_months"] == pooling.to_string()).collect();
            expected.sort_by_key(|row| (row["well_id"].clone(), row["start"].clone()));
            assert_eq!(found.len(), expected.len());
            for (found, row) in found.iter().zip(&expected) {
                let cells: Vec<&str> = found.split('|').collect();
                assert_eq!(cells[..4], [&row["well_id"], &row["start"], &row["end"], &row["months_below"]], "{found}");
                agree(cells[4], &row["deficit"], 1e-9, found);
                agree(cells[5], &row["deepest"], 1e-9, found);
            }
        }

        let rain = table("rain.csv");
        let rain: Vec<String> = rain.iter().map(|row| format!("{}-01,{}", row["month"], row["millimetres"])).collect();
        let rain = format!(
            "WITH t AS (SELECT unnest(string_to_array('{}', ';')) AS t), r AS (
               SELECT CAST(split_part(t, ',', 1) AS date) AS month, CAST(split_part(t, ',', 2) AS double) AS mm FROM t)",
            rain.join(";")
        );
        for scale in ["1", "3", "12"] {
            let sql = format!("{rain} SELECT date_format(month, '%Y-%m'), spi(mm, month, {scale}) OVER () FROM r");
            let found: BTreeMap<String, String> = bench
                .rows(&sql)
                .await
                .iter()
                .map(|row| row.split_once('|').map(|(month, spi)| (month.to_owned(), spi.to_owned())).unwrap())
                .collect();
            for row in table("spi.csv").iter().filter(|row| row["timescale"] == scale) {
                let (month, expected) = (&row["month"], &row["spi"]);
                let sum = &row["sum"];
                agree(&found[month], expected, 1e-8, &format!("SPI-{scale} of {month}, {sum} mm"));
            }
        }
    });
}

#[test]
fn missing_values_plans_and_misuse() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for (sql, expected) in [
            // Values without one have no part, and no result.
            ("SELECT round(sgi(v) OVER (), 3) FROM (VALUES (1.0), (NULL), (2.0)) AS x(v)", vec!["-0.674", "", "0.674"]),
            ("SELECT position_index(v) OVER () FROM (VALUES (1), (1)) AS x(v)", vec!["", ""]),
            (
                "SELECT locf(v) OVER (ORDER BY t) FROM (VALUES (1, NULL), (2, 3.0), (3, NULL)) AS x(t, v)",
                vec!["", "3.0", "3.0"],
            ),
            ("SELECT mann_kendall(v, t) FROM (VALUES (1.0, '2001-01-01')) AS x(v, t)", vec![""]),
            (
                "SELECT sen_slope(v, t ORDER BY v) FROM (VALUES (3.0, '2001-01-01'), (1.0, '2001-01-02')) AS x(v, t)",
                vec!["-2.0"],
            ),
            ("SELECT lttb(time, value, 5) FROM readings", vec!["[]"]),
            ("SELECT sen_slope(v, t) FROM (SELECT 1.0 AS v, '2001-01-01' AS t) WHERE v > 1", vec![""]),
            ("SELECT (gxg(v, t))['years'] FROM (VALUES (1.0, '2001-01-01')) AS x(v, t)", vec!["0"]),
            (
                "SELECT cardinality(lttb(t, v, 2)) FROM (VALUES (1.0, '2001-01-01'), (2.0, '2001-01-02'), (1.0, '2001-01-03')) AS x(v, t)",
                vec!["2"],
            ),
        ] {
            assert_eq!(bench.rows(sql).await, expected, "{sql}");
        }
        for (sql, says) in [
            ("SELECT mann_kendall(value) FROM readings", "mann_kendall(value, time)"),
            ("SELECT mann_kendall(value, time) OVER (ORDER BY time) FROM readings", "cannot be used with OVER"),
            ("SELECT mann_kendall(well_id, time) FROM readings", "is a number"),
            ("SELECT sgi(well_id) OVER () FROM readings", "takes a number"),
            ("SELECT sgi(value) OVER (ORDER BY time ROWS 3 PRECEDING) FROM readings", "takes no frame"),
            ("SELECT mann_kendall(DISTINCT v, t) FROM (VALUES (1.0, '2001-01-01')) AS x(v, t)", "takes no DISTINCT"),
            (
                "SELECT mann_kendall(v, t) FROM (VALUES (1.0, '2001-01-01'), (2.0, '2001-01-01')) AS x(v, t)",
                "takes one value a time, and 2001-01-01T07:00:00+07:00 has several",
            ),
            ("SELECT lttb(t, v, 1) FROM (VALUES (1.0, '2001-01-01')) AS x(v, t)", "from 2 on"),
            (
                "SELECT drought_events(v, t) FROM (VALUES (1.0, '2001-01-01'), (2.0, '2001-01-09')) AS x(v, t)",
                "one value a month",
            ),
            ("SELECT recharge_wtf(v, t, 2.0) FROM (VALUES (1.0, '2001-01-01')) AS x(v, t)", "above 0 and below 1"),
            (
                "SELECT lttb(t, v, n) FROM (VALUES (1.0, '2001-01-01', 5), (2.0, '2001-01-02', 6)) AS x(v, t, n)",
                "must be one number",
            ),
            ("SELECT mann_kendall(v, '2001-01-01') FROM unnest(range(0, 100001)) AS x(v)", "at most 100000 values"),
        ] {
            let error = bench.error(sql).await.to_string();
            assert!(error.contains(says), "{sql}: {error}");
        }
    });
}
