//! Journal, archive, metadata and the cut of the journal together, through power cuts.
//!
//! One power switch counts the operations of all three stores and fails at one of them, chosen by the seed: while
//! readings come in, while they are archived, while files are merged, while the log of the table gets a checkpoint, while
//! dead letters are replayed, while a process recovers from the cut before. What was not synced by then may be gone, in
//! any order, bytes and names. The next process starts from what is left, and whatever was acknowledged must be there once.
//!
//! A failure names its seed; `GWBANK_TEST_SEED` runs that history alone. Threads make small differences between two runs
//! of one seed, so run it a few times.

mod book;
mod check;
mod machine;
mod message;

use std::time::Duration;

use futures::future::join_all;
use gwbank_ingest::{IngestError, Message as Incoming};
use gwbank_model::{Seq, Timestamp};
use gwbank_store::{Archive, DeadLetterFilter, Upkeep};
use gwbank_testkit::{test_rounds, test_seed};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use self::book::Book;
use self::machine::{Machine, Running, Shape, chain};
use self::message::{Gateway, Message};
use crate::rig::{json, well};

const GATEWAYS: usize = 3;
/// A life of a few dozen operations that takes so long waits for something that will not come.
const STUCK_AFTER: Duration = Duration::from_secs(120);

/// The world that processes come and go in.
struct History {
    machine: Machine,
    book: Book,
    gateways: Vec<Gateway>,
    /// The last message of each gateway that this life acknowledged.
    last: Vec<Option<Message>>,
    highest_seq: Seq,
    rng: SmallRng,
}

#[test]
fn what_is_acknowledged_survives_power_cuts_of_all_stores_at_once() {
    if let Some(seed) = test_seed() {
        history(seed);
        return;
    }
    let (wanted, mut crashes) = (test_rounds(40), 0);
    for seed in 0.. {
        match std::panic::catch_unwind(|| history(seed)) {
            Ok(more) => crashes += more,
            Err(panic) => {
                eprintln!("in the history with GWBANK_TEST_SEED={seed}, after {crashes} crashes");
                std::panic::resume_unwind(panic);
            }
        }
        if crashes >= wanted {
            break;
        }
    }
}

/// Runs one history and returns how many crashes it had.
fn history(seed: u64) -> u32 {
    let mut rng = SmallRng::seed_from_u64(seed);
    let fills_window = rng.random_bool(0.1);
    let shape = Shape {
        segment_bytes: [300, 1_500, 20_000][rng.random_range(0..3)],
        file_rows_max: if fills_window { 4_000 } else { [40, 400][rng.random_range(0..2)] },
        warm_bytes_max: if rng.random_bool(0.5) { 2_000 } else { 1 << 20 },
        window_bytes_max: 1 << 16,
        flush_interval: Duration::from_millis(if rng.random_bool(0.3) { 2 } else { 3_600_000 }),
    };
    let machine = block_on(Machine::new(shape, seed));
    let gateways: Vec<Gateway> = (0..GATEWAYS).map(Gateway::new).collect();
    let book = Book::new(GATEWAYS, gateways.iter().map(Gateway::well));
    let last = vec![None; GATEWAYS];
    let mut history = History { machine, book, gateways, last, highest_seq: Seq::ZERO, rng };
    block_on(history.begin(fills_window));
    let crashes = history.rng.random_range(3..8);
    for _ in 0..crashes {
        // Sometimes early, so that it meets the recovery.
        let most = if history.rng.random_bool(0.3) { 30 } else { 150 };
        let fails_after = history.rng.random_range(0..most);
        history.machine.power.turn_on(Some(fails_after));
        block_on(history.live());
        history.crash();
    }
    history.machine.power.turn_on(None);
    block_on(history.end());
    crashes
}

/// Ends when every task and thread of the process has ended, as the next one must not meet any of them.
fn block_on<T>(life: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(STUCK_AFTER, life).await.expect("the process gets on") })
}

impl History {
    /// The first process, which nothing happens to: registers the wells and may fill the window.
    async fn begin(&mut self, fills_window: bool) {
        let running = self.machine.start().await.expect("starts");
        let wells = self.gateways.iter().map(|gateway| well(&gateway.well())).collect();
        running.pipeline.put_wells(wells).await.expect("registered");
        if fills_window {
            let message = self.gateways[0].run(2_400);
            self.send(&running, 0, message).await;
            running.pipeline.flush().await.expect("archived");
        }
        running.pipeline.halt().await.expect("stopped");
    }

    fn crash(&mut self) {
        self.last.fill(None);
        if self.rng.random_bool(0.75) {
            self.machine.cut_power(&mut self.rng);
        } else {
            self.machine.kill_process();
        }
        // A clock without a battery.
        let back = self.rng.random_range(0..3_600_000_000);
        self.machine.clock.advance_micros(-back);
    }

    /// One process, until the power fails or it is killed.
    async fn live(&mut self) {
        let running = match self.machine.start().await {
            Ok(running) => running,
            Err(error) => return self.is_excused("cannot start", &error),
        };
        if self.recover(&running).await {
            for _ in 0..self.rng.random_range(1..14) {
                self.step(&running).await;
                if self.machine.power.is_off() {
                    break;
                }
            }
        }
        self.machine.power.turn_off();
        self.machine.stop(running).await;
    }

    /// Only a power cut excuses a failure.
    fn is_excused(&self, what: &str, error: &str) {
        assert!(self.machine.power.is_off(), "{what} while the power is on: {error}");
    }

    /// Compares what the process found with the book; false when the power failed meanwhile.
    async fn recover(&mut self, running: &Running) -> bool {
        check::resolve(running, &mut self.book).await;
        check::is_visible(running, &self.book).await;
        if self.book.replaying {
            if let Err(error) = running.pipeline.flush().await {
                self.is_excused("cannot flush", &chain(&error));
                return false;
            }
            let left = check::open_letters(running).await;
            self.settle(|gateway, letter| {
                left.contains(&(gateway.to_owned(), letter.well.clone(), letter.payload.clone()))
            });
            self.book.replaying = false;
        }
        true
    }

    fn settle(&mut self, is_left: impl Fn(&str, &book::Letter) -> bool) {
        for gateway in 0..GATEWAYS {
            let id = self.gateways[gateway].id();
            self.book.settle(gateway, |letter| is_left(&id, letter));
        }
    }

    async fn step(&mut self, running: &Running) {
        self.machine.clock.advance_micros(self.rng.random_range(1..60) * 1_000_000);
        match self.rng.random_range(0..20) {
            0..12 => self.exchange(running).await,
            12..15 => self.flush(running).await,
            15..17 => self.maintain(running).await,
            17 => self.register_and_replay(running).await,
            _ => self.check(running).await,
        }
    }

    /// Messages of several gateways at once, sometimes beside a flush.
    async fn exchange(&mut self, running: &Running) {
        let now = Timestamp::from_micros(gwbank_runtime::Clock::now_micros(&*self.machine.clock));
        let mut messages: Vec<(usize, Message)> = Vec::new();
        for gateway in 0..GATEWAYS {
            if self.rng.random_bool(0.3) {
                continue;
            }
            let again = self.last[gateway].clone().filter(|_| self.rng.random_bool(0.2));
            let message = again.unwrap_or_else(|| self.gateways[gateway].message(&mut self.rng, now));
            messages.push((gateway, message));
        }
        let sends = messages
            .iter()
            .map(|(gateway, message)| running.pipeline.try_ingest(incoming(&self.gateways[*gateway], message)));
        let flushes = self.rng.random_bool(0.3);
        let flush = async { if flushes { running.pipeline.flush().await } else { Ok(()) } };
        let (receipts, flushed) = futures::future::join(join_all(sends), flush).await;
        let any_taken = receipts.iter().any(Result::is_ok);
        for ((gateway, message), receipt) in messages.into_iter().zip(receipts) {
            self.sent(gateway, message, receipt);
        }
        if let Err(error) = flushed {
            self.is_excused("cannot flush", &chain(&error));
        }
        if any_taken {
            check::seq_moves_on(running, &mut self.highest_seq);
        }
    }

    async fn send(&mut self, running: &Running, gateway: usize, message: Message) {
        let receipt = running.pipeline.try_ingest(incoming(&self.gateways[gateway], &message)).await;
        self.sent(gateway, message, receipt);
    }

    fn sent(&mut self, gateway: usize, message: Message, receipt: Result<gwbank_ingest::Receipt, IngestError>) {
        match receipt {
            Ok(receipt) => {
                assert_eq!(receipt.received, message.count(), "{}", message.payload);
                self.book.take(gateway, &message);
                self.last[gateway] = Some(message);
            }
            Err(IngestError::Full { .. }) => {} // nothing was taken in
            Err(error) => {
                self.is_excused("cannot take a message", &chain(&error));
                self.book.gateways[gateway].unresolved = Some(message);
            }
        }
    }

    async fn flush(&mut self, running: &Running) {
        if let Err(error) = running.pipeline.flush().await {
            self.is_excused("cannot flush", &chain(&error));
        }
    }

    async fn maintain(&mut self, running: &Running) {
        if let Err(error) = running.archive.maintain(Upkeep::AtRest).await {
            self.is_excused("cannot maintain", &chain(&error));
        }
    }

    /// A well that readings came from before it was known.
    async fn register_and_replay(&mut self, running: &Running) {
        let id = self.gateways[self.rng.random_range(0..GATEWAYS)].unknown_well();
        if let Err(error) = running.pipeline.put_wells(vec![well(&id)]).await {
            self.is_excused("cannot register", &chain(&error));
            if !self.book.registered.contains(&id) {
                self.book.registering = Some(id);
            }
            return;
        }
        self.book.registered.insert(id);
        match running.pipeline.replay_dead_letters(DeadLetterFilter::default()).await {
            Ok(_) => self.settle(|_, _| false),
            Err(error) => {
                self.is_excused("cannot replay", &chain(&error));
                self.book.replaying = true;
            }
        }
    }

    async fn check(&mut self, running: &Running) {
        match running.pipeline.flush().await {
            Ok(()) => check::is_all_there(running, &self.book).await,
            Err(error) => self.is_excused("cannot flush", &chain(&error)),
        }
    }

    /// The last process: what was not acknowledged is sent again, and everything is as it should be, twice.
    async fn end(&mut self) {
        let running = self.machine.start().await.expect("starts");
        let unanswered: Vec<Option<Message>> =
            self.book.gateways.iter().map(|account| account.unresolved.clone()).collect();
        assert!(self.recover(&running).await);
        for (gateway, message) in unanswered.into_iter().enumerate() {
            // One whose times are those of its arrival is another message by now, unless it came in.
            if let Some(message) = message.filter(|message| !message.is_relative) {
                self.send(&running, gateway, message).await;
            }
        }
        running.pipeline.replay_dead_letters(DeadLetterFilter::default()).await.expect("replayed");
        self.settle(|_, _| false);
        self.check(&running).await;
        while running.archive.maintain(Upkeep::AtRest).await.expect("maintained") != Default::default() {}
        self.check(&running).await;
        running.pipeline.shutdown().await.expect("stopped");

        let running = self.machine.start().await.expect("starts");
        assert!(self.recover(&running).await);
        self.check(&running).await;
        running.pipeline.halt().await.expect("stopped");
    }
}

fn incoming(gateway: &Gateway, message: &Message) -> Incoming {
    json(&gateway.id(), message.payload.clone())
}
