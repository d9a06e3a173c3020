//! How many bytes values have.

use arrow::array::{Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{ArrowNativeType, ByteArrayType, DataType, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

/// What a value needs besides its content, roughly: an offset, a view.
const OVERHEAD: u64 = 16;

/// Bytes of a batch, as if no value were shared.
pub(crate) fn batch_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|column| content_bytes(column)).sum()
}

/// Bytes of all values, as if none were shared.
pub(super) fn content_bytes(array: &dyn Array) -> u64 {
    let rows = array.len() as u64;
    match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().iter().map(|column| content_bytes(column)).sum(),
        DataType::List(_) => OVERHEAD * rows + list_bytes(array.as_list::<i32>()),
        DataType::LargeList(_) => OVERHEAD * rows + list_bytes(array.as_list::<i64>()),
        _ => match lengths(array) {
            Some(lengths) => OVERHEAD * rows + lengths.sum::<u64>(),
            None => rows * widest(array),
        },
    }
}

/// Bytes of the widest value.
pub(super) fn widest(array: &dyn Array) -> u64 {
    if array.is_empty() {
        return 0;
    }
    match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().iter().map(|column| widest(column)).sum(),
        DataType::List(_) => OVERHEAD + widest_list(array.as_list::<i32>()),
        DataType::LargeList(_) => OVERHEAD + widest_list(array.as_list::<i64>()),
        DataType::Map(..) => array.get_array_memory_size() as u64,
        DataType::Dictionary(..) => widest(array.as_any_dictionary().values().as_ref()),
        fixed => match lengths(array) {
            Some(lengths) => OVERHEAD + lengths.max().unwrap_or(0),
            None => fixed.primitive_width().map_or(OVERHEAD, |width| width as u64),
        },
    }
}

fn list_bytes<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> u64 {
    let (first, last) = (list.value_offsets().first(), list.value_offsets().last());
    let (Some(first), Some(last)) = (first, last) else { return 0 };
    content_bytes(list.values().slice(first.as_usize(), last.as_usize() - first.as_usize()).as_ref())
}

fn widest_list<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> u64 {
    longest_list(list) * widest(list.values().as_ref())
}

fn longest_list<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> u64 {
    list.value_offsets().windows(2).map(|pair| (pair[1] - pair[0]).as_usize() as u64).max().unwrap_or(0)
}

/// Elements of the list of each row; `None` where the column has no lists.
pub(super) fn list_lengths(array: &dyn Array) -> Option<Vec<u64>> {
    fn of<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> Vec<u64> {
        list.value_offsets().windows(2).map(|pair| (pair[1] - pair[0]).as_usize() as u64).collect()
    }
    match array.data_type() {
        DataType::List(_) => Some(of(array.as_list::<i32>())),
        DataType::LargeList(_) => Some(of(array.as_list::<i64>())),
        DataType::FixedSizeList(_, size) => Some(vec![u64::try_from(*size).unwrap_or(0); array.len()]),
        _ => None,
    }
}

/// Bytes of each text or binary value; `None` where the column has none.
fn lengths(array: &dyn Array) -> Option<Box<dyn Iterator<Item = u64> + '_>> {
    fn by_offsets<T: ByteArrayType>(array: &dyn Array) -> Box<dyn Iterator<Item = u64> + '_> {
        let offsets = array.as_bytes::<T>().value_offsets();
        Box::new(offsets.windows(2).map(|pair| (pair[1] - pair[0]).as_usize() as u64))
    }
    // The low half of a view is the length, wherever the text lies.
    let by_views = |views: &'_ [u128]| -> Vec<u64> { views.iter().map(|&view| u64::from(view as u32)).collect() };
    Some(match array.data_type() {
        DataType::Utf8 => by_offsets::<arrow::datatypes::Utf8Type>(array),
        DataType::LargeUtf8 => by_offsets::<arrow::datatypes::LargeUtf8Type>(array),
        DataType::Binary => by_offsets::<arrow::datatypes::BinaryType>(array),
        DataType::LargeBinary => by_offsets::<arrow::datatypes::LargeBinaryType>(array),
        DataType::Utf8View => Box::new(by_views(array.as_string_view().views()).into_iter()),
        DataType::BinaryView => Box::new(by_views(array.as_binary_view().views()).into_iter()),
        _ => return None,
    })
}

/// An argument of a function: a column, or one value for all rows.
pub(super) struct Argument {
    array: ArrayRef,
    constant: bool,
    rows: usize,
}

impl Argument {
    pub(super) fn new(value: &ColumnarValue, rows: usize) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Array(array) => Self { array: array.clone(), constant: false, rows },
            ColumnarValue::Scalar(scalar) => Self { array: scalar.to_array()?, constant: true, rows },
        })
    }

    /// Bytes over all rows.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = content_bytes(self.array.as_ref());
        if self.constant { bytes.saturating_mul(self.rows as u64) } else { bytes }
    }

    pub(super) fn is_constant(&self) -> bool {
        self.constant
    }

    /// One value a row, given one a row or the only one.
    pub(super) fn for_all_rows<T: Copy + Default>(&self, values: Vec<T>) -> Vec<T> {
        if self.constant { vec![values.first().copied().unwrap_or_default(); self.rows] } else { values }
    }

    /// Bytes of the text, or of the value, of each row.
    pub(super) fn lengths(&self) -> Vec<u64> {
        let array = self.array.as_ref();
        let values = match (lengths(array), list_lengths(array)) {
            (Some(lengths), _) => lengths.collect(),
            (None, Some(lists)) => {
                let elements: u64 = lists.iter().sum();
                let each = content_bytes(array) / elements.max(1) + 1;
                lists.into_iter().map(|elements| elements.saturating_mul(each)).collect()
            }
            (None, None) => vec![widest(array); array.len()],
        };
        self.for_all_rows(values)
    }

    /// Elements of the list of each row.
    pub(super) fn elements(&self) -> Vec<u64> {
        let values = list_lengths(self.array.as_ref()).unwrap_or_else(|| vec![1; self.array.len()]);
        self.for_all_rows(values)
    }

    /// The whole number of each row; what is none counts as 0.
    pub(super) fn integers(&self) -> Vec<i64> {
        let numbers = match cast(&self.array, &DataType::Int64) {
            Ok(numbers) => numbers.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default).collect(),
            Err(_) => vec![0; self.array.len()],
        };
        self.for_all_rows(numbers)
    }

    /// The same argument in another type.
    pub(super) fn with(&self, array: ArrayRef) -> Self {
        Self { array, constant: self.constant, rows: self.rows }
    }

    pub(super) fn array(&self) -> &ArrayRef {
        &self.array
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ListArray, StringArray, StringViewArray};
    use arrow::datatypes::Int64Type;

    #[test]
    fn values_are_measured_as_if_each_stood_alone() {
        let texts = StringArray::from(vec!["", "abc", "a longer one"]);
        assert_eq!(content_bytes(&texts), 3 * OVERHEAD + 15);
        assert_eq!(content_bytes(&texts.slice(1, 1)), OVERHEAD + 3);
        assert_eq!(widest(&texts), OVERHEAD + 12);
        let views = StringViewArray::from(vec!["", "abc", "one that is longer than twelve"]);
        assert_eq!(widest(&views), OVERHEAD + 30);
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1); 10]), None]);
        assert_eq!(content_bytes(&lists), 2 * OVERHEAD + 80);
        assert_eq!(list_lengths(&lists), Some(vec![10, 0]));
        assert_eq!(list_lengths(&texts), None);
    }
}
