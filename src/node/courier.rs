//! Brings condition flags to the embedded broker as retained messages.
//!
//! # Rules
//! 1. At least once: a message leaves the outbox after it was published. A retained topic holds one message, so a second
//!    delivery changes nothing.
//! 2. The broker forgets at every start: what is open is published anew before anything else.

use async_trait::async_trait;
use gwbank_courier::{Courier, Outcome, Parcel};
use gwbank_ingest::embedded::EmbeddedBroker;
use gwbank_store::{Metadata, MetadataError};
use gwbank_watch::{MQTT_CHANNEL, current_retained};

pub struct RetainedTopics(pub EmbeddedBroker);

impl RetainedTopics {
    /// Publishes every flag that is open.
    pub async fn publish_all(&self, metadata: &dyn Metadata) -> Result<(), MetadataError> {
        for (topic, body) in current_retained(&metadata.flags(true).await?) {
            self.0.publish_retained(&topic, body).await;
        }
        Ok(())
    }
}

#[async_trait]
impl Courier for RetainedTopics {
    fn channel(&self) -> &'static str {
        MQTT_CHANNEL
    }

    async fn deliver(&self, parcel: &Parcel) -> Outcome {
        for message in &parcel.messages {
            self.0.publish_retained(&message.target, message.body.clone()).await;
        }
        Outcome::Delivered("retained".to_owned())
    }
}
