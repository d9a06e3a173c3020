//! Takes messages of one channel out of the outbox and has them delivered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use gwbank_model::Timestamp;
use gwbank_registry::office::{Contact, DigestTime};
use gwbank_runtime::{Backoff, Clock, Shutdown};
use gwbank_store::{
    Became, KnownOffices, Metadata, MetadataError, OutboxLease, OutboxMessage, OwedMessage, Settlement,
};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::courier::{Courier, Outcome, Parcel, Recipient};
use crate::pace::Pace;

/// How a dispatcher works.
#[derive(Debug, Clone)]
pub struct DispatchConfig {
    /// Who leases; the same after a restart.
    pub holder: String,
    /// Longer than any delivery takes.
    pub lease: Duration,
    /// Messages leased at once.
    pub messages_at_once: usize,
    /// Deliveries under way at a time; one a contact.
    pub concurrent: usize,
    /// Messages that are leased and wait for their contact or a place.
    pub under_way_max: usize,
    pub retry_first: Duration,
    pub retry_max: Duration,
    /// Of an office that names no pace of its own.
    pub messages_per_minute: u32,
    /// How often the outbox is looked at.
    pub look_interval: Duration,
}

impl Default for DispatchConfig {
    fn default() -> Self {
        Self {
            holder: "gwbank".to_owned(),
            lease: Duration::from_secs(120),
            messages_at_once: 500,
            concurrent: 64,
            under_way_max: 2_000,
            retry_first: Duration::from_secs(5),
            retry_max: Duration::from_secs(900),
            messages_per_minute: 60,
            // A flag is to be seen within five seconds of its reading.
            look_interval: Duration::from_millis(500),
        }
    }
}

/// Messages of a channel by what became of them, since the start.
#[derive(Debug, Default)]
pub struct DeliveryCounts {
    pub delivered: AtomicU64,
    pub retried: AtomicU64,
    pub dead: AtomicU64,
    pub expired: AtomicU64,
    pub postponed: AtomicU64,
}

impl DeliveryCounts {
    fn add(&self, became: &Became) {
        let count = match became {
            Became::Delivered => &self.delivered,
            Became::Retry(_) => &self.retried,
            Became::Dead => &self.dead,
            Became::Expired => &self.expired,
            Became::Postponed { .. } => &self.postponed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// With the names of the metrics.
    pub fn told(&self) -> [(&'static str, u64); 5] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("delivered", of(&self.delivered)),
            ("retried", of(&self.retried)),
            ("dead", of(&self.dead)),
            ("expired", of(&self.expired)),
            ("postponed", of(&self.postponed)),
        ]
    }
}

/// Outcomes noted in one transaction, at most.
const SETTLED_AT_ONCE: usize = 64;

/// Longest text that is kept of what a receiver said.
const DETAIL_CHARS_MAX: usize = 500;

pub struct Dispatcher {
    courier: Arc<dyn Courier>,
    metadata: Arc<dyn Metadata>,
    clock: Arc<dyn Clock>,
    config: DispatchConfig,
    pace: Mutex<Pace>,
    /// Of each contact that something is under way to.
    contacts: Mutex<HashMap<String, Arc<Semaphore>>>,
    places: Semaphore,
    counts: Arc<DeliveryCounts>,
}

impl Dispatcher {
    pub fn new(
        courier: Arc<dyn Courier>,
        metadata: Arc<dyn Metadata>,
        clock: Arc<dyn Clock>,
        config: DispatchConfig,
        counts: Arc<DeliveryCounts>,
    ) -> Self {
        let places = Semaphore::new(config.concurrent);
        Self { courier, metadata, clock, config, pace: Mutex::default(), contacts: Mutex::default(), places, counts }
    }

    /// Delivers until shutdown. What is under way then is sent again after the next start.
    pub async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.ended() => {}
            () = self.deliver_for_ever() => {}
        }
    }

    /// Leases again while deliveries are under way: a receiver that does not answer holds up its own contact alone.
    async fn deliver_for_ever(&self) {
        let mut is_released = false;
        let mut is_failing = false;
        let mut under_way = FuturesUnordered::new();
        let mut messages_under_way = 0;
        let mut ticks = tokio::time::interval(self.config.look_interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let mut done = Vec::new();
            tokio::select! {
                _ = ticks.tick() => {}
                Some(delivered) = under_way.next() => {
                    done.push(delivered);
                    while let Some(Some(more)) = under_way.next().now_or_never() {
                        done.push(more);
                    }
                }
            }
            messages_under_way -=
                done.iter().map(|(parcel, ..): &(Parcel, u32, Option<Outcome>)| parcel.messages.len()).sum::<usize>();
            let work = async {
                self.note(done).await?;
                if !is_released {
                    self.metadata.release_outbox(&self.holder()).await?;
                    is_released = true;
                }
                match messages_under_way < self.config.under_way_max {
                    true => self.lease().await,
                    false => Ok((0, Vec::new(), Timestamp::MIN)),
                }
            };
            match work.await {
                Ok((count, parcels, until)) => {
                    is_failing = false;
                    for (parcel, attempts) in parcels {
                        messages_under_way += parcel.messages.len();
                        under_way.push(self.deliver(parcel, attempts, until));
                    }
                    // A full lease means that more is waiting.
                    if count >= self.config.messages_at_once {
                        ticks.reset_immediately();
                    }
                }
                // Once an outage: it is looked again soon. What was delivered and could not be noted is sent again.
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::warn!(channel = self.courier.channel(), %error, cause, "messages cannot be delivered now");
                    }
                }
            }
        }
    }

    /// Sends a parcel when its contact and a place are free; `None` where its lease is over by then.
    async fn deliver(&self, parcel: Parcel, attempts: u32, until: Timestamp) -> (Parcel, u32, Option<Outcome>) {
        let name = parcel.recipient.as_ref().map_or(&parcel.target, |it| &it.contact.contact_id).clone();
        let of_contact =
            self.contacts.lock().entry(name.clone()).or_insert_with(|| Arc::new(Semaphore::new(1))).clone();
        let outcome = {
            // Both are held by this dispatcher and never closed.
            let _turn = of_contact.acquire().await;
            let _place = self.places.acquire().await;
            match self.now() < until {
                true => Some(self.courier.deliver(&parcel).await),
                false => None,
            }
        };
        drop(of_contact);
        let mut contacts = self.contacts.lock();
        if contacts.get(&name).is_some_and(|of_contact| Arc::strong_count(of_contact) == 1) {
            contacts.remove(&name);
        }
        (parcel, attempts, outcome)
    }

    fn holder(&self) -> String {
        format!("{} {}", self.config.holder, self.courier.channel())
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros())
    }

    /// Leases once and has everything of it delivered. Gives how many messages that were.
    pub async fn run_once(&self) -> Result<usize, MetadataError> {
        let (count, parcels, until) = self.lease().await?;
        let deliveries: FuturesUnordered<_> =
            parcels.into_iter().map(|(parcel, attempts)| self.deliver(parcel, attempts, until)).collect();
        let mut deliveries = deliveries.ready_chunks(SETTLED_AT_ONCE);
        while let Some(done) = deliveries.next().await {
            self.note(done).await?;
        }
        Ok(count)
    }

    /// How many messages were leased, what of them is to be delivered, and until when they are ours.
    async fn lease(&self) -> Result<(usize, Vec<(Parcel, u32)>, Timestamp), MetadataError> {
        let now = self.now();
        let until = plus(now, self.config.lease);
        let lease = OutboxLease {
            channel: self.courier.channel().to_owned(),
            holder: self.holder(),
            now,
            until,
            limit: self.config.messages_at_once,
        };
        let owed = self.metadata.lease_outbox(lease).await?;
        let count = owed.len();
        if count == 0 {
            return Ok((0, Vec::new(), until));
        }
        let offices = match owed.iter().any(|owed| owed.message.contact_id.is_some()) {
            true => self.metadata.offices(None).await?,
            false => KnownOffices::default(),
        };
        let (parcels, settled) = self.sort(owed, &offices, now);
        self.settle(settled).await?;
        // A delivery that begins late must not outlast the lease.
        Ok((count, parcels, plus(now, self.config.lease / 2)))
    }

    async fn note(&self, done: Vec<(Parcel, u32, Option<Outcome>)>) -> Result<(), MetadataError> {
        let mut settled = Vec::new();
        for (parcel, attempts, outcome) in done {
            let Some(outcome) = outcome else { continue };
            if let (Outcome::Unreachable(reason), Some(recipient)) = (&outcome, &parcel.recipient) {
                self.mark_unreachable(&recipient.contact.contact_id, reason).await?;
            }
            settled.extend(self.settlements(&parcel, attempts, outcome));
        }
        self.settle(settled).await
    }

    async fn settle(&self, settled: Vec<Settlement>) -> Result<(), MetadataError> {
        if settled.is_empty() {
            return Ok(());
        }
        let became: Vec<Became> = settled.iter().map(|settlement| settlement.became.clone()).collect();
        self.metadata.settle_outbox(settled).await?;
        became.iter().for_each(|became| self.counts.add(became));
        Ok(())
    }

    /// Parcels to deliver with the attempts before, and what is not delivered now.
    fn sort(
        &self,
        owed: Vec<OwedMessage>,
        offices: &KnownOffices,
        now: Timestamp,
    ) -> (Vec<(Parcel, u32)>, Vec<Settlement>) {
        let mut settled = Vec::new();
        let mut digests: BTreeMap<String, (Parcel, u32)> = BTreeMap::new();
        let mut parcels = Vec::new();
        for OwedMessage { message, attempts, may_have_been_sent, .. } in owed {
            let end = |became, detail: &str| Settlement {
                idempotency_key: message.idempotency_key.clone(),
                at: now,
                became,
                detail: detail.to_owned(),
            };
            // A digest is told whole: what its receiver may have had before is known by the same messages.
            if message.digest.is_none() && message.expires_at.is_some_and(|end| end <= now) {
                settled.push(end(Became::Expired, "too old to be worth telling"));
                continue;
            }
            let recipient = match &message.contact_id {
                None => None,
                Some(id) => match offices.offices.contact(id) {
                    Some((office, contact)) if contact.is_reachable() => {
                        Some(Recipient { office: office.clone(), contact: contact.clone() })
                    }
                    _ => {
                        settled.push(end(Became::Dead, "the contact is not active, not linked or unreachable"));
                        continue;
                    }
                },
            };
            // An address that was mended is used at once.
            let current = recipient.as_ref().and_then(|it| it.contact.address.clone());
            let target = current.unwrap_or_else(|| message.target.clone());
            match message.digest.clone() {
                Some(digest) => {
                    let key = digest.clone();
                    let parcel = Parcel { key, target, recipient, messages: Vec::new(), may_have_been_sent };
                    let (parcel, before) = digests.entry(digest).or_insert((parcel, attempts));
                    *before = attempts.max(*before);
                    parcel.may_have_been_sent |= may_have_been_sent;
                    parcel.messages.push(message);
                }
                None => {
                    let key = message.idempotency_key.clone();
                    let messages = vec![message];
                    parcels.push((Parcel { key, target, recipient, messages, may_have_been_sent }, attempts));
                }
            }
        }
        for (parcel, attempts) in digests.into_values() {
            if parcel.messages.iter().all(|message| message.expires_at.is_some_and(|end| end <= now)) {
                settled.extend(parcel.messages.iter().map(|message| Settlement {
                    idempotency_key: message.idempotency_key.clone(),
                    at: now,
                    became: Became::Expired,
                    detail: "too old to be worth telling".to_owned(),
                }));
                continue;
            }
            parcels.push((named_by_its_messages(parcel), attempts));
        }
        let mut go = Vec::new();
        for (parcel, attempts) in parcels {
            let wait = parcel.recipient.as_ref().and_then(|Recipient { office, .. }| {
                let per_minute = office.messages_per_minute.unwrap_or(self.config.messages_per_minute);
                self.pace.lock().take(&office.office_id, &parcel.key, per_minute, now)
            });
            match wait {
                None => go.push((parcel, attempts)),
                Some(until) => settled.extend(parcel.messages.iter().map(|message| Settlement {
                    idempotency_key: message.idempotency_key.clone(),
                    at: now,
                    became: Became::Postponed { until, digest: None },
                    detail: "the office's messages a minute are used up".to_owned(),
                })),
            }
        }
        (go, settled)
    }

    fn settlements(&self, parcel: &Parcel, attempts: u32, outcome: Outcome) -> Vec<Settlement> {
        let now = self.now();
        let (became, detail) = match outcome {
            Outcome::Delivered(receipt) => (Became::Delivered, receipt),
            Outcome::Dead(reason) | Outcome::Unreachable(reason) => (Became::Dead, reason),
            Outcome::Retry { reason, after } => {
                let mut backoff = Backoff::after(self.config.retry_first, self.config.retry_max, attempts);
                let wait = backoff.next_delay();
                let wait = after.map_or(wait, |after| after.max(wait));
                (Became::Retry(plus(now, wait)), reason)
            }
            Outcome::IntoDigest(reason) => {
                let contact = parcel.recipient.as_ref().map(|it| it.contact.as_ref());
                let due = contact.and_then(|contact| contact.digest).unwrap_or(DigestTime::USUAL).next_after(now);
                let digest = contact.map(|contact| digest_key(contact, due));
                (Became::Postponed { until: due, digest }, reason)
            }
        };
        let detail: String = detail.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
        if matches!(became, Became::Dead) {
            tracing::warn!(channel = self.courier.channel(), key = parcel.key, detail, "a message is a dead letter");
        }
        let settlement = |message: &OutboxMessage| Settlement {
            idempotency_key: message.idempotency_key.clone(),
            at: now,
            became: became.clone(),
            detail: detail.clone(),
        };
        parcel.messages.iter().map(settlement).collect()
    }

    async fn mark_unreachable(&self, contact_id: &str, reason: &str) -> Result<(), MetadataError> {
        let now = self.now();
        loop {
            let KnownOffices { version, mut offices } = self.metadata.offices(None).await?;
            let Some(contact) = offices.contacts.get_mut(contact_id) else { return Ok(()) };
            if contact.unreachable_since.is_some() {
                return Ok(());
            }
            Arc::make_mut(contact).unreachable_since = Some(now);
            if self.metadata.put_offices(offices, version, now).await? {
                tracing::warn!(contact = contact_id, reason, "a contact cannot be reached any more");
                return Ok(());
            }
        }
    }
}

/// The digest of a contact that is due then, as routing names it.
fn digest_key(contact: &Contact, due: Timestamp) -> String {
    format!("{}@{}", contact.contact_id, due.as_secs())
}

/// A digest's key says what is in it: the same messages, sent again, are known by it, and others are others.
fn named_by_its_messages(mut parcel: Parcel) -> Parcel {
    let mut hash = Sha256::new();
    for message in &parcel.messages {
        hash.update(message.idempotency_key.as_bytes());
        hash.update([0]);
    }
    let hash = hash.finalize();
    parcel.key = format!("{}-{:02x}{:02x}{:02x}{:02x}", parcel.key, hash[0], hash[1], hash[2], hash[3]);
    parcel
}

fn plus(at: Timestamp, wait: Duration) -> Timestamp {
    at.plus_micros(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
}
