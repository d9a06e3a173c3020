//! The watch as others see it: made from its parts, run step by step by tests, or spawned.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gwbank_indicator::rapid::UsualRises;
use gwbank_model::{Timestamp, WellId};
use gwbank_registry::Well;
use gwbank_runtime::Backoff;
use gwbank_store::{ConditionFlag, LastHeard, WatchCommit};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::book::{self, FlagBook, FlagKey, Judgement, Where};
use crate::config::WatchConfig;
use crate::error::WatchError;
use crate::live::{self, LiveReport, LiveState};
use crate::monthly::{self, MonthlyReport, MonthlyState};
use crate::parts::{LevelChanges, WatchParts};
use crate::place_standing::ProvinceStanding;
use crate::record::RecordMemory;
use crate::salinity_flags;
use crate::second_look::{self, LookState, SecondLookReport};
use crate::series::WellSeries;
use crate::silence_flags::{self, SilenceState};
use crate::wells::WithoutLevel;

/// Closed months that one evaluation finds changed while no history is being imported.
const CLOSED_MONTHS_MAX: usize = 5_000;
/// First and longest wait after a failure of the store or the series.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Judges months and live levels, and keeps the condition flags. Clones share their state.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

pub(crate) struct Inner {
    pub config: WatchConfig,
    pub metadata: Arc<dyn gwbank_store::Metadata>,
    pub reader: Arc<dyn gwbank_store::SeriesReader>,
    pub judge: Arc<dyn crate::parts::SeriesJudge>,
    pub registry: tokio::sync::watch::Receiver<Arc<gwbank_registry::Registry>>,
    clock: Arc<dyn gwbank_runtime::Clock>,
    pub book: Mutex<FlagBook>,
    /// Held from reading the book to adopting what was committed.
    gate: tokio::sync::Mutex<()>,
    /// The term in which this node judges, once it has found out; `None` while another one does.
    term: tokio::sync::Mutex<Option<u64>>,
    /// Wells whose months changed, for the live part: their readings may have come to another node.
    changed_elsewhere: Mutex<Vec<WellId>>,
    elsewhere: Notify,
    pub series: RwLock<HashMap<WellId, Arc<WellSeries>>>,
    pub records: RwLock<HashMap<WellId, Arc<RecordMemory>>>,
    /// Every well's record was computed by this process, in this term.
    pub records_complete: AtomicBool,
    /// `None` until it is asked for.
    without_level: RwLock<Option<Arc<WithoutLevel>>>,
    pub silence: Mutex<SilenceState>,
    pub opened_at: Timestamp,
    /// What rises are usual at wells that rose much, with the present wet season's year.
    pub usual_rises: Mutex<HashMap<WellId, (i32, UsualRises)>>,
    pub provinces: RwLock<BTreeMap<String, ProvinceStanding>>,
    pub monthly: tokio::sync::Mutex<MonthlyState>,
    pub second_look: tokio::sync::Mutex<LookState>,
    pub live: tokio::sync::Mutex<LiveState>,
}

impl Watch {
    /// Continues with the flags that are open in the store. Starts nothing.
    pub async fn open(config: WatchConfig, parts: WatchParts) -> Result<Self, WatchError> {
        let open = parts.metadata.flags(true).await?;
        Ok(Self::with_open(config, parts, open))
    }

    fn with_open(config: WatchConfig, parts: WatchParts, open: Vec<ConditionFlag>) -> Self {
        let WatchParts { metadata, reader, judge, registry, clock, shutdown: _ } = parts;
        let opened_at = Timestamp::from_micros(clock.now_micros());
        Self(Arc::new(Inner {
            config,
            metadata,
            reader,
            judge,
            registry,
            clock,
            book: Mutex::new(FlagBook::of(open)),
            gate: tokio::sync::Mutex::default(),
            term: tokio::sync::Mutex::default(),
            changed_elsewhere: Mutex::default(),
            elsewhere: Notify::new(),
            series: RwLock::default(),
            records: RwLock::default(),
            records_complete: AtomicBool::new(false),
            without_level: RwLock::default(),
            silence: Mutex::default(),
            opened_at,
            usual_rises: Mutex::default(),
            provinces: RwLock::default(),
            monthly: tokio::sync::Mutex::default(),
            second_look: tokio::sync::Mutex::default(),
            live: tokio::sync::Mutex::default(),
        }))
    }

    /// Runs the watch until shutdown: one task for months, one for live levels, so that a long recomputation delays no
    /// flood. Its first step reads the open flags, as soon as the store can be read.
    pub fn spawn(config: WatchConfig, parts: WatchParts, changes: impl LevelChanges) -> WatchHandle {
        let shutdown = parts.shutdown.clone();
        let watch = Self::with_open(config, parts, Vec::new());
        let months = tokio::spawn({
            let (watch, shutdown) = (watch.clone(), shutdown.clone());
            async move {
                tokio::select! {
                    () = shutdown.ended() => {}
                    () = watch.run_months() => {}
                }
            }
        });
        let levels = tokio::spawn({
            let watch = watch.clone();
            async move {
                tokio::select! {
                    () = shutdown.ended() => {}
                    () = watch.run_live(changes) => {}
                }
            }
        });
        WatchHandle { watch, tasks: [months, levels] }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Evaluates what is dirty, and everything at the first run and when a month has closed.
    pub async fn run_monthly_once(&self) -> Result<MonthlyReport, WatchError> {
        monthly::run(&self.0).await
    }

    /// Looks a second time at wells whose closed months are new or changed, for about
    /// [`WatchConfig::second_look_time`]. To be run after the evaluation of the months that it was told of, not beside it.
    pub async fn run_second_look_once(&self) -> Result<SecondLookReport, WatchError> {
        second_look::run(&self.0, self.0.config.second_look_time).await
    }

    /// Whether an evaluation of months is under way.
    pub fn is_judging_months(&self) -> bool {
        self.0.monthly.try_lock().is_err()
    }

    /// Judges high groundwater at these wells and the places that they lie in.
    pub async fn run_live_once(&self, wells: &[WellId]) -> Result<LiveReport, WatchError> {
        live::run(&self.0, wells).await
    }

    /// Judges high groundwater at every well that may speak of it: at the start.
    pub async fn run_live_all(&self) -> Result<LiveReport, WatchError> {
        let wells = live::watched_wells(&self.0);
        live::run(&self.0, &wells).await
    }

    /// Looks for silence, and for falling levels, at the wells with open flood flags.
    pub async fn run_stale_once(&self) -> Result<LiveReport, WatchError> {
        let wells = live::flagged_wells(&self.0);
        live::run(&self.0, &wells).await
    }

    /// Looks for wells and gateways that fell silent, and for samples of salinity that stay away.
    pub async fn run_silence_once(&self) -> Result<usize, WatchError> {
        let inner = &*self.0;
        let registry = inner.registry.borrow().clone();
        let silent = silence_flags::judge(inner).await?;
        Ok(silent + salinity_flags::judge(inner, &registry, None, inner.now()).await?)
    }

    /// Notes who has taken notice of an open flag.
    pub async fn acknowledge(&self, flag_id: &str, by: &str, at: Timestamp) -> Result<ConditionFlag, WatchError> {
        let inner = &*self.0;
        let _gate = inner.gate.lock().await;
        let Some(open) = inner.book.lock().by_id(flag_id).cloned() else {
            return Err(WatchError::NoSuchFlag(flag_id.to_owned()));
        };
        let change = book::acknowledge(&open, by, at);
        let mut commit = WatchCommit::default();
        change.add_to(&mut commit, at);
        inner.metadata.commit_watch(commit).await?;
        let flag = change.flag.clone();
        inner.book.lock().adopt(change);
        Ok(flag)
    }

    /// The flags that are not closed.
    pub fn open_flags(&self) -> Vec<ConditionFlag> {
        self.0.book.lock().flags().cloned().collect()
    }

    /// Where a province stands in the latest closed month; one without wells stands nowhere, and says so.
    pub fn province_standing(&self, province_code: &str) -> ProvinceStanding {
        let known = self.0.provinces.read().get(province_code).cloned();
        known.unwrap_or_else(|| {
            let month = self.0.config.closing.closed_through(self.0.now());
            ProvinceStanding::without_wells(province_code, month, &self.0.config.places)
        })
    }

    async fn run_months(&self) {
        let mut ticks = interval(self.0.config.monthly_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        loop {
            ticks.tick().await;
            let ran = async {
                match self.0.leads().await? {
                    Some(_) => {
                        let report = self.run_monthly_once().await?;
                        // History that comes in marks more in a moment.
                        if report.closed_months <= CLOSED_MONTHS_MAX {
                            self.run_second_look_once().await?;
                        }
                        Ok(())
                    }
                    None => Ok::<(), WatchError>(()),
                }
            };
            settle("monthly", ran.await, &mut backoff).await;
        }
    }

    async fn run_live(&self, mut changes: impl LevelChanges) {
        let mut ticks = interval(self.0.config.stale_interval);
        let mut silence_ticks = interval(self.0.config.silence_interval);
        for ticks in [&mut ticks, &mut silence_ticks] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut silence_due = false;
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        let mut due: Vec<WellId> = Vec::new();
        let mut all_judged_in = None;
        let mut more_to_come = true;
        loop {
            let ran = async {
                let term = self.0.leads().await?;
                if term.is_some() && term != all_judged_in {
                    // Whoever judged before has seen changes that this node has not.
                    self.run_live_all().await?;
                } else if term.is_some() && !due.is_empty() {
                    self.run_live_once(&due).await?;
                }
                all_judged_in = term;
                if term.is_some() && silence_due {
                    self.run_silence_once().await?;
                }
                Ok(())
            };
            // What failed stays due, so that no change is lost.
            if settle("live", ran.await, &mut backoff).await {
                due.clear();
                silence_due = false;
            }
            tokio::select! {
                changed = changes.next(), if more_to_come => match changed {
                    Some(wells) => due.extend(wells),
                    None => more_to_come = false,
                },
                () = self.0.elsewhere.notified() => due.append(&mut self.0.changed_elsewhere.lock()),
                _ = ticks.tick() => due.extend(live::flagged_wells(&self.0)),
                _ = silence_ticks.tick() => silence_due = true,
            }
            due.sort_unstable();
            due.dedup();
        }
    }
}

/// Whether it succeeded; after a failure waits before the next attempt.
async fn settle<T>(stage: &'static str, result: Result<T, WatchError>, backoff: &mut Backoff) -> bool {
    match result {
        Ok(_) => {
            backoff.reset();
            true
        }
        Err(error) => {
            let delay = backoff.next_delay();
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(stage, %error, cause, retry_ms = delay.as_millis() as u64, "evaluation failed");
            tokio::time::sleep(delay).await;
            false
        }
    }
}

impl Inner {
    /// The term in which this node judges; `None` while another one does. Who does not still shows the flags as they are.
    /// A node that begins to judge forgets what it remembers: others have judged since.
    async fn leads(&self) -> Result<Option<u64>, WatchError> {
        let mut term = self.term.lock().await;
        let now = self.metadata.lead().await?;
        if now.is_some() && now == *term {
            return Ok(now);
        }
        {
            let _gate = self.gate.lock().await;
            let open = self.metadata.flags(true).await?;
            *self.book.lock() = FlagBook::of(open);
        }
        if now.is_some() {
            *self.monthly.lock().await = MonthlyState::default();
            *self.second_look.lock().await = LookState::default();
            self.series.write().clear();
            self.records.write().clear();
            self.records_complete.store(false, Ordering::Release);
            *self.without_level.write() = None;
            *self.live.lock().await = LiveState::default();
        }
        *term = now;
        Ok(now)
    }

    /// Hands wells whose months changed to the live part, where another node may have taken in their readings.
    pub async fn changed_months(&self, wells: impl Iterator<Item = WellId>) -> Result<(), WatchError> {
        if self.metadata.has_other_nodes().await? {
            self.changed_elsewhere.lock().extend(wells);
            self.elsewhere.notify_one();
        }
        Ok(())
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros())
    }

    /// Every series that ever had a reading; what wells have no level follows from it.
    pub async fn heard(&self) -> Result<Vec<LastHeard>, WatchError> {
        let heard = self.reader.last_heard().await?;
        *self.without_level.write() = Some(Arc::new(WithoutLevel::of(&heard)));
        Ok(heard)
    }

    /// As it was found last, by an evaluation of months or a look for silence.
    pub async fn without_level(&self) -> Result<Arc<WithoutLevel>, WatchError> {
        if self.without_level.read().is_none() {
            self.heard().await?;
        }
        Ok(self.known_without_level())
    }

    pub fn known_without_level(&self) -> Arc<WithoutLevel> {
        self.without_level.read().clone().unwrap_or_default()
    }

    pub fn series_of(&self, well: &WellId) -> Option<Arc<WellSeries>> {
        self.series.read().get(well).cloned()
    }

    pub fn record_of(&self, well: &WellId) -> Option<Arc<RecordMemory>> {
        self.records.read().get(well).cloned()
    }

    pub fn open_flag(&self, key: &FlagKey) -> Option<ConditionFlag> {
        self.book.lock().get(key).cloned()
    }

    pub fn where_is(&self, well: &Well) -> Where {
        Where {
            province_code: well.province_code.clone(),
            district_code: well.district_code.clone(),
            subdistrict_code: well.subdistrict_code.clone(),
            well_id: Some(well.well_id.clone()),
        }
    }

    /// Compares judgements with the book and commits what changes. Returns how many flags changed.
    pub async fn apply(
        &self,
        judgements: Vec<(FlagKey, Where, Judgement)>,
        now: Timestamp,
    ) -> Result<usize, WatchError> {
        self.apply_with_places(judgements, now, |_| Vec::new()).await
    }

    /// The same, with judgements of places that follow from the book as the first ones leave it. All in one
    /// transaction.
    pub async fn apply_with_places(
        &self,
        judgements: Vec<(FlagKey, Where, Judgement)>,
        now: Timestamp,
        places: impl FnOnce(&HashMap<FlagKey, ConditionFlag>) -> Vec<(FlagKey, Where, Judgement)>,
    ) -> Result<usize, WatchError> {
        let _gate = self.gate.lock().await;
        let mut changes = self.propose(judgements, now);
        let changed: HashMap<FlagKey, ConditionFlag> = changes
            .iter()
            .map(|change| {
                let flag = change.flag.clone();
                (FlagKey { hazard: flag.hazard, scope: flag.scope, place: flag.place.clone() }, flag)
            })
            .collect();
        changes.extend(self.propose(places(&changed), now));
        if changes.is_empty() {
            return Ok(0);
        }
        let mut commit = WatchCommit::default();
        for change in &changes {
            change.add_to(&mut commit, now);
        }
        self.metadata.commit_watch(commit).await?;
        let count = changes.len();
        let mut book = self.book.lock();
        for change in changes {
            if let Some(transition) = &change.transition {
                tracing::info!(
                    flag = %change.flag.id,
                    transition = transition.transition.name(),
                    severity = change.flag.severity.name(),
                    "condition flag changed"
                );
            }
            book.adopt(change);
        }
        Ok(count)
    }

    fn propose(&self, judgements: Vec<(FlagKey, Where, Judgement)>, now: Timestamp) -> Vec<book::Change> {
        let book = self.book.lock();
        judgements
            .into_iter()
            .filter_map(|(key, place, judgement)| book.propose(&key, &place, judgement, now))
            .collect()
    }
}

/// A running watch.
pub struct WatchHandle {
    watch: Watch,
    tasks: [JoinHandle<()>; 2],
}

impl WatchHandle {
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Waits until both tasks have ended, which shutdown makes them do.
    pub async fn join(self) {
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "watch task failed");
            }
        }
    }
}
