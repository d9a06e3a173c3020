//! Monthly levels from daily means.
//!
//! # Rules
//! 1. The monthly level is the mean of the daily means, up = wetter, rounded to 1e-9 m half to even, so that equal
//!    levels are equal doubles whatever summed them.
//! 2. A dry day without a value stands for the deepest measurable depth where that is known (censored); a dry day
//!    counts as a day.
//! 3. A month with at least half of its days dry is `dry`; without any level it ranks below every measured one.
//! 4. A month with fewer days than the sampling asks for is no month; it is kept in [`Monthly::thin`], so that nobody
//!    takes it for absent data.

use gwbank_model::{Day, Month, Parameter, Timestamp};

use crate::assessment::ValueCounts;

/// Which way the parameter's values point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// Positive down: negated.
    Depth,
    /// Positive up.
    Elevation,
}

impl Sense {
    /// `None` for what is no groundwater level.
    pub const fn of(parameter: Parameter) -> Option<Sense> {
        match parameter {
            Parameter::DepthToWater => Some(Sense::Depth),
            Parameter::GroundwaterElevation => Some(Sense::Elevation),
            _ => None,
        }
    }

    /// Value to level (up) or back.
    pub fn upward(self, value: f64) -> f64 {
        match self {
            Sense::Depth => -value,
            Sense::Elevation => value,
        }
    }
}

/// One civil day of a level series, in the parameter's own sense.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayLevel {
    pub day: Day,
    /// Mean of the values that count; `None` where there are none.
    pub mean: Option<f64>,
    /// Values in the mean.
    pub count: u32,
    /// Readings with site status `dry`, with or without a value.
    pub dry_count: u32,
}

impl DayLevel {
    /// All of it was dry, or half of it where the dry readings came without values.
    pub const fn is_dry(&self) -> bool {
        self.dry_count > 0 && self.dry_count >= self.count
    }
}

/// A day of which approved and good values were counted, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountedDay {
    pub level: DayLevel,
    /// Of the values in the mean.
    pub counts: ValueCounts,
}

/// What monthly levels are made of: days, with or without counts of approved and good values.
pub trait DailyInput: Copy {
    fn level(&self) -> DayLevel;
    fn counts(&self) -> ValueCounts;
}

impl DailyInput for DayLevel {
    fn level(&self) -> DayLevel {
        *self
    }
    fn counts(&self) -> ValueCounts {
        ValueCounts::NONE
    }
}

impl DailyInput for CountedDay {
    fn level(&self) -> DayLevel {
        self.level
    }
    fn counts(&self) -> ValueCounts {
        self.counts
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthRules {
    pub sense: Sense,
    /// Days with a value (or dry) that make a month: 15 for loggers, 1 for readings by hand.
    pub days_min: u32,
    /// The level (up) that a dry day without a value stands for.
    pub dry_level: Option<f64>,
    /// Share of dry days from which the month is dry.
    pub dry_share: f64,
}

impl MonthRules {
    pub const DAYS_MIN_LOGGER: u32 = 15;
    pub const DAYS_MIN_MANUAL: u32 = 1;

    /// The profile of the golden files: one day makes a month.
    pub const fn golden(sense: Sense) -> Self {
        Self { sense, days_min: 1, dry_level: None, dry_share: 0.5 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthlyLevel {
    pub month: Month,
    /// Mean of the daily means in the parameter's own sense, not rounded.
    pub mean: Option<f64>,
    /// Up = wetter, rounded. `None` only for a dry month whose dry level is not known.
    pub level: Option<f64>,
    /// The highest daily level (up).
    pub highest: Option<f64>,
    pub days: u32,
    pub dry_days: u32,
    /// Values in the daily means.
    pub count: u32,
    /// Approved and good ones among those of the days that were counted.
    pub counts: ValueCounts,
    pub dry: bool,
}

impl MonthlyLevel {
    /// A month of which only the level is known.
    pub fn of(month: Month, level: f64) -> Self {
        Self {
            month,
            mean: Some(level),
            level: Some(round_to_nanometre(level)),
            highest: Some(level),
            days: month.days(),
            dry_days: 0,
            count: month.days(),
            counts: ValueCounts::NONE,
            dry: false,
        }
    }

    /// What the month is ranked by.
    pub fn rank_value(&self) -> f64 {
        self.level.unwrap_or(f64::NEG_INFINITY)
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Monthly {
    /// In order of time.
    pub levels: Vec<MonthlyLevel>,
    /// Months with data on too few days, and how many.
    pub thin: Vec<(Month, u32)>,
}

/// x·1e9 rounded half to even, divided by 1e9.
///
/// - **Unit**: m to m. **Source**: the rounding of the golden files; far below any sensor's resolution.
/// - **Weak**: beyond 9·10⁶ m a double has no nanometres left and is not changed.
///
/// ```
/// assert_eq!(gwbank_indicator::round_to_nanometre(-1.980493924129353), -1.980493924);
/// assert_eq!(gwbank_indicator::round_to_nanometre(0.1 + 0.2), 0.3, "however it was summed");
/// ```
pub fn round_to_nanometre(level: f64) -> f64 {
    // Adding zero turns −0 into 0, so that equal levels have equal bits.
    (level * 1e9).round_ties_even() / 1e9 + 0.0
}

/// Monthly levels of one series. The days may come in any order, each once; as [`DayLevel`], or as [`CountedDay`] where
/// results are to tell the share of approved and good values.
///
/// - **Formula**: mean of the daily means, negated for depths, rounded to 1e-9 m. **Unit**: m, up = wetter.
/// - **Source**: mean of daily means, so that hours with many readings weigh no more (the resampling of the golden files).
/// - **Limits**: days that make a month by [`MonthRules`]: 15 for loggers, 1 by hand; dry from half of the days (this project's).
/// - **Weak**: days on one side of a month that rises or falls pull its mean; `days` tells how many there were.
///
/// ```
/// use gwbank_indicator::{DayLevel, MonthRules, Sense, monthly_levels};
/// use gwbank_model::Month;
///
/// let day = Month::new(2026, 5).first_day();
/// let days = [DayLevel { day, mean: Some(3.25), count: 4, dry_count: 0 }];
/// assert_eq!(monthly_levels(&days, &MonthRules::golden(Sense::Depth)).levels[0].level, Some(-3.25));
/// ```
pub fn monthly_levels<D: DailyInput>(days: &[D], rules: &MonthRules) -> Monthly {
    if days.is_sorted_by_key(|day| day.level().day) {
        return of_sorted_days(days, rules);
    }
    let mut sorted = days.to_vec();
    sorted.sort_by_key(|day| day.level().day);
    of_sorted_days(&sorted, rules)
}

fn of_sorted_days<D: DailyInput>(days: &[D], rules: &MonthRules) -> Monthly {
    let mut monthly = Monthly::default();
    let mut rest = days;
    while let Some(first) = rest.first() {
        let month = first.level().day.month();
        let end = month.plus(1).first_day();
        let length = rest.partition_point(|day| day.level().day < end);
        let (of_month, later) = rest.split_at(length);
        rest = later;
        let level = month_of_days(month, of_month, rules);
        if level.days >= rules.days_min.max(1) {
            monthly.levels.push(level);
        } else if level.days > 0 {
            monthly.thin.push((month, level.days));
        }
    }
    monthly
}

fn month_of_days<D: DailyInput>(month: Month, days: &[D], rules: &MonthRules) -> MonthlyLevel {
    let mut sum = CompensatedSum::default();
    let mut values = 0u32;
    let mut highest: Option<f64> = None;
    let (mut counted_days, mut dry_days, mut count) = (0u32, 0u32, 0u32);
    let mut counts = ValueCounts::NONE;
    for input in days {
        let day = input.level();
        let dry = day.is_dry();
        let censored = if dry { rules.dry_level.map(|level| rules.sense.upward(level)) } else { None };
        let value = day.mean.or(censored);
        if let Some(value) = value {
            sum.add(value);
            values += 1;
            let level = rules.sense.upward(value);
            highest = Some(highest.map_or(level, |h| h.max(level)));
        }
        if dry || value.is_some() {
            counted_days += 1;
            dry_days += u32::from(dry);
            count += day.count;
            counts = counts.union(input.counts());
        }
    }
    let mean = (values > 0).then(|| sum.total() / f64::from(values));
    let dry = counted_days > 0 && f64::from(dry_days) >= rules.dry_share * f64::from(counted_days);
    // A few wet days are no level for a month that was dry to an unknown depth.
    let unmeasured = dry && values < counted_days;
    MonthlyLevel {
        month,
        mean,
        level: mean.filter(|_| !unmeasured).map(|mean| round_to_nanometre(rules.sense.upward(mean))),
        highest,
        days: counted_days,
        dry_days,
        count,
        counts,
        dry,
    }
}

/// Daily means of values in any order. All values of a day count, duplicate times too. The sum runs over the values
/// in order of size, so that the order of arrival leaves no trace.
///
/// - **Formula**: Σ x / n of the values of a civil day. **Source, limits**: none; a single reading makes a day.
/// - **Unit**: that of the values. **Shape**: instants and values; the offset says where a civil day begins.
/// - **Weak**: an hour with many readings weighs as much as they are.
///
/// ```
/// use gwbank_indicator::daily_means;
/// use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
///
/// let at = |text| Timestamp::parse_rfc3339(text).unwrap();
/// let readings = [(at("2026-05-01T23:00:00+07:00"), 3.0), (at("2026-05-01T01:00:00+07:00"), 2.0)];
/// let days = daily_means(&readings, BANGKOK_OFFSET_SECONDS);
/// assert_eq!((days.len(), days[0].mean, days[0].count), (1, Some(2.5), 2));
/// ```
pub fn daily_means(readings: &[(Timestamp, f64)], offset_seconds: i32) -> Vec<DayLevel> {
    let mut by_day: Vec<(Day, f64)> = readings.iter().map(|&(time, value)| (time.day(offset_seconds), value)).collect();
    by_day.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    by_day
        .chunk_by(|a, b| a.0 == b.0)
        .map(|values| {
            let mut sum = CompensatedSum::default();
            values.iter().for_each(|&(_, value)| sum.add(value));
            let mean = sum.total() / values.len() as f64;
            let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
            DayLevel { day: values[0].0, mean: Some(mean), count, dry_count: 0 }
        })
        .collect()
}

/// The mean, the same bits in whatever order the values come; `None` of none. Leaves them sorted.
pub(crate) fn mean_in_order_of_size(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let mut sum = CompensatedSum::default();
    values.iter().for_each(|&value| sum.add(value));
    (!values.is_empty()).then(|| sum.total() / values.len() as f64)
}

/// Neumaier's sum: the error does not grow with the number of values.
#[derive(Debug, Default)]
pub(crate) struct CompensatedSum {
    sum: f64,
    lost: f64,
}

impl CompensatedSum {
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        self.lost +=
            if self.sum.abs() >= value.abs() { (self.sum - total) + value } else { (value - total) + self.sum };
        self.sum = total;
    }
    pub(crate) fn total(&self) -> f64 {
        self.sum + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(year: i32, month: u32, day: i32, mean: f64) -> DayLevel {
        DayLevel { day: Day(Month::new(year, month).first_day().0 + day - 1), mean: Some(mean), count: 4, dry_count: 0 }
    }

    fn dry(day: DayLevel) -> DayLevel {
        DayLevel { mean: None, count: 0, dry_count: 4, ..day }
    }

    const LOGGER: MonthRules = MonthRules { sense: Sense::Depth, days_min: 15, dry_level: None, dry_share: 0.5 };

    #[test]
    fn half_way_cases_round_to_even() {
        assert_eq!(round_to_nanometre(2.5e-9), 2e-9);
        assert_eq!(round_to_nanometre(3.5e-9), 4e-9);
        assert_eq!(round_to_nanometre(-1.980493924129353), -1.980493924);
        assert_eq!(round_to_nanometre(-0.0).to_bits(), 0.0f64.to_bits());
    }

    #[test]
    fn depths_are_negated_and_fourteen_days_are_no_month() {
        let mut days: Vec<DayLevel> = (1..=14).map(|d| day(2026, 1, d, 2.0)).collect();
        days.extend((1..=15).map(|d| day(2026, 2, d, f64::from(d))));
        let found = monthly_levels(&days, &LOGGER);
        assert_eq!(found.thin, vec![(Month::new(2026, 1), 14)]);
        assert_eq!(found.levels.len(), 1);
        assert_eq!(found.levels[0].level, Some(-8.0));
        assert_eq!(found.levels[0].mean, Some(8.0));
        assert_eq!(found.levels[0].highest, Some(-1.0));
        let by_hand = MonthRules { days_min: MonthRules::DAYS_MIN_MANUAL, ..LOGGER };
        assert_eq!(monthly_levels(&days, &by_hand).levels.len(), 2);
    }

    #[test]
    fn half_of_the_days_dry_make_a_dry_month() {
        let days: Vec<DayLevel> =
            (1..=20).map(|d| if d <= 10 { dry(day(2026, 4, d, 0.0)) } else { day(2026, 4, d, 7.0) }).collect();
        let unknown = monthly_levels(&days, &LOGGER).levels[0];
        assert!(unknown.dry && unknown.level.is_none() && unknown.dry_days == 10 && unknown.days == 20);
        assert_eq!(unknown.rank_value(), f64::NEG_INFINITY);
        let known = monthly_levels(&days, &MonthRules { dry_level: Some(-9.0), ..LOGGER }).levels[0];
        assert_eq!((known.dry, known.level), (true, Some(-8.0)));
        let nearly = monthly_levels(&days[1..], &LOGGER).levels[0];
        assert!(!nearly.dry);
        assert_eq!(nearly.level, Some(-7.0), "nine dry days of nineteen");
    }

    #[test]
    fn counted_days_give_the_same_levels_and_tell_their_counts() {
        let days: Vec<DayLevel> = (1..=20).map(|d| day(2026, 4, d, f64::from(d))).collect();
        let counted: Vec<CountedDay> = days
            .iter()
            .map(|&level| CountedDay { level, counts: ValueCounts { values: level.count, approved: 1, good: 3 } })
            .collect();
        let (plain, told) = (monthly_levels(&days, &LOGGER), monthly_levels(&counted, &LOGGER));
        assert_eq!(plain.levels[0].counts, ValueCounts::NONE);
        assert_eq!(told.levels[0].counts, ValueCounts { values: 80, approved: 20, good: 60 });
        assert_eq!(MonthlyLevel { counts: ValueCounts::NONE, ..told.levels[0] }, plain.levels[0]);
    }

    proptest! {
        #[test]
        fn order_of_readings_is_of_no_consequence(
            readings in proptest::collection::vec((0i64..90 * 86_400, -4.0f64..12.0, any::<u32>()), 1..200),
        ) {
            let monthly = |readings: &[(i64, f64, u32)]| {
                let points: Vec<_> = readings.iter().map(|r| (Timestamp::from_secs(r.0), r.1)).collect();
                monthly_levels(&daily_means(&points, 0), &MonthRules::golden(Sense::Depth))
            };
            let before = monthly(&readings);
            let mut shuffled = readings;
            shuffled.sort_by_key(|r| r.2);
            prop_assert_eq!(before, monthly(&shuffled));
        }
    }
}
