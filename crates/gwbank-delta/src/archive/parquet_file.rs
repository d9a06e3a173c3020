//! A Parquet file on its way to the disk: row group by row group, columns of names by their runs.

use std::fs::File;

use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::name_column::NameColumn;
use super::write::ZSTD_LEVEL;

enum Column {
    Names(NameColumn),
    Other(Box<ArrowColumnWriter>),
}

pub(crate) struct ParquetFile {
    file: SerializedFileWriter<File>,
    columns_of_group: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    properties: WriterProperties,
    compressor: Compressor<'static>,
    group: Vec<Column>,
    group_rows: usize,
}

impl ParquetFile {
    pub fn new(file: File, schema: SchemaRef, properties: WriterProperties) -> Result<Self> {
        // Without Arrow's own schema in the file every reader sees plain Parquet strings.
        let options = ArrowWriterOptions::new().with_properties(properties.clone()).with_skip_arrow_metadata(true);
        let (file, columns_of_group) =
            ArrowWriter::try_new_with_options(file, schema.clone(), options)?.into_serialized_writer()?;
        let compressor = Compressor::new(ZSTD_LEVEL).map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(Self { file, columns_of_group, schema, properties, compressor, group: Vec::new(), group_rows: 0 })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows_max = self.properties.max_row_group_row_count().unwrap_or(usize::MAX);
        let mut from = 0;
        while from < batch.num_rows() {
            if self.group_rows == rows_max {
                self.end_group()?;
            }
            let rows = (batch.num_rows() - from).min(rows_max - self.group_rows);
            self.write_to_group(&batch.slice(from, rows))?;
            from += rows;
        }
        Ok(())
    }

    fn write_to_group(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.group.is_empty() {
            self.group = self.new_group()?;
        }
        for ((column, field), array) in self.group.iter_mut().zip(self.schema.fields()).zip(batch.columns()) {
            match column {
                Column::Names(names) => names.write(array)?,
                Column::Other(writer) => {
                    for leaf in compute_leaves(field, array)? {
                        writer.write(&leaf)?;
                    }
                }
            }
        }
        self.group_rows += batch.num_rows();
        Ok(())
    }

    fn new_group(&self) -> Result<Vec<Column>> {
        let writers = self.columns_of_group.create_column_writers(self.file.flushed_row_groups().len())?;
        let descriptions = self.file.schema_descr().columns();
        let columns = self.schema.fields().iter().zip(descriptions).zip(writers);
        let column = |((field, description), writer): ((&FieldRef, &ColumnDescPtr), ArrowColumnWriter)| {
            // Names that may be missing are few and mostly missing: nothing to gain.
            match field.data_type() {
                DataType::Dictionary(..) if !field.is_nullable() => {
                    Column::Names(NameColumn::new(description.clone(), &self.properties))
                }
                _ => Column::Other(Box::new(writer)),
            }
        };
        Ok(columns.map(column).collect())
    }

    fn end_group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for column in self.group.drain(..) {
            match column {
                Column::Names(names) => {
                    let (bytes, close) = names.close(&mut self.compressor)?;
                    group.append_column(&bytes, close)?;
                }
                Column::Other(writer) => writer.close()?.append_to_row_group(&mut group)?,
            }
        }
        group.close()?;
        self.group_rows = 0;
        Ok(())
    }

    pub fn close(mut self) -> Result<()> {
        if !self.group.is_empty() {
            self.end_group()?;
        }
        self.file.close()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::write::writer_properties;
    use super::*;
    use arrow::array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, StringArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Field, Schema};
    use parquet::arrow::arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
    };
    use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
    use proptest::prelude::*;

    /// `well_id` has statistics of pages, `other` of the chunk only, `gateway_id` none.
    fn schema() -> SchemaRef {
        let names = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        Arc::new(Schema::new(vec![
            Field::new("well_id", names(), false),
            Field::new("other", names(), false),
            Field::new("gateway_id", names(), false),
            Field::new("seq", DataType::Int64, false),
        ]))
    }

    /// A dictionary of its own for each batch, with entries that no row has.
    fn names_of(rows: &[(u16, u8)], of: impl Fn(&(u16, u8)) -> usize) -> ArrayRef {
        let mut used: Vec<usize> = rows.iter().map(&of).collect();
        used.sort_unstable();
        used.dedup();
        let keys: Int32Array = rows.iter().map(|row| Some(used.binary_search(&of(row)).unwrap() as i32)).collect();
        let texts = used.iter().map(|name| format!("บ่อ-{name}")).chain(["unused".to_owned()]);
        Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from_iter_values(texts))))
    }

    fn batch(rows: &[(u16, u8)]) -> RecordBatch {
        let columns: Vec<ArrayRef> = vec![
            names_of(rows, |row| usize::from(row.0)),
            names_of(rows, |row| usize::from(row.1)),
            names_of(rows, |_| 7),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::from(row.0)))),
        ];
        RecordBatch::try_new(schema(), columns).unwrap()
    }

    /// Small pages and groups, so that runs meet their ends.
    fn properties() -> WriterProperties {
        let builder = writer_properties().into_builder();
        builder.set_data_page_row_count_limit(10).set_write_batch_size(10).set_max_row_group_row_count(Some(64)).build()
    }

    fn metadata(file: &File) -> ParquetMetaData {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        ArrowReaderMetadata::load(file, options).unwrap().metadata().as_ref().clone()
    }

    fn read(file: &File, selection: Option<RowSelection>) -> RecordBatch {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let mut builder =
            ParquetRecordBatchReaderBuilder::try_new_with_options(file.try_clone().unwrap(), options).unwrap();
        let schema = builder.schema().clone();
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
        concat_batches(&schema, &batches).unwrap()
    }

    fn ours(batches: &[RecordBatch]) -> File {
        let file = tempfile::tempfile().unwrap();
        let mut writer = ParquetFile::new(file.try_clone().unwrap(), schema(), properties()).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.close().unwrap();
        file
    }

    fn theirs(batches: &[RecordBatch]) -> File {
        let file = tempfile::tempfile().unwrap();
        let options = ArrowWriterOptions::new().with_properties(properties()).with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(file.try_clone().unwrap(), schema(), options).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.close().unwrap();
        file
    }

    /// Rows in runs: a name, and how often it stands.
    fn runs() -> impl Strategy<Value = Vec<(u16, u8)>> {
        proptest::collection::vec((0u16..300, 0u8..3, 1usize..40), 1..40).prop_map(|mut runs| {
            runs.sort_unstable_by_key(|run| run.0 / 100); // in order, and not
            runs.into_iter().flat_map(|(well, other, rows)| std::iter::repeat_n((well, other), rows)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(gwbank_testkit::test_rounds(32)))]

        #[test]
        fn files_are_as_the_parquet_crate_writes_them(
            batches in proptest::collection::vec(runs(), 1..4),
            skipped in 0usize..200,
        ) {
            let batches: Vec<RecordBatch> = batches.iter().map(|rows| batch(rows)).collect();
            let (ours, theirs) = (ours(&batches), theirs(&batches));
            prop_assert_eq!(read(&ours, None), read(&theirs, None));
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            let skipped = skipped.min(rows - 1);
            let tail = RowSelection::from(vec![RowSelector::skip(skipped), RowSelector::select(rows - skipped)]);
            prop_assert_eq!(read(&ours, Some(tail.clone())), read(&theirs, Some(tail)));

            let (ours, theirs) = (metadata(&ours), metadata(&theirs));
            prop_assert_eq!(ours.num_row_groups(), theirs.num_row_groups());
            for group in 0..ours.num_row_groups() {
                for column in 0..ours.row_group(group).num_columns() {
                    let (our_chunk, their_chunk) =
                        (ours.row_group(group).column(column), theirs.row_group(group).column(column));
                    prop_assert_eq!(our_chunk.statistics(), their_chunk.statistics());
                    prop_assert_eq!(our_chunk.num_values(), their_chunk.num_values());
                    prop_assert_eq!(our_chunk.compression(), their_chunk.compression());
                    prop_assert_eq!(our_chunk.encodings_mask(), their_chunk.encodings_mask());
                    prop_assert_eq!(our_chunk.page_encoding_stats_mask(), their_chunk.page_encoding_stats_mask());
                    prop_assert_eq!(
                        our_chunk.unencoded_byte_array_data_bytes(),
                        their_chunk.unencoded_byte_array_data_bytes()
                    );
                    if batches.len() > 1 {
                        continue; // their pages end where a batch does, ours when they are full
                    }
                    let index = |metadata: &ParquetMetaData| metadata.column_index().unwrap()[group][column].clone();
                    prop_assert_eq!(index(&ours), index(&theirs));
                    let first_rows = |metadata: &ParquetMetaData| -> Vec<i64> {
                        let offsets = &metadata.offset_index().unwrap()[group][column];
                        offsets.page_locations().iter().map(|page| page.first_row_index).collect()
                    };
                    prop_assert_eq!(first_rows(&ours), first_rows(&theirs));
                }
            }
        }
    }
}
