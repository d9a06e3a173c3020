//! Taking dead letters back after their cause is mended.
//!
//! # Rules
//! 1. A dead letter is a share of a message: what else the message said was stored when it came. A replay takes only what
//!    the letter stood for: the readings of its well where the well was unknown; else the readings that are not stored
//!    yet and belong to no other open letter.
//! 2. One journal record both settles the letter and carries what became of it, so that no crash can do half of it.
//! 3. A letter whose cause is still there stays as it is and costs nothing.

use futures::{StreamExt, TryStreamExt};
use gwbank_model::{GatewayId, Key, Reading, SiteStatus};
use gwbank_store::{DeadLetter, DeadLetterFilter, DeadLetterSummary};
use gwbank_wire::{Context, Decoded, FieldRule, Format, Reason, Route, SourceKind, decode, route};
use hashbrown::HashSet;

use crate::message::Receipt;
use crate::pipeline::Shared;
use crate::record::{Content, Settled};
use crate::repeats::content_hash;
use crate::resolve::{keep_registered, rows};
use crate::{IngestError, Pipeline};

/// Letters on their way at once: as many as share one sync of the journal.
const IN_FLIGHT_MAX: usize = 256;

/// What a replay did, in readings but for the first two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterReport {
    /// Payloads looked at.
    pub messages: u64,
    /// Payloads whose cause is still there.
    pub left: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub pending: u64,
    /// Dead again, for another cause.
    pub dead: u64,
}

/// What a letter is counted under, with its gateway.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Cause {
    reason: String,
    subject: String,
}

impl Pipeline {
    /// Decodes dead letters again with what is registered and configured now.
    pub async fn replay_dead_letters(&self, filter: DeadLetterFilter) -> Result<DeadLetterReport, IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        shared.flush().await?; // so that the metadata knows of every letter
        let mut report = DeadLetterReport::default();
        for entry in shared.metadata.dead_letters(filter).await? {
            let same_gateway =
                DeadLetterFilter { gateway_id: Some(entry.gateway_id.clone()), ..DeadLetterFilter::default() };
            let others = shared.metadata.dead_letters(same_gateway).await?;
            let others: HashSet<Cause> = others
                .into_iter()
                .filter(|other| other.id != entry.id)
                .map(|other| Cause { reason: other.reason, subject: other.subject })
                .collect();
            let letters = shared.metadata.dead_letter_payloads(entry.id).await?;
            report.messages += letters.len() as u64;
            let (entry, others) = (&entry, &others);
            let mut outcomes = futures::stream::iter(letters)
                .map(|letter| async move { shared.replay_letter(entry, letter, others).await })
                .buffer_unordered(IN_FLIGHT_MAX);
            while let Some(outcome) = outcomes.try_next().await? {
                match outcome {
                    Some(receipt) => {
                        report.stored += receipt.stored;
                        report.duplicate += receipt.duplicate;
                        report.pending += receipt.pending;
                        report.dead += receipt.dead;
                    }
                    None => report.left += 1,
                }
            }
        }
        shared.flush().await?;
        Ok(report)
    }
}

impl Shared {
    /// `None` when the letter stays.
    async fn replay_letter(
        &self,
        entry: &DeadLetterSummary,
        letter: DeadLetter,
        others: &HashSet<Cause>,
    ) -> Result<Option<Receipt>, IngestError> {
        let settled = Settled { id: letter.id, seq: letter.seq, readings: letter.readings };
        if self.applier.lock().settled.contains(&settled) {
            return Ok(None);
        }
        let Some(decoded) = self.decode_again(entry, &letter) else { return Ok(None) };
        let mut content = keep_registered(decoded.readings, decoded.faults, &self.registry());
        let payload_subject = format!("payload {:016x}", content_hash(&letter.payload));
        for fault in &mut content.faults {
            if fault.subject.is_empty() {
                fault.subject.clone_from(&payload_subject);
            }
        }
        if entry.reason == Reason::UnknownWell.name() {
            content.readings.retain(|reading| reading.well.as_str() == entry.subject);
            content.faults.retain(|fault| fault.reason == Reason::UnknownWell && fault.subject == entry.subject);
        } else {
            let cause =
                |reason: Reason, subject: &str| Cause { reason: reason.name().to_owned(), subject: subject.to_owned() };
            content.readings.retain(|r| !others.contains(&cause(Reason::UnknownWell, r.well.as_str())));
            content.faults.retain(|fault| !others.contains(&cause(fault.reason, &fault.subject)));
            self.drop_known(&letter.gateway_id, &mut content.readings).await?;
        }
        if self.is_ignored_now(entry) {
            // The letter's field is none any more: it leaves without having been a reading.
            let content = Content { settled: vec![settled], ..Content::default() };
            return self.submit(&letter.gateway_id, letter.topic, content, None).await.map(Some);
        }
        let dead: u64 = content.faults.iter().map(|fault| fault.readings).sum();
        let same_cause =
            content.faults.iter().any(|fault| fault.reason.name() == entry.reason && fault.subject == entry.subject);
        if same_cause && dead >= letter.readings {
            return Ok(None);
        }
        content.duplicates = letter.readings.saturating_sub(dead + content.readings.len() as u64);
        content.settled = vec![settled];
        let payload = (!content.faults.is_empty()).then(|| letter.payload.into());
        self.submit(&letter.gateway_id, letter.topic, content, payload).await.map(Some)
    }

    /// Whether a device profile says by now that the field of a letter is to be ignored.
    fn is_ignored_now(&self, entry: &DeadLetterSummary) -> bool {
        let Some((well, field)) = entry.subject.split_once('/') else { return false };
        let profiles = self.config.decode.profiles.of(entry.gateway_id.as_str());
        let rule = profiles.and_then(|profiles| profiles.field(well, field));
        entry.reason == Reason::UnknownParameter.name() && rule == Some(&FieldRule::Ignore)
    }

    /// `None` where no decoder has a say.
    fn decode_again(&self, entry: &DeadLetterSummary, letter: &DeadLetter) -> Option<Decoded> {
        if entry.reason == Reason::ForeignTopic.name() {
            return None;
        }
        let format = match route(&letter.topic) {
            Route::Readings { .. } => Format::Json,
            Route::Senml { .. } => Format::of_senml(&letter.payload),
            Route::Foreign if entry.reason != Reason::UnknownTopic.name() => Format::Json, // HTTP and imports
            _ => return None,
        };
        // Relative times count from the first receipt; a time that was ahead of the clock then may be past by now.
        let waited = self.now().micros_since(letter.received_at).max(0);
        let live = self.config.decode.context(&letter.gateway_id, SourceKind::Live, letter.received_at);
        let context = Context { future_tolerance_micros: live.future_tolerance_micros.saturating_add(waited), ..live };
        Some(decode(format, &letter.payload, &context))
    }

    /// Drops readings that are stored already, as a winner or as a revision.
    async fn drop_known(&self, gateway: &GatewayId, readings: &mut Vec<Reading>) -> Result<(), IngestError> {
        if readings.is_empty() {
            return Ok(());
        }
        let index = self.names.gateways.intern(gateway);
        let candidates = rows(readings, &self.names.series, index).rows;
        let mut keys: Vec<Key> = candidates.iter().map(|row| row.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        // Window first: what it lets go of meanwhile is in the archive.
        let window = self.window.snapshot();
        let archived = self.archive.snapshot().await?.versions(&keys).await?;
        let mut known = candidates.iter().map(|row| {
            let in_window = window.versions(row.key()).iter().any(|version| version.same_content(row));
            let place = keys.binary_search(&row.key()).ok().and_then(|place| archived[place].as_ref());
            in_window || place.is_some_and(|versions| versions.iter().any(|version| version.same_content(row)))
        });
        readings.retain(|_| !known.next().unwrap_or(false));
        Ok(())
    }
}

/// Readings as a message, for those that came without one and must be kept as a dead letter.
pub(crate) fn payload_of(readings: &[Reading]) -> Vec<u8> {
    let objects: Vec<serde_json::Value> = readings
        .iter()
        .map(|reading| {
            let mut object = serde_json::json!({
                "well": reading.well.as_str(),
                "time": reading.time.to_rfc3339(0),
                "parameter": reading.parameter.name(),
                "value": reading.value,
            });
            if let Some(status) = reading.site_status.map(SiteStatus::name) {
                object["status"] = status.into();
            }
            if reading.revision != 0 {
                object["revision"] = reading.revision.into();
            }
            object
        })
        .collect();
    serde_json::Value::Array(objects).to_string().into_bytes()
}
