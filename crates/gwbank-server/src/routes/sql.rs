//! `POST /api/v1/sql`: one read-only statement, its answer in one of four formats.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use futures::StreamExt;

use super::input;
use crate::doors::{SqlError, SqlErrorKind};
use crate::encode::{SqlFormat, encode};
use crate::metrics::TimeHistogram;
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{ProblemView, SqlRequest};

/// Counts the time of a query when it ends, however it ends.
struct QueryTime {
    began: Instant,
    histogram: Arc<TimeHistogram>,
}

impl Drop for QueryTime {
    fn drop(&mut self) {
        self.histogram.observe(self.began.elapsed());
    }
}

/// Runs one read-only statement. The `Accept` header chooses the format.
///
/// Instants are in Thai time in JSON and CSV, in UTC in Arrow and Parquet. `seq` is larger than what JavaScript's numbers
/// hold exactly. An answer that breaks off ends the connection without its last chunk.
#[utoipa::path(post, path = "/api/v1/sql", tag = "sql", request_body = SqlRequest, responses(
    (status = 200, description = "the rows", content(
        (Vec<std::collections::HashMap<String, serde_json::Value>> = "application/json"),
        (String = "text/csv"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"),
        (Vec<u8> = "application/vnd.apache.parquet"),
    )),
    (status = 403, description = "not a reading statement", body = ProblemView, content_type = "application/problem+json"),
    (status = 422, description = "not a query that can be planned, a value that it fails on, or a limit", body = ProblemView, content_type = "application/problem+json"),
    (status = 429, description = "too many queries at once", body = ProblemView, content_type = "application/problem+json"),
))]
pub async fn run(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer<Response<Body>> {
    let accept = headers.get(header::ACCEPT).map(|value| value.to_str().unwrap_or("?"));
    let format = SqlFormat::from_accept(accept)?;
    input::require_type(&headers, &["application/json"])?;
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    let request: SqlRequest = input::json(&bytes)?;
    if request.sql.trim().is_empty() {
        return Err(Problem::new(Kind::INVALID_SQL, "the statement is empty"));
    }
    let time = QueryTime { began: Instant::now(), histogram: app.query_seconds.clone() };
    let answered = async {
        let answer = app.sql.query(&request.sql).await?;
        encode(format, answer).await
    };
    let bytes = answered.await.inspect_err(|error| count_rejection(&app, error))?;
    let bytes = bytes.map(move |chunk| {
        let _running = &time; // lives as long as the answer does
        chunk.inspect_err(|error| {
            count_rejection(&app, error);
            tracing::warn!(%error, "an answer broke off");
        })
    });
    let mut response = Response::new(Body::from_stream(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

fn count_rejection(app: &App, error: &SqlError) {
    if let SqlErrorKind::Limit(limit) = &error.kind {
        app.queries_rejected.add(limit, 1);
    }
}
