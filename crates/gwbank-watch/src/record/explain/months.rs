//! Evidence of what is made of monthly levels: trend, spells of low groundwater, carry-over.

use gwbank_indicator::bank::{CarryOver, NotMeasurable, carry_over_beyond};
use gwbank_indicator::{
    DroughtEvent, DroughtEvents, Monthly, MonthlyLevel, TREND_ALPHA, TrendTest, WellTrend, Why, drought_events,
    mann_kendall, normal_quantile, well_trend,
};
use gwbank_model::{MONTH_NAMES, Month};

use super::Asked;
use super::evidence::{Evidence, Missing, level_text, lines, months_left_out, plus, side_by_side};
use crate::config::WatchConfig;
use crate::record::Part;
use crate::record::closed::Closed;
use crate::record::months::{
    CARRY_OVER, CARRY_OVER_BEYOND, DROUGHT_DEFICIT, DROUGHT_DURATION, TREND, season, told_at, within,
};
use crate::series::{level_parameter, months_of};
use crate::wells;

/// Closed months of the well and of its comparison well.
#[derive(Debug)]
pub(super) struct Levels {
    pub own: Monthly,
    pub comparison: Option<Vec<MonthlyLevel>>,
    days_min: u32,
}

impl Levels {
    /// Empty where the part is not made of them.
    pub fn of(closed: &Closed<'_>, part: Part, config: &WatchConfig) -> Self {
        let (parameter, sense) = level_parameter(&closed.days);
        let rules = wells::month_rules(closed.well, sense, config);
        let days_min = rules.days_min;
        if part != Part::Months {
            return Self { own: Monthly { levels: Vec::new(), thin: Vec::new() }, comparison: None, days_min };
        }
        let own = months_of(&closed.days, parameter, &rules);
        Self { own, comparison: closed.comparison_months(config), days_min }
    }
}

pub(super) fn explain(asked: &Asked<'_>, levels: &Levels) -> Evidence {
    let mut evidence = match asked.indicator {
        _ if levels.own.levels.is_empty() => Evidence::without(Missing::new("no_level", "no closed month has a level")),
        TREND => trend(asked, &levels.own.levels),
        DROUGHT_DEFICIT | DROUGHT_DURATION => spell(asked, &levels.own.levels),
        CARRY_OVER | CARRY_OVER_BEYOND => left_of_rise(asked, levels),
        _ => Evidence::default(),
    };
    evidence.left_out.extend(months_left_out(&levels.own, levels.days_min));
    evidence
}

fn trend(asked: &Asked<'_>, months: &[MonthlyLevel]) -> Evidence {
    const A_LINE: usize = 6;
    let rules = &asked.rules.trend;
    let found = well_trend(months, asked.closed.closed_through, rules);
    let measured: Vec<&MonthlyLevel> = months.iter().filter(|month| month.level.is_some()).collect();
    let mut used = vec![format!("{} monthly levels, m, up = wetter", measured.len())];
    used.extend(side_by_side(measured.iter().map(|month| level_text(month)), A_LINE));
    let mut evidence = Evidence {
        used,
        confidence: format!(
            "smaller of 1 and months/(12 * {}) = {}/(12 * {})",
            rules.full_confidence_n,
            measured.len(),
            rules.full_confidence_n
        ),
        weaknesses: lines([
            "only a steady rise or fall is looked for: a fall and a recovery cancel",
            "dry months of unknown depth are left out, which hides a fall",
            "years are taken as independent of each other",
        ]),
        missing: found.why().map(|why| Missing::from(*why)),
        ..Evidence::default()
    };
    let basis = found.basis();
    evidence.limits.push(format!("whole years from first to last month: {} of {} needed", basis.n, rules.years_min));
    if let Some(trend) = found.value() {
        evidence.formulas = trend_formulas(trend, months);
        evidence.limits.push(format!("share of months missing: {} < {}", trend.missing_share, rules.missing_share));
        let limit = normal_quantile(1.0 - TREND_ALPHA / 2.0);
        let z = trend.trend.z.map_or("unknown".to_owned(), |z| z.abs().to_string());
        evidence.limits.push(format!("|z| {z} against {limit} (two-sided {TREND_ALPHA}): {}", trend.trend.direction));
    }
    evidence
}

fn trend_formulas(found: &WellTrend, months: &[MonthlyLevel]) -> Vec<String> {
    let trend = &found.trend;
    let mut formulas = Vec::new();
    let mut pairs = u64::from(trend.n) * u64::from(trend.n.saturating_sub(1)) / 2;
    if trend.test == TrendTest::Seasonal {
        let of_months: Vec<_> =
            (1..=12).filter_map(|month| Some((month, of_calendar_month(found, months, month)?))).collect();
        for (month, own) in &of_months {
            let name = MONTH_NAMES[*month as usize - 1];
            formulas.push(format!("{name:<9}  n {}  S {}  Var S {}", own.n, own.s, own.variance));
        }
        formulas.push(format!(
            "S = sum of the months' S = {} = {}",
            plus(of_months.iter().map(|(_, own)| own.s as f64)),
            trend.s
        ));
        formulas.push(format!("Var S = sum of the months' Var S = {}", trend.variance));
        pairs = of_months.iter().map(|(_, own)| u64::from(own.n) * u64::from(own.n - 1) / 2).sum();
    } else {
        formulas.push(format!("{}: S = {}, Var S = {}", trend.test, trend.s, trend.variance));
    }
    // Towards zero, as S goes by steps.
    let towards = match trend.s.signum() {
        1 => " - 1",
        -1 => " + 1",
        _ => "",
    };
    if let (Some(z), Some(p)) = (trend.z, trend.p) {
        let terms = format!("({}{towards})/root of {}", trend.s, trend.variance);
        formulas.push(format!("z = (S{towards})/root of Var S = {terms} = {z}"));
        formulas.push(format!("p = 2 (1 - normal of |z|) = {p}"));
    }
    let pairs_of = if trend.test == TrendTest::Seasonal { "pairs of one calendar month" } else { "pairs, times 12" };
    formulas.push(format!(
        "slope a year = median of (later level - earlier level)/time over {pairs} {pairs_of} = {}",
        found.slope_per_year
    ));
    formulas
}

/// The test of one calendar month on its own.
fn of_calendar_month(found: &WellTrend, months: &[MonthlyLevel], month: u32) -> Option<gwbank_indicator::Trend> {
    let years: Vec<f64> = (found.from.year()..=found.to.year())
        .map(|year| {
            let own = within(months, Month::new(year, month), Month::new(year, month)).first();
            own.and_then(|month| month.level).unwrap_or(f64::NAN)
        })
        .collect();
    mann_kendall(&years, TrendTest::Original)
}

fn spell(asked: &Asked<'_>, months: &[MonthlyLevel]) -> Evidence {
    if !asked.closed.place().kind.speaks_of_drought() {
        return Evidence::without(Why::NotCapable);
    }
    let rules = &asked.rules.events;
    let found = drought_events(months, rules);
    let mut evidence = Evidence {
        limits: vec![
            format!(
                "a month is below where its level < threshold of its calendar month, percentile {}",
                rules.quantile * 100.0
            ),
            format!("years with a calendar month that its threshold takes: {}", rules.years_min),
            format!("months not below that are bridged between two spells: {}", rules.pooling_months),
        ],
        confidence: "smaller of 1 and years behind the threshold of the first month/30".to_owned(),
        weaknesses: lines([
            "the threshold is of the same record: about a fifth of all months are below, also where nobody lacked water",
            "a trend gathers the spells at one end; gaps cut them",
        ]),
        ..Evidence::default()
    };
    for (threshold, name) in found.thresholds.iter().zip(MONTH_NAMES) {
        evidence.left_out.extend(threshold.why().map(|why| format!("{name}: no threshold, {why}")));
    }
    let others = found.events.iter().map(|event| format!("{} to {}", event.start, event.end));
    match found.events.iter().find(|event| asked.row.is_some_and(|row| row.period == event.start.start(0))) {
        Some(event) => of_event(asked, event, &found, months, &mut evidence),
        None if found.thresholds.iter().all(|threshold| threshold.value().is_none()) => {
            evidence.missing = found
                .thresholds
                .iter()
                .filter_map(|threshold| threshold.why())
                .max_by_key(|why| match why {
                    Why::ShortRecord { n, .. } => *n,
                    _ => 0,
                })
                .map(|why| Missing::from(*why));
        }
        None => evidence.missing = Some(Missing::new("no_event", format!("no spell begins in {}", asked.month))),
    }
    evidence.used.push("all spells of the record:".to_owned());
    evidence.used.extend(side_by_side(others, 5));
    evidence
}

fn of_event(
    asked: &Asked<'_>,
    event: &DroughtEvent,
    found: &DroughtEvents,
    months: &[MonthlyLevel],
    evidence: &mut Evidence,
) {
    let own = within(months, event.start, event.end);
    let threshold_of = |month: Month| found.thresholds[month.month_of_year() as usize - 1].value().copied();
    let mut terms = Vec::new();
    for month in own {
        let Some(threshold) = threshold_of(month.month) else { continue };
        let told = match month.level {
            Some(level) if level < threshold => {
                terms.push(threshold - level);
                format!("below by {}", threshold - level)
            }
            Some(_) => "not below, bridged".to_owned(),
            None => "dry to an unknown depth: below, adds nothing".to_owned(),
        };
        let level = month.level.map_or("dry".to_owned(), |level| level.to_string());
        evidence.used.push(format!("{}  level {level}  threshold {threshold}  {told}", month.month));
    }
    let years = found.thresholds[event.start.month_of_year() as usize - 1].basis().n;
    evidence.confidence.push_str(&format!(" = {years}/30"));
    let mut calendar_months: Vec<u32> = own.iter().map(|month| month.month.month_of_year()).collect();
    calendar_months.sort_unstable();
    calendar_months.dedup();
    evidence.formulas.extend(
        calendar_months
            .iter()
            .filter_map(|&month| threshold_formula(asked, months, month, threshold_of(Month::new(2000, month))?)),
    );
    evidence.formulas.push(format!("deficit = {} = {} m months", plus(terms), event.deficit));
    evidence.formulas.push(format!(
        "duration = {} to {}, both included = {} months, of which {} below",
        event.start,
        event.end,
        event.duration_months(),
        event.months_below
    ));
    for (censored, told) in [
        (event.left_censored, "the month before has no level or no threshold: the spell may have begun earlier"),
        (event.right_censored, "the month after has no level or no threshold: the spell may have gone on"),
        (event.deficit_is_minimum, "some month was dry to an unknown depth: the deficit is a least value"),
    ] {
        if censored {
            evidence.weaknesses.push(told.to_owned());
        }
    }
}

fn threshold_formula(asked: &Asked<'_>, months: &[MonthlyLevel], month: u32, threshold: f64) -> Option<String> {
    let mut levels: Vec<f64> =
        months.iter().filter(|own| own.month.month_of_year() == month).filter_map(|own| own.level).collect();
    levels.sort_by(f64::total_cmp);
    let n = levels.len();
    let quantile = asked.rules.events.quantile;
    let place = quantile * (n as f64 + 1.0);
    let lower = (place.floor() as usize).clamp(1, n.max(1));
    let (below, above) = (levels.get(lower - 1)?, levels.get(lower.min(n - 1))?);
    Some(format!(
        "threshold of {} = level at place q (n + 1) = {quantile} * ({n} + 1) = {place} from the lowest, between {below} and \
         {above} = {threshold}",
        MONTH_NAMES[month as usize - 1]
    ))
}

fn left_of_rise(asked: &Asked<'_>, levels: &Levels) -> Evidence {
    let place = asked.closed.place();
    let year = place.season.season_year(asked.month).unwrap_or(asked.month.year());
    let until = told_at(place, year, asked.rules);
    let rules = &asked.rules.carry_over;
    let (before, _) = place.season.first_month(year - 1);
    let months = &levels.own.levels;
    let mut used = vec!["monthly levels, m, up = wetter".to_owned()];
    used.extend(side_by_side(within(months, before, until).iter().map(level_text), 6));
    let mut evidence = Evidence {
        used,
        limits: vec![
            "every month of the wet season has a level".to_owned(),
            format!("the peak lies in the season or at most {} months after it", rules.peak_lag_months),
            format!("a rise is at least {} m", rules.rise_min_m),
            format!("told {} months after the peak", asked.rules.carry_over_months),
        ],
        confidence: "1 where there is a number".to_owned(),
        weaknesses: lines([
            "a dry year after a wet one leaves less, bank or no bank: only a comparison well tells the two apart",
        ]),
        ..Evidence::default()
    };
    if until > place.closed_through {
        evidence.missing = Some(Missing::new("preliminary", format!("months up to {until} must close first")));
        return evidence;
    }
    let bank = season(place, months, year, until, asked.rules).0;
    let bank = match bank {
        Ok(found) => found,
        Err(why) => {
            evidence.missing = Some(why.into());
            return evidence;
        }
    };
    evidence.formulas = left_formulas(&bank, "left");
    if asked.indicator == CARRY_OVER_BEYOND {
        beyond(asked, levels, (&bank, year), &mut evidence);
    }
    evidence
}

fn beyond(asked: &Asked<'_>, levels: &Levels, (bank, year): (&CarryOver, i32), evidence: &mut Evidence) {
    let (place, Some(months)) = (asked.closed.place(), &levels.comparison) else {
        evidence.missing = Some(NotMeasurable::NoComparisonWell.into());
        return;
    };
    let until = told_at(place, year, asked.rules);
    let (before, _) = place.season.first_month(year - 1);
    let name = asked.closed.comparison.as_ref().map_or(String::new(), |(well, _)| well.well_id.to_string());
    evidence.used.push(format!("of the comparison well {name}"));
    evidence.used.extend(side_by_side(within(months, before, until).iter().map(level_text), 6));
    let other = season(place, months, year, until, asked.rules).0;
    match (carry_over_beyond(bank, other.as_ref().ok()), &other) {
        (Ok(value), Ok(other)) => {
            evidence.formulas.extend(left_formulas(other, "left there"));
            evidence.formulas.push(format!("beyond = left - left there = {} - {} = {value}", bank.left, other.left));
        }
        (_, Err(why)) => {
            let told = format!("the comparison well {name} has no carry-over: {why}");
            evidence.missing = Some(Missing::new(NotMeasurable::NoComparisonWell.name(), told));
        }
        (Err(why), _) => evidence.missing = Some(why.into()),
    }
}

fn left_formulas(found: &CarryOver, left: &str) -> Vec<String> {
    let CarryOver { low, low_month, peak, peak_month, after, .. } = found;
    vec![
        format!("low = lowest level from the end of the season before to the peak = {low} ({low_month})"),
        format!("peak = {peak} ({peak_month})"),
        format!("{left} = (after - low)/(peak - low) = ({after} - {low})/({peak} - {low}) = {}", found.left),
    ]
}
