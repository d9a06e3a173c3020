//! Files that are on disk when we say so, and the steps at which a test may cut.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::DeltaError;

/// A point in a commit or in maintenance after which a crash leaves the disk different from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A Parquet file has its bytes, not yet synced.
    FileWritten,
    /// A Parquet file and its directory are synced.
    FileSynced,
    /// The log entry is on disk under a name that is not an entry's.
    EntryPrepared,
    /// The log entry has its name, which a power cut may still take away.
    EntryNamed,
    /// The commit is durable.
    EntrySynced,
    /// A checkpoint of the log was written.
    CheckpointWritten,
    /// The cache of series ranges was written.
    RangesWritten,
}

/// Called at each step; an error is as one of the disk there.
pub type StepHook = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Steps(pub Option<StepHook>);

impl Steps {
    pub fn reached(&self, step: Step, path: &Path) -> Result<(), DeltaError> {
        match &self.0 {
            Some(hook) => hook(step).map_err(DeltaError::io("write", path)),
            None => Ok(()),
        }
    }
}

pub(crate) fn sync_dir(dir: &Path) -> Result<(), DeltaError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(DeltaError::io("sync directory", dir))
}

/// Creates a directory below `root` and syncs every directory that gained an entry.
pub(crate) fn create_dir_synced(root: &Path, relative: &str) -> Result<(), DeltaError> {
    let mut dir = root.to_owned();
    for level in relative.split('/') {
        let parent = dir.clone();
        dir.push(level);
        if !dir.is_dir() {
            fs::create_dir(&dir).map_err(DeltaError::io("create directory", &dir))?;
            sync_dir(&parent)?;
        }
    }
    Ok(())
}

/// Writes a whole file under a temporary name and syncs it.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), DeltaError> {
    let mut file = File::create(path).map_err(DeltaError::io("create", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(DeltaError::io("write", path))
}
