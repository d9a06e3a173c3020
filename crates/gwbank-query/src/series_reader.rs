//! The port through which the watch reads series: the same read cut, without SQL.
//!
//! # Rules
//! 1. A mean never depends on the order in which readings came or on how they lie in chunks and files: values are summed
//!    as integers of 2^-64, which is exact for what a sensor can say.
//! 2. The work is done on the query runtime, one task a partition.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int16Type, TimestampMicrosecondType};
use async_trait::async_trait;
use futures::StreamExt;
use gwbank_model::{Day, Key, Parameter, Row, SeriesId, SeriesKey, SiteStatus, Timestamp, WellId};
use gwbank_recent::RowFilter;
use gwbank_store::{DailyValue, HourlyMean, LastHeard, SeriesEnd, SeriesReadError, SeriesReader, SeriesRequest};

use crate::engine::QueryEngine;
use crate::error::{QueryError, chain};
use crate::readings::{APPROVED, ReadCut, ReadingFilter, ReadingsExec, Table, Wanted, same_series_end};

/// Columns of `readings` that daily values need, by their places in the table. The last only where anything is approved.
const OUTPUTS: [&str; 7] = ["well_id", "parameter", "time", "value", "site_status", "quality", "approval"];

#[async_trait]
impl SeriesReader for QueryEngine {
    async fn daily_values(&self, request: SeriesRequest) -> Result<Vec<DailyValue>, SeriesReadError> {
        let values = async { self.read_stretches(request, Width::Day).await?.days() };
        values.await.map_err(|error| SeriesReadError(Box::new(error)))
    }

    async fn hourly_means(&self, request: SeriesRequest) -> Result<Vec<HourlyMean>, SeriesReadError> {
        let request = SeriesRequest { medians_of: Vec::new(), ..request };
        let means = async { self.read_stretches(request, Width::Hour).await?.hours() };
        means.await.map_err(|error| SeriesReadError(Box::new(error)))
    }

    async fn rows_between(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, SeriesReadError> {
        self.read_between(well, parameter, from, to).await.map_err(|error| SeriesReadError(Box::new(error)))
    }

    async fn last_heard(&self) -> Result<Vec<LastHeard>, SeriesReadError> {
        self.read_last_heard().await.map_err(|error| SeriesReadError(Box::new(error)))
    }

    async fn series_end(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
    ) -> Result<SeriesEnd, SeriesReadError> {
        let rows = self.rows_since(well, parameter, from).await?;
        let names = self.shared().read_cut().names().clone();
        Ok(SeriesEnd {
            gateway: rows.last().map(|row| names.gateways.id(row.gateway).as_str().to_owned()),
            times: rows.into_iter().map(|row| row.time).collect(),
        })
    }
}

impl QueryEngine {
    async fn read_stretches(&self, request: SeriesRequest, width: Width) -> Result<SeriesStretches, QueryError> {
        let shared = self.shared();
        let SeriesRequest { wells, parameters, from, to, offset_seconds, qualities, medians_of } = request;
        let start = |day: Day| day.start(offset_seconds).as_micros();
        let filter = ReadingFilter {
            from: from.map(start),
            to: to.map(start),
            wells: wells.map(|wells| wells.iter().map(|well| well.as_str().to_owned()).collect()),
            parameters: Some(parameters.iter().map(|parameter| parameter.name().to_owned()).collect()),
            values: None,
        };
        let columns = Table::Readings.columns();
        let place = |name: &str| columns.iter().position(|(column, _)| *column == name).expect("a column of readings");
        let outputs = OUTPUTS.map(place);
        let partitions = shared.config.threads;
        let (table, cut) = (Table::Readings, shared.read_cut());
        let outputs = if cut.approvals().is_empty() { &outputs[..OUTPUTS.len() - 1] } else { &outputs[..] };
        let plan = ReadingsExec::plan(table, Wanted::All, cut, filter, outputs, None, partitions).await?;
        let counts = Arc::new(Counted::new(&qualities));
        let empty = SeriesStretches::new(width, offset_seconds, medians_of);
        let mut tasks = Vec::new();
        for partition in 0..plan.partitions() {
            let mut batches = plan.stream(partition).map_err(|error| shared.translate(&error))?;
            let (counts, stretches) = (counts.clone(), empty.clone());
            let task = async move {
                let mut stretches = stretches;
                while let Some(batch) = batches.next().await {
                    stretches.add(&batch?, &counts);
                    tokio::task::coop::consume_budget().await;
                }
                Ok(stretches)
            };
            tasks.push(AbortOnDrop(shared.runtime()?.spawn(task)));
        }
        let mut all = empty;
        for mut task in tasks {
            let stretches: Result<SeriesStretches, datafusion::error::DataFusionError> = match (&mut task.0).await {
                Ok(days) => days,
                Err(error) => return Err(QueryError::Internal(chain(&error))),
            };
            all.merge(stretches.map_err(|error| shared.translate(&error))?);
        }
        Ok(all)
    }

    /// The archive knows where its series end; the window has what is newer.
    async fn read_last_heard(&self) -> Result<Vec<LastHeard>, QueryError> {
        let shared = self.shared();
        // The window first, as everywhere: what leaves it is in the archive by then.
        let cut = shared.read_cut();
        let archived = shared.sources.archive.series_ends().await.map_err(|error| cut.archive_error(error))?;
        let mut ends: HashMap<SeriesId, Timestamp> = archived.into_iter().collect();
        // Rows before what the window answers alone that wait for the archive are left out: they will be there in a moment, and
        // where several nodes write, all rows are such.
        for row in cut.window().latest_rows(&RowFilter::default()) {
            let end = ends.entry(row.series).or_insert(row.time);
            *end = row.time.max(*end);
        }
        let heard = |(series, time): (SeriesId, Timestamp)| {
            let SeriesKey { well, parameter } = cut.names().series.key(series);
            LastHeard { well_id: well, parameter, time }
        };
        Ok(ends.into_iter().map(heard).collect())
    }

    async fn read_between(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, QueryError> {
        let cut = self.shared().read_cut();
        // The archive may know it even where it has no number yet: names are given when something of it is first read.
        let series = cut.names().series.intern(well, parameter);
        rows_between(&cut, well, parameter, series, from, to).await
    }
}

async fn rows_between(
    cut: &ReadCut,
    well: &WellId,
    parameter: Parameter,
    series: SeriesId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Row>, QueryError> {
    let filter = ReadingFilter {
        from: Some(from.as_micros()),
        to: (to != Timestamp::MAX).then(|| to.as_micros()),
        wells: Some([well.as_str().to_owned()].into()),
        parameters: Some([parameter.name().to_owned()].into()),
        values: None,
    };
    let covers_from = cut.window().covers_from();
    let recent = cut.window().series_rows(series, from.max(covers_from), to);
    if cut.archive_request(&filter, 1).is_none() {
        return Ok(recent);
    }
    let archived = cut.archive().await?.series_rows(series, from, to.min(covers_from)).await;
    let archived = archived.map_err(|error| cut.archive_error(error))?;
    let pending = cut.pending(&filter).await?;
    let mut rows: HashMap<Key, Row> = archived.into_iter().map(|row| (row.key(), row)).collect();
    rows.extend(pending.winners.into_iter().map(|row| (row.key(), row)));
    let mut rows: Vec<Row> = rows.into_values().chain(recent).collect();
    rows.sort_by_key(|row| row.time);
    Ok(rows)
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Code of quality `pass`.
const GOOD: i16 = 1;

/// Which readings make a mean.
struct Counted {
    /// By quality code.
    qualities: [bool; 16],
}

impl Counted {
    fn new(qualities: &[u8]) -> Self {
        let mut counted = [false; 16];
        for &code in qualities {
            if let Some(slot) = counted.get_mut(usize::from(code)) {
                *slot = true;
            }
        }
        Self { qualities: counted }
    }

    fn quality(&self, code: i16) -> bool {
        usize::try_from(code).ok().and_then(|code| self.qualities.get(code)).copied().unwrap_or(false)
    }
}

/// How long the stretches are into which a series is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Day,
    Hour,
}

const HOUR_MICROS: i64 = 3_600_000_000;

impl Width {
    fn index(self, time: i64, offset_seconds: i32) -> i32 {
        match self {
            Width::Day => Timestamp::from_micros(time).day(offset_seconds).0,
            // Good for 245,000 years around 1970.
            Width::Hour => i32::try_from(time.div_euclid(HOUR_MICROS)).unwrap_or(i32::MAX),
        }
    }
}

/// A stretch of one series so far.
#[derive(Debug, Clone, Default)]
struct Sum {
    index: i32,
    count: u32,
    dry_count: u32,
    good_count: u32,
    approved_count: u32,
    sum: i128,
    /// Where a median is asked for.
    values: Vec<f64>,
}

impl Sum {
    /// 2^64: the unit of sums is its inverse.
    const SCALE: f64 = 18_446_744_073_709_551_616.0;
    /// No level of the Earth is larger; a day of 2^17 of these still fits into 127 bits.
    const VALUE_MAX: f64 = (1u64 << 45) as f64;

    fn add(&mut self, value: f64) {
        self.sum += (value.clamp(-Self::VALUE_MAX, Self::VALUE_MAX) * Self::SCALE).round() as i128;
        self.count += 1;
    }

    fn merge(&mut self, other: Sum) {
        self.sum += other.sum;
        self.count += other.count;
        self.dry_count += other.dry_count;
        self.good_count += other.good_count;
        self.approved_count += other.approved_count;
        self.values.extend(other.values);
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / Self::SCALE / f64::from(self.count))
    }

    fn median(&mut self) -> Option<f64> {
        let middle = self.values.len() / 2;
        if self.values.is_empty() {
            return None;
        }
        let is_even = self.values.len().is_multiple_of(2);
        let (below, &mut upper, _) = self.values.select_nth_unstable_by(middle, f64::total_cmp);
        let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| is_even);
        Some(lower.map_or(upper, |lower| lower / 2.0 + upper / 2.0))
    }
}

#[derive(Debug, Clone)]
struct SeriesStretches {
    width: Width,
    offset_seconds: i32,
    medians_of: Vec<Parameter>,
    numbers: HashMap<(String, Parameter), usize>,
    /// Stretches in the order in which they came: mostly that of time, in several runs where chunks and files overlap. One
    /// may stand in several runs until all are put together at the end, as to find its place at once would move all later ones.
    series: Vec<Vec<Sum>>,
}

impl SeriesStretches {
    fn new(width: Width, offset_seconds: i32, medians_of: Vec<Parameter>) -> Self {
        Self { width, offset_seconds, medians_of, numbers: HashMap::new(), series: Vec::new() }
    }

    fn add(&mut self, batch: &RecordBatch, counted: &Counted) {
        let text = |column: usize| batch.column(column).as_string_view();
        let (wells, parameters, statuses) = (text(0), text(1), text(4));
        let times = batch.column(2).as_primitive::<TimestampMicrosecondType>().values();
        let values = batch.column(3).as_primitive::<Float64Type>();
        let qualities = batch.column(5).as_primitive::<Int16Type>();
        let approvals = batch.columns().get(6).map(|column| column.as_string_view());
        let mut row = 0;
        while row < batch.num_rows() {
            let end = same_series_end(wells, parameters, row);
            if let Some(parameter) = Parameter::from_name(parameters.value(row)) {
                let series = self.number(wells.value(row), parameter);
                let with_median = self.medians_of.contains(&parameter);
                for row in row..end {
                    let status = if statuses.is_null(row) { None } else { SiteStatus::from_name(statuses.value(row)) };
                    let sum = self.stretch(series, self.width.index(times[row], self.offset_seconds));
                    match status {
                        Some(SiteStatus::Dry) => sum.dry_count += 1,
                        None | Some(SiteStatus::Ok | SiteStatus::Flowing) => {
                            if values.is_valid(row) && counted.quality(qualities.value(row)) {
                                let value = values.value(row);
                                sum.add(value);
                                sum.good_count += u32::from(qualities.value(row) == GOOD);
                                let is_approved = approvals.is_some_and(|column| column.value(row) == APPROVED);
                                sum.approved_count += u32::from(is_approved);
                                if with_median {
                                    sum.values.push(value);
                                }
                            }
                        }
                        Some(_) => {}
                    }
                }
            }
            row = end;
        }
    }

    fn number(&mut self, well: &str, parameter: Parameter) -> usize {
        let next = self.series.len();
        let number = *self.numbers.entry((well.to_owned(), parameter)).or_insert(next);
        if number == next {
            self.series.push(Vec::new());
        }
        number
    }

    /// Rows come in the order of time, so most are of the stretch that came last.
    fn stretch(&mut self, series: usize, index: i32) -> &mut Sum {
        let sums = &mut self.series[series];
        if sums.last().is_none_or(|last| last.index != index) {
            sums.push(Sum { index, ..Sum::default() });
        }
        let last = sums.len() - 1;
        &mut sums[last]
    }

    fn merge(&mut self, other: SeriesStretches) {
        let SeriesStretches { numbers, mut series, .. } = other;
        for ((well, parameter), number) in numbers {
            let sums = std::mem::take(&mut series[number]);
            let own = self.number(&well, parameter);
            if self.series[own].is_empty() {
                self.series[own] = sums;
            } else {
                self.series[own].extend(sums);
            }
        }
    }

    fn days(self) -> Result<Vec<DailyValue>, QueryError> {
        self.finish(|well_id, parameter, sum| DailyValue {
            well_id: well_id.clone(),
            parameter,
            day: Day(sum.index),
            mean: sum.mean(),
            median: sum.median(),
            count: sum.count,
            dry_count: sum.dry_count,
            approved_count: sum.approved_count,
            good_count: sum.good_count,
        })
    }

    fn hours(self) -> Result<Vec<HourlyMean>, QueryError> {
        self.finish(|well_id, parameter, sum| HourlyMean {
            well_id: well_id.clone(),
            parameter,
            time: Timestamp::from_micros(i64::from(sum.index) * HOUR_MICROS + HOUR_MICROS / 2),
            mean: sum.mean(),
            count: sum.count,
            dry_count: sum.dry_count,
        })
    }

    /// By well, parameter and time.
    fn finish<T>(mut self, show: impl Fn(&WellId, Parameter, &mut Sum) -> T) -> Result<Vec<T>, QueryError> {
        let mut keys: Vec<((String, Parameter), usize)> = self.numbers.into_iter().collect();
        keys.sort();
        let mut shown = Vec::with_capacity(self.series.iter().map(Vec::len).sum());
        for ((well, parameter), number) in keys {
            let well_id = WellId::new(&well).map_err(|error| QueryError::Internal(error.to_string()))?;
            let mut sums = put_together(std::mem::take(&mut self.series[number]));
            shown.extend(sums.iter_mut().map(|sum| show(&well_id, parameter, sum)));
        }
        Ok(shown)
    }
}

/// One of each stretch, in order of time.
fn put_together(mut sums: Vec<Sum>) -> Vec<Sum> {
    if sums.is_sorted_by(|a, b| a.index < b.index) {
        return sums;
    }
    sums.sort_by_key(|sum| sum.index);
    sums.dedup_by(|later, earlier| {
        let same = later.index == earlier.index;
        if same {
            earlier.merge(std::mem::take(later));
        }
        same
    });
    sums
}
