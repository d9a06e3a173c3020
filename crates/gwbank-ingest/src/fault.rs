//! Faults that only the pipeline can find.

use gwbank_model::{Reading, WellId};
use gwbank_wire::{Fault, Reason};

use crate::repeats::content_hash;

/// Most unregistered wells of a message that get a dead letter each; the rest gets one together, so that a message cannot
/// make journal and metadata write much more than it brought.
pub(crate) const UNKNOWN_WELLS_LISTED_MAX: usize = 256;

/// The faults of unregistered wells: (well, readings).
pub(crate) fn unknown_wells(unknown: Vec<(WellId, u64)>) -> impl Iterator<Item = Fault> {
    let further = unknown.get(UNKNOWN_WELLS_LISTED_MAX..).unwrap_or_default();
    let further = (!further.is_empty()).then(|| Fault {
        reason: Reason::UnknownWell,
        place: String::new(),
        detail: format!(
            "{} further wells are not registered, beside the first {UNKNOWN_WELLS_LISTED_MAX} of the message that are \
             listed: register them, then replay the dead letters",
            further.len()
        ),
        subject: String::new(),
        readings: further.iter().map(|(_, readings)| readings).sum(),
    });
    unknown
        .into_iter()
        .take(UNKNOWN_WELLS_LISTED_MAX)
        .map(|(well, readings)| unknown_well(&well, readings))
        .chain(further)
}

fn unknown_well(well: &WellId, readings: u64) -> Fault {
    Fault {
        reason: Reason::UnknownWell,
        place: String::new(),
        detail: format!("well {well:?} is not registered: register it, then replay the dead letters"),
        subject: well.to_string(),
        readings,
    }
}

/// The fault of a value that is no finite number, as the decoders tell it.
pub(crate) fn impossible_value(reading: &Reading) -> Fault {
    let Reading { well, parameter, value, .. } = reading;
    let told = value.map_or_else(String::new, |value| value.to_string());
    Fault {
        reason: Reason::BadValue,
        place: String::new(),
        detail: format!("the value {told} of well {well:?} is not finite: send a number, or none"),
        subject: format!("{well}/{parameter}"),
        readings: 1,
    }
}

/// The fault of readings that came before what is stored of their keys.
pub(crate) fn superseded(well: &WellId, readings: u64) -> Fault {
    Fault {
        reason: Reason::Superseded,
        place: String::new(),
        detail: format!(
            "later messages have given the keys of well {well:?} other values, which stay: send a higher revision to \
             return to an earlier one"
        ),
        subject: well.to_string(),
        readings,
    }
}

/// Subject of what is counted under the payload as a whole. The white space keeps it from being the id of a well.
pub(crate) fn payload_subject(payload: &[u8]) -> String {
    format!("payload {:016x}", content_hash(payload))
}

/// A message that is not decoded at all counts as one reading.
pub(crate) fn undecoded(reason: Reason, topic: &str, detail: String) -> Fault {
    Fault { reason, place: String::new(), detail, subject: topic.to_owned(), readings: 1 }
}
