//! The rows of groups with their gaps filled, as they stream by sorted by keys and time.
//!
//! # Format
//! An output row is told by where its parts come from ([`Place`]): a row of the batch at hand, or what was kept of the one
//! before. Rows of several groups go into one batch; a batch is closed when it is full or its input is at its end.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{SortOptions, cast, interleave};
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
    RecordBatchStream, SendableRecordBatchStream,
};
use futures::{Stream, StreamExt};

use super::node::{How, Role, Work, write_work};
use crate::error::Limit;
use crate::guard::Guard;

/// Rows of a batch, as operators expect them.
const BATCH_ROWS: usize = 8192;

#[derive(Debug)]
pub(super) struct GapFillExec {
    input: Arc<dyn ExecutionPlan>,
    work: Arc<Work>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl GapFillExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, work: Work, schema: SchemaRef) -> Result<Self> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            input.properties().boundedness,
        );
        Ok(Self { input, work: Arc::new(work), schema, properties: Arc::new(properties) })
    }

    fn column(&self, place: usize) -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new(self.input.schema().field(place).name(), place))
    }

    fn order(&self) -> Option<LexOrdering> {
        let places = self.work.keys().chain([self.work.time()]);
        LexOrdering::new(places.map(|place| PhysicalSortExpr::new(self.column(place), SortOptions::default())))
    }
}

impl DisplayAs for GapFillExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_work(f, "GapFillExec", &self.work)
    }
}

impl ExecutionPlan for GapFillExec {
    fn name(&self) -> &str {
        "GapFillExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        let keys: Vec<_> = self.work.keys().map(|place| self.column(place)).collect();
        vec![if keys.is_empty() { Distribution::SinglePartition } else { Distribution::KeyPartitioned(keys) }]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.order().map(OrderingRequirements::from)]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, Work::clone(&self.work), self.schema.clone())?)),
            _ => internal_err!("GapFillExec has one child"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let below = self.input.schema();
        let fields = self.work.keys().map(|place| SortField::new(below.field(place).data_type().clone())).collect();
        let kept = self.work.fills.iter().map(|fill| new_null_array(below.field(fill.value).data_type(), 1)).collect();
        let guard = Guard::of(context.session_config().options()).cloned();
        Ok(Box::pin(Filling {
            input: self.input.execute(partition, context)?,
            keys: RowConverter::new(fields)?,
            at_hand: None,
            kept_head: None,
            kept,
            out: Pending::new(&self.work),
            state: State::default(),
            has_one_group: self.work.keys().next().is_none(),
            made: 0,
            guard,
            work: self.work.clone(),
            schema: self.schema.clone(),
            input_ended: false,
            ended: false,
        }))
    }
}

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Null,
    /// In the row that was kept when the batch before was let go.
    Kept,
    Row(usize),
}

/// Where a value to be carried on lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Source {
    place: Place,
    /// In the column of `prev`, of the group's first row.
    of_prev: bool,
}

impl Source {
    const NONE: Self = Self { place: Place::Null, of_prev: false };
}

/// Of one fill: what was last seen in the group.
#[derive(Debug, Clone)]
struct Carried {
    last: Source,
    /// As numbers, for a line: when and how much.
    point: Option<Point>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    time: i64,
    value: Number,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Whole(i64),
    Real(f64),
}

/// The group that is being filled.
#[derive(Debug, Default)]
struct State {
    key: Option<OwnedRow>,
    /// Where its keys and arguments lie: in its first row.
    head: Option<Place>,
    /// The bucket that comes next; `None` past the last one.
    next: Option<i64>,
    carried: Vec<Carried>,
}

/// A batch of the input, and how far it is done.
struct AtHand {
    batch: RecordBatch,
    keys: Option<Rows>,
    row: usize,
}

/// Rows that are told and not made yet.
struct Pending {
    heads: Vec<Place>,
    rows: Vec<Option<usize>>,
    times: Vec<Option<i64>>,
    fills: Vec<FillRows>,
}

enum FillRows {
    Sources(Vec<Source>),
    Numbers(Vec<Option<Number>>),
}

impl Pending {
    fn new(work: &Work) -> Self {
        let fills = work.fills.iter().map(|fill| match fill.how {
            How::Locf { .. } => FillRows::Sources(Vec::new()),
            How::Interpolate { .. } => FillRows::Numbers(Vec::new()),
        });
        Self { heads: Vec::new(), rows: Vec::new(), times: Vec::new(), fills: fills.collect() }
    }

    fn len(&self) -> usize {
        self.times.len()
    }
}

struct Filling {
    input: SendableRecordBatchStream,
    keys: RowConverter,
    at_hand: Option<AtHand>,
    /// Of the batch that was let go last: the first row of the group it ended with, and the values carried on, fill by fill.
    kept_head: Option<RecordBatch>,
    kept: Vec<ArrayRef>,
    out: Pending,
    state: State,
    /// Without keys.
    has_one_group: bool,
    made: u64,
    guard: Option<Arc<Guard>>,
    work: Arc<Work>,
    schema: SchemaRef,
    input_ended: bool,
    ended: bool,
}

/// How far a step came.
#[derive(PartialEq, Eq)]
enum Step {
    Done,
    /// The batch is full: the same step is to be taken once more.
    Full,
}

impl Filling {
    fn time_of(&self, row: usize) -> Option<i64> {
        let at_hand = self.at_hand.as_ref()?;
        let times = at_hand.batch.column(self.work.time()).as_primitive::<TimestampMicrosecondType>();
        times.is_valid(row).then(|| times.value(row))
    }

    /// Rows of the batch at hand, as far as one batch of the output takes them.
    fn take_rows(&mut self) -> Result<Step> {
        while let Some(at_hand) = &self.at_hand {
            let row = at_hand.row;
            if row >= at_hand.batch.num_rows() {
                return Ok(Step::Done);
            }
            let is_of_group = match (&self.state.head, &self.state.key, &at_hand.keys) {
                (None, ..) => false,
                (Some(_), Some(key), Some(keys)) => key.row() == keys.row(row),
                (Some(_), ..) => true,
            };
            if !is_of_group {
                if self.state.head.is_some() && self.fill_to_the_end()? == Step::Full {
                    return Ok(Step::Full);
                }
                self.begin_group(Place::Row(row));
            }
            if self.fill_before(row)? == Step::Full {
                return Ok(Step::Full);
            }
            self.tell_row(row)?;
            if let Some(at_hand) = &mut self.at_hand {
                at_hand.row += 1;
            }
            if self.out.len() >= BATCH_ROWS {
                return Ok(Step::Full);
            }
        }
        Ok(Step::Done)
    }

    fn begin_group(&mut self, head: Place) {
        let key = match (&self.at_hand, head) {
            (Some(AtHand { keys: Some(keys), .. }), Place::Row(row)) => Some(keys.row(row).owned()),
            _ => None,
        };
        let nothing = Carried { last: Source::NONE, point: None };
        self.state = State {
            key,
            head: Some(head),
            next: self.work.range.first(),
            carried: vec![nothing; self.work.fills.len()],
        };
    }

    /// Gaps before a row of the group.
    fn fill_before(&mut self, row: usize) -> Result<Step> {
        // A row without a time comes last and closes no gap.
        let Some(time) = self.time_of(row) else { return Ok(Step::Done) };
        while let Some(next) = self.state.next.filter(|next| *next < time) {
            if time < self.work.range.start {
                break;
            }
            if self.out.len() >= BATCH_ROWS {
                return Ok(Step::Full);
            }
            self.tell_gap(next, Some(row))?;
            self.state.next = self.work.range.after(next);
        }
        if self.state.next == Some(time) {
            self.state.next = self.work.range.after(time);
        }
        Ok(Step::Done)
    }

    /// Gaps after the last row of the group.
    fn fill_to_the_end(&mut self) -> Result<Step> {
        while let Some(next) = self.state.next {
            if self.out.len() >= BATCH_ROWS {
                return Ok(Step::Full);
            }
            self.tell_gap(next, None)?;
            self.state.next = self.work.range.after(next);
        }
        Ok(Step::Done)
    }

    fn count_row(&mut self) -> Result<()> {
        self.made += 1;
        match &self.guard {
            Some(guard) if self.made > guard.config().rows_max => {
                Err(Limit::Rows.reached(guard.config()).into_engine())
            }
            _ => Ok(()),
        }
    }

    /// A row of the input as it is.
    fn tell_row(&mut self, row: usize) -> Result<()> {
        self.count_row()?;
        let time = self.time_of(row);
        let head = self.state.head.unwrap_or(Place::Null);
        let Some(at_hand) = &self.at_hand else { return internal_err!("there is no row") };
        self.out.heads.push(head);
        self.out.rows.push(Some(row));
        self.out.times.push(time);
        for ((fill, carried), out) in self.work.fills.iter().zip(&mut self.state.carried).zip(&mut self.out.fills) {
            let values = at_hand.batch.column(fill.value);
            let is_null = values.is_null(row);
            match (fill.how, out) {
                (How::Locf { null_is_missing: true, prev }, FillRows::Sources(sources)) if is_null => {
                    if prev.is_some() && carried.last == Source::NONE && time == Some(self.work.range.start) {
                        carried.last = Source { place: head, of_prev: true };
                    }
                    sources.push(carried.last);
                }
                (How::Locf { .. }, FillRows::Sources(sources)) => {
                    carried.last = match is_null {
                        true => Source::NONE,
                        false => Source { place: Place::Row(row), of_prev: false },
                    };
                    sources.push(carried.last);
                }
                (How::Interpolate { .. }, FillRows::Numbers(numbers)) => {
                    let value = number(values, row);
                    carried.point = time.zip(value).map(|(time, value)| Point { time, value });
                    numbers.push(value);
                }
                _ => return internal_err!("a fill changed its kind"),
            }
        }
        Ok(())
    }

    /// A row that nothing was in. `after`: the row behind the gap.
    fn tell_gap(&mut self, time: i64, after: Option<usize>) -> Result<()> {
        self.count_row()?;
        let head = self.state.head.unwrap_or(Place::Null);
        let is_first = time == self.work.range.start;
        self.out.heads.push(head);
        self.out.rows.push(None);
        self.out.times.push(Some(time));
        let (work, at_hand) = (self.work.clone(), self.at_hand.as_ref());
        let kept_head = self.kept_head.as_ref();
        let argument = |place: usize| -> Option<(&ArrayRef, usize)> {
            match head {
                Place::Null => None,
                Place::Kept => Some((kept_head?.column(place), 0)),
                Place::Row(row) => Some((at_hand?.batch.column(place), row)),
            }
        };
        for ((fill, carried), out) in work.fills.iter().zip(&mut self.state.carried).zip(&mut self.out.fills) {
            match (fill.how, out) {
                (How::Locf { prev, .. }, FillRows::Sources(sources)) => {
                    if prev.is_some() && is_first && carried.last == Source::NONE {
                        carried.last = Source { place: head, of_prev: true };
                    }
                    sources.push(carried.last);
                }
                (How::Interpolate { prev, next }, FillRows::Numbers(numbers)) => {
                    if is_first && carried.point.is_none() {
                        carried.point = prev.and_then(argument).and_then(|(beside, row)| point(beside, row));
                    }
                    let following = match (after, at_hand) {
                        (Some(row), Some(at_hand)) => {
                            let times = at_hand.batch.column(work.time()).as_primitive::<TimestampMicrosecondType>();
                            let value = number(at_hand.batch.column(fill.value), row);
                            value.map(|value| Point { time: times.value(row), value })
                        }
                        _ => next.and_then(argument).and_then(|(beside, row)| point(beside, row)),
                    };
                    numbers.push(carried.point.zip(following).and_then(|(from, to)| between(from, to, time)));
                }
                _ => return internal_err!("a fill changed its kind"),
            }
        }
        Ok(())
    }

    /// The told rows as a batch.
    fn make(&mut self) -> Result<RecordBatch> {
        let out = std::mem::replace(&mut self.out, Pending::new(&self.work));
        let below = self.input.schema();
        let empty = RecordBatch::new_empty(below.clone());
        let batch = self.at_hand.as_ref().map_or(&empty, |at_hand| &at_hand.batch);
        let gather =
            |place: usize, kept: Option<&ArrayRef>, places: &mut dyn Iterator<Item = Place>| -> Result<ArrayRef> {
                let null = new_null_array(below.field(place).data_type(), 1);
                let sources: [&dyn Array; 3] =
                    [null.as_ref(), kept.unwrap_or(&null).as_ref(), batch.column(place).as_ref()];
                let indices: Vec<(usize, usize)> = places
                    .map(|place| match place {
                        Place::Null => (0, 0),
                        Place::Kept => (1, 0),
                        Place::Row(row) => (2, row),
                    })
                    .collect();
                Ok(interleave(&sources, &indices)?)
            };
        let kept_head = self.kept_head.as_ref();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for place in self.work.kept() {
            columns.push(match self.work.roles[place] {
                Role::Key => gather(place, kept_head.map(|head| head.column(place)), &mut out.heads.iter().copied())?,
                Role::Time => {
                    let times = TimestampMicrosecondArray::from(out.times.clone());
                    cast(
                        &times.with_timezone_opt(zone_of(below.field(place).data_type())),
                        below.field(place).data_type(),
                    )?
                }
                Role::Aggregate | Role::Argument => {
                    gather(place, None, &mut out.rows.iter().map(|row| row.map_or(Place::Null, Place::Row)))?
                }
            });
        }
        for ((fill, rows), kept) in self.work.fills.iter().zip(out.fills).zip(&self.kept) {
            columns.push(match (rows, fill.how) {
                (FillRows::Sources(sources), How::Locf { prev, .. }) => {
                    let of = |of_prev: bool| {
                        sources
                            .iter()
                            .map(move |source| if source.of_prev == of_prev { source.place } else { Place::Null })
                    };
                    let values = gather(fill.value, Some(kept), &mut of(false))?;
                    match prev {
                        Some(prev) if sources.iter().any(|source| source.of_prev) => {
                            let looked = gather(prev, kept_head.map(|head| head.column(prev)), &mut of(true))?;
                            let chosen =
                                sources.iter().enumerate().map(|(row, source)| (usize::from(source.of_prev), row));
                            interleave(&[values.as_ref(), looked.as_ref()], &chosen.collect::<Vec<_>>())?
                        }
                        _ => values,
                    }
                }
                (FillRows::Numbers(numbers), _) if *below.field(fill.value).data_type() == DataType::Int64 => {
                    let whole = |number: Option<Number>| match number {
                        Some(Number::Whole(value)) => Some(value),
                        _ => None,
                    };
                    Arc::new(numbers.into_iter().map(whole).collect::<Int64Array>())
                }
                (FillRows::Numbers(numbers), _) => {
                    let real = |number: Option<Number>| match number {
                        Some(Number::Real(value)) => Some(value),
                        _ => None,
                    };
                    Arc::new(numbers.into_iter().map(real).collect::<Float64Array>())
                }
                _ => return internal_err!("a fill changed its kind"),
            });
        }
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }

    /// Keeps what is still needed of the batch at hand, of which nothing is pending.
    fn let_go(&mut self) {
        let Some(AtHand { batch, .. }) = self.at_hand.take() else { return };
        if let Some(Place::Row(row)) = self.state.head {
            self.kept_head = Some(batch.slice(row, 1));
            self.state.head = Some(Place::Kept);
        }
        for ((fill, carried), kept) in self.work.fills.iter().zip(&mut self.state.carried).zip(&mut self.kept) {
            if let Place::Row(row) = carried.last.place {
                if !carried.last.of_prev {
                    *kept = batch.column(fill.value).slice(row, 1);
                }
                carried.last.place = Place::Kept;
            }
        }
    }

    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<RecordBatch>>> {
        loop {
            if let Some(guard) = &self.guard
                && let Err(error) = guard.check()
            {
                return Poll::Ready(Err(error.into_engine()));
            }
            if self.at_hand.is_some() {
                let step = self.take_rows()?;
                let batch = if self.out.len() > 0 { Some(self.make()?) } else { None };
                if step == Step::Done {
                    self.let_go();
                }
                if batch.is_some() {
                    return Poll::Ready(Ok(batch));
                }
                continue;
            }
            if self.input_ended {
                if self.state.head.is_none() && self.has_one_group {
                    self.begin_group(Place::Null);
                }
                if self.state.head.is_some() {
                    self.fill_to_the_end()?;
                }
                return Poll::Ready(if self.out.len() > 0 { self.make().map(Some) } else { Ok(None) });
            }
            match ready!(self.input.poll_next_unpin(context)) {
                Some(batch) => {
                    let batch = batch?;
                    let columns: Vec<ArrayRef> = self.work.keys().map(|place| batch.column(place).clone()).collect();
                    let keys = if columns.is_empty() { None } else { Some(self.keys.convert_columns(&columns)?) };
                    self.at_hand = Some(AtHand { batch, keys, row: 0 });
                }
                None => self.input_ended = true,
            }
        }
    }
}

impl Stream for Filling {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let batch = ready!(self.poll_batch(context));
        self.ended = !matches!(batch, Ok(Some(_)));
        Poll::Ready(batch.transpose())
    }
}

impl RecordBatchStream for Filling {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

fn zone_of(kind: &DataType) -> Option<Arc<str>> {
    match kind {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}

fn number(values: &ArrayRef, row: usize) -> Option<Number> {
    if values.is_null(row) {
        return None;
    }
    match values.data_type() {
        DataType::Int64 => Some(Number::Whole(values.as_primitive::<Int64Type>().value(row))),
        DataType::Float64 => Some(Number::Real(values.as_primitive::<Float64Type>().value(row))),
        _ => None,
    }
}

/// A row of a time and a value.
fn point(beside: &ArrayRef, row: usize) -> Option<Point> {
    let pair = beside.as_struct_opt()?;
    if pair.is_null(row) {
        return None;
    }
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let time = cast(&pair.column(0).slice(row, 1), &micros).ok()?;
    let value = pair.column(1).slice(row, 1);
    let value =
        if value.data_type().is_integer() { cast(&value, &DataType::Int64) } else { cast(&value, &DataType::Float64) };
    let time = time.as_primitive::<TimestampMicrosecondType>();
    Some(Point { time: time.is_valid(0).then(|| time.value(0))?, value: number(&value.ok()?, 0)? })
}

/// The line through two points at a time.
fn between(from: Point, to: Point, time: i64) -> Option<Number> {
    let (whole, done) = (i128::from(to.time) - i128::from(from.time), i128::from(time) - i128::from(from.time));
    if whole <= 0 {
        return None;
    }
    match (from.value, to.value) {
        (Number::Whole(low), Number::Whole(high)) => {
            let (low, high) = (i128::from(low), i128::from(high));
            let sum = low.checked_mul(whole - done)?.checked_add(high.checked_mul(done)?)?;
            // To the nearest, halves away from zero.
            let size = sum.checked_abs()?.checked_mul(2)?.checked_add(whole)? / (2 * whole);
            i64::try_from(size * sum.signum()).ok().map(Number::Whole)
        }
        (low, high) => {
            let (low, high) = (real(low), real(high));
            let (whole, done) = (whole as f64, done as f64);
            Some(Number::Real((low * (whole - done) + high * done) / whole))
        }
    }
}

fn real(number: Number) -> f64 {
    match number {
        Number::Whole(value) => value as f64,
        Number::Real(value) => value,
    }
}
