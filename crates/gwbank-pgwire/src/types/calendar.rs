//! Days and times of day as PostgreSQL writes them in its ISO style.

use bytes::{BufMut, BytesMut};
use gwbank_model::Zone;

const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Days from 1970-01-01 to 2000-01-01, from which PostgreSQL's binary form counts.
pub const POSTGRES_EPOCH_DAYS: i32 = 10_957;
pub const POSTGRES_EPOCH_MICROS: i64 = POSTGRES_EPOCH_DAYS as i64 * MICROS_PER_DAY;

/// Year, month and day of a day since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day)
}

fn digits(out: &mut BytesMut, mut number: u64, width: usize) {
    let mut text = [b'0'; 20];
    let mut first = text.len();
    while number > 0 || text.len() - first < width {
        first -= 1;
        text[first] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.put_slice(&text[first..]);
}

/// Writes the day; says whether its year is before the common era, which is told at the end.
fn put_day(out: &mut BytesMut, days: i64) -> bool {
    let (year, month, day) = civil(days);
    let before = year <= 0;
    digits(out, if before { 1 - year } else { year } as u64, 4);
    out.put_u8(b'-');
    digits(out, month.into(), 2);
    out.put_u8(b'-');
    digits(out, day.into(), 2);
    before
}

fn put_era(out: &mut BytesMut, before: bool) {
    if before {
        out.put_slice(b" BC");
    }
}

pub fn put_date(out: &mut BytesMut, days: i32) {
    let before = put_day(out, days.into());
    put_era(out, before);
}

/// Hours may be more than a day's: intervals are written with it too.
pub fn put_clock(out: &mut BytesMut, micros: u64) {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    digits(out, seconds / 3600, 2);
    out.put_u8(b':');
    digits(out, seconds / 60 % 60, 2);
    out.put_u8(b':');
    digits(out, seconds % 60, 2);
    if fraction > 0 {
        out.put_u8(b'.');
        digits(out, fraction, 6);
        while out.last() == Some(&b'0') {
            out.truncate(out.len() - 1);
        }
    }
}

pub fn put_timestamp(out: &mut BytesMut, micros: i64) {
    let before = put_local(out, micros);
    put_era(out, before);
}

fn put_local(out: &mut BytesMut, micros: i64) -> bool {
    let before = put_day(out, micros.div_euclid(MICROS_PER_DAY));
    out.put_u8(b' ');
    put_clock(out, micros.rem_euclid(MICROS_PER_DAY) as u64);
    before
}

/// What instants of one column have in common: most are of the day of the one before, so that neither the day is computed
/// nor the zone asked again.
#[derive(Debug, Default)]
pub struct Recent {
    /// Day in UTC, and the zone's offset all through it.
    offset: Option<(i64, i32)>,
    /// Local day, and what is written of it.
    day: Option<(i64, [u8; 10])>,
}

impl Recent {
    /// In the zone, with its offset.
    pub fn put(&mut self, out: &mut BytesMut, micros: i64, zone: &Zone) {
        let offset = self.offset(micros, zone);
        let local = micros.saturating_add(i64::from(offset) * MICROS_PER_SECOND);
        let (day, of_day) = (local.div_euclid(MICROS_PER_DAY), local.rem_euclid(MICROS_PER_DAY) as u64);
        let is_plain = offset % 3600 == 0 && (FOUR_DIGITS_FROM..FOUR_DIGITS_TO).contains(&day);
        if !is_plain {
            return put_instant_at(out, micros, offset);
        }
        let date = match self.day {
            Some((known, date)) if known == day => date,
            _ => {
                let mut text = BytesMut::with_capacity(16);
                put_day(&mut text, day);
                let mut date = [0; 10];
                date.copy_from_slice(&text[..10]);
                self.day = Some((day, date));
                date
            }
        };
        let mut text = *b"0000-00-00 00:00:00.000000+00";
        text[..10].copy_from_slice(&date);
        let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
        two_digits(&mut text[11..13], seconds / 3600);
        two_digits(&mut text[14..16], seconds / 60 % 60);
        two_digits(&mut text[17..19], seconds % 60);
        let mut end = 19;
        if fraction > 0 {
            let mut left = fraction;
            for digit in text[20..26].iter_mut().rev() {
                *digit = b'0' + (left % 10) as u8;
                left /= 10;
            }
            end = 26;
            while text[end - 1] == b'0' {
                end -= 1;
            }
        }
        text[end] = if offset < 0 { b'-' } else { b'+' };
        two_digits(&mut text[end + 1..end + 3], u64::from(offset.unsigned_abs() / 3600));
        out.put_slice(&text[..end + 3]);
    }

    fn offset(&mut self, micros: i64, zone: &Zone) -> i32 {
        let day = micros.div_euclid(MICROS_PER_DAY);
        match self.offset {
            Some((known, offset)) if known == day => offset,
            _ => {
                let offset = zone.offset(micros);
                // Clocks are put forward and back within months, never within a day: alike at both ends is alike between.
                let ends = [day.saturating_mul(MICROS_PER_DAY), (day + 1).saturating_mul(MICROS_PER_DAY) - 1];
                self.offset = ends.iter().all(|&end| zone.offset(end) == offset).then_some((day, offset));
                offset
            }
        }
    }
}

/// Days of the years 0001 to 9999.
const FOUR_DIGITS_FROM: i64 = -719_162;
const FOUR_DIGITS_TO: i64 = 2_932_897;

fn two_digits(text: &mut [u8], number: u64) {
    text[0] = b'0' + (number / 10) as u8;
    text[1] = b'0' + (number % 10) as u8;
}

fn put_instant_at(out: &mut BytesMut, micros: i64, offset: i32) {
    let before = put_local(out, micros.saturating_add(i64::from(offset) * MICROS_PER_SECOND));
    out.put_u8(if offset < 0 { b'-' } else { b'+' });
    let east = offset.unsigned_abs();
    digits(out, (east / 3600).into(), 2);
    if !east.is_multiple_of(3600) {
        out.put_u8(b':');
        digits(out, (east / 60 % 60).into(), 2);
        if !east.is_multiple_of(60) {
            out.put_u8(b':');
            digits(out, (east % 60).into(), 2);
        }
    }
    put_era(out, before);
}

/// In the style `postgres`: `1 year 2 mons -3 days +04:05:06.7`.
pub fn put_interval(out: &mut BytesMut, months: i32, days: i32, micros: i64) {
    let start = out.len();
    let mut negative_before = false;
    let mut part = |out: &mut BytesMut, count: i32, unit: &str| {
        if count == 0 {
            return;
        }
        if out.len() > start {
            out.put_u8(b' ');
        }
        let sign = if negative_before && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        out.put_slice(format!("{sign}{count} {unit}{plural}").as_bytes());
        negative_before = count < 0;
    };
    part(out, months / 12, "year");
    part(out, months % 12, "mon");
    part(out, days, "day");
    if micros != 0 || out.len() == start {
        if out.len() > start {
            out.put_u8(b' ');
        }
        if micros < 0 {
            out.put_u8(b'-');
        } else if negative_before {
            out.put_u8(b'+');
        }
        put_clock(out, micros.unsigned_abs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    /// With nothing remembered.
    fn put_instant(out: &mut BytesMut, micros: i64, zone: &Zone) {
        put_instant_at(out, micros, zone.offset(micros));
    }

    #[test]
    fn as_postgresql_writes_it() {
        assert_eq!(written(|out| put_date(out, 0)), "1970-01-01");
        assert_eq!(written(|out| put_date(out, -719_163)), "0001-12-31 BC");
        assert_eq!(written(|out| put_date(out, 11_016)), "2000-02-29");
        assert_eq!(written(|out| put_timestamp(out, -1)), "1969-12-31 23:59:59.999999");
        let bangkok = Zone::named("Asia/Bangkok").unwrap();
        assert_eq!(written(|out| put_instant(out, 1_500_000, &bangkok)), "1970-01-01 07:00:01.5+07");
        let kathmandu = Zone::named("+05:45").unwrap();
        assert_eq!(written(|out| put_instant(out, 0, &kathmandu)), "1970-01-01 05:45:00+05:45");
        let lisbon = Zone::named("-03:30").unwrap();
        assert_eq!(written(|out| put_instant(out, 0, &lisbon)), "1969-12-31 20:30:00-03:30");
    }

    #[test]
    fn intervals() {
        let interval = |months, days, micros| written(|out| put_interval(out, months, days, micros));
        assert_eq!(interval(0, 0, 0), "00:00:00");
        assert_eq!(interval(14, -3, 14_706_700_000), "1 year 2 mons -3 days +04:05:06.7");
        assert_eq!(interval(1, 1, 0), "1 mon 1 day");
        assert_eq!(interval(0, 0, -90_000_000), "-00:01:30");
        assert_eq!(interval(0, 0, 360_000_000_000), "100:00:00");
    }

    proptest! {
        /// Instants of a few days, as columns have them, and some from anywhere.
        #[test]
        fn what_is_remembered_changes_nothing(
            start in -70_000_000_000_000_000i64..260_000_000_000_000_000,
            steps in proptest::collection::vec(-90_000_000_000i64..90_000_000_000, 1..40),
            zone in proptest::sample::select(vec!["Asia/Bangkok", "Europe/Berlin", "+05:45", "-03:30", "UTC"]),
            whole_seconds: bool,
        ) {
            let (zone, mut recent) = (Zone::named(zone).unwrap(), Recent::default());
            let mut micros = start;
            for step in steps {
                micros += if whole_seconds { step / MICROS_PER_SECOND * MICROS_PER_SECOND } else { step };
                let remembered = written(|out| recent.put(out, micros, &zone));
                prop_assert_eq!(remembered, written(|out| put_instant(out, micros, &zone)));
            }
        }

        #[test]
        fn any_instant_is_written(micros: i64) {
            let zone = Zone::utc();
            let mut recent = Recent::default();
            prop_assert_eq!(
                written(|out| recent.put(out, micros, &zone)),
                written(|out| put_instant(out, micros, &zone))
            );
        }
    }

    #[test]
    fn zones_change_with_the_season() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let summer = 1_751_328_000_000_000; // 2025-07-01T00:00:00Z
        assert_eq!(written(|out| put_instant(out, summer, &berlin)), "2025-07-01 02:00:00+02");
    }
}
