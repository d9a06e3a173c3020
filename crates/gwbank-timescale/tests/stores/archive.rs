//! Readings in PostgreSQL.

use std::sync::Arc;

use gwbank_model::versions::Outcome;
use gwbank_model::{GatewayId, Parameter, Row, Seq, Timestamp, WellId};
use gwbank_store::conformance::archive_suite;
use gwbank_store::{Archive, ArchiveCommit, RowNames};
use gwbank_testkit::{Postgres, received_row};
use gwbank_timescale::{Database, DatabaseConfig, PostgresArchive};

use crate::database;

#[tokio::test]
async fn keeps_the_rules_of_the_port() {
    archive_suite(|names: RowNames| async move {
        Arc::new(PostgresArchive::new(database().await, names)) as Arc<dyn Archive>
    })
    .await;
}

/// Names that another node brought after this one last looked.
#[tokio::test]
async fn a_node_corrects_what_another_stored() {
    let database = database().await;
    let (one, other) = (RowNames::default(), RowNames::default());
    let first = PostgresArchive::new(database.clone(), one.clone());
    let second = PostgresArchive::new(database, other.clone());
    drop(second.snapshot().await.unwrap());
    let row = |names: &RowNames, gateway: &str, value: f64, n: i64| {
        let series = names.series.intern(&WellId::new("W-1").unwrap(), Parameter::DepthToWater);
        let gateway = names.gateways.intern(&GatewayId::new(gateway).unwrap());
        Row { gateway, ..received_row(series, Timestamp::from_secs(1_700_000_000), value, Seq::from_i64(n << 20)) }
    };
    let commit = |row: Row| ArchiveCommit { through: row.seq, rows: vec![row] };
    first.commit(commit(row(&one, "gw-1", 1.0, 1))).await.unwrap();
    let correction = row(&other, "gw-2", 2.0, 2);
    assert_eq!(second.commit(commit(correction)).await.unwrap().outcomes, [Outcome::Stored]);
    let snapshot = first.snapshot().await.unwrap();
    let key = row(&one, "gw-1", 0.0, 3).key();
    let versions = snapshot.versions(&[key]).await.unwrap().remove(0).unwrap();
    assert_eq!((versions.winner.value, versions.revisions[0].row.value), (2.0, 1.0));
    assert_eq!((snapshot.row_count(), one.gateways.id(versions.winner.gateway).as_str()), (1, "gw-2"));
}

/// Rows of one series, a minute apart, whose values are their places.
fn minutes(names: &RowNames, count: i64) -> Vec<Row> {
    let series = names.series.intern(&WellId::new("W-1").unwrap(), Parameter::DepthToWater);
    let gateway = names.gateways.intern(&GatewayId::new("gw-1").unwrap());
    let row = |n: i64| Row {
        gateway,
        ..received_row(series, Timestamp::from_secs(1_700_000_000 + 60 * n), n as f64, Seq::from_i64((n + 1) << 20))
    };
    (0..count).map(row).collect()
}

async fn stored(archive: &PostgresArchive, names: &RowNames) -> Vec<f64> {
    let series = names.series.intern(&WellId::new("W-1").unwrap(), Parameter::DepthToWater);
    let snapshot = archive.snapshot().await.unwrap();
    let rows = snapshot.series_rows(series, Timestamp::MIN, Timestamp::MAX).await.unwrap();
    assert_eq!(snapshot.row_count(), rows.len() as u64);
    rows.iter().map(|row| row.value).collect()
}

/// One bad row never costs the good ones beside it, by parameters or by COPY.
#[tokio::test(flavor = "multi_thread")] // while psql waits for a lock, a dropped snapshot lets go of it
async fn what_the_database_refuses_stands_alone() {
    let url = Postgres::shared().empty_database();
    let database = Database::new(&DatabaseConfig::new(&url)).unwrap();
    database.migrate().await.unwrap();
    let sql = |statement: &str| Postgres::shared().psql(&url, statement);
    sql("ALTER TABLE reading_rows ADD CONSTRAINT no_thirteens CHECK (value::int % 100 <> 13)");
    // A rule that speaks only at the end of a transaction, unless it is asked before.
    sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.value = 1450 THEN RAISE 'not 1450'; END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON reading_rows DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse()");
    let names = RowNames::default();
    let archive = PostgresArchive::new(database, names.clone());
    let rows = minutes(&names, 1_500);
    for (rows, refused) in
        [(&rows[..50], vec![13]), (&rows[50..], (1..15).map(|n| n * 100 + 13 - 50).chain([1_400]).collect())]
    {
        let through = rows.last().unwrap().seq;
        let report = archive.commit(ArchiveCommit { rows: rows.to_vec(), through }).await.unwrap();
        let mut indices: Vec<usize> = report.refused.iter().map(|refused| refused.index).collect();
        indices.sort_unstable();
        assert_eq!(indices, refused);
        assert!(report.refused[0].why.contains("no_thirteens"), "{}", report.refused[0].why);
        assert_eq!(archive.snapshot().await.unwrap().position(), through);
    }
    let good: Vec<f64> = (0..1_500).filter(|n| n % 100 != 13 && *n != 1_450).map(f64::from).collect();
    assert_eq!(stored(&archive, &names).await, good);

    // Its rule taken away, the same rows are good.
    sql("ALTER TABLE reading_rows DROP CONSTRAINT no_thirteens; DROP TRIGGER late ON reading_rows");
    let again = archive.commit(ArchiveCommit { rows, through: Seq::from_i64(1_500 << 20) }).await.unwrap();
    assert!(again.refused.is_empty());
    assert_eq!(stored(&archive, &names).await.len(), 1_500);
}

/// What somebody else wrote beyond the known end of a series is met as what it is.
#[tokio::test]
async fn rows_of_another_hand_are_no_obstacle() {
    let url = Postgres::shared().empty_database();
    let database = Database::new(&DatabaseConfig::new(&url)).unwrap();
    database.migrate().await.unwrap();
    let names = RowNames::default();
    let archive = PostgresArchive::new(database, names.clone());
    let rows = minutes(&names, 600);
    let commit = |rows: &[Row]| ArchiveCommit { rows: rows.to_vec(), through: rows.last().unwrap().seq };
    archive.commit(commit(&rows[..10])).await.unwrap();
    Postgres::shared().psql(
        &url,
        "INSERT INTO reading_rows SELECT series_id, time + '10 minutes', value + 10, seq + (10 << 20), revision, gateway_number,
            qc_tests, quality, time_source, site_status, time_raw FROM reading_rows",
    );
    let report = archive.commit(commit(&rows[10..])).await.unwrap();
    assert_eq!((report.outcomes.len(), report.refused.len()), (590, 0));
    let snapshot = archive.snapshot().await.unwrap();
    let found = snapshot.series_rows(rows[0].series, Timestamp::MIN, Timestamp::MAX).await.unwrap();
    assert!(found.iter().map(|row| row.value).eq((0..600).map(f64::from)));
}

/// A database that has forgotten what was committed is told, and not written over.
#[tokio::test]
async fn a_database_that_was_set_back_is_not_written_to() {
    let url = Postgres::shared().empty_database();
    let database = Database::new(&DatabaseConfig::new(&url)).unwrap();
    database.migrate().await.unwrap();
    let names = RowNames::default();
    let archive = PostgresArchive::new(database, names.clone());
    let rows = minutes(&names, 3);
    let commit = |n: usize| ArchiveCommit { rows: vec![rows[n]], through: rows[n].seq };
    archive.commit(commit(0)).await.unwrap();
    archive.commit(commit(1)).await.unwrap();
    let back = format!("UPDATE nodes SET archive_position = {}", rows[0].seq.as_i64());
    Postgres::shared().psql(&url, &format!("DELETE FROM reading_rows WHERE value = 1; {back}"));
    let refused = archive.commit(commit(2)).await.unwrap_err();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("restart gwbank"), "{why}");
    assert_eq!(Postgres::shared().psql(&url, "SELECT count(*) FROM reading_rows"), "1");
}
