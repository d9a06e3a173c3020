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
        Err(DatabaseError::NotMigrated { count: 6, name: "0001_metadata", .. })
    ));
    let (one, other) = (open(), open());
    let (first, second) = tokio::join!(one.migrate(), other.migrate());
    let mut counts = [first.unwrap().len(), second.unwrap().len()];
    counts.sort_unstable();
    assert_eq!(counts, [0, 6]);
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
