//! Brings condition flags to the embedded broker as retained messages.
//!
//! # Rules
//! 1. At least once: a message leaves the outbox after it was published. A retained topic holds one message, so a second
//!    delivery changes nothing.
//! 2. The broker forgets at every start: what is open is published anew before anything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gwbank_ingest::embedded::EmbeddedBroker;
use gwbank_model::Timestamp;
use gwbank_runtime::{Clock, Shutdown};
use gwbank_store::{Metadata, MetadataError};
use gwbank_watch::{MQTT_CHANNEL, current_retained};

/// How often the outbox is looked at: a flag is to be seen within five seconds of its reading.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Messages taken from the outbox at once.
const MESSAGES_AT_ONCE: usize = 500;

/// Messages of the channel, by outcome, since the start.
#[derive(Debug, Default)]
pub struct Deliveries {
    pub delivered: AtomicU64,
    pub failed: AtomicU64,
}

pub async fn run(
    broker: EmbeddedBroker,
    metadata: Arc<dyn Metadata>,
    clock: Arc<dyn Clock>,
    deliveries: Arc<Deliveries>,
    shutdown: Shutdown,
) {
    let mut republished = false;
    let mut failing = false;
    loop {
        let worked = async {
            if !republished {
                for (topic, body) in current_retained(&metadata.flags(true).await?) {
                    broker.publish_retained(&topic, body).await;
                }
                republished = true;
            }
            deliver(&broker, metadata.as_ref(), clock.as_ref(), &deliveries).await
        };
        tokio::select! {
            () = shutdown.ended() => return,
            worked = worked => match worked {
                Ok(()) => failing = false,
                Err(error) => {
                    deliveries.failed.fetch_add(1, Ordering::Relaxed);
                    // Once an outage: it is looked again twice a second.
                    if !std::mem::replace(&mut failing, true) {
                        let error = format!("{:#}", anyhow::Error::new(error));
                        tracing::warn!(error, channel = MQTT_CHANNEL, "messages cannot be delivered now");
                    }
                }
            }
        }
        tokio::select! {
            () = shutdown.ended() => return,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}

async fn deliver(
    broker: &EmbeddedBroker,
    metadata: &dyn Metadata,
    clock: &dyn Clock,
    deliveries: &Deliveries,
) -> Result<(), MetadataError> {
    loop {
        let messages = metadata.outbox(MQTT_CHANNEL, MESSAGES_AT_ONCE).await?;
        let count = messages.len();
        for message in messages {
            broker.publish_retained(&message.target, message.body).await;
            let at = Timestamp::from_micros(clock.now_micros());
            metadata.outbox_delivered(&message.idempotency_key, at).await?;
            deliveries.delivered.fetch_add(1, Ordering::Relaxed);
        }
        if count < MESSAGES_AT_ONCE {
            return Ok(());
        }
    }
}
