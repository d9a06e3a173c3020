//! What came in, what could not be stored, and how the server does.

use std::borrow::Cow;

use gwbank_store::{DeadLetter, DeadLetterSummary};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{finite, instant};
use crate::doors::{FleetReport, GatewayStanding, PartState, PostedReceipt, ReplayedLetters};

/// received = stored + duplicate + dead + pending, counted in readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptView {
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
    /// Durable and queryable, not yet compared with the archive.
    pub pending: u64,
    pub faults: Vec<FaultView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FaultView {
    pub reason: String,
    pub place: String,
    pub detail: String,
    pub readings: u64,
}

impl From<PostedReceipt> for ReceiptView {
    fn from(receipt: PostedReceipt) -> Self {
        let PostedReceipt { received, stored, duplicate, dead, pending, faults } = receipt;
        let faults = faults
            .into_iter()
            .map(|fault| FaultView {
                reason: fault.reason,
                place: fault.place,
                detail: fault.detail,
                readings: fault.readings,
            })
            .collect();
        Self { received, stored, duplicate, dead, pending, faults }
    }
}

/// What wants looking at in a province: what fell silent, batteries that run down, sensors that fail their tests or drift.
#[derive(Debug, Serialize, ToSchema)]
pub struct FleetView {
    pub province_code: String,
    pub items: u64,
    pub text_en: String,
    pub text_th: String,
}

impl From<FleetReport> for FleetView {
    fn from(report: FleetReport) -> Self {
        let FleetReport { province_code, items, text_en, text_th } = report;
        Self { province_code, items, text_en, text_th }
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GatewayView {
    pub gateway_id: String,
    pub last_seen: Option<String>,
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
    pub pending: u64,
    pub clock_offset_s: Option<f64>,
    pub clock_zone: Option<String>,
    pub last_error: Option<String>,
}

impl From<&GatewayStanding> for GatewayView {
    fn from(standing: &GatewayStanding) -> Self {
        let record = &standing.record;
        Self {
            gateway_id: record.gateway_id.to_string(),
            last_seen: record.last_seen.map(instant),
            received: record.counts.received,
            stored: record.counts.stored,
            duplicate: record.counts.duplicate,
            dead: record.counts.dead,
            pending: standing.pending,
            clock_offset_s: finite(record.clock_offset_s),
            clock_zone: record.clock_zone.clone(),
            last_error: record.last_error.clone(),
        }
    }
}

/// One entry of the dead letters: what could not be stored, and why.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterView {
    pub id: i64,
    pub received_at: String,
    pub last_received_at: String,
    /// Messages.
    pub count: u64,
    pub readings: u64,
    pub gateway_id: String,
    pub topic: String,
    pub reason: String,
    pub detail: String,
    pub subject: String,
    pub payload_bytes: u64,
    /// Of the messages, those whose payload made room for newer ones: counted, not to be replayed any more.
    pub expired: u64,
}

impl From<&DeadLetterSummary> for DeadLetterView {
    fn from(letter: &DeadLetterSummary) -> Self {
        Self {
            id: letter.id.0,
            received_at: instant(letter.received_at),
            last_received_at: instant(letter.last_received_at),
            count: letter.count,
            readings: letter.readings,
            gateway_id: letter.gateway_id.to_string(),
            topic: letter.topic.clone(),
            reason: letter.reason.clone(),
            detail: letter.detail.clone(),
            subject: letter.subject.clone(),
            payload_bytes: letter.payload_bytes,
            expired: letter.expired,
        }
    }
}

/// One kept payload.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PayloadView {
    pub received_at: String,
    pub topic: String,
    pub readings: u64,
    /// The payload where it is text.
    pub text: Option<String>,
    /// The payload in base64 where it is not.
    pub base64: Option<String>,
}

impl From<&DeadLetter> for PayloadView {
    fn from(letter: &DeadLetter) -> Self {
        use base64::Engine;
        let (text, base64) = match std::str::from_utf8(&letter.payload) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(base64::engine::general_purpose::STANDARD.encode(&letter.payload))),
        };
        Self {
            received_at: instant(letter.received_at),
            topic: letter.topic.clone(),
            readings: letter.readings,
            text,
            base64,
        }
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterDetail {
    #[serde(flatten)]
    pub letter: DeadLetterView,
    pub payloads: Vec<PayloadView>,
}

/// Which dead letters to replay; nothing given means all.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayRequest {
    pub id: Option<i64>,
    pub gateway: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReplayView {
    pub letters: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
}

impl From<ReplayedLetters> for ReplayView {
    fn from(replayed: ReplayedLetters) -> Self {
        let ReplayedLetters { letters, stored, duplicate, dead } = replayed;
        Self { letters, stored, duplicate, dead }
    }
}

/// How many rows of a file were applied.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AppliedView {
    pub rows: u64,
    /// What contradicts itself or will not be judged in the registry as it is now.
    pub warnings: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    pub part: Cow<'static, str>,
    pub ready: bool,
    pub detail: String,
    /// What to do about what is wrong, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<Cow<'static, str>>,
}

impl PartView {
    /// The part, and why it is as it is where that is told.
    pub fn told(&self) -> String {
        if self.detail.is_empty() { self.part.to_string() } else { format!("{}: {}", self.part, self.why()) }
    }

    pub fn why(&self) -> String {
        let mend = self.mend.iter().map(|mend| format!("; {mend}"));
        std::iter::once(self.detail.clone()).chain(mend).collect()
    }
}

impl From<PartState> for PartView {
    fn from(state: PartState) -> Self {
        let PartState { part, ready, detail, mend } = state;
        Self { part: Cow::Borrowed(part), ready, detail, mend: mend.map(Cow::Borrowed) }
    }
}

/// The process as a whole.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    pub version: String,
    pub now: String,
    pub ready: bool,
    pub parts: Vec<PartView>,
    pub wells: u64,
    #[serde(flatten)]
    pub counts: Option<CountsView>,
}

/// What the metadata know; left out while they cannot be asked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CountsView {
    pub gateways: u64,
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
    pub pending: u64,
    pub open_flags: u64,
    pub dead_letters: u64,
}
