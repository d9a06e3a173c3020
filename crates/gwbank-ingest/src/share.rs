//! What a dead letter has of its message, when the message is read again.
//!
//! # Rules
//! 1. A letter of an unregistered well, of readings that the archive refused, or of superseded ones has readings of that
//!    well; the letter of the further wells has those of wells without a letter of their own. Any other letter may have any reading, but leaves to those what is theirs.
//! 2. A cause that another letter of the message has is this letter's only beyond what the other stands for.

use gwbank_model::{Reading, WellId};
use gwbank_store::{DeadLetter, DeadLetterCause, DeadLetterSummary};
use gwbank_wire::{Fault, Reason};
use hashbrown::HashMap;

use crate::fault::{superseded, unknown_wells};

/// A message as it is read now, whatever is registered.
pub(crate) struct Understood {
    pub(crate) readings: Vec<Reading>,
    pub(crate) faults: Vec<Fault>,
    /// Of letters that are counted under the payload as a whole.
    pub(crate) payload_subject: String,
}

/// What a letter has of its message.
pub(crate) struct Share<'a> {
    cause: DeadLetterCause,
    payload_subject: &'a str,
    /// The message's other letters, with what is still dead of them.
    beside: HashMap<&'a DeadLetterCause, u64>,
}

/// A reading that may be the letter's.
pub(crate) struct Candidate {
    pub(crate) reading: Reading,
    /// A later message has had its say on the key.
    pub(crate) is_superseded: bool,
}

/// Faults that the message has still, one for each cause.
#[derive(Default)]
pub(crate) struct Again {
    /// Readings that the letter's own cause keeps dead.
    pub(crate) same_cause: u64,
    pub(crate) other_causes: Vec<Fault>,
}

/// Causes that leave a reading good: a letter of these names its well, and stands for none of another one.
const OF_WELLS: [Reason; 3] = [Reason::UnknownWell, Reason::RefusedByArchive, Reason::Superseded];

impl Again {
    pub(crate) fn add_superseded(&mut self, well: &WellId) {
        let mut others = self.other_causes.iter_mut();
        match others.find(|other| other.reason == Reason::Superseded && other.subject == well.as_str()) {
            Some(other) => other.readings += 1,
            None => self.other_causes.push(superseded(well, 1)),
        }
    }
}

fn cause_of(reason: Reason, subject: &str) -> DeadLetterCause {
    DeadLetterCause { reason: reason.name().to_owned(), subject: subject.to_owned() }
}

fn is_of_wells(cause: &DeadLetterCause) -> bool {
    OF_WELLS.iter().any(|reason| cause.reason == reason.name())
}

impl<'a> Share<'a> {
    pub(crate) fn of(entry: &DeadLetterSummary, letter: &'a DeadLetter, understood: &'a Understood) -> Self {
        Self {
            cause: DeadLetterCause { reason: entry.reason.clone(), subject: entry.subject.clone() },
            payload_subject: &understood.payload_subject,
            beside: letter.beside.iter().map(|(cause, readings)| (cause, *readings)).collect(),
        }
    }

    pub(crate) fn is_of(&self, reason: Reason) -> bool {
        self.cause.reason == reason.name()
    }

    /// Stands for readings that were good but for their well.
    pub(crate) fn is_of_wells(&self) -> bool {
        is_of_wells(&self.cause)
    }

    /// Stands for the unregistered wells that have no letter of their own.
    fn is_of_further_wells(&self) -> bool {
        self.is_of_wells() && self.cause.subject == self.payload_subject
    }

    pub(crate) fn is_of_one_well(&self) -> bool {
        self.is_of_wells() && !self.is_of_further_wells()
    }

    fn has_own_letter(&self, well: &WellId) -> bool {
        let cause = cause_of(Reason::UnknownWell, well.as_str());
        cause == self.cause || self.beside.contains_key(&cause)
    }

    /// Whether it may stand for a reading of a registered well, beside those of one well.
    pub(crate) fn may_have(&self, reading: &Reading) -> bool {
        !self.is_of_further_wells() || !self.has_own_letter(&reading.well)
    }

    pub(crate) fn told_apart(&self, unknown: Vec<(WellId, u64)>, faults: Vec<Fault>) -> Again {
        let further_beside = self.beside.contains_key(&cause_of(Reason::UnknownWell, self.payload_subject));
        let gathers = self.is_of_further_wells() || further_beside;
        let (listed, further): (Vec<_>, Vec<_>) =
            unknown.into_iter().partition(|(well, _)| !gathers || self.has_own_letter(well));
        let mut again = Again { same_cause: 0, other_causes: Vec::new() };
        let mut places: HashMap<DeadLetterCause, usize> = HashMap::new();
        let further: Vec<Fault> =
            unknown_wells(further).map(|fault| Fault { subject: self.payload_subject.to_owned(), ..fault }).collect();
        for mut fault in faults.into_iter().chain(unknown_wells(listed)).chain(further) {
            if fault.subject.is_empty() {
                fault.subject = self.payload_subject.to_owned();
            }
            let cause = cause_of(fault.reason, &fault.subject);
            if cause == self.cause {
                again.same_cause += fault.readings;
            } else if let Some(place) = places.get(&cause) {
                again.other_causes[*place].readings += fault.readings;
            } else {
                places.insert(cause, again.other_causes.len());
                again.other_causes.push(fault);
            }
        }
        if self.is_of_wells() {
            again.other_causes.clear(); // its readings were good: what is at fault is another letter's
        }
        again
    }

    /// Leaves to the message's other letters what is theirs and says how many of the rest may be its own. The count of a
    /// letter is a guess where its message could not be read in full: what no other letter stands for is its own too, so
    /// that nothing is left behind.
    pub(crate) fn budget(&self, mended: u64, found: &mut Vec<Candidate>, again: &mut Again) -> u64 {
        let mut theirs = self.beside.clone();
        let mut leave = |cause: &DeadLetterCause, found: u64| {
            let Some(dead) = theirs.get_mut(cause) else { return 0 };
            let left = found.min(*dead);
            *dead -= left;
            left
        };
        for fault in &mut again.other_causes {
            fault.readings -= leave(&cause_of(fault.reason, &fault.subject), fault.readings);
        }
        if !self.beside.is_empty() {
            let further = cause_of(Reason::UnknownWell, self.payload_subject);
            found.retain(|Candidate { reading, .. }| {
                let of_well = OF_WELLS.map(|reason| cause_of(reason, reading.well.as_str()));
                let is_listed =
                    of_well.contains(&self.cause) || of_well.iter().any(|cause| self.beside.contains_key(cause));
                let causes = if is_listed { &of_well[..] } else { std::slice::from_ref(&further) };
                !causes.iter().any(|cause| *cause != self.cause && leave(cause, 1) > 0)
            });
        }
        let theirs: u64 = theirs.iter().filter(|(cause, _)| !is_of_wells(cause)).map(|(_, dead)| dead).sum();
        let found = found.len() as u64 + again.other_causes.iter().map(|fault| fault.readings).sum::<u64>();
        mended.max(found.saturating_sub(theirs))
    }
}
