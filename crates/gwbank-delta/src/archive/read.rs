//! Reads Parquet: skips row groups and pages by their statistics, filters rows exactly, decodes only what is asked for.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, DictionaryArray, Float64Array, RecordBatch,
    RecordBatchOptions, StringArray, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{FieldRef, Int32Type, Schema, SchemaRef, TimestampMicrosecondType};
use gwbank_model::{Parameter, Timestamp};
use gwbank_store::{ScanRequest, columns, reading_schema, revision_schema};
use parking_lot::Mutex;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
    RowFilter, RowSelection,
};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use super::files::{DataFile, any_within};
use crate::DeltaError;

/// Rows of one batch given out: DataFusion's own size.
const BATCH_ROWS: usize = 8192;
/// Footers kept in memory, over all files: an archive of ten years, opened once, is not read for footers again.
const FOOTER_BYTES_MAX: usize = 64 << 20;

/// The readings and losers of the table, file by file.
#[derive(Debug)]
pub(crate) struct FileReader {
    table: PathBuf,
    footers: Mutex<Footers>,
}

#[derive(Debug, Default)]
struct Footers {
    by_path: HashMap<String, Footer>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Footer {
    metadata: ArrowReaderMetadata,
    /// For each column of the schema its place in the file; `None` where the file is older than the column.
    places: Arc<[Option<usize>]>,
}

impl Footer {
    fn load(handle: &File, schema: &Schema) -> Result<Self, parquet::errors::ParquetError> {
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = Arc::new(reader.parse_and_finish(handle)?);
        let in_file = metadata.file_metadata().schema_descr().root_schema().get_fields();
        let places: Vec<Option<usize>> =
            schema.fields().iter().map(|field| in_file.iter().position(|known| known.name() == field.name())).collect();
        let known = schema.fields().iter().zip(&places).filter(|(_, place)| place.is_some());
        let known: Vec<FieldRef> = known.map(|(field, _)| field.clone()).collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(known)));
        Ok(Self { metadata: ArrowReaderMetadata::try_new(metadata, options)?, places: places.into() })
    }

    /// Those of some columns that the file has, in its order.
    fn places_of(&self, columns: &[usize]) -> Vec<usize> {
        let mut places: Vec<usize> = columns.iter().filter_map(|&column| self.places[column]).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// Which rows of a file are wanted, beyond a request: exact keys, by well, parameter and time.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    series: HashMap<String, HashMap<Parameter, HashSet<i64>>>,
    wells: Vec<String>,
    times: Option<(i64, i64)>,
}

impl KeySet {
    pub fn insert(&mut self, well: &str, parameter: Parameter, time: Timestamp) {
        let micros = time.as_micros();
        if !self.series.contains_key(well) {
            self.series.insert(well.to_owned(), HashMap::new());
        }
        self.series.get_mut(well).expect("just inserted").entry(parameter).or_default().insert(micros);
        self.times = Some(self.times.map_or((micros, micros), |(a, b)| (a.min(micros), b.max(micros))));
    }

    /// The request whose answer holds all keys (and others).
    pub fn request(&mut self) -> ScanRequest {
        self.wells = self.series.keys().cloned().collect();
        self.wells.sort_unstable();
        let (from, to) = self.times.unwrap_or((0, 0));
        ScanRequest {
            from: Some(Timestamp::from_micros(from)),
            to: Some(Timestamp::from_micros(to.saturating_add(1))),
            wells: Some(self.wells.as_slice().into()),
            ..ScanRequest::all()
        }
    }
}

impl FileReader {
    pub fn new(table: PathBuf) -> Self {
        Self { table, footers: Mutex::default() }
    }

    pub fn forget(&self, path: &str) {
        let mut footers = self.footers.lock();
        if let Some(footer) = footers.by_path.remove(path) {
            footers.bytes -= footer.metadata.metadata().memory_size().min(footers.bytes);
        }
    }

    fn open(&self, file: &DataFile, path: &Path) -> Result<(File, Footer), DeltaError> {
        let handle = File::open(path).map_err(DeltaError::io("open", path))?;
        if let Some(footer) = self.footers.lock().by_path.get(&file.path) {
            return Ok((handle, footer.clone()));
        }
        let schema = if file.part.superseded { revision_schema() } else { reading_schema() };
        let footer = Footer::load(&handle, &schema).map_err(DeltaError::parquet(path))?;
        let bytes = footer.metadata.metadata().memory_size();
        let mut footers = self.footers.lock();
        if footers.bytes + bytes > FOOTER_BYTES_MAX {
            // All at once: rare, and no order of use to keep.
            *footers = Footers::default();
        }
        if footers.by_path.insert(file.path.clone(), footer.clone()).is_none() {
            footers.bytes += bytes;
        }
        Ok((handle, footer))
    }

    /// Gives the batches of one file that a request wants, until `give` breaks. `projection` are columns of the reading
    /// or revision schema.
    pub fn read(
        &self,
        file: &DataFile,
        request: &ScanRequest,
        keys: Option<&Arc<KeySet>>,
        projection: &[usize],
        mut give: impl FnMut(RecordBatch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, DeltaError> {
        let path = self.table.join(&file.path);
        let parquet = DeltaError::parquet(&path);
        let (handle, footer) = self.open(file, &path)?;
        let metadata = footer.metadata.metadata().clone();
        let all_wanted = file.is_within(request)
            && request.wells.is_none()
            && request.parameters.is_none()
            && request.values.is_none()
            && keys.is_none();

        let schema = if file.part.superseded { revision_schema() } else { reading_schema() };
        let output = Arc::new(schema.project(projection).map_err(DeltaError::shape(&path))?);
        let mask = |wanted: &[usize]| ProjectionMask::roots(footer.metadata.parquet_schema(), footer.places_of(wanted));
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, footer.metadata.clone())
            .with_batch_size(BATCH_ROWS)
            .with_projection(mask(projection));
        if !all_wanted {
            let (row_groups, selection) = select(&metadata, request);
            if row_groups.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            builder = builder.with_row_groups(row_groups);
            if let Some(selection) = selection {
                builder = builder.with_row_selection(selection);
            }
            let mut predicates: Vec<Box<dyn ArrowPredicate>> = Vec::new();
            let mut test = RowTest::new(file, request, keys);
            let tested = test.columns();
            if !tested.is_empty() {
                let test = move |batch| Ok(test.evaluate(&batch));
                predicates.push(Box::new(ArrowPredicateFn::new(mask(&tested), test)));
            }
            if let Some(values) = request.values {
                let test = move |batch: RecordBatch| Ok(worthy_blocks(batch.column(0).as_primitive(), values));
                predicates.push(Box::new(ArrowPredicateFn::new(mask(&[columns::VALUE]), test)));
            }
            builder = builder.with_row_filter(RowFilter::new(predicates));
        }
        for batch in builder.build().map_err(&parquet)? {
            let batch = in_order(&batch.map_err(DeltaError::shape(&path))?, &footer, projection, &output);
            if give(batch.map_err(DeltaError::shape(&path))?).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The columns of a batch, which come in the file's order and once, as the projection orders them; those that the file
/// does not have are null.
fn in_order(
    batch: &RecordBatch,
    footer: &Footer,
    projection: &[usize],
    output: &SchemaRef,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let in_file = footer.places_of(projection);
    let read = |place: usize| batch.column(in_file.binary_search(&place).expect("every column was read")).clone();
    let fields = projection.iter().zip(output.fields());
    let columns: Vec<ArrayRef> = fields
        .map(|(&column, field)| match footer.places[column] {
            Some(place) => read(place),
            None => new_null_array(field.data_type(), batch.num_rows()),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(output.clone(), columns, &options)
}

/// Rows that are left out together where none has a value that is looked at: pieces that are worth a leap of the decoder.
const BLOCK_ROWS: usize = 64;

fn worthy_blocks(values: &Float64Array, (least, greatest): (f64, f64)) -> BooleanArray {
    let is_worthy = |row: usize| values.is_valid(row) && (least..=greatest).contains(&values.value(row));
    let mut worthy = BooleanBufferBuilder::new(values.len());
    for start in (0..values.len()).step_by(BLOCK_ROWS) {
        let end = values.len().min(start + BLOCK_ROWS);
        worthy.append_n(end - start, (start..end).any(is_worthy));
    }
    BooleanArray::new(worthy.finish(), None)
}

fn within(request: &ScanRequest, first: i64, last: i64) -> bool {
    request.from.is_none_or(|from| last >= from.as_micros()) && request.to.is_none_or(|to| first < to.as_micros())
}

fn value_within(request: &ScanRequest, first: f64, last: f64) -> bool {
    request.values.is_none_or(|(least, greatest)| last >= least && first <= greatest)
}

fn well_within(request: &ScanRequest, first: &[u8], last: &[u8]) -> bool {
    let Some(wells) = &request.wells else { return true };
    // A bound that is cut inside a character says nothing.
    let (Ok(first), Ok(last)) = (std::str::from_utf8(first), std::str::from_utf8(last)) else { return true };
    any_within(wells, first, last)
}

/// The row groups, and within them the rows, that may hold what a request wants.
fn select(metadata: &ParquetMetaData, request: &ScanRequest) -> (Vec<usize>, Option<RowSelection>) {
    let mut row_groups = Vec::new();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut rows_before = 0;
    for (index, row_group) in metadata.row_groups().iter().enumerate() {
        let wells = match row_group.column(columns::WELL_ID).statistics() {
            Some(Statistics::ByteArray(stats)) => stats.min_bytes_opt().zip(stats.max_bytes_opt()),
            _ => None,
        };
        let times = match row_group.column(columns::TIME).statistics() {
            Some(Statistics::Int64(stats)) => stats.min_opt().copied().zip(stats.max_opt().copied()),
            _ => None,
        };
        let values = match row_group.column(columns::VALUE).statistics() {
            Some(Statistics::Double(stats)) => stats.min_opt().copied().zip(stats.max_opt().copied()),
            _ => None,
        };
        if !values.is_none_or(|(first, last)| value_within(request, first, last)) {
            continue;
        }
        if !wells.is_none_or(|(first, last)| well_within(request, first, last))
            || !times.is_none_or(|(first, last)| within(request, first, last))
        {
            continue;
        }
        let rows = usize::try_from(row_group.num_rows()).unwrap_or(0);
        row_groups.push(index);
        let pages_of_wells = pages(metadata, index, columns::WELL_ID, rows, |column, page| match column {
            ColumnIndexMetaData::BYTE_ARRAY(column) => {
                let bounds = column.min_value(page).zip(column.max_value(page));
                bounds.is_none_or(|(first, last)| well_within(request, first, last))
            }
            _ => true,
        });
        let pages_in_time = pages(metadata, index, columns::TIME, rows, |column, page| match column {
            ColumnIndexMetaData::INT64(column) => {
                let bounds = column.min_value(page).zip(column.max_value(page));
                bounds.is_none_or(|(first, last)| within(request, *first, *last))
            }
            _ => true,
        });
        let pages_of_values = pages(metadata, index, columns::VALUE, rows, |column, page| match column {
            ColumnIndexMetaData::DOUBLE(column) => {
                let bounds = column.min_value(page).zip(column.max_value(page));
                bounds.is_none_or(|(first, last)| value_within(request, *first, *last))
            }
            _ => true,
        });
        let both = intersect(&intersect(&pages_of_wells, &pages_in_time), &pages_of_values);
        ranges.extend(both.into_iter().map(|range| range.start + rows_before..range.end + rows_before));
        rows_before += rows;
    }
    let selected: usize = ranges.iter().map(Range::len).sum();
    let selection =
        (selected < rows_before).then(|| RowSelection::from_consecutive_ranges(ranges.into_iter(), rows_before));
    (row_groups, selection)
}

/// The rows of the pages of one column that pass a test; all rows where there is no page index.
fn pages(
    metadata: &ParquetMetaData,
    row_group: usize,
    column: usize,
    rows: usize,
    test: impl Fn(&ColumnIndexMetaData, usize) -> bool,
) -> Vec<Range<usize>> {
    let index = metadata.column_index().and_then(|index| index.get(row_group)?.get(column));
    let offsets = metadata.offset_index().and_then(|index| index.get(row_group)?.get(column));
    let (Some(index), Some(offsets)) = (index, offsets) else {
        return std::iter::once(0..rows).collect();
    };
    let starts: Vec<usize> =
        offsets.page_locations().iter().map(|page| usize::try_from(page.first_row_index).unwrap_or(0)).collect();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (page, &start) in starts.iter().enumerate() {
        if !test(index, page) {
            continue;
        }
        let end = starts.get(page + 1).copied().unwrap_or(rows);
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}

fn intersect(a: &[Range<usize>], b: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut i, mut j) = (0, 0);
    let mut both = Vec::new();
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let overlap = x.start.max(y.start)..x.end.min(y.end);
        if !overlap.is_empty() {
            both.push(overlap);
        }
        if x.end <= y.end { i += 1 } else { j += 1 }
    }
    both
}

/// Decides which rows are wanted: run by run of one series, as files are sorted by it, and by time where it has to. Columns
/// that every wanted row of the file agrees on are not looked at.
struct RowTest {
    request: ScanRequest,
    keys: Option<Arc<KeySet>>,
    by_well: bool,
    by_parameter: bool,
    by_time: bool,
    /// By name, over all batches.
    parameters: HashMap<String, Option<Parameter>>,
}

impl RowTest {
    fn new(file: &DataFile, request: &ScanRequest, keys: Option<&Arc<KeySet>>) -> Self {
        Self {
            by_well: keys.is_some() || request.wells.is_some(),
            by_parameter: keys.is_some() || request.parameters.is_some(),
            by_time: keys.is_some() || !file.is_within(request),
            request: request.clone(),
            keys: keys.cloned(),
            parameters: HashMap::new(),
        }
    }

    /// In the order of every file.
    fn columns(&self) -> Vec<usize> {
        let columns =
            [(self.by_well, columns::WELL_ID), (self.by_parameter, columns::PARAMETER), (self.by_time, columns::TIME)];
        columns.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, column)| column).collect()
    }

    fn evaluate(&mut self, batch: &RecordBatch) -> BooleanArray {
        let columns = self.columns();
        let of = |column: usize| columns.iter().position(|&known| known == column).map(|place| batch.column(place));
        let (wells, parameters) = (of(columns::WELL_ID).map(NamesOf::new), of(columns::PARAMETER).map(NamesOf::new));
        let times = of(columns::TIME).map(|times| times.as_primitive::<TimestampMicrosecondType>().values());
        let in_time = times
            .map(|times| BooleanBuffer::collect_bool(times.len(), |row| within(&self.request, times[row], times[row])));
        let parameter_of: Vec<Option<Parameter>> =
            parameters.iter().flat_map(NamesOf::all).map(|name| self.parameter(name)).collect();
        let mut wells_wanted: Vec<Option<bool>> = vec![None; wells.as_ref().map_or(0, |wells| wells.names.len())];
        let mut wanted = BooleanBufferBuilder::new(batch.num_rows());
        let mut start = 0;
        while start < batch.num_rows() {
            let ends = [&wells, &parameters].into_iter().flatten().map(|names| names.run_end(start));
            let end = ends.min().unwrap_or(batch.num_rows());
            let parameter = parameters.as_ref().map(|names| parameter_of[names.key(start)]);
            let is_parameter_wanted = parameter.is_none_or(|parameter| {
                parameter.is_some_and(|it| self.request.parameters.as_ref().is_none_or(|wanted| wanted.contains(&it)))
            });
            let is_well_wanted = wells.as_ref().is_none_or(|names| {
                *wells_wanted[names.key(start)].get_or_insert_with(|| self.wants_well(names.at(start)))
            });
            match (&self.keys, times, &in_time) {
                _ if !is_parameter_wanted || !is_well_wanted => wanted.append_n(end - start, false),
                (Some(keys), Some(times), _) => {
                    let well = wells.as_ref().and_then(|names| keys.series.get(names.at(start)));
                    let of_series = well.zip(parameter.flatten()).and_then(|(well, parameter)| well.get(&parameter));
                    times[start..end]
                        .iter()
                        .for_each(|time| wanted.append(of_series.is_some_and(|times| times.contains(time))));
                }
                (_, _, Some(in_time)) => wanted.append_buffer(&in_time.slice(start, end - start)),
                (_, _, None) => wanted.append_n(end - start, true),
            }
            start = end;
        }
        BooleanArray::new(wanted.finish(), None)
    }

    fn parameter(&mut self, name: &str) -> Option<Parameter> {
        if let Some(known) = self.parameters.get(name) {
            return *known;
        }
        let parameter = Parameter::from_name(name);
        self.parameters.insert(name.to_owned(), parameter);
        parameter
    }

    fn wants_well(&self, name: &str) -> bool {
        let wells = self.request.wells.as_ref();
        wells.is_none_or(|wells| wells.binary_search_by(|wanted| wanted.as_str().cmp(name)).is_ok())
    }
}

/// A column of names, of which every row has one.
struct NamesOf<'a> {
    keys: &'a [i32],
    names: &'a StringArray,
}

impl<'a> NamesOf<'a> {
    fn new(column: &'a ArrayRef) -> Self {
        let column: &DictionaryArray<Int32Type> = column.as_dictionary();
        Self { keys: column.keys().values(), names: column.values().as_string() }
    }

    fn all(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let names = self.names;
        (0..names.len()).map(|index| names.value(index))
    }

    fn key(&self, row: usize) -> usize {
        self.keys[row] as usize
    }

    fn at(&self, row: usize) -> &'a str {
        self.names.value(self.key(row))
    }

    /// Where the rows with the name of one of them end.
    fn run_end(&self, start: usize) -> usize {
        let key = self.keys[start];
        self.keys[start..].iter().position(|&other| other != key).map_or(self.keys.len(), |length| start + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "a list of ranges may have one")]
    fn ranges_intersect() {
        assert_eq!(intersect(&[0..10, 20..30], &[5..25]), [5..10, 20..25]);
        assert_eq!(intersect(&[0..10], &[10..20]), Vec::<Range<usize>>::new());
        assert_eq!(intersect(&[0..4, 4..8], &[0..8]), [0..4, 4..8]);
    }
}
