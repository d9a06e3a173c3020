//! How what is missing is mended, in English and Thai.

/// By the fixed word of the reason.
pub(super) fn mend(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "insufficient_record" => (
            "go on measuring, and bring in older readings with `gwbank readings import`",
            "ตรวจวัดต่อไป และนำเข้าข้อมูลเก่าด้วย gwbank readings import",
        ),
        "insufficient_coverage" | "insufficient_readings" | "no_level" | "no_data" => (
            "look for gaps (`gwbank quality report --well`), and bring in what did not arrive",
            "ค้นหาข้อมูลที่ยังไม่มาถึง (gwbank quality report --well) แล้วนำเข้า",
        ),
        "insufficient_recessions" => (
            "more dry seasons without a gap are needed: the well must be seen to fall by itself",
            "ต้องมีข้อมูลฤดูแล้งที่ต่อเนื่องมากขึ้น",
        ),
        "insufficient_events" => ("wait for more fills, or import older stages", "รอการเติมน้ำเพิ่มขึ้น หรือนำเข้าข้อมูลเก่า"),
        "constant" => ("all values are the same: look at the sensor", "ค่าเท่ากันทั้งหมด ควรตรวจสอบเครื่องวัด"),
        "influenced" => (
            "use a well that no pumping reaches, or clear `influenced` if it is registered by mistake",
            "ใช้บ่อที่ไม่มีผลจากการสูบ หรือแก้ influenced หากลงทะเบียนผิด",
        ),
        "no_aquifer_condition" => ("register `aquifer_condition` of the well", "ลงทะเบียน aquifer_condition ของบ่อ"),
        "confined" => ("use a well in an unconfined aquifer", "ใช้บ่อในชั้นน้ำไร้แรงดัน"),
        "no_specific_yield" => {
            ("register `specific_yield` of the well, a share up to 0.5", "ลงทะเบียน specific_yield ของบ่อ ไม่เกิน 0.5")
        }
        "no_depth" => (
            "register `depth` of the bank, and `ground_elevation` where its stage is an elevation",
            "ลงทะเบียน depth ของบ่อ และ ground_elevation หากวัดเป็นระดับความสูง",
        ),
        "no_bank_area" => ("register `bank_area`, m²", "ลงทะเบียน bank_area (ตร.ม.)"),
        "no_bank_volume" => ("register `bank_volume`, m³", "ลงทะเบียน bank_volume (ลบ.ม.)"),
        "no_fill_material" => (
            "nothing can be registered for it yet: the volume of a closed bank is told by an inflow meter only",
            "ยังลงทะเบียนไม่ได้ ปริมาตรของบ่อปิดต้องใช้มาตรวัดน้ำเข้า",
        ),
        "no_comparison_well" => (
            "register `comparison_well_id`, a well outside of the bank's reach with readings, and survey both \
             (`ground_elevation`)",
            "ลงทะเบียน comparison_well_id และสำรวจ ground_elevation ของทั้งสองบ่อ",
        ),
        "no_evaporation" => (
            "measure `evaporation` at the bank, or set `evaporation_mm_per_day` under `[indicators]`",
            "วัด evaporation ที่บ่อ หรือกำหนด evaporation_mm_per_day ใน [indicators]",
        ),
        "no_rise" => ("nothing: the season brought no rise", "ไม่ต้องแก้ไข ฤดูนั้นน้ำไม่สูงขึ้น"),
        "no_event" => ("nothing: there was no such event", "ไม่ต้องแก้ไข ไม่มีเหตุการณ์"),
        "no_row" => ("ask for a month that has one", "เลือกเดือนที่มีค่า"),
        "not_measured" => ("measure it, and send it to this well", "ติดตั้งเครื่องวัดและส่งข้อมูลของบ่อนี้"),
        _ => ("nothing: it is not told of such a well", "ไม่ต้องแก้ไข บ่อประเภทนี้ไม่มีค่านี้"),
    }
}
