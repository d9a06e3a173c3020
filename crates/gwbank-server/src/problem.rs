//! RFC 9457 problem details: every error that leaves over HTTP.
//!
//! The `type` of a problem is a place in the server's own documentation, `/api/docs#problem-{name}`, so that it can be
//! followed wherever the server runs. Names are fixed; a program may branch on them.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use gwbank_registry::import::RowFault;
use serde_json::{Map, Value, json};

use crate::doors::{FlagsDoorError, IngestDoorError, ReviewDoorError, SqlError, SqlErrorKind};

pub const CONTENT_TYPE: &str = "application/problem+json";

/// A kind of problem: fixed name, status and title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
}

macro_rules! kinds {
    ($($const:ident = $name:literal, $status:ident, $title:literal;)*) => {
        impl Kind {
            $(pub const $const: Kind = Kind { name: $name, status: StatusCode::$status, title: $title };)*
            /// All kinds, for the documentation page.
            pub const ALL: &'static [Kind] = &[$(Kind::$const,)*];
        }
    };
}

kinds! {
    BAD_REQUEST = "bad-request", BAD_REQUEST, "the request cannot be read";
    BAD_PARAMETER = "bad-parameter", BAD_REQUEST, "a query parameter is missing or wrong";
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, "credentials are missing or wrong";
    TOO_MANY_FAILURES = "too-many-failures", TOO_MANY_REQUESTS, "too many wrong passwords";
    TOO_MANY_REQUESTS = "too-many-requests", TOO_MANY_REQUESTS, "too many requests of somebody who is not known";
    CSRF = "csrf", FORBIDDEN, "the token of the session is missing or wrong";
    FORBIDDEN = "forbidden", FORBIDDEN, "the role does not permit this";
    FOREIGN_HOST = "foreign-host", MISDIRECTED_REQUEST, "the Host header names another server";
    FOREIGN_ORIGIN = "foreign-origin", FORBIDDEN, "the request comes from a page of another server";
    NOT_FOUND = "not-found", NOT_FOUND, "there is nothing here";
    UNKNOWN_WELL = "unknown-well", NOT_FOUND, "no well has this id";
    UNKNOWN_PROVINCE = "unknown-province", NOT_FOUND, "no province has this code";
    UNKNOWN_FLAG = "unknown-flag", NOT_FOUND, "no condition flag has this id";
    UNKNOWN_CONTACT = "unknown-contact", NOT_FOUND, "no contact has this id";
    UNKNOWN_DOCUMENT = "unknown-document", NOT_FOUND, "no CAP document has this identifier";
    LINK = "link", FORBIDDEN, "the link is not good any more";
    UNKNOWN_DEAD_LETTER = "unknown-dead-letter", NOT_FOUND, "no dead letter has this id";
    UNKNOWN_ANSWER = "unknown-answer", NOT_FOUND, "no answer of this id broke off";
    METHOD_NOT_ALLOWED = "method-not-allowed", METHOD_NOT_ALLOWED, "this place does not know the method";
    NOT_ACCEPTABLE = "not-acceptable", NOT_ACCEPTABLE, "none of the accepted formats can be given";
    TIMEOUT = "timeout", REQUEST_TIMEOUT, "the request took too long";
    CONFLICT = "conflict", CONFLICT, "the present state does not permit this";
    TOO_LARGE = "too-large", PAYLOAD_TOO_LARGE, "the body is larger than permitted";
    UNSUPPORTED_TYPE = "unsupported-type", UNSUPPORTED_MEDIA_TYPE, "the content type is not one that is read here";
    TOO_MANY_ACTIONS = "too-many-actions", TOO_MANY_REQUESTS, "one link has said a lot in the last hour";
    INVALID_ROWS = "invalid-rows", UNPROCESSABLE_ENTITY, "some rows are wrong and nothing was applied";
    ALL_DEAD = "no-reading-stored", UNPROCESSABLE_ENTITY, "no reading of the message could be stored";
    INVALID_SQL = "invalid-sql", UNPROCESSABLE_ENTITY, "the query cannot be planned";
    SQL_FAILED = "query-failed", UNPROCESSABLE_ENTITY, "the query failed on a value";
    READ_ONLY = "read-only", FORBIDDEN, "only reading statements are permitted";
    LIMIT_MEMORY = "query-limit-memory", UNPROCESSABLE_ENTITY, "the query needs more memory than permitted";
    LIMIT_ROWS = "query-limit-rows", UNPROCESSABLE_ENTITY, "the query gives more rows than permitted";
    LIMIT_SECONDS = "query-limit-seconds", UNPROCESSABLE_ENTITY, "the query takes longer than permitted";
    LIMIT_CONCURRENT = "query-limit-concurrent", TOO_MANY_REQUESTS, "too many queries run or wait already";
    LIMIT_SPILL = "query-limit-spill", UNPROCESSABLE_ENTITY, "the query needs more temporary disk than permitted";
    LIMIT_OTHER = "query-limit", UNPROCESSABLE_ENTITY, "the query reaches a limit";
    INGEST_FULL = "ingest-full", SERVICE_UNAVAILABLE, "nothing can be taken in now; send it again later";
    ARCHIVE_UNAVAILABLE = "archive-unavailable", SERVICE_UNAVAILABLE, "the history cannot be read now";
    SHUTTING_DOWN = "shutting-down", SERVICE_UNAVAILABLE, "the server is shutting down";
    NOT_READY = "not-ready", SERVICE_UNAVAILABLE, "some parts are not ready";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "an error of the server";
}

impl Kind {
    /// The URI reference that a problem document carries as its `type`.
    pub fn type_uri(self) -> String {
        format!("/api/docs#problem-{}", self.name)
    }

    fn of_limit(limit: &str) -> Kind {
        // The engine's names carry units (`memory_bytes_per_query`); the first word tells the limit.
        match limit.split(['_', '-', ' ']).next().unwrap_or(limit) {
            "memory" => Kind::LIMIT_MEMORY,
            "rows" => Kind::LIMIT_ROWS,
            "seconds" | "time" | "timeout" => Kind::LIMIT_SECONDS,
            "concurrent" | "waiting" => Kind::LIMIT_CONCURRENT,
            "spill" => Kind::LIMIT_SPILL,
            _ => Kind::LIMIT_OTHER,
        }
    }
}

/// An error on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub kind: Kind,
    pub detail: String,
    /// Further members of the document.
    pub members: Map<String, Value>,
}

pub type Answer<T> = Result<T, Problem>;

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), members: Map::new() }
    }

    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    pub fn bad_parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::new(Kind::BAD_PARAMETER, detail).with("parameter", name)
    }

    /// An error whose cause the log keeps and the client does not see.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let chain: Vec<String> = std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect();
        tracing::error!(error = chain.join(": "), "request failed");
        Self::new(Kind::INTERNAL, "the server's log has the cause")
    }

    pub fn to_json(&self) -> Value {
        let mut document = json!({
            "type": self.kind.type_uri(),
            "title": self.kind.title,
            "status": self.kind.status.as_u16(),
            "detail": self.detail,
        });
        if let Value::Object(members) = &mut document {
            members.extend(self.members.clone());
        }
        document
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = self.kind.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if self.kind == Kind::UNAUTHENTICATED {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gwbank\""));
            headers.append(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"gwbank\", charset=\"UTF-8\""),
            );
        }
        if matches!(self.kind, Kind::INGEST_FULL | Kind::LIMIT_CONCURRENT | Kind::ARCHIVE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if matches!(self.kind, Kind::TOO_MANY_FAILURES | Kind::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }
}

impl From<SqlError> for Problem {
    fn from(error: SqlError) -> Self {
        let place = error.place;
        let problem = match &error.kind {
            SqlErrorKind::Invalid => Problem::new(Kind::INVALID_SQL, error.message),
            SqlErrorKind::Failed => Problem::new(Kind::SQL_FAILED, error.message),
            SqlErrorKind::ReadOnly => Problem::new(Kind::READ_ONLY, error.message),
            SqlErrorKind::Limit(limit) => {
                let limit = limit.clone();
                Problem::new(Kind::of_limit(&limit), error.message).with("limit", limit)
            }
            SqlErrorKind::ArchiveUnavailable => Problem::new(Kind::ARCHIVE_UNAVAILABLE, error.message),
            SqlErrorKind::Internal => Problem::internal(&error),
        };
        match place {
            Some(place) => problem.with("line", place.line as u64).with("column", place.column as u64),
            None => problem,
        }
    }
}

/// Faults listed in one document; a file of another kind has one in every row.
const FAULTS_LISTED_MAX: usize = 1000;

impl Problem {
    /// A file of which nothing was applied.
    pub fn invalid_rows(faults: &[RowFault]) -> Self {
        let listed: Vec<_> = faults
            .iter()
            .take(FAULTS_LISTED_MAX)
            .map(|fault| {
                json!({
                    "line": fault.line,
                    "column": fault.column,
                    "value": fault.value,
                    "problem": fault.problem,
                    "mend": fault.mend,
                })
            })
            .collect();
        let detail = match faults.first() {
            Some(fault) => format!(
                "{}, the first: {fault}",
                if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) }
            ),
            None => "the file cannot be read".to_owned(),
        };
        Problem::new(Kind::INVALID_ROWS, detail).with("fault_count", faults.len() as u64).with("faults", listed)
    }
}

impl From<IngestDoorError> for Problem {
    fn from(error: IngestDoorError) -> Self {
        match &error {
            IngestDoorError::Full(detail) => Problem::new(Kind::INGEST_FULL, detail.clone()),
            IngestDoorError::Closed => Problem::new(Kind::SHUTTING_DOWN, error.to_string()),
            IngestDoorError::Refused(detail) => Problem::new(Kind::BAD_REQUEST, detail.clone()),
            IngestDoorError::Rows(faults) => Problem::invalid_rows(faults),
            IngestDoorError::Unavailable(detail) => Problem::new(Kind::ARCHIVE_UNAVAILABLE, detail.clone()),
            IngestDoorError::Failed(_) => Problem::internal(&error),
        }
    }
}

impl From<ReviewDoorError> for Problem {
    fn from(error: ReviewDoorError) -> Self {
        match error {
            ReviewDoorError::Refused(detail) => Problem::new(Kind::BAD_PARAMETER, detail),
            ReviewDoorError::Unknown(detail) => Problem::new(Kind::NOT_FOUND, detail),
            ReviewDoorError::Unavailable(detail) => Problem::new(Kind::ARCHIVE_UNAVAILABLE, detail),
        }
    }
}

impl From<FlagsDoorError> for Problem {
    fn from(error: FlagsDoorError) -> Self {
        match &error {
            FlagsDoorError::Closed | FlagsDoorError::Conflict(_) => Problem::new(Kind::CONFLICT, error.to_string()),
            FlagsDoorError::Refused(detail) => Problem::new(Kind::BAD_PARAMETER, detail.clone()),
            FlagsDoorError::Failed(_) => Problem::internal(&error),
        }
    }
}

impl From<gwbank_store::MetadataError> for Problem {
    fn from(error: gwbank_store::MetadataError) -> Self {
        match &error {
            gwbank_store::MetadataError::Unavailable(_) => {
                tracing::warn!(%error, "metadata is unavailable");
                Problem::new(Kind::ARCHIVE_UNAVAILABLE, error.to_string())
            }
            gwbank_store::MetadataError::Damaged(_) => Problem::internal(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_distinct_names_and_a_place_in_the_documentation() {
        let mut names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn each_limit_is_a_type_of_its_own_whatever_unit_its_name_carries() {
        for (limit, name) in [
            ("memory_bytes_per_query", "query-limit-memory"),
            ("rows_max", "query-limit-rows"),
            ("seconds", "query-limit-seconds"),
            ("concurrent_per_user", "query-limit-concurrent"),
            ("waiting", "query-limit-concurrent"),
            ("spill_bytes", "query-limit-spill"),
        ] {
            let error = SqlError::new(SqlErrorKind::Limit(limit.into()), "m");
            let problem = Problem::from(error);
            assert_eq!(problem.kind.name, name);
            assert_eq!(problem.to_json()["limit"], limit);
        }
    }

    #[test]
    fn an_internal_error_keeps_its_cause_to_itself() {
        let problem = Problem::from(SqlError::new(SqlErrorKind::Internal, "secret path"));
        assert!(!problem.to_json().to_string().contains("secret"));
    }
}
