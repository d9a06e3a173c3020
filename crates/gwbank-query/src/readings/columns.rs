//! The columns that SQL shows, and how they come from an archive's.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, RecordBatch, RecordBatchOptions, StringViewArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{cast, filter_record_batch, take, take_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use gwbank_model::{Parameter, Seq};
use gwbank_store::{Approvals, columns, timestamp_type};

use crate::readings::approval::{self, approval, provisional};
use crate::readings::cut::HiddenKeys;

/// Names are views: as quick to compare and group as dictionary numbers for the short names there are, and plain text to
/// every join, cast and writer.
pub(crate) const NAME: DataType = DataType::Utf8View;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    Readings,
    Revisions,
}

/// Where a column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// A column of the archive's schema, by its place there.
    Stored(usize),
    /// `seq >> 20`.
    ReceivedAt,
    /// As the reviews say that hold: see [`approval`].
    Approval,
}

const READING_COLUMNS: &[(&str, Column)] = &[
    ("well_id", Column::Stored(columns::WELL_ID)),
    ("parameter", Column::Stored(columns::PARAMETER)),
    ("time", Column::Stored(columns::TIME)),
    ("value", Column::Stored(columns::VALUE)),
    ("site_status", Column::Stored(columns::SITE_STATUS)),
    ("quality", Column::Stored(columns::QUALITY)),
    ("qc_tests", Column::Stored(columns::QC_TESTS)),
    ("time_source", Column::Stored(columns::TIME_SOURCE)),
    ("approval", Column::Approval),
    ("gateway_id", Column::Stored(columns::GATEWAY_ID)),
    ("received_at", Column::ReceivedAt),
    ("seq", Column::Stored(columns::SEQ)),
    ("revision", Column::Stored(columns::REVISION)),
    ("time_raw", Column::Stored(columns::TIME_RAW)),
];

const REVISION_COLUMNS: &[(&str, Column)] = &[
    ("well_id", Column::Stored(columns::WELL_ID)),
    ("parameter", Column::Stored(columns::PARAMETER)),
    ("time", Column::Stored(columns::TIME)),
    ("value", Column::Stored(columns::VALUE)),
    ("site_status", Column::Stored(columns::SITE_STATUS)),
    ("quality", Column::Stored(columns::QUALITY)),
    ("qc_tests", Column::Stored(columns::QC_TESTS)),
    ("time_source", Column::Stored(columns::TIME_SOURCE)),
    ("gateway_id", Column::Stored(columns::GATEWAY_ID)),
    ("received_at", Column::ReceivedAt),
    ("seq", Column::Stored(columns::SEQ)),
    ("revision", Column::Stored(columns::REVISION)),
    ("superseded_seq", Column::Stored(columns::SUPERSEDED_SEQ)),
    ("superseded_at", Column::Stored(columns::SUPERSEDED_AT)),
    ("cause", Column::Stored(columns::CAUSE)),
    ("time_raw", Column::Stored(columns::TIME_RAW)),
];

/// Whether SQL shows a stored column as [`NAME`].
fn is_text(stored: &DataType) -> bool {
    matches!(stored, DataType::Dictionary(..) | DataType::Utf8)
}

impl Table {
    pub(crate) fn columns(self) -> &'static [(&'static str, Column)] {
        match self {
            Table::Readings => READING_COLUMNS,
            Table::Revisions => REVISION_COLUMNS,
        }
    }

    fn stored_schema(self) -> SchemaRef {
        match self {
            Table::Readings => gwbank_store::reading_schema(),
            Table::Revisions => gwbank_store::revision_schema(),
        }
    }

    pub(crate) fn schema(self) -> SchemaRef {
        static READINGS: LazyLock<SchemaRef> = LazyLock::new(|| Table::Readings.make_schema());
        static REVISIONS: LazyLock<SchemaRef> = LazyLock::new(|| Table::Revisions.make_schema());
        match self {
            Table::Readings => READINGS.clone(),
            Table::Revisions => REVISIONS.clone(),
        }
    }

    fn make_schema(self) -> SchemaRef {
        let stored = self.stored_schema();
        let field = |&(name, column): &(&str, Column)| match column {
            Column::Stored(index) => {
                let field = stored.field(index);
                let plain = if is_text(field.data_type()) { NAME } else { field.data_type().clone() };
                Field::new(name, plain, field.is_nullable())
            }
            Column::ReceivedAt => Field::new(name, timestamp_type(), false),
            Column::Approval => Field::new(name, NAME, false),
        };
        Arc::new(Schema::new(self.columns().iter().map(field).collect::<Vec<_>>()))
    }
}

/// Some columns of a table, in a query's order.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    pub(crate) columns: Vec<Column>,
    pub(crate) schema: SchemaRef,
    /// What an archive is asked for, and the place of each output's source in it.
    pub(crate) stored: Vec<usize>,
    sources: Vec<usize>,
    /// Where it is asked for and there is any.
    pub(crate) approvals: Option<Arc<Approvals>>,
}

impl Projection {
    /// `with_keys`: also fetch the key's columns, to hide rows by.
    pub(crate) fn new(table: Table, outputs: &[usize], with_keys: WithKeys, approvals: &Arc<Approvals>) -> Self {
        let columns: Vec<Column> = outputs.iter().map(|&output| table.columns()[output].1).collect();
        let schema = Arc::new(table.schema().project(outputs).expect("outputs are columns of the table"));
        let needs = |column: &Column| match column {
            Column::Stored(index) => Some(*index),
            Column::ReceivedAt => Some(columns::SEQ),
            Column::Approval => None,
        };
        let mut stored: Vec<usize> = columns.iter().filter_map(needs).collect();
        if with_keys == WithKeys::Yes {
            stored.extend([columns::WELL_ID, columns::PARAMETER, columns::TIME]);
        }
        let approves = columns.contains(&Column::Approval) && !approvals.is_empty();
        if approves {
            stored.extend(approval::NEEDED);
        }
        if stored.is_empty() {
            stored.push(columns::QUALITY); // a batch without columns would not say how many rows it has
        }
        stored.sort_unstable();
        stored.dedup();
        let place = |column: &Column| needs(column).map_or(0, |index| stored.partition_point(|&s| s < index));
        let sources = columns.iter().map(place).collect();
        Self { columns, schema, stored, sources, approvals: approves.then(|| approvals.clone()) }
    }

    /// A batch of the archive's columns `self.stored` without the hidden rows.
    pub(crate) fn visible(&self, batch: RecordBatch, hidden: &HiddenKeys) -> Result<RecordBatch, ArrowError> {
        match self.mask(&batch, hidden)? {
            Some(mask) => filter_record_batch(&batch, &mask),
            None => Ok(batch),
        }
    }

    /// Of each run of rows of one series the latest.
    pub(crate) fn latest(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let names = |column: usize| Ok::<_, ArrowError>(names(batch.column(self.place(column)))?.keys().values());
        let (wells, parameters) = (names(columns::WELL_ID)?, names(columns::PARAMETER)?);
        let times = batch.column(self.place(columns::TIME)).as_primitive::<TimestampMicrosecondType>().values();
        let mut latest: Vec<u32> = Vec::new();
        let mut start = 0;
        while start < times.len() {
            let is_other = |row: &usize| (wells[*row], parameters[*row]) != (wells[start], parameters[start]);
            let end = (start + 1..times.len()).find(is_other).unwrap_or(times.len());
            latest.extend((start..end).max_by_key(|&row| times[row]).map(|row| row as u32));
            start = end;
        }
        take_record_batch(batch, &UInt32Array::from(latest))
    }

    /// A batch of the archive's columns `self.stored` as SQL shows it.
    pub(crate) fn shown(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let outputs: Result<Vec<ArrayRef>, ArrowError> = self
            .columns
            .iter()
            .zip(&self.sources)
            .map(|(column, &source)| match column {
                Column::Stored(_) => {
                    let stored = batch.column(source);
                    if is_text(stored.data_type()) { as_name(stored) } else { Ok(stored.clone()) }
                }
                Column::ReceivedAt => Ok(received_at(batch.column(source).as_primitive::<Int64Type>().values())),
                Column::Approval => match &self.approvals {
                    Some(approvals) => {
                        approval(approvals, approval::NEEDED.map(|column| batch.column(self.place(column))))
                    }
                    None => provisional(batch.num_rows()),
                },
            })
            .collect();
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), outputs?, &rows)
    }

    /// Of a stored column that was asked for: keys where rows are hidden, and what approvals depend on.
    fn place(&self, column: usize) -> usize {
        self.stored.binary_search(&column).expect("what is needed is fetched")
    }

    /// `None` when nothing of the batch is hidden.
    fn mask(&self, batch: &RecordBatch, hidden: &HiddenKeys) -> Result<Option<BooleanArray>, ArrowError> {
        if hidden.is_empty() {
            return Ok(None);
        }
        let dictionary = |column: usize| names(batch.column(self.place(column)));
        let (wells, parameters) = (dictionary(columns::WELL_ID)?, dictionary(columns::PARAMETER)?);
        let well_names = wells.values().as_string::<i32>();
        let of_wells: Vec<_> = well_names.iter().map(|well| hidden.of_well(well.unwrap_or_default())).collect();
        if of_wells.iter().all(Option::is_none) {
            return Ok(None);
        }
        let parameter_names = parameters.values().as_string::<i32>();
        let by_key: Vec<_> =
            parameter_names.iter().map(|name| Parameter::from_name(name.unwrap_or_default())).collect();
        let times = batch.column(self.place(columns::TIME)).as_primitive::<TimestampMicrosecondType>();
        let is_hidden = |row: usize| {
            let parameter = by_key[parameters.keys().value(row) as usize]?;
            let times_hidden = of_wells[wells.keys().value(row) as usize]?.get(&parameter)?;
            times_hidden.contains(&times.value(row)).then_some(())
        };
        Ok(Some((0..batch.num_rows()).map(|row| Some(is_hidden(row).is_none())).collect()))
    }
}

fn names(column: &ArrayRef) -> Result<&DictionaryArray<Int32Type>, ArrowError> {
    column
        .as_dictionary_opt()
        .ok_or_else(|| ArrowError::SchemaError("an archive gives names as dictionaries of 32-bit keys".to_owned()))
}

/// Text as SQL shows it. Of a dictionary each text is made a view once; Arrow's own cast makes one anew for every row.
fn as_name(text: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match text.as_dictionary_opt::<Int32Type>() {
        Some(dictionary) => take(&cast(dictionary.values(), &NAME)?, dictionary.keys(), None),
        None => cast(text, &NAME),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithKeys {
    Yes,
    No,
}

pub(crate) fn received_at(seqs: &[i64]) -> ArrayRef {
    let micros = seqs.iter().map(|&seq| Seq::from_i64(seq).received_at().as_micros());
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}

/// The end of the run of rows that are of the same series as the one at `start`; perhaps a part of it.
pub(crate) fn same_series_end(wells: &StringViewArray, parameters: &StringViewArray, start: usize) -> usize {
    let same =
        |row: usize| wells.views()[row] == wells.views()[start] && parameters.views()[row] == parameters.views()[start];
    (start + 1..wells.len()).find(|&row| !same(row)).unwrap_or(wells.len())
}
