//! Doors that answer from memory, and a server on a free port that uses them.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream;
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity, Transition};
use gwbank_model::{GatewayId, Month, Parameter, Seq, Timestamp, WellId};
use gwbank_notice::LinkKey;
use gwbank_notice::cap::CapSender;
use gwbank_registry::import::parse_limits;
use gwbank_registry::{BankType, Installation, Registry, Well};
use gwbank_runtime::ShutdownTrigger;
use gwbank_server::auth::Credentials;
use gwbank_server::doors::*;
use gwbank_server::metrics::MetricsText;
use gwbank_server::{App, AppParts, HttpServer, Limits, PublicView, Reach, router};
use gwbank_store::memory::MemoryMetadata;
use gwbank_store::{
    ConditionFlag, DeadLetterFilter, Drill, EffectiveLimit, FlagAction, FlagNote, FlagTransition, GatewayCounts,
    GatewayRecord, Hold, LimitSource, Metadata, NewReview, QualityLimitKey, Review, ReviewId, Reviews, WatchCommit,
    Withdrawal,
};
use parking_lot::Mutex;

/// What the fake engine answers to the next query.
#[derive(Clone)]
pub enum Script {
    Rows(Vec<RecordBatch>),
    Fails(SqlError),
    /// Rows, then an error in the midst.
    BreaksAfter(Vec<RecordBatch>, SqlError),
    /// By the first text that the query has in it.
    ByText(Vec<(&'static str, Script)>),
}

#[derive(Default)]
pub struct FakeSql {
    pub script: Mutex<Option<Script>>,
    pub asked: Mutex<Vec<String>>,
}

#[async_trait]
impl SqlDoor for FakeSql {
    async fn query(&self, _: &str, sql: &str) -> Result<SqlAnswer, SqlError> {
        self.asked.lock().push(sql.to_owned());
        let mut script = self.script.lock().clone().unwrap_or(Script::Rows(Vec::new()));
        while let Script::ByText(scripts) = script {
            let meant = scripts.into_iter().find(|(text, _)| sql.contains(text));
            script = meant.map_or(Script::Rows(Vec::new()), |(_, script)| script);
        }
        let (batches, end) = match script {
            Script::Fails(error) => return Err(error),
            Script::Rows(batches) => (batches, None),
            Script::BreaksAfter(batches, error) => (batches, Some(error)),
            Script::ByText(_) => unreachable!("resolved above"),
        };
        let schema = batches.first().map_or_else(|| Arc::new(arrow::datatypes::Schema::empty()), RecordBatch::schema);
        let items = batches.into_iter().map(Ok).chain(end.map(Err)).collect::<Vec<_>>();
        Ok(SqlAnswer { schema, batches: stream::iter(items).boxed() })
    }

    async fn query_as_known_at(&self, user: &str, sql: &str, at: Timestamp) -> Result<SqlAnswer, SqlError> {
        self.query(user, &format!("{sql} as known at {at}")).await
    }
}

#[derive(Default)]
pub struct FakeIngest {
    pub registry: Mutex<Arc<Registry>>,
    pub posted: Mutex<Vec<PostedReadings>>,
    pub receipt: Mutex<PostedReceipt>,
    pub full: Mutex<bool>,
}

#[async_trait]
impl IngestDoor for FakeIngest {
    async fn post(&self, posted: PostedReadings) -> Result<PostedReceipt, IngestDoorError> {
        if *self.full.lock() {
            return Err(IngestDoorError::Full("journal.bytes_max is reached".into()));
        }
        self.posted.lock().push(posted);
        Ok(self.receipt.lock().clone())
    }
    async fn put_wells(&self, wells: Vec<Well>) -> Result<(), IngestDoorError> {
        let mut registry = self.registry.lock();
        *registry = Arc::new(registry.with_wells(wells));
        Ok(())
    }
    async fn put_installations(&self, installations: Vec<Installation>) -> Result<(), IngestDoorError> {
        let mut registry = self.registry.lock();
        *registry = Arc::new(registry.with_installations(installations));
        Ok(())
    }
    fn registry(&self) -> Arc<Registry> {
        self.registry.lock().clone()
    }
    async fn put_quality_limits(&self, csv: &[u8]) -> Result<(u64, Vec<String>), IngestDoorError> {
        let lines = parse_limits(csv, |_| Vec::new()).map_err(IngestDoorError::Rows)?;
        Ok((lines.len() as u64, vec!["well X is not registered".to_owned()]))
    }
    async fn remove_quality_limit(&self, key: QualityLimitKey) -> Result<bool, IngestDoorError> {
        Ok(key == one_limit().key)
    }
    fn quality_limits(&self) -> Arc<Vec<EffectiveLimit>> {
        Arc::new(vec![one_limit()])
    }
    async fn gateways(&self) -> Result<Vec<GatewayStanding>, IngestDoorError> {
        let record = GatewayRecord {
            gateway_id: GatewayId::new("gw-<1>").unwrap(),
            last_seen: Some(now()),
            counts: GatewayCounts { received: 1234, stored: 1200, duplicate: 30, dead: 3 },
            clock_offset_s: Some(f64::NAN),
            clock_zone: None,
            last_error: None,
        };
        Ok(vec![GatewayStanding { record, pending: 1 }])
    }
    async fn replay_dead_letters(&self, filter: DeadLetterFilter) -> Result<ReplayedLetters, IngestDoorError> {
        let letters = u64::from(filter.reason.as_deref() == Some("unknown_well"));
        Ok(ReplayedLetters { letters, stored: letters, ..ReplayedLetters::default() })
    }
    async fn flush(&self) -> Result<(), IngestDoorError> {
        Ok(())
    }
}

fn one_limit() -> EffectiveLimit {
    EffectiveLimit {
        key: QualityLimitKey {
            well_id: None,
            parameter: Some(Parameter::DepthToWater),
            limit: "spike.suspect".to_owned(),
        },
        value: 0.3,
        unit: Some("m".to_owned()),
        source: LimitSource::Table,
        changed_at: Some(now()),
    }
}

pub struct FakeFlags(MemoryMetadata);

/// Keeps what it is asked for.
#[derive(Default)]
struct FakeReviews(Mutex<Vec<Review>>);

#[async_trait]
impl ReviewDoor for FakeReviews {
    fn reviews(&self) -> Arc<Reviews> {
        Arc::new(Reviews::new(self.0.lock().clone()))
    }

    async fn review(&self, asked: NewReview) -> Result<Review, ReviewDoorError> {
        if asked.reason.is_empty() {
            return Err(ReviewDoorError::Refused("reason: is missing".into()));
        }
        let mut reviews = self.0.lock();
        let NewReview { well_id, parameter, from, to, action, amount, amount_end, author, reason } = asked;
        let review = Review {
            id: ReviewId(reviews.len() as i64 + 1),
            well_id,
            parameter,
            from,
            to,
            action,
            amount,
            amount_end,
            author,
            reason,
            seq: Seq::from_i64(7),
            created_at: now(),
            readings: 3,
            done_at: Some(now()),
            withdrawal: None,
        };
        reviews.push(review.clone());
        Ok(review)
    }

    async fn withdraw(&self, id: ReviewId, by: &str, reason: &str) -> Result<Review, ReviewDoorError> {
        let mut reviews = self.0.lock();
        let unknown = || ReviewDoorError::Unknown(format!("there is no review {id}"));
        let review = reviews.iter_mut().find(|review| review.id == id).ok_or_else(unknown)?;
        let (author, reason) = (by.to_owned(), reason.to_owned());
        review.withdrawal = Some(Withdrawal { author, reason, seq: Seq::from_i64(8), at: now(), done_at: Some(now()) });
        Ok(review.clone())
    }
}

#[async_trait]
impl FlagsDoor for FakeFlags {
    async fn act(&self, flag_id: &str, act: FlagAct) -> Result<Option<ConditionFlag>, FlagsDoorError> {
        let flags = self.0.flags(false).await.map_err(|error| FlagsDoorError::Failed(error.into()))?;
        let Some(mut flag) = flags.into_iter().find(|flag| flag.id == flag_id) else { return Ok(None) };
        let FlagAct { action, by, via, contact_id, text, transition } = act;
        if matches!(action, FlagAction::Acknowledged | FlagAction::Cancelled) && flag.state == FlagState::Closed {
            return Err(FlagsDoorError::Closed);
        }
        if action == FlagAction::Acknowledged {
            flag.acknowledged_by.get_or_insert_with(|| by.clone());
            flag.acknowledged_at.get_or_insert(now());
        }
        if action == FlagAction::Cancelled {
            flag.state = FlagState::Closed;
        }
        let via = via.to_owned();
        let note = FlagNote { flag_id: flag.id.clone(), at: now(), action, by, via, contact_id, text, transition };
        let commit = WatchCommit { flags: vec![flag.clone()], notes: vec![note], ..WatchCommit::default() };
        self.0.commit_watch(commit).await.unwrap();
        Ok(Some(flag))
    }

    async fn hold(&self, hold: Hold) -> Result<(), FlagsDoorError> {
        let commit = WatchCommit { at: Some(now()), holds: vec![hold], ..WatchCommit::default() };
        self.0.commit_watch(commit).await.map_err(|error| FlagsDoorError::Failed(error.into()))
    }

    async fn drill(&self, drill: Drill) -> Result<usize, FlagsDoorError> {
        let commit = WatchCommit { drills: vec![drill], ..WatchCommit::default() };
        self.0.commit_watch(commit).await.map_err(|error| FlagsDoorError::Failed(error.into()))?;
        Ok(2)
    }

    fn drill_flag(&self, drill: &Drill) -> ConditionFlag {
        let Drill { drill_id, hazard, severity, scope, place, province_code, at, .. } = drill.clone();
        let like = flag(&format!("drill-{drill_id}"), severity, FlagState::Open);
        ConditionFlag { scope, place, province_code, hazard, raised_at: at, ..like }
    }

    async fn explain_well(
        &self,
        well_id: &str,
        indicator: &str,
        of: ExplanationOf,
    ) -> Result<Option<Explained>, FlagsDoorError> {
        if indicator == "nonsense" {
            return Err(FlagsDoorError::Refused("indicator: unknown".to_owned()));
        }
        let month = of.month.unwrap_or(Month::new(2026, 10));
        let (text_en, text_th) = (
            format!("{indicator} of {well_id}{}", if of.in_full { " in full" } else { "" }),
            format!("{well_id} เดือน"),
        );
        Ok(Some(Explained { month, indicator: indicator.to_owned(), value: Some(-1.5), class: None, text_en, text_th }))
    }

    async fn explain_province(&self, code: &str, of: ExplanationOf) -> Result<Explained, FlagsDoorError> {
        let month = of.month.unwrap_or(Month::new(2026, 10));
        let (text_en, text_th) = (format!("drought of {code}"), String::new());
        Ok(Explained { month, indicator: "drought".to_owned(), value: None, class: None, text_en, text_th })
    }

    fn province_standing(&self, code: &str) -> StandingInWords {
        let (text_en, text_th) = (format!("{code}: record too short to judge drought"), "บันทึกยังสั้น".to_owned());
        StandingInWords { month: Month::new(2026, 10), class: "insufficient_record", text_en, text_th }
    }

    async fn fleet(&self) -> Result<Vec<FleetReport>, FlagsDoorError> {
        let (text_en, text_th) = ("Silent wells (1): W-0.".to_owned(), "บ่อขาดการติดต่อ (1): W-0.".to_owned());
        Ok(vec![FleetReport { province_code: "30".into(), items: 1, text_en, text_th }])
    }
}

#[derive(Default)]
pub struct FakeOperations {
    pub broken: Mutex<Option<PartState>>,
}

#[async_trait]
impl OperationsDoor for FakeOperations {
    async fn parts(&self) -> Vec<PartState> {
        let journal = PartState { part: "journal", ready: true, detail: "writes".into(), mend: None };
        std::iter::once(journal).chain(self.broken.lock().clone()).collect()
    }
    async fn metrics(&self, text: &mut MetricsText) {
        text.counter("readings_received_total", "Readings received", 42);
    }
    fn now(&self) -> Timestamp {
        now()
    }
}

pub fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-23T10:15:00+07:00").unwrap()
}

pub fn flag(id: &str, severity: Severity, state: FlagState) -> ConditionFlag {
    ConditionFlag {
        id: id.to_owned(),
        scope: Scope::Province,
        place: "30".into(),
        province_code: "30".into(),
        district_code: None,
        subdistrict_code: None,
        well_id: None,
        hazard: Hazard::Drought,
        severity,
        state,
        raised_at: now(),
        changed_at: now(),
        closed_at: (state == FlagState::Closed).then(now),
        confidence: 0.8,
        wells_in: 5,
        wells_out: 3,
        coverage: f64::NAN,
        rule: "drought share".into(),
        limit_value: Some(0.5),
        observed: Some(0.6),
        what_would_clear_it: "two months above".into(),
        headline_en: "low <groundwater>".into(),
        headline_th: "ระดับน้ำใต้ดินต่ำกว่าปกติ".into(),
        detail_en: String::new(),
        detail_th: String::new(),
        acknowledged_by: None,
        acknowledged_at: None,
    }
}

/// Keeps what was answered.
#[derive(Default)]
pub struct FakeLine(pub Mutex<Vec<(String, String)>>);

pub const LINE_SECRET: &str = "channel-secret";

#[async_trait]
impl LineDoor for FakeLine {
    fn channel_secret(&self) -> &str {
        LINE_SECRET
    }

    async fn reply(&self, reply_token: &str, text: &str) {
        self.0.lock().push((reply_token.to_owned(), text.to_owned()));
    }
}

pub struct Server {
    pub base: String,
    pub line: Arc<FakeLine>,
    pub links: LinkKey,
    pub metadata: MemoryMetadata,
    pub sql: Arc<FakeSql>,
    pub ingest: Arc<FakeIngest>,
    pub operations: Arc<FakeOperations>,
    pub trigger: ShutdownTrigger,
    runtime: Option<tokio::runtime::Runtime>,
    serving: Option<tokio::task::JoinHandle<()>>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
    /// Checks that it is a problem document of this kind and gives it.
    pub fn problem(&self, name: &str) -> serde_json::Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let document = self.json();
        assert_eq!(document["type"], format!("/api/docs#problem-{name}"), "{document}");
        assert_eq!(document["status"], self.status);
        for member in ["title", "detail"] {
            assert!(document[member].as_str().is_some_and(|text| !text.is_empty()), "{document}");
        }
        document
    }
}

impl Server {
    pub fn open() -> Self {
        Self::start(Credentials::new(), Reach::Loopback)
    }

    pub fn start(credentials: Credentials, reach: Reach) -> Self {
        Self::start_with(credentials, reach, PublicView::default())
    }

    pub fn start_with(credentials: Credentials, reach: Reach, public_view: PublicView) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sql = Arc::new(FakeSql::default());
        let ingest = Arc::new(FakeIngest::default());
        let operations = Arc::new(FakeOperations::default());
        let metadata = MemoryMetadata::new();
        let (line, links) = (Arc::new(FakeLine::default()), LinkKey::new(b"a key of this test"));
        let trigger = ShutdownTrigger::new();
        let wells = ["30", "30", "50"].iter().enumerate().map(|(index, province)| {
            Well::new(WellId::new(&format!("W-{index}")).unwrap(), province, BankType::Observation)
        });
        *ingest.registry.lock() = Arc::new(Registry::new(wells, []));
        let limits = Limits {
            readings_bytes_max: 1000,
            import_bytes_max: 10_000,
            request_time: Duration::from_secs(10),
            ..Limits::default()
        };
        let app = App::new(AppParts {
            sql: sql.clone(),
            ingest: ingest.clone(),
            flags: Arc::new(FakeFlags(metadata.clone())),
            reviews: Arc::new(FakeReviews::default()),
            operations: operations.clone(),
            line: Some(line.clone()),
            links: links.clone(),
            cap: CapSender {
                sender: "gwbank@bank.example.org".into(),
                name_en: "Groundwater".into(),
                name_th: "น้ำใต้ดิน".into(),
                restriction: "officers".into(),
                public_url: None,
            },
            scorecard: gwbank_server::ScorecardRules::default(),
            shutdown: trigger.listener(),
            metadata: Arc::new(metadata.clone()),
            credentials,
            limits: limits.clone(),
            reach,
            public_url: None,
            public_view,
            version: "1.2.3",
        });
        let (address, serving) = runtime.block_on(async {
            let transition = FlagTransition {
                flag_id: "drought-1".into(),
                at: now(),
                transition: Transition::Raised,
                severity: Severity::Warning,
                evidence: r#"{"share":0.6}"#.into(),
            };
            let flags = vec![
                flag("drought-1", Severity::Warning, FlagState::Open),
                flag("drought-2", Severity::Extreme, FlagState::Stale),
                flag("drought-0", Severity::Watch, FlagState::Closed),
            ];
            let commit = WatchCommit { flags, transitions: vec![transition], ..WatchCommit::default() };
            metadata.commit_watch(commit).await.unwrap();
            let server = HttpServer::bind("127.0.0.1:0").await.unwrap();
            let address = server.address();
            (address, tokio::spawn(server.serve(router(&app), limits, trigger.listener())))
        });
        let base = format!("http://{address}");
        let (runtime, serving) = (Some(runtime), Some(serving));
        Self { base, line, links, metadata, sql, ingest, operations, trigger, runtime, serving }
    }

    pub fn agent() -> ureq::Agent {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into()
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.try_send(method, path, headers, body).unwrap()
    }

    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = Self::agent().run(request.body(body.to_vec()).unwrap())?;
        let body = response.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], &[])
    }

    pub fn post_json(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], body.as_bytes())
    }

    /// Sends bytes as they are and reads until the end; the client libraries would mend what is tested here.
    pub fn raw(&self, request: &str) -> String {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(self.base.trim_start_matches("http://")).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Stops and waits for the last connection.
    pub fn stop(mut self) {
        self.trigger.stop_accepting();
        if let (Some(runtime), Some(serving)) = (self.runtime.take(), self.serving.take()) {
            runtime.block_on(serving).unwrap();
        }
    }
}
