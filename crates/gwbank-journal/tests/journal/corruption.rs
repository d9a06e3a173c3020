//! Known corruptions, made by hand.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use gwbank_journal::{Journal, JournalError};
use gwbank_model::Seq;

use crate::bench::{Bench, Running, dir, entry, segment};

const HEADER: usize = 88;
const HEAD: usize = 28;

fn payload(id: u64) -> Vec<u8> {
    format!("payload of entry {id}").into_bytes()
}

/// Each record in a group of its own; the process is killed after the last. Returns where each record begins.
fn five_records(bench: &Bench) -> Vec<usize> {
    let running = bench.open_well();
    let mut starts = Vec::new();
    for id in 0..5 {
        starts.push(bench.disk.contents(&segment(1)).map_or(0, |bytes| bytes.len()));
        running.append(id, payload(id));
    }
    bench.disk.restart();
    drop(running);
    starts
}

fn check_first(running: &Running, count: u64) {
    assert_eq!(running.payloads(), (0..count).map(payload).collect::<Vec<_>>());
}

/// Several segments, cleanly closed. Returns how many.
fn many_segments(bench: &mut Bench) -> u64 {
    bench.config.segment_bytes = 200;
    let running = bench.open_well();
    for id in 0..20 {
        running.append(id, payload(id));
    }
    running.journal.close();
    bench.disk.files().len() as u64
}

#[test]
fn a_torn_tail_is_cut_wherever_it_ends() {
    let bench = Bench::new(1);
    let starts = five_records(&bench);
    let whole = bench.contents(1);
    for end in starts[4]..whole.len() {
        bench.disk.set_contents(&segment(1), whole[..end].to_vec());
        let running = bench.open_well();
        check_first(&running, 4);
        let cut = running.journal.recovery().cut.clone();
        assert_eq!(cut.is_some(), end > starts[4]);
        if let Some(cut) = cut {
            assert_eq!((cut.path, cut.offset, cut.bytes), (segment(1), starts[4] as u64, (end - starts[4]) as u64));
            let kept = bench.disk.contents(&cut.kept_in.expect("kept")).expect("there");
            assert_eq!(kept, whole[starts[4]..end]);
        }
        running.append(5, payload(5));
        running.journal.close();
        let running = bench.open_well();
        assert_eq!(running.payloads().last(), Some(&payload(5)));
        assert_eq!(running.journal.recovery().cut, None);
        running.journal.close();
    }
}

#[test]
fn a_tail_of_zeros_is_cut() {
    let bench = Bench::new(1);
    let starts = five_records(&bench);
    let whole = bench.contents(1);
    for zeros_from in starts[4]..whole.len() {
        let mut bytes = whole.clone();
        bytes[zeros_from..].fill(0);
        bytes.resize(whole.len() + 4096, 0);
        bench.disk.set_contents(&segment(1), bytes);
        let running = bench.open_well();
        check_first(&running, 4);
        let cut = running.journal.recovery().cut.clone().expect("cut");
        assert_eq!(cut.kept_in.is_some(), zeros_from > starts[4], "nothing but zeros is not kept");
        running.journal.close();
    }
}

#[test]
fn a_record_that_others_follow_is_never_cut() {
    let bench = Bench::new(1);
    let starts = five_records(&bench);
    let whole = bench.contents(1);
    for (record, place) in starts[..4].iter().enumerate() {
        for byte in *place..starts[record + 1] {
            let mut bytes = whole.clone();
            bytes[byte] ^= 0x40;
            bench.disk.set_contents(&segment(1), bytes);
            match bench.refusal() {
                JournalError::Damaged { path, offset, .. } => assert_eq!((path, offset), (segment(1), *place as u64)),
                error => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_clean_close_is_evidence_for_the_last_record() {
    let bench = Bench::new(1);
    let running = bench.open_well();
    running.append(0, payload(0));
    running.journal.close();
    bench.disk.flip_bit(&segment(1), (HEADER + HEAD + 3) * 8);
    assert!(matches!(bench.refusal(), JournalError::Damaged { offset, .. } if offset == HEADER as u64));
}

#[test]
fn nothing_is_changed_when_opening_is_refused() {
    let bench = Bench::new(1);
    five_records(&bench);
    bench.disk.flip_bit(&segment(1), (HEADER + 2) * 8);
    let before = bench.contents(1);
    bench.refusal();
    assert_eq!(bench.contents(1), before);
}

/// The sectors of a group may reach the disk in any order; what is whole after a hole in it was never acknowledged.
#[test]
fn a_hole_in_the_last_group_is_a_torn_tail() {
    let mut bench = Bench::new(1);
    // The cut sequences are given out once more, so that only the cut keeps apart old and new.
    bench.clock = Arc::new(|| 1_000);
    let (reached, in_callback) = channel();
    let (release, released) = channel::<()>();
    let journal = Journal::open_with(
        bench.config.clone(),
        bench.disk.process(),
        bench.clock.clone(),
        move |group| {
            let _ = reached.send(group.len());
            let _ = released.recv();
        },
        Box::new(|error| panic!("{error}")),
    )
    .expect("opened");
    let take = |id| journal.try_append(entry(id, payload(id))).expect("taken");
    take(0);
    assert_eq!(in_callback.recv(), Ok(1));
    (1..5).for_each(take);
    release.send(()).expect("the writer waits");
    assert_eq!(in_callback.recv(), Ok(4), "all that waited is one group");
    bench.disk.restart();
    drop(release);

    let record = HEAD + payload(0).len();
    let hole = HEADER + 2 * record;
    let mut bytes = bench.contents(1);
    bytes[hole..hole + record].fill(0);
    bench.disk.set_contents(&segment(1), bytes);
    let running = bench.open_well();
    check_first(&running, 2);
    assert_eq!(running.journal.recovery().cut.as_ref().map(|cut| cut.bytes), Some(3 * record as u64));

    running.append(5, payload(5));
    bench.disk.restart();
    assert_eq!(bench.open_well().payloads(), [payload(0), payload(1), payload(5)], "what was cut does not come back");
}

/// A payload that holds the bytes of a segment does not pass for records.
#[test]
fn records_inside_a_payload_are_no_evidence() {
    let bench = Bench::new(1);
    let running = bench.open_well();
    running.append(0, payload(0));
    running.append(1, payload(1));
    let forged = bench.contents(1);
    let start = forged.len();
    running.append(2, [forged.clone(), forged].concat());
    bench.disk.restart();
    let mut bytes = bench.contents(1);
    bytes.pop();
    bench.disk.set_contents(&segment(1), bytes);
    drop(running);
    let running = bench.open_well();
    check_first(&running, 2);
    assert_eq!(running.journal.recovery().cut.as_ref().map(|cut| cut.offset), Some(start as u64));
}

#[test]
fn damage_in_an_older_segment_stops_replay_there() {
    let mut bench = Bench::new(1);
    assert!(many_segments(&mut bench) > 5);
    let running = bench.open_well();
    let ninth = running.replay()[8].first_seq;
    running.journal.close();
    bench.disk.flip_bit(&segment(3), (HEADER + HEAD) * 8);
    let running = bench.open_well();
    match running.try_replay(Seq::ZERO) {
        Err(JournalError::Damaged { path, offset, .. }) => assert_eq!((path, offset), (segment(3), HEADER as u64)),
        other => panic!("{other:?}"),
    }
    let mut replay = running.journal.replay(Seq::ZERO).expect("begun");
    assert_eq!(replay.by_ref().filter(Result::is_err).count(), 1, "and ends there");
    // What no consumer needs any more stops nobody.
    assert_eq!(running.try_replay(ninth).map(|records| records.len()).ok(), Some(11));
}

#[test]
fn a_missing_segment_is_named() {
    let mut bench = Bench::new(1);
    many_segments(&mut bench);
    bench.disk.remove_file(&segment(4));
    assert!(matches!(bench.refusal(), JournalError::MissingSegment { path } if path == segment(4)));
}

#[test]
fn swapped_and_foreign_segments_are_refused() {
    let mut bench = Bench::new(1);
    many_segments(&mut bench);
    let (third, fourth) = (bench.contents(3), bench.contents(4));
    bench.disk.set_contents(&segment(3), fourth.clone());
    bench.disk.set_contents(&segment(4), third.clone());
    assert!(matches!(bench.refusal(), JournalError::Misplaced { path, .. } if path == segment(3)));

    let mut other = Bench::new(2);
    many_segments(&mut other);
    bench.disk.set_contents(&segment(3), other.contents(3));
    bench.disk.set_contents(&segment(4), fourth);
    assert!(matches!(bench.refusal(), JournalError::Misplaced { path, .. } if path == segment(3)));
    bench.disk.set_contents(&segment(3), third);
    bench.open_well();
}

#[test]
fn a_closed_segment_that_became_shorter_is_refused_and_a_longer_one_is_read_to_its_end() {
    let mut bench = Bench::new(1);
    many_segments(&mut bench);
    let whole = bench.contents(2);
    bench.disk.set_contents(&segment(2), [whole.clone(), vec![9; 100]].concat());
    let running = bench.open_well();
    check_first(&running, 20);
    running.journal.close();
    bench.disk.set_contents(&segment(2), whole[..whole.len() - 1].to_vec());
    assert!(matches!(bench.refusal(), JournalError::Damaged { path, .. } if path == segment(2)));
}

#[test]
fn a_file_that_is_no_segment_is_refused() {
    for garbage in [vec![], vec![0; 4096], b"hello".to_vec(), vec![0xff; 88]] {
        let bench = Bench::new(1);
        five_records(&bench);
        bench.disk.set_contents(&segment(2), garbage);
        assert!(matches!(bench.refusal(), JournalError::Damaged { path, offset: 0, .. } if path == segment(2)));
    }
}

#[test]
fn other_files_are_left_alone_and_unfinished_segments_go() {
    let bench = Bench::new(1);
    five_records(&bench);
    let unfinished = dir().join("000000000002.seg.tmp");
    bench.disk.set_contents(&dir().join("notes.txt"), b"mine".to_vec());
    bench.disk.set_contents(&unfinished, vec![1, 2, 3]);
    check_first(&bench.open_well(), 5);
    assert_eq!(bench.disk.contents(&unfinished), None);
    assert!(bench.disk.contents(&dir().join("notes.txt")).is_some());
}

#[test]
fn another_format_version_is_refused() {
    let bench = Bench::new(1);
    five_records(&bench);
    let mut bytes = bench.contents(1);
    bytes[8] = 2;
    bench.disk.set_contents(&segment(1), bytes);
    let error = bench.refusal();
    assert!(matches!(error, JournalError::UnsupportedVersion { found: 2, supported: 1, .. }));
    assert!(error.to_string().contains("000000000001.seg"), "{error}");
}

#[test]
fn another_node_is_refused() {
    let mut bench = Bench::new(1);
    five_records(&bench);
    bench.config.node = 8;
    assert!(matches!(bench.refusal(), JournalError::NodeMismatch { found: 7, configured: 8, .. }));
}

#[test]
fn an_error_names_file_place_and_mend() {
    let bench = Bench::new(1);
    five_records(&bench);
    bench.disk.flip_bit(&segment(1), HEADER * 8);
    let text = bench.refusal().to_string();
    let file = Path::new("journal").join("000000000001.seg").display().to_string();
    assert!(text.contains(&file) && text.contains("byte 88") && text.contains("put back"), "{text}");
}
