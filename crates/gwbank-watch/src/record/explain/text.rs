//! An explanation of a record as text.

use std::fmt;

use gwbank_indicator::Basis;
use gwbank_indicator::explain::words::Words;
use gwbank_indicator::explain::{Detail, Language, number, shortened};

use super::RecordExplanation;
use super::evidence::{Told, told};
use super::mend::mend;
use super::names::class_thai;

/// Lines of one section of a summary.
const SECTION_LINES: usize = 60;
const LEFT_OUT_LINES: usize = 20;

impl RecordExplanation {
    pub fn told(&self, language: Language, detail: Detail) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = write(self, language, detail, &mut text);
        text
    }
}

/// In English, long lists summed up.
impl fmt::Display for RecordExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, Language::English, Detail::Summary, f)
    }
}

fn write(found: &RecordExplanation, language: Language, detail: Detail, f: &mut impl fmt::Write) -> fmt::Result {
    let words = Words::of(language);
    let (name, used, no_number) = match language {
        Language::English => (found.indicator.english(), "What it is made of", "What is missing, and how to mend it"),
        Language::Thai => (found.indicator.thai(), "ข้อมูลที่ใช้", "สิ่งที่ขาดและวิธีแก้"),
    };
    writeln!(f, "{name}: {}, {}", found.well, period(found, words))?;
    writeln!(f, "{}: {}", words.verdict, verdict(found, words))?;
    let evidence = &found.evidence;
    let texts = |told: &[Told]| told.iter().map(|told| told.of(language).to_owned()).collect::<Vec<_>>();
    if let Some(missing) = &evidence.missing {
        let (english, thai) = mend(missing.reason);
        let mended = if language == Language::Thai { thai } else { english };
        section(no_number, vec![missing.told.of(language).to_owned(), mended.to_owned()], words, f)?;
    }
    let made_of = evidence.used.iter().filter_map(|line| line.of(language, detail)).map(str::to_owned).collect();
    section(used, shortened(made_of, SECTION_LINES, language, detail), words, f)?;
    section(words.formula, texts(&evidence.formulas), words, f)?;
    section(words.limits, texts(&evidence.limits), words, f)?;
    section(words.left_out, shortened(texts(&evidence.left_out), LEFT_OUT_LINES, language, detail), words, f)?;
    let confidence = found.basis.map_or(Vec::new(), |basis| confidence(&evidence.confidence, &basis, words));
    section(words.confidence, confidence, words, f)?;
    section(words.weaknesses, texts(&evidence.weaknesses), words, f)
}

fn section(heading: &str, lines: Vec<String>, words: &Words, f: &mut impl fmt::Write) -> fmt::Result {
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
    let language = words.language;
    let Some(value) = found.value else {
        return words.no_number(found.missing().map_or("", |missing| missing.told.of(language)));
    };
    let unit = found.indicator.unit(language);
    let space = if unit.is_empty() { "" } else { " " };
    let class = match (found.class, language) {
        (None, _) => String::new(),
        (Some(class), Language::English) => format!(", {class}"),
        (Some(class), Language::Thai) => format!(" ({})", class_thai(class)),
    };
    format!("{}{space}{unit}{class}", number(value))
}

fn confidence(made: &Told, basis: &Basis, words: &Words) -> Vec<String> {
    let (confidence, n, years) = (number(basis.confidence), basis.n, number(basis.years));
    let counts = told!("n {n}, years {years}", "n {n} ความยาวบันทึก {years} ปี");
    let language = words.language;
    vec![format!("{} = {confidence}", made.of(language)), counts.of(language).to_owned(), words.shares(basis)]
}
