//! Bytes of a segment. Little-endian throughout.
//!
//! ```text
//! header, 88 bytes                        record head, 28 bytes, then the payload
//!  0  magic "GWJOURNL"                     0  payload length        u32
//!  8  format version       u16             4  crc32c of the payload u32
//! 10  node                 u8              8  first_seq             i64
//! 11  zero                                16  seq_count             u32   0: a mark without meaning
//! 12  number               u64            20  where its group began u32
//! 20  salt                 u64            24  crc32c of salt, place in the file and the 24 bytes before
//! 28  salt before          u64
//! 36  length before        u64            "before" is the segment before this one; zero in the first
//! 44  records_through      i64            last sequence of any record in the segments before
//! 52  zero, 32 bytes
//! 84  crc32c of the 84 bytes before
//! ```

use std::path::{Path, PathBuf};

use gwbank_model::Seq;

pub(crate) const HEADER_BYTES: usize = 88;
const MAGIC: &[u8; 8] = b"GWJOURNL";
pub(crate) const VERSION: u16 = 1;
pub(crate) const HEAD_BYTES: usize = 28;
/// What a record takes on the disk beside its payload.
pub const RECORD_OVERHEAD_BYTES: usize = HEAD_BYTES;
/// No record is larger: what is read back is in memory as a whole. No broker lets a message of this size pass.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// Sequences above this would soon leave no room to count on (the year 7900).
const SEQ_MAX: i64 = i64::MAX - (i64::MAX >> 3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub node: u8,
    pub number: u64,
    pub salt: u64,
    pub salt_before: u64,
    pub bytes_before: u64,
    pub records_through: Seq,
}

/// Why a header is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Short,
    Magic,
    Version(u16),
    Checksum,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10] = self.node;
        bytes[12..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.salt.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.salt_before.to_le_bytes());
        bytes[36..44].copy_from_slice(&self.bytes_before.to_le_bytes());
        bytes[44..52].copy_from_slice(&self.records_through.as_i64().to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..84]);
        bytes[84..88].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else { return Err(HeaderFault::Short) };
        if &bytes[0..8] != MAGIC {
            return Err(HeaderFault::Magic);
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        if crc32c::crc32c(&bytes[..84]) != u32_at(bytes, 84) {
            return Err(HeaderFault::Checksum);
        }
        Ok(Self {
            node: bytes[10],
            number: u64_at(bytes, 12),
            salt: u64_at(bytes, 20),
            salt_before: u64_at(bytes, 28),
            bytes_before: u64_at(bytes, 36),
            records_through: Seq::from_i64(u64_at(bytes, 44) as i64),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub payload_bytes: u32,
    pub payload_checksum: u32,
    pub first_seq: Seq,
    pub seq_count: u32,
    pub group_start: u32,
}

impl Head {
    /// A mark has no payload and no sequence of its own; it is evidence that everything before it was durable.
    pub(crate) fn mark(last_seq: Seq, offset: u64) -> Self {
        let payload_checksum = crc32c::crc32c(&[]);
        Self { payload_bytes: 0, payload_checksum, first_seq: last_seq, seq_count: 0, group_start: offset as u32 }
    }

    pub(crate) fn is_mark(&self) -> bool {
        self.seq_count == 0
    }

    pub(crate) fn last_seq(&self) -> Seq {
        self.first_seq.nth(self.seq_count.saturating_sub(1))
    }

    pub(crate) fn encode(&self, salt: u64, offset: u64) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0..4].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.payload_checksum.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first_seq.as_i64().to_le_bytes());
        bytes[16..20].copy_from_slice(&self.seq_count.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.group_start.to_le_bytes());
        let checksum = checksum_of_head(&bytes[..24], salt, offset);
        bytes[24..28].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The head at `offset` of the segment with this salt, if these bytes are one.
    pub(crate) fn decode(bytes: &[u8], salt: u64, offset: u64) -> Option<Self> {
        let bytes = bytes.first_chunk::<HEAD_BYTES>()?;
        let head = Self {
            payload_bytes: u32_at(bytes, 0),
            payload_checksum: u32_at(bytes, 4),
            first_seq: Seq::from_i64(u64_at(bytes, 8) as i64),
            seq_count: u32_at(bytes, 16),
            group_start: u32_at(bytes, 20),
        };
        // Cheap tests first: the search for heads in a damaged file tries every byte.
        let plausible = head.payload_bytes as usize <= PAYLOAD_BYTES_MAX
            && (0..=SEQ_MAX).contains(&head.first_seq.as_i64())
            && head.group_start as usize >= HEADER_BYTES
            && u64::from(head.group_start) <= offset;
        (plausible && checksum_of_head(&bytes[..24], salt, offset) == u32_at(bytes, 24)).then_some(head)
    }
}

fn checksum_of_head(bytes: &[u8], salt: u64, offset: u64) -> u32 {
    let mut place = [0; 16];
    place[0..8].copy_from_slice(&salt.to_le_bytes());
    place[8..16].copy_from_slice(&offset.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&place), bytes)
}

pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.seg"))
}
pub(crate) fn temporary_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.seg.tmp"))
}
/// Where the bytes go that were cut off a segment's end.
pub(crate) fn torn_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.torn"))
}
pub(crate) fn number_of_segment(name: &str) -> Option<u64> {
    number_before(name, ".seg")
}
pub(crate) fn number_of_torn(name: &str) -> Option<u64> {
    number_before(name, ".torn")
}
pub(crate) fn is_temporary(name: &str) -> bool {
    number_before(name, ".seg.tmp").is_some()
}
fn number_before(name: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_suffix(suffix)?;
    (digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            node: 7,
            number: 12,
            salt: 0x0123_4567_89ab_cdef,
            salt_before: 99,
            bytes_before: 4096,
            records_through: Seq::from_i64(1 << 50),
        }
    }

    #[test]
    fn header_comes_back_and_any_flipped_bit_is_noticed() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes), Ok(header()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&flipped).is_err(), "bit {bit}");
        }
        assert_eq!(Header::decode(&bytes[..87]), Err(HeaderFault::Short));
    }

    #[test]
    fn a_head_counts_only_where_it_was_written() {
        let head = Head {
            payload_bytes: 5,
            payload_checksum: 1,
            first_seq: Seq::from_i64(1 << 40),
            seq_count: 3,
            group_start: 88,
        };
        let bytes = head.encode(42, 100);
        assert_eq!(Head::decode(&bytes, 42, 100), Some(head));
        assert_eq!(Head::decode(&bytes, 42, 101), None);
        assert_eq!(Head::decode(&bytes, 43, 100), None);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::decode(&flipped, 42, 100), None, "bit {bit}");
        }
        assert_eq!(Head::decode(&[0; HEAD_BYTES], 42, 100), None);
    }

    #[test]
    fn names() {
        assert_eq!(number_of_segment("000000000012.seg"), Some(12));
        for other in ["12.seg", "000000000012.seg.tmp", "000000000012.torn", "00000000001x.seg", "readme", ".seg"] {
            assert_eq!(number_of_segment(other), None, "{other}");
        }
        assert!(is_temporary("000000000012.seg.tmp"));
        assert_eq!(number_of_torn("000000000012.torn"), Some(12));
    }
}
