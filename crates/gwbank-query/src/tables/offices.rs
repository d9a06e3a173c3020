//! `offices`, `contacts`, `deliveries`, `delivery_attempts`, `flag_actions`, `flag_holds`, `drills`: who is told, what became of it,
//! and who did what. Addresses and secrets of contacts are in none of them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_registry::office::{Contact, Office, Offices};
use gwbank_store::{Delivery, DeliveryAttempt, DeliveryState, Drill, FlagNote, Hold, Metadata};

use super::batch::BatchOf;
use super::small::{Rows, Then, Wanted, internal};
use crate::error::QueryError;
use crate::known_at::KnownAt;

/// Offices or contacts, which are kept as versions.
#[derive(Debug)]
pub(super) struct OfficesTable {
    metadata: Arc<dyn Metadata>,
    of: Of,
    at: Option<KnownAt>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Offices,
    Contacts,
}

impl OfficesTable {
    pub(super) fn now(metadata: Arc<dyn Metadata>, of: Of) -> Self {
        Self { metadata, of, at: None }
    }

    fn batch(&self, offices: &Offices) -> Result<RecordBatch, QueryError> {
        let made = match self.of {
            Of::Offices => of_offices(&offices.offices.values().cloned().collect::<Vec<_>>()).finish(),
            Of::Contacts => of_contacts(&offices.contacts.values().cloned().collect::<Vec<_>>()).finish(),
        };
        made.map_err(internal)
    }
}

fn of_offices(rows: &[Arc<Office>]) -> BatchOf<'_, Arc<Office>> {
    BatchOf::new(rows)
        .text("office_id", |o| Some(o.office_id.as_str()))
        .text("level", |o| Some(o.level.name()))
        .text("place_code", |o| o.place_code.as_deref())
        .text("name", |o| Some(o.name.as_str()))
        .text("name_th", |o| o.name_th.as_deref())
        .text("phone", |o| o.phone.as_deref())
        .count("messages_per_minute", |o| o.messages_per_minute.map(u64::from))
}

fn of_contacts(rows: &[Arc<Contact>]) -> BatchOf<'_, Arc<Contact>> {
    let list = |names: Vec<&'static str>| Some(names.join(";")).filter(|names| !names.is_empty());
    BatchOf::new(rows)
        .text("contact_id", |c| Some(c.contact_id.as_str()))
        .text("office_id", |c| Some(c.office_id.as_str()))
        .text("channel", |c| Some(c.channel.name()))
        .text("language", |c| Some(c.language.name()))
        .text("min_severity", |c| Some(c.min_severity.name()))
        .text("hazards", move |c| list(c.hazards.iter().map(|hazard| hazard.name()).collect()))
        .text("scopes", move |c| list(c.scopes.iter().map(|scope| scope.name()).collect()))
        .text("quiet_hours", |c| c.quiet_hours.map(|hours| hours.to_string()))
        .text("digest", |c| c.digest.map(|digest| digest.to_string()))
        .truth("drills", |c| c.drills)
        .truth("active", |c| c.active)
        .truth("reachable", |c| c.is_reachable())
        .time("unreachable_since", |c| c.unreachable_since)
}

#[async_trait]
impl Rows for OfficesTable {
    fn schema(&self) -> SchemaRef {
        match self.of {
            Of::Offices => of_offices(&[]).schema(),
            Of::Contacts => of_contacts(&[]).schema(),
        }
    }

    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        let known = self.metadata.offices(self.at.map(|at| at.time())).await.map_err(QueryError::metadata)?;
        self.batch(&known.offices)
    }

    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self { metadata: self.metadata.clone(), of: self.of, at: Some(at) })))
    }
}

fn of_deliveries(rows: &[Delivery]) -> BatchOf<'_, Delivery> {
    BatchOf::new(rows)
        .text("idempotency_key", |d| Some(d.idempotency_key.as_str()))
        .text("channel", |d| Some(d.channel.as_str()))
        .text("flag_id", |d| d.flag_id.as_deref())
        .text("office_id", |d| d.office_id.as_deref())
        .text("contact_id", |d| d.contact_id.as_deref())
        .text("state", |d| Some(d.state.name()))
        .count("attempts", |d| Some(u64::from(d.attempts)))
        .time("created_at", |d| Some(d.created_at))
        .time("not_before", |d| Some(d.not_before))
        .time("next_at", |d| (d.state == DeliveryState::Pending).then_some(d.next_at))
        .time("expires_at", |d| d.expires_at)
        .text("digest", |d| d.digest.as_deref())
        .time("ended_at", |d| d.ended_at)
        .text("detail", |d| d.detail.as_deref())
}

#[derive(Debug)]
pub(super) struct Deliveries(pub Arc<dyn Metadata>);

#[async_trait]
impl Rows for Deliveries {
    fn schema(&self) -> SchemaRef {
        of_deliveries(&[]).schema()
    }

    fn narrowed_by(&self) -> &'static [&'static str] {
        &["flag_id"]
    }

    async fn load(&self, wanted: Wanted) -> Result<RecordBatch, QueryError> {
        let rows = self.0.deliveries(wanted.text("flag_id")).await.map_err(QueryError::metadata)?;
        of_deliveries(&rows).finish().map_err(internal)
    }
}

fn of_attempts(rows: &[DeliveryAttempt]) -> BatchOf<'_, DeliveryAttempt> {
    BatchOf::new(rows)
        .text("idempotency_key", |a| Some(a.idempotency_key.as_str()))
        .time("at", |a| Some(a.at))
        .text("outcome", |a| Some(a.outcome.as_str()))
        .text("detail", |a| Some(a.detail.as_str()))
}

#[derive(Debug)]
pub(super) struct DeliveryAttempts {
    metadata: Arc<dyn Metadata>,
    at: Option<KnownAt>,
}

impl DeliveryAttempts {
    pub(super) fn now(metadata: Arc<dyn Metadata>) -> Self {
        Self { metadata, at: None }
    }
}

#[async_trait]
impl Rows for DeliveryAttempts {
    fn schema(&self) -> SchemaRef {
        of_attempts(&[]).schema()
    }

    fn narrowed_by(&self) -> &'static [&'static str] {
        &["idempotency_key"]
    }

    async fn load(&self, wanted: Wanted) -> Result<RecordBatch, QueryError> {
        let found = self.metadata.delivery_attempts(wanted.text("idempotency_key")).await;
        let mut rows = found.map_err(QueryError::metadata)?;
        // They are never rewritten.
        rows.retain(|row| self.at.is_none_or(|at| row.at <= at.time()));
        of_attempts(&rows).finish().map_err(internal)
    }

    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self { metadata: self.metadata.clone(), at: Some(at) })))
    }
}

fn of_actions(rows: &[FlagNote]) -> BatchOf<'_, FlagNote> {
    BatchOf::new(rows)
        .text("flag_id", |n| Some(n.flag_id.as_str()))
        .time("at", |n| Some(n.at))
        .text("action", |n| Some(n.action.name()))
        .text("author", |n| Some(n.by.as_str()))
        .text("via", |n| Some(n.via.as_str()))
        .text("contact_id", |n| n.contact_id.as_deref())
        .text("remark", |n| n.text.as_deref())
}

#[derive(Debug)]
pub(super) struct FlagActions {
    metadata: Arc<dyn Metadata>,
    at: Option<KnownAt>,
}

impl FlagActions {
    pub(super) fn now(metadata: Arc<dyn Metadata>) -> Self {
        Self { metadata, at: None }
    }
}

#[async_trait]
impl Rows for FlagActions {
    fn schema(&self) -> SchemaRef {
        of_actions(&[]).schema()
    }

    fn narrowed_by(&self) -> &'static [&'static str] {
        &["flag_id"]
    }

    async fn load(&self, wanted: Wanted) -> Result<RecordBatch, QueryError> {
        let mut rows = self.metadata.flag_notes(wanted.text("flag_id")).await.map_err(QueryError::metadata)?;
        rows.retain(|row| self.at.is_none_or(|at| row.at <= at.time()));
        of_actions(&rows).finish().map_err(internal)
    }

    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self { metadata: self.metadata.clone(), at: Some(at) })))
    }
}

fn of_holds(rows: &[Hold]) -> BatchOf<'_, Hold> {
    BatchOf::new(rows)
        .text("hold_id", |h| Some(h.hold_id.as_str()))
        .text("kind", |h| Some(h.kind.name()))
        .text("hazard", |h| h.hazard.map(|hazard| hazard.name()))
        .text("scope", |h| Some(h.scope.name()))
        .text("place", |h| Some(h.place.as_str()))
        .time("from_time", |h| Some(h.from))
        .time("until_time", |h| h.until)
        .text("severity", |h| h.severity.map(|severity| severity.name()))
        .text("reason", |h| Some(h.reason.as_str()))
        .text("author", |h| Some(h.by.as_str()))
        .time("created_at", |h| Some(h.created_at))
        .time("ended_at", |h| h.ended_at)
        .text("ended_by", |h| h.ended_by.as_deref())
}

#[derive(Debug)]
pub(super) struct FlagHolds(pub Arc<dyn Metadata>);

#[async_trait]
impl Rows for FlagHolds {
    fn schema(&self) -> SchemaRef {
        of_holds(&[]).schema()
    }

    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        let rows = self.0.flag_holds().await.map_err(QueryError::metadata)?;
        of_holds(&rows).finish().map_err(internal)
    }
}

fn of_drills(rows: &[Drill]) -> BatchOf<'_, Drill> {
    BatchOf::new(rows)
        .text("drill_id", |d| Some(d.drill_id.as_str()))
        .text("kind", |d| Some(d.kind.name()))
        .text("hazard", |d| Some(d.hazard.name()))
        .text("severity", |d| Some(d.severity.name()))
        .text("scope", |d| Some(d.scope.name()))
        .text("place", |d| Some(d.place.as_str()))
        .text("province_code", |d| Some(d.province_code.as_str()))
        .time("at", |d| Some(d.at))
        .text("author", |d| Some(d.by.as_str()))
}

#[derive(Debug)]
pub(super) struct Drills(pub Arc<dyn Metadata>);

#[async_trait]
impl Rows for Drills {
    fn schema(&self) -> SchemaRef {
        of_drills(&[]).schema()
    }

    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        let rows = self.0.drills().await.map_err(QueryError::metadata)?;
        of_drills(&rows).finish().map_err(internal)
    }
}
