//! The table of routes: path, method, who may, handler.

pub(crate) mod act;
pub(crate) mod bulletin;
pub(crate) mod cap;
mod dashboard;
pub(crate) mod dead_letters;
pub(crate) mod export;
pub(crate) mod flag_explanation;
pub(crate) mod flags;
pub(crate) mod health;
mod input;
pub(crate) mod line;
pub(crate) mod offices;
mod pages;
pub(crate) mod provinces;
pub(crate) mod quality;
pub(crate) mod readings;
pub(crate) mod reviews;
mod rows;
pub(crate) mod scorecard;
pub(crate) mod series;
pub(crate) mod session;
pub(crate) mod sql;
pub(crate) mod stream;
pub(crate) mod wells;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};

use crate::auth::Access;
use crate::guard::{around, only};
use crate::openapi;
use crate::problem::{Kind, Problem};
use crate::state::App;

/// Everything that is answered over HTTP.
pub fn router(app: &Arc<App>) -> Router {
    use Access::{Acknowledge, Administer, Public, Publish, Read, Review, Sql, View};
    let guarded = |access, route| only(app, access, route);
    Router::new()
        .route("/", guarded(Public, get(dashboard::page)))
        .route("/login", guarded(Public, get(dashboard::page)))
        .route("/provinces/{code}", guarded(Public, get(dashboard::page)))
        .route("/wells/{id}", guarded(Public, get(dashboard::page)))
        .route("/flags", guarded(Public, get(dashboard::page)))
        .route("/flags/{id}", guarded(Public, get(dashboard::page)))
        .route("/sql", guarded(Public, get(dashboard::page)))
        .route("/fleet", guarded(Public, get(dashboard::page)))
        .route("/icon.svg", guarded(Public, get(dashboard::icon)))
        .route("/assets/{file}", guarded(Public, get(dashboard::asset)))
        .route("/style.css", guarded(Public, get(pages::style)))
        .route("/healthz", guarded(Public, get(health::alive)))
        .route("/readyz", guarded(Public, get(health::ready)))
        .route("/metrics", guarded(Read, get(health::metrics)))
        .route("/api/docs", guarded(Public, get(pages::documentation)))
        .route("/api/openapi.json", guarded(Public, get(openapi::document)))
        .route(
            "/api/v1/session",
            guarded(Public, get(session::show))
                .merge(guarded(Public, post(session::begin)))
                .merge(guarded(Public, delete(session::end))),
        )
        .route("/api/v1/status", guarded(Read, get(health::status)))
        .route("/api/v1/sql", guarded(Sql, post(sql::run)))
        .route("/api/v1/sql/{id}", guarded(Sql, get(sql::broken)))
        .route("/api/v1/export", guarded(Sql, get(export::export)))
        .route("/api/v1/readings", guarded(Publish, post(readings::post)))
        .route("/api/v1/wells", guarded(View, get(wells::list)).merge(guarded(Administer, put(wells::import))))
        .route("/api/v1/wells/{id}", guarded(View, get(wells::show)))
        .route("/api/v1/wells/{id}/readings", guarded(View, get(series::readings)))
        .route("/api/v1/wells/{id}/indicators", guarded(View, get(series::indicators)))
        .route("/api/v1/wells/{id}/indicators/explanation", guarded(View, get(series::explanation)))
        .route(
            "/api/v1/installations",
            guarded(Read, get(wells::list_installations)).merge(guarded(Administer, put(wells::import_installations))),
        )
        .route(
            "/api/v1/quality-limits",
            guarded(Read, get(quality::list))
                .merge(guarded(Administer, put(quality::import)))
                .merge(guarded(Administer, delete(quality::remove))),
        )
        .route("/api/v1/reviews", guarded(Read, get(reviews::list)).merge(guarded(Review, post(reviews::create))))
        .route("/api/v1/reviews/{id}/withdraw", guarded(Review, post(reviews::withdraw)))
        .route("/api/v1/provinces", guarded(View, get(provinces::list)))
        .route("/api/v1/provinces/{code}", guarded(View, get(provinces::show)))
        .route("/api/v1/provinces/{code}/indicators", guarded(View, get(provinces::indicators)))
        .route("/api/v1/provinces/{code}/explanation", guarded(View, get(provinces::explanation)))
        .route("/api/v1/provinces/{code}/bulletin", guarded(View, get(bulletin::bulletin)))
        .route("/api/v1/fleet", guarded(Read, get(health::fleet)))
        .route("/api/v1/gateways", guarded(Read, get(health::gateways)))
        .route("/api/v1/flags", guarded(View, get(flags::list)))
        .route("/api/v1/flags/stream", guarded(View, get(stream::stream)))
        .route("/api/v1/flags/{id}", guarded(View, get(flags::show)))
        .route("/api/v1/flags/{id}/acknowledge", guarded(Acknowledge, post(flags::acknowledge)))
        .route("/api/v1/flags/{id}/explanation", guarded(View, get(flag_explanation::explanation)))
        .route("/api/v1/flags/{id}/comment", guarded(Acknowledge, post(flags::comment)))
        .route("/api/v1/flags/{id}/cancel", guarded(Acknowledge, post(flags::cancel)))
        .route("/api/v1/flags/{id}/approve", guarded(Acknowledge, post(cap::approve)))
        .route("/api/v1/drills", guarded(Administer, post(flags::drill)))
        .route("/api/v1/holds", guarded(Read, get(flags::holds)).merge(guarded(Acknowledge, post(flags::hold))))
        .route("/api/v1/holds/{id}/end", guarded(Acknowledge, post(flags::end_hold)))
        .route(
            "/api/v1/offices",
            guarded(Administer, get(offices::list)).merge(guarded(Administer, put(offices::import))),
        )
        .route("/api/v1/contacts/{id}/invite", guarded(Administer, post(offices::invite)))
        .route("/api/v1/deliveries", guarded(Administer, get(offices::deliveries)))
        .route("/api/v1/scorecard", guarded(Read, get(scorecard::scorecard)))
        .route("/act/{link}", guarded(Public, get(act::show)).merge(guarded(Public, post(act::post))))
        .route("/hooks/line", guarded(Public, post(line::hook)))
        .route("/feeds/cap.atom", guarded(Public, get(cap::all)))
        .route("/feeds/cap/{province}", guarded(Public, get(cap::of_province)))
        .route("/cap/{identifier}", guarded(Public, get(cap::show)))
        .route("/api/v1/dead-letters", guarded(Administer, get(dead_letters::list)))
        .route("/api/v1/dead-letters/replay", guarded(Administer, post(dead_letters::replay)))
        .route("/api/v1/dead-letters/{id}", guarded(Administer, get(dead_letters::show)))
        .route("/api/v1/flush", guarded(Administer, post(health::flush)))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(app.clone(), around))
        .with_state(app.clone())
}

async fn nothing_here(request: Request) -> Response {
    // A person who mistyped an address gets a page that says so; a program a problem document.
    let wants_page =
        request.headers().get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
    let is_api = ["/api/", "/feeds/", "/cap/", "/hooks/"].iter().any(|place| request.uri().path().starts_with(place));
    if wants_page && !is_api && request.method() == Method::GET {
        return match dashboard::page().await {
            Ok(mut page) => {
                *page.status_mut() = StatusCode::NOT_FOUND;
                page
            }
            Err(problem) => problem.into_response(),
        };
    }
    Problem::new(Kind::NOT_FOUND, format!("no place {} here; see /api/docs", request.uri().path())).into_response()
}

async fn wrong_method(State(_): State<Arc<App>>, request: Request) -> impl IntoResponse {
    let detail = format!("{} is not possible on {}; see /api/docs", request.method(), request.uri().path());
    Problem::new(Kind::METHOD_NOT_ALLOWED, detail)
}
