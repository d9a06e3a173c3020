//! The embedded broker while the pipeline is full: clients wait, leave, come back; nothing is lost, doubled or leaked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gwbank_ingest::Pipeline;
use gwbank_ingest::embedded::{Anonymous, EmbeddedBroker, EmbeddedConfig};
use gwbank_model::Parameter;
use gwbank_runtime::ShutdownTrigger;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};

use crate::rig::{Rig, START_SECS, assert_adds_up, depth, eventually, json};

struct Client {
    client: AsyncClient,
    events: EventLoop,
}

impl Client {
    async fn connect(broker: &EmbeddedBroker, id: &str) -> Result<Self, ConnectReturnCode> {
        let mut options = MqttOptions::new(id, "127.0.0.1", broker.address().port());
        options.set_keep_alive(Duration::from_secs(60));
        let (client, mut events) = AsyncClient::new(options, 16);
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(Self { client, events }),
                Ok(_) => {}
                Err(ConnectionError::ConnectionRefused(code)) => return Err(code),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Puts a reading on the wire and does not wait for its acknowledgement.
    async fn publish(&mut self, well: &str, secs_ago: i64) {
        let payload = depth(well, START_SECS - secs_ago, 1.0);
        self.client.publish("gwbank/v1/gw/readings", QoS::AtLeastOnce, false, payload).await.unwrap();
        while !matches!(self.events.poll().await.unwrap(), Event::Outgoing(Outgoing::Publish(_))) {}
    }

    /// True when the acknowledgement came, false when the connection ended before it.
    async fn acknowledged(&mut self) -> bool {
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => return true,
                Ok(Event::Incoming(Packet::Disconnect(_))) | Err(_) => return false,
                Ok(_) => {}
            }
        }
    }
}

async fn open(rig: &mut Rig) -> Pipeline {
    rig.config.window_bytes_max = 1 << 16;
    rig.open_with_wells(&["A", "B", "C", "X"]).await
}

/// The archive goes away and the window fills up.
async fn fill(rig: &Rig, pipeline: &Pipeline) {
    rig.archive.away.store(true, Ordering::SeqCst);
    let mut sent = 0;
    while !pipeline.is_holding() {
        let readings: Vec<String> = (0..500).map(|i| depth("X", START_SECS - 86_400 + sent * 500 + i, 1.0)).collect();
        // Full between the look and the try is what is waited for.
        let _ = pipeline.try_ingest(json("filler", format!("[{}]", readings.join(",")))).await;
        sent += 1;
        assert!(sent < 100, "the window takes without bound");
    }
}

async fn make_room(rig: &Rig, pipeline: &Pipeline) {
    rig.archive.away.store(false, Ordering::SeqCst);
    pipeline.flush().await.unwrap();
    eventually("room in the window", || async { !pipeline.is_holding() }).await;
}

async fn start(pipeline: &Pipeline, trigger: &ShutdownTrigger, hold_max: Option<Duration>) -> EmbeddedBroker {
    let mut config = EmbeddedConfig::new("127.0.0.1:0");
    config.anonymous = Anonymous::Allowed;
    config.hold_max = hold_max.unwrap_or(config.hold_max);
    EmbeddedBroker::start(config, pipeline.clone(), trigger.listener()).await.unwrap()
}

/// Each of the wells has its one reading, and the counts say so.
async fn assert_stored_once(rig: &Rig, pipeline: &Pipeline, wells: &[&str]) {
    pipeline.flush().await.unwrap();
    for well in wells {
        assert_eq!(rig.archived(well, Parameter::DepthToWater).await.len(), 1, "{well}");
    }
    let rows = pipeline.gateways().await.unwrap();
    rows.iter().for_each(assert_adds_up);
    let row = rows.iter().find(|row| row.gateway_id.as_str() == "gw").unwrap();
    assert_eq!((row.counts.stored, row.counts.dead, row.pending), (wells.len() as u64, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_wait_leave_and_come_back_lose_nothing() {
    let mut rig = Rig::new();
    let trigger = ShutdownTrigger::new();
    let pipeline = open(&mut rig).await;
    let broker = start(&pipeline, &trigger, None).await;
    let mut leaving = Client::connect(&broker, "leaving").await.unwrap();
    let mut taken_over = Client::connect(&broker, "taken-over").await.unwrap();
    let mut patient = Client::connect(&broker, "patient").await.unwrap();
    fill(&rig, &pipeline).await;
    leaving.publish("A", 1).await;
    taken_over.publish("B", 2).await;
    patient.publish("C", 3).await;

    drop(leaving);
    let refused = Client::connect(&broker, "taken-over").await.err();
    assert_eq!(refused, Some(ConnectReturnCode::ServerUnavailable), "the gateway keeps what it cannot send");
    make_room(&rig, &pipeline).await;
    assert!(patient.acknowledged().await);
    let mut leaving = Client::connect(&broker, "leaving").await.unwrap();
    let mut taker = Client::connect(&broker, "taken-over").await.unwrap();
    // As a client does that has seen no acknowledgement.
    leaving.publish("A", 1).await;
    taker.publish("B", 2).await;
    assert!(leaving.acknowledged().await && taker.acknowledged().await);
    drop(taken_over);

    assert_stored_once(&rig, &pipeline, &["A", "B", "C"]).await;
    eventually("three connections", || async { broker.connections().await == 3 }).await;
    drop((leaving, taker, patient));
    eventually("no connection", || async { broker.connections().await == 0 }).await;
    trigger.stop();
    broker.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_held_too_long_is_let_go_unacknowledged() {
    let mut rig = Rig::new();
    let trigger = ShutdownTrigger::new();
    let pipeline = open(&mut rig).await;
    let broker = start(&pipeline, &trigger, Some(Duration::from_millis(100))).await;
    let mut alive = Client::connect(&broker, "alive").await.unwrap();
    let mut gone = Client::connect(&broker, "gone").await.unwrap();
    fill(&rig, &pipeline).await;
    gone.publish("A", 1).await;
    drop(gone);
    for well in ["A", "B", "C"] {
        alive.publish(well, 1).await;
    }
    assert!(!alive.acknowledged().await, "nothing is durable, so nothing is acknowledged");
    eventually("no connection", || async { broker.connections().await == 0 }).await;
    assert!(pipeline.is_holding(), "their places are free while it lasts");

    make_room(&rig, &pipeline).await;
    let mut alive = Client::connect(&broker, "alive").await.unwrap();
    for well in ["A", "B", "C"] {
        alive.publish(well, 1).await;
        assert!(alive.acknowledged().await);
    }
    assert_stored_once(&rig, &pipeline, &["A", "B", "C"]).await;
    trigger.stop();
    broker.stopped().await;
}
