//! An explanation of a place's drought as text.

use std::fmt;

use crate::assessment::Assessment;
use crate::drought::DroughtClass;
use crate::explain::Indicator;
use crate::explain::place::{Change, PlaceExplanation, WellPart};
use crate::explain::text::{heading, write_limits};
use crate::explain::words::{ENGLISH, THAI, Words, line};

/// The explanation with headings and verdict in Thai.
#[derive(Debug, Clone, Copy)]
pub struct ThaiPlace<'a>(&'a PlaceExplanation);

impl PlaceExplanation {
    pub fn thai(&self) -> ThaiPlace<'_> {
        ThaiPlace(self)
    }
}

impl fmt::Display for PlaceExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, &ENGLISH, f)
    }
}

impl fmt::Display for ThaiPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, &THAI, f)
    }
}

fn write(found: &PlaceExplanation, words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    let (rules, evidence) = (&found.place_rules, &found.evidence);
    writeln!(
        f,
        "  coverage times the smaller of 1 and (median n of the counted wells)/{} = {:.2} * {:.0}/{} = {:.2}",
        rules.full_confidence_n, evidence.coverage, basis.years, rules.full_confidence_n, basis.confidence
    )?;
    let share = |share: Option<f64>| share.map_or("not counted".to_owned(), |share| format!("{:.0} %", share * 100.0));
    writeln!(f, "  approved {}, passed all tests {}", share(basis.approved_share), share(basis.quality_share))?;
    let PlaceExplanationCounts { counted, other } = PlaceExplanationCounts::of(found);
    writeln!(f, "\n{} ({counted} + {other})", words.wells)?;
    write_wells(found, words, f)
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
            if words.thai {
                format!("{entry} (คงระดับเดิมได้ถึง: {hold}); ใช้ {} จาก {} บ่อ", evidence.eligible, evidence.capable)
            } else {
                format!("{entry} (holds up: {hold}); {} of {} wells count", evidence.eligible, evidence.capable)
            }
        }
        Assessment::Insufficient { why, .. } if words.thai => format!("ยังประเมินไม่ได้ ({why})"),
        Assessment::Insufficient { why, .. } => format!("not enough data: {why}"),
    }
}

fn write_rules(found: &PlaceExplanation, words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const WIDTHS: [i32; 8] = [10, 6, 9, -5, -3, -7, -7, 8];
    writeln!(f, "{}", line(&words.rule_columns, &WIDTHS))?;
    for rule in &found.rules {
        let cells = [
            rule.severity.name().to_owned(),
            if rule.hold { "hold" } else { "entry" }.to_owned(),
            rule.class.name().to_owned(),
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

fn write_changes(found: &PlaceExplanation, words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for need in found.needs.iter().filter(|need| !need.met) {
        writeln!(f, "  a judgement at all: {} {:.2} of {:.2}", need.quantity, need.observed, need.limit)?;
    }
    for &Change { wells, worse, to } in &found.changes {
        let how = match (words.thai, worse) {
            (false, true) => "more wells extremely low",
            (false, false) => "wells recovered",
            (true, true) => "บ่อลดลงถึงระดับวิกฤต",
            (true, false) => "บ่อกลับสู่ปกติ",
        };
        writeln!(f, "  {wells} {how}: {}", words.severity(to))?;
    }
    if found.changes.is_empty() && found.needs.iter().all(|need| need.met) {
        writeln!(f, "  {}", words.nothing)?;
    }
    Ok(())
}

fn write_wells(found: &PlaceExplanation, words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const WIDTHS: [i32; 7] = [20, 10, 9, 9, -4, 5, 20];
    writeln!(f, "{}", line(&words.well_columns, &WIDTHS))?;
    let class = |class: Option<DroughtClass>| class.map_or("-", DroughtClass::name).to_owned();
    for well in &found.wells {
        let state = match &well.takes_part {
            WellPart::Counts => "counts".to_owned(),
            WellPart::WithoutClass(why) => format!("lowers coverage: {why}"),
            WellPart::RecordTooShort { n, needed } => {
                format!("lowers coverage: {n} years with this calendar month, {needed} are needed")
            }
            WellPart::MayNotSpeak(reason) => format!("in no count: {reason}"),
        };
        let cells = [
            well.name.clone(),
            well.part.clone().unwrap_or_else(|| "-".to_owned()),
            class(well.class),
            class(well.class_before),
            well.record_n.to_string(),
            words.yes_or_no(well.dry).to_owned(),
            state,
        ];
        writeln!(f, "{}", line(&cells, &WIDTHS))?;
    }
    Ok(())
}
