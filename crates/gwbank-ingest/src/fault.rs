//! Faults that only the pipeline can find.

use gwbank_wire::{Fault, Reason};

/// One fault per unregistered well of a message.
pub(crate) fn unknown_well(well: &str, readings: u64) -> Fault {
    Fault {
        reason: Reason::UnknownWell,
        place: String::new(),
        detail: format!("well {well:?} is not registered: register it, then replay the dead letters"),
        subject: well.to_owned(),
        readings,
    }
}

/// A message that is not decoded at all counts as one reading.
pub(crate) fn undecoded(reason: Reason, topic: &str, detail: String) -> Fault {
    Fault { reason, place: String::new(), detail, subject: topic.to_owned(), readings: 1 }
}
