//! Scans of a real database: what they give, how they fail, how they end.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use gwbank_model::{
    GatewayId, Parameter, QcTests, QualityFlag, Row, Seq, SeriesId, SiteStatus, TimeSource, Timestamp, WellId,
};
use gwbank_store::{
    Archive, ArchiveCommit, ArchiveError, ArchiveSnapshot, BatchStream, RowNames, ScanRequest, batch_to_revisions,
    batch_to_rows, reading_schema, revision_schema, revisions_to_batch, rows_to_columns,
};
use gwbank_testkit::{Postgres, received_row};
use gwbank_timescale::{Database, DatabaseConfig, PostgresArchive};

/// Too many for the buffers between the database and a reader that waits.
const MANY_ROWS: usize = 400_000;
const START_SECS: i64 = 1_700_000_000;

struct Bench {
    url: String,
    names: RowNames,
    archive: PostgresArchive,
}

impl Bench {
    async fn new() -> Self {
        let url = Postgres::shared().empty_database();
        // Enough for two snapshots and their scans, so that a connection that does not come back is missed.
        let database = Database::new(&DatabaseConfig { connections_max: 6, ..DatabaseConfig::new(&url) }).unwrap();
        database.migrate().await.unwrap();
        let names = RowNames::default();
        names.gateways.intern(&GatewayId::new("gw-1").unwrap());
        let archive = PostgresArchive::new(database, names.clone());
        Self { url, names, archive }
    }

    /// With so many rows of one series, a second apart.
    async fn with_rows(count: usize) -> Self {
        let bench = Self::new().await;
        bench.sql(&format!(
            "INSERT INTO series (well_id, parameter, first_time, last_time)
                VALUES ('W-1', 'depth_to_water', to_timestamp({START_SECS}), to_timestamp({START_SECS} + {count}));
             INSERT INTO reading_gateways (gateway_id) VALUES ('gw-1');
             CREATE TABLE reading_rows_all PARTITION OF reading_rows DEFAULT;
             INSERT INTO reading_rows
                SELECT 1, to_timestamp({START_SECS} + n), n, n, 0, 1, 0, 1, 1, NULL, NULL
                FROM generate_series(1, {count}) n"
        ));
        bench
    }

    fn sql(&self, statement: &str) -> String {
        Postgres::shared().psql(&self.url, statement)
    }

    fn series(&self, well: &str, parameter: Parameter) -> SeriesId {
        self.names.series.intern(&WellId::new(well).unwrap(), parameter)
    }

    async fn commit(&self, rows: Vec<Row>) {
        let through = rows.iter().map(|row| row.seq).max().unwrap();
        self.archive.commit(ArchiveCommit { rows, through }).await.unwrap();
    }

    /// The streams last as long as the snapshot.
    async fn scan(&self, request: ScanRequest) -> (Arc<dyn ArchiveSnapshot>, Vec<BatchStream>) {
        let snapshot = self.archive.snapshot().await.unwrap();
        let streams = snapshot.scan(request).unwrap();
        (snapshot, streams)
    }

    async fn rows(&self, request: ScanRequest) -> Result<Vec<RecordBatch>, ArchiveError> {
        let (_snapshot, streams) = self.scan(request).await;
        collect(streams).await
    }

    fn copies(&self, condition: &str) -> usize {
        let count = self.sql(&format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'gwbank' AND query LIKE 'COPY%' AND {condition}"
        ));
        count.parse().unwrap()
    }

    async fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(8); // before the lock_timeout ends what waits for one
        while !is_so(self) {
            assert!(Instant::now() < deadline, "in vain: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn projected(projection: &[usize]) -> ScanRequest {
    ScanRequest { projection: Some(projection.to_vec()), ..ScanRequest::all() }
}

async fn collect(streams: Vec<BatchStream>) -> Result<Vec<RecordBatch>, ArchiveError> {
    let mut batches = Vec::new();
    for mut stream in streams {
        while let Some(batch) = stream.next().await {
            batches.push(batch?);
        }
    }
    Ok(batches)
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_projection_gives_those_columns() {
    let bench = Bench::new().await;
    let gateway = bench.names.gateways.intern(&GatewayId::new("gw-2").unwrap());
    let series = [
        bench.series("W-1", Parameter::DepthToWater),
        bench.series("W-1", Parameter::Ph),
        bench.series("บ่อ-2", Parameter::DepthToWater),
    ];
    let time = Timestamp::from_micros(START_SECS * 1_000_000 + 1);
    let raw = "2566-11-14T22:13:20.000001Z";
    let mut rows = Vec::new();
    for (n, series) in series.into_iter().enumerate() {
        let seq = |m: usize| Seq::from_i64(((n * 10 + m + 1) as i64) << 20);
        let plain = received_row(series, time, 1.5, seq(0));
        let missing = received_row(series, time.plus_secs(1), f64::NAN, seq(1));
        let rich = Row {
            gateway,
            revision: u32::MAX,
            qc_tests: QcTests::from_bits(u16::MAX),
            quality: QualityFlag::ALL[n],
            site_status: Some(SiteStatus::ALL[n]),
            time_source: TimeSource::ALL[n],
            time_form: bench.names.time_forms.intern(raw, time.plus_secs(2), None),
            ..received_row(series, time.plus_secs(2), -0.0, seq(2))
        };
        rows.extend([plain, missing, rich, Row { seq: seq(3), value: 2.5, ..plain }]);
    }
    bench.commit(rows).await;
    let snapshot = bench.archive.snapshot().await.unwrap();
    let all = collect(snapshot.scan(ScanRequest::all()).unwrap()).await.unwrap().remove(0);
    assert_eq!((all.num_rows(), all.schema()), (9, reading_schema()));
    let rows = batch_to_rows(&all, &bench.names).unwrap();
    for series in series {
        let mut expected = snapshot.series_rows(series, Timestamp::MIN, Timestamp::MAX).await.unwrap();
        let mut given: Vec<Row> = rows.iter().filter(|row| row.series == series).copied().collect();
        given.sort_by_key(|row| row.time);
        // The column is an `i32`.
        expected.iter_mut().for_each(|row| row.revision = row.revision.min(i32::MAX as u32));
        assert_eq!(format!("{given:?}"), format!("{expected:?}"));
    }
    let columns = reading_schema().fields().len();
    let mut projections: Vec<Vec<usize>> = (0..columns).map(|column| vec![column]).collect();
    projections.extend([vec![], vec![1, 0], vec![0, 2, 3], vec![11, 0, 2, 0], (0..columns).rev().collect()]);
    for projection in projections {
        let given = collect(snapshot.scan(projected(&projection)).unwrap()).await.unwrap().remove(0);
        assert_eq!(given, rows_to_columns(&rows, &bench.names, &projection).unwrap(), "{projection:?}");
    }
    let all = collect(snapshot.scan_revisions(ScanRequest::all()).unwrap()).await.unwrap().remove(0);
    let revisions = batch_to_revisions(&all, &bench.names).unwrap();
    assert_eq!(revisions.len(), 3);
    assert_eq!(revisions_to_batch(&revisions, &bench.names).unwrap(), all);
    for column in 0..revision_schema().fields().len() {
        let given = collect(snapshot.scan_revisions(projected(&[column])).unwrap()).await.unwrap().remove(0);
        assert_eq!(given, all.project(&[column]).unwrap(), "{column}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_are_exact() {
    let bench = Bench::new().await;
    let series = bench.series("W-1", Parameter::DepthToWater);
    bench.series("W-9", Parameter::Ph);
    let time = Timestamp::from_micros(-1);
    let row = |n: i64| received_row(series, Timestamp::from_micros(n - 1), n as f64, Seq::from_i64((n + 1) << 20));
    bench.commit((0..3).map(row).collect()).await;
    let at = |micros: i64| Some(Timestamp::from_micros(micros));
    let cases = [
        (None, None, 3),
        (Some(Timestamp::MIN), Some(Timestamp::MAX), 3),
        (Some(Timestamp::MAX), None, 0),
        (None, Some(Timestamp::MIN), 0),
        (Some(time), at(1), 2),
        (at(0), at(1), 1),
        (at(1), at(0), 0),
    ];
    for (from, to, expected) in cases {
        for partitions in [1, 2] {
            let request = ScanRequest { from, to, partitions, ..ScanRequest::all() };
            let given = bench.rows(request).await.unwrap();
            assert_eq!(rows(&given), expected, "{from:?} to {to:?} in {partitions}");
        }
    }
    for (well, expected) in [("W-1", 3), ("W-9", 0), ("'); DROP TABLE series; --", 0)] {
        let request = ScanRequest { wells: Some([well.to_owned()].into()), ..ScanRequest::all() };
        assert_eq!(rows(&bench.rows(request).await.unwrap()), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_stops_the_database() {
    let bench = Bench::with_rows(MANY_ROWS).await;
    for _ in 0..8 {
        let (_snapshot, mut streams) = bench.scan(ScanRequest::all()).await;
        let mut stream = streams.remove(0);
        assert_eq!(bench.copies("state = 'active'"), 0, "before anything was asked for");
        stream.next().await.unwrap().unwrap();
        assert_eq!(bench.copies("state = 'active'"), 1);
        drop(stream);
        bench.until("it goes on", |bench| bench.copies("state = 'active'") == 0).await;
    }
    let given = bench.rows(ScanRequest { partitions: 2, ..projected(&[2]) }).await.unwrap();
    assert_eq!(rows(&given), MANY_ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_before_the_first_row_stops_the_database() {
    let bench = Bench::with_rows(MANY_ROWS).await;
    let (_snapshot, mut streams) = bench.scan(ScanRequest::all()).await;
    let stream = streams.remove(0);
    let (locker, connection) = tokio_postgres::connect(&bench.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    locker.batch_execute("BEGIN; LOCK TABLE reading_rows IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let reader = tokio::spawn(async move { stream.into_future().await.0.map(|batch| batch.map(drop)) });
    bench.until("it does not wait", |bench| bench.copies("wait_event_type = 'Lock'") == 1).await;
    reader.abort();
    bench.until("it goes on", |bench| bench.copies("state = 'active'") == 0).await;
    locker.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(rows(&bench.rows(projected(&[])).await.unwrap()), MANY_ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_cut_short_is_an_error() {
    let bench = Bench::with_rows(MANY_ROWS).await;
    let (_snapshot, mut streams) = bench.scan(ScanRequest::all()).await;
    let mut stream = streams.remove(0);
    stream.next().await.unwrap().unwrap();
    bench.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'",
    );
    let error = collect(vec![stream]).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Unavailable(_)), "{}", causes(&error));
    assert_eq!(rows(&bench.rows(projected(&[3])).await.unwrap()), MANY_ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_values_name_their_column() {
    const ROWS: usize = 20_000;
    let bench = Bench::with_rows(ROWS).await;
    let strange = [
        ("quality", "77"),
        ("quality", "-1"),
        ("time_source", "300"),
        ("site_status", "99"),
        ("qc_tests", "65536"),
        ("revision", "-1"),
        ("gateway_number", "9"),
        ("series_id", "9"),
        ("time", "'-infinity'"),
    ];
    for (column, value) in strange {
        let place = format!("WHERE seq = {}", ROWS / 2);
        let before = bench.sql(&format!("SELECT coalesce({column}::text, 'NULL') FROM reading_rows {place}"));
        bench.sql(&format!("UPDATE reading_rows SET {column} = {value} {place}"));
        let error = bench.rows(ScanRequest::all()).await.unwrap_err();
        assert!(matches!(error, ArchiveError::Damaged { .. }), "{}", causes(&error));
        assert!(causes(&error).contains(&format!("column {column} ")), "{}", causes(&error));
        let back = if before == "NULL" { before } else { format!("'{before}'") };
        bench.sql(&format!("UPDATE reading_rows SET {column} = {back} {place}"));
    }
    // What is not asked for is not looked at.
    bench.sql("UPDATE reading_rows SET quality = 77 WHERE seq = 1");
    assert_eq!(rows(&bench.rows(projected(&[2, 3])).await.unwrap()), ROWS);
}
