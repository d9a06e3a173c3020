//! A door with an engine of its own making, and the library's client.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use async_trait::async_trait;
use base64::Engine as _;
use futures::{StreamExt, TryStreamExt, stream};
use gwbank_door::{DoorStats, TlsFiles};
use gwbank_flight::door::{
    Answer, Asked, Denied, Described, Doorkeeper, FailureKind, SqlDoor, SqlFailure, Table, Visitor,
};
use gwbank_flight::{FlightServer, Limits, ServerParts};
use gwbank_runtime::ShutdownTrigger;
use tonic::transport::{Channel, Endpoint};

/// Longer than anything takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub type Client = FlightSqlServiceClient<Channel>;

/// Answers `rows N` with the numbers below N, `endless` with numbers for ever, `silent` with nothing for ever, `slow` after
/// for ever, `value` with its parameter, `readings N` with rows as of the field, `settings` with the caller's; everything
/// else fails, `fail KIND` as it says.
#[derive(Debug, Default, Clone)]
pub struct Engine {
    /// Answers that are under way.
    pub running: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(running: &Arc<AtomicUsize>) -> Self {
        running.fetch_add(1, Ordering::SeqCst);
        Self(running.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn schema_of(sql: &str) -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, false);
    Arc::new(Schema::new(match sql.split(' ').next() {
        Some("readings") => vec![
            field("well_id", DataType::Utf8View),
            field("time", DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))),
            field("value", DataType::Float64),
        ],
        Some("settings") => vec![field("setting", DataType::Utf8View)],
        _ => vec![field("n", DataType::Int64)],
    }))
}

fn batch(sql: &str, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(schema_of(sql), columns).unwrap()
}

fn numbers(from: i64, to: i64) -> RecordBatch {
    batch("rows", vec![Arc::new(Int64Array::from_iter_values(from..to))])
}

pub fn readings(from: i64, to: i64) -> RecordBatch {
    let wells = (from..to).map(|row| format!("บ่อ-{:04}", row % 10_801));
    let times = TimestampMicrosecondArray::from_iter_values((from..to).map(|row| row * 1_000_000));
    batch(
        "readings",
        vec![
            Arc::new(StringViewArray::from_iter_values(wells)),
            Arc::new(times.with_timezone("+00:00")),
            Arc::new(Float64Array::from_iter_values((from..to).map(|row| row as f64 / 8.0))),
        ],
    )
}

#[async_trait]
impl SqlDoor for Engine {
    async fn describe(&self, asked: Asked) -> Result<Described, SqlFailure> {
        let parameters = match asked.sql.as_str() {
            "value" => vec![Some(DataType::Int64)],
            "any value" => vec![None],
            _ => vec![],
        };
        match asked.sql.split(' ').next() {
            Some("rows" | "endless" | "silent" | "slow" | "value" | "readings" | "settings") => {
                Ok(Described { parameters, schema: schema_of(&asked.sql) })
            }
            Some("any") => {
                let data_type = asked.types.first().cloned().flatten().unwrap_or(DataType::Null);
                let schema = Schema::new(vec![Field::new("n", data_type, true)]);
                Ok(Described { parameters, schema: Arc::new(schema) })
            }
            _ => Err(failure(&asked.sql)),
        }
    }

    async fn query(&self, asked: Asked) -> Result<Answer, SqlFailure> {
        let running = Running::new(&self.running);
        let sql = asked.sql.clone();
        let mut words = sql.split(' ');
        let (word, count) = (words.next(), words.next());
        let mut schema = schema_of(&sql);
        let count = || count.unwrap().parse::<i64>().unwrap();
        let batches = match word {
            Some("rows") => stream::iter([Ok(numbers(0, count()))]).boxed(),
            Some("readings") => {
                let count = count();
                let starts = (0..count).step_by(8192);
                stream::iter(starts.map(move |start| Ok(readings(start, count.min(start + 8192))))).boxed()
            }
            Some("endless") => stream::iter(0..).map(|step| Ok(numbers(step * 8192, step * 8192 + 8192))).boxed(),
            Some("silent") => stream::pending().boxed(),
            Some("slow") => std::future::pending().await,
            Some("value" | "any") => {
                let value = asked.values[0].clone();
                assert_eq!(value.len(), 1);
                schema = Arc::new(Schema::new(vec![Field::new("n", value.data_type().clone(), true)]));
                stream::iter([Ok(RecordBatch::try_new(schema.clone(), vec![value]).unwrap())]).boxed()
            }
            Some("settings") => {
                let caller = &asked.caller;
                let settings = caller.settings.iter().map(|(name, value)| format!("{name}={value}"));
                let texts = StringViewArray::from_iter_values([caller.user.clone()].into_iter().chain(settings));
                stream::iter([Ok(batch("settings", vec![Arc::new(texts)]))]).boxed()
            }
            _ => return Err(failure(&sql)),
        };
        let batches = batches.map(move |batch| {
            let _running = &running;
            batch
        });
        Ok(Answer { schema, batches: batches.boxed() })
    }

    fn tables(&self) -> Vec<Table> {
        let table = |name: &str, is_view| Table {
            name: name.to_owned(),
            is_view,
            schema: schema_of("readings"),
            remarks: Some(format!("what {name} are")),
            column_remarks: vec![Some("of the well".to_owned()), None, None],
        };
        vec![table("levels_monthly", true), table("readings", false), table("wells", false)]
    }
}

fn failure(sql: &str) -> SqlFailure {
    let kind = match sql {
        "fail limit" => FailureKind::Limit,
        "fail readonly" => FailureKind::ReadOnly,
        "fail time" => FailureKind::TimedOut,
        "fail unavailable" => FailureKind::Unavailable,
        _ => FailureKind::Invalid,
    };
    SqlFailure { kind, message: format!("{sql}: ไม่ได้ at Line: 1, Column: 1") }
}

/// Knows `somchai` with `บ่อน้ำ`, `malee` of an office with `office`, and the token `t0ken`; the third wrong password in a
/// row is one too many.
#[derive(Debug, Default)]
pub struct Keeper {
    pub is_open: bool,
    failures: AtomicUsize,
}

impl Keeper {
    pub fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }
}

pub fn basic(text: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

#[async_trait]
impl Doorkeeper for Keeper {
    fn is_open(&self) -> bool {
        self.is_open
    }

    async fn admit(&self, authorization: &str, _: IpAddr) -> Result<Visitor, Denied> {
        if self.failures.load(Ordering::SeqCst) >= 3 {
            return Err(Denied::TooManyFailures("wait a minute".to_owned()));
        }
        let visitor = |name: &str, may_query| Ok(Visitor { name: name.to_owned(), may_query });
        match authorization {
            text if text == basic("somchai:บ่อน้ำ") => visitor("somchai", true),
            text if text == basic("malee:office") => visitor("malee", false),
            "Bearer t0ken" => visitor("grafana", true),
            _ => {
                self.failures.fetch_add(1, Ordering::SeqCst);
                Err(Denied::Unknown("the user name or the password is wrong".to_owned()))
            }
        }
    }
}

pub struct Door {
    pub address: SocketAddr,
    pub engine: Engine,
    pub trigger: ShutdownTrigger,
    pub stats: Arc<DoorStats>,
    pub served: tokio::task::JoinHandle<()>,
}

impl Door {
    pub async fn open() -> Self {
        Self::with(Keeper::open(), Limits::default(), None).await
    }

    pub async fn with(keeper: Keeper, limits: Limits, tls: Option<TlsFiles>) -> Self {
        let engine = Engine::default();
        let server = FlightServer::bind("127.0.0.1:0").await.unwrap();
        let (address, trigger, stats) = (server.address(), ShutdownTrigger::new(), Arc::<DoorStats>::default());
        let (door, keeper) = (Arc::new(engine.clone()), Arc::new(keeper));
        let parts = ServerParts { door, keeper, tls, limits, version: "1.2.3", stats: stats.clone() };
        let served = tokio::spawn(server.serve(parts, trigger.listener()).unwrap());
        Self { address, engine, trigger, stats, served }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    pub async fn channel(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    pub async fn client(&self) -> Client {
        FlightSqlServiceClient::new(self.channel().await)
    }

    /// Waits until no query is under way.
    pub async fn until_idle(&self) {
        let idle = async {
            while self.engine.running.load(Ordering::SeqCst) > 0 || self.stats.counts().running > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, idle).await.expect("the queries end");
    }
}

/// All rows of a statement, as a client asks for them.
pub async fn rows(client: &mut Client, sql: &str) -> Result<Vec<RecordBatch>, FlightError> {
    let info = client.execute(sql.to_owned(), None).await?;
    let told = info.clone().try_decode_schema()?;
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let stream = client.do_get(ticket).await?;
    let batches: Vec<RecordBatch> = stream.try_collect().await?;
    for batch in &batches {
        assert_eq!(batch.schema().as_ref(), &told);
    }
    Ok(batches)
}

pub fn ints(batches: &[RecordBatch]) -> Vec<i64> {
    let column = |batch: &RecordBatch| batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec();
    batches.iter().flat_map(column).collect()
}
