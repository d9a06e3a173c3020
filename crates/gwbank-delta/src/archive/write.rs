//! Writes Parquet: sorted by (well_id, parameter, time), small, and quick to skip in.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use gwbank_model::{Row, SeriesKey, Timestamp, runs_in_order};
use gwbank_store::{RevisionRow, RowNames, reading_schema, revision_schema, revisions_to_batch, rows_to_batch};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::disk::ArchiveDisk;
use super::files::{DataFile, Part};
use super::parquet_file::ParquetFile;
use crate::DeltaError;

/// Rows of one row group: what one thread decodes at a time, and what statistics can skip.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Rows of one page: what the page index can skip. A series of a month at 15 minutes has 2,900.
const PAGE_ROWS: usize = 8 * 1024;
/// Rows turned into one batch on their way into the file.
const BATCH_ROWS: usize = 32 * 1024;
pub(crate) const ZSTD_LEVEL: i32 = 3;

pub(crate) fn compression() -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).expect("zstd has this level"))
}

/// How readings are encoded. Measured by `examples/bytes_per_reading.rs`.
pub(crate) fn writer_properties() -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(compression())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_sorting_columns(Some(
            (0..3).map(|i| SortingColumn { column_idx: i, descending: false, nulls_first: false }).collect(),
        ))
        .set_created_by(concat!("gwbank ", env!("CARGO_PKG_VERSION")).to_owned());
    for name in ["well_id", "parameter", "time", "value", "seq"] {
        builder = builder.set_column_statistics_enabled(column(name), EnabledStatistics::Page);
    }
    // Nearly every instant has a text of its own, much like the one before: 0.2 bytes a text, where a dictionary takes 2.4.
    builder = builder
        .set_column_dictionary_enabled(column("time_raw"), false)
        .set_column_encoding(column("time_raw"), Encoding::DELTA_BYTE_ARRAY);
    // What a name would be written as if a dictionary grew too large, which it does not: the default's encoder begins with
    // megabytes to be cleared.
    for name in ["well_id", "parameter", "site_status", "time_source", "gateway_id", "cause"] {
        builder = builder.set_column_encoding(column(name), Encoding::PLAIN);
    }
    // Nobody skips by them, and to compare them row by row costs as much as to write them.
    for name in ["site_status", "qc_tests", "time_source", "gateway_id", "revision", "time_raw", "cause"] {
        builder = builder.set_column_statistics_enabled(column(name), EnabledStatistics::None);
    }
    // The small numbers are nearly always the same one, which a dictionary looks up for every row.
    for name in ["time", "quality", "qc_tests", "revision", "seq", "superseded_seq", "superseded_at"] {
        builder = builder
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_BINARY_PACKED);
    }
    builder.build()
}

/// Rows of one partition, on their way into files.
pub(crate) enum PartRows<'a> {
    Winners(Cow<'a, [Row]>),
    Losers(Cow<'a, [RevisionRow]>),
}

impl PartRows<'_> {
    pub fn len(&self) -> usize {
        match self {
            PartRows::Winners(rows) => rows.len(),
            PartRows::Losers(revisions) => revisions.len(),
        }
    }

    fn schema(&self) -> SchemaRef {
        match self {
            PartRows::Winners(_) => reading_schema(),
            PartRows::Losers(_) => revision_schema(),
        }
    }

    fn row(&self, i: usize) -> &Row {
        match self {
            PartRows::Winners(rows) => &rows[i],
            PartRows::Losers(revisions) => &revisions[i].row,
        }
    }

    /// The rows as files are sorted: by the text of the names.
    fn sorted(&mut self, order: &NameOrder) -> Sorted<'_> {
        match self {
            PartRows::Winners(rows) => {
                let runs = runs_in_order(rows, |row| order.rank(row)).unwrap_or_else(|| {
                    rows.to_mut().sort_unstable_by_key(|row| (order.rank(row), row.time));
                    std::iter::once(0..rows.len()).collect()
                });
                Sorted::Winners { rows, runs }
            }
            PartRows::Losers(revisions) => {
                revisions.to_mut().sort_unstable_by_key(|revision| {
                    (order.rank(&revision.row), revision.row.time, revision.superseded_at, revision.row.seq)
                });
                Sorted::Losers(revisions)
            }
        }
    }
}

/// Sorted rows, which are copied into their order batch by batch only.
enum Sorted<'a> {
    /// Sorted when the runs are read one after the other.
    Winners {
        rows: &'a [Row],
        runs: Vec<Range<usize>>,
    },
    Losers(&'a [RevisionRow]),
}

/// A batch on its way into a file, and what the file's entry says of it.
struct Batch {
    columns: RecordBatch,
    first: Row,
    last: Row,
    times: (Timestamp, Timestamp),
}

impl Batch {
    fn new(columns: RecordBatch, rows: impl Iterator<Item = Row> + Clone) -> Self {
        let (first, last) = (rows.clone().next().expect("not empty"), rows.clone().last().expect("not empty"));
        let times = rows.fold((first.time, first.time), |(from, to), row| (from.min(row.time), to.max(row.time)));
        Self { columns, first, last, times }
    }
}

impl<'a> Sorted<'a> {
    /// Batches in order, each of `rows_max` rows at most and as many as are left.
    fn batches(self, rows_max: usize, names: &'a RowNames) -> impl FnMut(usize) -> Result<Batch, ArrowError> + 'a {
        let mut from = 0;
        let mut scratch: Vec<Row> = Vec::new();
        let (mut run, mut run_from) = (0, 0);
        move |left| {
            let count = left.min(rows_max);
            let batch = match &self {
                Sorted::Winners { rows, runs } => {
                    scratch.clear();
                    while scratch.len() < count {
                        let of_run = &rows[runs[run].clone()][run_from..];
                        let taken = of_run.len().min(count - scratch.len());
                        scratch.extend_from_slice(&of_run[..taken]);
                        (run, run_from) = if taken == of_run.len() { (run + 1, 0) } else { (run, run_from + taken) };
                    }
                    Batch::new(rows_to_batch(&scratch, names)?, scratch.iter().copied())
                }
                Sorted::Losers(revisions) => {
                    let revisions = &revisions[from..from + count];
                    from += count;
                    Batch::new(revisions_to_batch(revisions, names)?, revisions.iter().map(|revision| revision.row))
                }
            };
            Ok(batch)
        }
    }
}

/// The order of some series by (well_id, parameter) as text.
struct NameOrder {
    ranks: Vec<u32>,
    keys: Vec<SeriesKey>,
}

impl NameOrder {
    fn of(rows: &PartRows<'_>, names: &RowNames) -> Self {
        let keys = names.series.keys();
        let mut ranks = vec![u32::MAX; keys.len()];
        let mut used: Vec<usize> = Vec::new();
        for i in 0..rows.len() {
            let series = rows.row(i).series.0 as usize;
            if ranks[series] == u32::MAX {
                ranks[series] = 0;
                used.push(series);
            }
        }
        used.sort_unstable_by_key(|&series| (keys[series].well.as_str(), keys[series].parameter.name()));
        for (rank, &series) in used.iter().enumerate() {
            ranks[series] = rank as u32;
        }
        Self { ranks, keys }
    }

    fn rank(&self, row: &Row) -> u32 {
        self.ranks[row.series.0 as usize]
    }

    fn well(&self, row: &Row) -> String {
        self.keys[row.series.0 as usize].well.as_str().to_owned()
    }
}

/// Where files are written, and how they are called.
pub(crate) struct PartWriter<'a> {
    pub table: &'a Path,
    pub names: &'a RowNames,
    pub disk: &'a ArchiveDisk,
    pub file_rows_max: usize,
    pub now_micros: i64,
}

impl PartWriter<'_> {
    /// Writes rows of one partition as durable files of at most `file_rows_max` rows. Takes what it wrote away again
    /// when it fails.
    pub fn write(&self, part: Part, mut rows: PartRows<'_>) -> Result<Vec<Arc<DataFile>>, DeltaError> {
        if rows.len() == 0 {
            return Ok(Vec::new());
        }
        let order = NameOrder::of(&rows, self.names);
        let dir = self.table.join(part.dir());
        self.disk.create_dirs(&dir)?;
        let (schema, mut left) = (rows.schema(), rows.len());
        let count = left.div_ceil(self.file_rows_max.max(1));
        let per_file = left.div_ceil(count);
        let mut next_batch = rows.sorted(&order).batches(BATCH_ROWS, self.names);
        let mut files: Vec<Arc<DataFile>> = Vec::with_capacity(count);
        while left > 0 {
            let rows = left.min(per_file);
            left -= rows;
            match self.write_file(part, rows, schema.clone(), &mut next_batch, &order) {
                Ok(file) => files.push(Arc::new(file)),
                Err(error) => {
                    self.discard(&files);
                    return Err(error);
                }
            }
        }
        let synced = self.disk.sync_dir(&dir).map_err(DeltaError::io("sync directory", &dir));
        synced.inspect_err(|_| self.discard(&files))?;
        Ok(files)
    }

    /// Removes files that no entry names. What stays behind is found by maintenance.
    pub fn discard(&self, files: &[Arc<DataFile>]) {
        for file in files {
            let _ = self.disk.remove(&self.table.join(&file.path));
        }
    }

    /// A file whose name no file of the table ever had: logs and caches know files by name.
    fn create(&self, part: Part) -> Result<(String, PathBuf, File), DeltaError> {
        let random = RandomState::new().build_hasher().finish();
        let relative = format!("{}/part-{:016x}-{random:016x}.zstd.parquet", part.dir(), self.now_micros);
        let path = self.table.join(&relative);
        let file = self.disk.create_new(&path).map_err(DeltaError::io("create", &path))?;
        Ok((relative, path, file))
    }

    fn write_file(
        &self,
        part: Part,
        rows: usize,
        schema: SchemaRef,
        next_batch: &mut impl FnMut(usize) -> Result<Batch, ArrowError>,
        order: &NameOrder,
    ) -> Result<DataFile, DeltaError> {
        let (relative, path, file) = self.create(part)?;
        let parquet = DeltaError::parquet(&path);
        let kept = file.try_clone().map_err(DeltaError::io("write", &path))?;
        let mut writer = ParquetFile::new(file, schema, writer_properties()).map_err(&parquet)?;
        let mut next_batch = |left| {
            let batch = next_batch(left).map_err(DeltaError::shape(&path))?;
            writer.write(&batch.columns).map_err(&parquet)?;
            Ok::<Batch, DeltaError>(batch)
        };
        let Batch { columns, first, mut last, mut times } = next_batch(rows)?;
        let mut left = rows - columns.num_rows();
        while left > 0 {
            let batch = next_batch(left)?;
            left -= batch.columns.num_rows();
            last = batch.last;
            times = (times.0.min(batch.times.0), times.1.max(batch.times.1));
        }
        writer.close().map_err(&parquet)?;
        self.disk.sync_file(&kept, &path).map_err(DeltaError::io("sync", &path))?;
        Ok(DataFile {
            path: relative,
            part,
            rows: rows as u64,
            bytes: kept.metadata().map_err(DeltaError::io("measure", &path))?.len(),
            time: times,
            wells: (order.well(&first), order.well(&last)),
        })
    }
}
