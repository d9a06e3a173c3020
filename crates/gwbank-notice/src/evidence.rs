//! The evidence of a transition, as people read it.

use serde_json::Value;

use crate::when::{english_time, thai_time};

/// Names of the fields of evidence, in English and Thai; what is not here is told by its own name.
const FIELDS: &[(&str, &str, &str)] = &[
    ("allowed_hours", "silence that is usual (h)", "ช่วงเงียบปกติ (ชม.)"),
    ("always_saline", "always saline", "เค็มมาแต่เดิม"),
    ("baseline_days", "days of the usual value", "จำนวนวันของค่าปกติ"),
    ("baseline_us_cm", "usual conductivity (µS/cm)", "ค่าการนำไฟฟ้าปกติ (ไมโครซีเมนส์/ซม.)"),
    ("by", "by", "โดย"),
    ("claims", "severity of the month", "ระดับของเดือนนี้"),
    ("class", "class", "ชั้น"),
    ("count", "count", "จำนวน"),
    ("coverage", "share of wells with data", "สัดส่วนบ่อที่มีข้อมูล"),
    ("danger_depth", "danger depth (m)", "ความลึกเกณฑ์อันตราย (ม.)"),
    ("day", "day", "วัน"),
    ("depth", "depth to water (m)", "ความลึกระดับน้ำ (ม.)"),
    ("dissolved_solids_mg_l", "dissolved solids (mg/L)", "ของแข็งละลายน้ำ (มก./ล.)"),
    ("districts_in_danger", "districts in danger", "จำนวนอำเภอที่ถึงเกณฑ์อันตราย"),
    ("dry", "dry wells", "บ่อแห้ง"),
    ("eligible", "wells judged", "บ่อที่ประเมินได้"),
    ("extreme", "wells extremely low", "บ่อที่ต่ำระดับวิกฤต"),
    ("filling", "bank is filling", "บ่อกำลังรับน้ำ"),
    ("from", "from", "ตั้งแต่"),
    ("held_class", "class that keeps it", "ชั้นที่ทำให้ยังคงอยู่"),
    ("holds", "severity that keeps it", "ระดับที่ทำให้ยังคงอยู่"),
    ("hours", "hours", "ชั่วโมง"),
    ("hours_to_ground", "hours until the ground", "ชั่วโมงจนถึงผิวดิน"),
    ("insufficient", "why it cannot be judged", "เหตุที่ประเมินไม่ได้"),
    ("interval_s", "usual interval (s)", "ช่วงส่งปกติ (วินาที)"),
    ("level", "level (m)", "ระดับน้ำ (ม.)"),
    ("limit", "limit", "ค่าเกณฑ์"),
    ("limit_m", "limit (m)", "ค่าเกณฑ์ (ม.)"),
    ("limit_us_cm", "limit (µS/cm)", "ค่าเกณฑ์ (ไมโครซีเมนส์/ซม.)"),
    ("low_since", "low since", "ต่ำมาตั้งแต่"),
    ("median_us_cm", "median of seven days (µS/cm)", "ค่ามัธยฐานเจ็ดวัน (ไมโครซีเมนส์/ซม.)"),
    ("moderate_or_worse", "wells moderately low or worse", "บ่อที่ต่ำกว่าปกติมากขึ้นไป"),
    ("month", "month", "เดือน"),
    ("n", "values", "จำนวนค่า"),
    ("observed", "observed", "ค่าที่พบ"),
    ("parameter", "parameter", "ตัวแปร"),
    ("parts", "parts of the place with wells judged", "จำนวนพื้นที่ย่อยที่มีบ่อประเมินได้"),
    ("percentile", "percentile", "เปอร์เซ็นไทล์"),
    ("rate_m_per_h", "rate (m/h)", "อัตรา (ม./ชม.)"),
    ("received_at", "received", "ได้รับเมื่อ"),
    ("rise", "rise", "การสูงขึ้น"),
    ("rise_m", "rise (m)", "สูงขึ้น (ม.)"),
    ("rule", "rule", "เกณฑ์"),
    ("severe_or_worse", "wells severely low or worse", "บ่อที่ต่ำระดับรุนแรงขึ้นไป"),
    ("sgi", "SGI", "ดัชนี SGI"),
    ("silent_since", "silent since", "ขาดการติดต่อตั้งแต่"),
    ("since", "since", "ตั้งแต่"),
    ("steps", "steps", "ลำดับขั้น"),
    ("supported_by", "supported by", "ยืนยันโดย"),
    ("text", "in his words", "ตามคำกล่าว"),
    ("time", "time of the reading", "เวลาที่วัด"),
    ("to", "to", "ถึง"),
    ("warning_depth", "warning depth (m)", "ความลึกเกณฑ์ตรวจสอบ (ม.)"),
    ("wells", "wells", "บ่อ"),
    ("wells_counted", "wells that count", "บ่อที่นับ"),
    ("wells_in_danger", "wells at danger depth", "บ่อที่ถึงเกณฑ์อันตราย"),
    ("wells_out", "wells out, by why", "บ่อที่ไม่นับ และเหตุผล"),
    ("wells_raised", "wells with a flag", "บ่อที่มีสถานการณ์"),
    ("wells_severe", "wells that are severe", "บ่อที่รุนแรง"),
    ("wells_that_may_speak", "wells that can be judged", "บ่อที่ใช้ประเมินได้"),
    ("wells_that_measure", "wells that measure it", "บ่อที่วัดค่านี้"),
    ("wells_told", "wells told of", "จำนวนบ่อที่แจ้ง"),
    ("wells_with_record", "wells with a long record", "บ่อที่บันทึกยาวพอ"),
    ("why", "why", "เหตุผล"),
    ("years", "years of record", "จำนวนปีของบันทึก"),
];

/// What a field of evidence is called.
pub fn field_words(name: &str) -> Option<(&'static str, &'static str)> {
    FIELDS.iter().find(|(known, ..)| *known == name).map(|(_, en, th)| (*en, *th))
}

/// The fields of an evidence but its reason, each with its name and value in words.
pub fn told_evidence(evidence: &Value, is_thai: bool) -> Vec<(String, String)> {
    let fields = evidence.as_object().into_iter().flatten();
    let told = fields.filter(|(name, value)| *name != "reason" && !value.is_null());
    told.map(|(name, value)| (called(name, is_thai), value_in_words(value, is_thai))).collect()
}

fn called(name: &str, is_thai: bool) -> String {
    match field_words(name) {
        Some((_, th)) if is_thai => th.to_owned(),
        Some((en, _)) => en.to_owned(),
        None => name.to_owned(),
    }
}

fn value_in_words(value: &Value, is_thai: bool) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(yes) => match (yes, is_thai) {
            (true, true) => "ใช่",
            (false, true) => "ไม่ใช่",
            (true, false) => "yes",
            (false, false) => "no",
        }
        .to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => match gwbank_model::Timestamp::parse_rfc3339(text) {
            Some(at) if is_thai => thai_time(at),
            Some(at) => english_time(at),
            None => text.clone(),
        },
        Value::Array(items) if items.is_empty() => if is_thai { "ไม่มี" } else { "none" }.to_owned(),
        Value::Array(items) => {
            let separator = if items.iter().any(Value::is_object) { "; " } else { ", " };
            items.iter().map(|item| value_in_words(item, is_thai)).collect::<Vec<_>>().join(separator)
        }
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let told =
                fields.map(|(name, value)| format!("{} {}", called(name, is_thai), value_in_words(value, is_thai)));
            told.collect::<Vec<_>>().join(" · ")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_values_and_lists_are_told_in_words() {
        let evidence = json!({ "reason": "x", "depth": 0.4, "filling": false, "nothing": null, "strange": [],
            "time": "2026-11-05T03:07:00+07:00", "wells": ["A", "B"],
            "wells_out": [{ "why": "no fresh reading", "count": 2, "wells": ["C", "D"] }] });
        let thai = told_evidence(&evidence, true);
        let of = |name: &str| thai.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(of("ความลึกระดับน้ำ (ม.)"), Some("0.4"));
        assert_eq!(of("เวลาที่วัด"), Some("5 พฤศจิกายน 2569 เวลา 03.07 น."));
        assert_eq!(of("บ่อ"), Some("A, B"));
        assert_eq!(of("strange"), Some("ไม่มี"));
        assert_eq!(of("บ่อกำลังรับน้ำ"), Some("ไม่ใช่"));
        let english = told_evidence(&evidence, false);
        let out = english.iter().find(|(name, _)| name == "wells out, by why").unwrap();
        assert_eq!(out.1, "count 2 · wells C, D · why no fresh reading");
        assert_eq!(english.len(), 6, "{english:?}");
    }

    #[test]
    fn each_field_is_named_once() {
        assert!(FIELDS.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order, so none twice");
    }
}
