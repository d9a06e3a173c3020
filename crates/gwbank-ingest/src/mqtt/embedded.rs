//! The embedded broker: MQTT 5 and 3.1.1, where an acknowledgement means that the readings are durable.
//!
//! # Rules
//! 1. The publish hook takes a message of a gateway in, waits until it is durable and applied, and only then lets the
//!    broker acknowledge. While the pipeline is full the hook waits, and with it that one connection.
//! 2. Nothing published on an ingest topic is refused, routed or retained: what cannot be understood is a dead letter.
//! 3. Server topics (status, flags) are the server's alone; they are published retained through the broker's router.
//! 4. Limits that would lead to a refusal (rates, retained messages) are off; sizes and in-flight counts are raised.
//! 5. Sessions are kept in memory: what a gateway has sent and not seen acknowledged it sends again.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gwbank_model::GatewayId;
use gwbank_runtime::Shutdown;
use hashbrown::{HashMap, HashSet};
use mqtt5::QoS;
use mqtt5::broker::config::{AuthConfig, RateLimitConfig, StorageConfig, TlsConfig};
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::{
    BrokerConfig, BrokerEventHandler, BrokerShutdownHandle, ClientPublishEvent, MqttBroker, PublishAction,
    StorageBackendType,
};
use mqtt5::packet::publish::PublishPacket;
use parking_lot::Mutex;

pub use super::auth::{Anonymous, GatewayCredentials};
use crate::mqtt::auth::GatewayAuth;
use crate::mqtt::dispatch::{Dispatch, dispatch};
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

#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// Host and port; port 0 takes a free one.
    pub listen: String,
    pub tls: Option<EmbeddedTls>,
    pub anonymous: Anonymous,
    pub gateways: Vec<GatewayCredentials>,
    pub connections_max: usize,
    /// How often the status topics of gateways that sent something are renewed.
    pub status_interval: Duration,
}

#[derive(Debug, Clone)]
pub struct EmbeddedTls {
    pub listen: String,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl EmbeddedConfig {
    pub fn new(listen: impl Into<String>) -> Self {
        Self {
            listen: listen.into(),
            tls: None,
            anonymous: Anonymous::Refused,
            gateways: Vec::new(),
            connections_max: 10_000,
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
    stopped: tokio_util::sync::CancellationToken,
}

impl EmbeddedBroker {
    /// Binds and serves until `shutdown` ends accepting; then no new connection or message is taken, and what was taken
    /// is acknowledged once it is durable.
    pub async fn start(config: EmbeddedConfig, pipeline: Pipeline, shutdown: Shutdown) -> Result<Self, IngestError> {
        let failed = |error: mqtt5::MqttError| IngestError::Broker(error.to_string());
        let auth = GatewayAuth::try_new(config.gateways.clone(), config.anonymous, pipeline.clone())?;
        let hook = Hook { pipeline: pipeline.clone(), retained: ClientsRetained::default() };
        let settings = broker_config(&config, Arc::new(hook)).await?;
        let mut broker = MqttBroker::with_config(settings).await.map_err(failed)?.with_auth_provider(Arc::new(auth));
        let address = broker.local_addr().ok_or_else(|| IngestError::Broker("no address is bound".to_owned()))?;
        let started = Self {
            address,
            tls_address: broker.tls_local_addr(),
            router: broker.router(),
            stopped: tokio_util::sync::CancellationToken::new(),
        };
        let handle = broker.shutdown_handle();
        let mut ready = broker.ready_receiver();
        let stopped = started.stopped.clone();
        tokio::spawn(async move {
            if let Err(error) = broker.run().await {
                tracing::error!(%error, "the embedded broker failed");
            }
            stopped.cancel();
        });
        if ready.wait_for(|ready| *ready).await.is_err() {
            return Err(IngestError::Broker("it ended while starting".to_owned()));
        }
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
    let tls = match &config.tls {
        Some(EmbeddedTls { listen, certificate, key }) => {
            Some(TlsConfig::new(certificate.clone(), key.clone()).with_bind_address(resolve(listen).await?))
        }
        None => None,
    };
    let open_to_our_provider = AuthConfig {
        allow_anonymous: true,
        rate_limit: RateLimitConfig { enabled: false, ..RateLimitConfig::default() },
        ..AuthConfig::default()
    };
    Ok(BrokerConfig {
        bind_addresses: vec![resolve(&config.listen).await?],
        max_clients: config.connections_max,
        max_packet_size: PACKET_BYTES_MAX,
        session_expiry_interval: SESSION_EXPIRY,
        auth_config: open_to_our_provider,
        tls_config: tls,
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

async fn resolve(listen: &str) -> Result<SocketAddr, IngestError> {
    let refused = |problem: String| IngestError::Broker(format!("address {listen:?} cannot be used: {problem}"));
    let mut addresses = tokio::net::lookup_host(listen).await.map_err(|error| refused(error.to_string()))?;
    addresses.next().ok_or_else(|| refused("it names no host".to_owned()))
}

struct Hook {
    pipeline: Pipeline,
    retained: ClientsRetained,
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
}

impl Hook {
    async fn publish(&self, event: ClientPublishEvent) -> PublishAction {
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
        match self.pipeline.ingest(message).await {
            Ok(_) => PublishAction::Handled,
            Err(error) => {
                // Not durable, so never acknowledged: the gateway keeps it and sends it again to the next start.
                tracing::warn!(%error, client_id = %event.client_id, topic = %event.topic, "message not taken in");
                std::future::pending().await
            }
        }
    }
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
