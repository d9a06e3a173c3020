//! Evidence of the water's salinity and its trend, and of what its flags are held against.

use gwbank_indicator::explain::number;
use gwbank_indicator::salinity::{
    Baseline, DailyMedian, SalinityFollower, SalinityStep, SalinityTrend, ScienceClass, Season, SeasonMedian,
    season_medians, season_of, trend,
};
use gwbank_model::{Day, Month, Parameter};
use gwbank_store::DailyValue;

use super::Asked;
use super::days::smaller_of;
use super::evidence::{Evidence, Missing, Told, told};
use super::names::class_thai;
use crate::place_standing::median;
use crate::record::RecordRules;
use crate::record::closed::Closed;
use crate::record::salinity::{
    self, EcDay, FULL_DAYS, FULL_SEASONS, SALINITY_CLASS, SEASON_DAYS_MIN, TREND_WET, recharge_days, sen_by_year,
};

/// Days on each side of a change of severity whose medians are listed.
const AROUND_CHANGE_DAYS: i32 = 7;

/// Of the closed months.
pub(super) fn ec_days(closed: &Closed<'_>, rules: &RecordRules) -> Vec<EcDay> {
    let source = salinity::source(&closed.days);
    source.map(|source| salinity::ec_days(&closed.days, source, &rules.salinity)).unwrap_or_default()
}

pub(super) fn explain(asked: &Asked<'_>) -> Evidence {
    let days = ec_days(asked.closed, asked.rules);
    let Some(source) = salinity::source(&asked.closed.days) else {
        let told =
            told!("the well measures no conductivity and no dissolved solids", "บ่อนี้ไม่วัดความนำไฟฟ้าและของแข็งละลายน้ำ");
        return Evidence::without(Missing::new("not_measured", told));
    };
    let mut evidence =
        if asked.indicator == SALINITY_CLASS { of_month(asked, &days) } else { of_seasons(asked, &days) };
    evidence.limits.push(followed_by(source, asked.rules));
    evidence.left_out.extend(unused(&asked.closed.days, &days, source));
    evidence
}

fn followed_by(source: Parameter, rules: &RecordRules) -> Told {
    match source {
        Parameter::ElectricalConductivity => told!(
            "conductivity at 25 °C = measured/(1 + 0.0191 (T - 25)), T the day's mean temperature",
            "ความนำไฟฟ้าที่ 25 °C = ค่าที่วัด/(1 + 0.0191 (T - 25)) โดย T คืออุณหภูมิเฉลี่ยของวัน"
        ),
        Parameter::TotalDissolvedSolids => {
            let factor = number(rules.salinity.factor.value());
            told!("conductivity at 25 °C = dissolved solids/{factor}", "ความนำไฟฟ้าที่ 25 °C = ของแข็งละลายน้ำ/{factor}")
        }
        _ => told!("followed by {source}, of which it has most days", "ใช้ความนำไฟฟ้าที่ 25 °C ซึ่งมีข้อมูลมากวันที่สุด"),
    }
}

/// Days that were measured and say nothing, month by month.
fn unused(measured: &[DailyValue], days: &[EcDay], source: Parameter) -> Vec<Told> {
    let is_used = |day: Day| days.binary_search_by_key(&day, |ec| ec.median.day).is_ok();
    let of_source = measured.iter().filter(|day| day.parameter == source && day.median.is_some());
    let unused: Vec<Day> = of_source.map(|day| day.day).filter(|day| !is_used(*day)).collect();
    let of_month = |days: &[Day]| {
        let (month, count, first) = (days[0].month(), days.len(), days[0].date());
        told!(
            "{month}  {count} days from {first} on: {source} without a water temperature, or no value that can be",
            "{month}  {count} วัน เริ่ม {first} ไม่มีอุณหภูมิน้ำ หรือค่าเป็นไปไม่ได้"
        )
    };
    unused.chunk_by(|a, b| a.month() == b.month()).map(of_month).collect()
}

fn of_month(asked: &Asked<'_>, days: &[EcDay]) -> Evidence {
    let own: Vec<DailyMedian> =
        days.iter().map(|day| day.median).filter(|day| day.day.month() == asked.month).collect();
    let count = own.len();
    let mut evidence = Evidence {
        limits: vec![told!(
            "fresh < 1000, slightly_saline < 3000, moderately_saline < 10000, very_saline < 35000 mg/L, then brine",
            "จืด < 1000, เค็มเล็กน้อย < 3000, เค็มปานกลาง < 10000, เค็มมาก < 35000 มก./ล. มากกว่านั้นคือน้ำเกลือ"
        )],
        confidence: smaller_of("days", count, FULL_DAYS),
        weaknesses: vec![told!(
            "the factor lies between 0.55 and 0.75 in natural waters, and nobody has analysed this one",
            "ตัวคูณของน้ำธรรมชาติอยู่ระหว่าง 0.55 ถึง 0.75 และยังไม่มีใครวิเคราะห์น้ำบ่อนี้"
        )],
        ..Evidence::default()
    };
    evidence.use_line(told!(
        "medians of {count} days, conductivity at 25 °C, µS/cm",
        "มัธยฐานรายวัน {count} วัน ความนำไฟฟ้าที่ 25 °C (µS/cm)"
    ));
    evidence.use_cells(own.iter().map(median_cell), 5);
    held_against(asked, days, &mut evidence);
    let mut values: Vec<f64> = own.iter().map(|day| day.value).collect();
    let factor = asked.rules.salinity.factor;
    match median(&mut values).and_then(|ec| Some((ec, factor.tds_mg_l(ec)?))) {
        Some((ec, tds)) => {
            let class = ScienceClass::of_tds(tds).map_or("none", ScienceClass::name);
            let class_th = class_thai(class);
            let [ec, tds, factor] = [ec, tds, factor.value()].map(number);
            evidence.formulas = vec![
                told!("median of the {count} days = {ec}", "มัธยฐานของ {count} วัน = {ec}"),
                told!(
                    "dissolved solids = factor * conductivity = {factor} * {ec} = {tds} mg/L: {class}",
                    "ของแข็งละลายน้ำ = ตัวคูณ * ความนำไฟฟ้า = {factor} * {ec} = {tds} มก./ล. ({class_th})"
                ),
            ];
        }
        None => {
            let month = asked.month;
            let told = told!("no day of {month} has a conductivity", "ไม่มีวันใดของ {month} ที่มีความนำไฟฟ้า");
            evidence.missing = Some(Missing::new("no_data", told));
        }
    }
    evidence
}

fn median_cell(day: &DailyMedian) -> String {
    format!("{} {}", day.day.date(), number(day.value))
}

/// What salinity flags are held against at the end of the month: the baseline, the last median, and the last change.
fn held_against(asked: &Asked<'_>, days: &[EcDay], evidence: &mut Evidence) {
    let rules = &asked.rules.salinity;
    let wet = asked.closed.place().season;
    let end = asked.month.plus(1).first_day();
    let until: Vec<DailyMedian> = days.iter().map(|day| day.median).take_while(|day| day.day < end).collect();
    let fills = crate::wells::kind(asked.closed.well).fills_by_design();
    let recharges = recharge_days(&asked.closed.days, fills, asked.rules.fill.rise_min_m);
    let follower = SalinityFollower::of_record(wet, &until, &recharges, None, rules);
    let Some(now) = follower.track().now else { return };
    let (last, ec, window) = (now.day.date(), number(now.ec_25), follower.window_days());
    evidence.use_line(told!(
        "flags follow the median of the last {window} days: {ec} on {last}",
        "การแจ้งสถานะใช้มัธยฐานของ {window} วันล่าสุด: {ec} เมื่อ {last}"
    ));
    match now.baseline {
        Some(baseline) => {
            evidence.use_line(baseline_told(asked, &until, now.day, baseline));
            let rise = number((now.ec_25 / baseline.ec_25 - 1.0) * 100.0);
            let usual = number(baseline.ec_25);
            evidence.use_line(told!(
                "rise against it = 100 ({ec}/{usual} - 1) = {rise} %",
                "เพิ่มขึ้นจากค่านั้น = 100 ({ec}/{usual} - 1) = {rise} %"
            ));
        }
        None => {
            let needed = rules.baseline_values_min;
            evidence.use_line(told!(
                "no baseline: fewer than {needed} days of earlier years in this season",
                "ยังไม่มีค่าอ้างอิง: ปีก่อน ๆ ของฤดูนี้มีไม่ถึง {needed} วัน"
            ));
        }
    }
    if let Some(step) = follower.track().steps.last() {
        last_change(step, &until, window, evidence);
    }
}

fn baseline_told(asked: &Asked<'_>, days: &[DailyMedian], at: Day, baseline: Baseline) -> Told {
    let wet = asked.closed.place().season;
    let (season, year) = season_of(wet, at.month());
    let is_earlier = |month: Month| {
        let (own, began) = season_of(wet, month);
        own == season && began < year
    };
    let mut window = days.iter().map(|day| day.day).filter(|day| is_earlier(day.month()));
    let first = window.next();
    let last = window.next_back().or(first).map_or(String::new(), |day| day.date().to_string());
    let first = first.map_or(String::new(), |day| day.date().to_string());
    let (name, name_th) = season_names(season);
    let (ec, count) = (number(baseline.ec_25), baseline.values);
    told!(
        "baseline: median of {count} days of the earlier {name} seasons, {first} to {last} = {ec}",
        "ค่าอ้างอิง: มัธยฐานของ {count} วันใน{name_th}ของปีก่อน ๆ ตั้งแต่ {first} ถึง {last} = {ec}"
    )
}

fn season_names(season: Season) -> (&'static str, &'static str) {
    match season {
        Season::Wet => ("wet", "ฤดูฝน"),
        Season::Dry => ("dry", "ฤดูแล้ง"),
    }
}

fn last_change(step: &SalinityStep, days: &[DailyMedian], window_days: i64, evidence: &mut Evidence) {
    let name = |severity: Option<gwbank_model::condition::Severity>| severity.map_or("none", |own| own.name());
    let (from, to, day, ec) = (name(step.from), name(step.to), step.day.date(), number(step.ec_25));
    let (from_th, to_th) = (class_thai(from), class_thai(to));
    let limit = step.met.map_or("-".to_owned(), |met| number(met.limit_us_cm));
    evidence.use_line(told!(
        "last change of severity: {from} to {to} on {day}, median {ec}, limit {limit}; medians of {window_days} days around it:",
        "การเปลี่ยนระดับครั้งล่าสุด: {from_th} เป็น {to_th} เมื่อ {day} มัธยฐาน {ec} เกณฑ์ {limit} มัธยฐานของ {window_days} วันรอบวันนั้น:"
    ));
    let near = |day: &&DailyMedian| (day.day.0 - step.day.0).abs() <= AROUND_CHANGE_DAYS;
    let of_window = |at: &DailyMedian| {
        let reaches =
            |day: &&DailyMedian| day.day <= at.day && i64::from(at.day.0) - i64::from(day.day.0) < window_days;
        let mut values: Vec<f64> = days.iter().filter(reaches).map(|day| day.value).collect();
        format!("{} {}", at.day.date(), median(&mut values).map_or("-".to_owned(), number))
    };
    evidence.use_cells(days.iter().filter(near).map(of_window), 5);
}

fn of_seasons(asked: &Asked<'_>, days: &[EcDay]) -> Evidence {
    let medians: Vec<DailyMedian> = days.iter().map(|day| day.median).collect();
    let season = if asked.indicator == TREND_WET { Season::Wet } else { Season::Dry };
    let wet = asked.closed.place().season;
    let of_season = |days_min: usize| -> Vec<SeasonMedian> {
        season_medians(&medians, wet, days_min).into_iter().filter(|found| found.season == season).collect()
    };
    let (all, found) = (of_season(1), of_season(SEASON_DAYS_MIN));
    let (name, name_th) = season_names(season);
    let (count, needed) = (found.len(), SalinityTrend::SEASONS_MIN);
    let mut evidence = Evidence {
        limits: vec![
            told!("seasons with a median: {count} of {needed} needed", "จำนวนฤดูที่มีมัธยฐาน: {count} ต้องมี {needed}"),
            told!("days that a season takes: {SEASON_DAYS_MIN}", "จำนวนวันที่แต่ละฤดูต้องมี: {SEASON_DAYS_MIN}"),
        ],
        left_out: all.iter().filter(|own| own.days < SEASON_DAYS_MIN).map(too_few_days).collect(),
        confidence: smaller_of("seasons", count, FULL_SEASONS),
        weaknesses: vec![told!(
            "a salt front that comes and goes within a season is a level, not a trend",
            "น้ำเค็มที่มาแล้วไปภายในฤดูเดียวเป็นระดับ ไม่ใช่แนวโน้ม"
        )],
        ..Evidence::default()
    };
    evidence.use_line(told!(
        "median of each {name} season by the year in which it began, µS/cm at 25 °C, and its days in brackets",
        "มัธยฐานของแต่ละ{name_th}ตามปีที่เริ่ม (µS/cm ที่ 25 °C) ในวงเล็บคือจำนวนวัน"
    ));
    evidence.use_cells(found.iter().map(|own| format!("{} {} ({})", own.year, number(own.value), own.days)), 4);
    let slopes = trend(&found, sen_by_year);
    match if season == Season::Wet { slopes.wet_per_year } else { slopes.dry_per_year } {
        Some(slope) => {
            let (pairs, slope) = (found.len() * (found.len() - 1) / 2, number(slope));
            evidence.formulas.push(told!(
                "median of (later - earlier)/years over {pairs} pairs of seasons = {slope}",
                "มัธยฐานของ (ค่าหลัง - ค่าก่อน)/ปี จาก {pairs} คู่ของฤดู = {slope}"
            ));
        }
        None => {
            let told = told!("{count} seasons, {needed} are needed", "มี {count} ฤดู ต้องมี {needed} ฤดู");
            evidence.missing = Some(Missing::new("insufficient_record", told));
        }
    }
    evidence
}

fn too_few_days(season: &SeasonMedian) -> Told {
    let (year, days) = (season.year, season.days);
    told!("{year}  {days} days, {SEASON_DAYS_MIN} are needed", "{year}  มี {days} วัน ต้องมี {SEASON_DAYS_MIN} วัน")
}
