//! GxG: the Dutch mean highest (GHG), mean lowest (GLG) and mean spring (GVG) groundwater level.
//!
//! # Rules
//! 1. Of each year the levels on the 14th and 28th of the months count: the classic days of reading by hand.
//! 2. How a measured day stands for such a day is [`Fill`]; by default each measurement is used once, for the nearest one.
//! 3. GHG (GLG) of a year: the mean of its three highest (lowest) levels; of two where the year has 13–20 levels, of one
//!    below. GVG of a year: the mean of the levels from 14 March to 14 April.
//! 4. The result is the mean over the years that have enough levels, if there are enough such years.
//! 5. A year that is not over is to be left out by the caller: until its low has come its lowest levels are too high, and until
//!    its high has come its highest too low, so that the mean would swing with the season. The indicator of a well ends with the
//!    last whole year for it, and moves on once a year: after March, that of spring after December.
//!
//! These are the definitions of `pastas.stats.ghg`, `glg` and `gvg` (pastas 2.0.0), which are reproduced. So for GVG, as there,
//! the least number of levels is of the whole year and not of its spring.

mod fill;

use gwbank_model::Day;

pub use fill::{Fill, HalfMonth};

use crate::assessment::{Assessment, Basis, ValueCounts, Why};
use crate::calendar::YearStart;
use crate::monthly::{DailyInput, DayLevel, Sense, mean_in_order_of_size};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GxgKind {
    /// Gemiddeld hoogste grondwaterstand: mean highest.
    Highest,
    /// Gemiddeld laagste grondwaterstand: mean lowest.
    Lowest,
    /// Gemiddelde voorjaarsgrondwaterstand: mean spring, at the start of the Dutch growing season.
    Spring,
}

impl GxgKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Highest => "ghg",
            Self::Lowest => "glg",
            Self::Spring => "gvg",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GxgRules {
    pub fill: Fill,
    /// Levels on a 14th or 28th that a year needs, of 24.
    pub levels_min: u32,
    pub years_min: u32,
    pub year_start: YearStart,
    /// Years that give full confidence; the Dutch standard is eight.
    pub full_confidence_n: u32,
}

impl GxgRules {
    /// The defaults of pastas.
    pub const fn of(kind: GxgKind) -> Self {
        let (fill, levels_min, year_start) = match kind {
            GxgKind::Highest | GxgKind::Lowest => (Fill::NearestOnce, 16, YearStart::April),
            GxgKind::Spring => (Fill::Linear { days: 8 }, 2, YearStart::January),
        };
        Self { fill, levels_min, years_min: 8, year_start, full_confidence_n: 8 }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct GxgYear {
    /// In which it began.
    pub year: i32,
    /// Levels on a 14th or 28th.
    pub levels: u32,
    /// Those that make its level, from the lowest.
    pub taken: Vec<HalfMonth>,
    /// `None` where the year has too few.
    pub level: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Gxg {
    /// m, up = wetter; or why there is none.
    pub mean: Assessment<f64>,
    /// From the first to the last year with a level, those without included.
    pub years: Vec<GxgYear>,
}

/// GHG, GLG or GVG of a series of daily means.
///
/// - **Formula**: mean over years of the mean of the three highest (lowest, those from 14 March to 14 April) levels on the
///   14th and 28th.
/// - **Unit**: m, up = wetter (depths are negated). **Shape**: days in any order, each once; days without a mean are gaps.
/// - **Source**: Van der Sluijs & De Gruijter 1985; `pastas.stats.dutch` 2.0.0. Eight years, 16 levels a year from April, for
///   GVG two levels in the calendar year: pastas' defaults.
/// - **Weak**: made for the Dutch climate: "spring" says nothing in Thailand, and a hydrological year from April may cut the
///   high of a late monsoon (southern east coast). Between neighbouring readings of a steep rise the nearest day may be
///   eight days off. A trend makes the mean over years one of no year.
///
/// ```
/// use gwbank_indicator::{DayLevel, GxgKind, GxgRules, Sense, gxg};
/// use gwbank_model::{Day, Month};
///
/// // Ten years of one depth, but for three wet fortnights each July and August.
/// let first = Month::new(2000, 4).first_day().0;
/// let days: Vec<DayLevel> = (first..first + 3652)
///     .map(Day)
///     .map(|day| (day, if (7..=8).contains(&day.month().month_of_year()) { 0.5 } else { 2.0 }))
///     .map(|(day, depth)| DayLevel { day, mean: Some(depth), count: 1, dry_count: 0 })
///     .collect();
/// let highest = gxg(&days, Sense::Depth, GxgKind::Highest, &GxgRules::of(GxgKind::Highest));
/// assert_eq!(highest.mean.value(), Some(&-0.5));
/// assert_eq!(highest.years.iter().filter(|year| year.level.is_some()).count(), 10);
/// ```
pub fn gxg<D: DailyInput>(days: &[D], sense: Sense, kind: GxgKind, rules: &GxgRules) -> Gxg {
    let measured = |day: &DayLevel| day.mean.map(|mean| (day.day, sense.upward(mean)));
    let mut counts = ValueCounts::NONE;
    let (mut day_before, mut in_order, mut without_gaps) = (Day(i32::MIN), true, true);
    for input in days {
        let day = input.level();
        in_order &= day_before <= day.day;
        without_gaps &= day.mean.is_some();
        day_before = day.day;
        if day.mean.is_some() {
            counts = counts.union(input.counts());
        }
    }
    let half_months = if in_order && without_gaps {
        // As most series come: read where they lie.
        rules.fill.half_months(days, |input| measured(&input.level()).unwrap_or((input.level().day, f64::NAN)))
    } else {
        let mut measured: Vec<(Day, f64)> = days.iter().filter_map(|input| measured(&input.level())).collect();
        measured.sort_by_key(|&(day, _)| day);
        rules.fill.half_months(&measured, |&measured| measured)
    };
    let year_of = |half: &HalfMonth| rules.year_start.year_of(half.month);
    let mut years: Vec<GxgYear> = Vec::new();
    for levels in half_months.chunk_by(|a, b| year_of(a) == year_of(b)) {
        let year = year_of(&levels[0]);
        let count = u32::try_from(levels.len()).unwrap_or(u32::MAX);
        let taken = if count < rules.levels_min { Vec::new() } else { taken_of_year(kind, levels) };
        let level = mean_in_order_of_size(&mut taken.iter().map(|half| half.level).collect::<Vec<f64>>());
        // Years without a single level lie between.
        let next = years.last().map_or(year, |last| last.year + 1);
        years.extend((next..year).map(|year| GxgYear { year, levels: 0, taken: Vec::new(), level: None }));
        years.push(GxgYear { year, levels: count, taken, level });
    }
    let mut found: Vec<f64> = years.iter().filter_map(|year| year.level).collect();
    let n = u32::try_from(found.len()).unwrap_or(u32::MAX);
    let confidence = (f64::from(n) / f64::from(rules.full_confidence_n.max(1))).min(1.0);
    // The shares are of all measured days: which of them made a half-month is the business of the fill.
    let basis = Basis { n, years: f64::from(n), confidence, ..Basis::NOTHING }.resting_on(counts);
    let mean = match mean_in_order_of_size(&mut found) {
        Some(value) if n >= rules.years_min => Assessment::Given { value, basis },
        _ => Assessment::Insufficient { why: Why::FewYears { years: n, needed: rules.years_min }, basis },
    };
    Gxg { mean, years }
}

fn taken_of_year(kind: GxgKind, levels: &[HalfMonth]) -> Vec<HalfMonth> {
    let taken = match levels.len() {
        0..=12 => 1,
        13..=20 => 2,
        _ => 3,
    };
    let mut chosen: Vec<HalfMonth> = match kind {
        GxgKind::Spring => levels.iter().filter(|half| is_spring(half)).copied().collect(),
        GxgKind::Highest | GxgKind::Lowest => levels.to_vec(),
    };
    chosen.sort_by(|a, b| a.level.total_cmp(&b.level));
    match kind {
        GxgKind::Highest => {
            let from = chosen.len().saturating_sub(taken);
            chosen.drain(..from);
        }
        GxgKind::Lowest => chosen.truncate(taken),
        GxgKind::Spring => {}
    }
    chosen
}

/// From 14 March to 14 April.
fn is_spring(half: &HalfMonth) -> bool {
    match half.month.month_of_year() {
        3 => half.day >= 14,
        4 => half.day < 15,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_model::Month;
    use proptest::prelude::*;

    fn day(day: i32, depth: f64) -> DayLevel {
        DayLevel { day: Day(Month::new(2000, 4).first_day().0 + day), mean: Some(depth), count: 1, dry_count: 0 }
    }

    #[test]
    fn seven_years_are_too_few_and_say_so() {
        let days: Vec<DayLevel> = (0..7 * 365).map(|i| day(i, f64::from(i % 365))).collect();
        let found = gxg(&days, Sense::Depth, GxgKind::Lowest, &GxgRules::of(GxgKind::Lowest));
        assert_eq!(found.mean.why(), Some(&Why::FewYears { years: 7, needed: 8 }));
        // The first days of April are nearest to 28 March, which is a year with one level.
        assert!(found.years[0].level.is_none() && found.years[1..].iter().all(|year| year.level.is_some()));
        let none = gxg(&[] as &[DayLevel], Sense::Depth, GxgKind::Spring, &GxgRules::of(GxgKind::Spring));
        assert_eq!((none.mean.why(), none.years.len()), (Some(&Why::FewYears { years: 0, needed: 8 }), 0));
    }

    #[test]
    fn spring_goes_from_14_march_to_14_april() {
        let on = |month, day| is_spring(&HalfMonth { month: Month::new(2004, month), day, level: 0.0 });
        assert_eq!((on(3, 13), on(3, 14), on(4, 14), on(4, 15)), (false, true, true, false));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn order_sign_and_rank(readings in proptest::collection::vec((1i32..25, -300i32..300, any::<u32>()), 150..260)) {
            let mut at = 0;
            let mut days: Vec<(u32, DayLevel)> = readings
                .iter()
                .map(|&(step, depth, key)| { at += step; (key, day(at, f64::from(depth) / 64.0)) })
                .collect();
            let of = |days: &[(u32, DayLevel)], sense, kind| {
                let days: Vec<DayLevel> = days.iter().map(|d| d.1).collect();
                gxg(&days, sense, kind, &GxgRules { levels_min: 1, years_min: 1, ..GxgRules::of(kind) })
            };
            let value = |found: &Gxg| found.mean.value().copied();
            let highest = of(&days, Sense::Depth, GxgKind::Highest);
            let lowest = of(&days, Sense::Depth, GxgKind::Lowest);
            let upside_down = of(&days, Sense::Elevation, GxgKind::Lowest);
            prop_assert!(value(&highest) >= value(&lowest));
            prop_assert_eq!(value(&highest).map(|x| (x * 1e9).round()), value(&upside_down).map(|x| (-x * 1e9).round()));
            days.sort_by_key(|d| d.0);
            prop_assert_eq!(&highest, &of(&days, Sense::Depth, GxgKind::Highest));
            // Later data leave the years before alone.
            days.push((0, day(at + 400, 3.0)));
            let more = of(&days, Sense::Depth, GxgKind::Highest);
            prop_assert_eq!(&more.years[..highest.years.len()], &highest.years[..]);
        }
    }
}
