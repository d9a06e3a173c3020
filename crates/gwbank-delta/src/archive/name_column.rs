//! A column of names, encoded from its runs.
//!
//! The rows of a file are sorted by series, so that its names stand in runs. The Parquet crate's own writer looks up the
//! text of every row in the dictionary and compares it with the least and the greatest, which was a third of an archive
//! commit; here each run is looked up once. What it writes is what that crate writes: a dictionary page, then data pages
//! of run-length encoded places in it.

use std::collections::HashMap;
use std::io;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Encoding, PageType, Type};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

/// Equal names one after the other, in one page.
#[derive(Debug, Clone, Copy)]
struct Run {
    place: u32,
    rows: u32,
}

#[derive(Debug, Default)]
struct PageRuns {
    runs: Vec<Run>,
    rows: usize,
}

/// The column's part of one row group, until it is closed.
#[derive(Debug)]
pub(crate) struct NameColumn {
    description: ColumnDescPtr,
    statistics: EnabledStatistics,
    page_rows_max: usize,
    dictionary: Vec<Box<str>>,
    places: HashMap<Box<str>, u32>,
    pages: Vec<PageRuns>,
}

impl NameColumn {
    pub fn new(description: ColumnDescPtr, properties: &WriterProperties) -> Self {
        Self {
            statistics: properties.statistics_enabled(description.path()),
            description,
            page_rows_max: properties.data_page_row_count_limit(),
            dictionary: Vec::new(),
            places: HashMap::new(),
            pages: Vec::new(),
        }
    }

    /// Takes an array of `Dictionary(Int32, Utf8)` without nulls.
    pub fn write(&mut self, array: &ArrayRef) -> Result<()> {
        let array = array.as_dictionary::<Int32Type>();
        if array.null_count() > 0 {
            return Err(ParquetError::General(format!("{} has a row without a name", self.description.path())));
        }
        let (keys, names) = (array.keys().values(), array.values().as_string::<i32>());
        let mut places: Vec<Option<u32>> = vec![None; names.len()];
        for run in keys.chunk_by(|a, b| a == b) {
            let key = run[0] as usize;
            let place = *places[key].get_or_insert_with(|| self.place(names.value(key)));
            self.push(place, run.len());
        }
        Ok(())
    }

    fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.dictionary.len() as u32;
        self.dictionary.push(name.into());
        self.places.insert(name.into(), place);
        place
    }

    fn push(&mut self, place: u32, mut rows: usize) {
        while rows > 0 {
            if self.pages.last().is_none_or(|page| page.rows == self.page_rows_max) {
                self.pages.push(PageRuns::default());
            }
            let page = self.pages.last_mut().expect("one with room");
            let taken = rows.min(self.page_rows_max - page.rows);
            match page.runs.last_mut() {
                Some(last) if last.place == place => last.rows += taken as u32,
                _ => page.runs.push(Run { place, rows: taken as u32 }),
            }
            page.rows += taken;
            rows -= taken;
        }
    }

    /// The column's bytes and what a file says of them, with offsets from their start.
    pub fn close(self, compressor: &mut Compressor<'_>) -> Result<(Bytes, ColumnCloseResult)> {
        let mut sink = TrackedWrite::new(Vec::new());
        let mut written = Written::default();
        let mut offsets = OffsetIndexBuilder::new();
        let mut index = ColumnIndexBuilder::new(Type::BYTE_ARRAY);
        let mut writer = SerializedPageWriter::new(&mut sink);
        written.add(&writer.write_page(self.dictionary_page(compressor)?)?);
        let width = bit_width(self.dictionary.len());
        let (mut rows, mut data_page_offset, mut text_bytes) = (0, None, 0);
        let mut bounds: Vec<(&str, &str)> = Vec::with_capacity(self.pages.len());
        for page in &self.pages {
            let spec = writer.write_page(data_page(page, width, compressor)?)?;
            written.add(&spec);
            data_page_offset.get_or_insert(spec.offset as i64);
            let page_text_bytes = page.runs.iter().map(|run| self.name(*run).len() as i64 * i64::from(run.rows)).sum();
            offsets.append_row_count(page.rows as i64);
            offsets.append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
            offsets.append_unencoded_byte_array_data_bytes(Some(page_text_bytes));
            let (least, greatest) = extremes(page.runs.iter().map(|run| self.name(*run)));
            index.append(false, least.into(), greatest.into(), 0);
            bounds.push((least, greatest));
            (rows, text_bytes) = (rows + page.rows, text_bytes + page_text_bytes);
        }
        writer.close()?;
        let stats = |page_type, encoding, count| PageEncodingStats { page_type, encoding, count };
        let mut metadata = ColumnChunkMetaData::builder(self.description.clone())
            .set_compression(super::write::compression())
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
            .set_page_encoding_stats(vec![
                stats(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1),
                stats(PageType::DATA_PAGE_V2, Encoding::RLE_DICTIONARY, self.pages.len() as i32),
            ])
            .set_total_compressed_size(written.compressed)
            .set_total_uncompressed_size(written.uncompressed)
            .set_num_values(rows as i64)
            .set_dictionary_page_offset(Some(0))
            .set_data_page_offset(data_page_offset.unwrap_or_default());
        if self.statistics != EnabledStatistics::None {
            let (least, greatest) = extremes(self.dictionary.iter().map(AsRef::as_ref));
            let (least, greatest) = (ByteArray::from(least), ByteArray::from(greatest));
            let statistics = ValueStatistics::new(Some(least), Some(greatest), None, Some(0), false);
            metadata = metadata
                .set_statistics(Statistics::ByteArray(statistics))
                .set_unencoded_byte_array_data_bytes(Some(text_bytes));
        }
        let column_index = (self.statistics == EnabledStatistics::Page).then(|| {
            index.set_boundary_order(boundary_order(&bounds));
            index.build()
        });
        let close = ColumnCloseResult {
            bytes_written: sink.bytes_written() as u64,
            rows_written: rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: column_index.transpose()?,
            offset_index: Some(offsets.build()),
        };
        Ok((Bytes::from(sink.into_inner()?), close))
    }

    fn name(&self, run: Run) -> &str {
        &self.dictionary[run.place as usize]
    }

    fn dictionary_page(&self, compressor: &mut Compressor<'_>) -> Result<CompressedPage> {
        let mut plain = Vec::new();
        for name in &self.dictionary {
            plain.extend_from_slice(&(name.len() as u32).to_le_bytes());
            plain.extend_from_slice(name.as_bytes());
        }
        let page = Page::DictionaryPage {
            buf: compress(&plain, compressor)?.into(),
            num_values: self.dictionary.len() as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        Ok(CompressedPage::new(page, plain.len()))
    }
}

/// Bytes of the pages with their headers.
#[derive(Default)]
struct Written {
    compressed: i64,
    uncompressed: i64,
}

impl Written {
    fn add(&mut self, page: &PageWriteSpec) {
        self.compressed += page.compressed_size as i64;
        self.uncompressed += page.uncompressed_size as i64;
    }
}

fn compress(bytes: &[u8], compressor: &mut Compressor<'_>) -> Result<Vec<u8>> {
    compressor.compress(bytes).map_err(|error: io::Error| ParquetError::External(Box::new(error)))
}

/// Bits that hold every place; one at least, as not every reader expects none.
fn bit_width(names: usize) -> u8 {
    (usize::BITS - names.saturating_sub(1).leading_zeros()).max(1) as u8
}

fn data_page(page: &PageRuns, width: u8, compressor: &mut Compressor<'_>) -> Result<CompressedPage> {
    let place_bytes = usize::from(width.div_ceil(8));
    let mut encoded = vec![width];
    for run in &page.runs {
        let mut header = u64::from(run.rows) << 1; // the lowest bit 0: a run
        while header >= 0x80 {
            encoded.push(header as u8 | 0x80);
            header >>= 7;
        }
        encoded.push(header as u8);
        encoded.extend_from_slice(&run.place.to_le_bytes()[..place_bytes]);
    }
    let compressed = compress(&encoded, compressor)?;
    let (size, is_compressed) = (encoded.len(), compressed.len() < encoded.len());
    let page = Page::DataPageV2 {
        buf: if is_compressed { compressed.into() } else { encoded.into() },
        num_values: page.rows as u32,
        encoding: Encoding::RLE_DICTIONARY,
        num_nulls: 0,
        num_rows: page.rows as u32,
        def_levels_byte_len: 0,
        rep_levels_byte_len: 0,
        is_compressed,
        statistics: None,
    };
    Ok(CompressedPage::new(page, size))
}

fn extremes<'a>(mut names: impl Iterator<Item = &'a str>) -> (&'a str, &'a str) {
    let Some(first) = names.next() else { return ("", "") };
    names.fold((first, first), |(least, greatest), name| (least.min(name), greatest.max(name)))
}

/// How the least and the greatest names of pages follow each other.
fn boundary_order(bounds: &[(&str, &str)]) -> BoundaryOrder {
    let all = |in_order: fn(&str, &str) -> bool| {
        bounds.windows(2).all(|pair| in_order(pair[0].0, pair[1].0) && in_order(pair[0].1, pair[1].1))
    };
    if all(|a, b| a <= b) {
        BoundaryOrder::ASCENDING
    } else if all(|a, b| a >= b) {
        BoundaryOrder::DESCENDING
    } else {
        BoundaryOrder::UNORDERED
    }
}
