//! Evidence of what is made of daily levels: GxG, and recharge by water-table fluctuation.

use gwbank_indicator::bank::{MonthRecharge, NotMeasurable, Recharge, recharge, smoothed_levels};
use gwbank_indicator::explain::number;
use gwbank_indicator::{CountedDay, Fill, GxgKind, GxgYear, HalfMonth, Sense, gxg};
use gwbank_model::Day;

use super::Asked;
use super::evidence::{Evidence, Missing, Told, plus, told};
use crate::record::days::{RECHARGE_WTF, upward, whole_years, wtf_well};

pub(super) fn explain(asked: &Asked<'_>) -> Evidence {
    let (sense, days) = asked.closed.levels();
    if days.is_empty() {
        let told = told!("no closed month has daily levels", "ไม่มีเดือนที่ปิดแล้วที่มีระดับน้ำรายวัน");
        return Evidence::without(Missing::new("no_level", told));
    }
    if asked.indicator == RECHARGE_WTF {
        return of_recharge(asked, sense, &days);
    }
    let kinds = [GxgKind::Highest, GxgKind::Lowest, GxgKind::Spring];
    match kinds.into_iter().find(|kind| kind.name() == asked.indicator) {
        Some(kind) => of_gxg(asked, kind, sense, &days),
        None => Evidence::default(),
    }
}

fn of_gxg(asked: &Asked<'_>, kind: GxgKind, sense: Sense, days: &[CountedDay]) -> Evidence {
    let Some((_, rules)) = asked.rules.gxg.iter().find(|(own, _)| *own == kind) else { return Evidence::default() };
    let (last, whole) = whole_years(days, rules.year_start, asked.closed.closed_through);
    let found = gxg(whole, sense, kind, rules);
    let (with, without): (Vec<&GxgYear>, Vec<&GxgYear>) = found.years.iter().partition(|year| year.level.is_some());
    let (n, needed) = (with.len(), rules.levels_min);
    // The last month of the year that is under way.
    let next = last.plus(23);
    let mut evidence = Evidence {
        used: vec![taken(kind).into()],
        limits: vec![
            told!(
                "levels on a 14th or 28th that a year needs: {needed}",
                "จำนวนระดับน้ำในวันที่ 14 หรือ 28 ที่แต่ละปีต้องมี: {needed}"
            ),
            years_needed(n, rules.years_min),
            told!(
                "whole years only, as one that is not over lacks its high or its low: the last began in {last}, the next counts \
                 from the close of {next}",
                "ใช้เฉพาะปีที่ครบ เพราะปีที่ยังไม่จบอาจยังไม่ถึงช่วงน้ำสูงสุดหรือต่ำสุด: ปีสุดท้ายเริ่ม {last} ปีถัดไปจะนับเมื่อปิดเดือน {next}"
            ),
            filled(rules.fill),
        ],
        left_out: without
            .iter()
            .map(|year| {
                let (year, levels) = (year.year, year.levels);
                told!("{year}  {levels} levels, {needed} are needed", "{year}  มี {levels} ค่า ต้องมี {needed} ค่า")
            })
            .collect(),
        confidence: smaller_of("n", n, rules.full_confidence_n),
        weaknesses: vec![
            told!(
                "made for the Dutch climate; a trend makes the mean over years one of no year",
                "วิธีนี้สร้างสำหรับภูมิอากาศเนเธอร์แลนด์ หากมีแนวโน้ม ค่าเฉลี่ยหลายปีจะไม่ตรงกับปีใดเลย"
            ),
            told!(
                "the nearest measured day may lie days away from the 14th or 28th",
                "วันที่วัดใกล้ที่สุดอาจห่างจากวันที่ 14 หรือ 28 หลายวัน"
            ),
        ],
        missing: found.mean.why().map(|why| Missing::from(*why)),
        ..Evidence::default()
    };
    for year in &with {
        evidence.use_line(of_year(year));
    }
    if let Some(mean) = found.mean.value() {
        let (levels, mean) = (plus(with.iter().filter_map(|year| year.level)), number(*mean));
        evidence
            .formulas
            .push(told!("mean of the years = ({levels})/{n} = {mean}", "ค่าเฉลี่ยของทุกปี = ({levels})/{n} = {mean}"));
    }
    evidence
}

/// Which levels of a year are taken.
fn taken(kind: GxgKind) -> Told {
    match kind {
        GxgKind::Highest => told!(
            "levels on the 14th and 28th, m, up = wetter; of each year the three highest (two of 13 to 20 levels, one of fewer)",
            "ระดับน้ำวันที่ 14 และ 28 (ม. ค่ามากคือน้ำมาก) ของแต่ละปีใช้สามค่าสูงสุด (สองค่าหากมี 13 ถึง 20 ค่า หนึ่งค่าหากมีน้อยกว่านั้น)"
        ),
        GxgKind::Lowest => told!(
            "levels on the 14th and 28th, m, up = wetter; of each year the three lowest (two of 13 to 20 levels, one of fewer)",
            "ระดับน้ำวันที่ 14 และ 28 (ม. ค่ามากคือน้ำมาก) ของแต่ละปีใช้สามค่าต่ำสุด (สองค่าหากมี 13 ถึง 20 ค่า หนึ่งค่าหากมีน้อยกว่านั้น)"
        ),
        GxgKind::Spring => told!(
            "levels on the 14th and 28th, m, up = wetter; of each year those from 14 March to 14 April",
            "ระดับน้ำวันที่ 14 และ 28 (ม. ค่ามากคือน้ำมาก) ของแต่ละปีใช้ค่าตั้งแต่ 14 มีนาคม ถึง 14 เมษายน"
        ),
    }
}

/// How a 14th or 28th without a measurement has its level.
fn filled(fill: Fill) -> Told {
    let (how, how_th) = match fill {
        Fill::None => ("has no level".to_owned(), "ถือว่าไม่มีค่า".to_owned()),
        Fill::NearestOnce => {
            ("takes the nearest one, each measurement once".to_owned(), "ใช้ค่าที่ใกล้ที่สุด โดยใช้แต่ละค่าครั้งเดียว".to_owned())
        }
        Fill::Nearest { days } => {
            (format!("takes the nearest one within {days} days"), format!("ใช้ค่าที่ใกล้ที่สุดภายใน {days} วัน"))
        }
        Fill::Forward { days } => {
            (format!("takes the last one of the {days} days before"), format!("ใช้ค่าล่าสุดของ {days} วันก่อนหน้า"))
        }
        Fill::Backward { days } => {
            (format!("takes the first one of the {days} days after"), format!("ใช้ค่าแรกของ {days} วันถัดไป"))
        }
        Fill::Linear { days } => (
            format!("lies on the straight line between its neighbours, one of them within {days} days"),
            format!("ใช้เส้นตรงระหว่างค่าข้างเคียง ซึ่งค่าหนึ่งอยู่ภายใน {days} วัน"),
        ),
    };
    told!("a 14th or 28th without a measurement {how}", "วันที่ 14 หรือ 28 ที่ไม่ได้วัด{how_th}")
}

fn of_year(year: &GxgYear) -> Told {
    let half = |half: &HalfMonth| format!("{}-{:02} {}", half.month, half.day, number(half.level));
    let halves = year.taken.iter().map(half).collect::<Vec<_>>().join(", ");
    let (of, levels, level) = (year.year, year.levels, year.level.map_or("-".to_owned(), number));
    told!("{of}  of {levels} levels: {halves}; mean {level}", "{of}  จาก {levels} ค่า: {halves} เฉลี่ย {level}")
}

pub(super) fn years_needed(found: usize, needed: u32) -> Told {
    told!("years with enough: {found} of {needed} needed", "ปีที่มีข้อมูลพอ: {found} ต้องมี {needed}")
}

/// The usual confidence: so many of so many that give full confidence.
pub(super) fn smaller_of(what: &str, found: usize, full: u32) -> Told {
    told!("smaller of 1 and {what}/{full} = {found}/{full}", "ค่าน้อยกว่าระหว่าง 1 กับ n/{full} = {found}/{full}")
}

fn of_recharge(asked: &Asked<'_>, sense: Sense, days: &[CountedDay]) -> Evidence {
    let rules = &asked.rules.recharge;
    let levels = upward(days, sense);
    let well = wtf_well(asked.closed.well, sense);
    let (share, gap) = (number(rules.month_share_min), rules.gap_days_max);
    let (recessions, windows) = (rules.recession.recessions_min, rules.recession.windows_min);
    let (window, settle) = (rules.recession.window_days, rules.recession.settle_days);
    let mut evidence = Evidence {
        limits: vec![
            told!("share of its days that a month needs: {share}", "สัดส่วนวันที่เดือนหนึ่งต้องมี: {share}"),
            told!("gaps of up to {gap} days are bridged by a straight line", "ช่วงที่ขาดไม่เกิน {gap} วันเชื่อมด้วยเส้นตรง"),
            told!(
                "recession: {recessions} recessions and {windows} windows of {window} days at least, the first {settle} days left \
                 out",
                "ช่วงที่น้ำลดเอง: อย่างน้อย {recessions} ช่วง และ {windows} หน้าต่างยาว {window} วัน โดยตัด {settle} วันแรกออก"
            ),
        ],
        confidence: told!("1 - doubtful days/days", "1 - วันที่ไม่แน่นอน/วัน"),
        weaknesses: vec![
            told!(
                "steady recharge that equals the recession's mistake is not seen",
                "น้ำที่เติมสม่ำเสมอเท่ากับความคลาดเคลื่อนของการลดจะไม่เห็น"
            ),
            told!(
                "within a metre of the ground the yield is much smaller; such days are counted, not corrected",
                "เมื่อน้ำอยู่ใกล้ผิวดินไม่ถึงหนึ่งเมตร ค่าการให้น้ำน้อยกว่ามาก วันเหล่านี้ถูกนับแต่ไม่ถูกแก้"
            ),
            told!("a month with less than nothing is the noise of the method", "เดือนที่ค่าติดลบเป็นสัญญาณรบกวนของวิธี"),
        ],
        ..Evidence::default()
    };
    match recharge(&well, &levels, rules) {
        Ok(found) => of_month(asked, &found, &levels, &mut evidence),
        Err(why) => {
            let count = levels.len();
            evidence.use_line(told!("{count} daily levels", "ระดับน้ำรายวัน {count} ค่า"));
            evidence.missing = Some(why.into());
        }
    }
    evidence
}

fn of_month(asked: &Asked<'_>, found: &Recharge, levels: &[(Day, f64)], evidence: &mut Evidence) {
    let rules = &asked.rules.recharge;
    let (first, end) = (asked.month.first_day(), asked.month.plus(1).first_day());
    let curve = &found.recession;
    // With the first day of the next month, to which the last step goes.
    let smoothed: Vec<_> =
        smoothed_levels(levels, &rules.recession).into_iter().filter(|(day, _)| *day >= first && *day <= end).collect();
    evidence.use_line(told!(
        "levels, m, up = wetter, as running medians of five days; behind / the fall of the recession there",
        "ระดับน้ำ (ม. ค่ามากคือน้ำมาก) มัธยฐานเคลื่อนที่ห้าวัน หลัง / คืออัตราที่น้ำลดเองที่ระดับนั้น"
    ));
    let cell = |(day, level): &(Day, f64)| {
        format!("{} {} / {}", day.date(), number(*level), number(curve.fall_m_per_day(*level)))
    };
    evidence.use_cells(smoothed.iter().map(cell), 2);
    let [a, b, lowest, highest] = [curve.at_zero, curve.per_metre, curve.lowest, curve.highest].map(number);
    let (windows, recessions) = (curve.windows, curve.recessions);
    evidence.formulas.push(told!(
        "fall(h) = larger of 0 and a + b h, a = {a} m a day, b = {b} a day, from {windows} windows of {recessions} recessions \
         between {lowest} and {highest} m",
        "การลด(h) = ค่ามากกว่าระหว่าง 0 กับ a + b h โดย a = {a} ม. ต่อวัน, b = {b} ต่อวัน จาก {windows} หน้าต่างของ {recessions} \
         ช่วงที่น้ำลดเอง ระหว่าง {lowest} ถึง {highest} ม."
    ));
    let of_days = asked.month.days();
    let Some(month) = found.months.iter().find(|own| own.month == asked.month) else {
        let days = smoothed.iter().filter(|(day, _)| *day < end).count();
        let why =
            NotMeasurable::LowCoverage { covered: days as f64 / f64::from(of_days), needed: rules.month_share_min };
        let month = asked.month;
        evidence.left_out.push(told!("{month}  {days} of {of_days} days", "{month}  มี {days} จาก {of_days} วัน"));
        evidence.missing = Some(why.into());
        return;
    };
    evidence.formulas.extend(month_formulas(asked, month));
    let doubtful = month.near_ground_days.max(month.extrapolated_days);
    let (days, above, near) = (month.days, month.extrapolated_days, month.near_ground_days);
    evidence.confidence = Told::same(format!("1 - {doubtful}/{days}"));
    evidence.limits.push(told!(
        "doubtful days of {days}: {above} above the levels at which the recession was seen, {near} within a metre of the ground",
        "วันที่ไม่แน่นอนจาก {days} วัน: {above} วันสูงกว่าระดับที่เคยเห็นน้ำลดเอง {near} วันใกล้ผิวดินไม่ถึงหนึ่งเมตร"
    ));
}

fn month_formulas(asked: &Asked<'_>, month: &MonthRecharge) -> Vec<Told> {
    let specific_yield = number(asked.closed.well.specific_yield.unwrap_or(f64::NAN));
    let falls = number(month.height_m - month.change_m);
    let MonthRecharge { change_m, height_m, mm, low_mm, high_mm, .. } = month;
    let [change, height, mm, low, high] = [*change_m, *height_m, *mm, *low_mm, *high_mm].map(number);
    vec![
        told!(
            "height = change of the level + sum of the falls = {change} + {falls} = {height} m",
            "ความสูง = การเปลี่ยนระดับ + ผลรวมการลด = {change} + {falls} = {height} ม."
        ),
        told!(
            "recharge = specific yield * height * 1000 = {specific_yield} * {height} * 1000 = {mm} mm",
            "น้ำที่เติม = ค่าการให้น้ำจำเพาะ * ความสูง * 1000 = {specific_yield} * {height} * 1000 = {mm} มม."
        ),
        told!(
            "range by the specific yield alone: {low} to {high} mm",
            "ช่วงจากค่าการให้น้ำจำเพาะอย่างเดียว: {low} ถึง {high} มม."
        ),
    ]
}
