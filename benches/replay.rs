//! Replay of the journal at the start after an unclean end: readings a second from `Pipeline::open` to ready.
//!
//! `GWBANK_BENCH_READINGS` readings (default 2,000,000) in messages of 100 are taken in and not archived. The journal is
//! copied while it is open, as a kill would leave it; every round opens a pipeline on such a copy.

mod support;

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use gwbank_ingest::{Format, IngestError, Message, Pipeline, PipelineConfig, Receipt};
use gwbank_model::{GatewayId, Timestamp};
use gwbank_runtime::{Clock, SystemClock};
use support::ours::Stores;
use support::readings::{Messages, Shape, topic};
use support::stats::{grouped, median};
use support::{Error, Settings, number, print_machine, runtime};

const TARGET: f64 = 2_000_000.0;
/// Messages that each gateway has on the way while the journal is filled: not two of one well, so that order is kept.
const IN_FLIGHT: usize = 4;

fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let readings = number("GWBANK_BENCH_READINGS", 2_000_000)?;
    println!("replay of {} readings in messages of 100", grouped(readings as f64));
    print_machine();
    let dir = settings.scratch()?;
    let runtime = runtime("pipeline")?;
    let (journal, copy) = (dir.path().join("journal"), dir.path().join("journal-after-kill"));

    let taken = runtime.block_on(async {
        let stores = Stores::open(dir.path()).await?;
        let pipeline = stores.pipeline(never_archiving(&stores)).await?;
        pipeline.put_wells(Shape::BATCHES.registry()).await?;
        let taken = fill(&pipeline, readings).await?;
        copy_files(&journal, &copy)?;
        pipeline.halt().await?;
        Ok::<_, Error>(taken)
    })?;

    let mut rates = Vec::new();
    for _ in 0..settings.rounds.max(3) {
        fs::remove_dir_all(&journal)?;
        copy_files(&copy, &journal)?;
        let bytes: u64 = fs::read_dir(&journal)?.flatten().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
        let seconds = runtime.block_on(async {
            let stores = Stores::open(dir.path()).await?;
            let config = never_archiving(&stores);
            let began = Instant::now();
            let pipeline = stores.pipeline(config).await?;
            let seconds = began.elapsed().as_secs_f64();
            let rows = pipeline.window().rows() as u64;
            pipeline.halt().await?;
            if rows < taken {
                return Err(format!("{rows} of {taken} readings came back").into());
            }
            Ok::<f64, Error>(seconds)
        })?;
        let rate = taken as f64 / seconds;
        println!("  {:>11}/s  ({seconds:.2} s, {} MB of journal)", grouped(rate), bytes >> 20);
        rates.push(rate);
    }
    println!("\n{:<28} {:>12} {:>12}", "readings/s", "median", "target");
    println!("{:<28} {:>12} {:>12}", "replay after an unclean end", grouped(median(&rates)), grouped(TARGET));
    Ok(())
}

fn never_archiving(stores: &Stores) -> PipelineConfig {
    PipelineConfig { flush_interval: Duration::from_secs(86_400), flush_rows: u64::MAX, ..stores.config() }
}

/// Takes in at least so many readings; says how many.
async fn fill(pipeline: &Pipeline, readings: usize) -> Result<u64, Error> {
    let shape = Shape::BATCHES;
    let start = Timestamp::from_micros(SystemClock.now_micros()).plus_secs(-40 * 366 * 86_400);
    let rounds = readings.div_ceil(shape.readings_per_message() * shape.connections);
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..shape.connections {
        let pipeline = pipeline.clone();
        tasks.spawn(async move {
            let gateway = GatewayId::new(&format!("gw-{connection}"))?;
            let mut messages = Messages::new(connection, shape, start);
            let mut on_the_way = VecDeque::new();
            let mut stored = 0;
            for _ in 0..rounds {
                if on_the_way.len() == IN_FLIGHT
                    && let Some(oldest) = on_the_way.pop_front()
                {
                    stored += receipt(oldest).await?;
                }
                let payload = messages.next_payload().to_vec();
                let message = Message::new(gateway.clone(), topic(connection), Format::Json, payload);
                let pipeline = pipeline.clone();
                on_the_way.push_back(tokio::spawn(async move { pipeline.ingest(message).await }));
            }
            for oldest in on_the_way {
                stored += receipt(oldest).await?;
            }
            Ok::<u64, Error>(stored)
        });
    }
    let mut stored = 0;
    while let Some(ended) = tasks.join_next().await {
        stored += ended??;
    }
    Ok(stored)
}

async fn receipt(taken: tokio::task::JoinHandle<Result<Receipt, IngestError>>) -> Result<u64, Error> {
    Ok(taken.await??.stored)
}

fn copy_files(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
