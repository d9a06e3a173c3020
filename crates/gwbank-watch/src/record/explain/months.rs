//! Evidence of what is made of monthly levels: trend, spells of low groundwater, carry-over.

use gwbank_indicator::bank::{CarryOver, NotMeasurable, carry_over_beyond};
use gwbank_indicator::explain::number;
use gwbank_indicator::{
    DroughtEvent, DroughtEvents, Monthly, MonthlyLevel, TREND_ALPHA, ThresholdRules, TrendTest, WellTrend, Why,
    drought_events, mann_kendall, normal_quantile, well_trend,
};
use gwbank_model::{MONTH_NAMES, MONTH_NAMES_TH, Month};

use super::Asked;
use super::days::{smaller_of, years_needed};
use super::evidence::{Evidence, Missing, Told, level_points, months_left_out, plus, points, told};
use super::names::class_thai;
use crate::config::WatchConfig;
use crate::record::Part;
use crate::record::closed::Closed;
use crate::record::months::{
    CARRY_OVER, CARRY_OVER_BEYOND, DROUGHT_DEFICIT, DROUGHT_DURATION, TREND, season, told_at, within,
};
use crate::record::thresholds;
use crate::series::{level_parameter, months_of};
use crate::wells;

/// Years behind a threshold that give full confidence in it: a climate normal.
const CLIMATE_NORMAL_YEARS: u32 = 30;

/// Closed months of the well and of its comparison well.
#[derive(Debug)]
pub(super) struct Levels {
    pub own: Monthly,
    pub comparison: Option<Vec<MonthlyLevel>>,
    /// Of the well, those that others are ranked among.
    reference: Vec<MonthlyLevel>,
    days_min: u32,
}

impl Levels {
    /// Empty where the part is not made of them.
    pub fn of(closed: &Closed<'_>, part: Part, config: &WatchConfig) -> Self {
        let (parameter, sense) = level_parameter(&closed.days);
        let rules = wells::month_rules(closed.well, sense, config);
        let days_min = rules.days_min;
        if part != Part::Months {
            let own = Monthly { levels: Vec::new(), thin: Vec::new() };
            return Self { own, comparison: None, reference: Vec::new(), days_min };
        }
        let own = months_of(&closed.days, parameter, &rules);
        let reference = thresholds::of_baseline(&own.levels, &config.standing);
        Self { own, comparison: closed.comparison_months(config), reference, days_min }
    }
}

pub(super) fn explain(asked: &Asked<'_>, levels: &Levels) -> Evidence {
    let mut evidence = match asked.indicator {
        _ if levels.own.levels.is_empty() => {
            let told = told!("no closed month has a level", "ไม่มีเดือนที่ปิดแล้วที่มีระดับน้ำ");
            Evidence::without(Missing::new("no_level", told))
        }
        TREND => trend(asked, &levels.own.levels),
        DROUGHT_DEFICIT | DROUGHT_DURATION => spell(asked, &levels.own.levels),
        CARRY_OVER | CARRY_OVER_BEYOND => left_of_rise(asked, levels),
        thresholds::DROUGHT if !asked.closed.place().kind.speaks_of_drought() => Evidence::without(Why::NotCapable),
        thresholds::DROUGHT => {
            let rules = &asked.rules.events;
            threshold(asked, &levels.own.levels, (rules.quantile, rules.years_min))
        }
        name => match thresholds::OF_CLASSES.into_iter().find(|(own, _)| *own == name) {
            Some((_, percentile)) => {
                threshold(asked, &levels.reference, (percentile / 100.0, ThresholdRules::default().n_min))
            }
            None => Evidence::default(),
        },
    };
    evidence.left_out.extend(months_left_out(&levels.own, levels.days_min));
    evidence
}

fn trend(asked: &Asked<'_>, months: &[MonthlyLevel]) -> Evidence {
    const A_LINE: usize = 6;
    let rules = &asked.rules.trend;
    let found = well_trend(months, asked.closed.closed_through, rules);
    let measured: Vec<&MonthlyLevel> = months.iter().filter(|month| month.level.is_some()).collect();
    let (count, full) = (measured.len(), rules.full_confidence_n);
    let heading = told!("{count} monthly levels, m, up = wetter", "ระดับน้ำรายเดือน {count} ค่า (ม. ค่ามากคือน้ำมาก)");
    let mut evidence = Evidence {
        used: vec![heading.into()],
        confidence: told!(
            "smaller of 1 and months/(12 * {full}) = {count}/(12 * {full})",
            "ค่าน้อยกว่าระหว่าง 1 กับ เดือน/(12 * {full}) = {count}/(12 * {full})"
        ),
        weaknesses: vec![
            told!(
                "only a steady rise or fall is looked for: a fall and a recovery cancel",
                "ดูเฉพาะการขึ้นหรือลงต่อเนื่อง การลดแล้วฟื้นตัวจะหักล้างกัน"
            ),
            told!(
                "dry months of unknown depth are left out, which hides a fall",
                "เดือนที่แห้งโดยไม่ทราบความลึกไม่ถูกใช้ ซึ่งซ่อนการลดลง"
            ),
            told!("years are taken as independent of each other", "ถือว่าแต่ละปีเป็นอิสระต่อกัน"),
        ],
        missing: found.why().map(|why| Missing::from(*why)),
        ..Evidence::default()
    };
    evidence.used.extend(points(&level_points(measured), A_LINE, 0));
    let (years, needed) = (found.basis().n, rules.years_min);
    evidence.limits.push(told!(
        "whole years from first to last month: {years} of {needed} needed",
        "จำนวนปีเต็มจากเดือนแรกถึงเดือนสุดท้าย: {years} ต้องมี {needed}"
    ));
    if let Some(trend) = found.value() {
        evidence.formulas = trend_formulas(trend, months);
        let (missing, allowed) = (number(trend.missing_share), number(rules.missing_share));
        evidence
            .limits
            .push(told!("share of months missing: {missing} < {allowed}", "สัดส่วนเดือนที่ไม่มีข้อมูล: {missing} < {allowed}"));
        let limit = number(normal_quantile(1.0 - TREND_ALPHA / 2.0));
        let z = trend.trend.z.map_or("-".to_owned(), |z| number(z.abs()));
        let direction = trend.trend.direction.name();
        let direction_th = class_thai(direction);
        evidence.limits.push(told!(
            "|z| {z} against {limit} (two-sided {TREND_ALPHA}): {direction}",
            "|z| {z} เทียบกับ {limit} (สองด้าน {TREND_ALPHA}): {direction_th}"
        ));
    }
    evidence
}

fn trend_formulas(found: &WellTrend, months: &[MonthlyLevel]) -> Vec<Told> {
    let trend = &found.trend;
    let mut formulas = Vec::new();
    let mut pairs = u64::from(trend.n) * u64::from(trend.n.saturating_sub(1)) / 2;
    let (s, variance) = (trend.s, number(trend.variance));
    let is_seasonal = trend.test == TrendTest::Seasonal;
    if is_seasonal {
        let of_months: Vec<_> =
            (1..=12).filter_map(|month| Some((month, of_calendar_month(found, months, month)?))).collect();
        for (month, own) in &of_months {
            let (n, s, variance) = (own.n, own.s, number(own.variance));
            let (name, name_th) = month_names(*month);
            formulas
                .push(told!("{name:<9}  n {n}  S {s}  Var S {variance}", "{name_th}  n {n}  S {s}  Var S {variance}"));
        }
        let sums = plus(of_months.iter().map(|(_, own)| own.s as f64));
        formulas.push(told!("S = sum of the months' S = {sums} = {s}", "S = ผลรวม S ของทุกเดือน = {sums} = {s}"));
        formulas
            .push(told!("Var S = sum of the months' Var S = {variance}", "Var S = ผลรวม Var S ของทุกเดือน = {variance}"));
        pairs = of_months.iter().map(|(_, own)| u64::from(own.n) * u64::from(own.n - 1) / 2).sum();
    } else {
        let test = trend.test;
        formulas.push(told!("{test}: S = {s}, Var S = {variance}", "S = {s}, Var S = {variance}"));
    }
    // Towards zero, as S goes by steps.
    let towards = match s.signum() {
        1 => " - 1",
        -1 => " + 1",
        _ => "",
    };
    if let (Some(z), Some(p)) = (trend.z, trend.p) {
        let (z, p) = (number(z), number(p));
        formulas.push(told!(
            "z = (S{towards})/root of Var S = ({s}{towards})/root of {variance} = {z}",
            "z = (S{towards})/รากที่สองของ Var S = ({s}{towards})/รากที่สองของ {variance} = {z}"
        ));
        formulas.push(told!("p = 2 (1 - normal of |z|) = {p}", "p = 2 (1 - การแจกแจงปกติที่ |z|) = {p}"));
    }
    let (of, of_th) = if is_seasonal {
        ("pairs of one calendar month", "คู่ของเดือนเดียวกัน")
    } else {
        ("pairs, times 12", "คู่ คูณ 12")
    };
    let slope = number(found.slope_per_year);
    formulas.push(told!(
        "slope a year = median of (later level - earlier level)/time over {pairs} {of} = {slope}",
        "ความชันต่อปี = มัธยฐานของ (ระดับหลัง - ระดับก่อน)/เวลา จาก {pairs} {of_th} = {slope}"
    ));
    formulas
}

fn month_names(month: u32) -> (&'static str, &'static str) {
    let at = month as usize - 1;
    (MONTH_NAMES[at], MONTH_NAMES_TH[at])
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
    let (percentile, years, pooling) = (number(rules.quantile * 100.0), rules.years_min, rules.pooling_months);
    let mut evidence = Evidence {
        limits: vec![
            told!(
                "a month is below where its level < threshold of its calendar month, percentile {percentile}",
                "เดือนต่ำกว่าเกณฑ์เมื่อระดับ < เกณฑ์ของเดือนเดียวกัน (เปอร์เซ็นไทล์ {percentile})"
            ),
            told!(
                "years with a calendar month that its threshold takes: {years}",
                "จำนวนปีของเดือนเดียวกันที่ต้องมีจึงมีเกณฑ์: {years}"
            ),
            told!(
                "months not below that are bridged between two spells: {pooling}",
                "จำนวนเดือนที่ไม่ต่ำกว่าเกณฑ์ซึ่งเชื่อมสองช่วงเข้าด้วยกันได้: {pooling}"
            ),
        ],
        confidence: told!(
            "smaller of 1 and years behind the threshold of the first month/30",
            "ค่าน้อยกว่าระหว่าง 1 กับ จำนวนปีของเกณฑ์เดือนแรก/30"
        ),
        weaknesses: vec![
            told!(
                "the threshold is of the same record: about a fifth of all months are below, also where nobody lacked water",
                "เกณฑ์มาจากบันทึกเดียวกัน ราวหนึ่งในห้าของทุกเดือนจึงต่ำกว่าเกณฑ์ แม้ไม่มีใครขาดน้ำ"
            ),
            told!(
                "a trend gathers the spells at one end; gaps cut them",
                "แนวโน้มทำให้ช่วงน้ำต่ำรวมอยู่ปลายด้านหนึ่ง ช่วงที่ขาดข้อมูลตัดช่วงน้ำต่ำออก"
            ),
        ],
        ..Evidence::default()
    };
    for (month, threshold) in (1..).zip(&found.thresholds) {
        let (name, name_th) = month_names(month);
        evidence.left_out.extend(threshold.why().map(|why| {
            let Told { en, th } = (*why).into();
            told!("{name}: no threshold, {en}", "{name_th}: ไม่มีเกณฑ์ {th}")
        }));
    }
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
        None => {
            let month = asked.month;
            let told = told!("no spell begins in {month}", "ไม่มีช่วงน้ำต่ำที่เริ่มใน {month}");
            evidence.missing = Some(Missing::new("no_event", told));
        }
    }
    evidence
        .use_line(told!("all spells of the record, first and last month:", "ช่วงน้ำต่ำทั้งหมดของบันทึก เดือนแรกและเดือนสุดท้าย:"));
    evidence.use_cells(found.events.iter().map(|event| format!("{}..{}", event.start, event.end)), 5);
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
        let by = month.level.map_or("-".to_owned(), |level| number(threshold - level));
        let Told { en, th } = match month.level {
            Some(level) if level < threshold => {
                terms.push(threshold - level);
                told!("below by {by}", "ต่ำกว่า {by}")
            }
            Some(_) => told!("not below, bridged", "ไม่ต่ำกว่า แต่เชื่อมเข้าด้วยกัน"),
            None => told!("dry to an unknown depth: below, adds nothing", "แห้งโดยไม่ทราบความลึก นับว่าต่ำกว่า แต่ไม่เพิ่มปริมาณ"),
        };
        let (of, level, threshold) = (month.month, month.level.map_or("-".to_owned(), number), number(threshold));
        evidence.use_line(told!(
            "{of}  level {level}  threshold {threshold}  {en}",
            "{of}  ระดับ {level}  เกณฑ์ {threshold}  {th}"
        ));
    }
    let years = found.thresholds[event.start.month_of_year() as usize - 1].basis().n;
    evidence.confidence.push(&Told::same(format!(" = {years}/30")));
    let quantile = asked.rules.events.quantile;
    let mut calendar_months: Vec<u32> = own.iter().map(|month| month.month.month_of_year()).collect();
    calendar_months.sort_unstable();
    calendar_months.dedup();
    evidence.formulas.extend(
        calendar_months
            .iter()
            .filter_map(|&month| threshold_formula(quantile, months, month, threshold_of(Month::new(2000, month))?)),
    );
    let (terms, deficit) = (plus(terms), number(event.deficit));
    evidence
        .formulas
        .push(told!("deficit = {terms} = {deficit} m months", "ปริมาณที่ต่ำกว่าเกณฑ์ = {terms} = {deficit} ม.เดือน"));
    let (start, end, duration, below) = (event.start, event.end, event.duration_months(), event.months_below);
    evidence.formulas.push(told!(
        "duration = {start} to {end}, both included, {below} of them below = {duration} months",
        "ระยะเวลา = {start} ถึง {end} รวมทั้งสองเดือน ต่ำกว่าเกณฑ์ {below} เดือน = {duration} เดือน"
    ));
    for (censored, told) in [
        (
            event.left_censored,
            told!(
                "the month before has no level or no threshold: the spell may have begun earlier",
                "เดือนก่อนหน้าไม่มีระดับหรือเกณฑ์ ช่วงนี้อาจเริ่มก่อนนั้น"
            ),
        ),
        (
            event.right_censored,
            told!(
                "the month after has no level or no threshold: the spell may have gone on",
                "เดือนถัดไปไม่มีระดับหรือเกณฑ์ ช่วงนี้อาจดำเนินต่อ"
            ),
        ),
        (
            event.deficit_is_minimum,
            told!(
                "some month was dry to an unknown depth: the deficit is a least value",
                "มีเดือนที่แห้งโดยไม่ทราบความลึก ปริมาณนี้จึงเป็นค่าน้อยที่สุด"
            ),
        ),
    ] {
        if censored {
            evidence.weaknesses.push(told);
        }
    }
}

/// Of the calendar month of the row.
fn threshold(asked: &Asked<'_>, months: &[MonthlyLevel], (quantile, years_min): (f64, u32)) -> Evidence {
    let month = asked.month.month_of_year();
    let group: Vec<&MonthlyLevel> =
        months.iter().filter(|own| own.month.month_of_year() == month && own.level.is_some()).collect();
    let (n, (name, name_th)) = (group.len(), month_names(month));
    let mut evidence = Evidence {
        limits: vec![years_needed(n, years_min)],
        confidence: smaller_of("n", n, CLIMATE_NORMAL_YEARS),
        weaknesses: vec![told!(
            "of the record as it is: every new year moves it, and a trend makes it one of no year",
            "มาจากบันทึกเท่าที่มี ทุกปีใหม่ทำให้ค่าเปลี่ยน และหากมีแนวโน้มค่านี้จะไม่ตรงกับปีใด"
        )],
        ..Evidence::default()
    };
    evidence.use_line(told!(
        "levels of {name} of {n} years, m, up = wetter",
        "ระดับน้ำของเดือน{name_th} {n} ปี (ม. ค่ามากคือน้ำมาก)"
    ));
    evidence.used.extend(points(&level_points(group), 6, 0));
    match asked.value() {
        Some(value) => evidence.formulas.extend(threshold_formula(quantile, months, month, value)),
        None => {
            let n = u32::try_from(n).unwrap_or(u32::MAX);
            evidence.missing = asked.row.map(|_| Missing::from(Why::ShortRecord { n, needed: years_min }));
        }
    }
    evidence
}

fn threshold_formula(quantile: f64, months: &[MonthlyLevel], month: u32, threshold: f64) -> Option<Told> {
    let mut levels: Vec<f64> =
        months.iter().filter(|own| own.month.month_of_year() == month).filter_map(|own| own.level).collect();
    levels.sort_by(f64::total_cmp);
    let n = levels.len();
    let place = quantile * (n as f64 + 1.0);
    let lower = (place.floor() as usize).clamp(1, n.max(1));
    let [below, above] = [*levels.get(lower - 1)?, *levels.get(lower.min(n - 1))?].map(number);
    let [quantile, place, threshold] = [quantile, place, threshold].map(number);
    let (name, name_th) = month_names(month);
    Some(told!(
        "threshold of {name} = level at place q (n + 1) = {quantile} * ({n} + 1) = {place} from the lowest, between {below} and \
         {above} = {threshold}",
        "เกณฑ์ของ{name_th} = ระดับที่อันดับ q (n + 1) = {quantile} * ({n} + 1) = {place} นับจากต่ำสุด ระหว่าง {below} กับ \
         {above} = {threshold}"
    ))
}

fn left_of_rise(asked: &Asked<'_>, levels: &Levels) -> Evidence {
    let place = asked.closed.place();
    let year = place.season.season_year(asked.month).unwrap_or(asked.month.year());
    let until = told_at(place, year, asked.rules);
    let rules = &asked.rules.carry_over;
    let (before, _) = place.season.first_month(year - 1);
    let months = &levels.own.levels;
    let (lag, rise, later) = (rules.peak_lag_months, number(rules.rise_min_m), asked.rules.carry_over_months);
    let mut evidence = Evidence {
        limits: vec![
            told!("every month of the wet season has a level", "ทุกเดือนของฤดูฝนมีระดับน้ำ"),
            told!(
                "the peak lies in the season or at most {lag} months after it",
                "ยอดน้ำอยู่ในฤดูหรือหลังฤดูไม่เกิน {lag} เดือน"
            ),
            told!("a rise is at least {rise} m", "น้ำต้องสูงขึ้นอย่างน้อย {rise} ม."),
            told!("told {later} months after the peak", "บอกค่าหลังยอดน้ำ {later} เดือน"),
        ],
        confidence: told!("1 where there is a number", "1 เมื่อมีค่า"),
        weaknesses: vec![told!(
            "a dry year after a wet one leaves less, bank or no bank: only a comparison well tells the two apart",
            "ปีแล้งหลังปีฝนมากจะเหลือน้ำน้อยไม่ว่ามีบ่อหรือไม่ ต้องเทียบกับบ่อเปรียบเทียบ"
        )],
        ..Evidence::default()
    };
    evidence.use_line(told!("monthly levels, m, up = wetter", "ระดับน้ำรายเดือน (ม. ค่ามากคือน้ำมาก)"));
    evidence.used.extend(points(&level_points(within(months, before, until)), 6, 0));
    if until > place.closed_through {
        let told = told!("months up to {until} must close first", "ต้องรอให้เดือนถึง {until} ปิดก่อน");
        evidence.missing = Some(Missing::new("preliminary", told));
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
    evidence.formulas = left_formulas(&bank, ("left", "ส่วนที่เหลือ"));
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
    evidence.use_line(told!("of the comparison well {name}", "ของบ่อเปรียบเทียบ {name}"));
    evidence.used.extend(points(&level_points(within(months, before, until)), 6, 0));
    let other = season(place, months, year, until, asked.rules).0;
    match (carry_over_beyond(bank, other.as_ref().ok()), &other) {
        (Ok(value), Ok(other)) => {
            evidence.formulas.extend(left_formulas(other, ("left there", "ส่วนที่เหลือที่นั่น")));
            let [left, there, value] = [bank.left, other.left, value].map(number);
            evidence.formulas.push(told!(
                "beyond = left - left there = {left} - {there} = {value}",
                "ส่วนที่มากกว่า = ส่วนที่เหลือ - ส่วนที่เหลือที่นั่น = {left} - {there} = {value}"
            ));
        }
        (_, Err(why)) => {
            let Told { en, th } = (*why).into();
            let told =
                told!("the comparison well {name} has no carry-over: {en}", "บ่อเปรียบเทียบ {name} ไม่มีค่าส่วนที่เหลือ: {th}");
            evidence.missing = Some(Missing::new(NotMeasurable::NoComparisonWell.name(), told));
        }
        (Err(why), _) => evidence.missing = Some(why.into()),
    }
}

/// `name`: of the share, in English and Thai.
fn left_formulas(found: &CarryOver, (name, name_th): (&str, &str)) -> Vec<Told> {
    let (low_month, peak_month) = (found.low_month, found.peak_month);
    let [low, peak, after, left] = [found.low, found.peak, found.after, found.left].map(number);
    vec![
        told!(
            "low = lowest level from the end of the season before to the peak = {low} ({low_month})",
            "ต่ำสุด = ระดับต่ำสุดตั้งแต่ปลายฤดูก่อนถึงยอดน้ำ = {low} ({low_month})"
        ),
        told!("peak = {peak} ({peak_month})", "ยอดน้ำ = {peak} ({peak_month})"),
        told!(
            "{name} = (after - low)/(peak - low) = ({after} - {low})/({peak} - {low}) = {left}",
            "{name_th} = (ระดับหลัง - ต่ำสุด)/(ยอดน้ำ - ต่ำสุด) = ({after} - {low})/({peak} - {low}) = {left}"
        ),
    ]
}
