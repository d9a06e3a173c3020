//! Offices, their contacts, invitations to LINE, and what became of messages.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use gwbank_registry::import;
use gwbank_registry::office::{Channel, Offices};
use gwbank_store::{DeliveryState, Invite, KnownOffices};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::input::{self, Name, Parameters};
use crate::auth::Principal;
use crate::encode::preferred;
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{
    AppliedView, ContactView, DeliveryView, InviteRequest, InviteView, OfficeView, Page, ProblemView, instant,
};

const CSV: &str = "text/csv";

/// Who is told of condition flags; as CSV it can be imported again, with secrets.
#[utoipa::path(get, path = "/api/v1/offices", tag = "offices", responses(
    (status = 200, content((Page<OfficeView> = "application/json"), (String = "text/csv")))))]
pub async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer<Response<Body>> {
    let accept = headers.get(header::ACCEPT).map(|value| value.to_str().unwrap_or("?"));
    let format = preferred(accept, &["application/json", CSV])?;
    let KnownOffices { offices, .. } = app.metadata.offices(None).await?;
    if format == 1 {
        let mut response = Response::new(Body::from(import::write_offices_csv(&offices, true)));
        let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        return Ok(response);
    }
    let of_office = |id: &str| {
        offices
            .contacts
            .values()
            .filter(|contact| contact.office_id == id)
            .map(|contact| ContactView::from(contact.as_ref()))
            .collect()
    };
    let items: Vec<OfficeView> =
        offices.offices.values().map(|office| OfficeView::of(office, of_office(&office.office_id))).collect();
    Ok(Json(Page { total: items.len() as u64, items }).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportParameters {
    /// true: offices and contacts that the file does not name are no more.
    replace: Option<bool>,
}

/// Adds or replaces offices and contacts by their ids, from CSV. One wrong row, and nothing is applied.
#[utoipa::path(put, path = "/api/v1/offices", tag = "offices", params(ImportParameters),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = AppliedView),
        (status = 422, description = "`faults` names each by line and column", body = ProblemView, content_type = "application/problem+json")))]
pub async fn import(
    State(app): State<Arc<App>>,
    Parameters(asked): Parameters<ImportParameters>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<AppliedView>> {
    input::require_type(&headers, &[CSV])?;
    let bytes = input::body(&headers, body, app.limits.import_bytes_max).await?;
    let file = import::parse_offices(&bytes).map_err(|faults| Problem::invalid_rows(&faults))?;
    let rows = file.contacts.len() as u64;
    if file.offices.is_empty() {
        let fault = import::RowFault {
            line: 1,
            column: String::new(),
            value: String::new(),
            problem: "the file names no office".to_owned(),
            mend: "to have nobody told, import them with active = false".to_owned(),
        };
        return Err(Problem::invalid_rows(&[fault]));
    }
    let before = app.metadata.offices(None).await?.offices;
    let applied = change_offices(&app, |known| Ok(known.with(file.clone(), asked.replace == Some(true)))).await?;
    let mut told = Vec::new();
    let gone = before.contacts.keys().filter(|id| !applied.contacts.contains_key(*id)).count();
    if gone > 0 {
        told.push(if gone == 1 { "1 contact is no more".to_owned() } else { format!("{gone} contacts are no more") });
    }
    for (id, contact) in &applied.contacts {
        if let Some(known) = before.contacts.get(id).filter(|known| known.office_id != contact.office_id) {
            told.push(format!("contact {id} was of office {} and is of {} now", known.office_id, contact.office_id));
        }
    }
    told.extend(warnings(&app, &applied));
    Ok(Json(AppliedView { rows, warnings: told }))
}

/// Changes the offices as they are, again where somebody else was quicker.
pub(super) async fn change_offices(app: &App, change: impl Fn(&Offices) -> Answer<Offices>) -> Answer<Offices> {
    loop {
        let KnownOffices { version, offices } = app.metadata.offices(None).await?;
        let changed = change(&offices)?;
        if changed == offices || app.metadata.put_offices(changed.clone(), version, app.now()).await? {
            return Ok(changed);
        }
    }
}

fn warnings(app: &App, offices: &Offices) -> Vec<String> {
    let mut warnings = Vec::new();
    let active = || offices.contacts.values().filter(|contact| contact.active);
    let unlinked: Vec<&str> = active()
        .filter(|contact| contact.channel == Channel::Line && contact.address.is_none())
        .map(|contact| contact.contact_id.as_str())
        .collect();
    if !unlinked.is_empty() {
        let ids = unlinked.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let count = unlinked.len();
        warnings.push(format!(
            "contacts of LINE that are not linked and hear nothing: {count}, such as {ids}; link each by `gwbank offices invite`"
        ));
    }
    if app.line.is_none() && active().any(|contact| contact.channel == Channel::Line) {
        warnings
            .push("LINE is not configured: set line.channel_access_token_file and line.channel_secret_file".to_owned());
    }
    if app.public_url.is_none() && active().next().is_some() {
        warnings.push("public_url is not set: messages carry no link to acknowledge by".to_owned());
    }
    warnings
}

/// Letters and digits that nobody takes for each other.
const CODE_LETTERS: &[u8] = b"ABCDEFGHJKMNPQRSTUVWXYZ23456789";
const CODE_LENGTH: usize = 10;
/// Days that a code is good, and at most.
const INVITE_DAYS: u32 = 7;
const INVITE_DAYS_MAX: u32 = 90;

/// As a code is kept: nobody who reads the table can use it.
pub(super) fn code_digest(code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    Sha256::digest(plain.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A one-time code that links a friend or group of LINE to a contact, by being sent to the channel as a message.
#[utoipa::path(post, path = "/api/v1/contacts/{id}/invite", tag = "offices", params(("id" = String, Path)),
    request_body = Option<InviteRequest>,
    responses((status = 200, body = InviteView),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn invite(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(id): Name,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<InviteView>> {
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    let request: InviteRequest = input::json_or_default(&bytes)?;
    let days = request.days.unwrap_or(INVITE_DAYS);
    if days == 0 || days > INVITE_DAYS_MAX {
        return Err(Problem::bad_parameter("days", format!("days={days} is not from 1 to {INVITE_DAYS_MAX}")));
    }
    let KnownOffices { offices, .. } = app.metadata.offices(None).await?;
    let (_, contact) = offices
        .contact(&id)
        .ok_or_else(|| Problem::new(Kind::UNKNOWN_CONTACT, format!("no contact {id:?}; see GET /api/v1/offices")))?;
    if contact.channel != Channel::Line {
        let detail = format!("contact {id:?} is reached by {}; only contacts of LINE are linked", contact.channel);
        return Err(Problem::new(Kind::CONFLICT, detail));
    }
    let letter = |_| char::from(CODE_LETTERS[rand::random_range(0..CODE_LETTERS.len())]);
    let code: String = (0..CODE_LENGTH).map(letter).collect();
    let now = app.now();
    let expires_at = now.plus_secs(i64::from(days) * 86_400);
    let invite = Invite {
        code_sha256: code_digest(&code),
        contact_id: id.clone(),
        created_at: now,
        expires_at,
        created_by: principal.name,
    };
    app.metadata.add_invite(invite).await?;
    Ok(Json(InviteView { contact_id: id, code, expires_at: instant(expires_at) }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryParameters {
    /// Of one condition flag.
    flag: Option<String>,
    /// `pending`, `delivered`, `dead` or `expired`.
    state: Option<String>,
    /// `email`, `webhook`, `line` or `mqtt`.
    channel: Option<String>,
    contact: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
}

/// Messages and what became of them, the newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "offices", params(DeliveryParameters),
    responses((status = 200, body = Page<DeliveryView>)))]
pub async fn deliveries(
    State(app): State<Arc<App>>,
    Parameters(asked): Parameters<DeliveryParameters>,
) -> Answer<Json<Page<DeliveryView>>> {
    let states = || DeliveryState::ALL.iter().map(|state| state.name()).collect();
    let state: Option<DeliveryState> =
        asked.state.as_deref().map(|text| input::named("state", text, states)).transpose()?;
    let mut found = app.metadata.deliveries(asked.flag.as_deref()).await?;
    found.retain(|delivery| {
        state.is_none_or(|state| delivery.state == state)
            && asked.channel.as_ref().is_none_or(|channel| *channel == delivery.channel)
            && asked.contact.as_ref().is_none_or(|contact| Some(contact) == delivery.contact_id.as_ref())
    });
    found.reverse();
    let (total, found) = input::page(found, asked.offset, asked.limit);
    Ok(Json(Page { total, items: found.iter().map(DeliveryView::from).collect() }))
}
