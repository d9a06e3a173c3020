//! Accepting connections, and ending them well.
//!
//! # Rules
//! 1. At most `connections_max` clients; the next one is told so. Who is not known yet has places of their own.
//! 2. When shutdown begins, no connection is accepted; one that rests is ended, one that works may end its request within
//!    `DRAIN_TIME`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gwbank_runtime::Shutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::auth::{Gatekeeper, Users};
use crate::cancel::Cancels;
use crate::connection::{DoorParts, serve};
use crate::door::SqlDoor;
use crate::tls::TlsDoor;
use crate::types::Zone;
use gwbank_door::DoorStats;
use gwbank_door::{TlsError, TlsFiles};

/// How long running queries may take once shutdown has begun: a third of the ten seconds that the process has.
pub(crate) const DRAIN_TIME: Duration = Duration::from_secs(3);
/// After a failed `accept` (no file descriptors, for one), before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Sockets beyond the clients' own: who is not known yet, and who comes to cancel.
const STRANGERS_MAX: usize = 64;

/// Bounds of one server.
#[derive(Debug, Clone)]
pub struct Limits {
    pub connections_max: usize,
    /// For TLS, startup packet and password; a person types no password meanwhile.
    pub startup_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections_max: 100, startup_time: Duration::from_secs(30) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PgWireError {
    #[error("cannot listen for PostgreSQL clients on {address}")]
    Listen {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("TLS is not possible")]
    Tls(#[from] TlsError),
}

/// What the server serves with.
pub struct ServerParts {
    pub door: Arc<dyn SqlDoor>,
    pub users: Users,
    pub tls: Option<TlsFiles>,
    /// Whether clients without TLS are refused.
    pub tls_required: bool,
    pub limits: Limits,
    /// Of connections that do not set one.
    pub time_zone: Zone,
}

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct PgWireServer {
    listener: TcpListener,
    address: SocketAddr,
    stats: Arc<DoorStats>,
}

impl PgWireServer {
    /// Binds; port 0 takes a free one.
    pub async fn bind(address: &str) -> Result<Self, PgWireError> {
        let failed = |source| PgWireError::Listen { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address: bound, stats: Arc::default() })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it will count.
    pub fn stats(&self) -> Arc<DoorStats> {
        self.stats.clone()
    }

    /// What answers until shutdown. Fails where the certificate cannot be served with: never without what was asked for.
    pub fn serve(
        self,
        parts: ServerParts,
        shutdown: Shutdown,
    ) -> Result<impl Future<Output = ()> + Send + 'static, PgWireError> {
        let ServerParts { door, users, tls, tls_required, limits, time_zone } = parts;
        let parts = Arc::new(DoorParts {
            door,
            gatekeeper: Gatekeeper::new(users),
            tls: tls.as_ref().map(TlsDoor::open).transpose()?,
            tls_required,
            places: Arc::new(Semaphore::new(limits.connections_max)),
            limits,
            time_zone,
            cancels: Cancels::default(),
            stats: self.stats.clone(),
        });
        Ok(self.run(parts, shutdown))
    }

    async fn run(self, parts: Arc<DoorParts>, shutdown: Shutdown) {
        let sockets = Arc::new(Semaphore::new(parts.limits.connections_max + STRANGERS_MAX));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.accepting_ended() => break,
                accepted = accept(&self.listener, &sockets) => accepted,
            };
            match accepted {
                Ok((stream, peer, socket)) => {
                    let open = parts.stats.accept();
                    let serving = serve(stream, peer, parts.clone(), shutdown.clone());
                    connections.spawn(async move {
                        serving.await;
                        drop((socket, open));
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection of a PostgreSQL client cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(DRAIN_TIME, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "queries still running at shutdown are cut");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    sockets: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let socket = sockets.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, socket))
}
