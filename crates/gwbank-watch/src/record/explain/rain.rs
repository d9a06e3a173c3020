//! Evidence of SPI.

use std::collections::BTreeMap;

use gwbank_indicator::{
    CountedRain, CountedRainDay, GammaFit, MonthSpi, SPI_TIMESCALES, SpiRules, monthly_counted_rain, spi_with_basis,
};
use gwbank_model::{Month, Parameter};

use super::Asked;
use super::evidence::{Evidence, Missing, lines, side_by_side};
use crate::record::rain::INDICATORS;

pub(super) fn explain(asked: &Asked<'_>) -> Evidence {
    let scale = INDICATORS.iter().zip(SPI_TIMESCALES).find(|(name, _)| **name == asked.indicator);
    let Some((_, timescale)) = scale else { return Evidence::default() };
    let days = asked.closed.rain_days();
    if days.is_empty() {
        return Evidence::without(Missing::new("not_measured", "the well measures no rain"));
    }
    let rules = SpiRules::of_timescale(timescale);
    let months = monthly_counted_rain(&days);
    let found = spi_with_basis(&months, &rules);
    let source = if asked.closed.days.iter().any(|day| day.parameter == Parameter::Rainfall) {
        Parameter::Rainfall
    } else {
        Parameter::RainfallTotal
    };
    let first = asked.month.plus(1 - timescale as i32);
    let window: Vec<&CountedRain> =
        months.iter().filter(|month| month.rain.month >= first && month.rain.month <= asked.month).collect();
    let mut used = vec![format!("rain of {} to {}, mm, by {source}", first, asked.month)];
    used.extend(side_by_side(window.iter().map(|month| format!("{} {}", month.rain.month, month.rain.millimetres)), 6));
    let group: Vec<&MonthSpi> =
        found.iter().filter(|own| own.month.month_of_year() == asked.month.month_of_year()).collect();
    used.push(format!("sums of {timescale} months up to this calendar month, {} years", group.len()));
    used.extend(side_by_side(group.iter().map(|own| format!("{} {}", own.month, own.sum_millimetres)), 6));
    let mut evidence = Evidence {
        used,
        limits: vec![
            format!("years with this calendar month: {} of {} needed", group.len(), rules.years_min),
            "a month counts with a value on every day, a sum with all of its months".to_owned(),
            "<= -2 extremely, <= -1.5 severely, <= -1 moderately dry; mirrored for wet".to_owned(),
        ],
        left_out: incomplete(&days),
        confidence: format!(
            "smaller of 1 and n/{} = {}/{}",
            rules.full_confidence_n,
            group.len(),
            rules.full_confidence_n
        ),
        weaknesses: lines([
            "in dry months with many zeros their share bounds the index from below: take 3 months and more",
            "no allowance is made for a trend of the rain",
        ]),
        ..Evidence::default()
    };
    match found.iter().find(|own| own.month == asked.month) {
        None => {
            let told = format!("{} of {timescale} months of rain are whole", window.len());
            evidence.missing = Some(Missing::new("insufficient_coverage", told));
        }
        Some(own) => {
            evidence.missing = own.spi.why().map(|why| Missing::from(*why));
            if let (Some(fit), Some(value)) = (own.fit, own.spi.value()) {
                evidence.formulas = formulas(own, &fit, *value, &group);
            }
        }
    }
    evidence
}

fn formulas(own: &MonthSpi, fit: &GammaFit, value: f64, group: &[&MonthSpi]) -> Vec<String> {
    let zeros = group.iter().filter(|other| other.sum_millimetres <= 0.0).count();
    let probability = fit.probability(own.sum_millimetres);
    let sum = own.sum_millimetres;
    let mut formulas = vec![
        format!("share of zeros p0 = {zeros}/{} = {}", group.len(), fit.zero_share),
        format!(
            "gamma of the {} positive sums by maximum likelihood: shape {}, scale = mean/shape = {}",
            group.len() - zeros,
            fit.shape,
            fit.scale
        ),
        format!("p = p0 + (1 - p0) G(sum) with sum = {sum}: p = {}, 1 - p = {}", probability.at_most, probability.more),
    ];
    formulas.push(if sum > 0.0 && probability.more < 0.5 {
        format!("SPI = - inverse normal of 1 - p = - inverse normal of {} = {value}", probability.more)
    } else {
        format!("SPI = inverse normal of p = inverse normal of {} = {value}", probability.at_most)
    });
    formulas
}

/// Months with rain on some days only.
fn incomplete(days: &[CountedRainDay]) -> Vec<String> {
    let mut months: BTreeMap<Month, u32> = BTreeMap::new();
    for day in days {
        *months.entry(day.day.month()).or_default() += 1;
    }
    let thin = months.into_iter().filter(|(month, days)| *days < month.days());
    thin.map(|(month, days)| format!("{month}  {days} of {} days", month.days())).collect()
}
