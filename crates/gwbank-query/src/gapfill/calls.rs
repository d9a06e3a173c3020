//! `gapfill`, `locf` and `interpolate` as the planner sees them. None is ever run: the rule puts rows in their place.

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::error::QueryError;
use crate::functions::{Function, time_type};

pub(crate) const GAPFILL: Function = Function {
    name: "gapfill",
    form: "gapfill(width, time [, zone] [, start, finish]) in GROUP BY, with locf(value [, prev, treat_null_as_missing]) and interpolate(value [, prev, next])",
    kind: "scalar",
    formula: "buckets as time_bucket cuts them; a row for each from start to before finish (else as WHERE bounds the time) in each group of the other keys, NULL where nothing was",
    units: "interval, instant; instant",
    source: "TimescaleDB time_bucket_gapfill, which is another name of it",
    example: "SELECT string_agg(coalesce(CAST(v AS text), '-'), ' ' ORDER BY t) FROM (SELECT gapfill('1 hour', time) AS t, locf(avg(value)) AS v FROM (VALUES (TIMESTAMP '2026-01-01T01:30:00Z', 5.0), (TIMESTAMP '2026-01-01T03:10:00Z', 7.0)) AS x(time, value) WHERE time >= TIMESTAMP '2026-01-01T00:00:00Z' AND time < TIMESTAMP '2026-01-01T05:00:00Z' GROUP BY 1)",
    example_result: "- 5.0 5.0 7.0 7.0",
};

/// `locf` and `interpolate` without OVER.
pub(super) const FILL_LOCF: &str = "gapfill_locf";
pub(super) const FILL_INTERPOLATE: &str = "gapfill_interpolate";

pub(crate) fn functions() -> impl Iterator<Item = ScalarUDF> {
    [Call::Gapfill, Call::Locf, Call::Interpolate].into_iter().map(|call| {
        ScalarUDF::new_from_impl(Placeholder { call, signature: Signature::user_defined(Volatility::Immutable) })
    })
}

/// What a call is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Call {
    Gapfill,
    Locf,
    Interpolate,
}

impl Call {
    pub(super) fn of(function: &ScalarUDF) -> Option<Self> {
        match function.name() {
            name if name == GAPFILL.name => Some(Self::Gapfill),
            FILL_LOCF => Some(Self::Locf),
            FILL_INTERPOLATE => Some(Self::Interpolate),
            _ => None,
        }
    }

    /// As people write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gapfill => GAPFILL.name,
            Self::Locf => "locf",
            Self::Interpolate => "interpolate",
        }
    }

    /// Where it stands and cannot be.
    pub(super) fn misplaced(self) -> QueryError {
        QueryError::Invalid(match self {
            Self::Gapfill => {
                "gapfill belongs in GROUP BY, by itself: SELECT gapfill('1 hour', time) AS hour, avg(value) \
                              … GROUP BY hour"
                    .to_owned()
            }
            Self::Locf => {
                "locf without OVER fills the gaps of gapfill in the same SELECT: write it around an aggregate \
                           of a query that is grouped by gapfill, or as locf(value) OVER (PARTITION BY … ORDER BY time)"
                    .to_owned()
            }
            Self::Interpolate => {
                "interpolate without OVER fills the gaps of gapfill in the same SELECT: write it around \
                                  an aggregate of a query that is grouped by gapfill, or as interpolate(value, time) \
                                  OVER (PARTITION BY … ORDER BY time)"
                    .to_owned()
            }
        })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Placeholder {
    call: Call,
    signature: Signature,
}

pub(super) fn is_text(given: &DataType) -> bool {
    matches!(given, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

impl ScalarUDFImpl for Placeholder {
    fn name(&self) -> &str {
        match self.call {
            Call::Gapfill => GAPFILL.name,
            Call::Locf => FILL_LOCF,
            Call::Interpolate => FILL_INTERPOLATE,
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.call.name();
        match (self.call, given) {
            (Call::Gapfill, [width, time, rest @ ..]) if rest.len() <= 3 => {
                if !matches!(width, DataType::Interval(_)) && !is_text(width) {
                    return plan_err!("the width of {name} is an interval such as '1 hour', not {width}");
                }
                let Some(time) = time_type(time).filter(|_| *time != DataType::Null) else {
                    return plan_err!("{name} cuts a timestamp or a date, not {time}");
                };
                let bound = |given: &DataType| match given {
                    text if is_text(text) => Ok(DataType::Utf8),
                    DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null => {
                        Ok(DataType::Timestamp(TimeUnit::Microsecond, zone_of(&time)))
                    }
                    other => plan_err!("after width and time {name} takes a zone, a start and a finish, not {other}"),
                };
                let rest = rest.iter().map(bound).collect::<Result<Vec<_>>>()?;
                let width = DataType::Interval(IntervalUnit::MonthDayNano);
                Ok([width, time].into_iter().chain(rest).collect())
            }
            (Call::Locf, [value]) => Ok(vec![value.clone()]),
            (Call::Locf, [value, _prev]) => Ok(vec![value.clone(); 2]),
            (Call::Locf, [value, _prev, DataType::Boolean | DataType::Null]) => {
                Ok(vec![value.clone(), value.clone(), DataType::Boolean])
            }
            (Call::Interpolate, [value, beside @ ..]) if beside.len() <= 2 => {
                let value = match value {
                    whole if whole.is_integer() => DataType::Int64,
                    number if number.is_numeric() => DataType::Float64,
                    other => return plan_err!("interpolate takes a number, not {other}"),
                };
                Ok(std::iter::once(value).chain(beside.iter().cloned()).collect())
            }
            (Call::Gapfill, _) => plan_err!("gapfill is called as {}", GAPFILL.form),
            (Call::Locf, _) => plan_err!("locf is called as locf(value [, prev, treat_null_as_missing])"),
            (Call::Interpolate, _) => plan_err!("interpolate is called as interpolate(value [, prev, next])"),
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[usize::from(self.call == Call::Gapfill)].clone())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(self.call.misplaced().into_engine())
    }
}

fn zone_of(time: &DataType) -> Option<Arc<str>> {
    match time {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}
