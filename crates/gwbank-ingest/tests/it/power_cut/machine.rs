//! A machine with three stores and one power switch.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gwbank_delta::{DeltaArchive, DeltaConfig, DiskOperation, SqliteConfig, SqliteMetadata};
use gwbank_ingest::{JournalHost, Pipeline, PipelineConfig, PipelineParts};
use gwbank_journal::JournalConfig;
use gwbank_runtime::ManualClock;
use gwbank_store::{Archive, Metadata, MetadataError, RowNames, Upkeep};
use gwbank_testkit::{PowerCutDisk, PowerSwitch, ShadowDir, torn};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::gated::{GatedMetadata, WriteGate};
use crate::rig::START_SECS;

/// As many as there are writes and syncs in a small commit of SQLite, so that the power fails in one often enough.
const OPERATIONS_OF_A_COMMIT: u32 = 4;

/// In memory where there is such a directory: what is durable is for the model to say, and syncs take time.
const MEMORY_DIR: &str = "/dev/shm";

pub struct Machine {
    dir: tempfile::TempDir,
    pub power: PowerSwitch,
    journal: PowerCutDisk,
    archive: ShadowDir,
    metadata: SqliteFiles,
    pub clock: Arc<ManualClock>,
    shape: Shape,
    rng: Arc<Mutex<SmallRng>>,
}

/// How the pipeline of a history is configured.
#[derive(Debug, Clone)]
pub struct Shape {
    pub segment_bytes: u64,
    pub file_rows_max: usize,
    pub warm_bytes_max: usize,
    pub window_bytes_max: usize,
    /// How often the pipeline archives by itself.
    pub flush_interval: Duration,
}

/// A process on the machine.
pub struct Running {
    pub pipeline: Pipeline,
    pub archive: DeltaArchive,
    pub metadata: Arc<dyn Metadata>,
    pub names: RowNames,
    database: SqliteMetadata,
}

impl Machine {
    pub async fn new(shape: Shape, seed: u64) -> Self {
        let memory = Path::new(MEMORY_DIR);
        let dir =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a directory");
        let archive_dir = dir.path().join("archive");
        fs::create_dir(&archive_dir).expect("created");
        let power = PowerSwitch::default();
        let path = dir.path().join("metadata.sqlite");
        drop(SqliteMetadata::open(SqliteConfig::new(&path)).await.expect("an empty database"));
        Self {
            journal: PowerCutDisk::powered_by(power.clone(), seed),
            archive: ShadowDir::new(archive_dir),
            metadata: SqliteFiles { path, power: power.clone(), in_flight: Arc::default() },
            clock: Arc::new(ManualClock::at_micros(START_SECS * 1_000_000)),
            rng: Arc::new(Mutex::new(SmallRng::seed_from_u64(seed))),
            dir,
            power,
            shape,
        }
    }

    /// Starts a process; an error is told as text, with its causes.
    pub async fn start(&self) -> Result<Running, String> {
        let names = RowNames::default();
        let archive = DeltaArchive::open(self.archive_config(&names)).await.map_err(|error| chain(&error))?;
        let metadata =
            SqliteMetadata::open(SqliteConfig::new(&self.metadata.path)).await.map_err(|error| chain(&error))?;
        let database = metadata.clone();
        let metadata: Arc<dyn Metadata> = Arc::new(GatedMetadata::new(metadata, self.metadata.clone()));
        let parts = PipelineParts {
            archive: Arc::new(archive.clone()),
            metadata: metadata.clone(),
            names: names.clone(),
            clock: self.clock.clone(),
        };
        let on_fatal = Box::new(|_| ());
        let host = JournalHost { disk: self.journal.process(), on_fatal: Some(on_fatal) };
        let opened = Pipeline::open_with(self.pipeline_config(), parts, host).await;
        let pipeline = opened.map_err(|error| chain(&error))?;
        Ok(Running { pipeline, archive, metadata, names, database })
    }

    fn pipeline_config(&self) -> PipelineConfig {
        let journal = JournalConfig { segment_bytes: self.shape.segment_bytes, ..JournalConfig::new("/journal", 1) };
        PipelineConfig {
            window_bytes_max: self.shape.window_bytes_max,
            warm_bytes_max: self.shape.warm_bytes_max,
            flush_interval: self.shape.flush_interval,
            flush_rows: 60,
            ..PipelineConfig::new(journal)
        }
    }

    /// Small files, eager upkeep, and a log that is cleaned up at every checkpoint.
    fn archive_config(&self, names: &RowNames) -> DeltaConfig {
        let (power, shadow, rng) = (self.power.clone(), self.archive.clone(), self.rng.clone());
        let hook = move |operation: DiskOperation<'_>| -> io::Result<()> {
            let operated = power.operate();
            // Cut in the middle of a sync, it may have been done; of a change of names, it was not.
            let is_sync = matches!(operation, DiskOperation::SyncFile(_) | DiskOperation::SyncDir(_));
            if operated.is_ok() || (is_sync && rng.lock().random_bool(0.5)) {
                tell(&shadow, operation);
            }
            operated
        };
        DeltaConfig {
            clock: self.clock.clone(),
            removed_files_kept: Duration::ZERO,
            log_kept: Duration::ZERO,
            checkpoint_commits: 3,
            file_rows_max: self.shape.file_rows_max,
            merge_files_min: 2,
            disk_hook: Some(Arc::new(hook)),
            ..DeltaConfig::new(self.dir.path().join("archive"), names.clone())
        }
    }

    /// Ends a process that can write nothing any more.
    pub async fn stop(&self, running: Running) {
        let Running { pipeline, archive, database, .. } = running;
        let _ = pipeline.halt().await; // its journal may have failed
        // Both wait for what is under way on another thread, and change nothing.
        let _ = archive.maintain(Upkeep::AtRest).await;
        let _ = database.release_outbox("none").await;
        self.metadata.capture();
    }

    /// What was not synced may be gone. No process may be running.
    pub fn cut_power(&self, rng: &mut SmallRng) {
        self.journal.power_cut(rng);
        self.archive.power_cut(rng);
        self.metadata.cut_power(rng);
    }

    /// The process was killed and the machine goes on: what was written is seen, synced or not.
    pub fn kill_process(&self) {
        self.journal.restart();
        self.metadata.in_flight.lock().take();
    }
}

fn tell(shadow: &ShadowDir, operation: DiskOperation<'_>) {
    match operation {
        DiskOperation::CreateDir(path) => shadow.create_dir(path),
        DiskOperation::CreateFile(path) => shadow.create_file(path),
        DiskOperation::SyncFile(path) => shadow.sync_file(path),
        DiskOperation::Link { from, to } => shadow.link(from, to),
        DiskOperation::Rename { from, to } => shadow.rename(from, to),
        DiskOperation::Remove(path) => shadow.remove(path),
        DiskOperation::SyncDir(path) => shadow.sync_dir(path),
    }
}

/// SQLite's files. What a commit wrote is durable when it returned. When the power fails in a commit, the write-ahead log
/// keeps of it what it may, sector by sector, and it is SQLite's to see that it is a commit whole or not at all.
#[derive(Clone)]
struct SqliteFiles {
    path: PathBuf,
    power: PowerSwitch,
    in_flight: Arc<Mutex<Option<Commit>>>,
}

/// The files before a commit that has not returned, and after it once nobody writes any more.
struct Commit {
    before: Files,
    after: Option<Files>,
}

#[derive(Debug, Clone, PartialEq)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl SqliteFiles {
    fn log_path(&self) -> PathBuf {
        PathBuf::from(format!("{}-wal", self.path.display()))
    }

    fn read(&self) -> Files {
        let bytes = |path: &Path| fs::read(path).unwrap_or_default();
        Files { database: bytes(&self.path), log: bytes(&self.log_path()) }
    }

    fn write(&self, files: &Files) {
        fs::write(&self.path, &files.database).expect("written");
        fs::write(self.log_path(), &files.log).expect("written");
        // The index of the log is made anew by the first connection.
        let _ = fs::remove_file(format!("{}-shm", self.path.display()));
    }

    /// Before the process closes its connections, which would tidy up.
    fn capture(&self) {
        if let Some(commit) = &mut *self.in_flight.lock() {
            commit.after = Some(self.read());
        }
    }

    fn cut_power(&self, rng: &mut SmallRng) {
        let Some(Commit { before, after }) = self.in_flight.lock().take() else { return };
        let after = after.unwrap_or_else(|| self.read());
        let log = match rng.random_range(0..4) {
            0 if before.database == after.database => before.log,
            1 => after.log,
            // The log is only torn: the database is written from what of the log is synced.
            _ if before.database == after.database => torn(&before.log, &after.log, rng),
            _ => after.log,
        };
        self.write(&Files { database: after.database, log });
    }

    fn operate(&self) -> Result<(), MetadataError> {
        self.power.operate().map_err(|error| MetadataError::Unavailable(error.into()))
    }
}

impl fmt::Debug for SqliteFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqliteFiles").field(&self.path).finish()
    }
}

impl WriteGate for SqliteFiles {
    fn begin(&self) -> Result<(), MetadataError> {
        self.operate()?;
        *self.in_flight.lock() = Some(Commit { before: self.read(), after: None });
        Ok(())
    }

    fn end(&self) -> Result<(), MetadataError> {
        for _ in 0..OPERATIONS_OF_A_COMMIT {
            self.operate()?;
        }
        self.in_flight.lock().take();
        Ok(())
    }
}

/// An error with its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
