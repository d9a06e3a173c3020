//! Functions whose result can be larger than what they are given, and functions that can take long over one batch.
//!
//! A bound is never too low; where it is too high, then not by more than a small factor for what people write.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType};

use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

use super::measure::Argument;

/// How large a result can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// All arguments side by side.
    Sum,
    /// The first, as often as the second says.
    Repeat,
    /// `lpad`, `rpad`: as many characters as the second says.
    Pad,
    /// `replace(text, from, to)`
    Replace,
    /// `regexp_replace(text, pattern, by)`: at every place, with all of the match in it.
    ReplacePattern,
    /// Pieces of the first, one for each group of the pattern.
    Groups,
    /// `to_char(time, format)`
    Format,
    /// `array_to_string(list, between)`
    Join,
    /// `string_to_array(text, between)`
    Split,
    /// `array_resize(list, elements, value)`
    Resize,
    /// `range(start, stop, step)`
    Series,
    /// Not larger than the arguments.
    None,
}

/// How long a row can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Effort {
    Linear,
    /// Each byte of the first meets each state of a pattern.
    Pattern,
    /// Each byte of the first meets each of the second.
    Pairs,
    /// Each element of the first meets each of the second.
    Elements,
}

/// Characters have at most so many bytes.
const CHARACTER_BYTES: u64 = 4;
/// An element of a list of texts needs so much besides its text.
const ELEMENT_BYTES: u64 = 17;
/// A number or an instant as text.
const NUMBER_AS_TEXT: u64 = 40;
/// The shortest that a month can be, so that a series by months is counted too long rather than too short.
const MONTH_MICROS: i64 = 28 * 86_400_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// What is known of a function by its name.
pub(super) fn of(name: &str) -> Option<(Growth, Effort)> {
    Some(match name {
        "concat" | "concat_ws" | "overlay" | "make_array" | "array_append" | "array_prepend" | "array_concat"
        | "named_struct" | "struct" | "map" | "arrays_zip" => (Growth::Sum, Effort::Linear),
        "repeat" | "array_repeat" => (Growth::Repeat, Effort::Linear),
        "lpad" | "rpad" => (Growth::Pad, Effort::Linear),
        "replace" => (Growth::Replace, Effort::Linear),
        "regexp_replace" => (Growth::ReplacePattern, Effort::Pattern),
        "regexp_match" => (Growth::Groups, Effort::Pattern),
        "regexp_like" | "regexp_count" | "regexp_instr" => (Growth::None, Effort::Pattern),
        "levenshtein" => (Growth::None, Effort::Pairs),
        "array_has_all" | "array_has_any" => (Growth::None, Effort::Elements),
        "to_char" => (Growth::Format, Effort::Linear),
        "array_to_string" => (Growth::Join, Effort::Linear),
        "string_to_array" => (Growth::Split, Effort::Linear),
        "array_resize" => (Growth::Resize, Effort::Linear),
        "range" | "generate_series" => (Growth::Series, Effort::Linear),
        _ => return None,
    })
}

impl Growth {
    /// A bound on the bytes of the result.
    pub(super) fn bound(self, values: &[ColumnarValue], rows: usize) -> Result<u64> {
        let arguments: Vec<Argument> = values.iter().map(|value| Argument::new(value, rows)).collect::<Result<_>>()?;
        let lengths = |index: usize| arguments.get(index).map(Argument::lengths).unwrap_or_else(|| vec![0; rows]);
        let counts = |index: usize| arguments.get(index).map(Argument::integers).unwrap_or_else(|| vec![0; rows]);
        let times = |count: i64| u64::try_from(count).unwrap_or(0);
        let sum = |of_row: &dyn Fn(usize) -> u64| (0..rows).fold(0u64, |sum, row| sum.saturating_add(of_row(row)));
        Ok(match self {
            Growth::None => 0,
            Growth::Sum => arguments.iter().fold(0, |sum, argument| sum.saturating_add(argument.bytes())),
            Growth::Repeat => {
                let (texts, counts) = (lengths(0), counts(1));
                sum(&|row| texts[row].max(1).saturating_mul(times(counts[row])))
            }
            Growth::Pad => {
                let (texts, counts) = (lengths(0), counts(1));
                sum(&|row| texts[row].max(times(counts[row]).saturating_mul(CHARACTER_BYTES)))
            }
            Growth::Replace => {
                let (texts, from, to) = (lengths(0), lengths(1), lengths(2));
                sum(&|row| texts[row].saturating_add((texts[row] / from[row].max(1) + 1).saturating_mul(to[row])))
            }
            Growth::ReplacePattern => {
                let (texts, by) = (lengths(0), lengths(2));
                sum(&|row| (texts[row] + 1).saturating_mul(by[row] + 1))
            }
            Growth::Groups => {
                let (texts, patterns) = (lengths(0), lengths(1));
                sum(&|row| texts[row].saturating_mul(patterns[row] / 2 + 1))
            }
            Growth::Format => lengths(1).into_iter().fold(0, |sum, length| sum + length * NUMBER_AS_TEXT),
            Growth::Join => {
                let (bytes, elements, between) = (lengths(0), arguments[0].elements(), lengths(1));
                sum(&|row| bytes[row] * 3 + elements[row].saturating_mul(between[row] + NUMBER_AS_TEXT))
            }
            Growth::Split => lengths(0).into_iter().fold(0, |sum, length| sum + (length + 1) * ELEMENT_BYTES),
            Growth::Resize => {
                let (counts, lists, values) = (counts(1), lengths(0), lengths(2));
                sum(&|row| lists[row].saturating_add(times(counts[row]).saturating_mul(values[row].max(8))))
            }
            Growth::Series => series(&arguments, rows),
        })
    }
}

/// Eight bytes an element.
fn series(arguments: &[Argument], rows: usize) -> u64 {
    let numbers: Vec<Vec<i64>> = arguments.iter().take(2).map(in_micros_or_ones).collect();
    let zeros = vec![0; rows];
    let (starts, stops) = match numbers.as_slice() {
        [stops] => (&zeros, stops),
        [starts, stops, ..] => (starts, stops),
        [] => return 0,
    };
    let steps = arguments.get(2).map_or_else(|| vec![1; rows], in_micros_or_ones);
    let elements = |row: usize| (starts[row].abs_diff(stops[row]) / steps[row].unsigned_abs().max(1)).saturating_add(1);
    (0..rows).fold(0u64, |sum, row| sum.saturating_add(elements(row).saturating_mul(8)))
}

/// Times, days and intervals in microseconds, numbers as they are.
fn in_micros_or_ones(argument: &Argument) -> Vec<i64> {
    let array = argument.array();
    let unit = match array.data_type() {
        DataType::Interval(_) => return argument_intervals(argument),
        DataType::Date32 => DAY_MICROS,
        DataType::Timestamp(..) => {
            let micros = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
            return match arrow::compute::cast(array, &micros) {
                Ok(times) => argument.with(times).integers(),
                Err(_) => argument.integers(),
            };
        }
        _ => 1,
    };
    argument.integers().into_iter().map(|number| number.saturating_mul(unit)).collect()
}

fn argument_intervals(argument: &Argument) -> Vec<i64> {
    let month_day_nano = DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano);
    let Ok(intervals) = arrow::compute::cast(argument.array(), &month_day_nano) else { return argument.integers() };
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let micros = |interval: Option<arrow::datatypes::IntervalMonthDayNano>| {
        let interval = interval.unwrap_or_default();
        let months = i64::from(interval.months).saturating_mul(MONTH_MICROS);
        months + i64::from(interval.days) * DAY_MICROS + interval.nanoseconds / 1000
    };
    argument.for_all_rows(intervals.iter().map(micros).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::scalar::ScalarValue;

    fn text(text: &str) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::from(text))
    }
    fn number(number: i64) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::from(number))
    }

    #[test]
    fn bounds() {
        let bound = |growth: Growth, values: &[ColumnarValue]| growth.bound(values, 2).unwrap();
        assert_eq!(bound(Growth::Repeat, &[text("abc"), number(10)]), 60);
        assert_eq!(bound(Growth::Repeat, &[text("abc"), number(-10)]), 0);
        assert_eq!(bound(Growth::Repeat, &[text("abc"), number(i64::MAX)]), u64::MAX);
        assert_eq!(bound(Growth::Pad, &[text("abc"), number(10)]), 80);
        assert_eq!(bound(Growth::Replace, &[text("aaaa"), text("a"), text("bbb")]), 2 * (4 + 5 * 3));
        assert_eq!(bound(Growth::Series, &[number(1), number(100), number(-10)]), 2 * 10 * 8);
        assert_eq!(bound(Growth::Series, &[number(i64::MIN), number(i64::MAX)]), u64::MAX);
        let days = [20_000, 20_010].map(|day| ColumnarValue::Scalar(ScalarValue::Date32(Some(day))));
        let hour = ColumnarValue::Scalar(ScalarValue::new_interval_mdn(0, 0, 3_600_000_000_000));
        let [from, to] = days;
        assert_eq!(bound(Growth::Series, &[from, to, hour]), 2 * 241 * 8);
    }
}
