//! The Arrow shape of readings: what archives give, what SQL sees.

use std::hash::Hash;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Float64Array, Int16Array, Int32Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray, StringDictionaryBuilder, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{
    DataType, Field, Float64Type, Int16Type, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use gwbank_model::{
    GatewayId, GatewayTable, Origin, Parameter, QcTests, QualityFlag, Row, Seq, SeriesId, SeriesTable, SiteStatus,
    TimeFormIndex, TimeForms, TimeSource, Timestamp, WellId,
};

use hashbrown::HashMap;

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
    pub const TIME_RAW: usize = 11;
    pub const SUPERSEDED_SEQ: usize = 12;
    pub const SUPERSEDED_AT: usize = 13;
    pub const CAUSE: usize = 14;
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
        // No dictionary: where there are texts, nearly every instant has its own.
        Field::new("time_raw", DataType::Utf8, true),
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
    pub time_forms: TimeForms,
}

/// A dictionary column. Rows come in runs of one entry, and only its first is looked up.
fn dictionary<E: Copy + Eq + Hash, N: AsRef<str>>(
    rows: &[Row],
    mut entry: impl FnMut(&Row) -> Option<E>,
    name: impl Fn(E) -> N,
) -> ArrayRef {
    let mut names: Vec<N> = Vec::new();
    let mut known: HashMap<E, i32> = HashMap::new();
    let mut last: Option<(E, i32)> = None;
    let mut key_of = |entry: E| match last {
        Some((same, key)) if same == entry => key,
        _ => {
            let key = *known.entry(entry).or_insert_with(|| {
                names.push(name(entry));
                names.len() as i32 - 1
            });
            last = Some((entry, key));
            key
        }
    };
    let keys: Int32Array = rows.iter().map(|row| entry(row).map(&mut key_of)).collect();
    Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from_iter_values(names))))
}

fn fixed_names(rows: &[Row], name: impl Fn(&Row) -> Option<&'static str>) -> ArrayRef {
    dictionary(rows, name, |name| name)
}

/// Rows as a batch of [`reading_schema`], in their order.
pub fn rows_to_batch(rows: &[Row], names: &RowNames) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(reading_schema(), row_columns(rows, names))
}

/// As [`rows_to_batch`], but only some columns, by their places in [`reading_schema`]: names cost more than numbers.
///
/// # Panics
/// On a place that is not in the schema.
pub fn rows_to_columns(rows: &[Row], names: &RowNames, wanted: &[usize]) -> Result<RecordBatch, ArrowError> {
    let schema = Arc::new(reading_schema().project(wanted)?);
    let columns = wanted.iter().map(|&column| row_column(rows, names, column)).collect();
    RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(rows.len())))
}

fn row_columns(rows: &[Row], names: &RowNames) -> Vec<ArrayRef> {
    (0..reading_schema().fields().len()).map(|column| row_column(rows, names, column)).collect()
}

fn row_column(rows: &[Row], names: &RowNames, column: usize) -> ArrayRef {
    match column {
        columns::WELL_ID => dictionary(rows, |r| Some(r.series), |series| names.series.key(series).well),
        columns::PARAMETER => {
            let mut last: Option<(SeriesId, Parameter)> = None;
            let parameter = |row: &Row| {
                let known = last.filter(|(series, _)| *series == row.series);
                let (_, parameter) =
                    *last.insert(known.unwrap_or_else(|| (row.series, names.series.key(row.series).parameter)));
                Some(parameter)
            };
            dictionary(rows, parameter, Parameter::name)
        }
        columns::TIME => {
            let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.time.as_micros()));
            Arc::new(times.with_timezone("UTC"))
        }
        columns::VALUE => Arc::new(Float64Array::from_iter(rows.iter().map(Row::value))),
        columns::SITE_STATUS => fixed_names(rows, |r| r.site_status.map(|s| s.name())),
        columns::QUALITY => Arc::new(Int16Array::from_iter_values(rows.iter().map(|r| i16::from(r.quality.code())))),
        columns::QC_TESTS => Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| i32::from(r.qc_tests.bits())))),
        columns::TIME_SOURCE => fixed_names(rows, |r| Some(r.time_source.name())),
        columns::GATEWAY_ID => dictionary(rows, |r| Some(r.gateway), |gateway| names.gateways.id(gateway)),
        columns::REVISION => {
            let revision = |row: &Row| i32::try_from(row.revision).unwrap_or(i32::MAX);
            Arc::new(Int32Array::from_iter_values(rows.iter().map(revision)))
        }
        columns::SEQ => Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.seq.as_i64()))),
        columns::TIME_RAW => time_texts(rows, &names.time_forms),
        other => unreachable!("readings have no column {other}"),
    }
}

/// The times as their senders wrote them, null where they were not corrected.
fn time_texts(rows: &[Row], forms: &TimeForms) -> ArrayRef {
    if rows.iter().all(|row| row.time_form.is_none()) {
        return new_null_array(&DataType::Utf8, rows.len());
    }
    let mut forms = forms.reader();
    Arc::new(StringArray::from_iter(rows.iter().map(|row| row.time_form.map(|form| forms.render(form, row.time)))))
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
    revisions.iter().for_each(|revision| cause.append_value(revision.cause));
    columns.push(Arc::new(cause.finish()));
    RecordBatch::try_new(revision_schema(), columns)
}

fn strange(column: &str, value: impl std::fmt::Debug) -> ArrowError {
    ArrowError::ParseError(format!("{column} cannot be {value:?}"))
}

/// What each entry of a dictionary column means, looked up once per entry.
struct Names<'a, T> {
    column: &'a arrow::array::DictionaryArray<Int32Type>,
    meanings: Vec<Option<T>>,
}

impl<'a, T: Clone> Names<'a, T> {
    fn new(batch: &'a RecordBatch, column: usize, meaning: impl Fn(&str) -> Option<T>) -> Result<Self, ArrowError> {
        let column = batch
            .column(column)
            .as_any_dictionary_opt()
            .and_then(|c| c.as_any().downcast_ref())
            .ok_or_else(|| strange(batch.schema_ref().field(column).name(), batch.column(column).data_type()))?;
        let values = AsArray::as_string::<i32>(arrow::array::DictionaryArray::<Int32Type>::values(column));
        // Only an entry that is used must mean something: dictionaries may hold others.
        let meanings = values.iter().map(|text| text.and_then(&meaning)).collect();
        Ok(Self { column, meanings })
    }

    /// `None` where the column is null.
    fn get(&self, row: usize, name: &'static str) -> Result<Option<&T>, ArrowError> {
        let Some(key) = self.column.key(row) else { return Ok(None) };
        match &self.meanings[key] {
            Some(meaning) => Ok(Some(meaning)),
            None => Err(strange(name, AsArray::as_string::<i32>(self.column.values()).value(key))),
        }
    }

    fn required(&self, row: usize, name: &'static str) -> Result<&T, ArrowError> {
        self.get(row, name)?.ok_or_else(|| strange(name, "null"))
    }
}

/// The rows of a batch whose first columns are those of [`reading_schema`]. `origin` is not in it: it reads as received.
pub fn batch_to_rows(batch: &RecordBatch, names: &RowNames) -> Result<Vec<Row>, ArrowError> {
    if batch.num_columns() < reading_schema().fields().len() {
        return Err(strange("a batch of readings", batch.schema()));
    }
    let wells = Names::new(batch, columns::WELL_ID, |text| WellId::new(text).ok())?;
    let parameters = Names::new(batch, columns::PARAMETER, Parameter::from_name)?;
    let site = Names::new(batch, columns::SITE_STATUS, SiteStatus::from_name)?;
    let time_source = Names::new(batch, columns::TIME_SOURCE, TimeSource::from_name)?;
    let gateways =
        Names::new(batch, columns::GATEWAY_ID, |text| Some(names.gateways.intern(&GatewayId::new(text).ok()?)))?;
    let time = batch.column(columns::TIME).as_primitive::<TimestampMicrosecondType>();
    let value = batch.column(columns::VALUE).as_primitive::<Float64Type>();
    let quality = batch.column(columns::QUALITY).as_primitive::<Int16Type>();
    let qc_tests = batch.column(columns::QC_TESTS).as_primitive::<Int32Type>();
    let revision = batch.column(columns::REVISION).as_primitive::<Int32Type>();
    let seq = batch.column(columns::SEQ).as_primitive::<Int64Type>();
    let time_raw: &StringArray = batch.column(columns::TIME_RAW).as_string();
    let mut last_form: Option<TimeFormIndex> = None;
    let mut rows = Vec::with_capacity(batch.num_rows());
    // Batches come sorted: the series of the row before is nearly always this one's.
    let mut last: Option<(WellId, Parameter, SeriesId)> = None;
    for i in 0..batch.num_rows() {
        let well = wells.required(i, "well_id")?;
        let parameter = *parameters.required(i, "parameter")?;
        let series = match &last {
            Some((w, p, series)) if w == well && *p == parameter => *series,
            _ => {
                let series = names.series.intern(well, parameter);
                last = Some((well.clone(), parameter, series));
                series
            }
        };
        let code = quality.value(i);
        let time = Timestamp::from_micros(time.value(i));
        let time_form = if time_raw.is_null(i) {
            None
        } else {
            last_form = names.time_forms.intern(time_raw.value(i), time, last_form);
            last_form
        };
        rows.push(Row {
            series,
            gateway: *gateways.required(i, "gateway_id")?,
            time,
            value: if value.is_null(i) { f64::NAN } else { value.value(i) },
            seq: Seq::from_i64(seq.value(i)),
            revision: u32::try_from(revision.value(i)).map_err(|_| strange("revision", revision.value(i)))?,
            qc_tests: QcTests::from_bits(
                u16::try_from(qc_tests.value(i)).map_err(|_| strange("qc_tests", qc_tests.value(i)))?,
            ),
            quality: u8::try_from(code)
                .ok()
                .and_then(QualityFlag::from_code)
                .ok_or_else(|| strange("quality", code))?,
            site_status: site.get(i, "site_status")?.copied(),
            time_source: *time_source.required(i, "time_source")?,
            origin: Origin::Received,
            time_form,
        });
    }
    Ok(rows)
}

/// The revisions of a batch of [`revision_schema`].
pub fn batch_to_revisions(batch: &RecordBatch, names: &RowNames) -> Result<Vec<RevisionRow>, ArrowError> {
    let rows = batch_to_rows(batch, names)?;
    if batch.num_columns() < revision_schema().fields().len() {
        return Err(strange("a batch of revisions", batch.schema()));
    }
    let superseded_seq = batch.column(columns::SUPERSEDED_SEQ).as_primitive::<Int64Type>();
    let superseded_at = batch.column(columns::SUPERSEDED_AT).as_primitive::<TimestampMicrosecondType>();
    let known = |text: &str| RevisionRow::CAUSES.iter().find(|&&cause| cause == text).copied();
    let cause = Names::new(batch, columns::CAUSE, known)?;
    rows.into_iter()
        .enumerate()
        .map(|(i, row)| {
            Ok(RevisionRow {
                row,
                superseded_seq: Seq::from_i64(superseded_seq.value(i)),
                superseded_at: Timestamp::from_micros(superseded_at.value(i)),
                cause: cause.required(i, "cause")?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_their_batch() {
        let names = RowNames::default();
        let series = names.series.intern(&WellId::new("W-1").unwrap(), Parameter::Chloride);
        let text = "2513-01-01T06:59:59.999995+07:00";
        let row = Row {
            series,
            gateway: names.gateways.intern(&GatewayId::new("gw").unwrap()),
            time: Timestamp::from_micros(-5),
            value: f64::NAN,
            seq: Seq::from_i64(77 << 20),
            revision: 3,
            qc_tests: QcTests::from_bits(0x8001),
            quality: QualityFlag::Missing,
            site_status: Some(SiteStatus::Dry),
            time_source: TimeSource::BuddhistEra,
            origin: Origin::Received,
            time_form: names.time_forms.intern(text, Timestamp::from_micros(-5), None),
        };
        let with_value = Row { value: -0.25, site_status: None, time_form: None, ..row };
        let revision = RevisionRow::new(row, &Row { seq: Seq::from_i64(99 << 20), ..with_value });
        let batch = rows_to_batch(&[row, with_value], &names).unwrap();
        let some = [columns::PARAMETER, columns::VALUE, columns::SEQ];
        assert_eq!(rows_to_columns(&[row, with_value], &names, &some).unwrap(), batch.project(&some).unwrap());
        let texts: &StringArray = batch.column(columns::TIME_RAW).as_string();
        assert_eq!(texts.iter().collect::<Vec<_>>(), [Some(text), None]);
        let elsewhere = RowNames::default(); // another process numbers differently
        elsewhere.time_forms.intern("another", Timestamp::from_micros(0), None);
        elsewhere.series.intern(&WellId::new("other").unwrap(), Parameter::Ph);
        let back = batch_to_rows(&batch, &elsewhere).unwrap();
        assert_eq!(elsewhere.series.key(back[0].series).well.as_str(), "W-1");
        assert_eq!(rows_to_batch(&back, &elsewhere).unwrap(), batch);
        let batch = revisions_to_batch(&[revision], &names).unwrap();
        let back = batch_to_revisions(&batch, &names).unwrap();
        assert_eq!(format!("{back:?}"), format!("{:?}", [revision]));
    }
}
