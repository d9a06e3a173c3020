//! What is read of wells for their records.

use std::collections::{BTreeSet, HashMap};

use gwbank_model::{Month, Parameter, QualityFlag, Row, Timestamp, WellId};
use gwbank_registry::BankType;
use gwbank_store::{DailyValue, HourlyMean, SeriesRequest};

use super::Part;
use super::rain::CounterReading;
use super::work::RecordTask;
use crate::error::WatchError;
use crate::series::LEVEL_PARAMETERS;
use crate::watch::Inner;

/// Banks whose hours are read at once: 16 banks × 10 years × two series of hours are about 130 MB.
const BANKS_PER_READING: usize = 16;

const MEDIANS_OF: [Parameter; 4] = [
    Parameter::SpecificConductance,
    Parameter::ElectricalConductivity,
    Parameter::TotalDissolvedSolids,
    Parameter::Turbidity,
];

const BANK_HOURS: [Parameter; 4] =
    [Parameter::DepthToWater, Parameter::GroundwaterElevation, Parameter::Rainfall, Parameter::RechargeFlow];

/// Of one well.
#[derive(Debug, Default)]
pub(super) struct WellData {
    pub days: Vec<DailyValue>,
    pub hours: Vec<HourlyMean>,
    /// Readings of `rainfall_total`.
    pub rain_counter: Vec<CounterReading>,
}

/// Parameters whose days a part is made of.
pub(super) fn day_parameters(part: Part) -> &'static [Parameter] {
    match part {
        Part::Months => &[],
        Part::Days => &LEVEL_PARAMETERS,
        Part::Rain => &[Parameter::Rainfall, Parameter::RainfallTotal],
        Part::Salinity => &[
            Parameter::SpecificConductance,
            Parameter::ElectricalConductivity,
            Parameter::TotalDissolvedSolids,
            Parameter::RechargeFlow,
            Parameter::DepthToWater,
            Parameter::GroundwaterElevation,
        ],
        Part::Bank => &[
            Parameter::SpecificConductance,
            Parameter::ElectricalConductivity,
            Parameter::TotalDissolvedSolids,
            Parameter::Turbidity,
            Parameter::Evaporation,
        ],
    }
}

/// The parts that a reading of this parameter changes.
pub(super) fn parts_of(parameter: Parameter) -> impl Iterator<Item = Part> {
    Part::ALL.into_iter().filter(move |part| {
        day_parameters(*part).contains(&parameter)
            || (parameter.is_level() && *part == Part::Months)
            || (*part == Part::Bank && BANK_HOURS.contains(&parameter))
            || (parameter == Parameter::WaterTemperature && matches!(part, Part::Salinity | Part::Bank))
    })
}

/// Everything that the parts of these tasks need. `levels` are level days that were read already.
pub(super) async fn read(
    inner: &Inner,
    tasks: &[&RecordTask],
    levels: HashMap<WellId, Vec<DailyValue>>,
) -> Result<HashMap<WellId, WellData>, WatchError> {
    let needs = |task: &RecordTask, parameter: Parameter| {
        task.parts.iter().any(|part| day_parameters(*part).contains(&parameter))
    };
    let parameters: Vec<Parameter> = Parameter::ALL
        .iter()
        .copied()
        .filter(|parameter| !parameter.is_level() && tasks.iter().any(|task| needs(task, *parameter)))
        .collect();
    let without_levels: Vec<WellId> = tasks
        .iter()
        .filter(|task| needs(task, Parameter::DepthToWater) && !levels.contains_key(&task.well.well_id))
        .map(|task| task.well.well_id.clone())
        .collect();
    let mut data: HashMap<WellId, WellData> = HashMap::new();
    for (well, days) in levels {
        data.insert(well, WellData { days, ..WellData::default() });
    }
    let wells = tasks.iter().map(|task| task.well.well_id.clone()).collect();
    add_days(inner, wells, parameters, None, &mut data).await?;
    add_days(inner, without_levels, LEVEL_PARAMETERS.to_vec(), None, &mut data).await?;
    add_temperatures(inner, None, &mut data).await?;
    for task in tasks.iter().filter(|task| task.parts.contains(&Part::Rain)) {
        add_rain_counter(inner, &task.well.well_id, &mut data).await?;
    }
    let banks: Vec<WellId> = tasks
        .iter()
        .filter(|task| task.parts.contains(&Part::Bank) && task.well.bank_type != BankType::Observation)
        .map(|task| task.well.well_id.clone())
        .collect();
    for banks in banks.chunks(BANKS_PER_READING) {
        for hour in inner.reader.hourly_means(request(inner, banks.to_vec(), BANK_HOURS.to_vec(), None)).await? {
            data.entry(hour.well_id.clone()).or_default().hours.push(hour);
        }
    }
    Ok(data)
}

/// Of the comparison wells of these tasks: levels, and what says how the water is.
pub(super) async fn read_comparisons(
    inner: &Inner,
    tasks: &[&RecordTask],
) -> Result<HashMap<WellId, WellData>, WatchError> {
    let wells: BTreeSet<WellId> =
        tasks.iter().filter_map(|task| Some(task.comparison.as_ref()?.well_id.clone())).collect();
    let mut data = HashMap::new();
    let parameters = LEVEL_PARAMETERS.into_iter().chain(MEDIANS_OF).collect();
    add_days(inner, wells.into_iter().collect(), parameters, None, &mut data).await?;
    add_temperatures(inner, None, &mut data).await?;
    Ok(data)
}

/// What the salinity of wells needs of some months.
pub(super) async fn read_open(
    inner: &Inner,
    wells: Vec<WellId>,
    months: (Month, Month),
) -> Result<HashMap<WellId, WellData>, WatchError> {
    let mut data = HashMap::new();
    add_days(inner, wells, day_parameters(Part::Salinity).to_vec(), Some(months), &mut data).await?;
    add_temperatures(inner, Some(months), &mut data).await?;
    Ok(data)
}

async fn add_days(
    inner: &Inner,
    wells: Vec<WellId>,
    parameters: Vec<Parameter>,
    months: Option<(Month, Month)>,
    data: &mut HashMap<WellId, WellData>,
) -> Result<(), WatchError> {
    if wells.is_empty() || parameters.is_empty() {
        return Ok(());
    }
    for day in inner.reader.daily_values(request(inner, wells, parameters, months)).await? {
        match data.get_mut(&day.well_id) {
            Some(known) => known.days.push(day),
            None => data.entry(day.well_id.clone()).or_default().days.push(day),
        }
    }
    Ok(())
}

/// Only where conductivity is measured at the water's own temperature: temperatures are as many as levels.
async fn add_temperatures(
    inner: &Inner,
    months: Option<(Month, Month)>,
    data: &mut HashMap<WellId, WellData>,
) -> Result<(), WatchError> {
    let measures = |known: &WellData| known.days.iter().any(|day| day.parameter == Parameter::ElectricalConductivity);
    let wells: Vec<WellId> = data.iter().filter(|(_, known)| measures(known)).map(|(well, _)| well.clone()).collect();
    if wells.is_empty() {
        return Ok(());
    }
    add_days(inner, wells, vec![Parameter::WaterTemperature], months, data).await
}

/// The steps of a counter are lost in means of days, so its readings are read.
async fn add_rain_counter(
    inner: &Inner,
    well: &WellId,
    data: &mut HashMap<WellId, WellData>,
) -> Result<(), WatchError> {
    let Some(known) = data.get_mut(well) else { return Ok(()) };
    let has = |parameter| known.days.iter().any(|day| day.parameter == parameter && day.count > 0);
    if !has(Parameter::RainfallTotal) || has(Parameter::Rainfall) {
        return Ok(());
    }
    let rows = inner.reader.rows_since(well, Parameter::RainfallTotal, Timestamp::MIN).await?;
    let counts = rows.iter().filter(|row| inner.config.qualities.contains(&row.quality.code()));
    let reading = |row: &Row| {
        Some(CounterReading { time: row.time, total_mm: row.value()?, is_good: row.quality == QualityFlag::Pass })
    };
    known.rain_counter = counts.filter_map(reading).collect();
    Ok(())
}

fn request(
    inner: &Inner,
    wells: Vec<WellId>,
    parameters: Vec<Parameter>,
    months: Option<(Month, Month)>,
) -> SeriesRequest {
    SeriesRequest {
        wells: Some(wells),
        medians_of: MEDIANS_OF.into_iter().filter(|median| parameters.contains(median)).collect(),
        parameters,
        from: months.map(|(from, _)| from.first_day()),
        to: months.map(|(_, to)| to.plus(1).first_day()),
        offset_seconds: inner.config.closing.offset_seconds,
        qualities: inner.config.qualities.clone(),
    }
}
