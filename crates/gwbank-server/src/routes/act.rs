//! The page behind the link of a message: what a flag is, and that its reader has seen it.
//!
//! # Rules
//! 1. A GET changes nothing: scanners of mail open links.
//! 2. Whoever holds the link may say that he has seen the flag, or remark on it, under a name or role. To approve or take back takes an
//!    account.
//! 3. The link names one flag and one contact, is signed, and ends.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine;
use gwbank_notice::{
    LinkProblem, LinkTicket, action_words, english_time, reason_words, severity_words, state_words, thai_time,
    told_evidence, transition_words,
};
use gwbank_store::{ConditionFlag, FlagAction, FlagNote, FlagTransition};

use super::cap::{approve_flag, messages};
use super::input::{self, Name};
use super::pages::{escape, page};
use crate::auth::Access;
use crate::doors::FlagAct;
use crate::guard::Peer;
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;

/// The page's own form, and nothing else; a form of it is sent with the page's origin.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A form of a name and a remark.
const FORM_BYTES_MAX: usize = 16 << 10;
const NAME_CHARS_MAX: usize = 100;
const TEXT_CHARS_MAX: usize = 1_000;
const ACTIONS_PER_HOUR: usize = 30;

/// The flag of a link, for its reader.
#[utoipa::path(get, path = "/act/{link}", tag = "flags", params(("link" = String, Path)),
    responses((status = 200, content_type = "text/html", body = String), (status = 403, content_type = "text/html", body = String)))]
pub async fn show(State(app): State<Arc<App>>, Name(link): Name) -> Answer<Response<Body>> {
    answer(&app, &link, None).await
}

/// What the page's buttons do: a form with `action` (`acknowledge`, `comment`, `approve`, `cancel`), `name` and `text`, and for the
/// last two `account` and `password`.
#[utoipa::path(post, path = "/act/{link}", tag = "flags", params(("link" = String, Path)),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, content_type = "text/html", body = String), (status = 403, content_type = "text/html", body = String)))]
pub async fn post(
    State(app): State<Arc<App>>,
    Name(link): Name,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response<Body>> {
    input::require_type(&headers, &["application/x-www-form-urlencoded"])?;
    let bytes = input::body(&headers, body, FORM_BYTES_MAX).await?;
    let form = Form::read(&bytes);
    let Ok(ticket) = ticket(&app, &link).await? else { return answer(&app, &link, None).await };
    let said = match act(&app, &ticket, &form, peer.map(|Extension(peer)| peer)).await {
        Ok(said) => Said { status: StatusCode::OK, text: said.to_owned() },
        Err(problem) => Said { status: problem.kind.status, text: in_both(&problem) },
    };
    answer(&app, &link, Some(said)).await
}

/// A link that is good: signed, not expired, and of a contact that there still is.
async fn ticket(app: &App, link: &str) -> Answer<Result<LinkTicket, LinkProblem>> {
    let ticket = match app.links.read(link, app.now()) {
        Ok(ticket) => ticket,
        Err(problem) => return Ok(Err(problem)),
    };
    let offices = app.metadata.offices(None).await?.offices;
    let is_known = offices.contact(&ticket.contact_id).is_some_and(|(_, contact)| contact.active);
    Ok(if is_known { Ok(ticket) } else { Err(LinkProblem::Expired) })
}

#[derive(Debug, Default)]
struct Form {
    action: String,
    name: String,
    text: String,
    account: String,
    password: String,
}

impl Form {
    fn read(bytes: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            let field = match name.as_ref() {
                "action" => &mut form.action,
                "name" => &mut form.name,
                "text" => &mut form.text,
                "account" => &mut form.account,
                "password" => &mut form.password,
                _ => continue,
            };
            *field = value.into_owned();
        }
        form
    }
}

/// One line of text; what is longer than it may be is refused, not cut.
fn line(text: &str, max: usize, what: &str) -> Answer<String> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim().to_owned();
    if text.chars().count() > max {
        let detail = format!("{what} ยาวเกิน {max} ตัวอักษร / {what} is longer than {max} characters");
        return Err(Problem::new(Kind::BAD_REQUEST, detail));
    }
    Ok(text)
}

async fn act(app: &App, ticket: &LinkTicket, form: &Form, peer: Option<Peer>) -> Answer<&'static str> {
    let name = line(&form.name, NAME_CHARS_MAX, "ชื่อ name")?;
    let text = line(&form.text, TEXT_CHARS_MAX, "ข้อความ text")?;
    let action = match form.action.as_str() {
        "acknowledge" => FlagAction::Acknowledged,
        "comment" => FlagAction::Commented,
        "approve" => FlagAction::Approved,
        "cancel" => FlagAction::Cancelled,
        _ => return Err(Problem::new(Kind::BAD_REQUEST, "ไม่ทราบว่าให้ทำอะไร / the form does not say what to do")),
    };
    let by = match action {
        FlagAction::Acknowledged | FlagAction::Commented if name.is_empty() => {
            return Err(Problem::new(Kind::BAD_REQUEST, "กรุณาใส่ชื่อหรือตำแหน่ง / give your name or role"));
        }
        FlagAction::Acknowledged | FlagAction::Commented => name,
        FlagAction::Approved | FlagAction::Cancelled => account(app, form, peer).await?,
    };
    if by_link_lately(app, ticket).await? >= ACTIONS_PER_HOUR {
        let detail = "บันทึกจากลิงก์นี้มากเกินไป กรุณารอหนึ่งชั่วโมง / this link has said a lot: wait an hour";
        return Err(Problem::new(Kind::TOO_MANY_ACTIONS, detail));
    }
    let unknown = || Problem::new(Kind::UNKNOWN_FLAG, "ไม่พบสถานการณ์นี้ / there is no such flag");
    if action == FlagAction::Approved {
        let flags = app.metadata.flags(false).await?;
        let flag = flags.iter().find(|flag| flag.id == ticket.flag_id).ok_or_else(unknown)?;
        approve_flag(app, flag, &by, "link").await?;
        return Ok("อนุมัติแล้ว / approved");
    }
    let act = FlagAct {
        action,
        by,
        via: "link",
        contact_id: Some(ticket.contact_id.clone()),
        text: Some(text).filter(|text| !text.is_empty()),
        transition: None,
    };
    app.flags.act(&ticket.flag_id, act).await?.ok_or_else(unknown)?;
    Ok(match action {
        FlagAction::Acknowledged => "บันทึกการรับทราบแล้ว / noted that you have seen it",
        FlagAction::Commented => "บันทึกความเห็นแล้ว / your remark is kept",
        FlagAction::Approved | FlagAction::Cancelled => "ยกเลิกแล้ว / withdrawn",
    })
}

/// What a link has done in the last hour. Whoever has a link can send its form as often as he likes, and every row is kept for ever.
async fn by_link_lately(app: &App, ticket: &LinkTicket) -> Answer<usize> {
    let since = app.now().plus_secs(-3_600);
    let notes = app.metadata.flag_notes(Some(&ticket.flag_id)).await?;
    let of_link = notes.iter().filter(|note| {
        note.via == "link" && note.at >= since && note.contact_id.as_deref() == Some(ticket.contact_id.as_str())
    });
    Ok(of_link.count())
}

/// The name of an account that may, by the password in the form.
async fn account(app: &App, form: &Form, peer: Option<Peer>) -> Answer<String> {
    if app.authenticator.is_open() {
        let detail = "ระบบนี้ยังไม่มีบัญชีผู้ใช้ / this takes accounts: configure [auth], or use `gwbank flags` on the server";
        return Err(Problem::new(Kind::FORBIDDEN, detail));
    }
    let mut headers = HeaderMap::new();
    let pair = format!("{}:{}", form.account.trim(), form.password);
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    if let Ok(value) = HeaderValue::from_str(&basic) {
        headers.insert(header::AUTHORIZATION, value);
    }
    let principal = app.authenticator.authenticate(&headers, peer).await?;
    if !Access::Acknowledge.permits(principal.role) {
        let detail =
            format!("บัญชีนี้ไม่มีสิทธิ์ / role {} may not; this is for: {}", principal.role, Access::Acknowledge.roles());
        return Err(Problem::new(Kind::FORBIDDEN, detail));
    }
    Ok(principal.name)
}

struct Said {
    status: StatusCode,
    text: String,
}

/// What other doors say in English, with a word of Thai before it.
fn in_both(problem: &Problem) -> String {
    let is_thai = |c: char| ('\u{e00}'..='\u{e7f}').contains(&c);
    if problem.detail.chars().any(is_thai) {
        return problem.detail.clone();
    }
    let thai = match problem.kind {
        Kind::UNAUTHENTICATED => "ชื่อบัญชีหรือรหัสผ่านไม่ถูกต้อง",
        Kind::TOO_MANY_FAILURES => "ใส่รหัสผ่านผิดหลายครั้ง กรุณารอสักครู่",
        Kind::CONFLICT => "สถานะปัจจุบันทำเช่นนั้นไม่ได้",
        Kind::BAD_REQUEST => "ข้อมูลในแบบฟอร์มไม่ครบหรือไม่ถูกต้อง",
        _ => "ระบบทำรายการไม่ได้ กรุณาลองใหม่ภายหลัง",
    };
    format!("{thai} / {}", problem.detail)
}

async fn answer(app: &App, link: &str, said: Option<Said>) -> Answer<Response<Body>> {
    let ticket = match ticket(app, link).await? {
        Ok(ticket) => ticket,
        Err(problem) => return Ok(refused(problem)),
    };
    let flags = app.metadata.flags(false).await?;
    let Some(flag) = flags.into_iter().find(|flag| flag.id == ticket.flag_id) else {
        return Ok(refused(LinkProblem::Forged));
    };
    let transitions = app.metadata.flag_transitions(Some(&flag.id)).await?;
    let notes = app.metadata.flag_notes(Some(&flag.id)).await?;
    let status = said.as_ref().map_or(StatusCode::OK, |said| said.status);
    let document = newest_document(app, &flag).await?;
    let html = page(&flag.headline_th, &body(&flag, &transitions, &notes, (said.as_ref(), &document)));
    Ok(with_policy(status, html.into_response()))
}

fn refused(problem: LinkProblem) -> Response<Body> {
    let text = match problem {
        LinkProblem::Expired => "ลิงก์นี้หมดอายุแล้ว <small>this link has expired; the newest message has another</small>",
        LinkProblem::Forged => "ลิงก์นี้ไม่สมบูรณ์ <small>this link is not complete: copy all of it from the message</small>",
    };
    let html = page("gwbank", &format!("<main><section><p>{text}</p></section></main>"));
    with_policy(StatusCode::FORBIDDEN, html.into_response())
}

fn with_policy(status: StatusCode, mut response: Response<Body>) -> Response<Body> {
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Without a referrer a browser sends a form's origin as null; no other page learns of the link by it.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    response
}

/// What would be approved, as it was known at its transition: an officer must see it and not what is now.
async fn newest_document(app: &App, flag: &ConditionFlag) -> Answer<String> {
    let messages = messages(app, flag).await?;
    let Some(newest) = messages.last() else { return Ok(String::new()) };
    let then = app.metadata.flags_at(newest.transition.transition.at).await?;
    let then = then.into_iter().find(|then| then.id == flag.id).unwrap_or_else(|| flag.clone());
    let state = match &newest.approved {
        Some((by, _)) => format!("อนุมัติแล้วโดย {} <small>approved</small>", escape(by)),
        None => "ยังไม่อนุมัติ <small>not approved</small>".to_owned(),
    };
    Ok(format!(
        "<p>เอกสาร CAP ล่าสุด <small>newest CAP document</small> {} · {state}<br>{} <small>{}</small></p>",
        newest.kind.name(),
        escape(&then.headline_th),
        escape(&then.headline_en)
    ))
}

fn body(
    flag: &ConditionFlag,
    transitions: &[FlagTransition],
    notes: &[FlagNote],
    (said, document): (Option<&Said>, &str),
) -> String {
    let mut html =
        String::from("<header><h1>gwbank <small>ธนาคารน้ำใต้ดิน · groundwater bank</small></h1></header><main>");
    if let Some(said) = said {
        let class = if said.status.is_success() { "done" } else { "alert" };
        let _ = write!(html, "<section class=\"{class}\" role=\"status\"><p>{}</p></section>", escape(&said.text));
    }
    let _ = write!(
        html,
        "<section class=\"{}\"><h2>{} <small>{}</small></h2>",
        flag.severity.name(),
        escape(&flag.headline_th),
        escape(&flag.headline_en)
    );
    // What was to be done is not to be done any more.
    if flag.closed_at.is_none() {
        let (th, en) = (escape(&flag.detail_th), escape(&flag.detail_en));
        let _ = write!(html, "<p>{th}</p><p lang=\"en\">{en}</p>");
    }
    let (state_en, state_th) = state_words(flag.state);
    let _ = write!(html, "<p>สถานะ {state_th} <small>state {state_en}</small></p>");
    html.push_str("</section>");
    if flag.closed_at.is_none() {
        write_forms(&mut html, flag, document);
    } else {
        html.push_str("<section><p>สิ้นสุดแล้ว <small>it has ended</small></p></section>");
    }
    html.push_str("<section><h2>ลำดับเหตุการณ์ <small>what happened</small></h2><ol>");
    for transition in transitions {
        let words = transition_words(transition.transition);
        let (severity_en, severity_th) = severity_words(transition.severity);
        let evidence: serde_json::Value = serde_json::from_str(&transition.evidence).unwrap_or_default();
        let reason = evidence["reason"].as_str().and_then(reason_words);
        let _ = write!(
            html,
            "<li>{} · {} · {} <small>{} · {} · {}</small>",
            escape(&thai_time(transition.at)),
            words.th,
            severity_th,
            escape(&english_time(transition.at)),
            words.en,
            severity_en
        );
        if let Some((en, th)) = reason {
            let _ = write!(html, "<br>{th} <small>{en}</small>");
        }
        write_evidence(&mut html, &evidence);
        html.push_str("</li>");
    }
    html.push_str("</ol></section><section><h2>ผู้ดำเนินการ <small>who did what</small></h2><ul>");
    if notes.is_empty() {
        html.push_str("<li>ยังไม่มี <small>nobody yet</small></li>");
    }
    for note in notes {
        let (en, th) = action_words(note.action);
        let _ =
            write!(html, "<li>{} · {th} <b>{}</b> <small>{en}</small>", escape(&thai_time(note.at)), escape(&note.by));
        if let Some(text) = &note.text {
            let _ = write!(html, "<br>{}", escape(text));
        }
        html.push_str("</li>");
    }
    html.push_str("</ul></section></main><footer>ไม่ใช่ประกาศเตือนภัย · not an official warning</footer>");
    html
}

/// The numbers of a transition, as they are kept.
fn write_evidence(html: &mut String, evidence: &serde_json::Value) {
    html.push_str("<details><summary>หลักฐาน <small>evidence</small></summary><dl>");
    for ((name_th, value), (name_en, _)) in
        told_evidence(evidence, true).into_iter().zip(told_evidence(evidence, false))
    {
        let _ = write!(
            html,
            "<dt>{} <small>{}</small></dt><dd>{}</dd>",
            escape(&name_th),
            escape(&name_en),
            escape(&value)
        );
    }
    html.push_str("</dl></details>");
}

fn write_forms(html: &mut String, flag: &ConditionFlag, document: &str) {
    let name = "<label>ชื่อหรือตำแหน่ง <small>name or role</small><br><input name=\"name\" required maxlength=\"100\" autocomplete=\"name\"></label>";
    let text = "<label>ข้อความ <small>remark</small><br><textarea name=\"text\" maxlength=\"1000\" rows=\"3\"></textarea></label>";
    html.push_str("<section><form method=\"post\">");
    let _ = write!(html, "{name}<br>{text}<br>");
    if let (Some(by), Some(at)) = (&flag.acknowledged_by, flag.acknowledged_at) {
        let _ = write!(
            html,
            "<p>รับทราบแล้วโดย {} {} <small>seen by {} {}</small></p>",
            escape(by),
            escape(&thai_time(at)),
            escape(by),
            escape(&english_time(at))
        );
    }
    html.push_str(
        "<button name=\"action\" value=\"acknowledge\">รับทราบ <small>I have seen it</small></button> \
         <button name=\"action\" value=\"comment\">บันทึกความเห็น <small>remark only</small></button></form></section>",
    );
    html.push_str("<section><details><summary>สำหรับเจ้าหน้าที่ที่มีบัญชี <small>for officers with an account</small></summary>");
    html.push_str(document);
    html.push_str("<form method=\"post\">");
    html.push_str(
        "<label>บัญชี <small>account</small><br><input name=\"account\" autocomplete=\"username\"></label><br>\
         <label>รหัสผ่าน <small>password</small><br><input name=\"password\" type=\"password\" autocomplete=\"current-password\"></label><br>",
    );
    let _ = write!(html, "{text}<br>");
    html.push_str(
        "<button name=\"action\" value=\"approve\">อนุมัติเอกสาร CAP <small>approve the CAP document</small></button> \
         <button name=\"action\" value=\"cancel\">ยกเลิก พร้อมเหตุผล <small>withdraw, with the reason</small></button></form></details></section>",
    );
}
