//! Which threads the time of the cores goes to, from what the kernel counts.

use std::collections::BTreeMap;
use std::fs;

/// The kernel's unit of a thread's time on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of CPU by the name of the thread; empty where there is no such file system.
#[derive(Debug, Clone, Default)]
pub struct CpuTimes(BTreeMap<String, f64>);

impl CpuTimes {
    pub fn now() -> Self {
        let mut times = BTreeMap::new();
        for entry in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            // The name stands in parentheses and may hold any character; user and system time are 12 fields behind it.
            let Some((head, tail)) = stat.rsplit_once(')') else { continue };
            let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
            let ticks: f64 = tail.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
            *times.entry(name).or_default() += ticks / TICKS_PER_SECOND;
        }
        Self(times)
    }

    /// What was used since an earlier look, most first: "name seconds".
    pub fn since(&self, before: &Self) -> String {
        let used = |(name, seconds): (&String, &f64)| {
            (name.clone(), seconds - before.0.get(name).copied().unwrap_or_default())
        };
        let mut used: Vec<(String, f64)> = self.0.iter().map(used).filter(|(_, seconds)| *seconds >= 0.05).collect();
        used.sort_by(|a, b| b.1.total_cmp(&a.1));
        used.iter().map(|(name, seconds)| format!("{name} {seconds:.1}")).collect::<Vec<_>>().join(", ")
    }
}
