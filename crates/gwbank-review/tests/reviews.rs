//! Reviews against readings in memory: whatever is reviewed and withdrawn in whatever order, wherever it is interrupted, values
//! are what the reviews that stand say, and who looks back sees what was known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use gwbank_model::{GatewayIndex, Month, Parameter, Reading, Row, Seq, SeriesId, Timestamp, WellId};
use gwbank_registry::{BankType, Registry, Well};
use gwbank_review::{
    BookError, FormerValue, FormerValues, ReviewBook, ReviewError, Reviewer, ReviewerParts, corrected,
};
use gwbank_store::{
    Approvals, DailyValue, HourlyMean, LastHeard, NewReview, Review, ReviewAction, ReviewId, ReviewedVersion, Reviews,
    SeriesEnd, SeriesReadError, SeriesReader, SeriesRequest, StoredVersions, Withdrawal,
};
use gwbank_testkit::{received_row, test_rounds};
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::sync::watch;

fn well() -> WellId {
    WellId::new("A").unwrap()
}

const DEPTH: Parameter = Parameter::DepthToWater;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_secs(1_795_403_700 + 60 * minute)
}

#[derive(Default)]
struct State {
    versions: BTreeMap<Timestamp, StoredVersions>,
    reviews: Vec<Review>,
    last: i64,
    /// Writes that succeed before one fails.
    fails_after: Option<u32>,
}

impl State {
    fn next(&mut self) -> Seq {
        self.last += 1 << 20;
        Seq::from_i64(self.last)
    }

    fn may_write(&mut self) -> Result<(), BookError> {
        match &mut self.fails_after {
            None => Ok(()),
            Some(0) => Err(BookError("told to fail".into())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn take_in(&mut self, row: Row) {
        let mut known = self.versions.remove(&row.time);
        StoredVersions::take(&mut known, row);
        self.versions.extend(known.map(|known| (row.time, known)));
    }
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

impl Server {
    fn send(&self, minute: i64, value: f64) {
        let mut state = self.0.lock();
        let seq = state.next();
        state.take_in(received_row(SeriesId(0), at(minute), value, seq));
    }

    fn values(&self) -> BTreeMap<Timestamp, Option<f64>> {
        self.0.lock().versions.iter().map(|(time, versions)| (*time, versions.winner.value())).collect()
    }

    fn approved(&self) -> Vec<Timestamp> {
        let state = self.0.lock();
        let approvals = Approvals::new(&state.reviews);
        let of_series = approvals.of("A", DEPTH);
        let is_approved = |row: &Row| {
            let is_corrected = row.gateway == GatewayIndex::REVIEW;
            let version = ReviewedVersion { time: row.time, seq: row.seq, is_corrected, is_rejected: false };
            of_series.is_some_and(|of| of.approves(version))
        };
        let winners = state.versions.values().map(|versions| versions.winner);
        winners.filter(is_approved).map(|row| row.time).collect()
    }
}

#[async_trait]
impl ReviewBook for Server {
    fn reviews(&self) -> Arc<Reviews> {
        Arc::new(Reviews::new(self.0.lock().reviews.clone()))
    }

    async fn add(&self, review: Review, _: Vec<Month>) -> Result<Review, BookError> {
        let mut state = self.0.lock();
        state.may_write()?;
        let id = ReviewId(state.reviews.len() as i64 + 1);
        let done_at = (!review.action.corrects()).then_some(at(0));
        let review = Review { id, seq: state.next(), done_at, ..review };
        state.reviews.push(review.clone());
        Ok(review)
    }

    async fn withdraw(&self, id: ReviewId, author: String, reason: String, _: Vec<Month>) -> Result<Review, BookError> {
        let mut state = self.0.lock();
        state.may_write()?;
        let seq = state.next();
        let review = state.reviews.iter_mut().find(|review| review.id == id).unwrap();
        let done_at = (!review.action.corrects()).then_some(at(0));
        review.withdrawal = Some(Withdrawal { author, reason, seq, at: at(0), done_at });
        Ok(review.clone())
    }

    async fn finish(&self, id: ReviewId) -> Result<Review, BookError> {
        let mut state = self.0.lock();
        state.may_write()?;
        let review = state.reviews.iter_mut().find(|review| review.id == id).unwrap();
        match &mut review.withdrawal {
            Some(withdrawal) => withdrawal.done_at = Some(at(0)),
            None => review.done_at = Some(at(0)),
        }
        Ok(review.clone())
    }

    async fn put(&self, readings: Vec<Reading>) -> Result<(), BookError> {
        let mut state = self.0.lock();
        state.may_write()?;
        let seq = state.next();
        for reading in readings {
            let value = reading.value.unwrap_or(f64::NAN);
            let row = received_row(SeriesId(0), reading.time, value, seq);
            state.take_in(Row { gateway: GatewayIndex::REVIEW, revision: reading.revision, ..row });
        }
        Ok(())
    }
}

#[async_trait]
impl FormerValues for Server {
    async fn as_known_at(
        &self,
        _: &WellId,
        _: Parameter,
        from: Timestamp,
        to: Timestamp,
        known: Seq,
    ) -> Result<Vec<FormerValue>, SeriesReadError> {
        let state = self.0.lock();
        let mut found = Vec::new();
        for versions in state.versions.range(from..to).map(|(_, versions)| versions) {
            let lost = versions.revisions.iter().filter(|revision| revision.superseded_seq > known);
            let held = lost.map(|revision| revision.row).chain([versions.winner]).find(|row| row.seq <= known);
            found.extend(held.map(|row| FormerValue { time: row.time, value: row.value(), site_status: None }));
        }
        Ok(found)
    }
}

#[async_trait]
impl SeriesReader for Server {
    async fn daily_values(&self, _: SeriesRequest) -> Result<Vec<DailyValue>, SeriesReadError> {
        unreachable!("not asked for")
    }
    async fn hourly_means(&self, _: SeriesRequest) -> Result<Vec<HourlyMean>, SeriesReadError> {
        unreachable!("not asked for")
    }
    async fn rows_between(
        &self,
        _: &WellId,
        _: Parameter,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, SeriesReadError> {
        Ok(self.0.lock().versions.range(from..to).map(|(_, versions)| versions.winner).collect())
    }
    async fn last_heard(&self) -> Result<Vec<LastHeard>, SeriesReadError> {
        unreachable!("not asked for")
    }
    async fn series_end(&self, _: &WellId, _: Parameter, _: Timestamp) -> Result<SeriesEnd, SeriesReadError> {
        unreachable!("not asked for")
    }
}

fn reviewer(server: &Server) -> Reviewer {
    let registry = Registry::new(vec![Well::new(well(), "30", BankType::Observation)], Vec::new());
    Reviewer::new(ReviewerParts {
        book: Arc::new(server.clone()),
        reader: Arc::new(server.clone()),
        former: Arc::new(server.clone()),
        registry: watch::channel(Arc::new(registry)).1,
        calendar_offset_seconds: 0,
        readings_at_once: 2,
    })
}

fn asked(action: ReviewAction, from: i64, to: i64, amount: Option<f64>) -> NewReview {
    NewReview {
        well_id: well(),
        parameter: DEPTH,
        from: Some(at(from)),
        to: Some(at(to)),
        action,
        amount,
        amount_end: None,
        author: "somchai".to_owned(),
        reason: "compared with the tape".to_owned(),
    }
}

#[tokio::test]
async fn a_correction_is_approved_and_can_be_withdrawn() {
    let server = Server::default();
    (0..5).for_each(|minute| server.send(minute, 3.4));
    let reviewer = reviewer(&server);
    let review = reviewer.review(asked(ReviewAction::Add, 1, 3, Some(0.1))).await.unwrap();
    assert_eq!((review.readings, review.done_at), (3, Some(at(0))));
    let values: Vec<f64> = server.values().into_values().flatten().collect();
    assert_eq!(values, [3.4, 3.5, 3.5, 3.5, 3.4]);
    assert_eq!(server.approved(), [at(1), at(2), at(3)]);
    assert_eq!(server.0.lock().versions[&at(1)].revisions[0].cause, "review");

    server.send(2, 3.4); // again, late
    assert_eq!(server.values()[&at(2)], Some(3.5));
    reviewer.withdraw(review.id, "malee".to_owned(), "the tape was wrong".to_owned()).await.unwrap();
    assert!(server.values().into_values().all(|value| value == Some(3.4)));
    assert_eq!(server.approved(), []);
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_its_field() {
    let server = Server::default();
    server.send(1, 3.4);
    let reviewer = reviewer(&server);
    let add = asked(ReviewAction::Add, 0, 5, Some(0.1));
    let cases = [
        ("author", NewReview { author: " ".to_owned(), ..add.clone() }),
        ("reason", NewReview { reason: "\u{7}".to_owned(), ..add.clone() }),
        ("well_id", NewReview { well_id: WellId::new("B").unwrap(), ..add.clone() }),
        ("to", asked(ReviewAction::Add, 5, 0, Some(0.1))),
        ("amount", asked(ReviewAction::Add, 0, 5, None)),
        ("amount", asked(ReviewAction::Approve, 0, 5, Some(1.0))),
        ("amount", asked(ReviewAction::Add, 0, 5, Some(f64::NAN))),
        ("amount", asked(ReviewAction::Add, 0, 5, Some(0.0))),
        ("amount", asked(ReviewAction::Scale, 0, 5, Some(f64::MAX))),
        ("amount_end", asked(ReviewAction::Drift, 0, 5, Some(0.1))),
        ("from, to", NewReview { amount_end: Some(1.0), to: None, ..asked(ReviewAction::Drift, 0, 5, Some(0.1)) }),
        ("from, to", asked(ReviewAction::Approve, 2, 5, None)),
        ("from, to", asked(ReviewAction::Reject, 2, 5, None)),
    ];
    for (expected, case) in cases {
        match reviewer.review(case.clone()).await {
            Err(ReviewError::Refused { field, .. }) => assert_eq!(field, expected, "{case:?}"),
            other => panic!("{case:?}: {other:?}"),
        }
    }
    assert!(server.0.lock().reviews.is_empty());
    let first = reviewer.review(add.clone()).await.unwrap();
    reviewer.review(add).await.unwrap();
    let error = reviewer.withdraw(first.id, "a".to_owned(), "b".to_owned()).await.unwrap_err();
    assert!(error.to_string().contains("withdraw that one first"), "{error}");
    let unknown = reviewer.withdraw(ReviewId(9), "a".to_owned(), "b".to_owned()).await.unwrap_err();
    assert!(matches!(unknown, ReviewError::Unknown(ReviewId(9))));
}

#[derive(Debug, Clone)]
enum Step {
    Send {
        minute: i64,
        value: i32,
    },
    Review {
        action: ReviewAction,
        from: i64,
        to: i64,
        amount: i32,
    },
    /// The n-th of those that can be.
    Withdraw(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let action = prop_oneof![
        Just(ReviewAction::Approve),
        Just(ReviewAction::Add),
        Just(ReviewAction::Scale),
        Just(ReviewAction::Set),
    ];
    let review = (action, 0i64..8, 0i64..8, 2i32..5).prop_map(|(action, one, other, amount)| Step::Review {
        action,
        from: one.min(other),
        to: one.max(other),
        amount,
    });
    let step = prop_oneof![
        4 => (0i64..8, 1i32..4).prop_map(|(minute, value)| Step::Send { minute, value }),
        3 => review,
        2 => (0usize..8).prop_map(Step::Withdraw),
    ];
    prop::collection::vec(step, 1..25)
}

/// Goes on until what was begun is done, by reviewers that each end at a failure.
async fn insist(server: &Server) {
    while let Err(error) = reviewer(server).resume().await {
        assert!(!matches!(error, ReviewError::Refused { .. }), "{error}");
        server.0.lock().fails_after = Some(1);
    }
}

async fn run(
    server: &Server,
    steps: &[Step],
    failures: &[u32],
) -> Vec<(BTreeMap<Timestamp, Option<f64>>, Vec<Timestamp>)> {
    let mut failures = failures.iter().copied();
    let mut seen = Vec::new();
    for step in steps {
        if let Step::Send { minute, value } = step {
            server.send(*minute, f64::from(*value));
        } else {
            loop {
                server.0.lock().fails_after = failures.next();
                let reviewer = reviewer(server);
                let before = server.0.lock().reviews.clone();
                let done = match step {
                    Step::Review { action, from, to, amount } => {
                        let amount = action.corrects().then_some(f64::from(*amount));
                        reviewer.review(asked(*action, *from, *to, amount)).await
                    }
                    Step::Withdraw(n) => {
                        let standing = before.iter().filter(|review| review.withdrawal.is_none());
                        let Some(review) = standing.clone().nth(n % standing.count().max(1)) else { break };
                        reviewer.withdraw(review.id, "malee".to_owned(), "a mistake".to_owned()).await
                    }
                    Step::Send { .. } => unreachable!(),
                };
                let kept = server.0.lock().reviews != before;
                match done {
                    Ok(_) | Err(ReviewError::Refused { .. }) => break,
                    // Nothing was kept: it is asked for again.
                    Err(ReviewError::Book(_)) => assert!(!kept),
                    Err(ReviewError::UnderWay { .. }) => {
                        assert!(kept);
                        server.0.lock().fails_after = failures.next();
                        insist(server).await;
                        break;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            server.0.lock().fails_after = None;
        }
        seen.push((server.values(), server.approved()));
    }
    seen
}

/// Values by the reviews that stand, told once more: each reading is what the gateway last sent that was new, corrected by the
/// reviews that were made since and stand; of what the gateway sends after a correction only the original is remembered.
fn by_the_rules(steps: &[Step]) -> BTreeMap<Timestamp, Option<f64>> {
    #[derive(Clone)]
    struct Made {
        action: ReviewAction,
        from: i64,
        to: i64,
        before: BTreeMap<i64, f64>,
        stands: bool,
    }
    let mut now: BTreeMap<i64, f64> = BTreeMap::new();
    let mut seen: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    let mut corrected_minutes: BTreeSet<i64> = BTreeSet::new();
    let mut made: Vec<Made> = Vec::new();
    for step in steps {
        match step {
            Step::Send { minute, value } => {
                let value = f64::from(*value);
                // A corrected reading has a higher revision than what a gateway sends.
                if !seen.entry(*minute).or_default().contains(&value) && !corrected_minutes.contains(minute) {
                    now.insert(*minute, value);
                }
                seen.entry(*minute).or_default().push(value);
            }
            Step::Review { action, from, to, amount } => {
                let amount = f64::from(*amount);
                let review = |minute: i64| {
                    let next = match action {
                        ReviewAction::Add => now[&minute] + amount,
                        ReviewAction::Scale => now[&minute] * amount,
                        ReviewAction::Set => amount,
                        _ => now[&minute],
                    };
                    (next != now[&minute]).then_some(next)
                };
                let minutes: Vec<i64> = now.range(*from..=*to).map(|(minute, _)| *minute).collect();
                let changes: Vec<(i64, f64)> =
                    minutes.iter().filter_map(|&minute| Some((minute, review(minute)?))).collect();
                if minutes.is_empty() || (action.corrects() && changes.is_empty()) {
                    continue;
                }
                let before = changes.iter().map(|(minute, _)| (*minute, now[minute])).collect();
                made.push(Made { action: *action, from: *from, to: *to, before, stands: true });
                for (minute, next) in changes {
                    now.insert(minute, next);
                    corrected_minutes.insert(minute);
                    seen.entry(minute).or_default().push(next);
                }
            }
            Step::Withdraw(n) => {
                let standing: Vec<usize> = (0..made.len()).filter(|&index| made[index].stands).collect();
                let Some(&index) = standing.get(n % standing.len().max(1)) else { continue };
                let review = made[index].clone();
                let rests = |later: &Made| {
                    later.stands && later.action.corrects() && later.from <= review.to && review.from <= later.to
                };
                if review.action.corrects() && made[index + 1..].iter().any(rests) {
                    continue;
                }
                now.extend(review.before);
                made[index].stands = false;
            }
        }
    }
    now.into_iter().map(|(minute, value)| (at(minute), Some(value))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(test_rounds(256)))]

    /// Interruptions anywhere change nothing of what is there in the end, or after any step.
    #[test]
    fn interruptions_leave_no_trace(steps in steps(), failures in prop::collection::vec(0u32..4, 0..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (whole, broken) = (Server::default(), Server::default());
            let expected = run(&whole, &steps, &[]).await;
            let seen = run(&broken, &steps, &failures).await;
            prop_assert_eq!(&seen, &expected);
            prop_assert_eq!(whole.values(), by_the_rules(&steps));
            Ok(())
        })?;
    }

    #[test]
    fn a_drift_grows_with_time(value in -50.0f64..50.0, amount in -5.0f64..5.0, minute in 0i64..10) {
        let mut review = Review {
            id: ReviewId(1), well_id: well(), parameter: DEPTH, from: Some(at(0)), to: Some(at(10)),
            action: ReviewAction::Drift, amount: Some(0.0), amount_end: Some(amount), author: String::new(),
            reason: String::new(), seq: Seq::ZERO, created_at: at(0), readings: 0, done_at: None, withdrawal: None,
        };
        let next = corrected(&review, at(minute), Some(value)).unwrap_or(value);
        prop_assert!((next - value - amount * minute as f64 / 10.0).abs() < 2e-9);
        review.action = ReviewAction::Add;
        review.amount = Some(amount);
        let added = corrected(&review, at(minute), Some(value)).unwrap_or(value);
        prop_assert!((added - value - amount).abs() < 1e-9);
    }
}
