//! Writes Parquet: sorted by (well_id, parameter, time), small, and quick to skip in.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use gwbank_model::{Row, SeriesKey, sorted_by_runs};
use gwbank_store::{RevisionRow, RowNames, reading_schema, revision_schema, revisions_to_batch, rows_to_batch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::disk::ArchiveDisk;
use super::files::{DataFile, Part};
use crate::DeltaError;

/// Rows of one row group: what one thread decodes at a time, and what statistics can skip.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Rows of one page: what the page index can skip. A series of a month at 15 minutes has 2,900.
const PAGE_ROWS: usize = 8 * 1024;
/// Rows turned into one batch on their way into the file.
const BATCH_ROWS: usize = 32 * 1024;

/// How readings are encoded. Measured by `examples/bytes_per_reading.rs`.
pub(crate) fn writer_properties() -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).expect("zstd has level 3")))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_sorting_columns(Some(
            (0..3).map(|i| SortingColumn { column_idx: i, descending: false, nulls_first: false }).collect(),
        ))
        .set_created_by(concat!("gwbank ", env!("CARGO_PKG_VERSION")).to_owned());
    for name in ["well_id", "parameter", "time", "seq"] {
        builder = builder.set_column_statistics_enabled(column(name), EnabledStatistics::Page);
    }
    // Nearly every instant has a text of its own, much like the one before: 0.2 bytes a text, where a dictionary takes 2.4.
    builder = builder
        .set_column_dictionary_enabled(column("time_raw"), false)
        .set_column_encoding(column("time_raw"), Encoding::DELTA_BYTE_ARRAY);
    // Nobody skips by them, and to compare texts row by row costs more than to write them.
    for name in ["site_status", "time_source", "gateway_id", "time_raw", "cause"] {
        builder = builder.set_column_statistics_enabled(column(name), EnabledStatistics::None);
    }
    for name in ["time", "seq", "superseded_seq", "superseded_at"] {
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

    /// Sorts as files are sorted: by the text of the names.
    fn sort(&mut self, order: &NameOrder) {
        match self {
            PartRows::Winners(rows) => match sorted_by_runs(rows, |row| order.rank(row)) {
                Some(sorted) => *rows = sorted.into(),
                None => rows.to_mut().sort_unstable_by_key(|row| (order.rank(row), row.time)),
            },
            PartRows::Losers(revisions) => revisions.to_mut().sort_unstable_by_key(|revision| {
                (order.rank(&revision.row), revision.row.time, revision.superseded_at, revision.row.seq)
            }),
        }
    }

    fn batch(&self, from: usize, to: usize, names: &RowNames) -> Result<RecordBatch, arrow::error::ArrowError> {
        match self {
            PartRows::Winners(rows) => rows_to_batch(&rows[from..to], names),
            PartRows::Losers(revisions) => revisions_to_batch(&revisions[from..to], names),
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
        rows.sort(&order);
        let dir = self.table.join(part.dir());
        self.disk.create_dirs(&dir)?;
        let count = rows.len().div_ceil(self.file_rows_max.max(1));
        let per_file = rows.len().div_ceil(count);
        let mut files: Vec<Arc<DataFile>> = Vec::with_capacity(count);
        for from in (0..rows.len()).step_by(per_file) {
            let to = (from + per_file).min(rows.len());
            match self.write_file(part, &rows, from, to, &order) {
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
        rows: &PartRows<'_>,
        from: usize,
        to: usize,
        order: &NameOrder,
    ) -> Result<DataFile, DeltaError> {
        let (relative, path, file) = self.create(part)?;
        let parquet = DeltaError::parquet(&path);
        // Without Arrow's own schema in the file every reader sees plain Parquet strings.
        let options = ArrowWriterOptions::new().with_properties(writer_properties()).with_skip_arrow_metadata(true);
        let kept = file.try_clone().map_err(DeltaError::io("write", &path))?;
        let mut writer = ArrowWriter::try_new_with_options(file, rows.schema(), options).map_err(&parquet)?;
        for start in (from..to).step_by(BATCH_ROWS) {
            let batch = rows.batch(start, (start + BATCH_ROWS).min(to), self.names);
            writer.write(&batch.map_err(DeltaError::shape(&path))?).map_err(&parquet)?;
        }
        writer.close().map_err(&parquet)?;
        self.disk.sync_file(&kept, &path).map_err(DeltaError::io("sync", &path))?;
        let times = (from..to).map(|i| rows.row(i).time);
        Ok(DataFile {
            path: relative,
            part,
            rows: (to - from) as u64,
            bytes: kept.metadata().map_err(DeltaError::io("measure", &path))?.len(),
            time: (times.clone().min().expect("not empty"), times.max().expect("not empty")),
            wells: (order.well(rows.row(from)), order.well(rows.row(to - 1))),
        })
    }
}
