//! CAP documents and their feeds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Response, header};
use axum::{Extension, Json};
use gwbank_model::Timestamp;
use gwbank_notice::cap::{
    CapArea, CapKind, CapMessage, FeedEntry, FeedPage, chain, document, drill_document, drill_identifier, drill_status,
    feed, has_documents, identifier, transition_number,
};
use gwbank_registry::places;
use gwbank_store::{ConditionFlag, Drill, FlagAction, NumberedTransition};
use serde::Deserialize;
use utoipa::IntoParams;

use super::flags::unknown;
use super::input::{Name, Parameters};
use crate::auth::{Access, Principal};
use crate::doors::FlagAct;
use crate::guard::Peer;
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{ApprovedView, ProblemView};

/// Entries of one page of a feed.
const PAGE: usize = 50;

/// Transitions read at once.
const TRANSITIONS_AT_ONCE: usize = 10_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedParameters {
    /// From 1, the newest first.
    page: Option<usize>,
    /// `actual`: only what was approved; by default drafts, too.
    status: Option<String>,
}

/// Documents of all provinces, the newest first, with pages.
#[utoipa::path(get, path = "/feeds/cap.atom", tag = "cap", params(FeedParameters),
    responses((status = 200, content_type = "application/atom+xml", body = String)))]
pub async fn all(
    State(app): State<Arc<App>>,
    Parameters(asked): Parameters<FeedParameters>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    let reader = reader(&app, &headers, peer).await?;
    feed_of(&app, None, &asked, reader).await
}

/// Who reads: anybody what was approved, whoever may read flags the drafts, too. Wrong credentials are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Anybody,
    Officer,
}

async fn reader(app: &App, headers: &HeaderMap, peer: Option<Extension<Peer>>) -> Answer<Reader> {
    let is_known = headers.contains_key(header::AUTHORIZATION) || app.session(headers).is_some();
    if !app.authenticator.is_open() && !is_known {
        return Ok(Reader::Anybody);
    }
    let principal = app.principal(&Method::GET, headers, peer.map(|Extension(peer)| peer)).await?;
    Ok(if Access::Read.permits(principal.role) { Reader::Officer } else { Reader::Anybody })
}

/// Documents of one province: `/feeds/cap/30.atom`.
#[utoipa::path(get, path = "/feeds/cap/{province}", tag = "cap", params(("province" = String, Path), FeedParameters),
    responses((status = 200, content_type = "application/atom+xml", body = String),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn of_province(
    State(app): State<Arc<App>>,
    Name(name): Name,
    Parameters(asked): Parameters<FeedParameters>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    let reader = reader(&app, &headers, peer).await?;
    let province = name.strip_suffix(".atom").and_then(places::province);
    let province = province
        .ok_or_else(|| Problem::new(Kind::UNKNOWN_PROVINCE, format!("no feed {name:?}; they are called as 30.atom")))?;
    feed_of(&app, Some(province.code), &asked, reader).await
}

/// The document of a transition: `/cap/{identifier}.xml`.
#[utoipa::path(get, path = "/cap/{identifier}", tag = "cap", params(("identifier" = String, Path)),
    responses((status = 200, content_type = "application/cap+xml", body = String),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn show(
    State(app): State<Arc<App>>,
    Name(name): Name,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    let reader = reader(&app, &headers, peer).await?;
    let missing = || Problem::new(Kind::UNKNOWN_DOCUMENT, format!("no document {name:?}; see /feeds/cap.atom"));
    let identifier = name.strip_suffix(".xml").ok_or_else(missing)?;
    if let Some((drill, flag)) =
        drills(&app, None).await?.into_iter().find(|(_, flag)| drill_identifier(flag) == identifier)
    {
        if reader == Reader::Anybody {
            return Err(Problem::new(
                Kind::UNAUTHENTICATED,
                "documents of drills are for officers, with their credentials",
            ));
        }
        let area = CapArea::of(&flag, &app.ingest.registry());
        return Ok(xml("application/cap+xml", drill_document(&app.cap, &flag, &area, &drill)));
    }
    let number = transition_number(identifier).ok_or_else(missing)?;
    let found = app.metadata.transitions_after(number.saturating_sub(1), 1).await?;
    let found = found.into_iter().find(|found| found.number == number).ok_or_else(missing)?;
    let flags = app.metadata.flags_at(found.transition.at).await?;
    let flag = flags.into_iter().find(|flag| flag.id == found.transition.flag_id).ok_or_else(missing)?;
    let messages = messages(&app, &flag).await?;
    let index = messages.iter().position(|message| message.document_id() == identifier).ok_or_else(missing)?;
    if messages[index].approved.is_none() && reader == Reader::Anybody {
        let detail = "this document is not approved yet; officers read it with their credentials";
        return Err(Problem::new(Kind::UNAUTHENTICATED, detail));
    }
    let area = CapArea::of(&flag, &app.ingest.registry());
    Ok(xml("application/cap+xml", document(&app.cap, &flag, &area, &messages[index], &messages[..index])))
}

/// Lets the public have the flag's newest document.
#[utoipa::path(post, path = "/api/v1/flags/{id}/approve", tag = "cap", params(("id" = String, Path)),
    responses((status = 200, body = ApprovedView),
        (status = 404, body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "there is nothing to approve", body = ProblemView, content_type = "application/problem+json")))]
pub async fn approve(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(id): Name,
) -> Answer<Json<ApprovedView>> {
    let flags = app.metadata.flags(false).await?;
    let flag = flags.into_iter().find(|flag| flag.id == id).ok_or_else(|| unknown(&id))?;
    approve_flag(&app, &flag, &principal.name, "http").await.map(Json)
}

pub(super) async fn approve_flag(app: &App, flag: &ConditionFlag, by: &str, via: &'static str) -> Answer<ApprovedView> {
    let conflict = |detail: &str| Problem::new(Kind::CONFLICT, detail);
    let messages = messages(app, flag).await?;
    let Some((newest, earlier)) = messages.split_last() else {
        return Err(conflict("this flag has no CAP document: those are of high, low and saline groundwater at places"));
    };
    if let Some((by, _)) = &newest.approved {
        return Err(conflict(&format!("the newest document was approved by {by}")));
    }
    if newest.kind == CapKind::Cancel && !earlier.iter().any(|message| message.approved.is_some()) {
        return Err(conflict("it ends a flag of which the public has heard nothing"));
    }
    let act = FlagAct {
        action: FlagAction::Approved,
        by: by.to_owned(),
        via,
        contact_id: None,
        text: None,
        transition: Some(newest.transition.number),
    };
    app.flags.act(&flag.id, act).await?.ok_or_else(|| unknown(&flag.id))?;
    let identifier = newest.identifier.clone();
    Ok(ApprovedView { document: format!("/cap/{identifier}.xml"), identifier, approved_by: by.to_owned() })
}

/// The chain of a flag's documents, oldest first.
pub(super) async fn messages(app: &App, flag: &ConditionFlag) -> Answer<Vec<CapMessage>> {
    let first = app.metadata.flag_transitions(Some(&flag.id)).await?;
    if first.is_empty() || !has_documents(flag.hazard, flag.scope) {
        return Ok(Vec::new());
    }
    let of_flag: Vec<NumberedTransition> =
        numbered(app).await?.into_iter().filter(|found| found.transition.flag_id == flag.id).collect();
    let notes = app.metadata.flag_notes(Some(&flag.id)).await?;
    Ok(chain(flag, &of_flag, &notes))
}

/// The drills that have documents, with what they told of.
async fn drills(app: &App, province: Option<&str>) -> Answer<Vec<(Drill, ConditionFlag)>> {
    let drills = app.metadata.drills().await?.into_iter();
    let of = drills.filter(|drill| {
        has_documents(drill.hazard, drill.scope) && province.is_none_or(|province| drill.province_code == province)
    });
    Ok(of.map(|drill| (drill.clone(), app.flags.drill_flag(&drill))).collect())
}

async fn numbered(app: &App) -> Answer<Vec<NumberedTransition>> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map_or(0, |last: &NumberedTransition| last.number);
        let more = app.metadata.transitions_after(after, TRANSITIONS_AT_ONCE).await?;
        let count = more.len();
        all.extend(more);
        if count < TRANSITIONS_AT_ONCE {
            return Ok(all);
        }
    }
}

async fn feed_of(app: &App, province: Option<&str>, asked: &FeedParameters, reader: Reader) -> Answer<Response<Body>> {
    let only_actual = reader == Reader::Anybody
        || match asked.status.as_deref() {
            None => false,
            Some("actual") => true,
            Some(other) => {
                return Err(Problem::bad_parameter(
                    "status",
                    format!("status={other:?} is not actual; leave it out for all"),
                ));
            }
        };
    let flags = app.metadata.flags(false).await?;
    let mut transitions: HashMap<String, Vec<NumberedTransition>> = HashMap::new();
    for found in numbered(app).await? {
        transitions.entry(found.transition.flag_id.clone()).or_default().push(found);
    }
    let mut notes: HashMap<String, Vec<_>> = HashMap::new();
    for note in app.metadata.flag_notes(None).await? {
        notes.entry(note.flag_id.clone()).or_default().push(note);
    }
    let mut entries: Vec<FeedEntry> = Vec::new();
    for flag in flags.iter().filter(|flag| province.is_none_or(|province| flag.province_code == province)) {
        let Some(of_flag) = transitions.get(&flag.id) else { continue };
        let notes = notes.get(&flag.id).map(Vec::as_slice).unwrap_or_default();
        let chain = chain(flag, of_flag, notes);
        let shown = chain.iter().enumerate().filter(|(_, message)| !only_actual || message.approved.is_some());
        entries.extend(shown.map(|(index, message)| {
            let status = if message.approved.is_some() { "Actual" } else { "Draft" };
            let kind = message.document_kind(&chain[..index]).name();
            FeedEntry {
                identifier: message.document_id(),
                title: format!("{} / {}", flag.headline_th, flag.headline_en),
                summary: format!("{status} {kind}: {}", message.transition.transition.transition),
                updated: message.sent(),
                published: message.transition.transition.at,
                categories: vec![kind, status, flag.hazard.name(), message.transition.transition.severity.name()],
            }
        }));
    }
    if !only_actual {
        entries.extend(drills(app, province).await?.into_iter().map(|(drill, flag)| {
            let status = drill_status(drill.kind);
            FeedEntry {
                identifier: drill_identifier(&flag),
                title: format!("[{status}] {} / {}", flag.headline_th, flag.headline_en),
                summary: format!("{status} Alert: drill by {}", drill.by),
                updated: drill.at,
                published: drill.at,
                categories: vec!["Alert", status, drill.hazard.name(), drill.severity.name()],
            }
        }));
    }
    entries.sort_by(|a, b| (b.updated, &b.identifier).cmp(&(a.updated, &a.identifier)));
    let pages = entries.len().div_ceil(PAGE).max(1);
    let page = asked.page.unwrap_or(1);
    if page == 0 || page > pages {
        return Err(Problem::bad_parameter("page", format!("page={page} is not from 1 to {pages}")));
    }
    // Of nothing it is always the same, too.
    let updated = entries.first().map_or(Timestamp::from_secs(0), |entry| entry.updated);
    let base_url = app.public_url.clone().unwrap_or_default();
    let (path, title) = match province.and_then(places::province) {
        None => ("/feeds/cap.atom".to_owned(), "สถานการณ์น้ำใต้ดิน ทุกจังหวัด / Groundwater, all provinces".to_owned()),
        Some(place) => (
            format!("/feeds/cap/{}.atom", place.code),
            format!("สถานการณ์น้ำใต้ดิน จังหวัด{} / Groundwater, {}", place.name_th, place.name_en),
        ),
    };
    // Another choice is another feed.
    let path = if asked.status.is_some() { format!("{path}?status=actual") } else { path };
    let mut entries: Vec<FeedEntry> = entries.into_iter().skip((page - 1) * PAGE).take(PAGE).collect();
    // What a document says is what was known at its transition.
    let mut then: HashMap<Timestamp, HashMap<String, ConditionFlag>> = HashMap::new();
    for entry in &mut entries {
        if let Entry::Vacant(missing) = then.entry(entry.published) {
            let flags = app.metadata.flags_at(entry.published).await?;
            missing.insert(flags.into_iter().map(|flag| (flag.id.clone(), flag)).collect());
        }
        let told = then[&entry.published].values().find(|flag| is_of(&entry.identifier, &flag.id));
        if let Some(flag) = told {
            entry.title = format!("{} / {}", flag.headline_th, flag.headline_en);
        }
    }
    let author = format!("{} / {}", app.cap.name_th, app.cap.name_en);
    Ok(xml("application/atom+xml", feed(&FeedPage { base_url, path, title, author, page, pages, updated, entries })))
}

/// Whether a document is of a flag, by its identifier.
fn is_of(document: &str, flag_id: &str) -> bool {
    let is = |number: i64| {
        document.strip_prefix(&identifier(flag_id, number)).is_some_and(|rest| rest.is_empty() || rest == "-draft")
    };
    transition_number(document).is_some_and(is)
}

fn xml(kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let kind = format!("{kind}; charset=utf-8");
    let kind = HeaderValue::from_str(&kind).unwrap_or(HeaderValue::from_static("application/xml"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
