//! The one thread that writes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gwbank_model::{Seq, SeqClock};

use crate::config::ClockMillis;
use crate::disk::{DiskFile, write_all_at};
use crate::error::{JournalError, Operation};
use crate::format::{HEADER_BYTES, Head, Header};
use crate::journal::{Durable, Entry, Shared};
use crate::queue::{Work, record_bytes};
use crate::recover::{create_segment, random_salt};

/// How often a full disk is tried again when nothing tells that it has space: often enough for an operator who waits,
/// rare enough not to matter.
pub const FULL_DISK_RETRY: Duration = Duration::from_millis(250);

/// A buffer that one large record blew up is not kept.
const BUFFER_BYTES_KEPT: usize = 4 << 20;

pub(crate) struct Writer<A, F> {
    pub shared: Arc<Shared<A>>,
    pub clock: ClockMillis,
    pub seqs: SeqClock,
    pub on_durable: F,
    pub file: Box<dyn DiskFile>,
    /// Taken from the queue, not written yet.
    pub backlog: VecDeque<Entry<A>>,
}

/// Why the writer ends before it is done.
enum Stop {
    Fatal(JournalError),
    /// The journal was closed while the disk was full.
    Closed,
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        Self::Fatal(error)
    }
}

impl<A, F: FnMut(Vec<Durable<A>>)> Writer<A, F> {
    /// The thread's body.
    pub(crate) fn run(mut self) {
        let mut guard = PanicGuard { shared: Arc::clone(&self.shared), is_armed: true };
        let stopped = self.write_until_closed();
        guard.is_armed = false;
        self.backlog.clear();
        self.shared.queue.closed();
        match stopped {
            Ok(()) => {}
            Err(Stop::Closed) => {
                tracing::error!(
                    "the journal was closed while the disk was full; what was not acknowledged is not kept"
                );
            }
            Err(Stop::Fatal(error)) => self.shared.fatal(error),
        }
    }

    fn write_until_closed(&mut self) -> Result<(), Stop> {
        let mut spare = Vec::new();
        let mut buffer = Vec::new();
        let mut last_group = 0;
        loop {
            match self.shared.queue.wait(&mut self.backlog, &mut spare, last_group) {
                Work::Write => last_group = self.write_group(&mut buffer)?,
                Work::MakeRoom => self.make_room()?,
                Work::Close => return Ok(self.write_mark()?),
            }
        }
    }

    /// Returns how many records were made durable.
    fn write_group(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Stop> {
        let (records, bytes) = self.size_of_group();
        let start = self.start_for(bytes)?;

        buffer.clear();
        let salt = self.shared.segments.lock().active.header.salt;
        let group = self.encode(records, salt, start, buffer);
        self.write(buffer, start)?;
        let began = Instant::now();
        self.sync()?;
        self.shared.fsyncs.observe(began.elapsed());

        let last_seq = self.seqs.last();
        {
            let mut segments = self.shared.segments.lock();
            segments.active.bytes = start + bytes;
            segments.active.last_seq = last_seq;
        }
        self.shared.set_last_seq(last_seq);
        self.shared.queue.settle(bytes, bytes);
        (self.on_durable)(group);
        if buffer.capacity() > BUFFER_BYTES_KEPT {
            *buffer = Vec::new();
        }
        Ok(records)
    }

    /// How many records of the backlog make up the next group, and their bytes on the disk.
    fn size_of_group(&self) -> (usize, u64) {
        let bytes_max = self.shared.config.group_bytes_max as u64;
        let mut records = 0;
        let mut bytes = 0;
        for entry in &self.backlog {
            let more = record_bytes(&entry.payload);
            if records > 0 && bytes + more > bytes_max {
                break;
            }
            records += 1;
            bytes += more;
        }
        (records, bytes)
    }

    /// Where a group of this size goes; in a new segment when the active one would grow too large.
    fn start_for(&mut self, bytes: u64) -> Result<u64, Stop> {
        loop {
            let active = self.shared.segments.lock().active.clone();
            if !active.has_records() || active.bytes + bytes <= self.shared.config.segment_bytes {
                return Ok(active.bytes);
            }
            match self.begin_segment() {
                Ok(()) => self.shared.queue.disk_is_fine(),
                Err(error) if error.is_full_disk() => self.wait_for_disk(&error)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn encode(&mut self, records: usize, salt: u64, start: u64, buffer: &mut Vec<u8>) -> Vec<Durable<A>> {
        self.raise_sequence();
        let now_ms = (self.clock)();
        let mut group = Vec::with_capacity(records);
        for Entry { payload, seq_count, attachment } in self.backlog.drain(..records) {
            let seq_count = seq_count.max(1);
            let first_seq = self.seqs.take(now_ms, seq_count);
            let head = Head {
                payload_bytes: payload.len() as u32,
                payload_checksum: crc32c::crc32c(&payload),
                first_seq,
                seq_count,
                group_start: start as u32,
            };
            buffer.extend_from_slice(&head.encode(salt, start + buffer.len() as u64));
            buffer.extend_from_slice(&payload);
            group.push(Durable::new(first_seq, attachment));
        }
        group
    }

    /// Writes at the end of what is durable. A full disk is waited for: what was written of the bytes is cut off, and
    /// the same bytes go to the same place later.
    fn write(&mut self, bytes: &[u8], start: u64) -> Result<(), Stop> {
        loop {
            let path = self.shared.segments.lock().active.path.clone();
            let error = match write_all_at(&*self.file, bytes, start) {
                Ok(()) => {
                    self.shared.queue.disk_is_fine();
                    return Ok(());
                }
                Err(error) => JournalError::io(Operation::Write, &path)(error),
            };
            if !error.is_full_disk() {
                return Err(error.into());
            }
            self.file.set_size(start).map_err(JournalError::io(Operation::Resize, &path))?;
            self.wait_for_disk(&error)?;
        }
    }

    fn sync(&self) -> Result<(), JournalError> {
        self.file
            .sync_data()
            .map_err(|error| JournalError::io(Operation::Sync, &self.shared.segments.lock().active.path)(error))
    }

    fn wait_for_disk(&self, error: &JournalError) -> Result<(), Stop> {
        if self.shared.queue.disk_is_full() {
            tracing::error!(%error, "the disk is full; acknowledgements wait until it has space");
        }
        if self.shared.queue.wait_for_disk(FULL_DISK_RETRY) { Ok(()) } else { Err(Stop::Closed) }
    }

    /// Closes the active segment, all of which is durable, and begins the next.
    fn begin_segment(&mut self) -> Result<(), JournalError> {
        // A cut after a full disk may not be durable, and nobody else will sync this file again.
        self.sync()?;
        let before = self.shared.segments.lock().active.clone();
        let header = Header {
            node: before.header.node,
            number: before.number() + 1,
            salt: random_salt(),
            salt_before: before.header.salt,
            bytes_before: before.bytes,
            records_through: before.last_seq,
        };
        let (segment, file) = create_segment(&*self.shared.disk, &self.shared.config.dir, header)?;
        self.file = file;
        let mut segments = self.shared.segments.lock();
        segments.sealed.push_back(before);
        segments.active = segment;
        drop(segments);
        self.shared.queue.settle(0, HEADER_BYTES as u64);
        Ok(())
    }

    /// Somebody waits for room. When all of the active segment was given up, it can go too.
    fn make_room(&mut self) -> Result<(), Stop> {
        if self.shared.segments.lock().active_is_given_up() {
            match self.begin_segment() {
                Ok(()) => {}
                // It stays as it is; the next that waits asks again.
                Err(error) if error.is_full_disk() => {
                    tracing::warn!(%error, "the disk is too full to begin a new journal segment");
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        match self.shared.remove_given_up() {
            Ok(()) => Ok(()),
            Err(error @ JournalError::Io { operation: Operation::Remove, .. }) => {
                tracing::warn!(%error, "a journal segment that is not needed any more stays");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The last bytes of a clean close: evidence that all before it was durable.
    fn write_mark(&mut self) -> Result<(), JournalError> {
        let active = self.shared.segments.lock().active.clone();
        if !active.has_records() {
            return Ok(());
        }
        let mark = Head::mark(active.last_seq, active.bytes).encode(active.header.salt, active.bytes);
        match write_all_at(&*self.file, &mark, active.bytes) {
            Ok(()) => self.sync(),
            // It can do without.
            Err(error) => {
                tracing::warn!(%error, "cannot mark the journal as closed");
                self.file.set_size(active.bytes).map_err(JournalError::io(Operation::Resize, &active.path))
            }
        }
    }

    fn raise_sequence(&mut self) {
        let floor = self.shared.sequence_floor();
        if floor > self.seqs.last() {
            self.seqs = SeqClock::new(self.shared.config.node, floor);
        }
    }
}

/// Nobody may wait for a writer that is gone.
struct PanicGuard<A> {
    shared: Arc<Shared<A>>,
    is_armed: bool,
}

impl<A> Drop for PanicGuard<A> {
    fn drop(&mut self) {
        if self.is_armed {
            self.shared.queue.closed();
            self.shared.fatal(JournalError::WriterPanicked);
        }
    }
}

/// The highest of the sequences that were given out or must not be given out again.
pub(crate) fn raise(floor: &std::sync::atomic::AtomicI64, seq: Seq) {
    floor.fetch_max(seq.as_i64(), std::sync::atomic::Ordering::SeqCst);
}
