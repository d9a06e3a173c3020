//! The metadata as ordered maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use gwbank_model::condition::FlagState;
use gwbank_model::{GatewayId, Month, Parameter, Seq, Timestamp, WellId};
use gwbank_registry::office::Offices;
use gwbank_registry::{Installation, Well};
use parking_lot::RwLock;

use super::dead_letters::DeadLetters;
use super::outbox::Outbox;
use crate::{
    ConditionFlag, ConversionCommit, ConvertedWell, DeadLetter, DeadLetterFilter, DeadLetterId, DeadLetterSummary,
    DeadLetterUsage, Delivery, DeliveryAttempt, DirtyMonth, Drill, FlagNote, FlagTransition, GatewayRecord, Hold,
    IndicatorKey, IndicatorRevision, IndicatorRow, IngestCommit, Invite, JudgedSeries, KnownOffices, LookAgain,
    Metadata, MetadataError, NumberedTransition, OutboxCount, OutboxLease, OwedMessage, PayloadPage, QualityFinding,
    QualityLimit, QualityLimitKey, QualityLimitsChange, ReceivedContent, Review, ReviewId, SecondLook,
    SecondLookCommit, Settlement, WatchCommit,
};

type Marks = BTreeMap<(WellId, Parameter, Month), Seq>;
type InstallationKey = (WellId, Option<String>, Option<Parameter>, Timestamp);

#[derive(Debug, Default)]
struct State {
    position: Seq,
    gateways: BTreeMap<GatewayId, GatewayRecord>,
    /// Every version, the latest last.
    wells: BTreeMap<WellId, Vec<(Seq, Well)>>,
    installations: BTreeMap<InstallationKey, Vec<(Seq, Installation)>>,
    dead_letters: DeadLetters,
    contents: BTreeMap<(GatewayId, u64), Seq>,
    dirty: Marks,
    unconverted: Marks,
    converted: BTreeMap<WellId, u64>,
    /// By the names of their keys.
    limits: BTreeMap<(String, &'static str, String), QualityLimit>,
    judged: BTreeMap<(WellId, Parameter), JudgedSeries>,
    findings: BTreeMap<(WellId, &'static str), Vec<QualityFinding>>,
    looks: BTreeMap<WellId, SecondLook>,
    reviews: BTreeMap<ReviewId, Review>,
    indicators: BTreeMap<IndicatorKey, IndicatorRow>,
    indicator_revisions: Vec<IndicatorRevision>,
    history_since: Option<Timestamp>,
    /// Every version, the latest last.
    flags: BTreeMap<String, Vec<(Timestamp, ConditionFlag)>>,
    transitions: Vec<FlagTransition>,
    notes: Vec<FlagNote>,
    holds: BTreeMap<String, Hold>,
    drills: BTreeMap<String, Drill>,
    outbox: Outbox,
    offices: Vec<(Timestamp, Offices)>,
    invites: BTreeMap<String, Invite>,
}

/// A [`Metadata`] in memory. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct MemoryMetadata(Arc<RwLock<State>>);

impl MemoryMetadata {
    pub fn new() -> Self {
        Self::default()
    }
}

fn mark(marks: &mut Marks, month: DirtyMonth) {
    let mark = marks.entry((month.well_id, month.parameter, month.month)).or_insert(month.seq);
    *mark = (*mark).max(month.seq);
}

/// Takes a mark away that is not newer than what was done.
fn unmark(marks: &mut Marks, done: DirtyMonth) {
    let key = (done.well_id, done.parameter, done.month);
    if marks.get(&key).is_some_and(|&mark| mark <= done.seq) {
        marks.remove(&key);
    }
}

fn oldest_marks(marks: &Marks, limit: usize) -> Vec<DirtyMonth> {
    let months = marks.iter().map(|((well, parameter, month), &seq)| DirtyMonth {
        well_id: well.clone(),
        parameter: *parameter,
        month: *month,
        seq,
    });
    let mut months: Vec<DirtyMonth> = months.collect();
    months.sort_by_key(|month| month.seq);
    months.truncate(limit);
    months
}

/// Adds a version, unless it says what the latest one says. Two versions of one instant are one.
fn put_version<K: Ord, T: PartialEq>(versions: &mut BTreeMap<K, Vec<(Seq, T)>>, key: K, at: Seq, new: T) {
    let known = versions.entry(key).or_default();
    if known.last().is_some_and(|(_, latest)| *latest == new) {
        return;
    }
    known.retain(|(from, _)| *from != at);
    known.push((at, new));
}

/// The latest versions of all, or the latest ones from before a position.
fn versions_before<K, T: Clone>(versions: &BTreeMap<K, Vec<(Seq, T)>>, before: Option<Seq>) -> Vec<T> {
    let is_known = |from: Seq| before.is_none_or(|before| from < before);
    let latest =
        |known: &Vec<(Seq, T)>| known.iter().rev().find(|(from, _)| is_known(*from)).map(|(_, row)| row.clone());
    versions.values().filter_map(latest).collect()
}

/// In the order in which limits are listed.
fn limit_order(key: &QualityLimitKey) -> (String, &'static str, String) {
    let well = key.well_id.as_ref().map(ToString::to_string).unwrap_or_default();
    (well, key.parameter.map(Parameter::name).unwrap_or_default(), key.limit.clone())
}

impl State {
    fn put_review(&mut self, review: Review, dirty: Vec<DirtyMonth>) {
        self.reviews.insert(review.id, review);
        self.mark(dirty);
    }

    fn mark(&mut self, dirty: Vec<DirtyMonth>) {
        for month in dirty {
            if month.parameter.makes_levels() {
                mark(&mut self.unconverted, month.clone());
            }
            mark(&mut self.dirty, month);
        }
    }

    fn add_gateway(&mut self, change: GatewayRecord) {
        let Some(known) = self.gateways.get_mut(&change.gateway_id) else {
            self.gateways.insert(change.gateway_id.clone(), change);
            return;
        };
        let counts = &mut known.counts;
        counts.received = counts.received.wrapping_add(change.counts.received);
        counts.stored = counts.stored.wrapping_add(change.counts.stored);
        counts.duplicate = counts.duplicate.wrapping_add(change.counts.duplicate);
        counts.dead = counts.dead.wrapping_add(change.counts.dead);
        known.last_seen = known.last_seen.max(change.last_seen);
        known.clock_offset_s = change.clock_offset_s.or(known.clock_offset_s);
        known.clock_zone = change.clock_zone.or(known.clock_zone.take());
        known.last_error = change.last_error.or(known.last_error.take());
    }
}

#[async_trait]
impl Metadata for MemoryMetadata {
    async fn position(&self) -> Result<Seq, MetadataError> {
        Ok(self.0.read().position)
    }

    async fn commit_ingest(&self, commit: IngestCommit) -> Result<(), MetadataError> {
        let IngestCommit {
            through,
            gateways,
            dead_messages,
            dirty_months,
            settled_dead_letters,
            received_contents,
            contents_forgotten_before,
            judged_series,
        } = commit;
        let mut state = self.0.write();
        if through.is_some_and(|through| through <= state.position) {
            return Ok(());
        }
        gateways.into_iter().for_each(|change| state.add_gateway(change));
        dead_messages.into_iter().for_each(|message| state.dead_letters.add(message));
        for settled in settled_dead_letters {
            if let Some(gateway_id) = state.dead_letters.settle(settled)
                && let Some(known) = state.gateways.get_mut(&gateway_id)
            {
                known.last_error = None;
            }
        }
        let contents = received_contents.into_iter().map(|new| ((new.gateway_id, new.content_hash), new.seq));
        state.contents.extend(contents);
        if let Some(before) = contents_forgotten_before {
            state.contents.retain(|_, seq| seq.received_at() >= before);
        }
        state.mark(dirty_months);
        let judged = judged_series.into_iter().map(|series| ((series.well_id.clone(), series.parameter), series));
        state.judged.extend(judged);
        state.position = through.unwrap_or(state.position);
        Ok(())
    }

    async fn gateways(&self) -> Result<Vec<GatewayRecord>, MetadataError> {
        Ok(self.0.read().gateways.values().cloned().collect())
    }

    async fn put_wells(&self, wells: Vec<Well>, at: Seq) -> Result<(), MetadataError> {
        let mut state = self.0.write();
        wells.into_iter().for_each(|well| put_version(&mut state.wells, well.well_id.clone(), at, well));
        Ok(())
    }

    async fn wells(&self) -> Result<Vec<Well>, MetadataError> {
        Ok(versions_before(&self.0.read().wells, None))
    }

    async fn wells_before(&self, before: Seq) -> Result<Vec<Well>, MetadataError> {
        Ok(versions_before(&self.0.read().wells, Some(before)))
    }

    async fn put_installations(&self, installations: Vec<Installation>, at: Seq) -> Result<(), MetadataError> {
        let mut state = self.0.write();
        for row in installations {
            let key = (row.well_id.clone(), row.device_id.clone(), row.parameter, row.valid_from);
            put_version(&mut state.installations, key, at, row);
        }
        Ok(())
    }

    async fn installations(&self) -> Result<Vec<Installation>, MetadataError> {
        Ok(versions_before(&self.0.read().installations, None))
    }

    async fn installations_before(&self, before: Seq) -> Result<Vec<Installation>, MetadataError> {
        Ok(versions_before(&self.0.read().installations, Some(before)))
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<Vec<DeadLetterSummary>, MetadataError> {
        Ok(self.0.read().dead_letters.list(&filter))
    }

    async fn dead_letter_payloads(
        &self,
        id: DeadLetterId,
        page: PayloadPage,
    ) -> Result<Vec<DeadLetter>, MetadataError> {
        Ok(self.0.read().dead_letters.payloads(id, page))
    }

    async fn dead_letter_usage(&self) -> Result<DeadLetterUsage, MetadataError> {
        Ok(self.0.read().dead_letters.usage())
    }

    async fn received_contents(&self) -> Result<Vec<ReceivedContent>, MetadataError> {
        let state = self.0.read();
        let mut contents: Vec<ReceivedContent> = state
            .contents
            .iter()
            .map(|((gateway_id, content_hash), &seq)| ReceivedContent {
                gateway_id: gateway_id.clone(),
                content_hash: *content_hash,
                seq,
            })
            .collect();
        contents.sort_by_key(|content| content.seq);
        Ok(contents)
    }

    async fn quality_limits(&self) -> Result<Vec<QualityLimit>, MetadataError> {
        Ok(self.0.read().limits.values().cloned().collect())
    }

    async fn change_quality_limits(&self, change: QualityLimitsChange) -> Result<(), MetadataError> {
        let QualityLimitsChange { removed, put } = change;
        let mut state = self.0.write();
        for key in removed {
            state.limits.remove(&limit_order(&key));
        }
        for limit in put {
            let known = state.limits.entry(limit_order(&limit.key)).or_insert_with(|| limit.clone());
            if known.value != limit.value {
                *known = limit;
            }
        }
        Ok(())
    }

    async fn judged_series(&self) -> Result<Vec<JudgedSeries>, MetadataError> {
        Ok(self.0.read().judged.values().cloned().collect())
    }

    async fn quality_findings(&self) -> Result<Vec<QualityFinding>, MetadataError> {
        Ok(self.0.read().findings.values().flatten().cloned().collect())
    }

    async fn second_looks(&self) -> Result<Vec<SecondLook>, MetadataError> {
        Ok(self.0.read().looks.values().cloned().collect())
    }

    async fn commit_second_look(&self, commit: SecondLookCommit) -> Result<(), MetadataError> {
        let mut state = self.0.write();
        for mut series in commit.series {
            series.findings.sort_by_key(|finding| (finding.test.name(), finding.from));
            state.findings.insert((series.well_id, series.parameter.name()), series.findings);
        }
        state.looks.extend(commit.looks.into_iter().map(|look| (look.well_id.clone(), look)));
        Ok(())
    }

    async fn reviews(&self) -> Result<Vec<Review>, MetadataError> {
        Ok(self.0.read().reviews.values().cloned().collect())
    }

    async fn add_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Result<ReviewId, MetadataError> {
        let mut state = self.0.write();
        let id = ReviewId(state.reviews.last_key_value().map_or(1, |(last, _)| last.0 + 1));
        state.put_review(Review { id, ..review }, dirty);
        Ok(id)
    }

    async fn put_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Result<(), MetadataError> {
        self.0.write().put_review(review, dirty);
        Ok(())
    }

    async fn dirty_months(&self, limit: usize) -> Result<Vec<DirtyMonth>, MetadataError> {
        Ok(oldest_marks(&self.0.read().dirty, limit))
    }

    async fn commit_watch(&self, commit: WatchCommit) -> Result<(), MetadataError> {
        let at = commit.instant();
        let WatchCommit {
            at: _,
            removed_indicators,
            indicators,
            flags,
            transitions,
            outbox,
            notes,
            holds,
            drills,
            evaluated,
            look_again,
        } = commit;
        let mut state = self.0.write();
        for gone in removed_indicators {
            if let Some(row) = state.indicators.remove(&gone) {
                state.indicator_revisions.push(IndicatorRevision { row, superseded_at: at });
            }
        }
        for new in indicators {
            let superseded_at = new.computed_at;
            if state.indicators.get(&new.key()).is_some_and(|known| known.says_as(&new)) {
                continue;
            }
            if let Some(row) = state.indicators.insert(new.key(), new) {
                state.indicator_revisions.push(IndicatorRevision { row, superseded_at });
            }
        }
        for flag in flags {
            let versions = state.flags.entry(flag.id.clone()).or_default();
            if versions.last().is_none_or(|(_, latest)| *latest != flag) {
                versions.push((at, flag));
            }
        }
        for new in transitions {
            let same = |t: &FlagTransition| (&t.flag_id, t.at, t.transition) == (&new.flag_id, new.at, new.transition);
            if !state.transitions.iter().any(same) {
                state.transitions.push(new);
            }
        }
        outbox.into_iter().for_each(|message| state.outbox.add(message));
        for note in notes {
            if !state.notes.contains(&note) {
                state.notes.push(note);
            }
        }
        state.holds.extend(holds.into_iter().map(|hold| (hold.hold_id.clone(), hold)));
        for drill in drills {
            state.drills.entry(drill.drill_id.clone()).or_insert(drill);
        }
        evaluated.into_iter().for_each(|done| unmark(&mut state.dirty, done));
        for LookAgain { well_id, from } in look_again {
            if let Some(look) = state.looks.get_mut(&well_id) {
                look.looked_through = look.looked_through.min(from.plus(-1));
            }
        }
        Ok(())
    }

    async fn unconverted_months(&self, limit: usize) -> Result<Vec<DirtyMonth>, MetadataError> {
        Ok(oldest_marks(&self.0.read().unconverted, limit))
    }

    async fn converted_wells(&self) -> Result<Vec<ConvertedWell>, MetadataError> {
        let state = self.0.read();
        let wells = state.converted.iter().map(|(well_id, &fingerprint)| (well_id.clone(), fingerprint));
        Ok(wells.map(|(well_id, fingerprint)| ConvertedWell { well_id, fingerprint }).collect())
    }

    async fn commit_conversion(&self, commit: ConversionCommit) -> Result<(), MetadataError> {
        let ConversionCommit { converted, wells } = commit;
        let mut state = self.0.write();
        converted.into_iter().for_each(|done| unmark(&mut state.unconverted, done));
        state.converted.extend(wells.into_iter().map(|well| (well.well_id, well.fingerprint)));
        Ok(())
    }

    async fn indicators(&self, place: Option<&str>) -> Result<Vec<IndicatorRow>, MetadataError> {
        let state = self.0.read();
        Ok(state.indicators.values().filter(|row| place.is_none_or(|place| place == row.place)).cloned().collect())
    }

    async fn indicator_revisions(&self, place: Option<&str>) -> Result<Vec<IndicatorRevision>, MetadataError> {
        let state = self.0.read();
        let wanted = state.indicator_revisions.iter().filter(|it| place.is_none_or(|place| place == it.row.place));
        Ok(wanted.cloned().collect())
    }

    async fn flags_at(&self, at: Timestamp) -> Result<Vec<ConditionFlag>, MetadataError> {
        let state = self.0.read();
        let then = |versions: &Vec<(Timestamp, ConditionFlag)>| {
            versions.iter().rev().find(|(from, _)| *from <= at).map(|(_, flag)| flag.clone())
        };
        Ok(state.flags.values().filter_map(then).collect())
    }

    async fn history_since(&self) -> Result<Timestamp, MetadataError> {
        Ok(self.0.read().history_since.unwrap_or(Timestamp::MIN))
    }

    async fn begin_history(&self, at: Timestamp) -> Result<(), MetadataError> {
        self.0.write().history_since = Some(at);
        Ok(())
    }

    async fn flags(&self, open_only: bool) -> Result<Vec<ConditionFlag>, MetadataError> {
        let state = self.0.read();
        let latest = state.flags.values().filter_map(|versions| versions.last()).map(|(_, flag)| flag);
        Ok(latest.filter(|flag| !open_only || flag.state != FlagState::Closed).cloned().collect())
    }

    async fn flag_transitions(&self, flag_id: Option<&str>) -> Result<Vec<FlagTransition>, MetadataError> {
        let state = self.0.read();
        Ok(state.transitions.iter().filter(|t| flag_id.is_none_or(|id| id == t.flag_id)).cloned().collect())
    }

    async fn transitions_after(&self, after: i64, limit: usize) -> Result<Vec<NumberedTransition>, MetadataError> {
        let state = self.0.read();
        let numbered = (1..).zip(&state.transitions);
        let later = numbered.skip_while(|(number, _)| *number <= after).take(limit);
        Ok(later.map(|(number, it)| NumberedTransition { number, transition: it.clone() }).collect())
    }

    async fn last_transition(&self) -> Result<i64, MetadataError> {
        Ok(self.0.read().transitions.len() as i64)
    }

    async fn flag_notes(&self, flag_id: Option<&str>) -> Result<Vec<FlagNote>, MetadataError> {
        let state = self.0.read();
        Ok(state.notes.iter().filter(|note| flag_id.is_none_or(|id| id == note.flag_id)).cloned().collect())
    }

    async fn flag_holds(&self) -> Result<Vec<Hold>, MetadataError> {
        let mut holds: Vec<Hold> = self.0.read().holds.values().cloned().collect();
        holds.sort_by(|a, b| (a.created_at, &a.hold_id).cmp(&(b.created_at, &b.hold_id)));
        Ok(holds)
    }

    async fn drills(&self) -> Result<Vec<Drill>, MetadataError> {
        let mut drills: Vec<Drill> = self.0.read().drills.values().cloned().collect();
        drills.sort_by(|a, b| (a.at, &a.drill_id).cmp(&(b.at, &b.drill_id)));
        Ok(drills)
    }

    async fn lease_outbox(&self, lease: OutboxLease) -> Result<Vec<OwedMessage>, MetadataError> {
        Ok(self.0.write().outbox.lease(&lease))
    }

    async fn settle_outbox(&self, settlements: Vec<Settlement>) -> Result<(), MetadataError> {
        let mut state = self.0.write();
        settlements.into_iter().for_each(|settlement| state.outbox.settle(settlement));
        Ok(())
    }

    async fn release_outbox(&self, holder: &str) -> Result<(), MetadataError> {
        self.0.write().outbox.release(holder);
        Ok(())
    }

    async fn outbox_counts(&self) -> Result<Vec<OutboxCount>, MetadataError> {
        Ok(self.0.read().outbox.counts())
    }

    async fn deliveries(&self, flag_id: Option<&str>) -> Result<Vec<Delivery>, MetadataError> {
        Ok(self.0.read().outbox.deliveries(flag_id))
    }

    async fn delivery_attempts(&self, idempotency_key: Option<&str>) -> Result<Vec<DeliveryAttempt>, MetadataError> {
        Ok(self.0.read().outbox.attempts(idempotency_key))
    }

    async fn offices(&self, at: Option<Timestamp>) -> Result<KnownOffices, MetadataError> {
        let state = self.0.read();
        let then = state.offices.iter().rposition(|(from, _)| at.is_none_or(|at| *from <= at));
        Ok(then.map_or_else(KnownOffices::default, |index| KnownOffices {
            version: index as i64 + 1,
            offices: state.offices[index].1.clone(),
        }))
    }

    async fn offices_version(&self) -> Result<i64, MetadataError> {
        Ok(self.0.read().offices.len() as i64)
    }

    async fn put_offices(&self, offices: Offices, based_on: i64, at: Timestamp) -> Result<bool, MetadataError> {
        let mut state = self.0.write();
        if state.offices.len() as i64 != based_on {
            return Ok(false);
        }
        if state.offices.last().map(|(_, known)| known) != Some(&offices) {
            state.offices.push((at, offices));
        }
        Ok(true)
    }

    async fn add_invite(&self, invite: Invite) -> Result<(), MetadataError> {
        let mut state = self.0.write();
        // One code a contact: the newest.
        state.invites.retain(|_, other| other.contact_id != invite.contact_id);
        state.invites.insert(invite.code_sha256.clone(), invite);
        Ok(())
    }

    async fn take_invite(&self, code_sha256: &str, at: Timestamp) -> Result<Option<Invite>, MetadataError> {
        Ok(self.0.write().invites.remove(code_sha256).filter(|invite| at < invite.expires_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_rules_of_the_port() {
        crate::conformance::metadata_suite(|| async { Arc::new(MemoryMetadata::new()) as Arc<dyn Metadata> }).await;
    }
}
