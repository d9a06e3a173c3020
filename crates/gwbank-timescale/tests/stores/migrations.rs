//! Migrations of a real database.

use gwbank_testkit::Postgres;
use gwbank_timescale::{Database, DatabaseConfig, DatabaseError};

#[tokio::test]
async fn are_applied_once_whoever_comes_first() {
    let url = Postgres::shared().empty_database();
    let open = || Database::new(&DatabaseConfig::new(&url)).unwrap();
    let database = open();
    assert!(matches!(
        database.check_schema().await,
        Err(DatabaseError::NotMigrated { count: 13, name: "0001_metadata", .. })
    ));
    let (one, other) = (open(), open());
    let (first, second) = tokio::join!(one.migrate(), other.migrate());
    let mut counts = [first.unwrap().len(), second.unwrap().len()];
    counts.sort_unstable();
    assert_eq!(counts, [0, 13]);
    database.check_schema().await.unwrap();
}

#[tokio::test]
async fn a_database_of_another_build_is_refused() {
    let url = Postgres::shared().empty_database();
    let database = Database::new(&DatabaseConfig::new(&url)).unwrap();
    database.migrate().await.unwrap();
    let sql = |statement: &str| Postgres::shared().psql(&url, statement);
    sql("INSERT INTO schema_migrations (track, name, sha256) VALUES ('postgres', '9999_future', '')");
    let refused = database.check_schema().await.unwrap_err();
    assert!(matches!(&refused, DatabaseError::NewerSchema { name, .. } if name == "9999_future"), "{refused}");
    sql("DELETE FROM schema_migrations WHERE name = '9999_future'; UPDATE schema_migrations SET sha256 = ''");
    assert!(matches!(database.migrate().await.unwrap_err(), DatabaseError::MigrationChanged { .. }));
}

/// Of plain PostgreSQL, in their order.
const FILES: [&str; 13] = [
    "postgres/0001_metadata",
    "postgres/0002_series",
    "partitions/0001_readings",
    "postgres/0003_views",
    "rollups/0001_days",
    "postgres/0004_nodes",
    "postgres/0005_shares",
    "postgres/0006_quality_limits",
    "postgres/0007_conversion",
    "postgres/0008_second_look",
    "postgres/0009_history",
    "postgres/0010_reviews",
    "postgres/0011_offices",
];

#[tokio::test]
async fn every_earlier_state_is_brought_to_the_present() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    for applied in 0..=FILES.len() {
        let url = Postgres::shared().empty_database();
        let psql = |statement: &str| Postgres::shared().psql(&url, statement);
        psql(
            "CREATE TABLE schema_migrations (track text NOT NULL, name text NOT NULL, sha256 bytea NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (track, name))",
        );
        for file in &FILES[..applied] {
            let sql = std::fs::read_to_string(root.join(format!("{file}.sql"))).unwrap();
            psql(&sql);
            let (track, name) = file.split_once('/').unwrap();
            psql(&format!(
                "INSERT INTO schema_migrations (track, name, sha256)
                VALUES ('{track}', '{name}', sha256(convert_to($sql${sql}$sql$, 'UTF8')))"
            ));
        }
        // As a commit of that version left it.
        let has_readings = applied >= 3;
        if has_readings {
            psql("INSERT INTO series (well_id, parameter, first_time, last_time)
                    VALUES ('W', 'depth_to_water', '2026-05-01T00:00Z', '2026-05-01T01:00Z');
                INSERT INTO reading_gateways (gateway_id) VALUES ('gw');
                CREATE TABLE reading_rows_2026_05 PARTITION OF reading_rows FOR VALUES FROM ('2026-05-01Z') TO ('2026-06-01Z');
                INSERT INTO reading_rows SELECT 1, '2026-05-01T00:00Z'::timestamptz + n * interval '1 hour', n, n + 1, 0, 1, 0, 1, 0
                    FROM generate_series(0, 1) n;
                UPDATE archive_totals SET readings = 2");
        }
        let database = Database::new(&DatabaseConfig::new(&url)).unwrap();
        assert_eq!(database.migrate().await.unwrap().len(), FILES.len() - applied, "after {applied}");
        database.check_schema().await.unwrap();
        let expected = if has_readings { "2026-05-01 00:00:00+00|2|0.5" } else { "" };
        let days = "SET TIME ZONE 'UTC'; SELECT day, count, mean FROM readings_daily";
        assert_eq!(psql(days), expected, "after {applied}");
    }
}
