//! Rows to columns, with the schema beside the values so that the two cannot drift apart.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, RecordBatchOptions,
    StringViewArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use gwbank_model::{Day, Timestamp};

/// A batch under construction: each call adds a column over the same rows.
pub(crate) struct BatchOf<'a, T> {
    rows: &'a [T],
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl<'a, T> BatchOf<'a, T> {
    pub(crate) fn new(rows: &'a [T]) -> Self {
        Self { rows, fields: Vec::new(), arrays: Vec::new() }
    }

    fn add(mut self, name: &str, array: ArrayRef) -> Self {
        self.fields.push(Field::new(name, array.data_type().clone(), true));
        self.arrays.push(array);
        self
    }

    pub(crate) fn text<S: AsRef<str>>(self, name: &str, value: impl Fn(&'a T) -> Option<S>) -> Self {
        let array = StringViewArray::from_iter(self.rows.iter().map(value));
        self.add(name, Arc::new(array))
    }

    pub(crate) fn number(self, name: &str, value: impl Fn(&'a T) -> Option<f64>) -> Self {
        let finite = |row| value(row).filter(|number| !number.is_nan());
        let array = Float64Array::from_iter(self.rows.iter().map(finite));
        self.add(name, Arc::new(array))
    }

    pub(crate) fn count(self, name: &str, value: impl Fn(&'a T) -> Option<u64>) -> Self {
        let bounded = |row| value(row).map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        let array = Int64Array::from_iter(self.rows.iter().map(bounded));
        self.add(name, Arc::new(array))
    }

    pub(crate) fn whole(self, name: &str, value: impl Fn(&'a T) -> Option<i32>) -> Self {
        let array = Int32Array::from_iter(self.rows.iter().map(value));
        self.add(name, Arc::new(array))
    }

    pub(crate) fn truth(self, name: &str, value: impl Fn(&'a T) -> bool) -> Self {
        let array = BooleanArray::from_iter(self.rows.iter().map(|row| Some(value(row))));
        self.add(name, Arc::new(array))
    }

    pub(crate) fn time(self, name: &str, value: impl Fn(&'a T) -> Option<Timestamp>) -> Self {
        let micros = self.rows.iter().map(|row| value(row).map(Timestamp::as_micros));
        let array = TimestampMicrosecondArray::from_iter(micros).with_timezone("UTC");
        self.add(name, Arc::new(array))
    }

    pub(crate) fn day(self, name: &str, value: impl Fn(&'a T) -> Option<Day>) -> Self {
        let array = Date32Array::from_iter(self.rows.iter().map(|row| value(row).map(|day| day.0)));
        self.add(name, Arc::new(array))
    }

    /// A column of lists of texts, all of which are missing.
    pub(crate) fn no_texts(self, name: &str) -> Self {
        let array = new_null_array(&DataType::new_list(DataType::Utf8, true), self.rows.len());
        self.add(name, array)
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.fields.clone()))
    }

    pub(crate) fn finish(self) -> Result<RecordBatch, ArrowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        RecordBatch::try_new_with_options(self.schema(), self.arrays, &options)
    }
}
