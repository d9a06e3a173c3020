//! Condition flags: what is open, its evidence, and that somebody took note.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use gwbank_model::condition::{FlagState, Hazard, Scope};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Name, Parameters};
use crate::auth::{Principal, Role};
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{AcknowledgeRequest, FlagDetail, FlagView, Page, ProblemView, TransitionView};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FlagParameters {
    /// `open`, `stale`, `closed` or `all`; by default all that are not closed.
    state: Option<String>,
    /// Province code.
    province: Option<String>,
    /// `drought`, `flood`, `salinity`, `rapid_change` or `no_data`.
    hazard: Option<String>,
    /// `well`, `subdistrict`, `lao`, `district` or `province`.
    scope: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
}

/// Condition flags, the worst first.
#[utoipa::path(get, path = "/api/v1/flags", tag = "flags", params(FlagParameters),
    responses((status = 200, body = Page<FlagView>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Parameters(asked): Parameters<FlagParameters>,
) -> Answer<Json<Page<FlagView>>> {
    let state: Option<FlagState> = match asked.state.as_deref() {
        None | Some("all") => None,
        Some(text) => Some(input::named("state", text, || vec!["open", "stale", "closed", "all"])?),
    };
    let hazard: Option<Hazard> = match asked.hazard.as_deref() {
        None => None,
        Some(text) => Some(input::named("hazard", text, || Hazard::ALL.iter().map(|hazard| hazard.name()).collect())?),
    };
    let scope: Option<Scope> = match asked.scope.as_deref() {
        None => None,
        Some(text) => Some(input::named("scope", text, || Scope::ALL.iter().map(|scope| scope.name()).collect())?),
    };
    let province = input::province(asked.province.as_deref())?;
    let open_only = asked.state.is_none() || matches!(state, Some(FlagState::Open | FlagState::Stale));
    let mut flags = app.metadata.flags(open_only).await?;
    flags.retain(|flag| {
        state.is_none_or(|state| flag.state == state)
            && hazard.is_none_or(|hazard| flag.hazard == hazard)
            && scope.is_none_or(|scope| flag.scope == scope)
            && province.is_none_or(|province| flag.province_code == province)
    });
    flags.sort_by(|a, b| {
        (a.closed_at.is_some(), b.severity, b.changed_at, &a.id).cmp(&(
            b.closed_at.is_some(),
            a.severity,
            a.changed_at,
            &b.id,
        ))
    });
    let (total, flags) = input::page(flags, asked.offset, asked.limit);
    Ok(Json(Page { total, items: flags.iter().map(FlagView::from).collect() }))
}

/// One condition flag with all its transitions and their evidence.
#[utoipa::path(get, path = "/api/v1/flags/{id}", tag = "flags", params(("id" = String, Path)),
    responses((status = 200, body = FlagDetail),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn show(State(app): State<Arc<App>>, Name(id): Name) -> Answer<Json<FlagDetail>> {
    let flags = app.metadata.flags(false).await?;
    let flag = flags.iter().find(|flag| flag.id == id).ok_or_else(|| unknown(&id))?;
    let transitions = app.metadata.flag_transitions(Some(&id)).await?;
    Ok(Json(FlagDetail {
        flag: FlagView::from(flag),
        transitions: transitions.iter().map(TransitionView::from).collect(),
    }))
}

/// Notes that somebody has seen the flag. The first acknowledgement stays.
#[utoipa::path(post, path = "/api/v1/flags/{id}/acknowledge", tag = "flags", params(("id" = String, Path)),
    request_body = Option<AcknowledgeRequest>,
    responses((status = 200, body = FlagView),
        (status = 404, body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "the flag is closed", body = ProblemView, content_type = "application/problem+json")))]
pub async fn acknowledge(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(id): Name,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<FlagView>> {
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    if !bytes.is_empty() {
        input::require_type(&headers, &["application/json"])?;
    }
    let request: AcknowledgeRequest = input::json_or_default(&bytes)?;
    let by = match request.by.filter(|by| !by.trim().is_empty()) {
        // An office speaks for itself; only an admin may note it for another.
        Some(by) if principal.role == Role::Admin => by,
        Some(by) if by != principal.name => {
            let detail = format!("{} may not acknowledge as {by}", principal.name);
            return Err(Problem::new(Kind::FORBIDDEN, detail));
        }
        _ => principal.name,
    };
    let flag = app.flags.acknowledge(&id, &by).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(FlagView::from(&flag)))
}

fn unknown(id: &str) -> Problem {
    Problem::new(Kind::UNKNOWN_FLAG, format!("no condition flag {id:?}"))
}
