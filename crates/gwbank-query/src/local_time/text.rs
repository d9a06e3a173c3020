//! Times as text: what people leave out, and the form that PostgreSQL gives them.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use gwbank_model::{Timestamp, Zone};

/// `2026-05-01 06:30+07`, `2026-05-01T06:30:00Z`.
pub(crate) fn has_offset(text: &str) -> bool {
    let clock = text.trim().get(10..).unwrap_or_default();
    clock.contains(['+', '-']) || clock.chars().skip(1).any(char::is_alphabetic)
}

/// Whether a text begins with a day and a time of day.
fn has_clock(text: &str) -> bool {
    text.len() >= 16
        && text.bytes().zip(b"0000-00-00 00:00").all(|(given, form)| match form {
            b'0' => given.is_ascii_digit(),
            b' ' => matches!(given, b' ' | b'T' | b't'),
            other => given == *other,
        })
}

/// `2026-05-01 06:30`, with or without an offset after it, has no seconds, which the engine's reader insists on.
pub(super) fn with_seconds(value: &ScalarValue) -> Option<ScalarValue> {
    let text = value.try_as_str().flatten()?.trim();
    if !has_clock(text) {
        return None;
    }
    let (day_and_minute, rest) = text.split_at_checked(16)?;
    let has_seconds = rest.starts_with([':', '.']) || rest.starts_with(|next: char| next.is_ascii_digit());
    (!has_seconds).then(|| ScalarValue::from(format!("{day_and_minute}:00{rest}")))
}

/// The day of a text with a time of day, beside a date; the text of a local time without its offset, as PostgreSQL has it.
pub(super) fn for_local(value: &ScalarValue, kind: &DataType) -> Option<ScalarValue> {
    let text = value.try_as_str().flatten()?.trim();
    if !has_clock(text) {
        return None;
    }
    if *kind == DataType::Date32 {
        return Some(ScalarValue::from(&text[..10]));
    }
    let end = text[10..].find(['+', '-', 'Z', 'z']).map_or(text.len(), |offset| 10 + offset);
    let local = ScalarValue::from(text[..end].trim_end());
    with_seconds(&local).or_else(|| (end < text.len()).then_some(local))
}

/// A time as PostgreSQL writes it: `2026-05-01 06:30:00+07`.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(TimeText { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeText {
    signature: Signature,
}

impl ScalarUDFImpl for TimeText {
    fn name(&self) -> &str {
        "gwbank_text_of_time"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(zone) = &args.args[0] else { return exec_err!("the zone is one") };
        let Some(zone) = zone.try_as_str().flatten().and_then(Zone::named) else { return exec_err!("no such zone") };
        let has_zone = matches!(args.args[1].data_type(), DataType::Timestamp(_, Some(_)));
        let to = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        let times = arrow::compute::cast(&args.args[1].to_array(args.number_rows)?, &to)?;
        let told = times.as_primitive::<TimestampMicrosecondType>().iter();
        let text: StringArray =
            told.map(|micros| micros.map(|micros| text_of(micros, has_zone.then_some(&zone)))).collect();
        Ok(ColumnarValue::Array(Arc::new(text)))
    }
}

fn text_of(micros: i64, zone: Option<&Zone>) -> String {
    let offset = zone.map_or(0, |zone| zone.offset(micros));
    let told = Timestamp::from_micros(micros).to_rfc3339(offset).replacen('T', " ", 1);
    let clock_end = told.get(11..).and_then(|clock| clock.find(['+', '-', 'Z'])).map_or(told.len(), |end| 11 + end);
    let clock = &told[..clock_end];
    let clock = if clock.contains('.') { clock.trim_end_matches('0') } else { clock };
    match zone {
        None => clock.to_owned(),
        Some(_) => match told[clock_end..].strip_suffix(":00").unwrap_or(&told[clock_end..]) {
            "Z" => format!("{clock}+00"),
            offset => format!("{clock}{offset}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_that_were_left_out() {
        let read = |text: &str| with_seconds(&ScalarValue::from(text)).map(|value| value.to_string());
        assert_eq!(read("2026-05-01 06:30").as_deref(), Some("2026-05-01 06:30:00"));
        assert_eq!(read("2026-05-01T06:30+07").as_deref(), Some("2026-05-01T06:30:00+07"));
        assert_eq!(read("2026-05-01T06:30Z").as_deref(), Some("2026-05-01T06:30:00Z"));
        for as_it_is in ["2026-05-01", "2026-05-01 06:30:15", "TH3001-0007 and on", "", "2026-05-01 06:300", "กกกกกก"]
        {
            assert_eq!(read(as_it_is), None, "{as_it_is}");
        }
    }

    #[test]
    fn beside_what_has_no_zone() {
        let read = |text: &str, kind: &DataType| for_local(&ScalarValue::from(text), kind).map(|it| it.to_string());
        let local = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        assert_eq!(read("2026-05-01 06:30", &DataType::Date32).as_deref(), Some("2026-05-01"));
        assert_eq!(read("2026-05-01 06:30", &local).as_deref(), Some("2026-05-01 06:30:00"));
        assert_eq!(read("2026-05-01T06:30:15+02", &local).as_deref(), Some("2026-05-01T06:30:15"));
        for as_it_is in ["2026-05-01", "2026-05-01 06:30:15", "words"] {
            assert_eq!(read(as_it_is, &local), None, "{as_it_is}");
        }
    }

    #[test]
    fn as_postgresql_writes_it() {
        let bangkok = Zone::bangkok();
        assert_eq!(text_of(0, Some(&bangkok)), "1970-01-01 07:00:00+07");
        assert_eq!(text_of(1_500_000, Some(&Zone::utc())), "1970-01-01 00:00:01.5+00");
        assert_eq!(text_of(0, Some(&Zone::named("-03:30").unwrap())), "1969-12-31 20:30:00-03:30");
        assert_eq!(text_of(-1, None), "1969-12-31 23:59:59.999999");
        assert_eq!(text_of(10_000_000, None), "1970-01-01 00:00:10");
    }
}
