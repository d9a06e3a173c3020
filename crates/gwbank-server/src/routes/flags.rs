//! Condition flags: what is open, its evidence, and that somebody took note.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity};
use gwbank_registry::places;
use gwbank_store::{Drill, DrillKind, FlagAction, Hold, HoldKind};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Name, Parameters};
use crate::auth::{Principal, Role};
use crate::doors::FlagAct;
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{
    AcknowledgeRequest, DrillRequest, DrillView, FlagDetail, FlagNoteView, FlagView, HoldRequest, HoldView, Page,
    ProblemView, TransitionView,
};

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
    /// Of this well itself.
    well: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
}

/// Condition flags, the worst first.
#[utoipa::path(get, path = "/api/v1/flags", tag = "flags", params(FlagParameters),
    responses((status = 200, body = Page<FlagView>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
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
            && asked.well.as_deref().is_none_or(|well| flag.well_id.as_ref().is_some_and(|id| id.as_str() == well))
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
    Ok(Json(Page { total, items: flags.iter().map(|flag| FlagView::of(flag, &principal)).collect() }))
}

/// One condition flag with all its transitions and their evidence.
#[utoipa::path(get, path = "/api/v1/flags/{id}", tag = "flags", params(("id" = String, Path)),
    responses((status = 200, body = FlagDetail),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(id): Name,
) -> Answer<Json<FlagDetail>> {
    let flags = app.metadata.flags(false).await?;
    let flag = flags.iter().find(|flag| flag.id == id).ok_or_else(|| unknown(&id))?;
    let transitions = app.metadata.flag_transitions(Some(&id)).await?;
    let notes = app.metadata.flag_notes(Some(&id)).await?;
    Ok(Json(FlagDetail {
        flag: FlagView::of(flag, &principal),
        transitions: transitions.iter().map(|transition| TransitionView::of(transition, &principal)).collect(),
        actions: match principal.is_public() {
            true => Vec::new(),
            false => notes.iter().map(FlagNoteView::from).collect(),
        },
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
    let request = request_of(&app, &headers, body).await?;
    let by = speaker(&principal, request.by)?;
    let act = FlagAct { text: request.text, ..act_of(FlagAction::Acknowledged, by) };
    let flag = app.flags.act(&id, act).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(FlagView::from(&flag)))
}

/// Keeps a remark on a flag, also on one that is closed.
#[utoipa::path(post, path = "/api/v1/flags/{id}/comment", tag = "flags", params(("id" = String, Path)),
    request_body = AcknowledgeRequest,
    responses((status = 200, body = FlagView),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn comment(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(id): Name,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<FlagView>> {
    let request = request_of(&app, &headers, body).await?;
    let by = speaker(&principal, request.by)?;
    let act = FlagAct { text: request.text, ..act_of(FlagAction::Commented, by) };
    let flag = app.flags.act(&id, act).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(FlagView::from(&flag)))
}

/// Takes a flag back that was wrong; `text` says why. It is raised anew when its condition has ended once, or gets worse.
#[utoipa::path(post, path = "/api/v1/flags/{id}/cancel", tag = "flags", params(("id" = String, Path)),
    request_body = AcknowledgeRequest,
    responses((status = 200, body = FlagView),
        (status = 404, body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "the flag is closed", body = ProblemView, content_type = "application/problem+json")))]
pub async fn cancel(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(id): Name,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<FlagView>> {
    let request = request_of(&app, &headers, body).await?;
    let by = speaker(&principal, request.by)?;
    let act = FlagAct { text: request.text, ..act_of(FlagAction::Cancelled, by) };
    let flag = app.flags.act(&id, act).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(FlagView::from(&flag)))
}

/// Tells offices as of a flag that there is not, marked as exercise or test: contacts with `drills` hear of it.
#[utoipa::path(post, path = "/api/v1/drills", tag = "flags", request_body = DrillRequest,
    responses((status = 200, body = DrillView),
        (status = 400, body = ProblemView, content_type = "application/problem+json")))]
pub async fn drill(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<DrillView>> {
    input::require_type(&headers, &["application/json"])?;
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    let asked: DrillRequest = input::json(&bytes)?;
    let kind: DrillKind = input::named("kind", &asked.kind, || DrillKind::ALL.iter().map(|it| it.name()).collect())?;
    let hazard: Hazard = input::named("hazard", &asked.hazard, || Hazard::ALL.iter().map(|it| it.name()).collect())?;
    let severity: Severity =
        input::named("severity", &asked.severity, || Severity::ALL.iter().map(|it| it.name()).collect())?;
    let (scope, place, province_code) = place_of(&app, asked.scope.as_deref(), &asked.place)?;
    let at = app.now();
    let drill = Drill {
        drill_id: format!("{kind}-{hazard}-{scope}-{place}-{}", at.as_secs()),
        kind,
        hazard,
        severity,
        scope,
        place,
        province_code,
        at,
        by: principal.name,
    };
    let drill_id = drill.drill_id.clone();
    let told = app.flags.drill(drill).await? as u64;
    Ok(Json(DrillView { drill_id, told }))
}

/// A place by its code, of the scope that its length says: a province, a district, a subdistrict; or a well.
fn place_of(app: &App, scope: Option<&str>, place: &str) -> Answer<(Scope, String, String)> {
    let scopes = || vec!["well", "subdistrict", "district", "province"];
    let scope: Option<Scope> = scope.map(|text| input::named("scope", text, scopes)).transpose()?;
    let registry = app.ingest.registry();
    let found = match scope {
        None if places::province(place).is_some() => Some(Scope::Province),
        None if places::district(place).is_some() => Some(Scope::District),
        None if places::subdistrict(place).is_some() => Some(Scope::Subdistrict),
        None => registry.well(place).map(|_| Scope::Well),
        Some(Scope::Province) => places::province(place).map(|_| Scope::Province),
        Some(Scope::District) => places::district(place).map(|_| Scope::District),
        Some(Scope::Subdistrict) => places::subdistrict(place).map(|_| Scope::Subdistrict),
        Some(Scope::Well) => registry.well(place).map(|_| Scope::Well),
        Some(_) => None,
    };
    let scope = found.ok_or_else(|| {
        let detail =
            format!("place={place:?} is no province, district or subdistrict by DOPA code, and no registered well");
        Problem::bad_parameter("place", detail)
    })?;
    let province = match registry.well(place).filter(|_| scope == Scope::Well) {
        Some(well) => well.province_code.clone(),
        None => place.get(..2).unwrap_or_default().to_owned(),
    };
    Ok((scope, place.to_owned(), province))
}

/// Longest suppression or maintenance: a forgotten one must not silence a place for ever.
const HOLD_DAYS_MAX: i64 = 366;

/// What keeps flags as they are, the newest first.
#[utoipa::path(get, path = "/api/v1/holds", tag = "flags", responses((status = 200, body = Page<HoldView>)))]
pub async fn holds(State(app): State<Arc<App>>) -> Answer<Json<Page<HoldView>>> {
    let mut holds = app.metadata.flag_holds().await?;
    holds.reverse();
    let now = app.now();
    let items: Vec<HoldView> = holds.iter().map(|hold| HoldView::of(hold, now)).collect();
    Ok(Json(Page { total: items.len() as u64, items }))
}

/// Suppresses the flags of a place for a while (`kind` suppression), or keeps a well out of all judgements (`kind` maintenance).
#[utoipa::path(post, path = "/api/v1/holds", tag = "flags", request_body = HoldRequest,
    responses((status = 200, body = HoldView),
        (status = 400, body = ProblemView, content_type = "application/problem+json")))]
pub async fn hold(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<HoldView>> {
    input::require_type(&headers, &["application/json"])?;
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    let asked: HoldRequest = input::json(&bytes)?;
    let kind: HoldKind = input::named("kind", &asked.kind, || vec!["suppression", "maintenance"])?;
    if kind == HoldKind::Cancelled {
        return Err(Problem::bad_parameter("kind", "cancelled follows from POST /api/v1/flags/{id}/cancel"));
    }
    let hazards = || Hazard::ALL.iter().map(|hazard| hazard.name()).collect();
    let hazard: Option<Hazard> =
        asked.hazard.as_deref().map(|text| input::named("hazard", text, hazards)).transpose()?;
    let (scope, place, _) = place_of(&app, asked.scope.as_deref(), &asked.place)?;
    let now = app.now();
    let from = asked.from.as_deref().map(|text| input::instant("from", text)).transpose()?.unwrap_or(now);
    let until = input::instant("until", &asked.until)?;
    if until <= from || until <= now {
        return Err(Problem::bad_parameter("until", "until is not after from and now"));
    }
    if until > now.plus_secs(HOLD_DAYS_MAX * 86_400) {
        let detail = format!(
            "until={:?} is more than {HOLD_DAYS_MAX} days ahead; years are of the common era, and a longer hold is made anew",
            asked.until
        );
        return Err(Problem::bad_parameter("until", detail));
    }
    if asked.reason.trim().is_empty() {
        return Err(Problem::bad_parameter("reason", "reason is empty; say why"));
    }
    let hold = Hold {
        hold_id: format!("{kind}-{scope}-{place}-{}", now.as_micros()),
        kind,
        hazard,
        scope,
        place,
        from,
        until: Some(until),
        severity: None,
        reason: asked.reason.trim().to_owned(),
        by: principal.name,
        created_at: now,
        ended_at: None,
        ended_by: None,
    };
    app.flags.hold(hold.clone()).await?;
    Ok(Json(HoldView::of(&hold, now)))
}

/// Ends what keeps flags as they are before its time.
#[utoipa::path(post, path = "/api/v1/holds/{id}/end", tag = "flags", params(("id" = String, Path)),
    responses((status = 200, body = HoldView),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn end_hold(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(id): Name,
) -> Answer<Json<HoldView>> {
    let holds = app.metadata.flag_holds().await?;
    let hold = holds.into_iter().find(|hold| hold.hold_id == id);
    let hold = hold.ok_or_else(|| Problem::new(Kind::NOT_FOUND, format!("no hold {id:?}; see GET /api/v1/holds")))?;
    let now = app.now();
    let hold = match hold.ended_at {
        Some(_) => hold,
        None => {
            let hold = Hold { ended_at: Some(now), ended_by: Some(principal.name), ..hold };
            app.flags.hold(hold.clone()).await?;
            hold
        }
    };
    Ok(Json(HoldView::of(&hold, now)))
}

fn act_of(action: FlagAction, by: String) -> FlagAct {
    FlagAct { action, by, via: "http", contact_id: None, text: None, transition: None }
}

async fn request_of(app: &App, headers: &HeaderMap, body: Body) -> Answer<AcknowledgeRequest> {
    let bytes = input::body(headers, body, app.limits.sql_bytes_max).await?;
    if !bytes.is_empty() {
        input::require_type(headers, &["application/json"])?;
    }
    input::json_or_default(&bytes)
}

/// Whose name an action is kept under.
fn speaker(principal: &Principal, by: Option<String>) -> Answer<String> {
    match by.filter(|by| !by.trim().is_empty()) {
        // An office speaks for itself; only an admin may note it for another.
        Some(by) if principal.role == Role::Admin => Ok(by),
        Some(by) if by != principal.name => {
            let detail = format!("{} may not speak as {by}", principal.name);
            Err(Problem::new(Kind::FORBIDDEN, detail))
        }
        _ => Ok(principal.name.clone()),
    }
}

pub(super) fn unknown(id: &str) -> Problem {
    Problem::new(Kind::UNKNOWN_FLAG, format!("no condition flag {id:?}"))
}
