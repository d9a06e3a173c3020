//! The work bench of these tests: a journal on a disk in memory whose reports arrive in a channel.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gwbank_journal::{ClockMillis, Entry, Journal, JournalConfig, JournalError, Record};
use gwbank_model::Seq;
use gwbank_testkit::{PowerCutDisk, SeededClock};

/// Far longer than anything here takes; so a hang is a failure and no endless run.
const HANG: Duration = Duration::from_secs(60);

pub enum Report {
    Durable(Vec<(Seq, u64)>),
    Fatal(JournalError),
}

pub struct Bench {
    pub disk: PowerCutDisk,
    pub config: JournalConfig,
    pub clock: ClockMillis,
}

pub struct Running {
    pub journal: Journal<u64>,
    pub reports: Receiver<Report>,
}

pub fn dir() -> &'static Path {
    Path::new("/data/journal")
}

pub fn segment(number: u64) -> PathBuf {
    dir().join(format!("{number:012}.seg"))
}

pub fn entry(id: u64, payload: Vec<u8>) -> Entry<u64> {
    Entry { payload, seq_count: 1, attachment: id }
}

impl Bench {
    pub fn new(seed: u64) -> Self {
        let config = JournalConfig { bytes_max: 64 << 20, ..JournalConfig::new(dir(), 7) };
        Self { disk: PowerCutDisk::new(seed), config, clock: SeededClock::new(seed).as_fn() }
    }

    pub fn open(&self) -> Result<Running, JournalError> {
        let (durable, reports) = channel();
        let fatal = durable.clone();
        let journal = Journal::open_with(
            self.config.clone(),
            self.disk.process(),
            Arc::clone(&self.clock),
            move |group| {
                let group = group.into_iter().map(|durable| durable.into_parts()).collect();
                // Nobody listens any more at the end of a test.
                let _ = durable.send(Report::Durable(group));
            },
            Box::new(move |error| {
                let _ = fatal.send(Report::Fatal(error));
            }),
        )?;
        Ok(Running { journal, reports })
    }

    pub fn open_well(&self) -> Running {
        self.open().unwrap_or_else(|error| panic!("cannot open: {error}"))
    }

    /// Why the journal does not open.
    pub fn refusal(&self) -> JournalError {
        match self.open() {
            Ok(_) => panic!("opened"),
            Err(error) => error,
        }
    }

    pub fn contents(&self, number: u64) -> Vec<u8> {
        self.disk.contents(&segment(number)).unwrap_or_else(|| panic!("no segment {number}"))
    }
}

impl Running {
    /// Appends and waits until it is durable.
    pub fn append(&self, id: u64, payload: Vec<u8>) -> Seq {
        self.journal.try_append(entry(id, payload)).unwrap_or_else(|(error, _)| panic!("not taken: {error}"));
        match self.report() {
            Report::Durable(group) => group[0].0,
            Report::Fatal(error) => panic!("failed: {error}"),
        }
    }

    pub fn report(&self) -> Report {
        self.reports.recv_timeout(HANG).expect("a report")
    }

    pub fn replay(&self) -> Vec<Record> {
        self.try_replay(Seq::ZERO).unwrap_or_else(|error| panic!("cannot replay: {error}"))
    }

    pub fn try_replay(&self, after: Seq) -> Result<Vec<Record>, JournalError> {
        self.journal.replay(after)?.collect()
    }

    pub fn payloads(&self) -> Vec<Vec<u8>> {
        self.replay().into_iter().map(|record| record.payload).collect()
    }
}

/// Waits for what another thread will bring about.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < HANG, "{what} does not come about");
        std::thread::yield_now();
    }
}
