//! Evidence of one fill of a bank: how fast the water went into the ground, and how much.

use gwbank_indicator::bank::{FallStep, FillEvent, StageArea, volume_by_stage};
use gwbank_indicator::explain::number;

use super::Asked;
use super::days::smaller_of;
use super::evidence::{Evidence, Line, Missing, Point, points, side_by_side, told};
use crate::record::bank::{FULL_STEPS, INFILTRATED_VOLUME, Water, pores};

pub(super) fn explain(asked: &Asked<'_>, water: &Water, events: &[FillEvent]) -> Evidence {
    let rules = &asked.rules.fill;
    let hours = rules.step_hours_max;
    let [rise, fall, rain, floor] = [rules.rise_min_m, rules.fall_min_m, rules.rain_mm_min, rules.floor_m].map(number);
    let mut evidence = Evidence {
        used: others(asked),
        limits: vec![
            told!(
                "a fill is a rise of at least {rise} m; it goes on until the water has fallen by {fall} m",
                "การเติมคือน้ำสูงขึ้นอย่างน้อย {rise} ม. และนับต่อจนน้ำลด {fall} ม."
            ),
            told!(
                "a step counts up to {hours} h, without rain of {rain} mm, above {floor} m",
                "ช่วงที่นับยาวไม่เกิน {hours} ชม. ไม่มีฝนถึง {rain} มม. และน้ำสูงกว่า {floor} ม."
            ),
        ],
        confidence: told!("smaller of 1 and steps/{FULL_STEPS}", "ค่าน้อยกว่าระหว่าง 1 กับ n/{FULL_STEPS}"),
        weaknesses: vec![
            told!(
                "side walls take part of the water: the rate is that of bottom and walls together",
                "น้ำซึมทางผนังด้วย อัตรานี้จึงเป็นของพื้นและผนังรวมกัน"
            ),
            told!("water that seeps away while the bank fills is not in it", "ไม่รวมน้ำที่ซึมระหว่างเติม"),
        ],
        ..Evidence::default()
    };
    if water.rain.is_empty() {
        evidence.weaknesses.push(told!(
            "nobody measures rain here: rain that only slowed a fall is not seen",
            "ที่นี่ไม่มีการวัดฝน จึงไม่เห็นฝนที่ทำให้น้ำลดช้าลง"
        ));
    }
    match events.iter().find(|event| asked.row.is_some_and(|row| row.period == event.peak_at)) {
        Some(event) => of_fill(asked, water, event, &mut evidence),
        None => evidence.missing = Some(no_fill(asked, events.len())),
    }
    evidence
}

fn of_fill(asked: &Asked<'_>, water: &Water, event: &FillEvent, evidence: &mut Evidence) {
    let steps = &event.steps;
    let [before, peak] = [event.before_m, event.peak_m].map(number);
    let [began, peak_at, until] = [event.began, event.peak_at, event.until].map(|time| asked.time(time));
    evidence.use_line(told!(
        "fill from {before} m at {began} to {peak} m at {peak_at}; its fall ends at {until}",
        "เติมจาก {before} ม. เมื่อ {began} ถึง {peak} ม. เมื่อ {peak_at} น้ำลดจนถึง {until}"
    ));
    evidence.use_line(told!("steps that count: mean height, fall, m", "ช่วงที่นับ: ความสูงเฉลี่ย การลด (ม.)"));
    let step = |step: &FallStep| Point {
        time: step.from,
        text: format!("{} {} {}", asked.time(step.from), number(step.stage_m), number(step.fall_m)),
        value: step.fall_m,
    };
    let steps_listed: Vec<Point> = steps.iter().map(step).collect();
    evidence.used.extend(points(&steps_listed, 2, asked.closed.offset_seconds));
    let left_out = event.left_out;
    for (count, why, why_th) in [
        (left_out.long, "longer than a step may be", "ยาวเกินไป"),
        (left_out.disturbed, "with rain, or a rise", "มีฝนหรือน้ำสูงขึ้น"),
        (left_out.at_floor, "that end at the floor", "น้ำลดถึงพื้นบ่อ"),
    ] {
        if count > 0 {
            evidence.left_out.push(told!("{count} steps {why}", "{count} ช่วง {why_th}"));
        }
    }
    evidence.confidence = smaller_of("steps", steps.len(), FULL_STEPS);
    let fall_m: f64 = steps.iter().map(|step| step.fall_m).sum();
    let days: f64 = steps.iter().map(FallStep::days).sum();
    let (count, evaporated) = (steps.len(), water.evaporation_mm_per_day.map_or("?".to_owned(), number));
    let [fall_told, days_told] = [fall_m, days].map(number);
    evidence.formulas.push(told!(
        "{count} steps: fall {fall_told} m in {days_told} days; evaporation {evaporated} mm a day",
        "{count} ช่วง: ลด {fall_told} ม. ใน {days_told} วัน การระเหย {evaporated} มม. ต่อวัน"
    ));
    if asked.indicator == INFILTRATED_VOLUME {
        return volume(asked, water, event, (fall_m, days), evidence);
    }
    match (event.fall_mm_per_day, water.evaporation_mm_per_day, event.infiltration_mm_per_day) {
        (Some(fall), Some(evaporation), Ok(rate)) => {
            let [fall, evaporation, rate] = [fall, evaporation, rate].map(number);
            evidence.formulas.push(told!(
                "rate = 1000 fall/days - evaporation = {fall} - {evaporation} = {rate}",
                "อัตรา = 1000 การลด/วัน - การระเหย = {fall} - {evaporation} = {rate}"
            ));
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
        Ok(volume) => {
            let [area, pores, evaporation] =
                [well.bank_area, pores, evaporation].map(|known| number(known.unwrap_or(f64::NAN)));
            let [fall, days, volume] = [fall_m, days, volume].map(number);
            evidence.formulas.push(told!(
                "volume = area (pores * fall - evaporation/1000 * days), walls upright = {area} * ({pores} * {fall} - \
                 {evaporation}/1000 * {days}) = {volume}",
                "ปริมาตร = พื้นที่ (สัดส่วนช่องว่าง * การลด - การระเหย/1000 * วัน) ถือว่าผนังตั้งตรง = {area} * ({pores} * {fall} - \
                 {evaporation}/1000 * {days}) = {volume}"
            ));
        }
        Err(why) => evidence.missing = Some(why.into()),
    }
}

/// All numbers of the month asked for, where there are several.
pub(super) fn others(asked: &Asked<'_>) -> Vec<Line> {
    let of_month: Vec<String> = asked
        .of_month()
        .map(|row| format!("{} {}", asked.time(row.period), row.cell.value.map_or("-".to_owned(), number)))
        .collect();
    if of_month.len() < 2 {
        return Vec::new();
    }
    let (count, month) = (of_month.len(), asked.month);
    let heading = told!("{count} in {month}; the last one is explained", "มี {count} ครั้งใน {month} ครั้งสุดท้ายอธิบายไว้ที่นี่");
    std::iter::once(heading.into()).chain(side_by_side(of_month, 3)).collect()
}

pub(super) fn no_fill(asked: &Asked<'_>, fills: usize) -> Missing {
    if fills == 0 {
        return Missing::new("no_event", told!("the bank was never seen to fill", "ยังไม่เคยเห็นการเติมน้ำในบ่อนี้"));
    }
    let month = asked.month;
    let told = told!("no fill in {month}; there are {fills} on record", "ไม่มีการเติมใน {month} ในบันทึกมี {fills} ครั้ง");
    Missing::new("no_row", told)
}
