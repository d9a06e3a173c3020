//! Sums of rows as they come: of each run of one series, and one stretch of time, a row.
//!
//! Scans give the rows of a series one after the other, in the order of time. So what is grouped by series and stretches
//! of time is summed without a look-up for each row, and who puts the parts together has few of them. Nothing rests on that
//! order but speed: a group may be told in any number of parts.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{Float64Type, SchemaRef, TimestampMicrosecondType};
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;
use gwbank_model::Timestamp;
use gwbank_store::{Bucket, Measure};

/// What a run has in common, by the place of its column in the input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RunColumn {
    Name(usize),
    Time(usize, Bucket),
}

#[derive(Debug, Clone)]
pub(crate) struct RunSums {
    pub(crate) runs_of: Vec<RunColumn>,
    /// Where the input has `value`.
    pub(crate) value: Option<usize>,
    pub(crate) measures: Vec<Measure>,
    /// A column for each of `runs_of`, then one for each measure.
    pub(crate) schema: SchemaRef,
}

pub(crate) struct RunSumsExec {
    input: Arc<dyn ExecutionPlan>,
    sums: Arc<RunSums>,
    properties: Arc<PlanProperties>,
}

impl RunSumsExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, sums: Arc<RunSums>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(sums.schema.clone()),
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { input, sums, properties: Arc::new(properties) }
    }
}

impl RunSums {
    fn of(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let runs = Runs::new(self, batch);
        let values = self.value.map(|place| batch.column(place).as_primitive::<Float64Type>());
        let (mut firsts, mut sums) = (Vec::new(), Sums::default());
        let (mut starts, mut start) = (Vec::new(), 0);
        while start < batch.num_rows() {
            let (end, bucket) = runs.end(start);
            firsts.push(start as u32);
            starts.push(bucket);
            sums.push(values, start, end);
            start = end;
        }
        let firsts = UInt32Array::from(firsts);
        let column = |column: &RunColumn| -> Result<ArrayRef> {
            Ok(match column {
                RunColumn::Name(place) => take(batch.column(*place), &firsts, None)?,
                RunColumn::Time(..) => Arc::new(TimestampMicrosecondArray::from(starts.clone()).with_timezone("UTC")),
            })
        };
        let groups: Vec<ArrayRef> = self.runs_of.iter().map(column).collect::<Result<_>>()?;
        let columns = groups.into_iter().chain(self.measures.iter().map(|measure| sums.told(*measure)));
        let columns: Result<Vec<ArrayRef>, _> =
            columns.zip(self.schema.fields()).map(|(column, field)| cast(&column, field.data_type())).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(firsts.len()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns?, &options)?)
    }
}

/// Where the rows of a batch change.
struct Runs<'a> {
    rows: usize,
    names: Vec<&'a StringViewArray>,
    times: Option<(&'a [i64], Bucket)>,
}

impl<'a> Runs<'a> {
    fn new(sums: &RunSums, batch: &'a RecordBatch) -> Self {
        let mut runs = Self { rows: batch.num_rows(), names: Vec::new(), times: None };
        for column in &sums.runs_of {
            match *column {
                RunColumn::Name(place) => runs.names.push(batch.column(place).as_string_view()),
                RunColumn::Time(place, bucket) => {
                    let times = batch.column(place).as_primitive::<TimestampMicrosecondType>();
                    runs.times = Some((times.values(), bucket));
                }
            }
        }
        runs
    }

    /// Of the run that begins at a row, and the first instant of its stretch of time.
    fn end(&self, start: usize) -> (usize, i64) {
        let mut end = self.rows;
        for names in &self.names {
            // Of equal views the texts are equal; texts of other views make a run of their own.
            let views = &names.views()[..end];
            let is_other = |view: &u128| *view != views[start];
            end = views[start..].iter().position(is_other).map_or(end, |rows| start + rows);
        }
        let Some((times, bucket)) = self.times else { return (end, 0) };
        let (first, next) = bucket.around(Timestamp::from_micros(times[start]));
        let within = first.as_micros()..next.as_micros();
        let beyond = times[start + 1..end].iter().position(|time| !within.contains(time));
        (beyond.map_or(end, |rows| start + 1 + rows), within.start)
    }
}

#[derive(Default)]
struct Sums {
    rows: Vec<i64>,
    values: Vec<i64>,
    sum: Vec<f64>,
    least: Vec<f64>,
    greatest: Vec<f64>,
}

impl Sums {
    fn push(&mut self, values: Option<&Float64Array>, start: usize, end: usize) {
        self.rows.push((end - start) as i64);
        let Some(values) = values else { return };
        let (mut count, mut sum, mut least, mut greatest) = (0, 0.0, f64::INFINITY, f64::NEG_INFINITY);
        let mut add = |value: f64| {
            count += 1;
            sum += value;
            least = if value < least { value } else { least };
            greatest = if value > greatest { value } else { greatest };
        };
        match values.nulls() {
            None => values.values()[start..end].iter().for_each(|value| add(*value)),
            Some(nulls) => (start..end).filter(|row| nulls.is_valid(*row)).for_each(|row| add(values.value(row))),
        }
        self.values.push(count);
        self.sum.push(sum);
        self.least.push(least);
        self.greatest.push(greatest);
    }

    fn told(&self, measure: Measure) -> ArrayRef {
        let of_values = |numbers: &[f64]| -> ArrayRef {
            let told = numbers.iter().zip(&self.values).map(|(number, count)| (*count > 0).then_some(*number));
            Arc::new(Float64Array::from_iter(told))
        };
        match measure {
            Measure::Rows => Arc::new(Int64Array::from(self.rows.clone())),
            Measure::Values => Arc::new(Int64Array::from(self.values.clone())),
            Measure::Sum => of_values(&self.sum),
            Measure::Least => of_values(&self.least),
            Measure::Greatest => of_values(&self.greatest),
        }
    }
}

impl fmt::Debug for RunSumsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunSumsExec").field("sums", &self.sums).finish_non_exhaustive()
    }
}

impl DisplayAs for RunSumsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = self.input.schema();
        let by = |column: &RunColumn| match column {
            RunColumn::Name(place) | RunColumn::Time(place, _) => input.field(*place).name().clone(),
        };
        let by: Vec<String> = self.sums.runs_of.iter().map(by).collect();
        let measures: Vec<&str> = self.sums.measures.iter().map(|measure| measure.name()).collect();
        write!(f, "RunSumsExec: by={by:?}, measures={}", measures.join("|"))
    }
}

impl ExecutionPlan for RunSumsExec {
    fn name(&self) -> &str {
        "RunSumsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match children.as_slice() {
            [input] => Ok(Arc::new(Self::new(input.clone(), self.sums.clone()))),
            _ => internal_err!("RunSumsExec has one child"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (sums, schema) = (self.sums.clone(), self.sums.schema.clone());
        let batches = self.input.execute(partition, context)?.map(move |batch| sums.of(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}
