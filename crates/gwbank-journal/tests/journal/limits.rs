//! What is full, closed or broken, and how that is told.

use std::future::Future;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};

use gwbank_journal::{AppendError, Journal, JournalConfig, JournalError, Operation};
use gwbank_model::Seq;
use gwbank_testkit::DiskFaults;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::bench::{Bench, Report, Running, dir, entry, wait_until};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// Appends until nothing fits any more. Returns the last sequence.
fn fill(running: &Running) -> Seq {
    let mut last = Seq::ZERO;
    for id in 0.. {
        match running.journal.try_append(entry(id, vec![1; 500])) {
            Ok(()) => {}
            Err((AppendError::Full, _)) => break,
            Err((error, _)) => panic!("{error}"),
        }
        match running.report() {
            Report::Durable(group) => last = group[0].0,
            Report::Fatal(error) => panic!("{error}"),
        }
    }
    last
}

#[test]
fn a_full_journal_makes_appenders_wait_until_something_is_given_up() {
    let mut bench = Bench::new(1);
    bench.config.bytes_max = 20_000;
    let running = bench.open_well();
    assert!(!running.journal.is_full());
    let last = fill(&running);
    assert!(running.journal.is_full() && running.journal.bytes() <= 20_000);

    let mut append = Box::pin(running.journal.append(entry(1000, vec![2; 500])));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(append.as_mut().poll(&mut context), Poll::Pending);
    running.journal.truncate_through(last).expect("truncated");
    block_on(append).expect("there is room");
    assert!(matches!(running.report(), Report::Durable(group) if group[0].1 == 1000));
    assert!(!running.journal.is_full() && running.journal.bytes() < 10_000);
}

/// Even when all of it lies in the segment that is written to.
#[test]
fn a_large_record_finds_room_when_everything_was_given_up() {
    let mut bench = Bench::new(1);
    bench.config.bytes_max = 20_000;
    let running = bench.open_well();
    let seq = running.append(0, vec![1; 3_000]);
    running.journal.truncate_through(seq).expect("truncated");
    assert_eq!(running.payloads().len(), 1, "the active segment stays");
    block_on(running.journal.append(entry(1, vec![2; 19_000]))).expect("there is room");
    assert!(matches!(running.report(), Report::Durable(group) if group[0].1 == 1 && group[0].0 > seq));
    assert_eq!(running.payloads(), [vec![2; 19_000]]);
    assert_eq!(running.journal.truncated_through(), seq);
}

#[test]
fn a_cancelled_append_leaves_nothing_behind() {
    let mut bench = Bench::new(1);
    bench.config.bytes_max = 20_000;
    let running = bench.open_well();
    let last = fill(&running);
    let mut append = Box::pin(running.journal.append(entry(1000, vec![2; 500])));
    assert_eq!(append.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    drop(append);
    running.journal.truncate_through(last).expect("truncated");
    running.append(1, vec![]);
    assert!(running.payloads().iter().all(|payload| payload != &vec![2; 500]));
}

#[test]
fn what_can_never_fit_is_refused() {
    let mut bench = Bench::new(1);
    bench.config.bytes_max = 20_000;
    let running = bench.open_well();
    let result = block_on(running.journal.append(entry(0, vec![0; 20_000])));
    assert_eq!(result, Err(AppendError::TooLarge { bytes: 20_028, bytes_max: 20_000 }));
}

#[test]
fn sequences_go_on_after_everything_was_given_up() {
    let mut bench = Bench::new(3);
    bench.config.segment_bytes = 400;
    let mut last = Seq::ZERO;
    for life in 0..20 {
        let running = bench.open_well();
        assert!(running.journal.last_seq() >= last);
        for id in 0..3 {
            let seq = running.append(life * 3 + id, vec![7; 300]);
            assert!(seq > last);
            last = seq;
        }
        running.journal.truncate_through(last).expect("truncated");
        assert_eq!(running.journal.last_seq(), last);
        running.journal.close();
        bench.disk.power_cut(&mut SmallRng::seed_from_u64(life));
    }
    let running = bench.open_well();
    let beyond = last.nth(1_000_000_000);
    running.journal.advance_past(beyond);
    assert!(running.append(0, vec![]) > beyond);
}

#[test]
fn a_record_takes_as_many_sequences_as_it_asks_for() {
    let bench = Bench::new(1);
    let running = bench.open_well();
    let mut first = entry(0, vec![1]);
    first.seq_count = 5;
    running.journal.try_append(first).expect("taken");
    let Report::Durable(group) = running.report() else { panic!("failed") };
    let next = running.append(1, vec![2]);
    assert!(next > group[0].0.nth(4));
    let records = running.replay();
    assert_eq!((records[0].seq_count, records[0].last_seq()), (5, group[0].0.nth(4)));
    assert_eq!(running.try_replay(records[0].last_seq()).expect("read").len(), 1);
    assert_eq!(running.try_replay(records[0].first_seq).expect("read").len(), 2, "a part of it is all of it");
}

#[test]
fn a_full_disk_is_waited_for() {
    let bench = Bench::new(1);
    let running = bench.open_well();
    running.append(0, vec![1; 100]);
    let faults = |bytes| DiskFaults { capacity_bytes: bytes, short_write: 0.3, ..DiskFaults::default() };
    bench.disk.set_faults(faults(Some(1_000)));
    running.journal.try_append(entry(1, vec![2; 2_000])).expect("taken");
    wait_until("the full disk", || running.journal.is_full());
    assert!(matches!(running.journal.try_append(entry(2, vec![])), Err((AppendError::Full, _))));
    assert!(running.reports.try_recv().is_err(), "nothing is acknowledged");

    bench.disk.set_faults(faults(None));
    assert!(matches!(running.report(), Report::Durable(group) if group[0].1 == 1));
    block_on(running.journal.append(entry(2, vec![3]))).expect("there is space");
    assert!(matches!(running.report(), Report::Durable(_)));
    bench.disk.power_cut(&mut SmallRng::seed_from_u64(1));
    drop(running);
    assert_eq!(bench.open_well().payloads(), [vec![1; 100], vec![2; 2_000], vec![3]]);
}

#[test]
fn a_disk_without_room_for_a_new_segment_is_waited_for() {
    let mut bench = Bench::new(1);
    bench.config.segment_bytes = 300;
    let running = bench.open_well();
    running.append(0, vec![1; 200]);
    bench.disk.set_faults(DiskFaults { capacity_bytes: Some(340), ..DiskFaults::default() });
    running.journal.try_append(entry(1, vec![2; 200])).expect("taken");
    wait_until("the full disk", || running.journal.is_full());
    bench.disk.set_faults(DiskFaults::default());
    assert!(matches!(running.report(), Report::Durable(group) if group[0].1 == 1));
    assert_eq!(running.payloads().len(), 2);
}

#[test]
fn closing_does_not_wait_for_a_full_disk() {
    let bench = Bench::new(1);
    let running = bench.open_well();
    running.append(0, vec![1; 100]);
    bench.disk.set_faults(DiskFaults { capacity_bytes: Some(300), ..DiskFaults::default() });
    running.journal.try_append(entry(1, vec![2; 2_000])).expect("taken");
    wait_until("the full disk", || running.journal.is_full());
    running.journal.close();
    assert!(running.reports.recv().is_err(), "neither acknowledged nor fatal");
    bench.disk.restart();
    let running = bench.open_well();
    assert_eq!(running.journal.recovery().cut, None, "what did not fit was cut off at once");
    assert_eq!(running.payloads(), [vec![1; 100]]);
}

#[test]
fn a_failed_sync_is_fatal_and_nothing_is_tried_again() {
    let bench = Bench::new(1);
    let running = bench.open_well();
    running.append(0, vec![1]);
    bench.disk.set_faults(DiskFaults { sync_fails_after: Some(0), ..DiskFaults::default() });
    running.journal.try_append(entry(1, vec![2])).expect("taken");
    let Report::Fatal(error) = running.report() else { panic!("acknowledged") };
    assert!(matches!(error, JournalError::Io { operation: Operation::Sync, .. }), "{error}");
    bench.disk.set_faults(DiskFaults::default());
    assert_eq!(block_on(running.journal.append(entry(2, vec![3]))), Err(AppendError::Closed));
    running.journal.close();
    assert!(running.reports.recv().is_err(), "no other report");
}

/// The page cache may show what a failed sync did not bring to the disk. Recovery reads it, so it must write it.
#[test]
fn what_recovery_keeps_is_durable_even_after_a_failed_sync() {
    for seed in 0..50 {
        let bench = Bench::new(seed);
        let running = bench.open_well();
        bench.disk.set_faults(DiskFaults { sync_fails_after: Some(0), ..DiskFaults::default() });
        running.journal.try_append(entry(0, vec![5; 3_000])).expect("taken");
        assert!(matches!(running.report(), Report::Fatal(_)));
        bench.disk.restart();
        let running = bench.open_well();
        assert_eq!(running.payloads(), [vec![5; 3_000]]);
        bench.disk.power_cut(&mut SmallRng::seed_from_u64(seed));
        drop(running);
        assert_eq!(bench.open_well().payloads(), [vec![5; 3_000]], "seed {seed}");
    }
}

#[test]
fn a_panic_in_the_callback_is_fatal() {
    let bench = Bench::new(1);
    let (fatal, reports) = channel();
    let journal = Journal::open_with(
        bench.config.clone(),
        bench.disk.process(),
        bench.clock.clone(),
        |_| panic!("this panic is part of the test"),
        Box::new(move |error| fatal.send(error).expect("the test listens")),
    )
    .expect("opened");
    journal.try_append(entry(0, vec![])).expect("taken");
    assert!(matches!(reports.recv(), Ok(JournalError::WriterPanicked)));
    assert!(matches!(journal.try_append(entry(1, vec![])), Err((AppendError::Closed, _))));
}

#[test]
fn closing_writes_what_was_taken_in() {
    let bench = Bench::new(1);
    let running = bench.open_well();
    let other_handle = running.journal.clone();
    for id in 0..100 {
        running.journal.try_append(entry(id, vec![id as u8])).expect("taken");
    }
    running.journal.close();
    assert!(matches!(other_handle.try_append(entry(0, vec![])), Err((AppendError::Closed, _))));
    bench.disk.power_cut(&mut SmallRng::seed_from_u64(1));
    let running = bench.open_well();
    assert_eq!(running.payloads().len(), 100);
    assert_eq!(running.journal.fsync_stats().count, 0);
    running.append(0, vec![]);
    assert_eq!(running.journal.fsync_stats().count, 1);
}

#[test]
fn a_segment_that_is_being_read_stays() {
    let mut bench = Bench::new(1);
    bench.config.segment_bytes = 200;
    let running = bench.open_well();
    let mut last = Seq::ZERO;
    for id in 0..10 {
        last = running.append(id, vec![id as u8; 100]);
    }
    let replay = running.journal.replay(Seq::ZERO).expect("begun");
    running.journal.truncate_through(last).expect("truncated");
    assert_eq!(replay.filter(Result::is_ok).count(), 10);
    running.journal.truncate_through(last).expect("truncated");
    assert_eq!(bench.disk.files().len(), 1);
}

#[test]
fn nonsense_settings_are_refused() {
    let good = JournalConfig::new(dir(), 1);
    for (setting, config) in [
        ("bytes_max", JournalConfig { bytes_max: 100, ..good.clone() }),
        ("group_bytes_max", JournalConfig { group_bytes_max: 0, ..good.clone() }),
        ("segment_bytes", JournalConfig { segment_bytes: 1, ..good.clone() }),
        ("segment_bytes", JournalConfig { segment_bytes: 1 << 40, ..good }),
    ] {
        let mut bench = Bench::new(1);
        bench.config = config;
        assert!(matches!(bench.refusal(), JournalError::Config { setting: refused, .. } if refused == setting));
    }
}
