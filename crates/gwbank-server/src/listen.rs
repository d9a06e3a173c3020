//! Accepting connections, and ending them well.
//!
//! # Rules
//! 1. At most `connections_max` connections; the next one waits in the system's backlog.
//! 2. Headers must be complete within `header_time`; an idle connection is closed after it too.
//! 3. An answer whose client takes nothing of it for `write_stall_time` is cut.
//! 4. When shutdown begins, no connection is accepted and none takes a further request; running answers end.
//!    What has not ended after `DRAIN_TIME` is cut.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use gwbank_runtime::Shutdown;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::guard::Peer;
use crate::stall::StallGuard;
use crate::state::Limits;

/// How long running answers may take once shutdown has begun: a third of the ten seconds that the process has.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// After a failed `accept` (no file descriptors, for one), before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
#[error("cannot listen for HTTP on {address}")]
pub struct ServeError {
    pub address: String,
    #[source]
    pub source: io::Error,
}

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl HttpServer {
    /// Binds; port 0 takes a free one.
    pub async fn bind(address: &str) -> Result<Self, ServeError> {
        let failed = |source| ServeError { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address: bound })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until shutdown stops accepting, then ends what runs. Returns when the last connection has ended.
    pub async fn serve(self, router: Router, limits: Limits, shutdown: Shutdown) {
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.accepting_ended() => break,
                accepted = accept(&self.listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    let serving = connection(stream, peer, router.clone(), limits.clone(), shutdown.clone());
                    connections.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(DRAIN_TIME, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "answers still running at shutdown are cut");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, limits: Limits, shutdown: Shutdown) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        router.call(request)
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .serve_connection(TokioIo::new(StallGuard::new(stream, limits.write_stall_time)), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.accepting_ended() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                ended = serving.as_mut() => ended,
                () = tokio::time::sleep(DRAIN_TIME) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
