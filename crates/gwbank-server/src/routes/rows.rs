//! An answer of SQL as JSON objects, for pages and texts that are made of few rows.

use futures::StreamExt;
use serde_json::Value;

use crate::doors::{SqlAnswer, SqlError, SqlErrorKind};
use crate::encode::presentable;

pub(super) async fn rows_of(answer: SqlAnswer) -> Result<Vec<Value>, SqlError> {
    let failed = |error: &dyn std::error::Error| SqlError::new(SqlErrorKind::Internal, error.to_string());
    let mut batches = answer.batches;
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::JsonArray>(Vec::new());
    while let Some(batch) = batches.next().await {
        let shown = presentable(&batch?).map_err(|error| failed(&error))?;
        writer.write(&shown).map_err(|error| failed(&error))?;
    }
    writer.finish().map_err(|error| failed(&error))?;
    let bytes = writer.into_inner();
    match bytes.is_empty() {
        true => Ok(Vec::new()),
        false => serde_json::from_slice(&bytes).map_err(|error| failed(&error)),
    }
}
