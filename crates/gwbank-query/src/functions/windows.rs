//! Window functions: where a value stands among those of its partition, and what stands where values are missing.
//!
//! Each looks at a partition as a whole, whatever the frame; NULL has no part in it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use datafusion::physical_expr::PhysicalExpr;
use gwbank_indicator::{MonthlyRain, PercentileClass, SpiRules, percentile_weibull, position_index, sgi, spi};
use gwbank_model::{Month, Timestamp};

use super::Function;
use super::series::{offset_of, time_type};

pub(super) const SGI: Function = Function {
    name: "sgi",
    form: "sgi(level) OVER (PARTITION BY well_id, date_part('month', month))",
    kind: "window",
    formula: "SGI = normal quantile of (r - 0.5)/n, r the average rank ascending among the n levels of the partition; level up = wetter; -1 moderate, -1.5 severe, -2 extreme drought",
    units: "level in any unit; standard deviations",
    source: "Bloomfield & Marchant 2013, Hydrol. Earth Syst. Sci. 17, 4769-4787; pastas.stats.sgi where nothing is tied",
    example: "SELECT round(min(s), 6) FROM (SELECT sgi(level) OVER () AS s FROM (VALUES (-3.1), (-2.4), (-4.0)) AS x(level))",
    example_result: "-0.967422",
};

pub(super) const PERCENTILE_WEIBULL: Function = Function {
    name: "percentile_weibull",
    form: "percentile_weibull(level) OVER (PARTITION BY well_id, date_part('month', month))",
    kind: "window",
    formula: "100 r/(n + 1), r the average rank ascending among the n levels of the partition",
    units: "level in any unit; percent",
    source: "Weibull's plotting position; USGS, WMO HydroSOS",
    example: "SELECT max(p) FROM (SELECT percentile_weibull(level) OVER () AS p FROM (VALUES (-1.0), (-3.0), (-2.0)) AS x(level))",
    example_result: "75.0",
};

pub(super) const PERCENTILE_CLASS: Function = Function {
    name: "percentile_class",
    form: "percentile_class(level) OVER (PARTITION BY well_id, date_part('month', month))",
    kind: "window",
    formula: "of percentile_weibull: < 10 much_below_normal, < 25 below_normal, <= 75 normal, <= 90 above_normal, else much_above_normal; NULL where n < 2",
    units: "level in any unit; a name",
    source: "USGS, WMO HydroSOS",
    example: "SELECT string_agg(c, ' ') FROM (SELECT percentile_class(level) OVER () AS c FROM (VALUES (-2.0), (-2.0)) AS x(level))",
    example_result: "normal normal",
};

pub(super) const POSITION_INDEX: Function = Function {
    name: "position_index",
    form: "position_index(level) OVER (PARTITION BY well_id)",
    kind: "window",
    formula: "100 (x - min)/(max - min) over the partition; NULL where all are equal",
    units: "level in any unit; percent",
    source: "groundwater bulletins; descriptive",
    example: "SELECT min(p) FROM (SELECT position_index(level) OVER () AS p FROM (VALUES (-4.0), (-3.0), (-2.0)) AS x(level)) WHERE p > 0",
    example_result: "50.0",
};

pub(super) const SPI: Function = Function {
    name: "spi",
    form: "spi(rain, month, scale) OVER (PARTITION BY well_id)",
    kind: "window",
    formula: "normal quantile of p0 + (1 - p0) G(x), x the sum of the last scale months (all present), G the gamma distribution fitted by maximum likelihood to the positive sums of the calendar month, p0 the share of zeros; NULL below 20 years",
    units: "rain in mm a month; standard deviations",
    source: "McKee, Doesken & Kleist 1993; WMO-No. 1090 (2012)",
    example: "SELECT round(min(s), 3) FROM (SELECT spi(10.0 * y, make_date(2000 + y, 6, 1), 1) OVER () AS s FROM unnest(range(1, 21)) AS x(y))",
    example_result: "-2.326",
};

pub(super) const LOCF: Function = Function {
    name: "locf",
    form: "locf(value) OVER (PARTITION BY well_id ORDER BY time)",
    kind: "window",
    formula: "the value, or where it is NULL the last one before it in the order of the window",
    units: "those of the value",
    source: "last observation carried forward; TimescaleDB locf",
    example: "SELECT string_agg(CAST(v AS text), ' ' ORDER BY t) FROM (SELECT t, locf(v) OVER (ORDER BY t) AS v FROM (VALUES (1, 5.0), (2, NULL), (3, 7.0)) AS x(t, v))",
    example_result: "5.0 5.0 7.0",
};

pub(super) const INTERPOLATE: Function = Function {
    name: "interpolate",
    form: "interpolate(value, time) OVER (PARTITION BY well_id ORDER BY time)",
    kind: "window",
    formula: "the value, or where it is NULL that of the straight line in time between its neighbours with a value; NULL before the first and after the last",
    units: "those of the value",
    source: "linear interpolation; TimescaleDB interpolate",
    example: "SELECT max(v) FROM (SELECT t, interpolate(v, t) OVER (ORDER BY t) AS v FROM (VALUES ('2026-01-01T00:00:00Z', 1.0), ('2026-01-01T01:00:00Z', NULL), ('2026-01-01T04:00:00Z', 5.0)) AS x(t, v)) WHERE v < 5",
    example_result: "2.0",
};

/// What makes a window function.
struct Spec {
    function: &'static Function,
    result: DataType,
    /// Which arguments are times; all others are numbers.
    arguments: &'static [Argument],
    evaluate: fn(&[ArrayRef], i32) -> Result<ArrayRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    Number,
    Time,
}

static SPECS: [Spec; 7] = [
    Spec {
        function: &SGI,
        result: DataType::Float64,
        arguments: &[Argument::Number],
        evaluate: |columns, _| Ok(numbers(columns, sgi)),
    },
    Spec {
        function: &PERCENTILE_WEIBULL,
        result: DataType::Float64,
        arguments: &[Argument::Number],
        evaluate: |columns, _| Ok(numbers(columns, percentile_weibull)),
    },
    Spec {
        function: &PERCENTILE_CLASS,
        result: DataType::Utf8,
        arguments: &[Argument::Number],
        evaluate: |columns, _| Ok(Arc::new(classes(columns))),
    },
    Spec {
        function: &POSITION_INDEX,
        result: DataType::Float64,
        arguments: &[Argument::Number],
        evaluate: |columns, _| Ok(Arc::new(positions(columns))),
    },
    Spec {
        function: &SPI,
        result: DataType::Float64,
        arguments: &[Argument::Number, Argument::Time, Argument::Number],
        evaluate: |columns, offset| Ok(Arc::new(precipitation_index(columns, offset)?)),
    },
    Spec {
        function: &LOCF,
        result: DataType::Float64,
        arguments: &[Argument::Number],
        evaluate: |columns, _| Ok(Arc::new(carried_forward(columns))),
    },
    Spec {
        function: &INTERPOLATE,
        result: DataType::Float64,
        arguments: &[Argument::Number, Argument::Time],
        evaluate: |columns, _| Ok(Arc::new(interpolated(columns))),
    },
];

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    functions_listed().map(|function| function.name)
}

pub(super) fn functions_listed() -> impl Iterator<Item = &'static Function> {
    SPECS.iter().map(|spec| spec.function)
}

pub(super) fn functions() -> impl Iterator<Item = WindowUDF> {
    SPECS.iter().map(|spec| {
        WindowUDF::new_from_impl(WholePartition { spec, signature: Signature::user_defined(Volatility::Immutable) })
    })
}

struct WholePartition {
    spec: &'static Spec,
    signature: Signature,
}

impl Debug for WholePartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.spec.function.name)
    }
}

// The name says which function it is.
impl PartialEq for WholePartition {
    fn eq(&self, other: &Self) -> bool {
        self.spec.function.name == other.spec.function.name
    }
}
impl Eq for WholePartition {}
impl Hash for WholePartition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.function.name.hash(state);
    }
}

impl WindowUDFImpl for WholePartition {
    fn name(&self) -> &str {
        self.spec.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let form = self.spec.function.form;
        if given.len() != self.spec.arguments.len() {
            return plan_err!("{} is called as {form}", self.name());
        }
        let coerced = given.iter().zip(self.spec.arguments).map(|(given, argument)| match argument {
            Argument::Number if given.is_numeric() || *given == DataType::Null => Ok(DataType::Float64),
            Argument::Number => plan_err!("{form} takes a number, not {given}"),
            Argument::Time => match time_type(given) {
                Some(time) => Ok(time),
                None => plan_err!("the time of {form} is a timestamp or a date, not {given}"),
            },
        });
        coerced.collect()
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let time = self.spec.arguments.iter().position(|argument| *argument == Argument::Time);
        let field = time.and_then(|time| args.input_fields().get(time));
        let offset_seconds = field.map_or(0, |field| offset_of(field.data_type()));
        Ok(Box::new(Evaluator { evaluate: self.spec.evaluate, offset_seconds }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), self.spec.result.clone(), true)))
    }

    fn limit_effect(&self, _: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

#[derive(Debug)]
struct Evaluator {
    evaluate: fn(&[ArrayRef], i32) -> Result<ArrayRef>,
    offset_seconds: i32,
}

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
        (self.evaluate)(values, self.offset_seconds)
    }
}

fn column(columns: &[ArrayRef], index: usize) -> &Float64Array {
    columns[index].as_primitive::<Float64Type>()
}

/// Places and values of those that have one.
fn present(values: &Float64Array) -> (Vec<usize>, Vec<f64>) {
    let present = values.iter().enumerate().filter_map(|(row, value)| Some((row, value.filter(|v| !v.is_nan())?)));
    present.unzip()
}

/// The result of a function of all values, each at the place of its value.
fn numbers(columns: &[ArrayRef], of: fn(&[f64]) -> Vec<f64>) -> ArrayRef {
    let values = column(columns, 0);
    let (places, levels) = present(values);
    let mut results = vec![None; values.len()];
    for (place, result) in places.into_iter().zip(of(&levels)) {
        results[place] = Some(result);
    }
    Arc::new(Float64Array::from(results))
}

fn classes(columns: &[ArrayRef]) -> StringArray {
    let values = column(columns, 0);
    let (places, levels) = present(values);
    let mut classes = vec![None; values.len()];
    if levels.len() >= 2 {
        for (place, percentile) in places.into_iter().zip(percentile_weibull(&levels)) {
            classes[place] = Some(PercentileClass::of(percentile).name());
        }
    }
    StringArray::from(classes)
}

fn positions(columns: &[ArrayRef]) -> Float64Array {
    let values = column(columns, 0);
    let (_, levels) = present(values);
    let lowest = levels.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter().map(|value| position_index(value.filter(|v| !v.is_nan())?, lowest, highest)).collect()
}

fn times(columns: &[ArrayRef], index: usize) -> impl Fn(usize) -> Option<Timestamp> {
    let times = columns[index].as_primitive::<TimestampMicrosecondType>().clone();
    debug_assert!(matches!(times.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _)));
    move |row| times.is_valid(row).then(|| Timestamp::from_micros(times.value(row)))
}

fn precipitation_index(columns: &[ArrayRef], offset_seconds: i32) -> Result<Float64Array> {
    let (rain, month_at, scales) = (column(columns, 0), times(columns, 1), column(columns, 2));
    let scale = match scales.iter().flatten().next() {
        None => return Ok(Float64Array::new_null(rain.len())),
        Some(scale) if (1.0..=120.0).contains(&scale) && scale.fract() == 0.0 => scale,
        Some(other) => return exec_err!("the scale of spi is a whole number of months from 1 to 120, not {other}"),
    };
    if scales.iter().flatten().any(|other| other != scale) {
        return exec_err!("the scale of spi must be one number in a partition");
    }
    let month = |row: usize| month_at(row).map(|time| time.month(offset_seconds));
    let mut months: Vec<MonthlyRain> = Vec::with_capacity(rain.len());
    for (row, millimetres) in rain.iter().enumerate() {
        if let (Some(month), Some(millimetres)) = (month(row), millimetres.filter(|mm| *mm >= 0.0)) {
            months.push(MonthlyRain { month, millimetres });
        }
    }
    months.sort_by_key(|month| month.month);
    if months.windows(2).any(|two| two[0].month == two[1].month) {
        return exec_err!("spi takes one sum a month; group by month first, and partition by well");
    }
    let indices: HashMap<Month, f64> = spi(&months, &SpiRules::of_timescale(scale as u32))
        .into_iter()
        .filter_map(|found| Some((found.month, *found.spi.value()?)))
        .collect();
    Ok((0..rain.len()).map(|row| indices.get(&month(row)?).copied()).collect())
}

fn carried_forward(columns: &[ArrayRef]) -> Float64Array {
    let mut last = None;
    column(columns, 0)
        .iter()
        .map(|value| {
            last = value.or(last);
            last
        })
        .collect()
}

fn interpolated(columns: &[ArrayRef]) -> Float64Array {
    let (values, time) = (column(columns, 0), times(columns, 1));
    let mut known: Vec<(Timestamp, f64)> =
        values.iter().enumerate().filter_map(|(row, value)| Some((time(row)?, value?))).collect();
    known.sort_by_key(|(time, _)| *time);
    let between = |at: Timestamp| {
        let after = known.partition_point(|(time, _)| *time < at);
        let (&(from, low), &(to, high)) = (known.get(after.checked_sub(1)?)?, known.get(after)?);
        let share = at.micros_since(from) as f64 / to.micros_since(from) as f64;
        Some(low + (high - low) * share)
    };
    values.iter().enumerate().map(|(row, value)| value.or_else(|| between(time(row)?))).collect()
}
