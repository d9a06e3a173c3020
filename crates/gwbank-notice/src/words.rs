//! The fixed words of hazards, severities and transitions, in English and Thai.
//!
//! ประกาศ, เตือนภัย and ภัยพิบัติ never occur but in "ไม่ใช่ประกาศเตือนภัย": an officer must not read a declaration where
//! there is none.

use gwbank_model::condition::{FlagState, Hazard, Severity, Transition};

pub const NO_DECLARATION_TH: &str = "ไม่ใช่ประกาศเตือนภัย";
pub const NO_DECLARATION_EN: &str = "This is not an official warning.";

/// Thousands apart, as both languages write them.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub fn hazard_words(hazard: Hazard) -> (&'static str, &'static str) {
    match hazard {
        Hazard::Drought => ("Low groundwater", "ระดับน้ำใต้ดินต่ำกว่าปกติ"),
        Hazard::Flood => ("High groundwater", "น้ำใต้ดินสูงใกล้ผิวดิน เสี่ยงน้ำท่วมขัง"),
        Hazard::Salinity => ("Groundwater turning saline", "น้ำใต้ดินเค็มขึ้น"),
        Hazard::RapidChange => ("Groundwater rising quickly", "ระดับน้ำใต้ดินเปลี่ยนเร็ว"),
        Hazard::NoData => ("No data", "ไม่มีข้อมูล"),
    }
}

pub fn severity_words(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Watch => ("watch", "เฝ้าระวัง"),
        Severity::Warning => ("warning", "ควรตรวจสอบ"),
        Severity::Severe => ("severe", "รุนแรง"),
        Severity::Extreme => ("extreme", "วิกฤต"),
    }
}

/// How a transition is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransitionWords {
    pub en: &'static str,
    pub th: &'static str,
}

pub fn transition_words(transition: Transition) -> TransitionWords {
    let (en, th) = match transition {
        Transition::Raised => ("New", "เริ่มใหม่"),
        Transition::Escalated => ("Worse", "รุนแรงขึ้น"),
        Transition::Eased => ("Eased", "เบาลง"),
        Transition::WentStale => ("No fresh data, not ended", "ขาดข้อมูลใหม่ สถานะยังคงอยู่"),
        Transition::Cleared => ("Ended", "สิ้นสุดแล้ว"),
        Transition::Acknowledged => ("Seen", "รับทราบแล้ว"),
        Transition::Updated => ("Corrected", "ปรับปรุงข้อมูล"),
        Transition::Cancelled => ("Withdrawn", "ยกเลิก"),
    };
    TransitionWords { en, th }
}

pub fn state_words(state: FlagState) -> (&'static str, &'static str) {
    match state {
        FlagState::Open => ("open", "ยังคงอยู่"),
        FlagState::Stale => ("open, without fresh data", "ยังคงอยู่ แต่ขาดข้อมูลใหม่"),
        FlagState::Closed => ("ended", "สิ้นสุดแล้ว"),
    }
}

/// What somebody did, in both languages.
pub fn action_words(action: gwbank_store::FlagAction) -> (&'static str, &'static str) {
    use gwbank_store::FlagAction::{Acknowledged, Approved, Cancelled, Commented};
    match action {
        Acknowledged => ("seen by", "รับทราบโดย"),
        Commented => ("remark by", "ความเห็นของ"),
        Approved => ("approved for the public by", "อนุมัติให้เผยแพร่โดย"),
        Cancelled => ("withdrawn by", "ยกเลิกโดย"),
    }
}

/// Why something happened, where the evidence names a reason.
pub fn reason_words(reason: &str) -> Option<(&'static str, &'static str)> {
    Some(match reason {
        "two_months_beyond_exit" => {
            ("two closed months in a row were beyond the limit that ends it", "เดือนที่ปิดแล้วสองเดือนติดต่อกันพ้นเกณฑ์สิ้นสุด")
        }
        "late_data" => (
            "readings that came late or were corrected show that it was not so",
            "ข้อมูลที่มาถึงภายหลังหรือแก้ไขแล้วแสดงว่าไม่เป็นเช่นนั้น",
        ),
        "late_data_changed" => {
            ("readings of the month came late or were corrected", "ข้อมูลของเดือนนั้นมาถึงภายหลังหรือได้รับการแก้ไข")
        }
        "no_drought" => ("the level is above the limits", "ระดับน้ำพ้นเกณฑ์"),
        "six_hours_below_limit" => {
            ("every reading of six hours was deeper than the limit", "ค่าที่วัดได้ตลอดหกชั่วโมงลึกกว่าเกณฑ์")
        }
        "no_rise_for_six_hours" => ("the level has not risen for six hours", "ระดับน้ำไม่สูงขึ้นตลอดหกชั่วโมง"),
        "fourteen_days_below_limit" => {
            ("the samples of fourteen days were below the limit", "ค่าที่วัดได้ตลอดสิบสี่วันต่ำกว่าเกณฑ์")
        }
        "no_well_in_danger" => ("no well is at its danger depth any more", "ไม่มีบ่อใดถึงเกณฑ์อันตรายแล้ว"),
        "no_well_turning_saline" => ("no well turns saline any more", "ไม่มีบ่อใดเค็มขึ้นแล้ว"),
        "no_rapid_rise_for_24_hours" => {
            ("the level has not risen quickly for 24 hours", "ระดับน้ำไม่ได้สูงขึ้นเร็วตลอด 24 ชั่วโมง")
        }
        "not_applicable" => ("the well is not judged for this any more", "บ่อนี้ไม่อยู่ในการประเมินเรื่องนี้แล้ว"),
        "data_resumed" => ("fresh data has come in again", "ได้รับข้อมูลใหม่แล้ว"),
        "more_wells" => ("many more wells than were told before", "จำนวนบ่อที่เข้าเกณฑ์เพิ่มขึ้นมากจากที่แจ้งไว้"),
        "silent" => ("the well has sent nothing", "บ่อไม่ได้ส่งข้อมูล"),
        "most_wells_are_silent" => ("most wells have sent nothing", "บ่อส่วนใหญ่ไม่ได้ส่งข้อมูล"),
        "gateway_is_silent" => {
            ("the gateway of the well is silent, and is told of instead", "เกตเวย์ของบ่อขาดการติดต่อ และแจ้งแทนแล้ว")
        }
        "maintenance" => ("the well is being worked on", "บ่ออยู่ระหว่างซ่อมบำรุง"),
        "officer" => ("an officer has taken it back", "เจ้าหน้าที่ยกเลิก"),
        _ => return None,
    })
}
