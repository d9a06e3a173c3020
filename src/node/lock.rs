//! One process a data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::failure::{Failure, Outcome};

/// Held as long as the process may write below the data directory. The system releases it when the process ends, however
/// it ends, so a second start after a crash needs no hand.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

const LOCK_FILE: &str = "lock";

/// The system releases the lock of a process that was killed only when it has given back its memory, which takes seconds
/// where that was much: longer than a supervisor waits before it starts the next one.
const RELEASE_WAIT: Duration = Duration::from_secs(5);
const RELEASE_LOOK: Duration = Duration::from_millis(50);

impl DataDirLock {
    /// Creates the directory where it is missing, and takes the lock or says who has it. Waits a few seconds for a holder
    /// that is about to be gone.
    pub fn take(data_dir: &Path) -> Outcome<Self> {
        Self::take_within(data_dir, RELEASE_WAIT)
    }

    fn take_within(data_dir: &Path, wait: Duration) -> Outcome<Self> {
        std::fs::create_dir_all(data_dir)
            .with_context(|| format!("data_dir {} cannot be created", data_dir.display()))?;
        let file = open(data_dir)?;
        let began = Instant::now();
        let mut said = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if began.elapsed() < wait => {
                    if !std::mem::replace(&mut said, true) {
                        tracing::info!(data_dir = %data_dir.display(), "in use; waiting for its process to end");
                    }
                    std::thread::sleep(RELEASE_LOOK);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::failed(format!(
                        "another gwbank process uses data_dir {} (waited {} s for its end); stop it or choose another \
                         directory",
                        data_dir.display(),
                        wait.as_secs()
                    )));
                }
                Err(TryLockError::Error(error)) => {
                    let error = anyhow::Error::new(error);
                    return Err(error.context(format!("{} cannot be locked", data_dir.display())).into());
                }
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
        let second = DataDirLock::take_within(dir.path(), Duration::ZERO).unwrap_err();
        assert!(second.text().contains("another gwbank process uses"), "{}", second.text());
        drop(lock);
        assert!(!DataDirLock::is_held(dir.path()).unwrap());
        DataDirLock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_holder_that_ends_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DataDirLock::take(dir.path()).unwrap();
        let path = dir.path().to_owned();
        let next = std::thread::spawn(move || DataDirLock::take_within(&path, Duration::from_secs(60)));
        drop(lock);
        next.join().unwrap().unwrap();
    }
}
