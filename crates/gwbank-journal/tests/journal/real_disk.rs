//! The same on the operating system's file system, with many tasks at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gwbank_journal::{Durable, Entry, Journal, JournalConfig, RealDisk, Record, read_records};
use gwbank_model::Seq;
use gwbank_testkit::SeededClock;
use tokio::sync::oneshot;

const TASKS: u64 = 40;
const APPENDS: u64 = 25;

type Ack = oneshot::Sender<Seq>;

fn open(dir: &Path) -> Journal<Ack> {
    let config = JournalConfig { segment_bytes: 20_000, bytes_max: 1 << 20, ..JournalConfig::new(dir, 3) };
    let on_durable = |group: Vec<Durable<Ack>>| {
        for durable in group {
            let (seq, ack) = durable.into_parts();
            ack.send(seq).expect("the task waits");
        }
    };
    Journal::open(config, Arc::new(RealDisk), SeededClock::new(1).as_fn(), on_durable).expect("opened")
}

async fn append_many(journal: Journal<Ack>, task: u64) -> Vec<(Seq, Vec<u8>)> {
    let mut acknowledged = Vec::new();
    for nth in 0..APPENDS {
        let payload = format!("task {task}, append {nth}").into_bytes();
        let (attachment, ack) = oneshot::channel();
        let entry = Entry { payload: payload.clone(), seq_count: 1 + (nth % 3) as u32, attachment };
        journal.append(entry).await.expect("taken");
        acknowledged.push((ack.await.expect("acknowledged"), payload));
    }
    acknowledged
}

fn collect(records: impl Iterator<Item = Result<Record, gwbank_journal::JournalError>>) -> Vec<Record> {
    records.collect::<Result<_, _>>().expect("whole")
}

#[test]
fn many_tasks_on_a_real_disk() {
    let root = tempfile::tempdir().expect("a directory");
    let dir = root.path().join("data").join("journal");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().expect("a runtime");

    let journal = open(&dir);
    let tasks: Vec<_> = (0..TASKS).map(|task| runtime.spawn(append_many(journal.clone(), task))).collect();
    let mut acknowledged = BTreeMap::new();
    for task in tasks {
        let of_task = runtime.block_on(task).expect("no panic");
        assert!(of_task.is_sorted_by_key(|(seq, _)| *seq));
        acknowledged.extend(of_task);
    }
    assert_eq!(acknowledged.len() as u64, TASKS * APPENDS);
    let stats = journal.fsync_stats();
    assert!(stats.count > 0 && stats.count <= TASKS * APPENDS && stats.sum_seconds > 0.0);

    let expected: Vec<_> = acknowledged.into_iter().collect();
    let of = |records: Vec<Record>| -> Vec<(Seq, Vec<u8>)> {
        records.into_iter().map(|record| (record.first_seq, record.payload)).collect()
    };
    assert_eq!(of(collect(read_records(&dir, Seq::ZERO).expect("readable while it is written"))), expected);
    journal.close();

    let journal = open(&dir);
    assert_eq!(journal.recovery().cut, None);
    assert!(journal.recovery().segments > 2);
    let records = collect(journal.replay(Seq::ZERO).expect("readable"));
    let middle = records[records.len() / 2].last_seq();
    assert_eq!(of(records), expected);
    journal.truncate_through(middle).expect("truncated");
    let rest = of(collect(journal.replay(middle).expect("readable")));
    assert_eq!(rest, expected[expected.len() / 2 + 1..]);
    let all = of(collect(journal.replay(journal.truncated_through()).expect("readable")));
    assert!(all.len() < expected.len() && expected.ends_with(&all));
    journal.truncate_through(Seq::MAX).expect("truncated");
    let files = std::fs::read_dir(&dir).expect("there").count();
    assert_eq!(files, 1);
    let bytes =
        std::fs::read_dir(&dir).expect("there").map(|file| file.expect("there").metadata().expect("there").len());
    assert_eq!(journal.bytes(), bytes.sum::<u64>());
}
