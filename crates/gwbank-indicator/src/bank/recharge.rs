//! Recharge by water-table fluctuation: what a rise of the water table says of the water that came.
//!
//! # Method
//! `R = Sy · Δh`, Δh being the height of the level above where its own recession would have taken it. It is taken day by
//! day: `R(day) = Sy · (h₂ − h₁ + fall(h))`, the fall being that of the [master recession](super::master_recession) at the
//! mean of the two levels. Summed over a rise this is the height of the peak above the extrapolated recession, plus what
//! ran off again before the peak. mm; Sy without unit; levels in metres, up = wetter.
//!
//! Healy and Cook 2002 (Hydrogeology Journal 10, 91–109) for the method; Heppner and Nimmo 2005 for the master recession
//! in it.
//!
//! # Rules
//! 1. Only unconfined observation wells that no pumping influences, with a registered specific yield.
//! 2. Gaps of up to a week are bridged by a straight line; a month that then has fewer than nine tenths of its days has no
//!    figure.
//! 3. Months are net: a month with less than nothing is the noise of the method and is left as it is, so that sums are not
//!    too large.
//! 4. The range is that of the specific yield alone.
//!
//! # Known weaknesses
//! Steady recharge that equals the recession's mistake is not seen. Where the water stands within a metre of the ground,
//! pores hold water already, seepage drains it, and the yield is much smaller: such days are counted, not corrected. Air
//! caught under rain (Lisse effect) is taken for recharge.

use gwbank_model::{Day, Month};

use super::NotMeasurable;
use super::recession::{MasterRecession, RecessionRules, fit, smoothed_levels};
use crate::kind::{Bank, WellKind};

/// Whether the aquifer is under pressure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confinement {
    Unconfined,
    SemiConfined,
    Confined,
}

/// The share of the aquifer's volume that drains, with what it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpecificYield {
    best: f64,
    low: f64,
    high: f64,
}

impl SpecificYield {
    /// Half of the range, relative, where only one figure is registered: it spans what samples of one texture have
    /// (medium sand 0.15–0.32 around 0.26; Johnson 1967, USGS WSP 1662-D) **(check)**.
    pub const USUAL_RANGE: f64 = 0.35;

    /// `None` unless 0 < low ≤ best ≤ high ≤ 0.5: no aquifer drains more than half of its volume.
    pub fn try_new(low: f64, best: f64, high: f64) -> Option<Self> {
        (0.0 < low && low <= best && best <= high && high <= 0.5).then_some(Self { best, low, high })
    }

    pub const fn best(self) -> f64 {
        self.best
    }

    /// Of one registered figure, with the usual range.
    ///
    /// ```
    /// use gwbank_indicator::bank::SpecificYield;
    /// assert!(SpecificYield::registered(0.1).is_some());
    /// assert!(SpecificYield::registered(10.0).is_none(), "a percentage");
    /// ```
    pub fn registered(best: f64) -> Option<Self> {
        let high = (best * (1.0 + Self::USUAL_RANGE)).min(0.5);
        Self::try_new(best * (1.0 - Self::USUAL_RANGE), best, high)
    }
}

/// What must be known of a well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WtfWell {
    pub kind: WellKind,
    pub confinement: Option<Confinement>,
    pub specific_yield: Option<SpecificYield>,
    /// The level (in the sense of the levels given) of the ground less a metre: above it the method fails.
    pub near_ground_level: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RechargeRules {
    pub recession: RecessionRules,
    pub gap_days_max: i32,
    /// Share of a month's days that it needs.
    pub month_share_min: f64,
}

impl Default for RechargeRules {
    fn default() -> Self {
        Self { recession: RecessionRules::default(), gap_days_max: 7, month_share_min: 0.9 }
    }
}

/// Recharge of one month, mm over the aquifer's area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthRecharge {
    pub month: Month,
    pub mm: f64,
    /// With the smallest and the largest specific yield.
    pub low_mm: f64,
    pub high_mm: f64,
    /// By how much the level changed, and how far it then stood above where its recession would have taken it; m.
    pub change_m: f64,
    pub height_m: f64,
    pub days: u32,
    /// Days above the levels at which the recession was seen: its line was extended.
    pub extrapolated_days: u32,
    /// Days within a metre of the ground: the month is not to be relied on.
    pub near_ground_days: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Recharge {
    pub recession: MasterRecession,
    /// Those with enough days, in order of time.
    pub months: Vec<MonthRecharge>,
}

impl Recharge {
    /// Sum over the months from `first` on, `count` of them; `None` where one is absent.
    pub fn total_mm(&self, first: Month, count: i32) -> Option<f64> {
        let of = |month: Month| self.months.iter().find(|m| m.month == month).map(|m| m.mm);
        (0..count.max(0)).map(|offset| of(first.plus(offset))).sum()
    }
}

/// Monthly recharge of a well from its daily levels.
///
/// - **Formula**: `R = Sy · Σ (h₂ − h₁ + fall(h))` over the days of the month, the fall being that of the
///   [master recession](super::master_recession); its range with the smallest and the largest Sy.
/// - **Unit**: levels in m, up = wetter; recharge in mm over the aquifer's area; Sy without unit. **Shape**: levels in any order;
///   gaps of at most a week are bridged.
/// - **Source**: Healy & Cook 2002 (Hydrogeology Journal 10, 91–109); Heppner & Nimmo 2005 for the recession in it.
/// - **Limits**: unconfined observation wells without pumping and with a registered Sy, else [`NotMeasurable`]; nine tenths of a
///   month's days ([`RechargeRules`]).
/// - **Weak**: steady recharge that equals the recession's mistake is not seen; near the ground Sy is smaller than registered;
///   air caught under rain looks like recharge. The range is that of Sy alone.
///
/// ```
/// use gwbank_indicator::{Bank, WellKind, bank::*};
/// use gwbank_model::Day;
/// // A reservoir with a constant of 100 days and a yield of 0.1 that gets 3 mm a day for 60 days of each year.
/// let mut level = -8.0;
/// let levels: Vec<(Day, f64)> = (0..1461)
///     .map(|day| {
///         level = -8.0 + (level + 8.0) * (-0.01f64).exp() + if day % 365 < 60 { 0.03 } else { 0.0 };
///         (Day(day), level)
///     })
///     .collect();
/// let mut well = WtfWell {
///     kind: WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false },
///     confinement: Some(Confinement::Unconfined),
///     specific_yield: SpecificYield::registered(0.1),
///     near_ground_level: None,
/// };
/// let found = recharge(&well, &levels, &RechargeRules::default()).unwrap();
/// let year = found.total_mm(found.months[1].month.plus(10), 12).unwrap();
/// assert!((year - 180.0).abs() < 4.0, "{year}");
/// well.confinement = Some(Confinement::Confined);
/// assert_eq!(recharge(&well, &levels, &RechargeRules::default()), Err(NotMeasurable::Confined));
/// ```
pub fn recharge(well: &WtfWell, levels: &[(Day, f64)], rules: &RechargeRules) -> Result<Recharge, NotMeasurable> {
    let specific_yield = measurable(well)?;
    let smoothed = smoothed_levels(levels, &rules.recession);
    let recession = fit(&smoothed, &rules.recession)?;
    // In order of time, each with its first day of the next month.
    let mut by_month: Vec<(Month, i32, Rise)> = Vec::new();
    for pair in smoothed.windows(2) {
        let days = i64::from(pair[1].0.0) - i64::from(pair[0].0.0);
        if days > i64::from(rules.gap_days_max.max(1)) {
            continue;
        }
        let step = (pair[1].1 - pair[0].1) / days as f64;
        for day in 0..days as i32 {
            let level = pair[0].1 + step * (f64::from(day) + 0.5);
            let day = pair[0].0.0.saturating_add(day);
            if by_month.last().is_none_or(|(_, end, _)| day >= *end) {
                let month = Day(day).month();
                by_month.push((month, month.plus(1).first_day().0, Rise::default()));
            }
            let Some((_, _, rise)) = by_month.last_mut() else { continue };
            rise.change_m += step;
            rise.height_m += step + recession.fall_m_per_day(level);
            rise.days += 1;
            rise.extrapolated_days += u32::from(level > recession.highest);
            rise.near_ground_days += u32::from(well.near_ground_level.is_some_and(|limit| level > limit));
        }
    }
    let whole = |month: &Month, rise: &Rise| f64::from(rise.days) >= rules.month_share_min * f64::from(month.days());
    let months = by_month.into_iter().filter(|(month, _, rise)| whole(month, rise)).map(|(month, _, rise)| {
        let mm = |specific_yield: f64| specific_yield * rise.height_m * 1000.0;
        let ends = [mm(specific_yield.low), mm(specific_yield.high)];
        MonthRecharge {
            month,
            mm: mm(specific_yield.best),
            low_mm: ends[0].min(ends[1]),
            high_mm: ends[0].max(ends[1]),
            change_m: rise.change_m,
            height_m: rise.height_m,
            days: rise.days,
            extrapolated_days: rise.extrapolated_days,
            near_ground_days: rise.near_ground_days,
        }
    });
    Ok(Recharge { recession, months: months.collect() })
}

fn measurable(well: &WtfWell) -> Result<SpecificYield, NotMeasurable> {
    if well.kind.bank != Bank::Observation {
        return Err(NotMeasurable::NoObservationWell);
    }
    if well.kind.influenced {
        return Err(NotMeasurable::Influenced);
    }
    match well.confinement {
        None => return Err(NotMeasurable::NoAquiferCondition),
        Some(Confinement::Confined | Confinement::SemiConfined) => return Err(NotMeasurable::Confined),
        Some(Confinement::Unconfined) => {}
    }
    well.specific_yield.ok_or(NotMeasurable::NoSpecificYield)
}

#[derive(Default)]
struct Rise {
    change_m: f64,
    height_m: f64,
    days: u32,
    extrapolated_days: u32,
    near_ground_days: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WELL: WtfWell = WtfWell {
        kind: WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false },
        confinement: Some(Confinement::Unconfined),
        specific_yield: Some(SpecificYield { best: 0.1, low: 0.05, high: 0.2 }),
        near_ground_level: Some(-1.0),
    };

    /// Years of a linear reservoir that gets so many m a day at the start of each year.
    fn levels(rise_m: f64, years: i32) -> Vec<(Day, f64)> {
        let mut level = -8.0;
        (0..365 * years)
            .map(|day| {
                level = -8.0 + (level + 8.0) * (-0.008f64).exp() + if day % 365 < 50 { rise_m } else { 0.0 };
                (Day(day), level)
            })
            .collect()
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let of = |well: WtfWell| recharge(&well, &levels(0.03, 4), &RechargeRules::default()).map(|_| ());
        let kind = WellKind { bank: Bank::Open, ..WELL.kind };
        assert_eq!(of(WtfWell { kind, ..WELL }), Err(NotMeasurable::NoObservationWell));
        let kind = WellKind { influenced: true, ..WELL.kind };
        assert_eq!(of(WtfWell { kind, ..WELL }), Err(NotMeasurable::Influenced));
        assert_eq!(of(WtfWell { confinement: None, ..WELL }), Err(NotMeasurable::NoAquiferCondition));
        assert_eq!(of(WtfWell { specific_yield: None, ..WELL }), Err(NotMeasurable::NoSpecificYield));
        assert_eq!(of(WELL), Ok(()));
        assert_eq!(SpecificYield::try_new(f64::NAN, 0.1, 0.2), None);
    }

    #[test]
    fn a_month_without_most_of_its_days_has_no_figure() {
        let mut found = levels(0.03, 4);
        let month = Day(800).month();
        let first = month.first_day().0;
        found.retain(|(day, _)| !(first + 5..first + 15).contains(&day.0));
        let of = recharge(&WELL, &found, &RechargeRules::default()).unwrap();
        assert!(of.months.iter().all(|m| m.month != month));
        assert_eq!(of.total_mm(month.plus(-1), 2), None);
        let bridged = RechargeRules { gap_days_max: 12, ..RechargeRules::default() };
        assert!(recharge(&WELL, &found, &bridged).unwrap().months.iter().any(|m| m.month == month));
    }

    #[test]
    fn the_range_encloses_and_days_near_the_ground_are_counted() {
        let found = recharge(&WELL, &levels(0.2, 5), &RechargeRules::default()).unwrap();
        assert!(found.months.iter().all(|m| m.low_mm <= m.mm && m.mm <= m.high_mm));
        assert!(found.months.iter().any(|m| m.near_ground_days > 20));
    }

    proptest! {
        // A case has years of days.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn more_water_is_more_recharge(a in 0.01f64..0.1, more in 1.0f64..1.5) {
            let total = |rise| {
                let found = recharge(&WELL, &levels(rise, 5), &RechargeRules::default()).unwrap();
                found.total_mm(Month::new(1972, 1), 24).unwrap()
            };
            prop_assert!(total(a * more) >= total(a) - 1e-6);
        }

        /// Levels above sea, or above a measuring point: the datum is of no consequence.
        #[test]
        fn the_datum_is_of_no_consequence(datum in -50.0f64..300.0) {
            let plain = levels(0.03, 4);
            let moved: Vec<_> = plain.iter().map(|(day, level)| (*day, level + datum)).collect();
            let well = WtfWell { near_ground_level: None, ..WELL };
            let of = |levels: &[(Day, f64)]| recharge(&well, levels, &RechargeRules::default()).unwrap().months;
            for (a, b) in of(&plain).iter().zip(of(&moved)) {
                prop_assert!((a.mm - b.mm).abs() < 1e-3, "{a:?} {b:?}");
            }
        }
    }
}
