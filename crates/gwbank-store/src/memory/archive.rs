//! The archive as ordered maps that snapshots share.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use gwbank_model::{Key, Row, Seq, SeriesId, Timestamp};
use parking_lot::RwLock;

use crate::{
    Archive, ArchiveCommit, ArchiveError, ArchiveSnapshot, BatchStream, CommitReport, MaintenanceReport, Measure,
    RevisionRow, RowNames, ScanRequest, StoredVersions, Summary, Upkeep, reading_schema, revision_schema,
    revisions_to_batch, rows_to_batch, timestamp_type,
};

/// Rows in one batch of a scan.
const BATCH_ROWS: usize = 8192;

type Series = BTreeMap<Timestamp, StoredVersions>;

#[derive(Debug, Clone, Default)]
struct State {
    position: Seq,
    row_count: u64,
    series: BTreeMap<SeriesId, Arc<Series>>,
}

/// An [`Archive`] in memory. Clones share their state, as two handles to one store.
#[derive(Debug, Clone)]
pub struct MemoryArchive {
    names: RowNames,
    state: Arc<RwLock<Arc<State>>>,
}

impl MemoryArchive {
    pub fn new(names: RowNames) -> Self {
        Self { names, state: Arc::default() }
    }
}

#[async_trait]
impl Archive for MemoryArchive {
    async fn commit(&self, commit: ArchiveCommit) -> Result<CommitReport, ArchiveError> {
        let mut shared = self.state.write();
        let state = Arc::make_mut(&mut shared);
        let mut order: Vec<usize> = (0..commit.rows.len()).collect();
        order.sort_by_key(|&i| commit.rows[i].seq);
        let mut outcomes = vec![gwbank_model::versions::Outcome::Duplicate; commit.rows.len()];
        for i in order {
            let row = commit.rows[i];
            let series = Arc::make_mut(state.series.entry(row.series).or_default());
            let mut known = series.remove(&row.time);
            let change = StoredVersions::take(&mut known, row);
            outcomes[i] = change.outcome();
            state.row_count += u64::from(change == gwbank_model::versions::Change::First);
            if let Some(versions) = known {
                series.insert(row.time, versions);
            }
        }
        state.position = state.position.max(commit.through);
        Ok(CommitReport { outcomes, refused: Vec::new() })
    }

    async fn snapshot(&self) -> Result<Arc<dyn ArchiveSnapshot>, ArchiveError> {
        Ok(Arc::new(MemorySnapshot { names: self.names.clone(), state: self.state.read().clone() }))
    }

    async fn series_ends(&self) -> Result<Vec<(SeriesId, Timestamp)>, ArchiveError> {
        let state = self.state.read().clone();
        let end = |(series, rows): (&SeriesId, &Arc<Series>)| Some((*series, *rows.last_key_value()?.0));
        Ok(state.series.iter().filter_map(end).collect())
    }

    /// So that tests of those who ask for summaries have some.
    fn summarizes(&self) -> bool {
        true
    }

    /// Rows are kept by number.
    fn names_every_series(&self) -> bool {
        true
    }

    async fn maintain(&self, _upkeep: Upkeep) -> Result<MaintenanceReport, ArchiveError> {
        Ok(MaintenanceReport::default())
    }
}

#[derive(Debug, Clone)]
struct MemorySnapshot {
    names: RowNames,
    state: Arc<State>,
}

/// Every hint is taken at its word, so that tests of those who give them see it.
fn worth_giving(row: &Row, request: &ScanRequest) -> bool {
    request.values.is_none_or(|(least, greatest)| (least..=greatest).contains(&row.value))
}

impl MemorySnapshot {
    /// One stream, which begins with what is known when it is first asked for rows.
    fn when_asked(
        &self,
        request: ScanRequest,
        scan: fn(&Self, ScanRequest) -> Result<Vec<BatchStream>, ArchiveError>,
    ) -> Vec<BatchStream> {
        let snapshot = self.clone();
        let opened = futures::stream::once(async move {
            let streams = scan(&snapshot, ScanRequest { partitions: 1, ..request.narrowed() })?;
            Ok::<_, ArchiveError>(futures::stream::iter(streams).flatten())
        });
        vec![Box::pin(opened.try_flatten())]
    }

    /// What a request wants, sorted by well, parameter, time.
    fn wanted(&self, request: &ScanRequest) -> Vec<&StoredVersions> {
        let keys = self.names.series.keys();
        let mut series: Vec<_> = self.state.series.iter().map(|(id, rows)| (&keys[id.0 as usize], rows)).collect();
        series.sort_by_key(|(key, _)| (key.well.as_str(), key.parameter.name()));
        let wants = |key: &gwbank_model::SeriesKey, time| request.wants(key.well.as_str(), key.parameter, time);
        series
            .into_iter()
            .flat_map(|(key, rows)| rows.iter().filter(move |(time, _)| wants(key, **time)).map(|(_, v)| v))
            .collect()
    }

    fn streams<T: Copy>(
        &self,
        items: &[T],
        request: &ScanRequest,
        schema: SchemaRef,
        batch: impl Fn(&[T], &RowNames) -> Result<RecordBatch, ArrowError>,
    ) -> Result<Vec<BatchStream>, ArchiveError> {
        let damaged =
            |source: ArrowError| ArchiveError::Damaged { place: "memory".to_owned(), source: Box::new(source) };
        let projection: Vec<usize> = request.projection.clone().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let per_stream = items.len().div_ceil(request.partitions.max(1)).max(1);
        let mut streams: Vec<BatchStream> = Vec::new();
        for part in items.chunks(per_stream) {
            let batches: Result<Vec<_>, ArrowError> =
                part.chunks(BATCH_ROWS).map(|rows| batch(rows, &self.names)?.project(&projection)).collect();
            streams.push(Box::pin(futures::stream::iter(batches.map_err(damaged)?.into_iter().map(Ok))));
        }
        if streams.is_empty() {
            streams.push(Box::pin(futures::stream::empty()));
        }
        Ok(streams)
    }
}

#[async_trait]
impl ArchiveSnapshot for MemorySnapshot {
    fn position(&self) -> Seq {
        self.state.position
    }

    fn row_count(&self) -> u64 {
        self.state.row_count
    }

    fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        let times =
            self.state.series.values().filter_map(|rows| Some((*rows.keys().next()?, *rows.keys().next_back()?)));
        times.reduce(|(from, to), (first, last)| (from.min(first), to.max(last)))
    }

    fn scan(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError> {
        if request.narrowing.is_some() {
            return Ok(self.when_asked(request, Self::scan));
        }
        let rows = self.wanted(&request).into_iter().map(|versions| versions.winner);
        let mut rows: Vec<Row> = rows.filter(|row| worth_giving(row, &request)).collect();
        if request.latest {
            let same_series = |a: &Row, b: &Row| a.series == b.series;
            rows = rows.chunk_by(same_series).filter_map(|series| series.last().copied()).collect();
        }
        self.streams(&rows, &request, reading_schema(), rows_to_batch)
    }

    fn scan_revisions(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError> {
        if request.narrowing.is_some() {
            return Ok(self.when_asked(request, Self::scan_revisions));
        }
        let revisions: Vec<RevisionRow> =
            self.wanted(&request).into_iter().flat_map(|versions| versions.revisions.iter().copied()).collect();
        let revisions: Vec<RevisionRow> =
            revisions.into_iter().filter(|revision| worth_giving(&revision.row, &request)).collect();
        self.streams(&revisions, &request, revision_schema(), revisions_to_batch)
    }

    fn summarize(&self, request: ScanRequest, summary: &Summary) -> Result<Option<Vec<BatchStream>>, ArchiveError> {
        let winners = self.wanted(&request).into_iter().map(|versions| versions.winner);
        let rows: Vec<Row> = winners
            .filter(|row| summary.qualities.as_ref().is_none_or(|wanted| wanted.contains(&row.quality)))
            .filter(|row| !summary.with_value || row.value().is_some())
            .filter(|row| !summary.without.contains(&row.key()))
            .collect();
        // By parts, as those who read it must expect.
        let parts = rows.chunks(rows.len().div_ceil(request.partitions.max(1)).max(1));
        let batches: Result<Vec<RecordBatch>, ArrowError> =
            parts.map(|rows| summary_batch(rows, summary, &self.names)).collect();
        let batches =
            batches.map_err(|source| ArchiveError::Damaged { place: "memory".to_owned(), source: Box::new(source) })?;
        Ok(Some(vec![Box::pin(futures::stream::iter(batches.into_iter().map(Ok)))]))
    }

    async fn series_rows(&self, series: SeriesId, from: Timestamp, to: Timestamp) -> Result<Vec<Row>, ArchiveError> {
        let Some(rows) = self.state.series.get(&series).filter(|_| from < to) else { return Ok(Vec::new()) };
        Ok(rows.range(from..to).map(|(_, versions)| versions.winner).collect())
    }

    async fn versions(&self, keys: &[Key]) -> Result<Vec<Option<StoredVersions>>, ArchiveError> {
        Ok(keys.iter().map(|key| self.state.series.get(&key.series)?.get(&key.time).cloned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_rules_of_the_port() {
        crate::conformance::archive_suite(|names| async { Arc::new(MemoryArchive::new(names)) as Arc<dyn Archive> })
            .await;
    }
}

/// What a group's readings amount to.
#[derive(Default)]
struct Group {
    rows: i64,
    values: Vec<f64>,
}

fn summary_batch(rows: &[Row], summary: &Summary, names: &RowNames) -> Result<RecordBatch, ArrowError> {
    let mut groups: BTreeMap<(Option<SeriesId>, Option<Timestamp>), Group> = BTreeMap::new();
    for row in rows {
        let series = summary.by_series.then_some(row.series);
        let group = groups.entry((series, summary.bucket.map(|bucket| bucket.start_of(row.time)))).or_default();
        group.rows += 1;
        group.values.extend(row.value());
    }
    let mut columns: Vec<ArrayRef> = Vec::new();
    let schema = summary.schema();
    if summary.by_series {
        let keys = groups.keys().filter_map(|(series, _)| Some(names.series.key((*series)?)));
        let keys: Vec<_> = keys.collect();
        let wells = arrow::array::StringArray::from_iter_values(keys.iter().map(|key| key.well.as_str()));
        let parameters = arrow::array::StringArray::from_iter_values(keys.iter().map(|key| key.parameter.name()));
        columns.push(cast(&wells, schema.field(0).data_type())?);
        columns.push(cast(&parameters, schema.field(1).data_type())?);
    }
    if summary.bucket.is_some() {
        let times = groups.keys().filter_map(|(_, time)| Some((*time)?.as_micros()));
        columns.push(Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_data_type(timestamp_type())));
    }
    let groups: Vec<&Group> = groups.values().collect();
    for measure in &summary.measures {
        let of_values = |reduce: fn(&[f64]) -> f64| -> ArrayRef {
            let of_group = |group: &&Group| (!group.values.is_empty()).then(|| reduce(&group.values));
            Arc::new(groups.iter().map(of_group).collect::<Float64Array>())
        };
        columns.push(match measure {
            Measure::Rows => Arc::new(Int64Array::from_iter_values(groups.iter().map(|group| group.rows))),
            Measure::Values => {
                Arc::new(Int64Array::from_iter_values(groups.iter().map(|group| group.values.len() as i64)))
            }
            Measure::Sum => of_values(|values| values.iter().sum()),
            Measure::Least => of_values(|values| values.iter().copied().fold(f64::INFINITY, f64::min)),
            Measure::Greatest => of_values(|values| values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        });
    }
    RecordBatch::try_new(schema, columns)
}
