//! Pages without a script: the documentation at `/api/docs`, and what the page behind a link is made with. Plain HTML, one
//! style sheet.

use std::fmt::Write as _;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

use crate::openapi;
use crate::problem::Kind;

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
         <title>{}</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body>{body}</body></html>\n",
        escape(title)
    ))
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
    fn html_is_escaped() {
        assert_eq!(escape("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
