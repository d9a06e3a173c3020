//! How queries and connections end.

use std::time::{Duration, Instant};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{ActionCancelQueryRequest, CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, CancelFlightInfoRequest, FlightClient, FlightDescriptor, FlightInfo, Ticket};
use futures::StreamExt;
use gwbank_flight::Limits;
use prost::Message;
use tonic::{Code, Request};

use crate::support::{Client, Door, Keeper, PATIENCE, ints, rows};

async fn info(client: &mut Client, sql: &str) -> FlightInfo {
    client.execute(sql.to_owned(), None).await.unwrap()
}

fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

#[tokio::test]
async fn whoever_leaves_takes_the_query_along() {
    let door = Door::open().await;
    for sql in ["endless", "silent"] {
        let mut client = door.client().await;
        let info = info(&mut client, sql).await;
        let mut stream = client.do_get(ticket(&info)).await.unwrap();
        if sql == "endless" {
            stream.next().await.unwrap().unwrap();
        }
        assert_eq!(door.stats.counts().running, 1);
        drop(stream);
        door.until_idle().await;
        // The connection is good for more.
        assert_eq!(ints(&rows(&mut client, "rows 2").await.unwrap()), [0, 1]);
    }
    // The whole connection goes.
    let mut client = door.client().await;
    let info = info(&mut client, "endless").await;
    let stream = client.do_get(ticket(&info)).await.unwrap();
    drop((stream, client));
    door.until_idle().await;
    assert_eq!(door.stats.counts().statements, 5);
}

#[tokio::test]
async fn a_query_is_cancelled_by_its_ticket() {
    let door = Door::open().await;
    let mut client = door.client().await;
    let info = info(&mut client, "endless").await;
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let mut other = FlightClient::new(door.channel().await);
    let cancelled = other.cancel_flight_info(CancelFlightInfoRequest::new(info.clone())).await.unwrap();
    assert_eq!(cancelled.status, 1);
    let end = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Err(error) = stream.next().await.expect("an error ends it") {
                return error.to_string();
            }
        }
    });
    assert!(end.await.unwrap().contains("was cancelled"));
    door.until_idle().await;
    assert_eq!(door.stats.counts().cancels, 1);
    let again = other.cancel_flight_info(CancelFlightInfoRequest::new(info)).await.unwrap_err();
    assert!(again.to_string().contains("no query of this ticket"), "{again}");
}

#[tokio::test]
async fn older_clients_cancel_in_their_words() {
    let door = Door::open().await;
    let mut client = door.client().await;
    let info = info(&mut client, "silent").await;
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    let mut raw = FlightServiceClient::new(door.channel().await);
    let cancel = ActionCancelQueryRequest { info: info.encode_to_vec().into() };
    let action = Action::new("CancelQuery", cancel.as_any().encode_to_vec());
    raw.do_action(action).await.unwrap();
    assert!(stream.next().await.unwrap().is_err());
    door.until_idle().await;
}

#[tokio::test]
async fn the_clients_own_deadline_holds_to_the_end_of_the_stream() {
    let door = Door::open().await;
    for sql in ["slow", "silent", "endless"] {
        let mut raw = FlightServiceClient::new(door.channel().await);
        let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let info = raw.get_flight_info(descriptor).await.unwrap().into_inner();
        let mut request = Request::new(ticket(&info));
        request.metadata_mut().insert("grpc-timeout", "300m".parse().unwrap());
        // Where nothing is read, the server ends it all the same.
        let answer = raw.do_get(request).await;
        door.until_idle().await;
        if sql == "slow" {
            let code = answer.unwrap_err().code();
            assert!([Code::DeadlineExceeded, Code::Cancelled].contains(&code), "{code:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_not_waited_for() {
    let limits = Limits { answer_time: Duration::from_millis(300), ..Limits::default() };
    let door = Door::with(Keeper::open(), limits, None).await;
    let mut client = door.client().await;
    let info = info(&mut client, "endless").await;
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    door.until_idle().await;
    let end = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error.to_string(),
            None => panic!("an answer that was cut looks whole"),
        }
    };
    assert!(end.contains("read faster"), "{end}");
}

#[tokio::test]
async fn shutdown_ends_what_rests_and_cuts_what_does_not_end() {
    let door = Door::open().await;
    let (mut resting, mut working) = (door.client().await, door.client().await);
    assert_eq!(ints(&rows(&mut resting, "rows 1").await.unwrap()), [0]);
    let info = info(&mut working, "endless").await;
    let mut stream = working.do_get(ticket(&info)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let began = Instant::now();
    door.trigger.stop_accepting();
    tokio::time::timeout(PATIENCE, door.served).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(rows(&mut resting, "rows 1").await.is_err());
    let end = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(end, "an answer that was cut looks whole");
    let gone = async {
        while door.stats.counts().open > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("no connection is left");
}
