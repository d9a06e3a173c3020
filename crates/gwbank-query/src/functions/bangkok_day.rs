//! `bangkok_day(time)`: the civil day of Thailand, by integer arithmetic.

use std::sync::Arc;

use arrow::array::{AsArray, Date32Array};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Timestamp};
use gwbank_store::timestamp_type;

use super::Function;

pub(super) const FUNCTION: Function = Function {
    name: "bangkok_day",
    form: "bangkok_day(time)",
    kind: "scalar",
    formula: "the civil date at +07:00: floor((time + 7 h) / 24 h)",
    units: "date of an instant",
    source: "Thailand keeps +07:00 all year",
    example: "SELECT bangkok_day('2026-11-22T17:00:00Z')",
    example_result: "2026-11-23",
};

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(BangkokDay { signature: Signature::exact(vec![timestamp_type()], Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BangkokDay {
    signature: Signature,
}

impl ScalarUDFImpl for BangkokDay {
    fn name(&self) -> &str {
        FUNCTION.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let times = args.args[0].to_array(args.number_rows)?;
        let days: Date32Array = times
            .as_primitive::<TimestampMicrosecondType>()
            .unary(|micros| Timestamp::from_micros(micros).day(BANGKOK_OFFSET_SECONDS).0);
        Ok(ColumnarValue::Array(Arc::new(days)))
    }

    /// A day is a stretch of time: so a comparison of the day becomes one of the time, which the scan understands.
    fn preimage(&self, args: &[Expr], literal: &Expr, _: &SimplifyContext) -> Result<PreimageResult> {
        let (Some(time), Expr::Literal(ScalarValue::Date32(Some(day)), _)) = (args.first(), literal) else {
            return Ok(PreimageResult::None);
        };
        let start = |day: i32| {
            let micros = Day(day).start(BANGKOK_OFFSET_SECONDS).as_micros();
            ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))
        };
        let interval = Interval::try_new(start(*day), start(day.saturating_add(1)))?;
        Ok(PreimageResult::Range { expr: time.clone(), interval: Box::new(interval) })
    }
}
