//! `POST /api/v1/sql`: one read-only statement, its answer in one of four formats.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use axum::{Extension, Json};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use gwbank_model::Timestamp;

use super::input;
use crate::auth::Principal;
use crate::broken_answers::BrokenAnswers;
use crate::doors::SqlError;
use crate::encode::{SqlFormat, encode};
use crate::metrics::TimeHistogram;
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{ProblemView, SqlRequest};

/// Names an answer, for whoever asks why it broke off.
const ANSWER_ID: HeaderName = HeaderName::from_static("gwbank-answer");

/// What an answer holds back at its beginning: one that fails within it is told so by its status. Most answers that a
/// person asks for are shorter.
const HELD_BACK_BYTES: usize = 256 << 10;
/// A slow query shows its first rows after so long.
const HELD_BACK_TIME: Duration = Duration::from_millis(500);

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

/// Runs one read-only statement. The `Accept` header chooses the format, `Accept-Encoding` the compression.
///
/// Instants are in Thai time in JSON and CSV, in UTC in Arrow and Parquet. `seq` is larger than what JavaScript's numbers
/// hold exactly. An answer that fails after its first rows ends the connection without its last chunk; why is told by
/// `GET /api/v1/sql/{id}`, with the id of the header `gwbank-answer`. A statement that cannot be planned has its place in the
/// problem's members `line` and `column`, each from 1, where it is known.
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
pub async fn run(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response<Body>> {
    let accept = headers.get(header::ACCEPT).map(|value| value.to_str().unwrap_or("?"));
    let format = SqlFormat::from_accept(accept)?;
    input::require_type(&headers, &["application/json"])?;
    let bytes = input::body(&headers, body, app.limits.sql_bytes_max).await?;
    let request: SqlRequest = input::json(&bytes)?;
    if request.sql.trim().is_empty() {
        return Err(Problem::new(Kind::INVALID_SQL, "the statement is empty"));
    }
    let known_at = request.as_known_at.as_deref().map(instant).transpose()?;
    let time = QueryTime { began: Instant::now(), histogram: app.query_seconds.clone() };
    let answered = async {
        let answer = match known_at {
            None => app.sql.query(&principal.name, &request.sql).await?,
            Some(at) => app.sql.query_as_known_at(&principal.name, &request.sql, at).await?,
        };
        hold_back(encode(format, answer).await?).await
    };
    let bytes = answered.await?;
    let mut response = streamed(&app, bytes, format.content_type(), time);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// An answer that streams; why it breaks off, if it does, is remembered under its id. `held` lives as long as the answer does.
pub(super) fn streamed<T: Send + 'static>(
    app: &Arc<App>,
    bytes: BoxStream<'static, Result<Bytes, SqlError>>,
    content_type: &'static str,
    held: T,
) -> Response<Body> {
    let id = BrokenAnswers::new_id();
    let named = HeaderValue::from_str(&id).expect("hexadecimal");
    let app = app.clone();
    let bytes = bytes.map(move |chunk| {
        let _held = &held;
        chunk.inspect_err(|error| {
            tracing::warn!(%error, answer = id, "an answer broke off");
            app.broken_answers.remember(&id, error.clone().into());
        })
    });
    let mut response = Response::new(Body::from_stream(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(ANSWER_ID, named);
    response
}

fn instant(text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| {
        let told =
            format!("as_known_at: {text:?} is no instant; write it with its offset, such as 2026-05-01T00:00:00+07:00");
        Problem::new(Kind::INVALID_SQL, told)
    })
}

/// Waits for the beginning of an answer, or for all of a short one.
pub(super) async fn hold_back(
    bytes: BoxStream<'static, Result<Bytes, SqlError>>,
) -> Result<BoxStream<'static, Result<Bytes, SqlError>>, SqlError> {
    let mut bytes = bytes.fuse();
    let (mut held, mut size) = (Vec::new(), 0);
    let mut patience = std::pin::pin!(tokio::time::sleep(HELD_BACK_TIME));
    while size < HELD_BACK_BYTES {
        tokio::select! {
            biased;
            next = bytes.next() => match next.transpose()? {
                Some(chunk) => {
                    size += chunk.len();
                    held.push(Ok(chunk));
                }
                None => break,
            },
            () = &mut patience => break,
        }
    }
    Ok(stream::iter(held).chain(bytes).boxed())
}

/// Why an answer broke off after its first rows, as a problem document. Remembered for the latest of them.
#[utoipa::path(get, path = "/api/v1/sql/{id}", tag = "sql", params(
    ("id" = String, Path, description = "the header `gwbank-answer` of the answer"),
), responses(
    (status = 200, description = "the reason", body = ProblemView),
    (status = 404, description = "no such answer broke off", body = ProblemView, content_type = "application/problem+json"),
))]
pub async fn broken(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer<Json<serde_json::Value>> {
    let reason = app.broken_answers.reason(&id);
    reason.map(|problem| Json(problem.to_json())).ok_or_else(|| {
        Problem::new(Kind::UNKNOWN_ANSWER, "no answer of this id broke off, or it is forgotten: run the query again")
    })
}
