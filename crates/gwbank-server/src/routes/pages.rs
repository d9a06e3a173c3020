//! The two pages: the state of the bank at `/`, the documentation at `/api/docs`. Plain HTML, one style sheet, no script.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use gwbank_registry::places;
use serde_json::Value;

use super::health::collect_status;
use crate::openapi;
use crate::problem::{Answer, Kind};
use crate::state::App;
use crate::views::{StatusView, instant};

/// Rows of a table on the status page; the rest is in the API.
const ROWS_MAX: usize = 50;

pub async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("../../assets/style.css")).into_response()
}

/// Text as it may stand in HTML and in a double-quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

pub(super) fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html>\n<html lang=\"th\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><link rel=\"stylesheet\" href=\"/assets/style.css\"></head>\n<body>{body}</body></html>\n",
        escape(title)
    ))
}

/// The state of the bank.
pub async fn status(State(app): State<Arc<App>>) -> Answer<Html<String>> {
    let status = collect_status(&app).await?;
    let mut body = String::new();
    body.push_str("<header><h1>gwbank <small>ธนาคารน้ำใต้ดิน · groundwater bank</small></h1>");
    body.push_str(
        "<nav><a href=\"/api/docs\">API</a> <a href=\"/api/v1/wells\">บ่อ wells</a> \
         <a href=\"/api/v1/provinces\">จังหวัด provinces</a> <a href=\"/api/v1/flags\">สถานการณ์ flags</a> \
         <a href=\"/readyz\">readyz</a> <a href=\"/metrics\">metrics</a></nav></header><main>",
    );
    write_counts(&mut body, &status);
    write_parts(&mut body, &status);
    if status.counts.is_some() {
        write_flags(&mut body, &app).await?;
        write_gateways(&mut body, &app).await?;
    } else {
        body.push_str("<p>อ่านฐานข้อมูลไม่ได้ในขณะนี้ <small>the database cannot be read now</small></p>");
    }
    let _ = write!(
        body,
        "</main><footer>gwbank {} · {} · ไม่ใช่ประกาศเตือนภัย not an official warning</footer>",
        escape(&status.version),
        escape(&status.now)
    );
    Ok(page("gwbank", &body))
}

fn write_counts(body: &mut String, status: &StatusView) {
    body.push_str("<dl class=\"counts\">");
    let known = status.counts.as_ref();
    let counts = [
        ("บ่อ", "wells", Some(status.wells)),
        ("เกตเวย์", "gateways", known.map(|counts| counts.gateways)),
        ("ค่าที่รับ", "readings received", known.map(|counts| counts.received)),
        ("จัดเก็บแล้ว", "stored", known.map(|counts| counts.stored)),
        ("ซ้ำ", "duplicate", known.map(|counts| counts.duplicate)),
        ("จัดเก็บไม่ได้", "dead", known.map(|counts| counts.dead)),
        ("รอเทียบ", "pending", known.map(|counts| counts.pending)),
        ("สถานการณ์ที่เปิดอยู่", "open condition flags", known.map(|counts| counts.open_flags)),
    ];
    for (thai, english, count) in counts {
        let count = count.map_or_else(|| "?".to_owned(), grouped);
        let _ = write!(body, "<div><dt>{thai} <small>{english}</small></dt><dd>{count}</dd></div>");
    }
    body.push_str("</dl>");
}

fn grouped(number: u64) -> String {
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

fn write_parts(body: &mut String, status: &StatusView) {
    if status.ready {
        return;
    }
    body.push_str("<section class=\"alert\"><h2>ยังไม่พร้อม <small>not ready</small></h2><ul>");
    for part in status.parts.iter().filter(|part| !part.ready) {
        let _ = write!(body, "<li><b>{}</b> {}</li>", escape(&part.part), escape(&part.why()));
    }
    body.push_str("</ul></section>");
}

async fn write_flags(body: &mut String, app: &App) -> Answer<()> {
    let mut flags = app.metadata.flags(true).await?;
    flags.sort_by(|a, b| (b.severity, b.changed_at, &a.id).cmp(&(a.severity, a.changed_at, &b.id)));
    body.push_str("<section><h2>สถานการณ์น้ำใต้ดิน <small>open condition flags</small></h2>");
    if flags.is_empty() {
        body.push_str("<p>ไม่มี <small>none</small></p></section>");
        return Ok(());
    }
    body.push_str(
        "<table><thead><tr><th>ระดับ <small>severity</small></th><th>จังหวัด <small>province</small></th>\
         <th>ข้อความ <small>message</small></th><th>ตั้งแต่ <small>since</small></th></tr></thead><tbody>",
    );
    for flag in flags.iter().take(ROWS_MAX) {
        let province = places::province(&flag.province_code)
            .map_or_else(|| flag.province_code.clone(), |p| format!("{} {}", p.name_th, p.name_en));
        let _ = write!(
            body,
            "<tr class=\"{0}\"><td>{0}</td><td>{1}</td><td><a href=\"/api/v1/flags/{2}\">{3}</a><br><small>{4}</small></td><td>{5}</td></tr>",
            flag.severity.name(),
            escape(&province),
            escape(&flag.id),
            escape(&flag.headline_th),
            escape(&flag.headline_en),
            escape(&instant(flag.raised_at)),
        );
    }
    body.push_str("</tbody></table>");
    write_rest(body, flags.len(), "/api/v1/flags");
    body.push_str("</section>");
    Ok(())
}

async fn write_gateways(body: &mut String, app: &App) -> Answer<()> {
    let mut gateways = app.ingest.gateways().await?;
    gateways.sort_by_key(|gateway| std::cmp::Reverse(gateway.record.last_seen));
    body.push_str(
        "<section><h2>เกตเวย์ <small>gateways</small></h2><table><thead><tr><th>gateway</th>\
         <th>ล่าสุด <small>last seen</small></th><th>received</th><th>stored</th><th>duplicate</th><th>dead</th>\
         <th>pending</th></tr></thead><tbody>",
    );
    for gateway in gateways.iter().take(ROWS_MAX) {
        let counts = gateway.record.counts;
        let _ = write!(
            body,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(gateway.record.gateway_id.as_str()),
            escape(&gateway.record.last_seen.map(instant).unwrap_or_default()),
            grouped(counts.received),
            grouped(counts.stored),
            grouped(counts.duplicate),
            grouped(counts.dead),
            grouped(gateway.pending),
        );
    }
    body.push_str("</tbody></table>");
    write_rest(body, gateways.len(), "/api/v1/gateways");
    body.push_str("</section>");
    Ok(())
}

fn write_rest(body: &mut String, rows: usize, place: &str) {
    if rows > ROWS_MAX {
        let _ = write!(body, "<p><a href=\"{place}\">… {} more</a></p>", rows - ROWS_MAX);
    }
}

/// The API for people: every operation and every problem type, from the same source as the OpenAPI document.
pub async fn documentation() -> Html<String> {
    let document = serde_json::to_value(openapi::openapi()).unwrap_or_default();
    let mut body = String::from(
        "<header><h1>gwbank API</h1><nav><a href=\"/\">gwbank</a> <a href=\"/api/openapi.json\">OpenAPI</a></nav></header><main>",
    );
    if let Some(paths) = document["paths"].as_object() {
        for (path, item) in paths {
            for (method, operation) in item.as_object().into_iter().flatten() {
                write_operation(&mut body, path, method, operation);
            }
        }
    }
    body.push_str("<section><h2 id=\"problems\">Problems</h2><p>Errors are <code>application/problem+json</code> (RFC 9457).</p><dl>");
    for kind in Kind::ALL {
        let _ = write!(
            body,
            "<dt id=\"problem-{0}\"><code>{0}</code> {1}</dt><dd>{2}</dd>",
            kind.name,
            kind.status.as_u16(),
            escape(kind.title)
        );
    }
    body.push_str("</dl></section></main>");
    page("gwbank API", &body)
}

fn write_operation(body: &mut String, path: &str, method: &str, operation: &Value) {
    let text = |value: &Value| escape(value.as_str().unwrap_or_default());
    let _ = write!(
        body,
        "<section><h3><code>{} {}</code></h3><p>{}</p>",
        method.to_uppercase(),
        escape(path),
        text(&operation["summary"]),
    );
    if operation["description"].is_string() {
        let _ = write!(body, "<p>{}</p>", text(&operation["description"]));
    }
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        body.push_str("<ul>");
        for parameter in parameters {
            let _ = write!(
                body,
                "<li><code>{}</code> ({}) {}</li>",
                text(&parameter["name"]),
                text(&parameter["in"]),
                text(&parameter["description"])
            );
        }
        body.push_str("</ul>");
    }
    if let Some(content) = operation["requestBody"]["content"].as_object() {
        let types: Vec<String> = content.keys().map(|media| format!("<code>{}</code>", escape(media))).collect();
        let _ = write!(body, "<p>takes {}</p>", types.join(", "));
    }
    body.push_str("<p>answers");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let _ = write!(body, " · <b>{}</b> {}", escape(status), text(&response["description"]));
    }
    body.push_str("</p></section>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped_and_numbers_are_grouped() {
        assert_eq!(escape("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
