//! `quality_limits`: the limits of the quality tests as they hold.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_store::EffectiveLimit;
use tokio::sync::watch;

use super::batch::BatchOf;
use super::small::{Rows, Wanted, internal};
use crate::error::QueryError;

#[derive(Debug)]
pub(super) struct QualityLimits(pub(super) watch::Receiver<Arc<Vec<EffectiveLimit>>>);

fn of_limits(rows: &[EffectiveLimit]) -> BatchOf<'_, EffectiveLimit> {
    BatchOf::new(rows)
        .text("well_id", |l| l.key.well_id.as_ref())
        .text("parameter", |l| l.key.parameter.map(|parameter| parameter.name()))
        .text("limit_name", |l| Some(l.key.limit.as_str()))
        .number("value", |l| Some(l.value))
        .text("unit", |l| l.unit.as_deref())
        .text("source", |l| Some(l.source.name()))
        .time("changed_at", |l| l.changed_at)
}

#[async_trait]
impl Rows for QualityLimits {
    fn schema(&self) -> SchemaRef {
        of_limits(&[]).schema()
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        let limits = self.0.borrow().clone();
        of_limits(&limits).finish().map_err(internal)
    }
}
