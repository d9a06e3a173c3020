//! Aggregates that look at a whole series at once: values with their times, in whatever order they come.
//!
//! # Rules
//! 1. A series is put in order by time, values of one time by size, so that no plan changes an answer. A row without a time
//!    has no part in it; what a row without a value means, the function says.
//! 2. A group is at most [`VALUES_MAX`] values: one is computed in one go, which no limit of time can interrupt.
//! 3. What is not of the series (a yield, a number of months) must be the same on every row of the group.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Month, Timestamp};

use super::Function;

/// As many as 270 years of days.
pub(crate) const VALUES_MAX: usize = 100_000;

/// A series in order of time.
pub(super) struct Series {
    /// NaN where the value is missing.
    pub points: Vec<(Timestamp, f64)>,
    /// Of the civil days that times are of: instants are of Thailand, dates and times without a zone are themselves.
    pub offset_seconds: i32,
    /// The argument beside the series.
    pub setting: Option<f64>,
}

impl Series {
    pub fn day(&self, time: Timestamp) -> Day {
        time.day(self.offset_seconds)
    }

    /// Values by position, missing ones too; two of one time are an error, as nobody can say which comes first.
    pub fn values_in_order(&self, function: &Function) -> Result<Vec<f64>> {
        match self.points.windows(2).find(|two| two[0].0 == two[1].0) {
            Some(two) => exec_err!(
                "{} takes one value a time, and {} has several; group by well_id, or by time first",
                function.name,
                two[0].0.to_rfc3339(self.offset_seconds)
            ),
            None => Ok(self.points.iter().map(|(_, value)| *value).collect()),
        }
    }

    /// One value a month, without those that are missing; a month with two is an error.
    pub fn months(&self, function: &Function) -> Result<Vec<(Month, f64)>> {
        let mut months: Vec<(Month, f64)> = Vec::with_capacity(self.points.len());
        for (time, value) in self.points.iter().filter(|(_, value)| !value.is_nan()) {
            let month = time.month(self.offset_seconds);
            if months.last().is_some_and(|(last, _)| *last == month) {
                return exec_err!(
                    "{} takes one value a month, and {}-{:02} has several; group by month first",
                    function.name,
                    month.year(),
                    month.month_of_year()
                );
            }
            months.push((month, *value));
        }
        Ok(months)
    }

    /// Means by civil day, without those that are missing.
    pub fn days(&self) -> Vec<(Day, f64)> {
        let mut days = Vec::new();
        let present: Vec<&(Timestamp, f64)> = self.points.iter().filter(|(_, value)| !value.is_nan()).collect();
        for same in present.chunk_by(|a, b| self.day(a.0) == self.day(b.0)) {
            let sum: f64 = same.iter().map(|(_, value)| value).sum();
            days.push((self.day(same[0].0), sum / same.len() as f64));
        }
        days
    }
}

/// What makes an aggregate of a function over a series.
pub(super) struct SeriesFunction {
    pub function: &'static Function,
    /// The time is the first argument, else the second.
    pub time_first: bool,
    /// Whether there is a third argument: `None` is never, `Some(false)` may be.
    pub setting: Option<bool>,
    pub result: fn() -> DataType,
    pub finish: fn(&Series) -> Result<ScalarValue>,
}

pub(super) fn aggregate(of: &'static SeriesFunction) -> AggregateUDF {
    AggregateUDF::new_from_impl(SeriesAggregate { of, signature: Signature::user_defined(Volatility::Immutable) })
}

struct SeriesAggregate {
    of: &'static SeriesFunction,
    signature: Signature,
}

impl Debug for SeriesAggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.of.function.name)
    }
}

// The name says which function it is.
impl PartialEq for SeriesAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.of.function.name == other.of.function.name
    }
}
impl Eq for SeriesAggregate {}
impl Hash for SeriesAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.function.name.hash(state);
    }
}

impl SeriesAggregate {
    fn time_place(&self) -> usize {
        usize::from(!self.of.time_first)
    }
}

/// A type of time as these functions take it; `None` where it is none.
pub(crate) fn time_type(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Timestamp(_, zone) => Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
        DataType::Date32 | DataType::Date64 => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
            Some(gwbank_store::timestamp_type())
        }
        _ => None,
    }
}

pub(super) fn offset_of(time: &DataType) -> i32 {
    match time {
        DataType::Timestamp(_, Some(_)) => BANGKOK_OFFSET_SECONDS,
        _ => 0,
    }
}

impl AggregateUDFImpl for SeriesAggregate {
    fn name(&self) -> &str {
        self.of.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let takes_setting = self.of.setting.is_some();
        let needs_setting = self.of.setting == Some(true);
        let is_right = match given.len() {
            2 => !needs_setting,
            3 => takes_setting,
            _ => false,
        };
        let form = self.of.function.form;
        if !is_right {
            return plan_err!("{} is called as {form}", self.of.function.name);
        }
        let Some(time) = time_type(&given[self.time_place()]) else {
            return plan_err!("the time of {form} is a timestamp or a date, not {}", given[self.time_place()]);
        };
        let value = &given[1 - self.time_place()];
        if !value.is_numeric() && *value != DataType::Null {
            return plan_err!("the value of {form} is a number, not {value}");
        }
        let mut types = vec![DataType::Float64; given.len()];
        types[self.time_place()] = time;
        Ok(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok((self.of.result)())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |name: &str, item: DataType| {
            let item = Arc::new(Field::new_list_field(item, true));
            Arc::new(Field::new(format!("{}[{name}]", args.name), DataType::List(item), true))
        };
        let times = list("times", DataType::Timestamp(TimeUnit::Microsecond, None));
        let setting = Arc::new(Field::new(format!("{}[setting]", args.name), DataType::Float64, true));
        Ok(vec![times, list("values", DataType::Float64), setting])
    }

    /// The series is put in order by its times: an ORDER BY in the call changes nothing, and is not handed over.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("{} takes no DISTINCT; it looks at a series, not at a set", self.of.function.name);
        }
        let offset_seconds = offset_of(args.expr_fields[self.time_place()].data_type());
        let series = Series { points: Vec::new(), offset_seconds, setting: None };
        Ok(Box::new(SeriesAccumulator { of: self.of, series }))
    }
}

struct SeriesAccumulator {
    of: &'static SeriesFunction,
    series: Series,
}

impl Debug for SeriesAccumulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} values", self.of.function.name, self.series.points.len())
    }
}

impl SeriesAccumulator {
    fn take(&mut self, times: &TimestampMicrosecondArray, values: &Float64Array) -> Result<()> {
        for row in (0..times.len()).filter(|row| times.is_valid(*row)) {
            let value = if values.is_valid(row) { values.value(row) } else { f64::NAN };
            self.series.points.push((Timestamp::from_micros(times.value(row)), value));
        }
        if self.series.points.len() > VALUES_MAX {
            return exec_err!(
                "{} takes at most {VALUES_MAX} values a group; take means of days or months first",
                self.of.function.name
            );
        }
        Ok(())
    }

    fn set(&mut self, settings: &Float64Array) -> Result<()> {
        for setting in settings.iter().flatten() {
            let known = *self.series.setting.get_or_insert(setting);
            if known.to_bits() != setting.to_bits() {
                return exec_err!(
                    "the last argument of {} is {known} and {setting} in one group; it must be one number",
                    self.of.function.form
                );
            }
        }
        Ok(())
    }
}

impl Accumulator for SeriesAccumulator {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let (time, value) = if self.of.time_first { (0, 1) } else { (1, 0) };
        let times = columns[time].as_primitive::<TimestampMicrosecondType>();
        self.take(times, columns[value].as_primitive::<Float64Type>())?;
        columns.get(2).map_or(Ok(()), |settings| self.set(settings.as_primitive::<Float64Type>()))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (times, values): (&ListArray, &ListArray) = (states[0].as_list(), states[1].as_list());
        for group in (0..times.len()).filter(|group| times.is_valid(*group)) {
            let (times, values) = (times.value(group), values.value(group));
            self.take(times.as_primitive::<TimestampMicrosecondType>(), values.as_primitive::<Float64Type>())?;
        }
        self.set(states[2].as_primitive::<Float64Type>())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let points = std::mem::take(&mut self.series.points);
        let times = TimestampMicrosecondArray::from_iter_values(points.iter().map(|(time, _)| time.as_micros()));
        let values = Float64Array::from_iter_values(points.iter().map(|(_, value)| *value));
        Ok(vec![list_of(Arc::new(times)), list_of(Arc::new(values)), ScalarValue::Float64(self.series.setting)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // Missing values of one time come last.
        self.series.points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        (self.of.finish)(&self.series)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.series.points.capacity() * size_of::<(Timestamp, f64)>()
    }
}

/// A list of all elements of an array.
pub(super) fn list_of(items: ArrayRef) -> ScalarValue {
    let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths([items.len()]);
    ScalarValue::List(Arc::new(ListArray::new(field, offsets, items, None)))
}
