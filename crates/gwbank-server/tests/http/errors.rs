//! Problem documents for everything that the router itself refuses.

use crate::fakes::Server;

#[test]
fn places_and_methods_that_do_not_exist() {
    let server = Server::open();
    let missing = server.get("/api/v2/wells");
    assert_eq!(missing.status, 404);
    missing.problem("not-found");
    let wrong = server.send("DELETE", "/api/v1/wells", &[], b"");
    assert_eq!(wrong.status, 405);
    assert!(wrong.header("allow").contains("GET"), "{:?}", wrong.headers);
    wrong.problem("method-not-allowed");
    server.get("/api/v1/wells/none").problem("unknown-well");
    server.get("/api/v1/wells/none/readings?parameter=ph").problem("unknown-well");
    server.get("/api/v1/provinces/99").problem("unknown-province");
    server.get("/api/v1/flags/none").problem("unknown-flag");
    server.get("/api/v1/dead-letters/7").problem("unknown-dead-letter");
    server.get("/api/v1/dead-letters/x").problem("unknown-dead-letter");
    server.get("/api/v1/wells/%ff").problem("bad-request");
}

#[test]
fn parameters_are_checked() {
    let server = Server::open();
    for path in [
        "/api/v1/wells?provinces=30",
        "/api/v1/wells?limit=many",
        "/api/v1/flags?state=burning",
        "/api/v1/flags?hazard=fire",
        "/api/v1/flags?province=99",
        "/api/v1/wells?province=3",
        "/api/v1/wells?bank_type=shut",
        "/api/v1/wells/W-0/readings",
        "/api/v1/wells/W-0/readings?parameter=pressure",
        "/api/v1/wells/W-0/readings?parameter=ph&from=yesterday",
        "/api/v1/wells/W-0/readings?parameter=ph&max_points=1",
    ] {
        let reply = server.get(path);
        assert_eq!(reply.status, 400, "{path}");
        reply.problem("bad-parameter");
    }
}

#[test]
fn bodies_keep_to_their_bound() {
    let server = Server::open();
    let large = format!("[{}]", " ".repeat(2000));
    let announced = server.post_json("/api/v1/readings", &large);
    assert_eq!(announced.status, 413);
    assert_eq!(announced.problem("too-large")["bytes_max"], 1000);
    let chunked = format!(
        "POST /api/v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    let answer = server.raw(&chunked);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(server.ingest.posted.lock().is_empty());
}

#[test]
fn every_answer_carries_the_security_headers() {
    let server = Server::open();
    for path in ["/", "/api/docs", "/healthz", "/nothing", "/api/v1/wells"] {
        let reply = server.get(path);
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        // The page has nothing of anybody in it, and is asked for anew.
        let kept = if path == "/" { "no-cache" } else { "no-store" };
        assert_eq!(reply.header("cache-control"), kept, "{path}");
    }
}
