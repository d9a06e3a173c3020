//! The monthly part: dirty months to indicators, closed months to drought flags.
//!
//! # Rules
//! 1. The first run of a process reads the history of every well that has a standing, in batches, and keeps its monthly
//!    levels; later runs read only the months that are dirty. What is kept is as good as read anew, because every
//!    change of a reading leaves a mark.
//! 2. Only rows that differ from what is stored are written: against the stored rows at first, then against what was
//!    written last. The few rows of places are written again by each process.
//! 3. A well's rows, its evaluated marks and what is to be looked at again for them are in one transaction. Flags come after; if they fail, or the process ends
//!    between, the next run judges every flag anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gwbank_model::{Month, Timestamp, WellId};
use gwbank_registry::{Registry, Well};
use gwbank_store::{DailyValue, DirtyMonth, IndicatorRow, LookAgain, SeriesRequest, WatchCommit};

use crate::error::WatchError;
use crate::places::{self, PlaceMemory};
use crate::record::{self, Computed, RecordMemory, RecordTask};
use crate::rows::{RowChanges, Stored, WELL_INDICATORS, changed_rows, record_changes};
use crate::salinity_flags;
use crate::second_look;
use crate::series::{LEVEL_PARAMETERS, WellSeries};
use crate::watch::Inner;
use crate::wells;

/// Marks taken in one run: more than 1,000 wells × 25 years, and about 100 MB at most.
const DIRTY_MONTHS_MAX: usize = 1_000_000;
/// A well whose dirty months reach back farther is read as a whole.
const NARROW_MONTHS_MAX: i32 = 36;
/// Wells in one reading of a few months.
const NARROW_WELLS: usize = 1024;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MonthlyReport {
    pub dirty_months: usize,
    /// Those of them that have closed.
    pub closed_months: usize,
    pub wells: usize,
    pub rows: usize,
    pub flag_changes: usize,
}

/// Everything that the monthly part remembers between runs, apart from the series.
#[derive(Debug, Default)]
pub(crate) struct MonthlyState {
    pub places: PlaceMemory,
    /// Every flag is to be judged anew: at the first run, and after a failure.
    all_due: bool,
    ran_before: bool,
    closed_through: Option<Month>,
    /// The wells as they were registered at the last run, to see what changed since.
    registry: Option<Arc<Registry>>,
}

/// What is to be done about the monthly levels of a well.
enum Work {
    /// Read everything.
    Whole,
    /// Read these months.
    Months(Month, Month),
    /// A month closed, or the well was registered otherwise: judge what is kept.
    Judge,
    /// They are as they were, or it has none.
    Nothing,
}

struct Task {
    well: Arc<Well>,
    work: Work,
    /// What rests on its whole record.
    record: Option<RecordTask>,
    /// Its salinity goes on through the open months.
    goes_on: bool,
    marks: Vec<DirtyMonth>,
}

/// A task whose monthly levels are as they should be.
struct Levelled {
    task: Task,
    /// New levels, and how their rows differ from what is stored.
    series: Option<Arc<WellSeries>>,
    changes: RowChanges,
    /// The well's stored rows, where they were read already.
    stored: Option<Vec<IndicatorRow>>,
    /// All its level days, where they were read already.
    days: Option<Vec<DailyValue>>,
}

/// Rows, marks and what is kept that become true together.
#[derive(Default)]
struct Stage {
    commit: WatchCommit,
    series: Vec<(WellId, Arc<WellSeries>)>,
    records: Vec<(WellId, Arc<RecordMemory>)>,
}

pub(crate) async fn run(inner: &Inner) -> Result<MonthlyReport, WatchError> {
    let mut state = inner.monthly.lock().await;
    let now = inner.now();
    let closed_through = inner.config.closing.closed_through(now);
    let registry = inner.registry();
    let dirty = inner.metadata.dirty_months(DIRTY_MONTHS_MAX).await?;
    if !dirty.is_empty() {
        inner.changed_months(dirty.iter().map(|mark| mark.well_id.clone())).await?;
    }
    let closed_months = dirty.iter().filter(|mark| mark.month <= closed_through).count();
    let mut report = MonthlyReport { dirty_months: dirty.len(), closed_months, ..MonthlyReport::default() };

    if inner.holds.months_due.swap(false, Ordering::AcqRel) {
        state.all_due = true;
    }
    let same_registry = state.registry.as_ref().is_some_and(|before| Arc::ptr_eq(before, &registry));
    if dirty.is_empty() && same_registry && !state.all_due && state.closed_through == Some(closed_through) {
        return Ok(report);
    }
    // Until this run has come to its end, the next one starts from here again.
    let everything = !state.ran_before || state.all_due || !same_registry;
    state.all_due = true;

    let look_again = second_look::look_again(inner, &registry, &dirty, closed_through).await?;
    let (tasks, moot) = plan(inner, &registry, dirty, closed_through);
    let touched: BTreeSet<WellId> = tasks.iter().map(|task| task.well.well_id.clone()).collect();
    report.wells = touched.len();
    let mut stage = Stage::default();
    stage.commit.evaluated = moot;
    let (mut whole, mut narrow, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for task in tasks {
        match task.work {
            Work::Whole => whole.push(task),
            Work::Months(..) => narrow.push(task),
            Work::Judge | Work::Nothing => kept.push(task),
        }
    }
    let mut run = Run { inner, stage, look_again, closed_through, now, rows: 0 };
    for batch in batches(whole, inner.config.wells_per_batch) {
        let levelled = run.read_whole(batch).await?;
        run.finish(levelled).await?;
    }
    for batch in batches(narrow, NARROW_WELLS) {
        let levelled = run.read_months(batch).await?;
        run.finish(levelled).await?;
    }
    for batch in batches(kept, NARROW_WELLS) {
        let levelled = batch.into_iter().map(|task| run.judge_again(task)).collect();
        run.finish(levelled).await?;
    }
    run.commit().await?;
    inner.records_complete.store(true, Ordering::Release);
    report.rows = run.rows;

    let judged = if everything { None } else { Some(&touched) };
    let (place_rows, flag_changes) =
        places::judge(inner, &registry, &mut state.places, judged, closed_through, now).await?;
    report.rows += place_rows;
    report.flag_changes = flag_changes + salinity_flags::judge(inner, &registry, judged, now).await?;
    state.all_due = false;
    state.ran_before = true;
    state.closed_through = Some(closed_through);
    state.registry = Some(registry);
    if report.rows > 0 || report.flag_changes > 0 {
        tracing::info!(
            dirty_months = report.dirty_months,
            wells = report.wells,
            rows = report.rows,
            flag_changes = report.flag_changes,
            "months evaluated"
        );
    }
    Ok(report)
}

fn batches(tasks: Vec<Task>, size: usize) -> impl Iterator<Item = Vec<Task>> {
    let mut tasks = tasks.into_iter();
    std::iter::from_fn(move || {
        let batch: Vec<Task> = tasks.by_ref().take(size.max(1)).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

/// What is to be done, and the marks that ask for nothing (wells not registered).
fn plan(
    inner: &Inner,
    registry: &Registry,
    dirty: Vec<DirtyMonth>,
    closed_through: Month,
) -> (Vec<Task>, Vec<DirtyMonth>) {
    let mut marks: HashMap<WellId, Vec<DirtyMonth>> = HashMap::new();
    for mark in dirty {
        marks.entry(mark.well_id.clone()).or_default().push(mark);
    }
    let marks_of = |well: &WellId| marks.get(well).map(Vec::as_slice).unwrap_or_default();
    let mut tasks = Vec::new();
    for well in registry.wells() {
        let own = marks_of(&well.well_id);
        record::awaits(inner, &well.well_id, own, closed_through);
        let compared = well.comparison_well_id.as_ref().map(marks_of).unwrap_or_default();
        if !wells::kind(well).has_standing() {
            // Its marks go unheeded from now on, so what is kept of it would be wrong if it became another kind again.
            inner.series.write().remove(&well.well_id);
        }
        let work = match inner.series_of(&well.well_id) {
            _ if !wells::kind(well).has_standing() => Work::Nothing,
            None => Work::Whole,
            Some(series) => work_for(inner, well, &series, own, closed_through),
        };
        let record = record::task_for(inner, registry, well, (own, compared), closed_through);
        let goes_on = record.as_ref().is_none_or(|task| !task.parts.contains(&record::Part::Salinity))
            && inner.record_of(&well.well_id).is_some_and(|memory| record::goes_on(&memory, own, closed_through));
        if !own.is_empty() || !matches!(work, Work::Nothing) || record.is_some() {
            tasks.push(Task { well: Arc::clone(well), work, record, goes_on, marks: own.to_vec() });
        }
    }
    marks.retain(|well, _| registry.well(well.as_str()).is_none());
    (tasks, marks.into_values().flatten().collect())
}

fn work_for(inner: &Inner, well: &Well, series: &WellSeries, marks: &[DirtyMonth], closed_through: Month) -> Work {
    let levels: Vec<&DirtyMonth> = marks.iter().filter(|mark| mark.parameter.is_level()).collect();
    let rules_changed = series.rules != wells::month_rules(well, series.rules.sense, &inner.config);
    let other_parameter = levels.iter().any(|mark| mark.parameter != series.parameter);
    if rules_changed || other_parameter || (series.has_other && !levels.is_empty()) {
        return Work::Whole;
    }
    let from = levels.iter().map(|mark| mark.month).min();
    let to = levels.iter().map(|mark| mark.month).max();
    match from.zip(to) {
        Some((from, _)) if closed_through.index() - from.index() > NARROW_MONTHS_MAX => Work::Whole,
        Some((from, to)) => Work::Months(from, to),
        None if series.closed_through != closed_through || series.kind != wells::kind(well) => Work::Judge,
        None => Work::Nothing,
    }
}

/// The level days of wells, in some months or in all.
pub(crate) async fn daily_levels(
    inner: &Inner,
    wells: Vec<WellId>,
    months: Option<(Month, Month)>,
) -> Result<HashMap<WellId, Vec<DailyValue>>, WatchError> {
    let count = wells.len();
    let request = SeriesRequest {
        wells: Some(wells),
        parameters: LEVEL_PARAMETERS.to_vec(),
        from: months.map(|(from, _)| from.first_day()),
        to: months.map(|(_, to)| to.plus(1).first_day()),
        offset_seconds: inner.config.closing.offset_seconds,
        qualities: inner.config.qualities.clone(),
        medians_of: Vec::new(),
    };
    let mut by_well: HashMap<WellId, Vec<DailyValue>> = HashMap::with_capacity(count);
    for day in inner.reader.daily_values(request).await? {
        match by_well.get_mut(&day.well_id) {
            Some(days) => days.push(day),
            None => {
                by_well.insert(day.well_id.clone(), vec![day]);
            }
        }
    }
    Ok(by_well)
}

/// One run over all tasks.
struct Run<'a> {
    inner: &'a Inner,
    stage: Stage,
    /// By the well whose marks ask for it: not yet staged.
    look_again: HashMap<WellId, Vec<LookAgain>>,
    closed_through: Month,
    now: Timestamp,
    /// Written or removed so far.
    rows: usize,
}

impl Run<'_> {
    /// Wells that are read as a whole. Their stored rows are asked for, unless every month of them is new.
    async fn read_whole(&self, batch: Vec<Task>) -> Result<Vec<Levelled>, WatchError> {
        let inner = self.inner;
        let mut days_of = daily_levels(inner, ids_of(&batch), None).await?;
        let mut levelled = Vec::with_capacity(batch.len());
        for task in batch {
            let days = days_of.remove(&task.well.well_id).unwrap_or_default();
            let series = WellSeries::of_days(&task.well, &days, self.closed_through, &inner.config);
            let standings = series.standings(&inner.config);
            let marked: BTreeSet<Month> =
                task.marks.iter().filter(|m| m.parameter == series.parameter).map(|m| m.month).collect();
            let all_new = !standings.is_empty() && standings.iter().all(|standing| marked.contains(&standing.month));
            let months_max = inner.config.indicator_months_max;
            let before = inner.series_of(&task.well.well_id).map(|series| series.standings(&inner.config));
            let stored = match before {
                None if !all_new => Some(inner.metadata.indicators(Some(task.well.well_id.as_str())).await?),
                _ => None,
            };
            let known = match (&before, &stored) {
                (Some(before), _) => Stored::Standings(before),
                (None, Some(stored)) => Stored::Rows(stored),
                (None, None) => Stored::Nothing,
            };
            let changes = changed_rows(&task.well, &standings, known, months_max, self.now);
            levelled.push(Levelled { task, series: Some(Arc::new(series)), changes, stored, days: Some(days) });
        }
        Ok(levelled)
    }

    async fn read_months(&self, batch: Vec<Task>) -> Result<Vec<Levelled>, WatchError> {
        let inner = self.inner;
        let months = batch.iter().filter_map(|task| match task.work {
            Work::Months(from, to) => Some((from, to)),
            Work::Whole | Work::Judge | Work::Nothing => None,
        });
        let Some(range) = months.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { return Ok(Vec::new()) };
        let days = daily_levels(inner, ids_of(&batch), Some(range)).await?;
        let levelled = batch.into_iter().filter_map(|task| {
            let before = inner.series_of(&task.well.well_id)?;
            let days = days.get(&task.well.well_id).map(Vec::as_slice).unwrap_or_default();
            let series = before.with_days(&task.well, days, range, self.closed_through, &inner.config);
            Some(self.changed(task, &before, series))
        });
        Ok(levelled.collect())
    }

    fn judge_again(&self, task: Task) -> Levelled {
        match self.inner.series_of(&task.well.well_id) {
            Some(before) if matches!(task.work, Work::Judge) => {
                let series = before.judged_again(&task.well, self.closed_through, &self.inner.config);
                self.changed(task, &before, series)
            }
            _ => Levelled { task, series: None, changes: RowChanges::default(), stored: None, days: None },
        }
    }

    fn changed(&self, task: Task, before: &WellSeries, series: WellSeries) -> Levelled {
        let config = &self.inner.config;
        let (old, new) = (before.standings(config), series.standings(config));
        let known = Stored::Standings(&old);
        let changes = changed_rows(&task.well, &new, known, config.indicator_months_max, self.now);
        Levelled { task, series: Some(Arc::new(series)), changes, stored: None, days: None }
    }

    /// Computes the records of what is levelled, and stages all of it with its marks.
    async fn finish(&mut self, levelled: Vec<Levelled>) -> Result<(), WatchError> {
        let (with_record, mut plain): (Vec<_>, Vec<_>) = levelled.into_iter().partition(|l| l.task.record.is_some());
        let going_on: Vec<Arc<Well>> =
            plain.iter().filter(|l| l.task.goes_on).map(|l| Arc::clone(&l.task.well)).collect();
        if !going_on.is_empty() {
            for (well, memory) in record::run_open(self.inner, &going_on, self.closed_through).await? {
                self.stage.records.push((well, Arc::new(memory)));
            }
        }
        for levelled in plain.drain(..) {
            self.stage(levelled, None).await?;
        }
        let mut rest = with_record.into_iter();
        loop {
            let mut batch: Vec<Levelled> = rest.by_ref().take(self.inner.config.wells_per_batch.max(1)).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let levels = batch.iter_mut().filter_map(|l| Some((l.task.well.well_id.clone(), l.days.take()?))).collect();
            let tasks: Vec<&RecordTask> = batch.iter().filter_map(|l| l.task.record.as_ref()).collect();
            let fresh: HashMap<&WellId, &Arc<WellSeries>> =
                batch.iter().filter_map(|l| Some((&l.task.well.well_id, l.series.as_ref()?))).collect();
            let series =
                |well: &WellId| fresh.get(well).map(|series| Arc::clone(series)).or_else(|| self.inner.series_of(well));
            let mut computed = record::run(self.inner, &tasks, levels, series, self.closed_through).await?;
            for levelled in batch {
                let computed = computed.remove(&levelled.task.well.well_id);
                self.stage(levelled, computed).await?;
            }
        }
    }

    async fn stage(&mut self, levelled: Levelled, computed: Option<Computed>) -> Result<(), WatchError> {
        let Levelled { task, series, changes, stored, days: _ } = levelled;
        let well = &task.well.well_id;
        self.add(changes);
        if let Some(Computed { rows, parts, memory }) = computed {
            let stored = match stored {
                Some(stored) => stored,
                None => self.inner.metadata.indicators(Some(well.as_str())).await?,
            };
            let mut indicators: Vec<&'static str> = parts.iter().flat_map(|part| part.indicators()).copied().collect();
            // A well that was registered as a closed bank has no standing any more.
            if !wells::kind(&task.well).has_standing() {
                indicators.extend(WELL_INDICATORS);
            }
            self.add(record_changes(&task.well, rows, &indicators, &stored, self.now));
            self.stage.records.push((well.clone(), Arc::new(memory)));
        }
        self.stage.series.extend(series.map(|series| (well.clone(), series)));
        self.stage.commit.look_again.extend(self.look_again.remove(well).unwrap_or_default());
        self.stage.commit.evaluated.extend(task.marks);
        // A transaction may be only so large.
        let commit = &self.stage.commit;
        let size = commit.indicators.len() + commit.removed_indicators.len() + commit.evaluated.len();
        if size >= self.inner.config.rows_per_commit { self.commit().await } else { Ok(()) }
    }

    fn add(&mut self, changes: RowChanges) {
        self.rows += changes.len();
        self.stage.commit.indicators.extend(changes.put);
        self.stage.commit.removed_indicators.extend(changes.removed);
    }

    /// Commits what is staged and lets the memory follow.
    async fn commit(&mut self) -> Result<(), WatchError> {
        let Stage { mut commit, series, records } = std::mem::take(&mut self.stage);
        commit.at = Some(self.now);
        let is_empty =
            commit.indicators.is_empty() && commit.removed_indicators.is_empty() && commit.evaluated.is_empty();
        if !is_empty {
            self.inner.metadata.commit_watch(commit).await?;
        }
        self.inner.series.write().extend(series);
        self.inner.records.write().extend(records);
        Ok(())
    }
}

fn ids_of(tasks: &[Task]) -> Vec<WellId> {
    tasks.iter().map(|task| task.well.well_id.clone()).collect()
}

/// Wells by province.
pub(crate) fn by_place<'a>(wells: impl Iterator<Item = &'a Arc<Well>>) -> BTreeMap<String, Vec<&'a Arc<Well>>> {
    let mut places: BTreeMap<String, Vec<&'a Arc<Well>>> = BTreeMap::new();
    for well in wells {
        places.entry(well.province_code.clone()).or_default().push(well);
    }
    places
}
