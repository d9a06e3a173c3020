//! Tickets: what a client takes from GetFlightInfo to DoGet.
//!
//! ```text
//! byte 0       FORMAT
//! byte 1       what follows the id: STATEMENT or PREPARED
//! bytes 2–17   id of the query, drawn at random: who has the ticket can cancel the query, and nobody else
//! rest         the statement in UTF-8, or the handle of the prepared statement
//! ```
//!
//! A ticket gives no right: whoever brings it is asked who he is, and may ask every statement anyway. So it is not signed,
//! and the same ticket is good at another node and after a restart.

use arrow_flight::Ticket;
use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use prost::Message;
use tonic::Status;

const FORMAT: u8 = 1;
const STATEMENT: u8 = 1;
const PREPARED: u8 = 2;
const HEAD: usize = 2 + ID_BYTES;

/// Enough that none is guessed, and none drawn twice.
pub(crate) const ID_BYTES: usize = 16;

/// Names a query, or a prepared statement.
pub(crate) type Id = [u8; ID_BYTES];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryTicket {
    pub id: Id,
    pub what: Asks,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asks {
    Statement(String),
    Prepared(Id),
}

impl QueryTicket {
    pub(crate) fn new(what: Asks) -> Self {
        Self { id: rand::random(), what }
    }

    pub(crate) fn handle(&self) -> Vec<u8> {
        let (kind, rest) = match &self.what {
            Asks::Statement(sql) => (STATEMENT, sql.as_bytes()),
            Asks::Prepared(handle) => (PREPARED, handle.as_slice()),
        };
        [&[FORMAT, kind][..], &self.id, rest].concat()
    }

    pub(crate) fn ticket(&self) -> Ticket {
        let query = TicketStatementQuery { statement_handle: self.handle().into() };
        Ticket::new(query.as_any().encode_to_vec())
    }

    pub(crate) fn read(handle: &[u8]) -> Result<Self, Status> {
        let (head, rest) = handle.split_at_checked(HEAD).ok_or_else(foreign)?;
        let id = id(&head[2..]).ok_or_else(foreign)?;
        let what = match head[..2] {
            [FORMAT, STATEMENT] => Asks::Statement(std::str::from_utf8(rest).map_err(|_| foreign())?.to_owned()),
            [FORMAT, PREPARED] => Asks::Prepared(self::id(rest).ok_or_else(foreign)?),
            _ => return Err(foreign()),
        };
        Ok(Self { id, what })
    }

    /// Of what GetFlightInfo gave; `None` where the ticket is of something else.
    pub(crate) fn of_ticket(ticket: &Ticket) -> Option<Self> {
        let any = arrow_flight::sql::Any::decode(&*ticket.ticket).ok()?;
        let query: TicketStatementQuery = any.unpack().ok()??;
        Self::read(&query.statement_handle).ok()
    }
}

pub(crate) fn id(bytes: &[u8]) -> Option<Id> {
    bytes.try_into().ok()
}

fn foreign() -> Status {
    Status::invalid_argument("this is no ticket of this server; ask for one with GetFlightInfo")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tickets_lead_back(sql in ".*", handle in any::<Id>()) {
            for what in [Asks::Statement(sql), Asks::Prepared(handle)] {
                let ticket = QueryTicket::new(what);
                prop_assert_eq!(&QueryTicket::read(&ticket.handle()).unwrap(), &ticket);
                prop_assert_eq!(QueryTicket::of_ticket(&ticket.ticket()), Some(ticket));
            }
        }

        #[test]
        fn what_is_no_ticket_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(read) = QueryTicket::read(&bytes) {
                prop_assert_eq!(read.handle(), bytes);
            } else {
                prop_assert!(QueryTicket::of_ticket(&Ticket::new(bytes)).is_none());
            }
        }
    }
}
