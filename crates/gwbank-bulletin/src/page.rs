//! The two pages.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, MONTH_NAMES, MONTH_NAMES_TH, Month, Timestamp};
use gwbank_notice::{english_day, grouped, hazard_words, thai_day};
use gwbank_registry::places::Province;
use serde_json::Value;

use crate::map::{Dot, svg};
use crate::statements::Statement;
use crate::words::{self, CLASSES, class_of};

/// Rows of a table that fit on a page.
const LEVELS_SHOWN: usize = 10;
const FLAGS_SHOWN: usize = 8;
const RECHARGE_SHOWN: usize = 5;

/// What a bulletin is made of.
#[derive(Debug)]
pub struct Bulletin<'a> {
    pub province: &'a Province,
    pub month: Month,
    /// The answers of [`crate::statements`], as objects, by their names.
    pub rows: BTreeMap<&'static str, Vec<Value>>,
    pub statements: &'a [Statement],
    pub made: Day,
    /// The month is not closed yet.
    pub is_preliminary: bool,
}

const STYLE: &str = "
@page { size: A4; margin: 12mm }
body { font: 10pt/1.35 'Noto Sans Thai', 'Sarabun', 'TH Sarabun New', sans-serif; color: #222; margin: 0 auto; max-width: 190mm }
.sheet { page-break-after: always; break-after: page }
.sheet.last { page-break-after: auto; break-after: auto }
h1 { font-size: 15pt; margin: 0 0 2mm }
h2 { font-size: 10.5pt; margin: 2mm 0 0.8mm; border-bottom: 1px solid #999 }
table { border-collapse: collapse; width: 100%; font-size: 8.5pt; line-height: 1.2 }
th, td { text-align: left; padding: 0.3mm 1.5mm; border-bottom: 1px solid #ddd; white-space: nowrap }
/* One line a row, whatever a well is called: the counts of rows are what fits on a page. */
td.name { width: 99%; max-width: 0; overflow: hidden; text-overflow: ellipsis }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.two { display: grid; grid-template-columns: 85mm 1fr; gap: 5mm }
p { margin: 0.8mm 0 }
svg { width: 100%; height: auto; max-height: 66mm }
.key b { font-weight: normal; white-space: nowrap; margin-right: 3mm }
.key span { display: inline-block; width: 3mm; height: 3mm; border-radius: 50%; margin-right: 1mm; box-sizing: border-box; border: 0.2mm solid #333 }
.small { font-size: 8pt; color: #555 }
.note { background: #fff6dd; padding: 1mm 2mm }
@media print { details { display: none } }
";

pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

/// The whole sheet as one HTML file.
pub fn page(bulletin: &Bulletin<'_>) -> String {
    let province = bulletin.province;
    let title = format!("{} {} {}", province.name_th, province.name_en, bulletin.month);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"th\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head><body>\n",
        escaped(&title)
    );
    sheet(&mut html, bulletin, true);
    sheet(&mut html, bulletin, false);
    html.push_str("<details><summary>SQL</summary>\n");
    for statement in bulletin.statements {
        let _ = writeln!(html, "<h3>{}</h3><pre>{}</pre>", statement.name, escaped(&statement.sql));
    }
    html.push_str("</details>\n</body></html>\n");
    html
}

fn either<'a>(is_thai: bool, en: &'a str, th: &'a str) -> &'a str {
    if is_thai { th } else { en }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

fn day_in_words(day: Day, is_thai: bool) -> String {
    if is_thai { thai_day(day) } else { english_day(day) }
}

/// The day of an instant, in Bangkok.
fn day_of(row: &Value, name: &str, is_thai: bool) -> Option<String> {
    let at = Timestamp::parse_rfc3339(row[name].as_str()?)?;
    Some(day_in_words(at.day(BANGKOK_OFFSET_SECONDS), is_thai))
}

/// A well's id, and what people call it, of which a narrow cell may show only the beginning.
fn well_name(row: &Value, is_thai: bool) -> String {
    let named = [text(row, either(is_thai, "name", "name_th")), text(row, "name")];
    let id = text(row, "well_id");
    match named.into_iter().find(|name| !name.is_empty()) {
        Some(name) if name != id => format!("{id} {name}"),
        _ => id.to_owned(),
    }
}

fn number(row: &Value, name: &str, decimals: usize) -> String {
    row[name].as_f64().map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

fn sheet(html: &mut String, bulletin: &Bulletin<'_>, is_thai: bool) {
    let Bulletin { province, month, .. } = bulletin;
    let rows = |name: &str| bulletin.rows.get(name).map(Vec::as_slice).unwrap_or_default();
    let index = month.month_of_year() as usize - 1;
    let class = if is_thai { "sheet" } else { "sheet last" };
    let _ = writeln!(html, "<section class=\"{class}\" lang=\"{}\">", either(is_thai, "en", "th"));
    match is_thai {
        true => {
            let (name, year) = (province.name_th, month.year() + 543);
            let _ = writeln!(html, "<h1>สถานการณ์น้ำใต้ดิน จังหวัด{name} เดือน{} {year}</h1>", MONTH_NAMES_TH[index]);
        }
        false => {
            let _ =
                writeln!(html, "<h1>Groundwater of {}, {} {}</h1>", province.name_en, MONTH_NAMES[index], month.year());
        }
    }
    if bulletin.is_preliminary {
        let note = either(is_thai, "Preliminary: the month is not closed.", "เบื้องต้น: เดือนนี้ยังไม่ปิด");
        let _ = writeln!(html, "<p class=\"note\">{note}</p>");
    }
    html.push_str("<div class=\"two\"><div>");
    write_map(html, bulletin, rows("wells"), is_thai);
    html.push_str("</div><div>");
    write_coverage(html, rows("coverage"), is_thai);
    write_changes(html, rows("changes"), is_thai);
    write_salinity(html, rows("salinity"), is_thai);
    html.push_str("</div></div>\n");
    write_flags(html, rows("flags"), is_thai);
    write_levels(html, rows("levels"), is_thai);
    write_recharge(html, rows("recharge"), is_thai);
    let made = day_in_words(bulletin.made, is_thai);
    let _ = writeln!(
        html,
        "<p class=\"small\">{} {}. {}</p></section>",
        either(
            is_thai,
            "This is not an official warning. Every number is from the SQL at the end of this file, run on",
            "ไม่ใช่ประกาศเตือนภัย ตัวเลขทั้งหมดมาจากคำสั่ง SQL ท้ายไฟล์นี้ จัดทำเมื่อ"
        ),
        escaped(&made),
        either(is_thai, "Levels: up is wetter.", "ระดับน้ำ: ค่าสูงคือน้ำมาก")
    );
}

fn heading(html: &mut String, is_thai: bool, en: &str, th: &str) {
    let _ = writeln!(html, "<h2>{}</h2>", either(is_thai, en, th));
}

fn nothing(html: &mut String, is_thai: bool) {
    let _ = writeln!(html, "<p>{}</p>", either(is_thai, "none", "ไม่มี"));
}

fn more(html: &mut String, left: usize, is_thai: bool) {
    if left > 0 {
        let text =
            if is_thai { format!("และอีก {left} รายการ") } else { format!("and {left} more") };
        let _ = writeln!(html, "<p class=\"small\">{text}</p>");
    }
}

fn write_map(html: &mut String, bulletin: &Bulletin<'_>, wells: &[Value], is_thai: bool) {
    heading(html, is_thai, "Wells by class of their month", "บ่อตามระดับน้ำเทียบเดือนเดียวกันของทุกปี");
    let dots: Vec<Dot> = wells
        .iter()
        .filter_map(|row| {
            let (latitude, longitude) = (row["latitude"].as_f64()?, row["longitude"].as_f64()?);
            let class = class_of(row["class"].as_str());
            let label = format!("{}: {}", well_name(row, is_thai), either(is_thai, class.en, class.th));
            Some(Dot { latitude, longitude, colour: class.colour, label })
        })
        .collect();
    html.push_str(&svg(bulletin.province, &dots, either(is_thai, "map of wells", "แผนที่บ่อ")));
    html.push_str("<p class=\"key small\">");
    for class in CLASSES {
        let count = wells.iter().filter(|row| std::ptr::eq(class_of(row["class"].as_str()), class)).count();
        let _ = write!(
            html,
            "<b><span style=\"background:{}\"></span>{} {count}</b> ",
            class.colour,
            either(is_thai, class.en, class.th)
        );
    }
    let without = wells.len() - dots.len();
    html.push_str("</p>");
    if without > 0 {
        let text = if is_thai {
            format!("ไม่มีพิกัด {without} บ่อ")
        } else {
            format!("{without} {} without a location", if without == 1 { "well" } else { "wells" })
        };
        let _ = writeln!(html, "<p class=\"small\">{text}</p>");
    }
}

fn write_coverage(html: &mut String, rows: &[Value], is_thai: bool) {
    heading(html, is_thai, "Data", "ข้อมูล");
    let Some(row) = rows.first() else { return nothing(html, is_thai) };
    let (wells, heard) = (row["wells"].as_u64().unwrap_or(0), row["wells_heard"].as_u64().unwrap_or(0));
    let readings = row["readings"].as_f64().unwrap_or(0.0);
    let good = row["good_share"].as_f64().map_or_else(|| "–".to_owned(), |share| format!("{:.1}", share * 100.0));
    let text = match is_thai {
        true if readings == 0.0 => format!("ไม่ได้ข้อมูลจากบ่อใดเลย จากทั้งหมด {wells} บ่อ"),
        false if readings == 0.0 => format!("none of {wells} wells sent readings"),
        true => {
            format!("ได้ข้อมูล {heard} จาก {wells} บ่อ ค่าที่วัดได้ {} ค่า ผ่านการตรวจสอบคุณภาพ {good}%", grouped(readings as u64))
        }
        false => {
            format!(
                "{heard} of {wells} wells sent {} readings; {good} % passed their quality tests",
                grouped(readings as u64)
            )
        }
    };
    let _ = writeln!(html, "<p>{text}</p>");
}

fn write_changes(html: &mut String, rows: &[Value], is_thai: bool) {
    heading(html, is_thai, "Condition flags raised and ended", "สถานการณ์ที่เริ่มและสิ้นสุด");
    if rows.is_empty() {
        return nothing(html, is_thai);
    }
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for row in rows {
        let (begun, ended) = counts.entry(text(row, "hazard")).or_default();
        let n = row["n"].as_u64().unwrap_or(0);
        match text(row, "transition") {
            "raised" => *begun += n,
            "cleared" | "cancelled" => *ended += n,
            _ => {}
        }
    }
    let (begun, ended) = (either(is_thai, "raised", "เริ่ม"), either(is_thai, "ended", "สิ้นสุด"));
    let _ = writeln!(html, "<table><tr><th></th><th class=\"n\">{begun}</th><th class=\"n\">{ended}</th></tr>");
    for (name, (begun, ended)) in counts {
        let (en, th) = name.parse().map_or(("other", "อื่น ๆ"), hazard_words);
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td class=\"n\">{begun}</td><td class=\"n\">{ended}</td></tr>",
            either(is_thai, en, th)
        );
    }
    html.push_str("</table>\n");
}

fn write_salinity(html: &mut String, rows: &[Value], is_thai: bool) {
    heading(html, is_thai, "Salinity", "ความเค็ม");
    if rows.is_empty() {
        let text = either(is_thai, "not measured", "ไม่มีการวัด");
        let _ = writeln!(html, "<p>{text}</p>");
        return;
    }
    let parts: Vec<String> = rows
        .iter()
        .map(|row| {
            let (en, th) = words::salinity(text(row, "class"));
            format!("{} {}", either(is_thai, en, th), row["n"].as_u64().unwrap_or(0))
        })
        .collect();
    let _ = writeln!(html, "<p>{}: {}</p>", either(is_thai, "Wells", "จำนวนบ่อ"), parts.join(" · "));
}

fn write_flags(html: &mut String, rows: &[Value], is_thai: bool) {
    heading(html, is_thai, "Condition flags of the month", "สถานการณ์ในเดือนนี้");
    if rows.is_empty() {
        return nothing(html, is_thai);
    }
    html.push_str("<table>");
    for row in rows.iter().take(FLAGS_SHOWN) {
        let headline = text(row, either(is_thai, "headline_en", "headline_th"));
        let state = match day_of(row, "closed_at", is_thai) {
            Some(day) => format!("{} {day}", either(is_thai, "ended", "สิ้นสุด")),
            None => either(is_thai, "stands", "ยังคงอยู่").to_owned(),
        };
        let since = day_of(row, "raised_at", is_thai).unwrap_or_default();
        let _ =
            writeln!(html, "<tr><td class=\"name\">{}</td><td>{since}</td><td>{state}</td></tr>", escaped(headline));
    }
    html.push_str("</table>\n");
    more(html, rows.len().saturating_sub(FLAGS_SHOWN), is_thai);
}

fn write_levels(html: &mut String, rows: &[Value], is_thai: bool) {
    heading(html, is_thai, "Levels against the same month of the record (m)", "ระดับน้ำเทียบเดือนเดียวกันของทุกปี (ม.)");
    if rows.is_empty() {
        return nothing(html, is_thai);
    }
    // The farthest from what is usual first.
    let mut order: Vec<&Value> = rows.iter().collect();
    let apart = |row: &Value| Some((row["level"].as_f64()? - row["usual"].as_f64()?).abs());
    order.sort_by(|a, b| apart(b).unwrap_or(-1.0).total_cmp(&apart(a).unwrap_or(-1.0)));
    let names = match is_thai {
        true => ["บ่อ", "เดือนนี้", "เฉลี่ย", "ต่าง", "ต่ำสุด", "สูงสุด", "ปี"],
        false => ["well", "this month", "mean", "difference", "lowest", "highest", "years"],
    };
    html.push_str("<table><tr>");
    for (index, name) in names.iter().enumerate() {
        let _ = write!(html, "<th{}>{name}</th>", if index == 0 { "" } else { " class=\"n\"" });
    }
    html.push_str("</tr>\n");
    for row in order.iter().take(LEVELS_SHOWN) {
        let difference = match (row["level"].as_f64(), row["usual"].as_f64()) {
            // Of the numbers beside it, as they are printed.
            (Some(level), Some(usual)) => {
                format!("{:+.2}", (level * 100.0).round() / 100.0 - (usual * 100.0).round() / 100.0)
            }
            _ => "–".to_owned(),
        };
        let cells = [
            number(row, "level", 2),
            number(row, "usual", 2),
            difference,
            number(row, "lowest", 2),
            number(row, "highest", 2),
            row["years"].as_u64().unwrap_or(0).to_string(),
        ];
        let _ = write!(html, "<tr><td class=\"name\">{}</td>", escaped(&well_name(row, is_thai)));
        for cell in cells {
            let _ = write!(html, "<td class=\"n\">{cell}</td>");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n");
    more(html, rows.len().saturating_sub(LEVELS_SHOWN), is_thai);
}

fn write_recharge(html: &mut String, rows: &[Value], is_thai: bool) {
    heading(html, is_thai, "Recharged by groundwater banks", "การเติมน้ำของธนาคารน้ำใต้ดิน");
    if rows.is_empty() {
        let text = either(is_thai, "not measurable this month", "เดือนนี้ไม่มีบ่อที่วัดได้");
        let _ = writeln!(html, "<p>{text}</p>");
        return;
    }
    html.push_str("<table>");
    for row in rows.iter().take(RECHARGE_SHOWN) {
        let (en, th, unit) = words::recharge(text(row, "indicator"));
        let _ = writeln!(
            html,
            "<tr><td class=\"name\">{}</td><td>{}</td><td class=\"n\">{} {unit}</td></tr>",
            escaped(&well_name(row, is_thai)),
            either(is_thai, en, th),
            number(row, "value", 0)
        );
    }
    html.push_str("</table>\n");
    more(html, rows.len().saturating_sub(RECHARGE_SHOWN), is_thai);
}

#[cfg(test)]
mod tests {
    use gwbank_registry::places;
    use serde_json::json;

    use super::*;
    use crate::statements;

    fn bulletin_of(rows: BTreeMap<&'static str, Vec<Value>>) -> String {
        let month = Month::new(2026, 10);
        let statements = statements("30", month);
        page(&Bulletin {
            province: places::province("30").unwrap(),
            month,
            rows,
            statements: &statements,
            made: Month::new(2026, 11).first_day(),
            is_preliminary: false,
        })
    }

    #[test]
    fn says_what_is_not_known() {
        let html = bulletin_of(BTreeMap::new());
        for expected in [
            "เดือนตุลาคม 2569",
            "October 2026",
            "ไม่มีการวัด",
            "not measured",
            "not measurable this month",
            "ไม่ใช่ประกาศเตือนภัย",
        ] {
            assert!(html.contains(expected), "{expected}");
        }
        assert_eq!(html.matches("<section class=\"sheet").count(), 2, "two pages");
        assert!(!html.contains("<script") && !html.contains("http"), "one file, nothing from elsewhere");
    }

    #[test]
    fn tells_wells_by_class_and_levels_by_their_difference() {
        let wells = vec![
            json!({ "well_id": "A<1>", "latitude": 15.0, "longitude": 102.1, "class": "much_below_normal" }),
            json!({ "well_id": "B", "latitude": 14.9, "longitude": 102.2, "class": null }),
            json!({ "well_id": "C", "class": "normal" }),
        ];
        let levels = vec![
            json!({ "well_id": "B", "level": -3.0, "usual": -3.1, "lowest": -4.0, "highest": -2.0, "years": 12 }),
            json!({ "well_id": "A<1>", "level": -7.0, "usual": -5.0, "lowest": -6.5, "highest": -3.0, "years": 20 }),
        ];
        let html = bulletin_of([("wells", wells), ("levels", levels)].into());
        assert!(html.contains("A&lt;1&gt;: much below normal") && html.contains("A&lt;1&gt;: ต่ำกว่าปกติมาก"), "{html}");
        assert!(html.contains("B: not judged this month") && html.contains("1 well without a location"), "{html}");
        assert!(html.find("-2.00").unwrap() < html.find("+0.10").unwrap(), "the farthest first");
        assert_eq!(html.matches("<circle").count(), 4, "two dots on two maps");
        for (en, count) in [("much below normal", 1), ("normal", 1), ("not judged this month", 1), ("dry", 0)] {
            assert!(html.contains(&format!("</span>{en} {count}</b>")), "{en} {count} in {html}");
        }
    }
}
