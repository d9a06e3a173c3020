//! Evidence of one fill of a bank: how fast the water went into the ground, and how much.

use gwbank_indicator::bank::{FallStep, FillEvent, StageArea, volume_by_stage};

use super::Asked;
use super::evidence::{Evidence, Missing, lines, side_by_side};
use crate::record::bank::{FULL_STEPS, INFILTRATED_VOLUME, Water, pores};

pub(super) fn explain(asked: &Asked<'_>, water: &Water, events: &[FillEvent]) -> Evidence {
    let rules = &asked.rules.fill;
    let mut evidence = Evidence {
        used: others(asked),
        limits: vec![
            format!(
                "a fill is a rise of at least {} m; it goes on until the water has fallen by {} m",
                rules.rise_min_m, rules.fall_min_m
            ),
            format!(
                "a step counts up to {} h, without rain of {} mm, above {} m",
                rules.step_hours_max, rules.rain_mm_min, rules.floor_m
            ),
        ],
        confidence: format!("smaller of 1 and steps/{FULL_STEPS}"),
        weaknesses: lines([
            "side walls take part of the water: the rate is that of bottom and walls together",
            "water that seeps away while the bank fills is not in it",
        ]),
        ..Evidence::default()
    };
    if water.rain.is_empty() {
        evidence.weaknesses.push("nobody measures rain here: rain that only slowed a fall is not seen".to_owned());
    }
    match events.iter().find(|event| asked.row.is_some_and(|row| row.period == event.peak_at)) {
        Some(event) => of_fill(asked, water, event, &mut evidence),
        None => evidence.missing = Some(no_fill(asked, events.len())),
    }
    evidence
}

fn of_fill(asked: &Asked<'_>, water: &Water, event: &FillEvent, evidence: &mut Evidence) {
    let steps = &event.steps;
    evidence.used.push(format!(
        "fill from {} m at {} to {} m at {}; its fall ends at {}",
        event.before_m,
        asked.time(event.began),
        event.peak_m,
        asked.time(event.peak_at),
        asked.time(event.until)
    ));
    evidence.used.push("steps that count: mean height, fall, m".to_owned());
    let step = |step: &FallStep| format!("{} {} {}", asked.time(step.from), step.stage_m, step.fall_m);
    evidence.used.extend(side_by_side(steps.iter().map(step), 2));
    let left_out = event.left_out;
    for (count, why) in [
        (left_out.long, "longer than a step may be"),
        (left_out.disturbed, "with rain, or a rise"),
        (left_out.at_floor, "that end at the floor"),
    ] {
        if count > 0 {
            evidence.left_out.push(format!("{count} steps {why}"));
        }
    }
    evidence.confidence = format!("smaller of 1 and steps/{FULL_STEPS} = {}/{FULL_STEPS}", steps.len());
    let fall_m: f64 = steps.iter().map(|step| step.fall_m).sum();
    let days: f64 = steps.iter().map(FallStep::days).sum();
    let evaporation = water.evaporation_mm_per_day;
    let evaporated = evaporation.map_or("unknown".to_owned(), |rate| format!("{rate} mm a day"));
    evidence.formulas.push(format!("{} steps: fall {fall_m} m in {days} days; evaporation {evaporated}", steps.len()));
    if asked.indicator == INFILTRATED_VOLUME {
        return volume(asked, water, event, (fall_m, days), evidence);
    }
    match (event.fall_mm_per_day, evaporation, event.infiltration_mm_per_day) {
        (Some(fall), Some(evaporation), Ok(rate)) => {
            evidence.formulas.push(format!("rate = 1000 fall/days - evaporation = {fall} - {evaporation} = {rate}"))
        }
        (_, _, Err(why)) => evidence.missing = Some(why.into()),
        _ => {}
    }
}

fn volume(asked: &Asked<'_>, water: &Water, event: &FillEvent, (fall_m, days): (f64, f64), evidence: &mut Evidence) {
    let well = asked.closed.well;
    let area = well.bank_area.and_then(StageArea::upright);
    let (evaporation, pores) = (water.evaporation_mm_per_day, pores(well));
    match volume_by_stage(std::slice::from_ref(event), area.as_ref(), evaporation, pores) {
        Ok(volume) => evidence.formulas.push(format!(
            "volume = area (pores * fall - evaporation/1000 * days), walls upright = {} * ({} * {fall_m} - {}/1000 * {days}) = \
             {volume}",
            well.bank_area.unwrap_or(f64::NAN), pores.unwrap_or(f64::NAN), evaporation.unwrap_or(f64::NAN)
        )),
        Err(why) => evidence.missing = Some(why.into()),
    }
}

/// All numbers of the month asked for, where there are several.
pub(super) fn others(asked: &Asked<'_>) -> Vec<String> {
    let of_month: Vec<String> = asked
        .of_month()
        .map(|row| {
            let number = row.cell.value.map_or("none".to_owned(), |value| value.to_string());
            format!("{} {number}", asked.time(row.period))
        })
        .collect();
    if of_month.len() < 2 {
        return Vec::new();
    }
    let heading = format!("{} in {}; the last one is explained", of_month.len(), asked.month);
    std::iter::once(heading).chain(side_by_side(of_month, 3)).collect()
}

pub(super) fn no_fill(asked: &Asked<'_>, fills: usize) -> Missing {
    if fills == 0 {
        return Missing::new("no_event", "the bank was never seen to fill");
    }
    Missing::new("no_row", format!("no fill in {}; there are {fills} on record", asked.month))
}
