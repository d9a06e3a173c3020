//! Accepting connections, and ending them well.
//!
//! # Rules
//! 1. Nothing is accepted beyond the places that there are [`crate::socket`].
//! 2. When shutdown begins, no connection is accepted; one that rests is ended, a call that is under way may end within
//!    `DRAIN_TIME`. Then queries are stopped, and connections cut.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::stream;
use gwbank_runtime::Shutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::door::{Doorkeeper, SqlDoor};
use crate::gate::Gate;
use crate::info::{Facts, Info};
use crate::prepared::PreparedStatements;
use crate::running::Running;
use crate::service::{Door, Service};
use crate::sessions::Sessions;
use crate::socket::{Entrance, Socket, TlsSettings};
use gwbank_door::DoorStats;
use gwbank_door::{TlsError, TlsFiles};
use tokio_rustls::TlsAcceptor;

/// How long running queries may take once shutdown has begun: a third of the ten seconds that the process has.
const DRAIN_TIME: Duration = Duration::from_secs(3);
/// After a failed `accept` (no file descriptors, for one), before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Sockets beyond the clients' own: who is not known yet.
const STRANGERS_MAX: usize = 64;
/// Connections that have entered and wait for a moment to be served.
const ENTERED_MAX: usize = 16;

/// A client asks one thing after the other, or a few side by side.
const STREAMS_MAX: u32 = 64;
/// What is received at once: a statement, the values of its parameters.
const REQUEST_BYTES_MAX: usize = 4 << 20;
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// A client that went without a word is noticed after both: a cable was pulled, a machine lost its power.
const PING_AFTER: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);

/// Bounds of one server.
#[derive(Debug, Clone)]
pub struct Limits {
    pub connections_max: usize,
    /// For TLS and the first bytes, and once more until somebody said who asks.
    pub startup_time: Duration,
    /// For which the engine computes; told to clients.
    pub statement_time: Duration,
    /// From DoGet to the last row taken; a client may set itself less.
    pub answer_time: Duration,
    /// Longer statements are refused by the engine; told to clients.
    pub statement_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 100,
            startup_time: Duration::from_secs(30),
            statement_time: Duration::from_secs(120),
            answer_time: Duration::from_secs(150),
            statement_bytes_max: 64 << 10,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum FlightServerError {
    #[error("cannot listen for Flight SQL clients on {address}")]
    Listen {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("TLS is not possible")]
    Tls(#[from] TlsError),
    #[error("what the server tells of itself cannot be written: {0}")]
    Info(String),
}

/// What the server serves with.
pub struct ServerParts {
    pub door: Arc<dyn SqlDoor>,
    pub keeper: Arc<dyn Doorkeeper>,
    pub tls: Option<TlsFiles>,
    pub limits: Limits,
    /// Of the program.
    pub version: &'static str,
    pub stats: Arc<DoorStats>,
}

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct FlightServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl FlightServer {
    /// Binds; port 0 takes a free one.
    pub async fn bind(address: &str) -> Result<Self, FlightServerError> {
        let failed = |source| FlightServerError::Listen { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address: bound })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What answers until shutdown. Fails where the certificate cannot be served with: never without what was asked for.
    pub fn serve(
        self,
        parts: ServerParts,
        shutdown: Shutdown,
    ) -> Result<impl Future<Output = ()> + Send + 'static, FlightServerError> {
        let ServerParts { door, keeper, tls, limits, version, stats } = parts;
        let tls = tls.as_ref().map(acceptor).transpose()?;
        let facts = Facts {
            version,
            statement_seconds_max: limits.statement_time.as_secs(),
            statement_bytes_max: limits.statement_bytes_max,
            connections_max: limits.connections_max,
        };
        let info = Info::new(&facts).map_err(|status| FlightServerError::Info(status.message().to_owned()))?;
        let running = Arc::new(Running::new(stats.clone()));
        let service = Service::new(Door {
            sql: door,
            gate: Gate::new(keeper, stats.clone()),
            running: running.clone(),
            prepared: PreparedStatements::new(stats.clone()),
            sessions: Sessions::new(),
            info,
            answer_time: limits.answer_time,
            stats: stats.clone(),
        });
        let entrance = Entrance {
            tls: tls.map(|acceptor| Arc::new(TlsSettings(acceptor))),
            places: Arc::new(Semaphore::new(limits.connections_max)),
            startup_time: limits.startup_time,
            cut: CancellationToken::new(),
            stats,
        };
        let sockets = Arc::new(Semaphore::new(limits.connections_max + STRANGERS_MAX));
        Ok(run(self.listener, entrance, sockets, service, running, shutdown))
    }
}

async fn run(
    listener: TcpListener,
    entrance: Entrance,
    sockets: Arc<Semaphore>,
    service: Service,
    running: Arc<Running>,
    shutdown: Shutdown,
) {
    let (entered, waiting) = mpsc::channel(ENTERED_MAX);
    let accepting = accept_all(listener, entrance.clone(), sockets, entered, shutdown.clone());
    let incoming = stream::unfold(waiting, async |mut waiting| {
        let socket: Socket = waiting.recv().await?;
        Some((Ok::<_, io::Error>(socket), waiting))
    });
    let service = FlightServiceServer::new(service)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(usize::MAX);
    let stopping = shutdown.clone();
    let serving = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(PING_AFTER))
        .http2_keepalive_timeout(Some(PONG_WITHIN))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, async move { stopping.accepting_ended().await });
    let ending = async {
        shutdown.accepting_ended().await;
        tokio::time::sleep(DRAIN_TIME).await;
    };
    tokio::select! {
        (served, ()) = async { tokio::join!(serving, accepting) } => {
            if let Err(error) = served {
                tracing::error!(%error, "the Flight SQL door failed");
            }
        }
        () = ending => {
            tracing::warn!("queries of Flight SQL clients still running at shutdown are cut");
            running.stop_all();
        }
    }
    entrance.cut.cancel();
}

async fn accept_all(
    listener: TcpListener,
    entrance: Entrance,
    sockets: Arc<Semaphore>,
    entered: mpsc::Sender<Socket>,
    shutdown: Shutdown,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.accepting_ended() => return,
            accepted = accept(&listener, &sockets) => accepted,
        };
        match accepted {
            Ok((stream, peer, socket)) => {
                let (entrance, entered, shutdown) = (entrance.clone(), entered.clone(), shutdown.clone());
                tokio::spawn(async move {
                    let socket = tokio::select! {
                        socket = entrance.enter(stream, peer, socket) => socket,
                        () = shutdown.accepting_ended() => None,
                    };
                    if let Some(socket) = socket {
                        // Nobody takes it any more: the server is ending.
                        let _ending = entered.send(socket).await;
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of a Flight SQL client cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
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

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let mut config = files.read()?.config;
    // gRPC speaks HTTP/2 and nothing else.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
