//! What the faults of a message leave behind.

use std::collections::BTreeMap;

use bytes::Bytes;
use gwbank_model::{GatewayId, Reading, Row, Seq};
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

/// The letters of readings that were good when they came and that the archive refuses, a message for each that they came
/// with, as rows of one message share its seq. The messages are gone by now: the readings are written anew, as imports write
/// theirs. Rows with why they are refused.
pub(crate) fn refused(rows: &[(Row, &str)], names: &RowNames) -> Vec<DeadMessage> {
    let mut of_message: BTreeMap<(Seq, u32), Vec<(&Row, &str)>> = BTreeMap::new();
    for (row, why) in rows {
        of_message.entry((row.seq, row.gateway.0)).or_default().push((row, why));
    }
    of_message.into_values().map(|rows| refused_message(&rows, names)).collect()
}

fn refused_message(rows: &[(&Row, &str)], names: &RowNames) -> DeadMessage {
    let (seq, gateway_id) = (rows[0].0.seq, names.gateways.id(rows[0].0.gateway));
    let readings: Vec<Reading> = rows.iter().map(|(row, _)| reading(row, names)).collect();
    let mut letters: Vec<NewDeadLetter> = Vec::new();
    for (reading, (_, why)) in readings.iter().zip(rows) {
        let subject = reading.well.to_string();
        match letters.iter_mut().find(|letter| letter.cause.subject == subject) {
            Some(letter) => letter.readings += 1,
            None => letters.push(NewDeadLetter {
                cause: DeadLetterCause { reason: Reason::RefusedByArchive.name().to_owned(), subject },
                detail: (*why).to_owned(),
                readings: 1,
            }),
        }
    }
    DeadMessage {
        seq,
        received_at: seq.received_at(),
        topic: format!("gwbank/v1/{gateway_id}/readings"),
        gateway_id,
        letters,
        payload: write_json(&readings).into(),
    }
}

/// About the memory that it takes.
pub(crate) fn memory_bytes(message: &DeadMessage) -> usize {
    let text = |letter: &NewDeadLetter| letter.cause.reason.len() + letter.cause.subject.len() + letter.detail.len();
    let letters: usize = message.letters.iter().map(|letter| size_of::<NewDeadLetter>() + text(letter)).sum();
    size_of::<DeadMessage>() + message.topic.len() + message.payload.len() + letters
}
