//! `indicators`: what the watch computed.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_model::condition::Scope;
use gwbank_store::{IndicatorRow, Metadata};

use super::batch::BatchOf;
use super::small::{Rows, Wanted, internal};
use crate::error::QueryError;

#[derive(Debug)]
pub(super) struct Indicators(pub(super) Arc<dyn Metadata>);

fn of_indicators(rows: &[IndicatorRow]) -> BatchOf<'_, IndicatorRow> {
    BatchOf::new(rows)
        .text("scope", |i| Some(i.scope.name()))
        .text("well_id", |i| (i.scope == Scope::Well).then_some(i.place.as_str()))
        .text("province_code", |i| Some(i.province_code.as_str()))
        .time("period", |i| Some(i.period))
        .text("indicator", |i| Some(i.indicator.as_str()))
        .number("value", |i| i.value)
        .text("class", |i| i.class.as_deref())
        .number("confidence", |i| i.confidence)
        .whole("n", |i| i.n)
        .number("years", |i| i.years)
        .time("computed_at", |i| Some(i.computed_at))
        .text("place", |i| Some(i.place.as_str()))
        .number("approved_share", |i| i.approved_share)
        .number("quality_share", |i| i.quality_share)
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
        let rows = self.0.indicators(place).await.map_err(QueryError::metadata)?;
        of_indicators(&rows).finish().map_err(internal)
    }
}
