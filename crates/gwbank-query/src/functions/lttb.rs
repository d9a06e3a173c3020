//! `lttb(time, value, n)`: a curve of fewer points that looks the same.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StructArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use gwbank_model::Timestamp;
use gwbank_store::timestamp_type;

use super::Function;
use super::series::{Series, SeriesFunction, list_of};

pub(super) const LTTB: Function = Function {
    name: "lttb",
    form: "lttb(time, value, n)",
    kind: "aggregate",
    formula: "list of n points (time, value): the first, the last, and of each of n - 2 buckets of equal count the one that spans the largest triangle with the point chosen before and the mean of the next bucket; missing values are left out",
    units: "those of the value",
    source: "Largest-Triangle-Three-Buckets: Steinarsson 2013, Downsampling time series for visual representation; TimescaleDB toolkit lttb",
    example: "SELECT (lttb(t, v, 3))[2]['value'] FROM (VALUES ('2026-01-01T00:00:00Z', 1.0), ('2026-01-01T01:00:00Z', 9.0), ('2026-01-01T02:00:00Z', 1.2), ('2026-01-01T03:00:00Z', 1.0)) AS x(t, v)",
    example_result: "9.0",
};

pub(super) static AGGREGATES: [SeriesFunction; 1] = [SeriesFunction {
    function: &LTTB,
    time_first: true,
    setting: Some(true),
    result: || DataType::List(Arc::new(Field::new_list_field(DataType::Struct(fields()), true))),
    finish: points,
}];

fn fields() -> Fields {
    Fields::from(vec![Field::new("time", timestamp_type(), true), Field::new("value", DataType::Float64, true)])
}

fn points(series: &Series) -> Result<ScalarValue> {
    let n = match series.setting {
        Some(n) if n >= 2.0 && n.fract() == 0.0 => n as usize,
        Some(other) => return exec_err!("the n of lttb is a whole number from 2 on, not {other}"),
        None if series.points.is_empty() => 2,
        None => return exec_err!("the n of lttb is missing"),
    };
    let present: Vec<(Timestamp, f64)> = series.points.iter().filter(|(_, value)| value.is_finite()).copied().collect();
    let chosen = lttb(&present, n);
    let times = TimestampMicrosecondArray::from_iter_values(chosen.iter().map(|(time, _)| time.as_micros()));
    let times: ArrayRef = arrow::compute::cast(&(Arc::new(times) as ArrayRef), &timestamp_type())?;
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(chosen.iter().map(|(_, value)| *value)));
    Ok(list_of(Arc::new(StructArray::new(fields(), vec![times, values], None))))
}

/// Points in order of time, at most n of them.
fn lttb(points: &[(Timestamp, f64)], n: usize) -> Vec<(Timestamp, f64)> {
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else { return Vec::new() };
    if points.len() <= n {
        return points.to_vec();
    }
    let inner = points.len() - 2;
    let buckets = n - 2;
    // Where a bucket begins among the inner points.
    let start = |bucket: usize| 1 + bucket * inner / buckets.max(1);
    let x = |time: Timestamp| time.micros_since(first.0) as f64;
    let mut chosen = Vec::with_capacity(n);
    chosen.push(first);
    for bucket in 0..buckets {
        let next = if bucket + 1 < buckets {
            &points[start(bucket + 1)..start(bucket + 2)]
        } else {
            &points[points.len() - 1..]
        };
        let count = next.len() as f64;
        let mean_x = next.iter().map(|(time, _)| x(*time)).sum::<f64>() / count;
        let mean_y = next.iter().map(|(_, value)| value).sum::<f64>() / count;
        let (before_x, before_y) = chosen.last().map_or((0.0, first.1), |(time, value)| (x(*time), *value));
        let area = |(time, value): &(Timestamp, f64)| {
            ((before_x - mean_x) * (value - before_y) - (before_x - x(*time)) * (mean_y - before_y)).abs()
        };
        let candidates = &points[start(bucket)..start(bucket + 1)];
        let largest =
            candidates.iter().copied().reduce(|best, point| if area(&point) > area(&best) { point } else { best });
        chosen.extend(largest);
    }
    chosen.push(last);
    chosen
}
