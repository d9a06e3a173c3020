//! The bulletin as a printer gets it: two pages of A4, whatever is in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use gwbank_bulletin::{Bulletin, page, statements};
use gwbank_model::Month;
use gwbank_registry::places;
use serde_json::{Value, json};

/// As much as a province of many wells with long names has to tell.
fn crowded() -> BTreeMap<&'static str, Vec<Value>> {
    let name_th = "ธนาคารน้ำใต้ดินระบบเปิด องค์การบริหารส่วนตำบลหนองบัวสะอาด หมู่ที่ 12 บ้านโนนสมบูรณ์พัฒนา";
    let name = "Open groundwater bank of Nong Bua Sa-at subdistrict administrative organisation, village 12";
    let classes = ["much_above_normal", "above_normal", "normal", "below_normal", "much_below_normal", "dry", ""];
    let well = |n: usize| {
        json!({ "well_id": format!("TH-30-{n:05}"), "name": name, "name_th": name_th, "class": classes[n % 7],
            "latitude": if n.is_multiple_of(9) { Value::Null } else { json!(14.2 + (n % 37) as f64 / 30.0) },
            "longitude": 101.4 + (n % 41) as f64 / 35.0 })
    };
    let level = |n: usize| {
        json!({ "well_id": format!("TH-30-{n:05}"), "name": name, "name_th": name_th, "level": -123.45, "usual": -101.23,
            "lowest": -130.0, "highest": -99.99, "years": 32 })
    };
    let flag = |n: usize| {
        json!({ "headline_th": format!("น้ำใต้ดินสูงใกล้ผิวดิน เสี่ยงน้ำท่วมขัง ระดับควรตรวจสอบ: ต.หนองบัวสะอาด อ.เฉลิมพระเกียรติ จ.นครราชสีมา ({n} จาก 142 บ่อ)"),
            "headline_en": format!("High groundwater, warning: Nong Bua Sa-at, Chaloem Phra Kiat district, Nakhon Ratchasima ({n} of 142 wells)"),
            "raised_at": "2026-10-01T00:00:00+07:00", "closed_at": if n.is_multiple_of(2) { json!("2026-10-30T18:00:00Z") } else { Value::Null } })
    };
    let change = |hazard: &str, transition: &str| json!({ "hazard": hazard, "scope": "well", "transition": transition, "n": 1_234 });
    let kinds = ["recharge_volume", "infiltrated_volume"];
    let recharge = |n: usize| {
        json!({ "well_id": format!("TH-30-{n:05}"), "name": name, "name_th": name_th,
            "indicator": kinds[n % 2], "value": 123_456.0 })
    };
    let salinity = ["fresh", "slightly_saline", "moderately_saline", "very_saline", "brine"];
    BTreeMap::from([
        ("wells", (0..600).map(well).collect()),
        ("levels", (0..300).map(level).collect()),
        ("flags", (0..90).map(flag).collect()),
        (
            "changes",
            ["drought", "flood", "salinity"].iter().flat_map(|h| [change(h, "raised"), change(h, "cleared")]).collect(),
        ),
        ("salinity", salinity.iter().map(|class| json!({ "class": class, "n": 120 })).collect()),
        ("coverage", vec![json!({ "wells": 600, "wells_heard": 598, "readings": 1_700_000.0, "good_share": 0.987 })]),
        ("recharge", (0..80).map(recharge).collect()),
    ])
}

fn printed(dir: &Path, name: &str, rows: BTreeMap<&'static str, Vec<Value>>) -> Vec<u8> {
    let month = Month::new(2026, 10);
    let statements = statements("30", month);
    let html = page(&Bulletin {
        province: places::province("30").unwrap(),
        month,
        rows,
        statements: &statements,
        made: Month::new(2026, 11).first_day(),
        is_preliminary: true,
    });
    let (file, pdf) = (dir.join(format!("{name}.html")), dir.join(format!("{name}.pdf")));
    std::fs::write(&file, html).unwrap();
    let out = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"])
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium runs: scripts/test installs it");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    std::fs::read(&pdf).unwrap()
}

/// Page objects of a PDF, of which the tree of pages is another kind.
fn pages(pdf: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pdf);
    text.match_indices("/Type /Page").filter(|(at, found)| !text[at + found.len()..].starts_with('s')).count()
}

#[test]
fn a_bulletin_is_two_pages_of_a4_whatever_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    for (name, rows) in [("crowded", crowded()), ("empty", BTreeMap::new())] {
        let pdf = printed(dir.path(), name, rows);
        if let Ok(keep) = std::env::var("GWBANK_TEST_ARTEFACTS") {
            std::fs::write(Path::new(&keep).join(format!("bulletin-{name}.pdf")), &pdf).unwrap();
        }
        assert_eq!(pages(&pdf), 2, "{name}");
        // A4 in points.
        assert!(String::from_utf8_lossy(&pdf).contains("[0 0 594"), "{name}");
    }
}
