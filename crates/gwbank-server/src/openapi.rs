//! The OpenAPI document, made from the handlers.

use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::extract::State;
use utoipa::OpenApi;

use crate::routes;
use crate::state::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "gwbank",
        description = "Readings of groundwater wells and banks, indicators and condition flags. Errors are RFC 9457 problem details. Instants are RFC 3339 with an offset.",
        license(name = "Apache-2.0")
    ),
    paths(
        routes::health::alive,
        routes::health::ready,
        routes::health::metrics,
        routes::health::status,
        routes::health::gateways,
        routes::health::fleet,
        routes::session::show,
        routes::session::begin,
        routes::session::end,
        routes::health::flush,
        routes::sql::run,
        routes::sql::broken,
        routes::export::export,
        routes::readings::post,
        routes::wells::list,
        routes::wells::show,
        routes::wells::import,
        routes::wells::list_installations,
        routes::wells::import_installations,
        routes::quality::list,
        routes::quality::import,
        routes::quality::remove,
        routes::reviews::list,
        routes::reviews::create,
        routes::reviews::withdraw,
        routes::series::readings,
        routes::series::indicators,
        routes::series::explanation,
        routes::provinces::list,
        routes::provinces::show,
        routes::provinces::indicators,
        routes::provinces::explanation,
        routes::bulletin::bulletin,
        routes::flags::list,
        routes::flags::show,
        routes::flags::acknowledge,
        routes::flag_explanation::explanation,
        routes::flags::comment,
        routes::flags::cancel,
        routes::flags::drill,
        routes::flags::holds,
        routes::flags::hold,
        routes::flags::end_hold,
        routes::scorecard::scorecard,
        routes::stream::stream,
        routes::act::show,
        routes::act::post,
        routes::cap::all,
        routes::cap::of_province,
        routes::cap::show,
        routes::cap::approve,
        routes::offices::list,
        routes::offices::import,
        routes::offices::invite,
        routes::offices::deliveries,
        routes::line::hook,
        routes::dead_letters::list,
        routes::dead_letters::show,
        routes::dead_letters::replay,
    ),
    modifiers(&Security)
)]
struct Documentation;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
        let components = openapi.components.get_or_insert_default();
        for (name, scheme) in [("token", HttpAuthScheme::Bearer), ("password", HttpAuthScheme::Basic)] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
        openapi.security = Some(vec![
            SecurityRequirement::new("token", Vec::<String>::new()),
            SecurityRequirement::new("password", Vec::<String>::new()),
        ]);
    }
}

/// The document as it is served, without the version of a running server.
pub fn openapi() -> &'static utoipa::openapi::OpenApi {
    static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(Documentation::openapi);
    &DOCUMENT
}

pub async fn document(State(app): State<Arc<App>>) -> Json<utoipa::openapi::OpenApi> {
    let mut document = openapi().clone();
    document.info.version = app.version.to_owned();
    Json(document)
}
