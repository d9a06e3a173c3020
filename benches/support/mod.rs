//! What the benchmarks share: load, the two sides that take it, and how figures are taken and printed.
//!
//! Every benchmark is a program that prints a table. None keeps anything; all take these settings:
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `GWBANK_BENCH_SECONDS` | length of each measured run | 5 |
//! | `GWBANK_BENCH_ROUNDS` | how often the pair A, B is measured | 2 |
//! | `GWBANK_BENCH_DIR` | folder on the disk to be measured | the system's temporary folder |
#![allow(dead_code, reason = "each benchmark uses its part")]

pub mod bare;
pub mod cpu;
pub mod load;
pub mod ours;
pub mod readings;
pub mod recent;
pub mod stats;

use std::path::PathBuf;
use std::time::Duration;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone)]
pub struct Settings {
    pub run: Duration,
    pub rounds: usize,
    pub dir: PathBuf,
}

impl Settings {
    pub fn from_env() -> Result<Self, Error> {
        let dir = std::env::var_os("GWBANK_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        std::fs::create_dir_all(&dir)?;
        let run = Duration::from_secs(number("GWBANK_BENCH_SECONDS", 5)? as u64);
        Ok(Self { run, rounds: number("GWBANK_BENCH_ROUNDS", 2)?, dir })
    }

    pub fn scratch(&self) -> Result<tempfile::TempDir, Error> {
        Ok(tempfile::Builder::new().prefix("gwbank-bench-").tempdir_in(&self.dir)?)
    }
}

pub fn number(variable: &str, default: usize) -> Result<usize, Error> {
    match std::env::var(variable) {
        Ok(text) => text.parse().map_err(|_| format!("{variable} must be a number, not {text:?}").into()),
        Err(_) => Ok(default),
    }
}

/// The machine's part in the figures: cores, and how busy others keep them.
pub fn print_machine() {
    let cores = std::thread::available_parallelism().map_or(0, |n| n.get());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    println!("{cores} cores, load before the run {}\n", load.join(" "));
}

pub fn runtime(name: &str) -> Result<tokio::runtime::Runtime, Error> {
    Ok(tokio::runtime::Builder::new_multi_thread().thread_name(name).enable_all().build()?)
}

pub fn expect(found: usize, wanted: usize) -> Result<(), Error> {
    if found == wanted { Ok(()) } else { Err(format!("{found} rows where {wanted} were expected").into()) }
}
