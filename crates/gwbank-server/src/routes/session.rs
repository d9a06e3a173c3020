//! Logging in and out with a browser.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json};

use super::input;
use crate::auth::{Access, Principal};
use crate::guard::Peer;
use crate::problem::{Answer, Kind, Problem};
use crate::session::{COOKIE, SESSION_SECONDS};
use crate::state::App;
use crate::views::{LoginRequest, ProblemView, SessionView};

/// A name and a password.
const LOGIN_BYTES_MAX: usize = 16 << 10;

/// Who asks, what the role may, and the token that belongs to a session: sent in the header `x-csrf-token` with whatever
/// changes something.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses((status = 200, body = SessionView)))]
pub async fn show(
    State(app): State<Arc<App>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Answer<Json<SessionView>> {
    let peer = peer.map(|Extension(peer)| peer);
    let view = match app.principal(&Method::GET, &headers, peer).await {
        Ok(principal) => {
            let token = app.session(&headers).map(|(session, _)| app.sessions.token(&session));
            view_of(&app, Some(&principal), token)
        }
        // Nobody known is an answer here; wrong credentials are not.
        Err(problem) if problem.kind == Kind::UNAUTHENTICATED && !headers.contains_key(header::AUTHORIZATION) => {
            view_of(&app, None, None)
        }
        Err(problem) => return Err(problem),
    };
    Ok(Json(view))
}

/// Begins a session: its cookie goes with every further request of the browser, for twelve hours.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = LoginRequest,
    responses((status = 200, body = SessionView),
        (status = 401, description = "the user name or the password is wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "too many wrong passwords", body = ProblemView, content_type = "application/problem+json")))]
pub async fn begin(
    State(app): State<Arc<App>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Answer<impl IntoResponse> {
    input::require_type(&headers, &["application/json"])?;
    let bytes = input::body(&headers, body, LOGIN_BYTES_MAX).await?;
    let request: LoginRequest = input::json(&bytes)?;
    if app.authenticator.is_open() {
        let detail = "there are no accounts here, and nothing is guarded: see [auth]";
        return Err(Problem::new(Kind::CONFLICT, detail));
    }
    let peer = peer.map(|Extension(peer)| peer);
    let (principal, stamp) = app.authenticator.log_in(&request.name, &request.password, peer).await?;
    if !Access::View.permits(principal.role) {
        return Err(app.refuse(&principal, Access::View));
    }
    let (session, value) = app.sessions.begin(&principal.name, &stamp, app.now());
    let cookie = cookie(&app, &value, SESSION_SECONDS)?;
    let view = view_of(&app, Some(&principal), Some(app.sessions.token(&session)));
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(view)))
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 200, body = SessionView)))]
pub async fn end(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer<impl IntoResponse> {
    if let Some((session, _)) = app.session(&headers) {
        if !app.sessions.has_token(&session, &headers) {
            return Err(Problem::new(Kind::CSRF, "send the session's token in the header x-csrf-token"));
        }
        app.sessions.end(&session, app.now());
    }
    let cookie = cookie(&app, "", 0)?;
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(view_of(&app, None, None))))
}

fn cookie(app: &App, value: &str, seconds: i64) -> Answer<HeaderValue> {
    let is_encrypted = app.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let secure = if is_encrypted { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).map_err(|error| Problem::internal(&error))
}

fn view_of(app: &App, principal: Option<&Principal>, csrf: Option<String>) -> SessionView {
    let may = |principal: &Principal| -> Vec<&'static str> {
        Access::ALL
            .iter()
            .filter(|access| **access != Access::Public && access.permits(principal.role))
            .map(|access| access.name())
            .collect()
    };
    SessionView {
        name: principal.map(|principal| principal.name.clone()),
        role: principal.map(|principal| principal.role.name()),
        may: principal.map(may).unwrap_or_default(),
        csrf,
        accounts: app.authenticator.has_passwords(),
    }
}
