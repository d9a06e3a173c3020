//! Which threads the time of the cores goes to, from what the kernel counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The kernel's unit of a thread's time on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of CPU of the process, and by the name of its living threads; nothing where there is no such file system.
#[derive(Debug, Clone, Default)]
pub struct CpuTimes {
    process: f64,
    threads: BTreeMap<String, f64>,
}

impl CpuTimes {
    pub fn now() -> Self {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            if let Some((name, seconds)) = read(&entry.path().join("stat")) {
                *threads.entry(name).or_default() += seconds;
            }
        }
        Self { process: read(Path::new("/proc/self/stat")).map_or(0.0, |(_, seconds)| seconds), threads }
    }

    /// Seconds of the whole process since an earlier look, of threads that have ended too: the load generator's as well.
    pub fn seconds_since(&self, before: &Self) -> f64 {
        self.process - before.process
    }

    /// What was used since an earlier look, most first: "name seconds".
    pub fn since(&self, before: &Self) -> String {
        let used = |(name, seconds): (&String, &f64)| {
            (name.clone(), seconds - before.threads.get(name).copied().unwrap_or_default())
        };
        let mut used: Vec<(String, f64)> =
            self.threads.iter().map(used).filter(|(_, seconds)| *seconds >= 0.05).collect();
        used.push(("all".to_owned(), self.seconds_since(before)));
        used.sort_by(|a, b| b.1.total_cmp(&a.1));
        used.iter().map(|(name, seconds)| format!("{name} {seconds:.1}")).collect::<Vec<_>>().join(", ")
    }
}

fn read(stat: &Path) -> Option<(String, f64)> {
    let text = fs::read_to_string(stat).ok()?;
    // The name stands in parentheses and may hold any character; user and system time are 12 fields behind it.
    let (head, tail) = text.rsplit_once(')')?;
    let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
    let ticks: f64 = tail.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    Some((name, ticks / TICKS_PER_SECOND))
}
