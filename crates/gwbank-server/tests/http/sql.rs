//! The four formats parse back to the same rows; errors name their limit; broken answers look broken.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, ListArray, RecordBatch, StringDictionaryBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use gwbank_server::doors::{SqlError, SqlErrorKind, SqlPlace};
use gwbank_server::encode::SqlFormat;

use crate::fakes::{Reply, Script, Server};

fn rows(from: i64, to: i64) -> RecordBatch {
    let mut wells = StringDictionaryBuilder::<Int32Type>::new();
    for row in from..to {
        wells.append_value(format!("W-{}", row % 3));
    }
    let times = TimestampMicrosecondArray::from_iter_values((from..to).map(|row| 1_795_403_700_000_000 + row));
    let values: Float64Array = (from..to).map(|row| if row == 1 { None } else { Some(row as f64 / 8.0) }).collect();
    let odd: Float64Array = (from..to).map(|row| Some(if row == 2 { f64::NAN } else { 0.1 })).collect();
    let seqs = Int64Array::from_iter_values((from..to).map(|row| (1 << 60) + row));
    RecordBatch::try_from_iter_with_nullable([
        ("well_id", Arc::new(wells.finish()) as ArrayRef, false),
        ("time", Arc::new(times.with_timezone("UTC")) as ArrayRef, false),
        ("value", Arc::new(values) as ArrayRef, true),
        ("odd", Arc::new(odd) as ArrayRef, true),
        ("seq", Arc::new(seqs) as ArrayRef, false),
    ])
    .unwrap()
}

fn ask(server: &Server, accept: &str) -> Reply {
    let headers = [("content-type", "application/json"), ("accept", accept)];
    let reply = server.send("POST", "/api/v1/sql", &headers, br#"{"sql":"SELECT 1"}"#);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.header("content-type").starts_with(accept), "{}", reply.header("content-type"));
    reply
}

fn with_rows() -> Server {
    let server = Server::open();
    *server.sql.script.lock() = Some(Script::Rows(vec![rows(0, 3), rows(3, 1000)]));
    server
}

#[test]
fn json_has_thai_time_exact_integers_and_no_nan() {
    let reply = ask(&with_rows(), "application/json");
    let rows = reply.json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 1000);
    assert_eq!(rows[0]["well_id"], "W-0");
    assert_eq!(rows[0]["time"], "2026-11-23T10:15:00+07:00");
    assert_eq!(rows[1]["value"], serde_json::Value::Null);
    assert_eq!(rows[2]["odd"], serde_json::Value::Null, "NaN is not a JSON number");
    assert_eq!(rows[999]["value"], 999.0 / 8.0);
    assert!(reply.text().contains(&((1i64 << 60) + 999).to_string()), "integers stay exact");
}

#[test]
fn csv_parses_back() {
    let reply = ask(&with_rows(), "text/csv");
    let mut lines = reply.text().lines();
    assert_eq!(lines.next(), Some("well_id,time,value,odd,seq"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 1000);
    assert_eq!(lines[0], "W-0,2026-11-23T10:15:00+07:00,0.0,0.1,1152921504606846976");
    assert_eq!(lines[1], "W-1,2026-11-23T10:15:00.000001+07:00,,0.1,1152921504606846977");
    assert_eq!(lines[2].split(',').nth(3), Some(""), "NaN is empty");
}

#[test]
fn csv_writes_nested_values_as_text_and_a_header_for_no_rows() {
    let server = Server::open();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), Some(2)]), None]);
    let batch = RecordBatch::try_from_iter([("numbers", Arc::new(list) as ArrayRef)]).unwrap();
    *server.sql.script.lock() = Some(Script::Rows(vec![batch.clone()]));
    let reply = ask(&server, "text/csv");
    assert_eq!(reply.text(), "numbers\n\"[1, 2]\"\n\"\"\n");
    *server.sql.script.lock() = Some(Script::Rows(vec![batch.slice(0, 0)]));
    assert_eq!(ask(&server, "text/csv").text(), "numbers\n");
    assert_eq!(ask(&server, "application/json").json(), serde_json::json!([]));
}

#[test]
fn arrow_parses_back_with_its_types() {
    let reply = ask(&with_rows(), "application/vnd.apache.arrow.stream");
    let reader = arrow::ipc::reader::StreamReader::try_new(reply.body.as_slice(), None).unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    assert_eq!(batches[0], rows(0, 3));
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1000);
}

#[test]
fn parquet_parses_back() {
    let reply = ask(&with_rows(), "application/vnd.apache.parquet");
    let bytes = bytes::Bytes::from(reply.body);
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(all.num_rows(), 1000);
    assert_eq!(all.column_by_name("value").unwrap().as_primitive::<Float64Type>().value(999), 999.0 / 8.0);
    assert_eq!(all.schema().field_with_name("time").unwrap().data_type(), rows(0, 1).schema().field(1).data_type());
}

/// More than an answer holds back, in every format.
const MANY: i64 = 40_000;

fn too_long() -> SqlError {
    SqlError::new(SqlErrorKind::Limit("seconds".into()), "too long")
}

#[test]
fn a_short_answer_that_fails_after_its_first_rows_is_told_by_its_status() {
    let server = Server::open();
    *server.sql.script.lock() = Some(Script::BreaksAfter(vec![rows(0, 3), rows(3, 6)], too_long()));
    for accept in SqlFormat::ALL.map(SqlFormat::media_type) {
        let headers = [("content-type", "application/json"), ("accept", accept)];
        let reply = server.send("POST", "/api/v1/sql", &headers, br#"{"sql":"SELECT 1"}"#);
        assert_eq!((reply.status, reply.json()["detail"].as_str()), (422, Some("too long")), "{accept}");
    }
}

#[test]
fn a_long_answer_that_breaks_off_is_unfinished_and_says_why_when_asked() {
    let server = Server::open();
    *server.sql.script.lock() = Some(Script::BreaksAfter(vec![rows(0, MANY)], too_long()));
    for accept in ["application/json", "text/csv", "application/vnd.apache.arrow.stream"] {
        let (sql, length) = (r#"{"sql":"SELECT 1"}"#, 18);
        let answer = server.raw(&format!(
            "POST /api/v1/sql HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{sql}"
        ));
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.ends_with("0\r\n\r\n"), "{accept}: it looks whole");
        let (_, rest) = answer.split_once("gwbank-answer: ").unwrap();
        let reason = server.get(&format!("/api/v1/sql/{}", &rest[..32]));
        assert_eq!((reason.status, reason.json()["detail"].as_str()), (200, Some("too long")), "{accept}");
        assert!(reason.json()["type"].as_str().unwrap().ends_with("query-limit-seconds"));
    }
    let unknown = server.get("/api/v1/sql/0123456789abcdef0123456789abcdef");
    assert_eq!((unknown.status, unknown.json()["status"].as_u64()), (404, Some(404)));
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains("gwbank_query_seconds_count 3"), "{}", metrics.text());
}

#[test]
fn errors_before_the_first_row_have_a_type_of_their_own() {
    let server = Server::open();
    let limit = |name: &str| SqlErrorKind::Limit(name.into());
    for (kind, name, status) in [
        (SqlErrorKind::Invalid, "invalid-sql", 422),
        (SqlErrorKind::Failed, "query-failed", 422),
        (SqlErrorKind::ReadOnly, "read-only", 403),
        (limit("rows"), "query-limit-rows", 422),
        (limit("memory_bytes"), "query-limit-memory", 422),
        (limit("seconds"), "query-limit-seconds", 422),
        (limit("concurrent"), "query-limit-concurrent", 429),
        (limit("spill_bytes"), "query-limit-spill", 422),
        (SqlErrorKind::ArchiveUnavailable, "archive-unavailable", 503),
        (SqlErrorKind::Internal, "internal", 500),
    ] {
        let error = SqlError::new(kind, "why");
        for script in [Script::Fails(error.clone()), Script::BreaksAfter(Vec::new(), error)] {
            *server.sql.script.lock() = Some(script);
            let reply = server.post_json("/api/v1/sql", r#"{"sql":"SELECT 1"}"#);
            assert_eq!(reply.status, status);
            reply.problem(name);
        }
    }
}

#[test]
fn the_place_of_an_error_is_told_with_it() {
    let server = Server::open();
    let place = Some(SqlPlace { line: 2, column: 7 });
    let error = SqlError { place, ..SqlError::new(SqlErrorKind::Invalid, "no such column") };
    *server.sql.script.lock() = Some(Script::Fails(error));
    let problem = server.post_json("/api/v1/sql", r#"{"sql":"SELECT 1"}"#).problem("invalid-sql");
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(2), Some(7)));
}

fn plain(coding: &str, bytes: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut plain = Vec::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap(),
        "zstd" => zstd::stream::read::Decoder::new(bytes).unwrap().read_to_end(&mut plain).unwrap(),
        other => panic!("{other}"),
    };
    plain
}

#[test]
fn answers_are_compressed_as_the_client_reads_them_and_parquet_never() {
    let server = with_rows();
    for format in SqlFormat::ALL {
        let whole = ask(&server, format.media_type());
        for coding in ["gzip", "zstd"] {
            let headers =
                [("content-type", "application/json"), ("accept", format.media_type()), ("accept-encoding", coding)];
            let reply = server.send("POST", "/api/v1/sql", &headers, br#"{"sql":"SELECT 1"}"#);
            if format == SqlFormat::Parquet {
                assert_eq!((reply.header("content-encoding"), reply.body.len()), ("", whole.body.len()));
                continue;
            }
            assert_eq!(reply.header("content-encoding"), coding, "{format:?}");
            let vary: Vec<&str> = reply.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(vary, ["Accept", "Accept-Encoding"]);
            assert!(
                reply.body.len() * 2 < whole.body.len(),
                "{format:?}: {} of {}",
                reply.body.len(),
                whole.body.len()
            );
            assert!(plain(coding, &reply.body) == whole.body, "{format:?} {coding}");
        }
    }
    // Too short to gain.
    let headers = [("accept-encoding", "gzip")];
    assert_eq!(server.send("GET", "/healthz", &headers, &[]).header("content-encoding"), "");
}

#[test]
fn a_compressed_answer_that_breaks_off_is_unfinished_too() {
    let server = Server::open();
    *server.sql.script.lock() = Some(Script::BreaksAfter(vec![rows(0, MANY)], too_long()));
    for coding in ["gzip", "zstd"] {
        let answer = server.raw(&format!(
            "POST /api/v1/sql HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {coding}\r\n\
             content-type: application/json\r\ncontent-length: 18\r\n\r\n{{\"sql\":\"SELECT 1\"}}"
        ));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("content-encoding: {coding}")));
        assert!(!answer.ends_with("0\r\n\r\n"), "{coding}: it looks whole");
    }
}

#[test]
fn requests_that_are_not_a_statement_are_refused() {
    let server = Server::open();
    server.post_json("/api/v1/sql", r#"{"sql":"  "}"#).problem("invalid-sql");
    server.post_json("/api/v1/sql", r#"{"query":"SELECT 1"}"#).problem("bad-request");
    server.post_json("/api/v1/sql", "SELECT 1").problem("bad-request");
    let plain = server.send("POST", "/api/v1/sql", &[("content-type", "text/plain")], br#"{"sql":"SELECT 1"}"#);
    assert_eq!(plain.status, 415, "a form of another site may send text/plain without asking");
    plain.problem("unsupported-type");
    let html = [("content-type", "application/json"), ("accept", "text/html")];
    server.send("POST", "/api/v1/sql", &html, br#"{"sql":"SELECT 1"}"#).problem("not-acceptable");
    assert!(server.sql.asked.lock().is_empty());
}
