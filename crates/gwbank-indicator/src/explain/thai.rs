//! Why there is no number, in Thai.

use crate::assessment::Why;
use crate::bank::NotMeasurable;

impl Why {
    /// As the English `Display`.
    pub fn thai(self) -> String {
        let percent = |share: f64| share * 100.0;
        match self {
            Why::ShortRecord { n, needed } => format!("มีเดือนนี้เพียง {n} ปี ต้องมี {needed} ปี"),
            Why::FewYears { years, needed } => format!("บันทึกยาว {years} ปี ต้องมี {needed} ปี"),
            Why::ManyMissing { missing, allowed } => {
                format!("ไม่มีข้อมูล {:.0}% ของเดือน ต้องน้อยกว่า {:.0}%", percent(missing), percent(allowed))
            }
            Why::NoLevel => "ไม่มีระดับน้ำของเดือนนี้".to_owned(),
            Why::Constant => "ค่าเท่ากันทั้งหมด".to_owned(),
            Why::NotCapable => "บ่อนี้ใช้ประเมินเรื่องนี้ไม่ได้".to_owned(),
            Why::Open => "เดือนนี้ยังไม่ปิด".to_owned(),
            Why::PlaceRecordShort { wells, needed } => {
                format!("มีบ่อที่บันทึกตั้งแต่ 10 ปีเพียง {wells} บ่อ ต้องมี {needed} บ่อ")
            }
            Why::FewWells { wells, needed } => format!("มีบ่อที่ใช้ประเมินได้ {wells} บ่อ ต้องมี {needed} บ่อ"),
            Why::FewParts { parts, needed } => {
                format!("บ่อที่ใช้ประเมินได้อยู่ใน {parts} พื้นที่ย่อย ต้องมี {needed} พื้นที่ย่อย")
            }
            Why::LowCoverage { coverage, needed } => {
                format!("มีค่า {:.0}% ของบ่อ ต้องมี {:.0}%", percent(coverage), percent(needed))
            }
        }
    }
}

impl NotMeasurable {
    /// As the English `Display`.
    pub fn thai(self) -> String {
        let told = match self {
            NotMeasurable::NoObservationWell => "น้ำที่เติมลงชั้นน้ำวัดได้จากบ่อสังเกตการณ์เท่านั้น",
            NotMeasurable::Influenced => "บ่อได้รับผลจากการสูบน้ำ",
            NotMeasurable::NoAquiferCondition => "ยังไม่ลงทะเบียนสภาพชั้นน้ำ",
            NotMeasurable::Confined => "ไม่ใช่ชั้นน้ำไร้แรงดัน",
            NotMeasurable::NoSpecificYield => "ยังไม่ลงทะเบียนค่าการให้น้ำจำเพาะ",
            NotMeasurable::NoDepth => "ยังไม่ลงทะเบียนความลึกหรือระดับสำรวจของบ่อ",
            NotMeasurable::NoBankArea => "ยังไม่ลงทะเบียนพื้นที่ของบ่อ",
            NotMeasurable::NoBankVolume => "ยังไม่ลงทะเบียนปริมาตรของบ่อ",
            NotMeasurable::NoFillMaterial => "ไม่ทราบสัดส่วนช่องว่างของวัสดุที่ถม",
            NotMeasurable::NoComparisonWell => "ยังไม่ลงทะเบียนบ่อเปรียบเทียบ หรือบ่อเปรียบเทียบไม่มีข้อมูล หรือบ่อใดบ่อหนึ่งไม่มีระดับพื้นดิน",
            NotMeasurable::NoEvaporation => "ไม่ทราบการระเหย",
            NotMeasurable::NoRise => "ระดับน้ำไม่สูงขึ้นในฤดูฝน",
            NotMeasurable::NoRecession { found, needed } => {
                return format!("เห็นช่วงที่น้ำลดเอง {found} ช่วง ต้องมี {needed} ช่วง");
            }
            NotMeasurable::TooFewEvents { found, needed } => {
                return format!("มี {found} เหตุการณ์ ต้องมี {needed} เหตุการณ์");
            }
            NotMeasurable::TooFewReadings { found, needed } => return format!("มี {found} ค่า ต้องมี {needed} ค่า"),
            NotMeasurable::LowCoverage { covered, needed } => {
                return format!("มีค่า {:.0}% ของเวลา ต้องมี {:.0}%", covered * 100.0, needed * 100.0);
            }
        };
        told.to_owned()
    }
}
