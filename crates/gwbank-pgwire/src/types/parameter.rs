//! Values that a client binds, as arrays of one element.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int16Array, Int32Array,
    Int64Array, IntervalMonthDayNanoArray, ListArray, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast_with_options, concat};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, TimeUnit};
use arrow::util::display::FormatOptions;
use bytes::{Buf, Bytes};

use super::calendar::{POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS};
use super::list::elements;
use super::number::numeric_text;
use super::{Format, PgType, Scalar, Zone};
use crate::error::PgError;
use crate::protocol::frontend::Body;

/// Elements of an array that is bound: a statement may list no more.
const ELEMENTS_MAX: usize = 100_000;

/// A value of `pg_type`; `None` is null.
pub fn value(pg_type: PgType, format: Format, bytes: Option<&Bytes>, zone: &Zone) -> Result<ArrayRef, PgError> {
    let arrow = pg_type.arrow().unwrap_or(DataType::Utf8);
    let Some(bytes) = bytes else { return Ok(new_null_array(&arrow, 1)) };
    match format {
        Format::Text => {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| PgError::new("22021", "invalid byte sequence for encoding \"UTF8\""))?;
            from_text(pg_type, text, zone)
        }
        Format::Binary if pg_type.is_array => array_from_binary(pg_type.scalar, bytes, &arrow),
        Format::Binary => from_binary(pg_type.scalar, bytes),
    }
}

/// A value written as text, as in `EXECUTE` or a `Bind` in text form.
pub fn from_text(pg_type: PgType, text: &str, zone: &Zone) -> Result<ArrayRef, PgError> {
    if !pg_type.is_array {
        return scalar_from_text(pg_type.scalar, text, zone);
    }
    let invalid = || PgError::new("22P02", format!("malformed array literal: \"{text}\""));
    let texts = elements(text).filter(|list| list.len() <= ELEMENTS_MAX).ok_or_else(invalid)?;
    let values = texts.iter().map(|text| match text {
        Some(text) => scalar_from_text(pg_type.scalar, text, zone),
        None => Ok(new_null_array(&pg_type.scalar.arrow().unwrap_or(DataType::Utf8), 1)),
    });
    list(pg_type.scalar, values.collect::<Result<_, _>>()?)
}

fn list(scalar: Scalar, values: Vec<ArrayRef>) -> Result<ArrayRef, PgError> {
    let arrow = scalar.arrow().unwrap_or(DataType::Utf8);
    let values = if values.is_empty() {
        new_null_array(&arrow, 0)
    } else {
        let parts: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        concat(&parts).map_err(|error| PgError::new("XX000", error.to_string()))?
    };
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let lists = ListArray::try_new(field, OffsetBuffer::from_lengths([values.len()]), values, None);
    Ok(Arc::new(lists.map_err(|error| PgError::new("XX000", error.to_string()))?))
}

fn scalar_from_text(scalar: Scalar, text: &str, zone: &Zone) -> Result<ArrayRef, PgError> {
    let invalid = || {
        let code = match scalar {
            Scalar::Date | Scalar::Time | Scalar::Timestamp | Scalar::TimestampTz | Scalar::Interval => "22007",
            _ => "22P02",
        };
        PgError::new(code, format!("invalid input syntax for type {}: \"{text}\"", scalar.name()))
    };
    let trimmed = text.trim();
    match scalar {
        Scalar::Bool => {
            let truth = truth(&trimmed.to_ascii_lowercase()).ok_or_else(invalid)?;
            Ok(Arc::new(BooleanArray::from(vec![truth])))
        }
        Scalar::Bytea => {
            let bytes = hex(text).unwrap_or_else(|| text.as_bytes().to_vec());
            Ok(Arc::new(BinaryArray::from_vec(vec![&bytes])))
        }
        Scalar::Numeric => decimal(trimmed).ok_or_else(invalid),
        Scalar::Timestamp => {
            let whole = with_seconds(trimmed);
            let arrow = DataType::Timestamp(TimeUnit::Microsecond, None);
            parse(whole.as_deref().unwrap_or(trimmed), &arrow).ok_or_else(invalid)
        }
        Scalar::TimestampTz => {
            let instant = instant(trimmed, zone).ok_or_else(invalid)?;
            Ok(Arc::new(TimestampMicrosecondArray::from(vec![instant]).with_timezone("UTC")))
        }
        other => match other.arrow() {
            None | Some(DataType::Utf8) => Ok(Arc::new(StringArray::from(vec![text]))),
            Some(arrow) => parse(trimmed, &arrow).ok_or_else(invalid),
        },
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// As Arrow reads a text of the type.
fn parse(text: &str, arrow: &DataType) -> Option<ArrayRef> {
    let strict = CastOptions { safe: false, format_options: FormatOptions::default() };
    cast_with_options(&StringArray::from(vec![text]), arrow, &strict).ok()
}

/// A number as wide as it is written: what it is compared with decides.
fn decimal(text: &str) -> Option<ArrayRef> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.'));
    let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if is_plain && digits > 0 && digits <= 38 && scale <= 38 {
        let precision = digits.max(scale).max(1) as u8;
        return parse(text, &DataType::Decimal128(precision, scale as i8));
    }
    // Exponents, NaN, and more digits than a decimal has.
    parse(text, &DataType::Float64)
}

/// Microseconds since 1970; without an offset the zone's clocks are meant.
fn instant(text: &str, zone: &Zone) -> Option<i64> {
    let read = |text: &str, with_zone: Option<&str>| {
        let arrow = DataType::Timestamp(TimeUnit::Microsecond, with_zone.map(Into::into));
        let array = parse(text, &arrow)?;
        let array = array.as_any().downcast_ref::<TimestampMicrosecondArray>()?;
        (!array.is_null(0)).then(|| array.value(0))
    };
    let whole = with_seconds(text);
    let text = whole.as_deref().unwrap_or(text);
    if has_offset(text) { read(text, Some("UTC")) } else { read(text, None).map(|local| zone.instant(local)) }
}

/// `2026-05-01 06:30`: seconds may be left out, which Arrow's reader does not know.
fn with_seconds(text: &str) -> Option<String> {
    let (day, clock) = text.split_at_checked(11)?;
    let (minute, rest) = clock.split_at_checked(5)?;
    let is_minute = minute.bytes().zip(b"00:00").all(|(given, form)| (*form == b'0') == given.is_ascii_digit());
    (is_minute && !rest.starts_with([':', '.'])).then(|| format!("{day}{minute}:00{rest}"))
}

/// Whether an offset or a Z ends the time of day.
fn has_offset(text: &str) -> bool {
    let Some((_, clock)) = text.split_once([' ', 'T', 't']) else { return false };
    clock.contains(['+', '-']) || clock.ends_with(|letter: char| letter.is_ascii_alphabetic())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let nibble = |digit: u8| (digit as char).to_digit(16).map(|nibble| nibble as u8);
    if digits.len() % 2 == 1 {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

fn from_binary(scalar: Scalar, bytes: &Bytes) -> Result<ArrayRef, PgError> {
    let malformed = || PgError::new("22P03", "incorrect binary data format in bind parameter");
    let mut left = bytes.clone();
    if let Ok(size) = usize::try_from(scalar.size())
        && !matches!(scalar, Scalar::Name | Scalar::Char | Scalar::Uuid)
        && left.len() != size
    {
        return Err(malformed());
    }
    Ok(match scalar {
        Scalar::Bool => Arc::new(BooleanArray::from(vec![left.get_u8() != 0])),
        Scalar::Bytea => Arc::new(BinaryArray::from_vec(vec![bytes])),
        Scalar::Int2 => Arc::new(Int16Array::from(vec![left.get_i16()])),
        Scalar::Int4 | Scalar::Oid => Arc::new(Int32Array::from(vec![left.get_i32()])),
        Scalar::Int8 => Arc::new(Int64Array::from(vec![left.get_i64()])),
        Scalar::Float4 => Arc::new(Float32Array::from(vec![left.get_f32()])),
        Scalar::Float8 => Arc::new(Float64Array::from(vec![left.get_f64()])),
        Scalar::Date => Arc::new(Date32Array::from(vec![left.get_i32().saturating_add(POSTGRES_EPOCH_DAYS)])),
        Scalar::Time => Arc::new(Time64MicrosecondArray::from(vec![left.get_i64()])),
        Scalar::Timestamp => Arc::new(TimestampMicrosecondArray::from(vec![since_1970(left.get_i64())])),
        Scalar::TimestampTz => {
            Arc::new(TimestampMicrosecondArray::from(vec![since_1970(left.get_i64())]).with_timezone("UTC"))
        }
        Scalar::Interval => {
            let (micros, days, months) = (left.get_i64(), left.get_i32(), left.get_i32());
            let interval = IntervalMonthDayNano::new(months, days, micros.saturating_mul(1_000));
            Arc::new(IntervalMonthDayNanoArray::from(vec![interval]))
        }
        Scalar::Numeric => numeric_text(bytes).and_then(|text| decimal(&text)).ok_or_else(malformed)?,
        Scalar::Jsonb if !bytes.is_empty() => text(&bytes.slice(1..))?,
        Scalar::Uuid => {
            let id: [u8; 16] = bytes[..].try_into().map_err(|_| malformed())?;
            let id = format!("{:032x}", u128::from_be_bytes(id));
            let parts = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]];
            Arc::new(StringArray::from(vec![parts.join("-")]))
        }
        _ => text(bytes)?,
    })
}

fn text(bytes: &Bytes) -> Result<ArrayRef, PgError> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| PgError::new("22021", "invalid byte sequence for encoding \"UTF8\""))?;
    Ok(Arc::new(StringArray::from(vec![text])))
}

fn since_1970(micros: i64) -> i64 {
    micros.saturating_add(POSTGRES_EPOCH_MICROS)
}

fn array_from_binary(scalar: Scalar, bytes: &Bytes, arrow: &DataType) -> Result<ArrayRef, PgError> {
    let malformed = |_| PgError::new("22P03", "incorrect binary data format in bind parameter");
    let mut body = Body(bytes.clone());
    let dimensions = body.i32().map_err(malformed)?;
    let (_has_nulls, element) = (body.i32().map_err(malformed)?, body.u32().map_err(malformed)?);
    let scalar = PgType::from_oid(element).filter(|found| !found.is_array).map_or(scalar, |found| found.scalar);
    if dimensions > 1 {
        return Err(PgError::unsupported("arrays of more than one dimension are not supported"));
    }
    if dimensions <= 0 {
        return list(scalar, Vec::new());
    }
    let (count, _first) = (body.i32().map_err(malformed)?, body.i32().map_err(malformed)?);
    let count = usize::try_from(count).unwrap_or(0);
    if count > ELEMENTS_MAX {
        return Err(PgError::new("54000", format!("an array of more than {ELEMENTS_MAX} elements is not taken")));
    }
    let mut values = Vec::new();
    for _ in 0..count {
        let length = body.i32().map_err(malformed)?;
        values.push(match usize::try_from(length) {
            Ok(length) => from_binary(scalar, &body.bytes(length).map_err(malformed)?)?,
            Err(_) => new_null_array(&scalar.arrow().unwrap_or(DataType::Utf8), 1),
        });
    }
    let _ = arrow;
    list(scalar, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::{Decimal128Type, Float64Type, Int32Type, TimestampMicrosecondType};
    use proptest::prelude::*;

    fn scalar(scalar: Scalar) -> PgType {
        PgType { scalar, is_array: false }
    }

    fn text(pg_type: PgType, text: &str) -> Result<ArrayRef, PgError> {
        from_text(pg_type, text, &Zone::named("Asia/Bangkok").unwrap())
    }

    #[test]
    fn texts() {
        assert!(text(scalar(Scalar::Bool), "yes").unwrap().as_boolean().value(0));
        assert_eq!(text(scalar(Scalar::Int4), " 5").unwrap().as_primitive::<Int32Type>().value(0), 5);
        assert!(text(scalar(Scalar::Float8), "NaN").unwrap().as_primitive::<Float64Type>().value(0).is_nan());
        let decimal = text(scalar(Scalar::Numeric), "-12.50").unwrap();
        assert_eq!(decimal.data_type(), &DataType::Decimal128(4, 2));
        assert_eq!(decimal.as_primitive::<Decimal128Type>().value(0), -1250);
        let error = text(scalar(Scalar::Int4), "five").unwrap_err();
        assert_eq!((error.code, &error.message[..]), ("22P02", "invalid input syntax for type integer: \"five\""));
        assert_eq!(text(scalar(Scalar::Unknown), " as it is").unwrap().as_string::<i32>().value(0), " as it is");
    }

    #[test]
    fn instants_without_offset_are_of_the_zone() {
        let micros = |written| {
            text(scalar(Scalar::TimestampTz), written).unwrap().as_primitive::<TimestampMicrosecondType>().value(0)
        };
        let expected = 1_767_200_400_000_000; // 2025-12-31T17:00:00Z
        for written in [
            "2026-01-01 00:00:00",
            "2026-01-01",
            "2026-01-01T00:00:00+07:00",
            "2026-01-01 00:00:00+07",
            "2025-12-31 17:00:00Z",
            "2025-12-31 17:00:00.000+00",
        ] {
            assert_eq!(micros(written), expected, "{written}");
        }
        assert_eq!(text(scalar(Scalar::TimestampTz), "soon").unwrap_err().code, "22007");
    }

    #[test]
    fn arrays() {
        let pg_type = PgType { scalar: Scalar::Int4, is_array: true };
        let list = text(pg_type, "{1,NULL,3}").unwrap();
        assert_eq!(list.as_list::<i32>().value(0).as_primitive::<Int32Type>().values()[2], 3);
        assert_eq!(text(pg_type, "{}").unwrap().as_list::<i32>().value(0).len(), 0);
        let binary = b"\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x02\0\0\0\x01\0\0\0\x04\0\0\0\x09\xff\xff\xff\xff";
        let list = value(pg_type, Format::Binary, Some(&Bytes::from_static(binary)), &Zone::utc()).unwrap();
        assert_eq!(list.as_list::<i32>().value(0).as_primitive::<Int32Type>().value(0), 9);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let bytes = Bytes::from(bytes);
            for &scalar in Scalar::ALL {
                for is_array in [false, true] {
                    for format in [Format::Text, Format::Binary] {
                        let read = value(PgType { scalar, is_array }, format, Some(&bytes), &Zone::utc());
                        prop_assert!(read.is_err() || read.unwrap().len() == 1);
                    }
                }
            }
        }
    }
}
