//! Taking dead letters back after their cause is mended.
//!
//! # Rules
//! 1. A dead letter is a share of a message: what else the message said was stored when it came or is another letter's. A
//!    replay takes at most as many readings as the letter still stands for, and none that is stored already.
//! 2. Every reading that it takes ends as stored, duplicate, pending, or dead for another cause, as a letter of the same
//!    message; so a replay changes what is counted under which outcome and never how much was received.
//! 3. One journal record both settles the readings and carries what became of them, so that no crash can do half of it.
//! 4. What still has its cause stays as it is and costs nothing.

use std::sync::Arc;

use futures::StreamExt;
use gwbank_model::{GatewayId, Key, Reading, Seq};
use gwbank_store::{DeadLetter, DeadLetterFilter, DeadLetterSummary, PayloadPage, SettledDeadLetter};
use gwbank_wire::{Context, Decoded, FieldRule, Format, Reason, Route, SourceKind, decode, route};
use hashbrown::HashSet;
use parking_lot::Mutex;

use crate::fault::payload_subject;
use crate::message::Receipt;
use crate::pipeline::Shared;
use crate::record::Content;
use crate::resolve::{rows, take_unregistered};
use crate::share::{Share, Understood};
use crate::{IngestError, Pipeline};

/// Letters on their way at once: as many as share one sync of the journal.
const IN_FLIGHT_MAX: usize = 256;

/// A message with so many letters is kept as it was understood while they are replayed one after the other.
const LETTERS_REMEMBERED_MIN: usize = 8;

/// Payloads in memory at once, but for one that is larger.
const PAGE_BYTES_MAX: usize = 32 << 20;

/// What a replay did, in readings but for the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterReport {
    /// Payloads looked at.
    pub messages: u64,
    /// Their cause is still there.
    pub left: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub pending: u64,
    /// Dead again, for another cause.
    pub dead: u64,
}

impl Pipeline {
    /// Decodes dead letters again with what is registered and configured now.
    pub async fn replay_dead_letters(&self, filter: DeadLetterFilter) -> Result<DeadLetterReport, IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        // The mark comes after whatever a replay that was broken off has left on its way, and then the metadata has it all.
        let until = shared.mark().await?;
        shared.flush().await?;
        let mut run =
            Run { until, touched: HashSet::new(), last: Mutex::default(), report: DeadLetterReport::default() };
        for entry in shared.metadata.dead_letters(filter).await? {
            shared.replay_entry(&entry, &mut run).await?;
        }
        shared.flush().await?;
        Ok(run.report)
    }
}

/// One replay.
struct Run {
    /// Letters of later messages are left for the next one.
    until: Seq,
    /// Messages of which something is settled that the metadata does not know of yet.
    touched: HashSet<Seq>,
    last: LastUnderstood,
    report: DeadLetterReport,
}

/// The last message of many letters, and whether its clock was forgiven.
type LastUnderstood = Mutex<Option<(Seq, bool, Arc<Understood>)>>;

/// What became of a letter.
struct Replayed {
    receipt: Receipt,
    /// Readings whose cause is still there.
    left: u64,
}

impl Shared {
    async fn replay_entry(&self, entry: &DeadLetterSummary, run: &mut Run) -> Result<(), IngestError> {
        let mut page = PayloadPage { after: Seq::ZERO, payloads_max: IN_FLIGHT_MAX, bytes_max: PAGE_BYTES_MAX };
        loop {
            let mut letters = self.metadata.dead_letter_payloads(entry.id, page).await?;
            // What other letters stand for matters where a letter may have any reading.
            let any_reading = entry.reason != Reason::UnknownWell.name();
            if any_reading && letters.iter().any(|letter| run.touched.contains(&letter.seq)) {
                self.flush().await?;
                run.touched.clear();
                letters = self.metadata.dead_letter_payloads(entry.id, page).await?;
            }
            letters.retain(|letter| letter.seq <= run.until);
            let Some(last) = letters.last() else { return Ok(()) };
            page.after = last.seq;
            let (report, last) = (&mut run.report, &run.last);
            report.messages += letters.len() as u64;
            let mut outcomes = futures::stream::iter(letters)
                .map(|letter| async move { (letter.seq, self.replay_letter(entry, letter, last).await) })
                .buffer_unordered(IN_FLIGHT_MAX);
            while let Some((seq, outcome)) = outcomes.next().await {
                let Replayed { receipt, left } = outcome?;
                if receipt.received > 0 {
                    run.touched.insert(seq);
                }
                report.stored += receipt.stored;
                report.duplicate += receipt.duplicate;
                report.pending += receipt.pending;
                report.dead += receipt.dead;
                report.left += left;
            }
        }
    }

    async fn replay_letter(
        &self,
        entry: &DeadLetterSummary,
        letter: DeadLetter,
        last: &LastUnderstood,
    ) -> Result<Replayed, IngestError> {
        if self.is_ignored_now(entry) {
            // The letter's field is none any more: it leaves without having been a reading.
            let settled = SettledDeadLetter { id: letter.id, seq: letter.seq, readings: letter.readings };
            let content = Content { settled: vec![settled], ..Content::default() };
            let receipt = self.submit(&letter.gateway_id, letter.topic.clone(), content, None).await?;
            return Ok(Replayed { receipt, left: 0 });
        }
        let stays = Replayed { receipt: Receipt::default(), left: letter.readings };
        let Some(understood) = self.understand_again(entry, &letter, last) else { return Ok(stays) };
        let share = Share::of(entry, &letter, &understood);
        let (mut readings, faults) = if share.is_of_one_well() {
            let of_well = understood.readings.iter().filter(|reading| reading.well.as_str() == entry.subject);
            (of_well.cloned().collect(), Vec::new())
        } else {
            (understood.readings.clone(), understood.faults.clone())
        };
        let unknown = take_unregistered(&mut readings, &self.registry());
        let mut again = share.told_apart(unknown, faults);
        readings.retain(|reading| share.may_have(reading));
        let mended = letter.readings.saturating_sub(again.same_cause);
        // What is not found any more is nobody's to call stored.
        let is_gone = share.is_of_wells() && (readings.len() as u64) < mended;
        if mended == 0 || is_gone {
            return Ok(stays);
        }
        if !share.is_alone() || !share.is_of_wells() {
            self.drop_known(&letter.gateway_id, &mut readings).await?;
        }
        let mut budget = share.budget(mended, &mut readings, &mut again);
        readings.truncate(usize::try_from(budget).unwrap_or(usize::MAX));
        budget -= readings.len() as u64;
        for fault in &mut again.other_causes {
            fault.readings = fault.readings.min(budget);
            budget -= fault.readings;
        }
        again.other_causes.retain(|fault| fault.readings > 0);
        let faults = again.other_causes;
        let taken = readings.len() as u64 + faults.iter().map(|fault| fault.readings).sum::<u64>();
        let payload = (!faults.is_empty()).then(|| letter.payload.clone());
        let content = Content {
            readings,
            faults,
            duplicates: mended.saturating_sub(taken),
            content_hash: None,
            settled: vec![SettledDeadLetter { id: letter.id, seq: letter.seq, readings: mended }],
        };
        let receipt = self.submit(&letter.gateway_id, letter.topic.clone(), content, payload).await?;
        Ok(Replayed { receipt, left: letter.readings - mended })
    }

    /// `None` where no decoder has a say.
    fn understand_again(
        &self,
        entry: &DeadLetterSummary,
        letter: &DeadLetter,
        last: &LastUnderstood,
    ) -> Option<Arc<Understood>> {
        let forgiven = is_clock(&entry.reason);
        let remembered = letter.beside.len() >= LETTERS_REMEMBERED_MIN;
        if let Some((seq, forgiven_then, understood)) = &*last.lock()
            && remembered
            && (*seq, *forgiven_then) == (letter.seq, forgiven)
        {
            return Some(understood.clone());
        }
        let Decoded { readings, faults, .. } = self.decode_again(entry, letter)?;
        let understood = Arc::new(Understood { readings, faults, payload_subject: payload_subject(&letter.payload) });
        if remembered {
            *last.lock() = Some((letter.seq, forgiven, understood.clone()));
        }
        Some(understood)
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
        let route = route(&letter.topic);
        let format = match &route {
            Route::Readings { .. } => Format::Json,
            Route::Senml { .. } => Format::of_senml(&letter.payload),
            Route::Foreign if entry.reason != Reason::UnknownTopic.name() => Format::Json, // imports
            _ => return None,
        };
        // The topic does not tell an import from a live message. Where no clock was at fault, both read the same.
        let clock_fault = is_clock(&entry.reason) || letter.beside.iter().any(|(cause, _)| is_clock(&cause.reason));
        let source =
            if clock_fault && !matches!(route, Route::Foreign) { SourceKind::Live } else { SourceKind::Import };
        // Relative times count from the first receipt.
        let mut context = self.config.decode.context(&letter.gateway_id, source, letter.received_at);
        if is_clock(&entry.reason) {
            // A time that was ahead of the clock then may be past by now.
            let waited = self.now().micros_since(letter.received_at).max(0);
            context =
                Context { future_tolerance_micros: context.future_tolerance_micros.saturating_add(waited), ..context };
        }
        Some(decode(format, &letter.payload, &context))
    }

    /// Drops readings that are stored already, as a winner or as a revision.
    async fn drop_known(&self, gateway: &GatewayId, readings: &mut Vec<Reading>) -> Result<(), IngestError> {
        if readings.is_empty() {
            return Ok(());
        }
        let index = self.names.gateways.intern(gateway);
        let candidates = rows(readings, &self.names, index).rows;
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

fn is_clock(reason: &str) -> bool {
    reason == Reason::Clock.name()
}
