//! Names of classes in both languages. Never "normal" where the record is too short to say so.

pub(crate) struct Class {
    pub names: &'static [&'static str],
    pub en: &'static str,
    pub th: &'static str,
    pub colour: &'static str,
}

/// From wet to dry, as HydroSOS colours them; what cannot be said last.
pub(crate) static CLASSES: &[Class] = &[
    Class {
        names: &["much_above_normal"], en: "much above normal", th: "สูงกว่าปกติมาก", colour: "#2c5aa0"
    },
    Class { names: &["above_normal"], en: "above normal", th: "สูงกว่าปกติ", colour: "#7ab0df" },
    Class { names: &["normal"], en: "normal", th: "ปกติ", colour: "#8fbf6b" },
    Class { names: &["below_normal"], en: "below normal", th: "ต่ำกว่าปกติ", colour: "#f0b44a" },
    Class {
        names: &["much_below_normal"], en: "much below normal", th: "ต่ำกว่าปกติมาก", colour: "#c8452f"
    },
    Class { names: &["dry"], en: "dry", th: "บ่อแห้ง", colour: "#6b2d1a" },
    Class {
        names: &["insufficient_record", "insufficient_coverage", "provisional", "preliminary"],
        en: "record too short or with gaps",
        th: "บันทึกยังสั้นหรือขาดช่วง",
        colour: "#b8b8b8",
    },
    Class {
        names: &[""], en: "not judged this month", th: "ไม่มีผลของเดือนนี้", colour: "#ffffff"
    },
];

pub(crate) fn class_of(name: Option<&str>) -> &'static Class {
    let name = name.unwrap_or("");
    let of_name = CLASSES.iter().find(|class| class.names.contains(&name));
    of_name.unwrap_or(&CLASSES[CLASSES.len() - 1])
}

pub(crate) fn salinity(name: &str) -> (&'static str, &'static str) {
    match name {
        "fresh" => ("fresh", "จืด"),
        "slightly_saline" | "slightly" => ("slightly saline", "กร่อย"),
        "moderately_saline" | "moderately" => ("moderately saline", "เค็มปานกลาง"),
        "very_saline" | "very" => ("very saline", "เค็มมาก"),
        "brine" => ("brine", "น้ำเกลือ"),
        _ => ("not told", "ไม่ทราบ"),
    }
}

pub(crate) fn recharge(name: &str) -> (&'static str, &'static str, &'static str) {
    match name {
        "recharge_volume" => ("recharged by the meter", "ปริมาณที่เติมตามมิเตอร์", "m³"),
        _ => ("infiltrated from the bank", "ปริมาณที่ซึมลงจากบ่อ", "m³"),
    }
}
