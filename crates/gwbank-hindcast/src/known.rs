//! What was known of a well's months, and from which closing on.
//!
//! # Rules
//! 1. A day is known from the instant at which its last reading was received; a day without that instant was known at once.
//! 2. A day may be given more than once, as corrections make it: of those known at an instant, the one that came last counts;
//!    of those that came together, the one given last.
//! 3. Nothing is known of a month before it closes: an open month raises nothing and ranks nobody.
//! 4. A month changes at a closing or not at all; what came between two closings is seen at the later one. So a month is kept
//!    as its versions, mostly one, and a replay takes each when its closing comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use gwbank_indicator::{DayLevel, MonthClosing, MonthRules, MonthlyLevel, Sense, ValueCounts, monthly_levels};
use gwbank_model::{Day, Month, Timestamp};
use gwbank_registry::Well;

use crate::config::HindcastConfig;

/// A day of a level series, of the readings that count (by default those of quality 1 and 2), and when it was known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownDay {
    /// In the parameter's own sense.
    pub level: DayLevel,
    /// When the day's last reading was received; `None`: known at once.
    pub received_at: Option<Timestamp>,
}

/// A well and the versions of its months: all that a replay needs of its levels, some fifty bytes a month. Make one well after
/// the other, so that the days of one alone are in memory.
#[derive(Debug, Clone)]
pub struct WellRecord {
    well: Arc<Well>,
    sense: Sense,
    /// By (closing, month).
    versions: Vec<Version>,
}

/// What a month amounts to from a closing on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Version {
    /// The month at whose closing this was known first.
    pub closing: Month,
    pub month: Month,
    /// `None`: no month any more, as too few of its days are left.
    pub level: Option<KeptLevel>,
}

/// A month's level as ranks need it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KeptLevel {
    /// Up = wetter; `None` for a month that was dry to an unknown depth.
    pub level: Option<f64>,
    /// The highest daily level.
    pub highest: Option<f64>,
    pub dry: bool,
}

impl KeptLevel {
    fn of(month: &MonthlyLevel) -> Self {
        Self { level: month.level, highest: month.highest, dry: month.dry }
    }

    pub fn rank_value(self) -> f64 {
        self.level.unwrap_or(f64::NEG_INFINITY)
    }

    pub fn at(self, month: Month) -> MonthlyLevel {
        let Self { level, highest, dry } = self;
        MonthlyLevel {
            month,
            mean: None,
            level,
            highest,
            days: 0,
            dry_days: 0,
            count: 0,
            counts: ValueCounts::NONE,
            dry,
        }
    }
}

impl WellRecord {
    /// From the days of the well's level parameter, in any order. Where a well has two such parameters, the live watch
    /// follows the one with more days; that choice is the caller's.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gwbank_hindcast::{HindcastConfig, KnownDay, WellRecord};
    /// use gwbank_indicator::{DayLevel, Sense};
    /// use gwbank_model::{Day, Month, WellId};
    /// use gwbank_registry::{BankType, Well};
    ///
    /// let well = Arc::new(Well::new(WellId::new("W1").unwrap(), "30", BankType::Observation));
    /// let first = Month::new(2026, 5).first_day().0;
    /// let day = |day| DayLevel { day: Day(day), mean: Some(3.0), count: 4, dry_count: 0 };
    /// let days: Vec<KnownDay> =
    ///     (first..first + 20).map(|at| KnownDay { level: day(at), received_at: None }).collect();
    /// let record = WellRecord::of_days(well, Sense::Depth, &days, &HindcastConfig::default());
    /// assert_eq!(record.months_known_at(Month::new(2026, 5))[0].level, Some(-3.0));
    /// assert!(record.months_known_at(Month::new(2026, 4)).is_empty());
    /// ```
    pub fn of_days(well: Arc<Well>, sense: Sense, days: &[KnownDay], config: &HindcastConfig) -> Self {
        let rules = MonthRules::of_well(&well, sense, config.days_min);
        let mut sorted: Vec<Known> = days.iter().map(|day| Known::of(day, config.closing)).collect();
        // Stable: of equals the one given last stays last.
        sorted.sort_by_key(|known| (known.level.day, known.received_at));
        let mut versions = Vec::new();
        let mut rest = sorted.as_slice();
        while let Some(first) = rest.first() {
            let month = first.level.day.month();
            let end = month.plus(1).first_day();
            let (of_month, later) = rest.split_at(rest.partition_point(|known| known.level.day < end));
            rest = later;
            add_versions(&mut versions, month, of_month, &rules);
        }
        Self::of_versions(well, sense, versions)
    }

    /// From monthly levels that were known at once, each month once: simulated ones, or a bulletin's. Levels are
    /// up = wetter; `sense` says of which parameter they were made.
    pub fn of_months(well: Arc<Well>, sense: Sense, months: &[MonthlyLevel]) -> Self {
        let version = |m: &MonthlyLevel| Version { closing: m.month, month: m.month, level: Some(KeptLevel::of(m)) };
        Self::of_versions(well, sense, months.iter().map(version).collect())
    }

    fn of_versions(well: Arc<Well>, sense: Sense, mut versions: Vec<Version>) -> Self {
        versions.sort_by_key(|version| (version.closing, version.month));
        Self { well, sense, versions }
    }

    pub fn well(&self) -> &Arc<Well> {
        &self.well
    }

    /// Of the parameter that the levels were made of.
    pub fn sense(&self) -> Sense {
        self.sense
    }

    /// The months as they were known when `closing` closed, in order of time. Of each the level, whether it was dry and the
    /// highest day; counts of days are not kept.
    pub fn months_known_at(&self, closing: Month) -> Vec<MonthlyLevel> {
        let mut months: BTreeMap<Month, Option<KeptLevel>> = BTreeMap::new();
        for version in self.versions.iter().take_while(|version| version.closing <= closing) {
            months.insert(version.month, version.level);
        }
        months.into_iter().filter_map(|(month, level)| level.map(|level| level.at(month))).collect()
    }

    /// The months as they are known in the end.
    pub fn months(&self) -> Vec<MonthlyLevel> {
        self.versions.last().map_or(Vec::new(), |last| self.months_known_at(last.closing))
    }

    pub(crate) fn versions(&self) -> &[Version] {
        &self.versions
    }
}

/// A day with the closing at which it is seen.
#[derive(Debug, Clone, Copy)]
struct Known {
    level: DayLevel,
    received_at: Option<Timestamp>,
    closing: Month,
}

impl Known {
    fn of(day: &KnownDay, closing: MonthClosing) -> Self {
        let own = day.level.day.month();
        let received = day.received_at.map_or(own, |at| first_closing(at, closing));
        Self { level: day.level, received_at: day.received_at, closing: own.max(received) }
    }
}

/// The first month that closes at this instant or later.
pub(crate) fn first_closing(at: Timestamp, closing: MonthClosing) -> Month {
    let closed = closing.closed_through(at);
    if closing.closes_at(closed) == at { closed } else { closed.plus(1) }
}

fn add_versions(versions: &mut Vec<Version>, month: Month, days: &[Known], rules: &MonthRules) {
    let mut closings: Vec<Month> = days.iter().map(|known| known.closing).collect();
    closings.sort_unstable();
    closings.dedup();
    let mut before = None;
    for closing in closings {
        let mut seen: BTreeMap<Day, DayLevel> = BTreeMap::new();
        for known in days.iter().filter(|known| known.closing <= closing) {
            seen.insert(known.level.day, known.level);
        }
        let seen: Vec<DayLevel> = seen.into_values().collect();
        let level = monthly_levels(&seen, rules).levels.first().map(KeptLevel::of);
        if level != before {
            versions.push(Version { closing, month, level });
            before = level;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::well;

    const MAY: Month = Month::new(2026, 5);

    fn day(of_month: i32, depth: f64, received_at: Option<&str>) -> KnownDay {
        let day = Day(MAY.first_day().0 + of_month - 1);
        let level = DayLevel { day, mean: Some(depth), count: 1, dry_count: 0 };
        KnownDay { level, received_at: received_at.map(|text| Timestamp::parse_rfc3339(text).unwrap()) }
    }

    fn record(days: &[KnownDay]) -> WellRecord {
        WellRecord::of_days(well("W", "30", "3001"), Sense::Depth, days, &HindcastConfig::default())
    }

    fn level_at(record: &WellRecord, closing: Month) -> Option<f64> {
        record.months_known_at(closing).first().and_then(|month| month.level)
    }

    #[test]
    fn the_instant_of_closing_is_in_and_a_second_later_is_not() {
        let mut days: Vec<KnownDay> = (1..=14).map(|d| day(d, 2.0, None)).collect();
        days.push(day(15, 2.0, Some("2026-06-05T00:00:00+07:00")));
        assert_eq!(level_at(&record(&days), MAY), Some(-2.0));
        days[14] = day(15, 2.0, Some("2026-06-05T00:00:01+07:00"));
        assert_eq!(level_at(&record(&days), MAY), None, "fourteen days are no month");
        assert_eq!(level_at(&record(&days), MAY.plus(1)), Some(-2.0));
    }

    #[test]
    fn a_correction_counts_from_when_it_came() {
        let mut days: Vec<KnownDay> = (1..=15).map(|d| day(d, 2.0, None)).collect();
        days.extend((1..=15).map(|d| day(d, 3.0, Some("2027-01-20T00:00:00+07:00"))));
        let record = record(&days);
        assert_eq!(level_at(&record, Month::new(2026, 12)), Some(-2.0));
        assert_eq!(level_at(&record, Month::new(2027, 1)), Some(-3.0));
        assert_eq!(record.months()[0].level, Some(-3.0));
        assert_eq!(record.versions().len(), 2);
    }

    #[test]
    fn nothing_is_known_before_the_month_closes() {
        let days: Vec<KnownDay> = (1..=20).map(|d| day(d, 2.0, Some("2026-05-25T00:00:00+07:00"))).collect();
        assert_eq!(record(&days).versions()[0].closing, MAY);
    }
}
