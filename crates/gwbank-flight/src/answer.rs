//! Batches of the engine as clients of Flight get them.
//!
//! # Rules
//! 1. **Types that every client knows.** Views become strings, dictionaries and runs their values, at any depth; UTC is
//!    called UTC. pandas, polars and drivers of older Arrow versions then need no case of their own.
//! 2. **The schema that was told is the schema that is sent**: without metadata, and every column may be null. Plans before
//!    and after optimisation differ in what they know of nulls, and clients compare.
//! 3. A message holds [`MESSAGE_BYTES`] at most, but for a single row that is larger. What columns take once they are
//!    plain is reckoned before they are made so: a view may say a megabyte a thousand times.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, OffsetSizeTrait, RecordBatch, RecordBatchOptions, StringViewArray,
    make_array,
};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

/// Large enough that a message's own cost is nothing beside its rows, and below the 4 MiB that clients take by default.
pub(crate) const MESSAGE_BYTES: usize = 2 << 20;

/// The columns of an answer as they are sent.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    schema: SchemaRef,
}

impl Shape {
    pub(crate) fn of(schema: &Schema) -> Self {
        let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
        Self { schema: Arc::new(Schema::new(fields)) }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batch in the types of the schema.
    pub(crate) fn plain(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| plain_array(column, field.data_type()));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

pub(crate) fn plain_array(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })
}

fn plain_field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), plain_type(field.data_type()), true))
}

/// A type as it is sent.
pub(crate) fn plain_type(from: &DataType) -> DataType {
    let to = match from {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(plain_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        DataType::Timestamp(unit, Some(zone)) if is_utc(zone) => DataType::Timestamp(*unit, Some("UTC".into())),
        other => other.clone(),
    };
    // What cannot be made plain is sent as it is: a client that knows the type has it.
    if can_cast_types(from, &to) { to } else { from.clone() }
}

/// Polars knows zones by name only.
fn is_utc(zone: &str) -> bool {
    ["UTC", "Z", "Etc/UTC", "+00:00", "-00:00", "+00", "+0000"].iter().any(|utc| zone.eq_ignore_ascii_case(utc))
}

/// Cuts a batch into pieces that are sent as one message each.
pub(crate) fn pieces(batch: RecordBatch) -> Vec<RecordBatch> {
    let mut pieces = Vec::new();
    cut(batch, &mut pieces);
    pieces
}

fn cut(batch: RecordBatch, pieces: &mut Vec<RecordBatch>) {
    let rows = batch.num_rows();
    let bytes = batch.columns().iter().map(|column| flat_bytes(column.as_ref())).fold(0, usize::saturating_add);
    if bytes <= MESSAGE_BYTES || rows <= 1 {
        pieces.push(batch);
        return;
    }
    // Fewer than all, as the bytes are more than fit; rows that are alike make pieces that fit at once.
    let step = (rows as u128 * MESSAGE_BYTES as u128 / bytes as u128).max(1) as usize;
    for start in (0..rows).step_by(step) {
        cut(batch.slice(start, step.min(rows - start)), pieces);
    }
}

/// What the array takes in plain types, or somewhat more.
fn flat_bytes(array: &dyn Array) -> usize {
    let rows = array.len();
    match array.data_type() {
        DataType::Utf8View => view_bytes(array.as_any().downcast_ref::<StringViewArray>().map(|array| array.views())),
        DataType::BinaryView => view_bytes(array.as_any().downcast_ref::<BinaryViewArray>().map(|array| array.views())),
        DataType::Dictionary(_, _) => {
            let values = array.as_any_dictionary().values();
            rows.saturating_mul(largest(values.as_ref()))
        }
        DataType::RunEndEncoded(_, _) => {
            let values = array.to_data().child_data().last().cloned();
            values.map_or(0, |values| rows.saturating_mul(largest(make_array(values).as_ref())))
        }
        DataType::List(_) => list_bytes::<i32>(array),
        DataType::LargeList(_) => list_bytes::<i64>(array),
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let size = usize::try_from(*size).unwrap_or(0);
            let first = usize::try_from(list.value_offset(0)).unwrap_or(0);
            flat_bytes(list.values().slice(first, rows * size).as_ref())
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            columns.iter().map(|column| flat_bytes(column.as_ref())).fold(0, usize::saturating_add)
        }
        _ => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_buffer_memory_size()),
    }
}

fn view_bytes(views: Option<&arrow::buffer::ScalarBuffer<u128>>) -> usize {
    // The length is the lowest part of a view.
    let texts = views.into_iter().flat_map(|views| views.iter()).map(|&view| view as u32 as usize);
    texts.map(|bytes| bytes + size_of::<i32>()).sum()
}

fn list_bytes<O: OffsetSizeTrait>(array: &dyn Array) -> usize {
    let list = array.as_list::<O>();
    let offsets = list.value_offsets();
    let (first, last) = (offsets.first().map_or(0, |o| o.as_usize()), offsets.last().map_or(0, |o| o.as_usize()));
    size_of_val(offsets).saturating_add(flat_bytes(list.values().slice(first, last - first).as_ref()))
}

/// The most that one of the values takes.
fn largest(values: &dyn Array) -> usize {
    let of_each = |bytes: usize| bytes + size_of::<i32>();
    match values.data_type() {
        DataType::Utf8 => largest_between(values.as_string::<i32>().value_offsets()).map_or(0, of_each),
        DataType::LargeUtf8 => largest_between(values.as_string::<i64>().value_offsets()).map_or(0, of_each),
        DataType::Binary => largest_between(values.as_binary::<i32>().value_offsets()).map_or(0, of_each),
        DataType::LargeBinary => largest_between(values.as_binary::<i64>().value_offsets()).map_or(0, of_each),
        _ => (0..values.len()).map(|index| flat_bytes(values.slice(index, 1).as_ref())).max().unwrap_or(0),
    }
}

fn largest_between<O: OffsetSizeTrait>(offsets: &[O]) -> Option<usize> {
    offsets.windows(2).map(|pair| (pair[1] - pair[0]).as_usize()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow::array::{
        DictionaryArray, Float64Array, Int32Array, ListBuilder, StringArray, StringViewBuilder, StructArray,
        TimestampMicrosecondArray,
    };
    use arrow::datatypes::{Int32Type, TimeUnit};
    use proptest::prelude::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn types_become_plain_at_any_depth() {
        let views: ArrayRef = Arc::new(StringViewArray::from(vec![Some("บ่อน้ำ"), None]));
        let names: DictionaryArray<Int32Type> = vec![Some("W1"), None].into_iter().collect();
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        lists.append_value([Some("a"), None]);
        lists.append(false);
        let inner = StructArray::from(vec![(Arc::new(Field::new("v", DataType::Utf8View, true)), views.clone())]);
        let times = TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone("+00:00");
        let batch = batch(vec![
            ("view", views),
            ("name", Arc::new(names)),
            ("list", Arc::new(lists.finish())),
            ("struct", Arc::new(inner)),
            ("time", Arc::new(times)),
        ]);
        let shape = Shape::of(&batch.schema());
        let plain = shape.plain(&batch).unwrap();
        let text = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
        let expected = [
            DataType::Utf8,
            DataType::Utf8,
            DataType::List(text("item")),
            DataType::Struct(vec![text("v")].into()),
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ];
        let types: Vec<&DataType> = plain.columns().iter().map(|column| column.data_type()).collect();
        assert_eq!(types, expected.iter().collect::<Vec<_>>());
        assert_eq!(plain.column(0).as_string::<i32>(), &StringArray::from(vec![Some("บ่อน้ำ"), None]));
        assert_eq!(plain.column(1).as_string::<i32>(), &StringArray::from(vec![Some("W1"), None]));
        assert!(plain.schema().fields().iter().all(|field| field.is_nullable()));
    }

    #[test]
    fn a_text_that_is_said_again_and_again_is_cut_by_what_it_takes() {
        let text = "x".repeat(1 << 20);
        let views = StringViewArray::from_iter_values(std::iter::repeat_n(text.as_str(), 10));
        let shared = arrow::compute::take(&views, &Int32Array::from(vec![0; 10]), None).unwrap();
        let pieces = pieces(batch(vec![("text", shared)]));
        assert_eq!(pieces.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [1; 10]);
    }

    #[test]
    fn a_slice_of_much_is_no_more_than_the_slice() {
        let numbers = Float64Array::from_iter_values((0..1_000_000).map(f64::from));
        let slice = batch(vec![("value", Arc::new(numbers.slice(500_000, 8192)))]);
        assert_eq!(pieces(slice).len(), 1);
    }

    proptest! {
        #[test]
        fn pieces_hold_every_row_in_order(lengths in proptest::collection::vec(0usize..300_000, 0..60)) {
            let texts = StringViewArray::from_iter_values(lengths.iter().map(|&length| "y".repeat(length)));
            let whole = batch(vec![("text", Arc::new(texts))]);
            let pieces = pieces(whole.clone());
            for piece in &pieces {
                prop_assert!(piece.num_rows() == 1 || flat_bytes(piece.column(0).as_ref()) <= MESSAGE_BYTES);
            }
            let again = arrow::compute::concat_batches(&whole.schema(), &pieces).unwrap();
            prop_assert_eq!(again, whole);
        }
    }
}
