//! Making room: what the archive has may go, oldest keys first.

use gwbank_model::{Seq, Timestamp};

use crate::chunk::{ChunkBuilder, Part};
use crate::merge::merge_small;
use crate::snapshot::WindowSnapshot;

/// What [`crate::Window::evict`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eviction {
    pub rows_dropped: usize,
    /// What the window holds now. Above its bound only when the archive does not have the rest yet: then
    /// acknowledgements must wait.
    pub bytes: usize,
    pub covers_from: Timestamp,
}

/// Evicting goes on to 7/8 of the bound, so that the next rows do not evict again at once.
const EIGHTHS_KEPT: usize = 7;

/// Buckets of one step of the search for the time to evict to.
const BUCKETS: usize = 4096;

pub(crate) struct Plan {
    archived: Seq,
    pub(crate) covers_from: Timestamp,
    /// Parts as they were, and what is left of them; only those that lose rows.
    prepared: Vec<(Part, Option<Part>)>,
}

pub(crate) fn plan(window: &WindowSnapshot, archived: Seq, bytes_max: usize) -> Plan {
    let mut covers_from = window.covers_from();
    if window.bytes() > bytes_max && window.rows() > 0 {
        let excess = window.bytes() - bytes_max / 8 * EIGHTHS_KEPT;
        let rows_to_drop = (excess as u128 * window.rows() as u128).div_ceil(window.bytes() as u128) as usize;
        if let Some(oldest_kept) = oldest_time_kept(window.parts(), archived, rows_to_drop) {
            covers_from = covers_from.max(oldest_kept);
        }
    }
    let mut plan = Plan { archived, covers_from, prepared: Vec::new() };
    for part in window.parts() {
        if plan.drops_from(part) {
            plan.prepared.push((part.clone(), plan.rest_of(part)));
        }
    }
    plan
}

impl Plan {
    /// Replaces the parts and returns how many rows are gone.
    pub(crate) fn apply(&mut self, parts: &mut Vec<Part>, covers_from: Timestamp) -> usize {
        self.covers_from = covers_from;
        let rows_before: usize = parts.iter().map(Part::live_rows).sum();
        let mut kept = Vec::with_capacity(parts.len());
        for part in parts.drain(..) {
            let prepared = self.prepared.iter().position(|(before, _)| before.is_unchanged(&part));
            if let Some(prepared) = prepared {
                kept.extend(self.prepared.swap_remove(prepared).1);
            } else if self.drops_from(&part) {
                kept.extend(self.rest_of(&part));
            } else {
                kept.push(part);
            }
        }
        *parts = kept;
        let rows_after: usize = parts.iter().map(Part::live_rows).sum();
        merge_small(parts);
        rows_before - rows_after
    }

    fn drops(&self, time: i64, seq: i64) -> bool {
        time < self.covers_from.as_micros() && seq <= self.archived.as_i64()
    }

    fn drops_from(&self, part: &Part) -> bool {
        let chunk = &part.chunk;
        self.drops(chunk.times_within.min, chunk.seqs_within.min)
            && (0..chunk.len()).any(|row| self.drops(chunk.times[row], chunk.seqs[row]) && part.is_live(row))
    }

    fn rest_of(&self, part: &Part) -> Option<Part> {
        let chunk = &part.chunk;
        if self.drops(chunk.times_within.max, chunk.seqs_within.max) {
            return None;
        }
        let mut builder = ChunkBuilder::default();
        for run in 0..chunk.runs.len() {
            let rows = chunk.run_rows(run);
            let series = chunk.runs[run].series;
            let mut start = rows.start;
            for row in rows.clone() {
                if self.drops(chunk.times[row], chunk.seqs[row]) {
                    builder.extend_from(part, series, start..row);
                    start = row + 1;
                }
            }
            builder.extend_from(part, series, start..rows.end);
        }
        builder.finish()
    }
}

/// The time before which at least `rows_to_drop` archived rows lie (all of them, if there are fewer); `None` when no row
/// is archived. Counts in ever finer buckets instead of sorting, so that it needs no memory to speak of.
fn oldest_time_kept(parts: &[Part], archived: Seq, rows_to_drop: usize) -> Option<Timestamp> {
    let archived = archived.as_i64();
    let parts = || parts.iter().filter(|part| part.chunk.seqs_within.min <= archived);
    let mut low = parts().map(|part| part.chunk.times_within.min).min()?;
    let mut high = parts().map(|part| part.chunk.times_within.max).max()?;
    let mut wanted = rows_to_drop.max(1);
    // A sixteenth more than wanted is near enough.
    let tolerance = rows_to_drop / 16;
    loop {
        let width = (high.abs_diff(low) / BUCKETS as u64 + 1) as i64;
        let mut counts = [0usize; BUCKETS];
        for part in parts() {
            let chunk = &part.chunk;
            for row in 0..chunk.len() {
                let time = chunk.times[row];
                if time >= low && time <= high && chunk.seqs[row] <= archived && part.is_live(row) {
                    counts[(time.abs_diff(low) / width as u64) as usize] += 1;
                }
            }
        }
        let mut before = 0;
        let reached = counts.iter().position(|&count| {
            before += count;
            before >= wanted
        });
        let bucket_end = |bucket: usize| low.saturating_add(width.saturating_mul(bucket as i64 + 1)).min(high + 1);
        let Some(bucket) = reached else {
            let last = counts.iter().rposition(|&count| count > 0)?;
            return Some(Timestamp::from_micros(bucket_end(last)));
        };
        if width == 1 || before - wanted <= tolerance {
            return Some(Timestamp::from_micros(bucket_end(bucket)));
        }
        wanted -= before - counts[bucket];
        (low, high) = (bucket_end(bucket) - width, bucket_end(bucket) - 1);
    }
}
