//! Wells and limits of quality over HTTP: pages, export, import.

use crate::fakes::Server;

#[test]
fn wells_are_listed_by_page_and_province() {
    let server = Server::open();
    let all = server.get("/api/v1/wells").json();
    assert_eq!((all["total"].as_u64(), all["items"].as_array().unwrap().len()), (Some(3), 3));
    let page = server.get("/api/v1/wells?province=30&limit=1&offset=1").json();
    assert_eq!(page["total"], 2);
    assert_eq!(page["items"][0]["well_id"], "W-1");
    let well = server.get("/api/v1/wells/W-2").json();
    assert_eq!((&well["province_code"], &well["bank_type"]), (&"50".into(), &"observation".into()));
    assert!(well["installations"].as_array().unwrap().is_empty());
}

#[test]
fn what_is_exported_can_be_imported() {
    let server = Server::open();
    for media in ["text/csv", "application/geo+json"] {
        let export = server.send("GET", "/api/v1/wells", &[("accept", media)], b"");
        assert!(export.header("content-type").starts_with(media));
        let import = server.send("PUT", "/api/v1/wells", &[("content-type", media)], &export.body);
        assert_eq!(import.status, 200, "{}", import.text());
        assert_eq!(import.json()["rows"], 3);
    }
}

#[test]
fn a_wrong_row_is_named_and_nothing_is_applied() {
    let server = Server::open();
    let csv =
        "well_id,province_code,bank_type,depth\nX-1,30,observation,10\nX-2,30,observation,deep\nX-3,99,observation,5\n";
    let reply = server.send("PUT", "/api/v1/wells", &[("content-type", "text/csv")], csv.as_bytes());
    let problem = reply.problem("invalid-rows");
    assert_eq!(reply.status, 422);
    assert_eq!(problem["fault_count"], 2, "{problem}");
    assert_eq!(problem["faults"][0]["line"], 3);
    assert_eq!(problem["faults"][0]["column"], "depth");
    assert_eq!(server.get("/api/v1/wells").json()["total"], 3);
    server.send("PUT", "/api/v1/wells", &[("content-type", "image/png")], b"").problem("unsupported-type");
}

#[test]
fn dead_letters_are_replayed_by_reason() {
    let server = Server::open();
    assert_eq!(server.get("/api/v1/dead-letters").json()["total"], 0);
    let replayed = server.post_json("/api/v1/dead-letters/replay", r#"{"reason":"unknown_well"}"#).json();
    assert_eq!((&replayed["letters"], &replayed["stored"]), (&1.into(), &1.into()));
    server.post_json("/api/v1/dead-letters/replay", r#"{"id":999}"#).problem("unknown-dead-letter");
    server.post_json("/api/v1/dead-letters/replay", r#"{"reasons":"x"}"#).problem("bad-request");
}

#[test]
fn limits_of_quality_are_listed_imported_and_taken_out() {
    let server = Server::open();
    let listed = server.get("/api/v1/quality-limits").json();
    let row = &listed["items"][0];
    assert_eq!((&row["well_id"], &row["limit_name"]), (&serde_json::Value::Null, &"spike.suspect".into()));
    assert_eq!((&row["value"], &row["unit"], &row["source"]), (&0.3.into(), &"m".into(), &"table".into()));
    let put = |csv: &str| server.send("PUT", "/api/v1/quality-limits", &[("content-type", "text/csv")], csv.as_bytes());
    let applied = put("well_id,parameter,limit_name,value\nX,ph,spike.suspect,1\n").json();
    assert_eq!((&applied["rows"], &applied["warnings"][0]), (&1.into(), &"well X is not registered".into()));
    let problem = put("well_id,parameter,limit_name,value\nX,acidity,spike.suspect,1\n").problem("invalid-rows");
    assert_eq!((&problem["faults"][0]["line"], &problem["faults"][0]["column"]), (&2.into(), &"parameter".into()));
    let remove = |asked: &str| server.send("DELETE", &format!("/api/v1/quality-limits?{asked}"), &[], b"");
    assert_eq!(remove("parameter=depth_to_water&limit_name=spike.suspect").status, 204);
    remove("parameter=ph&limit_name=spike.suspect").problem("not-found");
    remove("parameter=acidity&limit_name=spike.suspect").problem("bad-parameter");
}
