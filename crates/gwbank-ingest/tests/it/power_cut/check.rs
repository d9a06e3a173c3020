//! What a running process shows, against the book.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use gwbank_ingest::GatewayRow;
use gwbank_model::{Key, Parameter, QcTests, QualityFlag, Row, Seq, Timestamp};
use gwbank_quality::{Point, SeriesConfig, WellFacts, assess};
use gwbank_store::{
    Archive, DeadLetterFilter, GatewayCounts, PayloadPage, ScanRequest, StoredVersions, batch_to_revisions,
};

use super::book::{Book, Series, Version, winner};
use super::machine::Running;
use crate::rig::assert_adds_up;

/// What was in flight when the power failed is there whole or not at all; everything else is there. Settles in the book
/// which of it is.
pub async fn resolve(running: &Running, book: &mut Book) {
    let rows = running.pipeline.gateways().await.expect("metadata can be read");
    rows.iter().for_each(assert_adds_up);
    for gateway in 0..book.gateways.len() {
        let found = counts_of(&rows, gateway);
        let promised = book.gateways[gateway].counts.received;
        match book.gateways[gateway].unresolved.take() {
            Some(message) if found.received == promised + message.count() => book.take(gateway, &message),
            _ => assert_eq!(found.received, promised, "gateway {gateway}: readings received"),
        }
    }
    if let Some(well) = book.registering.take()
        && running.pipeline.registry().well(&well).is_some()
    {
        book.registered.insert(well);
    }
    for well in &book.registered {
        assert!(running.pipeline.registry().well(well).is_some(), "{well} is registered");
    }
}

fn counts_of(rows: &[GatewayRow], gateway: usize) -> GatewayCounts {
    let id = format!("gw-{gateway}");
    rows.iter().find(|row| row.gateway_id.as_str() == id).map(|row| row.counts).unwrap_or_default()
}

/// Acknowledged implies queryable, from the first moment on: window, or archive and what the window adds to it.
pub async fn is_visible(running: &Running, book: &Book) {
    let rows = running.pipeline.gateways().await.expect("metadata can be read");
    for (gateway, account) in book.gateways.iter().enumerate() {
        let found = counts_of(&rows, gateway);
        let promised = account.counts;
        if book.is_certain() {
            assert_eq!(found.dead, promised.dead, "gateway {gateway}: dead readings");
            assert!(found.stored <= promised.stored && found.duplicate <= promised.duplicate, "gateway {gateway}");
        }
    }
    let window = running.pipeline.window().snapshot();
    let archive = running.archive.snapshot().await.expect("a snapshot");
    for ((well, parameter), series) in &book.series {
        let place = format!("{well} {parameter}");
        let id = running.names.series.get(well, *parameter).unwrap_or_else(|| panic!("{place} is lost"));
        let keys: Vec<Key> = series.keys().map(|time| Key { series: id, time: *time }).collect();
        let archived = archive.versions(&keys).await.expect("readable");
        for ((key, archived), versions) in keys.iter().zip(archived).zip(series.values()) {
            // Older than the window, what it holds is not compared with the archive yet.
            let mut known = archived.filter(|_| key.time < window.covers_from());
            let mut recent = window.versions(*key);
            recent.sort_by_key(|row| row.seq);
            for row in recent {
                StoredVersions::take(&mut known, row);
            }
            let best = known.map(|known| Version { value: known.winner.value(), revision: known.winner.revision });
            assert_eq!(best, Some(winner(versions)), "{place} at {}", key.time.to_rfc3339(0));
        }
    }
}

/// Everything, once all of it is archived.
pub async fn is_all_there(running: &Running, book: &Book) {
    let rows = running.pipeline.gateways().await.expect("metadata can be read");
    for (gateway, account) in book.gateways.iter().enumerate() {
        assert_eq!(counts_of(&rows, gateway), account.counts, "counts of gateway {gateway}");
    }
    assert!(rows.iter().all(|row| row.pending == 0), "nothing is pending");
    let status = running.pipeline.status();
    let archive = running.archive.snapshot().await.expect("a snapshot");
    assert_eq!(archive.row_count(), book.keys() as u64, "rows of the archive");
    let window = running.pipeline.window().snapshot();
    for ((well, parameter), series) in &book.series {
        let place = format!("{well} {parameter}");
        let id = running.names.series.get(well, *parameter).unwrap_or_else(|| panic!("{place} is lost"));
        let expected = shown_by(series, *parameter);
        let archived = archive.series_rows(id, Timestamp::MIN, Timestamp::MAX).await.expect("readable");
        assert_same(&shown(&archived), &expected, &format!("archive, {place}"));
        assert!(archived.iter().all(|row| row.seq <= status.applied_through), "{place}: seq from the future");
        let recent = window.series_rows(id, window.covers_from(), Timestamp::MAX);
        let expected: Vec<Shown> = expected.into_iter().filter(|row| row.0 >= window.covers_from()).collect();
        assert_same(&shown(&recent), &expected, &format!("window, {place}"));
    }
    assert_eq!(corrections(running).await, losers(book), "superseded values");
    letters(running, book).await;
    let dirty = running.metadata.dirty_months(usize::MAX).await.expect("readable");
    let dirty: BTreeSet<_> =
        dirty.into_iter().map(|dirty| (dirty.well_id.to_string(), dirty.parameter, dirty.month)).collect();
    let missing: Vec<_> = book.months().into_iter().filter(|month| !dirty.contains(month)).collect();
    assert!(missing.is_empty(), "not dirty: {missing:?}");
}

type Shown = (Timestamp, Option<f64>, QualityFlag, QcTests);

/// Winners in time order, with the quality of the whole series judged at once.
fn shown_by(series: &Series, parameter: Parameter) -> Vec<Shown> {
    let winners = series.iter().map(|(time, versions)| (*time, winner(versions).value));
    let points: Vec<Point> = winners.map(|(time, value)| Point { time, value, site_status: None }).collect();
    let judged = assess(&SeriesConfig::for_well(parameter, &WellFacts::default()), &points);
    points.iter().zip(judged).map(|(point, judged)| (point.time, point.value, judged.flag, judged.tests)).collect()
}

fn shown(rows: &[Row]) -> Vec<Shown> {
    rows.iter().map(|row| (row.time, row.value(), row.quality, row.qc_tests)).collect()
}

/// Says where two series differ first, not all that they hold.
fn assert_same(found: &[Shown], expected: &[Shown], place: &str) {
    let differing = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert_eq!(differing, None, "{place}: (found, expected)");
    assert_eq!(found.len(), expected.len(), "{place}: number of rows");
}

/// How often each value was superseded by another; values as text, for they have no order.
type Losers = BTreeMap<(String, String, Timestamp, String, u32), u32>;

fn losers(book: &Book) -> Losers {
    let mut losers = Losers::new();
    for ((well, parameter), series) in &book.series {
        for (time, versions) in series {
            let best = winner(versions);
            for version in versions.iter().filter(|version| **version != best) {
                let value = format!("{:?}", version.value);
                *losers.entry((well.clone(), parameter.to_string(), *time, value, version.revision)).or_default() += 1;
            }
        }
    }
    losers
}

async fn corrections(running: &Running) -> Losers {
    let snapshot = running.archive.snapshot().await.expect("a snapshot");
    let mut found = Losers::new();
    for mut stream in snapshot.scan_revisions(ScanRequest::all()).expect("a scan") {
        while let Some(batch) = stream.try_next().await.expect("readable") {
            for revision in batch_to_revisions(&batch, &running.names).expect("revisions") {
                if revision.cause == "correction" {
                    let key = running.names.series.key(revision.row.series);
                    let value = format!("{:?}", revision.row.value());
                    let (well, parameter) = (key.well.to_string(), key.parameter.to_string());
                    let loser = (well, parameter, revision.row.time, value, revision.row.revision);
                    *found.entry(loser).or_default() += 1;
                }
            }
        }
    }
    found
}

/// (gateway, unknown well or nothing, payload) of every dead letter.
type Letters = Vec<(String, Option<String>, String)>;

async fn letters(running: &Running, book: &Book) {
    let found = open_letters(running).await;
    let mut expected: Letters = Vec::new();
    for (gateway, account) in book.gateways.iter().enumerate() {
        let id = format!("gw-{gateway}");
        expected.extend(account.letters.iter().map(|l| (id.clone(), l.well.clone(), l.payload.clone())));
    }
    expected.sort_unstable();
    assert_eq!(found, expected, "dead letters");
}

/// The dead letters that the metadata has, sorted.
pub async fn open_letters(running: &Running) -> Letters {
    let mut letters: Letters = Vec::new();
    for entry in running.metadata.dead_letters(DeadLetterFilter::default()).await.expect("readable") {
        let well = (entry.reason == "unknown_well").then(|| entry.subject.clone());
        let all = PayloadPage { payloads_max: usize::MAX, bytes_max: usize::MAX, ..PayloadPage::FIRST };
        let payloads = running.metadata.dead_letter_payloads(entry.id, all).await.expect("readable");
        assert_eq!(payloads.len() as u64, entry.count, "payloads of {entry:?}");
        assert_eq!(payloads.iter().map(|letter| letter.readings).sum::<u64>(), entry.readings, "readings of {entry:?}");
        for letter in payloads {
            let payload = String::from_utf8(letter.payload.to_vec()).expect("text");
            letters.push((entry.gateway_id.to_string(), well.clone(), payload));
        }
    }
    letters.sort_unstable();
    letters
}

/// The sequence never goes backwards at a node.
pub fn seq_moves_on(running: &Running, highest: &mut Seq) {
    let applied = running.pipeline.status().applied_through;
    assert!(applied > *highest, "{applied} was given out after {highest}");
    *highest = applied;
}
