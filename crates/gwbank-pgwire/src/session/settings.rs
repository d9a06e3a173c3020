//! What a connection can set and show.
//!
//! # Rules
//! 1. A name that is not on the list is an error, as a silent one would be believed.
//! 2. What cannot be otherwise here takes only the value that it has.

use std::time::Duration;

use gwbank_model::Timestamp;

use crate::error::PgError;
use crate::types::Zone;

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Nothing: it tells of the server.
    Nothing,
    /// Any text; nothing depends on it.
    Anything,
    /// One of these, in any case.
    OneOf(&'static [&'static str]),
    /// A duration; milliseconds without a unit.
    Duration,
    Zone,
    DateStyle,
    /// An instant with its offset, or nothing.
    Instant,
}

#[derive(Debug)]
struct Definition {
    name: &'static str,
    default: &'static str,
    takes: Takes,
    /// Clients are told of a change.
    reported: bool,
}

const fn define(name: &'static str, default: &'static str, takes: Takes) -> Definition {
    Definition { name, default, takes, reported: false }
}

const fn reported(name: &'static str, default: &'static str, takes: Takes) -> Definition {
    Definition { name, default, takes, reported: true }
}

/// The release whose catalogs and answers clients may expect.
pub const SERVER_VERSION: &str = "15.8";
const SERVER_VERSION_NUMBER: &str = "150008";

const DEFINITIONS: &[Definition] = &[
    reported("application_name", "", Takes::Anything),
    define("array_nulls", "on", Takes::OneOf(&["on"])),
    define("bytea_output", "hex", Takes::OneOf(&["hex"])),
    define("check_function_bodies", "on", Takes::Anything),
    reported("client_encoding", "UTF8", Takes::OneOf(&["UTF8", "UTF-8", "UNICODE"])),
    define("client_min_messages", "notice", Takes::Anything),
    reported("DateStyle", "ISO, DMY", Takes::DateStyle),
    define("default_transaction_isolation", "read committed", Takes::Anything),
    reported("default_transaction_read_only", "on", Takes::OneOf(&["on"])),
    define("extra_float_digits", "1", Takes::Anything),
    // Every table as it was known then; empty is now.
    define("gwbank.as_known_at", "", Takes::Instant),
    define("idle_in_transaction_session_timeout", "0", Takes::Duration),
    reported("in_hot_standby", "off", Takes::Nothing),
    reported("integer_datetimes", "on", Takes::Nothing),
    reported("IntervalStyle", "postgres", Takes::OneOf(&["postgres"])),
    reported("is_superuser", "off", Takes::Nothing),
    define("jit", "off", Takes::Anything),
    define("lc_collate", "C", Takes::Nothing),
    define("lc_messages", "C", Takes::Anything),
    define("lock_timeout", "0", Takes::Duration),
    define("max_identifier_length", "63", Takes::Nothing),
    define("max_index_keys", "32", Takes::Nothing),
    define("row_security", "on", Takes::Anything),
    define("search_path", "\"$user\", public", Takes::Anything),
    reported("server_encoding", "UTF8", Takes::Nothing),
    reported("server_version", SERVER_VERSION, Takes::Nothing),
    define("server_version_num", SERVER_VERSION_NUMBER, Takes::Nothing),
    reported("session_authorization", "", Takes::Nothing),
    define("ssl_renegotiation_limit", "0", Takes::Anything),
    reported("standard_conforming_strings", "on", Takes::OneOf(&["on"])),
    define("statement_timeout", "0", Takes::Duration),
    define("synchronize_seqscans", "on", Takes::Anything),
    reported("TimeZone", "Asia/Bangkok", Takes::Zone),
    define("transaction_isolation", "read committed", Takes::Anything),
    define("transaction_read_only", "on", Takes::OneOf(&["on"])),
];

/// A text of a client that the server keeps.
const VALUE_BYTES_MAX: usize = 1024;

/// The settings of one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// In the order of [`DEFINITIONS`].
    values: Vec<String>,
    /// What `RESET` returns to: the start of the connection.
    initial: Vec<String>,
    zone: Zone,
    statement_timeout: Option<Duration>,
}

impl Settings {
    pub fn new(user: &str, zone: &Zone) -> Self {
        let mut values: Vec<String> = DEFINITIONS.iter().map(|definition| definition.default.to_owned()).collect();
        if let Some(index) = index_of("session_authorization") {
            user.clone_into(&mut values[index]);
        }
        if let Some(index) = index_of("TimeZone") {
            zone.name().clone_into(&mut values[index]);
        }
        let mut settings = Self { initial: Vec::new(), values, zone: Zone::utc(), statement_timeout: None };
        settings.refresh();
        settings.end_startup();
        settings
    }

    /// What is set now is what `RESET` returns to.
    pub fn end_startup(&mut self) {
        self.initial.clone_from(&self.values);
    }

    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    pub fn statement_timeout(&self) -> Option<Duration> {
        self.statement_timeout
    }

    pub fn get(&self, name: &str) -> Result<(&'static str, &str), PgError> {
        let index = index_of(name).ok_or_else(|| unknown(name))?;
        Ok((DEFINITIONS[index].name, &self.values[index]))
    }

    /// Names and values of all.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        DEFINITIONS.iter().zip(&self.values).map(|(definition, value)| (definition.name, value.as_str()))
    }

    /// Names and values that clients are told of when they change.
    pub fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let pairs = DEFINITIONS.iter().zip(&self.values);
        pairs.filter(|(definition, _)| definition.reported).map(|(definition, value)| (definition.name, value.as_str()))
    }

    /// `None` is the value at the start of the connection.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), PgError> {
        let index = index_of(name).ok_or_else(|| unknown(name))?;
        let definition = &DEFINITIONS[index];
        self.values[index] = match value {
            None => self.initial[index].clone(),
            Some(value) => definition.accept(value)?,
        };
        self.refresh();
        Ok(())
    }

    pub fn reset_all(&mut self) {
        self.values.clone_from(&self.initial);
        self.refresh();
    }

    /// What is read from the texts.
    fn refresh(&mut self) {
        let text = |name| index_of(name).map_or("", |index| self.values[index].as_str());
        if let Some(zone) = Zone::of_postgresql(text("timezone")) {
            let timeout = milliseconds(text("statement_timeout")).filter(|&timeout| timeout > 0);
            self.statement_timeout = timeout.map(Duration::from_millis);
            self.zone = zone;
        }
    }
}

fn index_of(name: &str) -> Option<usize> {
    DEFINITIONS.iter().position(|definition| definition.name.eq_ignore_ascii_case(name))
}

fn unknown(name: &str) -> PgError {
    PgError::new("42704", format!("unrecognized configuration parameter \"{name}\""))
        .hint("SHOW ALL lists what can be set")
}

impl Definition {
    /// The value as it is kept.
    fn accept(&self, value: &str) -> Result<String, PgError> {
        let invalid = || PgError::new("22023", format!("invalid value for parameter \"{}\": \"{value}\"", self.name));
        if value.len() > VALUE_BYTES_MAX {
            return Err(invalid());
        }
        match self.takes {
            Takes::Nothing => Err(PgError::new("55P02", format!("parameter \"{}\" cannot be changed", self.name))),
            Takes::Anything => Ok(value.to_owned()),
            Takes::OneOf(values) => {
                let value = if value.eq_ignore_ascii_case("true") || value == "1" { "on" } else { value };
                match values.iter().any(|known| known.eq_ignore_ascii_case(value.trim_matches('\''))) {
                    true => Ok(values[0].to_owned()),
                    false => Err(invalid().hint(format!("only {} is supported", values[0]))),
                }
            }
            Takes::Duration => match milliseconds(value) {
                Some(0) => Ok("0".to_owned()),
                Some(milliseconds) => Ok(format!("{milliseconds}ms")),
                None => Err(invalid().hint("write milliseconds, or a number with ms, s, min, h or d")),
            },
            Takes::Zone => {
                let offset = hours(value);
                let zone = Zone::of_postgresql(offset.as_deref().unwrap_or(value));
                zone.map(|zone| zone.name().to_owned()).ok_or_else(invalid)
            }
            Takes::Instant if value.trim().is_empty() => Ok(String::new()),
            Takes::Instant => match Timestamp::parse_rfc3339(value.trim()) {
                Some(_) => Ok(value.trim().to_owned()),
                None => Err(invalid().hint("write an instant with its offset, such as '2026-05-01T00:00:00+07:00'")),
            },
            Takes::DateStyle => date_style(value).ok_or_else(|| invalid().hint("only ISO is supported")),
        }
    }
}

/// `SET TIME ZONE 7`, east of UTC.
fn hours(value: &str) -> Option<String> {
    let hours: f64 = value.parse().ok().filter(|hours: &f64| hours.abs() <= 14.0)?;
    let minutes = (hours.abs() * 60.0).round() as u32;
    let sign = if hours < 0.0 { '-' } else { '+' };
    Some(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
}

fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let end = value.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let factor = match unit.trim() {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    let milliseconds = number.parse::<f64>().ok()? * factor;
    (milliseconds <= f64::from(i32::MAX)).then_some(milliseconds.round() as u64)
}

fn date_style(value: &str) -> Option<String> {
    let mut order = "DMY";
    for part in value.split(',').map(|part| part.trim().to_ascii_uppercase()) {
        match part.as_str() {
            "ISO" => {}
            "DMY" | "EURO" | "EUROPEAN" => order = "DMY",
            "MDY" | "US" | "NONEUROPEAN" => order = "MDY",
            "YMD" => order = "YMD",
            _ => return None,
        }
    }
    Some(format!("ISO, {order}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_can_be_set() {
        let mut settings = Settings::new("somchai", &Zone::bangkok());
        assert_eq!(settings.get("session_authorization").unwrap().1, "somchai");
        assert_eq!(settings.set("datafusion.execution.batch_size", Some("1")).unwrap_err().code, "42704");
        assert_eq!(settings.set("server_version", Some("9")).unwrap_err().code, "55P02");
        assert_eq!(settings.set("transaction_read_only", Some("off")).unwrap_err().code, "22023");
        assert_eq!(settings.set("client_encoding", Some("LATIN1")).unwrap_err().code, "22023");
        settings.set("client_encoding", Some("utf-8")).unwrap();
        assert_eq!(settings.get("client_encoding").unwrap(), ("client_encoding", "UTF8"));
    }

    #[test]
    fn timeouts_and_zones_are_read() {
        let mut settings = Settings::new("a", &Zone::bangkok());
        let timeout = |settings: &mut Settings, value: &str| {
            settings.set("statement_timeout", Some(value)).map(|()| settings.statement_timeout())
        };
        assert_eq!(timeout(&mut settings, "1500").unwrap(), Some(Duration::from_millis(1500)));
        assert_eq!(timeout(&mut settings, "2 min").unwrap(), Some(Duration::from_secs(120)));
        assert_eq!(timeout(&mut settings, "0").unwrap(), None);
        assert!(timeout(&mut settings, "soon").is_err() && timeout(&mut settings, "-1").is_err());
        settings.set("timezone", Some("Europe/Berlin")).unwrap();
        assert_eq!(settings.zone().name(), "Europe/Berlin");
        settings.set("TimeZone", Some("7")).unwrap();
        assert_eq!(settings.get("timezone").unwrap(), ("TimeZone", "+07:00"));
        assert!(settings.set("timezone", Some("Mars")).is_err());
        settings.set("timezone", None).unwrap();
        assert_eq!(settings.zone().name(), "Asia/Bangkok");
        settings.set("gwbank.as_known_at", Some(" 2026-05-01T00:00:00+07:00")).unwrap();
        assert_eq!(settings.get("gwbank.as_known_at").unwrap().1, "2026-05-01T00:00:00+07:00");
        assert_eq!(settings.set("gwbank.as_known_at", Some("2026-05-01")).unwrap_err().code, "22023");
        settings.set("gwbank.as_known_at", None).unwrap();
        assert_eq!(settings.get("gwbank.as_known_at").unwrap().1, "");
        settings.set("datestyle", Some("iso, mdy")).unwrap();
        assert_eq!(settings.get("DateStyle").unwrap().1, "ISO, MDY");
        settings.reset_all();
        assert_eq!(settings, Settings::new("a", &Zone::bangkok()));
    }
}
