//! The peer: the same broker with a handler that does nothing but make the payload durable, many at a time.

use std::fs::File;
use std::future::Future;
use std::io::{Seek, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use mqtt5::broker::config::{AuthConfig, RateLimitConfig, StorageConfig};
use mqtt5::broker::{
    BrokerConfig, BrokerEventHandler, BrokerShutdownHandle, ClientPublishEvent, MqttBroker, PublishAction,
    StorageBackendType,
};
use tokio::sync::oneshot;

use super::Error;
use super::stats::Times;

type Waiting = (Bytes, oneshot::Sender<()>);

pub struct Bare {
    pub address: SocketAddr,
    shutdown: BrokerShutdownHandle,
    running: tokio::task::JoinHandle<()>,
    syncs: Arc<Mutex<Times>>,
}

impl Bare {
    pub async fn start(dir: &Path) -> Result<Self, Error> {
        let file = File::create(dir.join("payloads"))?;
        let (sender, waiting) = channel();
        let syncs = Arc::new(Mutex::new(Times::default()));
        let times = syncs.clone();
        std::thread::Builder::new().name("bare-writer".to_owned()).spawn(move || write(file, &waiting, &times))?;
        let config = BrokerConfig {
            bind_addresses: vec!["127.0.0.1:0".parse()?],
            max_clients: 10_000,
            max_packet_size: 16 << 20,
            auth_config: AuthConfig {
                allow_anonymous: true,
                rate_limit: RateLimitConfig { enabled: false, ..RateLimitConfig::default() },
                ..AuthConfig::default()
            },
            storage_config: StorageConfig::default().with_backend(StorageBackendType::Memory),
            sys_topics_enabled: false,
            max_message_rate_per_client: 0,
            max_bandwidth_per_client: 0,
            event_handler: Some(Arc::new(Handler { sender })),
            ..BrokerConfig::default()
        };
        let mut broker = MqttBroker::with_config(config).await?;
        let address = broker.local_addr().ok_or("no address is bound")?;
        let shutdown = broker.shutdown_handle();
        let mut ready = broker.ready_receiver();
        let running = tokio::spawn(async move {
            if let Err(error) = broker.run().await {
                eprintln!("the bare broker failed: {error}");
            }
        });
        ready.wait_for(|ready| *ready).await?;
        Ok(Self { address, shutdown, running, syncs })
    }

    /// Ends it; gives the times of its syncs.
    pub async fn stop(self) -> Result<Times, Error> {
        self.shutdown.shutdown();
        self.running.await?;
        Ok(std::mem::take(&mut *self.syncs.lock().map_err(|_| "the writer panicked")?))
    }
}

struct Handler {
    sender: Sender<Waiting>,
}

impl BrokerEventHandler for Handler {
    fn on_client_publish<'a>(
        &'a self,
        event: ClientPublishEvent,
    ) -> Pin<Box<dyn Future<Output = PublishAction> + Send + 'a>> {
        Box::pin(async move {
            let (done, durable) = oneshot::channel();
            if self.sender.send((event.payload, done)).is_err() || durable.await.is_err() {
                std::future::pending::<()>().await;
            }
            PublishAction::Handled
        })
    }
}

/// It begins anew at the start of its file then: in five minutes it would fill a disk.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// Everything that waits is one group.
fn write(mut file: File, waiting: &Receiver<Waiting>, times: &Mutex<Times>) {
    let mut buffer = Vec::new();
    let mut written = 0;
    while let Ok(first) = waiting.recv() {
        buffer.clear();
        let mut group = Vec::new();
        for (payload, done) in std::iter::once(first).chain(waiting.try_iter()) {
            buffer.extend_from_slice(&payload);
            group.push(done);
        }
        written += buffer.len() as u64;
        if written > FILE_BYTES_MAX {
            written = 0;
            if let Err(error) = file.rewind() {
                eprintln!("the bare writer failed: {error}");
                return;
            }
        }
        let began = Instant::now();
        if let Err(error) = file.write_all(&buffer).and_then(|()| file.sync_data()) {
            eprintln!("the bare writer failed: {error}");
            return;
        }
        if let Ok(mut times) = times.lock() {
            times.push(began.elapsed());
        }
        for done in group {
            // A connection that is gone does not wait.
            let _gone = done.send(());
        }
    }
}
