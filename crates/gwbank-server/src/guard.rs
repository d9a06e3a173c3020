//! What is checked and added around every handler: Host, Origin, roles, time limit, security headers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::routing::MethodRouter;

use crate::auth::Access;
use crate::compress::{Coding, compress};
use crate::problem::{Kind, Problem};
use crate::session::CSRF_HEADER;
use crate::state::{App, changes};

/// Pages need their own style sheet and nothing else; nobody may frame them.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Whose connection a request came by: a proxy's, where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

/// A route that only `access` may use. The one way to make a route.
pub fn only(app: &Arc<App>, access: Access, route: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    if access == Access::Public {
        return route;
    }
    let app = app.clone();
    route.route_layer(axum::middleware::from_fn(move |mut request: Request, next: Next| {
        let app = app.clone();
        async move {
            let peer = request.extensions().get::<Peer>().copied();
            let principal = match app.principal(request.method(), request.headers(), peer).await {
                Ok(principal) => principal,
                Err(problem) => return problem.into_response(),
            };
            if !access.permits(principal.role) {
                return app.refuse(&principal, access).into_response();
            }
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
    }))
}

/// Around everything: refuses foreign hosts and origins, ends what takes too long, adds the headers, compresses.
pub async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    let method = request.method().clone();
    let coding = Coding::accepted(request.headers());
    let is_of_script = is_of_script(request.headers());
    app.http_requests.begin();
    let mut response = match check(&app, &request) {
        Err(problem) => problem.into_response(),
        Ok(()) => match tokio::time::timeout(app.limits.request_time, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::new(
                Kind::TIMEOUT,
                format!("no answer could be begun within {} s", app.limits.request_time.as_secs()),
            )
            .into_response(),
        },
    };
    app.http_requests.end(&method, response.status());
    if is_of_script {
        // The browser would ask for a password in a window of its own, over the page that has a form for it.
        response.headers_mut().remove(header::WWW_AUTHENTICATE);
    }
    secure(&mut response);
    compress(&method, coding, &mut response);
    response
}

/// Whether a script of a page asks. Browsers say so of themselves to servers with TLS only, hence the other two signs.
fn is_of_script(headers: &HeaderMap) -> bool {
    let is =
        |name: HeaderName, value: &str| headers.get(name).is_some_and(|known| known.as_bytes() == value.as_bytes());
    is(HeaderName::from_static("sec-fetch-dest"), "empty")
        || is(header::ACCEPT, "text/event-stream")
        || headers.contains_key(CSRF_HEADER)
}

fn check(app: &App, request: &Request) -> Result<(), Problem> {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    // An open server trusts whoever reaches it. A page on the internet can make a browser reach 127.0.0.1 under a name of
    // its own (DNS rebinding); the name in Host gives it away.
    if app.authenticator.is_open() && app.hosts.is_guarded() && !host.is_some_and(|host| app.hosts.knows(host)) {
        let detail = format!(
            "{} is not a name of this server; use localhost or 127.0.0.1, or configure tokens",
            host.unwrap_or("no Host")
        );
        return Err(Problem::new(Kind::FOREIGN_HOST, detail));
    }
    if changes(request.method())
        && let Some(origin) = request.headers().get(header::ORIGIN)
    {
        let origin = origin.to_str().unwrap_or("null");
        let origin_host = origin.split_once("://").map(|(_, rest)| rest);
        if origin_host.is_none() || origin_host != host {
            let detail = format!("origin {origin} may not change anything here");
            return Err(Problem::new(Kind::FOREIGN_ORIGIN, detail));
        }
    }
    Ok(())
}

fn secure(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        // A page with a form says its own, which is as narrow as it can be.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The names under which an open server answers.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    guarded: bool,
    public: Option<String>,
}

impl Hosts {
    /// Only loopback names and the host of `public_url`.
    pub fn loopback(public_url: Option<&str>) -> Self {
        let public = public_url
            .and_then(|url| url.split_once("://"))
            .map(|(_, rest)| name_of(rest.split(['/', '?', '#']).next().unwrap_or(rest)).to_ascii_lowercase());
        Self { guarded: true, public }
    }

    /// Every name: for a server that is reached from elsewhere on purpose.
    pub fn any() -> Self {
        Self::default()
    }

    fn is_guarded(&self) -> bool {
        self.guarded
    }

    fn knows(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        name == "localhost"
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            || self.public.as_deref() == Some(name.as_str())
    }
}

/// The host without its port and brackets.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(name, _)| name);
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.contains(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_server_knows_only_its_own_names() {
        let hosts = Hosts::loopback(Some("https://bank.example.org:8443/x"));
        for good in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "bank.example.org"] {
            assert!(hosts.knows(good), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example:8080", "10.0.0.1", "127.0.0.1.evil.example", "", "[::2]"] {
            assert!(!hosts.knows(bad), "{bad}");
        }
    }
}
