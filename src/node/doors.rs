//! Pipeline, engine and watch as the server's doors.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt;
use gwbank_conversion::{LevelSink, SensorChange, SinkError};
use gwbank_courier::{DeliveryCounts, LineCourier, LinkMaker};
use gwbank_door::{DoorCounts, DoorStats};
use gwbank_flight::door as flight;
use gwbank_ingest::external::ExternalState;
use gwbank_ingest::{
    Format, GatewayRow, IngestError, LimitsApplied, Message, Pipeline, ReadingsOptions, RejudgeProgress, SourceKind,
};
use gwbank_model::condition::Scope;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, GatewayId, Parameter, Reading, Seq, Timestamp, WellId};
use gwbank_pgwire::door::{Answer, Asked, Described, SqlFailure};
use gwbank_quality::SeriesConfig;
use gwbank_query::{
    ConnectionFacts, ConnectionView, Dialect, GatewaySource, Limit, QueryEngine, QueryError, QueryErrorKind,
    QueryStats, Request, TableFacts,
};
use gwbank_registry::{Installation, Registry, Well};
use gwbank_runtime::Clock;
use gwbank_server::auth::{Access, Authenticator, Credentials};
use gwbank_server::doors::{
    Explained, ExplanationOf, FlagAct, FlagsDoor, FlagsDoorError, FleetReport, GatewayStanding, IngestDoor,
    IngestDoorError, LineDoor, OperationsDoor, PartState, PostedReadings, PostedReceipt, ReadingFault, ReadingsFormat,
    ReadingsSource, ReplayedLetters, SqlAnswer, SqlDoor, SqlError, SqlErrorKind, SqlPlace, StandingInWords,
};
use gwbank_server::metrics::{FamilyKind, MetricsText};
use gwbank_server::problem::Kind;
use gwbank_store::{
    ArchiveError, ConditionFlag, DeadLetterFilter, Drill, EffectiveLimit, GatewayRecord, Hold, Metadata, MetadataError,
    QualityLimitKey, SecondLookCommit,
};
use gwbank_watch::{
    Act, Detail, Indicator, Language, LevelChanges, RecordIndicator, SeriesJudge, Watch, WatchError, explained_names,
};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::offices;
use crate::config::Config;
use crate::failure::Outcome;

pub struct Sql(pub QueryEngine);

#[async_trait]
impl SqlDoor for Sql {
    async fn query(&self, user: &str, sql: &str) -> Result<SqlAnswer, SqlError> {
        let result = self.0.ask(Request::of(user, sql)).await.map_err(|error| placed(sql, error))?;
        let batches = result.stream.map(|batch| batch.map_err(sql_error)).boxed();
        Ok(SqlAnswer { schema: result.schema, batches })
    }

    async fn query_as_known_at(&self, user: &str, sql: &str, at: Timestamp) -> Result<SqlAnswer, SqlError> {
        let request = Request { as_known_at: Some(at), ..Request::of(user, sql) };
        let result = self.0.ask(request).await.map_err(|error| placed(sql, error))?;
        let batches = result.stream.map(|batch| batch.map_err(sql_error)).boxed();
        Ok(SqlAnswer { schema: result.schema, batches })
    }
}

/// A statement that ends too early is at fault at its end, which the parser does not say.
fn placed(sql: &str, error: QueryError) -> SqlError {
    let ends_early = matches!(&error, QueryError::Syntax(message) if message.ends_with("found: EOF"));
    let error = sql_error(error);
    if error.place.is_some() || !ends_early {
        return error;
    }
    let text = sql.trim_end();
    let last = text.rsplit('\n').next().unwrap_or_default();
    let place = SqlPlace { line: text.matches('\n').count() + 1, column: last.chars().count() + 1 };
    SqlError { place: Some(place), ..error }
}

fn sql_error(error: QueryError) -> SqlError {
    let kind = match error.kind() {
        QueryErrorKind::Invalid => SqlErrorKind::Invalid,
        QueryErrorKind::Failed => SqlErrorKind::Failed,
        QueryErrorKind::ReadOnly => SqlErrorKind::ReadOnly,
        QueryErrorKind::Limit(limit) => SqlErrorKind::Limit(limit.name().to_owned()),
        QueryErrorKind::Unavailable => SqlErrorKind::ArchiveUnavailable,
        QueryErrorKind::Internal => SqlErrorKind::Internal,
    };
    let place = error.place().map(|(line, column)| SqlPlace { line, column });
    SqlError { kind, message: error.to_string(), place }
}

/// The same engine for PostgreSQL's clients.
pub struct PgWire(pub QueryEngine);

#[async_trait]
impl gwbank_pgwire::door::SqlDoor for PgWire {
    async fn describe(&self, asked: Asked) -> Result<Described, SqlFailure> {
        let told = self.0.describe(request(asked)).await.map_err(sql_failure)?;
        Ok(Described { parameters: told.parameters, schema: told.schema })
    }

    async fn query(&self, asked: Asked) -> Result<Answer, SqlFailure> {
        let result = self.0.ask(request(asked)).await.map_err(sql_failure)?;
        let batches = result.stream.map(|batch| batch.map_err(sql_failure)).boxed();
        Ok(Answer { schema: result.schema, batches })
    }
}

fn request(asked: Asked) -> Request {
    let Asked { sql, types, values, connection } = asked;
    let gwbank_pgwire::door::ConnectionFacts { user, process, settings, views } = connection.as_ref().clone();
    let asked_by = user.clone();
    let view = |gwbank_pgwire::door::View { name, columns, sql }: &gwbank_pgwire::door::View| ConnectionView {
        name: name.clone(),
        columns: columns.clone(),
        sql: sql.clone(),
    };
    let views = Arc::new(views.iter().map(view).collect());
    let facts = ConnectionFacts { user, process, settings, views, dialect: Dialect::PostgreSql };
    Request { sql, user: asked_by, types, values, connection: Some(Arc::new(facts)), as_known_at: None }
}

fn sql_failure(error: QueryError) -> SqlFailure {
    SqlFailure { sqlstate: error.sqlstate(), place: error.place(), message: error.to_string() }
}

/// The same engine for clients of Arrow Flight SQL.
pub struct FlightSql(pub QueryEngine);

#[async_trait]
impl gwbank_flight::door::SqlDoor for FlightSql {
    async fn describe(&self, asked: flight::Asked) -> Result<flight::Described, flight::SqlFailure> {
        let told = self.0.describe(flight_request(asked)).await.map_err(flight_failure)?;
        Ok(flight::Described { parameters: told.parameters, schema: told.schema })
    }

    async fn query(&self, asked: flight::Asked) -> Result<flight::Answer, flight::SqlFailure> {
        let result = self.0.ask(flight_request(asked)).await.map_err(flight_failure)?;
        let batches = result.stream.map(|batch| batch.map_err(flight_failure)).boxed();
        Ok(flight::Answer { schema: result.schema, batches })
    }

    fn tables(&self) -> Vec<flight::Table> {
        let table = |TableFacts { name, is_view, schema, comment, column_comments }| flight::Table {
            name,
            is_view,
            schema,
            remarks: comment.map(str::to_owned),
            column_remarks: column_comments.into_iter().map(|comment| comment.map(str::to_owned)).collect(),
        };
        self.0.tables().into_iter().map(table).collect()
    }
}

fn flight_request(asked: flight::Asked) -> Request {
    let flight::Asked { sql, types, values, caller } = asked;
    let flight::Caller { user, settings } = caller.as_ref().clone();
    // Data frames want every column to have a name of its own.
    let asked_by = user.clone();
    let facts = ConnectionFacts { user, process: 0, settings, views: Arc::default(), dialect: Dialect::Engine };
    Request { sql, user: asked_by, types, values, connection: Some(Arc::new(facts)), as_known_at: None }
}

fn flight_failure(error: QueryError) -> flight::SqlFailure {
    let kind = match (&error, error.kind()) {
        (QueryError::Cancelled, _) => flight::FailureKind::Cancelled,
        (QueryError::Unsupported(_), _) => flight::FailureKind::Unsupported,
        (_, QueryErrorKind::Invalid | QueryErrorKind::Failed) => flight::FailureKind::Invalid,
        (_, QueryErrorKind::ReadOnly) => flight::FailureKind::ReadOnly,
        (_, QueryErrorKind::Limit(Limit::Seconds)) => flight::FailureKind::TimedOut,
        (_, QueryErrorKind::Limit(_)) => flight::FailureKind::Limit,
        (_, QueryErrorKind::Unavailable) => flight::FailureKind::Unavailable,
        (_, QueryErrorKind::Internal) => flight::FailureKind::Internal,
    };
    flight::SqlFailure { kind, message: error.to_string() }
}

/// Who may come in at the Flight SQL door: as over HTTP.
pub struct Keeper(Authenticator);

impl Keeper {
    pub fn new(credentials: Credentials) -> Self {
        Self(Authenticator::new(credentials))
    }
}

#[async_trait]
impl flight::Doorkeeper for Keeper {
    fn is_open(&self) -> bool {
        self.0.is_open()
    }

    async fn admit(&self, authorization: &str, peer: IpAddr) -> Result<flight::Visitor, flight::Denied> {
        let principal = self.0.admit(authorization, peer).await.map_err(|problem| {
            if problem.kind == Kind::TOO_MANY_FAILURES {
                flight::Denied::TooManyFailures(problem.detail)
            } else {
                flight::Denied::Unknown(problem.detail)
            }
        })?;
        Ok(flight::Visitor { name: principal.name, may_query: Access::Sql.permits(principal.role) })
    }
}

/// Who knows the gateways, for the table `gateways`.
#[derive(Debug)]
pub struct Gateways(pub Pipeline);

#[async_trait]
impl GatewaySource for Gateways {
    async fn gateways(&self) -> Result<Vec<gwbank_query::GatewayRow>, MetadataError> {
        let rows = self.0.gateways().await.map_err(|error| MetadataError::Unavailable(Box::new(error)))?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let pending = row.pending;
                gwbank_query::GatewayRow { record: record(row), pending }
            })
            .collect())
    }

    async fn account_dead_letters(&self) -> Result<(), MetadataError> {
        self.0.account_dead_letters().await.map_err(|error| MetadataError::Unavailable(Box::new(error)))
    }
}

fn record(row: GatewayRow) -> GatewayRecord {
    let GatewayRow { gateway_id, last_seen, counts, pending: _, clock_offset_s, clock_zone, last_error } = row;
    GatewayRecord { gateway_id, last_seen, counts, clock_offset_s, clock_zone, last_error }
}

/// Wells whose levels changed, for the watch.
pub struct Changes(pub gwbank_ingest::LevelChanges);

#[async_trait]
impl LevelChanges for Changes {
    async fn next(&mut self) -> Option<Vec<WellId>> {
        Some(self.0.next().await)
    }
}

/// Who judges readings, for the watch.
pub struct Judge(pub Pipeline);

#[async_trait]
impl SeriesJudge for Judge {
    fn quality_config(&self, well: &WellId, parameter: Parameter) -> SeriesConfig {
        self.0.quality_config(well, parameter)
    }

    async fn take_second_look(&self, commit: SecondLookCommit) -> Result<(), MetadataError> {
        self.0.take_second_look(commit).await.map_err(|error| match error {
            IngestError::Metadata(error) => error,
            other => MetadataError::Unavailable(Box::new(other)),
        })
    }
}

/// Changes of what levels are converted from.
pub struct Sensors(pub gwbank_ingest::SensorChanges);

#[async_trait]
impl gwbank_conversion::SensorChanges for Sensors {
    async fn filled(&mut self) {
        self.0.filled().await;
    }

    fn take(&mut self) -> (Vec<SensorChange>, Seq) {
        let (changes, through) = self.0.take();
        let change =
            |gwbank_ingest::SensorChange { well, parameter, from, to }| SensorChange { well, parameter, from, to };
        (changes.into_iter().map(change).collect(), through)
    }
}

/// Where converted levels go: the way of every reading.
pub struct Levels {
    pipeline: Pipeline,
    sender: GatewayId,
}

impl Levels {
    pub fn new(pipeline: Pipeline) -> anyhow::Result<Self> {
        Ok(Self { pipeline, sender: GatewayId::new(GatewayId::CONVERSION)? })
    }
}

#[async_trait]
impl LevelSink for Levels {
    async fn put(&self, readings: Vec<Reading>) -> Result<(), SinkError> {
        let options = ReadingsOptions { topic: GatewayId::CONVERSION.to_owned(), source: SourceKind::Import };
        let receipt = self.pipeline.ingest_readings(&self.sender, readings, options).await;
        receipt.map(drop).map_err(|error| SinkError(Box::new(error)))
    }
}

pub struct Ingest(pub Pipeline);

fn door_error(error: IngestError) -> IngestDoorError {
    match error {
        IngestError::Full { .. } => IngestDoorError::Full(error.to_string()),
        IngestError::Closed => IngestDoorError::Closed,
        IngestError::Rows(faults) => IngestDoorError::Rows(faults),
        IngestError::TooLarge { .. } | IngestError::Refused { .. } | IngestError::ReplayedElsewhere => {
            IngestDoorError::Refused(error.to_string())
        }
        IngestError::Archive(ArchiveError::Unavailable(_)) | IngestError::Metadata(MetadataError::Unavailable(_)) => {
            tracing::warn!(%error, "a request cannot be served now");
            IngestDoorError::Unavailable(error.to_string())
        }
        other => IngestDoorError::Failed(Box::new(other)),
    }
}

#[async_trait]
impl IngestDoor for Ingest {
    async fn post(&self, posted: PostedReadings) -> Result<PostedReceipt, IngestDoorError> {
        let format = match posted.format {
            ReadingsFormat::Json => Format::Json,
            ReadingsFormat::SenmlJson => Format::SenmlJson,
            ReadingsFormat::SenmlCbor => Format::SenmlCbor,
        };
        // The topic on which the same payload would come over MQTT: a replay of its dead letters reads it again alike.
        let kind = if format == Format::Json { "readings" } else { "senml" };
        let topic = format!("gwbank/v1/{}/{kind}", posted.gateway);
        let mut message = Message::new(posted.gateway, topic, format, posted.payload);
        if posted.source == ReadingsSource::Import {
            message.source = SourceKind::Import;
        }
        let receipt = self.0.try_ingest(message).await.map_err(door_error)?;
        let fault = |fault: gwbank_ingest::Fault| ReadingFault {
            reason: fault.reason.name().to_owned(),
            place: fault.place,
            detail: fault.detail,
            readings: fault.readings,
        };
        Ok(PostedReceipt {
            received: receipt.received,
            stored: receipt.stored,
            duplicate: receipt.duplicate,
            dead: receipt.dead,
            pending: receipt.pending,
            faults: receipt.faults.into_iter().map(fault).collect(),
        })
    }

    async fn put_wells(&self, wells: Vec<Well>) -> Result<(), IngestDoorError> {
        self.0.put_wells(wells).await.map_err(door_error)
    }

    async fn put_installations(&self, installations: Vec<Installation>) -> Result<(), IngestDoorError> {
        self.0.put_installations(installations).await.map_err(door_error)
    }

    fn registry(&self) -> Arc<Registry> {
        self.0.registry()
    }

    async fn put_quality_limits(&self, csv: &[u8]) -> Result<(u64, Vec<String>), IngestDoorError> {
        let LimitsApplied { rows, warnings } = self.0.import_quality_limits(csv).await.map_err(door_error)?;
        Ok((rows, warnings))
    }

    async fn remove_quality_limit(&self, key: QualityLimitKey) -> Result<bool, IngestDoorError> {
        self.0.remove_quality_limit(key).await.map_err(door_error)
    }

    fn quality_limits(&self) -> Arc<Vec<EffectiveLimit>> {
        self.0.quality_limits().borrow().clone()
    }

    async fn gateways(&self) -> Result<Vec<GatewayStanding>, IngestDoorError> {
        let rows = self.0.gateways().await.map_err(door_error)?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let pending = row.pending;
                GatewayStanding { record: record(row), pending }
            })
            .collect())
    }

    async fn replay_dead_letters(&self, filter: DeadLetterFilter) -> Result<ReplayedLetters, IngestDoorError> {
        let report = self.0.replay_dead_letters(filter).await.map_err(door_error)?;
        Ok(ReplayedLetters {
            letters: report.messages,
            stored: report.stored + report.pending,
            duplicate: report.duplicate,
            dead: report.dead + report.left,
        })
    }

    async fn flush(&self) -> Result<(), IngestDoorError> {
        self.0.flush().await.map_err(door_error)
    }
}

pub struct Flags {
    pub watch: Watch,
    pub clock: Arc<dyn Clock>,
}

impl Flags {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros())
    }
}

fn flags_error(error: WatchError) -> FlagsDoorError {
    match error {
        WatchError::Closed(_) => FlagsDoorError::Closed,
        WatchError::Conflict(detail) => FlagsDoorError::Conflict(detail),
        WatchError::Refused(detail) => FlagsDoorError::Refused(detail),
        other => FlagsDoorError::Failed(Box::new(other)),
    }
}

#[async_trait]
impl FlagsDoor for Flags {
    async fn act(&self, flag_id: &str, act: FlagAct) -> Result<Option<ConditionFlag>, FlagsDoorError> {
        let FlagAct { action, by, via, contact_id, text, transition } = act;
        let act = Act { action, by, via: via.to_owned(), contact_id, text, transition };
        match self.watch.act(flag_id, act, self.now()).await {
            Ok(flag) => Ok(Some(flag)),
            Err(WatchError::NoSuchFlag(_)) => Ok(None),
            Err(error) => Err(flags_error(error)),
        }
    }

    async fn hold(&self, hold: Hold) -> Result<(), FlagsDoorError> {
        self.watch.hold(hold).await.map_err(flags_error)
    }

    async fn drill(&self, drill: Drill) -> Result<usize, FlagsDoorError> {
        self.watch.drill(drill).await.map_err(flags_error)
    }

    fn drill_flag(&self, drill: &Drill) -> ConditionFlag {
        self.watch.drill_flag(drill)
    }

    async fn explain_well(
        &self,
        well_id: &str,
        indicator: &str,
        ExplanationOf { month, in_full }: ExplanationOf,
    ) -> Result<Option<Explained>, FlagsDoorError> {
        let Ok(well) = WellId::new(well_id) else { return Ok(None) };
        let detail = if in_full { Detail::Full } else { Detail::Summary };
        let failed = |error: WatchError| FlagsDoorError::Failed(Box::new(error));
        if let Some(indicator) = Indicator::from_name(indicator) {
            let explained = self.watch.explain_well(&well, month, indicator).await.map_err(failed)?;
            return Ok(explained.map(|explanation| Explained {
                month: explanation.month,
                indicator: indicator.name().to_owned(),
                value: explanation.outcome.number(),
                class: explanation.outcome.class().map(str::to_owned),
                text_en: explanation.told(Language::English, detail),
                text_th: explanation.told(Language::Thai, detail),
            }));
        }
        let Some(indicator) = RecordIndicator::from_name(indicator) else {
            let known: Vec<&str> = explained_names().collect();
            let known = known.join(", ");
            return Err(FlagsDoorError::Refused(format!(
                "indicator: `{indicator}` is not explained; there are {known}"
            )));
        };
        let explained = self.watch.explain_record(&well, month, indicator).await.map_err(failed)?;
        Ok(explained.map(|explanation| Explained {
            month: explanation.month,
            indicator: indicator.name().to_owned(),
            value: explanation.value,
            class: explanation.class.map(str::to_owned),
            text_en: explanation.told(Language::English, detail),
            text_th: explanation.told(Language::Thai, detail),
        }))
    }

    async fn explain_province(
        &self,
        code: &str,
        ExplanationOf { month, in_full }: ExplanationOf,
    ) -> Result<Explained, FlagsDoorError> {
        let explanation = self.watch.explain_place(Scope::Province, code, month);
        let detail = if in_full { Detail::Full } else { Detail::Summary };
        let judged = explanation.judged.value();
        // The facts stand first, above all where nothing can be judged.
        let standing = self.watch.province_standing(code);
        let facts =
            |text: String| if standing.month == explanation.month { format!("{text}\n\n") } else { String::new() };
        Ok(Explained {
            month: explanation.month,
            indicator: Indicator::Drought.name().to_owned(),
            value: None,
            class: judged.and_then(|verdict| verdict.entry).map(|severity| severity.name().to_owned()),
            text_en: facts(standing.text_en) + &explanation.told(Language::English, detail),
            text_th: facts(standing.text_th) + &explanation.told(Language::Thai, detail),
        })
    }

    fn province_standing(&self, code: &str) -> StandingInWords {
        let standing = self.watch.province_standing(code);
        StandingInWords {
            month: standing.month,
            class: standing.class(),
            text_en: standing.text_en,
            text_th: standing.text_th,
        }
    }

    async fn fleet(&self) -> Result<Vec<FleetReport>, FlagsDoorError> {
        let reports = self.watch.fleet().await.map_err(flags_error)?;
        let report = |report: gwbank_watch::FleetReport| FleetReport {
            province_code: report.province_code,
            items: u64::from(report.items),
            text_en: report.text_en,
            text_th: report.text_th,
        };
        Ok(reports.into_iter().map(report).collect())
    }
}

fn query_metrics(stats: &QueryStats, text: &mut MetricsText) {
    let QueryStats { running, waiting, memory_bytes, spilled_bytes, finished, rejected } = stats;
    text.gauge("queries_running", "SQL queries that run, by all doors", *running as f64);
    text.gauge("queries_waiting", "SQL queries that wait for their turn", *waiting as f64);
    text.gauge("query_memory_bytes", "Memory of the operators of all queries", *memory_bytes as f64);
    text.gauge("query_spilled_bytes", "Temporary files of all queries", *spilled_bytes as f64);
    text.counter("queries_finished_total", "SQL queries that ended, however they did", *finished);
    let mut family = text.family("queries_rejected_total", FamilyKind::Counter, "SQL queries ended by a limit");
    for (limit, count) in rejected {
        family.sample(&[("limit", limit.name())], *count as f64);
    }
}

/// How long counted transitions are told again: counting reads them all.
const TRANSITIONS_FRESH: Duration = Duration::from_secs(30);

type TransitionCounts = BTreeMap<String, u64>;

/// What the doors for SQL beside HTTP count, where they are open.
#[derive(Debug, Clone, Default)]
pub struct SqlDoors {
    pub postgres_wire: Option<Arc<DoorStats>>,
    pub flight_sql: Option<Arc<DoorStats>>,
}

/// What was delivered since the start, by channel.
pub type Deliveries = BTreeMap<&'static str, Arc<DeliveryCounts>>;

/// Answers people who write to LINE.
pub struct Line {
    channel_secret: String,
    courier: LineCourier,
}

impl Line {
    /// `None` where LINE is not configured.
    pub fn of(config: &Config, links: &LinkMaker) -> Outcome<Option<Arc<dyn LineDoor>>> {
        let Some(channel_secret) = offices::line_secret(config)? else { return Ok(None) };
        let courier = LineCourier::new(offices::line(config)?, links.clone()).map_err(anyhow::Error::new)?;
        Ok(Some(Arc::new(Self { channel_secret, courier })))
    }
}

#[async_trait]
impl LineDoor for Line {
    fn channel_secret(&self) -> &str {
        &self.channel_secret
    }

    async fn reply(&self, reply_token: &str, text: &str) {
        self.courier.reply(reply_token, text).await;
    }
}

pub struct Operations {
    pipeline: Pipeline,
    metadata: Arc<dyn Metadata>,
    external: Vec<watch::Receiver<ExternalState>>,
    clock: Arc<dyn Clock>,
    deliveries: Deliveries,
    engine: QueryEngine,
    sql_doors: SqlDoors,
    transitions: Mutex<Option<(Instant, TransitionCounts)>>,
}

impl Operations {
    pub fn new(
        pipeline: Pipeline,
        metadata: Arc<dyn Metadata>,
        external: Vec<watch::Receiver<ExternalState>>,
        clock: Arc<dyn Clock>,
        deliveries: Deliveries,
        engine: QueryEngine,
        sql_doors: SqlDoors,
    ) -> Self {
        let transitions = Mutex::new(None);
        Self { pipeline, metadata, external, clock, deliveries, engine, sql_doors, transitions }
    }

    async fn transition_counts(&self) -> TransitionCounts {
        if let Some((counted, counts)) = &*self.transitions.lock()
            && counted.elapsed() < TRANSITIONS_FRESH
        {
            return counts.clone();
        }
        let mut counts = TransitionCounts::new();
        match soon(self.metadata.flag_transitions(None)).await {
            Ok(transitions) => {
                for transition in transitions {
                    // `{hazard}-{scope}-…`, see the flag's id.
                    let hazard = transition.flag_id.split('-').next().unwrap_or_default().to_owned();
                    *counts.entry(hazard).or_default() += 1;
                }
            }
            Err(error) => tracing::warn!(%error, "flag transitions cannot be counted"),
        }
        *self.transitions.lock() = Some((Instant::now(), counts.clone()));
        counts
    }
}

fn write_postgres_wire(text: &mut MetricsText, counts: &DoorCounts) {
    let help = "Connections of PostgreSQL clients that were accepted, whatever became of them";
    text.counter("postgres_wire_connections_total", help, counts.accepted);
    let help = "Connections of PostgreSQL clients that are open, those of strangers among them";
    text.gauge("postgres_wire_connections_open", help, counts.open as f64);
    text.gauge("postgres_wire_sessions", "PostgreSQL clients that were let in and are there", counts.sessions as f64);
    let help = "Connections of PostgreSQL clients that were refused";
    let mut refused = text.family("postgres_wire_refused_total", FamilyKind::Counter, help);
    for (refusal, count) in &counts.refused {
        refused.sample(&[("reason", refusal.name())], *count as f64);
    }
    let help = "Statements of PostgreSQL clients under way, until the last row is sent";
    text.gauge("postgres_wire_statements_running", help, counts.running as f64);
    text.counter("postgres_wire_cancels_total", "Requests to cancel that named a connection rightly", counts.cancels);
    let (buckets, help) =
        (&counts.seconds_buckets, "Time of a PostgreSQL client's statement, until its last row is sent");
    text.histogram("postgres_wire_statement_seconds", help, buckets, counts.statements, counts.seconds_sum);
}

fn external_part(index: usize, state: &ExternalState) -> PartState {
    let entry = format!("mqtt.external[{index}] at {}", state.broker);
    let detail = match (&state.problem, state.connected) {
        (Some(problem), false) => format!("{entry}: not connected, tried again by itself: {}", problem.problem),
        (Some(problem), true) => format!("{entry}: {}", problem.problem),
        (None, false) => format!("{entry}: not connected yet"),
        (None, true) if state.subscribed => format!("{entry}: connected"),
        (None, true) => format!("{entry}: connected, not subscribed yet"),
    };
    PartState {
        part: "external broker",
        ready: state.connected && state.subscribed,
        detail,
        mend: state.problem.as_ref().map(|problem| problem.mend),
    }
}

/// Whoever asks how things are wants to know it now, also where the metadata hang.
const ANSWER_TIME: Duration = Duration::from_secs(3);

async fn soon<T>(asked: impl Future<Output = Result<T, MetadataError>>) -> Result<T, MetadataError> {
    let late = |_| Err(MetadataError::Unavailable(format!("no answer within {} s", ANSWER_TIME.as_secs()).into()));
    tokio::time::timeout(ANSWER_TIME, asked).await.unwrap_or_else(late)
}

#[async_trait]
impl OperationsDoor for Operations {
    async fn parts(&self) -> Vec<PartState> {
        let status = self.pipeline.status();
        let journal_detail = match status.limit_reached {
            Some(limit) => format!("{limit} is reached; acknowledgements wait for archive and metadata"),
            None => format!("{} bytes, {} readings not archived", status.journal_bytes, status.unarchived_rows),
        };
        let archive_detail = match &status.last_error {
            Some(error) => format!("{error}; readings wait in the journal"),
            None if status.archived_through == Seq::ZERO => "nothing archived yet".to_owned(),
            None => {
                let through = status.archived_through.received_at();
                format!("has everything received until {}", through.to_rfc3339(BANGKOK_OFFSET_SECONDS))
            }
        };
        let metadata = soon(self.metadata.position()).await;
        let mut parts = vec![
            PartState {
                part: "journal",
                ready: status.limit_reached.is_none(),
                detail: journal_detail,
                mend: status
                    .limit_reached
                    .map(|_| "free some space on the disk if it is full; look at the parts archive and metadata"),
            },
            PartState { part: "archive", ready: status.last_error.is_none(), detail: archive_detail, mend: None },
            PartState {
                part: "metadata",
                ready: metadata.is_ok(),
                detail: metadata
                    .err()
                    .map_or_else(|| "answers".to_owned(), |error| format!("{:#}", anyhow::Error::new(error))),
                mend: None,
            },
        ];
        parts.extend(status.rejudgement.map(|RejudgeProgress { done, total }| PartState {
            part: "quality",
            ready: true,
            detail: format!("stored readings are being judged by the limits as they are now: {done} of {total} series"),
            mend: None,
        }));
        parts.extend(self.external.iter().enumerate().map(|(index, state)| external_part(index, &state.borrow())));
        parts
    }

    async fn metrics(&self, text: &mut MetricsText) {
        let status = self.pipeline.status();
        let counts = self.pipeline.metrics();
        text.counter("readings_received_total", "Readings received since the start", counts.received);
        text.counter("readings_stored_total", "Readings stored, corrections among them", counts.stored);
        text.counter("readings_duplicate_total", "Readings that said nothing new", counts.duplicate);
        let mut dead = text.family("readings_dead_total", FamilyKind::Counter, "Readings that became dead letters");
        for (reason, count) in &counts.dead_by_reason {
            dead.sample(&[("reason", reason)], *count as f64);
        }
        let help = "Texts of corrected times that are not shown, as there are too many ways of writing them";
        text.counter("time_raw_dropped_total", help, self.pipeline.names().time_forms.refused());
        text.gauge("readings_pending", "Readings not yet compared with the archive", status.pending as f64);
        let fsync = &status.fsync;
        let help = "Time of the journal's fdatasync";
        text.histogram("journal_fsync_seconds", help, &fsync.buckets, fsync.count, fsync.sum_seconds);
        let help = "Time from a message's arrival to its acknowledgement";
        let buckets = &counts.ack_seconds_buckets;
        text.histogram("ack_seconds", help, buckets, counts.acknowledged, counts.ack_seconds_sum);
        text.gauge("journal_bytes", "Bytes of the journal", status.journal_bytes as f64);
        text.gauge("ledger_bytes", "Memory of what is not accounted for yet", status.ledger_bytes as f64);
        text.gauge("recent_window_bytes", "Memory of the recent window", status.window_bytes as f64);
        text.gauge("recent_window_rows", "Readings in the recent window", status.window_rows as f64);
        let left = status.rejudgement.map_or(0, |RejudgeProgress { done, total }| total - done);
        text.gauge("rejudge_series_left", "Series whose stored readings are still to be judged anew", left as f64);
        text.gauge("archive_lag_readings", "Readings durable and not archived", status.unarchived_rows as f64);
        query_metrics(&self.engine.stats(), text);
        match soon(self.metadata.dead_letter_usage()).await {
            Ok(usage) => {
                text.gauge("dead_letters_bytes", "Bytes that dead letters take", usage.bytes as f64);
                let help = "Payloads of dead letters that made room for newer ones";
                text.counter("dead_letters_expired_total", help, usage.expired);
            }
            Err(error) => tracing::warn!(%error, "dead letters cannot be counted"),
        }
        let mut transitions =
            text.family("flag_transitions_total", FamilyKind::Counter, "Transitions of condition flags");
        for (hazard, count) in self.transition_counts().await {
            transitions.sample(&[("hazard", &hazard)], count as f64);
        }
        if let Some(stats) = &self.sql_doors.flight_sql {
            flight_metrics(&stats.counts(), text);
        }
        let mut deliveries = text.family("deliveries_total", FamilyKind::Counter, "Messages of condition flags");
        for (channel, counts) in &self.deliveries {
            for (outcome, count) in counts.told() {
                deliveries.sample(&[("channel", channel), ("outcome", outcome)], count as f64);
            }
        }
        if let Some(stats) = &self.sql_doors.postgres_wire {
            write_postgres_wire(text, &stats.counts());
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros())
    }
}

fn flight_metrics(counts: &DoorCounts, text: &mut MetricsText) {
    let help = "Connections that the Flight SQL door accepted";
    text.counter("flight_sql_connections_total", help, counts.accepted);
    text.gauge("flight_sql_connections", "Connections that are open at the Flight SQL door", counts.open as f64);
    let help = "Connections of clients that were let in at the Flight SQL door";
    text.gauge("flight_sql_sessions", help, counts.sessions as f64);
    let help = "Connections and calls that the Flight SQL door refused";
    let mut refused = text.family("flight_sql_refused_total", FamilyKind::Counter, help);
    for (refusal, count) in counts.refused {
        refused.sample(&[("reason", refusal.name())], count as f64);
    }
    text.gauge("flight_sql_queries_running", "Queries under way at the Flight SQL door", counts.running as f64);
    text.counter("flight_sql_cancels_total", "Queries that clients of Flight SQL cancelled", counts.cancels);
    text.counter("flight_sql_rows_total", "Rows that the Flight SQL door sent", counts.rows);
    let help = "Prepared statements that are kept at the Flight SQL door";
    text.gauge("flight_sql_prepared_statements", help, counts.prepared as f64);
    let help = "Time of a query at the Flight SQL door, from DoGet to its last row";
    let (buckets, sum) = (&counts.seconds_buckets, counts.seconds_sum);
    text.histogram("flight_sql_query_seconds", help, buckets, counts.statements, sum);
}
