//! Known events: droughts, floods and salt that somebody wrote down, to hold flags against.
//!
//! # Format
//! CSV with a head, columns in any order: `scope` (`well`, `subdistrict`, `district`, `province`), `code` (the well's id or the
//! place's code), `hazard` (`drought`, `flood`, `salinity`), `start` and `end` (months as `2019-11`, or days, of which the month
//! counts; both included). Further columns are left alone, so that a source or a remark may stand there.
//!
//! # Rules
//! 1. Nothing of a file is taken when any of it is at fault; every fault names line and column and what stood there.

use std::fmt;

use gwbank_model::Month;
use gwbank_model::condition::{Hazard, Scope};

const COLUMNS: [&str; 5] = ["scope", "code", "hazard", "start", "end"];
const SCOPES: [Scope; 4] = [Scope::Well, Scope::Subdistrict, Scope::District, Scope::Province];
const HAZARDS: [Hazard; 3] = [Hazard::Drought, Hazard::Flood, Hazard::Salinity];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEvent {
    /// Of the file.
    pub line: u64,
    pub scope: Scope,
    pub code: String,
    pub hazard: Hazard,
    /// Both included.
    pub start: Month,
    pub end: Month,
}

/// Something wrong in a file of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFault {
    pub line: u64,
    /// Empty where the line as a whole is meant.
    pub column: String,
    pub found: String,
    pub problem: String,
}

impl fmt::Display for EventFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(f, ", column {}", self.column)?;
        }
        if !self.found.is_empty() {
            write!(f, ": {:?}", self.found)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for EventFault {}

/// Reads a file of events.
///
/// ```
/// let file = "scope,code,hazard,start,end,source\nprovince,30,drought,2019-11,2020-06,newspaper\n";
/// let events = gwbank_hindcast::parse_events(file.as_bytes()).unwrap();
/// assert_eq!((events[0].code.as_str(), events[0].end.to_string()), ("30", "2020-06".to_owned()));
///
/// let faults = gwbank_hindcast::parse_events(b"scope,code,hazard,start,end\nprovince,30,dry,2019-11,2020-06\n").unwrap_err();
/// assert_eq!(faults[0].to_string(), "line 2, column hazard: \"dry\": expected drought, flood or salinity");
/// ```
pub fn parse_events(bytes: &[u8]) -> Result<Vec<KnownEvent>, Vec<EventFault>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let head = match reader.headers() {
        Ok(head) => head.clone(),
        Err(error) => return Err(vec![of_csv(&error)]),
    };
    let mut faults = Vec::new();
    let columns = COLUMNS.map(|name| head.iter().position(|column| column == name));
    for (name, column) in COLUMNS.iter().zip(columns) {
        if column.is_none() {
            faults.push(fault(1, name, "", "the column is missing"));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut events = Vec::new();
    let mut lines = Lines::of(bytes);
    for row in reader.records() {
        match row {
            Ok(row) => {
                let line = lines.at(row.position().map_or(0, csv::Position::byte));
                let fields = columns.map(|column| column.and_then(|column| row.get(column)).unwrap_or(""));
                events.extend(event(line, fields, &mut faults));
            }
            Err(error) => faults.push(of_csv(&error)),
        }
    }
    if faults.is_empty() { Ok(events) } else { Err(faults) }
}

/// The lines of a file, asked for in order: the reader's own count is one short after CRLF, and at blank lines.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    /// The line of the first byte from here on that ends no line.
    fn at(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(found) = self.bytes.get(self.at).filter(|found| self.at < byte || matches!(found, b'\r' | b'\n'))
        {
            self.line += u64::from(*found == b'\n');
            self.at += 1;
        }
        self.line
    }
}

fn event(line: u64, fields: [&str; 5], faults: &mut Vec<EventFault>) -> Option<KnownEvent> {
    let [scope_text, code, hazard_text, start_text, end_text] = fields;
    let before = faults.len();
    let scope = SCOPES.into_iter().find(|scope| scope.name() == scope_text);
    if scope.is_none() {
        faults.push(fault(line, "scope", scope_text, "expected well, subdistrict, district or province"));
    }
    if code.is_empty() {
        faults.push(fault(line, "code", code, "expected a well's id or a place's code"));
    }
    let hazard = HAZARDS.into_iter().find(|hazard| hazard.name() == hazard_text);
    if hazard.is_none() {
        faults.push(fault(line, "hazard", hazard_text, "expected drought, flood or salinity"));
    }
    let mut month = |column: &str, text: &str| {
        let month = parse_month(text);
        if month.is_none() {
            faults.push(fault(line, column, text, "expected a month such as 2019-11"));
        }
        month
    };
    let (start, end) = (month("start", start_text), month("end", end_text));
    if let Some((start, end)) = start.zip(end)
        && end < start
    {
        faults.push(fault(line, "end", end_text, "lies before the start"));
    }
    if faults.len() > before {
        return None;
    }
    Some(KnownEvent { line, scope: scope?, code: code.to_owned(), hazard: hazard?, start: start?, end: end? })
}

/// `YYYY-MM` or `YYYY-MM-DD`; a Buddhist year would lie centuries ahead and is refused.
fn parse_month(text: &str) -> Option<Month> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-').map_or((rest, None), |(month, day)| (month, Some(day)));
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) {
        return None;
    }
    let parsed = Month::parse(&format!("{year}-{month}")).filter(|month| (1800..2400).contains(&month.year()))?;
    let day_is_good = match day {
        None => true,
        Some(day) => digits(day, 2) && day.parse().is_ok_and(|day: u32| (1..=parsed.days()).contains(&day)),
    };
    day_is_good.then_some(parsed)
}

fn fault(line: u64, column: &str, found: &str, problem: &str) -> EventFault {
    EventFault { line, column: column.to_owned(), found: found.to_owned(), problem: problem.to_owned() }
}

fn of_csv(error: &csv::Error) -> EventFault {
    fault(error.position().map_or(1, csv::Position::line), "", "", &format!("not readable as CSV: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(file: &str) -> Vec<String> {
        parse_events(file.as_bytes()).unwrap_err().iter().map(EventFault::to_string).collect()
    }

    #[test]
    fn columns_in_any_order_and_days() {
        let file =
            "\u{feff}note,end,start,hazard,code,scope\r\n\"a, b\", 2020-06-30 ,2019-11-02,flood,300101,subdistrict\r\n";
        let events = parse_events(file.as_bytes()).unwrap();
        let expected = KnownEvent {
            line: 2,
            scope: Scope::Subdistrict,
            code: "300101".into(),
            hazard: Hazard::Flood,
            start: Month::new(2019, 11),
            end: Month::new(2020, 6),
        };
        assert_eq!(events, vec![expected]);
        assert_eq!(parse_events(b"scope,code,hazard,start,end\n"), Ok(Vec::new()));
    }

    #[test]
    fn every_fault_is_named() {
        assert_eq!(
            faults("scope,code,hazard,start,end\nregion,,drought,2562-11,2020-13\nprovince,30,flood,2020-02,2020-01\n"),
            [
                "line 2, column scope: \"region\": expected well, subdistrict, district or province",
                "line 2, column code: expected a well's id or a place's code",
                "line 2, column start: \"2562-11\": expected a month such as 2019-11",
                "line 2, column end: \"2020-13\": expected a month such as 2019-11",
                "line 3, column end: \"2020-01\": lies before the start",
            ]
        );
        assert_eq!(
            faults("scope,code,hazard\nprovince,30,flood\n"),
            ["line 1, column start: the column is missing", "line 1, column end: the column is missing"]
        );
        let short = faults("scope,code,hazard,start,end\nprovince,30,flood,2020-01\n");
        assert_eq!(short, ["line 2, column end: expected a month such as 2019-11"]);
        assert_eq!(parse_month("2020-02-30"), None);
    }
}
