//! Times as files write them.
//!
//! # Rules
//! 1. What gateways may send is a time here too: RFC 3339, a text without offset where the map names a `time_zone`.
//! 2. A date alone is its midnight in that zone: daily series are written so. Without a `time_zone` it is refused.
//! 3. With `time_format` (as `strftime` writes it) only that is a time. Years of the Buddhist era are understood; a date is
//!    checked in the year that results.

use std::fmt::Write as _;

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use gwbank_wire::time::{Resolved, resolve_text};
use gwbank_wire::{Context, Reason};

/// A `time_format` of a map, taken apart once.
#[derive(Debug, Clone)]
pub struct TimeFormat(Vec<Item<'static>>);

impl TimeFormat {
    pub fn new(format: &str) -> Result<Self, String> {
        let items: Vec<Item<'static>> = StrftimeItems::new(format).map(Item::to_owned).collect();
        if items.iter().any(|item| matches!(item, Item::Error)) {
            return Err(format!("{format:?} is no format; write it as strftime does, such as \"%d/%m/%Y %H:%M\""));
        }
        // Tried on a text of its own making: a format without year, month or day can name no time.
        let sample = chrono::DateTime::from_timestamp(1_700_000_000, 0).map(|time| time.fixed_offset());
        let text = sample.map(|time| time.format_with_items(items.iter()).to_string()).unwrap_or_default();
        let time = Self(items);
        match time.rfc3339(&text) {
            Some(_) => Ok(time),
            None => Err(format!("{format:?} needs a year of four digits, month and day, such as \"%d/%m/%Y %H:%M\"")),
        }
    }

    /// The text in the form that everything else is written in; `None` where it does not fit the format.
    fn rfc3339(&self, text: &str) -> Option<String> {
        let mut fields = Parsed::new();
        parse(&mut fields, text, self.0.iter()).ok()?;
        if let Some(seconds) = fields.timestamp() {
            return chrono::DateTime::from_timestamp(seconds, 0).map(|time| time.to_rfc3339());
        }
        // Two digits are refused: 67 is 1967, 2067 and, in Thailand, 2567.
        let year = fields.year()?;
        let (month, day) = (fields.month()?, fields.day()?);
        let hour = fields.hour_mod_12().map_or(0, |hour| hour + 12 * fields.hour_div_12().unwrap_or(0));
        let (minute, second) = (fields.minute().unwrap_or(0), fields.second().unwrap_or(0));
        let mut out = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if let Some(nanos) = fields.nanosecond().filter(|nanos| *nanos > 0) {
            write!(out, ".{:06}", nanos / 1000).ok()?;
        }
        if let Some(offset) = fields.offset() {
            let sign = if offset < 0 { '-' } else { '+' };
            let minutes = offset.abs() / 60;
            write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60).ok()?;
        }
        Some(out)
    }
}

/// The instant that a text of a file names.
pub fn resolve(text: &str, format: Option<&TimeFormat>, context: &Context<'_>) -> Result<Resolved, String> {
    let written;
    let text = match format {
        Some(format) => {
            written = format.rfc3339(text).ok_or_else(|| format!("{text:?} does not fit the map's time_format"))?;
            &*written
        }
        None if context.clock_zone.is_some() && is_date(text) => {
            written = format!("{text}T00:00:00");
            &*written
        }
        None => text,
    };
    resolve_text(text, context).map_err(|fault| match fault.reason {
        // What gateways are told to do is no help for a file.
        Reason::TimeWithoutZone => {
            format!("{text:?} has no offset from UTC: name the file's time_zone in a map (--map), such as \"+07:00\"")
        }
        Reason::BadTime if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{text:?} is a number: name time_format = \"%s\" in a map (--map) if it counts seconds since 1970")
        }
        _ => fault.detail,
    })
}

/// `2026-11-23`, nothing more.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_model::{TimeSource, Timestamp};

    fn read(text: &str, format: Option<&str>, zone: Option<i32>) -> Result<(String, TimeSource), String> {
        let now = Timestamp::parse_rfc3339("2026-11-23T00:00:00Z").unwrap();
        let context = Context { clock_zone: zone, ..Context::import(now) };
        let format = format.map(|format| TimeFormat::new(format).unwrap());
        resolve(text, format.as_ref(), &context).map(|resolved| (resolved.time.to_rfc3339(0), resolved.source))
    }

    #[test]
    fn a_date_alone_is_a_midnight_where_the_map_says_of_which_zone() {
        let midnight = ("1998-12-31T17:00:00Z".to_owned(), TimeSource::ClockZone);
        assert_eq!(read("1999-01-01", None, Some(7 * 3600)).unwrap(), midnight);
        assert!(read("1999-01-01", None, None).unwrap_err().contains("a date alone"));
        assert!(read("1999-02-30", None, Some(0)).is_err());
    }

    #[test]
    fn a_format_is_read_as_strftime_writes_it() {
        let bangkok = Some(7 * 3600);
        for (text, format, expected) in [
            ("03/02/2001 06:30", "%d/%m/%Y %H:%M", "2001-02-02T23:30:00Z"),
            ("3/2/2544", "%d/%m/%Y", "2001-02-02T17:00:00Z"),
            // 2024 has the day, 2567 would not have it.
            ("29-02-2567 07:00:00", "%d-%m-%Y %H:%M:%S", "2024-02-29T00:00:00Z"),
            ("Feb 3, 2001 6:30 PM", "%b %d, %Y %I:%M %p", "2001-02-03T11:30:00Z"),
            ("2001-02-03 00:00 +0100", "%Y-%m-%d %H:%M %z", "2001-02-02T23:00:00Z"),
            ("981158400", "%s", "2001-02-03T00:00:00Z"),
        ] {
            assert_eq!(read(text, Some(format), bangkok).unwrap().0, expected, "{text} as {format}");
        }
        assert!(read("2001-02-03", Some("%d/%m/%Y"), bangkok).unwrap_err().contains("time_format"));
        assert!(read("29/02/2566", Some("%d/%m/%Y"), bangkok).is_err(), "2023 has no 29 February");
        assert!(read("03/02/2001", Some("%d/%m/%Y"), None).unwrap_err().contains("offset"));
    }

    #[test]
    fn what_a_format_wrote_is_written_again_by_few_forms() {
        let now = Timestamp::parse_rfc3339("2026-11-23T00:00:00Z").unwrap();
        let context = Context { clock_zone: Some(7 * 3600), ..Context::import(now) };
        for (format, forms_max) in [
            ("%d/%m/%Y %H:%M:%S", 1),
            ("%m/%d/%Y %H:%M", 2), // 11 November reads both ways
            ("%Y/%m/%d %H.%M", 1),
            ("%Y%m%d%H%M%S", 1),
            ("%d%m%Y %H%M", 1),
            ("%d %B %Y %I:%M:%S %p", 2), // May is May
            ("%a, %-d %b %Y %k:%M:%S%.3f", 8),
            ("%-d/%-m/%Y %-H:%M", 8),
            ("%H:%M %d-%m-%Y", 1),
            ("%d/%m/%Y", 1),
            ("%Y-%m-%dT%H:%M:%S%:z", 1),
        ] {
            let time_format = TimeFormat::new(format).unwrap();
            let mut forms = std::collections::HashSet::new();
            for step in 0..400i64 {
                let written =
                    chrono::DateTime::from_timestamp_millis(1_000_000_000_000 + step * 1_234_567_891).unwrap();
                let buddhist = (chrono::Datelike::year(&written) + 543).to_string();
                let text = written.format(&format.replace("%Y", &buddhist)).to_string();
                let resolved = resolve(&text, Some(&time_format), &context).unwrap();
                let form = gwbank_model::TimeForm::derive(&text, resolved.time);
                assert_eq!(form.render(resolved.time), text, "{form:?}");
                forms.insert(form);
            }
            assert!(forms.len() <= forms_max, "{format}: {forms:?}");
        }
    }

    #[test]
    fn a_format_that_can_name_no_time_is_refused() {
        for format in ["%H:%M", "%Q", "time", "%d/%m/%y"] {
            assert!(TimeFormat::new(format).is_err(), "{format}");
        }
    }
}
