//! Durable ingest: QoS 1, synced before the PUBACK, the load generator on the same cores.
//!
//! Side A is the broker library with a handler that only makes the payload durable. Side B is gwbank: the same broker,
//! decoding, journal, quality, recent window, and the archive writer running. Both get the same bytes from the same
//! generator, one after the other, alternately; compare the ratio, not runs of different days. On a machine that others
//! use too, the CPU time a reading says more than the rate: two cores can give at most two seconds of it a second.
//!
//! `cargo bench --bench durable_ingest`, or with `GWBANK_BENCH_SECONDS=300 GWBANK_BENCH_ROUNDS=1` for the lasting rate;
//! `-- 100` measures only the workload whose name begins so.

mod support;

use std::time::Instant;

use gwbank_model::Timestamp;
use gwbank_runtime::{Clock, SystemClock};
use support::bare::Bare;
use support::cpu::CpuTimes;
use support::load::{self, Load, Outcome, Pace};
use support::ours::Ours;
use support::readings::Shape;
use support::stats::{Times, at_most_millis, disk_syncs, grouped, median};
use support::{Error, Settings, print_machine, runtime};

struct Workload {
    name: &'static str,
    shape: Shape,
    in_flight: usize,
    /// Readings a second that gwbank is to reach on two cores.
    target: f64,
}

const WORKLOADS: [Workload; 2] = [
    Workload { name: "100 readings x 20 connections", shape: Shape::BATCHES, in_flight: 4, target: 800_000.0 },
    Workload { name: "1 reading x 200 connections", shape: Shape::SINGLE, in_flight: 4, target: 40_000.0 },
];

fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    println!("durable ingest: {} s a run, {} pairs, QoS 1", settings.run.as_secs(), settings.rounds);
    print_machine();
    let mut summaries = Vec::new();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |w: &Workload| wanted.is_empty() || wanted.iter().any(|name| w.name.starts_with(name.as_str()));
    for workload in WORKLOADS.into_iter().filter(is_wanted) {
        println!("{}, {} messages in flight each", workload.name, workload.in_flight);
        let (mut bare_rates, mut our_rates) = (Vec::new(), Vec::new());
        let (mut bare_micros, mut our_micros) = (Vec::new(), Vec::new());
        let mut acknowledgements = Times::default();
        for _ in 0..settings.rounds {
            let (bare, micros) = run_bare(&settings, &workload)?;
            bare_rates.push(bare.rate());
            bare_micros.push(micros);
            let (ours, micros) = run_ours(&settings, &workload)?;
            our_rates.push(ours.rate());
            our_micros.push(micros);
            acknowledgements.append(ours.acknowledgements);
        }
        let ratios: Vec<f64> = our_rates.iter().zip(&bare_rates).map(|(ours, bare)| ours / bare).collect();
        summaries.push(format!(
            "{:<30} {:>14} {:>14} {:>7.2} {:>12} {:>16} {:>16}",
            workload.name,
            grouped(median(&bare_rates)),
            grouped(median(&our_rates)),
            median(&ratios),
            grouped(workload.target),
            acknowledgements.summary(),
            format!("{:.2} / {:.2}", median(&bare_micros), median(&our_micros)),
        ));
        println!();
    }
    println!(
        "{:<30} {:>14} {:>14} {:>7} {:>12} {:>16} {:>16}",
        "readings/s, medians", "bare handler", "gwbank", "ratio", "target", "ack ms 50/99 %", "CPU us bare/ours"
    );
    summaries.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn load(settings: &Settings, workload: &Workload, address: std::net::SocketAddr) -> Load {
    // So far back that the readings of a long run are not in the future.
    let start = Timestamp::from_micros(SystemClock.now_micros()).plus_secs(-40 * 366 * 86_400);
    Load {
        address,
        shape: workload.shape,
        start,
        run: settings.run,
        in_flight: workload.in_flight,
        pace: Pace::AsFastAsAcknowledged,
    }
}

/// The outcome, and microseconds of CPU a reading.
fn run_bare(settings: &Settings, workload: &Workload) -> Result<(Outcome, f64), Error> {
    let dir = settings.scratch()?;
    let mut disk = disk_syncs(dir.path())?;
    let runtime = runtime("broker")?;
    let bare = runtime.block_on(Bare::start(dir.path()))?;
    let before = CpuTimes::now();
    let mut outcome = load::run(load(settings, workload, bare.address))?;
    let after = CpuTimes::now();
    let (cpu, micros) = (after.since(&before), after.seconds_since(&before) * 1e6 / outcome.readings as f64);
    let mut syncs = runtime.block_on(bare.stop())?;
    println!(
        "  bare    {:>11}/s  ack {} ms  fdatasync {} ms x {} (disk alone {})  CPU s: {cpu}",
        grouped(outcome.rate()),
        outcome.acknowledgements.summary(),
        syncs.summary(),
        syncs.len(),
        disk.summary(),
    );
    Ok((outcome, micros))
}

fn run_ours(settings: &Settings, workload: &Workload) -> Result<(Outcome, f64), Error> {
    let dir = settings.scratch()?;
    let mut disk = disk_syncs(dir.path())?;
    let runtime = runtime("broker")?;
    let ours = runtime.block_on(Ours::start(dir.path(), workload.shape.registry()))?;
    let fsync_before = ours.pipeline.status().fsync;
    let before = CpuTimes::now();
    let mut outcome = load::run(load(settings, workload, ours.broker.address()))?;
    let after = CpuTimes::now();
    let (cpu, micros) = (after.since(&before), after.seconds_since(&before) * 1e6 / outcome.readings as f64);
    let status = ours.pipeline.status();
    let fsyncs = status.fsync.count - fsync_before.count;
    println!(
        "  gwbank  {:>11}/s  ack {} ms  fdatasync {} / {} ms x {fsyncs} (disk alone {})  CPU s: {cpu}",
        grouped(outcome.rate()),
        outcome.acknowledgements.summary(),
        at_most_millis(&fsync_before, &status.fsync, 0.5),
        at_most_millis(&fsync_before, &status.fsync, 0.99),
        disk.summary(),
    );
    let ended = Instant::now();
    let (kept, files, bytes) = runtime.block_on(async {
        ours.pipeline.flush().await?;
        let stores = ours.stores.delta.as_ref().map_or((0, 0), |delta| (delta.file_count(), delta.bytes()));
        let kept = ours.kept().await?;
        ours.stop().await?;
        Ok::<_, Error>((kept, stores.0, stores.1))
    })?;
    println!(
        "          at the end {} rows not archived, journal {} MB, window {} MB{}; archived {:.1} s later: {files} files, \
         {:.2} bytes a reading",
        grouped(status.unarchived_rows as f64),
        status.journal_bytes >> 20,
        status.window_bytes >> 20,
        if status.limit_reached.is_some() { ", holding" } else { "" },
        ended.elapsed().as_secs_f64(),
        bytes as f64 / outcome.readings as f64,
    );
    if let Some(error) = status.last_error {
        return Err(format!("archiving failed: {error}").into());
    }
    if kept != outcome.readings {
        return Err(format!("{} readings were acknowledged, {kept} are kept", outcome.readings).into());
    }
    Ok((outcome, micros))
}
