//! What the server needs from the rest of the process, so that a test can stand in for it.
//!
//! The binary adapts the pipeline, the query engine and the watch to these traits; metadata is read through the port of
//! `gwbank-store` as it is.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use gwbank_model::{GatewayId, Month, Timestamp};
use gwbank_registry::import::RowFault;
use gwbank_registry::{Installation, Registry, Well};
use gwbank_store::{
    ConditionFlag, DeadLetterFilter, Drill, EffectiveLimit, FlagAction, GatewayRecord, Hold, NewReview,
    QualityLimitKey, Review, ReviewId, Reviews,
};

use crate::metrics::MetricsText;

/// Runs read-only SQL.
#[async_trait]
pub trait SqlDoor: Send + Sync + 'static {
    /// `user`: who asks, as users take turns.
    async fn query(&self, user: &str, sql: &str) -> Result<SqlAnswer, SqlError>;

    /// The same over tables as they were known at an instant.
    async fn query_as_known_at(&self, user: &str, sql: &str, at: Timestamp) -> Result<SqlAnswer, SqlError>;
}

pub struct SqlAnswer {
    pub schema: SchemaRef,
    pub batches: BoxStream<'static, Result<RecordBatch, SqlError>>,
}

impl fmt::Debug for SqlAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlAnswer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    pub kind: SqlErrorKind,
    /// For the person who typed the query.
    pub message: String,
    /// Where in the statement it is, where that is known.
    pub place: Option<SqlPlace>,
}

/// A place in a statement: line and character of it, each from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlPlace {
    pub line: usize,
    pub column: usize,
}

impl SqlError {
    pub fn new(kind: SqlErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlErrorKind {
    /// Not SQL, or not a plan: unknown table, column, function, wrong types.
    Invalid,
    /// A value did not permit it, such as a division by zero or text that is no number.
    Failed,
    /// Would change data, files or settings, or reach the network.
    ReadOnly,
    /// A limit was reached: its name, such as `rows` or `seconds`.
    Limit(String),
    /// The history cannot be read now; an answer would have been incomplete.
    ArchiveUnavailable,
    Internal,
}

/// How the body of a posted message is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadingsFormat {
    Json,
    SenmlJson,
    SenmlCbor,
}

/// Whether the time rules of live data hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadingsSource {
    Live,
    /// History: no earliest time.
    Import,
}

#[derive(Debug, Clone)]
pub struct PostedReadings {
    pub gateway: GatewayId,
    pub format: ReadingsFormat,
    pub source: ReadingsSource,
    pub payload: Bytes,
}

/// What became of a posted message, in readings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostedReceipt {
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
    pub pending: u64,
    pub faults: Vec<ReadingFault>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingFault {
    /// One of the fixed reason names, such as `unknown_well`.
    pub reason: String,
    /// Where in the message, such as `readings[3].time`.
    pub place: String,
    pub detail: String,
    pub readings: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum IngestDoorError {
    /// Nothing was kept; the same call may succeed later.
    #[error("the journal takes nothing in now: {0}")]
    Full(String),
    #[error("the server is shutting down")]
    Closed,
    #[error("the request cannot be taken in")]
    Refused(String),
    /// Nothing of a file was applied.
    #[error("the file has faults")]
    Rows(Vec<RowFault>),
    /// What keeps wells, counts and dead letters cannot be asked now.
    #[error("{0}")]
    Unavailable(String),
    #[error("ingest failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// One row of the table `gateways`: what metadata holds plus what happened since.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayStanding {
    pub record: GatewayRecord,
    pub pending: u64,
}

/// What a replay of dead letters did, in readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayedLetters {
    /// Entries looked at.
    pub letters: u64,
    pub stored: u64,
    pub duplicate: u64,
    /// Still dead, for the same or a new reason.
    pub dead: u64,
}

/// Takes readings, wells and installations in.
#[async_trait]
pub trait IngestDoor: Send + Sync + 'static {
    /// Returns when the readings are durable and can be queried.
    async fn post(&self, posted: PostedReadings) -> Result<PostedReceipt, IngestDoorError>;
    async fn put_wells(&self, wells: Vec<Well>) -> Result<(), IngestDoorError>;
    async fn put_installations(&self, installations: Vec<Installation>) -> Result<(), IngestDoorError>;
    fn registry(&self) -> Arc<Registry>;
    /// Puts the limits of a CSV into the table, or nothing of it; gives how many, and what may not be meant.
    async fn put_quality_limits(&self, csv: &[u8]) -> Result<(u64, Vec<String>), IngestDoorError>;
    /// False where the table has no such limit.
    async fn remove_quality_limit(&self, key: QualityLimitKey) -> Result<bool, IngestDoorError>;
    /// As they hold.
    fn quality_limits(&self) -> Arc<Vec<EffectiveLimit>>;
    async fn gateways(&self) -> Result<Vec<GatewayStanding>, IngestDoorError>;
    async fn replay_dead_letters(&self, filter: DeadLetterFilter) -> Result<ReplayedLetters, IngestDoorError>;
    /// Brings everything that is durable into the archive now.
    async fn flush(&self) -> Result<(), IngestDoorError>;
}

/// Changes condition flags.
#[async_trait]
pub trait FlagsDoor: Send + Sync + 'static {
    /// Does what somebody asks for, and keeps who it was. `None` when there is no such flag. Acknowledging twice keeps the first.
    async fn act(&self, flag_id: &str, act: FlagAct) -> Result<Option<ConditionFlag>, FlagsDoorError>;
    /// Keeps flags of a place as they are for a while, or a well out of all judgements; or ends that.
    async fn hold(&self, hold: Hold) -> Result<(), FlagsDoorError>;
    /// Tells offices as of a flag that there is not; gives to how many contacts.
    async fn drill(&self, drill: Drill) -> Result<usize, FlagsDoorError>;
    /// The flag that a drill tells of, which is kept nowhere.
    fn drill_flag(&self, drill: &Drill) -> ConditionFlag;
    /// All that one indicator of a well in a month is made of; without a month the last closed one. `None` where there is no
    /// such well.
    async fn explain_well(
        &self,
        well_id: &str,
        indicator: &str,
        of: ExplanationOf,
    ) -> Result<Option<Explained>, FlagsDoorError>;
    /// The same of the drought of a province.
    async fn explain_province(&self, code: &str, of: ExplanationOf) -> Result<Explained, FlagsDoorError>;
    /// Where a province stands in the last closed month, in words; of one without wells that it has none.
    fn province_standing(&self, code: &str) -> StandingInWords;
    /// What wants looking at in wells and gateways, of each province where there is something.
    async fn fleet(&self) -> Result<Vec<FleetReport>, FlagsDoorError>;
}

/// What wants looking at in one province.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetReport {
    pub province_code: String,
    pub items: u64,
    pub text_en: String,
    pub text_th: String,
}

/// What somebody does about a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagAct {
    pub action: FlagAction,
    /// A name or a role.
    pub by: String,
    /// How it came: `http`, `link`, `line`.
    pub via: &'static str,
    pub contact_id: Option<String>,
    pub text: Option<String>,
    /// Of an approval: the number of the transition whose document it is.
    pub transition: Option<i64>,
}

/// Answers people who write to LINE.
#[async_trait]
pub trait LineDoor: Send + Sync + 'static {
    /// What LINE signs its requests with.
    fn channel_secret(&self) -> &str;
    async fn reply(&self, reply_token: &str, text: &str);
}

/// Where a place stands as to low groundwater, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingInWords {
    pub month: Month,
    /// A severity, `normal`, or the name of why nothing can be judged, as the class of the place's `sgi` says it.
    pub class: &'static str,
    pub text_en: String,
    pub text_th: String,
}

/// Which number is explained, and how much of it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExplanationOf {
    /// `None`: the latest.
    pub month: Option<Month>,
    /// With every single value of long lists.
    pub in_full: bool,
}

/// A number and all that it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    pub month: Month,
    pub indicator: String,
    pub value: Option<f64>,
    pub class: Option<String>,
    /// For reading, in lines of text and tables of fixed width.
    pub text_en: String,
    pub text_th: String,
}

#[derive(Debug, thiserror::Error)]
pub enum FlagsDoorError {
    #[error("the flag is closed")]
    Closed,
    /// Somebody was first.
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Refused(String),
    #[error("the flag cannot be changed now")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Decides on stretches of series.
#[async_trait]
pub trait ReviewDoor: Send + Sync + 'static {
    fn reviews(&self) -> Arc<Reviews>;
    async fn review(&self, asked: NewReview) -> Result<Review, ReviewDoorError>;
    async fn withdraw(&self, id: ReviewId, by: &str, reason: &str) -> Result<Review, ReviewDoorError>;
}

#[derive(Debug, thiserror::Error)]
pub enum ReviewDoorError {
    /// Says which field, and how to mend it.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Unknown(String),
    /// Nothing was kept, or it goes on by itself: says which.
    #[error("{0}")]
    Unavailable(String),
}

/// One part of the process and whether it does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartState {
    pub part: &'static str,
    pub ready: bool,
    /// What is wrong, or a few words on what is right.
    pub detail: String,
    /// What to do about what is wrong, where that is known.
    pub mend: Option<&'static str>,
}

/// What an operator watches.
#[async_trait]
pub trait OperationsDoor: Send + Sync + 'static {
    async fn parts(&self) -> Vec<PartState>;
    /// Appends the metrics that the server itself does not count.
    async fn metrics(&self, text: &mut MetricsText);
    fn now(&self) -> Timestamp;
}
