//! What is no client, or no good one.

use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    Any, CommandPreparedStatementQuery, CommandStatementQuery, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, Ticket};
use futures::{StreamExt, stream};
use gwbank_door::Refusal;
use gwbank_flight::Limits;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Status};

use crate::support::{Door, Keeper, PATIENCE, ints, rows};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = stream.read_to_end(&mut read);
    // A reset ends it as well.
    let _closed = tokio::time::timeout(PATIENCE, reading).await.expect("the server closes");
    read
}

fn refused(door: &Door, what: Refusal) -> u64 {
    door.stats.counts().refused.iter().find(|(refusal, _)| *refusal == what).unwrap().1
}

#[tokio::test]
async fn what_is_no_grpc_is_told_so_or_ended() {
    let limits = Limits { startup_time: Duration::from_millis(300), ..Limits::default() };
    let door = Door::with(Keeper::default(), limits, None).await;
    let mut browser = TcpStream::connect(door.address).await.unwrap();
    browser.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = String::from_utf8(until_closed(&mut browser).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 505 ") && answer.contains("Flight SQL"), "{answer}");
    // Silence, TLS at a door without, half a preface, a whole one and nobody behind it: each has its time.
    let long = [PREFACE, b"\0\0\0\x04\0\0\0\0\0"].concat();
    for bytes in [&b""[..], b"\x16\x03\x01\x02\0\x01", &PREFACE[..10], PREFACE, &long, &[0xff; 100]] {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        until_closed(&mut stream).await;
    }
    assert!(refused(&door, Refusal::Startup) >= 6);
    let gone = async {
        while door.stats.counts().open > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("no connection is left");
}

#[tokio::test]
async fn strangers_take_nobodys_place() {
    let limits = Limits { connections_max: 2, ..Limits::default() };
    let door = Door::with(Keeper::open(), limits, None).await;
    let strangers: Vec<TcpStream> =
        stream::iter(0..60).then(|_| async { TcpStream::connect(door.address).await.unwrap() }).collect().await;
    let (mut one, mut two) = (door.client().await, door.client().await);
    assert_eq!(ints(&rows(&mut one, "rows 1").await.unwrap()), [0]);
    assert_eq!(ints(&rows(&mut two, "rows 1").await.unwrap()), [0]);
    let mut three = door.client().await;
    let full = rows(&mut three, "rows 1").await.unwrap_err().to_string();
    assert!(full.contains("too many clients"), "{full}");
    drop(one);
    let place = async {
        while rows(&mut three, "rows 1").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, place).await.expect("a place becomes free");
    assert!(refused(&door, Refusal::Places) >= 1);
    drop(strangers);
}

/// Calls with bytes in place of commands: each is answered, none succeeds by chance, and none of them is our fault.
async fn strange_calls(client: &mut FlightServiceClient<tonic::transport::Channel>, bytes: &[u8]) {
    let ok = |status: Status| assert_ne!(status.code(), Code::Internal, "{status:?}");
    let statement = TicketStatementQuery { statement_handle: bytes.to_vec().into() }.as_any().encode_to_vec();
    let prepared = CommandPreparedStatementQuery { prepared_statement_handle: bytes.to_vec().into() };
    let prepared = prepared.as_any().encode_to_vec();
    let damaged = Any { type_url: CommandStatementQuery::type_url().to_owned(), value: bytes.to_vec().into() };
    for command in [bytes.to_vec(), statement, prepared, damaged.encode_to_vec()] {
        for call in [true, false] {
            if call {
                let _told = client.get_flight_info(FlightDescriptor::new_cmd(command.clone())).await.map_err(ok);
            } else if let Ok(answer) = client.do_get(Ticket::new(command.clone())).await.map_err(ok) {
                answer.into_inner().for_each(async |data| drop(data)).await;
            }
        }
        let first = FlightData::new()
            .with_descriptor(FlightDescriptor::new_cmd(command))
            .with_data_header(bytes.to_vec())
            .with_data_body(bytes.to_vec());
        // The library calls what it cannot read its own fault here.
        let _answered = client.do_put(stream::iter([first])).await;
    }
    for action in ["CancelFlightInfo", "SetSessionOptions", "GetSessionOptions", "CancelQuery", "Nonsense"] {
        let _answered = client.do_action(Action::new(action, bytes.to_vec())).await;
    }
}

#[test]
fn strange_bytes_in_calls_do_no_harm() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let door = runtime.block_on(Door::open());
    let client = runtime.block_on(async { FlightServiceClient::new(door.channel().await) });
    let bytes = proptest::collection::vec(any::<u8>(), 0..200);
    let mut runner = TestRunner::new(Config { cases: 40, ..Config::default() });
    runner
        .run(&bytes, |bytes| {
            let mut client = client.clone();
            runtime.block_on(strange_calls(&mut client, &bytes));
            // Our own tickets, cut short or changed, too.
            let mut handle = vec![1, 1];
            handle.extend(&bytes);
            runtime.block_on(strange_calls(&mut client, &handle));
            Ok(())
        })
        .unwrap();
    runtime.block_on(async {
        let mut client = door.client().await;
        assert_eq!(ints(&rows(&mut client, "rows 1").await.unwrap()), [0]);
        door.until_idle().await;
    });
}

#[test]
fn strange_frames_do_no_harm() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let door = runtime.block_on(Door::open());
    let bytes = proptest::collection::vec(any::<u8>(), 0..200);
    let mut runner = TestRunner::new(Config { cases: 60, ..Config::default() });
    runner
        .run(&(bytes, any::<bool>()), |(bytes, greets)| {
            runtime.block_on(async {
                let mut stream = TcpStream::connect(door.address).await.unwrap();
                if greets {
                    stream.write_all(PREFACE).await.unwrap();
                }
                // Whether the server is still there to read is its own affair.
                let _sent = stream.write_all(&bytes).await;
                let _ended = stream.shutdown().await;
                until_closed(&mut stream).await;
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(async {
        let gone = async {
            while door.stats.counts().open > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("no connection is left");
    });
}
