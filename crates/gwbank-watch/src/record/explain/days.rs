//! Evidence of what is made of daily levels: GxG, and recharge by water-table fluctuation.

use gwbank_indicator::bank::{MonthRecharge, NotMeasurable, Recharge, recharge, smoothed_levels};
use gwbank_indicator::{CountedDay, GxgKind, GxgYear, Sense, gxg};
use gwbank_model::Day;

use super::Asked;
use super::evidence::{Evidence, Missing, lines, plus, side_by_side};
use crate::record::days::{RECHARGE_WTF, upward, whole_years, wtf_well};

pub(super) fn explain(asked: &Asked<'_>) -> Evidence {
    let (sense, days) = asked.closed.levels();
    if days.is_empty() {
        return Evidence::without(Missing::new("no_level", "no closed month has daily levels"));
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
    let taken = match kind {
        GxgKind::Highest => "the three highest (two of 13 to 20 levels, one of fewer)",
        GxgKind::Lowest => "the three lowest (two of 13 to 20 levels, one of fewer)",
        GxgKind::Spring => "those from 14 March to 14 April",
    };
    let mut used = vec![format!("levels on the 14th and 28th, m, up = wetter; of each year {taken}")];
    for year in &with {
        let halves: Vec<String> =
            year.taken.iter().map(|half| format!("{}-{:02} {}", half.month, half.day, half.level)).collect();
        let level = year.level.unwrap_or(f64::NAN);
        used.push(format!("{}  of {} levels: {}; mean {level}", year.year, year.levels, halves.join(", ")));
    }
    let mut evidence = Evidence {
        used,
        limits: vec![
            format!("levels on a 14th or 28th that a year needs: {}", rules.levels_min),
            format!("years with enough: {} of {} needed", with.len(), rules.years_min),
            format!("years are whole; the last began in {last}"),
            format!("a day without a measurement is filled by {:?}", rules.fill),
        ],
        left_out: without
            .iter()
            .map(|year| format!("{}  {} levels, {} are needed", year.year, year.levels, rules.levels_min))
            .collect(),
        confidence: format!(
            "smaller of 1 and n/{} = {}/{}",
            rules.full_confidence_n,
            with.len(),
            rules.full_confidence_n
        ),
        weaknesses: lines([
            "made for the Dutch climate; a trend makes the mean over years one of no year",
            "the nearest measured day may lie days away from the 14th or 28th",
        ]),
        missing: found.mean.why().map(|why| Missing::from(*why)),
        ..Evidence::default()
    };
    if let Some(mean) = found.mean.value() {
        let levels = plus(with.iter().filter_map(|year| year.level));
        evidence.formulas.push(format!("mean of the years = ({levels})/{} = {mean}", with.len()));
    }
    evidence
}

fn of_recharge(asked: &Asked<'_>, sense: Sense, days: &[CountedDay]) -> Evidence {
    let rules = &asked.rules.recharge;
    let levels = upward(days, sense);
    let well = wtf_well(asked.closed.well, sense);
    let mut evidence = Evidence {
        limits: vec![
            format!("share of its days that a month needs: {}", rules.month_share_min),
            format!("gaps of up to {} days are bridged by a straight line", rules.gap_days_max),
            format!(
                "recession: {} recessions and {} windows of {} days at least, the first {} days left out",
                rules.recession.recessions_min,
                rules.recession.windows_min,
                rules.recession.window_days,
                rules.recession.settle_days
            ),
        ],
        confidence: "1 - doubtful days/days".to_owned(),
        weaknesses: lines([
            "steady recharge that equals the recession's mistake is not seen",
            "within a metre of the ground the yield is much smaller; such days are counted, not corrected",
            "a month with less than nothing is the noise of the method",
        ]),
        ..Evidence::default()
    };
    match recharge(&well, &levels, rules) {
        Ok(found) => of_month(asked, &found, &levels, &mut evidence),
        Err(why) => {
            evidence.used.push(format!("{} daily levels", levels.len()));
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
    evidence.used.push(
        "levels, m, up = wetter, as running medians of five days; with the fall of the recession there".to_owned(),
    );
    evidence.used.extend(side_by_side(
        smoothed.iter().map(|(day, level)| format!("{} {level} fall {}", day.date(), curve.fall_m_per_day(*level))),
        2,
    ));
    evidence.formulas.push(format!(
        "fall(h) = larger of 0 and a + b h, a = {} m a day, b = {} a day, from {} windows of {} recessions between {} and {} m",
        curve.at_zero, curve.per_metre, curve.windows, curve.recessions, curve.lowest, curve.highest
    ));
    let Some(month) = found.months.iter().find(|own| own.month == asked.month) else {
        let days = smoothed.iter().filter(|(day, _)| *day < end).count();
        let why = NotMeasurable::LowCoverage {
            covered: days as f64 / f64::from(asked.month.days()),
            needed: rules.month_share_min,
        };
        evidence.left_out.push(format!("{}  {days} of {} days", asked.month, asked.month.days()));
        evidence.missing = Some(why.into());
        return;
    };
    evidence.formulas.extend(month_formulas(asked, month));
    let doubtful = month.near_ground_days.max(month.extrapolated_days);
    evidence.confidence = format!("1 - {doubtful}/{}", month.days);
    evidence.limits.push(format!(
        "doubtful days of {}: {} above the levels at which the recession was seen, {} within a metre of the ground",
        month.days, month.extrapolated_days, month.near_ground_days
    ));
}

fn month_formulas(asked: &Asked<'_>, month: &MonthRecharge) -> Vec<String> {
    let MonthRecharge { change_m, height_m, mm, low_mm, high_mm, .. } = month;
    let specific_yield = asked.closed.well.specific_yield.unwrap_or(f64::NAN);
    vec![
        format!(
            "height = change of the level + sum of the falls = {change_m} + {} = {height_m} m",
            height_m - change_m
        ),
        format!("recharge = specific yield * height * 1000 = {specific_yield} * {height_m} * 1000 = {mm} mm"),
        format!("range by the specific yield alone: {low_mm} to {high_mm} mm"),
    ]
}
