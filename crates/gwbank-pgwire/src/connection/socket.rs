//! Messages in, messages out, and waiting for something else while the client may go away.
//!
//! # Rules
//! 1. Memory for a client is bounded: what it sends ahead, and what it does not read.
//! 2. A request ends at its time or its cancel, also while it waits for a client that does not read.
//! 3. While the server works for a client it looks whether the client is still there: work for nobody is dropped.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::stream::Stream;
use crate::error::PgError;
use crate::protocol::frontend::{self, Malformed, Message, Opening};

/// Before anybody is known: longer than any name and password.
pub const STRANGER_BYTES_MAX: usize = 10_000;
/// A statement has at most 64 KiB; its values may be longer.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Read ahead while the server works.
const AHEAD_BYTES_MAX: usize = 64 << 10;
/// Sent when so much has come together.
pub const SENT_BYTES: usize = 64 << 10;
/// Without progress in writing: a client that asks and does not read may not hold its query.
const WRITE_STALL_TIME: Duration = Duration::from_secs(60);

/// Why work for a client stops.
#[derive(Debug)]
pub enum Stop {
    Error(PgError),
    /// The client is gone, or does not read: nobody to tell.
    Gone,
}

impl From<PgError> for Stop {
    fn from(error: PgError) -> Self {
        Self::Error(error)
    }
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Self {
        Self::Error(malformed.into())
    }
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// What ends the work for one request.
#[derive(Debug)]
pub struct Interrupts {
    pub cancelled: watch::Receiver<()>,
    pub deadline: Option<Instant>,
}

impl Interrupts {
    /// Whether the request may go on, asked without waiting.
    pub fn check(&mut self) -> Result<(), PgError> {
        if self.cancelled.has_changed().unwrap_or(false) {
            self.cancelled.mark_unchanged();
            return Err(cancelled());
        }
        match self.deadline {
            Some(deadline) if deadline <= Instant::now() => Err(timed_out()),
            _ => Ok(()),
        }
    }

    async fn cancel(&mut self) -> PgError {
        let asked = async {
            if self.cancelled.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let late = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = asked => cancelled(),
            () = late => timed_out(),
        }
    }
}

fn cancelled() -> PgError {
    PgError::new("57014", "canceling statement due to user request")
}

fn timed_out() -> PgError {
    PgError::new("57014", "canceling statement due to statement timeout")
        .hint("SET statement_timeout to more, or narrow the time or the wells")
}

#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    input: BytesMut,
    pub output: BytesMut,
    message_bytes_max: usize,
}

impl Socket {
    pub fn new(stream: Stream) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new(), message_bytes_max: STRANGER_BYTES_MAX }
    }

    /// The client is known: it may send longer messages.
    pub fn trust(&mut self) {
        self.message_bytes_max = MESSAGE_BYTES_MAX;
    }

    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// The stream, for a TLS handshake; `None` where the client sent more than it may before one, which somebody between
    /// may have put there.
    pub fn into_plain(self) -> Option<tokio::net::TcpStream> {
        match self.stream {
            Stream::Plain(stream) if self.input.is_empty() => Some(stream),
            _ => None,
        }
    }

    pub async fn opening(&mut self) -> Result<Opening, Stop> {
        loop {
            if let Some(opening) = frontend::opening(&mut self.input)? {
                return Ok(opening);
            }
            self.read_more().await?;
        }
    }

    /// The next message. What is to be sent is sent before it is waited for.
    pub async fn message(&mut self) -> Result<Message, Stop> {
        loop {
            if let Some(message) = frontend::message(&mut self.input, self.message_bytes_max)? {
                return Ok(message);
            }
            self.flush().await?;
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Result<(), Stop> {
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(Stop::Gone),
            _ => Ok(()),
        }
    }

    /// Sends everything.
    pub async fn flush(&mut self) -> Result<(), Stop> {
        while !self.output.is_empty() {
            let written = timeout(WRITE_STALL_TIME, self.stream.write(&self.output)).await;
            match written.map_err(|_| io::Error::from(ErrorKind::TimedOut))?? {
                0 => return Err(Stop::Gone),
                count => self.output.advance(count),
            }
        }
        timeout(WRITE_STALL_TIME, self.stream.flush()).await.map_err(|_| io::Error::from(ErrorKind::TimedOut))??;
        Ok(())
    }

    /// Sends when enough has come together. A client that does not read keeps its request no longer than the request may
    /// take: what was not sent yet stays, so that an error can follow it.
    pub async fn flush_much(&mut self, interrupts: &mut Interrupts) -> Result<(), Stop> {
        if self.output.len() < SENT_BYTES { Ok(()) } else { self.flush_unless(interrupts).await }
    }

    /// Sends everything, unless something ends the request before.
    pub async fn flush_unless(&mut self, interrupts: &mut Interrupts) -> Result<(), Stop> {
        tokio::select! {
            biased;
            error = interrupts.cancel() => Err(error.into()),
            flushed = self.flush() => flushed,
        }
    }

    pub async fn close(mut self) {
        let ending = async {
            self.flush().await?;
            self.stream.shutdown().await.map_err(Stop::from)
        };
        let _gone = ending.await;
    }

    /// The outcome of `work`, unless something ends it before or the client goes away.
    pub async fn unless_interrupted<T>(
        &mut self,
        interrupts: &mut Interrupts,
        work: impl Future<Output = T>,
    ) -> Result<T, Stop> {
        let mut work = std::pin::pin!(work);
        let mut interrupted = std::pin::pin!(interrupts.cancel());
        loop {
            let may_read = self.input.len() < AHEAD_BYTES_MAX;
            tokio::select! {
                biased;
                done = work.as_mut() => return Ok(done),
                error = interrupted.as_mut() => return Err(error.into()),
                read = self.stream.read_buf(&mut self.input), if may_read => {
                    if read? == 0 {
                        return Err(Stop::Gone);
                    }
                }
            }
        }
    }
}
