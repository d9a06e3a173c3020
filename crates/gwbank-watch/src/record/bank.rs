//! From the stage of a bank: infiltration and its decline, volumes, drain-down, overflow, harm to the water.

use gwbank_indicator::bank::{
    DrainDown, Emptied, FillEvent, NotMeasurable, Pond, StageArea, Substance, WaterTable, clogging, drain_downs,
    fill_events, metered_volume, quality_harm, volume_by_stage,
};
use gwbank_indicator::{Basis, Sense};
use gwbank_model::{Month, Parameter, Timestamp};
use gwbank_registry::{BankType, Well};
use gwbank_store::{DailyValue, HourlyMean};

use super::salinity::{EcDay, ec_days, source};
use super::{RecordRow, RecordRules, basis_of, not_measurable};
use crate::rows::Cell;

pub(super) const INFILTRATION_RATE: &str = "infiltration_rate";
pub(super) const INFILTRATED_VOLUME: &str = "infiltrated_volume";
pub(super) const CLOGGING: &str = "clogging";
pub(super) const RECHARGE_VOLUME: &str = "recharge_volume";
pub(super) const DRAIN_DOWN_HOURS: &str = "drain_down_hours";
pub(super) const OVERFLOW_HOURS: &str = "overflow_hours";
pub(super) const HARM_CONDUCTIVITY: &str = "quality_harm_conductivity";
pub(super) const HARM_TURBIDITY: &str = "quality_harm_turbidity";

pub(super) const INDICATORS: [&str; 8] = [
    INFILTRATION_RATE,
    INFILTRATED_VOLUME,
    CLOGGING,
    RECHARGE_VOLUME,
    DRAIN_DOWN_HOURS,
    OVERFLOW_HOURS,
    HARM_CONDUCTIVITY,
    HARM_TURBIDITY,
];

/// Steps of a fall that give full confidence in its rate: some hours of hourly readings.
pub(super) const FULL_STEPS: u32 = 10;
/// Fills that give full confidence in a decline.
pub(super) const FULL_FILLS: u32 = 30;

/// What is read of a bank, all of closed months and in order of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct BankInput<'a> {
    pub well: &'a Well,
    pub hours: &'a [HourlyMean],
    pub days: &'a [DailyValue],
    /// Days of the comparison well, where one is registered.
    pub comparison: Option<(&'a Well, &'a [DailyValue])>,
    pub closed_through: Month,
    pub offset_seconds: i32,
}

pub(super) fn rows(bank: &BankInput<'_>, rules: &RecordRules) -> Vec<RecordRow> {
    let mut rows = Vec::new();
    metered(bank, &mut rows);
    if !bank.hours.iter().any(|hour| Sense::of(hour.parameter).is_some()) {
        return rows;
    }
    let Some(water) = Water::of(bank, rules) else {
        rows.push(RecordRow::of_month(CLOGGING, bank.closed_through, not_measurable(NotMeasurable::NoDepth)));
        return rows;
    };
    let pond = water.pond(bank);
    let events = fill_events(&pond, &rules.fill);
    infiltration(bank, &events, &pond, water.years, &mut rows);
    decline(bank, &events, water.years, rules, &mut rows);
    if bank.well.bank_type == BankType::Closed {
        drainage(&drain_downs(&water.stage, bank.well.depth, &rules.drain_down), water.years, rules, &mut rows);
    }
    harm(bank, &events, water.years, rules, &mut rows);
    rows
}

/// The water in a bank, and what came and went beside the ground.
#[derive(Debug)]
pub(super) struct Water {
    /// Height above the floor.
    pub stage: Vec<(Timestamp, f64)>,
    /// Empty where nobody measures it.
    pub rain: Vec<(Timestamp, f64)>,
    pub evaporation_mm_per_day: Option<f64>,
    /// From the first to the last stage.
    pub years: f64,
}

impl Water {
    /// `None` where the bank's depth is not registered.
    pub fn of(bank: &BankInput<'_>, rules: &RecordRules) -> Option<Self> {
        let stage = stage(bank)?;
        let span = stage.last().zip(stage.first());
        let years = span.map_or(0.0, |((last, _), (first, _))| last.micros_since(*first) as f64 / (365.25 * 86_400e6));
        // A closed bank is covered.
        let covered = bank.well.bank_type == BankType::Closed;
        let evaporation_mm_per_day = if covered { Some(0.0) } else { evaporation(bank, rules) };
        Some(Self { stage, rain: amounts(bank.hours, Parameter::Rainfall), evaporation_mm_per_day, years })
    }

    pub fn pond(&self, bank: &BankInput<'_>) -> Pond<'_> {
        Pond {
            stage_m: &self.stage,
            rain_mm: (!self.rain.is_empty()).then_some(self.rain.as_slice()),
            evaporation_mm_per_day: self.evaporation_mm_per_day,
            area_m2: bank.well.bank_area,
        }
    }
}

/// Pores of what fills the bank: those of a closed bank's fill are not registered as a number.
pub(super) fn pores(well: &Well) -> Option<f64> {
    (well.bank_type == BankType::Open).then_some(1.0)
}

/// Height of the water above the floor; `None` where the bank's depth is not registered.
fn stage(bank: &BankInput<'_>) -> Option<Vec<(Timestamp, f64)>> {
    let depth = bank.well.depth?;
    let count = |parameter| bank.hours.iter().filter(|hour| hour.parameter == parameter).count();
    let by_elevation = count(Parameter::GroundwaterElevation) > count(Parameter::DepthToWater);
    let (parameter, floor) = if by_elevation {
        (Parameter::GroundwaterElevation, bank.well.ground_elevation? - depth)
    } else {
        (Parameter::DepthToWater, depth)
    };
    let height = |hour: &HourlyMean| match hour.mean {
        Some(mean) if by_elevation => Some(mean - floor),
        Some(mean) => Some(floor - mean),
        None if hour.dry_count > 0 => Some(0.0),
        None => None,
    };
    let hours = bank.hours.iter().filter(|hour| hour.parameter == parameter);
    Some(hours.filter_map(|hour| Some((hour.time, height(hour)?.max(0.0)))).collect())
}

/// What came within each hour.
fn amounts(hours: &[HourlyMean], parameter: Parameter) -> Vec<(Timestamp, f64)> {
    let of = hours.iter().filter(|hour| hour.parameter == parameter);
    of.filter_map(|hour| Some((hour.time, hour.mean? * f64::from(hour.count)))).collect()
}

/// Mean of the days measured beside the bank, else what is configured.
fn evaporation(bank: &BankInput<'_>, rules: &RecordRules) -> Option<f64> {
    let days: Vec<f64> =
        bank.days.iter().filter(|day| day.parameter == Parameter::Evaporation).filter_map(DailyValue::sum).collect();
    if days.is_empty() {
        return rules.evaporation_mm_per_day;
    }
    Some(days.iter().sum::<f64>() / days.len() as f64)
}

fn infiltration(bank: &BankInput<'_>, events: &[FillEvent], pond: &Pond<'_>, years: f64, rows: &mut Vec<RecordRow>) {
    let area = bank.well.bank_area.and_then(StageArea::upright);
    let pores = pores(bank.well);
    for event in events {
        let basis = Some(basis_of(event.steps.len(), FULL_STEPS, years));
        let volume = volume_by_stage(std::slice::from_ref(event), area.as_ref(), pond.evaporation_mm_per_day, pores);
        // The closed months end before its fall does.
        let class = (Some(event.until) == pond.stage_m.last().map(|(time, _)| *time)).then_some("ongoing");
        for (indicator, result) in [(INFILTRATION_RATE, event.infiltration_mm_per_day), (INFILTRATED_VOLUME, volume)] {
            let cell = match result {
                Ok(value) => Cell { value: Some(value), class, basis },
                Err(why) => Cell { basis, ..not_measurable(why) },
            };
            rows.push(RecordRow { indicator, period: event.peak_at, cell });
        }
    }
}

fn decline(bank: &BankInput<'_>, events: &[FillEvent], years: f64, rules: &RecordRules, rows: &mut Vec<RecordRow>) {
    let heights = comparison_heights(bank);
    let cell = match clogging(events, water_table(bank.well, heights.as_deref()), &rules.clogging) {
        Ok(found) => Cell {
            value: Some(found.per_year.percent),
            class: Some(found.sureness.name()),
            basis: Some(basis_of(found.events, FULL_FILLS, years)),
        },
        Err(why) => Cell { basis: Some(basis_of(events.len(), FULL_FILLS, years)), ..not_measurable(why) },
    };
    rows.push(RecordRow::of_month(CLOGGING, bank.closed_through, cell));
}

/// `heights` are those of [`comparison_heights`].
pub(super) fn water_table<'a>(well: &Well, heights: Option<&'a [(Timestamp, f64)]>) -> WaterTable<'a> {
    match (well.bank_type, heights) {
        (BankType::Closed, _) => WaterTable::Below,
        (_, Some(heights)) => WaterTable::Measured(heights),
        (_, None) => WaterTable::Unknown,
    }
}

/// Water of the comparison well above the bank's floor: both must be surveyed.
pub(super) fn comparison_heights(bank: &BankInput<'_>) -> Option<Vec<(Timestamp, f64)>> {
    let (well, days) = bank.comparison?;
    let floor = bank.well.ground_elevation? - bank.well.depth?;
    let elevation = |day: &DailyValue| match day.parameter {
        Parameter::GroundwaterElevation => day.mean,
        Parameter::DepthToWater => Some(well.ground_elevation? - day.mean?),
        _ => None,
    };
    let noon = |day: &DailyValue| day.day.start(bank.offset_seconds).plus_secs(43_200);
    let heights: Vec<_> = days.iter().filter_map(|day| Some((noon(day), elevation(day)? - floor))).collect();
    (!heights.is_empty()).then_some(heights)
}

/// Readings of the inflow meter, m³/h.
pub(super) fn inflow(bank: &BankInput<'_>) -> Vec<(Timestamp, f64)> {
    let flow = bank.hours.iter().filter(|hour| hour.parameter == Parameter::RechargeFlow);
    flow.filter_map(|hour| Some((hour.time, hour.mean?))).collect()
}

/// m³ of each month by the inflow meter.
fn metered(bank: &BankInput<'_>, rows: &mut Vec<RecordRow>) {
    let flow = inflow(bank);
    let month = |time: &Timestamp| time.month(bank.offset_seconds);
    for of_month in flow.chunk_by(|a, b| month(&a.0) == month(&b.0)) {
        let basis = Some(basis_of(of_month.len(), 28 * 24, of_month.len() as f64 / 8766.0));
        let cell = match metered_volume(of_month, bank.well.bank_volume) {
            Ok(found) => Cell { value: Some(found.m3), class: None, basis },
            Err(why) => Cell { basis, ..not_measurable(why) },
        };
        rows.push(RecordRow::of_month(RECHARGE_VOLUME, month(&of_month[0].0), cell));
    }
}

fn drainage(found: &[DrainDown], years: f64, rules: &RecordRules, rows: &mut Vec<RecordRow>) {
    for drain in found {
        let (hours, ended) = match drain.emptied {
            Emptied::AfterHours(hours) => (hours, true),
            Emptied::NotWithinHours(hours) => (hours, false),
        };
        let class = match drain.is_slow(&rules.drain_down) {
            Some(true) => Some("slow"),
            _ if !ended => Some("at_least"),
            _ => None,
        };
        let basis = Some(Basis { n: 1, years, confidence: if ended { 1.0 } else { 0.5 }, ..Basis::NOTHING });
        let row = |indicator, value, class| RecordRow {
            indicator,
            period: drain.peak_at,
            cell: Cell { value: Some(value), class, basis },
        };
        rows.push(row(DRAIN_DOWN_HOURS, hours, class));
        rows.extend(drain.overflow_hours.map(|hours| row(OVERFLOW_HOURS, hours, None)));
    }
}

/// Of each fill: how much worse the water was in the two weeks after than in those before.
fn harm(bank: &BankInput<'_>, events: &[FillEvent], years: f64, rules: &RecordRules, rows: &mut Vec<RecordRow>) {
    for (indicator, substance) in [(HARM_CONDUCTIVITY, Substance::Conductivity), (HARM_TURBIDITY, Substance::Turbidity)]
    {
        let (values, comparison) = quality(bank, substance, rules);
        if values.is_empty() {
            continue;
        }
        for event in events {
            let Ok(found) = quality_harm(substance, &values, event.began, &comparison, &rules.harm) else { continue };
            let confidence = if found.comparison_rise.is_some() { 1.0 } else { 0.5 };
            let basis = Some(Basis { n: 1, years, confidence, ..Basis::NOTHING });
            let class = Some(if found.is_harm { "harm" } else { "none" });
            rows.push(RecordRow {
                indicator,
                period: event.began,
                cell: Cell { value: Some(found.rise), class, basis },
            });
        }
    }
}

/// At a time, a value.
type Values = Vec<(Timestamp, f64)>;

/// Medians of days (at noon) of the bank and of its comparison well.
pub(super) fn quality(bank: &BankInput<'_>, substance: Substance, rules: &RecordRules) -> (Values, Values) {
    let noon = |day: gwbank_model::Day| day.start(bank.offset_seconds).plus_secs(43_200);
    let of = |days: &[DailyValue]| -> Values {
        match substance {
            Substance::Conductivity => {
                let found = source(days).map(|source| ec_days(days, source, &rules.salinity)).unwrap_or_default();
                found.iter().map(|EcDay { median, .. }| (noon(median.day), median.value)).collect()
            }
            Substance::Turbidity => {
                let turbid = days.iter().filter(|day| day.parameter == Parameter::Turbidity);
                turbid.filter_map(|day| Some((noon(day.day), day.median?))).collect()
            }
        }
    };
    (of(bank.days), of(bank.comparison.map(|(_, days)| days).unwrap_or_default()))
}
