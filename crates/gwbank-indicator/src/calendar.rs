//! When a month counts as over, which months are the wet season, and where a year begins.

use std::collections::BTreeMap;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Month, Timestamp};

use crate::monthly::{MonthlyLevel, mean_in_order_of_size};

/// A month is evaluated when it closes: some days into the next one, so that late batches are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthClosing {
    /// Day of the following month at whose start the month closes.
    pub day: u8,
    pub offset_seconds: i32,
}

impl Default for MonthClosing {
    fn default() -> Self {
        Self { day: 5, offset_seconds: BANGKOK_OFFSET_SECONDS }
    }
}

impl MonthClosing {
    pub fn closes_at(self, month: Month) -> Timestamp {
        month.plus(1).start(self.offset_seconds).plus_secs((i64::from(self.day) - 1) * 86_400)
    }

    /// The latest month that is closed at this instant. Everything later is preliminary and raises nothing.
    ///
    /// ```
    /// use gwbank_indicator::MonthClosing;
    /// use gwbank_model::{Month, Timestamp};
    ///
    /// let now = Timestamp::parse_rfc3339("2026-11-04T12:00:00+07:00").unwrap();
    /// assert_eq!(MonthClosing::default().closed_through(now), Month::new(2026, 9), "October closes on 5 November");
    /// ```
    pub fn closed_through(self, now: Timestamp) -> Month {
        let previous = now.month(self.offset_seconds).plus(-1);
        if now >= self.closes_at(previous) { previous } else { previous.plus(-1) }
    }
}

/// The months in which groundwater rises. In the provinces of the southern east coast the north-east monsoon brings
/// the rain, elsewhere the south-west monsoon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WetSeason {
    MayToOctober,
    OctoberToJanuary,
}

/// DOPA codes: Nakhon Si Thammarat, Surat Thani, Chumphon, Songkhla, Phatthalung, Pattani, Yala, Narathiwat.
const SOUTHERN_EAST_COAST: [&str; 8] = ["80", "84", "86", "90", "93", "94", "95", "96"];

impl WetSeason {
    pub fn of_province(province_code: &str) -> Self {
        if SOUTHERN_EAST_COAST.contains(&province_code) { Self::OctoberToJanuary } else { Self::MayToOctober }
    }

    /// The year in which the season of this month began; `None` outside of the season.
    pub fn season_year(self, month: Month) -> Option<i32> {
        match (self, month.month_of_year()) {
            (Self::MayToOctober, 5..=10) => Some(month.year()),
            (Self::OctoberToJanuary, 10..=12) => Some(month.year()),
            (Self::OctoberToJanuary, 1) => Some(month.year() - 1),
            _ => None,
        }
    }

    /// The first month after which the next season begins: seasons that began in this year or later are not past.
    pub fn present_season_year(self, month: Month) -> i32 {
        match self {
            Self::MayToOctober => month.year(),
            Self::OctoberToJanuary if month.month_of_year() == 1 => month.year() - 1,
            Self::OctoberToJanuary => month.year(),
        }
    }
}

/// The highest daily level (up) of each wet season before the present one, oldest first.
///
/// - **Formula**: maximum over the season's months of [`MonthlyLevel::highest`]. **Unit**: m, up = wetter. **Shape**: months in any
///   order; a season without a level is absent.
/// - **Source**: none, this project's definition; seasons are those of the south-west and the north-east monsoon, by province
///   ([`WetSeason::of_province`]).
/// - **Limits**: the record rule of [`flood`](crate::flood) takes at least three such seasons (this project's).
/// - **Weak**: a season of which only a dry month was measured counts as one, with a high that is none; a spike that passed
///   the quality tests is the record for good.
///
/// ```
/// use gwbank_indicator::{MonthlyLevel, WetSeason, season_highs};
/// use gwbank_model::Month;
///
/// let months = [(2024, 6, -2.5), (2024, 9, -1.5), (2025, 3, -0.5), (2025, 9, -1.2), (2026, 9, -0.2)]
///     .map(|(year, month, level)| MonthlyLevel::of(Month::new(year, month), level));
/// let highs = season_highs(WetSeason::MayToOctober, &months, Month::new(2026, 11));
/// assert_eq!(highs, vec![-1.5, -1.2], "March is no wet season, and 2026 is the present one");
/// ```
pub fn season_highs(season: WetSeason, months: &[MonthlyLevel], present: Month) -> Vec<f64> {
    let present_year = season.present_season_year(present);
    let mut highs: BTreeMap<i32, f64> = BTreeMap::new();
    for month in months {
        let (Some(year), Some(highest)) = (season.season_year(month.month), month.highest) else { continue };
        if year < present_year {
            let high = highs.entry(year).or_insert(f64::NEG_INFINITY);
            *high = high.max(highest);
        }
    }
    highs.into_values().collect()
}

/// Where a year begins. A year goes by the calendar year in which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YearStart {
    /// Calendar year.
    January,
    /// Hydrological year of Thailand and the Netherlands: from the end of the dry season.
    April,
    /// Thai fiscal year, which officially goes by the year in which it ends.
    October,
}

impl YearStart {
    pub const fn first_month_of_year(self) -> u32 {
        match self {
            Self::January => 1,
            Self::April => 4,
            Self::October => 10,
        }
    }

    /// The calendar year in which the year of this month began.
    ///
    /// ```
    /// use gwbank_indicator::YearStart;
    /// use gwbank_model::Month;
    ///
    /// assert_eq!(YearStart::April.year_of(Month::new(2026, 3)), 2025);
    /// assert_eq!(YearStart::October.year_of(Month::new(2026, 10)), 2026);
    /// ```
    pub const fn year_of(self, month: Month) -> i32 {
        month.plus(1 - self.first_month_of_year() as i32).year()
    }
}

/// Mean level of a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnnualLevel {
    /// In which the year began.
    pub year: i32,
    /// Mean of its monthly levels, up = wetter.
    pub level: f64,
    pub months: u32,
}

/// Nine of twelve months: what a yearly mean takes by default.
pub const ANNUAL_MONTHS_MIN: u32 = 9;

/// Mean levels of the years that have enough months, oldest first; other years are absent.
///
/// - **Formula**: the mean of the monthly levels of the year. **Unit**: m, up = wetter. **Shape**: months in any order.
/// - **Source**: none, this project's definition; nine months is the default of the trend's golden files.
/// - **Weak**: the missing months may be of one season and pull the mean; months of unknown depth (dry) count as missing.
///
/// ```
/// use gwbank_indicator::{ANNUAL_MONTHS_MIN, MonthlyLevel, YearStart, annual_levels};
/// use gwbank_model::Month;
///
/// let months: Vec<MonthlyLevel> =
///     (0..20).map(|i| MonthlyLevel::of(Month::new(2020, 1).plus(i), f64::from(i))).collect();
/// let years = annual_levels(&months, YearStart::January, ANNUAL_MONTHS_MIN);
/// assert_eq!((years.len(), years[0].year, years[0].level), (1, 2020, 5.5), "2021 has eight months");
/// ```
pub fn annual_levels(months: &[MonthlyLevel], start: YearStart, months_min: u32) -> Vec<AnnualLevel> {
    let mut years: BTreeMap<i32, Vec<f64>> = BTreeMap::new();
    for month in months {
        if let Some(level) = month.level {
            years.entry(start.year_of(month.month)).or_default().push(level);
        }
    }
    years
        .into_iter()
        .filter_map(|(year, mut levels)| {
            let months = u32::try_from(levels.len()).unwrap_or(u32::MAX);
            let level = mean_in_order_of_size(&mut levels)?;
            (months >= months_min).then_some(AnnualLevel { year, level, months })
        })
        .collect()
}

/// January is 0.
pub(crate) fn calendar_index(month: Month) -> usize {
    month.index().rem_euclid(12) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_closes_on_the_fifth_in_bangkok() {
        let closing = MonthClosing::default();
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        assert_eq!(closing.closes_at(Month::new(2026, 10)), at("2026-11-05T00:00:00+07:00"));
        assert_eq!(closing.closed_through(at("2026-11-04T23:59:59+07:00")), Month::new(2026, 9));
        assert_eq!(closing.closed_through(at("2026-11-05T00:00:00+07:00")), Month::new(2026, 10));
        assert_eq!(closing.closed_through(at("2026-11-30T23:59:59+07:00")), Month::new(2026, 10));
        assert_eq!(closing.closed_through(at("2027-01-05T00:00:00+07:00")), Month::new(2026, 12));
    }

    #[test]
    fn january_belongs_to_the_season_that_began_in_october() {
        assert_eq!(WetSeason::of_province("90").season_year(Month::new(2026, 1)), Some(2025));
        assert_eq!(WetSeason::of_province("90").season_year(Month::new(2026, 10)), Some(2026));
        assert_eq!(WetSeason::of_province("30").season_year(Month::new(2026, 1)), None);
        assert_eq!(WetSeason::of_province("30").season_year(Month::new(2026, 5)), Some(2026));
    }

    #[test]
    fn the_present_season_is_no_past_one() {
        let month = |m, highest| MonthlyLevel { highest: Some(highest), ..MonthlyLevel::of(m, -3.0) };
        let months = [
            month(Month::new(2024, 4), 9.0),
            month(Month::new(2024, 6), -2.5),
            month(Month::new(2024, 9), -1.5),
            month(Month::new(2025, 9), -1.2),
            month(Month::new(2026, 9), -0.2),
        ];
        assert_eq!(season_highs(WetSeason::MayToOctober, &months, Month::new(2026, 11)), vec![-1.5, -1.2]);
    }
}
