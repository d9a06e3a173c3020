//! Every role at every route.

use argon2::password_hash::{PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use gwbank_model::GatewayId;
use gwbank_server::Reach;
use gwbank_server::auth::{Credentials, Role, token_digest};
use gwbank_server::doors::PartState;

use crate::fakes::Server;

/// With the cheapest parameters: the tests run without optimisation.
fn cheap_hash(password: &str) -> String {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let salt = SaltString::encode_b64(b"saltsaltsalt").unwrap();
    argon.hash_password(password.as_bytes(), &salt).unwrap().to_string()
}

fn guarded() -> Server {
    let mut credentials = Credentials::new();
    for role in Role::GIVEN {
        let gateway = (*role == Role::Gateway).then(|| GatewayId::new("gw-1").unwrap());
        credentials.add_token(role.name(), *role, gateway, &token_digest(&format!("token-{role}"))).unwrap();
    }
    credentials.add_gateway(&GatewayId::new("gw-2").unwrap(), &cheap_hash("pw")).unwrap();
    credentials.set_local_token("local-secret");
    Server::start(credentials, Reach::Anywhere)
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn roles_by_routes() {
    // (method, path, body, gateway, hydrologist, office, admin)
    let table = [
        ("GET", "/metrics", "", false, true, true, true),
        ("GET", "/api/v1/status", "", false, true, true, true),
        ("POST", "/api/v1/sql", r#"{"sql":"SELECT 1"}"#, false, true, false, true),
        ("POST", "/api/v1/readings", "[]", true, false, false, true),
        ("GET", "/api/v1/wells", "", false, true, true, true),
        ("GET", "/api/v1/wells/W-0", "", false, true, true, true),
        ("GET", "/api/v1/wells/W-0/readings?parameter=ph", "", false, true, true, true),
        ("GET", "/api/v1/wells/W-0/indicators", "", false, true, true, true),
        ("PUT", "/api/v1/wells", "", false, false, false, true),
        ("GET", "/api/v1/installations", "", false, true, true, true),
        ("PUT", "/api/v1/installations", "", false, false, false, true),
        ("GET", "/api/v1/quality-limits", "", false, true, true, true),
        ("PUT", "/api/v1/quality-limits", "", false, false, false, true),
        ("DELETE", "/api/v1/quality-limits?limit_name=spike.off", "", false, false, false, true),
        ("GET", "/api/v1/reviews", "", false, true, true, true),
        ("POST", "/api/v1/reviews", "{}", false, true, false, true),
        ("POST", "/api/v1/reviews/1/withdraw", "{}", false, true, false, true),
        ("GET", "/api/v1/provinces", "", false, true, true, true),
        ("GET", "/api/v1/provinces/30", "", false, true, true, true),
        ("GET", "/api/v1/provinces/30/indicators", "", false, true, true, true),
        ("GET", "/api/v1/fleet", "", false, true, true, true),
        ("GET", "/api/v1/gateways", "", false, true, true, true),
        ("GET", "/api/v1/flags", "", false, true, true, true),
        ("GET", "/api/v1/flags/drought-1", "", false, true, true, true),
        ("POST", "/api/v1/flags/drought-1/acknowledge", "", false, false, true, true),
        ("POST", "/api/v1/flags/drought-1/comment", "{}", false, false, true, true),
        ("POST", "/api/v1/flags/drought-2/approve", "", false, false, true, true),
        ("POST", "/api/v1/flags/drought-2/cancel", "{}", false, false, true, true),
        ("POST", "/api/v1/drills", "{}", false, false, false, true),
        ("GET", "/api/v1/holds", "", false, true, true, true),
        ("POST", "/api/v1/holds", "{}", false, false, true, true),
        ("POST", "/api/v1/holds/none/end", "", false, false, true, true),
        ("GET", "/api/v1/offices", "", false, false, false, true),
        ("PUT", "/api/v1/offices", "", false, false, false, true),
        ("POST", "/api/v1/contacts/none/invite", "", false, false, false, true),
        ("GET", "/api/v1/deliveries", "", false, false, false, true),
        ("GET", "/api/v1/dead-letters", "", false, false, false, true),
        ("GET", "/api/v1/dead-letters/1", "", false, false, false, true),
        ("POST", "/api/v1/dead-letters/replay", "", false, false, false, true),
        ("POST", "/api/v1/flush", "", false, false, false, true),
    ];
    let server = guarded();
    for (method, path, body, gateway, hydrologist, office, admin) in table {
        for (role, permitted) in Role::GIVEN.iter().zip([gateway, hydrologist, office, admin]) {
            let token = format!("Bearer token-{role}");
            let reply = server.send(method, path, &[("authorization", &token), JSON], body.as_bytes());
            assert_eq!(reply.status != 403, permitted, "{role} {method} {path}: {} {}", reply.status, reply.text());
            assert_ne!(reply.status, 401, "{role} {method} {path}");
            if !permitted {
                reply.problem("forbidden");
            }
        }
        for nobody in [vec![JSON], vec![JSON, ("authorization", "Bearer token-admi")]] {
            let reply = server.send(method, path, &nobody, body.as_bytes());
            assert_eq!(reply.status, 401, "{method} {path}");
            assert!(reply.headers.get_all("www-authenticate").iter().count() == 2);
            reply.problem("unauthenticated");
        }
    }
    for public in [
        "/healthz",
        "/readyz",
        "/api/docs",
        "/api/openapi.json",
        "/style.css",
        "/",
        "/flags/x",
        "/login",
        "/api/v1/session",
    ] {
        assert_eq!(server.get(public).status, 200, "{public}");
    }
}

#[test]
fn a_gateway_sends_only_as_itself() {
    let server = guarded();
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("gw-2:pw"));
    let cases = [("Bearer token-gateway", "gw-1"), (basic.as_str(), "gw-2")];
    for (authorization, own) in cases {
        let headers = [("authorization", authorization), JSON];
        assert_eq!(server.send("POST", "/api/v1/readings", &headers, b"[]").status, 200);
        assert_eq!(server.ingest.posted.lock().last().unwrap().gateway.as_str(), own);
        let foreign = [("authorization", authorization), JSON, ("x-gateway", "gw-9")];
        server.send("POST", "/api/v1/readings", &foreign, b"[]").problem("forbidden");
        server.send("POST", "/api/v1/readings?source=import", &headers, b"[]").problem("forbidden");
    }
}

#[test]
fn the_local_token_is_an_admins() {
    let server = guarded();
    let headers = [("authorization", "Bearer local-secret"), JSON];
    assert_eq!(server.send("POST", "/api/v1/flush", &headers, b"").status, 204);
}

#[test]
fn an_office_acknowledges_in_its_own_name() {
    let server = guarded();
    let post = |token: &str, id: &str, body: &str| {
        let path = format!("/api/v1/flags/{id}/acknowledge");
        server.send("POST", &path, &[("authorization", &format!("Bearer {token}")), JSON], body.as_bytes())
    };
    assert_eq!(post("token-office", "drought-1", "").json()["acknowledged_by"], "office");
    post("token-office", "drought-1", r#"{"by":"somebody"}"#).problem("forbidden");
    assert_eq!(post("token-admin", "drought-2", r#"{"by":"somebody"}"#).json()["acknowledged_by"], "somebody");
    post("token-office", "nothing", "").problem("unknown-flag");
    post("token-office", "drought-0", "").problem("conflict");
}

#[test]
fn guessing_a_password_is_refused_by_address() {
    let mut credentials = Credentials::new();
    credentials.add_user("a", Role::Admin, &cheap_hash("right")).unwrap();
    let server = Server::start(credentials, Reach::Anywhere);
    let ask = |password: &str| {
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("a:{password}")));
        server.send("GET", "/api/v1/wells", &[("authorization", &basic)], b"")
    };
    let refused = (0..100).map(|guess| ask(&guess.to_string())).find(|reply| reply.status != 401).unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, "60"));
    refused.problem("too-many-failures");
    assert_eq!(ask("right").status, 429, "the password is not looked at");
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_guarded_server_tells_strangers_which_part_is_not_ready_and_not_why() {
    let server = guarded();
    let detail = "/srv/secret is full".into();
    let broken = PartState { part: "archive", ready: false, detail, mend: Some("free some space") };
    *server.operations.broken.lock() = Some(broken);
    let reply = server.get("/readyz");
    assert_eq!(reply.problem("not-ready")["detail"], "archive");
    assert!(!reply.text().contains("secret"), "{}", reply.text());
    let reader = [("authorization", "Bearer token-hydrologist")];
    assert!(server.send("GET", "/api/v1/status", &reader, b"").text().contains("/srv/secret is full"));
}

#[test]
fn a_hydrologist_reviews_in_its_own_name() {
    let server = guarded();
    let post = |token: &str, path: &str, body: &str| {
        let token = format!("Bearer {token}");
        server.send("POST", path, &[("authorization", &token), JSON], body.as_bytes())
    };
    let body = |author: &str| {
        format!(
            r#"{{"well_id":"W-0","parameter":"ph","from":"2026-03-01","to":"2026-03-31","action":"reject"{author},"reason":"fouled"}}"#
        )
    };
    let made = post("token-hydrologist", "/api/v1/reviews", &body(""));
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!((&made.json()["author"], &made.json()["review_id"]), (&"hydrologist".into(), &1.into()));
    assert_eq!(made.json()["from"], "2026-03-01T00:00:00+07:00");
    assert_eq!(made.json()["to"], "2026-03-31T23:59:59.999999+07:00");
    post("token-hydrologist", "/api/v1/reviews", &body(r#","author":"somebody""#)).problem("forbidden");
    assert_eq!(post("token-admin", "/api/v1/reviews", &body(r#","author":"somebody""#)).json()["author"], "somebody");
    for (wrong, place) in [("action", r#""reject""#), ("parameter", r#""ph""#), ("to", r#""2026-03-31""#)] {
        let problem =
            post("token-admin", "/api/v1/reviews", &body("").replace(place, r#""such""#)).problem("bad-parameter");
        assert!(problem["detail"].as_str().unwrap().starts_with(wrong), "{problem}");
    }
    post("token-admin", "/api/v1/reviews", &body("").replace("fouled", "")).problem("bad-parameter");

    let withdrawn = post("token-hydrologist", "/api/v1/reviews/1/withdraw", r#"{"reason":"it was cleaned"}"#).json();
    assert_eq!(
        (&withdrawn["withdrawn_by"], &withdrawn["withdrawn_reason"]),
        (&"hydrologist".into(), &"it was cleaned".into())
    );
    post("token-hydrologist", "/api/v1/reviews/9/withdraw", r#"{"reason":"x"}"#).problem("not-found");
    post("token-hydrologist", "/api/v1/reviews/x/withdraw", r#"{"reason":"x"}"#).problem("not-found");
    let list = |asked: &str| {
        let path = format!("/api/v1/reviews{asked}");
        server.send("GET", &path, &[("authorization", "Bearer token-office")], b"").json()["total"].clone()
    };
    assert_eq!([list(""), list("?withdrawn=true"), list("?well_id=W-1")], [1, 2, 0].map(serde_json::Value::from));
}
