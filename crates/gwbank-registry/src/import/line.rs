//! One row of a file as text by column, read field by field; what cannot be read becomes a fault.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Timestamp};

use super::Faults;

/// Longest text of one field: a name or a remark, not a document.
const TEXT_CHARS_MAX: usize = 500;

/// A row: its place in the file and its fields by column, `None` where not given.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: u64,
    /// What tells it from others on its line; empty where the line does.
    pub(crate) label: String,
    pub(crate) columns: &'static [&'static str],
    /// As many as columns; trimmed, never empty.
    pub(crate) fields: Vec<Option<String>>,
}

impl Line {
    pub(crate) fn new(number: u64, columns: &'static [&'static str]) -> Self {
        Self { number, label: String::new(), columns, fields: vec![None; columns.len()] }
    }

    pub(crate) fn get(&self, column: &str) -> Option<&str> {
        let index = self.columns.iter().position(|known| *known == column);
        debug_assert!(index.is_some(), "{column} is not a column");
        self.fields[index?].as_deref()
    }
}

/// A problem of a row that its line does not tell from others.
pub(crate) fn labelled(label: &str, problem: impl Into<String>) -> String {
    let problem = problem.into();
    if label.is_empty() { problem } else { format!("{label}: {problem}") }
}

/// Reads the fields of a line into values, noting faults.
pub(crate) struct Fields<'a> {
    line: &'a Line,
    // Shared, so that a struct expression can read its fields one after the other.
    faults: RefCell<&'a mut Faults>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(line: &'a Line, faults: &'a mut Faults) -> Self {
        Self { line, faults: RefCell::new(faults) }
    }

    pub(crate) fn fault(&self, column: &str, problem: impl Into<String>, mend: impl Into<String>) {
        let value = self.line.get(column).unwrap_or_default();
        let problem = labelled(&self.line.label, problem);
        self.faults.borrow_mut().add(self.line.number, column, value, problem, mend);
    }

    /// A fault of a value that is nobody's to read.
    pub(crate) fn fault_unshown(&self, column: &str, problem: impl Into<String>, mend: impl Into<String>) {
        let problem = labelled(&self.line.label, problem);
        self.faults.borrow_mut().add(self.line.number, column, "", problem, mend);
    }

    pub(crate) fn is_given(&self, column: &str) -> bool {
        self.line.get(column).is_some()
    }

    pub(crate) fn text(&self, column: &str) -> Option<String> {
        let text = self.line.get(column)?;
        if text.chars().any(char::is_control) {
            self.fault(column, "contains a control character or a line break", "write it on one line");
            return None;
        }
        if text.chars().count() > TEXT_CHARS_MAX {
            self.fault(column, format!("longer than {TEXT_CHARS_MAX} characters"), "shorten it");
            return None;
        }
        Some(text.to_owned())
    }

    /// A type that reads itself; its error says what is wrong.
    pub(crate) fn parsed<T>(&self, column: &str, mend: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        match self.line.get(column)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(column, error.to_string(), mend);
                None
            }
        }
    }

    /// One of fixed names.
    pub(crate) fn named<T: Copy + FromStr + Display + 'static>(&self, column: &str, all: &[T]) -> Option<T> {
        let text = self.line.get(column)?;
        let value = text.to_ascii_lowercase().parse().ok();
        if value.is_none() {
            let names: Vec<String> = all.iter().map(ToString::to_string).collect();
            self.fault(column, "not a known name", format!("use one of: {}", names.join(", ")));
        }
        value
    }

    pub(crate) fn yes_or_no(&self, column: &str) -> Option<bool> {
        match self.line.get(column)?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(true),
            "false" | "no" | "0" => Some(false),
            _ => {
                self.fault(column, "neither yes nor no", "use true/false, yes/no or 1/0");
                None
            }
        }
    }

    /// A number from `min` to `max`, both inside.
    pub(crate) fn number(&self, column: &str, min: f64, max: f64, unit: &str) -> Option<f64> {
        let text = self.line.get(column)?;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && min <= value && value <= max => return Some(value),
            Ok(value) if value.is_finite() => {
                self.fault(column, "out of range", format!("from {min} to {max} {unit}"));
            }
            _ if text.contains(',') => {
                self.fault(column, "not a number", "use a decimal point and no thousands separators");
            }
            _ => self.fault(column, "not a number", format!("give the number alone, in {unit}")),
        }
        None
    }

    pub(crate) fn day(&self, column: &str) -> Option<Day> {
        let text = self.line.get(column)?;
        let day = parse_day(text);
        if day.is_none() {
            self.fault(column, "not a day", day_mend(text));
        }
        day
    }

    /// RFC 3339 with offset, or a day: its midnight in Bangkok.
    pub(crate) fn time(&self, column: &str) -> Option<Timestamp> {
        let text = self.line.get(column)?;
        let by_day = || Some(parse_day(text)?.start(BANGKOK_OFFSET_SECONDS));
        let time = by_day().or_else(|| Timestamp::parse_rfc3339(text).filter(|_| buddhist_year(text).is_none()));
        if time.is_none() {
            let mend = match buddhist_year(text) {
                Some(_) => day_mend(text),
                None => "write 2026-11-23T10:15:00+07:00 with an offset, or 2026-11-23 for midnight in Bangkok".into(),
            };
            self.fault(column, "not a time", mend);
        }
        time
    }
}

/// `YYYY-MM-DD` of the common era.
fn parse_day(text: &str) -> Option<Day> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
    if !shape || buddhist_year(text).is_some() {
        return None;
    }
    let midnight = Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))?;
    Some(midnight.day(0))
}

/// The common-era year meant by a date that begins with a year of the Buddhist era.
fn buddhist_year(text: &str) -> Option<i32> {
    let year: i32 = text.get(..4)?.parse().ok()?;
    (2400..=2700).contains(&year).then_some(year - 543)
}

fn day_mend(text: &str) -> String {
    match buddhist_year(text) {
        Some(year) => format!("the year looks like the Buddhist era; write {year} instead of {}", year + 543),
        None => "write year-month-day, such as 2026-11-23".into(),
    }
}
