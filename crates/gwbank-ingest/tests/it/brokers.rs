//! Mosquitto's clients at the embedded broker, and sessions at Mosquitto itself, where it is installed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use gwbank_ingest::Pipeline;
use gwbank_ingest::embedded::{Anonymous, EmbeddedBroker, EmbeddedConfig};
use gwbank_ingest::external::{ExternalConfig, ExternalSource};
use gwbank_ingest::publisher::{Publisher, PublisherConfig};
use gwbank_runtime::ShutdownTrigger;

use crate::rig::{Rig, START_SECS, depth, eventually, gateway_counts};

fn installed(names: &[&str]) -> Option<String> {
    let found = names.iter().find(|name| Path::new(name).exists()).map(|name| (*name).to_owned());
    if found.is_none() {
        eprintln!("skipped: none of {names:?} is installed");
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_clients_of_both_versions_are_served() {
    let Some(program) = installed(&["/usr/bin/mosquitto_pub", "/usr/local/bin/mosquitto_pub"]) else { return };
    let rig = Rig::new();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let trigger = ShutdownTrigger::new();
    let mut config = EmbeddedConfig::new("127.0.0.1:0");
    config.anonymous = Anonymous::Allowed;
    let broker = EmbeddedBroker::start(config, pipeline.clone(), trigger.listener()).await.unwrap();
    let port = broker.address().port().to_string();
    let mut n = 0;
    for version in ["mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            n += 1;
            let (program, port, payload) = (program.clone(), port.clone(), depth("A", START_SECS - n, 1.0));
            let status = tokio::task::spawn_blocking(move || {
                let topic = "gwbank/v1/gw/readings";
                Command::new(program)
                    .args(["-V", version, "-q", qos, "-h", "127.0.0.1", "-p", &port, "-t", topic, "-m", &payload])
                    .status()
            });
            assert!(status.await.unwrap().unwrap().success(), "{version}, quality of service {qos}");
        }
    }
    eventually("all messages to be stored", || async { gateway_counts(&pipeline, "gw").await == [6, 6, 0, 0, 0] })
        .await;
    trigger.stop();
    broker.stopped().await;
}

/// Mosquitto on a free port with a session store of its own.
struct Mosquitto {
    child: Child,
    url: String,
}

impl Mosquitto {
    async fn start(dir: &Path) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_at(dir, port).await
    }

    async fn start_at(dir: &Path, port: u16) -> Option<Self> {
        let program = installed(&["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"])?;
        let file = dir.join("mosquitto.conf");
        let settings = format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n");
        std::fs::write(&file, settings).unwrap();
        let child = Command::new(program).arg("-c").arg(&file).stderr(Stdio::null()).stdout(Stdio::null()).spawn();
        let started = Self { child: child.unwrap(), url: format!("mqtt://127.0.0.1:{port}") };
        eventually("mosquitto to listen", || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Some(started)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn subscribed(source: &ExternalSource) {
    let mut state = source.state();
    state.wait_for(|state| state.subscribed || (state.connected && state.connections > 0)).await.unwrap();
}

async fn stored(pipeline: &Pipeline) -> u64 {
    let [received, stored, duplicate, dead, pending] = gateway_counts(pipeline, "gw").await;
    assert_eq!((dead, pending), (0, 0));
    assert_eq!(received, stored + duplicate);
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_at_a_broker_misses_nothing_while_the_pipeline_is_away() {
    let rig = Rig::new();
    let Some(mosquitto) = Mosquitto::start(rig.dir.path()).await else { return };
    let mut config = ExternalConfig::new(&mosquitto.url, "gwbank-node-1");
    config.receive_maximum = 20;
    let publisher = Arc::new(Publisher::connect(PublisherConfig::new(&mosquitto.url, "gateway")).await.unwrap());
    let publish = |from: i64, to: i64| {
        let publisher = publisher.clone();
        async move {
            for n in from..to {
                publisher.publish("gwbank/v1/gw/readings", depth("A", START_SECS - n, 1.0)).await;
            }
            publisher.flush().await
        }
    };

    let pipeline = rig.open_with_wells(&["A"]).await;
    let trigger = ShutdownTrigger::new();
    let source = ExternalSource::spawn(config.clone(), pipeline.clone(), trigger.listener()).unwrap();
    source.state().wait_for(|state| state.subscribed).await.unwrap();
    publish(0, 100).await;
    eventually("the first hundred", || async { stored(&pipeline).await == 100 }).await;

    // Killed while messages are on their way.
    let sending = tokio::spawn(publish(100, 300));
    eventually("some more", || async { stored(&pipeline).await > 120 }).await;
    pipeline.halt().await.unwrap();
    trigger.stop();
    source.stopped().await;
    assert_eq!(sending.await.unwrap().acknowledged, 300);

    let pipeline = rig.open().await;
    let trigger = ShutdownTrigger::new();
    let source = ExternalSource::spawn(config, pipeline.clone(), trigger.listener()).unwrap();
    subscribed(&source).await;
    eventually("all of it", || async { stored(&pipeline).await == 300 }).await;
    publish(300, 310).await;
    eventually("what came last", || async { stored(&pipeline).await == 310 }).await;
    let state = source.state().borrow().clone();
    assert_eq!(state.problem, None);
    trigger.stop_accepting();
    source.stopped().await;
    pipeline.shutdown().await.unwrap();
    assert_eq!(rig.archived("A", gwbank_model::Parameter::DepthToWater).await.len(), 310);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_forgot_the_session_is_subscribed_to_again() {
    let rig = Rig::new();
    let Some(mosquitto) = Mosquitto::start(rig.dir.path()).await else { return };
    let port: u16 = mosquitto.url.rsplit(':').next().unwrap().parse().unwrap();
    let pipeline = rig.open_with_wells(&["A"]).await;
    let trigger = ShutdownTrigger::new();
    let mut config = ExternalConfig::new(&mosquitto.url, "gwbank-node-1");
    config.shared_group = Some("gwbank".to_owned());
    let source = ExternalSource::spawn(config, pipeline.clone(), trigger.listener()).unwrap();
    let mut state = source.state();
    state.wait_for(|state| state.subscribed).await.unwrap();
    drop(mosquitto); // with all that it had in memory
    state.wait_for(|state| !state.connected).await.unwrap();
    let mosquitto = Mosquitto::start_at(rig.dir.path(), port).await.unwrap();
    state.wait_for(|state| state.subscribed).await.unwrap();
    let publisher = Publisher::connect(PublisherConfig::new(&mosquitto.url, "gateway")).await.unwrap();
    publisher.publish("gwbank/v1/gw/readings", depth("A", START_SECS, 1.0)).await;
    publisher.publish("gwbank/v1/gw/senml", "not senml").await;
    publisher.close().await;
    eventually("both messages", || async { gateway_counts(&pipeline, "gw").await == [2, 1, 0, 1, 0] }).await;
    trigger.stop();
    source.stopped().await;
}
