//! From when to when each series has archived rows: what tells a commit that a row is new without reading a file.
//!
//! Ranges only grow, as keys never leave the archive, and one that is too wide costs a look-up, never an answer. They are
//! kept in a file together with the names of the data files they cover; files that it does not name are read at open.
//! The file is a cache: without it, or when it cannot be understood, every file is read.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use gwbank_model::{Key, Parameter, Row, SeriesId, Timestamp, WellId};
use gwbank_store::RowNames;
use serde::{Deserialize, Serialize};

use super::disk::ArchiveDisk;
use super::files::TableState;
use crate::DeltaError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: i64,
    last: i64,
}

/// By number of the series, as one version of the table has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeriesRanges(Vec<Option<Range>>);

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    files: HashSet<String>,
    /// well, parameter, first, last
    series: Vec<(String, String, i64, i64)>,
}

const FORMAT: u32 = 1;

impl SeriesRanges {
    pub fn may_hold(&self, key: Key) -> bool {
        let range = self.0.get(key.series.0 as usize).copied().flatten();
        range.is_some_and(|range| (range.first..=range.last).contains(&key.time.as_micros()))
    }

    /// The latest time of each series.
    pub fn ends(&self) -> impl Iterator<Item = (SeriesId, Timestamp)> {
        let series = self.0.iter().enumerate();
        series.filter_map(|(index, range)| {
            range.map(|range| (SeriesId(index as u32), Timestamp::from_micros(range.last)))
        })
    }

    pub fn with<'a>(&self, rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut ranges = self.clone();
        ranges.widen(rows);
        ranges
    }

    pub fn widen<'a>(&mut self, rows: impl IntoIterator<Item = &'a Row>) {
        for row in rows {
            self.widen_to(row.series, row.time.as_micros(), row.time.as_micros());
        }
    }

    fn widen_to(&mut self, series: SeriesId, first: i64, last: i64) {
        let index = series.0 as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, None);
        }
        let range = self.0[index].get_or_insert(Range { first, last });
        range.first = range.first.min(first);
        range.last = range.last.max(last);
    }

    fn path(dir: &Path) -> PathBuf {
        dir.join("series_ranges.json")
    }

    /// The stored ranges and the data files that they cover.
    pub fn load(dir: &Path, names: &RowNames) -> Option<(SeriesRanges, HashSet<String>)> {
        let stored: Stored = serde_json::from_slice(&fs::read(Self::path(dir)).ok()?).ok()?;
        if stored.format != FORMAT {
            return None;
        }
        let mut ranges = SeriesRanges::default();
        for (well, parameter, first, last) in stored.series {
            let series = names.series.intern(&WellId::new(&well).ok()?, Parameter::from_name(&parameter)?);
            ranges.widen_to(series, first, last);
        }
        Some((ranges, stored.files))
    }

    pub fn save(&self, disk: &ArchiveDisk, dir: &Path, names: &RowNames, state: &TableState) -> Result<(), DeltaError> {
        let keys = names.series.keys();
        let series = self.0.iter().enumerate().filter_map(|(index, range)| {
            let (key, range) = (&keys[index], (*range)?);
            Some((key.well.as_str().to_owned(), key.parameter.name().to_owned(), range.first, range.last))
        });
        let files = state.winners().map(|file| file.path.clone()).collect();
        let stored = Stored { format: FORMAT, files, series: series.collect() };
        let path = Self::path(dir);
        let prepared = path.with_extension("json.tmp");
        let text = serde_json::to_string(&stored).unwrap_or_default();
        disk.write_synced(&prepared, text.as_bytes()).map_err(DeltaError::io("write", &prepared))?;
        disk.rename(&prepared, &path).map_err(DeltaError::io("name", &path))?;
        disk.sync_dir(dir).map_err(DeltaError::io("sync directory", dir))
    }
}
