//! A door with an engine of its own making, and a client that speaks bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream;
use gwbank_door::DoorStats;
use gwbank_pgwire::door::{Answer, Asked, Described, SqlDoor, SqlFailure};
use gwbank_pgwire::{Limits, PgWireServer, ServerParts, Users};
use gwbank_runtime::ShutdownTrigger;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longer than anything takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Answers `rows N` with the numbers below N, `endless` with numbers for ever, `wide` with long texts for ever, `silent` with
/// nothing for ever, `value` with its parameter; everything else fails.
#[derive(Debug, Default, Clone)]
pub struct Engine {
    /// Answers that are under way.
    pub running: Arc<AtomicUsize>,
    /// Batches of endless answers that were asked for.
    pub batches: Arc<AtomicUsize>,
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

/// Of each text of `wide`.
const WIDE_BYTES: usize = 32 << 10;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

fn texts() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8, true)]))
}

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![column]).unwrap()
}

fn numbers(from: i64, to: i64) -> RecordBatch {
    batch(Arc::new(Int64Array::from_iter_values(from..to)))
}

#[async_trait]
impl SqlDoor for Engine {
    async fn describe(&self, asked: Asked) -> Result<Described, SqlFailure> {
        let parameters = if asked.sql == "value" { vec![Some(DataType::Int64)] } else { vec![] };
        match asked.sql.split(' ').next() {
            Some("wide") => Ok(Described { parameters, schema: texts() }),
            Some("rows" | "endless" | "silent" | "value") => Ok(Described { parameters, schema: schema() }),
            _ => Err(unknown()),
        }
    }

    async fn query(&self, asked: Asked) -> Result<Answer, SqlFailure> {
        let running = Running::new(&self.running);
        let mut words = asked.sql.split(' ');
        let batches = match (words.next(), words.next()) {
            (Some("rows"), Some(count)) => stream::iter([Ok(numbers(0, count.parse().unwrap()))]).boxed(),
            (Some("endless"), _) => {
                let batches = self.batches.clone();
                let numbers = move |step: i64| {
                    batches.fetch_add(1, Ordering::SeqCst);
                    Ok(numbers(step * 100, step * 100 + 100))
                };
                stream::iter(0..).map(numbers).boxed()
            }
            (Some("wide"), _) => {
                let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(WIDE_BYTES)]));
                let batch = RecordBatch::try_new(texts(), vec![text]).unwrap();
                stream::repeat_with(move || Ok(batch.clone())).boxed()
            }
            (Some("silent"), _) => stream::pending().boxed(),
            (Some("value"), _) => {
                let value = asked.values[0].clone();
                assert_eq!(value.len(), 1);
                stream::iter([Ok(batch(value))]).boxed()
            }
            _ => return Err(unknown()),
        };
        let batches = batches.map(move |batch| {
            let _running = &running;
            batch
        });
        let schema = if asked.sql == "wide" { texts() } else { schema() };
        Ok(Answer { schema, batches: batches.boxed() })
    }
}

fn unknown() -> SqlFailure {
    SqlFailure { sqlstate: "42601", message: "unknown".to_owned(), place: Some((1, 1)) }
}

pub struct Door {
    pub address: SocketAddr,
    pub engine: Engine,
    pub trigger: ShutdownTrigger,
    pub stats: Arc<DoorStats>,
}

impl Door {
    pub async fn open() -> Self {
        Self::with(Users::Everybody, Limits::default()).await
    }

    pub async fn with(users: Users, limits: Limits) -> Self {
        let engine = Engine::default();
        let server = PgWireServer::bind("127.0.0.1:0").await.unwrap();
        let (address, trigger, stats) = (server.address(), ShutdownTrigger::new(), server.stats());
        let door = Arc::new(engine.clone());
        let parts = ServerParts {
            door,
            users,
            tls: None,
            tls_required: false,
            limits,
            time_zone: gwbank_model::Zone::bangkok(),
        };
        tokio::spawn(server.serve(parts, trigger.listener()).unwrap());
        Self { address, engine, trigger, stats }
    }

    /// A client that was let in.
    pub async fn client(&self) -> Client {
        let mut client = self.stranger().await;
        client.start(&[("user", "gwbank")]).await;
        let greeting = client.until_ready().await;
        client.key = greeting.iter().find(|(kind, _)| *kind == b'K').unwrap().1.clone();
        client
    }

    pub async fn until_idle(&self) {
        self.until("an answer goes on for nobody", || self.engine.running.load(Ordering::SeqCst) == 0).await;
    }

    /// Nobody is connected and nothing runs.
    pub async fn until_empty(&self) {
        self.until_idle().await;
        let is_empty = || {
            let counts = self.stats.counts();
            (counts.open, counts.sessions, counts.running) == (0, 0, 0)
        };
        self.until("a connection stays", is_empty).await;
    }

    async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let waiting = async {
            while !is_so() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect(what);
    }

    /// A client that says nothing yet.
    pub async fn stranger(&self) -> Client {
        Client { stream: BufReader::new(TcpStream::connect(self.address).await.unwrap()), key: Vec::new() }
    }

    /// Asks for the end of what a client does.
    pub async fn cancel(&self, client: &Client) {
        let request = [&16u32.to_be_bytes()[..], &80_877_102u32.to_be_bytes(), &client.key].concat();
        self.stranger().await.stream.write_all(&request).await.unwrap();
    }

    pub async fn until_busy(&self) {
        while self.engine.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    }
}

pub struct Client {
    pub stream: BufReader<TcpStream>,
    /// Process and secret.
    pub key: Vec<u8>,
}

pub type Received = (u8, Vec<u8>);

impl Client {
    pub async fn start(&mut self, parameters: &[(&str, &str)]) {
        let mut body = vec![0, 3, 0, 0];
        for (name, value) in parameters {
            body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
        body.push(0);
        let length = (body.len() as u32 + 4).to_be_bytes();
        self.stream.write_all(&[&length[..], &body].concat()).await.unwrap();
    }

    pub async fn send(&mut self, kind: u8, body: &[u8]) {
        let length = (body.len() as u32 + 4).to_be_bytes();
        self.stream.write_all(&[&[kind][..], &length, body].concat()).await.unwrap();
    }

    pub async fn query(&mut self, sql: &str) -> Vec<Received> {
        self.send(b'Q', &[sql.as_bytes(), b"\0"].concat()).await;
        self.until_ready().await
    }

    pub async fn receive(&mut self) -> Option<Received> {
        let reading = async {
            let kind = self.stream.read_u8().await.ok()?;
            let mut body = vec![0; self.stream.read_u32().await.ok()? as usize - 4];
            self.stream.read_exact(&mut body).await.ok()?;
            Some((kind, body))
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("an answer")
    }

    /// Everything up to "ready for query", or to the end.
    pub async fn until_ready(&mut self) -> Vec<Received> {
        let mut received = Vec::new();
        while let Some(message) = self.receive().await {
            let is_last = message.0 == b'Z';
            received.push(message);
            if is_last {
                break;
            }
        }
        received
    }
}

/// The kinds of messages, as letters.
pub fn kinds(received: &[Received]) -> String {
    received.iter().map(|(kind, _)| *kind as char).collect()
}

/// The code of the error among them.
pub fn code(received: &[Received]) -> String {
    let (_, fields) = received.iter().find(|(kind, _)| *kind == b'E').expect("an error");
    let code = fields.split(|&byte| byte == 0).find(|field| field.first() == Some(&b'C')).unwrap();
    String::from_utf8(code[1..].to_vec()).unwrap()
}
