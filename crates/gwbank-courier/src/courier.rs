//! What a channel is to the dispatcher.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gwbank_model::Timestamp;
use gwbank_notice::Notice;
use gwbank_registry::office::{Contact, Office};
use gwbank_store::OutboxMessage;

/// Who a parcel is for, as the list of offices has it now.
#[derive(Debug, Clone)]
pub struct Recipient {
    pub office: Arc<Office>,
    pub contact: Arc<Contact>,
}

/// What is sent at once: a message, or all of a digest.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The receiver knows a second delivery by it.
    pub key: String,
    /// Topic, address or URL.
    pub target: String,
    /// `None` of a topic, which is nobody's.
    pub recipient: Option<Recipient>,
    /// At least one, in the order in which they were written.
    pub messages: Vec<OutboxMessage>,
    /// The receiver may have it under this key: it must not be told under another one.
    pub may_have_been_sent: bool,
}

impl Parcel {
    /// When the first of it was written.
    pub fn created_at(&self) -> Timestamp {
        self.messages.iter().map(|message| message.created_at).min().unwrap_or(Timestamp::MIN)
    }

    /// What it tells of; a body that is no notice is left out.
    pub fn notices(&self) -> Vec<Notice> {
        self.messages.iter().filter_map(|message| Notice::from_bytes(&message.body).ok()).collect()
    }
}

/// What became of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With what the receiver said.
    Delivered(String),
    /// It may be taken later; `after` where the receiver said when.
    Retry { reason: String, after: Option<Duration> },
    /// It would be refused again.
    Dead(String),
    /// Nothing reaches this contact any more.
    Unreachable(String),
    /// It was not sent, ever: it can wait for the contact's digest.
    IntoDigest(String),
}

impl Outcome {
    pub fn retry(reason: impl Into<String>) -> Self {
        Outcome::Retry { reason: reason.into(), after: None }
    }
}

/// One channel.
#[async_trait]
pub trait Courier: Send + Sync + 'static {
    /// The channel of the outbox that it serves.
    fn channel(&self) -> &'static str;

    /// Sends; may be asked twice with the same parcel.
    async fn deliver(&self, parcel: &Parcel) -> Outcome;
}
