//! What a journal is told when it is opened.

use std::path::PathBuf;
use std::sync::Arc;

use crate::JournalError;
use crate::format::{HEADER_BYTES, RECORD_OVERHEAD_BYTES};

/// The wall clock: Unix milliseconds.
pub type ClockMillis = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What to do when nothing can be made durable any more. The default logs the error and ends the process.
pub type OnFatal = Box<dyn FnOnce(JournalError) + Send>;

/// Payloads that wait for the writer or are being written. A disk that syncs in 10 ms at 100 groups/s of 1 MiB keeps
/// this full for a sixth of a second; more would only add to the delay of an acknowledgement.
pub const QUEUE_BYTES_MAX: usize = 16 << 20;

/// A segment is at most this part of the whole, so that there is always one that can be freed.
const SEGMENTS_MIN: u64 = 4;
/// Places in a segment are 32 bits wide; one group may reach beyond `segment_bytes`.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
const GROUP_BYTES_MAX: usize = 256 << 20;
/// Below this nothing useful fits.
const BYTES_MIN: u64 = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// The journal's own directory; created if it is missing. The caller holds a lock on it.
    pub dir: PathBuf,
    /// A segment is closed before it grows beyond this. Taken as a quarter of `bytes_max` when it is more than that.
    pub segment_bytes: u64,
    /// Most bytes written before a sync, so that the first of a group does not wait for too many others.
    pub group_bytes_max: usize,
    /// Most bytes on the disk, give or take a segment header. While it is reached, appends wait.
    pub bytes_max: u64,
    /// The node's part of every sequence.
    pub node: u8,
}

impl JournalConfig {
    /// Segments of 64 MiB, groups of 1 MiB, 8 GiB in all.
    pub fn new(dir: impl Into<PathBuf>, node: u8) -> Self {
        Self { dir: dir.into(), segment_bytes: 64 << 20, group_bytes_max: 1 << 20, bytes_max: 8 << 30, node }
    }

    pub(crate) fn validated(mut self) -> Result<Self, JournalError> {
        let refuse = |setting, problem| Err(JournalError::Config { setting, problem });
        if self.bytes_max < BYTES_MIN {
            return refuse("bytes_max", "must be at least 4096");
        }
        if self.group_bytes_max == 0 || self.group_bytes_max > GROUP_BYTES_MAX {
            return refuse("group_bytes_max", "must be between 1 and 268435456");
        }
        let segment_bytes_min = (HEADER_BYTES + RECORD_OVERHEAD_BYTES) as u64;
        if self.segment_bytes < segment_bytes_min || self.segment_bytes > SEGMENT_BYTES_MAX {
            return refuse("segment_bytes", "must be between 128 and 1073741824");
        }
        self.segment_bytes = self.segment_bytes.min(self.bytes_max / SEGMENTS_MIN);
        Ok(self)
    }
}
