//! The archive of readings as a Delta Lake table.

mod commit;
mod disk;
mod ends;
mod files;
mod log;
mod maintain;
mod name_column;
mod parquet_file;
mod ranges;
mod read;
mod snapshot;
mod synced_store;
mod write;

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gwbank_model::{Row, SeriesId, Timestamp};
use gwbank_runtime::{Clock, SystemClock};
use gwbank_store::{
    Archive, ArchiveCommit, ArchiveError, ArchiveSnapshot, CommitReport, MaintenanceReport, RevisionRow, RowNames,
    ScanRequest, Upkeep, batch_to_revisions, batch_to_rows, reading_schema, revision_schema,
};
use parking_lot::{Mutex, RwLock};

use self::disk::{ArchiveDisk, parent_of};
pub use self::disk::{DiskHook, DiskOperation};
use self::files::{DataFile, TableState};
use self::log::Loaded;
use self::ranges::SeriesRanges;
use self::read::{FileReader, KeySet};
use self::snapshot::DeltaSnapshot;
use crate::DeltaError;

/// Where the archive lies and how it is kept.
#[derive(Clone)]
pub struct DeltaConfig {
    /// Below it lies the table `readings`.
    pub dir: PathBuf,
    pub names: RowNames,
    pub clock: Arc<dyn Clock>,
    /// How long files that the table no longer names stay for readers from outside.
    pub removed_files_kept: Duration,
    /// How long entries of the log stay below a checkpoint.
    pub log_kept: Duration,
    /// Entries from one checkpoint of the log to the next: bounds what an opening reads.
    pub checkpoint_commits: u64,
    /// Rows of a full file: bounds what a correction rewrites and what a merge holds in memory.
    pub file_rows_max: usize,
    /// Files of like size in one partition from which on they are merged.
    pub merge_files_min: usize,
    /// For tests: told of everything that is done to the disk, may fail it.
    pub disk_hook: Option<DiskHook>,
}

impl DeltaConfig {
    pub fn new(dir: impl Into<PathBuf>, names: RowNames) -> Self {
        Self {
            dir: dir.into(),
            names,
            clock: Arc::new(SystemClock),
            removed_files_kept: Duration::from_secs(3600),
            log_kept: Duration::from_secs(24 * 3600),
            checkpoint_commits: 100,
            file_rows_max: 1_000_000,
            merge_files_min: 8,
            disk_hook: None,
        }
    }
}

impl fmt::Debug for DeltaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeltaConfig").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// The embedded archive. Clones share one table; only one may be open on a directory.
#[derive(Debug, Clone)]
pub struct DeltaArchive(Arc<Shared>);

pub(crate) struct Shared {
    config: DeltaConfig,
    table: PathBuf,
    disk: ArchiveDisk,
    reader: FileReader,
    state: RwLock<Arc<TableState>>,
    writer: Mutex<Writer>,
    /// Held over one step of maintenance, whose long part runs beside commits.
    maintaining: Mutex<()>,
}

/// What only the one who commits needs.
#[derive(Debug, Default)]
struct Writer {
    /// An entry may or may not be there: only the disk knows.
    must_reload: bool,
    removed: VecDeque<Removed>,
    checkpointed_version: u64,
    /// Data files that the stored ranges do not cover, which an opening would have to read; `None` when none are stored.
    uncovered_files: Option<usize>,
}

/// A file that the table no longer names.
#[derive(Debug)]
struct Removed {
    path: String,
    /// Held by the snapshots that show it; `None` where no snapshot of this process can.
    file: Option<Arc<DataFile>>,
    since_micros: i64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.read();
        f.debug_struct("DeltaArchive").field("table", &self.table).field("version", &state.version).finish()
    }
}

impl DeltaArchive {
    /// Opens the table, or creates it.
    pub async fn open(config: DeltaConfig) -> Result<Self, DeltaError> {
        let table = log::table_dir(&config.dir);
        let hours = |kept: Duration| kept.as_secs().div_ceil(3600);
        let (log_kept, files_kept) = (hours(config.log_kept), hours(config.removed_files_kept));
        let disk = ArchiveDisk(config.disk_hook.clone());
        log::create(&disk, &table, log_kept, files_kept, config.clock.now_millis())?;
        let shared = Arc::new(Shared {
            disk,
            reader: FileReader::new(table.clone()),
            state: RwLock::default(),
            writer: Mutex::new(Writer { must_reload: true, ..Writer::default() }),
            maintaining: Mutex::default(),
            table,
            config,
        });
        blocking(&shared, |shared| shared.reload_if_needed(&mut shared.writer.lock())).await?;
        Ok(Self(shared))
    }

    /// The directory of the Delta table.
    pub fn table_dir(&self) -> &Path {
        &self.0.table
    }

    /// The version of the Delta table.
    pub fn version(&self) -> u64 {
        self.0.state.read().version
    }

    /// Files of the present version, of winners and of losers.
    pub fn file_count(&self) -> usize {
        self.0.state.read().files().count()
    }

    /// Bytes of the files of the present version.
    pub fn bytes(&self) -> u64 {
        self.0.state.read().files().map(|file| file.bytes).sum()
    }
}

/// Creates a directory, and those above it that are missing, as durable names.
pub(crate) fn create_dirs(dir: &Path) -> Result<(), DeltaError> {
    ArchiveDisk::default().create_dirs(dir)
}

/// Runs work on files away from the async threads.
async fn blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<T, DeltaError> + Send + 'static,
) -> Result<T, DeltaError> {
    let shared = shared.clone();
    tokio::task::spawn_blocking(move || work(&shared)).await.map_err(|_| DeltaError::TaskEnded)?
}

#[async_trait]
impl Archive for DeltaArchive {
    async fn commit(&self, commit: ArchiveCommit) -> Result<CommitReport, ArchiveError> {
        Ok(blocking(&self.0, move |shared| shared.commit(&commit)).await?)
    }

    async fn snapshot(&self) -> Result<Arc<dyn ArchiveSnapshot>, ArchiveError> {
        let state = self.0.state.read().clone();
        Ok(Arc::new(DeltaSnapshot::new(self.0.clone(), state)))
    }

    /// Each gets its number when the ranges of the series are read, at open, or when its first row is committed.
    fn names_every_series(&self) -> bool {
        true
    }

    async fn series_ends(&self) -> Result<Vec<(SeriesId, Timestamp)>, ArchiveError> {
        let state = self.0.state.read().clone();
        Ok(state.ranges.ends().collect())
    }

    async fn maintain(&self, upkeep: Upkeep) -> Result<MaintenanceReport, ArchiveError> {
        Ok(blocking(&self.0, move |shared| shared.maintain(upkeep)).await?)
    }
}

impl Shared {
    fn now_micros(&self) -> i64 {
        self.config.clock.now_micros()
    }

    /// Reads the table anew where memory may not agree with the disk. Runs on a blocking thread of the runtime.
    fn reload_if_needed(&self, writer: &mut Writer) -> Result<(), DeltaError> {
        if !writer.must_reload {
            return Ok(());
        }
        self.sync_names()?;
        let Loaded { mut state, wider } = tokio::runtime::Handle::current().block_on(log::load(&self.table))?;
        if let Some(metadata) = wider {
            log::widen(&self.disk, &self.table, &mut state, metadata, self.config.clock.now_millis())?;
        }
        let (mut ranges, covered) = SeriesRanges::load(&self.config.dir, &self.config.names).unwrap_or_default();
        let mut uncovered = 0;
        for file in state.winners().filter(|file| !covered.contains(&file.path)) {
            ranges.widen(&self.rows_of(file, &ScanRequest::all(), None)?);
            uncovered += 1;
        }
        tracing::info!(version = state.version, files = state.files().count(), uncovered, "archive loaded");
        let since_micros = self.now_micros();
        let unnamed = maintain::files_on_disk(&self.table)?.into_iter().filter(|path| {
            let named = state.files().any(|file| file.path == *path);
            !named && !writer.removed.iter().any(|removed| removed.path == *path)
        });
        let unnamed: Vec<String> = unnamed.collect();
        writer.removed.extend(unnamed.into_iter().map(|path| Removed { path, file: None, since_micros }));
        state.ranges = Arc::new(ranges);
        writer.checkpointed_version = log::checkpointed_version(&self.table);
        writer.uncovered_files = (!covered.is_empty()).then_some(uncovered);
        *self.state.write() = Arc::new(state);
        writer.must_reload = false;
        Ok(())
    }

    /// Makes durable what is seen. A process that was killed, or a commit that failed, may have left names that no sync
    /// made durable; whatever is built on them from here on, such as the cut of the journal, must not outlive them.
    fn sync_names(&self) -> Result<(), DeltaError> {
        let dir = parent_of(&self.table);
        let mut dirs = vec![parent_of(dir).to_owned(), dir.to_owned(), self.table.clone(), log::log_dir(&self.table)];
        dirs.extend(maintain::month_dirs(&self.table)?);
        for dir in dirs {
            self.disk.sync_dir(&dir).map_err(DeltaError::io("sync directory", &dir))?;
        }
        Ok(())
    }

    /// The rows of a file of winners that a request wants.
    fn rows_of(
        &self,
        file: &DataFile,
        request: &ScanRequest,
        keys: Option<&Arc<KeySet>>,
    ) -> Result<Vec<Row>, DeltaError> {
        let mut rows = Vec::new();
        self.decode(file, request, keys, reading_schema().fields().len(), |batch, names| {
            rows.append(&mut batch_to_rows(batch, names)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The revisions of a file of losers that a request wants.
    fn revisions_of(
        &self,
        file: &DataFile,
        request: &ScanRequest,
        keys: Option<&Arc<KeySet>>,
    ) -> Result<Vec<RevisionRow>, DeltaError> {
        let mut revisions = Vec::new();
        self.decode(file, request, keys, revision_schema().fields().len(), |batch, names| {
            revisions.append(&mut batch_to_revisions(batch, names)?);
            Ok(())
        })?;
        Ok(revisions)
    }

    fn decode(
        &self,
        file: &DataFile,
        request: &ScanRequest,
        keys: Option<&Arc<KeySet>>,
        columns: usize,
        mut take: impl FnMut(&arrow::array::RecordBatch, &RowNames) -> Result<(), arrow::error::ArrowError>,
    ) -> Result<(), DeltaError> {
        let projection: Vec<usize> = (0..columns).collect();
        let mut failed = None;
        let _ = self.reader.read(file, request, keys, &projection, |batch| match take(&batch, &self.config.names) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        match failed {
            Some(source) => Err(DeltaError::Shape { path: self.table.join(&file.path), source }),
            None => Ok(()),
        }
    }
}
