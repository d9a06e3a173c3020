//! The one place where a reading becomes durable.
//!
//! A caller hands over an opaque payload and gets back, once the payload is on the disk, a [`Durable`]: the proof that
//! an acknowledgement needs, which nothing but this crate can make. What the payload means is no concern of this crate.
//!
//! # Constraints
//! - An acknowledged record is there after a crash, a power cut and a restart, once, in order, until
//!   [`Journal::truncate_through`] gave it up. It is never cut in silence.
//! - A sequence never goes backwards at a node, even when everything was truncated and the wall clock was set back.
//! - No memory grows without bound: the queue is limited by [`QUEUE_BYTES_MAX`], the disk by `bytes_max`, and replay
//!   streams. Whoever does not fit waits ([`Journal::append`]) or is told so ([`Journal::try_append`]).
//!
//! # Format
//! A journal is a directory of segments `000000000001.seg`, `000000000002.seg`, … without a hole in their numbers.
//! A segment is a header and records, little-endian, with crc32c; the layout is in `format.rs`.
//! - The header repeats the segment's number, names the node, and tells what came before: the salt and the length of
//!   the segment before it, and the last sequence that any record had. So a lone segment still knows how far the
//!   sequence went, and a segment that is missing, cut short or from elsewhere is noticed.
//! - A record's head has its own checksum, over the segment's random salt and the place in the file too: bytes of a
//!   payload that look like a record never pass for one, nor does a record at a place where it was not written.
//! - A record's head also tells where its group began. Groups are written one at a time, the next one only after the
//!   `fdatasync` of the one before; so a head is *evidence* that everything before its group was durable.
//!
//! # Rules of writing
//! 1. One thread writes. It takes all that waits when the last `fdatasync` returned, at most `group_bytes_max` of it,
//!    writes it, syncs it, and reports the group with one call of `on_durable`. There is no timer.
//! 2. A segment appears under its name only when its header is durable: temporary file, `fdatasync`, rename, sync of the
//!    directory. The segment before it is complete and durable then.
//! 3. Segments are removed oldest first, with a sync of the directory after each, so that no order of survival of
//!    these removals leaves a hole.
//! 4. After a failed sync nobody can say what is on the disk: the journal closes for good and calls `on_fatal`, which
//!    ends the process. So does a failed write, but for one cause.
//! 5. That cause is a full disk (or quota) while *writing*: the write failed as a whole or in part before any sync, the
//!    bytes before it are durable, so the file is cut back to its last durable length and the same bytes are tried again
//!    at the same place when something was freed or [`FULL_DISK_RETRY`] has passed. Meanwhile the journal
//!    [`is_full`](Journal::is_full). A full disk that shows only at the sync is fatal like any failed sync.
//!
//! # Rule of recovery
//! Only the end of the last segment can be torn. Let X be the place of its first record that is not whole, and E the
//! latest place that any record head in the file, before *or after* X, gives evidence for.
//! - E > X: what is at X had been durable. This is damage, and opening is refused with file and place.
//! - E ≤ X: X lies in the last group, which was being written. Any of its sectors may be missing, so records after X
//!   may be whole; none was acknowledged, all go. What is cut is logged, told by [`Journal::recovery`], and kept beside
//!   the segment as `….torn`.
//!
//! What remains: damage to the very last group after its acknowledgement looks like a torn tail when nothing that was
//! written after it survived. Then the log and the copy are all that is left of it. A clean close writes a mark, so that
//! this cannot be after one.
//!
//! Records of the last group that are whole are kept. They may have been in the page cache only, even such as a failed
//! sync left there, clean yet not on the disk: so recovery writes the bytes from E to X once more and syncs them before
//! anybody reads them.
//!
//! In any other segment every record must be whole; [`Journal::replay`] refuses one that is not. Records that no
//! consumer needs any more are not read, so damage in them stops nobody.

mod config;
mod error;
mod stats;

mod disk;
mod format;
mod reader;
mod recover;

mod queue;
mod segments;
mod writer;

mod journal;
mod replay;

pub mod fuzz;

pub use config::{ClockMillis, JournalConfig, OnFatal, QUEUE_BYTES_MAX};
pub use disk::{Disk, DiskFile, RealDisk};
pub use error::{AppendError, JournalError, Operation};
pub use format::{PAYLOAD_BYTES_MAX, RECORD_OVERHEAD_BYTES};
pub use journal::{Durable, Entry, Journal};
pub use recover::{CutTail, Recovery};
pub use replay::{Record, Replay, read_records};
pub use stats::FsyncStats;
pub use writer::FULL_DISK_RETRY;
