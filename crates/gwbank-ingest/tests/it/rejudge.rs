//! Limits change while readings come in, processes end and stores are away: in the end everything that is stored is judged as
//! if it had come under the last limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use gwbank_ingest::{IngestError, Pipeline, PipelineParts};
use gwbank_model::{Month, Parameter, QcTest, QualityFlag, Seq, SeriesId, Timestamp, WellId};
use gwbank_quality::overrides::{LimitRow, QualityOverrides};
use gwbank_quality::{Finding, Findings, SeriesConfig, WellFacts};
use gwbank_store::{
    Archive, ArchiveCommit, ArchiveError, ArchiveSnapshot, CommitReport, DirtyMonth, MaintenanceReport, Metadata,
    MetadataError, QualityFinding, Review, ReviewAction, ReviewId, SecondLookCommit, SeriesFindings, Upkeep,
    WatchCommit,
};
use proptest::prelude::*;
use tokio::sync::{mpsc, oneshot};

use crate::gated::{GatedMetadata, WriteGate};
use crate::model::{self, Crashes, Model, Step, WELLS, assert_holds, perform, revisions};
use crate::rig::{MoodyArchive, Rig, START_SECS, block_on, depth, eventually, json, rounds};

const HEAD: &str = "well_id,parameter,limit_name,value\n";

/// What is put into the table, or taken out of it.
const CHANGES: [&str; 5] = [
    "A,depth_to_water,spike.off,1",
    "*,depth_to_water,gross_range.user_max,3",
    "*,depth_to_water,flat_line.suspect_hours,2\n*,depth_to_water,flat_line.suspect_readings_min,4",
    "B,depth_to_water,gross_range.sensor_max,4\nB,depth_to_water,rate_of_change.suspect_per_hour,100",
    "A,depth_to_water,spike.off,\n*,depth_to_water,gross_range.user_max,\nB,depth_to_water,gross_range.sensor_max,",
];

/// In slots of the model from when to when.
type Stretch = (QcTest, i64, i64);

/// Of a well.
const FINDINGS: [(&str, &[Stretch]); 5] = [
    ("A", &[(QcTest::LevelShift, 10, 20)]),
    ("A", &[(QcTest::Neighbour, 0, 14), (QcTest::LevelShift, 12, 50)]),
    ("B", &[(QcTest::Drift, 5, 700)]),
    ("B", &[]),
    ("A", &[]),
];

fn second_look((well, found): (&str, &[Stretch])) -> SecondLookCommit {
    let well_id: WellId = well.parse().unwrap();
    let parameter = Parameter::DepthToWater;
    let finding = |&(test, from, to): &Stretch| QualityFinding {
        well_id: well_id.clone(),
        parameter,
        test,
        from: model::time(from),
        to: model::time(to),
        detail: String::new(),
        found_at: Timestamp::from_secs(0),
    };
    let findings = found.iter().map(finding).collect();
    let series = vec![SeriesFindings { well_id: well_id.clone(), parameter, findings }];
    SecondLookCommit { series, ..SecondLookCommit::default() }
}

#[derive(Debug, Clone)]
enum Event {
    Step(Step),
    /// Into the table, while the process runs.
    Import(usize),
    /// A second look finds something, or nothing any more, while the process runs.
    Find(usize),
    /// A person rejects a stretch of a well, in slots of the model, while the process runs.
    Reject {
        well: usize,
        from: i64,
        length: i64,
    },
    /// The n-th rejection that stands is taken back.
    Withdraw(usize),
    /// The process ends and starts with another configuration.
    Configure(Option<u8>),
}

fn event(slots: i64) -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => model::step(slots).prop_map(Event::Step),
        3 => (0..CHANGES.len()).prop_map(Event::Import),
        2 => (0..FINDINGS.len()).prop_map(Event::Find),
        2 => (0..WELLS.len(), 0..slots, 0..slots / 2)
            .prop_map(|(well, from, length)| Event::Reject { well, from, length }),
        1 => (0usize..4).prop_map(Event::Withdraw),
        1 => proptest::option::of(1u8..4).prop_map(Event::Configure),
    ]
}

fn rejection(well: &str, from: Timestamp, to: Timestamp) -> Review {
    Review {
        id: ReviewId(0),
        well_id: well.parse().unwrap(),
        parameter: Parameter::DepthToWater,
        from: Some(from),
        to: Some(to),
        action: ReviewAction::Reject,
        amount: None,
        amount_end: None,
        author: "somchai".to_owned(),
        reason: "the sensor lay on the ground".to_owned(),
        seq: Seq::ZERO,
        created_at: Timestamp::from_secs(0),
        readings: 0,
        done_at: None,
        withdrawal: None,
    }
}

async fn withdraw(pipeline: &Pipeline, nth: usize) {
    let standing: Vec<ReviewId> = {
        let reviews = pipeline.reviews().borrow().clone();
        reviews.all().iter().filter(|review| review.withdrawal.is_none()).map(|review| review.id).collect()
    };
    if let Some(id) = standing.get(nth % standing.len().max(1)) {
        pipeline.withdraw_review(*id, "malee".to_owned(), "it did not".to_owned(), &[]).await.unwrap();
    }
}

/// What holds for a well by the configuration and the table.
async fn config_of(rig: &Rig, well: &str) -> SeriesConfig {
    let stored = rig.metadata.quality_limits().await.unwrap();
    let rows: Vec<LimitRow> = stored
        .into_iter()
        .map(|limit| LimitRow {
            well: limit.key.well_id.map(|id| id.to_string()),
            parameter: limit.key.parameter,
            limit: limit.key.limit,
            value: limit.value,
        })
        .collect();
    let overrides = rig.config.quality.with_rows(&rows).unwrap();
    let found = rig.metadata.quality_findings().await.unwrap();
    let found = found.into_iter().filter(|found| found.well_id.as_str() == well);
    let found = found.map(|QualityFinding { test, from, to, .. }| Finding { test, from, to });
    let reviews = rig.metadata.reviews().await.unwrap();
    let rejected = reviews.iter().filter(|review| review.well_id.as_str() == well && review.withdrawal.is_none());
    let rejected = rejected.map(|review| {
        let (from, to) = review.ends();
        Finding { test: QcTest::Review, from, to }
    });
    let findings = Findings::new(found.chain(rejected));
    let limits = SeriesConfig::for_series(Parameter::DepthToWater, well, &WellFacts::default(), &overrides).unwrap();
    SeriesConfig { findings, ..limits }
}

/// Waits until the metadata say that everything is judged by what holds now.
async fn judged(rig: &Rig) {
    for well in WELLS {
        let fingerprint = config_of(rig, well).await.fingerprint();
        if rig.archived(well, Parameter::DepthToWater).await.is_empty() {
            continue;
        }
        eventually("the stored readings to be judged anew", || async {
            let known = rig.metadata.judged_series().await.unwrap();
            let series = known.iter().find(|s| s.well_id.as_str() == well && s.parameter == Parameter::DepthToWater);
            series.is_some_and(|series| (series.fingerprint, series.under_way_since) == (fingerprint, None))
        })
        .await;
    }
}

async fn run(events: Vec<Event>, small: bool) {
    let mut rig = Rig::new();
    rig.config.flush_rows = 40;
    if small {
        rig.config.window_bytes_max = 1 << 16;
        rig.config.warm_bytes_max = 2000;
    }
    let (mut model, mut next_slot) = (Model::default(), [0; WELLS.len()]);
    let mut pipeline = rig.open_with_wells(&WELLS).await;
    for event in events {
        match event {
            Event::Step(step) => {
                let message = step.message(&mut next_slot);
                message.iter().flatten().for_each(|sent| model.take(sent));
                pipeline = perform(&rig, pipeline, &step, message.as_deref(), Crashes::Happen).await;
            }
            Event::Import(number) => {
                pipeline.import_quality_limits(format!("{HEAD}{}\n", CHANGES[number]).as_bytes()).await.unwrap();
            }
            Event::Find(number) => pipeline.take_second_look(second_look(FINDINGS[number])).await.unwrap(),
            Event::Reject { well, from, length } => {
                let review = rejection(WELLS[well], model::time(from), model::time(from + length));
                pipeline.add_review(review, &[]).await.unwrap();
            }
            Event::Withdraw(nth) => withdraw(&pipeline, nth).await,
            Event::Configure(user_max) => {
                let mut overrides = QualityOverrides::default();
                let value = |max: u8| {
                    overrides.set(Some("B"), Some(Parameter::DepthToWater), "gross_range.user_max", max.into())
                };
                user_max.map(value).transpose().unwrap();
                pipeline.halt().await.unwrap();
                rig.config.quality = Arc::new(overrides);
                pipeline = rig.open().await;
            }
        }
    }
    pipeline.flush().await.unwrap();
    // Whatever was seen first is looked at with the next start.
    pipeline.halt().await.unwrap();
    let pipeline = rig.open().await;
    judged(&rig).await;
    pipeline.flush().await.unwrap();
    for (well, id) in WELLS.iter().enumerate() {
        assert_holds(&rig, &pipeline, well, &model.series(well, &config_of(&rig, id).await)).await;
    }
    pipeline.shutdown().await.unwrap();
}

proptest! {
    #![proptest_config(rounds(24))]

    #[test]
    fn everything_is_judged_by_the_last_limits_findings_and_rejections(events in proptest::collection::vec(event(60), 1..30)) {
        block_on(run(events, false));
    }

    #[test]
    fn what_is_older_than_the_window_too(late in proptest::collection::vec(event(900), 1..30)) {
        let mut events = vec![];
        for _ in 0..20 {
            events.push(Event::Step(Step::Run { well: 0, count: 59 }));
            events.push(Event::Step(Step::Run { well: 1, count: 59 }));
        }
        events.push(Event::Step(Step::Flush));
        events.extend(late);
        block_on(run(events, true));
    }
}

/// Readings of a few days, the last of them far off; everything archived, every mark evaluated.
async fn archived(rig: &Rig) -> Pipeline {
    let pipeline = rig.open_with_wells(&["A", "B"]).await;
    let reading =
        |n: i64| depth("A", START_SECS - 86_400 + n * 900, if n == 40 { 9.0 } else { 3.0 + n as f64 / 100.0 });
    let readings: Vec<String> = (0..80).map(reading).collect();
    pipeline.ingest(json("gw", format!("[{}]", readings.join(",")))).await.unwrap();
    pipeline.flush().await.unwrap();
    let evaluated = rig.metadata.dirty_months(10).await.unwrap();
    assert!(!evaluated.is_empty());
    rig.metadata.commit_watch(WatchCommit { evaluated, ..WatchCommit::default() }).await.unwrap();
    pipeline
}

async fn qualities(rig: &Rig) -> Vec<(QualityFlag, bool)> {
    let rows = rig.archived("A", Parameter::DepthToWater).await;
    rows.iter().map(|row| (row.quality, row.qc_tests.contains(QcTest::Spike))).collect()
}

async fn dirty(rig: &Rig) -> Vec<DirtyMonth> {
    rig.metadata.dirty_months(10).await.unwrap()
}

#[tokio::test]
async fn the_old_judgement_stays_as_a_revision_and_the_month_is_marked() {
    let rig = Rig::new();
    let pipeline = archived(&rig).await;
    assert_eq!(qualities(&rig).await[40], (QualityFlag::Fail, true));
    let applied = pipeline.import_quality_limits(format!("{HEAD}A,depth_to_water,spike.off,1\n").as_bytes()).await;
    assert_eq!(applied.unwrap().rows, 1);
    judged(&rig).await;
    assert!(qualities(&rig).await.iter().all(|(_, spike)| !spike));
    let revisions = revisions(&rig).await;
    let told: Vec<_> = revisions.iter().map(|revision| (revision.cause, revision.row.quality)).collect();
    assert!(told.contains(&("quality", QualityFlag::Fail)), "{told:?}");
    let marks = dirty(&rig).await;
    assert_eq!(marks.iter().map(|mark| mark.month).collect::<Vec<_>>(), [Month::new(2026, 10)]);
    assert_eq!(pipeline.status().rejudgement, None);

    assert!(pipeline.remove_quality_limit(rig.metadata.quality_limits().await.unwrap()[0].key.clone()).await.unwrap());
    judged(&rig).await;
    assert_eq!(qualities(&rig).await[40], (QualityFlag::Fail, true), "as it was");
    let key = gwbank_store::QualityLimitKey { well_id: None, parameter: None, limit: "spike.off".to_owned() };
    assert!(!pipeline.remove_quality_limit(key).await.unwrap());
    pipeline.shutdown().await.unwrap();
}

/// A rejection fails readings, is told as the cause, and leaves when it is taken back.
#[tokio::test]
async fn what_a_person_rejects_fails_until_it_is_taken_back() {
    let rig = Rig::new();
    let pipeline = archived(&rig).await;
    let before = rig.archived("A", Parameter::DepthToWater).await;
    let review = pipeline.add_review(rejection("A", before[10].time, before[12].time), &[]).await.unwrap();
    assert_eq!((review.id, review.done_at.is_some()), (ReviewId(1), true));
    judged(&rig).await;
    let rejected = rig.archived("A", Parameter::DepthToWater).await;
    let is_rejected = |row: &gwbank_model::Row| row.qc_tests.contains(QcTest::Review);
    let failed: Vec<usize> = (0..rejected.len()).filter(|&n| is_rejected(&rejected[n])).collect();
    assert_eq!(failed, [10, 11, 12]);
    assert!(failed.iter().all(|&n| rejected[n].quality == QualityFlag::Fail));
    assert!(rejected.iter().zip(&before).all(|(one, other)| one.value == other.value), "originals are kept");
    let causes: Vec<&str> = revisions(&rig).await.iter().map(|revision| revision.cause).collect();
    assert_eq!(causes.iter().filter(|cause| **cause == "review").count(), 3, "{causes:?}");

    // A late reading within it is judged with it at once, and a restart forgets nothing.
    let late = before[11].time.plus_secs(60).as_micros() / 1_000_000;
    pipeline.ingest(json("gw", format!("[{}]", depth("A", late, 3.1)))).await.unwrap();
    pipeline.flush().await.unwrap();
    let is_late = |row: &&gwbank_model::Row| row.time == before[11].time.plus_secs(60);
    let came = rig.archived("A", Parameter::DepthToWater).await;
    assert!(came.iter().find(is_late).is_some_and(is_rejected));
    pipeline.halt().await.unwrap();
    let pipeline = rig.open().await;
    assert_eq!(pipeline.reviews().borrow().all(), rig.metadata.reviews().await.unwrap());

    withdraw(&pipeline, 0).await;
    judged(&rig).await;
    assert!(!rig.archived("A", Parameter::DepthToWater).await.iter().any(is_rejected));
    let refused = pipeline.withdraw_review(ReviewId(1), String::new(), String::new(), &[]).await;
    assert!(matches!(refused, Err(IngestError::Refused { what: "review", .. })), "{refused:?}");
    pipeline.shutdown().await.unwrap();
}

#[tokio::test]
async fn limits_that_change_nothing_write_nothing() {
    let rig = Rig::new();
    let pipeline = archived(&rig).await;
    let before = pipeline.status().archived_through;
    pipeline.import_quality_limits(format!("{HEAD}A,*,gap.silence_max_hours,500\n").as_bytes()).await.unwrap();
    judged(&rig).await;
    assert_eq!(pipeline.status().archived_through, before);
    assert!(dirty(&rig).await.is_empty() && revisions(&rig).await.is_empty());
}

#[tokio::test]
async fn a_file_with_a_fault_changes_nothing() {
    let rig = Rig::new();
    let pipeline = archived(&rig).await;
    let file = format!("{HEAD}A,depth_to_water,spike.off,1\nA,depth_to_water,spike.suspct,1\n");
    let refused = pipeline.import_quality_limits(file.as_bytes()).await;
    assert!(matches!(&refused, Err(IngestError::Rows(faults)) if faults[0].line == 3), "{refused:?}");
    assert!(rig.metadata.quality_limits().await.unwrap().is_empty());
}

/// An archive of which no snapshot is taken but somebody finds something elsewhere meanwhile.
#[derive(Debug)]
struct Disturbed {
    inner: MoodyArchive,
    /// Asks for a finding, and waits until it was taken in; nobody answers once the test has seen enough.
    asks: mpsc::Sender<oneshot::Sender<()>>,
}

#[async_trait]
impl Archive for Disturbed {
    async fn commit(&self, commit: ArchiveCommit) -> Result<CommitReport, ArchiveError> {
        self.inner.commit(commit).await
    }
    async fn snapshot(&self) -> Result<Arc<dyn ArchiveSnapshot>, ArchiveError> {
        let snapshot = self.inner.snapshot().await?;
        let (answers, answer) = oneshot::channel();
        if self.asks.send(answers).await.is_ok() {
            let _ = answer.await;
        }
        Ok(snapshot)
    }
    async fn series_ends(&self) -> Result<Vec<(SeriesId, Timestamp)>, ArchiveError> {
        self.inner.series_ends().await
    }
    async fn maintain(&self, upkeep: Upkeep) -> Result<MaintenanceReport, ArchiveError> {
        self.inner.maintain(upkeep).await
    }
}

/// A second look over a country brings findings in for hours, well by well: each of them changes what some series are judged
/// by, and takes nothing back of what was done for the others.
#[tokio::test]
async fn findings_of_one_well_do_not_hold_up_another() {
    let rig = Rig::new();
    let pipeline = archived(&rig).await;
    pipeline.ingest(json("gw", depth("B", START_SECS - 86_400, 3.0))).await.unwrap();
    pipeline.flush().await.unwrap();
    // What was seen first is looked at with the next start.
    pipeline.halt().await.unwrap();
    let pipeline = rig.open().await;
    judged(&rig).await;
    pipeline.halt().await.unwrap();

    let (asks, mut asked) = mpsc::channel::<oneshot::Sender<()>>(1);
    let parts = PipelineParts {
        archive: Arc::new(Disturbed { inner: rig.archive.clone(), asks }),
        metadata: Arc::new(rig.metadata.clone()),
        names: rig.names.clone(),
        clock: rig.clock.clone(),
    };
    let opening = tokio::spawn(Pipeline::open(rig.config.clone(), parts));
    let of_a = || async {
        let known = rig.metadata.judged_series().await.unwrap();
        let fingerprint = config_of(&rig, "A").await.fingerprint();
        known.iter().any(|s| (s.well_id.as_str(), s.fingerprint, s.under_way_since) == ("A", fingerprint, None))
    };
    // Whoever takes a snapshot while the pipeline opens finds nothing new.
    let pipeline = loop {
        tokio::select! {
            biased;
            Some(answers) = asked.recv() => drop(answers),
            () = std::future::ready(()), if opening.is_finished() => break opening.await.unwrap().unwrap(),
            () = tokio::task::yield_now() => {}
        }
    };
    pipeline.import_quality_limits(format!("{HEAD}A,depth_to_water,spike.off,1\n").as_bytes()).await.unwrap();
    assert!(!of_a().await);
    let mut disturbances = 0;
    while !of_a().await {
        assert!(disturbances < 100, "A is held up");
        let asks = tokio::time::timeout(std::time::Duration::from_secs(30), asked.recv()).await;
        let answers = asks.expect("somebody looks").unwrap();
        // Found, and found no more.
        pipeline.take_second_look(second_look(FINDINGS[2 + disturbances % 2])).await.unwrap();
        disturbances += 1;
        let _ = answers.send(());
    }
    assert!(qualities(&rig).await.iter().all(|(_, spike)| !spike));
    drop(asked);
    judged(&rig).await;
    pipeline.shutdown().await.unwrap();
}

/// Lets so many writes through, and then none.
#[derive(Debug)]
struct Remaining {
    left: AtomicUsize,
    refuses: Arc<AtomicBool>,
}

impl WriteGate for Remaining {
    fn begin(&self) -> Result<(), MetadataError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        self.refuses.store(left.is_err(), Ordering::SeqCst);
        left.map(drop).map_err(|_| MetadataError::Unavailable("gone fishing".into()))
    }
    fn end(&self) -> Result<(), MetadataError> {
        Ok(())
    }
}

/// The archive has new judgements, and the metadata end before they know of them: their months are marked all the same.
#[tokio::test]
async fn whatever_write_is_the_last_one_the_marks_are_made() {
    // The note, the limits, the marks with the stretch; then the series would be done.
    for writes in 2..4 {
        let rig = Rig::new();
        archived(&rig).await.halt().await.unwrap();
        // Before the limits change everything is known to be judged.
        let pipeline = rig.open().await;
        judged(&rig).await;
        pipeline.halt().await.unwrap();

        let refuses = Arc::new(AtomicBool::new(false));
        let gate = Remaining { left: AtomicUsize::new(writes), refuses: refuses.clone() };
        let parts = PipelineParts {
            archive: Arc::new(rig.archive.clone()),
            metadata: Arc::new(GatedMetadata::new(rig.metadata.clone(), gate)),
            names: rig.names.clone(),
            clock: rig.clock.clone(),
        };
        let pipeline = Pipeline::open(rig.config.clone(), parts).await.unwrap();
        pipeline.import_quality_limits(format!("{HEAD}A,depth_to_water,spike.off,1\n").as_bytes()).await.unwrap();
        eventually("the writes to be used up", || async { refuses.load(Ordering::SeqCst) }).await;
        pipeline.halt().await.unwrap();
        let pipeline = rig.open().await;
        judged(&rig).await;
        assert!(qualities(&rig).await.iter().all(|(_, spike)| !spike), "after {writes} writes");
        let marks = dirty(&rig).await;
        assert!(marks.iter().any(|mark| mark.month == Month::new(2026, 10)), "after {writes} writes");
        pipeline.shutdown().await.unwrap();
    }
}
