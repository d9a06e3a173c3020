//! Zones by name or offset: what local clocks show.

use std::str::FromStr;

use chrono::{DateTime, Offset, TimeZone};

use crate::BANGKOK_OFFSET_SECONDS;

const MICROS_PER_SECOND: i64 = 1_000_000;
const DAY_MICROS: i64 = 86_400 * MICROS_PER_SECOND;

/// A zone of the tz database, or an offset east of UTC.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    clocks: Clocks,
}

#[derive(Debug, Clone, Copy)]
enum Clocks {
    /// Seconds east of UTC, whenever.
    Fixed(i32),
    Changing(chrono_tz::Tz),
}

impl Zone {
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), clocks: Clocks::Fixed(0) }
    }

    pub fn bangkok() -> Self {
        Self { name: "Asia/Bangkok".to_owned(), clocks: Clocks::Fixed(BANGKOK_OFFSET_SECONDS) }
    }

    /// `Asia/Bangkok`, `+07:00`, `-0330`, `+07`.
    pub fn named(name: &str) -> Option<Self> {
        let clocks = match name {
            // Bangkok's clocks were last changed in 1920, before anything was measured: a day of it has 24 hours.
            "Asia/Bangkok" => Clocks::Fixed(BANGKOK_OFFSET_SECONDS),
            "UTC" | "utc" | "UTC0" | "Etc/UTC" | "GMT" | "Z" | "Zulu" | "zulu" => Clocks::Fixed(0),
            other => match offset(other) {
                Some(seconds) => Clocks::Fixed(seconds),
                None => Clocks::Changing(chrono_tz::Tz::from_str(other).ok()?),
            },
        };
        Some(Self { name: name.to_owned(), clocks })
    }

    /// Also what only PostgreSQL takes: names in any case, and POSIX forms such as `GMT-07:00`, `UTC-7` and `<+07>-07`, **whose
    /// sign is the other way round**. Not for configuration, where `UTC+7` is meant as it reads.
    pub fn of_postgresql(name: &str) -> Option<Self> {
        if let Some(zone) = Self::named(name) {
            return Some(zone);
        }
        let clocks = match posix_offset(name) {
            Some(seconds) => Clocks::Fixed(seconds),
            None => {
                let found = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name))?;
                return Self::named(found.name());
            }
        };
        Some(Self { name: name.to_owned(), clocks })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seconds east of UTC, of a zone whose clocks never change.
    pub fn fixed_seconds(&self) -> Option<i32> {
        match self.clocks {
            Clocks::Fixed(seconds) => Some(seconds),
            Clocks::Changing(_) => None,
        }
    }

    /// Seconds east of UTC at an instant.
    pub fn offset(&self, micros: i64) -> i32 {
        match self.clocks {
            Clocks::Fixed(seconds) => seconds,
            Clocks::Changing(zone) => {
                let instant = DateTime::from_timestamp_micros(micros).unwrap_or_default().naive_utc();
                zone.offset_from_utc_datetime(&instant).fix().local_minus_utc()
            }
        }
    }

    /// What the zone's clocks show at an instant.
    pub fn local(&self, micros: i64) -> i64 {
        micros.saturating_add(i64::from(self.offset(micros)) * MICROS_PER_SECOND)
    }

    /// The instant at which the zone's clocks show it; the later of two, as PostgreSQL has it.
    pub fn instant(&self, local_micros: i64) -> i64 {
        let offset = match self.clocks {
            Clocks::Fixed(seconds) => seconds,
            Clocks::Changing(zone) => {
                let Some(local) = DateTime::from_timestamp_micros(local_micros).map(|local| local.naive_utc()) else {
                    return local_micros;
                };
                match zone.offset_from_local_datetime(&local).latest() {
                    Some(offset) => offset.fix().local_minus_utc(),
                    // Clocks were put forward over it: as if they had not been.
                    None => self.offset(local_micros.saturating_sub(DAY_MICROS)),
                }
            }
        };
        local_micros.saturating_sub(i64::from(offset) * MICROS_PER_SECOND)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl std::hash::Hash for Zone {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

fn posix_offset(text: &str) -> Option<i32> {
    let rest = match text.strip_prefix('<') {
        Some(named) => named.split_once('>')?.1,
        None => text.strip_prefix("GMT").or_else(|| text.strip_prefix("UTC"))?,
    };
    let (sign, digits) = match rest.strip_prefix('-') {
        Some(digits) => (1, digits),
        None => (-1, rest.strip_prefix('+').unwrap_or(rest)),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let number = |text: &str| (1..=2).contains(&text.len()).then(|| text.parse::<u8>().ok())?.map(i32::from);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        2 => (digits.parse::<i32>().ok()?, 0),
        4 => (digits[..2].parse::<i32>().ok()?, digits[2..].parse::<i32>().ok()?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_that_never_change() {
        let seconds = |name: &str| Zone::named(name).and_then(|zone| zone.fixed_seconds());
        assert_eq!(seconds("Asia/Bangkok"), Some(25_200));
        assert_eq!(seconds("+07:00"), Some(25_200));
        assert_eq!(seconds("-0330"), Some(-12_600));
        assert_eq!(seconds("+07"), Some(25_200));
        assert_eq!(seconds("Z"), Some(0));
        assert_eq!(seconds("Europe/Berlin"), None);
        for bad in ["", "+", "Mars/Olympus", "07:00", "+7", "+99:00", "+07:60", "+é7:0"] {
            assert_eq!(Zone::named(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_only_postgresql_takes() {
        let seconds = |name: &str| Zone::of_postgresql(name).and_then(|zone| zone.fixed_seconds());
        assert_eq!(seconds("GMT-07:00"), Some(25_200));
        assert_eq!(seconds("UTC+5:30"), Some(-19_800));
        assert_eq!(seconds("<+07>-07"), Some(25_200));
        assert_eq!(seconds("asia/bangkok"), Some(25_200));
        assert_eq!(seconds("+07:00"), Some(25_200));
        for bad in ["GMT-99", "UTC+x", "<+07", "GMT-7:99", "Mars", "UTC+007"] {
            assert_eq!(Zone::of_postgresql(bad), None, "{bad}");
        }
        assert_eq!(Zone::named("UTC+7"), None);
    }

    #[test]
    fn clocks_that_change() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let hours = |hours: i64| hours * 3600 * MICROS_PER_SECOND;
        let summer = 1_751_328_000_000_000; // 2025-07-01T00:00:00Z
        assert_eq!(berlin.local(summer), summer + hours(2));
        assert_eq!(berlin.instant(summer + hours(2)), summer);
        // 2025-03-30, 02:30 local was passed over; 2025-10-26, 02:30 local came twice.
        let (spring, autumn) = (1_743_301_800_000_000, 1_761_445_800_000_000);
        assert_eq!(berlin.instant(spring), spring - hours(1));
        assert_eq!(berlin.instant(autumn), autumn - hours(1));
        assert_eq!(Zone::named("+07:00").unwrap().local(i64::MAX), i64::MAX);
    }
}
