//! What was known at an instant is what was answered then, whatever came since.

use std::sync::Arc;

use gwbank_model::condition::{FlagState, Hazard, Scope, Severity, Transition};
use gwbank_model::{Origin, QcTest, QcTests, QualityFlag, Row, Timestamp, WellId};
use gwbank_query::{ConnectionFacts, Dialect, QueryErrorKind, Request};
use gwbank_registry::{Installation, Registry, Well};
use gwbank_store::{ConditionFlag, FlagTransition, IndicatorRow, Metadata, WatchCommit};
use gwbank_testkit::test_rounds;
use proptest::prelude::*;

use crate::support::{Bench, PARAMETERS, WELLS, before, config, hour, run, seq, text_rows, well};

const TABLES: [&str; 11] = [
    "readings",
    "reading_revisions",
    "readings_daily",
    "levels_monthly",
    "wells",
    "installations",
    "indicators",
    "indicator_revisions",
    "condition_flags",
    "flag_transitions",
    "provinces",
];

#[derive(Debug, Clone)]
enum Step {
    Message(Vec<(usize, i64, u8, u32)>),
    /// Another quality for the n-th winner.
    Requalify(usize),
    Flush(i64),
    /// The window lets go of what is older, once archived.
    Forget(i64),
    Well(usize, u8),
    Installation(usize, u8),
    /// A value, or (`None`) no row any more.
    Indicator(usize, Option<u8>),
    /// How many wells are in; without any it closes.
    Flag(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0..WELLS.len() * PARAMETERS.len(), 0..60i64, 0u8..4, prop_oneof![8 => Just(0u32), 1 => 1u32..3]);
    prop_oneof![
        6 => prop::collection::vec(row, 1..8).prop_map(Step::Message),
        2 => (0usize..50).prop_map(Step::Requalify),
        2 => (0i64..3).prop_map(Step::Flush),
        1 => (0i64..60).prop_map(Step::Forget),
        1 => (0..3usize, 0u8..3).prop_map(|(well, depth)| Step::Well(well, depth)),
        1 => (0..3usize, 0u8..3).prop_map(|(well, end)| Step::Installation(well, end)),
        2 => (0..3usize, prop::option::weighted(0.7, 0u8..3)).prop_map(|(well, value)| Step::Indicator(well, value)),
        2 => (0..2usize, 0u8..3).prop_map(|(place, wells)| Step::Flag(place, wells)),
    ]
}

fn flag(place: usize, raised_at: Timestamp) -> ConditionFlag {
    ConditionFlag {
        id: format!("drought-well-{}-{}", WELLS[place], raised_at.as_micros()),
        scope: Scope::Well,
        place: WELLS[place].to_owned(),
        province_code: "30".to_owned(),
        district_code: None,
        subdistrict_code: None,
        well_id: Some(WellId::new(WELLS[place]).unwrap()),
        hazard: Hazard::Drought,
        severity: Severity::Watch,
        state: FlagState::Open,
        raised_at,
        changed_at: raised_at,
        closed_at: None,
        confidence: 0.5,
        wells_in: 0,
        wells_out: 0,
        coverage: 1.0,
        rule: "rule".to_owned(),
        limit_value: Some(-1.0),
        observed: None,
        what_would_clear_it: "rain".to_owned(),
        headline_en: "Low".to_owned(),
        headline_th: "ต่ำ".to_owned(),
        detail_en: String::new(),
        detail_th: String::new(),
        acknowledged_by: None,
        acknowledged_at: None,
    }
}

fn indicator(place: usize, value: u8, computed_at: Timestamp) -> IndicatorRow {
    IndicatorRow {
        scope: Scope::Well,
        place: WELLS[place].to_owned(),
        province_code: "30".to_owned(),
        period: Timestamp::from_secs(0),
        indicator: "sgi".to_owned(),
        value: Some(f64::from(value)),
        class: None,
        confidence: None,
        n: Some(20),
        years: None,
        approved_share: None,
        quality_share: Some(1.0),
        computed_at,
    }
}

struct World {
    bench: Bench,
    registry: Registry,
    open: [Option<ConditionFlag>; 2],
}

impl World {
    async fn new() -> Self {
        let bench = Bench::new(config(), usize::MAX);
        let wells: Vec<Well> = vec![well(WELLS[0], "30"), well(WELLS[1], "30"), well(WELLS[2], "31")];
        bench.metadata.put_wells(wells.clone(), seq(0)).await.unwrap();
        Self { bench, registry: Registry::new(wells, []), open: [None, None] }
    }

    /// Gives the instant at which it is done.
    async fn take(&mut self, step: Step) -> Timestamp {
        let bench = &mut self.bench;
        match step {
            Step::Message(rows) => {
                let value = |v: u8| if v == 0 { f64::NAN } else { f64::from(v) };
                let row = |&(s, h, v, revision)| Row { revision, ..bench.row(s, 12 * h, value(v)) };
                let rows = rows.iter().map(row).collect();
                bench.message(rows);
                return seq(bench.messages - 1).received_at();
            }
            Step::Requalify(n) => {
                if let Some(versions) = bench.truth.values().nth(n % bench.truth.len().max(1)) {
                    let winner = versions.winner;
                    let suspect = winner.quality != QualityFlag::Suspect;
                    let judged = Row {
                        origin: Origin::Requalified,
                        quality: if suspect { QualityFlag::Suspect } else { QualityFlag::Pass },
                        qc_tests: if suspect { QcTests::NONE.with(QcTest::Spike) } else { QcTests::NONE },
                        ..winner
                    };
                    bench.message(vec![judged]);
                    return seq(bench.messages - 1).received_at();
                }
            }
            Step::Flush(ago) => bench.flush(bench.position().await.max(before(seq(bench.messages - ago)))).await,
            Step::Forget(hours) => {
                let covers_from = bench.window.snapshot().covers_from();
                bench.window.set_covers_from(covers_from.max(hour(12 * hours)));
                bench.window.evict(bench.position().await);
            }
            Step::Well(..) | Step::Installation(..) | Step::Indicator(..) | Step::Flag(..) => {}
        }
        // Something else than a message has an instant of its own.
        let position = seq(bench.messages);
        let at = position.received_at();
        bench.messages += 1;
        match step {
            Step::Well(number, depth) => {
                let changed = Well { depth: Some(f64::from(depth)), ..well(WELLS[number], "30") };
                bench.metadata.put_wells(vec![changed.clone()], position).await.unwrap();
                self.registry = self.registry.with_wells([changed]);
            }
            Step::Installation(number, end) => {
                let installed = Installation {
                    well_id: WellId::new(WELLS[number]).unwrap(),
                    device_id: Some("D".to_owned()),
                    sensor_model: None,
                    parameter: None,
                    sensor_depth_below_mp: Some(30.0),
                    measuring_point_height: None,
                    pressure_kind: None,
                    barometer_id: None,
                    offset: None,
                    valid_from: hour(0),
                    valid_to: (end > 0).then(|| hour(i64::from(end))),
                    reason: None,
                };
                bench.metadata.put_installations(vec![installed.clone()], position).await.unwrap();
                self.registry = self.registry.with_installations([installed]);
            }
            Step::Indicator(place, value) => {
                let mut commit = WatchCommit { at: Some(at), ..WatchCommit::default() };
                match value {
                    Some(value) => commit.indicators.push(indicator(place, value, at)),
                    None => commit.removed_indicators.push(indicator(place, 0, at).key()),
                }
                bench.metadata.commit_watch(commit).await.unwrap();
            }
            Step::Flag(place, wells) => {
                let known = self.open[place].take();
                let is_new = known.is_none();
                let mut flag = known.unwrap_or_else(|| flag(place, at));
                flag.wells_in = u32::from(wells);
                let mut transition = is_new.then_some(Transition::Raised);
                if wells == 0 {
                    (flag.state, flag.closed_at, flag.changed_at) = (FlagState::Closed, Some(at), at);
                    transition = Some(Transition::Cleared);
                }
                let transitions = transition.map(|transition| FlagTransition {
                    flag_id: flag.id.clone(),
                    at,
                    transition,
                    severity: flag.severity,
                    evidence: format!("{{\"wells\":{wells}}}"),
                });
                let commit = WatchCommit {
                    at: Some(at),
                    flags: vec![flag.clone()],
                    transitions: transitions.into_iter().collect(),
                    ..WatchCommit::default()
                };
                bench.metadata.commit_watch(commit).await.unwrap();
                self.open[place] = (wells > 0).then_some(flag);
            }
            _ => {}
        }
        bench.registry.send_replace(Arc::new(self.registry.clone()));
        at
    }
}

async fn answer(bench: &Bench, request: Request) -> Vec<String> {
    let told = format!("{} {:?}", request.sql, request.as_known_at);
    let batches = match bench.engine.ask(request).await {
        Ok(result) => result.collect().await,
        Err(error) => Err(error),
    };
    let batches = batches.unwrap_or_else(|error| panic!("{told}: {error} {error:?}"));
    let mut rows: Vec<String> = batches.iter().flat_map(text_rows).collect();
    rows.sort_unstable();
    rows
}

async fn answers(bench: &Bench) -> Vec<Vec<String>> {
    let mut answers = Vec::new();
    for table in TABLES {
        answers.push(answer(bench, format!("SELECT * FROM {table}").as_str().into()).await);
    }
    answers
}

async fn play(steps: Vec<Step>) {
    let mut world = World::new().await;
    let mut told = Vec::new();
    for step in steps {
        let at = world.take(step).await;
        told.push((at, answers(&world.bench).await));
    }
    for (at, answers) in told {
        for (place, (table, then)) in TABLES.into_iter().zip(answers).enumerate() {
            let by_call = format!("SELECT * FROM as_known_at('{table}', TIMESTAMP '{at}')");
            assert_eq!(answer(&world.bench, by_call.as_str().into()).await, then, "{by_call}");
            // The other form now and then, as it does the same with the plan.
            if place % 2 == 0 {
                let sql = format!("SELECT * FROM {table}");
                let by_setting = Request { as_known_at: Some(at), ..Request::from(sql.as_str()) };
                assert_eq!(answer(&world.bench, by_setting).await, then, "{table} at {at}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 100, ..ProptestConfig::with_cases(test_rounds(2)) })]

    #[test]
    fn what_was_known_is_what_was_answered(steps in prop::collection::vec(step(), 1..8)) {
        run(play(steps));
    }
}

fn set_to(at: &str, sql: &str) -> Request {
    let settings = vec![("gwbank.as_known_at".to_owned(), at.to_owned())];
    let connection = ConnectionFacts {
        user: "somchai".to_owned(),
        process: 1,
        settings,
        views: Arc::default(),
        dialect: Dialect::default(),
    };
    Request { connection: Some(Arc::new(connection)), ..Request::from(sql) }
}

/// A value, its correction a millisecond later, and the instant between.
async fn corrected() -> (Bench, String) {
    let mut bench = Bench::new(config(), usize::MAX);
    bench.message(vec![bench.row(0, 0, 1.0), bench.row(2, 0, 5.0)]);
    let at = seq(bench.messages - 1).received_at().to_string();
    bench.message(vec![bench.row(0, 0, 2.0), bench.row(0, 1, 3.0)]);
    (bench, at)
}

#[test]
fn reaches_every_table_of_a_statement() {
    run(async {
        let (bench, at) = corrected().await;
        for (sql, rows) in [
            ("SELECT value FROM readings WHERE well_id = 'A'", vec!["1.0"]),
            ("WITH a AS (SELECT * FROM readings) SELECT (SELECT max(value) FROM a WHERE well_id = 'A')", vec!["1.0"]),
            (
                "SELECT count(*) FROM readings r JOIN readings s USING (well_id) WHERE EXISTS (SELECT 1 FROM readings)",
                vec!["2"],
            ),
            ("SELECT max FROM readings_daily WHERE well_id = 'A'", vec!["1.0"]),
            ("SELECT last_value(value ORDER BY time) FROM readings WHERE well_id = 'A' GROUP BY well_id", vec!["1.0"]),
            ("SELECT sum(value) FROM readings GROUP BY well_id, time_bucket('1 day', time)", vec!["1.0", "5.0"]),
            // A call says of its own table when.
            (
                "SELECT value FROM as_known_at('readings', '2026-01-02T00:00:00Z') WHERE well_id = 'A'",
                vec!["2.0", "3.0"],
            ),
            ("SELECT count(*) FROM as_known_at('readings', '2026-01-02T00:00:00Z'), readings", vec!["6"]),
            ("SELECT count(*) FROM provinces", vec!["77"]),
        ] {
            assert_eq!(answer(&bench, set_to(&at, sql)).await, rows, "{sql}");
        }
        let counted = bench.rows(&format!("SELECT count(*) FROM as_known_at('readings', '{at}')")).await;
        assert_eq!(counted, ["2"], "rows, and not what is known of their number now");
        assert_eq!(answer(&bench, set_to("", "SELECT count(*) FROM readings")).await, ["3"]);
        assert_eq!(answer(&bench, set_to(&at, "SHOW TABLES")).await.len(), bench.rows("SHOW TABLES").await.len());
    });
}

#[test]
fn conditions_reach_both_sides() {
    run(async {
        let (bench, at) = corrected().await;
        bench.archive_all().await;
        let sql = "EXPLAIN SELECT value FROM readings WHERE well_id = 'A' AND parameter = 'depth_to_water' AND \
                   time >= '2026-01-01T00:00:00Z' AND time < '2026-01-02T00:00:00Z'";
        let plan = answer(&bench, set_to(&at, sql)).await.join("\n");
        let scans: Vec<&str> = plan.lines().filter(|line| line.contains("ReadingsExec")).collect();
        assert_eq!(scans.len(), 2, "{plan}");
        for scan in scans {
            let narrowed = ["time>=2026-01-01", "time<2026-01-02", "wells=1", "parameters=depth_to_water"];
            assert!(narrowed.iter().all(|text| scan.contains(text)), "{scan}");
        }
    });
}

#[test]
fn what_is_not_kept_is_not_told() {
    run(async {
        let (bench, at) = corrected().await;
        for table in ["gateways", "dead_letters", "quality_limits", "quality_findings"] {
            let sql = format!("SELECT * FROM as_known_at('{table}', '{at}')");
            let error = bench.error(&sql).await;
            assert!(error.to_string().contains("without what they were before"), "{sql}: {error}");
            let sql = format!("SELECT count(*) FROM readings WHERE EXISTS (SELECT 1 FROM {table})");
            let error = bench.engine.ask(set_to(&at, &sql)).await.unwrap_err();
            assert_eq!(error.kind(), QueryErrorKind::Invalid, "{sql}: {error}");
        }
        for (sql, says) in [
            ("SELECT * FROM as_known_at('readings', '2126-01-01T00:00:00Z')", "still to come"),
            ("SELECT * FROM as_known_at('readings', '2026-01-01')", "write it with its offset"),
            ("SELECT * FROM as_known_at('reading', '2026-01-01T00:00:00Z')", "the tables are"),
            ("SELECT * FROM as_known_at('readings')", "is called with constants"),
            ("SELECT * FROM as_known_at('readings', 5)", "is no instant"),
        ] {
            let error = bench.error(sql).await;
            assert!(error.to_string().contains(says), "{sql}: {error} {error:?}");
        }
    });
}
