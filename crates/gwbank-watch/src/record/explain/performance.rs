//! Evidence of how a bank performs: what is asked of all of its fills, of a drain-down, of the water around a recharge, and of
//! its meter.

use gwbank_indicator::Sense;
use gwbank_indicator::bank::{
    Clogging, DrainDown, Emptied, FillEvent, Harm, HarmRules, MeteredVolume, NotMeasurable, PercentChange, Substance,
    clogging, drain_downs, fill_events, fill_rates, metered_volume, quality_harm,
};
use gwbank_indicator::explain::number;
use gwbank_model::Timestamp;
use gwbank_registry::BankType;

use super::Asked;
use super::days::smaller_of;
use super::evidence::{Evidence, Missing, Point, Told, points, told};
use super::fills;
use super::names::class_thai;
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
        let told = told!("no closed month has a stage of the bank", "ไม่มีเดือนที่ปิดแล้วที่มีระดับน้ำในบ่อ");
        return Evidence::without(Missing::new("no_level", told));
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
    let (count, needed) = (rates.len(), rules.events_min);
    let [ratio, head, least] = [rules.stratum_ratio, rules.head_min_m, rules.rate_min_mm_per_day].map(number);
    let mut evidence = Evidence {
        limits: vec![
            told!("fills with a rate: {count} of {needed} needed", "จำนวนการเติมที่มีอัตรา: {count} ต้องมี {needed}"),
            told!(
                "a stratum's top is {ratio} times its bottom; the head is at least {head} m",
                "ขอบบนของแต่ละชั้นความสูงเป็น {ratio} เท่าของขอบล่าง และน้ำสูงอย่างน้อย {head} ม."
            ),
            told!("rates below {least} mm a day are noise", "อัตราต่ำกว่า {least} มม. ต่อวันเป็นสัญญาณรบกวน"),
            told!(
                "sure at 99 %, likely at 90 % of the two-sided test, else not_seen",
                "แน่นอนที่ 99 % น่าจะใช่ที่ 90 % ของการทดสอบสองด้าน นอกนั้นไม่เห็น"
            ),
        ],
        confidence: told!("smaller of 1 and fills/{FULL_FILLS}", "ค่าน้อยกว่าระหว่าง 1 กับ n/{FULL_FILLS}"),
        weaknesses: vec![
            told!("a cleaning within the record is a step, not a slope", "การขุดลอกภายในบันทึกทำให้ค่าเปลี่ยนทันที ไม่ใช่ความชัน"),
            told!(
                "the strata of one fill are not independent: the variance is multiplied by their mean number",
                "ชั้นความสูงของการเติมครั้งเดียวกันไม่เป็นอิสระต่อกัน ความแปรปรวนจึงคูณด้วยจำนวนชั้นเฉลี่ย"
            ),
            told!("colder water goes into the ground more slowly", "น้ำที่เย็นกว่าซึมลงดินช้ากว่า"),
        ],
        ..Evidence::default()
    };
    evidence.use_line(told!(
        "infiltration rate of each fill, mm a day, behind the head (m) from which its stratum goes",
        "อัตราการซึมของการเติมแต่ละครั้ง (มม. ต่อวัน) หลังความสูงของน้ำ (ม.) ที่ชั้นเริ่ม"
    ));
    let (all, without) = (events.len(), events.len() - rates.len());
    if without > 0 {
        evidence.left_out.push(told!(
            "{without} of {all} fills have no rate at a head that counts",
            "การเติม {without} จาก {all} ครั้งไม่มีอัตราที่ความสูงที่นับ"
        ));
    }
    for fill in &rates {
        let strata = fill.strata.iter().map(|own| format!("{:.3}: {}", own.from_m, number(own.rate_mm_per_day)));
        let cells = format!("{}  {}", asked.time(fill.peak_at), strata.collect::<Vec<_>>().join(", "));
        evidence.use_line(Told::same(cells));
    }
    match clogging(events, table(), rules) {
        Ok(found) => {
            evidence.confidence = smaller_of("fills", found.events, FULL_FILLS);
            evidence.formulas = decline_formulas(&found);
        }
        Err(why) => evidence.missing = Some(why.into()),
    }
    evidence
}

fn decline_formulas(found: &Clogging) -> Vec<Told> {
    let change = |change: &PercentChange| [change.percent, change.low, change.high].map(number);
    let ([fill, fill_low, fill_high], [year, low, high]) = (change(&found.per_event), change(&found.per_year));
    let (z, sure) = (number(found.z), found.sureness.name());
    let sure_th = class_thai(sure);
    vec![
        told!(
            "slope = median of (ln later rate - ln earlier rate)/time over all pairs of fills within a stratum",
            "ความชัน = มัธยฐานของ (ln อัตราหลัง - ln อัตราก่อน)/เวลา ของทุกคู่ในชั้นความสูงเดียวกัน"
        ),
        told!(
            "per fill: 100 (exp(slope) - 1) = {fill} %, 90 % between {fill_low} and {fill_high}",
            "ต่อครั้ง: 100 (exp(ความชัน) - 1) = {fill} % ช่วง 90 % ตั้งแต่ {fill_low} ถึง {fill_high}"
        ),
        told!(
            "per year: 100 (exp(slope) - 1) = {year} %, 90 % between {low} and {high}",
            "ต่อปี: 100 (exp(ความชัน) - 1) = {year} % ช่วง 90 % ตั้งแต่ {low} ถึง {high}"
        ),
        told!(
            "z of the test of Mann and Kendall over the strata = {z}: {sure}",
            "z ของการทดสอบแนวโน้มรวมทุกชั้น = {z}: {sure_th}"
        ),
    ]
}

fn drained(asked: &Asked<'_>, water: &Water) -> Evidence {
    let (well, rules) = (asked.closed.well, &asked.rules.drain_down);
    if well.bank_type != BankType::Closed {
        let told = told!("only a closed bank is asked how it drains", "เวลาที่น้ำซึมหมดใช้กับบ่อปิดเท่านั้น");
        return Evidence::without(Missing::new("not_applicable", told));
    }
    let [share, floor, slow, rim, rise] =
        [rules.empty_share, rules.fill.floor_m, rules.slow_hours, rules.rim_m, rules.fill.rise_min_m].map(number);
    let mut evidence = Evidence {
        used: fills::others(asked),
        limits: vec![
            told!(
                "empty below {share} of the peak, or below {floor} m",
                "ถือว่าแห้งเมื่อต่ำกว่า {share} ของยอดน้ำ หรือต่ำกว่า {floor} ม."
            ),
            told!("slow beyond {slow} h", "ช้าเมื่อเกิน {slow} ชม."),
            told!("at the rim from {rim} m below it", "ถึงขอบบ่อเมื่อต่ำกว่าขอบไม่เกิน {rim} ม."),
            told!("a fill is a rise of at least {rise} m", "การเติมคือน้ำสูงขึ้นอย่างน้อย {rise} ม."),
        ],
        confidence: told!("1 where the pit was seen to be empty, else 0.5", "1 เมื่อเห็นบ่อแห้ง นอกนั้น 0.5"),
        weaknesses: vec![told!(
            "between two readings anything may have happened: a time is good to the step of the readings",
            "ระหว่างสองค่าที่วัดไม่รู้ว่าเกิดอะไร เวลาจึงละเอียดเท่ากับช่วงการวัด"
        )],
        ..Evidence::default()
    };
    let found = drain_downs(&water.stage, well.depth, rules);
    match found.iter().find(|drain| asked.row.is_some_and(|row| row.period == drain.peak_at)) {
        Some(drain) => of_drain(asked, water, drain, &mut evidence),
        None => evidence.missing = Some(fills::no_fill(asked, found.len())),
    }
    evidence
}

fn of_drain(asked: &Asked<'_>, water: &Water, drain: &DrainDown, evidence: &mut Evidence) {
    let (well, rules) = (asked.closed.well, &asked.rules.drain_down);
    let (emptied_at, was_seen) = match drain.emptied {
        Emptied::AfterHours(hours) => (hours, true),
        Emptied::NotWithinHours(hours) => (hours, false),
    };
    let from = if asked.indicator == OVERFLOW_HOURS { drain.began } else { drain.peak_at };
    let until = drain.peak_at.plus_micros((emptied_at * 3_600e6) as i64).min(drain.until);
    let stage = water.stage.iter().filter(|(time, _)| *time >= from && *time <= until);
    evidence.use_line(told!("height of the water above the floor, m", "ความสูงของน้ำเหนือพื้นบ่อ (ม.)"));
    let listed: Vec<Point> = stage.map(|(time, height)| timed(asked, *time, *height)).collect();
    evidence.used.extend(points(&listed, 3, asked.closed.offset_seconds));
    let peak_at = asked.time(drain.peak_at);
    let [peak, empty, share, floor, hours] =
        [drain.peak_m, rules.empty_below_m(drain.peak_m), rules.empty_share, rules.fill.floor_m, emptied_at]
            .map(number);
    evidence.formulas = vec![
        told!("peak {peak} m at {peak_at}", "ยอดน้ำ {peak} ม. เมื่อ {peak_at}"),
        told!(
            "empty below larger of {share} * {peak} and {floor} = {empty} m",
            "ถือว่าแห้งเมื่อต่ำกว่าค่ามากกว่าระหว่าง {share} * {peak} กับ {floor} = {empty} ม."
        ),
        if was_seen {
            told!(
                "drain-down = hours from the peak to the first reading below it = {hours}",
                "เวลาที่น้ำซึมหมด = ชั่วโมงจากยอดน้ำถึงค่าแรกที่ต่ำกว่านั้น = {hours}"
            )
        } else {
            told!(
                "drain-down = no reading below it until the next fill or the end of the readings: at least = {hours}",
                "เวลาที่น้ำซึมหมด = ไม่มีค่าต่ำกว่านั้นจนถึงการเติมครั้งต่อไปหรือสิ้นสุดข้อมูล อย่างน้อย = {hours}"
            )
        },
    ];
    match drain.constant_hours {
        Ok(hours) => {
            let hours = number(hours);
            evidence.formulas.push(told!(
                "time constant, by the median slope of ln(water), = {hours} h",
                "ค่าคงตัวเวลา จากความชันมัธยฐานของ ln(น้ำ) = {hours} ชม."
            ));
        }
        Err(why) => {
            let Told { en, th } = why.into();
            evidence.left_out.push(told!("no time constant: {en}", "ไม่มีค่าคงตัวเวลา: {th}"));
        }
    }
    if let (Some(depth), Some(hours)) = (well.depth, drain.overflow_hours) {
        let [depth, below, rim, hours] = [depth, rules.rim_m, depth - rules.rim_m, hours].map(number);
        evidence.formulas.push(told!(
            "overflow = time between readings that both stand at {depth} - {below} = {rim} m or higher = {hours}",
            "เวลาที่ล้น = เวลาระหว่างค่าที่วัดซึ่งทั้งคู่สูงตั้งแต่ {depth} - {below} = {rim} ม. = {hours}"
        ));
    }
}

fn timed(asked: &Asked<'_>, time: Timestamp, value: f64) -> Point {
    Point { time, text: format!("{} {}", asked.time(time), number(value)), value }
}

/// English and Thai name, and the share and the amount from which a rise is harm.
fn substance_of(substance: Substance, rules: &HarmRules) -> ((&'static str, &'static str), (f64, f64)) {
    match substance {
        Substance::Conductivity => {
            (("conductivity", "ความนำไฟฟ้า"), (rules.conductivity_share, rules.conductivity_us_cm))
        }
        Substance::Turbidity => (("turbidity", "ความขุ่น"), (rules.turbidity_share, rules.turbidity_ntu)),
    }
}

fn harm(asked: &Asked<'_>, substance: Substance, events: &[FillEvent]) -> Evidence {
    const DAY_SECONDS: i64 = 86_400;
    let rules = &asked.rules.harm;
    let (values, comparison) = quality(&asked.closed.bank(), substance, asked.rules);
    let ((name, name_th), (share, amount)) = substance_of(substance, rules);
    if values.is_empty() {
        let told = told!("the bank measures no {name}", "บ่อนี้ไม่วัด{name_th}");
        return Evidence::without(Missing::new("not_measured", told));
    }
    let (days, least, [share_told, amount_told]) = (rules.days, rules.values_min, [share, amount].map(number));
    let mut evidence = Evidence {
        used: fills::others(asked),
        limits: vec![
            told!(
                "harm where the rise is at least {amount_told} and at least {share_told} of the value before",
                "เกิดผลเสียเมื่อเพิ่มอย่างน้อย {amount_told} และอย่างน้อย {share_told} ของค่าก่อนเติม"
            ),
            told!(
                "days before and after: {days}; values on each side: {least} at least",
                "ก่อนและหลัง {days} วัน ต้องมีอย่างน้อยข้างละ {least} ค่า"
            ),
        ],
        confidence: told!(
            "1 with a comparison well over the same weeks, else 0.5",
            "1 เมื่อมีบ่อเปรียบเทียบในช่วงเดียวกัน นอกนั้น 0.5"
        ),
        weaknesses: vec![
            told!("recharges less than two weeks apart share their values", "การเติมที่ห่างกันไม่ถึงสองสัปดาห์ใช้ค่าร่วมกัน"),
            told!(
                "slow harm by many small recharges is a trend, not a jump",
                "ผลเสียช้า ๆ จากการเติมเล็กน้อยหลายครั้งเป็นแนวโน้ม ไม่ใช่การเพิ่มทันที"
            ),
        ],
        ..Evidence::default()
    };
    let of_month = |event: &&FillEvent| event.began.month(asked.closed.offset_seconds) == asked.month;
    let by_row = events.iter().find(|event| asked.row.is_some_and(|row| row.period == event.began));
    let Some(event) = by_row.or_else(|| events.iter().rev().find(of_month)).or(events.last()) else {
        evidence.missing = Some(fills::no_fill(asked, 0));
        return evidence;
    };
    let reach = rules.days.saturating_mul(DAY_SECONDS);
    let (from, to) = (event.began.plus_secs(-reach), event.began.plus_secs(reach));
    let began = asked.time(event.began);
    for (whose, whose_th, values) in
        [("of the bank", "ของบ่อ", &values), ("of the comparison well", "ของบ่อเปรียบเทียบ", &comparison)]
    {
        let around: Vec<&(Timestamp, f64)> = values.iter().filter(|(time, _)| *time >= from && *time < to).collect();
        let count = around.len();
        evidence.use_line(told!(
            "medians of days {whose} around {began}: {count}",
            "มัธยฐานรายวัน{whose_th}รอบ {began}: {count} ค่า"
        ));
        let day = |time: Timestamp| time.day(asked.closed.offset_seconds).date();
        evidence.use_cells(around.iter().map(|(time, value)| format!("{} {}", day(*time), number(*value))), 5);
    }
    match quality_harm(substance, &values, event.began, &comparison, rules) {
        Ok(found) => evidence.formulas = harm_formulas(&found, share, amount),
        Err(why) => {
            let Told { en, th } = why.into();
            let told = told!("at the fill of {began}: {en}", "การเติมเมื่อ {began}: {th}");
            evidence.missing = Some(Missing::new(why.name(), told));
        }
    }
    evidence
}

fn harm_formulas(found: &Harm, share: f64, amount: f64) -> Vec<Told> {
    let taken_off = found.comparison_rise.unwrap_or(0.0).max(0.0);
    let held = number(share * found.before);
    let [after, before, taken_off, rise, share, amount] =
        [found.after, found.before, taken_off, found.rise, share, amount].map(number);
    vec![
        match found.comparison_rise.map(number) {
            Some(there) => told!("rise at the comparison well = {there}", "การเพิ่มที่บ่อเปรียบเทียบ = {there}"),
            None => {
                told!("rise at the comparison well unknown, nothing is taken off", "ไม่ทราบการเพิ่มที่บ่อเปรียบเทียบ จึงไม่หักออก")
            }
        },
        told!(
            "rise = median after - median before - what the comparison well rose = {after} - {before} - {taken_off} = {rise}",
            "การเพิ่ม = มัธยฐานหลัง - มัธยฐานก่อน - การเพิ่มที่บ่อเปรียบเทียบ = {after} - {before} - {taken_off} = {rise}"
        ),
        told!(
            "held against {amount} and {share} * {before} = {held}",
            "เทียบกับ {amount} และ {share} * {before} = {held}"
        ),
    ]
}

fn metered(asked: &Asked<'_>) -> Evidence {
    let flow = inflow(&asked.closed.bank());
    if flow.is_empty() {
        let told = told!("the bank has no readings of `recharge_flow`", "บ่อนี้ไม่มีข้อมูล recharge_flow");
        return Evidence::without(Missing::new("not_measured", told));
    }
    let own: Vec<(Timestamp, f64)> =
        flow.into_iter().filter(|(time, _)| time.month(asked.closed.offset_seconds) == asked.month).collect();
    let (count, month) = (own.len(), asked.month);
    let mut evidence = Evidence {
        limits: vec![told!(
            "readings for at least 90 % of the time; a step is at most three usual intervals long",
            "มีข้อมูลอย่างน้อย 90 % ของเวลา แต่ละช่วงยาวไม่เกินสามเท่าของช่วงปกติ"
        )],
        confidence: told!(
            "smaller of 1 and hours/(28 * 24) = {count}/672",
            "ค่าน้อยกว่าระหว่าง 1 กับ ชั่วโมง/(28 * 24) = {count}/672"
        ),
        weaknesses: vec![told!(
            "a meter that runs in puffs shorter than its reading interval is integrated wrongly either way",
            "มาตรวัดที่เดินเป็นช่วงสั้นกว่าช่วงอ่านค่าจะรวมผิดได้ทั้งสองทาง"
        )],
        ..Evidence::default()
    };
    evidence.use_line(told!(
        "{count} hourly means of the inflow in {month}, m³ an hour",
        "ค่าเฉลี่ยรายชั่วโมงของน้ำเข้า {count} ค่าใน {month} (ลบ.ม. ต่อชั่วโมง)"
    ));
    let listed: Vec<Point> = own.iter().map(|(time, flow)| timed(asked, *time, *flow)).collect();
    evidence.used.extend(points(&listed, 3, asked.closed.offset_seconds));
    match metered_volume(&own, asked.closed.well.bank_volume) {
        Ok(found) => {
            evidence.formulas = metered_formulas(&found);
            if found.steps_left_out > 0 {
                let (steps, hours) = (found.steps_left_out, number(found.step_hours_max));
                evidence.left_out.push(told!("{steps} steps longer than {hours} h", "{steps} ช่วงที่ยาวกว่า {hours} ชม."));
            }
        }
        Err(why) => evidence.missing = Some(why.into()),
    }
    evidence
}

fn metered_formulas(found: &MeteredVolume) -> Vec<Told> {
    let (steps, [volume, covered]) = (found.steps, [found.m3, found.covered].map(number));
    vec![
        told!(
            "volume = sum of (flow + next flow)/2 * hours over {steps} steps = {volume} m³",
            "ปริมาตร = ผลรวมของ (อัตราไหล + อัตราไหลถัดไป)/2 * ชั่วโมง จาก {steps} ช่วง = {volume} ลบ.ม."
        ),
        told!("share of the time covered = {covered}", "สัดส่วนเวลาที่มีข้อมูล = {covered}"),
        match found.fills {
            Ok(fills) => {
                let fills = number(fills);
                told!("fills of the bank = volume/bank volume = {fills}", "จำนวนเท่าของบ่อ = ปริมาตร/ปริมาตรบ่อ = {fills}")
            }
            Err(why) => {
                let Told { en, th } = why.into();
                told!("fills of the bank: {en}", "จำนวนเท่าของบ่อ: {th}")
            }
        },
    ]
}
