//! `condition_flags` and `flag_transitions`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_store::{ConditionFlag, FlagTransition, Metadata};

use super::batch::BatchOf;
use super::small::{Rows, Then, Wanted, check_history, internal};
use crate::error::QueryError;
use crate::known_at::KnownAt;

#[derive(Debug)]
pub(super) struct ConditionFlags {
    metadata: Arc<dyn Metadata>,
    at: Option<KnownAt>,
}

impl ConditionFlags {
    pub(super) fn now(metadata: Arc<dyn Metadata>) -> Self {
        Self { metadata, at: None }
    }
}

fn of_flags(rows: &[ConditionFlag]) -> BatchOf<'_, ConditionFlag> {
    BatchOf::new(rows)
        .text("id", |f| Some(f.id.as_str()))
        .text("scope", |f| Some(f.scope.name()))
        .text("province_code", |f| Some(f.province_code.as_str()))
        .text("district_code", |f| f.district_code.as_deref())
        .text("well_id", |f| f.well_id.as_ref())
        .text("hazard", |f| Some(f.hazard.name()))
        .text("severity", |f| Some(f.severity.name()))
        .text("state", |f| Some(f.state.name()))
        .time("raised_at", |f| Some(f.raised_at))
        .time("changed_at", |f| Some(f.changed_at))
        .time("closed_at", |f| f.closed_at)
        .number("confidence", |f| Some(f.confidence))
        .count("wells_in", |f| Some(u64::from(f.wells_in)))
        .count("wells_out", |f| Some(u64::from(f.wells_out)))
        .number("coverage", |f| Some(f.coverage))
        .text("rule", |f| Some(f.rule.as_str()))
        .number("limit_value", |f| f.limit_value)
        .number("observed", |f| f.observed)
        .text("what_would_clear_it", |f| Some(f.what_would_clear_it.as_str()))
        .text("headline_en", |f| Some(f.headline_en.as_str()))
        .text("headline_th", |f| Some(f.headline_th.as_str()))
        .text("detail_en", |f| Some(f.detail_en.as_str()))
        .text("detail_th", |f| Some(f.detail_th.as_str()))
        .text("acknowledged_by", |f| f.acknowledged_by.as_deref())
        .time("acknowledged_at", |f| f.acknowledged_at)
        .text("subdistrict_code", |f| f.subdistrict_code.as_deref())
        .text("place", |f| Some(f.place.as_str()))
}

#[async_trait]
impl Rows for ConditionFlags {
    fn schema(&self) -> SchemaRef {
        of_flags(&[]).schema()
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        let rows = match self.at {
            None => self.metadata.flags(false).await,
            Some(at) => {
                check_history(self.metadata.as_ref(), at).await?;
                self.metadata.flags_at(at.time()).await
            }
        };
        of_flags(&rows.map_err(QueryError::metadata)?).finish().map_err(internal)
    }
    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self { metadata: self.metadata.clone(), at: Some(at) })))
    }
}

#[derive(Debug)]
pub(super) struct FlagTransitions {
    metadata: Arc<dyn Metadata>,
    at: Option<KnownAt>,
}

impl FlagTransitions {
    pub(super) fn now(metadata: Arc<dyn Metadata>) -> Self {
        Self { metadata, at: None }
    }
}

fn of_transitions(rows: &[FlagTransition]) -> BatchOf<'_, FlagTransition> {
    BatchOf::new(rows)
        .text("flag_id", |t| Some(t.flag_id.as_str()))
        .time("at", |t| Some(t.at))
        .text("transition", |t| Some(t.transition.name()))
        .text("severity", |t| Some(t.severity.name()))
        .text("evidence", |t| Some(t.evidence.as_str()))
}

#[async_trait]
impl Rows for FlagTransitions {
    fn schema(&self) -> SchemaRef {
        of_transitions(&[]).schema()
    }

    fn narrowed_by(&self) -> &'static [&'static str] {
        &["flag_id"]
    }

    async fn load(&self, wanted: Wanted) -> Result<RecordBatch, QueryError> {
        let mut rows = self.metadata.flag_transitions(wanted.text("flag_id")).await.map_err(QueryError::metadata)?;
        // They are never rewritten.
        rows.retain(|row| self.at.is_none_or(|at| row.at <= at.time()));
        of_transitions(&rows).finish().map_err(internal)
    }

    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self { metadata: self.metadata.clone(), at: Some(at) })))
    }
}
