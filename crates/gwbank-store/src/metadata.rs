//! The port of the metadata: everything that is not a reading.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity, Transition};
use gwbank_model::{GatewayId, Month, Parameter, QcTest, Seq, Timestamp, WellId};
use gwbank_registry::office::Offices;
use gwbank_registry::{Installation, Well};

use crate::office::{Drill, FlagNote, Hold, Invite, KnownOffices};
use crate::outbox::{Delivery, DeliveryAttempt, OutboxCount, OutboxLease, OutboxMessage, OwedMessage, Settlement};
use crate::review::{Review, ReviewId};

#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Nothing was changed; the same call may succeed later.
    #[error("metadata store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("metadata store is damaged: {0}")]
    Damaged(String),
}

/// Counted in readings: received = stored + duplicate + dead + pending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GatewayCounts {
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
}

/// One row of the table `gateways`. As a part of [`IngestCommit`] the counts are what is to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayRecord {
    pub gateway_id: GatewayId,
    pub last_seen: Option<Timestamp>,
    pub counts: GatewayCounts,
    /// Seconds by which the gateway's clock is ahead (negative: behind), where its messages agree on it; 0 where they show
    /// that it is right, `None` while nothing is known.
    pub clock_offset_s: Option<f64>,
    pub clock_zone: Option<String>,
    /// Of its newest dead letter, until the last one is settled.
    pub last_error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterId(pub i64);

/// What makes letters one entry: there is one open entry per (gateway, reason, subject), and repeats are counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterCause {
    /// One of the fixed reason names of `gwbank-wire`, such as `unknown_well`.
    pub reason: String,
    /// What is counted together, such as `(device, field)` or the well; the payload's hash where nothing better is known.
    pub subject: String,
}

/// A message of which something could not be stored, as it came. Its payload is kept once, however many letters it opens.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadMessage {
    /// The message's first; no other message has it. Letters may be added to a message that is kept already.
    pub seq: Seq,
    pub received_at: Timestamp,
    pub gateway_id: GatewayId,
    pub topic: String,
    pub payload: Bytes,
    /// At most one per cause.
    pub letters: Vec<NewDeadLetter>,
}

/// What a message adds to one entry. Where the message has a letter in the entry already, its readings are added to it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDeadLetter {
    pub cause: DeadLetterCause,
    /// Says what is wrong and how to mend it.
    pub detail: String,
    /// How many readings this stands for, at least 1 (1 for an unreadable message).
    pub readings: u64,
}

/// Subject of the entry, one per gateway and reason, that goes on counting entries none of whose payloads is kept any
/// more. The white space keeps it from being the id of a well.
pub const EXPIRED_SUBJECT: &str = "expired payloads";

#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetterSummary {
    pub id: DeadLetterId,
    /// First receipt; `last_received_at` and `count` tell of the repeats.
    pub received_at: Timestamp,
    pub last_received_at: Timestamp,
    /// Messages.
    pub count: u64,
    pub readings: u64,
    pub gateway_id: GatewayId,
    pub topic: String,
    pub reason: String,
    pub detail: String,
    pub subject: String,
    /// Payload bytes kept, over all repeats; a payload counts in each entry that its message has a letter in.
    pub payload_bytes: u64,
    /// Of the messages, those whose payload expired: counted, and not to be replayed any more.
    pub expired: u64,
}

/// One message's part in a dead letter, with the payload that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    pub received_at: Timestamp,
    pub gateway_id: GatewayId,
    pub topic: String,
    pub reason: String,
    pub detail: String,
    pub payload: Bytes,
    /// What is still dead of it.
    pub readings: u64,
    pub seq: Seq,
    /// The message's other letters and what is still dead of them. One that came in since is there too, with 0 readings.
    pub beside: Vec<(DeadLetterCause, u64)>,
}

/// A part of the kept payloads of an entry, oldest first; at least one as long as there are any.
#[derive(Debug, Clone, Copy)]
pub struct PayloadPage {
    /// Those of later messages only.
    pub after: Seq,
    pub payloads_max: usize,
    pub bytes_max: usize,
}

impl PayloadPage {
    /// The oldest payload.
    pub const FIRST: Self = Self { after: Seq::ZERO, payloads_max: 1, bytes_max: 0 };
}

/// Readings of a message's letter that a replay brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledDeadLetter {
    pub id: DeadLetterId,
    /// Of the message.
    pub seq: Seq,
    pub readings: u64,
}

/// How much is kept of dead letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeadLetterUsage {
    /// As they lie in the store.
    pub bytes: u64,
    /// Payloads that made room for newer ones, since the store was made.
    pub expired: u64,
}

/// A message that a redelivery is recognised by, as its times were resolved at arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedContent {
    pub gateway_id: GatewayId,
    pub content_hash: u64,
    /// Of the latest message with this content that was no repeat.
    pub seq: Seq,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeadLetterFilter {
    pub id: Option<DeadLetterId>,
    pub gateway_id: Option<GatewayId>,
    pub reason: Option<String>,
    pub limit: Option<usize>,
}

/// A month of a well whose readings changed and whose indicators are to be computed anew.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirtyMonth {
    pub well_id: WellId,
    pub parameter: Parameter,
    /// In the calendar zone of the indicators.
    pub month: Month,
    /// The newest change that dirtied it.
    pub seq: Seq,
}

/// A limit of the quality tests that differs from the default and from the configuration file: one row of what
/// `gwbank quality limits import` brought.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityLimit {
    pub key: QualityLimitKey,
    pub value: f64,
    /// When it got this value.
    pub changed_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualityLimitKey {
    /// `None` is every well.
    pub well_id: Option<WellId>,
    /// `None` is every parameter of the well.
    pub parameter: Option<Parameter>,
    /// As the section `[quality]` names it, such as `spike.suspect`; `spike.off` with 1 takes a test away.
    pub limit: String,
}

/// All or nothing. What is removed goes first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QualityLimitsChange {
    pub removed: Vec<QualityLimitKey>,
    /// Replaces by key. One that has the value already keeps its `changed_at`.
    pub put: Vec<QualityLimit>,
}

/// Under which limits the stored readings of a series were judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedSeries {
    pub well_id: WellId,
    pub parameter: Parameter,
    /// Stands for all limits that hold for the series.
    pub fingerprint: u64,
    /// The readings are being judged anew since: some of them, or of their marks, may not be as the fingerprint says. `None`
    /// once all are.
    pub under_way_since: Option<Seq>,
}

/// What the second look found in a stretch of a series: one row of the table `quality_findings`. Readings in it are judged by it.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityFinding {
    pub well_id: WellId,
    pub parameter: Parameter,
    pub test: QcTest,
    /// Both ends are inside. A series has one finding of a test that begins at an instant.
    pub from: Timestamp,
    pub to: Timestamp,
    /// What was seen, in words.
    pub detail: String,
    pub found_at: Timestamp,
}

/// All findings of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesFindings {
    pub well_id: WellId,
    pub parameter: Parameter,
    pub findings: Vec<QualityFinding>,
}

/// How far a well was looked at a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondLook {
    pub well_id: WellId,
    /// Months up to here.
    pub looked_through: Month,
    /// Stands for all but the readings that the look went by.
    pub fingerprint: u64,
}

/// A well that is to be looked at a second time from a month on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookAgain {
    pub well_id: WellId,
    pub from: Month,
}

/// What the second look changes, all or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SecondLookCommit {
    /// Each in the place of all that the series had.
    pub series: Vec<SeriesFindings>,
    /// Replace what is known of equal wells.
    pub looks: Vec<SecondLook>,
}

/// By which installation all levels of a well were converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertedWell {
    pub well_id: WellId,
    /// Stands for all that its conversion depends on, but for readings.
    pub fingerprint: u64,
}

/// What one pass of the conversion has done, all or nothing.
#[derive(Debug, Clone, Default)]
pub struct ConversionCommit {
    /// Removed where the stored mark's seq is not newer than the given one.
    pub converted: Vec<DirtyMonth>,
    /// Replace what is known of equal wells.
    pub wells: Vec<ConvertedWell>,
}

/// The effect of a stretch of the journal on metadata, all or nothing.
#[derive(Debug, Clone, Default)]
pub struct IngestCommit {
    /// The position after the commit. A commit whose `through` is not after the position was made before and changes
    /// nothing; a replay must leave out what lies at or below the position. `None` leaves the position and always counts.
    pub through: Option<Seq>,
    /// Counts are added (with wrap-around: what is to be taken away is `n.wrapping_neg()`), the latest `last_seen` stays,
    /// the rest replaces where it is `Some`.
    pub gateways: Vec<GatewayRecord>,
    pub dead_messages: Vec<DeadMessage>,
    /// Those of what makes levels ([`Parameter::makes_levels`]) become months to be converted, too.
    pub dirty_months: Vec<DirtyMonth>,
    /// What a replay brought in: the entry counts those readings less. A message whose readings all came in is counted no
    /// more, and the entry goes with its last message. A gateway of which this leaves no message has no `last_error` any
    /// more. The gateway's counts are the caller's to move.
    pub settled_dead_letters: Vec<SettledDeadLetter>,
    /// Replace what is known of equal (gateway, content).
    pub received_contents: Vec<ReceivedContent>,
    /// Contents received before are forgotten.
    pub contents_forgotten_before: Option<Timestamp>,
    /// Replace what is known of equal (well, parameter).
    pub judged_series: Vec<JudgedSeries>,
}

/// One row of the table `indicators`.
#[derive(Debug, Clone, PartialEq)]
pub struct IndicatorRow {
    pub scope: Scope,
    /// The well's id for scope `well`, the place's code otherwise.
    pub place: String,
    pub province_code: String,
    /// The month's first instant (UTC midnight of its first day) or the instant.
    pub period: Timestamp,
    pub indicator: String,
    pub value: Option<f64>,
    pub class: Option<String>,
    pub confidence: Option<f64>,
    pub n: Option<i32>,
    pub years: Option<f64>,
    /// Of the values that it rests on: how many a person approved, and how many are of quality 1, from 0 to 1.
    pub approved_share: Option<f64>,
    pub quality_share: Option<f64>,
    pub computed_at: Timestamp,
}

/// A row of the table `indicators` that was replaced by another one, or removed: one row of `indicator_revisions`.
#[derive(Debug, Clone, PartialEq)]
pub struct IndicatorRevision {
    pub row: IndicatorRow,
    /// It was shown until then.
    pub superseded_at: Timestamp,
}

/// What there is one indicator row of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndicatorKey {
    pub scope: Scope,
    pub place: String,
    pub indicator: String,
    pub period: Timestamp,
}

impl IndicatorRow {
    /// Whether another row says the same, whenever it was computed. Such a row takes no place and leaves no revision.
    pub fn says_as(&self, other: &Self) -> bool {
        *self == Self { computed_at: self.computed_at, ..other.clone() }
    }

    pub fn key(&self) -> IndicatorKey {
        IndicatorKey {
            scope: self.scope,
            place: self.place.clone(),
            indicator: self.indicator.clone(),
            period: self.period,
        }
    }
}

/// One row of the table `condition_flags`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionFlag {
    /// `{hazard}-{scope}-{place}-{raised_at in Unix seconds}`: stable over restarts.
    pub id: String,
    pub scope: Scope,
    /// The well's id or the place's code.
    pub place: String,
    pub province_code: String,
    pub district_code: Option<String>,
    pub subdistrict_code: Option<String>,
    pub well_id: Option<WellId>,
    pub hazard: Hazard,
    pub severity: Severity,
    pub state: FlagState,
    pub raised_at: Timestamp,
    pub changed_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub confidence: f64,
    pub wells_in: u32,
    pub wells_out: u32,
    pub coverage: f64,
    pub rule: String,
    pub limit_value: Option<f64>,
    pub observed: Option<f64>,
    pub what_would_clear_it: String,
    pub headline_en: String,
    pub headline_th: String,
    pub detail_en: String,
    pub detail_th: String,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<Timestamp>,
}

/// One row of the table `flag_transitions`; never rewritten.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagTransition {
    pub flag_id: String,
    pub at: Timestamp,
    pub transition: Transition,
    pub severity: Severity,
    /// The numbers that led to it, as JSON text.
    pub evidence: String,
}

/// A transition with its number: in the order in which transitions were written, and never given twice.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberedTransition {
    pub number: i64,
    pub transition: FlagTransition,
}

/// What one evaluation of the watch changes, all or nothing.
#[derive(Debug, Clone, Default)]
pub struct WatchCommit {
    /// When it was evaluated. What it removes was known until then, and flags are as they are from then on.
    pub at: Option<Timestamp>,
    /// Rows that are no more, taken away before new ones are put. They stay as revisions.
    pub removed_indicators: Vec<IndicatorKey>,
    /// Replace rows of equal (scope, place, indicator, period) that say something else; those stay as revisions until the new
    /// row's `computed_at`.
    pub indicators: Vec<IndicatorRow>,
    /// Upsert by id; how a flag was before stays as a version. An equal transition (flag, instant, kind) and an equal outbox key are written once.
    pub flags: Vec<ConditionFlag>,
    pub transitions: Vec<FlagTransition>,
    pub outbox: Vec<OutboxMessage>,
    /// What people did about flags, with the changes that follow from it.
    pub notes: Vec<FlagNote>,
    /// Upsert by id.
    pub holds: Vec<Hold>,
    /// An equal id is written once.
    pub drills: Vec<Drill>,
    /// Removed where the stored mark's seq is not newer than the given one.
    pub evaluated: Vec<DirtyMonth>,
    /// Sets wells back that were looked at a second time; those that never were stay so.
    pub look_again: Vec<LookAgain>,
}

impl WatchCommit {
    /// When it was evaluated; where it does not say, the latest time in it.
    pub fn instant(&self) -> Timestamp {
        let computed = self.indicators.iter().map(|row| row.computed_at);
        let told = self.transitions.iter().map(|transition| transition.at);
        let changed = self.flags.iter().map(|flag| flag.changed_at);
        self.at.or_else(|| computed.chain(told).chain(changed).max()).unwrap_or(Timestamp::MIN)
    }
}

/// Held while dead letters are replayed; whatever it keeps others away by ends when it is dropped.
pub struct ReplayPermit(#[expect(dead_code, reason = "held for its end")] Box<dyn Send + Sync>);

impl ReplayPermit {
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Box::new(held))
    }
}

#[async_trait]
pub trait Metadata: Debug + Send + Sync + 'static {
    /// Everything that the journal holds up to here is accounted for. [`Seq::ZERO`] when nothing was committed.
    async fn position(&self) -> Result<Seq, MetadataError>;

    async fn commit_ingest(&self, commit: IngestCommit) -> Result<(), MetadataError>;

    async fn gateways(&self) -> Result<Vec<GatewayRecord>, MetadataError>;

    /// Adds or replaces wells by `well_id`; the former row stays as a version. An equal row makes no version.
    /// All or nothing.
    async fn put_wells(&self, wells: Vec<Well>, at: Seq) -> Result<(), MetadataError>;
    async fn wells(&self) -> Result<Vec<Well>, MetadataError>;
    /// Adds or replaces by (well, device, parameter, valid_from), as `put_wells`.
    async fn put_installations(&self, installations: Vec<Installation>, at: Seq) -> Result<(), MetadataError>;
    async fn installations(&self) -> Result<Vec<Installation>, MetadataError>;
    /// As they were registered before a position.
    async fn wells_before(&self, before: Seq) -> Result<Vec<Well>, MetadataError>;
    async fn installations_before(&self, before: Seq) -> Result<Vec<Installation>, MetadataError>;
    /// Another one after each change of wells or installations, whoever made it. Where only one process can change them it
    /// may stay the same.
    async fn registry_version(&self) -> Result<Seq, MetadataError> {
        Ok(Seq::ZERO)
    }

    /// Of all nodes on these metadata one judges, computes indicators and raises flags: `Some` for that one, with a number
    /// that is another one each time it begins anew.
    async fn lead(&self) -> Result<Option<u64>, MetadataError> {
        Ok(Some(0))
    }
    /// Of all nodes on these metadata one replays dead letters at a time: `None` while another one does.
    async fn replay_permit(&self) -> Result<Option<ReplayPermit>, MetadataError> {
        Ok(Some(ReplayPermit::new(())))
    }
    /// To be said again and again, so that nobody takes a node that has nothing to write for gone.
    async fn still_here(&self) -> Result<(), MetadataError> {
        Ok(())
    }
    /// Whether other nodes write here, too, or have.
    async fn has_other_nodes(&self) -> Result<bool, MetadataError> {
        Ok(false)
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<Vec<DeadLetterSummary>, MetadataError>;
    async fn dead_letter_payloads(&self, id: DeadLetterId, page: PayloadPage)
    -> Result<Vec<DeadLetter>, MetadataError>;
    async fn dead_letter_usage(&self) -> Result<DeadLetterUsage, MetadataError>;
    /// In the order of their seq.
    async fn received_contents(&self) -> Result<Vec<ReceivedContent>, MetadataError>;

    /// By well, parameter and name, what is of every well first.
    async fn quality_limits(&self) -> Result<Vec<QualityLimit>, MetadataError>;
    async fn change_quality_limits(&self, change: QualityLimitsChange) -> Result<(), MetadataError>;
    /// In any order. A series that is not there was judged under limits that nobody knows.
    async fn judged_series(&self) -> Result<Vec<JudgedSeries>, MetadataError>;

    /// By well, parameter, test (all by name) and start.
    async fn quality_findings(&self) -> Result<Vec<QualityFinding>, MetadataError>;
    /// In any order. A well that is not there was never looked at.
    async fn second_looks(&self) -> Result<Vec<SecondLook>, MetadataError>;
    async fn commit_second_look(&self, commit: SecondLookCommit) -> Result<(), MetadataError>;

    /// All that ever were, by id.
    async fn reviews(&self) -> Result<Vec<Review>, MetadataError>;
    /// Keeps a review under a number of its own, the next one, and marks months as dirty, all or nothing.
    async fn add_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Result<ReviewId, MetadataError>;
    /// The same of a review that has its number: replaces the one that is there.
    async fn put_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Result<(), MetadataError>;

    /// Longest dirty first.
    async fn dirty_months(&self, limit: usize) -> Result<Vec<DirtyMonth>, MetadataError>;
    async fn commit_watch(&self, commit: WatchCommit) -> Result<(), MetadataError>;

    /// Months whose levels are to be converted from what sensors said, longest waiting first.
    async fn unconverted_months(&self, limit: usize) -> Result<Vec<DirtyMonth>, MetadataError>;
    /// In any order. A well that is not there was never converted as a whole.
    async fn converted_wells(&self) -> Result<Vec<ConvertedWell>, MetadataError>;
    async fn commit_conversion(&self, commit: ConversionCommit) -> Result<(), MetadataError>;

    async fn indicators(&self, place: Option<&str>) -> Result<Vec<IndicatorRow>, MetadataError>;
    /// In the order in which they were superseded.
    async fn indicator_revisions(&self, place: Option<&str>) -> Result<Vec<IndicatorRevision>, MetadataError>;
    /// All flags as they were at an instant.
    async fn flags_at(&self, at: Timestamp) -> Result<Vec<ConditionFlag>, MetadataError>;
    /// From when on it can be told how wells, indicators and flags were: what was replaced before left no trace.
    async fn history_since(&self) -> Result<Timestamp, MetadataError>;
    /// For a copy, which has what there is and not what there was.
    async fn begin_history(&self, at: Timestamp) -> Result<(), MetadataError>;
    /// All flags, or those that are not closed.
    async fn flags(&self, open_only: bool) -> Result<Vec<ConditionFlag>, MetadataError>;
    async fn flag_transitions(&self, flag_id: Option<&str>) -> Result<Vec<FlagTransition>, MetadataError>;

    /// Transitions of all flags with a number above `after`, in their order.
    async fn transitions_after(&self, after: i64, limit: usize) -> Result<Vec<NumberedTransition>, MetadataError>;
    /// The highest number that a transition has; 0 without any.
    async fn last_transition(&self) -> Result<i64, MetadataError>;
    async fn flag_notes(&self, flag_id: Option<&str>) -> Result<Vec<FlagNote>, MetadataError>;
    /// All that ever were; the first one first.
    async fn flag_holds(&self) -> Result<Vec<Hold>, MetadataError>;
    async fn drills(&self) -> Result<Vec<Drill>, MetadataError>;

    /// Takes messages that are due and nobody has, oldest first; of each stream the first one that is left.
    async fn lease_outbox(&self, lease: OutboxLease) -> Result<Vec<OwedMessage>, MetadataError>;
    /// What became of leased messages. A message that has ended stays as it is.
    async fn settle_outbox(&self, settlements: Vec<Settlement>) -> Result<(), MetadataError>;
    /// Ends all leases of a holder, which has started anew.
    async fn release_outbox(&self, holder: &str) -> Result<(), MetadataError>;
    async fn outbox_counts(&self) -> Result<Vec<OutboxCount>, MetadataError>;
    /// Oldest first.
    async fn deliveries(&self, flag_id: Option<&str>) -> Result<Vec<Delivery>, MetadataError>;
    async fn delivery_attempts(&self, idempotency_key: Option<&str>) -> Result<Vec<DeliveryAttempt>, MetadataError>;

    /// As they are, or as they were at an instant.
    async fn offices(&self, at: Option<Timestamp>) -> Result<KnownOffices, MetadataError>;
    /// The version of the offices as they are.
    async fn offices_version(&self) -> Result<i64, MetadataError>;
    /// Replaces all offices, where nobody has changed them since `based_on` was read; else nothing, and `false`. How they
    /// were before stays as versions.
    async fn put_offices(&self, offices: Offices, based_on: i64, at: Timestamp) -> Result<bool, MetadataError>;
    async fn add_invite(&self, invite: Invite) -> Result<(), MetadataError>;
    /// The invitation of a code, which nobody has after that; `None` where there is none, or it has expired.
    async fn take_invite(&self, code_sha256: &str, at: Timestamp) -> Result<Option<Invite>, MetadataError>;
}
