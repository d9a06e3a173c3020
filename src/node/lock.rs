//! One process a data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::Context as _;

use crate::failure::{Failure, Outcome};

/// Held as long as the process may write below the data directory. The system releases it when the process ends, however
/// it ends, so a second start after a crash needs no hand.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

const LOCK_FILE: &str = "lock";

impl DataDirLock {
    /// Creates the directory where it is missing, and takes the lock or says who has it.
    pub fn take(data_dir: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(data_dir)
            .with_context(|| format!("data_dir {} cannot be created", data_dir.display()))?;
        let file = open(data_dir)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Failure::failed(format!(
                "another gwbank process uses data_dir {}; stop it or choose another directory",
                data_dir.display()
            ))),
            Err(TryLockError::Error(error)) => {
                Err(anyhow::Error::new(error).context(format!("{} cannot be locked", data_dir.display())).into())
            }
        }
    }

    /// Whether some process holds it now.
    pub fn is_held(data_dir: &Path) -> Outcome<bool> {
        match File::open(data_dir.join(LOCK_FILE)) {
            Ok(file) => Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(anyhow::Error::new(error)
                .context(format!("{} cannot be opened", data_dir.join(LOCK_FILE).display()))
                .into()),
        }
    }
}

fn open(data_dir: &Path) -> Outcome<File> {
    let path = data_dir.join(LOCK_FILE);
    let file = OpenOptions::new().create(true).truncate(false).write(true).read(true).open(&path);
    Ok(file.with_context(|| format!("{} cannot be opened", path.display()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!DataDirLock::is_held(dir.path()).unwrap());
        let lock = DataDirLock::take(dir.path()).unwrap();
        assert!(DataDirLock::is_held(dir.path()).unwrap());
        let second = DataDirLock::take(dir.path()).unwrap_err();
        assert!(second.text().contains("another gwbank process uses"), "{}", second.text());
        drop(lock);
        assert!(!DataDirLock::is_held(dir.path()).unwrap());
        DataDirLock::take(dir.path()).unwrap();
    }
}
