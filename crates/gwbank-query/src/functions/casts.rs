//! Casts as calls. The engine leaves a cast out of an expression's name, so that `min(time)` and `min(time::date)` cannot stand
//! in one statement; where that happens, casts are planned as these and become casts again once everything has its name.

use std::sync::Arc;

use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};

const KINDS: [(&str, DataType); 11] = [
    ("gwbank_cast_date", DataType::Date32),
    ("gwbank_cast_time", DataType::Time64(TimeUnit::Nanosecond)),
    ("gwbank_cast_timestamp", DataType::Timestamp(TimeUnit::Microsecond, None)),
    ("gwbank_cast_smallint", DataType::Int16),
    ("gwbank_cast_int", DataType::Int32),
    ("gwbank_cast_bigint", DataType::Int64),
    ("gwbank_cast_real", DataType::Float32),
    ("gwbank_cast_double", DataType::Float64),
    ("gwbank_cast_numeric", DataType::Decimal128(38, 10)),
    ("gwbank_cast_boolean", DataType::Boolean),
    ("gwbank_cast_text", DataType::Utf8),
];

pub(super) fn functions() -> impl Iterator<Item = ScalarUDF> {
    KINDS.into_iter().map(|(name, to)| {
        ScalarUDF::new_from_impl(CastCall { name, to, signature: Signature::any(1, Volatility::Immutable) })
    })
}

/// What stands for a cast to this type, where something does.
pub(crate) fn name_of(to: &SqlType) -> Option<&'static str> {
    Some(match to {
        SqlType::Date => "gwbank_cast_date",
        SqlType::Time(None, TimezoneInfo::None) => "gwbank_cast_time",
        SqlType::Timestamp(None, TimezoneInfo::None) => "gwbank_cast_timestamp",
        SqlType::SmallInt(None) | SqlType::Int2(None) => "gwbank_cast_smallint",
        SqlType::Int(None) | SqlType::Integer(None) | SqlType::Int4(None) => "gwbank_cast_int",
        SqlType::BigInt(None) | SqlType::Int8(None) => "gwbank_cast_bigint",
        SqlType::Real | SqlType::Float4 => "gwbank_cast_real",
        SqlType::Double(ExactNumberInfo::None) | SqlType::DoublePrecision | SqlType::Float8 => "gwbank_cast_double",
        SqlType::Numeric(ExactNumberInfo::None) | SqlType::Decimal(ExactNumberInfo::None) => "gwbank_cast_numeric",
        SqlType::Boolean | SqlType::Bool => "gwbank_cast_boolean",
        SqlType::Text | SqlType::Varchar(None) => "gwbank_cast_text",
        _ => return None,
    })
}

/// The type that a call casts to; `None` for other functions.
pub(crate) fn type_of(function: &str) -> Option<DataType> {
    KINDS.iter().find(|(name, _)| *name == function).map(|(_, to)| to.clone())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CastCall {
    name: &'static str,
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for CastCall {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(cast(&array, &self.to)?)))
    }
}
