//! Rules, reopening, upkeep.

use std::sync::Arc;

use gwbank_delta::{DeltaArchive, DeltaConfig};
use gwbank_store::conformance::model::{Model, Writer};
use gwbank_store::conformance::{archive_suite, check_against_model};
use gwbank_store::{Archive, ArchiveCommit, RowNames, Upkeep};

use crate::{data_files, eager, open, rounds};

#[tokio::test]
async fn keeps_the_rules_of_the_port() {
    let root = tempfile::tempdir().unwrap();
    let next = std::sync::atomic::AtomicU32::new(0);
    archive_suite(|names| {
        let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = root.path().join(n.to_string());
        // Every other one with files of a usual size.
        let config = if n.is_multiple_of(2) { DeltaConfig::new(&dir, names) } else { eager(&dir, &names) };
        async { Arc::new(DeltaArchive::open(config).await.unwrap()) as Arc<dyn Archive> }
    })
    .await;
}

#[tokio::test]
async fn commits_upkeep_and_reopening_follow_the_model() {
    for seed in 0..rounds(2) {
        let root = tempfile::tempdir().unwrap();
        let mut names = RowNames::default();
        let mut writer = Writer::new(100 + seed, &names);
        let mut model = Model::default();
        let mut archive = open(root.path(), &names).await;
        let (mut merged, mut deleted) = (0, 0);
        for step in 0..16 {
            let (rows, through) = writer.commit(50);
            let report = archive.commit(ArchiveCommit { rows: rows.clone(), through }).await.unwrap();
            assert_eq!(report.outcomes, model.commit(&rows, through), "seed {seed} step {step}");
            if writer.random.one_in(2) {
                let report = archive.maintain(Upkeep::AtRest).await.unwrap();
                merged += report.files_merged;
                deleted += report.files_deleted;
            }
            if writer.random.one_in(5) {
                // Numbers are private to a process, yet the model speaks by number: the same table of names goes on, but
                // half of the time the cache of ranges is gone.
                drop(archive);
                if writer.random.one_in(2) {
                    let _ = std::fs::remove_file(root.path().join("series_ranges.json"));
                }
                names = names.clone();
                archive = open(root.path(), &names).await;
            }
            if writer.random.one_in(6) {
                check_against_model(&archive, &names, &model).await;
            }
        }
        check_against_model(&archive, &names, &model).await;
        assert!(merged > 0 && deleted > 0, "upkeep had work: merged {merged}, deleted {deleted}");
        while archive.maintain(Upkeep::AtRest).await.unwrap() != Default::default() {}
        check_against_model(&archive, &names, &model).await;
        assert_eq!(data_files(archive.table_dir()).len(), archive.file_count(), "nothing unnamed stays");
    }
}

#[tokio::test]
async fn a_correction_rewrites_only_the_file_of_its_loser() {
    let root = tempfile::tempdir().unwrap();
    let names = RowNames::default();
    let archive = DeltaArchive::open(DeltaConfig::new(root.path(), names.clone())).await.unwrap();
    let mut writer = Writer::new(5, &names);
    let (rows, through) = loop {
        let (rows, through) = writer.commit(10);
        if rows.len() > 4 {
            break (rows, through);
        }
    };
    archive.commit(ArchiveCommit { rows: rows.clone(), through }).await.unwrap();
    let before = data_files(archive.table_dir()).len();
    let first = rows.iter().find(|row| row.origin == gwbank_model::Origin::Received).unwrap();
    let correction = gwbank_model::Row { value: 99.0, revision: 9, seq: through, ..*first };
    archive.commit(ArchiveCommit { rows: vec![correction], through: through.nth(1) }).await.unwrap();
    assert_eq!(data_files(archive.table_dir()).len(), before + 2, "one file of winners, one of losers");
    let version = archive.version();
    archive.commit(ArchiveCommit { rows: vec![correction], through: through.nth(1) }).await.unwrap();
    assert_eq!(archive.version(), version, "a repeated commit that changes nothing writes nothing");
}

#[tokio::test]
async fn a_snapshot_keeps_its_files() {
    let root = tempfile::tempdir().unwrap();
    let names = RowNames::default();
    let archive = open(root.path(), &names).await;
    let mut writer = Writer::new(9, &names);
    let mut model = Model::default();
    for _ in 0..6 {
        let (rows, through) = writer.commit(40);
        model.commit(&rows, through);
        archive.commit(ArchiveCommit { rows, through }).await.unwrap();
    }
    let held = archive.snapshot().await.unwrap();
    let count = held.row_count();
    while archive.maintain(Upkeep::AtRest).await.unwrap().files_merged > 0 {}
    archive.maintain(Upkeep::AtRest).await.unwrap();
    let files = data_files(archive.table_dir()).len();
    assert!(files > archive.file_count(), "the merged files are still there");
    let (rows, _) = gwbank_store::conformance::read_all(&*held, &names, &gwbank_store::ScanRequest::all()).await;
    assert_eq!(rows.len() as u64, count);
    drop(held);
    archive.maintain(Upkeep::AtRest).await.unwrap();
    assert_eq!(data_files(archive.table_dir()).len(), archive.file_count());
    check_against_model(&archive, &names, &model).await;
}
