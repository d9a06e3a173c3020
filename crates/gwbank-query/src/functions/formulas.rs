//! Functions of two numbers.

use std::sync::Arc;

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::Function;

pub(super) const EC_25: Function = Function {
    name: "ec_25",
    form: "ec_25(ec, temperature)",
    kind: "scalar",
    formula: "EC25 = EC / (1 + 0.0191 (T - 25)), EC in uS/cm, T in degrees Celsius from -2 to 60; NULL for other temperatures \
              and for a negative EC",
    units: "uS/cm, Cel; uS/cm",
    source: "Standard Methods 2510; INDICATORS, salinity",
    example: "SELECT round(ec_25(1000, 30), 3)",
    example_result: "912.825",
};

pub(super) const DEPTH_TO_ELEVATION: Function = Function {
    name: "depth_to_elevation",
    form: "depth_to_elevation(depth, ground_elevation)",
    kind: "scalar",
    formula: "elevation = ground elevation - depth to water, in metres; a negative depth is above ground",
    units: "m below ground, m above the datum; m above the datum",
    source: "definition",
    example: "SELECT depth_to_elevation(3.5, 120.0)",
    example_result: "116.5",
};

pub(super) const WATER_COLUMN: Function = Function {
    name: "water_column",
    form: "water_column(pressure, barometric_pressure)",
    kind: "scalar",
    formula: "h = (p - p_air) / 9.80665, in metres of water of 1000 kg/m3, pressures in kPa",
    units: "kPa, kPa; m of water",
    source: "hydrostatic pressure with standard gravity",
    example: "SELECT round(water_column(150.0, 101.325), 4)",
    example_result: "4.9635",
};

/// Kilopascals of one metre of water at 1000 kg/m³ and standard gravity.
const KPA_PER_METRE: f64 = 9.80665;

/// `None` where the formula does not hold.
type Formula = fn(f64, f64) -> Option<f64>;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let formulas: [(&'static str, Formula); 3] = [
        (EC_25.name, gwbank_indicator::salinity::ec_25),
        (DEPTH_TO_ELEVATION.name, |depth, ground_elevation| Some(ground_elevation - depth)),
        (WATER_COLUMN.name, |pressure, barometric| Some((pressure - barometric) / KPA_PER_METRE)),
    ];
    let signature = || Signature::exact(vec![DataType::Float64, DataType::Float64], Volatility::Immutable);
    let function = |(name, formula)| ScalarUDF::new_from_impl(OfTwo { name, formula, signature: signature() });
    formulas.into_iter().map(function).collect()
}

#[derive(Debug)]
struct OfTwo {
    name: &'static str,
    formula: Formula,
    signature: Signature,
}

// The name says which formula it is.
impl PartialEq for OfTwo {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for OfTwo {}
impl std::hash::Hash for OfTwo {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for OfTwo {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (a, b) = (arrays[0].as_primitive::<Float64Type>(), arrays[1].as_primitive::<Float64Type>());
        let result: Float64Array = a.iter().zip(b).map(|(a, b)| (self.formula)(a?, b?)).collect();
        Ok(ColumnarValue::Array(Arc::new(result)))
    }
}
