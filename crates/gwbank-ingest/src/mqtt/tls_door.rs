//! Accepting TLS connections for the embedded broker.
//!
//! The library has a TLS door of its own, which shakes hands inside its accept loop and without a time limit: one client
//! that connects and says nothing would keep every other out. So connections are accepted here and then served by the
//! library's own handler.
//!
//! # Rules
//! 1. Handshakes run side by side, at most [`HANDSHAKES_MAX`], each within [`HANDSHAKE_TIME`].
//! 2. What was connected when the shutdown begins is told so and has [`DRAIN_TIME`] to end, as at the plain door.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gwbank_runtime::Shutdown;
use mqtt5::broker::auth::AuthProvider;
use mqtt5::broker::client_handler::ClientHandler;
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::sys_topics::BrokerStats;
use mqtt5::broker::tls_acceptor::accept_tls_connection;
use mqtt5::broker::transport::BrokerTransport;
use mqtt5::broker::{BrokerConfig, DynamicStorage, MqttBroker, ResourceMonitor};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::task::TaskTracker;

use crate::IngestError;
use crate::mqtt::tls::EmbeddedTls;

/// Clients that are not through their handshake: more than a fleet that reconnects at once needs, few enough for memory.
const HANDSHAKES_MAX: usize = 1024;
/// Enough for a modem on a bad line; the library gives a CONNECT the same.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// As the library waits at its plain door.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// After a failed `accept` (no file descriptors, for one), before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every connection of the broker shares.
#[derive(Clone)]
pub(crate) struct BrokerParts {
    config: Arc<BrokerConfig>,
    router: Arc<MessageRouter>,
    auth: Arc<dyn AuthProvider>,
    storage: Option<Arc<DynamicStorage>>,
    stats: Arc<BrokerStats>,
    monitor: Arc<ResourceMonitor>,
}

impl BrokerParts {
    pub(crate) fn of(broker: &MqttBroker, config: BrokerConfig) -> Self {
        Self {
            config: Arc::new(config),
            router: broker.router(),
            auth: broker.auth_provider(),
            storage: broker.storage(),
            stats: broker.stats(),
            monitor: broker.resource_monitor(),
        }
    }

    fn handler(&self, transport: BrokerTransport, peer: SocketAddr, ending: broadcast::Receiver<()>) -> ClientHandler {
        let Self { config, router, auth, storage, stats, monitor } = self.clone();
        ClientHandler::new(transport, peer, config, router, auth, storage, stats, monitor, ending)
    }
}

/// Binds; gives the address and what serves until the shutdown.
pub(crate) async fn open(
    tls: &EmbeddedTls,
    parts: BrokerParts,
    shutdown: Shutdown,
) -> Result<(SocketAddr, impl Future<Output = ()> + Send + 'static), IngestError> {
    let refused = |source| IngestError::Listen { setting: "mqtt.tls_listen", address: tls.listen.clone(), source };
    let acceptor = Arc::new(tls.server_config()?);
    let listener = TcpListener::bind(&tls.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let serving = async move {
        let acceptor = acceptor.into();
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        let connections = TaskTracker::new();
        let (ending, _) = broadcast::channel(1);
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.accepting_ended() => break,
                accepted = accept(&listener, &handshakes) => accepted,
            };
            let (stream, peer, turn) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a TLS connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if !parts.monitor.can_accept_connection(peer.ip()).await {
                continue; // it has said why
            }
            let (acceptor, parts, ending) = (Clone::clone(&acceptor), parts.clone(), ending.subscribe());
            connections.spawn(async move {
                let shaken = tokio::time::timeout(HANDSHAKE_TIME, accept_tls_connection(&acceptor, stream, peer)).await;
                drop(turn);
                let ended = match shaken {
                    Ok(Ok(stream)) => parts.handler(BrokerTransport::tls(stream), peer, ending).run().await,
                    Ok(Err(error)) => Err(error),
                    Err(_) => return tracing::debug!(%peer, "no TLS handshake in time"),
                };
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a TLS connection ended");
                }
            });
        }
        drop(listener);
        // Nobody listens where nobody is connected.
        let _ = ending.send(());
        connections.close();
        if tokio::time::timeout(DRAIN_TIME, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "TLS connections still open at shutdown are cut");
        }
    };
    Ok((address, serving))
}

async fn accept(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let turn = handshakes.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, turn))
}
