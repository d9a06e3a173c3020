//! Rows of a COPY as batches, without a row between.
//!
//! # Rules
//! 1. Only what the wanted columns are made of is asked for; `well_id` and `parameter` are made of one field.
//! 2. Every code and number is checked: what nothing of ours wrote is an error that names its column.
//! 3. A name is looked up once a scan. The dictionary of a batch holds what its rows use.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Builder, Int16Builder, Int32Builder, Int64Builder, RecordBatch,
    RecordBatchOptions, StringArray, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use gwbank_model::{QcTests, QualityFlag, SiteStatus, TimeSource};
use gwbank_store::{RevisionRow, RowNames, Summary, columns, reading_schema, revision_schema, timestamp_type};
use hashbrown::HashMap;
use postgres_types::{FromSql, Type};

use super::copy_out::Tuple;
use super::numbers::Numbers;
use crate::values::{Instant, Reason, StrangeValue, known, numbered, one_of};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Winners,
    Losers,
}

impl Kind {
    pub fn table(self) -> &'static str {
        match self {
            Kind::Winners => "reading_rows",
            Kind::Losers => "reading_versions",
        }
    }

    fn schema(self) -> SchemaRef {
        match self {
            Kind::Winners => reading_schema(),
            Kind::Losers => revision_schema(),
        }
    }
}

/// What the numbers of the database stand for.
#[derive(Clone, Copy)]
pub(crate) struct Naming<'a> {
    pub numbers: &'a Numbers,
    pub names: &'a RowNames,
}

/// Collects rows to batches of some columns.
pub(crate) struct Batches<'a> {
    naming: Naming<'a>,
    schema: SchemaRef,
    columns: Vec<Column>,
    /// For each column of the schema its place in `columns`.
    places: Vec<usize>,
    rows: usize,
}

impl<'a> Batches<'a> {
    /// `projection` holds places in the schema of readings or of revisions.
    pub fn new(kind: Kind, projection: Option<&[usize]>, naming: Naming<'a>) -> Result<Self, ArrowError> {
        let schema = kind.schema();
        let wanted: Vec<usize> = projection.map_or_else(|| (0..schema.fields().len()).collect(), <[usize]>::to_vec);
        let schema = Arc::new(schema.project(&wanted)?);
        // Sorted: so columns of one field are neighbours.
        let mut sorted = wanted.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let mut columns: Vec<Column> = Vec::with_capacity(sorted.len());
        for &column in &sorted {
            let (field, values) = column_of(column);
            let is_same_field = columns.last().is_some_and(|before| before.field == field);
            columns.push(Column { field, is_same_field, values });
        }
        let places = wanted.iter().map(|column| sorted.partition_point(|other| other < column)).collect();
        Ok(Self { naming, schema, columns, places, rows: 0 })
    }

    /// Of a summary's groups.
    pub fn of_summary(summary: &Summary, naming: Naming<'a>) -> Self {
        let mut columns = Vec::new();
        let mut add = |field, is_same_field, values| columns.push(Column { field, is_same_field, values });
        if summary.by_series {
            add("series_id", false, Values::Well(Dictionary::default()));
            add("series_id", true, Values::Parameter(Dictionary::default()));
        }
        if summary.bucket.is_some() {
            add("time", false, column_of(columns::TIME).1);
        }
        for measure in &summary.measures {
            let values = if measure.is_count() {
                Values::Long(Int64Builder::new())
            } else {
                Values::Value(Float64Builder::new())
            };
            add(measure.name(), false, values);
        }
        let places = (0..columns.len()).collect();
        Self { naming, schema: summary.schema(), columns, places, rows: 0 }
    }

    /// What a tuple consists of, as columns of the tables.
    pub fn fields(&self) -> Vec<&'static str> {
        self.columns.iter().filter(|column| !column.is_same_field).map(|column| column.field).collect()
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn push(&mut self, mut tuple: Tuple<'_>) -> Result<(), StrangeValue> {
        let mut field = None;
        for column in &mut self.columns {
            if !column.is_same_field {
                field = tuple.field();
            }
            let pushed = column.values.push(field, self.naming);
            pushed.map_err(|source| StrangeValue { column: column.field.into(), source })?;
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows since the last batch.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|column| column.values.finish()).collect();
        let columns = self.places.iter().map(|&place| arrays[place].clone()).collect();
        let rows = std::mem::take(&mut self.rows);
        RecordBatch::try_new_with_options(
            self.schema.clone(),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )
    }
}

struct Column {
    /// A column of the tables.
    field: &'static str,
    /// As the column before it.
    is_same_field: bool,
    values: Values,
}

enum Values {
    Well(Dictionary),
    Parameter(Dictionary),
    Time(TimestampMicrosecondBuilder),
    Value(Float64Builder),
    SiteStatus(Dictionary),
    Quality(Int16Builder),
    QcTests(Int32Builder),
    TimeSource(Dictionary),
    Gateway(Dictionary),
    Revision(Int32Builder),
    Long(Int64Builder),
    TimeRaw(StringBuilder),
    Cause(Dictionary),
}

fn column_of(column: usize) -> (&'static str, Values) {
    let time = || Values::Time(TimestampMicrosecondBuilder::new().with_data_type(timestamp_type()));
    match column {
        columns::WELL_ID => ("series_id", Values::Well(Dictionary::default())),
        columns::PARAMETER => ("series_id", Values::Parameter(Dictionary::default())),
        columns::TIME => ("time", time()),
        columns::VALUE => ("value", Values::Value(Float64Builder::new())),
        columns::SITE_STATUS => ("site_status", Values::SiteStatus(Dictionary::default())),
        columns::QUALITY => ("quality", Values::Quality(Int16Builder::new())),
        columns::QC_TESTS => ("qc_tests", Values::QcTests(Int32Builder::new())),
        columns::TIME_SOURCE => ("time_source", Values::TimeSource(Dictionary::default())),
        columns::GATEWAY_ID => ("gateway_number", Values::Gateway(Dictionary::default())),
        columns::REVISION => ("revision", Values::Revision(Int32Builder::new())),
        columns::SEQ => ("seq", Values::Long(Int64Builder::new())),
        columns::TIME_RAW => ("time_raw", Values::TimeRaw(StringBuilder::new())),
        columns::SUPERSEDED_SEQ => ("superseded_seq", Values::Long(Int64Builder::new())),
        columns::SUPERSEDED_AT => ("superseded_at", time()),
        columns::CAUSE => ("cause", Values::Cause(Dictionary::default())),
        other => unreachable!("readings have no column {other}"),
    }
}

impl Values {
    fn push(&mut self, field: Option<&[u8]>, Naming { numbers, names }: Naming<'_>) -> Result<(), Reason> {
        match self {
            Values::Well(wells) => wells.push(integer(field)?, |number| {
                let series = numbered(number, |number| numbers.series_back(number))?;
                Ok(names.series.key(series).well.as_str().into())
            })?,
            Values::Parameter(parameters) => parameters.push(integer(field)?, |number| {
                let series = numbered(number, |number| numbers.series_back(number))?;
                Ok(names.series.key(series).parameter.name().into())
            })?,
            Values::Gateway(gateways) => gateways.push(integer(field)?, |number| {
                let gateway = numbered(number, |number| numbers.gateway_back(number))?;
                Ok(names.gateways.id(gateway).as_str().into())
            })?,
            Values::SiteStatus(statuses) => match get::<Option<i16>>(&Type::INT2, field)? {
                None => statuses.push_null(),
                Some(code) => {
                    statuses.push(i32::from(code), |_| Ok(known(code, SiteStatus::from_code)?.name().into()))?
                }
            },
            Values::TimeSource(sources) => {
                let code = small(field)?;
                sources.push(i32::from(code), |_| Ok(known(code, TimeSource::from_code)?.name().into()))?;
            }
            Values::Cause(causes) => {
                let cause = one_of(get(&Type::TEXT, field)?, RevisionRow::CAUSES)?;
                let number = RevisionRow::CAUSES.iter().position(|known| *known == cause);
                causes.push(number.unwrap_or_default() as i32, |_| Ok(cause.into()))?;
            }
            Values::Time(times) => times.append_value(get::<Instant>(&Type::TIMESTAMPTZ, field)?.0.as_micros()),
            Values::Value(values) => {
                let value: Option<f64> = get(&Type::FLOAT8, field)?;
                values.append_option(value.filter(|value| !value.is_nan()));
            }
            Values::Quality(codes) => {
                codes.append_value(i16::from(known(small(field)?, QualityFlag::from_code)?.code()));
            }
            Values::QcTests(tests) => {
                tests.append_value(i32::from(QcTests::from_bits(integer(field)?.try_into()?).bits()));
            }
            Values::Revision(revisions) => {
                let revision = u32::try_from(get::<i64>(&Type::INT8, field)?)?;
                revisions.append_value(i32::try_from(revision).unwrap_or(i32::MAX));
            }
            Values::Long(numbers) => numbers.append_value(get(&Type::INT8, field)?),
            Values::TimeRaw(texts) => texts.append_option(get::<Option<&str>>(&Type::TEXT, field)?),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Values::Well(names)
            | Values::Parameter(names)
            | Values::SiteStatus(names)
            | Values::TimeSource(names)
            | Values::Gateway(names)
            | Values::Cause(names) => Arc::new(names.finish()),
            Values::Time(times) => Arc::new(times.finish()),
            Values::Value(values) => Arc::new(values.finish()),
            Values::Quality(codes) => Arc::new(codes.finish()),
            Values::QcTests(numbers) | Values::Revision(numbers) => Arc::new(numbers.finish()),
            Values::Long(numbers) => Arc::new(numbers.finish()),
            Values::TimeRaw(texts) => Arc::new(texts.finish()),
        }
    }
}

fn get<'a, T: FromSql<'a>>(kind: &Type, field: Option<&'a [u8]>) -> Result<T, Reason> {
    T::from_sql_nullable(kind, field)
}

fn integer(field: Option<&[u8]>) -> Result<i32, Reason> {
    get(&Type::INT4, field)
}

fn small(field: Option<&[u8]>) -> Result<i16, Reason> {
    get(&Type::INT2, field)
}

/// Names that go by numbers.
#[derive(Default)]
struct Dictionary {
    names: Vec<Name>,
    /// Places in `names`.
    by_number: HashMap<i32, usize>,
    by_text: HashMap<Box<str>, usize>,
    /// Places in `names` by the keys of the batch.
    used: Vec<usize>,
    /// Rows come in runs of one number, and only its first is looked up.
    last: Option<(i32, i32)>,
    keys: Int32Builder,
}

struct Name {
    text: Box<str>,
    /// In the batch, if a row of it uses the name.
    key: Option<i32>,
}

impl Dictionary {
    fn push(&mut self, number: i32, name: impl Fn(i32) -> Result<Box<str>, Reason>) -> Result<(), Reason> {
        let key = match self.last {
            Some((same, key)) if same == number => key,
            _ => self.key(number, name)?,
        };
        self.last = Some((number, key));
        self.keys.append_value(key);
        Ok(())
    }

    fn push_null(&mut self) {
        self.keys.append_null();
    }

    fn key(&mut self, number: i32, name: impl Fn(i32) -> Result<Box<str>, Reason>) -> Result<i32, Reason> {
        let place = match self.by_number.get(&number) {
            Some(&place) => place,
            None => {
                let text = name(number)?;
                let place = *self.by_text.entry(text.clone()).or_insert(self.names.len());
                if place == self.names.len() {
                    self.names.push(Name { text, key: None });
                }
                self.by_number.insert(number, place);
                place
            }
        };
        let used = &mut self.used;
        Ok(*self.names[place].key.get_or_insert_with(|| {
            used.push(place);
            used.len() as i32 - 1
        }))
    }

    fn finish(&mut self) -> DictionaryArray<arrow::datatypes::Int32Type> {
        self.last = None;
        let texts = StringArray::from_iter_values(self.used.iter().map(|&place| &self.names[place].text));
        for place in self.used.drain(..) {
            self.names[place].key = None;
        }
        DictionaryArray::new(self.keys.finish(), Arc::new(texts))
    }
}
