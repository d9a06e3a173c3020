//! Who is let in.

use arrow::array::AsArray;
use arrow_flight::Action;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use gwbank_door::Refusal;
use gwbank_flight::Limits;
use prost::Message;
use tonic::{Code, Request};

use crate::support::{Client, Door, Keeper, basic, ints, rows};

async fn guarded() -> Door {
    Door::with(Keeper::default(), Limits::default(), None).await
}

async fn refusal(client: &mut Client) -> String {
    rows(client, "rows 3").await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_right_password_gives_a_token() {
    let door = guarded().await;
    let mut client = door.client().await;
    assert!(refusal(&mut client).await.contains("send a user name and a password"));
    client.handshake("somchai", "บ่อน้ำ").await.unwrap();
    assert!(client.token().unwrap().starts_with("gwbank-flight-"));
    assert_eq!(ints(&rows(&mut client, "rows 3").await.unwrap()), [0, 1, 2]);

    let mut other = door.client().await;
    other.set_token(client.token().unwrap().clone());
    assert_eq!(rows(&mut other, "settings").await.unwrap()[0].column(0).as_string::<i32>().value(0), "somchai");
    other.set_token("t0ken".to_owned());
    assert_eq!(rows(&mut other, "settings").await.unwrap()[0].column(0).as_string::<i32>().value(0), "grafana");
    other.set_token("gwbank-flight-0000".to_owned());
    assert!(refusal(&mut other).await.contains("connect again"));

    // A name and a password with every call will do, too.
    let mut plain = door.client().await;
    plain.set_header("authorization", basic("somchai:บ่อน้ำ").trim_end_matches('='));
    assert_eq!(ints(&rows(&mut plain, "rows 1").await.unwrap()), [0]);

    // Closing the session takes the token back.
    let mut closing = FlightServiceClient::new(door.channel().await);
    let mut close = Request::new(Action::new("CloseSession", Vec::new()));
    let bearer = format!("Bearer {}", client.token().unwrap());
    close.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let closed: Vec<_> = closing.do_action(close).await.unwrap().into_inner().try_collect().await.unwrap();
    assert_eq!(closed[0].body.as_ref(), [8, 1]);
    assert!(refusal(&mut client).await.contains("connect again"));
}

#[tokio::test]
async fn wrong_passwords_and_roles_are_told_apart() {
    let door = guarded().await;
    let told = async |name: &str, password: &str| {
        let mut client = FlightServiceClient::new(door.channel().await);
        let mut request = Request::new(futures::stream::empty());
        request.metadata_mut().insert("authorization", basic(&format!("{name}:{password}")).parse().unwrap());
        client.handshake(request).await.unwrap_err().code()
    };
    assert_eq!(told("malee", "office").await, Code::PermissionDenied);
    for _ in 0..3 {
        assert_eq!(told("somchai", "wrong").await, Code::Unauthenticated);
    }
    assert_eq!(told("somchai", "บ่อน้ำ").await, Code::ResourceExhausted);
    let refused = door.stats.counts().refused;
    assert_eq!(refused.iter().find(|(refusal, _)| *refusal == Refusal::Credentials).unwrap().1, 5);
    assert_eq!(door.stats.counts().sessions, 0);
}

#[tokio::test]
async fn an_open_door_lets_everybody_in() {
    let door = Door::open().await;
    let mut client = door.client().await;
    assert_eq!(ints(&rows(&mut client, "rows 2").await.unwrap()), [0, 1]);
    client.handshake("anybody", "anything").await.unwrap();
    assert_eq!(rows(&mut client, "settings").await.unwrap()[0].column(0).as_string::<i32>().value(0), "gwbank");
    assert_eq!(door.stats.counts().sessions, 1);
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct Options {
    #[prost(map = "string, message", tag = "1")]
    options: std::collections::HashMap<String, Value>,
}

#[tokio::test]
async fn settings_of_a_session_reach_the_engine() {
    let door = guarded().await;
    let mut client = door.client().await;
    client.handshake("somchai", "บ่อน้ำ").await.unwrap();
    let options = Options {
        options: [("application_name".to_owned(), Value { text: "โน้ตบุ๊ก".to_owned() })].into()
    };
    let action = async |client: &mut Client, name: &str, body: Vec<u8>| {
        let mut answers = client.do_action(Request::new(Action::new(name, body))).await.unwrap();
        answers.message().await.unwrap().unwrap().body
    };
    assert!(action(&mut client, "SetSessionOptions", options.encode_to_vec()).await.is_empty());
    let answer = rows(&mut client, "settings").await.unwrap();
    assert_eq!(answer[0].column(0).as_string::<i32>().value(1), "application_name=โน้ตบุ๊ก");
    let told = Options::decode(action(&mut client, "GetSessionOptions", Vec::new()).await).unwrap();
    assert_eq!(told.options["application_name"], options.options["application_name"]);
    assert_eq!(told.options["catalog"].text, "gwbank");

    // Another session of the same person knows nothing of it; where no token tells sessions apart, a cookie does.
    let mut other = FlightSqlServiceClient::new(door.channel().await);
    other.set_token("t0ken".to_owned());
    assert_eq!(rows(&mut other, "settings").await.unwrap()[0].num_rows(), 1);
    let set = Request::new(Action::new("SetSessionOptions", options.encode_to_vec()));
    let answered = {
        let mut raw = FlightServiceClient::new(door.channel().await);
        let mut set = set;
        set.metadata_mut().insert("authorization", "Bearer t0ken".parse().unwrap());
        raw.do_action(set).await.unwrap()
    };
    let cookie = answered.metadata().get("set-cookie").unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
    other.set_header("cookie", cookie);
    assert_eq!(rows(&mut other, "settings").await.unwrap()[0].num_rows(), 2);
}
