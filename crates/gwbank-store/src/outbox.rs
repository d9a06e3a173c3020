//! What is owed to people and programs that are told of condition flags, and what became of it.
//!
//! ```text
//! WatchCommit ──▶ pending ──lease──▶ a courier ──settle──▶ delivered | dead | expired
//!                    ▲                              │
//!                    └──────── postponed ◀──────────┘
//! ```
//!
//! # Rules
//! 1. A message is written once a key, in the transaction of what it tells of.
//! 2. Who leases a message has it alone until the lease ends; whoever dies with it loses it then.
//! 3. Messages of one stream go in the order in which they were written: an end never comes before its beginning.
//! 4. Every attempt is kept.

use gwbank_model::{Timestamp, named_enum};

named_enum! {
    DeliveryState, "delivery state" {
        Pending = 1, "pending";
        Delivered = 2, "delivered";
        /// Refused for good: it would be refused again.
        Dead = 3, "dead";
        /// Could not be delivered as long as it was worth telling.
        Expired = 4, "expired";
    }
}

/// A message that a courier owes.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxMessage {
    /// The receiver's, too: a second delivery has the same.
    pub idempotency_key: String,
    pub channel: String,
    /// Topic, address or URL.
    pub target: String,
    pub body: Vec<u8>,
    pub created_at: Timestamp,
    pub flag_id: Option<String>,
    pub office_id: Option<String>,
    pub contact_id: Option<String>,
    /// What must keep its order, such as a topic, or a flag at a contact; `None` for what stands alone.
    pub stream: Option<String>,
    /// Quiet hours and digests: not before then. A message of its stream that may not wait takes it along.
    pub not_before: Timestamp,
    /// It is not worth telling any more then; `None`: always.
    pub expires_at: Option<Timestamp>,
    /// Messages of one digest are told in one; `None`: each by itself.
    pub digest: Option<String>,
}

impl OutboxMessage {
    /// One that goes at once and stands alone.
    pub fn new(idempotency_key: String, channel: &str, target: String, body: Vec<u8>, created_at: Timestamp) -> Self {
        Self {
            idempotency_key,
            channel: channel.to_owned(),
            target,
            body,
            created_at,
            flag_id: None,
            office_id: None,
            contact_id: None,
            stream: None,
            not_before: created_at,
            expires_at: None,
            digest: None,
        }
    }
}

/// Asks for messages that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxLease {
    pub channel: String,
    /// Who has them, so that its own leases can be taken back after a restart.
    pub holder: String,
    pub now: Timestamp,
    pub until: Timestamp,
    pub limit: usize,
}

/// A leased message.
#[derive(Debug, Clone, PartialEq)]
pub struct OwedMessage {
    /// In the order in which messages were written.
    pub number: i64,
    pub message: OutboxMessage,
    /// Attempts before this lease.
    pub attempts: u32,
    /// Its receiver may have it: it was tried, or whoever leased it before ended without a word.
    pub may_have_been_sent: bool,
}

/// What became of a leased message.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    pub idempotency_key: String,
    pub at: Timestamp,
    pub became: Became,
    /// A receipt, or why not; an attempt is kept with it.
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Became {
    Delivered,
    Dead,
    Expired,
    /// It was tried, and is to be tried again then.
    Retry(Timestamp),
    /// It was not tried: somebody's limit was reached. Into a digest, where one is named.
    Postponed {
        until: Timestamp,
        digest: Option<String>,
    },
}

impl Became {
    pub fn name(&self) -> &'static str {
        match self {
            Became::Delivered => "delivered",
            Became::Dead => "dead",
            Became::Expired => "expired",
            Became::Retry(_) => "retry",
            Became::Postponed { .. } => "postponed",
        }
    }

    /// What it is then.
    pub fn state(&self) -> DeliveryState {
        match self {
            Became::Delivered => DeliveryState::Delivered,
            Became::Dead => DeliveryState::Dead,
            Became::Expired => DeliveryState::Expired,
            Became::Retry(_) | Became::Postponed { .. } => DeliveryState::Pending,
        }
    }

    /// Whether the receiver was asked to take it.
    pub fn is_attempt(&self) -> bool {
        !matches!(self, Became::Postponed { .. } | Became::Expired)
    }
}

/// One row of the table `deliveries`: a message without its body and address.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub idempotency_key: String,
    pub channel: String,
    pub flag_id: Option<String>,
    pub office_id: Option<String>,
    pub contact_id: Option<String>,
    pub state: DeliveryState,
    pub attempts: u32,
    pub created_at: Timestamp,
    pub not_before: Timestamp,
    /// When it is tried next, of one that is pending.
    pub next_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub digest: Option<String>,
    pub ended_at: Option<Timestamp>,
    /// The receipt, or the last reason why not.
    pub detail: Option<String>,
}

/// One row of the table `delivery_attempts`; never rewritten.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryAttempt {
    pub idempotency_key: String,
    pub at: Timestamp,
    /// The name of a [`Became`].
    pub outcome: String,
    pub detail: String,
}

/// How many messages of a channel are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxCount {
    pub channel: String,
    pub state: DeliveryState,
    pub messages: u64,
    /// When the oldest of them was written.
    pub oldest: Timestamp,
}
