//! Random messages in random order, with flushes and crashes in between, against the plainest model of what should be.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures::TryStreamExt;
use gwbank_model::versions::{Change, compare};
use gwbank_model::{GatewayIndex, Origin, Parameter, QcTests, QualityFlag, Row, Seq, SeriesId, TimeSource, Timestamp};
use gwbank_quality::{Point, SeriesConfig, WellFacts, assess};
use gwbank_store::{Archive, ScanRequest, batch_to_revisions};
use proptest::prelude::*;

use crate::rig::{Rig, START_SECS, block_on, gateway_counts, json, rounds};

const WELLS: [&str; 2] = ["A", "B"];
const STEP_SECS: i64 = 900;

#[derive(Debug, Clone)]
struct Sent {
    well: usize,
    slot: i64,
    value: Option<i32>,
    revision: u32,
}

#[derive(Debug, Clone)]
enum Step {
    /// One message.
    Send(Vec<Sent>),
    /// In-order readings of a well, so that the window fills.
    Run {
        well: usize,
        count: i64,
    },
    Flush,
    /// The archive takes what the metadata does not, and then the process ends.
    HalfFlushAndRestart,
    Restart,
}

fn sent(slots: i64) -> impl Strategy<Value = Sent> {
    let value = prop_oneof![8 => (0i32..6).prop_map(Some), 1 => Just(None), 1 => Just(Some(900))];
    let revision = prop_oneof![6 => Just(0u32), 1 => 1u32..3];
    (0..WELLS.len(), 0..slots, value, revision).prop_map(|(well, slot, value, revision)| Sent {
        well,
        slot,
        value,
        revision,
    })
}

fn step(slots: i64) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(sent(slots), 1..8).prop_map(Step::Send),
        3 => (0..WELLS.len(), 1i64..60).prop_map(|(well, count)| Step::Run { well, count }),
        2 => Just(Step::Flush),
        1 => Just(Step::HalfFlushAndRestart),
        1 => Just(Step::Restart),
    ]
}

/// Every version of every key, in the order of receipt.
#[derive(Default)]
struct Model {
    keys: BTreeMap<(usize, i64), Vec<Row>>,
    seq: i64,
    received: u64,
    stored: u64,
    duplicate: u64,
    next_slot: [i64; WELLS.len()],
}

impl Model {
    fn take(&mut self, sent: &Sent) {
        self.seq += 1;
        let row = Row {
            series: SeriesId(sent.well as u32),
            gateway: GatewayIndex(0),
            time: time(sent.slot),
            value: sent.value.map_or(f64::NAN, f64::from),
            seq: Seq::from_i64(self.seq),
            revision: sent.revision,
            qc_tests: QcTests::NONE,
            quality: QualityFlag::NotEvaluated,
            site_status: None,
            time_source: TimeSource::Device,
            origin: Origin::Received,
            time_form: None,
        };
        self.received += 1;
        let known = self.keys.entry((sent.well, sent.slot)).or_default();
        match compare(known.iter(), &row) {
            Change::Duplicate => self.duplicate += 1,
            _ => {
                self.stored += 1;
                known.push(row);
            }
        }
    }

    /// Winners of a well in time order, with the quality of the whole series judged at once.
    fn series(&self, well: usize) -> Vec<Shown> {
        let winners: Vec<Row> = self
            .keys
            .range((well, i64::MIN)..=(well, i64::MAX))
            .filter_map(|(_, versions)| versions.iter().max_by_key(|row| row.precedence()).copied())
            .collect();
        let points: Vec<Point> =
            winners.iter().map(|row| Point { time: row.time, value: row.value(), site_status: None }).collect();
        let config = SeriesConfig::for_well(Parameter::DepthToWater, &WellFacts::default());
        let judged = assess(&config, &points);
        winners.iter().zip(judged).map(|(row, judged)| (row.time, row.value(), judged.flag, judged.tests)).collect()
    }
}

/// Superseded values that the archive has, beside those that were only judged anew.
async fn corrections(rig: &Rig) -> u64 {
    let snapshot = rig.archive.snapshot().await.unwrap();
    let mut corrections = 0;
    for mut stream in snapshot.scan_revisions(ScanRequest::all()).unwrap() {
        while let Some(batch) = stream.try_next().await.unwrap() {
            let revisions = batch_to_revisions(&batch, &rig.names).unwrap();
            corrections += revisions.iter().filter(|revision| revision.cause == "correction").count() as u64;
        }
    }
    corrections
}

fn time(slot: i64) -> Timestamp {
    Timestamp::from_secs(START_SECS - 400 * 86_400 + slot * STEP_SECS)
}

fn payload(message: &[Sent]) -> String {
    let readings: Vec<String> = message
        .iter()
        .map(|sent| {
            let value = sent.value.map_or("null".to_owned(), |value| value.to_string());
            let (well, time) = (WELLS[sent.well], time(sent.slot).to_rfc3339(0));
            format!(r#"{{"well":"{well}","time":"{time}","depth_to_water":{value},"revision":{}}}"#, sent.revision)
        })
        .collect();
    format!("[{}]", readings.join(","))
}

type Shown = (Timestamp, Option<f64>, QualityFlag, QcTests);

/// Says where two series differ first, not all that they hold.
fn assert_same(found: &[Shown], expected: &[Shown], place: &str) {
    let differing = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert_eq!(differing, None, "{place}: (found, expected)");
    assert_eq!(found.len(), expected.len(), "{place}: number of rows");
}

fn shown(rows: &[Row]) -> Vec<Shown> {
    rows.iter().map(|row| (row.time, row.value(), row.quality, row.qc_tests)).collect()
}

/// Runs the steps; `small` makes a window that holds little, so that late data is older than it.
async fn run(steps: Vec<Step>, small: bool) {
    let mut rig = Rig::new();
    rig.config.flush_rows = 40;
    if small {
        rig.config.window_bytes_max = 1 << 16;
        rig.config.warm_bytes_max = 2000;
    }
    let mut model = Model::default();
    let mut pipeline = rig.open_with_wells(&WELLS).await;
    for step in steps {
        match step {
            Step::Send(message) => {
                message.iter().for_each(|sent| model.take(sent));
                pipeline.ingest(json("gw", payload(&message))).await.unwrap();
            }
            Step::Run { well, count } => {
                let first = model.next_slot[well];
                model.next_slot[well] += count;
                let value = |slot: i64| Some(if slot % 97 == 13 { 60 } else { (slot / 40 % 5) as i32 });
                let message: Vec<Sent> =
                    (first..first + count).map(|slot| Sent { well, slot, value: value(slot), revision: 0 }).collect();
                message.iter().for_each(|sent| model.take(sent));
                pipeline.ingest(json("gw", payload(&message))).await.unwrap();
            }
            Step::Flush => pipeline.flush().await.unwrap(),
            Step::HalfFlushAndRestart => {
                rig.metadata_away.store(true, Ordering::SeqCst);
                // Fails where there is anything to account for.
                let _ = pipeline.flush().await;
                rig.metadata_away.store(false, Ordering::SeqCst);
                pipeline.halt().await.unwrap();
                pipeline = rig.open().await;
            }
            Step::Restart => {
                pipeline.halt().await.unwrap();
                pipeline = rig.open().await;
            }
        }
        let [received, stored, duplicate, dead, pending] = gateway_counts(&pipeline, "gw").await;
        assert_eq!((received, dead), (model.received, 0));
        assert!(stored <= model.stored && duplicate <= model.duplicate);
        assert_eq!(stored + duplicate + pending, model.stored + model.duplicate);
    }
    pipeline.flush().await.unwrap();
    assert_eq!(gateway_counts(&pipeline, "gw").await, [model.received, model.stored, model.duplicate, 0, 0]);
    assert_eq!(corrections(&rig).await, model.stored - model.keys.len() as u64, "superseded values");
    let window = pipeline.window().snapshot();
    for (well, id) in WELLS.iter().enumerate() {
        let expected = model.series(well);
        assert_same(
            &shown(&rig.archived(id, Parameter::DepthToWater).await),
            &expected,
            &format!("archive, well {id}"),
        );
        if let Some(series) = rig.names.series.get(id, Parameter::DepthToWater) {
            let recent = window.series_rows(series, window.covers_from(), Timestamp::MAX);
            let expected: Vec<_> = expected.into_iter().filter(|row| row.0 >= window.covers_from()).collect();
            assert_same(&shown(&recent), &expected, &format!("window, well {id}"));
        }
    }
    assert_eq!(pipeline.status().pending, 0);
    pipeline.shutdown().await.unwrap();
}

proptest! {
    #![proptest_config(rounds(24))]

    #[test]
    fn any_order_with_crashes_gives_what_the_model_says(steps in proptest::collection::vec(step(60), 1..30)) {
        block_on(run(steps, false));
    }

    #[test]
    fn data_older_than_the_window_too(
        late in proptest::collection::vec(step(900), 1..30),
    ) {
        // First fill the window beyond its bound, so that it covers the end only.
        let mut steps = vec![];
        for _ in 0..20 {
            steps.push(Step::Run { well: 0, count: 59 });
            steps.push(Step::Run { well: 1, count: 59 });
        }
        steps.push(Step::Flush);
        steps.extend(late);
        block_on(run(steps, true));
    }
}
