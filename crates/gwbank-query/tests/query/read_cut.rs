//! Window and archive are one table: however data came, was corrected, flushed and evicted, every plan shape gives what
//! a plain map gives.

use gwbank_model::{Origin, Parameter, QcTest, QcTests, QualityFlag, Row};
use gwbank_store::StoredVersions;
use proptest::prelude::*;

use crate::support::{Bench, PARAMETERS, WELLS, before, config, hour, run, seq};

const HOURS: i64 = 8;

#[derive(Debug, Clone)]
enum Step {
    Message(Vec<(usize, i64, u8, u32)>),
    /// Another quality for the n-th winner.
    Requalify(usize),
    /// The archive commits all but the newest messages.
    Flush(i64),
    Evict,
    /// The window lets go of what is older, once archived.
    Forget(i64),
    Check,
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0..WELLS.len() * PARAMETERS.len(), 0..HOURS, 0u8..4, prop_oneof![8 => Just(0u32), 1 => 1u32..3]);
    prop_oneof![
        8 => prop::collection::vec(row, 1..8).prop_map(Step::Message),
        2 => (0usize..50).prop_map(Step::Requalify),
        3 => (0i64..3).prop_map(Step::Flush),
        1 => Just(Step::Evict),
        2 => (0..HOURS).prop_map(Step::Forget),
        1 => Just(Step::Check),
    ]
}

fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { format!("{value:?}") }
}

/// Winners that a filter wants, as the query of all columns shows them.
fn expected(bench: &Bench, wanted: impl Fn(&Row, &str, Parameter) -> bool) -> Vec<String> {
    let mut rows: Vec<String> = bench
        .truth
        .values()
        .map(|versions| versions.winner)
        .filter(|row| wanted(row, &bench.well_of(row.series), bench.parameter_of(row.series)))
        .map(|row| line(bench, &row))
        .collect();
    rows.sort();
    rows
}

fn line(bench: &Bench, row: &Row) -> String {
    format!(
        "{}|{}|{}|{}|{}|{}|{}|{}",
        bench.well_of(row.series),
        bench.parameter_of(row.series),
        row.time.as_micros(),
        number(row.value),
        row.quality.code(),
        row.qc_tests.bits(),
        row.seq,
        row.revision
    )
}

const ALL: &str =
    "SELECT well_id, parameter, CAST(time AS BIGINT) AS micros, value, quality, qc_tests, seq, revision FROM readings";

async fn sorted(bench: &Bench, sql: &str) -> Vec<String> {
    let mut rows = bench.rows(sql).await;
    rows.sort();
    rows
}

async fn check(bench: &Bench) {
    let all = expected(bench, |_, _, _| true);
    assert_eq!(sorted(bench, ALL).await, all);
    assert_eq!(bench.rows("SELECT count(*) FROM readings").await, [all.len().to_string()]);

    let (from, to) = (hour(2), hour(6));
    let times = format!("{ALL} WHERE time >= '{from}' AND time < '{to}'");
    let within = expected(bench, |row, _, _| row.time >= from && row.time < to);
    assert_eq!(sorted(bench, &times).await, within);
    let count = format!("SELECT count(*) FROM readings WHERE time BETWEEN '{from}' AND '{to}' AND well_id <> 'B'");
    let counted = expected(bench, |row, well, _| row.time >= from && row.time <= to && well != "B");
    assert_eq!(bench.rows(&count).await, [counted.len().to_string()]);

    let of_well =
        format!("{ALL} WHERE well_id IN ('A', '{}') AND parameter = 'depth_to_water' AND value > 1", WELLS[2]);
    let wanted = expected(bench, |row, well, parameter| {
        (well == "A" || well == WELLS[2]) && parameter == Parameter::DepthToWater && row.value > 1.0
    });
    assert_eq!(sorted(bench, &of_well).await, wanted);

    // A limit without an order gives as many rows as there are, each a true one.
    let few = bench.rows(&format!("{ALL} WHERE well_id = 'B' LIMIT 2")).await;
    let of_b = expected(bench, |_, well, _| well == "B");
    assert_eq!(few.len(), of_b.len().min(2));
    assert!(few.iter().all(|row| of_b.contains(row)));

    let mut newest: Vec<Row> = bench.truth.values().map(|versions| versions.winner).collect();
    newest.sort_by_key(|row| {
        (std::cmp::Reverse(row.time), bench.well_of(row.series), bench.parameter_of(row.series).name())
    });
    let newest: Vec<String> = newest.iter().take(3).map(|row| line(bench, row)).collect();
    assert_eq!(bench.rows(&format!("{ALL} ORDER BY time DESC, well_id, parameter LIMIT 3")).await, newest);

    check_latest(bench).await;
    check_sums(bench).await;

    // Joins: with itself on the key each row meets itself alone; with wells none is lost.
    let itself = "SELECT count(*) FROM readings a JOIN readings b USING (well_id, parameter, time) WHERE a.seq = b.seq";
    assert_eq!(bench.rows(itself).await, [all.len().to_string()]);
    let by_province = "SELECT province_code, count(*), max(seq) FROM readings JOIN wells USING (well_id) \
                       GROUP BY province_code ORDER BY province_code";
    let mut provinces: Vec<String> = Vec::new();
    for (code, wells) in [("30", &WELLS[..2]), ("31", &WELLS[2..])] {
        let seqs =
            bench.truth.values().map(|v| v.winner).filter(|row| wells.contains(&bench.well_of(row.series).as_str()));
        let seqs: Vec<_> = seqs.map(|row| row.seq).collect();
        if let Some(newest) = seqs.iter().max() {
            provinces.push(format!("{code}|{}|{newest}", seqs.len()));
        }
    }
    assert_eq!(bench.rows(by_province).await, provinces);

    check_joins(bench).await;

    let mut revisions: Vec<String> = bench
        .truth
        .values()
        .flat_map(|versions| &versions.revisions)
        .map(|r| format!("{}|{}|{}|{}", line(bench, &r.row), r.superseded_seq, r.superseded_at.as_micros(), r.cause))
        .collect();
    revisions.sort();
    let sql = ALL.replace(
        " FROM readings",
        ", superseded_seq, CAST(superseded_at AS BIGINT) AS at, cause FROM reading_revisions",
    );
    assert_eq!(sorted(bench, &sql).await, revisions);
    let late = format!("SELECT count(*) FROM reading_revisions WHERE time >= '{from}' AND well_id = 'A'");
    let of_a =
        |versions: &&StoredVersions| versions.winner.time >= from && bench.well_of(versions.winner.series) == "A";
    let late_revisions: usize = bench.truth.values().filter(of_a).map(|versions| versions.revisions.len()).sum();
    assert_eq!(bench.rows(&late).await, [late_revisions.to_string()]);
}

/// Questions for the latest are answered by the latest alone, and as if all were read.
async fn check_latest(bench: &Bench) {
    let (from, to) = (hour(2), hour(6));
    let times = |row: &Row| row.time >= from && row.time < to;
    type Wants<'a> = &'a dyn Fn(&Row) -> bool;
    let conditions: [(String, Wants<'_>); 4] = [
        ("true".to_owned(), &|_| true),
        (format!("time >= '{from}' AND time < '{to}'"), &times),
        (format!("time < '{to}'"), &|row| row.time < to),
        ("value > 1".to_owned(), &|row| row.value > 1.0),
    ];
    for (turn, (condition, wants)) in conditions.into_iter().enumerate() {
        let mut of_well: std::collections::BTreeMap<String, Row> = std::collections::BTreeMap::new();
        let winners = bench.truth.values().map(|versions| versions.winner);
        for row in winners.filter(|row| wants(row) && bench.parameter_of(row.series) == Parameter::DepthToWater) {
            of_well
                .entry(bench.well_of(row.series))
                .and_modify(|best| {
                    if row.time > best.time {
                        *best = row
                    }
                })
                .or_insert(row);
        }
        let latest =
            |(well, row): (&String, &Row)| format!("{well}|{}|{}|{}", row.time.as_micros(), number(row.value), row.seq);
        let latest: Vec<String> = of_well.iter().map(latest).collect();
        let of = format!("FROM readings WHERE parameter = 'depth_to_water' AND {condition}");
        let micros = "CAST(time AS BIGINT)";
        let forms = [
            format!(
                "SELECT well_id, CAST(max(time) AS BIGINT), last_value(value ORDER BY time), \
                     first_value(seq ORDER BY time DESC) {of} GROUP BY well_id"
            ),
            format!("SELECT DISTINCT ON (well_id) well_id, {micros}, value, seq {of} ORDER BY well_id, time DESC"),
            format!(
                "SELECT well_id, {micros}, value, seq FROM (SELECT *, row_number() OVER (PARTITION BY well_id \
                     ORDER BY time DESC) AS n {of}) WHERE n = 1"
            ),
        ];
        // One form a condition, another one each time: all of them meet over the cases.
        let sql = &forms[(turn + bench.truth.len()) % forms.len()];
        assert_eq!(sorted(bench, sql).await, latest, "{sql}");
    }
}

/// What a join learns of its rows while it runs changes nothing in what it answers.
async fn check_joins(bench: &Bench) {
    for province in ["30", "31", "99"] {
        let of_province = format!("{ALL} JOIN wells USING (well_id) WHERE province_code = '{province}' AND value > 1");
        let wanted = expected(bench, |row, well, _| {
            province == (if WELLS[..2].contains(&well) { "30" } else { "31" }) && row.value > 1.0
        });
        assert_eq!(sorted(bench, &of_province).await, wanted);
    }
    let warm = |row: &Row| bench.parameter_of(row.series) == Parameter::WaterTemperature && row.value > 1.0;
    let winners: Vec<Row> = bench.truth.values().map(|versions| versions.winner).collect();
    let as_of_warm = "SELECT l.well_id, CAST(l.time AS BIGINT), l.seq FROM readings l JOIN (SELECT well_id, time FROM readings \
                      WHERE parameter = 'water_temperature' AND value > 1) w ON w.well_id = l.well_id AND w.time = l.time \
                      WHERE l.parameter = 'depth_to_water'";
    let is_warm = |row: &&Row| {
        bench.parameter_of(row.series) == Parameter::DepthToWater
            && winners.iter().any(|other| {
                warm(other) && other.time == row.time && bench.well_of(other.series) == bench.well_of(row.series)
            })
    };
    let line = |row: &Row| format!("{}|{}|{}", bench.well_of(row.series), row.time.as_micros(), row.seq);
    let mut wanted: Vec<String> = winners.iter().filter(is_warm).map(line).collect();
    wanted.sort();
    assert_eq!(sorted(bench, as_of_warm).await, wanted);

    // Sets of the same table, with and without values that are missing.
    let of_a: Vec<Row> = winners.iter().filter(|row| bench.well_of(row.series) == "A").copied().collect();
    let of_b: Vec<Row> = winners.iter().filter(|row| bench.well_of(row.series) == "B").copied().collect();
    let later = of_a.iter().filter(|row| of_b.iter().all(|other| row.time > other.time)).count();
    let sql = "SELECT count(*) FROM readings WHERE well_id = 'A' AND \
               time > ALL (SELECT time FROM readings WHERE well_id = 'B')";
    assert_eq!(bench.rows(sql).await, [later.to_string()]);
    let above = of_a.iter().filter(|row| of_b.iter().any(|other| row.value > other.value)).count();
    let sql = "SELECT count(*) FROM readings WHERE well_id = 'A' AND \
               value > ANY (SELECT value FROM readings WHERE well_id = 'B')";
    assert_eq!(bench.rows(sql).await, [above.to_string()]);
    let known =
        |row: &&Row| of_b.is_empty() || (!row.value.is_nan() && of_b.iter().all(|other| row.value >= other.value));
    let sql = "SELECT count(*) FROM readings WHERE well_id = 'A' AND \
               value >= ALL (SELECT value FROM readings WHERE well_id = 'B')";
    assert_eq!(bench.rows(sql).await, [of_a.iter().filter(known).count().to_string()]);
}

/// Sums that the archive makes its part of are the sums of the rows.
async fn check_sums(bench: &Bench) {
    let (from, to) = (hour(2), hour(6));
    // A limit keeps what is asked from the scan, so that rows are read.
    let rows = "(SELECT * FROM readings LIMIT 1000000)";
    let questions = [
        "SELECT count(*), count(value), sum(value), avg(value), min(value), max(value) FROM readings".to_owned(),
        "SELECT well_id, parameter, time_bucket('2 hours', time) AS t, avg(value), count(*) FROM readings \
         GROUP BY well_id, parameter, t"
            .to_owned(),
        format!(
            "SELECT date_trunc('hour', time), max(value), count(value) FROM readings WHERE time >= '{from}' \
             AND time < '{to}' AND value IS NOT NULL GROUP BY 1"
        ),
        "SELECT time_bucket('1 day', time, 'Asia/Bangkok') AS day, parameter, sum(value) AS total, count(1) FROM readings \
         WHERE quality IN (1, 3) AND well_id IN ('A', 'B') GROUP BY parameter, day HAVING count(*) > 1"
            .to_owned(),
        "SELECT w, avg(v) FROM (SELECT well_id AS w, value AS v, quality FROM readings WHERE quality <= 2) GROUP BY w"
            .to_owned(),
        "SELECT date_trunc('month', time) AS month, min(value) FROM readings GROUP BY month".to_owned(),
        "SELECT well_id, count(*) FROM readings WHERE value > 1 AND time_source = 'device' GROUP BY well_id".to_owned(),
        "SELECT parameter, avg(value) FROM readings WHERE value BETWEEN 1 AND 2 OR seq % 2 = 0 GROUP BY parameter".to_owned(),
    ];
    for (turn, sql) in questions.iter().enumerate() {
        if (turn + bench.truth.len()).is_multiple_of(2) {
            assert_eq!(sorted(bench, sql).await, sorted(bench, &sql.replace("readings", rows)).await, "{sql}");
        }
    }
}

async fn play(steps: Vec<Step>, window_bytes: usize) {
    let mut bench = Bench::new(config(), window_bytes);
    bench.archive_of_rows(steps.len().is_multiple_of(2));
    for step in steps {
        match step {
            Step::Message(rows) => {
                let value = |v: u8| if v == 0 { f64::NAN } else { f64::from(v) };
                let row = |&(s, h, v, revision)| Row { revision, ..bench.row(s, h, value(v)) };
                let rows = rows.iter().map(row).collect();
                bench.message(rows);
            }
            Step::Requalify(n) => {
                let Some(versions) = bench.truth.values().nth(n % bench.truth.len().max(1)) else { continue };
                let winner = versions.winner;
                let suspect = winner.quality != QualityFlag::Suspect;
                let judged = Row {
                    origin: Origin::Requalified,
                    quality: if suspect { QualityFlag::Suspect } else { QualityFlag::Pass },
                    qc_tests: if suspect { QcTests::NONE.with(QcTest::Spike) } else { QcTests::NONE },
                    ..winner
                };
                bench.message(vec![judged]);
            }
            Step::Flush(ago) => bench.flush(bench.position().await.max(before(seq(bench.messages - ago)))).await,
            Step::Evict => {
                bench.window.evict(bench.position().await);
            }
            Step::Forget(hours) => {
                let covers_from = bench.window.snapshot().covers_from();
                bench.window.set_covers_from(covers_from.max(hour(hours)));
                bench.window.evict(bench.position().await);
            }
            Step::Check => check(&bench).await,
        }
    }
    check(&bench).await;
}

fn cases() -> u32 {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn no_plan_changes_an_answer(
        steps in prop::collection::vec(step(), 1..30),
        window_bytes in prop_oneof![Just(usize::MAX), 500usize..3000],
    ) {
        run(play(steps, window_bytes));
    }
}

#[test]
fn a_query_that_needs_an_archive_that_is_down_fails_and_says_so() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        bench.message((0..4).map(|h| bench.row(0, h, 1.0)).collect());
        bench.flush(bench.newest()).await;
        bench.window.set_covers_from(hour(2));
        bench.window.evict(bench.position().await);
        bench.switch_archive_off();
        let error = bench.error("SELECT count(*) FROM readings").await;
        assert!(matches!(error, gwbank_query::QueryError::ArchiveUnavailable { .. }), "{error:?}");
        assert!(error.to_string().contains("2026-01-01T09:00:00+07:00"), "{error}");
        // What the window has needs no archive.
        let recent = format!("SELECT count(*) FROM readings WHERE time >= '{}'", hour(2));
        assert_eq!(bench.rows(&recent).await, ["2"]);
        assert!(bench.engine.query("SELECT count(*) FROM wells").await.is_ok());
    });
}
