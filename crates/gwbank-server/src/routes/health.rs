//! For those who run the server: alive, ready, counted, flushed.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use gwbank_store::DeadLetterFilter;

use crate::metrics::{self, MetricsText};
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{CountsView, FleetView, GatewayView, Page, PartView, ProblemView, StatusView, instant};

/// Whether the process answers at all.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, description = "alive", body = String)))]
pub async fn alive() -> &'static str {
    "alive\n"
}

/// Whether every part does its work; names those that do not. Why is told by a server without credentials only: of a
/// guarded one it stands in `/api/v1/status`.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, description = "all parts are ready", body = [PartView]),
    (status = 503, description = "some are not", body = ProblemView, content_type = "application/problem+json"),
))]
pub async fn ready(State(app): State<Arc<App>>) -> Answer<Json<Vec<PartView>>> {
    let mut parts: Vec<PartView> = app.operations.parts().await.into_iter().map(PartView::from).collect();
    if !app.authenticator.is_open() {
        // Anybody may ask: names of files and hosts are not for anybody.
        parts.iter_mut().for_each(|part| (part.detail, part.mend) = (String::new(), None));
    }
    let not_ready: Vec<String> = parts.iter().filter(|part| !part.ready).map(PartView::told).collect();
    if not_ready.is_empty() {
        return Ok(Json(parts));
    }
    let parts = serde_json::to_value(&parts).unwrap_or_default();
    Err(Problem::new(Kind::NOT_READY, not_ready.join("; ")).with("parts", parts))
}

/// Prometheus metrics.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "Prometheus text format", body = String)))]
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    let mut text = MetricsText::default();
    app.operations.metrics(&mut text).await;
    app.query_seconds.write(&mut text, "query_seconds", "Time of SQL queries from asking to the last row");
    app.http_requests.write(&mut text);
    (StatusCode::OK, [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text.into_text()).into_response()
}

/// Parts, counts and what is open, in one document.
#[utoipa::path(get, path = "/api/v1/status", tag = "operation", responses((status = 200, body = StatusView)))]
pub async fn status(State(app): State<Arc<App>>) -> Answer<Json<StatusView>> {
    Ok(Json(collect_status(&app).await?))
}

/// Whoever asks how things are wants to know it now.
const COUNTS_TIME: Duration = Duration::from_secs(3);

async fn collect_status(app: &App) -> Answer<StatusView> {
    let parts: Vec<PartView> = app.operations.parts().await.into_iter().map(PartView::from).collect();
    // How things are is asked for most when the metadata are away.
    let counts = tokio::time::timeout(COUNTS_TIME, collect_counts(app)).await;
    Ok(StatusView {
        version: app.version.to_owned(),
        now: instant(app.now()),
        ready: parts.iter().all(|part| part.ready),
        parts,
        wells: app.ingest.registry().len() as u64,
        counts: counts.ok().and_then(Result::ok),
    })
}

async fn collect_counts(app: &App) -> Answer<CountsView> {
    let gateways = app.ingest.gateways().await?;
    let mut counts = CountsView {
        gateways: gateways.len() as u64,
        received: 0,
        stored: 0,
        duplicate: 0,
        dead: 0,
        pending: 0,
        open_flags: app.metadata.flags(true).await?.len() as u64,
        dead_letters: app.metadata.dead_letters(DeadLetterFilter::default()).await?.len() as u64,
    };
    for gateway in &gateways {
        let of_gateway = gateway.record.counts;
        counts.received += of_gateway.received;
        counts.stored += of_gateway.stored;
        counts.duplicate += of_gateway.duplicate;
        counts.dead += of_gateway.dead;
        counts.pending += gateway.pending;
    }
    Ok(counts)
}

/// Every gateway with its counts.
#[utoipa::path(get, path = "/api/v1/gateways", tag = "operation", responses((status = 200, body = Page<GatewayView>)))]
pub async fn gateways(State(app): State<Arc<App>>) -> Answer<Json<Page<GatewayView>>> {
    let items: Vec<GatewayView> = app.ingest.gateways().await?.iter().map(GatewayView::from).collect();
    Ok(Json(Page { total: items.len() as u64, items }))
}

/// What wants looking at in wells and gateways, by province: what fell silent, batteries that run down, sensors that fail
/// their tests or drift. Of a few minutes ago at most.
#[utoipa::path(get, path = "/api/v1/fleet", tag = "operation", responses((status = 200, body = Page<FleetView>)))]
pub async fn fleet(State(app): State<Arc<App>>) -> Answer<Json<Page<FleetView>>> {
    let items: Vec<FleetView> = app.flags.fleet().await?.into_iter().map(FleetView::from).collect();
    Ok(Json(Page { total: items.len() as u64, items }))
}

/// Brings everything that is durable into the archive now.
#[utoipa::path(post, path = "/api/v1/flush", tag = "operation", responses((status = 204, description = "done")))]
pub async fn flush(State(app): State<Arc<App>>) -> Answer<StatusCode> {
    app.ingest.flush().await?;
    Ok(StatusCode::NO_CONTENT)
}
