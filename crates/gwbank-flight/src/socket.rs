//! Connections before gRPC sees them, and the bounds that hold beneath it.
//!
//! # Rules
//! 1. TLS and the first bytes of HTTP/2 have a time to come; what is no HTTP/2 is told so, where it can be.
//! 2. A connection on which nobody said who asks ends after the same time.
//! 3. At most `connections_max` connections of those who are known; strangers have places of their own, so that they
//!    cannot take all.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::transport::server::Connected;

use gwbank_door::{DoorStats, Open, Refusal};

/// With what every client of HTTP/2 begins.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// For browsers and curl, which begin with HTTP/1.1.
const NO_HTTP: &[u8] =
    b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n\
    This is gwbank's door for Arrow Flight SQL (gRPC). The dashboard and the API are at the address of http.listen.\n";

/// What calls know of their connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub address: SocketAddr,
    place: Arc<Place>,
}

/// A connection's place among those of clients that are known.
#[derive(Debug)]
struct Place {
    is_known: AtomicBool,
    taken: Mutex<Option<(OwnedSemaphorePermit, Open)>>,
    places: Arc<Semaphore>,
    stats: Arc<DoorStats>,
}

impl Peer {
    /// Somebody was let in: the connection takes its place, if one is left.
    pub(crate) fn known(&self) -> Result<(), Status> {
        let place = &self.place;
        if place.is_known.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut taken = place.taken.lock();
        if taken.is_none() {
            let Ok(permit) = place.places.clone().try_acquire_owned() else {
                place.stats.refuse(Refusal::Places);
                return Err(Status::resource_exhausted(
                    "too many clients are connected; close some, or try again later",
                ));
            };
            *taken = Some((permit, place.stats.session()));
            place.is_known.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// What all connections share.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    pub tls: Option<Arc<TlsSettings>>,
    pub places: Arc<Semaphore>,
    pub startup_time: Duration,
    /// Cancelled when connections that are still there shall end.
    pub cut: CancellationToken,
    pub stats: Arc<DoorStats>,
}

pub(crate) struct TlsSettings(pub TlsAcceptor);

impl std::fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsSettings")
    }
}

impl Entrance {
    /// A connection that speaks HTTP/2, or nothing.
    pub(crate) async fn enter(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        socket: OwnedSemaphorePermit,
    ) -> Option<Socket> {
        let open = self.stats.accept();
        let entering = async {
            let mut stream = match &self.tls {
                None => Stream::Plain(stream),
                Some(tls) => Stream::Tls(Box::new(tls.0.accept(stream).await.map_err(|error| (Refusal::Tls, error))?)),
            };
            expect_preface(&mut stream).await.map_err(|error| (Refusal::Startup, error))?;
            Ok(stream)
        };
        let entered = tokio::time::timeout(self.startup_time, entering).await;
        let late = |_| Err((Refusal::Startup, io::ErrorKind::TimedOut.into()));
        let stream = match entered.unwrap_or_else(late) {
            Ok(stream) => stream,
            Err((refusal, error)) => {
                tracing::debug!(%address, %error, "a connection to the Flight SQL door came to nothing");
                self.stats.refuse(refusal);
                return None;
            }
        };
        let place = Place {
            is_known: AtomicBool::new(false),
            taken: Mutex::new(None),
            places: self.places.clone(),
            stats: self.stats.clone(),
        };
        Some(Socket {
            stream,
            preface_read: 0,
            peer: Peer { address, place: Arc::new(place) },
            stranger_until: Box::pin(tokio::time::sleep(self.startup_time)),
            cut: Box::pin(self.cut.clone().cancelled_owned()),
            _held: (socket, open),
        })
    }
}

async fn expect_preface(stream: &mut Stream) -> io::Result<()> {
    let mut first = [0; PREFACE.len()];
    let mut read = 0;
    while read < first.len() {
        let more = stream.read(&mut first[read..]).await?;
        if more == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read += more;
        if first[..read] != PREFACE[..read] {
            if first[..read.min(8)].iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
                stream.write_all(NO_HTTP).await?;
                stream.shutdown().await?;
            }
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not begin as HTTP/2"));
        }
    }
    Ok(())
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection as gRPC gets it.
pub(crate) struct Socket {
    stream: Stream,
    /// How much of the preface, which was read already, has been given on.
    preface_read: usize,
    peer: Peer,
    stranger_until: Pin<Box<Sleep>>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _held: (OwnedSemaphorePermit, Open),
}

impl Socket {
    /// Whether the connection has to end now.
    fn over(&mut self, context: &mut Context<'_>) -> Option<io::Error> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Some(io::Error::new(io::ErrorKind::ConnectionAborted, "the server is shutting down"));
        }
        let place = &self.peer.place;
        if !place.is_known.load(Ordering::Acquire) && self.stranger_until.as_mut().poll(context).is_ready() {
            place.stats.refuse(Refusal::Startup);
            return Some(io::Error::new(io::ErrorKind::TimedOut, "nobody said who asks"));
        }
        None
    }
}

impl Connected for Socket {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.preface_read < PREFACE.len() {
            let left = &PREFACE[self.preface_read..];
            let given = left.len().min(buf.remaining());
            buf.put_slice(&left[..given]);
            self.preface_read += given;
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = self.over(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(context, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream.get_mut() {
            Stream::Plain($inner) => $call,
            Stream::Tls($inner) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => Pin::new(inner).poll_read(context, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, inner => Pin::new(inner).poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => Pin::new(inner).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => Pin::new(inner).poll_shutdown(context))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, inner => Pin::new(inner).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(inner) => inner.is_write_vectored(),
            Stream::Tls(inner) => inner.is_write_vectored(),
        }
    }
}
