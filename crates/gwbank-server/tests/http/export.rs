//! What an export asks of the engine, and what it makes of the answers.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use gwbank_model::{Parameter, WellId};
use gwbank_registry::{BankType, Well};
use gwbank_server::doors::{SqlError, SqlErrorKind};

use crate::fakes::{Script, Server};

/// 2026-11-23T10:15:00+07:00
const AT: i64 = 1_795_403_700_000_000;

fn texts(items: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(items.to_vec()))
}

fn times(items: &[i64]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(items.to_vec()).with_timezone("UTC"))
}

fn counts(readings: i64) -> RecordBatch {
    RecordBatch::try_from_iter([
        ("well_id", texts(&[Some("W-0"), Some("a<b>&")])),
        ("parameter", texts(&[Some("depth_to_water"), Some("rainfall")])),
        ("n", Arc::new(Int64Array::from(vec![readings, 1])) as ArrayRef),
        ("first", times(&[AT, AT])),
        ("last", times(&[AT + 3_600_000_000, AT])),
    ])
    .unwrap()
}

fn rows() -> RecordBatch {
    let (depth, rain) = (Some("depth_to_water"), Some("rainfall"));
    let approved = Some("approved");
    RecordBatch::try_from_iter_with_nullable([
        ("well_id", texts(&[Some("W-0"), Some("W-0"), Some("W-0"), Some("W-1"), Some("a<b>&")]), false),
        ("parameter", texts(&[depth, depth, depth, depth, rain]), false),
        ("unit", texts(&[Some("m"), Some("m"), Some("m"), Some("m"), Some("mm")]), true),
        ("time", times(&[AT, AT + 1, AT + 2, AT, AT]), false),
        (
            "value",
            Arc::new(Float64Array::from(vec![Some(0.1 + 0.2), None, None, Some(1.0), Some(2.5)])) as ArrayRef,
            true,
        ),
        ("quality", Arc::new(Int16Array::from(vec![1, 9, 1, 1, 3])) as ArrayRef, false),
        ("qc_tests", Arc::new(Int32Array::from(vec![0, 0, 0, 0, 1 << 5])) as ArrayRef, false),
        ("site_status", texts(&[Some("ok"), None, Some("dry"), None, None]), true),
        ("approval", texts(&[Some("provisional"), None, None, None, approved]), true),
    ])
    .unwrap()
}

fn with_readings(readings: i64) -> Server {
    let server = Server::open();
    let mut odd = Well::new(WellId::new("a<b>&").unwrap(), "30", BankType::Open);
    (odd.name, odd.name_th) = (Some("\"A\" & B".into()), Some("บ่อ".into()));
    (odd.latitude, odd.longitude, odd.ground_elevation) = (Some(14.97), Some(102.125), Some(187.25));
    odd.aquifer = Some("Khorat <upper>".into());
    let mut registry = server.ingest.registry.lock();
    *registry = Arc::new(registry.with_wells([odd]));
    drop(registry);
    let answers = vec![("count(*) AS n", Script::Rows(vec![counts(readings)])), ("", Script::Rows(vec![rows()]))];
    *server.sql.script.lock() = Some(Script::ByText(answers));
    server
}

#[test]
fn csv_is_what_the_engine_gave_piece_by_piece() {
    let server = with_readings(500_000);
    let reply = server.get("/api/v1/export?parameter=depth_to_water,rainfall&from=2026-11-23");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("gwbank-readings"), "500001");
    assert_eq!(reply.header("content-disposition"), "attachment; filename=\"gwbank-2026-11-23.csv\"");
    let lines: Vec<&str> = reply.text().lines().collect();
    assert_eq!(lines[0], "well_id,parameter,unit,time,value,quality,qc_tests,site_status,approval");
    assert_eq!(lines[1], "W-0,depth_to_water,m,2026-11-23T10:15:00+07:00,0.30000000000000004,1,0,ok,provisional");
    // The large series in three stretches, the small one by itself; the fake gives the same five rows to each.
    assert_eq!(lines.len(), 1 + 4 * 5);
    let asked = server.sql.asked.lock();
    assert_eq!(asked.len(), 5);
    assert!(
        asked
            .iter()
            .all(|sql| sql.contains("parameter IN ('depth_to_water', 'rainfall')") || sql.contains("parameter = "))
    );
    assert!(asked[1].contains("time >= TIMESTAMP '2026-11-22T17:00:00"), "{}", asked[1]);
    assert!(asked[4].contains("well_id = 'a<b>&'"), "{}", asked[4]);
}

#[test]
fn waterml_says_what_each_point_is() {
    let reply = with_readings(3).get("/api/v1/export?format=waterml");
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/xml"));
    let text = reply.text();
    for expected in [
        "<gml:identifier codeSpace=\"urn:x-gwbank:well\">a&lt;b&gt;&amp;</gml:identifier>",
        "gml:id=\"well-a_3c_b_3e__26_\"",
        "<gml:name>&quot;A&quot; &amp; B</gml:name><gml:name>บ่อ</gml:name>",
        "<sa:sampledFeature xlink:title=\"Khorat &lt;upper&gt;\"/>",
        "<gml:pos>14.97 102.125</gml:pos>",
        "<wml2:time>2026-11-23T10:15:00+07:00</wml2:time><wml2:value>0.30000000000000004</wml2:value></wml2:MeasurementTVP>",
        "<wml2:uom code=\"mm\"/>",
        "interpolationType/TotalPrec\"",
        "quality/suspect\"",
        "<swe:Category definition=\"#qc_tests\"><swe:value>spike</swe:value></swe:Category>",
        "<swe:Category definition=\"#approval\"><swe:value>approved</swe:value></swe:Category>",
        "<wml2:nilReason xlink:href=\"http://www.opengis.net/def/nil/OGC/0/missing\"",
        "<wml2:censoredReason xlink:href=\"http://www.opengis.net/def/nil/OGC/0/BelowDetectionRange\"",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(
        !text.contains("well-W-1") && text.matches("<wml2:point>").count() == 4,
        "unplanned series are left out: {text}"
    );
    assert!(text.ends_with("</wml2:Collection>\n"));
}

#[test]
fn an_export_that_breaks_off_is_unfinished() {
    let server = with_readings(3);
    let error = SqlError::new(SqlErrorKind::Limit("seconds".into()), "too long");
    let many = vec![rows(); 20_000];
    let answers = vec![("count(*) AS n", Script::Rows(vec![counts(3)])), ("", Script::BreaksAfter(many, error))];
    *server.sql.script.lock() = Some(Script::ByText(answers));
    for format in ["csv", "waterml"] {
        let answer = server.raw(&format!("GET /api/v1/export?format={format} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.ends_with("0\r\n\r\n"), "{format}: it looks whole");
    }
}

#[test]
fn a_selection_is_checked_before_anything_is_asked() {
    let server = with_readings(3);
    for (query, problem) in [
        ("well=W-0,W-9", "unknown-well"),
        ("province=99", "bad-parameter"),
        ("aquifer=Atlantis", "bad-parameter"),
        ("parameter=level", "bad-parameter"),
        ("quality=5", "bad-parameter"),
        ("interval=hourly", "bad-parameter"),
        ("format=xlsx", "bad-parameter"),
        ("from=2026-02-01&to=2026-02-01", "bad-parameter"),
        ("wells=W-0", "bad-parameter"),
    ] {
        server.get(&format!("/api/v1/export?{query}")).problem(problem);
    }
    assert!(server.sql.asked.lock().is_empty());
    assert!(Parameter::from_name("level").is_none());
}
