//! The words of a condition flag, in English and Thai.
//!
//! # Rules
//! 1. The Thai terms of hazards and severities are fixed. An officer must not read a declaration where there is none:
//!    ประกาศ, เตือนภัย and ภัยพิบัติ never occur but in "ไม่ใช่ประกาศเตือนภัย".
//! 2. Every message says where (ตำบล อำเภอ), how many of how many wells, since when, one thing to do, whom to call, and
//!    that it is no official warning.
//! 3. What would clear it has a column of its own in English; in Thai it is a sentence of the detail.

use gwbank_model::condition::{FlagState, Hazard, Scope, Severity};
use gwbank_model::{MONTH_NAMES, MONTH_NAMES_TH, Month, Timestamp};
use gwbank_notice::{NO_DECLARATION_EN, NO_DECLARATION_TH, english_time, hazard_words, severity_words, thai_time};
use gwbank_registry::{Registry, Well, places};
use gwbank_store::{ConditionFlag, Drill, DrillKind};

use crate::book::Texts;
use crate::config::Contacts;

/// "This ends when": what would clear it follows.
const CLEARED_TH: &str = "สถานะนี้สิ้นสุดเมื่อ";
pub(crate) const RECORD_SHORT_TH: &str = "บันทึกยังสั้น ยังประเมินภัยแล้งไม่ได้";
pub(crate) const RECORD_SHORT_EN: &str = "record too short to judge drought";
pub(crate) const TOO_FEW_TH: &str = "ข้อมูลบ่อยังไม่พอ ยังประเมินภัยแล้งไม่ได้";
pub(crate) const TOO_FEW_EN: &str = "not enough wells to judge drought";

const BANGKOK: &str = "10";

/// A name in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlaceText {
    pub en: String,
    pub th: String,
}

/// When a condition began.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Since {
    /// The month whose closed levels raised it, and since when the water has been low.
    Closed {
        month: Month,
        low_since: Option<Month>,
    },
    Instant(Timestamp),
}

/// What a message tells.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    pub hazard: Hazard,
    pub scope: Scope,
    pub severity: Severity,
    pub place: &'a PlaceText,
    /// n of N wells.
    pub wells: u32,
    pub wells_total: u32,
    pub since: Since,
    /// The measured facts, a sentence without a full stop.
    pub facts_en: String,
    pub facts_th: String,
    /// What ends the condition, in words that follow "this ends with".
    pub what_would_clear_it: String,
    pub what_would_clear_it_th: String,
}

pub(crate) fn write(story: Story<'_>, contacts: &Contacts) -> Texts {
    let (hazard_en, hazard_th) = hazard_words(story.hazard);
    let (severity_en, severity_th) = severity_words(story.severity);
    let (since_en, since_th) = since(story.since);
    let (todo_en, todo_th) = to_do(story.hazard, story.severity);
    let (call_en, call_th) = match story.hazard {
        Hazard::Flood => (&contacts.flood_en, &contacts.flood_th),
        Hazard::Drought | Hazard::Salinity => (&contacts.drought_en, &contacts.drought_th),
        Hazard::RapidChange | Hazard::NoData => (&contacts.operator_en, &contacts.operator_th),
    };
    let (n, total) = (story.wells, story.wells_total);
    let wells = wells_word(total);
    let told = |en: String, th: String| {
        if story.scope == Scope::Well || total == 0 { <(String, String)>::default() } else { (en, th) }
    };
    let (count_en, count_th) = told(format!(" ({n} of {total} {wells})"), format!(" ({n} จาก {total} บ่อ)"));
    let (of_en, of_th) = told(format!(" {n} of {total} {wells},"), format!(" {n} จาก {total} บ่อ"));
    let PlaceText { en, th } = story.place;
    Texts {
        headline_en: format!("{hazard_en}, {severity_en}: {en}{count_en}"),
        headline_th: format!("{hazard_th} ระดับ{severity_th}: {th}{count_th}"),
        detail_en: format!(
            "{hazard_en} ({severity_en}) at {en}:{of_en} since {since_en}. {}. {todo_en} Call {call_en}. \
             {NO_DECLARATION_EN}",
            story.facts_en
        ),
        detail_th: format!(
            "{th}: {hazard_th} ({severity_th}){of_th} ตั้งแต่{since_th} {} {CLEARED_TH}{} {todo_th} \
             ติดต่อ{call_th} {NO_DECLARATION_TH}",
            story.facts_th, story.what_would_clear_it_th
        ),
        what_would_clear_it: story.what_would_clear_it,
    }
}

/// English tells one from many, Thai does not.
pub(crate) fn wells_word(count: u32) -> &'static str {
    if count == 1 { "well" } else { "wells" }
}

/// The flag that a drill tells of, which is kept nowhere.
pub(crate) fn drill_flag(drill: &Drill, registry: &Registry, contacts: &Contacts) -> ConditionFlag {
    let Drill { drill_id, hazard, severity, scope, place, province_code, at, .. } = drill;
    let (word_en, word_th) = match drill.kind {
        DrillKind::Exercise => ("an exercise", "การฝึกซ้อม"),
        DrillKind::Test => ("a test", "การทดสอบระบบ"),
    };
    let well = registry.well(place).filter(|_| *scope == Scope::Well);
    let name = well.map_or_else(|| place_text(*scope, place), |well| well_text(well));
    let story = Story {
        hazard: *hazard,
        scope: *scope,
        severity: *severity,
        place: &name,
        wells: 0,
        wells_total: 0,
        since: Since::Instant(*at),
        facts_en: format!("This is {word_en}: nothing was measured"),
        facts_th: format!("นี่คือ{word_th} ไม่มีค่าที่วัดได้จริง"),
        what_would_clear_it: format!("the end of {word_en}"),
        what_would_clear_it_th: format!("จบ{word_th}"),
    };
    let texts = write(story, contacts);
    let code = |digits: usize| place.get(..digits).map(str::to_owned);
    let district = match scope {
        Scope::District | Scope::Subdistrict => code(4),
        _ => well.and_then(|well| well.district_code.clone()),
    };
    ConditionFlag {
        id: format!("drill-{drill_id}"),
        scope: *scope,
        place: place.clone(),
        province_code: province_code.clone(),
        district_code: district,
        subdistrict_code: if *scope == Scope::Subdistrict { code(6) } else { None },
        well_id: well.map(|well| well.well_id.clone()),
        hazard: *hazard,
        severity: *severity,
        state: FlagState::Open,
        raised_at: *at,
        changed_at: *at,
        closed_at: None,
        confidence: 0.0,
        wells_in: 0,
        wells_out: 0,
        coverage: 0.0,
        rule: "drill".to_owned(),
        limit_value: None,
        observed: None,
        what_would_clear_it: texts.what_would_clear_it,
        headline_en: texts.headline_en,
        headline_th: texts.headline_th,
        detail_en: texts.detail_en,
        detail_th: texts.detail_th,
        acknowledged_by: None,
        acknowledged_at: None,
    }
}

pub(crate) fn place_text(scope: Scope, code: &str) -> PlaceText {
    match scope {
        Scope::Subdistrict => administrative(code.get(..2), code.get(..4), Some(code)),
        Scope::District => administrative(code.get(..2), Some(code), None),
        Scope::Province => administrative(Some(code), None, None),
        Scope::Well | Scope::Lao | Scope::Aquifer | Scope::Gateway => {
            PlaceText { en: code.to_owned(), th: code.to_owned() }
        }
    }
}

pub(crate) fn well_text(well: &Well) -> PlaceText {
    let place =
        administrative(Some(&well.province_code), well.district_code.as_deref(), well.subdistrict_code.as_deref());
    let id = &well.well_id;
    let named = |name: Option<&String>| name.map_or_else(|| id.to_string(), |name| format!("{name} ({id})"));
    PlaceText {
        en: format!("well {}, {}", named(well.name.as_ref()), place.en),
        th: format!("{} {}", with_noun(named(well.name_th.as_ref().or(well.name.as_ref()))), place.th),
    }
}

/// Many names of wells begin with the noun.
fn with_noun(name: String) -> String {
    if name.starts_with("บ่อ") { name } else { format!("บ่อ {name}") }
}

/// Names from the smallest place up; a code that is not known stands for itself.
fn administrative(province: Option<&str>, district: Option<&str>, subdistrict: Option<&str>) -> PlaceText {
    let in_bangkok = province == Some(BANGKOK);
    let (mut en, mut th) = (Vec::new(), Vec::new());
    if let Some(code) = subdistrict {
        let found = places::subdistrict(code);
        let prefix = if in_bangkok { "แขวง" } else { "ต." };
        en.push(found.map_or(code, |p| p.name_en).to_owned());
        th.push(format!("{prefix}{}", found.map_or(code, |p| p.name_th.trim_start_matches("แขวง"))));
    }
    if let Some(code) = district {
        let found = places::district(code);
        let prefix = if in_bangkok { "เขต" } else { "อ." };
        en.push(format!("{} district", found.map_or(code, |p| p.name_en)));
        th.push(format!("{prefix}{}", found.map_or(code, |p| p.name_th.trim_start_matches("เขต"))));
    }
    if let Some(code) = province {
        let found = places::province(code);
        en.push(found.map_or(code, |p| p.name_en).to_owned());
        let prefix = match (in_bangkok, th.is_empty()) {
            (true, _) => "",
            (false, true) => "จังหวัด",
            (false, false) => "จ.",
        };
        th.push(format!("{prefix}{}", found.map_or(code, |p| p.name_th)));
    }
    PlaceText { en: en.join(", "), th: th.join(" ") }
}

fn to_do(hazard: Hazard, severity: Severity) -> (&'static str, &'static str) {
    match (hazard, severity) {
        (Hazard::Flood, Severity::Watch) => ("Follow the level in the next days.", "ติดตามระดับน้ำในวันต่อ ๆ ไป"),
        (Hazard::Flood, Severity::Warning) => {
            ("Inspect low ground and drains near the wells.", "ตรวจสอบพื้นที่ลุ่มและทางระบายน้ำใกล้บ่อ")
        }
        (Hazard::Flood, _) => (
            "Stop recharging, clear the drains and move goods to higher ground.",
            "หยุดเติมน้ำลงบ่อ เปิดทางระบายน้ำ และย้ายของขึ้นที่สูง",
        ),
        (Hazard::Salinity, Severity::Watch) => (
            "Take a sample by hand and follow the water in the next weeks.",
            "เก็บตัวอย่างน้ำตรวจสอบ และติดตามคุณภาพน้ำในสัปดาห์ต่อ ๆ ไป",
        ),
        (Hazard::Salinity, _) => (
            "Take a sample by hand, and use the water for drinking and for crops that bear no salt only after it was tested.",
            "เก็บตัวอย่างน้ำตรวจสอบ และอย่าเพิ่งใช้น้ำเพื่อดื่มหรือรดพืชที่ไม่ทนเค็มจนกว่าจะทราบผล",
        ),
        (Hazard::RapidChange, _) => (
            "Look at the well: a flood, a broken pipe, or a sensor that was lifted.",
            "ตรวจดูที่บ่อ อาจเกิดจากน้ำหลาก ท่อแตก หรือหัววัดถูกยกขึ้น",
        ),
        (Hazard::NoData, _) => ("Check power, signal and gateway.", "ตรวจสอบไฟเลี้ยง สัญญาณสื่อสาร และเกตเวย์"),
        (_, Severity::Watch) => ("Follow the level in the next month.", "ติดตามระดับน้ำในเดือนถัดไป"),
        (_, Severity::Warning) => ("Inspect the wells and the plan of water use.", "ตรวจสอบบ่อและแผนการใช้น้ำในพื้นที่"),
        (_, _) => (
            "Reduce pumping that can wait and prepare other sources of water.",
            "ลดการสูบน้ำใต้ดินที่รอได้ และเตรียมแหล่งน้ำสำรอง",
        ),
    }
}

pub(crate) fn month_text(month: Month) -> (String, String) {
    let index = month.month_of_year() as usize - 1;
    (
        format!("{} {}", MONTH_NAMES[index], month.year()),
        // The Buddhist era.
        format!("{} {}", MONTH_NAMES_TH[index], month.year() + 543),
    )
}

fn since(since: Since) -> (String, String) {
    match since {
        Since::Closed { month, low_since } => {
            let (en, th) = month_text(month);
            let low = low_since.map(month_text);
            let low_en = low.as_ref().map_or(String::new(), |(en, _)| {
                format!("; the water has been below the threshold of its season since {en}")
            });
            let low_th = low.map_or(String::new(), |(_, th)| format!(" ระดับน้ำต่ำกว่าเกณฑ์ของฤดูมาตั้งแต่เดือน{th}"));
            (
                format!("{en}, the month whose closed levels raised it{low_en}"),
                format!("เดือน{th} ซึ่งระดับน้ำของเดือนที่ปิดแล้วเข้าเกณฑ์{low_th}"),
            )
        }
        Since::Instant(at) => (english_time(at), format!("วันที่ {}", thai_time(at))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(hazard: Hazard, scope: Scope, severity: Severity, place: &PlaceText) -> Texts {
        let story = Story {
            hazard,
            scope,
            severity,
            place,
            wells: 6,
            wells_total: 9,
            since: Since::Instant(Timestamp::parse_rfc3339("2026-11-05T03:07:00+07:00").unwrap()),
            facts_en: "Depth to water 0.40 m".into(),
            facts_th: "ระดับน้ำลึก 0.40 ม. จากผิวดิน".into(),
            what_would_clear_it: "readings over 6 h that are deeper".into(),
            what_would_clear_it_th: "ค่าที่วัดได้ตลอด 6 ชั่วโมงลึกกว่านั้น".into(),
        };
        write(story, &Contacts::default())
    }

    #[test]
    fn no_message_reads_like_a_declaration() {
        let place = place_text(Scope::Subdistrict, "300101");
        for &hazard in Hazard::ALL {
            for &severity in Severity::ALL {
                for scope in [Scope::Well, Scope::Province] {
                    let texts = story(hazard, scope, severity, &place);
                    let thai = format!("{} {}", texts.headline_th, texts.detail_th).replace(NO_DECLARATION_TH, "");
                    for never in ["ประกาศ", "เตือนภัย", "ภัยพิบัติ"] {
                        assert!(!thai.contains(never), "{thai}");
                    }
                    assert!(
                        texts.detail_th.ends_with(NO_DECLARATION_TH) && texts.detail_en.ends_with(NO_DECLARATION_EN)
                    );
                }
            }
        }
    }

    #[test]
    fn says_where_how_many_since_when_what_and_whom() {
        let texts =
            story(Hazard::Flood, Scope::Subdistrict, Severity::Severe, &place_text(Scope::Subdistrict, "300101"));
        assert_eq!(
            texts.headline_th,
            "น้ำใต้ดินสูงใกล้ผิวดิน เสี่ยงน้ำท่วมขัง ระดับรุนแรง: ต.ในเมือง อ.เมืองนครราชสีมา จ.นครราชสีมา (6 จาก 9 บ่อ)"
        );
        assert!(texts.detail_th.contains("ตั้งแต่วันที่ 5 พฤศจิกายน 2569 เวลา 03.07 น."), "{}", texts.detail_th);
        assert!(texts.detail_th.contains("โทร 1784"));
        let cleared = "สถานะนี้สิ้นสุดเมื่อค่าที่วัดได้ตลอด 6 ชั่วโมงลึกกว่านั้น ";
        assert!(texts.detail_th.contains(cleared), "{}", texts.detail_th);
        assert_eq!(texts.what_would_clear_it, "readings over 6 h that are deeper");
        assert!(texts.detail_en.contains("6 of 9 wells, since 5 November 2026, 03:07 Bangkok time"));
        assert!(texts.headline_en.contains("Mueang Nakhon Ratchasima district, Nakhon Ratchasima"));
    }

    #[test]
    fn the_month_that_raised_a_drought_is_not_when_the_water_fell() {
        let told = |low_since| since(Since::Closed { month: Month::new(2026, 4), low_since });
        let (en, th) = told(None);
        assert_eq!(en, "April 2026, the month whose closed levels raised it");
        assert_eq!(th, "เดือนเมษายน 2569 ซึ่งระดับน้ำของเดือนที่ปิดแล้วเข้าเกณฑ์");
        let (en, th) = told(Some(Month::new(2026, 2)));
        assert!(en.ends_with("below the threshold of its season since February 2026"), "{en}");
        assert!(th.ends_with("ต่ำกว่าเกณฑ์ของฤดูมาตั้งแต่เดือนกุมภาพันธ์ 2569"), "{th}");
    }

    #[test]
    fn bangkok_has_districts_of_its_own_kind() {
        assert_eq!(place_text(Scope::District, "1001").th, "เขตพระนคร กรุงเทพมหานคร");
        assert_eq!(place_text(Scope::Province, "30").th, "จังหวัดนครราชสีมา");
        assert_eq!(place_text(Scope::Province, "99").th, "จังหวัด99");
    }
}
