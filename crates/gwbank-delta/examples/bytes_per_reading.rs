//! How many bytes a reading takes in the archive, column by column, and what other encodings would take.
//!
//! `cargo run -p gwbank-delta --example bytes_per_reading [WELLS] [DIRECTORY TO KEEP]`
//!
//! One month of depths to water every 15 minutes, to the millimetre: a tide, a slow fall, noise. A logger sends one
//! reading at once or four in an hour's message, received some seconds later.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use gwbank_delta::{DeltaArchive, DeltaConfig};
use gwbank_model::{GatewayId, Origin, Parameter, QcTests, QualityFlag, Row, Seq, TimeSource, Timestamp, WellId};
use gwbank_store::conformance::model::Random;
use gwbank_store::{Archive, ArchiveCommit, RowNames, columns, rows_to_batch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};

type Error = Box<dyn std::error::Error>;

const STEP_SECS: i64 = 900;
const STEPS: i64 = 31 * 96;

fn month_of_readings(wells: usize, per_message: i64, names: &RowNames) -> Vec<Row> {
    let mut random = Random::new(11);
    let mut rows = Vec::new();
    for well in 0..wells {
        let id = WellId::new(&format!("TH{:04}-{:04}", 1001 + well / 40, well % 40)).expect("a valid id");
        let gateway = GatewayId::new(&format!("gw-{:04}", well / 20)).expect("a valid id");
        let series = names.series.intern(&id, Parameter::DepthToWater);
        let gateway = names.gateways.intern(&gateway);
        let mut level = 2.0 + random.below(8000) as f64 / 1000.0;
        let mut waiting: Vec<usize> = Vec::new();
        for step in 0..STEPS {
            let secs = 1_772_323_200 + step * STEP_SECS; // 2026-03-01
            level += (random.below(7) as f64 - 2.9) / 3000.0;
            let tide = (step as f64 / 50.0).sin() * 0.015;
            waiting.push(rows.len());
            rows.push(Row {
                series,
                gateway,
                time: Timestamp::from_secs(secs),
                value: ((level + tide) * 1000.0).round() / 1000.0,
                seq: Seq::ZERO,
                revision: 0,
                qc_tests: QcTests::NONE,
                quality: QualityFlag::Pass,
                site_status: None,
                time_source: TimeSource::Device,
                origin: Origin::Received,
                time_form: None,
            });
            if waiting.len() as i64 == per_message || step + 1 == STEPS {
                let received_ms = secs * 1000 + 300 + random.below(20_000) as i64;
                let seq = Seq::from_i64((received_ms << 20) | ((random.below(4) as i64) << 8) | 1);
                waiting.drain(..).for_each(|i| rows[i].seq = seq);
            }
        }
    }
    rows
}

fn data_files(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            data_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    Ok(())
}

async fn measure(wells: usize, per_message: i64, dir: &Path) -> Result<Vec<Row>, Error> {
    let names = RowNames::default();
    let rows = month_of_readings(wells, per_message, &names);
    let archive = DeltaArchive::open(DeltaConfig::new(dir, names.clone())).await?;
    let through = rows.iter().map(|row| row.seq).max().unwrap_or_default();
    let started = std::time::Instant::now();
    archive.commit(ArchiveCommit { rows: rows.clone(), through }).await?;
    let seconds = started.elapsed().as_secs_f64();
    let mut files = Vec::new();
    data_files(archive.table_dir(), &mut files)?;
    let mut by_column: BTreeMap<String, i64> = BTreeMap::new();
    let mut total = 0;
    for path in &files {
        total += std::fs::metadata(path)?.len();
        let reader = SerializedFileReader::new(File::open(path)?)?;
        for row_group in reader.metadata().row_groups() {
            for column in row_group.columns() {
                *by_column.entry(column.column_path().string()).or_default() += column.compressed_size();
            }
        }
    }
    let count = rows.len() as f64;
    println!("{} readings in messages of {per_message}, one commit in {seconds:.1} s:", rows.len());
    for (column, bytes) in by_column {
        println!("  {column:<12} {:6.3} bytes a reading", bytes as f64 / count);
    }
    println!("  {:<12} {:6.3} bytes a reading, footers and indexes included", "all", total as f64 / count);
    encodings(&rows, &names)?;
    Ok(rows)
}

/// The two dear columns alone, as other encodings would keep them.
fn encodings(rows: &[Row], names: &RowNames) -> Result<(), Error> {
    let batch = rows_to_batch(rows, names)?;
    let zstd = |level| Compression::ZSTD(ZstdLevel::try_new(level).expect("a level of zstd"));
    for column in [columns::VALUE, columns::SEQ, columns::TIME] {
        let field = batch.schema().field(column).clone();
        let array: ArrayRef = batch.column(column).clone();
        let alone = RecordBatch::try_new(Arc::new(Schema::new(vec![field.clone()])), vec![array])?;
        let mut report = format!("  {:<6} alone:", field.name());
        for (name, encoding) in [
            ("dictionary", None),
            ("plain", Some(Encoding::PLAIN)),
            ("byte stream split", Some(Encoding::BYTE_STREAM_SPLIT)),
            ("delta", Some(Encoding::DELTA_BINARY_PACKED)),
        ] {
            if encoding == Some(Encoding::DELTA_BINARY_PACKED) && column == columns::VALUE {
                continue; // integers only
            }
            for level in [3, 9] {
                let mut properties = WriterProperties::builder()
                    .set_writer_version(WriterVersion::PARQUET_2_0)
                    .set_compression(zstd(level))
                    .set_data_page_row_count_limit(8192)
                    .set_write_batch_size(8192)
                    .set_max_row_group_row_count(Some(128 * 1024));
                if let Some(encoding) = encoding {
                    properties = properties.set_dictionary_enabled(false).set_encoding(encoding);
                }
                let mut bytes = Vec::new();
                let mut writer = ArrowWriter::try_new(&mut bytes, alone.schema(), Some(properties.build()))?;
                writer.write(&alone)?;
                writer.close()?;
                report += &format!(" {name} zstd {level} {:.3};", bytes.len() as f64 / rows.len() as f64);
            }
        }
        println!("{report}");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let wells: usize = arguments.next().map_or(Ok(100), |n| n.parse())?;
    let kept = arguments.next().map(PathBuf::from);
    let scratch = tempfile::tempdir()?;
    let dir = kept.unwrap_or_else(|| scratch.path().to_owned());
    for per_message in [4, 1] {
        measure(wells, per_message, &dir.join(format!("messages-of-{per_message}"))).await?;
    }
    Ok(())
}
