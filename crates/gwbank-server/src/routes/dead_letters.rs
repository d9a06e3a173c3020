//! What could not be stored, and its second chance.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use gwbank_model::{GatewayId, Seq};
use gwbank_store::{DeadLetterFilter, DeadLetterId, DeadLetterSummary, PayloadPage};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Name, Parameters};
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{DeadLetterDetail, DeadLetterView, Page, PayloadView, ProblemView, ReplayRequest, ReplayView};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    gateway: Option<String>,
    /// Such as `unknown_well`.
    reason: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
}

fn gateway_id(text: &str) -> Answer<GatewayId> {
    GatewayId::new(text).map_err(|error| Problem::bad_parameter("gateway", format!("gateway id: {error}")))
}

/// Entries, each with its reason, the mend, and how often it came.
#[utoipa::path(get, path = "/api/v1/dead-letters", tag = "dead letters", params(ListParameters),
    responses((status = 200, body = Page<DeadLetterView>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Parameters(asked): Parameters<ListParameters>,
) -> Answer<Json<Page<DeadLetterView>>> {
    let filter = DeadLetterFilter {
        id: None,
        gateway_id: asked.gateway.as_deref().map(gateway_id).transpose()?,
        reason: asked.reason,
        limit: None,
    };
    // What came in the last seconds is durable and not accounted for yet. While the archive is down the list is older.
    if let Err(error) = app.ingest.flush().await {
        tracing::warn!(%error, "the dead letters of the last seconds are not listed");
    }
    let letters = app.metadata.dead_letters(filter).await?;
    let (total, letters) = input::page(letters, asked.offset, asked.limit);
    Ok(Json(Page { total, items: letters.iter().map(DeadLetterView::from).collect() }))
}

/// Payloads that are shown of an entry, the oldest; a replay takes them all.
const SHOWN: PayloadPage = PayloadPage { after: Seq::ZERO, payloads_max: 100, bytes_max: 1 << 20 };

/// One entry with the oldest of its kept payloads.
#[utoipa::path(get, path = "/api/v1/dead-letters/{id}", tag = "dead letters", params(("id" = i64, Path)),
    responses((status = 200, body = DeadLetterDetail),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn show(State(app): State<Arc<App>>, Name(id): Name) -> Answer<Json<DeadLetterDetail>> {
    let number = DeadLetterId(id.parse().map_err(|_| unknown(&id))?);
    let letter = letter(&app, number).await?;
    let payloads = app.metadata.dead_letter_payloads(number, SHOWN).await?;
    Ok(Json(DeadLetterDetail {
        letter: DeadLetterView::from(&letter),
        payloads: payloads.iter().map(PayloadView::from).collect(),
    }))
}

fn unknown(id: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::UNKNOWN_DEAD_LETTER, format!("no dead letter {id}"))
}

async fn letter(app: &App, id: DeadLetterId) -> Answer<DeadLetterSummary> {
    let filter = DeadLetterFilter { id: Some(id), ..DeadLetterFilter::default() };
    app.metadata.dead_letters(filter).await?.into_iter().next().ok_or_else(|| unknown(id.0))
}

/// Sends dead letters through the pipeline again, after their cause was mended.
#[utoipa::path(post, path = "/api/v1/dead-letters/replay", tag = "dead letters", request_body = ReplayRequest,
    responses((status = 200, body = ReplayView),
        (status = 404, description = "no dead letter has the id", body = ProblemView, content_type = "application/problem+json")))]
pub async fn replay(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer<Json<ReplayView>> {
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    if !bytes.is_empty() {
        input::require_type(&headers, &["application/json"])?;
    }
    let request: ReplayRequest = input::json_or_default(&bytes)?;
    if let Some(id) = request.id {
        // One that is not there is a mistake; a replay of none of a kind is none.
        letter(&app, DeadLetterId(id)).await?;
    }
    let filter = DeadLetterFilter {
        id: request.id.map(DeadLetterId),
        gateway_id: request.gateway.as_deref().map(gateway_id).transpose()?,
        reason: request.reason,
        limit: None,
    };
    Ok(Json(app.ingest.replay_dead_letters(filter).await?.into()))
}
