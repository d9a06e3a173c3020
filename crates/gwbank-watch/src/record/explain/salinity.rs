//! Evidence of the water's salinity and its trend.

use gwbank_indicator::salinity::{
    DailyMedian, SalinityTrend, ScienceClass, Season, SeasonMedian, season_medians, trend,
};
use gwbank_model::Parameter;

use super::Asked;
use super::evidence::{Evidence, Missing, lines, side_by_side};
use crate::place_standing::median;
use crate::record::RecordRules;
use crate::record::closed::Closed;
use crate::record::salinity::{
    self, EcDay, FULL_DAYS, FULL_SEASONS, SALINITY_CLASS, SEASON_DAYS_MIN, TREND_WET, sen_by_year,
};

/// Of the closed months.
pub(super) fn ec_days(closed: &Closed<'_>, rules: &RecordRules) -> Vec<EcDay> {
    let source = salinity::source(&closed.days);
    source.map(|source| salinity::ec_days(&closed.days, source, &rules.salinity)).unwrap_or_default()
}

pub(super) fn explain(asked: &Asked<'_>) -> Evidence {
    let days = ec_days(asked.closed, asked.rules);
    let Some(source) = salinity::source(&asked.closed.days) else {
        return Evidence::without(Missing::new(
            "not_measured",
            "the well measures no conductivity and no dissolved solids",
        ));
    };
    let mut evidence =
        if asked.indicator == SALINITY_CLASS { of_month(asked, &days) } else { of_seasons(asked, &days) };
    evidence.limits.push(match source {
        Parameter::ElectricalConductivity => {
            "conductivity at 25 °C = measured/(1 + 0.0191 (T - 25)), T the day's mean temperature".to_owned()
        }
        Parameter::TotalDissolvedSolids => {
            format!("conductivity at 25 °C = dissolved solids/{}", asked.rules.salinity.factor.value())
        }
        _ => format!("followed by {source}, of which it has most days"),
    });
    let measured = asked.closed.days.iter().filter(|day| day.parameter == source && day.median.is_some());
    let unused: Vec<String> = measured
        .filter(|day| days.binary_search_by_key(&day.day, |ec| ec.median.day).is_err())
        .map(|day| format!("{}  {source} without a water temperature, or no value that can be", day.day.date()))
        .collect();
    evidence.left_out.extend(unused);
    evidence
}

fn of_month(asked: &Asked<'_>, days: &[EcDay]) -> Evidence {
    let own: Vec<DailyMedian> =
        days.iter().map(|day| day.median).filter(|day| day.day.month() == asked.month).collect();
    let factor = asked.rules.salinity.factor;
    let mut used = vec![format!("medians of {} days, conductivity at 25 °C, µS/cm", own.len())];
    used.extend(side_by_side(own.iter().map(|day| format!("{} {}", day.day.date(), day.value)), 5));
    let mut evidence = Evidence {
        used,
        limits: vec![
            "fresh < 1000, slightly_saline < 3000, moderately_saline < 10000, very_saline < 35000 mg/L, then brine"
                .to_owned(),
        ],
        confidence: format!("smaller of 1 and days/{FULL_DAYS} = {}/{FULL_DAYS}", own.len()),
        weaknesses: lines([
            "the factor lies between 0.55 and 0.75 in natural waters, and nobody has analysed this one",
        ]),
        ..Evidence::default()
    };
    let mut values: Vec<f64> = own.iter().map(|day| day.value).collect();
    let ec = median(&mut values);
    match ec.and_then(|ec| Some((ec, factor.tds_mg_l(ec)?))) {
        Some((ec, tds)) => {
            let class = ScienceClass::of_tds(tds).map_or("none", ScienceClass::name);
            evidence.formulas = vec![
                format!("median of the {} days = {ec}", own.len()),
                format!("dissolved solids = factor * conductivity = {} * {ec} = {tds} mg/L: {class}", factor.value()),
            ];
        }
        None => {
            evidence.missing = Some(Missing::new("no_data", format!("no day of {} has a conductivity", asked.month)));
        }
    }
    evidence
}

fn of_seasons(asked: &Asked<'_>, days: &[EcDay]) -> Evidence {
    let medians: Vec<DailyMedian> = days.iter().map(|day| day.median).collect();
    let season = if asked.indicator == TREND_WET { Season::Wet } else { Season::Dry };
    let wet = asked.closed.place().season;
    let of_season = |days_min: usize| -> Vec<SeasonMedian> {
        season_medians(&medians, wet, days_min).into_iter().filter(|found| found.season == season).collect()
    };
    let (all, found) = (of_season(1), of_season(SEASON_DAYS_MIN));
    let mut used = vec![format!("median of each {season:?} season by the year in which it began, µS/cm at 25 °C")];
    used.extend(side_by_side(found.iter().map(|own| format!("{} {} ({} days)", own.year, own.value, own.days)), 4));
    let mut evidence = Evidence {
        used,
        limits: vec![
            format!("seasons with a median: {} of {} needed", found.len(), SalinityTrend::SEASONS_MIN),
            format!("days that a season takes: {SEASON_DAYS_MIN}"),
        ],
        left_out: all
            .iter()
            .filter(|own| own.days < SEASON_DAYS_MIN)
            .map(|own| format!("{}  {} days, {SEASON_DAYS_MIN} are needed", own.year, own.days))
            .collect(),
        confidence: format!("smaller of 1 and seasons/{FULL_SEASONS} = {}/{FULL_SEASONS}", found.len()),
        weaknesses: lines(["a salt front that comes and goes within a season is a level, not a trend"]),
        ..Evidence::default()
    };
    let slopes = trend(&found, sen_by_year);
    match if season == Season::Wet { slopes.wet_per_year } else { slopes.dry_per_year } {
        Some(slope) => {
            let pairs = found.len() * (found.len() - 1) / 2;
            let told = format!("median of (later - earlier)/years over {pairs} pairs of seasons = {slope}");
            evidence.formulas.push(told);
        }
        None => {
            let told = format!("{} seasons, {} are needed", found.len(), SalinityTrend::SEASONS_MIN);
            evidence.missing = Some(Missing::new("insufficient_record", told));
        }
    }
    evidence
}
