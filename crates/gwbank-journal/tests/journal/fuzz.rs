use gwbank_journal::fuzz::{SegmentEnd, SegmentReport, read_segment};
use gwbank_model::Seq;
use proptest::prelude::*;

use crate::bench::Bench;

fn valid_segment() -> Vec<u8> {
    let bench = Bench::new(1);
    let running = bench.open_well();
    for id in 0..6 {
        running.append(id, vec![id as u8; id as usize * 17]);
    }
    running.journal.close();
    bench.contents(1)
}

fn records(report: &SegmentReport) -> &[(Seq, usize)] {
    match report {
        SegmentReport::Refused => &[],
        SegmentReport::Read { records, .. } => records,
    }
}

#[derive(Debug, Clone)]
enum Mutation {
    Overwrite(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Delete(usize, usize),
    Cut(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let bytes = || proptest::collection::vec(any::<u8>(), 1..40);
    prop_oneof![
        (0usize..700, bytes()).prop_map(|(at, bytes)| Mutation::Overwrite(at, bytes)),
        (0usize..700, bytes()).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (0usize..700, 1usize..100).prop_map(|(at, bytes)| Mutation::Delete(at, bytes)),
        (0usize..700).prop_map(Mutation::Cut),
    ]
}

fn mutate(segment: &mut Vec<u8>, mutation: Mutation) {
    let clamp = |at: usize, segment: &Vec<u8>| at.min(segment.len());
    match mutation {
        Mutation::Overwrite(at, bytes) => {
            for (place, byte) in segment.iter_mut().skip(at).zip(bytes) {
                *place = byte;
            }
        }
        Mutation::Insert(at, bytes) => {
            let at = clamp(at, segment);
            segment.splice(at..at, bytes);
        }
        Mutation::Delete(at, bytes) => {
            let range = clamp(at, segment)..clamp(at + bytes, segment);
            segment.drain(range);
        }
        Mutation::Cut(at) => segment.truncate(at),
    }
}

#[test]
fn a_whole_segment_reads_clean() {
    let report = read_segment(&valid_segment());
    assert_eq!(records(&report).len(), 6);
    assert!(matches!(report, SegmentReport::Read { end: SegmentEnd::Clean, .. }));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert_eq!(read_segment(&bytes), SegmentReport::Refused);
    }

    #[test]
    fn arbitrary_bytes_after_a_header_are_torn(bytes in proptest::collection::vec(any::<u8>(), 1..2000)) {
        let mut segment = valid_segment();
        segment.truncate(88);
        segment.extend(bytes);
        let expected = SegmentReport::Read { records: vec![], whole_bytes: 88, end: SegmentEnd::Torn };
        prop_assert_eq!(read_segment(&segment), expected);
    }

    #[test]
    fn what_is_read_from_a_mutated_segment_was_written(mutations in proptest::collection::vec(mutation(), 1..4)) {
        let segment = valid_segment();
        let whole = read_segment(&segment);
        let mut mutated = segment;
        for mutation in mutations {
            mutate(&mut mutated, mutation);
        }
        let read = read_segment(&mutated);
        prop_assert!(records(&whole).starts_with(records(&read)));
    }
}
