//! Evidence of SPI.

use std::collections::BTreeMap;

use gwbank_indicator::explain::number;
use gwbank_indicator::{
    CountedRain, CountedRainDay, GammaFit, MonthSpi, SPI_TIMESCALES, SpiRules, monthly_counted_rain, spi_with_basis,
};
use gwbank_model::{Month, Parameter};

use super::Asked;
use super::days::smaller_of;
use super::evidence::{Evidence, Missing, Told, told};
use crate::record::rain::INDICATORS;

pub(super) fn explain(asked: &Asked<'_>) -> Evidence {
    let scale = INDICATORS.iter().zip(SPI_TIMESCALES).find(|(name, _)| **name == asked.indicator);
    let Some((_, timescale)) = scale else { return Evidence::default() };
    let days = asked.closed.rain_days();
    if days.is_empty() {
        return Evidence::without(Missing::new("not_measured", told!("the well measures no rain", "บ่อนี้ไม่วัดฝน")));
    }
    let rules = SpiRules::of_timescale(timescale);
    let months = monthly_counted_rain(&days);
    let found = spi_with_basis(&months, &rules);
    let (first, last) = (asked.month.plus(1 - timescale as i32), asked.month);
    let window: Vec<&CountedRain> =
        months.iter().filter(|month| month.rain.month >= first && month.rain.month <= last).collect();
    let group: Vec<&MonthSpi> =
        found.iter().filter(|own| own.month.month_of_year() == asked.month.month_of_year()).collect();
    let (n, needed) = (group.len(), rules.years_min);
    let mut evidence = Evidence {
        limits: vec![
            told!("years with this calendar month: {n} of {needed} needed", "จำนวนปีที่มีเดือนนี้: {n} ต้องมี {needed}"),
            told!(
                "a month counts with a value on every day, a sum with all of its months",
                "เดือนนับเมื่อมีค่าทุกวัน ผลรวมนับเมื่อมีครบทุกเดือน"
            ),
            told!(
                "<= -2 extremely, <= -1.5 severely, <= -1 moderately dry; mirrored for wet",
                "<= -2 แล้งมากที่สุด <= -1.5 แล้งมาก <= -1 แล้งปานกลาง ด้านฝนมากใช้เกณฑ์เดียวกัน"
            ),
        ],
        left_out: incomplete(&days),
        confidence: smaller_of("n", n, rules.full_confidence_n),
        weaknesses: vec![
            told!(
                "in dry months with many zeros their share bounds the index from below: take 3 months and more",
                "ในเดือนแล้งที่ฝนเป็นศูนย์หลายปี ดัชนีจะต่ำได้จำกัด ควรใช้ 3 เดือนขึ้นไป"
            ),
            told!("no allowance is made for a trend of the rain", "ไม่ได้เผื่อแนวโน้มของฝน"),
        ],
        ..Evidence::default()
    };
    let (by, by_th) = if asked.closed.days.iter().any(|day| day.parameter == Parameter::Rainfall) {
        ("rainfall", "ฝน")
    } else {
        ("rainfall_total", "มาตรวัดฝนสะสม")
    };
    evidence.use_line(told!("rain of {first} to {last}, mm, by {by}", "ฝนตั้งแต่ {first} ถึง {last} (มม.) จาก{by_th}"));
    let of_month = |month: &&CountedRain| format!("{} {}", month.rain.month, number(month.rain.millimetres));
    evidence.use_cells(window.iter().map(of_month), 6);
    evidence.use_line(told!(
        "sums of {timescale} months up to this calendar month, {n} years",
        "ผลรวม {timescale} เดือนที่สิ้นสุดในเดือนเดียวกัน {n} ปี"
    ));
    evidence.use_cells(group.iter().map(|own| format!("{} {}", own.month, number(own.sum_millimetres))), 6);
    match found.iter().find(|own| own.month == asked.month) {
        None => {
            let whole = window.len();
            let told = told!("{whole} of {timescale} months of rain are whole", "ฝนครบ {whole} จาก {timescale} เดือน");
            evidence.missing = Some(Missing::new("insufficient_coverage", told));
        }
        Some(own) => {
            evidence.missing = own.spi.why().map(|why| Missing::from(*why));
            if let (Some(fit), Some(value)) = (own.fit, own.spi.value()) {
                evidence.formulas = formulas(own, &fit, *value, &group);
            }
        }
    }
    evidence
}

fn formulas(own: &MonthSpi, fit: &GammaFit, value: f64, group: &[&MonthSpi]) -> Vec<Told> {
    let zeros = group.iter().filter(|other| other.sum_millimetres <= 0.0).count();
    let probability = fit.probability(own.sum_millimetres);
    let by_more = own.sum_millimetres > 0.0 && probability.more < 0.5;
    let (n, positive) = (group.len(), group.len() - zeros);
    let [sum, share, shape, scale, at_most, more, value] =
        [own.sum_millimetres, fit.zero_share, fit.shape, fit.scale, probability.at_most, probability.more, value]
            .map(number);
    vec![
        told!("share of zeros p0 = {zeros}/{n} = {share}", "สัดส่วนปีที่ไม่มีฝน p0 = {zeros}/{n} = {share}"),
        told!(
            "gamma of the {positive} positive sums by maximum likelihood: shape {shape}, scale = mean/shape = {scale}",
            "การแจกแจงแกมมาของ {positive} ผลรวมที่มากกว่าศูนย์ (ภาวะน่าจะเป็นสูงสุด): รูปร่าง {shape} มาตราส่วน = \
             ค่าเฉลี่ย/รูปร่าง = {scale}"
        ),
        told!(
            "p = p0 + (1 - p0) G(sum) with sum = {sum}: p = {at_most}, 1 - p = {more}",
            "p = p0 + (1 - p0) G(ผลรวม) โดยผลรวม = {sum}: p = {at_most}, 1 - p = {more}"
        ),
        if by_more {
            told!(
                "SPI = - inverse normal of 1 - p = - inverse normal of {more} = {value}",
                "SPI = - ส่วนกลับของการแจกแจงปกติที่ 1 - p = - ส่วนกลับที่ {more} = {value}"
            )
        } else {
            told!(
                "SPI = inverse normal of p = inverse normal of {at_most} = {value}",
                "SPI = ส่วนกลับของการแจกแจงปกติที่ p = ส่วนกลับที่ {at_most} = {value}"
            )
        },
    ]
}

/// Months with rain on some days only.
fn incomplete(days: &[CountedRainDay]) -> Vec<Told> {
    let mut months: BTreeMap<Month, u32> = BTreeMap::new();
    for day in days {
        *months.entry(day.day.month()).or_default() += 1;
    }
    let thin = months.into_iter().filter(|(month, days)| *days < month.days());
    thin.map(|(month, days)| {
        let of = month.days();
        told!("{month}  {days} of {of} days", "{month}  มี {days} จาก {of} วัน")
    })
    .collect()
}
