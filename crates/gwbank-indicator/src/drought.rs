//! The drought class that one month of one well may claim.
//!
//! | n | rule | classes |
//! | --- | --- | --- |
//! | 0–4 | – | none |
//! | 5–9 | percentile < 25, provisional | watch |
//! | 10–14 | percentile < 10 | moderate |
//! | ≥ 15 | SGI ≤ −1, −1.5, −2 | moderate, severe, extreme (extreme from n = 22) |
//!
//! A dry month is at least moderate from n = 10, at least watch from n = 5, and a plain fact below.
//! Beside what the month claims (`entry`) stands what it holds (`hold`): the class by the exit limits, SGI + 0.25 and
//! percentile + 5. A condition eases when one closed month no longer holds it, and ends after two that hold nothing.

use gwbank_model::condition::Severity;

use crate::assessment::{Assessment, Why};
use crate::hysteresis::MonthVerdict;
use crate::kind::WellKind;
use crate::standing::MonthStanding;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DroughtRules {
    pub sgi_moderate: f64,
    pub sgi_severe: f64,
    pub sgi_extreme: f64,
    /// How far above a limit the SGI must lie to count as out.
    pub sgi_exit: f64,
    /// Below it a provisional record (n 5–9) is watched.
    pub percentile_watch: f64,
    /// Below it a record of n 10–14 is moderate.
    pub percentile_moderate: f64,
    pub percentile_exit: f64,
}

impl Default for DroughtRules {
    fn default() -> Self {
        Self {
            sgi_moderate: -1.0,
            sgi_severe: -1.5,
            sgi_extreme: -2.0,
            sgi_exit: 0.25,
            percentile_watch: 25.0,
            percentile_moderate: 10.0,
            percentile_exit: 5.0,
        }
    }
}

/// Ordered: a later one is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DroughtClass {
    None,
    /// The lowest class of a record that is too short for more.
    Watch,
    Moderate,
    Severe,
    Extreme,
}

impl DroughtClass {
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Watch => "watch",
            Self::Moderate => "moderate",
            Self::Severe => "severe",
            Self::Extreme => "extreme",
        }
    }

    /// The severity of a well's own condition flag.
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::None => None,
            Self::Watch => Some(Severity::Watch),
            Self::Moderate => Some(Severity::Warning),
            Self::Severe => Some(Severity::Severe),
            Self::Extreme => Some(Severity::Extreme),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DroughtJudgement {
    /// What this month claims.
    pub entry: DroughtClass,
    /// What this month keeps up if it is there already; never less than `entry`.
    pub hold: DroughtClass,
    pub dry: bool,
    /// Which rule gave `entry`: `sgi`, `percentile` or `dry`.
    pub rule: &'static str,
    /// The limit that `entry` passed, or the first one where it passed none; in the unit of `observed`.
    pub limit: f64,
    pub observed: f64,
    /// Long enough to enter a place's denominator (it may say at least moderate).
    pub counts_for_places: bool,
}

impl DroughtJudgement {
    pub fn verdict(&self) -> MonthVerdict {
        MonthVerdict { entry: self.entry.severity(), hold: self.hold.severity() }
    }
}

/// Judges one closed month of one well.
///
/// - **Formula**: the table at the head of this module. **Source**: SGI limits of McKee et al. 1993 as Bloomfield & Marchant
///   2013 use them; percentile limits of USGS; which record may claim what is this project's.
/// - **Unit**: `observed` and `limit` are an SGI (standard deviations) or a percentile. **Shape**: one month's standing; month after
///   month they go to [`DroughtTrack`](crate::DroughtTrack).
/// - **Limits**: SGI ≤ −1, −1.5, −2; percentile < 25 (n 5–9), < 10 (n 10–14); exit + 0.25 and + 5; all in [`DroughtRules`].
/// - **Weak**: it says how rare a level is for its season, not whether anybody lacks water.
///
/// ```
/// use gwbank_indicator::{Bank, DroughtClass, DroughtRules, MonthlyLevel, StandingRules, WellKind, judge_well, standings};
/// use gwbank_model::Month;
///
/// let well = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };
/// let aprils: Vec<MonthlyLevel> =
///     (0..22).map(|year| MonthlyLevel::of(Month::new(2001 + year, 4), -f64::from(year))).collect();
/// let found = standings(&aprils, Month::new(2022, 4), &StandingRules::default());
/// let judged = judge_well(well, &found[21], &DroughtRules::default());
/// assert_eq!(judged.value().map(|judgement| judgement.entry), Some(DroughtClass::Extreme));
/// ```
pub fn judge_well(kind: WellKind, standing: &MonthStanding, rules: &DroughtRules) -> Assessment<DroughtJudgement> {
    let basis = standing.basis;
    if !kind.speaks_of_drought() {
        return Assessment::Insufficient { why: Why::NotCapable, basis };
    }
    if standing.preliminary {
        return Assessment::Insufficient { why: Why::Open, basis };
    }
    let (entry, hold, rule, limit, observed, least_when_dry) = if let Some(&sgi) = standing.sgi().value() {
        let cap = if standing.may_claim_extreme() { DroughtClass::Extreme } else { DroughtClass::Severe };
        let entry = by_sgi(sgi, 0.0, rules).min(cap);
        let hold = by_sgi(sgi, rules.sgi_exit, rules).min(cap);
        let limit = match entry {
            DroughtClass::Extreme => rules.sgi_extreme,
            DroughtClass::Severe => rules.sgi_severe,
            _ => rules.sgi_moderate,
        };
        (entry, hold, "sgi", limit, sgi, DroughtClass::Moderate)
    } else if let Some(&percentile) = standing.percentile().value() {
        let (limit, class) = if standing.percentile_is_provisional() {
            (rules.percentile_watch, DroughtClass::Watch)
        } else {
            (rules.percentile_moderate, DroughtClass::Moderate)
        };
        let below = |limit: f64| if percentile < limit { class } else { DroughtClass::None };
        (below(limit), below(limit + rules.percentile_exit), "percentile", limit, percentile, class)
    } else {
        let why = standing.percentile().why().copied().unwrap_or(Why::NoLevel);
        return Assessment::Insufficient { why, basis };
    };
    let counts_for_places = !standing.percentile_is_provisional();
    let value = if standing.dry && entry < least_when_dry {
        DroughtJudgement {
            entry: least_when_dry,
            hold: hold.max(least_when_dry),
            dry: true,
            rule: "dry",
            limit,
            observed,
            counts_for_places,
        }
    } else {
        DroughtJudgement { entry, hold, dry: standing.dry, rule, limit, observed, counts_for_places }
    };
    Assessment::Given { value, basis }
}

fn by_sgi(sgi: f64, slack: f64, rules: &DroughtRules) -> DroughtClass {
    match sgi {
        s if s <= rules.sgi_extreme + slack => DroughtClass::Extreme,
        s if s <= rules.sgi_severe + slack => DroughtClass::Severe,
        s if s <= rules.sgi_moderate + slack => DroughtClass::Moderate,
        _ => DroughtClass::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bank, MonthlyLevel, StandingRules, standings};
    use gwbank_model::Month;
    use proptest::prelude::*;

    const WELL: WellKind = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };

    /// The last of n Januaries, with `rank` (1 = lowest of all).
    fn january(n: i32, rank: i32) -> MonthStanding {
        let months: Vec<MonthlyLevel> = (0..n)
            .map(|i| {
                let level = if i == n - 1 { f64::from(rank) - 0.5 } else { f64::from(i + 1) };
                MonthlyLevel::of(Month::new(1980 + i, 1), level)
            })
            .collect();
        *standings(&months, Month::new(2100, 1), &StandingRules::default()).last().unwrap()
    }

    fn entry_and_hold(n: i32, rank: i32) -> Option<(DroughtClass, DroughtClass)> {
        judge_well(WELL, &january(n, rank), &DroughtRules::default()).value().map(|j| (j.entry, j.hold))
    }

    #[test]
    fn the_record_caps_the_class() {
        use DroughtClass::{Extreme, Moderate, Severe, Watch};
        assert_eq!(entry_and_hold(4, 1), None);
        assert_eq!(entry_and_hold(5, 1), Some((Watch, Watch)), "percentile 16.7");
        assert_eq!(entry_and_hold(9, 1), Some((Watch, Watch)));
        assert_eq!(entry_and_hold(10, 1), Some((Moderate, Moderate)), "percentile 9.1");
        assert_eq!(entry_and_hold(14, 2), Some((DroughtClass::None, Moderate)), "percentile 13.3 is held up to 15");
        assert_eq!(entry_and_hold(15, 1), Some((Severe, Severe)), "SGI −1.83");
        assert_eq!(entry_and_hold(21, 1), Some((Severe, Severe)), "SGI −1.98, no extreme below n = 22");
        assert_eq!(entry_and_hold(22, 1), Some((Extreme, Extreme)));
        assert_eq!(entry_and_hold(25, 12), Some((DroughtClass::None, DroughtClass::None)));
    }

    #[test]
    fn a_limit_itself_is_in() {
        let rules = DroughtRules::default();
        assert_eq!(by_sgi(-1.0, 0.0, &rules), DroughtClass::Moderate);
        assert_eq!(by_sgi(-0.75, 0.25, &rules), DroughtClass::Moderate);
        assert_eq!(by_sgi(-0.74, 0.25, &rules), DroughtClass::None);
        assert_eq!(by_sgi(-1.5, 0.0, &rules), DroughtClass::Severe);
        assert_eq!(by_sgi(-2.0, 0.0, &rules), DroughtClass::Extreme);
    }

    #[test]
    fn what_the_well_is_decides() {
        let standing = january(30, 1);
        let why = |kind| judge_well(kind, &standing, &DroughtRules::default()).why().copied();
        assert_eq!(why(WellKind { bank: Bank::Closed, ..WELL }), Some(Why::NotCapable));
        assert_eq!(why(WellKind { bank: Bank::Closed, represents_aquifer: true, ..WELL }), Some(Why::NotCapable));
        assert_eq!(why(WellKind { bank: Bank::Open, ..WELL }), Some(Why::NotCapable));
        assert_eq!(why(WellKind { bank: Bank::Open, represents_aquifer: true, ..WELL }), None);
        assert_eq!(why(WellKind { influenced: true, ..WELL }), Some(Why::NotCapable));
    }

    #[test]
    fn a_dry_month_is_at_least_moderate_where_the_record_allows() {
        let dry = |n, rank| {
            let standing = MonthStanding { dry: true, ..january(n, rank) };
            judge_well(WELL, &standing, &DroughtRules::default()).value().map(|j| (j.entry, j.rule))
        };
        assert_eq!(dry(3, 2), None);
        assert_eq!(dry(7, 5), Some((DroughtClass::Watch, "dry")));
        assert_eq!(dry(12, 9), Some((DroughtClass::Moderate, "dry")));
        assert_eq!(dry(20, 15), Some((DroughtClass::Moderate, "dry")));
        assert_eq!(dry(30, 1), Some((DroughtClass::Extreme, "sgi")));
    }

    #[test]
    fn an_open_month_raises_nothing() {
        let standing = MonthStanding { preliminary: true, ..january(30, 1) };
        assert_eq!(judge_well(WELL, &standing, &DroughtRules::default()).why(), Some(&Why::Open));
    }

    proptest! {
        /// Whatever the record, a lower level never gives a wetter class or a lesser drought to its own month.
        #[test]
        fn lower_is_never_wetter(levels in proptest::collection::vec(-30i32..30, 1..40), at in any::<proptest::sample::Index>(), down in 1i32..40) {
            let at = at.index(levels.len());
            let standing = |lowered: i32| {
                let months: Vec<MonthlyLevel> = levels
                    .iter()
                    .zip(0..)
                    .map(|(&level, i)| {
                        let level = if i as usize == at { level - lowered } else { level };
                        MonthlyLevel::of(Month::new(1980 + i, 1), f64::from(level))
                    })
                    .collect();
                standings(&months, Month::new(2100, 1), &StandingRules::default())[at]
            };
            let (before, after) = (standing(0), standing(down));
            prop_assert!(after.sgi_raw <= before.sgi_raw && after.percentile_raw <= before.percentile_raw);
            prop_assert!(after.percentile_class().value() <= before.percentile_class().value());
            prop_assert!(after.sgi_class().value() <= before.sgi_class().value());
            prop_assert!(after.ips().value() <= before.ips().value());
            let entry = |standing| judge_well(WELL, standing, &DroughtRules::default()).value().map(|judged| judged.entry);
            prop_assert!(entry(&after) >= entry(&before));
        }
    }
}
