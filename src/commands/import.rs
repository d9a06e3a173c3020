//! `gwbank readings import`: history through the same pipeline as live data.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use gwbank_model::{GatewayId, Reading, Timestamp};
use gwbank_runtime::{Clock, SystemClock};
use gwbank_server::views::ReceiptView;
use gwbank_wire::write_json;
use indicatif::{ProgressBar, ProgressStyle};

use super::output::{self, grouped};
use crate::arguments::{General, ServerArguments};
use crate::client::{Client, Found, encoded, read_json};
use crate::failure::{Failure, Outcome};
use crate::history::{Map, RefusedRows, Tally, read_file};
use crate::node::offline::Offline;

#[derive(Debug)]
pub struct Import {
    pub files: Vec<PathBuf>,
    pub map: Option<PathBuf>,
    pub dry_run: bool,
    pub gateway: String,
}

/// What became of the readings, in readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
}

/// Where readings go.
enum Target {
    Server(Client),
    Offline(Box<Offline>),
    Nowhere,
}

/// How long a server may say that it is full before the import gives up.
const FULL_PATIENCE: Duration = Duration::from_secs(600);

/// What to do after a failure in the middle.
const AGAIN: &str = "nothing that was stored is lost: import the same files again, and it counts as duplicate";

pub fn run(general: &General, server: &ServerArguments, import: Import) -> Outcome {
    let began = Instant::now();
    let gateway = GatewayId::new(&import.gateway).map_err(|e| Failure::usage(anyhow!("--gateway: {e}")))?;
    let map = match &import.map {
        Some(path) => Map::load(path)?,
        None => Map::default(),
    };
    let files = existing(&import.files)?;
    let target = if import.dry_run {
        Target::Nowhere
    } else {
        match Client::find(general, server)? {
            Found::Running(client) => Target::Server(client),
            Found::Nobody => Target::Offline(Box::new(Offline::open(general)?)),
        }
    };
    let now = Timestamp::from_micros(SystemClock.now_micros());
    let before = standing(&target, &gateway)?;
    let progress = progress_bar(&files);
    let mut tally = Tally::default();
    let mut dead = 0;
    let mut first_fault = None;
    for file in &files {
        progress.set_message(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let mut sink = |readings: Vec<Reading>| -> Result<()> {
            let (count, fault) = send(&target, &gateway, readings)?;
            dead += count;
            if first_fault.is_none() {
                first_fault = fault;
            }
            Ok(())
        };
        tally.add(read_file(file, &map, now, &progress, &mut sink)?);
    }
    progress.finish_and_clear();
    let counts = settled(&target, &gateway, before)?;
    if let Target::Offline(offline) = target {
        offline.close()?;
    }
    report(&import, &tally, counts, began.elapsed())?;
    if dead > 0 {
        let fault = first_fault.map(|fault| format!(", the first: {fault}")).unwrap_or_default();
        eprintln!("{} readings became dead letters{fault}; see `gwbank dead-letters list`", grouped(dead));
    }
    judge(&tally)
}

/// The files, in the order given, if all are there: half an import is worse than none.
pub(super) fn existing(files: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    if let Some(missing) = files.iter().find(|file| !file.is_file()) {
        return Err(Failure::usage(anyhow!("there is no file {}", missing.display())));
    }
    Ok(files.to_vec())
}

pub(super) fn progress_bar(files: &[PathBuf]) -> ProgressBar {
    let size = |file: &PathBuf| std::fs::metadata(file).map_or(0, |data| data.len());
    let progress = ProgressBar::new(files.iter().map(size).sum());
    let style = "{bar:30} {bytes}/{total_bytes} {eta} {msg}";
    progress.with_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Sends a batch; gives how many are dead, and the first reason.
fn send(target: &Target, gateway: &GatewayId, readings: Vec<Reading>) -> Result<(u64, Option<String>)> {
    match target {
        Target::Nowhere => Ok((0, None)),
        Target::Offline(offline) => {
            let receipt = offline.ingest(gateway, readings)?;
            Ok((receipt.dead, receipt.faults.first().map(|fault| fault.detail.clone())))
        }
        Target::Server(client) => {
            let receipt =
                post(client, gateway, &write_json(&readings)).map_err(|f| anyhow!("{}; {AGAIN}", f.text()))?;
            Ok((receipt.dead, receipt.faults.first().map(|fault| fault.detail.clone())))
        }
    }
}

/// Posts until the server has taken it: a full journal is a matter of waiting.
fn post(client: &Client, gateway: &GatewayId, payload: &[u8]) -> Outcome<ReceiptView> {
    let path = format!("/api/v1/readings?source=import&gateway={}", encoded(gateway.as_str()));
    let headers = [("content-type", "application/json"), ("accept", "application/json")];
    let began = Instant::now();
    loop {
        let reply = client.send_any("POST", &path, &headers, payload)?;
        match reply.status().as_u16() {
            200 => return read_json(reply),
            503 if began.elapsed() < FULL_PATIENCE => std::thread::sleep(Duration::from_secs(1)),
            422 => {
                let problem: serde_json::Value = read_json(reply)?;
                let receipt = serde_json::from_value(problem["receipt"].clone());
                return receipt.with_context(|| problem["detail"].to_string()).map_err(Failure::Failed);
            }
            status => {
                let problem: serde_json::Value = read_json(reply)?;
                return Err(Failure::failed(format!("the server answered {status}: {}", problem["detail"])));
            }
        }
    }
}

/// The gateway's counts now. Exact only when nothing is pending, so the archive is brought up to date first.
fn standing(target: &Target, gateway: &GatewayId) -> Outcome<Counts> {
    match target {
        Target::Nowhere => Ok(Counts::default()),
        Target::Offline(offline) => offline.flushed_counts(gateway),
        Target::Server(client) => {
            client.send("POST", "/api/v1/flush", &[], &[])?;
            let list: serde_json::Value = client.get("/api/v1/gateways")?;
            let known = list["items"].as_array().into_iter().flatten();
            let row = known.into_iter().find(|row| row["gateway_id"] == gateway.as_str());
            let count = |name: &str| row.and_then(|row| row[name].as_u64()).unwrap_or(0);
            Ok(Counts {
                received: count("received"),
                stored: count("stored"),
                duplicate: count("duplicate"),
                dead: count("dead"),
            })
        }
    }
}

/// What came since, exactly.
fn settled(target: &Target, gateway: &GatewayId, before: Counts) -> Outcome<Counts> {
    let after = standing(target, gateway)?;
    Ok(Counts {
        received: after.received.saturating_sub(before.received),
        stored: after.stored.saturating_sub(before.stored),
        duplicate: after.duplicate.saturating_sub(before.duplicate),
        dead: after.dead.saturating_sub(before.dead),
    })
}

fn report(import: &Import, tally: &Tally, counts: Counts, took: Duration) -> Outcome {
    output::line(&format!("read       {:>12} rows of {} files", grouped(tally.rows), import.files.len()))?;
    if import.dry_run {
        output::line(&format!("readings   {:>12} (dry run: nothing was stored)", grouped(tally.readings)))?;
    } else {
        output::line(&format!("stored     {:>12}", grouped(counts.stored)))?;
        output::line(&format!("duplicate  {:>12}", grouped(counts.duplicate)))?;
        output::line(&format!("dead       {:>12}", grouped(counts.dead)))?;
    }
    report_rest(tally)?;
    output::line(&format!("seconds    {:>12.1}", took.as_secs_f64()))
}

/// The rows that became no readings.
pub(super) fn report_rest(tally: &Tally) -> Outcome {
    output::line(&format!("refused    {:>12}", grouped(tally.refused_total())))?;
    for (parameter, rows) in &tally.refused {
        let RefusedRows { count, first, detail } = rows;
        output::line(&format!("           {:>12} {parameter}, first at {first}: {detail}", grouped(*count)))?;
    }
    if tally.bad > 0 {
        output::line(&format!("bad        {:>12}", grouped(tally.bad)))?;
    }
    Ok(())
}

/// Whether what was in the files came to something: single parameters may be left out on purpose, not all of them.
pub(super) fn judge(tally: &Tally) -> Outcome {
    if tally.bad > 0 {
        let further = match tally.bad - tally.bad_named.len() as u64 {
            0 => String::new(),
            further => format!("\nand {} more", grouped(further)),
        };
        let named = tally.bad_named.join("\n");
        return Err(Failure::failed(format!("{} rows could not be read:\n{named}{further}", grouped(tally.bad))));
    }
    if tally.readings == 0 && tally.refused_total() > 0 {
        return Err(Failure::failed("no row is of a parameter and unit that are known here, so nothing was read"));
    }
    Ok(())
}
