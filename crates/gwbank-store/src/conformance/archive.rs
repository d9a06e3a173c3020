//! The suite of the archive.

use std::future::Future;
use std::sync::Arc;

use futures::StreamExt;
use gwbank_model::versions::Outcome::{Duplicate, Stored};
use gwbank_model::{
    GatewayId, Key, Origin, Parameter, QcTests, QualityFlag, Row, Seq, SeriesId, SiteStatus, TimeSource, Timestamp,
    WellId,
};

use super::model::{Model, Writer};
use super::summary::summaries_say_what_a_scan_says;
use crate::{
    Archive, ArchiveCommit, ArchiveSnapshot, Narrowed, Narrowing, RevisionRow, RowNames, ScanRequest, Upkeep,
    batch_to_revisions, batch_to_rows, columns, reading_schema, revision_schema,
};

/// Tests an implementation of [`Archive`]. `make` gives an empty one at each call.
///
/// # Panics
/// On the first broken rule.
pub async fn archive_suite<F, Made>(make: F)
where
    F: Fn(RowNames) -> Made,
    Made: Future<Output = Arc<dyn Archive>>,
{
    for case in 0..10 {
        let names = RowNames::default();
        let archive = make(names.clone()).await;
        let case_names = Names { names };
        match case {
            0 => an_empty_archive_says_so(&*archive).await,
            1 => the_highest_revision_then_seq_wins(&*archive, &case_names).await,
            2 => a_commit_may_be_repeated(&*archive, &case_names).await,
            3 => a_requalified_row_replaces_only_what_it_judged(&*archive, &case_names).await,
            4 => a_snapshot_never_changes(&*archive, &case_names).await,
            5 => every_filter_is_exact(&*archive, &case_names).await,
            6 => summaries_say_what_a_scan_says(&*archive, &case_names).await,
            7 => late_rows_find_their_place(&*archive, &case_names).await,
            8 => hints_leave_out_nothing_that_is_looked_at(&*archive, &case_names).await,
            _ => rows_of_one_commit_meet_each_other(&*archive, &case_names).await,
        }
    }
    for seed in 1..=3 {
        let names = RowNames::default();
        let archive = make(names.clone()).await;
        follows_the_model(&*archive, &names, seed).await;
    }
}

pub(super) struct Names {
    pub(super) names: RowNames,
}

impl Names {
    pub(super) fn row(&self, well: &str, at_secs: i64, value: f64, seq: i64) -> Row {
        Row {
            series: self.names.series.intern(&WellId::new(well).expect("a valid id"), Parameter::DepthToWater),
            gateway: self.names.gateways.intern(&GatewayId::new("gw-1").expect("a valid id")),
            time: Timestamp::from_secs(at_secs),
            value,
            seq: Seq::from_i64(seq << 20),
            revision: 0,
            qc_tests: QcTests::NONE,
            quality: if value.is_nan() { QualityFlag::Missing } else { QualityFlag::Pass },
            site_status: None,
            time_source: TimeSource::Device,
            origin: Origin::Received,
            time_form: None,
        }
    }
}

pub(super) fn commit(rows: impl Into<Vec<Row>>, through: i64) -> ArchiveCommit {
    ArchiveCommit { rows: rows.into(), through: Seq::from_i64(through << 20) }
}

/// A row as text, without what is not stored.
fn show(row: &Row) -> String {
    format!("{:?}", Row { origin: Origin::Received, ..*row })
}

/// Every winner and every revision that a request gives, through its streams.
///
/// # Panics
/// When a scan fails.
pub async fn read_all(
    snapshot: &dyn ArchiveSnapshot,
    names: &RowNames,
    request: &ScanRequest,
) -> (Vec<Row>, Vec<RevisionRow>) {
    let mut rows = Vec::new();
    for mut stream in snapshot.scan(request.clone()).expect("scan starts") {
        while let Some(batch) = stream.next().await {
            let batch = batch.expect("scan goes on");
            assert_eq!(batch.schema(), reading_schema());
            rows.extend(batch_to_rows(&batch, names).expect("batches have the schema"));
        }
    }
    let mut revisions = Vec::new();
    for mut stream in snapshot.scan_revisions(request.clone()).expect("scan starts") {
        while let Some(batch) = stream.next().await {
            let batch = batch.expect("scan goes on");
            assert_eq!(batch.schema(), revision_schema());
            revisions.extend(batch_to_revisions(&batch, names).expect("batches have the schema"));
        }
    }
    rows.sort_by_key(Row::key);
    revisions.sort_by_key(|revision| (revision.row.key(), revision.row.seq));
    (rows, revisions)
}

async fn everything(archive: &dyn Archive, names: &Names) -> (Vec<Row>, Vec<RevisionRow>) {
    let snapshot = archive.snapshot().await.expect("snapshot");
    let (rows, revisions) = read_all(&*snapshot, &names.names, &ScanRequest::all()).await;
    assert_eq!(snapshot.row_count(), rows.len() as u64);
    (rows, revisions)
}

async fn an_empty_archive_says_so(archive: &dyn Archive) {
    let snapshot = archive.snapshot().await.expect("snapshot");
    assert_eq!(snapshot.position(), Seq::ZERO);
    assert_eq!(snapshot.row_count(), 0);
    assert_eq!(snapshot.time_range(), None);
    assert!(!snapshot.scan(ScanRequest::all()).expect("scan").is_empty(), "at least one stream");
    archive.commit(commit([], 5)).await.expect("a commit without rows");
    assert_eq!(archive.snapshot().await.expect("snapshot").position(), Seq::from_i64(5 << 20));
    assert_eq!(snapshot.position(), Seq::ZERO, "a snapshot never changes");
}

async fn the_highest_revision_then_seq_wins(archive: &dyn Archive, names: &Names) {
    let first = names.row("A", 1_700_000_000, 1.0, 10);
    let corrected = Row { value: 2.0, ..names.row("A", 1_700_000_000, 2.0, 20) };
    let revised = Row { revision: 2, ..names.row("A", 1_700_000_000, 3.0, 30) };
    let late_loser = names.row("A", 1_700_000_000, 4.0, 40);
    for (row, outcome) in [(first, Stored), (corrected, Stored), (revised, Stored), (late_loser, Stored)] {
        let through = row.seq.as_i64() >> 20;
        let report = archive.commit(commit([row], through)).await.expect("commit");
        assert_eq!(report.outcomes, [outcome]);
    }
    let again = names.row("A", 1_700_000_000, 1.0, 50);
    let report = archive.commit(commit([again], 50)).await.expect("commit");
    assert_eq!(report.outcomes, [Duplicate], "a redelivery undoes no correction");
    let (rows, revisions) = everything(archive, names).await;
    assert_eq!(rows.iter().map(show).collect::<Vec<_>>(), [show(&revised)]);
    assert_eq!(revisions.iter().map(|r| r.row.value).collect::<Vec<_>>(), [1.0, 2.0, 4.0]);
    let by: Vec<Seq> = revisions.iter().map(|r| r.superseded_seq).collect();
    assert_eq!(by, [corrected.seq, revised.seq, revised.seq]);
    assert_eq!(revisions[1].superseded_at, revised.seq.received_at());
    assert_eq!(revisions[2].superseded_at, late_loser.seq.received_at(), "it never had the place");
    assert!(revisions.iter().all(|r| r.cause == "correction"));
    let key = first.key();
    let unknown = Key { time: Timestamp::from_secs(3), ..key };
    let snapshot = archive.snapshot().await.expect("snapshot");
    let found = snapshot.versions(&[unknown, key]).await.expect("versions");
    assert!(found[0].is_none());
    let found = found[1].as_ref().expect("known");
    assert_eq!(show(&found.winner), show(&revised));
    assert_eq!(found.revisions.len(), 3);
}

async fn a_commit_may_be_repeated(archive: &dyn Archive, names: &Names) {
    let rows = vec![
        names.row("B", 1_700_000_000, 1.0, 10),
        names.row("A", 1_700_000_900, f64::NAN, 10),
        names.row("B", 1_700_000_000, 1.0, 11), // duplicate of the first
        names.row("B", 1_700_000_000, 5.0, 12), // correction
    ];
    let first = archive.commit(commit(rows.clone(), 12)).await.expect("commit");
    assert_eq!(first.outcomes, [Stored, Stored, Duplicate, Stored]);
    let before = everything(archive, names).await;
    let second = archive.commit(commit(rows, 12)).await.expect("the same commit");
    assert_eq!(second, first);
    let after = everything(archive, names).await;
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    assert_eq!(archive.snapshot().await.expect("snapshot").position(), Seq::from_i64(12 << 20));
    // A repeated part of it, with an older position, moves nothing back.
    archive.commit(commit([names.row("B", 1_700_000_000, 1.0, 10)], 10)).await.expect("commit");
    assert_eq!(archive.snapshot().await.expect("snapshot").position(), Seq::from_i64(12 << 20));
}

async fn a_requalified_row_replaces_only_what_it_judged(archive: &dyn Archive, names: &Names) {
    let row = names.row("A", 1_700_000_000, 1.0, 10);
    archive.commit(commit([row], 10)).await.expect("commit");
    let judged = Row {
        origin: Origin::Requalified,
        quality: QualityFlag::Suspect,
        qc_tests: QcTests::from_bits(32),
        seq: Seq::from_i64(20 << 20),
        ..row
    };
    archive.commit(commit([judged], 20)).await.expect("commit");
    archive.commit(commit([judged], 20)).await.expect("the same commit");
    let (rows, revisions) = everything(archive, names).await;
    assert_eq!(rows[0].quality, QualityFlag::Suspect);
    assert_eq!(rows[0].qc_tests, judged.qc_tests);
    assert_eq!((revisions.len(), revisions[0].cause, revisions[0].superseded_seq), (1, "quality", judged.seq));
    // The origin of the winner decides whether a redelivery with its seq is itself or a duplicate.
    let redelivered = Row { seq: judged.seq, ..row };
    let report = archive.commit(commit([redelivered], 20)).await.expect("commit");
    assert_eq!(report.outcomes, [Duplicate]);
    let found = archive.snapshot().await.expect("snapshot").versions(&[row.key()]).await.expect("versions");
    let found = found[0].as_ref().expect("known");
    assert_eq!(found.winner.origin, Origin::Requalified);
    assert_eq!(found.revisions[0].row.origin, Origin::Received);
    // What it judged has lost since: nothing.
    let corrected = names.row("A", 1_700_000_000, 7.0, 30);
    let stale = Row { seq: Seq::from_i64(40 << 20), quality: QualityFlag::Fail, ..judged };
    let report = archive.commit(commit([stale, corrected], 40)).await.expect("commit");
    assert_eq!(report.outcomes, [Duplicate, Stored]);
    let (rows, revisions) = everything(archive, names).await;
    assert_eq!((rows[0].value, rows[0].quality), (7.0, QualityFlag::Pass));
    assert_eq!(revisions.iter().map(|r| r.cause).collect::<Vec<_>>(), ["quality", "correction"]);
}

async fn a_snapshot_never_changes(archive: &dyn Archive, names: &Names) {
    let rows: Vec<Row> = (0..200).map(|i| names.row("A", 1_700_000_000 + i * 900, i as f64, 10)).collect();
    archive.commit(commit(rows.clone(), 10)).await.expect("commit");
    let snapshot = archive.snapshot().await.expect("snapshot");
    // Begun before the commits and the maintenance, ended after them.
    let mut begun = snapshot.scan(ScanRequest::all()).expect("scan");
    let before = read_all(&*snapshot, &names.names, &ScanRequest::all()).await;
    for step in 0..6 {
        let corrected: Vec<Row> = rows
            .iter()
            .step_by(3)
            .map(|row| Row { value: -1.0 - step as f64, seq: Seq::from_i64((20 + step) << 20), ..*row })
            .collect();
        archive.commit(commit(corrected, 20 + step)).await.expect("commit");
        archive.maintain(Upkeep::AtRest).await.expect("maintain");
    }
    let after = read_all(&*snapshot, &names.names, &ScanRequest::all()).await;
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    assert_eq!(snapshot.position(), Seq::from_i64(10 << 20));
    let mut count = 0;
    for stream in &mut begun {
        while let Some(batch) = stream.next().await {
            let batch = batch.expect("an old scan goes on");
            let rows = batch_to_rows(&batch, &names.names).expect("rows");
            assert!(rows.iter().all(|row| row.seq == Seq::from_i64(10 << 20)));
            count += rows.len();
        }
    }
    assert_eq!(count, 200);
    let (rows, revisions) = everything(archive, names).await;
    assert_eq!(rows.iter().filter(|row| row.value == -6.0).count(), 67);
    assert_eq!(revisions.len(), 67 * 6);
}

/// Whatever a hint leaves out is not what will be looked at, and nothing else is given than without it.
async fn hints_leave_out_nothing_that_is_looked_at(archive: &dyn Archive, names: &Names) {
    let (from, day) = (1_700_000_000, 86_400);
    // Series that end months apart; one has no reading before the last day.
    let ends = [("A", 200), ("B", 90), ("C", 3), ("D", 200)];
    let mut rows = Vec::new();
    for (well, days) in ends {
        let first = if well == "D" { days - 1 } else { 0 };
        rows.extend((first..days).map(|at| names.row(well, from + at * day, (at % 40) as f64 - 5.0, 10)));
    }
    rows.push(names.row("A", from - day, f64::NAN, 10));
    archive.commit(commit(rows.clone(), 10)).await.expect("commit");
    let later: Vec<Row> = [("A", 199), ("B", 89)].map(|(well, at)| names.row(well, from + at * day, 77.5, 11)).into();
    let later: Vec<Row> = later.into_iter().map(|row| Row { revision: 1, ..row }).collect();
    archive.commit(commit(later, 11)).await.expect("commit");
    let snapshot = archive.snapshot().await.expect("snapshot");
    let time = |at: i64| Some(Timestamp::from_secs(from + at * day));
    let wells = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>().into());
    let requests = [
        ScanRequest { partitions: 2, ..ScanRequest::all() },
        ScanRequest { to: time(100), ..ScanRequest::all() },
        ScanRequest { to: time(1), ..ScanRequest::all() },
        ScanRequest { from: time(95), ..ScanRequest::all() },
        ScanRequest { wells: wells(&["B", "C"]), ..ScanRequest::all() },
        ScanRequest { parameters: Some([Parameter::Ph].into()), ..ScanRequest::all() },
    ];
    for request in requests {
        let (all, _) = read_all(&*snapshot, &names.names, &request).await;
        let check = |what: &str, given: &[Row], is_needed: &dyn Fn(&Row) -> bool| {
            let text = |rows: &mut dyn Iterator<Item = &Row>| rows.map(show).collect::<std::collections::BTreeSet<_>>();
            let (given, possible) = (text(&mut given.iter()), text(&mut all.iter()));
            assert!(given.is_subset(&possible), "{what} {request:?}");
            let needed = text(&mut all.iter().filter(|row| is_needed(row)));
            assert!(needed.is_subset(&given), "{what} {request:?}: {:?}", needed.difference(&given));
        };
        let latest = ScanRequest { latest: true, ..request.clone() };
        let (given, _) = read_all(&*snapshot, &names.names, &latest).await;
        let is_last = |row: &Row| !all.iter().any(|other| other.series == row.series && other.time > row.time);
        check("latest", &given, &is_last);
        for values in [(20.0, f64::INFINITY), (f64::NEG_INFINITY, -4.5), (77.5, 77.5), (1e9, 2e9)] {
            let hinted = ScanRequest { values: Some(values), ..request.clone() };
            let (given, _) = read_all(&*snapshot, &names.names, &hinted).await;
            check("values", &given, &|row| row.value >= values.0 && row.value <= values.1);
        }
        let narrowed = [
            Narrowed { from: time(50), to: time(60), wells: None },
            Narrowed { wells: wells(&["A", "D", "nowhere"]), ..Narrowed::default() },
            Narrowed { wells: wells(&[]), ..Narrowed::default() },
        ];
        for bounds in narrowed {
            let asked = bounds.clone();
            let narrowing = Some(Narrowing::new(move || asked.clone()));
            let (given, _) = read_all(&*snapshot, &names.names, &ScanRequest { narrowing, ..request.clone() }).await;
            let within =
                ScanRequest { from: bounds.from, to: bounds.to, wells: bounds.wells.clone(), ..ScanRequest::all() };
            check("narrowing", &given, &|row| {
                let key = names.names.series.key(row.series);
                within.wants(key.well.as_str(), key.parameter, row.time)
            });
        }
    }
}

async fn every_filter_is_exact(archive: &dyn Archive, names: &Names) {
    let mut rows = Vec::new();
    for (w, well) in ["A", "B", "C", "D"].into_iter().enumerate() {
        for day in 0..100 {
            let row = names.row(well, 1_700_000_000 + day * 86_400, (w * 1000) as f64 + day as f64, 10);
            let chloride = names.names.series.intern(&WellId::new(well).expect("a valid id"), Parameter::Chloride);
            rows.push(row);
            let status = if day % 2 == 0 { Some(SiteStatus::Dry) } else { None };
            rows.push(Row { series: chloride, site_status: status, ..row });
        }
    }
    archive.commit(commit(rows.clone(), 10)).await.expect("commit");
    let corrected: Vec<Row> =
        rows.iter().map(|row| Row { value: row.value + 0.5, seq: Seq::from_i64(11 << 20), ..*row }).collect();
    archive.commit(commit(corrected.clone(), 11)).await.expect("commit");
    let snapshot = archive.snapshot().await.expect("snapshot");
    assert_eq!(snapshot.time_range(), Some((rows[0].time, rows[199].time)));
    let time = |day: i64| Some(Timestamp::from_secs(1_700_000_000 + day * 86_400));
    let wells = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>().into());
    let requests = [
        ScanRequest::all(),
        ScanRequest { partitions: 7, ..ScanRequest::default() },
        ScanRequest { from: time(10), ..ScanRequest::all() },
        ScanRequest { to: time(10), ..ScanRequest::all() },
        ScanRequest { from: time(30), to: time(61), partitions: 3, ..ScanRequest::default() },
        ScanRequest { from: time(30), to: time(30), ..ScanRequest::all() },
        ScanRequest { wells: wells(&["B", "D", "nowhere"]), ..ScanRequest::all() },
        ScanRequest { wells: wells(&[]), ..ScanRequest::all() },
        ScanRequest { parameters: Some([Parameter::Chloride].into()), ..ScanRequest::all() },
        ScanRequest { parameters: Some([Parameter::Ph].into()), ..ScanRequest::all() },
        ScanRequest {
            from: time(5),
            to: time(95),
            wells: wells(&["A", "C"]),
            parameters: Some([Parameter::DepthToWater].into()),
            ..ScanRequest::all()
        },
    ];
    for request in requests {
        let (winners, losers) = read_all(&*snapshot, &names.names, &request).await;
        let wanted = |row: &&Row| {
            let key = names.names.series.key(row.series);
            request.wants(key.well.as_str(), key.parameter, row.time)
        };
        let mut expected: Vec<Row> = corrected.iter().filter(wanted).copied().collect();
        expected.sort_by_key(Row::key);
        let text = |rows: &[Row]| rows.iter().map(show).collect::<Vec<_>>();
        assert_eq!(text(&winners), text(&expected), "{request:?}");
        assert_eq!(losers.len(), expected.len(), "{request:?}");

        // The same rows whatever is asked of them, in the order of the projection.
        let projection = vec![columns::SEQ, columns::VALUE];
        let projected = ScanRequest { projection: Some(projection), ..request.clone() };
        let mut values = Vec::new();
        for mut stream in snapshot.scan(projected).expect("scan") {
            while let Some(batch) = stream.next().await {
                let batch = batch.expect("scan");
                assert_eq!(batch.num_columns(), 2);
                assert_eq!(batch.schema().field(0).name(), "seq");
                let column = batch.column(1).clone();
                let column = column.as_any().downcast_ref::<arrow::array::Float64Array>().expect("values");
                values.extend(column.iter().map(|v| v.expect("no missing value").to_bits()));
            }
        }
        values.sort_unstable();
        let mut expected: Vec<u64> = expected.iter().map(|row| row.value.to_bits()).collect();
        expected.sort_unstable();
        assert_eq!(values, expected, "{request:?}");
        // No column at all: only the count matters.
        let none = ScanRequest { projection: Some(Vec::new()), ..request.clone() };
        let mut count = 0;
        for mut stream in snapshot.scan(none).expect("scan") {
            while let Some(batch) = stream.next().await {
                count += batch.expect("scan").num_rows();
            }
        }
        assert_eq!(count, expected.len(), "{request:?}");
    }
    let series = names.names.series.get("C", Parameter::Chloride).expect("known");
    let found = snapshot.series_rows(series, time(3).expect("set"), time(6).expect("set")).await.expect("rows");
    assert_eq!(found.iter().map(|row| row.value).collect::<Vec<_>>(), [2003.5, 2004.5, 2005.5]);
    several_series_are_those_of_each(&*snapshot, names).await;
}

/// Wells and parameters that are not asked for together stay out.
async fn several_series_are_those_of_each(snapshot: &dyn ArchiveSnapshot, names: &Names) {
    let series = [("C", Parameter::Chloride), ("A", Parameter::DepthToWater)];
    let series = series.map(|(well, parameter)| names.names.series.get(well, parameter).expect("known"));
    let found = snapshot.rows_of_series(&series, Timestamp::MIN, Timestamp::MAX).await.expect("rows");
    for one in series {
        let of_it: Vec<(Timestamp, f64)> =
            found.iter().filter(|row| row.series == one).map(|row| (row.time, row.value)).collect();
        let alone = snapshot.series_rows(one, Timestamp::MIN, Timestamp::MAX).await.expect("rows");
        assert_eq!(of_it, alone.iter().map(|row| (row.time, row.value)).collect::<Vec<_>>());
    }
    assert!(found.iter().all(|row| series.contains(&row.series)) && !found.is_empty());
    assert!(snapshot.rows_of_series(&[], Timestamp::MIN, Timestamp::MAX).await.expect("rows").is_empty());
}

async fn late_rows_find_their_place(archive: &dyn Archive, names: &Names) {
    let month = 31 * 86_400;
    let start = 1_700_000_000;
    let newest = names.row("A", start + 5 * month, 1.0, 10);
    let oldest = names.row("A", start - 50 * month, 2.0, 11);
    let between = names.row("A", start, 3.0, 12);
    let beside = names.row("A", start + 1, 4.0, 13);
    let ancient = names.row("A", -1_700_000_000, 5.0, 14);
    for row in [newest, oldest, between, beside, ancient] {
        let through = row.seq.as_i64() >> 20;
        let report = archive.commit(commit([row], through)).await.expect("commit");
        assert_eq!(report.outcomes, [Stored]);
    }
    // The other series of the well is another key.
    let series = names.names.series.intern(&WellId::new("A").expect("a valid id"), Parameter::Ph);
    let other = Row { series, ..between };
    assert_eq!(archive.commit(commit([other], 15)).await.expect("commit").outcomes, [Stored]);
    let corrections: Vec<Row> = [newest, oldest, between, beside, ancient]
        .into_iter()
        .map(|row| Row { value: row.value + 10.0, seq: Seq::from_i64(20 << 20), ..row })
        .collect();
    let report = archive.commit(commit(corrections, 20)).await.expect("commit");
    assert_eq!(report.outcomes, [Stored; 5]);
    let snapshot = archive.snapshot().await.expect("snapshot");
    let rows = snapshot.series_rows(newest.series, Timestamp::MIN, Timestamp::MAX).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.value).collect::<Vec<_>>(), [15.0, 12.0, 13.0, 14.0, 11.0]);
    assert_eq!((snapshot.row_count(), snapshot.time_range()), (6, Some((ancient.time, newest.time))));
    let (_, revisions) = everything(archive, names).await;
    assert_eq!(revisions.len(), 5);
}

async fn rows_of_one_commit_meet_each_other(archive: &dyn Archive, names: &Names) {
    let at = 1_700_000_000;
    let rows = vec![
        names.row("A", at, 3.0, 30),
        names.row("A", at, 1.0, 10),
        names.row("A", at, 1.0, 40), // says nothing new
        names.row("A", at, 2.0, 20),
        Row { revision: 1, ..names.row("A", at, 9.0, 15) },
    ];
    let report = archive.commit(commit(rows, 40)).await.expect("commit");
    assert_eq!(report.outcomes, [Stored, Stored, Duplicate, Stored, Stored]);
    let (rows, revisions) = everything(archive, names).await;
    assert_eq!(rows.iter().map(|row| row.value).collect::<Vec<_>>(), [9.0]);
    assert_eq!(revisions.iter().map(|r| r.row.value).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
}

/// Compares what an archive shows with the model: rows, revisions, counts, range, versions, one series.
///
/// # Panics
/// When they differ.
pub async fn check_against_model(archive: &dyn Archive, names: &RowNames, model: &Model) {
    let snapshot = archive.snapshot().await.expect("snapshot");
    let (rows, revisions) = read_all(&*snapshot, names, &ScanRequest { partitions: 3, ..ScanRequest::all() }).await;
    let text = |rows: &[Row]| rows.iter().map(show).collect::<Vec<_>>();
    let winners = model.winners();
    assert_eq!(text(&rows), text(&winners));
    let losers: Vec<Row> = revisions.iter().map(|revision| revision.row).collect();
    assert_eq!(text(&losers), text(&model.losers()));
    assert_eq!(snapshot.position(), model.position);
    assert_eq!(snapshot.row_count(), winners.len() as u64);
    let times = || winners.iter().map(|row| row.time);
    assert_eq!(snapshot.time_range(), times().min().zip(times().max()));
    let mut ends: Vec<(SeriesId, Timestamp)> = archive.series_ends().await.expect("ends");
    ends.sort_unstable();
    let mut last: std::collections::BTreeMap<SeriesId, Timestamp> = std::collections::BTreeMap::new();
    winners.iter().for_each(|row| {
        let end = last.entry(row.series).or_insert(row.time);
        *end = row.time.max(*end);
    });
    assert_eq!(ends, last.into_iter().collect::<Vec<_>>());
    let keys = model.keys();
    let found = snapshot.versions(&keys).await.expect("versions");
    for (key, found) in keys.iter().zip(found) {
        let found = found.expect("a key of the model");
        assert_eq!(found.iter().count(), model.versions_of(*key));
    }
    let Some(middle) = winners.get(winners.len() / 2) else { return };
    let series = snapshot.series_rows(middle.series, middle.time, Timestamp::MAX).await.expect("rows");
    let expected: Vec<Row> =
        winners.iter().filter(|row| row.series == middle.series && row.time >= middle.time).copied().collect();
    assert_eq!(text(&series), text(&expected));
}

async fn follows_the_model(archive: &dyn Archive, names: &RowNames, seed: u64) {
    let mut writer = Writer::new(seed, names);
    let mut model = Model::default();
    for step in 0..12 {
        let (rows, through) = writer.commit(60);
        let report = archive.commit(ArchiveCommit { rows: rows.clone(), through }).await.expect("commit");
        assert_eq!(report.outcomes, model.commit(&rows, through), "seed {seed} step {step}");
        if writer.random.one_in(3) {
            archive.maintain(Upkeep::AtRest).await.expect("maintain");
        }
        if writer.random.one_in(4) {
            check_against_model(archive, names, &model).await;
        }
    }
    check_against_model(archive, names, &model).await;
}
