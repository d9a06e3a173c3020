//! Condition flags as retained MQTT messages: topic and body.

use gwbank_model::condition::{FlagState, Scope};
use gwbank_notice::flag_json;
use gwbank_store::ConditionFlag;

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
        .map(|flag| (flag_topic(flag), flag_json(flag).to_string().into_bytes()))
        .collect()
}
