//! One commit: decide what each row changes, write files, name them in one entry of the log.
//!
//! A row whose time lies outside the range of its series is new without a look. The others are looked up in the files of
//! their month, through row-group statistics and page index. New keys go to new files; a corrected key is replaced where
//! it lies by writing its file anew (copy on write), and the loser goes to `superseded = true`, all in one entry.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gwbank_model::versions::{Change, Outcome};
use gwbank_model::{Key, Month, MonthCursor, Origin, Row, Seq, runs_in_order};
use gwbank_store::{ArchiveCommit, CommitReport, RevisionRow, ScanRequest, StoredVersions};

use super::files::{DataFile, Part, TableState};
use super::log::{Entry, write_entry};
use super::ranges::SeriesRanges;
use super::read::KeySet;
use super::write::{PartRows, PartWriter};
use super::{Removed, Shared, Writer};
use crate::DeltaError;

/// What the archive knows of a key, and in which file its winner lies.
pub(crate) struct Found {
    pub versions: StoredVersions,
    pub file: Arc<DataFile>,
}

/// What a commit changes.
#[derive(Default)]
struct Decided<'a> {
    outcomes: Vec<Outcome>,
    winners: BTreeMap<Month, Cow<'a, [Row]>>,
    losers: BTreeMap<Month, Vec<RevisionRow>>,
    replaced: HashMap<String, Replacement>,
}

struct Replacement {
    file: Arc<DataFile>,
    winners: HashMap<Key, Row>,
}

/// Files that one entry of the log takes away and adds.
pub(super) struct FileChange {
    pub removed: Vec<Arc<DataFile>>,
    pub added: Vec<Arc<DataFile>>,
    /// Of the table with them.
    pub ranges: Arc<SeriesRanges>,
}

impl Decided<'_> {
    fn changes_nothing(&self) -> bool {
        self.winners.is_empty() && self.losers.is_empty() && self.replaced.is_empty()
    }
}

impl Shared {
    pub(super) fn commit(&self, commit: &ArchiveCommit) -> Result<CommitReport, DeltaError> {
        let mut writer = self.writer.lock();
        self.reload_if_needed(&mut writer)?;
        let state = self.state.read().clone();
        let decided = self.decide(&state, &commit.rows)?;
        let position = state.position.max(commit.through);
        if !decided.changes_nothing() || position > state.position {
            let Decided { winners, losers, replaced, .. } = &decided;
            let change = self.write_files(&state, winners, losers, replaced)?;
            self.publish(&mut writer, &state, change, Some(position))?;
            self.save_ranges_of_a_large_archive(&mut writer);
        }
        Ok(CommitReport { outcomes: decided.outcomes, refused: Vec::new() })
    }

    fn decide<'a>(&self, state: &TableState, rows: &'a [Row]) -> Result<Decided<'a>, DeltaError> {
        if let Some(winners) = certainly_new(&state.ranges, rows) {
            let outcomes = vec![Change::First.outcome(); rows.len()];
            return Ok(Decided { outcomes, winners, ..Decided::default() });
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_unstable_by_key(|&i| (rows[i].key(), rows[i].seq, i));
        let same_key = |a: &usize, b: &usize| rows[*a].key() == rows[*b].key();
        let perhaps_known =
            order.chunk_by(same_key).map(|group| rows[group[0]].key()).filter(|key| state.ranges.may_hold(*key));
        let mut found = self.find(state, perhaps_known)?;

        let mut decided = Decided { outcomes: vec![Outcome::Duplicate; rows.len()], ..Decided::default() };
        let mut months = MonthCursor::new(0);
        for group in order.chunk_by(same_key) {
            let key = rows[group[0]].key();
            let month = months.month(key.time);
            let found = found.remove(&key);
            let (mut known, file) = found.map_or((None, None), |found| (Some(found.versions), Some(found.file)));
            let revisions_before = known.as_ref().map_or(0, |versions| versions.revisions.len());
            let mut new_winner = false;
            for &i in group {
                let change = StoredVersions::take(&mut known, rows[i]);
                decided.outcomes[i] = change.outcome();
                new_winner |= matches!(change, Change::First | Change::Supersedes);
            }
            let Some(versions) = known else { continue };
            let losers = &versions.revisions[revisions_before..];
            if !losers.is_empty() {
                decided.losers.entry(month).or_default().extend_from_slice(losers);
            }
            match file {
                _ if !new_winner => {}
                None => decided.winners.entry(month).or_default().to_mut().push(versions.winner),
                Some(file) => {
                    let replacement = decided
                        .replaced
                        .entry(file.path.clone())
                        .or_insert_with(|| Replacement { file, winners: HashMap::new() });
                    replacement.winners.insert(key, versions.winner);
                }
            }
        }
        Ok(decided)
    }

    /// Everything known of some keys.
    pub(super) fn find(
        &self,
        state: &TableState,
        keys: impl Iterator<Item = Key>,
    ) -> Result<HashMap<Key, Found>, DeltaError> {
        let mut by_month: BTreeMap<Month, KeySet> = BTreeMap::new();
        let mut series = None;
        let mut months = MonthCursor::new(0);
        for key in keys {
            let month = months.month(key.time);
            if state.part(Part { month, superseded: false }).is_empty() {
                continue;
            }
            let name = &series.get_or_insert_with(|| self.config.names.series.keys())[key.series.0 as usize];
            by_month.entry(month).or_default().insert(name.well.as_str(), name.parameter, key.time);
        }
        let mut found: HashMap<Key, Found> = HashMap::new();
        for (month, mut keys) in by_month {
            let request = keys.request();
            let keys = Arc::new(keys);
            for file in files_for(state, Part { month, superseded: false }, &request) {
                for row in self.rows_of(file, &request, Some(&keys))? {
                    let versions = StoredVersions { winner: row, revisions: Vec::new() };
                    if found.insert(row.key(), Found { versions, file: file.clone() }).is_some() {
                        let problem = "holds a key that another file of winners holds";
                        return Err(DeltaError::StrangeFile { path: file.path.clone(), problem });
                    }
                }
            }
            for file in files_for(state, Part { month, superseded: true }, &request) {
                for revision in self.revisions_of(file, &request, Some(&keys))? {
                    let Some(found) = found.get_mut(&revision.row.key()) else {
                        let problem = "holds a loser without a winner";
                        return Err(DeltaError::StrangeFile { path: file.path.clone(), problem });
                    };
                    found.versions.revisions.push(revision);
                }
            }
        }
        for found in found.values_mut() {
            found.versions.revisions.sort_by_key(|revision| (revision.superseded_at, revision.row.seq));
            found.versions.restore_origins();
        }
        Ok(found)
    }

    fn part_writer(&self) -> PartWriter<'_> {
        PartWriter {
            table: &self.table,
            names: &self.config.names,
            disk: &self.disk,
            file_rows_max: self.config.file_rows_max,
            now_micros: self.now_micros(),
        }
    }

    /// Writes what a commit changes. Nothing stays when it fails.
    fn write_files(
        &self,
        state: &TableState,
        winners: &BTreeMap<Month, Cow<'_, [Row]>>,
        losers: &BTreeMap<Month, Vec<RevisionRow>>,
        replaced: &HashMap<String, Replacement>,
    ) -> Result<FileChange, DeltaError> {
        let part_writer = self.part_writer();
        let mut added: Vec<Arc<DataFile>> = Vec::new();
        let mut write_all = || {
            for (&month, rows) in winners {
                let rows = PartRows::Winners((&**rows).into());
                added.extend(part_writer.write(Part { month, superseded: false }, rows)?);
            }
            for replacement in replaced.values() {
                let rows = self.replace(replacement)?;
                added.extend(part_writer.write(replacement.file.part, PartRows::Winners(rows.into()))?);
            }
            for (&month, revisions) in losers {
                let rows = PartRows::Losers(revisions.into());
                added.extend(part_writer.write(Part { month, superseded: true }, rows)?);
            }
            Ok(())
        };
        let written: Result<(), DeltaError> = write_all();
        if let Err(error) = written {
            part_writer.discard(&added);
            return Err(error);
        }
        let removed = replaced.values().map(|replacement| replacement.file.clone()).collect();
        let ranges = state.ranges.with(winners.values().flat_map(|rows| rows.iter()));
        Ok(FileChange { removed, added, ranges: Arc::new(ranges) })
    }

    /// The rows of a file with some of them replaced.
    fn replace(&self, replacement: &Replacement) -> Result<Vec<Row>, DeltaError> {
        let Replacement { file, winners } = replacement;
        let mut rows = self.rows_of(file, &ScanRequest::all(), None)?;
        let mut replaced = 0;
        for row in &mut rows {
            if let Some(winner) = winners.get(&row.key()) {
                *row = *winner;
                replaced += 1;
            }
        }
        if replaced != winners.len() || rows.len() as u64 != file.rows {
            let problem = "does not hold the rows that it was found to hold";
            return Err(DeltaError::StrangeFile { path: file.path.clone(), problem });
        }
        Ok(rows)
    }

    /// Names files in one entry of the log and shows the new state.
    pub(super) fn publish(
        &self,
        writer: &mut Writer,
        state: &TableState,
        change: FileChange,
        position: Option<Seq>,
    ) -> Result<(), DeltaError> {
        let FileChange { removed, added, ranges } = change;
        let now_micros = self.now_micros();
        let entry = Entry { removed: &removed, added: &added, position };
        let version = state.version + 1;
        // Whether the entry is there after an error, only the disk knows; its files stay until that is known.
        write_entry(&self.disk, &self.table, version, &entry.actions(now_micros.div_euclid(1000)))
            .inspect_err(|_| writer.must_reload = true)?;
        let mut next = state.clone();
        next.version = version;
        next.position = position.unwrap_or(state.position);
        next.ranges = ranges;
        for file in removed {
            next.remove(&file);
            writer.removed.push_back(Removed { path: file.path.clone(), file: Some(file), since_micros: now_micros });
        }
        if let Some(uncovered) = &mut writer.uncovered_files {
            *uncovered += added.len();
        }
        added.into_iter().for_each(|file| next.add(file));
        *self.state.write() = Arc::new(next);
        Ok(())
    }

    /// Merges files of one partition into few. The sources stay as they are.
    pub(super) fn merge(&self, part: Part, sources: &[Arc<DataFile>]) -> Result<Vec<Arc<DataFile>>, DeltaError> {
        let (mut winners, mut losers) = (Vec::new(), Vec::new());
        for file in sources {
            if part.superseded {
                losers.append(&mut self.revisions_of(file, &ScanRequest::all(), None)?);
            } else {
                winners.append(&mut self.rows_of(file, &ScanRequest::all(), None)?);
            }
        }
        let rows = if part.superseded { PartRows::Losers(losers.into()) } else { PartRows::Winners(winners.into()) };
        let expected: u64 = sources.iter().map(|file| file.rows).sum();
        if rows.len() as u64 != expected {
            let path = sources.first().map(|file| file.path.clone()).unwrap_or_default();
            return Err(DeltaError::StrangeFile { path, problem: "does not hold as many rows as its entry says" });
        }
        self.part_writer().write(part, rows)
    }

    pub(super) fn discard(&self, files: &[Arc<DataFile>]) {
        self.part_writer().discard(files);
    }
}

/// The rows by month where every one is a key that the archive certainly does not have, each once: nearly every commit.
/// Nothing is looked up, and where they are of one month nothing is copied.
fn certainly_new<'a>(ranges: &SeriesRanges, rows: &'a [Row]) -> Option<BTreeMap<Month, Cow<'a, [Row]>>> {
    runs_in_order(rows, |row| row.series)?;
    if rows.iter().any(|row| row.origin != Origin::Received || ranges.may_hold(row.key())) {
        return None;
    }
    let mut months = MonthCursor::new(0);
    let Some(first) = rows.first().map(|row| months.month(row.time)) else { return Some(BTreeMap::new()) };
    if rows.iter().all(|row| months.month(row.time) == first) {
        return Some(BTreeMap::from([(first, Cow::Borrowed(rows))]));
    }
    let mut by_month: BTreeMap<Month, Vec<Row>> = BTreeMap::new();
    for row in rows {
        by_month.entry(months.month(row.time)).or_default().push(*row);
    }
    Some(by_month.into_iter().map(|(month, rows)| (month, Cow::Owned(rows))).collect())
}

fn files_for<'a>(
    state: &'a TableState,
    part: Part,
    request: &'a ScanRequest,
) -> impl Iterator<Item = &'a Arc<DataFile>> {
    state.part(part).iter().filter(move |file| file.may_hold(request))
}
