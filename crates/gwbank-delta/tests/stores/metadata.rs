//! Metadata in SQLite.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gwbank_delta::{SqliteConfig, SqliteMetadata};
use gwbank_model::{GatewayId, Seq, Timestamp, WellId};
use gwbank_registry::{BankType, Well};
use gwbank_store::conformance::metadata_suite;
use gwbank_store::{DeadLetterFilter, IngestCommit, Metadata, MetadataError, NewDeadLetter};

#[tokio::test]
async fn keeps_the_rules_of_the_port() {
    let root = tempfile::tempdir().unwrap();
    let next = AtomicU32::new(0);
    metadata_suite(|| {
        let path = root.path().join(next.fetch_add(1, Ordering::Relaxed).to_string()).join("metadata.sqlite");
        async { Arc::new(SqliteMetadata::open(SqliteConfig::new(path)).await.unwrap()) as Arc<dyn Metadata> }
    })
    .await;
}

fn letter(n: i64, payload: Vec<u8>) -> NewDeadLetter {
    NewDeadLetter {
        received_at: Timestamp::from_secs(n),
        gateway_id: GatewayId::new("gw").unwrap(),
        topic: "t".to_owned(),
        reason: "syntax".to_owned(),
        detail: "not JSON".to_owned(),
        subject: (n % 2).to_string(),
        payload,
        readings: 1,
        seq: Seq::from_i64(n),
    }
}

#[tokio::test]
async fn the_oldest_payloads_expire_and_are_counted() {
    let root = tempfile::tempdir().unwrap();
    let config = SqliteConfig { dead_letters_bytes_max: 10_000, ..SqliteConfig::new(root.path().join("m.sqlite")) };
    let metadata = SqliteMetadata::open(config.clone()).await.unwrap();
    let mut noise = 1u64;
    for n in 1..=40 {
        let payload = (0..1000)
            .map(|_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (noise >> 56) as u8
            })
            .collect();
        let commit = IngestCommit {
            through: Some(Seq::from_i64(n)),
            dead_letters: vec![letter(n, payload)],
            ..IngestCommit::default()
        };
        metadata.commit_ingest(commit).await.unwrap();
    }
    let entries = metadata.dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.count).sum::<u64>(), 40, "all are counted");
    let mut kept = Vec::new();
    for entry in &entries {
        let payloads = metadata.dead_letter_payloads(entry.id).await.unwrap();
        assert_eq!(entry.payload_bytes, payloads.len() as u64 * 1000);
        kept.extend(payloads.into_iter().map(|payload| payload.seq.as_i64()));
    }
    kept.sort_unstable();
    let expired = metadata.dead_letters_expired().await.unwrap();
    assert_eq!(kept.len() as u64 + expired, 40);
    assert_eq!(kept, (expired as i64 + 1..=40).collect::<Vec<_>>(), "the newest stay");
    assert!((8..=10).contains(&kept.len()), "{} kept", kept.len());
    drop(metadata);
    let reopened = SqliteMetadata::open(config).await.unwrap();
    assert_eq!(reopened.position().await.unwrap(), Seq::from_i64(40));
    assert_eq!(reopened.dead_letters_expired().await.unwrap(), expired);
}

fn well(id: &str, depth: f64) -> Well {
    Well { depth: Some(depth), ..Well::new(WellId::new(id).unwrap(), "10", BankType::Observation) }
}

#[tokio::test]
async fn former_rows_of_the_registry_stay() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("m.sqlite");
    let metadata = SqliteMetadata::open(SqliteConfig::new(&path)).await.unwrap();
    for (n, depth) in [(1, 10.0), (2, 10.0), (3, 20.0), (3, 30.0), (5, 40.0)] {
        metadata.put_wells(vec![well("A", depth)], Seq::from_i64(n)).await.unwrap();
    }
    let database = rusqlite::Connection::open(&path).unwrap();
    let mut statement = database
        .prepare("SELECT valid_from_seq, valid_to_seq, depth FROM well_versions ORDER BY valid_from_seq")
        .unwrap();
    let versions: Vec<(i64, Option<i64>, f64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(versions, [(1, Some(3), 10.0), (3, Some(5), 30.0), (5, None, 40.0)]);
}

#[tokio::test]
async fn a_failed_commit_changes_nothing_and_damage_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("m.sqlite");
    let metadata = SqliteMetadata::open(SqliteConfig::new(&path)).await.unwrap();
    metadata.put_wells(vec![well("A", 1.0)], Seq::from_i64(1)).await.unwrap();
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON dead_letter_payloads BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    let commit = IngestCommit {
        through: Some(Seq::from_i64(9)),
        dead_letters: vec![letter(9, vec![1])],
        ..IngestCommit::default()
    };
    let failed = metadata.commit_ingest(commit.clone()).await;
    assert!(matches!(failed, Err(MetadataError::Unavailable(_))), "{failed:?}");
    assert_eq!(metadata.position().await.unwrap(), Seq::ZERO);
    assert!(metadata.dead_letters(DeadLetterFilter::default()).await.unwrap().is_empty());
    database.execute_batch("DROP TRIGGER refuse").unwrap();
    metadata.commit_ingest(commit).await.unwrap();
    assert_eq!(metadata.position().await.unwrap(), Seq::from_i64(9));

    database.execute_batch("UPDATE well_versions SET status = 'sunk'").unwrap();
    let damaged = metadata.wells().await;
    assert!(matches!(&damaged, Err(MetadataError::Damaged(text)) if text.contains("sunk")), "{damaged:?}");
    database.execute_batch("PRAGMA user_version = 99").unwrap();
    let newer = SqliteMetadata::open(SqliteConfig::new(&path)).await;
    assert!(matches!(newer, Err(gwbank_delta::DeltaError::NewerSchema { found: 99, .. })));
}
