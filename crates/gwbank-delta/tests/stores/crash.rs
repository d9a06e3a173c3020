//! Cuts and failures at every step of a commit and of upkeep.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use gwbank_delta::{DeltaArchive, DeltaConfig, Step};
use gwbank_store::conformance::check_against_model;
use gwbank_store::conformance::model::{Model, Writer};
use gwbank_store::{Archive, ArchiveCommit, RowNames};

use crate::{copy_dir, data_files, eager, open, rounds};

/// At each step of one commit and the upkeep after it, the directory is copied as a crash would leave it. Whatever the
/// copy holds, the commit repeated on it ends in the same state.
#[tokio::test]
async fn a_crash_at_any_step_is_mended_by_the_replay() {
    for seed in 0..rounds(1) {
        let root = tempfile::tempdir().unwrap();
        let names = RowNames::default();
        let (dir, copies) = (root.path().join("archive"), root.path().join("copies"));
        let taken: Arc<Mutex<Vec<(Step, PathBuf)>>> = Arc::default();
        let armed = Arc::new(AtomicU32::new(0));
        let steps = {
            let (taken, armed, dir) = (taken.clone(), armed.clone(), dir.clone());
            move |step: Step| -> io::Result<()> {
                if armed.load(Ordering::SeqCst) == 1 {
                    let mut taken = taken.lock().unwrap();
                    let copy = copies.join(taken.len().to_string());
                    copy_dir(&dir, &copy);
                    taken.push((step, copy));
                }
                Ok(())
            }
        };
        let config = DeltaConfig { steps: Some(Arc::new(steps)), ..eager(&dir, &names) };
        let archive = DeltaArchive::open(config).await.unwrap();
        let mut writer = Writer::new(40 + seed, &names);
        let mut model = Model::default();
        for _ in 0..4 {
            let (rows, through) = writer.commit(30);
            model.commit(&rows, through);
            archive.commit(ArchiveCommit { rows, through }).await.unwrap();
        }
        armed.store(1, Ordering::SeqCst);
        let (rows, through) = writer.commit(60);
        let expected = model.commit(&rows, through);
        let commit = ArchiveCommit { rows, through };
        assert_eq!(archive.commit(commit.clone()).await.unwrap().outcomes, expected);
        archive.maintain().await.unwrap();
        armed.store(0, Ordering::SeqCst);

        let taken = std::mem::take(&mut *taken.lock().unwrap());
        let kinds: HashMap<Step, usize> = taken.iter().map(|(step, _)| (*step, 0)).collect();
        for step in [Step::FileWritten, Step::FileSynced, Step::EntryPrepared, Step::EntryNamed, Step::EntrySynced] {
            assert!(kinds.contains_key(&step), "{step:?} was reached");
        }
        for (step, copy) in taken {
            let reopened = open(&copy, &names).await;
            let report = reopened.commit(commit.clone()).await.unwrap();
            assert_eq!(report.outcomes, expected, "seed {seed} after {step:?}");
            check_against_model(&reopened, &names, &model).await;
            // What no entry names goes.
            while reopened.maintain().await.unwrap() != Default::default() {}
            assert_eq!(data_files(reopened.table_dir()).len(), reopened.file_count(), "{step:?}");
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
    let steps = {
        let (dir, copy) = (dir.clone(), copy.clone());
        move |step: Step| -> io::Result<()> {
            if step == Step::FileWritten && !copy.exists() {
                copy_dir(&dir, &copy);
                for file in data_files(&copy) {
                    std::fs::File::create(file)?; // empty
                }
            }
            Ok(())
        }
    };
    let config = DeltaConfig { steps: Some(Arc::new(steps)), ..eager(&dir, &names) };
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

/// An error of the disk at any step: the call fails, nothing or everything of it is there, and the next one works.
#[tokio::test]
async fn an_error_at_any_step_leaves_all_or_nothing() {
    let root = tempfile::tempdir().unwrap();
    let names = RowNames::default();
    let fail_at: Arc<Mutex<Option<Step>>> = Arc::default();
    let steps = {
        let fail_at = fail_at.clone();
        move |step: Step| {
            let mut fail_at = fail_at.lock().unwrap();
            if *fail_at == Some(step) {
                *fail_at = None;
                return Err(io::Error::other("injected"));
            }
            Ok(())
        }
    };
    let config = DeltaConfig { steps: Some(Arc::new(steps)), ..eager(root.path(), &names) };
    let archive = DeltaArchive::open(config).await.unwrap();
    let mut writer = Writer::new(77, &names);
    let mut model = Model::default();
    let mut failures = 0;
    for round in 0..2 {
        for step in [
            Step::FileWritten,
            Step::FileSynced,
            Step::EntryPrepared,
            Step::EntryNamed,
            Step::EntrySynced,
            Step::RangesWritten,
            Step::CheckpointWritten,
        ] {
            let (rows, through) = writer.commit(40);
            let before = model.clone();
            let expected = model.commit(&rows, through);
            let commit = ArchiveCommit { rows, through };
            let mut shown = archive.snapshot().await.unwrap();
            *fail_at.lock().unwrap() = Some(step);
            let first = archive.commit(commit.clone()).await;
            if first.is_err() {
                failures += 1;
                shown = archive.snapshot().await.unwrap();
                assert_eq!(shown.position(), before.position, "what is not certain is not shown");
            }
            let _ = shown;
            let report = archive.commit(commit).await.unwrap();
            assert_eq!(report.outcomes, expected, "round {round} after {step:?}");
            if archive.maintain().await.is_err() {
                failures += 1;
                let _ = archive.maintain().await.unwrap();
            }
            *fail_at.lock().unwrap() = None;
            check_against_model(&archive, &names, &model).await;
        }
    }
    assert!(failures > 6, "{failures} failures were met");
}
