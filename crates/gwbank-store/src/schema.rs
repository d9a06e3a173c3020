//! The Arrow shape of readings: what archives give, what SQL sees.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Float64Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringDictionaryBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use gwbank_model::{GatewayIndex, GatewayTable, Row, SeriesId, SeriesTable};

use crate::RevisionRow;

/// Places of the columns in [`reading_schema`]; [`revision_schema`] has the same and three more.
pub mod columns {
    pub const WELL_ID: usize = 0;
    pub const PARAMETER: usize = 1;
    pub const TIME: usize = 2;
    pub const VALUE: usize = 3;
    pub const SITE_STATUS: usize = 4;
    pub const QUALITY: usize = 5;
    pub const QC_TESTS: usize = 6;
    pub const TIME_SOURCE: usize = 7;
    pub const GATEWAY_ID: usize = 8;
    pub const REVISION: usize = 9;
    pub const SEQ: usize = 10;
    pub const SUPERSEDED_SEQ: usize = 11;
    pub const SUPERSEDED_AT: usize = 12;
    pub const CAUSE: usize = 13;
}

fn name_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn reading_fields() -> Vec<Field> {
    vec![
        Field::new("well_id", name_type(), false),
        Field::new("parameter", name_type(), false),
        Field::new("time", timestamp_type(), false),
        Field::new("value", DataType::Float64, true),
        Field::new("site_status", name_type(), true),
        Field::new("quality", DataType::Int16, false),
        Field::new("qc_tests", DataType::Int32, false),
        Field::new("time_source", name_type(), false),
        Field::new("gateway_id", name_type(), false),
        Field::new("revision", DataType::Int32, false),
        Field::new("seq", DataType::Int64, false),
    ]
}

/// Winners: one row a key. `received_at` is `seq >> 20` and is made by the query layer, as `approval` is.
pub fn reading_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(reading_fields())));
    SCHEMA.clone()
}

/// Superseded versions: a reading and what took its place.
pub fn revision_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let mut fields = reading_fields();
        fields.push(Field::new("superseded_seq", DataType::Int64, false));
        fields.push(Field::new("superseded_at", timestamp_type(), false));
        fields.push(Field::new("cause", name_type(), false));
        Arc::new(Schema::new(fields))
    });
    SCHEMA.clone()
}

/// The tables that turn a process's numbers back into names.
#[derive(Debug, Clone, Default)]
pub struct RowNames {
    pub series: SeriesTable,
    pub gateways: GatewayTable,
}

/// A dictionary column from dense numbers: each distinct number is looked up once.
fn dictionary(rows: &[Row], number: impl Fn(&Row) -> u32, name: impl Fn(u32) -> String) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::with_capacity(rows.len(), 64, 1024);
    let mut last: Option<(u32, String)> = None;
    for row in rows {
        let number = number(row);
        if last.as_ref().is_none_or(|(n, _)| *n != number) {
            last = Some((number, name(number)));
        }
        let (_, text) = last.as_ref().expect("just set");
        builder.append_value(text);
    }
    Arc::new(builder.finish())
}

fn fixed_names(rows: &[Row], name: impl Fn(&Row) -> Option<&'static str>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::with_capacity(rows.len(), 8, 64);
    for row in rows {
        builder.append_option(name(row));
    }
    Arc::new(builder.finish())
}

/// Rows as a batch of [`reading_schema`], in their order.
pub fn rows_to_batch(rows: &[Row], names: &RowNames) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(reading_schema(), row_columns(rows, names))
}

fn row_columns(rows: &[Row], names: &RowNames) -> Vec<ArrayRef> {
    let series = names.series.keys();
    vec![
        dictionary(rows, |r| r.series.0, |n| series[SeriesId(n).0 as usize].well.as_str().to_owned()),
        fixed_names(rows, |r| Some(series[r.series.0 as usize].parameter.name())),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.time.as_micros())).with_timezone("UTC"),
        ),
        Arc::new(Float64Array::from_iter(rows.iter().map(Row::value))),
        fixed_names(rows, |r| r.site_status.map(|s| s.name())),
        Arc::new(Int16Array::from_iter_values(rows.iter().map(|r| i16::from(r.quality.code())))),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| i32::from(r.qc_tests.bits())))),
        fixed_names(rows, |r| Some(r.time_source.name())),
        dictionary(rows, |r| r.gateway.0, |n| names.gateways.id(GatewayIndex(n)).as_str().to_owned()),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| i32::try_from(r.revision).unwrap_or(i32::MAX)))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.seq.as_i64()))),
    ]
}

/// Revisions as a batch of [`revision_schema`], in their order.
pub fn revisions_to_batch(revisions: &[RevisionRow], names: &RowNames) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<Row> = revisions.iter().map(|r| r.row).collect();
    let mut columns = row_columns(&rows, names);
    columns.push(Arc::new(Int64Array::from_iter_values(revisions.iter().map(|r| r.superseded_seq.as_i64()))));
    columns.push(Arc::new(
        TimestampMicrosecondArray::from_iter_values(revisions.iter().map(|r| r.superseded_at.as_micros()))
            .with_timezone("UTC"),
    ));
    let mut cause = StringDictionaryBuilder::<Int32Type>::new();
    for revision in revisions {
        cause.append_value(revision.cause);
    }
    columns.push(Arc::new(cause.finish()));
    RecordBatch::try_new(revision_schema(), columns)
}
