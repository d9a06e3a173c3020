//! Random messages in random order, with flushes and crashes in between, against the plainest model of what should be.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures::TryStreamExt;
use gwbank_ingest::Pipeline;
use gwbank_model::versions::{Change, compare};
use gwbank_model::{Parameter, QcTests, QualityFlag, Row, Seq, SeriesId, Timestamp};
use gwbank_quality::{Point, SeriesConfig, WellFacts, assess};
use gwbank_store::{Archive, RevisionRow, ScanRequest, batch_to_revisions};
use gwbank_testkit::received_row;
use proptest::prelude::*;

use crate::rig::{Rig, START_SECS, block_on, gateway_counts, json, rounds};

pub const WELLS: [&str; 2] = ["A", "B"];
const STEP_SECS: i64 = 900;

#[derive(Debug, Clone)]
pub struct Sent {
    well: usize,
    slot: i64,
    value: Option<i32>,
    revision: u32,
}

#[derive(Debug, Clone)]
pub enum Step {
    /// One message.
    Send(Vec<Sent>),
    /// In-order readings of a well, so that the window fills.
    Run {
        well: usize,
        count: i64,
    },
    Flush,
    /// What came until now is sealed, but the archive is away, and then the process ends.
    SealAndRestart,
    /// The archive takes what the metadata does not, and then the process ends.
    HalfFlushAndRestart,
    Restart,
}

impl Step {
    pub fn message(&self, next_slot: &mut [i64; WELLS.len()]) -> Option<Vec<Sent>> {
        match self {
            Step::Send(message) => Some(message.clone()),
            &Step::Run { well, count } => {
                let first = next_slot[well];
                next_slot[well] += count;
                let value = |slot: i64| Some(if slot % 97 == 13 { 60 } else { (slot / 40 % 5) as i32 });
                Some((first..first + count).map(|slot| Sent { well, slot, value: value(slot), revision: 0 }).collect())
            }
            _ => None,
        }
    }
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

pub fn step(slots: i64) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(sent(slots), 1..8).prop_map(Step::Send),
        3 => (0..WELLS.len(), 1i64..60).prop_map(|(well, count)| Step::Run { well, count }),
        2 => Just(Step::Flush),
        1 => Just(Step::SealAndRestart),
        1 => Just(Step::HalfFlushAndRestart),
        1 => Just(Step::Restart),
    ]
}

/// Every version of every key, in the order of receipt.
#[derive(Default)]
pub struct Model {
    keys: BTreeMap<(usize, i64), Vec<Row>>,
    seq: i64,
    received: u64,
    stored: u64,
    duplicate: u64,
}

impl Model {
    pub fn take(&mut self, sent: &Sent) {
        self.seq += 1;
        let value = sent.value.map_or(f64::NAN, f64::from);
        let row = received_row(SeriesId(sent.well as u32), time(sent.slot), value, Seq::from_i64(self.seq));
        let row = Row { revision: sent.revision, ..row };
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
    pub fn series(&self, well: usize, config: &SeriesConfig) -> Vec<Shown> {
        let winners: Vec<Row> = self
            .keys
            .range((well, i64::MIN)..=(well, i64::MAX))
            .filter_map(|(_, versions)| versions.iter().max_by_key(|row| row.precedence()).copied())
            .collect();
        let points: Vec<Point> =
            winners.iter().map(|row| Point { time: row.time, value: row.value(), site_status: None }).collect();
        let judged = assess(config, &points);
        winners.iter().zip(judged).map(|(row, judged)| (row.time, row.value(), judged.flag, judged.tests)).collect()
    }
}

pub async fn revisions(rig: &Rig) -> Vec<RevisionRow> {
    let snapshot = rig.archive.snapshot().await.unwrap();
    let mut revisions = Vec::new();
    for mut stream in snapshot.scan_revisions(ScanRequest::all()).unwrap() {
        while let Some(batch) = stream.try_next().await.unwrap() {
            revisions.extend(batch_to_revisions(&batch, &rig.names).unwrap());
        }
    }
    revisions
}

/// Superseded values that the archive has, beside those that were only judged anew.
async fn corrections(rig: &Rig) -> u64 {
    revisions(rig).await.iter().filter(|revision| revision.cause == "correction").count() as u64
}

pub fn time(slot: i64) -> Timestamp {
    Timestamp::from_secs(START_SECS - 400 * 86_400 + slot * STEP_SECS)
}

pub fn payload(message: &[Sent]) -> String {
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

pub type Shown = (Timestamp, Option<f64>, QualityFlag, QcTests);

/// Says where two series differ first, not all that they hold.
pub fn assert_same(found: &[Shown], expected: &[Shown], place: &str) {
    let differing = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert_eq!(differing, None, "{place}: (found, expected)");
    assert_eq!(found.len(), expected.len(), "{place}: number of rows");
}

pub fn shown(rows: &[Row]) -> Vec<Shown> {
    rows.iter().map(|row| (row.time, row.value(), row.quality, row.qc_tests)).collect()
}

#[derive(Clone, Copy, PartialEq)]
pub enum Crashes {
    Happen,
    /// The process goes on where it would end.
    LeftOut,
}

pub async fn perform(
    rig: &Rig,
    pipeline: Pipeline,
    step: &Step,
    message: Option<&[Sent]>,
    crashes: Crashes,
) -> Pipeline {
    if let Some(message) = message {
        pipeline.ingest(json("gw", payload(message))).await.unwrap();
    }
    let away = match step {
        Step::Send(_) | Step::Run { .. } => return pipeline,
        Step::Flush => {
            pipeline.flush().await.unwrap();
            return pipeline;
        }
        Step::Restart => None,
        Step::SealAndRestart => Some(&rig.archive.away),
        Step::HalfFlushAndRestart => Some(&rig.metadata_away),
    };
    if let Some(away) = away {
        away.store(true, Ordering::SeqCst);
        // Fails where there is anything to archive or to account for.
        let _ = pipeline.flush().await;
        away.store(false, Ordering::SeqCst);
    }
    if crashes == Crashes::LeftOut {
        return pipeline;
    }
    pipeline.halt().await.unwrap();
    rig.open().await
}

/// Everything that the archive holds after the steps, as text: winners, and what they superseded.
async fn archived_after(steps: &[Step], crashes: Crashes) -> (Vec<String>, Vec<String>) {
    let mut rig = Rig::new();
    // Stretches end where the steps say.
    rig.config.flush_rows = u64::MAX;
    let mut next_slot = [0; WELLS.len()];
    let mut pipeline = rig.open_with_wells(&WELLS).await;
    for step in steps {
        let message = step.message(&mut next_slot);
        pipeline = perform(&rig, pipeline, step, message.as_deref(), crashes).await;
    }
    pipeline.flush().await.unwrap();
    let mut winners = Vec::new();
    for well in WELLS {
        let rows = rig.archived(well, Parameter::DepthToWater).await;
        winners.extend(rows.iter().map(|row| format!("{well} {row:?}")));
    }
    let revisions = revisions(&rig).await.iter().map(|revision| format!("{revision:?}")).collect();
    pipeline.shutdown().await.unwrap();
    (winners, revisions)
}

/// Runs the steps; `small` makes a window that holds little, so that late data is older than it.
async fn run(steps: Vec<Step>, small: bool) {
    let mut rig = Rig::new();
    rig.config.flush_rows = 40;
    if small {
        rig.config.window_bytes_max = 1 << 16;
        rig.config.warm_bytes_max = 2000;
    }
    let (mut model, mut next_slot) = (Model::default(), [0; WELLS.len()]);
    let mut pipeline = rig.open_with_wells(&WELLS).await;
    for step in steps {
        let message = step.message(&mut next_slot);
        message.iter().flatten().for_each(|sent| model.take(sent));
        pipeline = perform(&rig, pipeline, &step, message.as_deref(), Crashes::Happen).await;
        let [received, stored, duplicate, dead, pending] = gateway_counts(&pipeline, "gw").await;
        assert_eq!((received, dead), (model.received, 0));
        assert!(stored <= model.stored && duplicate <= model.duplicate);
        assert_eq!(stored + duplicate + pending, model.stored + model.duplicate);
    }
    pipeline.flush().await.unwrap();
    assert_eq!(gateway_counts(&pipeline, "gw").await, [model.received, model.stored, model.duplicate, 0, 0]);
    assert_eq!(corrections(&rig).await, model.stored - model.keys.len() as u64, "superseded values");
    let config = SeriesConfig::for_well(Parameter::DepthToWater, &WellFacts::default());
    for well in 0..WELLS.len() {
        assert_holds(&rig, &pipeline, well, &model.series(well, &config)).await;
    }
    assert_eq!(pipeline.status().pending, 0);
    pipeline.shutdown().await.unwrap();
}

/// Archive and window have these winners of a well.
pub async fn assert_holds(rig: &Rig, pipeline: &Pipeline, well: usize, expected: &[Shown]) {
    let id = WELLS[well];
    assert_same(&shown(&rig.archived(id, Parameter::DepthToWater).await), expected, &format!("archive, well {id}"));
    let window = pipeline.window().snapshot();
    if let Some(series) = rig.names.series.get(id, Parameter::DepthToWater) {
        let recent = window.series_rows(series, window.covers_from(), Timestamp::MAX);
        let expected: Vec<_> = expected.iter().filter(|row| row.0 >= window.covers_from()).copied().collect();
        assert_same(&shown(&recent), &expected, &format!("window, well {id}"));
    }
}

proptest! {
    #![proptest_config(rounds(24))]

    #[test]
    fn any_order_with_crashes_gives_what_the_model_says(steps in proptest::collection::vec(step(60), 1..30)) {
        block_on(run(steps, false));
    }

    #[test]
    fn crashes_change_nothing_of_the_archive(steps in proptest::collection::vec(step(60), 1..30)) {
        block_on(async {
            let (winners, revisions) = archived_after(&steps, Crashes::Happen).await;
            let (expected_winners, expected_revisions) = archived_after(&steps, Crashes::LeftOut).await;
            for (found, expected) in [(winners, expected_winners), (revisions, expected_revisions)] {
                let differing = found.iter().zip(&expected).find(|(found, expected)| found != expected);
                assert_eq!(differing, None, "(found, expected)");
                assert_eq!(found.len(), expected.len());
            }
        });
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
