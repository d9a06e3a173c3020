//! The port through which the watch reads series: the same read cut, without SQL.
//!
//! # Rules
//! 1. A mean never depends on the order in which readings came or on how they lie in chunks and files: values are summed
//!    as integers of 2^-64, which is exact for what a sensor can say.
//! 2. The work is done on the query runtime, one task a partition.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use arrow::datatypes::{Float64Type, Int16Type, TimestampMicrosecondType};
use async_trait::async_trait;
use futures::StreamExt;
use gwbank_model::{Day, Key, Parameter, Row, SeriesId, SiteStatus, Timestamp, WellId};
use gwbank_store::{DailyLevel, DailyLevelRequest, SeriesReadError, SeriesReader};

use crate::engine::QueryEngine;
use crate::error::{QueryError, chain};
use crate::readings::{ReadCut, ReadingFilter, ReadingsExec, Table, Wanted};

/// Columns of `readings` that daily levels need, by their places in the table.
const OUTPUTS: [&str; 6] = ["well_id", "parameter", "time", "value", "site_status", "quality"];

#[async_trait]
impl SeriesReader for QueryEngine {
    async fn daily_levels(&self, request: DailyLevelRequest) -> Result<Vec<DailyLevel>, SeriesReadError> {
        self.read_daily(request).await.map_err(|error| SeriesReadError(Box::new(error)))
    }

    async fn rows_since(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
    ) -> Result<Vec<Row>, SeriesReadError> {
        self.read_since(well, parameter, from).await.map_err(|error| SeriesReadError(Box::new(error)))
    }
}

impl QueryEngine {
    async fn read_daily(&self, request: DailyLevelRequest) -> Result<Vec<DailyLevel>, QueryError> {
        let shared = self.shared();
        let DailyLevelRequest { wells, from, to, offset_seconds, qualities } = request;
        let start = |day: Day| day.start(offset_seconds).as_micros();
        let level_names = Parameter::ALL.iter().filter(|p| p.is_level()).map(|p| p.name().to_owned());
        let filter = ReadingFilter {
            from: from.map(start),
            to: to.map(start),
            wells: wells.map(|wells| wells.iter().map(|well| well.as_str().to_owned()).collect()),
            parameters: Some(level_names.collect()),
        };
        let columns = Table::Readings.columns();
        let place = |name: &str| columns.iter().position(|(column, _)| *column == name).expect("a column of readings");
        let outputs = OUTPUTS.map(place);
        let partitions = shared.config.threads;
        let (table, cut) = (Table::Readings, shared.read_cut());
        let plan = ReadingsExec::plan(table, Wanted::All, cut, filter, &outputs, None, partitions).await?;
        let counts = Arc::new(Counted::new(&qualities));
        let mut tasks = Vec::new();
        for partition in 0..plan.partitions() {
            let mut batches = plan.stream(partition).map_err(|error| shared.translate(&error))?;
            let counts = counts.clone();
            let task = async move {
                let mut days = SeriesDays { offset_seconds, ..SeriesDays::default() };
                while let Some(batch) = batches.next().await {
                    days.add(&batch?, &counts);
                    tokio::task::coop::consume_budget().await;
                }
                Ok(days)
            };
            tasks.push(AbortOnDrop(shared.runtime()?.spawn(task)));
        }
        let mut all = SeriesDays { offset_seconds, ..SeriesDays::default() };
        for mut task in tasks {
            let days: Result<SeriesDays, datafusion::error::DataFusionError> = match (&mut task.0).await {
                Ok(days) => days,
                Err(error) => return Err(QueryError::Internal(chain(&error))),
            };
            all.merge(days.map_err(|error| shared.translate(&error))?);
        }
        all.finish()
    }

    async fn read_since(&self, well: &WellId, parameter: Parameter, from: Timestamp) -> Result<Vec<Row>, QueryError> {
        let cut = self.shared().read_cut();
        let Some(series) = cut.names().series.get(well.as_str(), parameter) else {
            // The archive may know it all the same: names are given when something of it is first read.
            let series = cut.names().series.intern(well, parameter);
            return rows_since(&cut, well, parameter, series, from).await;
        };
        rows_since(&cut, well, parameter, series, from).await
    }
}

async fn rows_since(
    cut: &ReadCut,
    well: &WellId,
    parameter: Parameter,
    series: SeriesId,
    from: Timestamp,
) -> Result<Vec<Row>, QueryError> {
    let filter = ReadingFilter {
        from: Some(from.as_micros()),
        wells: Some([well.as_str().to_owned()].into()),
        parameters: Some([parameter.name().to_owned()].into()),
        ..ReadingFilter::default()
    };
    let covers_from = cut.window().covers_from();
    let recent = cut.window().series_rows(series, from.max(covers_from), Timestamp::MAX);
    if cut.archive_request(&filter, 1).is_none() {
        return Ok(recent);
    }
    let archived = cut.archive().await?.series_rows(series, from, covers_from).await;
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

/// A day of one series so far.
#[derive(Debug, Clone, Copy, Default)]
struct DaySum {
    day: i32,
    count: u32,
    dry_count: u32,
    good_count: u32,
    sum: i128,
}

impl DaySum {
    /// 2^64: the unit of sums is its inverse.
    const SCALE: f64 = 18_446_744_073_709_551_616.0;
    /// No level of the Earth is larger; a day of 2^17 of these still fits into 127 bits.
    const VALUE_MAX: f64 = (1u64 << 45) as f64;

    fn add(&mut self, value: f64) {
        self.sum += (value.clamp(-Self::VALUE_MAX, Self::VALUE_MAX) * Self::SCALE).round() as i128;
        self.count += 1;
    }

    fn merge(&mut self, other: &DaySum) {
        self.sum += other.sum;
        self.count += other.count;
        self.dry_count += other.dry_count;
        self.good_count += other.good_count;
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / Self::SCALE / f64::from(self.count))
    }
}

#[derive(Debug, Default)]
struct SeriesDays {
    offset_seconds: i32,
    numbers: HashMap<(String, Parameter), usize>,
    series: Vec<Vec<DaySum>>,
}

impl SeriesDays {
    fn add(&mut self, batch: &RecordBatch, counted: &Counted) {
        let text = |column: usize| batch.column(column).as_string_view();
        let (wells, parameters, statuses) = (text(0), text(1), text(4));
        let times = batch.column(2).as_primitive::<TimestampMicrosecondType>().values();
        let values = batch.column(3).as_primitive::<Float64Type>();
        let qualities = batch.column(5).as_primitive::<Int16Type>();
        let mut row = 0;
        while row < batch.num_rows() {
            let end = same_series_end(wells, parameters, row);
            let series = self.number(wells.value(row), parameters.value(row));
            for row in row..end {
                let Some(series) = series else { break };
                let status = if statuses.is_null(row) { None } else { SiteStatus::from_name(statuses.value(row)) };
                let day = self.day(series, Timestamp::from_micros(times[row]).day(self.offset_seconds).0);
                match status {
                    Some(SiteStatus::Dry) => day.dry_count += 1,
                    None | Some(SiteStatus::Ok | SiteStatus::Flowing) => {
                        if values.is_valid(row) && counted.quality(qualities.value(row)) {
                            day.add(values.value(row));
                            day.good_count += u32::from(qualities.value(row) == GOOD);
                        }
                    }
                    Some(_) => {}
                }
            }
            row = end;
        }
    }

    fn number(&mut self, well: &str, parameter: &str) -> Option<usize> {
        let key = (well.to_owned(), Parameter::from_name(parameter)?);
        let next = self.series.len();
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.series.push(Vec::new());
        }
        Some(number)
    }

    /// Days come in order but for what is late.
    fn day(&mut self, series: usize, day: i32) -> &mut DaySum {
        let days = &mut self.series[series];
        let place = match days.last() {
            Some(last) if last.day == day => days.len() - 1,
            Some(last) if last.day > day => {
                let place = days.partition_point(|sum| sum.day < day);
                if days[place].day != day {
                    days.insert(place, DaySum { day, ..DaySum::default() });
                }
                place
            }
            _ => {
                days.push(DaySum { day, ..DaySum::default() });
                days.len() - 1
            }
        };
        &mut days[place]
    }

    fn merge(&mut self, other: SeriesDays) {
        let SeriesDays { numbers, mut series, .. } = other;
        for ((well, parameter), number) in numbers {
            let days = std::mem::take(&mut series[number]);
            let Some(own) = self.number(&well, parameter.name()) else { continue };
            if self.series[own].is_empty() {
                self.series[own] = days;
            } else {
                for sum in days {
                    self.day(own, sum.day).merge(&sum);
                }
            }
        }
    }

    fn finish(self) -> Result<Vec<DailyLevel>, QueryError> {
        let mut keys: Vec<((String, Parameter), usize)> = self.numbers.into_iter().collect();
        keys.sort();
        let mut levels = Vec::with_capacity(self.series.iter().map(Vec::len).sum());
        for ((well, parameter), number) in keys {
            let well_id = WellId::new(&well).map_err(|error| QueryError::Internal(error.to_string()))?;
            levels.extend(self.series[number].iter().map(|sum| DailyLevel {
                well_id: well_id.clone(),
                parameter,
                day: Day(sum.day),
                mean: sum.mean(),
                count: sum.count,
                dry_count: sum.dry_count,
                approved_count: 0, // until there are reviews
                good_count: sum.good_count,
            }));
        }
        Ok(levels)
    }
}

fn same_series_end(wells: &StringViewArray, parameters: &StringViewArray, start: usize) -> usize {
    let same =
        |row: usize| wells.views()[row] == wells.views()[start] && parameters.views()[row] == parameters.views()[start];
    (start + 1..wells.len()).find(|&row| !same(row)).unwrap_or(wells.len())
}
