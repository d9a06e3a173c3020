//! The recent window: bytes a reading, and how long the questions take that people ask of it.
//!
//! `GWBANK_BENCH_STEPS` readings (default 200) of each of 10,801 wells, 15 minutes apart, come in as the pipeline inserts
//! them; the archive is empty, so the window alone answers.

mod support;

use std::time::Instant;

use gwbank_query::{QueryConfig, QueryEngine};
use support::ours::Stores;
use support::recent::{ROWS_AT_ONCE, Recent, WELLS};
use support::stats::{Times, grouped};
use support::{Error, Settings, expect, number, print_machine, runtime};

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
    let recent = Recent::fill(stores, steps)?;
    let engine = recent.engine(stores, QueryConfig::default())?;
    let Recent { window, wells, series, end, seconds } = recent;
    let rows = window.rows();
    let bytes = window.bytes() as f64 / rows as f64;

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
