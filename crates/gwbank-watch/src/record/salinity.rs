//! From the water's conductivity: monthly classes, trend, and the track that salinity flags follow.

use std::collections::BTreeMap;

use gwbank_indicator::salinity::{
    Baseline, DailyMedian, SalinityFollower, SalinityRules, SalinityTrack, ScienceClass, ec_25, season_medians, trend,
};
use gwbank_indicator::{ValueCounts, WetSeason};
use gwbank_model::{Day, Month, Parameter};
use gwbank_store::DailyValue;

use super::{RecordRow, RecordRules, basis_of};
use crate::place_standing::median;
use crate::rows::Cell;

pub(super) const SALINITY_CLASS: &str = "salinity_class";
pub(super) const TREND_WET: &str = "salinity_trend_wet";
pub(super) const TREND_DRY: &str = "salinity_trend_dry";

pub(super) const INDICATORS: [&str; 3] = [SALINITY_CLASS, TREND_WET, TREND_DRY];

/// What says how salt water is, the best first. A well is followed by the one of which it has most days.
const SOURCES: [Parameter; 3] =
    [Parameter::SpecificConductance, Parameter::ElectricalConductivity, Parameter::TotalDissolvedSolids];

/// Days of a month that give full confidence in its class.
pub(super) const FULL_DAYS: u32 = 15;
/// Days that a season's median takes for the trend: a month of a probe, or of sampling each week.
pub(super) const SEASON_DAYS_MIN: usize = 4;

/// Seasons that give full confidence in a trend: those of a climate normal.
pub(super) const FULL_SEASONS: u32 = 30;

/// A rise between days farther apart is no fill: nobody knows what it was.
const FILL_DAYS_MAX: i32 = 7;

/// Whether readings of this parameter say how salt water is.
pub(super) fn is_source(parameter: Parameter) -> bool {
    SOURCES.contains(&parameter)
}

/// A day's median of EC at 25 °C (µS/cm).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EcDay {
    pub median: DailyMedian,
    pub counts: ValueCounts,
}

/// The days of a well that say how salt its water is, in order of time.
///
/// Conductivity at the water's own temperature is referred to 25 °C by the day's mean temperature: groundwater keeps its
/// own over a day. A day without a temperature then has none. Dissolved solids are turned back by the usual factor.
pub(crate) fn ec_days(days: &[DailyValue], source: Parameter, rules: &SalinityRules) -> Vec<EcDay> {
    let of = |parameter: Parameter| days.iter().filter(move |day| day.parameter == parameter);
    let temperatures: BTreeMap<Day, f64> =
        of(Parameter::WaterTemperature).filter_map(|day| Some((day.day, day.mean?))).collect();
    let value = |day: &DailyValue| {
        let median = day.median?;
        match source {
            Parameter::ElectricalConductivity => ec_25(median, *temperatures.get(&day.day)?),
            Parameter::TotalDissolvedSolids => Some(rules.factor.ec_25_of(median)),
            _ => Some(median),
        }
    };
    of(source)
        .filter_map(|day| {
            let value = value(day).filter(|value| value.is_finite() && *value >= 0.0)?;
            Some(EcDay {
                median: DailyMedian { day: day.day, value, count: day.count as usize },
                counts: ValueCounts { values: day.count, approved: day.approved_count, good: day.good_count },
            })
        })
        .collect()
}

/// By which parameter a well's salinity is followed; `None` where it measures none.
pub(crate) fn source(days: &[DailyValue]) -> Option<Parameter> {
    let count = |source: Parameter| days.iter().filter(|day| day.parameter == source && day.median.is_some()).count();
    // Of equals the first: `max_by_key` would take the last.
    let best = SOURCES.into_iter().rev().max_by_key(|source| count(*source))?;
    (count(best) > 0).then_some(best)
}

/// Days on which water was put in: by the inflow, or the level of an open bank that rose as by a fill.
pub(crate) fn recharge_days(days: &[DailyValue], fills_by_design: bool, rise_min_m: f64) -> Vec<Day> {
    let inflow = days.iter().filter(|day| day.parameter == Parameter::RechargeFlow && day.mean > Some(0.0));
    let mut found: Vec<Day> = inflow.map(|day| day.day).collect();
    if fills_by_design {
        for (parameter, sign) in [(Parameter::DepthToWater, -1.0), (Parameter::GroundwaterElevation, 1.0)] {
            let levels: Vec<(Day, f64)> = days
                .iter()
                .filter(|day| day.parameter == parameter)
                .filter_map(|day| Some((day.day, day.mean? * sign)))
                .collect();
            let is_fill = |pair: &&[(Day, f64)]| {
                pair[1].0.0 - pair[0].0.0 <= FILL_DAYS_MAX && pair[1].1 - pair[0].1 >= rise_min_m
            };
            let rises = levels.windows(2).filter(is_fill);
            found.extend(rises.map(|pair| pair[1].0));
        }
    }
    found
}

/// Rows of closed days.
pub(super) fn rows(days: &[EcDay], wet: WetSeason, closed_through: Month, rules: &RecordRules) -> Vec<RecordRow> {
    let mut rows = Vec::new();
    if days.is_empty() {
        return rows;
    }
    let years = days.len() as f64 / 365.25;
    for month in days.chunk_by(|a, b| a.median.day.month() == b.median.day.month()) {
        let mut values: Vec<f64> = month.iter().map(|day| day.median.value).collect();
        let tds = median(&mut values).and_then(|ec| rules.salinity.factor.tds_mg_l(ec));
        let counts = month.iter().fold(ValueCounts::NONE, |sum, day| sum.union(day.counts));
        let basis = Some(basis_of(month.len(), FULL_DAYS, years).resting_on(counts));
        let class = tds.and_then(ScienceClass::of_tds).map(ScienceClass::name);
        rows.push(RecordRow::of_month(SALINITY_CLASS, month[0].median.day.month(), Cell { value: tds, class, basis }));
    }
    let medians: Vec<DailyMedian> = days.iter().map(|day| day.median).collect();
    let counts = days.iter().fold(ValueCounts::NONE, |sum, day| sum.union(day.counts));
    let found = trend(&season_medians(&medians, wet, SEASON_DAYS_MIN), sen_by_year);
    for (indicator, value, seasons) in
        [(TREND_WET, found.wet_per_year, found.wet_seasons), (TREND_DRY, found.dry_per_year, found.dry_seasons)]
    {
        let basis = Some(basis_of(seasons, FULL_SEASONS, years).resting_on(counts));
        let class = value.is_none().then_some("insufficient_record");
        rows.push(RecordRow::of_month(indicator, closed_through, Cell { value, class, basis }));
    }
    rows
}

/// Sen's slope of values that belong to years, some of which may be missing.
pub(super) fn sen_by_year(points: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let mut values = vec![f64::NAN; (last - first) as usize + 1];
    for &(year, value) in points {
        if let Some(slot) = values.get_mut((year - first) as usize) {
            *slot = value;
        }
    }
    gwbank_indicator::sen_slope(&values).map(|(slope, _)| slope)
}

/// The salinity of a well between runs: where the closed months left it, and where the open ones have brought it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SalinityMemory {
    pub source: Parameter,
    pub closed: SalinityFollower,
    pub track: SalinityTrack,
    /// The last day with a value, open months included.
    pub latest: Option<Day>,
    /// Usual days between days with values.
    pub interval_days: i32,
}

impl SalinityMemory {
    /// `days` are all of the well, in order of time.
    pub fn of_days(
        wet: WetSeason,
        days: &[DailyValue],
        source: Parameter,
        (closed_through, fills_by_design): (Month, bool),
        rules: &RecordRules,
    ) -> Self {
        let ec: Vec<DailyMedian> = ec_days(days, source, &rules.salinity).iter().map(|day| day.median).collect();
        let end = closed_through.plus(1).first_day();
        let closed = &ec[..ec.partition_point(|day| day.day < end)];
        let recharges = recharge_days(days, fills_by_design, rules.fill.rise_min_m);
        let closed_recharges: Vec<Day> = recharges.iter().copied().filter(|day| *day < end).collect();
        let follower =
            SalinityFollower::of_record(wet, closed, &closed_recharges, Some(closed_through), &rules.salinity);
        let mut steps: Vec<i32> = closed.windows(2).map(|pair| pair[1].day.0 - pair[0].day.0).collect();
        let middle = steps.len() / 2;
        let interval_days = if steps.is_empty() { 1 } else { *steps.select_nth_unstable(middle).1 };
        let start = Self {
            source,
            track: follower.track().clone(),
            closed: follower,
            latest: closed.last().map(|day| day.day),
            interval_days,
        };
        start.followed_on(days, (closed_through, fills_by_design), rules)
    }

    /// With the days of the open months (others are passed over) in place of those known before.
    pub fn followed_on(
        &self,
        days: &[DailyValue],
        (closed_through, fills_by_design): (Month, bool),
        rules: &RecordRules,
    ) -> Self {
        let end = closed_through.plus(1).first_day();
        let open: Vec<DailyMedian> = ec_days(days, self.source, &rules.salinity)
            .iter()
            .map(|day| day.median)
            .filter(|day| day.day >= end)
            .collect();
        let recharges = recharge_days(days, fills_by_design, rules.fill.rise_min_m);
        let open_recharges: Vec<Day> = recharges.into_iter().filter(|day| *day >= end).collect();
        let track = self.closed.followed_on(&open, &open_recharges);
        let latest = open.last().map(|day| day.day).or(self.closed.track().now.map(|now| now.day));
        Self { track, latest, ..self.clone() }
    }

    pub fn baseline(&self) -> Option<Baseline> {
        self.track.now.and_then(|now| now.baseline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_model::WellId;

    fn day(parameter: Parameter, day: i32, value: f64) -> DailyValue {
        DailyValue {
            well_id: WellId::new("W").unwrap(),
            parameter,
            day: Day(day),
            mean: Some(value),
            median: Some(value),
            count: 4,
            dry_count: 0,
            approved_count: 0,
            good_count: 3,
        }
    }

    #[test]
    fn conductivity_without_a_temperature_says_nothing() {
        let days = [
            day(Parameter::ElectricalConductivity, 0, 1000.0),
            day(Parameter::ElectricalConductivity, 1, 1000.0),
            day(Parameter::WaterTemperature, 1, 30.0),
        ];
        assert_eq!(source(&days), Some(Parameter::ElectricalConductivity));
        let found = ec_days(&days, Parameter::ElectricalConductivity, &SalinityRules::default());
        assert_eq!(found.iter().map(|d| (d.median.day.0, d.median.value.round())).collect::<Vec<_>>(), [(1, 913.0)]);
    }

    #[test]
    fn of_equal_sources_the_better_counts() {
        let days = [day(Parameter::TotalDissolvedSolids, 0, 640.0), day(Parameter::SpecificConductance, 0, 1000.0)];
        assert_eq!(source(&days), Some(Parameter::SpecificConductance));
        assert_eq!(source(&[day(Parameter::DepthToWater, 0, 1.0)]), None);
        let found = ec_days(&days, Parameter::TotalDissolvedSolids, &SalinityRules::default());
        assert_eq!(found[0].median.value, 1000.0);
    }

    #[test]
    fn fills_and_inflow_are_recharges() {
        let days = [
            day(Parameter::DepthToWater, 0, 3.0),
            day(Parameter::DepthToWater, 1, 2.5),
            day(Parameter::DepthToWater, 2, 2.6),
            day(Parameter::RechargeFlow, 5, 2.0),
            day(Parameter::RechargeFlow, 6, 0.0),
        ];
        assert_eq!(recharge_days(&days, true, 0.1), [Day(5), Day(1)]);
        assert_eq!(recharge_days(&days, false, 0.1), [Day(5)]);
    }
}
