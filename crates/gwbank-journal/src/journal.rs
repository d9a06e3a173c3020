//! The handle that the rest of the program holds.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;

use gwbank_model::{Seq, SeqClock};
use parking_lot::Mutex;

use crate::config::{ClockMillis, JournalConfig, OnFatal};
use crate::disk::Disk;
use crate::error::{AppendError, JournalError, Operation};
use crate::format::torn_path;
use crate::queue::Queue;
use crate::recover::{Recovered, Recovery, recover};
use crate::replay::{End, Replay};
use crate::segments::Segments;
use crate::stats::{FsyncCounters, FsyncStats};
use crate::writer::{Writer, raise};

/// What shall become durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<A> {
    pub payload: Vec<u8>,
    /// How many consecutive sequences the record takes; 0 counts as 1.
    pub seq_count: u32,
    /// Comes back in the [`Durable`], for example the acknowledgement to send.
    pub attachment: A,
}

/// Proof that an entry is on the disk. Only the journal makes one.
#[derive(Debug)]
#[must_use = "an acknowledgement waits for this"]
pub struct Durable<A> {
    first_seq: Seq,
    attachment: A,
}

impl<A> Durable<A> {
    pub(crate) fn new(first_seq: Seq, attachment: A) -> Self {
        Self { first_seq, attachment }
    }
    pub fn first_seq(&self) -> Seq {
        self.first_seq
    }
    pub fn attachment(&self) -> &A {
        &self.attachment
    }
    pub fn into_parts(self) -> (Seq, A) {
        (self.first_seq, self.attachment)
    }
}

/// An open journal. Clones are handles to the same one. When the last is dropped, the writer writes what was taken in
/// and ends; [`Journal::close`] waits for that.
pub struct Journal<A>(Arc<Handle<A>>);

struct Handle<A> {
    shared: Arc<Shared<A>>,
    recovery: Recovery,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the handles and the writer have in common.
pub(crate) struct Shared<A> {
    pub config: JournalConfig,
    pub disk: Arc<dyn Disk>,
    pub queue: Queue<A>,
    pub segments: Mutex<Segments>,
    pub fsyncs: FsyncCounters,
    last_seq: AtomicI64,
    sequence_floor: AtomicI64,
    /// Held while segments are removed, one at a time and in order.
    removing: Mutex<()>,
    on_fatal: Mutex<Option<OnFatal>>,
}

impl<A: Send + 'static> Journal<A> {
    /// Recovers what is in the directory and starts the writer. `on_durable` runs on the writer's thread after each
    /// sync with the records of the group in order; while it runs nothing is written, so it should hand them over.
    ///
    /// When nothing can be made durable any more, the process ends; see [`Journal::open_with`].
    pub fn open(
        config: JournalConfig,
        disk: Arc<dyn Disk>,
        clock: ClockMillis,
        on_durable: impl FnMut(Vec<Durable<A>>) + Send + 'static,
    ) -> Result<Self, JournalError> {
        let exit = |error: JournalError| {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "the journal failed; the process ends");
            std::process::exit(1);
        };
        Self::open_with(config, disk, clock, on_durable, Box::new(exit))
    }

    /// Like [`Journal::open`], with a say in what happens after a failed sync or write. The journal is closed for good
    /// then, and what is on the disk is known only to the next recovery.
    pub fn open_with(
        config: JournalConfig,
        disk: Arc<dyn Disk>,
        clock: ClockMillis,
        on_durable: impl FnMut(Vec<Durable<A>>) + Send + 'static,
        on_fatal: OnFatal,
    ) -> Result<Self, JournalError> {
        let config = config.validated()?;
        let Recovered { sealed, active, active_file, last_seq, recovery } = recover(&*disk, &config.dir, config.node)?;
        let shared = Arc::new(Shared {
            queue: Queue::new(config.bytes_max, recovery.bytes),
            segments: Mutex::new(Segments::new(sealed, active)),
            fsyncs: FsyncCounters::default(),
            last_seq: AtomicI64::new(last_seq.as_i64()),
            sequence_floor: AtomicI64::new(0),
            removing: Mutex::new(()),
            on_fatal: Mutex::new(Some(on_fatal)),
            config,
            disk,
        });
        let writer = Writer {
            seqs: SeqClock::new(shared.config.node, last_seq),
            shared: Arc::clone(&shared),
            clock,
            on_durable,
            file: active_file,
            backlog: Default::default(),
        };
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(|source| JournalError::Spawn { source })?;
        Ok(Self(Arc::new(Handle { shared, recovery, thread: Mutex::new(Some(thread)) })))
    }

    /// What was found when the journal was opened.
    pub fn recovery(&self) -> &Recovery {
        &self.0.recovery
    }

    /// The highest sequence of the records that are or were in the journal and are durable.
    pub fn last_seq(&self) -> Seq {
        Seq::from_i64(self.0.shared.last_seq.load(Ordering::SeqCst))
    }

    /// From now on gives out only sequences after `seq`: for a node whose journal was lost but whose archive was not.
    /// Forgotten when the journal is closed before a record was written.
    pub fn advance_past(&self, seq: Seq) {
        raise(&self.0.shared.sequence_floor, seq);
    }

    /// Takes an entry in, as soon as there is room. That it is durable is told by `on_durable`.
    /// A dropped future took nothing in, or all of it if it had been ready.
    pub async fn append(&self, entry: Entry<A>) -> Result<(), AppendError> {
        self.0.shared.queue.push(entry).await
    }

    /// Takes an entry in if there is room now, else gives it back.
    pub fn try_append(&self, entry: Entry<A>) -> Result<(), (AppendError, Entry<A>)> {
        self.0.shared.queue.try_push(entry)
    }

    /// The durable records whose last sequence is after `after`, oldest first; those appended later are not among them.
    /// The segments that are still to be read stay, whatever is truncated meanwhile.
    ///
    /// Records up to [`Journal::truncated_through`] are gone: a consumer that asks for them has lost its position.
    pub fn replay(&self, after: Seq) -> Result<Replay, JournalError> {
        let shared = &self.0.shared;
        // The order of locks: removing, then segments. A removal under way ends before the pin is set.
        let _removing = shared.removing.lock();
        let mut segments = shared.segments.lock();
        let truncated_through = segments.truncated_through();
        if after < truncated_through {
            tracing::warn!(%after, %truncated_through, "the journal no longer has all that is asked for");
        }
        let (wanted, pin) = segments.pinned_after(after);
        Ok(Replay::new(Arc::clone(&shared.disk), wanted, pin, after, End::Known))
    }

    /// The last sequence of the records that were removed, [`Seq::ZERO`] when none was.
    pub fn truncated_through(&self) -> Seq {
        self.0.shared.segments.lock().truncated_through()
    }

    /// Gives up all records up to `seq` and removes the segments that hold no others. The one that is written to stays,
    /// unless somebody waits for room. Blocks on the disk for a sync per removed segment.
    pub fn truncate_through(&self, seq: Seq) -> Result<(), JournalError> {
        let shared = &self.0.shared;
        {
            let mut segments = shared.segments.lock();
            segments.given_up = segments.given_up.max(seq);
        }
        let removed = shared.remove_given_up();
        shared.queue.look_for_room();
        removed
    }

    /// Bytes on the disk.
    pub fn bytes(&self) -> u64 {
        self.0.shared.queue.disk_bytes()
    }

    /// There is no room, or hardly any: appends wait or soon will.
    pub fn is_full(&self) -> bool {
        self.0.shared.queue.is_full()
    }

    /// It is the disk that has no room, whatever the bound says.
    pub fn is_disk_full(&self) -> bool {
        self.0.shared.queue.is_disk_full()
    }

    pub fn fsync_stats(&self) -> FsyncStats {
        self.0.shared.fsyncs.stats()
    }

    /// Takes nothing in any more, at any handle, writes and reports what was taken in, and waits for that.
    /// Blocks; not to be called from `on_durable`.
    pub fn close(self) {
        self.0.shared.queue.close();
        let thread = self.0.thread.lock().take();
        if let Some(thread) = thread {
            // A panic of the writer has been reported as fatal already.
            let _ = thread.join();
        }
    }
}

impl<A> Clone for Journal<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A> fmt::Debug for Journal<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("config", &self.0.shared.config).finish_non_exhaustive()
    }
}

impl<A> Drop for Handle<A> {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl<A> Shared<A> {
    pub(crate) fn set_last_seq(&self, seq: Seq) {
        self.last_seq.store(seq.as_i64(), Ordering::SeqCst);
    }

    pub(crate) fn sequence_floor(&self) -> Seq {
        Seq::from_i64(self.sequence_floor.load(Ordering::SeqCst))
    }

    pub(crate) fn fatal(&self, error: JournalError) {
        let on_fatal = self.on_fatal.lock().take();
        if let Some(on_fatal) = on_fatal {
            on_fatal(error);
        }
    }

    /// Removes segments oldest first. A sync of the directory follows each removal: were two unsynced, a power cut
    /// could bring back the older one alone, with a hole after it.
    pub(crate) fn remove_given_up(&self) -> Result<(), JournalError> {
        let _removing = self.removing.lock();
        loop {
            let Some(oldest) = self.segments.lock().removable() else { return Ok(()) };
            let dir = &self.config.dir;
            self.disk.remove(&oldest.path).map_err(JournalError::io(Operation::Remove, &oldest.path))?;
            // Kept for people to look at; most segments have none.
            let _ = self.disk.remove(&torn_path(dir, oldest.number()));
            if let Err(error) = self.disk.sync_dir(dir) {
                let told = std::io::Error::new(error.kind(), error.to_string());
                self.queue.close();
                self.fatal(JournalError::io(Operation::Sync, dir)(error));
                return Err(JournalError::io(Operation::Sync, dir)(told));
            }
            self.segments.lock().sealed.pop_front();
            self.queue.free(oldest.bytes);
        }
    }
}
