//! Batches for people: Thai time, no NaN, nested values as text where the format has no nesting.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema};
use arrow::error::ArrowError;

/// The offset in which instants are shown.
pub const THAI_ZONE: &str = "+07:00";

/// The same rows, fit for JSON, CSV and tables.
pub fn presentable(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let column = present_column(column)?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

fn present_column(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => cast(column, &DataType::Timestamp(*unit, Some(THAI_ZONE.into()))),
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            if values.values().iter().all(|value| value.is_finite()) {
                return Ok(column.clone());
            }
            Ok(Arc::new(values.iter().map(|value| value.filter(|v| v.is_finite())).collect::<Float64Array>()))
        }
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>();
            Ok(Arc::new(values.iter().map(|value| value.filter(|v| v.is_finite())).collect::<Float32Array>()))
        }
        _ => Ok(column.clone()),
    }
}

/// Lists and structs as their text, for CSV, which has no way to write them.
pub fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    let options = arrow::util::display::FormatOptions::default();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if !column.data_type().is_nested() {
            fields.push(field.as_ref().clone());
            columns.push(column.clone());
            continue;
        }
        let formatter = arrow::util::display::ArrayFormatter::try_new(column, &options)?;
        let texts: arrow::array::StringArray =
            (0..column.len()).map(|row| column.is_valid(row).then(|| formatter.value(row).to_string())).collect();
        fields.push(Field::new(field.name(), DataType::Utf8, true));
        columns.push(Arc::new(texts) as ArrayRef);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}
