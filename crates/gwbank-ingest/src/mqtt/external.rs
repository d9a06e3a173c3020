//! A session at an external broker.
//!
//! # Constraints
//! The broker holds what we have not acknowledged; we acknowledge what is durable. The client library loses
//! acknowledgements when a connection breaks, which costs a redelivery and nothing else.
//!
//! # Rules
//! 1. The session outlives process and connection: no clean start, no expiry, a client id that stays.
//! 2. Three tasks: one only polls the library (and never waits for it), one hands messages to the pipeline in the order of
//!    arrival, one acknowledges in that order as receipts come in.
//! 3. A connection is an epoch. A ticket of an earlier epoch is dropped: its packet id may mean another message by now.
//!    The epoch ends under the lock under which acknowledgements are handed to the library, and what was handed over
//!    before is taken back out of its queue.
//! 4. Subscriptions are made on the first connection of the process and whenever the broker forgot the session.
//! 5. This client publishes nothing: in the library a publish can block a session for good.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gwbank_runtime::{Backoff, Shutdown};
use parking_lot::Mutex;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, Publish, SubscribeReasonCode};
use rumqttc::v5::mqttbytes::{QoS, valid_filter};
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::task::TaskTracker;

use crate::mqtt::broker_problem::BrokerProblem;
use crate::mqtt::dispatch::{dispatch_external, may_match_ingest_topics};
use crate::mqtt::options::options;
use crate::pipeline::Taken;
use crate::{IngestError, Pipeline};

/// What gateways publish, as the embedded broker takes it.
pub const DEFAULT_TOPICS: &[&str] = &["gwbank/v1/+/readings", "gwbank/v1/+/senml"];

/// Messages of quality of service 0 that wait beside those the broker counts; more wait in the socket.
const UNCOUNTED_MESSAGES_MAX: usize = 1024;
/// Acknowledgements that the library has not sent yet. As many as there are packet ids: whatever the broker sends, handing
/// one over never has to wait. (The library sends one for each round in which it reads a dozen packets, and Mosquitto
/// before 2.0.12 sends more than the receive maximum once acknowledgements flow: thousands do pile up.)
const REQUESTS_MAX: usize = u16::MAX as usize + OUTGOING_IN_FLIGHT_MAX as usize;
/// This client sends subscriptions only; the library reserves memory for each.
const OUTGOING_IN_FLIGHT_MAX: u16 = 16;
const SESSION_EXPIRY_SECONDS: u32 = u32::MAX; // never
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How long a stop waits for the acknowledgements of what is being made durable.
const STOP_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct ExternalConfig {
    /// `mqtt://[user:password@]host[:port]` or `mqtts://…`.
    pub url: String,
    /// Stays the same over restarts, and differs from node to node: it names the session.
    pub client_id: String,
    pub user: Option<String>,
    pub password: Option<String>,
    /// PEM: the authorities that are trusted, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Nodes of one group share the messages.
    pub shared_group: Option<String>,
    pub topics: Vec<String>,
    /// Messages that the broker sends before it waits for acknowledgements.
    pub receive_maximum: u16,
}

impl ExternalConfig {
    pub fn new(url: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            client_id: client_id.into(),
            user: None,
            password: None,
            ca_file: None,
            shared_group: None,
            topics: DEFAULT_TOPICS.iter().map(|&topic| topic.to_owned()).collect(),
            receive_maximum: 1000,
        }
    }

    /// What is wrong with the topics and the group: the field, and why.
    pub fn topic_problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (index, topic) in self.topics.iter().enumerate() {
            let problem = match topic.as_str() {
                "" => "it is empty",
                _ if !valid_filter(topic) => "a # stands alone at the end, a + alone in its level",
                _ if !may_match_ingest_topics(topic) => "no topic of readings is under it: all messages would be dead",
                _ => continue,
            };
            problems.push((format!("topics[{index}]"), format!("{topic:?} is no topic filter of use here: {problem}")));
        }
        if let Some(group) = &self.shared_group
            && group.contains(['/', '+', '#'])
        {
            problems.push(("shared_group".to_owned(), format!("{group:?} holds / + or #, which no group may")));
        }
        problems
    }

    fn filters(&self) -> Vec<Filter> {
        let path = |topic: &String| match &self.shared_group {
            Some(group) => format!("$share/{group}/{topic}"),
            None => topic.clone(),
        };
        self.topics.iter().map(|topic| Filter::new(path(topic), QoS::AtLeastOnce)).collect()
    }
}

/// How a session is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalState {
    /// Host and port.
    pub broker: String,
    pub connected: bool,
    pub subscribed: bool,
    pub messages: u64,
    pub acknowledged: u64,
    pub connections: u64,
    /// Of the present connection, or of the last one where there is none.
    pub problem: Option<BrokerProblem>,
}

/// A running session.
#[derive(Debug)]
pub struct ExternalSource {
    state: watch::Receiver<ExternalState>,
    tasks: TaskTracker,
}

impl ExternalSource {
    /// Connects in the background, and again whenever the connection breaks, until `shutdown` ends accepting.
    pub fn spawn(config: ExternalConfig, pipeline: Pipeline, shutdown: Shutdown) -> Result<Self, IngestError> {
        let receive_maximum = config.receive_maximum.max(1);
        let (user, password) = (config.user.as_deref(), config.password.as_deref());
        let mut options = options(&config.url, &config.client_id, user, password, config.ca_file.as_deref())?;
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(SESSION_EXPIRY_SECONDS));
        options.set_receive_maximum(Some(receive_maximum));
        options.set_manual_acks(true);
        options.set_outgoing_inflight_upper_limit(OUTGOING_IN_FLIGHT_MAX);
        let (host, port) = options.broker_address();
        let (client, events) = AsyncClient::new(options, REQUESTS_MAX);

        let unconnected = ExternalState { broker: format!("{host}:{port}"), ..ExternalState::default() };
        let (state_sender, state) = watch::channel(unconnected);
        let session = Arc::new(Session {
            client,
            epoch: Mutex::new(0),
            acknowledgement_lost: Notify::new(),
            state: state_sender,
        });
        let waiting_max = usize::from(receive_maximum) + UNCOUNTED_MESSAGES_MAX;
        let (arrived, arrivals) = mpsc::channel(waiting_max);
        let (taken, tickets) = mpsc::channel(waiting_max);
        let tasks = TaskTracker::new();
        tasks.spawn(hand_over(arrivals, taken, pipeline));
        let acknowledging = tasks.spawn(acknowledge(tickets, session.clone()));
        let poller = Poller { session, events, filters: config.filters(), arrived: Some(arrived) };
        tasks.spawn(poller.run(shutdown, acknowledging));
        tasks.close();
        Ok(Self { state, tasks })
    }

    pub fn state(&self) -> watch::Receiver<ExternalState> {
        self.state.clone()
    }

    /// Resolves when the session has ended after a shutdown: what was taken in is durable, and acknowledged if it could be.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

#[derive(Debug)]
struct Session {
    client: AsyncClient,
    epoch: Mutex<u64>,
    /// An acknowledgement of this epoch will never be sent: only a new connection makes the broker ask again.
    acknowledgement_lost: Notify,
    state: watch::Sender<ExternalState>,
}

#[derive(Debug)]
struct Arrival {
    epoch: u64,
    publish: Publish,
}

#[derive(Debug)]
struct Ticket {
    epoch: u64,
    publish: Publish,
    taken: Taken,
}

struct Poller {
    session: Arc<Session>,
    events: EventLoop,
    filters: Vec<Filter>,
    /// `None` once nothing more is taken in.
    arrived: Option<mpsc::Sender<Arrival>>,
}

impl Poller {
    async fn run(mut self, shutdown: Shutdown, acknowledging: tokio::task::JoinHandle<()>) {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        loop {
            let event = tokio::select! {
                () = shutdown.accepting_ended() => break,
                () = self.session.acknowledgement_lost.notified() => {
                    let problem = "an acknowledgement could not be handed over";
                    self.end_epoch(BrokerProblem::new(problem, "it is tried again"));
                    continue;
                }
                event = self.events.poll() => event,
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                    backoff.reset();
                    self.greeted(ack.session_present);
                    // Packets of the former connection may have been handed out since it broke: they are of the past.
                    *self.session.epoch.lock() += 1;
                    self.session.state.send_modify(|state| {
                        state.connected = true;
                        state.connections += 1;
                        state.problem = None;
                    });
                    // Also when the session was resumed: whether the broker got the subscription before the link broke
                    // nobody can tell, and to subscribe again changes nothing.
                    self.subscribe();
                }
                Ok(Event::Incoming(Packet::SubAck(ack))) => self.subscribed(&ack.return_codes),
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    let epoch = *self.session.epoch.lock();
                    self.session.state.send_modify(|state| state.messages += 1);
                    let Some(arrived) = &self.arrived else { continue };
                    // Has room for all that the broker sends at QoS 1; at QoS 0 the socket waits.
                    tokio::select! {
                        () = shutdown.accepting_ended() => break, // not acknowledged, so it is sent again
                        sent = arrived.send(Arrival { epoch, publish }) => if sent.is_err() { break },
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    self.end_epoch(BrokerProblem::of(&error));
                    tokio::select! {
                        () = shutdown.accepting_ended() => break,
                        () = tokio::time::sleep(backoff.next_delay()) => {}
                    }
                }
            }
        }
        self.stop(acknowledging).await;
    }

    /// A session that the broker does not know any more took what it held for us with it: the operator must learn of it.
    fn greeted(&self, session_present: bool) {
        let is_first = self.session.state.borrow().connections == 0;
        match (session_present, is_first) {
            (true, _) => tracing::info!("connected to the external broker; it has kept the session"),
            (false, true) => tracing::warn!(
                "connected to the external broker, which knows no session of this client_id: right at the very first \
                 start; later it means that what the broker held for gwbank is gone (is its persistence on?)"
            ),
            (false, false) => tracing::warn!(
                "the external broker has forgotten the session: what it held for gwbank is gone (is its persistence on?)"
            ),
        }
    }

    fn subscribe(&self) {
        if let Err(error) = self.session.client.try_subscribe_many(self.filters.iter().cloned()) {
            tracing::error!(%error, "subscription cannot be requested");
        }
    }

    fn subscribed(&self, codes: &[SubscribeReasonCode]) {
        let refused = codes.iter().position(|code| !matches!(code, SubscribeReasonCode::Success(_)));
        let refused = refused.map(|place| {
            let topic = self.filters.get(place).map_or("?", |filter| filter.path.as_str());
            format!("the broker refuses the subscription to {topic}: {:?}", codes[place])
        });
        match refused {
            Some(error) => {
                tracing::error!(%error, "subscription refused");
                let problem = BrokerProblem::new(error, "let the broker permit the topics, or mend them");
                self.session.state.send_modify(|state| state.problem = Some(problem));
            }
            None => self.session.state.send_modify(|state| state.subscribed = true),
        }
    }

    fn end_epoch(&mut self, problem: BrokerProblem) {
        *self.session.epoch.lock() += 1;
        // Acknowledgements that were handed over between the break and the end of the epoch.
        self.events.clean();
        tracing::warn!(%problem, "no connection with the external broker");
        self.session.state.send_modify(|state| {
            state.connected = false;
            state.subscribed = false;
            state.problem = Some(problem);
        });
    }

    /// Takes nothing more in, and polls on until what was taken in is acknowledged.
    async fn stop(mut self, mut acknowledging: tokio::task::JoinHandle<()>) {
        self.arrived = None;
        let rest = async {
            loop {
                tokio::select! {
                    // Ended or failed: nothing more will be acknowledged.
                    _ = &mut acknowledging => break,
                    event = self.events.poll() => if event.is_err() { return },
                }
            }
            if self.session.client.try_disconnect().is_ok() {
                while let Ok(event) = self.events.poll().await {
                    if matches!(event, Event::Outgoing(rumqttc::Outgoing::Disconnect)) {
                        break;
                    }
                }
            }
        };
        if tokio::time::timeout(STOP_MAX, rest).await.is_err() {
            tracing::warn!("external broker: stopped before everything was acknowledged; the rest will be redelivered");
        }
        self.session.state.send_modify(|state| state.connected = false);
    }
}

async fn hand_over(mut arrivals: mpsc::Receiver<Arrival>, taken: mpsc::Sender<Ticket>, pipeline: Pipeline) {
    while let Some(Arrival { epoch, publish }) = arrivals.recv().await {
        let topic = String::from_utf8_lossy(&publish.topic);
        let payload: Bytes = publish.payload.clone();
        match pipeline.begin(dispatch_external(&topic, &payload)).await {
            Ok(in_flight) => {
                if taken.send(Ticket { epoch, publish, taken: in_flight }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, %topic, "message not taken in; the broker keeps it");
                return;
            }
        }
    }
}

async fn acknowledge(mut tickets: mpsc::Receiver<Ticket>, session: Arc<Session>) {
    while let Some(Ticket { epoch, publish, taken }) = tickets.recv().await {
        if taken.receipt().await.is_err() {
            return; // closed: nothing after it may be acknowledged either
        }
        let handed = {
            let present = session.epoch.lock();
            if *present == epoch { session.client.try_ack(&publish) } else { continue }
        };
        match handed {
            Ok(()) => session.state.send_modify(|state| state.acknowledged += 1),
            Err(_) => session.acknowledgement_lost.notify_one(),
        }
    }
}
