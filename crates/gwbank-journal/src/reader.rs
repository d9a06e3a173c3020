//! Reads one segment from front to back, and looks for heads beyond a place that is not whole.

use std::io;
use std::path::Path;

use gwbank_model::Seq;

use crate::disk::{DiskFile, read_up_to};
use crate::error::{JournalError, Operation};
use crate::format::{HEAD_BYTES, HEADER_BYTES, Head, Header, HeaderFault, VERSION};

/// How much is read at once; large enough that a disk streams, small beside everything else.
const READ_BYTES: usize = 1 << 20;

/// Reads a header, whatever it says about itself.
pub(crate) fn read_header(file: &dyn DiskFile, path: &Path) -> Result<Header, JournalError> {
    let mut bytes = [0; HEADER_BYTES];
    let filled = read_up_to(file, &mut bytes, 0).map_err(JournalError::io(Operation::Read, path))?;
    let damaged = |problem| JournalError::Damaged { path: path.to_owned(), offset: 0, problem };
    Header::decode(&bytes[..filled]).map_err(|fault| match fault {
        HeaderFault::Short => damaged("the segment header is cut short"),
        HeaderFault::Magic => damaged("this is no journal segment"),
        HeaderFault::Checksum => damaged("the segment header fails its checksum"),
        HeaderFault::Version(found) => {
            JournalError::UnsupportedVersion { path: path.to_owned(), found, supported: VERSION }
        }
    })
}

pub(crate) enum Step {
    /// A whole record; its payload is [`SegmentReader::payload`] until the next step.
    Record(Head),
    End,
    /// Not a whole record, at [`SegmentReader::offset`].
    Invalid(&'static str),
}

/// Reads the records between the header and `end`.
pub(crate) struct SegmentReader<F> {
    file: F,
    salt: u64,
    /// Of the record that comes next, or of what is not one.
    offset: u64,
    end: u64,
    last_seq: Seq,
    /// Bytes of the file from `buffer_offset` on.
    buffer: Vec<u8>,
    buffer_offset: u64,
    payload: std::ops::Range<usize>,
}

impl<F: std::ops::Deref<Target: DiskFile>> SegmentReader<F> {
    pub(crate) fn new(file: F, header: &Header, end: u64) -> Self {
        Self {
            file,
            salt: header.salt,
            offset: HEADER_BYTES as u64,
            end,
            last_seq: header.records_through,
            buffer: Vec::new(),
            buffer_offset: HEADER_BYTES as u64,
            payload: 0..0,
        }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The last sequence of the records read so far, or of those in the segments before.
    pub(crate) fn last_seq(&self) -> Seq {
        self.last_seq
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.buffer[self.payload.clone()]
    }

    pub(crate) fn step(&mut self) -> io::Result<Step> {
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Step::End);
        }
        let at = self.fill(HEAD_BYTES)?;
        let Some(head) = Head::decode(&self.buffer[at..], self.salt, self.offset) else {
            return Ok(Step::Invalid("the record's head fails its checksum"));
        };
        let record_bytes = HEAD_BYTES + head.payload_bytes as usize;
        if record_bytes as u64 > left {
            return Ok(Step::Invalid("the record is cut short"));
        }
        let at = self.fill(record_bytes)?;
        if self.buffer.len() < at + record_bytes {
            return Ok(Step::Invalid("the record is cut short"));
        }
        let payload = at + HEAD_BYTES..at + record_bytes;
        if crc32c::crc32c(&self.buffer[payload.clone()]) != head.payload_checksum {
            return Ok(Step::Invalid("the record's payload fails its checksum"));
        }
        if !head.is_mark() {
            if head.first_seq <= self.last_seq {
                return Ok(Step::Invalid("the record's sequence does not follow the one before"));
            }
            self.last_seq = head.last_seq();
        }
        self.payload = payload;
        self.offset += record_bytes as u64;
        Ok(Step::Record(head))
    }

    /// Has `bytes` bytes from `offset` on in the buffer, if the file has them, and returns where in it they begin.
    fn fill(&mut self, bytes: usize) -> io::Result<usize> {
        let at = (self.offset - self.buffer_offset) as usize;
        if self.buffer.len() >= at + bytes {
            return Ok(at);
        }
        self.buffer.drain(..at.min(self.buffer.len()));
        self.buffer_offset = self.offset;
        let have = self.buffer.len();
        let left = (self.end - self.offset) as usize;
        let wanted = bytes.max(READ_BYTES).min(left).max(have);
        self.buffer.resize(wanted, 0);
        let filled = read_up_to(&*self.file, &mut self.buffer[have..], self.offset + have as u64)?;
        self.buffer.truncate(have + filled);
        Ok(0)
    }

    /// The latest place before which, by any head that lies after `offset`, everything was durable.
    pub(crate) fn evidence_beyond(&self) -> io::Result<u64> {
        let mut latest = HEADER_BYTES as u64;
        let mut chunk = Vec::new();
        let mut chunk_offset = self.offset + 1;
        while chunk_offset + HEAD_BYTES as u64 <= self.end {
            let wanted = (self.end - chunk_offset).min((READ_BYTES + HEAD_BYTES) as u64) as usize;
            chunk.resize(wanted, 0);
            let filled = read_up_to(&*self.file, &mut chunk, chunk_offset)?;
            if filled < HEAD_BYTES {
                break;
            }
            for (at, window) in chunk[..filled].windows(HEAD_BYTES).enumerate() {
                if let Some(head) = Head::decode(window, self.salt, chunk_offset + at as u64) {
                    latest = latest.max(u64::from(head.group_start));
                }
            }
            chunk_offset += (filled - HEAD_BYTES + 1) as u64;
        }
        Ok(latest)
    }
}
