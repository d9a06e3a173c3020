//! The writing side: classify, insert, publish.

use std::ops::Range;
use std::sync::Arc;

use gwbank_model::versions::{Change, compare};
use gwbank_model::{Key, Origin, Row, Seq, SeriesId, Timestamp, runs_in_order};
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::chunk::{ChunkBuilder, Part, Place, chunk_order, rank};
use crate::evict::{self, Eviction};
use crate::merge::{CHUNK_ROWS_MAX, merge_tail};
use crate::snapshot::WindowSnapshot;

/// What the window can say of an incoming version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classified {
    /// Exact: every version of the key was known, or one that settles it.
    New(Change),
    /// The key is older than `covers_from`: what it changes the archive must say. To be inserted.
    Pending,
}

/// The recent window; clones share it. One writer by convention (`classify`, then `insert`), any readers.
#[derive(Debug, Clone)]
pub struct Window(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    writer: Mutex<Writer>,
    /// Held for the time of cloning or replacing an `Arc`, never while the writer works.
    published: Mutex<Arc<WindowSnapshot>>,
}

#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) parts: Vec<Part>,
    pub(crate) covers_from: Timestamp,
    applied: Seq,
    /// For each series the latest time that the window has ever had, or later: what is newer is certainly new.
    latest_times: Vec<i64>,
}

/// Where a version lies.
#[derive(Debug, Clone, Copy)]
struct Position {
    part: usize,
    row: usize,
    rank: (u32, Seq, u8),
}

impl Window {
    pub fn new(bytes_max: usize, covers_from: Timestamp) -> Self {
        let writer = Writer { parts: Vec::new(), covers_from, applied: Seq::ZERO, latest_times: Vec::new() };
        let published = Mutex::new(Arc::new(writer.snapshot()));
        Self(Arc::new(Shared { bytes_max, writer: Mutex::new(writer), published }))
    }

    /// What each row changes, in order; later rows see earlier rows of the same call. Changes nothing.
    pub fn classify(&self, rows: &[Row]) -> Vec<Classified> {
        self.0.writer.lock().classify(rows)
    }

    /// Takes rows that [`Self::classify`] did not call known or duplicate, with their quality. A row with the key, seq
    /// and origin of one that is there replaces it without a trace. Publishes one snapshot.
    pub fn insert(&self, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        let mut writer = self.0.writer.lock();
        writer.insert(rows);
        self.publish(&writer);
    }

    /// Makes the judgements that came after `sealed` what they will stay: a requalified version gets the seq `through`, so
    /// that it is the same whichever reading brought it about; one that no longer says anything else than the version
    /// before it, or that another version has beaten, goes. Returns the winners of the keys.
    pub fn settle_judgements(&self, keys: &[Key], sealed: Seq, through: Seq) -> Vec<Row> {
        let mut writer = self.0.writer.lock();
        let settled: Vec<Row> = keys.iter().filter_map(|key| writer.settle_judgement(*key, sealed, through)).collect();
        writer.insert(settled);
        self.publish(&writer);
        keys.iter().filter_map(|key| writer.winner(*key)).collect()
    }

    /// Takes versions and the judgements of them away as if they had never come; what they had beaten wins again.
    pub fn withdraw(&self, rows: &[Row]) {
        let mut writer = self.0.writer.lock();
        rows.iter().for_each(|row| writer.withdraw(row));
        self.publish(&writer);
    }

    /// Fills the window from the archive: winners and the versions that lost, every version of a key. What is there
    /// already stays as it is.
    pub fn load_archived(&self, winners: Vec<Row>, revisions: Vec<Row>) {
        let mut writer = self.0.writer.lock();
        let mut rows = winners;
        rows.extend(revisions);
        rows.retain(|row| !writer.holds(row));
        writer.insert(rows);
        self.publish(&writer);
    }

    /// Says from which time on the window knows every version of every key.
    pub fn set_covers_from(&self, covers_from: Timestamp) {
        let mut writer = self.0.writer.lock();
        writer.covers_from = covers_from;
        self.publish(&writer);
    }

    /// The present state; a reader keeps it as long as it likes.
    pub fn snapshot(&self) -> Arc<WindowSnapshot> {
        self.0.published.lock().clone()
    }

    /// Lets go of what the archive has (`seq` ≤ `archived`): pending rows always; when the window is over its bound also
    /// the rows of the oldest keys, raising `covers_from`. What the archive does not have stays, whatever the bound.
    pub fn evict(&self, archived: Seq) -> Eviction {
        // The costly part works on a snapshot; the writer is held up only where it changed a chunk meanwhile.
        let before = self.snapshot();
        let mut plan = evict::plan(&before, archived, self.0.bytes_max);
        let mut writer = self.0.writer.lock();
        writer.covers_from = writer.covers_from.max(plan.covers_from);
        let covers_from = writer.covers_from;
        let rows_dropped = plan.apply(&mut writer.parts, covers_from);
        if rows_dropped > 0 {
            writer.settle_pending_winners();
        }
        self.publish(&writer);
        let after = self.snapshot();
        Eviction { rows_dropped, bytes: after.bytes(), covers_from }
    }

    /// Memory of all rows, exact; see [`WindowSnapshot::bytes`].
    pub fn bytes(&self) -> usize {
        self.snapshot().bytes()
    }

    pub fn bytes_max(&self) -> usize {
        self.0.bytes_max
    }

    /// Versions held.
    pub fn rows(&self) -> usize {
        self.snapshot().rows()
    }

    fn publish(&self, writer: &Writer) {
        let snapshot = Arc::new(writer.snapshot());
        // The former snapshot is dropped after the lock is free: the last owner frees its chunks.
        let _former = std::mem::replace(&mut *self.0.published.lock(), snapshot);
    }
}

impl Writer {
    fn snapshot(&self) -> WindowSnapshot {
        let own_bytes = self.latest_times.capacity() * size_of::<i64>();
        WindowSnapshot::new(self.parts.clone(), self.covers_from, self.applied, own_bytes)
    }

    fn latest_time(&self, series: SeriesId) -> i64 {
        self.latest_times.get(series.0 as usize).copied().unwrap_or(i64::MIN)
    }

    fn raise_latest_time(&mut self, series: SeriesId, time: i64) {
        let index = series.0 as usize;
        if index >= self.latest_times.len() {
            self.latest_times.resize(index + 1, i64::MIN);
        }
        self.latest_times[index] = self.latest_times[index].max(time);
    }

    fn positions(&self, key: Key) -> Vec<Position> {
        let mut positions = Vec::new();
        if key.time.as_micros() > self.latest_time(key.series) {
            return positions;
        }
        for (index, part) in self.parts.iter().enumerate() {
            for row in part.chunk.key_rows(key).filter(|&row| part.is_live(row)) {
                let rank = rank(&part.chunk.row(key.series, row));
                positions.push(Position { part: index, row, rank });
            }
        }
        positions
    }

    fn versions(&self, key: Key) -> Vec<Row> {
        self.positions(key).iter().map(|p| self.parts[p.part].chunk.row(key.series, p.row)).collect()
    }

    fn winner(&self, key: Key) -> Option<Row> {
        self.versions(key).into_iter().max_by_key(rank)
    }

    /// Takes away the judgement of a key that came after `sealed`; gives it back with its last seq if it is to stay.
    fn settle_judgement(&mut self, key: Key, sealed: Seq, through: Seq) -> Option<Row> {
        let came_after = |row: &Row| row.origin == Origin::Requalified && row.seq > sealed;
        let mut judgement = None;
        for Position { part, row, .. } in self.positions(key) {
            let part = &mut self.parts[part];
            let version = part.chunk.row(key.series, row);
            if came_after(&version) {
                part.dead.insert(row, part.chunk.len());
                part.losers.remove(row);
                judgement = Some(version);
            }
        }
        let left = self.positions(key);
        self.mark_losers(&left, left.iter().map(|position| position.rank).max());
        let judgement = judgement?;
        let stays = self.winner(key).is_none_or(|winner| {
            let differs = (winner.quality, winner.qc_tests) != (judgement.quality, judgement.qc_tests);
            differs && rank(&winner) < rank(&judgement)
        });
        stays.then_some(Row { seq: through, ..judgement })
    }

    fn withdraw(&mut self, row: &Row) {
        for Position { part, row: place, .. } in self.positions(row.key()) {
            let part = &mut self.parts[part];
            let version = part.chunk.row(row.series, place);
            let judges =
                version.origin == Origin::Requalified && version.revision == row.revision && version.same_content(row);
            if same_version(&version, row) || judges {
                part.dead.insert(place, part.chunk.len());
                part.losers.remove(place);
            }
        }
        let left = self.positions(row.key());
        self.mark_losers(&left, left.iter().map(|position| position.rank).max());
    }

    fn holds(&self, row: &Row) -> bool {
        self.versions(row.key()).iter().any(|version| same_version(version, row))
    }

    fn classify(&self, rows: &[Row]) -> Vec<Classified> {
        let mut classified = Vec::with_capacity(rows.len());
        // Latest times within this call, and (only once a row is not newer than those) its accepted versions by key.
        let others = HashMap::with_capacity_and_hasher(SERIES_OF_A_CALL, foldhash::fast::RandomState::default());
        let mut latest_here = LatestTimes { writer: self, run: None, others };
        let mut accepted: Option<HashMap<Key, Vec<usize>, foldhash::fast::RandomState>> = None;
        for (index, row) in rows.iter().enumerate() {
            let certainly_new = latest_here.raise(row);
            let verdict = if certainly_new {
                self.verdict(&[], row)
            } else {
                let accepted = accepted.get_or_insert_with(|| accepted_so_far(&rows[..index], &classified));
                let mut known = self.versions(row.key());
                let earlier = accepted.get(&row.key()).into_iter().flatten();
                for &earlier in earlier {
                    known.retain(|version| !same_version(version, &rows[earlier]));
                    known.push(rows[earlier]);
                }
                self.verdict(&known, row)
            };
            if let Some(accepted) = &mut accepted
                && verdict.is_stored()
            {
                accepted.entry(row.key()).or_default().push(index);
            }
            classified.push(verdict);
        }
        classified
    }

    fn verdict(&self, known: &[Row], row: &Row) -> Classified {
        let change = compare(known, row);
        if row.time >= self.covers_from {
            return Classified::New(change);
        }
        match (change, row.origin) {
            (Change::Known, _) => Classified::New(change),
            // A content that the key has had is one, whatever else the archive knows. Not so the judgement of a winner,
            // which the archive may have.
            (Change::Duplicate, Origin::Received) => Classified::New(change),
            _ => Classified::Pending,
        }
    }

    fn insert(&mut self, mut rows: Vec<Row>) {
        let mut builder = ChunkBuilder::with_capacity(rows.len().min(CHUNK_ROWS_MAX));
        // Runs that do not overlap and begin after all that is known hold new keys only.
        let is_new = |run: &Range<usize>| {
            let first = &rows[run.start];
            first.time.as_micros() > self.latest_time(first.series)
        };
        match runs_in_order(&rows, |row| row.series).filter(|runs| runs.iter().all(is_new)) {
            Some(runs) => self.insert_new(&rows, &runs, &mut builder),
            None => {
                rows.sort_by_key(chunk_order); // stable: of a version that is given twice the later one counts
                self.insert_any(&rows, &mut builder);
            }
        }
        self.parts.extend(builder.finish());
        merge_tail(&mut self.parts);
        let newest = rows.iter().map(|row| row.seq).max().unwrap_or(Seq::ZERO);
        self.applied = self.applied.max(newest);
    }

    /// Rows of keys that are certainly new: nothing is looked up.
    fn insert_new(&mut self, rows: &[Row], runs: &[Range<usize>], builder: &mut ChunkBuilder) {
        for run in runs {
            for row in &rows[run.clone()] {
                builder.push(row, Place::Winner);
            }
            let last = &rows[run.end - 1];
            self.raise_latest_time(last.series, last.time.as_micros());
            if builder.len() >= CHUNK_ROWS_MAX {
                self.parts.extend(std::mem::take(builder).finish());
            }
        }
    }

    /// Rows in the order of a chunk.
    fn insert_any(&mut self, rows: &[Row], builder: &mut ChunkBuilder) {
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let key = first.key();
            let (group, after) = rest.split_at(rest.partition_point(|row| row.key() == key));
            rest = after;
            self.insert_versions(key, group, builder);
            self.raise_latest_time(key.series, key.time.as_micros());
            if builder.len() >= CHUNK_ROWS_MAX {
                self.parts.extend(std::mem::take(builder).finish());
            }
        }
    }

    /// `group`: versions of one key, sorted by (seq, origin).
    fn insert_versions(&mut self, key: Key, group: &[Row], builder: &mut ChunkBuilder) {
        let mut known = self.positions(key);
        if let ([row], true) = (group, known.is_empty()) {
            builder.push(row, Place::Winner);
            return;
        }
        known.retain(|position| {
            let part = &mut self.parts[position.part];
            let version = part.chunk.row(key.series, position.row);
            let replaced = group.iter().any(|row| same_version(row, &version));
            if replaced {
                part.dead.insert(position.row, part.chunk.len());
                part.losers.remove(position.row);
            }
            !replaced
        });
        let best = known.iter().map(|p| p.rank).chain(group.iter().map(rank)).max();
        self.mark_losers(&known, best);
        for (index, row) in group.iter().enumerate() {
            let given_again = group.get(index + 1).is_some_and(|next| same_version(next, row));
            if !given_again {
                builder.push(row, if Some(rank(row)) == best { Place::Winner } else { Place::Loser });
            }
        }
    }

    fn mark_losers(&mut self, versions: &[Position], best: Option<(u32, Seq, u8)>) {
        for version in versions {
            let part = &mut self.parts[version.part];
            if Some(version.rank) == best {
                part.losers.remove(version.row);
            } else {
                part.losers.insert(version.row, part.chunk.len());
            }
        }
    }

    /// After the archived versions of a pending key are gone, the best of those that are left is its winner here.
    fn settle_pending_winners(&mut self) {
        let covers_from = self.covers_from.as_micros();
        let mut keys: Vec<Key> = Vec::new();
        for part in
            self.parts.iter().filter(|part| part.chunk.times_within.min < covers_from && !part.losers.is_empty())
        {
            let lost_and_pending =
                |chunk: &crate::chunk::Chunk, row: usize| chunk.times[row] < covers_from && part.losers.contains(row);
            part.for_each(lost_and_pending, |row, _| keys.push(row.key()));
        }
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let versions = self.positions(key);
            let best = versions.iter().map(|p| p.rank).max();
            self.mark_losers(&versions, best);
        }
    }
}

impl Classified {
    /// Whether the row is to be inserted.
    pub const fn is_stored(self) -> bool {
        matches!(self, Self::Pending | Self::New(Change::First | Change::Supersedes | Change::Loses))
    }
}

/// A few messages are of so many series.
const SERIES_OF_A_CALL: usize = 64;

/// The latest times of series while the rows of one call are classified. Rows of a series come in runs, and a look into
/// a table costs more than the rest of the verdict.
struct LatestTimes<'w> {
    writer: &'w Writer,
    run: Option<(SeriesId, i64)>,
    others: HashMap<SeriesId, i64, foldhash::fast::RandomState>,
}

impl LatestTimes<'_> {
    /// Whether the row is later than everything of its series.
    fn raise(&mut self, row: &Row) -> bool {
        let time = row.time.as_micros();
        let latest = match self.run {
            Some((series, latest)) if series == row.series => latest,
            before => {
                self.others.extend(before);
                let known = self.others.get(&row.series).copied();
                known.unwrap_or_else(|| self.writer.latest_time(row.series))
            }
        };
        self.run = Some((row.series, latest.max(time)));
        time > latest
    }
}

fn accepted_so_far(rows: &[Row], classified: &[Classified]) -> HashMap<Key, Vec<usize>, foldhash::fast::RandomState> {
    let mut accepted: HashMap<Key, Vec<usize>, _> = HashMap::default();
    for (index, (row, verdict)) in rows.iter().zip(classified).enumerate() {
        if verdict.is_stored() {
            accepted.entry(row.key()).or_default().push(index);
        }
    }
    accepted
}

/// One version is told from another of its key by these.
pub(crate) fn same_version(a: &Row, b: &Row) -> bool {
    a.seq == b.seq && a.origin == b.origin
}
