//! What all handlers share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gwbank_model::Timestamp;
use gwbank_notice::LinkKey;
use gwbank_notice::cap::CapSender;
use gwbank_runtime::Shutdown;
use gwbank_store::Metadata;

use crate::auth::{Authenticator, Credentials};
use crate::broken_answers::BrokenAnswers;
use crate::doors::{FlagsDoor, IngestDoor, LineDoor, OperationsDoor, ReviewDoor, SqlDoor};
use crate::guard::Hosts;
use crate::metrics::{HttpRequests, TimeHistogram};
use crate::routes::scorecard::ScorecardRules;

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
            version,
        } = parts;
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
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("authenticator", &self.authenticator).finish_non_exhaustive()
    }
}
