//! Reviews: a person approves, rejects or corrects a stretch of a series, and takes that back.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use gwbank_model::{Parameter, WellId};
use gwbank_store::{NewReview, Review, ReviewAction, ReviewId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Name, Parameters};
use crate::auth::{Principal, Role};
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{Page, ProblemView, ReviewRequest, ReviewView, WithdrawRequest};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReviewParameters {
    well_id: Option<String>,
    parameter: Option<String>,
    /// Also those that were withdrawn; by default only what holds.
    #[serde(default)]
    withdrawn: bool,
    limit: Option<usize>,
    offset: Option<usize>,
}

fn parameter(text: &str) -> Answer<Parameter> {
    input::named("parameter", text, || Parameter::ALL.iter().map(|parameter| parameter.name()).collect())
}

/// Reviews, the newest first.
#[utoipa::path(get, path = "/api/v1/reviews", tag = "reviews", params(ReviewParameters),
    responses((status = 200, body = Page<ReviewView>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Parameters(asked): Parameters<ReviewParameters>,
) -> Answer<Json<Page<ReviewView>>> {
    let of = asked.parameter.as_deref().map(parameter).transpose()?;
    let reviews = app.reviews.reviews();
    let wanted = |review: &&Review| {
        asked.well_id.as_deref().is_none_or(|well| review.well_id.as_str() == well)
            && of.is_none_or(|of| review.parameter == of)
            && (asked.withdrawn || review.withdrawal.is_none())
    };
    let newest_first: Vec<&Review> = reviews.all().iter().rev().filter(wanted).collect();
    let (total, reviews) = input::page(newest_first, asked.offset, asked.limit);
    Ok(Json(Page { total, items: reviews.into_iter().map(ReviewView::from).collect() }))
}

/// Decides on a stretch of a series. Originals are kept; indicators that depend on it are computed anew.
///
/// | action | is |
/// | --- | --- |
/// | `approve` | readings as they are known now are right: `approval` is `approved`; what comes or changes later is provisional |
/// | `reject` | readings fail (quality 4, `qc_tests` names `review`), those that come later into the stretch, too |
/// | `add` | `amount` is added to values |
/// | `drift` | `amount` at `from`, `amount_end` at `to` and what lies between in proportion to time are added |
/// | `scale` | values are multiplied by `amount` |
/// | `set` | values become `amount` |
#[utoipa::path(post, path = "/api/v1/reviews", tag = "reviews", request_body = ReviewRequest,
    responses((status = 201, body = ReviewView),
        (status = 400, description = "says which field, and how to mend it", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "not now, or not all of it yet", body = ProblemView, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Answer<(StatusCode, Json<ReviewView>)> {
    input::require_type(&headers, &["application/json"])?;
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    let request: ReviewRequest = input::json(&bytes)?;
    let well_id = WellId::new(&request.well_id)
        .map_err(|error| Problem::bad_parameter("well_id", format!("well_id: {error}")))?;
    let actions = || ReviewAction::ALL.iter().map(|action| action.name()).collect();
    let from = request.from.as_deref().map(|text| input::instant("from", text)).transpose()?;
    let to = request.to.as_deref().map(|text| input::end("to", text)).transpose()?;
    let asked = NewReview {
        well_id,
        parameter: parameter(&request.parameter)?,
        from,
        to,
        action: input::named("action", &request.action, actions)?,
        amount: request.amount,
        amount_end: request.amount_end,
        author: author(principal, request.author)?,
        reason: request.reason,
    };
    let review = app.reviews.review(asked).await?;
    Ok((StatusCode::CREATED, Json(ReviewView::from(&review))))
}

/// Takes a review back: an approval does not hold any more, rejected readings are judged as if it had not been, corrected
/// values are again what they were. Who took it back and why stays with it.
#[utoipa::path(post, path = "/api/v1/reviews/{id}/withdraw", tag = "reviews", params(("id" = i64, Path)),
    request_body = WithdrawRequest,
    responses((status = 200, body = ReviewView),
        (status = 404, body = ProblemView, content_type = "application/problem+json"),
        (status = 400, body = ProblemView, content_type = "application/problem+json")))]
pub async fn withdraw(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(id): Name,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<ReviewView>> {
    input::require_type(&headers, &["application/json"])?;
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    let request: WithdrawRequest = input::json(&bytes)?;
    let id = id.parse().map(ReviewId).map_err(|_| Problem::new(Kind::NOT_FOUND, format!("no review {id:?}")))?;
    let by = author(principal, request.author)?;
    let review = app.reviews.withdraw(id, &by, &request.reason).await?;
    Ok(Json(ReviewView::from(&review)))
}

/// Everybody signs with the name that they have here; an admin may note it for somebody else.
fn author(principal: Principal, named: Option<String>) -> Answer<String> {
    match named.filter(|named| !named.trim().is_empty()) {
        Some(named) if principal.role == Role::Admin || named == principal.name => Ok(named),
        Some(named) => Err(Problem::new(Kind::FORBIDDEN, format!("{} may not review as {named}", principal.name))),
        None => Ok(principal.name),
    }
}
