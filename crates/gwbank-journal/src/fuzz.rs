//! An entry for tests that feed arbitrary bytes: nothing that a disk holds may make recovery panic.

use std::io;
use std::path::Path;

use gwbank_model::Seq;

use crate::disk::DiskFile;
use crate::reader::{SegmentReader, Step, read_header};
use crate::recover::{Tail, judge_tail};

/// What recovery would make of a last segment with these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentReport {
    /// The header is none, or of another version.
    Refused,
    Read {
        /// First sequence and payload length of every whole record before the end.
        records: Vec<(Seq, usize)>,
        /// Where the whole records end.
        whole_bytes: u64,
        end: SegmentEnd,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentEnd {
    Clean,
    Torn,
    Damaged,
}

pub fn read_segment(bytes: &[u8]) -> SegmentReport {
    let image = Image(bytes.to_vec());
    let Ok(header) = read_header(&image, Path::new("segment")) else { return SegmentReport::Refused };
    let mut reader = SegmentReader::new(&image, &header, bytes.len() as u64);
    let mut records = Vec::new();
    let end = loop {
        match reader.step() {
            Ok(Step::Record(head)) => {
                if !head.is_mark() {
                    records.push((head.first_seq, reader.payload().len()));
                }
            }
            Ok(Step::End) => break SegmentEnd::Clean,
            // An image in memory has no read errors.
            Ok(Step::Invalid(_)) | Err(_) => match judge_tail(&reader) {
                Ok(Tail::Torn) => break SegmentEnd::Torn,
                Ok(Tail::WasDurable) | Err(_) => break SegmentEnd::Damaged,
            },
        }
    };
    SegmentReport::Read { records, whole_bytes: reader.offset(), end }
}

struct Image(Vec<u8>);

impl DiskFile for Image {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn set_size(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
