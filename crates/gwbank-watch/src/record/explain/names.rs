//! What can be explained of a record, by its name in tables.

use gwbank_indicator::explain::Language;
use gwbank_indicator::explain::words::THAI;

use super::super::Part;
use crate::rises::{HOURS_TO_GROUND, RATE_OF_RISE};

/// An indicator of a well's record, or of a rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordIndicator {
    name: &'static str,
    part: Option<Part>,
}

impl RecordIndicator {
    pub fn all() -> impl Iterator<Item = Self> {
        let of_part = |part: Part| part.indicators().iter().map(move |&name| Self { name, part: Some(part) });
        let rises = [RATE_OF_RISE, HOURS_TO_GROUND].map(|name| Self { name, part: None });
        Part::ALL.into_iter().flat_map(of_part).chain(rises)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|indicator| indicator.name == name)
    }

    pub const fn name(self) -> &'static str {
        self.name
    }

    /// `None` of a rise.
    pub(super) const fn part(self) -> Option<Part> {
        self.part
    }

    pub(super) fn unit(self, language: Language) -> &'static str {
        let unit = self.words().0;
        if language == Language::Thai { unit_thai(unit) } else { unit }
    }

    pub(super) fn english(self) -> &'static str {
        self.words().1
    }

    pub(super) fn thai(self) -> &'static str {
        self.words().2
    }

    /// Unit, English and Thai name.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self.name {
            "trend" => ("m a year", "Trend of the level", "แนวโน้มระดับน้ำใต้ดิน"),
            "drought_deficit" => ("m months", "Deficit of a spell of low groundwater", "ปริมาณที่ต่ำกว่าเกณฑ์ของช่วงน้ำต่ำ"),
            "drought_duration" => ("months", "Duration of a spell of low groundwater", "ระยะเวลาของช่วงน้ำต่ำ"),
            "threshold_p10" => ("m", "10th percentile of the calendar month", "เปอร์เซ็นไทล์ที่ 10 ของเดือนเดียวกัน"),
            "threshold_p25" => ("m", "25th percentile of the calendar month", "เปอร์เซ็นไทล์ที่ 25 ของเดือนเดียวกัน"),
            "threshold_p75" => ("m", "75th percentile of the calendar month", "เปอร์เซ็นไทล์ที่ 75 ของเดือนเดียวกัน"),
            "threshold_p90" => ("m", "90th percentile of the calendar month", "เปอร์เซ็นไทล์ที่ 90 ของเดือนเดียวกัน"),
            "threshold_drought" => ("m", "Threshold of low groundwater of the calendar month", "เกณฑ์น้ำต่ำของเดือนเดียวกัน"),
            "carry_over" => ("of the rise", "Carry-over of the wet season's rise", "สัดส่วนน้ำฤดูฝนที่คงเหลือ"),
            "carry_over_beyond" => {
                ("of the rise", "Carry-over beyond the comparison well", "สัดส่วนคงเหลือที่มากกว่าบ่อเปรียบเทียบ")
            }
            "ghg" => ("m", "Mean highest groundwater level (GHG)", "ระดับน้ำใต้ดินสูงสุดเฉลี่ย (GHG)"),
            "glg" => ("m", "Mean lowest groundwater level (GLG)", "ระดับน้ำใต้ดินต่ำสุดเฉลี่ย (GLG)"),
            "gvg" => ("m", "Mean spring groundwater level (GVG)", "ระดับน้ำใต้ดินเฉลี่ยเดือนมีนาคม-เมษายน (GVG)"),
            "recharge_wtf" => ("mm", "Recharge by water-table fluctuation", "ปริมาณน้ำเติมจากการขึ้นลงของระดับน้ำ"),
            "spi_1" => ("", "Standardised Precipitation Index, 1 month", "ดัชนีฝนมาตรฐาน 1 เดือน (SPI)"),
            "spi_3" => ("", "Standardised Precipitation Index, 3 months", "ดัชนีฝนมาตรฐาน 3 เดือน (SPI)"),
            "spi_6" => ("", "Standardised Precipitation Index, 6 months", "ดัชนีฝนมาตรฐาน 6 เดือน (SPI)"),
            "spi_12" => ("", "Standardised Precipitation Index, 12 months", "ดัชนีฝนมาตรฐาน 12 เดือน (SPI)"),
            "salinity_class" => ("mg/L dissolved", "Salinity", "ความเค็มของน้ำ"),
            "salinity_trend_wet" => ("µS/cm a year", "Trend of conductivity in wet seasons", "แนวโน้มความนำไฟฟ้าในฤดูฝน"),
            "salinity_trend_dry" => ("µS/cm a year", "Trend of conductivity in dry seasons", "แนวโน้มความนำไฟฟ้าในฤดูแล้ง"),
            "infiltration_rate" => ("mm a day", "Infiltration rate of a fill", "อัตราการซึมลงดิน"),
            "infiltrated_volume" => ("m³", "Infiltrated volume of a fill", "ปริมาตรน้ำที่ซึมลงดิน"),
            "recharge_volume" => ("m³", "Recharge by the inflow meter", "ปริมาตรน้ำเติมจากมาตรวัด"),
            "clogging" => {
                ("% a year", "Change of the infiltration rate (clogging)", "การเปลี่ยนแปลงของอัตราการซึม (การอุดตัน)")
            }
            "drain_down_hours" => ("h", "Drain-down time of a fill", "เวลาที่น้ำในบ่อซึมจนหมด"),
            "overflow_hours" => ("h", "Time at the rim", "เวลาที่น้ำล้นบ่อ"),
            "quality_harm_conductivity" => ("µS/cm", "Rise of conductivity by a recharge", "ความนำไฟฟ้าที่เพิ่มหลังเติมน้ำ"),
            "quality_harm_turbidity" => ("NTU", "Rise of turbidity by a recharge", "ความขุ่นที่เพิ่มหลังเติมน้ำ"),
            "rate_of_rise" => ("m an hour", "Rate of rise", "อัตราการสูงขึ้นของน้ำ"),
            "hours_to_ground" => ("h", "Time until the water is at the ground", "เวลาที่น้ำจะขึ้นถึงผิวดิน"),
            other => ("", other, other),
        }
    }
}

fn unit_thai(unit: &'static str) -> &'static str {
    match unit {
        "m a year" => "ม. ต่อปี",
        "m months" => "ม.เดือน",
        "months" => "เดือน",
        "of the rise" => "ของน้ำที่สูงขึ้น",
        "m" => "ม.",
        "mm" => "มม.",
        "mg/L dissolved" => "มก./ล. ของแข็งละลายน้ำ",
        "µS/cm a year" => "µS/cm ต่อปี",
        "mm a day" => "มม. ต่อวัน",
        "m³" => "ลบ.ม.",
        "% a year" => "% ต่อปี",
        "h" => "ชม.",
        "m an hour" => "ม. ต่อชั่วโมง",
        symbol => symbol,
    }
}

/// The word of a class; those of standings and severities are the explanations' own.
pub(super) fn class_thai(class: &str) -> &str {
    match class {
        "ongoing" => "ยังดำเนินอยู่",
        "at_least" => "อย่างน้อยเท่านี้",
        "censored" => "อาจยาวกว่านี้",
        "near_ground" => "น้ำใกล้ผิวดิน ค่าไม่แน่นอน",
        "extrapolated" => "สูงกว่าระดับที่เคยเห็นน้ำลด ค่าไม่แน่นอน",
        "slow" => "ช้า",
        "harm" => "เกิดผลเสีย",
        "none" => "ไม่มี",
        "sure" => "แน่นอน",
        "likely" => "น่าจะใช่",
        "not_seen" => "ไม่เห็น",
        "fresh" => "จืด",
        "slightly_saline" => "เค็มเล็กน้อย",
        "moderately_saline" => "เค็มปานกลาง",
        "very_saline" => "เค็มมาก",
        "brine" => "น้ำเกลือ",
        "near_normal" => "ใกล้ปกติ",
        "extremely_dry" => "แล้งมากที่สุด",
        "severely_dry" => "แล้งมาก",
        "moderately_dry" => "แล้งปานกลาง",
        "moderately_wet" => "ฝนมากปานกลาง",
        "severely_wet" | "very_wet" => "ฝนมาก",
        "extremely_wet" => "ฝนมากที่สุด",
        other => THAI.term(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_indicator_has_its_words() {
        for indicator in RecordIndicator::all() {
            assert_eq!(RecordIndicator::from_name(indicator.name()), Some(indicator));
            assert_ne!(indicator.english(), indicator.name());
            for word in ["ประกาศ", "เตือนภัย", "ภัยพิบัติ"] {
                assert!(!indicator.thai().contains(word), "{indicator:?}");
            }
        }
        assert_eq!(RecordIndicator::from_name("sgi"), None, "that is a standing of a month");
    }
}
