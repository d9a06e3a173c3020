//! High groundwater, quick rises, salinity and silence: what is found, and what is cried for nothing.

use std::ops::Range;

use gwbank_indicator::flood::{FloodLimits, FloodReading, FloodRules, Surroundings, counts, follow};
use gwbank_indicator::no_data::{Heard, SilenceRules, usual_interval};
use gwbank_indicator::rapid::{Filling, RapidRules, UsualRises, rapid_change, time_to_ground, usual_rises};
use gwbank_indicator::salinity::{self, SalinityRules};
use gwbank_indicator::{Bank, WellKind, WetSeason};
use gwbank_model::condition::Severity;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Timestamp};
use gwbank_registry::{BankType, Sampling};

use super::{DAY_S, NOW, WORLD, day_of, judged};

const YEARS: i32 = 4;
const HOURS: i64 = 6;
/// Water within two centimetres of a limit may be called either way: sensors are good to a few millimetres, limits are
/// registered to the centimetre.
const MARGIN_M: f64 = 0.02;

fn merge(mut spans: Vec<Range<Timestamp>>, gap_s: i64) -> Vec<Range<Timestamp>> {
    spans.dedup_by(|next, before| {
        let joins = next.start <= before.end.plus_secs(gap_s);
        if joins {
            before.end = before.end.max(next.end);
        }
        joins
    });
    spans
}

fn overlap(a: &Range<Timestamp>, b: &Range<Timestamp>, slack_s: i64) -> bool {
    a.start <= b.end.plus_secs(slack_s) && b.start <= a.end.plus_secs(slack_s)
}

/// Spans with a condition of at least warning.
fn conditions(well: usize, first: Day, last: Day) -> Vec<Range<Timestamp>> {
    let world = &*WORLD;
    let readings: Vec<FloodReading> = judged(world, well, first, last, HOURS)
        .iter()
        .filter(|reading| counts(reading.flag, reading.tests))
        .filter_map(|reading| {
            reading.depth_m.map(|depth_m| FloodReading { time: reading.time, depth_m, received_at: reading.time })
        })
        .collect();
    let registered = &world.wells()[well];
    let limits = FloodLimits {
        warning_depth_m: registered.flood_warning_depth,
        danger_depth_m: registered.flood_danger_depth,
        ..FloodLimits::default()
    };
    let kind = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: registered.influenced };
    let track = follow(kind, None, &readings, &limits, &Surroundings::default(), &FloodRules::default());
    let mut spans: Vec<Range<Timestamp>> = Vec::new();
    let mut open: Option<Timestamp> = None;
    for step in &track.steps {
        match (open, step.to >= Some(Severity::Warning)) {
            (None, true) => open = Some(step.at),
            (Some(since), false) => {
                spans.push(since..step.at);
                open = None;
            }
            _ => {}
        }
    }
    spans.extend(open.map(|since| since..NOW));
    spans
}

#[test]
fn high_water_is_found() {
    let world = &*WORLD;
    let last = Day(day_of(NOW).0 + 1);
    let first = Day(last.0 - YEARS * 365);
    let (mut wells, mut episodes, mut found, mut raised, mut false_alarms) = (0usize, 0usize, 0usize, 0usize, 0usize);
    let mut delays_h = Vec::new();
    for (index, well) in world.wells().iter().enumerate() {
        let Some(limit) = well.flood_warning_depth else { continue };
        if well.bank_type != BankType::Observation || well.sampling == Sampling::Manual {
            continue;
        }
        wells += 1;
        let spans = conditions(index, first, last);
        // Surely high for a day at least; and not surely below.
        let sure = merge(world.truth().high_water(index, limit - MARGIN_M, first, last), 7 * DAY_S);
        let perhaps = world.truth().high_water(index, limit + MARGIN_M, first, last);
        for episode in sure.iter().filter(|episode| episode.end.micros_since(episode.start) >= 86_400_000_000) {
            episodes += 1;
            if let Some(span) = spans.iter().find(|span| overlap(span, episode, 0)) {
                found += 1;
                delays_h.push((span.start.micros_since(episode.start).max(0)) as f64 / 3_600e6);
            }
        }
        raised += spans.len();
        false_alarms += spans.iter().filter(|span| !perhaps.iter().any(|high| overlap(span, high, 12 * 3600))).count();
    }
    let well_years = wells as f64 * f64::from(YEARS);
    let (share, per_well_year) = (found as f64 / episodes as f64, false_alarms as f64 / well_years);
    println!(
        "\nhigh water, {wells} wells, {YEARS} years, every {HOURS} h: {found} of {episodes} episodes found ({:.1} %), half of \
         them within {:.0} h, nine of ten within {:.0} h; {false_alarms} of {raised} conditions false ({per_well_year:.4} a \
         well and year)",
        100.0 * share,
        super::quantile(&delays_h, 0.5),
        super::quantile(&delays_h, 0.9),
    );
    assert!(episodes >= 40 && share >= 0.95, "found");
    assert!(per_well_year <= 0.02, "false alarms");
    assert!(super::quantile(&delays_h, 0.9) <= 24.0, "delay");
}

#[test]
fn salt_water_is_found() {
    let world = &*WORLD;
    let truth = world.truth();
    let (mut intruded, mut found, mut fresh, mut false_alarms) = (0usize, 0usize, 0usize, 0usize);
    for (index, well) in world.wells().iter().enumerate() {
        let times = (0..730).map(|day| day_of(NOW).start(BANGKOK_OFFSET_SECONDS).plus_secs((day - 729) * DAY_S));
        let readings: Vec<(Timestamp, f64)> =
            times.filter_map(|time| truth.sensed_conductance(index, time).map(|value| (time, value))).collect();
        if readings.is_empty() {
            continue;
        }
        let track =
            salinity::follow(WetSeason::of_province(&well.province_code), &readings, &[], &SalinityRules::default());
        if truth.intrusion_us_cm(index, NOW) > 0.0 {
            intruded += 1;
            found += usize::from(track.severity >= Some(Severity::Warning));
        } else {
            fresh += 1;
            false_alarms += usize::from(!track.steps.is_empty());
        }
    }
    println!("\nsalinity: {found} of {intruded} intrusions found, {false_alarms} of {fresh} other wells flagged");
    assert!(intruded >= 2 && found == intruded && false_alarms == 0);
}

/// Daily loggers, asked every noon.
#[test]
fn silence_is_found() {
    let world = &*WORLD;
    let truth = world.truth();
    let rules = SilenceRules::default();
    let (last, days) = (day_of(NOW), 730);
    let (mut silent_days, mut found, mut false_alarms, mut asked) = (0usize, 0usize, 0usize, 0usize);
    for (index, well) in world.wells().iter().enumerate() {
        if well.bank_type != BankType::Observation || well.sampling == Sampling::Manual {
            continue;
        }
        let seven = |day: i32| Day(last.0 - days + day).start(BANGKOK_OFFSET_SECONDS).plus_secs(7 * 3600);
        let is_out: Vec<bool> = (0..days).map(|day| truth.defects(index, seven(day)).outage).collect();
        let times: Vec<Timestamp> = (0..days).filter(|day| !is_out[*day as usize]).map(seven).collect();
        let interval_micros = usual_interval(&times);
        for day in 4..days as usize {
            let noon = seven(day as i32).plus_secs(5 * 3600);
            let heard = Heard {
                well: well.well_id.as_str(),
                gateway: None,
                province: &well.province_code,
                last: times.iter().rev().find(|time| **time <= noon).copied(),
                interval_micros,
            };
            let is_silent = heard.silent_since(noon, &rules).is_some();
            // Today and two days before: the third reading in a row is missing.
            let is_gone = is_out[day - 2..=day].iter().all(|out| *out);
            asked += 1;
            silent_days += usize::from(is_gone && heard.last.is_some());
            found += usize::from(is_gone && is_silent);
            false_alarms += usize::from(!is_gone && is_silent);
        }
    }
    println!(
        "\nsilence: {found} of {silent_days} days with three readings missing found, {false_alarms} of {asked} false"
    );
    assert!(silent_days > 1000 && found == silent_days && false_alarms == 0);
}

/// The simulated table needs weeks for what these rules ask within a day, so whatever they say of a well is false; ponds
/// rise within a day when a storm fills them.
#[test]
fn quick_rises_are_found_and_hardly_ever_cried() {
    let world = &*WORLD;
    let last = Day(day_of(NOW).0 + 1);
    let first = Day(last.0 - 2 * 365);
    let of_wells = RapidRules::default();
    // A smaller limit, so that there are many rises to be found.
    let of_ponds = RapidRules { rise_min_m: 0.2, ..of_wells };
    let (mut well_years, mut changes, mut grounds) = (0.0, 0usize, 0usize);
    let (mut rises, mut found, mut false_alarms) = (0usize, 0usize, 0usize);
    for (index, well) in world.wells().iter().enumerate() {
        let is_pond = well.bank_type == BankType::Open;
        let is_logger = well.bank_type == BankType::Observation && well.sampling == Sampling::Logger;
        if !is_pond && (!is_logger || index % 5 != 0) {
            continue;
        }
        let (hours, rules) = if is_pond { (24, of_ponds) } else { (6, of_wells) };
        let readings: Vec<(Timestamp, f64)> = judged(world, index, first, last, hours)
            .iter()
            .filter(|reading| counts(reading.flag, reading.tests))
            .filter_map(|reading| reading.depth_m.map(|depth| (reading.time, depth)))
            .collect();
        let usual = if is_pond {
            UsualRises::default()
        } else {
            usual_rises(WetSeason::of_province(&well.province_code), &readings, &rules)
        };
        well_years += if is_pond { 0.0 } else { 2.0 };
        for end in 2..=readings.len() {
            let seen = &readings[end.saturating_sub(8)..end];
            let change = rapid_change(seen, &usual, &rules);
            if !is_pond {
                changes += usize::from(change.is_some());
                grounds += usize::from(time_to_ground(seen, Filling::No, well.flood_warning_depth, &rules).is_some());
                continue;
            }
            let (before, now) = (readings[end - 2].0, readings[end - 1].0);
            let depth = |at: Timestamp| world.depth_m(index, at).expect("a pond has a depth");
            let rise = depth(before) - depth(now);
            if now.micros_since(before) == 86_400_000_000 && (rise - rules.rise_min_m).abs() > MARGIN_M {
                rises += usize::from(rise > rules.rise_min_m);
                found += usize::from(rise > rules.rise_min_m && change.is_some());
                false_alarms += usize::from(rise <= rules.rise_min_m && change.is_some());
            }
        }
    }
    println!(
        "\nquick rises: {found} of {rises} of ponds found, {false_alarms} false; {changes} rapid changes and {grounds} \
         times to ground in {well_years} years of wells"
    );
    assert!(rises > 150 && found * 100 >= rises * 99 && false_alarms * 50 <= rises);
    assert!(changes as f64 / well_years < 0.05 && grounds == 0);
}
