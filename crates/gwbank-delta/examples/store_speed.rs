//! How long the stores take: opening an archive of many files, committing, merging, scanning, a large metadata commit.
//!
//! `cargo run -p gwbank-delta --example store_speed [DIRECTORY TO KEEP]`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use gwbank_delta::{DeltaArchive, DeltaConfig, SqliteConfig, SqliteMetadata};
use gwbank_model::condition::Scope;
use gwbank_model::{GatewayId, Origin, Parameter, QcTests, QualityFlag, Row, Seq, TimeSource, Timestamp, WellId};
use gwbank_store::{
    Archive, ArchiveCommit, IndicatorRow, Metadata, RowNames, ScanRequest, Upkeep, WatchCommit, columns,
};

type Error = Box<dyn std::error::Error>;

fn row(names: &RowNames, well: i64, secs: i64, value: f64, seq: i64) -> Row {
    let id = WellId::new(&format!("TH{:04}-{:04}", 1001 + well / 40, well % 40)).expect("a valid id");
    Row {
        series: names.series.intern(&id, Parameter::DepthToWater),
        gateway: names.gateways.intern(&GatewayId::new("gw-1").expect("a valid id")),
        time: Timestamp::from_secs(secs),
        value,
        seq: Seq::from_i64(seq << 20),
        revision: 0,
        qc_tests: QcTests::NONE,
        quality: QualityFlag::Pass,
        site_status: None,
        time_source: TimeSource::Device,
        origin: Origin::Received,
        time_form: None,
    }
}

fn took(what: &str, started: Instant) {
    println!("{what}: {:.3} s", started.elapsed().as_secs_f64());
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let scratch = tempfile::tempdir()?;
    let dir = std::env::args().nth(1).map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    let names = RowNames::default();
    let config = DeltaConfig { merge_files_min: 100, ..DeltaConfig::new(dir.join("archive"), names.clone()) };

    // Ten commits over a hundred months: a thousand files.
    let archive = DeltaArchive::open(config.clone()).await?;
    let month = 31 * 86_400;
    for n in 0..10 {
        let rows: Vec<Row> = (0..100)
            .flat_map(|m| (0..50).map(move |well| (m, well)))
            .map(|(m, well)| row(&names, well, 1_500_000_000 + m * month + n * 900, 1.0, 10 + n))
            .collect();
        let started = Instant::now();
        archive.commit(ArchiveCommit { rows, through: Seq::from_i64((10 + n) << 20) }).await?;
        if n == 9 {
            took(&format!("commit of 100 files, {} in all", archive.file_count()), started);
        }
    }
    drop(archive);
    for what in ["open 1,000 files, without the cache of ranges", "open again"] {
        let started = Instant::now();
        let archive = DeltaArchive::open(config.clone()).await?;
        took(what, started);
        let started = Instant::now();
        archive.maintain(Upkeep::AtRest).await?;
        took("  upkeep", started);
    }

    // The live case: 10,000 wells, one reading each a commit, into one month.
    let config = DeltaConfig::new(dir.join("live"), names.clone());
    let archive = DeltaArchive::open(config).await?;
    let start = 1_772_323_200;
    for n in 0..9 {
        let rows: Vec<Row> =
            (0..10_000).map(|well| row(&names, well, start + n * 900, well as f64 / 1000.0, 2000 + n)).collect();
        let started = Instant::now();
        archive.commit(ArchiveCommit { rows, through: Seq::from_i64((2000 + n) << 20) }).await?;
        if n == 8 {
            took("commit of 10,000 new rows", started);
        }
    }
    let started = Instant::now();
    let report = archive.maintain(Upkeep::AtRest).await?;
    took(&format!("merge of {} files", report.files_merged), started);
    let corrections: Vec<Row> = (0..100).map(|well| row(&names, well * 100, start + 900, -1.0, 3000)).collect();
    let started = Instant::now();
    archive.commit(ArchiveCommit { rows: corrections, through: Seq::from_i64(3000 << 20) }).await?;
    took("commit of 100 corrections into one file of 80,000 rows", started);

    let snapshot = archive.snapshot().await?;
    for (what, request) in [
        ("scan of all rows, all columns", ScanRequest::all()),
        (
            "scan of all rows, series, time and value",
            ScanRequest { projection: Some(vec![0, 1, 2, columns::VALUE]), ..ScanRequest::all() },
        ),
        ("scan of one well", ScanRequest { wells: Some(Arc::new(["TH1100-0007".to_owned()])), ..ScanRequest::all() }),
    ] {
        let started = Instant::now();
        let mut rows = 0;
        for mut stream in snapshot.scan(request)? {
            while let Some(batch) = stream.next().await {
                rows += batch?.num_rows();
            }
        }
        took(&format!("{what} ({rows} rows)"), started);
    }

    let metadata = SqliteMetadata::open(SqliteConfig::new(dir.join("metadata.sqlite"))).await?;
    let indicators: Vec<IndicatorRow> = (0..160_000)
        .map(|n: i64| IndicatorRow {
            scope: Scope::Well,
            place: format!("TH{:04}-{:04}", 1001 + n % 250, n / 4 % 40),
            province_code: "30".to_owned(),
            period: Timestamp::from_secs(n / 10_000 * 30 * 86_400),
            indicator: ["sgi", "percentile", "position_index", "ips"][(n % 4) as usize].to_owned(),
            value: Some(n as f64 / 7.0),
            class: Some("normal".to_owned()),
            confidence: Some(1.0),
            n: Some(30),
            years: Some(10.0),
            approved_share: None,
            quality_share: None,
            computed_at: Timestamp::from_secs(1_772_323_200),
        })
        .collect();
    for what in ["commit of 160,000 indicators", "the same again"] {
        let started = Instant::now();
        metadata.commit_watch(WatchCommit { indicators: indicators.clone(), ..WatchCommit::default() }).await?;
        took(what, started);
    }
    Ok(())
}
