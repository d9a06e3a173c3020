//! Metadata in SQLite.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gwbank_delta::{SqliteConfig, SqliteMetadata};
use gwbank_model::{GatewayId, Seq, Timestamp, WellId};
use gwbank_registry::{BankType, Well};
use gwbank_store::conformance::metadata_suite;
use gwbank_store::{
    DeadLetterCause, DeadLetterFilter, DeadMessage, EXPIRED_SUBJECT, IngestCommit, Metadata, MetadataError,
    NewDeadLetter, PayloadPage,
};

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

fn dead(gateway: &str, n: i64, subjects: &[&str], payload: Vec<u8>) -> IngestCommit {
    let letter = |subject: &&str| NewDeadLetter {
        cause: DeadLetterCause { reason: "syntax".to_owned(), subject: (*subject).to_owned() },
        detail: "not JSON".to_owned(),
        readings: 1,
    };
    let message = DeadMessage {
        seq: Seq::from_i64(n),
        received_at: Timestamp::from_secs(n),
        gateway_id: GatewayId::new(gateway).unwrap(),
        topic: "t".to_owned(),
        payload: payload.into(),
        letters: subjects.iter().map(letter).collect(),
    };
    IngestCommit { through: Some(Seq::from_i64(n)), dead_messages: vec![message], ..IngestCommit::default() }
}

/// Bytes that do not compress.
fn noise(seed: i64) -> Vec<u8> {
    let mut state = seed.cast_unsigned();
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..1000).map(|_| next()).collect()
}

const ALL: PayloadPage = PayloadPage { after: Seq::ZERO, payloads_max: usize::MAX, bytes_max: usize::MAX };

/// Seqs of the kept payloads, by entry.
async fn kept(metadata: &SqliteMetadata) -> Vec<i64> {
    let mut kept = Vec::new();
    for entry in metadata.dead_letters(DeadLetterFilter::default()).await.unwrap() {
        let payloads = metadata.dead_letter_payloads(entry.id, ALL).await.unwrap();
        assert_eq!(entry.payload_bytes, payloads.len() as u64 * 1000, "{entry:?}");
        assert_eq!(entry.count, payloads.len() as u64 + entry.expired, "{entry:?}");
        kept.extend(payloads.iter().map(|payload| payload.seq.as_i64()));
    }
    kept.sort_unstable();
    kept
}

#[tokio::test]
async fn the_oldest_payloads_expire_and_are_counted() {
    let root = tempfile::tempdir().unwrap();
    let config = SqliteConfig { dead_letters_bytes_max: 18_000, ..SqliteConfig::new(root.path().join("m.sqlite")) };
    let metadata = SqliteMetadata::open(config.clone()).await.unwrap();
    for n in 1..=40 {
        metadata.commit_ingest(dead("gw", n, &[["even", "odd"][(n % 2) as usize]], noise(n))).await.unwrap();
    }
    let entries = metadata.dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.count).sum::<u64>(), 40, "all are counted");
    let usage = metadata.dead_letter_usage().await.unwrap();
    let kept = kept(&metadata).await;
    assert_eq!(kept.len() as u64 + usage.expired, 40);
    assert_eq!(kept, (usage.expired as i64 + 1..=40).collect::<Vec<_>>(), "the newest stay");
    assert!((8..=10).contains(&kept.len()) && usage.bytes <= 18_000, "{} kept, {usage:?}", kept.len());
    drop(metadata);
    let reopened = SqliteMetadata::open(config).await.unwrap();
    assert_eq!(reopened.position().await.unwrap(), Seq::from_i64(40));
    assert_eq!(reopened.dead_letter_usage().await.unwrap(), usage);
}

#[tokio::test]
async fn a_gateway_pushes_out_only_its_own_and_entries_do_not_pile_up() {
    let root = tempfile::tempdir().unwrap();
    let config =
        SqliteConfig { dead_letters_bytes_max_per_gateway: 10_000, ..SqliteConfig::new(root.path().join("m.sqlite")) };
    let metadata = SqliteMetadata::open(config).await.unwrap();
    metadata.commit_ingest(dead("quiet", 1, &["field"], noise(1))).await.unwrap();
    for n in 2..=100 {
        metadata.commit_ingest(dead("noisy", n, &["field", &format!("payload {n}")], noise(n))).await.unwrap();
    }
    let kept = kept(&metadata).await;
    assert_eq!(kept[0], 1, "the quiet gateway's");
    let entries = metadata.dead_letters(DeadLetterFilter::default()).await.unwrap();
    assert!(entries.len() < 10, "{} entries", entries.len());
    assert_eq!(entries.iter().map(|entry| entry.readings).sum::<u64>(), 1 + 99 * 2, "all are counted");
    let field = entries.iter().find(|entry| entry.subject == "field" && entry.gateway_id.as_str() == "noisy").unwrap();
    assert_eq!((field.count, field.count - field.expired), (99, (kept.len() as u64 - 1) / 2));
    let expired = entries.iter().find(|entry| entry.subject == EXPIRED_SUBJECT).unwrap();
    assert_eq!((expired.count, expired.readings), (expired.expired, expired.expired));
    assert!(metadata.dead_letter_payloads(expired.id, ALL).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_of_many_letters_is_kept_once() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("m.sqlite");
    let metadata = SqliteMetadata::open(SqliteConfig::new(&path)).await.unwrap();
    let subjects: Vec<String> = (0..500).map(|n| format!("W-{n}")).collect();
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    metadata.commit_ingest(dead("gw", 1, &subjects, noise(1).repeat(1000))).await.unwrap();
    assert_eq!(metadata.dead_letters(DeadLetterFilter::default()).await.unwrap().len(), 500);
    let usage = metadata.dead_letter_usage().await.unwrap();
    assert!(usage.bytes < 1_500_000, "{usage:?}");
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
        .execute_batch("CREATE TRIGGER refuse BEFORE INSERT ON dead_letter_shares BEGIN SELECT RAISE(ABORT, 'no'); END")
        .unwrap();
    let commit = dead("gw", 9, &["0"], vec![1]);
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
