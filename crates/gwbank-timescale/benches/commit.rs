//! The archive's commits against a bare binary COPY of the same rows into the same table, in turn.
//!
//! Every side has wells of its own in one database, and each round brings later times: "newer" is what live data are. With
//! conflicts one row in a hundred is there already. `GWBANK_BENCH_ROUNDS` (default 5).

use std::pin::pin;
use std::time::{Duration, Instant, SystemTime};

use gwbank_model::{GatewayId, Parameter, Row, Seq, Timestamp, WellId};
use gwbank_store::{Archive, ArchiveCommit, RowNames};
use gwbank_testkit::{Postgres, received_row};
use gwbank_timescale::{Database, DatabaseConfig, PostgresArchive};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};

const SERIES: usize = 100;
/// 2026-01-01
const START: i64 = 1_767_225_600;
const STEP_SECONDS: i64 = 60;

type Error = Box<dyn std::error::Error>;

struct Side {
    prefix: &'static str,
    names: RowNames,
    archive: PostgresArchive,
    /// Minutes that its series have.
    minutes: i64,
    seq: i64,
}

impl Side {
    fn new(prefix: &'static str, url: &str, copy_rows_min: usize) -> Result<Self, Error> {
        let names = RowNames::default();
        let database = Database::new(&DatabaseConfig { copy_rows_min, ..DatabaseConfig::new(url) })?;
        let archive = PostgresArchive::new(database, names.clone());
        Ok(Self { prefix, names, archive, minutes: 0, seq: 1 })
    }

    /// The next readings of all series; one in `known_every` of them is an old one again.
    fn rows(&mut self, count: usize, known_every: Option<usize>) -> Vec<Row> {
        let gateway = self.names.gateways.intern(&GatewayId::new("gw").expect("an id"));
        let per_series = count.div_ceil(SERIES);
        let mut rows = Vec::with_capacity(per_series * SERIES);
        for well in 0..SERIES {
            let id = WellId::new(&format!("{}-{well}", self.prefix)).expect("an id");
            let series = self.names.series.intern(&id, Parameter::DepthToWater);
            for n in 0..per_series {
                let is_known =
                    known_every.is_some_and(|every| (well * per_series + n).is_multiple_of(every) && self.minutes > 0);
                let minute =
                    if is_known { (n as i64 * 7 + well as i64) % self.minutes } else { self.minutes + n as i64 };
                let time = Timestamp::from_secs(START + minute * STEP_SECONDS);
                self.seq += 1;
                rows.push(Row {
                    gateway,
                    ..received_row(series, time, minute as f64 / 1000.0, Seq::from_i64(self.seq))
                });
            }
        }
        self.minutes += per_series as i64;
        rows
    }

    async fn commit(&mut self, count: usize, known_every: Option<usize>) -> Result<Duration, Error> {
        let rows = self.rows(count, known_every);
        let through = Seq::from_i64(self.seq);
        let began = Instant::now();
        let report = self.archive.commit(ArchiveCommit { rows, through }).await?;
        assert!(report.refused.is_empty());
        Ok(began.elapsed())
    }
}

/// The same columns of rows that nobody compares with anything.
async fn bare(client: &mut Client, series: &[i32], minutes: &mut i64, count: usize) -> Result<Duration, Error> {
    const TYPES: [Type; 11] = [
        Type::INT4,
        Type::TIMESTAMPTZ,
        Type::FLOAT8,
        Type::INT8,
        Type::INT8,
        Type::INT4,
        Type::INT4,
        Type::INT2,
        Type::INT2,
        Type::INT2,
        Type::TEXT,
    ];
    let per_series = count.div_ceil(series.len()) as i64;
    let began = Instant::now();
    let transaction = client.transaction().await?;
    let sink = transaction
        .copy_in(
            "COPY reading_rows (series_id, time, value, seq, revision, gateway_number, qc_tests, quality, time_source,
                site_status, time_raw) FROM STDIN (FORMAT binary)",
        )
        .await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
    let nothing: (Option<i16>, Option<&str>) = (None, None);
    for number in series {
        for n in 0..per_series {
            let minute = *minutes + n;
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs((START + minute * STEP_SECONDS) as u64);
            let fields: [&(dyn ToSql + Sync); 11] = [
                number,
                &time,
                &(minute as f64 / 1000.0),
                &minute,
                &0i64,
                &1i32,
                &0i32,
                &1i16,
                &0i16,
                &nothing.0,
                &nothing.1,
            ];
            writer.as_mut().write(&fields).await?;
        }
    }
    writer.finish().await?;
    transaction.commit().await?;
    *minutes += per_series;
    Ok(began.elapsed())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let rounds: usize = std::env::var("GWBANK_BENCH_ROUNDS").map_or(Ok(5), |rounds| rounds.parse())?;
    let url = Postgres::shared().empty_database();
    Database::new(&DatabaseConfig::new(&url))?.migrate().await?;
    let (mut client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    let mut copied = Side::new("copy", &url, 0)?;
    let mut arrays = Side::new("arrays", &url, usize::MAX)?;
    // Numbers, partitions and plans of all.
    for _ in 0..3 {
        copied.commit(2_000, None).await?;
        arrays.commit(2_000, None).await?;
    }
    let numbers = client
        .query(
            "INSERT INTO series (well_id, parameter) SELECT 'bare-' || n, 'depth_to_water' FROM generate_series(1, 100) n
             RETURNING series_id",
            &[],
        )
        .await?;
    let numbers: Vec<i32> = numbers.iter().map(|row| row.get(0)).collect();
    let mut minutes = 0;
    println!("{SERIES} series, medians of {rounds} rounds, thousand rows/s; in brackets the share of the bare COPY");
    println!("{:>9} {:>8} {:>16} {:>16} {:>20}", "rows", "bare", "by COPY", "by arrays", "by COPY, 1 % known");
    for (count, commits) in [(100, 200), (200, 200), (500, 100), (2_000, 50), (20_000, 10), (200_000, 2)] {
        let mut seconds = [const { Vec::new() }; 4];
        for _ in 0..rounds {
            let mut sums = [Duration::ZERO; 4];
            for _ in 0..commits {
                sums[0] += bare(&mut client, &numbers, &mut minutes, count).await?;
                sums[1] += copied.commit(count, None).await?;
                sums[2] += arrays.commit(count, None).await?;
                sums[3] += copied.commit(count, Some(100)).await?;
            }
            seconds.iter_mut().zip(sums).for_each(|(all, sum)| all.push(sum.as_secs_f64()));
        }
        let rate = |n: usize| {
            let mut all = seconds[n].clone();
            all.sort_by(f64::total_cmp);
            (count * commits) as f64 / all[all.len() / 2] / 1000.0
        };
        let share = |n: usize| format!("{:.0} ({:.2})", rate(n), rate(n) / rate(0));
        println!("{count:>9} {:>8.0} {:>16} {:>16} {:>20}", rate(0), share(1), share(2), share(3));
    }
    Ok(())
}
