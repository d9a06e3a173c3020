//! The embedded broker with real clients.

use argon2::password_hash::{PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use gwbank_ingest::Pipeline;
use gwbank_ingest::embedded::{Anonymous, EmbeddedBroker, EmbeddedConfig, GatewayCredentials};
use gwbank_ingest::publisher::{Publisher, PublisherConfig};
use gwbank_runtime::ShutdownTrigger;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

use crate::rig::{Rig, START_SECS, depth, eventually, gateway, gateway_counts};

fn credentials(id: &str, password: &str) -> GatewayCredentials {
    // The cheapest parameters: the tests run without optimisation.
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let salt = SaltString::encode_b64(b"saltsaltsalt").unwrap();
    let password_hash = argon.hash_password(password.as_bytes(), &salt).unwrap().to_string();
    GatewayCredentials { gateway: gateway(id), password_hash }
}

async fn start(pipeline: &Pipeline, anonymous: Anonymous, trigger: &ShutdownTrigger) -> EmbeddedBroker {
    let mut config = EmbeddedConfig::new("127.0.0.1:0");
    config.anonymous = anonymous;
    config.gateways = vec![credentials("gw-1", "secret")];
    EmbeddedBroker::start(config, pipeline.clone(), trigger.listener()).await.unwrap()
}

fn url(broker: &EmbeddedBroker) -> String {
    format!("mqtt://{}", broker.address())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_is_stored() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let trigger = ShutdownTrigger::new();
    let broker = start(&pipeline, Anonymous::Refused, &trigger).await;
    let config = PublisherConfig::new(url(&broker), "client-1").with_credentials("gw-1", "secret");
    let publisher = Publisher::connect(config).await.unwrap();
    for n in 0..200 {
        publisher.publish("gwbank/v1/gw-1/readings", depth("A", START_SECS - n, n as f64 / 10.0)).await;
    }
    let counts = publisher.flush().await;
    assert_eq!((counts.published, counts.acknowledged, counts.refused), (200, 200, 0));
    assert_eq!(gateway_counts(&pipeline, "gw-1").await, [200, 200, 0, 0, 0]);

    // Another gateway's topic, and topics that nobody reads: acknowledged, and dead.
    publisher.publish("gwbank/v1/gw-2/readings", depth("A", START_SECS, 1.0)).await;
    publisher.publish("gwbank/v1/gw-1/unheard", "x").await;
    publisher.publish("gwbank/v2/gw-1/readings", "x").await;
    publisher.publish("elsewhere", "x").await;
    let counts = publisher.flush().await;
    assert_eq!((counts.acknowledged, counts.refused), (204, 0));
    assert_eq!(gateway_counts(&pipeline, "gw-1").await, [203, 200, 0, 3, 0]);
    assert_eq!(gateway_counts(&pipeline, "gw-2").await, [0; 5]);
    let dead = pipeline.metrics().dead_by_reason;
    assert_eq!((dead.get("foreign_topic"), dead.get("unknown_topic")), (Some(&1), Some(&2)));

    // Server topics are the server's.
    publisher.publish("gwbank/v1/flags/30/drought", "x").await;
    publisher.publish("gwbank/v1/gw-1/status", "x").await;
    let counts = publisher.close().await;
    assert_eq!((counts.acknowledged, counts.refused), (204, 2));

    trigger.stop_accepting();
    broker.stopped().await;
    pipeline.shutdown().await.unwrap();
    trigger.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_right_password_lets_a_gateway_in() {
    let rig = Rig::new();
    let pipeline = rig.open().await;
    let trigger = ShutdownTrigger::new();
    let broker = start(&pipeline, Anonymous::Refused, &trigger).await;
    let config = || PublisherConfig::new(url(&broker), "client");
    for wrong in [
        config(),
        config().with_credentials("gw-1", "wrong"),
        config().with_credentials("gw-1", ""),
        config().with_credentials("gw-2", "secret"),
    ] {
        let refused = Publisher::connect(wrong.clone()).await;
        assert!(refused.is_err(), "{wrong:?}");
    }
    for _ in 0..2 {
        Publisher::connect(config().with_credentials("gw-1", "secret")).await.unwrap().close().await;
    }
    for _ in 0..20 {
        Publisher::connect(config().with_credentials("gw-1", "guess")).await.unwrap_err();
    }
    let refused = Publisher::connect(config().with_credentials("gw-1", "guess")).await.unwrap_err().to_string();
    assert!(refused.contains("ServerUnavailable"), "after so many the password is not looked at: {refused}");
    Publisher::connect(config().with_credentials("gw-1", "secret")).await.expect("known from before").close().await;
    trigger.stop();
    broker.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_cannot_take_over_anothers_connection() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let trigger = ShutdownTrigger::new();
    let mut config = EmbeddedConfig::new("127.0.0.1:0");
    config.gateways = vec![credentials("gw-1", "secret"), credentials("gw-2", "other")];
    let broker = EmbeddedBroker::start(config, pipeline.clone(), trigger.listener()).await.unwrap();
    let first = PublisherConfig::new(url(&broker), "client").with_credentials("gw-1", "secret");
    let second = PublisherConfig::new(url(&broker), "client").with_credentials("gw-2", "other");
    let publisher = Publisher::connect(first).await.unwrap();
    let refused = Publisher::connect(second.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("ClientIdentifierNotValid"), "{refused}");
    publisher.publish("gwbank/v1/gw-1/readings", depth("A", START_SECS, 1.0)).await;
    let counts = publisher.flush().await;
    assert_eq!((counts.acknowledged, counts.reconnects), (1, 0), "nobody disturbed it");
    publisher.close().await;
    eventually("everybody to be gone", || async { broker.connections().await == 0 }).await;
    Publisher::connect(second).await.unwrap().close().await;
    trigger.stop();
    broker.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_topics_are_retained_and_readings_are_not_routed() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let trigger = ShutdownTrigger::new();
    let broker = start(&pipeline, Anonymous::Allowed, &trigger).await;
    broker.publish_retained("gwbank/v1/flags/30/flood", r#"{"severity":"watch"}"#).await;
    let mut options = MqttOptions::new("office", "127.0.0.1", broker.address().port());
    options.set_max_packet_size(Some(1 << 20));
    let (client, mut events) = AsyncClient::new(options, 16);
    client.subscribe("gwbank/v1/flags/#", QoS::AtLeastOnce).await.unwrap();
    client.subscribe("gwbank/v1/+/status", QoS::AtLeastOnce).await.unwrap();
    client.subscribe("gwbank/#", QoS::AtLeastOnce).await.unwrap();
    // Retained by a client on an ingest topic: taken in, and forgotten by the broker.
    client.publish("gwbank/v1/gw-9/readings", QoS::ExactlyOnce, true, depth("A", START_SECS, 1.0)).await.unwrap();
    let (mut flag, mut refused, mut completed) = (None, 0, false);
    while flag.is_none() || refused == 0 || !completed {
        match events.poll().await.unwrap() {
            Event::Incoming(Packet::Publish(publish)) => {
                assert!(!publish.topic.ends_with(b"readings"));
                if publish.topic.starts_with(b"gwbank/v1/flags/") {
                    flag = Some(publish);
                }
            }
            Event::Incoming(Packet::SubAck(ack)) => {
                let failed = |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
                refused += ack.return_codes.iter().filter(failed).count();
            }
            Event::Incoming(Packet::PubComp(_)) => completed = true,
            _ => {}
        }
    }
    assert_eq!(&flag.unwrap().payload[..], br#"{"severity":"watch"}"#);
    assert_eq!(refused, 1, "whoever could see readings may not subscribe");
    assert_eq!(gateway_counts(&pipeline, "gw-9").await, [1, 1, 0, 0, 0]);
    trigger.stop();
    broker.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_outlives_its_broker() {
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let trigger = ShutdownTrigger::new();
    let broker = start(&pipeline, Anonymous::Allowed, &trigger).await;
    let publisher = Publisher::connect(PublisherConfig::new(url(&broker), "client")).await.unwrap();
    for n in 0..50 {
        publisher.publish("gwbank/v1/gw/readings", depth("A", START_SECS - n, 1.0)).await;
    }
    let address = broker.address().to_string();
    trigger.stop();
    broker.stopped().await;
    for n in 50..60 {
        publisher.publish("gwbank/v1/gw/readings", depth("A", START_SECS - n, 1.0)).await;
    }
    let trigger = ShutdownTrigger::new();
    let mut config = EmbeddedConfig::new(address);
    config.anonymous = Anonymous::Allowed;
    let broker = EmbeddedBroker::start(config, pipeline.clone(), trigger.listener()).await.unwrap();
    let counts = publisher.flush().await;
    assert_eq!((counts.published, counts.acknowledged), (60, 60));
    let [received, stored, duplicate, dead, pending] = gateway_counts(&pipeline, "gw").await;
    assert_eq!((stored, dead, pending), (60, 0, 0));
    assert_eq!(received, stored + duplicate);
    trigger.stop();
    broker.stopped().await;
}
