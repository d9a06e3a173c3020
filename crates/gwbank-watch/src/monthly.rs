//! The monthly part: dirty months to indicators, closed months to drought flags.
//!
//! # Rules
//! 1. The first run of a process reads the history of every well that has a standing, in batches, and keeps its monthly
//!    levels; later runs read only the months that are dirty. What is kept is as good as read anew, because every
//!    change of a reading leaves a mark.
//! 2. Only rows that differ from what is stored are written: against the stored rows at first, then against what was
//!    written last. The few rows of places are written again by each process.
//! 3. A well's rows and its evaluated marks are in one transaction. Flags come after; if they fail, or the process ends
//!    between, the next run judges every flag anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gwbank_model::{Day, Month, Parameter, Timestamp, WellId};
use gwbank_registry::{Registry, Well};
use gwbank_store::{DailyLevel, DailyLevelRequest, DirtyMonth, WatchCommit};

use crate::error::WatchError;
use crate::places::{self, PlaceMemory};
use crate::rows::{Stored, changed_rows};
use crate::series::WellSeries;
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

/// What is to be done about a well.
enum Work {
    /// Read everything.
    Whole,
    /// Read these months.
    Months(Month, Month),
    /// A month closed, or the well was registered otherwise: judge what is kept.
    Judge,
}

struct Task {
    well: Arc<Well>,
    work: Work,
    marks: Vec<DirtyMonth>,
}

/// Rows, marks and series that become true together.
#[derive(Default)]
struct Stage {
    commit: WatchCommit,
    series: Vec<(WellId, Arc<WellSeries>)>,
}

pub(crate) async fn run(inner: &Inner) -> Result<MonthlyReport, WatchError> {
    let mut state = inner.monthly.lock().await;
    let now = inner.now();
    let closed_through = inner.config.closing.closed_through(now);
    let registry = inner.registry.borrow().clone();
    let dirty = inner.metadata.dirty_months(DIRTY_MONTHS_MAX).await?;
    if !dirty.is_empty() {
        inner.changed_months(dirty.iter().map(|mark| mark.well_id.clone())).await?;
    }
    let mut report = MonthlyReport { dirty_months: dirty.len(), ..MonthlyReport::default() };

    let same_registry = state.registry.as_ref().is_some_and(|before| Arc::ptr_eq(before, &registry));
    if dirty.is_empty() && same_registry && !state.all_due && state.closed_through == Some(closed_through) {
        return Ok(report);
    }
    // Until this run has come to its end, the next one starts from here again.
    let everything = !state.ran_before || state.all_due || !same_registry;
    state.all_due = true;

    let (tasks, moot) = plan(inner, &registry, dirty, closed_through);
    let touched: BTreeSet<WellId> = tasks.iter().map(|task| task.well.well_id.clone()).collect();
    report.wells = touched.len();
    let mut stage = Stage::default();
    stage.commit.evaluated = moot;
    let (mut whole, mut narrow, mut judge) = (Vec::new(), Vec::new(), Vec::new());
    for task in tasks {
        match task.work {
            Work::Whole => whole.push(task),
            Work::Months(..) => narrow.push(task),
            Work::Judge => judge.push(task),
        }
    }
    for batch in whole.chunks(inner.config.wells_per_batch.max(1)) {
        let days = read_days(inner, batch, None).await?;
        for task in batch {
            let days = days.get(&task.well.well_id).map(Vec::as_slice).unwrap_or_default();
            let series = WellSeries::of_days(&task.well, days, closed_through, &inner.config);
            report.rows += add_whole(inner, &mut stage, task, series, now).await?;
            commit_if_full(inner, &mut stage).await?;
        }
    }
    for batch in narrow.chunks(NARROW_WELLS) {
        let months = batch.iter().filter_map(|task| match task.work {
            Work::Months(from, to) => Some((from, to)),
            Work::Whole | Work::Judge => None,
        });
        let range = months.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let days = read_days(inner, batch, range).await?;
        for task in batch {
            let (Some(range), Some(before)) = (range, inner.series_of(&task.well.well_id)) else { continue };
            let days = days.get(&task.well.well_id).map(Vec::as_slice).unwrap_or_default();
            let series = before.with_days(&task.well, days, range, closed_through, &inner.config);
            report.rows += add_changed(inner, &mut stage, task, &before, series, now);
            commit_if_full(inner, &mut stage).await?;
        }
    }
    for task in &judge {
        let Some(before) = inner.series_of(&task.well.well_id) else { continue };
        let series = before.judged_again(&task.well, closed_through, &inner.config);
        report.rows += add_changed(inner, &mut stage, task, &before, series, now);
        commit_if_full(inner, &mut stage).await?;
    }
    commit(inner, &mut stage).await?;

    let judged = if everything { None } else { Some(&touched) };
    let (place_rows, flag_changes) =
        places::judge(inner, &registry, &mut state.places, judged, closed_through, now).await?;
    report.rows += place_rows;
    report.flag_changes = flag_changes;
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

/// What is to be done, and the marks that ask for nothing (closed banks, wells not registered).
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
    let mut tasks = Vec::new();
    for well in registry.wells().iter().filter(|well| wells::kind(well).has_standing()) {
        let of_well = marks.remove(&well.well_id).unwrap_or_default();
        let work = match inner.series_of(&well.well_id) {
            None => Some(Work::Whole),
            Some(series) => work_for(inner, well, &series, &of_well, closed_through),
        };
        match work {
            Some(work) => tasks.push(Task { well: Arc::clone(well), work, marks: of_well }),
            // Marks of parameters that make no level.
            None if !of_well.is_empty() => {
                tasks.push(Task { well: Arc::clone(well), work: Work::Judge, marks: of_well });
            }
            None => {}
        }
    }
    (tasks, marks.into_values().flatten().collect())
}

fn work_for(
    inner: &Inner,
    well: &Well,
    series: &WellSeries,
    marks: &[DirtyMonth],
    closed_through: Month,
) -> Option<Work> {
    let levels: Vec<&DirtyMonth> = marks.iter().filter(|mark| mark.parameter.is_level()).collect();
    let rules_changed = series.rules != wells::month_rules(well, series.rules.sense, &inner.config);
    let other_parameter = levels.iter().any(|mark| mark.parameter != series.parameter);
    if rules_changed || other_parameter || (series.has_other && !levels.is_empty()) {
        return Some(Work::Whole);
    }
    let from = levels.iter().map(|mark| mark.month).min();
    let to = levels.iter().map(|mark| mark.month).max();
    match from.zip(to) {
        Some((from, _)) if closed_through.index() - from.index() > NARROW_MONTHS_MAX => Some(Work::Whole),
        Some((from, to)) => Some(Work::Months(from, to)),
        None if series.closed_through != closed_through || series.kind != wells::kind(well) => Some(Work::Judge),
        None => None,
    }
}

async fn read_days(
    inner: &Inner,
    tasks: &[Task],
    months: Option<(Month, Month)>,
) -> Result<HashMap<WellId, Vec<DailyLevel>>, WatchError> {
    daily_levels(inner, tasks.iter().map(|task| task.well.well_id.clone()).collect(), months).await
}

/// The days of wells, in some months or in all.
pub(crate) async fn daily_levels(
    inner: &Inner,
    wells: Vec<WellId>,
    months: Option<(Month, Month)>,
) -> Result<HashMap<WellId, Vec<DailyLevel>>, WatchError> {
    let count = wells.len();
    let day = |month: Month| -> Day { month.first_day() };
    let request = DailyLevelRequest {
        wells: Some(wells),
        from: months.map(|(from, _)| day(from)),
        to: months.map(|(_, to)| day(to.plus(1))),
        offset_seconds: inner.config.closing.offset_seconds,
        qualities: inner.config.qualities.clone(),
    };
    let mut by_well: HashMap<WellId, Vec<DailyLevel>> = HashMap::with_capacity(count);
    for day in inner.reader.daily_levels(request).await? {
        match by_well.get_mut(&day.well_id) {
            Some(days) => days.push(day),
            None => {
                by_well.insert(day.well_id.clone(), vec![day]);
            }
        }
    }
    Ok(by_well)
}

/// Adds a well that was read as a whole. Its stored rows are asked for, unless every month of it is new.
async fn add_whole(
    inner: &Inner,
    stage: &mut Stage,
    task: &Task,
    series: WellSeries,
    now: Timestamp,
) -> Result<usize, WatchError> {
    let standings = series.standings(&inner.config);
    let marked: BTreeSet<Month> =
        task.marks.iter().filter(|m| m.parameter == series.parameter).map(|m| m.month).collect();
    let all_new = !standings.is_empty() && standings.iter().all(|standing| marked.contains(&standing.month));
    let months_max = inner.config.indicator_months_max;
    let before = inner.series_of(&task.well.well_id).map(|series| series.standings(&inner.config));
    let rows = match before {
        Some(before) => changed_rows(&task.well, &standings, Stored::Standings(&before), months_max, now),
        None if all_new => changed_rows(&task.well, &standings, Stored::Nothing, months_max, now),
        None => {
            let stored = inner.metadata.indicators(Some(task.well.well_id.as_str())).await?;
            changed_rows(&task.well, &standings, Stored::Rows(&stored), months_max, now)
        }
    };
    let count = rows.len();
    stage.add(task, series, rows);
    Ok(count)
}

fn add_changed(
    inner: &Inner,
    stage: &mut Stage,
    task: &Task,
    before: &WellSeries,
    series: WellSeries,
    now: Timestamp,
) -> usize {
    let (old, new) = (before.standings(&inner.config), series.standings(&inner.config));
    let months_max = inner.config.indicator_months_max;
    let rows = changed_rows(&task.well, &new, Stored::Standings(&old), months_max, now);
    let count = rows.len();
    stage.add(task, series, rows);
    count
}

impl Stage {
    fn rows(&self) -> usize {
        self.commit.indicators.len() + self.commit.evaluated.len()
    }

    fn add(&mut self, task: &Task, series: WellSeries, rows: Vec<gwbank_store::IndicatorRow>) {
        self.commit.indicators.extend(rows);
        self.commit.evaluated.extend(task.marks.iter().cloned());
        self.series.push((task.well.well_id.clone(), Arc::new(series)));
    }
}

/// Commits what is staged once it is as large as a transaction may be.
async fn commit_if_full(inner: &Inner, stage: &mut Stage) -> Result<(), WatchError> {
    if stage.rows() >= inner.config.rows_per_commit { commit(inner, stage).await } else { Ok(()) }
}

/// Commits what is staged and lets the memory follow.
async fn commit(inner: &Inner, stage: &mut Stage) -> Result<(), WatchError> {
    let has_rows = stage.rows() > 0;
    let Stage { commit, series } = std::mem::take(stage);
    if has_rows {
        inner.metadata.commit_watch(commit).await?;
    }
    inner.series.write().extend(series);
    Ok(())
}

/// Wells by province.
pub(crate) fn by_place<'a>(wells: impl Iterator<Item = &'a Arc<Well>>) -> BTreeMap<String, Vec<&'a Arc<Well>>> {
    let mut places: BTreeMap<String, Vec<&'a Arc<Well>>> = BTreeMap::new();
    for well in wells {
        places.entry(well.province_code.clone()).or_default().push(well);
    }
    places
}

/// A level parameter that a well may be followed by.
pub(crate) const LEVEL_PARAMETERS: [Parameter; 2] = [Parameter::DepthToWater, Parameter::GroundwaterElevation];
