//! `POST /api/v1/readings`: what a gateway would publish over MQTT, with the answer that MQTT cannot give.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use gwbank_model::GatewayId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Parameters};
use crate::auth::{Principal, Role};
use crate::doors::{PostedReadings, ReadingsFormat, ReadingsSource};
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{ProblemView, ReceiptView};

/// The gateway of readings that an admin posts without naming one.
const ANONYMOUS_GATEWAY: &str = "http";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PostParameters {
    /// Who sends; the header `X-Gateway` says the same. A gateway's own credentials decide by themselves.
    gateway: Option<String>,
    /// `live` (default) or `import`: history, without an earliest time; for admins.
    source: Option<String>,
}

const FORMATS: [(&str, ReadingsFormat); 3] = [
    ("application/json", ReadingsFormat::Json),
    ("application/senml+json", ReadingsFormat::SenmlJson),
    ("application/senml+cbor", ReadingsFormat::SenmlCbor),
];

/// Takes readings in. Answers when they are durable and can be queried, with counts and every fault.
#[utoipa::path(post, path = "/api/v1/readings", tag = "readings", params(PostParameters),
    request_body(description = "as on the MQTT topics", content(
        (serde_json::Value = "application/json"),
        (serde_json::Value = "application/senml+json"),
        (Vec<u8> = "application/senml+cbor"),
    )),
    responses(
        (status = 200, description = "durable; some readings may be dead letters", body = ReceiptView),
        (status = 422, description = "all are dead letters", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "nothing was taken in; send it again", body = ProblemView, content_type = "application/problem+json"),
    ))]
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Parameters(parameters): Parameters<PostParameters>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<ReceiptView>> {
    let media = input::require_type(&headers, &FORMATS.map(|(media, _)| media))?;
    let format = FORMATS.iter().find(|(name, _)| *name == media).map_or(ReadingsFormat::Json, |(_, format)| *format);
    let named = match headers.get("x-gateway") {
        Some(value) => Some(value.to_str().map_err(|_| Problem::bad_parameter("X-Gateway", "not text"))?.to_owned()),
        None => parameters.gateway,
    };
    let gateway = sender(&principal, named.as_deref())?;
    let source = match parameters.source.as_deref() {
        None | Some("live") => ReadingsSource::Live,
        Some("import") if principal.role == Role::Admin => ReadingsSource::Import,
        Some("import") => return Err(Problem::new(Kind::FORBIDDEN, "source=import is for admins")),
        Some(other) => {
            return Err(Problem::bad_parameter("source", format!("source={other:?} is neither live nor import")));
        }
    };
    let payload = input::body(&headers, body, app.limits.readings_bytes_max).await?;
    let receipt: ReceiptView = app.ingest.post(PostedReadings { gateway, format, source, payload }).await?.into();
    if receipt.received > 0 && receipt.dead == receipt.received {
        let detail = receipt.faults.first().map_or("every reading became a dead letter", |fault| fault.detail.as_str());
        let problem = Problem::new(Kind::ALL_DEAD, detail);
        return Err(problem.with("receipt", serde_json::to_value(&receipt).unwrap_or_default()));
    }
    Ok(Json(receipt))
}

/// The gateway whose readings they are: a gateway's own, or any that an admin names.
fn sender(principal: &Principal, named: Option<&str>) -> Answer<GatewayId> {
    if let Some(own) = &principal.gateway {
        return match named {
            Some(other) if other != own.as_str() => {
                Err(Problem::new(Kind::FORBIDDEN, format!("{own} may not send as {other}")))
            }
            _ => Ok(own.clone()),
        };
    }
    GatewayId::of_sender(named.unwrap_or(ANONYMOUS_GATEWAY))
        .map_err(|error| Problem::bad_parameter("gateway", format!("gateway id: {error}")))
}
