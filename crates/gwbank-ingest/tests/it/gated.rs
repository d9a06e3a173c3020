//! A metadata store whose writes pass a gate, one at a time.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use gwbank_model::{Seq, Timestamp};
use gwbank_registry::office::Offices;
use gwbank_registry::{Installation, Well};
use gwbank_store::{
    ConditionFlag, ConversionCommit, ConvertedWell, DeadLetter, DeadLetterFilter, DeadLetterId, DeadLetterSummary,
    DeadLetterUsage, Delivery, DeliveryAttempt, DirtyMonth, Drill, FlagNote, FlagTransition, GatewayRecord, Hold,
    IndicatorRevision, IndicatorRow, IngestCommit, Invite, JudgedSeries, KnownOffices, Metadata, MetadataError,
    NumberedTransition, OutboxCount, OutboxLease, OwedMessage, PayloadPage, QualityFinding, QualityLimit,
    QualityLimitsChange, ReceivedContent, Review, ReviewId, SecondLook, SecondLookCommit, Settlement, WatchCommit,
};

/// Asked before and after each write. An error keeps the write from being made, or from being known to be.
pub trait WriteGate: Debug + Send + Sync + 'static {
    fn begin(&self) -> Result<(), MetadataError>;
    fn end(&self) -> Result<(), MetadataError>;
}

#[derive(Debug)]
pub struct GatedMetadata {
    inner: Arc<dyn Metadata>,
    gate: Box<dyn WriteGate>,
    writing: tokio::sync::Mutex<()>,
}

impl GatedMetadata {
    pub fn new(inner: impl Metadata, gate: impl WriteGate) -> Self {
        Self { inner: Arc::new(inner), gate: Box::new(gate), writing: tokio::sync::Mutex::default() }
    }

    async fn gated<T>(&self, write: impl Future<Output = Answer<T>> + Send) -> Answer<T> {
        let _one_at_a_time = self.writing.lock().await;
        self.gate.begin()?;
        let written = write.await?;
        self.gate.end()?;
        Ok(written)
    }
}

type Answer<T> = Result<T, MetadataError>;

#[async_trait]
impl Metadata for GatedMetadata {
    async fn commit_ingest(&self, commit: IngestCommit) -> Answer<()> {
        self.gated(self.inner.commit_ingest(commit)).await
    }
    async fn position(&self) -> Answer<Seq> {
        self.inner.position().await
    }
    async fn gateways(&self) -> Answer<Vec<GatewayRecord>> {
        self.inner.gateways().await
    }
    async fn put_wells(&self, wells: Vec<Well>, at: Seq) -> Answer<()> {
        self.gated(self.inner.put_wells(wells, at)).await
    }
    async fn wells(&self) -> Answer<Vec<Well>> {
        self.inner.wells().await
    }
    async fn put_installations(&self, installations: Vec<Installation>, at: Seq) -> Answer<()> {
        self.gated(self.inner.put_installations(installations, at)).await
    }
    async fn installations(&self) -> Answer<Vec<Installation>> {
        self.inner.installations().await
    }
    async fn wells_before(&self, before: Seq) -> Answer<Vec<Well>> {
        self.inner.wells_before(before).await
    }
    async fn installations_before(&self, before: Seq) -> Answer<Vec<Installation>> {
        self.inner.installations_before(before).await
    }
    async fn dead_letters(&self, filter: DeadLetterFilter) -> Answer<Vec<DeadLetterSummary>> {
        self.inner.dead_letters(filter).await
    }
    async fn dead_letter_payloads(&self, id: DeadLetterId, page: PayloadPage) -> Answer<Vec<DeadLetter>> {
        self.inner.dead_letter_payloads(id, page).await
    }
    async fn dead_letter_usage(&self) -> Answer<DeadLetterUsage> {
        self.inner.dead_letter_usage().await
    }
    async fn received_contents(&self) -> Answer<Vec<ReceivedContent>> {
        self.inner.received_contents().await
    }
    async fn quality_limits(&self) -> Answer<Vec<QualityLimit>> {
        self.inner.quality_limits().await
    }
    async fn change_quality_limits(&self, change: QualityLimitsChange) -> Answer<()> {
        self.gated(self.inner.change_quality_limits(change)).await
    }
    async fn judged_series(&self) -> Answer<Vec<JudgedSeries>> {
        self.inner.judged_series().await
    }
    async fn quality_findings(&self) -> Answer<Vec<QualityFinding>> {
        self.inner.quality_findings().await
    }
    async fn second_looks(&self) -> Answer<Vec<SecondLook>> {
        self.inner.second_looks().await
    }
    async fn commit_second_look(&self, commit: SecondLookCommit) -> Answer<()> {
        self.gated(self.inner.commit_second_look(commit)).await
    }
    async fn reviews(&self) -> Answer<Vec<Review>> {
        self.inner.reviews().await
    }
    async fn add_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Answer<ReviewId> {
        self.gated(self.inner.add_review(review, dirty)).await
    }
    async fn put_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Answer<()> {
        self.gated(self.inner.put_review(review, dirty)).await
    }
    async fn dirty_months(&self, limit: usize) -> Answer<Vec<DirtyMonth>> {
        self.inner.dirty_months(limit).await
    }
    async fn unconverted_months(&self, limit: usize) -> Answer<Vec<DirtyMonth>> {
        self.inner.unconverted_months(limit).await
    }
    async fn converted_wells(&self) -> Answer<Vec<ConvertedWell>> {
        self.inner.converted_wells().await
    }
    async fn commit_conversion(&self, commit: ConversionCommit) -> Answer<()> {
        self.gated(self.inner.commit_conversion(commit)).await
    }
    async fn commit_watch(&self, commit: WatchCommit) -> Answer<()> {
        self.gated(self.inner.commit_watch(commit)).await
    }
    async fn indicators(&self, place: Option<&str>) -> Answer<Vec<IndicatorRow>> {
        self.inner.indicators(place).await
    }
    async fn indicator_revisions(&self, place: Option<&str>) -> Answer<Vec<IndicatorRevision>> {
        self.inner.indicator_revisions(place).await
    }
    async fn flags_at(&self, at: Timestamp) -> Answer<Vec<ConditionFlag>> {
        self.inner.flags_at(at).await
    }
    async fn history_since(&self) -> Answer<Timestamp> {
        self.inner.history_since().await
    }
    async fn begin_history(&self, at: Timestamp) -> Answer<()> {
        self.gated(self.inner.begin_history(at)).await
    }
    async fn flags(&self, open_only: bool) -> Answer<Vec<ConditionFlag>> {
        self.inner.flags(open_only).await
    }
    async fn flag_transitions(&self, flag_id: Option<&str>) -> Answer<Vec<FlagTransition>> {
        self.inner.flag_transitions(flag_id).await
    }
    async fn transitions_after(&self, after: i64, limit: usize) -> Answer<Vec<NumberedTransition>> {
        self.inner.transitions_after(after, limit).await
    }
    async fn last_transition(&self) -> Answer<i64> {
        self.inner.last_transition().await
    }
    async fn flag_notes(&self, flag_id: Option<&str>) -> Answer<Vec<FlagNote>> {
        self.inner.flag_notes(flag_id).await
    }
    async fn flag_holds(&self) -> Answer<Vec<Hold>> {
        self.inner.flag_holds().await
    }
    async fn drills(&self) -> Answer<Vec<Drill>> {
        self.inner.drills().await
    }
    async fn lease_outbox(&self, lease: OutboxLease) -> Answer<Vec<OwedMessage>> {
        self.gated(self.inner.lease_outbox(lease)).await
    }
    async fn settle_outbox(&self, settlements: Vec<Settlement>) -> Answer<()> {
        self.gated(self.inner.settle_outbox(settlements)).await
    }
    async fn release_outbox(&self, holder: &str) -> Answer<()> {
        self.gated(self.inner.release_outbox(holder)).await
    }
    async fn outbox_counts(&self) -> Answer<Vec<OutboxCount>> {
        self.inner.outbox_counts().await
    }
    async fn deliveries(&self, flag_id: Option<&str>) -> Answer<Vec<Delivery>> {
        self.inner.deliveries(flag_id).await
    }
    async fn delivery_attempts(&self, key: Option<&str>) -> Answer<Vec<DeliveryAttempt>> {
        self.inner.delivery_attempts(key).await
    }
    async fn offices(&self, at: Option<Timestamp>) -> Answer<KnownOffices> {
        self.inner.offices(at).await
    }
    async fn offices_version(&self) -> Answer<i64> {
        self.inner.offices_version().await
    }
    async fn put_offices(&self, offices: Offices, based_on: i64, at: Timestamp) -> Answer<bool> {
        self.gated(self.inner.put_offices(offices, based_on, at)).await
    }
    async fn add_invite(&self, invite: Invite) -> Answer<()> {
        self.gated(self.inner.add_invite(invite)).await
    }
    async fn take_invite(&self, code_sha256: &str, at: Timestamp) -> Answer<Option<Invite>> {
        self.gated(self.inner.take_invite(code_sha256, at)).await
    }
}
