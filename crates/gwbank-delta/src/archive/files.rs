//! The files of the table, as the log describes them and as memory holds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use gwbank_model::{Month, Seq, Timestamp};
use gwbank_store::ScanRequest;
use serde_json::{Value, json};

use super::ranges::SeriesRanges;
use crate::DeltaError;

/// One Parquet file. All bounds are inclusive and exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFile {
    /// Relative to the table, with `/`.
    pub path: String,
    pub part: Part,
    pub rows: u64,
    pub bytes: u64,
    pub time: (Timestamp, Timestamp),
    pub wells: (String, String),
}

/// A partition of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Part {
    /// UTC.
    pub month: Month,
    pub superseded: bool,
}

impl Part {
    pub fn dir(self) -> String {
        format!("month={}/superseded={}", self.month, self.superseded)
    }

    fn parse(path: &str) -> Option<Part> {
        let mut levels = path.split('/');
        let month = Month::parse(levels.next()?.strip_prefix("month=")?)?;
        let superseded = levels.next()?.strip_prefix("superseded=")?.parse().ok()?;
        Some(Part { month, superseded })
    }

    fn values(self) -> Value {
        json!({"month": self.month.to_string(), "superseded": self.superseded.to_string()})
    }
}

impl DataFile {
    /// From what the log says.
    pub fn from_log(path: String, bytes: u64, stats: Option<&str>) -> Result<DataFile, DeltaError> {
        let strange = |problem| DeltaError::StrangeFile { path: path.clone(), problem };
        let part = Part::parse(&path).ok_or_else(|| strange("does not lie in a partition of readings"))?;
        let stats: Value =
            stats.and_then(|text| serde_json::from_str(text).ok()).ok_or_else(|| strange("has no statistics"))?;
        let bound = |which: &str, column: &str| stats[which][column].as_str();
        let time = |which| bound(which, "time").and_then(Timestamp::parse_rfc3339);
        let well = |which| bound(which, "well_id").map(str::to_owned);
        let known = || {
            Some((
                stats["numRecords"].as_u64()?,
                (time("minValues")?, time("maxValues")?),
                (well("minValues")?, well("maxValues")?),
            ))
        };
        let (rows, time, wells) = known().ok_or_else(|| strange("has no statistics of well and time"))?;
        Ok(DataFile { part, rows, bytes, time, wells, path })
    }

    pub fn add_action(&self, now_ms: i64, change: DataChange) -> Value {
        let stats = json!({
            "numRecords": self.rows,
            "minValues": {"well_id": self.wells.0, "time": self.time.0.to_rfc3339(0)},
            "maxValues": {"well_id": self.wells.1, "time": self.time.1.to_rfc3339(0)},
            "nullCount": {"well_id": 0, "time": 0},
        });
        json!({"add": {
            "path": self.path,
            "partitionValues": self.part.values(),
            "size": self.bytes,
            "modificationTime": now_ms,
            "dataChange": change == DataChange::Yes,
            "stats": stats.to_string(),
        }})
    }

    pub fn remove_action(&self, now_ms: i64, change: DataChange) -> Value {
        json!({"remove": {
            "path": self.path,
            "deletionTimestamp": now_ms,
            "dataChange": change == DataChange::Yes,
            "extendedFileMetadata": true,
            "partitionValues": self.part.values(),
            "size": self.bytes,
        }})
    }

    /// Whether all rows of the file lie in the time of a request.
    pub fn is_within(&self, request: &ScanRequest) -> bool {
        request.from.is_none_or(|from| self.time.0 >= from) && request.to.is_none_or(|to| self.time.1 < to)
    }

    /// Whether the file may hold a row of this well at this time.
    pub fn may_hold_at(&self, well: &str, time: Timestamp) -> bool {
        (self.time.0..=self.time.1).contains(&time) && (self.wells.0.as_str()..=self.wells.1.as_str()).contains(&well)
    }

    /// Whether the file may hold rows that a request wants.
    pub fn may_hold(&self, request: &ScanRequest) -> bool {
        let in_time =
            request.from.is_none_or(|from| self.time.1 >= from) && request.to.is_none_or(|to| self.time.0 < to);
        in_time && request.wells.as_ref().is_none_or(|wells| any_within(wells, &self.wells.0, &self.wells.1))
    }
}

/// Whether any of some sorted names lies in a range.
pub(crate) fn any_within(sorted: &[String], first: &str, last: &str) -> bool {
    let next = sorted.partition_point(|name| name.as_str() < first);
    sorted.get(next).is_some_and(|name| name.as_str() <= last)
}

/// Whether an entry changes what the table says, or only how it is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataChange {
    Yes,
    No,
}

/// The table at one version. Never changed once it is shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableState {
    /// Of the log; `None` before the table is created.
    pub version: u64,
    pub position: Seq,
    pub ranges: Arc<SeriesRanges>,
    pub parts: BTreeMap<Part, Vec<Arc<DataFile>>>,
}

impl TableState {
    pub fn add(&mut self, file: Arc<DataFile>) {
        self.parts.entry(file.part).or_default().push(file);
    }

    pub fn remove(&mut self, file: &DataFile) {
        if let Some(files) = self.parts.get_mut(&file.part) {
            files.retain(|known| known.path != file.path);
            if files.is_empty() {
                self.parts.remove(&file.part);
            }
        }
    }

    pub fn files(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.parts.values().flatten()
    }

    pub fn winners(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.files().filter(|file| !file.part.superseded)
    }

    pub fn part(&self, part: Part) -> &[Arc<DataFile>] {
        self.parts.get(&part).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn holds(&self, file: &DataFile) -> bool {
        self.part(file.part).iter().any(|known| known.path == file.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_from_the_log() {
        let file = DataFile {
            path: "month=1913-08/superseded=true/part-1.parquet".to_owned(),
            part: Part { month: Month::new(1913, 8), superseded: true },
            rows: 7,
            bytes: 1234,
            time: (Timestamp::from_micros(-1_779_000_000_000_001), Timestamp::from_micros(-1_778_900_000_000_000)),
            wells: ("A".to_owned(), "บ่อ-1".to_owned()),
        };
        let action = file.add_action(5, DataChange::Yes);
        let stats = action["add"]["stats"].as_str();
        assert_eq!(DataFile::from_log(file.path.clone(), 1234, stats).unwrap(), file);
        assert!(DataFile::from_log(file.path.clone(), 1234, None).is_err());
        assert!(DataFile::from_log("part-1.parquet".to_owned(), 1234, stats).is_err());
    }

    #[test]
    fn names_within_a_range() {
        let names = ["B".to_owned(), "D".to_owned()];
        assert!(any_within(&names, "A", "B") && any_within(&names, "D", "Z") && any_within(&names, "C", "E"));
        assert!(!any_within(&names, "C", "C") && !any_within(&names, "E", "F") && !any_within(&[], "A", "Z"));
    }
}
