//! Days that are stored by the archive, where TimescaleDB does not keep them.

use gwbank_model::{GatewayId, Parameter, QualityFlag, Row, Seq, Timestamp, WellId};
use gwbank_store::{Archive, ArchiveCommit, RowNames, Upkeep};
use gwbank_testkit::{Postgres, received_row, test_rounds, test_seed};
use gwbank_timescale::{Database, DatabaseConfig, PostgresArchive};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Days and hours as the views have them, against plain aggregates of the readings.
fn all_right(url: &str, when: &str) {
    for (view, period) in [("readings_hourly", "hour"), ("readings_daily", "day")] {
        let naive = format!(
            "SELECT well_id, parameter, date_trunc('{period}', time, 'UTC') AS {period}, min(value), max(value), count(value),
                count(value) FILTER (WHERE quality = 1), round(avg(value)::numeric, 6),
                (array_agg(value ORDER BY time) FILTER (WHERE value IS NOT NULL))[1],
                (array_agg(value ORDER BY time DESC) FILTER (WHERE value IS NOT NULL))[1]
             FROM readings GROUP BY 1, 2, 3"
        );
        let kept = format!(
            "SELECT well_id, parameter, {period}, min, max, count, good_count, round(mean::numeric, 6), first, last FROM {view}"
        );
        let wrong = Postgres::shared().psql(
            url,
            &format!("SET jit = off; SELECT (SELECT count(*) FROM (({naive}) EXCEPT ({kept})) a), (SELECT count(*) FROM (({kept}) EXCEPT ({naive})) b)"),
        );
        assert_eq!(wrong, "0|0", "{view} {when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_those_of_the_readings_whatever_came_when() {
    let url = Postgres::shared().empty_database();
    let database = Database::new(&DatabaseConfig::new(&url)).unwrap();
    database.migrate().await.unwrap();
    let names = RowNames::default();
    let archive = PostgresArchive::new(database, names.clone());
    let gateway = names.gateways.intern(&GatewayId::new("gw").unwrap());
    let series = ["A", "B", "C"].map(|well| names.series.intern(&WellId::new(well).unwrap(), Parameter::DepthToWater));
    let mut random = SmallRng::seed_from_u64(test_seed().unwrap_or(4_127));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    for round in 1..=i64::from(test_rounds(6)) {
        let rows: Vec<Row> = (0..random.random_range(1..400))
            .map(|n| {
                // Of a hundred days, often the same minutes: corrections and repeats.
                let time = now - random.random_range(0..100 * 24) * 3600 + random.random_range(0..2) * 60;
                let value = if random.random_bool(0.1) { f64::NAN } else { f64::from(random.random_range(0..50)) };
                let row = received_row(
                    series[random.random_range(0..3)],
                    Timestamp::from_secs(time - time % 60),
                    value,
                    Seq::from_i64(round << 30 | n << 4),
                );
                let quality = if random.random_bool(0.2) { QualityFlag::Suspect } else { QualityFlag::Pass };
                Row { gateway, quality, ..row }
            })
            .collect();
        let through = rows.iter().map(|row| row.seq).max().unwrap();
        assert!(archive.commit(ArchiveCommit { rows, through }).await.unwrap().refused.is_empty());
        all_right(&url, "after a commit");
        // A fresh one looks at once whether something is due.
        let upkeep = PostgresArchive::new(Database::new(&DatabaseConfig::new(&url)).unwrap(), names.clone());
        for _ in 0..random.random_range(0..8) {
            upkeep.maintain(Upkeep::AtRest).await.unwrap();
            all_right(&url, "between steps of upkeep");
        }
    }
    let upkeep = PostgresArchive::new(Database::new(&DatabaseConfig::new(&url)).unwrap(), names);
    while upkeep.maintain(Upkeep::AtRest).await.unwrap().files_merged > 0 {}
    all_right(&url, "at rest");
    let psql = |statement: &str| Postgres::shared().psql(&url, statement);
    assert_eq!(psql("SELECT count(*) FROM reading_days_dirty"), "0");
    assert_eq!(psql("SELECT count(*) > 200 FROM reading_days"), "t", "they are stored");
    assert_eq!(
        psql(
            "SELECT to_regclass('reading_rows_' || to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY_MM')) IS NOT NULL"
        ),
        "t"
    );
}
