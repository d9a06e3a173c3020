//! Health, metrics, pages, provinces, flags: what people and monitors read.

use gwbank_server::doors::PartState;

use crate::fakes::Server;

#[test]
fn readiness_names_what_is_not_ready() {
    let server = Server::open();
    assert_eq!(server.get("/healthz").text(), "alive\n");
    assert_eq!(server.get("/readyz").json()[0]["part"], "journal");
    let detail = "disk is full".into();
    let broken = PartState { part: "archive", ready: false, detail, mend: Some("free some space") };
    *server.operations.broken.lock() = Some(broken);
    let reply = server.get("/readyz");
    assert_eq!(reply.status, 503);
    let problem = reply.problem("not-ready");
    assert_eq!(problem["detail"], "archive: disk is full; free some space");
    assert_eq!(problem["parts"][1]["ready"], false);
    assert_eq!(server.get("/healthz").status, 200, "alive all the same");
    let status = server.get("/api/v1/status").json();
    assert!(status["parts"].as_array().unwrap().iter().any(|part| part["detail"] == "disk is full"), "{status}");
}

#[test]
fn metrics_are_prometheus_text() {
    let server = Server::open();
    let reply = server.get("/metrics");
    assert!(reply.header("content-type").starts_with("text/plain; version=0.0.4"));
    assert!(reply.text().contains("gwbank_readings_received_total 42\n"));
    for line in reply.text().lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("gwbank_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn places_of_the_dashboard_are_one_page_with_a_strict_policy() {
    let server = Server::open();
    let first = server.get("/");
    assert!(first.header("content-type").starts_with("text/html"));
    let policy = first.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe") && !policy.contains("data:"),
        "{policy}"
    );
    for place in ["/login", "/provinces/30", "/wells/W-0", "/flags", "/flags/drought-1", "/sql", "/fleet"] {
        assert_eq!(server.get(place).body, first.body, "{place}");
    }
    let script = first.text().split("src=\"").nth(1).unwrap().split('"').next().unwrap();
    let script = server.get(script);
    assert!(script.header("content-type").starts_with("text/javascript"), "{}", script.header("content-type"));
    assert!(script.header("cache-control").contains("immutable"));
    assert_eq!(first.header("cache-control"), "no-cache", "it names files that change");
    let mistyped = server.send("GET", "/wells/W-0/", &[("accept", "text/html,*/*;q=0.8")], b"");
    assert_eq!((mistyped.status, &mistyped.body), (404, &first.body), "it says so itself");
    server.get("/wells/W-0/").problem("not-found");
    server.send("GET", "/api/none", &[("accept", "text/html")], b"").problem("not-found");
    server.get("/assets/none.js").problem("not-found");
    server.get("/assets/..%2Findex.html").problem("not-found");
    assert_eq!(server.get("/style.css").status, 200);
}

#[test]
fn the_documentation_covers_every_operation_and_problem() {
    let server = Server::open();
    let document = server.get("/api/openapi.json").json();
    assert_eq!(document["info"]["version"], "1.2.3");
    let paths = document["paths"].as_object().unwrap();
    for (path, method) in [
        ("/api/v1/sql", "post"),
        ("/api/v1/readings", "post"),
        ("/api/v1/wells", "put"),
        ("/api/v1/wells/{id}/readings", "get"),
        ("/api/v1/flags/{id}/acknowledge", "post"),
        ("/api/v1/dead-letters/replay", "post"),
        ("/readyz", "get"),
    ] {
        assert!(paths[path][method].is_object(), "{method} {path}");
    }
    let page = server.get("/api/docs");
    assert!(page.text().contains("id=\"problem-query-limit-rows\""));
    assert!(page.text().contains("POST /api/v1/sql"));
}

#[test]
fn provinces_and_flags() {
    let server = Server::open();
    let provinces = server.get("/api/v1/provinces").json();
    assert_eq!(provinces["total"], 77);
    let korat = provinces["items"].as_array().unwrap().iter().find(|p| p["province_code"] == "30").unwrap();
    assert_eq!((&korat["wells"], &korat["open_flags"]), (&2.into(), &2.into()));
    assert_eq!(korat["worst"], serde_json::json!({ "drought": "extreme" }));
    let detail = server.get("/api/v1/provinces/30").json();
    assert_eq!(detail["iso_code"], "TH-30");
    assert_eq!(detail["coverage"]["observation_wells"], 2);
    assert_eq!(detail["flags"][0]["severity"], "extreme");
    assert_eq!(
        detail["standing"],
        serde_json::json!({
            "month": "2026-10-01",
            "class": "insufficient_record",
            "text_en": "30: record too short to judge drought",
            "text_th": "บันทึกยังสั้น",
        })
    );

    let ids = |path: &str| {
        let list = server.get(path).json();
        let ids: Vec<String> =
            list["items"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap().to_owned()).collect();
        ids.join(" ")
    };
    assert_eq!(ids("/api/v1/flags"), "drought-2 drought-1", "the worst first, closed ones not");
    assert_eq!(ids("/api/v1/flags?state=closed"), "drought-0");
    assert_eq!(ids("/api/v1/flags?state=all"), "drought-2 drought-1 drought-0");
    assert_eq!(ids("/api/v1/flags?state=open&province=30&hazard=drought"), "drought-1");
    assert_eq!(ids("/api/v1/flags?province=50"), "");
    let flag = server.get("/api/v1/flags/drought-1").json();
    assert_eq!(flag["transitions"][0]["evidence"]["share"], 0.6);
    assert_eq!(flag["raised_at"], "2026-11-23T10:15:00+07:00");
    assert!(flag["coverage"].is_null(), "NaN leaves as null");
}

#[test]
fn status_adds_the_gateways_up() {
    let status = Server::open().get("/api/v1/status").json();
    let sum =
        ["stored", "duplicate", "dead", "pending"].iter().map(|name| status[*name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(status["received"].as_u64().unwrap(), sum);
    assert_eq!(status["wells"], 3);
    assert_eq!(status["open_flags"], 2);
}
