//! What a well's water usually is: daily medians, and the medians of its seasons.

use std::collections::BTreeMap;

use gwbank_model::{Day, Month, Timestamp};

use super::is_value;
use crate::calendar::WetSeason;
use crate::robust::median;

/// The half of the year to which a value belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Season {
    Wet,
    Dry,
}

/// The season of a month, and the year in which that season began.
///
/// - **Formula**: wet within [`WetSeason`], else dry; the dry months before May belong to the season that began in November.
/// - **Shape**: any month. **Source, limits**: seasons by province of INDICATORS.md.
/// - **Weak**: rain does not keep to the calendar; an early monsoon counts as dry.
///
/// ```
/// use gwbank_indicator::{WetSeason, salinity::{Season, season_of}};
/// use gwbank_model::Month;
/// assert_eq!(season_of(WetSeason::MayToOctober, Month::new(2026, 8)), (Season::Wet, 2026));
/// assert_eq!(season_of(WetSeason::MayToOctober, Month::new(2027, 2)), (Season::Dry, 2026));
/// assert_eq!(season_of(WetSeason::OctoberToJanuary, Month::new(2027, 1)), (Season::Wet, 2026));
/// ```
pub fn season_of(wet: WetSeason, month: Month) -> (Season, i32) {
    if let Some(year) = wet.season_year(month) {
        return (Season::Wet, year);
    }
    // The dry months before May belong to the season that began in November.
    let before_the_wet_season = wet == WetSeason::MayToOctober && month.month_of_year() < 5;
    (Season::Dry, month.year() - i32::from(before_the_wet_season))
}

/// The middle value of a civil day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DailyMedian {
    pub day: Day,
    pub value: f64,
    /// Values of the day.
    pub count: usize,
}

/// Daily medians in order of time: days weigh alike however often a probe measures, and a bubble on it for an hour leaves no
/// trace.
///
/// - **Formula**: median of the values of a civil day. **Unit**: that of the values. **Shape**: values in any order; what is negative
///   or not finite is left out; the day's zone by its offset from UTC in seconds.
/// - **Source, limits**: none.
/// - **Weak**: where the tide reaches a well its day has two waters, and the median is that of neither.
///
/// ```
/// use gwbank_indicator::salinity::daily_medians;
/// use gwbank_model::Timestamp;
/// let hour = |h: i64| Timestamp::from_secs(h * 3600);
/// let days = daily_medians(&[(hour(3), 610.0), (hour(1), 600.0), (hour(2), 9999.0), (hour(25), f64::NAN)], 0);
/// assert_eq!((days.len(), days[0].value, days[0].count), (1, 610.0, 3));
/// ```
pub fn daily_medians(readings: &[(Timestamp, f64)], offset_seconds: i32) -> Vec<DailyMedian> {
    let mut by_day: BTreeMap<Day, Vec<f64>> = BTreeMap::new();
    for &(time, value) in readings {
        if is_value(value) {
            by_day.entry(time.day(offset_seconds)).or_default().push(value);
        }
    }
    let of_day = |(day, mut values): (Day, Vec<f64>)| {
        median(&mut values).map(|value| DailyMedian { day, value, count: values.len() })
    };
    by_day.into_iter().filter_map(of_day).collect()
}

/// One occurrence of a season.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeasonMedian {
    pub season: Season,
    /// In which the season began.
    pub year: i32,
    /// Median of its daily medians.
    pub value: f64,
    pub days: usize,
}

/// The median of every season that has enough days, by year, of a year the wet one first.
///
/// - **Formula**: median of the daily medians. **Unit**: that of the values. **Shape**: days in any order, each once; at least
///   `days_min` of a season, which is the caller's.
/// - **Source, limits**: none.
/// - **Weak**: days that were measured in one half of a season stand for all of it.
///
/// ```
/// use gwbank_indicator::{WetSeason, salinity::{DailyMedian, Season, season_medians}};
/// use gwbank_model::Month;
/// let first = Month::new(2025, 5).first_day();
/// let days: Vec<DailyMedian> = (0..365)
///     .map(|offset| DailyMedian { day: gwbank_model::Day(first.0 + offset), value: f64::from(offset), count: 1 })
///     .collect();
/// let found = season_medians(&days, WetSeason::MayToOctober, 90);
/// assert_eq!((found.len(), found[0].season, found[0].value), (2, Season::Wet, 91.5));
/// ```
pub fn season_medians(days: &[DailyMedian], wet: WetSeason, days_min: usize) -> Vec<SeasonMedian> {
    by_season(days, wet)
        .into_iter()
        .filter(|(_, values)| values.len() >= days_min.max(1))
        .filter_map(|((year, season), mut values)| {
            median(&mut values).map(|value| SeasonMedian { season, year, value, days: values.len() })
        })
        .collect()
}

/// Daily medians of each occurrence.
pub(super) fn by_season(days: &[DailyMedian], wet: WetSeason) -> BTreeMap<(i32, Season), Vec<f64>> {
    let mut seasons: BTreeMap<(i32, Season), Vec<f64>> = BTreeMap::new();
    for day in days {
        let (season, year) = season_of(wet, day.day.month());
        seasons.entry((year, season)).or_default().push(day.value);
    }
    seasons
}

/// What a well is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Median of all daily medians of the earlier occurrences of the season.
    pub ec_25: f64,
    pub values: usize,
}

impl Baseline {
    /// Of the occurrences of `season` before the one that began in `year`; `None` with fewer than `values_min` days.
    pub(super) fn before(
        seasons: &BTreeMap<(i32, Season), Vec<f64>>,
        season: Season,
        year: i32,
        values_min: usize,
    ) -> Option<Self> {
        let earlier = seasons.iter().filter(|((began, other), _)| *other == season && *began < year);
        let mut values: Vec<f64> = earlier.flat_map(|(_, values)| values.iter().copied()).collect();
        let ec_25 = median(&mut values).filter(|_| values.len() >= values_min.max(1))?;
        Some(Self { ec_25, values: values.len() })
    }
}

/// Change of the seasonal medians, in their unit per year; `None` for a season with too few of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SalinityTrend {
    pub wet_per_year: Option<f64>,
    pub dry_per_year: Option<f64>,
    pub wet_seasons: usize,
    pub dry_seasons: usize,
}

impl SalinityTrend {
    /// As INDICATORS asks of every trend.
    pub const SEASONS_MIN: usize = 10;
}

/// Slope of the seasonal medians over the years, wet and dry season apart.
///
/// - **Formula**: Sen's slope, the median of (y₂ − y₁)/(x₂ − x₁) over all pairs of (year, median); it is handed in, so that one
///   definition serves the whole program. **Unit**: that of the medians, a year. **Shape**: medians in any order, one a season and
///   year.
/// - **Source**: Sen 1968. **Limits**: ten seasons ([`SalinityTrend::SEASONS_MIN`]), as INDICATORS.md asks of every trend.
/// - **Weak**: changes within a season are not in it; a salt front that comes and goes each April is a level, not a trend.
///
/// ```
/// use gwbank_indicator::salinity::{Season, SeasonMedian, trend};
/// let medians: Vec<SeasonMedian> = (0..10)
///     .map(|i| SeasonMedian { season: Season::Dry, year: 2016 + i, value: 800.0 + 12.0 * f64::from(i), days: 150 })
///     .collect();
/// // Any slope will do for the example: that from the first to the last.
/// let ends = |points: &[(f64, f64)]| {
///     let (first, last) = (points.first()?, points.last()?);
///     Some((last.1 - first.1) / (last.0 - first.0))
/// };
/// let found = trend(&medians, ends);
/// assert_eq!((found.dry_per_year, found.wet_per_year), (Some(12.0), None));
/// ```
pub fn trend(medians: &[SeasonMedian], slope: impl Fn(&[(f64, f64)]) -> Option<f64>) -> SalinityTrend {
    let of = |season: Season| {
        let mut points: Vec<(f64, f64)> =
            medians.iter().filter(|m| m.season == season).map(|m| (f64::from(m.year), m.value)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let enough = points.len() >= SalinityTrend::SEASONS_MIN;
        (if enough { slope(&points) } else { None }, points.len())
    };
    let ((wet_per_year, wet_seasons), (dry_per_year, dry_seasons)) = (of(Season::Wet), of(Season::Dry));
    SalinityTrend { wet_per_year, dry_per_year, wet_seasons, dry_seasons }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_value_and_nonsense_none() {
        let at = |hour: i64| Timestamp::from_secs(hour * 3600);
        let readings =
            [(at(30), 900.0), (at(1), 400.0), (at(2), 9000.0), (at(3), 410.0), (at(4), f64::NAN), (at(5), -1.0)];
        let found = daily_medians(&readings, 0);
        assert_eq!(
            found.iter().map(|d| (d.day.0, d.value, d.count)).collect::<Vec<_>>(),
            [(0, 410.0, 3), (1, 900.0, 1)]
        );
    }

    #[test]
    fn seasons_alternate_and_every_month_has_one() {
        for wet in [WetSeason::MayToOctober, WetSeason::OctoberToJanuary] {
            let mut changes = Vec::new();
            let mut before = None;
            for index in 0..48 {
                let here = season_of(wet, Month::new(2020, 1).plus(index));
                if before.is_some() && before != Some(here) {
                    changes.push(here);
                }
                before = Some(here);
            }
            assert_eq!(changes.len(), 8, "{wet:?}: {changes:?}");
            assert!(changes.windows(2).all(|pair| pair[0].0 != pair[1].0));
        }
    }

    #[test]
    fn the_present_season_is_not_its_own_baseline() {
        let day = |month: Month, value| DailyMedian { day: month.first_day(), value, count: 1 };
        let days: Vec<DailyMedian> =
            (0..24).map(|i| day(Month::new(2024, 5).plus(i), if i < 12 { 500.0 } else { 5000.0 })).collect();
        let seasons = by_season(&days, WetSeason::MayToOctober);
        let baseline = Baseline::before(&seasons, Season::Wet, 2025, 6).unwrap();
        assert_eq!((baseline.ec_25, baseline.values), (500.0, 6));
        assert_eq!(Baseline::before(&seasons, Season::Wet, 2025, 7), None);
        assert_eq!(Baseline::before(&seasons, Season::Wet, 2024, 1), None);
        assert_eq!(season_medians(&days, WetSeason::MayToOctober, 6).len(), 4);
        assert_eq!(season_medians(&days, WetSeason::MayToOctober, 7).len(), 0);
    }
}
