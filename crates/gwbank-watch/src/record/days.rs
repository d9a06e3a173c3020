//! From daily levels: GxG, and recharge by water-table fluctuation.

use gwbank_indicator::bank::{Confinement, NotMeasurable, SpecificYield, WtfWell, recharge};
use gwbank_indicator::{CountedDay, Sense, ValueCounts, YearStart, gxg};
use gwbank_model::{Day, Month};
use gwbank_registry::{AquiferCondition, BankType, Well};

use super::{RecordRow, RecordRules, not_measurable};
use crate::rows::Cell;
use crate::wells;

pub(super) const RECHARGE_WTF: &str = "recharge_wtf";

pub(super) const INDICATORS: [&str; 4] = ["ghg", "glg", "gvg", RECHARGE_WTF];

/// Above this height below the ground pores hold water already and the method fails.
const NEAR_GROUND_M: f64 = 1.0;

/// Days are closed and in order of time.
pub(super) fn rows(
    well: &Well,
    sense: Sense,
    days: &[CountedDay],
    closed_through: Month,
    rules: &RecordRules,
) -> Vec<RecordRow> {
    let mut rows = Vec::new();
    if days.is_empty() {
        return rows;
    }
    for (kind, rules) in &rules.gxg {
        let (last, whole) = whole_years(days, rules.year_start, closed_through);
        if !whole.is_empty() {
            let mean = gxg(whole, sense, *kind, rules).mean;
            rows.push(RecordRow::assessed(kind.name(), last, &mean, None));
        }
    }
    if well.bank_type == BankType::Observation {
        recharges(well, sense, days, closed_through, rules, &mut rows);
    }
    rows
}

/// The last whole year, and the days through it: a number that moves on with each month would be of no year.
pub(super) fn whole_years(days: &[CountedDay], start: YearStart, closed_through: Month) -> (Month, &[CountedDay]) {
    let last = last_whole_year(start, closed_through);
    let end = last.plus(12).first_day();
    (last, &days[..days.partition_point(|day| day.level.day < end)])
}

/// The first month of the last year of which every month has closed.
fn last_whole_year(start: YearStart, closed_through: Month) -> Month {
    let year = start.year_of(closed_through.plus(1));
    Month::new(year - 1, start.first_month_of_year())
}

fn recharges(
    well: &Well,
    sense: Sense,
    days: &[CountedDay],
    closed_through: Month,
    rules: &RecordRules,
    rows: &mut Vec<RecordRow>,
) {
    let levels = upward(days, sense);
    let of = wtf_well(well, sense);
    let found = match recharge(&of, &levels, &rules.recharge) {
        Ok(found) => found,
        Err(NotMeasurable::NoObservationWell) => return,
        Err(why) => {
            // It says so once a year: for this no month's days are read.
            let year = last_whole_year(YearStart::April, closed_through);
            rows.push(RecordRow::of_month(RECHARGE_WTF, year, not_measurable(why)));
            return;
        }
    };
    let years = levels.len() as f64 / 365.25;
    for month in &found.months {
        let (from, to) = (month.month.first_day(), month.month.plus(1).first_day());
        let of_month = &days[days.partition_point(|day| day.level.day < from)..];
        let counts = of_month.iter().take_while(|day| day.level.day < to);
        let counts = counts.fold(ValueCounts::NONE, |sum, day| sum.union(day.counts));
        let doubtful = f64::from(month.near_ground_days.max(month.extrapolated_days));
        let confidence = (1.0 - doubtful / f64::from(month.days.max(1))).clamp(0.0, 1.0);
        let basis = gwbank_indicator::Basis { n: month.days, years, confidence, ..gwbank_indicator::Basis::NOTHING };
        let class = match () {
            () if month.near_ground_days > 0 => Some("near_ground"),
            () if month.extrapolated_days > 0 => Some("extrapolated"),
            () => None,
        };
        let cell = Cell { value: Some(month.mm), class, basis: Some(basis.resting_on(counts)) };
        rows.push(RecordRow::of_month(RECHARGE_WTF, month.month, cell));
    }
}

/// Daily levels, m, up = wetter.
pub(super) fn upward(days: &[CountedDay], sense: Sense) -> Vec<(Day, f64)> {
    days.iter().filter_map(|day| Some((day.level.day, sense.upward(day.level.mean?)))).collect()
}

pub(super) fn wtf_well(well: &Well, sense: Sense) -> WtfWell {
    let near_ground_level = match sense {
        Sense::Depth => Some(-NEAR_GROUND_M),
        Sense::Elevation => well.ground_elevation.map(|ground| ground - NEAR_GROUND_M),
    };
    WtfWell {
        kind: wells::kind(well),
        confinement: well.aquifer_condition.map(confinement),
        specific_yield: well.specific_yield.and_then(SpecificYield::registered),
        near_ground_level,
    }
}

fn confinement(condition: AquiferCondition) -> Confinement {
    match condition {
        AquiferCondition::Unconfined => Confinement::Unconfined,
        AquiferCondition::SemiConfined => Confinement::SemiConfined,
        AquiferCondition::Confined => Confinement::Confined,
    }
}

/// Whether the numbers of the days move on when this month closes.
pub(super) fn move_on_with(well: &Well, closed_through: Month, rules: &RecordRules) -> bool {
    let ends_a_year = |start: YearStart| closed_through.plus(1).month_of_year() == start.first_month_of_year();
    has_recharge(well)
        || ends_a_year(YearStart::April)
        || rules.gxg.iter().any(|(_, rules)| ends_a_year(rules.year_start))
}

/// Whether other levels in a closed month change them: those of a year that is not over touch the recharge alone.
pub(super) fn rest_on(well: &Well, month: Month, closed_through: Month, rules: &RecordRules) -> bool {
    let in_a_whole_year = |start: YearStart| month < last_whole_year(start, closed_through).plus(12);
    has_recharge(well) || rules.gxg.iter().any(|(_, rules)| in_a_whole_year(rules.year_start))
}

fn has_recharge(well: &Well) -> bool {
    well.bank_type == BankType::Observation
        && !well.influenced
        && well.specific_yield.is_some()
        && well.aquifer_condition == Some(AquiferCondition::Unconfined)
}
