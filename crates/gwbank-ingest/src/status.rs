//! What the server publishes, retained, on a gateway's status topic.

use gwbank_model::BANGKOK_OFFSET_SECONDS;
use serde::Serialize;

use crate::GatewayRow;

#[derive(Serialize)]
struct Status<'a> {
    gateway: &'a str,
    received: u64,
    stored: u64,
    duplicate: u64,
    dead: u64,
    pending: u64,
    last_seen: Option<String>,
    clock_offset_s: Option<f64>,
    clock_zone: Option<&'a str>,
    last_error: Option<&'a str>,
}

/// `gwbank/v1/{gateway}/status`
pub fn status_topic(gateway: &str) -> String {
    format!("gwbank/v1/{gateway}/status")
}

/// The payload of a gateway's status topic: one JSON object.
pub fn status_payload(row: &GatewayRow) -> Vec<u8> {
    let status = Status {
        gateway: row.gateway_id.as_str(),
        received: row.counts.received,
        stored: row.counts.stored,
        duplicate: row.counts.duplicate,
        dead: row.counts.dead,
        pending: row.pending,
        last_seen: row.last_seen.map(|at| at.to_rfc3339(BANGKOK_OFFSET_SECONDS)),
        clock_offset_s: row.clock_offset_s,
        clock_zone: row.clock_zone.as_deref(),
        last_error: row.last_error.as_deref(),
    };
    serde_json::to_vec(&status).unwrap_or_default()
}
