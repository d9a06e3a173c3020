//! The dashboard: one page for all of its places, and the files that the page names. What it shows it asks of the API.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, Response, header};
use gwbank_dashboard::Asset;

use crate::problem::{Answer, Kind, Problem};

/// Scripts, styles, fonts and requests of this server and of no other; nothing inline, no frames, no forms that leave.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub async fn page() -> Answer<Response<Body>> {
    let mut response = response_of(gwbank_dashboard::page())?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

pub async fn asset(Path(name): Path<String>) -> Answer<Response<Body>> {
    file(&format!("assets/{name}"))
}

pub async fn icon() -> Answer<Response<Body>> {
    file("icon.svg")
}

fn file(path: &str) -> Answer<Response<Body>> {
    let asset = gwbank_dashboard::asset(path);
    response_of(asset.ok_or_else(|| Problem::new(Kind::NOT_FOUND, format!("no file {path:?} here")))?)
}

fn response_of(asset: Asset) -> Answer<Response<Body>> {
    let Asset { content_type, bytes, is_hashed } = asset;
    let mut response = Response::new(Body::from(bytes.into_owned()));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_str(&content_type).map_err(|error| Problem::internal(&error))?;
    headers.insert(header::CONTENT_TYPE, content_type);
    // The page names files by their content: it is asked for anew, they never.
    let kept = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    Ok(response)
}
