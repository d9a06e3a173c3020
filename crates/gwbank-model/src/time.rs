//! Instants in UTC microseconds; days and months of a calendar at a fixed offset.

use std::fmt;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, SecondsFormat, Utc};

/// Thailand keeps +07:00 all year and has done so since 1920.
pub const BANGKOK_OFFSET_SECONDS: i32 = 7 * 3600;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1000)
    }
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1_000_000)
    }
    pub const fn as_micros(self) -> i64 {
        self.0
    }
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(1_000_000)))
    }
    /// Microseconds from `earlier` to this instant.
    pub const fn micros_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
    /// Parses RFC 3339 with an offset. Anything else is the business of `gwbank-wire`.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|t| Self(t.timestamp_micros()))
    }
    /// RFC 3339 at an offset from UTC, with as many decimals as needed (none, 3 or 6).
    pub fn to_rfc3339(self, offset_seconds: i32) -> String {
        let offset =
            FixedOffset::east_opt(offset_seconds).unwrap_or(FixedOffset::east_opt(0).expect("zero is an offset"));
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(utc) => utc.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::AutoSi, offset_seconds == 0),
            None => format!("{}us", self.0),
        }
    }
    pub const fn day(self, offset_seconds: i32) -> Day {
        Day((self.as_secs() + offset_seconds as i64).div_euclid(86_400) as i32)
    }
    pub fn month(self, offset_seconds: i32) -> Month {
        self.day(offset_seconds).month()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_rfc3339(0))
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339(0))
    }
}

/// A civil day, counted from 1970-01-01 (Arrow's `Date32`). Which offset made it is the caller's knowledge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Day(pub i32);

impl Day {
    pub fn date(self) -> NaiveDate {
        NaiveDate::from_epoch_days(self.0).unwrap_or(NaiveDate::MIN)
    }
    pub fn month(self) -> Month {
        let date = self.date();
        Month::new(date.year(), date.month())
    }
    /// The instant at which the day starts at that offset.
    pub const fn start(self, offset_seconds: i32) -> Timestamp {
        Timestamp::from_secs(self.0 as i64 * 86_400 - offset_seconds as i64)
    }
}

/// Months of instants that come mostly in order: asks the calendar only where a month ends.
#[derive(Debug, Clone, Copy)]
pub struct MonthCursor {
    offset_seconds: i32,
    month: Month,
    from: Timestamp,
    to: Timestamp,
}

impl MonthCursor {
    pub fn new(offset_seconds: i32) -> Self {
        Self { offset_seconds, month: Month(0), from: Timestamp::MAX, to: Timestamp::MIN }
    }

    /// As [`Timestamp::month`].
    pub fn month(&mut self, time: Timestamp) -> Month {
        if time < self.from || time >= self.to {
            self.month = time.month(self.offset_seconds);
            (self.from, self.to) =
                (self.month.start(self.offset_seconds), self.month.plus(1).start(self.offset_seconds));
        }
        self.month
    }

    /// Where the month of the instant asked for last ends.
    pub fn end(&self) -> Timestamp {
        self.to
    }
}

/// A calendar month, counted from January 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Month {
    /// `month` from 1 to 12.
    pub const fn new(year: i32, month: u32) -> Self {
        Self((year - 1970) * 12 + month as i32 - 1)
    }
    pub const fn from_index(index: i32) -> Self {
        Self(index)
    }
    /// Months since January 1970.
    pub const fn index(self) -> i32 {
        self.0
    }
    pub const fn year(self) -> i32 {
        1970 + self.0.div_euclid(12)
    }
    /// From 1 to 12.
    pub const fn month_of_year(self) -> u32 {
        self.0.rem_euclid(12) as u32 + 1
    }
    #[must_use]
    pub const fn plus(self, months: i32) -> Self {
        Self(self.0 + months)
    }
    pub fn first_day(self) -> Day {
        let date = NaiveDate::from_ymd_opt(self.year(), self.month_of_year(), 1).unwrap_or(NaiveDate::MIN);
        Day(date.to_epoch_days())
    }
    pub fn days(self) -> u32 {
        (self.plus(1).first_day().0 - self.first_day().0) as u32
    }
    /// The instant at which the month starts at that offset.
    pub fn start(self, offset_seconds: i32) -> Timestamp {
        self.first_day().start(offset_seconds)
    }
    /// Parses `YYYY-MM` (or longer, the rest ignored only when it is a day).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let year: i32 = parts.next()?.parse().ok()?;
        let month: u32 = parts.next()?.parse().ok()?;
        (1..=12).contains(&month).then(|| Self::new(year, month))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.month_of_year())
    }
}
impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bangkok_day_starts_at_seventeen_hours_utc() {
        let t = Timestamp::parse_rfc3339("2026-11-22T17:00:00Z").unwrap();
        assert_eq!(t.day(BANGKOK_OFFSET_SECONDS).date().to_string(), "2026-11-23");
        assert_eq!(t.plus_micros(-1).day(BANGKOK_OFFSET_SECONDS).date().to_string(), "2026-11-22");
        assert_eq!(t.day(BANGKOK_OFFSET_SECONDS).start(BANGKOK_OFFSET_SECONDS), t);
        assert_eq!(t.to_rfc3339(BANGKOK_OFFSET_SECONDS), "2026-11-23T00:00:00+07:00");
    }

    #[test]
    fn months_count_through_years_and_before_1970() {
        let m = Month::new(2026, 12);
        assert_eq!(m.plus(1), Month::new(2027, 1));
        assert_eq!(m.days(), 31);
        assert_eq!(Month::new(2024, 2).days(), 29);
        assert_eq!(Month::new(1913, 8).to_string(), "1913-08");
        assert_eq!(Timestamp::parse_rfc3339("1913-08-27T12:00:00Z").unwrap().month(0), Month::new(1913, 8));
        assert_eq!(Month::parse("2026-11"), Some(Month::new(2026, 11)));
        assert_eq!(Month::parse("2026-13"), None);
    }
}
