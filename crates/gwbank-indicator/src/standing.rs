//! Where a month stands against its own calendar month, and what that standing may claim.
//!
//! Closed months (of the baseline, by default the whole record) are the reference. A month of the reference is ranked
//! within it; any other month (a preliminary one, or one outside of the baseline) is ranked as if it were added to it.
//! So an open month never moves a closed one.
//!
//! # What n years with that calendar month may claim
//! | n | percentile | five classes | SGI, seven classes | SGI extreme |
//! | --- | --- | --- | --- | --- |
//! | 0–4 | – | – | – | – |
//! | 5–9 | provisional | – | – | – |
//! | 10–14 | yes | yes | – | – |
//! | 15–21 | yes | yes | yes | – |
//! | ≥ 22 | yes | yes | yes | yes |
//!
//! The position index needs n ≥ 3 and describes only.

use gwbank_model::{Month, named_enum};

use crate::assessment::{Assessment, Basis, ValueCounts, Why};
use crate::calendar::calendar_index;
use crate::monthly::MonthlyLevel;
use crate::rank::{percentile_of_rank, position_index, sgi_of_rank};

/// From which n on what may be claimed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StandingRules {
    pub position_index_n: u32,
    pub provisional_n: u32,
    pub five_classes_n: u32,
    pub sgi_n: u32,
    pub sgi_extreme_n: u32,
    /// Years of a climate normal: the n that gives full confidence.
    pub full_confidence_n: u32,
    /// First and last month of the reference; `None` is the whole record.
    pub baseline: Option<(Month, Month)>,
}

impl Default for StandingRules {
    fn default() -> Self {
        Self {
            position_index_n: 3,
            provisional_n: 5,
            five_classes_n: 10,
            sgi_n: 15,
            sgi_extreme_n: 22,
            full_confidence_n: 30,
            baseline: None,
        }
    }
}

impl StandingRules {
    /// No ladder: what the golden files hold.
    pub fn golden() -> Self {
        Self { position_index_n: 1, provisional_n: 1, five_classes_n: 1, sgi_n: 1, sgi_extreme_n: 1, ..Self::default() }
    }
}

named_enum! {
    /// Percentile class with the limits of USGS and WMO HydroSOS. The code is the `class_rank`.
    PercentileClass, "percentile class" {
        MuchBelowNormal = 1, "much_below_normal";
        BelowNormal = 2, "below_normal";
        Normal = 3, "normal";
        AboveNormal = 4, "above_normal";
        MuchAboveNormal = 5, "much_above_normal";
    }
}

impl PercentileClass {
    pub fn of(percentile: f64) -> Self {
        match percentile {
            p if p < 10.0 => Self::MuchBelowNormal,
            p if p < 25.0 => Self::BelowNormal,
            p if p <= 75.0 => Self::Normal,
            p if p <= 90.0 => Self::AboveNormal,
            _ => Self::MuchAboveNormal,
        }
    }
}

named_enum! {
    /// The seven classes of the French piezometric indicator (IPS), by the standardised value.
    IpsClass, "ips class" {
        VeryLow = 1, "very_low";
        Low = 2, "low";
        ModeratelyLow = 3, "moderately_low";
        AroundNormal = 4, "around_normal";
        ModeratelyHigh = 5, "moderately_high";
        High = 6, "high";
        VeryHigh = 7, "very_high";
    }
}

impl IpsClass {
    pub const LIMITS: [f64; 3] = [0.25, 0.84, 1.28];

    /// A limit itself belongs to the class nearer to normal.
    pub fn of(standardised: f64) -> Self {
        let [near, middle, far] = Self::LIMITS;
        let magnitude = standardised.abs();
        let (low, high) = match magnitude {
            m if m > far => (Self::VeryLow, Self::VeryHigh),
            m if m > middle => (Self::Low, Self::High),
            m if m > near => (Self::ModeratelyLow, Self::ModeratelyHigh),
            _ => return Self::AroundNormal,
        };
        if standardised < 0.0 { low } else { high }
    }
}

named_enum! {
    /// SGI with the limits of the SPI; a limit itself belongs to the class farther from normal.
    SgiClass, "sgi class" {
        ExtremelyLow = 1, "extremely_low";
        SeverelyLow = 2, "severely_low";
        ModeratelyLow = 3, "moderately_low";
        Normal = 4, "normal";
        ModeratelyHigh = 5, "moderately_high";
        SeverelyHigh = 6, "severely_high";
        ExtremelyHigh = 7, "extremely_high";
    }
}

impl SgiClass {
    pub fn of(sgi: f64) -> Self {
        match sgi {
            s if s <= -2.0 => Self::ExtremelyLow,
            s if s <= -1.5 => Self::SeverelyLow,
            s if s <= -1.0 => Self::ModeratelyLow,
            s if s < 1.0 => Self::Normal,
            s if s < 1.5 => Self::ModeratelyHigh,
            s if s < 2.0 => Self::SeverelyHigh,
            _ => Self::ExtremelyHigh,
        }
    }

    /// What a record too short for "extreme" says in its place.
    const fn without_extremes(self) -> Self {
        match self {
            Self::ExtremelyLow => Self::SeverelyLow,
            Self::ExtremelyHigh => Self::SeverelyHigh,
            other => other,
        }
    }
}

/// One month against its own calendar month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthStanding {
    pub month: Month,
    pub level: Option<f64>,
    pub dry: bool,
    /// The month has not closed: its level may still change, and it raises nothing.
    pub preliminary: bool,
    pub basis: Basis,
    /// Among the n levels of the calendar month, ascending, ties averaged.
    pub rank: f64,
    /// Φ⁻¹((rank − 0.5)/n), whatever n is; [`MonthStanding::sgi`] applies the ladder.
    pub sgi_raw: f64,
    /// 100·rank/(n + 1), whatever n is.
    pub percentile_raw: f64,
    pub(crate) position_raw: Option<f64>,
    pub(crate) rules: StandingRules,
}

impl MonthStanding {
    pub fn n(&self) -> u32 {
        self.basis.n
    }

    pub fn sgi(&self) -> Assessment<f64> {
        self.claim(self.rules.sgi_n, Some(self.sgi_raw))
    }

    pub fn sgi_class(&self) -> Assessment<SgiClass> {
        let may_be_extreme = self.may_claim_extreme();
        self.sgi().map(|sgi| if may_be_extreme { SgiClass::of(sgi) } else { SgiClass::of(sgi).without_extremes() })
    }

    pub fn may_claim_extreme(&self) -> bool {
        self.n() >= self.rules.sgi_extreme_n
    }

    /// Provisional below the n of five classes: [`MonthStanding::percentile_is_provisional`].
    pub fn percentile(&self) -> Assessment<f64> {
        self.claim(self.rules.provisional_n, Some(self.percentile_raw))
    }

    pub fn percentile_is_provisional(&self) -> bool {
        self.n() < self.rules.five_classes_n
    }

    pub fn percentile_class(&self) -> Assessment<PercentileClass> {
        self.claim(self.rules.five_classes_n, Some(self.percentile_raw)).map(PercentileClass::of)
    }

    pub fn ips(&self) -> Assessment<IpsClass> {
        self.claim(self.rules.sgi_n, Some(self.sgi_raw)).map(IpsClass::of)
    }

    /// Descriptive only: over the whole series, blind to the season.
    pub fn position_index(&self) -> Assessment<f64> {
        if self.level.is_none() {
            return Assessment::Insufficient { why: Why::NoLevel, basis: self.basis };
        }
        self.claim(self.rules.position_index_n, self.position_raw)
    }

    fn claim(&self, needed: u32, value: Option<f64>) -> Assessment<f64> {
        if self.n() < needed {
            let why = Why::ShortRecord { n: self.n(), needed };
            return Assessment::Insufficient { why, basis: self.basis };
        }
        match value {
            Some(value) => Assessment::Given { value, basis: self.basis },
            None => Assessment::Insufficient { why: Why::Constant, basis: self.basis },
        }
    }
}

/// The standing of every month of a series. `months` in order of time, each once; `closed_through` is the last closed
/// month.
///
/// - **Formula**: rank among the reference levels of the same calendar month, then [`sgi`](crate::sgi),
///   [`percentile_weibull`](crate::percentile_weibull) and [`position_index`](crate::position_index) of it.
/// - **Unit**: standard deviations (SGI), percent (percentile, position index), up = wetter. **Shape**: one result a month given.
/// - **Source**: Bloomfield & Marchant 2013 (SGI); USGS and WMO HydroSOS (five classes); the seven classes are those of the French
///   piezometric indicator (IPS, BRGM: ±0.25, ±0.84, ±1.28, not checked against its primary source).
/// - **Limits**: from which n on what may be claimed stands at the head of this module (this project's); a month of n years'
///   standing says why it claims nothing.
/// - **Weak**: with the whole record as baseline every new year re-ranks the old ones; a trend makes late months extreme (see
///   [`well_trend`](crate::well_trend)); months of unknown depth (dry) are tied at the bottom.
///
/// ```
/// use gwbank_indicator::{MonthlyLevel, SgiClass, StandingRules, standings};
/// use gwbank_model::Month;
///
/// let aprils: Vec<MonthlyLevel> =
///     (0..20).map(|year| MonthlyLevel::of(Month::new(2001 + year, 4), -f64::from(year))).collect();
/// let found = standings(&aprils, Month::new(2020, 4), &StandingRules::default());
/// assert_eq!(found[19].sgi_class().value(), Some(&SgiClass::SeverelyLow));
/// assert_eq!(found[19].basis.n, 20);
/// ```
pub fn standings(months: &[MonthlyLevel], closed_through: Month, rules: &StandingRules) -> Vec<MonthStanding> {
    let in_reference =
        |month: Month| month <= closed_through && rules.baseline.is_none_or(|(from, to)| month >= from && month <= to);
    let mut reference: [Vec<f64>; 12] = Default::default();
    let mut counts = [ValueCounts::NONE; 12];
    let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut closed_months = 0u32;
    for month in months {
        if in_reference(month.month) {
            let calendar_month = calendar_index(month.month);
            reference[calendar_month].push(month.rank_value());
            counts[calendar_month] = counts[calendar_month].union(month.counts);
        }
        if month.month <= closed_through {
            closed_months += 1;
            if let Some(level) = month.level {
                lowest = lowest.min(level);
                highest = highest.max(level);
            }
        }
    }
    for levels in &mut reference {
        levels.sort_by(f64::total_cmp);
    }
    let years = f64::from(closed_months) / 12.0;

    months
        .iter()
        .map(|month| {
            let levels = &reference[calendar_index(month.month)];
            let value = month.rank_value();
            let below = levels.partition_point(|&other| other < value);
            let not_above = levels.partition_point(|&other| other <= value);
            let added = usize::from(!in_reference(month.month));
            let own_counts = if added == 1 { month.counts } else { ValueCounts::NONE };
            let used = counts[calendar_index(month.month)].union(own_counts);
            let n = levels.len() + added;
            let rank = (below + 1 + not_above + added) as f64 / 2.0;
            let preliminary = month.month > closed_through;
            let n_count = u32::try_from(n).unwrap_or(u32::MAX);
            let full = f64::from(rules.full_confidence_n.max(1));
            let by_length = (f64::from(n_count) / full).min(1.0);
            let confidence = if preliminary { by_length / 2.0 } else { by_length };
            let position_raw =
                month.level.and_then(|level| position_index(level, lowest.min(level), highest.max(level)));
            MonthStanding {
                month: month.month,
                level: month.level,
                dry: month.dry,
                preliminary,
                basis: Basis { n: n_count, years, confidence, ..Basis::NOTHING }.resting_on(used),
                rank,
                sgi_raw: sgi_of_rank(rank, n as f64),
                percentile_raw: percentile_of_rank(rank, n as f64),
                position_raw,
                rules: *rules,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn januaries(levels: &[f64]) -> Vec<MonthlyLevel> {
        levels.iter().enumerate().map(|(i, &level)| MonthlyLevel::of(Month::new(1990 + i as i32, 1), level)).collect()
    }

    const FAR: Month = Month::new(2100, 1);

    #[test]
    fn the_ladder_says_what_n_years_may_claim() {
        let last = |n: usize| {
            let levels: Vec<f64> = (0..n).map(|i| -(i as f64)).collect();
            *standings(&januaries(&levels), FAR, &StandingRules::default()).last().unwrap()
        };
        let short = last(4);
        assert_eq!(short.percentile().why(), Some(&Why::ShortRecord { n: 4, needed: 5 }));
        assert_eq!(short.position_index().value(), Some(&0.0));
        assert!(last(2).position_index().value().is_none());
        assert!(last(5).percentile().value().is_some() && last(5).percentile_is_provisional());
        assert!(last(9).percentile_class().value().is_none());
        assert_eq!(last(10).percentile_class().value(), Some(&PercentileClass::MuchBelowNormal));
        assert!(last(14).sgi().value().is_none() && last(14).ips().value().is_none());
        assert_eq!(last(15).ips().value(), Some(&IpsClass::VeryLow));
        assert_eq!(last(21).sgi_class().value(), Some(&SgiClass::SeverelyLow));
        assert_eq!(last(22).sgi_class().value(), Some(&SgiClass::ExtremelyLow), "−2.0004 at n = 22");
        assert_eq!(last(15).sgi().basis(), Basis { n: 15, years: 15.0 / 12.0, confidence: 0.5, ..Basis::NOTHING });
    }

    #[test]
    fn an_open_month_moves_no_closed_one() {
        let months = januaries(&[1.0, 2.0, 3.0, 4.0, 5.0, -9.0]);
        let closed_through = Month::new(1994, 12);
        let with = standings(&months, closed_through, &StandingRules::default());
        let without = standings(&months[..5], closed_through, &StandingRules::default());
        assert_eq!(with[..5], without[..]);
        assert!(with[5].preliminary);
        assert_eq!((with[5].rank, with[5].n()), (1.0, 6));
        assert_eq!(with[5].position_index().value(), Some(&0.0));
        assert!(with[5].basis.confidence < with[4].basis.confidence);
    }

    /// The levels that a month is ranked among are what it rests on; an open month adds its own.
    #[test]
    fn the_basis_tells_the_shares_of_the_values_used() {
        let counted = |values, approved, good| ValueCounts { values, approved, good };
        let mut months = januaries(&[1.0, 2.0, 3.0]);
        months[0].counts = counted(30, 30, 20);
        months[1].counts = counted(30, 0, 30);
        months[2].counts = counted(20, 0, 0);
        let found = standings(&months, Month::new(1991, 12), &StandingRules::default());
        assert_eq!((found[0].basis.approved_share, found[0].basis.quality_share), (Some(0.5), Some(50.0 / 60.0)));
        assert_eq!(found[1].basis.approved_share, Some(0.5));
        assert_eq!(
            (found[2].basis.approved_share, found[2].basis.quality_share),
            (Some(30.0 / 80.0), Some(50.0 / 80.0))
        );
    }

    #[test]
    fn months_outside_of_the_baseline_are_ranked_against_it() {
        let rules =
            StandingRules { baseline: Some((Month::new(1990, 1), Month::new(1994, 12))), ..StandingRules::default() };
        let found = standings(&januaries(&[1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 9.0]), FAR, &rules);
        assert_eq!((found[4].rank, found[4].n()), (5.0, 5));
        assert_eq!((found[5].rank, found[5].n()), (6.0, 6));
        assert_eq!((found[6].rank, found[6].n()), (6.0, 6));
    }

    #[test]
    fn class_limits() {
        use PercentileClass as P;
        let expected = [(9.9, P::MuchBelowNormal), (10.0, P::BelowNormal), (25.0, P::Normal), (75.0, P::Normal)];
        for (percentile, class) in expected.into_iter().chain([(90.0, P::AboveNormal), (90.1, P::MuchAboveNormal)]) {
            assert_eq!(PercentileClass::of(percentile), class);
        }
        assert_eq!(IpsClass::of(-0.25), IpsClass::AroundNormal);
        assert_eq!(IpsClass::of(-1.29), IpsClass::VeryLow);
        assert_eq!(IpsClass::of(1.0), IpsClass::High);
        assert_eq!((SgiClass::of(-1.0), SgiClass::of(1.0)), (SgiClass::ModeratelyLow, SgiClass::ModeratelyHigh));
    }

    proptest! {
        /// Sorted once and ranked by bisection, or ranked group by group: the same bits.
        #[test]
        fn equals_the_plain_definition(levels in proptest::collection::vec(-9i32..9, 1..60)) {
            let months: Vec<MonthlyLevel> = levels
                .iter()
                .enumerate()
                .map(|(i, &level)| MonthlyLevel::of(Month::new(2000, 1).plus(i as i32), f64::from(level)))
                .collect();
            for standing in standings(&months, FAR, &StandingRules::default()) {
                let group: Vec<MonthlyLevel> = months
                    .iter()
                    .filter(|m| m.month.month_of_year() == standing.month.month_of_year())
                    .copied()
                    .collect();
                let values: Vec<f64> = group.iter().map(MonthlyLevel::rank_value).collect();
                let at = group.iter().position(|m| m.month == standing.month).unwrap();
                prop_assert_eq!(standing.sgi_raw.to_bits(), crate::sgi(&values)[at].to_bits());
                prop_assert_eq!(standing.percentile_raw.to_bits(), crate::percentile_weibull(&values)[at].to_bits());
                prop_assert_eq!(standing.n() as usize, values.len());
            }
        }
    }
}
