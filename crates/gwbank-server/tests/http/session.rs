//! Browsers: logging in, what a session may, and those who are not known.

use gwbank_server::auth::{Credentials, Role, password_hash, token_digest};
use gwbank_server::{PublicView, Reach};

use crate::fakes::{Reply, Server};

const JSON: (&str, &str) = ("content-type", "application/json");

fn server(public_view: PublicView) -> Server {
    let mut credentials = Credentials::new();
    credentials.add_user("officer", Role::Office, &password_hash("open: sesame").unwrap()).unwrap();
    credentials.add_token("t", Role::Admin, None, &token_digest("t0ken")).unwrap();
    Server::start_with(credentials, Reach::Anywhere, public_view)
}

fn log_in(server: &Server, name: &str, password: &str) -> Reply {
    let body = serde_json::json!({ "name": name, "password": password }).to_string();
    server.send("POST", "/api/v1/session", &[JSON], body.as_bytes())
}

/// The cookie as a browser sends it back.
fn cookie_of(reply: &Reply) -> String {
    reply.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[test]
fn a_session_reads_by_its_cookie_and_changes_by_its_token() {
    let server = server(PublicView::default());
    let nobody = server.get("/api/v1/session").json();
    assert_eq!((&nobody["name"], &nobody["may"]), (&serde_json::Value::Null, &serde_json::json!([])));
    assert_eq!(nobody["accounts"], true);
    log_in(&server, "officer", "wrong").problem("unauthenticated");
    log_in(&server, "nobody", "open: sesame").problem("unauthenticated");
    server.send("POST", "/api/v1/session", &[], b"{}").problem("unsupported-type");
    server.send("POST", "/api/v1/session", &[JSON, ("origin", "http://evil.example")], b"{}").problem("foreign-origin");

    let reply = log_in(&server, "officer", "open: sesame");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let set = reply.header("set-cookie");
    assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Strict") && set.contains("; Path=/;"), "{set}");
    let (cookie, session) = (cookie_of(&reply), reply.json());
    assert_eq!((&session["name"], &session["role"]), (&"officer".into(), &"office".into()));
    assert_eq!(session["may"], serde_json::json!(["view", "read", "acknowledge"]));
    let token = session["csrf"].as_str().unwrap();

    let by_cookie = [("cookie", cookie.as_str())];
    assert_eq!(server.send("GET", "/api/v1/flags", &by_cookie, b"").status, 200);
    let again = server.send("GET", "/api/v1/session", &by_cookie, b"").json();
    assert_eq!(again["csrf"], *token, "a page that is loaded anew can go on");
    let act = |headers: &[(&str, &str)]| server.send("POST", "/api/v1/flags/drought-1/acknowledge", headers, b"");
    act(&by_cookie).problem("csrf");
    act(&[("cookie", &cookie), ("x-csrf-token", "x")]).problem("csrf");
    act(&[("cookie", &format!("{cookie}x")), ("x-csrf-token", token)]).problem("unauthenticated");
    let other = log_in(&server, "officer", "open: sesame");
    act(&[("cookie", &cookie_of(&other)), ("x-csrf-token", token)]).problem("csrf");
    let done = act(&[("cookie", &cookie), ("x-csrf-token", token)]);
    assert_eq!(done.json()["acknowledged_by"], "officer", "{}", done.text());
    server
        .send("POST", "/api/v1/sql", &[("cookie", &cookie), ("x-csrf-token", token), JSON], b"{}")
        .problem("forbidden");
    assert_eq!(server.send("GET", "/feeds/cap.atom", &by_cookie, b"").status, 200);

    let end = |headers: &[(&str, &str)]| server.send("DELETE", "/api/v1/session", headers, b"");
    end(&by_cookie).problem("csrf");
    let ended = end(&[("cookie", &cookie), ("x-csrf-token", token)]);
    assert!(ended.header("set-cookie").contains("Max-Age=0"), "{}", ended.header("set-cookie"));
    server.send("GET", "/api/v1/flags", &by_cookie, b"").problem("unauthenticated");
    assert_eq!(
        server.send("GET", "/api/v1/flags", &[("cookie", &cookie_of(&other))], b"").status,
        200,
        "the other goes on"
    );
}

#[test]
fn scripts_are_not_asked_for_a_password_by_the_browser() {
    let server = server(PublicView::default());
    let asked = |headers: &[(&str, &str)]| {
        let reply = server.send("GET", "/api/v1/flags", headers, b"");
        assert_eq!(reply.status, 401);
        !reply.header("www-authenticate").is_empty()
    };
    assert!(asked(&[]), "a program is told how");
    assert!(!asked(&[("sec-fetch-dest", "empty")]));
    assert!(!asked(&[("x-csrf-token", "")]));
    assert!(!asked(&[("accept", "text/event-stream")]));
}

#[test]
fn passwords_are_not_guessed_by_logging_in() {
    let server = server(PublicView::default());
    let refused =
        (0..100).map(|guess| log_in(&server, "officer", &guess.to_string())).find(|reply| reply.status != 401);
    refused.unwrap().problem("too-many-failures");
    log_in(&server, "officer", "open: sesame").problem("too-many-failures");
}

#[test]
fn the_public_looks_at_water_and_at_no_names() {
    let server = server(PublicView { permitted: true, requests_per_minute: 0 });
    let admin = [("authorization", "Bearer t0ken"), JSON];
    let body = br#"{"by":"Somchai Jaidee","text":"I was there"}"#;
    assert_eq!(server.send("POST", "/api/v1/flags/drought-1/acknowledge", &admin, body).status, 200);
    assert!(server.send("GET", "/api/v1/flags/drought-1", &admin, b"").text().contains("Somchai"));

    let session = server.get("/api/v1/session").json();
    assert_eq!((&session["role"], &session["may"]), (&"public".into(), &serde_json::json!(["view"])));
    for place in [
        "/api/v1/wells",
        "/api/v1/wells/W-0",
        "/api/v1/wells/W-0/readings?parameter=ph",
        "/api/v1/wells/W-0/indicators",
        "/api/v1/provinces",
        "/api/v1/provinces/30",
        "/api/v1/provinces/30/indicators",
        "/api/v1/flags",
        "/api/v1/flags?state=all",
        "/api/v1/flags/drought-1",
        "/api/v1/flags/drought-1/explanation",
    ] {
        let reply = server.get(place);
        assert_eq!(reply.status, 200, "{place}: {}", reply.text());
        assert!(
            !reply.text().contains("Somchai") && !reply.text().contains("I was there"),
            "{place}: {}",
            reply.text()
        );
    }
    let flag = server.get("/api/v1/flags/drought-1").json();
    assert!(
        flag["acknowledged_at"].is_string() && flag["acknowledged_by"].as_str().unwrap().contains("officer"),
        "{flag}"
    );
    assert_eq!(flag["actions"], serde_json::json!([]));
    for place in [
        "/metrics",
        "/api/v1/status",
        "/api/v1/fleet",
        "/api/v1/gateways",
        "/api/v1/installations",
        "/api/v1/reviews",
        "/api/v1/holds",
        "/api/v1/scorecard?year=2569",
        "/api/v1/offices",
        "/api/v1/dead-letters",
        "/api/v1/export?wells=W-0",
    ] {
        server.get(place).problem("unauthenticated");
    }
    for place in
        ["/api/v1/sql", "/api/v1/readings", "/api/v1/flags/drought-1/acknowledge", "/api/v1/flush", "/api/v1/holds"]
    {
        server.send("POST", place, &[JSON], b"{}").problem("unauthenticated");
    }
}

#[test]
fn the_public_asks_no_more_than_it_may() {
    let server = server(PublicView { permitted: true, requests_per_minute: 5 });
    let asked: Vec<u16> = (0..6).map(|_| server.get("/api/v1/provinces").status).collect();
    assert_eq!(asked, [200, 200, 200, 200, 200, 429]);
    server.get("/api/v1/flags").problem("too-many-requests");
    assert_eq!(server.send("GET", "/api/v1/flags", &[("authorization", "Bearer t0ken")], b"").status, 200);
    assert_eq!(log_in(&server, "officer", "open: sesame").status, 200);
    assert_eq!(server.get("/").status, 200, "the page itself costs nothing");
}
