//! Dead letters in memory. Nothing expires here: what is in memory ends with the process anyway.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gwbank_model::{GatewayId, Seq, Timestamp};

use crate::{
    DeadLetter, DeadLetterCause, DeadLetterFilter, DeadLetterId, DeadLetterSummary, DeadLetterUsage, DeadMessage,
    NewDeadLetter, PayloadPage, SettledDeadLetter,
};

#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    entries: BTreeMap<DeadLetterId, DeadLetterSummary>,
    by_cause: BTreeMap<(GatewayId, DeadLetterCause), DeadLetterId>,
    messages: BTreeMap<Seq, Message>,
    /// Letters of which something is still dead.
    open: BTreeSet<(DeadLetterId, Seq)>,
    entries_made: i64,
}

#[derive(Debug)]
struct Message {
    received_at: Timestamp,
    gateway_id: GatewayId,
    topic: String,
    payload: Bytes,
    shares: Vec<Share>,
}

/// What an entry has of a message.
#[derive(Debug)]
struct Share {
    id: DeadLetterId,
    cause: DeadLetterCause,
    detail: String,
    /// 0 once they came in.
    readings: u64,
}

impl DeadLetters {
    pub(super) fn add(&mut self, message: DeadMessage) {
        let DeadMessage { seq, received_at, gateway_id, topic, payload, letters } = message;
        for NewDeadLetter { cause, detail, readings } in letters {
            let id = self.entry(&gateway_id, &cause);
            let entry = self.entries.entry(id).or_insert_with(|| DeadLetterSummary {
                id,
                received_at,
                last_received_at: received_at,
                count: 0,
                readings: 0,
                gateway_id: gateway_id.clone(),
                topic: topic.clone(),
                reason: cause.reason.clone(),
                detail: detail.clone(),
                subject: cause.subject.clone(),
                payload_bytes: 0,
                expired: 0,
            });
            entry.readings += readings;
            entry.received_at = entry.received_at.min(received_at);
            entry.last_received_at = entry.last_received_at.max(received_at);
            if self.open.insert((id, seq)) {
                entry.count += 1;
                entry.payload_bytes += payload.len() as u64;
            }
            let message = self.messages.entry(seq).or_insert_with(|| Message {
                received_at,
                gateway_id: gateway_id.clone(),
                topic: topic.clone(),
                payload: payload.clone(),
                shares: Vec::new(),
            });
            match message.shares.iter_mut().find(|share| share.id == id) {
                Some(share) => share.readings += readings,
                None => message.shares.push(Share { id, cause, detail, readings }),
            }
        }
    }

    fn entry(&mut self, gateway_id: &GatewayId, cause: &DeadLetterCause) -> DeadLetterId {
        *self.by_cause.entry((gateway_id.clone(), cause.clone())).or_insert_with(|| {
            self.entries_made += 1;
            DeadLetterId(self.entries_made)
        })
    }

    /// Gives the gateway where it has no message any more after this.
    pub(super) fn settle(&mut self, settled: SettledDeadLetter) -> Option<GatewayId> {
        let SettledDeadLetter { id, seq, readings } = settled;
        let (message, entry) = (self.messages.get_mut(&seq)?, self.entries.get_mut(&id)?);
        let share = message.shares.iter_mut().find(|share| share.id == id)?;
        let settled = readings.min(share.readings);
        share.readings -= settled;
        entry.readings -= settled;
        if share.readings > 0 || !self.open.remove(&(id, seq)) {
            return None;
        }
        entry.count -= 1;
        entry.payload_bytes -= message.payload.len() as u64;
        if entry.count == 0
            && let Some(DeadLetterSummary { gateway_id, reason, subject, .. }) = self.entries.remove(&id)
        {
            self.by_cause.remove(&(gateway_id, DeadLetterCause { reason, subject }));
        }
        if message.shares.iter().any(|share| share.readings > 0) {
            return None;
        }
        let gateway_id = self.messages.remove(&seq)?.gateway_id;
        let has_others = self.messages.values().any(|message| message.gateway_id == gateway_id);
        (!has_others).then_some(gateway_id)
    }

    pub(super) fn list(&self, filter: &DeadLetterFilter) -> Vec<DeadLetterSummary> {
        let wanted = self.entries.values().filter(|entry| {
            filter.id.is_none_or(|id| id == entry.id)
                && filter.gateway_id.as_ref().is_none_or(|gateway| *gateway == entry.gateway_id)
                && filter.reason.as_ref().is_none_or(|reason| *reason == entry.reason)
        });
        wanted.take(filter.limit.unwrap_or(usize::MAX)).cloned().collect()
    }

    pub(super) fn payloads(&self, id: DeadLetterId, page: PayloadPage) -> Vec<DeadLetter> {
        let mut letters = Vec::new();
        let mut bytes = 0;
        let later = self.open.range((id, page.after)..=(id, Seq::MAX)).filter(|(_, seq)| *seq > page.after);
        for (_, seq) in later.take(page.payloads_max) {
            let Some(message) = self.messages.get(seq) else { continue };
            let Some(share) = message.shares.iter().find(|share| share.id == id) else { continue };
            bytes += message.payload.len();
            if bytes > page.bytes_max && !letters.is_empty() {
                break;
            }
            let beside = message.shares.iter().filter(|other| other.id != id);
            letters.push(DeadLetter {
                id,
                received_at: message.received_at,
                gateway_id: message.gateway_id.clone(),
                topic: message.topic.clone(),
                reason: share.cause.reason.clone(),
                detail: share.detail.clone(),
                payload: message.payload.clone(),
                readings: share.readings,
                seq: *seq,
                beside: beside.map(|other| (other.cause.clone(), other.readings)).collect(),
            });
        }
        letters
    }

    pub(super) fn usage(&self) -> DeadLetterUsage {
        let bytes = self.messages.values().map(|message| message.payload.len() as u64).sum();
        DeadLetterUsage { bytes, expired: 0 }
    }
}
