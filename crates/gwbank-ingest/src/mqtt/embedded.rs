//! The embedded broker: MQTT 5 and 3.1.1, where an acknowledgement means that the readings are durable.
//!
//! # Rules
//! 1. The publish hook takes a message of a gateway in, waits until it is durable and applied, and only then lets the
//!    broker acknowledge. While the pipeline is full the hook waits, and with it that one connection: the library reads
//!    nothing from it meanwhile, no ping, no farewell, no take-over. New connections are refused as unavailable.
//! 2. Nothing published on an ingest topic is refused, routed or retained: what cannot be understood is a dead letter.
//! 3. Server topics (status, flags) are the server's alone; they are published retained through the broker's router.
//! 4. Limits that would lead to a refusal (rates, retained messages) are off; sizes and in-flight counts are raised.
//! 5. Sessions are kept in memory: what a gateway has sent and not seen acknowledged it sends again.
//! 6. A connection that was held for `hold_max` is let go: ended without an acknowledgement. By then most clients have
//!    given it up, and what nobody reads from would take the place of a connection for as long as the archive is away.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use gwbank_model::GatewayId;
use gwbank_runtime::Shutdown;
use hashbrown::{HashMap, HashSet};
use mqtt5::QoS;
use mqtt5::broker::config::{AuthConfig, RateLimitConfig, StorageConfig};
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::{
    BrokerConfig, BrokerEventHandler, BrokerShutdownHandle, ClientConnectEvent, ClientDisconnectEvent,
    ClientPublishEvent, MqttBroker, PublishAction, ResourceMonitor, StorageBackendType,
};
use mqtt5::packet::publish::PublishPacket;
use parking_lot::Mutex;

pub use super::auth::{Anonymous, GatewayCredentials};
pub use super::tls::EmbeddedTls;
use crate::mqtt::auth::{ClientOwners, GatewayAuth};
use crate::mqtt::dispatch::{Dispatch, dispatch};
use crate::mqtt::tls_door::{self, BrokerParts};
use crate::{GatewayRow, IngestError, Pipeline, status_payload, status_topic};

/// Larger than what a decoder reads (4 MiB), so that a message that is too large ends as a dead letter and not as a
/// connection that breaks again and again.
const PACKET_BYTES_MAX: usize = 16 << 20;

/// How long the broker remembers a client that is away, with the flags it subscribed to.
const SESSION_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);

/// Retained messages of clients, on topics that are neither ingest topics nor the server's: enough for a configuration
/// message a gateway, bounded because they lie in memory (640 MiB at the very worst).
const RETAINED_TOPICS_MAX: usize = 10_000;
const RETAINED_BYTES_MAX: usize = 64 << 10;

/// Longer than the keep-alive of most clients, so that a short fullness costs nobody a connection.
const HOLD_MAX: Duration = Duration::from_secs(60);

/// Where a message goes that must not be acknowledged: nobody can subscribe to it by a wildcard.
const NOWHERE: &str = "$gwbank/unacknowledged";

#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// Host and port; port 0 takes a free one.
    pub listen: String,
    pub tls: Option<EmbeddedTls>,
    pub anonymous: Anonymous,
    pub gateways: Vec<GatewayCredentials>,
    pub connections_max: usize,
    /// How long a publish waits while the pipeline is full before its connection is let go.
    pub hold_max: Duration,
    /// How often the status topics of gateways that sent something are renewed.
    pub status_interval: Duration,
}

impl EmbeddedConfig {
    pub fn new(listen: impl Into<String>) -> Self {
        Self {
            listen: listen.into(),
            tls: None,
            anonymous: Anonymous::Refused,
            gateways: Vec::new(),
            connections_max: 10_000,
            hold_max: HOLD_MAX,
            status_interval: Duration::from_secs(10),
        }
    }
}

/// A running broker; clones are handles to it.
#[derive(Clone)]
pub struct EmbeddedBroker {
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    router: Arc<MessageRouter>,
    monitor: Arc<ResourceMonitor>,
    stopped: tokio_util::sync::CancellationToken,
}

impl EmbeddedBroker {
    /// Binds and serves until `shutdown` ends accepting; then no new connection or message is taken, and what was taken
    /// is acknowledged once it is durable.
    pub async fn start(config: EmbeddedConfig, pipeline: Pipeline, shutdown: Shutdown) -> Result<Self, IngestError> {
        let failed = |error: mqtt5::MqttError| IngestError::Broker(error.to_string());
        let owners = Arc::new(ClientOwners::default());
        let auth = GatewayAuth::try_new(config.gateways.clone(), config.anonymous, owners.clone(), pipeline.clone())?;
        let hook = Arc::new(Hook::new(pipeline.clone(), config.hold_max, owners));
        let settings = broker_config(&config, hook.clone()).await?;
        let mut broker =
            MqttBroker::with_config(settings.clone()).await.map_err(failed)?.with_auth_provider(Arc::new(auth));
        let router = hook.router.get_or_init(|| broker.router()).clone();
        let (tls_address, tls_door) = match &config.tls {
            Some(tls) => {
                let parts = BrokerParts::of(&broker, settings);
                let (address, door) = tls_door::open(tls, parts, shutdown.clone()).await?;
                (Some(address), Some(door))
            }
            None => (None, None),
        };
        let address = broker.local_addr().ok_or_else(|| IngestError::Broker("no address is bound".to_owned()))?;
        let started = Self {
            address,
            tls_address,
            router,
            monitor: broker.resource_monitor(),
            stopped: tokio_util::sync::CancellationToken::new(),
        };
        let handle = broker.shutdown_handle();
        let mut ready = broker.ready_receiver();
        let running = tokio::spawn(async move {
            if let Err(error) = broker.run().await {
                tracing::error!(%error, "the embedded broker failed");
            }
        });
        if ready.wait_for(|ready| *ready).await.is_err() {
            return Err(IngestError::Broker("it ended while starting".to_owned()));
        }
        let tls_door = tls_door.map(tokio::spawn);
        let stopped = started.stopped.clone();
        tokio::spawn(async move {
            for door in [Some(running), tls_door].into_iter().flatten() {
                if let Err(error) = door.await {
                    tracing::error!(%error, "a door of the embedded broker failed");
                }
            }
            stopped.cancel();
        });
        tokio::spawn(stop_with(handle, shutdown.clone()));
        tokio::spawn(publish_statuses(started.clone(), pipeline, config.status_interval, shutdown));
        Ok(started)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// Clients that are connected, at both doors.
    pub async fn connections(&self) -> usize {
        self.monitor.get_stats().await.current_connections
    }

    /// Publishes on a server topic. An empty payload removes what was retained.
    pub async fn publish_retained(&self, topic: &str, payload: impl Into<Bytes>) {
        let mut publish = PublishPacket::new(topic, payload, QoS::AtLeastOnce);
        publish.retain = true;
        self.router.route_message(&publish, None).await;
    }

    /// Resolves when every connection has ended.
    pub async fn stopped(&self) {
        self.stopped.cancelled().await;
    }
}

async fn broker_config(config: &EmbeddedConfig, hook: Arc<Hook>) -> Result<BrokerConfig, IngestError> {
    let open_to_our_provider = AuthConfig {
        allow_anonymous: true,
        rate_limit: RateLimitConfig { enabled: false, ..RateLimitConfig::default() },
        ..AuthConfig::default()
    };
    Ok(BrokerConfig {
        bind_addresses: vec![free_address(&config.listen).await?],
        max_clients: config.connections_max,
        max_packet_size: PACKET_BYTES_MAX,
        session_expiry_interval: SESSION_EXPIRY,
        auth_config: open_to_our_provider,
        storage_config: StorageConfig::default().with_backend(StorageBackendType::Memory),
        sys_topics_enabled: false,
        max_retained_messages: 0,
        max_retained_message_size: 0,
        max_message_rate_per_client: 0,
        max_bandwidth_per_client: 0,
        event_handler: Some(hook),
        ..BrokerConfig::default()
    })
}

/// An address that can be listened on. The library would say in prose what is wrong with it.
async fn free_address(listen: &str) -> Result<SocketAddr, IngestError> {
    let refused = |source| IngestError::Listen { setting: "mqtt.listen", address: listen.to_owned(), source };
    let mut addresses = tokio::net::lookup_host(listen).await.map_err(refused)?;
    let address = addresses.next().ok_or_else(|| refused(std::io::Error::other("it names no host")))?;
    tokio::net::TcpListener::bind(address).await.map_err(refused)?;
    Ok(address)
}

struct Hook {
    pipeline: Pipeline,
    hold_max: Duration,
    retained: ClientsRetained,
    owners: Arc<ClientOwners>,
    /// Set before anybody can connect.
    router: OnceLock<Arc<MessageRouter>>,
    /// Connections (by client id) that are to end; whatever they still send is not taken in.
    let_go: Mutex<HashSet<Arc<str>>>,
}

/// Topics of the clients' own (not ingest, not the server's) on which a message is retained. The broker's limit would
/// count the server's topics too and refuse; this one only lets what is too much go by unretained.
#[derive(Debug, Default)]
struct ClientsRetained(Mutex<HashSet<String>>);

impl ClientsRetained {
    fn may_keep(&self, topic: &str, payload: &[u8]) -> bool {
        let mut topics = self.0.lock();
        if payload.is_empty() {
            topics.remove(topic);
            return true;
        }
        if topics.contains(topic) {
            return payload.len() <= RETAINED_BYTES_MAX;
        }
        if topics.len() >= RETAINED_TOPICS_MAX || payload.len() > RETAINED_BYTES_MAX {
            return false;
        }
        topics.insert(topic.to_owned())
    }
}

impl BrokerEventHandler for Hook {
    fn on_client_publish<'a>(
        &'a self,
        event: ClientPublishEvent,
    ) -> Pin<Box<dyn Future<Output = PublishAction> + Send + 'a>> {
        Box::pin(self.publish(event))
    }

    fn on_client_connect<'a>(&'a self, event: ClientConnectEvent) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        self.let_go.lock().remove(&event.client_id);
        self.owners.connected(event.client_id, event.user_id);
        Box::pin(std::future::ready(()))
    }

    fn on_client_disconnect<'a>(
        &'a self,
        event: ClientDisconnectEvent,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        self.let_go.lock().remove(&event.client_id);
        self.owners.disconnected(&event.client_id);
        Box::pin(std::future::ready(()))
    }
}

impl Hook {
    fn new(pipeline: Pipeline, hold_max: Duration, owners: Arc<ClientOwners>) -> Self {
        let (retained, router, let_go) = (ClientsRetained::default(), OnceLock::new(), Mutex::default());
        Self { pipeline, hold_max, retained, owners, router, let_go }
    }

    async fn publish(&self, event: ClientPublishEvent) -> PublishAction {
        if self.let_go.lock().contains(&event.client_id) {
            return unacknowledged();
        }
        let publisher = event.user_id.as_deref().and_then(|user| GatewayId::new(user).ok());
        let message = match dispatch(publisher.as_ref(), &event.topic, &event.payload) {
            Dispatch::Ingest(message) => message,
            Dispatch::Forbidden => return PublishAction::Handled,
            Dispatch::Other if event.retain && !self.retained.may_keep(&event.topic, &event.payload) => {
                tracing::warn!(topic = %event.topic, "retained message routed, not kept: bound reached");
                let mut publish = PublishPacket::new(&*event.topic, event.payload, event.qos);
                publish.packet_id = event.packet_id;
                return PublishAction::Transform(publish);
            }
            Dispatch::Other => return PublishAction::Continue,
        };
        match tokio::time::timeout(self.hold_max, self.pipeline.ingest(message)).await {
            Ok(Ok(_)) => return PublishAction::Handled,
            Ok(Err(error)) => {
                tracing::warn!(%error, client_id = %event.client_id, topic = %event.topic, "message not taken in");
            }
            Err(_) => {
                tracing::warn!(client_id = %event.client_id, topic = %event.topic, "message held too long");
            }
        }
        // Not known to be durable, so never acknowledged: the gateway keeps it and sends it again.
        self.let_go(event.client_id).await;
        unacknowledged()
    }

    /// Ends a connection; its session stays.
    async fn let_go(&self, client_id: Arc<str>) {
        self.let_go.lock().insert(client_id.clone());
        if let Some(router) = self.router.get() {
            router.disconnect_client(&client_id).await;
        }
    }
}

/// The library acknowledges whatever the hook returns, but for a message of quality of service 0.
fn unacknowledged() -> PublishAction {
    PublishAction::Transform(PublishPacket::new(NOWHERE, Bytes::new(), QoS::AtMostOnce))
}

async fn stop_with(handle: BrokerShutdownHandle, shutdown: Shutdown) {
    shutdown.accepting_ended().await;
    handle.shutdown();
}

/// Renews the status topics of gateways whose counts changed; all of them at the start.
async fn publish_statuses(broker: EmbeddedBroker, pipeline: Pipeline, interval: Duration, shutdown: Shutdown) {
    let mut published: HashMap<GatewayId, GatewayRow> = HashMap::new();
    loop {
        match pipeline.gateways().await {
            Ok(gateways) => {
                for row in gateways {
                    if published.get(&row.gateway_id) != Some(&row) {
                        let topic = status_topic(row.gateway_id.as_str());
                        broker.publish_retained(&topic, status_payload(&row)).await;
                        published.insert(row.gateway_id.clone(), row);
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "gateway counts are not available"),
        }
        tokio::select! {
            () = shutdown.accepting_ended() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}
