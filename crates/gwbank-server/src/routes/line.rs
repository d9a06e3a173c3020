//! What LINE tells: who became a friend or left, one-time codes, and รับทราบ.
//!
//! # Rules
//! 1. Only what LINE has signed is read; everything that is signed is answered with 200, so that LINE does not send it again for a
//!    reason that will not change.
//! 2. A message that is a code links its sender, or the group that it was sent in, to the contact of the code, once.
//! 3. รับทราบ, as a button or as a message, is taken from linked senders only.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use gwbank_notice::render::{acknowledged_flag, is_of_line};
use gwbank_registry::import::is_line_id;
use gwbank_registry::office::{Channel, Contact, MessageLanguage, Offices};
use gwbank_store::{DeliveryState, FlagAction, KnownOffices};
use serde_json::Value;

use super::input;
use super::offices::{change_offices, code_digest};
use crate::doors::{FlagAct, LineDoor};
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;

/// Events of one request; LINE sends few.
const EVENTS_MAX: usize = 100;
/// Of so many senders the last coming or going is known, since the start: more than any bank has contacts.
const SENDERS_KEPT: usize = 100_000;
/// What is longer is no code and no รับทราบ.
const TEXT_CHARS_MAX: usize = 40;
const CODE_LENGTH: std::ops::RangeInclusive<usize> = 8..=20;

/// Takes the events of LINE's Messaging API.
#[utoipa::path(post, path = "/hooks/line", tag = "offices", request_body(content = String, content_type = "application/json"),
    responses((status = 200), (status = 401, description = "the signature is not LINE's")))]
pub async fn hook(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer<StatusCode> {
    let Some(line) = app.line.clone() else {
        return Err(Problem::new(Kind::NOT_FOUND, "LINE is not configured here; see [line] in gwbank.example.toml"));
    };
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    let signature = headers.get("x-line-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_of_line(line.channel_secret(), &bytes, signature) {
        return Err(Problem::new(Kind::UNAUTHENTICATED, "X-Line-Signature is missing or wrong"));
    }
    let said: Value = input::json(&bytes)?;
    for event in said["events"].as_array().into_iter().flatten().take(EVENTS_MAX) {
        take(&app, line.as_ref(), event).await?;
    }
    Ok(StatusCode::OK)
}

/// Who an event is of: the group or room where it was in one, else the person.
fn sender(event: &Value) -> Option<&str> {
    let source = &event["source"];
    ["groupId", "roomId", "userId"].into_iter().find_map(|name| source[name].as_str()).filter(|id| is_line_id(id))
}

async fn take(app: &App, line: &dyn LineDoor, event: &Value) -> Answer<()> {
    let Some(sender) = sender(event) else { return Ok(()) };
    match event["type"].as_str() {
        Some("unfollow" | "leave") => set_reachable(app, sender, event, false).await,
        Some("follow" | "join") => set_reachable(app, sender, event, true).await,
        Some("postback") => match event["postback"]["data"].as_str().and_then(acknowledged_flag) {
            Some(flag) => acknowledge(app, line, event, sender, Some(flag)).await,
            None => Ok(()),
        },
        Some("message") => match event["message"]["text"].as_str().map(str::trim) {
            Some(text) if text.chars().count() > TEXT_CHARS_MAX => Ok(()),
            // ครับ and ค่ะ may follow.
            Some(text) if text.starts_with("รับทราบ") => {
                acknowledge(app, line, event, sender, None).await
            }
            Some(text) => link(app, line, event, sender, text).await,
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

async fn reply(line: &dyn LineDoor, event: &Value, text: &str) {
    if let Some(token) = event["replyToken"].as_str() {
        line.reply(token, text).await;
    }
}

/// In the language that a contact reads.
fn said(language: MessageLanguage, th: &str, en: &str) -> String {
    match language {
        MessageLanguage::Thai => th.to_owned(),
        MessageLanguage::English => en.to_owned(),
        MessageLanguage::Both => format!("{th}\n{en}"),
    }
}

fn contact_of<'a>(offices: &'a Offices, sender: &str) -> Option<&'a Arc<Contact>> {
    let is_sender =
        |contact: &&Arc<Contact>| contact.channel == Channel::Line && contact.address.as_deref() == Some(sender);
    offices.contacts.values().find(is_sender)
}

/// Whether an event about a sender is newer than all before it: LINE sends again what it could not bring, late and in another
/// order, and a friend who left and came back must stay.
fn is_news(app: &App, sender: &str, event: &Value) -> bool {
    let Some(at) = event["timestamp"].as_i64() else { return true };
    let mut last = app.line_events.lock();
    if last.len() >= SENDERS_KEPT {
        last.clear();
    }
    let known = last.entry(sender.to_owned()).or_insert(i64::MIN);
    let is_news = at > *known;
    *known = at.max(*known);
    is_news
}

async fn set_reachable(app: &App, sender: &str, event: &Value, is_reachable: bool) -> Answer<()> {
    if !is_news(app, sender, event) {
        return Ok(());
    }
    let now = app.now();
    change_offices(app, |known| {
        let mut offices = known.clone();
        for contact in offices.contacts.values_mut() {
            if contact.channel == Channel::Line && contact.address.as_deref() == Some(sender) {
                let contact = Arc::make_mut(contact);
                contact.unreachable_since = if is_reachable { None } else { contact.unreachable_since.or(Some(now)) };
            }
        }
        Ok(offices)
    })
    .await
    .map(drop)
}

async fn link(app: &App, line: &dyn LineDoor, event: &Value, sender: &str, text: &str) -> Answer<()> {
    let letters = text.chars().filter(char::is_ascii_alphanumeric).count();
    let others = text.chars().any(|c| !c.is_ascii_alphanumeric() && c != '-' && c != ' ');
    if others || !CODE_LENGTH.contains(&letters) {
        return Ok(()); // people talk in groups
    }
    let Some(invite) = app.metadata.take_invite(&code_digest(text), app.now()).await? else {
        let (th, en) = (
            "ไม่พบรหัสนี้ หรือรหัสหมดอายุหรือถูกใช้แล้ว กรุณาขอรหัสใหม่",
            "This code is not known, has expired or was used: ask for another.",
        );
        reply(line, event, &said(MessageLanguage::Both, th, en)).await;
        return Ok(());
    };
    let linked = change_offices(app, |known| {
        let mut offices = known.clone();
        if let Some(contact) = offices.contacts.get_mut(&invite.contact_id) {
            let contact = Arc::make_mut(contact);
            contact.address = Some(sender.to_owned());
            contact.unreachable_since = None;
        }
        Ok(offices)
    })
    .await?;
    let text = match linked.contact(&invite.contact_id) {
        Some((office, contact)) => {
            let name = office.name_th.as_ref().unwrap_or(&office.name);
            tracing::info!(contact = invite.contact_id, "a contact of LINE was linked");
            let th = format!("เชื่อมต่อกับ{name}แล้ว จะแจ้งสถานการณ์น้ำใต้ดินที่นี่");
            said(contact.language, &th, &format!("Linked to {}: you will hear of the groundwater here.", office.name))
        }
        None => {
            let (th, en) = ("ไม่พบผู้รับของรหัสนี้แล้ว กรุณาขอรหัสใหม่", "The contact of this code is gone: ask for another.");
            said(MessageLanguage::Both, th, en)
        }
    };
    reply(line, event, &text).await;
    Ok(())
}

async fn acknowledge(app: &App, line: &dyn LineDoor, event: &Value, sender: &str, flag: Option<&str>) -> Answer<()> {
    let KnownOffices { offices, .. } = app.metadata.offices(None).await?;
    let Some(contact) = contact_of(&offices, sender) else { return Ok(()) };
    let flag = match flag {
        Some(flag) => Some(flag.to_owned()),
        None => last_told(app, &contact.contact_id).await?,
    };
    let Some(flag) = flag else {
        let text = said(contact.language, "ไม่มีสถานการณ์ที่รอการรับทราบ", "There is nothing to answer.");
        reply(line, event, &text).await;
        return Ok(());
    };
    let by = contact.name.clone().unwrap_or_else(|| contact.contact_id.clone());
    let act = FlagAct {
        action: FlagAction::Acknowledged,
        by,
        via: "line",
        contact_id: Some(contact.contact_id.clone()),
        text: None,
        transition: None,
    };
    let text = match app.flags.act(&flag, act).await {
        Ok(Some(flag)) => {
            let (th, en) = (format!("รับทราบแล้ว: {}", flag.headline_th), format!("Seen: {}", flag.headline_en));
            said(contact.language, &th, &en)
        }
        Ok(None) => said(contact.language, "ไม่พบสถานการณ์นี้", "There is no such flag."),
        Err(crate::doors::FlagsDoorError::Closed) => said(contact.language, "สถานการณ์นี้สิ้นสุดแล้ว", "It has ended."),
        Err(error) => return Err(error.into()),
    };
    reply(line, event, &text).await;
    Ok(())
}

/// The open flag that a contact was told of last.
async fn last_told(app: &App, contact_id: &str) -> Answer<Option<String>> {
    let open: HashSet<String> = app.metadata.flags(true).await?.into_iter().map(|flag| flag.id).collect();
    let told = app.metadata.deliveries(None).await?;
    let of_contact = told.iter().filter(|delivery| {
        delivery.contact_id.as_deref() == Some(contact_id)
            && delivery.state == DeliveryState::Delivered
            && delivery.flag_id.as_ref().is_some_and(|flag| open.contains(flag))
    });
    let last = of_contact.max_by_key(|delivery| delivery.ended_at);
    Ok(last.and_then(|delivery| delivery.flag_id.clone()))
}
