//! `time_bucket(width, time [, origin | zone])`, with TimescaleDB's meaning.
//!
//! # Rules
//! 1. Widths of months count from 2000-01-01, other widths from Monday 2000-01-03, or from the origin.
//! 2. With a zone, buckets are cut in its local time; the answer is the instant at which the bucket starts.
//! 3. A width mixes no months with days, and is at least a microsecond.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use gwbank_model::{Month, Timestamp, Zone};
use gwbank_store::{Bucket, MonthUnit, timestamp_type};

use super::Function;

pub(super) const FUNCTION: Function = Function {
    name: "time_bucket",
    form: "time_bucket(width, time [, origin | zone])",
    kind: "scalar",
    formula: "start of the bucket of that width that holds the time; buckets count from 2000-01-03 (months from 2000-01-01), from an origin, or in the local time of a zone",
    units: "interval, instant; instant",
    source: "TimescaleDB time_bucket",
    example: "SELECT time_bucket('1 day', '2026-11-22T18:30:00Z', 'Asia/Bangkok')",
    example_result: "2026-11-22T17:00:00Z",
};

/// Monday 2000-01-03, so that weeks start on Mondays.
const ORIGIN: Timestamp = Timestamp::from_secs(946_857_600);
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Since January 1970: what a timestamp can tell of, and not much more.
const MONTHS_MAX: i32 = 290_000 * 12;

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(TimeBucket { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeBucket {
    signature: Signature,
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        FUNCTION.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (width, time, third) = match given {
            [width, time] => (width, time, None),
            [width, time, third] => (width, time, Some(third)),
            _ => return plan_err!("time_bucket takes two or three arguments: {}", FUNCTION.form),
        };
        let is_text = |given: &DataType| matches!(given, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        if !matches!(width, DataType::Interval(_) | DataType::Null) && !is_text(width) {
            return plan_err!("the width of time_bucket is an interval such as '1 hour', not {width}");
        }
        let time = match time {
            DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Null => timestamp_type(),
            text if is_text(text) => timestamp_type(),
            other => return plan_err!("time_bucket cuts a timestamp or a date, not {other}"),
        };
        let third = match third {
            None => None,
            Some(text) if is_text(text) => Some(DataType::Utf8),
            Some(DataType::Timestamp(..) | DataType::Date32 | DataType::Null) => Some(time.clone()),
            Some(other) => return plan_err!("the third argument of time_bucket is an origin or a zone, not {other}"),
        };
        Ok([DataType::Interval(IntervalUnit::MonthDayNano), time].into_iter().chain(third).collect())
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[1].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let time_type = args.args[1].data_type();
        let times = args.args[1].to_array(rows)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let constant = (scalar(&args.args[0]), args.args.get(2).map(scalar));
        let buckets: PrimitiveArray<TimestampMicrosecondType> = match constant {
            // As everybody writes it: one width, and one origin or zone.
            (Some(width), None | Some(Some(_))) => {
                let third = args.args.get(2).and_then(scalar);
                if width.is_null() || third.as_ref().is_some_and(ScalarValue::is_null) {
                    PrimitiveArray::new_null(rows)
                } else {
                    let cutter = Cutter::new(&width, third.as_ref())?;
                    times.try_unary(|micros| cutter.start_of(micros))?
                }
            }
            _ => {
                let widths = args.args[0].to_array(rows)?;
                let thirds = args.args.get(2).map(|third| third.to_array(rows)).transpose()?;
                each(&widths, times, thirds.as_ref())?
            }
        };
        let DataType::Timestamp(_, zone) = time_type else { return exec_err!("time_bucket was not given a timestamp") };
        Ok(ColumnarValue::Array(Arc::new(buckets.with_timezone_opt(zone))))
    }

    /// A bucket is a stretch of time: a comparison with where one begins is one of the time, which the scan understands.
    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        let ([Expr::Literal(width, _), time, third @ ..], Expr::Literal(literal, _)) = (args, literal) else {
            return Ok(PreimageResult::None);
        };
        let (ScalarValue::TimestampMicrosecond(Some(start), _), DataType::Timestamp(TimeUnit::Microsecond, zone)) =
            (literal, info.get_data_type(time)?)
        else {
            return Ok(PreimageResult::None);
        };
        let third = match third {
            [] => None,
            [Expr::Literal(third, _)] if !third.is_null() => Some(third),
            _ => return Ok(PreimageResult::None),
        };
        let Ok(cutter) = Cutter::new(width, third) else { return Ok(PreimageResult::None) };
        let next = cutter.after(*start);
        match (cutter.start_of(*start), next) {
            (Ok(begins), Some(next)) if begins == *start => {
                let at = |micros: i64| ScalarValue::TimestampMicrosecond(Some(micros), zone.clone());
                let interval = Box::new(Interval::try_new(at(*start), at(next))?);
                Ok(PreimageResult::Range { expr: time.clone(), interval })
            }
            _ => Ok(PreimageResult::None),
        }
    }
}

/// The buckets of a width and an origin or a zone; `None` where months are counted as no calendar does, or where either is
/// no such thing.
pub(crate) fn bucket(width: &ScalarValue, third: Option<&ScalarValue>) -> Option<Bucket> {
    let Cutter { width, offset_seconds } = Cutter::new(width, third).ok()?;
    match width {
        Width::Micros { width, origin } => {
            let origin_micros = origin.checked_sub(i64::from(offset_seconds) * 1_000_000)?;
            Some(Bucket::Width { micros: width, origin_micros })
        }
        Width::Months { width, origin } => {
            let unit = MonthUnit::of_months(width)?;
            let begins_with_the_year = (origin.month_of_year() as i32 - 1) % width == 0;
            begins_with_the_year.then_some(Bucket::Months { unit, offset_seconds })
        }
    }
}

fn scalar(value: &ColumnarValue) -> Option<ScalarValue> {
    match value {
        ColumnarValue::Scalar(scalar) => Some(scalar.clone()),
        ColumnarValue::Array(_) => None,
    }
}

fn each(
    widths: &ArrayRef,
    times: &PrimitiveArray<TimestampMicrosecondType>,
    thirds: Option<&ArrayRef>,
) -> Result<PrimitiveArray<TimestampMicrosecondType>> {
    let bucket = |row: usize| -> Result<Option<i64>> {
        let null = widths.is_null(row) || times.is_null(row) || thirds.is_some_and(|thirds| thirds.is_null(row));
        if null {
            return Ok(None);
        }
        let width =
            ScalarValue::IntervalMonthDayNano(Some(widths.as_primitive::<IntervalMonthDayNanoType>().value(row)));
        let third = thirds.map(|thirds| ScalarValue::try_from_array(thirds, row)).transpose()?;
        Ok(Some(Cutter::new(&width, third.as_ref())?.start_of(times.value(row))?))
    };
    (0..times.len()).map(bucket).collect()
}

/// Only of a zone whose clocks never change, as its days are of 24 hours.
pub(crate) fn fixed_seconds(zone: &str) -> Option<i32> {
    Zone::named(zone)?.fixed_seconds()
}

/// Cuts time into buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cutter {
    width: Width,
    offset_seconds: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Width {
    Micros { width: i64, origin: i64 },
    Months { width: i32, origin: Month },
}

impl Cutter {
    pub(crate) fn new(width: &ScalarValue, third: Option<&ScalarValue>) -> Result<Self> {
        let (mut origin, mut offset) = (None, 0);
        match third {
            Some(ScalarValue::Utf8(Some(text))) => match (fixed_seconds(text), Timestamp::parse_rfc3339(text)) {
                (Some(seconds), _) => offset = seconds,
                (None, Some(instant)) => origin = Some(instant),
                (None, None) => {
                    return exec_err!(
                        "{text:?} is neither a zone ('Asia/Bangkok', 'UTC', '+07:00') nor a time ('2000-01-03T00:00:00Z')"
                    );
                }
            },
            Some(ScalarValue::TimestampMicrosecond(Some(micros), _)) => origin = Some(Timestamp::from_micros(*micros)),
            _ => {}
        }
        let ScalarValue::IntervalMonthDayNano(Some(width)) = width else {
            return exec_err!("the width of time_bucket is an interval");
        };
        Ok(Self { width: Width::new(*width, origin)?, offset_seconds: offset })
    }

    /// The bucket after the one that begins here; `None` beyond the range of timestamps.
    pub(crate) fn after(self, start: i64) -> Option<i64> {
        match self.width {
            Width::Micros { width, .. } => start.checked_add(width),
            Width::Months { width, .. } => {
                let offset = i64::from(self.offset_seconds) * 1_000_000;
                let month = Timestamp::from_micros(start.checked_add(offset)?).month(0);
                let next = month.index().checked_add(width).filter(|index| *index <= MONTHS_MAX)?;
                Month::from_index(next).start(0).as_micros().checked_sub(offset)
            }
        }
    }

    /// No bucket is longer.
    pub(crate) fn micros_at_most(self) -> i64 {
        match self.width {
            Width::Micros { width, .. } => width,
            Width::Months { width, .. } => i64::from(width).saturating_mul(31 * MICROS_PER_DAY),
        }
    }

    pub(crate) fn start_of(self, micros: i64) -> Result<i64> {
        let offset = i64::from(self.offset_seconds) * 1_000_000;
        let start = micros.checked_add(offset).and_then(|local| match self.width {
            Width::Micros { width, origin } => {
                let since = i128::from(local) - i128::from(origin);
                i64::try_from(since.div_euclid(i128::from(width)) * i128::from(width) + i128::from(origin)).ok()
            }
            Width::Months { width, origin } => {
                let month = Timestamp::from_micros(local).month(0).index() - origin.index();
                Some(origin.plus(month.div_euclid(width) * width).start(0).as_micros())
            }
        });
        match start.and_then(|start| start.checked_sub(offset)) {
            Some(start) => Ok(start),
            None => exec_err!("time_bucket reached beyond the range of timestamps"),
        }
    }
}

impl Width {
    fn new(width: IntervalMonthDayNano, origin: Option<Timestamp>) -> Result<Self> {
        let IntervalMonthDayNano { months, days, nanoseconds } = width;
        if months != 0 {
            if months < 0 || days != 0 || nanoseconds != 0 {
                return exec_err!("the width of time_bucket is either whole months or days and times, and positive");
            }
            let origin = origin.map_or(Month::new(2000, 1), |origin| origin.month(0));
            return Ok(Self::Months { width: months, origin });
        }
        let micros = i64::from(days) * MICROS_PER_DAY + nanoseconds / 1000;
        if micros <= 0 || nanoseconds % 1000 != 0 {
            return exec_err!("the width of time_bucket is at least a microsecond, and whole microseconds");
        }
        Ok(Self::Micros { width: micros, origin: origin.unwrap_or(ORIGIN).as_micros() })
    }
}
