//! What the faults of a message leave behind.

use bytes::Bytes;
use gwbank_model::{GatewayId, Row, Seq};
use gwbank_store::{DeadLetterCause, DeadMessage, NewDeadLetter, RowNames};
use gwbank_wire::{Reason, write_json};
use hashbrown::HashMap;

use crate::applier::Effect;
use crate::fault::payload_subject;
use crate::resolve::reading;

/// The message with one letter for each (reason, subject) of its faults. What a replay could not store for another cause
/// than before stays a letter of the message that it came with.
pub(crate) fn dead_message(effect: &Effect, gateway_id: GatewayId, first: Seq) -> DeadMessage {
    let seq = effect.settled.first().map_or(first, |settled| settled.seq);
    let payload = effect.payload.as_deref().unwrap_or_default();
    let mut of_payload: Option<String> = None;
    let mut places: HashMap<DeadLetterCause, usize> = HashMap::new();
    let mut letters: Vec<NewDeadLetter> = Vec::new();
    for fault in &effect.faults {
        let subject = if fault.subject.is_empty() {
            of_payload.get_or_insert_with(|| payload_subject(payload)).clone()
        } else {
            fault.subject.clone()
        };
        let cause = DeadLetterCause { reason: fault.reason.name().to_owned(), subject };
        if let Some(place) = places.get(&cause) {
            letters[*place].readings += fault.readings;
            continue;
        }
        let detail = match fault.place.as_str() {
            "" => fault.detail.clone(),
            place => format!("{place}: {}", fault.detail),
        };
        places.insert(cause.clone(), letters.len());
        letters.push(NewDeadLetter { cause, detail, readings: fault.readings });
    }
    DeadMessage {
        seq,
        received_at: seq.received_at(),
        gateway_id,
        topic: effect.topic.clone(),
        // A copy, as the payload may be a small piece of a large network buffer, which would stay as long as the letters.
        payload: Bytes::copy_from_slice(payload),
        letters,
    }
}

/// The letter of a reading that was good when it came and that the archive refuses. Its message is gone by now: the reading
/// is written anew, as imports write theirs.
pub(crate) fn refused(row: &Row, why: &str, names: &RowNames) -> DeadMessage {
    let gateway_id = names.gateways.id(row.gateway);
    let reading = reading(row, names);
    let cause =
        DeadLetterCause { reason: Reason::RefusedByArchive.name().to_owned(), subject: reading.well.to_string() };
    DeadMessage {
        seq: row.seq,
        received_at: row.seq.received_at(),
        topic: format!("gwbank/v1/{gateway_id}/readings"),
        gateway_id,
        letters: vec![NewDeadLetter { cause, detail: why.to_owned(), readings: 1 }],
        payload: write_json(&[reading]).into(),
    }
}

/// About the memory that it takes.
pub(crate) fn memory_bytes(message: &DeadMessage) -> usize {
    let text = |letter: &NewDeadLetter| letter.cause.reason.len() + letter.cause.subject.len() + letter.detail.len();
    let letters: usize = message.letters.iter().map(|letter| size_of::<NewDeadLetter>() + text(letter)).sum();
    size_of::<DeadMessage>() + message.topic.len() + message.payload.len() + letters
}
