//! Medians, percentiles and how numbers are written.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use gwbank_journal::FsyncStats;

use super::Error;

/// Durations of one kind, to be asked for percentiles.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn append(&mut self, other: Times) {
        self.0.extend(other.0);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Milliseconds at a share between 0 and 1.
    pub fn millis(&mut self, share: f64) -> f64 {
        if self.0.is_empty() {
            return f64::NAN;
        }
        self.0.sort_unstable();
        let index = ((self.0.len() - 1) as f64 * share).round() as usize;
        self.0[index].as_secs_f64() * 1000.0
    }

    pub fn summary(&mut self) -> String {
        format!("{:.2} / {:.2}", self.millis(0.5), self.millis(0.99))
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// Digits in groups of three.
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a histogram says of a share, as the upper bound of its bucket.
pub fn at_most_millis(before: &FsyncStats, after: &FsyncStats, share: f64) -> String {
    let wanted = (after.count - before.count) as f64 * share;
    let buckets = after.buckets.iter().zip(&before.buckets);
    match buckets.map(|(after, before)| (after.0, after.1 - before.1)).find(|(_, count)| *count as f64 >= wanted) {
        Some((bound, _)) => format!("≤ {:.2}", bound * 1000.0),
        None => "beyond".to_owned(),
    }
}

/// The disk alone: a page appended to a file and synced, again and again.
pub fn disk_syncs(dir: &Path) -> Result<Times, Error> {
    let mut file = File::create(dir.join("disk-probe"))?;
    let mut times = Times::default();
    for _ in 0..200 {
        file.write_all(&[7; 4096])?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(times)
}
