//! Merging chunks by tiers, so that there are few of them and each row is moved a few times only.

use std::ops::Range;

use gwbank_model::SeriesId;

use crate::chunk::{ChunkBuilder, Part};

/// Rows of a chunk at most. Bounds the work of one merge (a few milliseconds), the copy of a mark (32 KiB) and what an
/// eviction rebuilds at a time; large enough that 100 million rows are some hundred chunks.
pub(crate) const CHUNK_ROWS_MAX: usize = 1 << 18;

/// How many chunks a merge takes at least: more merges at once move a row less often, but leave more chunks to look into.
const FAN_IN: usize = 4;

/// Merges newest chunks that are together at least as large as the one before them.
pub(crate) fn merge_tail(parts: &mut Vec<Part>) {
    let mut start = parts.len();
    let mut rows = 0;
    while start > 0 {
        let candidate = parts[start - 1].live_rows();
        let fits = rows + candidate <= CHUNK_ROWS_MAX;
        if !fits || (rows > 0 && candidate > rows) {
            break;
        }
        rows += candidate;
        start -= 1;
    }
    if parts.len() - start >= FAN_IN {
        let merged = merge(&parts[start..]);
        parts.truncate(start);
        parts.extend(merged);
    }
}

/// Merges neighbours that an eviction left small.
pub(crate) fn merge_small(parts: &mut Vec<Part>) {
    const SMALL: usize = CHUNK_ROWS_MAX / 8;
    let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
    let mut group: Vec<Part> = Vec::new();
    let mut group_rows = 0;
    for part in parts.drain(..) {
        let rows = part.live_rows();
        if rows >= SMALL || group_rows + rows > CHUNK_ROWS_MAX {
            close_group(&mut group, &mut merged);
            group_rows = 0;
        }
        if rows >= SMALL {
            merged.push(part);
        } else {
            group_rows += rows;
            group.push(part);
        }
    }
    close_group(&mut group, &mut merged);
    *parts = merged;
}

fn close_group(group: &mut Vec<Part>, merged: &mut Vec<Part>) {
    // Fewer than a fan-in are left to the tiers.
    if group.len() >= FAN_IN {
        merged.extend(merge(group));
        group.clear();
    } else {
        merged.append(group);
    }
}

/// All live rows of some parts as one; `None` when none is left.
pub(crate) fn merge(parts: &[Part]) -> Option<Part> {
    let mut builder = ChunkBuilder::with_capacity(parts.iter().map(Part::live_rows).sum());
    let mut next_run = vec![0usize; parts.len()];
    let mut sources: Vec<(&Part, Range<usize>)> = Vec::with_capacity(parts.len());
    let head = |part: &Part, run: usize| part.chunk.runs.get(run).map(|run| run.series);
    while let Some(series) = parts.iter().zip(&next_run).filter_map(|(part, &run)| head(part, run)).min() {
        sources.clear();
        for (part, run) in parts.iter().zip(&mut next_run) {
            if head(part, *run) == Some(series) {
                sources.push((part, part.chunk.run_rows(*run)));
                *run += 1;
            }
        }
        append_series(&mut builder, series, &mut sources);
    }
    builder.finish()
}

fn append_series(builder: &mut ChunkBuilder, series: SeriesId, sources: &mut [(&Part, Range<usize>)]) {
    sources.sort_by_key(|(part, rows)| part.chunk.times[rows.start]);
    let one_after_another = sources
        .windows(2)
        .all(|pair| pair[0].0.chunk.times[pair[0].1.end - 1] < pair[1].0.chunk.times[pair[1].1.start]);
    if one_after_another {
        for (part, rows) in sources {
            builder.extend_from(part, series, rows.clone());
        }
        return;
    }
    let mut rows: Vec<(&Part, usize)> = sources
        .iter()
        .flat_map(|(part, rows)| rows.clone().map(move |row| (*part, row)))
        .filter(|(part, row)| part.is_live(*row))
        .collect();
    rows.sort_by_key(|(part, row)| {
        let chunk = &part.chunk;
        (chunk.times[*row], chunk.seqs[*row], chunk.attributes[*row].origin() as u8)
    });
    for (part, row) in rows {
        builder.push_from(part, series, row);
    }
}
