//! Headings and verdicts in English and Thai, and padding that knows which Thai marks take no width.

use gwbank_model::condition::Severity;
use gwbank_model::{MONTH_NAMES, MONTH_NAMES_TH, Month};

use crate::assessment::{Basis, Why};
use crate::explain::evidence::{Indicator, Outcome};
use crate::explain::language::{Language, say};
use crate::monthly::Sense;

/// What a renderer says; symbols and numbers are the same in both languages.
#[derive(Debug)]
pub struct Words {
    pub language: Language,
    pub verdict: &'static str,
    pub the_month: &'static str,
    pub years: &'static str,
    pub formula: &'static str,
    pub limits: &'static str,
    pub which_decides: &'static str,
    pub left_out: &'static str,
    pub confidence: &'static str,
    pub weaknesses: &'static str,
    pub nothing: &'static str,
    pub nothing_measured: &'static str,
    pub dry: &'static str,
    pub dry_unknown: &'static str,
    pub closed: &'static str,
    pub not_closed: &'static str,
    pub preliminary: &'static str,
    pub entry: &'static str,
    pub hold: &'static str,
    pub wells: &'static str,
    pub shares: &'static str,
    pub needs: &'static str,
    pub changes: &'static str,
    pub year_columns: [&'static str; 7],
    pub limit_columns: [&'static str; 6],
    pub well_columns: [&'static str; 7],
    pub rule_columns: [&'static str; 8],
}

pub const ENGLISH: Words = Words {
    language: Language::English,
    verdict: "Verdict",
    the_month: "The month",
    years: "Years with this calendar month",
    formula: "Formula with the numbers put in",
    limits: "Limits",
    which_decides: "read downwards; < is the one that decided",
    left_out: "Left out",
    confidence: "Confidence",
    weaknesses: "Known weaknesses",
    nothing: "nothing",
    nothing_measured: "none",
    dry: "dry",
    dry_unknown: "dry, unknown",
    closed: "closed",
    not_closed: "not closed",
    preliminary: "preliminary",
    entry: "entry",
    hold: "hold",
    wells: "Wells",
    shares: "Rules of the severities",
    needs: "What a judgement needs",
    changes: "What would change the verdict",
    year_columns: ["year", "level m", "rank", "tied", "days", "reference", "state"],
    limit_columns: ["quantity", "found", "", "limit", "gives", "met"],
    well_columns: ["well", "part", "class", "before", "n", "dry", "state"],
    rule_columns: ["severity", "kind", "at class", "wells", ">=", "share", ">=", "met"],
};

pub const THAI: Words = Words {
    language: Language::Thai,
    verdict: "ผลการประเมิน",
    the_month: "ข้อมูลของเดือน",
    years: "ทุกปีของเดือนเดียวกัน",
    formula: "สูตรพร้อมตัวเลข",
    limits: "เกณฑ์",
    which_decides: "อ่านจากบนลงล่าง เครื่องหมาย < คือเกณฑ์ที่ตัดสิน",
    left_out: "ข้อมูลที่ไม่ได้ใช้และเหตุผล",
    confidence: "ความเชื่อมั่น",
    weaknesses: "ข้อจำกัดที่ทราบ",
    nothing: "ไม่มี",
    nothing_measured: "ไม่มี",
    dry: "แห้ง",
    dry_unknown: "แห้ง ไม่ทราบ",
    closed: "ปิดแล้ว",
    not_closed: "ยังไม่ปิด",
    preliminary: "ยังไม่ปิด",
    entry: "เข้า",
    hold: "คง",
    wells: "บ่อ",
    shares: "เกณฑ์ของแต่ละระดับ",
    needs: "เงื่อนไขของการประเมิน",
    changes: "สิ่งที่จะทำให้ผลเปลี่ยน",
    year_columns: ["ปี", "ระดับ ม.", "อันดับ", "เท่ากัน", "วัน", "ใช้อ้างอิง", "สถานะ"],
    limit_columns: ["ค่า", "พบ", "", "เกณฑ์", "ผล", "ถึงเกณฑ์"],
    well_columns: ["บ่อ", "พื้นที่ย่อย", "ระดับ", "เดือนก่อน", "n", "แห้ง", "สถานะ"],
    rule_columns: ["ระดับ", "ชนิด", "ชั้น", "บ่อ", ">=", "สัดส่วน", ">=", "ถึงเกณฑ์"],
};

impl Words {
    pub const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Thai => &THAI,
        }
    }

    fn is_thai(&self) -> bool {
        self.language == Language::Thai
    }

    pub fn yes_or_no(&self, yes: bool) -> &'static str {
        match (self.is_thai(), yes) {
            (false, true) => "yes",
            (true, true) => "ใช่",
            (_, false) => "-",
        }
    }

    /// Thai years are of the Buddhist era.
    pub fn month(&self, month: Month) -> String {
        let at = month.month_of_year() as usize - 1;
        let (names, era) = if self.is_thai() { (&MONTH_NAMES_TH, 543) } else { (&MONTH_NAMES, 0) };
        format!("{} {}", names[at], month.year() + era)
    }

    pub fn indicator(&self, indicator: Indicator) -> &'static str {
        match (self.is_thai(), indicator) {
            (false, Indicator::Sgi) => "Standardised Groundwater level Index",
            (false, Indicator::Percentile) => "Percentile",
            (false, Indicator::PercentileClass) => "Percentile class",
            (false, Indicator::PositionIndex) => "Position index",
            (false, Indicator::Ips) => "IPS class",
            (false, Indicator::Drought) => "Low groundwater (drought)",
            (true, Indicator::Sgi) => "ดัชนีระดับน้ำใต้ดินมาตรฐาน (SGI)",
            (true, Indicator::Percentile) => "เปอร์เซ็นไทล์",
            (true, Indicator::PercentileClass) => "ชั้นเปอร์เซ็นไทล์",
            (true, Indicator::PositionIndex) => "ดัชนีตำแหน่งระดับน้ำ",
            (true, Indicator::Ips) => "ชั้นดัชนี IPS",
            (true, Indicator::Drought) => "ระดับน้ำใต้ดินต่ำกว่าปกติ",
        }
    }

    pub fn outcome(&self, outcome: &Outcome, n: u32) -> String {
        let number = match *outcome {
            Outcome::Sgi { value, .. } => format!("SGI {value:.2}"),
            Outcome::Ips { sgi, .. } => format!("SGI {sgi:.2}"),
            Outcome::Percentile { value, .. } => format!("{} {value:.1}", self.indicator(Indicator::Percentile)),
            Outcome::PercentileClass { percentile, .. } => {
                format!("{} {percentile:.1}", self.indicator(Indicator::Percentile))
            }
            Outcome::PositionIndex { value } => format!("{} {value:.1}", self.indicator(Indicator::PositionIndex)),
            Outcome::Drought(judgement) => format!("{} {:.2}", self.term(judgement.rule), judgement.observed),
            Outcome::None(why) => return self.no_number(&self.why(why)),
        };
        let class = outcome.class().map_or(String::new(), |class| {
            if self.is_thai() { format!(" {}", self.term(class)) } else { format!(", {class}") }
        });
        let record = say!(self.language, "{n} years with this calendar month", "บันทึก {n} ปี");
        format!("{number}{class}; {record}")
    }

    /// The verdict where there is no number.
    pub fn no_number(&self, why: &str) -> String {
        say!(self.language, "none: {why}", "ยังประเมินไม่ได้ ({why})")
    }

    pub fn why(&self, why: Why) -> String {
        if self.is_thai() { why.thai() } else { why.to_string() }
    }

    /// Of a place.
    pub fn severity(&self, severity: Option<Severity>) -> &'static str {
        match (self.is_thai(), severity) {
            (false, None) => "judged, no drought",
            (false, Some(severity)) => severity.name(),
            (true, None) => "ประเมินแล้ว ไม่ต่ำกว่าปกติ",
            (true, Some(Severity::Watch)) => "เฝ้าระวัง",
            (true, Some(Severity::Warning)) => "ควรตรวจสอบ",
            (true, Some(Severity::Severe)) => "รุนแรง",
            (true, Some(Severity::Extreme)) => "วิกฤต",
        }
    }

    /// Which way the readings go.
    pub fn sense(&self, sense: Sense) -> &'static str {
        match (self.is_thai(), sense) {
            (false, Sense::Depth) => "depth to water",
            (false, Sense::Elevation) => "elevation of the water",
            (true, Sense::Depth) => "ความลึกถึงน้ำ",
            (true, Sense::Elevation) => "ระดับความสูงของน้ำ",
        }
    }

    /// Shares of the values behind a number.
    pub fn shares(&self, basis: &Basis) -> String {
        let share = |share: Option<f64>| match (share, self.language) {
            (Some(share), _) => format!("{:.0} %", share * 100.0),
            (None, Language::English) => "not counted".to_owned(),
            (None, Language::Thai) => "ไม่ได้นับ".to_owned(),
        };
        let (approved, good) = (share(basis.approved_share), share(basis.quality_share));
        say!(
            self.language,
            "approved {approved}, passed all tests {good}",
            "รับรองแล้ว {approved} ผ่านการทดสอบทั้งหมด {good}"
        )
    }

    /// A fixed word of the tables (a class, a quantity, a claim); in English it stands for itself.
    pub fn term<'a>(&self, word: &'a str) -> &'a str {
        if self.is_thai() { thai_term(word) } else { word }
    }
}

/// A word that has none is told as it is, which the tests find.
fn thai_term(word: &str) -> &str {
    match word {
        "n" => "จำนวนปี",
        "sgi" => "SGI",
        "percentile" => "เปอร์เซ็นไทล์",
        "dry" => "สัดส่วนวันแห้ง",
        "dry_share" => "สัดส่วนวันแห้ง",
        "position_index" => "ดัชนีตำแหน่ง",
        "not_provisional" => "ไม่ใช่ค่าชั่วคราว",
        "five_classes" => "ห้าชั้น",
        "seven_classes" => "เจ็ดชั้น",
        "sgi_extreme" => "SGI ถึงชั้นวิกฤต",
        "watch_at_most" => "ไม่เกินเฝ้าระวัง",
        "moderate_at_most" => "ไม่เกินควรตรวจสอบ",
        "severe_at_most" => "ไม่เกินรุนแรง",
        "judgement" => "ประเมินได้",
        "recorded" => "บ่อที่บันทึกยาวพอ",
        "eligible" => "บ่อที่ใช้ได้",
        "parts" => "พื้นที่ย่อย",
        "coverage" => "สัดส่วนบ่อที่มีค่า",
        "extremely_low" | "very_low" => "ต่ำมากที่สุด",
        "severely_low" | "low" | "much_below_normal" => "ต่ำกว่าปกติมาก",
        "moderately_low" | "below_normal" => "ต่ำกว่าปกติ",
        "normal" | "around_normal" => "ปกติ",
        "moderately_high" | "above_normal" => "สูงกว่าปกติ",
        "severely_high" | "high" | "much_above_normal" => "สูงกว่าปกติมาก",
        "extremely_high" | "very_high" => "สูงมากที่สุด",
        "watch" => "เฝ้าระวัง",
        // The class `moderate` of a well and the severity `warning` have one name.
        "moderate" | "warning" => "ควรตรวจสอบ",
        "severe" => "รุนแรง",
        "extreme" => "วิกฤต",
        "none" => "ไม่ต่ำกว่าปกติ",
        "decreasing" => "ลดลง",
        "increasing" => "สูงขึ้น",
        "no trend" => "ไม่มีแนวโน้ม",
        "holds_watch" => "คงเฝ้าระวัง",
        "holds_moderate" => "คงควรตรวจสอบ",
        "holds_severe" => "คงรุนแรง",
        "holds_extreme" => "คงวิกฤต",
        other => other,
    }
}

/// Columns that a text takes: Thai vowels and marks above and below a letter take none.
fn width(text: &str) -> usize {
    let takes_none = |c: char| matches!(c, '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}');
    text.chars().filter(|&c| !takes_none(c)).count()
}

/// One line of a table: positive widths to the left, negative ones to the right.
pub(super) fn line<T: AsRef<str>>(cells: &[T], widths: &[i32]) -> String {
    let mut line = String::from("  ");
    for (at, (cell, &columns)) in cells.iter().zip(widths).enumerate() {
        let cell = cell.as_ref();
        let fill = (columns.unsigned_abs() as usize).saturating_sub(width(cell));
        if at > 0 {
            line.push_str("  ");
        }
        if columns < 0 {
            line.extend(std::iter::repeat_n(' ', fill));
        }
        line.push_str(cell);
        if columns > 0 {
            line.extend(std::iter::repeat_n(' ', fill));
        }
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thai_marks_take_no_width() {
        assert_eq!(width("ปี"), 1);
        assert_eq!(width("ที่"), 1);
        assert_eq!(width("เดือน"), 4);
        assert_eq!(line(&["ปี", "x"], &[3, -2]), "  ปี     x");
        assert_eq!(line(&["year", "x"], &[3, -2]), "  year   x", "too long is not cut");
    }

    #[test]
    fn thai_months_are_of_the_buddhist_era() {
        assert_eq!(THAI.month(Month::new(2026, 4)), "เมษายน 2569");
        assert_eq!(ENGLISH.month(Month::new(2026, 4)), "April 2026");
    }
}
