//! Posting readings, and reading a series back.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int16Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use gwbank_server::doors::{PostedReceipt, ReadingFault, ReadingsFormat, ReadingsSource};

use crate::fakes::{Script, Server};

#[test]
fn the_receipt_counts_and_names_every_fault() {
    let server = Server::open();
    let fault = ReadingFault {
        reason: "unknown_well".into(),
        place: "readings[1].well".into(),
        detail: "register it".into(),
        readings: 1,
    };
    *server.ingest.receipt.lock() =
        PostedReceipt { received: 2, stored: 1, dead: 1, faults: vec![fault.clone()], ..PostedReceipt::default() };
    let reply = server.post_json("/api/v1/readings", "[{},{}]");
    assert_eq!(reply.status, 200);
    let expected = serde_json::json!({
        "received": 2, "stored": 1, "duplicate": 0, "dead": 1, "pending": 0,
        "faults": [{"reason": "unknown_well", "place": "readings[1].well", "detail": "register it", "readings": 1}],
    });
    assert_eq!(reply.json(), expected);

    *server.ingest.receipt.lock() =
        PostedReceipt { received: 1, dead: 1, faults: vec![fault], ..PostedReceipt::default() };
    let dead = server.post_json("/api/v1/readings", "[{}]").problem("no-reading-stored");
    assert_eq!(dead["receipt"]["dead"], 1);

    *server.ingest.full.lock() = true;
    let full = server.post_json("/api/v1/readings", "[{}]");
    assert_eq!((full.status, full.header("retry-after")), (503, "1"));
    full.problem("ingest-full");
}

#[test]
fn sender_format_and_source_are_taken_from_the_request() {
    let server = Server::open();
    let send = |path: &str, headers: &[(&str, &str)]| server.send("POST", path, headers, b"[]").status;
    let last = || server.ingest.posted.lock().last().cloned().unwrap();
    assert_eq!(send("/api/v1/readings", &[("content-type", "application/json; charset=utf-8")]), 200);
    assert_eq!((last().gateway.as_str(), last().format), ("http", ReadingsFormat::Json));
    assert_eq!(last().source, ReadingsSource::Live);
    let senml = [("content-type", "application/senml+cbor"), ("x-gateway", "gw-7")];
    assert_eq!(send("/api/v1/readings?source=import", &senml), 200);
    assert_eq!((last().gateway.as_str(), last().format), ("gw-7", ReadingsFormat::SenmlCbor));
    assert_eq!(last().source, ReadingsSource::Import);
    let json = [("content-type", "application/json")];
    assert_eq!(send("/api/v1/readings?gateway=a%2Fb", &json), 400, "an id that would break a topic");
    assert_eq!(send("/api/v1/readings?gateway=flags", &json), 400);
    assert_eq!(send("/api/v1/readings?source=dream", &json), 400);
    assert_eq!(send("/api/v1/readings", &[("content-type", "text/csv")]), 415);
}

#[test]
fn a_series_is_decimated_and_keeps_its_extremes() {
    let server = Server::open();
    let count = 10_000i64;
    let times = TimestampMicrosecondArray::from_iter_values((0..count).map(|i| i * 1_000_000)).with_timezone("UTC");
    let values: Float64Array = (0..count).map(|i| (i != 7).then_some(if i == 4000 { 99.5 } else { 1.0 })).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("time", Arc::new(times) as ArrayRef, false),
        ("value", Arc::new(values) as ArrayRef, true),
        ("quality", Arc::new(Int16Array::from_iter_values((0..count).map(|_| 1))) as ArrayRef, false),
        (
            "site_status",
            Arc::new((0..count).map(|i| (i == 0).then_some("dry")).collect::<StringArray>()) as ArrayRef,
            true,
        ),
    ])
    .unwrap();
    *server.sql.script.lock() = Some(Script::Rows(vec![batch]));
    let path = "/api/v1/wells/W-1/readings?parameter=depth_to_water&from=2026-01-01&to=2026-02-01T00:00:00%2B07:00&max_points=100";
    let series = server.get(path).json();
    assert_eq!(series["unit"], "m");
    assert_eq!(series["readings"], 10_000);
    assert_eq!(series["decimated"], true);
    let points = series["points"].as_array().unwrap();
    assert!(points.len() <= 100);
    assert!(points.iter().any(|point| point["value"] == 99.5));
    assert!(points.iter().any(|point| point["value"].is_null()), "gaps stay");
    assert_eq!(points[0]["time"], "1970-01-01T07:00:00+07:00");
    assert_eq!(points[0]["site_status"], "dry");
    let asked = server.sql.asked.lock().last().cloned().unwrap();
    assert!(asked.contains("well_id = 'W-1' AND parameter = 'depth_to_water'"), "{asked}");
    assert!(asked.contains("time >= TIMESTAMP '2025-12-31T17:00:00Z'"), "{asked}");
    assert!(asked.contains("time < TIMESTAMP '2026-01-31T17:00:00Z'"), "{asked}");

    let two = server.get(&path.replace("max_points=100", "max_points=2")).json();
    let times: Vec<&str> = two["points"].as_array().unwrap().iter().map(|p| p["time"].as_str().unwrap()).collect();
    assert_eq!(times, ["1970-01-01T07:00:00+07:00", "1970-01-01T09:46:39+07:00"]);
    let one = server.get(&path.replace("max_points=100", "max_points=1"));
    assert_eq!(one.problem("bad-parameter")["detail"], "max_points must lie between 2 and 200000");
}
