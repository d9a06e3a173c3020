//! What only TimescaleDB has, in its real code. One connection at a time: the program's is closed before psql asks.

use std::time::{Duration, Instant};

use gwbank_model::versions::Outcome;
use gwbank_model::{GatewayId, Parameter, Row, Seq, Timestamp, WellId};
use gwbank_store::{Archive, ArchiveCommit, ArchiveError, RowNames};
use gwbank_testkit::{Timescale, received_row};
use gwbank_timescale::{Database, DatabaseConfig, Layout, Policies, PostgresArchive};

const PIECE: usize = 400;
const HOUR: i64 = 3600;
/// For the one place of the server to be free again.
const PATIENCE: Duration = Duration::from_secs(120);
/// 2023-11-14 00:00 UTC.
const START: i64 = 1_699_920_000;

struct World {
    server: Timescale,
    names: RowNames,
}

impl World {
    fn database(&self) -> Database {
        // `COPY … FROM STDIN` breaks this server's door.
        let config =
            DatabaseConfig { connections_max: 1, copy_rows_min: usize::MAX, ..DatabaseConfig::new(self.server.url()) };
        Database::new(&config).unwrap()
    }

    fn row(&self, well: u32, hour: i64, value: f64, n: i64) -> Row {
        let well = WellId::new(&format!("W-{well}")).unwrap();
        let series = self.names.series.intern(&well, Parameter::DepthToWater);
        let gateway = self.names.gateways.intern(&GatewayId::new("gw-1").unwrap());
        Row {
            gateway,
            ..received_row(series, Timestamp::from_secs(START + hour * HOUR), value, Seq::from_i64(n << 20))
        }
    }

    /// In pieces, as this server's door takes no long message.
    async fn commit(&self, rows: Vec<Row>) -> Vec<Outcome> {
        let archive = PostgresArchive::new(self.database(), self.names.clone());
        let mut outcomes = Vec::new();
        for rows in rows.chunks(PIECE) {
            let through = rows.iter().map(|row| row.seq).max().unwrap();
            // The server has one place, which the connection of before leaves in its own time; until then it resets others.
            let began = Instant::now();
            let report = loop {
                match archive.commit(ArchiveCommit { rows: rows.to_vec(), through }).await {
                    Err(ArchiveError::Unavailable(_)) if began.elapsed() < PATIENCE => tokio::task::yield_now().await,
                    done => break done.unwrap(),
                }
            };
            assert!(report.refused.is_empty(), "{:?}", report.refused);
            outcomes.extend(report.outcomes);
        }
        outcomes
    }

    /// Rows of `readings_daily` or `readings_hourly` that a plain aggregate does not have, or has otherwise.
    fn wrong(&self, view: &str, period: &str) -> String {
        let naive = format!(
            "SELECT well_id, parameter, date_trunc('{period}', time, 'UTC') AS {period}, min(value) AS min, max(value) AS max,
                count(value) AS count, count(value) FILTER (WHERE quality = 1) AS good_count,
                round((sum(value) / count(value))::numeric, 6) AS mean
             FROM readings GROUP BY 1, 2, 3"
        );
        let kept = format!(
            "SELECT well_id, parameter, {period}, min, max, count, good_count, round(mean::numeric, 6) FROM {view}"
        );
        self.server.psql(&format!(
            "SELECT (SELECT count(*) FROM (({naive}) EXCEPT ({kept})) a) + (SELECT count(*) FROM (({kept}) EXCEPT ({naive})) b)"
        ))
    }

    fn all_right(&self, when: &str) {
        for (view, period) in [("readings_hourly", "hour"), ("readings_daily", "day")] {
            assert_eq!(self.wrong(view, period), "0", "{view} {when}");
        }
    }

    fn run_jobs(&self, kind: &str) {
        self.server.psql(&format!(
            "DO $$ DECLARE job int; BEGIN FOR job IN SELECT job_id FROM timescaledb_information.jobs
                WHERE proc_name = '{kind}' LOOP CALL run_job(job); END LOOP; END $$"
        ));
    }

    fn refresh(&self) {
        for view in ["reading_hours", "reading_days"] {
            self.server.psql(&format!("CALL refresh_continuous_aggregate('{view}', NULL, NULL)"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_lie_in_a_hypertable_with_columns_policies_and_rollups() {
    let world = World { server: Timescale::start(), names: RowNames::default() };
    {
        let database = world.database();
        let applied = database.migrate().await.unwrap();
        assert!(applied.iter().any(|applied| applied.track == "timescaledb_tsl"), "{applied:?}");
        assert_eq!(database.layout().await.unwrap(), Layout::Timescale);
        assert!(database.migrate().await.unwrap().is_empty());
        let set = database.set_policies(&Policies::default()).await.unwrap();
        assert_eq!(set.len(), 3, "compression and two refreshes; chunks are as made: {set:?}");
        assert!(database.set_policies(&Policies::default()).await.unwrap().is_empty());
        let other = Policies { chunk_days: 7, compress_after_days: 0, retention_days: 3650, refresh_minutes: 5 };
        assert_eq!(database.set_policies(&other).await.unwrap().len(), 5);
        assert!(database.set_policies(&other).await.unwrap().is_empty());
        assert_eq!(database.set_policies(&Policies::default()).await.unwrap().len(), 5);
    }
    // Three months of three wells.
    let hours = 90 * 24;
    let all = |n: i64| (0..3).flat_map(move |well| (0..hours).map(move |hour| (well, hour, n)));
    world
        .commit(all(1).map(|(well, hour, n)| world.row(well, hour, f64::from(well) + hour as f64 / 100.0, n)).collect())
        .await;
    assert_eq!(world.server.psql("SELECT count(*) FROM readings"), (3 * hours).to_string());
    world.all_right("when nothing is refreshed");
    world.refresh();
    world.all_right("when all is refreshed");

    world.server.psql("SELECT compress_chunk(c) FROM show_chunks('reading_rows') c");
    assert_eq!(
        world.server.psql("SELECT count(*) > 4, bool_and(is_compressed) FROM timescaledb_information.chunks WHERE hypertable_name = 'reading_rows'"),
        "t|t"
    );
    world.all_right("when all is compressed");

    // Late readings and corrections into compressed chunks, a repeated commit, and readings newer than all.
    let late: Vec<Row> = (0..50)
        .map(|n| Row { time: Timestamp::from_secs(START + n * 37 * HOUR + 60), ..world.row(1, 0, 50.0 + n as f64, 2) })
        .collect();
    let corrections: Vec<Row> = (0..200).map(|n| world.row(n % 3, i64::from(n) * 10, -1.0, 3)).collect();
    let newer: Vec<Row> = (0..48).map(|n| world.row(2, hours + n, 9.0, 4)).collect();
    let rows: Vec<Row> = late.into_iter().chain(corrections).chain(newer).collect();
    let outcomes = world.commit(rows.clone()).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored));
    let outcomes = world.commit(rows).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored), "stored before");
    assert_eq!(
        world.server.psql("SELECT count(*), count(*) FILTER (WHERE value = -1), (SELECT count(*) FROM reading_revisions) FROM readings"),
        format!("{}|200|200", 3 * hours + 50 + 48)
    );
    assert_eq!(
        world.server.psql("SELECT count(*) FROM readings_daily WHERE max = 9 AND count = 24 AND day >= '2024-02-12'"),
        "2",
        "at once"
    );
    world.run_jobs("policy_refresh_continuous_aggregate");
    world.all_right("after the policies ran");
    world.run_jobs("policy_compression");
    world.all_right("compressed anew");

    // More corrections than TimescaleDB lets one transaction decompress by default.
    world.server.psql("ALTER DATABASE postgres SET timescaledb.max_tuples_decompressed_per_dml_transaction = 100");
    let corrections: Vec<Row> = all(5).map(|(well, hour, n)| world.row(well, hour, 77.5, n)).collect();
    world.commit(corrections).await;
    assert_eq!(world.server.psql("SELECT count(*) FROM readings WHERE value = 77.5"), (3 * hours).to_string());
}
