//! Measures the journal on a real disk: `cargo run --release -p gwbank-journal --example journal_speed [DIRECTORY]`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gwbank_journal::{Durable, Entry, Journal, JournalConfig, RealDisk, Record};
use gwbank_model::Seq;
use tokio::sync::oneshot;

const RUN: Duration = Duration::from_secs(5);

type Ack = oneshot::Sender<Seq>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let root = tempfile::tempdir_in(parent)?;
    let mut out = io::stdout();
    fsync_latency(&mut out, root.path())?;
    appends(&mut out, &root.path().join("small"), 200, 100)?;
    appends(&mut out, &root.path().join("large"), 20, 3 << 10)?;
    replay(&mut out, &root.path().join("replay"), 100)?;
    replay(&mut out, &root.path().join("replay_large"), 3 << 10)?;
    Ok(())
}

/// The bare cost of making one page durable at the end of a file.
fn fsync_latency(out: &mut impl Write, dir: &Path) -> io::Result<()> {
    let mut file = File::create(dir.join("latency"))?;
    let mut took = Vec::new();
    for _ in 0..1000 {
        file.write_all(&[1; 200])?;
        let began = Instant::now();
        file.sync_data()?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    writeln!(out, "fdatasync after 200 B: median {:?}, p99 {:?}", took[500], took[990])
}

fn open(dir: &Path) -> Result<Journal<Option<Ack>>, gwbank_journal::JournalError> {
    let config = JournalConfig::new(dir, 1);
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let on_durable = |group: Vec<Durable<Option<Ack>>>| {
        for durable in group {
            if let (seq, Some(ack)) = durable.into_parts() {
                let _ = ack.send(seq);
            }
        }
    };
    Journal::open(config, Arc::new(RealDisk), Arc::new(clock), on_durable)
}

/// Tasks that each append one record, wait for it to be durable, and append the next.
fn appends(out: &mut impl Write, dir: &Path, tasks: usize, bytes: usize) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let journal = open(dir)?;
    let began = Instant::now();
    let tasks_running: Vec<_> = (0..tasks)
        .map(|_| {
            let journal = journal.clone();
            runtime.spawn(async move {
                let mut latencies = Vec::new();
                while began.elapsed() < RUN {
                    let (ack, acknowledged) = oneshot::channel();
                    let asked = Instant::now();
                    let entry = Entry { payload: vec![7; bytes], seq_count: 1, attachment: Some(ack) };
                    if journal.append(entry).await.is_err() || acknowledged.await.is_err() {
                        break;
                    }
                    latencies.push(asked.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks_running {
        latencies.extend(runtime.block_on(task)?);
    }
    let seconds = began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let stats = journal.fsync_stats();
    journal.close();
    let count = latencies.len();
    writeln!(
        out,
        "{tasks} tasks × {bytes} B: {:.0} appends/s, {:.1} MB/s, {:.0} groups/s of {:.0}; fdatasync mean {:.2} ms; \
         append to durable median {:?}, p99 {:?}",
        count as f64 / seconds,
        (count * bytes) as f64 / seconds / 1e6,
        stats.count as f64 / seconds,
        count as f64 / stats.count as f64,
        stats.sum_seconds / stats.count as f64 * 1e3,
        latencies[count / 2],
        latencies[count * 99 / 100],
    )?;
    Ok(())
}

fn replay(out: &mut impl Write, dir: &Path, bytes: usize) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let journal = open(dir)?;
    let records = (400 << 20) / bytes;
    let began = Instant::now();
    for _ in 0..records {
        let entry = Entry { payload: vec![7; bytes], seq_count: 1, attachment: None };
        runtime.block_on(journal.append(entry))?;
    }
    journal.close();
    let wrote = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let journal = open(dir)?;
    let opened = began.elapsed();
    let began = Instant::now();
    let payload_bytes = journal.replay(Seq::ZERO)?.try_fold(0, |sum, record: Result<Record, _>| {
        Ok::<_, gwbank_journal::JournalError>(sum + record?.payload.len())
    })?;
    let read = began.elapsed().as_secs_f64();
    writeln!(
        out,
        "{records} records of {bytes} B: written one after the other at {:.0} MB/s, opened in {opened:?}, replayed at {:.0} MB/s \
         of payload, {:.1} M records/s",
        payload_bytes as f64 / wrote / 1e6,
        payload_bytes as f64 / read / 1e6,
        records as f64 / read / 1e6,
    )?;
    Ok(())
}
