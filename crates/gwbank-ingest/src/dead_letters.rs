//! Taking dead letters back after their cause is mended.
//!
//! # Rules
//! 1. A dead letter is a share of a message: what else the message said was stored when it came or is another letter's. A
//!    replay takes at most as many readings as the letter still stands for, and none that is stored already.
//! 2. Every reading that it takes ends as stored, duplicate, pending, or dead for another cause, as a letter of the same
//!    message; so a replay changes what is counted under which outcome and never how much was received.
//! 3. One journal record both settles the readings and carries what became of them, so that no crash can do half of it.
//! 4. A replay is no arrival: what a later message has said of a key stays, and a reading that came before it ends as dead
//!    letter `superseded`.
//! 5. What still has its cause stays as it is and costs nothing.

use std::sync::Arc;

use futures::StreamExt;
use gwbank_model::{GatewayId, GatewayIndex, Key, Origin, Reading, Row, Seq};
use gwbank_store::{DeadLetter, DeadLetterFilter, DeadLetterSummary, PayloadPage, SettledDeadLetter, StoredVersions};
use gwbank_wire::{Context, Decoded, FieldRule, Format, Reason, Route, SourceKind, decode, route};
use hashbrown::{HashMap, HashSet};

use crate::fault::payload_subject;
use crate::pipeline::Shared;
use crate::record::Content;
use crate::resolve::{rows, take_unregistered};
use crate::share::{Again, Candidate, Share, Understood};
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
        let Some(_permit) = shared.metadata.replay_permit().await? else { return Err(IngestError::ReplayedElsewhere) };
        // The mark comes after whatever a replay that was broken off has left on its way, and then the metadata has it all.
        let until = shared.mark().await?;
        shared.flush().await?;
        let mut run = Run {
            until,
            touched: HashSet::new(),
            last: None,
            arrivals: Arrivals { until, of_key: HashMap::new() },
            report: DeadLetterReport::default(),
        };
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
    arrivals: Arrivals,
    report: DeadLetterReport,
}

/// The last message of many letters, and whether its clock was forgiven.
type LastUnderstood = Option<(Seq, bool, Arc<Understood>)>;

/// A letter whose cause is gone, or part of it.
struct Mended {
    /// `None` where the letter is of no reading any more.
    understood: Option<Arc<Understood>>,
    readings: Vec<Reading>,
    again: Again,
}

/// When what this replay stored had come. A letter of one gateway may be older than that of another that was replayed before
/// it.
struct Arrivals {
    until: Seq,
    of_key: HashMap<Key, Seq>,
}

impl Arrivals {
    /// Beyond these, what a replay has stored counts as come when it was replayed.
    const KEYS_MAX: usize = 1 << 20;

    fn note(&mut self, key: Key, arrival: Seq) {
        if self.of_key.len() < Self::KEYS_MAX {
            let known = self.of_key.entry(key).or_insert(arrival);
            *known = arrival.max(*known);
        }
    }

    fn of(&self, version: &Row) -> Seq {
        let replayed = (version.seq > self.until).then(|| self.of_key.get(&version.key())).flatten();
        replayed.copied().unwrap_or(version.seq)
    }
}

/// What is stored of some keys.
#[derive(Default)]
struct Stored(HashMap<Key, Vec<Row>>);

enum Standing {
    New,
    /// Stored already, as a winner or as a revision.
    Known,
    /// A later message had its say on the key.
    Superseded,
}

impl Stored {
    fn standing(&self, row: &Row, arrival: Seq, arrivals: &Arrivals) -> Standing {
        let Some(versions) = self.0.get(&row.key()) else { return Standing::New };
        if versions.iter().any(|version| version.same_content(row)) {
            return Standing::Known;
        }
        // Another judgement of a value is no later message.
        let mut received = versions.iter().filter(|version| version.origin == Origin::Received);
        let is_superseded = received.any(|version| version.revision >= row.revision && arrivals.of(version) > arrival);
        if is_superseded { Standing::Superseded } else { Standing::New }
    }
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
            self.replay_page(entry, letters, run).await?;
        }
    }

    /// Letters in the order of their receipt; what they bring is applied in that order.
    async fn replay_page(
        &self,
        entry: &DeadLetterSummary,
        letters: Vec<DeadLetter>,
        run: &mut Run,
    ) -> Result<(), IngestError> {
        run.report.messages += letters.len() as u64;
        let mended: Vec<Option<Mended>> =
            letters.iter().map(|letter| self.mended(entry, letter, &mut run.last)).collect();
        let stored = self.stored_of(&entry.gateway_id, mended.iter().flatten()).await?;
        let mut submissions = Vec::with_capacity(letters.len());
        for (letter, mended) in letters.iter().zip(mended) {
            let content = mended.and_then(|mended| self.content_of(entry, letter, mended, &stored, &mut run.arrivals));
            let Some(content) = content else {
                run.report.left += letter.readings;
                continue;
            };
            submissions.push(async move {
                let left = letter.readings - content.settled.iter().map(|settled| settled.readings).sum::<u64>();
                let payload = (!content.faults.is_empty()).then(|| letter.payload.clone());
                let receipt = self.submit(&letter.gateway_id, letter.topic.clone(), content, payload).await?;
                Ok::<_, IngestError>((letter.seq, receipt, left))
            });
        }
        let mut outcomes = futures::stream::iter(submissions).buffered(IN_FLIGHT_MAX);
        while let Some(outcome) = outcomes.next().await {
            let (seq, receipt, left) = outcome?;
            if receipt.received > 0 {
                run.touched.insert(seq);
            }
            let report = &mut run.report;
            report.stored += receipt.stored;
            report.duplicate += receipt.duplicate;
            report.pending += receipt.pending;
            report.dead += receipt.dead;
            report.left += left;
        }
        Ok(())
    }

    /// What of a letter may have lost its cause; `None` where all of it stays.
    fn mended(&self, entry: &DeadLetterSummary, letter: &DeadLetter, last: &mut LastUnderstood) -> Option<Mended> {
        if self.is_ignored_now(entry) {
            return Some(Mended { understood: None, readings: Vec::new(), again: Again::default() });
        }
        let understood = self.understand_again(entry, letter, last)?;
        let share = Share::of(entry, letter, &understood);
        let (mut readings, faults) = if share.is_of_one_well() {
            let of_well = understood.readings.iter().filter(|reading| reading.well.as_str() == entry.subject);
            (of_well.cloned().collect(), Vec::new())
        } else {
            (understood.readings.clone(), understood.faults.clone())
        };
        let unknown = take_unregistered(&mut readings, &self.registry());
        let again = share.told_apart(unknown, faults);
        readings.retain(|reading| share.may_have(reading));
        let mended = letter.readings.saturating_sub(again.same_cause);
        // What is not found any more is nobody's to call stored.
        let is_gone = share.is_of_wells() && (readings.len() as u64) < mended;
        let is_mended = mended > 0 && !is_gone;
        drop(share);
        is_mended.then_some(Mended { understood: Some(understood), readings, again })
    }

    /// What a replay says of a letter; `None` where all of it stays.
    fn content_of(
        &self,
        entry: &DeadLetterSummary,
        letter: &DeadLetter,
        mended: Mended,
        stored: &Stored,
        arrivals: &mut Arrivals,
    ) -> Option<Content> {
        let settles = |readings| vec![SettledDeadLetter { id: letter.id, seq: letter.seq, readings }];
        let Mended { understood, readings, mut again } = mended;
        let Some(understood) = understood else {
            // The letter's field is none any more: it leaves without having been a reading.
            return Some(Content { settled: settles(letter.readings), ..Content::default() });
        };
        let share = Share::of(entry, letter, &understood);
        let candidates = rows(&readings, &self.names, self.names.gateways.intern(&letter.gateway_id)).rows;
        let (mut superseded, mut new): (Vec<Candidate>, Vec<Candidate>) = readings
            .into_iter()
            .zip(&candidates)
            .filter_map(|(reading, row)| match stored.standing(row, letter.seq, arrivals) {
                Standing::Known => None,
                Standing::New => Some(Candidate { reading, is_superseded: false }),
                Standing::Superseded => Some(Candidate { reading, is_superseded: true }),
            })
            .partition(|candidate| candidate.is_superseded);
        if share.is_of(Reason::Superseded) {
            again.same_cause = superseded.len() as u64;
            superseded.clear();
        }
        let mended = letter.readings.saturating_sub(again.same_cause);
        if mended == 0 {
            return None;
        }
        // Superseded ones first, so that those are left to a letter of their own that the message has already.
        superseded.append(&mut new);
        let mut found = superseded;
        let mut budget = share.budget(mended, &mut found, &mut again);
        found.truncate(usize::try_from(budget).unwrap_or(usize::MAX));
        budget -= found.len() as u64;
        for fault in &mut again.other_causes {
            fault.readings = fault.readings.min(budget);
            budget -= fault.readings;
        }
        again.other_causes.retain(|fault| fault.readings > 0);
        let (superseded, new): (Vec<_>, Vec<_>) = found.into_iter().partition(|candidate| candidate.is_superseded);
        for Candidate { reading, .. } in superseded {
            again.add_superseded(&reading.well);
        }
        let readings: Vec<Reading> = new.into_iter().map(|candidate| candidate.reading).collect();
        for row in &rows(&readings, &self.names, GatewayIndex(0)).rows {
            arrivals.note(row.key(), letter.seq);
        }
        let taken = readings.len() as u64 + again.other_causes.iter().map(|fault| fault.readings).sum::<u64>();
        Some(Content {
            readings,
            faults: again.other_causes,
            duplicates: mended.saturating_sub(taken),
            content_hash: None,
            settled: settles(mended),
        })
    }

    /// What is stored of the keys of readings.
    async fn stored_of(
        &self,
        gateway: &GatewayId,
        mended: impl Iterator<Item = &Mended>,
    ) -> Result<Stored, IngestError> {
        let index = self.names.gateways.intern(gateway);
        let mut keys: Vec<Key> =
            mended.flat_map(|mended| rows(&mended.readings, &self.names, index).rows).map(|row| row.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(Stored::default());
        }
        // Window first: what it lets go of meanwhile is in the archive.
        let window = self.window.snapshot();
        let archived = self.archive.snapshot().await?.versions(&keys).await?;
        let of_key = |(&key, archived): (&Key, Option<StoredVersions>)| {
            let mut versions = window.versions(key);
            versions.extend(archived.iter().flat_map(StoredVersions::iter));
            (!versions.is_empty()).then_some((key, versions))
        };
        Ok(Stored(keys.iter().zip(archived).filter_map(of_key).collect()))
    }

    /// `None` where no decoder has a say.
    fn understand_again(
        &self,
        entry: &DeadLetterSummary,
        letter: &DeadLetter,
        last: &mut LastUnderstood,
    ) -> Option<Arc<Understood>> {
        let forgiven = is_clock(&entry.reason);
        let remembered = letter.beside.len() >= LETTERS_REMEMBERED_MIN;
        if let Some((seq, forgiven_then, understood)) = &*last
            && remembered
            && (*seq, *forgiven_then) == (letter.seq, forgiven)
        {
            return Some(understood.clone());
        }
        let Decoded { readings, faults, .. } = self.decode_again(entry, letter)?;
        let understood = Arc::new(Understood { readings, faults, payload_subject: payload_subject(&letter.payload) });
        if remembered {
            *last = Some((letter.seq, forgiven, understood.clone()));
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
}

fn is_clock(reason: &str) -> bool {
    reason == Reason::Clock.name()
}
