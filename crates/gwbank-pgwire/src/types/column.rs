//! A column of a batch, ready to write any of its values.

use std::cell::RefCell;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, GenericByteArray, GenericByteViewArray, PrimitiveArray};
use arrow::array::{RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, BinaryViewType, ByteArrayType, ByteViewType, DataType, Date32Type, DurationMicrosecondType,
    Float32Type, Float64Type, GenericBinaryType, GenericStringType, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, IntervalUnit, StringViewType, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use bytes::{BufMut, BytesMut};

use super::calendar::{MICROS_PER_DAY, Recent, put_clock, put_date, put_interval, put_timestamp};
use super::json::JsonCells;
use super::list::ListCells;
use super::number::{put_float, put_single};
use super::text::{put_bytes, put_whole};
use super::{Format, PgType, Scalar, Zone, binary};

/// The values of a column. A row is within the array and not null.
pub trait Cells: Send {
    fn is_null(&self, row: usize) -> bool;
    fn put_text(&self, row: usize, out: &mut BytesMut);
    fn put_binary(&self, row: usize, out: &mut BytesMut);
}

/// One column and how it is written.
pub struct Column {
    cells: Box<dyn Cells>,
    format: Format,
}

impl Column {
    /// Appends length and value, as a row of an answer has it.
    pub fn put(&self, row: usize, out: &mut BytesMut) {
        if self.cells.is_null(row) {
            out.put_i32(-1);
            return;
        }
        let start = out.len();
        out.put_i32(0);
        match self.format {
            Format::Text => self.cells.put_text(row, out),
            Format::Binary => self.cells.put_binary(row, out),
        }
        let length = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// The value alone.
    pub fn text(&self, row: usize) -> Option<String> {
        let mut out = BytesMut::new();
        self.put_bare_text(row, &mut out).then(|| String::from_utf8_lossy(&out).into_owned())
    }

    /// Appends the value alone; false where it is null.
    pub fn put_bare_text(&self, row: usize, out: &mut BytesMut) -> bool {
        let present = !self.cells.is_null(row);
        if present {
            self.cells.put_text(row, out);
        }
        present
    }
}

/// The columns of a batch in these formats.
pub fn columns(batch: &RecordBatch, formats: &[Format], zone: &Zone) -> Result<Vec<Column>, ArrowError> {
    let columns = batch.columns().iter().zip(formats);
    columns.map(|(array, &format)| Ok(Column { cells: cells(array, zone)?, format })).collect()
}

pub(super) fn cells(array: &ArrayRef, zone: &Zone) -> Result<Box<dyn Cells>, ArrowError> {
    let as_type = |to: &DataType| cast(array, to);
    Ok(match array.data_type() {
        DataType::Null => Box::new(Text(StringArray::new_null(array.len()))),
        DataType::Boolean => Box::new(Truth(array.as_boolean().clone())),
        DataType::Int8 | DataType::UInt8 => numbers::<Int16Type>(&as_type(&DataType::Int16)?),
        DataType::Int16 => numbers::<Int16Type>(array),
        DataType::UInt16 => numbers::<Int32Type>(&as_type(&DataType::Int32)?),
        DataType::Int32 => numbers::<Int32Type>(array),
        DataType::UInt32 => numbers::<Int64Type>(&as_type(&DataType::Int64)?),
        DataType::Int64 => numbers::<Int64Type>(array),
        DataType::Float16 => Box::new(Single(as_type(&DataType::Float32)?.as_primitive().clone())),
        DataType::Float32 => Box::new(Single(array.as_primitive().clone())),
        DataType::Float64 => Box::new(Double(array.as_primitive().clone())),
        DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Box::new(Decimal(as_type(&DataType::Utf8)?.as_string().clone())),
        DataType::Utf8 => Box::new(Text::<GenericStringType<i32>>(array.as_bytes().clone())),
        DataType::LargeUtf8 => Box::new(Text::<GenericStringType<i64>>(array.as_bytes().clone())),
        DataType::Utf8View => Box::new(TextView::<StringViewType>(array.as_byte_view().clone())),
        DataType::Binary => Box::new(Bytes::<GenericBinaryType<i32>>(array.as_bytes().clone())),
        DataType::LargeBinary => Box::new(Bytes::<GenericBinaryType<i64>>(array.as_bytes().clone())),
        DataType::BinaryView => Box::new(BytesView::<BinaryViewType>(array.as_byte_view().clone())),
        DataType::FixedSizeBinary(_) => cells(&as_type(&DataType::Binary)?, zone)?,
        DataType::Date32 => Box::new(Date(array.as_primitive().clone())),
        DataType::Date64 => Box::new(Date(as_type(&DataType::Date32)?.as_primitive().clone())),
        DataType::Time32(_) | DataType::Time64(_) => {
            Box::new(Time(as_type(&DataType::Time64(TimeUnit::Microsecond))?.as_primitive().clone()))
        }
        DataType::Timestamp(_, with_zone) => {
            let micros = as_type(&DataType::Timestamp(TimeUnit::Microsecond, with_zone.clone()))?;
            let micros = micros.as_primitive().clone();
            match with_zone {
                Some(_) => Box::new(Instant { micros, zone: zone.clone(), recent: RefCell::default() }),
                None => Box::new(LocalTime(micros)),
            }
        }
        DataType::Interval(_) => {
            let interval = as_type(&DataType::Interval(IntervalUnit::MonthDayNano))?;
            Box::new(Interval(interval.as_primitive().clone()))
        }
        DataType::Duration(_) => {
            Box::new(Duration(as_type(&DataType::Duration(TimeUnit::Microsecond))?.as_primitive().clone()))
        }
        DataType::Dictionary(_, value) => cells(&as_type(value)?, zone)?,
        DataType::RunEndEncoded(_, values) => cells(&as_type(values.data_type())?, zone)?,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)
            if PgType::of(array.data_type()).is_array =>
        {
            Box::new(ListCells::new(array, zone)?)
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            Box::new(JsonCells::new(array, zone)?)
        }
        DataType::Struct(_) | DataType::Map(..) => Box::new(JsonCells::new(array, zone)?),
        // Views of lists, unions: as Arrow shows them.
        _ => Box::new(Text::<GenericStringType<i32>>(as_type(&DataType::Utf8)?.as_bytes().clone())),
    })
}

/// `impl Cells` of a wrapper around an array, by what a row of it is in text and in binary.
macro_rules! cells {
    ($(#[$doc:meta])* $name:ident($array:ty); $self:ident, $row:ident, $out:ident; text: $text:expr; binary: $binary:expr;) => {
        $(#[$doc])*
        struct $name($array);

        impl Cells for $name {
            fn is_null(&self, row: usize) -> bool {
                self.0.is_null(row)
            }
            fn put_text(&$self, $row: usize, $out: &mut BytesMut) {
                $text
            }
            fn put_binary(&$self, $row: usize, $out: &mut BytesMut) {
                $binary
            }
        }
    };
}

cells! {
    Truth(BooleanArray); self, row, out;
    text: out.put_u8(if self.0.value(row) { b't' } else { b'f' });
    binary: out.put_u8(self.0.value(row).into());
}

cells! {
    Single(PrimitiveArray<Float32Type>); self, row, out;
    text: put_single(out, self.0.value(row));
    binary: out.put_f32(self.0.value(row));
}

cells! {
    Double(PrimitiveArray<Float64Type>); self, row, out;
    text: put_float(out, self.0.value(row));
    binary: out.put_f64(self.0.value(row));
}

cells! {
    /// Exact numbers, by their text.
    Decimal(StringArray); self, row, out;
    text: out.put_slice(self.0.value(row).as_bytes());
    binary: super::number::put_numeric(out, self.0.value(row));
}

cells! {
    Date(PrimitiveArray<Date32Type>); self, row, out;
    text: put_date(out, self.0.value(row));
    binary: out.put_i32(binary::day(self.0.value(row)));
}

cells! {
    Time(PrimitiveArray<Time64MicrosecondType>); self, row, out;
    text: put_clock(out, self.0.value(row).unsigned_abs());
    binary: out.put_i64(self.0.value(row));
}

cells! {
    LocalTime(PrimitiveArray<TimestampMicrosecondType>); self, row, out;
    text: put_timestamp(out, self.0.value(row));
    binary: out.put_i64(binary::micros(self.0.value(row)));
}

cells! {
    Interval(PrimitiveArray<IntervalMonthDayNanoType>); self, row, out;
    text: {
        let interval = self.0.value(row);
        put_interval(out, interval.months, interval.days, interval.nanoseconds / 1_000);
    };
    binary: {
        let interval = self.0.value(row);
        binary::put_interval(out, interval.months, interval.days, interval.nanoseconds / 1_000);
    };
}

cells! {
    Duration(PrimitiveArray<DurationMicrosecondType>); self, row, out;
    text: {
        let (days, micros) = whole_days(self.0.value(row));
        put_interval(out, 0, days, micros);
    };
    binary: {
        let (days, micros) = whole_days(self.0.value(row));
        binary::put_interval(out, 0, days, micros);
    };
}

/// As PostgreSQL tells the difference of two instants: `91 days 02:30:00`.
fn whole_days(micros: i64) -> (i32, i64) {
    (i32::try_from(micros / MICROS_PER_DAY).unwrap_or_default(), micros % MICROS_PER_DAY)
}

struct Instant {
    micros: PrimitiveArray<TimestampMicrosecondType>,
    zone: Zone,
    recent: RefCell<Recent>,
}

impl Cells for Instant {
    fn is_null(&self, row: usize) -> bool {
        self.micros.is_null(row)
    }
    fn put_text(&self, row: usize, out: &mut BytesMut) {
        self.recent.borrow_mut().put(out, self.micros.value(row), &self.zone);
    }
    fn put_binary(&self, row: usize, out: &mut BytesMut) {
        out.put_i64(binary::micros(self.micros.value(row)));
    }
}

/// Whole numbers are as wide in binary as in Arrow.
struct Whole<T: ArrowPrimitiveType>(PrimitiveArray<T>);

trait PutWhole: ArrowPrimitiveType {
    fn widened(native: Self::Native) -> i64;
    fn put(native: Self::Native, out: &mut BytesMut);
}

macro_rules! whole {
    ($($arrow:ty, $put:ident;)*) => {
        $(impl PutWhole for $arrow {
            fn widened(native: Self::Native) -> i64 {
                native.into()
            }
            fn put(native: Self::Native, out: &mut BytesMut) {
                out.$put(native);
            }
        })*
    };
}

whole! {
    Int16Type, put_i16;
    Int32Type, put_i32;
    Int64Type, put_i64;
}

impl<T: PutWhole> Cells for Whole<T> {
    fn is_null(&self, row: usize) -> bool {
        self.0.is_null(row)
    }
    fn put_text(&self, row: usize, out: &mut BytesMut) {
        put_whole(out, T::widened(self.0.value(row)));
    }
    fn put_binary(&self, row: usize, out: &mut BytesMut) {
        T::put(self.0.value(row), out);
    }
}

fn numbers<T: PutWhole>(array: &ArrayRef) -> Box<dyn Cells> {
    Box::new(Whole::<T>(array.as_primitive().clone()))
}

/// Texts and bytes, in plain arrays and in views: the bytes are the same in both forms, but for `bytea` in text.
macro_rules! byte_cells {
    ($($name:ident<$kind:ident>($array:ident), $put_text:expr;)*) => {
        $(
            struct $name<T: $kind>($array<T>);

            impl<T: $kind> Cells for $name<T>
            where
                T::Native: AsRef<[u8]>,
            {
                fn is_null(&self, row: usize) -> bool {
                    self.0.is_null(row)
                }
                fn put_text(&self, row: usize, out: &mut BytesMut) {
                    let value: &T::Native = self.0.value(row);
                    $put_text(out, value.as_ref());
                }
                fn put_binary(&self, row: usize, out: &mut BytesMut) {
                    let value: &T::Native = self.0.value(row);
                    out.put_slice(value.as_ref());
                }
            }
        )*
    };
}

byte_cells! {
    Text<ByteArrayType>(GenericByteArray), |out: &mut BytesMut, bytes: &[u8]| out.put_slice(bytes);
    TextView<ByteViewType>(GenericByteViewArray), |out: &mut BytesMut, bytes: &[u8]| out.put_slice(bytes);
    Bytes<ByteArrayType>(GenericByteArray), put_bytes;
    BytesView<ByteViewType>(GenericByteViewArray), put_bytes;
}

/// Whether a text value of the type may stand in JSON as it is.
pub(super) fn is_bare_in_json(arrow: &DataType) -> bool {
    let pg_type = PgType::of(arrow);
    !pg_type.is_array
        && matches!(
            pg_type.scalar,
            Scalar::Int2 | Scalar::Int4 | Scalar::Int8 | Scalar::Numeric | Scalar::Float4 | Scalar::Float8
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, ListArray, StringViewArray,
        StructArray, TimestampMicrosecondArray, UInt64Array,
    };
    use arrow::datatypes::{Field, Int32Type as Key};
    use std::sync::Arc;

    fn text_of(array: ArrayRef) -> Vec<Option<String>> {
        let cells = cells(&array, &Zone::named("+07:00").unwrap()).unwrap();
        let text = |row| {
            (!cells.is_null(row)).then(|| {
                let mut out = BytesMut::new();
                cells.put_text(row, &mut out);
                String::from_utf8(out.to_vec()).unwrap()
            })
        };
        (0..array.len()).map(text).collect()
    }

    fn one(array: impl Array + 'static) -> String {
        text_of(Arc::new(array)).remove(0).unwrap()
    }

    #[test]
    fn every_kind_of_column_has_a_text() {
        assert_eq!(one(BooleanArray::from(vec![true])), "t");
        assert_eq!(one(Int64Array::from(vec![i64::MIN])), "-9223372036854775808");
        assert_eq!(one(UInt64Array::from(vec![u64::MAX])), "18446744073709551615");
        assert_eq!(one(Float64Array::from(vec![0.1])), "0.1");
        assert_eq!(one(StringViewArray::from(vec!["บ่อ"])), "บ่อ");
        assert_eq!(one(TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC")), "1970-01-01 07:00:00+07");
        assert_eq!(one(TimestampMicrosecondArray::from(vec![0])), "1970-01-01 00:00:00");
        let decimal = Decimal128Array::from(vec![12345]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(one(decimal), "123.45");
        assert_eq!(one(DictionaryArray::<Key>::from_iter(["a"])), "a");
        let list = ListArray::from_iter_primitive::<Key, _, _>([Some(vec![Some(1), None])]);
        assert_eq!(one(list), "{1,NULL}");
        let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let b: ArrayRef = Arc::new(StringArray::from(vec!["x\"y", "z"]));
        let fields = vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)];
        let structs = StructArray::try_new(fields.into(), vec![a, b], None).unwrap();
        assert_eq!(one(structs), r#"{"a":1,"b":"x\"y"}"#);
        assert_eq!(text_of(Arc::new(arrow::array::NullArray::new(1))), [None]);
    }

    #[test]
    fn a_row_has_lengths() {
        let batch = RecordBatch::try_from_iter([
            ("n", Arc::new(Int32Array::from(vec![Some(5), None])) as ArrayRef),
            ("t", Arc::new(StringArray::from(vec!["ab", ""])) as ArrayRef),
        ])
        .unwrap();
        let columns = columns(&batch, &[Format::Binary, Format::Text], &Zone::utc()).unwrap();
        let mut out = BytesMut::new();
        columns.iter().for_each(|column| column.put(0, &mut out));
        assert_eq!(&out[..], b"\0\0\0\x04\0\0\0\x05\0\0\0\x02ab");
        out.clear();
        columns.iter().for_each(|column| column.put(1, &mut out));
        assert_eq!(&out[..], b"\xff\xff\xff\xff\0\0\0\0");
    }
}
