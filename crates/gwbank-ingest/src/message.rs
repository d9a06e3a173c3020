//! What comes in, and what is said about it.

use bytes::Bytes;
use gwbank_model::GatewayId;
use gwbank_store::GatewayCounts;
use gwbank_wire::{Fault, Format, Reason, SourceKind};

/// One message as a source took it.
#[derive(Debug, Clone)]
pub struct Message {
    pub gateway: GatewayId,
    pub topic: String,
    pub content: MessageContent,
    pub source: SourceKind,
}

#[derive(Debug, Clone)]
pub enum MessageContent {
    /// To be decoded.
    Payload { format: Format, payload: Bytes },
    /// Not for us to decode: becomes a dead letter.
    Undecoded { payload: Bytes, reason: Reason, detail: String },
}

impl Message {
    /// A message of a gateway in one of the formats.
    pub fn new(gateway: GatewayId, topic: impl Into<String>, format: Format, payload: impl Into<Bytes>) -> Self {
        let content = MessageContent::Payload { format, payload: payload.into() };
        Self { gateway, topic: topic.into(), content, source: SourceKind::Live }
    }

    /// A message on a topic that nobody reads or that belongs to somebody else.
    pub fn undecoded(
        gateway: GatewayId,
        topic: impl Into<String>,
        payload: impl Into<Bytes>,
        reason: Reason,
        detail: impl Into<String>,
    ) -> Self {
        let content = MessageContent::Undecoded { payload: payload.into(), reason, detail: detail.into() };
        Self { gateway, topic: topic.into(), content, source: SourceKind::Live }
    }
}

/// What became of a message: durable and applied when it is given out. Counted in readings;
/// received = stored + duplicate + dead + pending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
    /// Older than the recent window: durable and queryable, not yet compared with the archive.
    pub pending: u64,
    pub faults: Vec<Fault>,
}

impl Receipt {
    /// Adds the counts and appends the faults of another message.
    pub fn merge(&mut self, other: Receipt) {
        self.received += other.received;
        self.stored += other.stored;
        self.duplicate += other.duplicate;
        self.dead += other.dead;
        self.pending += other.pending;
        self.faults.extend(other.faults);
    }
}

/// One row of the table `gateways`, as of now.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayRow {
    pub gateway_id: GatewayId,
    pub last_seen: Option<gwbank_model::Timestamp>,
    pub counts: GatewayCounts,
    pub pending: u64,
    pub clock_offset_s: Option<f64>,
    pub clock_zone: Option<String>,
    pub last_error: Option<String>,
}
