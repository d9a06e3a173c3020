//! A publishing client for the demo, the simulator, replays and tests.
//!
//! # Rules
//! 1. QoS 1. Each message is kept until its PUBACK; after a broken connection everything unacknowledged is sent again, in
//!    order. So a message may arrive twice and never not at all.
//! 2. The client library's own memory of unacknowledged messages is not used (it forgets them when the session is gone,
//!    and can lock up on packet ids): every connection starts with a new one.
//! 3. One task only polls.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gwbank_runtime::Backoff;
use hashbrown::HashMap;
use parking_lot::Mutex;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAck, PubAckReason};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::IngestError;
use crate::mqtt::broker_problem::BrokerProblem;
use crate::mqtt::options::options;

/// Room in the library's request channel beside the publishes: a disconnect.
const OTHER_REQUESTS: usize = 8;
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct PublisherConfig {
    /// `mqtt://host:port` or `mqtts://host:port`.
    pub url: String,
    pub client_id: String,
    pub user: Option<String>,
    pub password: Option<String>,
    /// PEM: the authorities that are trusted, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Messages sent and not yet acknowledged.
    pub in_flight_max: u16,
}

impl PublisherConfig {
    pub fn new(url: impl Into<String>, client_id: impl Into<String>) -> Self {
        let (url, client_id) = (url.into(), client_id.into());
        Self { url, client_id, user: None, password: None, ca_file: None, in_flight_max: 64 }
    }

    #[must_use]
    pub fn with_credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        (self.user, self.password) = (Some(user.into()), Some(password.into()));
        self
    }
}

/// Messages since the publisher connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublishCounts {
    pub published: u64,
    pub acknowledged: u64,
    /// Acknowledged with an error by the broker.
    pub refused: u64,
    pub reconnects: u64,
}

#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    _ends_with_it: DropGuard,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    free: Semaphore,
    settled: Notify,
}

#[derive(Debug)]
struct State {
    client: AsyncClient,
    next_id: u64,
    unacknowledged: BTreeMap<u64, (Arc<str>, Bytes)>,
    /// Handed to the library, packet id not yet known.
    handed: VecDeque<u64>,
    /// Held back by the library until a packet id is free.
    colliding: Option<u64>,
    by_packet_id: HashMap<u16, u64>,
    counts: PublishCounts,
}

impl Publisher {
    /// Connects; fails if the first attempt does. Later breaks are mended in the background.
    pub async fn connect(config: PublisherConfig) -> Result<Self, IngestError> {
        let in_flight_max = config.in_flight_max.max(1);
        let (user, password) = (config.user.as_deref(), config.password.as_deref());
        let mut options = options(&config.url, &config.client_id, user, password, config.ca_file.as_deref())?;
        options.set_clean_start(true);
        options.set_outgoing_inflight_upper_limit(in_flight_max);
        let (client, mut events) = new_client(&options, in_flight_max);
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => break,
                Ok(_) => {}
                Err(error) => return Err(IngestError::Connection(BrokerProblem::of(&error))),
            }
        }
        let state = State {
            client,
            next_id: 0,
            unacknowledged: BTreeMap::new(),
            handed: VecDeque::new(),
            colliding: None,
            by_packet_id: HashMap::new(),
            counts: PublishCounts::default(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            free: Semaphore::new(usize::from(in_flight_max)),
            settled: Notify::new(),
        });
        let ended = CancellationToken::new();
        tokio::spawn(poll(shared.clone(), events, options, in_flight_max, ended.clone()));
        Ok(Self { shared, _ends_with_it: ended.drop_guard() })
    }

    /// Sends a message as soon as there is room in flight; it is acknowledged by the time [`Self::flush`] returns.
    pub async fn publish(&self, topic: &str, payload: impl Into<Bytes>) {
        if let Ok(room) = self.shared.free.acquire().await {
            room.forget(); // given back with the acknowledgement
        }
        let mut state = self.shared.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.counts.published += 1;
        state.unacknowledged.insert(id, (Arc::from(topic), payload.into()));
        state.hand_over(id);
    }

    /// Waits until everything published is acknowledged.
    pub async fn flush(&self) -> PublishCounts {
        loop {
            let settled = self.shared.settled.notified();
            {
                let state = self.shared.state.lock();
                if state.unacknowledged.is_empty() {
                    return state.counts;
                }
            }
            settled.await;
        }
    }

    pub fn counts(&self) -> PublishCounts {
        self.shared.state.lock().counts
    }

    /// Waits for all acknowledgements and closes the connection in order.
    pub async fn close(self) -> PublishCounts {
        let counts = self.flush().await;
        let client = self.shared.state.lock().client.clone();
        // The broker learns of it the hard way if this does not get through.
        let _ = client.try_disconnect();
        counts
    }
}

fn new_client(options: &MqttOptions, in_flight_max: u16) -> (AsyncClient, EventLoop) {
    AsyncClient::new(options.clone(), usize::from(in_flight_max) + OTHER_REQUESTS)
}

impl State {
    fn hand_over(&mut self, id: u64) {
        let Some((topic, payload)) = self.unacknowledged.get(&id) else { return };
        // The channel has room for all in flight; if it is closed, the next connection gets the message.
        if self.client.try_publish(&**topic, QoS::AtLeastOnce, false, payload.clone()).is_ok() {
            self.handed.push_back(id);
        }
    }

    fn sent(&mut self, packet_id: u16) {
        let id = self.colliding.take().or_else(|| self.handed.pop_front());
        if let Some(id) = id {
            self.by_packet_id.insert(packet_id, id);
        }
    }

    /// Whether the acknowledgement settled a message.
    fn acknowledged(&mut self, ack: &PubAck) -> bool {
        let Some(id) = self.by_packet_id.remove(&ack.pkid) else { return false };
        match ack.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => self.counts.acknowledged += 1,
            _ => self.counts.refused += 1,
        }
        self.unacknowledged.remove(&id).is_some()
    }

    fn reconnect(&mut self, client: AsyncClient) {
        self.client = client;
        self.handed.clear();
        self.colliding = None;
        self.by_packet_id.clear();
        self.counts.reconnects += 1;
        let ids: Vec<u64> = self.unacknowledged.keys().copied().collect();
        for id in ids {
            self.hand_over(id);
        }
    }
}

async fn poll(
    shared: Arc<Shared>,
    mut events: EventLoop,
    options: MqttOptions,
    in_flight_max: u16,
    ended: CancellationToken,
) {
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
    loop {
        let event = tokio::select! {
            () = ended.cancelled() => break,
            event = events.poll() => event,
        };
        match event {
            Ok(Event::Outgoing(Outgoing::Publish(packet_id))) => shared.state.lock().sent(packet_id),
            Ok(Event::Outgoing(Outgoing::AwaitAck(_))) => {
                let mut state = shared.state.lock();
                state.colliding = state.handed.pop_front();
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => break,
            Ok(Event::Incoming(Packet::PubAck(ack))) => {
                if shared.state.lock().acknowledged(&ack) {
                    shared.free.add_permits(1);
                    shared.settled.notify_waiters();
                }
            }
            Ok(Event::Incoming(Packet::ConnAck(_))) => backoff.reset(),
            Ok(_) => {}
            Err(ConnectionError::RequestsDone) => break,
            Err(error) => {
                tracing::debug!(%error, "publishing connection broke");
                let (client, next) = new_client(&options, in_flight_max);
                events = next;
                shared.state.lock().reconnect(client);
                tokio::select! {
                    () = ended.cancelled() => break,
                    () = tokio::time::sleep(backoff.next_delay()) => {}
                }
            }
        }
    }
    // What was handed over last, such as the disconnect, still goes out.
    let _ = tokio::time::timeout(Duration::from_millis(200), async {
        while let Ok(event) = events.poll().await {
            if matches!(event, Event::Outgoing(Outgoing::Disconnect)) {
                break;
            }
        }
    })
    .await;
}
