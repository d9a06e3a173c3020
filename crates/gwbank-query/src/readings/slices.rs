//! Rows of the window as batches: columns are copied in long stretches, names are looked up once a stretch.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Float64Array, Int16Array, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray,
    TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use gwbank_model::{GatewayIndex, Parameter, SiteStatus, TimeSource, Timestamp};
use gwbank_recent::{Columns, Slice, Span, Spans};
use gwbank_store::{Approvals, RowNames, columns};

use crate::readings::approval::{self, approval, provisional};
use crate::readings::columns::{Column, Projection, received_at};

/// As many rows in a batch as DataFusion likes.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Rows that are left out together, where none of them is worth giving.
const BLOCK_ROWS: usize = 64;
/// Rows that one batch, perhaps an empty one, is found in: others want to run, too.
const ROWS_LOOKED_AT_MAX: usize = 64 * BATCH_ROWS;

/// Gives the batches of one slice, one after the other.
pub(crate) struct SliceBatches {
    spans: Spans,
    names: RowNames,
    wells: ArrayRef,
    /// Of rows that are worth giving; see [`ReadingFilter::values`](super::ReadingFilter::values).
    values: Option<(f64, f64)>,
    projection: Arc<Projection>,
}

impl SliceBatches {
    /// `wells` has the well of each series.
    pub(crate) fn new(
        slice: &Slice,
        names: RowNames,
        wells: ArrayRef,
        values: Option<(f64, f64)>,
        projection: Arc<Projection>,
    ) -> Self {
        Self { spans: slice.spans(), names, wells, values, projection }
    }

    /// Of a span the blocks that have a row worth giving.
    fn push_worthy(&self, span: Span, (least, greatest): (f64, f64), spans: &mut Vec<Span>) -> usize {
        let columns = self.spans.columns();
        let is_worthy = |value: &f64| *value >= least && *value <= greatest;
        let mut rows = 0;
        for start in span.rows.clone().step_by(BLOCK_ROWS) {
            let block = start..span.rows.end.min(start + BLOCK_ROWS);
            if !columns.values()[block.clone()].iter().any(is_worthy) {
                continue;
            }
            rows += block.len();
            match spans.last_mut() {
                Some(last) if last.series == span.series && last.rows.end == block.start => last.rows.end = block.end,
                _ => spans.push(Span { series: span.series, rows: block }),
            }
        }
        rows
    }
}

impl Iterator for SliceBatches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut spans = Vec::new();
        let (mut rows, mut looked_at) = (0, 0);
        while rows < BATCH_ROWS && looked_at < ROWS_LOOKED_AT_MAX {
            let Some(span) = self.spans.next_span(BATCH_ROWS - rows) else { break };
            looked_at += span.rows.len();
            match self.values {
                Some(values) => rows += self.push_worthy(span, values, &mut spans),
                None => {
                    rows += span.rows.len();
                    spans.push(span);
                }
            }
        }
        if looked_at == 0 {
            return None;
        }
        let stretch =
            Stretch { spans: &spans, rows, columns: self.spans.columns(), names: &self.names, wells: &self.wells };
        let array = |column: &Column| match (column, &self.projection.approvals) {
            (Column::Approval, Some(approvals)) => stretch.approval(approvals),
            (column, _) => stretch.array(*column),
        };
        let arrays: Result<Vec<ArrayRef>, ArrowError> = self.projection.columns.iter().map(array).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = self.projection.schema.clone();
        Some(arrays.and_then(|arrays| RecordBatch::try_new_with_options(schema, arrays, &options)))
    }
}

struct Stretch<'a> {
    spans: &'a [Span],
    rows: usize,
    columns: Columns<'a>,
    names: &'a RowNames,
    wells: &'a ArrayRef,
}

impl Stretch<'_> {
    fn array(&self, column: Column) -> Result<ArrayRef, ArrowError> {
        let at = self.columns;
        Ok(match column {
            Column::Approval => return provisional(self.rows),
            Column::ReceivedAt => received_at(&self.copied(at.seqs())),
            Column::Stored(columns::WELL_ID) => {
                return take(self.wells, &UInt32Array::from(self.by_span(|span| span.series.0)), None);
            }
            Column::Stored(columns::PARAMETER) => {
                static NAMES: LazyLock<ArrayRef> = LazyLock::new(|| {
                    Arc::new(StringViewArray::from_iter_values(Parameter::ALL.iter().map(|p| p.name())))
                });
                let known = self.names.series.known();
                let code = |span: &Span| u32::from(known.keys()[span.series.0 as usize].parameter.code());
                let codes = self.by_span(code);
                return take(&*NAMES, &UInt32Array::from(codes), None);
            }
            Column::Stored(columns::TIME) => {
                Arc::new(TimestampMicrosecondArray::from(self.copied(at.times())).with_timezone("UTC"))
            }
            Column::Stored(columns::VALUE) => {
                let values = self.copied(at.values());
                let present = NullBuffer::from_iter(values.iter().map(|value| !value.is_nan()));
                let nulls = (present.null_count() > 0).then_some(present);
                Arc::new(Float64Array::new(values.into(), nulls))
            }
            Column::Stored(columns::SITE_STATUS) => {
                static NAMES: LazyLock<ArrayRef> =
                    LazyLock::new(|| code_names(SiteStatus::ALL, SiteStatus::code, SiteStatus::name));
                let codes = self.each(|row| at.site_status(row).map_or(0, |status| u32::from(status.code())));
                return take(&*NAMES, &UInt32Array::from(codes), None);
            }
            Column::Stored(columns::QUALITY) => {
                Arc::new(Int16Array::from(self.each(|row| i16::from(at.quality(row).code()))))
            }
            Column::Stored(columns::QC_TESTS) => {
                Arc::new(Int32Array::from(self.each(|row| i32::from(at.qc_tests(row).bits()))))
            }
            Column::Stored(columns::TIME_SOURCE) => {
                static NAMES: LazyLock<ArrayRef> =
                    LazyLock::new(|| code_names(TimeSource::ALL, TimeSource::code, TimeSource::name));
                let codes = self.each(|row| u32::from(at.time_source(row).code()));
                return take(&*NAMES, &UInt32Array::from(codes), None);
            }
            Column::Stored(columns::GATEWAY_ID) => return self.gateways(),
            Column::Stored(columns::REVISION) => {
                Arc::new(Int32Array::from(self.each(|row| i32::try_from(at.revision(row)).unwrap_or(i32::MAX))))
            }
            Column::Stored(columns::SEQ) => Arc::new(Int64Array::from(self.copied(at.seqs()))),
            Column::Stored(columns::TIME_RAW) => self.time_texts(),
            Column::Stored(other) => {
                return Err(ArrowError::SchemaError(format!("the window has no column {other}")));
            }
        })
    }

    fn approval(&self, approvals: &Approvals) -> Result<ArrayRef, ArrowError> {
        let needed = approval::NEEDED.map(|column| self.array(Column::Stored(column)));
        let [wells, parameters, times, seqs, tests, gateways] = needed;
        approval(approvals, [&wells?, &parameters?, &times?, &seqs?, &tests?, &gateways?])
    }

    fn copied<T: Copy>(&self, column: &[T]) -> Vec<T> {
        let mut values = Vec::with_capacity(self.rows);
        for span in self.spans {
            values.extend_from_slice(&column[span.rows.clone()]);
        }
        values
    }

    fn each<T>(&self, value: impl Fn(usize) -> T) -> Vec<T> {
        let mut values = Vec::with_capacity(self.rows);
        for span in self.spans {
            values.extend(span.rows.clone().map(&value));
        }
        values
    }

    fn by_span(&self, value: impl Fn(&Span) -> u32) -> Vec<u32> {
        let mut values = Vec::with_capacity(self.rows);
        for span in self.spans {
            values.resize(values.len() + span.rows.len(), value(span));
        }
        values
    }

    fn time_texts(&self) -> ArrayRef {
        let at = self.columns;
        if !at.has_time_forms() {
            return new_null_array(&DataType::Utf8View, self.rows);
        }
        let mut forms = self.names.time_forms.reader();
        let rows = self.spans.iter().flat_map(|span| span.rows.clone());
        let texts = rows.map(|row| {
            let time = Timestamp::from_micros(at.times()[row]);
            at.time_form(row).map(|form| forms.render(form, time))
        });
        Arc::new(StringViewArray::from_iter(texts))
    }

    fn gateways(&self) -> Result<ArrayRef, ArrowError> {
        let mut distinct: Vec<u32> = Vec::new();
        let mut places: std::collections::HashMap<u32, u32> = std::collections::HashMap::new();
        let mut last = None;
        let mut indices = Vec::with_capacity(self.rows);
        for row in self.spans.iter().flat_map(|span| span.rows.clone()) {
            let gateway = self.columns.gateway(row);
            let place = match last {
                Some((same, place)) if same == gateway => place,
                _ => *places.entry(gateway).or_insert_with(|| {
                    distinct.push(gateway);
                    distinct.len() as u32 - 1
                }),
            };
            last = Some((gateway, place));
            indices.push(place);
        }
        let ids = distinct.into_iter().map(|gateway| self.names.gateways.id(GatewayIndex(gateway)));
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(ids));
        take(&texts, &UInt32Array::from(indices), None)
    }
}

/// Element n is the name of code n, or null.
fn code_names<T: Copy>(all: &[T], code: impl Fn(T) -> u8, name: impl Fn(T) -> &'static str) -> ArrayRef {
    let codes = 0..=all.iter().map(|&item| code(item)).max().unwrap_or(0);
    let names = codes.map(|wanted| all.iter().find(|&&item| code(item) == wanted).map(|&item| name(item)));
    Arc::new(StringViewArray::from_iter(names))
}
