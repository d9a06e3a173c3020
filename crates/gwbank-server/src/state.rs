//! What all handlers share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method, header};
use gwbank_model::Timestamp;
use gwbank_notice::LinkKey;
use gwbank_notice::cap::CapSender;
use gwbank_runtime::{FailureLimit, Shutdown};
use gwbank_store::Metadata;

use crate::auth::{Access, Authenticator, Credentials, Principal};
use crate::broken_answers::BrokenAnswers;
use crate::doors::{FlagsDoor, IngestDoor, LineDoor, OperationsDoor, ReviewDoor, SqlDoor};
use crate::guard::{Hosts, Peer};
use crate::metrics::{HttpRequests, TimeHistogram};
use crate::problem::{Kind, Problem};
use crate::routes::scorecard::ScorecardRules;
use crate::session::{Session, Sessions};

/// Bounds of one server, each against a client that sends or asks without end.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Until an answer begins; a query's own limit is the engine's.
    pub request_time: Duration,
    /// Until a request's headers are complete; a slow sender may not hold a connection for nothing.
    pub header_time: Duration,
    /// Without progress in writing an answer: a client that asks and does not read may not hold its place.
    pub write_stall_time: Duration,
    /// For one posted message of readings: far above any gateway's, far below memory.
    pub readings_bytes_max: usize,
    /// For a file of wells or installations; 100,000 wells are some 20 MiB.
    pub import_bytes_max: usize,
    /// For a statement.
    pub sql_bytes_max: usize,
    pub connections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_time: Duration::from_secs(120),
            header_time: Duration::from_secs(15),
            write_stall_time: Duration::from_secs(60),
            readings_bytes_max: 16 << 20,
            import_bytes_max: 64 << 20,
            sql_bytes_max: 1 << 20,
            connections_max: 1024,
        }
    }
}

/// Which Host headers an open server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Bound to loopback: loopback names and the host of `public_url` only.
    Loopback,
    /// Bound wider on purpose.
    Anywhere,
}

/// What those may who are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublicView {
    /// Whether they may look at wells, series, indicators, provinces and flags.
    pub permitted: bool,
    /// Of one address; 0: no bound.
    pub requests_per_minute: u32,
}

pub struct AppParts {
    pub sql: Arc<dyn SqlDoor>,
    pub ingest: Arc<dyn IngestDoor>,
    pub flags: Arc<dyn FlagsDoor>,
    pub reviews: Arc<dyn ReviewDoor>,
    pub operations: Arc<dyn OperationsDoor>,
    /// Where LINE is configured.
    pub line: Option<Arc<dyn LineDoor>>,
    pub links: LinkKey,
    pub cap: CapSender,
    pub scorecard: ScorecardRules,
    /// Ends answers that would go on for ever.
    pub shutdown: Shutdown,
    pub metadata: Arc<dyn Metadata>,
    pub credentials: Credentials,
    pub limits: Limits,
    pub reach: Reach,
    pub public_url: Option<String>,
    pub public_view: PublicView,
    pub version: &'static str,
}

pub struct App {
    pub(crate) sql: Arc<dyn SqlDoor>,
    pub(crate) ingest: Arc<dyn IngestDoor>,
    pub(crate) flags: Arc<dyn FlagsDoor>,
    pub(crate) reviews: Arc<dyn ReviewDoor>,
    pub(crate) operations: Arc<dyn OperationsDoor>,
    pub(crate) line: Option<Arc<dyn LineDoor>>,
    pub(crate) links: LinkKey,
    pub(crate) cap: CapSender,
    pub(crate) scorecard: ScorecardRules,
    pub(crate) shutdown: Shutdown,
    pub(crate) public_url: Option<String>,
    /// When each sender of LINE came or left last, by LINE's clock.
    pub(crate) line_events: parking_lot::Mutex<HashMap<String, i64>>,
    pub(crate) last_transition: tokio::sync::Mutex<Option<(Instant, i64)>>,
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) authenticator: Authenticator,
    pub(crate) sessions: Sessions,
    public_view: PublicView,
    public_requests: parking_lot::Mutex<FailureLimit<Option<Peer>>>,
    pub(crate) limits: Limits,
    pub(crate) hosts: Hosts,
    pub(crate) version: &'static str,
    pub(crate) http_requests: HttpRequests,
    pub(crate) query_seconds: Arc<TimeHistogram>,
    pub(crate) broken_answers: BrokenAnswers,
}

impl App {
    pub fn new(parts: AppParts) -> Arc<Self> {
        let AppParts {
            sql,
            ingest,
            flags,
            reviews,
            operations,
            line,
            links,
            cap,
            scorecard,
            shutdown,
            metadata,
            credentials,
            limits,
            reach,
            public_url,
            public_view,
            version,
        } = parts;
        let sessions = Sessions::new(&links);
        let hosts = match reach {
            Reach::Loopback => Hosts::loopback(public_url.as_deref()),
            Reach::Anywhere => Hosts::any(),
        };
        Arc::new(Self {
            sql,
            ingest,
            flags,
            reviews,
            operations,
            line,
            links,
            cap,
            scorecard,
            shutdown,
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            line_events: parking_lot::Mutex::default(),
            last_transition: tokio::sync::Mutex::new(None),
            metadata,
            authenticator: Authenticator::new(credentials),
            sessions,
            public_view,
            public_requests: parking_lot::Mutex::new(FailureLimit::new(
                public_view.requests_per_minute,
                Duration::from_secs(60),
            )),
            limits,
            hosts,
            version,
            http_requests: HttpRequests::default(),
            query_seconds: Arc::new(TimeHistogram::default()),
            broken_answers: BrokenAnswers::default(),
        })
    }

    /// The last month of a province that has closed.
    pub fn closed_month(&self, province: &str) -> gwbank_model::Month {
        self.flags.province_standing(province).month
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.operations.now()
    }

    /// The session of a request, and whose it is.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<(Session, Principal)> {
        let session = self.sessions.of(headers, self.now())?;
        let principal = self.authenticator.still(&session.name, &session.stamp)?;
        Some((session, principal))
    }

    /// Who a request comes from: by its Authorization header, else by its session, else nobody known, where that is permitted.
    pub(crate) async fn principal(
        &self,
        method: &Method,
        headers: &HeaderMap,
        peer: Option<Peer>,
    ) -> Result<Principal, Problem> {
        if self.authenticator.is_open() || headers.contains_key(header::AUTHORIZATION) {
            return self.authenticator.authenticate(headers, peer).await;
        }
        if let Some((session, principal)) = self.session(headers) {
            if changes(method) && !self.sessions.has_token(&session, headers) {
                let detail = "send the session's token, from GET /api/v1/session, in the header x-csrf-token";
                return Err(Problem::new(Kind::CSRF, detail));
            }
            return Ok(principal);
        }
        if !self.public_view.permitted {
            return self.authenticator.authenticate(headers, peer).await;
        }
        if self.public_view.requests_per_minute > 0 {
            let (mut requests, now) = (self.public_requests.lock(), Instant::now());
            if requests.is_reached(&peer, now) {
                let detail = "too many requests came from this address within a minute; log in, or wait";
                return Err(Problem::new(Kind::TOO_MANY_REQUESTS, detail));
            }
            requests.note(peer, now);
        }
        Ok(Principal::public())
    }

    /// What whoever asks is told who is not logged in and may not do this.
    pub(crate) fn refuse(&self, principal: &Principal, access: Access) -> Problem {
        if principal.is_public() {
            let detail = format!("log in; this is for: {}", access.roles());
            return Problem::new(Kind::UNAUTHENTICATED, detail);
        }
        let detail = format!("role {} may not; this is for: {}", principal.role, access.roles());
        Problem::new(Kind::FORBIDDEN, detail)
    }
}

/// Whether a request of the method may change something.
pub(crate) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("authenticator", &self.authenticator).finish_non_exhaustive()
    }
}
