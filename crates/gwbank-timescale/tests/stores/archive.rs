//! Readings in PostgreSQL.

use std::sync::Arc;

use gwbank_model::versions::Outcome;
use gwbank_model::{GatewayId, Parameter, Row, Seq, Timestamp, WellId};
use gwbank_store::conformance::archive_suite;
use gwbank_store::{Archive, ArchiveCommit, RowNames};
use gwbank_testkit::received_row;
use gwbank_timescale::PostgresArchive;

use crate::database;

#[tokio::test]
async fn keeps_the_rules_of_the_port() {
    archive_suite(|names: RowNames| async move {
        Arc::new(PostgresArchive::open(database().await, names).await.unwrap()) as Arc<dyn Archive>
    })
    .await;
}

/// Names that another node brought after this one last looked.
#[tokio::test]
async fn a_node_corrects_what_another_stored() {
    let database = database().await;
    let (one, other) = (RowNames::default(), RowNames::default());
    let first = PostgresArchive::open(database.clone(), one.clone()).await.unwrap();
    let second = PostgresArchive::open(database, other.clone()).await.unwrap();
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
