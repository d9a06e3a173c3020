//! A well against its neighbours, rain and air, day by day of a month.

use std::ops::Range;

use gwbank_model::{Day, Month, Parameter, QcTest, QualityFlag};
use gwbank_quality::across::{MultiVariateRules, NeighbourRules, multi_variate, neighbour};
use gwbank_registry::Well;

use super::NEIGHBOUR_MONTHS;
use super::days::Days;
use super::found::Found;
use super::sources::WellSources;

/// Of days. Wells that go together in the dry season need not do so when the rains begin: they are to be known for a year.
/// (With the 60 days that serve a batch, 0.6 % of a simulated country's sound readings were found to depart, with these 0.14.)
pub(super) fn neighbour_rules() -> NeighbourRules {
    NeighbourRules { common_min: 330, ..NeighbourRules::default() }
}

/// What days of a month are found to be.
pub(super) fn month(well: &Well, sources: &WellSources, days: &Days, month: Month, offset_seconds: i32) -> Vec<Found> {
    let mut found = against_neighbours(well, sources, days, month, offset_seconds);
    found.extend(against_weather(well, sources, days, month, offset_seconds));
    found
}

fn against_neighbours(
    well: &Well,
    sources: &WellSources,
    days: &Days,
    month: Month,
    offset_seconds: i32,
) -> Vec<Found> {
    let rules = neighbour_rules();
    if sources.neighbours.len() < rules.neighbours_min {
        return Vec::new();
    }
    let (from, to) = (month.plus(1 - NEIGHBOUR_MONTHS).first_day(), month.plus(1).first_day());
    let Some((parameter, level)) = days.level(&well.well_id, from, to) else { return Vec::new() };
    let beside: Vec<Vec<f64>> =
        sources.neighbours.iter().filter_map(|other| Some(days.level(other, from, to)?.1)).collect();
    let in_month = (month.first_day().0 - from.0) as usize..level.len();
    if level[in_month.clone()].iter().all(|value| value.is_nan()) || beside.len() < rules.neighbours_min {
        return Vec::new();
    }
    let beside: Vec<&[f64]> = beside.iter().map(Vec::as_slice).collect();
    let flags = neighbour(&rules, &level, &beside);
    let runs = runs(&flags, in_month, |flag| matches!(flag, QualityFlag::Missing | QualityFlag::NotEvaluated));
    let found = runs.into_iter().map(|run| {
        let detail = format!("departs from what {} wells of the aquifer foretell", beside.len());
        of_days(parameter, QcTest::Neighbour, (from, run), detail, offset_seconds)
    });
    found.collect()
}

fn against_weather(well: &Well, sources: &WellSources, days: &Days, month: Month, offset_seconds: i32) -> Vec<Found> {
    let (first, to) = (month.first_day(), month.plus(1).first_day());
    let mut found = Vec::new();
    if let Some(gauge) = &sources.rain {
        let rules = MultiVariateRules::default();
        // A rise on the first day of the month is seen from the day before, with the rain of those before.
        let from = Day(first.0 - rules.rain_steps.max(1) as i32);
        if let Some((parameter, level)) = days.level(&well.well_id, from, to) {
            let level = without_spikes(level, rules.rise_min);
            let flags = multi_variate(&rules, &level, &days.rain(gauge, from, to), &[]);
            let in_month = (first.0 - from.0) as usize..flags.len();
            let detail = format!("rises without rain at {gauge}");
            found.extend(
                runs(&flags, in_month, |_| false)
                    .into_iter()
                    .map(|run| of_days(parameter, QcTest::MultiVariate, (from, run), detail.clone(), offset_seconds)),
            );
        }
    }
    if let (Some(barometer), Some((parameter, level))) = (&sources.air, days.level(&well.well_id, first, to)) {
        // The whole month is one window.
        let rules = MultiVariateRules { air_steps: level.len(), ..MultiVariateRules::default() };
        let air = days.values(barometer, Parameter::BarometricPressure, first, to);
        let flags = multi_variate(&rules, &level, &[], &air);
        let detail = format!("follows the air pressure at {barometer}: not compensated, or twice");
        let run = runs(&flags, 0..flags.len(), |flag| flag == QualityFlag::Missing);
        found.extend(
            run.into_iter()
                .map(|run| of_days(parameter, QcTest::MultiVariate, (first, run), detail.clone(), offset_seconds)),
        );
    }
    found
}

/// Of one reading a day a spike is the median, and the way back from one that points down would be a rise. What the stream
/// calls a spike is not asked, as findings give the same flag.
fn without_spikes(level: Vec<f64>, size_min: f64) -> Vec<f64> {
    let mut calm = level.clone();
    for (day, around) in level.windows(3).enumerate() {
        let (since, until) = (around[1] - around[0], around[1] - around[2]);
        if since * until > 0.0 && since.abs().min(until.abs()) >= size_min {
            calm[day + 1] = f64::NAN;
        }
    }
    calm
}

/// Suspect days in a row, over others that say nothing.
fn runs(flags: &[QualityFlag], within: Range<usize>, says_nothing: impl Fn(QualityFlag) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for day in within {
        if flags[day] != QualityFlag::Suspect {
            continue;
        }
        match runs.last_mut() {
            Some(run) if flags[run.end..day].iter().all(|flag| says_nothing(*flag)) => run.end = day + 1,
            _ => runs.push(day..day + 1),
        }
    }
    runs
}

fn of_days(
    parameter: Parameter,
    test: QcTest,
    (first, run): (Day, Range<usize>),
    detail: String,
    offset_seconds: i32,
) -> Found {
    let start = |day: usize| Day(first.0 + day as i32).start(offset_seconds);
    Found { parameter, test, from: start(run.start), to: start(run.end).plus_micros(-1), detail }
}
