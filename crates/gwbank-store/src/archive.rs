//! The port of the archive: the whole history of readings.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::Stream;
use gwbank_model::versions::{self, Change, Outcome};
use gwbank_model::{Key, Origin, Parameter, Row, Seq, SeriesId, Timestamp};

use crate::Summary;

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Nothing was changed; the same call may succeed later.
    #[error("archive is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Stored data cannot be read as what it should be; needs a person.
    #[error("archive is damaged at {place}")]
    Damaged { place: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// A bound was reached, such as a full disk.
    #[error("archive bound reached: {0}")]
    Full(String),
}

/// Rows to add, with everything that the journal holds up to `through` settled by them.
#[derive(Debug, Clone)]
pub struct ArchiveCommit {
    /// Versions in any order: new keys, corrections, late data, revisions that lose, requalified winners.
    /// Duplicates are allowed and found. The archive decides in the order of `seq`; between equal ones (a row and the
    /// requalification that it triggers) in the order given.
    pub rows: Vec<Row>,
    /// The archive's position after the commit.
    pub through: Seq,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitReport {
    /// One per row of the commit, in its order; of a refused row it says nothing.
    pub outcomes: Vec<Outcome>,
    pub refused: Vec<RefusedRow>,
}

/// A row that the archive will not take as it is, however often it is asked, such as one that a rule of the database
/// forbids. All others of the commit are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its place in the commit.
    pub index: usize,
    /// In the words of the archive.
    pub why: String,
}

/// A superseded version and what superseded it.
#[derive(Debug, Clone, Copy)]
pub struct RevisionRow {
    pub row: Row,
    /// Of the version that took its place; of the winner at the time where it never had the place.
    pub superseded_seq: Seq,
    /// When both versions were known: the later of the two receipts.
    pub superseded_at: Timestamp,
    pub cause: &'static str,
}

impl RevisionRow {
    /// Names that `cause` can have; see [`versions::cause`].
    pub const CAUSES: &'static [&'static str] = &["correction", "quality", "review"];

    pub fn new(row: Row, by: &Row) -> Self {
        Self {
            row,
            superseded_seq: by.seq,
            superseded_at: row.seq.max(by.seq).received_at(),
            cause: versions::cause(&row, by),
        }
    }
}

/// All versions of one key.
#[derive(Debug, Clone)]
pub struct StoredVersions {
    pub winner: Row,
    /// In the order in which they lost.
    pub revisions: Vec<RevisionRow>,
}

impl StoredVersions {
    /// Takes one incoming version into `known`, as every archive must.
    pub fn take(known: &mut Option<StoredVersions>, incoming: Row) -> Change {
        let Some(versions) = known else {
            let change = versions::compare([], &incoming);
            if change == Change::First {
                *known = Some(StoredVersions { winner: incoming, revisions: Vec::new() });
            }
            return change;
        };
        let change = versions::compare(versions.iter(), &incoming);
        match change {
            Change::Supersedes => {
                let loser = std::mem::replace(&mut versions.winner, incoming);
                versions.revisions.push(RevisionRow::new(loser, &incoming));
            }
            Change::Loses => versions.revisions.push(RevisionRow::new(incoming, &versions.winner)),
            Change::First | Change::Known | Change::Duplicate => {}
        }
        change
    }

    /// Every version, the winner first.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        std::iter::once(&self.winner).chain(self.revisions.iter().map(|revision| &revision.row))
    }

    /// Sets the origins of versions that were read from where origins are not stored: a version that was superseded for
    /// the cause `quality`, or for `review` by one of the same content, was superseded by a requalification, and nothing else
    /// makes one.
    pub fn restore_origins(&mut self) {
        let requalified: Vec<(Seq, Row)> = self
            .revisions
            .iter()
            .filter(|revision| matches!(revision.cause, "quality" | "review"))
            .map(|revision| (revision.superseded_seq, revision.row))
            .collect();
        let restore = |row: &mut Row| {
            let made = requalified.iter().any(|(seq, judged)| *seq == row.seq && judged.same_content(row));
            row.origin = if made { Origin::Requalified } else { Origin::Received };
        };
        restore(&mut self.winner);
        self.revisions.iter_mut().for_each(|revision| restore(&mut revision.row));
    }
}

/// What a scan must give. Rows outside may be left out, rows inside must be given: every filter is exact.
#[derive(Debug, Clone, Default)]
pub struct ScanRequest {
    /// Half-open: from ≤ time < to. `None` is open.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// `None` is all. Sorted and distinct.
    pub wells: Option<Arc<[String]>>,
    pub parameters: Option<Arc<[Parameter]>>,
    /// Indices into [`crate::reading_schema`] (or [`crate::revision_schema`] for a scan of revisions), `None` is all.
    pub projection: Option<Vec<usize>>,
    /// How many streams are welcome at most; at least one is given.
    pub partitions: usize,
    /// More rows than these, over all streams, will not be read. A hint: more may be given.
    pub limit: Option<usize>,
    /// Rows without a value, or with one below the first or above the second, will not be looked at. A hint: they may be given.
    pub values: Option<(f64, f64)>,
    /// Of each series only the latest row within the request will be looked at. A hint: others may be given.
    pub latest: bool,
    /// Rows outside what it says, whenever it is asked, will not be looked at. A hint: they may be given.
    pub narrowing: Option<Narrowing>,
}

/// What becomes known while a scan goes on of the rows that will be looked at: asked when a piece of it begins.
#[derive(Clone)]
pub struct Narrowing(Arc<dyn Fn() -> Narrowed + Send + Sync>);

/// Bounds as a [`ScanRequest`] has them.
#[derive(Debug, Clone, Default)]
pub struct Narrowed {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub wells: Option<Arc<[String]>>,
}

impl Narrowing {
    pub fn new(ask: impl Fn() -> Narrowed + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl Debug for Narrowing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Narrowing")
    }
}

pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch, ArchiveError>> + Send>>;

impl ScanRequest {
    /// Everything, in one stream.
    pub fn all() -> Self {
        Self { partitions: 1, ..Self::default() }
    }

    /// What is still to be given of this request, by what is known now.
    pub fn narrowed(&self) -> Self {
        let Some(Narrowing(ask)) = &self.narrowing else { return self.clone() };
        let Narrowed { from, to, wells } = ask();
        let wells = match (&self.wells, wells) {
            (Some(ours), Some(theirs)) => {
                Some(ours.iter().filter(|well| theirs.binary_search(well).is_ok()).cloned().collect())
            }
            (ours, theirs) => ours.clone().or(theirs),
        };
        Self {
            from: self.from.into_iter().chain(from).max(),
            to: self.to.into_iter().chain(to).min(),
            wells,
            narrowing: None,
            ..self.clone()
        }
    }

    /// Whether the time and the names lie inside.
    pub fn wants(&self, well: &str, parameter: Parameter, time: Timestamp) -> bool {
        self.from.is_none_or(|from| time >= from)
            && self.to.is_none_or(|to| time < to)
            && self.wants_series(well, parameter)
    }

    /// Whether the names lie inside.
    pub fn wants_series(&self, well: &str, parameter: Parameter) -> bool {
        self.parameters.as_ref().is_none_or(|wanted| wanted.contains(&parameter))
            && self.wells.as_ref().is_none_or(|wanted| wanted.binary_search_by(|w| w.as_str().cmp(well)).is_ok())
    }
}

#[async_trait]
pub trait Archive: Debug + Send + Sync + 'static {
    /// Adds versions; see the rules of the crate.
    async fn commit(&self, commit: ArchiveCommit) -> Result<CommitReport, ArchiveError>;

    /// The latest committed state. Cheap: no I/O on the embedded archive.
    async fn snapshot(&self) -> Result<Arc<dyn ArchiveSnapshot>, ArchiveError>;

    /// Whether every series that has rows here has a number in the table of names, so that what is not there need not be
    /// looked for.
    fn names_every_series(&self) -> bool {
        false
    }

    /// The latest time of every series that has rows here.
    async fn series_ends(&self) -> Result<Vec<(SeriesId, Timestamp)>, ArchiveError>;

    /// Whether its snapshots give summaries.
    fn summarizes(&self) -> bool {
        false
    }

    /// One bounded step of compaction and clean-up, if one is due.
    async fn maintain(&self, upkeep: Upkeep) -> Result<MaintenanceReport, ArchiveError>;
}

/// How much upkeep there is time for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// Whatever is due.
    AtRest,
    /// Only what cannot wait: the next rows do already.
    UnderLoad,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaintenanceReport {
    pub files_merged: usize,
    pub files_written: usize,
    pub files_deleted: usize,
}

#[async_trait]
pub trait ArchiveSnapshot: Debug + Send + Sync + 'static {
    /// Everything that the journal holds up to here is in this snapshot. [`Seq::ZERO`] when nothing was committed.
    fn position(&self) -> Seq;

    /// Number of winners, exact.
    fn row_count(&self) -> u64;

    /// Smallest and largest time of any winner.
    fn time_range(&self) -> Option<(Timestamp, Timestamp)>;

    /// Winners, as batches of [`crate::reading_schema`] (projected).
    fn scan(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError>;

    /// Superseded versions, as batches of [`crate::revision_schema`] (projected).
    fn scan_revisions(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError>;

    /// Sums over winners, as batches of [`Summary::schema`]; `None` where that would be no cheaper than a scan.
    fn summarize(&self, _request: ScanRequest, _summary: &Summary) -> Result<Option<Vec<BatchStream>>, ArchiveError> {
        Ok(None)
    }

    /// Winners of one series as rows in time order, from ≤ time < to. For quality and for tests. Their `origin` is not
    /// kept by every archive; `versions` gives it.
    async fn series_rows(&self, series: SeriesId, from: Timestamp, to: Timestamp) -> Result<Vec<Row>, ArchiveError>;

    /// The same of several distinct series, each in time order. Where a file holds many series, it is read once for all of them.
    async fn rows_of_series(
        &self,
        series: &[SeriesId],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, ArchiveError> {
        let mut rows = Vec::new();
        for &series in series {
            rows.append(&mut self.series_rows(series, from, to).await?);
        }
        Ok(rows)
    }

    /// Everything known of some keys, in their order; `None` where a key is unknown. Keys sorted and distinct.
    async fn versions(&self, keys: &[Key]) -> Result<Vec<Option<StoredVersions>>, ArchiveError>;
}
