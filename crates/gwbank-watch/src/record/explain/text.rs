//! An explanation of a record as text.

use std::fmt;

use gwbank_indicator::explain::words::{ENGLISH, THAI, Words};

use super::RecordExplanation;
use super::mend::mend;

/// The explanation with headings and verdict in Thai.
#[derive(Debug, Clone, Copy)]
pub struct ThaiRecord<'a>(&'a RecordExplanation);

impl RecordExplanation {
    pub fn thai(&self) -> ThaiRecord<'_> {
        ThaiRecord(self)
    }
}

impl fmt::Display for RecordExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, &ENGLISH, f)
    }
}

impl fmt::Display for ThaiRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, &THAI, f)
    }
}

fn write(found: &RecordExplanation, words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (name, used, no_number) = if words.thai {
        (found.indicator.thai(), "ข้อมูลที่ใช้", "สิ่งที่ขาดและวิธีแก้")
    } else {
        (found.indicator.english(), "What it is made of", "What is missing, and how to mend it")
    };
    writeln!(f, "{name}: {}, {}", found.well, period(found, words))?;
    writeln!(f, "{}: {}", words.verdict, verdict(found, words))?;
    let evidence = &found.evidence;
    if let Some(missing) = &evidence.missing {
        let (english, thai) = mend(missing.reason);
        let mended = if words.thai { thai } else { english };
        section(no_number, &[missing.told.clone(), mended.to_owned()], words, f)?;
    }
    section(used, &evidence.used, words, f)?;
    section(words.formula, &evidence.formulas, words, f)?;
    section(words.limits, &evidence.limits, words, f)?;
    section(words.left_out, &evidence.left_out, words, f)?;
    section(words.confidence, &confidence(found), words, f)?;
    section(words.weaknesses, &evidence.weaknesses, words, f)
}

fn section(heading: &str, lines: &[String], words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n{heading}")?;
    if lines.is_empty() {
        return writeln!(f, "  {}", words.nothing);
    }
    lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
}

/// The month, and of an event the instant, too.
fn period(found: &RecordExplanation, words: &Words) -> String {
    let month = words.month(found.month);
    match found.period.filter(|period| *period != found.month.start(0)) {
        Some(period) => format!("{month} ({})", period.to_rfc3339(found.offset_seconds)),
        None => month,
    }
}

fn verdict(found: &RecordExplanation, words: &Words) -> String {
    let Some(value) = found.value else {
        let told = found.missing().map_or("", |missing| missing.told.as_str());
        return if words.thai {
            format!("ยังประเมินไม่ได้ ({told})")
        } else {
            format!("none: {told}")
        };
    };
    let unit = found.indicator.unit();
    let space = if unit.is_empty() { "" } else { " " };
    let class = found.class.map_or(String::new(), |class| format!(", {class}"));
    format!("{value}{space}{unit}{class}")
}

fn confidence(found: &RecordExplanation) -> Vec<String> {
    let Some(basis) = found.basis else { return Vec::new() };
    let share = |share: Option<f64>| share.map_or("not counted".to_owned(), |share| format!("{:.0} %", share * 100.0));
    vec![
        format!("{} = {}", found.evidence.confidence, basis.confidence),
        format!("n {}, years {}", basis.n, basis.years),
        format!("approved {}, passed all tests {}", share(basis.approved_share), share(basis.quality_share)),
    ]
}
