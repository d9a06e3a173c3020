//! The reading side: a state of the window that never changes.

use std::ops::Range;

use gwbank_model::{Key, Row, Seq, SeriesId, Timestamp, versions};

use crate::chunk::{Part, rank};
use crate::scan::{RowFilter, Slice};

#[derive(Debug)]
pub struct WindowSnapshot {
    parts: Vec<Part>,
    covers_from: Timestamp,
    applied: Seq,
    bytes: usize,
    rows: usize,
}

/// A version that lost its place (or never had it), and the version that was the winner then.
#[derive(Debug, Clone, Copy)]
pub struct Revision {
    pub row: Row,
    pub by: Row,
}

impl Revision {
    pub fn superseded_seq(&self) -> Seq {
        self.by.seq
    }
    /// When both versions were known.
    pub fn superseded_at(&self) -> Timestamp {
        self.since().received_at()
    }
    pub fn cause(&self) -> &'static str {
        versions::cause(&self.row, &self.by)
    }
    /// When both were there: an archive at this position or later has the revision.
    pub fn since(&self) -> Seq {
        self.row.seq.max(self.by.seq)
    }
}

/// Which version took the place of which, given all versions of one key: taken in the order of receipt, a version that
/// wins supersedes the winner so far, one that loses is superseded by the winner at that time. So what is superseded by
/// what never changes when more versions come.
pub fn supersessions(versions: &[Row]) -> Vec<Revision> {
    let mut in_order: Vec<&Row> = versions.iter().collect();
    in_order.sort_by_key(|row| (row.seq, row.origin as u8));
    let mut revisions = Vec::new();
    let mut winner: Option<&Row> = None;
    for row in in_order {
        match winner {
            Some(best) if rank(best) > rank(row) => revisions.push(Revision { row: *row, by: *best }),
            Some(best) => {
                revisions.push(Revision { row: *best, by: *row });
                winner = Some(row);
            }
            None => winner = Some(row),
        }
    }
    revisions
}

impl WindowSnapshot {
    pub(crate) fn new(parts: Vec<Part>, covers_from: Timestamp, applied: Seq, own_bytes: usize) -> Self {
        let bytes = own_bytes + parts.iter().map(Part::bytes).sum::<usize>();
        let rows = parts.iter().map(Part::live_rows).sum();
        Self { parts, covers_from, applied, bytes, rows }
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// From this time on the window alone answers.
    pub fn covers_from(&self) -> Timestamp {
        self.covers_from
    }

    /// The highest seq inserted.
    pub fn applied(&self) -> Seq {
        self.applied
    }

    /// Memory of all columns, runs and marks. Chunks that only older snapshots hold are not counted.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Versions held: winners, losers, pending.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Winners of a series within the window, from ≤ time < to, in time order. Of keys before `covers_from` these are
    /// the best versions that the archive may not have yet.
    pub fn series_rows(&self, series: SeriesId, from: Timestamp, to: Timestamp) -> Vec<Row> {
        let mut rows = Vec::new();
        for part in self.parts_within(from, to) {
            let range = part.chunk.within(part.chunk.series_rows(series), from, to);
            rows.extend(range.filter(|&row| part.is_winner(row)).map(|row| part.chunk.row(series, row)));
        }
        rows.sort_by_key(|row| row.time);
        rows
    }

    /// Winners of a series around a time, in time order: at most `before` earlier ones, the one at that very time if
    /// there is one, at most `after` later ones.
    pub fn neighbours(&self, series: SeriesId, at: Timestamp, before: usize, after: usize) -> Vec<Row> {
        let (mut earlier, mut rest) = (Vec::new(), Vec::new());
        let next = at.plus_micros(1);
        for part in &self.parts {
            let run = part.chunk.series_rows(series);
            if run.is_empty() {
                continue;
            }
            let here = part.chunk.within(run.clone(), at, next);
            let winner = |row: &usize| part.is_winner(*row);
            let fetch = |row: usize| part.chunk.row(series, row);
            earlier.extend((run.start..here.start).rev().filter(winner).take(before).map(fetch));
            let here_or_later = (here.start..run.end).filter(winner);
            rest.extend(here_or_later.take(after + 1).map(fetch));
        }
        earlier.sort_by_key(|row| row.time);
        rest.sort_by_key(|row| row.time);
        let mut rows = earlier.split_off(earlier.len().saturating_sub(before));
        let has_itself = rest.first().is_some_and(|row: &Row| row.time == at);
        rest.truncate(after + usize::from(has_itself));
        rows.extend(rest);
        rows
    }

    /// The winner with the latest time.
    pub fn latest(&self, series: SeriesId) -> Option<Row> {
        let mut latest: Option<Row> = None;
        for part in self.parts.iter().rev() {
            let beaten = |row: &Row| row.time.as_micros() >= part.chunk.times_within.max;
            if latest.as_ref().is_some_and(beaten) {
                continue;
            }
            if let Some(row) = part.chunk.series_rows(series).rev().find(|&row| part.is_winner(row)) {
                let row = part.chunk.row(series, row);
                if latest.as_ref().is_none_or(|best| row.time > best.time) {
                    latest = Some(row);
                }
            }
        }
        latest
    }

    /// Every version of a key that the window holds, in the order of receipt.
    pub fn versions(&self, key: Key) -> Vec<Row> {
        let mut versions: Vec<Row> = Vec::new();
        for part in &self.parts {
            let rows = part.chunk.key_rows(key).filter(|&row| part.is_live(row));
            versions.extend(rows.map(|row| part.chunk.row(key.series, row)));
        }
        versions.sort_by_key(|row| (row.seq, row.origin as u8));
        versions
    }

    /// Winners at or after `covers_from`, as sorted slices; each key is in one of them.
    pub fn scan(&self, filter: &RowFilter) -> Vec<Slice> {
        let from = filter.from.unwrap_or(Timestamp::MIN).max(self.covers_from);
        let to = filter.to.unwrap_or(Timestamp::MAX);
        self.parts_within(from, to)
            .map(|part| Slice::new(part.clone(), from, filter.to, filter.series.clone()))
            .collect()
    }

    /// The best version of each key before `covers_from` among those that the archive does not have.
    pub fn pending(&self, archived: Seq) -> Vec<Row> {
        let versions = self.pending_versions(archived);
        versions
            .chunk_by(|a, b| a.key() == b.key())
            .filter_map(|versions| versions.iter().copied().max_by_key(rank))
            .collect()
    }

    /// Every version before `covers_from` that the archive does not have, by key, then in the order of receipt.
    pub fn pending_versions(&self, archived: Seq) -> Vec<Row> {
        let mut rows = Vec::new();
        let covers_from = self.covers_from.as_micros();
        for part in self.parts.iter().filter(|part| part.chunk.seqs_within.max > archived.as_i64()) {
            if part.chunk.times_within.min >= covers_from {
                continue;
            }
            part.for_each(
                |chunk, row| chunk.times[row] < covers_from && chunk.seqs[row] > archived.as_i64(),
                |row, _| rows.push(row),
            );
        }
        rows.sort_by_key(crate::chunk::chunk_order);
        rows
    }

    /// Superseded versions of keys at or after `covers_from` that an archive at the position `after` does not have
    /// (all of them for [`Seq::ZERO`]), by key, then in the order of receipt.
    pub fn revisions(&self, after: Seq) -> Vec<Revision> {
        let covers_from = self.covers_from.as_micros();
        let mut keys: Vec<Key> = Vec::new();
        for part in self.parts.iter().filter(|part| !part.losers.is_empty()) {
            part.for_each(
                |chunk, row| chunk.times[row] >= covers_from && part.losers.contains(row),
                |row, _| keys.push(row.key()),
            );
        }
        keys.sort_unstable();
        keys.dedup();
        let all = keys.into_iter().flat_map(|key| supersessions(&self.versions(key)));
        all.filter(|revision| revision.since() > after).collect()
    }

    /// Every version, winner or not, with after < seq ≤ through: what the archive is to be given. By key, then in the
    /// order of receipt.
    pub fn unarchived(&self, after: Seq, through: Seq) -> Vec<Row> {
        let wanted = |seq: i64| seq > after.as_i64() && seq <= through.as_i64();
        // Each part is in order; so the rows are, if no two parts have the same stretch of a series.
        let mut runs: Vec<(SeriesId, &Part, Range<usize>)> = Vec::new();
        for part in &self.parts {
            let within = part.chunk.seqs_within;
            if within.max > after.as_i64() && within.min <= through.as_i64() {
                runs.extend(part.chunk.series_within(None).map(|(series, rows)| (series, part, rows)));
            }
        }
        runs.sort_by_key(|(series, part, rows)| (*series, part.chunk.times[rows.start]));
        let are_apart = runs.windows(2).all(|pair| {
            let ((series, part, rows), (next_series, next_part, next_rows)) = (&pair[0], &pair[1]);
            series != next_series || part.chunk.times[rows.end - 1] < next_part.chunk.times[next_rows.start]
        });
        // One allocation: it is large, and to grow would be to copy it.
        let mut unarchived = Vec::with_capacity(runs.iter().map(|(_, _, rows)| rows.len()).sum());
        for (series, part, rows) in runs {
            let rows = rows.filter(|&row| wanted(part.chunk.seqs[row]) && part.is_live(row));
            unarchived.extend(rows.map(|row| part.chunk.row(series, row)));
        }
        if !are_apart {
            unarchived.sort_by_key(crate::chunk::chunk_order);
        }
        unarchived
    }

    fn parts_within(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| {
            let within = part.chunk.times_within;
            within.max >= from.as_micros() && (within.min < to.as_micros() || to == Timestamp::MAX)
        })
    }
}
