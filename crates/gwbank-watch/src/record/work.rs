//! When a well's record is due, and its rows.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gwbank_indicator::WetSeason;
use gwbank_model::{Month, Parameter, WellId};
use gwbank_registry::{BankType, Registry, Well};
use gwbank_store::{DailyValue, DirtyMonth};

use super::closed::Closed;
use super::read::{WellData, parts_of, read, read_comparisons, read_open};
use super::{Part, RecordMemory, RecordRow, SalinityMemory, bank, days, months, rain, salinity, thresholds};
use crate::error::WatchError;
use crate::series::WellSeries;
use crate::watch::Inner;
use crate::wells;

/// Months that may be open at once: one closes within five weeks, and readings may be a little ahead.
const OPEN_MONTHS_MAX: i32 = 4;

/// What is to be computed of a well's record.
#[derive(Debug, Clone)]
pub(crate) struct RecordTask {
    pub well: Arc<Well>,
    pub comparison: Option<Arc<Well>>,
    pub parts: BTreeSet<Part>,
    /// Whose stored rows are held against what is computed.
    pub compared: BTreeSet<Part>,
}

/// A record that was computed.
#[derive(Debug)]
pub(crate) struct Computed {
    pub rows: Vec<RecordRow>,
    /// Whose rows these are: rows of other parts stay.
    pub parts: BTreeSet<Part>,
    pub memory: RecordMemory,
}

/// What is due of a well's record, if anything. `marks` are those of the well, `compared_marks` those of its comparison
/// well.
pub(crate) fn task_for(
    inner: &Inner,
    registry: &Registry,
    well: &Arc<Well>,
    (marks, compared_marks): (&[DirtyMonth], &[DirtyMonth]),
    closed_through: Month,
) -> Option<RecordTask> {
    let comparison = well.comparison_well_id.as_ref().and_then(|id| registry.well(id.as_str())).cloned();
    let mut parts = BTreeSet::new();
    match inner.record_of(&well.well_id) {
        Some(memory) if memory.well == *well && memory.comparison == comparison => {
            let rests_on = |part: Part, mark: &DirtyMonth| match part {
                Part::Days => days::rest_on(well, mark.month, closed_through, &inner.config.record),
                // Levels tell of recharges, which matter only to who has samples.
                Part::Salinity if mark.parameter.is_level() => {
                    memory.salinity.is_some() && wells::kind(well).fills_by_design()
                }
                Part::Months | Part::Rain | Part::Salinity | Part::Bank => true,
            };
            let closed = |marks: &[DirtyMonth]| -> BTreeSet<Part> {
                let closed = marks.iter().filter(|mark| mark.month <= closed_through);
                closed.flat_map(|mark| parts_of(mark.parameter).filter(|part| rests_on(*part, mark))).collect()
            };
            parts.extend(closed(marks));
            if comparison.is_some() {
                parts.extend(closed(compared_marks).into_iter().filter(|p| matches!(p, Part::Months | Part::Bank)));
            }
            if memory.closed_through != closed_through {
                let moves_on = |part: &&Part| {
                    **part != Part::Days || days::move_on_with(well, closed_through, &inner.config.record)
                };
                parts.extend(memory.parts.iter().filter(moves_on));
            }
        }
        _ => parts.extend(Part::ALL),
    }
    // A first sample of an open month begins a record of salinity.
    if inner.record_of(&well.well_id).is_some_and(|memory| memory.salinity.is_none())
        && marks.iter().any(|mark| salinity::is_source(mark.parameter))
    {
        parts.insert(Part::Salinity);
    }
    // Rows of what a well was before and is no more are compared with none, and so go.
    let compared = parts.clone();
    parts.retain(|part| may_have(well, *part));
    (!compared.is_empty()).then(|| RecordTask { well: Arc::clone(well), comparison, parts, compared })
}

/// Remembers of which parts readings of open months have come: they are due when a month closes, whatever they gave before.
pub(crate) fn awaits(inner: &Inner, well: &WellId, marks: &[DirtyMonth], closed_through: Month) {
    let Some(memory) = inner.record_of(well) else { return };
    let open = marks.iter().filter(|mark| mark.month > closed_through).flat_map(|mark| parts_of(mark.parameter));
    let new: BTreeSet<Part> = open.filter(|p| !memory.parts.contains(p) && may_have(&memory.well, *p)).collect();
    if !new.is_empty() {
        let parts = memory.parts.union(&new).copied().collect();
        inner.records.write().insert(well.clone(), Arc::new(RecordMemory { parts, ..(*memory).clone() }));
    }
}

/// What a well may have by what it is.
pub(super) fn may_have(well: &Well, part: Part) -> bool {
    match part {
        Part::Months | Part::Days => wells::kind(well).has_standing(),
        Part::Rain => true,
        // A closed bank holds rain, not groundwater.
        Part::Salinity => well.bank_type != BankType::Closed,
        Part::Bank => well.bank_type != BankType::Observation,
    }
}

/// Computes records; `levels` are level days that were read already, `series` gives the monthly levels of a well as they are
/// by now.
pub(crate) async fn run(
    inner: &Inner,
    tasks: &[&RecordTask],
    levels: HashMap<WellId, Vec<DailyValue>>,
    series: impl Fn(&WellId) -> Option<Arc<WellSeries>>,
    closed_through: Month,
) -> Result<HashMap<WellId, Computed>, WatchError> {
    let data = read(inner, tasks, levels).await?;
    let comparisons = read_comparisons(inner, tasks).await?;
    let nothing = WellData::default();
    let computed = tasks.iter().map(|task| {
        let well = &task.well.well_id;
        let own = data.get(well).unwrap_or(&nothing);
        let compared = task.comparison.as_ref().and_then(|other| comparisons.get(&other.well_id));
        (well.clone(), compute(inner, task, own, compared, series(well).as_deref(), closed_through))
    });
    Ok(computed.collect())
}

fn compute(
    inner: &Inner,
    task: &RecordTask,
    own: &WellData,
    compared: Option<&WellData>,
    series: Option<&WellSeries>,
    closed_through: Month,
) -> Computed {
    let (well, rules) = (&*task.well, &inner.config.record);
    let closed = Closed::of(task, own, compared, closed_through, inner.config.closing.offset_seconds);
    let wet = WetSeason::of_province(&well.province_code);
    let before = inner.record_of(&well.well_id);
    // Of a well that is a closed bank by now nothing is kept of its salt.
    let kept = before.as_ref().filter(|_| may_have(well, Part::Salinity));
    let mut salinity_memory = kept.and_then(|memory| memory.salinity.clone());
    let mut spi_3 = before.as_ref().and_then(|memory| memory.spi_3);
    let mut rows: Vec<RecordRow> = Vec::new();
    let mut found: BTreeSet<Part> = before.map_or_else(BTreeSet::new, |memory| memory.parts.clone());
    for &part in &task.parts {
        let before = rows.len();
        match part {
            Part::Months => {
                let months = series.map(|series| series.months.as_slice()).unwrap_or_default();
                let months = &months[..months.partition_point(|month| month.month <= closed_through)];
                let other = closed.comparison_months(&inner.config);
                rows.extend(months::rows(closed.place(), months, other.as_deref(), rules));
                rows.extend(thresholds::rows(closed.place(), months, &inner.config));
            }
            Part::Days => {
                let (sense, days) = closed.levels();
                rows.extend(days::rows(well, sense, &days, closed_through, rules));
            }
            Part::Rain => {
                let of_rain = rain::rows(&closed.rain_days());
                let is_last = |row: &&RecordRow| row.indicator == rain::SPI_3 && row.period == closed_through.start(0);
                spi_3 = of_rain.iter().find(is_last).and_then(|row| row.cell.value);
                rows.extend(of_rain);
            }
            Part::Salinity => {
                // As the closed months have it, so that an open one does not change what was said of them.
                let source = salinity::source(&closed.days).or_else(|| salinity::source(&own.days));
                salinity_memory = source.map(|source| {
                    let when = (closed_through, wells::kind(well).fills_by_design());
                    Arc::new(SalinityMemory::of_days(wet, &own.days, source, when, rules))
                });
                let ec = source.map(|source| salinity::ec_days(&closed.days, source, &rules.salinity));
                rows.extend(salinity::rows(&ec.unwrap_or_default(), wet, closed_through, rules));
                // Also before its first month has closed.
                if source.is_some() {
                    found.insert(Part::Salinity);
                }
            }
            Part::Bank => rows.extend(bank::rows(&closed.bank(), rules)),
        }
        if rows.len() > before {
            found.insert(part);
        }
    }
    // What has readings of open months only begins when the first of them closes.
    let offset = inner.config.closing.offset_seconds;
    let open_days = own.days.iter().filter(|day| day.day.month() > closed_through);
    found.extend(open_days.flat_map(|day| parts_of(day.parameter)));
    if own.hours.iter().any(|hour| hour.time.month(offset) > closed_through) {
        found.insert(Part::Bank);
    }
    if !own.rain_counter.is_empty() {
        found.insert(Part::Rain);
    }
    found.retain(|part| may_have(well, *part));
    let memory = RecordMemory {
        closed_through,
        well: Arc::clone(&task.well),
        comparison: task.comparison.clone(),
        parts: found,
        salinity: salinity_memory,
        spi_3,
    };
    Computed { rows, parts: task.compared.clone(), memory }
}

/// Follows the salinity of wells on through the open months in which readings came.
pub(crate) async fn run_open(
    inner: &Inner,
    wells: &[Arc<Well>],
    closed_through: Month,
) -> Result<Vec<(WellId, RecordMemory)>, WatchError> {
    let ids: Vec<WellId> = wells.iter().map(|well| well.well_id.clone()).collect();
    // With the last closed month, as the first open day may be the first of a fill.
    let data = read_open(inner, ids, (closed_through, closed_through.plus(OPEN_MONTHS_MAX))).await?;
    let mut followed = Vec::new();
    for well in wells {
        let Some(memory) = inner.record_of(&well.well_id) else { continue };
        let (Some(salinity), Some(data)) = (&memory.salinity, data.get(&well.well_id)) else { continue };
        let when = (closed_through, wells::kind(well).fills_by_design());
        let next = salinity.followed_on(&data.days, when, &inner.config.record);
        followed.push((well.well_id.clone(), RecordMemory { salinity: Some(Arc::new(next)), ..(*memory).clone() }));
    }
    Ok(followed)
}

/// Whether readings of open months came that change how salt the water is taken to be.
pub(crate) fn goes_on(memory: &RecordMemory, marks: &[DirtyMonth], closed_through: Month) -> bool {
    let Some(salinity) = &memory.salinity else { return false };
    let says = |parameter: Parameter| {
        parameter == salinity.source
            || parameter == Parameter::RechargeFlow
            || (parameter == Parameter::WaterTemperature && salinity.source == Parameter::ElectricalConductivity)
            || (parameter.is_level() && wells::kind(&memory.well).fills_by_design())
    };
    marks.iter().any(|mark| mark.month > closed_through && says(mark.parameter))
}
