//! The limits of the quality tests.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use gwbank_model::{Parameter, WellId};
use gwbank_store::QualityLimitKey;
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Parameters};
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{AppliedView, Page, ProblemView, QualityLimitView};

/// Limits as they hold: defaults, over them those of the configuration, over them those of the table. Without a well a limit
/// is of every well; one of a well goes before it.
#[utoipa::path(get, path = "/api/v1/quality-limits", tag = "quality",
    responses((status = 200, body = Page<QualityLimitView>)))]
pub async fn list(State(app): State<Arc<App>>) -> Answer<Json<Page<QualityLimitView>>> {
    let items: Vec<QualityLimitView> = app.ingest.quality_limits().iter().map(QualityLimitView::from).collect();
    Ok(Json(Page { total: items.len() as u64, items }))
}

/// Adds or replaces limits of the table, from CSV (well_id, parameter, limit_name, value; one without a value is taken out).
/// One wrong row, and nothing is applied. Stored readings are judged anew where what holds for them has changed.
#[utoipa::path(put, path = "/api/v1/quality-limits", tag = "quality",
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = AppliedView),
        (status = 422, description = "`faults` names each by line and column", body = ProblemView, content_type = "application/problem+json")))]
pub async fn import(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer<Json<AppliedView>> {
    input::require_type(&headers, &["text/csv"])?;
    let bytes = input::body(&headers, body, app.limits.import_bytes_max).await?;
    let (rows, warnings) = app.ingest.put_quality_limits(&bytes).await?;
    Ok(Json(AppliedView { rows, warnings }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LimitParameters {
    /// Left out where the limit is of every well.
    well_id: Option<String>,
    /// Left out where the limit is of every parameter.
    parameter: Option<String>,
    /// Such as `spike.suspect`.
    limit_name: String,
}

/// Takes a limit out of the table, so that the configuration or the default holds again.
#[utoipa::path(delete, path = "/api/v1/quality-limits", tag = "quality", params(LimitParameters),
    responses((status = 204, description = "done"),
        (status = 404, description = "the table has no such limit", body = ProblemView, content_type = "application/problem+json")))]
pub async fn remove(State(app): State<Arc<App>>, Parameters(asked): Parameters<LimitParameters>) -> Answer<StatusCode> {
    let well_id = asked.well_id.as_deref().map(WellId::new).transpose();
    let well_id = well_id.map_err(|error| Problem::bad_parameter("well_id", format!("well_id: {error}")))?;
    let names = || Parameter::ALL.iter().map(|parameter| parameter.name()).collect();
    let parameter = asked.parameter.as_deref().map(|text| input::named("parameter", text, names)).transpose()?;
    let limit = asked.limit_name;
    if app.ingest.remove_quality_limit(QualityLimitKey { well_id, parameter, limit: limit.clone() }).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let detail = format!("the table has no limit {limit} of this well and parameter; see GET /api/v1/quality-limits");
    Err(Problem::new(Kind::NOT_FOUND, detail))
}
