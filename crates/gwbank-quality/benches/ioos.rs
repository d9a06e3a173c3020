//! Four QARTOD tests (gross range, spike, rate of change, flat line) and their roll-up on 10 million readings in one thread:
//! mode `ioos`, mode `strict`, and ioos_qc itself in the same run, on the same readings, with the same limits.
//!
//! `GWBANK_IOOS_PYTHON` names a Python that has ioos_qc 3.0.0; without it only our side runs. `GWBANK_BENCH_READINGS` (default
//! 10,000,000), `GWBANK_BENCH_ROUNDS` (default 3). What is timed is the work on arrays in memory, on both sides.

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use gwbank_model::Timestamp;
use gwbank_quality::ioos::{self, SpikeMethod};
use gwbank_quality::{CheckLimits, Point, Span, assess};

const LIMITS: CheckLimits = CheckLimits {
    fail: Span::new(-10.0, 40.0),
    suspect: Span::new(4.0, 8.0),
    spike_suspect: 0.05,
    spike_fail: 0.15,
    rate_suspect_per_second: 0.1 / 3_600.0,
    rate_fail_per_second: 0.5 / 3_600.0,
    flat_suspect_seconds: 21_600,
    flat_fail_seconds: 86_400,
    flat_tolerance: 0.0005,
};

/// Prints the seconds of each round, then how many readings have each roll-up flag.
const PYTHON: &str = "
import sys, time, warnings
import numpy as np
from ioos_qc import qartod
warnings.simplefilter('ignore')
values = np.fromfile(sys.argv[1], '<f8')
times = np.fromfile(sys.argv[2], '<i8').astype('datetime64[s]').astype('datetime64[ns]')
fail, suspect = (-10.0, 40.0), (4.0, 8.0)
for _ in range(int(sys.argv[3])):
    started = time.perf_counter()
    flags = qartod.qartod_compare([
        qartod.gross_range_test(values, fail_span=fail, suspect_span=suspect),
        qartod.spike_test(values, 0.05, 0.15),
        qartod.rate_of_change_test(values, times, 0.1 / 3600, fail_threshold=0.5 / 3600),
        qartod.flat_line_test(values, times, 21600, 86400, 0.0005),
    ])
    print(time.perf_counter() - started, flush=True)
print(*[int((flags == flag).sum()) for flag in (1, 2, 3, 4, 9)])
";

fn level(index: u32) -> f64 {
    let hours = f64::from(index) / 4.0;
    let noise = f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
    let spike = if index % 5_003 == 17 { 0.3 } else { 0.0 };
    let value = 6.0 + 0.5 * (hours / 1_400.0).sin() + 0.01 * (hours / 12.42 * std::f64::consts::TAU).sin();
    match index % 9_001 {
        100..130 => 6.25,
        200..203 => f64::NAN,
        _ => ((value + spike + 0.003 * noise) * 10_000.0).round() / 10_000.0,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn env(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() -> ExitCode {
    let (readings, rounds) = (env("GWBANK_BENCH_READINGS", 10_000_000), env("GWBANK_BENCH_ROUNDS", 3));
    let values: Vec<f64> = (0..readings).map(level).collect();
    let times: Vec<Timestamp> = (0..readings).map(|index| Timestamp::from_secs(i64::from(index) * 900)).collect();
    let (mut ioos_seconds, mut strict_seconds) = (Vec::new(), Vec::new());
    let mut counts = [0usize; 5];
    for _ in 0..rounds {
        let started = Instant::now();
        let rollup = ioos::roll_up(&[
            &ioos::gross_range(&values, LIMITS.suspect, LIMITS.fail),
            &ioos::spike(&values, SpikeMethod::Average, LIMITS.spike_suspect, LIMITS.spike_fail),
            &ioos::rate_of_change(&times, &values, LIMITS.rate_suspect_per_second, LIMITS.rate_fail_per_second),
            &ioos::flat_line(
                &times,
                &values,
                LIMITS.flat_suspect_seconds,
                LIMITS.flat_fail_seconds,
                LIMITS.flat_tolerance,
            ),
        ]);
        ioos_seconds.push(started.elapsed().as_secs_f64());
        counts = [1, 2, 3, 4, 9].map(|code| rollup.iter().filter(|flag| flag.code() == code).count());
        let points: Vec<Point> = times
            .iter()
            .zip(&values)
            .map(|(&time, &value)| Point { time, value: Some(value), site_status: None })
            .collect();
        let config = LIMITS.strict().expect("the limits mean something");
        let started = Instant::now();
        black_box(assess(&config, &points));
        strict_seconds.push(started.elapsed().as_secs_f64());
    }
    let (ours, strict) = (median(ioos_seconds), median(strict_seconds));
    println!("{readings} readings, 4 tests and roll-up, one thread, medians of {rounds} rounds");
    println!("gwbank mode ioos {ours:.3} s, mode strict {strict:.3} s; flags 1, 2, 3, 4, 9: {counts:?}");
    let Ok(python) = std::env::var("GWBANK_IOOS_PYTHON") else {
        println!("GWBANK_IOOS_PYTHON is not set: ioos_qc is not run");
        return ExitCode::SUCCESS;
    };
    match theirs(&python, &values, &times, rounds) {
        Ok((seconds, their_counts)) => {
            println!(
                "ioos_qc {seconds:.3} s: {:.0} x mode ioos, {:.0} x mode strict",
                seconds / ours,
                seconds / strict
            );
            if their_counts == counts { ExitCode::SUCCESS } else { fails(&format!("flags differ: {their_counts:?}")) }
        }
        Err(error) => fails(&error),
    }
}

fn fails(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

/// Median seconds of ioos_qc and its counts of flags.
fn theirs(python: &str, values: &[f64], times: &[Timestamp], rounds: u32) -> Result<(f64, [usize; 5]), String> {
    let folder = std::env::temp_dir().join(format!("gwbank-bench-ioos-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let (values_path, times_path) = (folder.join("values"), folder.join("times"));
    let written = write(&values_path, values.iter().map(|value| value.to_le_bytes()))
        .and_then(|()| write(&times_path, times.iter().map(|time| time.as_secs().to_le_bytes())));
    let output = written.and_then(|()| {
        Command::new(python)
            .args(["-c", PYTHON])
            .args([&values_path, &times_path])
            .arg(rounds.to_string())
            .env("OMP_NUM_THREADS", "1")
            .output()
    });
    let _ = std::fs::remove_dir_all(&folder);
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.pop().unwrap_or_default();
    let counts: Vec<usize> = last.split_whitespace().filter_map(|count| count.parse().ok()).collect();
    let seconds = lines.iter().filter_map(|line| line.parse().ok()).collect();
    Ok((median(seconds), counts.try_into().map_err(|_| format!("no counts: {text}"))?))
}

fn write(path: &Path, words: impl Iterator<Item = [u8; 8]>) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for word in words {
        file.write_all(&word)?;
    }
    file.flush()
}
