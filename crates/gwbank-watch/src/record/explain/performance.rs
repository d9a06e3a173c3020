//! Evidence of how a bank performs: what is asked of all of its fills, of a drain-down, of the water around a recharge, and of
//! its meter.

use gwbank_indicator::Sense;
use gwbank_indicator::bank::{
    DrainDown, Emptied, FillEvent, NotMeasurable, Substance, clogging, drain_downs, fill_events, fill_rates,
    metered_volume, quality_harm,
};
use gwbank_model::Timestamp;
use gwbank_registry::BankType;

use super::Asked;
use super::evidence::{Evidence, Missing, lines, side_by_side};
use super::fills;
use crate::record::bank::{
    CLOGGING, DRAIN_DOWN_HOURS, FULL_FILLS, HARM_CONDUCTIVITY, HARM_TURBIDITY, INFILTRATED_VOLUME, INFILTRATION_RATE,
    OVERFLOW_HOURS, RECHARGE_VOLUME, Water, comparison_heights, inflow, quality, water_table,
};

pub(super) fn explain(asked: &Asked<'_>) -> Evidence {
    let bank = asked.closed.bank();
    if asked.indicator == RECHARGE_VOLUME {
        return metered(asked);
    }
    if !bank.hours.iter().any(|hour| Sense::of(hour.parameter).is_some()) {
        return Evidence::without(Missing::new("no_level", "no closed month has a stage of the bank"));
    }
    let Some(water) = Water::of(&bank, asked.rules) else { return Evidence::without(NotMeasurable::NoDepth) };
    let events = fill_events(&water.pond(&bank), &asked.rules.fill);
    match asked.indicator {
        INFILTRATION_RATE | INFILTRATED_VOLUME => fills::explain(asked, &water, &events),
        CLOGGING => decline(asked, &events),
        DRAIN_DOWN_HOURS | OVERFLOW_HOURS => drained(asked, &water),
        HARM_CONDUCTIVITY => harm(asked, Substance::Conductivity, &events),
        HARM_TURBIDITY => harm(asked, Substance::Turbidity, &events),
        _ => Evidence::default(),
    }
}

fn decline(asked: &Asked<'_>, events: &[FillEvent]) -> Evidence {
    let (bank, rules) = (asked.closed.bank(), &asked.rules.clogging);
    let heights = comparison_heights(&bank);
    let table = || water_table(bank.well, heights.as_deref());
    let rates = fill_rates(events, table(), rules).unwrap_or_default();
    let mut evidence = Evidence {
        used: vec!["infiltration rate of each fill, mm a day, by the head from which its stratum goes".to_owned()],
        limits: vec![
            format!("fills with a rate: {} of {} needed", rates.len(), rules.events_min),
            format!(
                "a stratum's top is {} times its bottom; the head is at least {} m",
                rules.stratum_ratio, rules.head_min_m
            ),
            format!("rates below {} mm a day are noise", rules.rate_min_mm_per_day),
            "sure at 99 %, likely at 90 % of the two-sided test, else not_seen".to_owned(),
        ],
        confidence: format!("smaller of 1 and fills/{FULL_FILLS}"),
        weaknesses: lines([
            "a cleaning within the record is a step, not a slope",
            "the strata of one fill are not independent: the variance is multiplied by their mean number",
            "colder water goes into the ground more slowly",
        ]),
        ..Evidence::default()
    };
    let without = events.len() - rates.len();
    if without > 0 {
        evidence.left_out.push(format!("{without} of {} fills have no rate at a head that counts", events.len()));
    }
    for fill in &rates {
        let strata = fill.strata.iter().map(|own| format!("from {:.3} m: {}", own.from_m, own.rate_mm_per_day));
        evidence.used.push(format!("{}  {}", asked.time(fill.peak_at), strata.collect::<Vec<_>>().join(", ")));
    }
    match clogging(events, table(), rules) {
        Ok(found) => {
            let (year, fill) = (found.per_year, found.per_event);
            evidence.confidence = format!("smaller of 1 and fills/{FULL_FILLS} = {}/{FULL_FILLS}", found.events);
            evidence.formulas = vec![
                "slope = median of (ln later rate - ln earlier rate)/time over all pairs of fills within a stratum"
                    .to_owned(),
                format!(
                    "per fill: 100 (exp(slope) - 1) = {} %, 90 % between {} and {}",
                    fill.percent, fill.low, fill.high
                ),
                format!(
                    "per year: 100 (exp(slope) - 1) = {} %, 90 % between {} and {}",
                    year.percent, year.low, year.high
                ),
                format!("z of the test of Mann and Kendall over the strata = {}: {}", found.z, found.sureness.name()),
            ];
        }
        Err(why) => evidence.missing = Some(why.into()),
    }
    evidence
}

fn drained(asked: &Asked<'_>, water: &Water) -> Evidence {
    let (well, rules) = (asked.closed.well, &asked.rules.drain_down);
    if well.bank_type != BankType::Closed {
        return Evidence::without(Missing::new("not_applicable", "only a closed bank is asked how it drains"));
    }
    let mut evidence = Evidence {
        limits: vec![
            format!("empty below {} of the peak, or below {} m", rules.empty_share, rules.fill.floor_m),
            format!("slow beyond {} h", rules.slow_hours),
            format!("at the rim from {} m below it", rules.rim_m),
            format!("a fill is a rise of at least {} m", rules.fill.rise_min_m),
        ],
        confidence: "1 where the pit was seen to be empty, else 0.5".to_owned(),
        weaknesses: lines([
            "between two readings anything may have happened: a time is good to the step of the readings",
        ]),
        ..Evidence::default()
    };
    let found = drain_downs(&water.stage, well.depth, rules);
    evidence.used.extend(fills::others(asked));
    match found.iter().find(|drain| asked.row.is_some_and(|row| row.period == drain.peak_at)) {
        Some(drain) => of_drain(asked, water, drain, &mut evidence),
        None => evidence.missing = Some(fills::no_fill(asked, found.len())),
    }
    evidence
}

fn of_drain(asked: &Asked<'_>, water: &Water, drain: &DrainDown, evidence: &mut Evidence) {
    let (well, rules) = (asked.closed.well, &asked.rules.drain_down);
    let (peak, empty) = (drain.peak_m, rules.empty_below_m(drain.peak_m));
    let (emptied_at, told) = match drain.emptied {
        Emptied::AfterHours(hours) => (hours, format!("first reading below it, {hours} h after the peak")),
        Emptied::NotWithinHours(hours) => {
            (hours, format!("no reading below it until the next fill or the end of the readings: at least {hours} h"))
        }
    };
    let from = if asked.indicator == OVERFLOW_HOURS { drain.began } else { drain.peak_at };
    let until = drain.peak_at.plus_micros((emptied_at * 3_600e6) as i64).min(drain.until);
    let stage = water.stage.iter().filter(|(time, _)| *time >= from && *time <= until);
    evidence.used.push("height of the water above the floor, m".to_owned());
    evidence.used.extend(side_by_side(stage.map(|(time, height)| format!("{} {height}", asked.time(*time))), 3));
    evidence.formulas = vec![
        format!("peak {peak} m at {}", asked.time(drain.peak_at)),
        format!("empty below larger of {} * {peak} and {} = {empty} m", rules.empty_share, rules.fill.floor_m),
        format!("drain-down = {told} = {emptied_at}"),
    ];
    match drain.constant_hours {
        Ok(hours) => evidence.formulas.push(format!("time constant, by the median slope of ln(water), = {hours} h")),
        Err(why) => evidence.left_out.push(format!("no time constant: {why}")),
    }
    if let (Some(depth), Some(hours)) = (well.depth, drain.overflow_hours) {
        let rim = depth - rules.rim_m;
        evidence.formulas.push(format!(
            "overflow = time between readings that both stand at {depth} - {} = {rim} m or higher = {hours}",
            rules.rim_m
        ));
    }
}

fn harm(asked: &Asked<'_>, substance: Substance, events: &[FillEvent]) -> Evidence {
    const DAY_SECONDS: i64 = 86_400;
    let rules = &asked.rules.harm;
    let (values, comparison) = quality(&asked.closed.bank(), substance, asked.rules);
    if values.is_empty() {
        return Evidence::without(Missing::new(
            "not_measured",
            format!("the bank measures no {substance:?}").to_lowercase(),
        ));
    }
    let (share, amount) = match substance {
        Substance::Conductivity => (rules.conductivity_share, rules.conductivity_us_cm),
        Substance::Turbidity => (rules.turbidity_share, rules.turbidity_ntu),
    };
    let mut evidence = Evidence {
        limits: vec![
            format!("harm where the rise is at least {amount} and at least {share} of the value before"),
            format!("days before and after: {}; values on each side: {} at least", rules.days, rules.values_min),
        ],
        confidence: "1 with a comparison well over the same weeks, else 0.5".to_owned(),
        weaknesses: lines([
            "recharges less than two weeks apart share their values",
            "slow harm by many small recharges is a trend, not a jump",
        ]),
        ..Evidence::default()
    };
    evidence.used.extend(fills::others(asked));
    let of_month = |event: &&FillEvent| event.began.month(asked.closed.offset_seconds) == asked.month;
    let by_row = events.iter().find(|event| asked.row.is_some_and(|row| row.period == event.began));
    let Some(event) = by_row.or_else(|| events.iter().rev().find(of_month)).or(events.last()) else {
        evidence.missing = Some(fills::no_fill(asked, 0));
        return evidence;
    };
    let reach = rules.days.saturating_mul(DAY_SECONDS);
    let (from, to) = (event.began.plus_secs(-reach), event.began.plus_secs(reach));
    for (heading, values) in [("medians of days around", &values), ("at the comparison well", &comparison)] {
        let around: Vec<&(Timestamp, f64)> = values.iter().filter(|(time, _)| *time >= from && *time < to).collect();
        evidence.used.push(format!("{heading} {}: {}", asked.time(event.began), around.len()));
        let cells =
            around.iter().map(|(time, value)| format!("{} {value}", time.day(asked.closed.offset_seconds).date()));
        evidence.used.extend(side_by_side(cells, 5));
    }
    match quality_harm(substance, &values, event.began, &comparison, rules) {
        Ok(found) => {
            let there =
                found.comparison_rise.map_or("unknown, nothing is taken off".to_owned(), |rise| rise.to_string());
            let taken_off = found.comparison_rise.unwrap_or(0.0).max(0.0);
            evidence.formulas = vec![
                format!("rise at the comparison well = {there}"),
                format!(
                    "rise = median after - median before - what the comparison well rose = {} - {} - {taken_off} = {}",
                    found.after, found.before, found.rise
                ),
                format!("held against {amount} and {share} * {} = {}", found.before, share * found.before),
            ];
        }
        Err(why) => {
            evidence.missing =
                Some(Missing::new(why.name(), format!("at the fill of {}: {why}", asked.time(event.began))));
        }
    }
    evidence
}

fn metered(asked: &Asked<'_>) -> Evidence {
    let flow = inflow(&asked.closed.bank());
    if flow.is_empty() {
        return Evidence::without(Missing::new("not_measured", "the bank has no readings of `recharge_flow`"));
    }
    let own: Vec<(Timestamp, f64)> =
        flow.into_iter().filter(|(time, _)| time.month(asked.closed.offset_seconds) == asked.month).collect();
    let mut used = vec![format!("{} hourly means of the inflow in {}, m³ an hour", own.len(), asked.month)];
    used.extend(side_by_side(own.iter().map(|(time, flow)| format!("{} {flow}", asked.time(*time))), 3));
    let mut evidence = Evidence {
        used,
        limits: vec!["readings for at least 90 % of the time; a step is at most three usual intervals long".to_owned()],
        confidence: format!("smaller of 1 and hours/(28 * 24) = {}/672", own.len()),
        weaknesses: lines([
            "a meter that runs in puffs shorter than its reading interval is integrated wrongly either way",
        ]),
        ..Evidence::default()
    };
    match metered_volume(&own, asked.closed.well.bank_volume) {
        Ok(found) => {
            evidence.formulas = vec![
                format!("volume = sum of (flow + next flow)/2 * hours over {} steps = {} m³", found.steps, found.m3),
                format!("share of the time covered = {}", found.covered),
                match found.fills {
                    Ok(fills) => format!("fills of the bank = volume/bank volume = {fills}"),
                    Err(why) => format!("fills of the bank: {why}"),
                },
            ];
            if found.steps_left_out > 0 {
                let told = format!("{} steps longer than {} h", found.steps_left_out, found.step_hours_max);
                evidence.left_out.push(told);
            }
        }
        Err(why) => evidence.missing = Some(why.into()),
    }
    evidence
}
