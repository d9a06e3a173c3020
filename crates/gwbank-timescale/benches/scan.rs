//! Scans of 3 million readings of a PostgreSQL of the benchmark's own: rows through the driver, as scans once were; COPY
//! into Arrow, as they are; the bytes of the same COPY thrown away, which is what the database and the socket take alone.
//!
//! Every round takes each in turn, so that a busy machine slows all alike. `GWBANK_BENCH_ROUNDS` (default 5).

use std::collections::HashMap;
use std::pin::pin;
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use gwbank_model::{
    GatewayId, Origin, Parameter, QcTests, QualityFlag, Row, Seq, SiteStatus, TimeFormIndex, TimeSource, Timestamp,
    WellId,
};
use gwbank_store::{Archive, ArchiveSnapshot, RowNames, ScanRequest, columns, rows_to_columns};
use gwbank_testkit::Postgres;
use gwbank_timescale::{Database, DatabaseConfig, PostgresArchive};
use tokio_postgres::{Client, NoTls};

const SERIES: usize = 300;
const ROWS_A_SERIES: usize = 10_000;
const BATCH_ROWS: usize = 8 * 1024;
/// PostgreSQL counts microseconds from 2000-01-01, UTC.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

const ALL: &str =
    "series_id, time, value, site_status, quality, qc_tests, time_source, gateway_number, revision, seq, time_raw";

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let rounds = std::env::var("GWBANK_BENCH_ROUNDS").map_or(Ok(5), |rounds| rounds.parse())?;
    let url = Postgres::shared().empty_database();
    let database = Database::new(&DatabaseConfig::new(&url))?;
    database.migrate().await?;
    fill(&url);
    let names = RowNames::default();
    let archive = PostgresArchive::new(database, names.clone());
    let snapshot = archive.snapshot().await?;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    let three = vec![columns::WELL_ID, columns::TIME, columns::VALUE];
    println!("{SERIES} series x {ROWS_A_SERIES} readings, medians of {rounds} rounds");
    for (what, wanted, fields) in
        [("well_id, time, value", three, "series_id, time, value"), ("all columns", (0..12).collect(), ALL)]
    {
        let mut seconds = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            seconds[0].push(timed(rows(&client, &names, &wanted)).await?);
            seconds[1].push(timed(copied(&*snapshot, &wanted)).await?);
            seconds[2].push(timed(discarded(&client, fields)).await?);
        }
        let [rows, copied, discarded] = seconds.map(median);
        println!("{what}: rows {rows:.2} s, COPY to Arrow {copied:.2} s, COPY thrown away {discarded:.2} s");
        println!("    rows take {:.2} x as long, throwing away {:.2} x", rows / copied, discarded / copied);
    }
    Ok(())
}

fn fill(url: &str) {
    Postgres::shared().psql(
        url,
        &format!(
            "INSERT INTO series (well_id, parameter, first_time, last_time)
                SELECT 'TH-' || n, 'depth_to_water', '2026-01-01Z', '2026-12-31Z' FROM generate_series(1, {SERIES}) n;
             INSERT INTO reading_gateways (gateway_id) SELECT 'gw-' || n FROM generate_series(1, 10) n;
             CREATE TABLE reading_rows_all PARTITION OF reading_rows DEFAULT;
             INSERT INTO reading_rows
                SELECT s, '2026-01-01Z'::timestamptz + n * interval '15 minutes', 10 + s + n / 1000.0,
                    (n * {SERIES} + s)::bigint << 20, 0, 1 + s % 10, 0, 1, 1, NULL, NULL
                FROM generate_series(1, {ROWS_A_SERIES}) n, generate_series(1, {SERIES}) s"
        ),
    );
    Postgres::shared().psql(url, "VACUUM ANALYZE reading_rows"); // in no transaction of several statements
    Postgres::shared().psql(url, "CHECKPOINT");
}

async fn timed(work: impl Future<Output = Result<usize, Error>>) -> Result<f64, Error> {
    let started = Instant::now();
    let rows = work.await?;
    assert_eq!(rows, SERIES * ROWS_A_SERIES);
    Ok(started.elapsed().as_secs_f64())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

async fn copied(snapshot: &dyn ArchiveSnapshot, wanted: &[usize]) -> Result<usize, Error> {
    let request = ScanRequest { projection: Some(wanted.to_vec()), ..ScanRequest::all() };
    let mut rows = 0;
    for mut stream in snapshot.scan(request)? {
        while let Some(batch) = stream.next().await {
            rows += batch?.num_rows();
        }
    }
    Ok(rows)
}

/// The server sends a tuple a piece.
async fn discarded(client: &Client, fields: &str) -> Result<usize, Error> {
    let copy = client.copy_out(&format!("COPY (SELECT {fields} FROM reading_rows) TO STDOUT (FORMAT binary)")).await?;
    let mut copy = pin!(copy);
    let mut pieces = 0;
    while let Some(piece) = copy.next().await {
        std::hint::black_box(piece?);
        pieces += 1;
    }
    Ok(pieces - 1) // the trailer is one too
}

/// As scans were: every column of every row by the driver, a row of the vocabulary, then the wanted columns. They are
/// read in another task.
async fn rows(client: &Client, names: &RowNames, wanted: &[usize]) -> Result<usize, Error> {
    let series: Vec<_> = (0..=SERIES)
        .map(|n| Ok(names.series.intern(&WellId::new(&format!("TH-{}", n.max(1)))?, Parameter::DepthToWater)))
        .collect::<Result<_, Error>>()?;
    let series: HashMap<i32, _> = (0..).zip(series).collect();
    let gateways: Vec<_> = (0..=10)
        .map(|n: usize| Ok(names.gateways.intern(&GatewayId::new(&format!("gw-{}", n.max(1)))?)))
        .collect::<Result<_, Error>>()?;
    let gateways: HashMap<i32, _> = (0..).zip(gateways).collect();
    let statement = client.prepare(&format!("SELECT {ALL} FROM reading_rows")).await?;
    let rows = client.query_raw(&statement, std::iter::empty::<i32>()).await?;
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<RecordBatch>(2);
    let reader = tokio::spawn(async move {
        let mut rows = 0;
        while let Some(batch) = receiver.recv().await {
            rows += batch.num_rows();
        }
        rows
    });
    let mut chunks = pin!(rows.try_chunks(BATCH_ROWS));
    let mut last_form: Option<TimeFormIndex> = None;
    while let Some(chunk) = chunks.next().await {
        let mut rows = Vec::with_capacity(BATCH_ROWS);
        for row in &chunk.map_err(|error| error.1)? {
            let time = Timestamp::from_micros(row.try_get::<_, Micros>(1)?.0);
            let time_raw: Option<&str> = row.try_get(10)?;
            let site_status: Option<i16> = row.try_get(3)?;
            rows.push(Row {
                series: series[&row.try_get::<_, i32>(0)?],
                time,
                value: row.try_get::<_, Option<f64>>(2)?.unwrap_or(f64::NAN),
                site_status: site_status.and_then(|code| SiteStatus::from_code(code as u8)),
                quality: QualityFlag::from_code(row.try_get::<_, i16>(4)? as u8).ok_or("quality")?,
                qc_tests: QcTests::from_bits(row.try_get::<_, i32>(5)?.try_into()?),
                time_source: TimeSource::from_code(row.try_get::<_, i16>(6)? as u8).ok_or("time_source")?,
                gateway: gateways[&row.try_get::<_, i32>(7)?],
                revision: row.try_get::<_, i64>(8)?.try_into()?,
                seq: Seq::from_i64(row.try_get(9)?),
                origin: Origin::Received,
                time_form: time_raw.and_then(|raw| {
                    last_form = names.time_forms.intern(raw, time, last_form);
                    last_form
                }),
            });
        }
        sender.send(rows_to_columns(&rows, names, wanted)?).await?;
    }
    drop(sender);
    Ok(reader.await?)
}

struct Micros(i64);

impl<'a> postgres_types::FromSql<'a> for Micros {
    fn from_sql(_: &postgres_types::Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?) + EPOCH_MICROS))
    }
    fn accepts(kind: &postgres_types::Type) -> bool {
        *kind == postgres_types::Type::TIMESTAMPTZ
    }
}
