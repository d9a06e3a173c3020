//! A table that an earlier program made, which did not know the column `time_raw`.

use std::fs::{self, File};
use std::path::Path;

use arrow::array::Array;
use futures::StreamExt;
use gwbank_delta::{DeltaArchive, DeltaConfig};
use gwbank_model::Row;
use gwbank_store::conformance::check_against_model;
use gwbank_store::conformance::model::{Model, Writer};
use gwbank_store::{Archive, ArchiveCommit, RowNames, ScanRequest, Upkeep, columns};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use serde_json::{Value, json};

const COLUMN: &str = "time_raw";

/// Takes the column out of a table's files and log.
fn as_an_earlier_program_made_it(table: &Path) {
    for entry in fs::read_dir(table.join("_delta_log")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let actions = text.lines().map(|line| {
            let mut action: Value = serde_json::from_str(line).unwrap();
            if let Some(schema) = action["metaData"]["schemaString"].as_str() {
                let mut schema: Value = serde_json::from_str(schema).unwrap();
                schema["fields"].as_array_mut().unwrap().retain(|field| field["name"] != COLUMN);
                action["metaData"]["schemaString"] = json!(schema.to_string());
            }
            if let Some(file) = action["add"]["path"].as_str() {
                action["add"]["size"] = json!(without_column(&table.join(file)));
            }
            let mut line = action.to_string();
            line.push('\n');
            line
        });
        fs::write(&path, actions.collect::<String>()).unwrap();
    }
}

/// Writes a file anew; gives its length.
fn without_column(path: &Path) -> u64 {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let batches: Vec<_> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
    let kept: Vec<usize> =
        (0..batches[0].num_columns()).filter(|i| batches[0].schema().field(*i).name() != COLUMN).collect();
    assert_eq!(kept.len() + 1, batches[0].num_columns());
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let schema = batches[0].schema().project(&kept).unwrap().into();
    let mut writer = ArrowWriter::try_new_with_options(File::create(path).unwrap(), schema, options).unwrap();
    batches.iter().for_each(|batch| writer.write(&batch.project(&kept).unwrap()).unwrap());
    writer.close().unwrap();
    fs::metadata(path).unwrap().len()
}

#[tokio::test]
async fn a_table_without_a_column_gets_it_and_its_rows_have_none() {
    let root = tempfile::tempdir().unwrap();
    let names = RowNames::default();
    let config = || DeltaConfig { merge_files_min: 2, ..DeltaConfig::new(root.path(), names.clone()) };
    let archive = DeltaArchive::open(config()).await.unwrap();
    let (mut writer, mut model) = (Writer::new(31, &names), Model::default());
    for _ in 0..4 {
        let (rows, through) = writer.commit(50);
        let rows: Vec<Row> = rows.into_iter().map(|row| Row { time_form: None, ..row }).collect();
        model.commit(&rows, through);
        archive.commit(ArchiveCommit { rows, through }).await.unwrap();
    }
    let (version, table) = (archive.version(), archive.table_dir().to_owned());
    drop(archive);
    as_an_earlier_program_made_it(&table);

    let archive = DeltaArchive::open(config()).await.unwrap();
    assert_eq!(archive.version(), version + 1, "the table is described anew");
    check_against_model(&archive, &names, &model).await;
    let request = ScanRequest { projection: Some(vec![columns::TIME_RAW]), ..ScanRequest::all() };
    let (mut rows, mut texts) = (0, 0);
    for mut stream in archive.snapshot().await.unwrap().scan(request).unwrap() {
        while let Some(batch) = stream.next().await {
            let batch = batch.unwrap();
            rows += batch.num_rows();
            texts += batch.num_rows() - batch.column(0).null_count();
        }
    }
    assert_eq!((rows, texts), (model.winners().len(), 0));

    for _ in 0..4 {
        let (rows, through) = writer.commit(50);
        model.commit(&rows, through);
        archive.commit(ArchiveCommit { rows, through }).await.unwrap();
        check_against_model(&archive, &names, &model).await;
    }
    while archive.maintain(Upkeep::AtRest).await.unwrap().files_merged > 0 {}
    check_against_model(&archive, &names, &model).await;
    assert!(model.winners().iter().any(|row| row.time_form.is_some()));
    let version = archive.version();
    drop(archive);
    let archive = DeltaArchive::open(config()).await.unwrap();
    assert_eq!(archive.version(), version, "once is enough");
    check_against_model(&archive, &names, &model).await;

    let url = url::Url::from_directory_path(fs::canonicalize(&table).unwrap()).unwrap();
    let outside = deltalake::open_table(url).await.unwrap();
    let schema = outside.snapshot().unwrap().schema();
    assert!(schema.field(COLUMN).is_some_and(|field| field.is_nullable()), "a reader from outside sees it");
}
