//! Condition flags as retained MQTT messages: topic and body.

use gwbank_model::BANGKOK_OFFSET_SECONDS;
use gwbank_model::Timestamp;
use gwbank_model::condition::{FlagState, Scope};
use gwbank_store::{ConditionFlag, FlagTransition, OutboxMessage};
use serde_json::json;

/// Channel of the outbox whose messages a courier publishes as retained.
pub const MQTT_CHANNEL: &str = "mqtt";

/// `gwbank/v1/flags/{province}/{hazard}`, with `/{scope}/{id}` for smaller places and wells.
pub fn flag_topic(flag: &ConditionFlag) -> String {
    let of_province = format!("gwbank/v1/flags/{}/{}", flag.province_code, flag.hazard.name());
    if flag.scope == Scope::Province {
        of_province
    } else {
        format!("{of_province}/{}/{}", flag.scope.name(), flag.place)
    }
}

/// What to publish, retained, when the program starts: every flag that is not closed.
pub fn current_retained<'a>(flags: impl IntoIterator<Item = &'a ConditionFlag>) -> Vec<(String, Vec<u8>)> {
    flags
        .into_iter()
        .filter(|flag| flag.state != FlagState::Closed)
        .map(|flag| (flag_topic(flag), body(flag)))
        .collect()
}

/// The message that a change owes. A closed flag's is empty, which removes the retained one.
pub(crate) fn message(flag: &ConditionFlag, transition: Option<&FlagTransition>, at: Timestamp) -> OutboxMessage {
    let what = transition.map_or("updated", |transition| transition.transition.name());
    OutboxMessage {
        idempotency_key: format!("{}-{what}-{}", flag.id, at.as_micros()),
        channel: MQTT_CHANNEL.to_owned(),
        target: flag_topic(flag),
        body: if flag.state == FlagState::Closed { Vec::new() } else { body(flag) },
        created_at: at,
    }
}

fn body(flag: &ConditionFlag) -> Vec<u8> {
    let time = |at: Timestamp| at.to_rfc3339(BANGKOK_OFFSET_SECONDS);
    json!({
        "id": flag.id,
        "scope": flag.scope.name(),
        "place": flag.place,
        "province_code": flag.province_code,
        "district_code": flag.district_code,
        "subdistrict_code": flag.subdistrict_code,
        "well_id": flag.well_id.as_ref().map(|id| id.as_str()),
        "hazard": flag.hazard.name(),
        "severity": flag.severity.name(),
        "state": flag.state.name(),
        "raised_at": time(flag.raised_at),
        "changed_at": time(flag.changed_at),
        "confidence": flag.confidence,
        "wells_in": flag.wells_in,
        "wells_out": flag.wells_out,
        "coverage": flag.coverage,
        "rule": flag.rule,
        "limit_value": flag.limit_value,
        "observed": flag.observed,
        "what_would_clear_it": flag.what_would_clear_it,
        "headline_en": flag.headline_en,
        "headline_th": flag.headline_th,
        "detail_en": flag.detail_en,
        "detail_th": flag.detail_th,
        "acknowledged_by": flag.acknowledged_by,
        "acknowledged_at": flag.acknowledged_at.map(time),
    })
    .to_string()
    .into_bytes()
}
