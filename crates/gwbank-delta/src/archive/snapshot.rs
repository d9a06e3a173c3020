//! Reading one version of the table.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::stream;
use gwbank_model::{Key, Parameter, Row, Seq, SeriesId, Timestamp};
use gwbank_store::{
    ArchiveError, ArchiveSnapshot, BatchStream, ScanRequest, StoredVersions, reading_schema, revision_schema,
};
use tokio::sync::mpsc;

use super::files::{DataFile, TableState};
use super::{Shared, blocking};
use crate::DeltaError;

/// Decoded batches that wait for a reader: enough to keep the decoder busy, few enough to forget.
const BATCHES_AHEAD: usize = 4;

pub(crate) struct DeltaSnapshot {
    shared: Arc<Shared>,
    /// Keeps its files on disk.
    state: Arc<TableState>,
}

impl fmt::Debug for DeltaSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeltaSnapshot").field("version", &self.state.version).finish_non_exhaustive()
    }
}

impl DeltaSnapshot {
    pub fn new(shared: Arc<Shared>, state: Arc<TableState>) -> Self {
        Self { shared, state }
    }

    fn streams(&self, request: ScanRequest, superseded: bool, columns: usize) -> Vec<BatchStream> {
        let mut files: Vec<Arc<DataFile>> = self
            .state
            .files()
            .filter(|file| file.part.superseded == superseded && file.may_hold(&request))
            .cloned()
            .collect();
        // The largest first, each to the stream that has least to do.
        files.sort_by_key(|file| std::cmp::Reverse(file.bytes));
        let asked: Vec<Asked> = if request.latest && !superseded {
            self.state.ranges.latest_in(files, &request, &self.shared.config.names.series.keys())
        } else {
            files.into_iter().map(|file| (file, request.clone())).collect()
        };
        let count = request.partitions.clamp(1, asked.len().max(1));
        let mut shares: Vec<(u64, Vec<Asked>)> = vec![(0, Vec::new()); count];
        for (file, request) in asked {
            let share = shares.iter_mut().min_by_key(|(bytes, _)| *bytes).expect("at least one");
            share.0 += file.bytes;
            share.1.push((file, request));
        }
        let projection: Arc<[usize]> = request.projection.clone().unwrap_or_else(|| (0..columns).collect()).into();
        shares
            .into_iter()
            .map(|(_, mut files)| {
                files.sort_by(|(a, _), (b, _)| (a.part, a.time.0, &a.path).cmp(&(b.part, b.time.0, &b.path)));
                if request.narrowing.is_some() {
                    // Who wants the first few mostly wants the newest; then the others need not be read.
                    files.reverse();
                }
                stream_files(self.shared.clone(), files, projection.clone())
            })
            .collect()
    }
}

/// A file, and what is wanted of it.
type Asked = (Arc<DataFile>, ScanRequest);

enum Progress {
    Waiting(Arc<Shared>, Vec<Asked>, Arc<[usize]>),
    Running(mpsc::Receiver<Result<Option<RecordBatch>, DeltaError>>),
    Ended,
}

/// Decodes files one after another on a blocking thread, from the first poll on. Dropping the stream ends the work.
fn stream_files(shared: Arc<Shared>, files: Vec<Asked>, projection: Arc<[usize]>) -> BatchStream {
    let waiting = Progress::Waiting(shared, files, projection);
    Box::pin(stream::unfold(waiting, |progress| async move {
        let mut batches = match progress {
            Progress::Ended => return None,
            Progress::Running(batches) => batches,
            Progress::Waiting(shared, files, projection) => {
                let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
                tokio::task::spawn_blocking(move || decode_files(&shared, files, &projection, &sender));
                batches
            }
        };
        match batches.recv().await {
            Some(Ok(Some(batch))) => Some((Ok(batch), Progress::Running(batches))),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some((Err(error.into()), Progress::Ended)),
            // Without the mark of its end the decoder died: never to be taken for the end.
            None => Some((Err(DeltaError::TaskEnded.into()), Progress::Ended)),
        }
    }))
}

fn decode_files(
    shared: &Shared,
    files: Vec<Asked>,
    projection: &[usize],
    sender: &mpsc::Sender<Result<Option<RecordBatch>, DeltaError>>,
) {
    for (file, request) in &files {
        let request = &request.narrowed();
        if !file.may_hold(request) {
            continue;
        }
        let read = shared.reader.read(file, request, None, projection, |batch| {
            match sender.blocking_send(Ok(Some(batch))) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()), // nobody reads any more
            }
        });
        match read {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return,
            Err(error) => {
                let _ = sender.blocking_send(Err(error)); // nobody to tell
                return;
            }
        }
    }
    drop(files); // whoever sees the end may count on it that the files are free
    let _ = sender.blocking_send(Ok(None)); // nobody to tell
}

#[async_trait]
impl ArchiveSnapshot for DeltaSnapshot {
    fn position(&self) -> Seq {
        self.state.position
    }

    fn row_count(&self) -> u64 {
        self.state.winners().map(|file| file.rows).sum()
    }

    fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        let times = self.state.winners().map(|file| file.time);
        times.reduce(|(from, to), (first, last)| (from.min(first), to.max(last)))
    }

    fn scan(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError> {
        Ok(self.streams(request, false, reading_schema().fields().len()))
    }

    fn scan_revisions(&self, request: ScanRequest) -> Result<Vec<BatchStream>, ArchiveError> {
        Ok(self.streams(request, true, revision_schema().fields().len()))
    }

    async fn series_rows(&self, series: SeriesId, from: Timestamp, to: Timestamp) -> Result<Vec<Row>, ArchiveError> {
        self.rows_of_series(&[series], from, to).await
    }

    async fn rows_of_series(
        &self,
        series: &[SeriesId],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, ArchiveError> {
        let keys = series.iter().map(|&series| self.shared.config.names.series.key(series));
        let (wells, parameters): (BTreeSet<String>, BTreeSet<Parameter>) =
            keys.map(|key| (key.well.as_str().to_owned(), key.parameter)).unzip();
        let request = ScanRequest {
            from: Some(from),
            to: Some(to),
            wells: Some(wells.into_iter().collect()),
            parameters: Some(parameters.into_iter().collect()),
            ..ScanRequest::all()
        };
        let state = self.state.clone();
        let wanted: HashSet<SeriesId> = series.iter().copied().collect();
        let rows = blocking(&self.shared, move |shared| {
            let mut rows = Vec::new();
            for file in state.winners().filter(|file| file.may_hold(&request)) {
                let of_file = shared.rows_of(file, &request, None)?;
                // Each well with each of the parameters may be more than was asked for.
                rows.extend(of_file.into_iter().filter(|row| wanted.contains(&row.series)));
            }
            rows.sort_by_key(|row| (row.series, row.time));
            Ok(rows)
        });
        Ok(rows.await?)
    }

    async fn versions(&self, keys: &[Key]) -> Result<Vec<Option<StoredVersions>>, ArchiveError> {
        let (state, keys) = (self.state.clone(), keys.to_vec());
        let versions = blocking(&self.shared, move |shared| {
            let mut found = shared.find(&state, keys.iter().copied())?;
            Ok(keys.iter().map(|key| Some(found.remove(key)?.versions)).collect())
        });
        Ok(versions.await?)
    }
}
