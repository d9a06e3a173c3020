//! The registry over HTTP: list, show, export, import.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::response::IntoResponse;
use gwbank_model::WellId;
use gwbank_registry::{BankType, Registry, Weight, import};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Name, Parameters};
use super::series::known_well;
use crate::encode::preferred;
use crate::problem::{Answer, Problem};
use crate::state::App;
use crate::views::{AppliedView, InstallationView, Page, ProblemView, WellDetail, WellView};

const CSV: &str = "text/csv";
const GEOJSON: &str = "application/geo+json";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WellParameters {
    /// Province code.
    province: Option<String>,
    /// `observation`, `open` or `closed`.
    bank_type: Option<String>,
    /// Default 1,000, at most 10,000; JSON only: CSV and GeoJSON are always whole.
    limit: Option<usize>,
    offset: Option<usize>,
}

/// Registered wells: a page as JSON, or all as CSV or GeoJSON, which can be imported again.
#[utoipa::path(get, path = "/api/v1/wells", tag = "wells", params(WellParameters), responses(
    (status = 200, content((Page<WellView> = "application/json"), (String = "text/csv"), (serde_json::Value = "application/geo+json")))))]
pub async fn list(
    State(app): State<Arc<App>>,
    Parameters(asked): Parameters<WellParameters>,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    let accept = headers.get(header::ACCEPT).map(|value| value.to_str().unwrap_or("?"));
    let format = preferred(accept, &["application/json", CSV, GEOJSON])?;
    let province = input::province(asked.province.as_deref())?;
    let types = || BankType::ALL.iter().map(|bank_type| bank_type.name()).collect();
    let bank_type: Option<BankType> =
        asked.bank_type.as_deref().map(|text| input::named("bank_type", text, types)).transpose()?;
    let registry = app.ingest.registry();
    let wells: Vec<_> = registry
        .wells()
        .iter()
        .filter(|well| province.is_none_or(|province| well.province_code == province))
        .filter(|well| bank_type.is_none_or(|bank_type| well.bank_type == bank_type))
        .cloned()
        .collect();
    if format == 0 {
        let (total, wells) = input::page(wells, asked.offset, asked.limit);
        let items: Vec<WellView> = wells.iter().map(|well| WellView::from(well.as_ref())).collect();
        return Ok(Json(Page { total, items }).into_response());
    }
    let (content_type, text) = match format {
        1 => ("text/csv; charset=utf-8; header=present", import::write_wells_csv(wells.iter().map(AsRef::as_ref))),
        _ => (GEOJSON, import::write_wells_geojson(wells.iter().map(AsRef::as_ref))),
    };
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

/// One well with its installations.
#[utoipa::path(get, path = "/api/v1/wells/{id}", tag = "wells", params(("id" = String, Path, description = "well_id")),
    responses((status = 200, body = WellDetail),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn show(State(app): State<Arc<App>>, Name(id): Name) -> Answer<Json<WellDetail>> {
    let well = known_well(&app, &id)?;
    let registry = app.ingest.registry();
    let installations = registry.installations_of(&id).iter().map(InstallationView::from).collect();
    Ok(Json(WellDetail { well: WellView::from(well.as_ref()), installations }))
}

/// Adds or replaces wells by `well_id`, from CSV or GeoJSON. One wrong row, and nothing is applied.
#[utoipa::path(put, path = "/api/v1/wells", tag = "wells",
    request_body(content((String = "text/csv"), (serde_json::Value = "application/geo+json"))),
    responses((status = 200, body = AppliedView),
        (status = 422, description = "`faults` names each by line and column", body = ProblemView, content_type = "application/problem+json")))]
pub async fn import(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer<Json<AppliedView>> {
    let media = input::require_type(&headers, &[CSV, GEOJSON, "application/json"])?;
    let bytes = input::body(&headers, body, app.limits.import_bytes_max).await?;
    let kind = if media == CSV { import::FileKind::Csv } else { import::FileKind::GeoJson };
    let wells = import::parse_wells(&bytes, kind).map_err(|faults| Problem::invalid_rows(&faults))?;
    let ids: HashSet<WellId> = wells.iter().map(|well| well.well_id.clone()).collect();
    let rows = wells.len() as u64;
    app.ingest.put_wells(wells).await?;
    Ok(Json(AppliedView { rows, warnings: warnings(&app.ingest.registry(), &ids) }))
}

/// What stood in the wells when.
#[utoipa::path(get, path = "/api/v1/installations", tag = "wells", responses((status = 200, body = Page<InstallationView>)))]
pub async fn list_installations(State(app): State<Arc<App>>) -> Answer<Json<Page<InstallationView>>> {
    let registry = app.ingest.registry();
    let items: Vec<InstallationView> = registry.installations().iter().map(InstallationView::from).collect();
    Ok(Json(Page { total: items.len() as u64, items }))
}

/// Adds or replaces installations, from CSV. One wrong row, and nothing is applied.
#[utoipa::path(put, path = "/api/v1/installations", tag = "wells", request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = AppliedView),
        (status = 422, description = "`faults` names each by line and column", body = ProblemView, content_type = "application/problem+json")))]
pub async fn import_installations(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<AppliedView>> {
    input::require_type(&headers, &[CSV])?;
    let bytes = input::body(&headers, body, app.limits.import_bytes_max).await?;
    let installations = import::parse_installations(&bytes).map_err(|faults| Problem::invalid_rows(&faults))?;
    let ids: HashSet<WellId> = installations.iter().map(|installation| installation.well_id.clone()).collect();
    let rows = installations.len() as u64;
    app.ingest.put_installations(installations).await?;
    Ok(Json(AppliedView { rows, warnings: warnings(&app.ingest.registry(), &ids) }))
}

/// At most this many warnings; the registry of a whole country has as many as wells without flood limits.
const WARNINGS_LISTED_MAX: usize = 20;

fn warnings(registry: &Registry, applied: &HashSet<WellId>) -> Vec<String> {
    let mut problems = registry.problems();
    problems.retain(|problem| applied.contains(&problem.well_id));
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.weight == Weight::Error));
    let hidden = problems.len().saturating_sub(WARNINGS_LISTED_MAX);
    let mut texts: Vec<String> = problems.iter().take(WARNINGS_LISTED_MAX).map(ToString::to_string).collect();
    if hidden > 0 {
        texts.push(format!("and {hidden} more"));
    }
    texts
}
