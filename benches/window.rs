//! The recent window: bytes a reading, and how long the questions take that people ask of it.
//!
//! `GWBANK_BENCH_STEPS` readings (default 200) of each of 10,801 wells, 15 minutes apart, come in as the pipeline inserts
//! them; the archive is empty, so the window alone answers.

mod support;

use std::time::Instant;

use gwbank_model::{
    GatewayId, Origin, Parameter, QcTests, QualityFlag, Row, Seq, SeriesId, TimeSource, Timestamp, WellId,
};
use gwbank_query::{MetadataGateways, QueryConfig, QueryEngine, QuerySources};
use gwbank_recent::Window;
use gwbank_registry::Registry;
use support::ours::Stores;
use support::readings::{STEP_SECS, registered, well_id};
use support::stats::{Times, grouped};
use support::{Error, Settings, number, print_machine, runtime};

const WELLS: usize = 10_801;
const WELLS_PER_GATEWAY: usize = 100;
/// 2026-01-01T00:00:00Z
const START_SECS: i64 = 1_767_225_600;
/// Rows that the pipeline inserts at once under load.
const ROWS_AT_ONCE: usize = 2_000;
/// How often each question is asked at most; less often where that takes longer than a run, but for the first times.
const ASKED: usize = 50;
const ASKED_AT_LEAST: usize = 3;

fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let steps = number("GWBANK_BENCH_STEPS", 200)?;
    println!("recent window: {} wells x {steps} readings", grouped(WELLS as f64));
    print_machine();
    let dir = settings.scratch()?;
    let runtime = runtime("stores")?;
    runtime.block_on(async {
        let stores = Stores::open(dir.path()).await?;
        measure(&stores, &settings, steps).await
    })
}

async fn measure(stores: &Stores, settings: &Settings, steps: usize) -> Result<(), Error> {
    let window = Window::new(4 << 30, Timestamp::MIN);
    let wells: Vec<String> = (0..WELLS).map(|n| well_id(n / WELLS_PER_GATEWAY, n % WELLS_PER_GATEWAY)).collect();
    let series: Vec<SeriesId> = wells
        .iter()
        .map(|id| Ok(stores.names.series.intern(&WellId::new(id)?, Parameter::DepthToWater)))
        .collect::<Result<_, Error>>()?;

    let seconds = fill(stores, &window, &series, steps)?;
    let rows = window.rows();
    let bytes = window.bytes() as f64 / rows as f64;

    let registry = Registry::new(wells.iter().map(|id| registered(id)), []);
    let (_registry, watched) = tokio::sync::watch::channel(std::sync::Arc::new(registry));
    let sources = QuerySources {
        window: window.clone(),
        archive: stores.archive.clone(),
        metadata: stores.metadata.clone(),
        registry: watched,
        names: stores.names.clone(),
        gateways: std::sync::Arc::new(MetadataGateways(stores.metadata.clone())),
        limits: tokio::sync::watch::channel(std::sync::Arc::default()).1,
        reviews: tokio::sync::watch::channel(std::sync::Arc::default()).1,
    };
    let engine = QueryEngine::new(QueryConfig::default(), sources)?;

    let mut snapshot = Times::default();
    for _ in 0..ASKED {
        let began = Instant::now();
        let now = window.snapshot();
        let found = series.iter().filter_map(|&series| now.latest(series)).count();
        snapshot.push(began.elapsed());
        expect(found, WELLS)?;
    }
    let latest = "SELECT well_id, last_value(value ORDER BY time) FROM readings WHERE parameter = 'depth_to_water' \
                  GROUP BY well_id";
    let latest = ask(&engine, settings, latest, WELLS).await?;
    let latest_row = "SELECT well_id, time, value FROM (SELECT well_id, time, value, row_number() OVER \
                      (PARTITION BY well_id ORDER BY time DESC) AS n FROM readings WHERE parameter = 'depth_to_water') \
                      WHERE n = 1";
    let latest_row = ask(&engine, settings, latest_row, WELLS).await?;
    let distinct_on = "SELECT DISTINCT ON (well_id) well_id, time, value FROM readings \
                       WHERE parameter = 'depth_to_water' ORDER BY well_id, time DESC";
    let distinct_on = ask(&engine, settings, distinct_on, WELLS).await?;
    // The count needs every row, so this is what the first question takes where the latest is not read alone.
    let latest_of_all = "SELECT well_id, last_value(value ORDER BY time), count(*) FROM readings \
                         WHERE parameter = 'depth_to_water' GROUP BY well_id";
    let latest_of_all = ask(&engine, settings, latest_of_all, WELLS).await?;
    let end = Timestamp::from_secs(START_SECS + steps as i64 * STEP_SECS);
    let day = format!(
        "SELECT time, value FROM readings WHERE well_id = '{}' AND parameter = 'depth_to_water' \
         AND time >= TIMESTAMP '{}'",
        wells[WELLS / 2],
        end.plus_secs(-86_400).to_rfc3339(0)
    );
    let day = ask(&engine, settings, &day, steps.min(96)).await?;

    println!(
        "{} rows inserted in groups of {ROWS_AT_ONCE}: {}/s\n",
        grouped(rows as f64),
        grouped(rows as f64 / seconds)
    );
    println!("{:<52} {:>9} {:>9} {:>9}", "", "median", "99 %", "target");
    println!("{:<52} {bytes:>9.2} {:>9} {:>9}", "bytes a reading in memory", "", 32);
    for (what, mut times, target) in [
        ("latest of every well, from a snapshot, ms", snapshot, "20"),
        ("latest of every well, SQL last_value, ms", latest, "20"),
        ("latest of every well, SQL row_number() = 1, ms", latest_row, "20"),
        ("latest of every well, SQL DISTINCT ON, ms", distinct_on, "20"),
        ("the same with count(*), which reads every row, ms", latest_of_all, ""),
        ("last 24 h of one well, SQL, ms", day, "5"),
    ] {
        println!("{what:<52} {:>9.2} {:>9.2} {target:>9}", times.millis(0.5), times.millis(0.99));
    }
    Ok(())
}

/// Seconds that the insertions took.
fn fill(stores: &Stores, window: &Window, series: &[SeriesId], steps: usize) -> Result<f64, Error> {
    let gateway = stores.names.gateways.intern(&GatewayId::new("gw-0")?);
    let mut seconds = 0.0;
    let mut group: Vec<Row> = Vec::with_capacity(ROWS_AT_ONCE);
    for step in 0..steps {
        let secs = START_SECS + step as i64 * STEP_SECS;
        for (index, &series) in series.iter().enumerate() {
            group.push(Row {
                series,
                gateway,
                time: Timestamp::from_secs(secs),
                value: 3.0 + (index % 97) as f64 * 0.01 + (step as f64 / 5.0).sin() * 0.05,
                seq: Seq::from_i64(((secs * 1000 + (index / ROWS_AT_ONCE) as i64) << 20) | 1),
                revision: 0,
                qc_tests: QcTests::NONE,
                quality: QualityFlag::Pass,
                site_status: None,
                time_source: TimeSource::Device,
                origin: Origin::Received,
                time_form: None,
            });
            if group.len() == ROWS_AT_ONCE || (step + 1 == steps && index + 1 == WELLS) {
                let began = Instant::now();
                let verdicts = window.classify(&group);
                expect(verdicts.iter().filter(|verdict| verdict.is_stored()).count(), group.len())?;
                window.insert(std::mem::take(&mut group));
                seconds += began.elapsed().as_secs_f64();
            }
        }
    }
    expect(window.rows(), WELLS * steps)?;
    Ok(seconds)
}

async fn ask(engine: &QueryEngine, settings: &Settings, sql: &str, rows: usize) -> Result<Times, Error> {
    let mut times = Times::default();
    let end = Instant::now() + settings.run;
    for asked in 0..ASKED {
        if asked >= ASKED_AT_LEAST && Instant::now() >= end {
            break;
        }
        let began = Instant::now();
        let batches = engine.query(sql).await?.collect().await?;
        times.push(began.elapsed());
        expect(batches.iter().map(|batch| batch.num_rows()).sum(), rows)?;
    }
    Ok(times)
}

fn expect(found: usize, wanted: usize) -> Result<(), Error> {
    if found == wanted { Ok(()) } else { Err(format!("{found} rows where {wanted} were expected").into()) }
}
