//! From what a device says about time to an instant.
//!
//! # Rules
//! 1. **Text** is RFC 3339: `2026-11-23T10:15:00.5+07:00`, also with a space for the `T`, without seconds, and with the
//!    offset as `+0700` or `+07`: all of them say one thing only. Digits beyond the microsecond are cut off.
//! 2. **Without offset** the gateway's configured `clock_zone` applies (time source `clock_zone`); without one it is a
//!    fault `time_without_zone`. A date alone is no time.
//! 3. **Years 2400 to 2700** are of the Buddhist era: minus 543 (time source `buddhist_era`). The date is checked in the
//!    year that results, so that 29 February 2567 is right (2024 has one) and 29 February 2568 is not.
//! 4. **Numbers** are seconds, milliseconds or microseconds since 1970, told apart by size: below 10¹¹, 10¹⁴ and 10¹⁷.
//!    (So milliseconds before March 1973 would be taken for seconds: far before the earliest time anyway.) Fractions
//!    are rounded to the microsecond, which is all that a double holds.
//! 5. **Relative times** (`age_s`; SenML below 2²⁸ s) count from arrival (time source `received`).
//! 6. **A leap second** (23:59:60 UTC) is the first instant of the next minute, as Unix time has it.
//! 7. The instant that results must not be before `earliest_time` (nor 1700, whatever is configured), nor ahead of `now` by more than the tolerance: fault
//!    `clock`, whose text says by how much and what it looks like.

use gwbank_model::time_form::{BUDDHIST_ERA_OFFSET, BUDDHIST_ERA_YEARS};
use gwbank_model::{TimeSource, Timestamp};

use crate::fault::excerpt;
use crate::{Context, Reason, SourceKind};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_BELOW: f64 = 1e11;
const MILLIS_BELOW: f64 = 1e14;
const MICROS_BELOW: f64 = 1e17;
/// RFC 8428 §4.5.3: a SenML time below it is relative to now.
const SENML_ABSOLUTE_FROM_S: f64 = 268_435_456.0;
/// Longest age that is believed: older readings must say their time. Ten years.
const AGE_S_MAX: f64 = 315_576_000.0;

/// An instant and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    pub time: Timestamp,
    pub source: TimeSource,
}

impl Resolved {
    /// Whether the sender's text says something else than the instant and is to be kept.
    pub fn is_corrected(self) -> bool {
        matches!(self.source, TimeSource::BuddhistEra | TimeSource::ClockZone)
    }
}

/// Why there is no instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFault {
    pub reason: Reason,
    pub detail: String,
    /// Of a `clock` fault: how far the time is ahead of arrival; negative where it is behind.
    pub ahead_micros: Option<i64>,
}

fn fault(reason: Reason, detail: String) -> TimeFault {
    TimeFault { reason, detail, ahead_micros: None }
}

/// An RFC 3339 text.
pub fn resolve_text(text: &str, context: &Context<'_>) -> Result<Resolved, TimeFault> {
    let Some(civil) = Civil::parse(text.as_bytes()) else {
        return Err(fault(Reason::BadTime, not_a_time(text)));
    };
    let (year, buddhist) = match BUDDHIST_ERA_YEARS.contains(&civil.year) {
        true => (civil.year - BUDDHIST_ERA_OFFSET, true),
        false => (civil.year, false),
    };
    let (offset, source) = match (civil.offset_seconds, context.clock_zone) {
        (Some(offset), _) => (offset, TimeSource::Device),
        (None, Some(zone)) => (zone, TimeSource::ClockZone),
        (None, None) => {
            let mend = "send the offset, such as +07:00, or configure clock_zone for the gateway";
            return Err(fault(Reason::TimeWithoutZone, format!("{} has no offset from UTC: {mend}", excerpt(text))));
        }
    };
    let source = if buddhist { TimeSource::BuddhistEra } else { source };
    let Some(time) = civil.instant(year, offset) else {
        let era = if buddhist { format!(" (Buddhist era, {year})") } else { String::new() };
        return Err(fault(Reason::BadTime, format!("{}{era} is no date and time of the calendar", excerpt(text))));
    };
    check_clock(time, context)?;
    Ok(Resolved { time, source })
}

/// An epoch number: seconds, milliseconds or microseconds by its size.
pub fn resolve_epoch(number: f64, context: &Context<'_>) -> Result<Resolved, TimeFault> {
    let size = number.abs();
    let micros = if !number.is_finite() {
        return Err(fault(Reason::BadTime, "time is not a finite number".to_owned()));
    } else if size < SECONDS_BELOW {
        number * 1e6
    } else if size < MILLIS_BELOW {
        number * 1e3
    } else if size < MICROS_BELOW {
        number
    } else {
        let detail =
            format!("time {number:e} is too large for epoch microseconds: send seconds, milliseconds or microseconds");
        return Err(fault(Reason::BadTime, detail));
    };
    device_time(micros.round() as i64, context)
}

/// As [`resolve_epoch`], without the detour over a double.
pub fn resolve_epoch_integer(number: i64, context: &Context<'_>) -> Result<Resolved, TimeFault> {
    let size = number.unsigned_abs();
    if size < SECONDS_BELOW as u64 {
        device_time(number * MICROS_PER_SECOND, context)
    } else if size < MILLIS_BELOW as u64 {
        device_time(number * 1000, context)
    } else if size < MICROS_BELOW as u64 {
        device_time(number, context)
    } else {
        resolve_epoch(number as f64, context)
    }
}

/// `age_s`: seconds before arrival.
pub fn resolve_age(age_s: f64, context: &Context<'_>) -> Result<Resolved, TimeFault> {
    if !(0.0..=AGE_S_MAX).contains(&age_s) {
        let detail = format!("age_s {age_s:e} is not between 0 and {AGE_S_MAX}: send seconds since the measurement");
        return Err(fault(Reason::BadTime, detail));
    }
    received_time(-age_s, context)
}

/// A SenML time (base time + time), in seconds.
pub fn resolve_senml(seconds: f64, context: &Context<'_>) -> Result<Resolved, TimeFault> {
    if !seconds.is_finite() || seconds.abs() >= SECONDS_BELOW {
        let detail = format!("time {seconds:e} is out of range: SenML times are seconds (these may be milliseconds)");
        return Err(fault(Reason::BadTime, detail));
    }
    if seconds < SENML_ABSOLUTE_FROM_S {
        return received_time(seconds, context);
    }
    device_time((seconds * 1e6).round() as i64, context)
}

fn device_time(micros: i64, context: &Context<'_>) -> Result<Resolved, TimeFault> {
    let time = Timestamp::from_micros(micros);
    check_clock(time, context)?;
    Ok(Resolved { time, source: TimeSource::Device })
}

fn received_time(seconds_from_now: f64, context: &Context<'_>) -> Result<Resolved, TimeFault> {
    let time = context.now.plus_micros((seconds_from_now * 1e6).round() as i64);
    // It was counted from arrival: it says nothing of the device's clock.
    check_clock(time, context).map_err(|fault| TimeFault { ahead_micros: None, ..fault })?;
    Ok(Resolved { time, source: TimeSource::Received })
}

/// Rule 7.
fn check_clock(time: Timestamp, context: &Context<'_>) -> Result<(), TimeFault> {
    let ahead = time.micros_since(context.now);
    if ahead > context.future_tolerance_micros {
        let detail = format!("{time} is {} ahead of the server's clock{}", span(ahead), looks_like(ahead));
        return Err(TimeFault { reason: Reason::Clock, detail, ahead_micros: Some(ahead) });
    }
    let earliest = context.earliest_time.map_or(Context::EARLIEST, |earliest| earliest.max(Context::EARLIEST));
    if time >= earliest {
        return Ok(());
    }
    let looks_like = match context.source {
        SourceKind::Live => "the device's clock was probably not set",
        SourceKind::Import => "look at the year",
    };
    let early = span(earliest.micros_since(time));
    let detail = format!("{time} is {early} before the earliest time accepted ({earliest}); {looks_like}");
    Err(TimeFault { reason: Reason::Clock, detail, ahead_micros: Some(ahead) })
}

/// What a clock that is ahead by so much looks like.
fn looks_like(ahead_micros: i64) -> &'static str {
    const MINUTE: i64 = 60 * MICROS_PER_SECOND;
    const DAY: i64 = 24 * 60 * MINUTE;
    const BANGKOK: i64 = 7 * 60 * MINUTE;
    /// Transmission delays make a wrong zone look smaller, never larger than a clock's own error.
    const ZONE_SLACK: i64 = 30 * MINUTE;
    const ERA: i64 = 543 * 365 * DAY + 132 * DAY;
    if (ahead_micros - BANGKOK).abs() <= ZONE_SLACK {
        ": about +7 h, which looks like Thai local time sent as UTC: send the offset +07:00"
    } else if (ahead_micros - ERA).abs() <= 400 * DAY {
        ": about 543 years, which looks like a clock set to the Buddhist era: set it to the common era, or send text"
    } else {
        ": set the device's clock"
    }
}

/// A length of time as people say it.
fn span(micros: i64) -> String {
    let minutes = micros / (60 * MICROS_PER_SECOND);
    let (hours, days) = (minutes / 60, minutes / (60 * 24));
    match days {
        0 if hours == 0 => format!("{minutes} min"),
        0 => format!("{hours} h {:02} min", minutes % 60),
        1..=730 => format!("{days} days {} h", hours % 24),
        _ => format!("{} years {} days", days / 365, days % 365),
    }
}

fn not_a_time(text: &str) -> String {
    let mend = if text.parse::<f64>().is_ok() {
        "send an epoch time as a number, without quotes"
    } else if text.len() == 10 && Civil::parse(format!("{text}T00:00:00Z").as_bytes()).is_some() {
        "a date alone does not say when: send RFC 3339 with time and offset"
    } else {
        "send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00"
    };
    format!("{} is no time: {mend}", excerpt(text))
}

/// The fields of a text, each within its own range; the calendar is not yet checked.
struct Civil {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    offset_seconds: Option<i32>,
}

impl Civil {
    fn parse(text: &[u8]) -> Option<Civil> {
        // YYYY-MM-DDTHH:MM
        if text.len() < 16 || text[4] != b'-' || text[7] != b'-' || text[13] != b':' {
            return None;
        }
        if !matches!(text[10], b'T' | b't' | b' ') {
            return None;
        }
        let year = digits(text, 0, 4)? as i32;
        let month = digits(text, 5, 2)?;
        let day = digits(text, 8, 2)?;
        let hour = digits(text, 11, 2)?;
        let minute = digits(text, 14, 2)?;
        let mut at = 16;
        let mut second = 0;
        let mut micros = 0;
        if text.get(at) == Some(&b':') {
            second = digits(text, 17, 2)?;
            at = 19;
            if text.get(at) == Some(&b'.') {
                let mut weight = 100_000;
                at += 1;
                let first = at;
                while let Some(digit) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
                    micros += u32::from(digit - b'0') * weight;
                    weight /= 10;
                    at += 1;
                }
                if at == first {
                    return None;
                }
            }
        }
        let offset_seconds = parse_offset(&text[at..])?;
        (hour < 24 && minute < 60 && second <= 60).then_some(Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
            micros,
            offset_seconds,
        })
    }

    /// The instant that the fields name in that year at that offset.
    fn instant(&self, year: i32, offset_seconds: i32) -> Option<Timestamp> {
        let leap_second = self.second == 60;
        if self.day < 1 || self.day > days_in_month(year, self.month)? {
            return None;
        }
        let days = days_from_civil(year, self.month, self.day);
        let second_of_day = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
        let seconds = days * 86_400 + second_of_day - i64::from(offset_seconds);
        if leap_second {
            // Rule 6: a 60 stands only at the end of a UTC day.
            let next_day = seconds.rem_euclid(86_400) == 0;
            return next_day.then_some(Timestamp::from_secs(seconds));
        }
        Some(Timestamp::from_micros(seconds * MICROS_PER_SECOND + i64::from(self.micros)))
    }
}

/// `Some(None)` is "no offset", `None` is "no RFC 3339".
fn parse_offset(text: &[u8]) -> Option<Option<i32>> {
    let sign = match text {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let (hours, minutes) = match text.len() {
        6 if text[3] == b':' => (digits(text, 1, 2)?, digits(text, 4, 2)?),
        5 => (digits(text, 1, 2)?, digits(text, 3, 2)?),
        3 => (digits(text, 1, 2)?, 0),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(Some(sign * (hours * 3600 + minutes * 60) as i32))
}

fn digits(text: &[u8], from: usize, count: usize) -> Option<u32> {
    let mut number = 0;
    for byte in text.get(from..from + count)? {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u32::from(byte - b'0');
    }
    Some(number)
}

fn days_in_month(year: i32, month: u32) -> Option<u32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant's algorithm: years start in March).
fn days_from_civil(year: i32, month: u32, day: u32) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    /// 2026-11-23T03:15:00Z
    const NOW: Timestamp = Timestamp::from_secs(1_795_403_700);
    const BANGKOK: i32 = 7 * 3600;

    fn show(result: Result<Resolved, TimeFault>) -> String {
        match result {
            Ok(Resolved { time, source }) => format!("{time} {source}"),
            Err(TimeFault { reason, detail, .. }) => format!("{reason}: {detail}"),
        }
    }

    fn check_text(texts: &[&str], zone: Option<i32>, expected: Expect) {
        let context = Context { clock_zone: zone, ..Context::live(NOW) };
        let lines: Vec<String> =
            texts.iter().map(|text| format!("{text} → {}", show(resolve_text(text, &context)))).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn rfc_3339_and_its_unambiguous_relatives() {
        check_text(
            &[
                "2026-11-23T10:15:00+07:00",
                "2026-11-23T03:15:00Z",
                "2026-11-23t03:15:00z",
                "2026-11-23 03:15:00.123456789Z",
                "2026-11-23T10:15+0700",
                "2026-11-23T10:15:00+07",
                "2026-11-22T23:15:00.5-04:00",
                "2026-11-23T03:15:00-00:00",
                "2024-02-29T00:00:00Z",
                "2016-12-31T23:59:60Z",
                "2017-01-01T06:59:60+07:00",
            ],
            None,
            expect![[r#"
                2026-11-23T10:15:00+07:00 → 2026-11-23T03:15:00Z device
                2026-11-23T03:15:00Z → 2026-11-23T03:15:00Z device
                2026-11-23t03:15:00z → 2026-11-23T03:15:00Z device
                2026-11-23 03:15:00.123456789Z → 2026-11-23T03:15:00.123456Z device
                2026-11-23T10:15+0700 → 2026-11-23T03:15:00Z device
                2026-11-23T10:15:00+07 → 2026-11-23T03:15:00Z device
                2026-11-22T23:15:00.5-04:00 → 2026-11-23T03:15:00.500Z device
                2026-11-23T03:15:00-00:00 → 2026-11-23T03:15:00Z device
                2024-02-29T00:00:00Z → 2024-02-29T00:00:00Z device
                2016-12-31T23:59:60Z → 2017-01-01T00:00:00Z device
                2017-01-01T06:59:60+07:00 → 2017-01-01T00:00:00Z device"#]],
        );
    }

    #[test]
    fn what_is_no_time() {
        check_text(
            &[
                "",
                "now",
                "2026-11-23",
                "1795403700",
                "23/11/2026 10:15",
                "2026-11-23T10:15:00 +07:00",
                "2026-11-23T10:15:00.+07:00",
                "2026-11-23T24:00:00Z",
                "2026-11-23T10:61:00Z",
                "2026-11-31T10:15:00Z",
                "2025-02-29T10:15:00Z",
                "2026-00-10T10:15:00Z",
                "2026-13-10T10:15:00Z",
                "2026-11-23T10:15:60Z",
                "2026-11-23T10:15:00+24:00",
                "2026-11-23T10:15:00+7",
                "๒๕๖๙-11-23T10:15:00+07:00",
                "+2026-11-23T10:15:00Z",
            ],
            None,
            expect![[r#"
                 → bad_time: "" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                now → bad_time: "now" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                2026-11-23 → bad_time: "2026-11-23" is no time: a date alone does not say when: send RFC 3339 with time and offset
                1795403700 → bad_time: "1795403700" is no time: send an epoch time as a number, without quotes
                23/11/2026 10:15 → bad_time: "23/11/2026 10:15" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                2026-11-23T10:15:00 +07:00 → bad_time: "2026-11-23T10:15:00 +07:00" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                2026-11-23T10:15:00.+07:00 → bad_time: "2026-11-23T10:15:00.+07:00" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                2026-11-23T24:00:00Z → bad_time: "2026-11-23T24:00:00Z" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                2026-11-23T10:61:00Z → bad_time: "2026-11-23T10:61:00Z" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                2026-11-31T10:15:00Z → bad_time: "2026-11-31T10:15:00Z" is no date and time of the calendar
                2025-02-29T10:15:00Z → bad_time: "2025-02-29T10:15:00Z" is no date and time of the calendar
                2026-00-10T10:15:00Z → bad_time: "2026-00-10T10:15:00Z" is no date and time of the calendar
                2026-13-10T10:15:00Z → bad_time: "2026-13-10T10:15:00Z" is no date and time of the calendar
                2026-11-23T10:15:60Z → bad_time: "2026-11-23T10:15:60Z" is no date and time of the calendar
                2026-11-23T10:15:00+24:00 → bad_time: "2026-11-23T10:15:00+24:00" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                2026-11-23T10:15:00+7 → bad_time: "2026-11-23T10:15:00+7" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                ๒๕๖๙-11-23T10:15:00+07:00 → bad_time: "๒๕๖๙-11-23T10:15:00+07:00" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
                +2026-11-23T10:15:00Z → bad_time: "+2026-11-23T10:15:00Z" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00"#]],
        );
    }

    #[test]
    fn without_offset_only_a_configured_zone_helps() {
        check_text(
            &["2026-11-23T10:15:00", "2026-11-23 10:15"],
            None,
            expect![[r#"
            2026-11-23T10:15:00 → time_without_zone: "2026-11-23T10:15:00" has no offset from UTC: send the offset, such as +07:00, or configure clock_zone for the gateway
            2026-11-23 10:15 → time_without_zone: "2026-11-23 10:15" has no offset from UTC: send the offset, such as +07:00, or configure clock_zone for the gateway"#]],
        );
        check_text(
            &["2026-11-23T10:15:00", "2026-11-23 10:15", "2026-11-23T03:15:00Z"],
            Some(BANGKOK),
            expect![[r#"
                2026-11-23T10:15:00 → 2026-11-23T03:15:00Z clock_zone
                2026-11-23 10:15 → 2026-11-23T03:15:00Z clock_zone
                2026-11-23T03:15:00Z → 2026-11-23T03:15:00Z device"#]],
        );
    }

    #[test]
    fn buddhist_era_years() {
        check_text(
            &[
                "2569-11-23T10:15:00+07:00",
                "2567-02-29T10:15:00+07:00",
                "2568-02-29T10:15:00+07:00",
                "2569-11-23T10:15:00",
                "2399-01-01T00:00:00Z",
                "2701-01-01T00:00:00Z",
                "2570-01-01T00:00:00Z",
                "2400-01-01T00:00:00Z",
            ],
            None,
            expect![[r#"
                2569-11-23T10:15:00+07:00 → 2026-11-23T03:15:00Z buddhist_era
                2567-02-29T10:15:00+07:00 → 2024-02-29T03:15:00Z buddhist_era
                2568-02-29T10:15:00+07:00 → bad_time: "2568-02-29T10:15:00+07:00" (Buddhist era, 2025) is no date and time of the calendar
                2569-11-23T10:15:00 → time_without_zone: "2569-11-23T10:15:00" has no offset from UTC: send the offset, such as +07:00, or configure clock_zone for the gateway
                2399-01-01T00:00:00Z → clock: 2399-01-01T00:00:00Z is 372 years 128 days ahead of the server's clock: set the device's clock
                2701-01-01T00:00:00Z → clock: 2701-01-01T00:00:00Z is 674 years 201 days ahead of the server's clock: set the device's clock
                2570-01-01T00:00:00Z → clock: 2027-01-01T00:00:00Z is 38 days 20 h ahead of the server's clock: set the device's clock
                2400-01-01T00:00:00Z → clock: 1857-01-01T00:00:00Z is 158 years 38 days before the earliest time accepted (2015-01-01T00:00:00Z); the device's clock was probably not set"#]],
        );
        check_text(
            &["2569-11-23T10:15:00"],
            Some(BANGKOK),
            expect!["2569-11-23T10:15:00 → 2026-11-23T03:15:00Z buddhist_era"],
        );
    }

    #[test]
    fn clocks_that_are_wrong() {
        check_text(
            &[
                "2026-11-23T03:25:00Z",
                "2026-11-23T03:25:00.000001Z",
                "2026-11-23T10:15:00Z",
                "2026-11-23T10:05:00Z",
                "2026-12-23T10:15:00Z",
                "2036-12-23T10:15:00Z",
                "1980-01-06T00:00:00Z",
                "2014-12-31T23:59:59Z",
                "2015-01-01T00:00:00Z",
            ],
            None,
            expect![[r#"
                2026-11-23T03:25:00Z → 2026-11-23T03:25:00Z device
                2026-11-23T03:25:00.000001Z → clock: 2026-11-23T03:25:00.000001Z is 10 min ahead of the server's clock: set the device's clock
                2026-11-23T10:15:00Z → clock: 2026-11-23T10:15:00Z is 7 h 00 min ahead of the server's clock: about +7 h, which looks like Thai local time sent as UTC: send the offset +07:00
                2026-11-23T10:05:00Z → clock: 2026-11-23T10:05:00Z is 6 h 50 min ahead of the server's clock: about +7 h, which looks like Thai local time sent as UTC: send the offset +07:00
                2026-12-23T10:15:00Z → clock: 2026-12-23T10:15:00Z is 30 days 7 h ahead of the server's clock: set the device's clock
                2036-12-23T10:15:00Z → clock: 2036-12-23T10:15:00Z is 10 years 33 days ahead of the server's clock: set the device's clock
                1980-01-06T00:00:00Z → clock: 1980-01-06T00:00:00Z is 35 years 4 days before the earliest time accepted (2015-01-01T00:00:00Z); the device's clock was probably not set
                2014-12-31T23:59:59Z → clock: 2014-12-31T23:59:59Z is 0 min before the earliest time accepted (2015-01-01T00:00:00Z); the device's clock was probably not set
                2015-01-01T00:00:00Z → 2015-01-01T00:00:00Z device"#]],
        );
        let import = Context::import(NOW);
        assert_eq!(show(resolve_text("1913-08-27T12:00:00Z", &import)), "1913-08-27T12:00:00Z device");
    }

    #[test]
    fn epochs_are_told_apart_by_size() {
        let context = Context::live(NOW);
        let mut lines = Vec::new();
        for number in [
            1_795_403_700.0,
            1_795_403_700.25,
            1_795_403_700_250.0,
            1_795_403_700_250_125.0,
            1_795_403_700_250_125_000.0,
            0.0,
            -1.0,
            12_345.0,
            18_931_000_000.0,
            f64::NAN,
            1e300,
        ] {
            lines.push(format!("{number:e} → {}", show(resolve_epoch(number, &context))));
        }
        expect![[r#"
            1.7954037e9 → 2026-11-23T03:15:00Z device
            1.79540370025e9 → 2026-11-23T03:15:00.250Z device
            1.79540370025e12 → 2026-11-23T03:15:00.250Z device
            1.795403700250125e15 → 2026-11-23T03:15:00.250125Z device
            1.795403700250125e18 → bad_time: time 1.795403700250125e18 is too large for epoch microseconds: send seconds, milliseconds or microseconds
            0e0 → clock: 1970-01-01T00:00:00Z is 45 years 11 days before the earliest time accepted (2015-01-01T00:00:00Z); the device's clock was probably not set
            -1e0 → clock: 1969-12-31T23:59:59Z is 45 years 11 days before the earliest time accepted (2015-01-01T00:00:00Z); the device's clock was probably not set
            1.2345e4 → clock: 1970-01-01T03:25:45Z is 45 years 10 days before the earliest time accepted (2015-01-01T00:00:00Z); the device's clock was probably not set
            1.8931e10 → clock: 2569-11-24T19:06:40Z is 543 years 133 days ahead of the server's clock: about 543 years, which looks like a clock set to the Buddhist era: set it to the common era, or send text
            NaN → bad_time: time is not a finite number
            1e300 → bad_time: time 1e300 is too large for epoch microseconds: send seconds, milliseconds or microseconds"#]].assert_eq(&lines.join("\n"));
        for number in [1_795_403_700, 1_795_403_700_250, 1_795_403_700_250_125, 0, i64::MAX, i64::MIN] {
            let by_integer = show(resolve_epoch_integer(number, &context));
            assert_eq!(by_integer, show(resolve_epoch(number as f64, &context)), "{number}");
        }
    }

    #[test]
    fn relative_times_count_from_arrival() {
        let context = Context::live(NOW);
        assert_eq!(show(resolve_age(0.0, &context)), "2026-11-23T03:15:00Z received");
        assert_eq!(show(resolve_age(90.5, &context)), "2026-11-23T03:13:29.500Z received");
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e12] {
            assert!(resolve_age(bad, &context).is_err(), "{bad}");
        }
        assert_eq!(show(resolve_senml(-60.0, &context)), "2026-11-23T03:14:00Z received");
        assert_eq!(show(resolve_senml(0.0, &context)), "2026-11-23T03:15:00Z received");
        assert_eq!(show(resolve_senml(1_795_403_700.5, &context)), "2026-11-23T03:15:00.500Z device");
        assert!(show(resolve_senml(SENML_ABSOLUTE_FROM_S, &context)).starts_with("clock"), "absolute: 1978");
        assert!(
            show(resolve_senml(SENML_ABSOLUTE_FROM_S - 1.0, &context)).starts_with("clock"),
            "relative: 8 years ahead"
        );
        assert!(show(resolve_senml(1_795_403_700_000.0, &context)).starts_with("bad_time"));
    }

    #[test]
    fn nobody_measured_before_1700() {
        let any_past = Context { earliest_time: None, ..Context::live(NOW) };
        for context in [any_past, Context::import(NOW)] {
            assert!(resolve_text("1700-01-01T00:00:00Z", &context).is_ok());
            for text in ["1699-12-31T23:59:59Z", "0044-02-03T00:00:00+07:00"] {
                assert_eq!(resolve_text(text, &context).unwrap_err().reason, Reason::Clock, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_instant_is_read_back(
            micros in Context::EARLIEST.as_micros()..12_000_000_000_000_000, offset in -50i32..57
        ) {
            let time = Timestamp::from_micros(micros);
            let context = Context { future_tolerance_micros: i64::MAX, ..Context::import(NOW) };
            let text = time.to_rfc3339(offset * 900);
            prop_assert_eq!(resolve_text(&text, &context).map(|r| r.time), Ok(time), "{}", text);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = resolve_text(&text, &Context::live(NOW));
        }

        #[test]
        fn texts_like_times_agree_with_chrono(text in "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-5][0-9](\\.[0-9]{1,8})?(Z|[+-][01][0-9]:[0-5][0-9])") {
            let context = Context { future_tolerance_micros: i64::MAX, ..Context::import(NOW) };
            prop_assert_eq!(resolve_text(&text, &context).ok().map(|r| r.time), Timestamp::parse_rfc3339(&text));
        }
    }
}
