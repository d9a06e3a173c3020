//! An explanation of a place's drought as text.

use std::fmt;

use crate::assessment::Assessment;
use crate::drought::DroughtClass;
use crate::explain::Indicator;
use crate::explain::language::{Detail, Language, say, shortened};
use crate::explain::place::{Change, PlaceExplanation, WellLine, WellPart};
use crate::explain::text::{heading, write_limits};
use crate::explain::words::{Words, line};

/// A province may have thousands of wells.
const WELL_LINES: usize = 60;

impl PlaceExplanation {
    pub fn told(&self, language: Language, detail: Detail) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = write(self, language, detail, &mut text);
        text
    }
}

/// In English, long lists summed up.
impl fmt::Display for PlaceExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, Language::English, Detail::Summary, f)
    }
}

fn write(found: &PlaceExplanation, language: Language, detail: Detail, f: &mut impl fmt::Write) -> fmt::Result {
    let words = Words::of(language);
    writeln!(f, "{}: {}, {}", words.indicator(Indicator::Drought), found.place, words.month(found.month))?;
    writeln!(f, "{}: {}", words.verdict, verdict(found, words))?;
    heading(words.needs, f)?;
    write_limits(&found.needs, words, f)?;
    heading(words.shares, f)?;
    write_rules(found, words, f)?;
    heading(words.changes, f)?;
    write_changes(found, words, f)?;
    heading(words.confidence, f)?;
    let basis = found.judged.basis();
    let (full, coverage) = (found.place_rules.full_confidence_n, found.evidence.coverage);
    let (years, confidence) = (basis.years, basis.confidence);
    let told = say!(
        language,
        "coverage times the smaller of 1 and (median n of the counted wells)/{full} = {coverage:.2} * {years:.0}/{full} = \
         {confidence:.2}",
        "สัดส่วนบ่อที่มีค่า คูณค่าน้อยกว่าระหว่าง 1 กับ (มัธยฐานของ n ของบ่อที่นับ)/{full} = {coverage:.2} * {years:.0}/{full} = \
         {confidence:.2}"
    );
    writeln!(f, "  {told}")?;
    writeln!(f, "  {}", words.shares(&basis))?;
    let PlaceExplanationCounts { counted, other } = PlaceExplanationCounts::of(found);
    writeln!(f, "\n{} ({counted} + {other})", words.wells)?;
    write_wells(found, words, detail, f)
}

struct PlaceExplanationCounts {
    counted: usize,
    other: usize,
}

impl PlaceExplanationCounts {
    fn of(found: &PlaceExplanation) -> Self {
        let counted = found.wells.iter().filter(|well| well.takes_part == WellPart::Counts).count();
        Self { counted, other: found.wells.len() - counted }
    }
}

fn verdict(found: &PlaceExplanation, words: &Words) -> String {
    let evidence = &found.evidence;
    match &found.judged {
        Assessment::Given { value, .. } => {
            let (entry, hold) = (words.severity(value.entry), words.severity(value.hold));
            let (eligible, capable) = (evidence.eligible, evidence.capable);
            say!(
                words.language,
                "{entry} (holds up: {hold}); {eligible} of {capable} wells count",
                "{entry} (คงระดับเดิมได้ถึง: {hold}); ใช้ {eligible} จาก {capable} บ่อ"
            )
        }
        Assessment::Insufficient { why, .. } => {
            let why = words.why(*why);
            say!(words.language, "not enough data: {why}", "ยังประเมินไม่ได้ ({why})")
        }
    }
}

fn write_rules(found: &PlaceExplanation, words: &Words, f: &mut impl fmt::Write) -> fmt::Result {
    const WIDTHS: [i32; 8] = [10, 6, 9, -5, -3, -7, -7, 8];
    writeln!(f, "{}", line(&words.rule_columns, &WIDTHS))?;
    for rule in &found.rules {
        let cells = [
            words.severity(Some(rule.severity)).to_owned(),
            if rule.hold { words.hold } else { words.entry }.to_owned(),
            words.term(rule.class.name()).to_owned(),
            rule.wells.to_string(),
            rule.wells_needed.to_string(),
            format!("{:.1} %", rule.share * 100.0),
            format!("{:.1} %", rule.share_needed * 100.0),
            words.yes_or_no(rule.met).to_owned(),
        ];
        writeln!(f, "{}", line(&cells, &WIDTHS))?;
    }
    Ok(())
}

fn write_changes(found: &PlaceExplanation, words: &Words, f: &mut impl fmt::Write) -> fmt::Result {
    for need in found.needs.iter().filter(|need| !need.met) {
        let (quantity, observed, limit) = (words.term(need.quantity), need.observed, need.limit);
        let told = say!(
            words.language,
            "a judgement at all: {quantity} {observed:.2} of {limit:.2}",
            "จะประเมินได้เมื่อ {quantity} ถึง {limit:.2} (ขณะนี้ {observed:.2})"
        );
        writeln!(f, "  {told}")?;
    }
    for &Change { wells, worse, to } in &found.changes {
        let how = match (words.language, worse) {
            (Language::English, true) => "more wells extremely low",
            (Language::English, false) => "wells recovered",
            (Language::Thai, true) => "บ่อลดลงถึงระดับวิกฤต",
            (Language::Thai, false) => "บ่อกลับสู่ปกติ",
        };
        writeln!(f, "  {wells} {how}: {}", words.severity(to))?;
    }
    if found.changes.is_empty() && found.needs.iter().all(|need| need.met) {
        writeln!(f, "  {}", words.nothing)?;
    }
    Ok(())
}

fn write_wells(found: &PlaceExplanation, words: &Words, detail: Detail, f: &mut impl fmt::Write) -> fmt::Result {
    const WIDTHS: [i32; 7] = [20, 10, 9, 9, -4, 5, 20];
    writeln!(f, "{}", line(&words.well_columns, &WIDTHS))?;
    let class = |class: Option<DroughtClass>| class.map_or("-", |class| words.term(class.name())).to_owned();
    let well_line = |well: &WellLine| {
        let cells = [
            well.name.clone(),
            well.part.clone().unwrap_or_else(|| "-".to_owned()),
            class(well.class),
            class(well.class_before),
            well.record_n.to_string(),
            words.yes_or_no(well.dry).to_owned(),
            part(&well.takes_part, words),
        ];
        line(&cells, &WIDTHS)
    };
    let lines = found.wells.iter().map(well_line).collect();
    shortened(lines, WELL_LINES, words.language, detail).iter().try_for_each(|line| writeln!(f, "{line}"))
}

fn part(part: &WellPart, words: &Words) -> String {
    let language = words.language;
    let lowers = |why: String| say!(language, "lowers coverage: {why}", "ลดสัดส่วนบ่อที่มีค่า: {why}");
    match *part {
        WellPart::Counts => say!(language, "counts", "นับ"),
        WellPart::WithoutClass(why) => lowers(words.why(why)),
        WellPart::RecordTooShort { n, needed } => lowers(say!(
            language,
            "{n} years with this calendar month, {needed} are needed",
            "มีเดือนนี้เพียง {n} ปี ต้องมี {needed} ปี"
        )),
        WellPart::MayNotSpeak(reason) => {
            let reason = reason.told(language);
            say!(language, "in no count: {reason}", "ไม่นับ: {reason}")
        }
    }
}
