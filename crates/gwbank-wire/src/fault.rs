//! What a decoder gives back.

use gwbank_model::{IdError, Reading, TimeSource, WellId};

use crate::limits::{EXCERPT_CHARS_MAX, FAULTS_MAX, WELLS_REMEMBERED_MAX, WELLS_SEARCHED_MAX};
use crate::time::TimeFault;
use crate::{Context, Reason};

/// The readings of a message and what was wrong beside them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    pub readings: Vec<Reading>,
    pub faults: Vec<Fault>,
    /// At most one per kind of correction.
    pub corrections: Vec<Correction>,
    /// Of the newest time that the device's clock gave and that was a `clock` fault: how far it is ahead of arrival
    /// (negative: behind), so that a constant offset over several messages can be offered as a correction.
    pub clock_ahead_micros: Option<i64>,
    /// Fields that a device profile says to ignore: neither readings nor faults.
    pub ignored: u64,
}

impl Decoded {
    /// How many readings arrived with the message: those understood and those that the faults stand for.
    pub fn received(&self) -> u64 {
        self.readings.len() as u64 + self.faults.iter().map(|fault| fault.readings).sum::<u64>()
    }
}

/// What could not be stored, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub reason: Reason,
    /// Where in the payload, such as `readings[3].time`; empty for the message as a whole.
    pub place: String,
    /// What is wrong, and the mend.
    pub detail: String,
    /// What repeats of the same fault are counted under: `well/field` where a field is to blame, the well where the
    /// record is, empty where nothing better is known than the payload.
    pub subject: String,
    /// How many readings it stands for, at least 1.
    pub readings: u64,
}

/// Something that was read differently from how it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    pub kind: TimeSource,
    /// The first place.
    pub place: String,
    pub detail: String,
    pub readings: u64,
}

/// The text of a fault, made only when the fault is listed.
pub(crate) struct FaultText {
    pub place: String,
    pub detail: String,
    pub subject: String,
}

/// Collects what one message gives.
pub(crate) struct Sink<'c> {
    pub context: &'c Context<'c>,
    pub out: Decoded,
    wells: Vec<WellId>,
    last_well: usize,
}

impl<'c> Sink<'c> {
    pub fn new(context: &'c Context<'c>) -> Self {
        Sink { context, out: Decoded::default(), wells: Vec::new(), last_well: 0 }
    }

    /// The id, without allocating it again where the message named it before.
    pub fn well(&mut self, text: &str) -> Result<WellId, IdError> {
        let is_it = |well: &WellId| well.as_str() == text;
        if let Some(well) = self.wells.get(self.last_well).filter(|well| is_it(well)) {
            return Ok(well.clone());
        }
        // Wells come one after the other, or take turns in a fixed order. A message of very many in no order gets some of its
        // ids twice, which costs less than to search them all for each.
        let next = if self.last_well + 1 < self.wells.len() { self.last_well + 1 } else { 0 };
        let latest = self.wells.len().saturating_sub(WELLS_SEARCHED_MAX)..self.wells.len();
        if let Some(index) = std::iter::once(next).chain(latest).find(|&at| self.wells.get(at).is_some_and(is_it)) {
            self.last_well = index;
            return Ok(self.wells[index].clone());
        }
        let well = WellId::new(text)?;
        if self.wells.len() == WELLS_REMEMBERED_MAX {
            self.wells.clear();
        }
        self.last_well = self.wells.len();
        self.wells.push(well.clone());
        Ok(well)
    }

    pub fn fault(&mut self, reason: Reason, readings: u64, text: impl FnOnce() -> FaultText) {
        let readings = readings.max(1);
        if self.out.faults.len() < FAULTS_MAX {
            let FaultText { place, detail, subject } = text();
            self.out.faults.push(Fault { reason, place, detail, subject, readings });
            return;
        }
        let further = self.out.faults[FAULTS_MAX..].iter_mut().find(|fault| fault.reason == reason);
        match further {
            Some(fault) => fault.readings += readings,
            None => self.out.faults.push(Fault {
                reason,
                place: String::new(),
                detail: format!(
                    "further faults of this kind; only the first {FAULTS_MAX} faults of a message are listed"
                ),
                subject: String::new(),
                readings,
            }),
        }
    }

    pub fn note_clock(&mut self, fault: &TimeFault) {
        self.out.clock_ahead_micros = self.out.clock_ahead_micros.max(fault.ahead_micros);
    }

    /// Notes that `readings` readings got their time by a correction.
    pub fn corrected(&mut self, kind: TimeSource, readings: u64, text: impl FnOnce() -> (String, String)) {
        match self.out.corrections.iter_mut().find(|correction| correction.kind == kind) {
            Some(correction) => correction.readings += readings,
            None => {
                let (place, detail) = text();
                self.out.corrections.push(Correction { kind, place, detail, readings });
            }
        }
    }
}

/// A sender's text as a fault may repeat it: quoted, escaped, cut.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        None => format!("{text:?}"),
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
    }
}

/// A sender's text as part of a subject: cut, without quotes.
pub(crate) fn short(text: &str) -> &str {
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        None => text,
        Some((cut, _)) => &text[..cut],
    }
}
