//! Reading records back, a segment at a time, without holding a file in memory.

use std::collections::VecDeque;
use std::iter::FusedIterator;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gwbank_model::Seq;

use crate::disk::{Disk, DiskFile, RealDisk};
use crate::error::{JournalError, Operation};
use crate::reader::{SegmentReader, Step};
use crate::recover::{Tail, judge_tail, survey};
use crate::segments::{Pin, Segment};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub first_seq: Seq,
    pub seq_count: u32,
    pub payload: Vec<u8>,
}

impl Record {
    pub fn last_seq(&self) -> Seq {
        self.first_seq.nth(self.seq_count.saturating_sub(1))
    }
}

/// The records of a directory whose last sequence is after `after`, without changing anything in it. A torn end is
/// where the records end.
pub fn read_records(dir: &Path, after: Seq) -> Result<Replay, JournalError> {
    let mut segments = VecDeque::from(survey(&RealDisk, dir)?);
    while segments.len() > 1 && segments[0].last_seq <= after {
        segments.pop_front();
    }
    Ok(Replay::new(Arc::new(RealDisk), segments, Arc::new(AtomicU64::new(0)), after, End::MayBeTorn))
}

/// Where the last segment's `bytes` comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// From the writer: everything before it is whole.
    Known,
    /// From the file system.
    MayBeTorn,
}

/// An iterator over records in the order of their sequence. It ends after the first error.
pub struct Replay {
    disk: Arc<dyn Disk>,
    segments: VecDeque<Segment>,
    pin: Pin,
    after: Seq,
    end: End,
    current: Option<(SegmentReader<Box<dyn DiskFile>>, PathBuf)>,
}

impl Replay {
    pub(crate) fn new(disk: Arc<dyn Disk>, segments: VecDeque<Segment>, pin: Pin, after: Seq, end: End) -> Self {
        Self { disk, segments, pin, after, end, current: None }
    }

    fn advance(&mut self) -> Result<Option<Record>, JournalError> {
        loop {
            let Some((reader, path)) = &mut self.current else {
                let Some(segment) = self.segments.pop_front() else {
                    self.pin.store(u64::MAX, Ordering::SeqCst);
                    return Ok(None);
                };
                self.pin.store(segment.number(), Ordering::SeqCst);
                let file =
                    self.disk.open_read(&segment.path).map_err(JournalError::io(Operation::Open, &segment.path))?;
                self.current = Some((SegmentReader::new(file, &segment.header, segment.bytes), segment.path));
                continue;
            };
            match reader.step().map_err(JournalError::io(Operation::Read, &*path))? {
                Step::Record(head) if head.is_mark() || head.last_seq() <= self.after => {}
                Step::Record(head) => {
                    let (first_seq, seq_count) = (head.first_seq, head.seq_count);
                    return Ok(Some(Record { first_seq, seq_count, payload: reader.payload().to_vec() }));
                }
                Step::End => self.current = None,
                Step::Invalid(problem) => {
                    let is_last = self.segments.is_empty();
                    if is_last && self.end == End::MayBeTorn {
                        let tail = judge_tail(reader).map_err(JournalError::io(Operation::Read, &*path))?;
                        if matches!(tail, Tail::Torn) {
                            self.current = None;
                            continue;
                        }
                    }
                    return Err(JournalError::Damaged { path: path.clone(), offset: reader.offset(), problem });
                }
            }
        }
    }
}

impl Iterator for Replay {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if matches!(next, Some(Err(_))) {
            self.segments.clear();
            self.current = None;
        }
        next
    }
}

impl FusedIterator for Replay {}
