//! One bounded step of upkeep: delete, checkpoint, remember ranges, merge.
//!
//! Merging is size-tiered: files of one partition and one tier (each eight times the one before) are merged once there are
//! enough of them, so that a row is rewritten a handful of times in its life. It runs beside commits; when a commit takes
//! one of its sources away, its result is thrown away.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gwbank_store::{MaintenanceReport, Upkeep};

use super::commit::FileChange;
use super::files::{DataFile, Part, TableState};
use super::{Shared, Writer, log};
use crate::DeltaError;

/// Rows of the files of the lowest tier.
const TIER_ROWS: u64 = 4096;
/// How much larger the files of the next tier are.
const TIER_FACTOR: u64 = 8;
/// Under load so many times more files wait before they are merged: a merge costs as much as archiving its rows anew.
/// Measured at full load: 4 took 7 % of the CPU, and reading 64 files of a month in place of 32 costs a query milliseconds.
const UNDER_LOAD_FACTOR: usize = 8;
/// New files after which the cache of series ranges is written again: bounds the files that an opening reads.
const UNCOVERED_FILES_MAX: usize = 64;

impl Shared {
    pub(super) fn maintain(&self, upkeep: Upkeep) -> Result<MaintenanceReport, DeltaError> {
        let _one_at_a_time = self.maintaining.lock();
        let mut report = MaintenanceReport::default();
        let merge = {
            let mut writer = self.writer.lock();
            self.reload_if_needed(&mut writer)?;
            let state = self.state.read().clone();
            report.files_deleted = self.delete_removed(&mut writer, &state)?;
            self.save_ranges_if_due(&mut writer, &state)?;
            self.choose(&state, upkeep)
        };
        self.checkpoint_if_due()?;
        if let Some((part, sources)) = merge {
            self.merge_and_publish(part, &sources, &mut report)?;
        }
        Ok(report)
    }

    fn merge_and_publish(
        &self,
        part: Part,
        sources: &[Arc<DataFile>],
        report: &mut MaintenanceReport,
    ) -> Result<(), DeltaError> {
        let added = self.merge(part, sources)?; // the long part, without the writer
        let mut writer = self.writer.lock();
        let state = self.state.read().clone();
        if writer.must_reload || !sources.iter().all(|file| state.holds(file)) {
            self.discard(&added);
            return Ok(());
        }
        report.files_merged = sources.len();
        report.files_written = added.len();
        self.publish(
            &mut writer,
            &state,
            FileChange { removed: sources.to_vec(), added, ranges: state.ranges.clone() },
            None,
        )
    }

    /// The files to merge next.
    fn choose(&self, state: &TableState, upkeep: Upkeep) -> Option<(Part, Vec<Arc<DataFile>>)> {
        let rows_max = self.config.file_rows_max as u64;
        let files_min = self.config.merge_files_min.max(2);
        let files_min = if upkeep == Upkeep::UnderLoad { files_min * UNDER_LOAD_FACTOR } else { files_min };
        let mut best: Option<(Part, Vec<Arc<DataFile>>)> = None;
        for (&part, files) in &state.parts {
            let mut tiers: Vec<Vec<Arc<DataFile>>> = Vec::new();
            for file in files.iter().filter(|file| file.rows < rows_max) {
                let tier = (file.rows / TIER_ROWS).checked_ilog(TIER_FACTOR).map_or(0, |tier| tier as usize + 1);
                tiers.resize(tiers.len().max(tier + 1), Vec::new());
                tiers[tier].push(file.clone());
            }
            for mut tier in tiers.into_iter().filter(|tier| tier.len() >= files_min) {
                tier.sort_by_key(|file| (file.time.0, file.rows));
                let mut rows = 0;
                tier.retain(|file| {
                    rows += file.rows;
                    rows <= rows_max
                });
                let better = best.as_ref().is_none_or(|(_, chosen)| tier.len() > chosen.len());
                if tier.len() >= 2 && better {
                    best = Some((part, tier));
                }
            }
        }
        best
    }

    /// Deletes files that were removed long enough ago and that no snapshot holds.
    fn delete_removed(&self, writer: &mut Writer, state: &TableState) -> Result<usize, DeltaError> {
        let kept_micros = i64::try_from(self.config.removed_files_kept.as_micros()).unwrap_or(i64::MAX);
        let now = self.now_micros();
        let mut deleted = 0;
        let mut kept = VecDeque::new();
        for removed in writer.removed.drain(..) {
            if state.files().any(|file| file.path == removed.path) {
                continue; // named since
            }
            // Its own place in the queue is one holder.
            let held = removed.file.as_ref().is_some_and(|file| Arc::strong_count(file) > 1);
            if held || now.saturating_sub(removed.since_micros) < kept_micros {
                kept.push_back(removed);
                continue;
            }
            self.reader.forget(&removed.path);
            match self.disk.remove(&self.table.join(&removed.path)) {
                Ok(()) => deleted += 1,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(path = %removed.path, %error, "removed file cannot be deleted");
                    kept.push_back(removed);
                }
            }
        }
        writer.removed = kept;
        Ok(deleted)
    }

    /// After a commit: an import writes thousands of files and ends without any upkeep. The commit is done whatever
    /// happens here; without the cache the next opening only takes longer.
    pub(super) fn save_ranges_of_a_large_archive(&self, writer: &mut Writer) {
        let state = self.state.read().clone();
        let uncovered = writer.uncovered_files.unwrap_or_else(|| state.winners().count());
        if uncovered < UNCOVERED_FILES_MAX {
            return;
        }
        if let Err(error) = self.save_ranges_if_due(writer, &state) {
            tracing::warn!(%error, "series ranges are not saved");
        }
    }

    fn save_ranges_if_due(&self, writer: &mut Writer, state: &TableState) -> Result<(), DeltaError> {
        if writer.uncovered_files.is_some_and(|files| files < UNCOVERED_FILES_MAX) {
            return Ok(());
        }
        state.ranges.save(&self.disk, &self.config.dir, &self.config.names, state)?;
        writer.uncovered_files = Some(0);
        Ok(())
    }

    /// Beside commits: a checkpoint is of a version that is there.
    fn checkpoint_if_due(&self) -> Result<(), DeltaError> {
        let version = self.state.read().version;
        if version < self.writer.lock().checkpointed_version + self.config.checkpoint_commits.max(1) {
            return Ok(());
        }
        tokio::runtime::Handle::current().block_on(log::checkpoint(&self.disk, &self.table, version))?;
        self.writer.lock().checkpointed_version = version;
        Ok(())
    }
}

/// The directories of months below the table's.
pub(super) fn month_dirs(table: &Path) -> Result<Vec<PathBuf>, DeltaError> {
    let months = list(table)?.into_iter().filter(|(name, is_dir)| *is_dir && name.starts_with("month="));
    Ok(months.map(|(name, _)| table.join(name)).collect())
}

/// Every data file below the table's directory, as paths relative to it.
pub(super) fn files_on_disk(table: &Path) -> Result<Vec<String>, DeltaError> {
    let mut paths = Vec::new();
    for month in month_dirs(table)? {
        for (superseded, _) in list(&month)?.into_iter().filter(|(_, is_dir)| *is_dir) {
            let dir = month.join(superseded);
            let relative = dir.strip_prefix(table).unwrap_or(&dir).display().to_string();
            let files = list(&dir)?.into_iter().filter(|(name, _)| name.ends_with(".parquet"));
            paths.extend(files.map(|(name, _)| format!("{relative}/{name}")));
        }
    }
    Ok(paths)
}

/// The names in a directory, and whether they are directories.
fn list(dir: &Path) -> Result<Vec<(String, bool)>, DeltaError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(DeltaError::io("list", dir))? {
        let entry = entry.map_err(DeltaError::io("list", dir))?;
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        entries.push((entry.file_name().to_string_lossy().into_owned(), is_dir));
    }
    Ok(entries)
}
