//! `quality_findings`: what the second look found.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_store::{Metadata, QualityFinding};

use super::batch::BatchOf;
use super::small::{Rows, Wanted, internal};
use crate::error::QueryError;

#[derive(Debug)]
pub(super) struct QualityFindings(pub(super) Arc<dyn Metadata>);

fn of_findings(rows: &[QualityFinding]) -> BatchOf<'_, QualityFinding> {
    BatchOf::new(rows)
        .text("well_id", |f| Some(&f.well_id))
        .text("parameter", |f| Some(f.parameter.name()))
        .text("test", |f| Some(f.test.name()))
        .time("from_time", |f| Some(f.from))
        .time("to_time", |f| Some(f.to))
        .text("detail", |f| Some(f.detail.as_str()))
        .time("found_at", |f| Some(f.found_at))
}

#[async_trait]
impl Rows for QualityFindings {
    fn schema(&self) -> SchemaRef {
        of_findings(&[]).schema()
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        of_findings(&self.0.quality_findings().await.map_err(QueryError::metadata)?).finish().map_err(internal)
    }
}
