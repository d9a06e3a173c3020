//! Dispatch against receivers that fail, and a process that dies between any two of its steps.
//!
//! The store stands for one that is durable: what was committed stays. A process dies by being polled so often and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use gwbank_courier::{Courier, DeliveryCounts, DispatchConfig, Dispatcher, Outcome, Parcel};
use gwbank_model::Timestamp;
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_registry::office::{Channel, Contact, Office, OfficeLevel, Offices};
use gwbank_runtime::Clock;
use gwbank_store::memory::MemoryMetadata;
use gwbank_store::{DeliveryState, Metadata, OutboxMessage, WatchCommit};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

#[derive(Debug)]
struct SetClock(Mutex<i64>);

impl Clock for SetClock {
    fn now_micros(&self) -> i64 {
        *self.0.lock()
    }
}

/// What receivers have.
#[derive(Debug, Default)]
struct Received {
    /// By parcel: how often it came in, and what it told.
    parcels: BTreeMap<String, (u32, Vec<String>)>,
    /// Messages in the order in which a receiver that knows parcels by their keys took them.
    order: Vec<String>,
}

/// A receiver that is idempotent, on a network that loses requests and answers.
struct Flaky {
    rng: Mutex<SmallRng>,
    received: Mutex<Received>,
    is_down: Mutex<bool>,
}

impl Flaky {
    fn chance(&self, share: f64) -> bool {
        self.rng.lock().random_bool(share)
    }
}

#[async_trait]
impl Courier for Flaky {
    fn channel(&self) -> &'static str {
        "webhook"
    }

    async fn deliver(&self, parcel: &Parcel) -> Outcome {
        tokio::task::yield_now().await;
        if *self.is_down.lock() || self.chance(0.2) {
            return Outcome::retry("no connection");
        }
        let is_digest = parcel.messages.iter().any(|message| message.digest.is_some());
        if !is_digest && !parcel.may_have_been_sent && self.chance(0.05) {
            return Outcome::IntoDigest("little is left".to_owned());
        }
        {
            let mut received = self.received.lock();
            let keys: Vec<String> = parcel.messages.iter().map(|message| message.idempotency_key.clone()).collect();
            let (count, told) = received.parcels.entry(parcel.key.clone()).or_insert_with(|| (0, keys.clone()));
            *count += 1;
            assert_eq!(*told, keys, "another parcel of the same key");
            if *count == 1 {
                received.order.extend(keys);
            }
        }
        tokio::task::yield_now().await;
        if self.chance(0.15) {
            return Outcome::retry("the answer was lost");
        }
        Outcome::Delivered("ok".to_owned())
    }
}

const CONTACTS: usize = 6;

fn offices() -> Offices {
    let office = Office {
        office_id: "o".to_owned(),
        level: OfficeLevel::National,
        place_code: None,
        name: "O".to_owned(),
        name_th: None,
        phone: None,
        messages_per_minute: Some(20),
    };
    let contact = |n: usize| Contact {
        address: Some(format!("https://example.org/{n}")),
        ..Contact::new(&format!("c{n}"), "o", Channel::Webhook)
    };
    Offices::new([office], (0..CONTACTS).map(contact))
}

fn message(key: String, flag: &str, contact: usize, now: Timestamp, rng: &mut SmallRng) -> OutboxMessage {
    let (hazard, scope, severity) = (Hazard::Flood, Scope::Province, Severity::Severe);
    let body = format!("{{\"hazard\":\"{hazard}\",\"scope\":\"{scope}\",\"severity\":\"{severity}\"}}");
    let digest = rng.random_bool(0.2);
    let waits = if digest || rng.random_bool(0.1) { 600 } else { 0 };
    let due = Timestamp::from_secs(now.as_secs() / 600 * 600 + waits).max(now);
    OutboxMessage {
        flag_id: Some(flag.to_owned()),
        office_id: Some("o".to_owned()),
        contact_id: Some(format!("c{contact}")),
        stream: (!digest).then(|| format!("{flag} c{contact}")),
        not_before: due,
        digest: digest.then(|| format!("c{contact}@{}", due.as_secs())),
        ..OutboxMessage::new(key, "webhook", String::new(), body.into_bytes(), now)
    }
}

/// Polls a process so often, and no more. Whether it came to its end.
async fn polled(work: impl Future, polls: u32) -> bool {
    let mut work = std::pin::pin!(work.fuse());
    for _ in 0..polls {
        if futures::poll!(work.as_mut()).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

async fn nothing_is_lost_and_nothing_told_twice(seed: u64, crashes: u32) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let metadata: Arc<dyn Metadata> = Arc::new(MemoryMetadata::new());
    let clock = Arc::new(SetClock(Mutex::new(1_700_000_000_000_000)));
    let now = || Timestamp::from_micros(clock.now_micros());
    assert!(metadata.put_offices(offices(), 0, now()).await.unwrap());
    let receiver = Arc::new(Flaky {
        rng: Mutex::new(SmallRng::seed_from_u64(seed ^ 1)),
        received: Mutex::default(),
        is_down: Mutex::new(false),
    });
    let start = || {
        let config = DispatchConfig {
            holder: "node".to_owned(),
            messages_at_once: 7,
            concurrent: 3,
            retry_first: Duration::from_secs(2),
            retry_max: Duration::from_secs(30),
            ..DispatchConfig::default()
        };
        let counts = Arc::<DeliveryCounts>::default();
        Dispatcher::new(receiver.clone(), metadata.clone(), clock.clone(), config, counts)
    };
    let mut written = Vec::new();
    let mut process = start();
    for round in 0..crashes {
        let count = rng.random_range(0..3);
        let outbox: Vec<OutboxMessage> = (0..count)
            .map(|n| {
                let (flag, contact) = (format!("f{}", rng.random_range(0..3)), rng.random_range(0..CONTACTS));
                message(format!("m{round}-{n}"), &flag, contact, now(), &mut rng)
            })
            .collect();
        written.extend(outbox.iter().map(|message| (message.idempotency_key.clone(), message.stream.clone())));
        metadata.commit_watch(WatchCommit { outbox, ..WatchCommit::default() }).await.unwrap();
        *receiver.is_down.lock() = rng.random_bool(0.1);
        if !polled(process.run_once(), rng.random_range(0..12)).await {
            // It died. Another one starts, at once or after a while, in which leases may end by themselves.
            process = start();
            if rng.random_bool(0.7) {
                metadata.release_outbox("node webhook").await.unwrap();
            }
        }
        *clock.0.lock() += rng.random_range(0..20_000_000);
    }
    *receiver.is_down.lock() = false;
    for _ in 0..20_000 {
        process.run_once().await.unwrap();
        *clock.0.lock() += 60_000_000;
        let pending = metadata.outbox_counts().await.unwrap();
        if pending.iter().all(|count| count.state != DeliveryState::Pending) {
            break;
        }
    }
    let told = metadata.deliveries(None).await.unwrap();
    assert!(told.iter().all(|delivery| delivery.state == DeliveryState::Delivered), "seed {seed}: {told:?}");
    let received = receiver.received.lock();
    let mut once = BTreeSet::new();
    for key in &received.order {
        assert!(once.insert(key.clone()), "seed {seed}: {key} was told twice under two keys");
    }
    assert_eq!(once.len(), written.len(), "seed {seed}: something is lost");
    // What is of one flag comes to one contact in its order, but for what went into a digest.
    let digests: BTreeSet<&str> =
        told.iter().filter(|it| it.digest.is_some()).map(|it| it.idempotency_key.as_str()).collect();
    let place: BTreeMap<&str, usize> = received.order.iter().enumerate().map(|(at, key)| (key.as_str(), at)).collect();
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, stream) in &written {
        let Some(stream) = stream.as_deref().filter(|_| !digests.contains(key.as_str())) else { continue };
        let at = place[key.as_str()];
        if let Some(before) = last.insert(stream, at) {
            let waited = told.iter().any(|it| it.idempotency_key == *key && it.not_before > it.created_at);
            assert!(before < at || waited, "seed {seed}: {key} overtook what came before it");
        }
    }
}

fn rounds(few: u64) -> u64 {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// A thousand crashes and outages in ten lives.
#[tokio::test]
async fn a_thousand_crashes_lose_nothing() {
    let seed: u64 =
        std::env::var("PROPTEST_RNG_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    for life in 0..rounds(10) {
        nothing_is_lost_and_nothing_told_twice(seed.wrapping_add(life), 100).await;
    }
}

/// Answers everybody but one, who never does.
struct OneIsDeaf;

#[async_trait]
impl Courier for OneIsDeaf {
    fn channel(&self) -> &'static str {
        "webhook"
    }

    async fn deliver(&self, parcel: &Parcel) -> Outcome {
        if parcel.recipient.as_ref().is_some_and(|it| it.contact.contact_id == "c0") {
            std::future::pending::<()>().await;
        }
        Outcome::Delivered("ok".to_owned())
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_holds_up_nobody_else() {
    let metadata: Arc<dyn Metadata> = Arc::new(MemoryMetadata::new());
    let now = Timestamp::from_micros(gwbank_runtime::SystemClock.now_micros());
    assert!(metadata.put_offices(offices(), 0, now).await.unwrap());
    let message = |n: usize, contact: usize| OutboxMessage {
        contact_id: Some(format!("c{contact}")),
        ..OutboxMessage::new(format!("m{n}-{contact}"), "webhook", String::new(), b"{}".to_vec(), now)
    };
    // Far more to the deaf one than there are places.
    let to_the_deaf = (0..200).map(|n| message(n, 0));
    let outbox = to_the_deaf.chain((0..20).map(|n| message(n, 1 + n % 5))).collect();
    metadata.commit_watch(WatchCommit { outbox, ..WatchCommit::default() }).await.unwrap();
    let config = DispatchConfig {
        concurrent: 4,
        messages_at_once: 50,
        messages_per_minute: 100_000,
        look_interval: Duration::from_millis(5),
        ..DispatchConfig::default()
    };
    let trigger = gwbank_runtime::ShutdownTrigger::new();
    let counts = Arc::<DeliveryCounts>::default();
    let mut offices = offices();
    Arc::make_mut(offices.offices.get_mut("o").unwrap()).messages_per_minute = None;
    let version = metadata.offices_version().await.unwrap();
    assert!(metadata.put_offices(offices, version, now).await.unwrap());
    let clock = Arc::new(gwbank_runtime::SystemClock);
    let dispatcher = Dispatcher::new(Arc::new(OneIsDeaf), metadata.clone(), clock, config, counts);
    let running = tokio::spawn(dispatcher.run(trigger.listener()));
    let delivered = || async {
        let told = metadata.deliveries(None).await.unwrap();
        told.iter().filter(|delivery| delivery.state == DeliveryState::Delivered).count()
    };
    while delivered().await < 20 {
        tokio::task::yield_now().await;
    }
    trigger.stop_accepting();
    trigger.stop();
    running.await.unwrap();
}
