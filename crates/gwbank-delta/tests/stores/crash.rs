//! Crashes and failures at every operation of a commit and of upkeep. What a power cut leaves, together with journal and
//! metadata, is tested with the pipeline (`gwbank-ingest`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gwbank_delta::{DeltaArchive, DeltaConfig, DiskOperation};
use gwbank_store::conformance::check_against_model;
use gwbank_store::conformance::model::{Model, Writer};
use gwbank_store::{Archive, ArchiveCommit, RowNames, Upkeep};

use crate::{copy_dir, data_files, eager, open, rounds};

/// Before each sync and each change of a name in one commit and the upkeep after it, the directory is copied as a crash
/// would leave it. Whatever the copy holds, the commit repeated on it ends in the same state.
#[tokio::test]
async fn a_crash_at_any_step_is_mended_by_the_replay() {
    for seed in 0..rounds(1) {
        let root = tempfile::tempdir().unwrap();
        let names = RowNames::default();
        let (dir, copies) = (root.path().join("archive"), root.path().join("copies"));
        let taken: Arc<Mutex<Vec<(String, PathBuf)>>> = Arc::default();
        let armed = Arc::new(AtomicBool::new(false));
        let hook = {
            let (taken, armed, dir) = (taken.clone(), armed.clone(), dir.clone());
            move |operation: DiskOperation<'_>| -> io::Result<()> {
                let leaves_as_before = matches!(operation, DiskOperation::CreateFile(_) | DiskOperation::Remove(_));
                if armed.load(Ordering::SeqCst) && !leaves_as_before {
                    let mut taken = taken.lock().unwrap();
                    let copy = copies.join(taken.len().to_string());
                    copy_dir(&dir, &copy);
                    taken.push((format!("{operation:?}"), copy));
                }
                Ok(())
            }
        };
        let config = DeltaConfig { disk_hook: Some(Arc::new(hook)), ..eager(&dir, &names) };
        let archive = DeltaArchive::open(config).await.unwrap();
        let mut writer = Writer::new(40 + seed, &names);
        let mut model = Model::default();
        for _ in 0..4 {
            let (rows, through) = writer.commit(30);
            model.commit(&rows, through);
            archive.commit(ArchiveCommit { rows, through }).await.unwrap();
        }
        armed.store(true, Ordering::SeqCst);
        let (rows, through) = writer.commit(60);
        let expected = model.commit(&rows, through);
        let commit = ArchiveCommit { rows, through };
        assert_eq!(archive.commit(commit.clone()).await.unwrap().outcomes, expected);
        archive.maintain(Upkeep::AtRest).await.unwrap();
        armed.store(false, Ordering::SeqCst);

        let taken = std::mem::take(&mut *taken.lock().unwrap());
        for kind in ["SyncFile", "SyncDir", "Link", "Rename"] {
            assert!(taken.iter().any(|(operation, _)| operation.starts_with(kind)), "{kind} was met");
        }
        for (operation, copy) in taken {
            let reopened = open(&copy, &names).await;
            let report = reopened.commit(commit.clone()).await.unwrap();
            assert_eq!(report.outcomes, expected, "seed {seed} before {operation}");
            check_against_model(&reopened, &names, &model).await;
            // What no entry names goes.
            while reopened.maintain(Upkeep::AtRest).await.unwrap() != Default::default() {}
            assert_eq!(data_files(reopened.table_dir()).len(), reopened.file_count(), "{operation}");
            check_against_model(&reopened, &names, &model).await;
        }
    }
}

/// A power cut may keep the name of a file without its bytes as long as it was not synced.
#[tokio::test]
async fn bytes_that_were_not_synced_are_not_missed() {
    let root = tempfile::tempdir().unwrap();
    let names = RowNames::default();
    let dir = root.path().join("archive");
    let copy = root.path().join("copy");
    let hook = {
        let (dir, copy) = (dir.clone(), copy.clone());
        move |operation: DiskOperation<'_>| -> io::Result<()> {
            if matches!(operation, DiskOperation::SyncFile(path) if is_parquet(path)) && !copy.exists() {
                copy_dir(&dir, &copy);
                for file in data_files(&copy) {
                    std::fs::File::create(file)?; // empty
                }
            }
            Ok(())
        }
    };
    let config = DeltaConfig { disk_hook: Some(Arc::new(hook)), ..eager(&dir, &names) };
    let archive = DeltaArchive::open(config).await.unwrap();
    let mut writer = Writer::new(3, &names);
    let mut model = Model::default();
    let (rows, through) = writer.commit(60);
    let expected = model.commit(&rows, through);
    let commit = ArchiveCommit { rows, through };
    archive.commit(commit.clone()).await.unwrap();
    let reopened = open(&copy, &names).await;
    assert_eq!(reopened.commit(commit).await.unwrap().outcomes, expected);
    check_against_model(&reopened, &names, &model).await;
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "parquet")
}

/// How many operations are let through between one that fails and the next: not every one is worth its time.
const OPERATIONS_BETWEEN: usize = 2;

/// An error of the disk at any operation: the call fails, nothing or everything of it is there, and the next one works.
#[tokio::test]
async fn an_error_at_any_step_leaves_all_or_nothing() {
    const NEVER: usize = usize::MAX;
    let root = tempfile::tempdir().unwrap();
    let names = RowNames::default();
    let left = Arc::new(AtomicUsize::new(NEVER));
    let hook = {
        let left = left.clone();
        move |_: DiskOperation<'_>| match left.load(Ordering::SeqCst) {
            NEVER => Ok(()),
            0 => {
                left.store(NEVER, Ordering::SeqCst);
                Err(io::Error::other("injected"))
            }
            n => {
                left.store(n - 1, Ordering::SeqCst);
                Ok(())
            }
        }
    };
    let config = DeltaConfig { disk_hook: Some(Arc::new(hook)), ..eager(root.path(), &names) };
    let archive = DeltaArchive::open(config).await.unwrap();
    let mut writer = Writer::new(77, &names);
    let mut model = Model::default();
    let mut failures = 0;
    for operation in (0..).step_by(OPERATIONS_BETWEEN) {
        let (rows, through) = writer.commit(40);
        let before = model.clone();
        let expected = model.commit(&rows, through);
        let commit = ArchiveCommit { rows, through };
        left.store(operation, Ordering::SeqCst);
        if archive.commit(commit.clone()).await.is_err() {
            failures += 1;
            let shown = archive.snapshot().await.unwrap();
            assert_eq!(shown.position(), before.position, "what is not certain is not shown");
        }
        let report = archive.commit(commit).await.unwrap();
        assert_eq!(report.outcomes, expected, "operation {operation}");
        if archive.maintain(Upkeep::AtRest).await.is_err() {
            failures += 1;
            let _ = archive.maintain(Upkeep::AtRest).await.unwrap();
        }
        check_against_model(&archive, &names, &model).await;
        if left.swap(NEVER, Ordering::SeqCst) != NEVER {
            break; // the commit and its upkeep need fewer operations
        }
    }
    assert!(failures > 6, "{failures} failures were met");
}
