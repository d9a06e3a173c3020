//! `timezone(zone, time)`, which `time AT TIME ZONE zone` is: what local clocks show at an instant, or the instant at which
//! they show it.

use std::sync::Arc;

use arrow::array::{AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use gwbank_model::Zone;
use gwbank_store::timestamp_type;

use super::{Function, is_text};

pub(super) const FUNCTION: Function = Function {
    name: "timezone",
    form: "timezone(zone, time)",
    kind: "scalar",
    formula: "of an instant, what clocks of the zone show, without a zone; of a time without a zone, the instant at which they show it; time AT TIME ZONE zone is the same",
    units: "zone, instant or time without a zone; the other of the two",
    source: "PostgreSQL timezone",
    example: "SELECT timezone('Asia/Bangkok', TIMESTAMP '2026-11-23 01:30')",
    example_result: "2026-11-22T18:30:00Z",
};

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(TimeZone { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeZone {
    signature: Signature,
}

/// Without a zone, in microseconds.
pub(crate) fn local_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

impl ScalarUDFImpl for TimeZone {
    fn name(&self) -> &str {
        FUNCTION.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [zone, time] = given else { return plan_err!("timezone takes a zone and a time: {}", FUNCTION.form) };
        if !is_text(zone) && *zone != DataType::Null {
            return plan_err!("the zone of timezone is a text such as 'Asia/Bangkok', not {zone}");
        }
        let time = match time {
            DataType::Timestamp(_, Some(zone)) => DataType::Timestamp(TimeUnit::Microsecond, Some(zone.clone())),
            DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64 => local_type(),
            DataType::Null => timestamp_type(),
            text if is_text(text) => timestamp_type(),
            other => return plan_err!("timezone takes a time, not {other}"),
        };
        Ok(vec![DataType::Utf8, time])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [_, DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64] => Ok(timestamp_type()),
            _ => Ok(local_type()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to_local = matches!(args.args[1].data_type(), DataType::Timestamp(_, Some(_)));
        let times = args.args[1].to_array(args.number_rows)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let in_zone = |zone: &Zone, micros: i64| if to_local { zone.local(micros) } else { zone.instant(micros) };
        let told: PrimitiveArray<TimestampMicrosecondType> = match &args.args[0] {
            ColumnarValue::Scalar(name) => match name.try_as_str().flatten() {
                Some(name) => {
                    let zone = known(name)?;
                    times.unary(|micros| in_zone(&zone, micros))
                }
                None => PrimitiveArray::new_null(args.number_rows),
            },
            ColumnarValue::Array(names) => {
                let names = names.as_string::<i32>();
                let mut last: Option<Zone> = None;
                let each = names.iter().zip(times).map(|(name, micros)| {
                    let (Some(name), Some(micros)) = (name, micros) else { return Ok(None) };
                    let zone = match last.take() {
                        Some(zone) if zone.name() == name => zone,
                        _ => known(name)?,
                    };
                    let told = in_zone(&zone, micros);
                    last = Some(zone);
                    Ok::<_, DataFusionError>(Some(told))
                });
                each.collect::<Result<_>>()?
            }
        };
        let zone = if to_local { None } else { Some(Arc::from("UTC")) };
        Ok(ColumnarValue::Array(Arc::new(told.with_timezone_opt(zone))))
    }

    /// A comparison of local time is one of the instant, which the scan understands.
    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        let ([Expr::Literal(zone, _), time], Expr::Literal(ScalarValue::TimestampMicrosecond(Some(local), None), _)) =
            (args, literal)
        else {
            return Ok(PreimageResult::None);
        };
        let DataType::Timestamp(TimeUnit::Microsecond, Some(of)) = info.get_data_type(time)? else {
            return Ok(PreimageResult::None);
        };
        let zone = zone.try_as_str().flatten().and_then(Zone::named);
        // Where clocks are put back, later local times are not later instants.
        let Some(zone) = zone.filter(|zone| zone.fixed_seconds().is_some()) else { return Ok(PreimageResult::None) };
        let at = |local: i64| ScalarValue::TimestampMicrosecond(Some(zone.instant(local)), Some(of.clone()));
        let interval = Interval::try_new(at(*local), at(local.saturating_add(1)))?;
        Ok(PreimageResult::Range { expr: time.clone(), interval: Box::new(interval) })
    }
}

fn known(name: &str) -> Result<Zone> {
    match Zone::named(name) {
        Some(zone) => Ok(zone),
        None => exec_err!(
            "time zone {name:?} is not recognized: write a name such as 'Asia/Bangkok' or an offset such as '+07:00'"
        ),
    }
}
