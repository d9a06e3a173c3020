//! The Mann–Kendall family and Sen's slope.

use std::sync::Arc;

use arrow::array::StructArray;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use gwbank_indicator::{Trend, TrendDirection, TrendTest, mann_kendall, sen_slope, sen_slope_at};
use gwbank_model::Month;

use super::Function;
use super::series::{Series, SeriesFunction};

const KENDALL: &str = "S = sum over i<j of sgn(x_j - x_i); Var S = [n(n-1)(2n+5) - sum over ties t(t-1)(2t+5)]/18; z = (S -/+ 1)/sqrt(Var S); p = 2(1 - Phi(|z|)); tau = S/(n(n-1)/2); h where p < 0.05";
const PYMANNKENDALL: &str = "Mann 1945; Kendall 1975; as pymannkendall 1.4.3 names and computes it";

pub(super) const MANN_KENDALL: Function = Function {
    name: "mann_kendall",
    form: "mann_kendall(value, time)",
    kind: "aggregate",
    formula: KENDALL,
    units: "none but slope and intercept: those of the value, a row",
    source: PYMANNKENDALL,
    example: "SELECT (mann_kendall(v, t))['s'] FROM (VALUES (3.0, '2001-01-01'), (2.0, '2002-01-01'), (1.0, '2003-01-01')) AS x(v, t)",
    example_result: "-3.0",
};

pub(super) const MANN_KENDALL_HAMED_RAO: Function = Function {
    name: "mann_kendall_hamed_rao",
    form: "mann_kendall_hamed_rao(value, time)",
    kind: "aggregate",
    formula: "mann_kendall with Var S corrected by the significant rank correlations of the detrended series at all lags; z and p are NULL where it is not positive",
    units: "none but slope and intercept: those of the value, a row",
    source: "Hamed & Rao 1998, J. Hydrol. 204, 182-196; as pymannkendall 1.4.3",
    example: "SELECT (mann_kendall_hamed_rao(v, t))['trend'] FROM (VALUES (4.0, '2001-01-01'), (3.0, '2002-01-01'), (2.0, '2003-01-01'), (1.0, '2004-01-01')) AS x(v, t)",
    example_result: "no trend",
};

pub(super) const MANN_KENDALL_SEASONAL: Function = Function {
    name: "mann_kendall_seasonal",
    form: "mann_kendall_seasonal(value, month)",
    kind: "aggregate",
    formula: "S and Var S summed over the twelve calendar months, each on its own; slope a year; one value a month, months without one are gaps",
    units: "none but slope and intercept: those of the value, a year",
    source: "Hirsch & Slack 1984, Water Resour. Res. 20, 727-732; as pymannkendall 1.4.3 (seasonal_test, period 12, from a January)",
    example: "SELECT (mann_kendall_seasonal(v, t))['slope'] FROM (VALUES (3.0, '2001-01-01'), (2.0, '2002-01-01'), (1.0, '2003-01-01')) AS x(v, t)",
    example_result: "-1.0",
};

pub(super) const SEN_SLOPE: Function = Function {
    name: "sen_slope",
    form: "sen_slope(value, time)",
    kind: "aggregate",
    formula: "median over i<j of (x_j - x_i)/(j - i), by position in order of time; rows without a value keep their position",
    units: "those of the value, a row",
    source: "Theil 1950; Sen 1968, JASA 63, 1379-1389; as pymannkendall 1.4.3",
    example: "SELECT sen_slope(v, t) FROM (VALUES (1.0, '2001-01-01'), (2.0, '2002-01-01'), (90.0, '2003-01-01'), (4.0, '2004-01-01')) AS x(v, t)",
    example_result: "1.0",
};

pub(super) const SEN_SLOPE_PER_YEAR: Function = Function {
    name: "sen_slope_per_year",
    form: "sen_slope_per_year(value, time)",
    kind: "aggregate",
    formula: "median over pairs of (x_j - x_i)/(t_j - t_i), in units a year of 365.25 days; whatever the distances in time",
    units: "those of the value, a year",
    source: "Theil 1950; Sen 1968, JASA 63, 1379-1389",
    example: "SELECT sen_slope_per_year(v, t) FROM (VALUES (1.0, '2001-01-01T00:00:00Z'), (3.0, '2002-01-01T06:00:00Z')) AS x(v, t)",
    example_result: "2.0",
};

pub(super) static AGGREGATES: [SeriesFunction; 5] = [
    SeriesFunction {
        function: &MANN_KENDALL,
        time_first: false,
        setting: None,
        result: trend_type,
        finish: |series| by_position(series, &MANN_KENDALL, TrendTest::Original),
    },
    SeriesFunction {
        function: &MANN_KENDALL_HAMED_RAO,
        time_first: false,
        setting: None,
        result: trend_type,
        finish: |series| by_position(series, &MANN_KENDALL_HAMED_RAO, TrendTest::HamedRao),
    },
    SeriesFunction {
        function: &MANN_KENDALL_SEASONAL,
        time_first: false,
        setting: None,
        result: trend_type,
        finish: seasonal,
    },
    SeriesFunction {
        function: &SEN_SLOPE,
        time_first: false,
        setting: None,
        result: || DataType::Float64,
        finish: |series| {
            let values = series.values_in_order(&SEN_SLOPE)?;
            Ok(ScalarValue::Float64(sen_slope(&values).map(|(slope, _)| slope)))
        },
    },
    SeriesFunction {
        function: &SEN_SLOPE_PER_YEAR,
        time_first: false,
        setting: None,
        result: || DataType::Float64,
        finish: |series| Ok(ScalarValue::Float64(per_year(series))),
    },
];

fn fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    Fields::from(vec![
        Field::new("trend", DataType::Utf8, true),
        Field::new("h", DataType::Boolean, true),
        number("p"),
        number("z"),
        number("tau"),
        number("s"),
        number("var_s"),
        number("slope"),
        number("intercept"),
    ])
}

fn trend_type() -> DataType {
    DataType::Struct(fields())
}

fn by_position(series: &Series, function: &Function, test: TrendTest) -> Result<ScalarValue> {
    told(mann_kendall(&series.values_in_order(function)?, test))
}

/// Steps are calendar months, the first one a January.
fn seasonal(series: &Series) -> Result<ScalarValue> {
    let months = series.months(&MANN_KENDALL_SEASONAL)?;
    let (Some(first), Some(last)) = (months.first(), months.last()) else { return told(None) };
    let start = Month::new(first.0.year(), 1);
    let steps = usize::try_from(last.0.index() - start.index() + 1).unwrap_or(0);
    let mut values = vec![f64::NAN; steps];
    for (month, value) in months {
        if let Some(slot) = usize::try_from(month.index() - start.index()).ok().and_then(|step| values.get_mut(step)) {
            *slot = value;
        }
    }
    told(mann_kendall(&values, TrendTest::Seasonal))
}

/// NULL where a series is too short for the test.
fn told(trend: Option<Trend>) -> Result<ScalarValue> {
    let Some(trend) = trend else { return ScalarValue::try_from(trend_type()) };
    let number = |value: Option<f64>| ScalarValue::Float64(value);
    let columns = [
        ScalarValue::Utf8(Some(trend.direction.name().to_owned())),
        ScalarValue::Boolean(Some(trend.direction != TrendDirection::NoTrend)),
        number(trend.p),
        number(trend.z),
        number(Some(trend.tau)),
        number(Some(trend.s as f64)),
        number(Some(trend.variance)),
        number(Some(trend.slope)),
        number(Some(trend.intercept)),
    ];
    let columns = columns.iter().map(ScalarValue::to_array).collect::<Result<_>>()?;
    Ok(ScalarValue::Struct(Arc::new(StructArray::new(fields(), columns, None))))
}

/// Readings of one time speak by their mean.
fn per_year(series: &Series) -> Option<f64> {
    const MICROS_PER_YEAR: f64 = 365.25 * 86_400e6;
    let first = series.points.first()?.0;
    let present: Vec<_> = series.points.iter().filter(|(_, value)| value.is_finite()).copied().collect();
    let at_once = present.chunk_by(|a, b| a.0 == b.0);
    let points: Vec<(f64, f64)> = at_once
        .map(|same| {
            let mean = same.iter().map(|(_, value)| value).sum::<f64>() / same.len() as f64;
            (same[0].0.micros_since(first) as f64, mean)
        })
        .collect();
    sen_slope_at(&points).map(|slope| slope * MICROS_PER_YEAR)
}
