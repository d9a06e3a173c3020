//! Reading what a request carries, with a problem document for everything that can be wrong with it.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use gwbank_model::Timestamp;
use gwbank_registry::places;
use serde::de::DeserializeOwned;

use crate::problem::{Answer, Kind, Problem};

/// The query of a URL, where unknown or malformed parameters are a problem.
pub struct Parameters<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(Problem::new(Kind::BAD_PARAMETER, rejection.body_text())),
        }
    }
}

/// One name in the path.
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(rejection) => Err(Problem::new(Kind::BAD_REQUEST, rejection.body_text())),
        }
    }
}

/// The media type of the body, without its parameters, in lower case.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
}

/// A content type that a page of another server cannot send without asking first, and that says what the body is.
pub fn require_type(headers: &HeaderMap, accepted: &[&str]) -> Answer<String> {
    let given = media_type(headers);
    match given {
        Some(given) if accepted.contains(&given.as_str()) => Ok(given),
        other => {
            let detail = format!(
                "content type {} is not read here; send {}",
                other.as_deref().unwrap_or("(none)"),
                accepted.join(" or ")
            );
            Err(Problem::new(Kind::UNSUPPORTED_TYPE, detail).with("accepted", accepted.to_vec()))
        }
    }
}

/// The whole body, if it keeps to its bound.
pub async fn body(headers: &HeaderMap, body: Body, bytes_max: usize) -> Answer<Bytes> {
    let too_large = || {
        let detail = format!("the body is larger than {bytes_max} bytes; send it in parts");
        Problem::new(Kind::TOO_LARGE, detail).with("bytes_max", bytes_max as u64)
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, bytes_max).await.map_err(|error| {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            if cause.to_string().contains("length limit exceeded") {
                return too_large();
            }
            source = cause.source();
        }
        Problem::new(Kind::BAD_REQUEST, "the body broke off")
    })
}

/// A JSON body of a known shape.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(Kind::BAD_REQUEST, format!("the body is not the JSON expected here: {error}"))
            .with("line", error.line() as u64)
            .with("column", error.column() as u64)
    })
}

/// A JSON body that may be left out.
pub fn json_or_default<T: DeserializeOwned + Default>(bytes: &[u8]) -> Answer<T> {
    if bytes.is_empty() { Ok(T::default()) } else { json(bytes) }
}

/// An instant in a query: RFC 3339, or a day, which starts in Thailand.
pub fn instant(name: &str, text: &str) -> Answer<Timestamp> {
    // An unescaped plus sign of an offset arrives as a space.
    let mended = text.replace(' ', "+");
    Timestamp::parse_rfc3339(&mended)
        .or_else(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00+07:00")))
        .ok_or_else(|| {
            let detail = format!("{name}={text:?} is neither RFC 3339 with an offset nor a day such as 2026-11-23");
            Problem::bad_parameter(name, detail)
        })
}

/// The last instant of a stretch, both ends of which are inside: of a day its end.
pub fn end(name: &str, text: &str) -> Answer<Timestamp> {
    let is_day = text.len() == "2026-11-23".len();
    instant(name, text).map(|time| if is_day { time.plus_secs(86_400).plus_micros(-1) } else { time })
}

/// One of fixed names in a query.
pub fn named<T: std::str::FromStr>(name: &str, text: &str, all: impl Fn() -> Vec<&'static str>) -> Answer<T> {
    text.parse().map_err(|_| {
        let detail = format!("{name}={text:?} is not one of {}", all().join(", "));
        Problem::bad_parameter(name, detail)
    })
}

/// The code of a province in a query.
pub fn province(code: Option<&str>) -> Answer<Option<&str>> {
    match code {
        Some(code) if places::province(code).is_none() => {
            let detail = format!("province={code:?} is no province; codes have two digits, such as 30");
            Err(Problem::bad_parameter("province", detail))
        }
        known => Ok(known),
    }
}

/// Bound of one page of a list.
const PAGE_MAX: usize = 10_000;

/// The part of a list that `offset` and `limit` ask for.
pub fn page<T>(items: Vec<T>, offset: Option<usize>, limit: Option<usize>) -> (u64, Vec<T>) {
    let total = items.len() as u64;
    let limit = limit.unwrap_or(1000).min(PAGE_MAX);
    (total, items.into_iter().skip(offset.unwrap_or(0)).take(limit).collect())
}
