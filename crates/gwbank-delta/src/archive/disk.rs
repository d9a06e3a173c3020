//! The one door through which the archive changes the disk, so that a test can see every step, fail it or pull the plug.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::DeltaError;

/// What is about to be done to the disk. Nothing is durable before a file (bytes) or its directory (names) is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskOperation<'a> {
    CreateDir(&'a Path),
    /// A new file, or an old one that is emptied.
    CreateFile(&'a Path),
    SyncFile(&'a Path),
    /// A second name; never replaces.
    Link {
        from: &'a Path,
        to: &'a Path,
    },
    Rename {
        from: &'a Path,
        to: &'a Path,
    },
    Remove(&'a Path),
    SyncDir(&'a Path),
}

/// Called before each operation; an error takes the operation's place, as one of the disk.
pub type DiskHook = Arc<dyn Fn(DiskOperation<'_>) -> io::Result<()> + Send + Sync>;

/// The operating system's file system, watched by a hook where a test wants that.
#[derive(Clone, Default)]
pub(crate) struct ArchiveDisk(pub Option<DiskHook>);

impl std::fmt::Debug for ArchiveDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveDisk").field("is_watched", &self.0.is_some()).finish()
    }
}

impl ArchiveDisk {
    fn before(&self, operation: DiskOperation<'_>) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |hook| hook(operation))
    }

    pub fn create_new(&self, path: &Path) -> io::Result<File> {
        self.before(DiskOperation::CreateFile(path))?;
        File::create_new(path)
    }

    /// Makes the bytes and the length of a file durable.
    pub fn sync_file(&self, file: &File, path: &Path) -> io::Result<()> {
        self.before(DiskOperation::SyncFile(path))?;
        file.sync_all()
    }

    pub fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before(DiskOperation::Link { from, to })?;
        fs::hard_link(from, to)
    }

    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before(DiskOperation::Rename { from, to })?;
        fs::rename(from, to)
    }

    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.before(DiskOperation::Remove(path))?;
        fs::remove_file(path)
    }

    /// Makes the names in a directory durable.
    pub fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.before(DiskOperation::SyncDir(dir))?;
        File::open(dir)?.sync_all()
    }

    /// Writes a whole file and syncs its bytes; its name is not durable yet.
    pub fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.before(DiskOperation::CreateFile(path))?;
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        self.sync_file(&file, path)
    }

    /// Creates a directory, and those above it that are missing, as durable names.
    pub fn create_dirs(&self, dir: &Path) -> Result<(), DeltaError> {
        if dir.is_dir() {
            return Ok(());
        }
        let parent = parent_of(dir);
        self.create_dirs(parent)?;
        let created = self.before(DiskOperation::CreateDir(dir)).and_then(|()| fs::create_dir(dir));
        created.map_err(DeltaError::io("create directory", dir))?;
        self.sync_dir(parent).map_err(|error| {
            // Left where it is, the next attempt would take its name for durable.
            let _ = fs::remove_dir(dir);
            DeltaError::io("sync directory", parent)(error)
        })
    }
}

/// The directory that holds the name of a path.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
