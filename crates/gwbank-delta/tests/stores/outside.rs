//! The table as a reader sees it that knows only Delta Lake and Parquet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use deltalake::arrow::array::{Array, AsArray};
use deltalake::arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType};
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use gwbank_store::conformance::model::{Model, Writer};
use gwbank_store::{Archive, ArchiveCommit, RowNames, Upkeep};

use crate::open;

/// (well, parameter, time) → value and the time as it was written.
type Named = BTreeMap<(String, String, i64), (Option<u64>, Option<String>)>;

/// Rows of the files that the log names in one partition value, by the means of `deltalake` and `parquet` alone.
async fn read_from_outside(table: &Path, superseded: &str) -> (Named, usize) {
    let url = url::Url::from_directory_path(std::fs::canonicalize(table).unwrap()).unwrap();
    let loaded = deltalake::open_table(url).await.unwrap();
    let snapshot = loaded.snapshot().unwrap();
    let fields: BTreeSet<String> = snapshot.schema().fields().map(|field| field.name().to_owned()).collect();
    for name in ["well_id", "time", "seq", "time_raw", "superseded_at", "month", "superseded"] {
        assert!(fields.contains(name), "{name}");
    }
    let mut rows = Named::new();
    let mut count = 0;
    for view in snapshot.log_data().iter() {
        let values = view.partition_values_map();
        if values["superseded"].as_deref() != Some(superseded) {
            continue;
        }
        let path = table.join(view.path().as_ref());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), view.size() as u64);
        let before = count;
        for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            assert_eq!(batch.column(0).data_type(), &DataType::Utf8, "plain strings");
            let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
            let values = batch.column(3).as_primitive::<Float64Type>();
            // Files that are older than the column lack it.
            let written = batch.column_by_name("time_raw").map(|column| column.as_string::<i32>().clone());
            for i in 0..batch.num_rows() {
                let key = (
                    batch.column(0).as_string::<i32>().value(i).to_owned(),
                    batch.column(1).as_string::<i32>().value(i).to_owned(),
                    times.value(i),
                );
                let value = values.is_valid(i).then(|| values.value(i).to_bits());
                let written = written.as_ref().filter(|texts| texts.is_valid(i)).map(|texts| texts.value(i).to_owned());
                rows.insert(key, (value, written));
                count += 1;
            }
        }
        assert_eq!(view.num_records(), Some(count - before), "statistics count the rows");
    }
    (rows, count)
}

#[tokio::test]
async fn a_reader_from_outside_sees_each_winner_once() {
    let root = tempfile::tempdir().unwrap();
    let names = RowNames::default();
    let archive = open(root.path(), &names).await;
    let mut writer = Writer::new(21, &names);
    let mut model = Model::default();
    for step in 0..12 {
        let (rows, through) = writer.commit(50);
        model.commit(&rows, through);
        archive.commit(ArchiveCommit { rows, through }).await.unwrap();
        archive.maintain(Upkeep::AtRest).await.unwrap();
        if step % 4 != 3 {
            continue;
        }
        let expected: Named = model
            .winners()
            .into_iter()
            .map(|row| {
                let key = names.series.key(row.series);
                let key = (key.well.as_str().to_owned(), key.parameter.name().to_owned(), row.time.as_micros());
                let written = row.time_form.map(|form| names.time_forms.form(form).render(row.time));
                (key, (row.value().map(f64::to_bits), written))
            })
            .collect();
        let (rows, count) = read_from_outside(archive.table_dir(), "false").await;
        assert_eq!(count, rows.len(), "each key once");
        assert_eq!(rows, expected);
        let (_, losers) = read_from_outside(archive.table_dir(), "true").await;
        assert_eq!(losers, model.losers().len());
    }
    let log = archive.table_dir().join("_delta_log");
    assert!(log.join("_last_checkpoint").exists(), "the log was checkpointed");
}
