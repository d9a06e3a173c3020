//! `indicators`: what the watch computed; `indicator_revisions`: what it had computed before.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_model::condition::Scope;
use gwbank_store::{IndicatorKey, IndicatorRevision, IndicatorRow, Metadata};

use super::batch::BatchOf;
use super::small::{Rows, Then, Wanted, check_history, internal};
use crate::error::QueryError;
use crate::known_at::KnownAt;

#[derive(Debug)]
pub(super) struct Indicators {
    metadata: Arc<dyn Metadata>,
    at: Option<KnownAt>,
}

impl Indicators {
    pub(super) fn now(metadata: Arc<dyn Metadata>) -> Self {
        Self { metadata, at: None }
    }

    /// Those of then: of now that were there, and what was superseded later.
    async fn rows(&self, place: Option<&str>) -> Result<Vec<IndicatorRow>, QueryError> {
        let Some(at) = self.at else { return self.metadata.indicators(place).await.map_err(QueryError::metadata) };
        check_history(self.metadata.as_ref(), at).await?;
        // In this order: a row that is superseded meanwhile is told twice and not left out.
        let mut rows = self.metadata.indicators(place).await.map_err(QueryError::metadata)?;
        rows.retain(|row| row.computed_at <= at.time());
        let revisions = self.metadata.indicator_revisions(place).await.map_err(QueryError::metadata)?;
        let mut known: HashSet<IndicatorKey> = rows.iter().map(IndicatorRow::key).collect();
        for IndicatorRevision { row, superseded_at } in revisions {
            if row.computed_at <= at.time() && superseded_at > at.time() && known.insert(row.key()) {
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

fn of_indicators(rows: &[IndicatorRow]) -> BatchOf<'_, IndicatorRow> {
    of_columns(BatchOf::new(rows), |row| row)
}

fn of_columns<'a, T>(batch: BatchOf<'a, T>, of: impl Fn(&'a T) -> &'a IndicatorRow + Copy) -> BatchOf<'a, T> {
    batch
        .text("scope", move |it| {
            let i = of(it);
            Some(i.scope.name())
        })
        .text("well_id", move |it| {
            let i = of(it);
            (i.scope == Scope::Well).then_some(i.place.as_str())
        })
        .text("province_code", move |it| {
            let i = of(it);
            Some(i.province_code.as_str())
        })
        .time("period", move |it| {
            let i = of(it);
            Some(i.period)
        })
        .text("indicator", move |it| {
            let i = of(it);
            Some(i.indicator.as_str())
        })
        .number("value", move |it| {
            let i = of(it);
            i.value
        })
        .text("class", move |it| {
            let i = of(it);
            i.class.as_deref()
        })
        .number("confidence", move |it| {
            let i = of(it);
            i.confidence
        })
        .whole("n", move |it| {
            let i = of(it);
            i.n
        })
        .number("years", move |it| {
            let i = of(it);
            i.years
        })
        .time("computed_at", move |it| {
            let i = of(it);
            Some(i.computed_at)
        })
        .text("place", move |it| {
            let i = of(it);
            Some(i.place.as_str())
        })
        .number("approved_share", move |it| {
            let i = of(it);
            i.approved_share
        })
        .number("quality_share", move |it| {
            let i = of(it);
            i.quality_share
        })
}

#[async_trait]
impl Rows for Indicators {
    fn schema(&self) -> SchemaRef {
        of_indicators(&[]).schema()
    }

    fn narrowed_by(&self) -> &'static [&'static str] {
        &["well_id", "place"]
    }

    async fn load(&self, wanted: Wanted) -> Result<RecordBatch, QueryError> {
        let place = wanted.text("well_id").or(wanted.text("place"));
        of_indicators(&self.rows(place).await?).finish().map_err(internal)
    }

    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self { metadata: self.metadata.clone(), at: Some(at) })))
    }
}

#[derive(Debug)]
pub(super) struct IndicatorRevisions {
    metadata: Arc<dyn Metadata>,
    at: Option<KnownAt>,
}

impl IndicatorRevisions {
    pub(super) fn now(metadata: Arc<dyn Metadata>) -> Self {
        Self { metadata, at: None }
    }
}

fn of_revisions(rows: &[IndicatorRevision]) -> BatchOf<'_, IndicatorRevision> {
    let columns = of_columns(BatchOf::new(rows), |revision| &revision.row);
    columns.time("superseded_at", |revision| Some(revision.superseded_at))
}

#[async_trait]
impl Rows for IndicatorRevisions {
    fn schema(&self) -> SchemaRef {
        of_revisions(&[]).schema()
    }

    fn narrowed_by(&self) -> &'static [&'static str] {
        &["well_id", "place"]
    }

    async fn load(&self, wanted: Wanted) -> Result<RecordBatch, QueryError> {
        let place = wanted.text("well_id").or(wanted.text("place"));
        let mut rows = self.metadata.indicator_revisions(place).await.map_err(QueryError::metadata)?;
        if let Some(at) = self.at {
            check_history(self.metadata.as_ref(), at).await?;
            rows.retain(|revision| revision.superseded_at <= at.time());
        }
        of_revisions(&rows).finish().map_err(internal)
    }

    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self { metadata: self.metadata.clone(), at: Some(at) })))
    }
}
