//! The watch as others see it: made from its parts, run step by step by tests, or spawned.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gwbank_indicator::rapid::UsualRises;
use gwbank_model::condition::Scope;
use gwbank_model::{Timestamp, WellId};
use gwbank_registry::Well;
use gwbank_registry::office::Offices;
use gwbank_runtime::Backoff;
use gwbank_store::{ConditionFlag, Drill, FlagAction, FlagNote, Hold, HoldKind, KnownOffices, LastHeard, WatchCommit};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::announce::Audience;
use crate::book::{self, Change, FlagBook, FlagKey, Judgement, Where};
use crate::config::WatchConfig;
use crate::error::WatchError;
use crate::fleet;
use crate::holds::{self, Held, Holds};
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

/// Longest name and remark: people's, not documents.
const NAME_CHARS_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 2_000;

/// What people write, without what would change how the lines around it are shown.
fn one_line(text: &str, max: usize, what: &str) -> Result<String, WatchError> {
    let changes_direction = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String =
        text.chars().filter(|c| !changes_direction(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let plain = plain.trim().to_owned();
    if plain.chars().count() > max {
        return Err(WatchError::Refused(format!("{what} is longer than {max} characters")));
    }
    Ok(plain)
}

/// What somebody does about a flag.
#[derive(Debug, Clone)]
pub struct Act {
    pub action: FlagAction,
    /// A name or a role.
    pub by: String,
    /// How it came: `http`, `link`, `line`.
    pub via: String,
    pub contact_id: Option<String>,
    /// A remark, or why.
    pub text: Option<String>,
    /// Of an approval: which transition's document.
    pub transition: Option<i64>,
}

impl Default for Act {
    fn default() -> Self {
        let (by, via) = (String::new(), String::new());
        Self { action: FlagAction::Acknowledged, by, via, contact_id: None, text: None, transition: None }
    }
}

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
    pub holds: Holds,
    /// The day whose reports of the fleet are owed.
    pub fleet_told: Mutex<Option<gwbank_model::Day>>,
    /// The last look at the fleet, and when that was.
    pub fleet_seen: tokio::sync::Mutex<Option<(Timestamp, Vec<fleet::FleetReport>)>>,
    /// As they were at the last change, with their version.
    offices: Mutex<Option<(i64, Arc<Offices>)>>,
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
        let watch = Self::with_open(config, parts, Vec::new());
        watch.0.read_book(open).await?;
        watch.0.refresh_holds().await?;
        Ok(watch)
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
            book: Mutex::new(FlagBook::of(open, &BTreeMap::new())),
            holds: Holds::default(),
            fleet_told: Mutex::default(),
            fleet_seen: tokio::sync::Mutex::default(),
            offices: Mutex::default(),
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
        let registry = inner.registry();
        let silent = silence_flags::judge(inner).await?;
        Ok(silent + salinity_flags::judge(inner, &registry, None, inner.now()).await?)
    }

    /// Owes the reports of the day on the sensors and gateways of each province, once their hour has come.
    pub async fn run_fleet_once(&self) -> Result<usize, WatchError> {
        fleet::report(&self.0).await
    }

    /// Takes up what had to wait until its flag had stood long enough.
    pub async fn run_waiting_once(&self) -> Result<usize, WatchError> {
        let now = self.0.now();
        self.0.apply(self.0.due_judgements(now), now).await
    }

    /// Notes who has taken notice of an open flag. The first one's name stays with it; everybody's is kept.
    pub async fn acknowledge(&self, flag_id: &str, by: &str, at: Timestamp) -> Result<ConditionFlag, WatchError> {
        let act = Act { action: FlagAction::Acknowledged, by: by.to_owned(), via: "http".to_owned(), ..Act::default() };
        self.act(flag_id, act, at).await
    }

    /// Does what somebody asks for about a flag, and keeps who it was.
    pub async fn act(&self, flag_id: &str, act: Act, at: Timestamp) -> Result<ConditionFlag, WatchError> {
        let inner = &*self.0;
        let _gate = inner.gate.lock().await;
        let open = inner.book.lock().by_id(flag_id).cloned();
        let flag = match open.clone() {
            Some(open) => open,
            None => {
                let all = inner.metadata.flags(false).await?;
                let flag = all.into_iter().find(|flag| flag.id == flag_id);
                flag.ok_or_else(|| WatchError::NoSuchFlag(flag_id.to_owned()))?
            }
        };
        let Act { action, by, via, contact_id, text, transition } = act;
        let by = one_line(&by, NAME_CHARS_MAX, "a name")?;
        let text = text.map(|text| one_line(&text, TEXT_CHARS_MAX, "a remark")).transpose()?;
        let text = text.filter(|text| !text.is_empty());
        if action == FlagAction::Acknowledged && text.is_none() && open.is_some() {
            // Messages that come twice, as of LINE, say nothing twice.
            let notes = inner.metadata.flag_notes(Some(flag_id)).await?;
            let same = |note: &FlagNote| {
                (note.action, &note.by, &note.via, &note.contact_id) == (action, &by, &via, &contact_id)
            };
            if flag.acknowledged_by.is_some() && notes.iter().any(same) {
                return Ok(flag);
            }
        }
        let mut commit = WatchCommit { at: Some(at), ..WatchCommit::default() };
        let change = match (action, &open) {
            (FlagAction::Acknowledged | FlagAction::Cancelled, None) => {
                return Err(WatchError::Closed(flag_id.to_owned()));
            }
            (FlagAction::Acknowledged, Some(open)) if open.acknowledged_by.is_some() => None,
            (FlagAction::Acknowledged, Some(open)) => Some(book::acknowledge(open, &by, at)),
            (FlagAction::Cancelled, Some(open)) => {
                let reason =
                    text.clone().ok_or_else(|| WatchError::Refused("a reason is needed to take a flag back".into()))?;
                commit.holds.push(holds::cancelled(open, &by, &reason, at));
                let evidence = serde_json::json!({ "reason": book::OFFICER, "by": by, "text": reason });
                Some(book::close(open, evidence, at))
            }
            (FlagAction::Commented, _) if text.is_none() => {
                return Err(WatchError::Refused("there is no remark in it".to_owned()));
            }
            (FlagAction::Approved, _) => {
                // Two that approve at once approve once.
                let notes = inner.metadata.flag_notes(Some(flag_id)).await?;
                let same = |note: &&FlagNote| note.action == FlagAction::Approved && note.transition == transition;
                if let Some(first) = notes.iter().find(same) {
                    return Err(WatchError::Conflict(format!("the newest document was approved by {}", first.by)));
                }
                None
            }
            (FlagAction::Commented, _) => None,
        };
        let flag_id = flag.id.clone();
        commit.notes.push(FlagNote { flag_id, at, action, by, via, contact_id, text, transition });
        if let Some(change) = &change {
            change.add_to(&mut commit, &inner.audience().await?, at);
        }
        let held = commit.holds.clone();
        inner.metadata.commit_watch(commit).await?;
        inner.adopt_holds(held);
        let flag = change.as_ref().map_or(flag, |change| change.flag.clone());
        if let Some(change) = change {
            inner.book.lock().adopt(change);
        }
        Ok(flag)
    }

    /// Keeps flags of a place as they are for a while, or a well out of all judgements.
    pub async fn hold(&self, hold: Hold) -> Result<(), WatchError> {
        let inner = &*self.0;
        if !holds::can_be_held(hold.scope) || (hold.kind == HoldKind::Maintenance && hold.scope != Scope::Well) {
            return Err(WatchError::Refused(format!("a {} of scope {} is not possible", hold.kind, hold.scope)));
        }
        {
            let _gate = inner.gate.lock().await;
            let commit = WatchCommit { at: Some(inner.now()), holds: vec![hold], ..WatchCommit::default() };
            inner.metadata.commit_watch(commit).await?;
        }
        inner.refresh_holds().await?;
        inner.elsewhere.notify_one();
        Ok(())
    }

    /// Tells offices as of a flag that there is not, marked as what it is.
    pub async fn drill(&self, drill: Drill) -> Result<usize, WatchError> {
        let inner = &*self.0;
        let audience = inner.audience().await?;
        let (messages, told) = audience.drill(&drill, &inner.config.contacts);
        let at = Some(drill.at);
        inner
            .metadata
            .commit_watch(WatchCommit { at, outbox: messages, drills: vec![drill], ..Default::default() })
            .await?;
        Ok(told)
    }

    /// The flag that a drill tells of, which is kept nowhere.
    pub fn drill_flag(&self, drill: &Drill) -> ConditionFlag {
        let inner = &*self.0;
        crate::texts::drill_flag(drill, &inner.registry(), &inner.config.contacts)
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

    /// What wants looking at in wells and gateways, of each province where there is something; a few minutes old at most.
    pub async fn fleet(&self) -> Result<Vec<fleet::FleetReport>, WatchError> {
        fleet::seen(&self.0).await
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
                let is_due = self.0.holds.live_due.swap(false, Ordering::AcqRel);
                if term.is_some() && (term != all_judged_in || is_due) {
                    // Whoever judged before has seen changes that this node has not.
                    self.run_live_all().await?;
                } else if term.is_some() && !due.is_empty() {
                    self.run_live_once(&due).await?;
                }
                all_judged_in = term;
                if term.is_some() {
                    self.run_waiting_once().await?;
                }
                if term.is_some() && silence_due {
                    self.run_silence_once().await?;
                    self.run_fleet_once().await?;
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
        self.refresh_holds().await?;
        let mut term = self.term.lock().await;
        let now = self.metadata.lead().await?;
        if now.is_some() && now == *term {
            return Ok(now);
        }
        {
            let _gate = self.gate.lock().await;
            let open = self.metadata.flags(true).await?;
            self.read_book(open).await?;
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

    /// Takes over the flags that are open in the store.
    async fn read_book(&self, open: Vec<ConditionFlag>) -> Result<(), WatchError> {
        let mut told = BTreeMap::new();
        for flag in open.iter().filter(|flag| flag.scope != Scope::Well) {
            let transitions = self.metadata.flag_transitions(Some(&flag.id)).await?;
            let last = transitions.iter().rev().find_map(book::wells_told);
            told.extend(last.map(|wells| (flag.id.clone(), wells)));
        }
        *self.book.lock() = FlagBook::of(open, &told);
        Ok(())
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
        let (mut changes, mut holds) = self.propose(judgements, now);
        let changed: HashMap<FlagKey, ConditionFlag> = changes
            .iter()
            .map(|change| {
                let flag = change.flag.clone();
                (FlagKey { hazard: flag.hazard, scope: flag.scope, place: flag.place.clone() }, flag)
            })
            .collect();
        let (of_places, ended) = self.propose(places(&changed), now);
        changes.extend(of_places);
        holds.extend(ended);
        if changes.is_empty() && holds.is_empty() {
            return Ok(0);
        }
        let audience = self.audience().await?;
        let mut commit = WatchCommit { at: Some(now), holds: holds.clone(), ..WatchCommit::default() };
        for change in &changes {
            change.add_to(&mut commit, &audience, now);
        }
        self.metadata.commit_watch(commit).await?;
        self.adopt_holds(holds);
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

    /// Who is told of changes now.
    pub async fn audience(&self) -> Result<Audience, WatchError> {
        let version = self.metadata.offices_version().await?;
        let known = self.offices.lock().clone();
        let offices = match known {
            Some((known, offices)) if known == version => offices,
            _ => {
                let KnownOffices { version, offices } = self.metadata.offices(None).await?;
                let offices = Arc::new(offices);
                *self.offices.lock() = Some((version, offices.clone()));
                offices
            }
        };
        let registry = self.registry.borrow().clone();
        Ok(Audience { offices, registry, age_max: self.config.message_age_max })
    }

    /// What these judgements change, and which holds end by them.
    fn propose(&self, judgements: Vec<(FlagKey, Where, Judgement)>, now: Timestamp) -> (Vec<Change>, Vec<Hold>) {
        let mut book = self.book.lock();
        let (mut changes, mut ended) = (Vec::new(), Vec::new());
        for (key, place, judgement) in judgements {
            self.forget_waiting(&key);
            let judgement = match self.held(&key, judgement, book.get(&key).is_some(), now) {
                Held::Yes => continue,
                Held::No(judgement) => judgement,
                Held::Ends(hold, judgement) => {
                    ended.push(hold);
                    judgement
                }
            };
            let Some(change) = book.propose(&key, &place, judgement.clone(), now) else {
                book.note_month(&key, &judgement);
                continue;
            };
            let worse_since = book.worse_since(&key);
            if !self.must_wait(&key, (&place, &judgement), &change, worse_since, now) {
                changes.push(change);
            }
        }
        (changes, ended)
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
