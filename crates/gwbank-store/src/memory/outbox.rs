//! The outbox of [`MemoryMetadata`](super::MemoryMetadata).

use std::collections::{BTreeMap, HashSet};

use gwbank_model::Timestamp;

use crate::outbox::{
    Became, Delivery, DeliveryAttempt, DeliveryState, OutboxCount, OutboxLease, OutboxMessage, OwedMessage, Settlement,
};

#[derive(Debug)]
struct Entry {
    message: OutboxMessage,
    state: DeliveryState,
    attempts: u32,
    next_at: Timestamp,
    /// Who has it or had it last, until when.
    lease: Option<(String, Timestamp)>,
    ended_at: Option<Timestamp>,
    detail: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: Vec<Entry>,
    by_key: BTreeMap<String, usize>,
    attempts: Vec<DeliveryAttempt>,
}

impl Outbox {
    pub fn add(&mut self, message: OutboxMessage) {
        if self.by_key.contains_key(&message.idempotency_key) {
            return;
        }
        if message.stream.is_some() && message.not_before <= message.created_at {
            // What waits of its stream, or of its flag in a digest of its contact, goes with it, before it.
            for entry in self.entries.iter_mut().filter(|entry| entry.state == DeliveryState::Pending) {
                let waits = &mut entry.message;
                let is_held = waits.digest.is_some()
                    && (&waits.flag_id, &waits.contact_id) == (&message.flag_id, &message.contact_id)
                    && waits.flag_id.is_some()
                    && waits.contact_id.is_some()
                    && entry.attempts == 0
                    && entry.lease.is_none();
                if waits.not_before > message.created_at && (waits.stream == message.stream || is_held) {
                    entry.next_at = entry.next_at.min(message.created_at);
                    waits.not_before = message.created_at;
                    if is_held {
                        waits.digest = None;
                        waits.stream.clone_from(&message.stream);
                    }
                }
            }
        }
        self.by_key.insert(message.idempotency_key.clone(), self.entries.len());
        let next_at = message.not_before;
        self.entries.push(Entry {
            message,
            state: DeliveryState::Pending,
            attempts: 0,
            next_at,
            lease: None,
            ended_at: None,
            detail: None,
        });
    }

    pub fn lease(&mut self, asked: &OutboxLease) -> Vec<OwedMessage> {
        let mut taken: Vec<OwedMessage> = Vec::new();
        let mut seen = HashSet::new();
        let mut digests = HashSet::new();
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.state != DeliveryState::Pending {
                continue;
            }
            let is_behind = match &entry.message.stream {
                Some(stream) if entry.message.not_before <= asked.now => !seen.insert(stream.clone()),
                _ => false,
            };
            let is_free = entry.lease.as_ref().is_none_or(|(_, until)| *until <= asked.now);
            let is_due = entry.next_at <= asked.now && entry.message.channel == asked.channel;
            // A digest is whole, whatever the limit.
            let has_room = taken.len() < asked.limit
                || entry.message.digest.as_ref().is_some_and(|digest| digests.contains(digest));
            if is_behind || !is_free || !is_due || !has_room {
                continue;
            }
            digests.extend(entry.message.digest.clone());
            let may_have_been_sent = entry.attempts > 0 || entry.lease.is_some();
            entry.lease = Some((asked.holder.clone(), asked.until));
            taken.push(OwedMessage {
                number: index as i64 + 1,
                message: entry.message.clone(),
                attempts: entry.attempts,
                may_have_been_sent,
            });
        }
        taken
    }

    pub fn settle(&mut self, settled: Settlement) {
        let Settlement { idempotency_key, at, became, detail } = settled;
        let Some(entry) = self.by_key.get(&idempotency_key).map(|&index| &mut self.entries[index]) else { return };
        let attempt =
            DeliveryAttempt { idempotency_key, at, outcome: became.name().to_owned(), detail: detail.clone() };
        self.attempts.push(attempt);
        if entry.state != DeliveryState::Pending {
            return;
        }
        entry.lease = None;
        entry.attempts += u32::from(became.is_attempt());
        entry.state = became.state();
        entry.detail = Some(detail);
        match became {
            Became::Retry(next_at) => entry.next_at = next_at,
            Became::Postponed { until, digest } => {
                entry.next_at = until;
                if digest.is_some() {
                    entry.message.digest = digest;
                    entry.message.stream = None;
                }
            }
            Became::Delivered | Became::Dead | Became::Expired => entry.ended_at = Some(at),
        }
    }

    pub fn release(&mut self, holder: &str) {
        for entry in &mut self.entries {
            if let Some((has, until)) = &mut entry.lease
                && has == holder
            {
                *until = Timestamp::MIN;
            }
        }
    }

    pub fn counts(&self) -> Vec<OutboxCount> {
        let mut counts: BTreeMap<(&str, DeliveryState), (u64, Timestamp)> = BTreeMap::new();
        for entry in &self.entries {
            let created = entry.message.created_at;
            let (count, oldest) = counts.entry((&entry.message.channel, entry.state)).or_insert((0, created));
            *count += 1;
            *oldest = created.min(*oldest);
        }
        let row = |((channel, state), (messages, oldest)): ((&str, DeliveryState), (u64, Timestamp))| OutboxCount {
            channel: channel.to_owned(),
            state,
            messages,
            oldest,
        };
        counts.into_iter().map(row).collect()
    }

    pub fn deliveries(&self, flag_id: Option<&str>) -> Vec<Delivery> {
        let wanted =
            self.entries.iter().filter(|entry| flag_id.is_none_or(|id| entry.message.flag_id.as_deref() == Some(id)));
        let delivery = |entry: &Entry| {
            let message = entry.message.clone();
            Delivery {
                idempotency_key: message.idempotency_key,
                channel: message.channel,
                flag_id: message.flag_id,
                office_id: message.office_id,
                contact_id: message.contact_id,
                state: entry.state,
                attempts: entry.attempts,
                created_at: message.created_at,
                not_before: message.not_before,
                next_at: entry.next_at,
                expires_at: message.expires_at,
                digest: message.digest,
                ended_at: entry.ended_at,
                detail: entry.detail.clone(),
            }
        };
        wanted.map(delivery).collect()
    }

    pub fn attempts(&self, key: Option<&str>) -> Vec<DeliveryAttempt> {
        self.attempts.iter().filter(|attempt| key.is_none_or(|key| key == attempt.idempotency_key)).cloned().collect()
    }
}
