//! The Flight SQL door: rows a second of (well_id, time, value) over loopback.
//!
//! `GWBANK_BENCH_STEPS` readings (default 500) of each of 10,801 wells lie in the recent window and are all asked for:
//!
//! - **engine**: the batches as the engine makes them, sent nowhere;
//! - **door**: the same through the door, to the library's client in this process;
//! - **bare stream**: the door's peer, a tonic service that sends batches which lie ready, by the library alone;
//! - **pyarrow**: through the door, to a client in C++ (where `GWBANK_TEST_CLIENTS` names the clients that `scripts/test`
//!   installs).

mod support;

use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightClient, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use async_trait::async_trait;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use gwbank_door::DoorStats;
use gwbank_flight::door::{
    Answer, Asked, Denied, Described, Doorkeeper, FailureKind, SqlDoor, SqlFailure, Table, Visitor,
};
use gwbank_flight::{FlightServer, Limits, ServerParts};
use gwbank_query::{QueryConfig, QueryEngine, QueryError, Request as EngineRequest};
use gwbank_runtime::ShutdownTrigger;
use support::ours::Stores;
use support::recent::{Recent, WELLS};
use support::stats::{grouped, median};
use support::{Error, Settings, expect, number, print_machine, runtime};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

const SQL: &str = "SELECT well_id, time, value FROM readings";
/// Rows a second.
const TARGET: f64 = 5_000_000.0;

fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let steps = number("GWBANK_BENCH_STEPS", 500)?;
    let rounds = settings.rounds.max(3);
    println!("{} readings of {WELLS} wells, medians of {rounds} rounds", grouped((WELLS * steps) as f64));
    print_machine();
    let dir = settings.scratch()?;
    let runtime = runtime("flight")?;
    runtime.block_on(async {
        let stores = Stores::open(dir.path()).await?;
        let recent = Recent::fill(&stores, steps)?;
        let engine = recent.engine(&stores, QueryConfig { rows_max: u64::MAX, ..QueryConfig::default() })?;
        measure(engine, WELLS * steps, rounds).await
    })
}

async fn measure(engine: QueryEngine, rows: usize, rounds: usize) -> Result<(), Error> {
    let trigger = ShutdownTrigger::new();
    let server = FlightServer::bind("127.0.0.1:0").await?;
    let door = format!("http://{}", server.address());
    let parts = ServerParts {
        door: Arc::new(Engine(engine.clone())),
        keeper: Arc::new(Everybody),
        tls: None,
        limits: Limits::default(),
        version: "bench",
        stats: Arc::<DoorStats>::default(),
    };
    tokio::spawn(server.serve(parts, trigger.listener())?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let bare = format!("http://{}", listener.local_addr()?);
    let ready = plain_batches(&door).await?;
    expect(ready.iter().map(RecordBatch::num_rows).sum(), rows)?;
    let serving = Server::builder().add_service(FlightServiceServer::new(Bare(ready.into())));
    tokio::spawn(serving.serve_with_incoming(incoming(listener)));

    let python = std::env::var("GWBANK_TEST_CLIENTS").ok();
    let mut seconds: [Vec<f64>; 4] = Default::default();
    for _ in 0..rounds {
        let began = Instant::now();
        let mut batches = engine.query(SQL).await?.stream;
        let mut found = 0;
        while let Some(batch) = batches.try_next().await? {
            found += batch.num_rows();
        }
        expect(found, rows)?;
        seconds[0].push(began.elapsed().as_secs_f64());

        let mut client = FlightSqlServiceClient::new(Endpoint::from_shared(door.clone())?.connect().await?);
        let began = Instant::now();
        let info = client.execute(SQL.to_owned(), None).await?;
        let ticket = info.endpoint[0].ticket.clone().ok_or("no ticket")?;
        expect(counted(client.do_get(ticket).await?).await?, rows)?;
        seconds[1].push(began.elapsed().as_secs_f64());

        let mut client = FlightClient::new(Endpoint::from_shared(bare.clone())?.connect().await?);
        let began = Instant::now();
        expect(counted(client.do_get(Ticket::new("")).await?).await?, rows)?;
        seconds[2].push(began.elapsed().as_secs_f64());

        if let Some(clients) = &python {
            let (clients, door) = (clients.clone(), door.clone());
            let told = tokio::task::spawn_blocking(move || pyarrow(&clients, &door)).await??;
            expect(told.0, rows)?;
            seconds[3].push(told.1);
        }
    }
    println!("{:<14} {:>16} {:>12}", "", "rows/s", "of target");
    for (name, seconds) in ["engine", "door", "bare stream", "pyarrow"].iter().zip(&seconds) {
        if !seconds.is_empty() {
            let rate = rows as f64 / median(seconds);
            println!("{name:<14} {:>16} {:>12.2}", grouped(rate), rate / TARGET);
        }
    }
    trigger.stop();
    Ok(())
}

async fn counted(
    mut batches: impl Stream<Item = Result<RecordBatch, arrow_flight::error::FlightError>> + Unpin,
) -> Result<usize, Error> {
    let mut rows = 0;
    while let Some(batch) = batches.try_next().await? {
        rows += batch.num_rows();
    }
    Ok(rows)
}

/// Rows and seconds, as a client in C++ counts them.
fn pyarrow(clients: &str, door: &str) -> Result<(usize, f64), Error> {
    const SCRIPT: &str = "\
import sys, time
from adbc_driver_flightsql import dbapi
with dbapi.connect(sys.argv[1], autocommit=True) as connection, connection.cursor() as cursor:
    began = time.perf_counter()
    cursor.execute(sys.argv[2])
    rows = sum(batch.num_rows for batch in cursor.fetch_record_batch())
    print(rows, time.perf_counter() - began)
";
    let python = Path::new(clients).join("python/bin/python");
    let output = Command::new(python).args(["-c", SCRIPT, &door.replace("http://", "grpc://"), SQL]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let (rows, seconds) =
        text.trim().split_once(' ').ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok((rows.parse()?, seconds.parse()?))
}

/// As the door sends them, so that the peer sends the same.
async fn plain_batches(door: &str) -> Result<Vec<RecordBatch>, Error> {
    let mut client = FlightSqlServiceClient::new(Endpoint::from_shared(door.to_owned())?.connect().await?);
    let info = client.execute(SQL.to_owned(), None).await?;
    let ticket = info.endpoint[0].ticket.clone().ok_or("no ticket")?;
    Ok(client.do_get(ticket).await?.try_collect().await?)
}

fn incoming(listener: tokio::net::TcpListener) -> impl Stream<Item = Result<tokio::net::TcpStream, std::io::Error>> {
    stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.and_then(|(stream, _)| {
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        Some((accepted, listener))
    })
}

struct Engine(QueryEngine);

fn request(asked: Asked) -> EngineRequest {
    EngineRequest { sql: asked.sql, types: asked.types, values: asked.values, ..EngineRequest::default() }
}

fn failure(error: QueryError) -> SqlFailure {
    SqlFailure { kind: FailureKind::Internal, message: error.to_string() }
}

#[async_trait]
impl SqlDoor for Engine {
    async fn describe(&self, asked: Asked) -> Result<Described, SqlFailure> {
        let told = self.0.describe(request(asked)).await.map_err(failure)?;
        Ok(Described { parameters: told.parameters, schema: told.schema })
    }

    async fn query(&self, asked: Asked) -> Result<Answer, SqlFailure> {
        let result = self.0.ask(request(asked)).await.map_err(failure)?;
        Ok(Answer { schema: result.schema, batches: result.stream.map_err(failure).boxed() })
    }

    fn tables(&self) -> Vec<Table> {
        Vec::new()
    }
}

struct Everybody;

#[async_trait]
impl Doorkeeper for Everybody {
    fn is_open(&self) -> bool {
        true
    }

    async fn admit(&self, _: &str, _: IpAddr) -> Result<Visitor, Denied> {
        Ok(Visitor { name: "bench".to_owned(), may_query: true })
    }
}

/// Sends what lies ready, whatever is asked.
struct Bare(Arc<[RecordBatch]>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn never<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("only DoGet"))
}

#[async_trait]
impl FlightService for Bare {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = Answers<FlightData>;

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let batches = self.0.clone();
        let all = (0..batches.len()).map(move |index| Ok(batches[index].clone()));
        let encoder = FlightDataEncoderBuilder::new().build(stream::iter(all));
        Ok(Response::new(encoder.map_err(Status::from).boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        never()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        never()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        never()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        never()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        never()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        never()
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        never()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        never()
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        never()
    }
}
