//! Twelve questions of the kind that people ask of time series (after TSBS), in the SQL that a person types, to gwbank and
//! to a peer that holds the same rows, in turn, in one run; the answers are compared, too.
//!
//! | part | gwbank | peer |
//! | --- | --- | --- |
//! | `window` | the recent window | DuckDB, a table of its own |
//! | `archive` | the Delta archive, nothing in the window | DuckDB, the Parquet files of that archive |
//! | `postgres` | the PostgreSQL archive, nothing in the window | psql there |
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `GWBANK_BENCH_READINGS` | readings, of 10,801 wells over a year | 50,000,000 |
//! | `GWBANK_BENCH_POSTGRES_READINGS` | the same of the part `postgres`, of 1,000 wells | 2,000,000 |
//! | `GWBANK_BENCH_PARTS` | which parts, in order | `window archive postgres` |
//! | `GWBANK_BENCH_QUESTIONS` | words of the names of those to ask | all |
//! | `GWBANK_BENCH_ZONE` | whose days both sides cut | `UTC`, the quickest for the peers |
//! | `GWBANK_BENCH_PYTHON` | a Python with `duckdb` 2.0.0 and `pyarrow` | `python3` |
//!
//! Both sides have all cores and 4 GiB. A question is asked once for nothing and then at least thrice of each side.

mod answers;
mod data;
mod peers;
mod questions;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use gwbank_model::Timestamp;
use gwbank_query::{MetadataGateways, QueryConfig, QueryEngine, QuerySources};
use gwbank_recent::Window;
use gwbank_registry::{Registry, places};
use gwbank_testkit::Postgres;
use support::ours::Stores;
use support::stats::{grouped, median};
use support::{Error, Settings, number, print_machine, runtime};

use data::Data;
use peers::{DuckDb, Peer, Psql};
use questions::Question;

const MEMORY: usize = 4 << 30;

fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let parts = std::env::var("GWBANK_BENCH_PARTS").unwrap_or_else(|_| "window archive postgres".to_owned());
    print_machine();
    for part in parts.split_whitespace() {
        match part {
            "window" => window(&settings)?,
            "archive" => archive(&settings)?,
            "postgres" => postgres(&settings)?,
            _ => return Err(format!("GWBANK_BENCH_PARTS: there is no part {part:?}").into()),
        }
    }
    Ok(())
}

fn readings() -> Result<Data, Error> {
    Ok(Data { wells: data::WELLS, readings: number("GWBANK_BENCH_READINGS", 50_000_000)? })
}

fn window(settings: &Settings) -> Result<(), Error> {
    let data = readings()?;
    let dir = settings.scratch()?;
    let runtime = runtime("stores")?;
    let stores = runtime.block_on(Stores::open(&dir.path().join("ours")))?;
    let window = Window::new(16 << 30, Timestamp::MIN);
    data.fill_window(&window, &stores.names)?;
    let engine = engine(&stores, window, &data, dir.path())?;
    let mut peer = DuckDb::start(dir.path(), MEMORY)?;
    // What gwbank itself says is there becomes the peer's table.
    peer.take_table(&runtime, &engine, "readings", "SELECT well_id, parameter, time, value, quality FROM readings")?;
    peer.take_places(&runtime, &engine)?;
    compare(settings, &runtime, &engine, &mut peer, &data, "recent window")
}

fn archive(settings: &Settings) -> Result<(), Error> {
    let data = readings()?;
    let dir = settings.scratch()?;
    let runtime = runtime("stores")?;
    let stores = runtime.block_on(async {
        let stores = Stores::open(&dir.path().join("ours")).await?;
        data.fill_archive(stores.archive.as_ref(), &stores.names).await?;
        Ok::<_, Error>(stores)
    })?;
    let delta = stores.delta.as_ref().ok_or("no Delta archive")?;
    let files = data::live_files(delta.table_dir())?;
    let engine = engine(&stores, Window::new(1 << 30, Timestamp::MAX), &data, dir.path())?;
    let mut peer = DuckDb::start(dir.path(), MEMORY)?;
    peer.see_files(&files)?;
    peer.take_places(&runtime, &engine)?;
    compare(settings, &runtime, &engine, &mut peer, &data, "Delta archive")
}

fn postgres(settings: &Settings) -> Result<(), Error> {
    let data = Data { wells: 1_000, readings: number("GWBANK_BENCH_POSTGRES_READINGS", 2_000_000)? };
    let dir = settings.scratch()?;
    let runtime = runtime("stores")?;
    let postgres = Postgres::start();
    let url = postgres.empty_database();
    let (stores, pipeline) = runtime.block_on(async {
        let stores = Stores::in_database(dir.path(), &url).await?;
        data.fill_archive(stores.archive.as_ref(), &stores.names).await?;
        let config = gwbank_ingest::PipelineConfig { warm_bytes_max: 0, ..stores.config() };
        let pipeline = stores.pipeline(config).await?;
        pipeline.put_wells(data.wells().map(|id| data::registered(&id)).collect()).await?;
        Ok::<_, Error>((stores, pipeline))
    })?;
    let engine = engine(&stores, pipeline.window(), &data, dir.path())?;
    // Built into gwbank; the peer needs them as a table.
    let provinces = places::provinces().iter();
    let rows: Vec<String> = provinces.map(|p| format!("('{}', $${}$$)", p.code, p.name_en)).collect();
    postgres.psql(
        &url,
        &format!(
            "CREATE TABLE provinces (province_code text, name_en text); INSERT INTO provinces VALUES {}",
            rows.join(", ")
        ),
    );
    let mut peer = Psql::new(&postgres, &url);
    compare(settings, &runtime, &engine, &mut peer, &data, "PostgreSQL")?;
    Ok(runtime.block_on(pipeline.shutdown())?)
}

fn zone() -> String {
    std::env::var("GWBANK_BENCH_ZONE").unwrap_or_else(|_| "UTC".to_owned())
}

fn engine(stores: &Stores, window: Window, data: &Data, dir: &std::path::Path) -> Result<QueryEngine, Error> {
    let registry = Registry::new(data.wells().map(|id| data::registered(&id)), []);
    // The sender may go: what it said last stays.
    let registry = tokio::sync::watch::channel(Arc::new(registry)).1;
    let sources = QuerySources {
        window,
        archive: stores.archive.clone(),
        metadata: stores.metadata.clone(),
        registry,
        names: stores.names.clone(),
        gateways: Arc::new(MetadataGateways(stores.metadata.clone())),
        limits: tokio::sync::watch::channel(Arc::default()).1,
        reviews: tokio::sync::watch::channel(Arc::default()).1,
    };
    let config = QueryConfig {
        memory_bytes_per_query: MEMORY,
        memory_bytes_for_all: 2 * MEMORY,
        rows_max: u64::MAX,
        seconds_max: 3600,
        threads: std::thread::available_parallelism()?.get(),
        spill_dir: Some(dir.join("spill")),
        time_zone: zone(),
        ..QueryConfig::default()
    };
    Ok(QueryEngine::new(config, sources)?)
}

fn compare(
    settings: &Settings,
    runtime: &tokio::runtime::Runtime,
    engine: &QueryEngine,
    peer: &mut dyn Peer,
    data: &Data,
    place: &str,
) -> Result<(), Error> {
    let rounds = settings.rounds.max(3);
    println!("\n{place}: {} readings of {} wells, medians of {rounds}", grouped(data.written() as f64), data.wells);
    println!("{:<36} {:>10} {:>10} {:>7} {:>10}", "ms", "gwbank", peer.name(), "ratio", "rows");
    let mut ratios = Vec::new();
    for question in questions::chosen(data) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let began = Instant::now();
            let answer = ask(runtime, engine, &question)?;
            let (mine, other) = (began.elapsed().as_secs_f64() * 1e3, peer.ask(&question)?);
            if round == 0 {
                peer.compare(&question, &answer)?;
            } else {
                ours.push(mine);
                theirs.push(other * 1e3);
            }
            if round == rounds {
                let rows: usize = answer.iter().map(RecordBatch::num_rows).sum();
                let (ours, theirs) = (median(&ours), median(&theirs));
                ratios.push(ours / theirs);
                let ratio = ours / theirs;
                println!("{:<36} {ours:>10.1} {theirs:>10.1} {ratio:>7.2} {rows:>10}", question.name);
            }
        }
    }
    let mean = (ratios.iter().map(|ratio: &f64| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    println!("{:<36} {:>10} {:>10} {mean:>7.2}", "geometric mean", "", "");
    Ok(())
}

fn ask(
    runtime: &tokio::runtime::Runtime,
    engine: &QueryEngine,
    question: &Question,
) -> Result<Vec<RecordBatch>, Error> {
    let answer = runtime.block_on(async { engine.query(&question.sql).await?.collect().await });
    answer.map_err(|error| format!("{}: gwbank: {error}", question.name).into())
}
