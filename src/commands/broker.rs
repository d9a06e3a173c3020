//! Connecting to the broker that a command publishes to.

use std::sync::Once;
use std::time::Duration;

use gwbank_ingest::IngestError;
use gwbank_ingest::publisher::{Publisher, PublisherConfig};
use gwbank_runtime::Backoff;

use crate::arguments::BrokerArguments;
use crate::failure::{Failure, Outcome};
use crate::terminal;

const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Said once, however many connections wait.
static BUSY_IS_SAID: Once = Once::new();

/// Connects; waits for a broker that is there and takes nobody in now, as a gateway does.
pub async fn connect(broker: &BrokerArguments, client_id: &str) -> Outcome<Publisher> {
    let mut config = PublisherConfig::new(&broker.to, client_id);
    config.user.clone_from(&broker.username);
    config.password.clone_from(&broker.password);
    config.ca_file.clone_from(&broker.ca_file);
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
    loop {
        match Publisher::connect(config.clone()).await {
            Ok(publisher) => return Ok(publisher),
            Err(IngestError::Connection(problem)) if problem.is_busy => {
                BUSY_IS_SAID.call_once(|| eprintln!("waiting: {}", terminal::lines(&problem.to_string())));
                tokio::time::sleep(backoff.next_delay()).await;
            }
            Err(error @ (IngestError::Url { .. } | IngestError::Tls { .. })) => return Err(Failure::usage(error)),
            Err(error) => return Err(error.into()),
        }
    }
}
