//! One connection, from its first byte to its last.
//!
//! ```text
//! TLS? ─→ startup packet ─→ SCRAM ─→ messages: simple (Query) or extended (Parse, Bind, Execute, Sync) ─→ end
//!                                          │ commands of its own: SET, BEGIN, DECLARE, …   [crate::sql]
//!                                          └ everything else: the engine                    [crate::door]
//! ```

mod copying;
mod execute;
mod extended;
mod rows;
mod socket;
mod startup;
mod stream;

pub(crate) use rows::Rows;
pub(crate) use startup::{DoorParts, serve};

use std::sync::Arc;
use std::time::Duration;

use gwbank_runtime::Shutdown;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::door::{Asked, ConnectionFacts, SqlDoor, SqlFailure};
use crate::error::{PgError, Severity};
use crate::protocol::backend;
use crate::protocol::frontend::Message;
use crate::session::Session;
use gwbank_door::DoorStats;
use socket::{Interrupts, Socket, Stop};

pub(crate) struct Connection {
    socket: Socket,
    door: Arc<dyn SqlDoor>,
    stats: Arc<DoorStats>,
    session: Session,
    cancelled: watch::Receiver<()>,
    /// Of the request at hand.
    deadline: Option<Instant>,
    /// After an error in the extended protocol: everything up to the next Sync is passed over.
    skips_to_sync: bool,
}

impl Connection {
    /// Answers until the client leaves, or the server does.
    async fn run(mut self, shutdown: Shutdown) {
        loop {
            let message = tokio::select! {
                biased;
                message = self.socket.message() => message,
                () = shutdown.accepting_ended() => return self.end(&PgError::shutting_down()).await,
            };
            let message = match message {
                Ok(message) => message,
                Err(Stop::Error(error)) => return self.end(&error).await,
                Err(Stop::Gone) => return,
            };
            let is_extended = message.is_extended();
            let outcome = match message {
                Message::Terminate => return self.socket.close().await,
                Message::Sync => {
                    self.sync();
                    continue;
                }
                _ if self.skips_to_sync => continue,
                message => self.answer(message).await,
            };
            match outcome {
                Ok(()) => {}
                Err(Stop::Gone) => return,
                Err(Stop::Error(error)) if error.severity == Severity::Fatal => return self.end(&error).await,
                Err(Stop::Error(error)) => {
                    backend::error(&mut self.socket.output, &error);
                    self.session.fail();
                    if is_extended {
                        self.skips_to_sync = true;
                    } else {
                        self.session.end_request();
                        self.ready();
                    }
                }
            }
        }
    }

    async fn answer(&mut self, message: Message) -> Result<(), Stop> {
        // What was to be cancelled is over.
        self.cancelled.mark_unchanged();
        self.start_clock();
        match message {
            Message::Query(sql) => self.simple(&sql).await,
            Message::Parse { name, sql, types } => self.parse(name, &sql, &types).await,
            Message::Bind { portal, statement, formats, values, result_formats } => {
                self.bind(portal, &statement, &formats, &values, &result_formats)
            }
            Message::Describe(target, name) => self.describe(target, &name),
            Message::Execute { portal, rows_max } => self.execute_portal(portal, rows_max).await,
            Message::Close(target, name) => {
                self.close(target, &name);
                Ok(())
            }
            Message::Flush => self.socket.flush().await,
            // Left over from a copy that is over.
            Message::CopyData | Message::CopyDone | Message::CopyFail => Ok(()),
            Message::FunctionCall => Err(PgError::unsupported("function calls are not supported").into()),
            Message::Password(_) => Err(PgError::fatal("08P01", "unexpected password message").into()),
            Message::Sync | Message::Terminate => Ok(()),
        }
    }

    fn sync(&mut self) {
        self.skips_to_sync = false;
        self.session.end_request();
        self.ready();
    }

    fn ready(&mut self) {
        backend::ready_for_query(&mut self.socket.output, self.session.status());
    }

    async fn end(mut self, error: &PgError) {
        backend::error(&mut self.socket.output, error);
        self.socket.close().await;
    }

    /// The next statement has its own time.
    fn start_clock(&mut self) {
        let timeout: Option<Duration> = self.session.settings.statement_timeout();
        self.deadline = timeout.map(|timeout| Instant::now() + timeout);
    }

    fn interrupts(&self) -> Interrupts {
        Interrupts { cancelled: self.cancelled.clone(), deadline: self.deadline }
    }

    fn facts(&mut self) -> Arc<ConnectionFacts> {
        self.session.facts()
    }

    fn asked(&mut self, sql: &str) -> Asked {
        Asked { sql: sql.to_owned(), types: Vec::new(), values: Vec::new(), connection: self.facts() }
    }
}

/// A failure of the engine; `chars_before` places it where the whole text is known.
fn failed(failure: SqlFailure, sql: &str, chars_before: Option<usize>) -> PgError {
    let SqlFailure { sqlstate, message, place } = failure;
    let error = PgError::new(sqlstate, message);
    match (place.and_then(|place| chars_to(sql, place)), chars_before) {
        (Some(within), Some(before)) => error.at(before + within + 1),
        _ => error,
    }
}

/// Characters of the text before a line and column.
fn chars_to(sql: &str, (line, column): (usize, usize)) -> Option<usize> {
    let before: usize = sql.split('\n').take(line.checked_sub(1)?).map(|line| line.chars().count() + 1).sum();
    Some(before + column.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_characters() {
        assert_eq!(chars_to("SELECT บ\nFROM x", (2, 6)), Some(14));
        assert_eq!(chars_to("x", (0, 1)), None);
        let failure = SqlFailure { sqlstate: "42601", message: "m".into(), place: Some((1, 3)) };
        assert_eq!(failed(failure, "SELECT", Some(10)).position, Some(13));
    }
}
